/* The Noise Protocol Framework, revision 34: the handshakes NN, NNpsk0 and NNpsk2 with 25519,
 * SHA256 and any cipher of usi/crypto.h's kind. Unchanged but for two doors that PROTOCOL.md uses:
 * usi_noise_mix_hash, and a further secret mixed in right after `ee`. */
#ifndef USI_CHANNEL_NOISE_H
#define USI_CHANNEL_NOISE_H

#include "channel/crypto.h"

struct usi_noise;

enum usi_noise_pattern { USI_NOISE_NN, USI_NOISE_NNPSK0, USI_NOISE_NNPSK2 };

/* Begins a handshake: Initialize() of section 5.3 with the prologue given. *out is for
 * usi_noise_free. The crypto and the cipher must outlive it. */
int usi_noise_new(struct usi_noise **out, const struct usi_crypto *crypto,
                  const struct usi_cipher *cipher, enum usi_noise_pattern pattern, bool initiator,
                  const uint8_t *prologue, size_t size);

/* The pre-shared key, before the message that has the `psk` token. Copied. */
void usi_noise_set_psk(struct usi_noise *n, const uint8_t psk[USI_KEY]);

/* A secret to mix in (MixKey) right after the `ee` of the next message. Copied. */
void usi_noise_set_extra(struct usi_noise *n, const uint8_t secret[USI_KEY]);

/* MixHash(bytes), section 5.2. */
int usi_noise_mix_hash(struct usi_noise *n, const uint8_t *bytes, size_t size);

/* WriteMessage and ReadMessage, section 5.3: *out_size octets into out[0..room-1]. Writing and
 * reading take turns. A message that does not open is USI_ERR_TAMPERED, one whose size is
 * impossible or whose X25519 result is all zero is USI_ERR_FORMAT; after an error, only
 * usi_noise_free. */
int usi_noise_write(struct usi_noise *n, const uint8_t *payload, size_t size, uint8_t *out,
                    size_t room, size_t *out_size);
int usi_noise_read(struct usi_noise *n, const uint8_t *message, size_t size, uint8_t *out,
                   size_t room, size_t *out_size);

/* The same in two steps, for a payload that depends on the hash between them: first what the
 * pattern's tokens make, then the payload and its tag. */
int usi_noise_write_tokens(struct usi_noise *n, uint8_t *out, size_t room, size_t *size);
int usi_noise_write_payload(struct usi_noise *n, const uint8_t *payload, size_t size, uint8_t *out,
                            size_t room, size_t *out_size);
int usi_noise_read_tokens(struct usi_noise *n, const uint8_t *message, size_t size, size_t *taken);
int usi_noise_read_payload(struct usi_noise *n, const uint8_t *sealed, size_t size, uint8_t *out,
                           size_t room, size_t *out_size);

/* h, the hash of everything so far (GetHandshakeHash once both messages have passed). */
const uint8_t *usi_noise_hash(const struct usi_noise *n);

/* Split(), section 5.2, after the last message: the initiator's sending key, then the
 * responder's. */
int usi_noise_split(struct usi_noise *n, uint8_t initiator[USI_KEY], uint8_t responder[USI_KEY]);

/* HMAC-SHA-256(ck, label), after the last message: a secret for what comes after this handshake. */
int usi_noise_export(struct usi_noise *n, const char *label, uint8_t out[USI_KEY]);

/* Wipes the chaining key: no more split or export. h stays. */
void usi_noise_forget(struct usi_noise *n);

/* The chaining key and the key and counter of the cipher, for the worked example in PROTOCOL.md
 * only. */
const uint8_t *usi_noise_chaining_key(const struct usi_noise *n);
const uint8_t *usi_noise_cipher_key(const struct usi_noise *n);

/* Wipes and frees. NULL is fine. */
void usi_noise_free(struct usi_noise *n);

#endif
