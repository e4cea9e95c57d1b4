/* A connector by hand: the handshake as PROTOCOL.md writes it, octet by octet, without
 * channel/handshake.c; and a listener that gets it. */
#ifndef USI_TESTS_CHANNEL_HAND_H
#define USI_TESTS_CHANNEL_HAND_H

#include "support.h"

struct hand {
    const struct usi_credential *credential;
    struct usi_crypto crypto; /* of the listener */
    struct usi_noise *noise;
    uint8_t mode, cipher, flags;
    const char *magic;
    uint8_t kem_octet; /* what the ML-KEM key consists of, where flags say that there is one */
    uint8_t rand_ms[USI_RAND];
    uint8_t wire[4096];
    size_t size;
    struct party listener;
    struct usi_keyring *ring;
};

void hand_new(struct hand *h);
void hand_free(struct hand *h);

/* Message 1 of the fields given, with a knock that is right for it, into wire. */
void hand_message_1(struct hand *h);

/* What a fresh listener says to the octets in wire; after an error it must have sent none. */
int hand_over(struct hand *h);

/* Reads message 2 (without ML-KEM) and sends the proof; what the listener says. */
int hand_finish(struct hand *h);

/* All of hand_over for those fields. */
int hand_try(uint8_t mode, uint8_t cipher, uint8_t flags, const char *magic);

#endif
