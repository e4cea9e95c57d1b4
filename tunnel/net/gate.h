/* Handshakes that are not finished: so many at most, in all and from one source, that strangers
 * cannot use up what those with a key need. One too many closes the oldest, which is the likeliest
 * to be theirs. */
#ifndef USI_NET_GATE_H
#define USI_NET_GATE_H

#include "net/link.h"

#include <stdatomic.h>

enum { GATE_ALL = 512, GATE_SOURCE = 128, GATE_PATIENCE_MS = 1000 };

enum { GATE_BUCKETS = 1024 };

/* What the gates of several loops count together. Zero at first. Sources that fall into one bucket
 * count as one. */
struct gate_census {
    atomic_uint all, source[GATE_BUCKETS];
};

/* Embedded in whatever has the link. */
struct gate_entry {
    struct gate_entry *older, *newer;
    struct link *link;
    struct gate *gate; /* NULL: in none */
    unsigned bucket;
};

struct gate {
    struct gate_entry *oldest, *newest;
    unsigned count;
    struct gate_census *census; /* NULL: this gate stands alone */
};

/* link begins its handshake. May cut an older one (LINK_SILENT). */
void gate_enter(struct gate *gate, struct gate_entry *entry, struct link *link);

/* It is over, one way or the other. Twice is fine. */
void gate_leave(struct gate_entry *entry);

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
