#include "channel/crypto.h"

#include "channel/bytes.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <string.h>

/* Marks what programs that have a catalogue of messages look up in it. */
#define TEXT(english) english

const char *usi_error_text(int error)
{
    switch (error) {
    case 0:
        return TEXT("no error");
    case USI_ERR_INTERNAL:
        return TEXT("internal error or out of memory");
    case USI_ERR_ARGUMENT:
        return TEXT("a call that does not fit the channel's state");
    case USI_ERR_ALGORITHM:
        return TEXT("an algorithm is missing or unfit");
    case USI_ERR_FORMAT:
        return TEXT("not a USI message, or a malformed one");
    case USI_ERR_KNOCK:
        return TEXT("the peer does not know the key");
    case USI_ERR_REPLAY:
        return TEXT("a first message that was seen before");
    case USI_ERR_CHALLENGE:
        return TEXT("the answer is by somebody who does not know the key");
    case USI_ERR_PROOF:
        return TEXT("the peer's proof of the key is wrong");
    case USI_ERR_TAMPERED:
        return TEXT("a record was changed, lost, repeated or moved on the way");
    case USI_ERR_PROTOCOL:
        return TEXT("the peer broke the protocol");
    case USI_ERR_COUNT:
        return TEXT("the peer sent another number of octets than it says");
    case USI_ERR_KEY_LIMIT:
        return TEXT("the peer used a key past its limit");
    case USI_ERR_MODE:
        return TEXT("it asked for a way to authenticate, or gave a name, that is not offered here");
    case USI_ERR_SIGNATURE:
        return TEXT("the signature is not by the key that was shown");
    case USI_ERR_KEY_KIND:
        return TEXT("a signature key of a kind or size that is not accepted");
    case USI_ERR_CHANGED:
        return TEXT("another identity than before");
    case USI_ERR_SHARE:
        return TEXT("a password share that is not a point of the curve");
    case USI_ERR_PASSWORD:
        return TEXT("the password is wrong");
    case USI_ERR_TRIES:
        return TEXT("the password allows no more tries, or not so fast");
    default:
        return TEXT("unknown error");
    }
}

const char *usi_reason_text(unsigned reason)
{
    switch (reason) {
    case USI_REASON_INTERNAL:
        return TEXT("an internal error");
    case USI_REASON_LOCAL_IO:
        return TEXT("its local input or output failed");
    case USI_REASON_NOT_WANTED:
        return TEXT("it takes no data");
    case USI_REASON_BUSY:
        return TEXT("it is busy with another peer");
    case USI_REASON_UNREACHABLE:
        return TEXT("its target cannot be reached");
    case USI_REASON_NOT_PERMITTED:
        return TEXT("not permitted");
    case USI_REASON_IDLE:
        return TEXT("nothing moved for too long");
    case USI_REASON_STOPPING:
        return TEXT("it is being stopped");
    case USI_REASON_NOT_SUPPORTED:
        return TEXT("it does not know what was asked for");
    case USI_REASON_NOT_ACCEPTED:
        return TEXT("its user did not accept this identity");
    default:
        return TEXT("a reason unknown here");
    }
}

static int system_random(const struct usi_crypto *crypto, uint8_t *out, size_t size)
{
    return RAND_priv_bytes_ex(crypto->libctx, out, size, 256) == 1 ? 0 : -1;
}

static bool fetch_ciphers(struct usi_crypto *c, const char **what)
{
    static const struct usi_cipher table[USI_CIPHERS] = {
        {"AES128OCB", "AES-128-OCB", 16, NULL},
        {"AES192OCB", "AES-192-OCB", 24, NULL},
        {"AES256OCB", "AES-256-OCB", 32, NULL},
    };

    for (size_t i = 0; i < USI_CIPHERS; i++) {
        c->cipher[i] = table[i];
        *what = table[i].evp_name;
        /* Several providers may have it; of those, ours is the fast one. */
        c->cipher[i].evp = EVP_CIPHER_fetch(c->libctx, table[i].evp_name,
                                            c->propq != NULL ? c->propq : "?provider=usi");
        if (c->cipher[i].evp == NULL)
            return false;
    }
    return true;
}

/* HMAC-SHA-256, its digest found under the property query too. The key is only a placeholder: a
 * context without one cannot be duplicated. */
static EVP_MAC_CTX *fetch_hmac(const struct usi_crypto *c)
{
    char digest[] = "SHA256";
    static const uint8_t key[USI_HASH];
    EVP_MAC *hmac = EVP_MAC_fetch(c->libctx, "HMAC", c->propq);
    EVP_MAC_CTX *ctx = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    OSSL_PARAM params[3], *p = params;

    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    if (c->propq != NULL)
        *p++ = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_PROPERTIES, c->propq, 0);
    *p = OSSL_PARAM_construct_end();
    if (ctx != NULL && EVP_MAC_init(ctx, key, sizeof key, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    EVP_MAC_free(hmac);
    return ctx;
}

static bool fetch(struct usi_crypto *c, const char **what)
{
    EVP_PKEY_CTX *probe;

    if ((*what = "A3", c->a3 = EVP_MAC_fetch(c->libctx, "A3", c->propq)) == NULL ||
        (*what = "A8", c->a8 = EVP_KDF_fetch(c->libctx, "A8", c->propq)) == NULL ||
        (*what = "HMAC", c->hmac_sha256 = fetch_hmac(c)) == NULL ||
        (*what = "SHA-256", c->sha256 = EVP_MD_fetch(c->libctx, "SHA256", c->propq)) == NULL)
        return false;
    *what = "X25519";
    if ((probe = EVP_PKEY_CTX_new_from_name(c->libctx, "X25519", c->propq)) == NULL)
        return false;
    EVP_PKEY_CTX_free(probe);
    return fetch_ciphers(c, what);
}

/* An A3 for any message that gives 16 octets. */
static bool fit_a3(struct usi_crypto *c, const uint8_t *ki, size_t ki_size)
{
    static const uint8_t message[97];
    const struct usi_part lone[] = {{message, sizeof message}, {NULL, 0}};
    const struct usi_part two[] = {{message, 10}, {message, 32}, {NULL, 0}};
    uint8_t out[16];
    bool good = usi_crypto_a3(c, ki, ki_size, lone, out) == 0 &&
                usi_crypto_a3(c, ki, ki_size, two, out) == 0;

    OPENSSL_cleanse(out, sizeof out);
    return good;
}

/* An A8 for a RAND of 64 octets that gives 32. One that writes fewer and says nothing shows in what
 * it leaves of two different fillings. */
static bool fit_a8(struct usi_crypto *c, const uint8_t *ki, size_t ki_size)
{
    static const uint8_t rand[64];
    uint8_t out[32], again[32];
    bool good;

    memset(out, 0, sizeof out);
    memset(again, 0xff, sizeof again);
    good = usi_crypto_a8(c, ki, ki_size, rand, sizeof rand, out) == 0 &&
           usi_crypto_a8(c, ki, ki_size, rand, sizeof rand, again) == 0 &&
           CRYPTO_memcmp(out, again, sizeof out) == 0;
    OPENSSL_cleanse(out, sizeof out);
    OPENSSL_cleanse(again, sizeof again);
    return good;
}

/* PROTOCOL.md: an A3 of fixed input or short output, or an A8 of short output (COMP128 and its
 * kin), must never key a channel. */
static bool fit(struct usi_crypto *c, const char **what)
{
    static const uint8_t ki[32];

    for (size_t size = 16; size <= 32; size += 8) {
        *what = "A3";
        if (!fit_a3(c, ki, size))
            return false;
        *what = "A8";
        if (!fit_a8(c, ki, size))
            return false;
    }
    return true;
}

int usi_crypto_new(struct usi_crypto **out, OSSL_LIB_CTX *libctx, const char *propq,
                   const char **what)
{
    const char *unused;
    struct usi_crypto *c = OPENSSL_zalloc(sizeof *c);

    *out = NULL;
    if (what == NULL)
        what = &unused;
    *what = "memory";
    if (c == NULL)
        return USI_ERR_INTERNAL;
    c->libctx = libctx;
    c->random = system_random;
    if (propq != NULL && (c->propq = OPENSSL_strdup(propq)) == NULL) {
        usi_crypto_free(c);
        return USI_ERR_INTERNAL;
    }
    if (!fetch(c, what) || !fit(c, what)) {
        usi_crypto_free(c);
        return USI_ERR_ALGORITHM;
    }
    EVP_KEYMGMT *ml_kem = EVP_KEYMGMT_fetch(libctx, "ML-KEM-768", c->propq);
    c->ml_kem = ml_kem != NULL;
    EVP_KEYMGMT_free(ml_kem);
    *out = c;
    return 0;
}

void usi_crypto_thread_stop(const struct usi_crypto *crypto)
{
    OPENSSL_thread_stop_ex(crypto->libctx);
    OPENSSL_thread_stop(); /* the queue of errors is of no context */
}

void usi_crypto_free(struct usi_crypto *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < USI_CIPHERS; i++)
        EVP_CIPHER_free(c->cipher[i].evp);
    EVP_MD_free(c->sha256);
    EVP_MAC_CTX_free(c->hmac_sha256);
    EVP_KDF_free(c->a8);
    EVP_MAC_free(c->a3);
    OPENSSL_free(c->propq);
    OPENSSL_free(c);
}

const struct usi_cipher *usi_cipher_for_key(const struct usi_crypto *crypto, size_t key_size,
                                            uint8_t *octet)
{
    for (size_t i = 0; i < USI_CIPHERS; i++) {
        if (crypto->cipher[i].key_size == key_size) {
            *octet = (uint8_t)(i + 1);
            return &crypto->cipher[i];
        }
    }
    return NULL;
}

void usi_cipher_nonce(uint8_t nonce[USI_NONCE], uint64_t counter)
{
    memset(nonce, 0, USI_NONCE - 8);
    usi_put_number(nonce + USI_NONCE - 8, counter, 8);
}

int usi_cipher_seal(const struct usi_cipher *cipher, const uint8_t key[USI_KEY], uint64_t counter,
                    const uint8_t *ad, size_t ad_size, const uint8_t *in, size_t size, uint8_t *out)
{
    uint8_t nonce[USI_NONCE];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;
    int result = USI_ERR_INTERNAL;

    usi_cipher_nonce(nonce, counter);
    if (ctx == NULL || EVP_EncryptInit_ex2(ctx, cipher->evp, key, nonce, NULL) != 1 ||
        (ad_size > 0 && EVP_EncryptUpdate(ctx, NULL, &n, ad, (int)ad_size) != 1))
        goto done;
    n = 0;
    if ((size > 0 && EVP_EncryptUpdate(ctx, out, &n, in, (int)size) != 1) ||
        EVP_EncryptFinal_ex(ctx, out + n, &last) != 1 || (size_t)n + (size_t)last != size ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, USI_TAG, out + size) != 1)
        goto done;
    result = 0;
done:
    EVP_CIPHER_CTX_free(ctx);
    return result;
}

int usi_cipher_open(const struct usi_cipher *cipher, const uint8_t key[USI_KEY], uint64_t counter,
                    const uint8_t *ad, size_t ad_size, const uint8_t *in, size_t size, uint8_t *out)
{
    uint8_t nonce[USI_NONCE], tag[USI_TAG];
    EVP_CIPHER_CTX *ctx;
    int n = 0, last = 0;
    int result = USI_ERR_INTERNAL;

    if (size < USI_TAG)
        return USI_ERR_FORMAT;
    size -= USI_TAG;
    memcpy(tag, in + size, USI_TAG);
    usi_cipher_nonce(nonce, counter);
    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL || EVP_DecryptInit_ex2(ctx, cipher->evp, key, nonce, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, USI_TAG, tag) != 1 ||
        (ad_size > 0 && EVP_DecryptUpdate(ctx, NULL, &n, ad, (int)ad_size) != 1))
        goto done;
    n = 0;
    if (size > 0 && EVP_DecryptUpdate(ctx, out, &n, in, (int)size) != 1)
        goto done;
    result = 0;
    if (EVP_DecryptFinal_ex(ctx, out + n, &last) != 1) {
        OPENSSL_cleanse(out, size);
        result = USI_ERR_TAMPERED;
    }
done:
    EVP_CIPHER_CTX_free(ctx);
    return result;
}

int usi_crypto_a3(const struct usi_crypto *crypto, const uint8_t *ki, size_t ki_size,
                  const struct usi_part *parts, uint8_t out[16])
{
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(crypto->a3);
    size_t want = 16, size = 0;
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &want),
                                 OSSL_PARAM_construct_end()};
    uint8_t whole[EVP_MAX_MD_SIZE]; /* a provider that ignores `size` shows here that it does */
    int result = USI_ERR_INTERNAL;

    if (ctx == NULL || EVP_MAC_init(ctx, ki, ki_size, params) != 1)
        goto done;
    for (; parts->bytes != NULL; parts++)
        if (EVP_MAC_update(ctx, parts->bytes, parts->size) != 1)
            goto done;
    if (EVP_MAC_final(ctx, whole, &size, sizeof whole) != 1 || size != 16)
        goto done;
    memcpy(out, whole, 16);
    result = 0;
done:
    OPENSSL_cleanse(whole, sizeof whole);
    EVP_MAC_CTX_free(ctx);
    return result;
}

int usi_crypto_a8(const struct usi_crypto *crypto, const uint8_t *ki, size_t ki_size,
                  const uint8_t *rand, size_t rand_size, uint8_t out[32])
{
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(crypto->a8);
    /* OSSL_PARAM has no const; the octets are only read. */
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)ki, ki_size),
        OSSL_PARAM_construct_octet_string("rand", (void *)(uintptr_t)rand, rand_size),
        OSSL_PARAM_construct_end()};
    int result = ctx != NULL && EVP_KDF_derive(ctx, out, 32, params) == 1 ? 0 : USI_ERR_INTERNAL;

    EVP_KDF_CTX_free(ctx);
    return result;
}
