/* channel/record.h: what is sealed opens, however it arrives; and nothing else does. */
#include "channel/record.h"

#include "channel/bytes.h"
#include "support.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static const uint8_t key[USI_KEY] = {0x6b, 0x65, 0x79};

struct ends {
    struct usi_sealer sealer;
    struct usi_opener opener;
    uint8_t *plain; /* USI_RECORD_ROOM octets */
    size_t content;
    uint8_t type;
};

static const struct usi_cipher *cipher_of(unsigned n)
{
    return &support_crypto()->cipher[n];
}

static void ends_new(struct ends *e, unsigned cipher)
{
    *e = (struct ends){.plain = malloc(USI_RECORD_ROOM)};
    ck_assert_ptr_nonnull(e->plain);
    ck_assert_int_eq(usi_sealer_key(&e->sealer, cipher_of(cipher), key), 0);
    ck_assert_int_eq(usi_opener_key(&e->opener, cipher_of(cipher), key), 0);
}

static void ends_free(struct ends *e)
{
    usi_sealer_clear(&e->sealer);
    usi_opener_clear(&e->opener);
    free(e->plain);
}

static void seal(struct ends *e, enum usi_record_type type, const void *content, size_t size,
                 struct octets *record)
{
    size_t room = usi_seal_size(type, size), made = 0;
    uint8_t *out = malloc(room);

    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(usi_seal(&e->sealer, type, content, size, out, &made), 0);
    ck_assert_uint_eq(made, room);
    octets_add(record, out, made);
    free(out);
}

/* A record of a plaintext that usi_seal would not make: sealed in one go, at the opener's counter.
 */
static void craft(const struct ends *e, const uint8_t *plain, size_t size, struct octets *record)
{
    uint8_t header[USI_RECORD_HEADER];
    uint8_t *sealed = malloc(size + USI_TAG);

    ck_assert_ptr_nonnull(sealed);
    usi_put_number(header, size + USI_TAG, sizeof header);
    ck_assert_int_eq(usi_cipher_seal(cipher_of(2), key, e->opener.counter, header, sizeof header,
                                     plain, size, sealed),
                     0);
    octets_add(record, header, sizeof header);
    octets_add(record, sealed, size + USI_TAG);
    free(sealed);
}

static bool all(const uint8_t *octets, size_t size, uint8_t value)
{
    while (size > 0 && octets[size - 1] == value)
        size--;
    return size == 0;
}

/* Feeds pieces of `step` octets (0: at random) until something other than MORE comes. */
static int open_split(struct ends *e, const uint8_t *in, size_t size, size_t step, uint64_t *state)
{
    int result = USI_OPEN_MORE;
    size_t at = 0;

    while (at < size && result == USI_OPEN_MORE) {
        size_t n = step > 0 ? step : 1 + dice(state, size < 300 ? 40 : 20000);
        size_t taken = 0;
        if (n > size - at)
            n = size - at;
        size_t want = usi_open_want(&e->opener);
        if (want == 0 || want > size - at) /* never beyond this record */
            ck_abort_msg("%zu octets wanted of %zu", want, size - at);
        result = usi_open(&e->opener, in + at, n, &taken, e->plain, USI_RECORD_ROOM, &e->content,
                          &e->type);
        at += taken;
        if (result == USI_OPEN_MORE && taken != n)
            ck_abort_msg("%zu octets of %zu taken", taken, n);
    }
    if (result == USI_OPEN_RECORD)
        ck_assert_uint_eq(at, size);
    return result;
}

static int open_whole(struct ends *e, const struct octets *record)
{
    return open_split(e, record->base, record->size, record->size, NULL);
}

/* ---- what must open ---- */

static void check_size(struct ends *e, const uint8_t *content, size_t size,
                       enum usi_record_type type, uint64_t *state)
{
    /* whole, octet by octet (short ones), by fives, by sixteens, twice at random */
    static const size_t steps[] = {SIZE_MAX, 1, 5, 16, 0, 0};

    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct octets record = {0};
        if (steps[i] != SIZE_MAX && steps[i] != 0 && size > 700)
            continue;
        seal(e, type, content, size, &record);
        ck_assert_int_eq(open_split(e, record.base, record.size, steps[i], state), USI_OPEN_RECORD);
        ck_assert_int_eq(e->type, (int)type);
        ck_assert_uint_eq(e->content, size);
        if (size > 0)
            ck_assert_mem_eq(e->plain, content, size);
        octets_clear(&record);
    }
}

START_TEST(every_size_opens_in_every_split)
{
    static const size_t large[] = {4095,  65279, 65280, 65281, 65519,
                                   65520, 65521, 65534, 65535, 65536};
    uint8_t *content = malloc(USI_RECORD_DATA);
    uint64_t state = 5;
    struct ends e;

    ck_assert_ptr_nonnull(content);
    dice_fill(&state, content, USI_RECORD_DATA);
    ends_new(&e, (unsigned)_i);
    for (size_t size = 0; size <= 600; size++)
        check_size(&e, content, size, USI_RECORD_TYPE_DATA, &state);
    for (size_t size = 0; size <= 600; size++)
        check_size(&e, content, size, USI_RECORD_TYPE_PING, &state);
    for (unsigned i = 0; i < sizeof large / sizeof large[0]; i++)
        check_size(&e, content, large[i], USI_RECORD_TYPE_DATA, &state);
    check_size(&e, content, 2304, USI_RECORD_TYPE_REKEY_2, &state);
    ck_assert_uint_eq(e.sealer.counter, e.opener.counter);
    ck_assert_uint_eq(e.sealer.wire, e.opener.wire);
    ends_free(&e);
    free(content);
}
END_TEST

START_TEST(content_that_ends_in_zeros_keeps_them)
{
    static const uint8_t zeros[1000];
    uint64_t state = 6;
    struct ends e;

    ends_new(&e, 2);
    for (size_t size = 0; size <= sizeof zeros; size += 50) {
        check_size(&e, zeros, size, USI_RECORD_TYPE_DATA, &state);
        check_size(&e, zeros, size, USI_RECORD_TYPE_PONG, &state);
    }
    ends_free(&e);
}
END_TEST

START_TEST(many_records_in_one_buffer_open_one_by_one)
{
    struct octets all = {0};
    struct ends e;
    size_t at = 0;

    ends_new(&e, 0);
    for (uint8_t n = 0; n < 50; n++)
        seal(&e, USI_RECORD_TYPE_DATA, &n, 1, &all);
    for (uint8_t n = 0; n < 50; n++) {
        size_t taken = 0;
        ck_assert_int_eq(usi_open(&e.opener, all.base + at, all.size - at, &taken, e.plain,
                                  USI_RECORD_ROOM, &e.content, &e.type),
                         USI_OPEN_RECORD);
        ck_assert_uint_eq(e.plain[0], n);
        at += taken;
    }
    ck_assert_uint_eq(at, all.size);
    octets_clear(&all);
    ends_free(&e);
}
END_TEST

START_TEST(the_layout_is_the_documented_one)
{
    struct octets record = {0};
    uint8_t plain[512];
    struct ends e;

    ends_new(&e, 2);
    seal(&e, USI_RECORD_TYPE_DATA, "abc", 3, &record);
    ck_assert_uint_eq(record.size, 3 + USI_RECORD_OVERHEAD);
    ck_assert_mem_eq(record.base, "\0\0\0\x14", 4);
    ck_assert_int_eq(usi_cipher_open(cipher_of(2), key, 0, record.base, 4, record.base + 4,
                                     record.size - 4, plain),
                     0);
    ck_assert_mem_eq(plain, "abc\x01", 4);
    octets_drop(&record, record.size);
    seal(&e, USI_RECORD_TYPE_END, "12345678", 8,
         &record); /* the second: counter 1, padded to 256 */
    ck_assert_uint_eq(record.size, 4 + 256 + 16);
    ck_assert_int_eq(usi_cipher_open(cipher_of(2), key, 1, record.base, 4, record.base + 4,
                                     record.size - 4, plain),
                     0);
    ck_assert_mem_eq(plain, "12345678\x02", 9);
    ck_assert(all(plain + 9, 256 - 9, 0));
    octets_clear(&record);
    ends_free(&e);
}
END_TEST

START_TEST(all_but_data_is_padded_to_256)
{
    for (size_t size = 0; size <= 2304; size++) {
        size_t made = usi_seal_size(USI_RECORD_TYPE_END, size);
        ck_assert_uint_eq((made - 20) % 256, 0);
        ck_assert_uint_gt(made - 20, size);
        ck_assert_uint_le(made - 20, size + 256);
    }
    ck_assert_uint_eq(usi_seal_size(USI_RECORD_TYPE_DATA, 0), 21);
    ck_assert_uint_eq(usi_seal_size(USI_RECORD_TYPE_DATA, 65536), 65536 + 21);
}
END_TEST

/* ---- padding ---- */

struct padding {
    size_t content, zeros;
    int type, result;
};

static const struct padding paddings[] = {
    {0, 0, 1, USI_OPEN_RECORD},        {0, 255, 1, USI_OPEN_RECORD},
    {0, 256, 1, USI_ERR_PROTOCOL},     {1, 255, 255, USI_OPEN_RECORD},
    {1, 256, 1, USI_ERR_PROTOCOL},     {500, 255, 1, USI_OPEN_RECORD},
    {500, 256, 1, USI_ERR_PROTOCOL},   {500, 1000, 1, USI_ERR_PROTOCOL},
    {65536, 0, 1, USI_OPEN_RECORD},    {65536, 255, 1, USI_OPEN_RECORD},
    {65537, 0, 1, USI_ERR_PROTOCOL},   {65537, 254, 1, USI_ERR_PROTOCOL},
    {65791, 0, 1, USI_ERR_PROTOCOL},   {0, 0, 0, USI_ERR_PROTOCOL},
    {0, 100, 0, USI_ERR_PROTOCOL},     {0, 65791, 0, USI_ERR_PROTOCOL},
    {255, 65536, 1, USI_ERR_PROTOCOL},
};

START_TEST(padding_is_at_most_255_zeros_behind_a_type)
{
    const struct padding *p = &paddings[_i];
    size_t size = p->content + 1 + p->zeros;
    uint8_t *plain = calloc(1, size);
    struct octets record = {0};
    struct ends e;

    ck_assert_ptr_nonnull(plain);
    memset(plain, 0x99, p->content);
    plain[p->content] = (uint8_t)p->type;
    ends_new(&e, 2);
    craft(&e, plain, size, &record);
    memset(e.plain, 0x77, USI_RECORD_ROOM);
    ck_assert_int_eq(open_whole(&e, &record), p->result);
    if (p->result == USI_OPEN_RECORD) {
        ck_assert_uint_eq(e.content, p->content);
        ck_assert_int_eq(e.type, p->type);
    } else {
        ck_assert(all(e.plain, size, 0)); /* wiped */
    }
    octets_clear(&record);
    ends_free(&e);
    free(plain);
}
END_TEST

/* Content that ends in zeros and a type of 0 is not a record of the content before. */
START_TEST(a_type_of_zero_is_refused)
{
    static const uint8_t plain[400] = {1, 2, 3};
    struct octets record = {0};
    struct ends e;

    ends_new(&e, 2);
    craft(&e, plain, sizeof plain, &record);
    ck_assert_int_eq(open_whole(&e, &record), USI_ERR_PROTOCOL);
    octets_clear(&record);
    ends_free(&e);
}
END_TEST

/* ---- lengths ---- */

START_TEST(impossible_lengths_are_refused_from_the_header)
{
    static const uint32_t lengths[] = {0,     1,          15,         16,        65809,
                                       65810, 0x10000000, 0x7fffffff, 0xffffffff};

    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t header[USI_RECORD_HEADER];
        struct ends e;
        size_t taken = 0;
        ends_new(&e, 1);
        usi_put_number(header, lengths[i], sizeof header);
        for (size_t n = 0; n < 3; n++)
            ck_assert_int_eq(usi_open(&e.opener, header + n, 1, &taken, e.plain, USI_RECORD_ROOM,
                                      &e.content, &e.type),
                             USI_OPEN_MORE);
        ck_assert_int_eq(usi_open(&e.opener, header + 3, 1, &taken, e.plain, USI_RECORD_ROOM,
                                  &e.content, &e.type),
                         USI_ERR_FORMAT);
        ends_free(&e);
    }
}
END_TEST

START_TEST(possible_lengths_wait_for_their_body)
{
    static const uint32_t lengths[] = {17, 18, 65808};

    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t header[USI_RECORD_HEADER];
        struct ends e;
        size_t taken = 0;
        ends_new(&e, 1);
        usi_put_number(header, lengths[i], sizeof header);
        ck_assert_int_eq(usi_open(&e.opener, header, sizeof header, &taken, e.plain,
                                  USI_RECORD_ROOM, &e.content, &e.type),
                         USI_OPEN_MORE);
        ck_assert_uint_eq(usi_open_want(&e.opener), lengths[i]);
        ends_free(&e);
    }
}
END_TEST

START_TEST(a_lower_bound_on_the_next_record_holds)
{
    struct octets record = {0};
    struct ends e;

    ends_new(&e, 2);
    e.opener.length_max = 272;
    seal(&e, USI_RECORD_TYPE_PROOF, "0123456789abcdef", 16, &record);
    ck_assert_int_eq(open_whole(&e, &record), USI_OPEN_RECORD);
    e.opener.length_max = 271;
    octets_drop(&record, record.size);
    seal(&e, USI_RECORD_TYPE_PROOF, "0123456789abcdef", 16, &record);
    ck_assert_int_eq(open_whole(&e, &record), USI_ERR_FORMAT);
    octets_clear(&record);
    ends_free(&e);
}
END_TEST

/* ---- changes on the way ---- */

START_TEST(a_flipped_bit_anywhere_is_refused_and_the_plaintext_wiped)
{
    enum { SIZE = 200 };
    uint8_t content[SIZE];

    memset(content, 0x31, sizeof content);
    for (size_t at = 0; at < SIZE + USI_RECORD_OVERHEAD; at++) {
        struct octets record = {0};
        struct ends e;
        ends_new(&e, 2);
        seal(&e, USI_RECORD_TYPE_DATA, content, sizeof content, &record);
        seal(&e, USI_RECORD_TYPE_DATA, content, sizeof content,
             &record); /* what a longer length runs into */
        record.base[at] ^= (uint8_t)(1 << at % 8);
        memset(e.plain, 0x77, USI_RECORD_ROOM);
        size_t taken = 0;
        int result = usi_open(&e.opener, record.base, record.size, &taken, e.plain, USI_RECORD_ROOM,
                              &e.content, &e.type);
        if (at >= USI_RECORD_HEADER)
            ck_assert_int_eq(result, USI_ERR_TAMPERED);
        else /* the length: too long to be one, longer than what came, or another one */
            ck_assert(result == USI_ERR_FORMAT || result == USI_OPEN_MORE ||
                      result == USI_ERR_TAMPERED);
        for (size_t i = 0; i < SIZE && result == USI_ERR_TAMPERED; i++)
            ck_assert_uint_eq(e.plain[i] == 0x31, 0);
        octets_clear(&record);
        ends_free(&e);
    }
}
END_TEST

START_TEST(another_length_of_the_same_octets_is_refused)
{
    struct octets record = {0};
    struct ends e;
    size_t taken = 0;

    ends_new(&e, 2);
    seal(&e, USI_RECORD_TYPE_DATA, "0123456789", 10, &record);
    record.base[3]--; /* the length is authenticated, not merely obeyed */
    ck_assert_int_eq(usi_open(&e.opener, record.base, record.size, &taken, e.plain, USI_RECORD_ROOM,
                              &e.content, &e.type),
                     USI_ERR_TAMPERED);
    octets_clear(&record);
    ends_free(&e);
}
END_TEST

/* Records 0, 1 and 2, and the order in which they arrive; the last of them must fail. */
static const unsigned orders[][3] = {{1, 9, 9}, {0, 2, 9}, {0, 0, 9},
                                     {0, 1, 0}, {0, 1, 1}, {2, 9, 9}};

START_TEST(swapped_repeated_and_lost_records_are_refused)
{
    struct octets record[3] = {{0}};
    struct ends e;

    ends_new(&e, (unsigned)_i % USI_CIPHERS);
    for (unsigned n = 0; n < 3; n++)
        seal(&e, USI_RECORD_TYPE_DATA, "same", 4, &record[n]);
    for (unsigned n = 0; n < 3 && orders[_i][n] != 9; n++) {
        bool last = n == 2 || orders[_i][n + 1] == 9;
        ck_assert_int_eq(open_whole(&e, &record[orders[_i][n]]),
                         last ? (int)USI_ERR_TAMPERED : (int)USI_OPEN_RECORD);
    }
    for (unsigned n = 0; n < 3; n++)
        octets_clear(&record[n]);
    ends_free(&e);
}
END_TEST

START_TEST(another_key_does_not_open)
{
    static const uint8_t other[USI_KEY] = {0x6b, 0x65, 0x78};
    struct octets record = {0};
    struct ends e;

    ends_new(&e, 2);
    seal(&e, USI_RECORD_TYPE_DATA, "x", 1, &record);
    usi_opener_clear(&e.opener);
    ck_assert_int_eq(usi_opener_key(&e.opener, cipher_of(2), other), 0);
    ck_assert_int_eq(open_whole(&e, &record), USI_ERR_TAMPERED);
    octets_clear(&record);
    ends_free(&e);
}
END_TEST

/* ---- room, counter ---- */

START_TEST(a_record_that_does_not_fit_is_left_alone)
{
    struct octets record = {0};
    uint8_t content[100];
    size_t taken = 0;
    struct ends e;

    memset(content, 0x44, sizeof content);
    ends_new(&e, 2);
    seal(&e, USI_RECORD_TYPE_DATA, content, sizeof content, &record);
    /* the body is the content and a type octet */
    ck_assert_int_eq(
        usi_open(&e.opener, record.base, record.size, &taken, e.plain, 100, &e.content, &e.type),
        USI_OPEN_ROOM);
    ck_assert_uint_eq(taken, USI_RECORD_HEADER);
    ck_assert_int_eq(usi_open(&e.opener, record.base + 4, record.size - 4, &taken, e.plain, 100,
                              &e.content, &e.type),
                     USI_OPEN_ROOM);
    ck_assert_uint_eq(taken, 0);
    ck_assert_int_eq(usi_open(&e.opener, record.base + 4, record.size - 4, &taken, e.plain, 101,
                              &e.content, &e.type),
                     USI_OPEN_RECORD);
    ck_assert_uint_eq(taken, record.size - 4);
    ck_assert_uint_eq(e.content, 100);
    octets_clear(&record);
    ends_free(&e);
}
END_TEST

START_TEST(nothing_is_written_past_the_room)
{
    uint8_t content[333] = {1};
    uint64_t state = 9;

    for (size_t size = 0; size <= sizeof content; size++) {
        struct octets record = {0};
        struct ends e;
        ends_new(&e, 2);
        seal(&e, USI_RECORD_TYPE_DATA, content, size, &record);
        free(e.plain);
        e.plain = malloc(size + 1); /* exactly; the sanitizers and valgrind watch */
        ck_assert_ptr_nonnull(e.plain);
        int result = USI_OPEN_MORE;
        for (size_t at = 0, taken = 0; at < record.size; at += taken) {
            size_t n = 1 + dice(&state, 30);
            if (n > record.size - at)
                n = record.size - at;
            result = usi_open(&e.opener, record.base + at, n, &taken, e.plain, size + 1, &e.content,
                              &e.type);
        }
        ck_assert_int_eq(result, USI_OPEN_RECORD);
        octets_clear(&record);
        ends_free(&e);
    }
}
END_TEST

START_TEST(counters_go_up_to_the_top_and_no_further)
{
    struct octets record = {0};
    uint8_t out[64];
    size_t made = 0;
    struct ends e;

    ends_new(&e, 0);
    e.sealer.counter = e.opener.counter = UINT64_MAX - 1;
    seal(&e, USI_RECORD_TYPE_DATA, "last", 4, &record);
    ck_assert_int_eq(open_whole(&e, &record), USI_OPEN_RECORD);
    ck_assert_int_eq(usi_seal(&e.sealer, USI_RECORD_TYPE_DATA, out, 1, out, &made),
                     USI_ERR_KEY_LIMIT);
    octets_clear(&record);
    ends_free(&e);
}
END_TEST

START_TEST(a_cleared_side_holds_no_key)
{
    struct ends e;

    ends_new(&e, 2);
    usi_sealer_clear(&e.sealer);
    usi_opener_clear(&e.opener);
    ck_assert_ptr_null(e.sealer.key.ctx);
    ck_assert_ptr_null(e.opener.key.ctx);
    usi_sealer_clear(&e.sealer); /* twice is fine */
    usi_opener_clear(&e.opener);
    free(e.plain);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *good = support_case(suite, "opens");
    TCase *bad = support_case(suite, "refuses");

    tcase_add_loop_test(good, every_size_opens_in_every_split, 0, USI_CIPHERS);
    tcase_add_test(good, content_that_ends_in_zeros_keeps_them);
    tcase_add_test(good, many_records_in_one_buffer_open_one_by_one);
    tcase_add_test(good, the_layout_is_the_documented_one);
    tcase_add_test(good, all_but_data_is_padded_to_256);
    tcase_add_loop_test(good, padding_is_at_most_255_zeros_behind_a_type, 0,
                        sizeof paddings / sizeof paddings[0]);
    tcase_add_test(good, possible_lengths_wait_for_their_body);
    tcase_add_test(good, a_record_that_does_not_fit_is_left_alone);
    tcase_add_test(good, nothing_is_written_past_the_room);
    tcase_add_test(bad, a_type_of_zero_is_refused);
    tcase_add_test(bad, impossible_lengths_are_refused_from_the_header);
    tcase_add_test(bad, a_lower_bound_on_the_next_record_holds);
    tcase_add_test(bad, a_flipped_bit_anywhere_is_refused_and_the_plaintext_wiped);
    tcase_add_test(bad, another_length_of_the_same_octets_is_refused);
    tcase_add_loop_test(bad, swapped_repeated_and_lost_records_are_refused, 0,
                        sizeof orders / sizeof orders[0]);
    tcase_add_test(bad, another_key_does_not_open);
    tcase_add_test(bad, counters_go_up_to_the_top_and_no_further);
    tcase_add_test(bad, a_cleared_side_holds_no_key);
    return support_run(suite);
}
