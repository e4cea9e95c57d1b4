#include "channel/password.h"

#include <crypt.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <pthread.h>
#include <string.h>

/* ---- keys of passwords ---- */

enum { COST = 12, PREHASH = 44, SETTING = 29, BCRYPT = 60 };

/* HKDF of RFC 5869 with SHA-256; label is text. */
static int hkdf(const struct usi_crypto *crypto, const uint8_t *salt, size_t salt_size,
                const void *key, size_t key_size, const char *label, uint8_t *out, size_t size)
{
    char digest[] = "SHA256";
    EVP_KDF *kdf = EVP_KDF_fetch(crypto->libctx, "HKDF", crypto->propq);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[6], *p = params;
    int result;

    /* OSSL_PARAM has no const; the octets are only read. */
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    if (crypto->propq != NULL)
        *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_PROPERTIES, crypto->propq, 0);
    if (salt_size > 0)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt,
                                                 salt_size);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, key_size);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)label,
                                             strlen(label));
    *p = OSSL_PARAM_construct_end();
    result = ctx != NULL && EVP_KDF_derive(ctx, out, size, params) == 1 ? 0 : USI_ERR_INTERNAL;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return result;
}

/* pw': bcrypt would take no octet 00 and nothing behind the 72nd. */
static int prehash(const struct usi_crypto *crypto, const char *password, size_t size,
                   char out[PREHASH + 1])
{
    uint8_t hash[USI_HASH];
    int result = USI_ERR_INTERNAL;

    if (EVP_Digest(password, size, hash, NULL, crypto->sha256, NULL) == 1 &&
        EVP_EncodeBlock((unsigned char *)out, hash, sizeof hash) == PREHASH)
        result = 0;
    OPENSSL_cleanse(hash, sizeof hash);
    return result;
}

/* m, without a NUL. crypt_r reports some errors by a text that begins with '*'. */
static int bcrypt(const char *phrase, const uint8_t salt[USI_SALT], char out[BCRYPT])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    struct crypt_data *data = OPENSSL_zalloc(sizeof *data);
    const char *made = NULL;
    int result = USI_ERR_INTERNAL;

    if (data != NULL && crypt_gensalt_rn("$2b$", COST, (const char *)salt, USI_SALT, setting,
                                         sizeof setting) != NULL)
        made = crypt_r(phrase, setting, data);
    if (made != NULL && strlen(made) == BCRYPT && memcmp(made, setting, SETTING) == 0) {
        memcpy(out, made, BCRYPT);
        result = 0;
    }
    OPENSSL_clear_free(data, sizeof *data);
    return result;
}

int usi_password_stretch(const struct usi_crypto *crypto, const char *password, size_t size,
                         const uint8_t salt[USI_SALT], uint8_t out[USI_STRETCHED])
{
    char phrase[PREHASH + 1], m[BCRYPT];
    int result = prehash(crypto, size > 0 ? password : "", size, phrase);

    if (result == 0)
        result = bcrypt(phrase, salt, m);
    if (result == 0)
        result = hkdf(crypto, NULL, 0, m, sizeof m, "USI1 w", out, USI_STRETCHED);
    OPENSSL_cleanse(m, sizeof m);
    OPENSSL_cleanse(phrase, sizeof phrase);
    return result;
}

int usi_password_psk(const struct usi_crypto *crypto, const uint8_t *prologue, size_t size,
                     const uint8_t ke[USI_SPAKE2_KE], uint8_t out[USI_KEY])
{
    uint8_t salt[USI_HASH];

    if (EVP_Digest(prologue, size, salt, NULL, crypto->sha256, NULL) != 1)
        return USI_ERR_INTERNAL;
    return hkdf(crypto, salt, sizeof salt, ke, USI_SPAKE2_KE, "USI1 password", out, USI_KEY);
}

/* ---- tries ---- */

struct usi_guard {
    pthread_mutex_t lock;
    struct usi_tries tries;
    unsigned left;
    uint64_t since; /* from when the next refill_ms counts, while any is missing */
    uint64_t failed;
    bool used;
};

struct usi_guard *usi_guard_new(const struct usi_tries *tries)
{
    struct usi_guard *guard = OPENSSL_zalloc(sizeof *guard);

    if (guard == NULL)
        return NULL;
    if (pthread_mutex_init(&guard->lock, NULL) != 0) {
        OPENSSL_free(guard);
        return NULL;
    }
    guard->tries = *tries;
    guard->left = tries->burst;
    return guard;
}

void usi_guard_free(struct usi_guard *guard)
{
    if (guard == NULL)
        return;
    (void)pthread_mutex_destroy(&guard->lock);
    OPENSSL_free(guard);
}

/* What has come back by now. Threads may be told the time a little out of order. */
static void refill(struct usi_guard *guard, uint64_t now)
{
    unsigned missing = guard->tries.burst - guard->left;

    if (guard->tries.refill_ms == 0 || missing == 0 || now <= guard->since)
        return;
    uint64_t back = (now - guard->since) / guard->tries.refill_ms;
    guard->left += back < missing ? (unsigned)back : missing;
    guard->since += back * guard->tries.refill_ms;
}

static bool allows(struct usi_guard *guard, uint64_t now)
{
    refill(guard, now);
    return !guard->used && guard->left > 0;
}

bool usi_guard_allows(struct usi_guard *guard, uint64_t now)
{
    bool allowed;

    if (pthread_mutex_lock(&guard->lock) != 0)
        return false;
    allowed = allows(guard, now);
    (void)pthread_mutex_unlock(&guard->lock);
    return allowed;
}

bool usi_guard_take(struct usi_guard *guard, uint64_t now)
{
    bool taken;

    if (pthread_mutex_lock(&guard->lock) != 0)
        return false;
    taken = allows(guard, now);
    if (taken) {
        if (guard->left == guard->tries.burst)
            guard->since = now;
        guard->left--;
        guard->failed++;
    }
    (void)pthread_mutex_unlock(&guard->lock);
    return taken;
}

bool usi_guard_right(struct usi_guard *guard, bool uses_up)
{
    bool through;

    if (pthread_mutex_lock(&guard->lock) != 0)
        return false;
    through = !guard->used;
    if (guard->tries.once && uses_up)
        guard->used = true;
    if (guard->failed > 0)
        guard->failed--;
    if (guard->left < guard->tries.burst)
        guard->left++;
    (void)pthread_mutex_unlock(&guard->lock);
    return through;
}

void usi_guard_state(struct usi_guard *guard, uint64_t now, struct usi_tries_state *state)
{
    *state = (struct usi_tries_state){0};
    if (pthread_mutex_lock(&guard->lock) != 0)
        return;
    state->now = allows(guard, now);
    state->ever =
        state->now || (!guard->used && guard->tries.refill_ms > 0 && guard->tries.burst > 0);
    state->failed = guard->failed;
    state->used = guard->used;
    (void)pthread_mutex_unlock(&guard->lock);
}
