/* `send` and `receive`: files over links of their own, given or taken, by a connector or by a
 * listener. */
#ifndef USI_APPS_EXCHANGE_H
#define USI_APPS_EXCHANGE_H

#include "apps/delivery.h"
#include "net/dialer.h"
#include "net/listener.h"

struct exchange;

enum exchange_until {
    EXCHANGE_STOPPED, /* listener: one peer after another, or at once, until exchange_stop */
    EXCHANGE_TAKEN,   /* the first peer is the only one */
    EXCHANGE_WHOLE    /* listener that gives: until somebody has got all that can be given */
};

struct exchange_options {
    const struct outbox *outbox; /* what is given; borrowed until told. NULL: files are taken */
    unsigned most;               /* listener: peers at a time */
    enum exchange_until until;
};

enum { EXCHANGE_MOST = 64 /* peers at a time are reasonable: each has its buffers */ };

/* Each peer's events, as in delivery.h; and the end of it all. */
struct exchange_sink {
    void (*event)(void *owner, struct delivery *delivery, const struct transfer_event *event);
    void (*over)(void *owner, struct delivery *delivery, const struct transfer_event *event,
                 enum outcome outcome, const char *text);
    outcome_told *told; /* once, last, when nothing reads or writes any more */
    void *owner;
};

/* Connects, authenticates and gives or takes. At told, or before, exchange_free. NULL: out of
 * memory. */
struct exchange *exchange_connect(const struct net *net, const struct address *address,
                                  const struct dialer_options *dial,
                                  const struct exchange_options *options,
                                  const struct exchange_sink *sink);

/* Listens, and gives or takes with each peer. What becomes of single peers is said by the sink and
 * as REPORT_UNDONE; with EXCHANGE_TAKEN, told tells the only one's outcome.
 * NULL with a line in why when it cannot listen. */
struct exchange *exchange_listen(const struct net *net, const struct address *address,
                                 const struct listener_options *listen,
                                 const struct exchange_options *options,
                                 const struct exchange_sink *sink, char *why, size_t size);

/* Takes no more peers; told is called when those that are there have come to their end, or are cut
 * off after drain_ms. */
void exchange_stop(struct exchange *exchange);

/* Cuts what is there. The sink hears no more; what jobs of the thread pool still use, the outbox
 * too, has to stay until the loop has run to its end. NULL is fine. */
void exchange_free(struct exchange *exchange);

#endif
