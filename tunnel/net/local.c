#include "net/local.h"

#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One of standard input and output. */
struct half {
    int fd;         /* a duplicate of 0 or 1; -1: none */
    int flags;      /* its file status flags before libuv; -1: nothing to put back */
    bool is_stream; /* the handle is open, and owns fd */
    bool open;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tty_t tty;
        uv_tcp_t tcp;
    } uv;
};

/* Large, and there is one in a process: an idle forwarded connection does not carry it. */
struct stdio {
    struct half in, out;
    struct reader_file read;
    uv_fs_t write;
    uv_idle_t keeper; /* never started: its close puts off the end to the loop's next turn */
};

struct local {
    const struct net *net;
    struct sock *sock;   /* or: */
    struct stdio *stdio; /* or neither: no socket yet */
    char *peer;          /* the socket's; NULL: there was no memory for it */
    struct reader reader;
    struct writer writer;
    unsigned held; /* handles that libuv still has */
    bool terminal;
    bool closing;
};

static void no_change(void *owner)
{
    (void)owner;
}

struct local *local_new(const struct net *net)
{
    struct local *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    l->net = net;
    reader_init(&l->reader, net->loop, NULL, NULL);
    writer_init(&l->writer, net->loop, no_change, NULL);
    return l;
}

void local_attach(struct local *l, struct sock *sock)
{
    char peer[SOCK_TEXT];

    l->sock = sock;
    l->held++;
    sock_tune(sock);
    sock_peer(sock, peer);
    l->peer = strdup(peer);
    reader_from_stream(&l->reader, &sock->uv.stream);
    writer_to_stream(&l->writer, &sock->uv.stream);
}

/* ---- standard input and output ---- */

/* The handle for a descriptor that can be polled: 1; 0 for one that cannot (a file); or an
 * error. */
static int open_stream(struct half *h, uv_loop_t *loop)
{
    int result;

    switch (uv_guess_handle(h->fd)) {
    case UV_TTY: /* reopened by libuv: nobody shares its flags */
        result = uv_tty_init(loop, &h->uv.tty, h->fd, 0);
        break;
    case UV_NAMED_PIPE:
        /* Room for a whole read or write, where that is allowed. */
        (void)fcntl(h->fd, F_SETPIPE_SZ, LOOP_READ);
        result = uv_pipe_init(loop, &h->uv.pipe, 0);
        if (result == 0)
            result = uv_pipe_open(&h->uv.pipe, h->fd);
        break;
    case UV_TCP:
        result = uv_tcp_init(loop, &h->uv.tcp);
        if (result == 0)
            result = uv_tcp_open(&h->uv.tcp, h->fd);
        break;
    default:
        return 0;
    }
    return result == 0 ? 1 : result;
}

/* Takes descriptor `standard` over: a duplicate of it is used, and /dev/null put in its place. */
static int open_half(struct half *h, int standard, uv_loop_t *loop)
{
    int null;

    h->fd = fcntl(standard, F_DUPFD_CLOEXEC, 3);
    if (h->fd < 0)
        return -errno;
    h->open = true;
    int result = open_stream(h, loop);
    if (result < 0)
        return result;
    h->is_stream = result == 1;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return -errno;
    result = dup2(null, standard) < 0 ? -errno : 0;
    (void)close(null);
    return result;
}

/* Opens both; 0 or an error. */
static int open_stdio(struct local *l, struct half *in, struct half *out)
{
    uv_loop_t *loop = &l->net->loop->uv;

    in->fd = -1;
    out->fd = -1;
    /* Before either is touched: both may be one open file. */
    in->flags = fcntl(STDIN_FILENO, F_GETFL);
    out->flags = fcntl(STDOUT_FILENO, F_GETFL);
    int result = open_half(in, STDIN_FILENO, loop);
    if (in->is_stream)
        l->held++;
    l->terminal = in->is_stream && in->uv.handle.type == UV_TTY;
    if (result != 0)
        return result;
    result = open_half(out, STDOUT_FILENO, loop);
    if (out->is_stream)
        l->held++;
    return result;
}

struct local *local_stdio(const struct net *net, char *why, size_t size)
{
    struct local *l = local_new(net);
    struct stdio *stdio = calloc(1, sizeof *stdio);

    if (l == NULL || stdio == NULL || uv_idle_init(&net->loop->uv, &stdio->keeper) != 0) {
        (void)snprintf(why, size, text("out of memory"));
        free(stdio);
        free(l);
        return NULL;
    }
    l->stdio = stdio;
    l->held = 1;
    int result = open_stdio(l, &stdio->in, &stdio->out);
    if (result != 0) {
        (void)snprintf(why, size, text("cannot use standard input and output: %s"),
                       text(uv_strerror(result)));
        local_close(l, false);
        return NULL;
    }
    if (stdio->in.is_stream)
        reader_from_stream(&l->reader, &stdio->in.uv.stream);
    else
        reader_from_file(&l->reader, stdio->in.fd, &stdio->read);
    if (stdio->out.is_stream)
        writer_to_stream(&l->writer, &stdio->out.uv.stream);
    else
        writer_to_file(&l->writer, stdio->out.fd, &stdio->write);
    return l;
}

bool local_is_terminal(const struct local *l)
{
    return l->terminal;
}

static const char *name_of(const struct local *l, const char *standard)
{
    if (l->stdio != NULL)
        return standard;
    return l->peer != NULL ? l->peer : text("a local connection");
}

const char *local_input_name(const struct local *l)
{
    return name_of(l, text("standard input"));
}

const char *local_output_name(const struct local *l)
{
    return name_of(l, text("standard output"));
}

struct reader *local_reader(struct local *l)
{
    return &l->reader;
}

struct writer *local_writer(struct local *l)
{
    return &l->writer;
}

void local_disown(struct local *l)
{
    reader_stop(&l->reader);
    local_set_writer_owner(l, no_change, NULL);
}

void local_set_writer_owner(struct local *l, void (*changed)(void *owner), void *owner)
{
    l->writer.changed = changed;
    l->writer.owner = owner;
}

/* ---- the end ---- */

static int close_half(struct local *l, struct half *h);

static void close_stdio(struct local *l)
{
    if (l->stdio == NULL)
        return;
    (void)close_half(l, &l->stdio->in);
    (void)close_half(l, &l->stdio->out);
}

static void free_if_gone(struct local *l)
{
    if (!l->closing || l->held > 0)
        return;
    writer_drop(&l->writer);
    /* A file's read or write in flight needs what it works on. */
    if (!reader_close(&l->reader) || writer_busy(&l->writer))
        return;
    close_stdio(l);
    free(l->stdio);
    free(l->peer);
    free(l);
}

static void writer_landed(void *owner)
{
    free_if_gone(owner);
}

static void reader_landed(void *owner, int error)
{
    (void)error;
    free_if_gone(owner);
}

static const struct reader_handler closing_handler = {.ended = reader_landed};

static void handle_gone(uv_handle_t *handle)
{
    struct local *l = handle->data;

    l->held--;
    free_if_gone(l);
}

static void sock_gone(void *owner)
{
    struct local *l = owner;

    l->held--;
    free_if_gone(l);
}

static void restore_flags(const struct half *h)
{
    /* libuv made the open file non-blocking, for everybody who shares it. */
    if (h->flags >= 0)
        (void)fcntl(h->fd, F_SETFL, h->flags);
}

/* 0 or a negative errno of close. A file with a request in flight is left open for it. */
static int close_half(struct local *l, struct half *h)
{
    if (!h->open)
        return 0;
    if (!h->is_stream &&
        (h == &l->stdio->in ? reader_filling(&l->reader) : writer_busy(&l->writer)))
        return 0;
    h->open = false;
    restore_flags(h);
    if (h->is_stream) {
        uv_os_fd_t used;
        /* A terminal that libuv has reopened: our descriptor is left to us. */
        bool reopened = uv_fileno(&h->uv.handle, &used) == 0 && used != h->fd;
        h->uv.handle.data = l;
        uv_close(&h->uv.handle, handle_gone);
        return reopened && close(h->fd) != 0 ? -errno : 0;
    }
    if (h->uv.handle.loop != NULL && !uv_is_closing(&h->uv.handle)) { /* made, but not opened */
        l->held++;
        h->uv.handle.data = l;
        uv_close(&h->uv.handle, handle_gone);
    }
    return close(h->fd) == 0 ? 0 : -errno;
}

int local_end_output(struct local *l, bool keep)
{
    struct stat status;

    if (keep)
        return 0;
    if (l->sock != NULL)
        return sock_shut(&l->sock->uv.stream);
    /* A socket may be standard input too: its end must not depend on who has it open. */
    struct half *out = &l->stdio->out;
    if (out->is_stream && fstat(out->fd, &status) == 0 && S_ISSOCK(status.st_mode))
        return sock_shut(&out->uv.stream);
    return close_half(l, out);
}

void local_close(struct local *l, bool reset)
{
    if (l == NULL || l->closing)
        return;
    l->closing = true;
    reader_stop(&l->reader);
    if (l->sock != NULL && reset)
        sock_reset(l->sock, sock_gone, l);
    else if (l->sock != NULL)
        sock_close(l->sock, sock_gone, l);
    reader_hand_over(&l->reader, &closing_handler, l);
    local_set_writer_owner(l, writer_landed, l);
    if (l->stdio != NULL) {
        close_stdio(l);
        l->stdio->keeper.data = l;
        uv_close((uv_handle_t *)&l->stdio->keeper, handle_gone);
    }
    free_if_gone(l); /* at once, if it never had a socket */
}
