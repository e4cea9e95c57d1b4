/*
 * The test algorithms: XOR of 3GPP TS 34.108 section 8.1.2 (3G) and of TS 51.010-1 annex 4 (2G),
 * for test cards and network simulators. They keep nothing secret: RAND and RES give the key away.
 */
#ifndef ALGORITHMS_XOR_H
#define ALGORITHMS_XOR_H

#include "aka_values.h"

enum { XOR_K_SIZE = 16, XOR_RES_SIZE = 16, XOR_MAC_SIZE = 8 };

/* All of f1 to f5*: k and rand of 16 octets, sqn of 6, amf of 2. */
void xor_3g(const unsigned char *k, const unsigned char *rand, const unsigned char *sqn,
            const unsigned char *amf, struct aka_values *values);

/* ki and rand of 16 octets give sres (4) and kc (8). */
void xor_2g(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
            unsigned char *kc);

#endif
