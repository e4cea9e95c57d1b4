/*
 * A chat in hostile hands, for libFuzzer: the input is what links bring to a host, or a host to a
 * member, in any order, and what a user types. The links are this file's own; what they are asked
 * to send has to be what a record can be. Nothing may crash or hang, and every record that is read
 * has to be written the same again.
 */
#include "apps/chat_inside.h"
#include "apps/chat_member.h"
#include "apps/chat_room.h"
#include "cli/chat_commands.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINKS = 5, OUT = 65536 };

struct link {
    const struct link_handler *handler; /* NULL: closed, or not there yet */
    void *owner;
    size_t room;
    bool dead, ended, confirmed, peer_ended, peer_confirmed;
};

static struct link links[LINKS];
static struct loop loop;
static struct net net;
static const struct station_handler *station;
static void *station_owner;
static bool one_link; /* a member's */
static struct chat *chat;

/* ---- what a chat stands on ---- */

struct station *station_listen(const struct net *n, const struct address *address,
                               const struct listener_options *listen, enum usi_service service,
                               unsigned most, const struct station_handler *handler, void *owner,
                               char *why, size_t size)
{
    (void)n, (void)address, (void)listen, (void)service, (void)most, (void)why, (void)size;
    station = handler;
    station_owner = owner;
    return (struct station *)(void *)links;
}

struct station *station_connect(const struct net *n, const struct address *address,
                                const struct dialer_options *dial, enum usi_service service,
                                const struct station_handler *handler, void *owner)
{
    (void)dial;
    return station_listen(n, address, NULL, service, 1, handler, owner, NULL, 0);
}

void station_gone(struct station *s)
{
    (void)s;
}

void station_stop(struct station *s)
{
    (void)s;
    station = NULL;
}

void station_free(struct station *s)
{
    (void)s;
}

void link_set_handler(struct link *l, const struct link_handler *handler, void *owner)
{
    l->handler = handler;
    l->owner = owner;
}

struct usi_channel *link_channel(struct link *l)
{
    return (struct usi_channel *)(void *)l;
}

static struct link *of(struct usi_channel *channel)
{
    return (struct link *)(void *)channel;
}

size_t link_room(const struct link *l)
{
    return l->dead || l->ended ? 0 : l->room;
}

bool link_record(struct link *l, uint8_t type, const uint8_t *content, size_t size)
{
    struct chat_record record;

    REQUIRE(size <= link_room(l) && chat_record_read(&record, type, content, size));
    return true;
}

void link_flush(struct link *l)
{
    (void)l;
}

void link_expect(struct link *l, uint64_t ms)
{
    (void)l, (void)ms;
}

void link_pause(struct link *l)
{
    (void)l;
}

void link_resume(struct link *l)
{
    (void)l;
}

void link_cut(struct link *l, enum link_cause cause)
{
    (void)cause;
    l->dead = true;
}

void link_abort(struct link *l, enum usi_reason reason)
{
    (void)reason;
    l->dead = true;
}

void link_finish(struct link *l)
{
    l->dead = true;
}

bool link_has_gone(const struct link *l)
{
    return l->dead;
}

bool link_ask(struct link *l)
{
    (void)l;
    return true;
}

const char *link_peer(const struct link *l)
{
    (void)l;
    return "peer";
}

enum outcome outcome_of_link(const struct link_end *end, const char *peer, char *text, size_t size)
{
    (void)snprintf(text, size, "%s", peer);
    return end->cause == LINK_CLEAN ? OUTCOME_DONE : OUTCOME_CUT;
}

int usi_channel_end(struct usi_channel *channel)
{
    of(channel)->ended = true;
    return 0;
}

int usi_channel_bye(struct usi_channel *channel)
{
    struct link *l = of(channel);

    REQUIRE(l->ended && l->peer_ended);
    l->confirmed = true;
    return 0;
}

bool usi_channel_idle(const struct usi_channel *channel)
{
    const struct link *l = (const struct link *)(const void *)channel;

    return l->confirmed && l->peer_confirmed;
}

const struct usi_peer *usi_channel_peer(const struct usi_channel *channel)
{
    (void)channel;
    return NULL;
}

void usi_channel_counts(const struct usi_channel *channel, struct usi_counts *counts)
{
    (void)channel;
    *counts = (struct usi_counts){.mode = USI_MODE_KEY};
}

/* ---- the user ---- */

static void told(void *owner, const struct chat_event *event)
{
    (void)owner;
    if (event->type == CHAT_EVENT_SAID)
        REQUIRE(chat_text_is_line((const uint8_t *)event->text, event->size));
    if (event->person != NULL)
        REQUIRE(chat_name_is_fit(event->person->name, strlen(event->person->name)));
}

static void over(void *owner, enum outcome outcome, const char *text)
{
    (void)owner, (void)outcome, (void)text;
}

/* ---- the input ---- */

/* A record as it was sent: its length in an octet, where 255 is as long as can be. */
static void bring(struct link *l, struct fuzz_input *input)
{
    uint8_t type = (uint8_t)fuzz_take(input);
    size_t size = fuzz_take(input);
    struct block *block;

    if (size > input->size || size == 255)
        size = input->size;
    if (size > OUT)
        size = OUT;
    block = block_get(&loop, size);
    REQUIRE(block != NULL);
    memcpy(block->octets, input->data, size);
    input->data += size;
    input->size -= size;
    if (!l->peer_ended)
        l->handler->record(l->owner, type, block, block->octets, size);
    block_release(&loop, block);
}

static void close_link(struct link *l, enum link_cause cause)
{
    const struct link_handler *handler = l->handler;
    struct link_end end = {.cause = cause};

    l->handler = NULL;
    if (handler != NULL)
        handler->closed(l->owner, &end);
}

static void step_of_link(struct link *l, unsigned what, struct fuzz_input *input)
{
    if (l->handler == NULL) {
        if (station == NULL)
            return;
        const struct station_handler *handler = station;
        if (one_link)
            station = NULL;
        *l = (struct link){.room = OUT};
        handler->arrived(station_owner, l);
    } else if (l->dead) {
        close_link(l, l->confirmed && l->peer_confirmed ? LINK_CLEAN : LINK_BROKEN);
    } else if (what < 12) {
        bring(l, input);
    } else if (what == 12) {
        l->room = l->room > 0 ? 0 : OUT;
        if (l->room > 0)
            l->handler->writable(l->owner);
    } else if (what == 13 && !l->peer_ended) {
        l->peer_ended = true;
        l->handler->ended(l->owner);
    } else if (what == 14 && l->peer_ended && l->ended && !l->peer_confirmed) {
        l->peer_confirmed = true;
        l->handler->bye(l->owner);
    } else if (what == 15) {
        close_link(l, LINK_CUT);
    }
}

static void step_of_user(unsigned what, struct fuzz_input *input)
{
    char why[256];
    const char *text = (const char *)input->data;
    size_t size = input->size < 8 ? input->size : 8;

    if (what < 8 && chat_text_is_line((const uint8_t *)text, size))
        (void)chat_say(chat, what % 2 ? CHAT_ME : CHAT_SAY, CHAT_NOBODY, text, size);
    else if (what < 10 && size > 0)
        (void)chat_say(chat, CHAT_PRIVATE, 1 + fuzz_take(input) % 8, "psst", 4);
    else if (what == 10)
        (void)chat_refuse(chat, fuzz_take(input) % 4, why, sizeof why);
    else if (what == 11)
        chat_quit(chat, fuzz_take(input) % 2);
    else if (what == 12)
        chat_pause(chat, fuzz_take(input) % 2);
    else
        (void)uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void run_chat(struct fuzz_input *input, bool hosts)
{
    static const struct address address;
    static const struct listener_options listen;
    static const struct dialer_options dial;
    const struct chat_options options = {.name = "me", .told = told, .over = over};
    char why[64];

    REQUIRE(loop_init(&loop) == 0);
    net = (struct net){.loop = &loop};
    memset(links, 0, sizeof links);
    one_link = !hosts;
    chat = hosts ? chat_room_new(&net, &address, &listen, &options, why, sizeof why)
                 : chat_member_new(&net, &address, &dial, &options);
    REQUIRE(chat != NULL);
    while (input->size > 0) {
        unsigned what = fuzz_take(input);
        unsigned which = hosts ? (what >> 4) % (LINKS + 1) : (what >> 4) % 4 == 0 ? LINKS : 0;
        if (which == LINKS)
            step_of_user(what % 16, input);
        else
            step_of_link(&links[which], what % 16, input);
    }
    chat_free(chat);
    for (size_t i = 0; i < LINKS; i++)
        close_link(&links[i], LINK_CUT);
    REQUIRE(loop_close(&loop));
}

/* What is read is written the same again. */
static void run_codec(struct fuzz_input *input)
{
    uint8_t type = (uint8_t)fuzz_take(input), *exact = malloc(input->size + 1);
    uint8_t *out = malloc(CHAT_RECORD);
    struct chat_record record;

    REQUIRE(exact != NULL && out != NULL);
    memcpy(exact, input->data, input->size);
    if (chat_record_read(&record, type, exact, input->size))
        REQUIRE(chat_record_write(&record, out, CHAT_RECORD) == input->size &&
                memcmp(out, input->data, input->size) == 0);
    free(exact);
    free(out);
}

static void run_command(struct fuzz_input *input)
{
    struct chat_command *command = malloc(sizeof *command);
    char fit[CHAT_NAME + 1];

    REQUIRE(command != NULL);
    if (memchr(input->data, '\0', input->size) == NULL)
        chat_command_read(command, (const char *)input->data, input->size);
    chat_name_make(fit, (const char *)input->data, input->size);
    REQUIRE(chat_name_is_fit(fit, strlen(fit)));
    free(command);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    switch (fuzz_take(&input) % 4) {
    case 0:
        run_codec(&input);
        break;
    case 1:
        run_command(&input);
        break;
    case 2:
        run_chat(&input, true);
        break;
    default:
        run_chat(&input, false);
        break;
    }
    return 0;
}

/* ---- inputs and seeds ---- */

static unsigned any(uint64_t *dice, unsigned most)
{
    return (unsigned)fuzz_dice(dice, (size_t)most + 1);
}

/* Records that begin as sound ones do, some of them spoilt. */
static size_t add_record(uint64_t *dice, uint8_t *out)
{
    static const struct {
        uint8_t type;
        const char *octets;
        size_t size;
    } sound[] = {
#define SOUND(type, s) {type, s, sizeof(s) - 1}
        SOUND(CHAT_TYPE_HELLO, "\1\4anna"),
        SOUND(CHAT_TYPE_SAY, "\0hello"),
        SOUND(CHAT_TYPE_TELL, "\0\0\0\2psst"),
        SOUND(CHAT_TYPE_CARRY, "\0\0\0\1\0\0\0\1\x40\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\1x\0\0\0\1"
                               "\0\0\0\0\0\0\0\0"),
        SOUND(CHAT_TYPE_CARRY, "\0\0\0\3\0\0\0\1\x45\0\0\0\0abc"),
        SOUND(CHAT_TYPE_CARRY, "\0\0\0\1\0\0\0\1\x4d\1"),
        SOUND(CHAT_TYPE_WELCOME, "\0\0\0\2\2me\0\0\0\1"),
        SOUND(CHAT_TYPE_JOINED, "\0\0\0\1\4host\0\0"),
        SOUND(CHAT_TYPE_JOINED, "\0\0\0\2\2me\1\0"),
        SOUND(CHAT_TYPE_JOINED, "\0\0\0\3\3bob\1\0"),
        SOUND(CHAT_TYPE_LEFT, "\0\0\0\3\0"),
        SOUND(CHAT_TYPE_SAID, "\0\0\0\1\0hello"),
        SOUND(CHAT_TYPE_REFUSED, "\1"),
        SOUND(CHAT_TYPE_CARRIED, "\0\0\0\3\0\0\0\1\x40\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\1x\0\0\0\1"
                                 "\0\0\0\0\0\0\0\0"),
        SOUND(CHAT_TYPE_CARRIED, "\0\0\0\3\0\0\0\1\x4d\1"),
    };
    size_t which = any(dice, sizeof sound / sizeof sound[0] - 1), size = sound[which].size;

    out[0] = sound[which].type;
    out[1] = (uint8_t)size;
    memcpy(out + 2, sound[which].octets, size);
    if (any(dice, 9) == 0)
        out[any(dice, (unsigned)size + 1)] ^= (uint8_t)(1u << any(dice, 7));
    return size + 2;
}

/* A member is let in by the first four. */
static size_t make_welcome(uint8_t *out)
{
    static const uint8_t welcome[] = {
        3, 0x10, 0x10, CHAT_TYPE_WELCOME, 11, 0, 0, 0, 2, 2, 'm', 'e', 0,   0,
        0, 1,    0x10, CHAT_TYPE_JOINED,  11, 0, 0, 0, 1, 4, 'h', 'o', 's', 't',
        0, 0,    0x10, CHAT_TYPE_JOINED,  9,  0, 0, 0, 2, 2, 'm', 'e', 1,   0};

    memcpy(out, welcome, sizeof welcome);
    return sizeof welcome;
}

static size_t generate(uint64_t *dice, uint8_t *out, size_t room)
{
    size_t size = 1;

    if (room > 4096)
        room = 4096;
    out[0] = (uint8_t)any(dice, 255);
    if (out[0] % 4 == 3 && any(dice, 3) > 0)
        size = make_welcome(out);
    while (size + 96 < room && any(dice, 99) > 0) {
        out[size++] = (uint8_t)any(dice, 255);
        if (any(dice, 3) > 0)
            size += add_record(dice, out + size);
    }
    return size;
}

/* A session of each kind, and records and commands alone. */
static void seeds(fuzz_keep *keep)
{
    static const char commands[] = "\1/msg anna psst\n", name[] = "\1an\xc3\xa9 na";
    uint8_t out[512];
    uint64_t dice = 7;

    for (unsigned i = 0; i < 16; i++) {
        char title[16];
        size_t size = generate(&dice, out, sizeof out);
        (void)snprintf(title, sizeof title, "session-%u", i);
        keep(title, out, size);
    }
    for (unsigned i = 0; i < 6; i++) {
        char title[16];
        size_t size = add_record(&dice, out);
        out[1] = out[0]; /* the type alone, without a length */
        out[0] = 0;
        (void)snprintf(title, sizeof title, "record-%u", i);
        keep(title, out, size);
    }
    keep("command", commands, sizeof commands - 1);
    keep("name", name, sizeof name - 1);
    keep("welcome", out, make_welcome(out));
}

const struct fuzz_target fuzz_target = {.generate = generate, .seeds = seeds};
