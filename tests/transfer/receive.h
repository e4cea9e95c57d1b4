/* A receiver of a test's own, which does with an inbox what receiver.c does, in one thread. */
#ifndef USI_TESTS_TRANSFER_RECEIVE_H
#define USI_TESTS_TRANSFER_RECEIVE_H

#include "apps/inbox.h"

enum { SOME_TIME = 1600000000, SOME_NS = 123456789 };

/* The inbox `root` of the tree. */
struct inbox *receive_inbox(bool overwrite);

/* An entry of a file with mode 0644 and SOME_TIME. */
struct transfer_entry receive_entry(const char *path, uint64_t size);

/* inbox_entry, looked at to its end: NULL with INBOX_SKIP, or a file that is wanted. */
struct inbox_file *receive_look(struct inbox *inbox, const struct transfer_entry *entry,
                                struct inbox_answer *answer);

/* All of a transfer of octets[0..entry->size-1], from what the answer has of them. text (maybe
 * NULL) gets what went wrong. */
enum transfer_reason receive_all(struct inbox *inbox, const struct transfer_entry *entry,
                                 const uint8_t *octets, char text[TRANSFER_TEXT]);

/* The rest of it: octets from `from` on are sent and the file kept. Frees it. */
enum transfer_reason receive_rest(struct inbox_file *file, const struct transfer_entry *entry,
                                  const uint8_t *octets, uint64_t from, char text[TRANSFER_TEXT]);

#endif
