#include "cli/options_table.h"
#include "cli/sandbox.h"
#include "text/text.h"

#include <openssl/crypto.h>
#include <string.h>
#include <uv.h>
#include <wchar.h>

enum { WIDTH = 80, TEXT_COLUMN = 31 };

static const char *const group_titles[] = {
    [GROUP_STREAM] = TEXT("What is joined"), [GROUP_CHAT] = TEXT("Chat"),
    [GROUP_FILES] = TEXT("Files"),           [GROUP_KEY] = TEXT("Key"),
    [GROUP_IDENTITY] = TEXT("Identity"),     [GROUP_PASSWORD] = TEXT("Password"),
    [GROUP_NETWORK] = TEXT("Addresses"),     [GROUP_TIME] = TEXT("Limits and timers"),
    [GROUP_LIBRARY] = TEXT("OpenSSL"),       [GROUP_GENERAL] = TEXT("General"),
};

static const char listen_usage[] =
    TEXT("usage: usi-tunnel listen [ADDRESS] [options]\n"
         "\n"
         "Waits for a peer that has the same key or password, or an identity that is\n"
         "wanted, and joins it to standard input and output or, with --forward, to another\n"
         "connection.\n"
         "\n"
         "ADDRESS: PORT, HOST:PORT, [IPV6]:PORT or unix:PATH; [::]:12800 if not given,\n"
         "which takes IPv4 too. Port 0 picks a free one.\n");

static const char listen_examples[] =
    TEXT("Examples:\n"
         "  usi-tunnel listen --key-file k >copy.tar       receive what connect sends\n"
         "  tar c src | usi-tunnel listen --key-file k     offer a folder to one peer\n"
         "  usi-tunnel listen 7000 --key-file k --forward localhost:22\n"
         "  usi-tunnel listen --key-file old --key-file new --forward unix:/run/db.sock\n"
         "  usi-tunnel listen --password >copy.tar         makes up a password to tell\n"
         "  usi-tunnel listen --identity=me.pem --trust friends --forward localhost:22\n");

static const char connect_usage[] =
    TEXT("usage: usi-tunnel connect [ADDRESS | HOST PORT] [options]\n"
         "\n"
         "Connects to a listener that has the same key or password, or an identity that\n"
         "is wanted, and joins it to standard input and output or, with -L, to each\n"
         "connection that comes in there.\n"
         "\n"
         "ADDRESS: HOST, HOST:PORT, PORT (on localhost), an IPv6 address, [IPV6]:PORT or\n"
         "unix:PATH; localhost:12800 if not given.\n");

static const char connect_examples[] =
    TEXT("Examples:\n"
         "  usi-tunnel connect host --key-file k <disk.img\n"
         "  usi-tunnel connect host --key-file k --recv-only | tar x\n"
         "  usi-tunnel connect host:7000 --key-file k -L 5432\n"
         "  usi-tunnel connect host --key-file k --check && echo reachable\n"
         "  usi-tunnel connect host --password <disk.img\n"
         "  usi-tunnel connect host --identity <disk.img   compare a fingerprint by phone\n"
         "  ssh -o ProxyCommand='usi-tunnel connect host 7000 --key-file k' host\n");

static const char keygen_usage[] =
    TEXT("usage: usi-tunnel keygen [-o FILE] [options]\n"
         "\n"
         "Makes a random key for both sides: one line of hex after a comment line. With\n"
         "--identity it makes the private key of one side, as PEM. A file is readable by\n"
         "its owner only, and an existing one is never overwritten.\n");

static const char keygen_examples[] = TEXT("Examples:\n"
                                           "  usi-tunnel keygen -o k\n"
                                           "  usi-tunnel keygen --bits 128 -o k128\n"
                                           "  usi-tunnel keygen --identity -o me.pem\n"
                                           "  usi-tunnel keygen | ssh host 'umask 077; cat >k'\n");

static const char send_usage[] =
    TEXT("usage: usi-tunnel send listen ADDRESS FILE... [options]\n"
         "       usi-tunnel send connect ADDRESS FILE... [options]\n"
         "\n"
         "Gives files and folders to whoever runs `usi-tunnel receive` on the other side:\n"
         "one that is connected to or, with listen, every one that comes, at once. Times,\n"
         "modes and holes are kept. What the other side has of a file from before is not\n"
         "sent again. Links and devices in folders are left out, and said.\n"
         "\n"
         "ADDRESS is as in listen and connect, and has to be given.\n");

static const char send_examples[] =
    TEXT("Examples:\n"
         "  usi-tunnel send connect host disk.img photos --key-file k\n"
         "  usi-tunnel send listen 12800 release --key-file k --once\n"
         "  usi-tunnel send listen 12800 report.pdf --password\n");

static const char receive_usage[] =
    TEXT("usage: usi-tunnel receive listen ADDRESS [options]\n"
         "       usi-tunnel receive connect ADDRESS [options]\n"
         "\n"
         "Takes the files and folders that `usi-tunnel send` gives on the other side, after\n"
         "asking on the terminal, or with --yes at once. A file appears under its name when\n"
         "all of it is there and verified; until then it is .NAME.usi-part, from which the\n"
         "next run goes on. Files that are there are never overwritten unasked.\n"
         "\n"
         "ADDRESS is as in listen and connect, and has to be given.\n");

static const char receive_examples[] =
    TEXT("Examples:\n"
         "  usi-tunnel receive listen 12800 -d incoming --key-file k\n"
         "  usi-tunnel receive listen 12800 -d incoming --key-file k --yes -k\n"
         "  usi-tunnel receive connect host --password\n");

static const char chat_usage[] =
    TEXT("usage: usi-tunnel chat listen [ADDRESS] [options]\n"
         "       usi-tunnel chat connect [ADDRESS | HOST PORT] [options]\n"
         "\n"
         "A chat of up to 64 users. One listens and is the host, the others connect to it;\n"
         "each has a channel of its own to the host, who passes on what is said and SEES\n"
         "EVERYTHING: private messages and files too. Nothing is written to disk but the\n"
         "files that somebody accepts.\n"
         "\n"
         "On a terminal there is a line to type in; else lines come from standard input,\n"
         "and what is said goes to standard output. Lines that begin with / or ! are\n"
         "commands, /help lists them; // says one slash.\n"
         "\n"
         "ADDRESS is as in listen and connect: [::]:12800 or localhost:12800 if not given.\n");

static const char chat_examples[] =
    TEXT("Examples:\n"
         "  usi-tunnel chat listen --key-file k            the host\n"
         "  usi-tunnel chat connect host --key-file k -m anna\n"
         "  usi-tunnel chat listen --identity --anyone     everybody shows a key: /who\n"
         "  usi-tunnel chat connect host --identity\n"
         "  date | usi-tunnel chat connect host --key-file k -m clock\n");

/* The columns that at[0..length-1] takes on a terminal. */
static size_t columns(const char *at, size_t length)
{
    size_t count = 0, size;

    for (; length > 0; at += size, length -= size) {
        mbstate_t state = {0};
        wchar_t wide = L' ';
        size = mbrtowc(&wide, at, length, &state); /* NOLINT(concurrency-mt-unsafe): own state */
        int width = size == 0 || size > length ? 1 : wcwidth(wide);
        count += width > 0 ? (size_t)width : 0;
        if (size == 0 || size > length)
            size = 1;
    }
    return count;
}

/* Prints words in their column, broken at blanks so that no line is wider than WIDTH; `at` is where
 * the line stands now. */
static void print_wrapped(FILE *stream, size_t at, const char *words)
{
    size_t length, width;

    for (; *words != '\0'; words += length + strspn(words + length, " ")) {
        length = strcspn(words, " ");
        width = columns(words, length);
        if (at + 1 + width > WIDTH) {
            fputc('\n', stream);
            at = 0;
        }
        at += (size_t)fprintf(stream, "%*s", at < TEXT_COLUMN ? (int)(TEXT_COLUMN - at) : 1, "");
        at += width;
        fprintf(stream, "%.*s", (int)length, words);
    }
    fputc('\n', stream);
}

static void print_option(FILE *stream, const struct option *option)
{
    bool has_preset = option->preset != NULL && *option->preset != '\0';
    const char *value = option->value != NULL ? text(option->value) : "";
    char letter[8], head[128], help[768];
    size_t at;

    (void)snprintf(letter, sizeof letter, option->letter != 0 ? "-%c," : "   ", option->letter);
    (void)snprintf(head, sizeof head,
                   option->type == OPTION_CHOICE ? "  %s --%s[=%s]"
                   : option->value != NULL       ? "  %s --%s %s"
                                                 : "  %s --%s%s",
                   letter, option->name, value);
    fputs(head, stream);
    at = columns(head, strlen(head));
    if (at >= TEXT_COLUMN)
        at = WIDTH; /* the help begins in the next line */
    (void)snprintf(help, sizeof help, has_preset ? "%s (%s)" : "%s%s", text(option->help),
                   has_preset ? option->preset : "");
    print_wrapped(stream, at, help);
}

/* The texts of a subcommand. */
static void find_texts(const struct options *options, const char **usage, const char **examples)
{
    if (options->word == OPTIONS_CHAT) {
        *usage = chat_usage;
        *examples = chat_examples;
    } else if (options->word == OPTIONS_SEND) {
        *usage = send_usage;
        *examples = send_examples;
    } else if (options->word == OPTIONS_RECEIVE) {
        *usage = receive_usage;
        *examples = receive_examples;
    } else if (options->command == OPTIONS_LISTEN) {
        *usage = listen_usage;
        *examples = listen_examples;
    } else if (options->command == OPTIONS_CONNECT) {
        *usage = connect_usage;
        *examples = connect_examples;
    } else {
        *usage = keygen_usage;
        *examples = keygen_examples;
    }
}

void options_print_help(const struct options *options, FILE *stream)
{
    const char *usage, *examples;

    find_texts(options, &usage, &examples);
    fputs(text(usage), stream);
    for (int group = 0; group < GROUP_HIDDEN; group++) {
        bool titled = false;
        for (const struct option *option = options_table(); option->name != NULL; option++) {
            if (option->group != (enum option_group)group || !options_takes(options, option))
                continue;
            if (!titled)
                fprintf(stream, text("\n%s:\n"), text(group_titles[group]));
            titled = true;
            print_option(stream, option);
        }
    }
    fputc('\n', stream);
    fputs(text(examples), stream);
}

static const char *const overview[] = {
    TEXT("usage: usi-tunnel listen [ADDRESS] [options]\n"
         "       usi-tunnel connect [ADDRESS | HOST PORT] [options]\n"
         "       usi-tunnel chat listen | connect [ADDRESS] [options]\n"
         "       usi-tunnel send listen | connect ADDRESS FILE... [options]\n"
         "       usi-tunnel receive listen | connect ADDRESS [options]\n"
         "       usi-tunnel keygen [-o FILE] [options]\n"
         "       usi-tunnel --help | --version\n"),
    TEXT("An encrypted pipe, port forward, chat or file transfer between machines whose\n"
         "users share a key or a password, or compare a fingerprint.\n"),
    TEXT("  keygen    makes a key, once; copy it to the other machine\n"
         "  listen    waits for a peer\n"
         "  connect   connects to a listener\n"
         "  send      gives files and folders, receive takes them\n"
         "  chat      a chat of several users, over one of them\n"),
    TEXT("Examples:\n"
         "  usi-tunnel keygen -o k                         a key, for both machines\n"
         "  usi-tunnel listen --key-file k >copy           a file from here ...\n"
         "  usi-tunnel connect HOST --key-file k <file     ... to there\n"
         "  usi-tunnel listen --key-file k --forward localhost:5432\n"
         "  usi-tunnel connect HOST --key-file k -L 5432   a database, forwarded\n"
         "  usi-tunnel listen --password >copy             with a password to tell ...\n"
         "  usi-tunnel connect HOST --password <file       ... that is asked for here\n"
         "  usi-tunnel listen --identity >copy             with nothing shared: both sides\n"
         "  usi-tunnel connect HOST --identity <file       show twelve words to compare\n"),
    TEXT("usi-tunnel listen --help, and the same for the others, lists the options.\n"),
};

void options_print_overview(FILE *stream)
{
    for (size_t i = 0; i < sizeof overview / sizeof overview[0]; i++)
        fprintf(stream, "%s%s", i > 0 ? "\n" : "", text(overview[i]));
}

void options_print_version(FILE *stream)
{
    fprintf(stream, "usi-tunnel %s\nlibcrypto %s (%s)\nlibuv %s\n", USI_VERSION,
            OpenSSL_version(OPENSSL_VERSION_STRING), OpenSSL_version(OPENSSL_VERSION),
            uv_version_string());
    sandbox_print(stream);
}
