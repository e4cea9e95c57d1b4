#include "apps/exchange.h"

#include "apps/station.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>

struct exchange {
    const struct net *net;
    struct exchange_options options;
    struct exchange_sink sink;

    bool listens;
    struct station *station;
    struct delivery *deliveries;
    unsigned numbers; /* deliveries so far */
    uv_timer_t timer; /* for the drain */
    bool stopping;
    bool over, orphan, timer_closed;
    enum outcome outcome;
    char text[OUTCOME_TEXT];
};

/* ---- the end ---- */

static void free_if_gone(struct exchange *e)
{
    if (e->orphan && e->deliveries == NULL && e->timer_closed)
        free(e);
}

/* What ended it is decided, and the last to go tells. */
static void tell_if_alone(struct exchange *e)
{
    if (e->over || e->deliveries != NULL)
        return;
    e->over = true;
    (void)uv_timer_stop(&e->timer);
    e->sink.told(e->sink.owner, e->outcome, e->text);
}

static void set_outcome(struct exchange *e, enum outcome outcome, const char *text)
{
    e->outcome = outcome;
    (void)snprintf(e->text, sizeof e->text, "%s", text);
}

static void end_with(struct exchange *e, enum outcome outcome, const char *text)
{
    e->stopping = true;
    set_outcome(e, outcome, text);
    station_stop(e->station);
}

/* ---- a delivery ---- */

static void on_event(void *owner, struct delivery *delivery, const struct transfer_event *event)
{
    struct exchange *e = owner;

    if (!e->orphan)
        e->sink.event(e->sink.owner, delivery, event);
    else
        delivery_cut(delivery);
}

static void unlist(struct exchange *e, const struct delivery *delivery)
{
    struct delivery *before = NULL;

    for (struct delivery *d = e->deliveries; d != delivery; d = delivery_next(d))
        before = d;
    if (before == NULL)
        e->deliveries = delivery_next(delivery);
    else
        delivery_set_next(before, delivery_next(delivery));
}

/* Has this one got all that can be given? What could not be read, nobody gets. */
static bool is_whole(const struct exchange *e, const struct transfer_event *event)
{
    return e->options.until == EXCHANGE_WHOLE && !e->stopping && event->end == TRANSFER_END_DONE &&
           event->skipped + event->failed_there == 0;
}

static void on_over(void *owner, struct delivery *delivery, const struct transfer_event *event,
                    enum outcome outcome, const char *text)
{
    struct exchange *e = owner;
    bool only = e->options.until == EXCHANGE_TAKEN, whole = is_whole(e, event);

    unlist(e, delivery);
    if (e->orphan) {
        free_if_gone(e);
        return;
    }
    e->sink.over(e->sink.owner, delivery, event, outcome, text);
    if (only && e->outcome == OUTCOME_DONE)
        set_outcome(e, outcome, text);
    else if (whole)
        end_with(e, outcome, text);
    else if (!only && outcome != OUTCOME_DONE)
        net_report(e->net, (struct report){.type = REPORT_UNDONE, .text = text});
    station_gone(e->station);
    if (e->stopping || only)
        tell_if_alone(e);
}

static const struct delivery_handler delivery_handler = {.event = on_event, .over = on_over};

static void arrived(void *owner, struct link *link)
{
    struct exchange *e = owner;
    struct delivery *d =
        delivery_new(e->net, link, e->options.outbox, ++e->numbers, &delivery_handler, e);

    if (d == NULL) {
        station_gone(e->station);
        if (e->options.until == EXCHANGE_TAKEN) {
            end_with(e, OUTCOME_INTERNAL, text("out of memory"));
            tell_if_alone(e);
        }
        return;
    }
    delivery_set_next(d, e->deliveries);
    e->deliveries = d;
    if (e->listens && e->options.until == EXCHANGE_TAKEN) { /* taken */
        e->stopping = true;
        station_stop(e->station);
    }
}

static void failed(void *owner, enum outcome outcome, const char *text)
{
    struct exchange *e = owner;

    set_outcome(e, outcome, text);
    tell_if_alone(e);
}

static const struct station_handler station_handler = {.arrived = arrived, .failed = failed};

/* ---- beginning ---- */

static struct exchange *exchange_new(const struct net *net, const struct exchange_options *options,
                                     const struct exchange_sink *sink)
{
    struct exchange *e = calloc(1, sizeof *e);

    if (e == NULL || uv_timer_init(&net->loop->uv, &e->timer) != 0) {
        free(e);
        return NULL;
    }
    e->net = net;
    e->options = *options;
    e->sink = *sink;
    e->timer.data = e;
    e->outcome = OUTCOME_DONE;
    return e;
}

struct exchange *exchange_connect(const struct net *net, const struct address *address,
                                  const struct dialer_options *dial,
                                  const struct exchange_options *options,
                                  const struct exchange_sink *sink)
{
    struct exchange *e = exchange_new(net, options, sink);

    if (e == NULL)
        return NULL;
    e->options.until = EXCHANGE_TAKEN;
    e->station = station_connect(net, address, dial,
                                 options->outbox != NULL ? USI_SERVICE_GIVE : USI_SERVICE_TAKE,
                                 &station_handler, e);
    if (e->station != NULL)
        return e;
    exchange_free(e);
    return NULL;
}

struct exchange *exchange_listen(const struct net *net, const struct address *address,
                                 const struct listener_options *listen,
                                 const struct exchange_options *options,
                                 const struct exchange_sink *sink, char *why, size_t size)
{
    struct exchange *e = exchange_new(net, options, sink);

    if (e == NULL) {
        (void)snprintf(why, size, text("out of memory"));
        return NULL;
    }
    e->listens = true;
    /* The service is named by what the connector does. */
    e->station = station_listen(net, address, listen,
                                options->outbox != NULL ? USI_SERVICE_TAKE : USI_SERVICE_GIVE,
                                options->most, &station_handler, e, why, size);
    if (e->station != NULL)
        return e;
    exchange_free(e);
    return NULL;
}

static void on_drained(uv_timer_t *timer)
{
    struct exchange *e = timer->data;

    set_outcome(e, OUTCOME_CUT, text("not all was through in time (--drain): cut off"));
    for (struct delivery *d = e->deliveries; d != NULL; d = delivery_next(d))
        delivery_cut(d);
}

void exchange_stop(struct exchange *e)
{
    if (e->over || e->orphan)
        return;
    if (!e->stopping)
        end_with(e, OUTCOME_DONE, "");
    (void)uv_timer_start(&e->timer, on_drained, e->net->drain_ms, 0);
    tell_if_alone(e);
}

static void timer_gone(uv_handle_t *handle)
{
    struct exchange *e = handle->data;

    e->timer_closed = true;
    free_if_gone(e);
}

void exchange_free(struct exchange *e)
{
    if (e == NULL || e->orphan)
        return;
    e->orphan = true;
    e->over = true;
    station_free(e->station);
    uv_close((uv_handle_t *)&e->timer, timer_gone);
    for (struct delivery *d = e->deliveries; d != NULL; d = delivery_next(d))
        delivery_cut(d);
}
