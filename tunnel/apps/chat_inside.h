/* What chat_room.c and chat_member.c build on. The contract is in apps/chat.h. */
#ifndef USI_APPS_CHAT_INSIDE_H
#define USI_APPS_CHAT_INSIDE_H

#include "apps/chat.h"

struct chat_operations {
    bool (*say)(struct chat *chat, enum chat_kind kind, uint32_t to, const char *text, size_t size);
    bool (*question)(struct chat *chat);           /* NULL: there is nobody to ask */
    void (*pause)(struct chat *chat, bool paused); /* NULL: it goes on */
    void (*leave)(struct chat *chat);              /* for good: of files nothing is left */
    void (*cut)(struct chat *chat);                /* behind leave: waits for nobody any more */
    void (*free)(struct chat *chat);
    /* Octets that a transfer's record may have now; 0: wait for chat_carry_go_on. */
    size_t (*carry_room)(struct chat *chat);
    /* Sends one to somebody who is there, of at most carry_room octets. */
    void (*carry)(struct chat *chat, uint32_t to, uint32_t transfer, uint8_t inner,
                  const uint8_t *content, size_t size);
};

struct chat {
    const struct chat_operations *does;
    const struct net *net;
    chat_told *told;
    void *owner;
    uint32_t me;
    struct chat_person persons[CHAT_MEMBERS];
    size_t count;
    struct chat_carry *carry; /* made with the chat */
    bool leaves;              /* chat_quit was called, and waits for files */
    bool left;                /* leave was called */
};

/* Sets chat up; false when out of memory. chat_close undoes it. */
bool chat_init(struct chat *chat, const struct chat_operations *does, const struct net *net,
               const struct chat_options *options);
void chat_close(struct chat *chat);

/* Somebody comes. NULL: too many, or that id is there. */
const struct chat_person *chat_add(struct chat *chat, const struct chat_person *person);

/* Somebody goes, if it is there: files under way with it fail, and CHAT_EVENT_LEFT is told. */
void chat_remove(struct chat *chat, uint32_t id, enum chat_left why);

/* From chat_carry.c: of transfers nothing is under way any more. */
void chat_files_over(struct chat *chat);

#endif
