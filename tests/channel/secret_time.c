/* The checks of knock, tag and proof under valgrind's memcheck, with Ki undefined: nothing may
 * depend on what comes of it but the one branch on each check's result, which the peer sees anyway.
 * The script of the same name compares the complaints with that. "secret_time naive" compares by
 * memcmp, which must be complained about elsewhere: it shows that the method sees. */
#include "channel/keyring.h"
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

/* A keyring of one key of 32 octets, which valgrind takes for undefined if it is secret. */
static struct usi_keyring *ring(uint8_t first, bool secret)
{
    struct usi_keyring *made = usi_keyring_new(support_crypto());
    uint8_t ki[32];

    for (size_t i = 0; i < sizeof ki; i++)
        ki[i] = (uint8_t)(first + i);
    if (secret)
        VALGRIND_MAKE_MEM_UNDEFINED(ki, sizeof ki);
    ck_assert_int_eq(usi_keyring_add(made, NULL, 0, ki, sizeof ki), 0);
    return made;
}

/* What one sends crosses in the open: it is no secret, whatever it was made of. */
static int cross(struct party *from, struct party *to)
{
    ck_assert(party_send(from, USI_SEND_ROOM));
    VALGRIND_MAKE_MEM_DEFINED(from->out.base, from->out.size);
    int result = party_receive(to, from->out.base, from->out.size);
    octets_drop(&from->out, from->out.size);
    return result;
}

START_TEST(wrong_knock)
{
    struct pair p = {.split = WHOLE};

    party_connect(&p.connector, ring(1, false), NULL);
    party_listen(&p.listener, ring(2, true), NULL);
    ck_assert_int_eq(cross(&p.connector, &p.listener), USI_ERR_KNOCK);
    pair_free(&p);
}
END_TEST

/* The last octet of message 2 belongs to its tag. */
START_TEST(wrong_tag)
{
    struct pair p = {.split = WHOLE};

    party_connect(&p.connector, ring(1, true), NULL);
    party_listen(&p.listener, ring(1, false), NULL);
    ck_assert_int_eq(cross(&p.connector, &p.listener), 0);
    ck_assert(party_send(&p.listener, USI_SEND_ROOM));
    p.listener.out.base[p.listener.out.size - 1] ^= 1;
    ck_assert_int_lt(party_receive(&p.connector, p.listener.out.base, p.listener.out.size), 0);
    pair_free(&p);
}
END_TEST

/* Ki becomes a secret only when the proof is made of it: all before was shown above. */
START_TEST(proof)
{
    struct pair p = {.split = WHOLE};
    const char *name;
    size_t size;

    party_connect(&p.connector, ring(1, false), NULL);
    party_listen(&p.listener, ring(1, false), NULL);
    ck_assert_int_eq(cross(&p.connector, &p.listener), 0);
    ck_assert_int_eq(cross(&p.listener, &p.connector), 0);
    const struct usi_credential *c = usi_keyring_first(p.listener.ring, &name, &size);
    VALGRIND_MAKE_MEM_UNDEFINED(c->ki, c->ki_size);
    ck_assert_int_eq(cross(&p.connector, &p.listener), 0);
    ck_assert_uint_eq(p.listener.seen[USI_EVENT_AUTHENTICATED], 1);
    pair_free(&p);
}
END_TEST

START_TEST(naive)
{
    uint8_t secret[16] = {1}, told[16] = {1};

    VALGRIND_MAKE_MEM_UNDEFINED(secret, sizeof secret);
    (void)printf("%s\n", memcmp(secret, told, sizeof secret) == 0 ? "same" : "other");
}
END_TEST

int main(int count, char **arguments)
{
    Suite *suite = suite_create("libusi: secret-independent time");
    TCase *tcase = support_case(suite, "checks");

    if (count > 1 && strcmp(arguments[1], "naive") == 0) {
        tcase_add_test(tcase, naive);
    } else {
        tcase_add_test(tcase, wrong_knock);
        tcase_add_test(tcase, wrong_tag);
        tcase_add_test(tcase, proof);
    }
    return support_run(suite);
}
