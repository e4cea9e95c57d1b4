/* OCB with VAES and AVX2: sixteen blocks at once, two in a vector. */
#ifdef __x86_64__

#include <immintrin.h>

#define LANES         2
#define TARGET        __attribute__((target("aes,vaes,avx2")))
#define vec           __m256i
#define V_LOAD(p)     _mm256_loadu_si256((const void *)(p))
#define V_STORE(p, x) _mm256_storeu_si256((void *)(p), x)
/* some is 1 where these are used */
#define V_LOAD_SOME(p, n)     _mm256_zextsi128_si256(_mm_loadu_si128((const void *)(p)))
#define V_STORE_SOME(p, x, n) _mm_storeu_si128((void *)(p), _mm256_castsi256_si128(x))
#define V_SOME(x, n)          _mm256_zextsi128_si256(_mm256_castsi256_si128(x))
#define V_ALL(block)          _mm256_broadcastsi128_si256(block)
#define V_XOR_TOP(x, block)                                                                        \
    _mm256_xor_si256(x, _mm256_inserti128_si256(_mm256_setzero_si256(), block, 1))
#define V_LOW(x)   _mm256_castsi256_si128(x)
#define V_FOLD(x)  _mm_xor_si128(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1))
#define V_ZERO     _mm256_setzero_si256()
#define V_XOR      _mm256_xor_si256
#define V_ENC      _mm256_aesenc_epi128
#define V_ENC_LAST _mm256_aesenclast_epi128
#define V_DEC      _mm256_aesdec_epi128
#define V_DEC_LAST _mm256_aesdeclast_epi128
#include "ocb_wide.h"

const struct ocb_path ocb_vaes256 = {
    .name = "vaes256",
    .able = ocb_x86_has_vaes256,
    .key = ocb_x86_key,
    .encipher = ocb_x86_encipher,
    .encrypt = encrypt,
    .decrypt = decrypt,
    .hash = hash,
};

#else
typedef int ocb_vaes256_is_empty; /* ISO C wants something in a file */
#endif
