#include "apps/chat_room_inside.h"

enum { WATCH_MS = 1000 };

struct member *chat_room_find(const struct chat_room *r, uint32_t id)
{
    struct member *m = r->members;

    while (m != NULL && m->id != id)
        m = m->next;
    return m;
}

/* ---- the end of a member ---- */

void chat_room_cut(struct member *m, enum chat_left why)
{
    if (m->cut)
        return;
    m->gone = true;
    m->cut = true;
    m->why = why;
    link_cut(m->link, why == CHAT_LEFT_SLOW ? LINK_CUT : LINK_BROKEN);
}

void chat_room_end_if_done(struct member *m)
{
    struct usi_channel *channel = link_channel(m->link);

    if (!m->ending || m->cut || m->talk.first != NULL)
        return;
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

/* ---- to a member ---- */

/* A queue of somebody else's has grown, or shrunk, by what this source sends of files. */
static void count_file(struct chat_room *r, uint32_t source, size_t now, size_t before)
{
    struct member *m = source != CHAT_NOBODY ? chat_room_find(r, source) : NULL;

    if (source == CHAT_HOST)
        r->files_out = r->files_out + now - before;
    else if (m != NULL)
        m->files_out = m->files_out + now - before;
}

static void drop_file(struct member *m)
{
    size_t before = m->files.octets;
    struct chat_packet *packet = chat_queue_take(&m->files);

    count_file(m->room, packet->source, m->files.octets, before);
    chat_packet_free(packet);
}

static void send_or_keep(struct member *m, uint8_t type, const uint8_t *content, size_t size)
{
    if (m->gone)
        return;
    if (m->talk.first == NULL && link_room(m->link) >= size)
        (void)link_record(m->link, type, content, size);
    else if (!chat_queue_put(&m->talk, CHAT_NOBODY, type, content, size) ||
             m->talk.octets > CHAT_ROOM_SLOW)
        chat_room_cut(m, CHAT_LEFT_SLOW);
}

void chat_room_send(struct member *m, const struct chat_record *record)
{
    uint8_t *out = m->room->out;

    send_or_keep(m, record->type, out, chat_record_write(record, out, CHAT_RECORD));
}

void chat_room_broadcast(struct chat_room *r, const struct chat_record *record, uint32_t but)
{
    size_t size = chat_record_write(record, r->out, sizeof r->out);

    for (struct member *m = r->members; m != NULL; m = m->next)
        if (m->id != CHAT_NOBODY && m->id != but)
            send_or_keep(m, record->type, r->out, size);
}

void chat_room_send_file(struct member *m, uint32_t source, const uint8_t *content, size_t size)
{
    size_t before = m->files.octets;

    if (m->gone)
        return;
    if (m->talk.first == NULL && m->files.first == NULL && link_room(m->link) >= size) {
        (void)link_record(m->link, CHAT_TYPE_CARRIED, content, size);
        return;
    }
    if (!chat_queue_put(&m->files, source, CHAT_TYPE_CARRIED, content, size)) {
        chat_room_cut(m, CHAT_LEFT_SLOW);
        return;
    }
    count_file(m->room, source, m->files.octets, before);
}

void chat_room_flush(struct member *m)
{
    while (!m->cut) {
        bool talk = m->talk.first != NULL;
        const struct chat_packet *next = talk ? m->talk.first : m->files.first;
        if (next == NULL || link_room(m->link) < next->size)
            break;
        (void)link_record(m->link, next->type, next->octets, next->size);
        if (talk)
            chat_packet_free(chat_queue_take(&m->talk));
        else
            drop_file(m);
    }
    chat_room_end_if_done(m);
}

void chat_room_begin_end(struct member *m)
{
    uint64_t drain_ms = m->room->chat.net->drain_ms;

    m->gone = true;
    m->ending = true;
    if (!m->room->closing) /* else the room waits for all of them together */
        link_expect(m->link, drain_ms > 0 ? drain_ms : 1);
    while (m->files.first != NULL)
        drop_file(m);
    chat_room_flush(m);
}

void chat_room_forget_files(struct member *m)
{
    for (struct member *to = m->room->members; to != NULL; to = to->next)
        chat_queue_drop(&to->files, m->id);
    m->files_out = 0;
}

/* Its own files may fill others' queues for long, and nothing is read of it before they go out. */
static bool waits_for_files(const struct member *m)
{
    return m->holding && !m->cut && m->files_out >= CHAT_ROOM_FILES / 2;
}

static void on_watch(uv_timer_t *timer)
{
    struct chat_room *r = timer->data;
    bool waits = false;

    for (struct member *m = r->members; m != NULL; m = m->next) {
        if (!waits_for_files(m))
            continue;
        waits = true;
        if (!link_has_gone(m->link))
            continue;
        m->gone = true;
        m->cut = true;
        link_cut(m->link, LINK_CUT);
    }
    if (!waits)
        (void)uv_timer_stop(timer);
}

void chat_room_watch(struct chat_room *r)
{
    if (!uv_is_active((uv_handle_t *)&r->watch) && !r->orphan)
        (void)uv_timer_start(&r->watch, on_watch, WATCH_MS, WATCH_MS);
}

void chat_room_drop(struct member *m)
{
    while (m->files.first != NULL)
        drop_file(m);
    chat_queue_clear(&m->talk);
    chat_queue_clear(&m->held);
}
