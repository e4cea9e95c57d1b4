/* How an application ended: the first cause, for the exit status and the message. */
#ifndef USI_APPS_OUTCOME_H
#define USI_APPS_OUTCOME_H

#include "net/relay.h"

enum outcome {
    OUTCOME_DONE,
    OUTCOME_INTERNAL,
    OUTCOME_NO_CONNECTION,
    OUTCOME_NOT_AUTHENTICATED,
    OUTCOME_CUT,
    OUTCOME_LOCAL,
    OUTCOME_FAR
};

enum { OUTCOME_TEXT = 512 };

/* Called once, last, from the loop. text is one line or, divided by newlines, at most three; empty
 * for OUTCOME_DONE. */
typedef void outcome_told(void *owner, enum outcome outcome, const char *text);

/* What the end of a link to peer means for a connector, and what its user could do. */
enum outcome outcome_of_link(const struct link_end *end, const char *peer, char *line, size_t size);

enum outcome outcome_of_relay(enum relay_result result);

#endif
