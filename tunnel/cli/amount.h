/* Amounts as users read them, each into a line[AMOUNT_TEXT] with a NUL behind it. */
#ifndef USI_CLI_AMOUNT_H
#define USI_CLI_AMOUNT_H

#include <stdint.h>

enum { AMOUNT_TEXT = 32 };

/* "17 B", "1.2 GiB": binary units. */
void amount_octets(char *line, uint64_t octets);

/* "1 file", "5 folders". */
void amount_files(char *line, uint64_t files);
void amount_folders(char *line, uint64_t folders);

/* "0:07", "1:02:03"; "--" from a hundred hours on. */
void amount_seconds(char *line, uint64_t seconds);

#endif
