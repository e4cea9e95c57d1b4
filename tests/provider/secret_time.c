/*
 * Whether a branch or an address depends on a secret: run under valgrind's memcheck, that complains
 * of just that about octets it takes for undefined, and here every key is. "secret_time naive"
 * looks up in a table by a key, which must be complained about: it shows that the method sees what
 * it is meant to see.
 */
#include "algorithms/comp128.h"
#include "evp.h"
#include "ocb_message.h"
#include "usi/names.h"

#include <check.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#define K16 "000102030405060708090a0b0c0d0e0f"
#define K32 K16 K16

static const struct {
    const char *name;
    size_t size;
    const char *params[8]; /* "name=word", "name:hex", "name!hex" for a secret */
} operations[] = {
    {"A8", 40, {"algorithm=USI", "key!" K32, "rand:" K32}},
    {"A8", 8, {"algorithm=COMP128-1", "key!" K16, "rand:" K16}},
    {"A8", 8, {"algorithm=COMP128-2", "key!" K16, "rand:" K16}},
    {"A8", 8, {"algorithm=COMP128-3", "key!" K16, "rand:" K16}},
    {"A8", 8, {"algorithm=XOR-2G", "key!" K16, "rand:" K16}},
    {"A8", 8, {"algorithm=GSM-MILENAGE", "key!" K16, "rand:" K16, "opc!" K16}},
    {"A3", 16, {"algorithm=USI", "key!" K32, "rand:" K32}},
    {"A3", 4, {"algorithm=COMP128-1", "key!" K16, "rand:" K16}},
    {"A3", 4, {"algorithm=COMP128-2", "key!" K16, "rand:" K16}},
    {"A3", 4, {"algorithm=COMP128-3", "key!" K16, "rand:" K16}},
    {"A3", 4, {"algorithm=XOR-2G", "key!" K16, "rand:" K16}},
    {"A3", 4, {"algorithm=GSM-MILENAGE", "key!" K16, "rand:" K16, "op!" K16}},
    {"AKA",
     72,
     {"algorithm=MILENAGE", "output=vector", "key!" K16, "op!" K16, "rand:" K16, "sqn!000102030405",
      "amf:8000"}},
    {"AKA",
     14,
     {"algorithm=MILENAGE", "output=auts", "key!" K16, "opc!" K16, "rand:" K16,
      "sqn!000102030405"}},
    {"AKA", 16, {"algorithm=MILENAGE", "output=kc128", "key!" K16, "opc!" K16, "rand:" K16}},
    {"AKA",
     72,
     {"algorithm=TUAK", "output=vector", "key!" K32, "top!" K32, "rand:" K16, "sqn!000102030405",
      "amf:8000"}},
    {"AKA",
     14,
     {"algorithm=TUAK", "output=auts", "key!" K16, "topc!" K32, "rand:" K16, "sqn!000102030405"}},
    {"AKA",
     80,
     {"algorithm=XOR-3G", "output=vector", "key!" K16, "rand:" K16, "sqn!000102030405",
      "amf:8000"}},
    {"AKA", 4, {"algorithm=MILENAGE", "output=sres", "key!" K16, "opc!" K16, "rand:" K16}},
    {"AKA", 8, {"algorithm=MILENAGE", "output=kc", "key!" K16, "opc!" K16, "rand:" K16}},
    {"3GPP-KDF", 32, {"key!" K32, "fc:20", "p0!574c414e", "p1!000102030405"}},
    {"3GPP-CONV", 4, {"function=c2", "res!0001020304050607"}},
    {"3GPP-CONV", 8, {"function=c3", "ck!" K16, "ik!" K16}},
    {"3GPP-CONV", 16, {"function=c4", "kc!0001020304050607"}},
    {"3GPP-CONV", 16, {"function=c5", "kc!0001020304050607"}},
    {"3GPP-CONV", 16, {"function=kc128", "ck!" K16, "ik!" K16}},
};

/* The key's undefinedness must have reached the output, or nothing was shown. */
static void depends(const unsigned char *out)
{
    unsigned char undefined[4] = {0};

    (void)VALGRIND_GET_VBITS(out, undefined, sizeof(undefined));
    for (size_t i = 0; RUNNING_ON_VALGRIND && i < sizeof(undefined); i++)
        ck_assert_uint_eq(undefined[i], 0xff);
}

static void run(const struct loaded *loaded, size_t n)
{
    struct args args = args_new();
    unsigned char out[128];
    size_t size = sizeof(out);
    char names[8][16] = {{0}};

    for (int i = 0; i < 8 && operations[n].params[i] != NULL; i++) {
        const char *text = operations[n].params[i];
        size_t length = strcspn(text, "=:!");
        memcpy(names[i], text, length);
        if (text[length] == '=')
            args_word(&args, names[i], text + length + 1);
        else
            args_hex(&args, names[i], text + length + 1);
        if (text[length] == '!')
            VALGRIND_MAKE_MEM_UNDEFINED(args.params[args.count - 1].data,
                                        args.params[args.count - 1].data_size);
    }
    if (strcmp(operations[n].name, "A3") == 0)
        works(mac(loaded->libctx, "A3", &args, NULL, 0, out, &size));
    else
        works(kdf(loaded->libctx, operations[n].name, &args, out, operations[n].size));
    if (strstr(operations[n].params[1], "vector") == NULL) /* which begins with RAND */
        depends(out);
    args_free(&args);
}

static void run_comp128(comp128_function *function)
{
    unsigned char ki[16] = {1, 2, 3}, rand[16] = {4, 5, 6}, sres[4], kc[8];

    VALGRIND_MAKE_MEM_UNDEFINED(ki, sizeof(ki));
    function(ki, rand, sres, kc);
    depends(sres);
}

START_TEST(comp128_without_the_provider)
{
    run_comp128(comp128_1_portable);
    run_comp128(comp128_3_portable);
    if (comp128_has_ssse3()) {
        run_comp128(comp128_1_ssse3);
        run_comp128(comp128_3_ssse3);
    }
    if (comp128_has_avx2())
        run_comp128(comp128_3_avx2);
}
END_TEST

START_TEST(every_operation)
{
    struct loaded loaded = load(false);

    for (size_t n = 0; n < sizeof(operations) / sizeof(operations[0]); n++)
        run(&loaded, n);
    unload(&loaded);
}
END_TEST

/*
 * Key, associated data and octets are secret; sizes and nonces are not. Opening stops before the
 * end, where whether the tag was right is told. valgrind's processor has no VAES: here are the
 * paths that it knows.
 */
START_TEST(ocb_on_every_path)
{
    const struct ocb_path *paths[OCB_PATHS_MAX];
    size_t count = ocb_able(paths);

    for (size_t i = 0; i < count; i++) {
        struct ocb_loaded loaded = ocb_load(paths[i]);
        for (size_t size = 5; size < 700; size += 97) {
            unsigned char key[32] = {1}, nonce[12] = {2}, octets[700] = {3}, out[700],
                          tag[16] = {4};
            struct ocb_message m = {key, nonce, octets, octets, 32, 12, 16, size / 3, size};
            EVP_CIPHER_CTX *ctx;
            int made = 0;
            VALGRIND_MAKE_MEM_UNDEFINED(key, sizeof(key));
            VALGRIND_MAKE_MEM_UNDEFINED(octets, sizeof(octets));
            ctx = ocb_begin(loaded.cipher[2], &m, tag);
            works(EVP_DecryptUpdate(ctx, out, &made, octets, (int)size) == 1);
            EVP_CIPHER_CTX_free(ctx);
            if (made > 0)
                depends(out);
            works(ocb_seal(loaded.cipher[2], &m, (struct ocb_how){0, false}, out, tag));
            depends(out);
            depends(tag);
        }
        printf("AES-OCB: %s\n", loaded.name);
        ocb_unload(&loaded);
    }
}
END_TEST

int main(int count, char **arguments)
{
    Suite *suite = suite_create("provider: secret-independent time");
    TCase *tcase = tcase_create("secret time");
    SRunner *runner;
    int failed;

    if (count > 1 && strcmp(arguments[1], "naive") == 0) {
        unsigned char ki[16] = {1};
        VALGRIND_MAKE_MEM_UNDEFINED(ki, sizeof(ki));
        return comp128_tables.t0[ki[0]] == 0;
    }
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, comp128_without_the_provider);
    tcase_add_test(tcase, every_operation);
    tcase_add_test(tcase, ocb_on_every_path);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
