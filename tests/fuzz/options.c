/*
 * The command line and the options file: any words, for every subcommand, with a file that says
 * anything. What is taken keeps the promises of cli/options.h; what is refused is told in one line.
 *
 * An input is: an octet for the subcommand; words with a NUL behind each, the last one empty; the
 * file, which --config names at the place of the word "@", or last where there is none.
 */
#include "cli/options.h"
#include "cli/say.h"
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORDS = 100, LINE = 4096 };

static unsigned said;

/* ---- what says what is wrong: instead of cli/say.c ---- */

__attribute__((format(printf, 1, 0))) static void hear(const char *format, va_list arguments)
{
    char line[LINE];
    int length = vsnprintf(line, sizeof line, format, arguments);

    REQUIRE(length > 0 && (size_t)length < sizeof line);
    said++;
}

void say_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    hear(format, arguments);
    va_end(arguments);
}

void say(enum say_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (level >= SAY_NORMAL)
        hear(format, arguments);
    va_end(arguments);
}

void say_more(enum say_level level, const char *format, ...)
{
    (void)level, (void)format;
}

/* ---- an input ---- */

struct words {
    int count;
    char *word[WORDS + 3];
};

static void add_word(struct words *words, const char *text, size_t length)
{
    char *word = malloc(length + 1); /* each in memory of its own, for the sanitizers */

    REQUIRE(word != NULL);
    memcpy(word, text, length);
    word[length] = '\0';
    words->word[words->count++] = word;
}

static void add_config(struct words *words, int fd)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    add_word(words, "--config", 8);
    add_word(words, path, strlen(path));
}

static int file_of(const uint8_t *octets, size_t size)
{
    int fd = memfd_create("options", 0);

    REQUIRE(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, octets, size) == (ssize_t)size);
    return fd;
}

/* Gives the file, or -1. */
static int take_words(struct words *words, struct fuzz_input *input)
{
    bool placed = false;
    size_t place = 0;
    int fd = -1;

    add_word(words, "usi-tunnel", 10);
    for (;;) {
        const uint8_t *end = input->size > 0 ? memchr(input->data, '\0', input->size) : input->data;
        size_t length = end != NULL ? (size_t)(end - input->data) : input->size, n;
        const char *word = (const char *)fuzz_take_octets(input, length, &n);
        (void)fuzz_take(input);
        if (length == 0 || words->count == WORDS)
            break;
        if (length == 1 && *word == '@' && !placed) {
            placed = true;
            place = (size_t)words->count;
            continue;
        }
        add_word(words, word, length);
    }
    if (input->size == 0)
        return -1;
    fd = file_of(input->data, input->size);
    add_config(words, fd);
    if (placed) { /* the two last words go there */
        char *pair[2] = {words->word[words->count - 2], words->word[words->count - 1]};
        memmove(words->word + place + 2, words->word + place,
                ((size_t)words->count - 2 - place) * sizeof words->word[0]);
        memcpy(words->word + place, pair, sizeof pair);
    }
    return fd;
}

static void check_text(const char *text, bool may_be_empty)
{
    REQUIRE(text == NULL || may_be_empty || strlen(text) > 0);
}

static void check_credentials(const struct options *o)
{
    /* --password beside one of the others changes nothing. */
    unsigned sources = (o->password_file != NULL) + (unsigned)o->has_password_fd;
    unsigned passwords = sources > 0 ? sources : o->password;
    unsigned ways = (o->key_file_count > 0) + (unsigned)(o->key_text != NULL) + o->has_identity +
                    (passwords > 0);

    REQUIRE(passwords <= 1 && ways >= 1);
    REQUIRE(o->key_file_count == 0 || o->key_text == NULL);
    if (o->command == OPTIONS_CONNECT) {
        REQUIRE(ways == 1 || (ways == 2 && o->has_identity && o->ask_password && passwords == 1));
        REQUIRE(o->key_file_count <= 1);
    }
}

static void check(const struct options *o)
{
    REQUIRE(o->local_count <= OPTIONS_LIST_MAX && o->key_file_count <= OPTIONS_LIST_MAX);
    REQUIRE(o->trust_count <= OPTIONS_LIST_MAX && o->fingerprint_count <= OPTIONS_LIST_MAX);
    REQUIRE(o->provider_count <= OPTIONS_LIST_MAX);
    for (size_t i = 0; i < o->key_file_count; i++)
        check_text(o->key_file[i], false);
    for (size_t i = 0; i < o->trust_count; i++)
        check_text(o->trust[i], false);
    check_text(o->key_text, false);
    check_text(o->identity, false);
    check_text(o->password_file, false);
    REQUIRE(o->identity != NULL || !o->has_identity);
    if (o->command == OPTIONS_KEYGEN)
        return;
    REQUIRE(o->name != NULL && strlen(o->name) <= OPTIONS_NAME_MAX);
    REQUIRE(o->rekey_ms >= 1 && o->rekey_bytes >= 65536 && o->rekey_bytes <= UINT64_C(1) << 36);
    REQUIRE(strlen(o->address.text) > 0);
    for (size_t i = 0; i < o->file_count; i++)
        check_text(o->files[i], true);
    check_credentials(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum options_command commands[] = {OPTIONS_LISTEN,
                                                    OPTIONS_CONNECT,
                                                    OPTIONS_KEYGEN,
                                                    OPTIONS_CHAT | OPTIONS_LISTEN,
                                                    OPTIONS_CHAT | OPTIONS_CONNECT,
                                                    OPTIONS_SEND | OPTIONS_LISTEN,
                                                    OPTIONS_SEND | OPTIONS_CONNECT,
                                                    OPTIONS_RECEIVE | OPTIONS_LISTEN,
                                                    OPTIONS_RECEIVE | OPTIONS_CONNECT};
    static struct options options;
    struct fuzz_input input = {data, size};
    enum options_command command = commands[fuzz_take(&input) % 9];
    struct words words = {0};
    char *kept[WORDS + 3];
    FILE *out = stdout, *nowhere = fopen("/dev/null", "w");

    REQUIRE(unsetenv("USI_KEY_FILE") == 0 && nowhere != NULL);
    int fd = take_words(&words, &input);
    memcpy(kept, words.word, sizeof kept); /* the parser may put others in their places */
    said = 0;
    stdout = nowhere;
    enum options_result result = options_parse(&options, command, words.count, words.word);
    stdout = out;
    if (result == OPTIONS_OK)
        check(&options);
    REQUIRE(result != OPTIONS_BAD || said == 1);
    options_free(&options);
    for (int i = 0; i < words.count; i++)
        free(kept[i]);
    if (fd >= 0)
        REQUIRE(close(fd) == 0);
    REQUIRE(fclose(nowhere) == 0);
    return 0;
}

#define KEEP(name, text) keep(name, text, sizeof(text) - 1)

static void seeds(fuzz_keep *keep)
{
    KEEP("listen", "\0--key-file\0key\0-k\0-4\0"
                   "12800\0\0");
    KEEP("forward", "\0--key-file=key\0--forward\0localhost:22\0--threads\0"
                    "4\0--rekey-bytes\0"
                    "1M\0\0");
    KEEP("connect", "\1there\0"
                    "443\0--key\0"
                    "000102030405060708090a0b0c0d0e0f\0--timeout\0"
                    "10\0-v\0\0");
    KEEP("locals", "\1there\0-L5000\0-L[::1]:5001\0--identity=id\0--fingerprint\0"
                   "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f\0\0");
    KEEP("keygen", "\2--bits\0"
                   "192\0-o\0key\0\0");
    KEEP("chat", "\3--password\0-m\0anna\0-n\0\0");
    KEEP("send", "\6there\0--password-fd\0"
                 "0\0--json\0--\0a\0-b\0\0");
    KEEP("receive", "\7"
                    "12800\0-d\0folder\0--identity\0--anyone\0--yes\0\0");
    KEEP("file",
         "\0@\0-k\0\0# options\nkey-file = key\nforward localhost:22\n\nname = caf\xc3\xa9\n"
         "rekey-time 60\nidle-timeout=30\n");
    KEEP("file-loses",
         "\1there\0--key-file\0other\0@\0\0identity\nask-password\npassword-file x\n");
    KEEP("file-key", "\1there\0\0key 000102030405060708090a0b0c0d0e0f\r\n");
    KEEP("file-wrong", "\0\0key-file\n--quiet\n");
    KEEP("help", "\1--help\0\0");
}

const struct fuzz_target fuzz_target = {.seeds = seeds};
