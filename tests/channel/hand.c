#include "hand.h"

#include "channel/bytes.h"
#include "channel/kem.h"
#include "channel/noise.h"

void hand_new(struct hand *h)
{
    const char *name;
    size_t name_size;

    *h = (struct hand){.mode = 1, .cipher = 3, .magic = "USI1", .rand_ms = {0x52}};
    h->crypto = *support_crypto();
    h->ring = ring_of("hand", 7, 32);
    h->credential = usi_keyring_first(h->ring, &name, &name_size);
}

void hand_free(struct hand *h)
{
    usi_noise_free(h->noise);
    party_free(&h->listener);
    usi_keyring_free(h->ring);
}

void hand_message_1(struct hand *h)
{
    struct usi_write w = usi_write_to(h->wire + 2, sizeof h->wire - 2);
    size_t size = 0;

    usi_write_bytes(&w, h->magic, 4);
    usi_write_number(&w, h->mode, 1);
    usi_write_number(&w, h->cipher, 1);
    usi_write_number(&w, h->flags, 1);
    usi_write_number(&w, 4, 1);
    usi_write_bytes(&w, "hand", 4);
    usi_write_bytes(&w, h->rand_ms, USI_RAND);
    if (h->flags & 1)
        memset(usi_write_room(&w, USI_KEM_KEY), h->kem_octet, USI_KEM_KEY);
    unsigned cipher = h->cipher >= 1 && h->cipher <= 3 ? h->cipher - 1u : 2;
    ck_assert_int_eq(usi_noise_new(&h->noise, support_crypto(), &support_crypto()->cipher[cipher],
                                   USI_NOISE_NNPSK2, true, w.base, w.used),
                     0);
    uint8_t *message = usi_write_room(&w, USI_DH + USI_TAG);
    uint8_t *knock = usi_write_room(&w, USI_KNOCK);
    ck_assert(usi_write_done(&w));
    ck_assert_int_eq(usi_noise_write(h->noise, NULL, 0, message, USI_DH + USI_TAG, &size), 0);
    ck_assert_int_eq(h->credential->method->knock(h->credential, usi_noise_hash(h->noise), knock),
                     0);
    usi_put_number(h->wire, w.used, 2);
    h->size = 2 + w.used;
}

int hand_over(struct hand *h)
{
    party_free(&h->listener);
    party_listen_shared(&h->listener, &h->crypto, h->ring);
    int result = party_receive(&h->listener, h->wire, h->size);
    (void)party_send(&h->listener, USI_SEND_ROOM);
    if (result != 0)
        ck_assert_uint_eq(h->listener.out.size, 0);
    return result;
}

int hand_try(uint8_t mode, uint8_t cipher, uint8_t flags, const char *magic)
{
    struct hand h;

    hand_new(&h);
    h.mode = mode;
    h.cipher = cipher;
    h.flags = flags;
    h.magic = magic;
    hand_message_1(&h);
    int result = hand_over(&h);
    hand_free(&h);
    return result;
}

int hand_finish(struct hand *h)
{
    const struct octets *answer = &h->listener.out;
    uint8_t psk[USI_KEY], send[USI_KEY], receive[USI_KEY], payload[1], record[512];
    uint8_t proof[USI_PROOF];
    size_t size = 0, made = 0;
    struct usi_sealer sealer = {0};

    ck_assert_uint_eq(answer->size, 2 + USI_MESSAGE_2_MIN);
    ck_assert_uint_eq(answer->base[2], 0); /* flags */
    ck_assert_int_eq(usi_noise_mix_hash(h->noise, answer->base + 2, 1 + USI_RAND), 0);
    ck_assert_int_eq(h->credential->method->psk(h->credential, answer->base + 3, h->rand_ms, psk),
                     0);
    usi_noise_set_psk(h->noise, psk);
    ck_assert_int_eq(usi_noise_read(h->noise, answer->base + 3 + USI_RAND, USI_DH + USI_TAG,
                                    payload, sizeof payload, &size),
                     0);
    ck_assert_int_eq(usi_noise_split(h->noise, send, receive), 0);
    ck_assert_int_eq(h->credential->method->proof(h->credential, usi_noise_hash(h->noise), proof),
                     0);
    ck_assert_int_eq(usi_sealer_key(&sealer, h->credential->cipher, send), 0);
    ck_assert_int_eq(usi_seal(&sealer, USI_RECORD_TYPE_PROOF, proof, sizeof proof, record, &made),
                     0);
    usi_sealer_clear(&sealer);
    return party_receive(&h->listener, record, made);
}
