/* The files of tests/vectors: cases of `name = value` lines, divided by blank lines. */
#ifndef USI_TESTS_CHANNEL_CASES_H
#define USI_TESTS_CHANNEL_CASES_H

#include <check.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CASE_FIELDS = 16, CASE_LINE = 1024 };

struct vector_case {
    unsigned fields;
    char line[CASE_FIELDS][CASE_LINE]; /* name, NUL, value, NUL */
    size_t value[CASE_FIELDS]; /* where it begins; no pointer, so that a case can be copied */
};

static inline FILE *cases_open(const char *path)
{
    FILE *file = fopen(path, "r");

    ck_assert_msg(file != NULL, "cannot open %s", path);
    return file;
}

/* The next case; false at the end. */
static inline bool cases_next(FILE *file, struct vector_case *c)
{
    char line[CASE_LINE];

    c->fields = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        char *mark = strstr(line, " =");

        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' && c->fields > 0)
            return true;
        if (line[0] == '\0' || line[0] == '#')
            continue;
        ck_assert_msg(mark != NULL && c->fields < CASE_FIELDS, "not a field: %s", line);
        *mark = '\0';
        mark += mark[2] == ' ' ? 3 : 2; /* nothing follows an empty value's mark */
        memcpy(c->line[c->fields], line, sizeof line);
        c->value[c->fields] = (size_t)(mark - line);
        c->fields++;
    }
    return c->fields > 0;
}

/* NULL without such a field. */
static inline const char *case_find(const struct vector_case *c, const char *name)
{
    for (unsigned i = 0; i < c->fields; i++)
        if (strcmp(c->line[i], name) == 0)
            return c->line[i] + c->value[i];
    return NULL;
}

static inline const char *case_text(const struct vector_case *c, const char *name)
{
    const char *value = case_find(c, name);

    ck_assert_msg(value != NULL, "no field %s", name);
    return value;
}

/* A field in hex: its size, at most `room`. */
static inline size_t case_octets(const struct vector_case *c, const char *name, void *out,
                                 size_t room)
{
    const char *value = case_text(c, name);
    size_t size = 0;

    if (value[0] != '\0')
        ck_assert_msg(OPENSSL_hexstr2buf_ex(out, room, &size, value, '\0') == 1, "field %s", name);
    return size;
}

#endif
