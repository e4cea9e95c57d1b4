/* What both sides of a file transfer say of one thing: the entry that announces it, and the reason
 * for which it was not kept. */
#ifndef USI_APPS_TRANSFER_ENTRY_H
#define USI_APPS_TRANSFER_ENTRY_H

#include <stddef.h>
#include <stdint.h>

enum {
    TRANSFER_HASH_SIZE = 32,       /* SHA-256 */
    TRANSFER_TEXT = 192,           /* room for what is wrong: one line, no name, no newline */
    TRANSFER_HOLE_MAX = 16u << 20, /* the longest hole in one piece: zeros are hashed too */
    TRANSFER_MODE = 07777          /* the bits of a mode that are sent */
};

enum transfer_kind {
    TRANSFER_FILE = 1,
    TRANSFER_FOLDER = 2,
    TRANSFER_FOLDER_END = 3 /* all in it was announced: its mode and its times are final */
};

/* path is relative to the folder of the receiver, '/' between its components, has no NUL at its end
 * and belongs to who filled the entry in. mode has no bits outside TRANSFER_MODE, mtime_ns is below
 * 10^9, size is 0 but for files. Of an entry from the peer nothing is certain: inbox_entry judges
 * all of it. */
struct transfer_entry {
    uint32_t index; /* 0, 1, 2... in the order of announcing, ends of folders too */
    enum transfer_kind kind;
    uint32_t mode;
    int64_t mtime; /* seconds since the epoch */
    uint32_t mtime_ns;
    uint64_t size;
    const char *path;
    size_t path_size;
};

/* How one thing ended; the numbers are on the wire. */
enum transfer_reason {
    TRANSFER_KEPT = 0,    /* verified and in its place, or was there already: all is well */
    TRANSFER_HASH = 1,    /* the octets that came are not those that were read */
    TRANSFER_WRITE = 2,   /* the receiver cannot write: disk full, no permission... */
    TRANSFER_EXISTS = 3,  /* something of that name is there, and may not be replaced */
    TRANSFER_NAME = 4,    /* such a name is not taken (safe_path.h) */
    TRANSFER_KIND = 5,    /* neither file nor folder, or numbers that cannot be */
    TRANSFER_BUSY = 6,    /* another receiver is at this file */
    TRANSFER_READ = 7,    /* the sender could not read it to its end */
    TRANSFER_CHANGED = 8, /* it changed at the sender while it was read */
    TRANSFER_REASONS      /* how many there are; never sent */
};

/* The path, with a NUL behind it, for free(); NULL when out of memory. */
char *transfer_path_copy(const struct transfer_entry *entry);

/* What a reason means, for a message: "the disk..." without a name. Any number is fine. */
const char *transfer_reason_text(unsigned reason);

/* What an errno means, in English. Any thread may call it. */
const char *transfer_error_text(int error);

#endif
