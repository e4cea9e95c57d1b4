/* How far transfers of files have come: all that are under way in one line, with the rate of the
 * last seconds. */
#ifndef USI_CLI_PROGRESS_H
#define USI_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress;

enum {
    PROGRESS_MS = 200,   /* between two looks */
    PROGRESS_TEXT = 2048 /* octets of a line, with its NUL */
};

struct progress *progress_new(void);
void progress_free(struct progress *progress);

/* One transfer, known by its number, has come so far: `done` of `octets`, of which `moved` in this
 * run. Past 64 at a time the rest is not shown. */
void progress_set(struct progress *progress, unsigned number, uint64_t done, uint64_t octets,
                  uint64_t moved);

/* What its line begins with, if it is the only one: a hostile name, cut to what is shown. */
void progress_name(struct progress *progress, unsigned number, const char *name);

/* It is over. */
void progress_drop(struct progress *progress, unsigned number);

/* Whether one may be told of again: PROGRESS_MS after the last time that the answer was yes. */
bool progress_due(struct progress *progress, unsigned number, uint64_t now_ms);

/* A look, PROGRESS_MS after the one before: "NAME  45%  3.2 MiB of 7.1 MiB  1.2 MiB/s  0:03 left"
 * into line[PROGRESS_TEXT], for that many columns; as "45%  1.2 MiB/s  0:03" with columns 0. Its
 * size, or 0 when nothing is under way. */
size_t progress_line(struct progress *progress, char *line, size_t columns);

#endif
