/* What the provider's tests share: a provider loaded, parameters by hand, one-line MAC and KDF
 * calls. */
#ifndef TESTS_PROVIDER_EVP_H
#define TESTS_PROVIDER_EVP_H

#include <openssl/core.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <stddef.h>

/* A library context of its own with usi.so from USI_MODULES, and `default` beside it when wanted.
 */
struct loaded {
    OSSL_LIB_CTX *libctx;
    OSSL_PROVIDER *usi, *beside;
};
struct loaded load(bool with_default);
void unload(struct loaded *loaded);

/* An OSSL_PARAM array under construction, with copies of its values. */
enum { ARGS_MAX = 24 };
struct args {
    OSSL_PARAM params[ARGS_MAX + 1];
    unsigned char *copies[ARGS_MAX];
    size_t count;
};
struct args args_new(void);
void args_free(struct args *args);
void args_octets(struct args *args, const char *name, const void *data, size_t size);
void args_hex(struct args *args, const char *name, const char *hex);
void args_word(struct args *args, const char *name, const char *word);
void args_number(struct args *args, const char *name, size_t number);
void args_drop(struct args *args, const char *name);

/* Fetch, set, derive, free. False: refused somewhere, the error stack says why. */
bool kdf(OSSL_LIB_CTX *libctx, const char *name, const struct args *args, unsigned char *out,
         size_t size);
/* Fetch, set, init, update (unless message is NULL), final. *size: room, then what came. */
bool mac(OSSL_LIB_CTX *libctx, const char *name, const struct args *args, const void *message,
         size_t message_size, unsigned char *out, size_t *size);
EVP_KDF_CTX *kdf_new(OSSL_LIB_CTX *libctx, const char *name);
EVP_MAC_CTX *mac_new(OSSL_LIB_CTX *libctx, const char *name);

/* The test fails unless done is false and an entry of `usi` on the error stack has the reason and
 * text. */
void refused(bool done, const char *reason, const char *text);
/* The test fails unless done; it shows the error stack. */
void works(bool done);
void same(const void *got, const void *expected, size_t size, const char *what);

/* Octets of a hex string; the buffer is the caller's. */
size_t from_hex(const char *hex, unsigned char *out, size_t room);
/* Reproducible octets: the same seed gives the same row. */
void random_octets(unsigned *seed, unsigned char *out, size_t size);

#endif
