/* What a witness of channels is shown: both sides' see the same exchange, and the keys of each
 * epoch; without one nothing is told. */
#include "identities.h"
#include "support.h"

#include <stdlib.h>

enum { STEPS = 4096, KEPT = 2048 };

/* A step as it was shown. */
struct step {
    struct usi_seen seen;
    uint8_t octets[KEPT];
    uint8_t channel[USI_SEEN_CHANNEL];
    bool named;
};

/* All that one side's witness saw. */
struct log {
    struct usi_witness witness;
    struct usi_settings settings;
    void *subject;
    unsigned count;
    struct step step[STEPS];
};

static void see(void *owner, void *subject, const struct usi_seen *seen)
{
    struct log *log = owner;
    struct step *s = &log->step[log->count++];

    ck_assert_uint_le(log->count, STEPS);
    ck_assert_ptr_eq(subject, log->subject);
    s->seen = *seen;
    s->named = seen->channel != NULL;
    if (s->named)
        memcpy(s->channel, seen->channel, sizeof s->channel);
    if (seen->octets != NULL) {
        ck_assert_uint_le(seen->size, KEPT);
        memcpy(s->octets, seen->octets, seen->size);
    }
}

static struct log *log_new(const struct usi_settings *settings, void *subject)
{
    struct log *log = calloc(1, sizeof *log);

    ck_assert_ptr_nonnull(log);
    log->witness = (struct usi_witness){.see = see, .owner = log};
    log->subject = subject;
    log->settings = *settings;
    log->settings.witness = &log->witness;
    log->settings.subject = subject;
    return log;
}

/* The number-th step of that type, made here or by the peer; NULL: there is none. */
static const struct step *find(const struct log *log, enum usi_seen_type type, bool ours,
                               unsigned number)
{
    for (unsigned i = 0; i < log->count; i++) {
        const struct step *s = &log->step[i];
        if (s->seen.type == type && s->seen.ours == ours && number-- == 0)
            return s;
    }
    return NULL;
}

/* The same where there must be one. */
static const struct step *the(const struct log *log, enum usi_seen_type type, bool ours,
                              unsigned number)
{
    const struct step *s = find(log, type, ours, number);

    ck_assert_msg(s != NULL, "step %u of type %d was not shown", number, type);
    return s;
}

static unsigned count(const struct log *log, enum usi_seen_type type)
{
    unsigned found = 0;

    for (unsigned i = 0; i < log->count; i++)
        found += log->step[i].seen.type == type;
    return found;
}

/* ---- two sides, each with a witness ---- */

struct seen_pair {
    struct pair pair;
    struct log *log[2]; /* connector's, listener's */
    struct usi_identity *mine[2];
    uint8_t password;
};

static void stretch(uint8_t out[USI_STRETCHED], uint8_t password, const uint8_t salt[USI_SALT])
{
    memset(out, password, USI_STRETCHED);
    memcpy(out, salt, USI_SALT);
}

static void give_password(struct usi_keyring *ring, uint8_t password)
{
    const struct usi_tries tries = {.burst = 3, .refill_ms = 1000};
    uint8_t salt[USI_SALT] = {1}, stretched[USI_STRETCHED];

    stretch(stretched, password, salt);
    ck_assert_int_eq(usi_keyring_set_password(ring, salt, stretched, &tries), 0);
}

static void start(struct seen_pair *s, enum usi_mode mode)
{
    const struct usi_settings settings = {.mode = mode, .rekey_bytes = USI_REKEY_BYTES_MIN};
    struct usi_keyring *ring[2];

    *s = (struct seen_pair){.password = 7};
    for (unsigned i = 0; i < 2; i++) {
        s->log[i] = log_new(&settings, &s->mine[i]);
        ring[i] = mode == USI_MODE_KEY ? ring_of("name", 1, 32) : usi_keyring_new(support_crypto());
        if (mode == USI_MODE_IDENTITY) {
            ck_assert_int_eq(usi_identity_new(&s->mine[i], support_crypto(), USI_IDENTITY_ED25519),
                             0);
            usi_keyring_set_identity(ring[i], s->mine[i], false);
        }
    }
    if (mode != USI_MODE_KEY)
        give_password(ring[1], 7);
    party_connect(&s->pair.connector, ring[0], &s->log[0]->settings);
    party_listen(&s->pair.listener, ring[1], &s->log[1]->settings);
}

/* Runs, and stretches where that is asked for. */
static void run(struct seen_pair *s)
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

/* To a stream that is open. */
static void up(struct seen_pair *s, enum usi_mode mode)
{
    start(s, mode);
    run(s);
    if (mode == USI_MODE_IDENTITY) {
        ck_assert_int_eq(usi_channel_accept(s->pair.connector.c), 0);
        ck_assert_int_eq(usi_channel_accept(s->pair.listener.c), 0);
    }
    ck_assert_int_eq(usi_channel_open(s->pair.connector.c), 0);
    run(s);
    ck_assert_uint_eq(s->pair.listener.seen[USI_EVENT_OPEN], 1);
}

static void down(struct seen_pair *s)
{
    pair_free(&s->pair);
    for (unsigned i = 0; i < 2; i++) {
        usi_identity_free(s->mine[i]);
        free(s->log[i]);
    }
}

static void rekey(struct seen_pair *s)
{
    ck_assert_int_eq(usi_channel_rekey(s->pair.connector.c), 0);
    run(s);
}

/* ---- what both see ---- */

/* All steps of a type that the connector made, or the listener. */
static void same_steps(const struct seen_pair *s, enum usi_seen_type type, bool by_connector)
{
    const struct step *one, *other;

    for (unsigned n = 0; (one = find(s->log[0], type, by_connector, n)) != NULL; n++) {
        other = the(s->log[1], type, !by_connector, n);
        ck_assert_uint_eq(one->seen.number, other->seen.number);
        ck_assert_uint_eq(one->seen.size, other->seen.size);
        ck_assert_uint_eq(one->seen.record, other->seen.record);
        ck_assert_int_eq(one->seen.mode, other->seen.mode);
        ck_assert_int_eq(one->seen.occasion, other->seen.occasion);
        ck_assert_int_eq(one->seen.secret, other->seen.secret);
        ck_assert_mem_eq(one->octets, other->octets, KEPT);
    }
}

/* Every part of the handshakes was shown to both, as ours to the one and as the peer's to the
 * other, with the same octets; and to nobody more often than to the other. */
static void same_exchange(const struct seen_pair *s)
{
    static const enum usi_seen_type parts[] = {
        USI_SEEN_HANDSHAKE, USI_SEEN_CIPHER,      USI_SEEN_NAME,           USI_SEEN_RAND_MS,
        USI_SEEN_KEM_KEY,   USI_SEEN_E,           USI_SEEN_KNOCK,          USI_SEEN_SALT,
        USI_SEEN_SHARE,     USI_SEEN_RAND_NW,     USI_SEEN_KEM_CIPHERTEXT, USI_SEEN_KC,
        USI_SEEN_IDENTITY,  USI_SEEN_FINGERPRINT, USI_SEEN_MESSAGE,        USI_SEEN_H,
        USI_SEEN_SRES,      USI_SEEN_KEY,         USI_SEEN_AGREED,         USI_SEEN_RECORD};

    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ck_assert_uint_eq(count(s->log[0], parts[i]), count(s->log[1], parts[i]));
        for (unsigned n = 0; n < 2; n++)
            same_steps(s, parts[i], n != 0);
    }
}

/* The n-th key of a direction: of epoch n, and new in both. */
static void key_is_new(const struct log *log, bool ours, unsigned n)
{
    const struct step *key = the(log, USI_SEEN_KEY, ours, n);

    ck_assert_uint_eq(key->seen.number, n);
    ck_assert_uint_eq(key->seen.size, 32);
    ck_assert_mem_ne(key->octets, the(log, USI_SEEN_KEY, !ours, n)->octets, 32);
    for (unsigned m = 0; m < n; m++)
        ck_assert_mem_ne(key->octets, the(log, USI_SEEN_KEY, ours, m)->octets, 32);
}

/* Epochs of each direction count from 0, and no key comes twice. */
static void keys_count_up(const struct log *log, unsigned epochs)
{
    for (unsigned n = 0; n < epochs; n++) {
        key_is_new(log, true, n);
        key_is_new(log, false, n);
    }
    ck_assert_uint_eq(count(log, USI_SEEN_KEY), (uintmax_t)2 * epochs);
}

/* From RANDms on, every step names the channel by the first one. */
static void channel_is_named(const struct log *log)
{
    const struct step *first = find(log, USI_SEEN_RAND_MS, true, 0);
    bool named = false;

    if (first == NULL)
        first = the(log, USI_SEEN_RAND_MS, false, 0);
    for (unsigned i = 0; i < log->count; i++) {
        named = named || &log->step[i] == first;
        ck_assert_int_eq(log->step[i].named, named);
        if (named)
            ck_assert_mem_eq(log->step[i].channel, first->octets, USI_SEEN_CHANNEL);
    }
}

static void only_these_are_secret(const struct log *log)
{
    for (unsigned i = 0; i < log->count; i++) {
        enum usi_seen_type type = log->step[i].seen.type;
        ck_assert_int_eq(log->step[i].seen.secret, type == USI_SEEN_KC || type == USI_SEEN_KEY);
    }
}

static const enum usi_mode modes[] = {USI_MODE_KEY, USI_MODE_IDENTITY, USI_MODE_PASSWORD};

START_TEST(both_see_the_same)
{
    struct seen_pair s;

    up(&s, modes[_i]);
    same_exchange(&s);
    for (unsigned i = 0; i < 2; i++) {
        keys_count_up(s.log[i], 1);
        channel_is_named(s.log[i]);
        only_these_are_secret(s.log[i]);
        ck_assert_uint_eq(count(s.log[i], USI_SEEN_H), 1);
        ck_assert_uint_eq(count(s.log[i], USI_SEEN_PROVED), 1);
        ck_assert_uint_eq(count(s.log[i], USI_SEEN_AGREED), 1);
        ck_assert_uint_eq(count(s.log[i], USI_SEEN_KC), modes[_i] == USI_MODE_IDENTITY ? 0 : 1);
        ck_assert_uint_eq(count(s.log[i], USI_SEEN_SRES), modes[_i] == USI_MODE_KEY ? 1 : 0);
        ck_assert_uint_eq(count(s.log[i], USI_SEEN_IDENTITY),
                          modes[_i] == USI_MODE_IDENTITY ? 2 : 0);
        ck_assert_uint_eq(count(s.log[i], USI_SEEN_SHARE), modes[_i] == USI_MODE_PASSWORD ? 2 : 0);
    }
    down(&s);
}
END_TEST

/* The values are those of PROTOCOL.md, not merely the same on both sides. */
START_TEST(key_mode_is_as_written)
{
    struct seen_pair s;
    struct usi_credential credential = {0};
    uint8_t ki[32], expected[USI_KEY];

    for (unsigned i = 0; i < sizeof ki; i++)
        ki[i] = (uint8_t)(1 + i);
    ck_assert_int_eq(usi_credential_set_key(&credential, support_crypto(), ki, sizeof ki), 0);
    up(&s, USI_MODE_KEY);
    const struct log *log = s.log[0];
    ck_assert_int_eq(credential.method->psk(&credential,
                                            the(log, USI_SEEN_RAND_NW, false, 0)->octets,
                                            the(log, USI_SEEN_RAND_MS, true, 0)->octets, expected),
                     0);
    ck_assert_uint_eq(the(log, USI_SEEN_KC, false, 0)->seen.size, USI_KEY);
    ck_assert_mem_eq(the(log, USI_SEEN_KC, false, 0)->octets, expected, USI_KEY);
    const struct step *h = the(log, USI_SEEN_H, true, 0);
    ck_assert_int_eq(credential.method->proof(&credential, h->octets, expected), 0);
    ck_assert_mem_eq(the(log, USI_SEEN_SRES, true, 0)->octets, expected, USI_PROOF);
    ck_assert_mem_eq(h->octets, s.pair.connector.c->terms.h, USI_HASH);
    const struct step *name = the(log, USI_SEEN_NAME, true, 0);
    ck_assert_uint_eq(name->seen.size, 4);
    ck_assert_mem_eq(name->octets, "name", 4);
    ck_assert_mem_eq(the(log, USI_SEEN_KEY, true, 0)->octets, s.pair.connector.c->sealer.key.key,
                     32);
    ck_assert_mem_eq(the(log, USI_SEEN_KEY, false, 0)->octets, s.pair.connector.c->opener.key.key,
                     32);
    usi_credential_clear(&credential);
    down(&s);
}
END_TEST

START_TEST(identities_are_shown)
{
    struct seen_pair s;
    uint8_t expected[USI_FINGERPRINT];

    up(&s, USI_MODE_IDENTITY);
    for (unsigned i = 0; i < 2; i++) {
        usi_identity_fingerprint(s.mine[i], expected);
        const struct step *own = the(s.log[i], USI_SEEN_IDENTITY, true, 0);
        ck_assert_mem_eq(own->octets, expected, USI_FINGERPRINT);
        ck_assert_uint_eq(own->seen.number, 0);
    }
    ck_assert_mem_eq(the(s.log[0], USI_SEEN_FINGERPRINT, true, 0)->octets,
                     usi_channel_peer(s.pair.connector.c)->fingerprint, USI_FINGERPRINT);
    down(&s);
}
END_TEST

START_TEST(rekeys_count_up)
{
    struct seen_pair s;

    up(&s, modes[_i]);
    for (unsigned n = 1; n <= 3; n++) {
        rekey(&s);
        same_exchange(&s);
        for (unsigned i = 0; i < 2; i++) {
            keys_count_up(s.log[i], 1 + n);
            channel_is_named(s.log[i]);
            ck_assert_uint_eq(count(s.log[i], USI_SEEN_AGREED), 1 + n);
        }
    }
    const struct step *last = the(s.log[1], USI_SEEN_HANDSHAKE, false, 3);
    ck_assert_int_eq(last->seen.occasion, USI_OCCASION_REKEY);
    ck_assert_int_eq(last->seen.mode, modes[_i]);
    down(&s);
}
END_TEST

/* The password question is shown as such, and keys nothing; `right` or not. */
START_TEST(question_is_shown)
{
    struct seen_pair s;

    up(&s, USI_MODE_IDENTITY);
    s.password = _i == 0 ? 7 : 8;
    ck_assert_int_eq(usi_channel_question(s.pair.connector.c), 0);
    run(&s);
    ck_assert_uint_eq(s.pair.connector.seen[USI_EVENT_ANSWER], 1);
    for (unsigned i = 0; i < 2; i++) {
        unsigned proved = 0;
        for (unsigned n = 0; n < s.log[i]->count; n++)
            proved += s.log[i]->step[n].seen.type == USI_SEEN_PROVED &&
                      s.log[i]->step[n].seen.occasion == USI_OCCASION_QUESTION;
        ck_assert_uint_eq(proved, _i == 0);
        ck_assert_uint_eq(count(s.log[i], USI_SEEN_SHARE), 2);
        ck_assert_uint_eq(count(s.log[i], USI_SEEN_HANDSHAKE), 2);
        keys_count_up(s.log[i], 1);
    }
    const struct step *one = the(s.log[0], USI_SEEN_KC, true, 0);
    const struct step *other = the(s.log[1], USI_SEEN_KC, false, 0);
    ck_assert_int_eq(memcmp(one->octets, other->octets, USI_KEY) == 0, _i == 0);
    down(&s);
}
END_TEST

/* ---- records, and the end ---- */

START_TEST(records_are_shown_but_data)
{
    struct seen_pair s;
    uint8_t octets[1000] = {0};
    const struct log *log;

    up(&s, USI_MODE_KEY);
    octets_add(&s.pair.connector.todo, octets, sizeof octets);
    run(&s);
    ck_assert_uint_eq(s.pair.listener.got.size, sizeof octets);
    ck_assert_int_eq(usi_channel_end(s.pair.connector.c), 0);
    run(&s);
    same_exchange(&s);
    log = s.log[1];
    for (unsigned i = 0; i < log->count; i++)
        if (log->step[i].seen.type == USI_SEEN_RECORD)
            ck_assert_uint_ne(log->step[i].seen.record, USI_RECORD_TYPE_DATA);
    const struct step *end = the(log, USI_SEEN_RECORD, false, 2);
    ck_assert_uint_eq(end->seen.record, USI_RECORD_TYPE_END);
    ck_assert_uint_eq(end->seen.size, 8);
    ck_assert_uint_eq(end->seen.number, 3); /* proof, open, data, end */
    ck_assert_ptr_null(end->seen.octets);
    down(&s);
}
END_TEST

START_TEST(service_records_are_shown)
{
    struct seen_pair s;
    struct party *c = &s.pair.connector;
    const uint8_t type = _i == 0 ? USI_RECORD_TYPE_CHAT : USI_RECORD_TYPE_SERVICE_LAST;
    uint8_t content[100] = {0}, out[USI_SEND_ROOM + 1024];
    bool taken;
    size_t made;

    start(&s, USI_MODE_KEY);
    run(&s);
    ck_assert_int_eq(usi_channel_open_for(c->c, USI_SERVICE_CHAT), 0);
    run(&s);
    ck_assert_int_eq(usi_channel_send_record(c->c, type, content, sizeof content, &taken, out,
                                             sizeof out, &made),
                     0);
    ck_assert(taken);
    ck_assert_int_eq(party_receive(&s.pair.listener, out, made), 0);
    for (unsigned i = 0; i < 2; i++) {
        const struct step *shown = the(s.log[i], USI_SEEN_RECORD, i == 0, 2);
        ck_assert_uint_eq(shown->seen.record, type);
        ck_assert_uint_eq(shown->seen.size, sizeof content);
    }
    down(&s);
}
END_TEST

START_TEST(failure_and_end_are_shown)
{
    struct seen_pair s;
    static const uint8_t junk[400] = {0, 0, 1, 0};

    up(&s, USI_MODE_KEY);
    ck_assert_uint_eq(count(s.log[1], USI_SEEN_FAILED), 0);
    ck_assert_int_eq(party_receive(&s.pair.listener, junk, sizeof junk), USI_ERR_TAMPERED);
    const struct step *failed = the(s.log[1], USI_SEEN_FAILED, false, 0);
    ck_assert_uint_eq(failed->seen.number, (uint64_t)-USI_ERR_TAMPERED);
    ck_assert_uint_eq(count(s.log[1], USI_SEEN_OVER), 0);
    usi_channel_free(s.pair.listener.c);
    s.pair.listener.c = NULL;
    ck_assert_int_eq(s.log[1]->step[s.log[1]->count - 1].seen.type, USI_SEEN_OVER);
    down(&s);
}
END_TEST

/* A wrong key is seen by its knock, and no Kc comes of it. */
START_TEST(wrong_key_is_seen)
{
    const struct usi_settings settings = {0};
    struct log *log = log_new(&settings, NULL);
    struct pair p = {0};

    party_connect(&p.connector, ring_of("name", 1, 32), NULL);
    party_listen(&p.listener, ring_of("name", 2, 32), &log->settings);
    pair_run(&p);
    ck_assert_int_eq(p.listener.result, USI_ERR_KNOCK);
    ck_assert_uint_eq(count(log, USI_SEEN_KNOCK), 1);
    ck_assert_uint_eq(count(log, USI_SEEN_KC), 0);
    ck_assert_uint_eq(count(log, USI_SEEN_KEY), 0);
    ck_assert_uint_eq(the(log, USI_SEEN_FAILED, false, 0)->seen.number, (uint64_t)-USI_ERR_KNOCK);
    pair_free(&p);
    free(log);
}
END_TEST

START_TEST(nobody_sees_without_a_witness)
{
    struct pair p;
    const struct usi_settings settings = {.subject = &p};

    pair_open(&p, &settings);
    ck_assert_ptr_null(p.connector.c->view);
    ck_assert_ptr_null(p.listener.c->view);
    ck_assert_int_eq(usi_channel_rekey(p.connector.c), 0);
    pair_run(&p);
    ck_assert_uint_eq(p.connector.seen[USI_EVENT_REKEYED], 1);
    pair_free(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("witness");
    TCase *both = support_case(suite, "both sides");
    TCase *one = support_case(suite, "one side");

    tcase_add_loop_test(both, both_see_the_same, 0, 3);
    tcase_add_test(both, key_mode_is_as_written);
    tcase_add_test(both, identities_are_shown);
    tcase_add_loop_test(both, rekeys_count_up, 0, 3);
    tcase_add_loop_test(both, question_is_shown, 0, 2);
    tcase_add_test(one, records_are_shown_but_data);
    tcase_add_loop_test(one, service_records_are_shown, 0, 2);
    tcase_add_test(one, failure_and_end_are_shown);
    tcase_add_test(one, wrong_key_is_seen);
    tcase_add_test(one, nobody_sees_without_a_witness);
    return support_run(suite);
}
