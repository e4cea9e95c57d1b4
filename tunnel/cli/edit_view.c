#include "cli/edit_view.h"

#include "cli/inert.h"
#include "text/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A character that is shown: at most 10 octets, <U+10FFFF>. */
struct glyph {
    char octets[16];
    size_t size;
    unsigned cells;
};

enum { GLYPH_MAX = 10 };

size_t edit_view_utf8(char out[4], wchar_t character)
{
    unsigned long point = (unsigned long)character;
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    for (size_t i = size; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(lead[size] | point);
    return size;
}

static struct glyph glyph_of(wchar_t character)
{
    struct glyph glyph = {.octets = "?", .size = 1, .cells = 1};
    char octets[4];
    size_t size = edit_view_utf8(octets, character);
    int width = wcwidth(character);

    if (size == 0)
        return glyph;
    glyph.size = inert(glyph.octets, octets, size);
    if (inert_changes((uint32_t)character))
        glyph.cells = (unsigned)glyph.size;
    else if (width >= 0)
        glyph.cells = (unsigned)width;
    return glyph;
}

/* Adds as much of the prompt as fits into half the columns; *cells are those it takes. */
static size_t add_prompt(char *out, const char *prompt, unsigned columns, unsigned *cells)
{
    size_t length = strlen(prompt), written = 0;
    uint32_t point;

    for (size_t i = 0, size; i < length; i += size) {
        size = utf8_decode(prompt + i, length - i, &point);
        if (size == 0)
            break;
        struct glyph glyph = glyph_of((wchar_t)point);
        if (*cells + glyph.cells > columns / 2 || written + GLYPH_MAX > EDIT_VIEW_MAX / 4)
            break;
        memcpy(out + written, glyph.octets, glyph.size);
        written += glyph.size;
        *cells += glyph.cells;
    }
    return written;
}

static unsigned cells_of(const wchar_t *text, size_t size, unsigned most)
{
    unsigned cells = 0;

    for (size_t i = 0; i < size && cells <= most; i++)
        cells += glyph_of(text[i]).cells;
    return cells;
}

/* Where the part that is shown begins: before the cursor are at most three quarters of the room,
 * unless all of it fits. */
static size_t begin_of(const wchar_t *text, size_t size, size_t cursor, unsigned room)
{
    size_t begin = cursor;

    if (cells_of(text, size, room) <= room)
        return 0;
    for (unsigned cells = 0; begin > 0; begin--) {
        cells += glyph_of(text[begin - 1]).cells;
        if (cells > room - room / 4)
            break;
    }
    while (begin < cursor && glyph_of(text[begin]).cells == 0) /* its base is not shown */
        begin++;
    return begin;
}

size_t edit_view(char *out, const char *prompt, const wchar_t *text, size_t size, size_t cursor,
                 unsigned columns, unsigned *cell)
{
    unsigned cells = 0;
    size_t written = 0;

    columns = columns > EDIT_VIEW_COLUMNS ? EDIT_VIEW_COLUMNS : columns < 4 ? 4 : columns;
    out[written++] = '\r';
    written += add_prompt(out + written, prompt, columns - 1, &cells);
    size_t begin = begin_of(text, size, cursor, columns - 1 - cells);
    *cell = cells;
    for (size_t i = begin; i < size; i++) {
        struct glyph glyph = glyph_of(text[i]);
        if (cells + glyph.cells > columns - 1 || written + 64 > EDIT_VIEW_MAX)
            break;
        memcpy(out + written, glyph.octets, glyph.size);
        written += glyph.size;
        cells += glyph.cells;
        if (i < cursor)
            *cell = cells;
    }
    written += (size_t)snprintf(out + written, 32, "\033[K\r");
    if (*cell > 0)
        written += (size_t)snprintf(out + written, 32, "\033[%uC", *cell);
    return written;
}

size_t edit_view_erase(char *out, unsigned cell, unsigned columns)
{
    unsigned rows = columns > 0 ? cell / columns : 0; /* a terminal made narrower has wrapped it */
    size_t written = 0;

    if (rows > 0)
        written = (size_t)snprintf(out, 32, "\033[%uA", rows);
    return written + (size_t)snprintf(out + written, 32, "\r\033[J");
}
