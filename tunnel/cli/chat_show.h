/* What happens in a chat, as lines on its face. */
#ifndef USI_CLI_CHAT_SHOW_H
#define USI_CLI_CHAT_SHOW_H

#include "apps/chat.h"
#include "cli/chat_face.h"

/* Shows an event, if it is one that is shown. False: the face is behind (chat_face_show). */
bool chat_show_event(struct chat_face *face, const struct chat *chat,
                     const struct chat_event *event);

/* Who is there, a line each: how it has come, and the fingerprint of its key. */
void chat_show_who(struct chat_face *face, const struct chat *chat);

#endif
