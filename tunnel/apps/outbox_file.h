/* Inside of outbox.h: one file that is being read. What may be called with it stands there. */
#ifndef USI_APPS_OUTBOX_FILE_H
#define USI_APPS_OUTBOX_FILE_H

#include "apps/outbox.h"

/* The rest of outbox_open: owns fd, whether it succeeds or not. */
struct outbox_file *outbox_file_new(int fd, const struct transfer_entry *entry,
                                    const EVP_MD *sha256, enum transfer_reason *reason, char *why,
                                    size_t size);

#endif
