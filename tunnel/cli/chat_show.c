#include "cli/chat_show.h"

#include "cli/amount.h"
#include "cli/peers.h"
#include "text/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAMES = 4096, WHAT = 512 };

/* ---- who is there ---- */

static const char *way_in(const struct chat_person *person)
{
    switch (person->mode) {
    case 0:
        return text("the host");
    case USI_MODE_IDENTITY:
        return text("by an identity");
    case USI_MODE_PASSWORD:
        return text("by the password");
    default:
        return text("by the key");
    }
}

void chat_show_who(struct chat_face *face, const struct chat *chat)
{
    const struct chat_person *person;
    char hex[PEERS_HEX + 1];

    for (size_t i = 0; (person = chat_person(chat, i)) != NULL; i++) {
        peers_hex(person->fingerprint, hex);
        (void)chat_face_tell(face, CHAT_FACE_SYSTEM, "%s%s: %s%s%s", person->name,
                             person->id == chat_me(chat) ? text(" (you)") : "", way_in(person),
                             person->has_fingerprint ? ", sha256:" : "",
                             person->has_fingerprint ? hex : "");
    }
}

static bool show_welcome(struct chat_face *face, const struct chat *chat,
                         const struct chat_person *me)
{
    const struct chat_person *person;
    char names[NAMES] = "";
    size_t used = 0;

    for (size_t i = 0; (person = chat_person(chat, i)) != NULL; i++) {
        if (person->id == me->id)
            continue;
        int n =
            snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? ", " : "", person->name);
        if (n < 0 || (size_t)n >= sizeof names - used) {
            names[used] = '\0';
            break;
        }
        used += (size_t)n;
    }
    if (used == 0)
        return chat_face_tell(face, CHAT_FACE_SYSTEM, text("you are %s, the host; /help helps"),
                              me->name);
    return chat_face_tell(face, CHAT_FACE_SYSTEM, text("you are %s; here: %s"), me->name, names);
}

static bool show_left(struct chat_face *face, const struct chat_event *event)
{
    const char *name = event->person->name;

    switch (event->why) {
    case CHAT_LEFT_QUIT:
        return chat_face_tell(face, CHAT_FACE_SYSTEM, text("%s has left"), name);
    case CHAT_LEFT_SLOW:
        return chat_face_tell(face, CHAT_FACE_SYSTEM,
                              text("%s was cut off: it did not read what was said"), name);
    case CHAT_LEFT_CLOSED:
        return chat_face_tell(face, CHAT_FACE_SYSTEM, text("%s has closed the chat"), name);
    default:
        return chat_face_tell(face, CHAT_FACE_SYSTEM, text("%s was cut off"), name);
    }
}

static bool show_said(struct chat_face *face, const struct chat_event *event)
{
    enum chat_face_kind kind = event->kind == CHAT_ME        ? CHAT_FACE_ME
                               : event->kind == CHAT_PRIVATE ? CHAT_FACE_PRIVATE
                                                             : CHAT_FACE_SAID;

    return chat_face_show(face, kind, false, event->person->name, event->text, event->size);
}

static bool show_answer(struct chat_face *face, unsigned answer)
{
    return chat_face_tell(
        face, CHAT_FACE_PROGRAM, "%s",
        answer == 0   ? text("the host knows the password")
        : answer == 1 ? text("THE HOST DOES NOT KNOW THE PASSWORD: somebody may be in the middle")
                      : text("the host has no password, or allows no more tries: that proves "
                             "nothing"));
}

/* ---- files ---- */

static void write_what(char *out, size_t size, const struct chat_files *files)
{
    char octets[AMOUNT_TEXT], count[32] = "";

    amount_octets(octets, files->octets);
    if (files->count != 1 || files->name_size == 0)
        (void)snprintf(
            count, sizeof count,
            text_of("%" PRIu64 " file, ", "%" PRIu64 " files, ", (unsigned long)files->count),
            files->count);
    (void)snprintf(out, size, "%.*s (%s%s)", (int)files->name_size, files->name, count, octets);
}

static bool show_over(struct chat_face *face, const struct chat_event *event)
{
    const struct chat_files *files = event->files;
    const char *name = event->person->name;

    if (files->done && files->ours)
        return chat_face_tell(face, CHAT_FACE_SYSTEM, text("%u: %s has it all, verified"),
                              event->number, name);
    if (files->done)
        return chat_face_tell(face, CHAT_FACE_SYSTEM, text("%u: from %s, all here, verified"),
                              event->number, name);
    if (files->kept + files->skipped + files->failed > 0)
        return chat_face_tell(
            face, CHAT_FACE_SYSTEM, text("%u: with %s: %s: %u kept, %u not taken, %u failed"),
            event->number, name, files->text, files->kept, files->skipped, files->failed);
    return chat_face_tell(face, CHAT_FACE_SYSTEM, text("%u: with %s: %s"), event->number, name,
                          files->text);
}

static bool show_files(struct chat_face *face, const struct chat_event *event)
{
    const struct chat_files *files = event->files;
    const char *name = event->person->name;
    unsigned number = event->number;
    char what[WHAT];

    switch (files->step) {
    case CHAT_FILES_OFFERED:
        write_what(what, sizeof what, files);
        return files->ours ? chat_face_tell(face, CHAT_FACE_SYSTEM, text("%u: offered to %s: %s"),
                                            number, name, what)
                           : chat_face_tell(face, CHAT_FACE_SYSTEM,
                                            text("%u: %s offers %s: /accept %u or /refuse %u"),
                                            number, name, what, number, number);
    case CHAT_FILES_ACCEPTED:
        return chat_face_tell(face, CHAT_FACE_SYSTEM, text("%u: %s takes it"), number, name);
    case CHAT_FILES_REFUSED:
        return chat_face_tell(face, CHAT_FACE_SYSTEM, text("%u: %s does not take it"), number,
                              name);
    case CHAT_FILES_CROWDED:
        return chat_face_tell(
            face, CHAT_FACE_SYSTEM,
            text("%s offered more files, and was refused: too many wait for your answer"), name);
    case CHAT_FILES_LINE:
        return chat_face_tell(face, CHAT_FACE_SYSTEM, "%u: %s", number, files->text);
    case CHAT_FILES_OVER:
        return show_over(face, event);
    case CHAT_FILES_PROGRESS:
        break;
    }
    return true;
}

bool chat_show_event(struct chat_face *face, const struct chat *chat,
                     const struct chat_event *event)
{
    switch (event->type) {
    case CHAT_EVENT_WELCOME:
        return show_welcome(face, chat, event->person);
    case CHAT_EVENT_JOINED:
        return chat_face_tell(face, CHAT_FACE_SYSTEM, text("%s has come"), event->person->name);
    case CHAT_EVENT_LEFT:
        return show_left(face, event);
    case CHAT_EVENT_SAID:
        return show_said(face, event);
    case CHAT_EVENT_REFUSED:
        return chat_face_tell(face, CHAT_FACE_PROGRAM, "%s",
                              text("it was not delivered: that one has left"));
    case CHAT_EVENT_ANSWER:
        return show_answer(face, event->why);
    case CHAT_EVENT_FILES:
        return show_files(face, event);
    case CHAT_EVENT_HERE:
    case CHAT_EVENT_READY:
        break;
    }
    return true;
}
