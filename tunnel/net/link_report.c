#include "net/link_report.h"

#include "text/text.h"

#include <stdio.h>

/* What may be the matter with a peer that closed without a word. */
static const char *refusal_hint(const struct link_end *end)
{
    if (end->guessed)
        return end->mode == USI_MODE_IDENTITY
                   ? text(", when it was to prove that it knows the password")
                   : text("; the password is wrong, or was used before");
    if (end->identified)
        return text("; it takes no RSA key (--accept-rsa), or was not answered by its user");
    switch (end->mode) {
    case USI_MODE_KEY:
        return text("; is the key (and --name) the same on both sides?");
    case USI_MODE_IDENTITY:
        return text("; does it listen with --identity, under that --name?");
    case USI_MODE_PASSWORD:
        return text("; does it listen with --password, under that --name, and allow more tries?");
    default:
        return "";
    }
}

void link_end_text(const struct link_end *end, char *line, size_t size)
{
    const char *detail = end->error == 0 ? NULL
                         : end->cause == LINK_CUT || end->cause == LINK_REFUSED
                             ? text(uv_strerror(end->error))
                             : text(usi_error_text(end->error));
    switch (end->cause) {
    case LINK_CLEAN:
        (void)snprintf(line, size, text("ended in order"));
        break;
    case LINK_REFUSED:
        if (detail != NULL)
            (void)snprintf(line, size, text("closed before it was authenticated: %s%s"), detail,
                           refusal_hint(end));
        else
            (void)snprintf(line, size, text("closed before it was authenticated%s"),
                           refusal_hint(end));
        break;
    case LINK_SILENT:
        (void)snprintf(line, size, text("not authenticated in time"));
        break;
    case LINK_FOREIGN:
    case LINK_BROKEN:
        (void)snprintf(line, size, "%s", detail != NULL ? detail : text("failed"));
        break;
    case LINK_CUT:
        if (detail != NULL)
            (void)snprintf(line, size, text("cut off in the middle: %s"), detail);
        else
            (void)snprintf(line, size, "%s", text("cut off in the middle"));
        break;
    case LINK_ABORTED:
        (void)snprintf(line, size, text("given up by the far side: %s"),
                       text(usi_reason_text(end->reason)));
        break;
    case LINK_GAVE_UP:
        (void)snprintf(line, size, text("given up here: %s"), text(usi_reason_text(end->reason)));
        break;
    case LINK_UNWANTED:
        (void)snprintf(line, size, text("its identity was not accepted"));
        break;
    case LINK_UNKEPT:
        (void)snprintf(line, size, text("its identity could not be remembered"));
        break;
    case LINK_WORDLESS:
        (void)snprintf(line, size,
                       text("no password is shown any more: three were wrong; start again with the "
                            "right one"));
        break;
    case LINK_IDLE:
        (void)snprintf(line, size, text("nothing moved for the idle timeout"));
        break;
    }
}

void link_report_authenticated(const struct net *net, const char *peer,
                               const struct usi_channel *channel, enum link_side side)
{
    struct usi_counts counts;

    usi_channel_counts(channel, &counts);
    net_report(net, (struct report){.type = REPORT_AUTHENTICATED,
                                    .peer = peer,
                                    .text = side == LINK_CONNECTOR ? "listener" : "connector",
                                    .number = counts.key_bits,
                                    .mode = counts.mode});
}

void link_report_knock(const struct net *net, const char *peer, const struct usi_channel *channel)
{
    struct usi_counts counts;

    usi_channel_counts(channel, &counts);
    net_report(net, (struct report){.type = REPORT_KNOCK, .peer = peer, .mode = counts.mode});
}

void link_report_try(const struct net *net, const char *peer, int error)
{
    struct usi_tries_state state;

    if (error != USI_ERR_PASSWORD && error != USI_ERR_SHARE && error != USI_ERR_TRIES)
        return;
    usi_keyring_tries(net->ring, uv_now(&net->loop->uv), &state);
    net_report(net, (struct report){.type = REPORT_TRY,
                                    .peer = peer,
                                    .text = error == USI_ERR_TRIES && state.used
                                                ? text("it was good for one peer, and was used")
                                                : text(usi_error_text(error)),
                                    .number = state.failed});
    if (!state.ever && error != USI_ERR_TRIES)
        net_report(net, (struct report){
                            .type = REPORT_WARNING,
                            .peer = text("the password"),
                            .text = text("no more tries are allowed: start again for another")});
}

void link_report_rekeyed(const struct net *net, const char *peer, const struct usi_channel *channel)
{
    struct usi_counts counts;

    usi_channel_counts(channel, &counts);
    net_report(net, (struct report){.type = REPORT_REKEYED, .peer = peer, .number = counts.rekeys});
}

void link_report_end(const struct net *net, const char *peer, const struct usi_channel *channel,
                     bool authenticated, const struct link_end *end)
{
    struct usi_counts counts;
    char line[LINK_END_TEXT];

    link_end_text(end, line, sizeof line);
    usi_channel_counts(channel, &counts);
    net_report(net, (struct report){.type = authenticated ? REPORT_ENDED : REPORT_HANDSHAKE_FAILED,
                                    .peer = peer,
                                    .text = line,
                                    .mode = counts.mode,
                                    .sent = counts.sent,
                                    .received = counts.received});
}
