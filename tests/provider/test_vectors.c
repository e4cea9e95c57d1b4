/* Every case of tests/vectors that belongs to the provider, through EVP; and tokens that were
 * tampered with. */
#include "evp.h"
#include "usi/names.h"
#include "vectors.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define KEY "000102030405060708090a0b0c0d0e0f"

static struct loaded with;

static void setup(void)
{
    with = load(false);
}

static void teardown(void)
{
    unload(&with);
}

/* Compares with the field `name` of the case; a case without that field asks for nothing. */
static void expect(const struct vector *v, const char *name, const unsigned char *got, size_t size)
{
    unsigned char expected[512];

    ck_assert_uint_eq(from_hex(vector_get(v, name), expected, sizeof(expected)), size);
    ck_assert_msg(memcmp(got, expected, size) == 0, "%s: %s differs", vector_find(v, "title"),
                  name);
}

static void expect_kdf(const struct vector *v, const char *kdf_name, const struct args *args,
                       const char *name)
{
    unsigned char out[512];
    size_t size = strlen(vector_get(v, name)) / 2;

    works(kdf(with.libctx, kdf_name, args, out, size));
    expect(v, name, out, size);
}

static void expect_sres(const struct vector *v, const struct args *args, const char *name)
{
    unsigned char rand[16], sres[32];
    size_t size = sizeof(sres);
    struct args without_rand = *args;

    works(mac(with.libctx, USI_MAC_A3, args, NULL, 0, sres, &size));
    expect(v, name, sres, size);
    /* and with RAND as the message, in two pieces */
    size = sizeof(sres);
    from_hex(vector_get(v, "rand"), rand, sizeof(rand));
    without_rand.count = 0;
    for (size_t i = 0; i < args->count; i++)
        if (strcmp(args->params[i].key, USI_PARAM_RAND) != 0)
            without_rand.params[without_rand.count++] = args->params[i];
    without_rand.params[without_rand.count] = args->params[args->count];
    works(mac(with.libctx, USI_MAC_A3, &without_rand, rand, sizeof(rand), sres, &size));
    expect(v, name, sres, size);
}

static struct args subscriber(const struct vector *v, const char *algorithm)
{
    struct args args = args_new();

    args_word(&args, USI_PARAM_ALGORITHM, algorithm);
    args_hex(&args, USI_PARAM_KEY, vector_get(v, "ki"));
    args_hex(&args, USI_PARAM_RAND, vector_get(v, "rand"));
    return args;
}

static int check_a38(const char *file_name, const char *algorithm, const char *alg)
{
    struct vector v = {.count = 0};
    FILE *file = vectors_open(file_name);
    int cases = 0;

    while (vectors_next(file, &v)) {
        struct args args;
        if (alg != NULL && strcmp(vector_get(&v, "alg"), alg) != 0)
            continue;
        args = subscriber(&v, algorithm);
        expect_sres(&v, &args, "sres");
        expect_kdf(&v, USI_KDF_A8, &args, "kc");
        args_free(&args);
        cases++;
    }
    fclose(file);
    return cases;
}

START_TEST(comp128)
{
    ck_assert_int_gt(check_a38("comp128v1.txt", USI_A38_COMP128_1, NULL), 20);
    ck_assert_int_gt(check_a38("comp128v2.txt", USI_A38_COMP128_2, NULL), 70);
    ck_assert_int_gt(check_a38("comp128v3.txt", USI_A38_COMP128_3, NULL), 70);
}
END_TEST

START_TEST(xor_2g)
{
    ck_assert_int_gt(check_a38("xor.txt", USI_A38_XOR_2G, "XOR-2G"), 2);
}
END_TEST

START_TEST(gsm_milenage)
{
    struct vector v = {.count = 0};
    FILE *file = vectors_open("gsm-milenage.txt");

    while (vectors_next(file, &v)) {
        struct args args = subscriber(&v, USI_A38_GSM_MILENAGE);
        args_hex(&args, USI_PARAM_OPC, vector_get(&v, "opc"));
        expect_kdf(&v, USI_KDF_A8, &args, "kc");
        expect_sres(&v, &args, "sres1");
        args_number(&args, USI_PARAM_SRES_FUNCTION, 1);
        expect_sres(&v, &args, "sres1");
        args_drop(&args, USI_PARAM_SRES_FUNCTION);
        args_number(&args, USI_PARAM_SRES_FUNCTION, 2);
        expect_sres(&v, &args, "sres2");
        args_free(&args);
    }
    fclose(file);
}
END_TEST

/* AKA with `output`, compared with the field of the case. */
static void expect_aka(const struct vector *v, const struct args *args, const char *output,
                       const char *name)
{
    struct args with_output = *args;
    char word[16];

    snprintf(word, sizeof(word), "%s", output);
    with_output.params[args->count] = OSSL_PARAM_construct_utf8_string(USI_PARAM_OUTPUT, word, 0);
    with_output.params[args->count + 1] = args->params[args->count];
    expect_kdf(v, USI_KDF_AKA, &with_output, name);
}

static struct args aka_args(const struct vector *v, const char *algorithm)
{
    static const char *const names[] = {"rand", "sqn", "amf"};
    struct args args = args_new();

    args_word(&args, USI_PARAM_ALGORITHM, algorithm);
    args_hex(&args, USI_PARAM_KEY, vector_get(v, "k"));
    for (int i = 0; i < 3; i++)
        args_hex(&args, names[i], vector_get(v, names[i]));
    return args;
}

static void expect_f(const struct vector *v, const struct args *args)
{
    static const char *const outputs[][2] = {
        {"mac-a", "mac_a"}, {"mac-s", "mac_s"}, {"res", "res"},         {"ck", "ck"},
        {"ik", "ik"},       {"ak", "ak"},       {"ak-star", "ak_star"},
    };

    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++)
        expect_aka(v, args, outputs[i][0], outputs[i][1]);
}

START_TEST(milenage)
{
    struct vector v = {.count = 0};
    FILE *file = vectors_open("milenage.txt");

    while (vectors_next(file, &v)) {
        struct args args = aka_args(&v, USI_AKA_MILENAGE);
        args_hex(&args, USI_PARAM_OP, vector_get(&v, "op"));
        expect_aka(&v, &args, "opc", "opc");
        expect_f(&v, &args);
        args_drop(&args, USI_PARAM_OP);
        args_hex(&args, USI_PARAM_OPC, vector_get(&v, "opc"));
        expect_aka(&v, &args, "opc", "opc");
        expect_f(&v, &args);
        args_free(&args);
    }
    fclose(file);
}
END_TEST

/* AUTN and AUTS both ways, the vector, and the 2G values. */
static void expect_tokens(const struct vector *v, struct args *args)
{
    struct vector row = *v;
    char vector[512];

    snprintf(vector, sizeof(vector), "%s%s%s%s%s", vector_get(v, "rand"), vector_get(v, "res"),
             vector_get(v, "ck"), vector_get(v, "ik"), vector_get(v, "autn"));
    row.names[row.count] = (char[]){"vector"};
    row.values[row.count++] = vector;
    expect_aka(&row, args, "vector", "vector");
    expect_aka(v, args, "autn", "autn");
    expect_aka(v, args, "sres", "sres");
    expect_aka(v, args, "kc", "kc");
    args_hex(args, USI_PARAM_AUTN, vector_get(v, "autn"));
    args_hex(args, USI_PARAM_AUTS, vector_get(v, "auts"));
    expect_aka(v, args, "sqn", "sqn");
    expect_aka(v, args, "sqn-ms", vector_find(v, "sqn_ms") != NULL ? "sqn_ms" : "sqn");
    args_drop(args, USI_PARAM_SQN);
    args_drop(args, USI_PARAM_AMF);
    args_hex(args, USI_PARAM_SQN,
             vector_get(v, vector_find(v, "sqn_ms") != NULL ? "sqn_ms" : "sqn"));
    expect_aka(v, args, "auts", "auts");
}

START_TEST(milenage_aka)
{
    struct vector v = {.count = 0};
    FILE *file = vectors_open("milenage-aka.txt");

    while (vectors_next(file, &v)) {
        struct args args = aka_args(&v, USI_AKA_MILENAGE);
        args_hex(&args, USI_PARAM_OPC, vector_get(&v, "opc"));
        expect_aka(&v, &args, "res", "res");
        expect_aka(&v, &args, "ck", "ck");
        expect_aka(&v, &args, "ik", "ik");
        expect_tokens(&v, &args);
        args_free(&args);
    }
    fclose(file);
}
END_TEST

START_TEST(xor_3g)
{
    struct vector v = {.count = 0};
    FILE *file = vectors_open("xor.txt");
    int cases = 0;

    while (vectors_next(file, &v)) {
        struct args args;
        if (strcmp(vector_get(&v, "alg"), USI_AKA_XOR_3G) != 0)
            continue;
        args = aka_args(&v, USI_AKA_XOR_3G);
        expect_aka(&v, &args, "mac-a", "mac_a");
        expect_aka(&v, &args, "ak", "ak");
        expect_aka(&v, &args, "ak-star", "ak");
        expect_tokens(&v, &args);
        args_free(&args);
        cases++;
    }
    fclose(file);
    ck_assert_int_gt(cases, 2);
}
END_TEST

START_TEST(tuak)
{
    struct vector v = {.count = 0};
    FILE *file = vectors_open("tuak.txt");

    while (vectors_next(file, &v)) {
        struct args args = aka_args(&v, USI_AKA_TUAK);
        args_number(&args, USI_PARAM_RES_SIZE, strlen(vector_get(&v, "res")) / 2);
        args_number(&args, USI_PARAM_CK_SIZE, strlen(vector_get(&v, "ck")) / 2);
        args_number(&args, USI_PARAM_IK_SIZE, strlen(vector_get(&v, "ik")) / 2);
        args_number(&args, USI_PARAM_MAC_SIZE, strlen(vector_get(&v, "mac_a")) / 2);
        args_number(&args, USI_PARAM_ITERATIONS, strtoul(vector_get(&v, "iterations"), NULL, 10));
        args_hex(&args, USI_PARAM_TOP, vector_get(&v, "top"));
        expect_aka(&v, &args, "topc", "topc");
        expect_f(&v, &args);
        args_drop(&args, USI_PARAM_TOP);
        args_hex(&args, USI_PARAM_TOPC, vector_get(&v, "topc"));
        expect_f(&v, &args);
        args_free(&args);
    }
    fclose(file);
}
END_TEST

START_TEST(conversion)
{
    static const struct {
        const char *function, *in[2], *field;
    } all[] = {
        {"c2", {"res", NULL}, "sres1"},
        {"c3", {"ck", "ik"}, "kc"},
        {"c4", {"kc", NULL}, "c4_ck"},
        {"c5", {"kc", NULL}, "c5_ik"},
    };
    struct vector v = {.count = 0};
    FILE *file = vectors_open("conversion.txt");

    while (vectors_next(file, &v))
        for (size_t n = 0; n < sizeof(all) / sizeof(all[0]); n++) {
            struct args args = args_new();
            args_word(&args, USI_PARAM_FUNCTION, all[n].function);
            for (int i = 0; i < 2 && all[n].in[i] != NULL; i++)
                args_hex(&args, all[n].in[i], vector_get(&v, all[n].in[i]));
            expect_kdf(&v, USI_KDF_3GPP_CONV, &args, all[n].field);
            args_free(&args);
        }
    fclose(file);
}
END_TEST

START_TEST(kdf_3gpp)
{
    static const char *const p[] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"};
    struct vector v = {.count = 0};
    FILE *file = vectors_open("kdf-3gpp.txt");

    while (vectors_next(file, &v)) {
        struct args args = args_new();
        unsigned char out[32];
        const char *take = vector_get(&v, "take");

        args_hex(&args, USI_PARAM_KEY, vector_get(&v, "key"));
        args_hex(&args, USI_PARAM_FC, vector_get(&v, "fc"));
        for (int n = 0; n < 10 && vector_find(&v, p[n]) != NULL; n++)
            args_hex(&args, p[n], vector_get(&v, p[n]));
        works(kdf(with.libctx, USI_KDF_3GPP_KDF, &args, out, sizeof(out)));
        expect(&v, "out", strcmp(take, "last16") == 0 ? out + 16 : out,
               strcmp(take, "all") == 0 ? 32 : 16);
        args_free(&args);
        /* FC 32 without a parameter is Kc128, which two other KDFs give too */
        if (strcmp(vector_get(&v, "fc"), "32") == 0) {
            struct args conv = args_new();
            unsigned char key[32];
            from_hex(vector_get(&v, "key"), key, sizeof(key));
            args_word(&conv, USI_PARAM_FUNCTION, "kc128");
            args_octets(&conv, USI_PARAM_CK, key, 16);
            args_octets(&conv, USI_PARAM_IK, key + 16, 16);
            expect_kdf(&v, USI_KDF_3GPP_CONV, &conv, "out");
            args_free(&conv);
        }
    }
    fclose(file);
}
END_TEST

/* An AUTN or AUTS with any one bit changed is not believed, and gives nothing. */
START_TEST(forged_tokens)
{
    static const struct {
        const char *algorithm, *make, *name, *check;
        size_t size;
    } all[] = {
        {"MILENAGE", "autn", "autn", "sqn", 16}, {"MILENAGE", "auts", "auts", "sqn-ms", 14},
        {"TUAK", "autn", "autn", "sqn", 16},     {"TUAK", "auts", "auts", "sqn-ms", 14},
        {"XOR-3G", "autn", "autn", "sqn", 16},   {"XOR-3G", "auts", "auts", "sqn-ms", 14},
    };
    unsigned char token[16], sqn[6], untouched[6];
    struct args args = args_new();

    args_word(&args, "algorithm", all[_i].algorithm);
    args_hex(&args, "key", KEY);
    args_hex(&args, "opc", KEY);
    args_hex(&args, "topc", KEY KEY);
    args_hex(&args, "rand", "ffeeddccbbaa99887766554433221100");
    args_hex(&args, "sqn", "0000000000aa");
    args_hex(&args, "amf", "8000");
    args_word(&args, "output", all[_i].make);
    works(kdf(with.libctx, "AKA", &args, token, all[_i].size));
    args_drop(&args, "output");
    args_drop(&args, "sqn");
    args_word(&args, "output", all[_i].check);
    memset(untouched, 0xa5, sizeof(untouched));
    for (size_t bit = 0; bit < 8 * all[_i].size; bit++) {
        token[bit / 8] ^= (unsigned char)(1u << bit % 8);
        args_octets(&args, all[_i].name, token, all[_i].size);
        memset(sqn, 0xa5, sizeof(sqn));
        refused(kdf(with.libctx, "AKA", &args, sqn, sizeof(sqn)), "MAC mismatch", all[_i].name);
        same(sqn, untouched, sizeof(sqn), "the buffer after a forgery");
        args_drop(&args, all[_i].name);
        token[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    args_octets(&args, all[_i].name, token, all[_i].size);
    works(kdf(with.libctx, "AKA", &args, sqn, sizeof(sqn)));
    ck_assert_int_eq(sqn[5], 0xaa);
    args_free(&args);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider: vectors");
    TCase *tcase = tcase_create("vectors");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, comp128);
    tcase_add_test(tcase, xor_2g);
    tcase_add_test(tcase, gsm_milenage);
    tcase_add_test(tcase, milenage);
    tcase_add_test(tcase, milenage_aka);
    tcase_add_test(tcase, xor_3g);
    tcase_add_test(tcase, tuak);
    tcase_add_test(tcase, conversion);
    tcase_add_test(tcase, kdf_3gpp);
    tcase_add_loop_test(tcase, forged_tokens, 0, 6);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
