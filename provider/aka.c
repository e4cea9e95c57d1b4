#include "aka.h"

#include "algorithms/aka_values.h"
#include "algorithms/conversion.h"
#include "algorithms/kdf_3gpp.h"
#include "algorithms/milenage.h"
#include "algorithms/tuak.h"
#include "algorithms/xor.h"
#include "errors.h"
#include "provider.h"
#include "usi/names.h"

#include <openssl/crypto.h>
#include <string.h>

/* ---- what there is ---- */

enum algorithm { NO_ALGORITHM, MILENAGE, TUAK, XOR_3G };

const char *const aka_algorithms[] = {USI_AKA_MILENAGE, USI_AKA_TUAK, USI_AKA_XOR_3G, NULL};

/* The sizes an algorithm takes, and what it takes when none is given. */
static const struct set {
    struct range key, mac, res, ck;
    size_t res_default;
} sets[] = {
    [MILENAGE] = {{16, 16, 1}, {8, 8, 1}, {8, 8, 1}, {16, 16, 1}, 8},
    [TUAK] = {{16, 32, 0}, {8, 32, 0}, {4, 32, 0}, {16, 32, 0}, 8},
    [XOR_3G] = {{16, 16, 1}, {8, 8, 1}, {4, 16, 1}, {16, 16, 1}, 16},
};

enum output {
    NO_OUTPUT,
    OPC,
    TOPC,
    MAC_A,
    MAC_S,
    RES,
    CK,
    IK,
    AK,
    AK_STAR,
    AUTN,
    AUTS,
    SQN,
    SQN_MS,
    SRES,
    KC,
    KC128,
    VECTOR
};

const char *const aka_outputs[] = {"opc",    "topc", "mac-a",   "mac-s", "res",    "ck",
                                   "ik",     "ak",   "ak-star", "autn",  "auts",   "sqn",
                                   "sqn-ms", "sres", "kc",      "kc128", "vector", NULL};

/* What an output needs besides the key and the operator variant, and the functions it comes from.
 */
enum { NEEDS_RAND = 1, NEEDS_SQN = 2, NEEDS_AMF = 4, NEEDS_AUTN = 8, NEEDS_AUTS = 16 };
static const struct source {
    unsigned char needs, functions;
} sources[] = {
    [OPC] = {0, 0},
    [TOPC] = {0, 0},
    [MAC_A] = {NEEDS_RAND | NEEDS_SQN | NEEDS_AMF, AKA_F1},
    [MAC_S] = {NEEDS_RAND | NEEDS_SQN | NEEDS_AMF, AKA_F1_STAR},
    [RES] = {NEEDS_RAND, AKA_F2345},
    [CK] = {NEEDS_RAND, AKA_F2345},
    [IK] = {NEEDS_RAND, AKA_F2345},
    [AK] = {NEEDS_RAND, AKA_F2345},
    [AK_STAR] = {NEEDS_RAND, AKA_F5_STAR},
    [AUTN] = {NEEDS_RAND | NEEDS_SQN | NEEDS_AMF, AKA_F1 | AKA_F2345},
    [AUTS] = {NEEDS_RAND | NEEDS_SQN, AKA_F1_STAR | AKA_F5_STAR},
    [SQN] = {NEEDS_RAND | NEEDS_AUTN, AKA_F2345},
    [SQN_MS] = {NEEDS_RAND | NEEDS_AUTS, AKA_F5_STAR},
    [SRES] = {NEEDS_RAND, AKA_F2345},
    [KC] = {NEEDS_RAND, AKA_F2345},
    [KC128] = {NEEDS_RAND, AKA_F2345},
    [VECTOR] = {NEEDS_RAND | NEEDS_SQN | NEEDS_AMF, AKA_F1 | AKA_F2345},
};

/* ---- sizes ---- */

static size_t or_default(size_t size, size_t usual)
{
    return size == 0 ? usual : size;
}

static struct tuak_sizes sizes_of(const struct aka_settings *settings)
{
    return (struct tuak_sizes){
        .key = settings->key.size,
        .mac = or_default(settings->mac_size, 8),
        .res = or_default(settings->res_size, sets[settings->algorithm].res_default),
        .ck = or_default(settings->ck_size, 16),
        .ik = or_default(settings->ik_size, 16),
        .iterations = or_default(settings->iterations, 1),
    };
}

const char *aka_algorithm_name(const struct aka_settings *settings)
{
    return settings->algorithm == NO_ALGORITHM ? "" : aka_algorithms[settings->algorithm - 1];
}

static const char *output_name(const struct aka_settings *settings)
{
    return settings->output > NO_OUTPUT && settings->output <= VECTOR
               ? aka_outputs[settings->output - 1]
               : "";
}

size_t aka_output_size(const struct aka_settings *settings)
{
    struct tuak_sizes sizes;

    if (settings->algorithm == NO_ALGORITHM)
        return 0;
    sizes = sizes_of(settings);
    switch ((enum output)settings->output) {
    case NO_OUTPUT:
        return 0;
    case OPC:
        return settings->algorithm == MILENAGE ? MILENAGE_OPC_SIZE : 0;
    case TOPC:
        return settings->algorithm == TUAK ? TUAK_TOPC_SIZE : 0;
    case MAC_A:
    case MAC_S:
        return sizes.mac;
    case RES:
        return sizes.res;
    case CK:
        return sizes.ck;
    case IK:
        return sizes.ik;
    case AK:
    case AK_STAR:
        return AKA_AK_SIZE;
    case AUTN:
        return AKA_SQN_SIZE + AKA_AMF_SIZE + sizes.mac;
    case AUTS:
        return AKA_SQN_SIZE + sizes.mac;
    case SQN:
    case SQN_MS:
        return AKA_SQN_SIZE;
    case SRES:
        return CONVERSION_SRES_SIZE;
    case KC:
        return CONVERSION_KC_SIZE;
    case KC128:
        return KDF_3GPP_KC128_SIZE;
    case VECTOR:
        return AKA_RAND_SIZE + sizes.res + sizes.ck + sizes.ik + AKA_SQN_SIZE + AKA_AMF_SIZE +
               sizes.mac;
    }
    return 0;
}

/* ---- checks ---- */

static bool check_size(const struct provider *provider, const struct aka_settings *settings,
                       const char *name, size_t size, const struct range *range)
{
    char text[80];

    if (size == 0 || range_has(range, size))
        return true;
    range_describe(range, text, sizeof(text));
    errors_raise(provider, ERROR_WRONG_VALUE, "%s: %s gives %s octets, got %zu", name,
                 aka_algorithm_name(settings), text, size);
    return false;
}

/* 2G values are made from a RES of up to 16 octets and from a CK and IK of 16. */
static bool check_conversion(const struct provider *provider, const struct aka_settings *settings,
                             const struct tuak_sizes *sizes)
{
    static const struct range res = {CONVERSION_RES_MIN, CONVERSION_RES_MAX, 1}, key = {16, 16, 1};
    const enum output output = (enum output)settings->output;

    if (output == SRES)
        return check_size(provider, settings, USI_PARAM_RES_SIZE " for sres", sizes->res, &res);
    if (output != KC && output != KC128)
        return true;
    return check_size(provider, settings, USI_PARAM_CK_SIZE " for kc and kc128", sizes->ck, &key) &&
           check_size(provider, settings, USI_PARAM_IK_SIZE " for kc and kc128", sizes->ik, &key);
}

static bool check_operator(const struct provider *provider, const struct aka_settings *settings)
{
    if (settings->algorithm == MILENAGE && settings->op.data == NULL &&
        settings->opc.data == NULL) {
        errors_raise(provider, ERROR_MISSING_PARAMETER,
                     "op or opc: expected 16 octets, got nothing");
        return false;
    }
    if (settings->algorithm == TUAK && settings->top.data == NULL && settings->topc.data == NULL) {
        errors_raise(provider, ERROR_MISSING_PARAMETER,
                     "top or topc: expected 32 octets, got nothing");
        return false;
    }
    return true;
}

static bool check_needs(const struct provider *provider, const struct aka_settings *settings,
                        const struct tuak_sizes *sizes)
{
    const size_t autn_size = AKA_SQN_SIZE + AKA_AMF_SIZE + sizes->mac;
    const size_t auts_size = AKA_SQN_SIZE + sizes->mac;
    const struct {
        unsigned bit;
        const char *name;
        const struct octets *octets;
        struct range range;
    } all[] = {
        {NEEDS_RAND, USI_PARAM_RAND, &settings->rand, {AKA_RAND_SIZE, AKA_RAND_SIZE, 1}},
        {NEEDS_SQN, USI_PARAM_SQN, &settings->sqn, {AKA_SQN_SIZE, AKA_SQN_SIZE, 1}},
        {NEEDS_AMF, USI_PARAM_AMF, &settings->amf, {AKA_AMF_SIZE, AKA_AMF_SIZE, 1}},
        {NEEDS_AUTN, USI_PARAM_AUTN, &settings->autn, {autn_size, autn_size, 1}},
        {NEEDS_AUTS, USI_PARAM_AUTS, &settings->auts, {auts_size, auts_size, 1}},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if ((sources[settings->output].needs & all[i].bit) != 0 &&
            !params_require(provider, all[i].name, all[i].octets, &all[i].range))
            return false;
    return true;
}

static bool check(const struct provider *provider, const struct aka_settings *settings,
                  size_t out_size)
{
    const struct set *set = &sets[settings->algorithm];
    struct tuak_sizes sizes;

    if (settings->algorithm == NO_ALGORITHM || settings->output == NO_OUTPUT) {
        errors_raise(provider, ERROR_MISSING_PARAMETER, "%s: expected a name, got nothing",
                     settings->algorithm == NO_ALGORITHM ? USI_PARAM_ALGORITHM : USI_PARAM_OUTPUT);
        return false;
    }
    sizes = sizes_of(settings);
    if (aka_output_size(settings) == 0) {
        errors_raise(provider, ERROR_WRONG_VALUE, "output: %s has no %s",
                     aka_algorithm_name(settings), output_name(settings));
        return false;
    }
    if (!params_require(provider, USI_PARAM_KEY, &settings->key, &set->key) ||
        !check_size(provider, settings, USI_PARAM_MAC_SIZE, settings->mac_size, &set->mac) ||
        !check_size(provider, settings, USI_PARAM_RES_SIZE, settings->res_size, &set->res) ||
        !check_size(provider, settings, USI_PARAM_CK_SIZE, settings->ck_size, &set->ck) ||
        !check_size(provider, settings, USI_PARAM_IK_SIZE, settings->ik_size, &set->ck) ||
        !check_conversion(provider, settings, &sizes) || !check_operator(provider, settings) ||
        !check_needs(provider, settings, &sizes))
        return false;
    if (out_size != aka_output_size(settings)) {
        errors_raise(provider, ERROR_WRONG_OUTPUT_SIZE, "%s: expected %zu octets, got %zu",
                     output_name(settings), aka_output_size(settings), out_size);
        return false;
    }
    return true;
}

/* ---- the computation ---- */

/* One calculation: settings that passed the checks, and what was made ready from them. */
struct work {
    const struct provider *provider;
    EVP_CIPHER_CTX *aes;
    const struct aka_settings *settings;
    struct tuak_sizes sizes;
    unsigned char operator_variant[32]; /* OPc or TOPc */
    struct aka_values values;
};

static bool failed(const struct work *work)
{
    errors_raise(work->provider, ERROR_INTERNAL, "%s", aka_algorithm_name(work->settings));
    return false;
}

static bool prepare(struct work *work)
{
    const struct aka_settings *s = work->settings;

    if (s->algorithm == MILENAGE) {
        if (!milenage_key(work->aes, work->provider->aes_128_ecb, s->key.data))
            return failed(work);
        if (s->opc.data != NULL)
            memcpy(work->operator_variant, s->opc.data, MILENAGE_OPC_SIZE);
        else if (!milenage_opc(work->aes, s->op.data, work->operator_variant))
            return failed(work);
    } else if (s->algorithm == TUAK) {
        if (s->topc.data != NULL)
            memcpy(work->operator_variant, s->topc.data, TUAK_TOPC_SIZE);
        else if (!tuak_topc(work->provider->shake256, &work->sizes, s->key.data, s->top.data,
                            work->operator_variant))
            return failed(work);
    }
    return true;
}

/* NULL for sqn or amf is zeros. */
static bool run(struct work *work, unsigned functions, const unsigned char *sqn,
                const unsigned char *amf)
{
    static const unsigned char zeros[AKA_SQN_SIZE];
    const struct aka_settings *s = work->settings;
    bool ok = true;

    if (sqn == NULL)
        sqn = zeros;
    if (amf == NULL)
        amf = zeros;
    if (s->algorithm == MILENAGE)
        ok = milenage_run(work->aes, work->operator_variant, s->rand.data, sqn, amf, &work->values);
    else if (s->algorithm == TUAK)
        ok = tuak_run(
            work->provider->shake256, &work->sizes,
            &(struct tuak_input){s->key.data, work->operator_variant, s->rand.data, sqn, amf},
            functions, &work->values);
    else
        xor_3g(s->key.data, s->rand.data, sqn, amf, &work->values);
    return ok || failed(work);
}

static void xor_sqn(unsigned char *out, const unsigned char *sqn, const unsigned char *ak)
{
    for (int i = 0; i < AKA_SQN_SIZE; i++)
        out[i] = sqn[i] ^ ak[i];
}

/* TS 33.102 section 6.3.2: AUTN = SQN xor AK || AMF || MAC-A. */
static void put_autn(const struct work *work, unsigned char *out)
{
    xor_sqn(out, work->settings->sqn.data, work->values.ak);
    memcpy(out + AKA_SQN_SIZE, work->settings->amf.data, AKA_AMF_SIZE);
    memcpy(out + AKA_SQN_SIZE + AKA_AMF_SIZE, work->values.mac_a, work->sizes.mac);
}

static void put_vector(const struct work *work, unsigned char *out)
{
    memcpy(out, work->settings->rand.data, AKA_RAND_SIZE);
    out += AKA_RAND_SIZE;
    memcpy(out, work->values.res, work->sizes.res);
    out += work->sizes.res;
    memcpy(out, work->values.ck, work->sizes.ck);
    out += work->sizes.ck;
    memcpy(out, work->values.ik, work->sizes.ik);
    put_autn(work, out + work->sizes.ik);
}

/* Takes SQN out of AUTN or AUTS, and gives it only when the MAC in there is right. */
static bool put_sqn(struct work *work, unsigned char *out)
{
    const bool network = work->settings->output == SQN;
    const unsigned char *token = network ? work->settings->autn.data : work->settings->auts.data;
    const unsigned char *amf = network ? token + AKA_SQN_SIZE : NULL; /* AMF* is zeros, 6.3.3 */
    const unsigned char *mac = token + AKA_SQN_SIZE + (network ? AKA_AMF_SIZE : 0);
    unsigned char sqn[AKA_SQN_SIZE];
    bool ok;

    xor_sqn(sqn, token, network ? work->values.ak : work->values.ak_star);
    ok = run(work, network ? AKA_F1 : AKA_F1_STAR, sqn, amf);
    if (ok && CRYPTO_memcmp(mac, network ? work->values.mac_a : work->values.mac_s,
                            work->sizes.mac) != 0) {
        errors_raise(work->provider, ERROR_MAC_MISMATCH, "%s: not made with this key for this RAND",
                     network ? "autn" : "auts");
        ok = false;
    }
    if (ok)
        memcpy(out, sqn, sizeof(sqn));
    OPENSSL_cleanse(sqn, sizeof(sqn));
    return ok;
}

static bool put_kc128(struct work *work, unsigned char *out)
{
    EVP_MAC_CTX *hmac = EVP_MAC_CTX_dup(work->provider->hmac_sha256);
    bool ok = hmac != NULL && kdf_3gpp_kc128(hmac, work->values.ck, work->values.ik, out);

    EVP_MAC_CTX_free(hmac);
    return ok || failed(work);
}

static bool put(struct work *work, unsigned char *out, size_t size)
{
    const struct aka_values *values = &work->values;

    switch ((enum output)work->settings->output) {
    case NO_OUTPUT:
        break;
    case OPC:
    case TOPC:
        memcpy(out, work->operator_variant, size);
        break;
    case MAC_A:
        memcpy(out, values->mac_a, size);
        break;
    case MAC_S:
        memcpy(out, values->mac_s, size);
        break;
    case RES:
        memcpy(out, values->res, size);
        break;
    case CK:
        memcpy(out, values->ck, size);
        break;
    case IK:
        memcpy(out, values->ik, size);
        break;
    case AK:
        memcpy(out, values->ak, size);
        break;
    case AK_STAR:
        memcpy(out, values->ak_star, size);
        break;
    case AUTN:
        put_autn(work, out);
        break;
    case AUTS: /* TS 33.102 section 6.3.3: SQN-MS xor AK* || MAC-S */
        xor_sqn(out, work->settings->sqn.data, values->ak_star);
        memcpy(out + AKA_SQN_SIZE, values->mac_s, work->sizes.mac);
        break;
    case SQN:
    case SQN_MS:
        return put_sqn(work, out);
    case SRES:
        conversion_c2(values->res, work->sizes.res, out);
        break;
    case KC:
        conversion_c3(values->ck, values->ik, out);
        break;
    case KC128:
        return put_kc128(work, out);
    case VECTOR:
        put_vector(work, out);
        break;
    }
    return true;
}

bool aka_derive(const struct provider *provider, EVP_CIPHER_CTX *aes,
                const struct aka_settings *settings, unsigned char *out, size_t out_size)
{
    struct work work = {.provider = provider, .aes = aes, .settings = settings};
    const struct source *source;
    bool ok;

    if (!check(provider, settings, out_size))
        return false;
    source = &sources[settings->output];
    work.sizes = sizes_of(settings);
    ok =
        prepare(&work) &&
        (source->functions == 0 ||
         run(&work, source->functions, (source->needs & NEEDS_SQN) != 0 ? settings->sqn.data : NULL,
             (source->needs & NEEDS_AMF) != 0 ? settings->amf.data : NULL)) &&
        put(&work, out, out_size);
    OPENSSL_cleanse(&work, sizeof(work));
    return ok;
}
