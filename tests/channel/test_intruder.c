/* The first handshake again, by those who do not hold the key or change what passes: lengths,
 * replays, changes, wrong proofs. */
#include "channel/handshake.h"

#include "channel/bytes.h"
#include "channel/kem.h"
#include "channel/noise.h"
#include "fixed.h"
#include "hand.h"
#include "rogue.h"
#include "support.h"

#include <pthread.h>

/* ---- lengths ---- */

START_TEST(trailing_octets_of_message_1_are_refused)
{
    struct hand h;

    hand_new(&h);
    hand_message_1(&h);
    for (size_t extra = 1; extra <= 20; extra++) {
        usi_put_number(h.wire, h.size - 2 + extra, 2);
        h.size += extra;
        ck_assert_int_eq(hand_over(&h), USI_ERR_FORMAT);
        h.size -= extra;
    }
    hand_free(&h);
}
END_TEST

START_TEST(a_message_1_cut_short_is_refused)
{
    struct hand h;

    hand_new(&h);
    hand_message_1(&h);
    for (size_t whole = h.size; --h.size >= 2;) {
        ck_assert_uint_lt(h.size, whole);
        usi_put_number(h.wire, h.size - 2, 2);
        ck_assert_int_eq(hand_over(&h), USI_ERR_FORMAT);
    }
    hand_free(&h);
}
END_TEST

/* What a side says to the first two octets alone. */
static int first_two(bool connector, size_t length)
{
    uint8_t octets[2];
    struct party p;
    int result;

    usi_put_number(octets, length, 2);
    if (connector)
        party_connect(&p, ring_of(NULL, 1, 32), NULL);
    else
        party_listen(&p, ring_of(NULL, 1, 32), NULL);
    (void)party_send(&p, USI_SEND_ROOM);
    result = party_receive(&p, octets, 2);
    if (result == 0)
        ck_assert_uint_eq(usi_channel_want(p.c), length);
    party_free(&p);
    return result;
}

START_TEST(lengths_out_of_bounds_are_refused_at_once)
{
    ck_assert_int_eq(first_two(false, USI_MESSAGE_1_MAX), 0);
    ck_assert_int_eq(first_two(false, USI_MESSAGE_1_MAX + 1), USI_ERR_FORMAT);
    ck_assert_int_eq(first_two(false, 0xffff), USI_ERR_FORMAT);
    ck_assert_int_eq(first_two(false, USI_MESSAGE_1_MIN), 0);
    ck_assert_int_eq(first_two(false, USI_MESSAGE_1_MIN - 1), USI_ERR_FORMAT);
    ck_assert_int_eq(first_two(false, 0), USI_ERR_FORMAT);
    ck_assert_int_eq(first_two(false, 0x4745), USI_ERR_FORMAT); /* "GE" of GET */
    ck_assert_int_eq(first_two(false, 0x5353), USI_ERR_FORMAT); /* "SS" of SSH- */
    ck_assert_int_eq(first_two(false, 0x1603), USI_ERR_FORMAT); /* TLS */
    ck_assert_int_eq(first_two(true, USI_MESSAGE_2_MAX), 0);
    ck_assert_int_eq(first_two(true, USI_MESSAGE_2_MAX + 1), USI_ERR_FORMAT);
    ck_assert_int_eq(first_two(true, USI_MESSAGE_2_MIN), 0);
    ck_assert_int_eq(first_two(true, USI_MESSAGE_2_MIN - 1), USI_ERR_FORMAT);
}
END_TEST

START_TEST(an_over_long_first_record_is_refused_from_its_length)
{
    static const struct {
        uint32_t length;
        int result;
    } cases[] = {
        {512, 0}, {513, USI_ERR_FORMAT}, {65808, USI_ERR_FORMAT}, {16, USI_ERR_FORMAT}, {17, 0}};

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rogue r;
        uint8_t header[4];
        rogue_before_proof(&r, NULL);
        usi_put_number(header, cases[i].length, 4);
        ck_assert_int_eq(party_receive(&r.victim, header, 4), cases[i].result);
        rogue_free(&r);
    }
}
END_TEST

/* ---- replays ---- */

START_TEST(a_repeated_message_1_is_a_replay)
{
    struct hand h;

    hand_new(&h);
    hand_message_1(&h);
    ck_assert_int_eq(hand_over(&h), 0);
    ck_assert_int_eq(hand_over(&h), USI_ERR_REPLAY);
    usi_noise_free(h.noise);
    hand_message_1(&h); /* the same RANDms in another message */
    ck_assert_int_eq(hand_over(&h), USI_ERR_REPLAY);
    usi_noise_free(h.noise);
    h.rand_ms[USI_RAND - 1] ^= 1;
    hand_message_1(&h);
    ck_assert_int_eq(hand_over(&h), 0);
    hand_free(&h);
}
END_TEST

START_TEST(strangers_put_nothing_into_the_replay_memory)
{
    struct hand h;

    hand_new(&h);
    hand_message_1(&h);
    h.wire[h.size - 1] ^= 1;
    ck_assert_int_eq(hand_over(&h), USI_ERR_KNOCK);
    h.wire[h.size - 1] ^= 1;
    ck_assert_int_eq(hand_over(&h), 0);
    hand_free(&h);
}
END_TEST

/* A challenge of its own for each n; they share a thousand beginnings, so that many meet in one
 * place. */
static void number_rand(uint8_t rand_ms[USI_RAND], uint64_t n)
{
    uint64_t state = n;

    dice_fill(&state, rand_ms, USI_RAND);
    usi_put_number(rand_ms, n % 1024, 8);
}

START_TEST(the_replay_memory_forgets_the_oldest_first)
{
    struct usi_keyring *ring = usi_keyring_new(support_crypto());
    uint8_t rand_ms[USI_RAND];

    for (uint64_t n = 0; n < 2 * USI_REPLAY_MEMORY; n++) {
        number_rand(rand_ms, n);
        ck_assert_int_eq(usi_keyring_remember(ring, rand_ms), 0);
    }
    for (uint64_t n = USI_REPLAY_MEMORY; n < 2 * USI_REPLAY_MEMORY; n++) {
        number_rand(rand_ms, n);
        ck_assert_int_eq(usi_keyring_remember(ring, rand_ms), USI_ERR_REPLAY);
    }
    number_rand(rand_ms,
                USI_REPLAY_MEMORY - 1); /* the youngest of the forgotten: pushes out the oldest */
    ck_assert_int_eq(usi_keyring_remember(ring, rand_ms), 0);
    number_rand(rand_ms, USI_REPLAY_MEMORY + 1);
    ck_assert_int_eq(usi_keyring_remember(ring, rand_ms), USI_ERR_REPLAY);
    number_rand(rand_ms, USI_REPLAY_MEMORY);
    ck_assert_int_eq(usi_keyring_remember(ring, rand_ms), 0);
    usi_keyring_free(ring);
}
END_TEST

/* Challenges that fall into one place must not hide or drop each other. */
START_TEST(the_replay_memory_tells_alike_challenges_apart)
{
    struct usi_keyring *ring = usi_keyring_new(support_crypto());
    uint8_t rand_ms[USI_RAND] = {0};

    for (unsigned round = 0; round < 2; round++)
        for (unsigned n = 0; n < 500; n++) {
            rand_ms[30] = (uint8_t)(n >> 8);
            rand_ms[31] = (uint8_t)n;
            ck_assert_int_eq(usi_keyring_remember(ring, rand_ms), round == 0 ? 0 : USI_ERR_REPLAY);
        }
    usi_keyring_free(ring);
}
END_TEST

enum { THREADS = 4, CHALLENGES = 2000 };

struct racer {
    pthread_t thread;
    struct usi_keyring *ring;
    unsigned accepted;
};

static void *race(void *argument)
{
    struct racer *r = argument;
    uint8_t rand_ms[USI_RAND];

    for (uint64_t n = 0; n < CHALLENGES; n++) {
        number_rand(rand_ms, n);
        r->accepted += usi_keyring_remember(r->ring, rand_ms) == 0;
    }
    return NULL;
}

START_TEST(threads_share_the_replay_memory)
{
    struct usi_keyring *ring = usi_keyring_new(support_crypto());
    struct racer racer[THREADS];
    unsigned accepted = 0;

    for (unsigned n = 0; n < THREADS; n++) {
        racer[n] = (struct racer){.ring = ring};
        ck_assert_int_eq(pthread_create(&racer[n].thread, NULL, race, &racer[n]), 0);
    }
    for (unsigned n = 0; n < THREADS; n++) {
        ck_assert_int_eq(pthread_join(racer[n].thread, NULL), 0);
        accepted += racer[n].accepted;
    }
    ck_assert_uint_eq(accepted, CHALLENGES); /* each by one thread alone */
    usi_keyring_free(ring);
}
END_TEST

/* A wrong knock must cost no challenge and no key: it is found out where there is no randomness
 * left. */
START_TEST(the_knock_is_checked_before_anything_is_drawn)
{
    struct fixed none;
    struct hand h;

    hand_new(&h);
    fixed_octets(&h.crypto, &none, NULL, 0);
    hand_message_1(&h);
    h.wire[h.size - 1] ^= 1;
    ck_assert_int_eq(hand_over(&h), USI_ERR_KNOCK);
    h.wire[h.size - 1] ^= 1;
    ck_assert_int_eq(hand_over(&h), USI_ERR_INTERNAL);
    hand_free(&h);
}
END_TEST

/* ---- changes on the way ---- */

START_TEST(any_change_of_message_1_gets_no_answer)
{
    struct hand h;

    hand_new(&h);
    hand_message_1(&h);
    for (size_t at = 0; at < h.size; at++) {
        for (unsigned bit = (unsigned)at % 2; bit < 8; bit += 4) {
            h.wire[at] ^= (uint8_t)(1 << bit);
            int result = hand_over(&h);
            h.wire[at] ^= (uint8_t)(1 << bit);
            ck_assert(at < 2 || result == USI_ERR_FORMAT || result == USI_ERR_KNOCK);
            ck_assert_uint_eq(h.listener.events, 0);
            ck_assert_uint_eq(h.listener.out.size, 0);
        }
    }
    ck_assert_int_eq(hand_over(&h), 0);
    hand_free(&h);
}
END_TEST

/* A pair whose message 2 lies in listener.out. */
static void pair_at_message_2(struct pair *p)
{
    pair_new(p, 32, NULL);
    ck_assert(party_send(&p->connector, USI_SEND_ROOM));
    ck_assert_int_eq(party_receive(&p->listener, p->connector.out.base, p->connector.out.size), 0);
    octets_drop(&p->connector.out, p->connector.out.size);
    ck_assert(party_send(&p->listener, USI_SEND_ROOM));
}

START_TEST(any_change_of_message_2_is_refused)
{
    struct pair p;

    pair_at_message_2(&p);
    size_t size = p.listener.out.size;
    pair_free(&p);
    for (size_t at = 0; at < size; at++) {
        pair_at_message_2(&p);
        p.listener.out.base[at] ^= (uint8_t)(1 << at % 8);
        int result = party_receive(&p.connector, p.listener.out.base, size);
        ck_assert(at < 2 || result == USI_ERR_FORMAT || result == USI_ERR_CHALLENGE);
        ck_assert(at < 3 || result == USI_ERR_CHALLENGE);
        ck_assert_uint_eq(p.connector.events, 0);
        ck_assert(!party_send(&p.connector, USI_SEND_ROOM));
        pair_free(&p);
    }
}
END_TEST

START_TEST(an_old_message_2_is_refused)
{
    struct pair p, old;

    pair_at_message_2(&old);
    pair_at_message_2(&p);
    ck_assert_int_eq(party_receive(&p.connector, old.listener.out.base, old.listener.out.size),
                     USI_ERR_CHALLENGE);
    pair_free(&p);
    pair_free(&old);
}
END_TEST

START_TEST(trailing_octets_of_message_2_are_refused)
{
    struct pair p;

    pair_at_message_2(&p);
    octets_add(&p.listener.out, "x", 1);
    usi_put_number(p.listener.out.base, p.listener.out.size - 2, 2);
    ck_assert_int_eq(party_receive(&p.connector, p.listener.out.base, p.listener.out.size),
                     USI_ERR_FORMAT);
    pair_free(&p);
}
END_TEST

/* The connector has no ML-KEM here, whatever libcrypto has. */
START_TEST(flags_of_message_2_that_were_not_asked_for_are_refused)
{
    struct usi_crypto crypto = *support_crypto();
    uint8_t message[2 + USI_MESSAGE_2_MIN + USI_KEM_CIPHERTEXT] = {0};

    crypto.ml_kem = false;
    for (unsigned flags = 1; flags < 256; flags <<= 1) {
        struct usi_keyring *ring = usi_keyring_new(&crypto);
        struct party p;
        size_t size = USI_MESSAGE_2_MIN + (flags == 1 ? (size_t)USI_KEM_CIPHERTEXT : 0);
        ring_add(ring, NULL, 1, 32);
        /* ring_of's credential points to the crypto of the ring: no ML-KEM */
        party_connect_shared(&p, &crypto, ring);
        ck_assert(party_send(&p, USI_SEND_ROOM));
        ck_assert_uint_eq(p.out.size, 2 + USI_MESSAGE_1_MIN);
        usi_put_number(message, size, 2);
        message[2] = (uint8_t)flags;
        ck_assert_int_eq(party_receive(&p, message, 2 + size), USI_ERR_FORMAT);
        party_free(&p);
        usi_keyring_free(ring);
    }
}
END_TEST

START_TEST(any_change_of_the_proof_is_refused)
{
    struct octets record = {0};
    uint8_t proof[USI_PROOF_MAX];
    size_t proof_size, size = usi_seal_size(USI_RECORD_TYPE_PROOF, USI_PROOF);

    for (size_t at = 0; at < size; at++) {
        struct rogue r;
        rogue_before_proof(&r, NULL);
        ck_assert_int_eq(usi_handshake_proof(r.handshake, proof, &proof_size), 0);
        rogue_seal(&r, USI_RECORD_TYPE_PROOF, proof, proof_size, &record);
        record.base[at] ^= (uint8_t)(1 << at % 8);
        int result = party_receive(&r.victim, record.base, record.size);
        ck_assert(at < 4 || result == USI_ERR_TAMPERED);
        ck_assert_uint_eq(r.victim.seen[USI_EVENT_AUTHENTICATED], 0);
        ck_assert(!party_send(&r.victim, USI_SEND_ROOM));
        octets_clear(&record);
        rogue_free(&r);
    }
}
END_TEST

/* ---- the proof itself ---- */

static int say_proof_changed(size_t at, size_t size)
{
    uint8_t proof[USI_PROOF_MAX] = {0};
    size_t proof_size;
    struct rogue r;

    rogue_before_proof(&r, NULL);
    ck_assert_int_eq(usi_handshake_proof(r.handshake, proof, &proof_size), 0);
    if (at < USI_PROOF)
        proof[at] ^= (uint8_t)(1 << at % 8);
    int result = rogue_say(&r, USI_RECORD_TYPE_PROOF, proof, size);
    ck_assert_uint_eq(r.victim.seen[USI_EVENT_AUTHENTICATED], result == 0 ? 1 : 0);
    rogue_free(&r);
    return result;
}

START_TEST(a_wrong_proof_is_refused)
{
    for (size_t at = 0; at < USI_PROOF; at++)
        ck_assert_int_eq(say_proof_changed(at, USI_PROOF), USI_ERR_PROOF);
    ck_assert_int_eq(say_proof_changed(USI_PROOF, 0), USI_ERR_PROOF);
    ck_assert_int_eq(say_proof_changed(USI_PROOF, USI_PROOF - 1), USI_ERR_PROOF);
    ck_assert_int_eq(say_proof_changed(USI_PROOF, USI_PROOF + 1), USI_ERR_PROOF);
    ck_assert_int_eq(say_proof_changed(USI_PROOF, USI_PROOF), 0);
}
END_TEST

START_TEST(any_other_first_record_is_refused)
{
    for (int type = 1; type <= 40; type++) {
        struct rogue r;
        if (type == USI_RECORD_TYPE_PROOF)
            continue;
        rogue_before_proof(&r, NULL);
        ck_assert_int_eq(rogue_say(&r, type, "0123456789abcdef", type % 2 ? 16 : 0),
                         USI_ERR_PROTOCOL);
        ck_assert_uint_eq(r.victim.got.size, 0);
        ck_assert_uint_eq(rogue_hear(&r), 0);
        rogue_free(&r);
    }
}
END_TEST

START_TEST(a_listener_says_nothing_between_message_2_and_the_proof)
{
    struct rogue r;

    rogue_before_proof(&r, NULL);
    ck_assert(!usi_channel_waiting(r.victim.c));
    party_tick(&r.victim, r.victim.now + 2 * USI_REKEY_MS);
    ck_assert_int_eq(usi_channel_rekey(r.victim.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_abort(r.victim.c, USI_REASON_BUSY), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_end(r.victim.c), USI_ERR_ARGUMENT);
    octets_add(&r.victim.todo, "secret", 6);
    ck_assert(!party_send(&r.victim, USI_SEND_ROOM));
    ck_assert_uint_eq(usi_channel_room(r.victim.c), 0);
    ck_assert(!usi_channel_idle(r.victim.c));
    ck_assert_int_eq(rogue_say_proof(&r), 0);
    rogue_free(&r);
}
END_TEST

static void add_lengths_and_replays(TCase *tcase)
{
    tcase_add_test(tcase, trailing_octets_of_message_1_are_refused);
    tcase_add_test(tcase, a_message_1_cut_short_is_refused);
    tcase_add_test(tcase, lengths_out_of_bounds_are_refused_at_once);
    tcase_add_test(tcase, an_over_long_first_record_is_refused_from_its_length);
    tcase_add_test(tcase, a_repeated_message_1_is_a_replay);
    tcase_add_test(tcase, strangers_put_nothing_into_the_replay_memory);
    tcase_add_test(tcase, the_replay_memory_forgets_the_oldest_first);
    tcase_add_test(tcase, the_replay_memory_tells_alike_challenges_apart);
    tcase_add_test(tcase, threads_share_the_replay_memory);
    tcase_add_test(tcase, the_knock_is_checked_before_anything_is_drawn);
}

static void add_changes(TCase *tcase)
{
    tcase_add_test(tcase, any_change_of_message_1_gets_no_answer);
    tcase_add_test(tcase, any_change_of_message_2_is_refused);
    tcase_add_test(tcase, an_old_message_2_is_refused);
    tcase_add_test(tcase, trailing_octets_of_message_2_are_refused);
    tcase_add_test(tcase, flags_of_message_2_that_were_not_asked_for_are_refused);
    tcase_add_test(tcase, any_change_of_the_proof_is_refused);
    tcase_add_test(tcase, a_wrong_proof_is_refused);
    tcase_add_test(tcase, any_other_first_record_is_refused);
    tcase_add_test(tcase, a_listener_says_nothing_between_message_2_and_the_proof);
}

int main(void)
{
    Suite *suite = suite_create("intruder");

    add_lengths_and_replays(support_case(suite, "lengths and replays"));
    add_changes(support_case(suite, "changes on the way"));
    return support_run(suite);
}
