#include "net/link.h"

#include "net/link_inside.h"
#include "net/link_report.h"

#include <stdlib.h>
#include <string.h>

enum { REST_MS = 100 };

static void out_changed(void *owner);

/* ---- life ---- */

static struct link *allocate(const struct sock *sock)
{
    char peer[SOCK_TEXT];

    sock_peer(sock, peer);
    size_t size = strlen(peer) + 1;
    struct link *l = calloc(1, sizeof *l + size);
    if (l == NULL)
        return NULL;
    memcpy(l->peer, peer, size);
    l->source = sock_source(sock);
    return l;
}

struct link *link_new(const struct net *net, struct sock *sock, enum link_side side,
                      const struct link_handler *handler, void *owner)
{
    struct link *l = allocate(sock);
    int result = UV_ENOMEM;

    if (l != NULL) {
        uv_update_time(&net->loop->uv);
        uint64_t now = uv_now(&net->loop->uv);
        struct usi_settings settings = net->settings;
        settings.subject = l;
        l->side = side;
        result = side == LINK_CONNECTOR
                     ? usi_channel_connect(&l->channel, net->crypto, net->ring, &settings, now)
                     : usi_channel_listen(&l->channel, net->crypto, net->ring, &settings, now);
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

uint64_t link_source(const struct link *l)
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
    free(l->stretching);
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
    link_leave_gate(l);
    link_leave_others(l);
    uv_close((uv_handle_t *)&l->timer, timer_closed);
    sock_close(l->sock, sock_closed, l);
}

void link_close_with(struct link *l, struct link_end end)
{
    if (l->state == CLOSING)
        return;
    if (l->state != FINISHING) /* else the end was known before */
        l->end = end;
    close_handles(l);
}

void link_close_because(struct link *l, enum link_cause cause, int error)
{
    link_close_with(l, (struct link_end){.cause = cause, .error = error});
}

void link_cut(struct link *l, enum link_cause cause)
{
    link_close_because(l, cause, 0);
}

void link_use(struct link *l)
{
    l->used_at = link_now(l);
    if (!l->resting)
        return;
    l->resting = false;
    link_arm(l);
}

void link_reach(struct link *l, enum gate_stage stage)
{
    if (l->gate == NULL || stage <= l->stage)
        return;
    gate_leave(l->gate, l, l->stage);
    l->stage = stage;
    gate_enter(l->gate, l, stage);
}

void link_leave_gate(struct link *l)
{
    if (l->gate != NULL)
        gate_leave(l->gate, l, l->stage);
    l->gate = NULL;
}

/* ---- sending ---- */

/* Nothing waits any more: end of file. */
static void shut_if_done(struct link *l)
{
    if (l->state != FINISHING || l->shut || usi_channel_waiting(l->channel) || writer_busy(&l->out))
        return;
    l->shut = true;
    /* A peer that has gone already is found out by the read. */
    (void)sock_shut(&l->sock->uv.stream);
}

/* Writes what was made of what waits and of octets, unless that failed. */
static void write_sealed(struct link *l, struct block *block, size_t made, bool sealed)
{
    if (!sealed) {
        block_release(l->net->loop, block);
        link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
        return;
    }
    /* cppcheck-suppress nullPointerRedundantCheck ; what was sealed has a block */
    int result = writer_put(&l->out, block, block->octets, made);
    block_release(l->net->loop, block);
    if (result == 0)
        result = writer_flush(&l->out);
    /* An error of the socket is not the end yet: the peer may have said why in what it sent before,
     * and the read finds out. Nobody finds out that memory was short. */
    if (result == UV_ENOMEM)
        link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
}

/* Seals what waits, and octets[0..size-1] behind it, and writes. */
static void seal_and_write(struct link *l, const uint8_t *octets, size_t size)
{
    struct block *block = block_get(l->net->loop, usi_channel_sealed_size(size) + USI_SEND_ROOM);
    size_t taken = 0, made = 0;
    int result = USI_ERR_INTERNAL;

    link_use(l);
    if (block != NULL)
        result =
            usi_channel_send(l->channel, octets, size, &taken, block->octets, block->size, &made);
    write_sealed(l, block, made, result == 0 && taken == size);
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

/* Is there room for more? */
static bool was_sent(struct link *l)
{
    l->active_at = link_now(l);
    /* Time is told after the octets, for which there was room by the time before. */
    if (l->state == UP && usi_channel_tick(l->channel, l->active_at) != 0)
        link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
    link_flush(l); /* a rekey may be due now, and there may be no room before it is through */
    return link_room(l) > 0;
}

bool link_send(struct link *l, const uint8_t *octets, size_t size)
{
    if (l->state != UP)
        return false;
    seal_and_write(l, octets, size);
    return was_sent(l);
}

bool link_record(struct link *l, uint8_t type, const uint8_t *content, size_t size)
{
    struct block *block;
    size_t made = 0;
    bool taken = false;
    int result = USI_ERR_INTERNAL;

    if (l->state != UP)
        return false;
    block = block_get(l->net->loop, usi_channel_sealed_record(size) + USI_SEND_ROOM);
    link_use(l);
    if (block != NULL)
        result = usi_channel_send_record(l->channel, type, content, size, &taken, block->octets,
                                         block->size, &made);
    write_sealed(l, block, made, result == 0 && taken);
    return was_sent(l);
}

/* Tells an owner that waits to go on. */
void link_feed(struct link *l)
{
    if (l->state != UP || !l->authenticated || link_room(l) == 0)
        return;
    link_call(l, l->handler->writable);
}

static void out_changed(void *owner)
{
    struct link *l = owner;

    link_flush(l);
    if (l->state == UP && l->authenticated && !writer_busy(&l->out) && l->out.error == 0) {
        link_call(l, l->handler->writable);
    }
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

void link_start(struct link *l, struct gate *gate)
{
    uint64_t now = link_now(l);

    l->state = UP;
    l->started = now;
    l->active_at = now;
    if (l->net->handshake_ms > 0)
        l->handshake_by = now + l->net->handshake_ms;
    l->gate = gate;
    if (gate != NULL)
        gate_enter(gate, l, GATE_STRANGER);
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
        link_close_with(l, end);
        return;
    }
    l->end = end;
    link_finish_now(l);
}
