/* EVP_KDF "3GPP-KDF": the key derivation function of TS 33.220 annex B.2. */
#include "algorithms/kdf_3gpp.h"
#include "errors.h"
#include "params.h"
#include "provider.h"
#include "usi/names.h"

#include <openssl/crypto.h>
#include <openssl/params.h>

enum { P_COUNT = 10 };

struct settings {
    struct octets key, fc, p[P_COUNT];
};

struct kdf_3gpp {
    struct provider *provider;
    struct settings settings;
};

static OSSL_FUNC_kdf_newctx_fn kdf_3gpp_new;
static OSSL_FUNC_kdf_dupctx_fn kdf_3gpp_dup;
static OSSL_FUNC_kdf_freectx_fn kdf_3gpp_free;
static OSSL_FUNC_kdf_reset_fn kdf_3gpp_reset;
static OSSL_FUNC_kdf_derive_fn kdf_3gpp_derive;
static OSSL_FUNC_kdf_settable_ctx_params_fn kdf_3gpp_settable;
static OSSL_FUNC_kdf_set_ctx_params_fn kdf_3gpp_set;
static OSSL_FUNC_kdf_gettable_ctx_params_fn kdf_3gpp_gettable;
static OSSL_FUNC_kdf_get_ctx_params_fn kdf_3gpp_get;

/* ---- parameters ---- */

#define FIELD(member) offsetof(struct settings, member)
#define P(n)                                                                                       \
    {                                                                                              \
        "p" #n, PARAM_OCTETS, .offset = FIELD(p[n]), .range = { 0, KDF_3GPP_P_MAX, 1 }             \
    }
static const struct range key_sizes = {16, 64, 1};
static const struct param_rule rules[] = {
    {USI_PARAM_KEY, PARAM_OCTETS, .offset = FIELD(key), .range = {16, 64, 1}},
    {USI_PARAM_FC, PARAM_OCTETS, .offset = FIELD(fc), .range = {1, 1, 1}},
    P(0),
    P(1),
    P(2),
    P(3),
    P(4),
    P(5),
    P(6),
    P(7),
    P(8),
    P(9),
    {.name = NULL},
};

static const OSSL_PARAM *kdf_3gpp_settable(void *vctx, void *provider)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_octet_string(USI_PARAM_KEY, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_FC, NULL, 0),
        OSSL_PARAM_octet_string("p0", NULL, 0),
        OSSL_PARAM_octet_string("p1", NULL, 0),
        OSSL_PARAM_octet_string("p2", NULL, 0),
        OSSL_PARAM_octet_string("p3", NULL, 0),
        OSSL_PARAM_octet_string("p4", NULL, 0),
        OSSL_PARAM_octet_string("p5", NULL, 0),
        OSSL_PARAM_octet_string("p6", NULL, 0),
        OSSL_PARAM_octet_string("p7", NULL, 0),
        OSSL_PARAM_octet_string("p8", NULL, 0),
        OSSL_PARAM_octet_string("p9", NULL, 0),
        OSSL_PARAM_END,
    };

    (void)vctx;
    (void)provider;
    return settable;
}

static int kdf_3gpp_set(void *vctx, const OSSL_PARAM params[])
{
    struct kdf_3gpp *ctx = vctx;

    return params_set(ctx->provider, rules, &ctx->settings, params);
}

static const OSSL_PARAM *kdf_3gpp_gettable(void *vctx, void *provider)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_size_t(USI_PARAM_SIZE, NULL),
        OSSL_PARAM_END,
    };

    (void)vctx;
    (void)provider;
    return gettable;
}

static int kdf_3gpp_get(void *vctx, OSSL_PARAM params[])
{
    (void)vctx;
    return params_answer(params, KDF_3GPP_SIZE, NULL);
}

/* ---- life ---- */

static void *kdf_3gpp_new(void *provider)
{
    struct kdf_3gpp *ctx = OPENSSL_secure_zalloc(sizeof(*ctx));

    if (ctx != NULL)
        ctx->provider = provider;
    else
        errors_raise(provider, ERROR_OUT_OF_MEMORY, "3GPP-KDF: %zu octets", sizeof(*ctx));
    return ctx;
}

static void *kdf_3gpp_dup(void *vfrom)
{
    const struct kdf_3gpp *from = vfrom;
    struct kdf_3gpp *ctx = kdf_3gpp_new(from->provider);

    if (ctx == NULL)
        return NULL;
    *ctx = *from;
    if (params_dup(rules, &ctx->settings, &from->settings))
        return ctx;
    errors_raise(ctx->provider, ERROR_OUT_OF_MEMORY, "3GPP-KDF: duplicate");
    kdf_3gpp_free(ctx);
    return NULL;
}

static void kdf_3gpp_reset(void *vctx)
{
    params_clear(rules, &((struct kdf_3gpp *)vctx)->settings);
}

static void kdf_3gpp_free(void *vctx)
{
    if (vctx == NULL)
        return;
    kdf_3gpp_reset(vctx);
    OPENSSL_secure_clear_free(vctx, sizeof(struct kdf_3gpp));
}

/* ---- work ---- */

/* The number of P that are there; -1 when one before another is missing. */
static int count_p(const struct kdf_3gpp *ctx)
{
    int count = 0;

    for (int n = 0; n < P_COUNT; n++) {
        if (ctx->settings.p[n].data == NULL)
            continue;
        if (n > count) {
            errors_raise(ctx->provider, ERROR_MISSING_PARAMETER,
                         "p%d: expected 0 or more octets before p%d, got nothing", count, n);
            return -1;
        }
        count++;
    }
    return count;
}

static bool check(const struct kdf_3gpp *ctx, size_t out_size)
{
    static const struct range one = {1, 1, 1};

    if (!params_require(ctx->provider, USI_PARAM_KEY, &ctx->settings.key, &key_sizes) ||
        !params_require(ctx->provider, USI_PARAM_FC, &ctx->settings.fc, &one))
        return false;
    if (out_size != KDF_3GPP_SIZE) {
        errors_raise(ctx->provider, ERROR_WRONG_OUTPUT_SIZE,
                     "3GPP-KDF: expected %d octets, got %zu", KDF_3GPP_SIZE, out_size);
        return false;
    }
    return true;
}

static int kdf_3gpp_derive(void *vctx, unsigned char *out, size_t out_size,
                           const OSSL_PARAM params[])
{
    struct kdf_3gpp *ctx = vctx;
    const struct settings *settings = &ctx->settings;
    EVP_MAC_CTX *hmac;
    int count;
    bool ok;

    if (out == NULL)
        out_size = 0;
    if (!params_set(ctx->provider, rules, &ctx->settings, params) || !check(ctx, out_size))
        return 0;
    count = count_p(ctx);
    if (count < 0)
        return 0;
    hmac = EVP_MAC_CTX_dup(ctx->provider->hmac_sha256);
    ok = hmac != NULL &&
         kdf_3gpp_start(hmac, settings->key.data, settings->key.size, settings->fc.data[0]);
    for (int n = 0; ok && n < count; n++)
        ok = kdf_3gpp_add(hmac, settings->p[n].data, settings->p[n].size);
    ok = ok && kdf_3gpp_finish(hmac, out);
    EVP_MAC_CTX_free(hmac);
    if (!ok)
        errors_raise(ctx->provider, ERROR_INTERNAL, "HMAC-SHA-256");
    return ok;
}

const OSSL_DISPATCH kdf_3gpp_functions[] = {
    {OSSL_FUNC_KDF_NEWCTX, (void (*)(void))kdf_3gpp_new},
    {OSSL_FUNC_KDF_DUPCTX, (void (*)(void))kdf_3gpp_dup},
    {OSSL_FUNC_KDF_FREECTX, (void (*)(void))kdf_3gpp_free},
    {OSSL_FUNC_KDF_RESET, (void (*)(void))kdf_3gpp_reset},
    {OSSL_FUNC_KDF_DERIVE, (void (*)(void))kdf_3gpp_derive},
    {OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, (void (*)(void))kdf_3gpp_settable},
    {OSSL_FUNC_KDF_SET_CTX_PARAMS, (void (*)(void))kdf_3gpp_set},
    {OSSL_FUNC_KDF_GETTABLE_CTX_PARAMS, (void (*)(void))kdf_3gpp_gettable},
    {OSSL_FUNC_KDF_GET_CTX_PARAMS, (void (*)(void))kdf_3gpp_get},
    {0, NULL},
};
