/* The one reader and the one writer of wire formats: bounds-checked, big-endian. A step that does
 * not fit fails and so do all after it: check once at the end (read_done, write_done). */
#ifndef USI_CHANNEL_BYTES_H
#define USI_CHANNEL_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct usi_read {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static inline struct usi_read usi_read_from(const uint8_t *bytes, size_t size)
{
    return (struct usi_read){.at = bytes, .left = size, .failed = false};
}

/* The next `size` octets, still in place; NULL if there are not so many. */
static inline const uint8_t *usi_read_bytes(struct usi_read *r, size_t size)
{
    if (r->failed || r->left < size) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *found = r->at;
    r->at += size;
    r->left -= size;
    return found;
}

/* An unsigned number of `size` octets (at most 8); 0 on failure. */
static inline uint64_t usi_read_number(struct usi_read *r, size_t size)
{
    const uint8_t *found = usi_read_bytes(r, size);
    uint64_t value = 0;

    for (size_t i = 0; found != NULL && i < size; i++)
        value = value << 8 | found[i];
    return value;
}

static inline uint8_t usi_read_u8(struct usi_read *r)
{
    return (uint8_t)usi_read_number(r, 1);
}

/* True if every step succeeded and nothing is left over. */
static inline bool usi_read_done(const struct usi_read *r)
{
    return !r->failed && r->left == 0;
}

struct usi_write {
    uint8_t *base;
    size_t size, used;
    bool failed;
};

static inline struct usi_write usi_write_to(uint8_t *bytes, size_t size)
{
    return (struct usi_write){.base = bytes, .size = size, .used = 0, .failed = false};
}

/* Room for `size` octets that the caller fills; NULL if there is not so much. */
static inline uint8_t *usi_write_room(struct usi_write *w, size_t size)
{
    if (w->failed || w->size - w->used < size) {
        w->failed = true;
        return NULL;
    }
    uint8_t *room = w->base + w->used;
    w->used += size;
    return room;
}

static inline void usi_write_bytes(struct usi_write *w, const void *bytes, size_t size)
{
    uint8_t *room = usi_write_room(w, size);
    const uint8_t *from = bytes;

    for (size_t i = 0; room != NULL && i < size; i++)
        room[i] = from[i]; /* cppcheck-suppress nullPointer ; NULL comes with size 0 */
}

static inline void usi_put_number(uint8_t *to, uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0; value >>= 8)
        to[i] = (uint8_t)value;
}

static inline void usi_write_number(struct usi_write *w, uint64_t value, size_t size)
{
    uint8_t *room = usi_write_room(w, size);

    if (room != NULL)
        usi_put_number(room, value, size);
}

static inline bool usi_write_done(const struct usi_write *w)
{
    return !w->failed;
}

#endif
