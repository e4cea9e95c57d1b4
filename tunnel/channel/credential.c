#include "channel/credential.h"

#include <openssl/crypto.h>
#include <string.h>

static int key_knock(const struct usi_credential *c, const uint8_t h1[USI_HASH],
                     uint8_t out[USI_KNOCK])
{
    const struct usi_part parts[] = {{"USI1 knock", 10}, {h1, USI_HASH}, {NULL, 0}};

    return usi_crypto_a3(c->crypto, c->ki, c->ki_size, parts, out);
}

static int key_psk(const struct usi_credential *c, const uint8_t rand_nw[USI_RAND],
                   const uint8_t rand_ms[USI_RAND], uint8_t out[USI_KEY])
{
    uint8_t rand[2 * USI_RAND];

    memcpy(rand, rand_nw, USI_RAND);
    memcpy(rand + USI_RAND, rand_ms, USI_RAND);
    return usi_crypto_a8(c->crypto, c->ki, c->ki_size, rand, sizeof rand, out);
}

static int key_proof(const struct usi_credential *c, const uint8_t h[USI_HASH],
                     uint8_t out[USI_PROOF])
{
    const struct usi_part parts[] = {{"USI1 sres", 9}, {h, USI_HASH}, {NULL, 0}};

    return usi_crypto_a3(c->crypto, c->ki, c->ki_size, parts, out);
}

static const struct usi_credential_method key_method = {
    .knock = key_knock,
    .psk = key_psk,
    .proof = key_proof,
};

int usi_credential_set_key(struct usi_credential *c, const struct usi_crypto *crypto,
                           const uint8_t *ki, size_t size)
{
    uint8_t octet = 0;
    const struct usi_cipher *cipher = usi_cipher_for_key(crypto, size, &octet);

    if (cipher == NULL)
        return USI_ERR_ARGUMENT;
    uint8_t *copy = OPENSSL_secure_malloc(size);
    if (copy == NULL)
        return USI_ERR_INTERNAL;
    memcpy(copy, ki, size);
    *c = (struct usi_credential){.method = &key_method,
                                 .crypto = crypto,
                                 .cipher = cipher,
                                 .cipher_octet = octet,
                                 .ki_size = size,
                                 .ki = copy};
    return 0;
}

void usi_credential_clear(struct usi_credential *c)
{
    OPENSSL_secure_clear_free(c->ki, c->ki_size);
    c->ki = NULL;
}

int usi_credential_new(struct usi_credential **out, const struct usi_crypto *crypto,
                       const uint8_t *ki, size_t size)
{
    struct usi_credential *c = OPENSSL_zalloc(sizeof *c);
    int result = USI_ERR_INTERNAL;

    *out = NULL;
    if (c == NULL || (result = usi_credential_set_key(c, crypto, ki, size)) != 0) {
        OPENSSL_free(c);
        return result;
    }
    atomic_init(&c->references, 1);
    *out = c;
    return 0;
}

struct usi_credential *usi_credential_hold(struct usi_credential *c)
{
    if (c != NULL)
        atomic_fetch_add(&c->references, 1);
    return c;
}

void usi_credential_free(struct usi_credential *c)
{
    if (c == NULL || atomic_fetch_sub(&c->references, 1) > 1)
        return;
    usi_credential_clear(c);
    OPENSSL_free(c);
}
