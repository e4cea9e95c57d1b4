/* Peers by the SHA-256 of their public keys: those that a file of the user's names, and those that
 * were accepted before. */
#ifndef USI_CLI_PEERS_H
#define USI_CLI_PEERS_H

#include "usi/channel.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEERS_HEX = 2 * USI_FINGERPRINT };

/* key as lower-case hex and a NUL. */
void peers_hex(const uint8_t key[USI_FINGERPRINT], char text[PEERS_HEX + 1]);

/* ---- a list that the user wrote ---- */

struct peers_list;

/* An empty list; NULL when out of memory. */
struct peers_list *peers_list_new(void);
void peers_list_free(struct peers_list *list);

/* 0, or -1 when out of memory. */
int peers_list_add(struct peers_list *list, const uint8_t key[USI_FINGERPRINT]);
bool peers_list_has(const struct peers_list *list, const uint8_t key[USI_FINGERPRINT]);

/* Adds what a trust file names: a peer a line, 64 hex digits, perhaps behind `sha256:`, then,
 * behind blanks, anything; blank lines and `#` lines are passed over. At most 1 MiB; a file that
 * others can write is refused. -1 with one line in why that names the file, and the line in it. */
int peers_list_read(struct peers_list *list, const char *path, char *why, size_t size);

/* ---- peers that were accepted before ---- */

struct peers_known;

/* What may have been remembered of a peer: address is what connect was given; NULL is listen, whose
 * peers have no address of their own. */
struct peers_place {
    const char *address;
};

enum peers_verdict { PEERS_NEW, PEERS_SAME, PEERS_CHANGED };

/* The file $XDG_STATE_HOME/usi/known, else ~/.local/state/usi/known, which need not be there. NULL
 * when out of memory. */
struct peers_known *peers_known_new(void);
void peers_known_free(struct peers_known *known);

/* Its name, for messages; or, where no folder for it is known, a text that says so. */
const char *peers_known_file(const struct peers_known *known);

/* The folder of that file. `make`: it is made, with those above it, if it can be. False: none is
 * known. */
bool peers_known_folder(const struct peers_known *known, bool make, char folder[PATH_MAX]);

/* Looks key up: PEERS_SAME if it is remembered for that address, PEERS_CHANGED if only other keys
 * are, of which *line is the first one's. Under listen a key is new or the same. 0, or -1 with one
 * line in why: the file cannot be read, is no file, a link, another user's, one that others can
 * read or write, or malformed. */
int peers_known_look(const struct peers_known *known, struct peers_place place,
                     const uint8_t key[USI_FINGERPRINT], enum peers_verdict *verdict, size_t *line,
                     char *why, size_t size);

/* Whether a peer could be remembered: makes the folders (0700) and the file (0600). */
int peers_known_prepare(const struct peers_known *known, struct peers_place place, char *why,
                        size_t size);

/* Remembers key, unless it is there: one line, appended under a lock and flushed to the disk. Also
 * -1 if another key for that address was written meanwhile. */
int peers_known_add(const struct peers_known *known, struct peers_place place,
                    const uint8_t key[USI_FINGERPRINT], char *why, size_t size);

#endif
