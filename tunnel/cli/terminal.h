/* Questions to the user on the terminal that the program was started from (/dev/tty), whatever
 * stdin, stdout and stderr are, while the event loop goes on. */
#ifndef USI_CLI_TERMINAL_H
#define USI_CLI_TERMINAL_H

#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest line that is told; what is behind it is dropped. */
enum { TERMINAL_LINE = 2048 };

struct terminal;

enum terminal_result {
    TERMINAL_ANSWER,
    TERMINAL_TIMEOUT,
    TERMINAL_GONE,       /* the terminal was closed, or its user ended the input */
    TERMINAL_INTERRUPTED /* terminal_wait: the loop was stopped */
};

/* line (TERMINAL_ANSWER, else NULL) has no line end, and is wiped after the call, from which
 * another question may be asked. */
typedef void terminal_done(void *owner, enum terminal_result result, const char *line);

/* Opens the controlling terminal. NULL with one line in why[size] if there is none. Nothing is read
 * and no mode changed before a question. */
struct terminal *terminal_open(struct loop *loop, char *why, size_t size);

/* Shows prompt, of which control characters other than newlines are shown inert, and waits for a
 * line that is typed after it, without showing it unless echo, for at most timeout_ms (0: no
 * limit). A process in the background waits until it is in the foreground. done is called once from
 * the loop, never from here, unless terminal_cancel comes first. One question at a time. */
void terminal_ask(struct terminal *t, const char *prompt, bool echo, uint64_t timeout_ms,
                  terminal_done *done, void *owner);

/* asked(owner, true) is called before a question is shown, and with false when it is over, before
 * its `done`: for who uses the same terminal. NULL: nobody. */
void terminal_watch(struct terminal *t, void (*asked)(void *owner, bool open), void *owner);

/* Whether a question is open. */
bool terminal_busy(const struct terminal *t);

/* Takes the question back; note, if it is not NULL, tells the user why. */
void terminal_cancel(struct terminal *t, const char *note);

/* The same as terminal_ask for a time when nothing else is there to run: runs the loop until there
 * is an answer, which goes to line[size] with its NUL, cut to that size. The caller wipes it. */
enum terminal_result terminal_wait(struct terminal *t, const char *prompt, bool echo,
                                   uint64_t timeout_ms, char *line, size_t size);

/* Writes text, shown as a prompt is. */
void terminal_show(struct terminal *t, const char *text);

/* Takes an open question back without a call, restores the terminal's modes at once, and frees when
 * the loop has closed the handles. NULL is fine. */
void terminal_close(struct terminal *t);

#endif
