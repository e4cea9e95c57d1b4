/* The host of a chat, with links that are only names: who gets which record, who is held back and
 * who is cut. No link moves before the test says so. */
#include "apps/chat_carry.h"
#include "apps/chat_inside.h"
#include "apps/chat_room.h"
#include "apps/transfer_records.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINKS = 4, RECORDS = 400 };

struct got {
    uint8_t type;
    size_t size;
    uint8_t octets[CHAT_RECORD];
};

struct link {
    const struct link_handler *handler;
    void *owner;
    size_t room;
    bool paused, cut, aborted, finished, ended, confirmed, idle, gone;
    uint64_t expects;
    struct got *got; /* RECORDS of them */
    size_t count;
};

static struct link links[LINKS];
static struct loop loop;
static struct net net;
static const struct station_handler *station;
static void *station_owner;
static bool stopped;
static unsigned gone;
static struct chat *chat;
static struct chat_event last;
static unsigned events;
static char last_text[CHAT_TEXT + 1];
static struct chat_person last_person;
static int over = -1;
static unsigned carried;
static bool went_on;

/* ---- what the room stands on ---- */

struct station *station_listen(const struct net *n, const struct address *address,
                               const struct listener_options *listen, enum usi_service service,
                               unsigned most, const struct station_handler *handler, void *owner,
                               char *why, size_t size)
{
    (void)n, (void)address, (void)listen, (void)why, (void)size;
    ck_assert_int_eq(service, USI_SERVICE_CHAT);
    ck_assert_uint_eq(most, CHAT_MEMBERS - 1);
    station = handler;
    station_owner = owner;
    return (struct station *)(void *)&stopped;
}

void station_gone(struct station *s)
{
    (void)s;
    gone++;
}

void station_stop(struct station *s)
{
    (void)s;
    stopped = true;
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
    return l->cut || l->finished || l->aborted ? 0 : l->room;
}

bool link_record(struct link *l, uint8_t type, const uint8_t *content, size_t size)
{
    ck_assert_uint_le(size, link_room(l));
    ck_assert_uint_lt(l->count, RECORDS);
    ck_assert(!l->ended);
    struct got *g = &l->got[l->count++];
    g->type = type;
    g->size = size;
    memcpy(g->octets, content, size);
    return true;
}

void link_flush(struct link *l)
{
    (void)l;
}

void link_expect(struct link *l, uint64_t ms)
{
    l->expects = ms;
}

bool link_has_gone(const struct link *l)
{
    return l->gone;
}

void link_pause(struct link *l)
{
    l->paused = true;
}

void link_resume(struct link *l)
{
    l->paused = false;
}

void link_cut(struct link *l, enum link_cause cause)
{
    (void)cause;
    l->cut = true;
}

void link_abort(struct link *l, enum usi_reason reason)
{
    (void)reason;
    l->aborted = true;
}

void link_finish(struct link *l)
{
    l->finished = true;
}

int usi_channel_end(struct usi_channel *channel)
{
    of(channel)->ended = true;
    return 0;
}

int usi_channel_bye(struct usi_channel *channel)
{
    ck_assert(of(channel)->ended);
    of(channel)->confirmed = true;
    return 0;
}

bool usi_channel_idle(const struct usi_channel *channel)
{
    return ((const struct link *)(const void *)channel)->idle;
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

struct chat_carry *chat_carry_new(struct chat *c, EVP_MD *sha256, uint64_t ask_ms)
{
    (void)c, (void)sha256, (void)ask_ms;
    return (struct chat_carry *)(void *)&carried;
}

void chat_carry_free(struct chat_carry *c)
{
    (void)c;
}

unsigned chat_carry_send(struct chat_carry *c, uint32_t to, const char *path, char *why,
                         size_t size)
{
    (void)c, (void)to, (void)path, (void)why, (void)size;
    return 0;
}

bool chat_carry_accept(struct chat_carry *c, unsigned number, const char *folder, char *why,
                       size_t size)
{
    (void)c, (void)number, (void)folder, (void)why, (void)size;
    return false;
}

bool chat_carry_refuse(struct chat_carry *c, unsigned number, char *why, size_t size)
{
    (void)c, (void)number, (void)why, (void)size;
    return false;
}

void chat_carry_take(struct chat_carry *c, uint32_t from, uint32_t transfer, uint8_t inner,
                     const uint8_t *content, size_t size)
{
    (void)c, (void)from, (void)transfer, (void)inner, (void)content, (void)size;
    carried++;
}

void chat_carry_go_on(struct chat_carry *c)
{
    (void)c;
    went_on = true;
}

void chat_carry_left(struct chat_carry *c, const struct chat_person *person)
{
    (void)c, (void)person;
}

bool chat_carry_busy(const struct chat_carry *c)
{
    (void)c;
    return false;
}

void chat_carry_leave(struct chat_carry *c)
{
    (void)c;
}

void chat_carry_stop(struct chat_carry *c)
{
    (void)c;
}

/* ---- the host's user ---- */

static void told(void *owner, const struct chat_event *event)
{
    (void)owner;
    last = *event;
    events++;
    if (event->person != NULL)
        last_person = *event->person;
    (void)snprintf(last_text, sizeof last_text, "%.*s", (int)event->size,
                   event->text != NULL ? event->text : "");
}

static void is_over(void *owner, enum outcome outcome, const char *text)
{
    (void)owner, (void)text;
    over = (int)outcome;
}

static void set_up(void)
{
    static const struct address address;
    static const struct listener_options listen;
    const struct chat_options options = {.name = "host", .told = told, .over = is_over};
    char why[64];

    ck_assert_int_eq(loop_init(&loop), 0);
    net = (struct net){.loop = &loop, .drain_ms = 60000};
    for (size_t i = 0; i < LINKS; i++) {
        links[i] = (struct link){.room = 65536};
        links[i].got = calloc(RECORDS, sizeof(struct got));
        ck_assert_ptr_nonnull(links[i].got);
    }
    chat = chat_room_new(&net, &address, &listen, &options, why, sizeof why);
    ck_assert_ptr_nonnull(chat);
    ck_assert_int_eq(last.type, CHAT_EVENT_WELCOME);
}

/* The link's last call. */
static void close_link(struct link *l)
{
    static const struct link_end end = {.cause = LINK_CUT};
    const struct link_handler *handler = l->handler;

    l->handler = NULL;
    if (handler != NULL)
        handler->closed(l->owner, &end);
}

static void tear_down(void)
{
    chat_free(chat);
    for (size_t i = 0; i < LINKS; i++) {
        close_link(&links[i]);
        free(links[i].got);
    }
    ck_assert(loop_close(&loop));
}

/* ---- members ---- */

static void sends_octets(struct link *l, uint8_t type, const uint8_t *octets, size_t size)
{
    struct block *block = block_get(&loop, size);

    ck_assert_ptr_nonnull(block);
    memcpy(block->octets, octets, size);
    if (!l->cut) /* a link that is closed tells nothing */
        l->handler->record(l->owner, type, block, block->octets, size);
    block_release(&loop, block);
}

static void sends(struct link *l, struct chat_record record)
{
    uint8_t octets[CHAT_RECORD];
    size_t size = chat_record_write(&record, octets, sizeof octets);

    ck_assert_uint_gt(size, 0);
    sends_octets(l, record.type, octets, size);
}

static struct chat_record text_record(uint8_t type, uint32_t id, const char *text)
{
    return (struct chat_record){
        .type = type, .id = id, .text = (const uint8_t *)text, .size = strlen(text)};
}

static void says(struct link *l, const char *text)
{
    sends(l, text_record(CHAT_TYPE_SAY, 0, text));
}

static void arrives(struct link *l, const char *name)
{
    station->arrived(station_owner, l);
    sends(l, text_record(CHAT_TYPE_HELLO, 0, name));
}

/* Links 0 to count-1, ids from 2 on; what they got by then is forgotten. */
static void arrive(size_t count)
{
    static const char *const names[LINKS] = {"anna", "bob", "carl", "dora"};

    for (size_t i = 0; i < count; i++)
        arrives(&links[i], names[i]);
    for (size_t i = 0; i < count; i++)
        links[i].count = 0;
}

static struct chat_record got(const struct link *l, size_t index)
{
    struct chat_record record;

    ck_assert_uint_lt(index, l->count);
    ck_assert(
        chat_record_read(&record, l->got[index].type, l->got[index].octets, l->got[index].size));
    return record;
}

static bool is_text(const struct chat_record *record, const char *text)
{
    return record->size == strlen(text) && memcmp(record->text, text, record->size) == 0;
}

/* ---- coming and going ---- */

START_TEST(a_newcomer_hears_who_is_there_and_is_told_last)
{
    arrives(&links[0], "anna");
    arrives(&links[1], "bob");
    struct chat_record r = got(&links[1], 0);
    ck_assert_int_eq(r.type, CHAT_TYPE_WELCOME);
    ck_assert_uint_eq(r.id, 3);
    ck_assert_uint_eq(r.host, CHAT_HOST);
    ck_assert(is_text(&r, "bob"));
    static const char *const names[] = {"host", "anna", "bob"};
    for (size_t i = 0; i < 3; i++) {
        r = got(&links[1], i + 1);
        ck_assert_int_eq(r.type, CHAT_TYPE_JOINED);
        ck_assert_uint_eq(r.id, i + 1);
        ck_assert(is_text(&r, names[i]));
        ck_assert_uint_eq(r.mode, i == 0 ? 0 : USI_MODE_KEY);
    }
    ck_assert_uint_eq(links[1].count, 4);
    r = got(&links[0], links[0].count - 1);
    ck_assert_int_eq(r.type, CHAT_TYPE_JOINED);
    ck_assert(is_text(&r, "bob"));
    ck_assert_int_eq(last.type, CHAT_EVENT_JOINED);
    ck_assert_str_eq(last_person.name, "bob");
}
END_TEST

START_TEST(names_are_made_unique)
{
    arrives(&links[0], "host");
    arrives(&links[1], "HOST");
    struct chat_record r = got(&links[0], 0);
    ck_assert(is_text(&r, "host-2"));
    r = got(&links[1], 0);
    ck_assert(is_text(&r, "HOST-3"));
}
END_TEST

START_TEST(nobody_hears_anything_before_hello)
{
    arrive(1);
    station->arrived(station_owner, &links[1]);
    says(&links[0], "hello");
    (void)chat_say(chat, CHAT_SAY, CHAT_NOBODY, "hello", 5);
    ck_assert_uint_eq(links[1].count, 0);
}
END_TEST

START_TEST(who_leaves_is_confirmed_and_missed)
{
    arrive(2);
    links[0].handler->ended(links[0].owner);
    ck_assert(links[0].ended && links[0].confirmed && !links[0].finished);
    struct chat_record r = got(&links[1], 0);
    ck_assert_int_eq(r.type, CHAT_TYPE_LEFT);
    ck_assert_uint_eq(r.id, 2);
    ck_assert_uint_eq(r.why, CHAT_LEFT_QUIT);
    ck_assert_int_eq(last.type, CHAT_EVENT_LEFT);
    ck_assert_str_eq(last_person.name, "anna");
    links[0].idle = true;
    links[0].handler->bye(links[0].owner);
    ck_assert(links[0].finished);
    close_link(&links[0]);
    ck_assert_uint_eq(links[1].count, 1); /* once */
    ck_assert_uint_eq(gone, 1);
}
END_TEST

START_TEST(who_leaves_has_so_long_to_confirm_it)
{
    arrive(2);
    ck_assert_uint_eq(links[0].expects, 0);
    links[0].handler->ended(links[0].owner);
    ck_assert_uint_eq(links[0].expects, net.drain_ms);
    ck_assert_uint_eq(links[1].expects, 0);
}
END_TEST

START_TEST(what_was_said_before_goes_out_before_the_end)
{
    arrive(2);
    links[0].room = 0;
    says(&links[1], "one");
    links[0].handler->ended(links[0].owner);
    ck_assert(!links[0].ended);
    says(&links[1], "two");
    links[0].room = 65536;
    links[0].handler->writable(links[0].owner);
    ck_assert(links[0].ended && links[0].confirmed);
    ck_assert_uint_eq(links[0].count, 1);
}
END_TEST

START_TEST(a_connection_that_breaks_is_told)
{
    arrive(2);
    close_link(&links[0]);
    struct chat_record r = got(&links[1], 0);
    ck_assert_int_eq(r.type, CHAT_TYPE_LEFT);
    ck_assert_uint_eq(r.why, CHAT_LEFT_CUT);
    says(&links[1], "alone");
    ck_assert_str_eq(last_text, "alone");
}
END_TEST

/* ---- what is said ---- */

START_TEST(said_to_all_others)
{
    arrive(3);
    says(&links[0], "hello");
    for (size_t i = 1; i < 3; i++) {
        struct chat_record r = got(&links[i], 0);
        ck_assert_int_eq(r.type, CHAT_TYPE_SAID);
        ck_assert_uint_eq(r.id, 2);
        ck_assert_uint_eq(r.kind, CHAT_SAY);
        ck_assert(is_text(&r, "hello"));
    }
    ck_assert_uint_eq(links[0].count, 0);
    ck_assert_int_eq(last.type, CHAT_EVENT_SAID);
    ck_assert_str_eq(last_text, "hello");
    ck_assert_str_eq(last_person.name, "anna");
    (void)chat_say(chat, CHAT_ME, CHAT_NOBODY, "waves", 5);
    for (size_t i = 0; i < 3; i++) {
        struct chat_record r = got(&links[i], links[i].count - 1);
        ck_assert_uint_eq(r.id, CHAT_HOST);
        ck_assert_uint_eq(r.kind, CHAT_ME);
    }
}
END_TEST

START_TEST(told_to_one_alone)
{
    arrive(3);
    unsigned before = events;
    sends(&links[0], text_record(CHAT_TYPE_TELL, 4, "psst"));
    struct chat_record r = got(&links[2], 0);
    ck_assert_int_eq(r.type, CHAT_TYPE_SAID);
    ck_assert_uint_eq(r.id, 2);
    ck_assert_uint_eq(r.kind, CHAT_PRIVATE);
    ck_assert_uint_eq(links[1].count + links[0].count, 0);
    ck_assert_uint_eq(events, before);
    sends(&links[0], text_record(CHAT_TYPE_TELL, CHAT_HOST, "to you"));
    ck_assert_str_eq(last_text, "to you");
    ck_assert_int_eq(last.kind, CHAT_PRIVATE);
    ck_assert_uint_eq(links[1].count + links[0].count, 0);
    (void)chat_say(chat, CHAT_PRIVATE, 3, "you", 3);
    r = got(&links[1], 0);
    ck_assert_uint_eq(r.id, CHAT_HOST);
    ck_assert_uint_eq(r.kind, CHAT_PRIVATE);
}
END_TEST

START_TEST(told_to_nobody_is_refused)
{
    static const uint32_t ids[] = {CHAT_NOBODY, 9, UINT32_MAX};

    arrive(2);
    for (size_t i = 0; i < 3; i++) {
        sends(&links[0], text_record(CHAT_TYPE_TELL, ids[i], "psst"));
        struct chat_record r = got(&links[0], i);
        ck_assert_int_eq(r.type, CHAT_TYPE_REFUSED);
        ck_assert_uint_eq(r.why, CHAT_REFUSED_GONE);
    }
    ck_assert_uint_eq(links[1].count, 0);
}
END_TEST

/* ---- who breaks the rules ---- */

START_TEST(who_sends_what_is_no_record_of_a_member_is_cut)
{
    static const struct {
        uint8_t type;
        const char *octets;
        size_t size;
    } wrong[] = {
#define WRONG(type, s) {type, s, sizeof(s) - 1}
        WRONG(CHAT_TYPE_HELLO, "\1\4anna"), /* a second one */
        WRONG(CHAT_TYPE_SAY, "\0a\nb"),
        WRONG(CHAT_TYPE_SAY, "\0"),
        WRONG(CHAT_TYPE_SAY, "\2private"),
        WRONG(CHAT_TYPE_SAY, "\0\xff"),
        WRONG(CHAT_TYPE_TELL, "\0\0\0"),
        WRONG(CHAT_TYPE_CARRY, "\0\0\0\3\0\0\0\1\1"),
        WRONG(CHAT_TYPE_SAID, "\0\0\0\3\0in bob's name"), /* the host's own records */
        WRONG(CHAT_TYPE_JOINED, "\0\0\0\x63\5ghost\1\0"),
        WRONG(CHAT_TYPE_LEFT, "\0\0\0\3\0"),
        WRONG(CHAT_TYPE_WELCOME, "\0\0\0\3\3bob\0\0\0\1"),
        WRONG(CHAT_TYPE_CARRIED, "\0\0\0\3\0\0\0\1\x40"),
        WRONG(CHAT_TYPE_REFUSED, "\1"),
        WRONG(35, ""),
        WRONG(63, ""),
        WRONG(64, ""), /* of a transfer, which a chat carries */
    };
    unsigned before;

    arrive(2);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        links[2] = (struct link){.room = 65536, .got = links[2].got};
        arrives(&links[2], "mallory");
        links[1].count = 0;
        before = events;
        sends_octets(&links[2], wrong[i].type, (const uint8_t *)wrong[i].octets, wrong[i].size);
        ck_assert_msg(links[2].cut, "%zu", i);
        ck_assert_uint_eq(links[1].count, 0);
        ck_assert_uint_eq(events, before);
        close_link(&links[2]);
        struct chat_record r = got(&links[1], 0);
        ck_assert_int_eq(r.type, CHAT_TYPE_LEFT);
        ck_assert_uint_eq(r.why, CHAT_LEFT_CUT);
        ck_assert_uint_eq(links[1].count, 1);
        ck_assert(!links[0].cut && !links[1].cut);
    }
}
END_TEST

START_TEST(the_first_record_is_hello)
{
    arrive(1);
    station->arrived(station_owner, &links[1]);
    says(&links[1], "hello");
    ck_assert(links[1].cut);
    close_link(&links[1]);
    ck_assert_uint_eq(links[0].count, 0);
}
END_TEST

/* ---- who is slow, and who is fast ---- */

START_TEST(who_does_not_read_is_cut_and_the_others_get_all)
{
    static char text[CHAT_TEXT + 1];
    unsigned said = 0;

    memset(text, 'x', CHAT_TEXT);
    arrive(2);
    links[0].room = 0;
    while (!links[0].cut && said < RECORDS) {
        (void)chat_say(chat, CHAT_SAY, CHAT_NOBODY, text, CHAT_TEXT);
        said++;
    }
    ck_assert_uint_ge(said, CHAT_ROOM_SLOW / (CHAT_TEXT + 256));
    ck_assert_uint_le(said, CHAT_ROOM_SLOW / CHAT_TEXT + 1);
    ck_assert_uint_eq(links[1].count, said);
    close_link(&links[0]);
    struct chat_record r = got(&links[1], said);
    ck_assert_int_eq(r.type, CHAT_TYPE_LEFT);
    ck_assert_uint_eq(r.why, CHAT_LEFT_SLOW);
    ck_assert_uint_eq(last.why, CHAT_LEFT_SLOW);
}
END_TEST

START_TEST(who_says_too_much_is_held_back_and_loses_nothing)
{
    enum { MANY = CHAT_ROOM_BURST + 20 };
    char text[16];

    arrive(2);
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(text, sizeof text, "%u", i);
        says(&links[0], text);
    }
    links[0].handler->ended(links[0].owner);
    ck_assert(links[0].paused);
    ck_assert_uint_lt(links[1].count, MANY);
    ck_assert(!links[0].ended);
    /* Another is heard meanwhile. */
    says(&links[1], "me too");
    ck_assert_str_eq(last_text, "me too");
    while (!links[0].ended)
        (void)uv_run(&loop.uv, UV_RUN_ONCE);
    for (unsigned i = 0; i < MANY; i++) {
        struct chat_record r = got(&links[1], i);
        (void)snprintf(text, sizeof text, "%u", i);
        ck_assert(is_text(&r, text));
    }
    ck_assert(!links[0].paused && !links[0].cut);
}
END_TEST

START_TEST(the_hosts_own_user_is_held_back_too)
{
    unsigned said = 0;

    arrive(1);
    while (chat_say(chat, CHAT_SAY, CHAT_NOBODY, "x", 1) && said < RECORDS)
        said++;
    ck_assert_uint_lt(said, RECORDS);
    while (last.type != CHAT_EVENT_READY)
        (void)uv_run(&loop.uv, UV_RUN_ONCE);
    ck_assert_uint_eq(links[0].count, said + 1); /* the last one was taken too */
}
END_TEST

/* ---- files ---- */

static void carries(struct link *l, uint32_t to, uint8_t inner, size_t size)
{
    static uint8_t content[CHAT_CARRIED];

    sends(l, (struct chat_record){.type = CHAT_TYPE_CARRY,
                                  .id = to,
                                  .transfer = 5,
                                  .inner = inner,
                                  .text = content,
                                  .size = size});
}

START_TEST(files_are_passed_on_under_the_senders_id)
{
    arrive(3);
    carries(&links[0], 4, TRANSFER_RECORD_CHUNK, 1000);
    struct chat_record r = got(&links[2], 0);
    ck_assert_int_eq(r.type, CHAT_TYPE_CARRIED);
    ck_assert_uint_eq(r.id, 2);
    ck_assert_uint_eq(r.transfer, 5);
    ck_assert_uint_eq(r.inner, TRANSFER_RECORD_CHUNK);
    ck_assert_uint_eq(r.size, 1000);
    ck_assert_uint_eq(links[0].count + links[1].count, 0);
    carries(&links[0], CHAT_HOST, TRANSFER_RECORD_CHUNK, 1000);
    ck_assert_uint_eq(carried, 1);
    carries(&links[0], 99, TRANSFER_RECORD_CHUNK, 1000); /* has left: nothing happens */
    ck_assert(!links[0].cut);
}
END_TEST

START_TEST(talk_passes_files_that_wait)
{
    arrive(2);
    links[1].room = 0;
    carries(&links[0], 3, TRANSFER_RECORD_CHUNK, CHAT_CARRIED);
    says(&links[0], "first");
    links[1].room = 65536;
    links[1].handler->writable(links[1].owner);
    ck_assert_int_eq(got(&links[1], 0).type, CHAT_TYPE_SAID);
    ck_assert_int_eq(got(&links[1], 1).type, CHAT_TYPE_CARRIED);
}
END_TEST

/* What it gave and is not taken yet is dropped, others' files are not; who does not read hears of
 * it in the order of all coming and going. */
START_TEST(who_leaves_takes_its_files_along)
{
    arrive(3);
    links[1].room = 0;
    carries(&links[0], 3, TRANSFER_RECORD_CHUNK, 1000);
    carries(&links[2], 3, TRANSFER_RECORD_CHUNK, 2000);
    carries(&links[0], 3, TRANSFER_RECORD_OVER, 12);
    links[0].handler->ended(links[0].owner);
    arrives(&links[3], "dora");
    carries(&links[2], 3, TRANSFER_RECORD_CHUNK, 3000);
    links[1].room = 65536;
    links[1].handler->writable(links[1].owner);
    ck_assert_uint_eq(links[1].count, 4);
    struct chat_record r = got(&links[1], 0);
    ck_assert_int_eq(r.type, CHAT_TYPE_LEFT);
    ck_assert_uint_eq(r.id, 2);
    ck_assert_int_eq(got(&links[1], 1).type, CHAT_TYPE_JOINED);
    for (size_t i = 2; i < 4; i++) {
        r = got(&links[1], i);
        ck_assert_int_eq(r.type, CHAT_TYPE_CARRIED);
        ck_assert_uint_eq(r.id, 4);
        ck_assert_uint_eq(r.size, i * 1000);
    }
}
END_TEST

START_TEST(who_is_cut_takes_its_files_along)
{
    arrive(2);
    links[1].room = 0;
    carries(&links[0], 3, TRANSFER_RECORD_CHUNK, 1000);
    close_link(&links[0]);
    links[1].room = 65536;
    links[1].handler->writable(links[1].owner);
    ck_assert_uint_eq(links[1].count, 1);
    ck_assert_int_eq(got(&links[1], 0).type, CHAT_TYPE_LEFT);
}
END_TEST

/* Nothing is read of who waits for its files to go out: its socket is looked at. */
START_TEST(who_dies_while_its_files_wait_is_missed)
{
    arrive(2);
    links[1].room = 0;
    for (unsigned sent = 0; !links[0].paused; sent++) {
        ck_assert_uint_lt(sent, RECORDS);
        carries(&links[0], 3, TRANSFER_RECORD_CHUNK, CHAT_CARRIED);
    }
    links[0].gone = true;
    while (!links[0].cut)
        (void)uv_run(&loop.uv, UV_RUN_ONCE);
    close_link(&links[0]);
    ck_assert_int_eq(last.type, CHAT_EVENT_LEFT);
    ck_assert_uint_eq(last.why, CHAT_LEFT_CUT);
    ck_assert(!links[1].cut);
}
END_TEST

START_TEST(a_flood_of_files_holds_back_only_its_sender)
{
    unsigned sent = 0;

    arrive(3);
    links[1].room = 0;
    while (!links[0].paused && sent < RECORDS) {
        carries(&links[0], 3, TRANSFER_RECORD_CHUNK, CHAT_CARRIED);
        sent++;
    }
    ck_assert_uint_ge(sent, CHAT_TRANSFERS * CHAT_WINDOW / CHAT_CARRIED);
    ck_assert(!links[1].cut && !links[2].paused);
    says(&links[2], "still here");
    ck_assert_str_eq(last_text, "still here");
    carries(&links[2], 3, TRANSFER_RECORD_CHUNK, CHAT_CARRIED);
    ck_assert(!links[2].paused);
    /* When it has gone out, its sender may go on, and nothing is lost. */
    links[1].room = 65536;
    links[1].handler->writable(links[1].owner);
    ck_assert(!links[0].paused);
    unsigned files = 0;
    for (size_t i = 0; i < links[1].count; i++)
        files += got(&links[1], i).type == CHAT_TYPE_CARRIED;
    ck_assert_uint_eq(files, sent + 1);
}
END_TEST

START_TEST(offers_cost_what_lines_cost)
{
    unsigned sent = 0;

    arrive(2);
    while (!links[0].paused && sent < RECORDS) {
        carries(&links[0], 3, TRANSFER_RECORD_OFFER, 30);
        sent++;
    }
    ck_assert_uint_ge(sent, CHAT_ROOM_BURST);
    ck_assert_uint_lt(sent, RECORDS);
}
END_TEST

START_TEST(the_hosts_own_files_wait_for_room)
{
    static uint8_t content[CHAT_CARRIED];
    unsigned sent = 0;

    arrive(1);
    links[0].room = 0;
    while (chat->does->carry_room(chat) >= sizeof content && sent < RECORDS) {
        chat->does->carry(chat, 2, 1, TRANSFER_RECORD_CHUNK, content, sizeof content);
        sent++;
    }
    ck_assert_uint_lt(sent, RECORDS);
    ck_assert(!went_on);
    links[0].room = 65536;
    links[0].handler->writable(links[0].owner);
    ck_assert(went_on);
    ck_assert_uint_eq(links[0].count, sent);
}
END_TEST

/* ---- the end ---- */

START_TEST(closing_tells_everybody_and_waits_for_them)
{
    arrive(2);
    station->arrived(station_owner, &links[2]); /* no hello yet */
    links[1].room = 0;
    chat_quit(chat, true);
    ck_assert(stopped && links[2].aborted);
    struct chat_record r = got(&links[0], 0);
    ck_assert_int_eq(r.type, CHAT_TYPE_LEFT);
    ck_assert_uint_eq(r.id, CHAT_HOST);
    ck_assert_uint_eq(r.why, CHAT_LEFT_CLOSED);
    ck_assert(links[0].ended && !links[0].confirmed && !links[1].ended);
    says(&links[0], "too late");
    ck_assert_str_ne(last_text, "too late");
    links[1].room = 65536;
    links[1].handler->writable(links[1].owner);
    ck_assert(links[1].ended);
    for (size_t i = 0; i < 2; i++) {
        links[i].handler->ended(links[i].owner);
        ck_assert(links[i].confirmed);
        links[i].idle = true;
        links[i].handler->bye(links[i].owner);
        ck_assert(links[i].finished);
    }
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(over, -1);
        close_link(&links[i]);
    }
    ck_assert_int_eq(over, OUTCOME_DONE);
}
END_TEST

START_TEST(closing_does_not_wait_for_ever)
{
    net.drain_ms = 1;
    arrive(1);
    chat_quit(chat, true);
    while (!links[0].cut)
        (void)uv_run(&loop.uv, UV_RUN_ONCE);
    close_link(&links[0]);
    ck_assert_int_eq(over, OUTCOME_CUT);
}
END_TEST

START_TEST(closing_in_a_hurry)
{
    arrive(2);
    chat_hurry(chat);
    ck_assert(!links[0].cut && !links[1].cut);
    chat_hurry(chat);
    ck_assert(links[0].cut && links[1].cut);
    close_link(&links[0]);
    close_link(&links[1]);
    ck_assert_int_eq(over, OUTCOME_CUT);
}
END_TEST

START_TEST(closing_an_empty_room)
{
    chat_quit(chat, true);
    ck_assert_int_eq(over, OUTCOME_DONE);
}
END_TEST

/* What is held of a member that says much is dropped; its end counts. */
START_TEST(closing_while_somebody_is_held_back)
{
    arrive(1);
    for (unsigned i = 0; i < CHAT_ROOM_BURST + 20; i++)
        says(&links[0], "x");
    links[0].handler->ended(links[0].owner);
    ck_assert(links[0].paused);
    chat_quit(chat, true);
    ck_assert(links[0].ended && links[0].confirmed && !links[0].paused);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chat room");
    TCase *tcase = tcase_create("all");
    SRunner *runner = srunner_create(suite);

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_newcomer_hears_who_is_there_and_is_told_last);
    tcase_add_test(tcase, names_are_made_unique);
    tcase_add_test(tcase, nobody_hears_anything_before_hello);
    tcase_add_test(tcase, who_leaves_is_confirmed_and_missed);
    tcase_add_test(tcase, who_leaves_has_so_long_to_confirm_it);
    tcase_add_test(tcase, what_was_said_before_goes_out_before_the_end);
    tcase_add_test(tcase, a_connection_that_breaks_is_told);
    tcase_add_test(tcase, said_to_all_others);
    tcase_add_test(tcase, told_to_one_alone);
    tcase_add_test(tcase, told_to_nobody_is_refused);
    tcase_add_test(tcase, who_sends_what_is_no_record_of_a_member_is_cut);
    tcase_add_test(tcase, the_first_record_is_hello);
    tcase_add_test(tcase, who_does_not_read_is_cut_and_the_others_get_all);
    tcase_add_test(tcase, who_says_too_much_is_held_back_and_loses_nothing);
    tcase_add_test(tcase, the_hosts_own_user_is_held_back_too);
    tcase_add_test(tcase, files_are_passed_on_under_the_senders_id);
    tcase_add_test(tcase, talk_passes_files_that_wait);
    tcase_add_test(tcase, who_leaves_takes_its_files_along);
    tcase_add_test(tcase, who_is_cut_takes_its_files_along);
    tcase_add_test(tcase, who_dies_while_its_files_wait_is_missed);
    tcase_add_test(tcase, a_flood_of_files_holds_back_only_its_sender);
    tcase_add_test(tcase, offers_cost_what_lines_cost);
    tcase_add_test(tcase, the_hosts_own_files_wait_for_room);
    tcase_add_test(tcase, closing_tells_everybody_and_waits_for_them);
    tcase_add_test(tcase, closing_does_not_wait_for_ever);
    tcase_add_test(tcase, closing_in_a_hurry);
    tcase_add_test(tcase, closing_an_empty_room);
    tcase_add_test(tcase, closing_while_somebody_is_held_back);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
