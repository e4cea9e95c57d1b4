#include "cli/say.h"
#include "text/utf8.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int captured;

/* Each test runs in a process of its own, so its stderr need not come back. */
static void capture(void)
{
    captured = memfd_create("stderr", 0);
    ck_assert_int_ge(captured, 0);
    ck_assert_int_eq(dup2(captured, STDERR_FILENO), STDERR_FILENO);
}

static void assert_printed(const char *wanted)
{
    char text[8192];
    ssize_t length = pread(captured, text, sizeof text - 1, 0);

    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    ck_assert_str_eq(text, wanted);
    ck_assert_int_eq(ftruncate(captured, 0), 0);
    ck_assert_int_eq(lseek(captured, 0, SEEK_SET), 0);
}

START_TEST(levels)
{
    capture();
    say_error("%s %d", "error", 1);
    assert_printed("usi-tunnel: error 1\n");
    say(SAY_QUIET, "x");
    say_more(SAY_QUIET, "x");
    say_more(SAY_NORMAL, "x");
    assert_printed("");
    say(SAY_NORMAL, "fact %s", "a");
    say(SAY_VERBOSE, "fact %s", "b");
    say_more(SAY_VERBOSE, "fact %s", "c");
    assert_printed("usi-tunnel: fact a\nusi-tunnel: fact b\nusi-tunnel: fact c\n");
}
END_TEST

START_TEST(control_characters_are_shown)
{
    capture();
    say_error("%s", "a\nb\tc\x1b[31m\x7f\r");
    assert_printed("usi-tunnel: a\\x0ab\\x09c\\x1b[31m\\x7f\\x0d\n");
    say_error("%s", "\xc2\x9b"
                    "2J\x9b"
                    "2J");
    assert_printed("usi-tunnel: \\xc2\\x9b2J\\x9b2J\n");
}
END_TEST

START_TEST(what_reorders_or_hides_is_shown)
{
    capture();
    say_error("%s", "photo\xe2\x80\xaegpj.sh \xe2\x80\x8b\xef\xbb\xbf");
    assert_printed("usi-tunnel: photo\\xe2\\x80\\xaegpj.sh \\xe2\\x80\\x8b\\xef\\xbb\\xbf\n");
}
END_TEST

START_TEST(text_stays_text)
{
    capture();
    say_error("%s", "cl\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x91");
    assert_printed("usi-tunnel: cl\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x91\n");
    say_error("%s", "\xc3(\xe2\x82");
    assert_printed("usi-tunnel: \\xc3(\\xe2\\x82\n");
}
END_TEST

START_TEST(long_lines_are_cut)
{
    char text[5000];
    char line[8192];

    capture();
    memset(text, '\x01', sizeof text);
    text[sizeof text - 1] = '\0';
    say_error("%s", text);
    ssize_t length = pread(captured, line, sizeof line, 0);
    ck_assert_int_gt(length, 1000);
    ck_assert_int_lt(length, (ssize_t)sizeof line);
    ck_assert_int_eq(line[length - 1], '\n');
}
END_TEST

START_TEST(errno_stays)
{
    close(STDERR_FILENO);
    errno = ENOENT;
    say_error("nobody hears this");
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(utf8_is_strict)
{
    static const struct {
        const char *text;
        size_t size;
        uint32_t point;
    } cases[] = {
        {"a", 1, 'a'},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
        {"\x80", 0, 0},
        {"\xc1\xbf", 0, 0},
        {"\xe0\x9f\xbf", 0, 0},
        {"\xed\xa0\x80", 0, 0},
        {"\xf0\x8f\xbf\xbf", 0, 0},
        {"\xf4\x90\x80\x80", 0, 0},
        {"\xf8\x88\x80\x80\x80", 0, 0},
        {"\xc3", 0, 0},
        {"\xe2\x82", 0, 0},
        {"\xc3\x28", 0, 0},
        {"\xff", 0, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t point = 0;
        ck_assert_uint_eq(utf8_decode(cases[i].text, strlen(cases[i].text), &point), cases[i].size);
        ck_assert_uint_eq(point, cases[i].point);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("say");
    TCase *tests = tcase_create("lines");
    SRunner *runner;
    int failed;

    tcase_add_test(tests, levels);
    tcase_add_test(tests, control_characters_are_shown);
    tcase_add_test(tests, what_reorders_or_hides_is_shown);
    tcase_add_test(tests, text_stays_text);
    tcase_add_test(tests, long_lines_are_cut);
    tcase_add_test(tests, errno_stays);
    tcase_add_test(tests, utf8_is_strict);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
