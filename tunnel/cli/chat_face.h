/* What a chat shows its user and hears from him: an editor on a terminal (cli/chat_screen.h), or
 * plain lines on stdin and stdout (cli/chat_lines.h). One thread, the loop's; nothing here waits.
 */
#ifndef USI_CLI_CHAT_FACE_H
#define USI_CLI_CHAT_FACE_H

#include "cli/say.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest line that is told to the owner, in octets: what one record of a chat carries. Longer
 * ones are dropped whole, and the user is told. */
enum { CHAT_FACE_LINE = 4096 };

struct chat_face;

/* Called from the loop, never from within a function of the face. */
struct chat_face_handler {
    /* A line was typed or read: valid UTF-8, at most CHAT_FACE_LINE octets, no newline, no NUL, not
     * empty; line[size] is NUL. It may hold other control characters. Gone after the call. */
    void (*line)(void *owner, const char *line, size_t size);
    /* The input is at its end (Ctrl-D in an empty line; end of file); no line comes after it.
     * error: 0, or a negative libuv error of reading. */
    void (*ended)(void *owner, int error);
    /* Ctrl-C in an empty line of the editor; in one with text it only empties it. A face of plain
     * lines never calls it: there SIGINT does its own. */
    void (*interrupted)(void *owner);
    /* chat_face_busy was true and is not any more: everything shown was written. error: 0, or the
     * negative libuv error that ended the output (a pipe without reader): called once, and what is
     * shown later is dropped. */
    void (*drained)(void *owner, int error);
};

/* What kind of line is shown, and what it looks like without colours. */
enum chat_face_kind {
    CHAT_FACE_SAID,    /* <name> text */
    CHAT_FACE_ME,      /* * name text */
    CHAT_FACE_PRIVATE, /* [name] text           told to our user alone */
    CHAT_FACE_TOLD,    /* [-> name] text        what our user told `name` alone */
    CHAT_FACE_SYSTEM,  /* -- text               the room: who has come, who is there, transfers */
    CHAT_FACE_PROGRAM  /* usi-tunnel: text      answers to commands, errors: stderr for plain lines
                        */
};

/* Opens the face that stdin, stdout and TERM allow: the editor when both are one terminal that can
 * move its cursor and libedit was built in, else plain lines. Takes stdin and stdout over; on a
 * terminal, also what is printed on stderr (say()) appears above the line that is being edited.
 * Reads nothing before the loop runs. NULL with one line in why[size]. */
struct chat_face *chat_face_new(struct loop *loop, const struct chat_face_handler *handler,
                                void *owner, char *why, size_t size);

/* Whether there is a user who sees and types (the editor); plain lines: false. */
bool chat_face_is_screen(const struct chat_face *face);

/* Shows one line. name (NULL for SYSTEM and PROGRAM) and text are NUL-terminated (name) or
 * text[0..size-1], hostile, and made inert here; they are copied. own: our own user's words: plain
 * lines do not show those, as who wrote them into the pipe knows them. true; false when the output
 * is behind by much: this line was still taken, but the owner should let nothing more come until
 * `drained`; past a second limit lines are lost, and their number shown in their place. */
bool chat_face_show(struct chat_face *face, enum chat_face_kind kind, bool own, const char *name,
                    const char *text, size_t size);

/* The same for SYSTEM and PROGRAM: text is printf's result, cut to 8,192 octets. Arguments may be
 * hostile. */
bool chat_face_tell(struct chat_face *face, enum chat_face_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether something that was shown is not written yet. */
bool chat_face_busy(const struct chat_face *face);

/* The prompt of the line that is edited, made inert; copied. Plain lines have none. Empty at first.
 */
void chat_face_prompt(struct chat_face *face, const char *prompt);

/* Takes no lines from the input for now (paused), or goes on. `ended` is not called while paused.
 * An editor lets its user type on, and holds the lines that he finishes. */
void chat_face_pause(struct chat_face *face, bool paused);

/* Empties the screen and forgets what is above; plain lines: nothing. */
void chat_face_clear(struct chat_face *face);

/* ---- questions ---- */

/* answer (NUL-terminated, UTF-8, no newline; may be empty) or NULL: Ctrl-C, Ctrl-D, no terminal, or
 * the face is being closed. It is wiped after the call. Called once, from the loop, but for a
 * chat_face_close, which calls it from there; another question may be asked from it. */
typedef void chat_face_answer(void *owner, const char *answer);

/* Asks; prompt is made inert and copied. secret: what is typed is not shown. What is being typed in
 * the editor, and its cursor, is there again afterwards; lines are shown meanwhile too. Plain lines
 * ask on /dev/tty, whatever stdin and stdout are. One question at a time: false if one is open. */
bool chat_face_ask(struct chat_face *face, const char *prompt, bool secret,
                   chat_face_answer *answer, void *owner);

/* Takes an open question back without a call; note (may be NULL) tells the user why. */
void chat_face_cancel(struct chat_face *face, const char *note);

/* ---- the terminal for others ---- */

/* lent: for a while somebody else asks on the terminal (cli/terminal.h): its modes are the user's
 * own again, the edited line is taken off, lines that are shown wait. false: goes on as before.
 * Plain lines: nothing. Calls do not nest. */
void chat_face_lend(struct chat_face *face, bool lent);

/* Restores the terminal's modes at once, writes what a terminal or pipe takes without waiting,
 * gives stderr back, and frees when the loop has closed the handles; no call comes after it but an
 * open question's. Whoever wants everything written waits for `drained` first. NULL is fine. */
void chat_face_close(struct chat_face *face);

#endif
