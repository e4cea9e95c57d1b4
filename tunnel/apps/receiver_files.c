/* The thread pool's part of a receiver: one job at a time. */
#include "apps/receiver_inside.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- in the thread pool ---- */

static void look(struct receiver *r)
{
    struct receiver_item *item = receiver_item(r, r->subject);

    if (!r->looking)
        item->file = inbox_entry(r->inbox, &item->entry, &r->answer);
    else
        inbox_file_look(item->file, &r->answer);
    r->looking = r->answer.what == INBOX_LOOKING;
    if (r->answer.what == INBOX_SKIP) {
        inbox_file_free(item->file);
        item->file = NULL;
    }
}

static void end_folder(struct receiver *r)
{
    const struct receiver_item *item = receiver_item(r, r->subject);

    r->answer.reason = inbox_folder_end(r->inbox, &item->entry, item->folder->made, r->answer.text);
}

static void fail_file(struct receiver *r, struct receiver_item *item, enum transfer_reason reason)
{
    item->failed = true;
    r->done.failed = true;
    r->done.reason = (uint8_t)reason;
    (void)snprintf(r->done.text, sizeof r->done.text, "%s", inbox_file_text(item->file));
    inbox_file_free(item->file);
    item->file = NULL;
}

static void begin_file(struct receiver *r, struct receiver_item *item, uint64_t offset)
{
    enum transfer_reason reason = inbox_file_begin(item->file, offset);

    r->done.taken += offset;
    r->done.resumed += offset;
    r->done.begun = reason == TRANSFER_KEPT;
    r->done.begin = offset;
    if (reason != TRANSFER_KEPT)
        fail_file(r, item, reason);
}

static void write_chunk(struct receiver *r, struct receiver_item *item,
                        const struct transfer_record *record)
{
    enum transfer_reason reason = TRANSFER_KEPT;

    if (!item->failed)
        reason = inbox_file_write(item->file, record->chunk.octets, record->chunk.size);
    r->done.taken += record->chunk.size;
    if (reason != TRANSFER_KEPT)
        fail_file(r, item, reason);
}

/* A piece of a hole; true at its end. */
static bool write_hole(struct receiver *r, struct receiver_item *item, uint64_t hole)
{
    enum transfer_reason reason = TRANSFER_KEPT;
    uint64_t left = hole - r->hole_taken;
    uint64_t size = left < TRANSFER_HOLE_MAX || item->failed ? left : TRANSFER_HOLE_MAX;

    if (!item->failed)
        reason = inbox_file_hole(item->file, size);
    r->hole_taken += size;
    r->done.taken += size;
    if (reason != TRANSFER_KEPT)
        fail_file(r, item, reason);
    if (r->hole_taken < hole)
        return false;
    r->hole_taken = 0;
    return true;
}

static void keep_file(struct receiver *r, struct receiver_item *item,
                      const struct transfer_record *record)
{
    r->done.ended = true;
    if (item->failed)
        return;
    r->done.reason = (uint8_t)inbox_file_keep(item->file, record->done.size, record->done.mtime,
                                              record->done.mtime_ns, record->done.hash);
    (void)snprintf(r->done.text, sizeof r->done.text, "%s", inbox_file_text(item->file));
    inbox_file_free(item->file);
    item->file = NULL;
}

static void drop_file(struct receiver *r, struct receiver_item *item, uint8_t reason)
{
    r->done.ended = true;
    r->done.taken_back = !item->failed;
    if (!item->failed)
        r->done.reason = reason;
    inbox_file_free(item->file);
    item->file = NULL;
}

/* Works the next record of the queue off; true if it is done with. */
static bool work_record_off(struct receiver *r, const struct transfer_record *record)
{
    struct receiver_item *item = receiver_item(r, record->index);

    r->done.index = record->index;
    switch (record->type) {
    case TRANSFER_RECORD_BEGIN:
        begin_file(r, item, record->begin);
        return true;
    case TRANSFER_RECORD_CHUNK:
        write_chunk(r, item, record);
        return true;
    case TRANSFER_RECORD_HOLE:
        return write_hole(r, item, record->hole);
    case TRANSFER_RECORD_DONE:
        keep_file(r, item, record);
        return true;
    default:
        drop_file(r, item, record->reason);
        return true;
    }
}

/* Until a block's worth is done, or something has to be told. */
static void work_queue_off(struct receiver *r)
{
    struct record_cursor before = r->cursor;
    struct transfer_record record;
    const uint8_t *content;
    uint8_t type;
    size_t size;

    while (r->done.taken < RECEIVER_BLOCK && !r->done.failed && !r->done.ended &&
           record_queue_read(&r->queue, &r->cursor, &type, &content, &size)) {
        /* It was looked at before it was put there. */
        if (transfer_parse(&record, type, content, size) && !work_record_off(r, &record)) {
            r->cursor = before;
            return;
        }
        before = r->cursor;
    }
}

static void work(uv_work_t *request)
{
    struct receiver *r = request->data;

    switch (r->job) {
    case JOB_LOOK:
        look(r);
        break;
    case JOB_FOLDER_END:
        end_folder(r);
        break;
    case JOB_CONTENT:
        work_queue_off(r);
        break;
    case JOB_NONE:
        break;
    }
}

/* ---- in the loop's thread ---- */

static void worked(uv_work_t *request, int status)
{
    struct receiver *r = request->data;

    (void)status; /* nobody cancels a request */
    receiver_enter(r);
    receiver_look(r);
    receiver_leave(r);
}

static void start(struct receiver *r, enum receiver_job job)
{
    r->job = job;
    r->content_last = job == JOB_CONTENT;
    r->work.data = r;
    if (uv_queue_work(r->loop, &r->work, work, worked) == 0)
        return;
    r->job = JOB_NONE;
    receiver_fail(r, text("the thread pool takes no work"));
}

static bool may_end_folder(struct receiver *r)
{
    return !r->looking && r->first < r->next && receiver_item(r, r->first)->state == ITEM_LATER;
}

static bool may_look(const struct receiver *r)
{
    return r->looking || r->looked < r->next;
}

static void start_look(struct receiver *r)
{
    if (!r->looking)
        r->subject = r->looked++;
    start(r, JOB_LOOK);
}

static void start_content(struct receiver *r)
{
    r->cursor = record_queue_cursor(&r->queue);
    r->cursor_left = r->cursor.left;
    r->done = (struct receiver_done){0};
    start(r, JOB_CONTENT);
}

/* By turns: neither the looking at what is there waits for a long file, nor the writing for many
 * entries. Each job makes two replies at most. */
void receiver_work(struct receiver *r)
{
    if (r->job != JOB_NONE || r->state != RECEIVER_GETS || r->reply_count + 2 > RECEIVER_REPLIES)
        return;
    bool content = r->queue.used > 0;
    if (may_end_folder(r)) {
        r->subject = r->first;
        start(r, JOB_FOLDER_END);
    } else if (may_look(r) && (!content || r->content_last)) {
        start_look(r);
    } else if (content) {
        start_content(r);
    }
}

void receiver_free_files(struct receiver *r)
{
    for (size_t i = 0; i < TRANSFER_ENTRIES; i++)
        inbox_file_free(r->items[i].file);
    inbox_free(r->inbox);
    record_queue_free(&r->queue);
}
