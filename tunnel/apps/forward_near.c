#include "apps/forward.h"
#include "net/gate.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>

/* One local connection and its channel. */
struct stream {
    struct stream *next, **at;
    struct forward_near *forward;
    struct local *local;
    struct dialer *dialer;
    struct link *link;
    struct relay *relay;
    bool shaking; /* not authenticated yet */
};

/* Handshakes under way at once: a burst of connections must not look like one of strangers to the
 * listener, which counts unfinished handshakes by source. */
enum { SHAKING_MAX = 64 };

struct source {
    struct forward_near *forward;
    struct listener *listener;
};

struct forward_near {
    const struct net *net;
    const struct address *address;
    struct dialer_options dial;
    size_t source_count;
    struct source *sources;
    struct stream *streams;
    struct gate_places *places; /* shared by all loops; the first's own */
    bool shared;
    unsigned places_max, shaking, shaking_max;
    bool let_in; /* identity mode: the listener has once taken what we sent, so its user knows us */
    bool closing; /* being freed: nothing is reported or accepted any more */
    bool orphan;  /* freed when the last stream has gone */
};

static const struct link_handler handler;

static void release(struct forward_near *f)
{
    free(f->sources);
    if (!f->shared)
        free(f->places);
    free(f);
}

static void free_if_gone(struct forward_near *f)
{
    if (f->orphan && f->streams == NULL)
        release(f);
}

static void take_more(struct forward_near *f)
{
    for (size_t i = 0; i < f->source_count && !f->closing; i++)
        listener_again(f->sources[i].listener);
}

static void stop_shaking(struct stream *s)
{
    if (s->shaking)
        s->forward->shaking--;
    s->shaking = false;
}

/* In identity mode a listener may still ask its user when we have accepted it: until it has
 * answered on some channel, all of them count as unfinished handshakes, as they do there. */
static void look_who_let_in(struct forward_near *f)
{
    struct usi_counts counts = {0};

    for (struct stream *s = f->streams; s != NULL && !f->let_in; s = s->next) {
        if (s->relay != NULL)
            usi_channel_counts(link_channel(s->link), &counts);
        f->let_in = f->let_in || counts.heard;
    }
    for (struct stream *s = f->streams; s != NULL && f->let_in; s = s->next)
        if (s->relay != NULL)
            stop_shaking(s);
}

/* The stream is over; why is NULL if it ended well. */
static void stream_gone(struct stream *s, const char *why)
{
    struct forward_near *f = s->forward;

    if (why != NULL && !f->closing)
        net_report(
            f->net,
            (struct report){.type = REPORT_STREAM_FAILED, .peer = f->address->text, .text = why});
    dialer_cancel(s->dialer);
    local_close(s->local, why != NULL);
    *s->at = s->next;
    if (s->next != NULL)
        s->next->at = s->at;
    stop_shaking(s);
    free(s);
    gate_give_place(f->places);
    take_more(f);
    free_if_gone(f);
}

/* ---- the channel ---- */

static void relay_told(void *owner, enum relay_result result, const char *text)
{
    struct stream *s = owner;

    s->relay = NULL;
    if (result == RELAY_DONE) {
        local_close(s->local, false);
        s->local = NULL;
        link_set_handler(s->link, &handler, s);
        link_finish(s->link);
        return;
    }
    s->link = NULL;
    stream_gone(s, text);
}

static void authenticated(void *owner)
{
    static const struct relay_options options = {0};
    struct stream *s = owner;

    if (s->forward->net->settings.mode != USI_MODE_IDENTITY || s->forward->let_in)
        stop_shaking(s);
    take_more(s->forward);
    s->relay = relay_new(s->link, s->local, &options, relay_told, s);
    if (s->relay == NULL || usi_channel_open(link_channel(s->link)) != 0)
        link_abort(s->link, USI_REASON_INTERNAL);
    else
        relay_go(s->relay);
}

static void closed(void *owner, const struct link_end *end)
{
    struct stream *s = owner;
    char line[OUTCOME_TEXT];

    s->link = NULL;
    if (s->local == NULL) { /* its stream was done before */
        stream_gone(s, NULL);
        return;
    }
    link_end_text(end, line, sizeof line);
    stream_gone(s, line);
}

static const struct link_handler handler = {
    .authenticated = authenticated,
    .closed = closed,
};

static void connected(void *owner, struct sock *sock)
{
    struct stream *s = owner;

    s->dialer = NULL;
    s->link = link_new(s->forward->net, sock, LINK_CONNECTOR, &handler, s);
    if (s->link == NULL)
        stream_gone(s, text("cannot begin a handshake: out of memory, or libcrypto failed"));
    else
        link_start(s->link, NULL);
}

static void not_connected(void *owner, const char *why)
{
    struct stream *s = owner;

    s->dialer = NULL;
    stream_gone(s, why);
}

/* ---- the local side ---- */

static void waiting(void *owner)
{
    struct source *source = owner;
    struct forward_near *f = source->forward;
    struct stream *s;
    struct sock *sock;

    if (f->shaking >= f->shaking_max && !f->let_in)
        look_who_let_in(f);
    if (f->shaking >= f->shaking_max || !gate_take_place(f->places, f->places_max))
        return; /* it waits until another ends */
    s = calloc(1, sizeof *s);
    sock = s != NULL ? listener_accept(source->listener) : NULL;
    if (sock == NULL || (s->local = local_new(f->net)) == NULL) {
        if (sock != NULL)
            sock_reset(sock, NULL, NULL);
        gate_give_place(f->places);
        free(s);
        return;
    }
    local_attach(s->local, sock);
    s->forward = f;
    s->next = f->streams;
    s->at = &f->streams;
    if (s->next != NULL)
        s->next->at = &s->next;
    f->streams = s;
    s->shaking = true;
    f->shaking++;
    s->dialer = dialer_start(f->net, f->address, &f->dial, connected, not_connected, s);
    if (s->dialer == NULL)
        stream_gone(s, text("out of memory"));
}

static struct forward_near *make(const struct net *net, const struct address *address,
                                 const struct dialer_options *dial, size_t count,
                                 struct gate_places *shared)
{
    struct forward_near *f = calloc(1, sizeof *f);

    if (f == NULL)
        return NULL;
    f->shared = shared != NULL;
    f->places = shared != NULL ? shared : calloc(1, sizeof *f->places);
    f->sources = calloc(count, sizeof *f->sources);
    if (f->places == NULL || f->sources == NULL) {
        release(f);
        return NULL;
    }
    f->net = net;
    f->address = address;
    f->dial = *dial;
    unsigned loops = net->loops > 0 ? net->loops : 1;
    f->places_max = gate_connections_max(2, net->loops);
    f->shaking_max = loops < SHAKING_MAX ? SHAKING_MAX / loops : 1;
    for (size_t i = 0; i < count; i++)
        f->sources[i].forward = f;
    return f;
}

struct forward_near *forward_near_new(const struct net *net, const struct address *address,
                                      const struct dialer_options *dial,
                                      const struct address *local, size_t count,
                                      const struct listener_options *listen, char *why, size_t size)
{
    const struct listener_options greeting = {.family = listen->family, .greets = true};
    struct forward_near *f = make(net, address, dial, count, NULL);

    if (f == NULL) {
        (void)snprintf(why, size, text("out of memory"));
        return NULL;
    }
    for (; f->source_count < count; f->source_count++) {
        struct source *source = &f->sources[f->source_count];
        source->listener =
            listener_new(net, &local[f->source_count], &greeting, waiting, source, why, size);
        if (source->listener == NULL) {
            forward_near_free(f);
            return NULL;
        }
    }
    return f;
}

struct forward_near *forward_near_share(const struct forward_near *first, const struct net *net)
{
    struct forward_near *f =
        make(net, first->address, &first->dial, first->source_count, first->places);

    for (; f != NULL && f->source_count < first->source_count; f->source_count++) {
        struct source *source = &f->sources[f->source_count];
        source->listener =
            listener_share(net, first->sources[f->source_count].listener, waiting, source);
        if (source->listener == NULL) {
            forward_near_free(f);
            return NULL;
        }
    }
    return f;
}

void forward_near_free(struct forward_near *f)
{
    struct stream *next;

    if (f == NULL || f->closing)
        return;
    f->closing = true;
    for (size_t i = 0; i < f->source_count; i++)
        listener_close(f->sources[i].listener);
    for (struct stream *s = f->streams; s != NULL; s = next) {
        next = s->next;
        if (s->link != NULL)
            link_cut(s->link, LINK_CUT);
        else
            stream_gone(s, text("stopped"));
    }
    f->orphan = true;
    free_if_gone(f);
}
