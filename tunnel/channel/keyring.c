#include "channel/keyring.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { REPLAY_BUCKETS_MIN = 1024 };

/* The last challenges in a ring, and a hash table of chains over it. Only holders of a key get
 * challenges into it, and the hash is a secret linear form, so that even they cannot fill one
 * chain. */
struct replay {
    pthread_mutex_t lock;
    uint64_t multiplier[USI_RAND / 8];
    uint32_t count, next;
    uint32_t buckets; /* in use, a power of 2: more as the ring fills, so that a few challenges do
                         not touch every page */
    uint8_t rand[USI_REPLAY_MEMORY][USI_RAND];
    uint32_t chain[USI_REPLAY_MEMORY]; /* place + 1 of the next of the same bucket; 0 ends */
    uint32_t bucket[USI_REPLAY_MEMORY];
};

struct entry {
    struct entry *next;
    struct usi_credential *real;
    struct usi_credential decoy; /* of the same size: what a wrong name is checked against */
    size_t name_size;
    char name[USI_NAME_MAX];
};

struct usi_keyring {
    const struct usi_crypto *crypto;
    pthread_rwlock_t lock; /* of the next line */
    struct entry *first;
    struct replay *replay;
    /* identity and password mode */
    size_t name_size;
    char name[USI_NAME_MAX];
    const struct usi_identity *identity;
    bool accept_rsa;
    uint8_t salt[USI_SALT];
    uint8_t *stretched; /* in the secure heap; NULL: no password */
    struct usi_guard *guard;
};

static struct replay *replay_new(const struct usi_crypto *crypto)
{
    struct replay *replay = calloc(1, sizeof *replay); /* untouched pages cost nothing */
    uint8_t octets[USI_RAND];

    if (replay == NULL)
        return NULL;
    if (crypto->random(crypto, octets, sizeof octets) != 0 ||
        pthread_mutex_init(&replay->lock, NULL) != 0) {
        free(replay);
        return NULL;
    }
    memcpy(replay->multiplier, octets, sizeof octets);
    replay->buckets = REPLAY_BUCKETS_MIN;
    return replay;
}

static void replay_free(struct replay *replay)
{
    if (replay == NULL)
        return;
    (void)pthread_mutex_destroy(&replay->lock);
    free(replay);
}

/* Whoever replaces the keys must not wait for ever, however fast strangers knock. */
static int lock_init(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;

    if (pthread_rwlockattr_init(&attributes) != 0)
        return -1;
#ifdef __GLIBC__ /* whose readers go first */
    (void)pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    int result = pthread_rwlock_init(lock, &attributes) == 0 ? 0 : -1;
    (void)pthread_rwlockattr_destroy(&attributes);
    return result;
}

struct usi_keyring *usi_keyring_new(const struct usi_crypto *crypto)
{
    struct usi_keyring *ring = OPENSSL_zalloc(sizeof *ring);

    if (ring == NULL)
        return NULL;
    ring->crypto = crypto;
    ring->replay = replay_new(crypto);
    if (ring->replay == NULL || lock_init(&ring->lock) != 0) {
        replay_free(ring->replay);
        OPENSSL_free(ring);
        return NULL;
    }
    return ring;
}

static void entry_free(struct entry *entry)
{
    usi_credential_clear(&entry->decoy);
    usi_credential_free(entry->real);
    OPENSSL_free(entry);
}

int usi_keyring_add(struct usi_keyring *ring, const char *name, size_t name_size, const uint8_t *ki,
                    size_t ki_size)
{
    uint8_t made_up[USI_KEY];
    struct entry *entry;
    struct entry **last = &ring->first;
    int result;

    if (name_size > USI_NAME_MAX)
        return USI_ERR_ARGUMENT;
    entry = OPENSSL_zalloc(sizeof *entry);
    if (entry == NULL || ring->crypto->random(ring->crypto, made_up, sizeof made_up) != 0) {
        OPENSSL_free(entry);
        return USI_ERR_INTERNAL;
    }
    result = usi_credential_new(&entry->real, ring->crypto, ki, ki_size);
    if (result == 0)
        result = usi_credential_set_key(&entry->decoy, ring->crypto, made_up, ki_size);
    OPENSSL_cleanse(made_up, sizeof made_up);
    if (result != 0) {
        entry_free(entry);
        return result;
    }
    if (name_size > 0)
        memcpy(entry->name, name, name_size);
    entry->name_size = name_size;
    while (*last != NULL)
        last = &(*last)->next;
    *last = entry;
    return 0;
}

int usi_keyring_replace_keys(struct usi_keyring *ring, struct usi_keyring *by)
{
    struct entry *before;

    if (pthread_rwlock_wrlock(&ring->lock) != 0)
        return USI_ERR_INTERNAL;
    before = ring->first;
    ring->first = by->first;
    by->first = before;
    (void)pthread_rwlock_unlock(&ring->lock);
    return 0;
}

void usi_keyring_free(struct usi_keyring *ring)
{
    if (ring == NULL)
        return;
    for (struct entry *e = ring->first, *next; e != NULL; e = next) {
        next = e->next;
        entry_free(e);
    }
    replay_free(ring->replay);
    (void)pthread_rwlock_destroy(&ring->lock);
    OPENSSL_secure_clear_free(ring->stretched, USI_STRETCHED);
    usi_guard_free(ring->guard);
    OPENSSL_free(ring);
}

/* ---- identity and password mode ---- */

int usi_keyring_set_name(struct usi_keyring *ring, const char *name, size_t size)
{
    if (size > USI_NAME_MAX)
        return USI_ERR_ARGUMENT;
    if (size > 0)
        memcpy(ring->name, name, size);
    ring->name_size = size;
    return 0;
}

const char *usi_keyring_name(const struct usi_keyring *ring, size_t *size)
{
    *size = ring->name_size;
    return ring->name;
}

void usi_keyring_set_identity(struct usi_keyring *ring, const struct usi_identity *identity,
                              bool accept_rsa)
{
    ring->identity = identity;
    ring->accept_rsa = accept_rsa;
}

const struct usi_identity *usi_keyring_identity(const struct usi_keyring *ring)
{
    return ring->identity;
}

bool usi_keyring_accepts_rsa(const struct usi_keyring *ring)
{
    return ring->accept_rsa;
}

int usi_keyring_set_password(struct usi_keyring *ring, const uint8_t salt[USI_SALT],
                             const uint8_t stretched[USI_STRETCHED], const struct usi_tries *tries)
{
    if (ring->stretched != NULL)
        return USI_ERR_ARGUMENT;
    ring->guard = usi_guard_new(tries);
    ring->stretched = OPENSSL_secure_malloc(USI_STRETCHED);
    if (ring->guard == NULL || ring->stretched == NULL) {
        usi_guard_free(ring->guard);
        OPENSSL_secure_free(ring->stretched);
        ring->guard = NULL;
        ring->stretched = NULL;
        return USI_ERR_INTERNAL;
    }
    memcpy(ring->stretched, stretched, USI_STRETCHED);
    memcpy(ring->salt, salt, USI_SALT);
    return 0;
}

bool usi_keyring_has_password(const struct usi_keyring *ring)
{
    return ring->stretched != NULL;
}

const uint8_t *usi_keyring_password(const struct usi_keyring *ring, uint8_t salt[USI_SALT])
{
    memcpy(salt, ring->salt, USI_SALT);
    return ring->stretched;
}

struct usi_guard *usi_keyring_guard(const struct usi_keyring *ring)
{
    return ring->guard;
}

void usi_keyring_tries(struct usi_keyring *ring, uint64_t now, struct usi_tries_state *state)
{
    if (ring->guard != NULL)
        usi_guard_state(ring->guard, now, state);
    else
        *state = (struct usi_tries_state){0};
}

/* ---- key mode ---- */

/* With the lock. */
static int find_locked(const struct usi_keyring *ring, const struct usi_caller *caller,
                       struct usi_credential **found)
{
    int result = USI_ERR_KNOCK;

    for (const struct entry *e = ring->first; e != NULL; e = e->next) {
        uint8_t expected[USI_KNOCK];
        bool named = e->name_size == caller->name_size &&
                     (e->name_size == 0 || memcmp(e->name, caller->name, e->name_size) == 0);
        bool fits = named && e->real->cipher_octet == caller->cipher;
        const struct usi_credential *used = fits ? e->real : &e->decoy;

        if (used->method->knock(used, caller->h1, expected) != 0)
            result = USI_ERR_INTERNAL;
        else if ((CRYPTO_memcmp(expected, caller->knock, USI_KNOCK) == 0) & fits) {
            *found = e->real;
            result = 0;
        }
        OPENSSL_cleanse(expected, sizeof expected);
    }
    (void)usi_credential_hold(*found);
    return result;
}

int usi_keyring_find(struct usi_keyring *ring, const struct usi_caller *caller,
                     struct usi_credential **found)
{
    int result;

    *found = NULL;
    if (pthread_rwlock_rdlock(&ring->lock) != 0)
        return USI_ERR_INTERNAL;
    result = find_locked(ring, caller, found);
    (void)pthread_rwlock_unlock(&ring->lock);
    return result;
}

struct usi_credential *usi_keyring_first(const struct usi_keyring *ring, const char **name,
                                         size_t *name_size)
{
    if (ring->first == NULL)
        return NULL;
    *name = ring->first->name;
    *name_size = ring->first->name_size;
    return ring->first->real;
}

static uint32_t *bucket_of(struct replay *replay, const uint8_t rand_ms[USI_RAND])
{
    uint64_t hash = 0;

    for (size_t i = 0; i < USI_RAND / 8; i++) {
        uint64_t word;
        memcpy(&word, rand_ms + 8 * i, sizeof word);
        hash += word * replay->multiplier[i];
    }
    /* The highest bits: lower ones would not depend on all of every word. */
    return &replay->bucket[(hash >> 48) * replay->buckets / USI_REPLAY_MEMORY];
}

static void put_first(struct replay *replay, uint32_t place)
{
    uint32_t *bucket = bucket_of(replay, replay->rand[place]);

    replay->chain[place] = *bucket;
    *bucket = place + 1;
}

/* Twice as many buckets; the ring has never been full. */
static void spread(struct replay *replay)
{
    memset(replay->bucket, 0, replay->buckets * sizeof replay->bucket[0]);
    replay->buckets *= 2;
    for (uint32_t place = 0; place < replay->count; place++)
        put_first(replay, place);
}

static void forget(struct replay *replay, uint32_t place)
{
    uint32_t *link = bucket_of(replay, replay->rand[place]);

    while (*link != place + 1)
        link = &replay->chain[*link - 1];
    *link = replay->chain[place];
}

int usi_keyring_remember(struct usi_keyring *ring, const uint8_t rand_ms[USI_RAND])
{
    struct replay *replay = ring->replay;
    int result = 0;

    if (pthread_mutex_lock(&replay->lock) != 0)
        return USI_ERR_INTERNAL;
    for (uint32_t at = *bucket_of(replay, rand_ms); at != 0 && result == 0;
         at = replay->chain[at - 1])
        if (memcmp(replay->rand[at - 1], rand_ms, USI_RAND) == 0)
            result = USI_ERR_REPLAY;
    if (result == 0) {
        uint32_t place = replay->next;
        if (replay->count == USI_REPLAY_MEMORY)
            forget(replay, place);
        else
            replay->count++;
        memcpy(replay->rand[place], rand_ms, USI_RAND);
        put_first(replay, place);
        if (replay->count > replay->buckets)
            spread(replay);
        replay->next = (place + 1) % USI_REPLAY_MEMORY;
    }
    (void)pthread_mutex_unlock(&replay->lock);
    return result;
}
