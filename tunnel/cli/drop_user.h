/* --user: whom a process that root started becomes, once it needs root no longer. */
#ifndef USI_CLI_DROP_USER_H
#define USI_CLI_DROP_USER_H

#include <stddef.h>
#include <sys/types.h>

enum { DROP_USER_NAME = 256 };

/* Begins all zero: nobody. */
struct drop_user {
    char name[DROP_USER_NAME]; /* empty: it stays who it is */
    uid_t uid;
    gid_t gid;
};

/* Looks NAME or NAME:GROUP up (which NSS may ask a server about), and sets HOME to NAME's, where
 * the peers are remembered. While there is one thread only. 0; or -1 with a line in why: this
 * process is not root's, NAME is root or unknown, GROUP is unknown. */
int drop_user_find(struct drop_user *user, const char *wanted, char *why, size_t size);

/* Gives the socket at path, which this process has bound, to the user; something else in its place
 * stays as it is. 0, or -1 with a line in why. */
int drop_user_give(const struct drop_user *user, const char *path, char *why, size_t size);

/* Becomes the user, with the groups that he has, for good: that root cannot be regained was tried.
 * 0, or -1 with a line in why: end the process then, it may be anything. */
int drop_user_now(const struct drop_user *user, char *why, size_t size);

#endif
