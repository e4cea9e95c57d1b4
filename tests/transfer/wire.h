/* A carrier in memory: records that one side has sent and the other has not taken yet; and an owner
 * that writes its events down. */
#ifndef USI_TESTS_TRANSFER_WIRE_H
#define USI_TESTS_TRANSFER_WIRE_H

#include "apps/carrier.h"
#include "apps/receiver.h"
#include "apps/sender.h"
#include "apps/transfer_records.h"

enum { LOG_SIZE = 65536 };

struct wire_record {
    struct wire_record *next;
    uint8_t type;
    size_t size;
    uint8_t content[];
};

struct wire {
    struct wire_record *first, **end;
    size_t waiting;     /* octets of content that wait */
    size_t most;        /* when so many wait there is no room */
    bool paused;        /* who takes from it wants no more for now */
    struct wire *other; /* the other direction: it is what `pause` is about */
};

/* most is the room; both directions. */
void wire_join(struct wire *one, struct wire *other, size_t most);

/* The first record, off the wire: to be freed by free. NULL: none. */
struct wire_record *wire_take(struct wire *wire);
void wire_drop(struct wire *wire);

/* The carrier functions of a side whose records go to the wire. */
size_t wire_room(void *to);
void wire_record(void *to, uint8_t type, const uint8_t *content, size_t size);
void wire_pause(void *to, bool paused);

/* The events of one side: "kept NAME\n" and the like, one after another, without progress. */
struct witness {
    char log[LOG_SIZE];
    size_t used;
    unsigned progress;          /* how many of these */
    uint64_t done, moved;       /* of the last event */
    struct transfer_event over; /* type is TRANSFER_EVENT_OVER when it came */
    char over_text[256];
    struct receiver *receiver; /* whose offers are answered by: */
    struct inbox *inbox;       /* or no */
    bool late;                 /* not from inside the event: the test answers */
};

/* A transfer_sink; its owner is the witness. */
void witness_event(void *owner, const struct transfer_event *event);

/* Fails the test unless the log has the line. */
void witness_saw(const struct witness *witness, const char *line);
void witness_did_not_see(const struct witness *witness, const char *line);

/* Runs the loop until no job is in flight. */
void wire_settle(uv_loop_t *loop);

#endif
