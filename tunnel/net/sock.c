#include "net/sock.h"

#include "text/text.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A peer that has vanished is found after two minutes if nothing is under way; else by the kernel's
 * retransmissions. No TCP_USER_TIMEOUT, which would shorten these: it also ends a connection whose
 * peer is there and does not read for so long. */
enum {
    KEEPALIVE_SECONDS = 60,
    KEEPALIVE_INTERVAL = 15,
    KEEPALIVE_PROBES = 4,
    /* Less by up to so many, since the kernel's timers of that length fire together: the probes of
     * thousands that were opened within a second would fill the queue of a network device, and be
     * lost. */
    KEEPALIVE_SPREAD = 16
};

struct sock *sock_new(struct loop *loop, bool is_tcp)
{
    struct sock *sock = calloc(1, sizeof *sock);

    if (sock == NULL)
        return NULL;
    sock->is_tcp = is_tcp;
    int result =
        is_tcp ? uv_tcp_init(&loop->uv, &sock->uv.tcp) : uv_pipe_init(&loop->uv, &sock->uv.pipe, 0);
    if (result != 0) {
        free(sock);
        return NULL;
    }
    return sock;
}

void sock_tune_fd(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {{IPPROTO_TCP, TCP_NODELAY, 1},
                   {SOL_SOCKET, SO_KEEPALIVE, 1},
                   {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_SECONDS},
                   {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL},
                   {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES}};

    /* None of these is vital: a socket that refuses them still carries data. */
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof options[i].value);
}

void sock_tune(struct sock *sock)
{
    uv_os_fd_t fd;

    if (!sock->is_tcp || uv_fileno(&sock->uv.handle, &fd) != 0)
        return;
    if (!sock->tuned)
        sock_tune_fd(fd);
    const int idle = KEEPALIVE_SECONDS - fd % KEEPALIVE_SPREAD;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
}

/* The far address of a TCP socket. */
static bool peer_address(const struct sock *sock, struct sockaddr_storage *address)
{
    int length = sizeof *address;

    return sock->is_tcp &&
           uv_tcp_getpeername(&sock->uv.tcp, (struct sockaddr *)address, &length) == 0;
}

/* Where the IPv4 address is in one of IPv6: a dual-stack socket's way to say 192.0.2.1. NULL: it is
 * none. */
static const uint8_t *mapped(const struct sockaddr_in6 *six)
{
    return IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) ? &six->sin6_addr.s6_addr[12] : NULL;
}

/* The same as a number for people; 0 or an error. */
static int peer_number(const struct sockaddr_storage *address, char *host, size_t size,
                       unsigned *port, bool *v6)
{
    *v6 = address->ss_family == AF_INET6;
    if (*v6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        *port = ntohs(six->sin6_port);
        if (mapped(six) != NULL) {
            *v6 = false;
            return uv_inet_ntop(AF_INET, mapped(six), host, size);
        }
        return uv_ip6_name(six, host, size);
    }
    *port = ntohs(((const struct sockaddr_in *)address)->sin_port);
    return uv_ip4_name((const struct sockaddr_in *)address, host, size);
}

void sock_peer(const struct sock *sock, char name[SOCK_TEXT])
{
    struct sockaddr_storage address;
    char host[64];
    unsigned port = 0;
    bool v6 = false;

    if (!peer_address(sock, &address) || peer_number(&address, host, sizeof host, &port, &v6) != 0)
        (void)snprintf(name, SOCK_TEXT, "%s", sock->is_tcp ? text("a peer that has gone") : "unix");
    else
        (void)snprintf(name, SOCK_TEXT, v6 ? "[%s]:%u" : "%s:%u", host, port);
}

uint64_t sock_source(const struct sock *sock)
{
    struct sockaddr_storage address;
    const uint8_t *octets;
    size_t size = 4;
    uint64_t source = 0;

    if (!peer_address(sock, &address))
        return 0;
    if (address.ss_family != AF_INET6) {
        octets = (const uint8_t *)&((const struct sockaddr_in *)&address)->sin_addr;
    } else if ((octets = mapped((const struct sockaddr_in6 *)&address)) == NULL) {
        octets = ((const struct sockaddr_in6 *)&address)->sin6_addr.s6_addr;
        size = 8;
    }
    for (size_t i = 0; i < size; i++)
        source = source << 8 | octets[i];
    return source;
}

int sock_end_error(const uv_stream_t *stream, ssize_t error)
{
    int pending = 0;
    socklen_t size = sizeof pending;
    uv_os_fd_t fd;

    if (error != UV_EOF)
        return (int)error;
    if (uv_fileno((const uv_handle_t *)stream, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &size) != 0) /* a pipe or a terminal */
        return 0;
    return -pending;
}

static void on_shut(uv_shutdown_t *request, int status)
{
    (void)status; /* a peer that has gone is found out elsewhere */
    free(request);
}

int sock_shut(uv_stream_t *stream)
{
    uv_shutdown_t *request = calloc(1, sizeof *request);

    if (request == NULL)
        return UV_ENOMEM;
    int result = uv_shutdown(request, stream, on_shut);
    if (result != 0)
        free(request);
    return result == UV_ENOTCONN ? 0 : result;
}

static void on_close(uv_handle_t *handle)
{
    struct sock *sock = (struct sock *)handle; /* its first member; `data` is its user's */

    if (sock->closed != NULL)
        sock->closed(sock->owner);
    free(sock);
}

void sock_close(struct sock *sock, void (*closed)(void *owner), void *owner)
{
    sock->closed = closed;
    sock->owner = owner;
    uv_close(&sock->uv.handle, on_close);
}

void sock_reset(struct sock *sock, void (*closed)(void *owner), void *owner)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    uv_os_fd_t fd;

    /* Not uv_tcp_close_reset, which refuses a socket that was shut down; a Unix socket has no
     * reset. */
    if (sock->is_tcp && uv_fileno(&sock->uv.handle, &fd) == 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    sock_close(sock, closed, owner);
}
