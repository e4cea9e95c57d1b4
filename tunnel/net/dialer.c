#include "net/dialer.h"

#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ADDRESSES_MAX = 8, STAGGER_MS = 250, RETRY_MS = 200 };

struct attempt {
    struct dialer *dialer;
    struct sock *sock;
    uv_connect_t request;
};

struct dialer {
    const struct net *net;
    const struct address *address;
    struct dialer_options options;
    void (*connected)(void *owner, struct sock *sock);
    void (*failed)(void *owner, const char *why);
    void *owner;

    uint64_t begun, round_begun; /* ms of the loop's clock */
    uv_getaddrinfo_t resolving;
    uv_timer_t timer;
    unsigned held; /* requests and handles that libuv still has */
    bool asking;   /* the name is being resolved */
    bool over;     /* told, or cancelled */
    int error;     /* the latest */

    unsigned count, tried,
        pending; /* addresses of this round; attempts begun; attempts under way */
    struct sockaddr_storage found[ADDRESSES_MAX];
    struct attempt attempt[ADDRESSES_MAX];
};

static void round_begin(struct dialer *d);
static void on_timer(uv_timer_t *timer);

static uint64_t now_of(const struct dialer *d)
{
    return uv_now(&d->net->loop->uv);
}

static void let_go(struct dialer *d)
{
    if (--d->held == 0)
        free(d);
}

static void sock_gone(void *owner)
{
    let_go(owner);
}

static void timer_gone(uv_handle_t *handle)
{
    let_go(handle->data);
}

/* Ends every attempt of this round. */
static void drop_attempts(struct dialer *d)
{
    for (unsigned i = 0; i < d->tried; i++) {
        struct attempt *a = &d->attempt[i];
        if (a->sock != NULL)
            sock_close(a->sock, sock_gone, d);
        a->sock = NULL;
    }
    d->pending = 0;
}

static void finish(struct dialer *d)
{
    d->over = true;
    drop_attempts(d);
    (void)uv_cancel(
        (uv_req_t *)&d->resolving); /* EBUSY: it comes back later, and finds this over */
    uv_close((uv_handle_t *)&d->timer, timer_gone);
}

static void fail(struct dialer *d, const char *cause)
{
    char why[ADDRESS_HOST_MAX + 256];
    const char *to = d->address->text;

    if (d->error == UV_EADDRNOTAVAIL && d->options.source != NULL)
        (void)snprintf(
            why, sizeof why,
            text("cannot connect from %s to %s: %s; is that an address of this machine?"),
            d->options.source, to, cause);
    else if (d->error == UV_ECONNREFUSED || d->error == UV_ENOENT)
        (void)snprintf(why, sizeof why,
                       text("cannot connect to %s: %s; is a listener running there? (--retry "
                            "SECONDS waits for it)"),
                       to, cause);
    else
        (void)snprintf(why, sizeof why, text("cannot connect to %s: %s"), to, cause);
    finish(d);
    d->failed(d->owner, why);
}

static bool is_refusal(int error)
{
    return error == UV_ECONNREFUSED || error == UV_ENOENT;
}

/* Of a round's errors a refusal says most: somebody is there, and nothing listens. */
static void remember_error(struct dialer *d, int error)
{
    if (!is_refusal(d->error))
        d->error = error;
}

/* Every address has failed: again later, or for good. */
static void round_failed(struct dialer *d)
{
    /* A Unix socket whose queue is full says so at once, where TCP would wait. */
    bool full = d->address->kind == ADDRESS_UNIX && d->error == UV_EAGAIN;
    uint64_t patience = !full                       ? d->options.retry_ms
                        : d->options.timeout_ms > 0 ? d->options.timeout_ms
                                                    : UINT64_MAX;

    if ((full || is_refusal(d->error)) && now_of(d) - d->begun < patience) {
        d->count = 0;
        d->tried = 0;
        (void)uv_timer_start(&d->timer, on_timer, RETRY_MS, 0);
        return;
    }
    fail(d, text(uv_strerror(d->error)));
}

static void on_connected(uv_connect_t *request, int status)
{
    struct attempt *a = request->data;
    struct dialer *d = a->dialer;
    struct sock *sock = a->sock;

    if (sock == NULL || d->over) /* given up meanwhile */
        return;
    d->pending--;
    a->sock = NULL;
    if (status == 0) {
        d->held--; /* the socket's: it is the owner's now */
        finish(d);
        d->connected(d->owner, sock);
        return;
    }
    remember_error(d, status);
    sock_close(sock, sock_gone, d);
    (void)uv_timer_start(&d->timer, on_timer, 0, 0); /* no need to wait for the next address */
}

/* Begins connecting to one address; 0 or a negative libuv error. */
static int attempt_start(struct dialer *d, struct attempt *a, const struct sockaddr *to)
{
    bool is_tcp = d->address->kind == ADDRESS_TCP;
    struct sockaddr_storage from;
    int result = 0;

    a->dialer = d;
    a->request.data = a;
    a->sock = sock_new(d->net->loop, is_tcp);
    if (a->sock == NULL)
        return UV_ENOMEM;
    d->held++;
    if (!is_tcp) {
        uv_pipe_connect(&a->request, &a->sock->uv.pipe, d->address->path, on_connected);
        return 0;
    }
    if (d->options.source != NULL) {
        result = to->sa_family == AF_INET6
                     ? uv_ip6_addr(d->options.source, 0, (struct sockaddr_in6 *)&from)
                     : uv_ip4_addr(d->options.source, 0, (struct sockaddr_in *)&from);
        if (result == 0)
            result = uv_tcp_bind(&a->sock->uv.tcp, (const struct sockaddr *)&from, 0);
    }
    if (result == 0)
        result = uv_tcp_connect(&a->request, &a->sock->uv.tcp, to, on_connected);
    if (result != 0) {
        sock_close(a->sock, sock_gone, d);
        a->sock = NULL;
    }
    return result;
}

/* The next address, or the end of the round. */
static void try_next(struct dialer *d)
{
    while (d->tried < d->count) {
        unsigned i = d->tried++;
        int result = attempt_start(d, &d->attempt[i], (const struct sockaddr *)&d->found[i]);
        if (result == 0) {
            d->pending++;
            break;
        }
        remember_error(d, result);
    }
    if (d->pending == 0) {
        round_failed(d);
        return;
    }
    uint64_t now = now_of(d);
    uint64_t by = d->options.timeout_ms > 0 ? d->round_begun + d->options.timeout_ms : UINT64_MAX;
    uint64_t next = d->tried < d->count ? now + STAGGER_MS : UINT64_MAX;
    uint64_t due = by < next ? by : next;
    if (due != UINT64_MAX)
        (void)uv_timer_start(&d->timer, on_timer, due > now ? due - now : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct dialer *d = timer->data;

    if (d->asking) {
        d->error = UV_ETIMEDOUT;
        fail(d, text("its name was not resolved in time (--timeout)"));
    } else if (d->count == 0) {
        round_begin(d);
    } else if (d->options.timeout_ms > 0 && now_of(d) - d->round_begun >= d->options.timeout_ms &&
               d->pending > 0) {
        d->error = UV_ETIMEDOUT;
        fail(d, text("no answer in time (--timeout)"));
    } else {
        try_next(d);
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct dialer *d = request->data;

    d->asking = false;
    if (!d->over && status != 0) {
        d->error = status;
        fail(d, text(uv_strerror(status)));
    } else if (!d->over) {
        for (const struct addrinfo *i = list; i != NULL && d->count < ADDRESSES_MAX; i = i->ai_next)
            memcpy(&d->found[d->count++], i->ai_addr, i->ai_addrlen);
        try_next(d);
    }
    uv_freeaddrinfo(list);
    let_go(d);
}

/* Is the host an address? Then it needs no resolver, nor the thread pool's time. */
static bool take_number(struct dialer *d)
{
    const char *host = d->address->host;
    struct sockaddr *found = (struct sockaddr *)&d->found[0];

    if ((d->options.family == AF_INET6 ||
         uv_ip4_addr(host, d->address->port, (struct sockaddr_in *)found) != 0) &&
        (d->options.family == AF_INET ||
         uv_ip6_addr(host, d->address->port, (struct sockaddr_in6 *)found) != 0))
        return false;
    d->count = 1;
    return true;
}

static void round_begin(struct dialer *d)
{
    const struct addrinfo hints = {
        .ai_family = d->options.family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char port[8];

    d->round_begun = now_of(d);
    d->error = 0;
    if (d->address->kind == ADDRESS_UNIX) {
        d->count = 1;
        try_next(d);
        return;
    }
    if (take_number(d)) {
        try_next(d);
        return;
    }
    (void)snprintf(port, sizeof port, "%u", (unsigned)d->address->port);
    d->resolving.data = d;
    int result = uv_getaddrinfo(&d->net->loop->uv, &d->resolving, on_resolved, d->address->host,
                                port, &hints);
    if (result != 0) {
        d->error = result;
        fail(d, text(uv_strerror(result)));
        return;
    }
    d->held++;
    d->asking = true;
    if (d->options.timeout_ms > 0)
        (void)uv_timer_start(&d->timer, on_timer, d->options.timeout_ms, 0);
}

struct dialer *dialer_start(const struct net *net, const struct address *address,
                            const struct dialer_options *options,
                            void (*connected)(void *owner, struct sock *sock),
                            void (*failed)(void *owner, const char *why), void *owner)
{
    struct dialer *d = calloc(1, sizeof *d);

    if (d == NULL || uv_timer_init(&net->loop->uv, &d->timer) != 0) {
        free(d);
        return NULL;
    }
    d->net = net;
    d->address = address;
    d->options = *options;
    d->connected = connected;
    d->failed = failed;
    d->owner = owner;
    d->held = 1; /* the timer */
    d->timer.data = d;
    uv_update_time(&net->loop->uv);
    d->begun = now_of(d);
    /* Not from here: nothing is told before the caller has the result. */
    (void)uv_timer_start(&d->timer, on_timer, 0, 0);
    return d;
}

void dialer_cancel(struct dialer *d)
{
    if (d != NULL && !d->over)
        finish(d);
}
