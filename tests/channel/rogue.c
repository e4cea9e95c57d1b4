#include "rogue.h"

#include "channel/bytes.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static void take_keys(struct rogue *r, bool sending, bool receiving)
{
    uint8_t send[USI_KEY], receive[USI_KEY];

    ck_assert_int_eq(usi_handshake_keys(r->handshake, send, receive), 0);
    if (sending) {
        usi_sealer_clear(&r->sealer);
        ck_assert_int_eq(usi_sealer_key(&r->sealer, usi_handshake_cipher(r->handshake), send), 0);
    }
    if (receiving) {
        usi_opener_clear(&r->opener);
        ck_assert_int_eq(usi_opener_key(&r->opener, usi_handshake_cipher(r->handshake), receive),
                         0);
    }
}

void rogue_rekey_over(struct rogue *r)
{
    ck_assert_int_eq(usi_handshake_settle(r->handshake, &r->terms), 0);
    usi_handshake_free(r->handshake);
    r->handshake = NULL;
}

void rogue_before_proof(struct rogue *r, const struct usi_settings *settings)
{
    size_t size = 0;
    uint8_t message[2 + USI_MESSAGE_1_MAX];

    *r = (struct rogue){.connector = true, .ring = ring_of("rogue", 7, 32)};
    party_listen(&r->victim, ring_of("rogue", 7, 32), settings);
    ck_assert_int_eq(usi_handshake_connect(&r->handshake, support_crypto(), r->ring, USI_MODE_KEY),
                     0);
    ck_assert_int_eq(usi_handshake_write(r->handshake, message + 2, USI_MESSAGE_1_MAX, &size), 0);
    usi_put_number(message, size, 2);
    ck_assert_int_eq(party_receive(&r->victim, message, 2 + size), 0);
    ck_assert(party_send(&r->victim, USI_SEND_ROOM));
    ck_assert_int_eq(
        usi_handshake_read(r->handshake, r->victim.out.base + 2, r->victim.out.size - 2, 0), 0);
    octets_drop(&r->victim.out, r->victim.out.size);
    take_keys(r, true, true);
}

void rogue_up_listener(struct rogue *r, const struct usi_settings *settings)
{
    rogue_before_proof(r, settings);
    ck_assert_int_eq(rogue_say_proof(r), 0);
    ck_assert_int_eq(party_last(&r->victim).type, USI_EVENT_AUTHENTICATED);
    rogue_rekey_over(r);
}

void rogue_up_connector(struct rogue *r, const struct usi_settings *settings)
{
    size_t size = 0;
    uint8_t message[2 + USI_MESSAGE_2_MAX];

    *r = (struct rogue){.connector = false, .ring = ring_of("rogue", 7, 32)};
    party_connect(&r->victim, ring_of("rogue", 7, 32), settings);
    ck_assert(party_send(&r->victim, USI_SEND_ROOM));
    ck_assert_int_eq(usi_handshake_listen(&r->handshake, support_crypto(), r->ring), 0);
    ck_assert_int_eq(
        usi_handshake_read(r->handshake, r->victim.out.base + 2, r->victim.out.size - 2, 0), 0);
    octets_drop(&r->victim.out, r->victim.out.size);
    ck_assert_int_eq(usi_handshake_write(r->handshake, message + 2, USI_MESSAGE_2_MAX, &size), 0);
    usi_put_number(message, size, 2);
    ck_assert_int_eq(party_receive(&r->victim, message, 2 + size), 0);
    take_keys(r, true, true);
    ck_assert_uint_eq(rogue_hear(r), 1);
    ck_assert(rogue_heard(r, USI_RECORD_TYPE_PROOF));
    rogue_rekey_over(r);
}

static void forget(struct rogue *r)
{
    for (unsigned i = 0; i < r->told; i++)
        octets_clear(&r->content[i]);
    r->told = 0;
}

void rogue_free(struct rogue *r)
{
    forget(r);
    usi_handshake_free(r->handshake);
    usi_sealer_clear(&r->sealer);
    usi_opener_clear(&r->opener);
    usi_terms_clear(&r->terms);
    usi_keyring_free(r->ring);
    party_free(&r->victim);
}

void rogue_seal(struct rogue *r, int type, const void *content, size_t size, struct octets *record)
{
    size_t made = 0;
    size_t room = usi_seal_size((enum usi_record_type)type, size);
    uint8_t *out = malloc(room);

    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(usi_seal(&r->sealer, (enum usi_record_type)type, content, size, out, &made),
                     0);
    ck_assert_uint_eq(made, room);
    octets_add(record, out, made);
    free(out);
}

int rogue_say(struct rogue *r, int type, const void *content, size_t size)
{
    struct octets record = {0};

    rogue_seal(r, type, content, size, &record);
    int result = party_receive(&r->victim, record.base, record.size);
    octets_clear(&record);
    return result;
}

int rogue_say_end(struct rogue *r, uint64_t count)
{
    uint8_t content[8];

    usi_put_number(content, count, sizeof content);
    return rogue_say(r, USI_RECORD_TYPE_END, content, sizeof content);
}

int rogue_say_proof(struct rogue *r)
{
    uint8_t proof[USI_PROOF_MAX];
    size_t size = 0;

    ck_assert_int_eq(usi_handshake_proof(r->handshake, proof, &size), 0);
    return rogue_say(r, USI_RECORD_TYPE_PROOF, proof, size);
}

/* The victim changes its key right behind `switch`, without asking. */
static void follow_switch(struct rogue *r)
{
    ck_assert_ptr_nonnull(r->handshake);
    take_keys(r, false, true);
}

unsigned rogue_hear(struct rogue *r)
{
    uint8_t *plain = malloc(USI_RECORD_ROOM);
    size_t at = 0;

    ck_assert_ptr_nonnull(plain);
    forget(r);
    while (party_send(&r->victim, USI_SEND_ROOM))
        ;
    while (at < r->victim.out.size) {
        size_t taken = 0, content = 0;
        uint8_t type = 0;
        int result = usi_open(&r->opener, r->victim.out.base + at, r->victim.out.size - at, &taken,
                              plain, USI_RECORD_ROOM, &content, &type);
        ck_assert_int_eq(result, USI_OPEN_RECORD);
        ck_assert_uint_lt(r->told, TOLD);
        r->type[r->told] = type;
        octets_add(&r->content[r->told++], plain, content);
        at += taken;
        if (type == USI_RECORD_TYPE_SWITCH)
            follow_switch(r);
    }
    octets_drop(&r->victim.out, at);
    free(plain);
    return r->told;
}

bool rogue_heard(const struct rogue *r, int type)
{
    bool heard = false;

    for (unsigned i = 0; i < r->told; i++)
        heard = heard || r->type[i] == type;
    return heard;
}

/* ---- rekeys ---- */

void rogue_make_rekey_1(struct rogue *r)
{
    usi_handshake_free(r->handshake);
    ck_assert_int_eq(usi_handshake_again(&r->handshake, support_crypto(), r->ring, true, &r->terms),
                     0);
    ck_assert_int_eq(
        usi_handshake_write(r->handshake, r->message, USI_MESSAGE_1_MAX, &r->message_size), 0);
}

int rogue_say_rekey_1(struct rogue *r)
{
    rogue_make_rekey_1(r);
    return rogue_say(r, USI_RECORD_TYPE_REKEY_1, r->message, r->message_size);
}

/* The content of the record of that type heard last. */
static const struct octets *heard(const struct rogue *r, int type)
{
    for (unsigned i = r->told; i-- > 0;)
        if (r->type[i] == type)
            return &r->content[i];
    ck_abort_msg("no record of type %d was heard", type);
    return NULL;
}

void rogue_read_rekey_2(struct rogue *r)
{
    const struct octets *message = heard(r, USI_RECORD_TYPE_REKEY_2);

    ck_assert_int_eq(usi_handshake_read(r->handshake, message->base, message->size, 0), 0);
}

void rogue_read_rekey_1(struct rogue *r)
{
    const struct octets *message = heard(r, USI_RECORD_TYPE_REKEY_1);

    ck_assert_int_eq(
        usi_handshake_again(&r->handshake, support_crypto(), r->ring, false, &r->terms), 0);
    ck_assert_int_eq(usi_handshake_read(r->handshake, message->base, message->size, 0), 0);
    ck_assert_int_eq(
        usi_handshake_write(r->handshake, r->message, USI_MESSAGE_2_MAX, &r->message_size), 0);
}

int rogue_say_rekey_2(struct rogue *r)
{
    return rogue_say(r, USI_RECORD_TYPE_REKEY_2, r->message, r->message_size);
}

void rogue_switch_sending(struct rogue *r)
{
    take_keys(r, true, false);
}
