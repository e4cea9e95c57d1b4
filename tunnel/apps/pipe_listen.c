#include "apps/pipe.h"
#include "net/gate.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>

/* A connection. It is in `peers` from accept to its link's last call. */
struct peer {
    struct peer *next, **at;
    struct pipe_listener *pipe;
    struct link *link;
    bool identified; /* its user is being asked, or was */
    bool waits;      /* authenticated, not read until its turn comes */
};

struct pipe_listener {
    const struct net *net;
    struct pipe_options options;
    outcome_told *told;
    void *owner;

    struct listener *listener;
    struct gate *gate;
    struct peer *peers;
    unsigned count, count_max;
    unsigned waiting;        /* peers that do */
    struct peer *turn;       /* whose turn it is: authenticated, about to open, or piping */
    struct relay *relay;     /* its stream */
    uint64_t sent, received; /* by the latest stream that is over */
    struct local *local;     /* standard input and output, from the first stream on */
    uv_timer_t timer;        /* for a turn that is not used, and for the drain */
    bool stopping;
    bool over, orphan, timer_closed;
    enum outcome outcome;
    char text[OUTCOME_TEXT];
};

static const struct link_handler handler;
static void give_turn(struct pipe_listener *p);

/* ---- the end ---- */

static void free_if_gone(struct pipe_listener *p)
{
    if (!p->orphan || p->peers != NULL || !p->timer_closed)
        return;
    local_close(p->local, false);
    gate_free(p->gate);
    free(p);
}

/* What ended it is decided, and the last to go tells. */
static void tell_if_alone(struct pipe_listener *p)
{
    if (p->over || p->peers != NULL)
        return;
    p->over = true;
    p->told(p->owner, p->outcome, p->text);
}

/* Those whose turn it is not. */
static void send_away(struct pipe_listener *p, bool only_waiting, enum usi_reason reason)
{
    for (struct peer *peer = p->peers; peer != NULL; peer = peer->next)
        if (peer != p->turn && (peer->waits || peer->identified || !only_waiting))
            link_abort(peer->link, reason);
}

static void close_listener(struct pipe_listener *p)
{
    listener_close(p->listener);
    p->listener = NULL;
}

static void end_with(struct pipe_listener *p, enum outcome outcome, const char *text)
{
    p->stopping = true;
    if (p->outcome == OUTCOME_DONE) { /* else the first cause is known */
        p->outcome = outcome;
        (void)snprintf(p->text, sizeof p->text, "%s", text);
    }
    close_listener(p);
    send_away(p, false, USI_REASON_STOPPING);
}

static void remove_peer(struct peer *peer)
{
    struct pipe_listener *p = peer->pipe;

    *peer->at = peer->next;
    if (peer->next != NULL)
        peer->next->at = peer->at;
    p->count--;
    p->waiting -= peer->waits;
    if (p->turn == peer) {
        p->turn = NULL;
        (void)uv_timer_stop(&p->timer);
    }
    free(peer);
    if (p->stopping)
        tell_if_alone(p);
    else if (p->listener != NULL) {
        give_turn(p);
        if (p->listener != NULL) /* else whoever has the turn now has taken it */
            listener_again(p->listener);
    }
    free_if_gone(p);
}

/* ---- turns ---- */

static void relay_told(void *owner, enum relay_result result, const char *why)
{
    struct peer *peer = owner;
    struct pipe_listener *p = peer->pipe;

    relay_counts(p->relay, &p->sent, &p->received);
    p->relay = NULL;
    if (result == RELAY_DONE) {
        link_set_handler(peer->link, &handler, peer);
        link_finish(peer->link);
        if (!p->options.keep_open)
            end_with(p, OUTCOME_DONE, "");
        return;
    }
    peer->link = NULL;
    /* Broken standard output serves nobody; a failed peer leaves the others theirs. */
    bool broken = p->local != NULL && local_writer(p->local)->error != 0;
    if (!p->options.keep_open || broken)
        end_with(p, outcome_of_relay(result), why);
    else
        net_report(p->net, (struct report){
                               .type = REPORT_STREAM_FAILED, .peer = text("a peer"), .text = why});
    remove_peer(peer);
}

static void on_turn_over(uv_timer_t *timer)
{
    struct pipe_listener *p = timer->data;

    /* Authenticated, but it opens nothing: the others should not wait for that. */
    if (p->turn != NULL)
        link_cut(p->turn->link, LINK_SILENT);
}

/* The next in the row, if nobody has the turn. */
static void give_turn(struct pipe_listener *p)
{
    struct peer *first = NULL;

    if (p->turn != NULL || p->stopping || p->waiting == 0)
        return;
    for (struct peer *peer = p->peers; peer != NULL; peer = peer->next)
        if (peer->waits)
            first = peer; /* the list has the newest first */
    if (first == NULL)
        return;
    first->waits = false;
    p->waiting--;
    p->turn = first;
    if (p->net->handshake_ms > 0)
        (void)uv_timer_start(&p->timer, on_turn_over, p->net->handshake_ms, 0);
    link_resume(first->link);
}

static void identified(void *owner)
{
    struct peer *peer = owner;

    peer->identified = true;
    if (peer->pipe->listener == NULL) /* taken */
        link_abort(peer->link, USI_REASON_BUSY);
}

static void authenticated(void *owner)
{
    struct peer *peer = owner;
    struct pipe_listener *p = peer->pipe;

    if (p->stopping) {
        link_abort(peer->link, USI_REASON_STOPPING);
    } else if (p->relay != NULL && !p->options.keep_open) {
        link_abort(peer->link, USI_REASON_BUSY);
    } else {
        peer->waits = true;
        p->waiting++;
        link_wait(peer->link);
        give_turn(p);
    }
}

static void opened(void *owner)
{
    struct peer *peer = owner;
    struct pipe_listener *p = peer->pipe;
    struct relay_options options = p->options.relay;
    char why[256];

    (void)snprintf(why, sizeof why, "%s", text("out of memory"));
    (void)uv_timer_stop(&p->timer);
    options.keep_output = p->options.keep_open;
    if (p->local == NULL)
        p->local = local_stdio(p->net, why, sizeof why);
    if (p->local != NULL)
        p->relay = relay_new(peer->link, p->local, &options, relay_told, peer);
    if (p->relay == NULL) {
        link_abort(peer->link, USI_REASON_INTERNAL);
        end_with(p, OUTCOME_LOCAL, why);
        return;
    }
    if (!p->options.keep_open) { /* taken */
        close_listener(p);
        send_away(p, true,
                  USI_REASON_BUSY); /* the others are told when their handshake is through */
    }
    relay_go(p->relay);
}

static void checked(void *owner)
{
    struct peer *peer = owner;

    link_finish(peer->link);
}

static void closed(void *owner, const struct link_end *end)
{
    (void)end; /* the report says it */
    remove_peer(owner);
}

static const struct link_handler handler = {
    .identified = identified,
    .authenticated = authenticated,
    .opened = opened,
    .checked = checked,
    .closed = closed,
};

/* ---- listening ---- */

static void accept_one(struct pipe_listener *p)
{
    struct peer *peer = calloc(1, sizeof *peer);
    struct sock *sock;

    if (peer == NULL)
        return;
    sock = listener_accept(p->listener);
    if (sock == NULL ||
        (peer->link = link_new(p->net, sock, LINK_LISTENER, &handler, peer)) == NULL) {
        free(peer);
        return;
    }
    peer->pipe = p;
    peer->next = p->peers;
    peer->at = &p->peers;
    if (peer->next != NULL)
        peer->next->at = &peer->next;
    p->peers = peer;
    p->count++;
    link_start(peer->link, p->gate);
}

static void waiting(void *owner)
{
    struct pipe_listener *p = owner;

    if (p->count < p->count_max)
        accept_one(p);
    else
        gate_make_way(p->gate);
}

struct pipe_listener *pipe_listen(const struct net *net, const struct address *address,
                                  const struct listener_options *listen,
                                  const struct pipe_options *options, outcome_told *told,
                                  void *owner, char *why, size_t size)
{
    struct pipe_listener *p = calloc(1, sizeof *p);

    if (p == NULL || uv_timer_init(&net->loop->uv, &p->timer) != 0) {
        (void)snprintf(why, size, text("out of memory"));
        free(p);
        return NULL;
    }
    p->net = net;
    p->options = *options;
    p->told = told;
    p->owner = owner;
    p->count_max = gate_connections_max(1, 1);
    p->timer.data = p;
    p->gate = gate_new(p->count_max, 1);
    if (p->gate == NULL)
        (void)snprintf(why, size, "%s", text("out of memory"));
    else
        p->listener = listener_new(net, address, listen, waiting, p, why, size);
    if (p->listener == NULL) {
        pipe_listener_free(p);
        return NULL;
    }
    return p;
}

static void on_drained(uv_timer_t *timer)
{
    struct pipe_listener *p = timer->data;

    if (p->relay != NULL) { /* else all is confirmed, and only the peer's close is waited for */
        p->outcome = OUTCOME_CUT;
        (void)snprintf(p->text, sizeof p->text,
                       text("the stream under way did not end in time (--drain): cut off"));
    }
    if (p->turn != NULL && p->turn->link != NULL)
        link_cut(p->turn->link, LINK_CUT);
}

void pipe_listener_stop(struct pipe_listener *p)
{
    if (p->over || p->orphan)
        return;
    if (p->relay == NULL && p->turn != NULL)
        link_abort(p->turn->link, USI_REASON_STOPPING);
    if (!p->stopping)
        end_with(p, OUTCOME_DONE, "");
    if (p->relay != NULL)
        (void)uv_timer_start(&p->timer, on_drained, p->net->drain_ms, 0);
    tell_if_alone(p);
}

void pipe_listener_counts(const struct pipe_listener *p, uint64_t *sent, uint64_t *received)
{
    *sent = p->sent;
    *received = p->received;
    if (p->relay != NULL)
        relay_counts(p->relay, sent, received);
}

static void timer_gone(uv_handle_t *handle)
{
    struct pipe_listener *p = handle->data;

    p->timer_closed = true;
    free_if_gone(p);
}

void pipe_listener_free(struct pipe_listener *p)
{
    if (p == NULL || p->orphan)
        return;
    p->orphan = true;
    p->over = true;
    p->stopping = true;
    close_listener(p);
    uv_close((uv_handle_t *)&p->timer, timer_gone);
    for (struct peer *peer = p->peers; peer != NULL; peer = peer->next)
        if (peer->link != NULL)
            link_cut(peer->link, LINK_CUT);
}
