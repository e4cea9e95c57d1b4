/* Messages in the user's language. The English text is the key; where there is no catalogue, or
 * none of the locale's, it is the message too. say() and its like look their formats up themselves;
 * what is composed elsewhere goes through text(). scripts/messages collects all of them for po/. */
#ifndef USI_TEXT_TEXT_H
#define USI_TEXT_TEXT_H

#include <stdbool.h>

/* Marks a text that goes through text() elsewhere: in a table, or in libusi, which knows no
 * language and has the same mark of its own. */
#define TEXT(english) english

/* Takes the language and the character set from the environment; numbers stay as in C. Once, before
 * any thread. The catalogues lie beside the program: in `locale` of a build tree, or where the
 * install tree has them. */
void text_begin(void);

/* The message for an English one, or that itself, in the locale's character set. Never NULL, lives
 * as long as the program; any thread. What is no key, such as a message that is translated already,
 * or none at all, comes back as it is. The places of %s and the like are checked when the catalogue
 * is made. */
const char *text(const char *english) __attribute__((format_arg(1)));

/* The one of two English messages, for one thing and for several, that fits `number`. */
const char *text_of(const char *one, const char *several, unsigned long number)
    __attribute__((format_arg(1), format_arg(2)));

/* The system's text for an errno: in the language of the messages, where the system has it. */
const char *text_of_errno(int error);

/* Whether characters are UTF-8: in locales of that character set, and in C, which has none. */
bool text_is_utf8(void);

#endif
