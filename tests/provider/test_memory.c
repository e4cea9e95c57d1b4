/* Memory: every allocation made to fail once, keys gone from what is freed, keys in the secure
 * heap. */
#include "evp.h"
#include "usi/names.h"

#include <check.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#define KI   "3c1f0a99e7d25b64f0a8837bc6e21d55" /* what is looked for in freed memory */
#define RAND "000102030405060708090a0b0c0d0e0f"

static const struct operation {
    const char *name, *algorithm, *output;
    size_t size;
} operations[] = {
    {"A8", "USI", NULL, 40},          {"A8", "COMP128-1", NULL, 8},
    {"A8", "COMP128-3", NULL, 8},     {"A8", "XOR-2G", NULL, 8},
    {"A8", "GSM-MILENAGE", NULL, 8},  {"AKA", "MILENAGE", "vector", 72},
    {"AKA", "MILENAGE", "kc128", 16}, {"AKA", "TUAK", "vector", 72},
    {"AKA", "XOR-3G", "vector", 80},  {"3GPP-KDF", NULL, NULL, 32},
    {"3GPP-CONV", NULL, NULL, 16},    {"A3", "USI", NULL, 16},
    {"A3", "COMP128-1", NULL, 4},     {"A3", "GSM-MILENAGE", NULL, 4},
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define LEAKS_ARE_CHECKED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define LEAKS_ARE_CHECKED 1
#endif
#ifndef LEAKS_ARE_CHECKED
#define LEAKS_ARE_CHECKED 0
#endif

/* ---- libcrypto's memory is ours ---- */

static long until_failure = -1; /* allocations that still succeed; below 0 all do */
static bool watching;           /* whether freed memory is searched for the key */
static int found;
static unsigned char ki[16];

static bool fails(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

static void search(const unsigned char *memory)
{
    size_t size = memory == NULL || !watching ? 0 : malloc_usable_size((void *)(uintptr_t)memory);

    for (size_t i = 0; i + sizeof(ki) <= size; i++)
        found += memcmp(memory + i, ki, sizeof(ki)) == 0;
}

static void *our_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : malloc(size);
}

static void our_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    search(memory);
    free(memory);
}

static void *our_realloc(void *memory, size_t size, const char *file, int line)
{
    void *moved;

    (void)line;
    if (fails())
        return NULL;
    moved = malloc(size);
    if (moved != NULL && memory != NULL) {
        size_t old = malloc_usable_size(memory);
        memcpy(moved, memory, old < size ? old : size);
        our_free(memory, file, line);
    }
    return moved;
}

/* ---- tests ---- */

static struct loaded with;

static void setup(void)
{
    from_hex(KI, ki, sizeof(ki));
    with = load(false);
}

static void teardown(void)
{
    unload(&with);
}

static struct args args_of(const struct operation *operation)
{
    struct args args = args_new();

    if (operation->algorithm != NULL)
        args_word(&args, USI_PARAM_ALGORITHM, operation->algorithm);
    if (operation->output != NULL)
        args_word(&args, USI_PARAM_OUTPUT, operation->output);
    args_hex(&args, USI_PARAM_KEY, strcmp(operation->name, "3GPP-KDF") == 0 ? KI KI KI : KI);
    if (operation->algorithm != NULL && strcmp(operation->algorithm, "USI") == 0)
        args_hex(&args, USI_PARAM_RAND, RAND RAND RAND RAND);
    else
        args_hex(&args, USI_PARAM_RAND, RAND);
    args_hex(&args, USI_PARAM_OP, KI);
    args_hex(&args, USI_PARAM_TOP, KI KI);
    args_hex(&args, USI_PARAM_SQN, "000000000001");
    args_hex(&args, USI_PARAM_AMF, "8000");
    args_hex(&args, USI_PARAM_FC, "20");
    args_hex(&args, USI_PARAM_P0, KI KI KI);
    args_word(&args, USI_PARAM_FUNCTION, "kc128");
    args_hex(&args, USI_PARAM_CK, KI);
    args_hex(&args, USI_PARAM_IK, KI);
    return args;
}

/* Everything in the life of a context: set, duplicate, use the duplicate, free. False: refused
 * somewhere. */
static bool live_kdf(EVP_KDF *fetched, const struct args *args, unsigned char *out, size_t size)
{
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(fetched), *copy = NULL;
    bool ok = ctx != NULL && EVP_KDF_CTX_set_params(ctx, args->params) == 1 &&
              (copy = EVP_KDF_CTX_dup(ctx)) != NULL && EVP_KDF_derive(copy, out, size, NULL) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_CTX_free(copy);
    return ok;
}

static bool live_mac(EVP_MAC *fetched, const struct args *args, unsigned char *out, size_t size)
{
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(fetched), *copy = NULL;
    unsigned char start[3] = {1, 2, 3};
    struct args by_message = *args;
    bool ok;

    /* half of the message before duplicating: RAND does without here */
    for (size_t i = 0; i < by_message.count; i++)
        if (strcmp(by_message.params[i].key, USI_PARAM_RAND) == 0)
            by_message.params[i].key = "unknown";
    ok = ctx != NULL && EVP_MAC_init(ctx, NULL, 0, by_message.params) &&
         EVP_MAC_update(ctx, start, sizeof(start)) && (copy = EVP_MAC_CTX_dup(ctx)) != NULL &&
         EVP_MAC_update(copy, ki, 13) && EVP_MAC_final(copy, out, &size, size);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_CTX_free(copy);
    return ok;
}

struct fetched {
    EVP_KDF *kdf;
    EVP_MAC *mac;
};

static struct fetched fetch(const struct operation *operation)
{
    struct fetched fetched = {0};

    if (strcmp(operation->name, "A3") == 0)
        fetched.mac = EVP_MAC_fetch(with.libctx, operation->name, NULL);
    else
        fetched.kdf = EVP_KDF_fetch(with.libctx, operation->name, NULL);
    works(fetched.mac != NULL || fetched.kdf != NULL);
    return fetched;
}

static void forget(struct fetched *fetched)
{
    EVP_KDF_free(fetched->kdf);
    EVP_MAC_free(fetched->mac);
}

static bool live(const struct fetched *fetched, const struct args *args, unsigned char *out,
                 size_t size)
{
    return fetched->mac != NULL ? live_mac(fetched->mac, args, out, size)
                                : live_kdf(fetched->kdf, args, out, size);
}

START_TEST(every_allocation_fails_once)
{
    const struct operation *operation = &operations[_i];
    struct fetched fetched = fetch(operation);
    struct args args = args_of(operation);
    unsigned char right[128], out[128];
    long n = 0, refusals = 0;
    bool injected = true;

    works(live(&fetched, &args, right, operation->size));
    while (injected) {
        bool ok;
        until_failure = n++;
        ok = live(&fetched, &args, out, operation->size);
        injected = until_failure < 0;
        until_failure = -1;
        ERR_clear_error();
        refusals += !ok;
        if (ok)
            same(out, right, operation->size, "what came out in spite of a failure");
    }
    ck_assert_int_gt(refusals, 1);
    forget(&fetched);
    args_free(&args);
}
END_TEST

/* Half of a message before the context is copied, half after it. False: refused somewhere. */
static bool live_cipher(const EVP_CIPHER *cipher, unsigned char out[64 + 16])
{
    static const unsigned char iv[12] = {1}, message[64] = {2};
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new(), *copy = EVP_CIPHER_CTX_new();
    int size = 0, n = 0;
    bool ok = ctx != NULL && copy != NULL && EVP_EncryptInit_ex2(ctx, cipher, ki, iv, NULL) == 1 &&
              EVP_EncryptUpdate(ctx, NULL, &n, message, 20) == 1 &&
              EVP_EncryptUpdate(ctx, out, &size, message, 30) == 1 &&
              EVP_CIPHER_CTX_copy(copy, ctx) == 1 &&
              EVP_EncryptUpdate(copy, out + size, &n, message + 30, 34) == 1 &&
              EVP_EncryptFinal_ex(copy, out + size + n, &size) == 1 &&
              EVP_CIPHER_CTX_ctrl(copy, EVP_CTRL_AEAD_GET_TAG, 16, out + 64) == 1;

    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_CTX_free(copy);
    return ok;
}

START_TEST(every_allocation_of_a_cipher_fails_once)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(with.libctx, "AES-128-OCB", "provider=usi");
    unsigned char right[64 + 16], out[64 + 16];
    long n = 0, refusals = 0;
    bool injected = true;

    works(cipher != NULL && live_cipher(cipher, right));
    while (injected) {
        bool ok;
        until_failure = n++;
        ok = live_cipher(cipher, out);
        injected = until_failure < 0;
        until_failure = -1;
        ERR_clear_error();
        refusals += !ok;
        if (ok)
            same(out, right, sizeof(out), "what came out in spite of a failure");
    }
    ck_assert_int_gt(refusals, 1);
    EVP_CIPHER_free(cipher);
}
END_TEST

/*
 * Not under a leak checker: libcrypto 3.0 itself leaks when memory runs out within
 * OSSL_LIB_CTX_new(), and calls no teardown when it runs out after OSSL_provider_init().
 */
START_TEST(loading_without_memory)
{
    bool injected = true;

    for (long n = 0; injected; n++) {
        OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
        OSSL_PROVIDER *usi;

        works(libctx != NULL && OSSL_PROVIDER_set_default_search_path(libctx, USI_MODULES));
        until_failure = n;
        usi = OSSL_PROVIDER_load(libctx, "usi");
        injected = until_failure < 0;
        until_failure = -1;
        ck_assert(usi != NULL || injected);
        ERR_clear_error();
        if (usi != NULL)
            works(OSSL_PROVIDER_unload(usi));
        OSSL_LIB_CTX_free(libctx);
    }
}
END_TEST

START_TEST(freed_memory_holds_no_key)
{
    const struct operation *operation = &operations[_i];
    struct fetched fetched = fetch(operation);
    struct args args = args_of(operation);
    unsigned char out[128];

    watching = true;
    works(live(&fetched, &args, out, operation->size));
    watching = false;
    ck_assert_int_eq(found, 0);
    /* and a key in freed memory would have been seen */
    watching = true;
    OPENSSL_free(OPENSSL_memdup(ki, sizeof(ki)));
    watching = false;
    ck_assert_int_eq(found, 1);
    found = 0;
    forget(&fetched);
    args_free(&args);
}
END_TEST

START_TEST(keys_live_in_the_secure_heap)
{
    const struct operation *operation = &operations[_i];
    struct fetched fetched = fetch(operation);
    struct args args = args_of(operation);
    size_t before = CRYPTO_secure_used();

    if (fetched.kdf != NULL) {
        EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(fetched.kdf);
        works(ctx != NULL && EVP_KDF_CTX_set_params(ctx, args.params) == 1);
        ck_assert_uint_gt(CRYPTO_secure_used(), before);
        EVP_KDF_CTX_free(ctx);
    } else {
        EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(fetched.mac);
        works(ctx != NULL && EVP_MAC_CTX_set_params(ctx, args.params) == 1);
        ck_assert_uint_gt(CRYPTO_secure_used(), before);
        EVP_MAC_CTX_free(ctx);
    }
    ck_assert_uint_eq(CRYPTO_secure_used(), before);
    forget(&fetched);
    args_free(&args);
}
END_TEST

static void setup_secure(void)
{
    ck_assert_int_gt(CRYPTO_secure_malloc_init(1 << 16, 32), 0);
    setup();
}

int main(void)
{
    Suite *suite = suite_create("provider: memory");
    TCase *tcase = tcase_create("memory"), *secure = tcase_create("secure heap");
    SRunner *runner;
    int failed;

    if (!CRYPTO_set_mem_functions(our_malloc, our_realloc, our_free))
        return EXIT_FAILURE;
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, every_allocation_fails_once, 0, OPERATIONS);
    tcase_add_test(tcase, every_allocation_of_a_cipher_fails_once);
    if (!LEAKS_ARE_CHECKED)
        tcase_add_test(tcase, loading_without_memory);
    tcase_add_loop_test(tcase, freed_memory_holds_no_key, 0, OPERATIONS);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(secure, setup_secure, teardown);
    tcase_set_timeout(secure, 120);
    tcase_add_loop_test(secure, keys_live_in_the_secure_heap, 0, OPERATIONS);
    suite_add_tcase(suite, secure);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
