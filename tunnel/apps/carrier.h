/* What a transfer speaks through: a link of its own, or a chat. */
#ifndef USI_APPS_CARRIER_H
#define USI_APPS_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The carrier calls nothing of the transfer's from inside these. */
struct carrier {
    /* Octets of content that one record may have now; 0: wait for sender_go_on or
     * receiver_go_on. It need not be known when more would fit again: more is tried then. */
    size_t (*room)(void *to);
    /* Sends a record (types 64 to 95), size <= room(to). content is the caller's again when this
     * returns. */
    void (*record)(void *to, uint8_t type, const uint8_t *content, size_t size);
    /* For a receiver: take no more from the peer for now, or go on. NULL: the window does it. */
    void (*pause)(void *to, bool paused);
    size_t chunk;    /* most octets of content in a record with file content */
    uint64_t window; /* most octets of content that the sender may have sent and not seen
                        acknowledged; 0: no limit but the carrier's own back-pressure */
};

#endif
