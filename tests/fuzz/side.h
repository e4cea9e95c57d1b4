/* One end of a channel in the hands of a target: keys of every mode, and all that is random drawn
 * from a seed (but the salts of RSA signatures), so that a finding comes again. */
#ifndef USI_TESTS_FUZZ_SIDE_H
#define USI_TESTS_FUZZ_SIDE_H

#include "channel/channel.h"
#include "fuzz.h"

#include "../channel/fixed.h"

/* How the two sides of a channel know each other. */
enum kind {
    KIND_KEY_128,
    KIND_KEY_192, /* under a name */
    KIND_KEY_256,
    KIND_IDENTITY,
    KIND_IDENTITY_RSA, /* the listener's */
    KIND_PASSWORD,
    KINDS
};

enum { SIDE_REKEY_MS = 1000 };

/* The algorithms, with a provider that is compiled in. Made once. */
struct usi_crypto *fuzz_crypto(void);

/* A copy of them that draws from a seed. */
struct draws {
    struct usi_crypto crypto;
    struct fixed fixed;
};
void draws_from(struct draws *draws, uint64_t seed);

enum usi_mode kind_mode(enum kind kind);

/* What that side has. */
struct usi_keyring *fuzz_ring(struct draws *draws, enum kind kind, bool connector);

/* What stands for bcrypt. */
void fuzz_stretch(const uint8_t salt[USI_SALT], uint8_t out[USI_STRETCHED]);

struct side {
    struct usi_channel *c;
    struct usi_keyring *ring;
    struct draws draws;
    uint64_t now;
    struct usi_buffer buffer;
    uint8_t *plain;
    bool salted;    /* the password is to be stretched */
    uint64_t taken; /* octets from the wire */
    uint64_t got;   /* octets of data, and of service records */
    /* The owner's. Events besides NONE and ROOM, with `taken` at their end; the data that has come
     * since the last time, of which service records are a part. */
    void (*event)(struct side *side, const struct usi_event *event);
    void (*data)(struct side *side, const uint8_t *octets, size_t size);
    void *owner;
};

void side_new(struct side *side, bool connector, enum kind kind, uint64_t seed);
void side_free(struct side *side);

/* Takes octets in, as one receive after the other does: the result of the last; *taken of them. */
int side_receive(struct side *side, const uint8_t *in, size_t size, size_t *taken);

/* Stretches the password if that was asked for; what usi_channel_stretched says. */
int side_stretch(struct side *side);

/* When the channel wants to be told the time has to be sound. */
void side_check_deadline(const struct side *side);

/* Octets that libcrypto's functions have given out and not taken back. */
size_t fuzz_memory(void);

#endif
