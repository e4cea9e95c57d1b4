/* What of the file system this process may still touch: Landlock of the kernel, by its system calls
 * alone, so that no header or library of a certain age is needed. See landlock(7). */
#ifndef USI_CLI_LANDLOCK_H
#define USI_CLI_LANDLOCK_H

#include <stdbool.h>

struct landlock;

/* What may be done with a file, or with everything below a folder. Programs can be run nowhere. */
enum landlock_right {
    LANDLOCK_READ = 1,   /* files and folders */
    LANDLOCK_WRITE = 2,  /* files that are there */
    LANDLOCK_MAKE = 4,   /* files and folders; rename and replace them */
    LANDLOCK_REMOVE = 8, /* files and sockets */
    LANDLOCK_DEVICE = 16 /* ioctl, where it is a device */
};

/* The version of the kernel's interface; 0: it has none, or does not let us use it. */
int landlock_version(void);

/* A set of rules that allows nothing yet; NULL with errno. Only where there is a version. From
 * version 6 on it also keeps signals from others, and, unless `abstract`, from connecting to
 * abstract Unix sockets of others. */
struct landlock *landlock_new(bool abstract);

/* Allows `rights` on what path or fd is now: it keeps them wherever it is moved, and what takes its
 * place gets none. 0, or -1 with errno; ENOENT and its like mean that nothing is there. */
int landlock_allow(struct landlock *l, const char *path, unsigned rights);
int landlock_allow_fd(struct landlock *l, int fd, unsigned rights);

/* From here on this thread, and those it starts, can open what was allowed and nothing else. What
 * is open stays so. There is no way back. 0, or -1 with errno. */
int landlock_enter(struct landlock *l);

/* The rules stay in force. NULL is fine. */
void landlock_free(struct landlock *l);

#endif
