#include "cli/chat_screen.h"

#include "cli/chat_face_calls.h"
#include "cli/edit_view.h"
#include "cli/line_editor.h"
#include "cli/screen.h"
#include "text/text.h"
#include "text/utf8.h"

#include <langinfo.h>
#include <locale.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT = 4096,
    OUTPUT_ENOUGH = 64 * 1024,
    OUTPUT_MOST = 1024 * 1024,
    PROMPT_MAX = 256,
    KEY_MAX = 32 /* octets of an escape sequence */
};

/* Keys that libedit does not get. */
enum { CTRL_C = 3, CTRL_D = 4, BACKSPACE = 8, CTRL_L = 12, CTRL_U = 21, ESCAPE = 27, DELETE = 127 };

struct question {
    chat_face_answer *answer; /* NULL: none is open */
    void *owner;
    bool secret;
    char prompt[INERT_MAX * PROMPT_MAX + 1];
    char *text; /* secure, CHAT_FACE_LINE + 1 */
    size_t size;
};

struct chat_screen {
    struct chat_face face; /* first */
    struct screen *screen;
    struct line_editor *editor;
    locale_t locale, before;
    bool colours, closing;

    char prompt[INERT_MAX * PROMPT_MAX + 1];
    bool dirty; /* what is drawn is not what is edited */
    bool drawn; /* with the cursor in column: */
    unsigned cell;
    struct question question;

    char input[INPUT]; /* typed, and not looked at yet: half a key, or held lines */
    size_t held;
    bool paused;
    bool ended, end_told;
    int end_error;

    size_t lost; /* lines */
    bool shown;  /* since `drained` */
    char line[CHAT_FACE_SHOWN];
    char row[EDIT_VIEW_MAX];
    wchar_t answer[CHAT_FACE_LINE]; /* what is typed as an answer that is no secret */
};

static struct chat_screen *of(struct chat_face *face)
{
    return (struct chat_screen *)(void *)face;
}

static void redraw(struct chat_screen *s)
{
    s->dirty = true;
    screen_wake(s->screen);
}

/* ---- out ---- */

static void erase(void *owner)
{
    struct chat_screen *s = owner;

    if (!s->drawn)
        return;
    (void)screen_put(s->screen, s->row,
                     edit_view_erase(s->row, s->cell, screen_columns(s->screen)));
    s->drawn = false;
    s->dirty = true;
}

static size_t answer_wide(struct chat_screen *s)
{
    const struct question *q = &s->question;
    size_t count = 0;
    uint32_t point;

    for (size_t i = 0, size; !q->secret && i < q->size; i += size) {
        size = utf8_decode(q->text + i, q->size - i, &point);
        if (size == 0)
            break;
        s->answer[count++] = (wchar_t)point;
    }
    return count;
}

static void draw(void *owner)
{
    struct chat_screen *s = owner;
    unsigned columns = screen_columns(s->screen);
    const char *prompt = s->prompt;
    const wchar_t *text = s->answer;
    size_t size, cursor;

    if (!s->dirty)
        return;
    if (s->question.answer != NULL) {
        prompt = s->question.prompt;
        cursor = size = answer_wide(s);
    } else {
        text = line_editor_line(s->editor, &size, &cursor);
    }
    s->dirty = false;
    if (screen_put(s->screen, s->row,
                   edit_view(s->row, prompt, text, size, cursor, columns, &s->cell)))
        s->drawn = true;
}

static const char *colour_of(enum chat_face_kind kind, bool own)
{
    switch (kind) {
    case CHAT_FACE_SAID:
    case CHAT_FACE_ME:
        return own ? "\033[1m" : "\033[1;36m";
    case CHAT_FACE_PRIVATE:
    case CHAT_FACE_TOLD:
        return "\033[1;35m";
    case CHAT_FACE_SYSTEM:
        return "\033[32m";
    case CHAT_FACE_PROGRAM:
        return "\033[33m";
    }
    return "";
}

/* Shows s->line[0..length-1]; false when it is enough. */
static bool show_line(struct chat_screen *s, size_t length)
{
    erase(s);
    if (screen_waiting(s->screen) > OUTPUT_MOST || !screen_put(s->screen, s->line, length) ||
        !screen_put(s->screen, "\r\n", 2))
        s->lost++;
    s->shown = true;
    redraw(s);
    return screen_waiting(s->screen) <= OUTPUT_ENOUGH;
}

static bool show(struct chat_face *face, enum chat_face_kind kind, bool own, const char *name,
                 const char *text, size_t size)
{
    struct chat_screen *s = of(face);
    const char *on = s->colours ? colour_of(kind, own) : "", *off = s->colours ? "\033[0m" : "";

    return show_line(s, chat_face_line(s->line, kind, name, text, size, on, off));
}

/* Messages of the program's other parts come as they are meant for stderr. */
static void stray(void *owner, const char *text, size_t size)
{
    struct chat_screen *s = owner;

    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end != NULL ? (size_t)(end - text) : size;
        size_t step = end != NULL ? length + 1 : size;
        (void)show_line(s, inert(s->line, text, length));
        text += step;
        size -= step;
    }
}

static bool busy(const struct chat_face *face)
{
    return ((const struct chat_screen *)(const void *)face)->shown;
}

static void written(void *owner, int error)
{
    struct chat_screen *s = owner;

    if (s->lost > 0 && error == 0) {
        size_t lost = s->lost;
        s->lost = 0;
        chat_face_tell_lost(&s->face, lost);
        return;
    }
    if (!s->shown && error == 0)
        return;
    s->shown = false;
    s->face.handler->drained(s->face.owner, error);
}

static void set_prompt(char *shown, const char *prompt)
{
    shown[inert(shown, prompt, strnlen(prompt, PROMPT_MAX))] = '\0';
}

static void show_prompt(struct chat_face *face, const char *prompt)
{
    set_prompt(of(face)->prompt, prompt);
    redraw(of(face));
}

static void clear(struct chat_face *face)
{
    static const char sequence[] = "\033[H\033[2J\033[3J";

    (void)screen_put(of(face)->screen, sequence, sizeof sequence - 1);
    of(face)->drawn = false;
    redraw(of(face));
}

static void changed(void *owner)
{
    struct chat_screen *s = owner;

    if (screen_is_ours(s->screen))
        erase(s);
    redraw(s);
}

/* ---- a question ---- */

static void forget_question(struct chat_screen *s)
{
    OPENSSL_cleanse(s->answer, sizeof s->answer);
    OPENSSL_secure_clear_free(s->question.text, CHAT_FACE_LINE + 1);
    s->question = (struct question){0};
    redraw(s);
}

/* The question is over before the owner hears of it, so that he can ask the next. What was typed
 * at it stays in sight, as a line. */
static void tell_answer(struct chat_screen *s, bool given)
{
    struct question asked = s->question;
    size_t length = strlen(asked.prompt);

    asked.text[asked.size] = '\0';
    memcpy(s->line, asked.prompt, length);
    if (given && !asked.secret)
        length += inert(s->line + length, asked.text, asked.size);
    (void)show_line(s, length);
    s->question.text = NULL;
    forget_question(s);
    asked.answer(asked.owner, given ? asked.text : NULL);
    OPENSSL_secure_clear_free(asked.text, CHAT_FACE_LINE + 1);
}

static bool ask(struct chat_face *face, const char *prompt, bool secret, chat_face_answer *answer,
                void *owner)
{
    struct chat_screen *s = of(face);
    struct question *q = &s->question;

    if (q->answer != NULL)
        return false;
    *q = (struct question){.answer = answer, .owner = owner, .secret = secret};
    q->text = OPENSSL_secure_zalloc(CHAT_FACE_LINE + 1);
    if (q->text == NULL) {
        *q = (struct question){0};
        return false;
    }
    set_prompt(q->prompt, prompt);
    redraw(s);
    return true;
}

static void cancel(struct chat_face *face, const char *note)
{
    struct chat_screen *s = of(face);

    if (s->question.answer == NULL)
        return;
    forget_question(s);
    if (note != NULL)
        (void)chat_face_tell(face, CHAT_FACE_PROGRAM, "%s", note);
}

static void key_of_question(struct chat_screen *s, const char *key, size_t size)
{
    struct question *q = &s->question;

    if (size == 1 && (*key == '\r' || *key == '\n')) {
        tell_answer(s, true);
        return;
    }
    if (size == 1 && (*key == CTRL_C || (*key == CTRL_D && q->size == 0))) {
        tell_answer(s, false);
        return;
    }
    if (size == 1 && (*key == BACKSPACE || *key == DELETE)) {
        while (q->size > 0 && (q->text[--q->size] & 0xc0) == 0x80) /* a whole character */
            ;
    } else if (size == 1 && *key == CTRL_U) {
        q->size = 0;
    } else if ((unsigned char)*key >= ' ' && q->size + size <= CHAT_FACE_LINE) {
        memcpy(q->text + q->size, key, size);
        q->size += size;
    }
    redraw(s);
}

/* ---- the line ---- */

/* The line as UTF-8 in out[room]; 0 if it is empty, and more than room if it is too long. */
static size_t line_utf8(struct chat_screen *s, char *out, size_t room)
{
    size_t count, cursor, size = 0;
    const wchar_t *line = line_editor_line(s->editor, &count, &cursor);

    for (size_t i = 0; i < count; i++) {
        char octets[4];
        size_t n = edit_view_utf8(octets, line[i]);
        if (size + n <= room)
            memcpy(out + size, octets, n);
        size += n;
    }
    return size;
}

static void enter(struct chat_screen *s)
{
    char line[CHAT_FACE_LINE + 1];
    size_t size = line_utf8(s, line, CHAT_FACE_LINE);

    if (size > CHAT_FACE_LINE) {
        (void)chat_face_tell(&s->face, CHAT_FACE_PROGRAM,
                             text("the line has %zu octets, %d can be sent: make it shorter"), size,
                             CHAT_FACE_LINE);
        return;
    }
    if (size == 0)
        return;
    line[size] = '\0';
    line_editor_next(s->editor, true);
    redraw(s);
    s->face.handler->line(s->face.owner, line, size);
}

static void tell_end(struct chat_screen *s, int error)
{
    if (s->end_told)
        return;
    s->end_told = true;
    s->face.handler->ended(s->face.owner, error);
}

static void insert(struct chat_screen *s, const char *octets, size_t size)
{
    char line[CHAT_FACE_LINE];
    uint32_t point;

    if (line_utf8(s, line, sizeof line) + size <= CHAT_FACE_LINE &&
        utf8_decode(octets, size, &point) == size)
        line_editor_insert(s->editor, (wchar_t)point);
}

static void key_of_line(struct chat_screen *s, const char *key, size_t size)
{
    char line[1];
    bool empty = line_utf8(s, line, sizeof line) == 0;

    redraw(s);
    if (size == 1 && (*key == '\r' || *key == '\n')) {
        enter(s);
    } else if (size == 1 && *key == CTRL_C && empty) {
        s->face.handler->interrupted(s->face.owner);
    } else if (size == 1 && *key == CTRL_C) {
        line_editor_next(s->editor, false);
    } else if (size == 1 && *key == CTRL_D && empty) {
        tell_end(s, 0);
    } else if (size == 1 && *key == CTRL_L) {
        clear(&s->face);
    } else if (size == 1 && *key == '\t') {
        insert(s, " ", 1);
    } else if ((unsigned char)*key >= ' ' && *key != DELETE) {
        insert(s, key, size);
    } else {
        (void)line_editor_key(s->editor, key, size);
    }
}

/* ---- keys ---- */

/* The octets of the key at input[0..length-1], of which one at least is there; 0: not all of them
 * are. An octet that begins no key is one. */
static size_t key_size(const char *input, size_t length)
{
    unsigned char first = (unsigned char)*input;
    uint32_t point;

    if (first == ESCAPE) {
        if (length < 2)
            return 0;
        if (input[1] == 'O')
            return length < 3 ? 0 : 3;
        if (input[1] != '[') /* of two keys, the first an Escape, only the second counts */
            return input[1] >= ' ' || input[1] == BACKSPACE ? 2 : 1;
        for (size_t i = 2; i < length && i < KEY_MAX; i++) {
            if (input[i] >= 0x40 && input[i] < 0x7f)
                return i + 1;
        }
        return length < KEY_MAX ? 0 : KEY_MAX;
    }
    if (first < 0x80)
        return 1;
    size_t size = utf8_decode(input, length, &point);
    if (size > 0)
        return size;
    size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    return first >= 0xc2 && first < 0xf5 && length < size ? 0 : 1;
}

static bool is_held(const struct chat_screen *s, char key)
{
    return s->paused && s->question.answer == NULL && (key == '\r' || key == '\n');
}

/* Octets that are no character are nothing. */
static bool is_key(const char *key, size_t size)
{
    uint32_t point;

    return (unsigned char)*key < 0x80 || utf8_decode(key, size, &point) == size;
}

static void take_keys(struct chat_screen *s)
{
    size_t at = 0;

    while (!s->closing && at < s->held && !is_held(s, s->input[at])) {
        size_t size = key_size(s->input + at, s->held - at);
        const char *key = s->input + at;
        if (size == 0)
            break;
        at += size;
        if (!is_key(key, size))
            continue;
        if (s->question.answer != NULL)
            key_of_question(s, key, size);
        else if (!s->end_told)
            key_of_line(s, key, size);
        else if (*key == CTRL_C)
            s->face.handler->interrupted(s->face.owner);
    }
    s->held -= at;
    memmove(s->input, s->input + at, s->held);
    OPENSSL_cleanse(s->input + s->held, sizeof s->input - s->held);
}

static void typed(void *owner, const char *octets, size_t size)
{
    struct chat_screen *s = owner;

    while (size > 0 && !s->closing) {
        size_t room = sizeof s->input - s->held, n = size < room ? size : room;
        if (n == 0)
            break; /* typed behind a line that nobody takes */
        memcpy(s->input + s->held, octets, n);
        s->held += n;
        octets += n;
        size -= n;
        take_keys(s);
    }
    /* Who waits for the far side can still leave. */
    if (!s->closing && s->held > 0 && is_held(s, *s->input) &&
        (memchr(s->input, CTRL_C, s->held) != NULL || memchr(octets, CTRL_C, size) != NULL)) {
        s->held = 0;
        s->face.handler->interrupted(s->face.owner);
    }
}

static void ended(void *owner, int error)
{
    struct chat_screen *s = owner;

    s->ended = true;
    s->end_error = error;
    if (s->question.answer != NULL)
        tell_answer(s, false);
    if (!s->closing && !s->paused)
        tell_end(s, error);
}

static void pause_input(struct chat_face *face, bool paused)
{
    of(face)->paused = paused;
    redraw(of(face)); /* which looks at what is held */
}

/* From the loop: what waited for a pause to end. */
static void work(void *owner)
{
    struct chat_screen *s = owner;

    if (!s->paused && s->held > 0)
        take_keys(s);
    if (!s->closing && s->ended && !s->paused)
        tell_end(s, s->end_error);
}

static void lend(struct chat_face *face, bool lent)
{
    screen_lend(of(face)->screen, lent);
}

/* ---- life ---- */

static void release(void *owner)
{
    struct chat_screen *s = owner;

    line_editor_free(s->editor);
    if (s->before != (locale_t)0)
        (void)uselocale(s->before);
    if (s->locale != (locale_t)0)
        freelocale(s->locale);
    OPENSSL_cleanse(s->input, sizeof s->input);
    free(s);
}

static const struct screen_handler from_screen = {.typed = typed,
                                                  .ended = ended,
                                                  .work = work,
                                                  .draw = draw,
                                                  .erase = erase,
                                                  .changed = changed,
                                                  .written = written,
                                                  .stray = stray,
                                                  .gone = release};

static void close_face(struct chat_face *face)
{
    struct chat_screen *s = of(face);

    if (s->closing)
        return;
    if (s->question.answer != NULL)
        tell_answer(s, false);
    s->closing = true;
    screen_close(s->screen);
}

static const struct chat_face_calls calls = {.is_screen = true,
                                             .show = show,
                                             .busy = busy,
                                             .prompt = show_prompt,
                                             .pause = pause_input,
                                             .clear = clear,
                                             .ask = ask,
                                             .cancel = cancel,
                                             .lend = lend,
                                             .close = close_face};

/* Characters are UTF-8 here whatever the environment says: the chat's text is. */
static bool use_utf8(struct chat_screen *s)
{
    locale_t changed_locale;

    s->locale = duplocale(LC_GLOBAL_LOCALE);
    if (s->locale == (locale_t)0)
        return false;
    changed_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", s->locale);
    if (changed_locale == (locale_t)0)
        changed_locale = newlocale(LC_CTYPE_MASK, "", s->locale);
    if (changed_locale == (locale_t)0)
        return false;
    s->locale = changed_locale;
    if (strcmp(nl_langinfo_l(CODESET, s->locale), "UTF-8") != 0)
        return false;
    s->before = uselocale(s->locale);
    return true;
}

struct chat_face *chat_screen_new(struct loop *loop, const struct chat_face_handler *handler,
                                  void *owner)
{
    const char *no_colour = getenv("NO_COLOR"); // NOLINT(concurrency-mt-unsafe): nobody sets it
    struct chat_screen *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->face = (struct chat_face){.calls = &calls, .handler = handler, .owner = owner};
    s->colours = no_colour == NULL || *no_colour == '\0';
    s->dirty = true;
    if (use_utf8(s) && (s->editor = line_editor_new()) != NULL)
        s->screen = screen_open(loop, &from_screen, s);
    if (s->screen != NULL)
        return &s->face; /* NOLINT(analyzer-malloc-leak): it is a part of what it belongs to */
    release(s);
    return NULL;
}
