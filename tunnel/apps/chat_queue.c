#include "apps/chat_queue.h"

#include <openssl/crypto.h>
#include <string.h>

bool chat_queue_put(struct chat_queue *q, uint32_t source, uint8_t type, const uint8_t *content,
                    size_t size)
{
    struct chat_packet *packet = OPENSSL_malloc(sizeof *packet + size);

    if (packet == NULL)
        return false;
    *packet = (struct chat_packet){.source = source, .type = type, .size = size};
    if (size > 0)
        memcpy(packet->octets, content, size);
    if (q->last != NULL)
        q->last->next = packet;
    else
        q->first = packet;
    q->last = packet;
    q->octets += sizeof *packet + size;
    return true;
}

struct chat_packet *chat_queue_take(struct chat_queue *q)
{
    struct chat_packet *packet = q->first;

    if (packet == NULL)
        return NULL;
    q->first = packet->next;
    if (q->first == NULL)
        q->last = NULL;
    q->octets -= sizeof *packet + packet->size;
    return packet;
}

void chat_packet_free(struct chat_packet *packet)
{
    OPENSSL_clear_free(packet, sizeof *packet + packet->size); /* somebody's words */
}

void chat_queue_clear(struct chat_queue *q)
{
    for (struct chat_packet *packet; (packet = chat_queue_take(q)) != NULL;)
        chat_packet_free(packet);
}

void chat_queue_drop(struct chat_queue *q, uint32_t source)
{
    struct chat_packet **at = &q->first, *packet;

    q->last = NULL;
    while ((packet = *at) != NULL) {
        if (packet->source != source) {
            q->last = packet;
            at = &packet->next;
            continue;
        }
        *at = packet->next;
        q->octets -= sizeof *packet + packet->size;
        chat_packet_free(packet);
    }
}
