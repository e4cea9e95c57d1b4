#include "apps/sender.h"

#include "apps/sender_inside.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_LEAST = 4096 /* a file goes in no smaller pieces than this, but for its last */ };

static void pump(struct sender *s);

/* ---- telling ---- */

void sender_tell(struct sender *s, struct transfer_event event)
{
    if (s->orphan)
        return;
    if (event.name == NULL)
        event.name = "";
    if (event.text == NULL)
        event.text = "";
    event.octets = s->offered.octets;
    event.done = s->acknowledged + s->passed;
    event.moved = s->acknowledged > s->resumed ? s->acknowledged - s->resumed : 0;
    s->sink(s->owner, &event);
}

static void end(struct sender *s, enum transfer_end how, const char *text)
{
    if (s->state == SENDER_OVER)
        return;
    s->state = SENDER_OVER;
    sender_tell(s, (struct transfer_event){.type = TRANSFER_EVENT_OVER,
                                           .end = how,
                                           .text = text,
                                           .files = s->offered.files,
                                           .folders = s->offered.folders,
                                           .gone_files = s->offered.files - s->files,
                                           .gone_folders = s->offered.folders - s->folders,
                                           .gone_octets = s->offered.octets - s->octets,
                                           .kept = s->kept,
                                           .skipped = s->skipped,
                                           .failed_here = s->failed_here,
                                           .failed_there = s->failed_there,
                                           .left_out = s->left_out});
}

static bool send_record(struct sender *s, const struct transfer_record *record)
{
    uint8_t content[TRANSFER_CONTROL_MAX];
    size_t size = transfer_write(record, content, sizeof content);

    if (size == 0 || s->carrier->room(s->to) < size)
        return false;
    s->carrier->record(s->to, (uint8_t)record->type, content, size);
    return true;
}

static void send_stop(struct sender *s, enum transfer_stop reason)
{
    if (s->state != SENDER_OVER)
        (void)send_record(
            s, &(struct transfer_record){.type = TRANSFER_RECORD_STOP, .reason = (uint8_t)reason});
}

void sender_fail(struct sender *s, const char *text)
{
    send_stop(s, TRANSFER_STOP_FAILED);
    end(s, TRANSFER_END_LOCAL, text);
}

static void broken(struct sender *s, const char *text)
{
    send_stop(s, TRANSFER_STOP_RULES);
    end(s, TRANSFER_END_BROKEN, text);
}

/* ---- entries ---- */

static void tell_item(struct sender *s, enum transfer_event_type type,
                      const struct sender_item *item)
{
    sender_tell(
        s, (struct transfer_event){
               .type = type, .name = item->path, .size = item->entry.size, .offset = item->offset});
}

static void tell_failed(struct sender *s, const struct sender_item *item, uint8_t reason)
{
    bool ours = item->spoilt != 0;
    const char *text = ours && item->why[0] != '\0' ? item->why : transfer_reason_text(reason);

    if (reason == TRANSFER_EXISTS) {
        s->skipped++;
        sender_tell(s, (struct transfer_event){
                           .type = TRANSFER_EVENT_SKIPPED, .name = item->path, .text = text});
        return;
    }
    if (ours)
        s->failed_here++;
    else
        s->failed_there++;
    sender_tell(s, (struct transfer_event){.type = TRANSFER_EVENT_FAILED,
                                           .name = item->path,
                                           .text = text,
                                           .reason = reason,
                                           .ours = ours});
}

/* The receiver has said what became of it, and all that belongs to it is sent. */
static void close_item(struct sender *s, struct sender_item *item, uint8_t reason)
{
    item->state = ITEM_CLOSED;
    s->passed += item->entry.size - item->sent;
    if (reason != TRANSFER_KEPT) {
        tell_failed(s, item, reason);
    } else if (item->entry.kind == TRANSFER_FILE) {
        s->kept++;
        tell_item(s, TRANSFER_EVENT_KEPT, item);
    }
    free(item->path);
    item->path = NULL;
    while (s->first < s->next && sender_item(s, s->first)->state == ITEM_CLOSED)
        s->first++;
}

/* ---- the receiver's records ---- */

static struct sender_item *find(struct sender *s, uint32_t index)
{
    if (s->state != SENDER_GIVES || index < s->first || index >= s->next)
        return NULL;
    struct sender_item *item = sender_item(s, index);
    return item->state == ITEM_CLOSED ? NULL : item;
}

/* Files are wanted, or not, in the order in which they were announced. */
static bool is_next_reply(struct sender *s, uint32_t index)
{
    if (s->replied < s->first)
        s->replied = s->first;
    for (; s->replied < s->next; s->replied++) {
        const struct sender_item *item = sender_item(s, s->replied);
        if (item->entry.kind == TRANSFER_FILE && item->state == ITEM_ANNOUNCED)
            return s->replied == index;
    }
    return false;
}

static void take_answer(struct sender *s, bool yes)
{
    if (s->state != SENDER_WAITS) {
        broken(s, text("the receiver answered what was not asked"));
    } else if (!yes) {
        end(s, TRANSFER_END_DECLINED, "");
    } else if ((s->walk = outbox_walk_new(s->outbox)) == NULL) {
        sender_fail(s, text("out of memory"));
    } else {
        s->state = SENDER_GIVES;
        sender_tell(s, (struct transfer_event){.type = TRANSFER_EVENT_ACCEPTED});
    }
}

static void take_want(struct sender *s, const struct transfer_record *r)
{
    struct sender_item *item = find(s, r->index);

    if (item == NULL || !is_next_reply(s, r->index) || r->want.offset > item->entry.size) {
        broken(s, text("the receiver wants what was not announced, or is not there"));
        return;
    }
    if (!r->want.wanted) {
        close_item(s, item, r->want.reason);
        return;
    }
    item->state = ITEM_WANTED;
    item->offset = r->want.offset;
    memcpy(item->hash, r->want.hash, sizeof item->hash);
}

static void take_kept(struct sender *s, uint32_t index, uint8_t reason)
{
    struct sender_item *item = find(s, index);
    bool file = item != NULL && item->entry.kind == TRANSFER_FILE;
    /* An empty file may be there already. */
    bool was_there = file && item->state == ITEM_ANNOUNCED && item->entry.size == 0 &&
                     reason == TRANSFER_KEPT && is_next_reply(s, index);

    bool was_served =
        file && item->state == ITEM_SERVED && (reason != TRANSFER_KEPT || item->spoilt == 0);

    if (item != NULL && (!file || was_there || was_served)) {
        close_item(s, item, reason);
    } else if (file && item->state == ITEM_BEGUN && !item->refused && reason != TRANSFER_KEPT) {
        item->refused = true;
        item->refusal = reason;
    } else {
        broken(s, text("the receiver has kept what it was not sent"));
    }
}

static void take_progress(struct sender *s, uint64_t progress)
{
    const bool waits = s->state == SENDER_WAITS || s->state == SENDER_GIVES;

    if (!waits || progress < s->acknowledged || progress > s->sent) {
        broken(s, text("the receiver has taken more than was sent, or less than before"));
        return;
    }
    s->signs++;
    s->acknowledged = progress;
    sender_tell(s, (struct transfer_event){.type = TRANSFER_EVENT_PROGRESS});
}

static void take_over(struct sender *s, const struct transfer_record *r)
{
    if (s->state != SENDER_GIVES || !s->all_sent || s->first != s->next ||
        r->over.kept != s->kept || r->over.skipped != s->skipped ||
        r->over.failed != s->failed_here + s->failed_there)
        broken(s, text("the receiver's count of what it has kept is not right"));
    else
        end(s, TRANSFER_END_DONE, "");
}

static void take(struct sender *s, const struct transfer_record *r)
{
    switch (r->type) {
    case TRANSFER_RECORD_ANSWER:
        take_answer(s, r->answer);
        break;
    case TRANSFER_RECORD_WANT:
        take_want(s, r);
        break;
    case TRANSFER_RECORD_KEPT:
        take_kept(s, r->index, r->reason);
        break;
    case TRANSFER_RECORD_PROGRESS:
        take_progress(s, r->progress);
        break;
    case TRANSFER_RECORD_OVER:
        take_over(s, r);
        break;
    case TRANSFER_RECORD_STOP:
        end(s, TRANSFER_END_STOPPED, transfer_stop_text(r->reason));
        break;
    default:
        broken(s, text("the receiver sent a record that only a sender sends"));
        break;
    }
}

void sender_take(struct sender *s, uint8_t type, const uint8_t *content, size_t size)
{
    struct transfer_record record;

    if (s->state == SENDER_OVER)
        return;
    sender_enter(s);
    if (transfer_parse(&record, type, content, size))
        take(s, &record);
    else
        broken(s, text("the receiver sent a record that cannot be read"));
    pump(s);
    sender_leave(s);
}

/* ---- our records ---- */

static bool send_offer(struct sender *s)
{
    const char *name = outbox_name(s->outbox);
    struct transfer_record offer = {.type = TRANSFER_RECORD_OFFER,
                                    .offer = {.files = s->offered.files,
                                              .octets = s->offered.octets,
                                              .name = name,
                                              .name_size = strnlen(name, TRANSFER_OFFER_NAME),
                                              .things = (uint32_t)outbox_count(s->outbox),
                                              .folders = s->offered.folders}};

    if (!send_record(s, &offer))
        return false;
    s->state = SENDER_WAITS;
    sender_tell(s, (struct transfer_event){.type = TRANSFER_EVENT_OFFER,
                                           .name = name,
                                           .things = offer.offer.things,
                                           .files = s->offered.files,
                                           .folders = s->offered.folders});
    return true;
}

static bool send_entry(struct sender *s)
{
    struct sender_item *item = sender_item(s, s->next);
    struct transfer_record record = {.type = TRANSFER_RECORD_ENTRY, .index = s->next};

    if (s->job == JOB_WALK || s->found_path == NULL || s->next - s->first >= TRANSFER_ENTRIES)
        return false;
    record.entry = s->found;
    if (!send_record(s, &record))
        return false;
    *item = (struct sender_item){.entry = s->found, .path = s->found_path};
    item->entry.index = s->next;
    s->found_path = NULL;
    s->next++;
    s->files += item->entry.kind == TRANSFER_FILE;
    s->folders += item->entry.kind == TRANSFER_FOLDER;
    s->octets += item->entry.size;
    return true;
}

static bool send_all(struct sender *s)
{
    const struct transfer_record record = {.type = TRANSFER_RECORD_ALL, .all = s->next};

    if (!s->walked || s->all_sent || s->found_path != NULL || !send_record(s, &record))
        return false;
    s->all_sent = true;
    return true;
}

static bool send_begin(struct sender *s, struct sender_load *l, struct sender_item *item)
{
    const struct transfer_record record = {
        .type = TRANSFER_RECORD_BEGIN, .index = l->index, .begin = l->begin};

    if (!send_record(s, &record))
        return false;
    l->begins = false;
    item->state = ITEM_BEGUN;
    item->sent = l->begin;
    s->sent += l->begin;
    s->resumed += l->begin;
    tell_item(s,
              item->offset == 0 ? TRANSFER_EVENT_BEGIN
              : l->begin == 0   ? TRANSFER_EVENT_RESTARTED
                                : TRANSFER_EVENT_RESUMED,
              item);
    return true;
}

/* How many octets of a file the next chunk may have; 0: wait. */
static size_t chunk_size(struct sender *s, const struct sender_load *l)
{
    size_t wanted = l->used - l->at, least = wanted < CHUNK_LEAST ? wanted : CHUNK_LEAST;
    size_t room = s->carrier->room(s->to);
    uint64_t flying = s->sent - s->acknowledged, window = s->carrier->window;

    if (room > s->carrier->chunk)
        room = s->carrier->chunk;
    room = room > TRANSFER_CHUNK_HEAD ? room - TRANSFER_CHUNK_HEAD : 0;
    if (window > 0 && room > (flying < window ? window - flying : 0))
        room = flying < window ? (size_t)(window - flying) : 0;
    if (room < least)
        return 0;
    return wanted < room ? wanted : room;
}

/* The head goes before the octets, over those that are sent already: no copy is made. */
static bool send_chunk(struct sender *s, struct sender_load *l, struct sender_item *item)
{
    size_t size = chunk_size(s, l);
    uint8_t *content = l->octets + l->at - TRANSFER_CHUNK_HEAD;
    const struct transfer_record record = {
        .type = TRANSFER_RECORD_CHUNK, .index = l->index, .chunk = {.offset = l->offset}};

    if (size == 0 || transfer_write(&record, content, TRANSFER_CHUNK_HEAD) == 0)
        return false;
    s->carrier->record(s->to, TRANSFER_RECORD_CHUNK, content, TRANSFER_CHUNK_HEAD + size);
    l->at += size;
    l->offset += size;
    item->sent += size;
    s->sent += size;
    return true;
}

static bool send_hole(struct sender *s, struct sender_load *l, struct sender_item *item)
{
    const struct transfer_record record = {
        .type = TRANSFER_RECORD_HOLE, .index = l->index, .hole = l->hole};

    if (!send_record(s, &record))
        return false;
    item->sent += l->hole;
    s->sent += l->hole;
    l->hole = 0;
    return true;
}

static bool send_done(struct sender *s, struct sender_load *l, struct sender_item *item)
{
    uint8_t reason = item->refused ? item->refusal : (uint8_t)l->spoilt;
    struct transfer_record record = {.type = TRANSFER_RECORD_SPOILT, .index = l->index};

    if (reason == 0) {
        record.type = TRANSFER_RECORD_DONE;
        record.done.size = l->done.size;
        record.done.mtime = l->done.mtime;
        record.done.mtime_ns = l->done.mtime_ns;
        record.done.hash = l->done.sha256;
    } else {
        record.reason = reason;
    }
    if (!send_record(s, &record))
        return false;
    l->ends = false;
    item->state = ITEM_SERVED;
    if (!item->refused) {
        item->spoilt = (uint8_t)l->spoilt;
        memcpy(item->why, l->why, sizeof item->why);
    } else {
        close_item(s, item, item->refusal);
    }
    return true;
}

/* The next record of the first load; false: it has to wait, or there is none. */
static bool send_load(struct sender *s)
{
    struct sender_load *l = &s->loads[s->front];

    if (s->waiting == 0)
        return false;
    struct sender_item *item = sender_item(s, l->index);
    if (item->refused) {
        l->at = l->used;
        l->hole = 0;
    }
    if (l->begins)
        return send_begin(s, l, item);
    if (l->at < l->used)
        return send_chunk(s, l, item);
    if (l->hole > 0)
        return send_hole(s, l, item);
    if (l->ends)
        return send_done(s, l, item);
    s->front = (s->front + 1) % SENDER_LOADS;
    s->waiting--;
    return true;
}

/* Sends what there is room for, and has the thread pool do what is missing. */
static void pump(struct sender *s)
{
    if (s->orphan)
        return;
    if (s->state == SENDER_OFFERS)
        (void)send_offer(s);
    while (s->state == SENDER_GIVES && !s->orphan && (send_entry(s) || send_all(s) || send_load(s)))
        sender_work(s);
    if (!s->orphan)
        sender_work(s);
}

void sender_go_on(struct sender *s)
{
    sender_enter(s);
    pump(s);
    sender_leave(s);
}

/* ---- jobs ---- */

static void look_at_load(struct sender *s)
{
    const struct sender_load *l = s->filling;

    if (!l->begins && l->used == 0 && l->hole == 0 && !l->ends)
        return; /* the part that is there is still being hashed */
    s->waiting++;
    s->fill += l->ends;
}

void sender_look(struct sender *s)
{
    enum sender_job job = s->job;

    s->job = JOB_NONE;
    if (s->orphan || s->state == SENDER_OVER)
        return;
    if (job == JOB_FILL) {
        look_at_load(s);
    } else if (s->step == OUTBOX_FAILED) {
        sender_fail(s, text("out of memory"));
        return;
    } else if (job == JOB_WALK && s->step == OUTBOX_END) {
        s->walked = true;
    } else if (job == JOB_WALK) {
        sender_found(s);
    } else if (s->step == OUTBOX_END) {
        outbox_walk_free(s->walk);
        s->walk = NULL;
        s->state = SENDER_OFFERS;
    }
    pump(s);
}

/* ---- life ---- */

struct sender *sender_new(uv_loop_t *loop, const struct outbox *outbox,
                          const struct carrier *carrier, void *to, transfer_sink *sink, void *owner)
{
    struct sender *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->loop = loop;
    s->outbox = outbox;
    s->carrier = carrier;
    s->to = to;
    s->sink = sink;
    s->owner = owner;
    return s;
}

void sender_start(struct sender *s)
{
    sender_enter(s);
    s->walk = outbox_walk_new(s->outbox);
    s->state = SENDER_SURVEYS;
    if (s->walk == NULL)
        sender_fail(s, text("out of memory"));
    pump(s);
    sender_leave(s);
}

void sender_stop(struct sender *s, enum transfer_stop reason)
{
    sender_enter(s);
    send_stop(s, reason);
    end(s, TRANSFER_END_GAVE_UP, "");
    sender_leave(s);
}

void sender_show(struct sender *s)
{
    const struct transfer_record record = {.type = TRANSFER_RECORD_PROGRESS, .progress = s->sent};

    if (s->state == SENDER_OVER || s->job == JOB_NONE)
        return;
    s->signs++;
    (void)send_record(s, &record);
}

uint64_t sender_moved(const struct sender *s)
{
    return s->acknowledged + s->signs;
}

void sender_enter(struct sender *s)
{
    s->inside++;
}

static void free_if_gone(struct sender *s)
{
    if (!s->orphan || s->inside > 0 || s->job != JOB_NONE)
        return;
    sender_free_files(s);
    for (size_t i = 0; i < TRANSFER_ENTRIES; i++)
        free(s->items[i].path);
    if (s->gone != NULL)
        s->gone(s->gone_owner);
    free(s);
}

void sender_leave(struct sender *s)
{
    s->inside--;
    free_if_gone(s);
}

void sender_free(struct sender *s, void (*gone)(void *owner), void *owner)
{
    if (s == NULL)
        return;
    s->orphan = true;
    s->gone = gone;
    s->gone_owner = owner;
    free_if_gone(s);
}
