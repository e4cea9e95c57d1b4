#include "cli/file.h"

#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Waits if errno says that fd is non-blocking and not ready, as an inherited descriptor can be. */
static bool try_again(int fd, short events)
{
    struct pollfd ready = {.fd = fd, .events = events};

    if (errno == EAGAIN)
        return poll(&ready, 1, -1) >= 0 || errno == EINTR;
    return errno == EINTR;
}

/* Reads to the end of file or until the buffer is full. Returns the length, or -1 with errno. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t got = read(fd, buffer + length, size - length);
        if (got == 0)
            break;
        if (got < 0 && !try_again(fd, POLLIN))
            return -1;
        if (got > 0)
            length += (size_t)got;
    }
    return (ssize_t)length;
}

static size_t line_of(const char *text, const char *place)
{
    size_t line = 1;

    for (; text < place; text++)
        line += *text == '\n';
    return line;
}

/* Reads all of fd. Returns 0, or -1 with a line in why. */
static int read_whole(int fd, char *buffer, size_t size, struct file_facts *facts, char *why,
                      size_t why_size)
{
    struct stat status;
    ssize_t length = -1;
    char more;

    if (fstat(fd, &status) < 0 || (length = read_all(fd, buffer, size)) < 0) {
        snprintf(why, why_size, text("cannot be read: %s"), file_error_text(errno));
        return -1;
    }
    facts->length = (size_t)length;
    facts->mode = status.st_mode & 07777u;
    facts->exposed = S_ISREG(status.st_mode) && (status.st_mode & 07) != 0;
    if (facts->length == size && read_all(fd, &more, 1) != 0) {
        snprintf(why, why_size, text("is longer than %zu octets"), size);
        return -1;
    }
    return 0;
}

int file_read(const char *path, char *buffer, size_t size, struct file_facts *facts, char *why,
              size_t why_size)
{
    int fd = path == NULL ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int result;

    if (fd < 0) {
        snprintf(why, why_size, text("cannot be opened: %s"), file_error_text(errno));
        return -1;
    }
    result = read_whole(fd, buffer, size, facts, why, why_size);
    if (path != NULL)
        close(fd);
    return result;
}

int file_read_text(const char *path, char *buffer, size_t size, struct file_facts *facts, char *why,
                   size_t why_size)
{
    if (file_read(path, buffer, size, facts, why, why_size) < 0)
        return -1;
    if (facts->length >= 3 && memcmp(buffer, "\xef\xbb\xbf", 3) == 0) {
        snprintf(why, why_size, text("begins with a byte order mark: save it without one"));
        return -1;
    }
    const char *nul = memchr(buffer, '\0', facts->length);
    if (nul != NULL) {
        snprintf(why, why_size, text("is not plain text: line %zu holds a NUL octet"),
                 line_of(buffer, nul));
        return -1;
    }
    return 0;
}

int file_write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t put = write(fd, data, length);
        if (put < 0 && !try_again(fd, POLLOUT))
            return -1;
        if (put > 0) {
            data += put;
            length -= (size_t)put;
        }
    }
    return 0;
}

const char *file_error_text(int error)
{
    return text_of_errno(error);
}
