#include "cli/terminal.h"

#include "cli/file.h"
#include "cli/say.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* SIGTSTP and SIGQUIT would end or stop the program with the modes of a question, and after SIGCONT
 * the shell may have changed them. */
enum { SIGNALS = 3, LOOK_AGAIN_MS = 250, WRITE_MS = 1000, PROMPT_MAX = 1024 };

static const int signal_numbers[SIGNALS] = {SIGTSTP, SIGQUIT, SIGCONT};

struct terminal {
    struct loop *loop;
    int fd;
    uv_poll_t input;
    uv_timer_t limit; /* how long the user may take */
    uv_timer_t again; /* looks whether we are in the foreground by now */
    uv_signal_t signals[SIGNALS];
    unsigned open_handles;

    struct termios found; /* before the question changed it */
    bool changed;
    bool closing;

    terminal_done *done; /* NULL: no question */
    void *owner;
    void (*watch)(void *owner, bool open);
    void *watch_owner;
    bool echo;
    char prompt[PROMPT_MAX];
    size_t length;
    char line[TERMINAL_LINE + 1]; /* the struct is in the secure heap for its sake */
};

/* ---- modes ---- */

static bool in_foreground(const struct terminal *t)
{
    return tcgetpgrp(t->fd) == getpgrp();
}

/* From the background, a change of modes would stop the process; the shell has set its own. */
static void restore(struct terminal *t)
{
    if (t->changed && in_foreground(t))
        (void)tcsetattr(t->fd, TCSANOW, &t->found);
    t->changed = false;
}

static int change(struct terminal *t)
{
    struct termios wanted;

    if (tcgetattr(t->fd, &t->found) != 0)
        return -1;
    wanted = t->found;
    wanted.c_iflag |= ICRNL;
    wanted.c_lflag |= ICANON | ISIG | ECHONL;
    if (t->echo)
        wanted.c_lflag |= ECHO | ECHOE;
    else
        wanted.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
    t->changed = true;
    return tcsetattr(t->fd, TCSANOW, &wanted);
}

/* ---- output ---- */

/* Writes what a display that is stopped for long does not take away. */
static void put(const struct terminal *t, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(t->fd, text, length);
        struct pollfd ready = {.fd = t->fd, .events = POLLOUT};
        if (n < 0 && errno == EAGAIN && poll(&ready, 1, WRITE_MS) <= 0)
            return;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return;
        if (n > 0) {
            text += n;
            length -= (size_t)n;
        }
    }
}

void terminal_show(struct terminal *t, const char *text)
{
    char shown[SAY_ESCAPED * PROMPT_MAX + 1];

    for (size_t lines = 0; *text != '\0' && lines < PROMPT_MAX; lines++) {
        size_t length = strcspn(text, "\n"), size = length;
        if (size > PROMPT_MAX)
            size = PROMPT_MAX;
        put(t, shown, say_escape(shown, text, size));
        text += length;
        if (*text == '\n') {
            put(t, "\r\n", 2);
            text++;
        }
    }
}

/* ---- a question ---- */

static void tell_watch(const struct terminal *t, bool open)
{
    if (t->watch != NULL)
        t->watch(t->watch_owner, open);
}

static void wipe(struct terminal *t)
{
    OPENSSL_cleanse(t->line, sizeof t->line);
    t->length = 0;
}

static void stop(struct terminal *t)
{
    (void)uv_poll_stop(&t->input);
    (void)uv_timer_stop(&t->limit);
    (void)uv_timer_stop(&t->again);
    for (int i = 0; i < SIGNALS; i++)
        (void)uv_signal_stop(&t->signals[i]);
    restore(t);
}

/* The question is over before the owner hears of it, so that he can ask the next. */
static void tell(struct terminal *t, enum terminal_result result)
{
    terminal_done *done = t->done;
    bool shown = t->changed;
    char *line = NULL;

    stop(t);
    t->done = NULL;
    if (result != TERMINAL_ANSWER) {
        if (shown)
            put(t, "\r\n", 2);
        wipe(t);
        tell_watch(t, false);
        done(t->owner, result, NULL);
        return;
    }
    /* A copy, since the next question has the line for its own. */
    line = OPENSSL_secure_malloc(TERMINAL_LINE + 1);
    if (line != NULL)
        memcpy(line, t->line, t->length + 1);
    else
        say_error("out of memory");
    wipe(t);
    tell_watch(t, false);
    done(t->owner, line != NULL ? TERMINAL_ANSWER : TERMINAL_GONE, line);
    OPENSSL_secure_clear_free(line, TERMINAL_LINE + 1);
}

static void on_input(uv_poll_t *poll, int status, int events);

/* Shows the question and begins to read, or waits for the foreground. Called again after the
 * process was stopped or moved. */
static void begin(struct terminal *t)
{
    bool shown = t->changed;

    if (!in_foreground(t)) {
        (void)uv_poll_stop(&t->input);
        t->changed = false;
        return;
    }
    /* What was typed before the question is no answer to it. */
    wipe(t);
    if (t->changed)
        restore(t);
    if (change(t) != 0 || tcflush(t->fd, TCIFLUSH) != 0 ||
        uv_poll_start(&t->input, UV_READABLE, on_input) != 0) {
        tell(t, TERMINAL_GONE);
        return;
    }
    if (shown)
        put(t, "\r\n", 2);
    terminal_show(t, t->prompt);
}

/* Takes what was read up to the line's end; true at the end. */
static bool take(struct terminal *t, const char *read, size_t size)
{
    const char *end = memchr(read, '\n', size);
    size_t length = end != NULL ? (size_t)(end - read) : size;

    if (length > TERMINAL_LINE - t->length)
        length = TERMINAL_LINE - t->length;
    memcpy(t->line + t->length, read, length);
    t->length += length;
    t->line[t->length] = '\0';
    return end != NULL;
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    struct terminal *t = poll->data;
    char read_now[TERMINAL_LINE];
    bool done = false;

    (void)events;
    if (!in_foreground(t)) { /* reading would stop the process */
        begin(t);
        return;
    }
    ssize_t size = status < 0 ? 0 : read(t->fd, read_now, sizeof read_now);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size > 0)
        done = take(t, read_now, (size_t)size);
    OPENSSL_cleanse(read_now, sizeof read_now);
    if (size <= 0)
        tell(t, TERMINAL_GONE);
    else if (done)
        tell(t, TERMINAL_ANSWER);
}

static void on_limit(uv_timer_t *timer)
{
    tell(timer->data, TERMINAL_TIMEOUT);
}

/* Is it a first look, or has a shell moved us? */
static void on_again(uv_timer_t *timer)
{
    struct terminal *t = timer->data;

    if (tcgetpgrp(t->fd) < 0)
        tell(t, TERMINAL_GONE); /* it is not ours any more */
    else if (!t->changed)
        begin(t);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct terminal *t = handle->data;

    if (number == SIGCONT) {
        begin(t);
        return;
    }
    restore(t);
    (void)uv_signal_stop(handle); /* gives the default action back */
    (void)raise(number);
    (void)uv_signal_start(handle, on_signal, number); /* stopped, and continued */
}

void terminal_ask(struct terminal *t, const char *prompt, bool echo, uint64_t timeout_ms,
                  terminal_done *done, void *owner)
{
    t->done = done;
    t->owner = owner;
    t->echo = echo;
    tell_watch(t, true);
    (void)snprintf(t->prompt, sizeof t->prompt, "%s", prompt);
    for (int i = 0; i < SIGNALS; i++)
        (void)uv_signal_start(&t->signals[i], on_signal, signal_numbers[i]);
    uv_update_time(&t->loop->uv);
    if (timeout_ms > 0)
        (void)uv_timer_start(&t->limit, on_limit, timeout_ms, 0);
    /* The first look is made from the loop, so that done is never called from here. */
    (void)uv_timer_start(&t->again, on_again, 0, LOOK_AGAIN_MS);
}

void terminal_watch(struct terminal *t, void (*asked)(void *owner, bool open), void *owner)
{
    t->watch = asked;
    t->watch_owner = owner;
}

bool terminal_busy(const struct terminal *t)
{
    return t->done != NULL;
}

void terminal_cancel(struct terminal *t, const char *note)
{
    bool shown = t->changed;

    if (t->done == NULL)
        return;
    stop(t);
    t->done = NULL;
    wipe(t);
    if (shown)
        put(t, "\r\n", 2);
    if (shown && note != NULL) {
        terminal_show(t, note);
        put(t, "\r\n", 2);
    }
    tell_watch(t, false);
}

/* ---- waiting ---- */

struct wait {
    struct terminal *t;
    char *line;
    size_t size;
    enum terminal_result result;
    bool over;
};

static void on_answer(void *owner, enum terminal_result result, const char *line)
{
    struct wait *wait = owner;

    wait->over = true;
    wait->result = result;
    if (result == TERMINAL_ANSWER)
        (void)snprintf(wait->line, wait->size, "%s", line);
    uv_stop(&wait->t->loop->uv);
}

enum terminal_result terminal_wait(struct terminal *t, const char *prompt, bool echo,
                                   uint64_t timeout_ms, char *line, size_t size)
{
    struct wait wait = {.t = t, .size = size, .result = TERMINAL_INTERRUPTED};

    wait.line = line;
    terminal_ask(t, prompt, echo, timeout_ms, on_answer, &wait);
    (void)uv_run(&t->loop->uv, UV_RUN_DEFAULT);
    if (!wait.over)
        terminal_cancel(t, NULL);
    return wait.result;
}

/* ---- life ---- */

static void on_closed(uv_handle_t *handle)
{
    struct terminal *t = handle->data;

    if (--t->open_handles > 0)
        return;
    (void)close(t->fd);
    OPENSSL_secure_clear_free(t, sizeof *t);
}

/* Its handles are made one after another: those that are there are closed. */
static void close_handles(struct terminal *t)
{
    uv_handle_t *handles[SIGNALS + 3];
    unsigned count = 0;

    handles[count++] = (uv_handle_t *)&t->input;
    handles[count++] = (uv_handle_t *)&t->limit;
    handles[count++] = (uv_handle_t *)&t->again;
    for (int i = 0; i < SIGNALS; i++)
        handles[count++] = (uv_handle_t *)&t->signals[i];
    for (unsigned i = 0; i < count && i < t->open_handles; i++)
        uv_close(handles[i], on_closed);
}

static int make_handles(struct terminal *t)
{
    uv_loop_t *uv = &t->loop->uv;
    int result = uv_poll_init(uv, &t->input, t->fd);

    t->input.data = t;
    t->open_handles += result == 0;
    if (result == 0)
        result = uv_timer_init(uv, &t->limit);
    t->limit.data = t;
    t->open_handles += result == 0;
    if (result == 0)
        result = uv_timer_init(uv, &t->again);
    t->again.data = t;
    t->open_handles += result == 0;
    for (int i = 0; result == 0 && i < SIGNALS; i++) {
        result = uv_signal_init(uv, &t->signals[i]);
        t->signals[i].data = t;
        t->open_handles += result == 0;
    }
    return result;
}

struct terminal *terminal_open(struct loop *loop, char *why, size_t size)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    struct terminal *t;

    if (fd < 0) {
        (void)snprintf(why, size, text("there is no terminal to ask on"));
        return NULL;
    }
    t = OPENSSL_secure_zalloc(sizeof *t);
    if (t == NULL) {
        (void)snprintf(why, size, text("out of secure memory"));
        (void)close(fd);
        return NULL;
    }
    t->loop = loop;
    t->fd = fd;
    int result = make_handles(t);
    if (result == 0)
        return t;
    (void)snprintf(why, size, text("the terminal cannot be watched: %s"),
                   text(uv_strerror(result)));
    if (t->open_handles > 0) {
        close_handles(t);
    } else {
        (void)close(fd);
        OPENSSL_secure_clear_free(t, sizeof *t);
    }
    return NULL;
}

void terminal_close(struct terminal *t)
{
    if (t == NULL || t->closing)
        return;
    t->closing = true;
    if (t->done != NULL)
        terminal_cancel(t, NULL);
    close_handles(t);
}
