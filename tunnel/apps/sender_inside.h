/* The inside of a sender, shared by sender.c (the records of both sides) and sender_files.c (the
 * thread pool's part: walking, reading, hashing). The contract is in sender.h. */
#ifndef USI_APPS_SENDER_INSIDE_H
#define USI_APPS_SENDER_INSIDE_H

#include "apps/sender.h"
#include "apps/transfer_records.h"

enum { SENDER_BLOCK = 256 * 1024, SENDER_LOADS = 2 };

enum sender_state {
    SENDER_NEW,
    SENDER_SURVEYS, /* counts, before the offer */
    SENDER_OFFERS,  /* counted; the offer goes out when there is room */
    SENDER_WAITS,   /* for the answer */
    SENDER_GIVES,
    SENDER_OVER
};

enum sender_item_state {
    ITEM_ANNOUNCED,
    ITEM_WANTED,
    ITEM_BEGUN,  /* `begin` was sent */
    ITEM_SERVED, /* and `done` or `spoilt` */
    ITEM_CLOSED  /* `kept` came, or it is not wanted */
};

/* An entry that was announced. */
struct sender_item {
    struct transfer_entry entry;
    char *path; /* entry.path, with a NUL at its end */
    enum sender_item_state state;
    uint64_t offset; /* of `want` */
    uint8_t hash[TRANSFER_HASH_SIZE];
    uint64_t sent;   /* octets of it that the receiver's `progress` counts */
    bool refused;    /* `kept` came in the middle, with this: */
    uint8_t refusal; /* enum transfer_reason */
    uint8_t spoilt;  /* enum transfer_reason: `spoilt` was sent for a reason of ours; or 0 */
    char why[TRANSFER_TEXT];
};

/* A block of one file, on its way: what is in it goes out in the order of these. */
struct sender_load {
    uint32_t index;
    bool begins; /* `begin` with this offset goes first: */
    uint64_t begin;
    uint8_t *octets; /* SENDER_BLOCK; there is room for a chunk's head before them */
    size_t used, at; /* octets[at..used-1] have to go */
    uint64_t offset; /* of octets[at] in the file */
    uint64_t hole;   /* behind them */
    bool ends;       /* then `done`, or, if spoilt is not 0, `spoilt` */
    enum transfer_reason spoilt;
    struct outbox_done done;
    char why[TRANSFER_TEXT];
};

enum sender_job { JOB_NONE, JOB_SURVEY, JOB_WALK, JOB_FILL };

struct sender {
    uv_loop_t *loop;
    const struct outbox *outbox;
    const struct carrier *carrier;
    void *to;
    transfer_sink *sink;
    void *owner;
    void (*gone)(void *owner);
    void *gone_owner;
    enum sender_state state;
    unsigned inside; /* calls from outside that are not over */
    bool orphan;     /* sender_free was called */

    /* The entries that are not closed are among those from `first` on, before `next`. */
    struct sender_item items[TRANSFER_ENTRIES];
    uint32_t first, next;
    uint32_t replied; /* no file before it waits for a `want` */
    bool walked;      /* there are no more */
    bool all_sent;    /* and the receiver knows it */

    struct outbox_totals offered;
    uint64_t files, folders, octets; /* announced so far */
    uint64_t sent, acknowledged;     /* octets of files, resumed parts and holes too */
    uint64_t resumed;                /* of those, the parts that were there */
    uint64_t passed;                 /* octets that will not be sent */
    uint64_t signs;                  /* of life, of both sides */
    uint32_t kept, skipped, failed_here, failed_there, left_out;

    /* ---- the thread pool's: touched by the loop only while job is JOB_NONE ---- */
    uv_work_t work;
    enum sender_job job;
    bool walked_last; /* it is, or was, JOB_WALK */
    struct outbox_walk *walk;
    enum outbox_step step;
    struct transfer_entry found; /* by JOB_WALK: what is next */
    char *found_path;            /* NULL: nothing is found that is not announced yet */
    char why[TRANSFER_TEXT];
    char *omitted; /* a folder that was left out, with what is in it */

    uint32_t fill;                          /* the file that is read */
    struct sender_load *filling;            /* by JOB_FILL */
    struct outbox_file *file;               /* NULL: not opened yet */
    bool hashed, begun;                     /* the part that is there; `begin` is in a load */
    struct sender_load loads[SENDER_LOADS]; /* `waiting` of them from `front` on have to go */
    unsigned front, waiting;
};

static inline struct sender_item *sender_item(struct sender *s, uint32_t index)
{
    return &s->items[index % TRANSFER_ENTRIES];
}

/* ---- sender.c ---- */

/* A job is over: looks at what it found. */
void sender_look(struct sender *s);
void sender_tell(struct sender *s, struct transfer_event event);
/* This side cannot go on. */
void sender_fail(struct sender *s, const char *text);
/* Between these, sender_free only marks the sender; sender_leave may free it. */
void sender_enter(struct sender *s);
void sender_leave(struct sender *s);

/* ---- sender_files.c ---- */

/* Starts the job that is wanted most, if none is in flight. */
void sender_work(struct sender *s);
/* What JOB_WALK found: keeps, or leaves out, what comes beyond the offer. */
void sender_found(struct sender *s);
/* Frees what the jobs work with; none is in flight. */
void sender_free_files(struct sender *s);

#endif
