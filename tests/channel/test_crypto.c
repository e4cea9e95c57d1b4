/* channel/crypto.h: fetching, A3 and A8 of any provider, and who must be refused. */
#include "channel/crypto.h"

#include "channel/channel.h"
#include "fixed.h"
#include "support.h"

#include <openssl/evp.h>
#include <openssl/provider.h>

/* ---- the ordinary ---- */

START_TEST(errors_and_reasons_have_texts)
{
    for (int error = USI_ERR_TRIES - 1; error <= 1; error++)
        ck_assert_uint_gt(strlen(usi_error_text(error)), 4);
    ck_assert_str_ne(usi_error_text(USI_ERR_KNOCK), usi_error_text(USI_ERR_REPLAY));
    for (unsigned reason = 0; reason < 256; reason++)
        ck_assert_uint_gt(strlen(usi_reason_text(reason)), 4);
    ck_assert_str_eq(usi_reason_text(11), usi_reason_text(255));
}
END_TEST

START_TEST(a_missing_provider_is_named_by_its_algorithm)
{
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    struct usi_crypto *crypto = NULL;
    const char *what = NULL;

    ck_assert_ptr_nonnull(libctx);
    support_load(libctx, "default");
    ck_assert_int_eq(usi_crypto_new(&crypto, libctx, NULL, &what), USI_ERR_ALGORITHM);
    ck_assert_ptr_null(crypto);
    ck_assert_str_eq(what, "A3");
    ck_assert_int_eq(usi_crypto_new(&crypto, libctx, NULL, NULL), USI_ERR_ALGORITHM);
    support_libctx_free(libctx);
    usi_crypto_free(NULL);
}
END_TEST

START_TEST(usi_alone_lacks_hmac)
{
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    struct usi_crypto *crypto = NULL;
    const char *what = NULL;

    ck_assert_ptr_nonnull(libctx);
    support_load(libctx, "usi");
    ck_assert_int_eq(usi_crypto_new(&crypto, libctx, NULL, &what), USI_ERR_ALGORITHM);
    ck_assert_str_eq(what, "HMAC");
    support_libctx_free(libctx);
}
END_TEST

/* Where several providers have AES-OCB. */
START_TEST(our_cipher_is_preferred_unless_another_is_asked_for)
{
    static const struct {
        const char *propq, *provider;
    } cases[] = {{NULL, "usi"}, {"?provider=default", "default"}, {"?provider=usi", "usi"}};
    const char *what;

    for (unsigned n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        struct usi_crypto *crypto;
        ck_assert_int_eq(usi_crypto_new(&crypto, support_libctx(), cases[n].propq, &what), 0);
        for (unsigned i = 0; i < USI_CIPHERS; i++)
            ck_assert_str_eq(
                OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(crypto->cipher[i].evp)),
                cases[n].provider);
        usi_crypto_free(crypto);
    }
}
END_TEST

START_TEST(a_property_query_that_nothing_meets_is_refused)
{
    struct usi_crypto *crypto = NULL;
    const char *what = NULL;

    ck_assert_int_eq(usi_crypto_new(&crypto, support_libctx(), "provider=nobody", &what),
                     USI_ERR_ALGORITHM);
    ck_assert_str_eq(what, "A3");
}
END_TEST

START_TEST(ciphers_go_by_the_size_of_the_key)
{
    uint8_t octet = 0;

    for (size_t size = 0; size <= 64; size++) {
        const struct usi_cipher *cipher = usi_cipher_for_key(support_crypto(), size, &octet);
        if (size != 16 && size != 24 && size != 32) {
            ck_assert_ptr_null(cipher);
            continue;
        }
        ck_assert_ptr_nonnull(cipher);
        ck_assert_uint_eq(octet, size / 8 - 1);
        ck_assert_int_eq(EVP_CIPHER_get_key_length(cipher->evp), (int)size);
    }
}
END_TEST

START_TEST(nonces_are_zeros_and_the_counter)
{
    static const uint8_t expected[USI_NONCE] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t nonce[USI_NONCE];

    usi_cipher_nonce(nonce, UINT64_C(0x0102030405060708));
    ck_assert_mem_eq(nonce, expected, sizeof nonce);
}
END_TEST

START_TEST(what_is_sealed_opens_only_unchanged)
{
    static const uint8_t key[USI_KEY] = {1}, ad[5] = {2};
    uint8_t in[40] = {3}, sealed[40 + USI_TAG], out[40 + USI_TAG];

    for (unsigned n = 0; n < USI_CIPHERS; n++) {
        const struct usi_cipher *cipher = &support_crypto()->cipher[n];
        for (size_t size = 0; size <= sizeof in; size++) {
            ck_assert_int_eq(usi_cipher_seal(cipher, key, 9, ad, sizeof ad, in, size, sealed), 0);
            size_t whole = size + USI_TAG;
            ck_assert_int_eq(usi_cipher_open(cipher, key, 9, ad, sizeof ad, sealed, whole, out), 0);
            ck_assert_mem_eq(out, in, size);
            ck_assert_int_eq(usi_cipher_open(cipher, key, 8, ad, sizeof ad, sealed, whole, out),
                             USI_ERR_TAMPERED);
            ck_assert_int_eq(usi_cipher_open(cipher, key, 9, ad, 4, sealed, whole, out),
                             USI_ERR_TAMPERED);
            sealed[size] ^= 1;
            memset(out, 0xaa, sizeof out);
            ck_assert_int_eq(usi_cipher_open(cipher, key, 9, ad, sizeof ad, sealed, whole, out),
                             USI_ERR_TAMPERED);
            for (size_t i = 0; i < size; i++)
                ck_assert_uint_eq(out[i], 0);
            memcpy(out, in, size); /* in place */
            ck_assert_int_eq(usi_cipher_seal(cipher, key, 9, ad, sizeof ad, out, size, out), 0);
            ck_assert_int_eq(usi_cipher_open(cipher, key, 9, ad, sizeof ad, out, whole, out), 0);
            ck_assert_mem_eq(out, in, size);
        }
        ck_assert_int_eq(usi_cipher_open(cipher, key, 9, NULL, 0, sealed, USI_TAG - 1, out),
                         USI_ERR_FORMAT);
    }
}
END_TEST

START_TEST(random_octets_differ)
{
    uint8_t a[USI_RAND], b[USI_RAND];

    ck_assert_int_eq(support_crypto()->random(support_crypto(), a, sizeof a), 0);
    ck_assert_int_eq(support_crypto()->random(support_crypto(), b, sizeof b), 0);
    ck_assert_mem_ne(a, b, sizeof a);
}
END_TEST

START_TEST(keys_of_other_sizes_are_refused)
{
    struct usi_keyring *ring = usi_keyring_new(support_crypto());
    uint8_t ki[33] = {0};
    char name[USI_NAME_MAX + 1] = {'a'};

    for (size_t size = 0; size <= sizeof ki; size++) {
        bool right = size == 16 || size == 24 || size == 32;
        ck_assert_int_eq(usi_keyring_add(ring, NULL, 0, ki, size), right ? 0 : USI_ERR_ARGUMENT);
    }
    ck_assert_int_eq(usi_keyring_add(ring, name, USI_NAME_MAX, ki, 16), 0);
    ck_assert_int_eq(usi_keyring_add(ring, name, USI_NAME_MAX + 1, ki, 16), USI_ERR_ARGUMENT);
    usi_keyring_free(ring);
    usi_keyring_free(NULL);
}
END_TEST

START_TEST(settings_out_of_range_and_empty_keyrings_are_refused)
{
    struct usi_keyring *empty = usi_keyring_new(support_crypto());
    struct usi_keyring *ring = ring_of(NULL, 1, 16);
    struct usi_settings low = {.rekey_bytes = USI_REKEY_BYTES_MIN - 1};
    struct usi_settings high = {.rekey_bytes = USI_REKEY_BYTES + 1};
    struct usi_channel *c = NULL;

    ck_assert_int_eq(usi_channel_connect(&c, support_crypto(), empty, NULL, 0), USI_ERR_ARGUMENT);
    ck_assert_ptr_null(c);
    ck_assert_int_eq(usi_channel_connect(&c, support_crypto(), ring, &low, 0), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_listen(&c, support_crypto(), ring, &high, 0), USI_ERR_ARGUMENT);
    ck_assert_ptr_null(c);
    usi_channel_free(NULL);
    usi_keyring_free(empty);
    usi_keyring_free(ring);
}
END_TEST

/* Randomness that fails must not be a weaker key. A draw too short for each step in turn. */
START_TEST(no_channel_without_randomness)
{
    static const uint8_t octets[2 * USI_RAND] = {1}, ki[16] = {2};
    struct usi_crypto crypto = *support_crypto();
    struct usi_channel *c = NULL;
    struct fixed fixed;

    fixed_octets(&crypto, &fixed, octets, 7);
    ck_assert_ptr_null(usi_keyring_new(&crypto));
    fixed_octets(&crypto, &fixed, octets, 8 + 31);
    struct usi_keyring *ring = usi_keyring_new(&crypto);
    ck_assert_ptr_nonnull(ring);
    ck_assert_int_eq(usi_keyring_add(ring, NULL, 0, ki, sizeof ki), USI_ERR_INTERNAL);
    fixed_octets(&crypto, &fixed, octets, 32);
    ck_assert_int_eq(usi_keyring_add(ring, NULL, 0, ki, sizeof ki), 0);
    for (size_t size = USI_RAND - 1; size < 2 * USI_RAND; size += USI_RAND) {
        fixed_octets(&crypto, &fixed, octets, size);
        ck_assert_int_eq(usi_channel_connect(&c, &crypto, ring, NULL, 0), USI_ERR_INTERNAL);
        ck_assert_ptr_null(c);
    }
    usi_keyring_free(ring);
}
END_TEST

/* ---- another house's A3 and A8 ---- */

static OSSL_LIB_CTX *context_with(const char *module)
{
    OSSL_LIB_CTX *libctx = support_libctx_new();

    support_load_test_module(libctx, module);
    return libctx;
}

static void expect_hmac(const uint8_t *message, size_t size, const uint8_t *got, size_t got_size)
{
    static const uint8_t ki[USI_KEY] = {0x4b};
    uint8_t whole[64];
    size_t made = 0;

    ck_assert_ptr_nonnull(EVP_Q_mac(support_libctx(), "HMAC", NULL, "SHA512", NULL, ki, sizeof ki,
                                    message, size, whole, sizeof whole, &made));
    ck_assert_mem_eq(got, whole, got_size);
}

START_TEST(a3_and_a8_come_from_the_provider_named)
{
    static const uint8_t ki[USI_KEY] = {0x4b}, rand[64] = {'r'};
    const struct usi_part parts[] = {{"hello", 5}, {" world", 6}, {NULL, 0}};
    uint8_t a3[16], other[16], a8[32], labelled[7 + 64] = "plug A8";
    OSSL_LIB_CTX *libctx = context_with("plug");
    struct usi_crypto *crypto = NULL;
    const char *what = NULL;

    ck_assert_int_eq(usi_crypto_new(&crypto, libctx, "?provider=plug", &what), 0);
    ck_assert_int_eq(usi_crypto_a3(crypto, ki, sizeof ki, parts, a3), 0);
    expect_hmac((const uint8_t *)"hello world", 11, a3, sizeof a3);
    ck_assert_int_eq(usi_crypto_a8(crypto, ki, sizeof ki, rand, sizeof rand, a8), 0);
    memcpy(labelled + 7, rand, sizeof rand);
    expect_hmac(labelled, sizeof labelled, a8, sizeof a8);
    ck_assert_int_eq(usi_crypto_a3(support_crypto(), ki, sizeof ki, parts, other), 0);
    ck_assert_mem_ne(a3, other, sizeof a3);
    usi_crypto_free(crypto);
    support_libctx_free(libctx);
}
END_TEST

static struct usi_keyring *ring_under(const struct usi_crypto *crypto)
{
    static const uint8_t ki[USI_KEY] = {5};
    struct usi_keyring *ring = usi_keyring_new(crypto);

    ck_assert_ptr_nonnull(ring);
    ck_assert_int_eq(usi_keyring_add(ring, "n", 1, ki, sizeof ki), 0);
    return ring;
}

START_TEST(a_channel_runs_on_plugged_in_algorithms)
{
    OSSL_LIB_CTX *libctx = context_with("plug");
    struct usi_crypto *crypto = NULL;
    struct pair p = {.split = AT_RANDOM, .dice = 3};

    ck_assert_int_eq(usi_crypto_new(&crypto, libctx, "?provider=plug", NULL), 0);
    struct usi_keyring *ring = ring_under(crypto);
    party_connect_shared(&p.connector, crypto, ring);
    party_listen_shared(&p.listener, crypto, ring);
    pair_run(&p);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    ck_assert_int_eq(usi_channel_open(p.connector.c), 0);
    ck_assert_int_eq(usi_channel_rekey(p.connector.c), 0);
    octets_add(&p.connector.todo, "by plug", 7);
    pair_run(&p);
    octets_equal(&p.listener.got, "by plug", 7);
    ck_assert_uint_eq(p.connector.seen[USI_EVENT_REKEYED], 1);
    pair_free(&p);
    usi_keyring_free(ring);
    usi_crypto_free(crypto);
    support_libctx_free(libctx);
}
END_TEST

START_TEST(different_algorithms_do_not_understand_each_other)
{
    OSSL_LIB_CTX *libctx = context_with("plug");
    struct usi_crypto *crypto = NULL;
    struct pair p = {.split = WHOLE};

    ck_assert_int_eq(usi_crypto_new(&crypto, libctx, "?provider=plug", NULL), 0);
    struct usi_keyring *plug = ring_under(crypto), *usi = ring_under(support_crypto());
    party_connect_shared(&p.connector, crypto, plug);
    party_listen_shared(&p.listener, support_crypto(), usi);
    pair_run(&p);
    ck_assert_int_eq(p.listener.result, USI_ERR_KNOCK);
    pair_free(&p);
    usi_keyring_free(plug);
    usi_keyring_free(usi);
    usi_crypto_free(crypto);
    support_libctx_free(libctx);
}
END_TEST

static const struct {
    const char *module, *propq, *what;
} unfit[] = {
    {"plug-a3-of-4", "?provider=plug-a3-of-4", "A3"},
    {"plug-a3-of-20", "?provider=plug-a3-of-20", "A3"},
    {"plug-a3-fixed-input", "?provider=plug-a3-fixed-input", "A3"},
    {"plug-a8-of-8", "?provider=plug-a8-of-8", "A8"},
    {"plug-a8-of-8-silent", "?provider=plug-a8-of-8-silent", "A8"},
    {"plug-a8-rand-of-16", "?provider=plug-a8-rand-of-16", "A8"},
};

START_TEST(unfit_algorithms_are_refused)
{
    OSSL_LIB_CTX *libctx = context_with(unfit[_i].module);
    struct usi_crypto *crypto = NULL;
    const char *what = NULL;

    int result = usi_crypto_new(&crypto, libctx, unfit[_i].propq, &what);
    ck_assert_msg(result == USI_ERR_ALGORITHM, "%s was accepted", unfit[_i].module);
    ck_assert_str_eq(what, unfit[_i].what);
    ck_assert_ptr_null(crypto);
    support_libctx_free(libctx);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto");
    TCase *plain = support_case(suite, "plain");
    TCase *plug = support_case(suite, "plug");

    tcase_add_test(plain, errors_and_reasons_have_texts);
    tcase_add_test(plain, a_missing_provider_is_named_by_its_algorithm);
    tcase_add_test(plain, usi_alone_lacks_hmac);
    tcase_add_test(plain, our_cipher_is_preferred_unless_another_is_asked_for);
    tcase_add_test(plain, a_property_query_that_nothing_meets_is_refused);
    tcase_add_test(plain, ciphers_go_by_the_size_of_the_key);
    tcase_add_test(plain, nonces_are_zeros_and_the_counter);
    tcase_add_test(plain, what_is_sealed_opens_only_unchanged);
    tcase_add_test(plain, random_octets_differ);
    tcase_add_test(plain, keys_of_other_sizes_are_refused);
    tcase_add_test(plain, settings_out_of_range_and_empty_keyrings_are_refused);
    tcase_add_test(plain, no_channel_without_randomness);
    tcase_add_test(plug, a3_and_a8_come_from_the_provider_named);
    tcase_add_test(plug, a_channel_runs_on_plugged_in_algorithms);
    tcase_add_test(plug, different_algorithms_do_not_understand_each_other);
    tcase_add_loop_test(plug, unfit_algorithms_are_refused, 0, sizeof unfit / sizeof unfit[0]);
    return support_run(suite);
}
