#include "cli/say.h"

#include "cli/inert.h"
#include "text/text.h"
#include "text/utf8.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum { SAID_MAX = 1024 };

static const char prefix[] = "usi-tunnel: ";

/* The first character of text: its octets, or 0 where they are none. What a terminal of another
 * character set obeys is another thing than in UTF-8: 0x9b alone, within what is a letter there. */
static size_t decode(const char *text, size_t length, bool utf8, uint32_t *point)
{
    mbstate_t state = {0};
    wchar_t wide = 0;

    if (utf8)
        return utf8_decode(text, length, point);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): its own state */
    size_t size = mbrtowc(&wide, text, length, &state);
    *point = (uint32_t)wide;
    return size > length ? 0 : size > 0 ? size : 1;
}

size_t say_escape(char *line, const char *text, size_t length)
{
    bool utf8 = text_is_utf8();
    size_t out = 0;

    for (size_t i = 0; i < length;) {
        uint32_t point;
        size_t size = decode(text + i, length - i, utf8, &point);
        bool shown = size > 0 && !inert_changes(point);
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
    char said[SAID_MAX], line[sizeof prefix + SAY_ESCAPED * sizeof said + 1];
    size_t length = sizeof prefix - 1;
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the callers have started it */
    int saved = errno, size = vsnprintf(said, sizeof said, text(format), arguments);

    if (size < 0)
        return;
    memcpy(line, prefix, length);
    length += say_escape(line + length, said,
                         (size_t)size < sizeof said ? (size_t)size : sizeof said - 1);
    line[length++] = '\n';
    /* The terminal may be non-blocking because another program left it so. A failure of stderr has
     * nowhere to be told. */
    while (write(STDERR_FILENO, line, length) < 0 && (errno == EINTR || errno == EAGAIN)) {
        struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
        if (errno == EAGAIN)
            (void)poll(&ready, 1, -1);
    }
    OPENSSL_cleanse(said, sizeof said); /* a made-up password is said too */
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
