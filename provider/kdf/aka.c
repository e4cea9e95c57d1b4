/* EVP_KDF "AKA": every quantity of 3GPP authentication and key agreement, TS 33.102 section 6.3. */
#include "aka.h"

#include "errors.h"
#include "provider.h"
#include "usi/names.h"

#include <openssl/crypto.h>
#include <openssl/params.h>

struct aka {
    struct provider *provider;
    struct aka_settings settings;
    EVP_CIPHER_CTX *aes; /* kept from one derivation to the next; NULL until the first */
};

static OSSL_FUNC_kdf_newctx_fn aka_new;
static OSSL_FUNC_kdf_dupctx_fn aka_dup;
static OSSL_FUNC_kdf_freectx_fn aka_free;
static OSSL_FUNC_kdf_reset_fn aka_reset;
static OSSL_FUNC_kdf_derive_fn aka_kdf_derive;
static OSSL_FUNC_kdf_settable_ctx_params_fn aka_settable;
static OSSL_FUNC_kdf_set_ctx_params_fn aka_set;
static OSSL_FUNC_kdf_gettable_ctx_params_fn aka_gettable;
static OSSL_FUNC_kdf_get_ctx_params_fn aka_get;

/* ---- parameters ---- */

#define FIELD(member) offsetof(struct aka_settings, member)
static const struct param_rule rules[] = {
    {USI_PARAM_ALGORITHM, PARAM_WORD, .offset = FIELD(algorithm), .words = aka_algorithms},
    {USI_PARAM_OUTPUT, PARAM_WORD, .offset = FIELD(output), .words = aka_outputs},
    {USI_PARAM_KEY, PARAM_OCTETS, .offset = FIELD(key), .range = {16, 32, 0}},
    {USI_PARAM_RAND, PARAM_OCTETS, .offset = FIELD(rand), .range = {16, 16, 1}},
    {USI_PARAM_SQN, PARAM_OCTETS, .offset = FIELD(sqn), .range = {6, 6, 1}},
    {USI_PARAM_AMF, PARAM_OCTETS, .offset = FIELD(amf), .range = {2, 2, 1}},
    {USI_PARAM_AUTN, PARAM_OCTETS, .offset = FIELD(autn), .range = {16, 40, 8}},
    {USI_PARAM_AUTS, PARAM_OCTETS, .offset = FIELD(auts), .range = {14, 38, 8}},
    {USI_PARAM_OP, PARAM_OCTETS, .offset = FIELD(op), .range = {16, 16, 1}, .group = 1},
    {USI_PARAM_OPC, PARAM_OCTETS, .offset = FIELD(opc), .range = {16, 16, 1}, .group = 1},
    {USI_PARAM_TOP, PARAM_OCTETS, .offset = FIELD(top), .range = {32, 32, 1}, .group = 2},
    {USI_PARAM_TOPC, PARAM_OCTETS, .offset = FIELD(topc), .range = {32, 32, 1}, .group = 2},
    {USI_PARAM_RES_SIZE, PARAM_NUMBER, .offset = FIELD(res_size), .range = {4, 32, 1}},
    {USI_PARAM_CK_SIZE, PARAM_NUMBER, .offset = FIELD(ck_size), .range = {16, 32, 0}},
    {USI_PARAM_IK_SIZE, PARAM_NUMBER, .offset = FIELD(ik_size), .range = {16, 32, 0}},
    {USI_PARAM_MAC_SIZE, PARAM_NUMBER, .offset = FIELD(mac_size), .range = {8, 32, 0}},
    {USI_PARAM_ITERATIONS, PARAM_NUMBER, .offset = FIELD(iterations), .range = {1, 255, 1}},
    {.name = NULL},
};

static const OSSL_PARAM *aka_settable(void *vctx, void *provider)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(USI_PARAM_ALGORITHM, NULL, 0),
        OSSL_PARAM_utf8_string(USI_PARAM_OUTPUT, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_KEY, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_RAND, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_SQN, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_AMF, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_AUTN, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_AUTS, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_OP, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_OPC, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_TOP, NULL, 0),
        OSSL_PARAM_octet_string(USI_PARAM_TOPC, NULL, 0),
        OSSL_PARAM_size_t(USI_PARAM_RES_SIZE, NULL),
        OSSL_PARAM_size_t(USI_PARAM_CK_SIZE, NULL),
        OSSL_PARAM_size_t(USI_PARAM_IK_SIZE, NULL),
        OSSL_PARAM_size_t(USI_PARAM_MAC_SIZE, NULL),
        OSSL_PARAM_size_t(USI_PARAM_ITERATIONS, NULL),
        OSSL_PARAM_END,
    };

    (void)vctx;
    (void)provider;
    return settable;
}

static int aka_set(void *vctx, const OSSL_PARAM params[])
{
    struct aka *ctx = vctx;

    return params_set(ctx->provider, rules, &ctx->settings, params);
}

static const OSSL_PARAM *aka_gettable(void *vctx, void *provider)
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

static int aka_get(void *vctx, OSSL_PARAM params[])
{
    const struct aka *ctx = vctx;

    return params_answer(params, aka_output_size(&ctx->settings),
                         aka_algorithm_name(&ctx->settings));
}

/* ---- life ---- */

static void *aka_new(void *provider)
{
    struct aka *ctx = OPENSSL_secure_zalloc(sizeof(*ctx));

    if (ctx != NULL)
        ctx->provider = provider;
    else
        errors_raise(provider, ERROR_OUT_OF_MEMORY, "AKA: %zu octets", sizeof(*ctx));
    return ctx;
}

static void *aka_dup(void *vfrom)
{
    const struct aka *from = vfrom;
    struct aka *ctx = aka_new(from->provider);

    if (ctx == NULL)
        return NULL;
    ctx->settings = from->settings;
    if (params_dup(rules, &ctx->settings, &from->settings))
        return ctx;
    errors_raise(ctx->provider, ERROR_OUT_OF_MEMORY, "AKA: duplicate");
    aka_free(ctx);
    return NULL;
}

static void aka_reset(void *vctx)
{
    struct aka *ctx = vctx;

    EVP_CIPHER_CTX_free(ctx->aes);
    ctx->aes = NULL;
    params_clear(rules, &ctx->settings);
}

static void aka_free(void *vctx)
{
    if (vctx == NULL)
        return;
    aka_reset(vctx);
    OPENSSL_secure_clear_free(vctx, sizeof(struct aka));
}

/* ---- work ---- */

static int aka_kdf_derive(void *vctx, unsigned char *out, size_t out_size,
                          const OSSL_PARAM params[])
{
    struct aka *ctx = vctx;

    if (out == NULL)
        out_size = 0;
    if (!params_set(ctx->provider, rules, &ctx->settings, params))
        return 0;
    if (ctx->aes == NULL && (ctx->aes = EVP_CIPHER_CTX_new()) == NULL) {
        errors_raise(ctx->provider, ERROR_OUT_OF_MEMORY, "AKA: cipher context");
        return 0;
    }
    return aka_derive(ctx->provider, ctx->aes, &ctx->settings, out, out_size);
}

const OSSL_DISPATCH aka_functions[] = {
    {OSSL_FUNC_KDF_NEWCTX, (void (*)(void))aka_new},
    {OSSL_FUNC_KDF_DUPCTX, (void (*)(void))aka_dup},
    {OSSL_FUNC_KDF_FREECTX, (void (*)(void))aka_free},
    {OSSL_FUNC_KDF_RESET, (void (*)(void))aka_reset},
    {OSSL_FUNC_KDF_DERIVE, (void (*)(void))aka_kdf_derive},
    {OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, (void (*)(void))aka_settable},
    {OSSL_FUNC_KDF_SET_CTX_PARAMS, (void (*)(void))aka_set},
    {OSSL_FUNC_KDF_GETTABLE_CTX_PARAMS, (void (*)(void))aka_gettable},
    {OSSL_FUNC_KDF_GET_CTX_PARAMS, (void (*)(void))aka_get},
    {0, NULL},
};
