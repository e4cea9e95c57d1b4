/* Receivers that break the rules: the sender ends the transfer. */
#include "tree.h"
#include "wire.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 100000 };

static struct {
    uv_loop_t loop;
    struct wire down, up;
    struct carrier carrier;
    struct outbox *outbox;
    struct sender *sender;
    struct witness w;
    uint8_t octets[SIZE], hash[TREE_HASH];
} at;

static void begin_sender(void)
{
    const char *names[] = {tree_path("f"), tree_path("x"), tree_path("y")};
    char why[256];

    wire_join(&at.down, &at.up, 1 << 20);
    memset(&at.w, 0, sizeof at.w);
    at.outbox = outbox_new(names, 3, tree_sha256(), why, sizeof why);
    ck_assert_ptr_nonnull(at.outbox);
    at.sender = sender_new(&at.loop, at.outbox, &at.carrier, &at.down, witness_event, &at.w);
    ck_assert_ptr_nonnull(at.sender);
    sender_start(at.sender);
    wire_settle(&at.loop);
}

static void end_sender(void)
{
    sender_free(at.sender, NULL, NULL);
    wire_settle(&at.loop);
    outbox_free(at.outbox);
    wire_drop(&at.down);
}

/* Entries: 0 the folder f, 1 its end, 2 x, 3 y. */
static void begin(void)
{
    tree_begin();
    tree_folder("f", 0755);
    tree_noise(at.octets, sizeof at.octets, 3);
    tree_hash(at.octets, 100, at.hash);
    tree_file("x", at.octets, sizeof at.octets, 0644);
    tree_text("y", "");
    ck_assert_int_eq(uv_loop_init(&at.loop), 0);
    at.carrier = (struct carrier){.room = wire_room, .record = wire_record, .chunk = 65536};
    begin_sender();
}

static void finish(void)
{
    end_sender();
    ck_assert_int_eq(uv_loop_close(&at.loop), 0);
    tree_end();
}

static void again(void)
{
    end_sender();
    begin_sender();
}

/* ---- what a receiver says ---- */

static void say_octets(uint8_t type, const uint8_t *content, size_t size)
{
    sender_take(at.sender, type, content, size);
    wire_settle(&at.loop);
}

static void say(struct transfer_record record)
{
    uint8_t content[TRANSFER_CONTROL_MAX];
    size_t size = transfer_write(&record, content, sizeof content);

    ck_assert_uint_gt(size, 0);
    say_octets((uint8_t)record.type, content, size);
}

static void answer(bool yes)
{
    say((struct transfer_record){.type = TRANSFER_RECORD_ANSWER, .answer = yes});
}

static void want(uint32_t index, uint64_t offset, uint8_t reason)
{
    say((struct transfer_record){
        .type = TRANSFER_RECORD_WANT,
        .index = index,
        .want = {.wanted = reason == 0, .offset = offset, .hash = at.hash, .reason = reason}});
}

static void kept(uint32_t index, uint8_t reason)
{
    say((struct transfer_record){.type = TRANSFER_RECORD_KEPT, .index = index, .reason = reason});
}

static void progress(uint64_t octets)
{
    say((struct transfer_record){.type = TRANSFER_RECORD_PROGRESS, .progress = octets});
}

static void over(uint32_t count, uint32_t skipped, uint32_t failed)
{
    say((struct transfer_record){.type = TRANSFER_RECORD_OVER,
                                 .over = {.kept = count, .skipped = skipped, .failed = failed}});
}

/* ---- what comes of it ---- */

static void assert_goes_on(void)
{
    ck_assert_msg(at.w.over.type != TRANSFER_EVENT_OVER, "%s", at.w.over_text);
}

static void assert_broken(const char *what)
{
    ck_assert_msg(at.w.over.type == TRANSFER_EVENT_OVER && at.w.over.end == TRANSFER_END_BROKEN,
                  "%s was taken:\n%s", what, at.w.log);
    ck_assert_str_ne(at.w.over_text, "");
}

/* Octets of the records of this type that were sent so far; they are taken off. */
static size_t sent(uint8_t type)
{
    size_t octets = 0;

    for (struct wire_record *record; (record = wire_take(&at.down)) != NULL; free(record))
        octets += record->type == type ? record->size : 0;
    return octets;
}

START_TEST(honest)
{
    answer(true);
    kept(0, 0);
    kept(1, 0);
    want(2, 100, 0);
    want(3, 0, 0);
    assert_goes_on();
    ck_assert_uint_gt(sent(TRANSFER_RECORD_CHUNK), SIZE - 100);
    progress(SIZE);
    kept(2, 0);
    kept(3, 0);
    over(2, 0, 0);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_DONE);
    witness_saw(&at.w, "resumed x");
}
END_TEST

START_TEST(nothing_before_the_answer)
{
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_eq(sent(TRANSFER_RECORD_ENTRY), 0);
        switch (i) {
        case 0:
            want(0, 0, 0);
            break;
        case 1:
            kept(0, 0);
            break;
        case 2:
            progress(1); /* 0 only shows that it is there */
            break;
        case 3:
            over(0, 0, 0);
            break;
        default:
            want(UINT32_MAX, INT64_MAX, 0);
            break;
        }
        assert_broken("a reply before the answer");
        again();
    }
}
END_TEST

START_TEST(declined)
{
    answer(false);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_DECLINED);
    ck_assert_uint_eq(sent(TRANSFER_RECORD_ENTRY), 0);
    again();
    answer(true);
    answer(true);
    assert_broken("two answers");
}
END_TEST

START_TEST(not_readable)
{
    static const uint8_t octets[64];
    static const struct {
        uint8_t type;
        size_t size;
    } records[] = {{0, 0},
                   {63, 1},
                   {78, 1},
                   {TRANSFER_RECORD_WANT, 45},
                   {TRANSFER_RECORD_WANT, 47},
                   {TRANSFER_RECORD_KEPT, 4},
                   {TRANSFER_RECORD_KEPT, 6},
                   {TRANSFER_RECORD_PROGRESS, 9},
                   {TRANSFER_RECORD_OVER, 11},
                   {TRANSFER_RECORD_ANSWER, 2},
                   {TRANSFER_RECORD_STOP, 2}};

    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        answer(true);
        say_octets(records[i].type, octets, records[i].size);
        assert_broken("octets");
        again();
    }
    answer(true);
    say_octets(TRANSFER_RECORD_SPOILT, octets, 5);
    assert_broken("a sender's record");
}
END_TEST

START_TEST(wants_out_of_order)
{
    answer(true);
    want(3, 0, 0);
    assert_broken("the second file first");
    again();
    answer(true);
    want(2, 0, 0);
    want(2, 0, 0);
    assert_broken("a file twice");
    again();
    answer(true);
    want(0, 0, 0);
    assert_broken("a folder");
    again();
    answer(true);
    want(4, 0, 0);
    assert_broken("what was not announced");
    again();
    answer(true);
    want(2, SIZE + 1, 0);
    assert_broken("an offset beyond the size");
    again();
    answer(true);
    want(2, 0, TRANSFER_EXISTS);
    want(2, 0, 0);
    assert_broken("what was skipped");
}
END_TEST

START_TEST(kept_what_was_not_sent)
{
    answer(true);
    kept(2, 0);
    assert_broken("a file that was not sent");
    again();
    answer(true);
    kept(4, 0);
    assert_broken("what was not announced");
    again();
    answer(true);
    kept(0, 0);
    kept(0, 0);
    assert_broken("a folder twice");
    again();
    answer(true);
    kept(2, TRANSFER_WRITE);
    assert_broken("a refusal of what is not wanted yet");
    again();
    /* An empty file may have been there, but not out of order. */
    answer(true);
    kept(3, 0);
    assert_broken("the second file first");
    again();
    answer(true);
    want(2, 0, TRANSFER_EXISTS);
    kept(3, 0);
    assert_goes_on();
    kept(0, 0);
    kept(1, 0);
    over(1, 1, 0);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_DONE);
}
END_TEST

/* As long as the file is under way, it can be refused, but not be kept. */
START_TEST(kept_too_early)
{
    again();
    at.down.most = 50000;
    answer(true);
    want(2, 0, 0);
    kept(2, 0);
    assert_broken("a file that is half sent");
    again();
    at.down.most = 50000;
    answer(true);
    want(2, 0, 0);
    kept(2, TRANSFER_WRITE);
    assert_goes_on();
    (void)sent(0);
    sender_go_on(at.sender);
    wire_settle(&at.loop);
    assert_goes_on();
    ck_assert_uint_eq(sent(TRANSFER_RECORD_SPOILT), 5);
    witness_saw(&at.w, "failed x");
    kept(2, TRANSFER_WRITE);
    assert_broken("a refusal twice");
}
END_TEST

START_TEST(progress_that_cannot_be)
{
    answer(true);
    progress(1);
    assert_broken("more than was sent");
    again();
    answer(true);
    want(2, 0, 0);
    progress(SIZE);
    progress(SIZE - 1);
    assert_broken("less than before");
    again();
    answer(true);
    want(2, 0, 0);
    progress(SIZE + 1);
    assert_broken("one octet more than was sent");
}
END_TEST

START_TEST(over_that_cannot_be)
{
    answer(true);
    over(2, 0, 0);
    assert_broken("over before its time");
    for (uint32_t i = 0; i < 3; i++) {
        again();
        answer(true);
        kept(0, 0);
        kept(1, 0);
        want(2, 0, TRANSFER_EXISTS);
        want(3, 0, TRANSFER_NAME);
        assert_goes_on();
        over(i == 0, 1 + (i == 1), 1 + (i == 2));
        assert_broken("a wrong count");
    }
}
END_TEST

/* The part that is there is not the same. */
START_TEST(forged_hash)
{
    at.hash[0] ^= 1;
    answer(true);
    want(2, 100, 0);
    assert_goes_on();
    witness_saw(&at.w, "restarted x");
    ck_assert_uint_gt(sent(TRANSFER_RECORD_CHUNK), SIZE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hostile_receiver");
    TCase *tests = tcase_create("hostile_receiver");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, honest);
    tcase_add_test(tests, nothing_before_the_answer);
    tcase_add_test(tests, declined);
    tcase_add_test(tests, not_readable);
    tcase_add_test(tests, wants_out_of_order);
    tcase_add_test(tests, kept_what_was_not_sent);
    tcase_add_test(tests, kept_too_early);
    tcase_add_test(tests, progress_that_cannot_be);
    tcase_add_test(tests, over_that_cannot_be);
    tcase_add_test(tests, forged_hash);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
