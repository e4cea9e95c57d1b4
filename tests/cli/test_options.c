#include "cli/options.h"

#include <check.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORDS_MAX = 200, LINE_MAX_SIZE = 8192 };

/* Each test runs in a process of its own: what is static here begins afresh. */
static struct options options;
static int messages, output;
static char config[64], more_config[64];

static void prepare(void)
{
    messages = memfd_create("stderr", 0);
    output = memfd_create("stdout", 0);
    ck_assert_int_eq(dup2(messages, STDERR_FILENO), STDERR_FILENO);
    ck_assert_int_eq(dup2(output, STDOUT_FILENO), STDOUT_FILENO);
    ck_assert_int_eq(unsetenv("USI_KEY_FILE"), 0);
    snprintf(config, sizeof config, "/tmp/usi-options-%d", (int)getpid());
    snprintf(more_config, sizeof more_config, "/tmp/usi-options-%d.more", (int)getpid());
}

static void clear_up(void)
{
    options_free(&options);
    (void)remove(config); /* not every test makes them */
    (void)remove(more_config);
}

static const char *content(int fd)
{
    static char text[65536];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);

    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    return text;
}

/* Parses the words of a line that blanks divide; '' is an empty word. */
static enum options_result parse(enum options_command command, const char *line)
{
    static char text[LINE_MAX_SIZE];
    static char subcommand[] = "subcommand";
    static char *words[WORDS_MAX]; /* options point into it */
    char *rest = text;
    int count = 1;

    memset(words, 0, sizeof words);
    words[0] = subcommand;
    ck_assert_uint_lt(strlen(line), sizeof text);
    memcpy(text, line, strlen(line) + 1);
    for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
        ck_assert_int_lt(count, WORDS_MAX - 1);
        words[count++] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
    options_free(&options);
    return options_parse(&options, command, count, words);
}

static void take(enum options_command command, const char *line)
{
    enum options_result result = parse(command, line);

    ck_assert_msg(result == OPTIONS_OK, "%s: %s", line, content(messages));
    ck_assert_int_eq(options.command, command);
    content(messages);
}

/* The line is refused with one line of text that begins with the program's name and holds word. */
static void refuse(enum options_command command, const char *line, const char *word)
{
    enum options_result result = parse(command, line);
    const char *text = content(messages), *newline = strchr(text, '\n');

    ck_assert_msg(result == OPTIONS_BAD, "%s was accepted", line);
    ck_assert_msg(strncmp(text, "usi-tunnel: ", 12) == 0 && newline != NULL && newline[1] == '\0',
                  "%s: %s", line, text);
    ck_assert_msg(strstr(text, word) != NULL, "%s: no \"%s\" in: %s", line, word, text);
}

static void write_config(const char *name, const char *text, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(close(fd), 0);
}

__attribute__((format(printf, 1, 2))) static const char *format(const char *form, ...)
{
    static char texts[2][LINE_MAX_SIZE]; /* a call may need two */
    static int calls;
    char *text = texts[calls++ % 2];
    va_list arguments;

    va_start(arguments, form);
    ck_assert_int_lt(vsnprintf(text, LINE_MAX_SIZE, form, arguments), LINE_MAX_SIZE);
    va_end(arguments);
    return text;
}

START_TEST(presets)
{
    take(OPTIONS_LISTEN, "--key-file k");
    ck_assert_str_eq(options.address.text, "[::]:12800");
    ck_assert_uint_eq(options.key_file_count, 1);
    ck_assert_str_eq(options.key_file[0], "k");
    ck_assert_ptr_null(options.key_text);
    ck_assert_str_eq(options.name, "");
    ck_assert_int_eq(options.family, AF_UNSPEC);
    ck_assert_uint_eq(options.handshake_timeout_ms, 10000);
    ck_assert_uint_eq(options.idle_timeout_ms, 0);
    ck_assert_uint_eq(options.drain_ms, 10000);
    ck_assert_uint_eq(options.rekey_ms, 1200000);
    ck_assert_uint_eq(options.rekey_bytes, (uint64_t)64 << 30);
    ck_assert(!options.keep_open && !options.has_forward && !options.recv_only &&
              !options.send_only && !options.progress && !options.background && !options.quiet &&
              !options.verbose);
    ck_assert_uint_eq(options.provider_count, 0);
    ck_assert_ptr_null(options.provider_path);
    ck_assert_ptr_null(options.propquery);
    take(OPTIONS_CONNECT, "--key-file k");
    ck_assert_str_eq(options.address.text, "localhost:12800");
    ck_assert_uint_eq(options.timeout_ms, 10000);
    ck_assert_uint_eq(options.retry_ms, 0);
    ck_assert(!options.check && !options.has_source && options.local_count == 0);
    take(OPTIONS_KEYGEN, "");
    ck_assert_uint_eq(options.keygen_bits, 256);
    ck_assert_ptr_null(options.output);
}
END_TEST

START_TEST(long_names)
{
    take(OPTIONS_LISTEN,
         "--forward host:22 --keep-open --key-file a --key-file=b --name n --ipv6 "
         "--handshake-timeout 1 --idle-timeout=2 --drain 3 --rekey-seconds 4 --rekey-bytes 64K "
         "--provider p --provider=q --provider-path /p --propquery ?provider=p --background "
         "--verbose 7000");
    ck_assert(options.has_forward && options.keep_open && options.background && options.verbose);
    ck_assert_str_eq(options.forward.text, "host:22");
    ck_assert_uint_eq(options.key_file_count, 2);
    ck_assert_str_eq(options.key_file[1], "b");
    ck_assert_str_eq(options.name, "n");
    ck_assert_int_eq(options.family, AF_INET6);
    ck_assert_uint_eq(options.handshake_timeout_ms, 1000);
    ck_assert_uint_eq(options.idle_timeout_ms, 2000);
    ck_assert_uint_eq(options.drain_ms, 3000);
    ck_assert_uint_eq(options.rekey_ms, 4000);
    ck_assert_uint_eq(options.rekey_bytes, 65536);
    ck_assert_uint_eq(options.provider_count, 2);
    ck_assert_str_eq(options.provider[1], "q");
    ck_assert_str_eq(options.provider_path, "/p");
    ck_assert_str_eq(options.propquery, "?provider=p");
    ck_assert_str_eq(options.address.text, "[::]:7000");
    take(OPTIONS_CONNECT,
         "--key-file k host --source 127.0.0.2 --ipv4 --timeout 5 --retry 6 --recv-only "
         "--progress --quiet");
    ck_assert(options.has_source && options.recv_only && options.progress && options.quiet);
    ck_assert_str_eq(options.source, "127.0.0.2");
    ck_assert_int_eq(options.family, AF_INET);
    ck_assert_uint_eq(options.timeout_ms, 5000);
    ck_assert_uint_eq(options.retry_ms, 6000);
    take(OPTIONS_CONNECT, "--key-file k --send-only host");
    ck_assert(options.send_only);
    take(OPTIONS_CONNECT, "--key-file k --check host");
    ck_assert(options.check);
    take(OPTIONS_KEYGEN, "--bits 128 --output f");
    ck_assert_uint_eq(options.keygen_bits, 128);
    ck_assert_str_eq(options.output, "f");
}
END_TEST

START_TEST(short_names)
{
    take(OPTIONS_LISTEN, "-kv4f --key-file k");
    ck_assert(options.keep_open && options.verbose && options.background);
    ck_assert_int_eq(options.family, AF_INET);
    take(OPTIONS_CONNECT, "-q6s::1 --key-file k -L 1 -L2 -L [::1]:3 --local=4 host");
    ck_assert(options.quiet);
    ck_assert_int_eq(options.family, AF_INET6);
    ck_assert_str_eq(options.source, "::1");
    ck_assert_uint_eq(options.local_count, 4);
    ck_assert_str_eq(options.local[1].text, "localhost:2");
    ck_assert_str_eq(options.local[2].text, "[::1]:3");
    take(OPTIONS_KEYGEN, "-ofile");
    ck_assert_str_eq(options.output, "file");
}
END_TEST

START_TEST(words_and_options_in_any_order)
{
    take(OPTIONS_CONNECT, "host -v 7000 --key-file k");
    ck_assert_str_eq(options.address.text, "host:7000");
    take(OPTIONS_CONNECT, "--key-file k -- ::1 7000");
    ck_assert_str_eq(options.address.text, "[::1]:7000");
    take(OPTIONS_CONNECT, "--key-file k unix:/run/x");
    ck_assert_int_eq(options.address.kind, ADDRESS_UNIX);
    take(OPTIONS_CONNECT, "--timeout 1 --timeout 2 --name a --name b --key-file k");
    ck_assert_uint_eq(options.timeout_ms, 2000);
    ck_assert_str_eq(options.name, "b");
    refuse(OPTIONS_CONNECT, "--key-file k -- -v", "-v");
    refuse(OPTIONS_CONNECT, "--key-file k a 1 2", "\"2\"");
    refuse(OPTIONS_LISTEN, "--key-file k host 1", "\"1\"");
    refuse(OPTIONS_LISTEN, "--key-file k -", "\"-\"");
    refuse(OPTIONS_KEYGEN, "x", "\"x\"");
}
END_TEST

START_TEST(unknown_options_are_refused)
{
    refuse(OPTIONS_LISTEN, "--nothing", "--nothing");
    refuse(OPTIONS_LISTEN, "--nothing=1", "--nothing is");
    refuse(OPTIONS_LISTEN, "--keep", "--keep is");
    refuse(OPTIONS_LISTEN, "--keep-opens", "--keep-opens");
    refuse(OPTIONS_LISTEN, "-x", "-x");
    refuse(OPTIONS_LISTEN, "-kx", "-x");
    refuse(OPTIONS_LISTEN, "--=x", "--help");
    refuse(OPTIONS_LISTEN, "--check", "an option of connect");
    refuse(OPTIONS_LISTEN, "-L 1", "an option of connect");
    refuse(OPTIONS_CONNECT, "-k", "an option of listen");
    refuse(OPTIONS_CONNECT, "--forward host:1", "an option of listen");
    refuse(OPTIONS_KEYGEN, "--key-file k", "listen and connect");
    refuse(OPTIONS_CONNECT, "--bits 128", "an option of keygen");
}
END_TEST

START_TEST(values_where_they_belong)
{
    refuse(OPTIONS_LISTEN, "--key-file", "--key-file needs a value");
    refuse(OPTIONS_LISTEN, "--key-file ''", "needs a value");
    refuse(OPTIONS_LISTEN, "--key-file=", "needs a value");
    refuse(OPTIONS_LISTEN, "--keep-open=yes", "takes no value");
    refuse(OPTIONS_CONNECT, "-L", "--local needs a value");
    refuse(OPTIONS_KEYGEN, "-o ''", "needs a value");
    refuse(OPTIONS_KEYGEN, "-o -", "standard output");
    refuse(OPTIONS_LISTEN, "--key-file k --name", "needs a value");
    take(OPTIONS_LISTEN, "--key-file k --name ''");
    ck_assert_str_eq(options.name, "");
    take(OPTIONS_LISTEN, "--key-file k --name=");
    take(OPTIONS_LISTEN, "--key-file --name");
    ck_assert_str_eq(options.key_file[0], "--name");
}
END_TEST

START_TEST(dev_has_a_value_or_none)
{
    take(OPTIONS_CONNECT, "--key-file k host");
    ck_assert(!options.has_dev);
    take(OPTIONS_CONNECT, "--key-file k --dev host");
    ck_assert(options.has_dev);
    ck_assert_str_eq(options.dev, "steps");
    take(OPTIONS_LISTEN, "--key-file k --dev=secrets");
    ck_assert_str_eq(options.dev, "secrets");
    refuse(OPTIONS_LISTEN, "--key-file k --dev=", "--dev=secrets");
    refuse(OPTIONS_KEYGEN, "--dev", "--dev");
}
END_TEST

START_TEST(send_and_receive)
{
    const enum options_command send = OPTIONS_SEND | OPTIONS_CONNECT,
                               serve = OPTIONS_SEND | OPTIONS_LISTEN,
                               receive = OPTIONS_RECEIVE | OPTIONS_CONNECT,
                               collect = OPTIONS_RECEIVE | OPTIONS_LISTEN;

    ck_assert_int_eq(parse(send, "host -v a --key-file k b --json -- -c"), OPTIONS_OK);
    ck_assert_int_eq(options.command, OPTIONS_CONNECT);
    ck_assert_int_eq(options.word, OPTIONS_SEND);
    ck_assert_str_eq(options.address.host, "host");
    ck_assert_uint_eq(options.file_count, 3);
    ck_assert_str_eq(options.files[0], "a");
    ck_assert_str_eq(options.files[1], "b");
    ck_assert_str_eq(options.files[2], "-c");
    ck_assert(options.json);
    ck_assert_int_eq(parse(serve, "7000 a --once --key-file k"), OPTIONS_OK);
    ck_assert(options.once);
    ck_assert_int_eq(parse(receive, "host --key-file -"), OPTIONS_OK);
    ck_assert_str_eq(options.directory, ".");
    ck_assert_int_eq(parse(collect, "7000 -kd in --yes --overwrite --key-file k"), OPTIONS_OK);
    ck_assert_str_eq(options.directory, "in");
    ck_assert(options.keep_open && options.yes && options.overwrite);
    ck_assert_int_eq(parse(receive, "host --ask-timeout 5 --key-file k"), OPTIONS_OK);
    content(messages);
    refuse(send, "--key-file k", "an address");
    refuse(send, "host --key-file k", "files or folders");
    refuse(receive, "--key-file k", "an address");
    refuse(receive, "host 7000 --key-file k", "too many");
    refuse(receive, "host --key-file k --yes --ask-timeout 5", "nothing is asked");
    refuse(send, "host a --once --key-file k", "an option of send listen");
    refuse(send, "host a --yes --key-file k", "an option of receive");
    refuse(receive, "host --key-file k -k", "an option of listen");
    refuse(OPTIONS_CONNECT, "host --json --key-file k", "an option of send and receive");
    refuse(OPTIONS_LISTEN, "--directory x --key-file k", "an option of receive");
    refuse(serve, "7000 a --forward h:1 --key-file k", "an option of listen");
    refuse(send, "host a --recv-only --key-file k", "an option of listen and connect");
}
END_TEST

START_TEST(rights)
{
    take(OPTIONS_LISTEN, "--key-file k");
    ck_assert(!options.no_sandbox);
    ck_assert_ptr_null(options.user);
    take(OPTIONS_CONNECT, "host --key-file k --no-sandbox --user nobody:nogroup");
    ck_assert(options.no_sandbox);
    ck_assert_str_eq(options.user, "nobody:nogroup");
    refuse(OPTIONS_LISTEN, "--key-file k --no-sandbox=1", "takes no value");
    refuse(OPTIONS_LISTEN, "--key-file k --user", "needs a value");
    refuse(OPTIONS_KEYGEN, "--no-sandbox", "an option of listen and connect");
    refuse(OPTIONS_KEYGEN, "--user nobody", "an option of listen and connect");
}
END_TEST

START_TEST(what_is_to_come_is_not_yet)
{
    static const char *const lines[] = {
        "-R 1",          "--remote 1",          "-L 1:h:2 host",    "-L a:1:h:2 host",
        "-L 1/udp host", "-L unix:/a:h:1 host", "-vR 5000:host:22",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        refuse(OPTIONS_CONNECT, lines[i], "not yet");
}
END_TEST

#define HEX "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

START_TEST(identity)
{
    take(OPTIONS_CONNECT, "--identity host");
    ck_assert(options.has_identity && !options.no_remember && !options.ask_password);
    ck_assert_str_eq(options.identity, "ed25519");
    ck_assert_str_eq(options.address.text, "host:12800");
    ck_assert_uint_eq(options.ask_ms, 120000);
    ck_assert_uint_eq(options.key_file_count, 0);
    take(OPTIONS_CONNECT, "--identity=rsa --no-remember --ask-timeout 2.5 host");
    ck_assert_str_eq(options.identity, "rsa");
    ck_assert(options.no_remember);
    ck_assert_uint_eq(options.ask_ms, 2500);
    take(OPTIONS_LISTEN, "--identity=pkcs11:token=a;object=b=c --accept-rsa --anyone 7000");
    ck_assert_str_eq(options.identity, "pkcs11:token=a;object=b=c");
    ck_assert(options.accept_rsa && options.anyone);
    take(OPTIONS_LISTEN, "--identity --fingerprint " HEX " --fingerprint=sha256:" HEX
                         " --trust a --trust b --ask-timeout 0");
    ck_assert_uint_eq(options.fingerprint_count, 2);
    ck_assert_mem_eq(options.fingerprint[0], options.fingerprint[1], OPTIONS_FINGERPRINT);
    ck_assert_uint_eq(options.fingerprint[0][1], 0x11);
    ck_assert_uint_eq(options.fingerprint[0][31], 0xff);
    ck_assert_uint_eq(options.fingerprint[0][10], 0xaa);
    ck_assert_uint_eq(options.trust_count, 2);
    ck_assert_uint_eq(options.ask_ms, 0);
    take(OPTIONS_KEYGEN, "--identity -o f");
    ck_assert_str_eq(options.identity, "ed25519");
    take(OPTIONS_KEYGEN, "--identity=rsa");
    ck_assert_str_eq(options.identity, "rsa");
    take(OPTIONS_KEYGEN, "");
    ck_assert(!options.has_identity);
}
END_TEST

START_TEST(identity_refused)
{
    refuse(OPTIONS_CONNECT, "--identity= host", "needs a value");
    refuse(OPTIONS_CONNECT, "--identity a b c", "\"c\""); /* a value only behind `=` */
    refuse(OPTIONS_KEYGEN, "--identity=x.pem", "ed25519 or an rsa");
    refuse(OPTIONS_KEYGEN, "--identity --bits 128", "exclude each other");
    refuse(OPTIONS_CONNECT, "--identity --fingerprint x", "64 hex digits");
    refuse(OPTIONS_CONNECT, "--identity --fingerprint " HEX "0", "64 hex digits");
    refuse(OPTIONS_CONNECT, "--identity --fingerprint sha256:sha256:" HEX, "64 hex digits");
    refuse(OPTIONS_CONNECT, "--identity --fingerprint md5:" HEX, "64 hex digits");
    refuse(OPTIONS_CONNECT, "--identity --accept-rsa", "an option of listen");
    refuse(OPTIONS_CONNECT, "--identity --anyone", "an option of listen");
    refuse(OPTIONS_LISTEN, "--identity --ask-password", "an option of connect");
    refuse(OPTIONS_LISTEN, "--identity --anyone --trust f", "exclude each other");
    refuse(OPTIONS_LISTEN, "--identity --anyone --fingerprint " HEX, "exclude each other");
    refuse(OPTIONS_CONNECT, "--identity --ask-timeout x", "--ask-timeout \"x\"");
}
END_TEST

static const char fingerprint[] = "--fingerprint " HEX;

START_TEST(what_goes_with_an_identity)
{
    static const char *const connects[] = {fingerprint, "--trust f", "--no-remember",
                                           "--ask-password", "--ask-timeout 1"};
    static const char *const listens[] = {fingerprint, "--trust f",    "--no-remember",
                                          "--anyone",  "--accept-rsa", "--ask-timeout 1"};

    for (size_t i = 0; i < sizeof connects / sizeof connects[0]; i++) {
        refuse(OPTIONS_CONNECT, format("%s host", connects[i]), "--identity");
        refuse(OPTIONS_CONNECT,
               format("%s --%s host", connects[i],
                      strcmp(connects[i], "--ask-password") == 0 ? "no-remember" : "key-file=k"),
               "--identity");
        take(OPTIONS_CONNECT, format("%s --identity host", connects[i]));
    }
    for (size_t i = 0; i < sizeof listens / sizeof listens[0]; i++) {
        refuse(OPTIONS_LISTEN, listens[i], "--identity");
        refuse(OPTIONS_LISTEN, format("%s --password", listens[i]), "--identity");
        take(OPTIONS_LISTEN, format("%s --identity --password", listens[i]));
    }
    take(OPTIONS_CONNECT, "--ask-timeout 1 --password host");
    refuse(OPTIONS_CONNECT, "--ask-timeout 1 --password-file f host", "nothing is asked");
}
END_TEST

START_TEST(passwords)
{
    take(OPTIONS_CONNECT, "--password host");
    ck_assert(options.password && !options.has_password_fd && options.password_file == NULL);
    take(OPTIONS_CONNECT, "--password-file f host");
    ck_assert_str_eq(options.password_file, "f");
    take(OPTIONS_LISTEN, "--password-fd 3");
    ck_assert(options.has_password_fd);
    ck_assert_int_eq(options.password_fd, 3);
    take(OPTIONS_LISTEN, "--password-fd 0 --recv-only");
    take(OPTIONS_CONNECT, "--password-fd=0 --check host");
    refuse(OPTIONS_CONNECT, "--password-fd 0 host", "standard input");
    refuse(OPTIONS_LISTEN, "--password-fd 0 --key-file - --recv-only", "read once");
    refuse(OPTIONS_CONNECT, "--password-fd 1 host", "descriptor");
    refuse(OPTIONS_CONNECT, "--password-fd 2 host", "descriptor");
    refuse(OPTIONS_CONNECT, "--password-fd x host", "descriptor");
    refuse(OPTIONS_CONNECT, "--password-fd -1 host", "descriptor");
    refuse(OPTIONS_CONNECT, "--password-fd 99999999999 host", "descriptor");
    refuse(OPTIONS_CONNECT, "--password=secret host", "takes no value");
    take(OPTIONS_LISTEN, "--password --password-file f"); /* that one, and none is made up */
    take(OPTIONS_CONNECT, "--password --password-fd 3 host");
    refuse(OPTIONS_LISTEN, "--password-file f --password-fd 3", "exclude each other");
}
END_TEST

START_TEST(ways_to_authenticate)
{
    static const char *const ways[] = {"--key-file k", "--key x",           "--identity",
                                       "--password",   "--password-file f", "--password-fd 3"};
    const size_t count = sizeof ways / sizeof ways[0];

    /* connect takes one; where the password is, is no other one */
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            if (i != k && !(i == 3 && k > 3) && !(k == 3 && i > 3))
                refuse(OPTIONS_CONNECT, format("%s %s host", ways[i], ways[k]), "exclude");
    /* listen takes one of each kind */
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 3; k < count; k++)
            take(OPTIONS_LISTEN, format("%s --identity %s", ways[i], ways[k]));
    /* a connector's question has a password of its own */
    take(OPTIONS_CONNECT, "--identity --ask-password host");
    ck_assert(options.ask_password && !options.password);
    take(OPTIONS_CONNECT, "--identity --password-file f --ask-password host");
    take(OPTIONS_CONNECT, "--password-fd 3 --ask-password --identity host");
    refuse(OPTIONS_CONNECT, "--identity --ask-password --password host", "exclude");
    refuse(OPTIONS_CONNECT, "--identity --password-file f host", "--ask-password");
    /* the environment comes last */
    ck_assert_int_eq(setenv("USI_KEY_FILE", "from-environment", 1), 0);
    for (size_t i = 1; i < count; i++) {
        take(OPTIONS_CONNECT, format("%s host", ways[i]));
        ck_assert_uint_eq(options.key_file_count, 0);
    }
    refuse(OPTIONS_CONNECT, "--trust f host", "--identity");
}
END_TEST

START_TEST(ways_in_files)
{
    write_config(config, "key-file k\nidentity = rsa\nno-remember\n", 0600);
    refuse(OPTIONS_CONNECT, format("--config %s host", config), "exclude");
    take(OPTIONS_LISTEN, format("--config %s", config));
    ck_assert_str_eq(options.identity, "rsa");
    ck_assert_uint_eq(options.key_file_count, 1);
    write_config(config, "identity\n", 0600);
    take(OPTIONS_CONNECT, format("--config %s host", config));
    ck_assert_str_eq(options.identity, "ed25519");
    take(OPTIONS_CONNECT, format("--config %s --key-file k host", config));
    ck_assert(!options.has_identity);
    take(OPTIONS_CONNECT, format("--password-file f --config %s host", config));
    ck_assert(!options.has_identity);
    take(OPTIONS_CONNECT, format("--password-file f --ask-password --config %s host", config));
    ck_assert(options.has_identity);
    write_config(config, "password-file f\n", 0600);
    take(OPTIONS_CONNECT, format("--identity --config %s host", config));
    ck_assert_ptr_null(options.password_file);
    take(OPTIONS_CONNECT, format("--ask-password --identity --config %s host", config));
    ck_assert_str_eq(options.password_file, "f");
    write_config(config, "identity =\n", 0600);
    refuse(OPTIONS_CONNECT, format("--config %s host", config), "needs a value");
    ck_assert_int_eq(setenv("USI_KEY_FILE", "from-environment", 1), 0);
    write_config(config, "password\n", 0600);
    take(OPTIONS_CONNECT, format("--config %s host", config));
    ck_assert_uint_eq(options.key_file_count, 0);
}
END_TEST

START_TEST(seconds)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"0", 0},      {"1", 1000},      {"0.5", 500},
                {".25", 250},  {"3.", 3000},     {"0.0001", 1},
                {"0.0000", 0}, {"1.0009", 1001}, {"31536000", 31536000000},
                {"007", 7000}};
    static const char *const bad[] = {
        "-1",    "+1",           "1e3",      "1s",  "x",   "1,5",  ".",
        "1.2.3", "31536000.001", "31536001", "inf", "nan", "0x10", "99999999999999999999999"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        take(OPTIONS_CONNECT, format("--key-file k --timeout %s", good[i].text));
        ck_assert_uint_eq(options.timeout_ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuse(OPTIONS_CONNECT, format("--timeout %s", bad[i]), format("\"%s\"", bad[i]));
    refuse(OPTIONS_CONNECT, "--rekey-seconds 0", "above 0");
    take(OPTIONS_CONNECT, "--key-file k --rekey-seconds 0.2");
    ck_assert_uint_eq(options.rekey_ms, 200);
}
END_TEST

START_TEST(sizes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"64K", 65536},
                {"65536", 65536},
                {"100000", 100000},
                {"1M", 1 << 20},
                {"1m", 1 << 20},
                {"3G", (uint64_t)3 << 30},
                {"64G", UINT64_C(1) << 36},
                {"68719476736", UINT64_C(1) << 36}};
    static const char *const bad[] = {"0",
                                      "1",
                                      "63K",
                                      "65535",
                                      "65G",
                                      "68719476737",
                                      "-64K",
                                      "64KB",
                                      "64Ki",
                                      "64T",
                                      "K",
                                      "1.5G",
                                      "x",
                                      "64 K",
                                      "18446744073709617152",
                                      "17179869248G",
                                      "1GG",
                                      "+64K"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        take(OPTIONS_LISTEN, format("--key-file k --rekey-bytes %s", good[i].text));
        ck_assert_uint_eq(options.rekey_bytes, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuse(OPTIONS_LISTEN, format("--rekey-bytes=%s", bad[i]), "64K");
}
END_TEST

START_TEST(threads)
{
    static const char *const bad[] = {"0", "65", "-1", "2K", "x", "18446744073709551617"};

    take(OPTIONS_LISTEN, "--key-file k");
    ck_assert_uint_eq(options.threads, 0);
    take(OPTIONS_CONNECT, "--key-file k --threads 64 host");
    ck_assert_uint_eq(options.threads, 64);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuse(OPTIONS_LISTEN, format("--threads=%s", bad[i]), "from 1 to 64");
}
END_TEST

START_TEST(other_values)
{
    char name[OPTIONS_NAME_MAX + 2], line[512];

    refuse(OPTIONS_KEYGEN, "--bits 129", "128, 192 or 256");
    refuse(OPTIONS_KEYGEN, "--bits 0256", "128, 192 or 256");
    take(OPTIONS_KEYGEN, "--bits=192");
    refuse(OPTIONS_CONNECT, "-s host", "numeric address");
    refuse(OPTIONS_CONNECT, "-s 127.0.0.1:5", "numeric address");
    refuse(OPTIONS_CONNECT, "-s [::1]", "numeric address");
    refuse(OPTIONS_LISTEN, "--forward 22", "--forward \"22\"");
    refuse(OPTIONS_LISTEN, "--forward host:0", "host:0");
    refuse(OPTIONS_CONNECT, "-L host:x", "--local \"x\"");
    refuse(OPTIONS_LISTEN, "--key-file k host:x", "\"host:x\"");
    memset(name, 'n', sizeof name);
    name[OPTIONS_NAME_MAX] = '\0';
    snprintf(line, sizeof line, "--key-file k --name %s", name);
    take(OPTIONS_CONNECT, line);
    ck_assert_uint_eq(strlen(options.name), OPTIONS_NAME_MAX);
    name[OPTIONS_NAME_MAX] = 'n';
    name[OPTIONS_NAME_MAX + 1] = '\0';
    snprintf(line, sizeof line, "--key-file k --name %s", name);
    refuse(OPTIONS_CONNECT, line, "255 octets");
    take(OPTIONS_CONNECT, "--key-file k --name Zo\xc3\xab");
    refuse(OPTIONS_CONNECT, "--key-file k --name \xff", "UTF-8");
    refuse(OPTIONS_CONNECT, "--key-file k --name a\x1b[2J", "printable");
}
END_TEST

START_TEST(lists_are_bounded)
{
    char line[LINE_MAX_SIZE] = "--key-file k";

    for (int i = 0; i < OPTIONS_LIST_MAX; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), " -L%d", 1000 + i);
    take(OPTIONS_CONNECT, line);
    ck_assert_uint_eq(options.local_count, OPTIONS_LIST_MAX);
    ck_assert_uint_eq(options.local[OPTIONS_LIST_MAX - 1].port, 1063);
    refuse(OPTIONS_CONNECT, format("%s -L1", line), "64");
    line[0] = '\0';
    for (int i = 0; i <= OPTIONS_LIST_MAX; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), " --key-file=k%d", i);
    refuse(OPTIONS_LISTEN, line, "64");
}
END_TEST

START_TEST(combinations_that_make_no_sense)
{
    static const char *const connects[] = {
        "--check -L 1",
        "-L 1 --check",
        "--check --recv-only",
        "--check --send-only",
        "--check --progress",
        "--check -f",
        "--recv-only --send-only",
        "-L 1 --recv-only",
        "-L 1 --send-only",
        "-L 1 --progress",
        "-4 -6",
        "-q -v",
        "--key x --key-file k",
        "host 7000 -L 1",
        "--key-file k -s ::1 127.0.0.1",
        "--key-file k -4 ::1",
        "--key-file k -6 -s 127.0.0.1",
        "--key-file k -s ::1 unix:/x",
        "--key-file a --key-file b",
        "--key-file -",
        "--key-file - --send-only",
    };
    static const char *const listens[] = {
        "--forward h:1 --recv-only",
        "--forward h:1 --send-only",
        "--forward h:1 --progress",
        "--key-file k --key x",
        "-6 --key-file k 1.2.3.4:5",
        "-4 --key-file k [::]:5",
        "--key-file -",
        "-k --key-file -",
        "--key-file - --send-only",
        "--key-file - --key-file - --recv-only",
    };

    for (size_t i = 0; i < sizeof connects / sizeof connects[0]; i++)
        refuse(OPTIONS_CONNECT, connects[i], "");
    for (size_t i = 0; i < sizeof listens / sizeof listens[0]; i++)
        refuse(OPTIONS_LISTEN, listens[i], "");
    refuse(OPTIONS_CONNECT, "--check --local 1", "--check and --local exclude each other");
}
END_TEST

START_TEST(combinations_that_do)
{
    take(OPTIONS_LISTEN, "--forward h:1 -k --key-file -");
    take(OPTIONS_LISTEN, "--recv-only --key-file - --key-file k");
    take(OPTIONS_CONNECT, "--recv-only --key-file -");
    take(OPTIONS_CONNECT, "--check --key-file -");
    take(OPTIONS_CONNECT, "-L 1 --key-file - host:7000");
    take(OPTIONS_CONNECT, "-s 127.0.0.2 host 80 --key-file k --check");
    take(OPTIONS_CONNECT, "-4 127.0.0.1 --key-file k");
    take(OPTIONS_CONNECT, "-6 ::1 --key-file k");
}
END_TEST

START_TEST(family_of_a_bare_port)
{
    take(OPTIONS_LISTEN, "-4 --key-file k");
    ck_assert_str_eq(options.address.text, "0.0.0.0:12800");
    take(OPTIONS_LISTEN, "-4 0 --key-file k");
    ck_assert_str_eq(options.address.text, "0.0.0.0:0");
    take(OPTIONS_LISTEN, "-6 7000 --key-file k");
    ck_assert_str_eq(options.address.text, "[::]:7000");
    take(OPTIONS_CONNECT, "-4 7000 --key-file k");
    ck_assert_str_eq(options.address.text, "localhost:7000");
}
END_TEST

START_TEST(key_has_one_source)
{
    refuse(OPTIONS_LISTEN, "", "keygen");
    refuse(OPTIONS_CONNECT, "host", "--key-file");
    refuse(OPTIONS_CONNECT, "host", "--password");
    refuse(OPTIONS_CONNECT, "host", "--identity");
    ck_assert_int_eq(setenv("USI_KEY_FILE", "", 1), 0);
    refuse(OPTIONS_LISTEN, "", "keygen");
    ck_assert_int_eq(setenv("USI_KEY_FILE", "from-environment", 1), 0);
    take(OPTIONS_LISTEN, "");
    ck_assert_uint_eq(options.key_file_count, 1);
    ck_assert_str_eq(options.key_file[0], "from-environment");
    take(OPTIONS_LISTEN, "--key-file k");
    ck_assert_uint_eq(options.key_file_count, 1);
    ck_assert_str_eq(options.key_file[0], "k");
    take(OPTIONS_CONNECT, "--key text");
    ck_assert_uint_eq(options.key_file_count, 0);
    ck_assert_str_eq(options.key_text, "text");
    ck_assert_int_eq(setenv("USI_KEY_FILE", "-", 1), 0);
    refuse(OPTIONS_CONNECT, "", "standard input");
    take(OPTIONS_KEYGEN, "");
    ck_assert_uint_eq(options.key_file_count, 0);
}
END_TEST

START_TEST(key_on_the_command_line_is_warned_of)
{
    ck_assert_int_eq(parse(OPTIONS_CONNECT, "--key secret"), OPTIONS_OK);
    const char *text = content(messages);
    ck_assert_ptr_nonnull(strstr(text, "warning: "));
    ck_assert_ptr_nonnull(strstr(text, "--key"));
    ck_assert_ptr_null(strstr(text, "secret"));
    ck_assert_int_eq(parse(OPTIONS_CONNECT, "-q --key secret"), OPTIONS_OK);
    ck_assert_str_eq(content(messages), "");
    ck_assert_int_eq(parse(OPTIONS_CONNECT, "--key-file k"), OPTIONS_OK);
    ck_assert_str_eq(content(messages), "");
}
END_TEST

START_TEST(config_is_read)
{
    write_config(
        config,
        "# a comment\n\n  key-file = a file \nkey-file=b\r\nkey-file\tc\nkeep-open\nname =\n"
        "  # another\npropquery ?provider=x,y=z\ndrain 2.5",
        0644);
    take(OPTIONS_LISTEN, format("--config %s 7000", config));
    ck_assert_uint_eq(options.key_file_count, 3);
    ck_assert_str_eq(options.key_file[0], "a file");
    ck_assert_str_eq(options.key_file[1], "b");
    ck_assert_str_eq(options.key_file[2], "c");
    ck_assert(options.keep_open);
    ck_assert_str_eq(options.name, "");
    ck_assert_str_eq(options.propquery, "?provider=x,y=z");
    ck_assert_uint_eq(options.drain_ms, 2500);
    ck_assert_str_eq(options.address.text, "[::]:7000");
}
END_TEST

START_TEST(command_line_wins_over_config)
{
    write_config(config,
                 "timeout 1\nretry 2\nlocal 1\nlocal 2\nkey-file a\nipv4\nverbose\nname x\n", 0600);
    take(OPTIONS_CONNECT, format("--timeout 9 --config %s -L 5 -6 -q --key t host", config));
    ck_assert_uint_eq(options.timeout_ms, 9000);
    ck_assert_uint_eq(options.retry_ms, 2000);
    ck_assert_uint_eq(options.local_count, 1);
    ck_assert_str_eq(options.local[0].text, "localhost:5");
    ck_assert_int_eq(options.family, AF_INET6);
    ck_assert(options.quiet && !options.verbose);
    ck_assert_uint_eq(options.key_file_count, 0);
    ck_assert_str_eq(options.key_text, "t");
    ck_assert_str_eq(options.name, "x");
    /* wherever the file stands */
    take(OPTIONS_CONNECT, format("host -L 5 -6 -q --key t --timeout 9 --config %s", config));
    ck_assert_uint_eq(options.timeout_ms, 9000);
    ck_assert_uint_eq(options.local_count, 1);
    ck_assert_int_eq(options.family, AF_INET6);
    ck_assert(options.quiet && !options.verbose);
    ck_assert_uint_eq(options.key_file_count, 0);
    /* --check takes -L back, and is not taken back by it */
    take(OPTIONS_CONNECT, format("--check --config %s --key-file k host 80", config));
    ck_assert(options.check && options.local_count == 0);
}
END_TEST

START_TEST(later_config_overrides_an_earlier_one)
{
    write_config(config, "timeout 1\nkey-file a\nname x\n", 0600);
    write_config(more_config, "timeout 2\n", 0600);
    take(OPTIONS_CONNECT, format("--config=%s --config=%s", config, more_config));
    ck_assert_uint_eq(options.timeout_ms, 2000);
    ck_assert_str_eq(options.name, "x");
    write_config(more_config, "key t\n", 0600);
    refuse(OPTIONS_CONNECT, format("--config=%s --config=%s", config, more_config), "exclude");
}
END_TEST

START_TEST(config_lines_are_judged)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"# 1\n# 2\nnothing\n", ":3: --nothing"},
        {"--quiet\n", ":1: \"--quiet\""},
        {"-q\n", ":1: "},
        {"timeout\n", ":1: --timeout needs a value"},
        {"timeout =\n", "needs a value"},
        {"timeout = x\n", ":1: --timeout \"x\""},
        {"quiet yes\n", ":1: --quiet takes no value"},
        {"quiet =\n", "takes no value"},
        {"check\n\nlocal 1\n", ":3: --check and --local"},
        {"keep-open\n", "an option of listen"},
        {"remote 1\n", "not yet"},
        {"config /dev/null\n", ":1: --config belongs on the command line"},
        {"help\n", "command line"},
        {"version\n", "command line"},
        {"= x\n", ":1: "},
        {"rekey-bytes 1K\n", ":1: --rekey-bytes \"1K\""},
        {"local 1:h:2\n", "not yet"},
        {"\x1b[2J\n", "\\x1b[2J"},
        {"\xef\xbb\xbfquiet\n", "byte order mark"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[256];
        write_config(config, cases[i].text, 0600);
        snprintf(line, sizeof line, "--key-file k --config %s", config);
        refuse(OPTIONS_CONNECT, line, cases[i].word);
        refuse(OPTIONS_CONNECT, line, config);
    }
}
END_TEST

START_TEST(config_that_cannot_be_read)
{
    char text[65540];

    refuse(OPTIONS_CONNECT, format("--config %s", config), "No such file");
    refuse(OPTIONS_CONNECT, "--config /tmp", "directory");
    memset(text, '#', sizeof text);
    text[65536] = '\0';
    write_config(config, text, 0600);
    take(OPTIONS_CONNECT, format("--key-file k --config %s", config));
    text[65536] = '#';
    text[65537] = '\0';
    write_config(config, text, 0600);
    refuse(OPTIONS_CONNECT, format("--config %s", config), "longer than 65536");
    int fd = open(config, O_WRONLY | O_TRUNC);
    ck_assert_int_eq(write(fd, "quiet\n\0\n", 8), 8);
    close(fd);
    refuse(OPTIONS_CONNECT, format("--config %s", config), "line 2");
}
END_TEST

START_TEST(config_with_a_key_is_a_key_file)
{
    write_config(config, "key = 0011 \n", 0600);
    ck_assert_int_eq(parse(OPTIONS_CONNECT, format("--config %s", config)), OPTIONS_OK);
    ck_assert_str_eq(options.key_text, "0011");
    ck_assert_str_eq(content(messages), "");
    write_config(config, "key = 0011 \n", 0604);
    refuse(OPTIONS_CONNECT, format("--config %s", config), "chmod");
}
END_TEST

START_TEST(help_lists_what_there_is)
{
    static const enum options_command commands[] = {OPTIONS_LISTEN, OPTIONS_CONNECT,
                                                    OPTIONS_KEYGEN};

    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(parse(commands[i], i == 1 ? "-h" : "-q --help --nothing"), OPTIONS_DONE);
        fflush(stdout);
        const char *text = content(output);
        ck_assert_int_eq(strncmp(text, "usage: usi-tunnel ", 18), 0);
        ck_assert_ptr_nonnull(strstr(text, "Examples:\n"));
        ck_assert_int_eq(strstr(text, "--keep-open") != NULL, commands[i] == OPTIONS_LISTEN);
        ck_assert_int_eq(strstr(text, "--local") != NULL, commands[i] == OPTIONS_CONNECT);
        ck_assert_int_eq(strstr(text, "--bits") != NULL, commands[i] == OPTIONS_KEYGEN);
        ck_assert_ptr_nonnull(strstr(text, "--identity[=KIND]"));
        ck_assert_int_eq(strstr(text, "--password-file FILE") != NULL,
                         commands[i] != OPTIONS_KEYGEN);
        ck_assert_int_eq(strstr(text, "--ask-password") != NULL, commands[i] == OPTIONS_CONNECT);
        ck_assert_ptr_null(strstr(text, "--remote"));
        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
            ck_assert_uint_le(strcspn(line, "\n"), 80);
        ck_assert_str_eq(content(messages), "");
    }
    refuse(OPTIONS_LISTEN, "--nothing --help", "--nothing");
}
END_TEST

START_TEST(overview_and_version)
{
    options_print_overview(stdout);
    fflush(stdout);
    const char *text = content(output);
    ck_assert_ptr_nonnull(strstr(text, "usi-tunnel listen"));
    ck_assert_ptr_nonnull(strstr(text, "usi-tunnel connect"));
    ck_assert_ptr_nonnull(strstr(text, "usi-tunnel keygen"));
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        ck_assert_uint_le(strcspn(line, "\n"), 80);
    ck_assert_int_eq(parse(OPTIONS_LISTEN, "--version"), OPTIONS_DONE);
    fflush(stdout);
    text = content(output);
    ck_assert_int_eq(strncmp(text, "usi-tunnel " USI_VERSION "\n", 12 + strlen(USI_VERSION)), 0);
    ck_assert_ptr_nonnull(strstr(text, "\nlibcrypto "));
    ck_assert_ptr_nonnull(strstr(text, "\nlibuv "));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *tests = tcase_create("command line"), *files = tcase_create("files");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, prepare, clear_up);
    tcase_add_checked_fixture(files, prepare, clear_up);
    tcase_add_test(tests, presets);
    tcase_add_test(tests, long_names);
    tcase_add_test(tests, short_names);
    tcase_add_test(tests, words_and_options_in_any_order);
    tcase_add_test(tests, unknown_options_are_refused);
    tcase_add_test(tests, values_where_they_belong);
    tcase_add_test(tests, dev_has_a_value_or_none);
    tcase_add_test(tests, send_and_receive);
    tcase_add_test(tests, rights);
    tcase_add_test(tests, what_is_to_come_is_not_yet);
    tcase_add_test(tests, identity);
    tcase_add_test(tests, identity_refused);
    tcase_add_test(tests, what_goes_with_an_identity);
    tcase_add_test(tests, passwords);
    tcase_add_test(tests, ways_to_authenticate);
    tcase_add_test(files, ways_in_files);
    tcase_add_test(tests, seconds);
    tcase_add_test(tests, sizes);
    tcase_add_test(tests, threads);
    tcase_add_test(tests, other_values);
    tcase_add_test(tests, lists_are_bounded);
    tcase_add_test(tests, combinations_that_make_no_sense);
    tcase_add_test(tests, combinations_that_do);
    tcase_add_test(tests, family_of_a_bare_port);
    tcase_add_test(tests, key_has_one_source);
    tcase_add_test(tests, key_on_the_command_line_is_warned_of);
    tcase_add_test(tests, help_lists_what_there_is);
    tcase_add_test(tests, overview_and_version);
    tcase_add_test(files, config_is_read);
    tcase_add_test(files, command_line_wins_over_config);
    tcase_add_test(files, later_config_overrides_an_earlier_one);
    tcase_add_test(files, config_lines_are_judged);
    tcase_add_test(files, config_that_cannot_be_read);
    tcase_add_test(files, config_with_a_key_is_a_key_file);
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, files);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
