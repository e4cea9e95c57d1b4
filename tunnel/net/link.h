/* A channel on a socket: libusi's octets in and out, its clock, back-pressure and an
 * orderly end. */
#ifndef USI_NET_LINK_H
#define USI_NET_LINK_H

#include "net/net.h"
#include "net/sock.h"
#include "net/writer.h"

struct link;
struct gate;

enum link_side { LINK_CONNECTOR, LINK_LISTENER };

/* Why a link has ended. */
enum link_cause {
    LINK_CLEAN,    /* between streams, as agreed */
    LINK_REFUSED,  /* closed before it was authenticated, by the peer */
    LINK_SILENT,   /* not authenticated in time */
    LINK_FOREIGN,  /* the peer's first octets are not USI's, or not by a holder of the key; error
                      says which */
    LINK_CUT,      /* closed or reset by the peer or the network in the middle */
    LINK_BROKEN,   /* an authenticated peer's records do not hold; error says how */
    LINK_ABORTED,  /* the peer gave up; reason says why */
    LINK_GAVE_UP,  /* we did; reason says why */
    LINK_IDLE,     /* nothing moved for net->idle_ms */
    LINK_UNWANTED, /* this side did not accept the peer's identity */
    LINK_UNKEPT,   /* it would have, but could not remember it */
    LINK_WORDLESS  /* no password is shown any more: too many were wrong */
};

struct link_end {
    enum usi_mode mode; /* in which it was, or should have been, authenticated; may be 0 */
    bool identified;    /* identity mode: the peer has proved its identity */
    bool guessed;       /* closed after a password was shown and not confirmed */
    enum link_cause cause;
    int error; /* enum usi_error, or a negative libuv error for LINK_CUT and LINK_REFUSED; may be 0
                */
    uint8_t reason; /* enum usi_reason */
};

/* Called from the loop; any may end the link by link_abort, link_cut or link_finish. Those that an
 * owner has no use for are NULL, except `closed`. */
struct link_handler {
    /* Listener: a bit, 1 << enum usi_service, for each service that it does; 0: pipes only. Others
     * are refused before `opened`. */
    unsigned services;
    void (*identified)(void *owner); /* listener: an identity is proved; its user is asked next */
    void (*authenticated)(void *owner);
    void (*opened)(void *owner);  /* listener: a stream begins */
    void (*checked)(void *owner); /* listener: --check; connector: its answer */
    /* Octets of the stream, in block; hold the block or put it to a writer to keep them. */
    void (*data)(void *owner, struct block *block, const uint8_t *at, size_t size);
    /* A service record, its content in block. */
    void (*record)(void *owner, uint8_t type, struct block *block, const uint8_t *at, size_t size);
    void (*data_done)(void *owner);            /* no more data and records for now: flush */
    void (*ended)(void *owner);                /* the peer's direction is complete */
    void (*bye)(void *owner);                  /* it has written ours out */
    void (*answered)(void *owner, int answer); /* to link_ask */
    void (*writable)(void *owner); /* after link_send answered false, or the room was 0: go on */
    /* For the idle timeout: a number that changes with every octet of the stream that moves on
     * locally. */
    uint64_t (*moved)(void *owner);
    /* The last call: the link is freed when it returns. */
    void (*closed)(void *owner, const struct link_end *end);
};

/* Takes sock over (also on failure, when it is closed). NULL when out of memory or libcrypto fails.
 * The handshake begins with link_start. */
struct link *link_new(const struct net *net, struct sock *sock, enum link_side side,
                      const struct link_handler *handler, void *owner);

/* Its handshake counts in gate, which outlives it, until it is over; NULL: nowhere. May cut another
 * link of the gate. */
void link_start(struct link *link, struct gate *gate);

/* Whose calls the handler's are from now on. */
void link_set_handler(struct link *link, const struct link_handler *handler, void *owner);

/* The channel, to look at and to open, end, ...; link_flush then sends what that made. */
struct usi_channel *link_channel(struct link *link);
void link_flush(struct link *link);

/* Data that may go now, or content of one service record; 0: wait for `writable`. */
size_t link_room(const struct link *link);

/* Seals and sends octets, at most link_room(). False: enough for now, wait for `writable`. */
bool link_send(struct link *link, const uint8_t *octets, size_t size);

/* The same for one service record, of at most link_room() and USI_RECORD_DATA octets of content. */
bool link_record(struct link *link, uint8_t type, const uint8_t *content, size_t size);

/* Stops taking octets from the peer, and goes on. Paused or not, a link that is closed is told in
 * the end. */
void link_pause(struct link *link);

/* The same, while the peer waits for its turn: no idle time is counted until link_resume. */
void link_wait(struct link *link);
void link_resume(struct link *link);

/* Has the peer closed or reset the connection, though nobody reads? Asks the socket. */
bool link_has_gone(const struct link *link);

/* An answer is due within ms (0: whenever); else the link ends as LINK_SILENT. */
void link_expect(struct link *link, uint64_t ms);

/* Between streams: sends what waits, then end of file, waits for the peer's (at most drain_ms),
 * closes. */
void link_finish(struct link *link);

/* Gives the stream up: tells the peer why, then closes like link_finish, reading nothing more. */
void link_abort(struct link *link, enum usi_reason reason);

/* Closes at once. end.cause is what `closed` will be told. */
void link_cut(struct link *link, enum link_cause cause);

/* Identity mode: the answers of a judge, once for each link it was asked about. */
void link_accept(struct link *link);
void link_refuse(struct link *link, enum link_cause cause);

/* Instead of an answer, once, on a connector with net->stretch: asks the listener the password
 * question first. The judge is asked again when link_answer knows. */
void link_question(struct link *link);

/* Asks it of a listener that is accepted; `answered` gets what link_answer then is. False: not
 * possible: no identity mode, no net->stretch, a question is open, or there were too many. */
bool link_ask(struct link *link);

/* Is that wanted (net->ask_password), and not done yet? */
bool link_should_question(const struct link *link);

/* What the listener answered to the password question: -1 it was not asked, 0 it knows the
 * password, 1 it does not, 2 it has none or allows no more tries. */
int link_answer(const struct link *link);

enum link_side link_side_of(const struct link *link);

/* Milliseconds since link_start. */
uint64_t link_age(const struct link *link);

const char *link_peer(const struct link *link);
uint64_t link_source(const struct link *link); /* as sock_source says */

/* A line for messages: what a link_end means. LINK_END_TEXT octets hold any. */
enum { LINK_END_TEXT = 320 };
void link_end_text(const struct link_end *end, char *line, size_t size);

#endif
