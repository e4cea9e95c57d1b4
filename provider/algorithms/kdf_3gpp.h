/* The key derivation function of 3GPP TS 33.220 annex B.2: HMAC-SHA-256 of FC || P0 || L0 || P1 ||
 * L1 .. */
#ifndef ALGORITHMS_KDF_3GPP_H
#define ALGORITHMS_KDF_3GPP_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

enum { KDF_3GPP_SIZE = 32, KDF_3GPP_P_MAX = 65535, KDF_3GPP_KC128_SIZE = 16 };

/* Starts with FC, takes P0, P1 .. one after the other, and ends with 32 octets. False: libcrypto
 * failed. */
bool kdf_3gpp_start(EVP_MAC_CTX *hmac, const unsigned char *key, size_t key_size, unsigned char fc);
bool kdf_3gpp_add(EVP_MAC_CTX *hmac, const unsigned char *p, size_t p_size); /* to KDF_3GPP_P_MAX */
bool kdf_3gpp_finish(EVP_MAC_CTX *hmac, unsigned char *out);

/* Kc128 of CK and IK, 16 octets each: TS 33.102 annex B.5. */
bool kdf_3gpp_kc128(EVP_MAC_CTX *hmac, const unsigned char *ck, const unsigned char *ik,
                    unsigned char *kc128);

#endif
