/*
 * Runs a target without libFuzzer: its seeds, then inputs that are made here.
 *
 *   fuzz_NAME INPUTS [FOLDER [FIRST]]   the seeds in FOLDER, then INPUTS others, from dice FIRST
 *   fuzz_NAME --seeds FOLDER            makes the seeds
 *
 * With USI_FUZZ_LAST=FILE each input is written there before it is run.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS_MAX = 256, PATH_ROOM = 1024 };

struct seed {
    uint8_t *octets;
    size_t size;
};

static struct seed seeds[SEEDS_MAX];
static size_t seed_count;
static const char *folder;

/* ---- seeds ---- */

static void keep(const char *name, const void *octets, size_t size)
{
    char path[PATH_ROOM];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    REQUIRE(file != NULL && fwrite(octets, 1, size, file) == size && fclose(file) == 0);
}

static void load(const char *name)
{
    char path[PATH_ROOM];
    struct seed *seed = &seeds[seed_count];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    REQUIRE(file != NULL && seed_count < SEEDS_MAX);
    seed->octets = malloc(FUZZ_INPUT);
    REQUIRE(seed->octets != NULL);
    seed->size = fread(seed->octets, 1, FUZZ_INPUT, file);
    REQUIRE(ferror(file) == 0 && fclose(file) == 0);
    seed_count++;
}

static int by_name(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* In the order of their names, whatever that of the folder is. */
static void load_all(void)
{
    char *names[SEEDS_MAX];
    size_t count = 0;
    DIR *files = opendir(folder);

    for (struct dirent *file; files != NULL && (file = readdir(files)) != NULL;)
        if (file->d_name[0] != '.') {
            REQUIRE(count < SEEDS_MAX && (names[count] = strdup(file->d_name)) != NULL);
            count++;
        }
    if (files != NULL)
        (void)closedir(files);
    if (count > 0)
        qsort(names, count, sizeof names[0], by_name);
    for (size_t i = 0; i < count; i++) {
        load(names[i]);
        free(names[i]);
    }
}

/* ---- inputs ---- */

/* One change of a seed: a bit, an octet, a piece that goes, comes twice, or is another seed's. */
static size_t change(uint64_t *dice, uint8_t *input, size_t size)
{
    size_t at = fuzz_dice(dice, size + 1), left = size - at, n = fuzz_dice(dice, 64);
    const struct seed *other = &seeds[fuzz_dice(dice, seed_count)];

    if (n > left)
        n = left;
    switch (fuzz_dice(dice, 5)) {
    case 0:
        if (left > 0)
            input[at] ^= (uint8_t)(1u << fuzz_dice(dice, 8));
        return size;
    case 1:
        if (left > 0)
            input[at] = (uint8_t)fuzz_dice(dice, 256);
        return size;
    case 2:
        memmove(input + at, input + at + n, left - n);
        return size - n;
    case 3:
        if (size + n > FUZZ_INPUT)
            return size;
        memmove(input + at + n, input + at, left);
        return size + n;
    default:
        if (at >= other->size)
            return size;
        memcpy(input + at, other->octets + at, other->size - at);
        return other->size;
    }
}

static size_t make(uint64_t *dice, uint8_t *input)
{
    const struct seed *seed;
    size_t size;

    if (fuzz_target.generate != NULL && (seed_count == 0 || fuzz_dice(dice, 2) == 0))
        return fuzz_target.generate(dice, input, FUZZ_INPUT);
    REQUIRE(seed_count > 0);
    seed = &seeds[fuzz_dice(dice, seed_count)];
    size = seed->size;
    memcpy(input, seed->octets, size);
    for (size_t times = 1 + fuzz_dice(dice, 4); times > 0; times--)
        size = change(dice, input, size);
    return size;
}

/* What is being run is kept as a file, for the case that it does not come back. */
static void keep_input(const uint8_t *octets, size_t size)
{
    const char *path = getenv("USI_FUZZ_LAST");
    FILE *file = path != NULL ? fopen(path, "wb") : NULL;

    if (file != NULL)
        REQUIRE(fwrite(octets, 1, size, file) == size && fclose(file) == 0);
}

static void run(const uint8_t *octets, size_t size)
{
    uint8_t *exact = malloc(size + (size == 0)); /* of just that size, for the sanitizers */

    REQUIRE(exact != NULL);
    memcpy(exact, octets, size);
    keep_input(octets, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int count, char **arguments)
{
    static uint8_t input[FUZZ_INPUT];
    uint64_t dice = count > 3 ? strtoull(arguments[3], NULL, 10) : 1;
    long runs = count > 1 ? strtol(arguments[1], NULL, 10) : 1000;

    folder = count > 2 ? arguments[2] : NULL;
    if (count == 3 && strcmp(arguments[1], "--seeds") == 0) {
        fuzz_target.seeds(keep);
        return 0;
    }
    if (folder != NULL)
        load_all();
    for (size_t i = 0; i < seed_count; i++)
        run(seeds[i].octets, seeds[i].size);
    for (long n = 0; n < runs; n++)
        run(input, make(&dice, input));
    printf("%zu seeds, %ld other inputs\n", seed_count, runs);
    while (seed_count > 0)
        free(seeds[--seed_count].octets);
    return 0;
}
