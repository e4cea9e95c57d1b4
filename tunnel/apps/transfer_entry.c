#include "apps/transfer_entry.h"

#include <string.h>

const char *transfer_reason_text(unsigned reason)
{
    static const char *const texts[] = {
        [TRANSFER_KEPT] = "kept",
        [TRANSFER_HASH] = "what came is not what was read: its SHA-256 is wrong",
        [TRANSFER_WRITE] = "cannot be written",
        [TRANSFER_EXISTS] = "is there already, and is not replaced",
        [TRANSFER_NAME] = "has a name that is not taken",
        [TRANSFER_KIND] = "is neither a file nor a folder that can be taken",
        [TRANSFER_BUSY] = "is being received by another program",
        [TRANSFER_READ] = "cannot be read",
        [TRANSFER_CHANGED] = "has changed while it was read",
    };

    return reason < TRANSFER_REASONS ? texts[reason] : "failed";
}

const char *transfer_error_text(int error)
{
    const char *text = strerrordesc_np(error);

    return text != NULL ? text : "unknown error";
}
