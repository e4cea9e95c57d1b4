/* What every connection of a program shares, and how it tells what happens. */
#ifndef USI_NET_NET_H
#define USI_NET_NET_H

#include "net/judge.h"
#include "net/loop.h"
#include "net/stretch.h"
#include "usi/channel.h"

/* What can happen, as one typed stream: messages, logs and counters are sinks of it. */
enum report_type {
    REPORT_LISTENING,        /* where: text */
    REPORT_CONNECTED,        /* peer; the connector has sent its challenge and knock */
    REPORT_ACCEPTED,         /* peer */
    REPORT_KNOCK,            /* peer; the listener has checked the knock and sent its challenge */
    REPORT_AUTHENTICATED,    /* peer, number: key bits; text: "connector" or "listener", the peer's
                                side */
    REPORT_HANDSHAKE_FAILED, /* peer, text: why */
    REPORT_REKEYED,          /* peer, number: how many so far */
    REPORT_ENDED,            /* peer, text: why, sent, received: a channel that was authenticated */
    REPORT_STREAM_FAILED,    /* peer or target, text: one stream of many failed */
    REPORT_TRY,              /* peer, number: how often the password was wrong so far; text: what
                                this try was */
    REPORT_ASKED,            /* peer, number: what a password question's answer was, as in
                                USI_EVENT_ASKED */
    REPORT_UNDONE,           /* text, which names the peer: what one transfer has left undone */
    REPORT_WARNING           /* text */
};

struct report {
    enum report_type type;
    const char *peer; /* or where */
    const char *text;
    uint64_t number, sent, received;
    enum usi_mode mode; /* of REPORT_CONNECTED, _KNOCK, _AUTHENTICATED, _HANDSHAKE_FAILED; or 0 */
};

struct reporter {
    void (*report)(void *sink, const struct report *report);
    void *sink;
};

/* Set up once, then read only; one loop's. Times are in ms; 0 means never. */
struct net {
    struct loop *loop;
    const struct usi_crypto *crypto;
    struct usi_keyring *ring;
    struct usi_settings settings; /* a witness's subject is the struct link */
    unsigned loops;               /* that share what this process may use, this one included */
    uint64_t handshake_ms, idle_ms, drain_ms;
    const struct judge *judge; /* identity mode: who decides; NULL: everybody is refused */
    uint64_t ask_ms;           /* how long a user may take; 0: for ever */
    struct stretch *stretch;   /* a connector's password; NULL: none */
    bool ask_password;         /* connector, identity mode: the judge is to ask the question */
    struct reporter reporter;
};

static inline void net_report(const struct net *net, struct report report)
{
    net->reporter.report(net->reporter.sink, &report);
}

#endif
