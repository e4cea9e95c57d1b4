#include "evp.h"

#include <check.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loaded load(bool with_default)
{
    struct loaded loaded = {.libctx = OSSL_LIB_CTX_new()};

    ck_assert_ptr_nonnull(loaded.libctx);
    works(OSSL_PROVIDER_set_default_search_path(loaded.libctx, USI_MODULES));
    loaded.usi = OSSL_PROVIDER_load(loaded.libctx, "usi");
    works(loaded.usi != NULL);
    if (with_default) {
        loaded.beside = OSSL_PROVIDER_load(loaded.libctx, "default");
        works(loaded.beside != NULL);
    }
    return loaded;
}

void unload(struct loaded *loaded)
{
    if (loaded->beside != NULL)
        works(OSSL_PROVIDER_unload(loaded->beside));
    works(OSSL_PROVIDER_unload(loaded->usi));
    OSSL_LIB_CTX_free(loaded->libctx);
    memset(loaded, 0, sizeof(*loaded));
}

struct args args_new(void)
{
    struct args args = {.count = 0};

    args.params[0] = OSSL_PARAM_construct_end();
    return args;
}

void args_free(struct args *args)
{
    for (size_t i = 0; i < args->count; i++)
        free(args->copies[i]);
    *args = args_new();
}

static unsigned char *args_add(struct args *args, const void *data, size_t size)
{
    unsigned char *copy = calloc(1, size + 1);

    ck_assert_ptr_nonnull(copy);
    ck_assert_uint_lt(args->count, ARGS_MAX);
    if (size > 0)
        memcpy(copy, data, size);
    args->copies[args->count++] = copy;
    args->params[args->count] = OSSL_PARAM_construct_end();
    return copy;
}

void args_octets(struct args *args, const char *name, const void *data, size_t size)
{
    unsigned char *copy = args_add(args, data, size);

    args->params[args->count - 1] = OSSL_PARAM_construct_octet_string(name, copy, size);
}

void args_hex(struct args *args, const char *name, const char *hex)
{
    unsigned char octets[1024] = {0};

    args_octets(args, name, octets, from_hex(hex, octets, sizeof(octets)));
}

void args_word(struct args *args, const char *name, const char *word)
{
    char *copy = (char *)args_add(args, word, strlen(word));

    args->params[args->count - 1] = OSSL_PARAM_construct_utf8_string(name, copy, 0);
}

void args_number(struct args *args, const char *name, size_t number)
{
    unsigned char *copy = args_add(args, &number, sizeof(number));

    args->params[args->count - 1] = OSSL_PARAM_construct_size_t(name, (void *)copy);
}

void args_drop(struct args *args, const char *name)
{
    for (size_t i = 0; i < args->count; i++)
        if (strcmp(args->params[i].key, name) == 0) {
            free(args->copies[i]);
            args->count--;
            args->params[i] = args->params[args->count];
            args->copies[i] = args->copies[args->count];
            args->params[args->count] = OSSL_PARAM_construct_end();
            return;
        }
    ck_abort_msg("no parameter %s to drop", name);
}

EVP_KDF_CTX *kdf_new(OSSL_LIB_CTX *libctx, const char *name)
{
    EVP_KDF *kdf = EVP_KDF_fetch(libctx, name, NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);

    EVP_KDF_free(kdf);
    works(ctx != NULL);
    return ctx;
}

EVP_MAC_CTX *mac_new(OSSL_LIB_CTX *libctx, const char *name)
{
    EVP_MAC *mac = EVP_MAC_fetch(libctx, name, NULL);
    EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);

    EVP_MAC_free(mac);
    works(ctx != NULL);
    return ctx;
}

bool kdf(OSSL_LIB_CTX *libctx, const char *name, const struct args *args, unsigned char *out,
         size_t size)
{
    EVP_KDF_CTX *ctx = kdf_new(libctx, name);
    bool done;

    ERR_clear_error();
    done = EVP_KDF_derive(ctx, out, size, args->params) == 1;
    EVP_KDF_CTX_free(ctx);
    return done;
}

bool mac(OSSL_LIB_CTX *libctx, const char *name, const struct args *args, const void *message,
         size_t message_size, unsigned char *out, size_t *size)
{
    EVP_MAC_CTX *ctx = mac_new(libctx, name);
    bool done;

    ERR_clear_error();
    done = EVP_MAC_init(ctx, NULL, 0, args->params) &&
           (message == NULL || EVP_MAC_update(ctx, message, message_size)) &&
           EVP_MAC_final(ctx, out, size, *size);
    EVP_MAC_CTX_free(ctx);
    return done;
}

void refused(bool done, const char *reason, const char *text)
{
    const char *data;
    unsigned long code;
    int flags;

    ck_assert_msg(!done, "\"%s\" (%s) was not refused", reason, text);
    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        const char *library = ERR_lib_error_string(code), *why = ERR_reason_error_string(code);
        if (library != NULL && strcmp(library, "usi") == 0 && why != NULL &&
            strcmp(why, reason) == 0 && strstr(data, text) != NULL) {
            ERR_clear_error();
            return;
        }
        fprintf(stderr, "on the stack: %s: %s: %s\n", library != NULL ? library : "?",
                why != NULL ? why : "?", data);
    }
    ck_abort_msg("no entry \"%s: %s\" on the error stack", reason, text);
}

void works(bool done)
{
    if (!done)
        ERR_print_errors_fp(stderr);
    ck_assert(done);
}

void same(const void *got, const void *expected, size_t size, const char *what)
{
    ck_assert_msg(memcmp(got, expected, size) == 0, "%s differs", what);
}

size_t from_hex(const char *hex, unsigned char *out, size_t room)
{
    size_t size = strlen(hex) / 2;

    ck_assert_uint_le(size, room);
    for (size_t i = 0; i < size; i++) {
        unsigned octet;
        ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &octet), 1);
        out[i] = (unsigned char)octet;
    }
    return size;
}

void random_octets(unsigned *seed, unsigned char *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        out[i] = (unsigned char)(*seed >> 24);
    }
}
