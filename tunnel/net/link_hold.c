/* What a link waits for besides its peer: a password that is stretched, and a user's word on an
 * identity. */
#include "net/link.h"
#include "net/link_inside.h"

#include <poll.h>
#include <stdlib.h>

enum { LATE_PART = 8 }; /* of the time for a handshake */

/* Nobody else needs to think of this link any more: what its password was worth, and the judge. */
void link_leave_others(struct link *l)
{
    struct usi_counts counts;

    usi_channel_counts(l->channel, &counts);
    l->end.mode = counts.mode;
    l->end.guessed = usi_channel_guessed(l->channel);
    l->end.identified = usi_channel_peer(l->channel) != NULL;
    link_stretch_over(l, l->end.guessed ? STRETCH_WRONG : STRETCH_NEITHER);
    if (l->judged) {
        l->judged = false;
        l->net->judge->forget(l->net->judge->owner, l);
    }
}

static void ask_judge(struct link *l)
{
    l->handshake_by = UINT64_MAX;
    if (l->net->judge == NULL) {
        link_refuse(l, LINK_UNWANTED);
        return;
    }
    l->judged = true;
    l->net->judge->ask(l->net->judge->owner, l);
}

/* The peer has proved its identity; whether that is welcome is another matter. */
void link_hold(struct link *l)
{
    l->held = true;
    link_reach(l, GATE_IDENTIFIED);
    if (l->side == LINK_LISTENER)
        link_call(l, l->handler->identified);
    if (l->state == UP)
        ask_judge(l);
}

void link_question(struct link *l)
{
    l->judged = false;
    if (l->state != UP || !l->held)
        return;
    if (l->net->stretch == NULL || usi_channel_question(l->channel) != 0) {
        link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
        return;
    }
    link_expect(l, l->net->handshake_ms);
    link_flush(l);
}

bool link_ask(struct link *l)
{
    int result;

    if (l->state != UP || l->held || l->net->stretch == NULL)
        return false;
    result = usi_channel_question(l->channel);
    if (result != 0 && result != USI_ERR_ARGUMENT)
        link_close_because(l, LINK_BROKEN, result);
    link_flush(l);
    return result == 0;
}

bool link_should_question(const struct link *l)
{
    return l->side == LINK_CONNECTOR && l->net->ask_password && l->answer < 0;
}

void link_watch_question(struct link *l)
{
    bool open = usi_channel_questioned(l->channel);

    if (l->side != LINK_LISTENER || open == l->questioned)
        return;
    l->questioned = open;
    if (open) {
        l->behind_question = l->handshake_by;
        link_expect(l, l->net->handshake_ms);
    } else { /* what the owner expects is due as before */
        l->handshake_by = l->behind_question;
        link_arm(l);
    }
}

static void tell_opened(struct link *l)
{
    unsigned does = l->handler->services != 0 ? l->handler->services : 1U << USI_SERVICE_PIPE;
    unsigned service = usi_channel_service(l->channel);

    if (service <= USI_SERVICE_TAKE && (does >> service & 1) != 0)
        link_call(l, l->handler->opened);
    else
        link_abort(l, USI_REASON_NOT_SUPPORTED);
}

void link_tell_waiting(struct link *l)
{
    bool check = l->check_waits, open = l->open_waits;

    if (l->state != UP || l->held || l->paused)
        return;
    l->check_waits = false;
    l->open_waits = false;
    if (check)
        link_call(l, l->handler->checked);
    if (open && l->state == UP)
        tell_opened(l);
}

bool link_has_gone(const struct link *l)
{
    struct pollfd socket = {.events = POLLRDHUP};
    uv_os_fd_t fd;

    if (uv_fileno(&l->sock->uv.handle, &fd) != 0)
        return false;
    socket.fd = fd;
    return poll(&socket, 1, 0) > 0 && (socket.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void link_accept(struct link *l)
{
    l->judged = false;
    if (l->state != UP || !l->held)
        return;
    l->held = false;
    /* Nobody reads while an `open` waits for the user, who may take long. */
    if (l->open_waits && link_has_gone(l)) {
        link_close_because(l, LINK_REFUSED, 0);
        return;
    }
    if (usi_channel_accept(l->channel) != 0) {
        link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
        return;
    }
    l->active_at = link_now(l);
    link_tell_authenticated(l);
    link_tell_waiting(l);
    link_flush(l);
    link_read_or_not(l);
    link_arm(l);
    link_feed(l);
}

void link_refuse(struct link *l, enum link_cause cause)
{
    enum usi_reason reason = cause == LINK_UNKEPT ? USI_REASON_LOCAL_IO : USI_REASON_NOT_ACCEPTED;

    l->judged = false;
    if (l->state != UP || !l->held)
        return;
    l->held = false;
    if (usi_channel_abort(l->channel, (uint8_t)reason) != 0) {
        link_close_because(l, cause, 0);
        return;
    }
    l->end = (struct link_end){.cause = cause};
    link_finish_now(l);
}

int link_answer(const struct link *l)
{
    return l->answer;
}

enum link_side link_side_of(const struct link *l)
{
    return l->side;
}

void link_take_answer(struct link *l, uint8_t answer)
{
    l->answer = answer;
    link_stretch_over(l, answer == 0   ? STRETCH_RIGHT
                         : answer == 1 ? STRETCH_WRONG
                                       : STRETCH_NEITHER);
    if (l->held)
        ask_judge(l);
    else
        l->handler->answered(l->owner, answer);
}

/* Is there hardly time for an answer? After a wait in line behind a peer that stood there is not,
 * and a proof that stays without one counts as a guess that failed. */
static bool is_late(const struct link *l)
{
    return l->handshake_by != UINT64_MAX &&
           link_now(l) + l->net->handshake_ms / LATE_PART > l->handshake_by;
}

static void stretched(void *owner, const uint8_t *octets, int error)
{
    struct link *l = owner;

    if (octets == NULL) {
        link_close_because(l, error != 0 ? LINK_BROKEN : LINK_WORDLESS, error);
        return;
    }
    if (is_late(l)) {
        link_expect(l, 1); /* by the timer: closing serves the next in the line */
        return;
    }
    int result = usi_channel_stretched(l->channel, octets);
    if (result != 0)
        link_close_because(l, LINK_FOREIGN, result);
    else
        link_flush(l);
}

void link_stretch(struct link *l)
{
    if (l->stretching == NULL)
        l->stretching = calloc(1, sizeof *l->stretching);
    if (l->net->stretch == NULL || l->stretching == NULL) {
        link_close_because(l, LINK_BROKEN, USI_ERR_INTERNAL);
        return;
    }
    l->stretching->done = stretched;
    l->stretching->owner = l;
    stretch_start(l->net->stretch, l->stretching, usi_channel_salt(l->channel));
}

void link_stretch_over(struct link *l, enum stretch_result result)
{
    if (l->stretching != NULL)
        stretch_over(l->net->stretch, l->stretching, result);
}

/* While the link is held, an `open` waits for the judge, and what follows it stays where it is. */
void link_tell_open(struct link *l)
{
    if (!l->held) {
        tell_opened(l);
        return;
    }
    l->open_waits = true;
    link_read_or_not(l);
}

void link_tell_check(struct link *l)
{
    l->check_waits = l->held;
    if (!l->held)
        link_call(l, l->handler->checked);
}
