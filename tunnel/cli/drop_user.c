#include "cli/drop_user.h"

#include "cli/file.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENTRY = 1 << 16 };

static int find_user(struct drop_user *user, char buffer[ENTRY], char *why, size_t size)
{
    struct passwd entry, *found = NULL;

    if (getpwnam_r(user->name, &entry, buffer, ENTRY, &found) != 0 || found == NULL) {
        (void)snprintf(why, size, text("there is no user \"%.80s\""), user->name);
        return -1;
    }
    if (found->pw_uid == 0) {
        (void)snprintf(why, size, text("\"%.80s\" is root: name another user, or leave it out"),
                       user->name);
        return -1;
    }
    user->uid = found->pw_uid;
    user->gid = found->pw_gid;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    if (setenv("HOME", found->pw_dir, 1) == 0)
        return 0;
    (void)snprintf(why, size, text("out of memory"));
    return -1;
}

static int find_group(struct drop_user *user, const char *name, char buffer[ENTRY], char *why,
                      size_t size)
{
    struct group entry, *found = NULL;

    if (getgrnam_r(name, &entry, buffer, ENTRY, &found) != 0 || found == NULL) {
        (void)snprintf(why, size, text("there is no group \"%.80s\""), name);
        return -1;
    }
    user->gid = found->gr_gid;
    return 0;
}

int drop_user_find(struct drop_user *user, const char *wanted, char *why, size_t size)
{
    const char *colon = strchr(wanted, ':');
    size_t length = colon != NULL ? (size_t)(colon - wanted) : strlen(wanted);
    char *buffer;
    int result;

    *user = (struct drop_user){0};
    if (geteuid() != 0) {
        (void)snprintf(why, size,
                       text("only root can become another user: start it as root, or without it"));
        return -1;
    }
    buffer = malloc(ENTRY);
    if (buffer == NULL || length >= sizeof user->name) {
        free(buffer);
        (void)snprintf(why, size, "%s",
                       buffer == NULL ? text("out of memory")
                                      : text("has a name that is too long"));
        return -1;
    }
    memcpy(user->name, wanted, length);
    result = find_user(user, buffer, why, size);
    if (result == 0 && colon != NULL)
        result = find_group(user, colon + 1, buffer, why, size);
    free(buffer);
    return result;
}

int drop_user_give(const struct drop_user *user, const char *path, char *why, size_t size)
{
    struct stat facts;
    /* Not by its name, which somebody else may give to another file meanwhile. */
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), result = -1;

    if (fd >= 0 && fstat(fd, &facts) == 0) {
        errno = ENOTSOCK;
        if (S_ISSOCK(facts.st_mode))
            result = fchownat(fd, "", user->uid, user->gid, AT_EMPTY_PATH);
    }
    if (result != 0)
        (void)snprintf(why, size, text("%.120s cannot be given to the user \"%.80s\": %s"), path,
                       user->name, file_error_text(errno));
    if (fd >= 0)
        (void)close(fd);
    return result;
}

/* Neither is root there in any of its forms, nor a way back to it. */
static bool is_dropped(const struct drop_user *user)
{
    uid_t u[3];
    gid_t g[3];

    return getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0 &&
           u[0] == user->uid && u[1] == user->uid && u[2] == user->uid && g[0] == user->gid &&
           g[1] == user->gid && g[2] == user->gid && setuid(0) != 0 && seteuid(0) != 0;
}

int drop_user_now(const struct drop_user *user, char *why, size_t size)
{
    bool changed = initgroups(user->name, user->gid) == 0 &&
                   setresgid(user->gid, user->gid, user->gid) == 0 &&
                   setresuid(user->uid, user->uid, user->uid) == 0;

    if (!changed)
        (void)snprintf(why, size, text("cannot become the user \"%.80s\": %s"), user->name,
                       file_error_text(errno));
    else if (!is_dropped(user))
        (void)snprintf(why, size, text("the user \"%.80s\" could become root again"), user->name);
    else if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) /* which a new user may have set */
        (void)snprintf(why, size, text("the process cannot be protected: %s"),
                       file_error_text(errno));
    else
        return 0;
    return -1;
}
