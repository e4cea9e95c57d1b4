/* Rekeys by authentic peers that get them wrong. */
#include "channel/channel.h"

#include "rogue.h"
#include "support.h"

START_TEST(a_second_rekey_1_is_refused)
{
    struct rogue r;

    rogue_up_listener(&r, NULL);
    ck_assert_int_eq(rogue_say_rekey_1(&r), 0);
    if (_i > 0)
        ck_assert_uint_eq(rogue_hear(&r), 1);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_REKEY_1, r.message, r.message_size),
                     USI_ERR_PROTOCOL);
    rogue_free(&r);
}
END_TEST

/* A listener whose peer has switched and owes the proof. */
static void rogue_owes_proof(struct rogue *r)
{
    rogue_up_listener(r, NULL);
    ck_assert_int_eq(rogue_say(r, USI_RECORD_TYPE_OPEN, NULL, 0), 0);
    ck_assert_int_eq(rogue_say_rekey_1(r), 0);
    ck_assert_uint_eq(rogue_hear(r), 1);
    rogue_read_rekey_2(r);
    ck_assert_int_eq(rogue_say(r, USI_RECORD_TYPE_SWITCH, NULL, 0), 0);
    rogue_switch_sending(r);
}

START_TEST(the_first_record_under_a_new_key_must_be_the_proof)
{
    static const int others[] = {USI_RECORD_TYPE_DATA,    USI_RECORD_TYPE_PING,
                                 USI_RECORD_TYPE_REKEY_1, USI_RECORD_TYPE_SWITCH,
                                 USI_RECORD_TYPE_BYE,     USI_RECORD_TYPE_ABORT};
    struct rogue r;

    for (unsigned n = 0; n < sizeof others / sizeof others[0]; n++) {
        rogue_owes_proof(&r);
        ck_assert_int_eq(rogue_say(&r, others[n], "x", 1), USI_ERR_PROTOCOL);
        ck_assert_uint_eq(r.victim.got.size, 0);
        rogue_free(&r);
    }
    rogue_owes_proof(&r);
    ck_assert_int_eq(rogue_say_proof(&r), 0);
    rogue_free(&r);
}
END_TEST

START_TEST(a_wrong_proof_in_a_rekey_is_refused)
{
    struct rogue r;

    rogue_owes_proof(&r);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PROOF, "0123456789abcdef", 16), USI_ERR_PROOF);
    rogue_free(&r);
    rogue_owes_proof(&r);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_PROOF, NULL, 0), USI_ERR_PROOF);
    rogue_free(&r);
}
END_TEST

START_TEST(a_proof_under_the_old_key_is_refused)
{
    struct rogue r;

    rogue_up_listener(&r, NULL);
    ck_assert_int_eq(rogue_say_rekey_1(&r), 0);
    ck_assert_uint_eq(rogue_hear(&r), 1);
    rogue_read_rekey_2(&r);
    ck_assert_int_eq(rogue_say_proof(&r), USI_ERR_PROTOCOL);
    rogue_free(&r);
}
END_TEST

START_TEST(a_second_proof_is_refused)
{
    struct rogue r;

    rogue_owes_proof(&r);
    ck_assert_int_eq(rogue_say_proof(&r), 0);
    ck_assert_int_eq(rogue_say_proof(&r), USI_ERR_PROTOCOL);
    rogue_free(&r);
}
END_TEST

START_TEST(an_old_key_record_after_the_switch_does_not_open)
{
    struct octets switching = {0}, old = {0};
    struct rogue r;

    rogue_up_listener(&r, NULL);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_OPEN, NULL, 0), 0);
    ck_assert_int_eq(rogue_say_rekey_1(&r), 0);
    ck_assert_uint_eq(rogue_hear(&r), 1);
    rogue_seal(&r, USI_RECORD_TYPE_SWITCH, NULL, 0, &switching);
    rogue_seal(&r, USI_RECORD_TYPE_DATA, "old", 3, &old);
    ck_assert_int_eq(party_receive(&r.victim, switching.base, switching.size), 0);
    ck_assert_int_eq(party_receive(&r.victim, old.base, old.size), USI_ERR_TAMPERED);
    octets_clear(&switching);
    octets_clear(&old);
    rogue_free(&r);
}
END_TEST

START_TEST(a_switch_out_of_place_is_refused)
{
    struct rogue r;

    rogue_up_listener(&r, NULL); /* none under way */
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_SWITCH, NULL, 0), USI_ERR_PROTOCOL);
    rogue_free(&r);
    rogue_up_listener(&r, NULL); /* before rekey 2 was sent */
    ck_assert_int_eq(rogue_say_rekey_1(&r), 0);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_SWITCH, NULL, 0), USI_ERR_PROTOCOL);
    rogue_free(&r);
    rogue_up_listener(&r, NULL); /* not empty */
    ck_assert_int_eq(rogue_say_rekey_1(&r), 0);
    ck_assert_uint_eq(rogue_hear(&r), 1);
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_SWITCH, "x", 1), USI_ERR_PROTOCOL);
    rogue_free(&r);
    for (int after = 0; after < 3; after++) { /* a connector: before its own switch */
        rogue_up_connector(&r, NULL);
        if (after > 0) {
            ck_assert_int_eq(usi_channel_rekey(r.victim.c), 0);
            ck_assert_uint_eq(rogue_hear(&r), 1);
        }
        if (after > 1) {
            rogue_read_rekey_1(&r);
            ck_assert_int_eq(rogue_say_rekey_2(&r), 0);
        }
        ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_SWITCH, NULL, 0), USI_ERR_PROTOCOL);
        rogue_free(&r);
    }
}
END_TEST

START_TEST(a_rekey_2_out_of_place_is_refused)
{
    struct rogue r;

    rogue_up_connector(&r, NULL);
    ck_assert_int_eq(usi_channel_rekey(r.victim.c), 0); /* rekey 1 not sent yet */
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_REKEY_2, "x", 1), USI_ERR_PROTOCOL);
    rogue_free(&r);
    for (unsigned sent = 0; sent < 2; sent++) { /* twice: before and after the switch */
        rogue_up_connector(&r, NULL);
        ck_assert_int_eq(usi_channel_rekey(r.victim.c), 0);
        ck_assert_uint_eq(rogue_hear(&r), 1);
        rogue_read_rekey_1(&r);
        ck_assert_int_eq(rogue_say_rekey_2(&r), 0);
        if (sent)
            ck_assert_uint_eq(rogue_hear(&r), 2);
        ck_assert_int_eq(rogue_say_rekey_2(&r), USI_ERR_PROTOCOL);
        rogue_free(&r);
    }
}
END_TEST

/* Octets of rekey 1: "USI1" mode cipher flags 5 "rogue" RANDms ... knock */
START_TEST(a_changed_rekey_1_is_refused)
{
    static const struct {
        size_t at, from_end;
        int result;
    } cases[] = {{0, 0, USI_ERR_FORMAT},   {4, 0, USI_ERR_PROTOCOL}, {6, 0, USI_ERR_FORMAT},
                 {8, 0, USI_ERR_PROTOCOL}, {13, 0, USI_ERR_FORMAT},  {0, 1, USI_ERR_KNOCK},
                 {0, 16, USI_ERR_KNOCK},   {0, 17, USI_ERR_FORMAT},  {0, 64, USI_ERR_FORMAT}};

    for (unsigned n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        struct rogue r;
        rogue_up_listener(&r, NULL);
        rogue_make_rekey_1(&r);
        size_t at = cases[n].from_end > 0 ? r.message_size - cases[n].from_end : cases[n].at;
        r.message[at] ^= 0x20;
        ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_REKEY_1, r.message, r.message_size),
                         cases[n].result);
        ck_assert(!party_send(&r.victim, USI_SEND_ROOM));
        rogue_free(&r);
    }
}
END_TEST

START_TEST(a_rekey_of_another_handshake_is_refused)
{
    struct rogue r;

    rogue_up_listener(&r, NULL);
    r.terms.h[0] ^= 1;
    ck_assert_int_eq(rogue_say_rekey_1(&r), USI_ERR_FORMAT);
    rogue_free(&r);
}
END_TEST

/* The listener knows it, but another key began this channel. */
START_TEST(a_rekey_under_another_name_or_key_is_refused)
{
    for (unsigned n = 0; n < 3; n++) {
        const char *name = n == 0 ? "other" : "rogue";
        struct rogue r;
        rogue_up_listener(&r, NULL);
        usi_keyring_free(r.ring);
        r.ring = ring_of(name, n == 1 ? 8 : 7, n == 2 ? 16 : 32);
        size_t size;
        usi_credential_free(r.terms.key);
        r.terms.key = usi_credential_hold(usi_keyring_first(r.ring, &name, &size));
        r.terms.cipher_octet = r.terms.key->cipher_octet;
        memcpy(r.terms.name, name, size); /* all of one size */
        ck_assert_int_eq(rogue_say_rekey_1(&r), n == 1 ? USI_ERR_KNOCK : USI_ERR_PROTOCOL);
        rogue_free(&r);
    }
}
END_TEST

START_TEST(malformed_rekey_messages_are_refused)
{
    struct rogue r;

    for (size_t size = 0; size < 200; size += 7) {
        rogue_up_listener(&r, NULL);
        rogue_make_rekey_1(&r);
        size = size < r.message_size ? size : 199;
        ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_REKEY_1, r.message, size),
                         size == r.message_size ? 0 : USI_ERR_FORMAT);
        rogue_free(&r);
    }
    rogue_up_listener(&r, NULL); /* one octet too many */
    rogue_make_rekey_1(&r);
    r.message[r.message_size] = 0;
    ck_assert_int_eq(rogue_say(&r, USI_RECORD_TYPE_REKEY_1, r.message, r.message_size + 1),
                     USI_ERR_FORMAT);
    rogue_free(&r);
}
END_TEST

START_TEST(a_changed_rekey_2_is_refused)
{
    for (size_t at = 0; at < USI_MESSAGE_2_MIN; at += 8) {
        struct rogue r;
        rogue_up_connector(&r, NULL);
        ck_assert_int_eq(usi_channel_rekey(r.victim.c), 0);
        ck_assert_uint_eq(rogue_hear(&r), 1);
        rogue_read_rekey_1(&r);
        size_t place = at == 0 ? r.message_size - 1 : at;
        r.message[place] ^= 4;
        ck_assert_int_eq(rogue_say_rekey_2(&r), USI_ERR_CHALLENGE);
        ck_assert(!party_send(&r.victim, USI_SEND_ROOM));
        rogue_free(&r);
    }
}
END_TEST

/* An abort in the middle of a rekey goes out at once, and opens. */
START_TEST(an_abort_in_the_middle_of_a_rekey_arrives)
{
    for (int step = 0; step < 3; step++) {
        struct rogue r;
        rogue_up_connector(&r, NULL);
        ck_assert_int_eq(usi_channel_rekey(r.victim.c), 0);
        if (step > 0)
            ck_assert_uint_eq(rogue_hear(&r), 1);
        if (step > 1) {
            rogue_read_rekey_1(&r);
            ck_assert_int_eq(rogue_say_rekey_2(&r), 0);
        }
        ck_assert_int_eq(usi_channel_abort(r.victim.c, 2), 0);
        ck_assert_uint_eq(rogue_hear(&r), 1);
        ck_assert(rogue_heard(&r, USI_RECORD_TYPE_ABORT));
        rogue_free(&r);
    }
}
END_TEST

static void add_wrong(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_second_rekey_1_is_refused, 0, 2);
    tcase_add_test(tcase, the_first_record_under_a_new_key_must_be_the_proof);
    tcase_add_test(tcase, a_wrong_proof_in_a_rekey_is_refused);
    tcase_add_test(tcase, a_proof_under_the_old_key_is_refused);
    tcase_add_test(tcase, a_second_proof_is_refused);
    tcase_add_test(tcase, an_old_key_record_after_the_switch_does_not_open);
    tcase_add_test(tcase, a_switch_out_of_place_is_refused);
    tcase_add_test(tcase, a_rekey_2_out_of_place_is_refused);
    tcase_add_test(tcase, a_changed_rekey_1_is_refused);
    tcase_add_test(tcase, a_rekey_of_another_handshake_is_refused);
    tcase_add_test(tcase, a_rekey_under_another_name_or_key_is_refused);
    tcase_add_test(tcase, malformed_rekey_messages_are_refused);
    tcase_add_test(tcase, a_changed_rekey_2_is_refused);
    tcase_add_test(tcase, an_abort_in_the_middle_of_a_rekey_arrives);
}

int main(void)
{
    Suite *suite = suite_create("rekey_hostile");

    add_wrong(support_case(suite, "wrong"));
    return support_run(suite);
}
