/* The records of a chat: what is written is what is read, and nothing else is. */
#include "apps/chat_name.h"
#include "apps/chat_records.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t print[CHAT_FINGERPRINT] = {1, 2, 3};

#define TEXT(s) .text = (const uint8_t *)(s), .size = sizeof(s) - 1

static const struct chat_record records[] = {
    {.type = CHAT_TYPE_HELLO, TEXT("anna")},
    {.type = CHAT_TYPE_SAY, .kind = CHAT_SAY, TEXT("hello")},
    {.type = CHAT_TYPE_SAY, .kind = CHAT_ME, TEXT("waves \xf0\x9f\x91\x8b")},
    {.type = CHAT_TYPE_TELL, .id = 0x01020304, TEXT("psst")},
    {.type = CHAT_TYPE_CARRY, .id = 7, .transfer = 0x80000001, .inner = 64, TEXT("\0\1\2")},
    {.type = CHAT_TYPE_CARRY, .id = 7, .transfer = 1, .inner = 95, TEXT("")},
    {.type = CHAT_TYPE_WELCOME, .id = 2, .host = 1, TEXT("J\xc3\xa9r\xc3\xb4me")},
    {.type = CHAT_TYPE_JOINED, .id = 3, .mode = 2, .fingerprint = print, TEXT("bob")},
    {.type = CHAT_TYPE_JOINED, .id = 3, .mode = 1, TEXT("bob-2")},
    {.type = CHAT_TYPE_LEFT, .id = 3, .why = CHAT_LEFT_SLOW},
    {.type = CHAT_TYPE_SAID, .id = 9, .kind = CHAT_PRIVATE, TEXT("x")},
    {.type = CHAT_TYPE_REFUSED, .why = 200},
    {.type = CHAT_TYPE_CARRIED, .id = 1, .transfer = 3, .inner = 70, TEXT("abc")},
};
enum { COUNT = sizeof records / sizeof records[0] };

/* In memory just as large, so that a sanitizer sees one octet too many. */
static bool reads(struct chat_record *out, uint8_t type, const uint8_t *octets, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);

    ck_assert_ptr_nonnull(exact);
    memcpy(exact, octets, size);
    bool result = chat_record_read(out, type, exact, size);
    free(exact);
    return result;
}

/* A record made of octets. */
#define READS(type, ...)                                                                           \
    reads(&got, type, (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

START_TEST(what_is_written_is_read)
{
    const struct chat_record *r = &records[_i];
    uint8_t octets[CHAT_RECORD];
    struct chat_record got;
    size_t size = chat_record_write(r, octets, sizeof octets);

    ck_assert_uint_gt(size, 0);
    ck_assert(chat_record_read(&got, r->type, octets, size));
    ck_assert_uint_eq(got.type, r->type);
    ck_assert_uint_eq(got.id, r->id);
    ck_assert_uint_eq(got.host, r->host);
    ck_assert_uint_eq(got.transfer, r->transfer);
    ck_assert_uint_eq(got.kind, r->kind);
    ck_assert_uint_eq(got.why, r->why);
    ck_assert_uint_eq(got.mode, r->mode);
    ck_assert_uint_eq(got.inner, r->inner);
    ck_assert_uint_eq(got.size, r->size);
    ck_assert(r->size == 0 || memcmp(got.text, r->text, r->size) == 0);
    ck_assert_int_eq(got.fingerprint != NULL, r->fingerprint != NULL);
    if (r->fingerprint != NULL)
        ck_assert_mem_eq(got.fingerprint, print, sizeof print);
    /* Where there is too little room, nothing. */
    for (size_t room = 0; room < size; room++)
        ck_assert_uint_eq(chat_record_write(r, octets, room), 0);
}
END_TEST

/* Those that end in a text of any length are shorter, not malformed, until something before it
 * lacks. */
START_TEST(octets_that_lack_or_are_left_over_are_refused)
{
    const struct chat_record *r = &records[_i];
    uint8_t octets[CHAT_RECORD + 1] = {0};
    struct chat_record got;
    size_t size = chat_record_write(r, octets, CHAT_RECORD);
    bool open = r->type == CHAT_TYPE_SAY || r->type == CHAT_TYPE_TELL ||
                r->type == CHAT_TYPE_SAID || r->type == CHAT_TYPE_CARRY ||
                r->type == CHAT_TYPE_CARRIED;
    bool carry = r->type == CHAT_TYPE_CARRY || r->type == CHAT_TYPE_CARRIED;
    size_t fixed = open ? size - r->size : size;

    for (size_t less = 0; less < fixed; less++)
        ck_assert(!reads(&got, r->type, octets, less));
    if (open && !carry) /* an empty text is none */
        ck_assert(!reads(&got, r->type, octets, fixed));
    if (!open)
        ck_assert(!reads(&got, r->type, octets, size + 1));
}
END_TEST

START_TEST(unknown_types_are_refused)
{
    struct chat_record got;
    const uint8_t octets[64] = {0};

    for (unsigned type = 0; type < 256; type++) {
        bool known =
            type == 32 || type == 33 || type == 34 || type == 36 || (type >= 48 && type <= 53);
        for (size_t size = 0; !known && size < sizeof octets; size++)
            ck_assert(!reads(&got, (uint8_t)type, octets, size));
    }
}
END_TEST

START_TEST(numbers_that_mean_nothing_are_refused)
{
    struct chat_record got;

    ck_assert(READS(CHAT_TYPE_HELLO, 1, 1, 'a'));
    ck_assert(!READS(CHAT_TYPE_HELLO, 0, 1, 'a')); /* another version */
    ck_assert(!READS(CHAT_TYPE_HELLO, 2, 1, 'a'));
    ck_assert(READS(CHAT_TYPE_SAY, 1, 'a'));
    ck_assert(!READS(CHAT_TYPE_SAY, 2, 'a')); /* private is not said by who says it */
    ck_assert(READS(CHAT_TYPE_SAID, 0, 0, 0, 1, 2, 'a'));
    ck_assert(!READS(CHAT_TYPE_SAID, 0, 0, 0, 1, 3, 'a'));
    ck_assert(READS(CHAT_TYPE_LEFT, 0, 0, 0, 1, 3));
    ck_assert(!READS(CHAT_TYPE_LEFT, 0, 0, 0, 1, 4));
    ck_assert(READS(CHAT_TYPE_JOINED, 0, 0, 0, 1, 1, 'a', 1, 0));
    ck_assert(!READS(CHAT_TYPE_JOINED, 0, 0, 0, 1, 1, 'a', 1, 1, 0)); /* a short fingerprint */
    ck_assert(READS(CHAT_TYPE_CARRY, 0, 0, 0, 1, 0, 0, 0, 1, 64));
    ck_assert(!READS(CHAT_TYPE_CARRY, 0, 0, 0, 1, 0, 0, 0, 1, 63)); /* no chat in a chat */
    ck_assert(!READS(CHAT_TYPE_CARRY, 0, 0, 0, 1, 0, 0, 0, 1, 96));
}
END_TEST

START_TEST(a_text_is_one_line_of_utf8)
{
    static const char *const fit[] = {"a",  " ",        "\t",           "\x1b[2J",
                                      "\r", "\xc2\x9b", "\xe2\x80\xae", "\xef\xbf\xbf"};
    static const struct {
        const char *octets;
        size_t size;
    } unfit[] = {
        {"", 0},         {"a\nb", 3}, {"\n", 1},    {"a\0b", 3},         {"\xff", 1},
        {"\xc0\xaf", 2}, {"\xc3", 1}, {"a\x80", 2}, {"\xed\xa0\x80", 3}, {"\xf4\x90\x80\x80", 4}};
    static uint8_t most[CHAT_TEXT + 1];

    for (size_t i = 0; i < sizeof fit / sizeof fit[0]; i++)
        ck_assert(chat_text_is_line((const uint8_t *)fit[i], strlen(fit[i])));
    for (size_t i = 0; i < sizeof unfit / sizeof unfit[0]; i++)
        ck_assert(!chat_text_is_line((const uint8_t *)unfit[i].octets, unfit[i].size));
    memset(most, 'x', sizeof most);
    ck_assert(chat_text_is_line(most, CHAT_TEXT));
    ck_assert(!chat_text_is_line(most, CHAT_TEXT + 1));
}
END_TEST

START_TEST(no_more_is_carried_than_may_be)
{
    static uint8_t octets[CHAT_RECORD + 1] = {0, 0, 0, 1, 0, 0, 0, 1, 69};
    struct chat_record got;

    ck_assert(reads(&got, CHAT_TYPE_CARRY, octets, CHAT_RECORD));
    ck_assert(!reads(&got, CHAT_TYPE_CARRY, octets, CHAT_RECORD + 1));
}
END_TEST

/* ---- names ---- */

START_TEST(names_that_may_be)
{
    static const char *const names[] = {
        "a",
        "anna",
        "J\xc3\xa9r\xc3\xb4me",
        "\xd0\xb8\xcc\x86", /* Cyrillic, with a combining mark */
        "\xe6\x9d\x8e\xe5\xb0\x8f\xe9\xbe\x99",
        "\xd7\x93\xd7\xa0\xd7\x94",
        "x_1.2-3",
        "a*b/c!d",
        "abcdefghijklmnopqrstuvwxyz123456",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ck_assert_msg(chat_name_is_fit(names[i], strlen(names[i])), "%zu: %s", i, names[i]);
}
END_TEST

START_TEST(names_that_may_not_be)
{
    static const struct {
        const char *octets;
        size_t size;
    } names[] = {
#define NAME(s) {s, sizeof(s) - 1}
        NAME(""),
        NAME("abcdefghijklmnopqrstuvwxyz1234567"), /* 33 */
        NAME("a b"),
        NAME(" a"),
        NAME("a "),
        NAME("a\tb"),
        NAME("a\xc2\xa0"
             "b"),             /* no-break space */
        NAME("a\xe3\x80\x80"), /* ideographic space */
        NAME("/who"),
        NAME("!cls"),
        NAME("*anna"),
        NAME("--"),
        NAME("a> hello <b"),
        NAME("a]"),
        NAME("a\0b"),
        NAME("a\x1b[2J"),
        NAME("a\x7f"),
        NAME("a\xc2\x9b"),         /* C1 */
        NAME("a\xc2\xad"),         /* soft hyphen */
        NAME("a\xe2\x80\xae"),     /* right-to-left override */
        NAME("a\xe2\x81\xa6"),     /* isolate */
        NAME("a\xd8\x9c"),         /* Arabic letter mark */
        NAME("a\xe2\x80\x8b"),     /* zero-width space */
        NAME("a\xe2\x80\x8d"),     /* zero-width joiner */
        NAME("a\xef\xbb\xbf"),     /* byte order mark */
        NAME("a\xef\xb8\x8f"),     /* variation selector */
        NAME("a\xf3\xa0\x81\x81"), /* tag */
        NAME("\xe3\x85\xa4"),      /* Hangul filler */
        NAME("\xe2\xa0\x80"),      /* Braille blank */
        NAME("\xee\x80\x80"),      /* private use */
        NAME("a\xe2\x80\xa8"),     /* line separator */
        NAME("\xcc\x81"
             "a"), /* a mark upon nothing */
        NAME("\xd0\xb8\xcc\x86\xcc\x86\xcc\x86"),
        NAME("jose\xcc\x81"), /* looks like what is written with one character */
        NAME("s\xe1\xb7\x84\xcc\x81"),
        NAME("a\xff"),
        NAME("\xc3"),
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ck_assert_msg(!chat_name_is_fit(names[i].octets, names[i].size), "%zu: %s", i,
                      names[i].octets);
}
END_TEST

START_TEST(a_record_with_an_unfit_name_is_refused)
{
    struct chat_record got;

    ck_assert(READS(CHAT_TYPE_WELCOME, 0, 0, 0, 2, 1, 'a', 0, 0, 0, 1));
    ck_assert(!READS(CHAT_TYPE_WELCOME, 0, 0, 0, 2, 1, '\n', 0, 0, 0, 1));
    ck_assert(!READS(CHAT_TYPE_WELCOME, 0, 0, 0, 2, 0, 0, 0, 0, 1));
    ck_assert(!READS(CHAT_TYPE_HELLO, 1, 2, 'a', ' '));
    ck_assert(!READS(CHAT_TYPE_JOINED, 0, 0, 0, 1, 1, '/', 1, 0));
}
END_TEST

START_TEST(a_fit_name_is_made_of_any)
{
    static const char *const names[][2] = {
        {"anna", "anna"},
        {"anna maria", "annamaria"},
        {"-root", "root"},
        {"", "user"},
        {" /!", "user"},
        {"a\xff\xc3\xa9", "a\xc3\xa9"},
        {"x\x1b[31m", "x31m"},
        {"\xe2\x80\xae"
         "a",
         "a"},
    };
    char fit[CHAT_NAME + 1], many[400];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        chat_name_make(fit, names[i][0], strlen(names[i][0]));
        ck_assert_str_eq(fit, names[i][1]);
        ck_assert(chat_name_is_fit(fit, strlen(fit)));
    }
    for (size_t i = 0; i < sizeof many; i += 4)
        memcpy(many + i, "\xf0\x9f\x98\x80", 4);
    chat_name_make(fit, many, sizeof many);
    ck_assert_uint_eq(strlen(fit), CHAT_NAME);
    ck_assert(chat_name_is_fit(fit, strlen(fit)));
}
END_TEST

static bool is_taken(void *owner, const char *name)
{
    for (const char *const *taken = owner; *taken != NULL; taken++)
        if (chat_name_equal(*taken, name))
            return true;
    return false;
}

START_TEST(names_are_made_unique)
{
    const char *taken[] = {"anna", "anna-2", "Bob", "abcdefghijklmnopqrstuvwxyz123456", NULL};
    static const char *const names[][2] = {
        {"carl", "carl"},
        {"anna", "anna-3"},
        {"ANNA", "ANNA-3"},
        {"bob", "bob-2"},
        {"abcdefghijklmnopqrstuvwxyz123456", "abcdefghijklmnopqrstuvwxyz1234-2"},
    };
    char name[CHAT_NAME + 1];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(name, sizeof name, "%s", names[i][0]);
        chat_name_make_unique(name, is_taken, taken);
        ck_assert_str_eq(name, names[i][1]);
        ck_assert(chat_name_is_fit(name, strlen(name)));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chat records");
    TCase *codec = tcase_create("codec"), *names = tcase_create("names");
    SRunner *runner = srunner_create(suite);

    suite_add_tcase(suite, codec);
    suite_add_tcase(suite, names);
    tcase_add_loop_test(codec, what_is_written_is_read, 0, COUNT);
    tcase_add_loop_test(codec, octets_that_lack_or_are_left_over_are_refused, 0, COUNT);
    tcase_add_test(codec, unknown_types_are_refused);
    tcase_add_test(codec, numbers_that_mean_nothing_are_refused);
    tcase_add_test(codec, a_text_is_one_line_of_utf8);
    tcase_add_test(codec, no_more_is_carried_than_may_be);
    tcase_add_test(names, names_that_may_be);
    tcase_add_test(names, names_that_may_not_be);
    tcase_add_test(names, a_record_with_an_unfit_name_is_refused);
    tcase_add_test(names, a_fit_name_is_made_of_any);
    tcase_add_test(names, names_are_made_unique);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
