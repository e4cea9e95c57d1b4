/* OCB with AES-NI: eight blocks at once. */
#ifdef __x86_64__

#include <immintrin.h>

#define LANES         1
#define TARGET        __attribute__((target("aes,ssse3")))
#define vec           __m128i
#define V_LOAD(p)     _mm_loadu_si128((const void *)(p))
#define V_STORE(p, x) _mm_storeu_si128((void *)(p), x)
/* there are no some of one lane: these are never used */
#define V_LOAD_SOME(p, n)     V_ZERO
#define V_STORE_SOME(p, x, n) (void)(p)
#define V_SOME(x, n)          (x)
#define V_ALL(block)          (block)
#define V_XOR_TOP(x, block)   _mm_xor_si128(x, block)
#define V_LOW(x)              (x)
#define V_FOLD(x)             (x)
#define V_ZERO                _mm_setzero_si128()
#define V_XOR                 _mm_xor_si128
#define V_ENC                 _mm_aesenc_si128
#define V_ENC_LAST            _mm_aesenclast_si128
#define V_DEC                 _mm_aesdec_si128
#define V_DEC_LAST            _mm_aesdeclast_si128
#include "ocb_wide.h"

const struct ocb_path ocb_aesni = {
    .name = "aesni",
    .able = ocb_x86_has_aesni,
    .key = ocb_x86_key,
    .encipher = ocb_x86_encipher,
    .encrypt = encrypt,
    .decrypt = decrypt,
    .hash = hash,
};

#else
typedef int ocb_aesni_is_empty; /* ISO C wants something in a file */
#endif
