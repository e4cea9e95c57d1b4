/* What the members of a chat may be called. */
#ifndef USI_APPS_CHAT_NAME_H
#define USI_APPS_CHAT_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum {
    CHAT_NAME_CHARACTERS = 32,
    CHAT_NAME = 4 * CHAT_NAME_CHARACTERS /* octets */
};

/* May somebody be called name[0..size-1]? 1 to CHAT_NAME_CHARACTERS characters of UTF-8 (RFC 3629),
 * all of them visible: no blanks, no control, format, private or other invisible characters. None
 * of those that surround a name on the screen, < > [ ], and none of / ! * - as the first: a name
 * cannot look like a command or a line of the program's. Not more than two combining marks in a
 * row, and none of the Latin ones (U+0300 to U+036F) behind an ASCII letter: what looks the same is
 * one character. */
bool chat_name_is_fit(const char *name, size_t size);

/* A fit name that is as near as can be to name[0..size-1], such as a login name: what may not be in
 * a name is left out, the rest is cut. "user" if nothing is left. */
void chat_name_make(char fit[CHAT_NAME + 1], const char *name, size_t size);

/* The same name, but for the case of ASCII letters? */
bool chat_name_equal(const char *one, const char *other);

/* Makes name, which is fit, into one that `taken` does not know: as it is, or with -2, -3... behind
 * it, cut so that it fits. taken(owner, name) must be false for all but a thousand names. */
void chat_name_make_unique(char name[CHAT_NAME + 1], bool (*taken)(void *owner, const char *name),
                           void *owner);

#endif
