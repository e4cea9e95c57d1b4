/* Where links for chat and files come from: one that is dialled, or those that a listener takes,
 * each authenticated and its service open. */
#ifndef USI_APPS_STATION_H
#define USI_APPS_STATION_H

#include "apps/outcome.h"
#include "net/dialer.h"
#include "net/listener.h"

struct station;

struct station_handler {
    /* Authenticated, and the stream is open. The link is the owner's from now on, who gives it a
     * handler of its own by link_set_handler before this returns, and calls station_gone from that
     * handler's `closed`. */
    void (*arrived)(void *owner, struct link *link);
    /* Connector: there is no link and none will be. Called at most once, last. */
    void (*failed)(void *owner, enum outcome outcome, const char *text);
};

/* Connects, authenticates, and opens a stream of `service`. NULL when out of memory. */
struct station *station_connect(const struct net *net, const struct address *address,
                                const struct dialer_options *dial, enum usi_service service,
                                const struct station_handler *handler, void *owner);

/* Listens for streams of `service`. At most `most` links that have arrived are held at a time;
 * others wait behind them, unanswered. NULL with a line in why when it cannot listen. */
struct station *station_listen(const struct net *net, const struct address *address,
                               const struct listener_options *listen, enum usi_service service,
                               unsigned most, const struct station_handler *handler, void *owner,
                               char *why, size_t size);

/* A link that had arrived has closed: another may come. */
void station_gone(struct station *station);

/* Listens no more, and closes what has not arrived. */
void station_stop(struct station *station);

/* The same, and frees, once what has not arrived is closed; the owner is not called again. Links
 * that have arrived are the owner's to end, before or after. NULL is fine. */
void station_free(struct station *station);

#endif
