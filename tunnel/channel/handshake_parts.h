/* The inside of a handshake, shared by handshake.c (its life and turns), handshake_two.c (the modes
 * of two messages) and handshake_four.c (password mode). The contract is in handshake.h. */
#ifndef USI_CHANNEL_HANDSHAKE_PARTS_H
#define USI_CHANNEL_HANDSHAKE_PARTS_H

#include "channel/bytes.h"
#include "channel/handshake.h"
#include "channel/kem.h"
#include "channel/noise.h"
#include "channel/spake2.h"

enum {
    USI_FLAG_ML_KEM = 1,
    USI_NOISE_TAGGED = USI_DH + USI_TAG,
    USI_HEADER_1_MIN = 4 + 1 + 1 + 1 + 1 + USI_RAND,
    USI_HEADER_1_MAX = USI_HEADER_1_MIN + USI_NAME_MAX + USI_KEM_KEY,
    USI_PASSWORD_2 = USI_SALT + USI_SHARE, /* size of password mode's second message */
    /* label and h of a rekey or question; header 1; salt and both shares of password mode */
    USI_PROLOGUE_MAX = 16 + USI_HASH + USI_HEADER_1_MAX + USI_PASSWORD_2 + USI_SHARE
};

/* One message of a mode. For a connector's first, header 1 was read or written before. */
struct usi_message {
    bool by_connector;
    int (*write)(struct usi_handshake *hs, struct usi_write *w);
    int (*read)(struct usi_handshake *hs, struct usi_read *r);
    size_t (*least)(const struct usi_handshake *hs); /* header 1 included */
};

struct usi_handshake {
    const struct usi_crypto *crypto;
    struct usi_keyring *ring;
    const struct usi_terms *before; /* a rekey or a question; else NULL */
    struct usi_view *view;          /* the channel's; NULL: nobody sees it */
    bool connector;
    bool question;
    bool kem_offered; /* by the connector */
    bool stretched;   /* connector, password mode */
    uint8_t cipher_octet;
    enum usi_mode mode; /* 0: a listener does not know yet */
    uint64_t now;       /* while a message is read */

    const struct usi_message *script;
    unsigned count, passed;

    struct usi_noise *noise;
    const struct usi_cipher *cipher;
    struct usi_credential *key;     /* key mode, once known; a reference of our own */
    struct usi_peer peer;           /* identity mode, once known */
    uint8_t listener_key[USI_HASH]; /* identity mode: SHA-256 of the listener's SPKI */

    size_t name_size;
    char name[USI_NAME_MAX];
    uint8_t rand_ms[USI_RAND], rand_nw[USI_RAND];

    EVP_PKEY *kem;                   /* connector: our ML-KEM key */
    uint8_t kem_public[USI_KEM_KEY]; /* listener: the connector's */

    struct usi_spake2 *spake2; /* password mode */
    uint8_t share[USI_SHARE];  /* connector: ours */
    uint8_t salt[USI_SALT], peer_share[USI_SHARE];

    struct usi_write prologue; /* into what follows */
    uint8_t prologue_octets[USI_PROLOGUE_MAX];

    uint8_t keys[2][USI_KEY]; /* connector's, listener's: when all messages have passed */
    uint8_t next[USI_KEY];    /* password mode: psk of the next rekey */
};

/* ---- handshake.c ---- */

/* Shows the witness octets[0..size-1], which the connector or the listener has made. */
void usi_handshake_tell(const struct usi_handshake *hs, enum usi_seen_type type, bool by_connector,
                        const uint8_t *octets, size_t size);

/* The same for an identity as it crosses, whose mark goes first. */
void usi_handshake_tell_identity(const struct usi_handshake *hs, bool by_connector,
                                 const uint8_t key[USI_FINGERPRINT], uint8_t mark);

/* Begins Noise with the prologue so far. */
int usi_handshake_begin_noise(struct usi_handshake *hs, enum usi_noise_pattern pattern);

/* Both SubjectPublicKeyInfos are known: the fingerprint of both, which both users see; and in a
 * rekey, whether the peer's is the one of before (USI_ERR_CHANGED). */
int usi_handshake_meet(struct usi_handshake *hs, const uint8_t *connector, size_t connector_size,
                       const uint8_t *listener, size_t listener_size);

/* ---- handshake_two.c ---- */

/* Key and identity mode, and rekeys of password mode. */
extern const struct usi_message usi_handshake_two[2];

/* A listener's clear header: flags, RANDnw in key mode, ML-KEM ciphertext. Mixed into h. */
int usi_handshake_write_header_2(struct usi_handshake *hs, struct usi_write *w);
int usi_handshake_read_header_2(struct usi_handshake *hs, struct usi_read *r);

/* ---- handshake_four.c ---- */

extern const struct usi_message usi_handshake_four[4];

#endif
