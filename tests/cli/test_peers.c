#include "cli/peers.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_ROOM = 256, TEXT_ROOM = 8192, WRITERS = 8 };

/* Each test runs in a process of its own: what is static here begins afresh. */
static char folder[PATH_ROOM], known_file[PATH_ROOM + 16];
static struct peers_known *known;
static struct peers_list *list;
static char why[512];

static const struct peers_place host = {.address = "host:12800"}, listener = {.address = NULL};

static void prepare(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/usi-peers-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(known_file, sizeof known_file, "%s/usi/known", folder);
    ck_assert_int_eq(setenv("XDG_STATE_HOME", folder, 1), 0);
    known = peers_known_new();
    list = peers_list_new();
    ck_assert(known != NULL && list != NULL);
}

static void clear_up(void)
{
    char path[PATH_ROOM + 32];

    peers_known_free(known);
    peers_list_free(list);
    (void)remove(known_file); /* not every test makes it, or as a file */
    (void)snprintf(path, sizeof path, "%s/usi", folder);
    (void)remove(path);
    (void)snprintf(path, sizeof path, "%s/trust", folder);
    (void)remove(path);
    (void)snprintf(path, sizeof path, "%s/target", folder);
    (void)remove(path);
    (void)remove(folder);
}

static const uint8_t *key(uint8_t octet)
{
    static uint8_t keys[256][USI_FINGERPRINT];

    memset(keys[octet], octet, USI_FINGERPRINT);
    return keys[octet];
}

static void write_text(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(close(fd), 0);
}

static const char *read_known(void)
{
    static char text[TEXT_ROOM];
    int fd = open(known_file, O_RDONLY);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;

    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

/* ---- trust files ---- */

static int read_trust(const char *text, mode_t mode)
{
    char path[PATH_ROOM + 16];

    (void)snprintf(path, sizeof path, "%s/trust", folder);
    write_text(path, text, mode);
    why[0] = '\0';
    return peers_list_read(list, path, why, sizeof why);
}

#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define TWOS "2222222222222222222222222222222222222222222222222222222222222222"
#define AAAA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

START_TEST(trust)
{
    ck_assert_int_eq(read_trust("# friends\n\n" ONES "\n  sha256:" TWOS "\tBob, at work\r\n" AAAA
                                " the last line",
                                0644),
                     0);
    ck_assert(peers_list_has(list, key(0x11)));
    ck_assert(peers_list_has(list, key(0x22)));
    ck_assert(peers_list_has(list, key(0xaa)));
    ck_assert(!peers_list_has(list, key(0x33)));
    ck_assert_int_eq(read_trust("", 0600), 0);
}
END_TEST

START_TEST(trust_refused)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"# one\nalice\n", "line 2"},
        {ONES "1\n", "line 1"},
        {ONES "\n\nsha256:" ONES "0\n", "line 3"},
        {"111\n", "line 1"},
        {"sha256:\n", "line 1"},
        {"sha256: " ONES "\n", "line 1"},
        {"md5:" ONES "\n", "line 1"},
        {ONES "," TWOS "\n", "line 1"},
        {"gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg\n", "line 1"},
        {"\xef\xbb\xbf" ONES "\n", "byte order mark"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(read_trust(cases[i].text, 0600), -1);
        ck_assert_msg(strstr(why, cases[i].word) != NULL, "%s: %s", cases[i].text, why);
        ck_assert_ptr_nonnull(strstr(why, "/trust\""));
        ck_assert_ptr_null(strchr(why, '\n'));
    }
    ck_assert_int_eq(read_trust(ONES "\n", 0602), -1);
    ck_assert_ptr_nonnull(strstr(why, "chmod"));
    ck_assert_int_eq(peers_list_read(list, "/nothing/here", why, sizeof why), -1);
    ck_assert_ptr_nonnull(strstr(why, "No such file"));
    ck_assert_int_eq(peers_list_read(list, "/tmp", why, sizeof why), -1);
}
END_TEST

START_TEST(trust_has_a_bound)
{
    enum { SIZE = (1 << 20) + 1 };
    char *text = malloc(SIZE + 1), path[PATH_ROOM + 16];

    ck_assert_ptr_nonnull(text);
    memset(text, '#', SIZE);
    text[SIZE] = '\0';
    ck_assert_int_eq(read_trust(text, 0600), -1);
    ck_assert_ptr_nonnull(strstr(why, "longer than"));
    text[SIZE - 1] = '\0';
    ck_assert_int_eq(read_trust(text, 0600), 0);
    free(text);
    (void)snprintf(path, sizeof path, "%s/trust", folder);
}
END_TEST

START_TEST(list_of_many)
{
    for (int round = 0; round < 2; round++)
        for (unsigned i = 0; i < 256; i++)
            ck_assert_int_eq(peers_list_add(list, key((uint8_t)i)), 0);
    for (unsigned i = 0; i < 256; i++)
        ck_assert(peers_list_has(list, key((uint8_t)i)));
}
END_TEST

/* ---- remembered peers ---- */

static size_t line_found;

static enum peers_verdict look(struct peers_place place, uint8_t octet)
{
    enum peers_verdict verdict;

    ck_assert_msg(
        peers_known_look(known, place, key(octet), &verdict, &line_found, why, sizeof why) == 0,
        "%s", why);
    return verdict;
}

static void add(struct peers_place place, uint8_t octet)
{
    ck_assert_msg(peers_known_add(known, place, key(octet), why, sizeof why) == 0, "%s", why);
}

START_TEST(new_same_changed)
{
    struct peers_place other = {.address = "other:12800"};

    ck_assert_int_eq(look(host, 1), PEERS_NEW);
    ck_assert_str_eq(read_known(), "");
    add(host, 1);
    ck_assert_int_eq(look(host, 1), PEERS_SAME);
    ck_assert_int_eq(look(host, 2), PEERS_CHANGED);
    ck_assert_uint_eq(line_found, 1);
    ck_assert_int_eq(look(other, 1), PEERS_NEW);
    ck_assert_int_eq(look(listener, 1), PEERS_NEW);
    add(other, 2);
    ck_assert_int_eq(look(other, 1), PEERS_CHANGED);
    ck_assert_uint_eq(line_found, 2);
    /* A listener's peers have no address: another key is another peer. */
    add(listener, 3);
    ck_assert_int_eq(look(listener, 3), PEERS_SAME);
    ck_assert_int_eq(look(listener, 4), PEERS_NEW);
    ck_assert_int_eq(look(host, 3), PEERS_CHANGED);
    /* Twice is once. */
    add(host, 1);
    add(listener, 3);
    ck_assert_str_eq(
        read_known(),
        "sha256:0101010101010101010101010101010101010101010101010101010101010101 connect "
        "host:12800\n"
        "sha256:0202020202020202020202020202020202020202020202020202020202020202 connect "
        "other:12800\n"
        "sha256:0303030303030303030303030303030303030303030303030303030303030303 listen\n");
}
END_TEST

START_TEST(changed_meanwhile)
{
    add(host, 1);
    ck_assert_int_eq(peers_known_add(known, host, key(2), why, sizeof why), -1);
    ck_assert_ptr_nonnull(strstr(why, "line 1"));
    ck_assert_int_eq(look(host, 2), PEERS_CHANGED);
}
END_TEST

START_TEST(names_have_no_case)
{
    add((struct peers_place){.address = "Host.Example:12800"}, 1);
    ck_assert_int_eq(look((struct peers_place){.address = "hOST.example:12800"}, 1), PEERS_SAME);
    add((struct peers_place){.address = "unix:/Run/A b"}, 1);
    ck_assert_int_eq(look((struct peers_place){.address = "unix:/Run/A b"}, 1), PEERS_SAME);
    ck_assert_int_eq(look((struct peers_place){.address = "unix:/run/a b"}, 1), PEERS_NEW);
    ck_assert_int_eq(peers_known_add(known, (struct peers_place){.address = "unix:/a\nb"}, key(1),
                                     why, sizeof why),
                     -1);
    ck_assert_ptr_nonnull(strstr(why, "control"));
}
END_TEST

START_TEST(private_to_its_owner)
{
    struct stat status;
    char path[PATH_ROOM + 16];

    (void)umask(0);
    ck_assert_int_eq(peers_known_prepare(known, host, why, sizeof why), 0);
    ck_assert_int_eq(stat(known_file, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    ck_assert_int_eq(status.st_size, 0);
    (void)snprintf(path, sizeof path, "%s/usi", folder);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0700);
    ck_assert_int_eq(look(host, 1), PEERS_NEW);
}
END_TEST

/* Every use is refused with a line that names the file and holds the word. */
static void refuse_all(const char *word)
{
    enum peers_verdict verdict;
    size_t line;

    for (int i = 0; i < 3; i++) {
        int result = i == 0
                         ? peers_known_look(known, host, key(1), &verdict, &line, why, sizeof why)
                     : i == 1 ? peers_known_add(known, host, key(1), why, sizeof why)
                              : peers_known_prepare(known, host, why, sizeof why);
        /* Making sure that it can be written does not read it. */
        if (i == 2 && result == 0 && strncmp(word, "line", 4) == 0)
            continue;
        ck_assert_int_eq(result, -1);
        ck_assert_msg(strstr(why, word) != NULL && strstr(why, known_file) != NULL, "%s: %s", word,
                      why);
        ck_assert_ptr_null(strchr(why, '\n'));
    }
}

START_TEST(bad_files)
{
    char target[PATH_ROOM + 16];

    add(host, 1);
    ck_assert_int_eq(chmod(known_file, 0604), 0);
    refuse_all("chmod 600");
    ck_assert_int_eq(chmod(known_file, 0620), 0);
    refuse_all("chmod 600");
    ck_assert_int_eq(chmod(known_file, 0600), 0);
    ck_assert_int_eq(look(host, 1), PEERS_SAME);

    (void)snprintf(target, sizeof target, "%s/target", folder);
    ck_assert_int_eq(rename(known_file, target), 0);
    ck_assert_int_eq(symlink(target, known_file), 0);
    refuse_all("symbolic link");
    ck_assert_int_eq(unlink(known_file), 0);
    ck_assert_int_eq(mkdir(known_file, 0700), 0);
    refuse_all("");
    ck_assert_int_eq(rmdir(known_file), 0);
    ck_assert_int_eq(mkfifo(known_file, 0600), 0);
    refuse_all("regular file");
    ck_assert_int_eq(unlink(known_file), 0);
}
END_TEST

START_TEST(foreign_file)
{
    if (geteuid() != 0)
        return; /* nobody else can give a file away */
    add(host, 1);
    ck_assert_int_eq(chown(known_file, 12345, 12345), 0);
    refuse_all("another user");
}
END_TEST

START_TEST(malformed_lines)
{
    static const char good_and_bad[] =
        "sha256:0101010101010101010101010101010101010101010101010101010101010101 connect "
        "host:12800\n<<<<<<<\n";
    static const char *const texts[] = {
        "# fine\nnonsense\n",
        "\nsha256:" ONES "\n",
        "\nsha256:" ONES " elsewhere x\n",
        "\nsha256:" ONES "\tlisten\n",
        "\nsha256:" ONES " listen \n",
        "\nsha256:" ONES "1 listen\n",
        good_and_bad,
    };

    add(host, 1);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_text(known_file, texts[i], 0600);
        refuse_all("line 2");
    }
    write_text(known_file, "# mine\n\nsha256:" ONES " connect host:12800", 0600);
    ck_assert_int_eq(look(host, 0x11), PEERS_SAME);
    ck_assert_uint_eq(line_found, 3);
    /* A last line without an end gets one. */
    add(listener, 2);
    ck_assert_int_eq(look(listener, 2), PEERS_SAME);
    ck_assert_int_eq(look(host, 0x11), PEERS_SAME);
}
END_TEST

START_TEST(no_folder)
{
    enum peers_verdict verdict;
    size_t line;

    /* A file where a folder should be. */
    peers_known_free(known);
    ck_assert_int_eq(setenv("XDG_STATE_HOME", "/dev/null", 1), 0);
    known = peers_known_new();
    ck_assert_int_eq(peers_known_prepare(known, host, why, sizeof why), -1);
    ck_assert_ptr_nonnull(strstr(why, "/dev/null/usi/known"));
    /* What is not absolute is ignored. */
    peers_known_free(known);
    ck_assert_int_eq(setenv("XDG_STATE_HOME", "here", 1), 0);
    ck_assert_int_eq(setenv("HOME", folder, 1), 0);
    known = peers_known_new();
    ck_assert_ptr_nonnull(strstr(peers_known_file(known), "/.local/state/usi/known"));
    /* Nothing at all. */
    peers_known_free(known);
    ck_assert_int_eq(unsetenv("HOME"), 0);
    known = peers_known_new();
    ck_assert_int_eq(peers_known_look(known, host, key(1), &verdict, &line, why, sizeof why), 0);
    ck_assert_int_eq(verdict, PEERS_NEW);
    ck_assert_int_eq(peers_known_add(known, host, key(1), why, sizeof why), -1);
    ck_assert_ptr_nonnull(strstr(why, "HOME"));
}
END_TEST

START_TEST(many_writers)
{
    pid_t writers[WRITERS];
    size_t lines = 0;

    for (int i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        ck_assert_int_ge(writers[i], 0);
        if (writers[i] == 0) {
            for (int k = 0; k < 4; k++)
                if (peers_known_add(known, listener, key((uint8_t)(i * 4 + k)), why, sizeof why) !=
                    0)
                    _exit(1);
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        ck_assert_int_eq(waitpid(writers[i], &status, 0), writers[i]);
        ck_assert_int_eq(status, 0);
    }
    for (const char *c = read_known(); *c != '\0'; c++)
        lines += *c == '\n';
    ck_assert_uint_eq(lines, 4 * WRITERS);
    for (unsigned i = 0; i < 4 * WRITERS; i++)
        ck_assert_int_eq(look(listener, (uint8_t)i), PEERS_SAME);
}
END_TEST

START_TEST(held_lock)
{
    add(host, 1);
    int fd = open(known_file, O_RDWR);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(peers_known_add(known, listener, key(2), why, sizeof why), -1);
    ck_assert_ptr_nonnull(strstr(why, "locked"));
    close(fd);
    add(listener, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peers");
    TCase *tests = tcase_create("peers");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, prepare, clear_up);
    tcase_add_test(tests, trust);
    tcase_add_test(tests, trust_refused);
    tcase_add_test(tests, trust_has_a_bound);
    tcase_add_test(tests, list_of_many);
    tcase_add_test(tests, new_same_changed);
    tcase_add_test(tests, changed_meanwhile);
    tcase_add_test(tests, names_have_no_case);
    tcase_add_test(tests, private_to_its_owner);
    tcase_add_test(tests, bad_files);
    tcase_add_test(tests, foreign_file);
    tcase_add_test(tests, malformed_lines);
    tcase_add_test(tests, no_folder);
    tcase_add_test(tests, many_writers);
    tcase_add_test(tests, held_lock);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
