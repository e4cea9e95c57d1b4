#include "vectors.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

FILE *vectors_open(const char *name)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", USI_VECTORS, name);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s cannot be opened", path);
    return file;
}

static void clear(struct vector *vector)
{
    for (size_t i = 0; i < vector->count; i++)
        free(vector->names[i]); /* the value lies in the same memory */
    vector->count = 0;
}

bool vectors_next(FILE *file, struct vector *vector)
{
    char *line = NULL;
    size_t room = 0;

    clear(vector);
    while (getline(&line, &room, file) >= 0) {
        char *equals = strchr(line, '=');

        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' && vector->count > 0)
            break;
        if (line[0] == '#' || line[0] == '\0')
            continue;
        ck_assert_msg(equals != NULL && equals > line && vector->count < VECTOR_FIELDS,
                      "not a vector line: %s", line);
        vector->names[vector->count] = line;
        equals[-1] = '\0';
        vector->values[vector->count] = equals[1] == ' ' ? equals + 2 : equals + 1;
        vector->count++;
        line = NULL;
        room = 0;
    }
    free(line);
    return vector->count > 0;
}

const char *vector_find(const struct vector *vector, const char *name)
{
    for (size_t i = 0; i < vector->count; i++)
        if (strcmp(vector->names[i], name) == 0)
            return vector->values[i];
    return NULL;
}

const char *vector_get(const struct vector *vector, const char *name)
{
    const char *value = vector_find(vector, name);

    ck_assert_msg(value != NULL, "%s: no field %s", vector_find(vector, "title"), name);
    return value;
}
