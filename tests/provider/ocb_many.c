/*
 * Ten million random messages (key, nonce, associated data, size, pieces, place in memory), each by
 * one path of the provider and by libcrypto's own AES-OCB, sealed or opened. Contexts live on from
 * message to message, as they do in use. Usage: ocb_many [MESSAGES [SEED]]
 */
#include "evp.h"
#include "ocb_message.h"

#include <check.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 10 * 1000 * 1000, SIZE_MAX_HERE = 5000, AAD_MAX = 700, ROOM = SIZE_MAX_HERE + 256 };

static long messages = MANY;
static unsigned seed = 1;

struct pair {
    EVP_CIPHER_CTX *ours, *theirs;
    unsigned char key[32];
};

static unsigned char aad[AAD_MAX + 64], in[ROOM], expected[ROOM], out[ROOM];

static void start(EVP_CIPHER_CTX *ctx, const struct ocb_message *m, bool encrypt, bool new_key)
{
    works(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)m->nonce_size, NULL) == 1 &&
          EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)m->tag_size, NULL) == 1 &&
          EVP_CipherInit_ex2(ctx, NULL, new_key ? m->key : NULL, m->nonce, encrypt, NULL) == 1);
}

static void give_tag(EVP_CIPHER_CTX *ctx, const struct ocb_message *m, unsigned char *tag)
{
    works(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)m->tag_size, tag) == 1);
}

static struct ocb_message next_message(struct pair *pair, size_t key_size, unsigned char *nonce,
                                       bool new_key)
{
    struct ocb_message m = {.key = pair->key, .nonce = nonce, .key_size = key_size};
    size_t changed = ocb_random(&seed) % 16;

    if (new_key)
        random_octets(&seed, pair->key, key_size);
    /* mostly another end of the same nonce */
    if (changed > 0)
        nonce[11] = (unsigned char)ocb_random(&seed);
    else
        random_octets(&seed, nonce, 15);
    m.nonce_size = changed > 1 ? 12 : 1 + ocb_random(&seed) % 15;
    m.tag_size = changed > 1 ? 16 : 1 + ocb_random(&seed) % 16;
    m.aad_size = ocb_random_size(&seed, ocb_random(&seed) % 8 == 0 ? AAD_MAX : 40);
    m.size = ocb_random_size(&seed, ocb_random(&seed) % 16 == 0 ? SIZE_MAX_HERE : 700);
    m.aad = aad + ocb_random(&seed) % 64;
    m.in = in + ocb_random(&seed) % 64;
    /* a few octets of all: those that were there are random too */
    random_octets(&seed, aad + ocb_random(&seed) % AAD_MAX, 16);
    random_octets(&seed, in + ocb_random(&seed) % SIZE_MAX_HERE, 64);
    return m;
}

static void one(struct pair *pair, size_t key_size, unsigned char *nonce)
{
    bool new_key = ocb_random(&seed) % 16 == 0, in_place = ocb_random(&seed) % 2 == 0;
    struct ocb_message m = next_message(pair, key_size, nonce, new_key), sealed;
    struct ocb_how how = {.seed = ocb_random(&seed) % 2 == 0 ? 0 : ocb_random(&seed)};
    unsigned char tag[16], expected_tag[16], *to = out + ocb_random(&seed) % 64;

    how.whole = how.seed == 0 && ocb_random(&seed) % 4 == 0 && m.size > 0;
    start(pair->theirs, &m, true, new_key);
    works(ocb_pass(pair->theirs, &m, (struct ocb_how){0, false}, expected, expected_tag));
    start(pair->ours, &m, ocb_random(&seed) % 2 == 0, new_key);
    if (EVP_CIPHER_CTX_is_encrypting(pair->ours)) {
        if (in_place) {
            memcpy(to, m.in, m.size);
            m.in = to;
        }
        works(ocb_pass(pair->ours, &m, how, to, tag));
        same(to, expected, m.size, "ciphertext");
        same(tag, expected_tag, m.tag_size, "tag");
        return;
    }
    sealed = m;
    sealed.in = expected;
    if (in_place) {
        memcpy(to, expected, m.size);
        sealed.in = to;
    }
    give_tag(pair->ours, &sealed, expected_tag);
    works(ocb_pass(pair->ours, &sealed, how, to, NULL));
    same(to, m.in, m.size, "plaintext");
}

START_TEST(many)
{
    const struct ocb_path *paths[OCB_PATHS_MAX];
    size_t count = ocb_able(paths);
    struct ocb_loaded theirs = ocb_load(NULL), ours[OCB_PATHS_MAX];
    struct pair pairs[OCB_PATHS_MAX][3] = {{{.ours = NULL}}};
    unsigned char nonce[15] = {0};

    ck_assert_uint_gt(count, 0);
    random_octets(&seed, in, sizeof(in));
    random_octets(&seed, aad, sizeof(aad));
    for (size_t p = 0; p < count; p++) {
        ours[p] = ocb_load(paths[p]);
        for (size_t k = 0; k < 3; k++) {
            struct ocb_message m = {pairs[p][k].key, nonce, aad, in, 16 + 8 * k, 12, 16, 0, 0};
            pairs[p][k].ours = ocb_begin(ours[p].cipher[k], &m, NULL);
            pairs[p][k].theirs = ocb_begin(theirs.cipher[k], &m, NULL);
        }
    }
    for (long i = 0; i < messages; i++) {
        size_t k = ocb_random(&seed) % 3;
        one(&pairs[(size_t)i % count][k], 16 + 8 * k, nonce);
    }
    for (size_t p = 0; p < count; p++) {
        for (size_t k = 0; k < 3; k++) {
            EVP_CIPHER_CTX_free(pairs[p][k].ours);
            EVP_CIPHER_CTX_free(pairs[p][k].theirs);
        }
        printf("%s ", ours[p].name);
        ocb_unload(&ours[p]);
    }
    ocb_unload(&theirs);
    printf("and libcrypto: %ld messages\n", messages);
}
END_TEST

int main(int count, char **arguments)
{
    Suite *suite = suite_create("provider: AES-OCB, many messages");
    TCase *tcase = tcase_create("many");
    SRunner *runner;
    int failed;

    if (count > 1)
        messages = strtol(arguments[1], NULL, 10);
    if (count > 2)
        seed = (unsigned)strtoul(arguments[2], NULL, 10);
    tcase_set_timeout(tcase, 7200);
    tcase_add_test(tcase, many);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
