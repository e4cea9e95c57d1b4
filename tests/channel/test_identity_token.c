/* channel/identity.h with a key that its provider does not hand out, as a token's or a TPM's: other
 * providers get no more than the public half, and cannot sign with it. */
#include "identities.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <stdlib.h>

enum { OCTETS = 32, SIGNATURE = 64 };

/* ---- the provider ---- */

/* A key of the token: the other implementation's, which only the token uses. */
struct token_key {
    EVP_PKEY *inside;
};

static bool pulled_out; /* nothing can be signed */

static void *key_new(void *provider)
{
    (void)provider;
    return calloc(1, sizeof(struct token_key));
}

static void key_free(void *key)
{
    EVP_PKEY_free(((struct token_key *)key)->inside);
    free(key);
}

static int key_has(const void *key, int selection)
{
    (void)selection;
    return ((const struct token_key *)key)->inside != NULL;
}

static int key_import(void *key, int selection, const OSSL_PARAM params[])
{
    const OSSL_PARAM *secret = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PRIV_KEY);

    (void)selection;
    if (secret == NULL)
        return 0;
    ((struct token_key *)key)->inside =
        EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, secret->data, secret->data_size);
    return key_has(key, 0);
}

static const OSSL_PARAM *key_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, NULL, 0),
                                       OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                                       OSSL_PARAM_END};

    (void)selection;
    return types;
}

static int key_export(void *key, int selection, OSSL_CALLBACK *give, void *data)
{
    uint8_t public[OCTETS];
    size_t size = sizeof public;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public, sizeof public),
        OSSL_PARAM_construct_end()};

    (void)selection;
    return EVP_PKEY_get_raw_public_key(((struct token_key *)key)->inside, public, &size) == 1 &&
           give(params, data);
}

static void *signature_new(void *provider, const char *propq)
{
    (void)provider;
    (void)propq;
    return calloc(1, sizeof(struct token_key));
}

static int signature_init(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
    (void)digest;
    (void)params;
    ((struct token_key *)ctx)->inside = ((struct token_key *)key)->inside;
    return 1;
}

static int signature_make(void *ctx, unsigned char *out, size_t *made, size_t room,
                          const unsigned char *bytes, size_t size)
{
    EVP_MD_CTX *inside = EVP_MD_CTX_new();
    int result =
        !pulled_out && room >= SIGNATURE &&
        EVP_DigestSignInit(inside, NULL, NULL, NULL, ((struct token_key *)ctx)->inside) == 1 &&
        EVP_DigestSign(inside, out, made, bytes, size) == 1;

    EVP_MD_CTX_free(inside);
    return result;
}

typedef void (*function)(void);

static const OSSL_DISPATCH keys[] = {{OSSL_FUNC_KEYMGMT_NEW, (function)key_new},
                                     {OSSL_FUNC_KEYMGMT_FREE, (function)key_free},
                                     {OSSL_FUNC_KEYMGMT_HAS, (function)key_has},
                                     {OSSL_FUNC_KEYMGMT_IMPORT, (function)key_import},
                                     {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (function)key_types},
                                     {OSSL_FUNC_KEYMGMT_EXPORT, (function)key_export},
                                     {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (function)key_types},
                                     {0, NULL}};

static const OSSL_DISPATCH signatures[] = {
    {OSSL_FUNC_SIGNATURE_NEWCTX, (function)signature_new},
    {OSSL_FUNC_SIGNATURE_FREECTX, (function)free},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (function)signature_init},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (function)signature_make},
    {0, NULL}};

static const OSSL_ALGORITHM *token_query(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM key_kinds[] = {{"ED25519", "provider=token", keys, NULL},
                                               {NULL, NULL, NULL, NULL}};
    static const OSSL_ALGORITHM signature_kinds[] = {
        {"ED25519", "provider=token", signatures, NULL}, {NULL, NULL, NULL, NULL}};

    (void)provider;
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT     ? key_kinds
           : operation == OSSL_OP_SIGNATURE ? signature_kinds
                                            : NULL;
}

static int token_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                      const OSSL_DISPATCH **out, void **provider)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (function)token_query}, {0, NULL}};

    (void)in;
    *out = functions;
    *provider = (void *)(uintptr_t)handle; /* anything but NULL */
    return 1;
}

/* ---- its keys ---- */

/* The key of RFC 8032, test 1, inside the token. */
static EVP_PKEY *token_key(OSSL_LIB_CTX *libctx, struct vector *v)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(libctx, "ED25519", "provider=token");
    EVP_PKEY *key = NULL;

    ed25519_vector(v, "RFC 8032 7.1 test 1");
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, v->secret.octets, OCTETS),
        OSSL_PARAM_construct_end()};
    ck_assert_ptr_nonnull(ctx);
    ck_assert_int_eq(EVP_PKEY_fromdata_init(ctx), 1);
    ck_assert_int_eq(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

START_TEST(a_token_signs_by_itself)
{
    static const uint8_t hash[USI_HASH] = {9};
    const struct usi_signed what = {.signer = USI_SIGNER_NETWORK, .hash = hash};
    static const char *const queries[] = {NULL, "?provider=default"};
    OSSL_LIB_CTX *libctx = support_libctx_new();
    struct usi_identity *identity = NULL, *again = NULL;
    struct usi_crypto *crypto = NULL;
    uint8_t shown[USI_IDENTITY_MAX];
    size_t size = 0;
    struct vector v;

    ck_assert_int_eq(OSSL_PROVIDER_add_builtin(libctx, "token", token_init), 1);
    ck_assert_ptr_nonnull(OSSL_PROVIDER_load(libctx, "token"));
    ck_assert_int_eq(usi_crypto_new(&crypto, libctx, queries[_i], NULL), 0);
    EVP_PKEY *key = token_key(libctx, &v);
    pulled_out = false;
    ck_assert_int_eq(usi_identity_from_key(&identity, crypto, key), 0);
    ck_assert_mem_eq(usi_identity_spki(identity, &size) + 12, v.public.octets, OCTETS);
    ck_assert_int_eq(usi_identity_show(identity, &what, shown, sizeof shown, &size), 0);
    ck_assert_int_eq(check_as(&what, shown, size, false), 0);

    pulled_out = true;
    ck_assert_int_eq(usi_identity_show(identity, &what, shown, sizeof shown, &size),
                     USI_ERR_INTERNAL);
    ck_assert_int_eq(usi_identity_from_key(&again, crypto, key), USI_ERR_INTERNAL);
    ck_assert_ptr_null(again);
    usi_identity_free(identity);
    EVP_PKEY_free(key);
    usi_crypto_free(crypto);
    support_libctx_free(libctx);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity_token");
    TCase *tcase = support_case(suite, "token");

    tcase_add_loop_test(tcase, a_token_signs_by_itself, 0, 2);
    return support_run(suite);
}
