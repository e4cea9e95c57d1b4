/* channel/noise.h, against public vectors through AESGCM, and what it must refuse. */
#include "channel/noise.h"

#include "fixed.h"
#include "support.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGES = 6, MESSAGE = 128 };

struct text {
    uint8_t octets[MESSAGE];
    size_t size;
};

struct vector {
    char protocol[64];
    struct text prologue, psk, e[2], hash, payload[MESSAGES], message[MESSAGES];
};

static struct usi_cipher gcm = {"AESGCM", "AES-256-GCM", USI_KEY, NULL};

static void fetch_gcm(void)
{
    support_setup();
    gcm.evp = EVP_CIPHER_fetch(support_libctx(), gcm.evp_name, NULL);
    ck_assert_ptr_nonnull(gcm.evp);
}

static void free_gcm(void)
{
    EVP_CIPHER_free(gcm.evp);
    support_teardown();
}

/* ---- the vectors' file ---- */

static void set_hex(struct text *to, const char *hex)
{
    ck_assert_int_eq(OPENSSL_hexstr2buf_ex(to->octets, sizeof to->octets, &to->size, hex, '\0'), 1);
}

static void set_field(struct vector *v, const char *key, const char *value)
{
    unsigned n = 0;

    if (strcmp(key, "init_prologue") == 0)
        set_hex(&v->prologue, value);
    else if (strcmp(key, "init_psk") == 0)
        set_hex(&v->psk, value);
    else if (strcmp(key, "init_ephemeral") == 0)
        set_hex(&v->e[0], value);
    else if (strcmp(key, "resp_ephemeral") == 0)
        set_hex(&v->e[1], value);
    else if (strcmp(key, "handshake_hash") == 0)
        set_hex(&v->hash, value);
    else if (sscanf(key, "payload.%u", &n) == 1 && n < MESSAGES)
        set_hex(&v->payload[n], value);
    else if (sscanf(key, "message.%u", &n) == 1 && n < MESSAGES)
        set_hex(&v->message[n], value);
}

/* The vector of that pattern with 25519, AESGCM and SHA256. */
static struct vector vector_of(const char *pattern)
{
    struct vector v = {0};
    char line[512], key[64], value[400], wanted[64];
    FILE *file = fopen(USI_VECTORS "/noise-25519-aesgcm-sha256.txt", "r");
    bool inside = false;

    ck_assert_ptr_nonnull(file);
    (void)snprintf(wanted, sizeof wanted, "Noise_%s_25519_AESGCM_SHA256", pattern);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || sscanf(line, "%63s = %399s", key, value) != 2)
            continue;
        if (strcmp(key, "protocol") == 0)
            inside = strcmp(value, wanted) == 0;
        else if (inside)
            set_field(&v, key, value);
        if (inside && strcmp(key, "protocol") == 0)
            memcpy(v.protocol, wanted, sizeof wanted);
    }
    (void)fclose(file);
    ck_assert_str_eq(v.protocol, wanted);
    ck_assert_uint_eq(v.message[MESSAGES - 1].size, v.payload[MESSAGES - 1].size + USI_TAG);
    return v;
}

/* ---- two sides of a vector ---- */

struct side {
    struct usi_crypto crypto;
    struct fixed fixed;
    struct usi_noise *noise;
};

static void side_new(struct side *s, const struct vector *v, enum usi_noise_pattern pattern,
                     bool initiator)
{
    const struct text *e = &v->e[initiator ? 0 : 1];

    s->crypto = *support_crypto();
    fixed_octets(&s->crypto, &s->fixed, e->octets, e->size);
    ck_assert_int_eq(usi_noise_new(&s->noise, &s->crypto, &gcm, pattern, initiator,
                                   v->prologue.octets, v->prologue.size),
                     0);
    if (v->psk.size == USI_KEY)
        usi_noise_set_psk(s->noise, v->psk.octets);
}

/* Handshake message n of the vector, written by one and read by the other. */
static void hand_over(const struct vector *v, unsigned n, struct side *from, struct side *to)
{
    uint8_t wire[MESSAGE], payload[MESSAGE];
    size_t size = 0;

    ck_assert_int_eq(usi_noise_write(from->noise, v->payload[n].octets, v->payload[n].size, wire,
                                     sizeof wire, &size),
                     0);
    ck_assert_uint_eq(size, v->message[n].size);
    ck_assert_mem_eq(wire, v->message[n].octets, size);
    ck_assert_int_eq(usi_noise_read(to->noise, v->message[n].octets, v->message[n].size, payload,
                                    sizeof payload, &size),
                     0);
    ck_assert_uint_eq(size, v->payload[n].size);
    ck_assert_mem_eq(payload, v->payload[n].octets, size);
}

static void check_transport(const struct vector *v, uint8_t key[2][USI_KEY])
{
    for (unsigned n = 2; n < MESSAGES; n++) {
        const struct text *payload = &v->payload[n], *message = &v->message[n];
        uint64_t counter = (n - 2) / 2;
        uint8_t out[MESSAGE];

        ck_assert_int_eq(usi_cipher_seal(&gcm, key[n % 2], counter, NULL, 0, payload->octets,
                                         payload->size, out),
                         0);
        ck_assert_mem_eq(out, message->octets, message->size);
        ck_assert_int_eq(usi_cipher_open(&gcm, key[n % 2], counter, NULL, 0, message->octets,
                                         message->size, out),
                         0);
        ck_assert_mem_eq(out, payload->octets, payload->size);
    }
}

static void check_vector(const char *name, enum usi_noise_pattern pattern)
{
    struct vector v = vector_of(name);
    uint8_t a[2][USI_KEY], b[2][USI_KEY];
    struct side i, r;

    side_new(&i, &v, pattern, true);
    side_new(&r, &v, pattern, false);
    hand_over(&v, 0, &i, &r);
    ck_assert_int_eq(usi_noise_split(i.noise, a[0], a[1]), USI_ERR_ARGUMENT);
    hand_over(&v, 1, &r, &i);
    ck_assert_mem_eq(usi_noise_hash(i.noise), v.hash.octets, USI_HASH);
    ck_assert_mem_eq(usi_noise_hash(r.noise), v.hash.octets, USI_HASH);
    ck_assert_int_eq(usi_noise_split(i.noise, a[0], a[1]), 0);
    ck_assert_int_eq(usi_noise_split(r.noise, b[0], b[1]), 0);
    ck_assert_mem_eq(a, b, sizeof a);
    check_transport(&v, a);
    usi_noise_free(i.noise);
    usi_noise_free(r.noise);
}

START_TEST(vectors_of_nn)
{
    check_vector("NN", USI_NOISE_NN);
}
END_TEST

START_TEST(vectors_of_nnpsk0)
{
    check_vector("NNpsk0", USI_NOISE_NNPSK0);
}
END_TEST

START_TEST(vectors_of_nnpsk2)
{
    check_vector("NNpsk2", USI_NOISE_NNPSK2);
}
END_TEST

/* ---- refusals ---- */

static const struct {
    const char *name;
    enum usi_noise_pattern pattern;
} patterns[] = {{"NN", USI_NOISE_NN}, {"NNpsk0", USI_NOISE_NNPSK0}, {"NNpsk2", USI_NOISE_NNPSK2}};

/* What reading message n of a vector says when octet `at` of it is changed; the sides are in its
 * place. */
static int read_changed(unsigned which, unsigned n, size_t at, uint8_t change)
{
    struct vector v = vector_of(patterns[which].name);
    uint8_t payload[MESSAGE];
    struct side i, r;
    size_t size = 0;

    side_new(&i, &v, patterns[which].pattern, true);
    side_new(&r, &v, patterns[which].pattern, false);
    hand_over(&v, 0, &i, &r);
    if (n == 1) {
        uint8_t out[MESSAGE];
        ck_assert_int_eq(usi_noise_write(r.noise, v.payload[1].octets, v.payload[1].size, out,
                                         sizeof out, &size),
                         0);
    } else { /* a fresh reader of message 0 */
        usi_noise_free(r.noise);
        side_new(&r, &v, patterns[which].pattern, false);
    }
    v.message[n].octets[at] ^= change;
    memset(payload, 0x55, sizeof payload);
    int result = usi_noise_read(n == 0 ? r.noise : i.noise, v.message[n].octets, v.message[n].size,
                                payload, sizeof payload, &size);
    usi_noise_free(i.noise);
    usi_noise_free(r.noise);
    return result;
}

START_TEST(every_flipped_bit_of_a_sealed_message_is_refused)
{
    for (unsigned which = 0; which < sizeof patterns / sizeof patterns[0]; which++) {
        struct vector v = vector_of(patterns[which].name);
        for (unsigned n = 0; n < 2; n++) {
            if (n == 0 && patterns[which].pattern == USI_NOISE_NN)
                continue; /* in clear: message 1 shows it */
            for (size_t at = 0; at < v.message[n].size; at++)
                ck_assert_int_eq(read_changed(which, n, at, (uint8_t)(1 << at % 8)),
                                 USI_ERR_TAMPERED);
        }
        ck_assert_int_eq(read_changed(which, 1, 0, 0), 0);
    }
}
END_TEST

START_TEST(message_1_in_clear_is_bound_by_message_2)
{
    struct vector v = vector_of("NN");
    uint8_t payload[MESSAGE], wire[MESSAGE];
    struct side i, r;
    size_t size = 0;

    side_new(&i, &v, USI_NOISE_NN, true);
    side_new(&r, &v, USI_NOISE_NN, false);
    ck_assert_int_eq(
        usi_noise_write(i.noise, v.payload[0].octets, v.payload[0].size, wire, sizeof wire, &size),
        0);
    wire[size - 1] ^= 1; /* the payload */
    ck_assert_int_eq(usi_noise_read(r.noise, wire, size, payload, sizeof payload, &size), 0);
    ck_assert_int_eq(usi_noise_write(r.noise, NULL, 0, wire, sizeof wire, &size), 0);
    ck_assert_int_eq(usi_noise_read(i.noise, wire, size, payload, sizeof payload, &size),
                     USI_ERR_TAMPERED);
    usi_noise_free(i.noise);
    usi_noise_free(r.noise);
}
END_TEST

START_TEST(a_wrong_psk_is_refused)
{
    for (unsigned which = 1; which < sizeof patterns / sizeof patterns[0]; which++) {
        struct vector v = vector_of(patterns[which].name);
        unsigned n = patterns[which].pattern == USI_NOISE_NNPSK0 ? 0 : 1;
        struct side i, r;
        uint8_t payload[MESSAGE], wire[MESSAGE];
        size_t size = 0;

        side_new(&i, &v, patterns[which].pattern, true);
        side_new(&r, &v, patterns[which].pattern, false);
        v.psk.octets[31] ^= 1;
        if (n == 1)
            hand_over(&v, 0, &i, &r);
        struct side *from = n == 0 ? &i : &r, *to = n == 0 ? &r : &i;
        usi_noise_set_psk(to->noise, v.psk.octets);
        ck_assert_int_eq(usi_noise_write(from->noise, NULL, 0, wire, sizeof wire, &size), 0);
        ck_assert_int_eq(usi_noise_read(to->noise, wire, size, payload, sizeof payload, &size),
                         USI_ERR_TAMPERED);
        usi_noise_free(i.noise);
        usi_noise_free(r.noise);
    }
}
END_TEST

/* Points of low order: X25519 with any private key makes zero of them. */
START_TEST(points_that_make_zero_are_refused)
{
    static const uint8_t point[3][USI_DH] = {
        {0}, {1}, {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
                   0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
                   0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00}};
    struct vector v = vector_of("NN");

    for (unsigned n = 0; n < 3; n++) {
        struct side r;
        uint8_t out[MESSAGE];
        size_t size = 0;

        side_new(&r, &v, USI_NOISE_NN, false);
        ck_assert_int_eq(usi_noise_read(r.noise, point[n], USI_DH, out, sizeof out, &size), 0);
        ck_assert_int_eq(usi_noise_write(r.noise, NULL, 0, out, sizeof out, &size), USI_ERR_FORMAT);
        usi_noise_free(r.noise);
    }
}
END_TEST

START_TEST(turns_are_kept)
{
    struct vector v = vector_of("NN");
    struct side i, r;
    uint8_t out[MESSAGE];
    size_t size = 0;

    side_new(&i, &v, USI_NOISE_NN, true);
    side_new(&r, &v, USI_NOISE_NN, false);
    ck_assert_int_eq(usi_noise_read(i.noise, out, 0, out, sizeof out, &size), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_noise_write(r.noise, NULL, 0, out, sizeof out, &size), USI_ERR_ARGUMENT);
    hand_over(&v, 0, &i, &r);
    ck_assert_int_eq(usi_noise_write(i.noise, NULL, 0, out, sizeof out, &size), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_noise_read(r.noise, out, 0, out, sizeof out, &size), USI_ERR_ARGUMENT);
    hand_over(&v, 1, &r, &i);
    ck_assert_int_eq(usi_noise_write(i.noise, NULL, 0, out, sizeof out, &size), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_noise_read(r.noise, out, 0, out, sizeof out, &size), USI_ERR_ARGUMENT);
    usi_noise_free(i.noise);
    usi_noise_free(r.noise);
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
    struct vector v = vector_of("NNpsk2");

    for (size_t size = 0; size < USI_DH + USI_TAG; size++) {
        struct side r;
        uint8_t out[MESSAGE];
        size_t made = 0;
        side_new(&r, &v, USI_NOISE_NNPSK2, false);
        ck_assert_int_eq(usi_noise_read(r.noise, v.message[0].octets, size, out, sizeof out, &made),
                         USI_ERR_FORMAT);
        usi_noise_free(r.noise);
    }
    struct side r; /* a payload that does not fit */
    uint8_t out[MESSAGE];
    size_t made = 0;
    side_new(&r, &v, USI_NOISE_NNPSK2, false);
    ck_assert_int_eq(usi_noise_read(r.noise, v.message[0].octets, v.message[0].size, out,
                                    v.payload[0].size - 1, &made),
                     USI_ERR_FORMAT);
    usi_noise_free(r.noise);
}
END_TEST

START_TEST(no_room_to_write_is_refused)
{
    struct vector v = vector_of("NN");

    for (size_t room = 0; room < v.message[0].size; room++) {
        struct side i;
        uint8_t out[MESSAGE];
        size_t made = 0;
        side_new(&i, &v, USI_NOISE_NN, true);
        ck_assert_int_eq(
            usi_noise_write(i.noise, v.payload[0].octets, v.payload[0].size, out, room, &made),
            USI_ERR_ARGUMENT);
        usi_noise_free(i.noise);
    }
}
END_TEST

/* The two doors of noise.h: both sides must have used them alike. */
START_TEST(what_is_mixed_in_must_agree)
{
    static const uint8_t one[USI_KEY] = {1}, two[USI_KEY] = {2};
    struct vector v = vector_of("NNpsk2");

    for (unsigned n = 0; n < 4; n++) {
        uint8_t payload[MESSAGE], wire[MESSAGE];
        size_t size = 0;
        struct side i, r;

        side_new(&i, &v, USI_NOISE_NNPSK2, true);
        side_new(&r, &v, USI_NOISE_NNPSK2, false);
        hand_over(&v, 0, &i, &r);
        ck_assert_int_eq(usi_noise_mix_hash(r.noise, one, 32), 0);
        ck_assert_int_eq(usi_noise_mix_hash(i.noise, n == 1 ? two : one, 32), 0);
        usi_noise_set_extra(r.noise, one);
        if (n != 3)
            usi_noise_set_extra(i.noise, n == 2 ? two : one);
        ck_assert_int_eq(usi_noise_write(r.noise, NULL, 0, wire, sizeof wire, &size), 0);
        ck_assert_int_eq(usi_noise_read(i.noise, wire, size, payload, sizeof payload, &size),
                         n == 0 ? 0 : USI_ERR_TAMPERED);
        usi_noise_free(i.noise);
        usi_noise_free(r.noise);
    }
}
END_TEST

START_TEST(no_randomness_is_an_error)
{
    struct vector v = vector_of("NN");
    uint8_t out[MESSAGE];
    size_t size = 0;
    struct side i;

    v.e[0].size = USI_DH - 1;
    side_new(&i, &v, USI_NOISE_NN, true);
    ck_assert_int_eq(usi_noise_write(i.noise, NULL, 0, out, sizeof out, &size), USI_ERR_INTERNAL);
    usi_noise_free(i.noise);
    usi_noise_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("noise");
    TCase *tcase = tcase_create("noise");

    tcase_add_unchecked_fixture(tcase, fetch_gcm, free_gcm);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, vectors_of_nn);
    tcase_add_test(tcase, vectors_of_nnpsk0);
    tcase_add_test(tcase, vectors_of_nnpsk2);
    tcase_add_test(tcase, every_flipped_bit_of_a_sealed_message_is_refused);
    tcase_add_test(tcase, message_1_in_clear_is_bound_by_message_2);
    tcase_add_test(tcase, a_wrong_psk_is_refused);
    tcase_add_test(tcase, points_that_make_zero_are_refused);
    tcase_add_test(tcase, turns_are_kept);
    tcase_add_test(tcase, impossible_sizes_are_refused);
    tcase_add_test(tcase, no_room_to_write_is_refused);
    tcase_add_test(tcase, what_is_mixed_in_must_agree);
    tcase_add_test(tcase, no_randomness_is_an_error);
    suite_add_tcase(suite, tcase);
    return support_run(suite);
}
