/* Exit statuses. The first cause counts. */
#ifndef USI_CLI_STATUS_H
#define USI_CLI_STATUS_H

#include <errno.h>

enum status {
    STATUS_OK = 0,            /* every stream ended in both directions, and the peer confirmed */
    STATUS_INTERNAL = 1,      /* internal error, out of memory */
    STATUS_USAGE = 2,         /* usage, key or configuration */
    STATUS_NO_CONNECTION = 3, /* name, refused, timeout; or cannot listen */
    STATUS_NOT_AUTHENTICATED = 4, /* connected, but the peer never proved that it has the key */
    STATUS_CUT_OFF = 5,           /* cut off or tampered with */
    STATUS_LOCAL = 6,             /* local input or output */
    STATUS_REMOTE = 7             /* the far side reports a failure */
};

/* For a file, a key or a library that was refused: STATUS_USAGE, unless errno says that memory ran
 * out. Who asks sets errno to 0 before the call that refuses. */
static inline int status_refused(void)
{
    return errno == ENOMEM ? STATUS_INTERNAL : STATUS_USAGE;
}

#endif
