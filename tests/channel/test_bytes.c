/* channel/bytes.h: the reader and the writer of wire formats. */
#include "channel/bytes.h"

#include "support.h"

START_TEST(reads_numbers_in_network_order)
{
    static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0xff};
    struct usi_read r = usi_read_from(bytes, sizeof bytes);

    ck_assert_uint_eq(usi_read_number(&r, 8), UINT64_C(0x0102030405060708));
    ck_assert_uint_eq(usi_read_u8(&r), 0xff);
    ck_assert(usi_read_done(&r));
}
END_TEST

START_TEST(reading_past_the_end_fails_for_good)
{
    static const uint8_t bytes[] = {1, 2, 3};
    struct usi_read r = usi_read_from(bytes, sizeof bytes);

    ck_assert_uint_eq(usi_read_number(&r, 2), 0x0102);
    ck_assert_uint_eq(usi_read_number(&r, 2), 0);
    ck_assert(r.failed);
    ck_assert_uint_eq(usi_read_u8(&r), 0); /* would fit, but comes too late */
    ck_assert_ptr_null(usi_read_bytes(&r, 0));
    ck_assert(!usi_read_done(&r));
}
END_TEST

START_TEST(what_is_left_over_is_not_done)
{
    static const uint8_t bytes[] = {1, 2};
    struct usi_read r = usi_read_from(bytes, sizeof bytes);

    ck_assert_uint_eq(usi_read_u8(&r), 1);
    ck_assert(!usi_read_done(&r));
    ck_assert_ptr_eq(usi_read_bytes(&r, 1), bytes + 1);
    ck_assert(usi_read_done(&r));
    ck_assert_ptr_nonnull(usi_read_bytes(&r, 0));
    ck_assert(usi_read_done(&r));
}
END_TEST

START_TEST(a_size_near_the_top_does_not_wrap)
{
    uint8_t bytes[4] = {0};
    struct usi_read r = usi_read_from(bytes, sizeof bytes);
    struct usi_write w = usi_write_to(bytes, sizeof bytes);

    ck_assert_ptr_null(usi_read_bytes(&r, SIZE_MAX));
    usi_write_number(&w, 1, 2);
    ck_assert_ptr_null(usi_write_room(&w, SIZE_MAX));
    ck_assert(!usi_write_done(&w));
}
END_TEST

START_TEST(nothing_at_all_can_be_read)
{
    struct usi_read r = usi_read_from(NULL, 0);

    ck_assert(usi_read_done(&r));
    ck_assert_uint_eq(usi_read_u8(&r), 0);
    ck_assert(!usi_read_done(&r));
}
END_TEST

START_TEST(writes_what_reads_back)
{
    uint8_t bytes[16];
    static const uint8_t expected[16] = {0, 1, 0x81, 0,   0,   0,   0, 0,
                                         0, 0, 0xfe, 'a', 'b', 'c', 0, 7};
    struct usi_write w = usi_write_to(bytes, sizeof bytes);

    usi_write_number(&w, 0x0181, 3);
    usi_write_number(&w, 0xfe, 8);
    usi_write_bytes(&w, "abc", 3);
    usi_write_bytes(&w, NULL, 0);
    usi_write_number(&w, 0x10007, 2); /* the low octets of a number */
    ck_assert(usi_write_done(&w));
    ck_assert_uint_eq(w.used, sizeof bytes);
    ck_assert_mem_eq(bytes, expected, sizeof bytes);
}
END_TEST

START_TEST(writing_past_the_end_fails_for_good_and_writes_nothing)
{
    uint8_t bytes[4] = {9, 9, 9, 9};
    struct usi_write w = usi_write_to(bytes, 3);

    usi_write_number(&w, 0x0102, 2);
    usi_write_bytes(&w, "xy", 2);
    usi_write_number(&w, 1, 1);
    ck_assert(!usi_write_done(&w));
    ck_assert_uint_eq(w.used, 2);
    ck_assert_uint_eq(bytes[2], 9);
    ck_assert_uint_eq(bytes[3], 9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bytes");
    TCase *tcase = tcase_create("bytes");

    tcase_add_test(tcase, reads_numbers_in_network_order);
    tcase_add_test(tcase, reading_past_the_end_fails_for_good);
    tcase_add_test(tcase, what_is_left_over_is_not_done);
    tcase_add_test(tcase, a_size_near_the_top_does_not_wrap);
    tcase_add_test(tcase, nothing_at_all_can_be_read);
    tcase_add_test(tcase, writes_what_reads_back);
    tcase_add_test(tcase, writing_past_the_end_fails_for_good_and_writes_nothing);
    suite_add_tcase(suite, tcase);
    return support_run(suite);
}
