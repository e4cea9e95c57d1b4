/* AES-OCB in the tests: a chosen path of the provider, or libcrypto's own, and messages through
 * them. */
#ifndef TESTS_PROVIDER_OCB_MESSAGE_H
#define TESTS_PROVIDER_OCB_MESSAGE_H

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <stddef.h>

struct ocb_path;

/* One library context with the three ciphers of one implementation. */
struct ocb_loaded {
    const char *name;
    OSSL_LIB_CTX *libctx;
    OSSL_PROVIDER *provider; /* NULL: libcrypto's own */
    EVP_CIPHER *cipher[3];   /* of 128, 192 and 256 bits */
};
/* path NULL: libcrypto's own. The provider is compiled into the test. */
struct ocb_loaded ocb_load(const struct ocb_path *path);
void ocb_unload(struct ocb_loaded *loaded);
EVP_CIPHER *ocb_cipher(const struct ocb_loaded *loaded, size_t key_size);

/* The paths that this machine can run; gives how many. */
enum { OCB_PATHS_MAX = 4 };
size_t ocb_able(const struct ocb_path *paths[OCB_PATHS_MAX]);

struct ocb_message {
    const unsigned char *key, *nonce, *aad, *in;
    size_t key_size, nonce_size, tag_size, aad_size, size;
};

/*
 * How it is passed: seed 0 in one piece, otherwise in random pieces, AAD and octets mixed; `whole`
 * by EVP_Cipher() instead.
 */
struct ocb_how {
    unsigned seed;
    bool whole;
};

/* A context with key, sizes and nonce set, and for decryption the tag. */
EVP_CIPHER_CTX *ocb_begin(EVP_CIPHER *cipher, const struct ocb_message *m,
                          const unsigned char *tag);
/* Everything after that in an existing context; tag is written when encrypting. False: refused. */
bool ocb_pass(EVP_CIPHER_CTX *ctx, const struct ocb_message *m, struct ocb_how how,
              unsigned char *out, unsigned char *tag);
/* out may be m->in. False: refused. */
bool ocb_seal(EVP_CIPHER *cipher, const struct ocb_message *m, struct ocb_how how,
              unsigned char *out, unsigned char *tag);
bool ocb_open(EVP_CIPHER *cipher, const struct ocb_message *m, struct ocb_how how,
              const unsigned char *tag, unsigned char *out);

/* Below `limit`, and small ones more often. */
size_t ocb_random_size(unsigned *seed, size_t limit);
unsigned ocb_random(unsigned *seed);

#endif
