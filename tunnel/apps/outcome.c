#include "apps/outcome.h"

#include <stdio.h>

enum outcome outcome_of_link(const struct link_end *end, const char *peer, char *text, size_t size)
{
    char why[160];

    link_end_text(end, why, sizeof why);
    switch (end->cause) {
    case LINK_CLEAN:
        text[0] = '\0';
        return OUTCOME_DONE;
    case LINK_REFUSED:
        (void)snprintf(
            text, size,
            "%s closed the connection without a word: the keys or the names (--name) differ,\n"
            "or no USI listener is there; compare `key fingerprint` of both sides (-v)",
            peer);
        return OUTCOME_NOT_AUTHENTICATED;
    case LINK_SILENT:
        (void)snprintf(
            text, size,
            "no answer from %s in time: is a USI listener with this key there?\n"
            "it may be busy (--handshake-timeout waits longer), or something else listens there",
            peer);
        return OUTCOME_NOT_AUTHENTICATED;
    case LINK_FOREIGN:
        if (end->error == USI_ERR_FORMAT)
            (void)snprintf(text, size,
                           "%s answers, but does not speak USI: check the address and the port",
                           peer);
        else
            (void)snprintf(text, size, "%s could not be authenticated: %s", peer, why);
        return OUTCOME_NOT_AUTHENTICATED;
    case LINK_ABORTED:
        (void)snprintf(text, size, "%s: %s", peer, why);
        return OUTCOME_FAR;
    case LINK_GAVE_UP:
        (void)snprintf(text, size, "%s: %s", peer, why);
        return OUTCOME_LOCAL;
    case LINK_CUT:
    case LINK_BROKEN:
    case LINK_IDLE:
        (void)snprintf(text, size, "%s: %s", peer, why);
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
    case RELAY_CUT:
        break;
    }
    return OUTCOME_CUT;
}
