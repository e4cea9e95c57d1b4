/*
 * A transfer of files with a hostile other side, for libFuzzer: the input is what comes to a sender
 * or to a receiver, in any order, with rooms of any size between. Nothing may crash, hang, or write
 * outside the receiver's folder; every record that is sent has to be one that can be read, and that
 * is written the same again.
 *
 * An input is: an octet whose first bit says who is hostile; then, over and over, an octet (its
 * low four bits are the record's type, the others what happens besides), two octets of size, and
 * the content.
 */
#include "apps/receiver.h"
#include "apps/sender.h"
#include "apps/transfer_records.h"
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OFFERED = 1 << 20, LARGE = 70000 };

static char base[] = "/tmp/usi-fuzz-XXXXXX";
static uv_loop_t loop;
static EVP_MD *sha256;
static struct outbox *outbox;
static size_t room;
static bool over;
static struct receiver *receiver;

/* ---- folders ---- */

static const char *path(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *text = paths[next++ % 4];

    (void)snprintf(text, sizeof paths[0], "%s/%s", base, name);
    return text;
}

static int remove_one(const char *name, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts, (void)kind, (void)place;
    return remove(name);
}

static void remove_all(void)
{
    (void)nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_file(const char *name, size_t size)
{
    static uint8_t octets[LARGE];
    int fd = open(path(name), O_WRONLY | O_CREAT | O_EXCL, 0600);

    REQUIRE(fd >= 0 && write(fd, octets, size) == (ssize_t)size && close(fd) == 0);
}

static void make_world(void)
{
    char why[256];

    if (sha256 != NULL)
        return;
    REQUIRE(mkdtemp(base) != NULL && atexit(remove_all) == 0);
    REQUIRE(mkdir(path("out"), 0700) == 0 && mkdir(path("out/f"), 0700) == 0);
    make_file("out/large", LARGE);
    make_file("out/f/small", 10);
    make_file("out/f/empty", 0);
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    const char *names[] = {path("out")};
    outbox = outbox_new(names, 1, sha256, why, sizeof why);
    REQUIRE(outbox != NULL && uv_loop_init(&loop) == 0);
}

/* The receiver's folder, empty again; what is beside it has to be as it was. */
static void empty_folder(void)
{
    DIR *folder = opendir(base);
    unsigned count = 0;

    REQUIRE(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    REQUIRE(closedir(folder) == 0);
    REQUIRE(count == 3 || count == 4); /* . .. out in */
    (void)nftw(path("in"), remove_one, 16, FTW_DEPTH | FTW_PHYS);
    REQUIRE(mkdir(path("in"), 0700) == 0);
}

/* ---- the carrier ---- */

static size_t carrier_room(void *to)
{
    (void)to;
    return room;
}

static void carrier_record(void *to, uint8_t type, const uint8_t *content, size_t size)
{
    static uint8_t again[TRANSFER_RECORD_MAX];
    struct transfer_record record;

    (void)to;
    REQUIRE(!over && size <= room && size <= TRANSFER_RECORD_MAX);
    REQUIRE(transfer_parse(&record, type, content, size));
    size_t written = transfer_write(&record, again, sizeof again);
    REQUIRE(written == (type == TRANSFER_RECORD_CHUNK ? TRANSFER_CHUNK_HEAD : size));
    REQUIRE(memcmp(again, content, written) == 0);
    room -= size;
}

static void carrier_pause(void *to, bool paused)
{
    (void)to, (void)paused;
}

static void sink(void *owner, const struct transfer_event *event)
{
    char why[256];

    (void)owner;
    REQUIRE(!over);
    over = event->type == TRANSFER_EVENT_OVER;
    if (event->type == TRANSFER_EVENT_OFFER && receiver != NULL)
        receiver_answer(receiver,
                        inbox_new(path("in"), event->files % 2 == 0, sha256, why, sizeof why));
}

/* ---- an input ---- */

/* No hash of eight exbioctets of zeros is waited for: what is offered bounds all that comes. */
static void bound_offer(uint8_t type, uint8_t *content, size_t size)
{
    struct transfer_record record;

    if (type != TRANSFER_RECORD_OFFER || !transfer_parse(&record, type, content, size))
        return;
    record.offer.octets %= OFFERED;
    (void)transfer_write(&record, content, size);
}

static size_t take(struct sender *sender, const uint8_t *data, size_t size)
{
    static uint8_t content[TRANSFER_RECORD_MAX];
    uint8_t type = TRANSFER_RECORD_OFFER + data[0] % 16;
    size_t length = (size_t)data[1] << 8 | data[2];

    if (length > size - 3)
        length = size - 3;
    memcpy(content, data + 3, length);
    room += (size_t)(data[0] >> 4 & 3) * 30000;
    if (sender != NULL) {
        sender_take(sender, type, content, length);
        sender_go_on(sender);
    } else {
        bound_offer(type, content, length);
        receiver_take(receiver, type, content, length);
        receiver_go_on(receiver);
    }
    if (data[0] & 0x80)
        (void)uv_run(&loop, data[0] & 0x40 ? UV_RUN_DEFAULT : UV_RUN_NOWAIT);
    return 3 + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct carrier carrier = {.room = carrier_room,
                              .record = carrier_record,
                              .pause = carrier_pause,
                              .chunk = TRANSFER_RECORD_MAX};
    struct sender *sender = NULL;

    make_world();
    empty_folder();
    if (size == 0)
        return 0;
    over = false;
    room = 70000;
    carrier.window = data[0] & 2 ? 65536 : 0;
    if (data[0] & 1)
        sender = sender_new(&loop, outbox, &carrier, NULL, sink, NULL);
    else
        receiver = receiver_new(&loop, &carrier, NULL, sink, NULL);
    REQUIRE(sender != NULL || receiver != NULL);
    if (sender != NULL) {
        sender_start(sender);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
    }
    for (size_t at = 1; at + 3 <= size;)
        at += take(sender, data + at, size - at);
    if (data[0] & 4)
        (void)uv_run(&loop, UV_RUN_DEFAULT);
    sender_free(sender, NULL, NULL);
    receiver_free(receiver, NULL, NULL);
    receiver = NULL;
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    return 0;
}

/* ---- inputs and seeds ---- */

enum { STEPS = 60, CHUNK = 20000 };

static uint32_t draw(uint64_t *dice, uint32_t below)
{
    return (uint32_t)fuzz_dice(dice, below);
}

/* A number that is often a small one, or one at a border. */
static uint64_t draw_number(uint64_t *dice)
{
    static const uint64_t borders[] = {0, 1, 10, LARGE, LARGE + 1, OFFERED, INT64_MAX, UINT64_MAX};

    return draw(dice, 3) > 0 ? draw(dice, 4)
                             : borders[draw(dice, sizeof borders / sizeof borders[0])];
}

static struct transfer_entry draw_entry(uint64_t *dice)
{
    static const char *const names[] = {"f", "f/x", "x", "y", "../x", "f/../../x", ".x.usi-part"};
    const char *name = names[draw(dice, 5) > 0 ? draw(dice, 4) : draw(dice, 7)];
    enum transfer_kind kind = (enum transfer_kind)(1 + draw(dice, 3));

    return (struct transfer_entry){.kind = kind,
                                   .mode = draw(dice, 010000),
                                   .mtime = draw(dice, 100),
                                   .size =
                                       kind == TRANSFER_FILE ? draw_number(dice) & INT64_MAX : 0,
                                   .path = name,
                                   .path_size = strlen(name)};
}

static struct transfer_record draw_record(uint64_t *dice, uint32_t *next)
{
    static uint8_t hash[TRANSFER_HASH_SIZE];
    struct transfer_record r = {.type = TRANSFER_RECORD_ENTRY + draw(dice, 12),
                                .index = draw(dice, 4)};

    switch (r.type) {
    case TRANSFER_RECORD_ENTRY:
        r.index = draw(dice, 10) > 0 ? (*next)++ : draw(dice, 100);
        r.entry = draw_entry(dice);
        break;
    case TRANSFER_RECORD_WANT:
        r.want.wanted = draw(dice, 4) > 0;
        r.want.offset = draw_number(dice) & INT64_MAX;
        r.want.hash = hash;
        r.want.reason = r.want.wanted ? 0 : 3;
        break;
    case TRANSFER_RECORD_BEGIN:
        break;
    case TRANSFER_RECORD_CHUNK:
        r.chunk.offset = draw(dice, 3) > 0 ? 0 : draw_number(dice) & INT64_MAX;
        break;
    case TRANSFER_RECORD_HOLE:
        r.hole = (draw_number(dice) & INT64_MAX) | 1;
        break;
    case TRANSFER_RECORD_DONE:
        r.done.size = draw_number(dice) & INT64_MAX;
        r.done.hash = hash;
        break;
    case TRANSFER_RECORD_PROGRESS:
        r.progress = draw_number(dice);
        break;
    case TRANSFER_RECORD_ALL:
        r.all = draw(dice, 2) > 0 ? *next : draw(dice, 8);
        break;
    case TRANSFER_RECORD_OVER:
        r.over.kept = draw(dice, 4);
        break;
    default:
        r.reason = (uint8_t)draw(dice, 10);
        break;
    }
    return r;
}

static size_t add(uint64_t *dice, uint8_t *input, size_t at, const struct transfer_record *record)
{
    size_t size = transfer_write(record, input + at + 3, TRANSFER_CONTROL_MAX);

    if (record->type == TRANSFER_RECORD_CHUNK)
        size += 1 + draw(dice, draw(dice, 9) > 0 ? 10 : CHUNK);
    if (draw(dice, 60) == 0)
        size -= draw(dice, 2) < size;
    if (draw(dice, 60) == 0)
        input[at + 3 + draw(dice, (uint32_t)size + 1)] ^= (uint8_t)(1 << draw(dice, 8));
    input[at] = (uint8_t)((record->type - TRANSFER_RECORD_OFFER) | draw(dice, 16) << 4);
    input[at + 1] = (uint8_t)(size >> 8);
    input[at + 2] = (uint8_t)size;
    return at + 3 + size;
}

/* Whole records, mostly as they should be, one after the other. */
static size_t records(uint64_t *dice, uint8_t *input, size_t most, uint8_t how, uint32_t steps)
{
    struct transfer_record first = {.type = TRANSFER_RECORD_OFFER,
                                    .offer = {.files = 1 + draw(dice, 4),
                                              .folders = draw(dice, 4),
                                              .octets = OFFERED - 1,
                                              .name = "",
                                              .things = 2 + draw(dice, 6)}};
    uint32_t next = 0;

    input[0] = how;
    if (how & 1)
        first = (struct transfer_record){.type = TRANSFER_RECORD_ANSWER, .answer = true};
    size_t at = add(dice, input, 1, &first);
    while (steps-- > 0 && at + CHUNK + TRANSFER_CONTROL_MAX < most) {
        struct transfer_record record = draw_record(dice, &next);
        at = add(dice, input, at, &record);
    }
    return at;
}

static size_t generate(uint64_t *dice, uint8_t *out, size_t most)
{
    uint8_t how = (uint8_t)draw(dice, 8);

    return records(dice, out, most, how, draw(dice, STEPS));
}

static void seeds(fuzz_keep *keep)
{
    static uint8_t input[FUZZ_INPUT];
    uint64_t dice = 1;
    char name[16];

    for (unsigned i = 0; i < 24; i++) {
        size_t size = records(&dice, input, sizeof input, (uint8_t)(i % 8), 4 + i);
        (void)snprintf(name, sizeof name, "session-%u", i);
        if (size <= 4096)
            keep(name, input, size);
    }
}

const struct fuzz_target fuzz_target = {.generate = generate, .seeds = seeds};
