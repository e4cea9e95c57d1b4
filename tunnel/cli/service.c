#include "cli/service.h"

#include "cli/file.h"
#include "cli/say.h"
#include "text/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    STATUS_MS = 1000, /* between two that say how many channels there are */
    NOTE_MAX = 512,   /* octets of why a reload failed, */
    NOTE_ROOM = SAY_ESCAPED * NOTE_MAX + 1,
    STATUS_ROOM = NOTE_ROOM + 320,
    SEND_SECONDS = 1 /* what a manager that does not read holds us up for */
};

struct service {
    int fd;
    uint64_t watchdog_ms; /* between two signs of life; 0: none is wanted */
    atomic_bool ready;    /* there are handles */
    char note[NOTE_ROOM]; /* why the last reload failed; "": it did not */

    void (*are_alive)(void *owner);
    void *owner;
    bool asked; /* whether everybody is alive, and not answered yet */
    uv_timer_t watchdog;

    /* Counted by any thread, which wakes the loop; shown by it. */
    atomic_uint open;
    atomic_ullong all;
    atomic_bool counted;
    uv_async_t wake;
    uv_timer_t pause; /* active: a status was sent less than STATUS_MS ago */
};

/* ---- the environment ---- */

static bool address_of(struct sockaddr_un *address, socklen_t *size, const char *name)
{
    size_t length = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || name[1] == '\0' ||
        length >= sizeof address->sun_path) {
        errno = EINVAL;
        return false;
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, length);
    if (name[0] == '@') /* no file: the kernel's own names begin with a NUL and have no end */
        address->sun_path[0] = '\0';
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return true;
}

/* A socket that sends to name; -1 with errno. Connected now: a sandbox may not let it later. */
static int connect_to(const char *name)
{
    const struct timeval limit = {.tv_sec = SEND_SECONDS};
    struct sockaddr_un address;
    socklen_t size;
    int fd = -1;

    if (!address_of(&address, &size, name))
        return -1;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
        connect(fd, (const struct sockaddr *)&address, size) == 0)
        return fd;
    int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

/* A number of the environment, 0 if it is none. */
static uint64_t number_of(const char *name)
{
    const char *text = secure_getenv(name);
    char *end;

    if (text == NULL || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' ? number : 0;
}

/* Half of the time that the manager allows, if it is this process that it watches. */
static uint64_t watchdog_ms(void)
{
    uint64_t us = number_of("WATCHDOG_USEC");
    bool ours =
        secure_getenv("WATCHDOG_PID") == NULL || number_of("WATCHDOG_PID") == (uint64_t)getpid();

    return !ours || us == 0 ? 0 : us < 2000 ? 1 : us / 2000;
}

struct service *service_new(void)
{
    const char *name = secure_getenv("NOTIFY_SOCKET");
    struct service *s = NULL;

    if (name != NULL && *name != '\0') {
        int fd = connect_to(name);
        s = fd >= 0 ? calloc(1, sizeof *s) : NULL;
        if (s == NULL) {
            say_error("warning: the service manager cannot be told anything (NOTIFY_SOCKET): %s",
                      file_error_text(fd < 0 ? errno : ENOMEM));
            if (fd >= 0)
                (void)close(fd);
        } else {
            s->fd = fd;
            s->watchdog_ms = watchdog_ms();
        }
    }
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    return s;
}

/* ---- what is said ---- */

/* A manager that has gone or is stuck does not keep the tunnel from its work. */
static bool tell(const struct service *s, const char *text, bool wait)
{
    ssize_t n;

    do
        n = send(s->fd, text, strlen(text), MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

/* STATUS= and a line feed, into line[size]. */
static void status_text(const struct service *s, char *line, size_t size)
{
    char facts[256];

    (void)snprintf(facts, sizeof facts, text("channels: %u open, %llu so far"),
                   atomic_load(&s->open), atomic_load(&s->all));
    (void)snprintf(line, size, "STATUS=%s%s%s\n", s->note, s->note[0] != '\0' ? "; " : "", facts);
}

static void show(struct service *s)
{
    char line[STATUS_ROOM];

    atomic_store(&s->counted, false);
    status_text(s, line, sizeof line);
    (void)tell(s, line, false);
}

static void on_pause(uv_timer_t *timer);

/* At once, or when the last time is long enough ago. */
static void show_soon(struct service *s)
{
    if (uv_is_active((const uv_handle_t *)&s->pause))
        return;
    show(s);
    (void)uv_timer_start(&s->pause, on_pause, STATUS_MS, 0);
}

static void on_pause(uv_timer_t *timer)
{
    struct service *s = timer->data;

    if (atomic_load(&s->counted))
        show_soon(s);
}

static void on_wake(uv_async_t *wake)
{
    show_soon(wake->data);
}

void service_count(struct service *s, const struct report *report)
{
    if (s == NULL || (report->type != REPORT_AUTHENTICATED && report->type != REPORT_ENDED))
        return;
    if (report->type == REPORT_AUTHENTICATED) {
        atomic_fetch_add(&s->open, 1);
        atomic_fetch_add(&s->all, 1);
    } else {
        atomic_fetch_sub(&s->open, 1);
    }
    /* Before it is ready there is no loop to wake: that shows what was counted. */
    if (atomic_load(&s->ready) && !atomic_exchange(&s->counted, true))
        (void)uv_async_send(&s->wake);
}

/* ---- alive ---- */

static void on_watchdog(uv_timer_t *timer)
{
    struct service *s = timer->data;

    if (s->asked)
        return;
    s->asked = true;
    s->are_alive(s->owner);
}

void service_alive(struct service *s)
{
    if (s == NULL || !s->asked)
        return;
    s->asked = false;
    (void)tell(s, "WATCHDOG=1\n", true);
}

/* ---- states ---- */

void service_ready(struct service *s, struct loop *loop, bool moved, void (*are_alive)(void *owner),
                   void *owner)
{
    char line[STATUS_ROOM + 64], status[STATUS_ROOM];

    if (s == NULL || atomic_load(&s->ready))
        return;
    /* None of these fails once there is a loop. */
    (void)uv_timer_init(&loop->uv, &s->watchdog);
    (void)uv_timer_init(&loop->uv, &s->pause);
    if (uv_async_init(&loop->uv, &s->wake, on_wake) != 0)
        return;
    s->watchdog.data = s->pause.data = s->wake.data = s;
    uv_unref((uv_handle_t *)&s->watchdog);
    uv_unref((uv_handle_t *)&s->pause);
    uv_unref((uv_handle_t *)&s->wake);
    s->are_alive = are_alive;
    s->owner = owner;
    atomic_store(&s->ready, true);
    status_text(s, status, sizeof status);
    if (moved)
        (void)snprintf(line, sizeof line, "READY=1\nMAINPID=%ld\n%s", (long)getpid(), status);
    else
        (void)snprintf(line, sizeof line, "READY=1\n%s", status);
    (void)tell(s, line, true);
    (void)uv_timer_start(&s->pause, on_pause, STATUS_MS, 0);
    if (s->watchdog_ms > 0)
        (void)uv_timer_start(&s->watchdog, on_watchdog, s->watchdog_ms, s->watchdog_ms);
}

void service_reloading(struct service *s)
{
    struct timespec now = {0};
    char line[96];

    if (s == NULL)
        return;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(line, sizeof line, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
                   (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    (void)tell(s, line, true);
}

void service_reloaded(struct service *s, const char *why)
{
    char line[STATUS_ROOM + 64], status[STATUS_ROOM];
    size_t size = 0;

    if (s == NULL)
        return;
    if (why != NULL) /* it may name a file, whatever that is called: it stays one line */
        size = say_escape(s->note, why, strnlen(why, NOTE_MAX));
    s->note[size] = '\0';
    status_text(s, status, sizeof status);
    (void)snprintf(line, sizeof line, "READY=1\n%s", status);
    (void)tell(s, line, true);
}

void service_stopping(struct service *s)
{
    if (s != NULL)
        (void)tell(s, "STOPPING=1\n", true);
}

/* ---- the end ---- */

void service_close(struct service *s)
{
    if (s == NULL || !atomic_exchange(&s->ready, false))
        return;
    uv_close((uv_handle_t *)&s->watchdog, NULL);
    uv_close((uv_handle_t *)&s->pause, NULL);
    uv_close((uv_handle_t *)&s->wake, NULL);
}

void service_free(struct service *s)
{
    if (s == NULL)
        return;
    (void)close(s->fd);
    free(s);
}
