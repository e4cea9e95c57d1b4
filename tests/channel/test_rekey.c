/* Rekeys: by octets, by time, by asking; with data flowing on; and the peers that get them wrong.
 */
#include "channel/channel.h"

#include "rogue.h"
#include "support.h"

#include <stdlib.h>

static const struct usi_settings small = {.rekey_bytes = USI_REKEY_BYTES_MIN};
static const uint64_t hard_bytes = 2 * USI_REKEY_BYTES_MIN;

static uint64_t rekeys(const struct party *p)
{
    struct usi_counts counts;

    usi_channel_counts(p->c, &counts);
    return counts.rekeys;
}

/* ---- data flows on ---- */

/* An endless stream of octets that both sides can make. */
struct flow {
    uint64_t to_send, to_check;
};

static void feed(struct flow *f, struct party *from, size_t size)
{
    uint8_t chunk[40000];

    if (from->todo.size > 100000)
        return;
    dice_fill(&f->to_send, chunk, size);
    octets_add(&from->todo, chunk, size);
}

static void check(struct flow *f, struct party *to)
{
    uint8_t expected[4096];

    for (size_t at = 0; at < to->got.size;) {
        size_t n = to->got.size - at < sizeof expected ? to->got.size - at : sizeof expected;
        dice_fill(&f->to_check, expected, n);
        ck_assert_mem_eq(to->got.base + at, expected, n);
        at += n;
    }
    octets_drop(&to->got, to->got.size);
}

START_TEST(a_hundred_rekeys_by_octets_with_data_both_ways)
{
    struct flow there = {1, 1}, back = {2, 2};
    struct pair p;

    pair_open(&p, &small);
    p.split = AT_RANDOM;
    while (rekeys(&p.connector) < 100) {
        feed(&there, &p.connector, 1 + dice(&p.dice, 40000));
        if (_i == 0)
            feed(&back, &p.listener, 1 + dice(&p.dice, 40000));
        pair_run(&p);
        ck_assert_int_eq(p.connector.result, 0);
        ck_assert_int_eq(p.listener.result, 0);
        check(&there, &p.listener);
        check(&back, &p.connector);
    }
    pair_run(&p);
    ck_assert_uint_eq(p.connector.todo.size, 0);
    ck_assert_uint_eq(p.listener.todo.size, 0);
    check(&there, &p.listener);
    check(&back, &p.connector);
    ck_assert_uint_eq(there.to_send, there.to_check); /* all that was sent is there */
    ck_assert_uint_eq(back.to_send, back.to_check);
    ck_assert_uint_eq(rekeys(&p.connector), rekeys(&p.listener));
    ck_assert_uint_eq(p.connector.seen[USI_EVENT_REKEYED], rekeys(&p.connector));
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_REKEYED], rekeys(&p.listener));
    pair_free(&p);
}
END_TEST

START_TEST(data_towards_the_connector_alone_rekeys_too)
{
    struct flow back = {2, 2};
    struct pair p;

    pair_open(&p, &small);
    while (rekeys(&p.connector) < 10) {
        feed(&back, &p.listener, 40000);
        pair_run(&p);
        ck_assert_int_eq(p.connector.result, 0);
        ck_assert_int_eq(p.listener.result, 0);
        check(&back, &p.connector);
    }
    pair_free(&p);
}
END_TEST

START_TEST(every_key_size_rekeys)
{
    for (size_t size = 16; size <= 32; size += 8) {
        struct pair p;
        pair_up(&p, size, NULL);
        for (uint64_t n = 1; n <= 3; n++) { /* in between streams, too */
            ck_assert_int_eq(usi_channel_rekey(n % 2 ? p.connector.c : p.listener.c), 0);
            pair_run(&p);
            ck_assert_uint_eq(rekeys(&p.connector), n);
            ck_assert_uint_eq(rekeys(&p.listener), n);
        }
        ck_assert_int_eq(usi_channel_open(p.connector.c), 0);
        octets_add(&p.connector.todo, "x", 1);
        pair_run(&p);
        octets_equal(&p.listener.got, "x", 1);
        pair_free(&p);
    }
}
END_TEST

/* Only the far side's limit is low; this side sends and the far side never does. */
START_TEST(a_side_that_only_receives_keeps_its_own_limit)
{
    uint8_t chunk[40000] = {0};
    struct pair p = {.split = WHOLE, .dice = 4};

    party_connect(&p.connector, ring_of(NULL, 1, 32), _i == 0 ? &small : NULL);
    party_listen(&p.listener, ring_of(NULL, 1, 32), _i == 0 ? NULL : &small);
    pair_run(&p);
    ck_assert_int_eq(usi_channel_open(p.connector.c), 0);
    pair_run(&p);
    struct party *from = _i == 0 ? &p.listener : &p.connector;
    struct party *to = _i == 0 ? &p.connector : &p.listener;
    octets_add(&from->todo, chunk, sizeof chunk);
    octets_add(&from->todo, chunk, sizeof chunk);
    ck_assert(party_send(from, 200000));
    ck_assert(!usi_channel_waiting(to->c));
    ck_assert_int_eq(party_receive(to, from->out.base, from->out.size), 0);
    octets_drop(&from->out, from->out.size);
    ck_assert(usi_channel_waiting(to->c)); /* rekey 1, or ask */
    pair_run(&p);
    ck_assert_uint_eq(rekeys(&p.connector), 1);
    pair_free(&p);
}
END_TEST

/* ---- by time, by asking ---- */

START_TEST(deadlines_are_up_to_a_tenth_early)
{
    uint64_t least = UINT64_MAX, most = 0;

    for (unsigned n = 0; n < 50; n++) {
        struct pair p;
        pair_up(&p, 16, NULL);
        uint64_t at = usi_channel_deadline(p.connector.c) - p.connector.now;
        ck_assert_uint_le(at, USI_REKEY_MS);
        ck_assert_uint_ge(at, USI_REKEY_MS / 10 * 9);
        least = at < least ? at : least;
        most = at > most ? at : most;
        pair_free(&p);
    }
    ck_assert_uint_gt(most - least, USI_REKEY_MS / 100); /* not all alike */
}
END_TEST

START_TEST(there_is_no_deadline_during_a_handshake_or_rekey)
{
    struct pair p;

    pair_new(&p, 16, NULL);
    ck_assert_uint_eq(usi_channel_deadline(p.connector.c), UINT64_MAX);
    ck_assert_uint_eq(usi_channel_deadline(p.listener.c), UINT64_MAX);
    pair_run(&p);
    party_tick(&p.connector, usi_channel_deadline(p.connector.c));
    ck_assert_uint_eq(usi_channel_deadline(p.connector.c), UINT64_MAX);
    party_tick(&p.listener, usi_channel_deadline(p.listener.c));
    ck_assert_uint_eq(usi_channel_deadline(p.listener.c), UINT64_MAX);
    pair_run(&p);
    ck_assert_uint_eq(rekeys(&p.listener), 1);
    ck_assert_uint_gt(usi_channel_deadline(p.connector.c), p.connector.now);
    ck_assert_uint_ne(usi_channel_deadline(p.connector.c), UINT64_MAX);
    ck_assert_uint_ne(usi_channel_deadline(p.listener.c), UINT64_MAX);
    pair_free(&p);
}
END_TEST

/* 0: the connector's clock; 1: the listener's, so it asks; 2: both at once. */
START_TEST(time_makes_one_rekey_whoever_sees_it_first)
{
    struct pair p;

    pair_open(&p, NULL);
    uint64_t c = usi_channel_deadline(p.connector.c), l = usi_channel_deadline(p.listener.c);
    party_tick(&p.connector, c - 1);
    party_tick(&p.listener, l - 1);
    ck_assert(!usi_channel_waiting(p.connector.c) && !usi_channel_waiting(p.listener.c));
    if (_i != 1)
        party_tick(&p.connector, c);
    if (_i != 0)
        party_tick(&p.listener, l);
    ck_assert_int_eq(usi_channel_waiting(p.connector.c), _i != 1);
    ck_assert_int_eq(usi_channel_waiting(p.listener.c), _i != 0);
    if (_i == 2) { /* `ask` and rekey 1 cross */
        ck_assert(party_send(&p.connector, USI_SEND_ROOM));
        ck_assert(party_send(&p.listener, USI_SEND_ROOM));
    }
    octets_add(&p.connector.todo, "there", 5);
    octets_add(&p.listener.todo, "back", 4);
    pair_run(&p);
    ck_assert_uint_eq(rekeys(&p.connector), 1);
    ck_assert_uint_eq(rekeys(&p.listener), 1);
    octets_equal(&p.listener.got, "there", 5);
    octets_equal(&p.connector.got, "back", 4);
    pair_free(&p);
}
END_TEST

START_TEST(asking_again_changes_nothing)
{
    struct pair p;

    pair_open(&p, NULL);
    for (unsigned n = 0; n < 3; n++) {
        ck_assert_int_eq(usi_channel_rekey(p.connector.c), 0);
        ck_assert_int_eq(usi_channel_rekey(p.listener.c), 0);
        (void)party_send(&p.listener, USI_SEND_ROOM);
        (void)party_send(&p.connector, USI_SEND_ROOM);
    }
    pair_run(&p);
    ck_assert_uint_eq(rekeys(&p.connector), 1);
    pair_free(&p);
}
END_TEST

START_TEST(an_ask_during_a_rekey_is_ignored)
{
    struct rogue r;

    rogue_up_connector(&r, NULL);
    ck_assert_int_eq(usi_channel_rekey(r.victim.c), 0);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_ASK, NULL, 0), 0); /* rekey 1 still waits */
    ck_assert_uint_eq(rogue_hear(&r), 1);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_ASK, NULL, 0), 0);
    rogue_read_rekey_1(&r);
    ck_assert_int_eq(rogue_say_rekey_2(&r), 0);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_ASK, NULL, 0), 0);
    ck_assert_uint_eq(rogue_hear(&r), 2);
    ck_assert_uint_eq(r.type[0], USI_RECORD_TYPE_SWITCH);
    ck_assert_uint_eq(r.type[1], USI_RECORD_TYPE_PROOF);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_ASK, NULL, 0), 0);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_SWITCH, NULL, 0), 0);
    ck_assert_int_eq(party_last(&r.victim).type, USI_EVENT_REKEYED);
    rogue_switch_sending(&r);
    rogue_rekey_over(&r);
    ck_assert_uint_eq(rogue_hear(&r), 0);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_ASK, "x", 1), USI_ERR_PROTOCOL);
    rogue_free(&r);
}
END_TEST

START_TEST(an_ask_after_a_rekey_is_followed)
{
    struct rogue r;

    rogue_up_connector(&r, NULL);
    for (unsigned n = 0; n < 3; n++) {
        ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_ASK, NULL, 0), 0);
        ck_assert_uint_eq(rogue_hear(&r), 1);
        rogue_read_rekey_1(&r);
        ck_assert_int_eq(rogue_say_rekey_2(&r), 0);
        ck_assert_uint_eq(rogue_hear(&r), 2);
        ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_SWITCH, NULL, 0), 0);
        rogue_switch_sending(&r);
        rogue_rekey_over(&r);
        ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PING, "new key", 7), 0);
        ck_assert_uint_eq(rogue_hear(&r), 1);
    }
    ck_assert_uint_eq(rekeys(&r.victim), 3);
    rogue_free(&r);
}
END_TEST

/* ---- bye ---- */

/* Both directions have ended, nobody has confirmed. */
static void end_both(struct pair *p)
{
    ck_assert_int_eq(usi_channel_end(p->connector.c), 0);
    ck_assert_int_eq(usi_channel_end(p->listener.c), 0);
    pair_run(p);
}

START_TEST(a_closing_side_starts_no_rekey)
{
    struct pair p;

    pair_open(&p, NULL);
    end_both(&p);
    struct party *closing = _i == 0 ? &p.connector : &p.listener;
    ck_assert_int_eq(usi_channel_bye(closing->c), 0);
    ck_assert_int_eq(usi_channel_rekey(closing->c), 0);
    ck_assert(party_send(closing, USI_SEND_ROOM));
    ck_assert_uint_eq(closing->out.size, 276); /* `bye` alone */
    ck_assert_int_eq(usi_channel_rekey(closing->c), 0);
    party_tick(closing, closing->now + 3 * USI_REKEY_MS);
    ck_assert(!usi_channel_waiting(closing->c));
    ck_assert(!party_send(closing, USI_SEND_ROOM));
    pair_free(&p);
}
END_TEST

START_TEST(a_rekey_that_is_under_way_may_run_across_bye)
{
    struct pair p;

    pair_open(&p, NULL);
    end_both(&p);
    ck_assert_int_eq(usi_channel_rekey(p.connector.c), 0);
    ck_assert_int_eq(usi_channel_bye(p.connector.c), 0);
    ck_assert_int_eq(usi_channel_bye(p.listener.c), 0);
    pair_run(&p);
    ck_assert_int_eq(p.connector.result, 0);
    ck_assert_int_eq(p.listener.result, 0);
    ck_assert(usi_channel_idle(p.connector.c) && usi_channel_idle(p.listener.c));
    ck_assert_int_eq(usi_channel_open(p.connector.c), 0);
    octets_add(&p.connector.todo, "x", 1);
    pair_run(&p);
    octets_equal(&p.listener.got, "x", 1);
    pair_free(&p);
}
END_TEST

/* The connector has said bye when the ask arrives, so it does nothing. The next stream must still
 * get its rekey, or the listener would hold its data for ever at the hard limit. */
START_TEST(an_ask_that_came_too_late_is_asked_again)
{
    uint8_t chunk[40000] = {0};
    struct pair p = {.split = WHOLE, .dice = 4};

    party_connect(&p.connector, ring_of(NULL, 1, 32), NULL);
    party_listen(&p.listener, ring_of(NULL, 1, 32), &small);
    pair_run(&p);
    ck_assert_int_eq(usi_channel_open(p.connector.c), 0);
    pair_run(&p);
    end_both(&p);
    ck_assert_int_eq(usi_channel_bye(p.connector.c), 0);
    ck_assert_int_eq(usi_channel_rekey(p.listener.c), 0);
    pair_run(&p);
    ck_assert_int_eq(usi_channel_bye(p.listener.c), 0);
    pair_run(&p);
    ck_assert_uint_eq(rekeys(&p.connector), 0);
    ck_assert_int_eq(usi_channel_open(p.connector.c), 0);
    pair_run(&p);
    for (unsigned n = 0; n < 10; n++) {
        octets_add(&p.listener.todo, chunk, sizeof chunk);
        pair_run(&p);
    }
    ck_assert_uint_eq(p.listener.todo.size, 0);
    ck_assert_uint_eq(p.connector.got.size, 10 * sizeof chunk);
    pair_free(&p);
}
END_TEST

/* ---- limits ---- */

/* A listener that sends to a peer which never starts a rekey. */
static void rogue_at_hard_bytes(struct rogue *r)
{
    uint8_t *chunk = calloc(1, 2 * hard_bytes);

    ck_assert_ptr_nonnull(chunk);
    rogue_up_listener(r, &small);
    ck_assert_int_eq(rogue_say(r, USI_RECORD_TYPE_OPEN, NULL, 0), 0);
    octets_add(&r->victim.todo, chunk, 2 * hard_bytes);
    free(chunk);
    ck_assert_uint_gt(rogue_hear(r), 10);
    ck_assert(rogue_heard(r, USI_RECORD_TYPE_ASK));
}

START_TEST(data_is_held_at_the_hard_limit_in_octets)
{
    struct rogue r;

    rogue_at_hard_bytes(&r);
    ck_assert_uint_eq(usi_channel_room(r.victim.c), 0);
    ck_assert_uint_gt(r.victim.todo.size, 0);
    ck_assert_uint_le(r.victim.c->sealer.wire, hard_bytes - USI_HARD_RESERVE + 276);
    ck_assert_uint_ge(r.victim.c->sealer.wire, hard_bytes - USI_HARD_RESERVE - USI_RECORD_OVERHEAD);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PING, "?", 1), 0); /* all other records pass */
    ck_assert_uint_eq(rogue_hear(&r), 1);
    ck_assert(rogue_heard(&r, USI_RECORD_TYPE_PONG));
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_DATA, "x", 1), 0);
    rogue_free(&r);
}
END_TEST

START_TEST(an_end_passes_while_data_is_held)
{
    struct rogue r;

    rogue_at_hard_bytes(&r);
    octets_drop(&r.victim.todo, r.victim.todo.size);
    ck_assert_int_eq(usi_channel_end(r.victim.c), 0);
    ck_assert_uint_eq(rogue_hear(&r), 1);
    ck_assert(rogue_heard(&r, USI_RECORD_TYPE_END));
    rogue_free(&r);
}
END_TEST

START_TEST(a_rekey_ends_the_hold)
{
    struct rogue r;

    rogue_at_hard_bytes(&r);
    ck_assert_int_eq(rogue_say_rekey_1(&r), 0);
    ck_assert_uint_eq(rogue_hear(&r), 1);
    rogue_read_rekey_2(&r);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_SWITCH, NULL, 0), 0);
    rogue_switch_sending(&r);
    ck_assert_uint_eq(rogue_hear(&r), 0); /* its own direction changes only after the proof */
    ck_assert_uint_eq(usi_channel_room(r.victim.c), 0);
    ck_assert_int_eq(rogue_say_proof(&r), 0);
    ck_assert_int_eq(party_last(&r.victim).type, USI_EVENT_REKEYED);
    ck_assert_uint_gt(rogue_hear(&r), 2);
    ck_assert_uint_eq(r.type[0], USI_RECORD_TYPE_SWITCH);
    ck_assert_uint_eq(r.type[1], USI_RECORD_TYPE_DATA);
    rogue_rekey_over(&r);
    rogue_free(&r);
}
END_TEST

START_TEST(room_is_what_send_takes_up_to_the_hard_limit)
{
    uint8_t *chunk = calloc(1, 2 * hard_bytes), *out = malloc(2 * hard_bytes);
    size_t taken = 0, made = 0;
    struct pair p;

    ck_assert_ptr_nonnull(chunk);
    ck_assert_ptr_nonnull(out);
    pair_open(&p, &small);
    size_t room = usi_channel_room(p.connector.c);
    ck_assert_int_eq(
        usi_channel_send(p.connector.c, chunk, 2 * hard_bytes, &taken, out, 2 * hard_bytes, &made),
        0);
    ck_assert_uint_eq(taken, room);
    ck_assert_uint_eq(made, usi_channel_sealed_size(room));
    ck_assert_uint_eq(p.connector.c->sealer.wire, hard_bytes - USI_HARD_RESERVE);
    pair_free(&p);
    free(chunk);
    free(out);
}
END_TEST

START_TEST(data_is_held_past_the_hard_time_and_the_receiver_lives_on)
{
    struct rogue r;

    rogue_up_listener(&r, NULL);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_OPEN, NULL, 0), 0);
    party_tick(&r.victim, r.victim.now + USI_REKEY_MS * 3 / 2 - 1);
    ck_assert_uint_gt(usi_channel_room(r.victim.c), 0);
    party_tick(&r.victim, r.victim.now + 1);
    ck_assert_uint_eq(usi_channel_room(r.victim.c), 0);
    octets_add(&r.victim.todo, "held", 4);
    ck_assert_uint_eq(rogue_hear(&r), 1);
    ck_assert(rogue_heard(&r, USI_RECORD_TYPE_ASK));
    party_tick(&r.victim, r.victim.now + UINT64_C(1000) * USI_REKEY_MS);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_DATA, "x", 1), 0);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PING, "x", 1), 0);
    ck_assert_uint_eq(rogue_hear(&r), 1);
    ck_assert(rogue_heard(&r, USI_RECORD_TYPE_PONG));
    ck_assert_int_eq(rogue_say_rekey_1(&r), 0);
    ck_assert_uint_eq(rogue_hear(&r), 1);
    rogue_read_rekey_2(&r);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_SWITCH, NULL, 0), 0);
    rogue_switch_sending(&r);
    ck_assert_int_eq(rogue_say_proof(&r), 0);
    ck_assert_uint_eq(rogue_hear(&r), 2);
    octets_equal(&r.content[1], "held", 4);
    rogue_free(&r);
}
END_TEST

START_TEST(a_peer_past_the_hard_octet_limit_is_cut_off)
{
    struct rogue r;

    rogue_up_listener(&r, NULL);
    r.victim.c->opener.wire = 2 * USI_REKEY_BYTES - 276; /* as if so much had come */
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PING, NULL, 0), 0);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PING, NULL, 0), USI_ERR_KEY_LIMIT);
    rogue_free(&r);
}
END_TEST

static void add_flowing(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_hundred_rekeys_by_octets_with_data_both_ways, 0, 2);
    tcase_add_test(tcase, data_towards_the_connector_alone_rekeys_too);
    tcase_add_test(tcase, every_key_size_rekeys);
    tcase_add_loop_test(tcase, a_side_that_only_receives_keeps_its_own_limit, 0, 2);
    tcase_add_test(tcase, deadlines_are_up_to_a_tenth_early);
    tcase_add_test(tcase, there_is_no_deadline_during_a_handshake_or_rekey);
    tcase_add_loop_test(tcase, time_makes_one_rekey_whoever_sees_it_first, 0, 3);
    tcase_add_test(tcase, asking_again_changes_nothing);
    tcase_add_test(tcase, an_ask_during_a_rekey_is_ignored);
    tcase_add_test(tcase, an_ask_after_a_rekey_is_followed);
    tcase_add_loop_test(tcase, a_closing_side_starts_no_rekey, 0, 2);
    tcase_add_test(tcase, a_rekey_that_is_under_way_may_run_across_bye);
    tcase_add_test(tcase, an_ask_that_came_too_late_is_asked_again);
}

static void add_limits(TCase *tcase)
{
    tcase_add_test(tcase, data_is_held_at_the_hard_limit_in_octets);
    tcase_add_test(tcase, an_end_passes_while_data_is_held);
    tcase_add_test(tcase, a_rekey_ends_the_hold);
    tcase_add_test(tcase, room_is_what_send_takes_up_to_the_hard_limit);
    tcase_add_test(tcase, data_is_held_past_the_hard_time_and_the_receiver_lives_on);
    tcase_add_test(tcase, a_peer_past_the_hard_octet_limit_is_cut_off);
}

int main(void)
{
    Suite *suite = suite_create("rekey");

    add_flowing(support_case(suite, "flowing on"));
    add_limits(support_case(suite, "limits"));
    return support_run(suite);
}
