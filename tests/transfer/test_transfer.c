/* A sender and a receiver, joined in memory. */
#include "tree.h"
#include "wire.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BIG = 3 * 1024 * 1024 + 12345, ROOM = 300000 };

/* Both sides, and how they are joined. */
static struct {
    uv_loop_t loop;
    struct wire down, up; /* from the sender, from the receiver */
    struct carrier sends, receives;
    struct sender *sender;
    struct receiver *receiver;
    struct outbox *outbox;
    struct witness s, r;
    bool overwrite, declines;
    size_t room;
} both;

static uint8_t noise[BIG];

static void begin(void)
{
    tree_begin();
    tree_folder("in", 0755);
    tree_noise(noise, sizeof noise, 1);
    ck_assert_int_eq(uv_loop_init(&both.loop), 0);
    both.sends = (struct carrier){.room = wire_room, .record = wire_record, .chunk = 65536};
    both.receives = both.sends;
    both.receives.pause = wire_pause;
    both.room = ROOM;
}

/* Ends what is there, at whatever point; the next run of the same test may start. */
static void again(void)
{
    sender_free(both.sender, NULL, NULL);
    receiver_free(both.receiver, NULL, NULL);
    wire_settle(&both.loop);
    outbox_free(both.outbox);
    inbox_free(both.r.inbox);
    wire_drop(&both.down);
    wire_drop(&both.up);
    both.sender = NULL;
    both.receiver = NULL;
    both.outbox = NULL;
    memset(&both.s, 0, sizeof both.s);
    memset(&both.r, 0, sizeof both.r);
}

static void finish(void)
{
    again();
    ck_assert_int_eq(uv_loop_close(&both.loop), 0);
    tree_end();
}

static void start(const char *first, const char *second)
{
    const char *names[2] = {tree_path(first), second != NULL ? tree_path(second) : NULL};
    char why[256] = "";

    wire_join(&both.down, &both.up, both.room);
    both.outbox = outbox_new(names, second != NULL ? 2 : 1, tree_sha256(), why, sizeof why);
    ck_assert_msg(both.outbox != NULL, "%s", why);
    both.sender =
        sender_new(&both.loop, both.outbox, &both.sends, &both.down, witness_event, &both.s);
    both.receiver = receiver_new(&both.loop, &both.receives, &both.up, witness_event, &both.r);
    ck_assert(both.sender != NULL && both.receiver != NULL);
    both.r.receiver = both.receiver;
    if (!both.declines)
        both.r.inbox = inbox_new(tree_path("in"), both.overwrite, tree_sha256(), why, sizeof why);
    ck_assert_msg(both.declines || both.r.inbox != NULL, "%s", why);
    sender_start(both.sender);
}

/* Brings one record each way; false: nothing waits that may be taken. */
static bool deliver(void)
{
    struct wire_record *down = both.down.paused ? NULL : wire_take(&both.down);
    struct wire_record *up = wire_take(&both.up);

    if (down != NULL) {
        receiver_take(both.receiver, down->type, down->content, down->size);
        sender_go_on(both.sender);
    }
    if (up != NULL) {
        sender_take(both.sender, up->type, up->content, up->size);
        receiver_go_on(both.receiver);
    }
    bool any = down != NULL || up != NULL;
    free(down);
    free(up);
    return any;
}

static bool is_over(void)
{
    return both.s.over.type == TRANSFER_EVENT_OVER && both.r.over.type == TRANSFER_EVENT_OVER;
}

/* One step; false: nothing goes on any more. */
static bool step(void)
{
    bool moved = deliver();

    (void)uv_run(&both.loop, moved ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    return moved || both.down.first != NULL || both.up.first != NULL || uv_loop_alive(&both.loop);
}

static void run(void)
{
    while (!is_over())
        ck_assert_msg(step(), "stuck; sender:\n%s\nreceiver:\n%s", both.s.log, both.r.log);
}

static void give(const char *first, const char *second)
{
    start(first, second);
    run();
}

static void assert_counts(uint32_t kept, uint32_t skipped, uint32_t failed)
{
    ck_assert_int_eq(both.s.over.end, TRANSFER_END_DONE);
    ck_assert_int_eq(both.r.over.end, TRANSFER_END_DONE);
    ck_assert_uint_eq(both.s.over.kept, kept);
    ck_assert_uint_eq(both.r.over.kept, kept);
    ck_assert_uint_eq(both.s.over.skipped, skipped);
    ck_assert_uint_eq(both.r.over.skipped, skipped);
    ck_assert_uint_eq(both.s.over.failed_here + both.s.over.failed_there, failed);
    ck_assert_uint_eq(both.r.over.failed_here + both.r.over.failed_there, failed);
    /* Whatever became of single files, the bar ends at its end. */
    ck_assert_uint_eq(both.s.over.done, both.s.over.octets);
    ck_assert_uint_eq(both.r.over.done, both.r.over.octets);
}

/* ---- good ones ---- */

static void make_tree(void)
{
    tree_folder("t", 0755);
    tree_folder("t/a", 0750);
    tree_folder("t/a/none", 0755);
    tree_file("t/a/big", noise, sizeof noise, 0640);
    tree_text("t/a/one", "one");
    tree_text("t/empty", "");
    tree_file("t/sparse", noise, 100000, 0755);
    ck_assert_int_eq(truncate(tree_path("t/sparse"), 40000000), 0);
    tree_times("t/a/one", 1000000000, 5);
    tree_times("t/a", 1100000000, 7);
}

static void assert_mode(const char *name, mode_t mode)
{
    struct stat facts;

    ck_assert(tree_stat(name, &facts));
    ck_assert_int_eq(facts.st_mode & 07777, mode);
}

static void assert_time(const char *name, time_t seconds, long ns)
{
    struct stat facts;

    ck_assert(tree_stat(name, &facts));
    ck_assert_int_eq(facts.st_mtim.tv_sec, seconds);
    ck_assert_int_eq(facts.st_mtim.tv_nsec, ns);
}

START_TEST(tree)
{
    struct stat facts;

    make_tree();
    give("t", NULL);
    assert_counts(4, 0, 0);
    ck_assert(tree_is("in/t/a/big", noise, sizeof noise));
    ck_assert(tree_is_text("in/t/a/one", "one"));
    ck_assert(tree_is_text("in/t/empty", ""));
    ck_assert(tree_stat("in/t/sparse", &facts));
    ck_assert_int_eq(facts.st_size, 40000000);
    ck_assert_int_lt(facts.st_blocks, 20000000 / 512);
    assert_mode("in/t/a", 0750);
    assert_mode("in/t/a/big", 0640);
    assert_mode("in/t/sparse", 0755);
    assert_time("in/t/a/one", 1000000000, 5);
    assert_time("in/t/a", 1100000000, 7);
    ck_assert_uint_eq(tree_count("in"), tree_count("t") + 1);
    witness_saw(&both.s, "kept t/a/big");
    witness_saw(&both.r, "kept t/a/big");
    ck_assert_uint_gt(both.s.progress, 0);
}
END_TEST

START_TEST(narrow_carrier)
{
    make_tree();
    both.room = TRANSFER_CONTROL_MAX;
    give("t", NULL);
    assert_counts(4, 0, 0);
    ck_assert(tree_is("in/t/a/big", noise, sizeof noise));
}
END_TEST

START_TEST(carrier_with_window)
{
    make_tree();
    both.sends.window = both.receives.window = 256 * 1024;
    both.sends.chunk = both.receives.chunk = 16384;
    both.receives.pause = NULL;
    both.room = 1 << 30;
    start("t", NULL);
    while (!is_over()) {
        ck_assert(step());
        ck_assert_uint_le(both.down.waiting, 256 * 1024 + TRANSFER_ENTRIES * TRANSFER_CONTROL_MAX);
    }
    assert_counts(4, 0, 0);
    ck_assert(tree_is("in/t/a/big", noise, sizeof noise));
}
END_TEST

START_TEST(many_files)
{
    char name[32];

    tree_folder("t", 0755);
    for (int i = 0; i < 700; i++) {
        (void)snprintf(name, sizeof name, "t/%d", i);
        tree_text(name, name);
    }
    give("t", NULL);
    assert_counts(700, 0, 0);
    ck_assert_uint_eq(tree_count("in/t"), 700);
    ck_assert(tree_is_text("in/t/699", "t/699"));
}
END_TEST

START_TEST(offer_says_what_comes)
{
    tree_folder("t", 0755);
    tree_text("t/one", "one");
    tree_text("two", "two");
    give("t", "two");
    assert_counts(2, 0, 0);
    witness_saw(&both.r, "offer ");
    again();
    give("two", NULL);
    witness_saw(&both.r, "offer two");
    /* It is there by now, and the same. */
    assert_counts(1, 0, 0);
    ck_assert_uint_eq(both.s.moved, 0);
    ck_assert_uint_eq(both.r.moved, 0);
}
END_TEST

START_TEST(declined)
{
    tree_text("one", "one");
    both.declines = true;
    give("one", NULL);
    ck_assert_int_eq(both.s.over.end, TRANSFER_END_DECLINED);
    ck_assert_int_eq(both.r.over.end, TRANSFER_END_DECLINED);
    ck_assert_uint_eq(tree_count("in"), 0);
}
END_TEST

/* Nothing but the offer crosses before the user has answered. */
START_TEST(silent_before_the_answer)
{
    tree_text("one", "one");
    both.r.late = true;
    start("one", NULL);
    while (step())
        ;
    ck_assert_str_eq(both.s.log, "offer one\n");
    ck_assert_str_eq(both.r.log, "offer one\n");
    receiver_answer(both.receiver, both.r.inbox);
    both.r.inbox = NULL;
    run();
    assert_counts(1, 0, 0);
}
END_TEST

/* ---- what is there already ---- */

START_TEST(existing)
{
    tree_text("one", "one");
    tree_text("in/one", "two");
    tree_text("two", "two");
    give("one", "two");
    assert_counts(1, 1, 0);
    witness_saw(&both.s, "skipped one");
    witness_saw(&both.r, "skipped one");
    ck_assert(tree_is_text("in/one", "two"));
    again();
    both.overwrite = true;
    give("one", NULL);
    assert_counts(1, 0, 0);
    ck_assert(tree_is_text("in/one", "one"));
}
END_TEST

/* The same size and time, and other octets: only hashes tell. */
START_TEST(existing_with_the_same_time)
{
    tree_file("big", noise, 1000000, 0644);
    tree_file("in/big", noise + 1, 1000000, 0644);
    tree_times("big", 1000000000, 0);
    tree_times("in/big", 1000000000, 0);
    give("big", NULL);
    assert_counts(0, 1, 0);
    witness_saw(&both.r, "skipped big");
    ck_assert(tree_is("in/big", noise + 1, 1000000));
    again();
    both.overwrite = true;
    give("big", NULL);
    assert_counts(1, 0, 0);
    ck_assert(tree_is("in/big", noise, 1000000));
}
END_TEST

/* Gives big until the receiver has begun to write, and lets both die. */
static void give_a_part(void)
{
    start("big", NULL);
    while (receiver_moved(both.receiver) < BIG / 3)
        ck_assert(step());
    again();
    ck_assert(!tree_has("in/big"));
    ck_assert(tree_has("in/.big.usi-part"));
}

START_TEST(resumed)
{
    tree_file("big", noise, sizeof noise, 0644);
    give_a_part();
    give("big", NULL);
    assert_counts(1, 0, 0);
    witness_saw(&both.s, "resumed big");
    witness_saw(&both.r, "resumed big");
    ck_assert_uint_lt(both.r.over.moved, BIG - BIG / 3 + 1);
    ck_assert_uint_eq(both.r.over.moved, both.s.over.moved);
    ck_assert(tree_is("in/big", noise, sizeof noise));
    ck_assert_uint_eq(tree_count("in"), 1);
}
END_TEST

START_TEST(restarted)
{
    tree_file("big", noise, sizeof noise, 0644);
    give_a_part();
    noise[5] ^= 1;
    tree_file("big", noise, sizeof noise, 0644);
    give("big", NULL);
    assert_counts(1, 0, 0);
    witness_saw(&both.s, "restarted big");
    witness_saw(&both.r, "restarted big");
    ck_assert_uint_eq(both.r.over.moved, BIG);
    ck_assert(tree_is("in/big", noise, sizeof noise));
}
END_TEST

/* ---- what goes wrong ---- */

START_TEST(changed_before_it_is_opened)
{
    tree_text("one", "one");
    tree_text("two", "two");
    start("one", "two");
    /* Announced and wanted, but the sender does not know that yet. */
    while (both.up.first == NULL || both.up.first->type != TRANSFER_RECORD_WANT)
        ck_assert(step());
    tree_text("one", "1");
    run();
    assert_counts(1, 0, 1);
    ck_assert_uint_eq(both.s.over.failed_here, 1);
    witness_saw(&both.s, "failed one");
    witness_saw(&both.r, "failed one");
    ck_assert(tree_is_text("in/two", "two"));
    ck_assert_uint_eq(tree_count("in"), 1);
}
END_TEST

START_TEST(cut_short_while_it_is_read)
{
    tree_file("big", noise, sizeof noise, 0644);
    tree_text("two", "two");
    both.room = TRANSFER_CONTROL_MAX;
    start("big", "two");
    while (receiver_moved(both.receiver) < BIG / 2)
        ck_assert(step());
    ck_assert_int_eq(truncate(tree_path("big"), BIG - 10), 0);
    run();
    assert_counts(1, 0, 1);
    ck_assert_uint_eq(both.s.over.failed_here, 1);
    ck_assert_uint_eq(both.r.over.failed_there, 1);
    witness_saw(&both.s, "failed big");
    witness_saw(&both.r, "failed big");
    ck_assert(!tree_has("in/big"));
    ck_assert(tree_is_text("in/two", "two"));
}
END_TEST

/* What comes after the counting is more than the user has agreed to. */
START_TEST(more_than_was_offered)
{
    tree_folder("t", 0755);
    tree_text("t/one", "one");
    both.r.late = true;
    start("t", NULL);
    while (step())
        ;
    tree_folder("t/late", 0755);
    tree_text("t/late/two", "two");
    tree_text("t/three", "three");
    receiver_answer(both.receiver, both.r.inbox);
    both.r.inbox = NULL;
    run();
    ck_assert_int_eq(both.r.over.end, TRANSFER_END_DONE);
    ck_assert_uint_eq(both.r.over.kept + both.r.over.failed_here, 1);
    ck_assert_uint_ge(both.s.over.left_out, 2);
    ck_assert(!tree_has("in/t/late"));
    ck_assert_uint_le(tree_count("in/t"), 1);
}
END_TEST

/* A disk that is full: of that file no more is sent, and the next one is tried. */
/* What has gone since the counting both sides know of. */
START_TEST(less_than_was_offered)
{
    tree_folder("t", 0755);
    tree_folder("t/gone", 0755);
    tree_text("t/gone/one", "one");
    tree_text("t/two", "two");
    both.r.late = true;
    start("t", NULL);
    while (step())
        ;
    ck_assert_int_eq(unlink(tree_path("t/gone/one")), 0);
    ck_assert_int_eq(rmdir(tree_path("t/gone")), 0);
    receiver_answer(both.receiver, both.r.inbox);
    both.r.inbox = NULL;
    run();
    ck_assert_uint_eq(both.s.over.kept, 1);
    const struct transfer_event *const ends[] = {&both.s.over, &both.r.over};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(ends[i]->files, 2);
        ck_assert_uint_eq(ends[i]->gone_files, 1);
        ck_assert_uint_eq(ends[i]->gone_folders, 1);
        ck_assert_uint_eq(ends[i]->gone_octets, 3);
    }
}
END_TEST

/* While its user is asked the receiver shows that it is there, and the sender counts that. */
START_TEST(signs_of_life)
{
    tree_text("one", "one");
    both.r.late = true;
    start("one", NULL);
    while (step())
        ;
    for (int i = 0; i < 3; i++) {
        uint64_t receiver = receiver_moved(both.receiver), sender = sender_moved(both.sender);
        receiver_show(both.receiver);
        while (step())
            ;
        ck_assert_uint_gt(receiver_moved(both.receiver), receiver);
        ck_assert_uint_gt(sender_moved(both.sender), sender);
        sender = sender_moved(both.sender);
        sender_show(both.sender); /* nothing is under way there */
        ck_assert_uint_eq(sender_moved(both.sender), sender);
        ck_assert_ptr_null(wire_take(&both.down));
    }
    receiver_answer(both.receiver, both.r.inbox);
    both.r.inbox = NULL;
    run();
    assert_counts(1, 0, 0);
}
END_TEST

START_TEST(cannot_be_written)
{
    const struct rlimit small = {BIG / 2, BIG / 2};

    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    tree_file("big", noise, sizeof noise, 0644);
    tree_text("two", "two");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    give("big", "two");
    assert_counts(1, 0, 1);
    ck_assert_uint_eq(both.s.over.failed_there, 1);
    ck_assert_uint_eq(both.r.over.failed_here, 1);
    witness_saw(&both.s, "failed big");
    ck_assert(tree_is_text("in/two", "two"));
    ck_assert(!tree_has("in/big"));
}
END_TEST

START_TEST(stopped)
{
    tree_file("big", noise, sizeof noise, 0644);
    start("big", NULL);
    while (receiver_moved(both.receiver) == 0 || wire_room(&both.down) == 0)
        ck_assert(step());
    sender_stop(both.sender, TRANSFER_STOP_USER);
    ck_assert_int_eq(both.s.over.end, TRANSFER_END_GAVE_UP);
    run();
    ck_assert_int_eq(both.r.over.end, TRANSFER_END_STOPPED);
    again();
    start("big", NULL);
    while (receiver_moved(both.receiver) == 0)
        ck_assert(step());
    receiver_stop(both.receiver, TRANSFER_STOP_USER);
    ck_assert_int_eq(both.r.over.end, TRANSFER_END_GAVE_UP);
    both.down.paused = false;
    run();
    ck_assert_int_eq(both.s.over.end, TRANSFER_END_STOPPED);
}
END_TEST

/* Freed at any step, a job in flight or not: the loop comes to rest, and nothing leaks. */
START_TEST(freed_in_the_middle)
{
    tree_folder("t", 0755);
    tree_file("t/big", noise, 900000, 0644);
    for (int steps = 0;; steps += 1 + steps / 16) {
        start("t", NULL);
        int left = steps;
        while (left > 0 && !is_over()) {
            ck_assert(step());
            left--;
        }
        bool over = is_over();
        again();
        if (over)
            break;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transfer");
    TCase *tests = tcase_create("transfer");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, tree);
    tcase_add_test(tests, narrow_carrier);
    tcase_add_test(tests, carrier_with_window);
    tcase_add_test(tests, many_files);
    tcase_add_test(tests, offer_says_what_comes);
    tcase_add_test(tests, declined);
    tcase_add_test(tests, silent_before_the_answer);
    tcase_add_test(tests, existing);
    tcase_add_test(tests, existing_with_the_same_time);
    tcase_add_test(tests, resumed);
    tcase_add_test(tests, restarted);
    tcase_add_test(tests, changed_before_it_is_opened);
    tcase_add_test(tests, cut_short_while_it_is_read);
    tcase_add_test(tests, more_than_was_offered);
    tcase_add_test(tests, less_than_was_offered);
    tcase_add_test(tests, signs_of_life);
    tcase_add_test(tests, cannot_be_written);
    tcase_add_test(tests, stopped);
    tcase_add_test(tests, freed_in_the_middle);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
