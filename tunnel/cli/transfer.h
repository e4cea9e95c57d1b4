/* What send and receive have in common. */
#ifndef USI_CLI_TRANSFER_H
#define USI_CLI_TRANSFER_H

#include "apps/exchange.h"
#include "cli/program.h"
#include "cli/transfer_view.h"

struct transfer {
    struct program program;
    struct transfer_view *view;
    struct exchange *exchange;
    /* Set before transfer_run; NULL where nothing is to be done: an offer came, and a delivery is
     * over. */
    void (*offered)(void *owner, struct delivery *delivery, const struct transfer_event *event);
    void (*gone)(void *owner, struct delivery *delivery);
    void *owner;
};

/* program_begin for the word before `listen` or `connect`, and the view: argv[0] is the word. -1:
 * go on; else the exit status. After -1, transfer_end. */
int transfer_begin(struct transfer *t, enum options_command word, int argc, char **argv);

/* Listens or connects, and runs to the end; everything is said. */
void transfer_run(struct transfer *t, const struct exchange_options *options);

/* As program_end. */
int transfer_end(struct transfer *t);

#endif
