/* Every parameter of every operation with a wrong size, a wrong type, missing and repeated; every
 * output size that is not the right one; and what duplicates and resets do to each operation. */
#include "evp.h"
#include "usi/names.h"

#include <check.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define K16 "000102030405060708090a0b0c0d0e0f"
#define K32 K16 K16

/* An operation that works. Parameters: "name=word", "name#number" or "name:hex"; '?' before
 * optional ones. */
static const struct operation {
    const char *name;
    size_t size;
    const char *params[14];
} operations[] = {
    {"A8", 8, {"algorithm=COMP128-1", "key:" K16, "rand:" K16}},
    {"A8", 8, {"algorithm=COMP128-2", "key:" K16, "rand:" K16}},
    {"A8", 8, {"algorithm=COMP128-3", "key:" K16, "rand:" K16}},
    {"A8", 8, {"algorithm=XOR-2G", "key:" K16, "rand:" K16}},
    {"A8", 8, {"algorithm=GSM-MILENAGE", "key:" K16, "rand:" K16, "opc:" K16}},
    {"A8", 8, {"algorithm=GSM-MILENAGE", "key:" K16, "rand:" K16, "op:" K16}},
    {"A3", 4, {"algorithm=COMP128-1", "key:" K16, "rand:" K16}},
    {"A3", 4, {"algorithm=COMP128-2", "key:" K16, "rand:" K16, "?size#4"}},
    {"A3", 4, {"algorithm=COMP128-3", "key:" K16, "rand:" K16}},
    {"A3", 4, {"algorithm=XOR-2G", "key:" K16, "rand:" K16}},
    {"A3", 4, {"algorithm=GSM-MILENAGE", "key:" K16, "rand:" K16, "opc:" K16, "?sres-function#2"}},
    {"A3", 4, {"algorithm=GSM-MILENAGE", "key:" K16, "rand:" K16, "op:" K16}},
    {"AKA", 16, {"algorithm=MILENAGE", "output=opc", "key:" K16, "op:" K16}},
    {"AKA",
     8,
     {"algorithm=MILENAGE", "output=mac-a", "key:" K16, "opc:" K16, "rand:" K16, "sqn:000102030405",
      "amf:8000"}},
    {"AKA",
     8,
     {"algorithm=MILENAGE", "output=mac-s", "key:" K16, "op:" K16, "rand:" K16, "sqn:000102030405",
      "amf:8000"}},
    {"AKA",
     8,
     {"algorithm=MILENAGE", "output=res", "key:" K16, "opc:" K16, "rand:" K16, "?res-size#8"}},
    {"AKA",
     16,
     {"algorithm=MILENAGE", "output=ck", "key:" K16, "opc:" K16, "rand:" K16, "?ck-size#16"}},
    {"AKA",
     16,
     {"algorithm=MILENAGE", "output=ik", "key:" K16, "opc:" K16, "rand:" K16, "?ik-size#16"}},
    {"AKA", 6, {"algorithm=MILENAGE", "output=ak", "key:" K16, "opc:" K16, "rand:" K16}},
    {"AKA", 6, {"algorithm=MILENAGE", "output=ak-star", "key:" K16, "opc:" K16, "rand:" K16}},
    {"AKA",
     16,
     {"algorithm=MILENAGE", "output=autn", "key:" K16, "opc:" K16, "rand:" K16, "sqn:000102030405",
      "amf:8000", "?mac-size#8"}},
    {"AKA",
     14,
     {"algorithm=MILENAGE", "output=auts", "key:" K16, "opc:" K16, "rand:" K16,
      "sqn:000102030405"}},
    {"AKA",
     6,
     {"algorithm=XOR-3G", "output=sqn", "key:" K16, "rand:" K16,
      "autn:00000000000080000000000000008000"}},
    {"AKA",
     6,
     {"algorithm=XOR-3G", "output=sqn-ms", "key:" K16, "rand:" K16,
      "auts:0000000000000000000000000000"}},
    {"AKA", 4, {"algorithm=MILENAGE", "output=sres", "key:" K16, "opc:" K16, "rand:" K16}},
    {"AKA", 8, {"algorithm=MILENAGE", "output=kc", "key:" K16, "opc:" K16, "rand:" K16}},
    {"AKA", 16, {"algorithm=MILENAGE", "output=kc128", "key:" K16, "opc:" K16, "rand:" K16}},
    {"AKA",
     72,
     {"algorithm=MILENAGE", "output=vector", "key:" K16, "opc:" K16, "rand:" K16,
      "sqn:000102030405", "amf:8000"}},
    {"AKA",
     80,
     {"algorithm=XOR-3G", "output=vector", "key:" K16, "rand:" K16, "sqn:000102030405",
      "amf:8000"}},
    {"AKA", 32, {"algorithm=TUAK", "output=topc", "key:" K32, "top:" K32}},
    {"AKA",
     72,
     {"algorithm=TUAK", "output=vector", "key:" K16, "topc:" K32, "rand:" K16, "sqn:000102030405",
      "amf:8000"}},
    {"AKA",
     16 + 32 + 32 + 32 + 40,
     {"algorithm=TUAK", "output=vector", "key:" K32, "top:" K32, "rand:" K16, "sqn:000102030405",
      "amf:8000", "?!res-size#32", "?!ck-size#32", "?!ik-size#32", "?!mac-size#32",
      "?iterations#255"}},
    {"AKA", 4, {"algorithm=TUAK", "output=sres", "key:" K32, "topc:" K32, "rand:" K16}},
    {"3GPP-KDF", 32, {"key:" K32, "fc:32"}},
    {"3GPP-KDF", 32, {"key:" K32, "fc:20", "p0:574c414e", "?p1:"}},
    {"3GPP-CONV", 4, {"function=c2", "res:0001020304050607"}},
    {"3GPP-CONV", 8, {"function=c3", "ck:" K16, "ik:" K16}},
    {"3GPP-CONV", 16, {"function=c4", "kc:0001020304050607"}},
    {"3GPP-CONV", 16, {"function=c5", "kc:0001020304050607"}},
    {"3GPP-CONV", 16, {"function=kc128", "ck:" K16, "ik:" K16}},
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]), OUT_MAX = 256 };

static struct loaded with;

static void setup(void)
{
    with = load(true);
}

static void teardown(void)
{
    unload(&with);
}

/* One parameter of an operation, taken apart. "!" means: leaving it out changes the output size. */
struct param {
    bool optional, sizes_output;
    char name[16], kind;
    const char *value;
};

static struct param parse(const char *text)
{
    struct param param = {.optional = *text == '?'};
    size_t length;

    text += param.optional;
    param.sizes_output = *text == '!';
    text += param.sizes_output;
    length = strcspn(text, "=#:");
    memcpy(param.name, text, length);
    param.kind = text[length];
    param.value = text + length + 1;
    return param;
}

static void add(struct args *args, const struct param *param)
{
    if (param->kind == '=')
        args_word(args, param->name, param->value);
    else if (param->kind == '#')
        args_number(args, param->name, strtoul(param->value, NULL, 10));
    else
        args_hex(args, param->name, param->value);
}

static struct args args_of(const struct operation *operation, struct param *params, size_t *count)
{
    struct args args = args_new();

    for (*count = 0; *count < 14 && operation->params[*count] != NULL; ++*count) {
        params[*count] = parse(operation->params[*count]);
        add(&args, &params[*count]);
    }
    return args;
}

static bool run_sized(const struct operation *operation, const struct args *args, size_t size)
{
    unsigned char out[OUT_MAX], again[OUT_MAX] = {0};
    bool done;

    memset(out, 0xa5, sizeof(out));
    memset(again, 0xa5, sizeof(again));
    if (strcmp(operation->name, "A3") == 0) {
        size_t got = size;
        done = mac(with.libctx, "A3", args, NULL, 0, out, &got) && got == operation->size;
    } else {
        done = kdf(with.libctx, operation->name, args, out, size);
    }
    /* nothing is written past the end, and nothing at all after a refusal */
    if (!done)
        same(out, again, sizeof(out), "the buffer of a refused call");
    else
        same(out + operation->size, again, sizeof(out) - operation->size,
             "what follows the output");
    return done;
}

static bool run(const struct operation *operation, const struct args *args)
{
    return run_sized(operation, args, operation->size);
}

START_TEST(works_as_it_stands)
{
    struct param params[14];
    size_t count;
    struct args args = args_of(&operations[_i], params, &count);

    works(run(&operations[_i], &args));
    args_free(&args);
}
END_TEST

START_TEST(missing)
{
    struct param params[14];
    size_t count;
    struct args args = args_of(&operations[_i], params, &count);

    for (size_t i = 0; i < count; i++) {
        const bool defaulted =
            params[i].optional || (strcmp(params[i].name, "algorithm") == 0 &&
                                   operations[_i].name[0] == 'A' && operations[_i].name[1] != 'K');
        args_drop(&args, params[i].name);
        if (params[i].sizes_output)
            refused(run(&operations[_i], &args), "wrong output size", "expected");
        else if (defaulted && params[i].optional)
            works(run(&operations[_i], &args));
        else if (!defaulted && strcmp(operations[_i].name, "A3") == 0 &&
                 strcmp(params[i].name, "rand") == 0)
            refused(run(&operations[_i], &args), "wrong parameter size",
                    "message: expected 16 octets of RAND, got 0");
        else if (!defaulted)
            refused(run(&operations[_i], &args), "missing parameter", params[i].name);
        add(&args, &params[i]);
    }
    args_free(&args);
}
END_TEST

START_TEST(repeated)
{
    struct param params[14];
    size_t count;

    for (size_t i = 0;; i++) {
        struct args args = args_of(&operations[_i], params, &count);
        if (i < count) {
            add(&args, &params[i]);
            refused(run(&operations[_i], &args), "parameter given twice", params[i].name);
        }
        args_free(&args);
        if (i >= count)
            break;
    }
}
END_TEST

START_TEST(wrong_type)
{
    struct param params[14];
    size_t count;
    struct args args = args_of(&operations[_i], params, &count);

    for (size_t i = 0; i < count; i++) {
        double real = 16;
        OSSL_PARAM *param, right;

        args_drop(&args, params[i].name);
        if (params[i].kind == '=')
            args_hex(&args, params[i].name, K16);
        else
            args_word(&args, params[i].name, "0123456789abcdef");
        refused(run(&operations[_i], &args), "wrong parameter type", params[i].name);
        param = OSSL_PARAM_locate(args.params, params[i].name);
        right = *param;
        *param = OSSL_PARAM_construct_double(params[i].name, &real);
        refused(run(&operations[_i], &args), "wrong parameter type", params[i].name);
        *param = right;
        args_drop(&args, params[i].name);
        add(&args, &params[i]);
    }
    args_free(&args);
}
END_TEST

/* The octet string parameters with 0 to 70 octets: what the standards have works, all else is
 * refused. */
START_TEST(wrong_size)
{
    static const unsigned char octets[70];
    struct param params[14];
    size_t count;
    struct args args = args_of(&operations[_i], params, &count);

    for (size_t i = 0; i < count; i++) {
        size_t right = strlen(params[i].value) / 2;
        if (params[i].kind != ':' || params[i].name[0] == 'p')
            continue;
        for (size_t size = 0; size <= sizeof(octets); size++) {
            const bool several = (strcmp(params[i].name, "res") == 0 && size >= 4 && size <= 16) ||
                                 (strcmp(operations[_i].name, "3GPP-KDF") == 0 &&
                                  strcmp(params[i].name, "key") == 0 && size >= 16 && size <= 64) ||
                                 (strstr(operations[_i].params[0], "TUAK") != NULL &&
                                  strcmp(params[i].name, "key") == 0 && (size == 16 || size == 32));
            char text[32];

            if (size == right)
                continue;
            args_drop(&args, params[i].name);
            args_octets(&args, params[i].name, octets, size);
            snprintf(text, sizeof(text), "octets, got %zu", size);
            if (several)
                works(run(&operations[_i], &args));
            else if (strcmp(operations[_i].name, "A3") == 0 &&
                     strcmp(params[i].name, "rand") == 0 && size > 16)
                refused(run(&operations[_i], &args), "wrong parameter size", "octets of RAND, got");
            else
                refused(run(&operations[_i], &args), "wrong parameter size", text);
        }
        args_drop(&args, params[i].name);
        add(&args, &params[i]);
    }
    args_free(&args);
}
END_TEST

START_TEST(wrong_output_size)
{
    const struct operation *operation = &operations[_i];
    struct param params[14];
    size_t count;
    struct args args = args_of(operation, params, &count);
    const size_t sizes[] = {0, 1, operation->size - 1, operation->size + 1, 0x10000, SIZE_MAX};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        if (strcmp(operation->name, "A3") != 0)
            refused(run_sized(operation, &args, sizes[i]), "wrong output size", "expected");
        else if (sizes[i] < operation->size)
            ck_assert(!run_sized(operation, &args, sizes[i]));
    if (strcmp(operation->name, "A3") != 0)
        refused(kdf(with.libctx, operation->name, &args, NULL, operation->size),
                "wrong output size", "got 0");
    args_free(&args);
}
END_TEST

START_TEST(duplicate_and_reset)
{
    const struct operation *operation = &operations[_i];
    unsigned char one[OUT_MAX], two[OUT_MAX];
    struct param params[14];
    size_t count;
    struct args args;
    EVP_KDF_CTX *ctx, *copy;

    if (strcmp(operation->name, "A3") == 0)
        return;
    args = args_of(operation, params, &count);
    ctx = kdf_new(with.libctx, operation->name);
    works(EVP_KDF_CTX_set_params(ctx, args.params) == 1);
    copy = EVP_KDF_CTX_dup(ctx);
    works(copy != NULL);
    ck_assert_uint_eq(EVP_KDF_CTX_get_kdf_size(copy), operation->size);
    works(EVP_KDF_derive(ctx, one, operation->size, NULL) == 1);
    EVP_KDF_CTX_free(ctx);
    works(EVP_KDF_derive(copy, two, operation->size, NULL) == 1);
    same(one, two, operation->size, "the duplicate's output");
    ctx = EVP_KDF_CTX_dup(copy); /* after a derivation */
    EVP_KDF_CTX_reset(copy);
    refused(EVP_KDF_derive(copy, two, operation->size, NULL) == 1, "missing parameter", "");
    memset(two, 0, sizeof(two));
    works(EVP_KDF_derive(ctx, two, operation->size, NULL) == 1);
    same(one, two, operation->size, "the second duplicate's output");
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_CTX_free(copy);
    args_free(&args);
}
END_TEST

/* `size` may be set after the message too: what the algorithm cannot give is no SRES of 0 octets.
 */
START_TEST(mac_size_at_the_last_moment)
{
    unsigned char message[16] = {1}, sres[16];
    EVP_MAC_CTX *ctx = mac_new(with.libctx, "A3");
    struct args args = args_new(), late = args_new();
    size_t size = 0;

    args_word(&args, "algorithm", "COMP128-1");
    args_hex(&args, "key", K16);
    args_number(&late, "size", 16);
    works(EVP_MAC_init(ctx, NULL, 0, args.params) && EVP_MAC_update(ctx, message, 16));
    refused(EVP_MAC_CTX_set_params(ctx, late.params) && EVP_MAC_final(ctx, sres, &size, 16),
            "wrong output size", "size: COMP128-1 gives 4 octets, got 16");
    EVP_MAC_CTX_free(ctx);
    args_free(&late);
    args_free(&args);
}
END_TEST

START_TEST(mac_duplicate_in_the_middle)
{
    static const char *const names[] = {"COMP128-1", "COMP128-2", "COMP128-3", "XOR-2G",
                                        "GSM-MILENAGE"};
    unsigned char message[16] = {1, 2, 3}, one[8], two[8];
    size_t size = 0;

    for (size_t i = 0; i < 5; i++) {
        EVP_MAC_CTX *ctx = mac_new(with.libctx, "A3"), *copy;
        struct args args = args_new();

        args_word(&args, "algorithm", names[i]);
        args_hex(&args, "key", K16);
        args_hex(&args, "opc", K16);
        works(EVP_MAC_init(ctx, NULL, 0, args.params) && EVP_MAC_update(ctx, message, 10));
        copy = EVP_MAC_CTX_dup(ctx);
        works(copy != NULL && EVP_MAC_update(ctx, message + 10, 6) &&
              EVP_MAC_final(ctx, one, &size, sizeof(one)));
        EVP_MAC_CTX_free(ctx);
        works(EVP_MAC_update(copy, message + 10, 6) &&
              EVP_MAC_final(copy, two, &size, sizeof(two)));
        ck_assert_uint_eq(size, 4);
        same(one, two, 4, "the duplicate's SRES");
        refused(EVP_MAC_init(copy, NULL, 0, NULL) && EVP_MAC_update(copy, message, 16) &&
                    EVP_MAC_update(copy, message, 1),
                "wrong parameter size", "message: expected 16 octets of RAND, got 17");
        refused(EVP_MAC_init(copy, NULL, 0, NULL) && EVP_MAC_update(copy, message, 15) &&
                    EVP_MAC_final(copy, two, &size, sizeof(two)),
                "wrong parameter size", "message: expected 16 octets of RAND, got 15");
        EVP_MAC_CTX_free(copy);
        args_free(&args);
    }
}
END_TEST

/* Values that a single parameter may have, but not with this algorithm. */
START_TEST(wrong_together)
{
    static const struct {
        const char *operation, *params[8], *reason, *text;
        size_t size;
    } all[] = {
        {"A8",
         {"algorithm=COMP128-1", "key:" K32, "rand:" K16},
         "wrong parameter size",
         "key: expected 16 octets, got 32",
         8},
        {"A8",
         {"algorithm=COMP128-3", "key:" K16, "rand:" K32},
         "wrong parameter size",
         "rand: expected 16 octets, got 32",
         8},
        {"A8",
         {"algorithm=GSM-MILENAGE", "key:" K16, "rand:" K16},
         "missing parameter",
         "op or opc",
         8},
        {"A3",
         {"algorithm=COMP128-1", "key:" K16, "rand:" K16, "size#16"},
         "wrong output size",
         "size: COMP128-1 gives 4 octets, got 16",
         16},
        {"A3",
         {"algorithm=GSM-MILENAGE", "key:" K16, "rand:" K16, "opc:" K16, "sres-function#3"},
         "wrong parameter value",
         "sres-function: expected 1 or 2, got 3",
         4},
        {"A3",
         {"algorithm=GSM-MILENAGE", "key:" K16, "rand:" K16, "opc:" K16, "sres-function#0"},
         "wrong parameter value",
         "sres-function: expected 1 or 2, got 0",
         4},
        {"AKA",
         {"algorithm=MILENAGE", "output=ck", "key:" K16, "rand:" K16, "op:" K16, "opc:" K16},
         "parameters exclude each other",
         "op and opc",
         16},
        {"AKA",
         {"algorithm=TUAK", "output=ck", "key:" K16, "rand:" K16, "topc:" K32, "top:" K32},
         "parameters exclude each other",
         "top and topc",
         16},
        {"AKA",
         {"algorithm=MILENAGE", "output=ck", "key:" K32, "rand:" K16, "opc:" K16},
         "wrong parameter size",
         "key: expected 16 octets, got 32",
         16},
        {"AKA",
         {"algorithm=TUAK", "output=ck", "key:" K16, "rand:" K16, "opc:" K16},
         "missing parameter",
         "top or topc",
         16},
        {"AKA",
         {"algorithm=TUAK", "output=opc", "key:" K16, "topc:" K32},
         "wrong parameter value",
         "output: TUAK has no opc",
         16},
        {"AKA",
         {"algorithm=MILENAGE", "output=topc", "key:" K16, "opc:" K16},
         "wrong parameter value",
         "output: MILENAGE has no topc",
         32},
        {"AKA",
         {"algorithm=MILENAGE", "output=res", "key:" K16, "rand:" K16, "opc:" K16, "res-size#4"},
         "wrong parameter value",
         "res-size: MILENAGE gives 8 octets, got 4",
         4},
        {"AKA",
         {"algorithm=TUAK", "output=res", "key:" K16, "rand:" K16, "topc:" K32, "res-size#12"},
         "wrong parameter value",
         "res-size: TUAK gives 4, 8, 16 or 32 octets, got 12",
         12},
        {"AKA",
         {"algorithm=TUAK", "output=sres", "key:" K16, "rand:" K16, "topc:" K32, "res-size#32"},
         "wrong parameter value",
         "res-size for sres",
         4},
        {"AKA",
         {"algorithm=TUAK", "output=kc", "key:" K16, "rand:" K16, "topc:" K32, "ck-size#32"},
         "wrong parameter value",
         "ck-size for kc and kc128",
         8},
        {"AKA",
         {"algorithm=TUAK", "output=kc128", "key:" K16, "rand:" K16, "topc:" K32, "ik-size#32"},
         "wrong parameter value",
         "ik-size for kc and kc128",
         16},
        {"AKA",
         {"algorithm=TUAK", "output=mac-a", "key:" K16, "mac-size#24"},
         "wrong parameter value",
         "mac-size: expected 8, 16 or 32, got 24",
         24},
        {"AKA",
         {"algorithm=TUAK", "output=ck", "key:" K16, "iterations#0"},
         "wrong parameter value",
         "iterations: expected 1 to 255, got 0",
         16},
        {"AKA",
         {"algorithm=TUAK", "output=ck", "key:" K16, "iterations#256"},
         "wrong parameter value",
         "iterations: expected 1 to 255, got 256",
         16},
        {"AKA",
         {"algorithm=SNOW", "output=ck"},
         "unknown name",
         "one of MILENAGE, TUAK, XOR-3G",
         16},
        {"AKA",
         {"algorithm=TUAK", "output=kd"},
         "unknown name",
         "output: expected one of opc, topc",
         16},
        {"3GPP-CONV",
         {"function=c1"},
         "unknown name",
         "one of c2, c3, c4, c5, kc128, got \"c1\"",
         16},
        {"3GPP-KDF",
         {"key:" K32, "fc:20", "p1:00"},
         "missing parameter",
         "p0: expected 0 or more",
         32},
        {"3GPP-KDF",
         {"key:" K32, "fc:20", "p0:00", "p2:00", "p9:00"},
         "missing parameter",
         "p1: expected 0 or more octets before p2",
         32},
    };
    struct param params[8];
    const struct operation operation = {all[_i].operation, all[_i].size, {0}};
    struct args args = args_new();

    for (int i = 0; i < 8 && all[_i].params[i] != NULL; i++) {
        params[i] = parse(all[_i].params[i]); /* args keep the names in there */
        add(&args, &params[i]);
    }
    refused(run(&operation, &args), all[_i].reason, all[_i].text);
    args_free(&args);
}
END_TEST
enum { WRONG_TOGETHER = 25 };

START_TEST(p_of_65536_octets)
{
    static const unsigned char octets[65536];
    struct args args = args_new();
    unsigned char out[32];

    args_hex(&args, "key", K32);
    args_hex(&args, "fc", "20");
    args_octets(&args, "p0", octets, 65535);
    works(kdf(with.libctx, "3GPP-KDF", &args, out, 32));
    args_drop(&args, "p0");
    args_octets(&args, "p0", octets, 65536);
    refused(kdf(with.libctx, "3GPP-KDF", &args, out, 32), "wrong parameter size",
            "p0: expected 0 to 65535 octets, got 65536");
    args_free(&args);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider: refusals");
    TCase *tcase = tcase_create("refusals");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, works_as_it_stands, 0, OPERATIONS);
    tcase_add_loop_test(tcase, missing, 0, OPERATIONS);
    tcase_add_loop_test(tcase, repeated, 0, OPERATIONS);
    tcase_add_loop_test(tcase, wrong_type, 0, OPERATIONS);
    tcase_add_loop_test(tcase, wrong_size, 0, OPERATIONS);
    tcase_add_loop_test(tcase, wrong_output_size, 0, OPERATIONS);
    tcase_add_loop_test(tcase, duplicate_and_reset, 0, OPERATIONS);
    tcase_add_test(tcase, mac_size_at_the_last_moment);
    tcase_add_test(tcase, mac_duplicate_in_the_middle);
    tcase_add_loop_test(tcase, wrong_together, 0, WRONG_TOGETHER);
    tcase_add_test(tcase, p_of_65536_octets);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
