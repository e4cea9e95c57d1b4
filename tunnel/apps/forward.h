/* Port forwarding: many streams, each in a channel of its own. Both sides end only when told to;
 * what becomes of a single stream is reported (REPORT_STREAM_FAILED) and changes nothing else. */
#ifndef USI_APPS_FORWARD_H
#define USI_APPS_FORWARD_H

#include "apps/outcome.h"
#include "net/dialer.h"
#include "net/listener.h"

struct forward_far;
struct forward_near;

struct forward_far_options {
    const struct address *address; /* to listen on */
    const struct listener_options *listen;
    const struct address *target;      /* must live as long as the forward */
    const struct dialer_options *dial; /* its strings too */
};

/* `listen --forward`: joins every stream of every authenticated channel to a new connection to
 * target. NULL with a line in why when it cannot listen. */
struct forward_far *forward_far_new(const struct net *net,
                                    const struct forward_far_options *options, outcome_told *told,
                                    void *owner, char *why, size_t size);

/* The same for another loop, on the sockets of `first`, whose options it has. NULL when out of
 * memory or descriptors. */
struct forward_far *forward_far_share(const struct forward_far *first, const struct net *net,
                                      outcome_told *told, void *owner);

/* Takes no more channels; told is called once all streams have ended: OUTCOME_DONE, or OUTCOME_CUT
 * if some had to be cut off after drain_ms. */
void forward_far_stop(struct forward_far *forward);

/* Cuts what is left, and frees, when the loop has closed it. NULL is fine. */
void forward_far_free(struct forward_far *forward);

/* `connect -L`: for every connection to one of local[0..count-1], dials address, authenticates and
 * opens a stream. A connection whose channel cannot be made is reset. NULL with a line in why when
 * it cannot listen. */
struct forward_near *forward_near_new(const struct net *net, const struct address *address,
                                      const struct dialer_options *dial,
                                      const struct address *local, size_t count,
                                      const struct listener_options *listen, char *why,
                                      size_t size);
struct forward_near *forward_near_share(const struct forward_near *first, const struct net *net);
void forward_near_free(struct forward_near *forward);

#endif
