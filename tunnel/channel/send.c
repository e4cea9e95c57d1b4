/* What a channel sends: what waits, in its order, and octets or records of the stream behind it. */
#include "channel/bytes.h"
#include "channel/channel.h"

#include <openssl/crypto.h>
#include <string.h>

struct output {
    uint8_t *at;
    size_t left;
};

/* Seals a control record if it fits; *sealed says so. */
static int seal_control(struct usi_channel *c, struct output *out, enum usi_record_type type,
                        const uint8_t *content, size_t size, bool *sealed)
{
    size_t made = 0;
    int result;

    *sealed = false;
    if (usi_seal_size(type, size) > out->left)
        return 0;
    result = usi_seal(&c->sealer, type, content, size, out->at, &made);
    out->at += made;
    out->left -= made;
    *sealed = result == 0;
    if (*sealed)
        usi_witness_tell_record(c->view, true, (uint8_t)type, size, c->sealer.counter - 1);
    return result;
}

/* Message 1 or 2 in clear. */
static int send_message(struct usi_channel *c, struct output *out, bool *sent)
{
    *sent = c->message_size <= out->left;
    if (!*sent)
        return 0;
    memcpy(out->at, c->message, c->message_size);
    out->at += c->message_size;
    out->left -= c->message_size;
    c->message_size = 0;
    return 0;
}

static int send_proof(struct usi_channel *c, struct output *out, bool *sent)
{
    uint8_t proof[USI_PROOF_MAX];
    size_t size = 0;
    int result = usi_handshake_proof(c->handshake, proof, &size);

    *sent = false;
    if (result == 0 && usi_seal_size(USI_RECORD_TYPE_PROOF, size) <= out->left)
        usi_handshake_tell_proof(c->handshake, proof, size);
    if (result == 0)
        result = seal_control(c, out, USI_RECORD_TYPE_PROOF, proof, size, sent);
    OPENSSL_cleanse(proof, sizeof proof);
    if (result == 0 && *sent && c->rekey == USI_REKEY_NONE)
        usi_channel_handshake_over(
            c); /* of the first handshake; a rekey still waits for the switch */
    return result;
}

/* `switch` is the last record under the old key; a connector's `proof` is the first under
 * the new. */
static int send_switch(struct usi_channel *c, struct output *out, bool *sent)
{
    uint8_t send[USI_KEY], receive[USI_KEY];
    size_t needed = usi_seal_size(USI_RECORD_TYPE_SWITCH, 0) +
                    usi_seal_size(USI_RECORD_TYPE_PROOF, USI_PROOF_MAX);
    int result;

    *sent = false;
    if (out->left < needed)
        return 0;
    if ((result = seal_control(c, out, USI_RECORD_TYPE_SWITCH, NULL, 0, sent)) != 0)
        return result;
    usi_sealer_clear(&c->sealer);
    result = usi_handshake_keys(c->handshake, send, receive);
    if (result == 0)
        result = usi_sealer_key(&c->sealer, usi_handshake_cipher(c->handshake), send);
    if (result == 0)
        usi_witness_tell_key(c->view, true, send, c->sealer.key.cipher->key_size);
    OPENSSL_cleanse(send, sizeof send);
    OPENSSL_cleanse(receive, sizeof receive);
    if (result != 0)
        return result;
    if (c->connector) {
        c->rekey = USI_REKEY_SWITCHED;
        return send_proof(c, out, sent);
    }
    result = usi_handshake_settle(c->handshake, &c->terms);
    usi_channel_handshake_over(c);
    usi_channel_key_begins(c);
    return result;
}

static int send_end(struct usi_channel *c, struct output *out, bool *sent)
{
    uint8_t count[8];
    int result;

    usi_put_number(count, c->stream.sent, sizeof count);
    result = seal_control(c, out, USI_RECORD_TYPE_END, count, sizeof count, sent);
    c->stream.end_sent = result == 0 && *sent;
    return result;
}

static int send_bye(struct usi_channel *c, struct output *out, bool *sent)
{
    int result = seal_control(c, out, USI_RECORD_TYPE_BYE, NULL, 0, sent);

    if (result == 0 && *sent) {
        c->stream.bye_sent = true;
        usi_channel_stream_over_if_done(c);
    }
    return result;
}

static int send_question(struct usi_channel *c, struct output *out, bool *sent)
{
    const struct usi_question *q = c->question;
    int result = seal_control(c, out, q->type, q->message, q->size, sent);

    if (result == 0 && *sent)
        usi_channel_question_sent(c);
    return result;
}

static int send_one(struct usi_channel *c, unsigned what, struct output *out, bool *sent)
{
    switch (what) {
    case USI_WAIT_MESSAGE:
        return send_message(c, out, sent);
    case USI_WAIT_PROOF:
        return send_proof(c, out, sent);
    case USI_WAIT_REKEY:
        return seal_control(c, out,
                            c->connector ? USI_RECORD_TYPE_REKEY_1 : USI_RECORD_TYPE_REKEY_2,
                            c->message, c->message_size, sent);
    case USI_WAIT_SWITCH:
        return send_switch(c, out, sent);
    case USI_WAIT_ASK:
        return seal_control(c, out, USI_RECORD_TYPE_ASK, NULL, 0, sent);
    case USI_WAIT_PONG:
        return seal_control(c, out, USI_RECORD_TYPE_PONG, c->ping, c->ping_size, sent);
    case USI_WAIT_QUESTION:
        return send_question(c, out, sent);
    case USI_WAIT_OPEN:
        return seal_control(c, out, USI_RECORD_TYPE_OPEN, &c->stream.service,
                            c->stream.service != USI_SERVICE_PIPE, sent);
    case USI_WAIT_END:
        return send_end(c, out, sent);
    case USI_WAIT_BYE:
        return send_bye(c, out, sent);
    case USI_WAIT_ABORT:
        return seal_control(c, out, USI_RECORD_TYPE_ABORT, &c->abort_reason, 1, sent);
    default:
        return USI_ERR_INTERNAL;
    }
}

/* What may go out now, of all that waits. */
static unsigned ready(const struct usi_channel *c)
{
    return c->held ? c->waiting & USI_WAIT_HELD : c->waiting;
}

/* Sends what waits of `mask`, in order, as far as it fits. */
static int send_waiting(struct usi_channel *c, unsigned mask, struct output *out)
{
    for (unsigned bit = USI_WAIT_MESSAGE; bit <= USI_WAIT_ABORT; bit <<= 1) {
        bool sent = false;
        if ((ready(c) & mask & bit) == 0)
            continue;
        int result = send_one(c, bit, out, &sent);
        if (result != 0)
            return result;
        if (!sent)
            break;
        c->waiting &= ~bit;
    }
    return 0;
}

static int send_data(struct usi_channel *c, const uint8_t *data, size_t allowed, size_t *taken,
                     struct output *out)
{
    while (*taken < allowed && out->left > USI_RECORD_OVERHEAD) {
        size_t n = allowed - *taken;
        size_t made = 0;
        if (n > USI_RECORD_DATA)
            n = USI_RECORD_DATA;
        if (n > out->left - USI_RECORD_OVERHEAD)
            n = out->left - USI_RECORD_OVERHEAD;
        int result = usi_seal(&c->sealer, USI_RECORD_TYPE_DATA, data + *taken, n, out->at, &made);
        if (result != 0)
            return result;
        out->at += made;
        out->left -= made;
        *taken += n;
        c->stream.sent += n;
        c->sent += n;
    }
    return 0;
}

static int send_record(struct usi_channel *c, uint8_t type, const uint8_t *content, size_t size,
                       bool *taken, struct output *out)
{
    int result = seal_control(c, out, (enum usi_record_type)type, content, size, taken);

    if (result == 0 && *taken)
        c->sent += size;
    return result;
}

/* What usi_channel_send and usi_channel_send_record take. */
struct input {
    uint8_t type; /* of a service record; 0: data */
    const uint8_t *octets;
    size_t size;
    size_t taken;
    bool record_taken;
};

static int send_all(struct usi_channel *c, struct input *in, uint8_t *out, size_t room,
                    size_t *made)
{
    const unsigned after_data = USI_WAIT_END | USI_WAIT_BYE;
    struct output o;
    /* What usi_channel_room promised holds, whatever control records now go first: the reserve
     * under the hard limit is there for them. */
    size_t promised = usi_channel_room(c);
    size_t allowed = in->size < promised ? in->size : promised;
    int result;

    o.at = out;
    o.left = room;
    *made = 0;
    if (c->stage == USI_STAGE_DEAD)
        return USI_ERR_ARGUMENT;
    if ((result = usi_channel_rekey_if_due(c)) != 0)
        goto dead;
    if ((result = send_waiting(c, ~after_data, &o)) != 0)
        goto dead;
    if (in->type == 0 && allowed > 0 && (ready(c) & ~after_data) == 0 &&
        (result = send_data(c, in->octets, allowed, &in->taken, &o)) != 0)
        goto dead;
    if (in->type != 0 && promised > 0 && allowed == in->size && (ready(c) & ~after_data) == 0 &&
        (result = send_record(c, in->type, in->octets, in->size, &in->record_taken, &o)) != 0)
        goto dead;
    if (!c->aborted && (ready(c) & ~after_data) == 0 &&
        (result = send_waiting(c, after_data, &o)) != 0)
        goto dead;
    *made = room - o.left;
    return 0;
dead:
    c->stage = USI_STAGE_DEAD;
    return result;
}

int usi_channel_send(struct usi_channel *c, const uint8_t *data, size_t size, size_t *taken,
                     uint8_t *out, size_t room, size_t *made)
{
    struct input in = {.octets = data, .size = size};
    int result;

    *taken = 0;
    *made = 0;
    if (size > 0 && c->stream.service != USI_SERVICE_PIPE)
        return USI_ERR_ARGUMENT;
    result = send_all(c, &in, out, room, made);
    *taken = in.taken;
    return result;
}

bool usi_channel_record_fits(uint8_t service, uint8_t type)
{
    uint8_t first = service == USI_SERVICE_CHAT ? USI_RECORD_TYPE_CHAT : USI_RECORD_TYPE_FILE;

    return service >= USI_SERVICE_CHAT && service <= USI_SERVICE_TAKE && type >= first &&
           type <= USI_RECORD_TYPE_SERVICE_LAST;
}

int usi_channel_send_record(struct usi_channel *c, uint8_t type, const uint8_t *content,
                            size_t size, bool *taken, uint8_t *out, size_t room, size_t *made)
{
    struct input in = {.type = type, .octets = content, .size = size};
    int result;

    *taken = false;
    *made = 0;
    if (size > USI_RECORD_DATA || !usi_channel_record_fits(c->stream.service, type))
        return USI_ERR_ARGUMENT;
    result = send_all(c, &in, out, room, made);
    *taken = in.record_taken;
    return result;
}

size_t usi_channel_sealed_record(size_t size)
{
    return usi_seal_size(USI_RECORD_TYPE_CHAT, size);
}

bool usi_channel_waiting(const struct usi_channel *c)
{
    return ready(c) != 0 && c->stage != USI_STAGE_DEAD;
}

size_t usi_channel_room(const struct usi_channel *c)
{
    const uint64_t hard = 2 * c->rekey_bytes - USI_HARD_RESERVE;
    const uint64_t record = USI_RECORD_DATA + USI_RECORD_OVERHEAD;
    uint64_t wire, room;

    if (c->stage != USI_STAGE_UP || c->held || !c->stream.open || c->stream.end_wanted ||
        c->aborted || c->now >= c->hard_at || c->sealer.wire >= hard)
        return 0;
    wire = hard - c->sealer.wire;
    room = wire / record * USI_RECORD_DATA;
    if (wire % record > USI_RECORD_OVERHEAD)
        room += wire % record - USI_RECORD_OVERHEAD;
    return room < SIZE_MAX ? (size_t)room : SIZE_MAX;
}

size_t usi_channel_sealed_size(size_t size)
{
    return size + (size + USI_RECORD_DATA - 1) / USI_RECORD_DATA * USI_RECORD_OVERHEAD;
}
