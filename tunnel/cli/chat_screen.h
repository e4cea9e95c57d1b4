/* The face of a chat on a terminal: what is said scrolls above one line that is being edited. The
 * line is drawn by this module, which writes without waiting; libedit keeps what is in it. An
 * implementation of cli/chat_face.h. */
#ifndef USI_CLI_CHAT_SCREEN_H
#define USI_CLI_CHAT_SCREEN_H

#include "cli/chat_face.h"

/* stdin is a terminal that can move its cursor. NULL where this is not possible: built without
 * libedit, no UTF-8 in the C library, a terminal that cannot be opened again. */
struct chat_face *chat_screen_new(struct loop *loop, const struct chat_face_handler *handler,
                                  void *owner);

#endif
