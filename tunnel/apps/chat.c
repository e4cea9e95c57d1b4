#include "apps/chat.h"

#include "apps/chat_carry.h"
#include "apps/chat_inside.h"

#include <string.h>

bool chat_init(struct chat *chat, const struct chat_operations *does, const struct net *net,
               const struct chat_options *options)
{
    chat->does = does;
    chat->net = net;
    chat->told = options->told;
    chat->owner = options->owner;
    chat->carry = chat_carry_new(chat, options->sha256, options->ask_ms);
    return chat->carry != NULL;
}

void chat_close(struct chat *chat)
{
    chat_carry_free(chat->carry);
    chat->carry = NULL;
}

/* ---- who is there ---- */

const struct chat_person *chat_person(const struct chat *chat, size_t index)
{
    return index < chat->count ? &chat->persons[index] : NULL;
}

const struct chat_person *chat_find(const struct chat *chat, uint32_t id)
{
    for (size_t i = 0; i < chat->count; i++)
        if (chat->persons[i].id == id)
            return &chat->persons[i];
    return NULL;
}

const struct chat_person *chat_find_name(const struct chat *chat, const char *name)
{
    for (size_t i = 0; i < chat->count; i++)
        if (chat_name_equal(chat->persons[i].name, name))
            return &chat->persons[i];
    return NULL;
}

uint32_t chat_me(const struct chat *chat)
{
    return chat->me;
}

const struct chat_person *chat_add(struct chat *chat, const struct chat_person *person)
{
    if (chat->count == CHAT_MEMBERS || chat_find(chat, person->id) != NULL)
        return NULL;
    chat->persons[chat->count] = *person;
    return &chat->persons[chat->count++];
}

void chat_remove(struct chat *chat, uint32_t id, enum chat_left why)
{
    const struct chat_person *found = chat_find(chat, id);

    if (found == NULL)
        return;
    struct chat_person person = *found;
    size_t at = (size_t)(found - chat->persons);
    chat->count--;
    memmove(&chat->persons[at], &chat->persons[at + 1],
            (chat->count - at) * sizeof chat->persons[0]);
    chat_carry_left(chat->carry, &person);
    chat->told(chat->owner,
               &(struct chat_event){.type = CHAT_EVENT_LEFT, .person = &person, .why = why});
}

/* ---- what one can do ---- */

bool chat_say(struct chat *chat, enum chat_kind kind, uint32_t to, const char *text, size_t size)
{
    return chat->does->say(chat, kind, to, text, size);
}

bool chat_question(struct chat *chat)
{
    return chat->does->question != NULL && chat->does->question(chat);
}

void chat_pause(struct chat *chat, bool paused)
{
    if (chat->does->pause != NULL)
        chat->does->pause(chat, paused);
}

unsigned chat_send(struct chat *chat, uint32_t to, const char *path, char *why, size_t size)
{
    return chat_carry_send(chat->carry, to, path, why, size);
}

bool chat_accept(struct chat *chat, unsigned number, const char *folder, char *why, size_t size)
{
    return chat_carry_accept(chat->carry, number, folder, why, size);
}

bool chat_refuse(struct chat *chat, unsigned number, char *why, size_t size)
{
    return chat_carry_refuse(chat->carry, number, why, size);
}

void chat_quit(struct chat *chat, bool at_once)
{
    if (!at_once && chat_carry_busy(chat->carry)) {
        chat->leaves = true;
        chat_carry_leave(chat->carry);
        return;
    }
    chat->leaves = false;
    chat->left = true;
    chat_carry_stop(chat->carry);
    chat->does->leave(chat);
}

void chat_hurry(struct chat *chat)
{
    if (chat->left)
        chat->does->cut(chat);
    else
        chat_quit(chat, true);
}

void chat_files_over(struct chat *chat)
{
    if (chat->leaves)
        chat_quit(chat, true);
}

void chat_free(struct chat *chat)
{
    if (chat != NULL)
        chat->does->free(chat);
}
