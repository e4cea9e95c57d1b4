/* The handshake of four messages: password mode, and the password question. PROTOCOL.md, "Password
 * mode". */
#include "channel/handshake_parts.h"
#include "channel/password.h"

#include <openssl/crypto.h>
#include <string.h>

static const char connector_identity[] = "USI1 connector";
static const char listener_identity[] = "USI1 listener";

/* Both shares are known: Ke, and the psk of Noise. */
static int agree(struct usi_handshake *hs)
{
    uint8_t ke[USI_SPAKE2_KE], psk[USI_KEY];
    int result = usi_spake2_finish(hs->spake2, hs->peer_share, ke);

    if (result == 0 && !usi_write_done(&hs->prologue))
        result = USI_ERR_FORMAT;
    if (result == 0)
        result = usi_password_psk(hs->crypto, hs->prologue_octets, hs->prologue.used, ke, psk);
    if (result == 0)
        result = usi_handshake_begin_noise(hs, USI_NOISE_NNPSK0);
    if (result == 0) {
        usi_noise_set_psk(hs->noise, psk);
        usi_handshake_tell(hs, USI_SEEN_KC, true, psk, USI_KEY);
    }
    OPENSSL_cleanse(ke, sizeof ke);
    OPENSSL_cleanse(psk, sizeof psk);
    usi_spake2_free(hs->spake2);
    hs->spake2 = NULL;
    return result;
}

/* ---- (1): the header alone ---- */

static size_t least_1(const struct usi_handshake *hs)
{
    (void)hs;
    return USI_HEADER_1_MIN;
}

static int write_1(struct usi_handshake *hs, struct usi_write *w)
{
    (void)hs;
    return usi_write_done(w) ? 0 : USI_ERR_ARGUMENT;
}

/* No more tries: refused before there is any work, and before a guess could be right. */
static int read_1(struct usi_handshake *hs, struct usi_read *r)
{
    if (!usi_read_done(r))
        return USI_ERR_FORMAT;
    return usi_guard_allows(usi_keyring_guard(hs->ring), hs->now) ? 0 : USI_ERR_TRIES;
}

/* ---- (2): salt and pB ---- */

static size_t least_2(const struct usi_handshake *hs)
{
    (void)hs;
    return USI_PASSWORD_2;
}

static void tell_2(const struct usi_handshake *hs, const uint8_t *share)
{
    usi_handshake_tell(hs, USI_SEEN_SALT, false, hs->salt, USI_SALT);
    usi_handshake_tell(hs, USI_SEEN_SHARE, false, share, USI_SHARE);
}

static int write_2(struct usi_handshake *hs, struct usi_write *w)
{
    uint8_t *salt = usi_write_room(w, USI_SALT);
    uint8_t *share = usi_write_room(w, USI_SHARE);
    const uint8_t *stretched = usi_keyring_password(hs->ring, hs->salt);

    if (share == NULL || stretched == NULL)
        return USI_ERR_ARGUMENT;
    memcpy(salt, hs->salt, USI_SALT);
    int result = usi_spake2_new(&hs->spake2, hs->crypto, USI_SPAKE2_B, connector_identity,
                                listener_identity, stretched, USI_STRETCHED, share);
    usi_write_bytes(&hs->prologue, salt, USI_PASSWORD_2);
    if (result == 0)
        tell_2(hs, share);
    return result;
}

static int read_2(struct usi_handshake *hs, struct usi_read *r)
{
    const uint8_t *all = r->at;
    const uint8_t *salt = usi_read_bytes(r, USI_SALT);
    const uint8_t *share = usi_read_bytes(r, USI_SHARE);

    if (!usi_read_done(r))
        return USI_ERR_FORMAT;
    memcpy(hs->salt, salt, USI_SALT);
    memcpy(hs->peer_share, share, USI_SHARE);
    usi_write_bytes(&hs->prologue, all, USI_PASSWORD_2);
    tell_2(hs, share);
    return 0;
}

int usi_handshake_stretched(struct usi_handshake *hs, const uint8_t stretched[USI_STRETCHED])
{
    if (usi_handshake_step(hs) != USI_STEP_STRETCH)
        return USI_ERR_ARGUMENT;
    int result = usi_spake2_new(&hs->spake2, hs->crypto, USI_SPAKE2_A, connector_identity,
                                listener_identity, stretched, USI_STRETCHED, hs->share);
    hs->stretched = result == 0;
    return result;
}

/* ---- (3): pA and the first Noise message ---- */

static size_t least_3(const struct usi_handshake *hs)
{
    (void)hs;
    return USI_SHARE + USI_NOISE_TAGGED;
}

static int write_3(struct usi_handshake *hs, struct usi_write *w)
{
    size_t size = 0;

    usi_write_bytes(w, hs->share, USI_SHARE);
    uint8_t *message = usi_write_room(w, USI_NOISE_TAGGED);
    if (message == NULL)
        return USI_ERR_ARGUMENT;
    usi_write_bytes(&hs->prologue, hs->share, USI_SHARE);
    usi_handshake_tell(hs, USI_SEEN_SHARE, true, hs->share, USI_SHARE);
    int result = agree(hs);
    if (result == 0)
        result = usi_noise_write(hs->noise, NULL, 0, message, USI_NOISE_TAGGED, &size);
    if (result == 0)
        usi_handshake_tell(hs, USI_SEEN_E, true, message, USI_DH);
    return result;
}

/* The try counts from before the tag is looked at, so that no answer, not even a cut, can make a
 * guess free. */
static int read_3(struct usi_handshake *hs, struct usi_read *r)
{
    const uint8_t *share = usi_read_bytes(r, USI_SHARE);
    const uint8_t *message = usi_read_bytes(r, USI_NOISE_TAGGED);
    struct usi_guard *guard = usi_keyring_guard(hs->ring);
    uint8_t payload[1];
    size_t size = 0;

    if (!usi_read_done(r))
        return USI_ERR_FORMAT;
    if (!usi_guard_take(guard, hs->now))
        return USI_ERR_TRIES;
    memcpy(hs->peer_share, share, USI_SHARE);
    usi_write_bytes(&hs->prologue, share, USI_SHARE);
    usi_handshake_tell(hs, USI_SEEN_SHARE, true, share, USI_SHARE);
    int result = agree(hs);
    usi_handshake_tell(hs, USI_SEEN_E, true, message, USI_DH);
    if (result == 0)
        result = usi_noise_read(hs->noise, message, USI_NOISE_TAGGED, payload, 0, &size);
    if (result != 0)
        return result == USI_ERR_TAMPERED ? USI_ERR_PASSWORD : result;
    if (!usi_guard_right(guard, !hs->question))
        return USI_ERR_TRIES;
    if (hs->question) /* which no proof follows */
        usi_handshake_tell(hs, USI_SEEN_PROVED, true, NULL, 0);
    return 0;
}

/* ---- (4): flags, ML-KEM answer, the second Noise message ---- */

static size_t least_4(const struct usi_handshake *hs)
{
    (void)hs;
    return 1 + USI_NOISE_TAGGED;
}

static int write_4(struct usi_handshake *hs, struct usi_write *w)
{
    size_t size = 0;
    int result = usi_handshake_write_header_2(hs, w);

    if (result != 0)
        return result;
    uint8_t *message = usi_write_room(w, USI_NOISE_TAGGED);
    if (message == NULL)
        return USI_ERR_ARGUMENT;
    result = usi_noise_write(hs->noise, NULL, 0, message, USI_NOISE_TAGGED, &size);
    if (result == 0)
        usi_handshake_tell(hs, USI_SEEN_E, false, message, USI_DH);
    return result;
}

static int read_4(struct usi_handshake *hs, struct usi_read *r)
{
    uint8_t payload[1];
    size_t size = 0;
    int result = usi_handshake_read_header_2(hs, r);

    if (result == 0 && r->left >= USI_DH)
        usi_handshake_tell(hs, USI_SEEN_E, false, r->at, USI_DH);
    if (result == 0)
        result = usi_noise_read(hs->noise, r->at, r->left, payload, 0, &size);
    return result == USI_ERR_TAMPERED ? USI_ERR_PASSWORD : result;
}

const struct usi_message usi_handshake_four[4] = {
    {.by_connector = true, .write = write_1, .read = read_1, .least = least_1},
    {.by_connector = false, .write = write_2, .read = read_2, .least = least_2},
    {.by_connector = true, .write = write_3, .read = read_3, .least = least_3},
    {.by_connector = false, .write = write_4, .read = read_4, .least = least_4},
};
