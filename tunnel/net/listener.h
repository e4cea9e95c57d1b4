/* Sockets that accept. One address of the command line may be several of the kernel's: localhost is
 * ::1 and 127.0.0.1. */
#ifndef USI_NET_LISTENER_H
#define USI_NET_LISTENER_H

#include "net/address.h"
#include "net/net.h"
#include "net/sock.h"

struct listener;

struct listener_options {
    int family;  /* AF_UNSPEC, AF_INET or AF_INET6 */
    bool greets; /* who connects may wait for us to speak first, as no connector does */
    /* count > 0: instead of an address, so many descriptors from `first` on, which are sockets that
     * listen already. They become the listener's; the file of a Unix socket does not. */
    int first;
    unsigned count;
};

/* Resolves, binds and listens, and reports REPORT_LISTENING for every socket. waiting(owner) is
 * called from the loop while connections may wait to be taken by listener_accept, as often as one
 * is taken. What is not taken, or cannot be for want of descriptors (reported, once a minute),
 * waits in the kernel; it is offered again after a while, or by listener_again. NULL with one line
 * in why[size] on failure: a port in use, a name that is unknown, ... */
struct listener *listener_new(const struct net *net, const struct address *address,
                              const struct listener_options *options, void (*waiting)(void *owner),
                              void *owner, char *why, size_t size);

/* A listener of another loop on the sockets of `of`: whichever loop is first takes a connection.
 * The file of a Unix socket stays the affair of `of`. NULL when out of memory or descriptors. */
struct listener *listener_share(const struct net *net, const struct listener *of,
                                void (*waiting)(void *owner), void *owner);

/* The next connection that waits; NULL when none does, or it cannot be taken. */
struct sock *listener_accept(struct listener *listener);

/* Calls waiting(owner) for what was not taken. */
void listener_again(struct listener *listener);

/* Stops listening and frees; removes a Unix socket's file. NULL is fine. */
void listener_close(struct listener *listener);

#endif
