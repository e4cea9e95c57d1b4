/* Passwords in a channel: what a connector stretches; and the password question, in which a
 * connector of identity mode asks whether the listener knows a password: the exchange of password
 * mode in records, which keys nothing. PROTOCOL.md, "The password question". */
#include "channel/channel.h"

#include <openssl/crypto.h>
#include <string.h>

/* What an event says. */
enum { ANSWER_RIGHT = 0, ANSWER_WRONG = 1, ANSWER_NONE = 2 };

static int question_new(struct usi_channel *c)
{
    struct usi_question *q = OPENSSL_zalloc(sizeof *q);

    if (q == NULL)
        return USI_ERR_INTERNAL;
    c->question = q;
    c->questions++;
    int result = usi_handshake_question(&q->handshake, c->crypto, c->ring, c->connector, &c->terms);
    if (result == 0)
        usi_handshake_show(q->handshake, c->view);
    return result;
}

void usi_channel_question_over(struct usi_channel *c)
{
    if (c->question == NULL)
        return;
    usi_handshake_free(c->question->handshake);
    OPENSSL_clear_free(c->question, sizeof *c->question);
    c->question = NULL;
}

/* A record of that type with message waits; the question is over once it is sealed, if `over`. */
static void wait_to_send(struct usi_channel *c, enum usi_record_type type, bool over)
{
    c->question->type = (uint8_t)type;
    c->question->over = over;
    c->waiting |= USI_WAIT_QUESTION;
}

static int write_next(struct usi_channel *c, enum usi_record_type type, bool over)
{
    struct usi_question *q = c->question;
    int result = usi_handshake_write(q->handshake, q->message, sizeof q->message, &q->size);

    if (result == 0)
        wait_to_send(c, type, over);
    return result;
}

void usi_channel_question_sent(struct usi_channel *c)
{
    if (c->question->over)
        usi_channel_question_over(c);
}

static void answered(struct usi_channel *c, uint8_t answer, struct usi_event *event)
{
    event->type = USI_EVENT_ANSWER;
    event->reason = answer;
    usi_channel_question_over(c);
}

/* ---- connector ---- */

int usi_channel_question(struct usi_channel *c)
{
    if (!c->connector || c->stage != USI_STAGE_UP || c->terms.mode != USI_MODE_IDENTITY ||
        c->question != NULL || c->questions >= USI_QUESTIONS_MAX || c->aborted)
        return USI_ERR_ARGUMENT;
    int result = question_new(c);
    if (result == 0)
        result = write_next(c, USI_RECORD_TYPE_QUESTION, false);
    if (result != 0)
        c->stage = USI_STAGE_DEAD;
    return result;
}

static int take_challenge(struct usi_channel *c, const struct usi_read *r, struct usi_event *event)
{
    if (r->left == 0) {
        answered(c, ANSWER_NONE, event);
        return 0;
    }
    event->type = USI_EVENT_SALT;
    return usi_handshake_read(c->question->handshake, r->at, r->left, c->now);
}

int usi_channel_question_stretched(struct usi_channel *c, const uint8_t stretched[USI_STRETCHED])
{
    struct usi_handshake *hs = c->question->handshake;

    if (!c->connector || usi_handshake_step(hs) != USI_STEP_STRETCH || c->aborted)
        return USI_ERR_ARGUMENT;
    int result = usi_handshake_stretched(hs, stretched);
    if (result == 0)
        result = write_next(c, USI_RECORD_TYPE_ATTEMPT, false);
    if (result == USI_ERR_SHARE) /* of the listener's: no question of the channel's health, but of
                                    its honesty */
        result = USI_ERR_PROTOCOL;
    if (result != 0)
        c->stage = USI_STAGE_DEAD;
    return result;
}

static int take_verdict(struct usi_channel *c, const struct usi_read *r, struct usi_event *event)
{
    int result = r->left == 0 ? USI_ERR_PASSWORD
                              : usi_handshake_read(c->question->handshake, r->at, r->left, c->now);

    if (result == 0 || result == USI_ERR_PASSWORD) {
        answered(c, result == 0 ? ANSWER_RIGHT : ANSWER_WRONG, event);
        result = 0;
    }
    return result;
}

/* ---- listener ---- */

static void asked(struct usi_event *event, uint8_t answer)
{
    event->type = USI_EVENT_ASKED;
    event->reason = answer;
}

static int take_question(struct usi_channel *c, const struct usi_read *r, struct usi_event *event)
{
    int result = question_new(c);

    if (result != 0)
        return result;
    result = usi_keyring_has_password(c->ring)
                 ? usi_handshake_read(c->question->handshake, r->at, r->left, c->now)
                 : USI_ERR_TRIES;
    if (result == USI_ERR_TRIES) {
        asked(event, ANSWER_NONE);
        wait_to_send(c, USI_RECORD_TYPE_CHALLENGE, true);
        return 0;
    }
    return result != 0 ? result : write_next(c, USI_RECORD_TYPE_CHALLENGE, false);
}

static int take_attempt(struct usi_channel *c, const struct usi_read *r, struct usi_event *event)
{
    int result = usi_handshake_read(c->question->handshake, r->at, r->left, c->now);

    if (result == USI_ERR_PASSWORD || result == USI_ERR_TRIES) {
        asked(event, ANSWER_WRONG);
        c->question->size = 0;
        wait_to_send(c, USI_RECORD_TYPE_VERDICT, true);
        return 0;
    }
    if (result != 0)
        return result;
    asked(event, ANSWER_RIGHT);
    return write_next(c, USI_RECORD_TYPE_VERDICT, true);
}

/* ---- both ---- */

int usi_channel_take_question(struct usi_channel *c, uint8_t type, const struct usi_read *r,
                              struct usi_event *event)
{
    bool from_connector = type == USI_RECORD_TYPE_QUESTION || type == USI_RECORD_TYPE_ATTEMPT;
    unsigned turn = type - USI_RECORD_TYPE_QUESTION;

    if (c->terms.mode != USI_MODE_IDENTITY || from_connector == c->connector ||
        (c->waiting & USI_WAIT_QUESTION) != 0)
        return USI_ERR_PROTOCOL;
    if (type == USI_RECORD_TYPE_QUESTION)
        return c->question != NULL || c->questions >= USI_QUESTIONS_MAX
                   ? USI_ERR_PROTOCOL
                   : take_question(c, r, event);
    if (c->question == NULL || usi_handshake_passed(c->question->handshake) != turn ||
        usi_handshake_step(c->question->handshake) != USI_STEP_READ)
        return USI_ERR_PROTOCOL;
    switch (type) {
    case USI_RECORD_TYPE_CHALLENGE:
        return take_challenge(c, r, event);
    case USI_RECORD_TYPE_ATTEMPT:
        return take_attempt(c, r, event);
    default:
        return take_verdict(c, r, event);
    }
}

/* ---- of password mode too ---- */

const uint8_t *usi_channel_salt(const struct usi_channel *c)
{
    const struct usi_handshake *hs = c->question != NULL ? c->question->handshake : c->handshake;

    return hs != NULL ? usi_handshake_salt(hs) : NULL;
}

int usi_channel_stretched(struct usi_channel *c, const uint8_t stretched[USI_STRETCHED])
{
    int result;

    if (c->stage == USI_STAGE_UP && c->question != NULL)
        return usi_channel_question_stretched(c, stretched);
    if (c->stage != USI_STAGE_HANDSHAKE || usi_handshake_step(c->handshake) != USI_STEP_STRETCH)
        return USI_ERR_ARGUMENT;
    result = usi_handshake_stretched(c->handshake, stretched);
    if (result == 0)
        result = usi_channel_advance(c);
    if (result != 0)
        c->stage = USI_STAGE_DEAD;
    return result;
}

bool usi_channel_guessed(const struct usi_channel *c)
{
    const struct usi_handshake *hs = c->question != NULL ? c->question->handshake : c->handshake;
    unsigned waiting = c->question != NULL ? USI_WAIT_QUESTION : USI_WAIT_MESSAGE;

    return c->connector && hs != NULL && (c->question != NULL || !c->authenticated) &&
           usi_handshake_mode(hs) == USI_MODE_PASSWORD && usi_handshake_passed(hs) >= 3 &&
           (c->waiting & waiting) == 0;
}

bool usi_channel_questioned(const struct usi_channel *c)
{
    return !c->connector && c->question != NULL;
}
