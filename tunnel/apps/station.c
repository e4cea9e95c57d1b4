#include "apps/station.h"

#include "net/gate.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>

/* A connection that has not arrived yet: in `guests` from accept, or connect, on. */
struct guest {
    struct guest *next, **at;
    struct station *station;
    struct link *link;
    uv_timer_t timer; /* authenticated, and about to open */
};

struct station {
    const struct net *net;
    const struct station_handler *handler;
    void *owner;
    enum usi_service service;

    struct dialer *dialer; /* connector */
    struct listener *listener;
    struct gate *gate; /* with it */
    struct link_handler guests_handler;
    struct guest *guests;
    unsigned count, most; /* links that have arrived */
    unsigned guest_count, guests_max;
    unsigned leaving; /* guests whose timer closes */
    bool orphan;
};

/* ---- coming and going ---- */

static void free_if_gone(struct station *s)
{
    if (!s->orphan || s->guests != NULL || s->leaving != 0)
        return;
    gate_free(s->gate);
    free(s);
}

static void timer_closed(uv_handle_t *handle)
{
    struct guest *g = handle->data;
    struct station *s = g->station;

    free(g);
    s->leaving--;
    free_if_gone(s);
}

/* The link has closed, or is its owner's now. */
static void remove_guest(struct guest *g)
{
    struct station *s = g->station;

    *g->at = g->next;
    if (g->next != NULL)
        g->next->at = g->at;
    s->guest_count--;
    s->leaving++;
    uv_close((uv_handle_t *)&g->timer, timer_closed);
    if (s->listener != NULL)
        listener_again(s->listener);
}

static bool add_guest(struct station *s, struct sock *sock, enum link_side side)
{
    struct guest *g = calloc(1, sizeof *g);

    if (g == NULL || uv_timer_init(&s->net->loop->uv, &g->timer) != 0) {
        sock_close(sock, NULL, NULL);
        free(g);
        return false;
    }
    g->station = s;
    g->timer.data = g;
    g->next = s->guests;
    g->at = &s->guests;
    if (g->next != NULL)
        g->next->at = &g->next;
    s->guests = g;
    s->guest_count++;
    g->link = link_new(s->net, sock, side, &s->guests_handler, g);
    if (g->link == NULL) {
        remove_guest(g);
        return false;
    }
    link_start(g->link, s->gate);
    return true;
}

/* ---- a guest ---- */

static void arrive(struct guest *g)
{
    struct station *s = g->station;
    struct link *link = g->link;

    remove_guest(g);
    s->count++;
    s->handler->arrived(s->owner, link);
}

static void on_nothing_opened(uv_timer_t *timer)
{
    struct guest *g = timer->data;

    link_cut(g->link, LINK_SILENT);
}

static void authenticated(void *owner)
{
    struct guest *g = owner;
    struct station *s = g->station;

    if (s->listener != NULL) { /* it opens now, or makes way */
        if (s->net->handshake_ms > 0)
            (void)uv_timer_start(&g->timer, on_nothing_opened, s->net->handshake_ms, 0);
    } else if (usi_channel_open_for(link_channel(g->link), s->service) != 0) {
        link_abort(g->link, USI_REASON_INTERNAL);
    } else {
        arrive(g);
    }
}

static void opened(void *owner)
{
    struct guest *g = owner;

    if (g->station->count < g->station->most)
        arrive(g);
    else
        link_abort(g->link, USI_REASON_BUSY);
}

static void checked(void *owner)
{
    struct guest *g = owner;

    link_finish(g->link);
}

/* Cannot come before `arrived`, in which the owner's handler takes over. */
static void closed(void *owner, const struct link_end *end)
{
    struct guest *g = owner;
    struct station *s = g->station;
    bool connector = link_side_of(g->link) == LINK_CONNECTOR;
    char text[OUTCOME_TEXT];
    enum outcome outcome = outcome_of_link(end, link_peer(g->link), text, sizeof text);

    if (connector && !s->orphan)
        s->handler->failed(s->owner, outcome, text);
    remove_guest(g);
    free_if_gone(s);
}

static const struct link_handler handler = {
    .authenticated = authenticated,
    .opened = opened,
    .checked = checked,
    .closed = closed,
};

/* ---- beginning ---- */

static struct station *station_new(const struct net *net, enum usi_service service,
                                   const struct station_handler *handler_of_owner, void *owner)
{
    struct station *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->net = net;
    s->service = service;
    s->handler = handler_of_owner;
    s->owner = owner;
    s->guests_handler = handler;
    s->guests_handler.services = 1U << service;
    return s;
}

static void connected(void *owner, struct sock *sock)
{
    struct station *s = owner;

    s->dialer = NULL;
    if (!add_guest(s, sock, LINK_CONNECTOR))
        s->handler->failed(s->owner, OUTCOME_INTERNAL,
                           "cannot begin a handshake: out of memory, or libcrypto failed");
}

static void not_connected(void *owner, const char *why)
{
    struct station *s = owner;

    s->dialer = NULL;
    s->handler->failed(s->owner, OUTCOME_NO_CONNECTION, why);
}

struct station *station_connect(const struct net *net, const struct address *address,
                                const struct dialer_options *dial, enum usi_service service,
                                const struct station_handler *handler_of_owner, void *owner)
{
    struct station *s = station_new(net, service, handler_of_owner, owner);

    if (s == NULL)
        return NULL;
    s->dialer = dialer_start(net, address, dial, connected, not_connected, s);
    if (s->dialer == NULL) {
        free(s);
        return NULL;
    }
    return s;
}

static void waiting(void *owner)
{
    struct station *s = owner;
    struct sock *sock;

    if (s->guest_count + s->count >= s->guests_max) {
        gate_make_way(s->gate);
        return;
    }
    sock = listener_accept(s->listener);
    if (sock != NULL)
        (void)add_guest(s, sock, LINK_LISTENER); /* without memory it is closed: the peer sees it */
}

/* NOLINTNEXTLINE(readability-function-size): two of the nine are where it says why not */
struct station *station_listen(const struct net *net, const struct address *address,
                               const struct listener_options *listen, enum usi_service service,
                               unsigned most, const struct station_handler *handler_of_owner,
                               void *owner, char *why, size_t size)
{
    struct station *s = station_new(net, service, handler_of_owner, owner);

    if (s == NULL) {
        (void)snprintf(why, size, text("out of memory"));
        return NULL;
    }
    s->most = most;
    s->guests_max = gate_connections_max(2, 1);
    s->gate = gate_new(s->guests_max, 1);
    if (s->gate == NULL)
        (void)snprintf(why, size, text("out of memory"));
    else
        s->listener = listener_new(net, address, listen, waiting, s, why, size);
    if (s->listener == NULL) {
        gate_free(s->gate);
        free(s);
        return NULL;
    }
    return s;
}

/* ---- the end ---- */

void station_gone(struct station *s)
{
    s->count--;
    if (s->listener != NULL)
        listener_again(s->listener);
}

void station_stop(struct station *s)
{
    struct guest *next;

    dialer_cancel(s->dialer);
    s->dialer = NULL;
    listener_close(s->listener);
    s->listener = NULL;
    for (struct guest *g = s->guests; g != NULL; g = next) {
        next = g->next;
        link_abort(g->link, USI_REASON_STOPPING);
    }
}

void station_free(struct station *s)
{
    struct guest *next;

    if (s == NULL)
        return;
    s->orphan = true;
    dialer_cancel(s->dialer);
    s->dialer = NULL;
    listener_close(s->listener);
    s->listener = NULL;
    for (struct guest *g = s->guests; g != NULL; g = next) {
        next = g->next;
        link_cut(g->link, LINK_CUT);
    }
    free_if_gone(s);
}
