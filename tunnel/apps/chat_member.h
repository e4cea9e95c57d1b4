/* A member of a chat that somebody else hosts. */
#ifndef USI_APPS_CHAT_MEMBER_H
#define USI_APPS_CHAT_MEMBER_H

#include "apps/chat.h"
#include "apps/station.h"

/* Connects, authenticates and says hello. CHAT_EVENT_WELCOME comes, behind a CHAT_EVENT_HERE for
 * everybody who is there; or it is over (options->over) without. The outcome is OUTCOME_DONE when
 * all that was said has been confirmed, and OUTCOME_FAR when the chat is full. options->fingerprint
 * is not used; address and dial must live so long. NULL when out of memory. */
struct chat *chat_member_new(const struct net *net, const struct address *address,
                             const struct dialer_options *dial, const struct chat_options *options);

#endif
