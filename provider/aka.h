/* The quantities of AKA that the KDF of that name gives: which there are, what each needs, its
 * size. */
#ifndef PROVIDER_AKA_H
#define PROVIDER_AKA_H

#include "params.h"

#include <openssl/evp.h>

/* The parameters of EVP_KDF-AKA; sizes and words are 0 until set. */
struct aka_settings {
    unsigned algorithm, output;
    struct octets key, rand, sqn, amf, autn, auts;
    struct octets op, opc, top, topc;
    size_t res_size, ck_size, ik_size, mac_size, iterations;
};

/* The names for rules of kind PARAM_WORD; they end with NULL. */
extern const char *const aka_algorithms[], *const aka_outputs[];

/* Octets of the output chosen; 0 while algorithm or output is not, or when the algorithm lacks it.
 */
size_t aka_output_size(const struct aka_settings *settings);
const char *aka_algorithm_name(const struct aka_settings *settings); /* "" until it is chosen */

/*
 * Computes the output chosen into out, which must be just as large as it. Everything needed is
 * checked first. aes is a context that the caller keeps from one call to the next. False: out is
 * untouched, the cause is on the error stack.
 */
bool aka_derive(const struct provider *provider, EVP_CIPHER_CTX *aes,
                const struct aka_settings *settings, unsigned char *out, size_t out_size);

#endif
