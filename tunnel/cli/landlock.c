#include "cli/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every machine but Alpha, where they are not used. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };

/* The access rights of linux/landlock.h, and the version that brought the later ones. */
enum {
    EXECUTE = 1 << 0,
    WRITE_FILE = 1 << 1,
    READ_FILE = 1 << 2,
    READ_DIR = 1 << 3,
    REMOVE_DIR = 1 << 4,
    REMOVE_FILE = 1 << 5,
    MAKE_CHAR = 1 << 6,
    MAKE_DIR = 1 << 7,
    MAKE_REG = 1 << 8,
    MAKE_SOCK = 1 << 9,
    MAKE_FIFO = 1 << 10,
    MAKE_BLOCK = 1 << 11,
    MAKE_SYM = 1 << 12,
    REFER = 1 << 13,     /* 2 */
    TRUNCATE = 1 << 14,  /* 3 */
    IOCTL_DEV = 1 << 15, /* 5 */

    FIRST = REFER - 1,
    OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
};

struct ruleset {
    uint64_t handled;
    uint64_t network; /* 4: not asked for */
    uint64_t scoped;  /* 6 */
};

/* What stays among processes of this sandbox. */
enum { SCOPE_ABSTRACT_SOCKET = 1 << 0, SCOPE_SIGNAL = 1 << 1 };

struct path_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

struct landlock {
    int fd;
    uint64_t handled; /* what this kernel knows of all the above */
};

int landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_VERSION);

    return version > 0 ? (int)version : 0;
}

static uint64_t handled_by(int version)
{
    uint64_t handled = FIRST;

    if (version >= 2)
        handled |= REFER;
    if (version >= 3)
        handled |= TRUNCATE;
    if (version >= 5)
        handled |= IOCTL_DEV;
    return handled;
}

static uint64_t scope_of(int version, bool abstract)
{
    return version < 6 ? 0 : abstract ? SCOPE_SIGNAL : SCOPE_SIGNAL | SCOPE_ABSTRACT_SOCKET;
}

struct landlock *landlock_new(bool abstract)
{
    struct landlock *l = malloc(sizeof *l);
    const int version = landlock_version();

    if (l == NULL)
        return NULL;
    l->handled = handled_by(version);
    /* Older kernels take a longer structure whose end is zero. */
    const struct ruleset ruleset = {.handled = l->handled, .scoped = scope_of(version, abstract)};
    l->fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
    if (l->fd >= 0)
        return l;
    free(l);
    return NULL;
}

static uint64_t access_of(unsigned rights)
{
    uint64_t access = 0;

    if (rights & LANDLOCK_READ)
        access |= READ_FILE | READ_DIR;
    if (rights & LANDLOCK_WRITE)
        access |= WRITE_FILE | TRUNCATE;
    if (rights & LANDLOCK_MAKE)
        access |= WRITE_FILE | TRUNCATE | MAKE_REG | MAKE_DIR | REMOVE_FILE | REMOVE_DIR | REFER;
    if (rights & LANDLOCK_REMOVE)
        access |= REMOVE_FILE;
    if (rights & LANDLOCK_DEVICE)
        access |= IOCTL_DEV;
    return access;
}

int landlock_allow_fd(struct landlock *l, int fd, unsigned rights)
{
    struct path_beneath rule = {.allowed = access_of(rights) & l->handled, .parent = fd};
    struct stat facts;

    if (fstat(fd, &facts) != 0)
        return -1;
    if (!S_ISDIR(facts.st_mode))
        rule.allowed &= OF_FILES;
    if (rule.allowed == 0)
        return 0;
    return (int)syscall(SYS_landlock_add_rule, l->fd, RULE_PATH_BENEATH, &rule, 0);
}

int landlock_allow(struct landlock *l, const char *path, unsigned rights)
{
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return -1;
    int result = landlock_allow_fd(l, fd, rights), error = errno;
    (void)close(fd);
    errno = error;
    return result;
}

int landlock_enter(struct landlock *l)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(SYS_landlock_restrict_self, l->fd, 0);
}

void landlock_free(struct landlock *l)
{
    if (l == NULL)
        return;
    (void)close(l->fd);
    free(l);
}
