#include "cli/receive.h"

#include "cli/amount.h"
#include "cli/status.h"
#include "cli/terminal.h"
#include "cli/transfer.h"
#include "text/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LOOK_AGAIN_MS = 250 };

struct receive {
    struct transfer transfer;
    EVP_MD *sha256;
    struct terminal *terminal; /* NULL: everything is taken */
    struct delivery *asked;    /* whose offer the user is asked about; NULL: none */
    bool shown;                /* the question is */
    uv_timer_t again;          /* the terminal is busy with another question */
    char question[1024];
};

/* ---- the answer ---- */

static struct inbox *open_inbox(struct receive *r, char *why, size_t size)
{
    const struct options *o = &r->transfer.program.options;

    return inbox_new(o->directory, o->overwrite, r->sha256, why, size);
}

static void take_it(struct receive *r, struct delivery *delivery)
{
    char why[640];
    struct inbox *inbox = open_inbox(r, why, sizeof why);

    if (inbox != NULL)
        delivery_answer(delivery, inbox);
    else
        delivery_give_up(delivery, why);
}

static bool is_yes(const char *line)
{
    const char *yes = text("yes");
    const char initial[] = {yes[0], '\0'};

    return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0 ||
           strcasecmp(line, initial) == 0 || strcasecmp(line, yes) == 0;
}

static void on_answer(void *owner, enum terminal_result result, const char *line)
{
    struct receive *r = owner;
    struct delivery *delivery = r->asked;
    bool yes = result == TERMINAL_ANSWER && is_yes(line);

    r->asked = NULL;
    r->shown = false;
    if (result == TERMINAL_TIMEOUT)
        say_error("nobody answered in time (--ask-timeout): nothing is taken");
    if (yes)
        take_it(r, delivery);
    else
        delivery_answer(delivery, NULL);
}

/* ---- the question ---- */

static void put_question(struct receive *r, const struct delivery *delivery,
                         const struct transfer_event *e)
{
    const char *folder = r->transfer.program.options.directory;
    char amount[AMOUNT_TEXT], files[AMOUNT_TEXT], folders[AMOUNT_TEXT];

    amount_octets(amount, e->octets);
    amount_files(files, e->files);
    amount_folders(folders, e->folders);
    if (e->things == 1 && e->files == 1 && e->folders == 0)
        (void)snprintf(r->question, sizeof r->question,
                       text("%s offers the file \"%s\", %s. Take it into \"%.200s\"? [y/N] "),
                       delivery_peer(delivery), e->name, amount, folder);
    else if (e->things == 1)
        (void)snprintf(
            r->question, sizeof r->question,
            text("%s offers the folder \"%s\": %s, %s, %s. Take it into \"%.200s\"? [y/N] "),
            delivery_peer(delivery), e->name, files, folders, amount, folder);
    else
        (void)snprintf(
            r->question, sizeof r->question,
            text("%s offers %" PRIu32 " things: %s, %s, %s. Take them into \"%.200s\"? [y/N] "),
            delivery_peer(delivery), e->things, files, folders, amount, folder);
}

static void ask_now(struct receive *r)
{
    if (r->asked == NULL || terminal_busy(r->terminal))
        return;
    (void)uv_timer_stop(&r->again);
    r->shown = true;
    terminal_ask(r->terminal, r->question, true, r->transfer.program.options.ask_ms, on_answer, r);
}

static void on_again(uv_timer_t *timer)
{
    ask_now(timer->data);
}

static void on_offer(void *owner, struct delivery *delivery, const struct transfer_event *event)
{
    struct receive *r = owner;

    if (r->terminal == NULL) {
        take_it(r, delivery);
        return;
    }
    r->asked = delivery;
    put_question(r, delivery, event);
    (void)uv_timer_start(&r->again, on_again, 0, LOOK_AGAIN_MS);
}

static void on_gone(void *owner, struct delivery *delivery)
{
    struct receive *r = owner;

    if (r->asked != delivery)
        return;
    if (r->shown)
        terminal_cancel(r->terminal, text("the sender has gone"));
    (void)uv_timer_stop(&r->again);
    r->asked = NULL;
    r->shown = false;
}

/* ---- running ---- */

/* Everything that a sender should not have to wait for in vain. False: everything was said. */
static bool prepare(struct receive *r)
{
    struct program *p = &r->transfer.program;
    char why[640];

    p->status = STATUS_USAGE;
    r->sha256 = program_sha256(p);
    r->terminal = p->options.yes ? NULL : credentials_terminal(&p->credentials);
    if (r->sha256 == NULL)
        return false;
    if (!p->options.yes && r->terminal == NULL) {
        say_error("there is no terminal to ask on: --yes takes what comes without asking");
        return false;
    }
    struct inbox *inbox = open_inbox(r, why, sizeof why);
    p->status = STATUS_LOCAL;
    if (inbox == NULL) {
        say_error("%s", why);
        return false;
    }
    inbox_free(inbox);
    if (uv_timer_init(&p->loop.uv, &r->again) != 0) {
        p->status = STATUS_INTERNAL;
        return false;
    }
    r->again.data = r;
    return true;
}

int receive_run(int argc, char **argv)
{
    struct receive r;
    int status;

    memset(&r, 0, sizeof r);
    status = transfer_begin(&r.transfer, OPTIONS_RECEIVE, argc, argv);
    if (status >= 0)
        return status;
    if (prepare(&r)) {
        const struct exchange_options options = {
            .most = 1,
            .until = r.transfer.program.options.keep_open ? EXCHANGE_STOPPED : EXCHANGE_TAKEN};
        r.transfer.offered = on_offer;
        r.transfer.gone = on_gone;
        r.transfer.owner = &r;
        transfer_run(&r.transfer, &options);
        uv_close((uv_handle_t *)&r.again, NULL);
    }
    return transfer_end(&r.transfer);
}
