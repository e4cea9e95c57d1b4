/* Where a receiver puts it: new files, parts that are gone on with, files that are there already.
 */
#include "apps/inbox.h"

#include "receive.h"
#include "tree.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SIZE = 200000 };

static bool sync_fails;

/* Instead of the library's: a disk that fails. */
int fsync(int fd)
{
    if (!sync_fails)
        return (int)syscall(SYS_fsync, fd);
    errno = EIO;
    return -1;
}

static const size_t mib = (size_t)1 << 20;

static struct inbox *inbox;
static struct inbox_answer answer;
static char text[TRANSFER_TEXT];
static uint8_t octets[SIZE], hash[TREE_HASH];

static void prepare(void)
{
    tree_begin();
    tree_folder("root", 0755);
    inbox = receive_inbox(false);
    tree_noise(octets, sizeof octets, 1);
}

static void clear_up(void)
{
    inbox_free(inbox);
    tree_end();
}

static void use_overwrite(void)
{
    inbox_free(inbox);
    inbox = receive_inbox(true);
}

static enum transfer_reason receive(const char *path, const void *what, size_t size)
{
    struct transfer_entry entry = receive_entry(path, size);

    return receive_all(inbox, &entry, what, text);
}

static void is_kept(const char *name, const void *what, size_t size)
{
    struct stat facts;

    ck_assert(tree_is(name, what, size));
    ck_assert(tree_stat(name, &facts));
    ck_assert_int_eq(facts.st_mtim.tv_sec, SOME_TIME);
    ck_assert_int_eq(facts.st_mtim.tv_nsec, SOME_NS);
    ck_assert_int_eq(facts.st_mode & 07777, 0644);
}

/* ---- new ones ---- */

START_TEST(folder_refused)
{
    char why[512];

    tree_text("file", "x");
    ck_assert_ptr_null(inbox_new(tree_path("none"), false, tree_sha256(), why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "No such file"));
    ck_assert_ptr_null(inbox_new(tree_path("file"), false, tree_sha256(), why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "Not a directory"));
    ck_assert_int_eq(chmod(tree_path(""), 0755), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    else
        ck_assert_int_eq(chmod(tree_path("root"), 0555), 0);
    ck_assert_ptr_null(inbox_new(tree_path("root"), false, tree_sha256(), why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "Permission denied"));
    inbox_free(NULL);
    inbox_file_free(NULL);
}
END_TEST

START_TEST(new_file)
{
    ck_assert_int_eq(receive("file", octets, SIZE), TRANSFER_KEPT);
    is_kept("root/file", octets, SIZE);
    ck_assert_int_eq(receive("sub/folder/file", octets, 10), TRANSFER_WRITE);
    ck_assert(!tree_has("root/sub")); /* folders have entries of their own */
    tree_folder("root/sub", 0755);
    tree_folder("root/sub/folder", 0755);
    ck_assert_int_eq(receive("sub/folder/file", octets, 10), TRANSFER_KEPT);
    is_kept("root/sub/folder/file", octets, 10);
    ck_assert_uint_eq(tree_count("root"), 4); /* no part is left */
}
END_TEST

START_TEST(empty_file)
{
    ck_assert_int_eq(receive("empty", octets, 0), TRANSFER_KEPT);
    is_kept("root/empty", octets, 0);
    ck_assert_uint_eq(tree_count("root"), 1);
    struct transfer_entry entry = receive_entry("empty", 0);
    ck_assert_ptr_null(receive_look(inbox, &entry, &answer)); /* there already */
    ck_assert_int_eq(answer.reason, TRANSFER_KEPT);
}
END_TEST

START_TEST(modes)
{
    struct transfer_entry entry = receive_entry("file", 1);
    struct stat facts;

    (void)umask(027);
    inbox_free(inbox);
    inbox = receive_inbox(false);
    entry.mode = 06777; /* never setuid */
    ck_assert_int_eq(receive_all(inbox, &entry, octets, NULL), TRANSFER_KEPT);
    ck_assert(tree_stat("root/file", &facts));
    ck_assert_int_eq(facts.st_mode & 07777, 0750);
    entry = receive_entry("closed", 1);
    entry.mode = 0400;
    entry.mtime = -1;
    ck_assert_int_eq(receive_all(inbox, &entry, octets, NULL), TRANSFER_KEPT);
    ck_assert(tree_stat("root/closed", &facts));
    ck_assert_int_eq(facts.st_mode & 07777, 0400);
    ck_assert_int_eq(facts.st_mtim.tv_sec, -1);
    ck_assert_int_eq(umask(027), 027); /* left alone */
}
END_TEST

START_TEST(part_is_private)
{
    struct transfer_entry entry = receive_entry("file", SIZE);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    struct stat facts;

    ck_assert_int_eq(answer.what, INBOX_WANT);
    ck_assert_uint_eq(tree_count("root"), 0); /* nothing before it begins */
    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_KEPT);
    ck_assert(tree_stat("root/.file.usi-part", &facts));
    ck_assert_int_eq(facts.st_mode & 07777, 0600);
    inbox_file_free(file);
    ck_assert_uint_eq(tree_count("root"), 0); /* no octet came: nothing to go on with */
}
END_TEST

START_TEST(entries_refused)
{
    static const struct {
        const char *path;
        uint32_t kind, mode, ns, size;
        enum transfer_reason reason;
    } cases[] = {
        {"../x", 1, 0644, 0, 1, TRANSFER_NAME}, {"/x", 2, 0755, 0, 0, TRANSFER_NAME},
        {"a\nb", 1, 0644, 0, 1, TRANSFER_NAME}, {".x.usi-part", 1, 0644, 0, 1, TRANSFER_NAME},
        {"x", 0, 0644, 0, 1, TRANSFER_KIND},    {"x", 4, 0644, 0, 1, TRANSFER_KIND},
        {"x", 255, 0644, 0, 1, TRANSFER_KIND},  {"x", 1, 010644, 0, 1, TRANSFER_KIND},
        {"x", 1, 0100644, 0, 1, TRANSFER_KIND}, {"x", 1, 0644, 1000000000, 1, TRANSFER_KIND},
        {"x", 2, 0755, 0, 1, TRANSFER_KIND},    {"x", 3, 0755, 0, 1, TRANSFER_KIND},
        {"..", 3, 0755, 0, 0, TRANSFER_NAME},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct transfer_entry entry = receive_entry(cases[i].path, cases[i].size);
        entry.kind = (enum transfer_kind)cases[i].kind;
        entry.mode = cases[i].mode;
        entry.mtime_ns = cases[i].ns;
        ck_assert_ptr_null(inbox_entry(inbox, &entry, &answer));
        ck_assert_int_eq(answer.what, INBOX_SKIP);
        ck_assert_int_eq(answer.reason, cases[i].reason);
        ck_assert_str_ne(answer.text, "");
        ck_assert_int_ne(inbox_folder_end(inbox, &entry, true, text), TRANSFER_KEPT);
    }
    struct transfer_entry entry = receive_entry("x", (uint64_t)INT64_MAX + 1);
    ck_assert_ptr_null(inbox_entry(inbox, &entry, &answer));
    ck_assert_int_eq(answer.reason, TRANSFER_KIND);
    ck_assert_uint_eq(tree_count("."), 1);
}
END_TEST

START_TEST(numbers_that_do_not_add_up)
{
    struct transfer_entry entry = receive_entry("file", 100);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);

    ck_assert_int_eq(inbox_file_begin(file, 1), TRANSFER_KIND); /* nobody asked for that */
    inbox_file_free(file);
    file = receive_look(inbox, &entry, &answer); /* too many octets */
    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_write(file, octets, 60), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_write(file, octets, 41), TRANSFER_KIND);
    ck_assert_int_eq(inbox_file_write(file, octets, 1), TRANSFER_KIND); /* it has failed */
    ck_assert_int_eq(inbox_file_keep(file, 100, 0, 0, hash), TRANSFER_KIND);
    inbox_file_free(file);
    file = receive_look(inbox, &entry, &answer); /* too few */
    ck_assert_uint_eq(answer.offset, 60);
    ck_assert_int_eq(inbox_file_begin(file, 60), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_keep(file, 60, 0, 0, hash), TRANSFER_KIND);
    inbox_file_free(file);
    file = receive_look(inbox, &entry, &answer);
    ck_assert_int_eq(inbox_file_begin(file, 60), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_hole(file, UINT64_MAX), TRANSFER_KIND);
    inbox_file_free(file);
    ck_assert(!tree_has("root/file") && tree_has("root/.file.usi-part"));

    entry = receive_entry("big", (uint64_t)1 << 40);
    file = receive_look(inbox, &entry, &answer);
    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_hole(file, TRANSFER_HOLE_MAX + 1), TRANSFER_KIND);
    inbox_file_free(file);
    file = receive_look(inbox, &entry, &answer); /* octets before it begins */
    ck_assert_int_eq(inbox_file_write(file, octets, 1), TRANSFER_KIND);
    inbox_file_free(file);
}
END_TEST

START_TEST(holes)
{
    const size_t size = 10 * mib;
    uint8_t *whole = calloc(1, size);
    struct transfer_entry entry = receive_entry("file", size);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    struct stat facts;

    ck_assert_ptr_nonnull(whole);
    memcpy(whole + 8 * mib, octets, 1000);
    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_hole(file, 8 * mib), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_write(file, octets, 1000), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_hole(file, size - 8 * mib - 1000), TRANSFER_KEPT);
    tree_hash(whole, size, hash);
    ck_assert_int_eq(inbox_file_keep(file, size, SOME_TIME, SOME_NS, hash), TRANSFER_KEPT);
    inbox_file_free(file);
    is_kept("root/file", whole, size);
    ck_assert(tree_stat("root/file", &facts));
    ck_assert_int_lt(facts.st_blocks, 1000);
    free(whole);
}
END_TEST

START_TEST(all_hole)
{
    struct transfer_entry entry = receive_entry("file", mib);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    uint8_t *zeros = calloc(1, mib);

    ck_assert_ptr_nonnull(zeros);
    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_hole(file, mib), TRANSFER_KEPT);
    tree_hash(zeros, mib, hash);
    ck_assert_int_eq(inbox_file_keep(file, mib, SOME_TIME, SOME_NS, hash), TRANSFER_KEPT);
    inbox_file_free(file);
    is_kept("root/file", zeros, mib);
    free(zeros);
}
END_TEST

START_TEST(wrong_hash)
{
    struct transfer_entry entry = receive_entry("file", SIZE);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);

    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_write(file, octets, SIZE), TRANSFER_KEPT);
    tree_hash(octets, SIZE, hash);
    hash[31] ^= 1;
    ck_assert_int_eq(inbox_file_keep(file, SIZE, SOME_TIME, SOME_NS, hash), TRANSFER_HASH);
    ck_assert_ptr_nonnull(strstr(inbox_file_text(file), "SHA-256"));
    inbox_file_free(file);
    ck_assert_uint_eq(tree_count("root"), 0);
}
END_TEST

/* ---- going on ---- */

/* Leaves a part of the first `size` octets. */
static void leave_part(const char *path, size_t whole, size_t size)
{
    struct transfer_entry entry = receive_entry(path, whole);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);

    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_write(file, octets, size), TRANSFER_KEPT);
    inbox_file_free(file);
}

START_TEST(resumed)
{
    struct transfer_entry entry = receive_entry("file", SIZE);

    leave_part("file", SIZE, 70000);
    ck_assert(tree_is("root/.file.usi-part", octets, 70000));
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    ck_assert_int_eq(answer.what, INBOX_WANT);
    ck_assert_uint_eq(answer.offset, 70000);
    tree_hash(octets, 70000, hash);
    ck_assert_mem_eq(answer.sha256, hash, sizeof hash);
    ck_assert_int_eq(receive_rest(file, &entry, octets, 70000, text), TRANSFER_KEPT);
    is_kept("root/file", octets, SIZE);
    ck_assert_uint_eq(tree_count("root"), 1);
}
END_TEST

START_TEST(resumed_whole)
{
    struct transfer_entry entry = receive_entry("file", SIZE);

    leave_part("file", SIZE, SIZE);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    ck_assert_uint_eq(answer.offset, SIZE);
    ck_assert_int_eq(receive_rest(file, &entry, octets, SIZE, text), TRANSFER_KEPT);
    is_kept("root/file", octets, SIZE);
}
END_TEST

START_TEST(resumed_behind_a_hole)
{
    struct transfer_entry entry = receive_entry("file", mib);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    uint8_t *whole = calloc(1, mib);

    ck_assert_ptr_nonnull(whole);
    memcpy(whole, octets, 1000);
    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_write(file, whole, 1000), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_hole(file, 500000), TRANSFER_KEPT);
    inbox_file_free(file);
    file = receive_look(inbox, &entry, &answer);
    ck_assert_uint_eq(answer.offset, 1000); /* the hole comes again */
    ck_assert_int_eq(receive_rest(file, &entry, whole, 1000, text), TRANSFER_KEPT);
    is_kept("root/file", whole, mib);
    free(whole);
}
END_TEST

START_TEST(from_the_start_instead)
{
    static uint8_t others[SIZE / 2];
    struct transfer_entry entry = receive_entry("file", sizeof others);

    tree_noise(others, sizeof others, 2);
    leave_part("file", SIZE, 70000); /* then the sender's file changed */
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    ck_assert_uint_eq(answer.offset, 70000);
    ck_assert_int_eq(receive_rest(file, &entry, others, 0, text), TRANSFER_KEPT);
    is_kept("root/file", others, sizeof others);
    ck_assert_uint_eq(tree_count("root"), 1);
}
END_TEST

START_TEST(hole_where_a_part_had_octets)
{
    struct transfer_entry entry = receive_entry("file", SIZE);
    uint8_t *zeros = calloc(1, SIZE);

    ck_assert_ptr_nonnull(zeros);
    leave_part("file", SIZE, 70000);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_hole(file, SIZE), TRANSFER_KEPT);
    tree_hash(zeros, SIZE, hash);
    ck_assert_int_eq(inbox_file_keep(file, SIZE, SOME_TIME, SOME_NS, hash), TRANSFER_KEPT);
    inbox_file_free(file);
    is_kept("root/file", zeros, SIZE);
    free(zeros);
}
END_TEST

START_TEST(part_longer_than_the_file)
{
    struct transfer_entry entry = receive_entry("file", 100);

    leave_part("file", SIZE, 70000);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    ck_assert_int_eq(answer.what, INBOX_WANT);
    ck_assert_uint_eq(answer.offset, 0);
    ck_assert_int_eq(receive_rest(file, &entry, octets + 5, 0, text), TRANSFER_KEPT);
    is_kept("root/file", octets + 5, 100);
}
END_TEST

START_TEST(part_tampered_with)
{
    static uint8_t others[70000];
    struct transfer_entry entry = receive_entry("file", SIZE);

    leave_part("file", SIZE, 70000);
    memcpy(others, octets, sizeof others);
    others[69999] ^= 0x80;
    tree_file("root/.file.usi-part", others, sizeof others, 0600);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    tree_hash(octets, 70000, hash);
    ck_assert_mem_ne(answer.sha256, hash, sizeof hash);
    /* A sender that goes on nevertheless is found out, and nothing wrong stays. */
    ck_assert_int_eq(receive_rest(file, &entry, octets, 70000, text), TRANSFER_HASH);
    ck_assert_uint_eq(tree_count("root"), 0);
}
END_TEST

START_TEST(looked_at_in_steps)
{
    const size_t size = 17 * mib;
    uint8_t *whole = malloc(size);
    struct transfer_entry entry = receive_entry("file", size);
    int steps = 0;

    ck_assert_ptr_nonnull(whole);
    memset(whole, 3, size);
    tree_file("root/.file.usi-part", whole, size, 0600);
    struct inbox_file *file = inbox_entry(inbox, &entry, &answer);
    for (; answer.what == INBOX_LOOKING; steps++)
        inbox_file_look(file, &answer);
    ck_assert_int_eq(steps, 2);
    tree_hash(whole, size, hash);
    ck_assert_mem_eq(answer.sha256, hash, sizeof hash);
    inbox_file_free(file);
    free(whole);
}
END_TEST

static size_t longest_name(const char *name)
{
    char path[512];

    ck_assert_int_eq(receive(name, octets, 1000), TRANSFER_KEPT);
    (void)snprintf(path, sizeof path, "root/%s", name);
    is_kept(path, octets, 1000);
    tree_remove(path);
    leave_part(name, SIZE, 70000);
    ck_assert_uint_eq(tree_count("root"), 1);
    struct transfer_entry entry = receive_entry(name, SIZE);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    size_t offset = (size_t)answer.offset;
    ck_assert_int_eq(receive_rest(file, &entry, octets, offset, text), TRANSFER_KEPT);
    is_kept(path, octets, SIZE);
    tree_remove(path);
    return offset;
}

START_TEST(long_names)
{
    char name[256] = "";

    for (size_t size = 240; size <= 255; size++) { /* 245 is the longest with room for the rest */
        memset(name, 'x', size);
        name[size] = '\0';
        ck_assert_uint_eq(longest_name(name), 70000);
    }
    for (size_t i = 0; i < 85; i++)
        memcpy(name + 3 * i, "\xe6\x97\xa5", 3); /* characters are not cut in two */
    ck_assert_uint_eq(longest_name(name), 70000);
}
END_TEST

/* ---- what is there already ---- */

START_TEST(existing_is_left)
{
    tree_text("root/file", "mine");
    ck_assert_int_eq(receive("file", octets, SIZE), TRANSFER_EXISTS);
    ck_assert_str_ne(text, "");
    ck_assert(tree_is_text("root/file", "mine"));
    ck_assert_uint_eq(tree_count("root"), 1);
}
END_TEST

START_TEST(existing_is_replaced)
{
    tree_text("root/file", "mine");
    use_overwrite();
    struct transfer_entry entry = receive_entry("file", SIZE);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    ck_assert_int_eq(inbox_file_begin(file, 0), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_write(file, octets, SIZE / 2), TRANSFER_KEPT);
    ck_assert(tree_is_text("root/file", "mine")); /* until the new one is whole */
    inbox_file_free(file);
    ck_assert_int_eq(receive("file", octets, SIZE), TRANSFER_KEPT);
    is_kept("root/file", octets, SIZE);
    ck_assert_uint_eq(tree_count("root"), 1);
}
END_TEST

START_TEST(equal_is_verified)
{
    struct stat before, after;
    struct transfer_entry entry = receive_entry("file", SIZE);

    ck_assert_int_eq(receive("file", octets, SIZE), TRANSFER_KEPT);
    ck_assert(tree_stat("root/file", &before));
    tree_file("root/.file.usi-part", octets, 5, 0600); /* of no more use */
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    ck_assert_uint_eq(answer.offset, SIZE);
    tree_hash(octets, SIZE, hash);
    ck_assert_mem_eq(answer.sha256, hash, sizeof hash);
    ck_assert_int_eq(inbox_file_begin(file, SIZE), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_keep(file, SIZE, SOME_TIME, SOME_NS, hash), TRANSFER_KEPT);
    ck_assert(inbox_file_was_there(file));
    inbox_file_free(file);
    ck_assert(tree_stat("root/file", &after));
    ck_assert(before.st_ino == after.st_ino && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
    ck_assert_uint_eq(tree_count("root"), 1);
}
END_TEST

START_TEST(equal_only_by_size_and_time)
{
    static uint8_t others[SIZE];

    tree_noise(others, sizeof others, 3);
    tree_file("root/file", others, SIZE, 0644);
    tree_times("root/file", SOME_TIME, SOME_NS);
    ck_assert_int_eq(receive("file", octets, SIZE), TRANSFER_EXISTS);
    ck_assert(tree_is("root/file", others, SIZE));
    use_overwrite();
    ck_assert_int_eq(receive("file", octets, SIZE), TRANSFER_KEPT);
    is_kept("root/file", octets, SIZE);
    ck_assert_uint_eq(tree_count("root"), 1);
}
END_TEST

START_TEST(a_lie_about_an_equal_file)
{
    struct transfer_entry entry = receive_entry("file", SIZE);

    tree_file("root/file", octets, SIZE, 0644);
    tree_times("root/file", SOME_TIME, SOME_NS);
    struct inbox_file *file = receive_look(inbox, &entry, &answer);
    ck_assert_int_eq(inbox_file_begin(file, SIZE), TRANSFER_KEPT);
    memset(hash, 0, sizeof hash);
    ck_assert_int_eq(inbox_file_keep(file, SIZE, SOME_TIME, SOME_NS, hash), TRANSFER_EXISTS);
    ck_assert(!inbox_file_was_there(file));
    inbox_file_free(file);
    file = receive_look(inbox, &entry, &answer); /* octets for a file that is not to be written */
    ck_assert_int_eq(inbox_file_begin(file, SIZE), TRANSFER_KEPT);
    ck_assert_int_eq(inbox_file_write(file, octets, 1), TRANSFER_KIND);
    inbox_file_free(file);
    ck_assert(tree_is("root/file", octets, SIZE));
}
END_TEST

START_TEST(no_hash_for_a_guess)
{
    struct transfer_entry entry = receive_entry("file", SIZE);

    tree_file("root/file", octets, SIZE, 0644);
    tree_times("root/file", SOME_TIME, SOME_NS + 1);
    ck_assert_ptr_null(inbox_entry(inbox, &entry, &answer));
    ck_assert_int_eq(answer.reason, TRANSFER_EXISTS);
    tree_times("root/file", SOME_TIME + 1, SOME_NS);
    ck_assert_ptr_null(inbox_entry(inbox, &entry, &answer));
    tree_times("root/file", SOME_TIME, 0); /* a file system of whole seconds */
    struct inbox_file *file = inbox_entry(inbox, &entry, &answer);
    ck_assert_ptr_nonnull(file);
    inbox_file_free(file);
}
END_TEST

/* ---- folders ---- */

static enum transfer_reason folder(const char *path, uint32_t mode, enum transfer_kind kind)
{
    struct transfer_entry entry = receive_entry(path, 0);

    entry.kind = kind;
    entry.mode = mode;
    if (kind == TRANSFER_FOLDER_END)
        return inbox_folder_end(inbox, &entry, true, text);
    ck_assert_ptr_null(inbox_entry(inbox, &entry, &answer));
    return answer.reason;
}

/* The end of one that this inbox did not make. */
static enum transfer_reason end_of_other(const char *path, uint32_t mode)
{
    struct transfer_entry entry = receive_entry(path, 0);

    entry.kind = TRANSFER_FOLDER_END;
    entry.mode = mode;
    return inbox_folder_end(inbox, &entry, false, text);
}

static void is_folder(const char *name, mode_t mode, int64_t seconds)
{
    struct stat facts;

    ck_assert(tree_stat(name, &facts) && S_ISDIR(facts.st_mode));
    ck_assert_int_eq(facts.st_mode & 07777, mode);
    if (seconds != 0)
        ck_assert_int_eq(facts.st_mtim.tv_sec, seconds);
}

START_TEST(folders)
{
    ck_assert_int_eq(folder("d", 0555, TRANSFER_FOLDER), TRANSFER_KEPT);
    ck_assert_int_eq(folder("d/e", 02777, TRANSFER_FOLDER), TRANSFER_KEPT);
    is_folder("root/d", 0755, 0); /* ours to write to */
    ck_assert_int_eq(folder("p", 0700, TRANSFER_FOLDER), TRANSFER_KEPT);
    is_folder("root/p", 0700, 0); /* never more open than it will be */
    ck_assert_int_eq(receive("d/e/file", octets, 10), TRANSFER_KEPT);
    ck_assert_int_eq(folder("d/e", 02777, TRANSFER_FOLDER_END), TRANSFER_KEPT);
    ck_assert_int_eq(folder("d", 0555, TRANSFER_FOLDER_END), TRANSFER_KEPT);
    is_folder("root/d/e", 0755, SOME_TIME);
    is_folder("root/d", 0555, SOME_TIME);
    is_kept("root/d/e/file", octets, 10);
}
END_TEST

START_TEST(folder_there)
{
    tree_folder("root/private", 0700);
    tree_times("root/private", 5, 0);
    tree_folder("root/open", 0755);
    tree_times("root/open", 6, 0);
    ck_assert_int_eq(folder("private", 0777, TRANSFER_FOLDER), TRANSFER_KEPT);
    ck_assert(!answer.made);
    ck_assert_int_eq(end_of_other("private", 0777), TRANSFER_KEPT);
    is_folder("root/private", 0700, 5); /* never opened to others */
    ck_assert_int_eq(end_of_other("open", 0055), TRANSFER_KEPT);
    is_folder("root/open", 0755, 6); /* nor closed */
    ck_assert_int_eq(folder("new", 0777, TRANSFER_FOLDER), TRANSFER_KEPT);
    ck_assert(answer.made);
    ck_assert_int_eq(folder("not/there", 0777, TRANSFER_FOLDER), TRANSFER_WRITE);
    ck_assert(!answer.made && !tree_has("root/not"));
    ck_assert_int_eq(folder("none", 0755, TRANSFER_FOLDER_END), TRANSFER_WRITE);
    ck_assert(!tree_has("root/none"));
}
END_TEST

/* What a part holds then is not known. */
START_TEST(disk_fails_at_the_end)
{
    sync_fails = true;
    ck_assert_int_eq(receive("file", octets, SIZE), TRANSFER_WRITE);
    sync_fails = false;
    ck_assert_uint_eq(tree_count("root"), 0);
    ck_assert_int_eq(receive("file", octets, SIZE), TRANSFER_KEPT);
    is_kept("root/file", octets, SIZE);
}
END_TEST

START_TEST(folder_in_the_place_of_a_file)
{
    use_overwrite();
    tree_folder("root/name", 0755);
    tree_text("root/file", "x");
    ck_assert_int_eq(receive("name", octets, 10), TRANSFER_EXISTS);
    ck_assert_int_eq(receive("file/x", octets, 10), TRANSFER_EXISTS);
    ck_assert_int_eq(folder("file", 0755, TRANSFER_FOLDER), TRANSFER_EXISTS);
    ck_assert_int_eq(folder("file", 0755, TRANSFER_FOLDER_END), TRANSFER_EXISTS);
    is_folder("root/name", 0755, 0);
    ck_assert(tree_is_text("root/file", "x"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inbox");
    TCase *tests = tcase_create("inbox");

    tcase_add_checked_fixture(tests, prepare, clear_up);
    tcase_add_test(tests, folder_refused);
    tcase_add_test(tests, new_file);
    tcase_add_test(tests, empty_file);
    tcase_add_test(tests, modes);
    tcase_add_test(tests, part_is_private);
    tcase_add_test(tests, entries_refused);
    tcase_add_test(tests, numbers_that_do_not_add_up);
    tcase_add_test(tests, holes);
    tcase_add_test(tests, all_hole);
    tcase_add_test(tests, wrong_hash);
    tcase_add_test(tests, resumed);
    tcase_add_test(tests, resumed_whole);
    tcase_add_test(tests, resumed_behind_a_hole);
    tcase_add_test(tests, from_the_start_instead);
    tcase_add_test(tests, hole_where_a_part_had_octets);
    tcase_add_test(tests, part_longer_than_the_file);
    tcase_add_test(tests, part_tampered_with);
    tcase_add_test(tests, looked_at_in_steps);
    tcase_add_test(tests, long_names);
    tcase_add_test(tests, existing_is_left);
    tcase_add_test(tests, existing_is_replaced);
    tcase_add_test(tests, equal_is_verified);
    tcase_add_test(tests, equal_only_by_size_and_time);
    tcase_add_test(tests, a_lie_about_an_equal_file);
    tcase_add_test(tests, no_hash_for_a_guess);
    tcase_add_test(tests, folders);
    tcase_add_test(tests, folder_there);
    tcase_add_test(tests, disk_fails_at_the_end);
    tcase_add_test(tests, folder_in_the_place_of_a_file);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
