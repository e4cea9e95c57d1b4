/* What a sender gives: names, walks, reading, and files that change meanwhile. */
#include "apps/outbox.h"

#include "apps/safe_path.h"
#include "tree.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const size_t mib = (size_t)1 << 20;

static char why[512];
static struct outbox *outbox;

/* An outbox of up to two names. */
static struct outbox *box_of(const char *one, const char *two)
{
    const char *names[] = {one, two};

    why[0] = '\0';
    return outbox_new(names, two != NULL ? 2 : 1, tree_sha256(), why, sizeof why);
}

/* ---- names ---- */

static void refused(const char *one, const char *two, const char *word)
{
    ck_assert_ptr_null(box_of(one, two));
    ck_assert_msg(strstr(why, word) != NULL && strchr(why, '\n') == NULL, "%s", why);
}

START_TEST(names_refused)
{
    tree_pipe("pipe");
    tree_folder("a", 0755);
    tree_folder("b", 0755);
    tree_text("a/same", "x");
    tree_text("b/same", "x");
    tree_text("bad\nname", "x");
    tree_link("nowhere", "dangling");
    refused(tree_path("missing"), NULL, "missing");
    refused(tree_path("dangling"), NULL, "dangling");
    refused("/dev/null", NULL, "neither");
    refused(tree_path("pipe"), NULL, "neither");
    refused("/", NULL, "no name");
    refused("", NULL, "");
    refused(tree_path("bad\nname"), NULL, "cannot be sent");
    refused(tree_path("a/same"), tree_path("b/same"), "both arrive as same");
    refused(tree_path("a/same"), tree_path("missing"), "missing");
    ck_assert_ptr_null(outbox_new(NULL, 0, tree_sha256(), why, sizeof why));
}
END_TEST

static void named(const char *path, const char *name)
{
    outbox = box_of(path, NULL);

    ck_assert_msg(outbox != NULL, "%s", why);
    ck_assert_uint_eq(outbox_count(outbox), 1);
    ck_assert_str_eq(outbox_name(outbox), name);
    outbox_free(outbox);
}

START_TEST(names_taken)
{
    tree_folder("box", 0755);
    tree_folder("box/inner", 0755);
    tree_text("box/file", "x");
    tree_link("box/file", "latest");
    named(tree_path("box"), "box");
    named(tree_path("box///"), "box");
    named(tree_path("box/."), "box");
    named(tree_path("box/inner/.."), "box");
    named(tree_path("box/file"), "file");
    named(tree_path("latest"), "latest"); /* a link that was named is followed */
    ck_assert_int_eq(chdir(tree_path("box")), 0);
    named(".", "box");
    ck_assert_int_eq(chdir("inner"), 0);
    named("..", "box");
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(named_twice)
{
    tree_folder("box", 0755);
    tree_folder("box/x", 0755);
    outbox = box_of(tree_path("box"), tree_path("box/x/.."));

    ck_assert_ptr_nonnull(outbox);
    ck_assert_uint_eq(outbox_count(outbox), 1);
    outbox_free(outbox);
    tree_text("other", "x");
    outbox = box_of(tree_path("other"), tree_path("box"));
    ck_assert_ptr_nonnull(outbox);
    ck_assert_uint_eq(outbox_count(outbox), 2);
    ck_assert_str_eq(outbox_name(outbox), "");
    outbox_free(outbox);
    outbox_free(NULL);
}
END_TEST

/* ---- walks ---- */

enum { SEEN_MAX = 256 };

static struct seen {
    char path[SAFE_PATH_MAX + 300];
    enum outbox_step step;
    struct transfer_entry entry;
    char why[TRANSFER_TEXT];
} seen[SEEN_MAX];
static size_t seen_count;

/* Walks through one thing, or two, into seen. Indexes count the entries. */
static void walk(const struct outbox *box)
{
    struct outbox_walk *it = outbox_walk_new(box);
    uint32_t index = 0;

    ck_assert_ptr_nonnull(it);
    for (seen_count = 0;; seen_count++) {
        struct seen *s = &seen[seen_count];
        ck_assert_uint_lt(seen_count, SEEN_MAX);
        s->step = outbox_next(it, &s->entry, s->why, sizeof s->why);
        if (s->step == OUTBOX_END)
            break;
        (void)snprintf(s->path, sizeof s->path, "%.*s", (int)s->entry.path_size, s->entry.path);
        ck_assert(s->step == OUTBOX_OK || s->step == OUTBOX_LEFT_OUT);
        if (s->step == OUTBOX_OK)
            ck_assert_uint_eq(s->entry.index, index++);
    }
    outbox_walk_free(it);
}

static const struct seen *find(const char *path, enum transfer_kind kind)
{
    for (size_t i = 0; i < seen_count; i++)
        if (strcmp(seen[i].path, path) == 0 &&
            (seen[i].step == OUTBOX_LEFT_OUT ? kind == 0 : seen[i].entry.kind == kind))
            return &seen[i];
    ck_abort_msg("%s was not given", path);
    return NULL;
}

static void left_out(const char *path, const char *word)
{
    const struct seen *s = find(path, (enum transfer_kind)0);

    ck_assert_int_eq(s->step, OUTBOX_LEFT_OUT);
    ck_assert_msg(strstr(s->why, word) != NULL, "%s: %s", path, s->why);
}

START_TEST(walked)
{
    tree_folder("box", 0755);
    tree_folder("box/inner", 0755);
    tree_file("box/inner/file", "12345", 5, 04640);
    tree_text("box/empty", "");
    tree_folder("box/none", 0700);
    tree_text("top", "abc");
    tree_times("box/inner/file", 1234567890, 123456789);
    tree_times("box/inner", -5, 7);
    outbox = box_of(tree_path("top"), tree_path("box"));
    walk(outbox);
    ck_assert_uint_eq(seen_count, 9);

    const struct seen *file = find("box/inner/file", TRANSFER_FILE);
    ck_assert_uint_eq(file->entry.mode, 04640);
    ck_assert_int_eq(file->entry.mtime, 1234567890);
    ck_assert_uint_eq(file->entry.mtime_ns, 123456789);
    ck_assert_uint_eq(file->entry.size, 5);
    const struct seen *begin = find("box/inner", TRANSFER_FOLDER);
    const struct seen *end = find("box/inner", TRANSFER_FOLDER_END);
    ck_assert(begin < file && file < end);
    ck_assert_int_eq(end->entry.mtime, -5);
    ck_assert_uint_eq(end->entry.mtime_ns, 7);
    ck_assert_uint_eq(end->entry.mode, 0755);
    ck_assert(find("box", TRANSFER_FOLDER) < begin && end < find("box", TRANSFER_FOLDER_END));
    ck_assert_uint_eq(find("box/empty", TRANSFER_FILE)->entry.size, 0);
    ck_assert_ptr_eq(find("box/none", TRANSFER_FOLDER) + 1, find("box/none", TRANSFER_FOLDER_END));
    (void)find("top", TRANSFER_FILE);
    outbox_free(outbox);
}
END_TEST

static void make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", tree_path(name));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(close(fd), 0);
}

START_TEST(things_left_out)
{
    struct outbox_totals totals = {0};

    tree_folder("box", 0755);
    tree_text("box/good", "12345678");
    tree_link("good", "box/link");
    tree_link("/", "box/link-to-folder");
    tree_pipe("box/pipe");
    make_socket("box/socket");
    tree_text("box/new\nline", "x");
    tree_text("box/\xff", "x");
    tree_text("box/.good.usi-part", "x");
    outbox = box_of(tree_path("box"), NULL);
    walk(outbox);
    ck_assert_uint_eq(seen_count, 10);
    (void)find("box/good", TRANSFER_FILE);
    left_out("box/link", "symbolic link");
    left_out("box/link-to-folder", "symbolic link");
    left_out("box/pipe", "pipe");
    left_out("box/socket", "socket");
    left_out("box/new\nline", "control");
    left_out("box/\xff", "UTF-8");
    left_out("box/.good.usi-part", "unfinished");

    struct outbox_walk *it = outbox_walk_new(outbox);
    ck_assert_int_eq(outbox_survey(it, &totals), OUTBOX_END);
    ck_assert_uint_eq(totals.files, 1);
    ck_assert_uint_eq(totals.folders, 1);
    ck_assert_uint_eq(totals.octets, 8);
    ck_assert_uint_eq(totals.left_out, 7);
    outbox_walk_free(it);
    outbox_free(outbox);
}
END_TEST

START_TEST(unreadable)
{
    tree_folder("box", 0755);
    tree_file("box/secret", "x", 1, 0000);
    tree_folder("box/closed", 0000);
    ck_assert_int_eq(chmod(tree_path(""), 0755), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0); /* root may read everything */
    outbox = box_of(tree_path("box"), NULL);
    ck_assert_ptr_nonnull(outbox);
    walk(outbox);
    left_out("box/secret", "Permission denied");
    left_out("box/closed", "Permission denied");
    ck_assert_uint_eq(seen_count, 4);
    outbox_free(outbox);
    refused(tree_path("box/secret"), NULL, "Permission denied");
}
END_TEST

START_TEST(too_deep)
{
    char path[1024] = "d";

    for (int i = 1; i <= SAFE_PATH_DEPTH + 2; i++) {
        tree_folder(path, 0755);
        size_t size = strlen(path);
        (void)snprintf(path + size, sizeof path - size, "/d");
    }
    outbox = box_of(tree_path("d"), NULL);
    walk(outbox);
    ck_assert_uint_eq(seen_count, 2 * SAFE_PATH_DEPTH + 1);
    ck_assert_int_eq(seen[SAFE_PATH_DEPTH].step, OUTBOX_LEFT_OUT);
    ck_assert_ptr_nonnull(strstr(seen[SAFE_PATH_DEPTH].why, "deep"));
    outbox_free(outbox);
}
END_TEST

START_TEST(long_survey)
{
    struct outbox_totals totals = {0};
    char name[32];
    enum outbox_step step;
    int steps = 0;

    tree_folder("box", 0755);
    for (int i = 0; i < 1500; i++) {
        (void)snprintf(name, sizeof name, "box/%d", i);
        tree_text(name, "12");
    }
    outbox = box_of(tree_path("box"), NULL);
    struct outbox_walk *it = outbox_walk_new(outbox);
    for (; (step = outbox_survey(it, &totals)) == OUTBOX_MORE; steps++)
        ck_assert_int_lt(steps, 1500);
    ck_assert_int_eq(step, OUTBOX_END);
    ck_assert_int_gt(steps, 0);
    ck_assert_uint_eq(totals.files, 1500);
    ck_assert_uint_eq(totals.octets, 3000);
    outbox_walk_free(it);

    it = outbox_walk_new(outbox); /* given up half-way */
    ck_assert_int_eq(outbox_survey(it, &totals), OUTBOX_MORE);
    outbox_walk_free(it);
    outbox_walk_free(NULL);
    outbox_free(outbox);
}
END_TEST

/* ---- one file ---- */

static struct transfer_entry entry;
static enum transfer_reason reason;

/* The only file of the box, announced. */
static void announce_file(const char *name)
{
    walk(outbox = box_of(tree_path(name), NULL));
    for (size_t i = 0; i < seen_count; i++)
        if (seen[i].step == OUTBOX_OK && seen[i].entry.kind == TRANSFER_FILE) {
            entry = seen[i].entry;
            entry.path = seen[i].path;
        }
}

static struct outbox_file *open_file(void)
{
    return outbox_open(outbox, &entry, &reason, why, sizeof why);
}

/* Reads on to the end into to[], counting holes as zeros. Returns the last step. */
static enum outbox_step read_on(struct outbox_file *file, uint8_t *to, size_t room, uint64_t *holes)
{
    size_t size;
    uint64_t hole;
    enum outbox_step step;

    *holes = 0;
    for (;;) {
        uint64_t at = outbox_file_offset(file);
        step = outbox_file_read(file, to + at, room - at < 65528 ? room - at : 65528, &size, &hole);
        if (step != OUTBOX_OK)
            return step;
        ck_assert((size > 0) != (hole > 0));
        ck_assert_uint_le(hole, TRANSFER_HOLE_MAX);
        ck_assert_uint_eq(outbox_file_offset(file), at + size + hole);
        memset(to + at + size, 0, (size_t)hole);
        *holes += hole;
    }
}

/* The file of the box is these octets, in one reading. Returns how many lay in holes. */
static uint64_t reads_as(const uint8_t *octets, size_t size)
{
    struct outbox_file *file = open_file();
    uint8_t *got = malloc(size + 1), hash[TREE_HASH];
    struct outbox_done done;
    uint64_t holes;

    ck_assert(file != NULL && got != NULL);
    ck_assert_int_eq(read_on(file, got, size + 1, &holes), OUTBOX_END);
    ck_assert(memcmp(got, octets, size) == 0);
    ck_assert_int_eq(outbox_file_finish(file, &done), OUTBOX_OK);
    tree_hash(octets, size, hash);
    ck_assert(memcmp(done.sha256, hash, sizeof hash) == 0);
    ck_assert(done.size == size && done.mtime == entry.mtime && done.mtime_ns == entry.mtime_ns);
    free(got);
    outbox_file_free(file);
    return holes;
}

START_TEST(file_read)
{
    static uint8_t octets[300001];

    tree_noise(octets, sizeof octets, 1);
    tree_folder("box", 0755);
    tree_file("box/file", octets, sizeof octets, 0644);
    announce_file("box");
    ck_assert_uint_eq(reads_as(octets, sizeof octets), 0);
    outbox_free(outbox);
    announce_file("box/file"); /* named itself */
    ck_assert_uint_eq(reads_as(octets, sizeof octets), 0);
    outbox_free(outbox);
    outbox_file_free(NULL);
}
END_TEST

START_TEST(file_empty)
{
    tree_text("file", "");
    announce_file("file");
    ck_assert_uint_eq(reads_as((const uint8_t *)"", 0), 0);
    outbox_free(outbox);
}
END_TEST

START_TEST(file_with_holes)
{
    const size_t size = 18 * mib;
    uint8_t *octets = calloc(1, size);
    struct stat facts;

    ck_assert_ptr_nonnull(octets);
    int fd = open(tree_path("file"), O_RDWR | O_CREAT, 0600);
    tree_noise(octets + mib, 100000, 2);
    tree_noise(octets + size - 20, 10, 3);
    ck_assert_int_eq(pwrite(fd, octets + mib, 100000, (off_t)mib), 100000);
    ck_assert_int_eq(pwrite(fd, octets + size - 20, 10, (off_t)size - 20), 10);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    ck_assert_int_eq(fstat(fd, &facts), 0);
    ck_assert_int_eq(close(fd), 0);
    announce_file("file");
    uint64_t holes = reads_as(octets, size);
    if (facts.st_blocks < 1000) /* the file system knows holes */
        ck_assert_uint_gt(holes, 17 * mib);
    outbox_free(outbox);
    free(octets);
}
END_TEST

START_TEST(file_all_hole)
{
    uint8_t *octets = calloc(1, mib);

    ck_assert_ptr_nonnull(octets);
    tree_text("file", "");
    ck_assert_int_eq(truncate(tree_path("file"), (off_t)mib), 0);
    announce_file("file");
    (void)reads_as(octets, mib);
    outbox_free(outbox);
    free(octets);
}
END_TEST

/* ---- going on ---- */

static uint64_t resume(struct outbox_file *file, const uint8_t *had, uint64_t offset)
{
    uint8_t hash[TREE_HASH];
    enum outbox_step step;

    tree_hash(had, (size_t)offset, hash);
    do
        step = outbox_file_resume(file, offset, hash);
    while (step == OUTBOX_MORE);
    ck_assert_int_eq(step, OUTBOX_OK);
    return outbox_file_offset(file);
}

/* Goes on from where the file is, and all that was read has the hash of all. */
static void ends_as(struct outbox_file *file, const uint8_t *octets, size_t size)
{
    uint64_t from = outbox_file_offset(file), holes;
    uint8_t *got = malloc(size + 1), hash[TREE_HASH];
    struct outbox_done done;

    ck_assert_ptr_nonnull(got);
    ck_assert_int_eq(read_on(file, got, size + 1, &holes), OUTBOX_END);
    ck_assert_int_eq(memcmp(got + from, octets + from, size - (size_t)from), 0);
    ck_assert_int_eq(outbox_file_finish(file, &done), OUTBOX_OK);
    tree_hash(octets, size, hash);
    ck_assert_mem_eq(done.sha256, hash, sizeof hash);
    free(got);
    outbox_file_free(file);
}

START_TEST(resumed)
{
    static uint8_t octets[200000];

    tree_noise(octets, sizeof octets, 4);
    tree_file("file", octets, sizeof octets, 0644);
    announce_file("file");
    struct outbox_file *file = open_file();
    ck_assert_uint_eq(resume(file, octets, 123456), 123456);
    ends_as(file, octets, sizeof octets);
    file = open_file(); /* all of it is there already */
    ck_assert_uint_eq(resume(file, octets, sizeof octets), sizeof octets);
    ends_as(file, octets, sizeof octets);
    file = open_file();
    ck_assert_uint_eq(resume(file, octets, 0), 0);
    ends_as(file, octets, sizeof octets);
    outbox_free(outbox);
}
END_TEST

START_TEST(resumed_with_other_octets)
{
    static uint8_t octets[200000], others[200000];
    static const uint8_t nothing[TREE_HASH];

    tree_noise(octets, sizeof octets, 5);
    memcpy(others, octets, sizeof others);
    others[1000] ^= 1;
    tree_file("file", octets, sizeof octets, 0644);
    announce_file("file");
    struct outbox_file *file = open_file();
    ck_assert_uint_eq(resume(file, others, 123456), 0);
    ends_as(file, octets, sizeof octets);
    file = open_file(); /* more than there is */
    ck_assert_int_eq(outbox_file_resume(file, sizeof octets + 1, nothing), OUTBOX_OK);
    ck_assert_uint_eq(outbox_file_offset(file), 0);
    ck_assert_int_eq(outbox_file_resume(file, UINT64_MAX, nothing), OUTBOX_OK);
    ends_as(file, octets, sizeof octets);
    outbox_free(outbox);
}
END_TEST

START_TEST(resumed_in_steps)
{
    const size_t size = 17 * mib;
    uint8_t *octets = malloc(size), hash[TREE_HASH];
    int steps = 0;

    ck_assert_ptr_nonnull(octets);
    memset(octets, 7, size);
    tree_file("file", octets, size, 0644);
    announce_file("file");
    struct outbox_file *file = open_file();
    tree_hash(octets, size - 1, hash);
    while (outbox_file_resume(file, size - 1, hash) == OUTBOX_MORE)
        steps++;
    ck_assert_int_eq(steps, 1);
    ck_assert_uint_eq(outbox_file_offset(file), size - 1);
    ends_as(file, octets, size);
    outbox_free(outbox);
    free(octets);
}
END_TEST

/* ---- what happens meanwhile ---- */

static void not_opened(enum transfer_reason expected)
{
    ck_assert_ptr_null(open_file());
    ck_assert_int_eq(reason, expected);
    ck_assert_str_ne(why, "");
}

START_TEST(swapped_before_opening)
{
    tree_folder("box", 0755);
    tree_folder("box/sub", 0755);
    tree_text("box/sub/file", "12345");
    tree_text("secret", "54321");
    announce_file("box");
    tree_text("box/sub/file", "123456");
    not_opened(TRANSFER_CHANGED);
    tree_remove("box/sub/file");
    not_opened(TRANSFER_READ);
    tree_link(tree_path("secret"), "box/sub/file");
    not_opened(TRANSFER_READ);
    tree_remove("box/sub/file");
    tree_pipe("box/sub/file"); /* not waited for */
    not_opened(TRANSFER_CHANGED);
    tree_remove("box/sub/file");
    tree_folder("box/sub/file", 0755);
    not_opened(TRANSFER_CHANGED);
    tree_remove("box/sub/file");
    tree_remove("box/sub");
    tree_folder("elsewhere", 0755);
    tree_text("elsewhere/file", "12345");
    tree_times("elsewhere/file", entry.mtime, (long)entry.mtime_ns);
    tree_link("../elsewhere", "box/sub"); /* a link in the place of a folder */
    not_opened(TRANSFER_READ);
    outbox_free(outbox);
}
END_TEST

START_TEST(never_announced)
{
    static const char *const paths[] = {
        "../secret", "box/../../secret", "/etc/passwd", "secret", "box/./file", "box", "", "box/"};

    tree_folder("box", 0755);
    tree_text("box/file", "x");
    announce_file("box");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        entry.path = paths[i];
        entry.path_size = strlen(paths[i]);
        ck_assert_ptr_null(open_file());
    }
    outbox_free(outbox);
}
END_TEST

static const uint8_t *some_octets(void)
{
    static uint8_t octets[100000];

    tree_noise(octets, sizeof octets, 6);
    return octets;
}

/* A file of 100,000 octets, half read. */
static struct outbox_file *half_read(void)
{
    static uint8_t buffer[50000];
    size_t size;
    uint64_t hole;

    tree_file("file", some_octets(), 100000, 0644);
    tree_times("file", 1000000, 0); /* whatever the clock's steps, a write shows */
    announce_file("file");
    struct outbox_file *file = open_file();
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(outbox_file_read(file, buffer, sizeof buffer, &size, &hole), OUTBOX_OK);
    return file;
}

static void is_spoilt(struct outbox_file *file)
{
    static uint8_t rest[200000];
    struct outbox_done done;
    uint64_t holes;

    ck_assert_int_eq(read_on(file, rest, sizeof rest, &holes), OUTBOX_END);
    ck_assert_int_eq(outbox_file_finish(file, &done), OUTBOX_CHANGED);
    ck_assert_ptr_nonnull(strstr(outbox_file_why(file), "changed"));
    outbox_file_free(file);
    outbox_free(outbox);
}

static void write_at(off_t offset, const char *text)
{
    int fd = open(tree_path("file"), O_WRONLY);

    ck_assert_int_eq(pwrite(fd, text, strlen(text), offset), (ssize_t)strlen(text));
    ck_assert_int_eq(close(fd), 0);
}

START_TEST(appended_while_read)
{
    struct outbox_file *file = half_read();

    write_at(100000, "more");
    is_spoilt(file);
}
END_TEST

START_TEST(cut_while_read)
{
    struct outbox_file *file = half_read();

    ck_assert_int_eq(truncate(tree_path("file"), 60000), 0);
    is_spoilt(file);
}
END_TEST

START_TEST(rewritten_while_read)
{
    struct outbox_file *file = half_read();

    write_at(10, "new octets in the half that was read");
    is_spoilt(file);
}
END_TEST

START_TEST(rewritten_and_time_set_back)
{
    struct outbox_file *file = half_read();

    write_at(10, "new");
    tree_times("file", 1000000, 0);
    is_spoilt(file);
}
END_TEST

START_TEST(replaced_while_read)
{
    struct outbox_file *file = half_read();
    static uint8_t rest[200000];
    struct outbox_done done;
    uint8_t hash[TREE_HASH];
    uint64_t holes;

    tree_remove("file");
    tree_text("file", "another file of this name: ours is still whole");
    ck_assert_int_eq(read_on(file, rest, sizeof rest, &holes), OUTBOX_END);
    if (outbox_file_finish(file, &done) == OUTBOX_OK) { /* its ctime may have changed too */
        tree_hash(some_octets(), 100000, hash);
        ck_assert_mem_eq(done.sha256, hash, sizeof hash);
    }
    outbox_file_free(file);
    outbox_free(outbox);
}
END_TEST

START_TEST(no_size_but_octets)
{
    struct outbox_done done;
    uint64_t hole;
    size_t size;
    uint8_t octet;

    announce_file("../../proc/self/status");
    struct outbox_file *file = open_file();
    if (file == NULL) { /* its time may have gone on */
        ck_assert_int_eq(reason, TRANSFER_CHANGED);
    } else {
        ck_assert_int_eq(outbox_file_read(file, &octet, 1, &size, &hole), OUTBOX_END);
        ck_assert_int_eq(outbox_file_finish(file, &done), OUTBOX_CHANGED);
    }
    outbox_file_free(file);
    outbox_free(outbox);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outbox");
    TCase *tests = tcase_create("outbox");

    tcase_add_checked_fixture(tests, tree_begin, tree_end);
    tcase_add_test(tests, names_refused);
    tcase_add_test(tests, names_taken);
    tcase_add_test(tests, named_twice);
    tcase_add_test(tests, walked);
    tcase_add_test(tests, things_left_out);
    tcase_add_test(tests, unreadable);
    tcase_add_test(tests, too_deep);
    tcase_add_test(tests, long_survey);
    tcase_add_test(tests, file_read);
    tcase_add_test(tests, file_empty);
    tcase_add_test(tests, file_with_holes);
    tcase_add_test(tests, file_all_hole);
    tcase_add_test(tests, resumed);
    tcase_add_test(tests, resumed_with_other_octets);
    tcase_add_test(tests, resumed_in_steps);
    tcase_add_test(tests, swapped_before_opening);
    tcase_add_test(tests, never_announced);
    tcase_add_test(tests, appended_while_read);
    tcase_add_test(tests, cut_while_read);
    tcase_add_test(tests, rewritten_while_read);
    tcase_add_test(tests, rewritten_and_time_set_back);
    tcase_add_test(tests, replaced_while_read);
    tcase_add_test(tests, no_size_but_octets);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
