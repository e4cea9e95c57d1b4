/* What a channel takes in: handshake messages, then records, each checked against where the channel
 * is. PROTOCOL.md, "Records" and "Rekey". */
#include "channel/bytes.h"
#include "channel/channel.h"

#include <openssl/crypto.h>
#include <string.h>

enum { PROOF_RECORD_MAX = 512, PROOF_RECORD_IDENTITY_MAX = 2048 };

/* ---- handshake messages ---- */

static size_t message_length(const struct usi_channel *c)
{
    return (size_t)c->message[0] << 8 | c->message[1];
}

static bool length_is_possible(const struct usi_channel *c)
{
    size_t least, most;

    usi_handshake_bounds(c->handshake, &least, &most);
    return message_length(c) >= least && message_length(c) <= most;
}

/* Octets that surely belong to the message that is awaited; 0: it is not the peer's turn. */
static size_t message_want(const struct usi_channel *c)
{
    size_t least, most, whole;

    if (usi_handshake_step(c->handshake) != USI_STEP_READ || (c->waiting & USI_WAIT_MESSAGE) != 0)
        return 0;
    usi_handshake_bounds(c->handshake, &least, &most);
    whole = 2 + (c->message_size < 2 ? least : message_length(c));
    return whole > c->message_size ? whole - c->message_size : 0;
}

/* A listener's messages are through: it awaits the proof. */
static int listener_agreed(struct usi_channel *c, struct usi_event *event)
{
    bool identity = usi_handshake_mode(c->handshake) == USI_MODE_IDENTITY;
    int result = usi_channel_take_keys(c);

    c->opener.length_max = identity ? PROOF_RECORD_IDENTITY_MAX : PROOF_RECORD_MAX;
    c->stage = USI_STAGE_PROOF;
    if (!identity) /* whose message 1 anybody can make */
        event->type = USI_EVENT_KNOCK;
    return result;
}

/* A connector's messages are through, and the listener is authentic. */
static int connector_agreed(struct usi_channel *c, struct usi_event *event)
{
    int result = usi_channel_take_keys(c);

    if (result == 0)
        result = usi_handshake_settle(c->handshake, &c->terms);
    if (result != 0)
        return result;
    c->waiting |= USI_WAIT_PROOF;
    c->stage = USI_STAGE_UP;
    c->authenticated = true;
    c->held = c->terms.mode == USI_MODE_IDENTITY;
    usi_channel_key_begins(c);
    event->type = USI_EVENT_AUTHENTICATED;
    return 0;
}

/* A whole message is in: what follows it. */
static int take_message(struct usi_channel *c, struct usi_event *event)
{
    size_t size = c->message_size - 2;
    int result = usi_handshake_read(c->handshake, c->message + 2, size, c->now);

    c->message_size = 0;
    if (result == 0)
        result = usi_channel_advance(c);
    if (result != 0)
        return result;
    switch (usi_handshake_step(c->handshake)) {
    case USI_STEP_STRETCH:
        event->type = USI_EVENT_SALT;
        return 0;
    case USI_STEP_OVER:
        return c->connector ? connector_agreed(c, event) : listener_agreed(c, event);
    default:
        return 0;
    }
}

static int receive_message(struct usi_channel *c, const uint8_t *in, size_t size, size_t *taken,
                           struct usi_event *event)
{
    size_t used = 0;

    while (used < size && event->type == USI_EVENT_NONE && c->stage == USI_STAGE_HANDSHAKE) {
        size_t n = message_want(c);
        if (n == 0) /* the peer speaks out of turn */
            return USI_ERR_FORMAT;
        if (c->message_size < 2)
            n = 1;
        if (n > size - used)
            n = size - used;
        memcpy(c->message + c->message_size, in + used, n);
        c->message_size += n;
        used += n;
        *taken = used;
        if (c->message_size == 2 && !length_is_possible(c))
            return USI_ERR_FORMAT;
        if (c->message_size < 2 || message_want(c) > 0)
            continue;
        int result = take_message(c, event);
        if (result != 0)
            return result;
    }
    return 0;
}

/* Record 0, which must be the proof. Its plaintext goes where message 2 was. */
static int receive_proof(struct usi_channel *c, const uint8_t *in, size_t size, size_t *taken,
                         struct usi_event *event)
{
    size_t content = 0;
    uint8_t type = 0;
    int result;

    if (c->waiting & USI_WAIT_MESSAGE)
        return USI_ERR_FORMAT;
    result = usi_open(&c->opener, in, size, taken, c->message, USI_MESSAGE_2_MAX, &content, &type);
    if (result < 0)
        return result;
    if (result != USI_OPEN_RECORD)
        return 0;
    usi_witness_tell_record(c->view, false, type, content, c->opener.counter - 1);
    if (type != USI_RECORD_TYPE_PROOF)
        return USI_ERR_PROTOCOL;
    result = usi_handshake_check_proof(c->handshake, c->message, content);
    if (result == 0)
        result = usi_handshake_settle(c->handshake, &c->terms);
    if (result != 0)
        return result;
    c->opener.length_max = USI_RECORD_LENGTH_MAX;
    c->stage = USI_STAGE_UP;
    c->authenticated = true;
    c->held = c->terms.mode == USI_MODE_IDENTITY;
    usi_channel_handshake_over(c);
    usi_channel_key_begins(c);
    event->type = USI_EVENT_AUTHENTICATED;
    return 0;
}

/* ---- records of a stream ---- */

static int take_data(struct usi_channel *c, size_t size)
{
    if (!c->stream.open || c->stream.end_received || c->stream.service != USI_SERVICE_PIPE)
        return USI_ERR_PROTOCOL;
    c->stream.received += size;
    c->received += size;
    return 0;
}

static int take_service_record(struct usi_channel *c, uint8_t type, const uint8_t *content,
                               size_t size, struct usi_event *event)
{
    if (!c->stream.open || c->stream.end_received ||
        !usi_channel_record_fits(c->stream.service, type))
        return USI_ERR_PROTOCOL;
    c->received += size;
    *event = (struct usi_event){
        .type = USI_EVENT_RECORD, .record = type, .content = content, .size = size};
    return 0;
}

static int take_open(struct usi_channel *c, struct usi_read *r, struct usi_event *event)
{
    uint8_t service = r->left > 0 ? usi_read_u8(r) : USI_SERVICE_PIPE;

    /* A service that is not known is the owner's affair, who says so to the peer. */
    if (c->connector || !usi_channel_idle(c) || !usi_read_done(r))
        return USI_ERR_PROTOCOL;
    c->stream = (struct usi_stream){.open = true, .service = service};
    c->streams++;
    c->asked = false; /* an `ask` between the streams came to nothing */
    event->type = USI_EVENT_OPEN;
    return 0;
}

static int take_end(struct usi_channel *c, struct usi_read *r, struct usi_event *event)
{
    uint64_t count = usi_read_number(r, 8);

    if (!c->stream.open || c->stream.end_received || !usi_read_done(r))
        return USI_ERR_PROTOCOL;
    if (count != c->stream.received)
        return USI_ERR_COUNT;
    c->stream.end_received = true;
    event->type = USI_EVENT_END;
    return 0;
}

static int take_bye(struct usi_channel *c, size_t size, struct usi_event *event)
{
    if (size != 0)
        return USI_ERR_PROTOCOL;
    if (!c->connector && usi_channel_idle(c) && c->streams == 0) {
        c->stream = (struct usi_stream){.checked = true, .bye_wanted = true, .bye_received = true};
        c->waiting |= USI_WAIT_BYE;
        event->type = USI_EVENT_CHECK;
        return 0;
    }
    bool answers_check = c->connector && c->stream.checked && c->stream.bye_sent;
    bool closes_stream = c->stream.open && c->stream.end_sent && c->stream.end_received;
    if (c->stream.bye_received || !(answers_check || closes_stream))
        return USI_ERR_PROTOCOL;
    c->stream.bye_received = true;
    event->type = USI_EVENT_BYE;
    usi_channel_stream_over_if_done(c);
    return 0;
}

static int take_abort(struct usi_channel *c, struct usi_read *r, struct usi_event *event)
{
    event->reason = usi_read_u8(r);
    if (!usi_read_done(r))
        return USI_ERR_PROTOCOL;
    event->type = USI_EVENT_ABORT;
    c->aborted = true;
    c->waiting = 0;
    return 0;
}

static int take_ping(struct usi_channel *c, struct usi_read *r)
{
    if (r->left > USI_PING_MAX)
        return USI_ERR_PROTOCOL;
    /* Pings that come faster than pongs go out are answered by the last of them: a flood costs no
     * memory. */
    c->ping_size = (uint8_t)r->left;
    if (r->left > 0)
        memcpy(c->ping, r->at, r->left);
    c->waiting |= USI_WAIT_PONG;
    return 0;
}

/* ---- records of a rekey ---- */

static int take_ask(struct usi_channel *c, size_t size)
{
    if (!c->connector || size != 0)
        return USI_ERR_PROTOCOL;
    if (c->held)
        c->soft_at = c->now;     /* as soon as the user has said yes */
    return usi_channel_rekey(c); /* which does nothing while a rekey is under way */
}

static int take_rekey_1(struct usi_channel *c, const struct usi_read *r)
{
    int result;

    if (c->connector || c->handshake != NULL)
        return USI_ERR_PROTOCOL;
    if ((result = usi_channel_rekey_begin(c)) != 0 ||
        (result = usi_handshake_read(c->handshake, r->at, r->left, c->now)) != 0 ||
        (result = usi_handshake_write(c->handshake, c->message, USI_MESSAGE_2_MAX,
                                      &c->message_size)) != 0)
        return result;
    c->rekey = USI_REKEY_SENT;
    c->waiting &= ~(unsigned)USI_WAIT_ASK;
    c->waiting |= USI_WAIT_REKEY;
    return 0;
}

static int take_rekey_2(struct usi_channel *c, const struct usi_read *r)
{
    int result;

    if (!c->connector || c->rekey != USI_REKEY_SENT ||
        (c->waiting & (USI_WAIT_REKEY | USI_WAIT_SWITCH)) != 0)
        return USI_ERR_PROTOCOL;
    result = usi_handshake_read(c->handshake, r->at, r->left, c->now);
    if (result == 0)
        c->waiting |= USI_WAIT_SWITCH;
    return result;
}

static int opener_takes_new_key(struct usi_channel *c)
{
    uint8_t send[USI_KEY], receive[USI_KEY];
    int result = usi_handshake_keys(c->handshake, send, receive);

    usi_opener_clear(&c->opener);
    if (result == 0)
        result = usi_opener_key(&c->opener, usi_handshake_cipher(c->handshake), receive);
    if (result == 0)
        usi_witness_tell_key(c->view, false, receive, c->opener.key.cipher->key_size);
    OPENSSL_cleanse(send, sizeof send);
    OPENSSL_cleanse(receive, sizeof receive);
    return result;
}

static int take_switch(struct usi_channel *c, size_t size, struct usi_event *event)
{
    enum usi_rekey expected = c->connector ? USI_REKEY_SWITCHED : USI_REKEY_SENT;
    int result;

    if (size != 0 || c->rekey != expected || (c->waiting & USI_WAIT_REKEY) != 0)
        return USI_ERR_PROTOCOL;
    if ((result = opener_takes_new_key(c)) != 0)
        return result;
    if (!c->connector) {
        c->rekey = USI_REKEY_SWITCHED;
        return 0;
    }
    if ((result = usi_handshake_settle(c->handshake, &c->terms)) != 0)
        return result;
    usi_channel_handshake_over(c);
    usi_channel_key_begins(c);
    c->rekeys++;
    event->type = USI_EVENT_REKEYED;
    return 0;
}

/* The connector's proof, in a rekey: now the listener's direction may change too. */
static int take_proof(struct usi_channel *c, const struct usi_read *r, struct usi_event *event)
{
    int result = usi_handshake_check_proof(c->handshake, r->at, r->left);

    if (result != 0)
        return result;
    c->rekey = USI_REKEY_PROVED;
    c->waiting |= USI_WAIT_SWITCH;
    c->rekeys++;
    event->type = USI_EVENT_REKEYED;
    return 0;
}

/* ---- the whole ---- */

static int take_record(struct usi_channel *c, uint8_t type, const uint8_t *content, size_t size,
                       struct usi_event *event)
{
    struct usi_read r = usi_read_from(content, size);
    bool proof_is_due = !c->connector && c->rekey == USI_REKEY_SWITCHED;

    if (type != USI_RECORD_TYPE_DATA)
        usi_witness_tell_record(c->view, false, type, size, c->opener.counter - 1);
    if (proof_is_due != (type == USI_RECORD_TYPE_PROOF))
        return USI_ERR_PROTOCOL;
    switch (type) {
    case USI_RECORD_TYPE_DATA:
        return take_data(c, size);
    case USI_RECORD_TYPE_END:
        return take_end(c, &r, event);
    case USI_RECORD_TYPE_BYE:
        return take_bye(c, size, event);
    case USI_RECORD_TYPE_OPEN:
        return take_open(c, &r, event);
    case USI_RECORD_TYPE_ABORT:
        return take_abort(c, &r, event);
    case USI_RECORD_TYPE_PING:
        return take_ping(c, &r);
    case USI_RECORD_TYPE_PONG:
        return size <= USI_PING_MAX ? 0 : USI_ERR_PROTOCOL;
    case USI_RECORD_TYPE_PROOF:
        return take_proof(c, &r, event);
    case USI_RECORD_TYPE_ASK:
        return take_ask(c, size);
    case USI_RECORD_TYPE_REKEY_1:
        return take_rekey_1(c, &r);
    case USI_RECORD_TYPE_REKEY_2:
        return take_rekey_2(c, &r);
    case USI_RECORD_TYPE_SWITCH:
        return take_switch(c, size, event);
    case USI_RECORD_TYPE_QUESTION:
    case USI_RECORD_TYPE_CHALLENGE:
    case USI_RECORD_TYPE_ATTEMPT:
    case USI_RECORD_TYPE_VERDICT:
        return usi_channel_take_question(c, type, &r, event);
    default:
        return take_service_record(c, type, content, size, event);
    }
}

static int receive_records(struct usi_channel *c, const uint8_t *in, size_t size, size_t *taken,
                           struct usi_buffer *to, struct usi_event *event)
{
    size_t used = 0;

    while (event->type == USI_EVENT_NONE && used < size) {
        uint8_t *plain = to->base + to->used;
        size_t n = 0, content = 0;
        uint8_t type = 0;
        int result = usi_open(&c->opener, in + used, size - used, &n, plain, to->size - to->used,
                              &content, &type);
        used += n;
        *taken = used;
        if (result == USI_OPEN_ROOM)
            event->type = USI_EVENT_ROOM;
        if (result == USI_OPEN_RECORD) {
            /* No honest peer comes near: whatever its limit is, it holds data back before. */
            if (c->opener.wire > 2 * USI_REKEY_BYTES)
                return USI_ERR_KEY_LIMIT;
            result = take_record(c, type, plain, content, event);
            if (result == 0 && (type == USI_RECORD_TYPE_DATA || event->type == USI_EVENT_RECORD))
                to->used += content;
        }
        if (result < 0)
            return result;
    }
    return 0;
}

int usi_channel_receive(struct usi_channel *c, const uint8_t *in, size_t size, size_t *taken,
                        struct usi_buffer *to, struct usi_event *event)
{
    int result;

    *taken = 0;
    *event = (struct usi_event){.type = USI_EVENT_NONE};
    switch (c->stage) {
    case USI_STAGE_HANDSHAKE:
        result = receive_message(c, in, size, taken, event);
        break;
    case USI_STAGE_PROOF:
        result = receive_proof(c, in, size, taken, event);
        break;
    case USI_STAGE_UP:
        if (c->aborted) {
            *taken = size; /* given up, on either side: what still comes is of no interest */
            return 0;
        }
        if (c->held && c->stream.open) /* what follows `open` waits for the user's word */
            return USI_ERR_ARGUMENT;
        result = receive_records(c, in, size, taken, to, event);
        if (result == 0) /* a side that only receives sees its limits here */
            result = usi_channel_rekey_if_due(c);
        break;
    default:
        return USI_ERR_ARGUMENT;
    }
    if (result != 0) {
        c->stage = USI_STAGE_DEAD;
        usi_witness_tell(c->view,
                         (struct usi_seen){.type = USI_SEEN_FAILED, .number = (uint64_t)-result});
    }
    return result;
}

size_t usi_channel_want(const struct usi_channel *c)
{
    switch (c->stage) {
    case USI_STAGE_HANDSHAKE:
        return message_want(c);
    case USI_STAGE_PROOF:
        return usi_open_want(&c->opener);
    default:
        /* Record by record while the user is being asked: what follows an `open` stays where it
         * is. */
        return c->held ? usi_open_want(&c->opener) : SIZE_MAX;
    }
}

size_t usi_channel_partial(const struct usi_channel *c)
{
    bool begun = c->stage == USI_STAGE_UP && c->opener.taken > USI_RECORD_HEADER;

    return begun ? c->opener.taken : 0;
}
