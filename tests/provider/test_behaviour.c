/* Behaves as a provider should: contexts, duplicates, library contexts, reloading, threads. */
#include "evp.h"
#include "usi/names.h"

#include <check.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/self_test.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KI    "000102030405060708090a0b0c0d0e0f"
#define RAND  "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
#define OTHER "ffffffffffffffffffffffffffffffff"

static struct loaded with;

static void setup(void)
{
    with = load(true);
}

static void teardown(void)
{
    unload(&with);
}

static struct args both(const char *ki, const char *rand)
{
    struct args args = args_new();

    args_hex(&args, USI_PARAM_KEY, ki);
    args_hex(&args, USI_PARAM_RAND, rand);
    return args;
}

static void expected_kc(const char *ki, const char *rand, unsigned char kc[32])
{
    struct args args = both(ki, rand);

    works(kdf(with.libctx, USI_KDF_A8, &args, kc, 32));
    args_free(&args);
}

static void check_kc(EVP_KDF_CTX *ctx, const char *ki, const char *rand)
{
    unsigned char kc[32], expected[32];

    works(EVP_KDF_derive(ctx, kc, sizeof(kc), NULL) == 1);
    expected_kc(ki, rand, expected);
    same(kc, expected, sizeof(kc), "Kc");
}

START_TEST(kdf_dup_is_independent)
{
    EVP_KDF_CTX *ctx = kdf_new(with.libctx, USI_KDF_A8), *copy;
    struct args args = both(KI, RAND), other = both(OTHER, RAND OTHER OTHER);

    works(EVP_KDF_CTX_set_params(ctx, args.params));
    copy = EVP_KDF_CTX_dup(ctx);
    works(copy != NULL);
    works(EVP_KDF_CTX_set_params(ctx, other.params));
    check_kc(copy, KI, RAND);
    check_kc(ctx, OTHER, RAND OTHER OTHER);
    EVP_KDF_CTX_free(copy);
    copy = EVP_KDF_CTX_dup(ctx);
    EVP_KDF_CTX_free(ctx);
    check_kc(copy, OTHER, RAND OTHER OTHER);
    EVP_KDF_CTX_free(copy);
    args_free(&args);
    args_free(&other);
}
END_TEST

START_TEST(kdf_reset_forgets)
{
    EVP_KDF_CTX *ctx = kdf_new(with.libctx, USI_KDF_A8);
    struct args args = both(KI, RAND);
    unsigned char kc[8];

    works(EVP_KDF_CTX_set_params(ctx, args.params));
    check_kc(ctx, KI, RAND);
    EVP_KDF_CTX_reset(ctx);
    refused(EVP_KDF_derive(ctx, kc, sizeof(kc), NULL), "missing parameter", "key");
    works(EVP_KDF_CTX_set_params(ctx, args.params));
    check_kc(ctx, KI, RAND);
    EVP_KDF_CTX_free(ctx);
    args_free(&args);
}
END_TEST

START_TEST(kdf_parameters_are_copied_and_replaced_one_by_one)
{
    EVP_KDF_CTX *ctx = kdf_new(with.libctx, USI_KDF_A8);
    struct args args = both(KI, RAND), other = args_new();

    works(EVP_KDF_CTX_set_params(ctx, args.params));
    args_free(&args); /* a sanitizer would see a pointer kept */
    check_kc(ctx, KI, RAND);
    args_hex(&other, USI_PARAM_RAND, OTHER);
    works(EVP_KDF_CTX_set_params(ctx, other.params));
    check_kc(ctx, KI, OTHER);
    EVP_KDF_CTX_free(ctx);
    args_free(&other);
}
END_TEST

START_TEST(a_refused_array_changes_nothing)
{
    EVP_KDF_CTX *ctx = kdf_new(with.libctx, USI_KDF_A8);
    struct args args = both(KI, RAND), bad = both(OTHER, OTHER);

    args_hex(&bad, USI_PARAM_OP, "00");
    works(EVP_KDF_CTX_set_params(ctx, args.params));
    refused(EVP_KDF_CTX_set_params(ctx, bad.params), "wrong parameter size",
            "op: expected 16 octets, got 1");
    check_kc(ctx, KI, RAND);
    EVP_KDF_CTX_free(ctx);
    args_free(&args);
    args_free(&bad);
}
END_TEST

START_TEST(mac_dup_in_the_middle)
{
    EVP_MAC_CTX *ctx = mac_new(with.libctx, USI_MAC_A3), *copy;
    struct args args = args_new();
    unsigned char one[32], two[32], expected[32];
    size_t size = 0, room = sizeof(expected);

    args_hex(&args, USI_PARAM_KEY, KI);
    works(EVP_MAC_init(ctx, NULL, 0, args.params) && EVP_MAC_update(ctx, (const void *)"ab", 2));
    copy = EVP_MAC_CTX_dup(ctx);
    works(copy != NULL);
    works(EVP_MAC_update(ctx, (const void *)"cd", 2) &&
          EVP_MAC_update(copy, (const void *)"xy", 2));
    works(EVP_MAC_final(ctx, one, &size, sizeof(one)));
    EVP_MAC_CTX_free(ctx);
    works(EVP_MAC_final(copy, two, &size, sizeof(two)));
    EVP_MAC_CTX_free(copy);
    works(mac(with.libctx, USI_MAC_A3, &args, "abcd", 4, expected, &room));
    same(one, expected, 16, "the original");
    room = sizeof(expected);
    works(mac(with.libctx, USI_MAC_A3, &args, "abxy", 4, expected, &room));
    same(two, expected, 16, "the duplicate");
    args_free(&args);
}
END_TEST

START_TEST(mac_dup_before_init)
{
    EVP_MAC_CTX *ctx = mac_new(with.libctx, USI_MAC_A3), *copy = EVP_MAC_CTX_dup(ctx);
    struct args args = both(KI, RAND);
    unsigned char sres[32];
    size_t size;

    works(copy != NULL && EVP_MAC_init(copy, NULL, 0, args.params) &&
          EVP_MAC_final(copy, sres, &size, sizeof(sres)));
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_CTX_free(copy);
    args_free(&args);
}
END_TEST

START_TEST(mac_init_again_starts_anew)
{
    EVP_MAC_CTX *ctx = mac_new(with.libctx, USI_MAC_A3);
    struct args args = args_new();
    unsigned char one[32], two[32];
    size_t size = 0;

    args_hex(&args, USI_PARAM_KEY, KI);
    works(EVP_MAC_init(ctx, NULL, 0, args.params) && EVP_MAC_update(ctx, (const void *)"ab", 2) &&
          EVP_MAC_final(ctx, one, &size, sizeof(one)));
    works(EVP_MAC_init(ctx, NULL, 0, NULL) && EVP_MAC_update(ctx, (const void *)"never mind", 10));
    works(EVP_MAC_init(ctx, NULL, 0, NULL) && EVP_MAC_update(ctx, (const void *)"ab", 2) &&
          EVP_MAC_final(ctx, two, &size, sizeof(two)));
    same(one, two, size, "SRES with the key kept");
    EVP_MAC_CTX_free(ctx);
    args_free(&args);
}
END_TEST

START_TEST(mac_settings_may_follow_init)
{
    EVP_MAC_CTX *ctx = mac_new(with.libctx, USI_MAC_A3);
    struct args args = args_new();
    unsigned char ki[16], sres[32];
    size_t size = 0;

    from_hex(KI, ki, sizeof(ki));
    args_number(&args, USI_PARAM_SIZE, 5);
    args_hex(&args, USI_PARAM_RAND, RAND);
    works(EVP_MAC_init(ctx, ki, sizeof(ki), NULL) && EVP_MAC_CTX_set_params(ctx, args.params) &&
          EVP_MAC_final(ctx, sres, &size, sizeof(sres)));
    ck_assert_uint_eq(size, 5);
    EVP_MAC_CTX_free(ctx);
    args_free(&args);
}
END_TEST

START_TEST(mac_settings_are_too_late_after_data)
{
    EVP_MAC_CTX *ctx = mac_new(with.libctx, USI_MAC_A3);
    struct args args = args_new(), size_only = args_new();
    unsigned char ki[16], sres[32];
    size_t size = 0;

    from_hex(KI, ki, sizeof(ki));
    args_hex(&args, USI_PARAM_KEY, OTHER);
    args_number(&size_only, USI_PARAM_SIZE, 32);
    works(EVP_MAC_init(ctx, ki, sizeof(ki), NULL) && EVP_MAC_update(ctx, (const void *)"ab", 2));
    refused(EVP_MAC_CTX_set_params(ctx, args.params), "too late to change", "key");
    works(EVP_MAC_CTX_set_params(ctx, size_only.params));
    works(EVP_MAC_final(ctx, sres, &size, sizeof(sres)));
    ck_assert_uint_eq(size, 32);
    EVP_MAC_CTX_free(ctx);
    args_free(&args);
    args_free(&size_only);
}
END_TEST

START_TEST(mac_without_init)
{
    EVP_MAC_CTX *ctx = mac_new(with.libctx, USI_MAC_A3);
    unsigned char ki[16] = {0}, sres[32];
    size_t size = 0;

    refused(EVP_MAC_update(ctx, sres, 1), "not initialised", "EVP_MAC_init() first");
    works(EVP_MAC_init(ctx, ki, sizeof(ki), NULL) && EVP_MAC_final(ctx, sres, &size, sizeof(sres)));
    refused(EVP_MAC_final(ctx, sres, &size, sizeof(sres)), "not initialised",
            "EVP_MAC_init() first");
    EVP_MAC_CTX_free(ctx);
}
END_TEST

START_TEST(sizes_that_contexts_report)
{
    EVP_MAC_CTX *a3 = mac_new(with.libctx, USI_MAC_A3);
    EVP_KDF_CTX *a8 = kdf_new(with.libctx, USI_KDF_A8);
    struct args args = args_new();

    ck_assert_uint_eq(EVP_MAC_CTX_get_mac_size(a3), 16);
    ck_assert_uint_eq(EVP_KDF_CTX_get_kdf_size(a8), SIZE_MAX);
    args_number(&args, USI_PARAM_SIZE, 7);
    works(EVP_MAC_CTX_set_params(a3, args.params));
    ck_assert_uint_eq(EVP_MAC_CTX_get_mac_size(a3), 7);
    EVP_MAC_CTX_free(a3);
    EVP_KDF_CTX_free(a8);
    args_free(&args);
}
END_TEST

START_TEST(the_key_cannot_be_read_back)
{
    unsigned char key[32] = {0}, none[32] = {0};
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(USI_PARAM_KEY, key, sizeof(key)),
                           OSSL_PARAM_construct_end()};
    EVP_KDF_CTX *ctx = kdf_new(with.libctx, USI_KDF_A8);
    struct args args = both(KI, RAND);

    works(EVP_KDF_CTX_set_params(ctx, args.params) && EVP_KDF_CTX_get_params(ctx, params));
    ck_assert(!OSSL_PARAM_modified(&params[0]));
    same(key, none, sizeof(key), "the buffer");
    EVP_KDF_CTX_free(ctx);
    args_free(&args);
}
END_TEST

START_TEST(works_alone)
{
    struct loaded alone = load(false);
    struct args args = both(KI, RAND);
    unsigned char kc[32], expected[32];

    works(kdf(alone.libctx, USI_KDF_A8, &args, kc, sizeof(kc)));
    expected_kc(KI, RAND, expected);
    same(kc, expected, sizeof(kc), "Kc");
    ck_assert_ptr_null(
        EVP_MD_fetch(alone.libctx, "SHA256", NULL)); /* we lend out nothing of ours */
    ERR_clear_error();
    unload(&alone);
    args_free(&args);
}
END_TEST

START_TEST(two_library_contexts)
{
    struct loaded other = load(true);
    EVP_KDF_CTX *here = kdf_new(with.libctx, USI_KDF_A8),
                *there = kdf_new(other.libctx, USI_KDF_A8);
    struct args args = both(KI, RAND);
    unsigned char kc[32];

    works(EVP_KDF_CTX_set_params(here, args.params));
    refused(EVP_KDF_derive(there, kc, sizeof(kc), NULL), "missing parameter", "key");
    works(EVP_KDF_CTX_set_params(there, args.params));
    check_kc(there, KI, RAND);
    EVP_KDF_CTX_free(there);
    unload(&other);
    check_kc(here, KI, RAND); /* goes on after the other one is gone */
    EVP_KDF_CTX_free(here);
    args_free(&args);
}
END_TEST

START_TEST(unload_and_reload)
{
    struct args args = both(KI, RAND), bad = both(KI, "00");
    unsigned char kc[32], expected[32];

    expected_kc(KI, RAND, expected);
    for (int i = 0; i < 20; i++) {
        struct loaded again = load(i % 2 == 0);
        works(kdf(again.libctx, USI_KDF_A8, &args, kc, sizeof(kc)));
        same(kc, expected, sizeof(kc), "Kc");
        refused(kdf(again.libctx, USI_KDF_A8, &bad, kc, sizeof(kc)), "wrong parameter size",
                "rand");
        unload(&again);
    }
    /* and within one library context */
    for (int i = 0; i < 5; i++) {
        works(OSSL_PROVIDER_unload(with.usi));
        ck_assert_ptr_null(EVP_KDF_fetch(with.libctx, USI_KDF_A8, "provider=usi"));
        ERR_clear_error();
        with.usi = OSSL_PROVIDER_load(with.libctx, "usi");
        works(with.usi != NULL && kdf(with.libctx, USI_KDF_A8, &args, kc, sizeof(kc)));
        same(kc, expected, sizeof(kc), "Kc");
    }
    args_free(&args);
    args_free(&bad);
}
END_TEST

/* One derivation with every algorithm that keeps something between calls. */
static bool derive_others(void)
{
    static const char *const names[][3] = {{"A8", "COMP128-1", NULL},    {"A8", "COMP128-3", NULL},
                                           {"A8", "GSM-MILENAGE", NULL}, {"AKA", "MILENAGE", "kc"},
                                           {"AKA", "XOR-3G", "kc"},      {"AKA", "TUAK", "kc"}};
    static const unsigned char expected[][8] = {{0x14, 0xca, 0x72, 0x4a, 0x6e, 0x16, 0x9c, 0x00},
                                                {0x7e, 0x9e, 0x50, 0xb9, 0x74, 0xd6, 0x9a, 0x85},
                                                {0x44, 0x84, 0xeb, 0x38, 0x16, 0x38, 0xf3, 0x59},
                                                {0x44, 0x84, 0xeb, 0x38, 0x16, 0x38, 0xf3, 0x59},
                                                {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
                                                {0xe7, 0x83, 0x87, 0xbc, 0xb5, 0x5b, 0x79, 0x47}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct args args = both(KI, RAND);
        unsigned char kc[8];
        bool ok;

        args_word(&args, USI_PARAM_ALGORITHM, names[i][1]);
        if (names[i][2] != NULL)
            args_word(&args, USI_PARAM_OUTPUT, names[i][2]);
        args_hex(&args, USI_PARAM_OP, OTHER);
        args_hex(&args, USI_PARAM_TOP, OTHER OTHER);
        ok =
            kdf(with.libctx, names[i][0], &args, kc, sizeof(kc)) && memcmp(kc, expected[i], 8) == 0;
        args_free(&args);
        if (!ok)
            return false;
    }
    return true;
}

static void *derive_many(void *expected)
{
    for (int i = 0; i < 30; i++) {
        struct args args = both(KI, RAND);
        unsigned char out[32];
        size_t room = sizeof(out);

        if (!kdf(with.libctx, USI_KDF_A8, &args, out, sizeof(out)) ||
            memcmp(out, expected, 32) != 0 ||
            !mac(with.libctx, USI_MAC_A3, &args, NULL, 0, out, &room))
            return expected;
        args_hex(&args, USI_PARAM_RAND, RAND);
        if (kdf(with.libctx, USI_KDF_A8, &args, out, sizeof(out)) || !derive_others())
            return expected;
        args_free(&args);
    }
    return NULL;
}

START_TEST(eight_threads)
{
    unsigned char expected[32];
    pthread_t threads[8];
    void *failed;

    expected_kc(KI, RAND, expected);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, derive_many, expected), 0);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

static void *load_many(void *unused)
{
    for (int i = 0; i < 4; i++) {
        struct loaded own = load(false);
        struct args args = both(KI, RAND);
        unsigned char out[32];

        works(kdf(own.libctx, USI_KDF_A8, &args, out, sizeof(out)));
        unload(&own);
        args_free(&args);
    }
    return unused;
}

START_TEST(eight_threads_that_load)
{
    pthread_t threads[8];

    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, load_many, NULL), 0);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

START_TEST(provider_parameters)
{
    char *name = NULL, *version = NULL;
    int status = 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_NAME, &name, 0),
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, &version, 0),
        OSSL_PARAM_construct_int(OSSL_PROV_PARAM_STATUS, &status),
        OSSL_PARAM_construct_end(),
    };

    works(OSSL_PROVIDER_get_params(with.usi, params));
    ck_assert_int_eq(status, 1);
    ck_assert_ptr_nonnull(name);
    ck_assert_str_eq(version, USI_VERSION);
    works(OSSL_PROVIDER_self_test(with.usi));
}
END_TEST

struct report {
    int begun, passed, failed;
    const char *corrupt; /* the test to spoil, or NULL */
};

static int on_self_test(const OSSL_PARAM params[], void *argument)
{
    struct report *report = argument;
    const OSSL_PARAM *phase = OSSL_PARAM_locate_const(params, OSSL_PROV_PARAM_SELF_TEST_PHASE);
    const OSSL_PARAM *name = OSSL_PARAM_locate_const(params, OSSL_PROV_PARAM_SELF_TEST_DESC);

    report->begun += strcmp(phase->data, OSSL_SELF_TEST_PHASE_START) == 0;
    report->passed += strcmp(phase->data, OSSL_SELF_TEST_PHASE_PASS) == 0;
    report->failed += strcmp(phase->data, OSSL_SELF_TEST_PHASE_FAIL) == 0;
    /* 0 in this phase asks for a wrong octet */
    return strcmp(phase->data, OSSL_SELF_TEST_PHASE_CORRUPT) != 0 || report->corrupt == NULL ||
           strcmp(name->data, report->corrupt) != 0;
}

static int status(void)
{
    int answer = -1;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_int(OSSL_PROV_PARAM_STATUS, &answer),
                           OSSL_PARAM_construct_end()};

    works(OSSL_PROVIDER_get_params(with.usi, params));
    return answer;
}

START_TEST(self_test_passes_and_fails)
{
    static const char *const names[] = {"A8 USI",    "A3 USI",      "COMP128-1",   "COMP128-2",
                                        "COMP128-3", "MILENAGE",    "TUAK",        "XOR",
                                        "3GPP-KDF",  "AES-128-OCB", "AES-192-OCB", "AES-256-OCB"};
    const int count = sizeof(names) / sizeof(names[0]);
    struct report report = {0};

    OSSL_SELF_TEST_set_callback(with.libctx, on_self_test, &report);
    works(OSSL_PROVIDER_self_test(with.usi));
    ck_assert_int_eq(report.begun, count);
    ck_assert_int_eq(report.passed, count);
    for (int i = 0; i < count; i++) {
        report = (struct report){.corrupt = names[i]};
        refused(OSSL_PROVIDER_self_test(with.usi), "self-test failed", names[i]);
        ck_assert_int_eq(report.failed, 1);
        ck_assert_int_eq(report.passed, i);
        ck_assert_int_eq(status(), 0);
        report.corrupt = NULL;
        /* a provider whose self-test failed has lost its algorithms in libcrypto's eyes; its status
         * recovers */
        works(OSSL_PROVIDER_self_test(with.usi));
        ck_assert_int_eq(status(), 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider: behaviour");
    TCase *tcase = tcase_create("behaviour");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, kdf_dup_is_independent);
    tcase_add_test(tcase, kdf_reset_forgets);
    tcase_add_test(tcase, kdf_parameters_are_copied_and_replaced_one_by_one);
    tcase_add_test(tcase, a_refused_array_changes_nothing);
    tcase_add_test(tcase, mac_dup_in_the_middle);
    tcase_add_test(tcase, mac_dup_before_init);
    tcase_add_test(tcase, mac_init_again_starts_anew);
    tcase_add_test(tcase, mac_settings_may_follow_init);
    tcase_add_test(tcase, mac_settings_are_too_late_after_data);
    tcase_add_test(tcase, mac_without_init);
    tcase_add_test(tcase, sizes_that_contexts_report);
    tcase_add_test(tcase, the_key_cannot_be_read_back);
    tcase_add_test(tcase, works_alone);
    tcase_add_test(tcase, two_library_contexts);
    tcase_add_test(tcase, unload_and_reload);
    tcase_add_test(tcase, eight_threads);
    tcase_add_test(tcase, eight_threads_that_load);
    tcase_add_test(tcase, provider_parameters);
    tcase_add_test(tcase, self_test_passes_and_fails);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
