/* A receiver whose folder others write to, or whose disk is full: nothing outside the folder is
 * touched, and nothing but whole files gets into its place. */
#include "apps/inbox.h"
#include "apps/safe_path.h"

#include "receive.h"
#include "tree.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 200000 };

static struct inbox *inbox;
static struct inbox_answer answer;
static char text[TRANSFER_TEXT];
static uint8_t octets[SIZE];

static void prepare(void)
{
    tree_begin();
    tree_folder("root", 0755);
    tree_folder("outside", 0755);
    tree_text("outside/file", "untouched");
    inbox = receive_inbox(false);
    tree_noise(octets, sizeof octets, 1);
}

static void clear_up(void)
{
    ck_assert_uint_eq(tree_count("outside"), 1);
    ck_assert(tree_is_text("outside/file", "untouched"));
    inbox_free(inbox);
    tree_end();
}

static void use_overwrite(void)
{
    inbox_free(inbox);
    inbox = receive_inbox(true);
}

static enum transfer_reason receive(const char *path, size_t size)
{
    struct transfer_entry entry = receive_entry(path, size);

    return receive_all(inbox, &entry, octets, text);
}

/* A file that has begun, of which `size` octets have come. */
static struct inbox_file *begun(const char *path, size_t size)
{
    struct transfer_entry entry = receive_entry(path, SIZE);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_write(file, octets, size), TRANSFER_KEPT);
    return file;
}

/* The rest of what begun has begun. */
static enum transfer_reason finish(struct inbox_file *file)
{
    uint64_t at = inbox_file_offset(file);
    uint8_t hash[TREE_HASH];
    enum transfer_reason reason = inbox_file_write(file, octets + at, (size_t)(SIZE - at));

    tree_hash(octets, SIZE, hash);
    if (reason == TRANSFER_KEPT)
        reason = inbox_file_keep(file, SIZE, SOME_TIME, SOME_NS, hash);
    (void)snprintf(text, sizeof text, "%s", inbox_file_text(file));
    inbox_file_free(file);
    return reason;
}

static bool is_link(const char *name)
{
    struct stat facts;

    return tree_stat(name, &facts) && S_ISLNK(facts.st_mode);
}

/* ---- planted in the place of a file ---- */

START_TEST(link_as_target)
{
    tree_link("../outside/file", "root/file");
    tree_link("../outside/new", "root/new");
    ck_assert_int_eq(receive("file", SIZE), TRANSFER_EXISTS);
    ck_assert_int_eq(receive("new", SIZE), TRANSFER_EXISTS);
    ck_assert(is_link("root/file") && is_link("root/new"));
    use_overwrite(); /* replaces the link, not what it leads to */
    ck_assert_int_eq(receive("file", SIZE), TRANSFER_KEPT);
    ck_assert_int_eq(receive("new", SIZE), TRANSFER_KEPT);
    ck_assert(tree_is("root/file", octets, SIZE));
    ck_assert(tree_is("root/new", octets, SIZE));
}
END_TEST

START_TEST(link_to_an_equal_file)
{
    tree_file("root/other", octets, 1000, 0644);
    tree_times("root/other", SOME_TIME, SOME_NS);
    tree_link("other", "root/file");
    tree_times("root/file", SOME_TIME, SOME_NS);
    ck_assert_int_eq(receive("file", 1000), TRANSFER_EXISTS);
    ck_assert_int_eq(receive("file", 5), TRANSFER_EXISTS); /* as long as the link's text */
}
END_TEST

START_TEST(pipe_as_target)
{
    tree_pipe("root/pipe");
    ck_assert_int_eq(receive("pipe", SIZE), TRANSFER_EXISTS);
    ck_assert_int_eq(receive("pipe", 0), TRANSFER_EXISTS);
    use_overwrite();
    ck_assert_int_eq(receive("pipe", SIZE), TRANSFER_EXISTS);
    ck_assert_str_ne(text, "");
}
END_TEST

START_TEST(link_as_folder)
{
    tree_link("../outside", "root/up");
    tree_link(tree_path("outside"), "root/abs");
    use_overwrite();
    ck_assert_int_eq(receive("up/file", SIZE), TRANSFER_EXISTS);
    ck_assert_int_eq(receive("abs/new", SIZE), TRANSFER_EXISTS);
    ck_assert_int_eq(receive("abs/a/b/c", SIZE), TRANSFER_EXISTS);
    struct transfer_entry entry = receive_entry("up", 0);
    entry.kind = TRANSFER_FOLDER;
    ck_assert_ptr_null(inbox_entry(inbox, &entry, &answer));
    ck_assert_int_eq(answer.reason, TRANSFER_EXISTS);
    entry.kind = TRANSFER_FOLDER_END;
    entry.mode = 0777;
    ck_assert_int_eq(inbox_folder_end(inbox, &entry, true, text), TRANSFER_EXISTS);
    struct stat facts;
    ck_assert(tree_stat("outside", &facts));
    ck_assert_int_ne(facts.st_mtim.tv_sec, SOME_TIME);
}
END_TEST

/* ---- planted in the place of a part ---- */

static void part_refused(void)
{
    ck_assert_int_eq(receive("file", SIZE), TRANSFER_EXISTS);
    ck_assert_ptr_nonnull(strstr(text, ".usi-part"));
    ck_assert(tree_has("root/.file.usi-part") && !tree_has("root/file"));
}

START_TEST(link_as_part)
{
    tree_link("../outside/file", "root/.file.usi-part");
    part_refused();
    tree_remove("root/.file.usi-part");
    tree_link("../outside/new", "root/.file.usi-part");
    part_refused();
}
END_TEST

START_TEST(hard_link_as_part)
{
    ck_assert_int_eq(link(tree_path("outside/file"), tree_path("root/.file.usi-part")), 0);
    part_refused();
}
END_TEST

START_TEST(other_things_as_part)
{
    tree_pipe("root/.file.usi-part");
    part_refused();
    tree_remove("root/.file.usi-part");
    tree_folder("root/.file.usi-part", 0755);
    part_refused();
}
END_TEST

START_TEST(part_of_another)
{
    if (geteuid() != 0) {
        (void)fputs("part_of_another: skipped, only root can make files of others\n", stderr);
        return;
    }
    tree_file("root/.file.usi-part", octets, 1000, 0666);
    ck_assert_int_eq(chown(tree_path("root/.file.usi-part"), 65534, 65534), 0);
    part_refused();
}
END_TEST

/* ---- swapped while a file is received ---- */

START_TEST(target_comes_meanwhile)
{
    struct inbox_file *file = begun("file", 1000);
    struct stat facts;

    tree_text("root/file", "mine");
    ck_assert_int_eq(finish(file), TRANSFER_EXISTS);
    ck_assert(tree_is_text("root/file", "mine"));
    ck_assert(tree_stat("root/.file.usi-part", &facts));
    ck_assert_int_eq(facts.st_mode & 07777, 0600);
    use_overwrite(); /* nothing is lost: what came is gone on with */
    struct transfer_entry entry = receive_entry("file", SIZE);
    file = receive_look(inbox, &entry, &answer);
    ck_assert_uint_eq(answer.offset, SIZE);
    ck_assert_int_eq(receive_rest(file, &entry, octets, SIZE, text), TRANSFER_KEPT);
    ck_assert(tree_is("root/file", octets, SIZE));
}
END_TEST

START_TEST(link_comes_meanwhile)
{
    struct inbox_file *file = begun("file", 1000);

    tree_link("../outside/file", "root/file");
    ck_assert_int_eq(finish(file), TRANSFER_EXISTS);
    ck_assert(is_link("root/file"));
}
END_TEST

START_TEST(folder_comes_meanwhile)
{
    use_overwrite();
    struct inbox_file *file = begun("file", 1000);
    tree_folder("root/file", 0755);
    ck_assert_int_eq(finish(file), TRANSFER_EXISTS);
}
END_TEST

START_TEST(part_swapped)
{
    struct inbox_file *file = begun("file", 1000);

    tree_remove("root/.file.usi-part");
    tree_text("root/.file.usi-part", "evil");
    ck_assert_int_eq(finish(file), TRANSFER_WRITE); /* what was not verified is not kept */
    ck_assert(!tree_has("root/file"));
    ck_assert(tree_is_text("root/.file.usi-part", "evil")); /* nor removed */
}
END_TEST

START_TEST(part_comes_meanwhile)
{
    struct transfer_entry entry = receive_entry("file", SIZE);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);

    ck_assert_int_eq(link(tree_path("outside/file"), tree_path("root/.file.usi-part")), 0);
    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_BUSY);
    ck_assert_str_ne(inbox_file_text(file), "");
    inbox_file_free(file);
    ck_assert(tree_is_text("root/.file.usi-part", "untouched"));
}
END_TEST

START_TEST(folder_swapped)
{
    tree_folder("root/sub", 0755);
    struct inbox_file *file = begun("sub/file", 1000);

    ck_assert_int_eq(rename(tree_path("root/sub"), tree_path("root/moved")), 0);
    tree_link("../outside", "root/sub");
    ck_assert_int_eq(finish(file), TRANSFER_KEPT);
    ck_assert(tree_is("root/moved/file", octets, SIZE));
    inbox_free(inbox);
    inbox = receive_inbox(false);
    ck_assert_int_eq(receive("sub/other", SIZE), TRANSFER_EXISTS);
}
END_TEST

/* ---- two receivers ---- */

START_TEST(two_at_one_part)
{
    struct inbox *second = receive_inbox(false);
    struct transfer_entry entry = receive_entry("file", SIZE);
    struct inbox_file *late = receive_look(second, &entry, &answer); /* before there is a part */
    struct inbox_file *file = begun("file", 1000);

    ck_assert_ptr_null(receive_look(second, &entry, &answer));
    ck_assert_int_eq(answer.reason, TRANSFER_BUSY);
    ck_assert_int_eq(inbox_file_begin(late, 0), TRANSFER_BUSY);
    inbox_file_free(late);
    inbox_file_free(file);
    late = receive_look(second, &entry, &answer); /* the first has given up */
    ck_assert_uint_eq(answer.offset, 1000);
    ck_assert_int_eq(receive_rest(late, &entry, octets, 1000, text), TRANSFER_KEPT);
    ck_assert(tree_is("root/file", octets, SIZE));
    inbox_free(second);
}
END_TEST

START_TEST(one_path_twice)
{
    struct inbox_file *file = begun("file", 1000);

    ck_assert_int_eq(receive("file", SIZE), TRANSFER_BUSY);
    ck_assert_int_eq(finish(file), TRANSFER_KEPT);
    ck_assert(tree_is("root/file", octets, SIZE));
}
END_TEST

/* Receives the file again and again, until it is there. A writer may be killed at any step. */
static void write_until_there(unsigned number)
{
    uint64_t state = 1000 + number;

    for (;;) {
        struct transfer_entry entry = receive_entry("file", SIZE);
        struct inbox_file *file = receive_look(inbox, &entry, &answer);
        if (file == NULL && answer.reason == TRANSFER_BUSY)
            continue;
        if (file == NULL)
            _exit(1);
        if (answer.offset == SIZE)
            _exit(receive_rest(file, &entry, octets, SIZE, NULL) == TRANSFER_KEPT ? 0 : 2);
        enum transfer_reason reason = inbox_file_begin(file, answer.offset);
        uint64_t at = inbox_file_offset(file);
        if (reason == TRANSFER_KEPT && tree_random(&state) % 16 != 0) { /* or gives up later */
            reason = inbox_file_write(file, octets + at, (size_t)((SIZE - at + 1) / 2));
            if (reason != TRANSFER_KEPT)
                _exit(3);
            if (tree_random(&state) % 8 == 0)
                (void)raise(SIGKILL);
        }
        inbox_file_free(file);
    }
}

START_TEST(many_at_one_part)
{
    enum { WRITERS = 4, ROUNDS = 40 };
    int status;

    for (unsigned round = 0; round < ROUNDS && !tree_has("root/file"); round++) {
        for (unsigned i = 0; i < WRITERS; i++) {
            pid_t child = fork();
            ck_assert_int_ge(child, 0);
            if (child == 0)
                write_until_there(round * WRITERS + i);
        }
        for (unsigned i = 0; i < WRITERS; i++) {
            ck_assert_int_gt(wait(&status), 0);
            ck_assert_msg(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
                                              : WEXITSTATUS(status) == 0,
                          "status %d", status);
        }
    }
    ck_assert(tree_is("root/file", octets, SIZE));
    /* A writer that was killed may have left a part beside it: the next one removes that. */
    ck_assert_int_eq(receive("file", SIZE), TRANSFER_KEPT);
    ck_assert_uint_eq(tree_count("root"), 1);
}
END_TEST

/* ---- no room ---- */

/* What came before stays for the next time, and once there is room it goes on. */
static void no_room(const char *word, void (*make_room)(void))
{
    struct transfer_entry entry = receive_entry("file", SIZE);
    struct stat facts;

    ck_assert_int_eq(receive("file", SIZE), TRANSFER_WRITE);
    ck_assert_msg(strstr(text, word) != NULL, "%s", text);
    ck_assert(!tree_has("root/file"));
    ck_assert(tree_stat("root/.file.usi-part", &facts));
    ck_assert_int_gt(facts.st_size, 0);
    make_room();
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    ck_assert_int_eq((long)answer.offset, (long)facts.st_size);
    ck_assert_int_eq(receive_rest(file, &entry, octets, answer.offset, text), TRANSFER_KEPT);
    ck_assert(tree_is("root/file", octets, SIZE));
}

static void lift_limit(void)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(file_too_large)
{
    struct rlimit limit;

    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 100000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    no_room("File too large", lift_limit);
}
END_TEST

static void remove_ballast(void)
{
    tree_remove("root/ballast");
}

START_TEST(disk_full)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, "") != 0 ||
        mount("tmpfs", tree_path("root"), "tmpfs", 0, "size=300k") != 0) {
        (void)fprintf(stderr, "disk_full: skipped, no file system can be mounted here: %s\n",
                      transfer_error_text(errno));
        return;
    }
    inbox_free(inbox);
    inbox = receive_inbox(false);
    tree_file("root/ballast", octets, SIZE, 0644);
    no_room("No space left", remove_ballast);
    inbox_free(inbox);
    inbox = NULL;
    ck_assert_int_eq(umount(tree_path("root")), 0);
}
END_TEST

/* ---- many hostile entries ---- */

static uint64_t seed = 0xdeadbea7;

static size_t below(size_t limit)
{
    return (size_t)(tree_random(&seed) % limit);
}

static struct transfer_entry hostile_entry(char path[256])
{
    static const char *const names[] = {
        "..",   ".",    "",     "up",   "abs",  "dangling", "a", "b",           "c",
        "real", "file", "pipe", "loop", "\xff", "\x1b[2J",  "/", ".a.usi-part", "outside"};
    size_t count = 1 + below(4), used = 0;

    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(path + used, 256 - used, "%s%s", i > 0 ? "/" : "",
                                 names[below(sizeof names / sizeof names[0])]);
    struct transfer_entry entry = receive_entry(path, below(3) * 50);
    entry.kind = below(8) == 0 ? (enum transfer_kind)below(6) : TRANSFER_FILE;
    entry.mode = below(8) == 0 ? (uint32_t)tree_random(&seed) : 0777;
    if (entry.kind == TRANSFER_FOLDER || entry.kind == TRANSFER_FOLDER_END)
        entry.size = 0;
    return entry;
}

/* The links that lead outside; --overwrite may have replaced one. */
static void plant_links(void)
{
    static const char *const links[][2] = {
        {"../outside", "root/up"},           {"../../outside/file", "root/real/file"},
        {"../outside/new", "root/dangling"}, {"../outside/file", "root/.b.usi-part"},
        {"../outside/file", "root/c"},       {"loop", "root/loop"}};

    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        if (is_link(links[i][1]))
            continue;
        if (tree_has(links[i][1]))
            tree_remove(links[i][1]);
        tree_link(links[i][0], links[i][1]);
    }
}

START_TEST(hostile_entries)
{
    size_t kept = 0;
    char path[256];

    use_overwrite();
    tree_folder("root/real", 0755);
    tree_pipe("root/pipe");
    tree_link(tree_path("outside"), "root/abs");
    for (int i = 0; i < 3000; i++) {
        plant_links();
        struct transfer_entry entry = hostile_entry(path);
        if (entry.kind == TRANSFER_FOLDER_END) {
            (void)inbox_folder_end(inbox, &entry, true, text);
            continue;
        }
        enum transfer_reason reason = receive_all(inbox, &entry, octets + below(2), text);
        ck_assert_int_lt(reason, TRANSFER_REASONS);
        kept += reason == TRANSFER_KEPT && entry.kind == TRANSFER_FILE;
    }
    ck_assert_uint_gt(kept, 100);
    ck_assert(is_link("root/.b.usi-part"));
    struct stat facts;
    ck_assert(!tree_stat("root/b", &facts) || S_ISDIR(facts.st_mode)); /* its part is refused */
    ck_assert_uint_eq(tree_count("."), tree_count("root") + 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inbox_hostile");
    TCase *tests = tcase_create("inbox_hostile");

    tcase_add_checked_fixture(tests, prepare, clear_up);
    tcase_add_test(tests, link_as_target);
    tcase_add_test(tests, link_to_an_equal_file);
    tcase_add_test(tests, pipe_as_target);
    tcase_add_test(tests, link_as_folder);
    tcase_add_test(tests, link_as_part);
    tcase_add_test(tests, hard_link_as_part);
    tcase_add_test(tests, other_things_as_part);
    tcase_add_test(tests, part_of_another);
    tcase_add_test(tests, target_comes_meanwhile);
    tcase_add_test(tests, link_comes_meanwhile);
    tcase_add_test(tests, folder_comes_meanwhile);
    tcase_add_test(tests, part_swapped);
    tcase_add_test(tests, part_comes_meanwhile);
    tcase_add_test(tests, folder_swapped);
    tcase_add_test(tests, two_at_one_part);
    tcase_add_test(tests, one_path_twice);
    tcase_add_test(tests, many_at_one_part);
    tcase_add_test(tests, file_too_large);
    tcase_add_test(tests, disk_full);
    tcase_add_test(tests, hostile_entries);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
