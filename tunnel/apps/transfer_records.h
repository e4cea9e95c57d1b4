/* The records of a transfer of files (types 64 to 77, PROTOCOL.md), to and from octets. */
#ifndef USI_APPS_TRANSFER_RECORDS_H
#define USI_APPS_TRANSFER_RECORDS_H

#include "apps/transfer_entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TRANSFER_RECORD_MAX = 65536, /* octets of content of any record */
    TRANSFER_CHUNK_HEAD = 12,    /* of a chunk, before the octets of the file */
    TRANSFER_PATH_MAX = 4096,
    TRANSFER_OFFER_NAME = 255,
    TRANSFER_CONTROL_MAX = 31 + TRANSFER_PATH_MAX, /* octets that any record but a chunk fits in, */
    TRANSFER_REPLY_MAX = 46,                       /* and any of a receiver's */
    TRANSFER_ENTRIES = 64 /* entries that are open at a time: announced, and not closed by `kept` or
                             by a `want` that skips */
};

enum transfer_record_type {
    TRANSFER_RECORD_OFFER = 64,
    TRANSFER_RECORD_ANSWER,
    TRANSFER_RECORD_ENTRY,
    TRANSFER_RECORD_WANT,
    TRANSFER_RECORD_BEGIN,
    TRANSFER_RECORD_CHUNK,
    TRANSFER_RECORD_HOLE,
    TRANSFER_RECORD_DONE,
    TRANSFER_RECORD_SPOILT,
    TRANSFER_RECORD_KEPT,
    TRANSFER_RECORD_PROGRESS,
    TRANSFER_RECORD_ALL,
    TRANSFER_RECORD_OVER,
    TRANSFER_RECORD_STOP
};

/* One record, decoded. Pointers go into its octets. */
struct transfer_record {
    enum transfer_record_type type;
    uint32_t index; /* of the entry it is about: types from `want` to `kept` */
    union {
        struct {
            uint64_t files, octets; /* octets: at most INT64_MAX */
            const char *name;       /* of the only thing offered; any octets, no NUL at its end */
            size_t name_size;       /* 0: several things */
            uint32_t things;        /* how many were named */
            uint64_t folders;
        } offer;
        bool answer;                 /* yes? */
        struct transfer_entry entry; /* size at most INT64_MAX, 0 but for a file; 1 to
                                        TRANSFER_PATH_MAX octets of path, any */
        struct {
            bool wanted;
            uint64_t offset;     /* at most INT64_MAX */
            const uint8_t *hash; /* TRANSFER_HASH_SIZE octets: of those before offset */
            uint8_t reason;      /* enum transfer_reason; 0 just if it is wanted */
        } want;
        uint64_t begin; /* offset, at most INT64_MAX */
        struct {
            uint64_t offset;
            const uint8_t *octets;
            size_t size; /* 1 or more */
        } chunk;
        uint64_t hole; /* octets, 1 or more */
        struct {
            uint64_t size;
            int64_t mtime;
            uint32_t mtime_ns;
            const uint8_t *hash; /* of the whole */
        } done;
        /* spoilt: enum transfer_reason, not 0, of the sender's or what `kept` said; kept: the same,
         * 0 if it is kept; stop: enum transfer_stop */
        uint8_t reason;
        uint64_t progress;
        uint32_t all;
        struct {
            uint32_t kept, skipped, failed;
        } over;
    };
};

/* Decodes a record; false if there is no such record: a type that is not there, a number out of its
 * bounds, octets missing or left over. */
bool transfer_parse(struct transfer_record *out, uint8_t type, const uint8_t *content, size_t size);

/* Encodes it into out[room] and returns its size; 0 if there is no room. Of a chunk only the head
 * is written: its octets are the caller's to put behind it. The record has to be one that
 * transfer_parse takes. */
size_t transfer_write(const struct transfer_record *record, uint8_t *out, size_t room);

/* What the reason of a `stop` means, for messages: never NULL. */
const char *transfer_stop_text(uint8_t reason);

#endif
