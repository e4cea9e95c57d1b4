#include "cli/report.h"

#include "cli/say.h"

#include <inttypes.h>
#include <string.h>

void report_say(void *sink, const struct report *r)
{
    const enum say_level *shared = sink;
    enum say_level level = *shared;

    switch (r->type) {
    case REPORT_LISTENING:
        say(level, "listening on %s", r->peer);
        break;
    case REPORT_CONNECTED:
        say_more(level, "%s: connected; sent challenge (RAND) and knock", r->peer);
        break;
    case REPORT_ACCEPTED:
        say_more(level, "%s: connection", r->peer);
        break;
    case REPORT_KNOCK:
        say_more(level, "%s: the knock is right; sent challenge (RAND)", r->peer);
        break;
    case REPORT_AUTHENTICATED:
        if (strcmp(r->text, "listener") == 0)
            say_more(level,
                     "%s: authenticated: its challenge is under the key; Kc agreed, sent response "
                     "(SRES)",
                     r->peer);
        else
            say_more(level, "%s: authenticated: the response (SRES) is right; Kc agreed", r->peer);
        say_more(level, "%s: channel open, AES-%" PRIu64 "-OCB", r->peer, r->number);
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
    case REPORT_WARNING:
        say(level, "warning: %s: %s", r->peer, r->text);
        break;
    }
}
