/* A chat as its user meets it, the same for who hosts it (chat_room.h) and who has joined it
 * (chat_member.h): who is there, what happens, what one can do. One thread, the loop's. */
#ifndef USI_APPS_CHAT_H
#define USI_APPS_CHAT_H

#include "apps/chat_name.h"
#include "apps/chat_records.h"
#include "apps/outcome.h"
#include "net/net.h"

#include <openssl/types.h>

struct chat;
struct chat_carry;

enum {
    CHAT_MEMBERS = 64,        /* at most, the host's own user included */
    CHAT_TRANSFERS = 8,       /* that somebody gives, and as many that somebody gets, at most */
    CHAT_OFFERS = 2,          /* of those, that one has offered to one who has not answered yet */
    CHAT_WINDOW = 256 * 1024, /* octets of each under way */
    CHAT_NOBODY = 0,
    CHAT_HOST = 1 /* ids: no member's, the host's own user's */
};

struct chat_person {
    uint32_t id;
    char name[CHAT_NAME + 1];
    uint8_t mode; /* enum usi_mode in which it has come to the host; 0: it is the host */
    bool has_fingerprint;
    uint8_t fingerprint[CHAT_FINGERPRINT]; /* of its public key, as the host says */
};

/* ---- what happens ---- */

enum chat_event_type {
    CHAT_EVENT_HERE,    /* person was there before us */
    CHAT_EVENT_WELCOME, /* we are in. person: us */
    CHAT_EVENT_JOINED,  /* person */
    CHAT_EVENT_LEFT,    /* person, why: enum chat_left */
    CHAT_EVENT_SAID,    /* person, kind, text, size */
    CHAT_EVENT_REFUSED, /* why: enum chat_refused */
    CHAT_EVENT_READY,   /* more may be said */
    CHAT_EVENT_ANSWER,  /* to chat_question: why as the reason of USI_EVENT_ANSWER */
    CHAT_EVENT_FILES    /* number, person, files: see struct chat_files */
};

/* What can happen to files that somebody offers. */
enum chat_files_step {
    CHAT_FILES_OFFERED,  /* to us: chat_accept or chat_refuse */
    CHAT_FILES_ACCEPTED, /* by person */
    CHAT_FILES_REFUSED,  /* by person */
    CHAT_FILES_CROWDED,  /* person offered some, and was declined: too many wait. number is 0 */
    CHAT_FILES_PROGRESS, /* done_octets, of octets; moved */
    CHAT_FILES_LINE,     /* text: something about one thing of many */
    CHAT_FILES_OVER      /* done: all is well; else text says what is wrong */
};

struct chat_files {
    enum chat_files_step step;
    bool ours; /* we give them, person gets them */
    bool done;
    const char *name; /* of the only thing, hostile; "" if there are several */
    size_t name_size;
    uint64_t count, octets;
    uint64_t done_octets;           /* CHAT_FILES_PROGRESS: written out there, or there before */
    uint64_t moved;                 /* those of them that were sent now */
    uint32_t kept, skipped, failed; /* CHAT_FILES_OVER */
    const char *text;
};

struct chat_event {
    enum chat_event_type type;
    const struct chat_person *person;
    enum chat_kind kind;
    unsigned why;
    const char *text; /* hostile, without a NUL behind it */
    size_t size;
    unsigned number; /* of files, as the user names them */
    const struct chat_files *files;
};

/* Called from the loop, and from within the functions below. */
typedef void chat_told(void *owner, const struct chat_event *event);

/* For chat_room_new and chat_member_new. */
struct chat_options {
    const char *name;           /* that is wished for; chat_name_is_fit */
    const uint8_t *fingerprint; /* of the host's own public key; NULL: it has none */
    EVP_MD *sha256;             /* for files; borrowed */
    uint64_t ask_ms;            /* how long an offer of files stays open; 0: for ever */
    chat_told *told;
    outcome_told *over; /* how it ended; once, last */
    void *owner;
};

/* ---- what one can do ---- */

/* Says a line (chat_text_is_line) to everybody (`to` CHAT_NOBODY), or (CHAT_PRIVATE) to one. It is
 * taken in any case; false: nothing more should come until CHAT_EVENT_READY. */
bool chat_say(struct chat *chat, enum chat_kind kind, uint32_t to, const char *text, size_t size);

/* Who is there, in the order of their coming; index from 0. NULL beyond. */
const struct chat_person *chat_person(const struct chat *chat, size_t index);
const struct chat_person *chat_find(const struct chat *chat, uint32_t id);
const struct chat_person *chat_find_name(const struct chat *chat, const char *name);

/* Our own id; CHAT_NOBODY before CHAT_EVENT_WELCOME. */
uint32_t chat_me(const struct chat *chat);

/* A member, in identity mode, whose net has a stretch: asks whether the host knows the password.
 * False: not possible (now). */
bool chat_question(struct chat *chat);

/* Offers the file or folder to one, or (CHAT_NOBODY) to each who is there. Those beyond
 * CHAT_TRANSFERS, or CHAT_OFFERS to that one, wait. How many it was offered to; 0 with a line in
 * why. */
unsigned chat_send(struct chat *chat, uint32_t to, const char *path, char *why, size_t size);

/* Answers an offer: takes it into folder (NULL: the present one), or not. number 0: the only one
 * that is open. chat_refuse also gives up what is under way, either way. False with a line in why.
 */
bool chat_accept(struct chat *chat, unsigned number, const char *folder, char *why, size_t size);
bool chat_refuse(struct chat *chat, unsigned number, char *why, size_t size);

/* A member takes nothing from the host for now, or goes on: its user is behind. The host goes on in
 * any case. */
void chat_pause(struct chat *chat, bool paused);

/* Leaves, or closes the chat: at once, or when the files under way have arrived. How it ended is
 * told to whoever was named when the chat was made. */
void chat_quit(struct chat *chat, bool at_once);

/* What the user wants who says it again: chat_quit at once, or, if that is waiting for the others'
 * word (for which they have the net's drain_ms), cuts them off. */
void chat_hurry(struct chat *chat);

/* Frees. NULL is fine. */
void chat_free(struct chat *chat);

#endif
