#include "apps/outcome.h"

#include "text/text.h"

#include <stdio.h>

/* A listener that closes without a word does not say why; its connector's user can know what may be
 * the matter. */
static void explain_refusal(const struct link_end *end, const char *peer, char *line, size_t size)
{
    static const char *const causes[] = {
        [USI_MODE_KEY] =
            TEXT("the keys or the names (--name) differ,\n"
                 "or no USI listener is there; compare `key fingerprint` of both sides (-v)"),
        [USI_MODE_IDENTITY] = TEXT("it does not listen with --identity, the names (--name)\n"
                                   "differ, or no USI listener is there"),
        [USI_MODE_PASSWORD] =
            TEXT("it does not listen with --password, allows no more\n"
                 "tries for now or ever, the names (--name) differ, or no USI listener is there"),
    };

    if (end->guessed && end->mode == USI_MODE_IDENTITY)
        (void)snprintf(
            line, size,
            text("%s closed the connection instead of proving that it knows the password: "
                 "somebody may be in the middle"),
            peer);
    else if (end->identified)
        (void)snprintf(line, size,
                       text("%s closed the connection before it let us in: it takes no RSA keys\n"
                            "(--accept-rsa), its user did not answer, or it has ended"),
                       peer);
    else if (end->guessed)
        (void)snprintf(line, size,
                       text("%s closed the connection: the password is wrong, or was used before"),
                       peer);
    else
        (void)snprintf(line, size, text("%s closed the connection without a word: %s"), peer,
                       text(causes[end->mode >= USI_MODE_KEY && end->mode <= USI_MODE_PASSWORD
                                       ? end->mode
                                       : USI_MODE_KEY]));
}

static void explain_foreign(const struct link_end *end, const char *peer, char *line, size_t size)
{
    if (end->error == USI_ERR_FORMAT)
        (void)snprintf(line, size,
                       text("%s answers, but does not speak USI: check the address and the port"),
                       peer);
    else
        (void)snprintf(line, size, text("%s could not be authenticated: %s"), peer,
                       text(usi_error_text(end->error)));
}

enum outcome outcome_of_link(const struct link_end *end, const char *peer, char *line, size_t size)
{
    char why[LINK_END_TEXT];

    link_end_text(end, why, sizeof why);
    (void)snprintf(line, size, "%s: %s", peer, why);
    switch (end->cause) {
    case LINK_CLEAN:
        line[0] = '\0';
        return OUTCOME_DONE;
    case LINK_REFUSED:
        explain_refusal(end, peer, line, size);
        return OUTCOME_NOT_AUTHENTICATED;
    case LINK_SILENT:
        (void)snprintf(line, size,
                       text("no answer from %s in time: is a USI listener %s there?\n"
                            "it may be busy (--handshake-timeout waits longer), or something else "
                            "listens there"),
                       peer,
                       end->mode == USI_MODE_IDENTITY   ? text("with --identity")
                       : end->mode == USI_MODE_PASSWORD ? text("with --password")
                                                        : text("with this key"));
        return OUTCOME_NOT_AUTHENTICATED;
    case LINK_WORDLESS:
        return OUTCOME_NOT_AUTHENTICATED;
    case LINK_FOREIGN:
        explain_foreign(end, peer, line, size);
        return OUTCOME_NOT_AUTHENTICATED;
    case LINK_UNWANTED: /* why is said by who decided it */
        line[0] = '\0';
        return OUTCOME_NOT_AUTHENTICATED;
    case LINK_ABORTED:
        return OUTCOME_FAR;
    case LINK_UNKEPT:
        line[0] = '\0';
        return OUTCOME_LOCAL;
    case LINK_GAVE_UP:
        return OUTCOME_LOCAL;
    case LINK_CUT:
    case LINK_BROKEN:
    case LINK_IDLE:
        return end->error == USI_ERR_INTERNAL && end->cause == LINK_BROKEN ? OUTCOME_INTERNAL
                                                                           : OUTCOME_CUT;
    }
    return OUTCOME_INTERNAL;
}

enum outcome outcome_of_relay(enum relay_result result)
{
    switch (result) {
    case RELAY_DONE:
        return OUTCOME_DONE;
    case RELAY_LOCAL:
        return OUTCOME_LOCAL;
    case RELAY_FAR:
        return OUTCOME_FAR;
    case RELAY_REFUSED:
        return OUTCOME_NOT_AUTHENTICATED;
    case RELAY_CUT:
        break;
    }
    return OUTCOME_CUT;
}
