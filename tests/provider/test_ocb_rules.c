/* AES-OCB's behaviour: tampering, one call for a message, nonces, refusals, duplicates, memory. */
#include "algorithms/ocb.h"
#include "evp.h"
#include "ocb_message.h"

#include <check.h>
#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

/* ---- libcrypto's memory is ours ---- */

static long until_failure = -1; /* allocations that still succeed; below 0 all do */
static size_t allocated;        /* octets since it was set to 0 */
static bool watching;           /* whether freed memory is searched for the key */
static int found;
static unsigned char key[32] = {0x3c, 0x1f, 0x0a, 0x99, 0xe7, 0xd2, 0x5b, 0x64, 0xf0, 0xa8, 0x83,
                                0x7b, 0xc6, 0xe2, 0x1d, 0x55, 0x3d, 0x1f, 0x0a, 0x99, 0xe7, 0xd2,
                                0x5b, 0x64, 0xf0, 0xa8, 0x83, 0x7b, 0xc6, 0xe2, 0x1d, 0x55};

static void *our_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    allocated += size;
    return until_failure >= 0 && until_failure-- == 0 ? NULL : malloc(size);
}

static void our_free(void *memory, const char *file, int line)
{
    size_t size = memory == NULL || !watching ? 0 : malloc_usable_size(memory);

    (void)file;
    (void)line;
    for (size_t i = 0; i + 16 <= size; i++)
        found += memcmp((unsigned char *)memory + i, key, 16) == 0;
    free(memory);
}

static void *our_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    allocated += size;
    return until_failure >= 0 && until_failure-- == 0 ? NULL : realloc(memory, size);
}

/* ---- one path each, by _i ---- */

static const struct ocb_path *paths[OCB_PATHS_MAX];
static struct ocb_loaded ours;
static const unsigned char nonce[15] = {9, 8, 7, 6, 5, 4, 3, 2, 1};
static unsigned char text[700]; /* none of them 0 */
static const struct ocb_how plainly = {0, false}, whole = {0, true};

static void setup(int i)
{
    for (size_t n = 0; n < sizeof(text); n++)
        text[n] = (unsigned char)(1 + n % 255);
    ours = ocb_load(paths[i]);
}

static void teardown(void)
{
    ocb_unload(&ours);
}

static struct ocb_message message(size_t size)
{
    return (struct ocb_message){key, nonce, text + 100, text, 32, 12, 16, 21, size};
}

static bool nothing(const unsigned char *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (out[i] != 0)
            return false;
    return true;
}

static void refuse_open(const struct ocb_message *m, const unsigned char *tag)
{
    unsigned char out[sizeof(text)];

    refused(ocb_open(ours.cipher[2], m, plainly, tag, out), "MAC mismatch", "tag");
    memset(out, 0xee, sizeof(out));
    refused(ocb_open(ours.cipher[2], m, whole, tag, out), "MAC mismatch", "tag");
    ck_assert_msg(nothing(out, m->size), "plaintext was left in the output");
}

START_TEST(changed_bit_anywhere)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 64, 70, 300};
    unsigned char sealed[300], tag[16], aad[21], changed_nonce[12];

    setup(_i);
    memcpy(aad, text + 100, sizeof(aad));
    memcpy(changed_nonce, nonce, sizeof(changed_nonce));
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct ocb_message m = message(sizes[s]);
        works(ocb_seal(ours.cipher[2], &m, plainly, sealed, tag));
        m.in = sealed;
        m.aad = aad;
        m.nonce = changed_nonce;
        for (size_t bit = 0; bit < 8 * m.size; bit += 3) {
            sealed[bit / 8] ^= (unsigned char)(1u << bit % 8);
            refuse_open(&m, tag);
            sealed[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        for (size_t bit = 0; bit < 8 * 49; bit++) {
            unsigned char *octet = bit < 128            ? &tag[bit / 8]
                                   : bit < 128 + 8 * 21 ? &aad[bit / 8 - 16]
                                                        : &changed_nonce[bit / 8 - 37];
            *octet ^= (unsigned char)(1u << bit % 8);
            refuse_open(&m, tag);
            *octet ^= (unsigned char)(1u << bit % 8);
        }
        works(ocb_open(ours.cipher[2], &m, plainly, tag, sealed));
        same(sealed, text, m.size, "plaintext");
    }
    teardown();
}
END_TEST

/* The last octets come out of final, which must not give them when it fails. */
START_TEST(failed_final_gives_nothing)
{
    struct ocb_message m = message(20);
    unsigned char sealed[20], tag[16], out[32];
    EVP_CIPHER_CTX *ctx;
    int n;

    setup(_i);
    works(ocb_seal(ours.cipher[2], &m, plainly, sealed, tag));
    tag[0] ^= 1;
    ctx = ocb_begin(ours.cipher[2], &m, tag);
    memset(out, 0xee, sizeof(out));
    works(EVP_DecryptUpdate(ctx, out, &n, sealed, 20) == 1);
    ck_assert_int_eq(n, 16);
    n = -1;
    refused(EVP_DecryptFinal_ex(ctx, out + 16, &n) == 1, "MAC mismatch", "tag");
    ck_assert(nothing(out + 16, 4));
    /* nor a second guess */
    tag[0] ^= 1;
    works(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1);
    refused(EVP_DecryptFinal_ex(ctx, out + 16, &n) == 1, "not initialised", "a nonce first");
    EVP_CIPHER_CTX_free(ctx);
    teardown();
}
END_TEST

START_TEST(a_message_in_one_call)
{
    unsigned char by_pieces[300], tag[16], out[300], got[16];

    setup(_i);
    for (size_t size = 1; size <= 300; size++) {
        struct ocb_message m = message(size);
        works(ocb_seal(ours.cipher[2], &m, plainly, by_pieces, tag));
        works(ocb_seal(ours.cipher[2], &m, whole, out, got));
        same(out, by_pieces, size, "ciphertext");
        same(got, tag, 16, "tag");
        m.in = by_pieces;
        works(ocb_open(ours.cipher[2], &m, whole, tag, out));
        same(out, text, size, "plaintext");
    }
    teardown();
}
END_TEST

START_TEST(one_call_is_the_whole)
{
    struct ocb_message m = message(32);
    unsigned char out[64], tag[16];
    EVP_CIPHER_CTX *ctx;
    int n;

    setup(_i);
    ctx = ocb_begin(ours.cipher[2], &m, NULL);
    ck_assert_int_eq(EVP_Cipher(ctx, out, text, 32), 32);
    ck_assert_int_eq(EVP_Cipher(ctx, NULL, NULL, 0), 0); /* the end, for those who call it */
    works(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1);
    refused(EVP_Cipher(ctx, out, text, 32) >= 0, "not initialised", "the message has ended");
    /* nor after a part of it */
    works(EVP_EncryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
          EVP_EncryptUpdate(ctx, out, &n, text, 3) == 1);
    refused(EVP_Cipher(ctx, out, text, 32) >= 0, "too late to change", "whole");
    /* nor without the tag to compare with */
    works(EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1);
    memset(out, 0xee, sizeof(out));
    refused(EVP_Cipher(ctx, out, text, 32) >= 0, "missing parameter", "tag");
    ck_assert(nothing(out, 32));
    EVP_CIPHER_CTX_free(ctx);
    teardown();
}
END_TEST

/* ---- contexts used again ---- */

/* One context, one nonce after another, as a record layer does; fresh ones must give the same. */
START_TEST(nonces_in_a_row)
{
    struct ocb_message m = message(40);
    unsigned char at[15] = {0}, out[40], tag[16], expected[40], expected_tag[16];
    EVP_CIPHER_CTX *ctx;

    setup(_i);
    m.aad_size = 0;
    ctx = EVP_CIPHER_CTX_new();
    works(EVP_EncryptInit_ex2(ctx, ours.cipher[2], key, NULL, NULL) == 1);
    for (unsigned i = 0; i < 700; i++) {
        /* forth, back, and far away */
        unsigned number = i % 5 == 4 ? i - 3 : i % 7 == 6 ? i << 6 : i;
        at[10] = (unsigned char)(number >> 8);
        at[11] = (unsigned char)number;
        at[0] = i % 64 == 63;
        m.nonce = at;
        works(EVP_EncryptInit_ex2(ctx, NULL, NULL, at, NULL) == 1);
        works(ocb_pass(ctx, &m, plainly, out, tag));
        works(ocb_seal(ours.cipher[2], &m, plainly, expected, expected_tag));
        same(out, expected, 40, "ciphertext");
        same(tag, expected_tag, 16, "tag");
    }
    EVP_CIPHER_CTX_free(ctx);
    teardown();
}
END_TEST

/* Another key, size of nonce or size of tag must not go on with the old Ktop. */
START_TEST(ktop_is_not_kept_too_long)
{
    struct ocb_message m = message(40);
    unsigned char out[40], tag[16], expected[40], expected_tag[16], other[32];
    EVP_CIPHER_CTX *ctx;
    unsigned seed = 3;

    setup(_i);
    ctx = ocb_begin(ours.cipher[2], &m, NULL);
    works(ocb_pass(ctx, &m, plainly, out, tag));
    for (int i = 0; i < 200; i++) {
        memcpy(other, key, 32);
        other[31] ^= (unsigned char)(ocb_random(&seed) % 2);
        m.key = other;
        m.nonce_size = 12 + ocb_random(&seed) % 2;
        m.tag_size = 15 + ocb_random(&seed) % 2;
        works(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)m.nonce_size, NULL) == 1 &&
              EVP_EncryptInit_ex2(ctx, NULL, other, nonce, NULL) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)m.tag_size, NULL) == 1);
        works(ocb_pass(ctx, &m, plainly, out, tag));
        works(ocb_seal(ours.cipher[2], &m, plainly, expected, expected_tag));
        same(out, expected, 40, "ciphertext");
        same(tag, expected_tag, m.tag_size, "tag");
    }
    EVP_CIPHER_CTX_free(ctx);
    teardown();
}
END_TEST

START_TEST(key_and_nonce_in_either_order)
{
    struct ocb_message m = message(40);
    unsigned char out[40], tag[16], expected[40], expected_tag[16];

    setup(_i);
    works(ocb_seal(ours.cipher[2], &m, plainly, expected, expected_tag));
    for (int nonce_first = 0; nonce_first < 2; nonce_first++) {
        EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        works(EVP_EncryptInit_ex2(ctx, ours.cipher[2], nonce_first ? NULL : key,
                                  nonce_first ? nonce : NULL, NULL) == 1);
        works(EVP_EncryptInit_ex2(ctx, NULL, nonce_first ? key : NULL, nonce_first ? NULL : nonce,
                                  NULL) == 1);
        works(ocb_pass(ctx, &m, plainly, out, tag));
        same(out, expected, 40, "ciphertext");
        same(tag, expected_tag, 16, "tag");
        /* the other direction, without a new key */
        m.in = expected;
        works(EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1);
        works(ocb_pass(ctx, &m, plainly, out, NULL));
        same(out, text, 40, "plaintext");
        m.in = text;
        EVP_CIPHER_CTX_free(ctx);
    }
    teardown();
}
END_TEST

/* From every state: keyed only, with a nonce, at any octet of the message, at its end. */
START_TEST(duplicates)
{
    struct ocb_message m = message(100);
    unsigned char expected[100], expected_tag[16], out[2][128], tag[16];

    setup(_i);
    works(ocb_seal(ours.cipher[2], &m, plainly, expected, expected_tag));
    for (int first = 0; first <= 100; first++) {
        EVP_CIPHER_CTX *ctx = ocb_begin(ours.cipher[2], &m, NULL), *copy = EVP_CIPHER_CTX_new();
        EVP_CIPHER_CTX *both[2] = {ctx, copy};
        int made = 0;
        works(EVP_EncryptUpdate(ctx, NULL, &made, m.aad, 19) == 1);
        works(EVP_EncryptUpdate(ctx, out[0], &made, text, first) == 1);
        works(EVP_CIPHER_CTX_copy(copy, ctx) == 1);
        memcpy(out[1], out[0], sizeof(out[0]));
        for (int i = 0; i < 2; i++) {
            int n = 0, last = 0;
            works(EVP_EncryptUpdate(both[i], NULL, &n, m.aad + 19, 2) == 1 &&
                  EVP_EncryptUpdate(both[i], out[i] + made, &n, text + first, 100 - first) == 1 &&
                  EVP_EncryptFinal_ex(both[i], out[i] + made + n, &last) == 1 &&
                  EVP_CIPHER_CTX_ctrl(both[i], EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1);
            ck_assert_int_eq(made + n + last, 100);
            same(out[i], expected, 100, "ciphertext");
            same(tag, expected_tag, 16, "tag");
            EVP_CIPHER_CTX_free(both[i]); /* the copy must not miss it */
        }
    }
    teardown();
}
END_TEST

/* ---- refusals ---- */

START_TEST(out_of_order)
{
    EVP_CIPHER_CTX *ctx;
    unsigned char out[64], tag[16] = {0};
    int n;

    setup(_i);
    ctx = EVP_CIPHER_CTX_new();
    works(EVP_EncryptInit_ex2(ctx, ours.cipher[2], NULL, NULL, NULL) == 1);
    refused(EVP_EncryptUpdate(ctx, out, &n, text, 5) == 1, "not initialised", "a key first");
    refused(EVP_EncryptFinal_ex(ctx, out, &n) == 1, "not initialised", "a key first");
    works(EVP_EncryptInit_ex2(ctx, NULL, key, NULL, NULL) == 1);
    refused(EVP_EncryptUpdate(ctx, out, &n, text, 5) == 1, "not initialised", "a nonce first");
    refused(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1, "not initialised",
            "tag");
    works(EVP_EncryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
          EVP_EncryptUpdate(ctx, out, &n, text, 5) == 1);
    refused(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1, "not initialised",
            "tag");
    refused(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 12, NULL) == 1, "too late to change",
            "tag");
    works(EVP_EncryptFinal_ex(ctx, out, &n) == 1);
    refused(EVP_EncryptUpdate(ctx, out, &n, text, 5) == 1, "not initialised", "has ended");
    refused(EVP_EncryptFinal_ex(ctx, out, &n) == 1, "not initialised", "has ended");
    /* an unfinished message's nonce is used up as well */
    works(EVP_EncryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
          EVP_EncryptUpdate(ctx, out, &n, text, 5) == 1 &&
          EVP_EncryptInit_ex2(ctx, NULL, NULL, NULL, NULL) == 1);
    refused(EVP_EncryptUpdate(ctx, out, &n, text, 5) == 1, "not initialised", "a nonce first");
    /* decryption without a tag */
    works(EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
          EVP_DecryptUpdate(ctx, out, &n, text, 5) == 1);
    refused(EVP_DecryptFinal_ex(ctx, out, &n) == 1, "missing parameter", "tag");
    EVP_CIPHER_CTX_free(ctx);
    teardown();
}
END_TEST

START_TEST(wrong_sizes)
{
    EVP_CIPHER_CTX *ctx;
    unsigned char tag[16] = {0};
    size_t size = 16;
    unsigned char octets[1] = {0};
    const OSSL_PARAM key_size[] = {OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_KEYLEN, &size),
                                   OSSL_PARAM_construct_end()};
    const OSSL_PARAM no_number[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_IVLEN, octets, 1),
        OSSL_PARAM_construct_end()};
    const OSSL_PARAM no_octets[] = {OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_AEAD_TAG, &size),
                                    OSSL_PARAM_construct_end()};

    setup(_i);
    ctx = EVP_CIPHER_CTX_new();
    works(EVP_EncryptInit_ex2(ctx, ours.cipher[2], key, nonce, NULL) == 1);
    refused(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 0, NULL) == 1, "wrong parameter size",
            "nonce: expected 1 to 15 octets, got 0");
    refused(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 16, NULL) == 1,
            "wrong parameter size", "got 16");
    refused(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 0, NULL) == 1, "wrong parameter size",
            "tag: expected 1 to 16 octets, got 0");
    refused(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 17, NULL) == 1, "wrong parameter size",
            "got 17");
    refused(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1,
            "parameters exclude each other", "tag");
    refused(EVP_CIPHER_CTX_set_params(ctx, key_size) == 1, "wrong parameter size",
            "key: expected 32 octets, got 16");
    refused(EVP_CIPHER_CTX_set_params(ctx, no_number) == 1, "wrong parameter type", "ivlen");
    refused(EVP_CIPHER_CTX_set_params(ctx, no_octets) == 1, "wrong parameter type", "tag");
    works(EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1);
    refused(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 12, tag) == 1, "wrong parameter size",
            "tag: expected 16 octets, as set before, got 12");
    EVP_CIPHER_CTX_free(ctx);
    teardown();
}
END_TEST

/* The tag's size is in the nonce: a long tag cut off is not a short one. */
START_TEST(shortened_tag)
{
    struct ocb_message m = message(30);
    unsigned char sealed[30], tag[16], out[30];

    setup(_i);
    works(ocb_seal(ours.cipher[2], &m, plainly, sealed, tag));
    m.in = sealed;
    m.tag_size = 12;
    refused(ocb_open(ours.cipher[2], &m, plainly, tag, out), "MAC mismatch", "tag");
    teardown();
}
END_TEST

/* ---- what EVP is told ---- */

START_TEST(parameters)
{
    struct ocb_message m = message(16);
    struct ocb_loaded theirs;
    EVP_CIPHER_CTX *ctx;
    unsigned char iv[15] = {0}, updated[15] = {0};
    size_t tag_size = 0;
    OSSL_PARAM get[] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_IV, iv, 7),
                        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_UPDATED_IV, updated, 7),
                        OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_AEAD_TAGLEN, &tag_size),
                        OSSL_PARAM_construct_end()};

    setup(_i);
    theirs = ocb_load(NULL);
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(EVP_CIPHER_get0_name(ours.cipher[i]),
                         EVP_CIPHER_get0_name(theirs.cipher[i]));
        ck_assert_int_eq(EVP_CIPHER_get_key_length(ours.cipher[i]), 16 + 8 * i);
        ck_assert_int_eq(EVP_CIPHER_get_iv_length(ours.cipher[i]), 12);
        ck_assert_int_eq(EVP_CIPHER_get_block_size(ours.cipher[i]), 16);
        ck_assert_uint_eq(EVP_CIPHER_get_flags(ours.cipher[i]),
                          EVP_CIPHER_get_flags(theirs.cipher[i]));
        ck_assert_int_eq(EVP_CIPHER_get_mode(ours.cipher[i]), EVP_CIPH_OCB_MODE);
    }
    ocb_unload(&theirs);
    m.nonce_size = 7;
    m.tag_size = 5;
    ctx = ocb_begin(ours.cipher[1], &m, NULL);
    ck_assert_int_eq(EVP_CIPHER_CTX_get_iv_length(ctx), 7);
    ck_assert_int_eq(EVP_CIPHER_CTX_get_key_length(ctx), 24);
    ck_assert_int_eq(EVP_CIPHER_CTX_get_tag_length(ctx), 5);
    works(EVP_CIPHER_CTX_get_params(ctx, get) == 1);
    same(iv, nonce, 7, "iv");
    same(updated, nonce, 7, "updated-iv");
    ck_assert_uint_eq(tag_size, 5);
    EVP_CIPHER_CTX_free(ctx);
    teardown();
}
END_TEST

/* ---- memory ---- */

START_TEST(size_of_a_context)
{
    EVP_CIPHER_CTX *ctx;

    setup(_i);
    ctx = EVP_CIPHER_CTX_new();
    allocated = 0;
    works(EVP_EncryptInit_ex2(ctx, ours.cipher[2], key, nonce, NULL) == 1);
    if (strcmp(ours.name, "portable") != 0) /* which has two EVP contexts besides */
        ck_assert_uint_le(allocated, 1024);
    EVP_CIPHER_CTX_free(ctx);
    teardown();
}
END_TEST

static bool live(unsigned char *out, unsigned char *tag)
{
    struct ocb_message m = message(70);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new(), *copy = EVP_CIPHER_CTX_new();
    bool ok = ctx != NULL && copy != NULL &&
              EVP_EncryptInit_ex2(ctx, ours.cipher[2], key, nonce, NULL) == 1 &&
              EVP_CIPHER_CTX_copy(copy, ctx) == 1 && ocb_pass(copy, &m, plainly, out, tag);

    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_CTX_free(copy);
    return ok;
}

START_TEST(every_allocation_fails_once)
{
    unsigned char right[70], right_tag[16], out[70], tag[16];
    bool injected = true;
    long n = 0, refusals = 0;

    setup(_i);
    works(live(right, right_tag));
    while (injected) {
        bool ok;
        until_failure = n++;
        ok = live(out, tag);
        injected = until_failure < 0;
        until_failure = -1;
        ERR_clear_error();
        refusals += !ok;
        if (ok) {
            same(out, right, sizeof(out), "ciphertext in spite of a failure");
            same(tag, right_tag, sizeof(tag), "tag in spite of a failure");
        }
    }
    ck_assert_int_gt(refusals, 1);
    teardown();
}
END_TEST

START_TEST(freed_memory_holds_no_key)
{
    unsigned char out[70], tag[16];

    setup(_i);
    watching = true;
    works(live(out, tag));
    watching = false;
    ck_assert_int_eq(found, 0);
    /* and a key in freed memory would have been seen */
    watching = true;
    OPENSSL_free(OPENSSL_memdup(key, sizeof(key)));
    watching = false;
    ck_assert_int_gt(found, 0);
    teardown();
}
END_TEST

int main(void)
{
    const struct TTest *const tests[] = {
        changed_bit_anywhere,
        failed_final_gives_nothing,
        a_message_in_one_call,
        one_call_is_the_whole,
        nonces_in_a_row,
        ktop_is_not_kept_too_long,
        duplicates,
        key_and_nonce_in_either_order,
        out_of_order,
        wrong_sizes,
        shortened_tag,
        parameters,
        size_of_a_context,
        every_allocation_fails_once,
        freed_memory_holds_no_key,
    };
    Suite *suite = suite_create("provider: AES-OCB's rules");
    TCase *tcase = tcase_create("rules");
    SRunner *runner;
    int count, failed;

    if (!CRYPTO_set_mem_functions(our_malloc, our_realloc, our_free))
        return EXIT_FAILURE;
    count = (int)ocb_able(paths);
    tcase_set_timeout(tcase, 300);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_loop_test(tcase, tests[i], 0, count);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
