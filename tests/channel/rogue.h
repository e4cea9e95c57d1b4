/* A hostile peer that holds the key: every octet it sends is authentic, and none need be allowed.
 * Built from the handshake and the sealer alone, without a channel. */
#ifndef USI_TESTS_CHANNEL_ROGUE_H
#define USI_TESTS_CHANNEL_ROGUE_H

#include "support.h"

enum { TOLD = 64 };

struct rogue {
    struct party victim;
    struct usi_keyring *ring;
    bool connector; /* the rogue, that is */
    struct usi_handshake *handshake;
    struct usi_sealer sealer;
    struct usi_opener opener;
    struct usi_terms terms;
    uint8_t message[USI_MESSAGE_2_MAX]; /* of the rekey under way */
    size_t message_size;
    /* what the victim said, last first out */
    unsigned told;
    uint8_t type[TOLD];
    struct octets content[TOLD];
};

/* The victim is a listener, with message 2 received and no proof sent yet; or one that is up. */
void rogue_before_proof(struct rogue *r, const struct usi_settings *settings);
void rogue_up_listener(struct rogue *r, const struct usi_settings *settings);
/* The victim is a connector that is up. */
void rogue_up_connector(struct rogue *r, const struct usi_settings *settings);
void rogue_free(struct rogue *r);

/* Seals one record for the victim; what its receive says. */
int rogue_say(struct rogue *r, int type, const void *content, size_t size);
/* The record only; not counted as sent. */
void rogue_seal(struct rogue *r, int type, const void *content, size_t size, struct octets *record);
int rogue_say_end(struct rogue *r, uint64_t count);
int rogue_say_proof(struct rogue *r);

/* Lets the victim send all it will, and opens it: how many records came. Earlier ones are
 * forgotten. */
unsigned rogue_hear(struct rogue *r);
/* Whether the last rogue_hear got a record of that type. */
bool rogue_heard(const struct rogue *r, int type);

/* Steps of a rekey. As connector: say rekey 1 (message left in r->message), hear rekey 2. */
void rogue_make_rekey_1(struct rogue *r);
int rogue_say_rekey_1(struct rogue *r);
void rogue_read_rekey_2(struct rogue *r);
/* As listener: the rekey 1 that was heard; then say rekey 2. */
void rogue_read_rekey_1(struct rogue *r);
int rogue_say_rekey_2(struct rogue *r);
/* Keys of the rekey under way: for what the rogue sends, and for what it hears from now on. */
void rogue_switch_sending(struct rogue *r);
/* The rekey is over for the rogue: the next one starts from it. */
void rogue_rekey_over(struct rogue *r);

#endif
