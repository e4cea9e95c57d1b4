#include "apps/chat_member.h"

#include "apps/chat_carry.h"
#include "apps/chat_inside.h"
#include "apps/chat_queue.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chat_member {
    struct chat chat;
    struct station *station;
    struct link *link; /* NULL: not yet, or no longer */
    struct chat_queue talk;
    uint32_t id, host; /* as the welcome says; we are in when our own `joined` has come */
    bool says_later;   /* the user waits for CHAT_EVENT_READY */
    bool leaving, end_called, ended, bye_called;
    bool over, orphan;
    enum outcome outcome; /* if not OUTCOME_DONE, what we found wrong */
    char text[OUTCOME_TEXT];
    outcome_told *told;
    char name[CHAT_NAME + 1];
    uint8_t out[CHAT_RECORD];
};

static struct chat_member *member_of(struct chat *chat)
{
    return (struct chat_member *)(void *)chat;
}

static void tell(struct chat_member *m, struct chat_event event)
{
    m->chat.told(m->chat.owner, &event);
}

/* ---- the end ---- */

static void tell_over(struct chat_member *m, enum outcome outcome, const char *text)
{
    if (m->over || m->orphan)
        return;
    m->over = true;
    m->told(m->chat.owner, outcome, text);
}

static void free_if_gone(struct chat_member *m)
{
    if (!m->orphan || m->link != NULL)
        return;
    station_free(m->station);
    chat_queue_clear(&m->talk);
    free(m);
}

static void give_up(struct chat_member *m, const char *text)
{
    m->outcome = OUTCOME_CUT;
    (void)snprintf(m->text, sizeof m->text, "%s: %s", link_peer(m->link), text);
    link_cut(m->link, LINK_BROKEN);
}

static void explain_unconfirmed(struct chat_member *m)
{
    m->outcome = OUTCOME_CUT;
    (void)snprintf(m->text, sizeof m->text, text("%s: did not confirm our end (--drain): cut off"),
                   link_peer(m->link));
}

/* What is due of our end: `end` when all is sent, `bye` when the host's has come, the close when
 * both are through. */
static void end_if_done(struct chat_member *m)
{
    struct usi_channel *channel;

    if (!m->leaving || m->talk.first != NULL || m->link == NULL)
        return;
    channel = link_channel(m->link);
    if (!m->end_called) {
        m->end_called = true;
        /* A channel that has just failed takes none, and the link's last call comes. */
        (void)usi_channel_end(channel);
    }
    if (m->ended && !m->bye_called)
        m->bye_called = usi_channel_bye(channel) == 0;
    link_flush(m->link);
    if (m->bye_called && usi_channel_idle(channel))
        link_finish(m->link);
}

/* ---- to the host ---- */

/* Sends or queues. */
static void send_record(struct chat_member *m, const struct chat_record *record)
{
    size_t size = chat_record_write(record, m->out, sizeof m->out);

    if (m->link == NULL || m->leaving)
        return;
    if (m->talk.first == NULL && link_room(m->link) >= size)
        (void)link_record(m->link, record->type, m->out, size);
    else if (!chat_queue_put(&m->talk, CHAT_NOBODY, record->type, m->out, size))
        give_up(m, text("out of memory"));
}

/* Sends what waits, as far as it goes. */
static void flush(struct chat_member *m)
{
    while (m->talk.first != NULL && link_room(m->link) >= m->talk.first->size) {
        struct chat_packet *packet = chat_queue_take(&m->talk);
        (void)link_record(m->link, packet->type, packet->octets, packet->size);
        chat_packet_free(packet);
    }
}

static bool member_say(struct chat *chat, enum chat_kind kind, uint32_t to, const char *text,
                       size_t size)
{
    struct chat_member *m = member_of(chat);

    send_record(m, &(struct chat_record){.type = to == CHAT_NOBODY ? CHAT_TYPE_SAY : CHAT_TYPE_TELL,
                                         .id = to,
                                         .kind = (uint8_t)kind,
                                         .text = (const uint8_t *)text,
                                         .size = size});
    m->says_later = m->talk.first != NULL;
    return !m->says_later;
}

static size_t member_carry_room(struct chat *chat)
{
    struct chat_member *m = member_of(chat);
    size_t room = 0;

    if (m->link != NULL && !m->leaving && m->talk.first == NULL)
        room = link_room(m->link);
    room = room > CHAT_CARRY_HEAD ? room - CHAT_CARRY_HEAD : 0;
    return room < CHAT_CARRIED ? room : CHAT_CARRIED;
}

static void member_carry(struct chat *chat, uint32_t to, uint32_t transfer, uint8_t inner,
                         const uint8_t *content, size_t size)
{
    send_record(member_of(chat), &(struct chat_record){.type = CHAT_TYPE_CARRY,
                                                       .id = to,
                                                       .transfer = transfer,
                                                       .inner = inner,
                                                       .text = content,
                                                       .size = size});
}

static bool member_question(struct chat *chat)
{
    struct chat_member *m = member_of(chat);

    return m->link != NULL && !m->leaving && m->chat.me != CHAT_NOBODY && link_ask(m->link);
}

static void member_pause(struct chat *chat, bool paused)
{
    struct chat_member *m = member_of(chat);

    if (m->link == NULL)
        return;
    if (paused)
        link_pause(m->link);
    else
        link_resume(m->link);
}

/* The host has so long to confirm the end. */
static void begin_leaving(struct chat_member *m)
{
    uint64_t drain_ms = m->chat.net->drain_ms;

    m->leaving = true;
    if (m->link != NULL)
        link_expect(m->link, drain_ms > 0 ? drain_ms : 1);
}

/* The user waits no longer. */
static void member_cut(struct chat *chat)
{
    struct chat_member *m = member_of(chat);

    if (m->link == NULL || m->over)
        return;
    if (m->outcome == OUTCOME_DONE)
        explain_unconfirmed(m);
    link_cut(m->link, LINK_CUT);
}

static void member_leave(struct chat *chat)
{
    struct chat_member *m = member_of(chat);

    if (m->leaving)
        return;
    if (m->chat.me == CHAT_NOBODY) { /* there is nothing to confirm */
        if (m->link != NULL)
            link_cut(m->link, LINK_CUT);
        tell_over(m, OUTCOME_DONE, "");
        return;
    }
    begin_leaving(m);
    end_if_done(m);
}

/* ---- from the host ---- */

static bool take_welcome(struct chat_member *m, const struct chat_record *record)
{
    if (m->id != CHAT_NOBODY || record->id == CHAT_NOBODY || record->id == record->host)
        return false;
    m->id = record->id;
    m->host = record->host;
    return true;
}

/* The host says of itself what its link has proved. */
static bool is_true(struct chat_member *m, const struct chat_person *person)
{
    const struct usi_peer *peer = usi_channel_peer(link_channel(m->link));

    return person->id != m->host || peer == NULL ||
           (person->has_fingerprint &&
            memcmp(person->fingerprint, peer->key, sizeof peer->key) == 0);
}

static bool take_joined(struct chat_member *m, const struct chat_record *record)
{
    struct chat_person person = {.id = record->id, .mode = record->mode};
    bool in = m->chat.me != CHAT_NOBODY;

    memcpy(person.name, record->text, record->size); /* fit: at most CHAT_NAME octets */
    person.has_fingerprint = record->fingerprint != NULL;
    if (record->fingerprint != NULL)
        memcpy(person.fingerprint, record->fingerprint, sizeof person.fingerprint);
    if (person.id == CHAT_NOBODY || !is_true(m, &person) || chat_add(&m->chat, &person) == NULL)
        return false;
    if (person.id == m->id) {
        m->chat.me = m->id;
        link_expect(m->link, 0);
    }
    tell(m, (struct chat_event){.type = person.id == m->id ? CHAT_EVENT_WELCOME
                                        : in               ? CHAT_EVENT_JOINED
                                                           : CHAT_EVENT_HERE,
                                .person = &person});
    return true;
}

static bool take_left(struct chat_member *m, const struct chat_record *record)
{
    if (record->id == m->id || chat_find(&m->chat, record->id) == NULL)
        return false;
    chat_remove(&m->chat, record->id, (enum chat_left)record->why);
    return true;
}

static bool take_said(struct chat_member *m, const struct chat_record *record)
{
    const struct chat_person *person = chat_find(&m->chat, record->id);

    if (person == NULL || record->id == m->id)
        return false;
    tell(m, (struct chat_event){.type = CHAT_EVENT_SAID,
                                .person = person,
                                .kind = (enum chat_kind)record->kind,
                                .text = (const char *)record->text,
                                .size = record->size});
    return true;
}

static bool take(struct chat_member *m, const struct chat_record *record)
{
    bool in = m->chat.me != CHAT_NOBODY;

    switch (record->type) {
    case CHAT_TYPE_WELCOME:
        return take_welcome(m, record);
    case CHAT_TYPE_JOINED:
        return m->id != CHAT_NOBODY && take_joined(m, record);
    case CHAT_TYPE_LEFT:
        return in && take_left(m, record);
    case CHAT_TYPE_SAID:
        return in && take_said(m, record);
    case CHAT_TYPE_REFUSED:
        if (in)
            tell(m, (struct chat_event){.type = CHAT_EVENT_REFUSED, .why = record->why});
        return in;
    case CHAT_TYPE_CARRIED:
        if (in)
            chat_carry_take(m->chat.carry, record->id, record->transfer, record->inner,
                            record->text, record->size);
        return in;
    default:
        return false;
    }
}

static void on_record(void *owner, uint8_t type, struct block *block, const uint8_t *at,
                      size_t size)
{
    struct chat_member *m = owner;
    struct chat_record record;

    (void)block;
    if (m->orphan || m->outcome != OUTCOME_DONE)
        return;
    if (!chat_record_read(&record, type, at, size) || !take(m, &record))
        give_up(m, text("it sends what is no record of a chat"));
}

static void on_ended(void *owner)
{
    struct chat_member *m = owner;

    m->ended = true;
    if (!m->leaving && m->chat.me != CHAT_NOBODY)
        chat_quit(&m->chat, true);
    if (!m->leaving)
        begin_leaving(m);
    end_if_done(m);
}

static void on_bye(void *owner)
{
    end_if_done(owner);
}

static void on_writable(void *owner)
{
    struct chat_member *m = owner;

    flush(m);
    end_if_done(m);
    if (m->talk.first != NULL || m->orphan)
        return;
    if (m->says_later) {
        m->says_later = false;
        tell(m, (struct chat_event){.type = CHAT_EVENT_READY});
    }
    if (!m->leaving)
        chat_carry_go_on(m->chat.carry);
}

static void on_answered(void *owner, int answer)
{
    tell(owner, (struct chat_event){.type = CHAT_EVENT_ANSWER, .why = (unsigned)answer});
}

static void explain(struct chat_member *m, const struct link_end *end)
{
    if (m->outcome != OUTCOME_DONE)
        return; /* we know better */
    if (m->leaving && end->cause == LINK_SILENT) {
        explain_unconfirmed(m);
        return;
    }
    m->outcome = outcome_of_link(end, link_peer(m->link), m->text, sizeof m->text);
    if (end->cause == LINK_ABORTED && end->reason == USI_REASON_BUSY && m->id == CHAT_NOBODY)
        (void)snprintf(m->text, sizeof m->text, text("%s: the chat is full"), link_peer(m->link));
    if (m->outcome == OUTCOME_DONE && m->chat.me == CHAT_NOBODY) {
        m->outcome = OUTCOME_FAR;
        (void)snprintf(m->text, sizeof m->text, text("%s: ended before it let us in"),
                       link_peer(m->link));
    }
}

static void on_closed(void *owner, const struct link_end *end)
{
    struct chat_member *m = owner;

    explain(m, end);
    m->link = NULL;
    if (m->orphan) {
        free_if_gone(m);
        return;
    }
    tell_over(m, m->outcome, m->text);
}

static const struct link_handler handler = {
    .record = on_record,
    .ended = on_ended,
    .bye = on_bye,
    .writable = on_writable,
    .answered = on_answered,
    .closed = on_closed,
};

/* ---- beginning ---- */

static void arrived(void *owner, struct link *link)
{
    struct chat_member *m = owner;
    bool asks = m->chat.net->settings.mode == USI_MODE_IDENTITY;

    m->link = link;
    link_set_handler(link, &handler, m);
    /* The host's user may have to be asked about us first, and take his time. */
    link_expect(link, asks ? 0 : m->chat.net->handshake_ms);
    send_record(m, &(struct chat_record){.type = CHAT_TYPE_HELLO,
                                         .text = (const uint8_t *)m->name,
                                         .size = strlen(m->name)});
}

static void failed(void *owner, enum outcome outcome, const char *text)
{
    tell_over(owner, outcome, text);
}

static const struct station_handler station_handler = {.arrived = arrived, .failed = failed};

static void member_free(struct chat *chat)
{
    struct chat_member *m = member_of(chat);

    m->orphan = true;
    chat_close(chat);
    station_stop(m->station);
    if (m->link != NULL)
        link_cut(m->link, LINK_CUT); /* its last call frees */
    else
        free_if_gone(m);
}

static const struct chat_operations operations = {
    .say = member_say,
    .question = member_question,
    .pause = member_pause,
    .leave = member_leave,
    .cut = member_cut,
    .free = member_free,
    .carry_room = member_carry_room,
    .carry = member_carry,
};

struct chat *chat_member_new(const struct net *net, const struct address *address,
                             const struct dialer_options *dial, const struct chat_options *options)
{
    struct chat_member *m = calloc(1, sizeof *m);

    if (m == NULL || !chat_init(&m->chat, &operations, net, options)) {
        free(m);
        return NULL;
    }
    m->told = options->over;
    m->outcome = OUTCOME_DONE;
    (void)snprintf(m->name, sizeof m->name, "%s", options->name);
    m->station = station_connect(net, address, dial, USI_SERVICE_CHAT, &station_handler, m);
    if (m->station == NULL) {
        chat_close(&m->chat);
        free(m);
        return NULL;
    }
    return &m->chat;
}
