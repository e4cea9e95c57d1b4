/* What a sender or a receiver of files tells its owner, as one typed stream: progress bars,
 * messages and JSON are sinks of it. */
#ifndef USI_APPS_TRANSFER_EVENT_H
#define USI_APPS_TRANSFER_EVENT_H

#include "apps/transfer_entry.h"

#include <stdbool.h>

enum transfer_event_type {
    /* What is offered: name (of the only thing, or ""), things, files, folders, octets. After it a
     * receiver waits for receiver_answer. */
    TRANSFER_EVENT_OFFER,
    TRANSFER_EVENT_ACCEPTED,  /* sender: the receiver's user said yes */
    TRANSFER_EVENT_BEGIN,     /* a file: name, size; from its beginning */
    TRANSFER_EVENT_RESUMED,   /* a file: name, size; from offset on, the rest is there already */
    TRANSFER_EVENT_RESTARTED, /* a file: name, size; from its beginning, since offset octets of it
                                 were there, but it has changed at the sender */
    TRANSFER_EVENT_PROGRESS,  /* done, octets, moved */
    TRANSFER_EVENT_KEPT,      /* a file: name, size: it is there, verified */
    TRANSFER_EVENT_SKIPPED,   /* a file: name, text: another of its name is there */
    TRANSFER_EVENT_LEFT_OUT,  /* sender: name, text: something that is not sent */
    TRANSFER_EVENT_FAILED,    /* name, reason, text, ours: a file or folder that is not kept */
    TRANSFER_EVENT_OVER       /* once, last: end, text, and the counts */
};

/* Why a side gives the whole transfer up, in `stop`. Others than these are shown as numbers. */
enum transfer_stop {
    TRANSFER_STOP_USER = 1, /* its user wants no more of it */
    TRANSFER_STOP_FAILED,   /* it cannot go on */
    TRANSFER_STOP_RULES     /* the other side broke the rules */
};

/* How the whole ended. */
enum transfer_end {
    TRANSFER_END_DONE,     /* to its end, whatever became of single files */
    TRANSFER_END_DECLINED, /* the receiver's user said no */
    TRANSFER_END_STOPPED,  /* the other side gave up; text says why */
    TRANSFER_END_GAVE_UP,  /* this side did, by sender_stop or receiver_stop */
    TRANSFER_END_BROKEN,   /* the other side broke the rules; text says how */
    TRANSFER_END_LOCAL     /* this side cannot go on; text says why */
};

/* Strings are good during the call only. Names may have come from the peer and be made of any
 * octets: nothing shows them as they are. */
struct transfer_event {
    enum transfer_event_type type;
    const char *name;
    const char *text; /* one line without the name; "" if there is none */
    uint32_t things;
    uint64_t files, folders;
    uint64_t octets; /* of all that is offered */
    uint64_t size, offset;
    uint64_t done;  /* octets of all that is offered that need no more work: written out there,
                       there before, or given up */
    uint64_t moved; /* those of them that were sent in this run */
    uint8_t reason; /* enum transfer_reason */
    bool ours;      /* failed on this side */
    enum transfer_end end;
    /* Of files; failed, of folders too. failed_here and failed_there make up all that failed. */
    uint32_t kept, skipped, failed_here, failed_there;
    uint32_t left_out; /* sender */
    /* Over: of files, folders and octets that were offered, those that were not announced. */
    uint64_t gone_files, gone_folders, gone_octets;
};

/* The owner may free the sender or receiver at TRANSFER_EVENT_OVER; at no event may it call
 * anything else of it, except that receiver_answer may be called at TRANSFER_EVENT_OFFER. */
typedef void transfer_sink(void *owner, const struct transfer_event *event);

/* Of an `over`: was all that there was to offer kept? */
static inline bool transfer_event_whole(const struct transfer_event *event)
{
    return event->end == TRANSFER_END_DONE &&
           (event->skipped | event->failed_here | event->failed_there | event->left_out |
            event->gone_files | event->gone_folders | event->gone_octets) == 0;
}

#endif
