/* Records of a chat that wait, first in first out, each a copy. */
#ifndef USI_APPS_CHAT_QUEUE_H
#define USI_APPS_CHAT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chat_packet {
    struct chat_packet *next;
    uint32_t source; /* whose it is, where that counts */
    uint8_t type;
    size_t size;
    uint8_t octets[];
};

/* Begins all zero. */
struct chat_queue {
    struct chat_packet *first, *last;
    size_t octets; /* of memory, in all */
};

/* Adds a copy; false when out of memory. */
bool chat_queue_put(struct chat_queue *queue, uint32_t source, uint8_t type, const uint8_t *content,
                    size_t size);

/* Takes the first out, for chat_packet_free; NULL: it is empty. */
struct chat_packet *chat_queue_take(struct chat_queue *queue);

/* Wipes and frees. */
void chat_packet_free(struct chat_packet *packet);

/* Drops all. */
void chat_queue_clear(struct chat_queue *queue);

/* Drops what is of this source. */
void chat_queue_drop(struct chat_queue *queue, uint32_t source);

#endif
