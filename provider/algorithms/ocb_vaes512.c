/* OCB with VAES and AVX-512: four blocks in a vector. */
#ifdef __x86_64__

#include <immintrin.h>

#define LANES                 4
#define TARGET                __attribute__((target("aes,vaes,avx2,avx512f")))
#define vec                   __m512i
#define MASK(n)               ((__mmask8)((1u << 2 * (n)) - 1)) /* a bit for 64 */
#define V_LOAD(p)             _mm512_loadu_si512((const void *)(p))
#define V_STORE(p, x)         _mm512_storeu_si512((void *)(p), x)
#define V_LOAD_SOME(p, n)     _mm512_maskz_loadu_epi64(MASK(n), (const void *)(p))
#define V_STORE_SOME(p, x, n) _mm512_mask_storeu_epi64((void *)(p), MASK(n), x)
#define V_SOME(x, n)          _mm512_maskz_mov_epi64(MASK(n), x)
#define V_ALL(block)          _mm512_broadcast_i32x4(block)
#define V_XOR_TOP(x, block)   _mm512_mask_xor_epi64(x, 0xc0, x, _mm512_broadcast_i32x4(block))
#define V_LOW(x)              _mm512_castsi512_si128(x)
#define V_FOLD(x)             fold(x)
#define V_ZERO                _mm512_setzero_si512()
#define V_XOR                 _mm512_xor_si512
#define V_ENC                 _mm512_aesenc_epi128
#define V_ENC_LAST            _mm512_aesenclast_epi128
#define V_DEC                 _mm512_aesdec_epi128
#define V_DEC_LAST            _mm512_aesdeclast_epi128

TARGET static inline __m128i fold(__m512i x)
{
    __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));

    return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

#include "ocb_wide.h"

const struct ocb_path ocb_vaes512 = {
    .name = "vaes512",
    .able = ocb_x86_has_vaes512,
    .key = ocb_x86_key,
    .encipher = ocb_x86_encipher,
    .encrypt = encrypt,
    .decrypt = decrypt,
    .hash = hash,
};

#else
typedef int ocb_vaes512_is_empty; /* ISO C wants something in a file */
#endif
