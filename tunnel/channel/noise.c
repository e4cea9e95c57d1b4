#include "channel/noise.h"

#include "channel/bytes.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum token { END, E, EE, EXTRA, PSK };

enum { MESSAGES = 2, TOKENS = 5 };

/* Section 7.4 and 9.4. EXTRA is ours and does nothing unless usi_noise_set_extra was called. */
static const struct pattern {
    const char *name;
    bool has_psk;
    uint8_t message[MESSAGES][TOKENS];
} patterns[] = {
    [USI_NOISE_NN] = {"NN", false, {{E, END}, {E, EE, EXTRA, END}}},
    [USI_NOISE_NNPSK0] = {"NNpsk0", true, {{PSK, E, END}, {E, EE, EXTRA, END}}},
    [USI_NOISE_NNPSK2] = {"NNpsk2", true, {{E, END}, {E, EE, EXTRA, PSK, END}}},
};

struct usi_noise {
    const struct usi_crypto *crypto;
    const struct usi_cipher *cipher;
    const struct pattern *pattern;
    bool initiator;
    unsigned turn; /* messages written and read so far */
    bool half;     /* the tokens of the next one are through, its payload is not */

    EVP_MD_CTX *digest;
    EVP_MAC_CTX *hmac;
    EVP_PKEY *e;
    uint8_t re[USI_DH];
    uint8_t psk[USI_KEY];
    uint8_t extra[USI_KEY];
    bool has_extra;

    /* SymmetricState and CipherState, section 5.1 and 5.2 */
    uint8_t h[USI_HASH];
    uint8_t ck[USI_HASH];
    uint8_t k[USI_KEY];
    uint64_t counter;
    bool has_key;
};

/* HMAC-SHA-256(key, a || b) */
static int hmac(struct usi_noise *n, const uint8_t key[USI_HASH], const uint8_t *a, size_t a_size,
                const uint8_t *b, size_t b_size, uint8_t out[USI_HASH])
{
    size_t size = 0;

    if (EVP_MAC_init(n->hmac, key, USI_HASH, NULL) != 1 ||
        (a_size > 0 && EVP_MAC_update(n->hmac, a, a_size) != 1) ||
        (b_size > 0 && EVP_MAC_update(n->hmac, b, b_size) != 1) ||
        EVP_MAC_final(n->hmac, out, &size, USI_HASH) != 1 || size != USI_HASH)
        return USI_ERR_INTERNAL;
    return 0;
}

/* HKDF(chaining_key, material, 2 or 3), section 4.3: out[i] is output i + 1. */
static int hkdf(struct usi_noise *n, const uint8_t *material, size_t size, uint8_t out[][USI_HASH],
                uint8_t outputs)
{
    uint8_t temp[USI_HASH];
    int result = hmac(n, n->ck, material, size, NULL, 0, temp);

    for (uint8_t i = 1; result == 0 && i <= outputs; i++) {
        const uint8_t *before = i == 1 ? NULL : out[i - 2];
        result = hmac(n, temp, before, before == NULL ? 0 : USI_HASH, &i, 1, out[i - 1]);
    }
    OPENSSL_cleanse(temp, sizeof temp);
    return result;
}

int usi_noise_mix_hash(struct usi_noise *n, const uint8_t *bytes, size_t size)
{
    if (EVP_DigestInit_ex2(n->digest, n->crypto->sha256, NULL) != 1 ||
        EVP_DigestUpdate(n->digest, n->h, USI_HASH) != 1 ||
        (size > 0 && EVP_DigestUpdate(n->digest, bytes, size) != 1) ||
        EVP_DigestFinal_ex(n->digest, n->h, NULL) != 1)
        return USI_ERR_INTERNAL;
    return 0;
}

static void initialize_key(struct usi_noise *n, const uint8_t key[USI_KEY])
{
    memcpy(n->k, key, USI_KEY);
    n->counter = 0;
    n->has_key = true;
}

static int mix_key(struct usi_noise *n, const uint8_t *material, size_t size)
{
    uint8_t out[2][USI_HASH];
    int result = hkdf(n, material, size, out, 2);

    if (result == 0) {
        memcpy(n->ck, out[0], USI_HASH);
        initialize_key(n, out[1]);
    }
    OPENSSL_cleanse(out, sizeof out);
    return result;
}

static int mix_key_and_hash(struct usi_noise *n, const uint8_t *material, size_t size)
{
    uint8_t out[3][USI_HASH];
    int result = hkdf(n, material, size, out, 3);

    if (result == 0) {
        memcpy(n->ck, out[0], USI_HASH);
        result = usi_noise_mix_hash(n, out[1], USI_HASH);
        initialize_key(n, out[2]);
    }
    OPENSSL_cleanse(out, sizeof out);
    return result;
}

static int start_hash(struct usi_noise *n)
{
    char name[64];
    int size = snprintf(name, sizeof name, "Noise_%s_25519_%s_SHA256", n->pattern->name,
                        n->cipher->noise_name);

    if (size < 0 || (size_t)size >= sizeof name)
        return USI_ERR_INTERNAL;
    memset(n->h, 0, USI_HASH);
    if (size <= USI_HASH)
        memcpy(n->h, name, (size_t)size);
    else if (EVP_Digest(name, (size_t)size, n->h, NULL, n->crypto->sha256, NULL) != 1)
        return USI_ERR_INTERNAL;
    memcpy(n->ck, n->h, USI_HASH);
    return 0;
}

int usi_noise_new(struct usi_noise **out, const struct usi_crypto *crypto,
                  const struct usi_cipher *cipher, enum usi_noise_pattern pattern, bool initiator,
                  const uint8_t *prologue, size_t size)
{
    struct usi_noise *n = OPENSSL_zalloc(sizeof *n);

    *out = NULL;
    if (n == NULL)
        return USI_ERR_INTERNAL;
    n->crypto = crypto;
    n->cipher = cipher;
    n->pattern = &patterns[pattern];
    n->initiator = initiator;
    if ((n->digest = EVP_MD_CTX_new()) == NULL ||
        (n->hmac = EVP_MAC_CTX_dup(crypto->hmac_sha256)) == NULL || start_hash(n) != 0 ||
        usi_noise_mix_hash(n, prologue, size) != 0) {
        usi_noise_free(n);
        return USI_ERR_INTERNAL;
    }
    *out = n;
    return 0;
}

void usi_noise_free(struct usi_noise *n)
{
    if (n == NULL)
        return;
    EVP_PKEY_free(n->e);
    EVP_MAC_CTX_free(n->hmac);
    EVP_MD_CTX_free(n->digest);
    OPENSSL_clear_free(n, sizeof *n);
}

void usi_noise_set_psk(struct usi_noise *n, const uint8_t psk[USI_KEY])
{
    memcpy(n->psk, psk, USI_KEY);
}

void usi_noise_set_extra(struct usi_noise *n, const uint8_t secret[USI_KEY])
{
    memcpy(n->extra, secret, USI_KEY);
    n->has_extra = true;
}

/* Makes our ephemeral key and appends its public half to w. */
static int write_ephemeral(struct usi_noise *n, struct usi_write *w)
{
    uint8_t private[USI_DH];
    uint8_t *public = usi_write_room(w, USI_DH);
    size_t size = USI_DH;
    int result = USI_ERR_INTERNAL;

    if (public == NULL)
        return USI_ERR_ARGUMENT;
    if (n->crypto->random(n->crypto, private, sizeof private) != 0)
        goto done;
    n->e = EVP_PKEY_new_raw_private_key_ex(n->crypto->libctx, "X25519", n->crypto->propq, private,
                                           sizeof private);
    if (n->e == NULL || EVP_PKEY_get_raw_public_key(n->e, public, &size) != 1 || size != USI_DH)
        goto done;
    result = usi_noise_mix_hash(n, public, USI_DH);
    if (result == 0 && n->pattern->has_psk) /* section 9.2 */
        result = mix_key(n, public, USI_DH);
done:
    OPENSSL_cleanse(private, sizeof private);
    return result;
}

static int read_ephemeral(struct usi_noise *n, struct usi_read *r)
{
    const uint8_t *public = usi_read_bytes(r, USI_DH);
    int result;

    if (public == NULL)
        return USI_ERR_FORMAT;
    memcpy(n->re, public, USI_DH);
    result = usi_noise_mix_hash(n, n->re, USI_DH);
    if (result == 0 && n->pattern->has_psk)
        result = mix_key(n, n->re, USI_DH);
    return result;
}

static int mix_dh(struct usi_noise *n)
{
    static const uint8_t zero[USI_DH];
    uint8_t shared[USI_DH];
    size_t size = sizeof shared;
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(n->crypto->libctx, "X25519", n->crypto->propq,
                                                    n->re, USI_DH);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(n->crypto->libctx, n->e, n->crypto->propq);
    int result = USI_ERR_INTERNAL;

    if (peer == NULL || ctx == NULL || EVP_PKEY_derive_init(ctx) != 1)
        goto done;
    /* libcrypto refuses an all-zero result by itself; another provider might not. The peer's point
     * is the only thing that can be wrong here. */
    result = USI_ERR_FORMAT;
    if (EVP_PKEY_derive_set_peer(ctx, peer) != 1 || EVP_PKEY_derive(ctx, shared, &size) != 1 ||
        size != USI_DH || CRYPTO_memcmp(shared, zero, USI_DH) == 0)
        goto done;
    result = mix_key(n, shared, USI_DH);
done:
    OPENSSL_cleanse(shared, sizeof shared);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    return result;
}

/* The tokens that are the same in writing and reading. */
static int mix_token(struct usi_noise *n, uint8_t token)
{
    switch (token) {
    case EE:
        return mix_dh(n);
    case EXTRA:
        return n->has_extra ? mix_key(n, n->extra, USI_KEY) : 0;
    case PSK:
        return mix_key_and_hash(n, n->psk, USI_KEY);
    default:
        return USI_ERR_ARGUMENT;
    }
}

static int encrypt_and_hash(struct usi_noise *n, const uint8_t *payload, size_t size,
                            struct usi_write *w)
{
    size_t sealed = size + (n->has_key ? USI_TAG : 0);
    uint8_t *out = usi_write_room(w, sealed);
    int result = 0;

    if (out == NULL)
        return USI_ERR_ARGUMENT;
    if (n->has_key)
        result = usi_cipher_seal(n->cipher, n->k, n->counter++, n->h, USI_HASH, payload, size, out);
    else if (size > 0)
        memcpy(out, payload, size);
    return result == 0 ? usi_noise_mix_hash(n, out, sealed) : result;
}

static int decrypt_and_hash(struct usi_noise *n, struct usi_read *r, struct usi_write *w)
{
    size_t sealed = r->left;
    const uint8_t *in = usi_read_bytes(r, sealed);
    size_t tag = n->has_key ? USI_TAG : 0;
    int result = 0;

    if (sealed < tag)
        return USI_ERR_FORMAT;
    uint8_t *out = usi_write_room(w, sealed - tag);
    if (out == NULL)
        return USI_ERR_FORMAT;
    if (n->has_key)
        result = usi_cipher_open(n->cipher, n->k, n->counter++, n->h, USI_HASH, in, sealed, out);
    else if (sealed > 0)
        memcpy(out, in, sealed);
    return result == 0 ? usi_noise_mix_hash(n, in, sealed) : result;
}

/* The initiator writes messages 0, 2, ... and reads the others. */
static bool our_turn(const struct usi_noise *n, bool to_write)
{
    return n->turn < MESSAGES && (n->turn % 2 == 0) == (n->initiator == to_write);
}

/* One message is through; after the last, nothing but ck and h is needed. */
static void take_turn(struct usi_noise *n)
{
    n->half = false;
    if (++n->turn < MESSAGES)
        return;
    EVP_PKEY_free(n->e);
    n->e = NULL;
    OPENSSL_cleanse(n->psk, sizeof n->psk);
    OPENSSL_cleanse(n->extra, sizeof n->extra);
}

int usi_noise_write_tokens(struct usi_noise *n, uint8_t *out, size_t room, size_t *size)
{
    struct usi_write w = usi_write_to(out, room);
    int result = 0;

    *size = 0;
    if (!our_turn(n, true) || n->half)
        return USI_ERR_ARGUMENT;
    n->half = true;
    for (const uint8_t *t = n->pattern->message[n->turn]; result == 0 && *t != END; t++)
        result = *t == E ? write_ephemeral(n, &w) : mix_token(n, *t);
    *size = w.used;
    return result;
}

int usi_noise_write_payload(struct usi_noise *n, const uint8_t *payload, size_t size, uint8_t *out,
                            size_t room, size_t *out_size)
{
    struct usi_write w = usi_write_to(out, room);

    *out_size = 0;
    if (!our_turn(n, true) || !n->half)
        return USI_ERR_ARGUMENT;
    int result = encrypt_and_hash(n, payload, size, &w);
    take_turn(n);
    *out_size = w.used;
    return result;
}

int usi_noise_write(struct usi_noise *n, const uint8_t *payload, size_t size, uint8_t *out,
                    size_t room, size_t *out_size)
{
    size_t tokens = 0;
    int result = usi_noise_write_tokens(n, out, room, &tokens);

    *out_size = tokens;
    if (result == 0)
        result = usi_noise_write_payload(n, payload, size, out + tokens, room - tokens, out_size);
    if (result == 0)
        *out_size += tokens;
    return result;
}

int usi_noise_read_tokens(struct usi_noise *n, const uint8_t *message, size_t size, size_t *taken)
{
    struct usi_read r = usi_read_from(message, size);
    int result = 0;

    *taken = 0;
    if (!our_turn(n, false) || n->half)
        return USI_ERR_ARGUMENT;
    n->half = true;
    for (const uint8_t *t = n->pattern->message[n->turn]; result == 0 && *t != END; t++)
        result = *t == E ? read_ephemeral(n, &r) : mix_token(n, *t);
    *taken = size - r.left;
    return result;
}

int usi_noise_read_payload(struct usi_noise *n, const uint8_t *sealed, size_t size, uint8_t *out,
                           size_t room, size_t *out_size)
{
    struct usi_read r = usi_read_from(sealed, size);
    struct usi_write w = usi_write_to(out, room);

    *out_size = 0;
    if (!our_turn(n, false) || !n->half)
        return USI_ERR_ARGUMENT;
    int result = decrypt_and_hash(n, &r, &w);
    take_turn(n);
    *out_size = w.used;
    return result;
}

int usi_noise_read(struct usi_noise *n, const uint8_t *message, size_t size, uint8_t *out,
                   size_t room, size_t *out_size)
{
    size_t taken = 0;
    int result = usi_noise_read_tokens(n, message, size, &taken);

    *out_size = 0;
    return result != 0
               ? result
               : usi_noise_read_payload(n, message + taken, size - taken, out, room, out_size);
}

const uint8_t *usi_noise_hash(const struct usi_noise *n)
{
    return n->h;
}

const uint8_t *usi_noise_chaining_key(const struct usi_noise *n)
{
    return n->ck;
}

const uint8_t *usi_noise_cipher_key(const struct usi_noise *n)
{
    return n->k;
}

int usi_noise_split(struct usi_noise *n, uint8_t initiator[USI_KEY], uint8_t responder[USI_KEY])
{
    uint8_t out[2][USI_HASH];
    int result;

    if (n->turn != MESSAGES)
        return USI_ERR_ARGUMENT;
    result = hkdf(n, NULL, 0, out, 2);
    if (result == 0) {
        memcpy(initiator, out[0], USI_KEY);
        memcpy(responder, out[1], USI_KEY);
    }
    OPENSSL_cleanse(out, sizeof out);
    return result;
}

int usi_noise_export(struct usi_noise *n, const char *label, uint8_t out[USI_KEY])
{
    if (n->turn != MESSAGES)
        return USI_ERR_ARGUMENT;
    return hmac(n, n->ck, (const uint8_t *)label, strlen(label), NULL, 0, out);
}

void usi_noise_forget(struct usi_noise *n)
{
    OPENSSL_cleanse(n->ck, sizeof n->ck);
    OPENSSL_cleanse(n->k, sizeof n->k);
}
