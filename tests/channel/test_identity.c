/* channel/identity.h: what the openssl program signs is taken, and nothing that differs from it. */
#include "identities.h"

#include <openssl/bn.h>
#include <openssl/rsa.h>
#include <stdio.h>

enum { VECTORS = 8 };

static const char *const titles[] = {
    ED25519_LISTENER,     ED25519_CONNECTOR, "Ed25519 of RFC 8032 test 3, listener, fresh",
    RSA_LISTENER,         RSA_LARGEST,       "RSA 2049, connector, fresh",
    "RSA 3079, listener", RSA_ZERO};

/* ---- what is right ---- */

START_TEST(ed25519_is_that_of_rfc_8032)
{
    struct vector v;
    char title[32];
    uint8_t signature[64];
    size_t size = sizeof signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    (void)snprintf(title, sizeof title, "RFC 8032 7.1 test %d", _i);
    ed25519_vector(&v, title);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(support_libctx(), "ED25519", NULL,
                                                    v.secret.octets, v.secret.size);
    ck_assert_int_eq(EVP_DigestSignInit_ex(ctx, NULL, NULL, support_libctx(), NULL, key, NULL), 1);
    ck_assert_int_eq(EVP_DigestSign(ctx, signature, &size, v.message.octets, v.message.size), 1);
    ck_assert_mem_eq(signature, v.signature.octets, sizeof signature);

    struct usi_identity *identity = NULL;
    ck_assert_int_eq(usi_identity_from_key(&identity, support_crypto(), key), 0);
    const uint8_t *spki = usi_identity_spki(identity, &size);
    ck_assert_uint_eq(size, 44);
    ck_assert_mem_eq(spki + 12, v.public.octets, 32);
    usi_identity_free(identity);
    EVP_PKEY_free(key);
    EVP_MD_CTX_free(ctx);
}
END_TEST

START_TEST(what_openssl_shows_is_taken)
{
    struct vector v;
    struct usi_peer peer;
    const uint8_t *spki = NULL;
    size_t size = 0;

    identity_vector(&v, titles[_i]);
    const struct usi_signed what = signed_of(&v);
    ck_assert_int_eq(usi_identity_check(support_crypto(), &what, v.shown.octets, v.shown.size, true,
                                        &peer, &spki, &size),
                     0);
    ck_assert_int_eq(peer.kind, v.kind);
    ck_assert_uint_eq(peer.bits, v.bits);
    ck_assert_int_eq(peer.kept, v.kept);
    ck_assert_mem_eq(peer.key, v.fingerprint.octets, USI_FINGERPRINT);
    ck_assert_ptr_eq(spki, v.shown.octets + 3);
    ck_assert_uint_eq(size, (size_t)v.shown.octets[1] << 8 | v.shown.octets[2]);
    ck_assert_uint_le(size, USI_SPKI_MAX);
    ck_assert_uint_le(v.shown.size, USI_IDENTITY_MAX);
}
END_TEST

/* Its own identity comes out as openssl has it; RSA up to the signature, which has a random salt.
 */
START_TEST(one_s_own_is_shown_as_openssl_would)
{
    struct vector v;
    struct usi_identity *identity = NULL;
    uint8_t shown[USI_IDENTITY_MAX], fingerprint[USI_FINGERPRINT];
    size_t size = 0, spki_size = 0;

    identity_vector(&v, titles[_i]);
    if (v.private.size == 0)
        return;
    EVP_PKEY *key = key_of(&v.private);
    const struct usi_signed what = signed_of(&v);
    ck_assert_int_eq(usi_identity_from_key(&identity, support_crypto(), key), 0);
    EVP_PKEY_free(key); /* the identity has its own reference */
    usi_identity_fingerprint(identity, fingerprint);
    ck_assert_mem_eq(fingerprint, v.fingerprint.octets, sizeof fingerprint);
    ck_assert_mem_eq(usi_identity_spki(identity, &spki_size), v.shown.octets + 3, spki_size);
    ck_assert_int_eq(usi_identity_show(identity, &what, shown, sizeof shown, &size), 0);
    ck_assert_uint_eq(size, v.shown.size);
    ck_assert_mem_eq(shown, v.shown.octets, v.kind == USI_IDENTITY_ED25519 ? size : 3 + spki_size);
    ck_assert_int_eq(check_as(&what, shown, size, true), 0);
    for (size_t room = 0; room < size; room++)
        ck_assert_int_eq(usi_identity_show(identity, &what, shown, room, &spki_size),
                         USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_identity_show(identity, &what, shown, size, &spki_size), 0);
    usi_identity_free(identity);
}
END_TEST

START_TEST(fresh_keys_say_so_and_differ)
{
    static const uint8_t hash[USI_HASH] = {1};
    const struct usi_signed what = {.signer = USI_SIGNER_NETWORK, .hash = hash};
    enum usi_identity_kind kind = _i == 0 ? USI_IDENTITY_ED25519 : USI_IDENTITY_RSA;
    struct usi_identity *identity[2] = {NULL, NULL};
    uint8_t shown[USI_IDENTITY_MAX], key[2][USI_FINGERPRINT];
    const uint8_t *spki;
    size_t size = 0, spki_size;
    struct usi_peer peer;

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(usi_identity_new(&identity[i], support_crypto(), kind), 0);
        ck_assert_int_eq(usi_identity_show(identity[i], &what, shown, sizeof shown, &size), 0);
        ck_assert_int_eq(usi_identity_check(support_crypto(), &what, shown, size, true, &peer,
                                            &spki, &spki_size),
                         0);
        ck_assert(!peer.kept);
        ck_assert_int_eq(peer.kind, kind);
        ck_assert_uint_eq(peer.bits, _i == 0 ? 256 : 2048);
        memcpy(key[i], peer.key, sizeof key[i]);
    }
    ck_assert_mem_ne(key[0], key[1], USI_FINGERPRINT);
    usi_identity_free(identity[0]);
    usi_identity_free(identity[1]);
    usi_identity_free(NULL);
}
END_TEST

START_TEST(there_are_two_kinds)
{
    struct usi_identity *identity = NULL;

    for (unsigned kind = 0; kind < 256; kind += 3) {
        ck_assert_int_eq(
            usi_identity_new(&identity, support_crypto(), (enum usi_identity_kind)kind),
            USI_ERR_ARGUMENT);
        ck_assert_ptr_null(identity);
    }
}
END_TEST

/* A key of the default library context, as a program might have it. */
START_TEST(a_key_of_another_context_signs)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    struct usi_identity *identity = NULL;

    ck_assert_ptr_nonnull(key);
    ck_assert_int_eq(usi_identity_from_key(&identity, support_crypto(), key), 0);
    usi_identity_free(identity);
    EVP_PKEY_free(key);
}
END_TEST

/* ---- what is wrong ---- */

START_TEST(every_octet_counts)
{
    struct vector v;

    identity_vector(&v, _i == 0 ? ED25519_CONNECTOR : RSA_LISTENER);
    const struct usi_signed what = signed_of(&v);
    for (size_t i = 0; i < v.shown.size; i++) {
        for (unsigned bit = _i == 0 ? 0 : (unsigned)(i % 7); bit < 8; bit += _i == 0 ? 1 : 7) {
            v.shown.octets[i] ^= (uint8_t)(1u << bit);
            int result = check_as(&what, v.shown.octets, v.shown.size, true);
            ck_assert_msg(result == USI_ERR_SIGNATURE || result == USI_ERR_KEY_KIND,
                          "octet %zu, bit %u: %d", i, bit, result);
            v.shown.octets[i] ^= (uint8_t)(1u << bit);
        }
        ck_assert_int_eq(check_as(&what, v.shown.octets, i, true), USI_ERR_SIGNATURE);
    }
    ck_assert_int_eq(check_as(&what, v.shown.octets, v.shown.size, true), 0);
    ck_assert_int_eq(check_as(&what, v.shown.octets, v.shown.size + 1, true), USI_ERR_SIGNATURE);
}
END_TEST

START_TEST(label_hash_and_peer_count)
{
    static const uint8_t other[USI_HASH] = {7};
    struct vector v;

    for (int i = 0; i < 4; i++) {
        identity_vector(&v, titles[_i]);
        struct usi_signed what = signed_of(&v);
        if (i == 1)
            what.hash = other;
        if (i == 2) {
            what.signer = v.signer == USI_SIGNER_MOBILE ? USI_SIGNER_NETWORK : USI_SIGNER_MOBILE;
            what.peer_key = other;
        }
        if (i == 3 && v.signer == USI_SIGNER_NETWORK)
            continue;
        if (i == 3)
            what.peer_key = other;
        ck_assert_int_eq(check_as(&what, v.shown.octets, v.shown.size, true),
                         i == 0 ? 0 : USI_ERR_SIGNATURE);
    }
}
END_TEST

START_TEST(marks_are_0_or_1)
{
    EVP_PKEY *key = key_of_vector(ED25519_LISTENER);
    uint8_t spki[FIELD], shown[FIELD];
    size_t size = spki_of(key, spki);

    for (unsigned mark = 0; mark < 256; mark++) {
        const struct manner how = {.mark = (uint8_t)mark};
        ck_assert_int_eq(check_forged(shown, forge(key, &how, spki, size, shown)),
                         mark < 2 ? 0 : USI_ERR_SIGNATURE);
    }
    EVP_PKEY_free(key);
}
END_TEST

/* Signed rightly by its key, but in another manner. */
START_TEST(rsa_is_signed_in_one_manner)
{
    static const struct manner others[] = {
        {.padding = RSA_PKCS1_PADDING}, {.salt = 20},         {.salt = 33},     {.salt = 222},
        {.digest = "SHA384"},           {.digest = "SHA512"}, {.mgf1 = "SHA1"}, {.mgf1 = "SHA512"},
    };
    EVP_PKEY *key = key_of_vector(RSA_LISTENER);
    uint8_t spki[FIELD], shown[FIELD];
    size_t size = spki_of(key, spki);
    const struct manner right = {.mark = 0};

    ck_assert_int_eq(check_forged(shown, forge(key, &right, spki, size, shown)), 0);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_int_eq(check_forged(shown, forge(key, &others[i], spki, size, shown)),
                         USI_ERR_SIGNATURE);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(an_rsa_signature_keeps_its_leading_zero)
{
    struct vector v;

    identity_vector(&v, RSA_ZERO);
    const struct usi_signed what = signed_of(&v);
    size_t begin = v.shown.size - 256;
    ck_assert_uint_eq(v.shown.octets[begin], 0);
    for (size_t i = begin; i + 1 < v.shown.size; i++)
        v.shown.octets[i] = v.shown.octets[i + 1];
    ck_assert_int_eq(check_as(&what, v.shown.octets, v.shown.size - 1, true), USI_ERR_SIGNATURE);
}
END_TEST

/* s + L verifies too where nobody looks at its size: RFC 8032, section 5.1.7. */
START_TEST(an_ed25519_signature_has_one_form)
{
    struct vector v;
    BIGNUM *s = NULL, *order = NULL;

    identity_vector(&v, ED25519_LISTENER);
    const struct usi_signed what = signed_of(&v);
    uint8_t *at = v.shown.octets + v.shown.size - 32;
    ck_assert_int_gt(
        BN_hex2bn(&order, "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed"), 0);
    ck_assert_ptr_nonnull(s = BN_lebin2bn(at, 32, NULL));
    ck_assert_int_eq(BN_add(s, s, order), 1);
    ck_assert_int_eq(BN_bn2lebinpad(s, at, 32), 32);
    ck_assert_int_eq(check_as(&what, v.shown.octets, v.shown.size, true), USI_ERR_SIGNATURE);
    BN_free(s);
    BN_free(order);
}
END_TEST

START_TEST(an_ed25519_key_is_a_point)
{
    struct vector v;

    identity_vector(&v, ED25519_LISTENER);
    const struct usi_signed what = signed_of(&v);
    memset(v.shown.octets + 3 + 12, 0, 32);
    v.shown.octets[3 + 12] = 2; /* no point has this y */
    ck_assert_int_eq(check_as(&what, v.shown.octets, v.shown.size, true), USI_ERR_SIGNATURE);
}
END_TEST

START_TEST(rsa_needs_to_be_accepted)
{
    struct vector v;

    identity_vector(&v, titles[_i]);
    const struct usi_signed what = signed_of(&v);
    int wanted = v.kind == USI_IDENTITY_RSA ? USI_ERR_KEY_KIND : 0;
    ck_assert_int_eq(check_as(&what, v.shown.octets, v.shown.size, false), wanted);
    v.shown.octets[v.shown.size - 1] ^= 1; /* said before the signature is looked at */
    ck_assert_int_eq(check_as(&what, v.shown.octets, v.shown.size, false),
                     wanted != 0 ? wanted : USI_ERR_SIGNATURE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity");
    TCase *right = support_case(suite, "right"), *wrong = support_case(suite, "wrong");

    tcase_add_loop_test(right, ed25519_is_that_of_rfc_8032, 1, 4);
    tcase_add_loop_test(right, what_openssl_shows_is_taken, 0, VECTORS);
    tcase_add_loop_test(right, one_s_own_is_shown_as_openssl_would, 0, VECTORS);
    tcase_add_loop_test(right, fresh_keys_say_so_and_differ, 0, 2);
    tcase_add_test(right, there_are_two_kinds);
    tcase_add_test(right, a_key_of_another_context_signs);
    tcase_add_loop_test(wrong, every_octet_counts, 0, 2);
    tcase_add_loop_test(wrong, label_hash_and_peer_count, 0, VECTORS);
    tcase_add_test(wrong, marks_are_0_or_1);
    tcase_add_test(wrong, rsa_is_signed_in_one_manner);
    tcase_add_test(wrong, an_rsa_signature_keeps_its_leading_zero);
    tcase_add_test(wrong, an_ed25519_signature_has_one_form);
    tcase_add_test(wrong, an_ed25519_key_is_a_point);
    tcase_add_loop_test(wrong, rsa_needs_to_be_accepted, 0, VECTORS);
    return support_run(suite);
}
