#include "cli/edit_view.h"
#include "cli/inert.h"
#include "text/utf8.h"

#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 1024 };

/* Reads a line with \xNN for octets; its length, or -1 at the end of the file. */
static int read_line(FILE *file, char *octets)
{
    char line[LINE];
    int length = 0;
    unsigned octet;

    if (fgets(line, sizeof line, file) == NULL)
        return -1;
    line[strcspn(line, "\n")] = '\0';
    for (const char *at = line; *at != '\0'; at++) {
        if (sscanf(at, "\\x%2x", &octet) == 1) {
            octets[length++] = (char)octet;
            at += 3;
        } else {
            octets[length++] = *at;
        }
    }
    octets[length] = '\0';
    return length;
}

START_TEST(torture)
{
    FILE *file = fopen(TORTURE, "r");
    char name[LINE], text[LINE], wanted[LINE], shown[INERT_MAX * LINE + 1];
    int length, count = 0;

    ck_assert_ptr_nonnull(file);
    while (read_line(file, name) >= 0) {
        if (*name == '\0' || *name == '#')
            continue;
        length = read_line(file, text);
        ck_assert_int_ge(length, 1);
        ck_assert_int_ge(read_line(file, wanted), 1);
        shown[inert(shown, text, (size_t)length)] = '\0';
        ck_assert_msg(strcmp(shown, wanted) == 0, "%s: '%s' instead of '%s'", name, shown, wanted);
        count++;
    }
    ck_assert_int_ge(count, 30);
    (void)fclose(file);
}
END_TEST

/* No octet that a terminal obeys, and never more octets than promised. */
static bool is_inert(const char *text, size_t length)
{
    char shown[INERT_MAX * LINE];
    size_t size = inert(shown, text, length);
    unsigned marks = 0;
    uint32_t point;
    bool good = size <= INERT_MAX * length;

    for (size_t i = 0, step; good && i < size; i += step) {
        step = utf8_decode(shown + i, size - i, &point);
        if (step == 0)
            return false;
        marks = inert_is_mark(point) ? marks + 1 : 0;
        good = point >= 0x20 && (point < 0x7f || point >= 0xa0) &&
               (point < 0x2028 || point > 0x202e) && !inert_changes(point) && marks <= INERT_MARKS;
    }
    return good;
}

/* Random octets, and random octets that often begin what is dangerous. */
START_TEST(anything)
{
    static const char *const pieces[] = {"\x1b[",        "\xc2\x9b",
                                         "\xe2\x80\xae", "\xf3\xa0\x80\x81",
                                         "\xcc\x81",     "\xcc\x81\xcc\x81\xcc\x81",
                                         "\xe2\x80\x8b", "\x9b",
                                         "\x7f",         "a",
                                         "\xef\xbb\xbf"};
    char text[512];
    uint32_t seed = 1;

    for (int round = 0; round < 20000; round++) {
        size_t length = 0;
        while (length < 64) {
            seed = seed * 1664525 + 1013904223;
            const char *piece = pieces[(seed >> 8) % (sizeof pieces / sizeof *pieces)];
            if ((seed >> 28) < 8) {
                text[length++] = (char)(seed >> 20);
            } else {
                memcpy(text + length, piece, strlen(piece));
                length += strlen(piece);
            }
        }
        if (!is_inert(text, length))
            ck_abort_msg("round %d", round);
    }
}
END_TEST

START_TEST(every_character)
{
    for (uint32_t point = 0; point < 0x110000; point++) {
        char text[4];
        size_t size = edit_view_utf8(text, (wchar_t)point);
        bool good = size > 0 ? is_inert(text, size) : point >= 0xd800 && point <= 0xdfff;
        if (!good)
            ck_abort_msg("U+%04X", (unsigned)point);
    }
}
END_TEST

START_TEST(nothing_is_nothing)
{
    char shown[4] = "abc";

    ck_assert_uint_eq(inert(shown, "", 0), 0);
    ck_assert_str_eq(shown, "abc");
}
END_TEST

/* ---- the line that is edited ---- */

static void assert_view(const char *prompt, const wchar_t *text, size_t cursor, unsigned columns,
                        const char *wanted, unsigned cell)
{
    char out[EDIT_VIEW_MAX + 1], whole[EDIT_VIEW_MAX + 64];
    unsigned at;

    out[edit_view(out, prompt, text, wcslen(text), cursor, columns, &at)] = '\0';
    (void)snprintf(whole, sizeof whole, cell > 0 ? "\r%s\033[K\r\033[%uC" : "\r%s\033[K\r", wanted,
                   cell);
    ck_assert_str_eq(out, whole);
    ck_assert_uint_eq(at, cell);
}

START_TEST(a_row_is_never_full)
{
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    assert_view("me> ", L"", 0, 20, "me> ", 4);
    assert_view("me> ", L"abc", 3, 20, "me> abc", 7);
    assert_view("me> ", L"abc", 1, 20, "me> abc", 5);
    assert_view("", L"", 0, 20, "", 0);
    /* cells: é 1, 漢 2, a party popper 2, an acute accent 0 */
    assert_view("", L"\u00e9\u6f22\U0001f389e\u0301", 5, 20, "\u00e9\u6f22\U0001f389e\u0301", 6);
    /* 20 columns have room for 19 */
    assert_view("", L"abcdefghijklmnopqrs", 19, 20, "abcdefghijklmnopqrs", 19);
    assert_view("", L"abcdefghijklmnopqrst", 20, 20, "fghijklmnopqrst", 15);
    assert_view("", L"abcdefghijklmnopqrst", 0, 20, "abcdefghijklmnopqrs", 0);
    /* a wide character is not cut in two */
    assert_view("", L"\u6f22\u6f22\u6f22", 0, 6, "\u6f22\u6f22", 0);
    /* half of the columns for the prompt */
    assert_view("a long prompt> ", L"abc", 3, 20, "a long prabc", 12);
}
END_TEST

START_TEST(what_is_typed_is_inert_too)
{
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    assert_view("", L"a\x1b[2J\x9b\x202e", 1, 60, "a^[[2J<U+009B><U+202E>", 1);
}
END_TEST

START_TEST(erasing_a_row_that_was_wrapped)
{
    char out[EDIT_VIEW_MAX];

    out[edit_view_erase(out, 10, 20)] = '\0';
    ck_assert_str_eq(out, "\r\033[J");
    out[edit_view_erase(out, 50, 20)] = '\0';
    ck_assert_str_eq(out, "\033[2A\r\033[J");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inert");
    TCase *text = tcase_create("text"), *row = tcase_create("row");
    SRunner *runner;
    int failed;

    tcase_add_test(text, torture);
    tcase_add_test(text, anything);
    tcase_add_test(text, every_character);
    tcase_add_test(text, nothing_is_nothing);
    suite_add_tcase(suite, text);
    tcase_add_test(row, a_row_is_never_full);
    tcase_add_test(row, what_is_typed_is_inert_too);
    tcase_add_test(row, erasing_a_row_that_was_wrapped);
    suite_add_tcase(suite, row);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
