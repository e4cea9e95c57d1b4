#include "comp128.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <string.h>

enum { LANES = 16 };
typedef unsigned char lanes __attribute__((vector_size(LANES)));

static lanes look_up_256(const unsigned char *table, unsigned entries, lanes index)
{
    lanes sum = {0}, number = {0};

    for (unsigned e = 0; e < entries; e++, number += 1)
        sum |= (lanes)(index == number) & table[e];
    return sum;
}

/* out[i] = table[values[i]] for 16 lanes at once; every entry is read, whatever the values. */
static void look_up(const unsigned char *table, unsigned entries, const unsigned *values,
                    unsigned char out[LANES])
{
    lanes low = {0}, high = {0}, sum;

    for (int lane = 0; lane < LANES; lane++) {
        low[lane] = (unsigned char)values[lane];
        high[lane] = (unsigned char)(0U - (values[lane] >> 8));
    }
    sum = look_up_256(table, entries < 256 ? entries : 256, low);
    if (entries > 256)
        sum = (sum & ~high) | (look_up_256(table + 256, entries - 256, low) & high);
    memcpy(out, &sum, LANES);
}

/* ---- version 1 ---- */

/* Level n: in each of 2^n groups, a pair from its two halves becomes two table entries. */
static void level_1(unsigned char x[32], unsigned n, const unsigned char *table)
{
    const unsigned entries = 512u >> n, half = 16u >> n;
    unsigned char left[LANES], right[LANES];
    unsigned y[LANES], z[LANES];

    for (unsigned lane = 0; lane < LANES; lane++) {
        unsigned m = lane / half * 2 * half + lane % half, p = m + half;
        y[lane] = (x[m] + 2u * x[p]) % entries;
        z[lane] = (2u * x[m] + x[p]) % entries;
    }
    look_up(table, entries, y, left);
    look_up(table, entries, z, right);
    for (unsigned lane = 0; lane < LANES; lane++) {
        unsigned m = lane / half * 2 * half + lane % half;
        x[m] = left[lane];
        x[m + half] = right[lane];
    }
    OPENSSL_cleanse(y, sizeof(y));
    OPENSSL_cleanse(z, sizeof(z));
    OPENSSL_cleanse(left, sizeof(left));
    OPENSSL_cleanse(right, sizeof(right));
}

/* The 128 bits of 32 values of 4 bits, in the order 0, 17, 34 .. mod 128. */
static void permute_1(const unsigned char x[32], unsigned char rand[16])
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned octet = 0;
        for (unsigned j = 0; j < 8; j++) {
            unsigned bit = (8 * i + j) * 17 % 128;
            octet = octet << 1 | ((unsigned)x[bit / 4] >> (3 - bit % 4) & 1u);
        }
        rand[i] = (unsigned char)octet;
    }
}

void comp128_1_portable(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
                        unsigned char *kc)
{
    const struct comp128_tables *t = &comp128_tables;
    unsigned char x[32];

    memcpy(x + 16, rand, 16);
    for (int round = 1; round <= 8; round++) {
        memcpy(x, ki, 16);
        level_1(x, 0, t->t0);
        level_1(x, 1, t->t1);
        level_1(x, 2, t->t2);
        level_1(x, 3, t->t3);
        level_1(x, 4, t->t4);
        if (round < 8) {
            unsigned char next[16];
            permute_1(x, next);
            memcpy(x + 16, next, 16);
            OPENSSL_cleanse(next, sizeof(next));
        }
    }
    for (size_t i = 0; i < 4; i++)
        sres[i] = (unsigned char)(x[2 * i] << 4 | x[2 * i + 1]);
    /* the last 54 of the 128 bits, then ten zeros */
    for (size_t i = 0; i < 6; i++)
        kc[i] = (unsigned char)(x[18 + 2 * i] << 6 | x[19 + 2 * i] << 2 | x[20 + 2 * i] >> 2);
    kc[6] = (unsigned char)(x[30] << 6 | x[31] << 2);
    kc[7] = 0;
    OPENSSL_cleanse(x, sizeof(x));
}

/* ---- versions 2 and 3 ---- */

/* out = A[B[inner] xor outer] for 16 lanes. */
static void mix(const unsigned char *inner, const unsigned char *outer, unsigned char out[LANES])
{
    unsigned values[LANES];

    for (int lane = 0; lane < LANES; lane++)
        values[lane] = inner[lane];
    look_up(comp128_tables.b, 256, values, out);
    for (int lane = 0; lane < LANES; lane++)
        values[lane] = (unsigned)(out[lane] ^ outer[lane]);
    look_up(comp128_tables.a, 256, values, out);
    OPENSSL_cleanse(values, sizeof(values));
}

/* m = R || K' in five levels. No level reads what it wrote: its reads of an octet come first. */
static void levels_3(unsigned char m[32])
{
    unsigned char t[LANES], u[LANES];

    for (unsigned i = 0; i <= 4; i++) {
        mix(m + 16, m, t);
        mix(t, m + 16, u);
        for (unsigned lane = 0; lane < LANES; lane++) {
            unsigned j = lane & ((1u << i) - 1), k = lane >> i;
            m[(2 * k << i) + j] = t[lane];
            m[((2 * k + 1) << i) + j] = u[lane];
        }
    }
    OPENSSL_cleanse(t, sizeof(t));
    OPENSSL_cleanse(u, sizeof(u));
}

static void permute_3(const unsigned char m[32], unsigned char r[16])
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned octet = 0;
        for (unsigned j = 0; j < 8; j++) {
            unsigned from = (19 * (j + 8 * i) + 19) % 256 / 8;
            octet |= ((unsigned)m[from] >> ((3 * j + 3) % 8) & 1u) << j;
        }
        r[i] = (unsigned char)octet;
    }
}

void comp128_3_portable(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
                        unsigned char *kc)
{
    unsigned char m[32], r[16], key[16];

    for (int i = 0; i < 16; i++) {
        r[i] = rand[15 - i];
        key[i] = ki[15 - i] ^ rand[15 - i];
    }
    for (int round = 0; round < 8; round++) {
        memcpy(m, r, 16);
        memcpy(m + 16, key, 16);
        levels_3(m);
        permute_3(m, r);
    }
    for (int i = 0; i < 4; i++)
        sres[i] = r[15 - i];
    for (int i = 0; i < 8; i++)
        kc[i] = r[7 - i];
    OPENSSL_cleanse(m, sizeof(m));
    OPENSSL_cleanse(r, sizeof(r));
    OPENSSL_cleanse(key, sizeof(key));
}

/* ---- the choice ---- */

void comp128_1(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
               unsigned char *kc)
{
    if (comp128_has_ssse3())
        comp128_1_ssse3(ki, rand, sres, kc);
    else
        comp128_1_portable(ki, rand, sres, kc);
}

void comp128_3(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
               unsigned char *kc)
{
    if (comp128_has_vbmi())
        comp128_3_vbmi(ki, rand, sres, kc);
    else if (comp128_has_avx2())
        comp128_3_avx2(ki, rand, sres, kc);
    else if (comp128_has_ssse3())
        comp128_3_ssse3(ki, rand, sres, kc);
    else
        comp128_3_portable(ki, rand, sres, kc);
}

void comp128_2(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
               unsigned char *kc)
{
    comp128_3(ki, rand, sres, kc);
    kc[6] &= 0xfc;
    kc[7] = 0;
}
