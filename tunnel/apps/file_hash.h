/* A running SHA-256 over the octets of a file, holes among them. */
#ifndef USI_APPS_FILE_HASH_H
#define USI_APPS_FILE_HASH_H

#include "apps/transfer_entry.h"

#include <openssl/types.h>
#include <stdbool.h>

struct file_hash;

enum {
    FILE_HASH_STEP = 16u << 20 /* the most that one file_hash_read takes */
};

/* sha256 is borrowed. NULL: out of memory. */
struct file_hash *file_hash_new(const EVP_MD *sha256);

/* NULL is fine. */
void file_hash_free(struct file_hash *hash);

/* How many octets it covers. */
uint64_t file_hash_count(const struct file_hash *hash);

/* Each of these is true, or false if libcrypto failed; then the hash is of no more use. */
bool file_hash_restart(struct file_hash *hash);
bool file_hash_add(struct file_hash *hash, const uint8_t *octets, size_t size);
bool file_hash_add_zeros(struct file_hash *hash, uint64_t count);
bool file_hash_value(const struct file_hash *hash, uint8_t sha256[TRANSFER_HASH_SIZE]);

/* Goes on with what fd has from file_hash_count on, FILE_HASH_STEP at most and up to `until`. 1:
 * until is reached; 0: call again; -1 with errno (0: the file is shorter). */
int file_hash_read(struct file_hash *hash, int fd, uint64_t until);

#endif
