/* Files over a link of their own: a sender or a receiver on it, from an open stream to a clean
 * end. */
#ifndef USI_APPS_DELIVERY_H
#define USI_APPS_DELIVERY_H

#include "apps/inbox.h"
#include "apps/outbox.h"
#include "apps/outcome.h"
#include "apps/transfer_event.h"

struct delivery;

struct delivery_handler {
    /* All events but TRANSFER_EVENT_OVER. May call delivery_answer,
     * delivery_give_up and delivery_cut. */
    void (*event)(void *owner, struct delivery *delivery, const struct transfer_event *event);
    /* The last call: the link has closed, nothing reads or writes any more, and the delivery is
     * freed when this returns. event is TRANSFER_EVENT_OVER; outcome and text (as in
     * outcome_told) say what all of it means. */
    void (*over)(void *owner, struct delivery *delivery, const struct transfer_event *event,
                 enum outcome outcome, const char *text);
};

/* Takes link over, whose stream is open, and gives what is in outbox (borrowed) or, if it is NULL,
 * takes what comes. number is the owner's, to tell deliveries apart. NULL: out of memory; the link
 * closes by itself then. */
struct delivery *delivery_new(const struct net *net, struct link *link, const struct outbox *outbox,
                              unsigned number, const struct delivery_handler *handler, void *owner);

/* After TRANSFER_EVENT_OFFER of one that takes: as receiver_answer. */
void delivery_answer(struct delivery *delivery, struct inbox *inbox);

/* Instead of it: its user says yes, but this side cannot take them: why. Ends with OUTCOME_LOCAL.
 */
void delivery_give_up(struct delivery *delivery, const char *why);

/* Cuts the link; over follows from the loop. */
void delivery_cut(struct delivery *delivery);

unsigned delivery_number(const struct delivery *delivery);
const char *delivery_peer(const struct delivery *delivery);

/* For the list that the owner keeps them in. */
struct delivery *delivery_next(const struct delivery *delivery);
void delivery_set_next(struct delivery *delivery, struct delivery *next);

#endif
