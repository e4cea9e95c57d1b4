#include "cli/options.h"

#include "cli/file.h"
#include "cli/options_table.h"
#include "cli/say.h"
#include "text/text.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CONFIG_MAX = 65536, WORDS_MAX = 2 };

/* Who gave an option, the weakest first. */
enum origin { NOBODY, FILE_LINE, COMMAND_LINE };

/* The text of a --config file, cut up in place. */
struct options_text {
    struct options_text *next;
    char text[CONFIG_MAX + 1];
};

struct parser {
    struct options *out;
    enum origin origins[OPTIONS_TABLE_MAX]; /* by row of the table */
    enum origin origin;                     /* of what is being read */
    const char *file;                       /* where, for messages; NULL is the command line */
    size_t line;
    struct file_facts facts;
    const char *words[WORDS_MAX];
    size_t word_count;
};

__attribute__((format(printf, 2, 3))) static enum options_result refuse(const struct parser *parser,
                                                                        const char *format, ...)
{
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, text(format), arguments);
    va_end(arguments);
    if (parser->file != NULL)
        say_error("%.200s:%zu: %s", parser->file, parser->line, line);
    else
        say_error("%s", line);
    return OPTIONS_BAD;
}

/* ---- One option ---- */

static const struct option *find_long(const char *name, size_t length)
{
    for (const struct option *option = options_table(); option->name != NULL; option++)
        if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
            return option;
    return NULL;
}

static const struct option *find_short(char letter)
{
    for (const struct option *option = options_table(); option->name != NULL; option++)
        if (option->letter == letter)
            return option;
    return NULL;
}

/* Takes back an option that a file gave and the command line overrules. */
static void take_back(struct parser *parser, size_t row)
{
    options_unset(parser->out, &options_table()[row]);
    parser->origins[row] = NOBODY;
}

/* Settles who wins between the option in this row and what was given before: sets *ignored if that
 * is the earlier one, takes the earlier one back if it is this one. */
static enum options_result settle(struct parser *parser, size_t row, bool *ignored)
{
    const struct option *table = options_table();
    const char *name = table[row].name;

    *ignored = parser->origins[row] > parser->origin;
    if (parser->origins[row] != NOBODY && parser->origins[row] < parser->origin)
        take_back(parser, row);
    for (const struct option_conflict *conflict = options_conflicts(); conflict->one != NULL;
         conflict++) {
        bool is_one = strcmp(name, conflict->one) == 0;
        if ((conflict->commands & parser->out->command) == 0 ||
            (!is_one && strcmp(name, conflict->other) != 0))
            continue;
        const char *other = is_one ? conflict->other : conflict->one;
        size_t other_row = (size_t)(find_long(other, strlen(other)) - table);
        if (parser->origins[other_row] == NOBODY)
            continue;
        if (parser->origins[other_row] > parser->origin)
            *ignored = true;
        else if (parser->origins[other_row] < parser->origin)
            take_back(parser, other_row);
        else
            return refuse(parser, "--%s and --%s exclude each other: give one", other, name);
    }
    return OPTIONS_OK;
}

/* Says whether an option may have this value, or none. */
static enum options_result check_value(const struct parser *parser, const struct option *option,
                                       const char *value)
{
    if (option->value == NULL && value != NULL)
        return refuse(parser, "--%s takes no value", option->name);
    if (option->type == OPTION_CHOICE && value != NULL && *value == '\0')
        return refuse(parser, "--%s= needs a value: --%s=%s", option->name, option->name,
                      text(option->value));
    if (option->value != NULL && option->type != OPTION_CHOICE &&
        (value == NULL || (*value == '\0' && option->type != OPTION_NAME)))
        return refuse(parser, "--%s needs a value: --%s %s", option->name, option->name,
                      text(option->value));
    return OPTIONS_OK;
}

static enum options_result read_config(struct parser *parser, const char *path);

/* Takes an option with its value, or NULL for none. */
static enum options_result take(struct parser *parser, const struct option *option, char *value)
{
    size_t row = (size_t)(option - options_table());
    enum options_result result;
    char why[256];
    bool ignored;

    if (check_value(parser, option, value) != OPTIONS_OK)
        return OPTIONS_BAD;
    if (option->type == OPTION_CONFIG || option->type == OPTION_HELP ||
        option->type == OPTION_VERSION) {
        if (parser->origin == FILE_LINE)
            return refuse(parser, "--%s belongs on the command line, not in a file", option->name);
        if (option->type == OPTION_CONFIG)
            return read_config(parser, value);
        if (option->type == OPTION_HELP)
            options_print_help(parser->out, stdout);
        else
            options_print_version(stdout);
        return OPTIONS_DONE;
    }
    result = settle(parser, row, &ignored);
    if (result != OPTIONS_OK || ignored)
        return result;
    parser->origins[row] = parser->origin;
    if (option->type != OPTION_KEY)
        return options_set(parser->out, option, value, why, sizeof why) < 0
                   ? refuse(parser, "--%s %s", option->name, why)
                   : OPTIONS_OK;
    if (parser->origin == FILE_LINE && parser->facts.exposed)
        return refuse(parser,
                      "others can read or write this file, and it holds a key: chmod 600 it");
    parser->out->key_text = value;
    return OPTIONS_OK;
}

/* Whose option it is. */
static const char *owner_of(const struct option *option)
{
    if (option->words == OPTIONS_CHAT)
        return "chat";
    if (option->words == OPTIONS_SEND)
        return option->commands == OPTIONS_LISTEN ? "send listen" : "send";
    if (option->words == OPTIONS_RECEIVE)
        return "receive";
    if (option->words == (OPTIONS_SEND | OPTIONS_RECEIVE))
        return text("send and receive");
    return option->commands == (OPTIONS_LISTEN | OPTIONS_CONNECT) ? text("listen and connect")
           : option->commands == OPTIONS_LISTEN                   ? "listen"
           : option->commands == OPTIONS_CONNECT                  ? "connect"
                                                                  : "keygen";
}

/* Says whether the option can be given here at all; `shown` is how it was written. */
static enum options_result check_known(const struct parser *parser, const struct option *option,
                                       const char *dashes, const char *shown, int length)
{
    const char *command = options_command_name(parser->out);

    if (option == NULL)
        return refuse(parser, "%s%.*s is not an option of %s (usi-tunnel %s --help lists them)",
                      dashes, length, shown, command, command);
    if (option->type == OPTION_NOT_YET)
        return refuse(parser, "--%s: not yet in this version", option->name);
    if (!options_takes(parser->out, option))
        return refuse(parser, "--%s is an option of %s, not of %s", option->name, owner_of(option),
                      command);
    return OPTIONS_OK;
}

/* ---- Files ---- */

static enum options_result take_line(struct parser *parser, char *line)
{
    static const char blanks[] = " \t\r\v\f";
    size_t length = strlen(line);
    const struct option *option;
    char *name, *value;

    while (length > 0 && strchr(blanks, line[length - 1]) != NULL)
        line[--length] = '\0';
    name = line + strspn(line, blanks);
    if (*name == '\0' || *name == '#')
        return OPTIONS_OK;
    if (*name == '-')
        return refuse(parser, "\"%.80s\": an option in a file has its long name, without dashes",
                      name);
    length = strcspn(name, " \t\r\v\f=");
    value = name + length + strspn(name + length, blanks);
    if (*value == '=')
        value += 1 + strspn(value + 1, blanks);
    else if (*value == '\0')
        value = NULL;
    option = find_long(name, length);
    if (check_known(parser, option, "--", name, length > 80 ? 80 : (int)length) != OPTIONS_OK)
        return OPTIONS_BAD;
    return take(parser, option, value);
}

static enum options_result read_config(struct parser *parser, const char *path)
{
    struct options_text *text = OPENSSL_malloc(sizeof *text);
    enum options_result result = OPTIONS_OK;
    char why[256];

    if (text == NULL)
        return refuse(parser, "out of memory");
    text->next = parser->out->texts;
    parser->out->texts = text;
    if (file_read_text(path, text->text, CONFIG_MAX, &parser->facts, why, sizeof why) < 0)
        return refuse(parser, "--config \"%.200s\" %s", path, why);
    text->text[parser->facts.length] = '\0';
    parser->origin = FILE_LINE;
    parser->file = path;
    parser->line = 1;
    for (char *line = text->text, *next; line != NULL && result == OPTIONS_OK; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        result = take_line(parser, line);
        parser->line++;
    }
    parser->origin = COMMAND_LINE;
    parser->file = NULL;
    return result;
}

/* ---- The options together ---- */

static enum options_result finish_address(struct parser *parser)
{
    struct options *out = parser->out;
    struct address *address = &out->address;
    const char *word = parser->words[0];
    char why[256], any[32];
    int result, family;

    out->has_address = word != NULL;
    if (out->command == OPTIONS_LISTEN) {
        result = address_parse_listen(address, word, why, sizeof why);
        if (result == 0 && out->family == AF_INET &&
            (word == NULL || word[strspn(word, "0123456789")] == '\0')) {
            snprintf(any, sizeof any, "0.0.0.0:%u", (unsigned)address->port);
            result = address_parse_listen(address, any, why, sizeof why);
        }
    } else if (parser->word_count == 2) {
        if (out->local_count > 0)
            return refuse(parser, "HOST PORT as two words is for a plain connect: with --local "
                                  "write HOST:PORT");
        result = address_parse_host_port(address, word, parser->words[1], why, sizeof why);
    } else {
        result = address_parse_connect(address, word, why, sizeof why);
    }
    if (result < 0)
        return refuse(parser, "%s", why);
    family = address->kind == ADDRESS_TCP ? address_family(address->host) : AF_UNSPEC;
    if (family != AF_UNSPEC && out->family != AF_UNSPEC && family != out->family)
        return refuse(parser, "%s is not an %s address, as %s asks", address->text,
                      out->family == AF_INET ? "IPv4" : "IPv6",
                      out->family == AF_INET ? "--ipv4" : "--ipv6");
    if (!out->has_source)
        return OPTIONS_OK;
    if (address->kind == ADDRESS_UNIX)
        return refuse(parser, "--source is for IP addresses, and %s is none", address->text);
    if (family == AF_UNSPEC)
        family = out->family;
    if (family != AF_UNSPEC && family != address_family(out->source))
        return refuse(parser, "--source %s and the address to connect to are not of one family",
                      out->source);
    return OPTIONS_OK;
}

/* A connector's password goes with its identity only where --ask-password says so, whatever comes
 * first; else the two exclude each other, and the command line wins. */
static enum options_result settle_question(struct parser *parser)
{
    static const char *const sources[] = {"password-file", "password-fd"};
    const struct option *table = options_table();
    size_t identity = (size_t)(find_long("identity", 8) - table);

    if (parser->out->command != OPTIONS_CONNECT || parser->out->ask_password)
        return OPTIONS_OK;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        size_t row = (size_t)(find_long(sources[i], strlen(sources[i])) - table);
        enum origin one = parser->origins[identity], other = parser->origins[row];
        if (one == NOBODY || other == NOBODY)
            continue;
        if (one == other)
            return refuse(parser,
                          "--identity and --%s exclude each other: give one, or --ask-password, "
                          "which lets the listener prove the password too",
                          sources[i]);
        take_back(parser, one < other ? identity : row);
    }
    return OPTIONS_OK;
}

static enum options_result finish_credentials(struct parser *parser)
{
    bool given[OPTIONS_TABLE_MAX];
    char why[320];

    if (settle_question(parser) != OPTIONS_OK)
        return OPTIONS_BAD;
    for (size_t i = 0; i < OPTIONS_TABLE_MAX; i++)
        given[i] = parser->origins[i] != NOBODY;
    return options_judge_credentials(parser->out, given, why, sizeof why) < 0
               ? refuse(parser, "%s", why)
               : OPTIONS_OK;
}

/* `send` and `receive`. */
static bool takes_files(const struct options *options)
{
    return options->word == OPTIONS_SEND || options->word == OPTIONS_RECEIVE;
}

/* `send` and `receive` need their address: a file's name must not be taken for one. */
static enum options_result finish_files(struct parser *parser)
{
    const struct options *out = parser->out;
    bool sends = out->word == OPTIONS_SEND;

    if (!takes_files(out) || (parser->word_count > 0 && (!sends || out->file_count > 0)))
        return OPTIONS_OK;
    return refuse(parser, "%s needs %s: usi-tunnel %s %s", options_command_name(out),
                  parser->word_count == 0 ? text("an address")
                                          : text("files or folders after the address"),
                  options_command_name(out), sends ? text("ADDRESS FILE...") : text("ADDRESS"));
}

static enum options_result finish(struct parser *parser)
{
    struct options *out = parser->out;
    enum options_result result = OPTIONS_OK;

    if (out->command == OPTIONS_KEYGEN) {
        if (out->output != NULL && strcmp(out->output, "-") == 0)
            return refuse(parser, "-o needs the name of a file; without -o the key goes to "
                                  "standard output");
        return OPTIONS_OK;
    }
    result = finish_files(parser);
    if (result == OPTIONS_OK)
        result = finish_address(parser);
    if (result == OPTIONS_OK)
        result = finish_credentials(parser);
    if (result == OPTIONS_OK && out->key_text != NULL &&
        parser->origins[find_long("key", 3) - options_table()] == COMMAND_LINE)
        say(out->quiet ? SAY_QUIET : SAY_NORMAL,
            "warning: others on this machine may have seen --key; --key-file is safer");
    return result;
}

/* ---- The command line ---- */

/* Takes the long option argv[*i], and its value from the next word if need be. */
static enum options_result take_long(struct parser *parser, int argc, char **argv, int *i)
{
    char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option *option = find_long(name, length);
    char *value = equals != NULL ? equals + 1 : NULL;

    if (check_known(parser, option, "--", name, length > 80 ? 80 : (int)length) != OPTIONS_OK)
        return OPTIONS_BAD;
    if (option->value != NULL && option->type != OPTION_CHOICE && value == NULL && *i + 1 < argc)
        value = argv[++*i];
    return take(parser, option, value);
}

/* Takes the short options joined in argv[*i]; the rest of the word is the value of the first that
 * has one, or else the next word. */
static enum options_result take_short(struct parser *parser, int argc, char **argv, int *i)
{
    enum options_result result = OPTIONS_OK;
    char *letter = argv[*i] + 1;

    while (*letter != '\0' && result == OPTIONS_OK) {
        const struct option *option = find_short(*letter);
        char *value = NULL;
        if (check_known(parser, option, "-", letter, 1) != OPTIONS_OK)
            return OPTIONS_BAD;
        letter++;
        if (option->value != NULL) {
            if (*letter != '\0')
                value = letter;
            else if (*i + 1 < argc)
                value = argv[++*i];
            letter = letter + strlen(letter);
        }
        result = take(parser, option, value);
    }
    return result;
}

static enum options_result take_words(struct parser *parser, int argc, char **argv)
{
    size_t most = takes_files(parser->out)                  ? 1
                  : parser->out->command == OPTIONS_CONNECT ? 2
                  : parser->out->command == OPTIONS_LISTEN  ? 1
                                                            : 0;
    enum options_result result = OPTIONS_OK;
    bool ended = false;

    for (int i = 1; i < argc && result == OPTIONS_OK; i++) {
        if (ended || argv[i][0] != '-' || argv[i][1] == '\0') {
            if (parser->word_count == most && parser->out->word == OPTIONS_SEND) {
                /* The places of earlier words of the command line hold them. */
                argv[1 + parser->out->file_count++] = argv[i];
                continue;
            }
            if (parser->word_count == most)
                return refuse(parser, "\"%.80s\" is one word too many for %s", argv[i],
                              options_command_name(parser->out));
            parser->words[parser->word_count++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            ended = true;
        } else if (argv[i][1] == '-') {
            result = take_long(parser, argc, argv, &i);
        } else {
            result = take_short(parser, argc, argv, &i);
        }
    }
    parser->out->files = (const char *const *)argv + 1;
    return result == OPTIONS_OK ? finish(parser) : result;
}

enum options_result options_parse(struct options *out, enum options_command command, int argc,
                                  char **argv)
{
    struct parser parser = {.out = out, .origin = COMMAND_LINE};
    char why[256];

    memset(out, 0, sizeof *out);
    out->command = command & OPTIONS_ALL;
    out->word = command == out->command ? OPTIONS_PIPE : command ^ out->command;
    for (const struct option *option = options_table(); option->name != NULL; option++)
        if (option->preset != NULL && options_set(out, option, option->preset, why, sizeof why) < 0)
            return refuse(&parser, "--%s %s", option->name, why);
    return take_words(&parser, argc, argv);
}

void options_free(struct options *options)
{
    while (options->texts != NULL) {
        struct options_text *next = options->texts->next;
        OPENSSL_clear_free(options->texts, sizeof *options->texts);
        options->texts = next;
    }
}
