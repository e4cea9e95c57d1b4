/* The inside of a chat's host, shared by chat_room.c (who comes and goes, and what they send) and
 * chat_room_out.c (what goes to them). The contract is in chat_room.h. */
#ifndef USI_APPS_CHAT_ROOM_INSIDE_H
#define USI_APPS_CHAT_ROOM_INSIDE_H

#include "apps/chat_inside.h"
#include "apps/chat_queue.h"
#include "apps/chat_room.h"

/* A link that has arrived. */
struct member {
    struct member *next;
    struct chat_room *room;
    struct link *link;
    uint32_t id; /* CHAT_NOBODY: it has not said hello */
    bool gone;   /* nothing it sends counts any more, and nobody's words go to it */
    bool cut;    /* nor does what waits */
    enum chat_left why;
    struct chat_queue talk;  /* what waits for it */
    struct chat_queue files; /* the same, of transfers, which let talk pass */
    struct chat_queue held;  /* what it sent and is not taken yet: its link is paused */
    bool holding;
    bool end_held;    /* its end came behind what is held */
    size_t files_out; /* octets of its own in the others' `files` */
    uint64_t due;     /* its lines' token bucket: see take_token */
    bool ended, ending, end_called, bye_called;
};

struct chat_room {
    struct chat chat;
    struct station *station;
    struct member *members; /* the latest first */
    uint32_t last_id;
    uint64_t due;      /* the host's own user's token bucket */
    bool says_later;   /* that user waits for CHAT_EVENT_READY */
    size_t files_out;  /* that user's */
    bool files_later;  /* its transfers wait for room */
    uv_timer_t tokens; /* somebody waits for a token */
    uv_timer_t drain;
    uv_timer_t watch; /* somebody's files wait: is it still there? */
    unsigned timers;  /* that are not closed */
    bool closing, over, orphan;
    enum outcome outcome;
    outcome_told *told;
    uint8_t out[CHAT_RECORD];
    struct member pool[CHAT_MEMBERS - 1]; /* free ones have no link */
};

/* ---- chat_room_out.c ---- */

/* NULL: nobody has this id, or only the host's own user. */
struct member *chat_room_find(const struct chat_room *room, uint32_t id);

/* Ends it at once; its link's last call tells the others why. */
void chat_room_cut(struct member *member, enum chat_left why);

/* Sends or queues a record, unless it is gone; a queue that is full cuts it. */
void chat_room_send(struct member *member, const struct chat_record *record);

/* To everybody who is in but one. */
void chat_room_broadcast(struct chat_room *room, const struct chat_record *record, uint32_t but);

/* From now on, while somebody's own files wait and nothing is read of it: who has died is cut. */
void chat_room_watch(struct chat_room *room);

/* Its transfers are over: what it sent of them waits for nobody any more. */
void chat_room_forget_files(struct member *member);

/* Sends or queues a CHAT_TYPE_CARRIED, which counts as its source's while it waits. */
void chat_room_send_file(struct member *member, uint32_t source, const uint8_t *content,
                         size_t size);

/* Sends what waits, as far as it goes, and the end. */
void chat_room_flush(struct member *member);

/* Nobody's words go to it any more; what was said before still does, and then our end. */
void chat_room_begin_end(struct member *member);

/* What is due of that end: `end` when all is sent, `bye` when its own has come, the close when both
 * sides are through. */
void chat_room_end_if_done(struct member *member);

/* Drops what waits for it, and what it sent and is not taken. */
void chat_room_drop(struct member *member);

#endif
