#include "cli/transfer_view.h"

#include "apps/transfer_records.h"
#include "cli/transfer_json.h"
#include "text/text.h"
#include "text/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    REDRAW_MS = 200,
    WIDTH = 80, /* of a terminal that does not say it */
    WIDTH_MAX = 200,
    FILES_MAX = 64,  /* deliveries at a time that are shown */
    RATE_WINDOW = 16 /* looks, REDRAW_MS apart, that the rate is taken over */
};

/* A delivery as the bar knows it. */
struct shown {
    bool used, moving; /* moving: the user has said yes */
    unsigned number;
    uint64_t done, octets, moved;
    uint64_t told_ms; /* JSON: when progress was told last */
    char name[TRANSFER_OFFER_NAME + 1];
};

struct transfer_view {
    struct loop *loop;
    struct transfer_view_options options;
    bool drawn, held;
    bool closing;
    int error; /* of standard output */
    uv_timer_t timer;
    uint64_t moved_at[RATE_WINDOW]; /* octets moved by all, at the latest looks */
    unsigned looks;
    uint64_t moved_before; /* by deliveries that are over */
    struct shown shown[FILES_MAX];
    struct json_line json;
};

/* ---- amounts ---- */

void transfer_view_amount(char *text, uint64_t octets)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)octets;
    int unit = -1;

    for (; value >= 1023.95 && unit + 1 < (int)(sizeof units / sizeof units[0]); unit++)
        value /= 1024;
    if (unit < 0)
        (void)snprintf(text, TRANSFER_VIEW_AMOUNT, "%" PRIu64 " B", octets);
    else
        (void)snprintf(text, TRANSFER_VIEW_AMOUNT, "%.1f %s", value, units[unit]);
}

void transfer_view_files(char *line, uint64_t files)
{
    (void)snprintf(line, TRANSFER_VIEW_AMOUNT,
                   text_of("%" PRIu64 " file", "%" PRIu64 " files", files), files);
}

void transfer_view_folders(char *line, uint64_t folders)
{
    (void)snprintf(line, TRANSFER_VIEW_AMOUNT,
                   text_of("%" PRIu64 " folder", "%" PRIu64 " folders", folders), folders);
}

static void duration(char *text, size_t size, uint64_t seconds)
{
    if (seconds < 3600)
        (void)snprintf(text, size, "%u:%02u", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
    else if (seconds < 360000)
        (void)snprintf(text, size, "%u:%02u:%02u", (unsigned)(seconds / 3600),
                       (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
    else
        (void)snprintf(text, size, "--");
}

/* ---- the bar ---- */

static struct shown *find(struct transfer_view *v, unsigned number)
{
    struct shown *empty = NULL;

    for (size_t i = 0; i < FILES_MAX; i++) {
        if (v->shown[i].used && v->shown[i].number == number)
            return &v->shown[i];
        if (!v->shown[i].used && empty == NULL)
            empty = &v->shown[i];
    }
    if (empty != NULL)
        *empty = (struct shown){.used = true, .number = number};
    return empty;
}

static size_t width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return WIDTH;
    return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

/* As much of a name as fits `columns`; what is not ASCII may be two wide. */
static size_t name_that_fits(char *to, const char *name, size_t columns)
{
    char shown[SAY_ESCAPED * TRANSFER_OFFER_NAME + 1];
    size_t size = say_escape(shown, name, strnlen(name, TRANSFER_OFFER_NAME)), at = 0, wide = 0;

    while (at < size) {
        uint32_t point;
        size_t n = utf8_decode(shown + at, size - at, &point);
        wide += point < 0x80 ? 1 : 2;
        if (n == 0 || wide > columns)
            break;
        at += n;
    }
    memcpy(to, shown, at);
    return at;
}

/* Octets a second over the last few looks. */
static uint64_t rate(struct transfer_view *v, uint64_t moved)
{
    unsigned back = v->looks < RATE_WINDOW ? v->looks : RATE_WINDOW;
    uint64_t then = back > 0 ? v->moved_at[(v->looks - back) % RATE_WINDOW] : moved;

    v->moved_at[v->looks++ % RATE_WINDOW] = moved;
    return back > 0 && moved > then ? (moved - then) * 1000 / ((uint64_t)back * REDRAW_MS) : 0;
}

/* All deliveries together. */
static struct shown sum(const struct transfer_view *v, unsigned *count)
{
    struct shown all = {.moved = v->moved_before};

    *count = 0;
    for (size_t i = 0; i < FILES_MAX; i++) {
        const struct shown *s = &v->shown[i];
        if (!s->used || !s->moving)
            continue;
        if (++*count == 1)
            memcpy(all.name, s->name, sizeof all.name);
        all.done += s->done;
        all.octets += s->octets;
        all.moved += s->moved;
    }
    if (*count > 1)
        (void)snprintf(all.name, sizeof all.name, text("%u peers"), *count);
    return all;
}

static void draw(struct transfer_view *v)
{
    char line[SAY_ESCAPED * TRANSFER_OFFER_NAME + 512], facts[160], left[32] = "--";
    char done[TRANSFER_VIEW_AMOUNT], octets[TRANSFER_VIEW_AMOUNT], speed[TRANSFER_VIEW_AMOUNT];
    unsigned count, percent;
    struct shown all = sum(v, &count);
    uint64_t per_second = rate(v, all.moved), rest = all.octets - all.done;
    size_t columns = width(), used;

    if (count == 0)
        return;
    if (all.done > all.octets)
        rest = 0;
    percent =
        all.octets > 0 ? (unsigned)((double)(all.octets - rest) * 100 / (double)all.octets) : 100;
    if (per_second > 0)
        duration(left, sizeof left, rest / per_second);
    transfer_view_amount(done, all.done);
    transfer_view_amount(octets, all.octets);
    transfer_view_amount(speed, per_second);
    int n = snprintf(facts, sizeof facts, text(" %3u%%  %s of %s  %s/s  %s left"), percent, done,
                     octets, speed, left);
    size_t size = n > 0 && (size_t)n < sizeof facts ? (size_t)n : 0;
    memcpy(line, "\r\033[K", 4);
    used = 4 + name_that_fits(line + 4, all.name, columns > size + 1 ? columns - size - 1 : 0);
    memcpy(line + used, facts, size);
    v->drawn = write(STDERR_FILENO, line, used + size) > 0; /* a display, nothing more */
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
                      const struct transfer_event *e, struct shown *shown)
{
    uint64_t now = uv_now(&v->loop->uv);

    if (e->type == TRANSFER_EVENT_PROGRESS) {
        if (shown == NULL || (shown->told_ms != 0 && now - shown->told_ms < REDRAW_MS))
            return;
        shown->told_ms = now;
    }
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
    char amount[TRANSFER_VIEW_AMOUNT], files[TRANSFER_VIEW_AMOUNT], folders[TRANSFER_VIEW_AMOUNT];

    transfer_view_amount(amount, e->octets);
    transfer_view_files(files, e->files);
    transfer_view_folders(folders, e->folders);
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
    char there[TRANSFER_VIEW_AMOUNT];

    transfer_view_amount(there, e->offset);
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
    struct shown *shown = find(v, delivery_number(delivery));

    if (shown != NULL) {
        shown->done = e->done;
        shown->octets = e->octets;
        shown->moved = e->moved;
        shown->moving = e->type != TRANSFER_EVENT_OFFER;
        if (e->type == TRANSFER_EVENT_OFFER || e->type == TRANSFER_EVENT_BEGIN ||
            e->type == TRANSFER_EVENT_RESUMED || e->type == TRANSFER_EVENT_RESTARTED)
            (void)snprintf(shown->name, sizeof shown->name, "%s", e->name);
    }
    if (v->options.json)
        tell_json(v, delivery, e, shown);
    if (e->type == TRANSFER_EVENT_PROGRESS)
        return;
    transfer_view_clear(v);
    say_event(v, delivery_peer(delivery), e);
}

void transfer_view_over(struct transfer_view *v, struct delivery *delivery,
                        const struct transfer_event *e, int status, const char *why)
{
    struct shown *shown = find(v, delivery_number(delivery));
    char amount[TRANSFER_VIEW_AMOUNT];

    transfer_view_amount(amount, e->moved);
    v->moved_before += e->moved;
    if (shown != NULL)
        shown->used = false;
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

    if (v == NULL || uv_timer_init(&loop->uv, &v->timer) != 0) {
        free(v);
        return NULL;
    }
    v->loop = loop;
    v->options = *options;
    v->timer.data = v;
    bool bar = options->level != SAY_QUIET && !options->json && isatty(STDERR_FILENO);
    if (bar)
        (void)uv_timer_start(&v->timer, on_timer, REDRAW_MS, REDRAW_MS);
    return v;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void transfer_view_free(struct transfer_view *v)
{
    if (v == NULL || v->closing)
        return;
    v->closing = true;
    transfer_view_clear(v);
    uv_close((uv_handle_t *)&v->timer, timer_closed);
}
