#include "hmac_a38.h"

#include <openssl/crypto.h>
#include <stdint.h>
#include <string.h>

static void put_u32(unsigned char out[4], uint32_t number)
{
    for (int i = 3; i >= 0; i--, number >>= 8)
        out[i] = (unsigned char)number;
}

/* SP 800-108 section 4.1: K(i) = HMAC(Ki, [i] || label || 00 || context || [L]). */
static bool block(EVP_MAC_CTX *hmac, const unsigned char *ki, size_t ki_size,
                  const unsigned char *rand, size_t rand_size, uint32_t i, uint32_t bits,
                  unsigned char out[32])
{
    static const unsigned char label[] = "USI A8"; /* its NUL is the separator */
    unsigned char counter[4], length[4];
    size_t size;

    put_u32(counter, i);
    put_u32(length, bits);
    return EVP_MAC_init(hmac, ki, ki_size, NULL) &&
           EVP_MAC_update(hmac, counter, sizeof(counter)) &&
           EVP_MAC_update(hmac, label, sizeof(label)) && EVP_MAC_update(hmac, rand, rand_size) &&
           EVP_MAC_update(hmac, length, sizeof(length)) && EVP_MAC_final(hmac, out, &size, 32) &&
           size == 32;
}

bool hmac_a38_a8(EVP_MAC_CTX *hmac, const unsigned char *ki, size_t ki_size,
                 const unsigned char *rand, size_t rand_size, unsigned char *kc, size_t kc_size)
{
    unsigned char out[32];
    uint32_t i = 1;
    bool ok = true;

    for (size_t done = 0; ok && done < kc_size; i++) {
        size_t part = kc_size - done < sizeof(out) ? kc_size - done : sizeof(out);
        ok = block(hmac, ki, ki_size, rand, rand_size, i, (uint32_t)kc_size * 8, out);
        if (ok)
            memcpy(kc + done, out, part);
        done += part;
    }
    OPENSSL_cleanse(out, sizeof(out));
    if (!ok)
        OPENSSL_cleanse(kc, kc_size);
    return ok;
}

bool hmac_a38_a3_start(EVP_MAC_CTX *hmac, const unsigned char *ki, size_t ki_size)
{
    static const unsigned char label[] = "USI A3"; /* with its NUL */

    return EVP_MAC_init(hmac, ki, ki_size, NULL) && EVP_MAC_update(hmac, label, sizeof(label));
}
