/* Identity and password mode, and the password question: who gets in, what waits for a user's word,
 * and what a rekey keeps. */
#include "channel/bytes.h"
#include "channel/password.h"
#include "identities.h"
#include "support.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static const struct usi_settings identity_settings = {.mode = USI_MODE_IDENTITY,
                                                      .rekey_bytes = USI_REKEY_BYTES_MIN};
static const struct usi_settings password_settings = {.mode = USI_MODE_PASSWORD,
                                                      .rekey_bytes = USI_REKEY_BYTES_MIN};
static const struct usi_tries endless = {.burst = 1000, .refill_ms = 1000};

/* Stretched passwords, by salt, are made up: bcrypt has a suite of its own. */
static void stretch(uint8_t out[USI_STRETCHED], uint8_t password, const uint8_t salt[USI_SALT])
{
    memset(out, password, USI_STRETCHED);
    memcpy(out, salt, USI_SALT);
}

/* ---- two sides ---- */

struct sides {
    struct pair pair;
    struct usi_identity *mine[2]; /* connector's, listener's */
    uint8_t password;             /* that the connector types */
};

static void set_password(struct usi_keyring *ring, uint8_t password, const struct usi_tries *tries)
{
    uint8_t salt[USI_SALT], stretched[USI_STRETCHED];

    memset(salt, 0x5a, sizeof salt);
    stretch(stretched, password, salt);
    ck_assert_int_eq(usi_keyring_set_password(ring, salt, stretched, tries), 0);
}

/* Ed25519 is fresh; an RSA key is kept, for making one takes its time. */
static void identity_new(struct usi_identity **out, enum usi_identity_kind kind)
{
    EVP_PKEY *key;

    if (kind == USI_IDENTITY_ED25519) {
        ck_assert_int_eq(usi_identity_new(out, support_crypto(), kind), 0);
        return;
    }
    key = key_of_vector(RSA_LISTENER);
    ck_assert_int_eq(usi_identity_from_key(out, support_crypto(), key), 0);
    EVP_PKEY_free(key);
}

static void identities_new(struct sides *s, enum usi_identity_kind connector,
                           enum usi_identity_kind listener, bool accept_rsa)
{
    struct usi_keyring *ring[2];

    *s = (struct sides){.password = 7};
    identity_new(&s->mine[0], connector);
    identity_new(&s->mine[1], listener);
    for (unsigned i = 0; i < 2; i++) {
        ring[i] = usi_keyring_new(support_crypto());
        usi_keyring_set_identity(ring[i], s->mine[i], accept_rsa);
    }
    party_connect(&s->pair.connector, ring[0], &identity_settings);
    party_listen(&s->pair.listener, ring[1], &identity_settings);
}

static void passwords_new(struct sides *s, uint8_t connector, uint8_t listener,
                          const struct usi_tries *tries)
{
    struct usi_keyring *ring = usi_keyring_new(support_crypto());

    *s = (struct sides){.password = connector};
    set_password(ring, listener, tries);
    party_connect(&s->pair.connector, usi_keyring_new(support_crypto()), &password_settings);
    party_listen(&s->pair.listener, ring, &password_settings);
}

static void sides_free(struct sides *s)
{
    pair_free(&s->pair);
    usi_identity_free(s->mine[0]);
    usi_identity_free(s->mine[1]);
}

/* Runs, and stretches where that is asked for. */
static void run(struct sides *s)
{
    struct party *c = &s->pair.connector;
    unsigned salts;

    do {
        salts = c->seen[USI_EVENT_SALT];
        pair_run(&s->pair);
        if (c->seen[USI_EVENT_SALT] > salts) {
            uint8_t stretched[USI_STRETCHED];
            stretch(stretched, s->password, usi_channel_salt(c->c));
            c->result = usi_channel_stretched(c->c, stretched);
        }
    } while (c->seen[USI_EVENT_SALT] > salts && c->result == 0);
}

static void accept_both(struct sides *s)
{
    ck_assert_int_eq(usi_channel_accept(s->pair.connector.c), 0);
    ck_assert_int_eq(usi_channel_accept(s->pair.listener.c), 0);
}

static void send_both(struct sides *s, size_t size)
{
    uint8_t *octets = calloc(1, size);
    size_t before = s->pair.listener.got.size;

    ck_assert_ptr_nonnull(octets);
    octets_add(&s->pair.connector.todo, octets, size);
    octets_add(&s->pair.listener.todo, octets, size / 2);
    run(s);
    ck_assert_uint_eq(s->pair.listener.got.size, before + size);
    ck_assert_uint_eq(s->pair.connector.got.size, (before + size) / 2);
    free(octets);
}

/* ---- identity mode ---- */

START_TEST(identities_get_in_and_wait_for_their_users)
{
    struct sides s;
    struct usi_counts counts;
    enum usi_identity_kind kinds[] = {USI_IDENTITY_ED25519, USI_IDENTITY_RSA};
    uint8_t key[2][USI_FINGERPRINT];

    identities_new(&s, kinds[_i & 1], kinds[_i >> 1 & 1], true);
    s.pair.split = (enum split)(_i % 3);
    run(&s);
    ck_assert_uint_eq(s.pair.connector.seen[USI_EVENT_AUTHENTICATED], 1);
    ck_assert_uint_eq(s.pair.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    ck_assert_uint_eq(s.pair.listener.seen[USI_EVENT_KNOCK], 0);
    const struct usi_peer *listener = usi_channel_peer(s.pair.connector.c);
    const struct usi_peer *connector = usi_channel_peer(s.pair.listener.c);
    usi_identity_fingerprint(s.mine[0], key[0]);
    usi_identity_fingerprint(s.mine[1], key[1]);
    ck_assert_mem_eq(connector->key, key[0], USI_FINGERPRINT);
    ck_assert_mem_eq(listener->key, key[1], USI_FINGERPRINT);
    ck_assert_mem_eq(connector->fingerprint, listener->fingerprint, USI_FINGERPRINT);
    ck_assert_int_eq(connector->kind, kinds[_i & 1]);
    ck_assert_uint_eq(connector->bits, (_i & 1) == 0 ? 256 : 2048);
    ck_assert(connector->kept == (connector->kind == USI_IDENTITY_RSA));
    ck_assert(listener->kept == (listener->kind == USI_IDENTITY_RSA));
    usi_channel_counts(s.pair.listener.c, &counts);
    ck_assert_int_eq(counts.mode, USI_MODE_IDENTITY);
    ck_assert_uint_eq(counts.key_bits, 256);

    ck_assert(usi_channel_held(s.pair.connector.c) && usi_channel_held(s.pair.listener.c));
    ck_assert_int_eq(usi_channel_open(s.pair.connector.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_check(s.pair.connector.c), USI_ERR_ARGUMENT);
    accept_both(&s);
    ck_assert_int_eq(usi_channel_accept(s.pair.connector.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_open(s.pair.connector.c), 0);
    send_both(&s, 500000); /* with rekeys on the way */
    usi_channel_counts(s.pair.connector.c, &counts);
    ck_assert_uint_gt(counts.rekeys, 2);
    ck_assert_mem_eq(usi_channel_peer(s.pair.connector.c)->key, key[1], USI_FINGERPRINT);
    sides_free(&s);
}
END_TEST

START_TEST(a_listener_that_was_not_asked_to_refuses_rsa)
{
    struct sides s;

    identities_new(&s, USI_IDENTITY_RSA, USI_IDENTITY_ED25519, false);
    run(&s);
    ck_assert_int_eq(s.pair.listener.result, USI_ERR_KEY_KIND);
    sides_free(&s);
    identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_RSA, false);
    run(&s);
    ck_assert_int_eq(s.pair.connector.result, 0); /* a connector takes any */
    ck_assert_uint_eq(s.pair.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    sides_free(&s);
}
END_TEST

/* What a held side makes waits: a check's answer, a rekey's second message. */
START_TEST(a_held_listener_sends_no_answer)
{
    struct sides s;

    identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
    run(&s);
    ck_assert_int_eq(usi_channel_accept(s.pair.connector.c), 0);
    ck_assert_int_eq(usi_channel_rekey(s.pair.connector.c), 0);
    ck_assert_int_eq(usi_channel_check(s.pair.connector.c), 0);
    run(&s);
    ck_assert_uint_eq(s.pair.listener.seen[USI_EVENT_CHECK], 1);
    ck_assert(!usi_channel_waiting(s.pair.listener.c));
    ck_assert_uint_eq(s.pair.connector.seen[USI_EVENT_BYE], 0);
    ck_assert_uint_eq(s.pair.connector.seen[USI_EVENT_REKEYED], 0);
    ck_assert_int_eq(usi_channel_rekey(s.pair.listener.c), 0); /* and begins none */
    ck_assert(!usi_channel_waiting(s.pair.listener.c));
    ck_assert_int_eq(usi_channel_accept(s.pair.listener.c), 0);
    run(&s);
    ck_assert_uint_eq(s.pair.connector.seen[USI_EVENT_BYE], 1);
    ck_assert_uint_eq(s.pair.connector.seen[USI_EVENT_REKEYED], 1);
    sides_free(&s);
}
END_TEST

START_TEST(a_held_listener_wants_one_record_at_a_time)
{
    struct sides s;

    identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
    run(&s);
    ck_assert_uint_eq(usi_channel_want(s.pair.listener.c), 4 + 1 + 16); /* the least there is */
    ck_assert_int_eq(usi_channel_accept(s.pair.listener.c), 0);
    ck_assert_uint_eq(usi_channel_want(s.pair.listener.c), SIZE_MAX);
    sides_free(&s);
}
END_TEST

START_TEST(a_user_can_say_no)
{
    struct sides s;

    identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
    run(&s);
    ck_assert_int_eq(usi_channel_abort(s.pair.listener.c, USI_REASON_NOT_ACCEPTED), 0);
    run(&s);
    ck_assert_int_eq(party_last(&s.pair.connector).type, USI_EVENT_ABORT);
    ck_assert_uint_eq(party_last(&s.pair.connector).reason, USI_REASON_NOT_ACCEPTED);
    ck_assert_int_eq(usi_channel_accept(s.pair.listener.c), USI_ERR_ARGUMENT);
    sides_free(&s);
}
END_TEST

/* Octets of message 2 and of the proof, all over; those of an identity itself have a suite. */
START_TEST(any_change_of_an_identity_is_refused)
{
    size_t size[2] = {0, 0};

    for (unsigned of = 0; of < 2; of++) {
        for (size_t at = 2; at == 2 || at < size[of]; at += 5) {
            struct sides s;
            identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
            struct party *c = &s.pair.connector, *l = &s.pair.listener;
            ck_assert(party_send(c, USI_SEND_ROOM));
            ck_assert_int_eq(party_receive(l, c->out.base, c->out.size), 0);
            octets_drop(&c->out, c->out.size);
            ck_assert(party_send(l, USI_SEND_ROOM));
            size[0] = l->out.size;
            if (of == 0)
                l->out.base[at] ^= (uint8_t)(1 << at % 8);
            int result = party_receive(c, l->out.base, l->out.size);
            if (of == 0) {
                ck_assert_int_ne(result, 0);
                ck_assert_uint_eq(c->seen[USI_EVENT_AUTHENTICATED], 0);
            } else {
                ck_assert(party_send(c, USI_SEND_ROOM));
                size[1] = c->out.size;
                c->out.base[at] ^= (uint8_t)(1 << at % 8);
                ck_assert(party_receive(l, c->out.base, c->out.size) != 0 || at < 4);
                ck_assert_uint_eq(l->seen[USI_EVENT_AUTHENTICATED], 0);
            }
            sides_free(&s);
        }
    }
}
END_TEST

/* A peer that puts another key of its own into a rekey. */
START_TEST(a_rekey_shows_the_same_identity)
{
    struct sides s;
    struct usi_identity *other;
    struct party *liar;

    ck_assert_int_eq(usi_identity_new(&other, support_crypto(), USI_IDENTITY_ED25519), 0);
    identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
    run(&s);
    accept_both(&s);
    liar = _i == 0 ? &s.pair.connector : &s.pair.listener;
    usi_keyring_set_identity(liar->ring, other, false);
    ck_assert_int_eq(usi_channel_rekey(s.pair.connector.c), 0);
    run(&s);
    ck_assert_int_eq(_i == 0 ? s.pair.listener.result : s.pair.connector.result, USI_ERR_CHANGED);
    sides_free(&s);
    usi_identity_free(other);
}
END_TEST

static int meet_named(const char *connector, const char *listener, enum usi_mode mode)
{
    struct sides s;
    struct usi_settings settings = {.mode = mode};

    if (mode == USI_MODE_IDENTITY)
        identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
    else
        passwords_new(&s, 7, 7, &endless);
    ck_assert_int_eq(usi_keyring_set_name(s.pair.connector.ring, connector, strlen(connector)), 0);
    ck_assert_int_eq(usi_keyring_set_name(s.pair.listener.ring, listener, strlen(listener)), 0);
    usi_channel_free(s.pair.connector.c); /* made before it had a name */
    ck_assert_int_eq(usi_channel_connect(&s.pair.connector.c, support_crypto(),
                                         s.pair.connector.ring, &settings, 0),
                     0);
    run(&s);
    int result = s.pair.listener.result;
    ck_assert_uint_eq(s.pair.listener.seen[USI_EVENT_AUTHENTICATED], result == 0 ? 1 : 0);
    sides_free(&s);
    return result;
}

START_TEST(names_and_modes_must_agree)
{
    struct sides s;
    struct pair p;

    for (int mode = USI_MODE_IDENTITY; mode <= USI_MODE_PASSWORD; mode++) {
        ck_assert_int_eq(meet_named("anna", "anna", (enum usi_mode)mode), 0);
        ck_assert_int_eq(meet_named("anna", "bert", (enum usi_mode)mode), USI_ERR_MODE);
        ck_assert_int_eq(meet_named("anna", "", (enum usi_mode)mode), USI_ERR_MODE);
    }
    identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
    p = (struct pair){0};
    party_connect(&p.connector, usi_keyring_new(support_crypto()), &password_settings);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    int result = party_receive(&s.pair.listener, p.connector.out.base, p.connector.out.size);
    ck_assert(result == USI_ERR_MODE || result == USI_ERR_FORMAT);
    party_free(&p.connector);
    sides_free(&s);
}
END_TEST

/* ---- password mode ---- */

START_TEST(the_right_password_gets_in_and_rekeys)
{
    struct sides s;
    struct usi_counts counts;

    passwords_new(&s, 7, 7, &endless);
    s.pair.split = (enum split)_i;
    run(&s);
    ck_assert_uint_eq(s.pair.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    ck_assert_uint_eq(s.pair.connector.seen[USI_EVENT_AUTHENTICATED], 1);
    ck_assert_ptr_null(usi_channel_peer(s.pair.listener.c));
    ck_assert(!usi_channel_held(s.pair.listener.c));
    ck_assert_int_eq(usi_channel_open(s.pair.connector.c), 0);
    send_both(&s, 500000);
    usi_channel_counts(s.pair.connector.c, &counts);
    ck_assert_uint_gt(counts.rekeys, 2);
    ck_assert_int_eq(counts.mode, USI_MODE_PASSWORD);
    sides_free(&s);
}
END_TEST

START_TEST(a_wrong_password_gets_nowhere_and_is_counted)
{
    struct usi_tries_state state;
    struct sides s;

    passwords_new(&s, 8, 7, &endless);
    run(&s);
    ck_assert_int_eq(s.pair.listener.result, USI_ERR_PASSWORD);
    ck_assert_uint_eq(s.pair.connector.seen[USI_EVENT_AUTHENTICATED], 0);
    ck_assert(!party_send(&s.pair.listener, USI_SEND_ROOM));
    ck_assert(usi_channel_guessed(s.pair.connector.c));
    usi_keyring_tries(s.pair.listener.ring, 0, &state);
    ck_assert_uint_eq(state.failed, 1);
    sides_free(&s);
}
END_TEST

/* A second connector at the listener of s, whose ring goes on. */
static int try_again(struct sides *s, uint8_t password)
{
    struct usi_keyring *ring = s->pair.listener.ring;

    s->pair.listener.ring = NULL;
    pair_free(&s->pair);
    s->pair = (struct pair){0};
    s->password = password;
    party_connect(&s->pair.connector, usi_keyring_new(support_crypto()), &password_settings);
    party_listen(&s->pair.listener, ring, &password_settings);
    run(s);
    return s->pair.listener.result;
}

START_TEST(a_code_takes_three_tries_and_one_success)
{
    const struct usi_tries code = {.burst = 3, .once = true};
    struct sides s;

    passwords_new(&s, 1, 7, &code);
    run(&s);
    ck_assert_int_eq(s.pair.listener.result, USI_ERR_PASSWORD);
    ck_assert_int_eq(try_again(&s, 2), USI_ERR_PASSWORD);
    ck_assert_int_eq(try_again(&s, 7), 0);
    ck_assert_int_eq(try_again(&s, 7), USI_ERR_TRIES); /* used */
    sides_free(&s);

    passwords_new(&s, 1, 7, &code);
    run(&s);
    ck_assert_int_eq(try_again(&s, 2), USI_ERR_PASSWORD);
    ck_assert_int_eq(try_again(&s, 3), USI_ERR_PASSWORD);
    ck_assert_int_eq(try_again(&s, 7), USI_ERR_TRIES);
    ck_assert(!usi_channel_guessed(s.pair.connector.c)); /* refused before it proved anything */
    sides_free(&s);
}
END_TEST

START_TEST(any_change_of_the_password_exchange_is_refused)
{
    /* of each of the messages (2), (3), (4), some octets */
    for (unsigned message = 1; message < 4; message++) {
        for (size_t at = 2; at < 2 + 49; at += 3) {
            struct sides s;
            passwords_new(&s, 7, 7, &endless);
            struct party *from = &s.pair.connector, *to = &s.pair.listener;
            int result = 0;
            for (unsigned n = 0; n < 4 && result == 0; n++) {
                if (!party_send(from, USI_SEND_ROOM))
                    break;
                if (n == message && at < from->out.size)
                    from->out.base[at] ^= 1;
                result = party_receive(to, from->out.base, from->out.size);
                octets_drop(&from->out, from->out.size);
                if (party_last(to).type == USI_EVENT_SALT && n == 1) {
                    uint8_t stretched[USI_STRETCHED];
                    stretch(stretched, 7, usi_channel_salt(to->c));
                    result = usi_channel_stretched(to->c, stretched);
                }
                struct party *turn = from;
                from = to;
                to = turn;
            }
            ck_assert_int_ne(result, 0);
            ck_assert_uint_eq(s.pair.connector.seen[USI_EVENT_AUTHENTICATED], 0);
            sides_free(&s);
        }
    }
}
END_TEST

/* ---- the password question ---- */

/* The answer that both sides see. */
static void ask(uint8_t typed, uint8_t known, uint8_t connector_sees, int listener_sees)
{
    struct sides s;

    identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
    s.password = typed;
    if (known != 0)
        set_password(s.pair.listener.ring, known, &endless);
    run(&s);
    s.pair.split = (enum split)(typed % 3);
    ck_assert_int_eq(usi_channel_question(s.pair.connector.c), 0);
    ck_assert_int_eq(usi_channel_question(s.pair.connector.c), USI_ERR_ARGUMENT);
    run(&s);
    ck_assert_uint_eq(s.pair.connector.seen[USI_EVENT_ANSWER], 1);
    ck_assert_uint_eq(party_last(&s.pair.connector).reason, connector_sees);
    ck_assert_int_eq(party_last(&s.pair.listener).type, USI_EVENT_ASKED);
    ck_assert_int_eq(party_last(&s.pair.listener).reason, listener_sees);
    ck_assert_int_eq(s.pair.listener.result, 0);
    ck_assert(usi_channel_held(s.pair.listener.c) && usi_channel_held(s.pair.connector.c));
    accept_both(&s); /* it is still a channel */
    ck_assert_int_eq(usi_channel_open(s.pair.connector.c), 0);
    send_both(&s, 200000);
    sides_free(&s);
}

START_TEST(a_question_is_answered)
{
    ask(7, 7, 0, 0);
    ask(8, 7, 1, 1);
    ask(9, 0, 2, 2);
}
END_TEST

START_TEST(questions_are_counted_and_bound_to_the_channel)
{
    const struct usi_tries code = {.burst = 2, .once = true};
    struct usi_tries_state state;
    struct sides s;

    identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
    set_password(s.pair.listener.ring, 7, &code);
    run(&s);
    for (uint8_t n = 0; n < 4; n++) {
        const uint8_t typed[] = {7, 1, 2, 7}, answer[] = {0, 1, 1, 2};
        s.password = typed[n];
        ck_assert_int_eq(usi_channel_question(s.pair.connector.c), 0);
        run(&s);
        ck_assert_uint_eq(party_last(&s.pair.connector).reason, answer[n]);
        usi_keyring_tries(s.pair.listener.ring, 0, &state);
        ck_assert_uint_eq(state.failed, n == 0 ? 0 : n < 3 ? n : 2);
        ck_assert(!state.used); /* by a question it never is */
    }
    sides_free(&s);
}
END_TEST

START_TEST(a_channel_has_eight_questions)
{
    struct sides s;

    identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
    run(&s);
    for (unsigned n = 0; n < USI_QUESTIONS_MAX; n++) {
        ck_assert_int_eq(usi_channel_question(s.pair.connector.c), 0);
        run(&s);
        ck_assert_uint_eq(s.pair.connector.seen[USI_EVENT_ANSWER], n + 1);
    }
    ck_assert_int_eq(usi_channel_question(s.pair.connector.c), USI_ERR_ARGUMENT);
    s.pair.connector.c->questions = 0; /* a connector that counts otherwise */
    ck_assert_int_eq(usi_channel_question(s.pair.connector.c), 0);
    run(&s);
    ck_assert_int_eq(s.pair.listener.result, USI_ERR_PROTOCOL);
    sides_free(&s);
}
END_TEST

/* A listener that takes the attempt and goes away has had its guess. */
START_TEST(an_attempt_without_a_verdict_is_a_guess)
{
    struct sides s;
    uint8_t stretched[USI_STRETCHED];
    struct party *c = &s.pair.connector;

    identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
    set_password(s.pair.listener.ring, 7, &endless);
    run(&s);
    ck_assert_int_eq(usi_channel_question(c->c), 0);
    ck_assert(!usi_channel_guessed(c->c));
    pair_run(&s.pair);
    ck_assert(usi_channel_questioned(s.pair.listener.c));
    stretch(stretched, 7, usi_channel_salt(c->c));
    ck_assert_int_eq(usi_channel_stretched(c->c, stretched), 0);
    ck_assert(!usi_channel_guessed(c->c)); /* it is still here */
    ck_assert(party_send(c, USI_SEND_ROOM));
    ck_assert(usi_channel_guessed(c->c));
    ck_assert_int_eq(party_receive(&s.pair.listener, c->out.base, c->out.size), 0);
    octets_drop(&c->out, c->out.size);
    run(&s);
    ck_assert(!usi_channel_guessed(c->c)); /* it was answered rightly */
    ck_assert(!usi_channel_questioned(s.pair.listener.c));
    sides_free(&s);
}
END_TEST

START_TEST(a_held_listener_takes_no_data)
{
    struct sides s;
    struct party *c = &s.pair.connector, *l = &s.pair.listener;
    size_t open;

    identities_new(&s, USI_IDENTITY_ED25519, USI_IDENTITY_ED25519, false);
    run(&s);
    ck_assert_int_eq(usi_channel_accept(c->c), 0);
    ck_assert_int_eq(usi_channel_open(c->c), 0);
    ck_assert(party_send(c, USI_SEND_ROOM));
    open = c->out.size;
    octets_add(&c->todo, "early", 5);
    ck_assert(party_send(c, USI_SEND_ROOM));
    ck_assert_int_eq(party_receive(l, c->out.base, open), 0);
    ck_assert_int_eq(party_last(l).type, USI_EVENT_OPEN);
    ck_assert_int_eq(party_receive(l, c->out.base + open, c->out.size - open), USI_ERR_ARGUMENT);
    ck_assert_uint_eq(l->got.size, 0);
    l->result = 0;
    ck_assert_int_eq(usi_channel_accept(l->c), 0);
    ck_assert_int_eq(party_receive(l, c->out.base + open, c->out.size - open), 0);
    octets_equal(&l->got, "early", 5);
    sides_free(&s);
}
END_TEST

START_TEST(no_questions_in_other_modes)
{
    struct pair p;

    pair_up(&p, 32, NULL);
    ck_assert_int_eq(usi_channel_question(p.connector.c), USI_ERR_ARGUMENT);
    pair_free(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("modes");
    TCase *tcase = support_case(suite, "identity");

    tcase_add_loop_test(tcase, identities_get_in_and_wait_for_their_users, 0, 4);
    tcase_add_test(tcase, a_listener_that_was_not_asked_to_refuses_rsa);
    tcase_add_test(tcase, a_held_listener_sends_no_answer);
    tcase_add_test(tcase, a_held_listener_wants_one_record_at_a_time);
    tcase_add_test(tcase, a_held_listener_takes_no_data);
    tcase_add_test(tcase, a_user_can_say_no);
    tcase_add_test(tcase, any_change_of_an_identity_is_refused);
    tcase_add_loop_test(tcase, a_rekey_shows_the_same_identity, 0, 2);
    tcase_add_test(tcase, names_and_modes_must_agree);
    tcase = support_case(suite, "password");
    tcase_add_loop_test(tcase, the_right_password_gets_in_and_rekeys, 0, 3);
    tcase_add_test(tcase, a_wrong_password_gets_nowhere_and_is_counted);
    tcase_add_test(tcase, a_code_takes_three_tries_and_one_success);
    tcase_add_test(tcase, any_change_of_the_password_exchange_is_refused);
    tcase = support_case(suite, "question");
    tcase_add_test(tcase, a_question_is_answered);
    tcase_add_test(tcase, questions_are_counted_and_bound_to_the_channel);
    tcase_add_test(tcase, a_channel_has_eight_questions);
    tcase_add_test(tcase, an_attempt_without_a_verdict_is_a_guess);
    tcase_add_test(tcase, no_questions_in_other_modes);
    return support_run(suite);
}
