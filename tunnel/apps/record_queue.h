/* Records that wait, in a fixed piece of memory. One thread puts, another may read at the same time
 * what was there when it began; what it has read is dropped by the first. */
#ifndef USI_APPS_RECORD_QUEUE_H
#define USI_APPS_RECORD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record_queue {
    uint8_t *octets;
    size_t size, from, used;
};

/* A place in the queue: `left` octets of it from `at` on are still to be read. */
struct record_cursor {
    size_t at, left;
};

/* All zero is an empty queue that takes nothing. False: out of memory. */
bool record_queue_init(struct record_queue *queue, size_t size);
void record_queue_free(struct record_queue *queue);

/* Copies a record in. False: no room. Each takes up to RECORD_QUEUE_HEAD octets more than its
 * content; none may be larger than half of the queue. */
enum { RECORD_QUEUE_HEAD = 5 };
bool record_queue_put(struct record_queue *queue, uint8_t type, const uint8_t *content,
                      size_t size);

/* All that is there now. */
struct record_cursor record_queue_cursor(const struct record_queue *queue);

/* The record at the cursor, in place: stays there until it is dropped. False: there is none. */
bool record_queue_read(const struct record_queue *queue, struct record_cursor *cursor,
                       uint8_t *type, const uint8_t **content, size_t *size);

/* Drops what a reader has passed: it began with a cursor that had `left` octets, and ended with
 * cursor. */
void record_queue_drop(struct record_queue *queue, size_t left, const struct record_cursor *cursor);

#endif
