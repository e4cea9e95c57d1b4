/* A provider of another house, with an A3 and an A8 of its own (HMAC-SHA-512, cut):
 *
 *   A3(Ki, message) = the first `size` octets (16 unless set) of HMAC-SHA-512(Ki, message)
 *   A8(Ki, RAND)    = the first octets of HMAC-SHA-512(Ki, "plug A8" || RAND)
 *
 * Compiled with the macros below it makes the providers that a channel must refuse. */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <string.h>

/* PLUG_NAME: the module's. PLUG_A3_SIZE: what A3 gives, whatever it is asked for. PLUG_A3_INPUT:
 * the one length of message it takes. PLUG_A8_SIZE: all that A8 can give (PLUG_A8_SILENT: it says
 * that it gave more). PLUG_A8_RAND: the one length of RAND it takes. */

enum { MESSAGE_MAX = 4096, KEY_MAX = 64, HMAC_SIZE = 64 };

struct plug {
    OSSL_LIB_CTX *libctx; /* private: with `default` alone */
    OSSL_PROVIDER *base;
};

struct context {
    struct plug *plug;
    size_t key_size, message_size, size;
    uint8_t key[KEY_MAX];
    uint8_t message[MESSAGE_MAX];
};

static int hmac(const struct context *c, const uint8_t *message, size_t message_size,
                uint8_t out[HMAC_SIZE])
{
    size_t size = 0;

    return EVP_Q_mac(c->plug->libctx, "HMAC", NULL, "SHA512", NULL, c->key, c->key_size, message,
                     message_size, out, HMAC_SIZE, &size) != NULL &&
           size == HMAC_SIZE;
}

static int set_octets(const OSSL_PARAM *p, uint8_t *to, size_t room, size_t *size)
{
    void *at = to;

    return p == NULL || OSSL_PARAM_get_octet_string(p, &at, room, size) == 1;
}

static void *context_new(void *plug)
{
    struct context *c = OPENSSL_zalloc(sizeof *c);

    if (c != NULL)
        c->plug = plug;
    return c;
}

static void context_free(void *c)
{
    OPENSSL_clear_free(c, sizeof(struct context));
}

/* ---- A3 ---- */

static int a3_set(void *vc, const OSSL_PARAM params[])
{
    struct context *c = vc;
    const OSSL_PARAM *size = OSSL_PARAM_locate_const(params, OSSL_MAC_PARAM_SIZE);

    return set_octets(OSSL_PARAM_locate_const(params, OSSL_MAC_PARAM_KEY), c->key, KEY_MAX,
                      &c->key_size) &&
           (size == NULL || OSSL_PARAM_get_size_t(size, &c->size) == 1);
}

static const OSSL_PARAM *a3_settable(void *c, void *plug)
{
    static const OSSL_PARAM params[] = {OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, NULL, 0),
                                        OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, NULL),
                                        OSSL_PARAM_END};

    (void)c;
    (void)plug;
    return params;
}

static size_t a3_size(const struct context *c)
{
#ifdef PLUG_A3_SIZE
    (void)c;
    return PLUG_A3_SIZE;
#else
    return c->size != 0 ? c->size : 16;
#endif
}

static int a3_get(void *c, OSSL_PARAM params[])
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_MAC_PARAM_SIZE);

    return p == NULL || OSSL_PARAM_set_size_t(p, a3_size(c)) == 1;
}

static const OSSL_PARAM *a3_gettable(void *c, void *plug)
{
    static const OSSL_PARAM params[] = {OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, NULL),
                                        OSSL_PARAM_END};

    (void)c;
    (void)plug;
    return params;
}

static int a3_init(void *vc, const unsigned char *key, size_t key_size, const OSSL_PARAM params[])
{
    struct context *c = vc;

    c->message_size = 0;
    if (params != NULL && !a3_set(c, params))
        return 0;
    if (key != NULL) {
        if (key_size > KEY_MAX)
            return 0;
        memcpy(c->key, key, key_size);
        c->key_size = key_size;
    }
    return c->key_size > 0;
}

static int a3_update(void *vc, const unsigned char *in, size_t size)
{
    struct context *c = vc;

    if (size > MESSAGE_MAX - c->message_size)
        return 0;
    if (size > 0)
        memcpy(c->message + c->message_size, in, size);
    c->message_size += size;
    return 1;
}

static int a3_final(void *vc, unsigned char *out, size_t *size, size_t room)
{
    struct context *c = vc;
    uint8_t whole[HMAC_SIZE];

    *size = a3_size(c);
#ifdef PLUG_A3_INPUT
    if (c->message_size != PLUG_A3_INPUT)
        return 0;
#endif
    if (*size > room || *size > sizeof whole || !hmac(c, c->message, c->message_size, whole))
        return 0;
    memcpy(out, whole, *size);
    return 1;
}

typedef void (*function)(void);

static const OSSL_DISPATCH a3_functions[] = {
    {OSSL_FUNC_MAC_NEWCTX, (function)context_new},
    {OSSL_FUNC_MAC_FREECTX, (function)context_free},
    {OSSL_FUNC_MAC_INIT, (function)a3_init},
    {OSSL_FUNC_MAC_UPDATE, (function)a3_update},
    {OSSL_FUNC_MAC_FINAL, (function)a3_final},
    {OSSL_FUNC_MAC_SET_CTX_PARAMS, (function)a3_set},
    {OSSL_FUNC_MAC_SETTABLE_CTX_PARAMS, (function)a3_settable},
    {OSSL_FUNC_MAC_GET_CTX_PARAMS, (function)a3_get},
    {OSSL_FUNC_MAC_GETTABLE_CTX_PARAMS, (function)a3_gettable},
    {0, NULL}};

/* ---- A8 ---- */

static const char a8_label[] = "plug A8";
enum { LABEL = sizeof a8_label - 1 };

static int a8_set(void *vc, const OSSL_PARAM params[])
{
    struct context *c = vc;
    size_t size = c->message_size >= LABEL ? c->message_size - LABEL : 0;

    memcpy(c->message, a8_label, LABEL);
    if (!set_octets(OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_KEY), c->key, KEY_MAX,
                    &c->key_size) ||
        !set_octets(OSSL_PARAM_locate_const(params, "rand"), c->message + LABEL,
                    MESSAGE_MAX - LABEL, &size))
        return 0;
    c->message_size = LABEL + size;
    return 1;
}

static const OSSL_PARAM *a8_settable(void *c, void *plug)
{
    static const OSSL_PARAM params[] = {OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, NULL, 0),
                                        OSSL_PARAM_octet_string("rand", NULL, 0), OSSL_PARAM_END};

    (void)c;
    (void)plug;
    return params;
}

static void a8_reset(void *vc)
{
    struct context *c = vc;

    *c = (struct context){.plug = c->plug};
}

static int a8_derive(void *vc, unsigned char *out, size_t size, const OSSL_PARAM params[])
{
    struct context *c = vc;
    uint8_t whole[HMAC_SIZE];

    if ((params != NULL && !a8_set(c, params)) || c->key_size == 0)
        return 0;
#ifdef PLUG_A8_RAND
    if (c->message_size != LABEL + PLUG_A8_RAND)
        return 0;
#endif
#if defined(PLUG_A8_SIZE) && defined(PLUG_A8_SILENT)
    size = PLUG_A8_SIZE;
#elif defined(PLUG_A8_SIZE)
    if (size != PLUG_A8_SIZE)
        return 0;
#endif
    if (size > sizeof whole || !hmac(c, c->message, c->message_size, whole))
        return 0;
    memcpy(out, whole, size);
    return 1;
}

static const OSSL_DISPATCH a8_functions[] = {
    {OSSL_FUNC_KDF_NEWCTX, (function)context_new},
    {OSSL_FUNC_KDF_FREECTX, (function)context_free},
    {OSSL_FUNC_KDF_RESET, (function)a8_reset},
    {OSSL_FUNC_KDF_DERIVE, (function)a8_derive},
    {OSSL_FUNC_KDF_SET_CTX_PARAMS, (function)a8_set},
    {OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, (function)a8_settable},
    {0, NULL}};

/* ---- the provider ---- */

static const OSSL_ALGORITHM *query(void *plug, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM macs[] = {{"A3", "provider=" PLUG_NAME, a3_functions, NULL},
                                          {NULL, NULL, NULL, NULL}};
    static const OSSL_ALGORITHM kdfs[] = {{"A8", "provider=" PLUG_NAME, a8_functions, NULL},
                                          {NULL, NULL, NULL, NULL}};

    (void)plug;
    *no_cache = 0;
    return operation == OSSL_OP_MAC ? macs : operation == OSSL_OP_KDF ? kdfs : NULL;
}

static void teardown(void *vplug)
{
    struct plug *plug = vplug;

    if (plug->base != NULL)
        (void)OSSL_PROVIDER_unload(plug->base);
    OSSL_LIB_CTX_free(plug->libctx);
    OPENSSL_free(plug);
}

static const OSSL_DISPATCH functions[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (function)query},
                                          {OSSL_FUNC_PROVIDER_TEARDOWN, (function)teardown},
                                          {0, NULL}};

__attribute__((visibility("default"))) OSSL_provider_init_fn OSSL_provider_init;

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                       const OSSL_DISPATCH **out, void **context)
{
    struct plug *plug = OPENSSL_zalloc(sizeof *plug);

    (void)handle;
    (void)in;
    if (plug == NULL || (plug->libctx = OSSL_LIB_CTX_new()) == NULL ||
        (plug->base = OSSL_PROVIDER_load(plug->libctx, "default")) == NULL) {
        if (plug != NULL)
            teardown(plug);
        return 0;
    }
    *out = functions;
    *context = plug;
    return 1;
}
