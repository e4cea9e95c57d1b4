#include "apps/pipe.h"

#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>

struct pipe_connector {
    const struct net *net;
    struct pipe_options options;
    outcome_told *told;
    void *owner;

    struct dialer *dialer;
    struct link *link;
    struct local *local;
    struct relay *relay;
    uint64_t sent, received; /* by the latest stream that is over */
    bool over;
    bool orphan; /* pipe_connector_free was called; what is left goes when the link has gone */
    enum outcome outcome;
    char text[OUTCOME_TEXT];
};

static void tell(struct pipe_connector *p, enum outcome outcome, const char *text)
{
    if (p->over)
        return;
    p->over = true;
    p->told(p->owner, outcome, text);
}

static void free_if_orphan(struct pipe_connector *p)
{
    if (!p->orphan)
        return;
    local_close(p->local, false);
    free(p);
}

/* ---- before and after the stream ---- */

static void relay_told(void *owner, enum relay_result result, const char *text);

static void begin_stream(struct pipe_connector *p)
{
    char why[256];

    (void)snprintf(why, sizeof why, "%s", text("out of memory"));
    p->local = local_stdio(p->net, why, sizeof why);
    if (p->local != NULL)
        p->relay = relay_new(p->link, p->local, &p->options.relay, relay_told, p);
    if (p->relay == NULL || usi_channel_open(link_channel(p->link)) != 0) {
        (void)snprintf(p->text, sizeof p->text, "%s", why);
        p->outcome = OUTCOME_LOCAL;
        link_abort(p->link, USI_REASON_INTERNAL);
        return;
    }
    relay_go(p->relay);
}

static void authenticated(void *owner)
{
    struct pipe_connector *p = owner;

    if (!p->options.check)
        begin_stream(p);
    else if (usi_channel_check(link_channel(p->link)) != 0)
        link_abort(p->link, USI_REASON_INTERNAL);
    else { /* a listener that is busy with another peer, or whose user is asked, may never answer */
        bool asked = p->net->settings.mode == USI_MODE_IDENTITY;
        link_expect(p->link, asked ? p->net->ask_ms : p->net->handshake_ms);
        link_flush(p->link);
    }
}

static void checked(void *owner)
{
    struct pipe_connector *p = owner;

    link_finish(p->link);
}

static void closed(void *owner, const struct link_end *end)
{
    struct pipe_connector *p = owner;
    char peer[SOCK_TEXT];

    (void)snprintf(peer, sizeof peer, "%s", link_peer(p->link));
    p->link = NULL;
    if (p->outcome == OUTCOME_DONE)
        p->outcome = outcome_of_link(end, peer, p->text, sizeof p->text);
    tell(p, p->outcome, p->text);
    free_if_orphan(p);
}

static const struct link_handler handler = {
    .authenticated = authenticated,
    .checked = checked,
    .closed = closed,
};

static void relay_told(void *owner, enum relay_result result, const char *text)
{
    struct pipe_connector *p = owner;

    relay_counts(p->relay, &p->sent, &p->received);
    p->relay = NULL;
    if (result == RELAY_DONE) {
        link_set_handler(p->link, &handler, p);
        link_finish(p->link);
        return;
    }
    p->link = NULL;
    tell(p, outcome_of_relay(result), text);
    free_if_orphan(p);
}

/* ---- connecting ---- */

static void connected(void *owner, struct sock *sock)
{
    struct pipe_connector *p = owner;

    p->dialer = NULL;
    p->link = link_new(p->net, sock, LINK_CONNECTOR, &handler, p);
    if (p->link == NULL)
        tell(p, OUTCOME_INTERNAL,
             text("cannot begin a handshake: out of memory, or libcrypto failed"));
    else
        link_start(p->link, NULL);
}

static void not_connected(void *owner, const char *why)
{
    struct pipe_connector *p = owner;

    p->dialer = NULL;
    tell(p, OUTCOME_NO_CONNECTION, why);
}

struct pipe_connector *pipe_connect(const struct net *net, const struct address *address,
                                    const struct dialer_options *dial,
                                    const struct pipe_options *options, outcome_told *told,
                                    void *owner)
{
    struct pipe_connector *p = calloc(1, sizeof *p);

    if (p == NULL)
        return NULL;
    p->net = net;
    p->options = *options;
    p->told = told;
    p->owner = owner;
    p->outcome = OUTCOME_DONE;
    p->dialer = dialer_start(net, address, dial, connected, not_connected, p);
    if (p->dialer == NULL) {
        free(p);
        return NULL;
    }
    return p;
}

void pipe_connector_counts(const struct pipe_connector *p, uint64_t *sent, uint64_t *received)
{
    *sent = p->sent;
    *received = p->received;
    if (p->relay != NULL)
        relay_counts(p->relay, sent, received);
}

void pipe_connector_free(struct pipe_connector *p)
{
    if (p == NULL)
        return;
    p->over = true;
    dialer_cancel(p->dialer);
    p->dialer = NULL;
    p->orphan = true;
    if (p->link != NULL)
        link_cut(p->link, LINK_CUT); /* its last call frees */
    else
        free_if_orphan(p);
}
