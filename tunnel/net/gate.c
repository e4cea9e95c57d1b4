#include "net/gate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { DESCRIPTORS_KEPT = 32, DESCRIPTORS_OF_LOOP = 8, DESCRIPTORS_UNKNOWN = 1024 };

/* Of one loop at least, so that all of a burst can say who they are before one of them must go. */
enum { LEAST = 64 };

/* Of the places, those that one stage may have: strangers leave most to who has a key. */
enum { SHARE = 4 };

/* The oldest goes where half of all are older than this: that is no crowd that comes faster than
 * people do. A stranger's message 1 comes with its connection; then an answer takes a round trip,
 * or the time to stretch a password; a user takes his time. */
static const uint64_t patience_ms[GATE_STAGES] = {
    [GATE_STRANGER] = 0,
    [GATE_ANSWERED] = 3000,
    [GATE_KNOWN] = 3000,
    [GATE_IDENTIFIED] = UINT64_MAX,
};

enum { WAY_MS = 1000 }; /* the same for a stranger where all places are taken */

/* The oldest first; a column each for what is looked for. */
struct row {
    unsigned count, most;
    struct link *link[GATE_STRANGERS + 1];
    uint64_t source[GATE_STRANGERS + 1];
    uint16_t mates[GATE_STRANGERS + 1]; /* how many of its source there are, itself included */
};

struct gate {
    unsigned most_of_source;
    struct row row[GATE_STAGES];
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

/* What one of several loops may have of the places, or of `most` if that is less. */
static unsigned share_of(unsigned places, unsigned loops, unsigned most)
{
    unsigned share = places / SHARE < most ? places / SHARE : most;

    return share / loops > LEAST ? share / loops : LEAST;
}

struct gate *gate_new(unsigned places, unsigned loops)
{
    struct gate *gate = calloc(1, sizeof *gate);

    if (gate == NULL)
        return NULL;
    for (int stage = 0; stage < GATE_STAGES; stage++)
        gate->row[stage].most =
            share_of(places, loops, stage == GATE_STRANGER ? GATE_STRANGERS : GATE_ALL);
    /* Nobody makes way of those asked about: they must leave places whatever there are. */
    if (gate->row[GATE_IDENTIFIED].most > places / SHARE)
        gate->row[GATE_IDENTIFIED].most = places > SHARE ? places / SHARE : 1;
    gate->most_of_source = share_of(places / (GATE_ALL / GATE_SOURCE), loops, GATE_SOURCE);
    return gate;
}

void gate_free(struct gate *gate)
{
    free(gate);
}

/* How many there are of a source, after one more (1) or one less (-1). */
static unsigned count_mates(struct row *row, uint64_t source, int change)
{
    unsigned found = 0;

    for (unsigned i = 0; i < row->count; i++)
        found += row->source[i] == source;
    for (unsigned i = 0, left = found; left > 0; i++)
        if (row->source[i] == source) {
            row->mates[i] = (uint16_t)(row->mates[i] + change);
            left--;
        }
    return found;
}

/* The oldest of the source that has most. */
static struct link *greediest(const struct row *row)
{
    unsigned found = 0;

    for (unsigned i = 1; i < row->count; i++)
        if (row->mates[i] > row->mates[found])
            found = i;
    return row->link[found];
}

void gate_enter(struct gate *gate, struct link *link, enum gate_stage stage)
{
    struct row *row = &gate->row[stage];
    uint64_t source = link_source(link);
    unsigned mates = count_mates(row, source, 1) + 1;

    row->link[row->count] = link;
    row->source[row->count] = source;
    row->mates[row->count] = (uint16_t)mates;
    row->count++;
    if (mates > gate->most_of_source)
        link_cut(greediest(row), LINK_SILENT); /* nobody else has so many */
    else if (row->count > row->most)
        link_cut(link_age(row->link[row->count / 2]) >= patience_ms[stage] ? row->link[0]
                                                                           : greediest(row),
                 LINK_SILENT);
}

/* Where it is: count, if nowhere. It is most often the oldest, or one of the newest. */
static unsigned find(const struct row *row, const struct link *link)
{
    unsigned at = row->count;

    if (at > 0 && row->link[0] == link)
        return 0;
    while (at > 0 && row->link[at - 1] != link)
        at--;
    return at > 0 ? at - 1 : row->count;
}

/* The last `left` of a column of `size` octets each move to `at`, one place down. */
static void close_up(void *column, size_t size, unsigned at, unsigned left)
{
    uint8_t *to = (uint8_t *)column + at * size;

    memmove(to, to + size, left * size);
}

void gate_leave(struct gate *gate, const struct link *link, enum gate_stage stage)
{
    struct row *row = &gate->row[stage];
    unsigned at = find(row, link);

    if (at == row->count)
        return;
    (void)count_mates(row, row->source[at], -1);
    row->count--;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): they are pointers */
    close_up(row->link, sizeof row->link[0], at, row->count - at);
    close_up(row->source, sizeof row->source[0], at, row->count - at);
    close_up(row->mates, sizeof row->mates[0], at, row->count - at);
}

/* Its oldest, if that has had its time. */
static bool makes_way(const struct row *row, uint64_t patience)
{
    bool may = row->count > 0 && link_age(row->link[0]) >= patience;

    if (may)
        link_cut(row->link[0], LINK_SILENT);
    return may;
}

void gate_make_way(struct gate *gate)
{
    (void)(makes_way(&gate->row[GATE_STRANGER], WAY_MS) ||
           makes_way(&gate->row[GATE_ANSWERED], patience_ms[GATE_ANSWERED]) ||
           makes_way(&gate->row[GATE_KNOWN], patience_ms[GATE_KNOWN]));
}
