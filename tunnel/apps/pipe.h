/* Standard input and output of two sides, joined: `listen` and `connect` without more. */
#ifndef USI_APPS_PIPE_H
#define USI_APPS_PIPE_H

#include "apps/outcome.h"
#include "net/dialer.h"
#include "net/listener.h"

struct pipe_options {
    struct relay_options relay;
    bool keep_open; /* listener: one peer after another */
    bool check;     /* connector: no stream, only the peer's answer */
};

struct pipe_connector;
struct pipe_listener;

/* Connects, authenticates and pipes (or checks). told is called once; then, or before,
 * pipe_connector_free. */
struct pipe_connector *pipe_connect(const struct net *net, const struct address *address,
                                    const struct dialer_options *dial,
                                    const struct pipe_options *options, outcome_told *told,
                                    void *owner);
void pipe_connector_free(struct pipe_connector *pipe);

/* Listens and pipes with the first peer that is authenticated and opens; with keep_open with each
 * in turn. told is called once. NULL with a line in why when it cannot listen. */
struct pipe_listener *pipe_listen(const struct net *net, const struct address *address,
                                  const struct listener_options *listen,
                                  const struct pipe_options *options, outcome_told *told,
                                  void *owner, char *why, size_t size);

/* Takes no more peers; told is called when the stream under way has ended, or is cut off after
 * drain_ms. */
void pipe_listener_stop(struct pipe_listener *pipe);
void pipe_listener_free(struct pipe_listener *pipe);

/* Octets of the stream under way, for a progress display. */
void pipe_connector_counts(const struct pipe_connector *pipe, uint64_t *sent, uint64_t *received);
void pipe_listener_counts(const struct pipe_listener *pipe, uint64_t *sent, uint64_t *received);

#endif
