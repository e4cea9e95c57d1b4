/* What a link takes in from its peer, and whether it reads at all. */
#include "net/link.h"
#include "net/link_inside.h"
#include "net/link_report.h"

#include <stdlib.h>

/* Gives the owner the data that is new since the last time. */
static void tell_data(struct link *l)
{
    size_t size = l->to.used - l->told;

    if (size == 0)
        return;
    const uint8_t *at = l->to.base + l->told;
    l->told = l->to.used;
    l->active_at = link_now(l);
    if (l->handler->data != NULL)
        l->handler->data(l->owner, l->in, at, size);
}

static void drop_buffer(struct link *l)
{
    block_release(l->net->loop, l->in);
    l->in = NULL;
    l->to = (struct usi_buffer){0};
    l->told = 0;
}

/* `left` octets of input wait to be opened into it. `any` record must fit; else so few octets that
 * they hardly begin a large one get no more room than they need. */
static bool new_buffer(struct link *l, size_t left, bool any)
{
    size_t room = left > LOOP_READ_CROWD          ? left + USI_RECORD_ROOM
                  : left > LOOP_BLOCK_TINY || any ? USI_RECORD_ROOM
                                                  : left;

    drop_buffer(l);
    l->in = block_get(l->net->loop, room);
    if (l->in == NULL)
        return false;
    l->to = (struct usi_buffer){.base = l->in->octets, .size = l->in->size};
    return true;
}

void link_tell_authenticated(struct link *l)
{
    l->authenticated = true;
    link_leave_gate(l);
    l->handshake_by = UINT64_MAX;
    link_stretch_over(l, STRETCH_RIGHT);
    free(l->stretching);
    l->stretching = NULL;
    link_report_authenticated(l->net, l->peer, l->channel, l->side);
    link_call(l, l->handler->authenticated);
}

static void tell_bye(struct link *l)
{
    struct usi_counts counts;

    usi_channel_counts(l->channel, &counts);
    if (counts.streams == 0)
        link_call(l, l->handler->checked);
    else
        link_call(l, l->handler->bye);
}

/* `left` octets of input are not opened yet. */
static void tell_event(struct link *l, const struct usi_event *event, size_t left)
{
    if (event->type == USI_EVENT_RECORD)
        l->told = l->to.used;
    else if (event->type != USI_EVENT_NONE)
        tell_data(l);
    if (l->state != UP)
        return;
    switch (event->type) {
    case USI_EVENT_ROOM:
        if (!new_buffer(l, left, true))
            link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
        break;
    case USI_EVENT_KNOCK:
        link_report_knock(l->net, l->peer, l->channel);
        link_reach(l, GATE_KNOWN);
        break;
    case USI_EVENT_AUTHENTICATED:
        if (usi_channel_held(l->channel))
            link_hold(l);
        else
            link_tell_authenticated(l);
        break;
    case USI_EVENT_SALT:
        link_stretch(l);
        break;
    case USI_EVENT_ASKED:
        net_report(l->net,
                   (struct report){.type = REPORT_ASKED, .peer = l->peer, .number = event->reason});
        break;
    case USI_EVENT_ANSWER:
        link_take_answer(l, event->reason);
        break;
    case USI_EVENT_OPEN:
        link_tell_open(l);
        break;
    case USI_EVENT_END:
        link_call(l, l->handler->ended);
        break;
    case USI_EVENT_CHECK:
        link_tell_check(l);
        break;
    case USI_EVENT_BYE:
        tell_bye(l);
        break;
    case USI_EVENT_REKEYED:
        link_report_rekeyed(l->net, l->peer, l->channel);
        break;
    case USI_EVENT_ABORT:
        link_close_with(l, (struct link_end){.cause = LINK_ABORTED, .reason = event->reason});
        break;
    case USI_EVENT_RECORD:
        l->active_at = link_now(l);
        if (l->handler->record != NULL)
            l->handler->record(l->owner, event->record, l->in, event->content, event->size);
        break;
    case USI_EVENT_NONE:
        break;
    }
}

static void take(struct link *l, const uint8_t *in, size_t size)
{
    struct usi_event event;
    size_t taken;
    bool news = false;

    link_use(l);
    if (usi_channel_tick(l->channel, link_now(l)) != 0) {
        link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
        return;
    }
    while (size > 0 && l->state == UP) {
        if ((l->authenticated || l->held) && l->in == NULL && !new_buffer(l, size, false)) {
            link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
            return;
        }
        int result = usi_channel_receive(l->channel, in, size, &taken, &l->to, &event);
        in += taken;
        size -= taken;
        if (result != 0) {
            if (l->side == LINK_LISTENER)
                link_report_try(l->net, l->peer, result);
            tell_data(l); /* what came before is authentic: nothing is lost */
            if (l->state == UP)
                link_close_because(l, l->authenticated || l->held ? LINK_BROKEN : LINK_FOREIGN,
                                   result);
            break;
        }
        news = news || (event.type != USI_EVENT_NONE && event.type != USI_EVENT_RECORD);
        tell_event(l, &event, size);
    }
    if (l->state == UP)
        tell_data(l);
    if (l->authenticated)
        link_call(l, l->handler->data_done);
    if (l->state == UP && !l->authenticated && usi_channel_waiting(l->channel))
        link_reach(l, GATE_ANSWERED);
    if (l->in != NULL && (l->state != UP || usi_channel_partial(l->channel) == 0))
        drop_buffer(l);
    link_flush(l);
    if (l->state == UP)
        link_watch_question(l);
    if (l->state == UP && news) { /* among them a rekey, after which data may go again */
        link_arm(l);
        link_feed(l);
    }
}

/* The peer's end of file, or an error of the socket. */
static void take_end(struct link *l, int error)
{
    struct usi_counts counts;

    usi_channel_counts(l->channel, &counts);
    /* A listener checks an identity after its connector has accepted it: closing then is a no too.
     */
    if (!l->authenticated || (l->side == LINK_CONNECTOR && !counts.heard &&
                              counts.mode == USI_MODE_IDENTITY && l->state == UP))
        link_close_because(l, LINK_REFUSED, error);
    else if (usi_channel_idle(l->channel) && counts.streams > 0)
        link_close_because(l, LINK_CLEAN, 0);
    else
        link_close_because(l, LINK_CUT, error);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct link *l = handle->data;
    size_t want = l->state == UP ? usi_channel_want(l->channel) : SIZE_MAX;
    size_t most = loop_read_size(l->net->loop);

    (void)suggested;
    if (want == 0)
        want = 1; /* it is not the peer's turn: whatever it says is wrong */
    *buf = uv_buf_init((char *)l->net->loop->read, (unsigned)(want < most ? want : most));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct link *l = stream->data;

    if (size < 0)
        take_end(l, sock_end_error(stream, size));
    else if (size > 0 && l->state == UP)
        take(l, (const uint8_t *)buf->base, (size_t)size);
}

void link_read_or_not(struct link *l)
{
    bool wanted =
        l->state == FINISHING || (l->state == UP && !l->paused && !(l->held && l->open_waits));

    if (wanted == l->reading || l->state == CLOSING)
        return;
    l->reading = wanted;
    l->sock->uv.stream.data = l;
    if (!wanted) {
        (void)uv_read_stop(&l->sock->uv.stream);
        return;
    }
    int result = uv_read_start(&l->sock->uv.stream, on_alloc, on_read);
    if (result != 0)
        link_close_because(l, l->authenticated ? LINK_CUT : LINK_REFUSED, result);
}

void link_pause(struct link *l)
{
    l->paused = true;
    link_read_or_not(l);
}

void link_wait(struct link *l)
{
    l->waiting = true;
    link_pause(l);
}

void link_resume(struct link *l)
{
    l->paused = false;
    if (l->waiting) {
        l->waiting = false;
        l->active_at = link_now(l);
        link_arm(l);
    }
    link_tell_waiting(l);
    link_read_or_not(l);
}
