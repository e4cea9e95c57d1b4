/* A handshake of PROTOCOL.md: the first of a channel, or a rekey inside it. The three messages are
 *
 *   1 connector:  "USI1" mode cipher flags name RANDms [ML-KEM key]  Noise e  knock
 *   2 listener:   flags RANDnw [ML-KEM ciphertext]  Noise e, ee, psk
 *   3 connector:  proof
 *
 * One object plays one side once. After an error, only usi_handshake_free. */
#ifndef USI_CHANNEL_HANDSHAKE_H
#define USI_CHANNEL_HANDSHAKE_H

#include "channel/credential.h"
#include "channel/keyring.h"

struct usi_handshake;

enum {
    USI_MESSAGE_1_MAX = 2048,
    USI_MESSAGE_2_MAX = 2304,
    /* Without name and ML-KEM: what any message has at least. */
    USI_MESSAGE_1_MIN = 4 + 1 + 1 + 1 + 1 + USI_RAND + USI_DH + USI_TAG + USI_KNOCK,
    USI_MESSAGE_2_MIN = 1 + USI_RAND + USI_DH + USI_TAG
};

/* The connector's side under credential and name[0..name_size-1]. previous is h of the handshake
 * before, in a rekey; NULL in the first. The credential must outlive the object. */
int usi_handshake_connect(struct usi_handshake **out, const struct usi_credential *credential,
                          const char *name, size_t name_size, const uint8_t *previous);

/* The listener's side: of a first handshake, with any key of ring; in a rekey, with `credential`
 * and the name of the first handshake, and previous is its h. ring, credential and name must
 * outlive the object. */
int usi_handshake_listen(struct usi_handshake **out, const struct usi_crypto *crypto,
                         struct usi_keyring *ring);
int usi_handshake_listen_again(struct usi_handshake **out, const struct usi_credential *credential,
                               const char *name, size_t name_size, const uint8_t *previous);

/* Connector: writes message 1 into out[0..room-1] (USI_MESSAGE_1_MAX is enough). */
int usi_handshake_write_1(struct usi_handshake *hs, uint8_t *out, size_t room, size_t *size);

/* Listener: reads message 1; checks the knock before any public-key work, then whether it is a
 * replay. */
int usi_handshake_read_1(struct usi_handshake *hs, const uint8_t *message, size_t size);

/* Listener: writes message 2 (USI_MESSAGE_2_MAX is enough). */
int usi_handshake_write_2(struct usi_handshake *hs, uint8_t *out, size_t room, size_t *size);

/* Connector: reads message 2. */
int usi_handshake_read_2(struct usi_handshake *hs, const uint8_t *message, size_t size);

/* Connector: the content of `proof`. Listener: checks it. Both after message 2. */
int usi_handshake_proof(const struct usi_handshake *hs, uint8_t proof[USI_PROOF]);
int usi_handshake_check_proof(const struct usi_handshake *hs, const uint8_t *proof, size_t size);

/* After message 2: the Noise keys for what this side sends and receives. Wipe them after use. */
int usi_handshake_keys(struct usi_handshake *hs, uint8_t send[USI_KEY], uint8_t receive[USI_KEY]);

/* h, USI_HASH octets; and what was agreed on. */
const uint8_t *usi_handshake_hash(const struct usi_handshake *hs);
const struct usi_credential *usi_handshake_credential(const struct usi_handshake *hs);
/* Listener: the name the connector gave, valid while hs is. */
const char *usi_handshake_name(const struct usi_handshake *hs, size_t *size);

/* Wipes and frees. NULL is fine. */
void usi_handshake_free(struct usi_handshake *hs);

#endif
