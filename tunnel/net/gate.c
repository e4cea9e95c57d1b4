#include "net/gate.h"

#include <string.h>
#include <sys/resource.h>

enum { DESCRIPTORS_KEPT = 32, DESCRIPTORS_OF_LOOP = 8, DESCRIPTORS_UNKNOWN = 1024 };

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

void gate_leave(struct gate_entry *entry)
{
    struct gate *gate = entry->gate;

    if (gate == NULL)
        return;
    entry->gate = NULL;
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        gate->oldest = entry->newer;
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        gate->newest = entry->older;
    gate->count--;
    if (gate->census != NULL) {
        atomic_fetch_sub(&gate->census->all, 1);
        atomic_fetch_sub(&gate->census->source[entry->bucket], 1);
    }
}

static void turn_out(struct gate_entry *entry)
{
    struct link *link = entry->link;

    gate_leave(entry);
    link_cut(link, LINK_SILENT);
}

void gate_make_way(struct gate *gate)
{
    if (gate->oldest != NULL && link_age(gate->oldest->link) >= GATE_PATIENCE_MS)
        turn_out(gate->oldest);
}

/* FNV-1a: who aims at a bucket of somebody else's makes that one's handshakes compete with his own.
 */
static unsigned bucket_of(const char *source)
{
    uint32_t hash = 2166136261u;

    for (; *source != '\0'; source++)
        hash = (hash ^ (unsigned char)*source) * 16777619u;
    return (hash ^ hash >> 16) % GATE_BUCKETS;
}

void gate_enter(struct gate *gate, struct gate_entry *entry, struct link *link)
{
    struct gate_entry *oldest_of_source = NULL;
    unsigned of_source = 0;

    for (struct gate_entry *e = gate->oldest; e != NULL; e = e->newer) {
        if (strcmp(link_source(e->link), link_source(link)) != 0)
            continue;
        if (oldest_of_source == NULL)
            oldest_of_source = e;
        of_source++;
    }
    unsigned all = gate->count, bucket = bucket_of(link_source(link));
    if (gate->census != NULL) { /* each loop may always have one */
        of_source = atomic_load(&gate->census->source[bucket]);
        all = atomic_load(&gate->census->all);
    }
    if (oldest_of_source != NULL && of_source >= GATE_SOURCE)
        turn_out(oldest_of_source);
    else if (gate->oldest != NULL && all >= GATE_ALL)
        turn_out(gate->oldest);
    *entry =
        (struct gate_entry){.older = gate->newest, .link = link, .gate = gate, .bucket = bucket};
    if (gate->census != NULL) {
        atomic_fetch_add(&gate->census->all, 1);
        atomic_fetch_add(&gate->census->source[bucket], 1);
    }
    if (gate->newest != NULL)
        gate->newest->newer = entry;
    else
        gate->oldest = entry;
    gate->newest = entry;
    gate->count++;
}
