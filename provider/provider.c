/* OSSL_provider_init, the table of algorithms, the provider's own parameters, and its end. */
#include "provider.h"

#include "algorithms/ocb.h"
#include "errors.h"
#include "selftest.h"
#include "usi/names.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

static OSSL_FUNC_provider_teardown_fn teardown;
static OSSL_FUNC_provider_gettable_params_fn gettable_params;
static OSSL_FUNC_provider_get_params_fn get_params;
static OSSL_FUNC_provider_query_operation_fn query_operation;
static OSSL_FUNC_provider_get_reason_strings_fn get_reason_strings;
static OSSL_FUNC_provider_self_test_fn self_test;

OSSL_provider_init_fn OSSL_provider_init __attribute__((visibility("default")));

/* ---- algorithms ---- */

#define PROPERTIES "provider=" USI_PROVIDER

static const OSSL_ALGORITHM macs[] = {
    {USI_MAC_A3, PROPERTIES, a3_functions, "GSM A3: SRES from Ki and RAND"},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM kdfs[] = {
    {USI_KDF_A8, PROPERTIES, a8_functions, "GSM A8: Kc from Ki and RAND"},
    {USI_KDF_AKA, PROPERTIES, aka_functions, "3GPP AKA: MILENAGE, TUAK and XOR"},
    {USI_KDF_3GPP_KDF, PROPERTIES, kdf_3gpp_functions, "3GPP TS 33.220 B.2 key derivation"},
    {USI_KDF_3GPP_CONV, PROPERTIES, conv_3gpp_functions, "3GPP TS 33.102 conversion functions"},
    {NULL, NULL, NULL, NULL},
};

/* The names are libcrypto's own: whoever fetches by them can choose with a property. */
static const OSSL_ALGORITHM ciphers[] = {
    {"AES-128-OCB", PROPERTIES, aes_128_ocb_functions, "AES-OCB, RFC 7253, with a key of 128 bits"},
    {"AES-192-OCB", PROPERTIES, aes_192_ocb_functions, "AES-OCB, RFC 7253, with a key of 192 bits"},
    {"AES-256-OCB", PROPERTIES, aes_256_ocb_functions, "AES-OCB, RFC 7253, with a key of 256 bits"},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM *query_operation(void *provider, int operation, int *no_cache)
{
    (void)provider;
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_MAC:
        return macs;
    case OSSL_OP_KDF:
        return kdfs;
    case OSSL_OP_CIPHER:
        return ciphers;
    default:
        return NULL;
    }
}

/* ---- the provider's own parameters ---- */

static const OSSL_PARAM *gettable_params(void *provider)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, NULL, 0),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
        OSSL_PARAM_END,
    };

    (void)provider;
    return gettable;
}

static bool answer(OSSL_PARAM params[], const char *name, const char *value)
{
    OSSL_PARAM *param = OSSL_PARAM_locate(params, name);

    return param == NULL || OSSL_PARAM_set_utf8_ptr(param, value);
}

static int get_params(void *vprovider, OSSL_PARAM params[])
{
    struct provider *provider = vprovider;
    OSSL_PARAM *status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);

    return answer(params, OSSL_PROV_PARAM_NAME, "USI authentication provider") &&
           answer(params, OSSL_PROV_PARAM_VERSION, USI_VERSION) &&
           answer(params, OSSL_PROV_PARAM_BUILDINFO, USI_VERSION) &&
           (status == NULL || OSSL_PARAM_set_int(status, !atomic_load(&provider->failed)));
}

static const OSSL_ITEM *get_reason_strings(void *provider)
{
    (void)provider;
    return errors_reasons();
}

static int self_test(void *vprovider)
{
    struct provider *provider = vprovider;
    bool ok = selftest_run(provider);

    atomic_store(&provider->failed, !ok);
    return ok;
}

/* ---- life ---- */

static void teardown(void *vprovider)
{
    struct provider *provider = vprovider;

    EVP_MAC_CTX_free(provider->hmac_sha256);
    EVP_MD_free(provider->shake256);
    EVP_CIPHER_free(provider->aes_256_ecb);
    EVP_CIPHER_free(provider->aes_192_ecb);
    EVP_CIPHER_free(provider->aes_128_ecb);
    OSSL_LIB_CTX_free(provider->libctx);
    OPENSSL_free(provider);
}

static void take_core_functions(struct provider *provider, const OSSL_DISPATCH *in)
{
    for (; in->function_id != 0; in++)
        switch (in->function_id) {
        case OSSL_FUNC_CORE_NEW_ERROR:
            provider->new_error = OSSL_FUNC_core_new_error(in);
            break;
        case OSSL_FUNC_CORE_SET_ERROR_DEBUG:
            provider->set_error_debug = OSSL_FUNC_core_set_error_debug(in);
            break;
        case OSSL_FUNC_CORE_VSET_ERROR:
            provider->vset_error = OSSL_FUNC_core_vset_error(in);
            break;
        case OSSL_FUNC_CORE_GET_LIBCTX:
            provider->get_libctx = OSSL_FUNC_core_get_libctx(in);
            break;
        case OSSL_FUNC_SELF_TEST_CB:
            provider->self_test_cb = OSSL_FUNC_self_test_cb(in);
            break;
        default:
            break;
        }
}

/* A keyed context is what OpenSSL 3.0 can duplicate; the key is replaced in every duplicate. */
static EVP_MAC_CTX *hmac_template(OSSL_LIB_CTX *libctx)
{
    static const unsigned char key[32];
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(libctx, "HMAC", NULL);
    EVP_MAC_CTX *ctx = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);

    EVP_MAC_free(hmac);
    if (ctx != NULL && EVP_MAC_init(ctx, key, sizeof(key), params))
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

/* What the algorithms are built on. */
static bool fetch(struct provider *provider)
{
    OSSL_LIB_CTX *libctx = provider->libctx;

    return (provider->aes_128_ecb = EVP_CIPHER_fetch(libctx, "AES-128-ECB", NULL)) != NULL &&
           (provider->aes_192_ecb = EVP_CIPHER_fetch(libctx, "AES-192-ECB", NULL)) != NULL &&
           (provider->aes_256_ecb = EVP_CIPHER_fetch(libctx, "AES-256-ECB", NULL)) != NULL &&
           (provider->shake256 = EVP_MD_fetch(libctx, "SHAKE256", NULL)) != NULL &&
           (provider->hmac_sha256 = hmac_template(libctx)) != NULL;
}

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                       const OSSL_DISPATCH **out, void **provctx)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))teardown},
        {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))gettable_params},
        {OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))get_params},
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query_operation},
        {OSSL_FUNC_PROVIDER_GET_REASON_STRINGS, (void (*)(void))get_reason_strings},
        {OSSL_FUNC_PROVIDER_SELF_TEST, (void (*)(void))self_test},
        {0, NULL},
    };
    struct provider *provider = OPENSSL_zalloc(sizeof(*provider));

    if (provider == NULL)
        return 0;
    provider->handle = handle;
    take_core_functions(provider, in);
    provider->ocb = ocb_pick();
    provider->libctx = OSSL_LIB_CTX_new_from_dispatch(handle, in);
    if (provider->libctx == NULL)
        goto fail;
    if (!fetch(provider))
        goto fail;
    *out = functions;
    *provctx = provider;
    return 1;

fail:
    errors_raise(provider, ERROR_INTERNAL, "libcrypto has no AES-ECB, SHAKE256 or HMAC-SHA-256");
    teardown(provider);
    return 0;
}
