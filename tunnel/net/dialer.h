/* Connecting to an address: names are resolved in the background, and the addresses of a name are
 * tried one after another, each some time after the one before whether that has failed or hangs
 * (RFC 8305). */
#ifndef USI_NET_DIALER_H
#define USI_NET_DIALER_H

#include "net/address.h"
#include "net/net.h"
#include "net/sock.h"

struct dialer;

struct dialer_options {
    int family;          /* AF_UNSPEC, AF_INET or AF_INET6 */
    const char *source;  /* a numeric address to connect from; NULL: any */
    uint64_t timeout_ms; /* for one round over all addresses; 0: the kernel's */
    uint64_t retry_ms;   /* for so long, a refused connection is tried again */
};

/* Exactly one of connected (the socket is the owner's) and failed (with a line that says why) is
 * called from the loop, unless dialer_cancel comes first; the dialer is gone when it is. address
 * and options->source must live so long. NULL when out of memory. */
struct dialer *dialer_start(const struct net *net, const struct address *address,
                            const struct dialer_options *options,
                            void (*connected)(void *owner, struct sock *sock),
                            void (*failed)(void *owner, const char *why), void *owner);

/* Gives up without a call. NULL is fine. */
void dialer_cancel(struct dialer *dialer);

#endif
