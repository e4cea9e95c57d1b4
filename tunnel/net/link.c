#include "net/link.h"

#include "net/link_inside.h"
#include "net/link_report.h"

#include <stdlib.h>
#include <string.h>

enum { REST_MS = 100 };

static void out_changed(void *owner);

/* ---- life ---- */

struct link *link_new(const struct net *net, struct sock *sock, enum link_side side,
                      const struct link_handler *handler, void *owner)
{
    struct link *l = calloc(1, sizeof *l);
    int result = UV_ENOMEM;

    if (l != NULL) {
        uv_update_time(&net->loop->uv);
        uint64_t now = uv_now(&net->loop->uv);
        result = side == LINK_CONNECTOR
                     ? usi_channel_connect(&l->channel, net->crypto, net->ring, &net->settings, now)
                     : usi_channel_listen(&l->channel, net->crypto, net->ring, &net->settings, now);
    }
    if (result == 0)
        result = uv_timer_init(&net->loop->uv, &l->timer);
    if (result != 0) {
        if (l != NULL)
            usi_channel_free(l->channel);
        free(l);
        sock_close(sock, NULL, NULL);
        return NULL;
    }
    l->net = net;
    l->sock = sock;
    l->side = side;
    l->handler = handler;
    l->owner = owner;
    l->handshake_by = UINT64_MAX;
    l->finish_by = UINT64_MAX;
    l->answer = -1;
    l->open_handles = 2;
    l->timer.data = l;
    writer_init(&l->out, net->loop, out_changed, l);
    writer_to_stream(&l->out, &sock->uv.stream);
    sock_tune(sock);
    sock_peer(sock, l->peer);
    sock_source(sock, l->source);
    return l;
}

void link_set_handler(struct link *l, const struct link_handler *handler, void *owner)
{
    l->handler = handler;
    l->owner = owner;
}

struct usi_channel *link_channel(struct link *l)
{
    return l->channel;
}

uint64_t link_age(const struct link *l)
{
    return link_now(l) - l->started;
}

const char *link_peer(const struct link *l)
{
    return l->peer;
}

const char *link_source(const struct link *l)
{
    return l->source;
}

static void handle_closed(struct link *l)
{
    if (--l->open_handles > 0)
        return;
    writer_drop(&l->out);
    block_release(l->net->loop, l->in);
    link_report_end(l->net, l->peer, l->channel, l->authenticated, &l->end);
    l->handler->closed(l->owner, &l->end);
    usi_channel_free(l->channel);
    free(l);
}

static void sock_closed(void *owner)
{
    handle_closed(owner);
}

static void timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void close_handles(struct link *l)
{
    if (l->state == CLOSING)
        return;
    l->state = CLOSING;
    link_leave_others(l);
    uv_close((uv_handle_t *)&l->timer, timer_closed);
    sock_close(l->sock, sock_closed, l);
}

static void close_with(struct link *l, struct link_end end)
{
    if (l->state == CLOSING)
        return;
    if (l->state != FINISHING) /* else the end was known before */
        l->end = end;
    close_handles(l);
}

void link_close_because(struct link *l, enum link_cause cause, int error)
{
    close_with(l, (struct link_end){.cause = cause, .error = error});
}

void link_cut(struct link *l, enum link_cause cause)
{
    link_close_because(l, cause, 0);
}

/* Records pass: a link at rest is no longer. */
static void use(struct link *l)
{
    l->used_at = link_now(l);
    if (!l->resting)
        return;
    l->resting = false;
    link_arm(l);
}

/* ---- sending ---- */

/* Nothing waits any more: end of file. */
static void shut_if_done(struct link *l)
{
    if (l->state != FINISHING || l->shut || usi_channel_waiting(l->channel) || writer_busy(&l->out))
        return;
    l->shut = true;
    /* A peer that has gone already is found out by the read. */
    (void)uv_shutdown(&l->shutdown, &l->sock->uv.stream, NULL);
}

/* Seals what waits, and octets[0..size-1] behind it, and writes. */
static void seal_and_write(struct link *l, const uint8_t *octets, size_t size)
{
    struct block *block = block_get(l->net->loop, usi_channel_sealed_size(size) + USI_SEND_ROOM);

    use(l);
    size_t taken = 0, made = 0;
    int result = USI_ERR_INTERNAL;

    if (block != NULL)
        result =
            usi_channel_send(l->channel, octets, size, &taken, block->octets, block->size, &made);
    if (result != 0 || taken != size) {
        block_release(l->net->loop, block);
        link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
        return;
    }
    /* An error of the socket is not the end yet: the peer may have said why in what it sent
     * before. */
    (void)writer_put(&l->out, block, block->octets, made);
    block_release(l->net->loop, block);
    (void)writer_flush(&l->out);
}

void link_flush(struct link *l)
{
    if (l->state == CLOSING)
        return;
    if (usi_channel_waiting(l->channel) && !writer_busy(&l->out) && l->out.error == 0)
        seal_and_write(l, NULL, 0);
    shut_if_done(l);
}

size_t link_room(const struct link *l)
{
    return l->state == UP && !writer_busy(&l->out) && l->out.error == 0
               ? usi_channel_room(l->channel)
               : 0;
}

bool link_send(struct link *l, const uint8_t *octets, size_t size)
{
    if (l->state != UP)
        return false;
    seal_and_write(l, octets, size);
    l->active_at = link_now(l);
    /* Time is told after the octets, for which there was room by the time before. */
    if (usi_channel_tick(l->channel, l->active_at) != 0)
        link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
    link_flush(l); /* a rekey may be due now, and there may be no room before it is through */
    return link_room(l) > 0;
}

/* Tells an owner that waits to go on. */
void link_feed(struct link *l)
{
    if (l->state != UP || !l->authenticated || link_room(l) == 0)
        return;
    l->handler->writable(l->owner);
}

static void out_changed(void *owner)
{
    struct link *l = owner;

    link_flush(l);
    if (l->state == UP && l->authenticated && !writer_busy(&l->out) && l->out.error == 0) {
        l->handler->writable(l->owner);
    }
}

/* ---- receiving ---- */

/* Gives the owner the data that is new since the last time. */
static void tell_data(struct link *l)
{
    size_t size = l->to.used - l->told;

    if (size == 0)
        return;
    const uint8_t *at = l->to.base + l->told;
    l->told = l->to.used;
    l->active_at = link_now(l);
    l->handler->data(l->owner, l->in, at, size);
}

static void drop_buffer(struct link *l)
{
    block_release(l->net->loop, l->in);
    l->in = NULL;
    l->to = (struct usi_buffer){0};
    l->told = 0;
}

/* `left` octets of input wait to be opened into it. */
static bool new_buffer(struct link *l, size_t left)
{
    size_t room = left > LOOP_READ_CROWD ? left + USI_RECORD_ROOM : USI_RECORD_ROOM;

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
    l->handshake_by = UINT64_MAX;
    if (l->stretching.state != STRETCH_NOT)
        stretch_over(l->net->stretch, &l->stretching, STRETCH_RIGHT);
    link_report_authenticated(l->net, l->peer, l->channel, l->side);
    l->handler->authenticated(l->owner);
}

static void tell_bye(struct link *l)
{
    struct usi_counts counts;

    usi_channel_counts(l->channel, &counts);
    if (counts.streams == 0)
        l->handler->checked(l->owner);
    else
        l->handler->bye(l->owner);
}

/* `left` octets of input are not opened yet. */
static void tell_event(struct link *l, const struct usi_event *event, size_t left)
{
    if (event->type != USI_EVENT_NONE)
        tell_data(l);
    if (l->state != UP)
        return;
    switch (event->type) {
    case USI_EVENT_ROOM:
        if (!new_buffer(l, left))
            link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
        break;
    case USI_EVENT_KNOCK:
        link_report_knock(l->net, l->peer, l->channel);
        l->handler->knocked(l->owner);
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
        l->handler->ended(l->owner);
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
        close_with(l, (struct link_end){.cause = LINK_ABORTED, .reason = event->reason});
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

    use(l);
    if (usi_channel_tick(l->channel, link_now(l)) != 0) {
        link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
        return;
    }
    while (size > 0 && l->state == UP) {
        if ((l->authenticated || l->held) && l->in == NULL && !new_buffer(l, size)) {
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
        news = news || event.type != USI_EVENT_NONE;
        tell_event(l, &event, size);
    }
    if (l->state == UP)
        tell_data(l);
    if (l->authenticated)
        l->handler->data_done(l->owner);
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

/* ---- time ---- */

static uint64_t idle_by(const struct link *l)
{
    bool counts = l->net->idle_ms > 0 && l->authenticated && !l->waiting;

    return counts ? l->active_at + l->net->idle_ms : UINT64_MAX;
}

/* Did a slow end, ours or the peer's, take anything since the last look? */
static bool has_moved(struct link *l)
{
    uint64_t moved = writer_moved(&l->out);

    if (l->handler->moved != NULL)
        moved += l->handler->moved(l->owner);
    if (moved == l->moved)
        return false;
    l->moved = moved;
    l->active_at = link_now(l);
    return true;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When a link that nothing passes gives back what it does not need. */
static uint64_t rest_at(const struct link *l)
{
    return l->authenticated && !l->resting ? l->used_at + REST_MS : UINT64_MAX;
}

static void on_timer(uv_timer_t *timer)
{
    struct link *l = timer->data;
    uint64_t now = link_now(l);

    if (now >= l->handshake_by) {
        link_close_because(l, LINK_SILENT, 0);
    } else if (now >= l->finish_by) {
        close_handles(l);
    } else if (l->state == UP && now >= idle_by(l) && !has_moved(l)) {
        link_abort(l, USI_REASON_IDLE);
        l->end.cause = LINK_IDLE;
    } else if (l->state == UP && usi_channel_tick(l->channel, now) != 0) {
        link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
    } else if (l->state == UP) {
        link_flush(l);
        if (now >= rest_at(l)) {
            usi_channel_rest(l->channel);
            l->resting = true;
        }
    }
    link_arm(l);
}

void link_arm(struct link *l)
{
    if (l->state == CLOSING)
        return;
    uint64_t due = least(l->handshake_by, l->finish_by);
    if (l->state == UP)
        due = least(least(due, rest_at(l)), least(idle_by(l), usi_channel_deadline(l->channel)));
    if (due == UINT64_MAX) {
        (void)uv_timer_stop(&l->timer);
        return;
    }
    uint64_t now = link_now(l);
    (void)uv_timer_start(&l->timer, on_timer, due > now ? due - now : 0, 0);
}

/* ---- beginning and end ---- */

void link_start(struct link *l)
{
    uint64_t now = link_now(l);

    l->state = UP;
    l->started = now;
    l->active_at = now;
    if (l->net->handshake_ms > 0)
        l->handshake_by = now + l->net->handshake_ms;
    net_report(l->net, (struct report){.type = l->side == LINK_CONNECTOR ? REPORT_CONNECTED
                                                                         : REPORT_ACCEPTED,
                                       .peer = l->peer,
                                       .mode = l->net->settings.mode});
    link_arm(l);
    link_flush(l);
    link_read_or_not(l);
}

void link_finish_now(struct link *l)
{
    l->state = FINISHING;
    l->handshake_by = UINT64_MAX;
    l->finish_by = link_now(l) + l->net->drain_ms;
    link_flush(l);
    link_arm(l);
    link_read_or_not(l);
}

void link_expect(struct link *l, uint64_t ms)
{
    l->handshake_by = ms > 0 ? link_now(l) + ms : UINT64_MAX;
    link_arm(l);
}

void link_finish(struct link *l)
{
    if (l->state != UP)
        return;
    l->end = (struct link_end){.cause = LINK_CLEAN};
    link_finish_now(l);
}

void link_abort(struct link *l, enum usi_reason reason)
{
    if (l->state != UP)
        return;
    const struct link_end end = {.cause = LINK_GAVE_UP, .reason = (uint8_t)reason};
    if ((!l->authenticated && !l->held) || usi_channel_abort(l->channel, (uint8_t)reason) != 0) {
        close_with(l, end);
        return;
    }
    l->end = end;
    link_finish_now(l);
}
