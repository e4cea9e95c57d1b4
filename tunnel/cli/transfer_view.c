#include "cli/transfer_view.h"

#include "cli/amount.h"
#include "cli/progress.h"
#include "cli/transfer_json.h"
#include "text/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    WIDTH = 80, /* of a terminal that does not say it */
    WIDTH_MAX = 200
};

struct transfer_view {
    struct loop *loop;
    struct transfer_view_options options;
    bool drawn, held;
    bool closing;
    int error; /* of standard output */
    uv_timer_t timer;
    struct progress *progress;
    struct json_line json;
};

/* ---- the bar ---- */

static size_t width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return WIDTH;
    return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

static void draw(struct transfer_view *v)
{
    char line[4 + PROGRESS_TEXT] = "\r\033[K";
    size_t size = progress_line(v->progress, line + 4, width() - 1);

    if (size > 0)
        v->drawn = write(STDERR_FILENO, line, 4 + size) > 0; /* a display, nothing more */
}

static void on_timer(uv_timer_t *timer)
{
    struct transfer_view *v = timer->data;

    if (!v->held)
        draw(v);
}

void transfer_view_clear(struct transfer_view *v)
{
    if (!v->drawn)
        return;
    v->drawn = write(STDERR_FILENO, "\r\033[K", 4) < 0;
}

void transfer_view_hold(struct transfer_view *v, bool hold)
{
    v->held = hold;
    if (hold)
        transfer_view_clear(v);
}

/* ---- JSON ---- */

static const char *json_name(enum transfer_event_type type)
{
    static const char *const names[] = {
        [TRANSFER_EVENT_OFFER] = "offer",         [TRANSFER_EVENT_ACCEPTED] = "accepted",
        [TRANSFER_EVENT_BEGIN] = "begin",         [TRANSFER_EVENT_RESUMED] = "resumed",
        [TRANSFER_EVENT_RESTARTED] = "restarted", [TRANSFER_EVENT_PROGRESS] = "progress",
        [TRANSFER_EVENT_KEPT] = "kept",           [TRANSFER_EVENT_SKIPPED] = "skipped",
        [TRANSFER_EVENT_LEFT_OUT] = "left_out",   [TRANSFER_EVENT_FAILED] = "failed",
        [TRANSFER_EVENT_OVER] = "over",
    };

    return names[type];
}

static void write_json(struct transfer_view *v)
{
    int error = json_write(&v->json, STDOUT_FILENO);

    if (v->error == 0)
        v->error = error;
}

static void begin_json(struct transfer_view *v, const struct delivery *delivery,
                       const struct transfer_event *e)
{
    json_begin(&v->json, json_name(e->type));
    json_number(&v->json, "number", delivery_number(delivery));
    json_string(&v->json, "peer", delivery_peer(delivery));
}

static void add_progress(struct transfer_view *v, const struct transfer_event *e)
{
    json_number(&v->json, "done", e->done);
    json_number(&v->json, "octets", e->octets);
    json_number(&v->json, "moved", e->moved);
}

/* Progress is told a few times a second, and once more with `over`. */
static void tell_json(struct transfer_view *v, const struct delivery *delivery,
                      const struct transfer_event *e)
{
    if (e->type == TRANSFER_EVENT_PROGRESS &&
        !progress_due(v->progress, delivery_number(delivery), uv_now(&v->loop->uv)))
        return;
    begin_json(v, delivery, e);
    if (e->type != TRANSFER_EVENT_PROGRESS && e->type != TRANSFER_EVENT_ACCEPTED)
        json_string(&v->json, "name", e->name);
    switch (e->type) {
    case TRANSFER_EVENT_OFFER:
        json_number(&v->json, "things", e->things);
        json_number(&v->json, "files", e->files);
        json_number(&v->json, "folders", e->folders);
        json_number(&v->json, "octets", e->octets);
        break;
    case TRANSFER_EVENT_RESUMED:
    case TRANSFER_EVENT_RESTARTED:
        json_number(&v->json, "offset", e->offset);
        json_number(&v->json, "size", e->size);
        break;
    case TRANSFER_EVENT_BEGIN:
    case TRANSFER_EVENT_KEPT:
        json_number(&v->json, "size", e->size);
        break;
    case TRANSFER_EVENT_PROGRESS:
        add_progress(v, e);
        break;
    case TRANSFER_EVENT_FAILED:
        json_number(&v->json, "reason", e->reason);
        json_bool(&v->json, "ours", e->ours);
        json_string(&v->json, "text", e->text);
        break;
    case TRANSFER_EVENT_SKIPPED:
    case TRANSFER_EVENT_LEFT_OUT:
        json_string(&v->json, "text", e->text);
        break;
    case TRANSFER_EVENT_ACCEPTED:
    case TRANSFER_EVENT_OVER:
        break;
    }
    write_json(v);
}

/* ---- lines ---- */

static void say_offer(const struct transfer_view *v, const char *peer,
                      const struct transfer_event *e)
{
    char amount[AMOUNT_TEXT], files[AMOUNT_TEXT], folders[AMOUNT_TEXT];

    amount_octets(amount, e->octets);
    amount_files(files, e->files);
    amount_folders(folders, e->folders);
    if (v->options.sends)
        say_more(v->options.level, "%s: offered %s, %s, %s", peer, files, folders, amount);
    else
        say_more(v->options.level, "%s: offers %s, %s, %s", peer, files, folders, amount);
}

/* What happened to a thing; where, if it was not here: text is that side's. */
static void say_failed(const struct transfer_view *v, const struct transfer_event *e)
{
    if (e->ours)
        say_error("%s: failed: %s", e->name, text(e->text));
    else if (v->options.sends)
        say_error("%s: failed at the receiver: %s", e->name, text(e->text));
    else
        say_error("%s: failed at the sender: %s", e->name, text(e->text));
}

static void say_event(struct transfer_view *v, const char *peer, const struct transfer_event *e)
{
    enum say_level level = v->options.level;
    char there[AMOUNT_TEXT];

    amount_octets(there, e->offset);
    switch (e->type) {
    case TRANSFER_EVENT_OFFER:
        say_offer(v, peer, e);
        break;
    case TRANSFER_EVENT_ACCEPTED:
        say_more(level, "%s: its user takes the files", peer);
        break;
    case TRANSFER_EVENT_RESUMED:
        if (e->offset == e->size)
            say_more(level, "%s: is there already, verified", e->name);
        else
            say(level, "%s: %s of it are there already: goes on behind them", e->name, there);
        break;
    case TRANSFER_EVENT_RESTARTED:
        if (v->options.sends)
            say(level, "%s: what %s has of it is not the same: from the start", e->name, peer);
        else
            say(level, "%s has changed at the sender: from the start", e->name);
        break;
    case TRANSFER_EVENT_KEPT:
        say_more(level, "%s: kept", e->name);
        break;
    case TRANSFER_EVENT_SKIPPED:
        if (v->options.sends)
            say_error("%s: skipped by the receiver: %s", e->name, text(e->text));
        else
            say_error("%s: skipped: %s", e->name, text(e->text));
        break;
    case TRANSFER_EVENT_LEFT_OUT:
        say_error("%s: left out: %s", e->name, text(e->text));
        break;
    case TRANSFER_EVENT_FAILED:
        say_failed(v, e);
        break;
    case TRANSFER_EVENT_BEGIN:
    case TRANSFER_EVENT_PROGRESS:
    case TRANSFER_EVENT_OVER:
        break;
    }
}

/* ---- events ---- */

void transfer_view_event(struct transfer_view *v, struct delivery *delivery,
                         const struct transfer_event *e)
{
    unsigned number = delivery_number(delivery);

    if (e->type != TRANSFER_EVENT_OFFER)
        progress_set(v->progress, number, e->done, e->octets, e->moved);
    if (e->type == TRANSFER_EVENT_OFFER || e->type == TRANSFER_EVENT_BEGIN ||
        e->type == TRANSFER_EVENT_RESUMED || e->type == TRANSFER_EVENT_RESTARTED)
        progress_name(v->progress, number, e->name);
    if (v->options.json)
        tell_json(v, delivery, e);
    if (e->type == TRANSFER_EVENT_PROGRESS)
        return;
    transfer_view_clear(v);
    say_event(v, delivery_peer(delivery), e);
}

void transfer_view_over(struct transfer_view *v, struct delivery *delivery,
                        const struct transfer_event *e, int status, const char *why)
{
    char amount[AMOUNT_TEXT];

    amount_octets(amount, e->moved);
    progress_drop(v->progress, delivery_number(delivery));
    transfer_view_clear(v);
    if (e->end == TRANSFER_END_DONE)
        say(v->options.level,
            text_of("%s: %" PRIu32 " file kept, %s moved", "%s: %" PRIu32 " files kept, %s moved",
                    e->kept),
            delivery_peer(delivery), e->kept, amount);
    if (!v->options.json)
        return;
    begin_json(v, delivery, e);
    json_number(&v->json, "status", (uint64_t)status);
    json_number(&v->json, "kept", e->kept);
    json_number(&v->json, "skipped", e->skipped);
    json_number(&v->json, "failed", (uint64_t)e->failed_here + e->failed_there);
    json_number(&v->json, "left_out", e->left_out);
    add_progress(v, e);
    json_string(&v->json, "text", why);
    write_json(v);
}

int transfer_view_error(const struct transfer_view *v)
{
    return v->error;
}

/* ---- life ---- */

struct transfer_view *transfer_view_new(struct loop *loop,
                                        const struct transfer_view_options *options)
{
    struct transfer_view *v = calloc(1, sizeof *v);

    struct progress *progress = progress_new();

    if (v == NULL || progress == NULL || uv_timer_init(&loop->uv, &v->timer) != 0) {
        progress_free(progress);
        free(v);
        return NULL;
    }
    v->progress = progress;
    v->loop = loop;
    v->options = *options;
    v->timer.data = v;
    bool bar = options->level != SAY_QUIET && !options->json && isatty(STDERR_FILENO);
    if (bar)
        (void)uv_timer_start(&v->timer, on_timer, PROGRESS_MS, PROGRESS_MS);
    return v;
}

static void timer_closed(uv_handle_t *handle)
{
    struct transfer_view *v = handle->data;

    progress_free(v->progress);
    free(v);
}

void transfer_view_free(struct transfer_view *v)
{
    if (v == NULL || v->closing)
        return;
    v->closing = true;
    transfer_view_clear(v);
    uv_close((uv_handle_t *)&v->timer, timer_closed);
}
