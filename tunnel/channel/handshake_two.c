/* The handshakes of two messages: key mode, identity mode, and rekeys of password mode.
 * PROTOCOL.md, sections 2 and 5. */
#include "channel/handshake_parts.h"

#include <openssl/crypto.h>
#include <string.h>

/* ---- message 1, behind its header ---- */

static enum usi_noise_pattern pattern_of(const struct usi_handshake *hs)
{
    return hs->mode == USI_MODE_IDENTITY ? USI_NOISE_NN : USI_NOISE_NNPSK2;
}

static size_t noise_1_size(const struct usi_handshake *hs)
{
    return hs->mode == USI_MODE_IDENTITY ? USI_DH : USI_NOISE_TAGGED;
}

static size_t least_1(const struct usi_handshake *hs)
{
    return USI_HEADER_1_MIN + noise_1_size(hs) + (hs->mode == USI_MODE_KEY ? USI_KNOCK : 0);
}

static void tell_1(const struct usi_handshake *hs, const uint8_t *e, const uint8_t *knock)
{
    usi_handshake_tell(hs, USI_SEEN_E, true, e, USI_DH);
    if (knock != NULL)
        usi_handshake_tell(hs, USI_SEEN_KNOCK, true, knock, USI_KNOCK);
}

static int write_1(struct usi_handshake *hs, struct usi_write *w)
{
    size_t size = noise_1_size(hs);
    uint8_t *message = usi_write_room(w, size);
    uint8_t *knock = hs->mode == USI_MODE_KEY ? usi_write_room(w, USI_KNOCK) : NULL;

    if (!usi_write_done(w))
        return USI_ERR_ARGUMENT;
    int result = usi_handshake_begin_noise(hs, pattern_of(hs));
    if (result == 0)
        result = usi_noise_write(hs->noise, NULL, 0, message, size, &size);
    if (result == 0 && knock != NULL)
        result = hs->key->method->knock(hs->key, usi_noise_hash(hs->noise), knock);
    if (result == 0)
        tell_1(hs, message, knock);
    return result;
}

/* In a rekey the caller is known: only its own key will do. */
static int check_same_key(const struct usi_handshake *hs, const uint8_t *knock)
{
    uint8_t expected[USI_KNOCK];
    int result = hs->key->method->knock(hs->key, usi_noise_hash(hs->noise), expected);

    if (result == 0 && CRYPTO_memcmp(expected, knock, USI_KNOCK) != 0)
        result = USI_ERR_KNOCK;
    OPENSSL_cleanse(expected, sizeof expected);
    return result;
}

static int check_knock(struct usi_handshake *hs, const uint8_t *knock)
{
    const struct usi_caller caller = {.cipher = hs->cipher_octet,
                                      .name = (const uint8_t *)hs->name,
                                      .name_size = hs->name_size,
                                      .h1 = usi_noise_hash(hs->noise),
                                      .knock = knock};

    if (hs->before != NULL)
        return check_same_key(hs, knock);
    int result = usi_keyring_find(hs->ring, &caller, &hs->key);
    return result != 0 ? result : usi_keyring_remember(hs->ring, hs->rand_ms);
}

static int read_1(struct usi_handshake *hs, struct usi_read *r)
{
    size_t size = noise_1_size(hs);
    const uint8_t *message = usi_read_bytes(r, size);
    const uint8_t *knock = hs->mode == USI_MODE_KEY ? usi_read_bytes(r, USI_KNOCK) : NULL;
    uint8_t payload[1];
    size_t payload_size = 0;

    if (!usi_read_done(r))
        return USI_ERR_FORMAT;
    int result = usi_handshake_begin_noise(hs, pattern_of(hs));
    if (result == 0)
        result = usi_noise_read(hs->noise, message, size, payload, sizeof payload, &payload_size);
    if (result != 0) /* anybody can make its tag right: wrong is malformed */
        return result == USI_ERR_TAMPERED ? USI_ERR_FORMAT : result;
    tell_1(hs, message, knock);
    return knock != NULL ? check_knock(hs, knock) : 0;
}

/* ---- a listener's clear header ---- */

int usi_handshake_write_header_2(struct usi_handshake *hs, struct usi_write *w)
{
    size_t begin = w->used;
    bool kem = hs->kem_offered && hs->crypto->ml_kem;
    uint8_t secret[USI_KEM_SECRET];
    int result = 0;

    usi_write_number(w, kem ? USI_FLAG_ML_KEM : 0, 1);
    if (hs->mode == USI_MODE_KEY) {
        if (hs->crypto->random(hs->crypto, hs->rand_nw, USI_RAND) != 0)
            return USI_ERR_INTERNAL;
        usi_write_bytes(w, hs->rand_nw, USI_RAND);
        usi_handshake_tell(hs, USI_SEEN_RAND_NW, false, hs->rand_nw, USI_RAND);
    }
    if (kem) {
        uint8_t *ciphertext = usi_write_room(w, USI_KEM_CIPHERTEXT);
        result = ciphertext == NULL
                     ? USI_ERR_ARGUMENT
                     : usi_kem_encapsulate(hs->crypto, hs->kem_public, ciphertext, secret);
        if (result == 0) {
            usi_noise_set_extra(hs->noise, secret);
            usi_handshake_tell(hs, USI_SEEN_KEM_CIPHERTEXT, false, ciphertext, USI_KEM_CIPHERTEXT);
        }
        OPENSSL_cleanse(secret, sizeof secret);
    }
    if (result == 0 && !usi_write_done(w))
        result = USI_ERR_ARGUMENT;
    return result != 0 ? result : usi_noise_mix_hash(hs->noise, w->base + begin, w->used - begin);
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

int usi_handshake_read_header_2(struct usi_handshake *hs, struct usi_read *r)
{
    const uint8_t *begin = r->at;
    uint8_t flags = usi_read_u8(r);
    const uint8_t *rand_nw = hs->mode == USI_MODE_KEY ? usi_read_bytes(r, USI_RAND) : NULL;
    const uint8_t *ciphertext =
        flags & USI_FLAG_ML_KEM ? usi_read_bytes(r, USI_KEM_CIPHERTEXT) : NULL;

    if (r->failed || (flags & ~USI_FLAG_ML_KEM) != 0 || (ciphertext != NULL && !hs->kem_offered))
        return USI_ERR_FORMAT;
    if (rand_nw != NULL) {
        memcpy(hs->rand_nw, rand_nw, USI_RAND);
        usi_handshake_tell(hs, USI_SEEN_RAND_NW, false, rand_nw, USI_RAND);
    }
    if (ciphertext != NULL)
        usi_handshake_tell(hs, USI_SEEN_KEM_CIPHERTEXT, false, ciphertext, USI_KEM_CIPHERTEXT);
    int result = usi_noise_mix_hash(hs->noise, begin, (size_t)(r->at - begin));
    return result == 0 && ciphertext != NULL ? read_kem(hs, ciphertext) : result;
}

/* ---- message 2 ---- */

/* Kc in key mode; in a rekey of password mode, what the handshake before left for it. */
static int set_psk(struct usi_handshake *hs)
{
    uint8_t psk[USI_KEY];
    int result = 0;

    if (hs->mode == USI_MODE_IDENTITY)
        return 0;
    if (hs->mode == USI_MODE_KEY)
        result = hs->key->method->psk(hs->key, hs->rand_nw, hs->rand_ms, psk);
    else
        memcpy(psk, hs->before->secret, USI_KEY);
    if (result == 0) {
        usi_noise_set_psk(hs->noise, psk);
        usi_handshake_tell(hs, USI_SEEN_KC, false, psk, USI_KEY);
    }
    OPENSSL_cleanse(psk, sizeof psk);
    return result;
}

static size_t least_2(const struct usi_handshake *hs)
{
    return 1 + (hs->mode == USI_MODE_KEY ? USI_RAND : 0) + USI_NOISE_TAGGED;
}

/* The listener's identity, signed over what has passed up to here. */
static int show_listener(struct usi_handshake *hs, uint8_t out[USI_IDENTITY_MAX], size_t *size)
{
    const struct usi_identity *identity = usi_keyring_identity(hs->ring);
    const struct usi_signed what = {.signer = USI_SIGNER_NETWORK,
                                    .hash = usi_noise_hash(hs->noise)};

    usi_identity_fingerprint(identity, hs->listener_key);
    return usi_identity_show(identity, &what, out, USI_IDENTITY_MAX, size);
}

static int write_2(struct usi_handshake *hs, struct usi_write *w)
{
    uint8_t payload[USI_IDENTITY_MAX];
    size_t payload_size = 0, size = USI_DH;
    int result = usi_handshake_write_header_2(hs, w);

    if (result == 0)
        result = set_psk(hs);
    if (result != 0)
        return result;
    uint8_t *e = usi_write_room(w, USI_DH);
    if (e == NULL)
        return USI_ERR_ARGUMENT;
    result = usi_noise_write_tokens(hs->noise, e, USI_DH, &size);
    if (result == 0)
        usi_handshake_tell(hs, USI_SEEN_E, false, e, USI_DH);
    if (result == 0 && hs->mode == USI_MODE_IDENTITY)
        result = show_listener(hs, payload, &payload_size);
    if (result != 0)
        return result;
    if (payload_size > 0)
        usi_handshake_tell_identity(hs, false, hs->listener_key, payload[0]);
    uint8_t *sealed = usi_write_room(w, payload_size + USI_TAG);
    if (sealed == NULL)
        return USI_ERR_ARGUMENT;
    return usi_noise_write_payload(hs->noise, payload, payload_size, sealed, payload_size + USI_TAG,
                                   &size);
}

static int check_listener(struct usi_handshake *hs, const uint8_t h2[USI_HASH],
                          const uint8_t *shown, size_t size)
{
    const struct usi_signed what = {.signer = USI_SIGNER_NETWORK, .hash = h2};
    const uint8_t *spki, *own;
    size_t spki_size, own_size;
    int result =
        usi_identity_check(hs->crypto, &what, shown, size, true, &hs->peer, &spki, &spki_size);

    if (result != 0)
        return result;
    memcpy(hs->listener_key, hs->peer.key, USI_HASH);
    usi_handshake_tell_identity(hs, false, hs->peer.key, hs->peer.kept);
    own = usi_identity_spki(usi_keyring_identity(hs->ring), &own_size);
    return usi_handshake_meet(hs, own, own_size, spki, spki_size);
}

static int read_2(struct usi_handshake *hs, struct usi_read *r)
{
    uint8_t payload[USI_IDENTITY_MAX], h2[USI_HASH];
    size_t taken = 0, size = 0;
    size_t room = hs->mode == USI_MODE_IDENTITY ? sizeof payload : 0;
    int result = usi_handshake_read_header_2(hs, r);

    if (result == 0)
        result = set_psk(hs);
    if (result == 0)
        result = usi_noise_read_tokens(hs->noise, r->at, r->left, &taken);
    if (result != 0)
        return result;
    usi_handshake_tell(hs, USI_SEEN_E, false, usi_read_bytes(r, taken), taken);
    memcpy(h2, usi_noise_hash(hs->noise), USI_HASH);
    result = usi_noise_read_payload(hs->noise, r->at, r->left, payload, room, &size);
    if (result == USI_ERR_TAMPERED && hs->mode == USI_MODE_KEY)
        return USI_ERR_CHALLENGE;
    return result == 0 && hs->mode == USI_MODE_IDENTITY ? check_listener(hs, h2, payload, size)
                                                        : result;
}

const struct usi_message usi_handshake_two[2] = {
    {.by_connector = true, .write = write_1, .read = read_1, .least = least_1},
    {.by_connector = false, .write = write_2, .read = read_2, .least = least_2},
};
