/* The prompt of a chat: its user's name, and before it how far files have come that are under way.
 */
#ifndef USI_CLI_CHAT_PROMPT_H
#define USI_CLI_CHAT_PROMPT_H

#include "apps/chat.h"
#include "cli/chat_face.h"

struct chat_prompt;

/* For a face, which outlives it, and a user's name, which is copied. NULL: out of memory. */
struct chat_prompt *chat_prompt_new(struct loop *loop, struct chat_face *face, const char *name);

/* Of a CHAT_EVENT_FILES. */
void chat_prompt_files(struct chat_prompt *prompt, const struct chat_event *event);

/* Frees it once the loop has closed its handle. NULL is fine. */
void chat_prompt_close(struct chat_prompt *prompt);

#endif
