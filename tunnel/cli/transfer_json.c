#include "cli/transfer_json.h"

#include "text/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The ends of a string, of the object and of the line always fit. */
enum { RESERVE = 8, ESCAPED = 6 };

static void add(struct json_line *line, const char *text, size_t size)
{
    memcpy(line->text + line->used, text, size);
    line->used += size;
}

/* Names are ours, and short. */
static bool begin_member(struct json_line *line, const char *name)
{
    size_t room = JSON_LINE - RESERVE - line->used;
    int n = snprintf(line->text + line->used, room, ",\"%s\":", name);

    if (n < 0 || (size_t)n >= room)
        return false;
    line->used += (size_t)n;
    return true;
}

/* One character, or one octet that is none; returns how many octets it takes. */
static size_t add_character(struct json_line *line, const char *at, size_t left)
{
    uint32_t point = 0;
    size_t size = utf8_decode(at, left, &point);
    char escaped[ESCAPED + 1];

    if (size == 0)
        point = (unsigned char)*at;
    if (size == 0 || point < 0x20 || (point >= 0x7f && point < 0xa0)) {
        (void)snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)point & 0xff);
        add(line, escaped, ESCAPED);
        return size == 0 ? 1 : size;
    }
    if (point == '"' || point == '\\')
        add(line, "\\", 1);
    add(line, at, size);
    return size;
}

void json_begin(struct json_line *line, const char *event)
{
    line->used = 0;
    add(line, "{", 1);
    line->used += (size_t)snprintf(line->text + line->used, JSON_LINE - RESERVE - line->used,
                                   "\"event\":\"%s\"", event);
}

void json_string(struct json_line *line, const char *name, const char *value)
{
    size_t size = strlen(value);

    if (line->used + RESERVE >= JSON_LINE || !begin_member(line, name))
        return;
    add(line, "\"", 1);
    for (size_t i = 0; i < size && line->used + ESCAPED + RESERVE < JSON_LINE;)
        i += add_character(line, value + i, size - i);
    add(line, "\"", 1);
}

void json_number(struct json_line *line, const char *name, uint64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, value);

    if (line->used + sizeof digits + RESERVE >= JSON_LINE || !begin_member(line, name))
        return;
    add(line, digits, (size_t)n);
}

void json_bool(struct json_line *line, const char *name, bool value)
{
    if (line->used + sizeof "false" + RESERVE >= JSON_LINE || !begin_member(line, name))
        return;
    add(line, value ? "true" : "false", value ? 4 : 5);
}

int json_write(struct json_line *line, int fd)
{
    size_t at = 0;

    add(line, "}\n", 2);
    while (at < line->used) {
        ssize_t n = write(fd, line->text + at, line->used - at);
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        if (n >= 0)
            at += (size_t)n;
        else if (errno == EAGAIN)
            (void)poll(&ready, 1, -1);
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}
