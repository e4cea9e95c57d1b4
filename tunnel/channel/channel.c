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

/* The witness of the settings sees the first handshake from here on. */
static int show(struct usi_channel *c, const struct usi_settings *settings)
{
    int result = usi_view_new(&c->view, settings, c->connector);

    usi_handshake_show(c->handshake, c->view);
    return result;
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
        result = show(c, settings);
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
    if (result == 0)
        result = show(c, settings);
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
    usi_view_free(c->view);
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
    if (result == 0) {
        usi_witness_tell_key(c->view, true, send, cipher->key_size);
        usi_witness_tell_key(c->view, false, receive, cipher->key_size);
    }
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
    usi_handshake_tell_agreed(c->handshake);
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
    if (result == 0)
        usi_handshake_show(c->handshake, c->view);
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
    return usi_channel_open_for(c, USI_SERVICE_PIPE);
}

enum usi_service usi_channel_service(const struct usi_channel *c)
{
    return (enum usi_service)c->stream.service;
}

int usi_channel_open_for(struct usi_channel *c, enum usi_service service)
{
    if (!c->connector || c->held || !usi_channel_idle(c) || (unsigned)service > USI_SERVICE_TAKE)
        return USI_ERR_ARGUMENT;
    c->stream = (struct usi_stream){.open = true, .service = (uint8_t)service};
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
