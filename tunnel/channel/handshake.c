#include "channel/handshake.h"

#include "channel/handshake_parts.h"

#include <openssl/crypto.h>
#include <string.h>

static const uint8_t magic[4] = {'U', 'S', 'I', '1'};

/* ---- terms ---- */

void usi_terms_clear(struct usi_terms *terms)
{
    usi_credential_free(terms->key);
    OPENSSL_free(terms->name);
    OPENSSL_cleanse(terms, sizeof *terms);
}

/* ---- life ---- */

static void choose_script(struct usi_handshake *hs)
{
    bool four = hs->mode == USI_MODE_PASSWORD && (hs->before == NULL || hs->question);

    hs->script = four ? usi_handshake_four : usi_handshake_two;
    hs->count = four ? 4 : 2;
}

static int handshake_new(struct usi_handshake **out, const struct usi_crypto *crypto,
                         struct usi_keyring *ring, bool connector)
{
    struct usi_handshake *hs = OPENSSL_zalloc(sizeof *hs);

    *out = hs;
    if (hs == NULL)
        return USI_ERR_INTERNAL;
    hs->crypto = crypto;
    hs->ring = ring;
    hs->connector = connector;
    hs->prologue = usi_write_to(hs->prologue_octets, sizeof hs->prologue_octets);
    return 0;
}

static void set_name(struct usi_handshake *hs, const void *name, size_t size)
{
    if (size > 0)
        memcpy(hs->name, name, size);
    hs->name_size = size;
}

static void set_cipher(struct usi_handshake *hs, uint8_t octet)
{
    hs->cipher_octet = octet;
    hs->cipher = &hs->crypto->cipher[octet - 1];
}

int usi_handshake_connect(struct usi_handshake **out, const struct usi_crypto *crypto,
                          struct usi_keyring *ring, enum usi_mode mode)
{
    const char *name = NULL;
    size_t size = 0;
    int result = handshake_new(out, crypto, ring, true);

    if (result != 0)
        return result;
    struct usi_handshake *hs = *out;
    hs->mode = mode;
    set_cipher(hs, USI_CIPHERS);
    switch (mode) {
    case USI_MODE_KEY:
        hs->key = usi_credential_hold(usi_keyring_first(ring, &name, &size));
        if (hs->key == NULL)
            return USI_ERR_ARGUMENT;
        set_cipher(hs, hs->key->cipher_octet);
        break;
    case USI_MODE_IDENTITY:
        if (usi_keyring_identity(ring) == NULL)
            return USI_ERR_ARGUMENT;
        name = usi_keyring_name(ring, &size);
        break;
    case USI_MODE_PASSWORD:
        name = usi_keyring_name(ring, &size);
        break;
    default:
        return USI_ERR_ARGUMENT;
    }
    set_name(hs, name, size);
    choose_script(hs);
    return 0;
}

int usi_handshake_listen(struct usi_handshake **out, const struct usi_crypto *crypto,
                         struct usi_keyring *ring)
{
    int result = handshake_new(out, crypto, ring, false);

    if (result == 0)
        choose_script(*out); /* for the bounds of the first message; its mode chooses again */
    return result;
}

/* What a rekey and a question have in common: the label and an h of before go first. */
static int go_on(struct usi_handshake *hs, const struct usi_terms *terms, enum usi_mode mode,
                 const char *label, const uint8_t h[USI_HASH])
{
    hs->before = terms;
    hs->mode = mode;
    hs->key = usi_credential_hold(terms->key);
    set_cipher(hs, hs->question ? USI_CIPHERS : terms->cipher_octet);
    set_name(hs, terms->name, terms->name_size);
    choose_script(hs);
    usi_write_bytes(&hs->prologue, label, strlen(label));
    usi_write_bytes(&hs->prologue, h, USI_HASH);
    return usi_write_done(&hs->prologue) ? 0 : USI_ERR_INTERNAL;
}

int usi_handshake_again(struct usi_handshake **out, const struct usi_crypto *crypto,
                        struct usi_keyring *ring, bool connector, const struct usi_terms *terms)
{
    int result = handshake_new(out, crypto, ring, connector);

    return result != 0 ? result : go_on(*out, terms, terms->mode, "USI1 rekey", terms->h);
}

int usi_handshake_question(struct usi_handshake **out, const struct usi_crypto *crypto,
                           struct usi_keyring *ring, bool connector, const struct usi_terms *terms)
{
    int result = handshake_new(out, crypto, ring, connector);

    if (result != 0)
        return result;
    (*out)->question = true;
    return go_on(*out, terms, USI_MODE_PASSWORD, "USI1 question", terms->first_h);
}

void usi_handshake_free(struct usi_handshake *hs)
{
    if (hs == NULL)
        return;
    usi_spake2_free(hs->spake2);
    EVP_PKEY_free(hs->kem);
    usi_noise_free(hs->noise);
    usi_credential_free(hs->key);
    OPENSSL_clear_free(hs, sizeof *hs);
}

int usi_handshake_begin_noise(struct usi_handshake *hs, enum usi_noise_pattern pattern)
{
    if (!usi_write_done(&hs->prologue))
        return USI_ERR_FORMAT;
    return usi_noise_new(&hs->noise, hs->crypto, hs->cipher, pattern, hs->connector,
                         hs->prologue_octets, hs->prologue.used);
}

/* ---- what a witness sees ---- */

void usi_handshake_show(struct usi_handshake *hs, struct usi_view *view)
{
    hs->view = view;
}

static void tell(const struct usi_handshake *hs, struct usi_seen seen)
{
    seen.mode = hs->mode;
    seen.occasion = hs->question         ? USI_OCCASION_QUESTION
                    : hs->before != NULL ? USI_OCCASION_REKEY
                                         : USI_OCCASION_FIRST;
    usi_witness_tell(hs->view, seen);
}

void usi_handshake_tell(const struct usi_handshake *hs, enum usi_seen_type type, bool by_connector,
                        const uint8_t *octets, size_t size)
{
    tell(hs,
         (struct usi_seen){
             .type = type, .ours = by_connector == hs->connector, .octets = octets, .size = size});
}

void usi_handshake_tell_identity(const struct usi_handshake *hs, bool by_connector,
                                 const uint8_t key[USI_FINGERPRINT], uint8_t mark)
{
    tell(hs, (struct usi_seen){.type = USI_SEEN_IDENTITY,
                               .ours = by_connector == hs->connector,
                               .number = mark,
                               .octets = key,
                               .size = USI_FINGERPRINT});
}

static void tell_header_1(const struct usi_handshake *hs, const uint8_t *kem_key)
{
    usi_handshake_tell(hs, USI_SEEN_HANDSHAKE, true, NULL, 0);
    tell(hs, (struct usi_seen){.type = USI_SEEN_CIPHER,
                               .ours = hs->connector,
                               .number = 8 * hs->cipher->key_size});
    usi_handshake_tell(hs, USI_SEEN_NAME, true, (const uint8_t *)hs->name, hs->name_size);
    usi_handshake_tell(hs, USI_SEEN_RAND_MS, true, hs->rand_ms, USI_RAND);
    if (kem_key != NULL)
        usi_handshake_tell(hs, USI_SEEN_KEM_KEY, true, kem_key, USI_KEM_KEY);
}

void usi_handshake_tell_proof(const struct usi_handshake *hs, const uint8_t *proof, size_t size)
{
    uint8_t key[USI_FINGERPRINT];

    if (hs->view == NULL)
        return;
    if (hs->mode == USI_MODE_KEY)
        usi_handshake_tell(hs, USI_SEEN_SRES, true, proof, size);
    if (hs->mode == USI_MODE_IDENTITY) {
        usi_identity_fingerprint(usi_keyring_identity(hs->ring), key);
        usi_handshake_tell_identity(hs, true, key, proof[0]);
    }
}

void usi_handshake_tell_agreed(const struct usi_handshake *hs)
{
    usi_handshake_tell(hs, USI_SEEN_AGREED, true, NULL, 0);
}

/* ---- header 1 ---- */

static int write_header_1(struct usi_handshake *hs, struct usi_write *w)
{
    size_t begin = w->used;
    uint8_t *public = NULL;
    int result = 0;

    if (hs->crypto->random(hs->crypto, hs->rand_ms, USI_RAND) != 0)
        return USI_ERR_INTERNAL;
    hs->kem_offered = hs->crypto->ml_kem && !hs->question;
    usi_write_bytes(w, magic, sizeof magic);
    usi_write_number(w, hs->mode, 1);
    usi_write_number(w, hs->cipher_octet, 1);
    usi_write_number(w, hs->kem_offered ? USI_FLAG_ML_KEM : 0, 1);
    usi_write_number(w, hs->name_size, 1);
    usi_write_bytes(w, hs->name, hs->name_size);
    usi_write_bytes(w, hs->rand_ms, USI_RAND);
    if (hs->kem_offered) {
        public = usi_write_room(w, USI_KEM_KEY);
        result = public == NULL ? USI_ERR_ARGUMENT : usi_kem_generate(hs->crypto, &hs->kem, public);
    }
    if (result == 0 && !usi_write_done(w))
        result = USI_ERR_ARGUMENT;
    if (result == 0) {
        usi_write_bytes(&hs->prologue, w->base + begin, w->used - begin);
        tell_header_1(hs, public);
    }
    return result;
}

/* The mode that message 1 asks for: the only one in a rekey or question, else one that the ring
 * offers under that name. A name in key mode is the knock's business. */
static int check_mode(struct usi_handshake *hs, unsigned mode, const uint8_t *name, size_t size)
{
    const char *own = hs->name;
    size_t own_size = hs->name_size;

    if (hs->before != NULL && mode != hs->mode)
        return USI_ERR_PROTOCOL;
    if (hs->before == NULL) {
        if (mode < USI_MODE_KEY || mode > USI_MODE_PASSWORD)
            return USI_ERR_FORMAT;
        if ((mode == USI_MODE_IDENTITY && usi_keyring_identity(hs->ring) == NULL) ||
            (mode == USI_MODE_PASSWORD && !usi_keyring_has_password(hs->ring)))
            return USI_ERR_MODE;
        own = usi_keyring_name(hs->ring, &own_size);
    }
    if ((hs->before != NULL || mode != USI_MODE_KEY) &&
        (size != own_size || (size > 0 && memcmp(name, own, size) != 0)))
        return hs->before != NULL ? USI_ERR_PROTOCOL : USI_ERR_MODE;
    hs->mode = (enum usi_mode)mode;
    return 0;
}

static int read_header_1(struct usi_handshake *hs, struct usi_read *r)
{
    const uint8_t *begin = r->at;
    const uint8_t *seen_magic = usi_read_bytes(r, sizeof magic);
    uint8_t mode = usi_read_u8(r);
    uint8_t cipher = usi_read_u8(r);
    uint8_t flags = usi_read_u8(r);
    size_t name_size = usi_read_u8(r);
    const uint8_t *name = usi_read_bytes(r, name_size);
    const uint8_t *rand_ms = usi_read_bytes(r, USI_RAND);
    const uint8_t *public = flags & USI_FLAG_ML_KEM ? usi_read_bytes(r, USI_KEM_KEY) : NULL;
    uint8_t allowed = hs->question ? 0 : USI_FLAG_ML_KEM;

    if (r->failed || memcmp(seen_magic, magic, sizeof magic) != 0 || cipher < 1 ||
        cipher > USI_CIPHERS || (flags & ~allowed) != 0)
        return USI_ERR_FORMAT;
    int result = check_mode(hs, mode, name, name_size);
    if (result != 0)
        return result;
    if (hs->before != NULL && !hs->question && cipher != hs->cipher_octet)
        return USI_ERR_PROTOCOL;
    set_cipher(hs, cipher);
    set_name(hs, name, name_size);
    choose_script(hs);
    memcpy(hs->rand_ms, rand_ms, USI_RAND);
    if (public != NULL) {
        hs->kem_offered = true;
        memcpy(hs->kem_public, public, USI_KEM_KEY);
    }
    usi_write_bytes(&hs->prologue, begin, (size_t)(r->at - begin));
    tell_header_1(hs, public);
    return 0;
}

/* ---- turns ---- */

enum usi_step usi_handshake_step(const struct usi_handshake *hs)
{
    if (hs->passed == hs->count)
        return USI_STEP_OVER;
    if (hs->script[hs->passed].by_connector != hs->connector)
        return USI_STEP_READ;
    return hs->connector && hs->count == 4 && hs->passed == 2 && !hs->stretched ? USI_STEP_STRETCH
                                                                                : USI_STEP_WRITE;
}

unsigned usi_handshake_passed(const struct usi_handshake *hs)
{
    return hs->passed;
}

void usi_handshake_bounds(const struct usi_handshake *hs, size_t *least, size_t *most)
{
    *most = hs->connector ? USI_MESSAGE_2_MAX : USI_MESSAGE_1_MAX;
    if (hs->mode != 0)
        *least = hs->script[hs->passed].least(hs);
    else /* the mode of a first message: any that is offered */
        *least = usi_keyring_has_password(hs->ring)       ? USI_HEADER_1_MIN
                 : usi_keyring_identity(hs->ring) != NULL ? USI_HEADER_1_MIN + USI_DH
                                                          : USI_MESSAGE_1_MIN;
}

/* All messages have passed: what they were for is computed, what made it is wiped. */
static int conclude(struct usi_handshake *hs)
{
    int result = usi_noise_export(hs->noise, "USI1 rekey", hs->next);

    if (result == 0)
        result = usi_noise_split(hs->noise, hs->keys[0], hs->keys[1]);
    usi_noise_forget(hs->noise);
    if (result != 0)
        return result;
    usi_handshake_tell(hs, USI_SEEN_H, true, usi_noise_hash(hs->noise), USI_HASH);
    if (hs->connector) /* the last message was the listener's, and it holds */
        usi_handshake_tell(hs, USI_SEEN_PROVED, false, NULL, 0);
    return 0;
}

/* A message of `size` octets. */
static int passed(struct usi_handshake *hs, size_t size)
{
    bool by_connector = hs->script[hs->passed].by_connector;

    hs->passed++;
    tell(hs, (struct usi_seen){.type = USI_SEEN_MESSAGE,
                               .ours = by_connector == hs->connector,
                               .number = hs->passed,
                               .size = size});
    return hs->passed == hs->count ? conclude(hs) : 0;
}

int usi_handshake_write(struct usi_handshake *hs, uint8_t *out, size_t room, size_t *size)
{
    struct usi_write w = usi_write_to(out, room);
    int result = 0;

    *size = 0;
    if (usi_handshake_step(hs) != USI_STEP_WRITE)
        return USI_ERR_ARGUMENT;
    if (hs->passed == 0)
        result = write_header_1(hs, &w);
    if (result == 0)
        result = hs->script[hs->passed].write(hs, &w);
    if (result == 0 && !usi_write_done(&w))
        result = USI_ERR_ARGUMENT;
    if (result == 0)
        result = passed(hs, w.used);
    *size = w.used;
    return result;
}

int usi_handshake_read(struct usi_handshake *hs, const uint8_t *message, size_t size, uint64_t now)
{
    struct usi_read r = usi_read_from(message, size);
    int result = 0;

    if (usi_handshake_step(hs) != USI_STEP_READ)
        return USI_ERR_ARGUMENT;
    hs->now = now;
    if (hs->passed == 0)
        result = read_header_1(hs, &r);
    if (result == 0)
        result = hs->script[hs->passed].read(hs, &r);
    return result != 0 ? result : passed(hs, size);
}

const uint8_t *usi_handshake_salt(const struct usi_handshake *hs)
{
    return hs->salt;
}

/* ---- proof ---- */

static void signed_by_connector(const struct usi_handshake *hs, struct usi_signed *what)
{
    *what = (struct usi_signed){.signer = USI_SIGNER_MOBILE,
                                .hash = usi_noise_hash(hs->noise),
                                .peer_key = hs->listener_key};
}

int usi_handshake_proof(const struct usi_handshake *hs, uint8_t out[USI_PROOF_MAX], size_t *size)
{
    struct usi_signed what;

    *size = 0;
    if (usi_handshake_step(hs) != USI_STEP_OVER)
        return USI_ERR_ARGUMENT;
    switch (hs->mode) {
    case USI_MODE_KEY:
        *size = USI_PROOF;
        return hs->key->method->proof(hs->key, usi_noise_hash(hs->noise), out);
    case USI_MODE_IDENTITY:
        signed_by_connector(hs, &what);
        return usi_identity_show(usi_keyring_identity(hs->ring), &what, out, USI_PROOF_MAX, size);
    default:
        return 0;
    }
}

static int check_identity(struct usi_handshake *hs, const uint8_t *proof, size_t size)
{
    struct usi_signed what;
    const uint8_t *spki, *own;
    size_t spki_size, own_size;

    signed_by_connector(hs, &what);
    int result =
        usi_identity_check(hs->crypto, &what, proof, size, usi_keyring_accepts_rsa(hs->ring),
                           &hs->peer, &spki, &spki_size);
    if (result != 0)
        return result;
    usi_handshake_tell_identity(hs, true, hs->peer.key, hs->peer.kept);
    own = usi_identity_spki(usi_keyring_identity(hs->ring), &own_size);
    return usi_handshake_meet(hs, spki, spki_size, own, own_size);
}

static int check_sres(struct usi_handshake *hs, const uint8_t *proof, size_t size)
{
    uint8_t expected[USI_PROOF];

    usi_handshake_tell(hs, USI_SEEN_SRES, true, proof, size);
    int result = hs->key->method->proof(hs->key, usi_noise_hash(hs->noise), expected);
    if (result == 0 && (size != USI_PROOF || CRYPTO_memcmp(expected, proof, USI_PROOF) != 0))
        result = USI_ERR_PROOF;
    OPENSSL_cleanse(expected, sizeof expected);
    return result;
}

int usi_handshake_check_proof(struct usi_handshake *hs, const uint8_t *proof, size_t size)
{
    int result;

    if (usi_handshake_step(hs) != USI_STEP_OVER)
        return USI_ERR_ARGUMENT;
    if (hs->mode == USI_MODE_IDENTITY)
        result = check_identity(hs, proof, size);
    else if (hs->mode == USI_MODE_PASSWORD)
        result = size == 0 ? 0 : USI_ERR_PROOF;
    else
        result = check_sres(hs, proof, size);
    if (result == 0)
        usi_handshake_tell(hs, USI_SEEN_PROVED, true, NULL, 0);
    return result;
}

/* Both public keys are known: in a rekey the peer's must be the same, and its mark too. */
int usi_handshake_meet(struct usi_handshake *hs, const uint8_t *connector, size_t connector_size,
                       const uint8_t *listener, size_t listener_size)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    int result = USI_ERR_INTERNAL;

    if (digest != NULL && EVP_DigestInit_ex2(digest, hs->crypto->sha256, NULL) == 1 &&
        EVP_DigestUpdate(digest, connector, connector_size) == 1 &&
        EVP_DigestUpdate(digest, listener, listener_size) == 1 &&
        EVP_DigestFinal_ex(digest, hs->peer.fingerprint, NULL) == 1)
        result = 0;
    EVP_MD_CTX_free(digest);
    if (result == 0 && hs->before != NULL &&
        (memcmp(hs->peer.key, hs->before->peer.key, USI_FINGERPRINT) != 0 ||
         hs->peer.kept != hs->before->peer.kept))
        result = USI_ERR_CHANGED;
    if (result == 0)
        usi_handshake_tell(hs, USI_SEEN_FINGERPRINT, true, hs->peer.fingerprint, USI_FINGERPRINT);
    return result;
}

/* ---- results ---- */

int usi_handshake_keys(const struct usi_handshake *hs, uint8_t send[USI_KEY],
                       uint8_t receive[USI_KEY])
{
    if (usi_handshake_step(hs) != USI_STEP_OVER)
        return USI_ERR_ARGUMENT;
    memcpy(send, hs->keys[hs->connector ? 0 : 1], USI_KEY);
    memcpy(receive, hs->keys[hs->connector ? 1 : 0], USI_KEY);
    return 0;
}

const struct usi_cipher *usi_handshake_cipher(const struct usi_handshake *hs)
{
    return hs->cipher;
}

enum usi_mode usi_handshake_mode(const struct usi_handshake *hs)
{
    return hs->mode;
}

int usi_handshake_settle(const struct usi_handshake *hs, struct usi_terms *terms)
{
    const uint8_t *h = usi_noise_hash(hs->noise);

    if (hs->before == NULL) {
        if (hs->name_size > 0 && (terms->name = OPENSSL_memdup(hs->name, hs->name_size)) == NULL)
            return USI_ERR_INTERNAL;
        terms->name_size = (uint8_t)hs->name_size;
        memcpy(terms->first_h, h, USI_HASH);
    }
    terms->mode = hs->mode;
    terms->cipher = hs->cipher;
    terms->cipher_octet = hs->cipher_octet;
    usi_credential_free(terms->key);
    terms->key = usi_credential_hold(hs->key);
    if (hs->mode == USI_MODE_PASSWORD)
        memcpy(terms->secret, hs->next, USI_KEY);
    else
        terms->peer = hs->peer;
    memcpy(terms->h, h, USI_HASH);
    return 0;
}
