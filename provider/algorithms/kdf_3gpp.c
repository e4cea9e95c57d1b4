#include "kdf_3gpp.h"

#include <openssl/crypto.h>
#include <string.h>

bool kdf_3gpp_start(EVP_MAC_CTX *hmac, const unsigned char *key, size_t key_size, unsigned char fc)
{
    return EVP_MAC_init(hmac, key, key_size, NULL) && EVP_MAC_update(hmac, &fc, 1);
}

bool kdf_3gpp_add(EVP_MAC_CTX *hmac, const unsigned char *p, size_t p_size)
{
    const unsigned char length[2] = {(unsigned char)(p_size >> 8), (unsigned char)p_size};

    return (p_size == 0 || EVP_MAC_update(hmac, p, p_size)) &&
           EVP_MAC_update(hmac, length, sizeof(length));
}

bool kdf_3gpp_finish(EVP_MAC_CTX *hmac, unsigned char *out)
{
    size_t size;

    return EVP_MAC_final(hmac, out, &size, KDF_3GPP_SIZE) && size == KDF_3GPP_SIZE;
}

bool kdf_3gpp_kc128(EVP_MAC_CTX *hmac, const unsigned char *ck, const unsigned char *ik,
                    unsigned char *kc128)
{
    unsigned char key[32], out[KDF_3GPP_SIZE];
    bool ok;

    memcpy(key, ck, 16);
    memcpy(key + 16, ik, 16);
    ok = kdf_3gpp_start(hmac, key, sizeof(key), 0x32) && kdf_3gpp_finish(hmac, out);
    if (ok)
        memcpy(kc128, out, KDF_3GPP_KC128_SIZE);
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(out, sizeof(out));
    return ok;
}
