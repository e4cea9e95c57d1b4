/*
 * The record layer alone, both ends with one key: the input says what is sealed, how it is changed
 * on its way, and in which pieces it comes. What opens is what was sealed, in order; after a change
 * nothing does.
 *
 * An input is: the cipher; a number of records (type, padding is the sealer's affair, two octets of
 * size); changes, as fuzz_edit reads them; then the pieces, an octet each, or raw octets.
 */
#include "side.h"

#include <stdlib.h>

enum { RECORDS = 8, WIRE = 1 << 17, EXTRA = 1024 };

struct sent {
    uint8_t type;
    size_t size, end; /* of the content; where it ends on the wire */
};

static uint8_t content_octet(size_t record, size_t at)
{
    return (uint8_t)(record * 37 + at * 11 + (at >> 8));
}

static size_t seal(struct fuzz_input *input, const struct usi_cipher *cipher, const uint8_t *key,
                   struct sent *sent, uint8_t *wire, size_t *size)
{
    static uint8_t content[USI_RECORD_DATA];
    struct usi_sealer sealer = {0};
    size_t count = fuzz_take(input) % (RECORDS + 1);

    REQUIRE(usi_sealer_key(&sealer, cipher, key) == 0);
    *size = 0;
    for (size_t i = 0; i < count; i++) {
        size_t made = 0;
        sent[i].type = (uint8_t)(1 + fuzz_take(input) % 255);
        sent[i].size = fuzz_take_pair(input);
        if (sent[i].size > WIRE / RECORDS - 512)
            sent[i].size %= 512;
        for (size_t at = 0; at < sent[i].size; at++)
            content[at] = content_octet(i, at);
        if (i % 3 == 2)
            usi_sealer_rest(&sealer);
        REQUIRE(usi_seal(&sealer, (enum usi_record_type)sent[i].type, content, sent[i].size,
                         wire + *size, &made) == 0);
        REQUIRE(made == usi_seal_size((enum usi_record_type)sent[i].type, sent[i].size));
        *size += made;
        sent[i].end = *size;
    }
    usi_sealer_clear(&sealer);
    return count;
}

/* Opens what is on the wire, of which the first `same` octets were not changed; how many records
 * came. */
static size_t open_all(struct fuzz_input *input, struct usi_opener *opener, const uint8_t *wire,
                       size_t size, size_t same, const struct sent *sent, size_t count)
{
    uint8_t *plain = malloc(USI_RECORD_ROOM);
    size_t at = 0, opened = 0;
    int result = 0;

    REQUIRE(plain != NULL);
    while (at < size && result >= 0) {
        size_t n = input->size > 0 ? 1 + fuzz_take(input) : size - at, taken = 0, content = 0;
        size_t room = input->size % 5 == 4 ? n : USI_RECORD_ROOM;
        uint8_t type = 0;
        if (opener->plain > 0 || opener->taken > USI_RECORD_HEADER)
            room = USI_RECORD_ROOM;
        if (n > size - at)
            n = size - at;
        REQUIRE(usi_open_want(opener) > 0);
        result = usi_open(opener, wire + at, n, &taken, plain, room, &content, &type);
        REQUIRE(taken <= n);
        at += taken;
        if (result == USI_OPEN_ROOM) {
            REQUIRE(room < USI_RECORD_ROOM);
            result = usi_open(opener, wire + at, n - taken, &taken, plain, USI_RECORD_ROOM,
                              &content, &type);
            REQUIRE(result != USI_OPEN_ROOM);
            at += taken;
        }
        if (result == USI_OPEN_MORE && n > 0)
            usi_opener_rest(opener);
        if (result != USI_OPEN_RECORD)
            continue;
        REQUIRE(opened < count && at == sent[opened].end && at <= same);
        REQUIRE(type == sent[opened].type && content == sent[opened].size);
        for (size_t i = 0; i < content; i++)
            REQUIRE(plain[i] == content_octet(opened, i));
        opened++;
    }
    free(plain);
    return opened;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t wire[WIRE + EXTRA], real[WIRE];
    static const uint8_t key[USI_KEY] = {0x4b, 0x63};
    struct fuzz_input input = {data, size};
    const struct usi_cipher *cipher = &fuzz_crypto()->cipher[fuzz_take(&input) % USI_CIPHERS];
    struct usi_opener opener = {0};
    struct sent sent[RECORDS] = {{0}};
    size_t wire_size = 0, same = 0;

    size_t count = seal(&input, cipher, key, sent, wire, &wire_size), real_size = wire_size;
    memcpy(real, wire, wire_size);
    fuzz_edit(&input, wire, &wire_size, sizeof wire);
    while (same < wire_size && same < real_size && wire[same] == real[same])
        same++;
    REQUIRE(usi_opener_key(&opener, cipher, key) == 0);
    size_t opened = open_all(&input, &opener, wire, wire_size, same, sent, count);
    for (size_t i = 0; i < count; i++)
        REQUIRE((i < opened) == (sent[i].end <= same));
    usi_opener_clear(&opener);
    return 0;
}

#define KEEP(name, octets) keep(name, octets, sizeof(octets) - 1)

static void seeds(fuzz_keep *keep)
{
    KEEP("one", "\2\1\1\0\5");
    KEEP("kinds", "\0\5\1\0\5\2\0\10\3\0\0\x40\1\0\1\x30\0\0");
    KEEP("pieces", "\1\3\1\0\5\1\2\1\1\0\0\0\3\1\7\x10\x20\x3f\5\5\5\5\5\5\5\5\5\5\5");
    KEEP("flip-header", "\2\2\1\0\5\1\0\5\1\0\0\3");
    KEEP("flip-body", "\2\2\1\0\5\1\0\5\1\6\0\6");
    KEEP("flip-tag", "\2\2\1\0\5\1\0\5\1\6\0\x0c");
    KEEP("cut", "\2\2\1\0\5\1\0\5\1\2\0\x20");
    KEEP("more", "\2\1\1\0\5\1\4\0\x1a\5hello");
    KEEP("raw", "\2\0\1\5\0\0\x40\0\0\0\x20"
                "0123456789abcdef0123456789abcdef");
    KEEP("long", "\2\4\1\x3d\0\1\x3d\0\1\x3d\0\1\x3d\0\0");
}

const struct fuzz_target fuzz_target = {.seeds = seeds};
