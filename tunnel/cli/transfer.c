#include "cli/transfer.h"

#include "cli/file.h"
#include "cli/status.h"
#include "text/text.h"

#include <string.h>

/* ---- beginning ---- */

static int begin_program(struct transfer *t, enum options_command word, int argc, char **argv)
{
    const char *side = argc > 1 ? argv[1] : "";

    if (strcmp(side, "listen") == 0)
        return program_begin(&t->program, word | OPTIONS_LISTEN, argc - 1, argv + 1);
    /* Its --help tells of the other one too. */
    if (strcmp(side, "-h") == 0 || strcmp(side, "--help") == 0)
        return program_begin(&t->program, word | OPTIONS_CONNECT, argc, argv);
    if (strcmp(side, "connect") == 0)
        return program_begin(&t->program, word | OPTIONS_CONNECT, argc - 1, argv + 1);
    say_error("%s needs listen or connect, and then an address: usi-tunnel %s --help", argv[0],
              argv[0]);
    return STATUS_USAGE;
}

static void on_question(void *owner, bool open)
{
    struct transfer *t = owner;

    if (t->view != NULL)
        transfer_view_hold(t->view, open);
}

int transfer_begin(struct transfer *t, enum options_command word, int argc, char **argv)
{
    int status;

    *t = (struct transfer){0};
    status = begin_program(t, word, argc, argv);
    if (status >= 0)
        return status;
    const struct transfer_view_options view = {
        .level = t->program.level, .json = t->program.options.json, .sends = word == OPTIONS_SEND};
    t->view = transfer_view_new(&t->program.loop, &view);
    if (t->view != NULL) {
        credentials_watch(&t->program.credentials, on_question, t);
        return -1;
    }
    say_error("out of memory");
    t->program.status = STATUS_INTERNAL;
    return transfer_end(t);
}

/* ---- running ---- */

static void report(void *sink, const struct report *report)
{
    struct transfer *t = sink;

    if (t->view != NULL) /* links report their ends behind it */
        transfer_view_clear(t->view);
    program_report(&t->program, report);
}

/* Who reads the events has gone: so has the purpose. */
static void look_at_output(struct transfer *t)
{
    int error = transfer_view_error(t->view);
    char why[160];

    if (error == 0 || t->program.over)
        return;
    (void)snprintf(why, sizeof why, "standard output: %s", file_error_text(error));
    program_told(&t->program, OUTCOME_LOCAL, why);
}

static void on_event(void *owner, struct delivery *delivery, const struct transfer_event *event)
{
    struct transfer *t = owner;

    transfer_view_event(t->view, delivery, event);
    look_at_output(t);
    if (event->type == TRANSFER_EVENT_OFFER && t->offered != NULL)
        t->offered(t->owner, delivery, event);
}

static void on_over(void *owner, struct delivery *delivery, const struct transfer_event *event,
                    enum outcome outcome, const char *text)
{
    struct transfer *t = owner;

    if (t->gone != NULL)
        t->gone(t->owner, delivery);
    transfer_view_over(t->view, delivery, event, program_status(outcome), text);
    look_at_output(t);
}

static void told(void *owner, enum outcome outcome, const char *text)
{
    struct transfer *t = owner;

    transfer_view_clear(t->view);
    if (!t->program.over) /* the first cause counts */
        program_told(&t->program, outcome, text);
}

static void stop(void *app)
{
    exchange_stop(app);
}

void transfer_run(struct transfer *t, const struct exchange_options *options)
{
    struct program *p = &t->program;
    const struct options *o = &p->options;
    const struct exchange_sink sink = {
        .event = on_event, .over = on_over, .told = told, .owner = t};
    const struct listener_options listen = {.family = o->family};
    const struct dialer_options dial = {.family =
                                            o->has_source ? address_family(o->source) : o->family,
                                        .source = o->has_source ? o->source : NULL,
                                        .timeout_ms = o->timeout_ms,
                                        .retry_ms = o->retry_ms};
    char why[512];
    bool listens = o->command == OPTIONS_LISTEN;

    p->net.reporter = (struct reporter){.report = report, .sink = t};
    if (!listens && !program_confine(p))
        return;
    t->exchange =
        listens ? exchange_listen(&p->net, &o->address, &listen, options, &sink, why, sizeof why)
                : exchange_connect(&p->net, &o->address, &dial, options, &sink);
    if (t->exchange == NULL) {
        say_error("%s", listens ? why : text("out of memory"));
        p->status = listens ? STATUS_NO_CONNECTION : STATUS_INTERNAL;
        return;
    }
    p->app = t->exchange;
    p->stop = listens ? stop : NULL;
    if (!listens || program_confine(p)) {
        program_ready(p, false);
        program_run(p);
    }
    exchange_free(t->exchange);
}

int transfer_end(struct transfer *t)
{
    transfer_view_free(t->view);
    t->view = NULL;
    return program_end(&t->program);
}
