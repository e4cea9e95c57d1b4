/* The files of tests/vectors: cases of "name = value" lines, a blank line between cases. */
#ifndef TESTS_PROVIDER_VECTORS_H
#define TESTS_PROVIDER_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { VECTOR_FIELDS = 32 };

struct vector {
    char *names[VECTOR_FIELDS], *values[VECTOR_FIELDS];
    size_t count;
};

/* Opens USI_VECTORS/name; the test fails when it is not there. */
FILE *vectors_open(const char *name);
/* The next case, until there is none. Frees the one before. */
bool vectors_next(FILE *file, struct vector *vector);
/* NULL when the case has no such field. */
const char *vector_find(const struct vector *vector, const char *name);
/* The test fails when the case has no such field. */
const char *vector_get(const struct vector *vector, const char *name);

#endif
