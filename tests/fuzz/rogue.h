/* A peer that has the key and keeps no rule: what rogue.c and rogue_hand.c share. */
#ifndef USI_TESTS_FUZZ_ROGUE_H
#define USI_TESTS_FUZZ_ROGUE_H

#include "side.h"

#include "channel/bytes.h"
#include "channel/handshake.h"
#include "channel/noise.h"

enum { ROGUE_ROOM = 4096, ROGUE_HEARD = 1 << 17 };

struct rogue {
    struct side victim;
    bool over; /* the victim has given up, or there is nothing more to be said */
    bool connector;
    enum kind kind;
    struct draws draws;
    struct usi_keyring *ring;
    const struct usi_credential *key; /* key mode */
    const struct usi_cipher *cipher;
    struct usi_sealer sealer;
    struct usi_opener opener;

    uint8_t heard[ROGUE_HEARD]; /* what the victim sent and is not read yet */
    size_t heard_size;

    /* by hand */
    struct usi_noise *noise;
    uint8_t rand[USI_RAND];
    uint8_t peer_key[USI_HASH]; /* identity mode: SHA-256 of the listener's SPKI */
    struct usi_write prologue;
    uint8_t prologue_octets[2 * ROGUE_ROOM];

    /* by the sound way */
    struct usi_handshake *handshake, *question;
    struct usi_terms terms;
    uint8_t message[ROGUE_ROOM];
    size_t message_size;
};

/* Lets the victim send all that it will. */
void rogue_hear(struct rogue *r);
/* The first octets that it sent were read. */
void rogue_forget(struct rogue *r, size_t size);

/* A message of the handshake, with its length; the victim's, whose size is 0 if it says none. */
void rogue_say_message(struct rogue *r, const uint8_t *body, size_t size);
size_t rogue_hear_message(struct rogue *r, uint8_t body[ROGUE_ROOM]);

/* Seals a record, if there are keys yet. */
void rogue_say_record(struct rogue *r, unsigned type, const uint8_t *content, size_t size);

/* New keys; NULL: as before. */
void rogue_take_keys(struct rogue *r, const uint8_t *send, const uint8_t *receive);

/* The handshake as PROTOCOL.md writes it, without channel/handshake.c: each header, payload and
 * proof is changed by fuzz_edit before it is hashed and sealed. */
void rogue_connect_by_hand(struct rogue *r, struct fuzz_input *input);
void rogue_listen_by_hand(struct rogue *r, struct fuzz_input *input);

#endif
