/* Small files that are read whole: keys, identities and options. */
#ifndef USI_CLI_FILE_H
#define USI_CLI_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct file_facts {
    size_t length;
    bool exposed;  /* a regular file that others can read or write: mode & 0007 */
    unsigned mode; /* its permission bits */
};

/* Reads path to its end into buffer[size]; path NULL is standard input, which stays open. Returns
 * 0; or -1 with what is wrong in why[why_size] (no name, no final newline): it cannot be read, is a
 * folder, or is longer than size octets. buffer may then hold a part of it. Blocks on a pipe until
 * its writers have closed it. */
int file_read(const char *path, char *buffer, size_t size, struct file_facts *facts, char *why,
              size_t why_size);

/* file_read of text: -1 also if it begins with a byte order mark or holds a NUL. */
int file_read_text(const char *path, char *buffer, size_t size, struct file_facts *facts, char *why,
                   size_t why_size);

/* Writes all of data to fd, whatever it takes. Returns 0, or -1 with errno. */
int file_write_all(int fd, const char *data, size_t length);

/* What an errno means, in English. Any thread may call it. */
const char *file_error_text(int error);

#endif
