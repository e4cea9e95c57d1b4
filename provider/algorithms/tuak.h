/* TUAK, 3GPP TS 35.231: Keccak-f[1600] on 96 octets under SHAKE256's own padding and rate. */
#ifndef ALGORITHMS_TUAK_H
#define ALGORITHMS_TUAK_H

#include "aka_values.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

enum { TUAK_TOPC_SIZE = 32, TUAK_ITERATIONS_MAX = 255 };

/* The sizes in octets enter the computation. */
struct tuak_sizes {
    size_t key;        /* 16 or 32 */
    size_t mac;        /* 8, 16 or 32 */
    size_t res;        /* 4, 8, 16 or 32 */
    size_t ck, ik;     /* 16 or 32 */
    size_t iterations; /* of Keccak-f, 1 to TUAK_ITERATIONS_MAX */
};

/* TOPc of TOP, 32 octets each. False, here and below: libcrypto failed. */
bool tuak_topc(const EVP_MD *shake256, const struct tuak_sizes *sizes, const unsigned char *k,
               const unsigned char *top, unsigned char *topc);

/* What goes in: k of the size told, topc 32 octets, rand 16, sqn 6 and amf 2 (those two for f1 and
 * f1*). */
struct tuak_input {
    const unsigned char *k, *topc, *rand, *sqn, *amf;
};

/* The functions in `wanted` (AKA_F1 ..). The caller wipes values. */
bool tuak_run(const EVP_MD *shake256, const struct tuak_sizes *sizes,
              const struct tuak_input *input, unsigned wanted, struct aka_values *values);

#endif
