#include "channel/kem.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>

static const char kem_name[] = "ML-KEM-768";

int usi_kem_generate(const struct usi_crypto *crypto, EVP_PKEY **key, uint8_t public[USI_KEM_KEY])
{
    size_t size = 0;
    EVP_PKEY *made = EVP_PKEY_Q_keygen(crypto->libctx, crypto->propq, kem_name);

    if (made == NULL ||
        EVP_PKEY_get_octet_string_param(made, OSSL_PKEY_PARAM_PUB_KEY, public, USI_KEM_KEY,
                                        &size) != 1 ||
        size != USI_KEM_KEY) {
        EVP_PKEY_free(made);
        return USI_ERR_INTERNAL;
    }
    *key = made;
    return 0;
}

int usi_kem_encapsulate(const struct usi_crypto *crypto, const uint8_t public[USI_KEM_KEY],
                        uint8_t ciphertext[USI_KEM_CIPHERTEXT], uint8_t secret[USI_KEM_SECRET])
{
    size_t ciphertext_size = USI_KEM_CIPHERTEXT, secret_size = USI_KEM_SECRET;
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(crypto->libctx, kem_name, crypto->propq, public,
                                                    USI_KEM_KEY);
    EVP_PKEY_CTX *ctx = NULL;
    int result = USI_ERR_FORMAT;

    if (peer == NULL)
        return result;
    result = USI_ERR_INTERNAL;
    ctx = EVP_PKEY_CTX_new_from_pkey(crypto->libctx, peer, crypto->propq);
    if (ctx != NULL && EVP_PKEY_encapsulate_init(ctx, NULL) == 1 &&
        EVP_PKEY_encapsulate(ctx, ciphertext, &ciphertext_size, secret, &secret_size) == 1 &&
        ciphertext_size == USI_KEM_CIPHERTEXT && secret_size == USI_KEM_SECRET)
        result = 0;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    return result;
}

int usi_kem_decapsulate(const struct usi_crypto *crypto, EVP_PKEY *key,
                        const uint8_t ciphertext[USI_KEM_CIPHERTEXT],
                        uint8_t secret[USI_KEM_SECRET])
{
    size_t size = USI_KEM_SECRET;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(crypto->libctx, key, crypto->propq);
    int result = USI_ERR_INTERNAL;

    if (ctx != NULL && EVP_PKEY_decapsulate_init(ctx, NULL) == 1 &&
        EVP_PKEY_decapsulate(ctx, secret, &size, ciphertext, USI_KEM_CIPHERTEXT) == 1 &&
        size == USI_KEM_SECRET)
        result = 0;
    EVP_PKEY_CTX_free(ctx);
    return result;
}
