#include "cli/credentials.h"

#include "cli/identity_file.h"
#include "cli/judge_peers.h"
#include "cli/keys.h"
#include "cli/password.h"
#include "cli/peers.h"
#include "cli/status.h"
#include "cli/terminal.h"
#include "net/stretch.h"
#include "text/text.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a listener allows: a password that was given comes under attack by guessing as long as it
 * is used; a made-up one is short, and good for one peer. */
enum { TRIES = 3, TRIES_REFILL_MS = 5000 };

static int no_memory(void)
{
    say_error("out of memory");
    return STATUS_INTERNAL;
}

/* ---- keys and passwords that are read ---- */

/* Adds a key, or none with a line in why already. 0, or an exit status with a line in why. */
static int add_key(const struct credentials *c, struct usi_keyring *ring, struct key *key,
                   char *why, size_t size)
{
    char fingerprint[KEY_FINGERPRINT_TEXT + 1];
    const char *name = c->options->name;

    if (key == NULL)
        return status_refused();
    int result = usi_keyring_add(ring, name, strlen(name), key->octets, key->size);
    if (key_fingerprint(c->libctx, key, fingerprint) == 0)
        say_more(c->level, "key fingerprint: sha256:%s", fingerprint);
    key_free(key);
    if (result == 0)
        return 0;
    (void)snprintf(why, size, text("a key cannot be used: %s"), text(usi_error_text(result)));
    return STATUS_INTERNAL;
}

static int read_key_files(const struct credentials *c, struct usi_keyring *ring, char *why,
                          size_t size)
{
    const struct options *o = c->options;
    int status = 0;

    for (size_t i = 0; status == 0 && i < o->key_file_count; i++) {
        errno = 0;
        status = add_key(c, ring, key_read_file(o->key_file[i], why, size), why, size);
    }
    return status;
}

static int read_keys(struct credentials *c)
{
    struct options *o = c->options;
    char why[1024] = "";
    int status = 0;

    if (o->key_text != NULL) {
        size_t size = strlen(o->key_text);
        errno = 0;
        struct key *key = key_parse(o->key_text, size, why, sizeof why);
        memset(o->key_text, 'x', size); /* so that ps shows it no longer */
        status = add_key(c, c->net->ring, key, why, sizeof why);
    }
    if (status == 0)
        status = read_key_files(c, c->net->ring, why, sizeof why);
    if (status != 0)
        say_error("%s", why);
    return status;
}

static int read_password(struct credentials *c)
{
    const struct options *o = c->options;
    char why[512];
    int status;

    errno = 0;
    if (o->password_file != NULL)
        c->password = password_read_file(o->password_file, why, sizeof why);
    else if (o->has_password_fd)
        c->password = password_read_fd(o->password_fd, why, sizeof why);
    else
        return 0;
    if (c->password != NULL)
        return 0;
    status = status_refused();
    say_error("%s", why);
    return status;
}

int credentials_read(struct credentials *c, struct options *options, enum say_level level,
                     OSSL_LIB_CTX *libctx, struct net *net)
{
    int status;

    c->options = options;
    c->level = level;
    c->libctx = libctx;
    c->net = net;
    status = read_keys(c);
    return status == 0 ? read_password(c) : status;
}

/* ---- questions at the start ---- */

/* Asks for a secret line: its length, or -1 with c->unanswered. */
static int ask_secret(struct credentials *c, const char *prompt, char *line, size_t size)
{
    enum terminal_result result = TERMINAL_GONE;

    if (c->terminal != NULL)
        result = terminal_wait(c->terminal, prompt, false, c->options->ask_ms, line, size);
    if (result == TERMINAL_ANSWER)
        return (int)strlen(line);
    c->interrupted = result == TERMINAL_INTERRUPTED;
    (void)snprintf(c->unanswered, sizeof c->unanswered, "%s",
                   c->terminal == NULL          ? c->no_terminal
                   : result == TERMINAL_TIMEOUT ? text("no answer in time (--ask-timeout)")
                   : result == TERMINAL_GONE ? text("the terminal is gone, or its input has ended")
                                             : text("interrupted"));
    return -1;
}

/* For OpenSSL: a PEM file's passphrase, or a token's PIN. */
static int ask_passphrase(char *buffer, int size, int writes, void *data)
{
    struct credentials *c = data;
    char prompt[IDENTITY_NAME + 32], name[IDENTITY_NAME];
    int length;

    (void)writes;
    if (size <= 0 || c->unanswered[0] != '\0') /* once is enough */
        return -1;
    identity_name(c->options->identity, name);
    (void)snprintf(prompt, sizeof prompt, text("Passphrase of %s: "), name);
    length = ask_secret(c, prompt, buffer, (size_t)size);
    if (length < 0)
        OPENSSL_cleanse(buffer, (size_t)size);
    return length;
}

static void open_terminal(struct credentials *c)
{
    const struct options *o = c->options;
    bool asks = o->has_identity || (o->password && o->command == OPTIONS_CONNECT) ||
                (o->word == OPTIONS_RECEIVE && !o->yes);

    if (asks)
        c->terminal = terminal_open(c->net->loop, c->no_terminal, sizeof c->no_terminal);
}

/* ---- identity ---- */

static int make_identity(struct credentials *c)
{
    const char *which = c->options->identity;
    char why[640] = "", hex[PEERS_HEX + 1];
    uint8_t fingerprint[USI_FINGERPRINT];
    bool rsa = strcmp(which, "rsa") == 0;
    const struct identity_source source = {.libctx = c->libctx,
                                           .propq = c->options->propquery,
                                           .uri = which,
                                           .ask = ask_passphrase,
                                           .ask_data = c};

    errno = 0;
    if (rsa || strcmp(which, "ed25519") == 0) {
        int result = usi_identity_new(&c->identity, c->net->crypto,
                                      rsa ? USI_IDENTITY_RSA : USI_IDENTITY_ED25519);
        if (result != 0) {
            say_error("no fresh key: %s", text(usi_error_text(result)));
            return result == USI_ERR_ALGORITHM ? STATUS_USAGE : STATUS_INTERNAL;
        }
    } else if (identity_load(&c->identity, c->net->crypto, &source, why, sizeof why) != 0) {
        int status = status_refused();
        if (!c->interrupted)
            say_error(c->unanswered[0] != '\0' ? "%s: %s" : "%s", why, c->unanswered);
        return status;
    }
    usi_keyring_set_identity(c->net->ring, c->identity, c->options->accept_rsa);
    usi_identity_fingerprint(c->identity, fingerprint);
    peers_hex(fingerprint, hex);
    if (c->options->command == OPTIONS_LISTEN)
        say(c->level, "identity fingerprint: sha256:%s", hex);
    else
        say_more(c->level, "identity fingerprint: sha256:%s", hex);
    return 0;
}

/* ---- who decides ---- */

/* What --fingerprint and --trust name: 0 with a list, or NULL where neither is given; or an exit
 * status with a line in why. */
static int name_peers(const struct options *o, struct peers_list **named, char *why, size_t size)
{
    struct peers_list *list = NULL;
    int status = 0;

    *named = NULL;
    if (o->fingerprint_count == 0 && o->trust_count == 0)
        return 0;
    list = peers_list_new();
    bool room = list != NULL;
    for (size_t i = 0; room && i < o->fingerprint_count; i++)
        room = peers_list_add(list, o->fingerprint[i]) == 0;
    if (!room) {
        (void)snprintf(why, size, text("out of memory"));
        status = STATUS_INTERNAL;
    }
    for (size_t i = 0; status == 0 && i < o->trust_count; i++) {
        errno = 0;
        if (peers_list_read(list, o->trust[i], why, size) < 0)
            status = status_refused();
    }
    if (status == 0)
        *named = list;
    else
        peers_list_free(list);
    return status;
}

static void on_accepted(void *owner)
{
    struct credentials *c = owner;

    if (c->accepted != NULL)
        c->accepted(c->owner);
}

static int make_judge(struct credentials *c)
{
    const struct options *o = c->options;
    bool carries = o->word == OPTIONS_PIPE && !o->has_forward && o->local_count == 0 && !o->check &&
                   !o->recv_only;
    char why[640];
    int status = name_peers(o, &c->named, why, sizeof why);

    if (status != 0) {
        say_error("%s", why);
        return status;
    }
    c->known = peers_known_new();
    if (c->known == NULL)
        return no_memory();
    const struct judge_peers_options options = {
        .level = c->level,
        .named = c->named,
        .anyone = o->anyone,
        .known = c->known,
        .remember = !o->no_remember,
        .terminal = c->terminal,
        .no_terminal = c->no_terminal,
        .ask_ms = o->ask_ms,
        .place = {.address = o->command == OPTIONS_CONNECT ? o->address.text : NULL},
        .one_use = carries && isatty(STDIN_FILENO),
        .accepted = on_accepted,
        .owner = c,
    };
    c->judge = judge_peers_new(&options);
    if (c->judge == NULL)
        return no_memory();
    c->net->judge = judge_peers_judge(c->judge);
    if (o->command == OPTIONS_LISTEN && c->named == NULL && !o->anyone &&
        (c->terminal == NULL || o->background))
        say(c->level, "warning: nobody can be asked about peers: only remembered ones get in; "
                      "--trust, --fingerprint or --anyone say who else");
    return 0;
}

/* ---- passwords ---- */

/* Three failures in a row: perhaps it was mistyped. */
static void take_new_password(void *owner, enum terminal_result result, const char *line)
{
    struct credentials *c = owner;
    struct password *password = NULL;
    char why[240];

    if (result == TERMINAL_ANSWER) {
        password = password_of_text(line, why, sizeof why);
        if (password == NULL)
            say_error("%s", why);
    }
    if (password == NULL || stretch_replace(c->stretch, password->text, password->size) != 0) {
        say_error("no password is shown any more: start again with the right one");
        stretch_give_up(c->stretch);
    }
    password_free(password);
}

static void ask_new_password(void *owner)
{
    struct credentials *c = owner;

    if (c->terminal == NULL || terminal_busy(c->terminal))
        stretch_give_up(c->stretch);
    else
        terminal_ask(c->terminal, text("Three tries of the password have failed. Password: "),
                     false, c->options->ask_ms, take_new_password, c);
}

static int ask_password(struct credentials *c)
{
    char *line = OPENSSL_secure_malloc(TERMINAL_LINE);
    char why[320];

    if (line == NULL)
        return no_memory();
    if (ask_secret(c, text("Password: "), line, TERMINAL_LINE) < 0)
        (void)snprintf(why, sizeof why, text("no password: %s"), c->unanswered);
    else
        c->password = password_of_text(line, why, sizeof why);
    OPENSSL_secure_clear_free(line, TERMINAL_LINE);
    if (c->password != NULL)
        return 0;
    if (!c->interrupted)
        say_error(c->terminal == NULL ? TEXT("%s; --password-file and --password-fd need none")
                                      : "%s",
                  why);
    return STATUS_USAGE;
}

static int connect_with_password(struct credentials *c)
{
    bool typed = c->password == NULL;
    int status = typed ? ask_password(c) : 0;

    if (status != 0)
        return status;
    c->stretch = stretch_new(c->net->loop, c->net->crypto, c->password->text, c->password->size);
    if (c->stretch == NULL)
        return no_memory();
    if (typed)
        stretch_set_ask(c->stretch, ask_new_password, c);
    c->net->stretch = c->stretch;
    return 0;
}

static int listen_with_password(struct credentials *c)
{
    const struct usi_tries made_up = {.burst = TRIES, .once = true};
    const struct usi_tries given = {.burst = TRIES, .refill_ms = TRIES_REFILL_MS};
    bool code = c->password == NULL;
    uint8_t salt[USI_SALT], stretched[USI_STRETCHED];
    char why[240];
    int result = USI_ERR_INTERNAL;

    if (code)
        c->password = password_make(c->libctx, why, sizeof why);
    if (c->password == NULL) {
        say_error("%s", why);
        return STATUS_INTERNAL;
    }
    if (RAND_bytes_ex(c->libctx, salt, sizeof salt, 0) == 1)
        result = usi_password_stretch(c->net->crypto, c->password->text, c->password->size, salt,
                                      stretched);
    if (result == 0)
        result = usi_keyring_set_password(c->net->ring, salt, stretched, code ? &made_up : &given);
    OPENSSL_cleanse(stretched, sizeof stretched);
    if (result != 0) {
        say_error("the password cannot be used: %s", text(usi_error_text(result)));
        return STATUS_INTERNAL;
    }
    if (code)
        say_error("password: %s", c->password->text);
    if (code &&
        (c->options->has_forward || c->options->keep_open || c->options->word == OPTIONS_CHAT))
        say(c->level, "warning: this password is good for one channel; --password-file gives one "
                      "that stays");
    return 0;
}

static int make_password(struct credentials *c)
{
    const struct options *o = c->options;
    int status = 0;

    if (o->command == OPTIONS_LISTEN && (o->password || c->password != NULL))
        status = listen_with_password(c);
    else if (o->command == OPTIONS_CONNECT &&
             (o->password || o->ask_password || c->password != NULL))
        status = connect_with_password(c);
    password_free(c->password); /* from here on it is needed in its stretched form only */
    c->password = NULL;
    return status;
}

/* ---- life ---- */

int credentials_make(struct credentials *c)
{
    const struct options *o = c->options;
    struct net *net = c->net;
    int status = 0;

    net->settings.mode = o->has_identity ? USI_MODE_IDENTITY : USI_MODE_KEY;
    net->ask_ms = o->ask_ms;
    net->ask_password = o->ask_password;
    if (usi_keyring_set_name(net->ring, o->name, strlen(o->name)) != 0)
        return no_memory();
    open_terminal(c);
    if (o->has_identity)
        status = make_identity(c);
    if (status == 0 && o->has_identity)
        status = make_judge(c);
    if (status == 0)
        status = make_password(c);
    if (!o->has_identity && net->stretch != NULL)
        net->settings.mode = USI_MODE_PASSWORD;
    return status;
}

/* What was a pipe or standard input has been read to its end, and might block now. */
static bool is_readable_again(const char *path, char *why, size_t size)
{
    struct stat found;

    if (strcmp(path, "-") != 0 && (stat(path, &found) != 0 || S_ISREG(found.st_mode)))
        return true; /* what is missing is said by who reads it */
    (void)snprintf(why, size, text("\"%.200s\" is no regular file: it cannot be read again"), path);
    return false;
}

int credentials_reload(struct credentials *c, char *why, size_t size)
{
    const struct options *o = c->options;
    struct usi_keyring *ring = NULL;
    struct peers_list *named = NULL;
    int result = -1;

    for (size_t i = 0; i < o->key_file_count; i++)
        if (!is_readable_again(o->key_file[i], why, size))
            return -1;
    for (size_t i = 0; i < o->trust_count; i++)
        if (!is_readable_again(o->trust[i], why, size))
            return -1;
    if (o->key_file_count > 0) {
        ring = usi_keyring_new(c->net->crypto);
        if (ring == NULL) {
            (void)snprintf(why, size, text("out of memory"));
            return -1;
        }
        if (read_key_files(c, ring, why, size) != 0)
            goto done;
    }
    if (c->judge != NULL && name_peers(o, &named, why, size) != 0)
        goto done;
    if (ring != NULL && usi_keyring_replace_keys(c->net->ring, ring) != 0) {
        (void)snprintf(why, size, text("out of memory"));
        goto done;
    }
    if (c->judge != NULL) {
        struct peers_list *before = c->named;
        judge_peers_set_named(c->judge, named);
        c->named = named;
        named = before;
    }
    result = 0;
done:
    peers_list_free(named);
    usi_keyring_free(ring);
    return result;
}

struct sandbox_facts credentials_needs(const struct credentials *c)
{
    const struct options *o = c->options;
    const char *kept =
        o->has_identity && strcmp(o->identity, "rsa") != 0 && strcmp(o->identity, "ed25519") != 0
            ? o->identity
            : NULL;

    return (struct sandbox_facts){.known = c->named == NULL && !o->anyone ? c->known : NULL,
                                  .remembers = !o->no_remember && c->terminal != NULL,
                                  .token = kept != NULL && identity_in_token(kept)};
}

void credentials_stop_asking(struct credentials *c, const char *why)
{
    if (c->judge != NULL)
        judge_peers_stop_asking(c->judge, why);
    if (c->terminal != NULL && terminal_busy(c->terminal)) {
        terminal_cancel(c->terminal, why);
        if (c->stretch != NULL)
            stretch_give_up(c->stretch);
    }
    terminal_close(c->terminal);
    c->terminal = NULL;
}

struct terminal *credentials_terminal(const struct credentials *c)
{
    return c->terminal;
}

void credentials_watch(struct credentials *c, void (*asked)(void *owner, bool open), void *owner)
{
    if (c->terminal != NULL)
        terminal_watch(c->terminal, asked, owner);
}

void credentials_close(struct credentials *c)
{
    judge_peers_close(c->judge);
    terminal_close(c->terminal);
    c->terminal = NULL;
}

void credentials_free(struct credentials *c)
{
    stretch_free(c->stretch);
    judge_peers_free(c->judge);
    peers_list_free(c->named);
    peers_known_free(c->known);
    usi_identity_free(c->identity);
    password_free(c->password);
}
