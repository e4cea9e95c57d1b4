/* Algorithm USI of A3 and A8 against stock KBKDF and HMAC, and what its parameters refuse. */
#include "evp.h"
#include "usi/names.h"

#include <check.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KI   "000102030405060708090a0b0c0d0e0f"
#define RAND "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

static struct loaded with;

static void setup(void)
{
    with = load(true);
}

static void teardown(void)
{
    unload(&with);
}

static struct args a8_args(void)
{
    struct args args = args_new();

    args_hex(&args, USI_PARAM_KEY, KI);
    args_hex(&args, USI_PARAM_RAND, RAND);
    return args;
}

static void stock_a8(const unsigned char *ki, size_t ki_size, const unsigned char *rand,
                     size_t rand_size, unsigned char *kc, size_t kc_size)
{
    struct args args = args_new();

    args_word(&args, OSSL_KDF_PARAM_MODE, "counter");
    args_word(&args, OSSL_KDF_PARAM_MAC, "HMAC");
    args_word(&args, OSSL_KDF_PARAM_DIGEST, "SHA256");
    args_octets(&args, OSSL_KDF_PARAM_SALT, "USI A8", 6);
    args_octets(&args, OSSL_KDF_PARAM_INFO, rand, rand_size);
    args_octets(&args, OSSL_KDF_PARAM_KEY, ki, ki_size);
    works(kdf(with.libctx, "KBKDF", &args, kc, kc_size));
    args_free(&args);
}

static void stock_a3(const unsigned char *ki, size_t ki_size, const unsigned char *message,
                     size_t size, unsigned char sres[32])
{
    EVP_MAC_CTX *ctx = mac_new(with.libctx, "HMAC");
    struct args args = args_new();
    size_t got;

    args_word(&args, OSSL_MAC_PARAM_DIGEST, "SHA256");
    works(EVP_MAC_init(ctx, ki, ki_size, args.params) &&
          EVP_MAC_update(ctx, (const unsigned char *)"USI A3", 7) &&
          EVP_MAC_update(ctx, message, size) && EVP_MAC_final(ctx, sres, &got, 32));
    EVP_MAC_CTX_free(ctx);
    args_free(&args);
}

START_TEST(a8_equals_kbkdf)
{
    unsigned seed = 1;

    for (int n = 0; n < 300; n++) {
        unsigned char sizes[4], ki[32], rand[271], kc[259], expected[259];
        size_t ki_size, rand_size, kc_size;
        struct args args = args_new();

        random_octets(&seed, sizes, sizeof(sizes));
        ki_size = 16 + (size_t)(sizes[0] % 3) * 8;
        rand_size = 16u + sizes[1];
        kc_size = 1u + sizes[2];
        random_octets(&seed, ki, ki_size);
        random_octets(&seed, rand, rand_size);
        args_octets(&args, USI_PARAM_KEY, ki, ki_size);
        args_octets(&args, USI_PARAM_RAND, rand, rand_size);
        if (n % 2 == 0)
            args_word(&args, USI_PARAM_ALGORITHM, n % 4 == 0 ? "USI" : "usi");
        works(kdf(with.libctx, USI_KDF_A8, &args, kc, kc_size));
        stock_a8(ki, ki_size, rand, rand_size, expected, kc_size);
        same(kc, expected, kc_size, "Kc");
        args_free(&args);
    }
}
END_TEST

START_TEST(a3_equals_hmac)
{
    unsigned seed = 2;

    for (int n = 0; n < 300; n++) {
        unsigned char sizes[4], ki[32], message[1275], sres[32], expected[32];
        size_t ki_size, message_size, asked, got = sizeof(sres), cut;
        struct args args = args_new();
        EVP_MAC_CTX *ctx = mac_new(with.libctx, USI_MAC_A3);

        random_octets(&seed, sizes, sizeof(sizes));
        ki_size = 16 + (size_t)(sizes[0] % 3) * 8;
        message_size = sizes[1] * 5u;
        cut = message_size == 0 ? 0 : sizes[3] % message_size;
        asked = 1u + sizes[2] % 32u;
        random_octets(&seed, ki, ki_size);
        random_octets(&seed, message, message_size);
        args_number(&args, USI_PARAM_SIZE, asked);
        works(EVP_MAC_init(ctx, ki, ki_size, args.params) && EVP_MAC_update(ctx, message, cut) &&
              EVP_MAC_update(ctx, message + cut, message_size - cut) &&
              EVP_MAC_final(ctx, sres, &got, sizeof(sres)));
        ck_assert_uint_eq(got, asked);
        stock_a3(ki, ki_size, message, message_size, expected);
        same(sres, expected, asked, "SRES");
        EVP_MAC_CTX_free(ctx);
        args_free(&args);
    }
}
END_TEST

START_TEST(a3_takes_rand_for_the_message_and_gives_16)
{
    struct args args = a8_args();
    unsigned char ki[16], rand[16], sres[32], expected[32];
    size_t size = sizeof(sres);

    from_hex(KI, ki, sizeof(ki));
    from_hex(RAND, rand, sizeof(rand));
    works(mac(with.libctx, USI_MAC_A3, &args, NULL, 0, sres, &size));
    ck_assert_uint_eq(size, 16);
    stock_a3(ki, 16, rand, 16, expected);
    same(sres, expected, 16, "SRES");

    size = sizeof(sres);
    refused(mac(with.libctx, USI_MAC_A3, &args, "x", 1, sres, &size),
            "parameters exclude each other", "rand and a message of 1 octets");
    args_free(&args);
}
END_TEST

START_TEST(a3_of_nothing_is_hmac_of_the_label)
{
    struct args args = args_new();
    unsigned char ki[16], sres[32], expected[32];
    size_t size = sizeof(sres);

    args_hex(&args, USI_PARAM_KEY, KI);
    from_hex(KI, ki, sizeof(ki));
    works(mac(with.libctx, USI_MAC_A3, &args, NULL, 0, sres, &size));
    stock_a3(ki, 16, ki, 0, expected);
    same(sres, expected, 16, "SRES");
    args_free(&args);
}
END_TEST

START_TEST(key_sizes)
{
    for (size_t size = 0; size <= 40; size++) {
        struct args args = a8_args();
        unsigned char key[40] = {0}, out[32];
        size_t room = sizeof(out);
        char text[80];

        args_drop(&args, USI_PARAM_KEY);
        args_octets(&args, USI_PARAM_KEY, key, size);
        if (size == 16 || size == 24 || size == 32) {
            works(kdf(with.libctx, USI_KDF_A8, &args, out, 8));
            works(mac(with.libctx, USI_MAC_A3, &args, NULL, 0, out, &room));
        } else {
            snprintf(text, sizeof(text), "key: expected 16, 24 or 32 octets, got %zu", size);
            refused(kdf(with.libctx, USI_KDF_A8, &args, out, 8), "wrong parameter size", text);
            refused(mac(with.libctx, USI_MAC_A3, &args, NULL, 0, out, &room),
                    "wrong parameter size", text);
        }
        args_free(&args);
    }
}
END_TEST

START_TEST(rand_sizes)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 32, 33, 64, 65536};
    static const unsigned char rand[65536];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct args args = a8_args();
        unsigned char out[8];
        char text[80];

        args_drop(&args, USI_PARAM_RAND);
        args_octets(&args, USI_PARAM_RAND, rand, sizes[i]);
        snprintf(text, sizeof(text), "rand: expected 16 or more octets, got %zu", sizes[i]);
        if (sizes[i] >= 16)
            works(kdf(with.libctx, USI_KDF_A8, &args, out, 8));
        else
            refused(kdf(with.libctx, USI_KDF_A8, &args, out, 8), "wrong parameter size", text);
        args_free(&args);
    }
}
END_TEST

START_TEST(output_sizes)
{
    struct args args = a8_args();
    unsigned char out[64];

    refused(kdf(with.libctx, USI_KDF_A8, &args, out, 0), "wrong output size", "got 0");
    refused(kdf(with.libctx, USI_KDF_A8, &args, out, 0x20000000), "wrong output size",
            "got 536870912");
    refused(kdf(with.libctx, USI_KDF_A8, &args, out, SIZE_MAX), "wrong output size",
            "expected 1 to 536870911 octets");
    args_free(&args);
}
END_TEST

START_TEST(sres_sizes)
{
    for (size_t size = 0; size <= 33; size++) {
        struct args args = a8_args();
        unsigned char out[64];
        size_t room = sizeof(out);

        args_number(&args, USI_PARAM_SIZE, size);
        if (size >= 1 && size <= 32) {
            works(mac(with.libctx, USI_MAC_A3, &args, NULL, 0, out, &room));
            ck_assert_uint_eq(room, size);
            room = size - 1;
            ck_assert(!mac(with.libctx, USI_MAC_A3, &args, NULL, 0, out, &room));
        } else {
            refused(mac(with.libctx, USI_MAC_A3, &args, NULL, 0, out, &room),
                    "wrong parameter value", "size: expected 1 to 32, got");
        }
        args_free(&args);
    }
}
END_TEST

START_TEST(missing)
{
    struct args args = a8_args();
    unsigned char out[32];
    size_t room = sizeof(out);

    args_drop(&args, USI_PARAM_RAND);
    refused(kdf(with.libctx, USI_KDF_A8, &args, out, 8), "missing parameter",
            "rand: expected 16 or more octets, got nothing");
    args_free(&args);
    args = a8_args();
    args_drop(&args, USI_PARAM_KEY);
    refused(kdf(with.libctx, USI_KDF_A8, &args, out, 8), "missing parameter",
            "key: expected 16, 24 or 32 octets, got nothing");
    refused(mac(with.libctx, USI_MAC_A3, &args, NULL, 0, out, &room), "missing parameter", "key: ");
    args_free(&args);
}
END_TEST

START_TEST(repeated)
{
    static const char *const names[] = {USI_PARAM_KEY, USI_PARAM_RAND};

    for (int i = 0; i < 2; i++) {
        struct args args = a8_args();
        unsigned char out[32];
        size_t room = sizeof(out);

        args_hex(&args, names[i], KI);
        refused(kdf(with.libctx, USI_KDF_A8, &args, out, 8), "parameter given twice", names[i]);
        refused(mac(with.libctx, USI_MAC_A3, &args, NULL, 0, out, &room), "parameter given twice",
                names[i]);
        args_free(&args);
    }
}
END_TEST

START_TEST(op_with_opc)
{
    struct args args = a8_args();
    unsigned char out[32];
    size_t room = sizeof(out);

    args_hex(&args, USI_PARAM_OP, KI);
    args_hex(&args, USI_PARAM_OPC, KI);
    refused(kdf(with.libctx, USI_KDF_A8, &args, out, 8), "parameters exclude each other",
            "op and opc: give one of them");
    refused(mac(with.libctx, USI_MAC_A3, &args, NULL, 0, out, &room),
            "parameters exclude each other", "op and opc: give one of them");
    args_free(&args);
}
END_TEST

START_TEST(wrong_types)
{
    struct args args = a8_args();
    unsigned char out[32];
    size_t room = sizeof(out);

    args_drop(&args, USI_PARAM_KEY);
    args_word(&args, USI_PARAM_KEY, "0123456789abcdef");
    refused(kdf(with.libctx, USI_KDF_A8, &args, out, 8), "wrong parameter type",
            "key: an octet string expected");
    args_free(&args);
    args = a8_args();
    args_number(&args, USI_PARAM_ALGORITHM, 1);
    refused(kdf(with.libctx, USI_KDF_A8, &args, out, 8), "wrong parameter type",
            "algorithm: a UTF-8 string expected");
    args_free(&args);
    args = a8_args();
    args_hex(&args, USI_PARAM_SIZE, "10");
    refused(mac(with.libctx, USI_MAC_A3, &args, NULL, 0, out, &room), "wrong parameter type",
            "size: an integer expected");
    args_free(&args);
}
END_TEST

START_TEST(null_values)
{
    static const char *const names[] = {USI_PARAM_KEY, USI_PARAM_RAND, USI_PARAM_ALGORITHM,
                                        USI_PARAM_SIZE};
    unsigned char out[32];

    for (int i = 0; i < 4; i++) {
        OSSL_PARAM params[] = {{names[i], OSSL_PARAM_OCTET_STRING, NULL, 16, 0},
                               OSSL_PARAM_construct_end()};
        EVP_MAC_CTX *ctx = mac_new(with.libctx, USI_MAC_A3);

        params[0].data_type = i == 2   ? OSSL_PARAM_UTF8_STRING
                              : i == 3 ? OSSL_PARAM_UNSIGNED_INTEGER
                                       : OSSL_PARAM_OCTET_STRING;
        refused(EVP_MAC_init(ctx, out, 16, params), "wrong parameter type", names[i]);
        EVP_MAC_CTX_free(ctx);
    }
}
END_TEST

START_TEST(unknown_algorithm)
{
    static const char *const words[] = {"", "COMP128", "USI ", "US", "A5\x01\xff-1"};
    unsigned char out[32];

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct args args = a8_args();
        args_word(&args, USI_PARAM_ALGORITHM, words[i]);
        refused(kdf(with.libctx, USI_KDF_A8, &args, out, 8), "unknown name",
                i == 4 ? "got \"A5\?\?-1\"" : "algorithm: expected one of USI");
        args_free(&args);
    }
}
END_TEST

START_TEST(unknown_parameters_are_passed_over)
{
    struct args args = a8_args();
    unsigned char out[8];

    args_word(&args, "colour", "blue");
    args_word(&args, "colour", "red");
    works(kdf(with.libctx, USI_KDF_A8, &args, out, 8));
    args_free(&args);
}
END_TEST

START_TEST(negative_and_huge_numbers)
{
    int64_t negative = -1;
    unsigned char huge[16], out[32];
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_int64(USI_PARAM_SIZE, &negative),
                            OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *ctx = mac_new(with.libctx, USI_MAC_A3);

    refused(EVP_MAC_init(ctx, out, 16, params), "wrong parameter value",
            "size: expected 1 to 32, got");
    memset(huge, 0x7f, sizeof(huge));
    params[0] = OSSL_PARAM_construct_BN(USI_PARAM_SIZE, huge, sizeof(huge));
    refused(EVP_MAC_init(ctx, out, 16, params), "wrong parameter value",
            "size: expected 1 to 32, got");
    EVP_MAC_CTX_free(ctx);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider: USI");
    TCase *tcase = tcase_create("USI");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a8_equals_kbkdf);
    tcase_add_test(tcase, a3_equals_hmac);
    tcase_add_test(tcase, a3_takes_rand_for_the_message_and_gives_16);
    tcase_add_test(tcase, a3_of_nothing_is_hmac_of_the_label);
    tcase_add_test(tcase, key_sizes);
    tcase_add_test(tcase, rand_sizes);
    tcase_add_test(tcase, output_sizes);
    tcase_add_test(tcase, sres_sizes);
    tcase_add_test(tcase, missing);
    tcase_add_test(tcase, repeated);
    tcase_add_test(tcase, op_with_opc);
    tcase_add_test(tcase, wrong_types);
    tcase_add_test(tcase, null_values);
    tcase_add_test(tcase, unknown_algorithm);
    tcase_add_test(tcase, unknown_parameters_are_passed_over);
    tcase_add_test(tcase, negative_and_huge_numbers);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
