#include "net/listener.h"

#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    SOCKETS_MAX = 8,
    PORT_TRIES = 16,
    /* Connections taken in one turn of the loop: those before get to say who they are first. */
    BURST = 32,
    /* What was not taken is offered again, besides by listener_again, after so long. */
    AGAIN_MS = 250,
    /* For so long the kernel keeps a connection to itself on which nothing was said: a stranger
     * who is silent costs neither a place nor a turn. */
    SILENT_SECONDS = 3,
    TOLD_MS = 60000 /* from one word about what cannot be taken to the next */
};

/* Watched, and accepted from by ourselves: where accept fails for good (no descriptors left), libuv
 * 1.44 would try again and again without ever coming back, and newer ones at every turn. */
struct slot {
    uv_poll_t *poll; /* outlives the listener until libuv has closed it */
    int fd;
    bool is_tcp;
    bool waits; /* a connection was announced, and as far as we know it still waits */
    struct listener *listener;
};

struct listener {
    const struct net *net;
    void (*waiting)(void *owner);
    void *owner;
    unsigned taken;      /* in this turn */
    uv_timer_t *turn;    /* ends it; outlives the listener until libuv has closed it */
    uint64_t quiet_till; /* TOLD_MS after we said that nothing can be taken */
    unsigned count;
    struct slot slot[SOCKETS_MAX];
    bool greets;
    bool is_unix;
    char path[ADDRESS_PATH_MAX + 1];
    dev_t device;
    ino_t inode;
};

static void on_turn(uv_timer_t *timer);
static void on_readable(uv_poll_t *poll, int status, int events);

/* Offers what waits at one socket as long as it is taken. */
static void offer_slot(struct listener *l, struct slot *slot)
{
    unsigned before;

    do {
        before = l->taken;
        if (slot->waits && l->taken < BURST)
            l->waiting(l->owner);
    } while (l->taken > before);
    /* Whoever must wait for the next turn has its timer; for longer nobody watches. */
    if (slot->waits && l->taken < BURST)
        (void)uv_poll_stop(slot->poll);
    else if (!uv_is_active((const uv_handle_t *)slot->poll))
        (void)uv_poll_start(slot->poll, UV_READABLE, on_readable);
}

/* Offers what waits, and makes sure that what is not taken is offered again. */
static void offer(struct listener *l)
{
    bool left = false;

    for (unsigned i = 0; i < l->count; i++) {
        offer_slot(l, &l->slot[i]);
        left = left || l->slot[i].waits;
    }
    if (left && !uv_is_active((const uv_handle_t *)l->turn))
        (void)uv_timer_start(l->turn, on_turn, AGAIN_MS, 0);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct slot *slot = poll->data;

    (void)status, (void)events; /* accept will say what is the matter */
    slot->waits = true;
    offer(slot->listener);
}

/* Whether a connection still waits there: another loop may have taken it. */
static bool is_offered(const struct slot *slot)
{
    struct pollfd offered = {.fd = slot->fd, .events = POLLIN};

    return poll(&offered, 1, 0) > 0;
}

/* After a turn in which something was taken, links are heard before more is: what waits is
 * announced again when the loop polls. (Until 1.48, libuv runs a timer of 0 ms that its own call
 * has started at once, before anything else.) */
static void on_turn(uv_timer_t *timer)
{
    struct listener *l = timer->data;
    const bool took = l->taken > 0;

    l->taken = 0;
    for (unsigned i = 0; i < l->count; i++) {
        struct slot *slot = &l->slot[i];
        if (took && !uv_is_active((const uv_handle_t *)slot->poll))
            (void)uv_poll_start(slot->poll, UV_READABLE, on_readable);
        slot->waits = slot->waits && !took && is_offered(slot);
    }
    if (!took)
        offer(l);
}

static void handle_gone(uv_handle_t *handle)
{
    free(handle);
}

/* Listens on a bound descriptor, which is used up. */
static int add_socket(struct listener *l, int fd, bool is_tcp)
{
    struct slot *slot = &l->slot[l->count];
    uv_poll_t *poll = calloc(1, sizeof *poll);
    int result = UV_ENOMEM;

    if (poll != NULL)
        result = listen(fd, BACKLOG) == 0 ? uv_poll_init(&l->net->loop->uv, poll, fd) : -errno;
    if (result != 0) {
        free(poll);
        (void)close(fd);
        return result;
    }
    *slot = (struct slot){.poll = poll, .fd = fd, .is_tcp = is_tcp, .listener = l};
    poll->data = slot;
    l->count++;
    return uv_poll_start(poll, UV_READABLE, on_readable);
}

/* ---- TCP ---- */

static in_port_t *port_of(struct sockaddr *address)
{
    return address->sa_family == AF_INET6 ? &((struct sockaddr_in6 *)address)->sin6_port
                                          : &((struct sockaddr_in *)address)->sin_port;
}

static void tune(int fd, bool greets)
{
    const int silent = greets ? 0 : SILENT_SECONDS;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &silent, sizeof silent);
    sock_tune_fd(fd);
}

/* A socket bound to the address, with the port that the kernel gave in *address; or a negative
 * errno. */
static int bind_tcp(struct sockaddr *address, socklen_t size, bool dual, bool greets)
{
    const int yes = 1, v6only = dual ? 0 : 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        (address->sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) != 0) ||
        bind(fd, address, size) != 0 || getsockname(fd, address, &size) != 0) {
        int error = -errno;
        (void)close(fd);
        return error;
    }
    tune(fd, greets);
    return fd;
}

static void report_listening(const struct listener *l, struct sockaddr *address)
{
    char host[64] = "?", text[96];
    unsigned port = ntohs(*port_of(address));

    if (address->sa_family == AF_INET6) {
        (void)uv_ip6_name((const struct sockaddr_in6 *)address, host, sizeof host);
        (void)snprintf(text, sizeof text, "[%s]:%u", host, port);
    } else {
        (void)uv_ip4_name((const struct sockaddr_in *)address, host, sizeof host);
        (void)snprintf(text, sizeof text, "%s:%u", host, port);
    }
    net_report(l->net, (struct report){.type = REPORT_LISTENING, .peer = text});
}

/* Binds and listens on one address, on `port` (network order) unless it is 0. 0 or a negative
 * errno. */
static int listen_on(struct listener *l, const struct addrinfo *info, bool dual, in_port_t *port)
{
    struct sockaddr_storage address;
    struct sockaddr *generic = (struct sockaddr *)&address;

    memcpy(&address, info->ai_addr, info->ai_addrlen);
    if (*port != 0)
        *port_of(generic) = *port;
    int fd = bind_tcp(generic, info->ai_addrlen, dual, l->greets);
    if (fd < 0)
        return fd;
    int result = add_socket(l, fd, true);
    if (result == 0)
        *port = *port_of(generic);
    return result;
}

static void close_all(struct listener *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        uv_close((uv_handle_t *)l->slot[i].poll, handle_gone); /* watched no more */
        (void)close(l->slot[i].fd);
    }
    l->count = 0;
}

/* All addresses of a name on one port. Those that this machine does not have are passed over as
 * long as one is left. */
static int listen_on_all(struct listener *l, const struct addrinfo *list, bool dual)
{
    in_port_t port = 0;
    int result = UV_EADDRNOTAVAIL;

    for (const struct addrinfo *i = list; i != NULL && l->count < SOCKETS_MAX; i = i->ai_next) {
        int error = listen_on(l, i, dual, &port);
        if (error == 0)
            continue;
        result = error;
        if (error != UV_EADDRNOTAVAIL && error != UV_EAFNOSUPPORT) {
            close_all(l);
            return error;
        }
    }
    return l->count > 0 ? 0 : result;
}

static int resolve(const struct address *address, int family, struct addrinfo **list, char *why,
                   size_t size)
{
    struct addrinfo hints = {
        .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char port[8];

    (void)snprintf(port, sizeof port, "%u", (unsigned)address->port);
    int result = getaddrinfo(address->host, port, &hints, list);
    if (result != 0)
        (void)snprintf(why, size, text("cannot listen on %s: %s"), address->text,
                       gai_strerror(result));
    return result;
}

static int listen_tcp(struct listener *l, const struct address *address, int family, char *why,
                      size_t size)
{
    struct address wanted = *address;
    struct addrinfo *list = NULL;
    bool any = strcmp(address->host, "::") == 0;
    bool dual = any && family == AF_UNSPEC;
    int result = UV_EADDRINUSE;

    if (any && family == AF_INET)
        (void)snprintf(wanted.host, sizeof wanted.host, "0.0.0.0");
    if (resolve(&wanted, family, &list, why, size) != 0)
        return -1;
    /* A port of the kernel's choice is free on the first address, but perhaps not on the second. */
    for (int i = 0; i < PORT_TRIES && result == UV_EADDRINUSE; i++) {
        result = listen_on_all(l, list, dual);
        if (address->port != 0)
            break;
    }
    freeaddrinfo(list);
    if (dual && result == UV_EAFNOSUPPORT) /* a kernel without IPv6 */
        return listen_tcp(l, address, AF_INET, why, size);
    if (result != 0) {
        (void)snprintf(why, size,
                       result == UV_EADDRINUSE
                           ? text("cannot listen on %s: %s; choose another port, or 0 for any")
                           : text("cannot listen on %s: %s"),
                       address->text, text(uv_strerror(result)));
        return -1;
    }
    for (unsigned i = 0; i < l->count; i++) {
        struct sockaddr_storage bound = {0};
        socklen_t bound_size = sizeof bound;
        if (getsockname(l->slot[i].fd, (struct sockaddr *)&bound, &bound_size) == 0)
            report_listening(l, (struct sockaddr *)&bound);
    }
    return 0;
}

/* ---- Unix ---- */

/* Is nobody there any more? Only a socket that refuses counts as stale. */
static bool stale(const struct sockaddr_un *address)
{
    struct stat found;
    int fd = -1;
    bool answer = false;

    if (lstat(address->sun_path, &found) != 0 || !S_ISSOCK(found.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    answer = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
             errno == ECONNREFUSED;
    (void)close(fd);
    return answer;
}

static int bind_unix(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    /* 0600 from the first moment: the socket's own mode is what bind gives the file. */
    mode_t before = umask(0177);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address);
    int error = -errno;
    (void)umask(before);
    if (result != 0) {
        (void)close(fd);
        return error;
    }
    return fd;
}

static int listen_unix(struct listener *l, const struct address *address, char *why, size_t size)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat made;

    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", address->path);
    int fd = bind_unix(&name);
    if (fd == -EADDRINUSE && stale(&name) && unlink(name.sun_path) == 0)
        fd = bind_unix(&name);
    int result = fd;
    if (fd >= 0) {
        l->is_unix = true;
        memcpy(l->path, address->path, sizeof l->path);
        if (stat(name.sun_path, &made) == 0) {
            l->device = made.st_dev;
            l->inode = made.st_ino;
        }
        result = add_socket(l, fd, false);
    }
    if (result != 0) {
        (void)snprintf(why, size, text("cannot listen on %s: %s"), address->text,
                       result == UV_EADDRINUSE
                           ? text("somebody answers there, or it is not a socket")
                           : text(uv_strerror(result)));
        return -1;
    }
    net_report(l->net, (struct report){.type = REPORT_LISTENING, .peer = address->text});
    return 0;
}

/* ---- sockets that listen already ---- */

/* What keeps a descriptor from being listened on, or NULL; *domain is its family. */
static const char *unfit(int fd, int family, int *domain)
{
    int type = 0, listens = 0;
    socklen_t size = sizeof *domain;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, domain, &size) != 0)
        return errno == ENOTSOCK ? text("it is not a socket") : text_of_errno(errno);
    size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM ||
        (*domain != AF_INET && *domain != AF_INET6 && *domain != AF_UNIX))
        return text("it is not a TCP or Unix stream socket");
    if (family != AF_UNSPEC && family != *domain)
        return family == AF_INET ? text("it is not an IPv4 socket, as --ipv4 asks")
                                 : text("it is not an IPv6 socket, as --ipv6 asks");
    size = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0)
        return text("it is a socket that does not listen");
    return NULL;
}

static void report_given(const struct listener *l, int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_storage room;
    } address = {0};
    socklen_t size = sizeof address.room - 1; /* a path need not end in a NUL */
    char name[sizeof "unix:@" + sizeof address.un.sun_path];

    if (getsockname(fd, &address.any, &size) != 0)
        return;
    if (address.any.sa_family != AF_UNIX) {
        report_listening(l, &address.any);
        return;
    }
    const char *path = address.un.sun_path;
    bool named = path[0] != '\0' || size <= offsetof(struct sockaddr_un, sun_path) + 1;
    (void)snprintf(name, sizeof name, named ? "unix:%s" : "unix:@%s", named ? path : path + 1);
    net_report(l->net, (struct report){.type = REPORT_LISTENING, .peer = name});
}

static int listen_given(struct listener *l, const struct listener_options *options, char *why,
                        size_t size)
{
    for (unsigned i = 0; i < options->count; i++) {
        int fd = options->first + (int)i, domain = AF_UNSPEC;
        const char *wrong = i < SOCKETS_MAX ? unfit(fd, options->family, &domain)
                                            : text("there are more than can be served");
        int result = 0;
        if (wrong == NULL) {
            if (domain != AF_UNIX)
                tune(fd, l->greets);
            result = add_socket(l, fd, domain != AF_UNIX);
            wrong = result != 0 ? text(uv_strerror(result)) : NULL;
        }
        if (wrong != NULL) {
            (void)snprintf(why, size, text("cannot listen on descriptor %d (LISTEN_FDS): %s"), fd,
                           wrong);
            return -1;
        }
    }
    for (unsigned i = 0; i < options->count; i++)
        report_given(l, options->first + (int)i);
    return 0;
}

/* ---- all of them ---- */

static struct listener *make(const struct net *net, void (*waiting)(void *owner), void *owner)
{
    struct listener *l = calloc(1, sizeof *l);

    if (l == NULL || (l->turn = calloc(1, sizeof *l->turn)) == NULL ||
        uv_timer_init(&net->loop->uv, l->turn) != 0) {
        if (l != NULL)
            free(l->turn);
        free(l);
        return NULL;
    }
    l->turn->data = l;
    l->net = net;
    l->waiting = waiting;
    l->owner = owner;
    return l;
}

struct listener *listener_share(const struct net *net, const struct listener *of,
                                void (*waiting)(void *owner), void *owner)
{
    struct listener *l = make(net, waiting, owner);

    for (unsigned i = 0; l != NULL && i < of->count; i++) {
        int copy = fcntl(of->slot[i].fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0 || add_socket(l, copy, of->slot[i].is_tcp) != 0) {
            listener_close(l);
            return NULL;
        }
    }
    return l;
}

struct listener *listener_new(const struct net *net, const struct address *address,
                              const struct listener_options *options, void (*waiting)(void *owner),
                              void *owner, char *why, size_t size)
{
    struct listener *l = make(net, waiting, owner);

    if (l == NULL) {
        (void)snprintf(why, size, text("out of memory"));
        return NULL;
    }
    l->greets = options->greets;
    int result = options->count > 0 ? listen_given(l, options, why, size)
                 : address->kind == ADDRESS_UNIX
                     ? listen_unix(l, address, why, size)
                     : listen_tcp(l, address, options->family, why, size);
    if (result != 0) {
        listener_close(l);
        return NULL;
    }
    return l;
}

/* Connections that cannot be taken, for want of descriptors mostly, wait in the kernel. */
static void tell_error(struct listener *l, int error)
{
    uint64_t now = uv_now(&l->net->loop->uv);

    if (now < l->quiet_till)
        return;
    l->quiet_till = now + TOLD_MS;
    net_report(l->net, (struct report){.type = REPORT_WARNING,
                                       .peer = text("connections have to wait"),
                                       .text = text(uv_strerror(error))});
}

/* The next connection's descriptor, or -1. */
static int take(struct slot *slot)
{
    int fd;

    do
        /* cppcheck-suppress nullPointer ; accept4 takes NULL for an address that nobody asks for */
        fd = accept4(slot->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0 && errno == EAGAIN)
        slot->waits = false;
    else if (fd < 0)
        tell_error(slot->listener, -errno);
    return fd;
}

/* A connection of a descriptor, which is used up; NULL without memory. */
static struct sock *sock_of(struct loop *loop, int fd, bool is_tcp)
{
    struct sock *sock = sock_new(loop, is_tcp);

    if (sock != NULL &&
        (is_tcp ? uv_tcp_open(&sock->uv.tcp, fd) : uv_pipe_open(&sock->uv.pipe, fd)) == 0) {
        sock->tuned = true;
        return sock;
    }
    (void)close(fd);
    if (sock != NULL)
        sock_close(sock, NULL, NULL);
    return NULL;
}

struct sock *listener_accept(struct listener *l)
{
    int fd;

    for (unsigned i = 0; i < l->count && l->taken < BURST; i++) {
        struct slot *slot = &l->slot[i];
        if (slot->waits && (fd = take(slot)) >= 0) {
            if (l->taken++ == 0)
                (void)uv_timer_start(l->turn, on_turn, 0, 0);
            return sock_of(l->net->loop, fd, slot->is_tcp);
        }
    }
    return NULL;
}

void listener_again(struct listener *l)
{
    offer(l);
}

void listener_close(struct listener *l)
{
    struct stat found;

    if (l == NULL)
        return;
    close_all(l);
    uv_close((uv_handle_t *)l->turn, handle_gone);
    /* The file is removed only if it is still ours. */
    if (l->is_unix && lstat(l->path, &found) == 0 && found.st_dev == l->device &&
        found.st_ino == l->inode)
        (void)unlink(l->path);
    free(l);
}
