/* Where a receiver puts what it gets: one folder, and nothing outside it. An unfinished file is a
 * part, `.NAME.usi-part` beside its place, which a later transfer goes on with. Blocking; no
 * network. An inbox and each of its files is used in one thread at a time, but different files of
 * one inbox may be used in different threads at once. */
#ifndef USI_APPS_INBOX_H
#define USI_APPS_INBOX_H

#include "apps/transfer_entry.h"

#include <openssl/types.h>
#include <stdbool.h>

struct inbox;
struct inbox_file;

/* Takes an existing folder that one may write to (links in its own path are followed; none below
 * it). overwrite: existing files are replaced. sha256 is borrowed and must outlive the inbox and
 * its files. NULL with one line in why[size]. */
struct inbox *inbox_new(const char *folder, bool overwrite, EVP_MD *sha256, char *why, size_t size);

/* Its files may outlive it. NULL is fine. */
void inbox_free(struct inbox *inbox);

enum inbox_what {
    INBOX_SKIP,   /* nothing is wanted: reason, text */
    INBOX_WANT,   /* from offset on; sha256 is that of the octets before (zeros if offset is 0) */
    INBOX_LOOKING /* what is there is still being hashed: inbox_file_look */
};

struct inbox_answer {
    enum inbox_what what;
    enum transfer_reason
        reason; /* TRANSFER_KEPT: a folder that is there now, an empty file that was */
    uint64_t offset;
    uint8_t sha256[TRANSFER_HASH_SIZE];
    bool made;                /* a folder: it was missing, and is there now */
    char text[TRANSFER_TEXT]; /* what is wrong, without the name; empty if nothing is */
};

/* Judges an entry, whatever is in it. The folder that it lies in must be there: none is made but by
 * an entry of its own.
 *
 * TRANSFER_FILE: a file to go on with, for inbox_file_free, with INBOX_LOOKING or INBOX_WANT in
 * answer; or NULL with INBOX_SKIP. A file that is there with this size and time is hashed and
 * offered as a whole (offset is its size): if the sender begins there, nothing is to come and
 * inbox_file_keep finds that it was there.
 *
 * TRANSFER_FOLDER: makes it if it is missing, with its mode & ~umask and always usable by us; one
 * that is there stays as it is. NULL with INBOX_SKIP.
 *
 * TRANSFER_FOLDER_END: is only judged; inbox_folder_end does it. NULL with INBOX_SKIP. */
struct inbox_file *inbox_entry(struct inbox *inbox, const struct transfer_entry *entry,
                               struct inbox_answer *answer);

/* The end of a folder. If this inbox made it, it gets its own mode (0500...) and its time; one that
 * was there keeps its own. Only when all files announced before this entry are kept or freed: they
 * change the folder. TRANSFER_KEPT, or what is wrong in text. */
enum transfer_reason inbox_folder_end(struct inbox *inbox, const struct transfer_entry *entry,
                                      bool made, char text[TRANSFER_TEXT]);

/* ---- one file ---- */

/* After INBOX_LOOKING: hashes on, up to 16 MiB a call. Call until answer says otherwise; after
 * INBOX_SKIP only inbox_file_free is left. */
void inbox_file_look(struct inbox_file *file, struct inbox_answer *answer);

/* The sender sends from offset, which must be the answer's or 0 (then what was there of the part is
 * gone). TRANSFER_KEPT: go on. TRANSFER_EXISTS: the file that is there differs from the sender's
 * and may not be replaced. Any other result here and below: this file has failed, inbox_file_text
 * says why; the part stays unless it is TRANSFER_HASH or the disk failed when all was to be on it
 * (fsync); only inbox_file_free is left. */
enum transfer_reason inbox_file_begin(struct inbox_file *file, uint64_t offset);

/* Where the next octets belong. */
uint64_t inbox_file_offset(const struct inbox_file *file);

/* The next octets. More than the entry's size: TRANSFER_KIND. */
enum transfer_reason inbox_file_write(struct inbox_file *file, const uint8_t *octets, size_t size);

/* The next `length` octets, at most TRANSFER_HOLE_MAX, are zeros, which take no room on the disk.
 */
enum transfer_reason inbox_file_hole(struct inbox_file *file, uint64_t length);

/* All came: checks size and SHA-256, puts it in its place with the entry's mode (mode & 0777 &
 * ~umask) and this time. TRANSFER_KEPT: it is on the disk (fsync of it and its folder), or was
 * there already. With TRANSFER_HASH the part is removed. Once. */
enum transfer_reason inbox_file_keep(struct inbox_file *file, uint64_t size, int64_t mtime,
                                     uint32_t mtime_ns, const uint8_t sha256[TRANSFER_HASH_SIZE]);

/* The file was there already: nothing was written. After inbox_file_keep. */
bool inbox_file_was_there(const struct inbox_file *file);

/* What was wrong: a line without the name, empty if nothing was. */
const char *inbox_file_text(const struct inbox_file *file);

/* Closes it, kept or not; a part with octets in it stays for the next time. NULL is fine. */
void inbox_file_free(struct inbox_file *file);

#endif
