/* What the suites of libusi share: a libcrypto context with usi.so in it, keys, octets that grow,
 * and two channels joined in memory. A helper that fails, fails the test. */
#ifndef USI_TESTS_CHANNEL_SUPPORT_H
#define USI_TESTS_CHANNEL_SUPPORT_H

#include "channel/channel.h"

#include <check.h>

/* ---- libcrypto: unchecked fixtures ---- */

void support_setup(void);
void support_teardown(void);
OSSL_LIB_CTX *support_libctx(void);
struct usi_crypto *support_crypto(void);

/* A context of one's own with `default` and usi.so. */
OSSL_LIB_CTX *support_libctx_new(void);
/* Loads a provider, from the folder of usi.so or of the test modules. */
void support_load(OSSL_LIB_CTX *libctx, const char *name);
void support_load_test_module(OSSL_LIB_CTX *libctx, const char *name);
/* Unloads what the functions above loaded, and frees. */
void support_libctx_free(OSSL_LIB_CTX *libctx);

/* A case with the fixtures above, added to the suite. */
TCase *support_case(Suite *suite, const char *name);
int support_run(Suite *suite);

/* ---- octets ---- */

struct octets {
    uint8_t *base;
    size_t size, room;
};

void octets_add(struct octets *o, const void *bytes, size_t size);
/* Drops the first `size` octets. */
void octets_drop(struct octets *o, size_t size);
void octets_clear(struct octets *o);
void octets_equal(const struct octets *o, const void *bytes, size_t size);

/* A number below `below` (not 0) of a reproducible sequence. */
size_t dice(uint64_t *state, size_t below);
void dice_fill(uint64_t *state, uint8_t *out, size_t size);

/* ---- keys ---- */

/* A keyring with one key: `size` octets that count up from `first`, under name (NULL: the empty
 * one). */
struct usi_keyring *ring_of(const char *name, uint8_t first, size_t size);
void ring_add(struct usi_keyring *ring, const char *name, uint8_t first, size_t size);

/* ---- one channel, and what happens to it ---- */

enum { EVENTS = 32 };

struct party {
    struct usi_channel *c;
    struct usi_keyring *ring;
    uint64_t now;
    struct octets out;  /* sealed, on its way to the peer */
    struct octets got;  /* data from the peer */
    struct octets todo; /* data that waits to be sent */
    uint8_t *plain;     /* USI_RECORD_ROOM octets */
    struct usi_buffer buffer;
    unsigned events; /* all; the last EVENTS of them in event */
    struct usi_event event[EVENTS];
    unsigned seen[USI_EVENT_RECORD + 1]; /* how often each */
    int result;                          /* the first error of receive or send */
};

/* Takes the ring over. */
void party_connect(struct party *p, struct usi_keyring *ring, const struct usi_settings *settings);
void party_listen(struct party *p, struct usi_keyring *ring, const struct usi_settings *settings);
/* As party_listen, with a ring that stays the caller's. */
void party_listen_shared(struct party *p, const struct usi_crypto *crypto,
                         struct usi_keyring *ring);
void party_connect_shared(struct party *p, const struct usi_crypto *crypto,
                          struct usi_keyring *ring);
void party_free(struct party *p);

/* Puts octets in, as one receive after the other takes them; the result of the last. */
int party_receive(struct party *p, const uint8_t *in, size_t size);
/* Takes what waits and what data can go out, at most `room` octets a call; true if anything came.
 */
bool party_send(struct party *p, size_t room);
/* The last event there was, NONE without any. */
struct usi_event party_last(const struct party *p);
/* Time goes on. */
void party_tick(struct party *p, uint64_t now);

/* ---- two of them ---- */

enum split { WHOLE, OCTET_BY_OCTET, AT_RANDOM };

struct pair {
    struct party connector, listener;
    enum split split;
    uint64_t dice;
};

/* Both with the same key of `size` octets, handshake not begun. */
void pair_new(struct pair *p, size_t size, const struct usi_settings *settings);
/* Moves octets until nothing more happens or a side fails. */
void pair_run(struct pair *p);
/* pair_new and the whole handshake. */
void pair_up(struct pair *p, size_t size, const struct usi_settings *settings);
/* pair_up, and a stream is open. */
void pair_open(struct pair *p, const struct usi_settings *settings);
void pair_free(struct pair *p);

#endif
