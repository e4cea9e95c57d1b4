#include "cli/report.h"

#include "cli/say.h"
#include "text/text.h"

#include <inttypes.h>
#include <string.h>

/* The two sides' words for what each mode does. */
static void say_authenticated(enum say_level level, const struct report *r)
{
    bool listener = strcmp(r->text, "listener") == 0;

    switch (r->mode) {
    case USI_MODE_IDENTITY:
        say_more(level,
                 listener ? TEXT("%s: its identity is proved; sent the proof of ours")
                          : TEXT("%s: its identity is proved"),
                 r->peer);
        break;
    case USI_MODE_PASSWORD:
        say_more(level, "%s: authenticated: it knows the password", r->peer);
        break;
    default:
        say_more(level,
                 listener ? TEXT("%s: authenticated: its challenge is under the key; Kc agreed, "
                                 "sent response (SRES)")
                          : TEXT("%s: authenticated: the response (SRES) is right; Kc agreed"),
                 r->peer);
        break;
    }
    say_more(level, "%s: channel open, AES-%" PRIu64 "-OCB", r->peer, r->number);
}

static const char *connected_text(enum usi_mode mode)
{
    return mode == USI_MODE_IDENTITY   ? text("connected; asked for its identity")
           : mode == USI_MODE_PASSWORD ? text("connected; asked for the salt of its password")
                                       : text("connected; sent challenge (RAND) and knock");
}

static const char *knock_text(enum usi_mode mode)
{
    return mode == USI_MODE_IDENTITY   ? text("sent our identity")
           : mode == USI_MODE_PASSWORD ? text("its try of the password is right")
                                       : text("the knock is right; sent challenge (RAND)");
}

static void say_asked(enum say_level level, const struct report *r)
{
    if (r->number == 0)
        say_more(level, "%s: asked whether we know the password, and knows it too", r->peer);
    else if (r->number == 1)
        say(level, "%s: asked whether we know the password, and does not know it", r->peer);
    else
        say(level, "%s: asked for a password, and there is none or no more tries", r->peer);
}

void report_say(void *sink, const struct report *r)
{
    const enum say_level *shared = sink;
    enum say_level level = *shared;

    switch (r->type) {
    case REPORT_LISTENING:
        say(level, "listening on %s", r->peer);
        break;
    case REPORT_CONNECTED:
        say_more(level, "%s: %s", r->peer, connected_text(r->mode));
        break;
    case REPORT_ACCEPTED:
        say_more(level, "%s: connection", r->peer);
        break;
    case REPORT_KNOCK:
        say_more(level, "%s: %s", r->peer, knock_text(r->mode));
        break;
    case REPORT_AUTHENTICATED:
        say_authenticated(level, r);
        break;
    case REPORT_HANDSHAKE_FAILED:
        say_more(level, "%s: handshake failed: %s", r->peer, r->text);
        break;
    case REPORT_REKEYED:
        say_more(level, "rekeyed %" PRIu64 " with %s", r->number, r->peer);
        break;
    case REPORT_ENDED:
        say_more(level, "%s: %s; sent %" PRIu64 " and received %" PRIu64 " octets", r->peer,
                 r->text, r->sent, r->received);
        break;
    case REPORT_STREAM_FAILED:
        say(level, "a stream failed: %s: %s", r->peer, r->text);
        break;
    case REPORT_UNDONE:
        say(level, "%s", r->text);
        break;
    case REPORT_TRY:
        say(level, "%s: a try of the password failed, %" PRIu64 " so far: %s", r->peer, r->number,
            r->text);
        break;
    case REPORT_ASKED:
        say_asked(level, r);
        break;
    case REPORT_WARNING:
        say(level, "warning: %s: %s", r->peer, r->text);
        break;
    }
}
