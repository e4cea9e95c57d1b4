/* Everything the program prints on stderr: one line a fact, beginning `usi-tunnel: `. */
#ifndef USI_CLI_SAY_H
#define USI_CLI_SAY_H

#include <stdbool.h>
#include <stddef.h>

/* How much is printed: a value that its owner passes on, so that nothing global changes. */
enum say_level { SAY_QUIET, SAY_NORMAL, SAY_VERBOSE };

/* Prints an error, at every level. `format` is one line without the final newline, and is looked up
 * in the catalogue (text/text.h); arguments are taken as they are. Control characters in the result
 * are shown as \xNN, so that no file name or peer can send escape sequences to a terminal. The line
 * goes out in one write(2). */
void say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, printed only if level is SAY_NORMAL or more (say) or SAY_VERBOSE (say_more). */
void say(enum say_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_more(enum say_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies text[0..length-1] into line with every character that inert_changes and every octet that
 * is no character as \xNN, as messages are printed, and returns the octets written. Characters are
 * UTF-8 or, in a locale of another character set, of that. line has room for SAY_ESCAPED * length
 * octets and one more. */
enum { SAY_ESCAPED = 4 };
size_t say_escape(char *line, const char *text, size_t length);

#endif
