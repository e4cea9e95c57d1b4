#include "cli/password.h"

#include "cli/file.h"
#include "text/text.h"
#include "text/utf8.h"
#include "usi/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A line end in two octets, and one octet to see that it is too long. */
enum { LINE_ROOM = PASSWORD_MAX + 2 };

/* What is wrong with line[0..length-1], or NULL. */
static const char *fault(const char *line, size_t length)
{
    uint32_t point;

    if (length == 0)
        return text("the password is empty");
    if (length > PASSWORD_MAX)
        return text("the password is longer than 1,024 octets");
    for (size_t i = 0, size; i < length; i += size) {
        size = utf8_decode(line + i, length - i, &point);
        if (size == 0)
            return text("the password is not UTF-8");
        if (point == 0)
            return text("the password holds a NUL");
        if (i == 0 && point == 0xfeff)
            return text("the password begins with a byte order mark: save it without one");
    }
    return NULL;
}

static struct password *make(const char *line, size_t length, char *why, size_t size)
{
    const char *wrong = fault(line, length);
    struct password *password = wrong == NULL ? OPENSSL_secure_zalloc(sizeof *password) : NULL;

    if (password == NULL) {
        (void)snprintf(why, size, "%s",
                       wrong != NULL ? wrong : text("the password has no secure memory left"));
        errno = wrong != NULL ? EINVAL : ENOMEM;
        return NULL;
    }
    memcpy(password->text, line, length);
    password->size = length;
    return password;
}

struct password *password_of_text(const char *text, char *why, size_t size)
{
    return make(text, strlen(text), why, size);
}

/* Reads one octet, as a line is read from a pipe that others go on with: 1, 0 at the end, -1. */
static ssize_t read_octet(int fd, char *octet)
{
    for (;;) {
        ssize_t n = read(fd, octet, 1);
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (n >= 0)
            return n;
        if (errno == EAGAIN && poll(&ready, 1, -1) < 0 && errno != EINTR)
            return -1;
        if (errno != EAGAIN && errno != EINTR)
            return -1;
    }
}

static struct password *read_line(int fd, char *why, size_t size)
{
    char *line = OPENSSL_secure_malloc(LINE_ROOM);
    struct password *password = NULL;
    size_t length = 0;
    ssize_t n = 1;

    if (line == NULL) {
        (void)snprintf(why, size, text("the password has no secure memory left"));
        errno = ENOMEM;
        return NULL;
    }
    while (length < LINE_ROOM && (n = read_octet(fd, line + length)) == 1 && line[length] != '\n')
        length++;
    if (n < 0) {
        (void)snprintf(why, size, text("the password cannot be read: %s"), file_error_text(errno));
    } else {
        if (length > 0 && line[length - 1] == '\r')
            length--;
        password = make(line, length, why, size);
    }
    OPENSSL_secure_clear_free(line, LINE_ROOM);
    return password;
}

struct password *password_read_file(const char *path, char *why, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct password *password = NULL;
    struct stat status;
    char reason[240];

    if (fd < 0 || fstat(fd, &status) != 0) {
        (void)snprintf(why, size, text("--password-file \"%.200s\" cannot be opened: %s"), path,
                       file_error_text(errno));
    } else if (S_ISREG(status.st_mode) && (status.st_mode & 07) != 0) {
        (void)snprintf(
            why, size,
            text("--password-file \"%.200s\" can be read or written by others (mode %04o): "
                 "chmod 600 it"),
            path, (unsigned)(status.st_mode & 07777));
    } else {
        password = read_line(fd, reason, sizeof reason);
        if (password == NULL)
            (void)snprintf(why, size, text("--password-file \"%.200s\": %s"), path, reason);
    }
    if (fd >= 0)
        (void)close(fd);
    return password;
}

struct password *password_read_fd(int fd, char *why, size_t size)
{
    char reason[240];
    struct password *password = read_line(fd, reason, sizeof reason);

    if (password == NULL)
        (void)snprintf(why, size, text("--password-fd %d: %s"), fd, reason);
    if (fd > STDERR_FILENO)
        (void)close(fd);
    return password;
}

/* A number from 0 to limit - 1, each as likely: what is beyond the last whole multiple of limit is
 * drawn again. */
static int draw(OSSL_LIB_CTX *libctx, uint32_t limit, uint32_t *number)
{
    enum { DRAWS_MAX = 1000 };
    const uint32_t most = 65536 / limit * limit;
    uint8_t octets[2];

    for (int i = 0; i < DRAWS_MAX; i++) {
        if (RAND_priv_bytes_ex(libctx, octets, sizeof octets, 0) != 1)
            return -1;
        *number = (uint32_t)octets[0] << 8 | octets[1];
        OPENSSL_cleanse(octets, sizeof octets);
        if (*number < most) {
            *number %= limit;
            return 0;
        }
    }
    return -1;
}

struct password *password_make(OSSL_LIB_CTX *libctx, char *why, size_t size)
{
    enum { NUMBERS = 900, WORDS = 2048 };
    uint32_t number, one, other;
    char code[PASSWORD_CODE];
    struct password *password;

    if (draw(libctx, NUMBERS, &number) < 0 || draw(libctx, WORDS, &one) < 0 ||
        draw(libctx, WORDS, &other) < 0) {
        (void)snprintf(why, size, text("no random numbers for a password"));
        return NULL;
    }
    (void)snprintf(code, sizeof code, "%u-%s-%s", 100 + number, usi_word(one), usi_word(other));
    password = make(code, strlen(code), why, size);
    OPENSSL_cleanse(code, sizeof code);
    return password;
}

void password_free(struct password *password)
{
    OPENSSL_secure_clear_free(password, sizeof *password);
}
