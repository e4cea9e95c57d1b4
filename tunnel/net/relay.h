/* A stream: what comes in at a local end goes out on a link and the other way round, each direction
 * to its own end. */
#ifndef USI_NET_RELAY_H
#define USI_NET_RELAY_H

#include "net/link.h"
#include "net/local.h"

struct relay;

enum relay_result {
    RELAY_DONE,    /* both directions ended and both sides have written everything out; the link is
                      idle */
    RELAY_CUT,     /* the link was cut off, or tampered with */
    RELAY_REFUSED, /* the link was closed before the far side let us in */
    RELAY_LOCAL,   /* the local end failed, or took no data */
    RELAY_FAR      /* the far side gave up */
};

struct relay_options {
    bool recv_only;   /* send nothing, leave the local input alone */
    bool send_only;   /* take nothing */
    bool keep_output; /* the local output serves others afterwards */
};

/* Called once, last: the relay, whose counts may still be read, is freed when it returns. After
 * RELAY_DONE the link lives on and needs a handler; else it has ended too, and text says what
 * happened. The local end is still the caller's to close. */
typedef void relay_over(void *owner, enum relay_result result, const char *text);

/* Takes link's handler over; the stream must be open (or about to be: link_flush was not called
 * yet). The local end may get its socket later, by local_attach and relay_go. NULL when out of
 * memory. */
struct relay *relay_new(struct link *link, struct local *local, const struct relay_options *options,
                        relay_over *over, void *owner);

/* Starts reading the local end. */
void relay_go(struct relay *relay);

/* Gives the stream up for a reason of the caller's; over is told RELAY_LOCAL with why. */
void relay_abort(struct relay *relay, enum usi_reason reason, const char *why);

/* Octets so far. */
void relay_counts(const struct relay *relay, uint64_t *sent, uint64_t *received);

#endif
