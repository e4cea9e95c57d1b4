#include "apps/delivery.h"

#include "apps/receiver.h"
#include "apps/sender.h"
#include "apps/transfer_records.h"
#include "text/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOW_MS = 250 /* from one sign of life to the next */ };

struct delivery {
    struct delivery *next;
    struct link *link;     /* NULL: closed */
    struct sender *sender; /* or: */
    struct receiver *receiver;
    unsigned number;
    const struct delivery_handler *handler;
    void *owner;
    char peer[SOCK_TEXT];
    uv_timer_t timer;

    bool transfer_over; /* TRANSFER_EVENT_OVER came */
    bool end_called, bye_called, peer_ended;
    struct transfer_event last; /* TRANSFER_EVENT_OVER, its texts apart */
    enum outcome outcome;
    char text[OUTCOME_TEXT];
};

/* ---- the carrier: records on a link ---- */

static size_t room(void *to)
{
    const struct delivery *d = to;
    size_t octets = link_room(d->link);

    return octets < TRANSFER_RECORD_MAX ? octets : TRANSFER_RECORD_MAX;
}

static void send_record(void *to, uint8_t type, const uint8_t *content, size_t size)
{
    struct delivery *d = to;

    (void)link_record(d->link, type, content, size);
}

static void pause_link(void *to, bool paused)
{
    struct delivery *d = to;

    if (paused)
        link_pause(d->link);
    else
        link_resume(d->link);
}

static const struct carrier carrier = {
    .room = room, .record = send_record, .pause = pause_link, .chunk = TRANSFER_RECORD_MAX};

/* ---- the end ---- */

static void set_outcome(struct delivery *d, enum outcome outcome, const char *text)
{
    d->outcome = outcome;
    (void)snprintf(d->text, sizeof d->text, "%s", text);
}

static void add(struct delivery *d, const char **separator, const char *part)
{
    size_t used = strlen(d->text);

    (void)snprintf(d->text + used, sizeof d->text - used, "%s%s", *separator, part);
    *separator = ", ";
}

static void add_skipped(struct delivery *d, const char **separator)
{
    const uint32_t n = d->last.skipped;
    char part[TRANSFER_TEXT];

    if (n == 0)
        return;
    if (d->sender != NULL)
        (void)snprintf(part, sizeof part,
                       text_of("%" PRIu32 " is there already with other content (the receiver's "
                               "--overwrite replaces it)",
                               "%" PRIu32 " are there already with other content (the receiver's "
                               "--overwrite replaces them)",
                               n),
                       n);
    else
        (void)snprintf(part, sizeof part,
                       text_of("%" PRIu32 " is there already with other content (--overwrite "
                               "replaces it)",
                               "%" PRIu32 " are there already with other content (--overwrite "
                               "replaces them)",
                               n),
                       n);
    add(d, separator, part);
}

/* With a file its octets have gone: they are named only if nothing else is. */
static void describe_sent(char *part, size_t size, const struct transfer_event *e)
{
    if (e->gone_files > 0)
        (void)snprintf(part, size,
                       text_of("%" PRIu64 " of %" PRIu64 " files has gone since they were counted",
                               "%" PRIu64 " of %" PRIu64 " files have gone since they were counted",
                               e->gone_files),
                       e->gone_files, e->files);
    else if (e->gone_folders > 0)
        (void)snprintf(
            part, size,
            text_of("%" PRIu64 " of %" PRIu64 " folders has gone since they were counted",
                    "%" PRIu64 " of %" PRIu64 " folders have gone since they were counted",
                    e->gone_folders),
            e->gone_folders, e->folders);
    else
        (void)snprintf(part, size,
                       text("%" PRIu64 " of %" PRIu64 " octets have gone since they were counted"),
                       e->gone_octets, e->octets);
}

static void describe_came(char *part, size_t size, const struct transfer_event *e)
{
    if (e->gone_files > 0)
        (void)snprintf(part, size,
                       text("%" PRIu64 " of %" PRIu64 " files that were offered never came"),
                       e->gone_files, e->files);
    else if (e->gone_folders > 0)
        (void)snprintf(part, size,
                       text("%" PRIu64 " of %" PRIu64 " folders that were offered never came"),
                       e->gone_folders, e->folders);
    else
        (void)snprintf(part, size,
                       text("%" PRIu64 " of %" PRIu64 " octets that were offered never came"),
                       e->gone_octets, e->octets);
}

/* What a transfer that went to its end has left undone. */
static void judge_done(struct delivery *d)
{
    const struct transfer_event *e = &d->last;
    const bool sends = d->sender != NULL,
               gone = (e->gone_files | e->gone_folders | e->gone_octets) != 0;
    const uint32_t failed = e->failed_here + e->failed_there;
    const char *separator = ": ";
    char part[TRANSFER_TEXT];
    bool ours = e->failed_here > 0 || e->left_out > 0 || (sends ? gone : e->skipped > 0);

    if (transfer_event_whole(e))
        return;
    (void)snprintf(d->text, sizeof d->text, "%s: %s", d->peer,
                   failed + e->skipped > 0 ? text("not everything was kept")
                   : sends                 ? text("not everything was sent")
                                           : text("not everything came"));
    add_skipped(d, &separator);
    if (failed > 0) {
        (void)snprintf(part, sizeof part,
                       text_of("%" PRIu32 " failed", "%" PRIu32 " failed", failed), failed);
        add(d, &separator, part);
    }
    if (e->left_out > 0) {
        (void)snprintf(part, sizeof part,
                       text_of("%" PRIu32 " left out", "%" PRIu32 " left out", e->left_out),
                       e->left_out);
        add(d, &separator, part);
    }
    if (gone) {
        (sends ? describe_sent : describe_came)(part, sizeof part, e);
        add(d, &separator, part);
    }
    d->outcome = ours ? OUTCOME_LOCAL : OUTCOME_FAR;
}

/* Our direction has ended, and so has the peer's: says that all of it was worked off. */
static void go_on_ending(struct delivery *d)
{
    if (d->end_called && d->peer_ended && !d->bye_called)
        d->bye_called = usi_channel_bye(link_channel(d->link)) == 0;
    link_flush(d->link);
    if (d->bye_called && usi_channel_idle(link_channel(d->link)))
        link_finish(d->link);
}

static void end_in_order(struct delivery *d)
{
    d->end_called = true;
    /* A channel that has just failed takes none, and the link's last call says why it did. */
    (void)usi_channel_end(link_channel(d->link));
    go_on_ending(d);
}

static void transfer_is_over(struct delivery *d, const struct transfer_event *event)
{
    char why[OUTCOME_TEXT];

    d->transfer_over = true;
    d->last = *event;
    d->last.name = "";
    d->last.text = "";
    (void)snprintf(why, sizeof why, "%s: %s", d->peer, text(event->text));
    switch (event->end) {
    case TRANSFER_END_DONE:
        judge_done(d);
        end_in_order(d);
        break;
    case TRANSFER_END_DECLINED:
        if (d->sender != NULL)
            (void)snprintf(why, sizeof why, text("%s: its user does not want the files"), d->peer);
        else
            (void)snprintf(why, sizeof why, text("%s: its files were not taken"), d->peer);
        set_outcome(d, d->sender != NULL ? OUTCOME_FAR : OUTCOME_LOCAL, why);
        end_in_order(d);
        break;
    case TRANSFER_END_STOPPED:
        set_outcome(d, OUTCOME_FAR, why);
        link_abort(d->link, USI_REASON_STOPPING);
        break;
    case TRANSFER_END_BROKEN:
        set_outcome(d, OUTCOME_CUT, why);
        link_abort(d->link, USI_REASON_NOT_SUPPORTED);
        break;
    case TRANSFER_END_LOCAL:
        set_outcome(d, OUTCOME_LOCAL, why);
        link_abort(d->link, USI_REASON_LOCAL_IO);
        break;
    case TRANSFER_END_GAVE_UP: /* the link has closed: its end says what happened */
        break;
    }
}

static void on_event(void *owner, const struct transfer_event *event)
{
    struct delivery *d = owner;

    if (event->type == TRANSFER_EVENT_OVER)
        transfer_is_over(d, event);
    else
        d->handler->event(d->owner, d, event);
}

/* ---- the link ---- */

static void take_record(void *owner, uint8_t type, struct block *block, const uint8_t *at,
                        size_t size)
{
    struct delivery *d = owner;

    (void)block;
    if (d->sender != NULL)
        sender_take(d->sender, type, at, size);
    else
        receiver_take(d->receiver, type, at, size);
}

static void writable(void *owner)
{
    struct delivery *d = owner;

    if (d->transfer_over)
        link_flush(d->link);
    else if (d->sender != NULL)
        sender_go_on(d->sender);
    else
        receiver_go_on(d->receiver);
}

static void peer_ended(void *owner)
{
    struct delivery *d = owner;

    d->peer_ended = true;
    if (d->transfer_over) {
        go_on_ending(d);
        return;
    }
    char why[OUTCOME_TEXT];
    (void)snprintf(why, sizeof why, text("%s: ended in the middle of a transfer"), d->peer);
    set_outcome(d, OUTCOME_CUT, why);
    link_abort(d->link, USI_REASON_NOT_SUPPORTED);
}

static void said_bye(void *owner)
{
    go_on_ending(owner);
}

static uint64_t moved(void *owner)
{
    const struct delivery *d = owner;

    return d->sender != NULL ? sender_moved(d->sender) : receiver_moved(d->receiver);
}

/* A side that hashes, or asks its user, moves nothing, and is there all the same. */
static void on_timer(uv_timer_t *timer)
{
    struct delivery *d = timer->data;

    if (d->transfer_over)
        return;
    if (d->sender != NULL)
        sender_show(d->sender);
    else
        receiver_show(d->receiver);
}

/* No job works with anything of it any more. */
static void gone(void *owner)
{
    struct delivery *d = owner;

    d->handler->over(d->owner, d, &d->last, d->outcome, d->text);
    free(d);
}

static void timer_gone(uv_handle_t *handle)
{
    struct delivery *d = handle->data;

    if (d->sender != NULL)
        sender_free(d->sender, gone, d);
    else
        receiver_free(d->receiver, gone, d);
}

static void closed(void *owner, const struct link_end *end)
{
    struct delivery *d = owner;
    char why[OUTCOME_TEXT];
    /* A clean end leaves what the transfer itself came to. */
    enum outcome outcome = outcome_of_link(end, d->peer, why, sizeof why);

    if (d->outcome == OUTCOME_DONE)
        set_outcome(d, outcome, why);
    if (!d->transfer_over && d->sender != NULL)
        sender_stop(d->sender, TRANSFER_STOP_FAILED);
    else if (!d->transfer_over)
        receiver_stop(d->receiver, TRANSFER_STOP_FAILED);
    d->link = NULL;
    uv_close((uv_handle_t *)&d->timer, timer_gone);
}

static const struct link_handler handler_of_link = {
    .record = take_record,
    .ended = peer_ended,
    .bye = said_bye,
    .writable = writable,
    .moved = moved,
    .closed = closed,
};

/* ---- a link without a delivery: there was no memory for one ---- */

static void not_closed(void *owner, const struct link_end *end)
{
    (void)owner, (void)end;
}

static const struct link_handler deaf_handler = {
    .closed = not_closed,
};

/* ---- beginning ---- */

struct delivery *delivery_new(const struct net *net, struct link *link, const struct outbox *outbox,
                              unsigned number, const struct delivery_handler *handler, void *owner)
{
    struct delivery *d = calloc(1, sizeof *d);

    if (d != NULL && outbox != NULL)
        d->sender = sender_new(&net->loop->uv, outbox, &carrier, d, on_event, d);
    else if (d != NULL)
        d->receiver = receiver_new(&net->loop->uv, &carrier, d, on_event, d);
    if (d == NULL || (d->sender == NULL && d->receiver == NULL) ||
        uv_timer_init(&net->loop->uv, &d->timer) != 0) {
        if (d != NULL) {
            sender_free(d->sender, NULL, NULL);
            receiver_free(d->receiver, NULL, NULL);
        }
        free(d);
        link_set_handler(link, &deaf_handler, NULL);
        link_abort(link, USI_REASON_INTERNAL);
        return NULL;
    }
    d->link = link;
    d->number = number;
    d->handler = handler;
    d->owner = owner;
    d->outcome = OUTCOME_DONE;
    (void)snprintf(d->peer, sizeof d->peer, "%s", link_peer(link));
    link_set_handler(link, &handler_of_link, d);
    d->timer.data = d;
    (void)uv_timer_start(&d->timer, on_timer, SHOW_MS, SHOW_MS);
    if (d->sender != NULL)
        sender_start(d->sender);
    return d;
}

void delivery_answer(struct delivery *d, struct inbox *inbox)
{
    if (d->receiver != NULL && d->link != NULL)
        receiver_answer(d->receiver, inbox);
    else
        inbox_free(inbox);
}

void delivery_give_up(struct delivery *d, const char *why)
{
    if (d->receiver != NULL && d->link != NULL)
        receiver_give_up(d->receiver, why);
}

void delivery_cut(struct delivery *d)
{
    if (d->link != NULL)
        link_cut(d->link, LINK_CUT);
}

unsigned delivery_number(const struct delivery *d)
{
    return d->number;
}

const char *delivery_peer(const struct delivery *d)
{
    return d->peer;
}

struct delivery *delivery_next(const struct delivery *d)
{
    return d->next;
}

void delivery_set_next(struct delivery *d, struct delivery *next)
{
    d->next = next;
}
