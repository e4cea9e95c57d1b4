/* COMP128 with 16 look-ups at a time: PSHUFB looks up in 16 octets, and gives 0 where told to. */
#include "comp128.h"

#if defined(__x86_64__) || defined(__i386__)

#include <immintrin.h>
#include <stddef.h>

#define VBMI_FEATURES "avx512f,avx512bw,avx512vl,avx512vbmi"
#define SSSE3         __attribute__((target("ssse3")))
#define AVX2          __attribute__((target("avx2")))
#define VBMI          __attribute__((target(VBMI_FEATURES)))
#define INLINE        static inline __attribute__((always_inline, target("ssse3")))
#define INLINE_AVX2   static inline __attribute__((always_inline, target("avx2")))
#define INLINE_VBMI   static inline __attribute__((always_inline, target(VBMI_FEATURES)))

bool comp128_has_ssse3(void)
{
    return __builtin_cpu_supports("ssse3");
}

bool comp128_has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

bool comp128_has_vbmi(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi");
}

INLINE __m128i load(const unsigned char *octets)
{
    return _mm_loadu_si128((const void *)octets);
}

INLINE __m128i all(int octet)
{
    return _mm_set1_epi8((char)octet);
}

/*
 * The entries of one row of 16 for the lanes whose index is in it, 0 for the others: an index in
 * row r becomes 70 .. 7f, any other has its high bit set, which PSHUFB answers with 0.
 */
INLINE __m128i row(const unsigned char *table, size_t r, __m128i index)
{
    return _mm_shuffle_epi8(load(table + 16 * r),
                            _mm_adds_epu8(_mm_xor_si128(index, all((int)(16 * r))), all(0x70)));
}

/* *a = table[*a] and *b = table[*b] for a table of up to 16 rows. */
INLINE void look_up(const unsigned char *table, size_t rows, __m128i *a, __m128i *b)
{
    __m128i left = row(table, 0, *a), right = row(table, 0, *b);

    for (size_t r = 1; r < rows; r++) {
        left = _mm_or_si128(left, row(table, r, *a));
        right = _mm_or_si128(right, row(table, r, *b));
    }
    *a = left;
    *b = right;
}

/* ---- version 1 ---- */

/* a + 2b, of which the low 8 bits are returned and bit 8 is spread over the lane in *bit8. */
INLINE __m128i sum_9(__m128i a, __m128i b, __m128i *bit8)
{
    __m128i twice = _mm_add_epi8(b, b), sum = _mm_add_epi8(a, twice);
    __m128i zero = _mm_setzero_si128();
    /* a carry out of the addition: a > 255 - 2b, that is, the saturated sum is not the sum */
    __m128i no_carry = _mm_cmpeq_epi8(_mm_adds_epu8(a, twice), sum);

    *bit8 = _mm_xor_si128(_mm_cmpeq_epi8(no_carry, zero), _mm_cmpgt_epi8(zero, b));
    return sum;
}

INLINE __m128i choose(__m128i mask, __m128i set, __m128i clear)
{
    return _mm_or_si128(_mm_and_si128(mask, set), _mm_andnot_si128(mask, clear));
}

INLINE void level_0(__m128i *a, __m128i *b)
{
    __m128i y8, z8, y = sum_9(*a, *b, &y8), z = sum_9(*b, *a, &z8);
    __m128i y_high = y, z_high = z;

    look_up(comp128_tables.t0, 16, &y, &z);
    look_up(comp128_tables.t0 + 256, 16, &y_high, &z_high);
    *a = choose(y8, y_high, y);
    *b = choose(z8, z_high, z);
}

INLINE void level(const unsigned char *table, size_t rows, __m128i *a, __m128i *b)
{
    __m128i sum = _mm_add_epi8(*a, *b), in_table = all((int)(16 * rows - 1));
    __m128i y = _mm_add_epi8(sum, *b), z = _mm_add_epi8(sum, *a);

    *a = _mm_and_si128(y, in_table);
    *b = _mm_and_si128(z, in_table);
    look_up(table, rows, a, b);
}

/*
 * One round. a and b hold the partners of every pair lane by lane, so between levels they are
 * regrouped: halves of 8, 4, 2 and 1. At the end a is the values 0, 2 .. 30 and b is 1, 3 .. 31.
 */
INLINE void round_1(__m128i *a, __m128i *b)
{
    const struct comp128_tables *t = &comp128_tables;
    const __m128i low_16 = _mm_set1_epi32(0xffff), low_8 = _mm_set1_epi16(0xff);
    __m128i x, y;

    level_0(a, b);
    x = _mm_unpacklo_epi64(*a, *b);
    y = _mm_unpackhi_epi64(*a, *b);
    level(t->t1, 16, &x, &y);
    *a = _mm_unpacklo_epi64(_mm_shuffle_epi32(x, 0x08), _mm_shuffle_epi32(y, 0x08));
    *b = _mm_unpacklo_epi64(_mm_shuffle_epi32(x, 0x0d), _mm_shuffle_epi32(y, 0x0d));
    level(t->t2, 8, a, b);
    x = _mm_or_si128(_mm_and_si128(*a, low_16), _mm_slli_epi32(*b, 16));
    y = _mm_or_si128(_mm_srli_epi32(*a, 16), _mm_andnot_si128(low_16, *b));
    level(t->t3, 4, &x, &y);
    *a = _mm_or_si128(_mm_and_si128(x, low_8), _mm_slli_epi16(y, 8));
    *b = _mm_or_si128(_mm_srli_epi16(x, 8), _mm_andnot_si128(low_8, y));
    level(t->t4, 2, a, b);
    *a = _mm_shuffle_epi32(*a, 0xd8);
    *b = _mm_shuffle_epi32(*b, 0xd8);
}

/*
 * The next RAND half: its bit i is bit 17i mod 128. So bit c of the high nibble of octet k is bit c
 * of value 2k + 4c, and that of the low nibble is bit c of value 2k + 17 + 4c.
 */
INLINE __m128i permute_1(__m128i even, __m128i odd)
{
    __m128i high = _mm_and_si128(even, all(8)), low;

    high = _mm_or_si128(high, _mm_and_si128(_mm_alignr_epi8(even, even, 2), all(4)));
    high = _mm_or_si128(high, _mm_and_si128(_mm_alignr_epi8(even, even, 4), all(2)));
    high = _mm_or_si128(high, _mm_and_si128(_mm_alignr_epi8(even, even, 6), all(1)));
    low = _mm_and_si128(_mm_alignr_epi8(odd, odd, 8), all(8));
    low = _mm_or_si128(low, _mm_and_si128(_mm_alignr_epi8(odd, odd, 10), all(4)));
    low = _mm_or_si128(low, _mm_and_si128(_mm_alignr_epi8(odd, odd, 12), all(2)));
    low = _mm_or_si128(low, _mm_and_si128(_mm_alignr_epi8(odd, odd, 14), all(1)));
    return _mm_or_si128(_mm_slli_epi16(high, 4), low);
}

SSSE3 void comp128_1_ssse3(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
                           unsigned char *kc)
{
    __m128i a = load(ki), b = load(rand);
    unsigned char out[16];

    for (int round = 1; round < 8; round++) {
        round_1(&a, &b);
        b = permute_1(a, b);
        a = load(ki);
    }
    round_1(&a, &b);
    _mm_storeu_si128((void *)out, _mm_or_si128(_mm_slli_epi16(a, 4), b));
    for (int i = 0; i < 4; i++)
        sres[i] = out[i];
    /* the last 54 of the 128 bits, then ten zeros */
    for (int i = 0; i < 6; i++)
        kc[i] = (unsigned char)(out[9 + i] << 2 | out[10 + i] >> 6);
    kc[6] = (unsigned char)(out[15] << 2);
    kc[7] = 0;
}

/* ---- versions 2 and 3 ---- */

/* A[B[inner] xor outer]; tables are A and B as the function wants them. */
typedef __m128i mix_function(const void *tables, __m128i inner, __m128i outer);

INLINE __m128i look_up_256(const unsigned char *table, __m128i index)
{
    __m128i even = row(table, 0, index), odd = row(table, 1, index);

    for (size_t r = 2; r < 16; r += 2) {
        even = _mm_or_si128(even, row(table, r, index));
        odd = _mm_or_si128(odd, row(table, r + 1, index));
    }
    return _mm_or_si128(even, odd);
}

SSSE3 static __m128i mix_ssse3(const void *tables, __m128i inner, __m128i outer)
{
    const struct comp128_tables *t = tables;

    return look_up_256(t->a, _mm_xor_si128(look_up_256(t->b, inner), outer));
}

/*
 * For AVX2 a table is the differences of its rows, rows 0 to 7 in the low halves and 8 to 15 in the
 * high ones: the sum of all rows up to r is row r. An index less 16 r, that saturates, is negative
 * in the rows after its own, and PSHUFB gives 0 there; so it is in the wrong half, where its high
 * bit was set first.
 */
struct differences {
    __m256i a[8], b[8];
};

INLINE_AVX2 void differentiate(const unsigned char *table, __m256i rows[8])
{
    __m256i before = _mm256_setzero_si256();

    for (size_t r = 0; r < 8; r++) {
        __m256i row = _mm256_inserti128_si256(_mm256_castsi128_si256(load(table + 16 * r)),
                                              load(table + 128 + 16 * r), 1);
        rows[r] = _mm256_xor_si256(row, before);
        before = row;
    }
}

INLINE_AVX2 __m128i look_up_256_avx2(const __m256i rows[8], __m128i index)
{
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(index),
                                                 _mm_xor_si128(index, _mm_set1_epi8(-128)), 1);
    __m256i sum = _mm256_shuffle_epi8(rows[0], both);

    for (int r = 1; r < 8; r++) {
        __m256i here = _mm256_subs_epi8(both, _mm256_set1_epi8((char)(16 * r)));
        sum = _mm256_xor_si256(sum, _mm256_shuffle_epi8(rows[r], here));
    }
    return _mm_xor_si128(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
}

INLINE_AVX2 __m128i mix_avx2(const void *tables, __m128i inner, __m128i outer)
{
    const struct differences *t = tables;

    return look_up_256_avx2(t->a, _mm_xor_si128(look_up_256_avx2(t->b, inner), outer));
}

/* Four look-ups of 64, of which bits 6 and 7 choose one: the tables stay in registers. */
INLINE_VBMI __m128i look_up_256_vbmi(const unsigned char *table, __m128i index)
{
    const __m512i wide = _mm512_castsi128_si512(index);
    const __mmask16 bit6 = _mm_test_epi8_mask(index, _mm_set1_epi8(64));
    const __mmask16 bit7 = _mm_movepi8_mask(index);
    __m128i part[4];

    for (size_t i = 0; i < 4; i++)
        part[i] = _mm512_castsi512_si128(
            _mm512_permutexvar_epi8(wide, _mm512_loadu_si512((const void *)(table + 64 * i))));
    return _mm_mask_blend_epi8(bit7, _mm_mask_blend_epi8(bit6, part[0], part[1]),
                               _mm_mask_blend_epi8(bit6, part[2], part[3]));
}

INLINE_VBMI __m128i mix_vbmi(const void *tables, __m128i inner, __m128i outer)
{
    const struct comp128_tables *t = tables;

    return look_up_256_vbmi(t->a, _mm_xor_si128(look_up_256_vbmi(t->b, inner), outer));
}

/* Bit j of the octets of the next R; from bit (3j + 3) mod 8 of octet (19 (j + 8i) + 19) mod 256
 * / 8. */
INLINE __m128i permuted_bit(__m128i low, __m128i high, int j)
{
    const __m128i bit = all(1 << (3 * j + 3) % 8);
    __m128i from = _mm_set_epi8(0x1d, 0x0a, 0x17, 0x04, 0x11, 0x1e, 0x0b, 0x18, 0x05, 0x12, 0x1f,
                                0x0c, 0x19, 0x06, 0x13, 0x00); /* 19 i mod 32 */
    __m128i octets;

    from = _mm_and_si128(_mm_add_epi8(from, all(19 * (j + 1) / 8)), all(31));
    octets = _mm_or_si128(_mm_shuffle_epi8(low, _mm_adds_epu8(from, all(0x70))),
                          _mm_shuffle_epi8(high, _mm_sub_epi8(from, all(16))));
    return _mm_and_si128(_mm_cmpeq_epi8(_mm_and_si128(octets, bit), bit), all(1 << j));
}

INLINE __m128i round_3(__m128i r, __m128i key, mix_function *mix, const void *tables)
{
    __m128i t, u, low, high;

    t = mix(tables, key, r);
    u = mix(tables, t, key);
    low = _mm_unpacklo_epi8(t, u);
    high = _mm_unpackhi_epi8(t, u);
    t = mix(tables, high, low);
    u = mix(tables, t, high);
    low = _mm_unpacklo_epi16(t, u);
    high = _mm_unpackhi_epi16(t, u);
    t = mix(tables, high, low);
    u = mix(tables, t, high);
    low = _mm_unpacklo_epi32(t, u);
    high = _mm_unpackhi_epi32(t, u);
    t = mix(tables, high, low);
    u = mix(tables, t, high);
    low = _mm_unpacklo_epi64(t, u);
    high = _mm_unpackhi_epi64(t, u);
    t = mix(tables, high, low);
    u = mix(tables, t, high);
    r = permuted_bit(t, u, 0);
    for (int j = 1; j < 8; j++)
        r = _mm_or_si128(r, permuted_bit(t, u, j));
    return r;
}

INLINE void version_3(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
                      unsigned char *kc, mix_function *mix, const void *tables)
{
    const __m128i reversed = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m128i r = _mm_shuffle_epi8(load(rand), reversed);
    __m128i key = _mm_xor_si128(_mm_shuffle_epi8(load(ki), reversed), r);
    unsigned char out[16];

    for (int round = 0; round < 8; round++)
        r = round_3(r, key, mix, tables);
    _mm_storeu_si128((void *)out, _mm_shuffle_epi8(r, reversed));
    for (int i = 0; i < 4; i++)
        sres[i] = out[i];
    for (int i = 0; i < 8; i++)
        kc[i] = out[8 + i];
}

SSSE3 void comp128_3_ssse3(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
                           unsigned char *kc)
{
    version_3(ki, rand, sres, kc, mix_ssse3, &comp128_tables);
}

AVX2 void comp128_3_avx2(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
                         unsigned char *kc)
{
    struct differences tables;

    differentiate(comp128_tables.a, tables.a);
    differentiate(comp128_tables.b, tables.b);
    version_3(ki, rand, sres, kc, mix_avx2, &tables);
}

VBMI void comp128_3_vbmi(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
                         unsigned char *kc)
{
    version_3(ki, rand, sres, kc, mix_vbmi, &comp128_tables);
}

#else

bool comp128_has_ssse3(void)
{
    return false;
}

bool comp128_has_avx2(void)
{
    return false;
}

bool comp128_has_vbmi(void)
{
    return false;
}

void comp128_1_ssse3(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
                     unsigned char *kc)
{
    comp128_1_portable(ki, rand, sres, kc);
}

void comp128_3_ssse3(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
                     unsigned char *kc)
{
    comp128_3_portable(ki, rand, sres, kc);
}

void comp128_3_avx2(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
                    unsigned char *kc)
{
    comp128_3_portable(ki, rand, sres, kc);
}

void comp128_3_vbmi(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
                    unsigned char *kc)
{
    comp128_3_portable(ki, rand, sres, kc);
}

#endif
