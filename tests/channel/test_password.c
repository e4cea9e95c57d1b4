/* channel/password.h: what a password becomes, by vectors, and how often one may be tried. */
#include "channel/password.h"

#include "cases.h"
#include "support.h"

#include <pthread.h>

static const char vectors[] = USI_VECTORS "/password.txt";

enum { STRETCHES = 4, PASSWORD = 128, PROLOGUE = 256 };

/* Case `number` of those that have `field`. */
static struct vector_case case_with(const char *field, int number)
{
    struct vector_case c = {0};
    FILE *file = cases_open(vectors);

    for (int n = -1; n < number;) {
        ck_assert_msg(cases_next(file, &c), "no case %d with %s", number, field);
        if (case_find(&c, field) != NULL)
            n++;
    }
    (void)fclose(file);
    return c;
}

struct entry {
    char password[PASSWORD];
    size_t size;
    uint8_t salt[USI_SALT], stretched[USI_STRETCHED];
};

static struct entry entry_of(int number)
{
    struct vector_case c = case_with("password", number);
    struct entry e;

    e.size = case_octets(&c, "password", e.password, sizeof e.password);
    ck_assert_uint_eq(case_octets(&c, "salt", e.salt, sizeof e.salt), sizeof e.salt);
    ck_assert_uint_eq(case_octets(&c, "stretched", e.stretched, sizeof e.stretched),
                      sizeof e.stretched);
    return e;
}

static bool stretches_to_the_vector(const struct entry *e)
{
    uint8_t out[USI_STRETCHED];

    ck_assert_int_eq(usi_password_stretch(support_crypto(), e->password, e->size, e->salt, out), 0);
    return memcmp(out, e->stretched, sizeof out) == 0;
}

START_TEST(vectors_of_stretched_passwords)
{
    struct entry e = entry_of(_i);

    ck_assert(stretches_to_the_vector(&e));
}
END_TEST

START_TEST(every_octet_of_a_long_password_counts)
{
    struct entry e = entry_of(STRETCHES - 1);

    ck_assert_uint_gt(e.size, 72);
    ck_assert_ptr_nonnull(memchr(e.password, '\0', e.size));
    e.password[e.size - 1] ^= 1;
    ck_assert(!stretches_to_the_vector(&e));
}
END_TEST

START_TEST(another_salt_makes_another_key)
{
    struct entry e = entry_of(0);

    e.salt[USI_SALT - 1] ^= 1; /* its last bits lie alone in a character of bcrypt's text */
    ck_assert(!stretches_to_the_vector(&e));
}
END_TEST

START_TEST(no_password_is_the_empty_one)
{
    struct entry e = entry_of(2);
    uint8_t out[USI_STRETCHED];

    ck_assert_uint_eq(e.size, 0);
    ck_assert_int_eq(usi_password_stretch(support_crypto(), NULL, 0, e.salt, out), 0);
    ck_assert_mem_eq(out, e.stretched, sizeof out);
}
END_TEST

START_TEST(the_psk_is_of_the_prologue_and_ke)
{
    struct vector_case c = case_with("psk", 0);
    uint8_t prologue[PROLOGUE], ke[USI_SPAKE2_KE], psk[USI_KEY], out[USI_KEY];
    size_t size = case_octets(&c, "prologue", prologue, sizeof prologue);

    ck_assert_uint_eq(case_octets(&c, "ke", ke, sizeof ke), sizeof ke);
    ck_assert_uint_eq(case_octets(&c, "psk", psk, sizeof psk), sizeof psk);
    ck_assert_int_eq(usi_password_psk(support_crypto(), prologue, size, ke, out), 0);
    ck_assert_mem_eq(out, psk, sizeof psk);

    ck_assert_int_eq(usi_password_psk(support_crypto(), prologue, size - 1, ke, out), 0);
    ck_assert_mem_ne(out, psk, sizeof psk);
    ke[0] ^= 1;
    ck_assert_int_eq(usi_password_psk(support_crypto(), prologue, size, ke, out), 0);
    ck_assert_mem_ne(out, psk, sizeof psk);
}
END_TEST

/* ---- tries ---- */

static struct usi_guard *guard_of(unsigned burst, uint64_t refill_ms, bool once)
{
    const struct usi_tries tries = {.burst = burst, .refill_ms = refill_ms, .once = once};
    struct usi_guard *guard = usi_guard_new(&tries);

    ck_assert_ptr_nonnull(guard);
    return guard;
}

static void state_is(struct usi_guard *guard, uint64_t now, struct usi_tries_state expected)
{
    struct usi_tries_state state;

    usi_guard_state(guard, now, &state);
    ck_assert_uint_eq(state.failed, expected.failed);
    ck_assert_int_eq(state.used, expected.used);
    ck_assert_int_eq(state.now, expected.now);
    ck_assert_int_eq(state.ever, expected.ever);
    ck_assert_int_eq(usi_guard_allows(guard, now), expected.now);
}

/* Takes as many as there are. */
static unsigned take_all(struct usi_guard *guard, uint64_t now)
{
    unsigned taken = 0;

    while (taken < 1000 && usi_guard_take(guard, now))
        taken++;
    ck_assert(!usi_guard_allows(guard, now));
    return taken;
}

START_TEST(without_a_refill_tries_are_gone_for_good)
{
    struct usi_guard *guard = guard_of(3, 0, false);

    state_is(guard, 0, (struct usi_tries_state){.now = true, .ever = true});
    ck_assert(usi_guard_take(guard, 10));
    ck_assert(usi_guard_take(guard, 10));
    state_is(guard, 10, (struct usi_tries_state){.failed = 2, .now = true, .ever = true});
    ck_assert(usi_guard_take(guard, 10));
    ck_assert(!usi_guard_take(guard, 10));
    ck_assert(!usi_guard_take(guard, UINT64_MAX));
    state_is(guard, UINT64_MAX, (struct usi_tries_state){.failed = 3});
    usi_guard_free(guard);
}
END_TEST

START_TEST(a_burst_of_none_allows_none)
{
    struct usi_guard *guard = guard_of(0, 1, false);

    ck_assert(!usi_guard_take(guard, UINT64_MAX));
    state_is(guard, UINT64_MAX, (struct usi_tries_state){0});
    usi_guard_free(guard);
    usi_guard_free(NULL);
}
END_TEST

START_TEST(failed_tries_come_back_one_by_one)
{
    const uint64_t start = 1000000;
    struct usi_guard *guard = guard_of(3, 100, false);

    ck_assert_uint_eq(take_all(guard, start), 3);
    state_is(guard, start + 99, (struct usi_tries_state){.failed = 3, .ever = true});
    ck_assert_uint_eq(take_all(guard, start + 100), 1);
    ck_assert_uint_eq(take_all(guard, start + 199), 0);
    ck_assert_uint_eq(take_all(guard, start + 350), 2);
    ck_assert_uint_eq(take_all(guard, start + 399), 0); /* the half interval was not lost */
    ck_assert_uint_eq(take_all(guard, start + 400), 1);
    state_is(guard, start + 500, (struct usi_tries_state){.failed = 7, .now = true, .ever = true});
    usi_guard_free(guard);
}
END_TEST

START_TEST(no_more_come_back_than_the_burst)
{
    struct usi_guard *guard = guard_of(3, 100, false);

    ck_assert_uint_eq(take_all(guard, 0), 3);
    ck_assert_uint_eq(take_all(guard, 100000), 3);
    ck_assert_uint_eq(take_all(guard, UINT64_MAX), 3);
    usi_guard_free(guard);
}
END_TEST

/* Time that passed while none was missing is not saved up. */
START_TEST(the_refill_counts_from_the_first_failure)
{
    struct usi_guard *guard = guard_of(2, 100, false);

    ck_assert(usi_guard_take(guard, 950));
    ck_assert_uint_eq(take_all(guard, 1049), 1);
    ck_assert_uint_eq(take_all(guard, 1050), 1);
    usi_guard_free(guard);
}
END_TEST

START_TEST(time_told_out_of_order_gives_nothing)
{
    struct usi_guard *guard = guard_of(2, 100, false);

    ck_assert_uint_eq(take_all(guard, 1000), 2);
    ck_assert_uint_eq(take_all(guard, 5), 0);
    ck_assert_uint_eq(take_all(guard, 0), 0);
    ck_assert_uint_eq(take_all(guard, 1100), 1);
    usi_guard_free(guard);
}
END_TEST

START_TEST(a_right_try_is_given_back)
{
    struct usi_guard *guard = guard_of(3, 0, false);

    ck_assert(usi_guard_take(guard, 0)); /* this one fails */
    for (unsigned i = 0; i < 10; i++) {
        ck_assert(usi_guard_take(guard, 0));
        ck_assert(usi_guard_right(guard, true));
    }
    state_is(guard, 0, (struct usi_tries_state){.failed = 1, .now = true, .ever = true});
    ck_assert_uint_eq(take_all(guard, 0), 2);
    usi_guard_free(guard);
}
END_TEST

START_TEST(what_came_back_meanwhile_is_not_given_back_twice)
{
    struct usi_guard *guard = guard_of(2, 100, false);

    ck_assert(usi_guard_take(guard, 0));
    ck_assert(usi_guard_allows(guard, 100));
    ck_assert(usi_guard_right(guard, true));
    ck_assert_uint_eq(take_all(guard, 100), 2);
    usi_guard_free(guard);
}
END_TEST

START_TEST(once_is_once)
{
    struct usi_guard *guard = guard_of(3, 1, true);

    ck_assert(usi_guard_take(guard, 0));
    ck_assert(usi_guard_right(guard, true));
    state_is(guard, UINT64_MAX, (struct usi_tries_state){.used = true});
    ck_assert(!usi_guard_take(guard, UINT64_MAX));
    usi_guard_free(guard);
}
END_TEST

START_TEST(a_question_does_not_use_a_password_up)
{
    struct usi_guard *guard = guard_of(3, 0, true);

    ck_assert(usi_guard_take(guard, 0));
    ck_assert(usi_guard_right(guard, false));
    state_is(guard, 0, (struct usi_tries_state){.now = true, .ever = true});
    usi_guard_free(guard);
}
END_TEST

/* Tries that were taken before it was used. */
START_TEST(of_right_tries_at_once_the_first_goes_through)
{
    struct usi_guard *guard = guard_of(3, 0, true);

    ck_assert_uint_eq(take_all(guard, 0), 3);
    ck_assert(usi_guard_right(guard, true));
    ck_assert(!usi_guard_right(guard, true));
    ck_assert(!usi_guard_right(guard, false));
    state_is(guard, 0, (struct usi_tries_state){.used = true});
    usi_guard_free(guard);
}
END_TEST

/* ---- threads ---- */

enum { THREADS = 4, TRIES = 1000, ROUNDS = 200 };

struct racer {
    pthread_t thread;
    pthread_barrier_t *start;
    struct usi_guard *guard;
    unsigned taken;
    bool through;
};

static void *take_many(void *argument)
{
    struct racer *racer = argument;

    (void)pthread_barrier_wait(racer->start);
    for (unsigned i = 0; i < TRIES; i++)
        racer->taken += usi_guard_take(racer->guard, 0) ? 1 : 0;
    return NULL;
}

static void *be_right(void *argument)
{
    struct racer *racer = argument;

    (void)pthread_barrier_wait(racer->start);
    racer->through = usi_guard_right(racer->guard, true);
    return NULL;
}

static void race(struct racer racers[THREADS], struct usi_guard *guard, void *(*run)(void *))
{
    pthread_barrier_t start;

    ck_assert_int_eq(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.start = &start, .guard = guard};
        ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, run, &racers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(racers[i].thread, NULL), 0);
    ck_assert_int_eq(pthread_barrier_destroy(&start), 0);
}

START_TEST(threads_together_get_no_more_tries)
{
    struct racer racers[THREADS];
    struct usi_guard *guard = guard_of(TRIES, 0, false);
    unsigned taken = 0;

    race(racers, guard, take_many);
    for (unsigned i = 0; i < THREADS; i++)
        taken += racers[i].taken;
    ck_assert_uint_eq(taken, TRIES);
    state_is(guard, 0, (struct usi_tries_state){.failed = TRIES});
    usi_guard_free(guard);
}
END_TEST

START_TEST(of_threads_that_are_right_at_once_one_goes_through)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct racer racers[THREADS];
        struct usi_guard *guard = guard_of(THREADS, 0, true);
        unsigned through = 0;

        ck_assert_uint_eq(take_all(guard, 0), THREADS);
        race(racers, guard, be_right);
        for (unsigned i = 0; i < THREADS; i++)
            through += racers[i].through ? 1 : 0;
        ck_assert_uint_eq(through, 1);
        usi_guard_free(guard);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("password");
    TCase *keys = support_case(suite, "keys");
    TCase *tries = support_case(suite, "tries");

    tcase_add_loop_test(keys, vectors_of_stretched_passwords, 0, STRETCHES);
    tcase_add_test(keys, every_octet_of_a_long_password_counts);
    tcase_add_test(keys, another_salt_makes_another_key);
    tcase_add_test(keys, no_password_is_the_empty_one);
    tcase_add_test(keys, the_psk_is_of_the_prologue_and_ke);
    tcase_add_test(tries, without_a_refill_tries_are_gone_for_good);
    tcase_add_test(tries, a_burst_of_none_allows_none);
    tcase_add_test(tries, failed_tries_come_back_one_by_one);
    tcase_add_test(tries, no_more_come_back_than_the_burst);
    tcase_add_test(tries, the_refill_counts_from_the_first_failure);
    tcase_add_test(tries, time_told_out_of_order_gives_nothing);
    tcase_add_test(tries, a_right_try_is_given_back);
    tcase_add_test(tries, what_came_back_meanwhile_is_not_given_back_twice);
    tcase_add_test(tries, once_is_once);
    tcase_add_test(tries, a_question_does_not_use_a_password_up);
    tcase_add_test(tries, of_right_tries_at_once_the_first_goes_through);
    tcase_add_test(tries, threads_together_get_no_more_tries);
    tcase_add_test(tries, of_threads_that_are_right_at_once_one_goes_through);
    return support_run(suite);
}
