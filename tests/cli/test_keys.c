#include "cli/keys.h"

#include <check.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEX_16 "000102030405060708090a0b0c0d0e0f"
#define HEX_24 HEX_16 "1011121314151617"
#define HEX_32 HEX_24 "18191a1b1c1d1e1f"
/* The same octets in base64. */
#define BASE64_16 "AAECAwQFBgcICQoLDA0ODw=="
#define BASE64_24 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
#define BASE64_32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
/* Of every 6-bit value: 0xfb, 0xff, 0xbf begins with the last two. */
#define BASE64_SIGNS "+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char folder[] = "/tmp/usi-keys-XXXXXX";

static void make_folder(void)
{
    ck_assert_int_eq(CRYPTO_secure_malloc_init(65536, 32) != 0, 1);
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* The tests' files have one name, so that one unlink clears up. */
static const char *path(void)
{
    static char text[64];

    snprintf(text, sizeof text, "%s/key", folder);
    return text;
}

static void remove_folder(void)
{
    (void)remove(path()); /* not every test makes one */
    ck_assert_int_eq(rmdir(folder), 0);
}

static const char *file(const void *data, size_t length, mode_t mode)
{
    int fd = open(path(), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, length), (ssize_t)length);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(close(fd), 0);
    return path();
}

static void assert_counts_up(struct key *key, size_t size, const char *why)
{
    ck_assert_msg(key != NULL, "%s", why);
    ck_assert_uint_eq(key->size, size);
    for (size_t i = 0; i < size; i++)
        ck_assert_uint_eq(key->octets[i], i);
    ck_assert_int_eq(CRYPTO_secure_allocated(key), 1);
    key_free(key);
}

START_TEST(text_has_many_forms)
{
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        {HEX_16, 16},
        {HEX_24, 24},
        {HEX_32, 32},
        {"hex:" HEX_16, 16},
        {"hex:" HEX_32, 32},
        {BASE64_16, 16},
        {BASE64_24, 24},
        {BASE64_32, 32},
        {"base64:" BASE64_16, 16},
        {"base64:" BASE64_24, 24},
        {"base64:" BASE64_32, 32},
        {" \t\r\n" HEX_24 "\r\n", 24},
        {"  base64:" BASE64_32 " ", 32},
        {"000102030405060708090A0B0C0D0E0F", 16},
        {"000102030405060708090a0B0c0D0e0F", 16},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char why[256] = "";
        assert_counts_up(key_parse(cases[i].text, strlen(cases[i].text), why, sizeof why),
                         cases[i].size, why);
    }
}
END_TEST

/* 32 and 64 hex digits are base64 too, and 48 hex digits would be: hex wins unless the prefix says
 * so. */
START_TEST(all_hex_is_hex)
{
    static const char text[] = "AAAABBBBCCCCDDDDEEEEFFFF00001111";
    static const uint8_t as_hex[] = {0xaa, 0xaa, 0xbb, 0xbb, 0xcc, 0xcc, 0xdd, 0xdd,
                                     0xee, 0xee, 0xff, 0xff, 0x00, 0x00, 0x11, 0x11};
    static const uint8_t as_base64[] = {0x00, 0x00, 0x00, 0x04, 0x10, 0x41, 0x08, 0x20,
                                        0x82, 0x0c, 0x30, 0xc3, 0x10, 0x41, 0x04, 0x14,
                                        0x51, 0x45, 0xd3, 0x4d, 0x34, 0xd7, 0x5d, 0x75};
    char why[256], prefixed[64];
    struct key *key = key_parse(text, strlen(text), why, sizeof why);

    ck_assert_ptr_nonnull(key);
    ck_assert_uint_eq(key->size, sizeof as_hex);
    ck_assert_mem_eq(key->octets, as_hex, sizeof as_hex);
    key_free(key);
    snprintf(prefixed, sizeof prefixed, "base64:%s", text);
    key = key_parse(prefixed, strlen(prefixed), why, sizeof why);
    ck_assert_ptr_nonnull(key);
    ck_assert_uint_eq(key->size, sizeof as_base64);
    ck_assert_mem_eq(key->octets, as_base64, sizeof as_base64);
    key_free(key);
}
END_TEST

START_TEST(base64_has_its_signs)
{
    char why[256];
    struct key *key = key_parse(BASE64_SIGNS, strlen(BASE64_SIGNS), why, sizeof why);

    ck_assert_ptr_nonnull(key);
    ck_assert_uint_eq(key->size, 24);
    for (size_t i = 0; i < 24; i += 3)
        ck_assert_mem_eq(key->octets + i, "\xfb\xff\xbf", 3);
    key_free(key);
}
END_TEST

/* Every octet in every place of a key text: no other character is taken for a digit. */
START_TEST(no_other_character_is_a_digit)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char hex[] = "0123456789abcdefABCDEF";

    for (int c = 0; c < 256; c++) {
        char text[] = "base64:" BASE64_24, why[256];
        text[7 + 11] = (char)c;
        struct key *key = key_parse(text, strlen(BASE64_24) + 7, why, sizeof why);
        ck_assert_int_eq(key != NULL, c != 0 && strchr(base64, c) != NULL);
        key_free(key);
        char digits[] = "hex:" HEX_32;
        digits[4 + 11] = (char)c;
        key = key_parse(digits, strlen(HEX_32) + 4, why, sizeof why);
        ck_assert_int_eq(key != NULL, c != 0 && strchr(hex, c) != NULL);
        key_free(key);
    }
}
END_TEST

static void assert_refused(const char *text)
{
    char why[256] = "";
    const char *shown;

    ck_assert_msg(key_parse(text, strlen(text), why, sizeof why) == NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(why, "a key is 32, 48 or 64 hex digits"));
    ck_assert_ptr_null(strchr(why, '\n'));
    for (shown = text; strlen(shown) >= 6; shown++) {
        char piece[7];
        memcpy(piece, shown, 6);
        piece[6] = '\0';
        ck_assert_msg(strstr(why, piece) == NULL || strstr("base64:hex:", piece) != NULL,
                      "%s shows the text", why);
    }
}

START_TEST(other_text_is_refused)
{
    static const char *const texts[] = {
        "",
        "  ",
        "hex:",
        "base64:",
        "0001",
        HEX_16 "0",
        HEX_16 "00",
        HEX_32 "00",
        "hex:" BASE64_16,
        "hex:" HEX_16 "00",
        "hex:0x" HEX_16,
        "0x" HEX_16,
        "base64:" HEX_24,
        "octal:" HEX_16,
        "HEX:" HEX_16,
        "hex:hex:" HEX_16,
        HEX_16 " 1011121314151617",
        "00010203 04050607 08090a0b 0c0d0e0f",
        "000102030405060708090a0b0c0d0e0g" HEX_16,
        /* padding: missing, short, long, in the middle */
        "AAECAwQFBgcICQoLDA0ODw",
        "AAECAwQFBgcICQoLDA0ODw=",
        "AAECAwQFBgcICQoLDA0ODw===",
        "AAECAwQFBgcICQoLDA0OD===",
        "AAECAwQFBgcICQoLDA0=ODw=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRY=",
        /* bits left over that are not zero */
        "AAECAwQFBgcICQoLDA0ODx==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
        /* the alphabet for URLs, and text over lines */
        "-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_",
        "AAECAwQFBgcI\nCQoLDA0ODw==",
    };

    for (size_t i = 0; i < COUNT(texts); i++)
        assert_refused(texts[i]);
}
END_TEST

START_TEST(nul_is_no_digit)
{
    char text[] = HEX_32, why[256];

    text[20] = '\0';
    ck_assert_ptr_null(key_parse(text, sizeof text - 1, why, sizeof why));
}
END_TEST

START_TEST(file_has_comments_and_one_key)
{
    static const char *const texts[] = {
        HEX_32,
        HEX_32 "\n",
        "# made today\n" HEX_32 "\n",
        "#\n\n  # x\n\t" BASE64_32 " \n\n# end\n\n",
        "# dos\r\n" HEX_32 "\r\n\r\n",
        "\n\n\nhex:" HEX_32,
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        char why[512] = "";
        assert_counts_up(key_read_file(file(texts[i], strlen(texts[i]), 0600), why, sizeof why), 32,
                         why);
    }
}
END_TEST

static void assert_file_refused(const char *name, const char *word)
{
    char why[512] = "";

    ck_assert_ptr_null(key_read_file(name, why, sizeof why));
    ck_assert_msg(strstr(why, name) != NULL && strstr(why, word) != NULL, "%s", why);
    ck_assert_ptr_null(strchr(why, '\n'));
    ck_assert_msg(strstr(why, "0001020304") == NULL, "%s", why);
}

START_TEST(file_of_other_text_is_refused)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"", "no line of key text"},
        {"# only a comment\n", "no line of key text"},
        {"\n\n", "no line of key text"},
        {HEX_32 "\n" HEX_32 "\n", "line 2"},
        {"# a\n" HEX_32 "\n\n# b\nrest\n", "line 5"},
        {"# a\n" HEX_32 "0\n", "line 2: 65 characters"},
        {"key: " HEX_32 "\n", "line 1"},
        {HEX_32 " # comment\n", "line 1"},
        {"\xef\xbb\xbf" HEX_32 "\n", "byte order mark"},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        assert_file_refused(file(cases[i].text, strlen(cases[i].text), 0600), cases[i].word);
    assert_file_refused(file("# a\n\0" HEX_32, 5 + 64, 0600), "line 2 holds a NUL");
}
END_TEST

START_TEST(file_is_at_most_4_kib)
{
    char text[4097], why[512] = "";

    memset(text, '#', sizeof text);
    memcpy(text + 4096 - 65, "\n" HEX_32, 65);
    assert_counts_up(key_read_file(file(text, 4096, 0600), why, sizeof why), 32, why);
    text[4096] = '\n';
    assert_file_refused(file(text, 4097, 0600), "longer than 4096");
}
END_TEST

START_TEST(file_is_not_for_others)
{
    static const mode_t good[] = {0400, 0600, 0640, 0660, 0700, 0770};
    char why[512] = "", mode[8];

    for (size_t i = 0; i < COUNT(good); i++)
        assert_counts_up(key_read_file(file(HEX_16, 32, good[i]), why, sizeof why), 16, why);
    for (mode_t others = 1; others < 8; others++) {
        snprintf(mode, sizeof mode, "%04o", 0600u | others);
        assert_file_refused(file(HEX_16, 32, 0600 | others), mode);
        assert_file_refused(path(), "chmod");
    }
}
END_TEST

START_TEST(link_is_judged_by_its_file)
{
    char name[80], why[512];

    file(HEX_16, 32, 0644);
    snprintf(name, sizeof name, "%s/link", folder);
    ck_assert_int_eq(symlink(path(), name), 0);
    assert_file_refused(name, "chmod");
    ck_assert_int_eq(chmod(path(), 0600), 0);
    assert_counts_up(key_read_file(name, why, sizeof why), 16, why);
    ck_assert_int_eq(unlink(name), 0);
}
END_TEST

START_TEST(file_that_is_none_is_refused)
{
    assert_file_refused(path(), "No such file");
    ck_assert_int_eq(mkdir(path(), 0700), 0);
    assert_file_refused(path(), "directory");
}
END_TEST

/* A FIFO has no content to expose, so its mode is not judged. */
START_TEST(fifo_is_read_to_its_end)
{
    char why[512] = "";
    pid_t writer;
    int status;

    ck_assert_int_eq(mkfifo(path(), 0600), 0);
    ck_assert_int_eq(chmod(path(), 0666), 0);
    writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer == 0) {
        int fd = open(path(), O_WRONLY);
        bool done = fd >= 0 && write(fd, "# x\n", 4) == 4 && write(fd, HEX_16, 32) == 32;
        _exit(done ? 0 : 1);
    }
    assert_counts_up(key_read_file(path(), why, sizeof why), 16, why);
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(standard_input_is_a_file)
{
    char why[512] = "";
    int fd = open(file(HEX_16 "\n", 33, 0600), O_RDONLY);

    ck_assert_int_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    assert_counts_up(key_read_file("-", why, sizeof why), 16, why);
    ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFD), 0);
    ck_assert_ptr_null(key_read_file("-", why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "standard input"));
    ck_assert_int_eq(fchmod(fd, 0644), 0);
    ck_assert_int_eq(lseek(STDIN_FILENO, 0, SEEK_SET), 0);
    ck_assert_ptr_null(key_read_file("-", why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "chmod"));
    close(fd);
}
END_TEST

START_TEST(made_keys_come_back)
{
    static const unsigned sizes[] = {128, 192, 256};
    char why[512] = "";

    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct key *key = key_generate(NULL, sizes[i], why, sizeof why), *again;
        struct stat status;
        ck_assert_ptr_nonnull(key);
        ck_assert_uint_eq(key->size * 8, sizes[i]);
        umask(i == 0 ? 0777 : 0);
        ck_assert_int_eq(key_write_file(key, path(), why, sizeof why), KEY_WRITTEN);
        umask(022);
        ck_assert_int_eq(stat(path(), &status), 0);
        ck_assert_uint_eq(status.st_mode & 07777u, 0600);
        again = key_read_file(path(), why, sizeof why);
        ck_assert_ptr_nonnull(again);
        ck_assert_uint_eq(again->size, key->size);
        ck_assert_mem_eq(again->octets, key->octets, key->size);
        key_free(again);
        key_free(key);
        ck_assert_int_eq(unlink(path()), 0);
    }
}
END_TEST

START_TEST(other_sizes_are_not_made)
{
    static const unsigned sizes[] = {0, 8, 127, 129, 255, 512};
    char why[512] = "";

    for (size_t i = 0; i < COUNT(sizes); i++)
        ck_assert_ptr_null(key_generate(NULL, sizes[i], why, sizeof why));
}
END_TEST

START_TEST(file_is_never_overwritten)
{
    char why[512] = "", name[80];
    struct key *key = key_generate(NULL, 256, why, sizeof why), *old;

    ck_assert_int_eq(key_write_file(key, file(HEX_16, 32, 0600), why, sizeof why), KEY_NOT_MADE);
    ck_assert_ptr_nonnull(strstr(why, "exists"));
    ck_assert_ptr_nonnull(strstr(why, path()));
    old = key_read_file(path(), why, sizeof why);
    assert_counts_up(old, 16, why);
    snprintf(name, sizeof name, "%s/none/key", folder);
    ck_assert_int_eq(key_write_file(key, name, why, sizeof why), KEY_NOT_MADE);
    snprintf(name, sizeof name, "%s/link", folder);
    ck_assert_int_eq(symlink("nowhere", name), 0);
    ck_assert_int_eq(key_write_file(key, name, why, sizeof why), KEY_NOT_MADE);
    ck_assert_int_eq(unlink(name), 0);
    key_free(key);
}
END_TEST

START_TEST(partly_written_file_is_removed)
{
    struct rlimit before, small;
    char why[512] = "";
    struct key *key = key_generate(NULL, 256, why, sizeof why);

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 10;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum key_write_result result = key_write_file(key, path(), why, sizeof why);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(result, KEY_NOT_WRITTEN);
    ck_assert_ptr_nonnull(strstr(why, path()));
    ck_assert_int_eq(access(path(), F_OK), -1);
    key_free(key);
}
END_TEST

START_TEST(full_standard_output_is_told)
{
    char why[512] = "";
    struct key *key = key_generate(NULL, 256, why, sizeof why);
    int fd = open("/dev/full", O_WRONLY);

    ck_assert_int_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    ck_assert_int_eq(key_write_file(key, NULL, why, sizeof why), KEY_NOT_WRITTEN);
    ck_assert_ptr_nonnull(strstr(why, "standard output"));
    key_free(key);
}
END_TEST

START_TEST(fingerprint_is_sha256_of_the_octets)
{
    char why[256], text[KEY_FINGERPRINT_TEXT + 1], wanted[KEY_FINGERPRINT_TEXT + 1];
    uint8_t octets[16], digest[32];
    struct key *key = key_parse(HEX_16, 32, why, sizeof why);

    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)i;
    ck_assert_int_eq(EVP_Digest(octets, sizeof octets, digest, NULL, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(wanted + 2 * i, 3, "%02x", digest[i]);
    ck_assert_int_eq(key_fingerprint(NULL, key, text), 0);
    ck_assert_str_eq(text, wanted);
    key_free(key);
    key_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keys");
    TCase *texts = tcase_create("text"), *files = tcase_create("files");
    SRunner *runner;
    int failed;

    tcase_add_test(texts, text_has_many_forms);
    tcase_add_test(texts, all_hex_is_hex);
    tcase_add_test(texts, base64_has_its_signs);
    tcase_add_test(texts, no_other_character_is_a_digit);
    tcase_add_test(texts, other_text_is_refused);
    tcase_add_test(texts, nul_is_no_digit);
    tcase_add_checked_fixture(texts, make_folder, remove_folder);
    tcase_add_test(files, file_has_comments_and_one_key);
    tcase_add_test(files, file_of_other_text_is_refused);
    tcase_add_test(files, file_is_at_most_4_kib);
    tcase_add_test(files, file_is_not_for_others);
    tcase_add_test(files, link_is_judged_by_its_file);
    tcase_add_test(files, file_that_is_none_is_refused);
    tcase_add_test(files, fifo_is_read_to_its_end);
    tcase_add_test(files, standard_input_is_a_file);
    tcase_add_test(files, made_keys_come_back);
    tcase_add_test(files, other_sizes_are_not_made);
    tcase_add_test(files, file_is_never_overwritten);
    tcase_add_test(files, partly_written_file_is_removed);
    tcase_add_test(files, full_standard_output_is_told);
    tcase_add_test(files, fingerprint_is_sha256_of_the_octets);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    suite_add_tcase(suite, texts);
    suite_add_tcase(suite, files);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
