/* USI_KEYLOG: the keys of records, appended to a file, so that a capture of one's own can be read
 * (scripts/wireshark). A line is
 *
 *   USI_KEY RANDms EPOCH c|l KEY
 *
 * RANDms: of the channel's first handshake, 64 hex digits, which stand in its message 1; EPOCH: 0
 * for the first key of a direction, one more for each rekey, decimal; c or l: the connector's
 * records, or the listener's; KEY: 16, 24 or 32 octets in hex. Each line is one write, so that
 * several processes may share a file. */
#ifndef USI_CLI_KEYLOG_H
#define USI_CLI_KEYLOG_H

#include "usi/channel.h"

struct keylog;

/* Makes the file, for its owner only, or opens it to append. NULL with what is wrong in why
 * (without the name): it is a link or no regular file, another user's, others can read or write it,
 * or it cannot be opened. */
struct keylog *keylog_open(const char *path, char *why, size_t size);

/* Writes the line of a step that is a key; any thread. A failure is said once. */
void keylog_see(struct keylog *log, const struct usi_seen *seen);

void keylog_free(struct keylog *log);

#endif
