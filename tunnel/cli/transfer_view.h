/* What a transfer of files shows: a progress bar on a terminal, JSON on standard output, or plain
 * lines on stderr. */
#ifndef USI_CLI_TRANSFER_VIEW_H
#define USI_CLI_TRANSFER_VIEW_H

#include "apps/delivery.h"
#include "cli/say.h"
#include "net/loop.h"

struct transfer_view;

struct transfer_view_options {
    enum say_level level;
    bool json;  /* a JSON object a line on stdout; else, unless level is SAY_QUIET, a progress bar
                   where stderr is a terminal */
    bool sends; /* this side gives the files */
};

/* NULL: out of memory. */
struct transfer_view *transfer_view_new(struct loop *loop,
                                        const struct transfer_view_options *options);

/* For struct exchange_sink, with the view as its owner; status is the exit status that the outcome
 * would have alone. */
void transfer_view_event(struct transfer_view *view, struct delivery *delivery,
                         const struct transfer_event *event);
void transfer_view_over(struct transfer_view *view, struct delivery *delivery,
                        const struct transfer_event *event, int status, const char *why);

/* Takes the bar away until its time comes again, because something else is written. */
void transfer_view_clear(struct transfer_view *view);

/* A question is open on the terminal: no bar until it is not. */
void transfer_view_hold(struct transfer_view *view, bool hold);

/* 0, or the errno with which standard output has failed. */
int transfer_view_error(const struct transfer_view *view);

/* Takes the bar away and frees, once the loop has closed its handle. NULL is fine. */
void transfer_view_free(struct transfer_view *view);

#endif
