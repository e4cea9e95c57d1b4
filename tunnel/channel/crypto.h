/* Algorithms, fetched once; and the ciphers of a channel as a small table. The public contract of
 * usi_crypto_new and usi_crypto_free is in usi/channel.h. */
#ifndef USI_CHANNEL_CRYPTO_H
#define USI_CHANNEL_CRYPTO_H

#include "usi/channel.h"

#include <openssl/evp.h>

enum { USI_HASH = 32, USI_TAG = 16, USI_KEY = 32, USI_NONCE = 12, USI_DH = 32, USI_RAND = 32 };

/* A Noise cipher: an AEAD with a 128-bit tag under the first key_size octets of a Noise key, its
 * nonce four zero octets and the 64-bit big-endian counter. */
struct usi_cipher {
    const char *noise_name; /* as in a Noise protocol name */
    const char *evp_name;
    size_t key_size;
    EVP_CIPHER *evp;
};

enum { USI_CIPHERS = 3 };

struct usi_crypto {
    OSSL_LIB_CTX *libctx;
    char *propq;
    EVP_MAC *a3;
    EVP_KDF *a8;
    EVP_MAC_CTX *hmac_sha256; /* keyless; duplicated by its users */
    EVP_MD *sha256;
    struct usi_cipher cipher[USI_CIPHERS]; /* by cipher octet - 1: AES-128, -192, -256-OCB */
    bool ml_kem;                           /* ML-KEM-768 can be had */
    /* Where challenges and ephemeral keys come from: 0 or -1. Tests put known octets here. */
    int (*random)(const struct usi_crypto *crypto, uint8_t *out, size_t size);
    void *random_state;
};

/* The cipher whose keys have the size of a Ki; its octet on the wire in *octet. NULL for another
 * size. */
const struct usi_cipher *usi_cipher_for_key(const struct usi_crypto *crypto, size_t key_size,
                                            uint8_t *octet);

/* One message of a handshake under key (key_size octets of it): ad is authenticated, in[0..size-1]
 * becomes out[0..size + USI_TAG - 1]. In place is fine. */
int usi_cipher_seal(const struct usi_cipher *cipher, const uint8_t key[USI_KEY], uint64_t counter,
                    const uint8_t *ad, size_t ad_size, const uint8_t *in, size_t size,
                    uint8_t *out);

/* The reverse: in[0..size-1] ends with its tag, out gets size - USI_TAG octets. USI_ERR_TAMPERED
 * leaves nothing in out. */
int usi_cipher_open(const struct usi_cipher *cipher, const uint8_t key[USI_KEY], uint64_t counter,
                    const uint8_t *ad, size_t ad_size, const uint8_t *in, size_t size,
                    uint8_t *out);

/* The 12-octet nonce of a counter. */
void usi_cipher_nonce(uint8_t nonce[USI_NONCE], uint64_t counter);

/* A3(key, message parts in a row), 16 octets: the response. A part list ends with a NULL part. */
struct usi_part {
    const void *bytes;
    size_t size;
};
int usi_crypto_a3(const struct usi_crypto *crypto, const uint8_t *ki, size_t ki_size,
                  const struct usi_part *parts, uint8_t out[16]);

/* A8(key, rand), 32 octets: Kc. */
int usi_crypto_a8(const struct usi_crypto *crypto, const uint8_t *ki, size_t ki_size,
                  const uint8_t *rand, size_t rand_size, uint8_t out[32]);

#endif
