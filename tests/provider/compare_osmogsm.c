/* Random keys and challenges through the provider and through libosmogsm (libosmocore), which must
 * agree. */
#include "evp.h"
#include "usi/names.h"

#include <check.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <osmocom/crypt/auth.h>
#include <stdlib.h>
#include <string.h>

static struct loaded with;
static int cases; /* of each kind; USI_CASES, 100,000 by default */

static void setup(void)
{
    const char *wanted = getenv("USI_CASES");

    cases = wanted == NULL ? 100000 : atoi(wanted);
    ck_assert_int_gt(cases, 0);
    with = load(false);
}

static void teardown(void)
{
    unload(&with);
}

START_TEST(gsm)
{
    static const struct {
        const char *name;
        enum osmo_auth_algo algorithm;
    } all[] = {{USI_A38_COMP128_1, OSMO_AUTH_ALG_COMP128v1},
               {USI_A38_COMP128_2, OSMO_AUTH_ALG_COMP128v2},
               {USI_A38_COMP128_3, OSMO_AUTH_ALG_COMP128v3}};
    struct osmo_sub_auth_data card = {.type = OSMO_AUTH_TYPE_GSM, .algo = all[_i].algorithm};
    struct osmo_auth_vector theirs;
    EVP_KDF_CTX *a8 = kdf_new(with.libctx, USI_KDF_A8);
    EVP_MAC_CTX *a3 = mac_new(with.libctx, USI_MAC_A3);
    unsigned char rand[16], sres[4], kc[8];
    unsigned seed = 11;
    size_t size;

    for (int n = 0; n < cases; n++) {
        struct args args = args_new();

        random_octets(&seed, card.u.gsm.ki, sizeof(card.u.gsm.ki));
        random_octets(&seed, rand, sizeof(rand));
        args_word(&args, USI_PARAM_ALGORITHM, all[_i].name);
        args_octets(&args, USI_PARAM_KEY, card.u.gsm.ki, sizeof(card.u.gsm.ki));
        args_octets(&args, USI_PARAM_RAND, rand, sizeof(rand));
        works(EVP_KDF_derive(a8, kc, sizeof(kc), args.params) == 1 &&
              EVP_MAC_init(a3, NULL, 0, args.params) &&
              EVP_MAC_final(a3, sres, &size, sizeof(sres)));
        ck_assert_int_eq(osmo_auth_gen_vec(&theirs, &card, rand), 0);
        same(sres, theirs.sres, sizeof(sres), "SRES");
        same(kc, theirs.kc, sizeof(kc), "Kc");
        args_free(&args);
    }
    EVP_KDF_CTX_free(a8);
    EVP_MAC_CTX_free(a3);
}
END_TEST

static void put_sqn(uint64_t number, unsigned char sqn[6])
{
    for (int i = 5; i >= 0; i--, number >>= 8)
        sqn[i] = (unsigned char)number;
}

static void derive(EVP_KDF_CTX *aka, const char *output, unsigned char *out, size_t size)
{
    struct args args = args_new();

    args_word(&args, USI_PARAM_OUTPUT, output);
    works(EVP_KDF_derive(aka, out, size, args.params) == 1);
    args_free(&args);
}

/* What they have given against ours, from parameters that aka already has. */
static void compare_vector(EVP_KDF_CTX *aka, const struct osmo_auth_vector *theirs, size_t res_size)
{
    unsigned char vector[16 + 16 + 16 + 16 + 16], sres[4], kc[8];

    derive(aka, "vector", vector, 64 + res_size);
    same(vector, theirs->rand, 16, "RAND");
    ck_assert_uint_eq(theirs->res_len, res_size);
    same(vector + 16, theirs->res, res_size, "RES");
    same(vector + 16 + res_size, theirs->ck, 16, "CK");
    same(vector + 32 + res_size, theirs->ik, 16, "IK");
    same(vector + 48 + res_size, theirs->autn, 16, "AUTN");
    derive(aka, "sres", sres, sizeof(sres));
    same(sres, theirs->sres, sizeof(sres), "SRES");
    derive(aka, "kc", kc, sizeof(kc));
    same(kc, theirs->kc, sizeof(kc), "Kc");
}

/* Our AUTS for a random SQN-MS, which they must believe and take the SQN-MS out of; and so must we.
 */
static void compare_auts(EVP_KDF_CTX *aka, struct osmo_sub_auth_data *card, unsigned char rand[16],
                         unsigned *seed)
{
    struct args args = args_new();
    struct osmo_auth_vector theirs;
    unsigned char sqn_ms[6], auts[14], got[6], fresh[16];

    random_octets(seed, sqn_ms, sizeof(sqn_ms));
    random_octets(seed, fresh, sizeof(fresh));
    sqn_ms[0] &= 0x7f;                   /* room for their increment */
    if (card->algo == OSMO_AUTH_ALG_XOR) /* libosmogsm 1.7.0 checks the AUTS with the new RAND */
        memcpy(fresh, rand, sizeof(fresh));
    args_octets(&args, USI_PARAM_SQN, sqn_ms, sizeof(sqn_ms));
    works(EVP_KDF_CTX_set_params(aka, args.params) == 1);
    derive(aka, "auts", auts, sizeof(auts));
    ck_assert_int_eq(osmo_auth_gen_vec_auts(&theirs, card, auts, rand, fresh), 0);
    put_sqn(card->u.umts.sqn_ms, got);
    same(got, sqn_ms, sizeof(got), "SQN-MS at their side");
    args_octets(&args, USI_PARAM_AUTS, auts, sizeof(auts));
    works(EVP_KDF_CTX_set_params(aka, args.params) == 1);
    derive(aka, "sqn-ms", got, sizeof(got));
    same(got, sqn_ms, sizeof(got), "SQN-MS at ours");
    args_free(&args);
}

START_TEST(umts)
{
    static const struct {
        const char *name;
        enum osmo_auth_algo algorithm;
        size_t res_size;
    } all[] = {{USI_AKA_MILENAGE, OSMO_AUTH_ALG_MILENAGE, 8},
               {USI_AKA_XOR_3G, OSMO_AUTH_ALG_XOR, 16}};
    EVP_KDF_CTX *aka = kdf_new(with.libctx, USI_KDF_AKA);
    unsigned seed = 12;

    for (int n = 0; n < cases; n++) {
        struct osmo_sub_auth_data card = {.type = OSMO_AUTH_TYPE_UMTS, .algo = all[_i].algorithm};
        struct osmo_auth_vector theirs;
        struct args args = args_new();
        unsigned char rand[16], sqn[6];

        random_octets(&seed, card.u.umts.k, sizeof(card.u.umts.k));
        random_octets(&seed, card.u.umts.opc, sizeof(card.u.umts.opc));
        random_octets(&seed, card.u.umts.amf, sizeof(card.u.umts.amf));
        random_octets(&seed, rand, sizeof(rand));
        random_octets(&seed, sqn, sizeof(sqn));
        card.u.umts.opc_is_op = n % 2;
        for (int i = 0; i < 6; i++)
            card.u.umts.sqn = card.u.umts.sqn << 8 | (i == 0 ? sqn[i] & 0x7f : sqn[i]);
        ck_assert_int_eq(osmo_auth_gen_vec(&theirs, &card, rand), 0);
        put_sqn(card.u.umts.sqn, sqn); /* the one they used */
        args_word(&args, USI_PARAM_ALGORITHM, all[_i].name);
        args_octets(&args, USI_PARAM_KEY, card.u.umts.k, 16);
        args_octets(&args, card.u.umts.opc_is_op ? USI_PARAM_OP : USI_PARAM_OPC, card.u.umts.opc,
                    16);
        args_octets(&args, USI_PARAM_RAND, rand, sizeof(rand));
        args_octets(&args, USI_PARAM_SQN, sqn, sizeof(sqn));
        args_octets(&args, USI_PARAM_AMF, card.u.umts.amf, 2);
        works(EVP_KDF_CTX_set_params(aka, args.params) == 1);
        compare_vector(aka, &theirs, all[_i].res_size);
        compare_auts(aka, &card, rand, &seed);
        args_free(&args);
    }
    EVP_KDF_CTX_free(aka);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider: against libosmogsm");
    TCase *tcase = tcase_create("libosmogsm");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 600);
    tcase_add_loop_test(tcase, gsm, 0, 3);
    tcase_add_loop_test(tcase, umts, 0, 2);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
