/* What every part of the provider shares: one of these for each load into a library context. */
#ifndef PROVIDER_PROVIDER_H
#define PROVIDER_PROVIDER_H

#include <openssl/core_dispatch.h>
#include <openssl/evp.h>
#include <stdatomic.h>

struct ocb_path;

/*
 * Written by OSSL_provider_init and, but for `failed`, read-only until teardown: any thread may use
 * it. The algorithms underneath come from a private library context, because the one we are loaded
 * into may have no AES, SHAKE256 or HMAC at all (`-provider usi` alone).
 */
struct provider {
    const OSSL_CORE_HANDLE *handle;
    OSSL_FUNC_core_new_error_fn *new_error;
    OSSL_FUNC_core_set_error_debug_fn *set_error_debug;
    OSSL_FUNC_core_vset_error_fn *vset_error;
    OSSL_FUNC_core_get_libctx_fn *get_libctx;
    OSSL_FUNC_self_test_cb_fn *self_test_cb;

    OSSL_LIB_CTX *libctx;
    EVP_CIPHER *aes_128_ecb, *aes_192_ecb, *aes_256_ecb;
    EVP_MD *shake256;
    EVP_MAC_CTX *hmac_sha256; /* a template: EVP_MAC_CTX_dup() it and give it a key */

    const struct ocb_path *ocb; /* the fastest here; tests choose others */

    atomic_bool failed; /* a self-test failed: the status parameter is 0 */
};

/* The dispatch tables of the algorithms; each lives in the file of its name in mac/, kdf/ or
 * cipher/. */
extern const OSSL_DISPATCH a3_functions[];
extern const OSSL_DISPATCH a8_functions[];
extern const OSSL_DISPATCH aka_functions[];
extern const OSSL_DISPATCH kdf_3gpp_functions[];
extern const OSSL_DISPATCH conv_3gpp_functions[];
extern const OSSL_DISPATCH aes_128_ocb_functions[];
extern const OSSL_DISPATCH aes_192_ocb_functions[];
extern const OSSL_DISPATCH aes_256_ocb_functions[];

#endif
