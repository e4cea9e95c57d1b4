/* EVP_MAC "A3": SRES from Ki and RAND; with algorithm USI from a message of any length. */
#include "a38.h"
#include "algorithms/hmac_a38.h"
#include "errors.h"
#include "provider.h"
#include "usi/names.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <stdint.h>
#include <string.h>

enum { USI_SRES_DEFAULT = 16 };

struct settings {
    struct a38_subscriber subscriber;
    size_t size; /* 0 for the default */
};

struct a3 {
    struct provider *provider;
    struct settings settings;
    /* Settings are looked at when the first octet comes, so that they can follow EVP_MAC_init(). */
    enum { IDLE, READY, RUNNING } state;
    EVP_MAC_CTX *hmac;                    /* while RUNNING with algorithm USI */
    unsigned char message[A38_RAND_SIZE]; /* while RUNNING with another */
    size_t message_size;
};

static OSSL_FUNC_mac_newctx_fn a3_new;
static OSSL_FUNC_mac_dupctx_fn a3_dup;
static OSSL_FUNC_mac_freectx_fn a3_free;
static OSSL_FUNC_mac_init_fn a3_init;
static OSSL_FUNC_mac_update_fn a3_update;
static OSSL_FUNC_mac_final_fn a3_final;
static OSSL_FUNC_mac_settable_ctx_params_fn a3_settable;
static OSSL_FUNC_mac_set_ctx_params_fn a3_set;
static OSSL_FUNC_mac_gettable_ctx_params_fn a3_gettable;
static OSSL_FUNC_mac_get_ctx_params_fn a3_get;

/* ---- parameters ---- */

#define FIELD(member) offsetof(struct settings, member)
static const struct param_rule rules[] = {
    {USI_PARAM_ALGORITHM, PARAM_WORD, .offset = FIELD(subscriber.algorithm), .words = a38_names},
    {USI_PARAM_KEY, PARAM_OCTETS, .offset = FIELD(subscriber.key), .range = {16, 32, 8}},
    {USI_PARAM_RAND, PARAM_OCTETS, .offset = FIELD(subscriber.rand), .range = {16, SIZE_MAX, 1}},
    {USI_PARAM_OP, PARAM_OCTETS, .offset = FIELD(subscriber.op), .range = {16, 16, 1}, .group = 1},
    {USI_PARAM_OPC, PARAM_OCTETS, .offset = FIELD(subscriber.opc), .range = {16, 16, 1},
     .group = 1},
    {USI_PARAM_SRES_FUNCTION, PARAM_NUMBER, .offset = FIELD(subscriber.sres_function),
     .range = {1, 2, 1}},
    {USI_PARAM_SIZE, PARAM_NUMBER, .offset = FIELD(size), .range = {1, HMAC_A38_SRES_SIZE, 1}},
    {.name = NULL},
};

static const OSSL_PARAM *a3_settable(void *vctx, void *provider)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(USI_PARAM_ALGORITHM, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_KEY, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_RAND, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_OP, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_OPC, NULL, 0),
        OSSL_PARAM_size_t(USI_PARAM_SRES_FUNCTION, NULL),
        OSSL_PARAM_size_t(USI_PARAM_SIZE, NULL),
        OSSL_PARAM_END,
    };

    (void)vctx;
    (void)provider;
    return settable;
}

static int a3_set(void *vctx, const OSSL_PARAM params[])
{
    struct a3 *ctx = vctx;
    const char *late = ctx->state == RUNNING ? params_other(rules, params, USI_PARAM_SIZE) : NULL;

    if (late != NULL) {
        errors_raise(ctx->provider, ERROR_TOO_LATE, "%s: a message has begun; EVP_MAC_init() first",
                     late);
        return 0;
    }
    return params_set(ctx->provider, rules, &ctx->settings, params);
}

static const OSSL_PARAM *a3_gettable(void *vctx, void *provider)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_size_t(USI_PARAM_SIZE, NULL),
        OSSL_PARAM_utf8_string(USI_PARAM_ALGORITHM, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)vctx;
    (void)provider;
    return gettable;
}

/* The octets that final gives; 0 when `size` asks for what the algorithm cannot. */
static size_t sres_size(const struct a3 *ctx)
{
    const struct settings *settings = &ctx->settings;

    if (a38_algorithm(&settings->subscriber)->run == NULL)
        return settings->size == 0 ? USI_SRES_DEFAULT : settings->size;
    return settings->size == 0 || settings->size == A38_SRES_SIZE ? A38_SRES_SIZE : 0;
}

static int a3_get(void *vctx, OSSL_PARAM params[])
{
    struct a3 *ctx = vctx;

    return params_answer(params, sres_size(ctx), a38_name(&ctx->settings.subscriber));
}

/* ---- life ---- */

static void *a3_new(void *provider)
{
    struct a3 *ctx = OPENSSL_secure_zalloc(sizeof(*ctx));

    if (ctx != NULL)
        ctx->provider = provider;
    else
        errors_raise(provider, ERROR_OUT_OF_MEMORY, "A3: %zu octets", sizeof(*ctx));
    return ctx;
}

static void *a3_dup(void *vfrom)
{
    const struct a3 *from = vfrom;
    struct a3 *ctx = a3_new(from->provider);

    if (ctx == NULL)
        return NULL;
    *ctx = *from;
    ctx->hmac = NULL;
    if (params_dup(rules, &ctx->settings, &from->settings) &&
        (from->hmac == NULL || (ctx->hmac = EVP_MAC_CTX_dup(from->hmac)) != NULL))
        return ctx;
    errors_raise(ctx->provider, ERROR_OUT_OF_MEMORY, "A3: duplicate");
    a3_free(ctx);
    return NULL;
}

/* Forgets the message, not the settings. */
static void stop(struct a3 *ctx)
{
    EVP_MAC_CTX_free(ctx->hmac);
    ctx->hmac = NULL;
    OPENSSL_cleanse(ctx->message, sizeof(ctx->message));
    ctx->message_size = 0;
    ctx->state = IDLE;
}

static void a3_free(void *vctx)
{
    struct a3 *ctx = vctx;

    if (ctx == NULL)
        return;
    stop(ctx);
    params_clear(rules, &ctx->settings);
    OPENSSL_secure_clear_free(ctx, sizeof(*ctx));
}

/* ---- work ---- */

static int a3_init(void *vctx, const unsigned char *key, size_t key_size, const OSSL_PARAM params[])
{
    struct a3 *ctx = vctx;
    const OSSL_PARAM argument[] = {
        OSSL_PARAM_construct_octet_string(USI_PARAM_KEY, (void *)(uintptr_t)key, key_size),
        OSSL_PARAM_construct_end(),
    };

    stop(ctx);
    if (!params_set(ctx->provider, rules, &ctx->settings, params) ||
        (key != NULL && !params_set(ctx->provider, rules, &ctx->settings, argument)))
        return 0;
    if (ctx->settings.subscriber.key.data == NULL)
        return a38_check(ctx->provider, &ctx->settings.subscriber); /* says that it is missing */
    ctx->state = READY;
    return 1;
}

static bool wrong_rand(const struct a3 *ctx, size_t size)
{
    errors_raise(ctx->provider, ERROR_WRONG_SIZE, "message: expected %d octets of RAND, got %zu",
                 A38_RAND_SIZE, size);
    return false;
}

/* `size` may be set before its algorithm, and after init: it is checked when it counts. */
static bool check_size(const struct a3 *ctx)
{
    if (sres_size(ctx) != 0)
        return true;
    errors_raise(ctx->provider, ERROR_WRONG_OUTPUT_SIZE, "size: %s gives %d octets, got %zu",
                 a38_name(&ctx->settings.subscriber), A38_SRES_SIZE, ctx->settings.size);
    return false;
}

/* Takes the settings as they are now. */
static bool begin(struct a3 *ctx)
{
    const struct a38_subscriber *subscriber = &ctx->settings.subscriber;
    const struct a38_algorithm *algorithm = a38_algorithm(subscriber);

    if (ctx->state != READY) {
        errors_raise(ctx->provider, ERROR_NOT_INITIALISED, "A3: EVP_MAC_init() first");
        return false;
    }
    if (!a38_check(ctx->provider, subscriber) || !check_size(ctx))
        return false;
    if (algorithm->run == NULL) {
        ctx->hmac = EVP_MAC_CTX_dup(ctx->provider->hmac_sha256);
        if (ctx->hmac == NULL ||
            !hmac_a38_a3_start(ctx->hmac, subscriber->key.data, subscriber->key.size)) {
            stop(ctx);
            errors_raise(ctx->provider, ERROR_INTERNAL, "HMAC-SHA-256");
            return false;
        }
    }
    ctx->state = RUNNING;
    return true;
}

static bool absorb(struct a3 *ctx, const unsigned char *data, size_t size)
{
    if (ctx->hmac != NULL)
        return EVP_MAC_update(ctx->hmac, data, size);
    if (size > sizeof(ctx->message) - ctx->message_size)
        return wrong_rand(ctx, ctx->message_size + size);
    memcpy(ctx->message + ctx->message_size, data, size);
    ctx->message_size += size;
    return true;
}

static int a3_update(void *vctx, const unsigned char *data, size_t size)
{
    struct a3 *ctx = vctx;

    if (size == 0 && ctx->state != IDLE)
        return 1;
    if (ctx->state != RUNNING && !begin(ctx))
        return 0;
    if (ctx->settings.subscriber.rand.data != NULL) {
        errors_raise(ctx->provider, ERROR_CONFLICTING_PARAMETERS,
                     "rand and a message of %zu octets: give one of them", size);
        return 0;
    }
    return absorb(ctx, data, size);
}

/* The whole SRES, before it is cut, into sres. */
static bool finish(struct a3 *ctx, unsigned char sres[HMAC_A38_SRES_SIZE])
{
    const struct a38_subscriber *subscriber = &ctx->settings.subscriber;
    size_t size;

    if (ctx->state != RUNNING && !begin(ctx))
        return false;
    if (subscriber->rand.data != NULL && !absorb(ctx, subscriber->rand.data, subscriber->rand.size))
        return false;
    if (ctx->hmac != NULL)
        return EVP_MAC_final(ctx->hmac, sres, &size, HMAC_A38_SRES_SIZE);
    if (ctx->message_size != sizeof(ctx->message))
        return wrong_rand(ctx, ctx->message_size);
    if (a38_algorithm(subscriber)->run(ctx->provider, subscriber, ctx->message, sres, NULL))
        return true;
    errors_raise(ctx->provider, ERROR_INTERNAL, "%s", a38_name(subscriber));
    return false;
}

static int a3_final(void *vctx, unsigned char *out, size_t *out_size, size_t room)
{
    struct a3 *ctx = vctx;
    unsigned char sres[HMAC_A38_SRES_SIZE];
    size_t size = sres_size(ctx);
    bool ok;

    if (!check_size(ctx))
        return 0;
    if (room < size) {
        errors_raise(ctx->provider, ERROR_WRONG_OUTPUT_SIZE,
                     "SRES: room for %zu octets expected, got %zu", size, room);
        return 0;
    }
    ok = finish(ctx, sres);
    if (ok) {
        memcpy(out, sres, size);
        *out_size = size;
    }
    stop(ctx);
    OPENSSL_cleanse(sres, sizeof(sres));
    return ok;
}

const OSSL_DISPATCH a3_functions[] = {
    {OSSL_FUNC_MAC_NEWCTX, (void (*)(void))a3_new},
    {OSSL_FUNC_MAC_DUPCTX, (void (*)(void))a3_dup},
    {OSSL_FUNC_MAC_FREECTX, (void (*)(void))a3_free},
    {OSSL_FUNC_MAC_INIT, (void (*)(void))a3_init},
    {OSSL_FUNC_MAC_UPDATE, (void (*)(void))a3_update},
    {OSSL_FUNC_MAC_FINAL, (void (*)(void))a3_final},
    {OSSL_FUNC_MAC_SETTABLE_CTX_PARAMS, (void (*)(void))a3_settable},
    {OSSL_FUNC_MAC_SET_CTX_PARAMS, (void (*)(void))a3_set},
    {OSSL_FUNC_MAC_GETTABLE_CTX_PARAMS, (void (*)(void))a3_gettable},
    {OSSL_FUNC_MAC_GET_CTX_PARAMS, (void (*)(void))a3_get},
    {0, NULL},
};
