/* channel/identity.h: the keys that are not taken, a peer's and one's own. */
#include "identities.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

/* ---- a peer's ---- */

/* Writes an element in front of what stands at the end of out[FIELD]; *used counts from the end. */
static void der_put(uint8_t *out, size_t *used, const void *octets, size_t size)
{
    *used += size;
    ck_assert_uint_le(*used, FIELD);
    memcpy(out + FIELD - *used, octets, size); /* cppcheck-suppress ctuPointerArith ; see above */
}

static void der_wrap(uint8_t *out, size_t *used, uint8_t tag)
{
    uint8_t head[4] = {tag, 0x82, (uint8_t)(*used >> 8), (uint8_t)*used};

    if (*used >= 0x100) {
        der_put(out, used, head, 4);
    } else if (*used >= 0x80) {
        const uint8_t middle[3] = {tag, 0x81, (uint8_t)*used};
        der_put(out, used, middle, 3);
    } else {
        const uint8_t little[2] = {tag, (uint8_t)*used};
        der_put(out, used, little, 2);
    }
}

/* An INTEGER element in a place of its own, to be put whole. */
static size_t der_integer(uint8_t *out, const uint8_t *octets, size_t size)
{
    size_t used = 0;

    der_put(out, &used, octets, size);
    der_wrap(out, &used, 0x02);
    return used;
}

/* rsaEncryption with any content octets for both INTEGERs. */
static size_t rsa_spki(uint8_t spki[FIELD], const uint8_t *n, size_t n_size, const uint8_t *e,
                       size_t e_size)
{
    static const uint8_t algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                        0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    static uint8_t out[FIELD], element[FIELD];
    size_t used = 0, size = der_integer(element, e, e_size);

    der_put(out, &used, element + FIELD - size, size);
    size = der_integer(element, n, n_size);
    der_put(out, &used, element + FIELD - size, size);
    der_wrap(out, &used, 0x30);
    der_put(out, &used, "", 1);
    der_wrap(out, &used, 0x03);
    der_put(out, &used, algorithm, sizeof algorithm);
    der_wrap(out, &used, 0x30);
    memcpy(spki, out + FIELD - used, used);
    return used;
}

/* The SPKI with a signature of zeros of as many octets as the modulus has. */
static int check_unsigned(const uint8_t *spki, size_t size)
{
    uint8_t shown[2 * FIELD] = {0, (uint8_t)(size >> 8), (uint8_t)size};

    memcpy(shown + 3, spki, size);
    return check_forged(shown, 3 + size + 256);
}

static const uint8_t f4[] = {1, 0, 1};

START_TEST(rsa_has_2048_to_4096_bits)
{
    static const struct {
        unsigned bits;
        int result;
    } cases[] = {{512, USI_ERR_KEY_KIND},   {1024, USI_ERR_KEY_KIND},  {2040, USI_ERR_KEY_KIND},
                 {2047, USI_ERR_KEY_KIND},  {2048, USI_ERR_SIGNATURE}, {2049, USI_ERR_SIGNATURE},
                 {4095, USI_ERR_SIGNATURE}, {4096, USI_ERR_SIGNATURE}, {4097, USI_ERR_KEY_KIND},
                 {8192, USI_ERR_KEY_KIND},  {16384, USI_ERR_KEY_KIND}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t n[FIELD], spki[FIELD] = {0};
        size_t size = cases[i].bits / 8 + 1; /* a leading 0, or the octet with the odd bits */
        memset(n, 0xa5, sizeof n);
        n[0] = (uint8_t)((1u << cases[i].bits % 8) >> 1);
        n[1] |= n[0] == 0 ? 0x80 : 0;
        size_t skip = n[0] == 0 && n[1] < 0x80 ? 1 : 0;
        ck_assert_int_eq(check_unsigned(spki, rsa_spki(spki, n + skip, size - skip, f4, 3)),
                         cases[i].result);
        n[size - 1] = 0xa4; /* an even modulus does no harm */
        ck_assert_int_eq(check_unsigned(spki, rsa_spki(spki, n + skip, size - skip, f4, 3)),
                         cases[i].result);
    }
}
END_TEST

/* Numbers in DER are positive here and have no octet too many; e is 65,537. */
START_TEST(rsa_numbers_have_one_form)
{
    static const struct {
        const char *e;
        size_t size;
        int result;
    } cases[] = {{"\3", 1, USI_ERR_KEY_KIND},         {"\1", 1, USI_ERR_KEY_KIND},
                 {"\1\0\3", 3, USI_ERR_KEY_KIND},     {"\0\200\1", 3, USI_ERR_KEY_KIND},
                 {"\1\0\0\0\1", 5, USI_ERR_KEY_KIND}, {"\1\0\1\0", 4, USI_ERR_KEY_KIND},
                 {"\0\1\0\1", 4, USI_ERR_SIGNATURE},  {"\0", 1, USI_ERR_SIGNATURE},
                 {"", 0, USI_ERR_SIGNATURE},          {"\377\1\0\1", 4, USI_ERR_SIGNATURE}};
    uint8_t n[258], spki[FIELD] = {0};

    memset(n, 0xa5, sizeof n);
    n[0] = n[1] = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_int_eq(check_unsigned(spki, rsa_spki(spki, n + 1, 257,
                                                       (const uint8_t *)cases[i].e, cases[i].size)),
                         cases[i].result);
    ck_assert_int_eq(check_unsigned(spki, rsa_spki(spki, n, 258, f4, 3)), USI_ERR_SIGNATURE);
    ck_assert_int_eq(check_unsigned(spki, rsa_spki(spki, n + 2, 256, f4, 3)), USI_ERR_SIGNATURE);
    ck_assert_int_eq(check_unsigned(spki, rsa_spki(spki, n, 0, f4, 3)), USI_ERR_SIGNATURE);
}
END_TEST

START_TEST(other_kinds_are_not_taken)
{
    static const char *const kinds[] = {"X25519", "X448", "ED448", "RSA-PSS", "P-256"};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(
            support_libctx(), strcmp(kinds[i], "P-256") == 0 ? "EC" : kinds[i], NULL);
        struct usi_identity *identity = NULL;
        EVP_PKEY *key = NULL;
        uint8_t spki[FIELD];
        ck_assert_int_eq(EVP_PKEY_keygen_init(ctx), 1);
        if (strcmp(kinds[i], "P-256") == 0)
            ck_assert_int_eq(EVP_PKEY_CTX_set_group_name(ctx, "P-256"), 1);
        if (strcmp(kinds[i], "RSA-PSS") == 0)
            ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 1024), 0); /* soon made */
        ck_assert_int_eq(EVP_PKEY_generate(ctx, &key), 1);
        ck_assert_int_eq(check_unsigned(spki, spki_of(key, spki)), USI_ERR_KEY_KIND);
        ck_assert_int_eq(usi_identity_from_key(&identity, support_crypto(), key), USI_ERR_KEY_KIND);
        ck_assert_ptr_null(identity);
        EVP_PKEY_free(key);
        EVP_PKEY_CTX_free(ctx);
    }
}
END_TEST

/* Each first octet of an Ed25519 SPKI changed to each other value, and signed anew by the key: none
 * is another name for it. */
START_TEST(an_spki_has_one_encoding)
{
    EVP_PKEY *key = key_of_vector(ED25519_LISTENER);
    const struct manner how = {.mark = 1};
    uint8_t spki[FIELD], shown[FIELD];
    size_t size = spki_of(key, spki);

    ck_assert_int_eq(check_forged(shown, forge(key, &how, spki, size, shown)), 0);
    for (size_t i = 0; i < 12; i++) {
        uint8_t was = spki[i];
        for (unsigned value = 0; value < 256; value++) {
            spki[i] = (uint8_t)value;
            if (value != was)
                ck_assert_int_ne(check_forged(shown, forge(key, &how, spki, size, shown)), 0);
        }
        spki[i] = was;
    }
    EVP_PKEY_free(key);
}
END_TEST

/* The same key in BER, with other parameters, or with something behind it; signed by the key. */
START_TEST(an_spki_is_der)
{
    static const char *const hex[] = {
        /* before the key, behind it */
        "30812a300506032b6570032100",   "",     /* lengths longer than need be */
        "3082002a300506032b6570032100", "",     /* */
        "302b30810506032b6570032100",   "",     /* */
        "302b300506032b657003812100",   "",     /* */
        "3080300506032b6570032100",     "0000", /* an indefinite length */
        "302c300706032b65700500032100", "",     /* parameters NULL */
        "302a300506032b6570032101",     "",     /* an unused bit */
        "302a300506032b6570032100",     "00",   /* more behind it */
        "302b300506032b6570032100",     "00",   /* */
        "302b300506032b6570032200",     "00",   /* an octet too many in the key */
        "302c300506032b6570032100",     "0500", /* one element too many */
        "302a300506032b6571032100",     "",     /* Ed448's OID */
        "302b300606032b65700003210000", "",     /* */
        "3129300506032b6570032100",     "",     /* a SET */
    };
    EVP_PKEY *key = key_of_vector(ED25519_LISTENER);
    const struct manner how = {.mark = 1};
    uint8_t right[FIELD], spki[FIELD], shown[FIELD];

    ck_assert_uint_eq(spki_of(key, right), 44);
    for (size_t i = 0; i < sizeof hex / sizeof hex[0]; i += 2) {
        size_t head = 0, tail = 0;
        ck_assert_int_eq(OPENSSL_hexstr2buf_ex(spki, FIELD, &head, hex[i], '\0'), 1);
        memcpy(spki + head, right + 12, 32);
        if (hex[i + 1][0] != '\0')
            ck_assert_int_eq(
                OPENSSL_hexstr2buf_ex(spki + head + 32, FIELD, &tail, hex[i + 1], '\0'), 1);
        int result = check_forged(shown, forge(key, &how, spki, head + 32 + tail, shown));
        ck_assert_msg(result == (strstr(hex[i], "6571") ? USI_ERR_KEY_KIND : USI_ERR_SIGNATURE),
                      "%s: %d", hex[i], result);
    }
    ck_assert_int_eq(check_forged(shown, forge(key, &how, spki, 0, shown)), USI_ERR_SIGNATURE);
    EVP_PKEY_free(key);
}
END_TEST

/* ---- one's own ---- */

/* Said before it is tried out, so a public half and a modulus of no primes will do. */
START_TEST(own_rsa_keys_of_other_sizes_are_refused)
{
    static const struct {
        size_t octets;
        uint8_t first;
        const char *e;
        size_t e_size;
    } cases[] = {{128, 0x80, "\1\0\1", 3},
                 {256, 0x7f, "\1\0\1", 3},
                 {513, 0x01, "\1\0\1", 3},
                 {1024, 0x80, "\1\0\1", 3},
                 {256, 0x80, "\3", 1}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t n[FIELD], spki[FIELD];
        const unsigned char *at = spki;
        struct usi_identity *identity = NULL;
        memset(n, 0xa5, sizeof n);
        n[0] = 0;
        n[1] = cases[i].first;
        size_t skip = n[1] < 0x80 ? 1 : 0;
        size_t size = rsa_spki(spki, n + skip, 1 + cases[i].octets - skip,
                               (const uint8_t *)cases[i].e, cases[i].e_size);
        EVP_PKEY *key = d2i_PUBKEY_ex(NULL, &at, (long)size, support_libctx(), NULL);
        ck_assert_ptr_nonnull(key);
        ck_assert_int_eq(usi_identity_from_key(&identity, support_crypto(), key), USI_ERR_KEY_KIND);
        ck_assert_ptr_null(identity);
        EVP_PKEY_free(key);
    }
}
END_TEST

START_TEST(an_own_rsa_key_of_1024_bits_is_refused)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(support_libctx(), NULL, "RSA", (size_t)1024);
    struct usi_identity *identity = NULL;

    ck_assert_int_eq(usi_identity_from_key(&identity, support_crypto(), key), USI_ERR_KEY_KIND);
    ck_assert_ptr_null(identity);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(a_public_key_alone_is_refused)
{
    EVP_PKEY *key = key_of_vector(_i == 0 ? ED25519_LISTENER : RSA_LISTENER);
    struct usi_identity *identity = NULL;
    uint8_t spki[FIELD];
    const unsigned char *at = spki;
    size_t size = spki_of(key, spki);
    EVP_PKEY *public = d2i_PUBKEY_ex(NULL, &at, (long)size, support_libctx(), NULL);

    ck_assert_ptr_nonnull(public);
    ERR_clear_error();
    ck_assert_int_eq(usi_identity_from_key(&identity, support_crypto(), public), USI_ERR_INTERNAL);
    ck_assert_ptr_null(identity);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    EVP_PKEY_free(public);
    EVP_PKEY_free(key);
}
END_TEST

/* The private half of one key beside the public half of another. */
START_TEST(halves_of_two_keys_are_refused)
{
    struct vector v, w;
    struct usi_identity *identity = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(support_libctx(), "ED25519", NULL);
    EVP_PKEY *key = NULL;

    ed25519_vector(&v, "RFC 8032 7.1 test 1");
    ed25519_vector(&w, "RFC 8032 7.1 test 2");
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, v.secret.octets, 32),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, w.public.octets, 32),
        OSSL_PARAM_construct_end()};
    ck_assert_int_eq(EVP_PKEY_fromdata_init(ctx), 1);
    if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1) {
        ck_assert_int_eq(usi_identity_from_key(&identity, support_crypto(), key), USI_ERR_INTERNAL);
        ck_assert_ptr_null(identity);
    }
    ERR_clear_error();
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(ctx);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity_keys");
    TCase *kinds = support_case(suite, "kinds"), *own = support_case(suite, "own");

    tcase_add_test(kinds, rsa_has_2048_to_4096_bits);
    tcase_add_test(kinds, rsa_numbers_have_one_form);
    tcase_add_test(kinds, other_kinds_are_not_taken);
    tcase_add_test(kinds, an_spki_has_one_encoding);
    tcase_add_test(kinds, an_spki_is_der);
    tcase_add_test(own, own_rsa_keys_of_other_sizes_are_refused);
    tcase_add_test(own, an_own_rsa_key_of_1024_bits_is_refused);
    tcase_add_loop_test(own, a_public_key_alone_is_refused, 0, 2);
    tcase_add_test(own, halves_of_two_keys_are_refused);
    return support_run(suite);
}
