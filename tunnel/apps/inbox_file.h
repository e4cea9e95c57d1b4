/* Inside of inbox.h: one file that is being received. What may be called with it stands there. */
#ifndef USI_APPS_INBOX_FILE_H
#define USI_APPS_INBOX_FILE_H

#include "apps/inbox.h"
#include "apps/safe_path.h"

#include <openssl/types.h>

/* A folder below the inbox's, shared by the files that go there, in whatever threads. */
struct inbox_folder;

/* Owns fd, also if it fails. NULL: out of memory. */
struct inbox_folder *inbox_folder_new(int fd);
struct inbox_folder *inbox_folder_share(struct inbox_folder *folder);
void inbox_folder_free(struct inbox_folder *folder);
int inbox_folder_fd(const struct inbox_folder *folder);

/* What a file of an inbox has from it. */
struct inbox_manner {
    const EVP_MD *sha256;
    bool overwrite;
    unsigned umask;
};

/* The rest of inbox_entry, for a file `name` in folder (shared, not taken). */
struct inbox_file *inbox_file_new(const struct inbox_manner *manner, struct inbox_folder *folder,
                                  const char *name, const struct transfer_entry *entry,
                                  struct inbox_answer *answer);

/* Fill the answer in for something that is not wanted; the second because of errno. */
void inbox_file_skip(struct inbox_answer *answer, enum transfer_reason reason, const char *text);
void inbox_file_skip_errno(struct inbox_answer *answer);

#endif
