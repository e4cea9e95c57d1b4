/* How a run authenticates: by a key, an identity, a password, or, for a listener, several. */
#include "cli/options_table.h"

#include "text/text.h"

#include <stdlib.h>
#include <string.h>

static bool is_given(const bool given[OPTIONS_TABLE_MAX], const char *name)
{
    const struct option *table = options_table();

    for (size_t row = 0; table[row].name != NULL; row++)
        if (strcmp(table[row].name, name) == 0)
            return given[row];
    return false;
}

static bool has_password(const struct options *o)
{
    return o->password || o->password_file != NULL || o->has_password_fd;
}

/* The options that mean nothing without an identity of one's own. */
static int judge_without_identity(const struct options *o, const bool given[OPTIONS_TABLE_MAX],
                                  char *why, size_t size)
{
    static const char *const names[] = {"fingerprint", "trust",       "accept-rsa",
                                        "anyone",      "no-remember", "ask-password"};
    bool asks = (o->command == OPTIONS_CONNECT && o->password) ||
                (o->word == OPTIONS_RECEIVE && !o->yes) || o->word == OPTIONS_CHAT;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!is_given(given, names[i]))
            continue;
        snprintf(why, size, text("--%s goes with --identity, which is not given"), names[i]);
        return -1;
    }
    if (!asks && is_given(given, "ask-timeout")) {
        snprintf(why, size, "%s",
                 o->command == OPTIONS_CONNECT
                     ? text("--ask-timeout: nothing is asked without --identity or --password")
                     : text("--ask-timeout: nothing is asked without --identity"));
        return -1;
    }
    return 0;
}

/* Standard input has one use. */
static int judge_standard_input(const struct options *o, char *why, size_t size)
{
    bool files = o->word == OPTIONS_SEND || o->word == OPTIONS_RECEIVE;
    bool pipe = !files && !o->has_forward && o->local_count == 0 && !o->check && !o->recv_only;
    bool password = o->has_password_fd && o->password_fd == 0;
    size_t keys = 0;

    for (size_t i = 0; i < o->key_file_count; i++)
        keys += strcmp(o->key_file[i], "-") == 0;
    if (keys > 1) {
        snprintf(why, size, text("--key-file - twice: standard input can be read once"));
        return -1;
    }
    if (keys == 1 && password) {
        snprintf(why, size,
                 text("--key-file - and --password-fd 0: standard input can be read once"));
        return -1;
    }
    if ((keys == 1 || password) && o->word == OPTIONS_CHAT) {
        snprintf(why, size,
                 text("%s takes standard input, which is what you say here: name a file"),
                 password ? "--password-fd 0" : "--key-file -");
        return -1;
    }
    if (keys == 1 && pipe) {
        snprintf(
            why, size,
            text("--key-file - takes standard input, which is the data here: name a file, or add "
                 "--recv-only"));
        return -1;
    }
    if (password && pipe) {
        snprintf(why, size,
                 text("--password-fd 0 takes standard input, which is the data here: name another "
                      "descriptor, or add --recv-only"));
        return -1;
    }
    return 0;
}

int options_judge_credentials(struct options *out, const bool given[OPTIONS_TABLE_MAX], char *why,
                              size_t size)
{
    const char *variable = secure_getenv("USI_KEY_FILE");
    bool key = out->key_text != NULL || out->key_file_count > 0;

    if (!key && !out->has_identity && !has_password(out)) {
        if (judge_without_identity(out, given, why, size) < 0)
            return -1;
        if (variable == NULL || *variable == '\0') {
            snprintf(
                why, size,
                text("no key: --key-file FILE names one that `usi-tunnel keygen -o FILE` made for "
                     "both sides; or --password, or --identity, where there is none to share"));
            return -1;
        }
        out->key_file[out->key_file_count++] = variable;
    }
    if (out->command == OPTIONS_CONNECT && out->key_file_count > 1) {
        snprintf(why, size,
                 text("--key-file twice: connect has one key; only listen takes several"));
        return -1;
    }
    if (!out->has_identity && judge_without_identity(out, given, why, size) < 0)
        return -1;
    return judge_standard_input(out, why, size);
}
