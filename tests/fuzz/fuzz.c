#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_fail(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    abort();
}

unsigned fuzz_take(struct fuzz_input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

unsigned fuzz_take_pair(struct fuzz_input *input)
{
    unsigned high = fuzz_take(input);

    return high << 8 | fuzz_take(input);
}

const uint8_t *fuzz_take_octets(struct fuzz_input *input, size_t want, size_t *size)
{
    const uint8_t *octets = input->data;

    *size = want < input->size ? want : input->size;
    if (*size > 0)
        input->data += *size;
    input->size -= *size;
    return octets;
}

/* Octets of the input take the place of `gone` octets at a position. */
static void replace(struct fuzz_input *input, uint8_t *octets, size_t *size, size_t room, size_t at,
                    size_t gone)
{
    size_t tail = *size - at - gone, come = 0;
    size_t most = fuzz_take(input);
    const uint8_t *from = fuzz_take_octets(input, most, &come);

    if (come > room - at - tail)
        come = room - at - tail;
    memmove(octets + at + come, octets + at + gone, tail);
    if (come > 0)
        memcpy(octets + at, from, come);
    *size = at + come + tail;
}

static void edit_once(struct fuzz_input *input, uint8_t *octets, size_t *size, size_t room)
{
    unsigned what = fuzz_take(input);
    size_t at = fuzz_take_pair(input) % (*size + 1), left = *size - at, gone;

    switch (what % 6) {
    case 0:
        if (left > 0)
            octets[at] ^= (uint8_t)(1u << (what / 6 % 8));
        break;
    case 1:
        if (left > 0)
            octets[at] = (uint8_t)fuzz_take(input);
        break;
    case 2:
        *size = at;
        break;
    case 3: /* some, for as many others or not */
        gone = fuzz_take(input);
        replace(input, octets, size, room, at, gone < left ? gone : left);
        break;
    case 4:
        replace(input, octets, size, room, at, 0);
        break;
    default:
        replace(input, octets, size, room, 0, *size);
        break;
    }
}

void fuzz_edit(struct fuzz_input *input, uint8_t *octets, size_t *size, size_t room)
{
    for (unsigned times = fuzz_take(input) % 4; times > 0; times--)
        edit_once(input, octets, size, room);
}

size_t fuzz_dice(uint64_t *dice, size_t below)
{
    *dice = *dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(*dice >> 33) % below;
}
