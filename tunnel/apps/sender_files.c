/* The thread pool's part of a sender: one job at a time. */
#include "apps/sender_inside.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- in the thread pool ---- */

static void survey(struct sender *s)
{
    s->step = s->walk != NULL ? outbox_survey(s->walk, &s->offered) : OUTBOX_FAILED;
}

static void walk(struct sender *s)
{
    s->step = outbox_next(s->walk, &s->found, s->why, sizeof s->why);
    if (s->step == OUTBOX_END)
        return;
    s->found_path = transfer_path_copy(&s->found);
    if (s->found_path == NULL)
        s->step = OUTBOX_FAILED;
    s->found.path = s->found_path;
}

static void end_load(struct sender *s, struct sender_load *l, enum transfer_reason spoilt,
                     const char *why)
{
    l->ends = true;
    l->spoilt = spoilt;
    if (why != l->why)
        (void)snprintf(l->why, sizeof l->why, "%s", why);
    outbox_file_free(s->file);
    s->file = NULL;
}

/* Opens the file and finds where to begin; false if that is not done yet, or failed. */
static bool open_file(struct sender *s, struct sender_load *l)
{
    const struct sender_item *item = sender_item(s, s->fill);
    enum transfer_reason reason;

    if (s->file == NULL) {
        s->file = outbox_open(s->outbox, &item->entry, &reason, l->why, sizeof l->why);
        if (s->file == NULL) {
            end_load(s, l, reason, l->why);
            return false;
        }
        s->hashed = item->offset == 0;
        s->begun = false;
    }
    if (!s->hashed) {
        switch (outbox_file_resume(s->file, item->offset, item->hash)) {
        case OUTBOX_OK:
            break;
        case OUTBOX_MORE:
            return false;
        default:
            end_load(s, l, TRANSFER_READ, outbox_file_why(s->file));
            return false;
        }
        s->hashed = true;
    }
    return true;
}

/* Reads until the block is full, a hole begins, or the file ends. */
static void fill(struct sender *s)
{
    struct sender_load *l = s->filling;
    size_t size;

    if (!open_file(s, l))
        return;
    l->offset = outbox_file_offset(s->file);
    l->begins = !s->begun;
    l->begin = l->offset;
    s->begun = true;
    while (!l->ends && l->hole == 0 && l->used < SENDER_BLOCK) {
        enum outbox_step step =
            outbox_file_read(s->file, l->octets + l->used, SENDER_BLOCK - l->used, &size, &l->hole);
        if (step == OUTBOX_OK) {
            l->used += size;
            continue;
        }
        if (step == OUTBOX_END)
            step = outbox_file_finish(s->file, &l->done);
        if (step == OUTBOX_OK)
            end_load(s, l, TRANSFER_KEPT, "");
        else
            end_load(s, l, step == OUTBOX_CHANGED ? TRANSFER_CHANGED : TRANSFER_READ,
                     outbox_file_why(s->file));
    }
}

static void work(uv_work_t *request)
{
    struct sender *s = request->data;

    switch (s->job) {
    case JOB_SURVEY:
        survey(s);
        break;
    case JOB_WALK:
        walk(s);
        break;
    case JOB_FILL:
        fill(s);
        break;
    case JOB_NONE:
        break;
    }
}

/* ---- in the loop's thread ---- */

static void worked(uv_work_t *request, int status)
{
    struct sender *s = request->data;

    (void)status; /* nobody cancels a request */
    sender_enter(s);
    sender_look(s);
    sender_leave(s);
}

static void start(struct sender *s, enum sender_job job)
{
    s->job = job;
    s->walked_last = job == JOB_WALK;
    s->work.data = s;
    if (uv_queue_work(s->loop, &s->work, work, worked) == 0)
        return;
    s->job = JOB_NONE;
    sender_fail(s, text("the thread pool takes no work"));
}

/* The file to be read now; NULL if there is none. */
static struct sender_item *file_to_fill(struct sender *s)
{
    if (s->file != NULL)
        return sender_item(s, s->fill);
    if (s->fill < s->first)
        s->fill = s->first;
    for (; s->fill < s->next; s->fill++) {
        struct sender_item *item = sender_item(s, s->fill);
        if (item->entry.kind != TRANSFER_FILE || item->state == ITEM_CLOSED)
            continue;
        return item->state == ITEM_ANNOUNCED ? NULL : item;
    }
    return NULL;
}

static bool make_blocks(struct sender *s)
{
    for (int i = 0; i < SENDER_LOADS; i++) {
        if (s->loads[i].octets != NULL)
            continue;
        uint8_t *block = malloc(TRANSFER_CHUNK_HEAD + SENDER_BLOCK);
        if (block == NULL)
            return false;
        /* NOLINTNEXTLINE(analyzer-malloc-leak): freed from there */
        s->loads[i].octets = block + TRANSFER_CHUNK_HEAD;
    }
    return true;
}

/* Begins a load; true if a job has to fill it. */
static bool begin_load(struct sender *s)
{
    struct sender_item *item = file_to_fill(s);
    struct sender_load *l = &s->loads[(s->front + s->waiting) % SENDER_LOADS];

    if (s->waiting == SENDER_LOADS || item == NULL)
        return false;
    if (!make_blocks(s)) {
        sender_fail(s, text("out of memory"));
        return false;
    }
    /* NOLINTNEXTLINE(analyzer-malloc-leak): it keeps what it had */
    *l = (struct sender_load){.index = s->fill, .octets = l->octets};
    s->filling = l;
    if (!item->refused)
        return true;
    end_load(s, l, (enum transfer_reason)item->refusal, "");
    s->waiting++;
    s->fill++;
    return false;
}

static bool may_walk(const struct sender *s)
{
    return !s->walked && s->found_path == NULL && s->next - s->first < TRANSFER_ENTRIES;
}

/* By turns: neither the announcing of files waits for a long one, nor the sending for many. */
void sender_work(struct sender *s)
{
    if (s->job != JOB_NONE)
        return;
    if (s->state == SENDER_SURVEYS)
        start(s, JOB_SURVEY);
    if (s->state != SENDER_GIVES)
        return;
    bool walk_first = may_walk(s) && !s->walked_last;
    if (!walk_first && begin_load(s))
        start(s, JOB_FILL);
    else if (s->state == SENDER_GIVES && may_walk(s))
        start(s, JOB_WALK);
}

/* Is it in the folder, or the folder's end? */
static bool is_below(const char *path, const char *folder)
{
    size_t size = strlen(folder);

    return strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* Does it belong to a folder that came too late, or too late itself? The receiver's user has agreed
 * to what was offered, and to no more. */
static bool is_too_late(struct sender *s)
{
    const struct transfer_entry *e = &s->found;
    bool too_late = false;

    if (s->omitted != NULL && is_below(s->found_path, s->omitted))
        return true;
    free(s->omitted);
    s->omitted = NULL;
    if (e->kind == TRANSFER_FILE)
        too_late = s->files == s->offered.files || e->size > s->offered.octets - s->octets;
    else if (e->kind == TRANSFER_FOLDER)
        too_late = s->folders == s->offered.folders;
    if (too_late && e->kind == TRANSFER_FOLDER)
        s->omitted = strdup(s->found_path);
    return too_late;
}

void sender_found(struct sender *s)
{
    bool told = s->found.kind != TRANSFER_FOLDER_END;

    if (s->step == OUTBOX_OK) {
        if (!is_too_late(s))
            return;
        (void)snprintf(s->why, sizeof s->why, text("has come, or grown, since all was counted"));
    }
    if (s->step == OUTBOX_LEFT_OUT || told) {
        s->left_out++;
        sender_tell(s, (struct transfer_event){
                           .type = TRANSFER_EVENT_LEFT_OUT, .name = s->found_path, .text = s->why});
    }
    free(s->found_path);
    s->found_path = NULL;
}

void sender_free_files(struct sender *s)
{
    outbox_walk_free(s->walk);
    outbox_file_free(s->file);
    free(s->found_path);
    free(s->omitted);
    for (int i = 0; i < SENDER_LOADS; i++)
        if (s->loads[i].octets != NULL)
            free(s->loads[i].octets - TRANSFER_CHUNK_HEAD);
}
