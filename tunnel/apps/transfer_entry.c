#include "apps/transfer_entry.h"
#include "text/text.h"

#include <stdlib.h>
#include <string.h>

char *transfer_path_copy(const struct transfer_entry *entry)
{
    char *copy = malloc(entry->path_size + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, entry->path, entry->path_size);
    copy[entry->path_size] = '\0';
    return copy;
}

const char *transfer_reason_text(unsigned reason)
{
    static const char *const texts[] = {
        [TRANSFER_KEPT] = TEXT("kept"),
        [TRANSFER_HASH] = TEXT("what came is not what was read: its SHA-256 is wrong"),
        [TRANSFER_WRITE] = TEXT("cannot be written"),
        [TRANSFER_EXISTS] = TEXT("is there already, and is not replaced"),
        [TRANSFER_NAME] = TEXT("has a name that is not taken"),
        [TRANSFER_KIND] = TEXT("is neither a file nor a folder that can be taken"),
        [TRANSFER_BUSY] = TEXT("is being received by another program"),
        [TRANSFER_READ] = TEXT("cannot be read"),
        [TRANSFER_CHANGED] = TEXT("has changed while it was read"),
    };

    return text(reason < TRANSFER_REASONS ? texts[reason] : TEXT("failed"));
}

const char *transfer_error_text(int error)
{
    return text_of_errno(error);
}
