/*
 * Two channels, and between them somebody who can do as he likes: the input is what the two users
 * do, what the wire does to the octets on it, and how time goes. What comes out of a channel has to
 * be what went into the other, in order; after the first octet that was changed nothing may count;
 * and on a wire that leaves all as it is, everything must arrive.
 *
 * An input is: the kind; then, over and over, an octet (its low four bits are the step, the fifth
 * says whose) and what the step takes.
 */
#include "side.h"

#include <stdlib.h>

enum { WIRE = 1 << 18, SENT_MAX = 1 << 19, STEPS_MAX = 400, MEMORY = 1 << 18 };

/* Octets on their way to one side: those that were sealed, and what the wire made of them. */
struct wire {
    uint8_t *real, *fake;
    size_t real_size, fake_size;
    uint64_t changed_at; /* by the count of the side that gets them; UINT64_MAX: not yet */
};

struct end {
    struct side side;
    struct wire in;
    struct end *peer;
    uint64_t sent; /* octets of data, and of service records */
    size_t todo;   /* octets that the user wants to send */
    uint8_t record[USI_RECORD_DATA];
    bool ended, aborted, dead;
    bool checks; /* instead of a stream */
};

struct pair {
    struct end end[2];
    size_t sent; /* by both */
};

/* The data of a side: every octet says where it belongs. */
static uint8_t pattern(const struct end *e, uint64_t at)
{
    uint64_t state = at / 8 * 2 + (e < e->peer);

    return (uint8_t)(fixed_next(&state) >> at % 8 * 8);
}

static bool changed(const struct pair *p)
{
    return p->end[0].in.changed_at != UINT64_MAX || p->end[1].in.changed_at != UINT64_MAX;
}

/* ---- what a side tells ---- */

static void on_data(struct side *side, const uint8_t *octets, size_t size)
{
    const struct end *e = side->owner;

    REQUIRE(side->got + size <= e->peer->sent);
    for (size_t i = 0; i < size; i++)
        REQUIRE(octets[i] == pattern(e->peer, side->got + i));
}

static void on_event(struct side *side, const struct usi_event *event)
{
    const struct end *e = side->owner;

    /* Nothing but the salt of a password is believed without proof. */
    REQUIRE(side->taken <= e->in.changed_at || event->type == USI_EVENT_SALT);
    if (event->type == USI_EVENT_RECORD)
        REQUIRE(event->record == USI_RECORD_TYPE_FILE + (side->got - event->size) % 32);
    if (event->type == USI_EVENT_END || (event->type == USI_EVENT_BYE && !e->checks))
        REQUIRE(e->peer->ended && side->got == e->peer->sent);
    if (event->type == USI_EVENT_BYE)
        REQUIRE(e->peer->side.got == e->sent);
    if (event->type == USI_EVENT_ABORT)
        REQUIRE(e->peer->aborted && event->reason == USI_REASON_LOCAL_IO);
    if (event->type == USI_EVENT_ANSWER)
        REQUIRE(event->reason == 0);
}

/* ---- what users do ---- */

static void failed(struct pair *p, struct end *e, int result)
{
    if (result == 0 || result == USI_ERR_ARGUMENT)
        return;
    REQUIRE(changed(p));
    e->dead = true;
}

/* Seals what waits, and of the data as much as goes. */
static bool seal(struct pair *p, struct end *e)
{
    static uint8_t out[USI_SEND_ROOM + USI_RECORD_DATA + USI_RECORD_OVERHEAD];
    struct wire *w = &e->peer->in;
    size_t size = e->todo < USI_RECORD_DATA ? e->todo : USI_RECORD_DATA, taken = 0, made = 0;

    if (e->dead || w->real_size + sizeof out > WIRE || w->fake_size + sizeof out > WIRE)
        return false;
    failed(p, e, side_stretch(&e->side));
    if (usi_channel_service(e->side.c) != USI_SERVICE_PIPE || usi_channel_room(e->side.c) == 0)
        size = 0;
    for (size_t i = 0; i < size; i++)
        e->record[i] = pattern(e, e->sent + i);
    int result = usi_channel_send(e->side.c, e->record, size, &taken, out, sizeof out, &made);
    failed(p, e, result);
    REQUIRE(taken <= size && made <= sizeof out);
    e->sent += taken;
    e->todo -= taken;
    memcpy(w->real + w->real_size, out, made);
    memcpy(w->fake + w->fake_size, out, made);
    w->real_size += made;
    w->fake_size += made;
    return made > 0;
}

static void send_record(struct pair *p, struct end *e, size_t size)
{
    static uint8_t out[USI_SEND_ROOM + USI_RECORD_DATA + 512];
    struct wire *w = &e->peer->in;
    size_t made = 0;
    bool taken = false;

    if (e->dead || w->real_size + sizeof out > WIRE || w->fake_size + sizeof out > WIRE ||
        size > usi_channel_room(e->side.c))
        return;
    for (size_t i = 0; i < size; i++)
        e->record[i] = pattern(e, e->sent + i);
    failed(p, e,
           usi_channel_send_record(e->side.c, (uint8_t)(USI_RECORD_TYPE_FILE + e->sent % 32),
                                   e->record, size, &taken, out, sizeof out, &made));
    e->sent += taken ? size : 0;
    memcpy(w->real + w->real_size, out, made);
    memcpy(w->fake + w->fake_size, out, made);
    w->real_size += made;
    w->fake_size += made;
}

static void open_stream(struct pair *p, struct end *e, unsigned service)
{
    int result = service == 9 ? usi_channel_check(e->side.c)
                              : usi_channel_open_for(e->side.c, (enum usi_service)(service % 4));

    failed(p, e, result);
    if (result == 0)
        e->ended = e->peer->ended = false;
    e->checks = result == 0 ? service == 9 : e->checks;
}

static void pass_time(struct pair *p, uint64_t ms)
{
    for (unsigned i = 0; i < 2; i++) {
        struct end *e = &p->end[i];
        e->side.now += ms;
        if (e->dead)
            continue;
        failed(p, e, usi_channel_tick(e->side.c, e->side.now));
        side_check_deadline(&e->side);
    }
}

static void user(struct pair *p, struct end *e, unsigned what, struct fuzz_input *input)
{
    struct usi_channel *c = e->side.c;
    int result;

    switch (what) {
    case 0:
        result = (int)fuzz_take_pair(input);
        if (p->sent + (size_t)result <= SENT_MAX) {
            e->todo += (size_t)result;
            p->sent += (size_t)result;
        }
        break;
    case 1:
        (void)seal(p, e);
        break;
    case 2:
        failed(p, e, usi_channel_rekey(c));
        break;
    case 3:
        result = usi_channel_end(c);
        e->ended = e->ended || result == 0;
        failed(p, e, result);
        break;
    case 4:
        failed(p, e, usi_channel_bye(c));
        break;
    case 5:
        result = usi_channel_abort(c, USI_REASON_LOCAL_IO);
        e->aborted = e->aborted || result == 0;
        failed(p, e, result);
        break;
    case 6:
        open_stream(p, e, fuzz_take(input) % 10);
        break;
    case 7:
        usi_channel_rest(c);
        break;
    case 8:
        failed(p, e, usi_channel_accept(c));
        break;
    case 9:
        failed(p, e, usi_channel_question(c));
        break;
    default:
        send_record(p, e, fuzz_take_pair(input));
        break;
    }
}

/* ---- what the wire does ---- */

/* A side gets up to `size` octets: never more than it wants. */
static bool deliver(struct pair *p, struct end *e, size_t size)
{
    struct wire *w = &e->in;
    bool moved = false;

    while (size > 0 && w->fake_size > 0 && !e->dead) {
        size_t n = usi_channel_want(e->side.c), taken = 0;
        if (n > size)
            n = size;
        if (n > w->fake_size)
            n = w->fake_size;
        for (size_t i = 0; i < n && w->changed_at == UINT64_MAX; i++)
            if (i >= w->real_size || w->fake[i] != w->real[i])
                w->changed_at = e->side.taken + i;
        if (n == 0)
            break;
        int result = side_receive(&e->side, w->fake, n, &taken);
        failed(p, e, result);
        size_t real = taken < w->real_size ? taken : w->real_size;
        memmove(w->fake, w->fake + taken, w->fake_size -= taken);
        memmove(w->real, w->real + real, w->real_size -= real);
        size -= taken;
        moved = moved || taken > 0;
        if (result != 0)
            break;
        if (e->side.salted)
            failed(p, e, side_stretch(&e->side));
    }
    return moved;
}

/* A piece of what is on the way is repeated, or changes its place with what follows it. */
static void shuffle(struct wire *w, size_t at, size_t size, bool swap)
{
    uint8_t piece[256];
    size_t next = w->fake_size - at - size < size ? w->fake_size - at - size : size;

    memcpy(piece, w->fake + at, size);
    if (swap) {
        memmove(w->fake + at, w->fake + at + size, next);
        memcpy(w->fake + at + next, piece, size);
    } else if (w->fake_size + size <= WIRE) {
        memmove(w->fake + at + size, w->fake + at, w->fake_size - at);
        w->fake_size += size;
    }
}

static void spoil(struct wire *w, unsigned what, struct fuzz_input *input)
{
    size_t at = fuzz_take_pair(input), n = fuzz_take(input), left;

    if (w->fake_size == 0)
        return;
    at %= w->fake_size;
    left = w->fake_size - at;
    if (n > left)
        n = left;
    switch (what) {
    case 12: /* a bit is another, or some octets are */
        if (n < 8)
            w->fake[at] ^= (uint8_t)(1u << n);
        else
            memset(w->fake + at, (int)n, n);
        break;
    case 13: /* a piece is lost, or all from here */
        if (n == 0)
            n = left;
        memmove(w->fake + at, w->fake + at + n, left - n);
        w->fake_size -= n;
        break;
    default:
        shuffle(w, at, n / 2, n % 2 != 0);
        break;
    }
}

/* Everything that can go, goes. */
static void settle(struct pair *p)
{
    for (unsigned rounds = 0, moved = 1; moved; rounds++) {
        REQUIRE(rounds < 1000);
        moved = 0;
        for (unsigned i = 0; i < 2; i++) {
            moved |= seal(p, &p->end[i]);
            moved |= deliver(p, &p->end[i], SIZE_MAX);
        }
    }
}

static void step(struct pair *p, struct fuzz_input *input)
{
    unsigned octet = fuzz_take(input), what = octet & 15;
    struct end *e = &p->end[octet >> 4 & 1];
    size_t n;

    if (octet & 0x20) {
        settle(p);
    } else if (what == 11) {
        n = fuzz_take_pair(input);
        (void)deliver(p, e, n > 0 ? n : SIZE_MAX);
    } else if (what == 15) {
        pass_time(p, fuzz_take(input) * UINT64_C(16));
    } else if (what > 11) {
        spoil(&e->in, what, input);
    } else {
        user(p, e, what, input);
    }
}

/* On a wire that changed nothing. */
static void check_whole(struct pair *p)
{
    struct end *a = &p->end[0], *b = &p->end[1];

    settle(p);
    if (changed(p) || a->in.fake_size != a->in.real_size || b->in.fake_size != b->in.real_size)
        return; /* the last octets were lost, and nobody can know yet */
    REQUIRE(!a->dead && !b->dead);
    for (struct end *e = a;; e = b) {
        struct usi_counts counts;
        usi_channel_counts(e->side.c, &counts);
        REQUIRE(counts.authenticated);
        REQUIRE(counts.sent == e->sent && counts.received == e->side.got);
        if (!a->aborted && !b->aborted && e->in.fake_size == 0)
            REQUIRE(e->side.got == e->peer->sent);
        if (e == b)
            break;
    }
    if (usi_channel_peer(a->side.c) != NULL)
        REQUIRE(memcmp(usi_channel_peer(a->side.c)->fingerprint,
                       usi_channel_peer(b->side.c)->fingerprint, USI_FINGERPRINT) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t octets[4][WIRE];
    static struct pair pair;
    struct pair *p = &pair;
    struct fuzz_input input = {data, size};
    enum kind kind = (enum kind)(fuzz_take(&input) % KINDS);

    (void)fuzz_crypto();
    size_t before = fuzz_memory();
    p->sent = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct end *e = &p->end[i];
        *e = (struct end){.peer = &p->end[1 - i],
                          .in = {octets[2 * i], octets[2 * i + 1], 0, 0, UINT64_MAX}};
        side_new(&e->side, i == 0, kind, 1);
        e->side.owner = e;
        e->side.event = on_event;
        e->side.data = on_data;
    }
    for (unsigned steps = 0; input.size > 0 && steps < STEPS_MAX; steps++) {
        step(p, &input);
        REQUIRE(fuzz_memory() - before < MEMORY);
    }
    check_whole(p);
    for (unsigned i = 0; i < 2; i++)
        side_free(&p->end[i].side);
    return 0;
}

/* ---- seeds ---- */

static void keep_kind(fuzz_keep *keep, const char *name, uint8_t kind, const char *steps,
                      size_t size)
{
    uint8_t input[256] = {kind};

    memcpy(input + 1, steps, size);
    keep(name, input, 1 + size);
}

#define KEEP(name, kind, steps) keep_kind(keep, name, kind, steps, sizeof(steps) - 1)

/* 20 settles; 8 accepts, 18 of the other side; 6 opens; 0 sends; 2 rekeys; 3 ends; 4 says bye. */
static void seeds(fuzz_keep *keep)
{
    static const char *const kinds[KINDS] = {"key-128",  "key-192", "key-256",
                                             "identity", "rsa",     "password"};
    static const char whole[] = "\x20\x08\x18\x06\x00\x20\x00\x12\x34\x10\x01\x00\x20\x02\x20\x12"
                                "\x00\x90\x00\x20\x03\x13\x20\x04\x14\x20\x06\x00\x00\x00\x05\x20";

    for (uint8_t kind = 0; kind < KINDS; kind++)
        keep_kind(keep, kinds[kind], kind, whole, sizeof whole - 1);
    KEEP("aged", 2, "\x20\x06\x00\x00\xff\xff\x20\x0f\xff\x20\x10\xff\xff\x0f\xff\x0f\xff\x20");
    KEEP("much", 1, "\x20\x06\x00\x00\xff\xff\x00\xff\xff\x00\xff\xff\x10\xff\xff\x20\x03\x20");
    KEEP("records", 2,
         "\x20\x06\x02\x0a\x00\x05\x0a\x12\x00\x1a\x00\x00\x20\x02\x20\x0a\x00\x01"
         "\x03\x13\x20");
    KEEP("check", 0, "\x20\x06\x09\x20");
    KEEP("question", 3, "\x20\x09\x20\x08\x18\x09\x20\x06\x00\x00\x00\x05\x20");
    KEEP("abort", 2, "\x20\x06\x00\x00\x10\x00\x01\x05\x20");
    KEEP("rest", 2, "\x20\x06\x00\x07\x17\x00\x10\x00\x01\x1b\x01\x00\x17\x1b\x00\x00\x20");
    KEEP("message-1-flip", 2, "\x01\x1c\x00\x08\x03\x20");
    KEEP("message-2-flip", 2, "\x01\x1b\x00\x00\x11\x0c\x00\x28\x03\x20");
    KEEP("proof-lost", 2, "\x01\x1b\x00\x00\x11\x0b\x00\x00\x01\x1d\x00\x00\x00\x20");
    KEEP("record-flip", 2, "\x20\x06\x00\x00\x01\x00\x01\x1c\x00\x40\x01\x20");
    KEEP("record-twice", 2, "\x20\x06\x00\x00\x00\x10\x01\x1e\x00\x00\x48\x20");
    KEEP("record-swap", 2,
         "\x20\x06\x00\x01\x20\x00\x00\x10\x01\x00\x00\x10\x01\x1e\x00\x00\x4b"
         "\x20");
    KEEP("share-flip", 5, "\x01\x1b\x00\x00\x11\x0c\x00\x20\x03\x20");
    KEEP("rekey-crossing", 2,
         "\x20\x06\x00\x02\x12\x00\x10\x00\x01\x11\x1b\x00\x00\x11\x0b\x00"
         "\x00\x10\x20\x00\x11\x01\x20");
}

const struct fuzz_target fuzz_target = {.seeds = seeds};
