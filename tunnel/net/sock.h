/* A connected stream socket, TCP or Unix. */
#ifndef USI_NET_SOCK_H
#define USI_NET_SOCK_H

#include "net/loop.h"

#include <stdbool.h>

enum { SOCK_TEXT = 80 }; /* an IPv6 address with a zone, brackets and a port */

/* On the heap, because libuv's handles cannot move; whoever has the pointer owns it and ends it by
 * sock_close or sock_reset. */
struct sock {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    bool is_tcp;
    bool tuned; /* it has its options from the socket that listens */
    void (*closed)(void *owner);
    void *owner;
};

/* An unconnected socket for uv_*_open or uv_*_connect; NULL when libuv or memory fails. */
struct sock *sock_new(struct loop *loop, bool is_tcp);

/* For a socket just connected: no delay of small records, and the kernel looks after a peer that
 * has vanished (keep-alive). */
void sock_tune(struct sock *sock);

/* The same for a TCP descriptor that will listen: what it accepts inherits it. */
void sock_tune_fd(int fd);

/* The far address, as text for messages: 192.0.2.1:5, [2001:db8::1]:5, or unix. */
void sock_peer(const struct sock *sock, char name[SOCK_TEXT]);

/* Who counts as one source: an IPv4 address, or the first 64 bits of an IPv6 address, all of which
 * one machine may have. 0 for a Unix socket. */
uint64_t sock_source(const struct sock *sock);

/* What a stream's end of file really is: libuv takes a reset that comes with the last octets for an
 * end. error is what libuv said: UV_EOF or an error; 0 for a true end. Any stream will do. */
int sock_end_error(const uv_stream_t *stream, ssize_t error);

/* End of file for the far side, once what was given to the stream is written. Any stream will do.
 * 0 or a negative libuv error; a peer that has gone already is none. */
int sock_shut(uv_stream_t *stream);

/* Closes and frees; then calls closed(owner), if not NULL. Pending writes are cancelled: drain them
 * first. */
void sock_close(struct sock *sock, void (*closed)(void *owner), void *owner);

/* The same, but the far side gets a reset, not an end of file. */
void sock_reset(struct sock *sock, void (*closed)(void *owner), void *owner);

#endif
