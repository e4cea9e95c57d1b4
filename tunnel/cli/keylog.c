#include "cli/keylog.h"

#include "cli/file.h"
#include "cli/say.h"
#include "text/hex.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_MAX = 32, LINE_MAX_SIZE = 16 + 2 * USI_SEEN_CHANNEL + 24 + 2 * KEY_MAX };

struct keylog {
    int fd;
    atomic_bool failed;
};

/* NULL if the file may hold keys. */
static const char *objection(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return file_error_text(errno);
    if (!S_ISREG(status.st_mode))
        return text("is not a regular file");
    if (status.st_uid != geteuid())
        return text("belongs to another user");
    if ((status.st_mode & 077) != 0)
        return text("can be read or written by others: chmod 600 it");
    return NULL;
}

struct keylog *keylog_open(const char *path, char *why, size_t size)
{
    /* Not to wait for the reader of a named pipe, which is refused anyway. */
    int fd = open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    struct keylog *log;

    if (fd < 0) {
        snprintf(why, size, "%s",
                 errno == ELOOP ? text("is a symbolic link, which is not followed")
                                : file_error_text(errno));
        return NULL;
    }
    const char *wrong = objection(fd);
    if (wrong == NULL && (log = malloc(sizeof *log)) != NULL) {
        log->fd = fd;
        atomic_init(&log->failed, false);
        return log;
    }
    snprintf(why, size, "%s", wrong != NULL ? wrong : text("out of memory"));
    (void)close(fd);
    errno = wrong != NULL ? EINVAL : ENOMEM;
    return NULL;
}

void keylog_see(struct keylog *log, const struct usi_seen *seen)
{
    char line[LINE_MAX_SIZE];
    size_t at;
    ssize_t put;

    if (seen->type != USI_SEEN_KEY || seen->channel == NULL || seen->size > KEY_MAX)
        return;
    at = (size_t)snprintf(line, sizeof line, "USI_KEY ");
    at += hex_put(line + at, seen->channel, USI_SEEN_CHANNEL);
    at += (size_t)snprintf(line + at, sizeof line - at, " %" PRIu64 " %c ", seen->number,
                           seen->ours == seen->connector ? 'c' : 'l');
    at += hex_put(line + at, seen->octets, seen->size);
    line[at++] = '\n';
    do
        put = write(log->fd, line, at);
    while (put < 0 && errno == EINTR);
    int error = put < 0 ? errno : ENOSPC;
    OPENSSL_cleanse(line, sizeof line);
    if (put != (ssize_t)at && !atomic_exchange(&log->failed, true))
        say_error("USI_KEYLOG: keys are missing from it: %s", file_error_text(error));
}

void keylog_free(struct keylog *log)
{
    if (log == NULL)
        return;
    (void)close(log->fd);
    free(log);
}
