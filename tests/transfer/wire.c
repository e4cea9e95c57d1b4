#include "wire.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void wire_join(struct wire *one, struct wire *other, size_t most)
{
    *one = (struct wire){.most = most, .other = other};
    *other = (struct wire){.most = most, .other = one};
    one->end = &one->first;
    other->end = &other->first;
}

struct wire_record *wire_take(struct wire *w)
{
    struct wire_record *record = w->first;

    if (record == NULL)
        return NULL;
    w->first = record->next;
    if (w->first == NULL)
        w->end = &w->first;
    w->waiting -= record->size;
    return record;
}

void wire_drop(struct wire *w)
{
    for (struct wire_record *record; (record = wire_take(w)) != NULL;)
        free(record);
}

size_t wire_room(void *to)
{
    const struct wire *w = to;
    size_t room = w->waiting < w->most ? w->most - w->waiting : 0;

    return room < TRANSFER_RECORD_MAX ? room : TRANSFER_RECORD_MAX;
}

void wire_record(void *to, uint8_t type, const uint8_t *content, size_t size)
{
    struct wire *w = to;
    struct wire_record *record = malloc(sizeof *record + size);

    ck_assert_ptr_nonnull(record);
    ck_assert_uint_le(size, wire_room(to));
    record->next = NULL;
    record->type = type;
    record->size = size;
    memcpy(record->content, content, size);
    *w->end = record;
    w->end = &record->next;
    w->waiting += size;
}

void wire_pause(void *to, bool paused)
{
    struct wire *w = to;

    ck_assert(w->other->paused != paused);
    w->other->paused = paused;
}

/* ---- events ---- */

static const char *name_of(enum transfer_event_type type)
{
    static const char *const names[] = {
        [TRANSFER_EVENT_OFFER] = "offer",         [TRANSFER_EVENT_ACCEPTED] = "accepted",
        [TRANSFER_EVENT_BEGIN] = "begin",         [TRANSFER_EVENT_RESUMED] = "resumed",
        [TRANSFER_EVENT_RESTARTED] = "restarted", [TRANSFER_EVENT_PROGRESS] = "progress",
        [TRANSFER_EVENT_KEPT] = "kept",           [TRANSFER_EVENT_SKIPPED] = "skipped",
        [TRANSFER_EVENT_LEFT_OUT] = "left out",   [TRANSFER_EVENT_FAILED] = "failed",
        [TRANSFER_EVENT_OVER] = "over",
    };

    return names[type];
}

static void take_over(struct witness *w, const struct transfer_event *event)
{
    (void)snprintf(w->over_text, sizeof w->over_text, "%s", event->text);
    w->over = *event;
    w->over.name = "";
    w->over.text = w->over_text;
}

void witness_event(void *owner, const struct transfer_event *event)
{
    struct witness *w = owner;

    ck_assert_int_ne(w->over.type, TRANSFER_EVENT_OVER);
    ck_assert_ptr_nonnull(event->name);
    ck_assert_ptr_nonnull(event->text);
    ck_assert_uint_ge(event->done, w->done);
    w->done = event->done;
    w->moved = event->moved;
    if (event->type == TRANSFER_EVENT_PROGRESS) {
        w->progress++;
        return;
    }
    int n = snprintf(w->log + w->used, sizeof w->log - w->used, "%s %.99s\n", name_of(event->type),
                     event->name);
    ck_assert_int_lt(n, (int)(sizeof w->log - w->used));
    w->used += (size_t)n;
    if (event->type == TRANSFER_EVENT_OVER)
        take_over(w, event);
    if (event->type == TRANSFER_EVENT_OFFER && w->receiver != NULL && !w->late) {
        struct inbox *inbox = w->inbox;
        w->inbox = NULL;
        receiver_answer(w->receiver, inbox);
    }
}

static bool has_line(const struct witness *w, const char *line)
{
    size_t size = strlen(line);

    for (const char *at = w->log; (at = strstr(at, line)) != NULL; at++)
        if ((at == w->log || at[-1] == '\n') && at[size] == '\n')
            return true;
    return false;
}

void witness_saw(const struct witness *w, const char *line)
{
    ck_assert_msg(has_line(w, line), "no \"%s\" in:\n%s", line, w->log);
}

void witness_did_not_see(const struct witness *w, const char *line)
{
    ck_assert_msg(!has_line(w, line), "\"%s\" in:\n%s", line, w->log);
}

void wire_settle(uv_loop_t *loop)
{
    (void)uv_run(loop, UV_RUN_DEFAULT);
}
