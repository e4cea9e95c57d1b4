#include "net/link.h"

#include <stdio.h>

void link_end_text(const struct link_end *end, char *text, size_t size)
{
    const char *detail = end->error == 0 ? NULL
                         : end->cause == LINK_CUT || end->cause == LINK_REFUSED
                             ? uv_strerror(end->error)
                             : usi_error_text(end->error);
    switch (end->cause) {
    case LINK_CLEAN:
        (void)snprintf(text, size, "ended in order");
        break;
    case LINK_REFUSED:
        (void)snprintf(text, size,
                       "closed before it was authenticated%s%s; is the key (and --name) the same "
                       "on both sides?",
                       detail ? ": " : "", detail ? detail : "");
        break;
    case LINK_SILENT:
        (void)snprintf(text, size, "not authenticated in time");
        break;
    case LINK_FOREIGN:
    case LINK_BROKEN:
        (void)snprintf(text, size, "%s", detail ? detail : "failed");
        break;
    case LINK_CUT:
        (void)snprintf(text, size, "cut off in the middle%s%s", detail ? ": " : "",
                       detail ? detail : "");
        break;
    case LINK_ABORTED:
        (void)snprintf(text, size, "given up by the far side: %s", usi_reason_text(end->reason));
        break;
    case LINK_GAVE_UP:
        (void)snprintf(text, size, "given up here: %s", usi_reason_text(end->reason));
        break;
    case LINK_IDLE:
        (void)snprintf(text, size, "nothing moved for the idle timeout");
        break;
    }
}
