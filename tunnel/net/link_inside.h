/* The inside of a link, shared by link.c (its life and what it sends), link_take.c (what it takes
 * in) and link_hold.c (what it waits for besides the peer). The contract is in link.h. */
#ifndef USI_NET_LINK_INSIDE_H
#define USI_NET_LINK_INSIDE_H

#include "net/gate.h"
#include "net/link.h"

enum link_state {
    STARTING,  /* made, nothing moved yet */
    UP,        /* handshake or later */
    FINISHING, /* nothing but what waits goes out, and what comes in is dropped, until the peer's
                  end */
    CLOSING    /* handles are closing */
};

/* One allocation with the texts behind it: there may be thousands that are idle, and what only some
 * need, or only for a while, is made when they do. */
struct link {
    const struct net *net;
    struct sock *sock;
    struct usi_channel *channel;
    const struct link_handler *handler;
    void *owner;
    struct link_end end;
    enum link_side side;
    enum link_state state;

    bool authenticated;           /* and, in identity mode, accepted */
    bool held;                    /* identity mode: the judge has not answered yet */
    bool judged;                  /* the judge was asked, and did not answer yet */
    bool open_waits, check_waits; /* came while the link was held */
    bool questioned;              /* listener: a password question is open */
    bool paused;                  /* by link_pause */
    bool waiting;                 /* by link_wait */
    bool reading;                 /* uv_read_start is in force */
    bool shut;                    /* end of file was sent */
    bool resting;                 /* usi_channel_rest was called since */
    int answer;                   /* of the password question */
    unsigned open_handles;
    struct stretch_wait *stretching; /* NULL: no password was ever needed, or no longer is */

    struct writer out;
    uv_timer_t timer;
    uint64_t started;
    uint64_t handshake_by, finish_by; /* ms of the loop's clock; UINT64_MAX: not now */
    uint64_t behind_question;         /* handshake_by before a question was open */
    uint64_t used_at;                 /* when records passed last */
    uint64_t active_at, moved;        /* when something moved last, and how much had by then */

    struct block *in; /* where data is opened to; NULL while none is half way in */
    struct usi_buffer to;
    size_t told; /* of to.used: what the owner has */

    uint64_t source;
    struct gate *gate;     /* NULL: its handshake counts nowhere, or is over */
    enum gate_stage stage; /* there */

    char peer[];
};

/* One of the handler's calls, if the owner has it. */
static inline void link_call(struct link *l, void (*call)(void *owner))
{
    if (call != NULL)
        call(l->owner);
}

static inline uint64_t link_now(const struct link *l)
{
    return uv_now(&l->net->loop->uv);
}

/* ---- link.c ---- */

void link_close_with(struct link *l, struct link_end end);
void link_close_because(struct link *l, enum link_cause cause, int error);
/* Records pass: a link at rest is no longer. */
void link_use(struct link *l);
/* Sets the timer for what is due next. */
void link_arm(struct link *l);
/* Tells an owner that waits to go on. */
void link_feed(struct link *l);
/* Its handshake has come to a stage, if it was not there before; or it is over. */
void link_reach(struct link *l, enum gate_stage stage);
void link_leave_gate(struct link *l);
/* Nothing but what waits goes out any more; the end is known. */
void link_finish_now(struct link *l);

/* ---- link_take.c ---- */

/* The peer is the one: its owner may go on. */
void link_tell_authenticated(struct link *l);
/* Reads if that is wanted now, else not. */
void link_read_or_not(struct link *l);

/* ---- link_hold.c ---- */

/* The peer has proved an identity; whether it is welcome is another matter. */
void link_hold(struct link *l);
/* What became of the password that was stretched, if any was. */
void link_stretch_over(struct link *l, enum stretch_result result);
/* USI_EVENT_SALT, _ANSWER, _OPEN and _CHECK. */
void link_stretch(struct link *l);
void link_take_answer(struct link *l, uint8_t answer);
void link_tell_open(struct link *l);
void link_tell_check(struct link *l);
/* Tells what came while the link was held, unless its owner lets the peer wait. */
void link_tell_waiting(struct link *l);
/* A listener does not wait for ever for the next step of a password question. */
void link_watch_question(struct link *l);
/* The link closes: nobody else needs to think of it any more. */
void link_leave_others(struct link *l);

#endif
