/*
 * What comes to one side of a channel, raw: the input is all the octets that a peer sends, message
 * 1 or 2 first. The seeds are what honest peers sent in this very run, for all that is random is
 * the same in every run: so each change of them stands at its place in a live handshake.
 *
 * An input is: an octet (kind, whose side, and whether a connector asks for a password), an octet
 * (how the octets are cut up), the octets. The side does what a program does: it stretches,
 * accepts, opens a stream, sends a little, ends.
 */
#include "side.h"

#include <stdio.h>

enum { LISTENS = 0x80, ASKS = 0x40, OUT = 1 << 16 };

/* What the side itself does when that happens. */
static void on_event(struct side *side, const struct usi_event *event)
{
    static const bool must[USI_EVENT_RECORD + 1] = {[USI_EVENT_END] = true};

    switch (event->type) {
    case USI_EVENT_AUTHENTICATED:
        if (usi_channel_held(side->c))
            REQUIRE(usi_channel_accept(side->c) == 0);
        if (side->owner != NULL)
            (void)usi_channel_question(side->c);
        (void)usi_channel_open(side->c);
        break;
    case USI_EVENT_END:
        (void)usi_channel_end(side->c);
        REQUIRE(usi_channel_bye(side->c) == 0);
        break;
    default:
        REQUIRE(!must[event->type]);
        break;
    }
}

/* What it sends; for the seeds, `out` gets it. */
static int answer(struct side *side, uint8_t *out, size_t *made)
{
    static const uint8_t data[] = "some";
    size_t taken = 0, room = usi_channel_room(side->c);
    int result = side_stretch(side);

    *made = 0;
    if (usi_channel_service(side->c) != USI_SERVICE_PIPE)
        room = 0;
    if (result == 0)
        result = usi_channel_send(side->c, data, room < sizeof data ? room : sizeof data, &taken,
                                  out, OUT, made);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[OUT];
    struct fuzz_input input = {data, size};
    unsigned first = fuzz_take(&input), cut = fuzz_take(&input);
    struct side side;
    int result = 0;
    size_t made;

    side_new(&side, (first & LISTENS) == 0, (enum kind)((first & 0x3f) % KINDS), 1);
    side.event = on_event;
    side.owner = first & ASKS ? &side : NULL;
    (void)answer(&side, out, &made);
    while (input.size > 0 && result == 0) {
        size_t n = usi_channel_want(side.c), taken = 0;
        if (n == 0 || cut % 8 == 7) /* out of turn */
            n = input.size;
        if (cut > 8 && n > cut / 8)
            n = cut / 8;
        const uint8_t *in = fuzz_take_octets(&input, n, &n);
        result = side_receive(&side, in, n, &taken);
        if (result == 0)
            result = answer(&side, out, &made);
        side_check_deadline(&side);
    }
    struct usi_counts counts;
    usi_channel_counts(side.c, &counts);
    /* A stranger's octets have no way to that, unless they are those of the seed. */
    REQUIRE(counts.authenticated || (side.got == 0 && counts.streams == 0));
    side_free(&side);
    return 0;
}

/* ---- seeds ---- */

struct log {
    uint8_t octets[8192];
    size_t size;
};

/* One side answers, the other gets it. */
static void pass(struct side *from, struct side *to, struct log *log)
{
    static uint8_t out[OUT];
    size_t made = 0, at = 0;

    REQUIRE(answer(from, out, &made) == 0);
    REQUIRE(log->size + made <= sizeof log->octets);
    memcpy(log->octets + log->size, out, made);
    log->size += made;
    while (at < made) {
        size_t n = usi_channel_want(to->c), taken = 0;
        if (n > made - at)
            n = made - at;
        REQUIRE(n > 0 && side_receive(to, out + at, n, &taken) == 0);
        at += taken;
    }
}

/* A stream there and back, a rekey in the middle if that is wanted, both ends. */
static void seed(fuzz_keep *keep, enum kind kind, bool rekeys, bool asks)
{
    static const char *const names[KINDS] = {"key-128",  "key-192", "key-256",
                                             "identity", "rsa",     "password"};
    struct log log[2] = {{{(uint8_t)(kind | (asks ? ASKS : 0))}, 2},
                         {{(uint8_t)(kind | LISTENS)}, 2}}; /* who got it */
    struct side side[2];
    char name[40];

    for (unsigned i = 0; i < 2; i++) {
        side_new(&side[i], i == 0, kind, 1);
        side[i].event = on_event;
        side[i].owner = asks && i == 0 ? &side[i] : NULL;
    }
    for (unsigned round = 0; round < 12; round++) {
        if (rekeys && round == 4)
            REQUIRE(usi_channel_rekey(side[0].c) == 0);
        if (round == 8)
            REQUIRE(usi_channel_end(side[0].c) == 0);
        pass(&side[0], &side[1], &log[1]);
        pass(&side[1], &side[0], &log[0]);
    }
    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof name, "%s-%s%s%s", names[kind],
                       i == 0 ? "connector" : "listener", rekeys ? "-rekey" : "",
                       asks ? "-question" : "");
        keep(name, log[i].octets, log[i].size);
        side_free(&side[i]);
    }
}

static void seeds(fuzz_keep *keep)
{
    for (unsigned kind = 0; kind < KINDS; kind++)
        seed(keep, (enum kind)kind, false, false);
    seed(keep, KIND_KEY_256, true, false);
    seed(keep, KIND_IDENTITY, true, false);
    seed(keep, KIND_PASSWORD, true, false);
    seed(keep, KIND_IDENTITY, false, true);
}

const struct fuzz_target fuzz_target = {.seeds = seeds};
