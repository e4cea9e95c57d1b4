/* Senders that break the rules: the receiver ends the transfer, and nothing of theirs is kept. */
#include "tree.h"
#include "wire.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1000 };

static struct {
    uv_loop_t loop;
    struct wire up, down;
    struct carrier carrier;
    struct receiver *receiver;
    struct witness w;
    uint8_t octets[SIZE], hash[TREE_HASH];
} at;

static void begin_receiver(void)
{
    char why[256];

    wire_join(&at.up, &at.down, 1 << 20);
    memset(&at.w, 0, sizeof at.w);
    at.receiver = receiver_new(&at.loop, &at.carrier, &at.up, witness_event, &at.w);
    ck_assert_ptr_nonnull(at.receiver);
    at.w.receiver = at.receiver;
    at.w.inbox = inbox_new(tree_path("in"), false, tree_sha256(), why, sizeof why);
    ck_assert_ptr_nonnull(at.w.inbox);
}

static void end_receiver(void)
{
    receiver_free(at.receiver, NULL, NULL);
    wire_settle(&at.loop);
    inbox_free(at.w.inbox);
    wire_drop(&at.up);
}

static void begin(void)
{
    tree_begin();
    tree_folder("in", 0755);
    tree_noise(at.octets, sizeof at.octets, 3);
    tree_hash(at.octets, sizeof at.octets, at.hash);
    ck_assert_int_eq(uv_loop_init(&at.loop), 0);
    at.carrier = (struct carrier){
        .room = wire_room, .record = wire_record, .pause = wire_pause, .chunk = 65536};
    begin_receiver();
}

static void finish(void)
{
    end_receiver();
    ck_assert_int_eq(uv_loop_close(&at.loop), 0);
    tree_end();
}

static void again(void)
{
    end_receiver();
    begin_receiver();
}

/* ---- what a sender says ---- */

static void say_octets(uint8_t type, const uint8_t *content, size_t size)
{
    receiver_take(at.receiver, type, content, size);
    wire_settle(&at.loop);
}

static void say(struct transfer_record record)
{
    uint8_t content[TRANSFER_CONTROL_MAX];
    size_t size = transfer_write(&record, content, sizeof content);

    ck_assert_uint_gt(size, 0);
    say_octets((uint8_t)record.type, content, size);
}

static void offer_things(uint32_t things, const char *name, uint64_t files, uint64_t folders,
                         uint64_t octets)
{
    say((struct transfer_record){.type = TRANSFER_RECORD_OFFER,
                                 .offer = {.files = files,
                                           .octets = octets,
                                           .folders = folders,
                                           .name = name,
                                           .name_size = strlen(name),
                                           .things = things}});
}

static void offer(uint64_t files, uint64_t octets)
{
    offer_things(1000, "", files, files, octets);
}

static void entry(uint32_t index, enum transfer_kind kind, const char *path, uint64_t size)
{
    say((struct transfer_record){.type = TRANSFER_RECORD_ENTRY,
                                 .index = index,
                                 .entry = {.kind = kind,
                                           .mode = 0644,
                                           .mtime = 1000000000,
                                           .size = size,
                                           .path = path,
                                           .path_size = strlen(path)}});
}

static void begins(uint32_t index, uint64_t offset)
{
    say((struct transfer_record){.type = TRANSFER_RECORD_BEGIN, .index = index, .begin = offset});
}

static void chunk(uint32_t index, uint64_t offset, size_t size)
{
    static uint8_t content[TRANSFER_CHUNK_HEAD + 2 * SIZE];
    const struct transfer_record record = {
        .type = TRANSFER_RECORD_CHUNK, .index = index, .chunk = {.offset = offset}};

    ck_assert_uint_eq(transfer_write(&record, content, sizeof content), TRANSFER_CHUNK_HEAD);
    for (size_t i = 0; i < size; i++)
        content[TRANSFER_CHUNK_HEAD + i] = at.octets[(offset + i) % SIZE];
    say_octets(TRANSFER_RECORD_CHUNK, content, TRANSFER_CHUNK_HEAD + size);
}

static void hole(uint32_t index, uint64_t size)
{
    say((struct transfer_record){.type = TRANSFER_RECORD_HOLE, .index = index, .hole = size});
}

static void done(uint32_t index, uint64_t size, const uint8_t *hash)
{
    say((struct transfer_record){.type = TRANSFER_RECORD_DONE,
                                 .index = index,
                                 .done = {.size = size, .mtime = 1000000000, .hash = hash}});
}

static void spoilt(uint32_t index)
{
    say((struct transfer_record){
        .type = TRANSFER_RECORD_SPOILT, .index = index, .reason = TRANSFER_READ});
}

static void all(uint32_t count)
{
    say((struct transfer_record){.type = TRANSFER_RECORD_ALL, .all = count});
}

/* ---- what comes of it ---- */

static void assert_broken(const char *what)
{
    ck_assert_msg(at.w.over.type == TRANSFER_EVENT_OVER && at.w.over.end == TRANSFER_END_BROKEN,
                  "%s was taken:\n%s", what, at.w.log);
    ck_assert_str_ne(at.w.over_text, "");
    ck_assert(!tree_has("in/x"));
}

/* The sender is told why, last of all. */
static void assert_told_rules(void)
{
    uint8_t last = 0, reason = 0;

    for (struct wire_record *record; (record = wire_take(&at.up)) != NULL; free(record)) {
        last = record->type;
        reason = record->content[0];
    }
    ck_assert_uint_eq(last, TRANSFER_RECORD_STOP);
    ck_assert_uint_eq(reason, TRANSFER_STOP_RULES);
}

/* The type of the next reply, with its reason or whether it is wanted in *value. */
static uint8_t reply(uint8_t *value)
{
    struct transfer_record parsed;
    struct wire_record *record = wire_take(&at.up);

    ck_assert_ptr_nonnull(record);
    uint8_t type = record->type;
    ck_assert(transfer_parse(&parsed, type, record->content, record->size));
    *value = type == TRANSFER_RECORD_WANT ? (parsed.want.wanted ? 0 : parsed.want.reason)
                                          : parsed.reason;
    free(record);
    return type;
}

static void assert_reply(uint8_t type, uint8_t value)
{
    uint8_t found, got = reply(&found);

    ck_assert_uint_eq(got, type);
    ck_assert_uint_eq(found, value);
}

static void skip_reply(uint8_t type)
{
    uint8_t found;

    ck_assert_uint_eq(reply(&found), type);
}

/* Up to where the file's content may come. */
static void up_to_begin(void)
{
    offer(2, 2 * SIZE);
    entry(0, TRANSFER_FILE, "x", SIZE);
    begins(0, 0);
}

START_TEST(honest)
{
    up_to_begin();
    chunk(0, 0, SIZE);
    done(0, SIZE, at.hash);
    all(1);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_DONE);
    ck_assert(tree_is("in/x", at.octets, SIZE));
    skip_reply(TRANSFER_RECORD_ANSWER);
    assert_reply(TRANSFER_RECORD_WANT, 0);
    skip_reply(TRANSFER_RECORD_PROGRESS);
    assert_reply(TRANSFER_RECORD_KEPT, TRANSFER_KEPT);
    skip_reply(TRANSFER_RECORD_OVER);
}
END_TEST

START_TEST(not_readable)
{
    static const uint8_t octets[70000];
    static const struct {
        uint8_t type;
        size_t size;
    } records[] = {{0, 0},
                   {63, 4},
                   {78, 4},
                   {95, 4},
                   {255, 0},
                   {TRANSFER_RECORD_OFFER, 0},
                   {TRANSFER_RECORD_OFFER, 30},
                   {TRANSFER_RECORD_OFFER, 60},
                   {TRANSFER_RECORD_ENTRY, 31},
                   {TRANSFER_RECORD_ENTRY, 70000},
                   {TRANSFER_RECORD_BEGIN, 11},
                   {TRANSFER_RECORD_BEGIN, 13},
                   {TRANSFER_RECORD_CHUNK, 12},
                   {TRANSFER_RECORD_HOLE, 12},
                   {TRANSFER_RECORD_DONE, 55},
                   {TRANSFER_RECORD_DONE, 57},
                   {TRANSFER_RECORD_SPOILT, 5},
                   {TRANSFER_RECORD_ALL, 3},
                   {TRANSFER_RECORD_ALL, 5},
                   {TRANSFER_RECORD_STOP, 0}};

    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        offer(1, SIZE);
        say_octets(records[i].type, octets, records[i].size);
        assert_broken("octets");
        assert_told_rules();
        again();
    }
}
END_TEST

START_TEST(receivers_records)
{
    static const uint8_t types[] = {TRANSFER_RECORD_ANSWER, TRANSFER_RECORD_KEPT,
                                    TRANSFER_RECORD_OVER};
    static const uint8_t octets[12];
    static const size_t sizes[] = {1, 5, 12};

    for (size_t i = 0; i < sizeof types; i++) {
        say_octets(types[i], octets, sizes[i]);
        assert_broken("a receiver's record");
        again();
    }
}
END_TEST

START_TEST(before_the_answer)
{
    at.w.late = true;
    for (int i = 0; i < 5; i++) {
        if (i > 0)
            offer(1, SIZE);
        switch (i) {
        case 0:
            entry(0, TRANSFER_FILE, "x", SIZE);
            break;
        case 1:
            entry(0, TRANSFER_FILE, "x", SIZE);
            break;
        case 2:
            chunk(0, 0, SIZE);
            break;
        case 3:
            offer(1, SIZE);
            break;
        default:
            all(0);
            break;
        }
        assert_broken("a record before the answer");
        ck_assert_uint_eq(tree_count("in"), 0);
        again();
        at.w.late = true;
    }
}
END_TEST

START_TEST(names_refused)
{
    static const char *const names[] = {".",     "..",       "x\x01y",     "\xff",
                                        "a\x7f", "\xc2\x9b", ".x.usi-part"};
    uint32_t count = sizeof names / sizeof names[0];

    offer(count, count * (uint64_t)SIZE);
    skip_reply(TRANSFER_RECORD_ANSWER);
    for (uint32_t i = 0; i < count; i++) {
        entry(i, TRANSFER_FILE, names[i], SIZE);
        assert_reply(TRANSFER_RECORD_WANT, TRANSFER_NAME);
    }
    all(count);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_DONE);
    ck_assert_uint_eq(at.w.over.failed_here, count);
    ck_assert_uint_eq(tree_count("in"), 0);
    ck_assert_uint_eq(tree_count(""), 1);
}
END_TEST

START_TEST(outside_the_folder_that_is_open)
{
    static const char *const paths[] = {"/x", "../x", "a/../../x", "a//x", "x/", "a/.", "a/x"};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        for (int kind = TRANSFER_FILE; kind <= TRANSFER_FOLDER_END; kind++) {
            offer(9, 9 * SIZE);
            entry(0, (enum transfer_kind)kind, paths[i], 0);
            assert_broken(paths[i]);
            again();
            offer(9, 9 * SIZE);
            entry(0, TRANSFER_FOLDER, "b", 0);
            entry(1, (enum transfer_kind)kind, paths[i], 0);
            assert_broken(paths[i]);
            ck_assert(!tree_has("in/a"));
            again();
        }
    offer(9, 9 * SIZE);
    entry(0, TRANSFER_FOLDER, "b", 0);
    entry(1, TRANSFER_FILE, "x", 0);
    assert_broken("a file beside the folder that is open");
    again();
    offer(9, 9 * SIZE);
    entry(0, TRANSFER_FOLDER, "b", 0);
    all(1);
    assert_broken("a folder without an end");
}
END_TEST

START_TEST(ends_of_folders)
{
    struct stat facts;

    tree_folder("in/mine", 0755);
    tree_times("in/mine", 5, 0);
    offer(0, 0);
    entry(0, TRANSFER_FOLDER_END, "mine", 0);
    assert_broken("the end of a folder that was not announced");
    again();
    offer_things(1, "mine", 0, 1, 0);
    entry(0, TRANSFER_FOLDER, "mine", 0);
    entry(1, TRANSFER_FOLDER_END, "mine", 0);
    all(2);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_DONE);
    ck_assert(tree_stat("in/mine", &facts));
    ck_assert_int_eq(facts.st_mode & 0777, 0755);
    ck_assert_int_eq(facts.st_mtim.tv_sec, 5);
}
END_TEST

START_TEST(folders_too_deep)
{
    char path[200] = "d";

    offer(100, 0);
    for (uint32_t i = 0; i < 64; i++) {
        entry(i, TRANSFER_FOLDER, path, 0);
        ck_assert_int_ne(at.w.over.type, TRANSFER_EVENT_OVER);
        memcpy(path + strlen(path), "/d", 3);
    }
    entry(64, TRANSFER_FOLDER, path, 0);
    assert_broken("the 65th folder");
}
END_TEST

START_TEST(offers_refused)
{
    offer_things(0, "", 1, 0, SIZE);
    assert_broken("an offer of nothing");
    again();
    offer_things(0, "x", 1, 0, SIZE);
    assert_broken("an offer of nothing");
    again();
    offer_things(1, "", 1, 0, SIZE);
    assert_broken("an offer without a name");
    again();
    offer_things(2, "x", 1, 0, SIZE);
    assert_broken("an offer of two things with one name");
}
END_TEST

START_TEST(other_than_offered)
{
    static const char *const names[] = {"x", "photo", "photo.jpg2", "Photo.jpg"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        offer_things(1, "photo.jpg", 1, 0, SIZE);
        entry(0, TRANSFER_FILE, names[i], SIZE);
        assert_broken(names[i]);
        again();
        offer_things(1, "photo.jpg", 1, 1, SIZE);
        entry(0, TRANSFER_FOLDER, names[i], 0);
        assert_broken(names[i]);
        ck_assert_uint_eq(tree_count("in"), 0);
        again();
    }
    offer_things(1, "photo.jpg", 1, 0, SIZE);
    entry(0, TRANSFER_FOLDER, "photo.jpg", 0);
    assert_broken("a folder instead of a file");
    again();
    offer_things(1, "a", 2, 1, SIZE);
    entry(0, TRANSFER_FILE, "a", 0);
    entry(1, TRANSFER_FOLDER, "a", 0);
    assert_broken("two things instead of one");
}
END_TEST

START_TEST(less_than_offered)
{
    offer_things(2, "", 3, 2, SIZE);
    entry(0, TRANSFER_FOLDER, "d", 0);
    entry(1, TRANSFER_FOLDER_END, "d", 0);
    entry(2, TRANSFER_FILE, "e", 0);
    begins(2, 0);
    done(2, 0, at.hash);
    all(3);
    ck_assert_uint_eq(at.w.over.files, 3);
    ck_assert_uint_eq(at.w.over.gone_files, 2);
    ck_assert_uint_eq(at.w.over.gone_folders, 1);
    ck_assert_uint_eq(at.w.over.gone_octets, SIZE);
}
END_TEST

/* It may show that it is there at any time. */
START_TEST(signs_of_life)
{
    const struct transfer_record sign = {.type = TRANSFER_RECORD_PROGRESS};
    uint64_t moved = receiver_moved(at.receiver);

    say(sign);
    ck_assert_uint_gt(receiver_moved(at.receiver), moved);
    moved = receiver_moved(at.receiver);
    receiver_show(at.receiver); /* nothing is done, nobody is asked */
    ck_assert_ptr_null(wire_take(&at.up));
    ck_assert_uint_eq(receiver_moved(at.receiver), moved);
    at.w.late = true;
    offer(1, SIZE);
    receiver_show(at.receiver);
    skip_reply(TRANSFER_RECORD_PROGRESS);
    ck_assert_uint_gt(receiver_moved(at.receiver), moved);
    receiver_give_up(at.receiver, "no folder");
    assert_reply(TRANSFER_RECORD_STOP, TRANSFER_STOP_FAILED);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_LOCAL);
    ck_assert_str_eq(at.w.over_text, "no folder");
}
END_TEST

START_TEST(more_than_offered)
{
    offer(1, SIZE);
    entry(0, TRANSFER_FILE, "x", SIZE + 1);
    assert_broken("a larger file than was offered");
    again();
    offer(1, SIZE);
    entry(0, TRANSFER_FILE, "x", 0);
    entry(1, TRANSFER_FILE, "y", 0);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_BROKEN);
    again();
    offer(1, SIZE);
    entry(0, TRANSFER_FOLDER, "f", 0);
    entry(1, TRANSFER_FOLDER, "g", 0);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_BROKEN);
    ck_assert(!tree_has("in/g"));
}
END_TEST

START_TEST(entries_out_of_turn)
{
    for (uint32_t index = 1; index != 0; index <<= 1) {
        offer(2, SIZE);
        entry(index, TRANSFER_FILE, "x", SIZE);
        assert_broken("an entry out of turn");
        again();
    }
    offer(2, 2 * SIZE);
    entry(0, TRANSFER_FILE, "x", SIZE);
    entry(0, TRANSFER_FILE, "y", SIZE);
    assert_broken("an entry twice");
    again();
    offer(2, SIZE);
    all(0);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_DONE);
    again();
    offer(2, SIZE);
    entry(0, TRANSFER_FILE, "x", SIZE);
    all(1);
    entry(1, TRANSFER_FILE, "y", 0);
    assert_broken("an entry behind the last");
    again();
    offer(2, SIZE);
    all(1);
    assert_broken("a wrong count");
}
END_TEST

START_TEST(more_entries_than_may_be_open)
{
    char name[16];

    offer(1000, 0xffffffff);
    for (uint32_t i = 0; i < TRANSFER_ENTRIES; i++) {
        (void)snprintf(name, sizeof name, "%u", (unsigned)i);
        entry(i, TRANSFER_FILE, name, 1);
        ck_assert_int_ne(at.w.over.type, TRANSFER_EVENT_OVER);
    }
    entry(TRANSFER_ENTRIES, TRANSFER_FILE, "x", 1);
    assert_broken("one entry too many");
}
END_TEST

START_TEST(content_that_was_not_asked_for)
{
    offer(2, 2 * SIZE);
    begins(0, 0);
    assert_broken("content of no entry");
    again();
    offer(2, 2 * SIZE);
    entry(0, TRANSFER_FILE, "x", SIZE);
    chunk(0, 0, SIZE);
    assert_broken("content without begin");
    again();
    offer(2, 2 * SIZE);
    entry(0, TRANSFER_FILE, "x", SIZE);
    begins(0, 5);
    assert_broken("a begin that was not asked for");
    again();
    offer(2, 2 * SIZE);
    entry(0, TRANSFER_FILE, "x", SIZE);
    entry(1, TRANSFER_FILE, "y", SIZE);
    begins(1, 0);
    assert_broken("the second file first");
    again();
    offer(2, 2 * SIZE);
    entry(0, TRANSFER_FOLDER, "f", 0);
    begins(0, 0);
    assert_broken("content of a folder");
    again();
    offer(2, 2 * SIZE);
    entry(0, TRANSFER_FILE, "..", SIZE); /* which is skipped */
    begins(0, 0);
    assert_broken("content of what was skipped");
}
END_TEST

START_TEST(wrong_content)
{
    up_to_begin();
    begins(0, 0);
    assert_broken("two begins");
    again();
    up_to_begin();
    chunk(1, 0, SIZE);
    assert_broken("content of another file");
    again();
    up_to_begin();
    chunk(0, 1, SIZE - 1);
    assert_broken("a gap");
    again();
    up_to_begin();
    chunk(0, 0, SIZE / 2);
    chunk(0, 0, SIZE / 2);
    assert_broken("content twice");
    again();
    up_to_begin();
    chunk(0, 0, SIZE + 1);
    assert_broken("more than the size");
    again();
    up_to_begin();
    chunk(0, 0, SIZE / 2);
    hole(0, SIZE / 2 + 1);
    assert_broken("a hole beyond the size");
    again();
    up_to_begin();
    hole(0, INT64_MAX);
    assert_broken("a hole of all numbers");
    again();
    up_to_begin();
    chunk(0, 0, SIZE - 1);
    done(0, SIZE, at.hash);
    assert_broken("done too early");
    again();
    up_to_begin();
    chunk(0, 0, SIZE);
    done(0, SIZE - 1, at.hash);
    assert_broken("another size");
    again();
    up_to_begin();
    chunk(0, 0, SIZE);
    all(0);
    assert_broken("a wrong count");
}
END_TEST

START_TEST(two_dones)
{
    up_to_begin();
    chunk(0, 0, SIZE);
    done(0, SIZE, at.hash);
    done(0, SIZE, at.hash);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_BROKEN);
    again();
    offer(2, 2 * SIZE);
    entry(0, TRANSFER_FILE, "y", SIZE);
    begins(0, 0);
    spoilt(0);
    ck_assert_int_ne(at.w.over.type, TRANSFER_EVENT_OVER);
    spoilt(0);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_BROKEN);
}
END_TEST

/* Not against the rules, but not what it says: it is not kept, and the next file is. */
START_TEST(wrong_hash)
{
    up_to_begin();
    at.octets[7] ^= 1;
    chunk(0, 0, SIZE);
    at.octets[7] ^= 1;
    done(0, SIZE, at.hash);
    skip_reply(TRANSFER_RECORD_ANSWER);
    assert_reply(TRANSFER_RECORD_WANT, 0);
    skip_reply(TRANSFER_RECORD_PROGRESS);
    assert_reply(TRANSFER_RECORD_KEPT, TRANSFER_HASH);
    ck_assert_uint_eq(tree_count("in"), 0);
    entry(1, TRANSFER_FILE, "x", SIZE);
    begins(1, 0);
    chunk(1, 0, SIZE);
    done(1, SIZE, at.hash);
    all(2);
    ck_assert_uint_eq(at.w.over.kept, 1);
    ck_assert_uint_eq(at.w.over.failed_here, 1);
    ck_assert(tree_is("in/x", at.octets, SIZE));
}
END_TEST

START_TEST(huge_numbers)
{
    offer(UINT64_MAX, INT64_MAX);
    entry(0, TRANSFER_FILE, "y", INT64_MAX);
    entry(1, TRANSFER_FILE, "x", 1);
    assert_broken("more than was offered, by a sum that wraps");
    again();
    offer(UINT64_MAX, INT64_MAX);
    entry(0, TRANSFER_FILE, "y", INT64_MAX);
    begins(0, 0);
    chunk(0, 0, SIZE);
    all(1);
    ck_assert_int_ne(at.w.over.type, TRANSFER_EVENT_OVER);
}
END_TEST

/* A sender that does not wait: the carrier is paused, and who sends on all the same is broken. */
START_TEST(does_not_wait)
{
    static uint8_t content[TRANSFER_RECORD_MAX];
    const size_t size = TRANSFER_RECORD_MAX - TRANSFER_CHUNK_HEAD;
    struct transfer_record record = {.type = TRANSFER_RECORD_CHUNK};
    bool paused = false;

    offer(1, 1 << 30);
    entry(0, TRANSFER_FILE, "x", 1 << 30);
    begins(0, 0);
    for (int i = 0; i < 64 && at.w.over.type != TRANSFER_EVENT_OVER; i++) {
        (void)transfer_write(&record, content, sizeof content);
        receiver_take(at.receiver, TRANSFER_RECORD_CHUNK, content, sizeof content);
        record.chunk.offset += size;
        paused = paused || at.down.paused;
        ck_assert(!at.down.paused || i >= 15);
    }
    ck_assert(paused);
    wire_settle(&at.loop);
    assert_broken("content without end");
}
END_TEST

START_TEST(entry_in_the_way)
{
    offer(3, 3 * SIZE);
    entry(0, TRANSFER_FILE, "x", SIZE);
    entry(1, TRANSFER_FOLDER, "x", 0);
    begins(0, 0);
    chunk(0, 0, SIZE);
    done(0, SIZE, at.hash);
    entry(2, TRANSFER_FILE, "x/y", SIZE);
    entry(3, TRANSFER_FOLDER_END, "x", 0);
    wire_settle(&at.loop);
    all(4);
    ck_assert_int_eq(at.w.over.end, TRANSFER_END_DONE);
    ck_assert(!tree_has("in/x/y"));
    ck_assert(!tree_has("in/y"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hostile_sender");
    TCase *tests = tcase_create("hostile_sender");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, honest);
    tcase_add_test(tests, not_readable);
    tcase_add_test(tests, receivers_records);
    tcase_add_test(tests, before_the_answer);
    tcase_add_test(tests, names_refused);
    tcase_add_test(tests, outside_the_folder_that_is_open);
    tcase_add_test(tests, ends_of_folders);
    tcase_add_test(tests, folders_too_deep);
    tcase_add_test(tests, offers_refused);
    tcase_add_test(tests, other_than_offered);
    tcase_add_test(tests, less_than_offered);
    tcase_add_test(tests, signs_of_life);
    tcase_add_test(tests, more_than_offered);
    tcase_add_test(tests, entries_out_of_turn);
    tcase_add_test(tests, more_entries_than_may_be_open);
    tcase_add_test(tests, content_that_was_not_asked_for);
    tcase_add_test(tests, wrong_content);
    tcase_add_test(tests, two_dones);
    tcase_add_test(tests, wrong_hash);
    tcase_add_test(tests, huge_numbers);
    tcase_add_test(tests, does_not_wait);
    tcase_add_test(tests, entry_in_the_way);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
