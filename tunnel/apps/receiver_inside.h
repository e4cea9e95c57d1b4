/* The inside of a receiver, shared by receiver.c (the records of both sides), receiver_offer.c
 * (what may be announced) and receiver_files.c (the thread pool's part: looking, hashing, writing).
 * The contract is in receiver.h. */
#ifndef USI_APPS_RECEIVER_INSIDE_H
#define USI_APPS_RECEIVER_INSIDE_H

#include "apps/receiver.h"
#include "apps/record_queue.h"
#include "apps/transfer_records.h"

enum {
    /* A carrier that is paused may still bring what it has read already. */
    RECEIVER_QUEUE = 2 * RECEIVER_HELD,
    RECEIVER_REPLIES = 2 * TRANSFER_ENTRIES
};

enum receiver_state {
    RECEIVER_NEW,     /* no offer came yet */
    RECEIVER_ASKS,    /* the user is asked */
    RECEIVER_REFUSES, /* the user said no; the answer goes out when there is room */
    RECEIVER_GETS,
    RECEIVER_OVER
};

enum receiver_item_state {
    ITEM_ANNOUNCED,
    ITEM_LATER, /* the end of a folder: its turn comes when all before it is closed */
    ITEM_WANTED,
    ITEM_BEGUN,  /* `begin` came */
    ITEM_SERVED, /* and `done` or `spoilt`; they may still be in the queue */
    ITEM_CLOSED
};

/* A folder that was announced and has not ended. */
struct receiver_folder {
    struct receiver_folder *outer;
    bool made; /* by us, in this run: known when its entry was looked at */
    size_t path_size;
    char path[]; /* no NUL at its end */
};

/* An entry that was announced. */
struct receiver_item {
    struct transfer_entry entry;
    char *path; /* entry.path, with a NUL at its end */
    enum receiver_item_state state;
    struct receiver_folder *folder; /* of a folder: the stack's; of its end: to be freed */
    uint64_t asked;                 /* offset of `want` */
    uint64_t came; /* where the next octets belong: all before it came, or were there */
    /* The thread pool's, while a job is in flight: */
    struct inbox_file *file;
    bool failed; /* what else comes of it is dropped; `kept` was sent */
};

struct receiver_reply {
    uint8_t type, size;
    uint8_t content[TRANSFER_REPLY_MAX];
};

enum receiver_job { JOB_NONE, JOB_LOOK, JOB_FOLDER_END, JOB_CONTENT };

/* What JOB_CONTENT has done: with octets of several files perhaps, but with at most one end. */
struct receiver_done {
    uint64_t taken;   /* octets, of parts that were there and of holes too, dropped or not */
    uint64_t resumed; /* of those, the parts that were there */
    bool begun;       /* the file `index` began, at this offset: */
    uint64_t begin;
    bool failed;     /* it failed, for reason */
    bool ended;      /* it came to its end, with this reason, unless it had failed before */
    bool taken_back; /* by the sender */
    uint32_t index;
    uint8_t reason;
    char text[TRANSFER_TEXT];
};

struct receiver {
    uv_loop_t *loop;
    const struct carrier *carrier;
    void *to;
    transfer_sink *sink;
    void *owner;
    void (*gone)(void *owner);
    void *gone_owner;
    enum receiver_state state;
    unsigned inside; /* calls from outside that are not over */
    bool orphan;     /* receiver_free was called */
    bool paused;

    /* The entries that are not closed are among those from `first` on, before `next`. */
    struct receiver_item items[TRANSFER_ENTRIES];
    uint32_t first, next;
    uint32_t looked;  /* all before it were looked at, or are being */
    uint32_t serving; /* no file before it is wanted and not served */
    bool all_came;

    struct receiver_folder *folder; /* the stack of open folders: the innermost */
    unsigned depth;                 /* how many these are */

    uint64_t offered_files, offered_folders, offered_octets;
    uint32_t offered_things;
    char offered_name[TRANSFER_OFFER_NAME + 1]; /* of the only thing */
    size_t offered_name_size;
    uint32_t things;                 /* announced so far, and: */
    uint64_t files, folders, octets; /* announced so far */
    uint64_t taken, resumed;         /* as in struct receiver_done */
    uint64_t acknowledged;           /* of taken: what the sender was told */
    uint64_t signs;                  /* of life, of both sides */
    uint64_t passed;                 /* octets that will not come */
    uint32_t kept, skipped, failed_here, failed_there;

    struct receiver_reply replies[RECEIVER_REPLIES]; /* `reply_count` from first_reply on */
    unsigned first_reply, reply_count;
    struct record_queue queue; /* from `begin` to `spoilt`, checked */

    /* ---- the thread pool's: touched by the loop only while job is JOB_NONE ---- */
    uv_work_t work;
    enum receiver_job job;
    bool content_last;
    struct inbox *inbox;
    uint32_t subject;           /* JOB_LOOK, JOB_FOLDER_END */
    bool looking;               /* JOB_LOOK again: what is there is being hashed */
    struct inbox_answer answer; /* of JOB_LOOK; JOB_FOLDER_END: reason and text */
    size_t cursor_left;         /* JOB_CONTENT: of cursor, when it began */
    struct record_cursor cursor;
    uint64_t hole_taken; /* of the hole at the cursor: hashed already */
    struct receiver_done done;
};

static inline struct receiver_item *receiver_item(struct receiver *r, uint32_t index)
{
    return &r->items[index % TRANSFER_ENTRIES];
}

/* ---- receiver.c ---- */

/* A job is over: looks at what it did. */
void receiver_look(struct receiver *r);
/* This side cannot go on. */
void receiver_fail(struct receiver *r, const char *text);
/* Between these, receiver_free only marks the receiver; receiver_leave may free it. */
void receiver_enter(struct receiver *r);
void receiver_leave(struct receiver *r);

/* ---- receiver_offer.c ---- */

/* NULL if an entry belongs to what was offered and comes in its place, and counts it; else what is
 * wrong. */
const char *receiver_judge(struct receiver *r, const struct transfer_entry *entry);
/* Of a folder, or the end of one, that was judged: opens it, or takes it from the stack to the
 * item. False: out of memory. */
bool receiver_open_or_end(struct receiver *r, struct receiver_item *item);
/* Frees the stack. */
void receiver_free_folders(struct receiver *r);

/* ---- receiver_files.c ---- */

/* Starts the job that is wanted most, if none is in flight. */
void receiver_work(struct receiver *r);
/* Frees what the jobs work with; none is in flight. */
void receiver_free_files(struct receiver *r);

#endif
