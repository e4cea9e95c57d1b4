/* The face of a chat for pipes, files and terminals that cannot edit: a line in is a line said, a
 * line out is one that is shown. An implementation of cli/chat_face.h. */
#ifndef USI_CLI_CHAT_LINES_H
#define USI_CLI_CHAT_LINES_H

#include "cli/chat_face.h"

/* As chat_face_new. */
struct chat_face *chat_lines_new(struct loop *loop, const struct chat_face_handler *handler,
                                 void *owner, char *why, size_t size);

#endif
