#include "cli/options_table.h"

#include <openssl/crypto.h>
#include <string.h>
#include <uv.h>

enum { WIDTH = 80, TEXT_COLUMN = 31 };

static const char *const group_titles[] = {
    [GROUP_STREAM] = "What is joined", [GROUP_KEY] = "Key",
    [GROUP_IDENTITY] = "Identity",     [GROUP_PASSWORD] = "Password",
    [GROUP_NETWORK] = "Addresses",     [GROUP_TIME] = "Limits and timers",
    [GROUP_LIBRARY] = "OpenSSL",       [GROUP_GENERAL] = "General",
};

static const char listen_usage[] =
    "usage: usi-tunnel listen [ADDRESS] [options]\n"
    "\n"
    "Waits for a peer that has the same key or password, or an identity that is\n"
    "wanted, and joins it to standard input and output or, with --forward, to another\n"
    "connection.\n"
    "\n"
    "ADDRESS: PORT, HOST:PORT, [IPV6]:PORT or unix:PATH; [::]:12800 if not given,\n"
    "which takes IPv4 too. Port 0 picks a free one.\n";

static const char listen_examples[] =
    "Examples:\n"
    "  usi-tunnel listen --key-file k >copy.tar       receive what connect sends\n"
    "  tar c src | usi-tunnel listen --key-file k     offer a folder to one peer\n"
    "  usi-tunnel listen 7000 --key-file k --forward localhost:22\n"
    "  usi-tunnel listen --key-file old --key-file new --forward unix:/run/db.sock\n"
    "  usi-tunnel listen --password >copy.tar         makes up a password to tell\n"
    "  usi-tunnel listen --identity=me.pem --trust friends --forward localhost:22\n";

static const char connect_usage[] =
    "usage: usi-tunnel connect [ADDRESS | HOST PORT] [options]\n"
    "\n"
    "Connects to a listener that has the same key or password, or an identity that\n"
    "is wanted, and joins it to standard input and output or, with -L, to each\n"
    "connection that comes in there.\n"
    "\n"
    "ADDRESS: HOST, HOST:PORT, PORT (on localhost), an IPv6 address, [IPV6]:PORT or\n"
    "unix:PATH; localhost:12800 if not given.\n";

static const char connect_examples[] =
    "Examples:\n"
    "  usi-tunnel connect host --key-file k <disk.img\n"
    "  usi-tunnel connect host --key-file k --recv-only | tar x\n"
    "  usi-tunnel connect host:7000 --key-file k -L 5432\n"
    "  usi-tunnel connect host --key-file k --check && echo reachable\n"
    "  usi-tunnel connect host --password <disk.img\n"
    "  usi-tunnel connect host --identity <disk.img   compare a fingerprint by phone\n"
    "  ssh -o ProxyCommand='usi-tunnel connect host 7000 --key-file k' host\n";

static const char keygen_usage[] =
    "usage: usi-tunnel keygen [-o FILE] [options]\n"
    "\n"
    "Makes a random key for both sides: one line of hex after a comment line. With\n"
    "--identity it makes the private key of one side, as PEM. A file is readable by\n"
    "its owner only, and an existing one is never overwritten.\n";

static const char keygen_examples[] = "Examples:\n"
                                      "  usi-tunnel keygen -o k\n"
                                      "  usi-tunnel keygen --bits 128 -o k128\n"
                                      "  usi-tunnel keygen --identity -o me.pem\n"
                                      "  usi-tunnel keygen | ssh host 'umask 077; cat >k'\n";

/* Prints text in its column, broken at blanks so that no line is wider than WIDTH; `at` is where
 * the line stands now. */
static void print_wrapped(FILE *stream, size_t at, const char *text)
{
    size_t length;

    for (; *text != '\0'; text += length + strspn(text + length, " ")) {
        length = strcspn(text, " ");
        if (at + 1 + length > WIDTH) {
            fputc('\n', stream);
            at = 0;
        }
        at += (size_t)fprintf(stream, "%*s%.*s", at < TEXT_COLUMN ? (int)(TEXT_COLUMN - at) : 1, "",
                              (int)length, text);
    }
    fputc('\n', stream);
}

static void print_option(FILE *stream, const struct option *option)
{
    bool has_preset = option->preset != NULL && *option->preset != '\0';
    char text[512];
    int at;

    if (option->letter != 0)
        at = fprintf(stream, "  -%c, --%s", option->letter, option->name);
    else
        at = fprintf(stream, "      --%s", option->name);
    if (option->type == OPTION_CHOICE)
        at += fprintf(stream, "[=%s]", option->value);
    else if (option->value != NULL)
        at += fprintf(stream, " %s", option->value);
    if (at >= TEXT_COLUMN)
        at = WIDTH; /* the text begins in the next line */
    snprintf(text, sizeof text, "%s%s%s%s", option->help, has_preset ? " (" : "",
             has_preset ? option->preset : "", has_preset ? ")" : "");
    print_wrapped(stream, (size_t)at, text);
}

void options_print_help(enum options_command command, FILE *stream)
{
    fputs(command == OPTIONS_LISTEN    ? listen_usage
          : command == OPTIONS_CONNECT ? connect_usage
                                       : keygen_usage,
          stream);
    for (int group = 0; group < GROUP_HIDDEN; group++) {
        bool titled = false;
        for (const struct option *option = options_table(); option->name != NULL; option++) {
            if (option->group != (enum option_group)group || (option->commands & command) == 0)
                continue;
            if (!titled)
                fprintf(stream, "\n%s:\n", group_titles[group]);
            titled = true;
            print_option(stream, option);
        }
    }
    fputc('\n', stream);
    fputs(command == OPTIONS_LISTEN    ? listen_examples
          : command == OPTIONS_CONNECT ? connect_examples
                                       : keygen_examples,
          stream);
}

void options_print_overview(FILE *stream)
{
    fputs("usage: usi-tunnel listen [ADDRESS] [options]\n"
          "       usi-tunnel connect [ADDRESS | HOST PORT] [options]\n"
          "       usi-tunnel keygen [-o FILE] [options]\n"
          "       usi-tunnel --help | --version\n"
          "\n"
          "An encrypted pipe or port forward between two machines, whose users share a key\n"
          "or a password, or compare a fingerprint.\n"
          "\n"
          "  keygen    makes a key, once; copy it to the other machine\n"
          "  listen    waits for a peer\n"
          "  connect   connects to a listener\n"
          "\n"
          "Examples:\n"
          "  usi-tunnel keygen -o k                         a key, for both machines\n"
          "  usi-tunnel listen --key-file k >copy           a file from here ...\n"
          "  usi-tunnel connect HOST --key-file k <file     ... to there\n"
          "  usi-tunnel listen --key-file k --forward localhost:5432\n"
          "  usi-tunnel connect HOST --key-file k -L 5432   a database, forwarded\n"
          "  usi-tunnel listen --password >copy             with a password to tell ...\n"
          "  usi-tunnel connect HOST --password <file       ... that is asked for here\n"
          "  usi-tunnel listen --identity >copy             with nothing shared: both sides\n"
          "  usi-tunnel connect HOST --identity <file       show twelve words to compare\n"
          "\n"
          "usi-tunnel listen --help, and the same for the others, lists the options.\n",
          stream);
}

void options_print_version(FILE *stream)
{
    fprintf(stream, "usi-tunnel %s\nlibcrypto %s (%s)\nlibuv %s\n", USI_VERSION,
            OpenSSL_version(OPENSSL_VERSION_STRING), OpenSSL_version(OPENSSL_VERSION),
            uv_version_string());
}
