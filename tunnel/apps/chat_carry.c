#include "apps/chat_carry.h"

#include "apps/chat_inside.h"
#include "apps/inbox.h"
#include "apps/outbox.h"
#include "apps/receiver.h"
#include "apps/sender.h"
#include "apps/transfer_records.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRACE_MS = 10000, LINE = 512 };

/* What is given, to one or to many. */
struct gift {
    struct outbox *outbox;
    unsigned references;
};

enum stage {
    WAITING, /* ours: there are CHAT_TRANSFERS others under way */
    OFFERED, /* nobody has answered yet */
    GOING,
    OVER /* told; freed when nobody walks the list */
};

struct transfer {
    struct transfer *next;
    struct chat_carry *carry; /* NULL: freed, but for what the thread pool works at */
    enum stage stage;
    bool ours; /* we give */
    struct chat_person person;
    unsigned number; /* for our user */
    uint32_t wire;   /* on the wire: the giver's */
    uint64_t open_until;
    struct gift *gift;
    struct sender *sender;
    struct receiver *receiver;
};

struct chat_carry {
    struct chat *chat;
    EVP_MD *sha256;
    uint64_t ask_ms;
    struct transfer *first;
    uint32_t last_wire;
    unsigned walks; /* over the list: nothing is taken out of it meanwhile */
    uv_timer_t timer;
};

/* ---- the list ---- */

static void release(struct gift *gift)
{
    if (gift == NULL || --gift->references > 0)
        return;
    outbox_free(gift->outbox);
    free(gift);
}

/* What it had in the thread pool is over too. */
static void gone(void *owner)
{
    struct transfer *t = owner;

    release(t->gift);
    free(t);
}

static void free_transfer(struct transfer *t)
{
    struct sender *sender = t->sender;
    struct receiver *receiver = t->receiver;

    t->carry = NULL;
    t->sender = NULL;
    t->receiver = NULL;
    if (sender != NULL)
        sender_free(sender, gone, t);
    else if (receiver != NULL)
        receiver_free(receiver, gone, t);
    else
        gone(t);
}

static void walk(struct chat_carry *c)
{
    c->walks++;
}

static void walked(struct chat_carry *c)
{
    bool busy = c->first != NULL;

    if (--c->walks > 0)
        return;
    for (struct transfer **at = &c->first, *t; (t = *at) != NULL;) {
        if (t->stage != OVER) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        free_transfer(t);
    }
    if (busy && c->first == NULL)
        chat_files_over(c->chat);
}

/* May one more be open between us and this person, in this direction? */
static bool has_place(const struct chat_carry *c, uint32_t person, bool ours)
{
    unsigned open = 0, unanswered = 0;

    for (const struct transfer *t = c->first; t != NULL; t = t->next) {
        open += t->ours == ours && (t->stage == OFFERED || t->stage == GOING);
        unanswered += t->ours == ours && t->stage == OFFERED && t->person.id == person;
    }
    return open < CHAT_TRANSFERS && unanswered < CHAT_OFFERS;
}

static struct transfer *find_number(const struct chat_carry *c, unsigned number)
{
    for (struct transfer *t = c->first; t != NULL; t = t->next)
        if (t->stage != OVER && t->number == number)
            return t;
    return NULL;
}

static struct transfer *add(struct chat_carry *c, const struct chat_person *person, bool ours)
{
    struct transfer *t = calloc(1, sizeof *t), **last = &c->first;

    if (t == NULL)
        return NULL;
    t->carry = c;
    t->ours = ours;
    t->person = *person;
    t->number = 1;
    while (find_number(c, t->number) != NULL)
        t->number++;
    while (*last != NULL)
        last = &(*last)->next;
    *last = t;
    return t;
}

/* ---- what is told ---- */

static void tell(struct transfer *t, struct chat_files files)
{
    struct chat *chat = t->carry->chat;

    files.ours = t->ours;
    chat->told(chat->owner, &(struct chat_event){.type = CHAT_EVENT_FILES,
                                                 .person = &t->person,
                                                 .number = t->number,
                                                 .files = &files});
}

static void start_next(struct chat_carry *c);

/* Once. */
static void end(struct transfer *t, struct chat_files files)
{
    struct chat_carry *c = t->carry;

    if (t->stage == OVER)
        return;
    walk(c);
    t->stage = OVER;
    tell(t, files);
    start_next(c);
    walked(c);
}

static void end_with(struct transfer *t, const char *text)
{
    end(t, (struct chat_files){.step = CHAT_FILES_OVER, .text = text});
}

static const char *end_text(const struct transfer *t, const struct transfer_event *event)
{
    switch (event->end) {
    case TRANSFER_END_DONE:
        return text("not everything was kept");
    case TRANSFER_END_GAVE_UP:
        return t->stage == OFFERED ? text("not answered") : text("given up");
    case TRANSFER_END_DECLINED:
        return text("refused");
    default:
        return event->text;
    }
}

static void tell_over(struct transfer *t, const struct transfer_event *event)
{
    bool refused = event->end == TRANSFER_END_DECLINED && t->ours;

    end(t, (struct chat_files){.step = refused ? CHAT_FILES_REFUSED : CHAT_FILES_OVER,
                               .done = transfer_event_whole(event),
                               .kept = event->kept,
                               .skipped = event->skipped,
                               .failed = event->failed_here + event->failed_there,
                               .octets = event->octets,
                               .text = end_text(t, event)});
}

/* A line about one thing of what is given. */
static void tell_line(struct transfer *t, const struct transfer_event *event)
{
    const char *what = event->type == TRANSFER_EVENT_SKIPPED    ? text("not taken")
                       : event->type == TRANSFER_EVENT_LEFT_OUT ? text("left out")
                                                                : text("not kept");
    char line[LINE];

    (void)snprintf(line, sizeof line, "%s: %s%s%s", event->name, what,
                   event->text[0] != '\0' ? ": " : "", event->text);
    tell(t, (struct chat_files){.step = CHAT_FILES_LINE, .text = line});
}

static void on_event(void *owner, const struct transfer_event *event)
{
    struct transfer *t = owner;

    switch (event->type) {
    case TRANSFER_EVENT_OFFER:
        tell(t, (struct chat_files){.step = CHAT_FILES_OFFERED,
                                    .name = event->name,
                                    .name_size = strlen(event->name),
                                    .count = event->files,
                                    .octets = event->octets});
        break;
    case TRANSFER_EVENT_ACCEPTED:
        t->stage = GOING;
        tell(t, (struct chat_files){.step = CHAT_FILES_ACCEPTED});
        start_next(t->carry);
        break;
    case TRANSFER_EVENT_SKIPPED:
    case TRANSFER_EVENT_LEFT_OUT:
    case TRANSFER_EVENT_FAILED:
        tell_line(t, event);
        break;
    case TRANSFER_EVENT_OVER:
        tell_over(t, event);
        break;
    case TRANSFER_EVENT_PROGRESS:
        tell(t, (struct chat_files){.step = CHAT_FILES_PROGRESS,
                                    .done_octets = event->done,
                                    .octets = event->octets,
                                    .moved = event->moved});
        break;
    default: /* single files are not told of */
        break;
    }
}

/* ---- the carrier ---- */

static size_t carrier_room(void *to)
{
    struct chat *chat = ((struct transfer *)to)->carry->chat;

    return chat->does->carry_room(chat);
}

static void carrier_record(void *to, uint8_t type, const uint8_t *content, size_t size)
{
    struct transfer *t = to;
    struct chat *chat = t->carry->chat;

    chat->does->carry(chat, t->person.id, t->ours ? t->wire : t->wire | CHAT_TRANSFER_BACK, type,
                      content, size);
}

static const struct carrier carrier = {
    .room = carrier_room,
    .record = carrier_record,
    .chunk = CHAT_CARRIED,
    .window = CHAT_WINDOW,
};

/* ---- giving ---- */

static void give_up(struct transfer *t, enum transfer_stop reason)
{
    struct chat_carry *c = t->carry;

    walk(c);
    if (t->sender != NULL) {
        sender_stop(t->sender, reason);
    } else if (t->stage == OFFERED) { /* its end is told when the answer has gone out */
        t->stage = GOING;
        receiver_answer(t->receiver, NULL);
    } else {
        receiver_stop(t->receiver, reason);
    }
    walked(c);
}

static void look_at_time(struct chat_carry *c);

static void start(struct transfer *t)
{
    struct chat_carry *c = t->carry;
    uv_loop_t *loop = &c->chat->net->loop->uv;

    t->stage = OFFERED;
    t->open_until = c->ask_ms > 0 ? uv_now(loop) + c->ask_ms + GRACE_MS : UINT64_MAX;
    t->sender = sender_new(loop, t->gift->outbox, &carrier, t, on_event, t);
    if (t->sender == NULL) {
        end_with(t, text("out of memory"));
        return;
    }
    sender_start(t->sender);
    look_at_time(c);
}

static void start_next(struct chat_carry *c)
{
    walk(c);
    for (struct transfer *t = c->first; t != NULL; t = t->next)
        if (t->stage == WAITING && has_place(c, t->person.id, true))
            start(t);
    walked(c);
}

static bool offer(struct chat_carry *c, const struct chat_person *person, struct gift *gift)
{
    struct transfer *t = add(c, person, true);

    if (t == NULL)
        return false;
    t->stage = WAITING;
    t->gift = gift;
    gift->references++;
    c->last_wire = (c->last_wire + 1) & CHAT_TRANSFER_NUMBER;
    t->wire = c->last_wire;
    return true;
}

unsigned chat_carry_send(struct chat_carry *c, uint32_t to, const char *path, char *why,
                         size_t size)
{
    struct gift *gift = calloc(1, sizeof *gift);
    unsigned offered = 0;

    (void)snprintf(why, size, text("out of memory"));
    if (gift == NULL)
        return 0;
    gift->references = 1;
    gift->outbox = outbox_new(&path, 1, c->sha256, why, size);
    if (gift->outbox != NULL) {
        (void)snprintf(why, size, "%s",
                       c->chat->count > 1 ? text("out of memory")
                                          : text("nobody is there who could get it"));
        for (size_t i = 0; i < c->chat->count; i++) {
            const struct chat_person *person = &c->chat->persons[i];
            if (person->id != c->chat->me && (to == CHAT_NOBODY || to == person->id))
                offered += offer(c, person, gift);
        }
    }
    release(gift);
    start_next(c);
    return offered;
}

/* ---- getting ---- */

/* In words, since there is no transfer that could. */
static void decline(struct chat_carry *c, uint32_t from, uint32_t wire)
{
    const struct transfer_record record = {.type = TRANSFER_RECORD_ANSWER, .answer = false};
    uint8_t out[TRANSFER_REPLY_MAX];
    size_t size = transfer_write(&record, out, sizeof out);
    struct chat *chat = c->chat;

    if (size > 0 && chat->does->carry_room(chat) >= size)
        chat->does->carry(chat, from, wire | CHAT_TRANSFER_BACK, TRANSFER_RECORD_ANSWER, out, size);
}

static void take_offer(struct chat_carry *c, const struct chat_person *person, uint32_t wire,
                       const uint8_t *content, size_t size)
{
    bool crowded = !has_place(c, person->id, false);
    struct transfer *t = crowded || c->chat->leaves ? NULL : add(c, person, false);
    const struct chat_files files = {.step = CHAT_FILES_CROWDED};
    const struct chat_event crowd = {.type = CHAT_EVENT_FILES, .person = person, .files = &files};

    if (t == NULL) {
        decline(c, person->id, wire);
        if (crowded && !c->chat->leaves)
            c->chat->told(c->chat->owner, &crowd);
        return;
    }
    t->stage = OFFERED;
    t->wire = wire;
    t->open_until = c->ask_ms > 0 ? uv_now(c->timer.loop) + c->ask_ms : UINT64_MAX;
    t->receiver = receiver_new(c->timer.loop, &carrier, t, on_event, t);
    if (t->receiver == NULL) {
        end_with(t, text("out of memory"));
        return;
    }
    receiver_take(t->receiver, TRANSFER_RECORD_OFFER, content, size);
    look_at_time(c);
}

static struct transfer *find_wire(const struct chat_carry *c, uint32_t from, uint32_t wire,
                                  bool ours)
{
    for (struct transfer *t = c->first; t != NULL; t = t->next)
        if (t->stage != OVER && t->ours == ours && t->person.id == from && t->wire == wire)
            return t;
    return NULL;
}

void chat_carry_take(struct chat_carry *c, uint32_t from, uint32_t transfer, uint8_t inner,
                     const uint8_t *content, size_t size)
{
    bool ours = (transfer & CHAT_TRANSFER_BACK) != 0;
    uint32_t wire = transfer & CHAT_TRANSFER_NUMBER;
    const struct chat_person *person = chat_find(c->chat, from);
    struct transfer *t = find_wire(c, from, wire, ours);

    walk(c);
    if (t != NULL && t->sender != NULL)
        sender_take(t->sender, inner, content, size);
    else if (t != NULL && t->receiver != NULL)
        receiver_take(t->receiver, inner, content, size);
    else if (t == NULL && !ours && inner == TRANSFER_RECORD_OFFER && person != NULL)
        take_offer(c, person, wire, content, size);
    walked(c);
}

/* ---- what the user says ---- */

/* The one that is meant: of this number, or the only one that is open to us. */
static struct transfer *choose(const struct chat_carry *c, unsigned number, bool any, char *why,
                               size_t size)
{
    struct transfer *found = number > 0 ? find_number(c, number) : NULL;
    unsigned open = found != NULL;

    for (struct transfer *t = c->first; number == 0 && t != NULL; t = t->next) {
        if (t->ours || t->stage != OFFERED)
            continue;
        found = t;
        open++;
    }
    if (open == 1 && (any || (!found->ours && found->stage == OFFERED)))
        return found;
    (void)snprintf(why, size, "%s",
                   open > 1     ? text("several are offered: say which by its number")
                   : number > 0 ? text("no such number is open")
                                : text("nothing is offered"));
    return NULL;
}

bool chat_carry_accept(struct chat_carry *c, unsigned number, const char *folder, char *why,
                       size_t size)
{
    struct transfer *t = choose(c, number, false, why, size);
    struct inbox *inbox;

    if (t == NULL)
        return false;
    inbox = inbox_new(folder != NULL ? folder : ".", false, c->sha256, why, size);
    if (inbox == NULL)
        return false;
    walk(c);
    t->stage = GOING;
    t->open_until = UINT64_MAX;
    receiver_answer(t->receiver, inbox);
    walked(c);
    return true;
}

bool chat_carry_refuse(struct chat_carry *c, unsigned number, char *why, size_t size)
{
    struct transfer *t = choose(c, number, true, why, size);

    if (t != NULL)
        give_up(t, TRANSFER_STOP_USER);
    return t != NULL;
}

/* ---- all of them ---- */

void chat_carry_go_on(struct chat_carry *c)
{
    walk(c);
    for (struct transfer *t = c->first; t != NULL; t = t->next) {
        if (t->stage == OVER)
            continue;
        if (t->sender != NULL)
            sender_go_on(t->sender);
        else if (t->receiver != NULL)
            receiver_go_on(t->receiver);
    }
    walked(c);
}

void chat_carry_left(struct chat_carry *c, const struct chat_person *person)
{
    if (c == NULL)
        return;
    walk(c);
    for (struct transfer *t = c->first; t != NULL; t = t->next)
        if (t->person.id == person->id)
            end_with(t, text("cut short: that side has left"));
    walked(c);
}

bool chat_carry_busy(const struct chat_carry *c)
{
    return c->first != NULL;
}

void chat_carry_leave(struct chat_carry *c)
{
    walk(c);
    for (struct transfer *t = c->first; t != NULL; t = t->next)
        if (!t->ours && t->stage == OFFERED)
            give_up(t, TRANSFER_STOP_USER);
    walked(c);
}

void chat_carry_stop(struct chat_carry *c)
{
    walk(c);
    for (struct transfer *t = c->first; t != NULL; t = t->next)
        if (t->stage == WAITING)
            end_with(t, text("given up"));
        else if (t->stage != OVER)
            give_up(t, TRANSFER_STOP_USER);
    walked(c);
}

/* ---- time ---- */

static void on_time(uv_timer_t *timer)
{
    struct chat_carry *c = timer->data;
    uint64_t now = uv_now(timer->loop);

    walk(c);
    for (struct transfer *t = c->first; t != NULL; t = t->next)
        if (t->stage == OFFERED && now >= t->open_until)
            give_up(t, TRANSFER_STOP_USER);
    look_at_time(c);
    walked(c);
}

/* Sets the timer for the offer that closes next. */
static void look_at_time(struct chat_carry *c)
{
    uint64_t now = uv_now(&c->chat->net->loop->uv), due = UINT64_MAX;

    for (const struct transfer *t = c->first; t != NULL; t = t->next)
        if (t->stage == OFFERED && t->open_until < due)
            due = t->open_until;
    if (due != UINT64_MAX)
        (void)uv_timer_start(&c->timer, on_time, due > now ? due - now : 0, 0);
}

/* ---- life ---- */

struct chat_carry *chat_carry_new(struct chat *chat, EVP_MD *sha256, uint64_t ask_ms)
{
    struct chat_carry *c = calloc(1, sizeof *c);

    if (c == NULL || uv_timer_init(&chat->net->loop->uv, &c->timer) != 0) {
        free(c);
        return NULL;
    }
    c->chat = chat;
    c->sha256 = sha256;
    c->ask_ms = ask_ms;
    c->timer.data = c;
    return c;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void chat_carry_free(struct chat_carry *c)
{
    if (c == NULL)
        return;
    for (struct transfer *t = c->first, *next; t != NULL; t = next) {
        next = t->next;
        free_transfer(t);
    }
    c->first = NULL;
    uv_close((uv_handle_t *)&c->timer, timer_closed);
}
