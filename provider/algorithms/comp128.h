/*
 * COMP128 versions 1, 2 and 3, the A3/A8 of many GSM networks. Never published; known since 1998
 * (version 1) and 2013 (2 and 3). Version 1 is broken: about 150,000 chosen challenges reveal Ki.
 *
 * Every look-up reads its whole table, so that neither a branch nor an address depends on Ki.
 */
#ifndef ALGORITHMS_COMP128_H
#define ALGORITHMS_COMP128_H

#include <stdbool.h>

enum { COMP128_SIZE = 16, COMP128_SRES_SIZE = 4, COMP128_KC_SIZE = 8 };

/* ki and rand of 16 octets give sres (4) and kc (8). Any thread. */
typedef void comp128_function(const unsigned char *ki, const unsigned char *rand,
                              unsigned char *sres, unsigned char *kc);

comp128_function comp128_1; /* the last ten bits of kc are zero */
comp128_function comp128_2; /* likewise; otherwise version 3 */
comp128_function comp128_3;

/* What the three above choose from: plain C, and x86 with SSSE3, AVX2 or AVX-512 VBMI. For tests.
 */
comp128_function comp128_1_portable, comp128_3_portable;
comp128_function comp128_1_ssse3, comp128_3_ssse3, comp128_3_avx2, comp128_3_vbmi;
bool comp128_has_ssse3(void), comp128_has_avx2(void), comp128_has_vbmi(void);

/* Version 1 uses t0 to t4, which give 8, 7, 6, 5 and 4 bits; versions 2 and 3 use a and b. */
struct comp128_tables {
    _Alignas(64) unsigned char t0[512];
    unsigned char t1[256], t2[128], t3[64], t4[32];
    unsigned char a[256], b[256];
};
extern const struct comp128_tables comp128_tables;

#endif
