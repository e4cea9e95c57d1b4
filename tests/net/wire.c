/* wire [NAME VALUE]...
 *
 * A network that misbehaves as it is told: two network namespaces, each with a TUN device `wire`
 * (192.0.2.1 in the near one, 192.0.2.2 in the far one), and between them this program, which
 * carries each packet over, later, or not. It prints `ready NEAR FAR`, the descriptors of the two
 * namespaces, which others enter by /proc/PID/fd/NEAR. Nothing has a name: when it ends, at the
 * end of its standard input or by any signal, all of it is gone.
 *
 * Settings, as arguments or as lines of standard input, each answered by `ok`:
 *
 *   delay MS, jitter MS      each way, and up to so much more, in order
 *   loss, duplicate PERCENT  of the packets, each way
 *   reorder PERCENT          held back by `late` MS (5) more, so that others overtake them
 *   rate MBIT, queue KIB     a link so fast (0: as fast as may be), and how much waits before it
 *                            (1024); what finds no room there is lost
 *   seed N                   of all that is random (1)
 *   mtu OCTETS               of the devices (1500); only as an argument
 *
 * Further lines: `cut` loses everything, also what is under way; `cut-after N` does so once N more
 * packets have arrived at either side; `restore` ends it; `count` answers `count PASSED LOST`, of
 * all packets so far.
 *
 * Besides the queue, what is under way is bounded by HELD_MAX packets each way; a device's own
 * queue has DEVICE_QUEUE. Status 77 where it may not make namespaces or devices.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PACKET_MAX = 65535, HELD_MAX = 65536, DEVICE_QUEUE = 4096, BATCH = 64, LINE = 256 };
enum { SKIPPED = 77 };

#define NS_PER_MS UINT64_C(1000000)

struct settings {
    double delay, jitter, loss, duplicate, reorder, late, rate, queue, seed, mtu;
};

struct packet {
    uint64_t due, order; /* ns; packets due together keep their order */
    size_t size;
    uint8_t octets[];
};

/* One direction. */
struct way {
    int from, to;
    struct packet **held; /* a heap, the next due first */
    size_t count;
    uint64_t order;
    uint64_t free_at;  /* when the link has sent what it was given */
    uint64_t last_due; /* of what is not reordered */
    uint64_t random;
};

struct wire {
    struct settings settings;
    struct way way[2];
    bool is_cut;
    uint64_t left; /* packets that may still arrive before a cut; UINT64_MAX: no end of them */
    uint64_t passed, lost;
    char line[LINE];
    size_t line_size;
};

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 * NS_PER_MS + (uint64_t)t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
    int skip = errno == EPERM || errno == EACCES || errno == ENOENT || errno == ENOSYS;

    (void)fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
    exit(skip ? SKIPPED : 1);
}

/* ---- chance ---- */

/* Between 0 and 1: splitmix64. */
static double chance(struct way *w)
{
    uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) / 9007199254740992.0; /* 2^53 */
}

static bool happens(struct way *w, double percent)
{
    return percent > 0 && chance(w) * 100 < percent;
}

/* ---- what is under way ---- */

static bool sooner(const struct packet *a, const struct packet *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void swap(struct packet **a, struct packet **b)
{
    struct packet *c = *a;

    *a = *b;
    *b = c;
}

static void hold(struct way *w, struct packet *p)
{
    size_t i = w->count++;

    w->held[i] = p;
    for (; i > 0 && sooner(w->held[i], w->held[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&w->held[i], &w->held[(i - 1) / 2]);
}

static struct packet *next(struct way *w)
{
    struct packet *first = w->held[0];

    w->held[0] = w->held[--w->count];
    for (size_t i = 0, child = 1; child < w->count; i = child, child = 2 * i + 1) {
        if (child + 1 < w->count && sooner(w->held[child + 1], w->held[child]))
            child++;
        if (!sooner(w->held[child], w->held[i]))
            break;
        swap(&w->held[i], &w->held[child]);
    }
    return first;
}

/* When the link has sent a packet that comes now; 0: it has no room for it. */
static uint64_t sent_at(const struct settings *s, struct way *w, size_t size, uint64_t now)
{
    if (s->rate <= 0)
        return now;
    double ns_per_octet = 8000 / s->rate;
    uint64_t begun = w->free_at > now ? w->free_at : now;
    if ((double)(begun - now) > s->queue * 1024 * ns_per_octet)
        return 0;
    w->free_at = begun + (uint64_t)((double)size * ns_per_octet);
    return w->free_at;
}

static void add(struct wire *wire, struct way *w, const uint8_t *octets, size_t size, uint64_t due)
{
    struct packet *p = w->count < HELD_MAX ? malloc(sizeof *p + size) : NULL;

    if (p == NULL) {
        wire->lost++;
        return;
    }
    p->due = due;
    p->order = w->order++;
    p->size = size;
    memcpy(p->octets, octets, size);
    hold(w, p);
}

static void take(struct wire *wire, struct way *w, const uint8_t *octets, size_t size, uint64_t now)
{
    const struct settings *s = &wire->settings;

    if (size == 0 || octets[0] >> 4 != 4) /* IPv6 looks for neighbours: nothing of ours */
        return;
    uint64_t due = wire->is_cut || happens(w, s->loss) ? 0 : sent_at(s, w, size, now);
    if (due == 0) {
        wire->lost++;
        return;
    }
    due += (uint64_t)((s->delay + s->jitter * chance(w)) * (double)NS_PER_MS);
    if (happens(w, s->reorder)) {
        due += (uint64_t)(s->late * (double)NS_PER_MS);
    } else {
        due = due > w->last_due ? due : w->last_due;
        w->last_due = due;
    }
    add(wire, w, octets, size, due);
    if (happens(w, s->duplicate))
        add(wire, w, octets, size, due);
}

static void give(struct wire *wire, struct way *w, uint64_t now)
{
    while (w->count > 0 && w->held[0]->due <= now) {
        struct packet *p = next(w);
        bool arrives = !wire->is_cut && write(w->to, p->octets, p->size) == (ssize_t)p->size;
        *(arrives ? &wire->passed : &wire->lost) += 1;
        if (arrives && wire->left != UINT64_MAX)
            wire->is_cut = --wire->left == 0;
        free(p);
    }
}

static void carry(struct wire *wire, struct way *w)
{
    uint8_t octets[PACKET_MAX];
    uint64_t now = now_ns();

    for (int i = 0; i < BATCH; i++) {
        ssize_t size = read(w->from, octets, sizeof octets);
        if (size < 0)
            break;
        take(wire, w, octets, (size_t)size, now);
    }
}

/* ---- what it is told ---- */

/* One setting; false: it is none. */
static bool set(struct settings *s, const char *name, const char *value)
{
    static const struct {
        const char *name;
        size_t at;
    } known[] = {
        {"delay", offsetof(struct settings, delay)},
        {"jitter", offsetof(struct settings, jitter)},
        {"loss", offsetof(struct settings, loss)},
        {"duplicate", offsetof(struct settings, duplicate)},
        {"reorder", offsetof(struct settings, reorder)},
        {"late", offsetof(struct settings, late)},
        {"rate", offsetof(struct settings, rate)},
        {"queue", offsetof(struct settings, queue)},
        {"seed", offsetof(struct settings, seed)},
        {"mtu", offsetof(struct settings, mtu)},
    };
    char *end;
    double number = strtod(value, &end);

    if (end == value || *end != '\0' || !(number >= 0))
        return false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0) {
            memcpy((char *)s + known[i].at, &number, sizeof number);
            return true;
        }
    return false;
}

static void cut_after(struct wire *wire, uint64_t packets)
{
    wire->left = packets;
    wire->is_cut = packets == 0;
}

static void seed(struct wire *wire)
{
    for (int i = 0; i < 2; i++)
        wire->way[i].random = (uint64_t)wire->settings.seed * 2 + (uint64_t)i;
}

static void obey(struct wire *wire, char *line)
{
    char *value = strchr(line, ' ');

    if (value != NULL)
        *value++ = '\0';
    if (strcmp(line, "cut") == 0 && value == NULL) {
        cut_after(wire, 0);
    } else if (strcmp(line, "cut-after") == 0 && value != NULL) {
        cut_after(wire, strtoull(value, NULL, 10));
    } else if (strcmp(line, "restore") == 0 && value == NULL) {
        cut_after(wire, UINT64_MAX);
    } else if (strcmp(line, "count") == 0 && value == NULL) {
        (void)printf("count %" PRIu64 " %" PRIu64 "\n", wire->passed, wire->lost);
        return;
    } else if (value == NULL || !set(&wire->settings, line, value)) {
        (void)printf("not understood\n");
        return;
    } else if (strcmp(line, "seed") == 0) {
        seed(wire);
    }
    (void)printf("ok\n");
}

/* False at the end of standard input. */
static bool listen_to_user(struct wire *wire)
{
    size_t room = wire->line_size < LINE - 1 ? LINE - 1 - wire->line_size : 0;
    ssize_t size = read(STDIN_FILENO, wire->line + wire->line_size, room);
    char *begin = wire->line, *end;

    if (size <= 0)
        return false;
    wire->line_size += (size_t)size;
    wire->line[wire->line_size] = '\0';
    for (; (end = strchr(begin, '\n')) != NULL; begin = end + 1) {
        *end = '\0';
        obey(wire, begin);
    }
    wire->line_size = strlen(begin);
    memmove(wire->line, begin, wire->line_size);
    return fflush(stdout) == 0 && wire->line_size < LINE - 1;
}

/* ---- the devices ---- */

/* Gives an interface of this namespace its address, if any, and starts it. */
static void bring_up(const char *name, const char *address, const struct settings *s)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket");
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (address != NULL) {
        in.sin_addr.s_addr = inet_addr(address);
        memcpy(&request.ifr_addr, &in, sizeof in);
        if (ioctl(fd, SIOCSIFADDR, &request) != 0)
            die("SIOCSIFADDR");
        in.sin_addr.s_addr = htonl(0xffffff00);
        memcpy(&request.ifr_netmask, &in, sizeof in);
        if (ioctl(fd, SIOCSIFNETMASK, &request) != 0)
            die("SIOCSIFNETMASK");
        request.ifr_mtu = (int)s->mtu;
        if (ioctl(fd, SIOCSIFMTU, &request) != 0)
            die("SIOCSIFMTU");
        request.ifr_qlen = DEVICE_QUEUE;
        if (ioctl(fd, SIOCSIFTXQLEN, &request) != 0)
            die("SIOCSIFTXQLEN");
    }
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0)
        die("SIOCSIFFLAGS");
    (void)close(fd);
}

/* A new namespace, which this process is in from now on, and its device. */
static int make_side(const char *address, const struct settings *s, int *device)
{
    struct ifreq request = {.ifr_name = "wire", .ifr_flags = IFF_TUN | IFF_NO_PI};

    if (unshare(CLONE_NEWNET) != 0)
        die("cannot make a network namespace (that needs root)");
    int space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (space < 0)
        die("/proc/self/ns/net");
    *device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (*device < 0)
        die("/dev/net/tun");
    if (ioctl(*device, TUNSETIFF, &request) != 0)
        die("cannot make a TUN device");
    bring_up("lo", NULL, s);
    bring_up("wire", address, s);
    return space;
}

/* ---- the work ---- */

static struct timespec until_due(const struct wire *wire)
{
    uint64_t due = UINT64_MAX, now = now_ns();

    for (int i = 0; i < 2; i++)
        if (wire->way[i].count > 0 && wire->way[i].held[0]->due < due)
            due = wire->way[i].held[0]->due;
    uint64_t wait = due == UINT64_MAX ? 1000 * NS_PER_MS : due > now ? due - now : 0;
    return (struct timespec){.tv_sec = (time_t)(wait / (1000 * NS_PER_MS)),
                             .tv_nsec = (long)(wait % (1000 * NS_PER_MS))};
}

static void work(struct wire *wire)
{
    struct pollfd polled[3] = {
        {STDIN_FILENO, POLLIN, 0}, {wire->way[0].from, POLLIN, 0}, {wire->way[1].from, POLLIN, 0}};

    for (;;) {
        struct timespec wait = until_due(wire);
        if (ppoll(polled, 3, &wait, NULL) < 0 && errno != EINTR)
            die("ppoll");
        if (polled[0].revents != 0 && !listen_to_user(wire))
            return;
        for (int i = 0; i < 2; i++) {
            if (polled[1 + i].revents != 0)
                carry(wire, &wire->way[i]);
            give(wire, &wire->way[i], now_ns());
        }
    }
}

int main(int argc, char **argv)
{
    struct wire wire = {.settings = {.late = 5, .queue = 1024, .seed = 1, .mtu = 1500},
                        .left = UINT64_MAX};
    int space[2];

    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !set(&wire.settings, argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "wire: %s: not understood\n", argv[i]);
            return 2;
        }
    seed(&wire);
    space[0] = make_side("192.0.2.1", &wire.settings, &wire.way[0].from);
    space[1] = make_side("192.0.2.2", &wire.settings, &wire.way[1].from);
    for (int i = 0; i < 2; i++) {
        wire.way[i].to = wire.way[1 - i].from;
        wire.way[i].held = calloc(HELD_MAX, sizeof(struct packet *));
        if (wire.way[i].held == NULL)
            die("calloc");
    }
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || printf("ready %d %d\n", space[0], space[1]) < 0 ||
        fflush(stdout) != 0)
        return 1;
    work(&wire);
    for (int i = 0; i < 2; i++) {
        while (wire.way[i].count > 0)
            free(next(&wire.way[i]));
        free(wire.way[i].held);
    }
    return 0;
}
