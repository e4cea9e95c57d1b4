/* Sockets that a service manager has opened: LISTEN_FDS of sd_listen_fds(3). */
#ifndef USI_CLI_ACTIVATION_H
#define USI_CLI_ACTIVATION_H

#include "cli/options.h"
#include "net/listener.h"

/* Begins all zero: there are none. */
struct activation {
    int first; /* descriptor */
    unsigned count;
};

/* Takes what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES say out of the environment, before any fork
 * or thread, and keeps the descriptors from programs that are started. 0; or an exit status,
 * everything said, where the options have no use for them. */
int activation_take(struct activation *activation, const struct options *options);

/* How listen is to listen: on them, if there are any, else on its address. */
struct listener_options activation_listen(const struct activation *activation,
                                          const struct options *options);

#endif
