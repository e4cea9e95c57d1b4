/* What the parser of options and their --help share: the table. For cli/options*.c only. */
#ifndef USI_CLI_OPTIONS_TABLE_H
#define USI_CLI_OPTIONS_TABLE_H

#include "cli/options.h"

enum { OPTIONS_ALL = OPTIONS_LISTEN | OPTIONS_CONNECT | OPTIONS_KEYGEN, OPTIONS_TABLE_MAX = 64 };

/* What an option's value is, and what its offset in struct options is the place of. */
enum option_type {
    OPTION_FLAG,     /* no value; bool */
    OPTION_IPV4,     /* no value; int, the family */
    OPTION_IPV6,     /* no value; int, the family */
    OPTION_TEXT,     /* not empty; const char * */
    OPTION_CHOICE,   /* the same, and may be given without, for `otherwise` */
    OPTION_NAME,     /* UTF-8, may be empty; const char * */
    OPTION_NICKNAME, /* what somebody in a chat may be called; const char * */
    OPTION_LIST,     /* not empty, repeatable; const char *[OPTIONS_LIST_MAX], count at `count` */
    OPTION_SOURCE,   /* a numeric address */
    OPTION_TARGET,   /* an address to forward to */
    OPTION_LOCAL,    /* an address to listen on for -L, repeatable */
    OPTION_SECONDS,  /* a decimal number; uint64_t in ms, from `lowest` on */
    OPTION_SIZE,     /* a number with K, M or G; uint64_t from `lowest` to `highest` */
    OPTION_COUNT,    /* a decimal number from `lowest` to `highest`; unsigned */
    OPTION_BITS,     /* 128, 192 or 256; unsigned */
    OPTION_FINGERPRINT, /* SHA-256 in hex, repeatable */
    OPTION_DESCRIPTOR,  /* the number of a file descriptor */
    OPTION_KEY,         /* not empty, secret; char * */
    OPTION_CONFIG,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_NOT_YET /* kept for what is to come */
};

enum option_group {
    GROUP_STREAM,
    GROUP_CHAT,
    GROUP_FILES,
    GROUP_KEY,
    GROUP_IDENTITY,
    GROUP_PASSWORD,
    GROUP_NETWORK,
    GROUP_TIME,
    GROUP_LIBRARY,
    GROUP_GENERAL,
    GROUP_HIDDEN
};

struct option {
    const char *name; /* long, without its dashes */
    char letter;      /* short, or 0 */
    enum option_type type;
    enum option_group group;
    unsigned commands; /* the OPTIONS_* that take it, */
    unsigned words;    /* and with which words before them; 0: with any or none */
    size_t offset, count;
    uint64_t lowest, highest;
    const char *value;     /* what --help calls its value; NULL: it takes none */
    const char *preset;    /* its value where it is not given, as text; NULL is all zero */
    const char *otherwise; /* OPTION_CHOICE: its value where it is given without */
    const char *help;
};

/* Two options that exclude each other, in some subcommands. */
struct option_conflict {
    const char *one, *other;
    unsigned commands;
};

/* The table ends with a NULL name, and has at most OPTIONS_TABLE_MAX rows; so do the conflicts. */
const struct option *options_table(void);
const struct option_conflict *options_conflicts(void);

/* The name of a subcommand, with the word before it. */
const char *options_command_name(const struct options *options);

/* Does the subcommand that is parsed take it? */
bool options_takes(const struct options *options, const struct option *option);

/* Gives an option of struct options its value (NULL if it has none), which must stay: a list grows
 * by it. Not for OPTION_KEY and the types after it. Returns 0, or -1 with the value and what is
 * wrong in why. */
int options_set(struct options *out, const struct option *option, const char *value, char *why,
                size_t size);

/* Takes an option without a preset back, as if it had not been given. */
void options_unset(struct options *out, const struct option *option);

/* Judges how the run authenticates, and takes USI_KEY_FILE where nothing says it. given[] says of
 * each row of the table whether anybody gave it. Returns 0, or -1 with a line in why. */
int options_judge_credentials(struct options *out, const bool given[OPTIONS_TABLE_MAX], char *why,
                              size_t size);

/* Prints the --help of the subcommand that is parsed. */
void options_print_help(const struct options *options, FILE *stream);

#endif
