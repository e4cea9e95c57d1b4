/* The first handshake of a channel: who gets in, and in what order things are said. */
#include "channel/handshake.h"

#include "channel/kem.h"
#include "fixed.h"
#include "hand.h"
#include "support.h"

static const size_t key_sizes[] = {16, 24, 32};

/* ---- getting in ---- */

START_TEST(any_key_size_in_any_split)
{
    struct pair p;
    struct usi_counts counts;

    pair_new(&p, key_sizes[_i % 3], NULL);
    p.split = (enum split)(_i / 3);
    pair_run(&p);
    ck_assert_uint_eq(p.connector.seen[USI_EVENT_AUTHENTICATED], 1);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_KNOCK], 1);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    usi_channel_counts(p.listener.c, &counts);
    ck_assert(counts.authenticated);
    ck_assert_uint_eq(counts.key_bits, key_sizes[_i % 3] * 8);
    ck_assert_int_eq(usi_channel_open(p.connector.c), 0);
    octets_add(&p.connector.todo, "there", 5);
    pair_run(&p);
    octets_add(&p.listener.todo, "back", 4);
    pair_run(&p);
    octets_equal(&p.listener.got, "there", 5);
    octets_equal(&p.connector.got, "back", 4);
    pair_free(&p);
}
END_TEST

START_TEST(proof_open_and_data_leave_in_one_write)
{
    struct pair p;
    size_t proof = usi_seal_size(USI_RECORD_TYPE_PROOF, 16),
           open = usi_seal_size(USI_RECORD_TYPE_OPEN, 0);

    pair_new(&p, 32, NULL);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    ck_assert_int_eq(party_receive(&p.listener, p.connector.out.base, p.connector.out.size), 0);
    ck_assert(party_send(&p.listener, USI_SEND_ROOM));
    octets_drop(&p.connector.out, p.connector.out.size);
    ck_assert_int_eq(party_receive(&p.connector, p.listener.out.base, p.listener.out.size), 0);
    octets_drop(&p.listener.out, p.listener.out.size);
    ck_assert_int_eq(usi_channel_open(p.connector.c), 0);
    octets_add(&p.connector.todo, "0-RTT it is not", 15);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    ck_assert_uint_eq(p.connector.out.size, proof + open + 15 + USI_RECORD_OVERHEAD);
    ck_assert_int_eq(party_receive(&p.listener, p.connector.out.base, p.connector.out.size), 0);
    octets_equal(&p.listener.got, "0-RTT it is not", 15);
    pair_free(&p);
}
END_TEST

/* Runs a connector with one keyring against a listener with another; the listener's result. */
static int meet(struct usi_keyring *connector, struct usi_keyring *listener)
{
    struct pair p = {.split = WHOLE};

    party_connect(&p.connector, connector, NULL);
    party_listen(&p.listener, listener, NULL);
    pair_run(&p);
    int result = p.listener.result;
    if (result == 0)
        ck_assert_uint_eq(p.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    else
        ck_assert_uint_eq(p.connector.seen[USI_EVENT_AUTHENTICATED], 0);
    pair_free(&p);
    return result;
}

START_TEST(names_must_agree)
{
    char longest[USI_NAME_MAX + 1];

    memset(longest, 'n', USI_NAME_MAX);
    longest[USI_NAME_MAX] = '\0';
    ck_assert_int_eq(meet(ring_of("alice", 1, 32), ring_of("alice", 1, 32)), 0);
    ck_assert_int_eq(meet(ring_of(longest, 1, 32), ring_of(longest, 1, 32)), 0);
    ck_assert_int_eq(meet(ring_of("alice", 1, 32), ring_of("alicf", 1, 32)), USI_ERR_KNOCK);
    ck_assert_int_eq(meet(ring_of("alice", 1, 32), ring_of("alic", 1, 32)), USI_ERR_KNOCK);
    ck_assert_int_eq(meet(ring_of("alice", 1, 32), ring_of(NULL, 1, 32)), USI_ERR_KNOCK);
    ck_assert_int_eq(meet(ring_of(NULL, 1, 32), ring_of("alice", 1, 32)), USI_ERR_KNOCK);
}
END_TEST

START_TEST(any_of_several_keys_of_one_name_opens)
{
    for (uint8_t first = 1; first <= 6; first++) {
        struct usi_keyring *ring = ring_of("n", 1, 32);
        ring_add(ring, "other", 5, 32);
        ring_add(ring, "n", 2, 16);
        ring_add(ring, "n", 3, 32);
        ring_add(ring, "n", 4, 32);
        size_t size = first == 2 ? 16 : 32;
        ck_assert_int_eq(meet(ring_of("n", first, size), ring), first <= 4 ? 0 : USI_ERR_KNOCK);
    }
}
END_TEST

/* A listener's key is changed while channels are up and handshakes under way. */
START_TEST(replaced_keys_are_for_new_handshakes)
{
    struct usi_keyring *ring = ring_of("n", 1, 32), *by = ring_of("n", 2, 16);
    struct pair up = {.split = WHOLE}, late = {.split = WHOLE}, old = {.split = WHOLE};

    party_connect(&up.connector, ring_of("n", 1, 32), NULL);
    party_listen_shared(&up.listener, support_crypto(), ring);
    pair_run(&up);
    ck_assert_uint_eq(up.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    party_connect(&late.connector, ring_of("n", 2, 16), NULL);
    party_listen_shared(&late.listener, support_crypto(), ring); /* has read nothing yet */
    ck_assert_int_eq(usi_keyring_replace_keys(ring, by), 0);
    usi_keyring_free(by);

    pair_run(&late);
    ck_assert_int_eq(late.listener.result, 0);
    ck_assert_uint_eq(late.connector.seen[USI_EVENT_AUTHENTICATED], 1);
    party_connect(&old.connector, ring_of("n", 1, 32), NULL);
    party_listen_shared(&old.listener, support_crypto(), ring);
    pair_run(&old);
    ck_assert_int_eq(old.listener.result, USI_ERR_KNOCK);

    /* What is up proves the key it has, again and again. */
    for (unsigned i = 1; i <= 3; i++) {
        ck_assert_int_eq(usi_channel_rekey(up.connector.c), 0);
        pair_run(&up);
        ck_assert_uint_eq(up.connector.seen[USI_EVENT_REKEYED], i);
        ck_assert_uint_eq(up.listener.seen[USI_EVENT_REKEYED], i);
    }
    pair_free(&up);
    pair_free(&late);
    pair_free(&old);
    usi_keyring_free(ring);
}
END_TEST

START_TEST(replaced_keys_leave_the_memory_of_challenges)
{
    struct usi_keyring *ring = ring_of(NULL, 1, 32), *by = ring_of(NULL, 1, 32);
    struct pair p = {.split = WHOLE};
    struct octets recorded = {0};
    struct party again = {0};

    party_connect(&p.connector, ring_of(NULL, 1, 32), NULL);
    party_listen_shared(&p.listener, support_crypto(), ring);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    octets_add(&recorded, p.connector.out.base, p.connector.out.size);
    pair_run(&p);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    ck_assert_int_eq(usi_keyring_replace_keys(ring, by), 0);
    usi_keyring_free(by);
    party_listen_shared(&again, support_crypto(), ring);
    ck_assert_int_eq(party_receive(&again, recorded.base, recorded.size), USI_ERR_REPLAY);
    party_free(&again);
    pair_free(&p);
    octets_clear(&recorded);
    usi_keyring_free(ring);
}
END_TEST

START_TEST(a_connector_uses_its_first_key)
{
    struct usi_keyring *ring = ring_of("n", 1, 32);

    ring_add(ring, "n", 2, 32);
    ck_assert_int_eq(meet(ring, ring_of("n", 1, 32)), 0);
}
END_TEST

START_TEST(a_wrong_key_gets_no_octet)
{
    struct pair p = {.split = WHOLE};

    party_connect(&p.connector, ring_of(NULL, 2, 32), NULL);
    party_listen(&p.listener, ring_of(NULL, 1, 32), NULL);
    pair_run(&p);
    ck_assert_int_eq(p.listener.result, USI_ERR_KNOCK);
    ck_assert_uint_eq(p.listener.events, 0);
    ck_assert(!usi_channel_waiting(p.listener.c));
    ck_assert(!party_send(&p.listener, USI_SEND_ROOM));
    ck_assert_uint_eq(p.listener.out.size, 0);
    ck_assert_int_eq(party_receive(&p.listener, (const uint8_t *)"x", 1), USI_ERR_ARGUMENT);
    pair_free(&p);
    ck_assert_int_eq(meet(ring_of(NULL, 1, 16), ring_of(NULL, 1, 32)), USI_ERR_KNOCK);
    ck_assert_int_eq(meet(ring_of(NULL, 1, 32), usi_keyring_new(support_crypto())), USI_ERR_KNOCK);
}
END_TEST

/* ---- by hand: what PROTOCOL.md says, without channel/handshake.c ---- */

START_TEST(a_message_1_made_by_hand_is_understood)
{
    ck_assert_int_eq(hand_try(1, 3, 0, "USI1"), 0);
}
END_TEST

START_TEST(other_magic_modes_and_unknown_flags_are_refused)
{
    ck_assert_int_eq(hand_try(1, 3, 0, "USI2"), USI_ERR_FORMAT);
    ck_assert_int_eq(hand_try(1, 3, 0, "SSH-"), USI_ERR_FORMAT);
    for (unsigned mode = 0; mode < 256; mode++)
        ck_assert_int_eq(hand_try((uint8_t)mode, 3, 0, "USI1"), mode == 1 ? 0
                                                                : mode == 2 || mode == 3
                                                                    ? USI_ERR_MODE
                                                                    : USI_ERR_FORMAT);
    for (unsigned bit = 1; bit < 8; bit++)
        ck_assert_int_eq(hand_try(1, 3, (uint8_t)(1 << bit), "USI1"), USI_ERR_FORMAT);
    ck_assert_int_eq(hand_try(1, 3, 3, "USI1"), USI_ERR_FORMAT);
}
END_TEST

START_TEST(a_cipher_that_does_not_match_the_key_is_a_wrong_knock)
{
    ck_assert_int_eq(hand_try(1, 1, 0, "USI1"), USI_ERR_KNOCK);
    ck_assert_int_eq(hand_try(1, 2, 0, "USI1"), USI_ERR_KNOCK);
    ck_assert_int_eq(hand_try(1, 0, 0, "USI1"), USI_ERR_FORMAT);
    ck_assert_int_eq(hand_try(1, 4, 0, "USI1"), USI_ERR_FORMAT);
    ck_assert_int_eq(hand_try(1, 255, 0, "USI1"), USI_ERR_FORMAT);
}
END_TEST

START_TEST(an_ml_kem_key_is_skipped_where_there_is_no_ml_kem)
{
    struct hand h;

    hand_new(&h);
    h.flags = 1;
    h.crypto.ml_kem = false;
    hand_message_1(&h);
    ck_assert_int_eq(hand_over(&h), 0);
    ck_assert_int_eq(party_last(&h.listener).type, USI_EVENT_KNOCK);
    ck_assert_int_eq(hand_finish(&h), 0);
    ck_assert_int_eq(party_last(&h.listener).type, USI_EVENT_AUTHENTICATED);
    hand_free(&h);
}
END_TEST

START_TEST(the_hand_made_handshake_goes_through_without_ml_kem_too)
{
    struct hand h;

    hand_new(&h);
    hand_message_1(&h);
    ck_assert_int_eq(hand_over(&h), 0);
    ck_assert_int_eq(hand_finish(&h), 0);
    ck_assert_int_eq(party_last(&h.listener).type, USI_EVENT_AUTHENTICATED);
    hand_free(&h);
}
END_TEST

START_TEST(a_flag_without_its_key_is_refused)
{
    struct hand h;

    hand_new(&h);
    hand_message_1(&h);
    h.wire[2 + 6] |= 1;
    ck_assert_int_eq(hand_over(&h), USI_ERR_FORMAT);
    hand_free(&h);
}
END_TEST

/* FIPS 203, section 7.2: numbers from q on are no key. 0 is one, if a poor one. */
START_TEST(an_impossible_ml_kem_key_is_refused)
{
    struct hand h;

    for (unsigned octet = 0; octet < 256 && support_crypto()->ml_kem; octet += 255) {
        hand_new(&h);
        h.flags = 1;
        h.kem_octet = (uint8_t)octet;
        hand_message_1(&h);
        ck_assert_int_eq(hand_over(&h), octet == 0 ? 0 : USI_ERR_FORMAT);
        hand_free(&h);
    }
}
END_TEST

START_TEST(both_with_ml_kem_use_it)
{
    struct pair p;

    pair_up(&p, 32, NULL);
    if (support_crypto()->ml_kem) {
        pair_free(&p);
        pair_new(&p, 32, NULL);
        ck_assert(party_send(&p.connector, USI_SEND_ROOM));
        ck_assert_uint_eq(p.connector.out.size, 2 + USI_MESSAGE_1_MIN + USI_KEM_KEY);
        ck_assert_int_eq(party_receive(&p.listener, p.connector.out.base, p.connector.out.size), 0);
        ck_assert(party_send(&p.listener, USI_SEND_ROOM));
        ck_assert_uint_eq(p.listener.out.size, 2 + USI_MESSAGE_2_MIN + USI_KEM_CIPHERTEXT);
    }
    pair_free(&p);
}
END_TEST

/* ---- known octets ---- */

/* The four writes of a handshake with known randomness, in a row. */
static void known_handshake(uint64_t seed, struct octets *wire)
{
    static const uint8_t ki[USI_KEY] = {1};
    struct usi_crypto crypto = *support_crypto();
    struct fixed fixed;
    struct pair p = {.split = WHOLE};

    fixed_stream(&crypto, &fixed, seed);
    crypto.ml_kem = false; /* its keys come from libcrypto's own randomness */
    struct usi_keyring *ring = usi_keyring_new(&crypto);
    ck_assert_ptr_nonnull(ring);
    ck_assert_int_eq(usi_keyring_add(ring, NULL, 0, ki, sizeof ki), 0);
    party_connect_shared(&p.connector, &crypto, ring);
    party_listen_shared(&p.listener, &crypto, ring);
    for (unsigned n = 0; n < 2; n++) {
        ck_assert(party_send(&p.connector, USI_SEND_ROOM));
        octets_add(wire, p.connector.out.base, p.connector.out.size);
        ck_assert_int_eq(party_receive(&p.listener, p.connector.out.base, p.connector.out.size), 0);
        octets_drop(&p.connector.out, p.connector.out.size);
        (void)party_send(&p.listener, USI_SEND_ROOM);
        octets_add(wire, p.listener.out.base, p.listener.out.size);
        ck_assert_int_eq(party_receive(&p.connector, p.listener.out.base, p.listener.out.size), 0);
        octets_drop(&p.listener.out, p.listener.out.size);
    }
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    pair_free(&p);
    usi_keyring_free(ring);
}

START_TEST(known_octets_make_a_known_handshake)
{
    struct octets one = {0}, same = {0}, other = {0};

    known_handshake(1, &one);
    known_handshake(1, &same);
    known_handshake(2, &other);
    octets_equal(&one, same.base, same.size);
    ck_assert_uint_eq(one.size, other.size);
    ck_assert_mem_ne(one.base, other.base, one.size);
    octets_clear(&one);
    octets_clear(&same);
    octets_clear(&other);
}
END_TEST

/* ---- turns, room, want ---- */

START_TEST(speaking_out_of_turn_is_refused)
{
    struct hand h;
    struct party p;

    hand_new(&h);
    hand_message_1(&h);
    party_listen_shared(&h.listener, &h.crypto, h.ring);
    ck_assert_int_eq(party_receive(&h.listener, h.wire, h.size), 0);
    static const uint8_t header[] = {0, 0, 1, 16}; /* of a proof, but message 2 still waits */
    ck_assert_int_eq(party_receive(&h.listener, header, sizeof header), USI_ERR_FORMAT);
    hand_free(&h);
    party_connect(&p, ring_of(NULL, 1, 32), NULL);
    ck_assert_int_eq(party_receive(&p, (const uint8_t *)"x", 1),
                     USI_ERR_FORMAT); /* message 1 still waits */
    party_free(&p);
}
END_TEST

START_TEST(a_message_1_sent_back_is_refused)
{
    struct party p;

    party_connect(&p, ring_of(NULL, 1, 32), NULL);
    ck_assert(party_send(&p, USI_SEND_ROOM));
    ck_assert_int_ne(party_receive(&p, p.out.base, p.out.size), 0);
    ck_assert_uint_eq(p.events, 0);
    party_free(&p);
}
END_TEST

START_TEST(messages_wait_for_room)
{
    struct party p;

    party_connect(&p, ring_of(NULL, 1, 32), NULL);
    for (size_t room = 0; room < 2 + USI_MESSAGE_1_MIN; room++)
        ck_assert(!party_send(&p, room));
    ck_assert(usi_channel_waiting(p.c));
    ck_assert(party_send(&p, USI_SEND_ROOM));
    ck_assert(!usi_channel_waiting(p.c));
    party_free(&p);
}
END_TEST

/* Reads from `from` only what `to` wants until it is authenticated; how much was left unread. */
static size_t feed_wanted(struct party *to, const struct octets *from)
{
    size_t at = 0;

    while (at < from->size && to->seen[USI_EVENT_AUTHENTICATED] == 0) {
        size_t want = usi_channel_want(to->c);
        ck_assert_uint_gt(want, 0);
        if (want > from->size - at)
            want = from->size - at;
        ck_assert_int_eq(party_receive(to, from->base + at, want), 0);
        at += want;
        if (to->seen[USI_EVENT_KNOCK] == 1 && usi_channel_waiting(to->c))
            break;
    }
    return from->size - at;
}

START_TEST(want_never_reaches_beyond_the_handshake)
{
    static const uint8_t behind[200] = {1};
    struct pair p;

    pair_new(&p, 32, NULL);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    octets_add(&p.connector.out, behind, sizeof behind);
    ck_assert_uint_eq(feed_wanted(&p.listener, &p.connector.out), sizeof behind);
    octets_drop(&p.connector.out, p.connector.out.size);
    ck_assert(party_send(&p.listener, USI_SEND_ROOM));
    octets_add(&p.listener.out, behind, sizeof behind);
    ck_assert_uint_eq(feed_wanted(&p.connector, &p.listener.out), sizeof behind);
    ck_assert_uint_eq(usi_channel_want(p.connector.c), SIZE_MAX);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM)); /* the proof */
    octets_add(&p.connector.out, behind, sizeof behind);
    ck_assert_uint_eq(feed_wanted(&p.listener, &p.connector.out), sizeof behind);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    ck_assert_uint_eq(usi_channel_want(p.listener.c), SIZE_MAX);
    pair_free(&p);
}
END_TEST

static void add_getting_in(TCase *tcase)
{
    tcase_add_loop_test(tcase, any_key_size_in_any_split, 0, 9);
    tcase_add_test(tcase, proof_open_and_data_leave_in_one_write);
    tcase_add_test(tcase, names_must_agree);
    tcase_add_test(tcase, any_of_several_keys_of_one_name_opens);
    tcase_add_test(tcase, replaced_keys_are_for_new_handshakes);
    tcase_add_test(tcase, replaced_keys_leave_the_memory_of_challenges);
    tcase_add_test(tcase, a_connector_uses_its_first_key);
    tcase_add_test(tcase, a_wrong_key_gets_no_octet);
    tcase_add_test(tcase, a_message_1_made_by_hand_is_understood);
    tcase_add_test(tcase, other_magic_modes_and_unknown_flags_are_refused);
    tcase_add_test(tcase, a_cipher_that_does_not_match_the_key_is_a_wrong_knock);
    tcase_add_test(tcase, an_ml_kem_key_is_skipped_where_there_is_no_ml_kem);
    tcase_add_test(tcase, the_hand_made_handshake_goes_through_without_ml_kem_too);
    tcase_add_test(tcase, a_flag_without_its_key_is_refused);
    tcase_add_test(tcase, an_impossible_ml_kem_key_is_refused);
    tcase_add_test(tcase, both_with_ml_kem_use_it);
    tcase_add_test(tcase, known_octets_make_a_known_handshake);
    tcase_add_test(tcase, speaking_out_of_turn_is_refused);
    tcase_add_test(tcase, a_message_1_sent_back_is_refused);
    tcase_add_test(tcase, messages_wait_for_room);
    tcase_add_test(tcase, want_never_reaches_beyond_the_handshake);
}

int main(void)
{
    Suite *suite = suite_create("handshake");

    add_getting_in(support_case(suite, "getting in"));
    return support_run(suite);
}
