#include "cli/connect.h"

#include "apps/forward.h"
#include "apps/pipe.h"
#include "cli/program.h"
#include "cli/status.h"

static struct dialer_options dial_options(const struct options *o)
{
    return (struct dialer_options){.family = o->has_source ? address_family(o->source) : o->family,
                                   .source = o->has_source ? o->source : NULL,
                                   .timeout_ms = o->timeout_ms,
                                   .retry_ms = o->retry_ms};
}

static void count_pipe(void *app, uint64_t *sent, uint64_t *received)
{
    pipe_connector_counts(app, sent, received);
}

/* A pipe is ready, for -f, when it is authenticated and, with an identity, accepted. */
static void ready(void *program)
{
    program_ready(program, false);
}

static void report_and_ready(void *sink, const struct report *report)
{
    struct program *p = sink;

    program_report(p, report);
    if (report->type == REPORT_AUTHENTICATED && !p->options.has_identity)
        ready(p);
}

static void run_pipe(struct program *p)
{
    const struct options *o = &p->options;
    const struct dialer_options dial = dial_options(o);
    const struct pipe_options pipe = {
        .relay = {.recv_only = o->recv_only, .send_only = o->send_only}, .check = o->check};
    struct pipe_connector *app;

    if (!program_confine(p))
        return;
    p->net.reporter = (struct reporter){.report = report_and_ready, .sink = p};
    p->credentials.accepted = ready;
    p->credentials.owner = p;
    app = pipe_connect(&p->net, &o->address, &dial, &pipe, program_told, p);
    if (app == NULL) {
        say_error("out of memory");
        p->status = STATUS_INTERNAL;
        return;
    }
    p->app = app;
    p->counts = count_pipe;
    program_run(p);
    pipe_connector_free(app);
}

static void *share_forward(void *first, const struct net *net, outcome_told *told, void *owner)
{
    (void)told, (void)owner; /* it ends only by a signal */
    return forward_near_share(first, net);
}

static void free_forward(void *app)
{
    forward_near_free(app);
}

static void run_forward(struct program *p)
{
    static const struct crew_work work = {.share = share_forward, .free = free_forward};
    const struct options *o = &p->options;
    const struct dialer_options dial = dial_options(o);
    const struct listener_options listen = {.family = AF_UNSPEC};
    char why[512];
    struct forward_near *app = forward_near_new(&p->net, &o->address, &dial, o->local,
                                                o->local_count, &listen, why, sizeof why);

    if (app == NULL) {
        say_error("%s", why);
        p->status = STATUS_NO_CONNECTION;
        return;
    }
    if (program_confine(p) && program_crew(p, &work, app) == 0) {
        program_ready(p, true);
        program_run(p);
    }
    crew_free(p->crew);
    forward_near_free(app);
}

int connect_run(int argc, char **argv)
{
    struct program p;
    int status = program_begin(&p, OPTIONS_CONNECT, argc, argv);

    if (status >= 0)
        return status;
    if (p.options.local_count > 0)
        run_forward(&p);
    else
        run_pipe(&p);
    return program_end(&p);
}
