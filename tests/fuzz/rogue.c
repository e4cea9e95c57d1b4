/*
 * A peer that has the key and keeps no rule: what it says is changed before it is sealed, so that
 * all behind the tags is reached. The handshake is done by hand, as PROTOCOL.md writes it, each
 * header, payload and proof changed by fuzz_edit first; or it is sound, and the rogue goes on with
 * rekeys and questions whose messages it changes. Records of any type and content follow.
 *
 * An input is: an octet (kind, and which side the rogue is), an octet (how the handshake is done),
 * changes of each of its parts; then steps.
 */
#include "rogue.h"

#include <stdio.h>

enum { LISTENS = 0x80, STEPS_MAX = 200 };

/* ---- the sound way ---- */

static void keys_of(struct rogue *r, bool sending, bool receiving)
{
    uint8_t send[USI_KEY], receive[USI_KEY];

    if (usi_handshake_keys(r->handshake, send, receive) == 0) {
        r->cipher = usi_handshake_cipher(r->handshake);
        rogue_take_keys(r, sending ? send : NULL, receiving ? receive : NULL);
    }
}

static void settle(struct rogue *r)
{
    if (r->handshake != NULL && usi_handshake_step(r->handshake) == USI_STEP_OVER)
        REQUIRE(usi_handshake_settle(r->handshake, &r->terms) == 0);
    usi_handshake_free(r->handshake);
    r->handshake = NULL;
}

/* Both take turns until the handshake is over. */
static void handshake_soundly(struct rogue *r)
{
    uint8_t body[ROGUE_ROOM], stretched[USI_STRETCHED];
    size_t size = 0;

    REQUIRE((r->connector ? usi_handshake_connect(&r->handshake, &r->draws.crypto, r->ring,
                                                  kind_mode(r->kind))
                          : usi_handshake_listen(&r->handshake, &r->draws.crypto, r->ring)) == 0);
    while (usi_handshake_step(r->handshake) != USI_STEP_OVER && !r->over) {
        switch (usi_handshake_step(r->handshake)) {
        case USI_STEP_WRITE:
            REQUIRE(usi_handshake_write(r->handshake, body, sizeof body, &size) == 0);
            rogue_say_message(r, body, size);
            break;
        case USI_STEP_READ:
            size = rogue_hear_message(r, body);
            REQUIRE(size > 0 && usi_handshake_read(r->handshake, body, size, 1000) == 0);
            break;
        default:
            fuzz_stretch(usi_handshake_salt(r->handshake), stretched);
            REQUIRE(usi_handshake_stretched(r->handshake, stretched) == 0);
            break;
        }
    }
    REQUIRE(!r->over);
    keys_of(r, true, true);
    if (!r->connector)
        return;
    REQUIRE(usi_handshake_proof(r->handshake, body, &size) == 0);
    rogue_say_record(r, USI_RECORD_TYPE_PROOF, body, size);
    settle(r);
}

/* ---- records ---- */

static void take_record(struct rogue *r, unsigned type, const uint8_t *content, size_t size)
{
    bool sound = true;

    /* What goes on from a sound handshake: by hand there are no terms for it. */
    if ((type == USI_RECORD_TYPE_REKEY_1 || type == USI_RECORD_TYPE_QUESTION) &&
        r->terms.cipher == NULL) {
        r->over = true;
        return;
    }
    switch (type) {
    case USI_RECORD_TYPE_SWITCH:
        sound = r->handshake != NULL && usi_handshake_step(r->handshake) == USI_STEP_OVER;
        if (sound)
            keys_of(r, false, true);
        if (sound && r->connector)
            settle(r);
        break;
    case USI_RECORD_TYPE_PROOF:
        if (!r->connector && r->handshake != NULL) {
            sound = usi_handshake_check_proof(r->handshake, content, size) == 0;
            if (sound)
                settle(r);
        }
        break;
    case USI_RECORD_TYPE_REKEY_1:
        usi_handshake_free(r->handshake);
        sound =
            usi_handshake_again(&r->handshake, &r->draws.crypto, r->ring, false, &r->terms) == 0 &&
            usi_handshake_read(r->handshake, content, size, 1000) == 0;
        break;
    case USI_RECORD_TYPE_REKEY_2:
        sound = r->handshake != NULL && usi_handshake_step(r->handshake) == USI_STEP_READ &&
                usi_handshake_read(r->handshake, content, size, 1000) == 0;
        break;
    case USI_RECORD_TYPE_QUESTION:
        usi_handshake_free(r->question);
        sound = usi_handshake_question(&r->question, &r->draws.crypto, r->ring, false, &r->terms) ==
                    0 &&
                usi_handshake_read(r->question, content, size, 1000) == 0;
        break;
    case USI_RECORD_TYPE_CHALLENGE:
    case USI_RECORD_TYPE_ATTEMPT:
        sound = r->question != NULL && size > 0 &&
                usi_handshake_step(r->question) == USI_STEP_READ &&
                usi_handshake_read(r->question, content, size, 1000) == 0;
        break;
    default:
        REQUIRE(type > 0 && type <= USI_RECORD_TYPE_SERVICE_LAST);
        break;
    }
    /* After a change of the rogue's own, the victim's next message may be none for it. */
    r->over = r->over || !sound;
}

/* All that the victim sends opens. */
static void read_records(struct rogue *r)
{
    static uint8_t plain[USI_RECORD_ROOM];
    size_t at = 0;

    rogue_hear(r);
    while (at < r->heard_size && r->opener.key.cipher != NULL && !r->over) {
        size_t taken = 0, content = 0;
        uint8_t type = 0;
        int result = usi_open(&r->opener, r->heard + at, r->heard_size - at, &taken, plain,
                              sizeof plain, &content, &type);
        REQUIRE(result == USI_OPEN_RECORD);
        at += taken;
        take_record(r, type, plain, content);
    }
    rogue_forget(r, at);
}

/* The next message of a rekey or a question, changed. */
static void say_step(struct rogue *r, struct fuzz_input *input, struct usi_handshake *hs,
                     const unsigned types[4])
{
    uint8_t stretched[USI_STRETCHED];
    unsigned turn;

    if (hs == NULL)
        return;
    if (usi_handshake_step(hs) == USI_STEP_STRETCH) {
        fuzz_stretch(usi_handshake_salt(hs), stretched);
        r->over = r->over || usi_handshake_stretched(hs, stretched) != 0;
    }
    turn = usi_handshake_passed(hs);
    if (r->over || usi_handshake_step(hs) != USI_STEP_WRITE)
        return;
    if (usi_handshake_write(hs, r->message, USI_MESSAGE_2_MAX, &r->message_size) != 0) {
        r->over = true;
        return;
    }
    fuzz_edit(input, r->message, &r->message_size, sizeof r->message);
    rogue_say_record(r, types[turn], r->message, r->message_size);
}

static void say_rekey(struct rogue *r, struct fuzz_input *input)
{
    static const unsigned types[4] = {USI_RECORD_TYPE_REKEY_1, USI_RECORD_TYPE_REKEY_2};

    if (r->connector && r->handshake == NULL && r->terms.cipher != NULL)
        REQUIRE(usi_handshake_again(&r->handshake, &r->draws.crypto, r->ring, true, &r->terms) ==
                0);
    say_step(r, input, r->handshake, types);
}

static void say_question(struct rogue *r, struct fuzz_input *input)
{
    static const unsigned types[4] = {USI_RECORD_TYPE_QUESTION, USI_RECORD_TYPE_CHALLENGE,
                                      USI_RECORD_TYPE_ATTEMPT, USI_RECORD_TYPE_VERDICT};

    if (r->connector && kind_mode(r->kind) == USI_MODE_IDENTITY && r->terms.cipher != NULL &&
        (r->question == NULL || usi_handshake_step(r->question) == USI_STEP_OVER)) {
        usi_handshake_free(r->question);
        REQUIRE(usi_handshake_question(&r->question, &r->draws.crypto, r->ring, true, &r->terms) ==
                0);
    }
    say_step(r, input, r->question, types);
}

/* `switch`, and as connector the proof, changed. */
static void say_switch(struct rogue *r, struct fuzz_input *input)
{
    uint8_t proof[ROGUE_ROOM];
    size_t size = 0;

    rogue_say_record(r, USI_RECORD_TYPE_SWITCH, NULL, 0);
    if (r->over || r->handshake == NULL || usi_handshake_step(r->handshake) != USI_STEP_OVER)
        return;
    keys_of(r, true, false);
    if (!r->connector)
        return;
    REQUIRE(usi_handshake_proof(r->handshake, proof, &size) == 0);
    fuzz_edit(input, proof, &size, sizeof proof);
    rogue_say_record(r, USI_RECORD_TYPE_PROOF, proof, size);
}

static void say_any(struct rogue *r, struct fuzz_input *input)
{
    static uint8_t content[USI_RECORD_DATA];
    unsigned type = fuzz_take(input);
    size_t size = fuzz_take(input);
    const uint8_t *from = fuzz_take_octets(input, size, &size);

    if (size > 0)
        memcpy(content, from, size);
    if (type & 0x80) { /* much of it */
        size = size * 256;
        memset(content, (int)type, size);
    }
    if ((type & 0x7f) > 0)
        rogue_say_record(r, type & 0x7f, content, size);
}

static void say_end(struct rogue *r, struct fuzz_input *input)
{
    uint8_t count[16];
    size_t size = 8;

    usi_put_number(count, r->victim.got, size);
    fuzz_edit(input, count, &size, sizeof count);
    rogue_say_record(r, USI_RECORD_TYPE_END, count, size);
}

/* What the victim's user does. */
static void act(struct rogue *r, unsigned what)
{
    struct usi_channel *c = r->victim.c;
    int result = 0;

    switch (what % 10) {
    case 0:
        result = usi_channel_accept(c);
        break;
    case 1:
        result = usi_channel_open_for(c, (enum usi_service)(what / 10 % 4));
        break;
    case 2:
        result = usi_channel_end(c);
        break;
    case 3:
        result = usi_channel_bye(c);
        break;
    case 4:
        result = usi_channel_rekey(c);
        break;
    case 5:
        result = usi_channel_question(c);
        break;
    case 6:
        result = usi_channel_abort(c, 3);
        break;
    case 7:
        result = usi_channel_check(c);
        break;
    case 8:
        usi_channel_rest(c);
        break;
    default:
        r->victim.now += what;
        result = usi_channel_tick(c, r->victim.now);
        break;
    }
    REQUIRE(result == 0 || result == USI_ERR_ARGUMENT);
}

static void step(struct rogue *r, struct fuzz_input *input)
{
    switch (fuzz_take(input) % 8) {
    case 0:
        say_any(r, input);
        break;
    case 1:
        say_rekey(r, input);
        break;
    case 2:
        say_switch(r, input);
        break;
    case 3:
        say_question(r, input);
        break;
    case 4:
        say_end(r, input);
        break;
    case 5:
        act(r, fuzz_take(input));
        break;
    default:
        read_records(r);
        break;
    }
}

/* ---- the whole ---- */

static void rogue_new(struct rogue *r, unsigned first)
{
    const char *name;
    size_t size;

    memset(r, 0, sizeof *r);
    r->connector = (first & LISTENS) == 0;
    r->kind = (enum kind)((first & 0x7f) % KINDS);
    side_new(&r->victim, !r->connector, r->kind, 1);
    draws_from(&r->draws, 99);
    r->ring = fuzz_ring(&r->draws, r->kind, r->connector);
    r->key = kind_mode(r->kind) == USI_MODE_KEY ? usi_keyring_first(r->ring, &name, &size) : NULL;
    r->cipher = r->key != NULL ? r->key->cipher : &r->draws.crypto.cipher[USI_CIPHERS - 1];
    r->prologue = usi_write_to(r->prologue_octets, sizeof r->prologue_octets);
    r->rand[0] = 1;
}

static void rogue_free(struct rogue *r)
{
    usi_noise_free(r->noise);
    usi_handshake_free(r->handshake);
    usi_handshake_free(r->question);
    usi_sealer_clear(&r->sealer);
    usi_opener_clear(&r->opener);
    usi_terms_clear(&r->terms);
    usi_keyring_free(r->ring);
    side_free(&r->victim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rogue rogue;
    struct rogue *r = &rogue;
    struct fuzz_input input = {data, size};
    unsigned first = fuzz_take(&input), sound = fuzz_take(&input) % 2;

    rogue_new(r, first);
    if (sound)
        handshake_soundly(r);
    else if (r->connector)
        rogue_connect_by_hand(r, &input);
    else
        rogue_listen_by_hand(r, &input);
    if (!sound && r->sealer.key.cipher != NULL && !r->over)
        read_records(r);
    for (unsigned steps = 0; input.size > 0 && !r->over && steps < STEPS_MAX; steps++)
        step(r, &input);
    rogue_free(r);
    return 0;
}

/* ---- seeds ---- */

static void seed(fuzz_keep *keep, const char *name, unsigned kind, const char *steps, size_t size)
{
    static const char *const names[KINDS] = {"key-128",  "key-192", "key-256",
                                             "identity", "rsa",     "password"};
    uint8_t input[512];
    char title[64];

    for (unsigned listens = 0; listens < 2; listens++) {
        input[0] = (uint8_t)(kind | (listens ? LISTENS : 0));
        memcpy(input + 1, steps, size);
        (void)snprintf(title, sizeof title, "%s-%s-%s", names[kind],
                       listens ? "listens" : "connects", name);
        keep(title, input, 1 + size);
    }
}

#define SEED(name, kind, steps) seed(keep, name, kind, steps, sizeof(steps) - 1)

static void seeds(fuzz_keep *keep)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        /* by hand, no change; then accept, open, data, end, bye */
        SEED("hand", kind, "\0\0\0\0\0\0\0\5\0\0\4\0\5\1\0\1\5hello\4\0\6\5\2\6\5\3\6\0\3\0\6");
        /* sound, with a rekey; the rogue's, or the victim's */
        SEED("rekey", kind, "\1\6\5\0\0\4\0\5\1\5\4\6\1\0\6\2\0\6\2\0\6\0\1\5hello\6");
    }
    SEED("question", KIND_IDENTITY, "\1\6\5\5\3\0\6\3\0\6\3\0\6\5\0\0\4\0\6");
    SEED("answer", KIND_IDENTITY, "\1\6\5\5\6\3\0\6\3\0\6\5\0\6");
    SEED("header", KIND_KEY_256, "\0\1\0\0\4\0\0\0\0");
    SEED("payload", KIND_IDENTITY, "\0\0\1\0\0\x14\0\0\0\0");
    SEED("proof", KIND_IDENTITY, "\0\0\0\0\1\0\0\x14\0\0");
    SEED("services", KIND_KEY_256, "\1\6\0\4\1\1\5\x0b\0\x20\5hello\0\x40\2hi\0\x5f\0\6\4\0\6");
    SEED("check", KIND_KEY_256, "\1\6\0\3\0\5\7\6\6");
    SEED("ping", KIND_KEY_256, "\1\6\0\x09\4ping\6\0\x0a\4pong\0\x07\1\3\6");
    SEED("much", KIND_KEY_256, "\1\6\0\4\0\5\1\0\x81\xff\0\x81\xff\6\1\0\6\2\0\6");
}

const struct fuzz_target fuzz_target = {.seeds = seeds};
