#include "a38.h"

#include "algorithms/comp128.h"
#include "algorithms/conversion.h"
#include "algorithms/milenage.h"
#include "algorithms/xor.h"
#include "errors.h"
#include "provider.h"
#include "usi/names.h"

#include <openssl/crypto.h>
#include <stdint.h>
#include <string.h>

static bool comp128(comp128_function *version, const struct a38_subscriber *subscriber,
                    const unsigned char *rand, unsigned char *sres, unsigned char *kc)
{
    unsigned char unwanted[A38_KC_SIZE];

    version(subscriber->key.data, rand, sres == NULL ? unwanted : sres, kc == NULL ? unwanted : kc);
    OPENSSL_cleanse(unwanted, sizeof(unwanted));
    return true;
}

static bool run_comp128_1(const struct provider *provider, const struct a38_subscriber *subscriber,
                          const unsigned char *rand, unsigned char *sres, unsigned char *kc)
{
    (void)provider;
    return comp128(comp128_1, subscriber, rand, sres, kc);
}

static bool run_comp128_2(const struct provider *provider, const struct a38_subscriber *subscriber,
                          const unsigned char *rand, unsigned char *sres, unsigned char *kc)
{
    (void)provider;
    return comp128(comp128_2, subscriber, rand, sres, kc);
}

static bool run_comp128_3(const struct provider *provider, const struct a38_subscriber *subscriber,
                          const unsigned char *rand, unsigned char *sres, unsigned char *kc)
{
    (void)provider;
    return comp128(comp128_3, subscriber, rand, sres, kc);
}

/* TS 55.205: f2, f3 and f4 of MILENAGE through the conversion functions. */
static bool run_gsm_milenage(const struct provider *provider,
                             const struct a38_subscriber *subscriber, const unsigned char *rand,
                             unsigned char *sres, unsigned char *kc)
{
    static const unsigned char no_sqn[AKA_SQN_SIZE], no_amf[AKA_AMF_SIZE];
    unsigned char opc[MILENAGE_OPC_SIZE];
    struct aka_values values;
    EVP_CIPHER_CTX *aes = EVP_CIPHER_CTX_new();
    bool ok = aes != NULL && milenage_key(aes, provider->aes_128_ecb, subscriber->key.data);

    if (subscriber->opc.data != NULL)
        memcpy(opc, subscriber->opc.data, sizeof(opc));
    else
        ok = ok && milenage_opc(aes, subscriber->op.data, opc);
    ok = ok && milenage_run(aes, opc, rand, no_sqn, no_amf, &values);
    EVP_CIPHER_CTX_free(aes);
    if (ok && sres != NULL && subscriber->sres_function == 2)
        memcpy(sres, values.res, A38_SRES_SIZE);
    else if (ok && sres != NULL)
        conversion_c2(values.res, MILENAGE_RES_SIZE, sres);
    if (ok && kc != NULL)
        conversion_c3(values.ck, values.ik, kc);
    OPENSSL_cleanse(&values, sizeof(values));
    OPENSSL_cleanse(opc, sizeof(opc));
    return ok;
}

static bool run_xor_2g(const struct provider *provider, const struct a38_subscriber *subscriber,
                       const unsigned char *rand, unsigned char *sres, unsigned char *kc)
{
    unsigned char unwanted[A38_KC_SIZE];

    (void)provider;
    xor_2g(subscriber->key.data, rand, sres == NULL ? unwanted : sres, kc == NULL ? unwanted : kc);
    OPENSSL_cleanse(unwanted, sizeof(unwanted));
    return true;
}

const char *const a38_names[] = {
    USI_A38_USI,
    USI_A38_COMP128_1,
    USI_A38_COMP128_2,
    USI_A38_COMP128_3,
    USI_A38_GSM_MILENAGE,
    USI_A38_XOR_2G,
    NULL,
};

/* In the order of a38_names. */
static const struct a38_algorithm algorithms[] = {
    {{16, 32, 8}, {16, SIZE_MAX, 1}, false, NULL},
    {{16, 16, 1}, {16, 16, 1}, false, run_comp128_1},
    {{16, 16, 1}, {16, 16, 1}, false, run_comp128_2},
    {{16, 16, 1}, {16, 16, 1}, false, run_comp128_3},
    {{16, 16, 1}, {16, 16, 1}, true, run_gsm_milenage},
    {{16, 16, 1}, {16, 16, 1}, false, run_xor_2g},
};

static size_t chosen(const struct a38_subscriber *subscriber)
{
    return subscriber->algorithm == 0 ? 0 : subscriber->algorithm - 1;
}

const struct a38_algorithm *a38_algorithm(const struct a38_subscriber *subscriber)
{
    return &algorithms[chosen(subscriber)];
}

const char *a38_name(const struct a38_subscriber *subscriber)
{
    return a38_names[chosen(subscriber)];
}

bool a38_check(const struct provider *provider, const struct a38_subscriber *subscriber)
{
    const struct a38_algorithm *algorithm = a38_algorithm(subscriber);

    if (!params_require(provider, USI_PARAM_KEY, &subscriber->key, &algorithm->key))
        return false;
    if (algorithm->operator_variant && subscriber->op.data == NULL &&
        subscriber->opc.data == NULL) {
        errors_raise(provider, ERROR_MISSING_PARAMETER,
                     "op or opc: %s needs 16 octets of one of them", a38_name(subscriber));
        return false;
    }
    return true;
}
