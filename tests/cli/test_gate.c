/* The gate, with links that are only an age and a source: who must go when one is too many. */
#include "net/gate.h"

#include <check.h>
#include <stdlib.h>

enum { PLACES = 20000, LINKS = 2 * GATE_STRANGERS, YOUNG = 10, OLD = 5000, HONEST = 7 };

/* A link of the test. */
struct link {
    uint64_t source, age;
    enum gate_stage stage;
    bool cut;
};

static struct link links[LINKS];
static unsigned used;
static struct gate *gate;

void link_cut(struct link *link, enum link_cause cause)
{
    ck_assert(!link->cut && cause == LINK_SILENT);
    link->cut = true;
    gate_leave(gate, link, link->stage);
}

uint64_t link_age(const struct link *link)
{
    return link->age;
}

uint64_t link_source(const struct link *link)
{
    return link->source;
}

static void begin(void)
{
    used = 0;
    gate = gate_new(PLACES, 1);
    ck_assert_ptr_nonnull(gate);
}

static void end(void)
{
    gate_free(gate);
}

static struct link *enter(enum gate_stage stage, uint64_t source, uint64_t age)
{
    struct link *link = &links[used++];

    ck_assert_uint_le(used, LINKS);
    *link = (struct link){.source = source, .age = age, .stage = stage};
    gate_enter(gate, link, stage);
    return link;
}

static unsigned count(enum gate_stage stage)
{
    unsigned found = 0;

    for (unsigned i = 0; i < used; i++)
        found += links[i].stage == stage && !links[i].cut;
    return found;
}

/* Many, evenly of so many sources. */
static void crowd(enum gate_stage stage, unsigned number, unsigned sources, uint64_t age)
{
    for (unsigned i = 0; i < number; i++)
        (void)enter(stage, 1000 + i % sources, age);
}

START_TEST(one_source)
{
    struct link *other = enter(GATE_STRANGER, HONEST, OLD);
    struct link *first = enter(GATE_STRANGER, 1, OLD);
    struct link *second = enter(GATE_STRANGER, 1, OLD);

    for (unsigned i = 2; i < GATE_SOURCE; i++)
        (void)enter(GATE_STRANGER, 1, YOUNG);
    ck_assert(!first->cut);
    (void)enter(GATE_STRANGER, 1, YOUNG);
    ck_assert(first->cut && !second->cut && !other->cut);
    ck_assert_uint_eq(count(GATE_STRANGER), GATE_SOURCE + 1);
}
END_TEST

/* The newest always has a place, and so time to say who it is. */
START_TEST(newcomers)
{
    for (int stage = 0; stage < GATE_STAGES; stage++) {
        unsigned most = stage == GATE_STRANGER ? GATE_STRANGERS : GATE_ALL;
        for (unsigned i = 0; i < most + 20; i++)
            ck_assert(!enter((enum gate_stage)stage, i, YOUNG)->cut);
        ck_assert_uint_eq(count((enum gate_stage)stage), most);
        end();
        begin();
    }
}
END_TEST

/* A slow crowd, of whatever sources, cannot make several honest ones of one source go. */
START_TEST(oldest_goes)
{
    crowd(GATE_KNOWN, GATE_ALL - 40, GATE_ALL, OLD);
    for (unsigned i = 0; i < 40; i++)
        (void)enter(GATE_KNOWN, HONEST, YOUNG);
    struct link *last = enter(GATE_KNOWN, 1, YOUNG);

    ck_assert(links[0].cut && !links[1].cut && !last->cut);
    ck_assert_uint_eq(count(GATE_KNOWN), GATE_ALL);
}
END_TEST

/* A fast one does not make those go who are fewer of their source than it is. */
START_TEST(fast_crowd)
{
    for (int stage = GATE_ANSWERED; stage < GATE_STAGES; stage++) {
        struct link *honest = enter((enum gate_stage)stage, HONEST, YOUNG);
        struct link *slow = enter((enum gate_stage)stage, HONEST + 1, OLD);
        crowd((enum gate_stage)stage, 3 * GATE_ALL, 250, YOUNG);
        ck_assert(!honest->cut && !slow->cut);
        ck_assert_uint_eq(count((enum gate_stage)stage), GATE_ALL);
        end();
        begin();
    }
}
END_TEST

/* But one address each for all of them: then the oldest goes. */
START_TEST(wide_crowd)
{
    struct link *honest = enter(GATE_KNOWN, HONEST, YOUNG);

    crowd(GATE_KNOWN, GATE_ALL - 1, GATE_ALL, YOUNG);
    ck_assert(!honest->cut);
    crowd(GATE_KNOWN, 1, 1, YOUNG); /* a second of its source */
    ck_assert(!honest->cut);
    (void)enter(GATE_KNOWN, 1, YOUNG);
    ck_assert(honest->cut);
}
END_TEST

START_TEST(stages)
{
    struct link *answered = enter(GATE_ANSWERED, HONEST, OLD);
    struct link *known = enter(GATE_KNOWN, HONEST, OLD);
    struct link *asked = enter(GATE_IDENTIFIED, HONEST, OLD);

    crowd(GATE_STRANGER, GATE_STRANGERS + 1, GATE_STRANGERS + 1, OLD);
    ck_assert(links[3].cut && !answered->cut && !known->cut && !asked->cut);
    crowd(GATE_ANSWERED, GATE_ALL, GATE_ALL, OLD);
    ck_assert(answered->cut && !known->cut && !asked->cut);
}
END_TEST

/* A user may take his time. */
START_TEST(asked_user)
{
    struct link *honest = enter(GATE_IDENTIFIED, HONEST, 1000000);

    crowd(GATE_IDENTIFIED, 2 * GATE_ALL, 100, OLD);
    ck_assert(!honest->cut);
}
END_TEST

START_TEST(leaving)
{
    for (unsigned i = 0; i < GATE_SOURCE; i++)
        (void)enter(GATE_KNOWN, 1, OLD);
    for (unsigned i = 0; i < GATE_SOURCE; i += 2) {
        gate_leave(gate, &links[i], GATE_KNOWN);
        gate_leave(gate, &links[i], GATE_KNOWN); /* twice is fine */
    }
    for (unsigned i = 0; i < GATE_SOURCE / 2; i++)
        (void)enter(GATE_KNOWN, 1, OLD);
    for (unsigned i = 0; i < used; i++)
        ck_assert(!links[i].cut);
    (void)enter(GATE_KNOWN, 1, OLD);
    ck_assert(!links[0].cut && links[1].cut && !links[3].cut);
}
END_TEST

/* Few descriptors, or many loops: fewer of each stage, but a burst's worth. */
START_TEST(small)
{
    static const struct {
        unsigned places, loops, strangers, others;
    } cases[] = {{PLACES, 1, GATE_STRANGERS, GATE_ALL},
                 {PLACES, 2, GATE_STRANGERS / 2, GATE_ALL / 2},
                 {PLACES, 64, 64, 64},
                 {1000, 1, 250, 250},
                 {1000, 2, 125, 125},
                 {100, 1, 64, 64},
                 {1, 1, 64, 64}};

    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        end();
        used = 0;
        gate = gate_new(cases[c].places, cases[c].loops);
        for (unsigned i = 0; i <= cases[c].strangers; i++)
            (void)enter(GATE_STRANGER, i, OLD);
        for (unsigned i = 0; i <= cases[c].others; i++)
            (void)enter(GATE_KNOWN, i, OLD);
        ck_assert_uint_eq(count(GATE_STRANGER), cases[c].strangers);
        ck_assert_uint_eq(count(GATE_KNOWN), cases[c].others);
    }
}
END_TEST

/* All places are taken: only who has had time enough goes, a stranger first, and no user's peer. */
START_TEST(make_way)
{
    struct link *asked = enter(GATE_IDENTIFIED, 1, OLD);
    struct link *known = enter(GATE_KNOWN, 2, YOUNG);
    struct link *answered = enter(GATE_ANSWERED, 3, OLD);
    struct link *stranger = enter(GATE_STRANGER, 4, YOUNG);

    gate_make_way(gate);
    ck_assert(answered->cut && !stranger->cut && !known->cut);
    gate_make_way(gate);
    ck_assert(!stranger->cut && !known->cut);
    stranger->age = OLD;
    known->age = OLD;
    gate_make_way(gate);
    ck_assert(stranger->cut && !known->cut);
    gate_make_way(gate);
    ck_assert(known->cut && !asked->cut);
    gate_make_way(gate);
    ck_assert(!asked->cut);
}
END_TEST

START_TEST(places)
{
    struct gate_places taken = {0};

    ck_assert(gate_take_place(&taken, 2) && gate_take_place(&taken, 2));
    ck_assert(!gate_take_place(&taken, 2));
    gate_give_place(&taken);
    ck_assert(gate_take_place(&taken, 2) && !gate_take_place(&taken, 2));
    ck_assert_uint_ge(gate_connections_max(2, 1), 1);
    ck_assert_uint_ge(gate_connections_max(1, 1), gate_connections_max(2, 1));
    ck_assert_uint_eq(gate_connections_max(1u << 31, 1), 1);
    gate_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gate");
    TCase *tests = tcase_create("gate");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, one_source);
    tcase_add_test(tests, newcomers);
    tcase_add_test(tests, oldest_goes);
    tcase_add_test(tests, fast_crowd);
    tcase_add_test(tests, wide_crowd);
    tcase_add_test(tests, stages);
    tcase_add_test(tests, asked_user);
    tcase_add_test(tests, leaving);
    tcase_add_test(tests, small);
    tcase_add_test(tests, make_way);
    tcase_add_test(tests, places);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
