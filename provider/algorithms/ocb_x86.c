#include "ocb_x86.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>
#include <openssl/crypto.h>

#define AESNI __attribute__((target("aes,ssse3")))

/* ---- what there is ---- */

/* Bits of CPUID leaf 1 (ECX) and leaf 7 (EBX, ECX), and of XCR0: Intel's manual, volume 1, 13
 * and 14. */
enum { LEAF1_SSSE3 = 1 << 9, LEAF1_AES = 1 << 25, LEAF1_OSXSAVE = 1 << 27, LEAF1_AVX = 1 << 28 };
enum { LEAF7_AVX2 = 1 << 5, LEAF7_AVX512F = 1 << 16, LEAF7_ECX_VAES = 1 << 9 };
enum { XCR0_YMM = 0x06, XCR0_ZMM = 0xe6 };

static bool has_all(unsigned word, unsigned bits)
{
    return (word & bits) == bits;
}

bool ocb_x86_has_aesni(void)
{
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && has_all(ecx, LEAF1_SSSE3 | LEAF1_AES);
}

/* Leaf 7 has the bits, and the system saves the registers that xcr0 names. */
static bool has_wide(unsigned leaf7_ebx, unsigned leaf7_ecx, unsigned xcr0)
{
    unsigned eax, ebx, ecx, edx, saved, high;

    if (!ocb_x86_has_aesni() || !__get_cpuid(1, &eax, &ebx, &ecx, &edx) ||
        !has_all(ecx, LEAF1_OSXSAVE | LEAF1_AVX))
        return false;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    (void)high;
    return has_all(saved, xcr0) && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
           has_all(ebx, leaf7_ebx) && has_all(ecx, leaf7_ecx);
}

bool ocb_x86_has_vaes256(void)
{
    return has_wide(LEAF7_AVX2, LEAF7_ECX_VAES, XCR0_YMM);
}

bool ocb_x86_has_vaes512(void)
{
    return has_wide(LEAF7_AVX2 | LEAF7_AVX512F, LEAF7_ECX_VAES, XCR0_ZMM);
}

/* ---- the key ---- */

/* SubWord() of FIPS 197: with four equal columns, ShiftRows changes nothing. */
AESNI static uint32_t sub_word(uint32_t word)
{
    __m128i columns = _mm_set1_epi32((int)word);

    return (uint32_t)_mm_cvtsi128_si32(_mm_aesenclast_si128(columns, _mm_setzero_si128()));
}

/* FIPS 197 section 5.2; words are little-endian, so RotWord() turns to the right. */
AESNI static void expand(unsigned char *schedule, size_t rounds, const unsigned char *key,
                         size_t size)
{
    uint32_t word[60], rcon = 1;
    size_t nk = size / 4;

    memcpy(word, key, size);
    for (size_t i = nk; i < 4 * (rounds + 1); i++) {
        uint32_t last = word[i - 1];
        if (i % nk == 0) {
            last = sub_word(last >> 8 | last << 24) ^ rcon;
            rcon = (rcon << 1) ^ (0x11b & (0u - (rcon >> 7)));
        } else if (nk > 6 && i % nk == 4) {
            last = sub_word(last);
        }
        word[i] = word[i - nk] ^ last;
    }
    memcpy(schedule, word, OCB_BLOCK * (rounds + 1));
    OPENSSL_cleanse(word, sizeof(word));
}

AESNI bool ocb_x86_key(struct ocb *ocb, EVP_CIPHER *ecb, const unsigned char *key, size_t size)
{
    unsigned char(*encrypt)[OCB_BLOCK] = ocb->aes.schedule.encrypt;
    unsigned char(*decrypt)[OCB_BLOCK] = ocb->aes.schedule.decrypt;
    size_t rounds = ocb->rounds;

    (void)ecb;
    expand(encrypt[0], rounds, key, size);
    for (size_t i = 1; i < rounds; i++) {
        __m128i round = _mm_loadu_si128((const void *)encrypt[rounds - i]);
        _mm_storeu_si128((void *)decrypt[i - 1], _mm_aesimc_si128(round));
    }
    return true;
}

AESNI bool ocb_x86_encipher(const struct ocb *ocb, unsigned char block[OCB_BLOCK])
{
    const __m128i *key = (const void *)ocb->aes.schedule.encrypt;
    __m128i x = _mm_xor_si128(_mm_loadu_si128((const void *)block), _mm_loadu_si128(key));

    for (size_t i = 1; i < ocb->rounds; i++)
        x = _mm_aesenc_si128(x, _mm_loadu_si128(key + i));
    x = _mm_aesenclast_si128(x, _mm_loadu_si128(key + ocb->rounds));
    _mm_storeu_si128((void *)block, x);
    return true;
}

#else
typedef int ocb_x86_is_empty; /* ISO C wants something in a file */
#endif
