#include "apps/record_queue.h"

#include <stdlib.h>
#include <string.h>

/* A record is contiguous: a u32 of its size, its type, its content. Where the rest of the memory is
 * too short for it, SKIP stands there (or less than a head is left), and it begins at the front. */
static const uint32_t SKIP = UINT32_MAX;

bool record_queue_init(struct record_queue *q, size_t size)
{
    *q = (struct record_queue){.octets = malloc(size), .size = size};
    return q->octets != NULL;
}

void record_queue_free(struct record_queue *q)
{
    free(q->octets);
    *q = (struct record_queue){0};
}

bool record_queue_put(struct record_queue *q, uint8_t type, const uint8_t *content, size_t size)
{
    const size_t whole = RECORD_QUEUE_HEAD + size;
    size_t at = q->used < q->size - q->from ? q->from + q->used : q->from + q->used - q->size;
    size_t skipped = whole > q->size - at ? q->size - at : 0;
    const uint32_t number = (uint32_t)size;

    if (q->octets == NULL || whole > q->size || skipped + whole > q->size - q->used)
        return false;
    if (skipped >= RECORD_QUEUE_HEAD)
        memcpy(q->octets + at, &SKIP, sizeof SKIP);
    if (skipped > 0)
        at = 0;
    memcpy(q->octets + at, &number, sizeof number);
    q->octets[at + sizeof number] = type;
    memcpy(q->octets + at + RECORD_QUEUE_HEAD, content, size);
    q->used += skipped + whole;
    return true;
}

struct record_cursor record_queue_cursor(const struct record_queue *q)
{
    return (struct record_cursor){.at = q->from, .left = q->used};
}

bool record_queue_read(const struct record_queue *q, struct record_cursor *cursor, uint8_t *type,
                       const uint8_t **content, size_t *size)
{
    uint32_t number = SKIP;

    if (cursor->left == 0)
        return false;
    if (q->size - cursor->at >= RECORD_QUEUE_HEAD)
        memcpy(&number, q->octets + cursor->at, sizeof number);
    if (number == SKIP) {
        cursor->left -= q->size - cursor->at;
        cursor->at = 0;
        memcpy(&number, q->octets, sizeof number);
    }
    *type = q->octets[cursor->at + sizeof number];
    *content = q->octets + cursor->at + RECORD_QUEUE_HEAD;
    *size = number;
    cursor->at += RECORD_QUEUE_HEAD + number;
    cursor->left -= RECORD_QUEUE_HEAD + number;
    if (cursor->at == q->size)
        cursor->at = 0;
    return true;
}

void record_queue_drop(struct record_queue *q, size_t left, const struct record_cursor *cursor)
{
    q->from = cursor->at;
    q->used -= left - cursor->left;
    if (q->used == 0)
        q->from = 0; /* the next begins at the front, which is in the cache */
}
