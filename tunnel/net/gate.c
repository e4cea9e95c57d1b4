#include "net/gate.h"

#include <string.h>
#include <sys/resource.h>

enum { DESCRIPTORS_KEPT = 32, DESCRIPTORS_UNKNOWN = 1024 };

unsigned gate_connections_max(unsigned descriptors)
{
    struct rlimit files;
    rlim_t limit = DESCRIPTORS_UNKNOWN;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        limit = files.rlim_cur;
    limit = limit > DESCRIPTORS_KEPT ? (limit - DESCRIPTORS_KEPT) / descriptors : 0;
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
    if (oldest_of_source != NULL && of_source >= GATE_SOURCE)
        turn_out(oldest_of_source);
    else if (gate->count >= GATE_ALL)
        turn_out(gate->oldest);
    *entry = (struct gate_entry){.older = gate->newest, .link = link, .gate = gate};
    if (gate->newest != NULL)
        gate->newest->newer = entry;
    else
        gate->oldest = entry;
    gate->newest = entry;
    gate->count++;
}
