/* A face without a chat: what is typed is said by its user, what comes through a FIFO (the first
 * argument) by "anna". What begins with / (in the FIFO: with !) tries the rest. For the scenarios
 * beside it. */
#include "cli/chat_face.h"
#include "cli/line_editor.h"
#include "cli/notify.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIGNALS = 2, FEED = 65536 };

struct demo {
    struct loop loop;
    struct chat_face *face;
    struct notify *notify;
    uv_signal_t signals[SIGNALS];
    uv_pipe_t feed;
    char fed[FEED];
    size_t held;
    bool enough;
    size_t flood;
    bool leaving;
};

static void leave(struct demo *d)
{
    d->leaving = true;
    if (!chat_face_busy(d->face))
        uv_stop(&d->loop.uv);
}

static void on_answer(void *owner, const char *answer)
{
    struct demo *d = owner;

    (void)chat_face_tell(d->face, CHAT_FACE_SYSTEM, "answer: %s",
                         answer != NULL ? answer : "(none)");
}

/* Shows as many lines as the face takes. */
static void go_on(struct demo *d)
{
    while (d->flood > 0) {
        char text[64];
        int size = snprintf(text, sizeof text, "line %zu", d->flood--);
        if (!chat_face_show(d->face, CHAT_FACE_SAID, false, "flood", text, (size_t)size))
            return;
    }
}

static void command(struct demo *d, const char *line)
{
    size_t number = 0;

    if (strcmp(line, "/quit") == 0)
        leave(d);
    else if (strcmp(line, "/secret") == 0)
        (void)chat_face_ask(d->face, "Password: ", true, on_answer, d);
    else if (strcmp(line, "/ask") == 0)
        (void)chat_face_ask(d->face, "Take it? ", false, on_answer, d);
    else if (strcmp(line, "/cancel") == 0)
        chat_face_cancel(d->face, "taken back");
    else if (strcmp(line, "/back") == 0)
        chat_face_lend(d->face, false);
    else if (strcmp(line, "/lend") == 0)
        chat_face_lend(d->face, true);
    else if (strcmp(line, "/go") == 0)
        chat_face_pause(d->face, false);
    else if (strcmp(line, "/stop") == 0)
        chat_face_pause(d->face, true);
    else if (strcmp(line, "/clear") == 0)
        chat_face_clear(d->face);
    else if (strcmp(line, "/prompt") == 0)
        chat_face_prompt(d->face, "\033[31mred\033[0m> ");
    else if (strcmp(line, "/stderr") == 0)
        say_error("on stderr");
    else if (strcmp(line, "/loss") == 0)
        for (number = 0; number < 200000; number++)
            (void)chat_face_show(d->face, CHAT_FACE_SAID, false, "loss", "0123456789", 10);
    else if (sscanf(line, "/flood %zu", &number) == 1)
        d->flood = number;
    else if (strncmp(line, "/notify ", 8) == 0)
        notify_show(d->notify, "anna", line + 8);
    else
        (void)chat_face_tell(d->face, CHAT_FACE_PROGRAM, "%s is no command", line);
    go_on(d);
}

static void on_line(void *owner, const char *line, size_t size)
{
    struct demo *d = owner;

    if (*line == '/')
        command(d, line);
    else
        (void)chat_face_show(d->face, CHAT_FACE_SAID, true, "me", line, size);
    if (chat_face_is_screen(d->face))
        return;
    (void)chat_face_tell(d->face, CHAT_FACE_SYSTEM, "%zu: %.40s", size, line);
}

static void on_end(void *owner, int error)
{
    struct demo *d = owner;

    (void)chat_face_tell(d->face, CHAT_FACE_SYSTEM, "end %d", error);
    leave(d);
}

static void on_interrupt(void *owner)
{
    struct demo *d = owner;

    (void)chat_face_tell(d->face, CHAT_FACE_SYSTEM, "interrupted");
    leave(d);
}

static void on_drained(void *owner, int error)
{
    struct demo *d = owner;

    if (error != 0) {
        say_error("output: %s", uv_strerror(error));
        uv_stop(&d->loop.uv);
        return;
    }
    go_on(d);
    if (d->leaving && !chat_face_busy(d->face))
        uv_stop(&d->loop.uv);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct demo *d = handle->data;

    (void)number;
    uv_stop(&d->loop.uv);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct demo *d = handle->data;

    (void)suggested;
    *buf = uv_buf_init(d->fed + d->held, (unsigned)(FEED - d->held));
}

static void on_fed(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct demo *d = stream->data;
    size_t at = 0;
    char *end;

    (void)buf;
    if (size <= 0)
        return;
    d->held += (size_t)size;
    while ((end = memchr(d->fed + at, '\n', d->held - at)) != NULL) {
        size_t length = (size_t)(end - d->fed) - at;
        *end = '\0';
        if (d->fed[at] == '!') {
            d->fed[at] = '/';
            command(d, d->fed + at);
        } else {
            (void)chat_face_show(d->face, CHAT_FACE_SAID, false, "anna", d->fed + at, length);
        }
        at += length + 1;
    }
    d->held -= at;
    memmove(d->fed, d->fed + at, d->held);
}

static int open_feed(struct demo *d, const char *path)
{
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    d->feed.data = d;
    if (fd < 0 || uv_pipe_init(&d->loop.uv, &d->feed, 0) != 0 || uv_pipe_open(&d->feed, fd) != 0)
        return -1;
    return uv_read_start((uv_stream_t *)&d->feed, on_room, on_fed);
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* What was built in, for scenarios that need it. */
static int print_features(struct demo *d)
{
    struct line_editor *editor = line_editor_new();
    struct notify *notify = notify_new(&d->loop);

    (void)printf("%s%s\n", editor != NULL ? "editor " : "", notify != NULL ? "notifications " : "");
    line_editor_free(editor);
    notify_close(notify);
    free(d);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct chat_face_handler handler = {
        .line = on_line, .ended = on_end, .interrupted = on_interrupt, .drained = on_drained};
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM};
    struct demo *d = calloc(1, sizeof *d);
    char why[256];

    if (d != NULL && argc > 1 && strcmp(argv[1], "--features") == 0)
        return print_features(d);
    if (d == NULL || loop_init(&d->loop) != 0)
        return 1;
    (void)signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < SIGNALS; i++) {
        if (uv_signal_init(&d->loop.uv, &d->signals[i]) != 0 ||
            uv_signal_start(&d->signals[i], on_signal, numbers[i]) != 0)
            return 1;
        d->signals[i].data = d;
    }
    if (argc > 1 && open_feed(d, argv[1]) != 0)
        return 1;
    d->notify = notify_new(&d->loop);
    d->face = chat_face_new(&d->loop, &handler, d, why, sizeof why);
    if (d->face == NULL) {
        say_error("%s", why);
        return 1;
    }
    chat_face_prompt(d->face, "me> ");
    (void)chat_face_tell(d->face, CHAT_FACE_SYSTEM, "ready");
    (void)uv_run(&d->loop.uv, UV_RUN_DEFAULT);
    chat_face_close(d->face);
    notify_close(d->notify);
    /* The face's own handles are closing by now. */
    uv_walk(&d->loop.uv, close_handle, NULL);
    if (!loop_close(&d->loop))
        return 1;
    free(d);
    say_error("bye");
    return 0;
}
