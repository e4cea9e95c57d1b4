/* What an authentic peer may say in a stream, and what not: records sealed by a rogue. */
#include "channel/channel.h"

#include "rogue.h"
#include "support.h"

enum role { TO_LISTENER, TO_CONNECTOR };

/* A victim with an open stream. */
static void rogue_open(struct rogue *r, enum role role)
{
    if (role == TO_LISTENER) {
        rogue_up_listener(r, NULL);
        ck_assert_int_eq(rogue_say(r, USI_RECORD_TYPE_OPEN, NULL, 0), 0);
        ck_assert_int_eq(party_last(&r->victim).type, USI_EVENT_OPEN);
    } else {
        rogue_up_connector(r, NULL);
        ck_assert_int_eq(usi_channel_open(r->victim.c), 0);
        ck_assert_uint_eq(rogue_hear(r), 1);
        ck_assert(rogue_heard(r, USI_RECORD_TYPE_OPEN));
    }
}

/* A list of things said, octet by octet: see say_one. What the last of them gives. */
struct course {
    const char *said;
    int to_listener, to_connector; /* 1: not for this role */
};

static int say_one(struct rogue *r, char what)
{
    switch (what) {
    case 'd':
        return rogue_say(r, USI_RECORD_TYPE_DATA, "d", 1);
    case '0':
        return rogue_say(r, USI_RECORD_TYPE_DATA, NULL, 0);
    case 'e': /* with the count of one 'd' */
        return rogue_say_end(r, 1);
    case 'E':
        return rogue_say_end(r, 0);
    case 'l':
        return rogue_say_end(r, UINT64_MAX);
    case '7':
        return rogue_say(r, USI_RECORD_TYPE_END, "\0\0\0\0\0\0\0", 7);
    case '9':
        return rogue_say(r, USI_RECORD_TYPE_END, "\0\0\0\0\0\0\0\0", 9);
    case 'b':
        return rogue_say(r, USI_RECORD_TYPE_BYE, NULL, 0);
    case 'B':
        return rogue_say(r, USI_RECORD_TYPE_BYE, "x", 1);
    case 'o':
        return rogue_say(r, USI_RECORD_TYPE_OPEN, NULL, 0);
    case 'O':
        return rogue_say(r, USI_RECORD_TYPE_OPEN, "xx", 2);
    case 'p':
        return rogue_say(r, USI_RECORD_TYPE_PING, "x", 1);
    case 'v': /* the victim ends */
        return usi_channel_end(r->victim.c) != 0 || rogue_hear(r) != 1 ? -99 : 0;
    case 'V': /* the victim says bye */
        return usi_channel_bye(r->victim.c) != 0 || rogue_hear(r) != 1 ? -99 : 0;
    default:
        ck_abort_msg("no such step: %c", what);
        return -99;
    }
}

static int run_course(struct rogue *r, const char *said)
{
    int result = 0;

    for (; *said != '\0'; said++) {
        result = say_one(r, *said);
        ck_assert_msg(result == 0 || said[1] == '\0', "step %c already gives %d", *said, result);
    }
    return result;
}

/* With a stream open. */
static const struct course within[] = {
    {"d", 0, 0},
    {"0", 0, 0},
    {"de", 0, 0},
    {"d0e", 0, 0},
    {"E", 0, 0},
    {"dpe", 0, 0},
    {"dE", USI_ERR_COUNT, USI_ERR_COUNT},
    {"e", USI_ERR_COUNT, USI_ERR_COUNT},
    {"dde", USI_ERR_COUNT, USI_ERR_COUNT},
    {"l", USI_ERR_COUNT, USI_ERR_COUNT},
    {"7", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"9", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"ded", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"de0", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"dee", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"EE", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"o", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"deo", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"b", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"deb", USI_ERR_PROTOCOL,
     USI_ERR_PROTOCOL}, /* the victim has not ended: what does it confirm? */
    {"vb", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"vdeB", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"vdeb", 0, 0},
    {"devb", 0, 0},
    {"vdebb", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"vdebd", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"vdeVd", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"vdebo", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL}, /* not before the victim's own bye */
    {"vdeVo", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"vdebp", 0, 0},
    {"vdebVo", 0, USI_ERR_PROTOCOL},
    {"vdeVbo", 0, USI_ERR_PROTOCOL},
    {"vdebVd", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"vdebVE", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"vdebVb", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL}, /* `bye` for a check comes first or never */
    {"vdebVoE", 0, 1},                              /* counts begin anew */
    {"vdebVode", 0, 1},
    {"vdebVoe", USI_ERR_COUNT, 1},
};

START_TEST(courses_within_a_stream)
{
    const struct course *c = &within[_i / 2];
    enum role role = (enum role)(_i % 2);
    int expected = role == TO_LISTENER ? c->to_listener : c->to_connector;
    struct rogue r;

    if (expected == 1)
        return;
    rogue_open(&r, role);
    int result = run_course(&r, c->said);
    ck_assert_msg(result == expected, "%s to %s: %d", c->said,
                  role == TO_LISTENER ? "listener" : "connector", result);
    rogue_free(&r);
}
END_TEST

/* Before the first stream. */
static const struct course before[] = {
    {"o", 0, USI_ERR_PROTOCOL},
    {"O", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"oo", USI_ERR_PROTOCOL, 1},
    {"d", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"0", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"E", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"b", 0, USI_ERR_PROTOCOL}, /* a check */
    {"B", USI_ERR_PROTOCOL, USI_ERR_PROTOCOL},
    {"bb", USI_ERR_PROTOCOL, 1},
    {"bo", USI_ERR_PROTOCOL, 1}, /* not before the answer */
    {"bd", USI_ERR_PROTOCOL, 1},
    {"p", 0, 0},
    {"ppp", 0, 0},
};

START_TEST(courses_before_a_stream)
{
    const struct course *c = &before[_i / 2];
    enum role role = (enum role)(_i % 2);
    int expected = role == TO_LISTENER ? c->to_listener : c->to_connector;
    struct rogue r;

    if (expected == 1)
        return;
    if (role == TO_LISTENER)
        rogue_up_listener(&r, NULL);
    else
        rogue_up_connector(&r, NULL);
    int result = run_course(&r, c->said);
    ck_assert_msg(result == expected, "%s to %s: %d", c->said,
                  role == TO_LISTENER ? "listener" : "connector", result);
    rogue_free(&r);
}
END_TEST

START_TEST(a_check_needs_its_answer)
{
    struct rogue r;

    rogue_up_connector(&r, NULL);
    ck_assert_int_eq(usi_channel_check(r.victim.c), 0);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_BYE, NULL, 0),
                     USI_ERR_PROTOCOL); /* not asked yet */
    rogue_free(&r);
    rogue_up_connector(&r, NULL);
    ck_assert_int_eq(usi_channel_check(r.victim.c), 0);
    ck_assert_uint_eq(rogue_hear(&r), 1);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_DATA, "x", 1), USI_ERR_PROTOCOL);
    rogue_free(&r);
}
END_TEST

START_TEST(types_that_nobody_knows_are_refused)
{
    for (int type = 1; type < 256; type++) {
        bool known =
            type <= USI_RECORD_TYPE_SWITCH && type != 5 && type != 6 && type != 8 && type != 12;
        for (int role = 0; role < 2; role++) {
            struct rogue r;
            if (known || (type > 40 && type < 250 && type % 32 > 1))
                continue; /* samples of each range */
            rogue_open(&r, (enum role)role);
            ck_assert_int_eq(rogue_say(&r, type, NULL, 0), USI_ERR_PROTOCOL);
            rogue_free(&r);
        }
    }
}
END_TEST

START_TEST(types_of_the_other_role_are_refused)
{
    static const int to_listener[] = {USI_RECORD_TYPE_ASK, USI_RECORD_TYPE_REKEY_2,
                                      USI_RECORD_TYPE_PROOF, USI_RECORD_TYPE_SWITCH};
    static const int to_connector[] = {USI_RECORD_TYPE_OPEN, USI_RECORD_TYPE_REKEY_1,
                                       USI_RECORD_TYPE_PROOF, USI_RECORD_TYPE_SWITCH,
                                       USI_RECORD_TYPE_REKEY_2};
    struct rogue r;

    for (unsigned n = 0; n < sizeof to_listener / sizeof to_listener[0]; n++) {
        rogue_open(&r, TO_LISTENER);
        ck_assert_int_eq(rogue_say(&r, to_listener[n], NULL, 0), USI_ERR_PROTOCOL);
        rogue_free(&r);
    }
    for (unsigned n = 0; n < sizeof to_connector / sizeof to_connector[0]; n++) {
        rogue_open(&r, TO_CONNECTOR);
        ck_assert_int_eq(rogue_say(&r, to_connector[n], NULL, 0), USI_ERR_PROTOCOL);
        rogue_free(&r);
    }
}
END_TEST

/* ---- ping ---- */

START_TEST(pings_are_answered)
{
    static const char ping[33] = "0123456789abcdef0123456789abcdef";
    struct rogue r;

    for (int role = 0; role < 2; role++) {
        rogue_open(&r, (enum role)role);
        for (size_t size = 0; size <= 32; size++) {
            ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PING, ping, size), 0);
            ck_assert_uint_eq(rogue_hear(&r), 1);
            ck_assert(rogue_heard(&r, USI_RECORD_TYPE_PONG));
            octets_equal(&r.content[0], ping, size);
        }
        ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PONG, ping, 32), 0); /* unasked: harmless */
        ck_assert_uint_eq(rogue_hear(&r), 0);
        ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PING, ping, 33), USI_ERR_PROTOCOL);
        rogue_free(&r);
        rogue_open(&r, (enum role)role);
        ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PONG, ping, 33), USI_ERR_PROTOCOL);
        rogue_free(&r);
    }
}
END_TEST

START_TEST(a_flood_of_pings_costs_one_pong)
{
    struct rogue r;

    rogue_up_listener(&r, NULL);
    for (unsigned n = 0; n < 1000; n++)
        ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PING, &n, sizeof n), 0);
    ck_assert_uint_eq(rogue_hear(&r), 1);
    ck_assert_uint_eq(r.content[0].size, sizeof(unsigned));
    ck_assert_uint_eq(r.content[0].base[0], 999 & 0xff);
    rogue_free(&r);
}
END_TEST

static void add_hostile(TCase *tcase)
{
    tcase_add_loop_test(tcase, courses_within_a_stream, 0, 2 * sizeof within / sizeof within[0]);
    tcase_add_loop_test(tcase, courses_before_a_stream, 0, 2 * sizeof before / sizeof before[0]);
    tcase_add_test(tcase, a_check_needs_its_answer);
    tcase_add_test(tcase, types_that_nobody_knows_are_refused);
    tcase_add_test(tcase, types_of_the_other_role_are_refused);
    tcase_add_test(tcase, pings_are_answered);
    tcase_add_test(tcase, a_flood_of_pings_costs_one_pong);
}

int main(void)
{
    Suite *suite = suite_create("hostile");

    add_hostile(support_case(suite, "hostile"));
    return support_run(suite);
}
