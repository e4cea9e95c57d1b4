/* What a link tells of its channel: events for net->reporter. */
#ifndef USI_NET_LINK_REPORT_H
#define USI_NET_LINK_REPORT_H

#include "net/link.h"

/* side: ours. */
void link_report_authenticated(const struct net *net, const char *peer,
                               const struct usi_channel *channel, enum link_side side);
void link_report_rekeyed(const struct net *net, const char *peer,
                         const struct usi_channel *channel);
void link_report_end(const struct net *net, const char *peer, const struct usi_channel *channel,
                     bool authenticated, const struct link_end *end);

/* A listener's REPORT_KNOCK. */
void link_report_knock(const struct net *net, const char *peer, const struct usi_channel *channel);

/* A try of a listener's password that failed, by its error; no report for other errors. */
void link_report_try(const struct net *net, const char *peer, int error);

#endif
