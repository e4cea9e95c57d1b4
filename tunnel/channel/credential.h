/* What is made from a shared key: knock, psk and proof. Here: key mode, in which A3 and A8 of Ki
 * make them; AKA mode is another row of the same form. */
#ifndef USI_CHANNEL_CREDENTIAL_H
#define USI_CHANNEL_CREDENTIAL_H

#include "channel/crypto.h"

#include <stdatomic.h>

enum { USI_KNOCK = 16, USI_PROOF = 16 };

struct usi_credential;

struct usi_credential_method {
    /* The MAC behind message 1, of h1. */
    int (*knock)(const struct usi_credential *c, const uint8_t h1[USI_HASH],
                 uint8_t out[USI_KNOCK]);
    /* Kc: the psk of the handshake, of the listener's and the connector's challenge. */
    int (*psk)(const struct usi_credential *c, const uint8_t rand_nw[USI_RAND],
               const uint8_t rand_ms[USI_RAND], uint8_t out[USI_KEY]);
    /* SRES: the content of record 0, of h. */
    int (*proof)(const struct usi_credential *c, const uint8_t h[USI_HASH], uint8_t out[USI_PROOF]);
};

/* A credential never changes once made: any number of threads may use it. */
struct usi_credential {
    atomic_uint references; /* of one that usi_credential_new made */
    const struct usi_credential_method *method;
    const struct usi_crypto *crypto;
    const struct usi_cipher *cipher;
    uint8_t cipher_octet;
    size_t ki_size;
    uint8_t *ki; /* in the secure heap */
};

/* Key mode with a copy of ki[0..size-1]; USI_ERR_ARGUMENT for another size than 16, 24, 32. */
int usi_credential_set_key(struct usi_credential *c, const struct usi_crypto *crypto,
                           const uint8_t *ki, size_t size);

/* Wipes what c holds. */
void usi_credential_clear(struct usi_credential *c);

/* The same in memory of its own, with one reference. */
int usi_credential_new(struct usi_credential **out, const struct usi_crypto *crypto,
                       const uint8_t *ki, size_t size);

/* One reference more, and one less: the last wipes and frees. Any thread may call both; NULL is
 * fine. hold returns c. */
struct usi_credential *usi_credential_hold(struct usi_credential *c);
void usi_credential_free(struct usi_credential *c);

#endif
