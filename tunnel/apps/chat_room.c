#include "apps/chat_room.h"

#include "apps/chat_carry.h"
#include "apps/chat_room_inside.h"
#include "apps/transfer_records.h"
#include "channel/bytes.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct chat_room *room_of(struct chat *chat)
{
    return (struct chat_room *)(void *)chat;
}

static uint64_t now_of(const struct chat_room *r)
{
    return uv_now(&r->chat.net->loop->uv);
}

static void tell(struct chat_room *r, struct chat_event event)
{
    r->chat.told(r->chat.owner, &event);
}

/* ---- coming and going ---- */

static struct chat_record joined_record(const struct chat_person *person)
{
    return (struct chat_record){.type = CHAT_TYPE_JOINED,
                                .id = person->id,
                                .mode = person->mode,
                                .fingerprint = person->has_fingerprint ? person->fingerprint : NULL,
                                .text = (const uint8_t *)person->name,
                                .size = strlen(person->name)};
}

static bool is_taken(void *owner, const char *name)
{
    return chat_find_name(owner, name) != NULL;
}

static struct chat_person make_person(struct member *m, const struct chat_record *hello)
{
    struct usi_channel *channel = link_channel(m->link);
    const struct usi_peer *peer = usi_channel_peer(channel);
    struct chat_person person = {.id = ++m->room->last_id};
    struct usi_counts counts;

    usi_channel_counts(channel, &counts);
    person.mode = (uint8_t)counts.mode;
    memcpy(person.name, hello->text, hello->size); /* fit: at most CHAT_NAME octets */
    chat_name_make_unique(person.name, is_taken, &m->room->chat);
    person.has_fingerprint = peer != NULL;
    if (peer != NULL)
        memcpy(person.fingerprint, peer->key, sizeof person.fingerprint);
    return person;
}

static void enter(struct member *m, const struct chat_record *hello)
{
    struct chat_room *r = m->room;
    const struct chat_person made = make_person(m, hello);
    const struct chat_person *person = chat_add(&r->chat, &made);

    if (person == NULL) { /* the station lets no more in than there are places */
        chat_room_cut(m, CHAT_LEFT_CUT);
        return;
    }
    link_expect(m->link, 0);
    m->id = person->id;
    chat_room_send(m, &(struct chat_record){.type = CHAT_TYPE_WELCOME,
                                            .id = person->id,
                                            .host = CHAT_HOST,
                                            .text = (const uint8_t *)person->name,
                                            .size = strlen(person->name)});
    for (size_t i = 0; i < r->chat.count; i++) {
        const struct chat_record record = joined_record(&r->chat.persons[i]);
        chat_room_send(m, &record);
    }
    const struct chat_record record = joined_record(person);
    chat_room_broadcast(r, &record, m->id);
    tell(r, (struct chat_event){.type = CHAT_EVENT_JOINED, .person = &made});
}

static void depart(struct member *m, enum chat_left why)
{
    struct chat_room *r = m->room;
    const struct chat_record left = {.type = CHAT_TYPE_LEFT, .id = m->id, .why = (uint8_t)why};

    if (m->id == CHAT_NOBODY || chat_find(&r->chat, m->id) == NULL)
        return;
    chat_room_forget_files(m);
    if (!r->closing)
        chat_room_broadcast(r, &left, m->id);
    chat_remove(&r->chat, m->id, why);
}

/* ---- from a member ---- */

/* A token bucket as one number: when it would be full but for the burst (GCRA). */
static bool has_token(const struct chat_room *r, uint64_t due)
{
    return due <= now_of(r) + (uint64_t)(CHAT_ROOM_BURST - 1) * CHAT_ROOM_EACH_MS;
}

static void take_token(const struct chat_room *r, uint64_t *due)
{
    uint64_t now = now_of(r);

    *due = (*due > now ? *due : now) + CHAT_ROOM_EACH_MS;
}

static void on_tokens(uv_timer_t *timer);

static void wait_for_tokens(struct chat_room *r)
{
    if (!uv_is_active((uv_handle_t *)&r->tokens) && r->timers > 0 && !r->orphan)
        (void)uv_timer_start(&r->tokens, on_tokens, CHAT_ROOM_EACH_MS, 0);
}

static bool costs_token(uint8_t type, const uint8_t *content, size_t size)
{
    return type == CHAT_TYPE_SAY || type == CHAT_TYPE_TELL ||
           (type == CHAT_TYPE_CARRY && size >= CHAT_CARRY_HEAD &&
            content[CHAT_CARRY_HEAD - 1] == TRANSFER_RECORD_OFFER);
}

/* May it be taken now? */
static bool may_pass(struct member *m, uint8_t type, const uint8_t *content, size_t size)
{
    if (m->room->closing) /* it goes nowhere */
        return true;
    if (m->files_out > CHAT_ROOM_FILES)
        return false;
    if (!costs_token(type, content, size))
        return true;
    if (!has_token(m->room, m->due)) {
        wait_for_tokens(m->room);
        return false;
    }
    take_token(m->room, &m->due);
    return true;
}

static void take_say(struct member *m, const struct chat_record *record)
{
    struct chat_room *r = m->room;
    struct chat_record said = *record;

    said.type = CHAT_TYPE_SAID;
    said.id = m->id;
    chat_room_broadcast(r, &said, m->id);
    tell(r, (struct chat_event){.type = CHAT_EVENT_SAID,
                                .person = chat_find(&r->chat, m->id),
                                .kind = (enum chat_kind)record->kind,
                                .text = (const char *)record->text,
                                .size = record->size});
}

static void take_tell(struct member *m, const struct chat_record *record)
{
    struct chat_room *r = m->room;
    struct member *to = chat_room_find(r, record->id);
    struct chat_record said = *record;

    said.type = CHAT_TYPE_SAID;
    said.kind = CHAT_PRIVATE;
    said.id = m->id;
    if (record->id == CHAT_HOST)
        tell(r, (struct chat_event){.type = CHAT_EVENT_SAID,
                                    .person = chat_find(&r->chat, m->id),
                                    .kind = CHAT_PRIVATE,
                                    .text = (const char *)record->text,
                                    .size = record->size});
    else if (record->id != CHAT_NOBODY && to != NULL && !to->gone)
        chat_room_send(to, &said);
    else
        chat_room_send(m,
                       &(struct chat_record){.type = CHAT_TYPE_REFUSED, .why = CHAT_REFUSED_GONE});
}

/* The records of both directions are alike but for the id: it is put in where they lie. */
static void take_carry(struct member *m, const struct chat_record *record, uint8_t *content,
                       size_t size)
{
    struct chat_room *r = m->room;
    struct member *to = chat_room_find(r, record->id);

    if (record->id == CHAT_HOST) {
        chat_carry_take(r->chat.carry, m->id, record->transfer, record->inner, record->text,
                        record->size);
    } else if (record->id != CHAT_NOBODY && to != NULL) {
        usi_put_number(content, m->id, 4);
        chat_room_send_file(to, m->id, content, size);
    }
}

static void take(struct member *m, uint8_t type, uint8_t *content, size_t size)
{
    struct chat_record record;
    bool known = m->id != CHAT_NOBODY;

    if (!chat_record_read(&record, type, content, size) ||
        (type != CHAT_TYPE_HELLO && type != CHAT_TYPE_SAY && type != CHAT_TYPE_TELL &&
         type != CHAT_TYPE_CARRY) ||
        known == (type == CHAT_TYPE_HELLO)) {
        chat_room_cut(m, CHAT_LEFT_CUT);
        return;
    }
    if (m->room->closing) /* too late: it is being told */
        return;
    if (type == CHAT_TYPE_HELLO)
        enter(m, &record);
    else if (type == CHAT_TYPE_SAY)
        take_say(m, &record);
    else if (type == CHAT_TYPE_TELL)
        take_tell(m, &record);
    else
        take_carry(m, &record, content, size);
}

static void leave(struct member *m)
{
    m->ended = true;
    m->why = CHAT_LEFT_QUIT;
    depart(m, CHAT_LEFT_QUIT);
    chat_room_begin_end(m);
}

/* What one read gave beyond what may pass waits here, and then TCP holds the rest. */
static void hold(struct member *m, uint8_t type, const uint8_t *content, size_t size)
{
    if (!chat_queue_put(&m->held, CHAT_NOBODY, type, content, size)) {
        chat_room_cut(m, CHAT_LEFT_CUT);
        return;
    }
    if (m->holding)
        return;
    m->holding = true;
    link_pause(m->link);
    chat_room_watch(m->room);
}

/* Takes what was held, as far as it may pass now. */
static void work_off(struct member *m)
{
    if (!m->holding)
        return;
    while (!m->cut && m->held.first != NULL) {
        const struct chat_packet *first = m->held.first;
        if (!may_pass(m, first->type, first->octets, first->size))
            return;
        struct chat_packet *packet = chat_queue_take(&m->held);
        take(m, packet->type, packet->octets, packet->size);
        chat_packet_free(packet);
    }
    m->holding = false;
    if (m->cut)
        return;
    if (m->end_held && !m->ended)
        leave(m);
    link_resume(m->link);
}

/* Those whose files waited for room in others' queues. */
static void wake_for_files(struct chat_room *r)
{
    for (struct member *m = r->members; m != NULL; m = m->next)
        if (m->files_out < CHAT_ROOM_FILES / 2)
            work_off(m);
    if (r->files_later && r->files_out < CHAT_ROOM_FILES / 2) {
        r->files_later = false;
        chat_carry_go_on(r->chat.carry);
    }
}

static void on_tokens(uv_timer_t *timer)
{
    struct chat_room *r = timer->data;

    for (struct member *m = r->members; m != NULL; m = m->next)
        work_off(m);
    if (r->says_later && has_token(r, r->due)) {
        r->says_later = false;
        tell(r, (struct chat_event){.type = CHAT_EVENT_READY});
    }
    if (r->says_later)
        wait_for_tokens(r);
}

/* ---- links ---- */

static void on_record(void *owner, uint8_t type, struct block *block, const uint8_t *at,
                      size_t size)
{
    struct member *m = owner;

    if (m->cut || m->ended)
        return;
    if (m->holding || !may_pass(m, type, at, size))
        hold(m, type, at, size);
    else /* it lies in the block, which is ours */
        take(m, type, block->octets + (at - block->octets), size);
}

static void on_ended(void *owner)
{
    struct member *m = owner;

    if (m->holding)
        m->end_held = true;
    else
        leave(m);
}

static void on_bye(void *owner)
{
    chat_room_end_if_done(owner);
}

static void on_writable(void *owner)
{
    struct member *m = owner;

    chat_room_flush(m);
    wake_for_files(m->room);
}

static void tell_over(struct chat_room *r)
{
    if (r->over || r->orphan || r->members != NULL)
        return;
    r->over = true;
    r->told(r->chat.owner, r->outcome,
            r->outcome == OUTCOME_DONE ? ""
                                       : text("a member did not leave in time (--drain): cut off"));
}

static void free_if_gone(struct chat_room *r)
{
    if (!r->orphan || r->members != NULL || r->timers > 0)
        return;
    station_free(r->station);
    free(r);
}

static void on_closed(void *owner, const struct link_end *end)
{
    struct member *m = owner;
    struct chat_room *r = m->room;
    struct member **at = &r->members;

    (void)end; /* the report says it */
    m->gone = true;
    m->cut = true;
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    chat_room_drop(m);
    if (!r->orphan)
        depart(m, m->why);
    m->link = NULL;
    if (r->orphan) {
        free_if_gone(r);
        return;
    }
    station_gone(r->station);
    wake_for_files(r);
    if (r->closing)
        tell_over(r);
}

static const struct link_handler handler = {
    .services = 1U << USI_SERVICE_CHAT,
    .record = on_record,
    .ended = on_ended,
    .bye = on_bye,
    .writable = on_writable,
    .closed = on_closed,
};

static void arrived(void *owner, struct link *link)
{
    struct chat_room *r = owner;
    struct member *m = r->pool;

    while (m->link != NULL) /* the station keeps to as many as there are */
        m++;
    *m = (struct member){.room = r, .link = link, .why = CHAT_LEFT_CUT, .next = r->members};
    r->members = m;
    link_set_handler(link, &handler, m);
    link_expect(link, r->chat.net->handshake_ms); /* it says hello at once */
}

static const struct station_handler station_handler = {.arrived = arrived};

/* ---- the host's own user ---- */

static bool room_say(struct chat *chat, enum chat_kind kind, uint32_t to, const char *text,
                     size_t size)
{
    struct chat_room *r = room_of(chat);
    struct member *m = to != CHAT_NOBODY ? chat_room_find(r, to) : NULL;
    const struct chat_record said = {.type = CHAT_TYPE_SAID,
                                     .id = CHAT_HOST,
                                     .kind = (uint8_t)kind,
                                     .text = (const uint8_t *)text,
                                     .size = size};

    if (r->closing)
        return true;
    take_token(r, &r->due);
    if (to == CHAT_NOBODY)
        chat_room_broadcast(r, &said, CHAT_HOST);
    else if (m != NULL && !m->gone)
        chat_room_send(m, &said);
    else
        tell(r, (struct chat_event){.type = CHAT_EVENT_REFUSED, .why = CHAT_REFUSED_GONE});
    if (has_token(r, r->due))
        return true;
    r->says_later = true;
    wait_for_tokens(r);
    return false;
}

static size_t room_carry_room(struct chat *chat)
{
    struct chat_room *r = room_of(chat);

    r->files_later = r->files_later || r->files_out > CHAT_ROOM_FILES;
    return r->files_out > CHAT_ROOM_FILES ? 0 : CHAT_CARRIED;
}

static void room_carry(struct chat *chat, uint32_t to, uint32_t transfer, uint8_t inner,
                       const uint8_t *content, size_t size)
{
    struct chat_room *r = room_of(chat);
    struct member *m = chat_room_find(r, to);
    const struct chat_record record = {.type = CHAT_TYPE_CARRIED,
                                       .id = CHAT_HOST,
                                       .transfer = transfer,
                                       .inner = inner,
                                       .text = content,
                                       .size = size};

    if (m != NULL)
        chat_room_send_file(m, CHAT_HOST, r->out,
                            chat_record_write(&record, r->out, sizeof r->out));
}

static void cut_all(struct chat_room *r)
{
    for (struct member *m = r->members; m != NULL; m = m->next)
        chat_room_cut(m, CHAT_LEFT_CLOSED);
}

static void on_drained(uv_timer_t *timer)
{
    struct chat_room *r = timer->data;

    for (struct member *m = r->members; m != NULL; m = m->next)
        if (m->id != CHAT_NOBODY && !m->cut && !usi_channel_idle(link_channel(m->link)))
            r->outcome = OUTCOME_CUT; /* else only the peer's close is waited for */
    cut_all(r);
}

/* The user waits no longer. */
static void room_cut(struct chat *chat)
{
    on_drained(&room_of(chat)->drain);
}

static void room_leave(struct chat *chat)
{
    struct chat_room *r = room_of(chat);
    const struct chat_record left = {
        .type = CHAT_TYPE_LEFT, .id = CHAT_HOST, .why = CHAT_LEFT_CLOSED};

    if (r->closing)
        return;
    r->closing = true;
    station_stop(r->station);
    (void)uv_timer_start(&r->drain, on_drained, chat->net->drain_ms, 0);
    for (struct member *m = r->members; m != NULL; m = m->next) {
        if (m->id != CHAT_NOBODY && !m->gone)
            chat_room_send(m, &left);
        if (m->id == CHAT_NOBODY)
            link_abort(m->link, USI_REASON_STOPPING);
        else
            chat_room_begin_end(m);
        work_off(m); /* what it said before is dropped; its end counts */
    }
    tell_over(r);
}

/* ---- life ---- */

static void timer_closed(uv_handle_t *handle)
{
    struct chat_room *r = handle->data;

    r->timers--;
    free_if_gone(r);
}

static void room_free(struct chat *chat)
{
    struct chat_room *r = room_of(chat);

    r->orphan = true;
    chat_close(chat);
    station_stop(r->station);
    uv_close((uv_handle_t *)&r->tokens, timer_closed);
    uv_close((uv_handle_t *)&r->drain, timer_closed);
    uv_close((uv_handle_t *)&r->watch, timer_closed);
    cut_all(r);
}

static const struct chat_operations operations = {
    .say = room_say,
    .leave = room_leave,
    .cut = room_cut,
    .free = room_free,
    .carry_room = room_carry_room,
    .carry = room_carry,
};

/* The first there. */
static void enter_host(struct chat_room *r, const struct chat_options *options)
{
    struct chat_person person = {.id = CHAT_HOST};

    (void)snprintf(person.name, sizeof person.name, "%s", options->name);
    person.has_fingerprint = options->fingerprint != NULL;
    if (options->fingerprint != NULL)
        memcpy(person.fingerprint, options->fingerprint, sizeof person.fingerprint);
    r->last_id = r->chat.me = CHAT_HOST;
    (void)chat_add(&r->chat, &person);
    tell(r, (struct chat_event){.type = CHAT_EVENT_WELCOME, .person = &person});
}

struct chat *chat_room_new(const struct net *net, const struct address *address,
                           const struct listener_options *listen,
                           const struct chat_options *options, char *why, size_t size)
{
    struct chat_room *r = calloc(1, sizeof *r);

    if (r == NULL || !chat_init(&r->chat, &operations, net, options)) {
        (void)snprintf(why, size, text("out of memory"));
        free(r);
        return NULL;
    }
    r->told = options->over;
    r->station = station_listen(net, address, listen, USI_SERVICE_CHAT, CHAT_MEMBERS - 1,
                                &station_handler, r, why, size);
    if (r->station == NULL) {
        chat_close(&r->chat);
        free(r);
        return NULL;
    }
    /* Neither fails: there is a loop. */
    (void)uv_timer_init(&net->loop->uv, &r->tokens);
    (void)uv_timer_init(&net->loop->uv, &r->drain);
    (void)uv_timer_init(&net->loop->uv, &r->watch);
    r->tokens.data = r->drain.data = r->watch.data = r;
    r->timers = 3;
    enter_host(r, options);
    return &r->chat;
}
