#include "channel/channel.h"

#include "channel/bytes.h"

#include <openssl/crypto.h>
#include <string.h>

enum { MESSAGE_ROOM = 2 + USI_MESSAGE_2_MAX };

static const uint64_t MS_MAX = UINT64_C(1) << 48; /* far from any overflow */

/* ---- life ---- */

static int channel_new(struct usi_channel **out, const struct usi_crypto *crypto,
                       struct usi_keyring *ring, const struct usi_settings *settings, uint64_t now)
{
    struct usi_settings s = settings != NULL ? *settings : (struct usi_settings){0};
    struct usi_channel *c;

    *out = NULL;
    if (s.rekey_ms == 0)
        s.rekey_ms = USI_REKEY_MS;
    if (s.rekey_bytes == 0)
        s.rekey_bytes = USI_REKEY_BYTES;
    if (s.rekey_ms > MS_MAX || s.rekey_bytes < USI_REKEY_BYTES_MIN ||
        s.rekey_bytes > USI_REKEY_BYTES)
        return USI_ERR_ARGUMENT;
    c = OPENSSL_zalloc(sizeof *c);
    if (c == NULL || (c->message = OPENSSL_malloc(MESSAGE_ROOM)) == NULL) {
        usi_channel_free(c);
        return USI_ERR_INTERNAL;
    }
    c->crypto = crypto;
    c->ring = ring;
    c->rekey_ms = s.rekey_ms;
    c->rekey_bytes = s.rekey_bytes;
    c->now = now;
    c->soft_at = UINT64_MAX;
    c->hard_at = UINT64_MAX;
    *out = c;
    return 0;
}

int usi_channel_advance(struct usi_channel *c)
{
    size_t size = 0;

    if (usi_handshake_step(c->handshake) != USI_STEP_WRITE)
        return 0;
    int result = usi_handshake_write(c->handshake, c->message + 2, USI_MESSAGE_2_MAX, &size);
    if (result != 0)
        return result;
    usi_put_number(c->message, size, 2);
    c->message_size = 2 + size;
    c->waiting |= USI_WAIT_MESSAGE;
    return 0;
}

int usi_channel_connect(struct usi_channel **out, const struct usi_crypto *crypto,
                        struct usi_keyring *ring, const struct usi_settings *settings, uint64_t now)
{
    enum usi_mode mode = settings != NULL && settings->mode != 0 ? settings->mode : USI_MODE_KEY;
    struct usi_channel *c;
    int result = channel_new(&c, crypto, ring, settings, now);

    *out = NULL;
    if (result != 0)
        return result;
    c->connector = true;
    result = usi_handshake_connect(&c->handshake, crypto, ring, mode);
    if (result == 0)
        result = usi_channel_advance(c);
    if (result != 0) {
        usi_channel_free(c);
        return result;
    }
    *out = c;
    return 0;
}

int usi_channel_listen(struct usi_channel **out, const struct usi_crypto *crypto,
                       struct usi_keyring *ring, const struct usi_settings *settings, uint64_t now)
{
    struct usi_channel *c;
    int result = channel_new(&c, crypto, ring, settings, now);

    *out = NULL;
    if (result != 0)
        return result;
    result = usi_handshake_listen(&c->handshake, crypto, ring);
    if (result != 0) {
        usi_channel_free(c);
        return result;
    }
    *out = c;
    return 0;
}

void usi_channel_free(struct usi_channel *c)
{
    if (c == NULL)
        return;
    usi_opener_clear(&c->opener);
    usi_sealer_clear(&c->sealer);
    OPENSSL_clear_free(c->message, MESSAGE_ROOM);
    usi_channel_question_over(c);
    usi_handshake_free(c->handshake);
    usi_terms_clear(&c->terms);
    OPENSSL_clear_free(c, sizeof *c);
}

/* ---- keys ---- */

int usi_channel_take_keys(struct usi_channel *c)
{
    uint8_t send[USI_KEY], receive[USI_KEY];
    const struct usi_cipher *cipher = usi_handshake_cipher(c->handshake);
    int result = usi_handshake_keys(c->handshake, send, receive);

    if (result == 0)
        result = usi_sealer_key(&c->sealer, cipher, send);
    if (result == 0)
        result = usi_opener_key(&c->opener, cipher, receive);
    OPENSSL_cleanse(send, sizeof send);
    OPENSSL_cleanse(receive, sizeof receive);
    return result;
}

void usi_channel_key_begins(struct usi_channel *c)
{
    uint8_t dice[2] = {0, 0};
    /* Up to 10 % early at random, so that a thousand channels opened together do not rekey
     * together. Without dice they merely do. */
    (void)c->crypto->random(c->crypto, dice, sizeof dice);
    uint64_t early = c->rekey_ms / 10 * (uint64_t)(dice[0] << 8 | dice[1]) / 65536;

    c->soft_at = c->now + c->rekey_ms - early;
    c->hard_at = c->now + c->rekey_ms + c->rekey_ms / 2;
    c->asked = false;
}

void usi_channel_handshake_over(struct usi_channel *c)
{
    usi_handshake_free(c->handshake);
    c->handshake = NULL;
    c->rekey = USI_REKEY_NONE;
    OPENSSL_clear_free(c->message, MESSAGE_ROOM);
    c->message = NULL;
    c->message_size = 0;
}

int usi_channel_rekey_begin(struct usi_channel *c)
{
    int result;

    c->message = OPENSSL_malloc(MESSAGE_ROOM);
    if (c->message == NULL)
        return USI_ERR_INTERNAL;
    result = usi_handshake_again(&c->handshake, c->crypto, c->ring, c->connector, &c->terms);
    if (result == 0 && c->connector) {
        result = usi_handshake_write(c->handshake, c->message, USI_MESSAGE_1_MAX, &c->message_size);
        c->rekey = USI_REKEY_SENT;
        c->waiting |= USI_WAIT_REKEY;
    }
    return result;
}

int usi_channel_rekey(struct usi_channel *c)
{
    if (c->stage != USI_STAGE_UP)
        return USI_ERR_ARGUMENT;
    if (c->handshake != NULL || c->held || c->stream.bye_sent || c->stream.bye_wanted || c->aborted)
        return 0;
    if (c->connector)
        return usi_channel_rekey_begin(c);
    if (!c->asked) {
        c->asked = true;
        c->waiting |= USI_WAIT_ASK;
    }
    return 0;
}

int usi_channel_rekey_if_due(struct usi_channel *c)
{
    if (c->stage == USI_STAGE_UP && (c->now >= c->soft_at || c->sealer.wire >= c->rekey_bytes ||
                                     c->opener.wire >= c->rekey_bytes))
        return usi_channel_rekey(c);
    return 0;
}

int usi_channel_tick(struct usi_channel *c, uint64_t now)
{
    if (c->stage == USI_STAGE_DEAD)
        return USI_ERR_ARGUMENT;
    c->now = now;
    return usi_channel_rekey_if_due(c);
}

uint64_t usi_channel_deadline(const struct usi_channel *c)
{
    bool to_come = c->stage == USI_STAGE_UP && c->handshake == NULL && !c->held && !c->asked &&
                   c->now < c->soft_at;

    return to_come ? c->soft_at : UINT64_MAX;
}

/* ---- sending ---- */

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
        return seal_control(c, out, USI_RECORD_TYPE_OPEN, NULL, 0, sent);
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

int usi_channel_send(struct usi_channel *c, const uint8_t *data, size_t size, size_t *taken,
                     uint8_t *out, size_t room, size_t *made)
{
    const unsigned after_data = USI_WAIT_END | USI_WAIT_BYE;
    struct output o;
    /* What usi_channel_room promised holds, whatever control records now go first: the reserve
     * under the hard limit is there for them. */
    size_t promised = usi_channel_room(c);
    size_t allowed = size < promised ? size : promised;
    int result;

    o.at = out;
    o.left = room;
    *taken = 0;
    *made = 0;
    if (c->stage == USI_STAGE_DEAD)
        return USI_ERR_ARGUMENT;
    if ((result = usi_channel_rekey_if_due(c)) != 0)
        goto dead;
    if ((result = send_waiting(c, ~after_data, &o)) != 0)
        goto dead;
    if (allowed > 0 && (ready(c) & ~after_data) == 0 &&
        (result = send_data(c, data, allowed, taken, &o)) != 0)
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

/* ---- streams ---- */

void usi_channel_stream_over_if_done(struct usi_channel *c)
{
    if (c->stream.bye_sent && c->stream.bye_received)
        c->stream = (struct usi_stream){0};
}

bool usi_channel_idle(const struct usi_channel *c)
{
    return c->stage == USI_STAGE_UP && !c->stream.open && !c->stream.checked && !c->aborted;
}

int usi_channel_open(struct usi_channel *c)
{
    if (!c->connector || c->held || !usi_channel_idle(c))
        return USI_ERR_ARGUMENT;
    c->stream = (struct usi_stream){.open = true};
    c->streams++;
    c->waiting |= USI_WAIT_OPEN;
    return 0;
}

int usi_channel_check(struct usi_channel *c)
{
    if (!c->connector || c->held || !usi_channel_idle(c) || c->streams > 0)
        return USI_ERR_ARGUMENT;
    c->stream = (struct usi_stream){.checked = true, .bye_wanted = true};
    c->waiting |= USI_WAIT_BYE;
    return 0;
}

int usi_channel_end(struct usi_channel *c)
{
    if (c->stage != USI_STAGE_UP || !c->stream.open || c->stream.end_wanted || c->aborted)
        return USI_ERR_ARGUMENT;
    c->stream.end_wanted = true;
    c->waiting |= USI_WAIT_END;
    return 0;
}

int usi_channel_bye(struct usi_channel *c)
{
    if (c->stage != USI_STAGE_UP || !c->stream.end_wanted || !c->stream.end_received ||
        c->stream.bye_wanted || c->aborted)
        return USI_ERR_ARGUMENT;
    c->stream.bye_wanted = true;
    c->waiting |= USI_WAIT_BYE;
    return 0;
}

int usi_channel_abort(struct usi_channel *c, uint8_t reason)
{
    if (c->stage != USI_STAGE_UP || c->aborted)
        return USI_ERR_ARGUMENT;
    /* A rekey that is half done is dropped; but what must come first under a new key still does. */
    c->waiting &= USI_WAIT_PROOF;
    c->waiting |= USI_WAIT_ABORT;
    c->abort_reason = reason;
    c->aborted = true;
    return 0;
}

void usi_channel_rest(struct usi_channel *c)
{
    if (c->stage != USI_STAGE_UP)
        return;
    usi_sealer_rest(&c->sealer);
    usi_opener_rest(&c->opener);
}

void usi_channel_counts(const struct usi_channel *c, struct usi_counts *counts)
{
    const struct usi_cipher *cipher = c->terms.cipher; /* NULL: not agreed yet */

    *counts = (struct usi_counts){
        .sent = c->sent,
        .received = c->received,
        .rekeys = c->rekeys,
        .streams = c->streams,
        .authenticated = c->authenticated,
        .heard = c->opener.counter > 0 || c->rekeys > 0,
        .end_sent = c->stream.end_sent,
        .end_received = c->stream.end_received,
        .key_bits = 8 * (unsigned)(cipher != NULL ? cipher->key_size : 0),
        .mode = cipher == NULL && c->handshake != NULL ? usi_handshake_mode(c->handshake)
                                                       : c->terms.mode,
    };
}

/* ---- who the peer is ---- */

const struct usi_peer *usi_channel_peer(const struct usi_channel *c)
{
    return c->authenticated && c->terms.mode == USI_MODE_IDENTITY ? &c->terms.peer : NULL;
}

bool usi_channel_held(const struct usi_channel *c)
{
    return c->held;
}

int usi_channel_accept(struct usi_channel *c)
{
    if (c->stage != USI_STAGE_UP || !c->held || c->aborted)
        return USI_ERR_ARGUMENT;
    c->held = false;
    return 0;
}
