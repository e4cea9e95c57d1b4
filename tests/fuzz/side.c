#include "side.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>

extern OSSL_provider_init_fn OSSL_provider_init;

/* ---- memory ---- */

static size_t memory;

static void *take_memory(size_t size, const char *file, int line)
{
    void *at = malloc(size);

    (void)file, (void)line;
    memory += malloc_usable_size(at);
    return at;
}

static void give_memory(void *at, const char *file, int line)
{
    (void)file, (void)line;
    memory -= malloc_usable_size(at);
    free(at);
}

static void *change_memory(void *at, size_t size, const char *file, int line)
{
    size_t before = malloc_usable_size(at);

    if (size == 0) {
        give_memory(at, file, line);
        return NULL;
    }
    at = realloc(at, size);
    if (at != NULL)
        memory += malloc_usable_size(at) - before;
    return at;
}

size_t fuzz_memory(void)
{
    return memory;
}

/* ---- what both sides have ---- */

static struct usi_crypto *the_crypto; /* all three for the life of the process */
static struct usi_identity *connectors, *listeners, *rsa;

static void make_identities(OSSL_LIB_CTX *libctx)
{
    uint8_t secret[32] = {1};
    EVP_PKEY *key;

    for (unsigned i = 0; i < 2; i++, secret[0]++) {
        key = EVP_PKEY_new_raw_private_key_ex(libctx, "ED25519", NULL, secret, sizeof secret);
        REQUIRE(key != NULL &&
                usi_identity_from_key(i == 0 ? &connectors : &listeners, the_crypto, key) == 0);
        EVP_PKEY_free(key);
    }
    FILE *file = fopen(USI_RSA_KEY, "r");
    REQUIRE(file != NULL);
    key = PEM_read_PrivateKey_ex(file, NULL, NULL, NULL, libctx, NULL);
    REQUIRE(key != NULL && fclose(file) == 0);
    REQUIRE(usi_identity_from_key(&rsa, the_crypto, key) == 0);
    EVP_PKEY_free(key);
}

struct usi_crypto *fuzz_crypto(void)
{
    const char *what = NULL;

    if (the_crypto != NULL)
        return the_crypto;
    REQUIRE(CRYPTO_set_mem_functions(take_memory, change_memory, give_memory) == 1);
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    REQUIRE(libctx != NULL && OSSL_PROVIDER_load(libctx, "default") != NULL);
    REQUIRE(OSSL_PROVIDER_add_builtin(libctx, "usi", OSSL_provider_init) == 1);
    REQUIRE(OSSL_PROVIDER_load(libctx, "usi") != NULL);
    REQUIRE(usi_crypto_new(&the_crypto, libctx, NULL, &what) == 0);
    make_identities(libctx);
    return the_crypto;
}

void draws_from(struct draws *draws, uint64_t seed)
{
    draws->crypto = *fuzz_crypto();
    fixed_stream(&draws->crypto, &draws->fixed, seed);
}

enum usi_mode kind_mode(enum kind kind)
{
    return kind == KIND_PASSWORD                                ? USI_MODE_PASSWORD
           : kind == KIND_IDENTITY || kind == KIND_IDENTITY_RSA ? USI_MODE_IDENTITY
                                                                : USI_MODE_KEY;
}

void fuzz_stretch(const uint8_t salt[USI_SALT], uint8_t out[USI_STRETCHED])
{
    memset(out, 7, USI_STRETCHED);
    memcpy(out, salt, USI_SALT);
}

/* A listener has a password too, for the question. */
static void add_password(struct usi_keyring *ring)
{
    static const struct usi_tries tries = {.burst = 3, .refill_ms = 1000};
    uint8_t salt[USI_SALT] = {0x5a}, stretched[USI_STRETCHED];

    fuzz_stretch(salt, stretched);
    REQUIRE(usi_keyring_set_password(ring, salt, stretched, &tries) == 0);
}

struct usi_keyring *fuzz_ring(struct draws *draws, enum kind kind, bool connector)
{
    struct usi_keyring *ring = usi_keyring_new(&draws->crypto);
    const uint8_t ki[USI_KEY] = {0x4b, 0x69};

    REQUIRE(ring != NULL);
    switch (kind) {
    case KIND_KEY_128:
    case KIND_KEY_192:
    case KIND_KEY_256:
        REQUIRE(usi_keyring_add(ring, "name", kind == KIND_KEY_192 ? 4 : 0, ki,
                                16 + 8 * (size_t)kind) == 0);
        break;
    case KIND_IDENTITY:
    case KIND_IDENTITY_RSA:
        usi_keyring_set_identity(ring,
                                 connector                   ? connectors
                                 : kind == KIND_IDENTITY_RSA ? rsa
                                                             : listeners,
                                 true);
        break;
    default:
        break;
    }
    if (!connector && kind >= KIND_IDENTITY)
        add_password(ring);
    return ring;
}

/* ---- one side ---- */

void side_new(struct side *side, bool connector, enum kind kind, uint64_t seed)
{
    const struct usi_settings settings = {
        .mode = kind_mode(kind), .rekey_ms = SIDE_REKEY_MS, .rekey_bytes = USI_REKEY_BYTES_MIN};

    *side = (struct side){.now = 1000};
    draws_from(&side->draws, 2 * seed + connector);
    side->ring = fuzz_ring(&side->draws, kind, connector);
    side->plain = malloc(USI_RECORD_ROOM);
    REQUIRE(side->plain != NULL);
    side->buffer = (struct usi_buffer){.base = side->plain, .size = USI_RECORD_ROOM};
    int result = (connector ? usi_channel_connect : usi_channel_listen)(
        &side->c, &side->draws.crypto, side->ring, &settings, side->now);
    REQUIRE(result == 0);
}

void side_free(struct side *side)
{
    usi_channel_free(side->c);
    usi_keyring_free(side->ring);
    free(side->plain);
}

/* Data leaves a buffer only between records, or when there is no room. */
static void take_data(struct side *side, const struct usi_event *event)
{
    size_t size = side->buffer.used;

    if (usi_channel_partial(side->c) != 0 && event->type != USI_EVENT_ROOM)
        return;
    side->buffer.used = 0;
    if (size > 0 && side->data != NULL)
        side->data(side, side->plain, size);
    side->got += size;
}

static int receive_once(struct side *side, const uint8_t *in, size_t size, size_t *taken)
{
    struct usi_event event;
    size_t before = side->buffer.used;
    int result = usi_channel_receive(side->c, in, size, taken, &side->buffer, &event);

    REQUIRE(*taken <= size);
    REQUIRE(side->buffer.used >= before && side->buffer.used <= side->buffer.size);
    side->taken += *taken;
    if (result != 0)
        return result;
    REQUIRE(event.type != USI_EVENT_NONE || *taken == size);
    REQUIRE(event.type != USI_EVENT_ROOM || side->buffer.used > 0);
    if (event.type == USI_EVENT_RECORD)
        REQUIRE(event.content + event.size == side->plain + side->buffer.used);
    side->salted = side->salted || event.type == USI_EVENT_SALT;
    take_data(side, &event);
    if (event.type != USI_EVENT_NONE && event.type != USI_EVENT_ROOM && side->event != NULL)
        side->event(side, &event);
    return 0;
}

int side_receive(struct side *side, const uint8_t *in, size_t size, size_t *taken)
{
    int result;

    *taken = 0;
    do {
        size_t n = 0;
        result = receive_once(side, in + *taken, size - *taken, &n);
        *taken += n;
    } while (result == 0 && *taken < size);
    return result;
}

int side_stretch(struct side *side)
{
    uint8_t stretched[USI_STRETCHED];
    const uint8_t *salt = usi_channel_salt(side->c);

    if (!side->salted)
        return 0;
    side->salted = false;
    REQUIRE(salt != NULL);
    fuzz_stretch(salt, stretched);
    return usi_channel_stretched(side->c, stretched);
}

void side_check_deadline(const struct side *side)
{
    uint64_t at = usi_channel_deadline(side->c);

    REQUIRE(at == UINT64_MAX || (at > side->now && at - side->now <= SIDE_REKEY_MS));
}
