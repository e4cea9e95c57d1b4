/* Which paths are taken from a peer, and that nothing is ever opened or made outside the folder. */
#include "apps/safe_path.h"

#include "tree.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_root(void)
{
    int root = open(tree_path("root"), O_RDONLY | O_DIRECTORY);

    ck_assert_int_ge(root, 0);
    return root;
}

static void prepare(void)
{
    tree_begin();
    tree_folder("root", 0755);
    tree_folder("outside", 0755);
}

static const char *judge(const char *path)
{
    return safe_path_judge(path, strlen(path));
}

/* ---- judging ---- */

START_TEST(taken)
{
    static const char *const paths[] = {
        "a",
        "a/b/c",
        "...",
        "..a",
        "a..",
        ".hidden/x",
        " a ",
        "-rf",
        "~",
        "a\\b",
        "C:",
        "gr\xc3\xbc\xc3\x9f/\xe6\x97\xa5\xe6\x9c\xac/\xf0\x9f\x90\xa7",
        "a.usi-part",
        ".usi-part",
        "x/.a.usi-part.gz",
        "\xc2\xa0",
        "\xf4\x8f\xbf\xbf"};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        ck_assert_msg(judge(paths[i]) == NULL, "%s: %s", paths[i], judge(paths[i]));
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *path, *word;
    } cases[] = {
        {"", "no name"},
        {"/", "absolute"},
        {"/etc/passwd", "absolute"},
        {"//a", "absolute"},
        {"a//b", "empty"},
        {"a/", "empty"},
        {".", ". or .."},
        {"..", ". or .."},
        {"../a", ". or .."},
        {"a/../b", ". or .."},
        {"a/..", ". or .."},
        {"./a", ". or .."},
        {"a/./b", ". or .."},
        {"a\nb", "control"},
        {"a/\x1b[31m", "control"},
        {"a\x7f", "control"},
        {"\xc2\x85", "control"},  /* NEL, C1 */
        {"\xc2\x9bK", "control"}, /* CSI, C1 */
        {"\xff", "UTF-8"},
        {"a\xc3", "UTF-8"}, /* cut short */
        {"a\xc3/b", "UTF-8"},
        {"\xc0\xaf", "UTF-8"},           /* over-long slash */
        {"\xc0\xae\xc0\xae/a", "UTF-8"}, /* over-long dots */
        {"\xe0\x80\xaf", "UTF-8"},
        {"\xed\xa0\x80", "UTF-8"},     /* surrogate */
        {"\xf4\x90\x80\x80", "UTF-8"}, /* above U+10FFFF */
        {".a.usi-part", "unfinished"},
        {"x/.a.usi-part", "unfinished"},
        {".a.usi-part/x", "unfinished"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *wrong = judge(cases[i].path);
        ck_assert_msg(wrong != NULL && strstr(wrong, cases[i].word) != NULL, "%s: %s",
                      cases[i].path, wrong != NULL ? wrong : "taken");
    }
    ck_assert_ptr_nonnull(safe_path_judge("a\0b", 3));
}
END_TEST

START_TEST(sizes)
{
    char path[SAFE_PATH_MAX + 2];

    memset(path, 'n', sizeof path);
    ck_assert_ptr_null(safe_path_judge(path, SAFE_PATH_NAME));
    ck_assert_ptr_nonnull(safe_path_judge(path, SAFE_PATH_NAME + 1));
    for (size_t i = SAFE_PATH_NAME; i < sizeof path; i += SAFE_PATH_NAME + 1)
        path[i] = '/'; /* 16 components and their slashes are 4096 octets */
    ck_assert_ptr_null(safe_path_judge(path, SAFE_PATH_MAX - 1));
    path[SAFE_PATH_NAME] = 'n';
    ck_assert_ptr_nonnull(safe_path_judge(path, SAFE_PATH_MAX - 1));
    path[SAFE_PATH_NAME - 1] = '/';
    path[SAFE_PATH_MAX - 1] = 'n';
    path[SAFE_PATH_MAX - 100] = '/';
    ck_assert_ptr_nonnull(strstr(safe_path_judge(path, SAFE_PATH_MAX + 1), "4096"));
    for (size_t i = 0; i < sizeof path; i++)
        path[i] = i % 2 == 0 ? 'd' : '/';
    ck_assert_ptr_null(safe_path_judge(path, (size_t)2 * SAFE_PATH_DEPTH - 1));
    ck_assert_ptr_nonnull(strstr(safe_path_judge(path, (size_t)2 * SAFE_PATH_DEPTH + 1), "64"));
}
END_TEST

/* ---- opening ---- */

static int open_at(int root, const char *path)
{
    return safe_path_open(root, path, strlen(path));
}

/* What a receiver does before a file: makes the folders that hold it, one by one. */
static void make_folders(int root, const char *path, size_t size)
{
    char name[SAFE_PATH_NAME + 1];

    for (size_t i = 0; i < size; i++)
        if (path[i] == '/') {
            int parent = safe_path_open_parent(root, path, i, name);
            if (parent < 0)
                return;
            (void)mkdirat(parent, name, 0700); /* it may be there, as whatever */
            ck_assert_int_eq(close(parent), 0);
        }
}

START_TEST(opened)
{
    int root = open_root();
    struct stat facts;
    char name[SAFE_PATH_NAME + 1];

    ck_assert_int_lt(open_at(root, "a/b"), 0);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert(!tree_has("root/a"));
    make_folders(root, "a/b/", 4);
    int fd = open_at(root, "a/b");
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ck_assert(tree_stat("root/a/b", &facts) && S_ISDIR(facts.st_mode));
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_lt(safe_path_open_parent(root, "a/c/file", 8, name), 0);
    ck_assert(!tree_has("root/a/c"));
    fd = safe_path_open_parent(root, "a/b/file", 8, name);
    ck_assert_int_ge(fd, 0);
    ck_assert_str_eq(name, "file");
    ck_assert(!tree_has("root/a/b/file"));
    ck_assert_int_eq(close(fd), 0);
    fd = safe_path_open_parent(root, "top", 3, name);
    ck_assert_int_ge(fd, 0);
    ck_assert_str_eq(name, "top");
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(close(root), 0);
}
END_TEST

START_TEST(links_not_followed)
{
    static const char *const links[] = {"abs", "up", "dangling", "inside", "loop"};
    int root = open_root();
    char path[64];

    tree_folder("root/real", 0755);
    tree_link(tree_path("outside"), "root/abs");
    tree_link("../outside", "root/up");
    tree_link("../outside/new", "root/dangling");
    tree_link("real", "root/inside"); /* not even those that stay inside */
    tree_link("loop", "root/loop");
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        ck_assert_int_lt(open_at(root, links[i]), 0);
        ck_assert_int_eq(errno, ENOTDIR);
        (void)snprintf(path, sizeof path, "%s/x", links[i]);
        ck_assert_int_lt(open_at(root, path), 0);
        ck_assert_int_eq(errno, ENOTDIR);
        make_folders(root, path, strlen(path));
        (void)snprintf(path, sizeof path, "%s/x/y", links[i]);
        make_folders(root, path, strlen(path));
    }
    ck_assert_uint_eq(tree_count("outside"), 0);
    ck_assert_uint_eq(tree_count("root/real"), 0);
    ck_assert_int_eq(close(root), 0);
}
END_TEST

START_TEST(other_things_in_the_way)
{
    int root = open_root();

    tree_text("root/file", "x");
    tree_pipe("root/pipe"); /* must not be waited for */
    ck_assert_int_lt(open_at(root, "file/x"), 0);
    ck_assert_int_eq(errno, ENOTDIR);
    ck_assert_int_lt(open_at(root, "pipe/x"), 0);
    ck_assert_int_eq(errno, ENOTDIR);
    ck_assert_int_eq(close(root), 0);
}
END_TEST

/* ---- many hostile paths ---- */

static uint64_t seed = 0x5eed5afe;

static size_t below(size_t limit)
{
    return (size_t)(tree_random(&seed) % limit);
}

/* One component, or something between: what attacks are made of. Returns its size. */
static size_t fragment(char *to)
{
    static const char *const fragments[] = {"..",
                                            ".",
                                            "",
                                            "/",
                                            "abs",
                                            "up",
                                            "dangling",
                                            "inside",
                                            "loop",
                                            "real",
                                            "file",
                                            "pipe",
                                            "a",
                                            "b",
                                            "c",
                                            "...",
                                            ".. ",
                                            " ..",
                                            "..\\",
                                            "\\..\\..",
                                            "%2e%2e",
                                            "\xc0\xae\xc0\xae",
                                            "\xe2\x80\xaemoc",
                                            "\xc3\xa9",
                                            "\xff\xfe",
                                            "\n",
                                            "\x1b]0;x\a",
                                            "C:",
                                            "~",
                                            "~root",
                                            "-r",
                                            "proc",
                                            "self",
                                            "etc",
                                            "passwd",
                                            "\xef\xbc\x8f",
                                            "\xc2\x9b",
                                            ".x.usi-part"};
    size_t which = below(sizeof fragments / sizeof fragments[0] + 4);

    if (which < sizeof fragments / sizeof fragments[0]) {
        memcpy(to, fragments[which], strlen(fragments[which]));
        return strlen(fragments[which]);
    }
    size_t size = which % 4 == 0 ? 250 + below(10) : 1 + below(4);
    for (size_t i = 0; i < size; i++)
        to[i] = (char)(which % 4 < 2 ? 'a' + below(26) : below(256));
    return size;
}

static size_t hostile(char *path)
{
    size_t size = 0, count = 1 + below(6);

    if (below(16) == 0)
        path[size++] = '/';
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && below(32) != 0)
            path[size++] = '/';
        size += fragment(path + size);
    }
    return size;
}

/* The rules that must hold of whatever is taken, told in another way than in safe_path.c. */
static void check_taken(const char *path, size_t size)
{
    char whole[4096];

    ck_assert_ptr_null(memchr(path, '\0', size));
    (void)snprintf(whole, sizeof whole, "/%.*s/", (int)size, path);
    ck_assert_ptr_null(strstr(whole, "//"));
    ck_assert_ptr_null(strstr(whole, "/./"));
    ck_assert_ptr_null(strstr(whole, "/../"));
    for (size_t i = 0; i < size; i++)
        ck_assert((unsigned char)path[i] >= 0x20 && path[i] != 0x7f);
}

/* What a receiver would do: make the folders, then a file. It lies where the path says. */
static bool put(int root, const char *path, size_t size)
{
    char name[SAFE_PATH_NAME + 1], expected[TREE_PATH], link[64], found[TREE_PATH];

    make_folders(root, path, size);
    int parent = safe_path_open_parent(root, path, size, name);
    if (parent < 0)
        return false;
    int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    ck_assert_int_eq(close(parent), 0);
    if (fd < 0)
        return false;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, found, sizeof found - 1);
    ck_assert_int_gt(length, 0);
    found[length] = '\0';
    (void)snprintf(expected, sizeof expected, "%s/%.*s", tree_path("root"), (int)size, path);
    ck_assert_str_eq(found, expected);
    ck_assert_int_eq(close(fd), 0);
    return true;
}

START_TEST(hostile_paths)
{
    int root = open_root();
    size_t taken_count = 0, put_count = 0;
    char path[4096];

    tree_folder("root/real", 0755);
    tree_text("root/file", "untouched");
    tree_pipe("root/pipe");
    tree_text("outside/file", "untouched");
    tree_link(tree_path("outside"), "root/abs");
    tree_link("../outside", "root/up");
    tree_link("../../outside", "root/real/up");
    tree_link("../outside/new", "root/dangling");
    tree_link("real", "root/inside");
    tree_link("loop", "root/loop");
    tree_link("../outside/file", "root/b");
    for (int i = 0; i < 10000; i++) {
        size_t size = hostile(path);
        if (safe_path_judge(path, size) != NULL)
            continue;
        taken_count++;
        check_taken(path, size);
        put_count += put(root, path, size);
    }
    ck_assert_uint_gt(taken_count, 500);
    ck_assert_uint_gt(put_count, 100);
    ck_assert_uint_eq(tree_count("outside"), 1);
    ck_assert(tree_is_text("outside/file", "untouched"));
    ck_assert(tree_is_text("root/file", "untouched"));
    ck_assert_uint_eq(tree_count("."), tree_count("root") + 3); /* root, outside, outside/file */
    ck_assert_int_eq(close(root), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("safe_path");
    TCase *tests = tcase_create("safe_path");

    tcase_add_checked_fixture(tests, prepare, tree_end);
    tcase_add_test(tests, taken);
    tcase_add_test(tests, refused);
    tcase_add_test(tests, sizes);
    tcase_add_test(tests, opened);
    tcase_add_test(tests, links_not_followed);
    tcase_add_test(tests, other_things_in_the_way);
    tcase_add_test(tests, hostile_paths);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
