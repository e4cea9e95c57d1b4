#include "net/address.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef int parse_function(struct address *out, const char *text, char *why, size_t size);

struct good {
    const char *text, *host;
    unsigned port;
    const char *shown;
};

static void accept_all(parse_function *parse, const struct good *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct address address;
        char why[256] = "";
        ck_assert_msg(parse(&address, cases[i].text, why, sizeof why) == 0, "%s", why);
        ck_assert_int_eq(address.kind, ADDRESS_TCP);
        ck_assert_str_eq(address.host, cases[i].host);
        ck_assert_uint_eq(address.port, cases[i].port);
        ck_assert_str_eq(address.text, cases[i].shown);
    }
}

/* Each is refused with one line that shows the text. */
static void refuse_all(parse_function *parse, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct address address;
        char why[256] = "";
        ck_assert_msg(parse(&address, texts[i], why, sizeof why) == -1, "%s was accepted",
                      texts[i]);
        ck_assert_msg(strstr(why, texts[i]) != NULL, "%s is not in: %s", texts[i], why);
        ck_assert_ptr_null(strchr(why, '\n'));
    }
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

START_TEST(listen_takes_its_forms)
{
    static const struct good cases[] = {
        {NULL, "::", 12800, "[::]:12800"},
        {"", "::", 12800, "[::]:12800"},
        {"0", "::", 0, "[::]:0"},
        {"00080", "::", 80, "[::]:80"},
        {"65535", "::", 65535, "[::]:65535"},
        {"127.0.0.1:80", "127.0.0.1", 80, "127.0.0.1:80"},
        {"host_1.example-2.org:0", "host_1.example-2.org", 0, "host_1.example-2.org:0"},
        {"[::1]:9", "::1", 9, "[::1]:9"},
        {"[fe80::1%eth0.7]:9", "fe80::1%eth0.7", 9, "[fe80::1%eth0.7]:9"},
    };

    accept_all(address_parse_listen, cases, COUNT(cases));
}
END_TEST

START_TEST(listen_refuses_the_rest)
{
    static const char *const texts[] = {
        "65536",     "99999999999999999999",
        "-1",        "host",
        "127.0.0.1", "::1",
        "host:",     ":80",
        "host:http", "host:80x",
        "host:+80",  "host: 80",
        "host:80:1", "[::1]",
        "[::1",      "[::1]80",
        "[::1]:",    "[host]:80",
        "[]:80",     "[1.2.3.4]:80",
        "ho st:80",  "h\xc3\xb6:1",
        "a/b:80",    "*:80",
        "-h:80",     "[fe80::1%]:80",
        "[::1]]:80", "::1:0:",
        "unix:",     "h:70000",
    };

    refuse_all(address_parse_listen, texts, COUNT(texts));
}
END_TEST

START_TEST(connect_takes_its_forms)
{
    static const struct good cases[] = {
        {NULL, "localhost", 12800, "localhost:12800"},
        {"", "localhost", 12800, "localhost:12800"},
        {"7000", "localhost", 7000, "localhost:7000"},
        {"host", "host", 12800, "host:12800"},
        {"10.0.0.1", "10.0.0.1", 12800, "10.0.0.1:12800"},
        {"host:1", "host", 1, "host:1"},
        {"::1", "::1", 12800, "[::1]:12800"},
        {"fe80::1%eth0", "fe80::1%eth0", 12800, "[fe80::1%eth0]:12800"},
        {"2001:db8::12:80", "2001:db8::12:80", 12800, "[2001:db8::12:80]:12800"},
        {"[2001:db8::12]:80", "2001:db8::12", 80, "[2001:db8::12]:80"},
        {"unix.", "unix.", 12800, "unix.:12800"},
    };

    accept_all(address_parse_connect, cases, COUNT(cases));
}
END_TEST

START_TEST(connect_refuses_the_rest)
{
    static const char *const texts[] = {
        "0",       "70000", "host:0",  "host:65536", "host:",  ":80",   "[::1]",
        "[::1]:0", "a:b:c", "1::2::3", "::1:99999",  "ho\tst", "unix:",
    };

    refuse_all(address_parse_connect, texts, COUNT(texts));
}
END_TEST

START_TEST(two_words_are_host_and_port)
{
    struct address address;
    char why[256];

    ck_assert_int_eq(address_parse_host_port(&address, "host", "80", why, sizeof why), 0);
    ck_assert_str_eq(address.text, "host:80");
    ck_assert_int_eq(address_parse_host_port(&address, "::1", "80", why, sizeof why), 0);
    ck_assert_str_eq(address.text, "[::1]:80");
    ck_assert_str_eq(address.host, "::1");
}
END_TEST

START_TEST(two_other_words_are_refused)
{
    static const char *const words[][2] = {
        {"host", "0"},    {"host", "http"}, {"host", ""},   {"", "80"},       {"80", "80"},
        {"host:1", "80"}, {"unix:x", "80"}, {"[::1]", "1"}, {"a b", "80"},    {"host", "65536"},
        {"host", "8 0"},  {"-x", "80"},     {"host", "-1"}, {"1::2::3", "1"},
    };

    for (size_t i = 0; i < COUNT(words); i++) {
        struct address address;
        char why[256];
        ck_assert_msg(
            address_parse_host_port(&address, words[i][0], words[i][1], why, sizeof why) == -1,
            "%s %s", words[i][0], words[i][1]);
    }
}
END_TEST

START_TEST(target_takes_its_forms)
{
    static const struct good cases[] = {
        {"host:22", "host", 22, "host:22"},
        {"127.0.0.1:65535", "127.0.0.1", 65535, "127.0.0.1:65535"},
        {"[::1]:22", "::1", 22, "[::1]:22"},
    };

    accept_all(address_parse_target, cases, COUNT(cases));
}
END_TEST

START_TEST(target_refuses_the_rest)
{
    static const char *const texts[] = {"",       "22",       "host",    "::1",   "[::1]",
                                        "host:0", "host:22:", "host:xx", "unix:", "[::1]:0"};

    refuse_all(address_parse_target, texts, COUNT(texts));
}
END_TEST

START_TEST(local_takes_its_first_forms)
{
    static const struct good cases[] = {
        {"5432", "localhost", 5432, "localhost:5432"},
        {"0", "localhost", 0, "localhost:0"},
        {"0.0.0.0:5432", "0.0.0.0", 5432, "0.0.0.0:5432"},
        {"[::1]:0", "::1", 0, "[::1]:0"},
    };

    accept_all(address_parse_local, cases, COUNT(cases));
}
END_TEST

START_TEST(local_forms_with_a_target_are_not_yet)
{
    static const char *const texts[] = {
        "5432:host:22",       "127.0.0.1:5432:host:22", "[::1]:5432:[::1]:22", "5432/udp",
        "5432:[::1]:22",      "127.0.0.1:5432/udp",     "5432:unix:/run/x",    "[::1]:1:unix:/x",
        "unix:/run/x:host:1", "unix:/a:unix:/b",        "5432:host:22/udp",
    };

    refuse_all(address_parse_local, texts, COUNT(texts));
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct address address;
        char why[256];
        ck_assert_int_eq(address_parse_local(&address, texts[i], why, sizeof why), -1);
        ck_assert_msg(strstr(why, "not yet") != NULL, "%s: %s", texts[i], why);
    }
}
END_TEST

START_TEST(local_refuses_the_rest)
{
    static const char *const texts[] = {
        "",      "host",      "host:",           "70000", ":5432", "[::1]",
        "[::1",  "::1",       "1:2:3:4:5:6:7:8", "1::",   "a::b",  "1:2:",
        "unix:", "1:2:3:4:5", "b:p:h:p:x:",      "*:1"};

    refuse_all(address_parse_local, texts, COUNT(texts));
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct address address;
        char why[256];
        ck_assert_int_eq(address_parse_local(&address, texts[i], why, sizeof why), -1);
        ck_assert_msg(strstr(why, "not yet") == NULL, "%s: %s", texts[i], why);
    }
}
END_TEST

START_TEST(unix_paths_are_taken_by_all)
{
    static parse_function *const parsers[] = {address_parse_listen, address_parse_connect,
                                              address_parse_target, address_parse_local};
    char text[256] = "unix:", why[256];
    struct address address;

    for (size_t i = 0; i < COUNT(parsers); i++) {
        ck_assert_int_eq(parsers[i](&address, "unix:/run/a b/udp", why, sizeof why), 0);
        ck_assert_int_eq(address.kind, ADDRESS_UNIX);
        ck_assert_str_eq(address.path, "/run/a b/udp");
        ck_assert_str_eq(address.text, "unix:/run/a b/udp");
        memset(text + 5, 'x', ADDRESS_PATH_MAX);
        text[5 + ADDRESS_PATH_MAX] = '\0';
        ck_assert_int_eq(parsers[i](&address, text, why, sizeof why), 0);
        ck_assert_uint_eq(strlen(address.path), ADDRESS_PATH_MAX);
        strcat(text, "x");
        ck_assert_int_eq(parsers[i](&address, text, why, sizeof why), -1);
        ck_assert_ptr_nonnull(strstr(why, "107"));
    }
}
END_TEST

START_TEST(hosts_are_bounded)
{
    char text[600], why[64];
    struct address address;

    memset(text, 'x', sizeof text);
    memcpy(text + ADDRESS_HOST_MAX, ":80", 4);
    ck_assert_int_eq(address_parse_target(&address, text, why, sizeof why), 0);
    ck_assert_uint_eq(strlen(address.host), ADDRESS_HOST_MAX);
    ck_assert_uint_eq(strlen(address.text), ADDRESS_HOST_MAX + 3);
    memset(text, 'x', sizeof text);
    memcpy(text + ADDRESS_HOST_MAX + 1, ":80", 4);
    ck_assert_int_eq(address_parse_target(&address, text, why, sizeof why), -1);
    memset(text, '7', sizeof text);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(address_parse_connect(&address, text, why, sizeof why), -1);
    memset(text, '[', sizeof text - 1);
    ck_assert_int_eq(address_parse_listen(&address, text, why, sizeof why), -1);
    memset(text, ':', sizeof text - 1);
    ck_assert_int_eq(address_parse_local(&address, text, why, sizeof why), -1);
    ck_assert_uint_lt(strlen(why), sizeof why);
}
END_TEST

/* Its text would be that of the socket of the path 12800. */
START_TEST(a_host_is_not_called_unix)
{
    static const char *const texts[] = {"unix"};
    struct address address;
    char why[256];

    refuse_all(address_parse_connect, texts, COUNT(texts));
    ck_assert_int_eq(address_parse_host_port(&address, "unix", "12800", why, sizeof why), -1);
    ck_assert_int_eq(address_parse_connect(&address, "unix.", why, sizeof why), 0);
    ck_assert_str_eq(address.text, "unix.:12800");
    ck_assert_int_eq(address_parse_connect(&address, "unix1:80", why, sizeof why), 0);
}
END_TEST

START_TEST(families)
{
    ck_assert_int_eq(address_family("127.0.0.1"), AF_INET);
    ck_assert_int_eq(address_family("::"), AF_INET6);
    ck_assert_int_eq(address_family("::ffff:1.2.3.4"), AF_INET6);
    ck_assert_int_eq(address_family("fe80::1%lo"), AF_INET6);
    ck_assert_int_eq(address_family("127.0.0.1%lo"), AF_UNSPEC);
    ck_assert_int_eq(address_family("fe80::1%"), AF_UNSPEC);
    ck_assert_int_eq(address_family("fe80::1%a b"), AF_UNSPEC);
    ck_assert_int_eq(address_family("[::1]"), AF_UNSPEC);
    ck_assert_int_eq(address_family("1.2.3"), AF_UNSPEC);
    ck_assert_int_eq(address_family("host"), AF_UNSPEC);
    ck_assert_int_eq(address_family(""), AF_UNSPEC);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *tests = tcase_create("forms");
    SRunner *runner;
    int failed;

    tcase_add_test(tests, listen_takes_its_forms);
    tcase_add_test(tests, listen_refuses_the_rest);
    tcase_add_test(tests, connect_takes_its_forms);
    tcase_add_test(tests, connect_refuses_the_rest);
    tcase_add_test(tests, two_words_are_host_and_port);
    tcase_add_test(tests, two_other_words_are_refused);
    tcase_add_test(tests, target_takes_its_forms);
    tcase_add_test(tests, target_refuses_the_rest);
    tcase_add_test(tests, local_takes_its_first_forms);
    tcase_add_test(tests, local_forms_with_a_target_are_not_yet);
    tcase_add_test(tests, local_refuses_the_rest);
    tcase_add_test(tests, unix_paths_are_taken_by_all);
    tcase_add_test(tests, hosts_are_bounded);
    tcase_add_test(tests, a_host_is_not_called_unix);
    tcase_add_test(tests, families);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
