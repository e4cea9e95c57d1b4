#include "cli/say.h"

#include "cli/utf8.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 1024 };

static const char prefix[] = "usi-tunnel: ";

/* Characters that a terminal obeys: C0, DEL and C1. */
static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

size_t say_escape(char *line, const char *text, size_t length)
{
    size_t out = 0;

    for (size_t i = 0; i < length;) {
        uint32_t point;
        size_t size = utf8_decode(text + i, length - i, &point);
        bool shown = size > 0 && !is_control(point);
        if (size == 0)
            size = 1;
        for (size_t end = i + size; i < end; i++) {
            if (shown)
                line[out++] = text[i];
            else
                out += (size_t)snprintf(line + out, 5, "\\x%02x", (unsigned char)text[i]);
        }
    }
    return out;
}

static void print(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static void print(const char *format, va_list arguments)
{
    char text[TEXT_MAX], line[sizeof prefix + SAY_ESCAPED * sizeof text + 1];
    size_t length = sizeof prefix - 1;
    int saved = errno, size = vsnprintf(text, sizeof text, format, arguments);

    if (size < 0)
        return;
    memcpy(line, prefix, length);
    length += say_escape(line + length, text,
                         (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
    line[length++] = '\n';
    /* The terminal may be non-blocking because another program left it so. A failure of stderr has
     * nowhere to be told. */
    while (write(STDERR_FILENO, line, length) < 0 && (errno == EINTR || errno == EAGAIN)) {
        struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
        if (errno == EAGAIN)
            (void)poll(&ready, 1, -1);
    }
    OPENSSL_cleanse(text, sizeof text); /* a made-up password is said too */
    OPENSSL_cleanse(line, sizeof line);
    errno = saved;
}

void say_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}

void say(enum say_level level, const char *format, ...)
{
    va_list arguments;

    if (level < SAY_NORMAL)
        return;
    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}

void say_more(enum say_level level, const char *format, ...)
{
    va_list arguments;

    if (level < SAY_VERBOSE)
        return;
    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}
