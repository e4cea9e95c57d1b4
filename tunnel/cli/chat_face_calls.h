/* What a face is inside: the functions behind cli/chat_face.h, and how a line looks. Only for
 * chat_face.c, chat_lines.c and chat_screen.c. */
#ifndef USI_CLI_CHAT_FACE_CALLS_H
#define USI_CLI_CHAT_FACE_CALLS_H

#include "cli/chat_face.h"
#include "cli/inert.h"

enum {
    CHAT_FACE_TEXT = 8192, /* the longest text that is shown, in octets as they came */
    CHAT_FACE_NAME = 256,
    CHAT_FACE_SHOWN = INERT_MAX * (CHAT_FACE_TEXT + CHAT_FACE_NAME) + 64
};

/* Each as in chat_face.h. */
struct chat_face_calls {
    bool is_screen;
    bool (*show)(struct chat_face *face, enum chat_face_kind kind, bool own, const char *name,
                 const char *text, size_t size);
    bool (*busy)(const struct chat_face *face);
    void (*prompt)(struct chat_face *face, const char *prompt); /* NULL: not shown */
    void (*pause)(struct chat_face *face, bool paused);
    void (*clear)(struct chat_face *face); /* NULL: nothing */
    bool (*ask)(struct chat_face *face, const char *prompt, bool secret, chat_face_answer *answer,
                void *owner);
    void (*cancel)(struct chat_face *face, const char *note);
    void (*lend)(struct chat_face *face, bool lent); /* NULL: nothing */
    void (*close)(struct chat_face *face);
};

/* The first member of each face. */
struct chat_face {
    const struct chat_face_calls *calls;
    const struct chat_face_handler *handler;
    void *owner;
};

/* Writes a line of the kind to out[CHAT_FACE_SHOWN], made inert, without an end, and returns its
 * octets. on and off, of at most 15 octets each, stand around what is not text: colours. */
size_t chat_face_line(char *out, enum chat_face_kind kind, const char *name, const char *text,
                      size_t size, const char *on, const char *off);

/* Shows how many lines are lost. */
void chat_face_tell_lost(struct chat_face *face, size_t lost);

/* Whether text[0..size-1] is what chat_face_handler.line may be given. */
bool chat_face_is_text(const char *text, size_t size);

#endif
