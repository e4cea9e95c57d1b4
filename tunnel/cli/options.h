/* The options of every subcommand: one table serves the command line, --config FILE and --help. */
#ifndef USI_CLI_OPTIONS_H
#define USI_CLI_OPTIONS_H

#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { OPTIONS_LIST_MAX = 64, OPTIONS_NAME_MAX = 255, OPTIONS_FINGERPRINT = 32 };

/* Which subcommand is parsed: the table says which options each takes. The first two may come with
 * one of the words before them (OPTIONS_CHAT | OPTIONS_LISTEN is `chat listen`); alone they are
 * pipes and forwards. */
enum options_command {
    OPTIONS_LISTEN = 1,
    OPTIONS_CONNECT = 2,
    OPTIONS_KEYGEN = 4,
    OPTIONS_CHAT = 8,
    OPTIONS_SEND = 16,
    OPTIONS_RECEIVE = 32,
    OPTIONS_PIPE = 128 /* no word */
};

struct options_text;

struct options {
    enum options_command command; /* OPTIONS_LISTEN, OPTIONS_CONNECT or OPTIONS_KEYGEN, */
    enum options_command word;    /* and with which word before it */

    struct address address; /* listen's or connect's own; a bare PORT with -4 listens on 0.0.0.0 */
    bool has_address;       /* else it is the default */
    bool has_forward;       /* listen --forward */
    struct address forward;
    size_t local_count; /* connect -L, repeatable */
    struct address local[OPTIONS_LIST_MAX];
    bool has_source; /* connect -s: a numeric address without a port */
    char source[ADDRESS_HOST_MAX + 1];
    int family; /* AF_UNSPEC, AF_INET (-4), AF_INET6 (-6: [::] then takes no IPv4) */

    /* After OPTIONS_OK, connect has exactly one of key files (one), key text, an identity and a
     * password, or an identity and, with --ask-password, a password; listen has one or more, but
     * not both key files and key text. USI_KEY_FILE is a key file where there is nothing. */
    size_t key_file_count;
    const char *key_file[OPTIONS_LIST_MAX];
    char *key_text; /* --key, or NULL: its reader wipes it, so that ps no longer shows it */

    const char *identity; /* with has_identity: "ed25519", also where --identity is alone, "rsa", or
                             (not for keygen) the URI of a kept key */
    size_t fingerprint_count; /* --fingerprint: SHA-256 of peers' keys */
    uint8_t fingerprint[OPTIONS_LIST_MAX][OPTIONS_FINGERPRINT];
    size_t trust_count; /* --trust */
    const char *trust[OPTIONS_LIST_MAX];
    const char *password_file; /* at most one of this, has_password_fd and password is set */
    int password_fd;
    bool has_password_fd;
    bool password; /* --password: connect asks for it, listen makes one up */
    bool has_identity;
    bool ask_password;       /* connect, with an identity */
    bool accept_rsa, anyone; /* listen */
    bool no_remember;

    const char *name;      /* --name, UTF-8 of at most OPTIONS_NAME_MAX octets; "" unless given */
    const char *nickname;  /* chat -m, chat_name_is_fit; or NULL */
    size_t provider_count; /* --provider */
    const char *provider[OPTIONS_LIST_MAX];
    const char *provider_path; /* --provider-path, or NULL */
    const char *propquery;     /* --propquery, or NULL */

    const char *const *files; /* send: FILE..., file_count of them, 1 or more */
    size_t file_count;
    const char *directory; /* receive -d */

    bool keep_open;      /* listen -k */
    bool notifications;  /* chat -n */
    bool yes, overwrite; /* receive */
    bool once;           /* send listen */
    bool json;           /* send and receive */
    bool recv_only, send_only;
    bool check; /* connect --check */
    bool progress;
    bool background; /* -f */
    bool quiet, verbose;
    bool no_sandbox;
    const char *user; /* --user, as it was given; or NULL */
    bool has_dev;
    const char *dev; /* with has_dev: "steps", also where --dev is alone, or "secrets" */

    /* All times are in ms. */
    uint64_t timeout_ms;           /* connect; 0: no limit */
    uint64_t ask_ms;               /* --ask-timeout; 0: no limit */
    uint64_t handshake_timeout_ms; /* 0: no limit */
    uint64_t idle_timeout_ms;      /* 0: no limit */
    uint64_t drain_ms;             /* 0: cut at once */
    uint64_t retry_ms;             /* connect; 0: do not try again */
    uint64_t rekey_ms;             /* 1 or more */
    uint64_t rekey_bytes;          /* 64 KiB to 64 GiB */

    unsigned threads; /* 0: not given */

    unsigned keygen_bits; /* keygen --bits: 128, 192 or 256 */
    const char *output;   /* keygen -o, or NULL */

    struct options_text *texts; /* private: what --config files hold */
};

enum options_result {
    OPTIONS_OK,
    OPTIONS_DONE, /* --help or --version was printed on stdout: exit 0 */
    OPTIONS_BAD   /* what is wrong was printed on stderr: exit 2 */
};

/* Parses argv[1..argc-1] for command (argv[0] is the subcommand's name). Long options abbreviated
 * are refused; `--name=VALUE` and `--name VALUE` both work, and short ones may be joined (`-kv`,
 * `-L5000`); an option that has a value or none (--identity) takes it by `=` only; options and
 * addresses come in any order; `--` ends the options. A later value overrides an earlier one,
 * except in options that are repeatable.
 *
 * A --config FILE is read where it stands: a line is `name`, `name value` or `name = value` with
 * the long name of an option; blank lines and `#` lines are ignored. What the command line says
 * wins over all files, wherever they stand: it replaces lists, and takes away an option of a file
 * that it excludes. A file with a `key` in it that others can read is refused like a key file.
 *
 * Combinations that make no sense, and words of the contract that are not built yet (`not yet`),
 * are OPTIONS_BAD. --key brings a warning. *out need not be set before. Keep it until the program
 * ends: its strings point into argv, into the environment and into memory of its own, which
 * options_free wipes and frees, also after OPTIONS_DONE and OPTIONS_BAD. */
enum options_result options_parse(struct options *out, enum options_command command, int argc,
                                  char **argv);

/* Frees what options_parse allocated. *options may be all zero. */
void options_free(struct options *options);

/* Prints the program's own --help (all subcommands). */
void options_print_overview(FILE *stream);

/* Prints --version: the program's, libcrypto's and libuv's, a line each. */
void options_print_version(FILE *stream);

#endif
