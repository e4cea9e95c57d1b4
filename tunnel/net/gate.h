/* Handshakes that are not finished: so many at most, in all and from one source, that strangers
 * cannot use up what those with a key need. PROTOCOL.md, "Strangers", says why it is done so. */
#ifndef USI_NET_GATE_H
#define USI_NET_GATE_H

#include "net/link.h"

#include <stdatomic.h>

struct gate;

/* How far a handshake has come. Those of one stage compete with each other, and with nobody else.
 */
enum gate_stage {
    GATE_STRANGER,   /* has not said anything that can be answered */
    GATE_ANSWERED,   /* was answered, as anybody is in identity and password mode */
    GATE_KNOWN,      /* knows the listener's key or password, unless it replays what it recorded */
    GATE_IDENTIFIED, /* has proved an identity; a user is asked */
    GATE_STAGES
};

/* The most strangers, the most of each other stage and, of these, of one source: for one loop, with
 * enough descriptors. */
enum { GATE_STRANGERS = 2048, GATE_ALL = 512, GATE_SOURCE = 128 };

/* For one of `loops` loops, which share `places` for connections. NULL when out of memory. */
struct gate *gate_new(unsigned places, unsigned loops);

/* After the last link in it has left. NULL is fine. */
void gate_free(struct gate *gate);

/* A link's handshake comes to a stage. Where that is one too many, cuts another (LINK_SILENT): of
 * those from a source with too many the oldest, else the oldest of all, unless so many came so fast
 * that it may be honest: then the oldest of the source that has most. */
void gate_enter(struct gate *gate, struct link *link, enum gate_stage stage);

/* It leaves the stage in which it is: for another, or because it is over. */
void gate_leave(struct gate *gate, const struct link *link, enum gate_stage stage);

/* All places are taken: the oldest handshake makes way, if it has had time enough to be honest. */
void gate_make_way(struct gate *gate);

/* Places for connections, which several loops share. Zero at first. */
struct gate_places {
    atomic_uint taken;
};

/* One of `most` places, if there is one left; given back when the connection has gone. */
bool gate_take_place(struct gate_places *places, unsigned most);
void gate_give_place(struct gate_places *places);

/* How many connections of `descriptors` descriptors each fit under the process's limit, with some
 * left over for `loops` loops and everything else; at least 1. */
unsigned gate_connections_max(unsigned descriptors, unsigned loops);

#endif
