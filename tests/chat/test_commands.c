/* What a line that is typed in a chat means. */
#include "cli/chat_commands.h"

#include <check.h>
#include <string.h>

static struct chat_command c;

static void reads(const char *line, enum chat_command_type type)
{
    chat_command_read(&c, line, strlen(line));
    ck_assert_msg(c.type == type, "%s: %d instead of %d", line, (int)c.type, (int)type);
}

START_TEST(what_is_no_command_is_said)
{
    static const char *const lines[][2] = {
        {"hello", "hello"}, {" /who", " /who"}, {"a/b", "a/b"},    {"//etc", "/etc"},
        {"!!", "!"},        {"//", "/"},        {"!!bah", "!bah"}, {"\x1b[2J", "\x1b[2J"},
        {"///", "//"},      {"x ", "x "},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        reads(lines[i][0], CHAT_COMMAND_SAY);
        ck_assert_str_eq(c.text, lines[i][1]);
    }
}
END_TEST

START_TEST(commands_in_both_languages)
{
    static const struct {
        const char *line;
        enum chat_command_type type;
    } lines[] = {
        {"/who", CHAT_COMMAND_WHO},           {"/who  ", CHAT_COMMAND_WHO},
        {"!utilisateurs", CHAT_COMMAND_WHO},  {"!who", CHAT_COMMAND_WHO},
        {"/me waves", CHAT_COMMAND_ME},       {"!me waves", CHAT_COMMAND_ME},
        {"/password", CHAT_COMMAND_PASSWORD}, {"!motdepasse", CHAT_COMMAND_PASSWORD},
        {"/clear", CHAT_COMMAND_CLEAR},       {"!cls", CHAT_COMMAND_CLEAR},
        {"/quit", CHAT_COMMAND_QUIT},         {"!quitter", CHAT_COMMAND_QUIT},
        {"/help", CHAT_COMMAND_HELP},         {"!aide", CHAT_COMMAND_HELP},
        {"!aled", CHAT_COMMAND_HELP},         {"!fichier a", CHAT_COMMAND_SEND},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        reads(lines[i].line, lines[i].type);
}
END_TEST

START_TEST(what_is_unknown_or_malformed_is_not_said)
{
    static const char *const unknown[] = {"/",           "!",       "/whom",        "/WHO",
                                          "/etc/passwd", "! hello", "!motdepass x", "/\xc3\xa9"};
    static const char *const malformed[] = {
        "/who anna", "/me",         "/me  ",         "/msg",       "/msg anna", "/msg anna  ",
        "/send",     "/send a b c", "/send \"a",     "/send \"\"", "/refuse x", "/refuse 1 2",
        "/quit now", "/accept a b", "/accept 1 a b", "/clear all",
    };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        reads(unknown[i], CHAT_COMMAND_UNKNOWN);
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        reads(malformed[i], CHAT_COMMAND_MALFORMED);
        ck_assert_ptr_nonnull(c.text);
    }
}
END_TEST

START_TEST(words_behind_a_command)
{
    reads("/msg anna  come here  ", CHAT_COMMAND_MSG);
    ck_assert_str_eq(c.name, "anna");
    ck_assert_str_eq(c.text, "come here");
    reads("/me  is  here", CHAT_COMMAND_ME);
    ck_assert_str_eq(c.text, "is  here");
    reads("/send photo.jpg", CHAT_COMMAND_SEND);
    ck_assert_str_eq(c.path, "photo.jpg");
    ck_assert_ptr_null(c.name);
    reads("/send photo.jpg anna", CHAT_COMMAND_SEND);
    ck_assert_str_eq(c.path, "photo.jpg");
    ck_assert_str_eq(c.name, "anna");
    reads("/send \"my photo.jpg\" anna", CHAT_COMMAND_SEND);
    ck_assert_str_eq(c.path, "my photo.jpg");
    ck_assert_str_eq(c.name, "anna");
    reads("/send my\\ photo.jpg", CHAT_COMMAND_SEND);
    ck_assert_str_eq(c.path, "my photo.jpg");
    reads("/send '\\ \"x'", CHAT_COMMAND_SEND);
    ck_assert_str_eq(c.path, "\\ \"x");
}
END_TEST

START_TEST(numbers_and_folders)
{
    reads("/accept", CHAT_COMMAND_ACCEPT);
    ck_assert_uint_eq(c.number, 0);
    ck_assert_ptr_null(c.path);
    reads("/accept 12", CHAT_COMMAND_ACCEPT);
    ck_assert_uint_eq(c.number, 12);
    ck_assert_ptr_null(c.path);
    reads("/accept 3 'my photos'", CHAT_COMMAND_ACCEPT);
    ck_assert_uint_eq(c.number, 3);
    ck_assert_str_eq(c.path, "my photos");
    reads("/accept 3d", CHAT_COMMAND_ACCEPT);
    ck_assert_uint_eq(c.number, 0);
    ck_assert_str_eq(c.path, "3d");
    reads("/refuse 2", CHAT_COMMAND_REFUSE);
    ck_assert_uint_eq(c.number, 2);
    reads("/refuse 99999999999", CHAT_COMMAND_MALFORMED);
}
END_TEST

START_TEST(help_has_a_line_for_each)
{
    size_t count = 0;

    while (chat_command_help(count) != NULL)
        count++;
    ck_assert_uint_eq(count, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chat commands");
    TCase *tcase = tcase_create("all");
    SRunner *runner = srunner_create(suite);

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, what_is_no_command_is_said);
    tcase_add_test(tcase, commands_in_both_languages);
    tcase_add_test(tcase, what_is_unknown_or_malformed_is_not_said);
    tcase_add_test(tcase, words_behind_a_command);
    tcase_add_test(tcase, numbers_and_folders);
    tcase_add_test(tcase, help_has_a_line_for_each);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
