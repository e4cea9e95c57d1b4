/* What a sender gives: the files and folders named on its command line, announced one by one,
 * opened and read. Blocking; no network. An outbox never changes once made: several senders may use
 * one at once, each with walks and files of its own, and each of those in one thread at a time. */
#ifndef USI_APPS_OUTBOX_H
#define USI_APPS_OUTBOX_H

#include "apps/transfer_entry.h"

#include <openssl/types.h>
#include <stdbool.h>

struct outbox;

enum outbox_step {
    OUTBOX_OK,
    OUTBOX_MORE,     /* not done yet: call again with the same arguments */
    OUTBOX_END,      /* nothing is left */
    OUTBOX_LEFT_OUT, /* outbox_next: one thing that is not sent */
    OUTBOX_FAILED,
    OUTBOX_CHANGED /* the file is not what it was when it was announced */
};

/* Takes names[0..count-1], one or more. Each must be a readable file or folder (a symbolic link
 * given here is followed; links below are left out). A thing is announced under the last component
 * of its name, or of its real path if that is ".", ".." or "/". A thing named twice counts once;
 * two things of one name are refused. Keeps absolute paths: the process may change its folder
 * later. sha256 is borrowed and must outlive the outbox. NULL with one line in why[size]. */
struct outbox *outbox_new(const char *const *names, size_t count, EVP_MD *sha256, char *why,
                          size_t size);

/* NULL is fine. */
void outbox_free(struct outbox *outbox);

/* How many things were named. */
size_t outbox_count(const struct outbox *outbox);

/* The name of the only thing, or "" if there are several. */
const char *outbox_name(const struct outbox *outbox);

/* ---- the walk ---- */

struct outbox_walk;

/* A walk through everything, from its beginning: depth first, a folder before what is in it, its
 * end after. Its memory does not grow with the tree. outbox must outlive it. NULL: out of memory.
 */
struct outbox_walk *outbox_walk_new(const struct outbox *outbox);

/* The next entry: OUTBOX_OK; its path is good until the next call. OUTBOX_LEFT_OUT: the thing at
 * entry->path (maybe with octets that no terminal should get; only path and path_size are set) is
 * not sent, for what why[size] says. OUTBOX_END: there is no more. */
enum outbox_step outbox_next(struct outbox_walk *walk, struct transfer_entry *entry, char *why,
                             size_t size);

struct outbox_totals {
    uint64_t files, folders, octets, left_out;
};

/* Counts what this walk would give. OUTBOX_MORE: a few hundred entries were counted, totals says
 * how far; OUTBOX_END: all were; OUTBOX_FAILED: out of memory. The walk is used up then. totals
 * begins as zeros. */
enum outbox_step outbox_survey(struct outbox_walk *walk, struct outbox_totals *totals);

/* NULL is fine. */
void outbox_walk_free(struct outbox_walk *walk);

/* ---- one file ---- */

struct outbox_file;

/* Opens the file that a walk announced as entry, at its beginning. No link is followed. NULL with
 * what is wrong in why[size] and *reason TRANSFER_READ, or TRANSFER_CHANGED if it has another size
 * or time than entry says. The path may be a copy of the walk's. */
struct outbox_file *outbox_open(const struct outbox *outbox, const struct transfer_entry *entry,
                                enum transfer_reason *reason, char *why, size_t size);

/* The receiver has `offset` octets of the file, whose SHA-256 is sha256. Hashes as many here, up to
 * 16 MiB a call (OUTBOX_MORE: call again). OUTBOX_OK: outbox_file_offset says where reading goes
 * on: there, or at 0 if the octets differ. OUTBOX_FAILED: cannot be read. Only before the first
 * read. */
enum outbox_step outbox_file_resume(struct outbox_file *file, uint64_t offset,
                                    const uint8_t sha256[TRANSFER_HASH_SIZE]);

/* How far the file was read. */
uint64_t outbox_file_offset(const struct outbox_file *file);

/* Reads on: OUTBOX_OK with *size octets in buffer[room] and *hole 0, or *size 0 and a hole of *hole
 * zeros (at most TRANSFER_HOLE_MAX; the hash covers them). OUTBOX_END: the file ends here.
 * OUTBOX_FAILED. */
enum outbox_step outbox_file_read(struct outbox_file *file, uint8_t *buffer, size_t room,
                                  size_t *size, uint64_t *hole);

struct outbox_done {
    uint64_t size;
    int64_t mtime;
    uint32_t mtime_ns;
    uint8_t sha256[TRANSFER_HASH_SIZE];
};

/* After OUTBOX_END: what was read. OUTBOX_OK; OUTBOX_CHANGED: somebody wrote to it meanwhile, so it
 * counts as spoilt; OUTBOX_FAILED. Once. */
enum outbox_step outbox_file_finish(struct outbox_file *file, struct outbox_done *done);

/* What was wrong after OUTBOX_FAILED or OUTBOX_CHANGED: a line without the name. */
const char *outbox_file_why(const struct outbox_file *file);

/* Closes it, finished or not. NULL is fine. */
void outbox_file_free(struct outbox_file *file);

#endif
