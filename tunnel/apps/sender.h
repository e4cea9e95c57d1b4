/* The side of a transfer that has the files: offers them, and when the other side's user has said
 * yes, announces them one by one and sends what the receiver wants of each. Knows neither links nor
 * terminals. Files are read and hashed in the thread pool, a block ahead of what is sent; memory is
 * the same whatever the sizes. Everything here is called from the loop's thread. */
#ifndef USI_APPS_SENDER_H
#define USI_APPS_SENDER_H

#include "apps/carrier.h"
#include "apps/outbox.h"
#include "apps/transfer_event.h"

#include <uv.h>

struct sender;

/* outbox is borrowed, and may serve other senders at the same time; carrier is too; to is what its
 * functions get. NULL when out of memory. */
struct sender *sender_new(uv_loop_t *loop, const struct outbox *outbox,
                          const struct carrier *carrier, void *to, transfer_sink *sink,
                          void *owner);

/* Counts what there is, then offers it. */
void sender_start(struct sender *sender);

/* A record of the receiver's. After TRANSFER_EVENT_OVER it is ignored. */
void sender_take(struct sender *sender, uint8_t type, const uint8_t *content, size_t size);

/* The carrier may have room again. */
void sender_go_on(struct sender *sender);

/* Gives up for this reason: the receiver is told if there is room now. TRANSFER_EVENT_OVER comes
 * before this returns. */
void sender_stop(struct sender *sender, enum transfer_stop reason);

/* Shows the receiver that this side is alive, if a job is in flight. Where idle time is counted, a
 * few times a second. */
void sender_show(struct sender *sender);

/* A number that grows with every octet that the receiver has taken and every sign of life: the
 * receiver's, and ours, which come only of what ends by itself. */
uint64_t sender_moved(const struct sender *sender);

/* The sink is not called again, nor the carrier; the outbox is used until sender_busy is false, of
 * which `gone` (may be NULL) tells: at once, or from the loop. NULL is fine. */
void sender_free(struct sender *sender, void (*gone)(void *owner), void *owner);

#endif
