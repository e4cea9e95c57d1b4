#include "net/gate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { DESCRIPTORS_KEPT = 32, DESCRIPTORS_OF_LOOP = 8, DESCRIPTORS_UNKNOWN = 1024 };

/* Of one loop at least, so that all of a burst can say who they are before one of them must go. */
enum { LEAST = 64 };

/* Of the places, those that one stage may have: strangers leave most to who has a key. */
enum { SHARE = 4 };

/* From what age on the oldest goes first. A stranger's message 1 comes with its connection; then an
 * answer takes a round trip, or the time to stretch a password; a user takes his time. */
static const uint64_t patience_ms[GATE_STAGES] = {
    [GATE_STRANGER] = 0,
    [GATE_ANSWERED] = 3000,
    [GATE_KNOWN] = 3000,
    [GATE_IDENTIFIED] = UINT64_MAX,
};

enum { WAY_MS = 1000 }; /* the same for a stranger where all places are taken */

struct place {
    struct link *link;
    uint64_t source;
    unsigned mates; /* how many of this source there are, itself included */
};

/* The oldest first. */
struct row {
    unsigned count;
    struct place place[GATE_ALL + 1];
};

struct gate {
    unsigned most, most_of_source;
    struct row row[GATE_STAGES]; /* what nobody enters costs no memory */
};

bool gate_take_place(struct gate_places *places, unsigned most)
{
    if (atomic_fetch_add(&places->taken, 1) < most)
        return true;
    atomic_fetch_sub(&places->taken, 1);
    return false;
}

void gate_give_place(struct gate_places *places)
{
    atomic_fetch_sub(&places->taken, 1);
}

unsigned gate_connections_max(unsigned descriptors, unsigned loops)
{
    struct rlimit files;
    rlim_t limit = DESCRIPTORS_UNKNOWN;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        limit = files.rlim_cur;
    rlim_t kept = DESCRIPTORS_KEPT + (loops > 1 ? (rlim_t)(loops - 1) * DESCRIPTORS_OF_LOOP : 0);
    limit = limit > kept ? (limit - kept) / descriptors : 0;
    return limit == 0 ? 1 : limit > UINT32_MAX ? UINT32_MAX : (unsigned)limit;
}

static unsigned between(unsigned least, unsigned value, unsigned most)
{
    return value < least ? least : value > most ? most : value;
}

struct gate *gate_new(unsigned places, unsigned loops)
{
    struct gate *gate = calloc(1, sizeof *gate);

    if (gate == NULL)
        return NULL;
    gate->most = between(LEAST, between(1, places / SHARE, GATE_ALL) / loops, GATE_ALL);
    gate->most_of_source = between(LEAST, gate->most / (GATE_ALL / GATE_SOURCE), GATE_SOURCE);
    return gate;
}

void gate_free(struct gate *gate)
{
    free(gate);
}

/* How many there are of a source, after one more (1) or one less (-1), or as it is (0). */
static unsigned count_mates(struct row *row, uint64_t source, int change)
{
    unsigned mates = 0;

    for (unsigned i = 0; i < row->count; i++)
        if (row->place[i].source == source)
            mates = row->place[i].mates += (unsigned)change;
    return mates;
}

/* The oldest of the source that has most. */
static struct link *greediest(const struct row *row)
{
    const struct place *found = &row->place[0];

    for (unsigned i = 1; i < row->count; i++)
        if (row->place[i].mates > found->mates)
            found = &row->place[i];
    return found->link;
}

/* Has the oldest had its time? */
static bool oldest_may_go(const struct row *row, uint64_t patience)
{
    return row->count > 0 && link_age(row->place[0].link) >= patience;
}

void gate_enter(struct gate *gate, struct link *link, enum gate_stage stage)
{
    struct row *row = &gate->row[stage];
    uint64_t source = link_source(link);
    unsigned before = count_mates(row, source, 1), mates = before == 0 ? 1 : before;

    row->place[row->count++] = (struct place){.link = link, .source = source, .mates = mates};
    if (mates > gate->most_of_source)
        link_cut(greediest(row), LINK_SILENT); /* nobody else has so many */
    else if (row->count > gate->most)
        link_cut(oldest_may_go(row, patience_ms[stage]) ? row->place[0].link : greediest(row),
                 LINK_SILENT);
}

void gate_leave(struct gate *gate, const struct link *link, enum gate_stage stage)
{
    struct row *row = &gate->row[stage];
    unsigned at = 0;

    while (at < row->count && row->place[at].link != link)
        at++;
    if (at == row->count)
        return;
    (void)count_mates(row, row->place[at].source, -1);
    row->count--;
    memmove(&row->place[at], &row->place[at + 1], (row->count - at) * sizeof row->place[0]);
}

void gate_make_way(struct gate *gate)
{
    if (oldest_may_go(&gate->row[GATE_STRANGER], WAY_MS))
        link_cut(gate->row[GATE_STRANGER].place[0].link, LINK_SILENT);
    else if (oldest_may_go(&gate->row[GATE_ANSWERED], patience_ms[GATE_ANSWERED]))
        link_cut(gate->row[GATE_ANSWERED].place[0].link, LINK_SILENT);
    else if (oldest_may_go(&gate->row[GATE_KNOWN], patience_ms[GATE_KNOWN]))
        link_cut(gate->row[GATE_KNOWN].place[0].link, LINK_SILENT);
}
