/* ML-KEM-768 (FIPS 203), where libcrypto has it: crypto->ml_kem says so. Everything here fails with
 * USI_ERR_INTERNAL where it has not. */
#ifndef USI_CHANNEL_KEM_H
#define USI_CHANNEL_KEM_H

#include "channel/crypto.h"

enum { USI_KEM_KEY = 1184, USI_KEM_CIPHERTEXT = 1088, USI_KEM_SECRET = 32 };

/* A fresh key pair; its public half to `public`. The result is for EVP_PKEY_free. */
int usi_kem_generate(const struct usi_crypto *crypto, EVP_PKEY **key, uint8_t public[USI_KEM_KEY]);

/* Encapsulates to `public`. A key that FIPS 203 refuses is USI_ERR_FORMAT. */
int usi_kem_encapsulate(const struct usi_crypto *crypto, const uint8_t public[USI_KEM_KEY],
                        uint8_t ciphertext[USI_KEM_CIPHERTEXT], uint8_t secret[USI_KEM_SECRET]);

/* Decapsulates. ML-KEM rejects implicitly: a wrong ciphertext gives a secret that nobody knows. */
int usi_kem_decapsulate(const struct usi_crypto *crypto, EVP_PKEY *key,
                        const uint8_t ciphertext[USI_KEM_CIPHERTEXT],
                        uint8_t secret[USI_KEM_SECRET]);

#endif
