/* What the targets share. A target reads hostile octets in LLVMFuzzerTestOneInput, for libFuzzer,
 * and says in fuzz_target how main.c can make inputs without it, for any compiler. */
#ifndef USI_TESTS_FUZZ_FUZZ_H
#define USI_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_INPUT = 65536 }; /* no input of main.c is longer */

/* Keeps a seed as the file `name`. */
typedef void fuzz_keep(const char *name, const void *octets, size_t size);

struct fuzz_target {
    /* Makes an input at out[0..room-1] that depends on the dice alone; its size. NULL: seeds that
     * were changed have to do. */
    size_t (*generate)(uint64_t *dice, uint8_t *out, size_t room);
    /* Makes the seeds, as real runs have them. */
    void (*seeds)(fuzz_keep *keep);
};
extern const struct fuzz_target fuzz_target;

/* Ends the process, so that the input is kept. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(__FILE__, __LINE__, #condition);                                             \
    } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *condition);

/* ---- an input ---- */

struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

/* The next octet, the next two as a number; 0 where there are no more. */
unsigned fuzz_take(struct fuzz_input *input);
unsigned fuzz_take_pair(struct fuzz_input *input);
/* The next octets in place: `want` of them or what is left; *size of them. */
const uint8_t *fuzz_take_octets(struct fuzz_input *input, size_t want, size_t *size);

/* Changes octets[0..*size-1], of at most `room`, as the input says: none to three changes. An input
 * of zeros changes nothing. */
void fuzz_edit(struct fuzz_input *input, uint8_t *octets, size_t *size, size_t room);

/* ---- inputs and seeds to be made ---- */

/* A number below `below` (not 0) of a reproducible sequence. */
size_t fuzz_dice(uint64_t *dice, size_t below);

#endif
