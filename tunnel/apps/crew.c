#include "apps/crew.h"

#include "text/text.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* What a worker is asked to do, from another thread. */
enum order { ORDER_NONE, ORDER_STOP, ORDER_QUIT };

/* One loop in a thread of its own. Only `order`, `called`, `over` and `outcome` are shared: the
 * first two by who gives and takes them, the others once `over` is set. */
struct worker {
    struct crew *crew;
    pthread_t thread;
    bool running;
    struct loop loop;
    struct net net;
    void *app;
    uv_async_t wake;
    atomic_int order;
    atomic_bool called; /* a sign of life is asked for */
    atomic_bool over;   /* told was called */
    enum outcome outcome;
};

struct crew {
    const struct net *net;
    struct crew_work work;
    void *first;
    outcome_told *told;
    void *owner;
    void (*alive)(void *owner); /* whom to tell that all have answered; NULL: nobody asked */
    void *alive_owner;
    uv_async_t *wake; /* a worker is over, or alive; outlives the crew until libuv has closed it */
    bool first_over, all_over;
    enum outcome outcome;
    unsigned count;
    struct worker worker[];
};

unsigned crew_cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > CREW_MAX ? CREW_MAX : (unsigned)count;
}

/* ---- in a worker's thread ---- */

static void worker_told(void *owner, enum outcome outcome, const char *text)
{
    struct worker *w = owner;

    (void)text; /* the same as the first's */
    w->outcome = outcome;
    atomic_store(&w->over, true);
    (void)uv_async_send(w->crew->wake);
}

static void on_order(uv_async_t *wake)
{
    struct worker *w = wake->data;
    int order = atomic_load(&w->order);

    if (atomic_exchange(&w->called, false))
        (void)uv_async_send(w->crew->wake);
    if (order == ORDER_STOP && w->crew->work.stop != NULL)
        w->crew->work.stop(w->app);
    else if (order == ORDER_QUIT)
        uv_stop(&w->loop.uv);
}

static void *run(void *argument)
{
    struct worker *w = argument;

    while (atomic_load(&w->order) != ORDER_QUIT)
        (void)uv_run(&w->loop.uv, UV_RUN_DEFAULT);
    w->crew->work.free(w->app);
    uv_close((uv_handle_t *)&w->wake, NULL);
    (void)loop_close(&w->loop);
    usi_crypto_thread_stop(w->net.crypto);
    return NULL;
}

/* ---- making them ---- */

/* A loop and its app, which nobody runs yet. 0 or a negative libuv error. */
static int worker_make(struct crew *crew, struct worker *w)
{
    int result = loop_init(&w->loop);

    if (result != 0)
        return result;
    w->crew = crew;
    w->net = *crew->net;
    w->net.loop = &w->loop;
    result = uv_async_init(&w->loop.uv, &w->wake, on_order);
    if (result != 0) {
        (void)loop_close(&w->loop);
        return result;
    }
    w->wake.data = w;
    w->app = crew->work.share(crew->first, &w->net, worker_told, w);
    if (w->app != NULL)
        return 0;
    uv_close((uv_handle_t *)&w->wake, NULL);
    (void)loop_close(&w->loop);
    return UV_ENOMEM;
}

/* Signals are the main thread's. */
static int worker_start(struct worker *w)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    int result = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (result == 0) {
        result = pthread_create(&w->thread, NULL, run, w);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    w->running = result == 0;
    if (!w->running) { /* what run would have ended */
        atomic_store(&w->order, ORDER_QUIT);
        (void)run(w);
    }
    return -result;
}

static void on_wake(uv_async_t *wake);

struct crew *crew_new(const struct net *net, unsigned count, const struct crew_work *work,
                      void *first, outcome_told *told, void *owner, char *why, size_t size)
{
    struct crew *crew = calloc(1, sizeof *crew + count * sizeof crew->worker[0]);
    int result = UV_ENOMEM;

    if (crew != NULL && (crew->wake = calloc(1, sizeof *crew->wake)) != NULL)
        result = uv_async_init(&net->loop->uv, crew->wake, on_wake);
    if (result != 0) {
        (void)snprintf(why, size, text("no other threads: %s"), text(uv_strerror(result)));
        if (crew != NULL)
            free(crew->wake);
        free(crew);
        return NULL;
    }
    crew->wake->data = crew;
    crew->net = net;
    crew->work = *work;
    crew->first = first;
    crew->told = told;
    crew->owner = owner;
    while (result == 0 && crew->count + 1 < count) {
        result = worker_make(crew, &crew->worker[crew->count]);
        if (result == 0)
            result = worker_start(&crew->worker[crew->count++]);
    }
    if (result != 0) {
        (void)snprintf(why, size, text("no other threads: %s; --threads 1 needs none"),
                       text(uv_strerror(result)));
        crew_free(crew);
        return NULL;
    }
    return crew;
}

/* ---- the end ---- */

static void tell_if_over(struct crew *crew)
{
    bool over = crew->first_over;

    for (unsigned i = 0; i < crew->count; i++) {
        struct worker *w = &crew->worker[i];
        bool done = atomic_load(&w->over);
        over = over && done;
        if (done && crew->outcome == OUTCOME_DONE)
            crew->outcome = w->outcome;
    }
    if (!over || crew->all_over)
        return;
    crew->all_over = true;
    crew->told(crew->owner, crew->outcome,
               crew->outcome == OUTCOME_CUT
                   ? text("some streams did not end in time (--drain): cut off")
                   : "");
}

/* Calls whoever asked if no answer is missing. */
static void answer(struct crew *crew)
{
    void (*alive)(void *owner) = crew->alive;

    for (unsigned i = 0; i < crew->count; i++)
        if (atomic_load(&crew->worker[i].called))
            return;
    crew->alive = NULL;
    if (alive != NULL)
        alive(crew->alive_owner);
}

static void on_wake(uv_async_t *wake)
{
    struct crew *crew = wake->data;

    answer(crew);
    tell_if_over(crew);
}

void crew_call(struct crew *crew, void (*alive)(void *owner), void *owner)
{
    crew->alive = alive;
    crew->alive_owner = owner;
    for (unsigned i = 0; i < crew->count; i++) {
        atomic_store(&crew->worker[i].called, true);
        (void)uv_async_send(&crew->worker[i].wake);
    }
    answer(crew);
}

void crew_told(void *owner, enum outcome outcome, const char *text)
{
    struct crew *crew = owner;

    (void)text;
    crew->first_over = true;
    crew->outcome = outcome;
    tell_if_over(crew);
}

static void give_order(struct crew *crew, enum order order)
{
    for (unsigned i = 0; i < crew->count; i++) {
        if (!crew->worker[i].running)
            continue;
        atomic_store(&crew->worker[i].order, order);
        (void)uv_async_send(&crew->worker[i].wake);
    }
}

void crew_stop(struct crew *crew)
{
    give_order(crew, ORDER_STOP);
    if (crew->work.stop != NULL)
        crew->work.stop(crew->first);
}

static void wake_gone(uv_handle_t *handle)
{
    free(handle);
}

void crew_free(struct crew *crew)
{
    if (crew == NULL)
        return;
    give_order(crew, ORDER_QUIT);
    for (unsigned i = 0; i < crew->count; i++)
        if (crew->worker[i].running)
            (void)pthread_join(crew->worker[i].thread, NULL);
    uv_close((uv_handle_t *)crew->wake, wake_gone);
    free(crew);
}
