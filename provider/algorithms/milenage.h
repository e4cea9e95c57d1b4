/* MILENAGE, 3GPP TS 35.206, with the constants c1..c5 and r1..r5 of its section 4.1. */
#ifndef ALGORITHMS_MILENAGE_H
#define ALGORITHMS_MILENAGE_H

#include "aka_values.h"

#include <openssl/evp.h>
#include <stdbool.h>

enum { MILENAGE_K_SIZE = 16, MILENAGE_OPC_SIZE = 16, MILENAGE_RES_SIZE = 8, MILENAGE_MAC_SIZE = 8 };

/*
 * Keys aes, a context of the caller's, with K (16 octets); aes_128_ecb is that cipher. The
 * functions below take such a context. False, here and below: libcrypto failed.
 */
bool milenage_key(EVP_CIPHER_CTX *aes, const EVP_CIPHER *aes_128_ecb, const unsigned char *k);

/* OPc = OP xor E_K(OP), 16 octets each. */
bool milenage_opc(EVP_CIPHER_CTX *aes, const unsigned char *op, unsigned char *opc);

/* All of f1 to f5*: opc and rand of 16 octets, sqn of 6 and amf of 2. The caller wipes values. */
bool milenage_run(EVP_CIPHER_CTX *aes, const unsigned char *opc, const unsigned char *rand,
                  const unsigned char *sqn, const unsigned char *amf, struct aka_values *values);

#endif
