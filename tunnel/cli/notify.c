#include "cli/notify.h"

#include "cli/inert.h"
#include "text/utf8.h"

#ifdef USI_HAVE_SD_BUS

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

enum {
    BETWEEN_MS = 1000,
    TITLE_CHARACTERS = 64,
    BODY_CHARACTERS = 240,
    ESCAPED = 6, /* octets that an octet becomes: &quot; */
    TEXT_MAX = ESCAPED * 4 * BODY_CHARACTERS + 4
};

/* A connection to the bus, with a handle of its own: both go when the bus does. */
struct bus {
    sd_bus *bus;
    int fd;
    uv_poll_t poll;
};

struct notify {
    struct loop *loop;
    struct bus *bus; /* NULL: none */
    uint64_t last;   /* when the last one went out, by uv_now */
    bool any;
};

/* ---- text ---- */

static const char *entity(char character)
{
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* Writes text to out[TEXT_MAX] without what is not to be shown, escaped if markup, and cut to so
 * many characters. */
static void clean(char *out, const char *text, bool markup, size_t most)
{
    size_t length = strnlen(text, 8 * most), written = 0, characters = 0;
    unsigned marks = 0;

    for (size_t i = 0, size; i < length; i += size) {
        uint32_t point;
        size = utf8_decode(text + i, length - i, &point);
        if (size == 0 || inert_changes(point)) {
            size += size == 0;
            continue;
        }
        marks = inert_is_mark(point) ? marks + 1 : 0;
        if (marks > INERT_MARKS)
            continue;
        if (characters++ == most) {
            memcpy(out + written, "\xe2\x80\xa6", 3); /* an ellipsis */
            written += 3;
            break;
        }
        const char *name = markup ? entity(text[i]) : NULL;
        size_t n = name != NULL ? strlen(name) : size;
        memcpy(out + written, name != NULL ? name : text + i, n);
        written += n;
    }
    out[written] = '\0';
}

/* ---- the bus ---- */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void drop_bus(struct notify *n)
{
    struct bus *bus = n->bus;

    if (bus == NULL)
        return;
    n->bus = NULL;
    bus->poll.data = bus;
    uv_close((uv_handle_t *)&bus->poll, on_closed); /* before its descriptor is closed */
    (void)sd_bus_close_unref(bus->bus);
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* Does what the bus has to do, without waiting, and watches for more. */
static void go_on(struct notify *n)
{
    int result, events = 0;

    do
        result = sd_bus_process(n->bus->bus, NULL);
    while (result > 0);
    if (result == 0)
        result = events = sd_bus_get_events(n->bus->bus);
    if (result < 0 || sd_bus_get_fd(n->bus->bus) != n->bus->fd) {
        drop_bus(n);
        return;
    }
    int wanted =
        ((events & POLLIN) != 0 ? UV_READABLE : 0) | ((events & POLLOUT) != 0 ? UV_WRITABLE : 0);
    if (uv_poll_start(&n->bus->poll, wanted, on_poll) != 0)
        drop_bus(n);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct notify *n = poll->data;

    (void)events;
    if (status < 0)
        drop_bus(n);
    else
        go_on(n);
}

static bool have_bus(struct notify *n)
{
    struct bus *bus;

    if (n->bus != NULL)
        return true;
    bus = calloc(1, sizeof *bus);
    if (bus == NULL)
        return false;
    if (sd_bus_open_user(&bus->bus) < 0) {
        free(bus);
        return false;
    }
    bus->fd = sd_bus_get_fd(bus->bus);
    if (bus->fd < 0 || uv_poll_init(&n->loop->uv, &bus->poll, bus->fd) != 0) {
        (void)sd_bus_close_unref(bus->bus);
        free(bus);
        return false;
    }
    bus->poll.data = n;
    uv_unref((uv_handle_t *)&bus->poll);
    n->bus = bus;
    return true;
}

static int send_one(sd_bus *bus, const char *title, const char *body)
{
    static const char name[] = "org.freedesktop.Notifications",
                      path[] = "/org/freedesktop/Notifications";
    sd_bus_message *call = NULL;
    int result = sd_bus_message_new_method_call(bus, &call, name, path, name, "Notify");

    if (result >= 0)
        result = sd_bus_message_append(call, "susssasa{sv}i", "usi-tunnel", (uint32_t)0, "", title,
                                       body, 0, 0, (int32_t)-1);
    if (result >= 0)
        result = sd_bus_message_set_expect_reply(call, 0);
    if (result >= 0)
        result = sd_bus_send(bus, call, NULL);
    (void)sd_bus_message_unref(call);
    return result;
}

void notify_show(struct notify *n, const char *title, const char *body)
{
    char clean_title[TEXT_MAX], clean_body[TEXT_MAX];

    if (n == NULL)
        return;
    uint64_t now = uv_now(&n->loop->uv);
    if ((n->any && now - n->last < BETWEEN_MS) || !have_bus(n))
        return;
    n->any = true;
    n->last = now;
    clean(clean_title, title, false, TITLE_CHARACTERS);
    clean(clean_body, body, true, BODY_CHARACTERS);
    if (send_one(n->bus->bus, clean_title, clean_body) < 0)
        drop_bus(n);
    else
        go_on(n);
}

struct notify *notify_new(struct loop *loop)
{
    struct notify *n = calloc(1, sizeof *n);

    if (n != NULL)
        n->loop = loop;
    return n;
}

void notify_close(struct notify *n)
{
    if (n == NULL)
        return;
    drop_bus(n);
    free(n);
}

#else

struct notify *notify_new(struct loop *loop)
{
    (void)loop;
    return NULL;
}

void notify_show(struct notify *notify, const char *title, const char *body)
{
    (void)notify, (void)title, (void)body;
}

void notify_close(struct notify *notify)
{
    (void)notify;
}

#endif
