/* A handshake of PROTOCOL.md: the first of a channel, a rekey inside it, or the password question.
 * Its messages take turns, two or four of them by mode:
 *
 *   key, identity    1 connector, 2 listener; and in rekeys of password mode
 *   password         1 connector, 2 listener, 3 connector, 4 listener; and in the question
 *
 * after which the connector's `proof` follows. One object plays one side once. After an error, only
 * usi_handshake_free. */
#ifndef USI_CHANNEL_HANDSHAKE_H
#define USI_CHANNEL_HANDSHAKE_H

#include "channel/credential.h"
#include "channel/identity.h"
#include "channel/keyring.h"
#include "channel/witness.h"

struct usi_handshake;

enum {
    USI_MESSAGE_1_MAX = 2048, /* any of a connector */
    USI_MESSAGE_2_MAX = 2304, /* any of a listener */
    USI_PROOF_MAX = USI_IDENTITY_MAX,
    /* Key mode, without name and ML-KEM. */
    USI_MESSAGE_1_MIN = 4 + 1 + 1 + 1 + 1 + USI_RAND + USI_DH + USI_TAG + USI_KNOCK,
    USI_MESSAGE_2_MIN = 1 + USI_RAND + USI_DH + USI_TAG
};

/* What the two sides of a channel have agreed on, and what the next handshake goes on from. */
struct usi_terms {
    const struct usi_cipher *cipher;
    struct usi_credential *key; /* key mode; a reference of their own */
    char *name;                 /* NULL: the empty one */
    enum usi_mode mode;
    uint8_t cipher_octet;
    uint8_t name_size;
    union {
        struct usi_peer peer;    /* identity mode */
        uint8_t secret[USI_KEY]; /* password mode: psk of the next rekey */
    };
    uint8_t h[USI_HASH];       /* of the latest handshake */
    uint8_t first_h[USI_HASH]; /* of the first */
};

/* Wipes and frees what terms hold. */
void usi_terms_clear(struct usi_terms *terms);

/* The first handshake: of a connector in `mode`, of a listener in whatever mode of the ring the
 * peer asks for. The ring must outlive the object. */
int usi_handshake_connect(struct usi_handshake **out, const struct usi_crypto *crypto,
                          struct usi_keyring *ring, enum usi_mode mode);
int usi_handshake_listen(struct usi_handshake **out, const struct usi_crypto *crypto,
                         struct usi_keyring *ring);

/* A rekey on the terms before, and a password question inside them. ring and terms must outlive the
 * object. */
int usi_handshake_again(struct usi_handshake **out, const struct usi_crypto *crypto,
                        struct usi_keyring *ring, bool connector, const struct usi_terms *terms);
int usi_handshake_question(struct usi_handshake **out, const struct usi_crypto *crypto,
                           struct usi_keyring *ring, bool connector, const struct usi_terms *terms);

/* Who sees its steps from now on; view may be NULL. */
void usi_handshake_show(struct usi_handshake *hs, struct usi_view *view);

/* What comes next. */
enum usi_step {
    USI_STEP_WRITE,
    USI_STEP_READ,
    USI_STEP_STRETCH, /* connector: usi_handshake_stretched, with what usi_handshake_salt makes */
    USI_STEP_OVER     /* all messages have passed: the keys are known */
};
enum usi_step usi_handshake_step(const struct usi_handshake *hs);

/* Messages that have passed, 0 to 4. */
unsigned usi_handshake_passed(const struct usi_handshake *hs);

/* The least and the most size that the next message may have. */
void usi_handshake_bounds(const struct usi_handshake *hs, size_t *least, size_t *most);

/* Writes the next message to out[0..room-1]; USI_MESSAGE_2_MAX is enough for any. */
int usi_handshake_write(struct usi_handshake *hs, uint8_t *out, size_t room, size_t *size);

/* Reads the next message. now is the channel's clock, for the limits of a password. A listener in
 * key mode checks the knock before any public-key work, then whether it is a replay. */
int usi_handshake_read(struct usi_handshake *hs, const uint8_t *message, size_t size, uint64_t now);

const uint8_t *usi_handshake_salt(const struct usi_handshake *hs);
int usi_handshake_stretched(struct usi_handshake *hs, const uint8_t stretched[USI_STRETCHED]);

/* Connector: writes the content of `proof`. Listener: checks it. Both when USI_STEP_OVER. */
int usi_handshake_proof(const struct usi_handshake *hs, uint8_t out[USI_PROOF_MAX], size_t *size);
int usi_handshake_check_proof(struct usi_handshake *hs, const uint8_t *proof, size_t size);

/* The proof that usi_handshake_proof made goes out: shows it. */
void usi_handshake_tell_proof(const struct usi_handshake *hs, const uint8_t *proof, size_t size);

/* Everything was checked, and the new keys are in force: shows that. */
void usi_handshake_tell_agreed(const struct usi_handshake *hs);

/* When USI_STEP_OVER: the Noise keys for what this side sends and receives, and their cipher. Wipe
 * them after use. */
int usi_handshake_keys(const struct usi_handshake *hs, uint8_t send[USI_KEY],
                       uint8_t receive[USI_KEY]);
const struct usi_cipher *usi_handshake_cipher(const struct usi_handshake *hs);
enum usi_mode usi_handshake_mode(const struct usi_handshake *hs);

/* After everything was checked: puts what was agreed on into *terms, which were zero before or are
 * those of the handshake before. */
int usi_handshake_settle(const struct usi_handshake *hs, struct usi_terms *terms);

/* Wipes and frees. NULL is fine. */
void usi_handshake_free(struct usi_handshake *hs);

#endif
