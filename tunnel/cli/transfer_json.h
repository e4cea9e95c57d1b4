/* One JSON object a line (RFC 8259), built in memory and written at once. */
#ifndef USI_CLI_TRANSFER_JSON_H
#define USI_CLI_TRANSFER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_LINE = 64 * 1024 };

struct json_line {
    char text[JSON_LINE];
    size_t used;
};

/* Begins the object: {"event":"name" */
void json_begin(struct json_line *line, const char *event);

/* Adds a member. A string may be made of any octets: control characters (C0, DEL, C1) become
 * \u00XX, and so does each octet that is no part of valid UTF-8, by its value. What does not fit is
 * cut off; none of TRANSFER_PATH_MAX octets does that. */
void json_string(struct json_line *line, const char *name, const char *value);
void json_number(struct json_line *line, const char *name, uint64_t value);
void json_bool(struct json_line *line, const char *name, bool value);

/* Ends the object and writes the line to a descriptor. 0, or an errno. */
int json_write(struct json_line *line, int fd);

#endif
