/* EVP_CIPHER "AES-128-OCB", "AES-192-OCB" and "AES-256-OCB": RFC 7253, as libcrypto's own behave.
 */
#include "algorithms/ocb.h"
#include "errors.h"
#include "provider.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <string.h>

enum { NONCE_DEFAULT = 12, TAG_DEFAULT = 16 };

struct aes_ocb {
    const struct provider *provider;
    struct ocb ocb;
    unsigned char data[OCB_BLOCK],
        aad[OCB_BLOCK]; /* octets that wait for the rest of their block */
    unsigned char nonce[OCB_NONCE_MAX];
    unsigned char key_size, nonce_size, tag_size, data_size, aad_size;
    unsigned char tag[OCB_TAG_MAX]; /* expected, or of the message that has ended */
    bool encrypt, keyed, tag_given;
    /* The nonce counts when the first octet comes: until then the tag's size may follow it. */
    enum state { NO_NONCE, READY, RUNNING, DONE } state;
};

/* An idle channel has two of these. */
_Static_assert(sizeof(struct aes_ocb) <= 1024, "a context has grown");

static OSSL_FUNC_cipher_newctx_fn new_128, new_192, new_256;
static OSSL_FUNC_cipher_dupctx_fn ocb_dup;
static OSSL_FUNC_cipher_freectx_fn ocb_free;
static OSSL_FUNC_cipher_encrypt_init_fn encrypt_init;
static OSSL_FUNC_cipher_decrypt_init_fn decrypt_init;
static OSSL_FUNC_cipher_update_fn update;
static OSSL_FUNC_cipher_final_fn finish;
static OSSL_FUNC_cipher_cipher_fn whole;
static OSSL_FUNC_cipher_gettable_params_fn gettable;
static OSSL_FUNC_cipher_get_params_fn get_128, get_192, get_256;
static OSSL_FUNC_cipher_gettable_ctx_params_fn gettable_ctx;
static OSSL_FUNC_cipher_get_ctx_params_fn get_ctx;
static OSSL_FUNC_cipher_settable_ctx_params_fn settable_ctx;
static OSSL_FUNC_cipher_set_ctx_params_fn set_ctx;

/* ---- parameters of the algorithm ---- */

static const OSSL_PARAM *gettable(void *provider)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_uint(OSSL_CIPHER_PARAM_MODE, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_BLOCK_SIZE, NULL),
        OSSL_PARAM_int(OSSL_CIPHER_PARAM_AEAD, NULL),
        OSSL_PARAM_int(OSSL_CIPHER_PARAM_CUSTOM_IV, NULL),
        OSSL_PARAM_END,
    };

    (void)provider;
    return params;
}

/* Whatever kind of integer was asked for. */
static bool answer(OSSL_PARAM params[], const char *name, size_t number)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

    return p == NULL || OSSL_PARAM_set_size_t(p, number);
}

static int get(OSSL_PARAM params[], size_t key_size)
{
    return answer(params, OSSL_CIPHER_PARAM_MODE, EVP_CIPH_OCB_MODE) &&
           answer(params, OSSL_CIPHER_PARAM_KEYLEN, key_size) &&
           answer(params, OSSL_CIPHER_PARAM_IVLEN, NONCE_DEFAULT) &&
           answer(params, OSSL_CIPHER_PARAM_BLOCK_SIZE, OCB_BLOCK) &&
           answer(params, OSSL_CIPHER_PARAM_AEAD, 1) &&
           answer(params, OSSL_CIPHER_PARAM_CUSTOM_IV, 1);
}

/* ---- parameters of a context ---- */

static const OSSL_PARAM *gettable_ctx(void *vctx, void *provider)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_TAGLEN, NULL),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_IV, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_UPDATED_IV, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)vctx;
    (void)provider;
    return params;
}

static const OSSL_PARAM *settable_ctx(void *vctx, void *provider)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, NULL),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)vctx;
    (void)provider;
    return params;
}

static bool give_tag(const struct aes_ocb *ctx, OSSL_PARAM *p)
{
    if (!ctx->encrypt || ctx->state != DONE) {
        errors_raise(ctx->provider, ERROR_NOT_INITIALISED,
                     "tag: there is one when a message has been encrypted");
        return false;
    }
    if (p->data != NULL && p->data_size != ctx->tag_size) {
        errors_raise(ctx->provider, ERROR_WRONG_SIZE, "tag: expected %d octets, got %zu",
                     ctx->tag_size, p->data_size);
        return false;
    }
    return OSSL_PARAM_set_octet_string(p, ctx->tag, ctx->tag_size);
}

static bool give_nonce(const struct aes_ocb *ctx, OSSL_PARAM *p)
{
    return OSSL_PARAM_set_octet_string(p, ctx->nonce, ctx->nonce_size) ||
           OSSL_PARAM_set_octet_ptr(p, ctx->nonce, ctx->nonce_size);
}

/* No place for the number asks how large it has to be; libcrypto 3.0 would write there. */
static bool give_size(OSSL_PARAM *p, size_t size)
{
    p->return_size = sizeof(size);
    return p->data == NULL || OSSL_PARAM_set_size_t(p, size);
}

/* Once or more for every message: few comparisons, by the first letter. */
static int get_ctx(void *vctx, OSSL_PARAM params[])
{
    const struct aes_ocb *ctx = vctx;
    bool ok = true;

    for (OSSL_PARAM *p = params; ok && p != NULL && p->key != NULL; p++)
        switch (p->key[0]) {
        case 't':
            if (strcmp(p->key, OSSL_CIPHER_PARAM_AEAD_TAG) == 0)
                ok = give_tag(ctx, p);
            else if (strcmp(p->key, OSSL_CIPHER_PARAM_AEAD_TAGLEN) == 0)
                ok = give_size(p, ctx->tag_size);
            break;
        case 'i':
            if (strcmp(p->key, OSSL_CIPHER_PARAM_IVLEN) == 0)
                ok = give_size(p, ctx->nonce_size);
            else if (strcmp(p->key, OSSL_CIPHER_PARAM_IV) == 0)
                ok = give_nonce(ctx, p);
            break;
        case 'k':
            if (strcmp(p->key, OSSL_CIPHER_PARAM_KEYLEN) == 0)
                ok = give_size(p, ctx->key_size);
            break;
        case 'u':
            if (strcmp(p->key, OSSL_CIPHER_PARAM_UPDATED_IV) == 0)
                ok = give_nonce(ctx, p);
            break;
        default:
            break;
        }
    return ok;
}

static bool wrong(const struct aes_ocb *ctx, const char *name, const char *sizes, size_t size)
{
    errors_raise(ctx->provider, ERROR_WRONG_SIZE, "%s: expected %s octets, got %zu", name, sizes,
                 size);
    return false;
}

/* No octets but a size: how long tags are. Octets: the tag that is expected. */
static bool take_tag(struct aes_ocb *ctx, const OSSL_PARAM *p)
{
    if (p->data_type != OSSL_PARAM_OCTET_STRING) {
        errors_raise(ctx->provider, ERROR_WRONG_TYPE, "tag: expected an octet string");
        return false;
    }
    if (p->data == NULL && p->data_size == ctx->tag_size)
        return true;
    if (p->data == NULL) {
        if (p->data_size < OCB_TAG_MIN || p->data_size > OCB_TAG_MAX)
            return wrong(ctx, "tag", "1 to 16", p->data_size);
        if (ctx->state == RUNNING) { /* it is in the nonce already */
            errors_raise(ctx->provider, ERROR_TOO_LATE,
                         "tag: its size, %zu, after the first octets", p->data_size);
            return false;
        }
        ctx->tag_size = (unsigned char)p->data_size;
        ctx->tag_given = false;
        if (ctx->state == DONE)
            ctx->state = NO_NONCE;
        return true;
    }
    if (ctx->encrypt) {
        errors_raise(ctx->provider, ERROR_CONFLICTING_PARAMETERS,
                     "tag: encryption makes one and takes none");
        return false;
    }
    if (p->data_size != ctx->tag_size) {
        errors_raise(ctx->provider, ERROR_WRONG_SIZE,
                     "tag: expected %d octets, as set before, got %zu", ctx->tag_size,
                     p->data_size);
        return false;
    }
    memcpy(ctx->tag, p->data, p->data_size);
    ctx->tag_given = true;
    return true;
}

static bool take_nonce_size(struct aes_ocb *ctx, size_t size)
{
    if (size < OCB_NONCE_MIN || size > OCB_NONCE_MAX)
        return wrong(ctx, "nonce", "1 to 15", size);
    if (size != ctx->nonce_size)
        ctx->state = NO_NONCE;
    ctx->nonce_size = (unsigned char)size;
    return true;
}

static bool check_key_size(const struct aes_ocb *ctx, size_t size)
{
    if (size == ctx->key_size)
        return true;
    errors_raise(ctx->provider, ERROR_WRONG_SIZE, "key: expected %d octets, got %zu", ctx->key_size,
                 size);
    return false;
}

static bool number_of(const struct aes_ocb *ctx, const OSSL_PARAM *p, size_t *number)
{
    if (p->data != NULL && OSSL_PARAM_get_size_t(p, number))
        return true;
    errors_raise(ctx->provider, ERROR_WRONG_TYPE, "%s: expected an unsigned integer", p->key);
    return false;
}

static int set_ctx(void *vctx, const OSSL_PARAM params[])
{
    struct aes_ocb *ctx = vctx;
    bool ok = true;
    size_t number;

    for (const OSSL_PARAM *p = params; ok && p != NULL && p->key != NULL; p++)
        switch (p->key[0]) {
        case 't':
            if (strcmp(p->key, OSSL_CIPHER_PARAM_AEAD_TAG) == 0)
                ok = take_tag(ctx, p);
            break;
        case 'i':
            if (strcmp(p->key, OSSL_CIPHER_PARAM_IVLEN) == 0)
                ok = number_of(ctx, p, &number) && take_nonce_size(ctx, number);
            break;
        case 'k':
            if (strcmp(p->key, OSSL_CIPHER_PARAM_KEYLEN) == 0)
                ok = number_of(ctx, p, &number) && check_key_size(ctx, number);
            break;
        default:
            break;
        }
    return ok;
}

/* ---- life ---- */

/* Not from the secure heap, which is small: a server has two of these for every connection. */
static struct aes_ocb *allocate(const struct provider *provider)
{
    struct aes_ocb *ctx = OPENSSL_zalloc(sizeof(*ctx));

    if (ctx == NULL)
        errors_raise(provider, ERROR_OUT_OF_MEMORY, "AES-OCB: %zu octets", sizeof(*ctx));
    return ctx;
}

static void *create(const struct provider *provider, unsigned char key_size)
{
    struct aes_ocb *ctx = allocate(provider);

    if (ctx == NULL)
        return NULL;
    ctx->provider = provider;
    ctx->key_size = key_size;
    ctx->nonce_size = NONCE_DEFAULT;
    ctx->tag_size = TAG_DEFAULT;
    return ctx;
}

static void *ocb_dup(void *vfrom)
{
    const struct aes_ocb *from = vfrom;
    struct aes_ocb *ctx = allocate(from->provider);

    if (ctx == NULL)
        return NULL;
    *ctx = *from;
    if (ocb_copy(&ctx->ocb, &from->ocb))
        return ctx;
    errors_raise(from->provider, ERROR_OUT_OF_MEMORY, "AES-OCB: duplicate");
    OPENSSL_clear_free(ctx, sizeof(*ctx));
    return NULL;
}

static void ocb_free(void *vctx)
{
    struct aes_ocb *ctx = vctx;

    if (ctx == NULL)
        return;
    ocb_clear(&ctx->ocb);
    OPENSSL_clear_free(ctx, sizeof(*ctx));
}

/* ---- beginning ---- */

static bool failed(const struct aes_ocb *ctx)
{
    errors_raise(ctx->provider, ERROR_INTERNAL, "AES-ECB");
    return false;
}

static bool set_key(struct aes_ocb *ctx, const unsigned char *key, size_t size)
{
    EVP_CIPHER *ecb = size == 16   ? ctx->provider->aes_128_ecb
                      : size == 24 ? ctx->provider->aes_192_ecb
                                   : ctx->provider->aes_256_ecb;

    if (!check_key_size(ctx, size))
        return false;
    ctx->keyed = ocb_key(&ctx->ocb, ctx->provider->ocb, ecb, key, size);
    return ctx->keyed || failed(ctx);
}

static bool init(struct aes_ocb *ctx, bool encrypt, const unsigned char *key, size_t key_size,
                 const unsigned char *nonce, size_t nonce_size, const OSSL_PARAM params[])
{
    if (ctx->state != READY)
        ctx->state = NO_NONCE; /* never twice, even for a message that was not finished */
    ctx->encrypt = encrypt;
    ctx->data_size = ctx->aad_size = 0;
    if (nonce != NULL) {
        if (!take_nonce_size(ctx, nonce_size))
            return false;
        memcpy(ctx->nonce, nonce, nonce_size);
        ctx->state = READY;
    }
    return (key == NULL || set_key(ctx, key, key_size)) && (params == NULL || set_ctx(ctx, params));
}

static int encrypt_init(void *ctx, const unsigned char *key, size_t key_size,
                        const unsigned char *nonce, size_t nonce_size, const OSSL_PARAM params[])
{
    return init(ctx, true, key, key_size, nonce, nonce_size, params);
}

static int decrypt_init(void *ctx, const unsigned char *key, size_t key_size,
                        const unsigned char *nonce, size_t nonce_size, const OSSL_PARAM params[])
{
    return init(ctx, false, key, key_size, nonce, nonce_size, params);
}

/* Before anything of a message: takes the key, the nonce and the tag's size as they are now. */
static bool begin(struct aes_ocb *ctx)
{
    if (ctx->state == RUNNING)
        return true;
    if (!ctx->keyed || ctx->state != READY) {
        errors_raise(ctx->provider, ERROR_NOT_INITIALISED,
                     !ctx->keyed          ? "AES-OCB: a key first"
                     : ctx->state == DONE ? "AES-OCB: the message has ended; a new nonce first"
                                          : "AES-OCB: a nonce first");
        return false;
    }
    if (!ocb_start(&ctx->ocb, ctx->nonce, ctx->nonce_size, ctx->tag_size))
        return failed(ctx);
    ctx->state = RUNNING;
    return true;
}

/* ---- octets ---- */

/* Octets of either kind, and what waits of them. out is NULL for associated data. */
struct flow {
    unsigned char *waiting, *size;
    const unsigned char *in;
    size_t in_size;
    unsigned char *out;
};

static bool blocks(struct aes_ocb *ctx, const unsigned char *in, unsigned char *out, size_t count)
{
    const struct ocb_path *path = ctx->ocb.path;

    if (out == NULL)
        return path->hash(&ctx->ocb, in, count) || failed(ctx);
    return (ctx->encrypt ? path->encrypt : path->decrypt)(&ctx->ocb, in, out, count) || failed(ctx);
}

/* Fills the waiting block from what came. */
static void fill(struct flow *flow)
{
    size_t size = OCB_BLOCK - (size_t)*flow->size;

    size = size < flow->in_size ? size : flow->in_size;
    memcpy(flow->waiting + *flow->size, flow->in, size);
    *flow->size = (unsigned char)(*flow->size + size);
    flow->in += size;
    flow->in_size -= size;
}

static bool pass(struct aes_ocb *ctx, struct flow *flow)
{
    size_t whole_size;

    if (*flow->size > 0) {
        fill(flow);
        if (*flow->size < OCB_BLOCK)
            return true;
        *flow->size = 0;
        if (!blocks(ctx, flow->waiting, flow->out, 1))
            return false;
        if (flow->out != NULL)
            flow->out += OCB_BLOCK;
    }
    whole_size = flow->in_size - flow->in_size % OCB_BLOCK;
    if (whole_size > 0 && !blocks(ctx, flow->in, flow->out, whole_size / OCB_BLOCK))
        return false;
    flow->in += whole_size;
    flow->in_size -= whole_size;
    if (flow->in_size > 0)
        fill(flow);
    return true;
}

static bool check_room(const struct aes_ocb *ctx, size_t size, size_t room)
{
    if (size <= room)
        return true;
    errors_raise(ctx->provider, ERROR_WRONG_OUTPUT_SIZE,
                 "AES-OCB: %zu octets to write, room for %zu", size, room);
    return false;
}

static int update(void *vctx, unsigned char *out, size_t *out_size, size_t room,
                  const unsigned char *in, size_t in_size)
{
    struct aes_ocb *ctx = vctx;
    struct flow flow = {ctx->data, &ctx->data_size, in, in_size, NULL};
    size_t size = in_size;

    *out_size = 0;
    if (!begin(ctx))
        return 0;
    if (in_size == 0)
        return 1;
    if (out == NULL) {
        flow.waiting = ctx->aad;
        flow.size = &ctx->aad_size;
    } else {
        flow.out = out;
        size = (ctx->data_size + in_size) / OCB_BLOCK * OCB_BLOCK;
        if (!check_room(ctx, size, room))
            return 0;
    }
    if (!pass(ctx, &flow)) {
        ctx->state = NO_NONCE; /* nobody knows how far it came */
        return 0;
    }
    *out_size = size;
    return 1;
}

/* ---- the end ---- */

static int finish(void *vctx, unsigned char *out, size_t *out_size, size_t room)
{
    struct aes_ocb *ctx = vctx;
    size_t size = ctx->data_size;
    unsigned char tag[OCB_TAG_MAX];
    bool ok;

    *out_size = 0;
    if (!begin(ctx) || !check_room(ctx, size, room))
        return 0;
    if (!ctx->encrypt && !ctx->tag_given) {
        errors_raise(ctx->provider, ERROR_MISSING_PARAMETER,
                     "tag: the one that is expected, before the end");
        return 0;
    }
    ctx->state = NO_NONCE; /* whatever comes, once is all */
    ctx->tag_given = false;
    ok = (size == 0 || ocb_last(&ctx->ocb, ctx->encrypt, ctx->data, out, size)) &&
         (ctx->aad_size == 0 || ocb_hash_last(&ctx->ocb, ctx->aad, ctx->aad_size)) &&
         ocb_tag(&ctx->ocb, tag);
    ctx->data_size = ctx->aad_size = 0;
    if (!ok) {
        failed(ctx);
    } else if (ctx->encrypt) {
        memcpy(ctx->tag, tag, sizeof(tag));
    } else if (CRYPTO_memcmp(tag, ctx->tag, ctx->tag_size) != 0) {
        errors_raise(ctx->provider, ERROR_MAC_MISMATCH, "tag: not that of these octets");
        ok = false;
    }
    OPENSSL_cleanse(tag, sizeof(tag));
    if (!ok) {
        if (size > 0)
            OPENSSL_cleanse(out, size);
        return 0;
    }
    ctx->state = DONE;
    *out_size = size;
    return 1;
}

/*
 * EVP_Cipher(). With out: a message at one go, or the rest of none; unlike libcrypto's own, which
 * goes on from call to call and so loses count of the ragged end. Without: associated data. With
 * neither: the end of a message that has no octets, or has been whole.
 */
static int whole(void *vctx, unsigned char *out, size_t *out_size, size_t room,
                 const unsigned char *in, size_t in_size)
{
    struct aes_ocb *ctx = vctx;
    size_t first = 0, last = 0;

    *out_size = 0;
    if (in == NULL)
        return ctx->state == DONE || finish(ctx, out, out_size, room);
    if (out == NULL)
        return update(ctx, NULL, out_size, room, in, in_size);
    if (!begin(ctx) || !check_room(ctx, in_size, room))
        return 0;
    if (ctx->ocb.message.blocks > 0 || ctx->data_size > 0) {
        errors_raise(ctx->provider, ERROR_TOO_LATE,
                     "AES-OCB: EVP_Cipher() takes a message whole, after no EVP_CipherUpdate()");
        return 0;
    }
    if (update(ctx, out, &first, room, in, in_size) &&
        finish(ctx, out + first, &last, room - first)) {
        *out_size = first + last;
        return 1;
    }
    if (!ctx->encrypt)
        OPENSSL_cleanse(out, in_size);
    return 0;
}

/* ---- the three ---- */

#define FUNCTIONS(name, bits)                                                                      \
    static void *new_##bits(void *provider)                                                        \
    {                                                                                              \
        return create(provider, (bits) / 8);                                                       \
    }                                                                                              \
    static int get_##bits(OSSL_PARAM params[])                                                     \
    {                                                                                              \
        return get(params, (bits) / 8);                                                            \
    }                                                                                              \
    const OSSL_DISPATCH name[] = {                                                                 \
        {OSSL_FUNC_CIPHER_NEWCTX, (void (*)(void))new_##bits},                                     \
        {OSSL_FUNC_CIPHER_DUPCTX, (void (*)(void))ocb_dup},                                        \
        {OSSL_FUNC_CIPHER_FREECTX, (void (*)(void))ocb_free},                                      \
        {OSSL_FUNC_CIPHER_ENCRYPT_INIT, (void (*)(void))encrypt_init},                             \
        {OSSL_FUNC_CIPHER_DECRYPT_INIT, (void (*)(void))decrypt_init},                             \
        {OSSL_FUNC_CIPHER_UPDATE, (void (*)(void))update},                                         \
        {OSSL_FUNC_CIPHER_FINAL, (void (*)(void))finish},                                          \
        {OSSL_FUNC_CIPHER_CIPHER, (void (*)(void))whole},                                          \
        {OSSL_FUNC_CIPHER_GETTABLE_PARAMS, (void (*)(void))gettable},                              \
        {OSSL_FUNC_CIPHER_GET_PARAMS, (void (*)(void))get_##bits},                                 \
        {OSSL_FUNC_CIPHER_GETTABLE_CTX_PARAMS, (void (*)(void))gettable_ctx},                      \
        {OSSL_FUNC_CIPHER_GET_CTX_PARAMS, (void (*)(void))get_ctx},                                \
        {OSSL_FUNC_CIPHER_SETTABLE_CTX_PARAMS, (void (*)(void))settable_ctx},                      \
        {OSSL_FUNC_CIPHER_SET_CTX_PARAMS, (void (*)(void))set_ctx},                                \
        {0, NULL},                                                                                 \
    }

FUNCTIONS(aes_128_ocb_functions, 128);
FUNCTIONS(aes_192_ocb_functions, 192);
FUNCTIONS(aes_256_ocb_functions, 256);
