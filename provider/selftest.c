#include "selftest.h"

#include "algorithms/comp128.h"
#include "algorithms/conversion.h"
#include "algorithms/hmac_a38.h"
#include "algorithms/kdf_3gpp.h"
#include "algorithms/milenage.h"
#include "algorithms/ocb.h"
#include "algorithms/tuak.h"
#include "algorithms/xor.h"
#include "errors.h"
#include "provider.h"

#include <openssl/crypto.h>
#include <openssl/self_test.h>
#include <string.h>

enum { ANSWER_MAX = 32 };

/* What the keyed tests use: 00 01 .. 0f, and f0 f1 .. ff. */
static const unsigned char counting[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const unsigned char challenge[16] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7,
                                            0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff};

static bool usi_a8(const struct provider *provider, unsigned char *out)
{
    EVP_MAC_CTX *hmac = EVP_MAC_CTX_dup(provider->hmac_sha256);
    bool ok = hmac != NULL && hmac_a38_a8(hmac, counting, 16, challenge, 16, out, 16);

    EVP_MAC_CTX_free(hmac);
    return ok;
}

static bool usi_a3(const struct provider *provider, unsigned char *out)
{
    EVP_MAC_CTX *hmac = EVP_MAC_CTX_dup(provider->hmac_sha256);
    size_t size;
    bool ok = hmac != NULL && hmac_a38_a3_start(hmac, counting, 16) &&
              EVP_MAC_update(hmac, challenge, 16) && EVP_MAC_final(hmac, out, &size, ANSWER_MAX);

    EVP_MAC_CTX_free(hmac);
    return ok;
}

static void comp128(comp128_function *version, unsigned char *out)
{
    unsigned char ki[16], rand[16];

    memset(ki, 0x41, sizeof(ki));
    memset(rand, 0x42, sizeof(rand));
    version(ki, rand, out, out + COMP128_SRES_SIZE);
}

static bool version_1(const struct provider *provider, unsigned char *out)
{
    (void)provider;
    comp128(comp128_1, out);
    return true;
}

static bool version_2(const struct provider *provider, unsigned char *out)
{
    (void)provider;
    comp128(comp128_2, out);
    return true;
}

static bool version_3(const struct provider *provider, unsigned char *out)
{
    (void)provider;
    comp128(comp128_3, out);
    return true;
}

/* TS 35.208 test set 1, from OP on: MAC-A, RES, AK and AK*. */
static bool milenage(const struct provider *provider, unsigned char *out)
{
    static const unsigned char k[16] = {0x46, 0x5b, 0x5c, 0xe8, 0xb1, 0x99, 0xb4, 0x9f,
                                        0xaa, 0x5f, 0x0a, 0x2e, 0xe2, 0x38, 0xa6, 0xbc};
    static const unsigned char op[16] = {0xcd, 0xc2, 0x02, 0xd5, 0x12, 0x3e, 0x20, 0xf6,
                                         0x2b, 0x6d, 0x67, 0x6a, 0xc7, 0x2c, 0xb3, 0x18};
    static const unsigned char rand[16] = {0x23, 0x55, 0x3c, 0xbe, 0x96, 0x37, 0xa8, 0x9d,
                                           0x21, 0x8a, 0xe6, 0x4d, 0xae, 0x47, 0xbf, 0x35};
    static const unsigned char sqn[6] = {0xff, 0x9b, 0xb4, 0xd0, 0xb6, 0x07}, amf[2] = {0xb9, 0xb9};
    unsigned char opc[16];
    struct aka_values values;
    EVP_CIPHER_CTX *aes = EVP_CIPHER_CTX_new();
    bool ok = aes != NULL && milenage_key(aes, provider->aes_128_ecb, k) &&
              milenage_opc(aes, op, opc) && milenage_run(aes, opc, rand, sqn, amf, &values);

    EVP_CIPHER_CTX_free(aes);
    if (ok) {
        memcpy(out, values.mac_a, 8);
        memcpy(out + 8, values.res, 8);
        memcpy(out + 16, values.ak, 6);
        memcpy(out + 22, values.ak_star, 6);
    }
    return ok;
}

/* TS 35.233 test set 1, from TOP on: MAC-A, RES and AK. */
static bool tuak(const struct provider *provider, unsigned char *out)
{
    const struct tuak_sizes sizes = {
        .key = 16, .mac = 8, .res = 4, .ck = 16, .ik = 16, .iterations = 1};
    unsigned char k[16], top[32], topc[32], rand[16], sqn[6], amf[2];
    struct aka_values values;
    bool ok;

    memset(k, 0xab, sizeof(k));
    memset(top, 0x55, sizeof(top));
    memset(rand, 0x42, sizeof(rand));
    memset(sqn, 0x11, sizeof(sqn));
    memset(amf, 0xff, sizeof(amf));
    ok = tuak_topc(provider->shake256, &sizes, k, top, topc) &&
         tuak_run(provider->shake256, &sizes, &(struct tuak_input){k, topc, rand, sqn, amf},
                  AKA_F1 | AKA_F2345, &values);
    if (ok) {
        memcpy(out, values.mac_a, 8);
        memcpy(out + 8, values.res, 4);
        memcpy(out + 12, values.ak, 6);
    }
    return ok;
}

static bool exclusive_or(const struct provider *provider, unsigned char *out)
{
    struct aka_values values;

    (void)provider;
    xor_3g(counting, challenge, counting, counting, &values);
    memcpy(out, values.mac_a, 8);
    memcpy(out + 8, values.ak, 6);
    xor_2g(counting, challenge, out + 14, out + 18);
    return true;
}

/* Kc128, and c3 of the same CK and IK. */
static bool kdf(const struct provider *provider, unsigned char *out)
{
    EVP_MAC_CTX *hmac = EVP_MAC_CTX_dup(provider->hmac_sha256);
    bool ok = hmac != NULL && kdf_3gpp_kc128(hmac, counting, challenge, out);

    EVP_MAC_CTX_free(hmac);
    conversion_c3(counting, challenge, out + 16);
    return ok;
}

/* Longer than a group of blocks, so that a path's main loop runs; then back, over itself. */
static bool ocb(const struct provider *provider, EVP_CIPHER *ecb, size_t key_size,
                unsigned char *out)
{
    enum { BLOCKS = OCB_GROUP + 3, TAIL = 5, SIZE = OCB_BLOCK * BLOCKS + TAIL };
    unsigned char key[32], text[SIZE] = {0}, again[OCB_TAG_MAX];
    struct ocb state = {.path = NULL};
    bool ok;

    memcpy(key, counting, 16);
    memcpy(key + 16, challenge, 16);
    ok = ocb_key(&state, provider->ocb, ecb, key, key_size) &&
         ocb_start(&state, challenge, 12, 16) && provider->ocb->hash(&state, counting, 1) &&
         ocb_hash_last(&state, counting, 3) && provider->ocb->encrypt(&state, text, text, BLOCKS) &&
         ocb_last(&state, true, text + SIZE - TAIL, text + SIZE - TAIL, TAIL) &&
         ocb_tag(&state, out);
    memcpy(out + OCB_TAG_MAX, text + SIZE - 16, 16);
    ok = ok && ocb_start(&state, challenge, 12, 16) && provider->ocb->hash(&state, counting, 1) &&
         ocb_hash_last(&state, counting, 3) && provider->ocb->decrypt(&state, text, text, BLOCKS) &&
         ocb_last(&state, false, text + SIZE - TAIL, text + SIZE - TAIL, TAIL) &&
         ocb_tag(&state, again) && memcmp(out, again, sizeof(again)) == 0;
    for (size_t i = 0; i < SIZE; i++)
        ok = ok && text[i] == 0;
    ocb_clear(&state);
    return ok;
}

static bool ocb_128(const struct provider *provider, unsigned char *out)
{
    return ocb(provider, provider->aes_128_ecb, 16, out);
}

static bool ocb_192(const struct provider *provider, unsigned char *out)
{
    return ocb(provider, provider->aes_192_ecb, 24, out);
}

static bool ocb_256(const struct provider *provider, unsigned char *out)
{
    return ocb(provider, provider->aes_256_ecb, 32, out);
}

static const struct known_answer {
    const char *name;
    bool (*compute)(const struct provider *provider, unsigned char *out);
    size_t size;
    unsigned char answer[ANSWER_MAX];
} known_answers[] = {
    {"A8 USI",
     usi_a8,
     16,
     {0x31, 0x55, 0x3a, 0xbe, 0x2a, 0x5a, 0xcf, 0x55, 0x23, 0x61, 0x20, 0x2f, 0x2c, 0x8a, 0x4e,
      0xb3}},
    {"A3 USI", usi_a3, 32, {0xa3, 0xbb, 0x73, 0xf7, 0x38, 0x71, 0x77, 0x97, 0x89, 0x93, 0xd0,
                            0xe6, 0x8a, 0x55, 0xd5, 0xdb, 0x57, 0x88, 0xe2, 0x88, 0x37, 0x11,
                            0x2e, 0x54, 0xcf, 0xed, 0x5e, 0x61, 0xb5, 0xa3, 0x51, 0x60}},
    {"COMP128-1",
     version_1,
     12,
     {0x23, 0x39, 0x0b, 0x5e, 0x08, 0xb6, 0x27, 0xf3, 0x36, 0x80, 0xec, 0x00}},
    {"COMP128-2",
     version_2,
     12,
     {0x8a, 0x9b, 0xaa, 0x49, 0x5d, 0xdc, 0x50, 0x73, 0xa6, 0x3a, 0x04, 0x00}},
    {"COMP128-3",
     version_3,
     12,
     {0x8a, 0x9b, 0xaa, 0x49, 0x5d, 0xdc, 0x50, 0x73, 0xa6, 0x3a, 0x07, 0xf9}},
    {"MILENAGE", milenage, 28, {0x4a, 0x9f, 0xfa, 0xc3, 0x54, 0xdf, 0xaf, 0xb3, 0xa5, 0x42,
                                0x11, 0xd5, 0xe3, 0xba, 0x50, 0xbf, 0xaa, 0x68, 0x9c, 0x64,
                                0x83, 0x70, 0x45, 0x1e, 0x8b, 0xec, 0xa4, 0x3b}},
    {"TUAK",
     tuak,
     18,
     {0xf9, 0xa5, 0x4e, 0x6a, 0xea, 0xa8, 0x61, 0x8d, 0x65, 0x7a, 0xcd, 0x64, 0x71, 0x9f, 0x1e,
      0x9b, 0x90, 0x54}},
    {"XOR", exclusive_or, 26, {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf0, 0xf1, 0xf0,
                               0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0,
                               0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0}},
    {"3GPP-KDF", kdf, 24, {0xf5, 0x39, 0xfd, 0x35, 0x59, 0xee, 0x62, 0x6e, 0x46, 0x64, 0x51, 0x9b,
                           0xa8, 0xb2, 0x7b, 0x53, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}},
    {"AES-128-OCB", ocb_128, 32, {0x61, 0xdb, 0xde, 0xff, 0xb6, 0x81, 0xcb, 0x5b, 0x54, 0xcf, 0xd8,
                                  0xdc, 0x8e, 0xc5, 0x46, 0x97, 0x8a, 0x2e, 0x2e, 0x92, 0x3f, 0xb0,
                                  0x8c, 0x48, 0x72, 0x07, 0xa2, 0x8f, 0x37, 0x3f, 0x9e, 0xb2}},
    {"AES-192-OCB", ocb_192, 32, {0x1f, 0x45, 0x00, 0x99, 0x13, 0x5f, 0xee, 0x3b, 0xb9, 0xab, 0xea,
                                  0x28, 0x90, 0x1d, 0x4c, 0x93, 0x24, 0xb4, 0x5a, 0xce, 0x68, 0xda,
                                  0xd4, 0x8c, 0x37, 0xfc, 0x75, 0xd8, 0x5f, 0x21, 0xc8, 0x06}},
    {"AES-256-OCB", ocb_256, 32, {0xed, 0x56, 0xf5, 0xd6, 0xc8, 0x1c, 0x2c, 0x45, 0x44, 0x37, 0xfa,
                                  0x38, 0x36, 0x50, 0x16, 0x86, 0x73, 0xa7, 0xb1, 0xda, 0xac, 0x6b,
                                  0x75, 0xa2, 0x3a, 0x7d, 0xc9, 0x01, 0x30, 0x7f, 0xf0, 0x6c}},
};

static OSSL_SELF_TEST *callback(const struct provider *provider)
{
    OSSL_CALLBACK *function = NULL;
    void *argument = NULL;

    if (provider->self_test_cb != NULL && provider->get_libctx != NULL)
        provider->self_test_cb(provider->get_libctx(provider->handle), &function, &argument);
    return OSSL_SELF_TEST_new(function, argument);
}

bool selftest_run(const struct provider *provider)
{
    OSSL_SELF_TEST *reports = callback(provider);
    bool all = reports != NULL;

    for (size_t i = 0; all && i < sizeof(known_answers) / sizeof(known_answers[0]); i++) {
        const struct known_answer *known = &known_answers[i];
        unsigned char got[ANSWER_MAX];
        bool ok;

        OSSL_SELF_TEST_onbegin(reports, OSSL_SELF_TEST_TYPE_KAT_KDF, known->name);
        ok = known->compute(provider, got);
        OSSL_SELF_TEST_oncorrupt_byte(reports, got);
        ok = ok && memcmp(got, known->answer, known->size) == 0;
        OSSL_SELF_TEST_onend(reports, ok);
        if (!ok) {
            errors_raise(provider, ERROR_SELF_TEST, "%s", known->name);
            all = false;
        }
    }
    OSSL_SELF_TEST_free(reports);
    return all;
}
