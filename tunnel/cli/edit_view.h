/* How a line that is edited looks in one row of a terminal: a part of it when it is long. */
#ifndef USI_CLI_EDIT_VIEW_H
#define USI_CLI_EDIT_VIEW_H

#include <stddef.h>
#include <wchar.h>

enum {
    EDIT_VIEW_COLUMNS = 500,  /* more are not used */
    EDIT_VIEW_MAX = 16 * 1024 /* octets of a row, or of an erasure */
};

/* Writes to out[EDIT_VIEW_MAX] what draws the prompt (UTF-8, inert) and text[0..size-1] (any
 * characters, shown inert) into the row in which the cursor is, and puts the cursor where it is in
 * the text; returns the octets. *cell is the column of the cursor then. The row's last column stays
 * free. The thread's LC_CTYPE is UTF-8. */
size_t edit_view(char *out, const char *prompt, const wchar_t *text, size_t size, size_t cursor,
                 unsigned columns, unsigned *cell);

/* Writes what takes a row off that was drawn with the cursor at `cell`, in a terminal that has so
 * many columns now; returns the octets. The cursor is then at the row's begin. */
size_t edit_view_erase(char *out, unsigned cell, unsigned columns);

/* The UTF-8 of a character; returns its octets, 1 to 4, or 0 if it has none. */
size_t edit_view_utf8(char out[4], wchar_t character);

#endif
