/* Files inside a chat: transfers (sender.h, receiver.h) whose records the host passes on. Each is
 * between two who are there, is known by the giver and the giver's number for it, and begins when
 * the other user has said yes. */
#ifndef USI_APPS_CHAT_CARRY_H
#define USI_APPS_CHAT_CARRY_H

#include "apps/chat.h"

struct chat_carry;

/* The transfer of a carry record: the giver's number; and which way the record goes. */
enum { CHAT_TRANSFER_NUMBER = 0x7fffffff };
#define CHAT_TRANSFER_BACK UINT32_C(0x80000000) /* from who gets the files to who gives them */

/* sha256 is borrowed. ask_ms: how long an offer stays open; 0: for ever. NULL: out of memory. */
struct chat_carry *chat_carry_new(struct chat *chat, EVP_MD *sha256, uint64_t ask_ms);

/* Ends all without a word. The chat is not called again. NULL is fine. */
void chat_carry_free(struct chat_carry *carry);

/* As chat_send, chat_accept and chat_refuse (chat.h). */
unsigned chat_carry_send(struct chat_carry *carry, uint32_t to, const char *path, char *why,
                         size_t size);
bool chat_carry_accept(struct chat_carry *carry, unsigned number, const char *folder, char *why,
                       size_t size);
bool chat_carry_refuse(struct chat_carry *carry, unsigned number, char *why, size_t size);

/* A record has come from somebody who is there. */
void chat_carry_take(struct chat_carry *carry, uint32_t from, uint32_t transfer, uint8_t inner,
                     const uint8_t *content, size_t size);

/* There may be room again. */
void chat_carry_go_on(struct chat_carry *carry);

/* Somebody has left. */
void chat_carry_left(struct chat_carry *carry, const struct chat_person *person);

/* Is anything under way, or offered? */
bool chat_carry_busy(const struct chat_carry *carry);

/* Our user leaves when what is under way has arrived: what is offered to us, and not accepted, is
 * refused. So is what comes while chat->leaves. */
void chat_carry_leave(struct chat_carry *carry);

/* Gives all up, and tells the others as far as there is room. */
void chat_carry_stop(struct chat_carry *carry);

#endif
