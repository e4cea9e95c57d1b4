#include "cli/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum {
    SIGNALS = 4,
    LOOK_AGAIN_MS = 250,      /* in the background: are we in the foreground by now? */
    READ = 4096,              /* octets of one read */
    DRAWN_WAITING = 16 * 1024 /* waiting octets from which nothing is drawn */
};

/* The first two would stop or end us with the modes of an editor. */
static const int signal_numbers[SIGNALS] = {SIGTSTP, SIGQUIT, SIGCONT, SIGWINCH};

struct screen {
    struct loop *loop;
    const struct screen_handler *handler;
    void *owner;
    int fd;
    uv_poll_t poll;
    uv_idle_t work;    /* runs while there is something to do */
    uv_prepare_t each; /* looks for what was written on stderr in this turn of the loop */
    uv_timer_t again;
    uv_signal_t signals[SIGNALS];
    unsigned open_handles;

    struct termios found;
    bool ours, lent, closing;
    bool told;          /* the owner has had it, and hears of its end */
    bool ending, ended; /* the input's end is to be told; is told */
    int end_error;
    unsigned columns;

    /* stderr: what it was, and a file in memory in its place, which can hang nobody: a pipe could,
     * that only we read. -1: not caught. */
    int real_stderr, caught;

    char *output;
    size_t waiting, capacity;
    bool put; /* since `written` */
    int error;
};

static void on_work(uv_idle_t *idle);
static void on_poll(uv_poll_t *poll, int status, int events);

void screen_wake(struct screen *s)
{
    if (!s->closing)
        (void)uv_idle_start(&s->work, on_work);
}

bool screen_is_ours(const struct screen *s)
{
    return s->ours;
}

size_t screen_waiting(const struct screen *s)
{
    return s->waiting;
}

unsigned screen_columns(const struct screen *s)
{
    return s->columns;
}

/* ---- stderr ---- */

static bool is_our_terminal(const struct screen *s, int fd)
{
    struct stat ours, its;

    return isatty(fd) == 1 && fstat(s->fd, &ours) == 0 && fstat(fd, &its) == 0 &&
           ours.st_rdev == its.st_rdev;
}

static void catch_stderr(struct screen *s)
{
    if (s->real_stderr >= 0 || !is_our_terminal(s, STDERR_FILENO))
        return;
    if (s->caught < 0)
        s->caught = memfd_create("stderr", MFD_CLOEXEC);
    if (s->caught < 0 || fcntl(s->caught, F_SETFL, O_APPEND) != 0)
        return;
    s->real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (s->real_stderr >= 0 && dup2(s->caught, STDERR_FILENO) < 0) {
        (void)close(s->real_stderr);
        s->real_stderr = -1;
    }
}

static void tell_stray(struct screen *s)
{
    char text[READ];
    off_t at = 0;
    ssize_t size;

    if (s->real_stderr < 0)
        return;
    while ((size = pread(s->caught, text, sizeof text, at)) > 0) {
        at += size;
        s->handler->stray(s->owner, text, (size_t)size);
    }
    if (at > 0 && ftruncate(s->caught, 0) != 0) { /* what was shown would be shown again */
        (void)dup2(s->real_stderr, STDERR_FILENO);
        (void)close(s->real_stderr);
        s->real_stderr = -1;
    }
}

static void release_stderr(struct screen *s)
{
    if (s->real_stderr < 0)
        return;
    tell_stray(s);
    (void)dup2(s->real_stderr, STDERR_FILENO);
    (void)close(s->real_stderr);
    s->real_stderr = -1;
}

/* ---- output ---- */

bool screen_put(struct screen *s, const char *octets, size_t size)
{
    if (s->error != 0)
        return true;
    if (s->capacity - s->waiting < size) {
        size_t capacity = 2 * (s->waiting + size);
        char *larger = realloc(s->output, capacity);
        if (larger == NULL)
            return false;
        s->output = larger;
        s->capacity = capacity;
    }
    memcpy(s->output + s->waiting, octets, size);
    s->waiting += size;
    s->put = true;
    screen_wake(s);
    return true;
}

/* Writes what the terminal takes now. */
static void write_out(struct screen *s)
{
    size_t done = 0;

    while (done < s->waiting && s->error == 0) {
        ssize_t n = write(s->fd, s->output + done, s->waiting - done);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0 && errno != EINTR)
            s->error = -errno;
        if (n > 0)
            done += (size_t)n;
    }
    if (s->error != 0)
        done = s->waiting;
    s->waiting -= done;
    if (s->waiting > 0)
        memmove(s->output, s->output + done, s->waiting);
}

/* ---- modes ---- */

/* A terminal that is not the one that controls us knows no foreground. */
static bool in_foreground(const struct screen *s)
{
    pid_t group = tcgetpgrp(s->fd);

    return group == getpgrp() || (group < 0 && errno == ENOTTY);
}

static void watch(struct screen *s)
{
    int events =
        (s->ours && !s->ending ? UV_READABLE : 0) | (s->waiting > 0 && !s->lent ? UV_WRITABLE : 0);

    if (events == 0)
        (void)uv_poll_stop(&s->poll);
    else
        (void)uv_poll_start(&s->poll, events, on_poll);
}

static void measure(struct screen *s)
{
    struct winsize size;

    s->columns = ioctl(s->fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void on_again(uv_timer_t *timer);

/* Takes the terminal, or waits for the foreground: a change from the background would stop us. */
static void enter(struct screen *s)
{
    struct termios wanted;

    if (s->ours || s->lent || s->closing)
        return;
    if (!in_foreground(s)) {
        (void)uv_timer_start(&s->again, on_again, LOOK_AGAIN_MS, LOOK_AGAIN_MS);
        watch(s);
        return;
    }
    (void)uv_timer_stop(&s->again);
    if (tcgetattr(s->fd, &s->found) == 0) {
        wanted = s->found;
        wanted.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | ISTRIP | PARMRK);
        wanted.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | IEXTEN);
        wanted.c_lflag |= ISIG;
        wanted.c_cc[VINTR] = _POSIX_VDISABLE;
        wanted.c_cc[VMIN] = 1;
        wanted.c_cc[VTIME] = 0;
        s->ours = tcsetattr(s->fd, TCSANOW, &wanted) == 0;
    }
    if (!s->ours) { /* it is gone */
        s->ending = true;
        s->end_error = -errno;
        screen_wake(s);
        return;
    }
    measure(s);
    catch_stderr(s);
    watch(s);
    s->handler->changed(s->owner);
    screen_wake(s);
}

/* Puts away what is drawn, and gives the user's modes back. */
static void leave(struct screen *s)
{
    if (!s->ours)
        return;
    release_stderr(s);
    s->handler->erase(s->owner);
    write_out(s);
    s->ours = false;
    if (in_foreground(s))
        (void)tcsetattr(s->fd, TCSANOW, &s->found);
    watch(s);
}

static void on_again(uv_timer_t *timer)
{
    enter(timer->data);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct screen *s = handle->data;

    if (number == SIGWINCH) {
        measure(s);
        s->handler->changed(s->owner);
        screen_wake(s);
    } else if (number == SIGCONT) {
        /* A shell may have changed the modes meanwhile. */
        if (s->ours)
            leave(s);
        enter(s);
    } else {
        leave(s);
        (void)uv_signal_stop(handle); /* gives the default action back */
        (void)raise(number);
        (void)uv_signal_start(handle, on_signal, number); /* stopped, and continued */
        enter(s);
    }
}

static int start_signals(struct screen *s)
{
    int result = 0;

    for (int i = 0; result == 0 && i < SIGNALS; i++)
        result = uv_signal_start(&s->signals[i], on_signal, signal_numbers[i]);
    return result;
}

void screen_lend(struct screen *s, bool lent)
{
    if (s->lent == lent)
        return;
    if (lent)
        leave(s);
    s->lent = lent;
    /* Who asks now has its own handlers, which raise a signal again. */
    for (int i = 0; lent && i < SIGNALS; i++)
        (void)uv_signal_stop(&s->signals[i]);
    if (!lent) {
        (void)start_signals(s);
        enter(s);
    }
    watch(s);
    screen_wake(s);
}

/* ---- the loop ---- */

static void end_input(struct screen *s, int error)
{
    s->ending = true;
    s->end_error = error;
    screen_wake(s);
}

static void tell_end(struct screen *s)
{
    if (!s->ending || s->ended)
        return;
    s->ended = true;
    s->handler->ended(s->owner, s->end_error);
}

static void read_in(struct screen *s)
{
    char octets[READ];

    if (!in_foreground(s)) { /* reading would stop us */
        leave(s);
        enter(s);
        return;
    }
    ssize_t size = read(s->fd, octets, sizeof octets);
    if (size > 0) {
        s->handler->typed(s->owner, octets, (size_t)size);
        OPENSSL_cleanse(octets, sizeof octets); /* passwords are typed too */
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        end_input(s, size == 0 ? 0 : -errno);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct screen *s = poll->data;

    if (status < 0) {
        end_input(s, status);
        return;
    }
    if ((events & UV_READABLE) != 0 && s->ours && !s->ending)
        read_in(s);
    if (!s->closing)
        screen_wake(s);
}

/* In this order: what one step adds, the next writes. */
static void on_work(uv_idle_t *idle)
{
    struct screen *s = idle->data;

    (void)uv_idle_stop(idle); /* what follows may start it again */
    tell_stray(s);
    tell_end(s);
    s->handler->work(s->owner);
    bool late = s->waiting >= DRAWN_WAITING;
    if (s->ours && !late)
        s->handler->draw(s->owner);
    if (!s->lent)
        write_out(s);
    if (late && s->waiting < DRAWN_WAITING)
        screen_wake(s);
    if (s->put && s->waiting == 0) {
        s->put = false;
        s->handler->written(s->owner, s->error);
    }
    if (!s->closing)
        watch(s);
    if (s->waiting > 0) /* the terminal says when */
        (void)uv_idle_stop(idle);
}

static void on_each(uv_prepare_t *prepare)
{
    struct screen *s = prepare->data;
    struct stat status;

    if (s->real_stderr >= 0 && fstat(s->caught, &status) == 0 && status.st_size > 0)
        screen_wake(s);
}

/* ---- life ---- */

static void release(struct screen *s)
{
    if (s->caught >= 0)
        (void)close(s->caught);
    (void)close(s->fd);
    if (s->told)
        s->handler->gone(s->owner);
    free(s->output);
    free(s);
}

static void on_closed(uv_handle_t *handle)
{
    struct screen *s = handle->data;

    if (--s->open_handles == 0)
        release(s);
}

/* Its handles are made one after another: those that are there are closed. */
static void close_handles(struct screen *s)
{
    uv_handle_t *handles[SIGNALS + 4];
    unsigned count = 0, open = s->open_handles;

    handles[count++] = (uv_handle_t *)&s->poll;
    handles[count++] = (uv_handle_t *)&s->work;
    handles[count++] = (uv_handle_t *)&s->each;
    handles[count++] = (uv_handle_t *)&s->again;
    for (int i = 0; i < SIGNALS; i++)
        handles[count++] = (uv_handle_t *)&s->signals[i];
    for (unsigned i = 0; i < open; i++)
        uv_close(handles[i], on_closed);
    if (open == 0)
        release(s);
}

static int make_handles(struct screen *s)
{
    uv_loop_t *uv = &s->loop->uv;
    int result = uv_poll_init(uv, &s->poll, s->fd);

    s->poll.data = s;
    s->open_handles += result == 0;
    if (result == 0)
        result = uv_idle_init(uv, &s->work);
    s->work.data = s;
    s->open_handles += result == 0;
    if (result == 0)
        result = uv_prepare_init(uv, &s->each);
    s->each.data = s;
    s->open_handles += result == 0;
    if (result == 0)
        result = uv_timer_init(uv, &s->again);
    s->again.data = s;
    s->open_handles += result == 0;
    for (int i = 0; result == 0 && i < SIGNALS; i++) {
        result = uv_signal_init(uv, &s->signals[i]);
        s->signals[i].data = s;
        s->open_handles += result == 0;
    }
    return result;
}

static int start_handles(struct screen *s)
{
    int result = uv_prepare_start(&s->each, on_each);

    if (result == 0)
        result = start_signals(s);
    if (result == 0) /* the first look is made from the loop */
        result = uv_timer_start(&s->again, on_again, 0, LOOK_AGAIN_MS);
    return result;
}

/* An open file of our own: that it does not wait is not seen by those who share stdin. */
static int reopen_stdin(void)
{
    const int flags = O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK;
    char name[256] = "";
    int fd = open("/proc/self/fd/0", flags);

    if (fd < 0 && ttyname_r(STDIN_FILENO, name, sizeof name) == 0)
        fd = open(name, flags);
    return fd;
}

struct screen *screen_open(struct loop *loop, const struct screen_handler *handler, void *owner)
{
    struct screen *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    *s = (struct screen){.loop = loop, .handler = handler, .owner = owner};
    s->real_stderr = -1;
    s->caught = -1;
    s->fd = reopen_stdin();
    if (s->fd < 0) {
        free(s);
        return NULL;
    }
    if (make_handles(s) == 0 && start_handles(s) == 0) {
        measure(s);
        return s;
    }
    s->closing = true;
    close_handles(s);
    return NULL;
}

void screen_close(struct screen *s)
{
    if (s == NULL || s->closing)
        return;
    s->lent = false;
    leave(s);
    write_out(s);
    s->closing = true;
    s->told = true;
    close_handles(s);
}
