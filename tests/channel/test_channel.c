/* Streams: what a channel carries once both sides are known. */
#include "channel/channel.h"

#include "rogue.h"
#include "support.h"

#include <stdlib.h>

/* ---- the ordinary course ---- */

/* Ends and confirms both directions; both sides are clean again. */
static void close_stream(struct pair *p)
{
    unsigned ends = p->connector.seen[USI_EVENT_END], byes = p->connector.seen[USI_EVENT_BYE];

    ck_assert_int_eq(usi_channel_end(p->connector.c), 0);
    ck_assert_int_eq(usi_channel_end(p->listener.c), 0);
    pair_run(p);
    ck_assert_uint_eq(p->connector.seen[USI_EVENT_END], ends + 1);
    ck_assert_uint_eq(p->listener.seen[USI_EVENT_END], ends + 1);
    ck_assert_int_eq(usi_channel_bye(p->connector.c), 0);
    ck_assert_int_eq(usi_channel_bye(p->listener.c), 0);
    pair_run(p);
    ck_assert_uint_eq(p->connector.seen[USI_EVENT_BYE], byes + 1);
    ck_assert_uint_eq(p->listener.seen[USI_EVENT_BYE], byes + 1);
    ck_assert(usi_channel_idle(p->connector.c));
    ck_assert(usi_channel_idle(p->listener.c));
    ck_assert_int_eq(p->connector.result, 0);
    ck_assert_int_eq(p->listener.result, 0);
}

START_TEST(streams_follow_each_other_on_one_channel)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000};
    uint8_t *data = malloc(300000);
    struct usi_counts counts;
    struct pair p;
    uint64_t sent = 0;

    ck_assert_ptr_nonnull(data);
    pair_up(&p, 32, NULL);
    p.split = (enum split)_i;
    for (unsigned n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        size_t there = sizes[n], back = sizes[5 - n];
        dice_fill(&p.dice, data, 300000);
        ck_assert_int_eq(usi_channel_open(p.connector.c), 0);
        octets_add(&p.connector.todo, data, there);
        pair_run(&p);
        octets_add(&p.listener.todo, data, back);
        pair_run(&p);
        octets_equal(&p.listener.got, data, there);
        octets_equal(&p.connector.got, data, back);
        octets_drop(&p.listener.got, there);
        octets_drop(&p.connector.got, back);
        close_stream(&p);
        sent += there;
    }
    usi_channel_counts(p.connector.c, &counts);
    ck_assert_uint_eq(counts.sent, sent);
    ck_assert_uint_eq(counts.received, sent);
    ck_assert_uint_eq(counts.streams, 6);
    ck_assert_uint_eq(counts.rekeys, 0);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_OPEN], 6);
    pair_free(&p);
    free(data);
}
END_TEST

START_TEST(one_direction_goes_on_after_the_other_ended)
{
    struct usi_counts counts;
    struct pair p;

    pair_open(&p, NULL);
    ck_assert_int_eq(usi_channel_end(p.connector.c), 0);
    pair_run(&p);
    ck_assert_int_eq(party_last(&p.listener).type, USI_EVENT_END);
    usi_channel_counts(p.listener.c, &counts);
    ck_assert(counts.end_received && !counts.end_sent);
    usi_channel_counts(p.connector.c, &counts);
    ck_assert(!counts.end_received && counts.end_sent);
    ck_assert_uint_eq(usi_channel_room(p.connector.c), 0);
    octets_add(&p.listener.todo, "late answer", 11);
    pair_run(&p);
    octets_equal(&p.connector.got, "late answer", 11);
    ck_assert_int_eq(usi_channel_end(p.listener.c), 0);
    pair_run(&p);
    ck_assert_int_eq(usi_channel_bye(p.connector.c), 0);
    pair_run(&p);
    ck_assert(!usi_channel_idle(p.connector.c)); /* the listener has not confirmed yet */
    ck_assert(!usi_channel_idle(p.listener.c));
    ck_assert_int_eq(usi_channel_open(p.connector.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_bye(p.listener.c), 0);
    pair_run(&p);
    ck_assert(usi_channel_idle(p.connector.c));
    pair_free(&p);
}
END_TEST

START_TEST(open_data_end_can_leave_in_one_write)
{
    struct pair p;

    pair_up(&p, 16, NULL);
    ck_assert_int_eq(usi_channel_open(p.connector.c), 0);
    octets_add(&p.connector.todo, "x", 1);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM)); /* open and data */
    ck_assert_int_eq(usi_channel_end(p.connector.c), 0);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    ck_assert_int_eq(party_receive(&p.listener, p.connector.out.base, p.connector.out.size), 0);
    octets_equal(&p.listener.got, "x", 1);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_END], 1);
    pair_free(&p);
}
END_TEST

START_TEST(calls_out_of_place_are_refused_and_harmless)
{
    struct pair p;

    pair_up(&p, 32, NULL);
    ck_assert_int_eq(usi_channel_open(p.listener.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_check(p.listener.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_end(p.connector.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_end(p.listener.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_bye(p.connector.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_open(p.connector.c), 0);
    ck_assert_int_eq(usi_channel_open(p.connector.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_check(p.connector.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_bye(p.connector.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_end(p.connector.c), 0);
    ck_assert_int_eq(usi_channel_end(p.connector.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_bye(p.connector.c), USI_ERR_ARGUMENT); /* the peer has not ended */
    pair_run(&p);
    ck_assert_int_eq(usi_channel_bye(p.listener.c), USI_ERR_ARGUMENT); /* it has not ended itself */
    ck_assert_int_eq(usi_channel_end(p.listener.c), 0);
    pair_run(&p);
    ck_assert_int_eq(usi_channel_bye(p.listener.c), 0);
    ck_assert_int_eq(usi_channel_bye(p.listener.c), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_bye(p.connector.c), 0);
    pair_run(&p);
    ck_assert(usi_channel_idle(p.connector.c) && usi_channel_idle(p.listener.c));
    ck_assert_int_eq(usi_channel_check(p.connector.c), USI_ERR_ARGUMENT); /* not after a stream */
    pair_free(&p);
}
END_TEST

START_TEST(no_data_is_taken_without_a_stream)
{
    struct pair p;

    pair_up(&p, 32, NULL);
    octets_add(&p.connector.todo, "x", 1);
    octets_add(&p.listener.todo, "y", 1);
    ck_assert(!party_send(&p.connector, USI_SEND_ROOM));
    ck_assert(!party_send(&p.listener, USI_SEND_ROOM));
    ck_assert_uint_eq(usi_channel_room(p.connector.c), 0);
    ck_assert_uint_eq(p.connector.todo.size, 1);
    pair_free(&p);
}
END_TEST

/* ---- room ---- */

START_TEST(sealed_size_is_exact)
{
    static const size_t sizes[] = {1, 2, 100, 65535, 65536, 65537, 131072, 131073, 200000};
    struct pair p;

    pair_open(&p, NULL);
    for (unsigned n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        size_t sealed = usi_channel_sealed_size(sizes[n]);
        uint8_t *data = calloc(1, sizes[n]);
        ck_assert_ptr_nonnull(data);
        octets_add(&p.connector.todo, data, sizes[n]);
        ck_assert(party_send(&p.connector, sealed)); /* all of it, in just that room */
        ck_assert_uint_eq(p.connector.todo.size, 0);
        ck_assert_uint_eq(p.connector.out.size, sealed);
        octets_drop(&p.connector.out, sealed);
        free(data);
    }
    ck_assert_uint_eq(usi_channel_sealed_size(0), 0);
    pair_free(&p);
}
END_TEST

START_TEST(any_room_for_output_is_kept_to)
{
    uint8_t data[700];
    struct pair p;

    memset(data, 0x42, sizeof data);
    pair_open(&p, NULL);
    for (size_t room = 0; room < 800; room++) {
        octets_add(&p.connector.todo, data, sizeof data);
        ck_assert(party_send(&p.connector, room) == (room > USI_RECORD_OVERHEAD));
        if (room == 400) { /* a control record that waits goes first, and whole */
            ck_assert_int_eq(usi_channel_end(p.connector.c), 0);
            break;
        }
        octets_drop(&p.connector.todo, p.connector.todo.size);
    }
    octets_drop(&p.connector.todo, p.connector.todo.size);
    ck_assert(!party_send(&p.connector, 275));
    ck_assert(party_send(&p.connector, 276));
    ck_assert_int_eq(party_receive(&p.listener, p.connector.out.base, p.connector.out.size), 0);
    ck_assert_int_eq(party_last(&p.listener).type, USI_EVENT_END); /* with the right count */
    pair_free(&p);
}
END_TEST

START_TEST(a_full_buffer_asks_for_room)
{
    struct usi_event event;
    struct usi_buffer to;
    uint8_t plain[300];
    size_t taken = 0;
    struct pair p;

    pair_open(&p, NULL);
    octets_add(&p.connector.todo, "0123456789", 10);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    octets_add(&p.connector.todo, "abcdefghij", 10);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    to = (struct usi_buffer){.base = plain, .size = 20};
    const struct octets *wire = &p.connector.out;
    ck_assert_int_eq(usi_channel_receive(p.listener.c, wire->base, wire->size, &taken, &to, &event),
                     0);
    ck_assert_int_eq(event.type, USI_EVENT_ROOM);
    ck_assert_uint_eq(to.used, 10);
    ck_assert_mem_eq(plain, "0123456789", 10);
    ck_assert_uint_lt(taken, wire->size);
    size_t at = taken;
    to.used = 0;
    ck_assert_int_eq(
        usi_channel_receive(p.listener.c, wire->base + at, wire->size - at, &taken, &to, &event),
        0);
    ck_assert_int_eq(event.type, USI_EVENT_NONE);
    ck_assert_uint_eq(at + taken, wire->size);
    ck_assert_uint_eq(to.used, 10);
    ck_assert_mem_eq(plain, "abcdefghij", 10);
    ck_assert_uint_eq(usi_channel_partial(p.listener.c), 0);
    pair_free(&p);
}
END_TEST

START_TEST(records_before_a_bad_one_are_delivered)
{
    struct usi_event event;
    size_t taken = 0;
    struct pair p;

    pair_open(&p, NULL);
    octets_add(&p.connector.todo, "good", 4);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    octets_add(&p.connector.todo, "evil", 4);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    p.connector.out.base[p.connector.out.size - 1] ^= 1;
    ck_assert_int_eq(usi_channel_receive(p.listener.c, p.connector.out.base, p.connector.out.size,
                                         &taken, &p.listener.buffer, &event),
                     USI_ERR_TAMPERED);
    ck_assert_uint_eq(p.listener.buffer.used, 4);
    ck_assert_mem_eq(p.listener.plain, "good", 4);
    ck_assert_mem_ne(p.listener.plain + 4, "evil", 4);
    ck_assert(!usi_channel_waiting(p.listener.c));
    ck_assert_int_eq(usi_channel_tick(p.listener.c, 1), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_abort(p.listener.c, 1), USI_ERR_ARGUMENT);
    pair_free(&p);
}
END_TEST

START_TEST(partial_says_how_much_of_a_record_is_in)
{
    struct usi_event event;
    size_t taken = 0;
    struct pair p;

    pair_open(&p, NULL);
    octets_add(&p.connector.todo, "12345678", 8);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    for (size_t at = 0; at < p.connector.out.size; at++) {
        ck_assert_uint_eq(usi_channel_partial(p.listener.c), at > USI_RECORD_HEADER ? at : 0);
        ck_assert_uint_eq(p.listener.buffer.used, 0);
        ck_assert_int_eq(usi_channel_receive(p.listener.c, p.connector.out.base + at, 1, &taken,
                                             &p.listener.buffer, &event),
                         0);
        ck_assert_uint_eq(taken, 1);
    }
    ck_assert_uint_eq(usi_channel_partial(p.listener.c), 0);
    ck_assert_uint_eq(p.listener.buffer.used, 8);
    pair_free(&p);
}
END_TEST

/* ---- --check ---- */

START_TEST(a_check_is_answered_and_leaves_the_channel_clean)
{
    struct pair p;

    pair_up(&p, 32, NULL);
    ck_assert_int_eq(usi_channel_check(p.connector.c), 0);
    ck_assert(!usi_channel_idle(p.connector.c));
    ck_assert_int_eq(usi_channel_open(p.connector.c), USI_ERR_ARGUMENT);
    pair_run(&p);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_CHECK], 1);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_OPEN], 0);
    ck_assert_uint_eq(p.connector.seen[USI_EVENT_BYE], 1);
    ck_assert(usi_channel_idle(p.connector.c) && usi_channel_idle(p.listener.c));
    ck_assert_int_eq(p.connector.result, 0);
    ck_assert_int_eq(p.listener.result, 0);
    pair_free(&p);
}
END_TEST

START_TEST(a_check_leaves_with_the_proof)
{
    struct pair p;

    pair_new(&p, 32, NULL);
    while (p.connector.seen[USI_EVENT_AUTHENTICATED] == 0) {
        (void)party_send(&p.connector, USI_SEND_ROOM);
        ck_assert_int_eq(party_receive(&p.listener, p.connector.out.base, p.connector.out.size), 0);
        octets_drop(&p.connector.out, p.connector.out.size);
        (void)party_send(&p.listener, USI_SEND_ROOM);
        ck_assert_int_eq(party_receive(&p.connector, p.listener.out.base, p.listener.out.size), 0);
    }
    ck_assert_int_eq(usi_channel_check(p.connector.c), 0);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    ck_assert_uint_eq(p.connector.out.size, 2 * 276);
    pair_free(&p);
}
END_TEST

/* ---- abort ---- */

START_TEST(every_reason_arrives_and_nothing_follows)
{
    for (unsigned reason = 0; reason < 256; reason++) {
        struct pair p;
        pair_open(&p, NULL);
        struct party *from = reason % 2 ? &p.connector : &p.listener;
        struct party *to = reason % 2 ? &p.listener : &p.connector;
        octets_add(&from->todo, "never sent", 10);
        ck_assert_int_eq(usi_channel_abort(from->c, (uint8_t)reason), 0);
        ck_assert_int_eq(usi_channel_abort(from->c, 1), USI_ERR_ARGUMENT);
        ck_assert_int_eq(usi_channel_end(from->c), USI_ERR_ARGUMENT);
        ck_assert(usi_channel_waiting(from->c));
        ck_assert(party_send(from, USI_SEND_ROOM));
        ck_assert_uint_eq(from->out.size, 276);
        party_tick(from, from->now + 3 * USI_REKEY_MS);
        ck_assert(!party_send(from, USI_SEND_ROOM));
        ck_assert(!usi_channel_waiting(from->c));
        pair_run(&p);
        ck_assert_int_eq(party_last(to).type, USI_EVENT_ABORT);
        ck_assert_uint_eq(party_last(to).reason, reason);
        ck_assert_uint_eq(to->got.size, 0);
        octets_add(&to->todo, "x", 1);
        party_tick(to, to->now + 3 * USI_REKEY_MS);
        ck_assert(!party_send(to, USI_SEND_ROOM)); /* nor does the other side go on */
        ck_assert(!usi_channel_idle(to->c) && !usi_channel_idle(from->c));
        ck_assert_int_eq(usi_channel_open(p.connector.c), USI_ERR_ARGUMENT);
        pair_free(&p);
    }
}
END_TEST

/* From the call on, sealed or not. */
START_TEST(nothing_goes_out_before_a_waiting_abort_either)
{
    struct rogue r;

    rogue_up_listener(&r, NULL);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_OPEN, NULL, 0), 0);
    ck_assert_int_eq(rogue_say_end(&r, 0), 0);
    ck_assert_int_eq(usi_channel_end(r.victim.c), 0);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PING, "p", 1), 0);
    party_tick(&r.victim, r.victim.now + 2 * USI_REKEY_MS);
    ck_assert_int_eq(usi_channel_abort(r.victim.c, USI_REASON_STOPPING), 0);
    ck_assert(!usi_channel_idle(r.victim.c));
    ck_assert_int_eq(usi_channel_bye(r.victim.c), USI_ERR_ARGUMENT);
    party_tick(&r.victim, r.victim.now + 2 * USI_REKEY_MS);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PING, "p", 1),
                     0); /* read no more, but no error */
    ck_assert_uint_eq(rogue_hear(&r), 1);
    ck_assert(rogue_heard(&r, USI_RECORD_TYPE_ABORT));
    ck_assert_uint_eq(r.content[0].base[0], USI_REASON_STOPPING);
    ck_assert(!usi_channel_waiting(r.victim.c));
    rogue_free(&r);
}
END_TEST

START_TEST(a_connector_that_aborts_between_streams_sends_no_rekey)
{
    struct rogue r;

    rogue_up_connector(&r, NULL);
    ck_assert_int_eq(usi_channel_abort(r.victim.c, USI_REASON_STOPPING), 0);
    ck_assert(!usi_channel_idle(r.victim.c));
    ck_assert_int_eq(usi_channel_open(r.victim.c), USI_ERR_ARGUMENT);
    party_tick(&r.victim, r.victim.now + 2 * USI_REKEY_MS);
    ck_assert_uint_eq(rogue_hear(&r), 1);
    ck_assert(rogue_heard(&r, USI_RECORD_TYPE_ABORT));
    rogue_free(&r);
}
END_TEST

/* A listener must be able to believe it: the proof goes first. */
START_TEST(an_abort_right_after_the_handshake_follows_the_proof)
{
    struct pair p;

    pair_new(&p, 32, NULL);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    ck_assert_int_eq(party_receive(&p.listener, p.connector.out.base, p.connector.out.size), 0);
    octets_drop(&p.connector.out, p.connector.out.size);
    ck_assert(party_send(&p.listener, USI_SEND_ROOM));
    ck_assert_int_eq(party_receive(&p.connector, p.listener.out.base, p.listener.out.size), 0);
    ck_assert_int_eq(usi_channel_abort(p.connector.c, USI_REASON_LOCAL_IO), 0);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    ck_assert_int_eq(party_receive(&p.listener, p.connector.out.base, p.connector.out.size), 0);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    ck_assert_int_eq(party_last(&p.listener).type, USI_EVENT_ABORT);
    pair_free(&p);
}
END_TEST

START_TEST(a_malformed_abort_is_refused)
{
    struct rogue r;

    rogue_up_listener(&r, NULL);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_ABORT, "", 0), USI_ERR_PROTOCOL);
    rogue_free(&r);
    rogue_up_listener(&r, NULL);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_ABORT, "ab", 2), USI_ERR_PROTOCOL);
    rogue_free(&r);
}
END_TEST

START_TEST(a_channel_at_rest_wakes_up)
{
    struct pair p;

    pair_open(&p, NULL);
    for (unsigned n = 0; n < 3; n++) {
        usi_channel_rest(p.connector.c);
        usi_channel_rest(p.listener.c);
        octets_add(&p.connector.todo, "there", 5);
        octets_add(&p.listener.todo, "back", 4);
        pair_run(&p);
    }
    octets_equal(&p.listener.got, "theretherethere", 15);
    octets_equal(&p.connector.got, "backbackback", 12);
    pair_free(&p);
}
END_TEST

/* What a half record has made of its context must not be lost. */
START_TEST(rest_waits_for_a_record_that_is_half_way_in)
{
    struct pair p;

    pair_open(&p, NULL);
    octets_add(&p.connector.todo, "one record", 10);
    ck_assert(party_send(&p.connector, USI_SEND_ROOM));
    for (size_t at = 0; at < p.connector.out.size; at++) {
        ck_assert_int_eq(party_receive(&p.listener, p.connector.out.base + at, 1), 0);
        usi_channel_rest(p.listener.c);
    }
    octets_equal(&p.listener.got, "one record", 10);
    pair_free(&p);
}
END_TEST

static void add_course(TCase *tcase)
{
    tcase_add_loop_test(tcase, streams_follow_each_other_on_one_channel, 0, 3);
    tcase_add_test(tcase, a_channel_at_rest_wakes_up);
    tcase_add_test(tcase, rest_waits_for_a_record_that_is_half_way_in);
    tcase_add_test(tcase, one_direction_goes_on_after_the_other_ended);
    tcase_add_test(tcase, open_data_end_can_leave_in_one_write);
    tcase_add_test(tcase, calls_out_of_place_are_refused_and_harmless);
    tcase_add_test(tcase, no_data_is_taken_without_a_stream);
    tcase_add_test(tcase, sealed_size_is_exact);
    tcase_add_test(tcase, any_room_for_output_is_kept_to);
    tcase_add_test(tcase, a_full_buffer_asks_for_room);
    tcase_add_test(tcase, records_before_a_bad_one_are_delivered);
    tcase_add_test(tcase, partial_says_how_much_of_a_record_is_in);
    tcase_add_test(tcase, a_check_is_answered_and_leaves_the_channel_clean);
    tcase_add_test(tcase, a_check_leaves_with_the_proof);
}

static void add_abort(TCase *tcase)
{
    tcase_add_test(tcase, every_reason_arrives_and_nothing_follows);
    tcase_add_test(tcase, nothing_goes_out_before_a_waiting_abort_either);
    tcase_add_test(tcase, a_connector_that_aborts_between_streams_sends_no_rekey);
    tcase_add_test(tcase, an_abort_right_after_the_handshake_follows_the_proof);
    tcase_add_test(tcase, a_malformed_abort_is_refused);
}

int main(void)
{
    Suite *suite = suite_create("channel");

    add_course(support_case(suite, "course"));
    add_abort(support_case(suite, "abort"));
    return support_run(suite);
}
