/* Service records: what chat and files are made of. */
#include "channel/channel.h"

#include "rogue.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t x[1] = {'x'};

/* One record to the peer's side of the wire; whether it went. */
static bool say(struct party *p, uint8_t type, const void *content, size_t size)
{
    size_t room = usi_channel_sealed_record(size) + USI_SEND_ROOM, made = 0;
    uint8_t *out = malloc(room);
    bool taken = false;

    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(usi_channel_send_record(p->c, type, content, size, &taken, out, room, &made),
                     0);
    octets_add(&p->out, out, made);
    free(out);
    return taken;
}

static void open_service(struct pair *p, enum usi_service service,
                         const struct usi_settings *settings)
{
    pair_up(p, 32, settings);
    ck_assert_int_eq(usi_channel_open_for(p->connector.c, service), 0);
    pair_run(p);
    ck_assert_uint_eq(p->listener.seen[USI_EVENT_OPEN], 1);
    ck_assert_int_eq(usi_channel_service(p->connector.c), service);
    ck_assert_int_eq(usi_channel_service(p->listener.c), service);
}

START_TEST(records_of_any_size_arrive_whole_both_ways)
{
    static const size_t sizes[] = {0, 1, 234, 235, 236, 65535, 65536};
    uint8_t *content = malloc(USI_RECORD_DATA);
    struct pair p;

    ck_assert_ptr_nonnull(content);
    open_service(&p, USI_SERVICE_CHAT, NULL);
    p.split = (enum split)_i;
    for (unsigned n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        for (unsigned way = 0; way < 2; way++) {
            struct party *from = way == 0 ? &p.connector : &p.listener;
            struct party *to = way == 0 ? &p.listener : &p.connector;
            uint8_t type = (uint8_t)(32 + 9 * n);
            dice_fill(&p.dice, content, sizes[n]);
            ck_assert(say(from, type, content, sizes[n]));
            pair_run(&p);
            ck_assert_int_eq(party_last(to).type, USI_EVENT_RECORD);
            ck_assert_uint_eq(party_last(to).record, type);
            ck_assert_uint_eq(party_last(to).size, sizes[n]);
            octets_equal(&to->got, content, sizes[n]);
            octets_drop(&to->got, sizes[n]);
        }
    }
    free(content);
    pair_free(&p);
}
END_TEST

START_TEST(a_service_ends_as_any_stream_does)
{
    struct pair p;

    open_service(&p, USI_SERVICE_GIVE, NULL);
    ck_assert(say(&p.connector, 64, "offer", 5));
    ck_assert_int_eq(usi_channel_end(p.connector.c), 0);
    ck_assert(!say(&p.connector, 64, "late", 4)); /* only `end` goes */
    ck_assert_int_eq(usi_channel_end(p.listener.c), 0);
    pair_run(&p);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_RECORD], 1);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_END], 1);
    ck_assert_int_eq(usi_channel_bye(p.connector.c), 0);
    ck_assert_int_eq(usi_channel_bye(p.listener.c), 0);
    pair_run(&p);
    ck_assert(usi_channel_idle(p.connector.c) && usi_channel_idle(p.listener.c));
    ck_assert_int_eq(usi_channel_open(p.connector.c), 0); /* the next is a pipe */
    octets_add(&p.connector.todo, "data", 4);
    octets_drop(&p.listener.got, p.listener.got.size);
    pair_run(&p);
    octets_equal(&p.listener.got, "data", 4);
    pair_free(&p);
}
END_TEST

START_TEST(calls_that_do_not_fit_the_service_are_refused_and_harmless)
{
    uint8_t out[512];
    size_t made, taken;
    bool went;
    struct pair p;

    pair_up(&p, 32, NULL);
    ck_assert_int_eq(usi_channel_open_for(p.connector.c, (enum usi_service)4), USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_open_for(p.listener.c, USI_SERVICE_CHAT), USI_ERR_ARGUMENT);
    ck_assert_int_eq(
        usi_channel_send_record(p.connector.c, 32, x, 1, &went, out, sizeof out, &made),
        USI_ERR_ARGUMENT); /* no stream */
    ck_assert_int_eq(usi_channel_open_for(p.connector.c, USI_SERVICE_TAKE), 0);
    pair_run(&p);
    ck_assert_int_eq(
        usi_channel_send_record(p.connector.c, 32, x, 1, &went, out, sizeof out, &made),
        USI_ERR_ARGUMENT); /* of chat */
    ck_assert_int_eq(
        usi_channel_send_record(p.connector.c, 96, x, 1, &went, out, sizeof out, &made),
        USI_ERR_ARGUMENT);
    ck_assert_int_eq(usi_channel_send_record(p.connector.c, 64, out, USI_RECORD_DATA + 1, &went,
                                             out, sizeof out, &made),
                     USI_ERR_ARGUMENT);
    ck_assert_int_eq(
        usi_channel_send(p.connector.c, (const uint8_t *)"x", 1, &taken, out, sizeof out, &made),
        USI_ERR_ARGUMENT); /* no data in a service */
    /* Too little room for the record: it stays, and nothing is broken. */
    ck_assert_int_eq(usi_channel_send_record(p.connector.c, 64, x, 1, &went, out, 100, &made), 0);
    ck_assert(!went);
    ck_assert_uint_eq(made, 0);
    ck_assert(say(&p.connector, 64, "x", 1));
    pair_run(&p);
    octets_equal(&p.listener.got, "x", 1);
    pair_free(&p);
}
END_TEST

/* A rogue opens `service` (-1: nothing) and sends one record of `type`; what the listener says. */
static int told(int service, int type, bool ended)
{
    struct rogue r;
    uint8_t octet = (uint8_t)service;
    int result;

    rogue_up_listener(&r, NULL);
    if (service >= 0)
        ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_OPEN, &octet, service > 0), 0);
    if (ended)
        ck_assert_int_eq(rogue_say_end(&r, 0), 0);
    result = rogue_say(&r, type, "content", 7);
    rogue_free(&r);
    return result;
}

START_TEST(records_out_of_place_are_fatal)
{
    ck_assert_int_eq(told(USI_SERVICE_CHAT, 32, false), 0);
    ck_assert_int_eq(told(USI_SERVICE_CHAT, 95, false), 0);
    ck_assert_int_eq(told(USI_SERVICE_GIVE, 64, false), 0);
    ck_assert_int_eq(told(USI_SERVICE_TAKE, 95, false), 0);
    ck_assert_int_eq(told(-1, 32, false), USI_ERR_PROTOCOL);
    ck_assert_int_eq(told(-1, 64, false), USI_ERR_PROTOCOL);
    ck_assert_int_eq(told(USI_SERVICE_PIPE, 32, false), USI_ERR_PROTOCOL);
    ck_assert_int_eq(told(USI_SERVICE_PIPE, 64, false), USI_ERR_PROTOCOL);
    ck_assert_int_eq(told(USI_SERVICE_GIVE, 63, false), USI_ERR_PROTOCOL);
    ck_assert_int_eq(told(USI_SERVICE_CHAT, 31, false), USI_ERR_PROTOCOL);
    ck_assert_int_eq(told(USI_SERVICE_CHAT, 96, false), USI_ERR_PROTOCOL);
    ck_assert_int_eq(told(USI_SERVICE_CHAT, 255, false), USI_ERR_PROTOCOL);
    ck_assert_int_eq(told(USI_SERVICE_CHAT, USI_RECORD_TYPE_DATA, false), USI_ERR_PROTOCOL);
    ck_assert_int_eq(told(USI_SERVICE_CHAT, 32, true), USI_ERR_PROTOCOL);
    ck_assert_int_eq(told(200, 32, false), USI_ERR_PROTOCOL); /* nobody's */
}
END_TEST

START_TEST(a_service_that_is_not_known_is_told_and_can_be_refused)
{
    static const uint8_t unknown = 200;
    struct rogue r;

    rogue_up_listener(&r, NULL);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_OPEN, &unknown, 1), 0);
    ck_assert_uint_eq(r.victim.seen[USI_EVENT_OPEN], 1);
    ck_assert_int_eq((int)usi_channel_service(r.victim.c), 200);
    ck_assert_int_eq(usi_channel_abort(r.victim.c, USI_REASON_NOT_SUPPORTED), 0);
    (void)rogue_hear(&r);
    ck_assert(rogue_heard(&r, USI_RECORD_TYPE_ABORT));
    rogue_free(&r);

    rogue_up_listener(&r, NULL);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_OPEN, "\1\1", 2), USI_ERR_PROTOCOL);
    rogue_free(&r);
}
END_TEST

START_TEST(records_wait_for_a_rekey_under_the_hard_limit)
{
    static const struct usi_settings settings = {.rekey_bytes = USI_REKEY_BYTES_MIN};
    uint8_t *content = calloc(1, 16384);
    struct pair p;
    unsigned went = 0, held = 0;

    ck_assert_ptr_nonnull(content);
    open_service(&p, USI_SERVICE_CHAT, &settings);
    for (unsigned n = 0; n < 64; n++) {
        /* the peer hears nothing for a while, then all of it */
        while (went < 16 * (n + 1) && held <= n) {
            if (say(&p.connector, 40, content, 16384))
                went++;
            else
                held++;
        }
        pair_run(&p);
        ck_assert_int_eq(p.listener.result, 0);
        ck_assert_int_eq(p.connector.result, 0);
        octets_drop(&p.listener.got, p.listener.got.size);
    }
    ck_assert_uint_gt(held, 0);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_RECORD], went);
    ck_assert_uint_gt(p.listener.seen[USI_EVENT_REKEYED], 8);
    free(content);
    pair_free(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("services");
    TCase *tcase = support_case(suite, "records");

    tcase_add_loop_test(tcase, records_of_any_size_arrive_whole_both_ways, WHOLE, AT_RANDOM + 1);
    tcase_add_test(tcase, a_service_ends_as_any_stream_does);
    tcase_add_test(tcase, calls_that_do_not_fit_the_service_are_refused_and_harmless);
    tcase_add_test(tcase, records_out_of_place_are_fatal);
    tcase_add_test(tcase, a_service_that_is_not_known_is_told_and_can_be_refused);
    tcase_add_test(tcase, records_wait_for_a_rekey_under_the_hard_limit);
    return support_run(suite);
}
