/* AES-OCB right: the vectors, and libcrypto's own octets, on every path that this machine can run.
 */
#include "algorithms/ocb.h"
#include "evp.h"
#include "ocb_message.h"
#include "vectors.h"

#include <check.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTHS = 4201, ROOM = LENGTHS + 128 };

static const struct ocb_path *paths[OCB_PATHS_MAX];
static struct ocb_loaded ours, theirs;

/* Each test runs once for each path: _i. */
static void setup(int i)
{
    ours = ocb_load(paths[i]);
    theirs = ocb_load(NULL);
}

static void teardown(void)
{
    ocb_unload(&ours);
    ocb_unload(&theirs);
}

/* ---- vectors ---- */

static const struct ocb_how ways[] = {{0, false}, {1, false}, {77, false}, {0, true}};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static void check_vector(const struct vector *v)
{
    unsigned char key[32], nonce[15], aad[512], in[2048], expected[2048], tag[16], out[2048],
        got[16];
    const char *result = vector_find(v, "result");
    struct ocb_message m = {.key = key, .nonce = nonce, .aad = aad, .in = in};

    m.key_size = from_hex(vector_get(v, "key"), key, sizeof(key));
    m.nonce_size = from_hex(vector_get(v, "nonce"), nonce, sizeof(nonce));
    m.tag_size = from_hex(vector_get(v, "tag"), tag, sizeof(tag));
    ck_assert_uint_eq(strtoul(vector_get(v, "taglen"), NULL, 10), m.tag_size);
    m.aad_size = from_hex(vector_get(v, "aad"), aad, sizeof(aad));
    m.size = from_hex(vector_get(v, "ct"), in, sizeof(in));
    ck_assert_uint_eq(from_hex(vector_get(v, "pt"), expected, sizeof(expected)), m.size);
    for (int i = 0; i < WAYS; i++) {
        bool opened = ocb_open(ocb_cipher(&ours, m.key_size), &m, ways[i], tag, out);
        if (result != NULL && strcmp(result, "fail") == 0) {
            refused(opened, "MAC mismatch", "tag");
            continue;
        }
        works(opened);
        same(out, expected, m.size, vector_get(v, "title"));
        m.in = expected;
        works(ocb_seal(ocb_cipher(&ours, m.key_size), &m, ways[i], out, got));
        same(out, in, m.size, vector_get(v, "title"));
        same(got, tag, m.tag_size, vector_get(v, "title"));
        m.in = in;
    }
}

START_TEST(short_vectors)
{
    struct vector v = {.count = 0};
    FILE *file;
    int count = 0;

    setup(_i);
    file = vectors_open("aes-ocb.txt");
    for (; vectors_next(file, &v); count++)
        check_vector(&v);
    ck_assert_int_gt(count, 60);
    fclose(file);
    teardown();
}
END_TEST

/* Ciphertexts stand in the file by their SHA-256. */
static void check_long_vector(const struct vector *v)
{
    unsigned char key[32], nonce[15], expected[32], digest[32], tag[16], got[16];
    size_t size = strtoul(vector_get(v, "ptlen"), NULL, 10);
    size_t aad_size = strtoul(vector_get(v, "aadlen"), NULL, 10);
    unsigned char *in = malloc(size), *out = malloc(size), *aad = malloc(aad_size + 1);
    struct ocb_message m = {.key = key, .nonce = nonce, .aad = aad, .in = in};

    ck_assert(in != NULL && out != NULL && aad != NULL);
    for (size_t i = 0; i < size; i++)
        in[i] = (unsigned char)(i * 7 + i / 256);
    for (size_t i = 0; i < aad_size; i++)
        aad[i] = (unsigned char)(i * 11 + 3);
    m.size = size;
    m.aad_size = aad_size;
    m.key_size = from_hex(vector_get(v, "key"), key, sizeof(key));
    m.nonce_size = from_hex(vector_get(v, "nonce"), nonce, sizeof(nonce));
    m.tag_size = from_hex(vector_get(v, "tag"), tag, sizeof(tag));
    from_hex(vector_get(v, "ct_sha256"), expected, sizeof(expected));
    for (int i = 0; i < WAYS; i++) {
        works(ocb_seal(ocb_cipher(&ours, m.key_size), &m, ways[i], out, got));
        works(EVP_Q_digest(theirs.libctx, "SHA256", NULL, out, size, digest, NULL));
        same(digest, expected, 32, vector_get(v, "title"));
        same(got, tag, m.tag_size, vector_get(v, "title"));
    }
    free(in);
    free(out);
    free(aad);
}

START_TEST(long_vectors)
{
    struct vector v = {.count = 0};
    FILE *file;
    int count = 0;

    setup(_i);
    file = vectors_open("aes-ocb-long.txt");
    for (; vectors_next(file, &v); count++)
        check_long_vector(&v);
    ck_assert_int_gt(count, 10);
    fclose(file);
    teardown();
}
END_TEST

/* OCB-ENCRYPT(K, num2str(number, 96), aad, in): octets and tag behind one another; their number. */
static size_t numbered(const struct ocb_message *base, unsigned number, size_t aad_size,
                       size_t size, unsigned char *out)
{
    unsigned char nonce[12] = {0};
    struct ocb_message m = *base;

    nonce[10] = (unsigned char)(number >> 8);
    nonce[11] = (unsigned char)number;
    m.nonce = nonce;
    m.aad_size = aad_size;
    m.size = size;
    works(ocb_seal(ocb_cipher(&ours, m.key_size), &m, ways[0], out, out + size));
    return size + m.tag_size;
}

START_TEST(iterated_vectors)
{
    static unsigned char collected[2 * (127 * 128 / 2) * 2 + 128 * 3 * 16];
    struct vector v = {.count = 0};
    FILE *file;

    setup(_i);
    file = vectors_open("aes-ocb-iterated.txt");
    while (vectors_next(file, &v)) {
        unsigned char key[32] = {0}, zeros[128] = {0}, expected[16], got[16];
        struct ocb_message m = {.key = key, .aad = zeros, .in = zeros, .nonce_size = 12};
        size_t size = 0;
        m.key_size = strtoul(vector_get(&v, "keylen"), NULL, 10);
        m.tag_size = strtoul(vector_get(&v, "taglen"), NULL, 10);
        key[m.key_size - 1] = (unsigned char)(8 * m.tag_size);
        for (unsigned i = 0; i < 128; i++) {
            size += numbered(&m, 3 * i + 1, i, i, collected + size);
            size += numbered(&m, 3 * i + 2, 0, i, collected + size);
            size += numbered(&m, 3 * i + 3, i, 0, collected + size);
        }
        m.aad = collected;
        (void)numbered(&m, 385, size, 0, got);
        ck_assert_uint_eq(from_hex(vector_get(&v, "output"), expected, 16), m.tag_size);
        same(got, expected, m.tag_size, vector_get(&v, "title"));
    }
    fclose(file);
    teardown();
}
END_TEST

/* ---- libcrypto's own octets ---- */

struct buffers {
    unsigned char key[32], nonce[15], tag[16];
    unsigned char aad[ROOM], in[ROOM], expected[ROOM], out[ROOM];
};

/* A message of that size with everything else random. */
static struct ocb_message random_message(struct buffers *b, unsigned *seed, size_t size)
{
    struct ocb_message m = {.key = b->key, .nonce = b->nonce, .size = size};

    m.key_size = 16 + 8 * (ocb_random(seed) % 3);
    m.nonce_size = ocb_random(seed) % 2 == 0 ? 12 : 1 + ocb_random(seed) % 15;
    m.tag_size = ocb_random(seed) % 2 == 0 ? 16 : 1 + ocb_random(seed) % 16;
    m.aad_size = ocb_random_size(seed, 600);
    m.aad = b->aad + ocb_random(seed) % 64;
    m.in = b->in + ocb_random(seed) % 64;
    random_octets(seed, b->key, sizeof(b->key));
    random_octets(seed, b->nonce, sizeof(b->nonce));
    random_octets(seed, b->aad, 64 + m.aad_size);
    random_octets(seed, b->in, 64 + size);
    return m;
}

/* The octets behind what was written must be as they were. */
static void fence(unsigned char *out, size_t size)
{
    memset(out + size, 0xa5, 32);
}

static void check_fence(const unsigned char *out, size_t size)
{
    for (size_t i = 0; i < 32; i++)
        ck_assert_uint_eq(out[size + i], 0xa5);
}

static void compare(struct buffers *b, const struct ocb_message *m, unsigned *seed)
{
    struct ocb_how how = {.seed = ocb_random(seed) % 2 == 0 ? 0 : ocb_random(seed)};
    EVP_CIPHER *cipher = ocb_cipher(&ours, m->key_size);
    unsigned char tag[16], *out = b->out + ocb_random(seed) % 64;
    struct ocb_message sealed = *m, in_place = *m;

    how.whole = how.seed == 0 && ocb_random(seed) % 4 == 0;
    works(ocb_seal(ocb_cipher(&theirs, m->key_size), m, ways[0], b->expected, b->tag));
    fence(out, m->size);
    works(ocb_seal(cipher, m, how, out, tag));
    check_fence(out, m->size);
    same(out, b->expected, m->size, "ciphertext");
    same(tag, b->tag, m->tag_size, "tag");
    /* back, in place */
    sealed.in = out;
    works(ocb_open(cipher, &sealed, how, tag, out));
    check_fence(out, m->size);
    same(out, m->in, m->size, "plaintext");
    /* again, in place, and back elsewhere */
    in_place.in = out;
    works(ocb_seal(cipher, &in_place, how, out, tag));
    same(out, b->expected, m->size, "ciphertext in place");
    sealed.in = b->expected;
    works(ocb_open(cipher, &sealed, how, b->tag, out));
    same(out, m->in, m->size, "plaintext elsewhere");
}

START_TEST(every_length)
{
    static struct buffers b;
    unsigned seed = 5;

    setup(_i);
    for (size_t size = 0; size < LENGTHS; size++) {
        struct ocb_message m = random_message(&b, &seed, size);
        compare(&b, &m, &seed);
    }
    teardown();
}
END_TEST

START_TEST(random_cases)
{
    static struct buffers b;
    unsigned seed = 11;

    setup(_i);
    for (int i = 0; i < 2000; i++) {
        struct ocb_message m = random_message(&b, &seed, ocb_random_size(&seed, LENGTHS));
        compare(&b, &m, &seed);
    }
    teardown();
}
END_TEST

/* Beyond every kept L_i, with pieces that end anywhere in a group of blocks. */
START_TEST(megabytes)
{
    enum { SIZE = (5 << 16) + 7 };
    unsigned char *in = malloc(SIZE), *aad = malloc(SIZE), *out = malloc(SIZE);
    unsigned char *expected = malloc(SIZE), tag[16], expected_tag[16];
    unsigned char key[32] = {1}, nonce[12] = {2};
    struct ocb_message m = {key, nonce, aad, in, 32, 12, 16, SIZE / 2, SIZE};
    unsigned seed = 13;

    setup(_i);
    ck_assert(in != NULL && aad != NULL && out != NULL && expected != NULL);
    random_octets(&seed, in, SIZE);
    random_octets(&seed, aad, SIZE);
    works(ocb_seal(ocb_cipher(&theirs, 32), &m, ways[0], expected, expected_tag));
    for (int i = 0; i < WAYS; i++) {
        works(ocb_seal(ocb_cipher(&ours, 32), &m, ways[i], out, tag));
        same(out, expected, SIZE, "ciphertext");
        same(tag, expected_tag, 16, "tag");
    }
    free(in);
    free(aad);
    free(out);
    free(expected);
    teardown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider: AES-OCB");
    TCase *tcase = tcase_create("AES-OCB");
    int count = (int)ocb_able(paths), failed;
    SRunner *runner;

    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, short_vectors, 0, count);
    tcase_add_loop_test(tcase, long_vectors, 0, count);
    tcase_add_loop_test(tcase, iterated_vectors, 0, count);
    tcase_add_loop_test(tcase, every_length, 0, count);
    tcase_add_loop_test(tcase, random_cases, 0, count);
    tcase_add_loop_test(tcase, megabytes, 0, count);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
