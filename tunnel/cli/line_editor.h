/* A line that is being edited, and those typed before it: libedit's commands, without a display and
 * without reading. Keys go in one by one; who shows the line asks for it. */
#ifndef USI_CLI_LINE_EDITOR_H
#define USI_CLI_LINE_EDITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

struct line_editor;

/* NULL when built without libedit, out of memory, or there is no pseudo-terminal, which libedit
 * wants to see. The thread's LC_CTYPE must be UTF-8, now and in every call. */
struct line_editor *line_editor_new(void);

/* Does what a key means, which is key[0..size-1] as a terminal sends it: one control character or
 * escape sequence. False: it means nothing. Enter, and what ends or interrupts, is not for here. */
bool line_editor_key(struct line_editor *editor, const char *key, size_t size);

/* Inserts a character at the cursor. */
void line_editor_insert(struct line_editor *editor, wchar_t character);

/* The line: *size characters and where the cursor is. Valid until the next call of another
 * function. */
const wchar_t *line_editor_line(struct line_editor *editor, size_t *size, size_t *cursor);

/* Begins an empty line; remember: the one there was can be called back (in memory only, the last
 * 200). */
void line_editor_next(struct line_editor *editor, bool remember);

/* NULL is fine. */
void line_editor_free(struct line_editor *editor);

#endif
