#include "cli/password.h"

#include "usi/channel.h"

#include <check.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CODES = 2000, NAME_ROOM = 64 };

/* Each test runs in a process of its own: what is static here begins afresh. */
static char path[NAME_ROOM], why[512];

static void prepare(void)
{
    (void)snprintf(path, sizeof path, "/tmp/usi-password-%d", (int)getpid());
}

static void clear_up(void)
{
    (void)remove(path); /* not every test makes it */
}

static void write_file(const char *octets, size_t size, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, octets, size), (ssize_t)size);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(close(fd), 0);
}

/* A file of these octets holds the password `wanted`. */
static void holds(const char *octets, const char *wanted)
{
    write_file(octets, strlen(octets), 0600);
    struct password *password = password_read_file(path, why, sizeof why);

    ck_assert_msg(password != NULL, "%s", why);
    ck_assert_str_eq(password->text, wanted);
    ck_assert_uint_eq(password->size, strlen(wanted));
    password_free(password);
}

static void refuses(const char *octets, size_t size, const char *word)
{
    write_file(octets, size, 0600);
    ck_assert_ptr_null(password_read_file(path, why, sizeof why));
    ck_assert_msg(strstr(why, word) != NULL && strstr(why, path) != NULL, "%s: %s", word, why);
    ck_assert_ptr_null(strchr(why, '\n'));
}

START_TEST(first_line)
{
    static char longest[PASSWORD_MAX + 3];

    holds("one\n", "one");
    holds("one", "one");
    holds("one\r\n", "one");
    holds("one\r", "one");
    holds("one\ntwo\n", "one");
    holds(" a b \t\n", " a b \t");
    holds("gr\xc3\xbc\xc3\x9f"
          "e\n",
          "gr\xc3\xbc\xc3\x9f"
          "e");
    memset(longest, 'x', PASSWORD_MAX);
    holds(longest, longest);
    char *wanted = strdup(longest);
    ck_assert_ptr_nonnull(wanted);
    memcpy(longest + PASSWORD_MAX, "\r\n", 3);
    holds(longest, wanted);
    free(wanted);
}
END_TEST

START_TEST(bad_lines)
{
    static char text[2 * PASSWORD_MAX];

    refuses("", 0, "empty");
    refuses("\n", 1, "empty");
    refuses("\r\nx", 3, "empty");
    refuses("a\0b\n", 4, "NUL");
    refuses("\xc3\n", 2, "UTF-8");
    refuses("\xed\xa0\x80\n", 4, "UTF-8");
    refuses("\xef\xbb\xbfx\n", 5, "byte order mark");
    memset(text, 'x', sizeof text);
    refuses(text, PASSWORD_MAX + 1, "1,024");
    refuses(text, sizeof text, "1,024");
    write_file("secret\n", 7, 0640);
    struct password *password = password_read_file(path, why, sizeof why);
    ck_assert_ptr_nonnull(password); /* a group is the owner's own matter, as with keys */
    password_free(password);
    write_file("secret\n", 7, 0644);
    ck_assert_ptr_null(password_read_file(path, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "chmod 600"));
    ck_assert_ptr_null(strstr(why, "secret"));
    ck_assert_ptr_null(password_read_file("/nothing/here", why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "No such file"));
    ck_assert_ptr_null(password_read_file("/tmp", why, sizeof why));
}
END_TEST

START_TEST(descriptor)
{
    struct password *password;
    char rest[8];
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    int copy = dup(ends[0]);
    ck_assert_int_eq(write(ends[1], "one\nrest", 8), 8);
    password = password_read_fd(ends[0], why, sizeof why);
    ck_assert_msg(password != NULL, "%s", why);
    ck_assert_str_eq(password->text, "one");
    password_free(password);
    /* Nothing behind the line was taken, and the descriptor is closed. */
    ck_assert_int_eq(read(copy, rest, sizeof rest), 4);
    ck_assert_int_eq(fcntl(ends[0], F_GETFD), -1);
    ck_assert_ptr_null(password_read_fd(ends[0], why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "--password-fd"));
}
END_TEST

START_TEST(typed)
{
    struct password *password = password_of_text("open sesame", why, sizeof why);

    ck_assert_msg(password != NULL, "%s", why);
    ck_assert_str_eq(password->text, "open sesame");
    password_free(password);
    ck_assert_ptr_null(password_of_text("", why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "empty"));
    ck_assert_ptr_null(password_of_text("\xff", why, sizeof why));
    password_free(NULL);
}
END_TEST

/* The number of a word in the list, or -1. */
static int number_of(const char *word, size_t size)
{
    for (unsigned i = 0; i < 2048; i++)
        if (strlen(usi_word(i)) == size && memcmp(usi_word(i), word, size) == 0)
            return (int)i;
    return -1;
}

START_TEST(made_up)
{
    bool high[3] = {false}, low[3] = {false};

    for (int i = 0; i < CODES; i++) {
        struct password *password = password_make(NULL, why, sizeof why);
        ck_assert_msg(password != NULL, "%s", why);
        char *dash;
        long number = strtol(password->text, &dash, 10);
        const char *word = dash + 1, *end = strchr(word, '-');
        ck_assert(*dash == '-' && end != NULL && number >= 100 && number <= 999);
        int one = number_of(word, (size_t)(end - word)),
            other = number_of(end + 1, strlen(end + 1));
        ck_assert_msg(one >= 0 && other >= 0, "%s", password->text);
        const int values[3] = {(int)(number - 100) * 2048 / 900, one, other};
        for (int k = 0; k < 3; k++) {
            high[k] = high[k] || values[k] >= 1792;
            low[k] = low[k] || values[k] < 256;
        }
        password_free(password);
    }
    /* An eighth at either end, which 2,000 draws miss once in 10^115. */
    for (int k = 0; k < 3; k++)
        ck_assert(high[k] && low[k]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("password");
    TCase *tests = tcase_create("password");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, prepare, clear_up);
    tcase_add_test(tests, first_line);
    tcase_add_test(tests, bad_lines);
    tcase_add_test(tests, descriptor);
    tcase_add_test(tests, typed);
    tcase_add_test(tests, made_up);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
