/* usi_word and usi_words: the English list of BIP-39. */
#include "cases.h"
#include "support.h"

#include <openssl/evp.h>

static const char vectors[] = USI_VECTORS "/bip39.txt";

START_TEST(the_list_is_the_published_one)
{
    struct vector_case c;
    uint8_t expected[USI_FINGERPRINT], hash[USI_FINGERPRINT];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    FILE *file = cases_open(vectors);

    ck_assert(cases_next(file, &c));
    (void)fclose(file);
    ck_assert_uint_eq(case_octets(&c, "list", expected, sizeof expected), sizeof expected);
    ck_assert_ptr_nonnull(ctx);
    ck_assert_int_eq(EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL), 1);
    for (unsigned i = 0; i < 2048; i++) {
        const char *word = usi_word(i);
        ck_assert_int_eq(EVP_DigestUpdate(ctx, word, strlen(word)), 1);
        ck_assert_int_eq(EVP_DigestUpdate(ctx, "\n", 1), 1);
    }
    ck_assert_int_eq(EVP_DigestFinal_ex(ctx, hash, NULL), 1);
    EVP_MD_CTX_free(ctx);
    ck_assert_mem_eq(hash, expected, sizeof hash);
}
END_TEST

START_TEST(there_is_no_word_beyond_the_list)
{
    ck_assert_ptr_null(usi_word(2048));
    ck_assert_ptr_null(usi_word(UINT32_MAX));
}
END_TEST

START_TEST(published_vectors)
{
    struct vector_case c;
    unsigned count = 0;
    FILE *file = cases_open(vectors);

    while (cases_next(file, &c)) {
        uint8_t fingerprint[USI_FINGERPRINT] = {0}, hash[USI_FINGERPRINT];
        char text[USI_WORDS_TEXT];

        if (case_find(&c, "entropy") == NULL)
            continue;
        ck_assert_uint_eq(case_octets(&c, "entropy", fingerprint, sizeof fingerprint), 16);
        ck_assert_int_eq(EVP_Digest(fingerprint, 16, hash, NULL, EVP_sha256(), NULL), 1);
        fingerprint[16] = hash[0];
        usi_words(fingerprint, text);
        ck_assert_str_eq(text, case_text(&c, "words"));
        count++;
    }
    (void)fclose(file);
    ck_assert_uint_eq(count, 8);
}
END_TEST

/* Of a fingerprint's octets, 16 and a half. */
START_TEST(every_one_of_132_bits_shows_and_no_other)
{
    uint8_t fingerprint[USI_FINGERPRINT];
    char plain[USI_WORDS_TEXT], text[USI_WORDS_TEXT];

    for (size_t i = 0; i < sizeof fingerprint; i++)
        fingerprint[i] = (uint8_t)(37 * i);
    usi_words(fingerprint, plain);
    for (unsigned bit = 0; bit < 8 * USI_FINGERPRINT; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> bit % 8);

        fingerprint[bit / 8] ^= mask;
        usi_words(fingerprint, text);
        fingerprint[bit / 8] ^= mask;
        ck_assert_int_eq(strcmp(text, plain) != 0, bit < 132);
    }
}
END_TEST

START_TEST(the_longest_text_fits)
{
    uint8_t fingerprint[USI_FINGERPRINT] = {0};
    char text[USI_WORDS_TEXT];
    unsigned longest = 0;

    for (unsigned i = 0; i < 2048; i++) {
        ck_assert_uint_le(strlen(usi_word(i)), 8);
        if (strlen(usi_word(i)) == 8)
            longest = i;
    }
    for (unsigned bit = 0; bit < 132; bit++)
        if ((longest >> (10 - bit % 11) & 1) != 0)
            fingerprint[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    memset(text, 0x55, sizeof text);
    usi_words(fingerprint, text);
    ck_assert_uint_eq(strlen(text), sizeof text - 1);
    ck_assert_int_eq(memcmp(text, usi_word(longest), 8), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("words");
    TCase *tcase = tcase_create("words");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_list_is_the_published_one);
    tcase_add_test(tcase, there_is_no_word_beyond_the_list);
    tcase_add_test(tcase, published_vectors);
    tcase_add_test(tcase, every_one_of_132_bits_shows_and_no_other);
    tcase_add_test(tcase, the_longest_text_fits);
    suite_add_tcase(suite, tcase);
    return support_run(suite);
}
