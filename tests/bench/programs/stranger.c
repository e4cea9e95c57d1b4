/* Strangers: connections to a server that mean it no good.

     stranger PORT AT_ONCE SOURCES KIND [FILE]

   Keeps AT_ONCE connections to 127.0.0.1:PORT, from SOURCES addresses of 127/8 in turn, and opens
   another as soon as one has ended. KIND: leave    connects, and closes at once stay     says
   nothing, until the server closes drip     sends FILE, an octet every three seconds send     sends
   FILE, and closes when the server has closed, or has said all it has to say to that random   the
   same, but all octets after the first RANDOM_FROM ones are random, each time others RANDOM_FROM is
   in the environment; 0 without it. PATIENCE_MS there: how long `send` waits for more to be
   said, 20.

   For every line on standard input it says what has happened since it began, as one JSON object:
     opened, ended (by the server), most (at once), now. It ends with its input. One thread, epoll.
 */
#include "loopback.h"
#include <poll.h>
#include <sys/random.h>

enum { EVENTS = 256, MESSAGE_MAX = 65536, BURST = 64, DRIP_SECONDS = 3 };
enum kind { LEAVE, STAY, DRIP, SEND, RANDOM };

struct peer {
    struct peer *next, **at;
    int fd;
    int connected;
    size_t sent;
    double quiet_since; /* send, random: when the server spoke last */
};

static struct {
    int port, at_once, sources, epoll;
    enum kind kind;
    char message[MESSAGE_MAX];
    size_t size, random_from;
    double patience;
    int next_source;
    struct peer *peers, *gone;
    long opened, ended, most, now;
} s;

static void close_peer(struct peer *p)
{
    struct linger at_once = {.l_onoff = 1}; /* no TIME_WAIT: ports would run out */

    if (s.kind != LEAVE)
        setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(p->fd);
    p->fd = -1;
    *p->at = p->next;
    if (p->next != NULL)
        p->next->at = p->at;
    p->next = s.gone; /* events of this turn may still name it */
    s.gone = p;
    s.now--;
}

static int open_peer(void)
{
    struct sockaddr_in to = loopback_address(s.port), from = loopback_address(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT};
    struct peer *p = calloc(1, sizeof *p);
    int one = 1, n = s.next_source++ % s.sources;

    if (p == NULL)
        die("stranger: memory");
    from.sin_addr.s_addr = htonl(0x7f010001u + (uint32_t)(n / 250 << 16) + (uint32_t)(n % 250));
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0)
        die("stranger: socket");
    setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(p->fd, (struct sockaddr *)&from, sizeof from) < 0)
        die("stranger: bind");
    if (connect(p->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        close(p->fd);
        free(p);
        return 0;
    }
    event.data.ptr = p;
    epoll_ctl(s.epoll, EPOLL_CTL_ADD, p->fd, &event);
    p->next = s.peers;
    p->at = &s.peers;
    if (p->next != NULL)
        p->next->at = &p->next;
    s.peers = p;
    if (++s.now > s.most)
        s.most = s.now;
    return 1;
}

static void say(struct peer *p)
{
    char message[MESSAGE_MAX];

    memcpy(message, s.message, s.size);
    if (s.kind == RANDOM && s.size > s.random_from &&
        getrandom(message + s.random_from, s.size - s.random_from, 0) < 0)
        die("stranger: getrandom");
    if (send(p->fd, message, s.size, MSG_NOSIGNAL) >= 0)
        p->sent = s.size;
}

/* It is connected. */
static void begin(struct peer *p)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};

    p->connected = 1;
    s.opened++;
    epoll_ctl(s.epoll, EPOLL_CTL_MOD, p->fd, &event);
    if (s.kind == LEAVE) {
        close_peer(p);
    } else if (s.kind == SEND || s.kind == RANDOM) {
        say(p);
        p->quiet_since = 0;
    }
}

static void turn(struct peer *p, unsigned events)
{
    char heard[4096];

    if (p->fd < 0)
        return;
    if (events & (EPOLLERR | EPOLLHUP) && !p->connected) {
        close_peer(p);
        return;
    }
    if (!p->connected && events & EPOLLOUT)
        begin(p);
    if (p->fd < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    ssize_t got = recv(p->fd, heard, sizeof heard, 0);
    if (got > 0) {
        p->quiet_since = now_seconds();
    } else if (got == 0 || errno != EAGAIN) {
        s.ended++;
        close_peer(p);
    }
}

/* Those that were answered and hear no more. */
static void end_answered(double now)
{
    struct peer *next;

    for (struct peer *p = s.peers; p != NULL; p = next) {
        next = p->next;
        if (p->quiet_since > 0 && now - p->quiet_since > s.patience)
            close_peer(p);
    }
}

static void drip(void)
{
    for (struct peer *p = s.peers; p != NULL; p = p->next)
        if (p->connected && p->sent < s.size &&
            send(p->fd, s.message + p->sent, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
            p->sent++;
}

static void free_gone(void)
{
    while (s.gone != NULL) {
        struct peer *p = s.gone;
        s.gone = p->next;
        free(p);
    }
}

/* Has been asked, and tells; exits at the end of the input. */
static void answer(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    char line[256];

    if (poll(&input, 1, 0) <= 0)
        return;
    if (read(0, line, sizeof line) <= 0)
        exit(0);
    printf("{\"opened\": %ld, \"ended\": %ld, \"most\": %ld, \"now\": %ld}\n", s.opened, s.ended,
           s.most, s.now);
    fflush(stdout);
}

static _Noreturn void run(void)
{
    struct epoll_event events[EVENTS];
    double next_drip = 0, next_look = 0;

    for (;;) {
        for (int i = 0; i < BURST && s.now < s.at_once && open_peer(); i++)
            ;
        int n = epoll_wait(s.epoll, events, EVENTS, s.now < s.at_once ? 1 : 10);
        if (n < 0 && errno != EINTR)
            die("stranger: epoll_wait");
        for (int i = 0; i < n; i++)
            turn(events[i].data.ptr, events[i].events);
        double now = now_seconds();
        if (s.kind == DRIP && now >= next_drip) {
            drip();
            next_drip = now + DRIP_SECONDS;
        }
        if (now >= next_look) {
            end_answered(now);
            answer();
            next_look = now + s.patience / 4;
        }
        free_gone();
    }
}

static void read_message(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL || (s.size = fread(s.message, 1, sizeof s.message, file)) == 0)
        die(path);
    fclose(file);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"leave", "stay", "drip", "send", "random"};
    const char *from = getenv("RANDOM_FROM"), *patience = getenv("PATIENCE_MS");

    if (argc < 5) {
        fprintf(stderr,
                "usage: stranger PORT AT_ONCE SOURCES leave|stay|drip|send|random [FILE]\n");
        return 2;
    }
    s.port = atoi(argv[1]);
    s.at_once = atoi(argv[2]);
    s.sources = atoi(argv[3]);
    while (s.kind <= RANDOM && strcmp(kinds[s.kind], argv[4]) != 0)
        s.kind++;
    if (s.kind > RANDOM || s.port <= 0 || s.at_once <= 0 || s.sources <= 0 || s.sources > 60000 ||
        (s.kind > STAY && argc < 6)) {
        fprintf(stderr, "stranger: no such kind, or a number that cannot be\n");
        return 2;
    }
    if (s.kind > STAY)
        read_message(argv[5]);
    s.random_from = from != NULL ? strtoul(from, NULL, 10) : 0;
    s.patience = (patience != NULL ? atoi(patience) : 20) * 1e-3;
    raise_file_limit();
    s.epoll = epoll_create1(EPOLL_CLOEXEC);
    run();
}
