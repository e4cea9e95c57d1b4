#include "ocb_message.h"

#include "algorithms/ocb.h"
#include "evp.h"
#include "provider.h"

#include <check.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

extern OSSL_provider_init_fn OSSL_provider_init;

/* ---- implementations ---- */

static const struct ocb_path *wanted; /* by the next load */

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                void **vprovider)
{
    struct provider *provider;

    if (!OSSL_provider_init(handle, in, out, vprovider))
        return 0;
    provider = *vprovider;
    provider->ocb = wanted;
    return 1;
}

struct ocb_loaded ocb_load(const struct ocb_path *path)
{
    struct ocb_loaded loaded = {.name = path == NULL ? "libcrypto" : path->name,
                                .libctx = OSSL_LIB_CTX_new()};

    ck_assert_ptr_nonnull(loaded.libctx);
    if (path != NULL) {
        wanted = path;
        works(OSSL_PROVIDER_add_builtin(loaded.libctx, "usi", init));
        loaded.provider = OSSL_PROVIDER_load(loaded.libctx, "usi");
        works(loaded.provider != NULL);
    }
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "AES-%d-OCB", 128 + 64 * i);
        loaded.cipher[i] = EVP_CIPHER_fetch(loaded.libctx, name, NULL);
        works(loaded.cipher[i] != NULL);
    }
    return loaded;
}

void ocb_unload(struct ocb_loaded *loaded)
{
    for (int i = 0; i < 3; i++)
        EVP_CIPHER_free(loaded->cipher[i]);
    if (loaded->provider != NULL)
        works(OSSL_PROVIDER_unload(loaded->provider));
    OSSL_LIB_CTX_free(loaded->libctx);
    memset(loaded, 0, sizeof(*loaded));
}

EVP_CIPHER *ocb_cipher(const struct ocb_loaded *loaded, size_t key_size)
{
    return loaded->cipher[key_size / 8 - 2];
}

size_t ocb_able(const struct ocb_path *paths[OCB_PATHS_MAX])
{
    size_t count = 0;

    for (const struct ocb_path *const *path = ocb_paths; *path != NULL; path++)
        if ((*path)->able())
            paths[count++] = *path;
    return count;
}

/* ---- messages ---- */

unsigned ocb_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

size_t ocb_random_size(unsigned *seed, size_t limit)
{
    size_t most = ocb_random(seed) % 4 == 0 ? limit : limit < 64 ? limit : 64;

    return ocb_random(seed) % most;
}

EVP_CIPHER_CTX *ocb_begin(EVP_CIPHER *cipher, const struct ocb_message *m, const unsigned char *tag)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    works(ctx != NULL && EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, tag == NULL, NULL) == 1);
    works(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)m->nonce_size, NULL) == 1);
    works(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)m->tag_size, NULL) == 1);
    works(EVP_CipherInit_ex2(ctx, NULL, m->key, m->nonce, -1, NULL) == 1);
    if (tag != NULL) {
        unsigned char copy[16];
        memcpy(copy, tag, m->tag_size);
        works(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)m->tag_size, copy) == 1);
    }
    return ctx;
}

/* The next piece of what is left: all of it, or (from a seed) some. */
static size_t piece(unsigned *seed, size_t left)
{
    return *seed == 0 ? left : ocb_random_size(seed, left + 2) % (left + 1);
}

static bool pass_pieces(EVP_CIPHER_CTX *ctx, const struct ocb_message *m, unsigned seed,
                        unsigned char *out, size_t *made)
{
    size_t aad = 0, taken = 0;
    int n = 0;

    *made = 0;
    while (aad < m->aad_size || taken < m->size) {
        size_t of_aad = piece(&seed, m->aad_size - aad), of_in = piece(&seed, m->size - taken);
        if (of_aad > 0 && EVP_CipherUpdate(ctx, NULL, &n, m->aad + aad, (int)of_aad) != 1)
            return false;
        aad += of_aad;
        if (of_in > 0) {
            if (EVP_CipherUpdate(ctx, out + *made, &n, m->in + taken, (int)of_in) != 1)
                return false;
            *made += (size_t)n;
            taken += of_in;
            ck_assert_uint_le(*made, taken);
            ck_assert_uint_gt(*made + 16, taken);
        }
    }
    if (EVP_CipherFinal_ex(ctx, out + *made, &n) != 1)
        return false;
    *made += (size_t)n;
    return true;
}

bool ocb_pass(EVP_CIPHER_CTX *ctx, const struct ocb_message *m, struct ocb_how how,
              unsigned char *out, unsigned char *tag)
{
    size_t made = m->size;

    if (!how.whole) {
        if (!pass_pieces(ctx, m, how.seed, out, &made))
            return false;
    } else {
        if (m->aad_size > 0 && EVP_Cipher(ctx, NULL, m->aad, (unsigned)m->aad_size) < 0)
            return false;
        if (EVP_Cipher(ctx, out, m->in, (unsigned)m->size) != (int)m->size)
            return false;
    }
    ck_assert_uint_eq(made, m->size);
    return tag == NULL ||
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)m->tag_size, tag) == 1;
}

bool ocb_seal(EVP_CIPHER *cipher, const struct ocb_message *m, struct ocb_how how,
              unsigned char *out, unsigned char *tag)
{
    EVP_CIPHER_CTX *ctx = ocb_begin(cipher, m, NULL);
    bool done = ocb_pass(ctx, m, how, out, tag);

    EVP_CIPHER_CTX_free(ctx);
    return done;
}

bool ocb_open(EVP_CIPHER *cipher, const struct ocb_message *m, struct ocb_how how,
              const unsigned char *tag, unsigned char *out)
{
    EVP_CIPHER_CTX *ctx = ocb_begin(cipher, m, tag);
    bool done = ocb_pass(ctx, m, how, out, NULL);

    EVP_CIPHER_CTX_free(ctx);
    return done;
}
