/* Text of others, made inert: what is shown of it neither moves a terminal's cursor nor colours,
 * reorders or hides anything. */
#ifndef USI_CLI_INERT_H
#define USI_CLI_INERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    INERT_MAX = 4,  /* octets that one octet becomes, at most */
    INERT_MARKS = 4 /* combining characters that are shown in a row */
};

/* Writes text[0..length-1] to out, which has room for INERT_MAX * length octets, and returns the
 * octets written; no NUL is added. The result is UTF-8 without a control character:
 *   a tab                                      a blank
 *   C0 and DEL                                 ^X, ^?
 *   C1, separators of lines and paragraphs, bidirectional controls, zero-width and other format
 *   characters, invisible fillers, tags, noncharacters, and combining marks (variation selectors
 *   among them) behind INERT_MARKS in a row    <U+202E>
 *   an octet that is not UTF-8                 <FF> */
size_t inert(char *out, const char *text, size_t length);

/* Whether inert shows this character as something else, wherever it stands. */
bool inert_changes(uint32_t point);

/* Whether this character is drawn upon the one before it and has no cell of its own. */
bool inert_is_mark(uint32_t point);

#endif
