#include "channel/handshake.h"

#include "channel/bytes.h"
#include "channel/kem.h"

#include <openssl/crypto.h>
#include <string.h>

static const uint8_t magic[4] = {'U', 'S', 'I', '1'};
static const uint8_t rekey_label[10] = {'U', 'S', 'I', '1', ' ', 'r', 'e', 'k', 'e', 'y'};

enum {
    FLAG_ML_KEM = 1,
    NOISE_MESSAGE = USI_DH + USI_TAG,
    HEADER_1_MAX = 8 + USI_NAME_MAX + USI_RAND + USI_KEM_KEY,
    PROLOGUE_MAX = sizeof rekey_label + USI_HASH + HEADER_1_MAX
};

struct usi_handshake {
    const struct usi_crypto *crypto;
    struct usi_keyring *ring; /* listener, first handshake; else NULL */
    const struct usi_credential *credential;
    struct usi_noise *noise;
    bool connector;
    bool agreed; /* message 2 has passed */

    bool again; /* a rekey */
    uint8_t previous[USI_HASH];

    size_t name_size;
    char name[USI_NAME_MAX];
    uint8_t rand_ms[USI_RAND], rand_nw[USI_RAND];

    EVP_PKEY *kem;                   /* connector: our ML-KEM key */
    bool kem_offered;                /* by the connector */
    uint8_t kem_public[USI_KEM_KEY]; /* listener: the connector's */
};

static int handshake_new(struct usi_handshake **out, const struct usi_crypto *crypto,
                         const uint8_t *previous)
{
    struct usi_handshake *hs = OPENSSL_zalloc(sizeof *hs);

    *out = hs;
    if (hs == NULL)
        return USI_ERR_INTERNAL;
    hs->crypto = crypto;
    if (previous != NULL) {
        hs->again = true;
        memcpy(hs->previous, previous, USI_HASH);
    }
    return 0;
}

static void set_name(struct usi_handshake *hs, const void *name, size_t size)
{
    if (size > 0)
        memcpy(hs->name, name, size);
    hs->name_size = size;
}

int usi_handshake_connect(struct usi_handshake **out, const struct usi_credential *credential,
                          const char *name, size_t name_size, const uint8_t *previous)
{
    int result = handshake_new(out, credential->crypto, previous);

    if (result != 0)
        return result;
    (*out)->connector = true;
    (*out)->credential = credential;
    set_name(*out, name, name_size);
    return 0;
}

int usi_handshake_listen(struct usi_handshake **out, const struct usi_crypto *crypto,
                         struct usi_keyring *ring)
{
    int result = handshake_new(out, crypto, NULL);

    if (result == 0)
        (*out)->ring = ring;
    return result;
}

int usi_handshake_listen_again(struct usi_handshake **out, const struct usi_credential *credential,
                               const char *name, size_t name_size, const uint8_t *previous)
{
    int result = handshake_new(out, credential->crypto, previous);

    if (result != 0)
        return result;
    (*out)->credential = credential;
    set_name(*out, name, name_size);
    return 0;
}

void usi_handshake_free(struct usi_handshake *hs)
{
    if (hs == NULL)
        return;
    EVP_PKEY_free(hs->kem);
    usi_noise_free(hs->noise);
    OPENSSL_clear_free(hs, sizeof *hs);
}

/* The Noise handshake with the prologue that goes with the clear header of message 1. */
static int begin_noise(struct usi_handshake *hs, const struct usi_cipher *cipher,
                       enum usi_noise_pattern pattern, const uint8_t *header, size_t size)
{
    uint8_t prologue[PROLOGUE_MAX];
    struct usi_write w = usi_write_to(prologue, sizeof prologue);

    if (hs->again) {
        usi_write_bytes(&w, rekey_label, sizeof rekey_label);
        usi_write_bytes(&w, hs->previous, USI_HASH);
    }
    usi_write_bytes(&w, header, size);
    if (!usi_write_done(&w))
        return USI_ERR_FORMAT;
    return usi_noise_new(&hs->noise, hs->crypto, cipher, pattern, hs->connector, prologue, w.used);
}

static int write_header_1(struct usi_handshake *hs, struct usi_write *w)
{
    int result = 0;

    hs->kem_offered = hs->crypto->ml_kem;
    usi_write_bytes(w, magic, sizeof magic);
    usi_write_number(w, hs->credential->method->mode, 1);
    usi_write_number(w, hs->credential->cipher_octet, 1);
    usi_write_number(w, hs->kem_offered ? FLAG_ML_KEM : 0, 1);
    usi_write_number(w, hs->name_size, 1);
    usi_write_bytes(w, hs->name, hs->name_size);
    usi_write_bytes(w, hs->rand_ms, USI_RAND);
    if (hs->kem_offered) {
        uint8_t *public = usi_write_room(w, USI_KEM_KEY);
        result = public == NULL ? USI_ERR_ARGUMENT : usi_kem_generate(hs->crypto, &hs->kem, public);
    }
    return result != 0 ? result : usi_write_done(w) ? 0 : USI_ERR_ARGUMENT;
}

int usi_handshake_write_1(struct usi_handshake *hs, uint8_t *out, size_t room, size_t *size)
{
    const struct usi_credential *c = hs->credential;
    struct usi_write w = usi_write_to(out, room);
    size_t noise_size = 0;
    int result;

    if (hs->crypto->random(hs->crypto, hs->rand_ms, USI_RAND) != 0)
        return USI_ERR_INTERNAL;
    if ((result = write_header_1(hs, &w)) != 0 ||
        (result = begin_noise(hs, c->cipher, c->method->pattern, out, w.used)) != 0)
        return result;
    uint8_t *message = usi_write_room(&w, NOISE_MESSAGE);
    uint8_t *knock = usi_write_room(&w, USI_KNOCK);
    if (!usi_write_done(&w))
        return USI_ERR_ARGUMENT;
    if ((result = usi_noise_write(hs->noise, NULL, 0, message, NOISE_MESSAGE, &noise_size)) != 0 ||
        (result = c->method->knock(c, usi_noise_hash(hs->noise), knock)) != 0)
        return result;
    *size = w.used;
    return 0;
}

/* The clear header of message 1, up to the Noise message. */
static int read_header_1(struct usi_handshake *hs, struct usi_read *r, struct usi_caller *caller)
{
    const uint8_t *seen_magic = usi_read_bytes(r, sizeof magic);
    uint8_t mode = usi_read_u8(r);
    caller->cipher = usi_read_u8(r);
    uint8_t flags = usi_read_u8(r);
    caller->name_size = usi_read_u8(r);
    caller->name = usi_read_bytes(r, caller->name_size);
    const uint8_t *rand_ms = usi_read_bytes(r, USI_RAND);
    const uint8_t *public = flags & FLAG_ML_KEM ? usi_read_bytes(r, USI_KEM_KEY) : NULL;

    if (r->failed || memcmp(seen_magic, magic, sizeof magic) != 0 || mode != USI_MODE_KEY ||
        caller->cipher < 1 || caller->cipher > USI_CIPHERS || (flags & ~FLAG_ML_KEM) != 0)
        return USI_ERR_FORMAT;
    memcpy(hs->rand_ms, rand_ms, USI_RAND);
    if (public != NULL) {
        hs->kem_offered = true;
        memcpy(hs->kem_public, public, USI_KEM_KEY);
    }
    return 0;
}

/* In a rekey the caller is known: only its own key, under its own name, will do. */
static int check_same_caller(const struct usi_handshake *hs, const struct usi_caller *caller)
{
    const struct usi_credential *c = hs->credential;
    uint8_t expected[USI_KNOCK];
    int result;

    if (caller->cipher != c->cipher_octet || caller->name_size != hs->name_size ||
        (hs->name_size > 0 && memcmp(caller->name, hs->name, hs->name_size) != 0))
        return USI_ERR_PROTOCOL;
    result = c->method->knock(c, caller->h1, expected);
    if (result == 0 && CRYPTO_memcmp(expected, caller->knock, USI_KNOCK) != 0)
        result = USI_ERR_KNOCK;
    OPENSSL_cleanse(expected, sizeof expected);
    return result;
}

int usi_handshake_read_1(struct usi_handshake *hs, const uint8_t *message, size_t size)
{
    struct usi_read r = usi_read_from(message, size);
    struct usi_caller caller = {0};
    size_t header_size, payload_size = 0;
    uint8_t payload[1];
    int result = read_header_1(hs, &r, &caller);

    if (result != 0)
        return result;
    header_size = size - r.left;
    const uint8_t *noise_message = usi_read_bytes(&r, NOISE_MESSAGE);
    caller.knock = usi_read_bytes(&r, USI_KNOCK);
    if (!usi_read_done(&r))
        return USI_ERR_FORMAT;
    result = begin_noise(hs, &hs->crypto->cipher[caller.cipher - 1], USI_NOISE_NNPSK2, message,
                         header_size);
    if (result == 0)
        result = usi_noise_read(hs->noise, noise_message, NOISE_MESSAGE, payload, sizeof payload,
                                &payload_size);
    if (result != 0) /* anybody can make its tag right: wrong is malformed */
        return result == USI_ERR_TAMPERED ? USI_ERR_FORMAT : result;
    caller.h1 = usi_noise_hash(hs->noise);
    if (hs->again)
        return check_same_caller(hs, &caller);
    if ((result = usi_keyring_find(hs->ring, &caller, &hs->credential)) != 0)
        return result;
    set_name(hs, caller.name, caller.name_size);
    return usi_keyring_remember(hs->ring, hs->rand_ms);
}

/* Everything of the handshake that message 2 carries besides the Noise message: the challenge, and
 * the ML-KEM answer, both mixed in. */
static int write_header_2(struct usi_handshake *hs, struct usi_write *w)
{
    bool kem = hs->kem_offered && hs->crypto->ml_kem;
    uint8_t secret[USI_KEM_SECRET];
    int result = 0;

    usi_write_number(w, kem ? FLAG_ML_KEM : 0, 1);
    usi_write_bytes(w, hs->rand_nw, USI_RAND);
    if (kem) {
        uint8_t *ciphertext = usi_write_room(w, USI_KEM_CIPHERTEXT);
        result = ciphertext == NULL
                     ? USI_ERR_ARGUMENT
                     : usi_kem_encapsulate(hs->crypto, hs->kem_public, ciphertext, secret);
        if (result == 0)
            usi_noise_set_extra(hs->noise, secret);
        OPENSSL_cleanse(secret, sizeof secret);
    }
    if (result == 0 && !usi_write_done(w))
        result = USI_ERR_ARGUMENT;
    return result != 0 ? result : usi_noise_mix_hash(hs->noise, w->base, w->used);
}

static int set_psk(struct usi_handshake *hs)
{
    const struct usi_credential *c = hs->credential;
    uint8_t psk[USI_KEY];
    int result = c->method->psk(c, hs->rand_nw, hs->rand_ms, psk);

    if (result == 0)
        usi_noise_set_psk(hs->noise, psk);
    OPENSSL_cleanse(psk, sizeof psk);
    return result;
}

int usi_handshake_write_2(struct usi_handshake *hs, uint8_t *out, size_t room, size_t *size)
{
    struct usi_write w = usi_write_to(out, room);
    size_t noise_size = 0;
    int result;

    if (hs->crypto->random(hs->crypto, hs->rand_nw, USI_RAND) != 0)
        return USI_ERR_INTERNAL;
    if ((result = write_header_2(hs, &w)) != 0 || (result = set_psk(hs)) != 0)
        return result;
    uint8_t *message = usi_write_room(&w, NOISE_MESSAGE);
    if (message == NULL)
        return USI_ERR_ARGUMENT;
    result = usi_noise_write(hs->noise, NULL, 0, message, NOISE_MESSAGE, &noise_size);
    hs->agreed = result == 0;
    *size = w.used;
    return result;
}

/* Decapsulates the ML-KEM answer and gives it to the Noise message that follows. */
static int read_kem(struct usi_handshake *hs, const uint8_t *ciphertext)
{
    uint8_t secret[USI_KEM_SECRET];
    int result = usi_kem_decapsulate(hs->crypto, hs->kem, ciphertext, secret);

    if (result == 0)
        usi_noise_set_extra(hs->noise, secret);
    OPENSSL_cleanse(secret, sizeof secret);
    return result;
}

int usi_handshake_read_2(struct usi_handshake *hs, const uint8_t *message, size_t size)
{
    struct usi_read r = usi_read_from(message, size);
    size_t payload_size = 0;
    uint8_t payload[1];
    int result;

    uint8_t flags = usi_read_u8(&r);
    const uint8_t *rand_nw = usi_read_bytes(&r, USI_RAND);
    const uint8_t *ciphertext = flags & FLAG_ML_KEM ? usi_read_bytes(&r, USI_KEM_CIPHERTEXT) : NULL;
    size_t header_size = size - r.left;
    const uint8_t *noise_message = usi_read_bytes(&r, NOISE_MESSAGE);
    if (!usi_read_done(&r) || (flags & ~FLAG_ML_KEM) != 0 ||
        (ciphertext != NULL && !hs->kem_offered))
        return USI_ERR_FORMAT;
    memcpy(hs->rand_nw, rand_nw, USI_RAND);
    if ((result = usi_noise_mix_hash(hs->noise, message, header_size)) != 0 ||
        (ciphertext != NULL && (result = read_kem(hs, ciphertext)) != 0) ||
        (result = set_psk(hs)) != 0)
        return result;
    result = usi_noise_read(hs->noise, noise_message, NOISE_MESSAGE, payload, sizeof payload,
                            &payload_size);
    if (result == USI_ERR_TAMPERED)
        return USI_ERR_CHALLENGE;
    hs->agreed = result == 0;
    return result;
}

int usi_handshake_proof(const struct usi_handshake *hs, uint8_t proof[USI_PROOF])
{
    if (!hs->agreed)
        return USI_ERR_ARGUMENT;
    return hs->credential->method->proof(hs->credential, usi_noise_hash(hs->noise), proof);
}

int usi_handshake_check_proof(const struct usi_handshake *hs, const uint8_t *proof, size_t size)
{
    uint8_t expected[USI_PROOF];
    int result = usi_handshake_proof(hs, expected);

    if (result == 0 && (size != USI_PROOF || CRYPTO_memcmp(expected, proof, USI_PROOF) != 0))
        result = USI_ERR_PROOF;
    OPENSSL_cleanse(expected, sizeof expected);
    return result;
}

int usi_handshake_keys(struct usi_handshake *hs, uint8_t send[USI_KEY], uint8_t receive[USI_KEY])
{
    return hs->connector ? usi_noise_split(hs->noise, send, receive)
                         : usi_noise_split(hs->noise, receive, send);
}

const uint8_t *usi_handshake_hash(const struct usi_handshake *hs)
{
    return usi_noise_hash(hs->noise);
}

const struct usi_credential *usi_handshake_credential(const struct usi_handshake *hs)
{
    return hs->credential;
}

const char *usi_handshake_name(const struct usi_handshake *hs, size_t *size)
{
    *size = hs->name_size;
    return hs->name;
}
