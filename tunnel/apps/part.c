#include "apps/part.h"

#include "text/hex.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    AROUND = 1 + sizeof SAFE_PATH_PART - 1, /* octets that the name of a part has more */
    DIGITS = 16,
    CUT = SAFE_PATH_NAME - AROUND - DIGITS - 1, /* octets left of a name that is too long */
    TRIES = 3
};

bool part_name(const char *name, const EVP_MD *sha256, char part[SAFE_PATH_NAME + 1])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    char digits[DIGITS + 1];
    size_t size = strlen(name);

    if (size + AROUND <= SAFE_PATH_NAME) {
        (void)snprintf(part, SAFE_PATH_NAME + 1, ".%s" SAFE_PATH_PART, name);
        return true;
    }
    if (EVP_Digest(name, size, hash, NULL, sha256, NULL) != 1)
        return false;
    (void)hex_put(digits, hash, DIGITS / 2);
    size = CUT;
    while (size > 0 && ((unsigned char)name[size] & 0xc0) == 0x80) /* whole characters only */
        size--;
    (void)snprintf(part, SAFE_PATH_NAME + 1, ".%.*s~%s" SAFE_PATH_PART, (int)size, name, digits);
    return true;
}

/* Closes fd, if it is one. Returns -1. */
static int refuse(int fd, struct part_problem *problem, enum transfer_reason reason,
                  const char *text)
{
    if (fd >= 0)
        (void)close(fd);
    problem->reason = reason;
    (void)snprintf(problem->text, sizeof problem->text, "%s", text);
    return -1;
}

static int refuse_errno(int fd, struct part_problem *problem)
{
    char why[TRANSFER_TEXT];

    (void)snprintf(why, sizeof why, text("cannot be written: %s"), transfer_error_text(errno));
    return refuse(fd, problem, TRANSFER_WRITE, why);
}

/* Whether `part` in the folder is the file fd. */
static bool is_still(int folder, const char *part, int fd)
{
    struct stat there, here;

    return fstat(fd, &here) == 0 && fstatat(folder, part, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

/* 0, or -1 with *problem and fd closed. The kernel lets go of the lock when fd is closed. */
static int lock(int fd, struct part_problem *problem)
{
    int result;

    do
        result = flock(fd, LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return refuse(fd, problem, TRANSFER_BUSY, transfer_reason_text(TRANSFER_BUSY));
    return refuse_errno(fd, problem);
}

int part_open(int folder, const char *part, uint64_t *size, struct part_problem *problem)
{
    /* Whoever held the lock before may have put the file in its place: then look again. */
    for (int i = 0; i < TRIES; i++) {
        struct stat facts;
        int fd = openat(folder, part, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            return refuse(fd, problem, TRANSFER_KEPT, "");
        /* ELOOP: a link; ENXIO, ENODEV: a pipe or device without its other side; EISDIR */
        if (fd < 0 && errno != ELOOP && errno != EISDIR && errno != ENXIO && errno != ENODEV)
            return refuse_errno(fd, problem);
        if (fd < 0 || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_nlink > 1 ||
            facts.st_uid != geteuid())
            return refuse(fd, problem, TRANSFER_EXISTS,
                          "something that is no unfinished file of ours has its name "
                          "(.NAME" SAFE_PATH_PART "): remove that");
        if (lock(fd, problem) != 0)
            return -1;
        if (is_still(folder, part, fd) && fstat(fd, &facts) == 0) {
            *size = (uint64_t)facts.st_size;
            return fd;
        }
        (void)close(fd);
    }
    return refuse(-1, problem, TRANSFER_BUSY, transfer_reason_text(TRANSFER_BUSY));
}

int part_make(int folder, const char *part, struct part_problem *problem)
{
    int fd = openat(folder, part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return refuse(fd, problem, TRANSFER_BUSY, transfer_reason_text(TRANSFER_BUSY));
    if (fd < 0)
        return refuse_errno(fd, problem);
    if (lock(fd, problem) != 0)
        return -1;
    /* Between the two another may have taken it for one left behind, and let it go again. */
    if (!is_still(folder, part, fd))
        return refuse(fd, problem, TRANSFER_BUSY, transfer_reason_text(TRANSFER_BUSY));
    return fd;
}

int part_place(int folder, const char *part, int fd, const char *name, bool over)
{
    if (!is_still(folder, part, fd)) {
        errno = ESTALE;
        return -1;
    }
    if (over)
        return renameat(folder, part, folder, name);
    if (renameat2(folder, part, folder, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* A file system without that, as NFS: a link is never made over something either. */
    if (linkat(folder, part, folder, name, 0) != 0)
        return -1;
    (void)unlinkat(folder, part, 0); /* a part of two links is never taken again */
    return 0;
}

void part_remove(int folder, const char *part, int fd)
{
    if (is_still(folder, part, fd))
        (void)unlinkat(folder, part, 0);
}
