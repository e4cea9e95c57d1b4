#include "cli/chat_face.h"

#include "cli/chat_face_calls.h"
#include "cli/chat_lines.h"
#include "cli/chat_screen.h"
#include "text/text.h"
#include "text/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- how a line looks ---- */

/* What stands around a name, and what before a text that has none. */
struct look {
    const char *before, *behind;
};

static struct look look_of(enum chat_face_kind kind)
{
    switch (kind) {
    case CHAT_FACE_SAID:
        return (struct look){"<", ">"};
    case CHAT_FACE_ME:
        return (struct look){"* ", ""};
    case CHAT_FACE_PRIVATE:
        return (struct look){"[", "]"};
    case CHAT_FACE_TOLD:
        return (struct look){"[-> ", "]"};
    case CHAT_FACE_SYSTEM:
        return (struct look){"--", ""};
    case CHAT_FACE_PROGRAM:
        return (struct look){"usi-tunnel:", ""};
    }
    return (struct look){"", ""};
}

static size_t add(char *out, const char *text)
{
    size_t size = strlen(text);

    memcpy(out, text, size); /* NOLINT(bugprone-not-null-terminated-result): more follows */
    return size;
}

/* Blanks that inert lets pass (Zs, the Braille one). */
static bool is_blank(uint32_t point)
{
    return point == ' ' || point == 0xa0 || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200a) || point == 0x202f || point == 0x205f ||
           point == 0x2800 || point == 0x3000;
}

/* Of blanks that could carry what follows them to where a line of its own would begin, shows
 * BLANKS - 1 and a mark. out[0..size-1] is inert; returns the octets left. */
static size_t narrow(char *out, size_t size)
{
    enum { BLANKS = 8 };
    static const char mark[] = "\xc2\xb7"; /* a middle dot */
    size_t left = 0, seven = 0;
    unsigned blanks = 0;
    uint32_t point = 0;

    for (size_t i = 0, step; i < size; i += step) {
        step = utf8_decode(out + i, size - i, &point);
        if (step == 0) /* there is none: it is UTF-8 */
            step = 1;
        bool blank = is_blank(point);
        if (blank)
            blanks++;
        else if (!inert_is_mark(point)) /* which may have no ink either */
            blanks = 0;
        if (blank && blanks == BLANKS)
            seven = left;
        if (blanks <= BLANKS) {
            memmove(out + left, out + i, step);
            left += step;
        } else if (blank && blanks == BLANKS + 1) {
            memcpy(out + seven, mark, sizeof mark - 1);
            left = seven + sizeof mark - 1;
        }
    }
    return left;
}

/* The text of somebody else, as a line shows it. */
static size_t add_foreign(char *out, const char *text, size_t size)
{
    return narrow(out, inert(out, text, size));
}

size_t chat_face_line(char *out, enum chat_face_kind kind, const char *name, const char *text,
                      size_t size, const char *on, const char *off)
{
    struct look look = look_of(kind);
    size_t length = 0;

    length += add(out, on);
    length += add(out + length, look.before);
    if (name != NULL)
        length += add_foreign(out + length, name, strnlen(name, CHAT_FACE_NAME));
    length += add(out + length, look.behind);
    length += add(out + length, off);
    out[length++] = ' ';
    return length + add_foreign(out + length, text, size < CHAT_FACE_TEXT ? size : CHAT_FACE_TEXT);
}

bool chat_face_is_text(const char *text, size_t size)
{
    uint32_t point;

    if (size == 0 || memchr(text, '\0', size) != NULL)
        return false;
    for (size_t i = 0, step; i < size; i += step) {
        step = utf8_decode(text + i, size - i, &point);
        if (step == 0)
            return false;
    }
    return true;
}

/* ---- which face ---- */

static bool is_one_terminal(void)
{
    struct stat in, out;

    return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 &&
           fstat(STDIN_FILENO, &in) == 0 && fstat(STDOUT_FILENO, &out) == 0 &&
           in.st_rdev == out.st_rdev;
}

static bool can_move_its_cursor(void)
{
    const char *term = getenv("TERM"); // NOLINT(concurrency-mt-unsafe): nobody sets it

    return term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
}

struct chat_face *chat_face_new(struct loop *loop, const struct chat_face_handler *handler,
                                void *owner, char *why, size_t size)
{
    struct chat_face *face = NULL;

    if (is_one_terminal() && can_move_its_cursor())
        face = chat_screen_new(loop, handler, owner);
    return face != NULL ? face : chat_lines_new(loop, handler, owner, why, size);
}

/* ---- the functions of either ---- */

bool chat_face_is_screen(const struct chat_face *face)
{
    return face->calls->is_screen;
}

bool chat_face_show(struct chat_face *face, enum chat_face_kind kind, bool own, const char *name,
                    const char *text, size_t size)
{
    return face->calls->show(face, kind, own, name, text, size);
}

bool chat_face_tell(struct chat_face *face, enum chat_face_kind kind, const char *format, ...)
{
    char text[CHAT_FACE_TEXT + 1];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0)
        return true;
    return chat_face_show(face, kind, false, NULL, text,
                          (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

void chat_face_tell_lost(struct chat_face *face, size_t lost)
{
    (void)chat_face_tell(face, CHAT_FACE_SYSTEM,
                         text_of("%zu line is lost: it was not taken in time",
                                 "%zu lines are lost: they were not taken in time",
                                 (unsigned long)lost),
                         lost);
}

bool chat_face_busy(const struct chat_face *face)
{
    return face->calls->busy(face);
}

void chat_face_prompt(struct chat_face *face, const char *prompt)
{
    if (face->calls->prompt != NULL)
        face->calls->prompt(face, prompt);
}

void chat_face_pause(struct chat_face *face, bool paused)
{
    face->calls->pause(face, paused);
}

void chat_face_clear(struct chat_face *face)
{
    if (face->calls->clear != NULL)
        face->calls->clear(face);
}

bool chat_face_ask(struct chat_face *face, const char *prompt, bool secret,
                   chat_face_answer *answer, void *owner)
{
    return face->calls->ask(face, prompt, secret, answer, owner);
}

void chat_face_cancel(struct chat_face *face, const char *note)
{
    face->calls->cancel(face, note);
}

void chat_face_lend(struct chat_face *face, bool lent)
{
    if (face->calls->lend != NULL)
        face->calls->lend(face, lent);
}

void chat_face_close(struct chat_face *face)
{
    if (face != NULL)
        face->calls->close(face);
}
