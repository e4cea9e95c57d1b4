#include "cli/listen.h"

#include "apps/forward.h"
#include "apps/pipe.h"
#include "cli/program.h"
#include "cli/status.h"

static void stop_pipe(void *app)
{
    pipe_listener_stop(app);
}

static void count_pipe(void *app, uint64_t *sent, uint64_t *received)
{
    pipe_listener_counts(app, sent, received);
}

static void run_pipe(struct program *p)
{
    const struct options *o = &p->options;
    const struct listener_options listen = activation_listen(&p->activation, o);
    const struct pipe_options pipe = {
        .relay = {.recv_only = o->recv_only, .send_only = o->send_only}, .keep_open = o->keep_open};
    char why[512];
    struct pipe_listener *app =
        pipe_listen(&p->net, &o->address, &listen, &pipe, program_told, p, why, sizeof why);

    if (app == NULL) {
        say_error("%s", why);
        p->status = STATUS_NO_CONNECTION;
        return;
    }
    p->app = app;
    p->stop = stop_pipe;
    p->counts = count_pipe;
    if (program_confine(p)) {
        program_ready(p, false);
        program_run(p);
    }
    pipe_listener_free(app);
}

static void *share_forward(void *first, const struct net *net, outcome_told *told, void *owner)
{
    return forward_far_share(first, net, told, owner);
}

static void stop_forward(void *app)
{
    forward_far_stop(app);
}

static void free_forward(void *app)
{
    forward_far_free(app);
}

static void run_forward(struct program *p)
{
    const struct options *o = &p->options;
    const struct listener_options listen = activation_listen(&p->activation, o);
    const struct dialer_options dial = {.family = o->family, .timeout_ms = o->timeout_ms};
    const struct forward_far_options options = {
        .address = &o->address, .listen = &listen, .target = &o->forward, .dial = &dial};
    static const struct crew_work work = {
        .share = share_forward, .stop = stop_forward, .free = free_forward};
    char why[512];
    struct forward_far *app =
        forward_far_new(&p->net, &options, program_app_told, p, why, sizeof why);

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
    forward_far_free(app);
}

int listen_run(int argc, char **argv)
{
    struct program p;
    int status = program_begin(&p, OPTIONS_LISTEN, argc, argv);

    if (status >= 0)
        return status;
    if (p.options.has_forward)
        run_forward(&p);
    else
        run_pipe(&p);
    return program_end(&p);
}
