#include "cli/progress.h"

#include "apps/transfer_records.h"
#include "cli/amount.h"
#include "cli/say.h"
#include "text/text.h"
#include "text/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHOWN_MAX = 64,
    RATE_WINDOW = 16 /* looks that the rate is taken over */
};

struct shown {
    bool used, moving;
    unsigned number;
    uint64_t done, octets, moved;
    uint64_t told_ms;
    char name[TRANSFER_OFFER_NAME + 1];
};

struct progress {
    uint64_t moved_at[RATE_WINDOW]; /* octets moved by all, at the latest looks */
    unsigned looks;
    uint64_t moved_before; /* by those that are over */
    struct shown shown[SHOWN_MAX];
};

struct progress *progress_new(void)
{
    return calloc(1, sizeof(struct progress));
}

void progress_free(struct progress *p)
{
    free(p);
}

/* NULL: there is no place for another. */
static struct shown *find(struct progress *p, unsigned number)
{
    struct shown *empty = NULL;

    for (size_t i = 0; i < SHOWN_MAX; i++) {
        if (p->shown[i].used && p->shown[i].number == number)
            return &p->shown[i];
        if (!p->shown[i].used && empty == NULL)
            empty = &p->shown[i];
    }
    if (empty != NULL)
        *empty = (struct shown){.used = true, .number = number};
    return empty;
}

void progress_set(struct progress *p, unsigned number, uint64_t done, uint64_t octets,
                  uint64_t moved)
{
    struct shown *s = find(p, number);

    if (s == NULL)
        return;
    s->moving = true;
    s->done = done;
    s->octets = octets;
    s->moved = moved;
}

void progress_name(struct progress *p, unsigned number, const char *name)
{
    struct shown *s = find(p, number);

    if (s != NULL)
        (void)snprintf(s->name, sizeof s->name, "%s", name);
}

void progress_drop(struct progress *p, unsigned number)
{
    struct shown *s = find(p, number);

    if (s == NULL)
        return;
    p->moved_before += s->moved;
    s->used = false;
}

bool progress_due(struct progress *p, unsigned number, uint64_t now_ms)
{
    struct shown *s = find(p, number);

    if (s == NULL || (s->told_ms != 0 && now_ms - s->told_ms < PROGRESS_MS))
        return false;
    s->told_ms = now_ms;
    return true;
}

/* As much of a name as fits `columns`; what is not ASCII may be two wide. */
static size_t name_that_fits(char *to, const char *name, size_t columns)
{
    char shown[SAY_ESCAPED * TRANSFER_OFFER_NAME + 1];
    size_t size = say_escape(shown, name, strnlen(name, TRANSFER_OFFER_NAME)), at = 0, wide = 0;

    while (at < size) {
        uint32_t point;
        size_t n = utf8_decode(shown + at, size - at, &point);
        wide += point < 0x80 ? 1 : 2;
        if (n == 0 || wide > columns)
            break;
        at += n;
    }
    memcpy(to, shown, at);
    return at;
}

/* Octets a second over the last few looks. */
static uint64_t rate(struct progress *p, uint64_t moved)
{
    unsigned back = p->looks < RATE_WINDOW ? p->looks : RATE_WINDOW;
    uint64_t then = back > 0 ? p->moved_at[(p->looks - back) % RATE_WINDOW] : moved;

    p->moved_at[p->looks++ % RATE_WINDOW] = moved;
    return back > 0 && moved > then ? (moved - then) * 1000 / ((uint64_t)back * PROGRESS_MS) : 0;
}

static struct shown sum(const struct progress *p, unsigned *count)
{
    struct shown all = {.moved = p->moved_before};

    *count = 0;
    for (size_t i = 0; i < SHOWN_MAX; i++) {
        const struct shown *s = &p->shown[i];
        if (!s->used || !s->moving)
            continue;
        if (++*count == 1)
            memcpy(all.name, s->name, sizeof all.name);
        all.done += s->done;
        all.octets += s->octets;
        all.moved += s->moved;
    }
    if (*count > 1)
        (void)snprintf(all.name, sizeof all.name, text("%u peers"), *count);
    return all;
}

size_t progress_line(struct progress *p, char *line, size_t columns)
{
    char facts[160], left[AMOUNT_TEXT] = "--", done[AMOUNT_TEXT], octets[AMOUNT_TEXT],
                     speed[AMOUNT_TEXT];
    unsigned count;
    const struct shown all = sum(p, &count);
    uint64_t per_second = rate(p, all.moved);
    uint64_t rest = all.octets > all.done ? all.octets - all.done : 0;

    if (count == 0)
        return 0;
    unsigned percent =
        all.octets > 0 ? (unsigned)((double)(all.octets - rest) * 100 / (double)all.octets) : 100;
    if (per_second > 0)
        amount_seconds(left, rest / per_second);
    amount_octets(done, all.done);
    amount_octets(octets, all.octets);
    amount_octets(speed, per_second);
    if (columns == 0)
        (void)snprintf(facts, sizeof facts, "%u%%  %s/s  %s", percent, speed, left);
    else
        (void)snprintf(facts, sizeof facts, text(" %3u%%  %s of %s  %s/s  %s left"), percent, done,
                       octets, speed, left);
    size_t size = strlen(facts);
    size_t used = name_that_fits(line, all.name, columns > size ? columns - size : 0);
    memcpy(line + used, facts, size + 1);
    return used + size;
}
