/* EVP_KDF "3GPP-CONV": the conversion functions of TS 33.102 between 2G and 3G security contexts.
 */
#include "algorithms/conversion.h"
#include "algorithms/kdf_3gpp.h"
#include "errors.h"
#include "params.h"
#include "provider.h"
#include "usi/names.h"

#include <openssl/crypto.h>
#include <openssl/params.h>

enum function { NO_FUNCTION, C2, C3, C4, C5, KC128 };
static const char *const functions[] = {"c2", "c3", "c4", "c5", "kc128", NULL};
static const size_t output_sizes[] = {
    [NO_FUNCTION] = 0,          [C2] = CONVERSION_SRES_SIZE, [C3] = CONVERSION_KC_SIZE,
    [C4] = CONVERSION_KEY_SIZE, [C5] = CONVERSION_KEY_SIZE,  [KC128] = KDF_3GPP_KC128_SIZE,
};

struct settings {
    unsigned function;
    struct octets res, ck, ik, kc;
};

struct conv {
    struct provider *provider;
    struct settings settings;
};

static OSSL_FUNC_kdf_newctx_fn conv_new;
static OSSL_FUNC_kdf_dupctx_fn conv_dup;
static OSSL_FUNC_kdf_freectx_fn conv_free;
static OSSL_FUNC_kdf_reset_fn conv_reset;
static OSSL_FUNC_kdf_derive_fn conv_derive;
static OSSL_FUNC_kdf_settable_ctx_params_fn conv_settable;
static OSSL_FUNC_kdf_set_ctx_params_fn conv_set;
static OSSL_FUNC_kdf_gettable_ctx_params_fn conv_gettable;
static OSSL_FUNC_kdf_get_ctx_params_fn conv_get;

/* ---- parameters ---- */

#define FIELD(member) offsetof(struct settings, member)
static const struct range res_sizes = {CONVERSION_RES_MIN, CONVERSION_RES_MAX, 1};
static const struct range key_sizes = {CONVERSION_KEY_SIZE, CONVERSION_KEY_SIZE, 1};
static const struct range kc_sizes = {CONVERSION_KC_SIZE, CONVERSION_KC_SIZE, 1};
static const struct param_rule rules[] = {
    {USI_PARAM_FUNCTION, PARAM_WORD, .offset = FIELD(function), .words = functions},
    {USI_PARAM_RES, PARAM_OCTETS, .offset = FIELD(res),
     .range = {CONVERSION_RES_MIN, CONVERSION_RES_MAX, 1}},
    {USI_PARAM_CK, PARAM_OCTETS, .offset = FIELD(ck),
     .range = {CONVERSION_KEY_SIZE, CONVERSION_KEY_SIZE, 1}},
    {USI_PARAM_IK, PARAM_OCTETS, .offset = FIELD(ik),
     .range = {CONVERSION_KEY_SIZE, CONVERSION_KEY_SIZE, 1}},
    {USI_PARAM_KC, PARAM_OCTETS, .offset = FIELD(kc),
     .range = {CONVERSION_KC_SIZE, CONVERSION_KC_SIZE, 1}},
    {.name = NULL},
};

static const OSSL_PARAM *conv_settable(void *vctx, void *provider)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(USI_PARAM_FUNCTION, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_RES, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_CK, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_IK, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_KC, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)vctx;
    (void)provider;
    return settable;
}

static int conv_set(void *vctx, const OSSL_PARAM params[])
{
    struct conv *ctx = vctx;

    return params_set(ctx->provider, rules, &ctx->settings, params);
}

static const OSSL_PARAM *conv_gettable(void *vctx, void *provider)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_size_t(USI_PARAM_SIZE, NULL),
        OSSL_PARAM_END,
    };

    (void)vctx;
    (void)provider;
    return gettable;
}

static int conv_get(void *vctx, OSSL_PARAM params[])
{
    const struct conv *ctx = vctx;

    return params_answer(params, output_sizes[ctx->settings.function], NULL);
}

/* ---- life ---- */

static void *conv_new(void *provider)
{
    struct conv *ctx = OPENSSL_secure_zalloc(sizeof(*ctx));

    if (ctx != NULL)
        ctx->provider = provider;
    else
        errors_raise(provider, ERROR_OUT_OF_MEMORY, "3GPP-CONV: %zu octets", sizeof(*ctx));
    return ctx;
}

static void *conv_dup(void *vfrom)
{
    const struct conv *from = vfrom;
    struct conv *ctx = conv_new(from->provider);

    if (ctx == NULL)
        return NULL;
    *ctx = *from;
    if (params_dup(rules, &ctx->settings, &from->settings))
        return ctx;
    errors_raise(ctx->provider, ERROR_OUT_OF_MEMORY, "3GPP-CONV: duplicate");
    conv_free(ctx);
    return NULL;
}

static void conv_reset(void *vctx)
{
    params_clear(rules, &((struct conv *)vctx)->settings);
}

static void conv_free(void *vctx)
{
    if (vctx == NULL)
        return;
    conv_reset(vctx);
    OPENSSL_secure_clear_free(vctx, sizeof(struct conv));
}

/* ---- work ---- */

static bool check(const struct conv *ctx, size_t out_size)
{
    const struct settings *s = &ctx->settings;
    const struct provider *provider = ctx->provider;
    bool ok = false;

    switch ((enum function)s->function) {
    case NO_FUNCTION:
        errors_raise(provider, ERROR_MISSING_PARAMETER,
                     "function: expected c2, c3, c4, c5 or kc128, got nothing");
        break;
    case C2:
        ok = params_require(provider, USI_PARAM_RES, &s->res, &res_sizes);
        break;
    case C3:
    case KC128:
        ok = params_require(provider, USI_PARAM_CK, &s->ck, &key_sizes) &&
             params_require(provider, USI_PARAM_IK, &s->ik, &key_sizes);
        break;
    case C4:
    case C5:
        ok = params_require(provider, USI_PARAM_KC, &s->kc, &kc_sizes);
        break;
    }
    if (!ok || out_size == output_sizes[s->function])
        return ok;
    errors_raise(provider, ERROR_WRONG_OUTPUT_SIZE, "%s: expected %zu octets, got %zu",
                 functions[s->function - 1], output_sizes[s->function], out_size);
    return false;
}

static bool kc128(const struct conv *ctx, unsigned char *out)
{
    EVP_MAC_CTX *hmac = EVP_MAC_CTX_dup(ctx->provider->hmac_sha256);
    bool ok =
        hmac != NULL && kdf_3gpp_kc128(hmac, ctx->settings.ck.data, ctx->settings.ik.data, out);

    EVP_MAC_CTX_free(hmac);
    if (!ok)
        errors_raise(ctx->provider, ERROR_INTERNAL, "HMAC-SHA-256");
    return ok;
}

static int conv_derive(void *vctx, unsigned char *out, size_t out_size, const OSSL_PARAM params[])
{
    struct conv *ctx = vctx;
    const struct settings *s = &ctx->settings;

    if (out == NULL)
        out_size = 0;
    if (!params_set(ctx->provider, rules, &ctx->settings, params) || !check(ctx, out_size))
        return 0;
    switch ((enum function)s->function) {
    case C2:
        conversion_c2(s->res.data, s->res.size, out);
        return 1;
    case C3:
        conversion_c3(s->ck.data, s->ik.data, out);
        return 1;
    case C4:
        conversion_c4(s->kc.data, out);
        return 1;
    case C5:
        conversion_c5(s->kc.data, out);
        return 1;
    case KC128:
        return kc128(ctx, out);
    case NO_FUNCTION:
        break;
    }
    return 0;
}

const OSSL_DISPATCH conv_3gpp_functions[] = {
    {OSSL_FUNC_KDF_NEWCTX, (void (*)(void))conv_new},
    {OSSL_FUNC_KDF_DUPCTX, (void (*)(void))conv_dup},
    {OSSL_FUNC_KDF_FREECTX, (void (*)(void))conv_free},
    {OSSL_FUNC_KDF_RESET, (void (*)(void))conv_reset},
    {OSSL_FUNC_KDF_DERIVE, (void (*)(void))conv_derive},
    {OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, (void (*)(void))conv_settable},
    {OSSL_FUNC_KDF_SET_CTX_PARAMS, (void (*)(void))conv_set},
    {OSSL_FUNC_KDF_GETTABLE_CTX_PARAMS, (void (*)(void))conv_gettable},
    {OSSL_FUNC_KDF_GET_CTX_PARAMS, (void (*)(void))conv_get},
    {0, NULL},
};
