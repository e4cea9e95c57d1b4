/* EVP_KDF "A8": Kc from Ki and RAND. */
#include "a38.h"
#include "algorithms/hmac_a38.h"
#include "errors.h"
#include "provider.h"
#include "usi/names.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <stdint.h>

struct a8 {
    struct provider *provider;
    struct a38_subscriber subscriber;
};

static OSSL_FUNC_kdf_newctx_fn a8_new;
static OSSL_FUNC_kdf_dupctx_fn a8_dup;
static OSSL_FUNC_kdf_freectx_fn a8_free;
static OSSL_FUNC_kdf_reset_fn a8_reset;
static OSSL_FUNC_kdf_derive_fn a8_derive;
static OSSL_FUNC_kdf_settable_ctx_params_fn a8_settable;
static OSSL_FUNC_kdf_set_ctx_params_fn a8_set;
static OSSL_FUNC_kdf_gettable_ctx_params_fn a8_gettable;
static OSSL_FUNC_kdf_get_ctx_params_fn a8_get;

/* ---- parameters ---- */

#define FIELD(member) offsetof(struct a38_subscriber, member)
static const struct param_rule rules[] = {
    {USI_PARAM_ALGORITHM, PARAM_WORD, .offset = FIELD(algorithm), .words = a38_names},
    {USI_PARAM_KEY, PARAM_OCTETS, .offset = FIELD(key), .range = {16, 32, 8}},
    {USI_PARAM_RAND, PARAM_OCTETS, .offset = FIELD(rand), .range = {16, SIZE_MAX, 1}},
    {USI_PARAM_OP, PARAM_OCTETS, .offset = FIELD(op), .range = {16, 16, 1}, .group = 1},
    {USI_PARAM_OPC, PARAM_OCTETS, .offset = FIELD(opc), .range = {16, 16, 1}, .group = 1},
    {.name = NULL},
};

static const OSSL_PARAM *a8_settable(void *vctx, void *provider)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(USI_PARAM_ALGORITHM, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_KEY, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_RAND, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_OP, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_OPC, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)vctx;
    (void)provider;
    return settable;
}

static int a8_set(void *vctx, const OSSL_PARAM params[])
{
    struct a8 *ctx = vctx;

    return params_set(ctx->provider, rules, &ctx->subscriber, params);
}

static const OSSL_PARAM *a8_gettable(void *vctx, void *provider)
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

static int a8_get(void *vctx, OSSL_PARAM params[])
{
    const struct a38_subscriber *subscriber = &((struct a8 *)vctx)->subscriber;

    return params_answer(params,
                         a38_algorithm(subscriber)->run == NULL ? SIZE_MAX : (size_t)A38_KC_SIZE,
                         a38_name(subscriber));
}

/* ---- life ---- */

static void *a8_new(void *provider)
{
    struct a8 *ctx = OPENSSL_secure_zalloc(sizeof(*ctx));

    if (ctx != NULL)
        ctx->provider = provider;
    else
        errors_raise(provider, ERROR_OUT_OF_MEMORY, "A8: %zu octets", sizeof(*ctx));
    return ctx;
}

static void *a8_dup(void *vfrom)
{
    const struct a8 *from = vfrom;
    struct a8 *ctx = a8_new(from->provider);

    if (ctx == NULL)
        return NULL;
    *ctx = *from;
    if (params_dup(rules, &ctx->subscriber, &from->subscriber))
        return ctx;
    errors_raise(ctx->provider, ERROR_OUT_OF_MEMORY, "A8: duplicate");
    a8_free(ctx);
    return NULL;
}

static void a8_reset(void *vctx)
{
    params_clear(rules, &((struct a8 *)vctx)->subscriber);
}

static void a8_free(void *vctx)
{
    if (vctx == NULL)
        return;
    a8_reset(vctx);
    OPENSSL_secure_clear_free(vctx, sizeof(struct a8));
}

/* ---- work ---- */

static bool derive_usi(const struct a8 *ctx, unsigned char *kc, size_t kc_size)
{
    const struct a38_subscriber *subscriber = &ctx->subscriber;
    EVP_MAC_CTX *hmac;
    bool ok;

    if (kc_size < 1 || kc_size > HMAC_A38_KC_MAX) {
        errors_raise(ctx->provider, ERROR_WRONG_OUTPUT_SIZE, "Kc: expected 1 to %d octets, got %zu",
                     HMAC_A38_KC_MAX, kc_size);
        return false;
    }
    hmac = EVP_MAC_CTX_dup(ctx->provider->hmac_sha256);
    ok = hmac != NULL && hmac_a38_a8(hmac, subscriber->key.data, subscriber->key.size,
                                     subscriber->rand.data, subscriber->rand.size, kc, kc_size);
    EVP_MAC_CTX_free(hmac);
    if (!ok)
        errors_raise(ctx->provider, ERROR_INTERNAL, "HMAC-SHA-256");
    return ok;
}

static int a8_derive(void *vctx, unsigned char *kc, size_t kc_size, const OSSL_PARAM params[])
{
    struct a8 *ctx = vctx;
    const struct a38_algorithm *algorithm;

    if (kc == NULL)
        kc_size = 0;
    if (!params_set(ctx->provider, rules, &ctx->subscriber, params))
        return 0;
    algorithm = a38_algorithm(&ctx->subscriber);
    if (!a38_check(ctx->provider, &ctx->subscriber) ||
        !params_require(ctx->provider, USI_PARAM_RAND, &ctx->subscriber.rand, &algorithm->rand))
        return 0;
    if (algorithm->run == NULL)
        return derive_usi(ctx, kc, kc_size);
    if (kc_size != A38_KC_SIZE) {
        errors_raise(ctx->provider, ERROR_WRONG_OUTPUT_SIZE, "Kc: expected %d octets, got %zu",
                     A38_KC_SIZE, kc_size);
        return 0;
    }
    if (!algorithm->run(ctx->provider, &ctx->subscriber, ctx->subscriber.rand.data, NULL, kc)) {
        errors_raise(ctx->provider, ERROR_INTERNAL, "%s", a38_name(&ctx->subscriber));
        return 0;
    }
    return 1;
}

const OSSL_DISPATCH a8_functions[] = {
    {OSSL_FUNC_KDF_NEWCTX, (void (*)(void))a8_new},
    {OSSL_FUNC_KDF_DUPCTX, (void (*)(void))a8_dup},
    {OSSL_FUNC_KDF_FREECTX, (void (*)(void))a8_free},
    {OSSL_FUNC_KDF_RESET, (void (*)(void))a8_reset},
    {OSSL_FUNC_KDF_DERIVE, (void (*)(void))a8_derive},
    {OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, (void (*)(void))a8_settable},
    {OSSL_FUNC_KDF_SET_CTX_PARAMS, (void (*)(void))a8_set},
    {OSSL_FUNC_KDF_GETTABLE_CTX_PARAMS, (void (*)(void))a8_gettable},
    {OSSL_FUNC_KDF_GET_CTX_PARAMS, (void (*)(void))a8_get},
    {0, NULL},
};
