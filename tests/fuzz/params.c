/*
 * Parameters from hostile hands, for libFuzzer: the input is read as a program of calls on one
 * EVP_KDF, EVP_MAC or EVP_CIPHER context, with parameter arrays of any names, types, sizes and
 * values. Nothing may crash, hang, or write past the output's end. The provider is linked in, so
 * that its branches count.
 */
#include "usi/names.h"

#include "fuzz.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern OSSL_provider_init_fn OSSL_provider_init;

static const char *const operations[] = {"A3", "A8", "AKA", "3GPP-KDF", "3GPP-CONV", "AES-256-OCB"};
static const char *const names[] = {
    "algorithm",     "key",      "rand",    "op",    "opc",    "top",    "topc",
    "sres-function", "size",     "sqn",     "amf",   "autn",   "auts",   "output",
    "res-size",      "ck-size",  "ik-size", "fc",    "p0",     "p1",     "p9",
    "iterations",    "function", "res",     "ck",    "ik",     "kc",     "mac-size",
    "unknown",       "",         "tag",     "ivlen", "keylen", "taglen", "iv",
    "updated-iv",
};
static const char *const words[] = {
    "USI",    "COMP128-1", "COMP128-2", "COMP128-3", "GSM-MILENAGE", "XOR-2G", "MILENAGE", "TUAK",
    "XOR-3G", "opc",       "topc",      "mac-a",     "mac-s",        "res",    "ck",       "ik",
    "ak",     "ak-star",   "autn",      "auts",      "sqn",          "sqn-ms", "sres",     "kc",
    "kc128",  "vector",    "c2",        "c3",        "c4",           "c5",     "nonsense", "",
};
static const size_t sizes[] = {0, 1, 2, 4, 6, 8, 14, 16, 17, 22, 24, 32, 33, 40, 64, 72};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { PARAMS_MAX_COUNT = 12, VALUE_MAX = 80, OUT_SIZE = 300 };

/* Memory just as large as the value, so that a sanitizer sees one octet too many. */
static void *take_octets(struct fuzz_input *input, size_t size)
{
    uint8_t *octets = malloc(size == 0 ? 1 : size);

    if (octets == NULL)
        return NULL;
    for (size_t i = 0; i < size; i++)
        octets[i] = (uint8_t)fuzz_take(input);
    return octets;
}

struct params {
    OSSL_PARAM array[PARAMS_MAX_COUNT + 1];
    void *values[PARAMS_MAX_COUNT];
    size_t count;
};

static void add(struct params *params, struct fuzz_input *input)
{
    const char *name = names[fuzz_take(input) % COUNT(names)];
    unsigned kind = fuzz_take(input);
    size_t size = sizes[fuzz_take(input) % COUNT(sizes)];
    const char *word = words[fuzz_take(input) % COUNT(words)];
    OSSL_PARAM *param = &params->array[params->count];
    void *value = NULL;

    switch (kind % 8) {
    case 0: /* octets as they should be, mostly */
    case 1:
    case 2:
        value = take_octets(input, size);
        *param = OSSL_PARAM_construct_octet_string(name, value, value == NULL ? 0 : size);
        break;
    case 3: /* a word, with or without its NUL counted or even there */
        value = malloc(strlen(word) + 1);
        if (value != NULL)
            memcpy(value, word, strlen(word) + 1);
        *param = OSSL_PARAM_construct_utf8_string(name, value, 0);
        param->data_size = value == NULL ? 0 : strlen(word) + (kind >> 7);
        break;
    case 4: /* an integer of a usual size */
        value = calloc(1, sizeof(uint64_t));
        if (value != NULL)
            *(uint64_t *)value = kind & 0x80 ? fuzz_take(input) : fuzz_take(input) % 40;
        *param = OSSL_PARAM_construct_uint64(name, value);
        break;
    case 5: /* an integer of an unusual size, a text that is none */
        value = take_octets(input, size);
        *param = OSSL_PARAM_construct_octet_string(name, value, value == NULL ? 0 : size);
        param->data_type = fuzz_take(input) % 8;
        break;
    case 6: /* nothing there, of any size */
        *param =
            OSSL_PARAM_construct_octet_string(name, NULL, kind & 0x80 ? SIZE_MAX - size : size);
        param->data_type = 1 + fuzz_take(input) % 5;
        break;
    default: /* the word for a name that takes one */
        value = malloc(strlen(word) + 1);
        if (value != NULL)
            memcpy(value, word, strlen(word) + 1);
        name = kind & 0x80 ? "algorithm" : kind & 0x40 ? "output" : "function";
        *param = OSSL_PARAM_construct_utf8_string(name, value, 0);
        break;
    }
    params->values[params->count++] = value;
}

static void fill(struct params *params, struct fuzz_input *input)
{
    params->count = 0;
    for (unsigned wanted = fuzz_take(input) % PARAMS_MAX_COUNT; params->count < wanted;)
        add(params, input);
    params->array[params->count] = OSSL_PARAM_construct_end();
}

static void empty(struct params *params)
{
    while (params->count > 0)
        free(params->values[--params->count]);
}

/* An output buffer of just the size that is told, and at times of much less. */
static void derive(EVP_KDF_CTX *ctx, struct fuzz_input *input, const OSSL_PARAM *params)
{
    unsigned how = fuzz_take(input);
    size_t size = how & 0x80 ? EVP_KDF_CTX_get_kdf_size(ctx) : sizes[how % COUNT(sizes)];
    unsigned char *out;

    if (size > OUT_SIZE)
        size = OUT_SIZE;
    out = malloc(size == 0 ? 1 : size);
    if (out != NULL)
        (void)EVP_KDF_derive(ctx, how == 0x7f ? NULL : out, size, params);
    free(out);
}

/* What is asked for: a pointer needs room for one, by contract; and a real number, which libcrypto
 * 3.0 writes without looking whether it may only say its size. */
static void make_questions(struct params *params)
{
    for (size_t i = 0; i < params->count; i++) {
        OSSL_PARAM *param = &params->array[i];
        if (param->data_type >= OSSL_PARAM_UTF8_PTR)
            param->data = NULL;
        if (param->data_type == OSSL_PARAM_REAL && param->data == NULL)
            param->data_type = OSSL_PARAM_UNSIGNED_INTEGER;
    }
}

static void run_kdf(EVP_KDF_CTX *ctx, struct fuzz_input *input)
{
    while (input->size > 0 && ctx != NULL) {
        struct params params;
        EVP_KDF_CTX *copy;

        fill(&params, input);
        switch (fuzz_take(input) % 7) {
        case 0:
            (void)EVP_KDF_CTX_set_params(ctx, params.array);
            break;
        case 1:
            EVP_KDF_CTX_reset(ctx);
            break;
        case 2:
            copy = EVP_KDF_CTX_dup(ctx);
            EVP_KDF_CTX_free(ctx);
            ctx = copy;
            break;
        case 3:
            make_questions(&params);
            (void)EVP_KDF_CTX_get_params(ctx, params.array);
            break;
        default:
            derive(ctx, input, params.array);
            break;
        }
        empty(&params);
    }
    EVP_KDF_CTX_free(ctx);
}

static void run_mac(EVP_MAC_CTX *ctx, struct fuzz_input *input)
{
    while (input->size > 0 && ctx != NULL) {
        struct params params;
        EVP_MAC_CTX *copy;
        size_t size = sizes[fuzz_take(input) % COUNT(sizes)], got = 0;
        unsigned char *octets = take_octets(input, size);

        fill(&params, input);
        switch (fuzz_take(input) % 8) {
        case 0:
            (void)EVP_MAC_CTX_set_params(ctx, params.array);
            break;
        case 1:
            (void)EVP_MAC_init(ctx, octets, size, params.array);
            break;
        case 2:
            (void)EVP_MAC_init(ctx, NULL, 0, params.array);
            break;
        case 3:
            (void)(octets != NULL && EVP_MAC_update(ctx, octets, size));
            break;
        case 4:
            copy = EVP_MAC_CTX_dup(ctx);
            EVP_MAC_CTX_free(ctx);
            ctx = copy;
            break;
        case 5:
            make_questions(&params);
            (void)EVP_MAC_CTX_get_params(ctx, params.array);
            break;
        default:
            if (octets != NULL && EVP_MAC_final(ctx, octets, &got, size) && got > size)
                abort();
            break;
        }
        free(octets);
        empty(&params);
    }
    EVP_MAC_CTX_free(ctx);
}

/* Octets in and out of memory just as large as it has to be. */
static void pass(EVP_CIPHER_CTX *ctx, struct fuzz_input *input, unsigned how)
{
    size_t size = sizes[fuzz_take(input) % COUNT(sizes)];
    uint8_t *in = take_octets(input, size), *out = malloc(size + 16);
    int made = 0;

    if (in != NULL && out != NULL && how == 0)
        (void)EVP_CipherUpdate(ctx, NULL, &made, in, (int)size);
    else if (in != NULL && out != NULL && how == 1)
        (void)EVP_Cipher(ctx, out, in, (unsigned)size);
    else if (in != NULL && out != NULL && EVP_CipherUpdate(ctx, out, &made, in, (int)size) == 1 &&
             (size_t)made > size + 15)
        abort();
    free(in);
    free(out);
}

static void run_cipher(EVP_CIPHER *cipher, struct fuzz_input *input)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new(), *copy;

    if (ctx != NULL)
        (void)EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, (int)fuzz_take(input) % 2, NULL);
    while (input->size > 0 && ctx != NULL) {
        struct params params;
        uint8_t *key = take_octets(input, 32), *nonce = take_octets(input, 16), end[16];
        unsigned how = fuzz_take(input);
        int made = 0;

        fill(&params, input);
        switch (how % 8) {
        case 0:
            (void)EVP_CIPHER_CTX_set_params(ctx, params.array);
            break;
        case 1:
            make_questions(&params);
            (void)EVP_CIPHER_CTX_get_params(ctx, params.array);
            break;
        case 2:
            (void)EVP_CipherInit_ex2(ctx, NULL, how & 0x80 ? key : NULL, how & 0x40 ? nonce : NULL,
                                     (int)(how >> 4 & 3) - 1 > 0, params.array);
            break;
        case 3:
            copy = EVP_CIPHER_CTX_new();
            if (copy != NULL && EVP_CIPHER_CTX_copy(copy, ctx) == 1) {
                EVP_CIPHER_CTX_free(ctx);
                ctx = copy;
            } else {
                EVP_CIPHER_CTX_free(copy);
            }
            break;
        case 4:
            (void)EVP_CipherFinal_ex(ctx, end, &made);
            break;
        default:
            pass(ctx, input, how % 8 - 5);
            break;
        }
        free(key);
        free(nonce);
        empty(&params);
    }
    EVP_CIPHER_CTX_free(ctx);
}

static OSSL_LIB_CTX *library(void)
{
    static OSSL_LIB_CTX *libctx; /* for the life of the process, as libFuzzer has no end */

    if (libctx == NULL) {
        libctx = OSSL_LIB_CTX_new();
        if (libctx == NULL ||
            !OSSL_PROVIDER_add_builtin(libctx, USI_PROVIDER, OSSL_provider_init) ||
            OSSL_PROVIDER_load(libctx, USI_PROVIDER) == NULL)
            abort();
    }
    return libctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    const char *name = operations[fuzz_take(&input) % COUNT(operations)];

    if (strcmp(name, "A3") == 0) {
        EVP_MAC *mac = EVP_MAC_fetch(library(), name, NULL);
        run_mac(EVP_MAC_CTX_new(mac), &input);
        EVP_MAC_free(mac);
    } else if (strncmp(name, "AES", 3) == 0) {
        EVP_CIPHER *cipher = EVP_CIPHER_fetch(library(), name, "provider=usi");
        run_cipher(cipher, &input);
        EVP_CIPHER_free(cipher);
    } else {
        EVP_KDF *kdf = EVP_KDF_fetch(library(), name, NULL);
        run_kdf(EVP_KDF_CTX_new(kdf), &input);
        EVP_KDF_free(kdf);
    }
    ERR_clear_error();
    return 0;
}

/* ---- inputs and seeds ---- */

static size_t generate(uint64_t *dice, uint8_t *out, size_t room)
{
    size_t size = fuzz_dice(dice, room < 400 ? room : 400);

    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)fuzz_dice(dice, 256);
    return size;
}

struct seed {
    uint8_t octets[512];
    size_t size;
};

static void put(struct seed *seed, size_t octet)
{
    seed->octets[seed->size++] = (uint8_t)octet;
}

static size_t place(const char *const *list, const char *text)
{
    size_t at = 0;

    while (strcmp(list[at], text) != 0)
        at++;
    return at;
}

static void put_octets(struct seed *seed, const char *name, size_t size)
{
    size_t at = 0;

    while (sizes[at] != size)
        at++;
    put(seed, place(names, name));
    put(seed, 0);
    put(seed, at);
    put(seed, 0);
    while (size-- > 0)
        put(seed, size + 1);
}

/* `which`: 7 for function, 0x47 for output, 0x87 for algorithm. */
static void put_word(struct seed *seed, size_t which, const char *word)
{
    put(seed, 0);
    put(seed, which);
    put(seed, 0);
    put(seed, place(words, word));
}

/* Parameters for one derivation: algorithm or function, output, then octets. */
struct call {
    const char *name, *operation, *algorithm, *output, *function;
    struct {
        const char *name;
        size_t size;
    } octets[5];
};

static void seed_of_kdf(fuzz_keep *keep, const struct call *call)
{
    struct seed seed = {{0}, 0};
    size_t count = 0;

    while (count < COUNT(call->octets) && call->octets[count].name != NULL)
        count++;
    put(&seed, place(operations, call->operation));
    put(&seed,
        count + (call->algorithm != NULL) + (call->output != NULL) + (call->function != NULL));
    if (call->algorithm != NULL)
        put_word(&seed, 0x87, call->algorithm);
    if (call->output != NULL)
        put_word(&seed, 0x47, call->output);
    if (call->function != NULL)
        put_word(&seed, 7, call->function);
    for (size_t i = 0; i < count; i++)
        put_octets(&seed, call->octets[i].name, call->octets[i].size);
    put(&seed, 6);    /* derive, */
    put(&seed, 0x80); /* as much as it gives */
    put(&seed, 0);
    put(&seed, 2); /* and again in a copy */
    put(&seed, 0);
    put(&seed, 6);
    put(&seed, 7);
    keep(call->name, seed.octets, seed.size);
}

/* Init with parameters, a message, the end. */
static void seed_of_mac(fuzz_keep *keep, const char *name, const char *algorithm)
{
    struct seed seed = {{0}, 0};

    put(&seed, place(operations, "A3"));
    put(&seed, 0); /* no octets */
    put(&seed, 3);
    put_word(&seed, 0x87, algorithm);
    put_octets(&seed, "key", 16);
    put_octets(&seed, "rand", 16);
    put(&seed, 2);
    put(&seed, 7);
    for (unsigned i = 0; i < 16; i++)
        put(&seed, i);
    put(&seed, 0);
    put(&seed, 3);
    put(&seed, 10);
    for (unsigned i = 0; i < 22; i++)
        put(&seed, 0);
    put(&seed, 0);
    put(&seed, 6);
    keep(name, seed.octets, seed.size);
}

static void seed_of_cipher(fuzz_keep *keep)
{
    static const uint8_t steps[] = {0xf2, 0x05, 0x06, 0x07, 0x04, 0x03};
    struct seed seed = {{0}, 0};

    put(&seed, place(operations, "AES-256-OCB"));
    put(&seed, 1);
    for (size_t step = 0; step < sizeof steps; step++) {
        for (unsigned i = 0; i < 48; i++)
            put(&seed, i);
        put(&seed, steps[step]);
        put(&seed, 0);
        put(&seed, 2);
        for (unsigned i = 0; i < 2; i++)
            put(&seed, i);
    }
    keep("ocb", seed.octets, seed.size);
}

static void seeds(fuzz_keep *keep)
{
    static const struct call calls[] = {
        {"a8", "A8", "USI", NULL, NULL, {{"key", 16}, {"rand", 64}}},
        {"a8-comp128-1", "A8", "COMP128-1", NULL, NULL, {{"key", 16}, {"rand", 16}}},
        {"a8-comp128-3", "A8", "COMP128-3", NULL, NULL, {{"key", 16}, {"rand", 16}}},
        {"a8-milenage", "A8", "GSM-MILENAGE", NULL, NULL, {{"key", 16}, {"rand", 16}, {"op", 16}}},
        {"a8-xor", "A8", "XOR-2G", NULL, NULL, {{"key", 16}, {"rand", 16}}},
        {"aka-milenage",
         "AKA",
         "MILENAGE",
         "vector",
         NULL,
         {{"key", 16}, {"rand", 16}, {"opc", 16}, {"sqn", 6}, {"amf", 2}}},
        {"aka-auts",
         "AKA",
         "MILENAGE",
         "sqn-ms",
         NULL,
         {{"key", 16}, {"rand", 16}, {"opc", 16}, {"auts", 14}}},
        {"aka-tuak",
         "AKA",
         "TUAK",
         "autn",
         NULL,
         {{"key", 32}, {"rand", 16}, {"top", 32}, {"sqn", 6}, {"amf", 2}}},
        {"aka-xor", "AKA", "XOR-3G", "res", NULL, {{"key", 16}, {"rand", 16}}},
        {"3gpp-kdf", "3GPP-KDF", NULL, NULL, NULL, {{"key", 32}, {"fc", 1}, {"p0", 0}, {"p1", 6}}},
        {"conv-c3", "3GPP-CONV", NULL, NULL, "c3", {{"ck", 16}, {"ik", 16}}},
        {"conv-c4", "3GPP-CONV", NULL, NULL, "c4", {{"kc", 8}}},
    };

    for (size_t i = 0; i < COUNT(calls); i++)
        seed_of_kdf(keep, &calls[i]);
    seed_of_mac(keep, "a3", "USI");
    seed_of_mac(keep, "a3-comp128-2", "COMP128-2");
    seed_of_cipher(keep);
}

const struct fuzz_target fuzz_target = {.generate = generate, .seeds = seeds};
