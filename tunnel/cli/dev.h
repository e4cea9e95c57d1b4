/* --dev: the steps of a channel as lines on stderr, in GSM's words, for who wants to learn how it
 * works. A line is
 *
 *   PHASE PEER WHO WHAT[ = VALUE]: WHY
 *
 * PHASE is INIT, CONNECTION, AUTHENTICATION, KEY, MSG or QUIT, and WHO made it: `us`, `peer`,
 * `both` for what both sides compute, `wire` for what anybody can see. */
#ifndef USI_CLI_DEV_H
#define USI_CLI_DEV_H

#include "usi/channel.h"

struct dev {
    bool on;
    bool secrets;         /* show them in full */
    OSSL_LIB_CTX *libctx; /* for SHA-256 */
};

/* Prints the lines of one step; any thread. Of a secret only the first 8 hex digits of SHA-256("USI
 * dev" || secret) are shown, the same on both sides, unless dev->secrets: secrets are random, of
 * 128 bits or more. */
void dev_see(const struct dev *dev, const char *peer, const struct usi_seen *seen);

#endif
