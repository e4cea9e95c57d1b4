#include "net/relay.h"

#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct relay {
    struct link *link;
    struct local *local;
    struct relay_options options;
    relay_over *over;
    void *owner;

    bool going;      /* relay_go was called */
    bool end_called; /* our direction's end was given to the channel */
    bool peer_ended;
    bool output_ended; /* all of the peer's direction is out */
    bool bye_called;
    bool finished;
    uint64_t sent, received;

    enum relay_result result; /* what `over` will be told when the link has closed */
    char *text;               /* with it: why we gave up; NULL: we did not, or lack memory */
};

static void link_closed(void *owner, const struct link_end *end);
static void end_output_if_done(struct relay *r);

/* ---- the end ---- */

/* Everything is done: tell it, once. The link lives on. */
static void finish_if_done(struct relay *r)
{
    if (r->finished || !r->bye_called || !usi_channel_idle(link_channel(r->link)))
        return;
    r->finished = true;
    local_disown(r->local);
    r->over(r->owner, RELAY_DONE, "");
    free(r->text);
    free(r);
}

/* The local end has failed: the peer is told, then the link closes, then `over` is. */
static void give_up(struct relay *r, enum usi_reason reason, const char *why)
{
    if (r->result != RELAY_CUT)
        return; /* the first cause counts */
    r->result = RELAY_LOCAL;
    r->text = strdup(why);
    reader_stop(local_reader(r->local));
    link_abort(r->link, reason);
}

static void cannot_read(struct relay *r, int error)
{
    char why[LINK_END_TEXT];

    (void)snprintf(why, sizeof why, text("cannot read from %s: %s"), local_input_name(r->local),
                   text(uv_strerror(error)));
    give_up(r, USI_REASON_LOCAL_IO, why);
}

static void cannot_write(struct relay *r, int error)
{
    char why[LINK_END_TEXT];

    (void)snprintf(why, sizeof why, text("cannot write to %s: %s"), local_output_name(r->local),
                   text(uv_strerror(error)));
    give_up(r, USI_REASON_LOCAL_IO, why);
}

static void cannot_finish(struct relay *r, int error)
{
    char why[LINK_END_TEXT];

    (void)snprintf(why, sizeof why, text("cannot finish %s: %s"), local_output_name(r->local),
                   text(uv_strerror(error)));
    give_up(r, USI_REASON_LOCAL_IO, why);
}

void relay_abort(struct relay *r, enum usi_reason reason, const char *why)
{
    give_up(r, reason, why);
}

static bool given_up(const struct relay *r)
{
    return r->result != RELAY_CUT;
}

/* ---- from the local end to the link ---- */

static void call_end(struct relay *r)
{
    if (r->end_called)
        return;
    r->end_called = true;
    /* A channel that has just failed takes none, and the link's last call says why it did. */
    (void)usi_channel_end(link_channel(r->link));
}

/* `bye` follows when both directions have ended and all is written out. */
static void call_bye_if_done(struct relay *r)
{
    if (given_up(r))
        return;
    if (!r->bye_called && r->end_called && r->output_ended)
        r->bye_called = usi_channel_bye(link_channel(r->link)) == 0;
    link_flush(r->link);
    finish_if_done(r);
}

static size_t reader_room(void *owner)
{
    struct relay *r = owner;

    return given_up(r) ? 0 : link_room(r->link);
}

static void reader_data(void *owner, const uint8_t *octets, size_t size)
{
    struct relay *r = owner;

    r->sent += size;
    if (!link_send(r->link, octets, size))
        reader_stop(local_reader(r->local));
}

static void reader_ended(void *owner, int error)
{
    struct relay *r = owner;

    if (error != 0) {
        cannot_read(r, error);
        return;
    }
    call_end(r);
    call_bye_if_done(r);
}

static const struct reader_handler reader_handler = {reader_room, reader_data, reader_ended};

static void writable(void *owner)
{
    struct relay *r = owner;

    if (r->going && !r->end_called && !given_up(r) && link_room(r->link) > 0) {
        if (reader_over(local_reader(r->local)))
            reader_ended(r, 0); /* at its end already, told to an earlier stream */
        else
            reader_start(local_reader(r->local));
        return;
    }
    call_bye_if_done(r);
}

void relay_go(struct relay *r)
{
    r->going = true;
    if (r->options.recv_only)
        call_end(r);
    if (writer_flush(local_writer(r->local)) != 0)
        cannot_write(r, local_writer(r->local)->error);
    end_output_if_done(r);
    if (writer_full(local_writer(r->local)))
        link_pause(r->link);
    else
        link_resume(r->link);
    link_flush(r->link);
    writable(r);
}

/* ---- from the link to the local end ---- */

static void take_data(void *owner, struct block *block, const uint8_t *at, size_t size)
{
    struct relay *r = owner;

    if (given_up(r))
        return;
    if (r->options.send_only) {
        give_up(r, USI_REASON_NOT_WANTED, text("the peer sent data, and --send-only takes none"));
        return;
    }
    r->received += size;
    int result = writer_put(local_writer(r->local), block, at, size);
    if (result != 0)
        cannot_write(r, result);
}

/* Everything the peer sent is out: its end of file too. */
static void end_output_if_done(struct relay *r)
{
    if (!r->peer_ended || r->output_ended || writer_busy(local_writer(r->local)) || !r->going)
        return;
    r->output_ended = true;
    int result = local_end_output(r->local, r->options.keep_output);
    if (result != 0)
        cannot_finish(r, result);
}

static void flush_output(struct relay *r)
{
    struct writer *writer = local_writer(r->local);

    if (given_up(r))
        return;
    int result = writer_flush(writer);
    if (result != 0) {
        cannot_write(r, result);
        return;
    }
    end_output_if_done(r);
    if (!given_up(r) && writer_full(writer))
        link_pause(r->link);
}

static void take_data_done(void *owner)
{
    flush_output(owner);
}

static void output_changed(void *owner)
{
    struct relay *r = owner;
    struct writer *writer = local_writer(r->local);

    if (given_up(r))
        return;
    if (writer->error != 0) {
        cannot_write(r, writer->error);
        return;
    }
    end_output_if_done(r);
    if (given_up(r))
        return;
    if (!writer_full(writer))
        link_resume(r->link);
    if (r->output_ended)
        call_bye_if_done(r);
}

static void peer_ended(void *owner)
{
    struct relay *r = owner;

    r->peer_ended = true;
    if (local_is_terminal(r->local) && !r->end_called && !given_up(r)) {
        reader_stop(local_reader(r->local)); /* nobody will type the end of it */
        call_end(r);
    }
    flush_output(r);
    if (r->output_ended)
        call_bye_if_done(r);
}

static void peer_said_bye(void *owner)
{
    finish_if_done(owner);
}

static uint64_t moved(void *owner)
{
    const struct relay *r = owner;

    return writer_moved(local_writer(r->local));
}

/* Of a stream under way there is nothing of the kind. */
static void no_event(void *owner)
{
    (void)owner;
}

static const struct link_handler link_handler = {
    .identified = no_event,
    .authenticated = no_event,
    .opened = no_event,
    .checked = no_event,
    .data = take_data,
    .data_done = take_data_done,
    .ended = peer_ended,
    .bye = peer_said_bye,
    .writable = writable,
    .moved = moved,
    .closed = link_closed,
};

static void link_closed(void *owner, const struct link_end *end)
{
    struct relay *r = owner;
    char line[LINK_END_TEXT];
    const char *why = r->text != NULL ? r->text : text("the local end failed, and memory too");
    enum relay_result result = r->result;

    local_disown(r->local);
    if (!given_up(r)) {
        link_end_text(end, line, sizeof line);
        why = line;
        result = end->cause == LINK_ABORTED   ? RELAY_FAR
                 : end->cause == LINK_REFUSED ? RELAY_REFUSED
                                              : RELAY_CUT;
    }
    r->over(r->owner, result, why);
    free(r->text);
    free(r);
}

/* ---- beginning ---- */

struct relay *relay_new(struct link *link, struct local *local, const struct relay_options *options,
                        relay_over *over, void *owner)
{
    struct relay *r = calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->link = link;
    r->local = local;
    r->options = *options;
    r->over = over;
    r->owner = owner;
    r->result = RELAY_CUT;
    reader_hand_over(local_reader(local), &reader_handler, r);
    local_set_writer_owner(local, output_changed, r);
    link_set_handler(link, &link_handler, r);
    return r;
}

void relay_counts(const struct relay *r, uint64_t *sent, uint64_t *received)
{
    *sent = r->sent;
    *received = r->received;
}
