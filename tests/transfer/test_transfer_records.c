/* The codec of a transfer's records, and the queue that they wait in. */
#include "apps/record_queue.h"
#include "apps/transfer_records.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t hash[TRANSFER_HASH_SIZE] = {1, 2, 3};

/* One of each type. */
static const struct transfer_record samples[] = {
    {.type = TRANSFER_RECORD_OFFER,
     .offer = {.files = 3, .octets = 4, .name = "name", .name_size = 4, .things = 1, .folders = 9}},
    {.type = TRANSFER_RECORD_ANSWER, .answer = true},
    {.type = TRANSFER_RECORD_ENTRY,
     .index = 7,
     .entry = {.index = 7,
               .kind = TRANSFER_FILE,
               .mode = 0640,
               .mtime = -5,
               .mtime_ns = 999999999,
               .size = 1ULL << 40,
               .path = "a/b",
               .path_size = 3}},
    {.type = TRANSFER_RECORD_WANT,
     .index = 8,
     .want = {.wanted = true, .offset = 1ULL << 33, .hash = hash}},
    {.type = TRANSFER_RECORD_WANT, .index = 8, .want = {.hash = hash, .reason = TRANSFER_EXISTS}},
    {.type = TRANSFER_RECORD_BEGIN, .index = 9, .begin = 1ULL << 33},
    {.type = TRANSFER_RECORD_HOLE, .index = 9, .hole = 1},
    {.type = TRANSFER_RECORD_DONE,
     .index = 9,
     .done = {.size = 5, .mtime = 1, .mtime_ns = 2, .hash = hash}},
    {.type = TRANSFER_RECORD_SPOILT, .index = 9, .reason = TRANSFER_READ},
    {.type = TRANSFER_RECORD_KEPT, .index = 9, .reason = 0},
    {.type = TRANSFER_RECORD_PROGRESS, .progress = UINT64_MAX},
    {.type = TRANSFER_RECORD_ALL, .all = UINT32_MAX},
    {.type = TRANSFER_RECORD_OVER, .over = {1, 2, 3}},
    {.type = TRANSFER_RECORD_STOP, .reason = 1},
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

static size_t write_sample(size_t i, uint8_t *out, size_t room)
{
    size_t size = transfer_write(&samples[i], out, room);

    ck_assert_uint_gt(size, 0);
    return size;
}

START_TEST(there_and_back)
{
    uint8_t one[TRANSFER_CONTROL_MAX], two[TRANSFER_CONTROL_MAX];
    struct transfer_record record;

    for (size_t i = 0; i < SAMPLES; i++) {
        size_t size = write_sample(i, one, sizeof one);
        ck_assert(transfer_parse(&record, (uint8_t)samples[i].type, one, size));
        ck_assert_uint_eq(record.index, samples[i].index);
        ck_assert_uint_eq(transfer_write(&record, two, sizeof two), size);
        ck_assert_mem_eq(one, two, size);
    }
}
END_TEST

START_TEST(every_octet_counts)
{
    uint8_t octets[TRANSFER_CONTROL_MAX + 1] = {0};
    struct transfer_record record;

    for (size_t i = 0; i < SAMPLES; i++) {
        size_t size = write_sample(i, octets, sizeof octets);
        octets[size] = 0;
        ck_assert(!transfer_parse(&record, (uint8_t)samples[i].type, octets, size + 1));
        for (size_t less = 0; less < size; less++)
            ck_assert(!transfer_parse(&record, (uint8_t)samples[i].type, octets, less));
        for (size_t room = 0; room < size; room++)
            ck_assert_uint_eq(transfer_write(&samples[i], octets, room), 0);
    }
}
END_TEST

/* The octet at `at` of a sample is changed: that must not be taken. */
static void refuses(size_t sample, size_t at, uint8_t value)
{
    uint8_t octets[TRANSFER_CONTROL_MAX];
    struct transfer_record record;
    size_t size = write_sample(sample, octets, sizeof octets);

    ck_assert_uint_lt(at, size);
    octets[at] = value;
    ck_assert_msg(!transfer_parse(&record, (uint8_t)samples[sample].type, octets, size),
                  "sample %zu with octet %zu = %u", sample, at, value);
}

START_TEST(numbers_out_of_bounds)
{
    refuses(0, 0, 2);    /* version */
    refuses(0, 9, 0x80); /* octets */
    refuses(1, 0, 2);    /* answer */
    refuses(2, 4, 0);    /* kind */
    refuses(2, 4, 4);
    refuses(2, 4, TRANSFER_FOLDER); /* with a size */
    refuses(2, 7, 0x10);            /* mode */
    refuses(2, 5, 1);
    refuses(2, 17, 0x7f); /* ns */
    refuses(2, 21, 0x80); /* size */
    refuses(3, 4, 2);     /* wanted? */
    refuses(3, 5, 0x80);  /* offset */
    refuses(3, 45, 1);    /* wanted, for a reason */
    refuses(4, 45, 0);    /* skipped, for none */
    refuses(5, 4, 0xff);  /* begin */
    refuses(6, 11, 0);    /* a hole of nothing */
    refuses(6, 4, 0x80);
    refuses(7, 4, 0x80); /* size */
    refuses(7, 20, 0x7f);
    refuses(8, 4, 0); /* spoilt, for no reason */
}
END_TEST

START_TEST(paths)
{
    static uint8_t octets[TRANSFER_CONTROL_MAX + 8];
    static char path[TRANSFER_PATH_MAX + 1];
    struct transfer_record record = {
        .type = TRANSFER_RECORD_ENTRY,
        .entry = {.kind = TRANSFER_FOLDER, .path = path, .path_size = TRANSFER_PATH_MAX}};

    size_t size = transfer_write(&record, octets, sizeof octets);
    ck_assert_uint_eq(size, TRANSFER_CONTROL_MAX);
    ck_assert(transfer_parse(&record, TRANSFER_RECORD_ENTRY, octets, size));
    record.entry.path_size = TRANSFER_PATH_MAX + 1;
    record.entry.path = path;
    size = transfer_write(&record, octets, sizeof octets);
    ck_assert(!transfer_parse(&record, TRANSFER_RECORD_ENTRY, octets, size));
    record.entry.kind = TRANSFER_FOLDER;
    record.entry.path_size = 0;
    size = transfer_write(&record, octets, sizeof octets);
    ck_assert(!transfer_parse(&record, TRANSFER_RECORD_ENTRY, octets, size));
}
END_TEST

START_TEST(other_types)
{
    static const uint8_t octets[64];
    struct transfer_record record;

    for (unsigned type = 0; type < 256; type++)
        if (type < TRANSFER_RECORD_OFFER || type > TRANSFER_RECORD_STOP)
            for (size_t size = 0; size <= sizeof octets; size++)
                ck_assert(!transfer_parse(&record, (uint8_t)type, octets, size));
    for (unsigned reason = 0; reason < 256; reason++)
        ck_assert_str_ne(transfer_stop_text((uint8_t)reason), "");
}
END_TEST

/* ---- the queue ---- */

/* Records of all sizes, put and read by turns, against a plain count of what should come. */
START_TEST(queue)
{
    enum { ROOM = 1000, LARGEST = 400 };
    struct record_queue q;
    uint8_t octets[LARGEST], type;
    const uint8_t *content;
    unsigned put = 0, got = 0;
    size_t size;

    ck_assert(record_queue_init(&q, ROOM));
    for (unsigned round = 0; round < 20000; round++) {
        unsigned wanted = (round * 7919U) % 5;
        for (unsigned i = 0; i < wanted; i++) {
            size = put * 31U % LARGEST;
            memset(octets, (int)(put & 0xff), size);
            if (!record_queue_put(&q, (uint8_t)put, octets, size))
                break;
            put++;
        }
        struct record_cursor cursor = record_queue_cursor(&q);
        size_t left = cursor.left;
        for (unsigned i = 0;
             i < round % 4 && record_queue_read(&q, &cursor, &type, &content, &size); i++) {
            ck_assert_uint_eq(type, got & 0xff);
            ck_assert_uint_eq(size, got * 31U % LARGEST);
            memset(octets, (int)(got & 0xff), size);
            ck_assert_mem_eq(content, octets, size);
            got++;
        }
        record_queue_drop(&q, left, &cursor);
        ck_assert_uint_le(q.used, ROOM);
    }
    ck_assert_uint_gt(got, 10000);
    record_queue_free(&q);
    ck_assert(!record_queue_put(&q, 0, octets, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transfer_records");
    TCase *tests = tcase_create("transfer_records");

    tcase_add_test(tests, there_and_back);
    tcase_add_test(tests, every_octet_counts);
    tcase_add_test(tests, numbers_out_of_bounds);
    tcase_add_test(tests, paths);
    tcase_add_test(tests, other_types);
    tcase_add_test(tests, queue);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
