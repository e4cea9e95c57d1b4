#include "apps/forward.h"
#include "net/gate.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>

/* One channel, and the stream it carries now, if any. */
struct channel {
    struct channel *next, **at;
    struct forward_far *forward;
    struct link *link;     /* NULL once it has gone */
    struct dialer *dialer; /* to the target */
    struct relay *relay;
    struct local *local;
};

struct forward_far {
    const struct net *net;
    const struct address *target;
    struct dialer_options dial;
    outcome_told *told;
    void *owner;

    struct listener *listener;
    struct gate *gate;
    struct gate_places *places; /* shared by all loops; the first's own */
    bool shared;
    struct channel *channels;
    unsigned places_max;
    uv_timer_t drain;
    bool stopping, over, orphan, timer_closed;
    enum outcome outcome;
};

static const struct link_handler handler;

/* ---- the end of a channel ---- */

static void free_if_gone(struct forward_far *f)
{
    if (!f->orphan || f->channels != NULL || !f->timer_closed)
        return;
    if (!f->shared)
        free(f->places);
    gate_free(f->gate);
    free(f);
}

static void tell_if_done(struct forward_far *f)
{
    if (!f->stopping || f->over || f->channels != NULL)
        return;
    f->over = true;
    f->told(f->owner, f->outcome,
            f->outcome == OUTCOME_DONE
                ? ""
                : text("some streams did not end in time (--drain): cut off"));
}

static void channel_gone(struct channel *c)
{
    struct forward_far *f = c->forward;

    dialer_cancel(c->dialer);
    local_close(c->local, true);
    *c->at = c->next;
    if (c->next != NULL)
        c->next->at = c->at;
    free(c);
    gate_give_place(f->places);
    if (f->listener != NULL)
        listener_again(f->listener);
    tell_if_done(f);
    free_if_gone(f);
}

/* ---- a stream ---- */

static void relay_told(void *owner, enum relay_result result, const char *text)
{
    struct channel *c = owner;

    c->relay = NULL;
    dialer_cancel(c->dialer);
    c->dialer = NULL;
    if (result == RELAY_DONE) {
        local_close(c->local, false);
        c->local = NULL;
        link_set_handler(c->link, &handler, c); /* for the next stream, or the end */
        if (c->forward->stopping)
            link_finish(c->link);
        return;
    }
    if (!c->forward->orphan)
        net_report(c->forward->net, (struct report){.type = REPORT_STREAM_FAILED,
                                                    .peer = link_peer(c->link),
                                                    .text = text});
    c->link = NULL;
    channel_gone(c);
}

static void target_connected(void *owner, struct sock *sock)
{
    struct channel *c = owner;

    c->dialer = NULL;
    local_attach(c->local, sock);
    relay_go(c->relay);
}

static void target_failed(void *owner, const char *why)
{
    struct channel *c = owner;

    c->dialer = NULL;
    relay_abort(c->relay, USI_REASON_UNREACHABLE, why);
}

static void opened(void *owner)
{
    static const struct relay_options options = {0};
    struct channel *c = owner;
    struct forward_far *f = c->forward;

    c->local = local_new(f->net);
    if (c->local != NULL)
        c->relay = relay_new(c->link, c->local, &options, relay_told, c);
    if (c->relay != NULL)
        c->dialer = dialer_start(f->net, f->target, &f->dial, target_connected, target_failed, c);
    if (c->relay == NULL)
        link_abort(c->link, USI_REASON_INTERNAL);
    else if (c->dialer == NULL)
        relay_abort(c->relay, USI_REASON_INTERNAL, text("out of memory"));
}

/* ---- a channel between streams ---- */

static void authenticated(void *owner)
{
    struct channel *c = owner;

    if (c->forward->stopping)
        link_abort(c->link, USI_REASON_STOPPING);
}

static void checked(void *owner)
{
    struct channel *c = owner;

    link_finish(c->link);
}

static void closed(void *owner, const struct link_end *end)
{
    (void)end; /* the report says it */
    channel_gone(owner);
}

static const struct link_handler handler = {
    .authenticated = authenticated,
    .opened = opened,
    .checked = checked,
    .closed = closed,
};

/* ---- listening ---- */

static void waiting(void *owner)
{
    struct forward_far *f = owner;
    struct channel *c;
    struct sock *sock;

    if (!gate_take_place(f->places, f->places_max)) { /* it waits until another ends */
        gate_make_way(f->gate);
        return;
    }
    c = calloc(1, sizeof *c);
    sock = c != NULL ? listener_accept(f->listener) : NULL;
    if (sock == NULL || (c->link = link_new(f->net, sock, LINK_LISTENER, &handler, c)) == NULL) {
        gate_give_place(f->places);
        free(c);
        return;
    }
    c->forward = f;
    c->next = f->channels;
    c->at = &f->channels;
    if (c->next != NULL)
        c->next->at = &c->next;
    f->channels = c;
    link_start(c->link, f->gate);
}

static struct forward_far *make(const struct net *net, outcome_told *told, void *owner)
{
    struct forward_far *f = calloc(1, sizeof *f);

    if (f == NULL || uv_timer_init(&net->loop->uv, &f->drain) != 0) {
        free(f);
        return NULL;
    }
    f->net = net;
    f->told = told;
    f->owner = owner;
    f->drain.data = f;
    f->places_max = gate_connections_max(2, net->loops);
    f->gate = gate_new(f->places_max, net->loops);
    if (f->gate == NULL) {
        forward_far_free(f);
        return NULL;
    }
    return f;
}

struct forward_far *forward_far_new(const struct net *net,
                                    const struct forward_far_options *options, outcome_told *told,
                                    void *owner, char *why, size_t size)
{
    struct forward_far *f = make(net, told, owner);

    if (f == NULL) {
        (void)snprintf(why, size, text("out of memory"));
        return NULL;
    }
    f->places = calloc(1, sizeof *f->places);
    if (f->places == NULL) {
        (void)snprintf(why, size, text("out of memory"));
        forward_far_free(f);
        return NULL;
    }
    f->target = options->target;
    f->dial = *options->dial;
    f->listener = listener_new(net, options->address, options->listen, waiting, f, why, size);
    if (f->listener == NULL) {
        forward_far_free(f);
        return NULL;
    }
    return f;
}

struct forward_far *forward_far_share(const struct forward_far *first, const struct net *net,
                                      outcome_told *told, void *owner)
{
    struct forward_far *f = make(net, told, owner);

    if (f == NULL)
        return NULL;
    f->shared = true;
    f->places = first->places;
    f->target = first->target;
    f->dial = first->dial;
    f->listener = listener_share(net, first->listener, waiting, f);
    if (f->listener == NULL) {
        forward_far_free(f);
        return NULL;
    }
    return f;
}

static void cut_all(struct forward_far *f)
{
    for (struct channel *c = f->channels; c != NULL; c = c->next)
        if (c->link != NULL)
            link_cut(c->link, LINK_CUT);
}

static void on_drained(uv_timer_t *timer)
{
    struct forward_far *f = timer->data;

    for (const struct channel *c = f->channels; c != NULL; c = c->next)
        if (c->relay != NULL) /* the others only wait for the peer to close */
            f->outcome = OUTCOME_CUT;
    cut_all(f);
}

void forward_far_stop(struct forward_far *f)
{
    if (f->stopping)
        return;
    f->stopping = true;
    listener_close(f->listener);
    f->listener = NULL;
    for (struct channel *c = f->channels; c != NULL; c = c->next)
        if (c->relay == NULL)
            link_abort(c->link, USI_REASON_STOPPING);
    (void)uv_timer_start(&f->drain, on_drained, f->net->drain_ms, 0);
    tell_if_done(f);
}

static void timer_gone(uv_handle_t *handle)
{
    struct forward_far *f = handle->data;

    f->timer_closed = true;
    free_if_gone(f);
}

void forward_far_free(struct forward_far *f)
{
    if (f == NULL || f->orphan)
        return;
    f->orphan = true;
    f->over = true;
    listener_close(f->listener);
    f->listener = NULL;
    uv_close((uv_handle_t *)&f->drain, timer_gone);
    cut_all(f);
}
