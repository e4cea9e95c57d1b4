/* The unfinished file of a receiver: `.NAME.usi-part` beside the place of NAME. It is taken only if
 * we made it, and held under a lock, so that two receivers never write to one. */
#ifndef USI_APPS_PART_H
#define USI_APPS_PART_H

#include "apps/safe_path.h"
#include "apps/transfer_entry.h"

#include <openssl/types.h>
#include <stdbool.h>

struct part_problem {
    enum transfer_reason reason; /* TRANSFER_KEPT: there is no part */
    char text[TRANSFER_TEXT];
};

/* The part's name for `name`: a long one is cut, and told apart by a hash. False if libcrypto
 * failed. */
bool part_name(const char *name, const EVP_MD *sha256, char part[SAFE_PATH_NAME + 1]);

/* Opens the part in `folder` for reading and writing, and locks it; *size gets its size. Only a
 * regular file of ours with one link; no link is followed. A descriptor to close, or -1 with
 * *problem. */
int part_open(int folder, const char *part, uint64_t *size, struct part_problem *problem);

/* Makes one, empty and 0600, and locks it. A descriptor to close, or -1 with *problem. */
int part_make(int folder, const char *part, struct part_problem *problem);

/* Puts the part fd in the place of `name`; over what is there, or fails with EEXIST. 0, or -1 with
 * errno; ESTALE: the part's name is no longer this file's. */
int part_place(int folder, const char *part, int fd, const char *name, bool over);

/* Removes the part, if it is still this file. */
void part_remove(int folder, const char *part, int fd);

#endif
