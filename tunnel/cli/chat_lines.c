#include "cli/chat_lines.h"

#include "cli/chat_face_calls.h"
#include "cli/terminal.h"
#include "net/local.h"
#include "text/text.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT = CHAT_FACE_LINE + 2,   /* a whole line, and \r\n */
    OUTPUT_ENOUGH = 256 * 1024,   /* waiting octets from which no more should come, */
    OUTPUT_MOST = 4 * 1024 * 1024 /* and from which lines are lost */
};

/* A question on /dev/tty. */
struct question {
    chat_face_answer *answer; /* NULL: none is open */
    void *owner;
    bool hopeless; /* there is no terminal: answered from the loop */
};

struct chat_lines {
    struct chat_face face; /* first */
    struct net net;        /* a loop for local.h, nothing more */
    struct local *local;
    struct terminal *terminal;
    struct question question;
    uv_idle_t work; /* runs while there is something to do that is not to be done at once */
    bool closing;

    char input[INPUT + 1];
    size_t held;   /* octets in input that are not told yet */
    bool too_long; /* the line that is coming in is dropped */
    bool paused, lent;
    bool at_end, end_told;
    int end_error;

    char *output; /* OUTPUT_MOST + CHAT_FACE_SHOWN + 1 at most, grown */
    size_t waiting, capacity;
    size_t lost; /* lines */
    bool shown;  /* since `drained` */
    int error;   /* of the output, told */
    char line[CHAT_FACE_SHOWN + 1];
};

static void on_work(uv_idle_t *idle);

static struct chat_lines *of(struct chat_face *face)
{
    return (struct chat_lines *)(void *)face;
}

static void do_work(struct chat_lines *l)
{
    if (!l->closing)
        (void)uv_idle_start(&l->work, on_work);
}

/* ---- out ---- */

/* Adds octets behind those that wait; false when out of memory. */
static bool wait_with(struct chat_lines *l, const char *octets, size_t size)
{
    if (l->capacity - l->waiting < size) {
        size_t capacity = 2 * (l->waiting + size);
        char *larger = realloc(l->output, capacity);
        if (larger == NULL)
            return false;
        l->output = larger;
        l->capacity = capacity;
    }
    memcpy(l->output + l->waiting, octets, size);
    l->waiting += size;
    return true;
}

static bool show_line(struct chat_lines *l, enum chat_face_kind kind, const char *name,
                      const char *text, size_t size)
{
    size_t length = chat_face_line(l->line, kind, name, text, size, "", "");

    if (l->error != 0)
        return true;
    l->line[length++] = '\n';
    if (l->waiting > OUTPUT_MOST) {
        l->lost++;
    } else if (!wait_with(l, l->line, length)) {
        if (l->lost++ == 0) /* how many are lost can be told only with the next that is not */
            say_error("out of memory");
    }
    l->shown = true;
    do_work(l);
    return l->waiting <= OUTPUT_ENOUGH;
}

static bool show(struct chat_face *face, enum chat_face_kind kind, bool own, const char *name,
                 const char *text, size_t size)
{
    if (own)
        return true;
    if (kind == CHAT_FACE_PROGRAM) {
        say(SAY_NORMAL, "%.*s", (int)(size < CHAT_FACE_TEXT ? size : CHAT_FACE_TEXT), text);
        return true;
    }
    return show_line(of(face), kind, name, text, size);
}

static bool busy(const struct chat_face *face)
{
    return ((const struct chat_lines *)(const void *)face)->shown;
}

/* Takes a block full of what waits to the writer; a negative libuv error. */
static int write_some(struct chat_lines *l)
{
    struct writer *w = local_writer(l->local);
    struct block *block = block_get(l->net.loop, l->waiting < LOOP_BLOCK ? l->waiting : LOOP_BLOCK);

    if (block == NULL)
        return UV_ENOMEM;
    size_t size = l->waiting < block->size ? l->waiting : block->size;
    memcpy(block->octets, l->output, size);
    int result = writer_put(w, block, block->octets, size);
    block_release(l->net.loop, block);
    if (result == 0)
        result = writer_flush(w);
    l->waiting -= size;
    memmove(l->output, l->output + size, l->waiting);
    return result;
}

static void tell_lost(struct chat_lines *l)
{
    size_t lost = l->lost;

    if (lost == 0 || l->waiting > OUTPUT_ENOUGH)
        return;
    l->lost = 0;
    chat_face_tell_lost(&l->face, lost);
}

static void write_out(struct chat_lines *l)
{
    struct writer *w = local_writer(l->local);
    int result = w->error;

    while (result == 0 && l->waiting > 0 && !writer_busy(w)) {
        result = write_some(l);
        tell_lost(l);
    }
    if (result != 0)
        l->waiting = 0;
    if (!l->shown || l->waiting > 0 || (writer_busy(w) && result == 0))
        return;
    l->shown = false;
    if (l->error != 0)
        return;
    l->error = result;
    l->face.handler->drained(l->face.owner, result);
}

static void on_written(void *owner)
{
    do_work(owner);
}

/* ---- in ---- */

/* May lines be told, and the input read? Never from a terminal on which somebody else asks. */
static bool may_read(const struct chat_lines *l)
{
    bool asked = l->lent || l->question.answer != NULL;

    return !l->closing && !l->paused && !(asked && local_is_terminal(l->local));
}

static void tell_line(struct chat_lines *l, char *line, size_t size)
{
    if (size > 0 && line[size - 1] == '\r')
        size--;
    if (l->too_long || size > CHAT_FACE_LINE) {
        l->too_long = false;
        say_error("a line of more than %d octets is not sent: write shorter ones", CHAT_FACE_LINE);
    } else if (size > 0 && !chat_face_is_text(line, size)) {
        say_error("a line that is not UTF-8 text is not sent");
    } else if (size > 0) {
        line[size] = '\0'; /* over its \n or \r, or behind the last */
        l->face.handler->line(l->face.owner, line, size);
    }
}

/* Tells the lines that are there. What is left of the input moves to its front. */
static void tell_lines(struct chat_lines *l)
{
    size_t at = 0;

    while (may_read(l)) {
        char *end = memchr(l->input + at, '\n', l->held - at);
        if (end == NULL)
            break;
        size_t begin = at;
        at = (size_t)(end - l->input) + 1;
        tell_line(l, l->input + begin, at - 1 - begin);
    }
    l->held -= at;
    memmove(l->input, l->input + at, l->held);
    if (l->held >= INPUT) { /* no line end in it, and no room for one */
        if (may_read(l)) {
            l->too_long = true;
            l->held = 0;
        }
    }
}

static void tell_end(struct chat_lines *l)
{
    if (!l->at_end || l->end_told || !may_read(l))
        return;
    if (l->held > 0 || l->too_long) { /* a last line without an end */
        size_t size = l->held;
        l->held = 0;
        tell_line(l, l->input, size);
        if (!may_read(l))
            return;
    }
    l->end_told = true;
    l->face.handler->ended(l->face.owner, l->end_error);
}

static size_t room(void *owner)
{
    const struct chat_lines *l = owner;

    return may_read(l) ? INPUT - l->held : 0;
}

static void on_data(void *owner, const uint8_t *octets, size_t size)
{
    struct chat_lines *l = owner;

    memcpy(l->input + l->held, octets, size);
    l->held += size;
    tell_lines(l);
}

static void on_end(void *owner, int error)
{
    struct chat_lines *l = owner;

    l->at_end = true;
    l->end_error = error;
    do_work(l);
}

static const struct reader_handler from_input = {.room = room, .data = on_data, .ended = on_end};

static void pause_input(struct chat_face *face, bool paused)
{
    of(face)->paused = paused;
    do_work(of(face));
}

static void lend(struct chat_face *face, bool lent)
{
    of(face)->lent = lent;
    do_work(of(face));
}

/* ---- questions ---- */

static void tell_answer(struct chat_lines *l, const char *line)
{
    struct question asked = l->question;

    l->question = (struct question){0};
    do_work(l); /* reads on */
    asked.answer(asked.owner, line);
}

static void on_answer(void *owner, enum terminal_result result, const char *line)
{
    (void)result;
    tell_answer(owner, line);
}

static bool ask(struct chat_face *face, const char *prompt, bool secret, chat_face_answer *answer,
                void *owner)
{
    struct chat_lines *l = of(face);
    char why[128];

    if (l->question.answer != NULL)
        return false;
    l->question = (struct question){.answer = answer, .owner = owner};
    if (l->terminal == NULL)
        l->terminal = terminal_open(l->net.loop, why, sizeof why);
    l->question.hopeless = l->terminal == NULL;
    if (l->terminal != NULL)
        terminal_ask(l->terminal, prompt, !secret, 0, on_answer, l);
    else
        say_error("%s", why);
    do_work(l);
    return true;
}

static void cancel(struct chat_face *face, const char *note)
{
    struct chat_lines *l = of(face);

    if (l->question.answer == NULL)
        return;
    l->question = (struct question){0};
    if (l->terminal != NULL)
        terminal_cancel(l->terminal, note);
    do_work(l);
}

/* ---- life ---- */

static void on_work(uv_idle_t *idle)
{
    struct chat_lines *l = idle->data;

    (void)uv_idle_stop(idle); /* what follows may start it again */
    if (l->question.hopeless)
        tell_answer(l, NULL);
    tell_lines(l);
    tell_end(l);
    if (may_read(l))
        reader_start(local_reader(l->local));
    else if (!l->closing)
        reader_stop(local_reader(l->local));
    if (!l->closing)
        write_out(l);
}

static void on_closed(uv_handle_t *handle)
{
    struct chat_lines *l = handle->data;

    OPENSSL_cleanse(l->input, sizeof l->input);
    free(l->output);
    free(l);
}

static void close_face(struct chat_face *face)
{
    struct chat_lines *l = of(face);
    struct question asked = l->question;

    if (l->closing)
        return;
    l->closing = true;
    l->question = (struct question){0};
    terminal_close(l->terminal);
    if (asked.answer != NULL)
        asked.answer(asked.owner, NULL);
    while (l->waiting > 0 && !writer_busy(local_writer(l->local)) && write_some(l) == 0)
        ;
    local_close(l->local, false);
    uv_close((uv_handle_t *)&l->work, on_closed);
}

static const struct chat_face_calls calls = {.show = show,
                                             .busy = busy,
                                             .pause = pause_input,
                                             .ask = ask,
                                             .cancel = cancel,
                                             .lend = lend,
                                             .close = close_face};

struct chat_face *chat_lines_new(struct loop *loop, const struct chat_face_handler *handler,
                                 void *owner, char *why, size_t size)
{
    struct chat_lines *l = calloc(1, sizeof *l);

    if (l == NULL || uv_idle_init(&loop->uv, &l->work) != 0) {
        free(l);
        (void)snprintf(why, size, text("out of memory"));
        return NULL;
    }
    l->face = (struct chat_face){.calls = &calls, .handler = handler, .owner = owner};
    l->net.loop = loop;
    l->work.data = l;
    l->local = local_stdio(&l->net, why, size);
    if (l->local == NULL) {
        l->closing = true;
        uv_close((uv_handle_t *)&l->work, on_closed);
        return NULL;
    }
    reader_hand_over(local_reader(l->local), &from_input, l);
    local_set_writer_owner(l->local, on_written, l);
    do_work(l);
    return &l->face;
}
