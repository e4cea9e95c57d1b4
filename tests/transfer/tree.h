/* A folder of a test's own, and files in it. Every function fails the test if it cannot do it.
 * Names are relative to the folder. */
#ifndef USI_TESTS_TRANSFER_TREE_H
#define USI_TESTS_TRANSFER_TREE_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { TREE_PATH = 8192, TREE_HASH = 32 };

/* Makes it, with umask 022; tree_end removes all in it. For a checked fixture. */
void tree_begin(void);
void tree_end(void);

/* SHA-256, fetched once. */
EVP_MD *tree_sha256(void);
void tree_hash(const void *octets, size_t size, uint8_t hash[TREE_HASH]);

/* The full path of name; good until the 8th call after it. */
const char *tree_path(const char *name);

void tree_folder(const char *name, mode_t mode);
void tree_file(const char *name, const void *octets, size_t size, mode_t mode);
void tree_text(const char *name, const char *text);
void tree_link(const char *target, const char *name);
void tree_pipe(const char *name);
void tree_times(const char *name, int64_t seconds, long ns);
void tree_remove(const char *name);

/* lstat; false if there is nothing. */
bool tree_stat(const char *name, struct stat *facts);
bool tree_has(const char *name);

/* Whether name is a regular file of exactly these octets. */
bool tree_is(const char *name, const void *octets, size_t size);
bool tree_is_text(const char *name, const char *text);

/* How many things lie below name. */
size_t tree_count(const char *name);

/* Octets that never change: the same for the same seed. */
void tree_noise(uint8_t *octets, size_t size, uint64_t seed);
uint64_t tree_random(uint64_t *state);

#endif
