/* The terminal of a program that edits on it while its loop goes on: its modes, what it shows,
 * what is typed. Nothing waits for a terminal that is stopped or hangs. */
#ifndef USI_CLI_SCREEN_H
#define USI_CLI_SCREEN_H

#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>

struct screen;

/* All called from the loop; erase also from screen_lend and screen_close. */
struct screen_handler {
    /* Octets were typed. */
    void (*typed)(void *owner, const char *octets, size_t size);
    /* The terminal is gone (error: a negative libuv error) or ends its input (0). Once. */
    void (*ended)(void *owner, int error);
    /* After screen_wake, and after anything else that happened. */
    void (*work)(void *owner);
    /* What waits is about to be written: the owner may add what it draws over and over. Not called
     * while much waits, nor unless screen_is_ours. */
    void (*draw)(void *owner);
    /* What is drawn is to be put away: the screen will not be ours. */
    void (*erase)(void *owner);
    /* It is ours again, or has another width: what was drawn may have moved. */
    void (*changed)(void *owner);
    /* Everything was written (once for all that was put since), or the output has failed for good
     * (error: a negative libuv error). */
    void (*written)(void *owner, int error);
    /* Somebody wrote this on stderr. */
    void (*stray)(void *owner, const char *text, size_t size);
    /* After screen_close: no call comes any more. */
    void (*gone)(void *owner);
};

/* Opens the terminal that stdin is. In the foreground, its modes are changed: each octet comes as
 * it is typed, also Ctrl-C; Ctrl-Z and Ctrl-\ do their own, with the modes restored. stderr is
 * caught as long as the screen is ours, if it is that terminal. NULL when this fails. */
struct screen *screen_open(struct loop *loop, const struct screen_handler *handler, void *owner);

/* Whether this process is in the foreground and has not lent the terminal. */
bool screen_is_ours(const struct screen *screen);

/* Adds octets to what is to be written, from the loop. false when out of memory: they are lost. */
bool screen_put(struct screen *screen, const char *octets, size_t size);

/* How many octets wait to be written. */
size_t screen_waiting(const struct screen *screen);

/* Has `work` and `draw` called soon. */
void screen_wake(struct screen *screen);

/* How many columns it has. */
unsigned screen_columns(const struct screen *screen);

/* Gives the terminal to somebody else, with the user's own modes, and takes it back. */
void screen_lend(struct screen *screen, bool lent);

/* Restores everything at once, writes what the terminal takes without waiting, and frees when the
 * loop has closed the handles. NULL is fine. */
void screen_close(struct screen *screen);

#endif
