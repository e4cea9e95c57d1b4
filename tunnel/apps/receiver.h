/* The side of a transfer that gets the files: takes an offer, and when its user has said yes, says
 * of each file that is announced how much of it is wanted, and writes, verifies and keeps it. Knows
 * neither links nor terminals. Files are hashed and written in the thread pool; at most
 * RECEIVER_HELD octets wait for that before the carrier is paused. Everything here is called from
 * the loop's thread. */
#ifndef USI_APPS_RECEIVER_H
#define USI_APPS_RECEIVER_H

#include "apps/carrier.h"
#include "apps/inbox.h"
#include "apps/transfer_event.h"

#include <uv.h>

struct receiver;

enum {
    RECEIVER_BLOCK = 256 * 1024, /* octets of one job of the thread pool, about */
    RECEIVER_HELD = 4 * RECEIVER_BLOCK
};

/* carrier is borrowed; to is what its functions get. NULL when out of memory. */
struct receiver *receiver_new(uv_loop_t *loop, const struct carrier *carrier, void *to,
                              transfer_sink *sink, void *owner);

/* A record of the sender's. After TRANSFER_EVENT_OVER it is ignored. */
void receiver_take(struct receiver *receiver, uint8_t type, const uint8_t *content, size_t size);

/* After TRANSFER_EVENT_OFFER, once: the user says yes, and where to put the files: the inbox is the
 * receiver's from now on; or no (NULL). Before yes nothing is made and no octet of a file is sent.
 */
void receiver_answer(struct receiver *receiver, struct inbox *inbox);

/* Instead of it: the user says yes, but this side cannot: why. The sender is told that.
 * TRANSFER_EVENT_OVER comes before this returns. */
void receiver_give_up(struct receiver *receiver, const char *why);

/* The carrier may have room again. */
void receiver_go_on(struct receiver *receiver);

/* Gives up for this reason: the sender is told if there is room now. TRANSFER_EVENT_OVER comes
 * before this returns. What came of the file under way stays as a part. */
void receiver_stop(struct receiver *receiver, enum transfer_stop reason);

/* Shows the sender that this side is alive, if its user is asked or a job is in flight. Where idle
 * time is counted, a few times a second. */
void receiver_show(struct receiver *receiver);

/* A number that grows with every octet that is written and every sign of life: the sender's, and
 * ours, which come only of what ends by itself. */
uint64_t receiver_moved(const struct receiver *receiver);

/* The sink is not called again, nor the carrier. What a job in flight works on is freed when it is
 * over: `gone` (may be NULL) tells: at once, or from the loop. NULL is fine. */
void receiver_free(struct receiver *receiver, void (*gone)(void *owner), void *owner);

#endif
