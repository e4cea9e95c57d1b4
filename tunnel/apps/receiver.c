#include "apps/receiver.h"

#include "apps/receiver_inside.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACKNOWLEDGE = 1024 * 1024 /* octets between two `progress`, where there is no window */ };

static void pump(struct receiver *r);

/* ---- telling ---- */

static void tell(struct receiver *r, struct transfer_event event)
{
    if (r->orphan)
        return;
    if (event.name == NULL)
        event.name = "";
    if (event.text == NULL)
        event.text = "";
    event.octets = r->offered_octets;
    event.done = r->taken + r->passed;
    event.moved = r->taken - r->resumed;
    r->sink(r->owner, &event);
}

static void end(struct receiver *r, enum transfer_end how, const char *text)
{
    if (r->state == RECEIVER_OVER)
        return;
    r->state = RECEIVER_OVER;
    tell(r, (struct transfer_event){.type = TRANSFER_EVENT_OVER,
                                    .end = how,
                                    .text = text,
                                    .files = r->offered_files,
                                    .folders = r->offered_folders,
                                    .gone_files = r->offered_files - r->files,
                                    .gone_folders = r->offered_folders - r->folders,
                                    .gone_octets = r->offered_octets - r->octets,
                                    .kept = r->kept,
                                    .skipped = r->skipped,
                                    .failed_here = r->failed_here,
                                    .failed_there = r->failed_there});
}

static bool send_record(struct receiver *r, const struct transfer_record *record)
{
    uint8_t content[TRANSFER_REPLY_MAX];
    size_t size = transfer_write(record, content, sizeof content);

    if (size == 0 || r->carrier->room(r->to) < size)
        return false;
    r->carrier->record(r->to, (uint8_t)record->type, content, size);
    return true;
}

static void send_stop(struct receiver *r, enum transfer_stop reason)
{
    if (r->state != RECEIVER_OVER)
        (void)send_record(
            r, &(struct transfer_record){.type = TRANSFER_RECORD_STOP, .reason = (uint8_t)reason});
}

void receiver_fail(struct receiver *r, const char *text)
{
    send_stop(r, TRANSFER_STOP_FAILED);
    end(r, TRANSFER_END_LOCAL, text);
}

static void broken(struct receiver *r, const char *text)
{
    send_stop(r, TRANSFER_STOP_RULES);
    end(r, TRANSFER_END_BROKEN, text);
}

/* ---- replies ---- */

static void reply(struct receiver *r, const struct transfer_record *record)
{
    struct receiver_reply *place =
        &r->replies[(r->first_reply + r->reply_count) % RECEIVER_REPLIES];
    size_t size = transfer_write(record, place->content, sizeof place->content);

    place->type = (uint8_t)record->type;
    place->size = (uint8_t)size;
    r->reply_count++;
}

static void reply_kept(struct receiver *r, uint32_t index, uint8_t reason)
{
    reply(r, &(struct transfer_record){
                 .type = TRANSFER_RECORD_KEPT, .index = index, .reason = reason});
}

static void reply_want(struct receiver *r, uint32_t index, bool wanted)
{
    reply(r, &(struct transfer_record){.type = TRANSFER_RECORD_WANT,
                                       .index = index,
                                       .want = {.wanted = wanted,
                                                .offset = wanted ? r->answer.offset : 0,
                                                .hash = r->answer.sha256,
                                                .reason = wanted ? 0 : (uint8_t)r->answer.reason}});
}

/* ---- entries ---- */

static void close_item(struct receiver *r, struct receiver_item *item)
{
    item->state = ITEM_CLOSED;
    r->passed += item->entry.size - item->came;
    free(item->path);
    item->path = NULL;
    if (item->entry.kind == TRANSFER_FOLDER_END)
        free(item->folder);
    item->folder = NULL;
    while (r->first < r->next && receiver_item(r, r->first)->state == ITEM_CLOSED)
        r->first++;
}

static void tell_item(struct receiver *r, enum transfer_event_type type,
                      const struct receiver_item *item)
{
    tell(r, (struct transfer_event){
                .type = type, .name = item->path, .size = item->entry.size, .offset = item->asked});
}

/* What has become of an entry: told, and counted as the sender counts. */
static void tell_result(struct receiver *r, const struct receiver_item *item, uint8_t reason,
                        const char *text, bool ours)
{
    bool file = item->entry.kind == TRANSFER_FILE;

    if (reason == TRANSFER_KEPT) {
        r->kept += file;
        if (file)
            tell_item(r, TRANSFER_EVENT_KEPT, item);
        return;
    }
    struct transfer_event event = {.type = TRANSFER_EVENT_FAILED,
                                   .name = item->path,
                                   .text = text[0] != '\0' ? text : transfer_reason_text(reason),
                                   .reason = reason,
                                   .ours = ours};
    if (reason == TRANSFER_EXISTS) {
        event.type = TRANSFER_EVENT_SKIPPED;
        r->skipped++;
    } else if (ours) {
        r->failed_here++;
    } else {
        r->failed_there++;
    }
    tell(r, event);
}

/* ---- the sender's records ---- */

static void take_offer(struct receiver *r, const struct transfer_record *record)
{
    const size_t name_size = record->offer.name_size;

    if (r->state != RECEIVER_NEW) {
        broken(r, text("the sender made two offers"));
        return;
    }
    if (record->offer.things == 0 || (record->offer.things == 1) != (name_size > 0)) {
        broken(r, text("the sender does not say what it offers"));
        return;
    }
    r->state = RECEIVER_ASKS;
    r->offered_files = record->offer.files;
    r->offered_folders = record->offer.folders;
    r->offered_octets = record->offer.octets;
    r->offered_things = record->offer.things;
    memcpy(r->offered_name, record->offer.name, name_size); /* at most TRANSFER_OFFER_NAME */
    r->offered_name_size = name_size;
    tell(r, (struct transfer_event){.type = TRANSFER_EVENT_OFFER,
                                    .name = r->offered_name,
                                    .things = record->offer.things,
                                    .files = record->offer.files,
                                    .folders = record->offer.folders});
}

static void take_entry(struct receiver *r, const struct transfer_entry *entry)
{
    struct receiver_item *item = receiver_item(r, r->next);

    if (r->state != RECEIVER_GETS || r->all_came || entry->index != r->next ||
        r->next - r->first >= TRANSFER_ENTRIES || r->next == UINT32_MAX) {
        broken(r, text("the sender announced a file out of turn"));
        return;
    }
    const char *wrong = receiver_judge(r, entry);
    if (wrong != NULL) {
        broken(r, wrong);
        return;
    }
    *item = (struct receiver_item){.entry = *entry, .path = transfer_path_copy(entry)};
    item->entry.path = item->path;
    r->next++;
    if (item->path == NULL || !receiver_open_or_end(r, item))
        receiver_fail(r, text("out of memory"));
}

/* The file whose content comes now, if any does. */
static struct receiver_item *being_served(struct receiver *r)
{
    if (r->serving < r->first)
        r->serving = r->first;
    for (; r->serving < r->next; r->serving++) {
        struct receiver_item *item = receiver_item(r, r->serving);
        if (item->entry.kind != TRANSFER_FILE || item->state >= ITEM_SERVED)
            continue;
        return item->state == ITEM_ANNOUNCED ? NULL : item;
    }
    return NULL;
}

/* Is this content that may come now? Notes how far it brings the file. */
static bool fits(struct receiver_item *item, const struct transfer_record *record)
{
    uint64_t left = item->entry.size - item->came;

    switch (record->type) {
    case TRANSFER_RECORD_BEGIN:
        if (item->state != ITEM_WANTED || (record->begin != item->asked && record->begin != 0))
            return false;
        item->state = ITEM_BEGUN;
        item->came = record->begin;
        return true;
    case TRANSFER_RECORD_CHUNK:
        if (item->state != ITEM_BEGUN || record->chunk.offset != item->came ||
            record->chunk.size > left)
            return false;
        item->came += record->chunk.size;
        return true;
    case TRANSFER_RECORD_HOLE:
        if (item->state != ITEM_BEGUN || record->hole > left)
            return false;
        item->came += record->hole;
        return true;
    case TRANSFER_RECORD_DONE:
        if (item->state != ITEM_BEGUN || left > 0 || record->done.size != item->entry.size)
            return false;
        item->state = ITEM_SERVED;
        return true;
    default:
        item->state = ITEM_SERVED;
        return true;
    }
}

static void pause_or_not(struct receiver *r)
{
    bool pause = r->queue.used > (r->paused ? RECEIVER_HELD / 2 : RECEIVER_HELD);

    if (pause == r->paused || r->carrier->pause == NULL)
        return;
    r->paused = pause;
    r->carrier->pause(r->to, pause);
}

static void take_content(struct receiver *r, const struct transfer_record *record,
                         const uint8_t *content, size_t size)
{
    struct receiver_item *item = being_served(r);

    if (r->state != RECEIVER_GETS || item == NULL || record->index != item->entry.index ||
        !fits(item, record))
        broken(r, text("the sender sent what was not asked for, or out of order"));
    else if (!record_queue_put(&r->queue, (uint8_t)record->type, content, size))
        broken(r, text("the sender does not wait until what it sent is written"));
    else
        pause_or_not(r);
}

static void take_all(struct receiver *r, uint32_t count)
{
    if (r->state != RECEIVER_GETS || r->all_came || count != r->next || r->folder != NULL)
        broken(r, text("the sender's count of what it announced is not right"));
    else
        r->all_came = true;
}

void receiver_take(struct receiver *r, uint8_t type, const uint8_t *content, size_t size)
{
    struct transfer_record record;

    if (r->state == RECEIVER_OVER)
        return;
    receiver_enter(r);
    if (!transfer_parse(&record, type, content, size))
        broken(r, text("the sender sent a record that cannot be read"));
    else if (type == TRANSFER_RECORD_OFFER)
        take_offer(r, &record);
    else if (type == TRANSFER_RECORD_ENTRY)
        take_entry(r, &record.entry);
    else if (type >= TRANSFER_RECORD_BEGIN && type <= TRANSFER_RECORD_SPOILT)
        take_content(r, &record, content, size);
    else if (type == TRANSFER_RECORD_ALL)
        take_all(r, record.all);
    else if (type == TRANSFER_RECORD_PROGRESS)
        r->signs++;
    else if (type == TRANSFER_RECORD_STOP)
        end(r, TRANSFER_END_STOPPED, transfer_stop_text(record.reason));
    else
        broken(r, text("the sender sent a record that only a receiver sends"));
    pump(r);
    receiver_leave(r);
}

void receiver_answer(struct receiver *r, struct inbox *inbox)
{
    if (r->state != RECEIVER_ASKS) {
        inbox_free(inbox);
        return;
    }
    receiver_enter(r);
    r->state = inbox != NULL ? RECEIVER_GETS : RECEIVER_REFUSES;
    r->inbox = inbox;
    if (inbox != NULL) {
        reply(r, &(struct transfer_record){.type = TRANSFER_RECORD_ANSWER, .answer = true});
        if (!record_queue_init(&r->queue, RECEIVER_QUEUE))
            receiver_fail(r, text("out of memory"));
    }
    pump(r);
    receiver_leave(r);
}

void receiver_give_up(struct receiver *r, const char *why)
{
    receiver_enter(r);
    receiver_fail(r, why);
    receiver_leave(r);
}

/* ---- our records ---- */

static bool send_reply(struct receiver *r)
{
    const struct receiver_reply *first = &r->replies[r->first_reply];

    if (r->reply_count == 0 || r->carrier->room(r->to) < first->size)
        return false;
    r->carrier->record(r->to, first->type, first->content, first->size);
    r->first_reply = (r->first_reply + 1) % RECEIVER_REPLIES;
    r->reply_count--;
    return true;
}

static bool send_progress(struct receiver *r)
{
    const struct transfer_record record = {.type = TRANSFER_RECORD_PROGRESS, .progress = r->taken};
    uint64_t step = r->carrier->window > 0 ? r->carrier->window / 4 : ACKNOWLEDGE;
    bool idle = r->job == JOB_NONE && r->queue.used == 0;

    if (r->taken == r->acknowledged || (!idle && r->taken - r->acknowledged < step) ||
        !send_record(r, &record))
        return false;
    r->acknowledged = r->taken;
    return true;
}

static void send_over(struct receiver *r)
{
    const struct transfer_record record = {.type = TRANSFER_RECORD_OVER,
                                           .over = {.kept = r->kept,
                                                    .skipped = r->skipped,
                                                    .failed = r->failed_here + r->failed_there}};

    if (r->all_came && r->first == r->next && r->reply_count == 0 && r->job == JOB_NONE &&
        r->taken == r->acknowledged && send_record(r, &record))
        end(r, TRANSFER_END_DONE, "");
}

static void pump(struct receiver *r)
{
    const struct transfer_record no = {.type = TRANSFER_RECORD_ANSWER};

    if (r->orphan)
        return;
    if (r->state == RECEIVER_REFUSES && send_record(r, &no))
        end(r, TRANSFER_END_DECLINED, "");
    if (r->state != RECEIVER_GETS)
        return;
    while (send_reply(r))
        ;
    receiver_work(r);
    if (r->state == RECEIVER_GETS && !r->orphan) {
        (void)send_progress(r);
        send_over(r);
    }
}

void receiver_go_on(struct receiver *r)
{
    receiver_enter(r);
    pump(r);
    receiver_leave(r);
}

/* ---- jobs ---- */

static void look_at_look(struct receiver *r)
{
    struct receiver_item *item = receiver_item(r, r->subject);
    bool file = item->entry.kind == TRANSFER_FILE;
    uint8_t reason = (uint8_t)r->answer.reason;

    if (r->answer.what == INBOX_LOOKING)
        return;
    if (item->entry.kind == TRANSFER_FOLDER)
        item->folder->made = r->answer.made;
    if (r->answer.what == INBOX_WANT) {
        item->state = ITEM_WANTED;
        item->asked = r->answer.offset;
        reply_want(r, r->subject, true);
    } else if (item->entry.kind == TRANSFER_FOLDER_END && reason == TRANSFER_KEPT) {
        item->state = ITEM_LATER;
    } else {
        if (file && reason != TRANSFER_KEPT)
            reply_want(r, r->subject, false);
        else
            reply_kept(r, r->subject, reason);
        tell_result(r, item, reason, r->answer.text, true);
        close_item(r, item);
    }
}

static void look_at_folder_end(struct receiver *r)
{
    struct receiver_item *item = receiver_item(r, r->subject);
    uint8_t reason = (uint8_t)r->answer.reason;

    reply_kept(r, r->subject, reason);
    tell_result(r, item, reason, r->answer.text, true);
    close_item(r, item);
}

static void tell_begun(struct receiver *r, const struct receiver_item *item)
{
    tell_item(r,
              item->asked == 0     ? TRANSFER_EVENT_BEGIN
              : r->done.begin == 0 ? TRANSFER_EVENT_RESTARTED
                                   : TRANSFER_EVENT_RESUMED,
              item);
}

static void look_at_content(struct receiver *r)
{
    const struct receiver_done *d = &r->done;
    struct receiver_item *item = receiver_item(r, d->index);

    record_queue_drop(&r->queue, r->cursor_left, &r->cursor);
    r->taken += d->taken;
    r->resumed += d->resumed;
    if (d->begun)
        tell_begun(r, item);
    if (d->taken > d->resumed)
        tell(r, (struct transfer_event){.type = TRANSFER_EVENT_PROGRESS});
    /* A file that failed was told before its end comes. */
    if (d->failed || (d->ended && !item->failed)) {
        reply_kept(r, d->index, d->reason);
        tell_result(r, item, d->reason, d->text, !d->taken_back);
    }
    if (d->ended)
        close_item(r, item);
    if (!r->orphan)
        pause_or_not(r);
}

void receiver_look(struct receiver *r)
{
    enum receiver_job job = r->job;

    r->job = JOB_NONE;
    if (r->orphan || r->state == RECEIVER_OVER)
        return;
    if (job == JOB_LOOK)
        look_at_look(r);
    else if (job == JOB_FOLDER_END)
        look_at_folder_end(r);
    else
        look_at_content(r);
    pump(r);
}

/* ---- life ---- */

struct receiver *receiver_new(uv_loop_t *loop, const struct carrier *carrier, void *to,
                              transfer_sink *sink, void *owner)
{
    struct receiver *r = calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->loop = loop;
    r->carrier = carrier;
    r->to = to;
    r->sink = sink;
    r->owner = owner;
    return r;
}

void receiver_stop(struct receiver *r, enum transfer_stop reason)
{
    receiver_enter(r);
    send_stop(r, reason);
    end(r, TRANSFER_END_GAVE_UP, "");
    receiver_leave(r);
}

void receiver_show(struct receiver *r)
{
    const struct transfer_record record = {.type = TRANSFER_RECORD_PROGRESS,
                                           .progress = r->acknowledged};

    if (r->state != RECEIVER_ASKS && (r->state != RECEIVER_GETS || r->job == JOB_NONE))
        return;
    r->signs++;
    (void)send_record(r, &record);
}

uint64_t receiver_moved(const struct receiver *r)
{
    return r->taken + r->signs;
}

void receiver_enter(struct receiver *r)
{
    r->inside++;
}

static void free_if_gone(struct receiver *r)
{
    if (!r->orphan || r->inside > 0 || r->job != JOB_NONE)
        return;
    receiver_free_files(r);
    for (size_t i = 0; i < TRANSFER_ENTRIES; i++) {
        free(r->items[i].path);
        if (r->items[i].entry.kind == TRANSFER_FOLDER_END)
            free(r->items[i].folder);
    }
    receiver_free_folders(r);
    if (r->gone != NULL)
        r->gone(r->gone_owner);
    free(r);
}

void receiver_leave(struct receiver *r)
{
    r->inside--;
    free_if_gone(r);
}

void receiver_free(struct receiver *r, void (*gone)(void *owner), void *owner)
{
    if (r == NULL)
        return;
    r->orphan = true;
    r->gone = gone;
    r->gone_owner = owner;
    free_if_gone(r);
}
