/* The host of a chat: its own user, and up to 63 members, each over a link. It gives them names,
 * passes on what they say, and sees all of it. Who sends what is no record of a chat is cut; who
 * does not read what the others say is cut too; who says too much is read as fast as is allowed. */
#ifndef USI_APPS_CHAT_ROOM_H
#define USI_APPS_CHAT_ROOM_H

#include "apps/chat.h"
#include "apps/station.h"

enum {
    CHAT_ROOM_SLOW = 256 * 1024, /* octets that may wait for a member before it is cut */
    CHAT_ROOM_BURST = 40,        /* lines, and offers of files, that may come in a row, */
    CHAT_ROOM_EACH_MS = 50,      /* and one more so often */
    /* Octets of somebody's files that may wait at the host: what the windows of its transfers
     * allow, and what comes beside. */
    CHAT_ROOM_FILES = CHAT_TRANSFERS * CHAT_WINDOW + 256 * 1024
};

/* Listens, and is the host. NULL with a line in why when it cannot listen. CHAT_EVENT_WELCOME is
 * told at once. options->name and fingerprint are copied. */
struct chat *chat_room_new(const struct net *net, const struct address *address,
                           const struct listener_options *listen,
                           const struct chat_options *options, char *why, size_t size);

#endif
