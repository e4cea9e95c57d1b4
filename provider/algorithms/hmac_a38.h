/* Algorithm USI of A3 and A8: HMAC-SHA-256, so that stock OpenSSL can check every value. */
#ifndef ALGORITHMS_HMAC_A38_H
#define ALGORITHMS_HMAC_A38_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    HMAC_A38_SRES_SIZE = 32,     /* octets that A3 gives before it is cut */
    HMAC_A38_KC_MAX = 0x1fffffff /* the L field of SP 800-108 counts bits in 32 bits */
};

/*
 * A8: the SP 800-108 KDF in counter mode with HMAC-SHA-256, label "USI A8", context RAND, 32-bit
 * counter and length, into kc. hmac is a context for HMAC-SHA-256, left with the key ki in it.
 * kc_size is 1 to HMAC_A38_KC_MAX octets. False: libcrypto failed; kc is wiped.
 */
bool hmac_a38_a8(EVP_MAC_CTX *hmac, const unsigned char *ki, size_t ki_size,
                 const unsigned char *rand, size_t rand_size, unsigned char *kc, size_t kc_size);

/*
 * Starts A3 = HMAC-SHA-256(Ki, "USI A3" || 00 || message): the message then goes to
 * EVP_MAC_update() and the HMAC_A38_SRES_SIZE octets come from EVP_MAC_final(). False: libcrypto
 * failed.
 */
bool hmac_a38_a3_start(EVP_MAC_CTX *hmac, const unsigned char *ki, size_t ki_size);

#endif
