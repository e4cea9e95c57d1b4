#include "channel/identity.h"

#include "channel/bytes.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

enum {
    MARK_FRESH = 0,
    MARK_KEPT = 1,
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 4096,
    RSA_EXPONENT = 65537,
    PSS_SALT = 32,
    ED25519_KEY = 32,
    ED25519_BITS = 256,
    ED25519_SIGNATURE = 64,
    SIGNED_MAX = 12 + USI_HASH + 1 + 2 * USI_FINGERPRINT
};

static const char digest_name[] = "SHA256";

/* A public key as a SubjectPublicKeyInfo has it; `octets` point into that. */
struct public_key {
    enum usi_identity_kind kind;
    unsigned bits;
    const uint8_t *octets; /* Ed25519: the key of RFC 8032. RSA: the modulus, its first not 0 */
    size_t size;
};

struct usi_identity {
    const struct usi_crypto *crypto;
    EVP_PKEY *key;
    char of_provider[64]; /* a property query that prefers the key's provider */
    const char *propq;    /* to sign with: crypto's, or that one */
    uint8_t mark;
    struct public_key public; /* in spki */
    uint8_t fingerprint[USI_FINGERPRINT];
    size_t spki_size;
    uint8_t spki[USI_SPKI_MAX];
};

/* ---- DER of a SubjectPublicKeyInfo ----
 *
 * Read here and not by libcrypto's decoders, which also take BER and a great many kinds of keys: so
 * a stranger's octets meet few lines of code, a key has one encoding (its fingerprint is of that),
 * and its size is known before anything is computed with it. */

enum { DER_INTEGER = 0x02, DER_BIT_STRING = 0x03, DER_OID = 0x06, DER_SEQUENCE = 0x30 };

/* AlgorithmIdentifiers without their outer tag and length: RFC 8410, section 3 (no parameters), and
 * RFC 3279, section 2.3.1 (parameters NULL). The OIDs alone are what stands before the parameters.
 */
static const uint8_t ed25519_algorithm[] = {DER_OID, 3, 0x2b, 0x65, 0x70};
static const uint8_t rsa_algorithm[] = {DER_OID, 9,    0x2a, 0x86, 0x48, 0x86, 0xf7,
                                        0x0d,    0x01, 0x01, 0x01, 0x05, 0x00};

enum { RSA_OID = sizeof rsa_algorithm - 2 };

/* The content of the next element, which must have that tag and the shortest length. */
static struct usi_read read_element(struct usi_read *r, uint8_t tag)
{
    struct usi_read content;
    bool right = usi_read_u8(r) == tag;
    size_t size = usi_read_u8(r);

    if (size >= 0x80) {
        size_t octets = size & 0x7f;
        right = right && (octets == 1 || octets == 2); /* 65,535 is more than any key here has */
        size = (size_t)usi_read_number(r, octets <= 2 ? octets : 0);
        right = right && size >= (octets == 2 ? 0x100u : 0x80u);
    }
    r->failed = r->failed || !right;
    const uint8_t *at = usi_read_bytes(r, size);
    content = usi_read_from(at, at != NULL ? size : 0);
    content.failed = r->failed;
    return content;
}

/* The next INTEGER, which must be positive and of the fewest octets; without its leading 0. */
static struct usi_read read_natural(struct usi_read *r)
{
    struct usi_read n = read_element(r, DER_INTEGER);

    if (n.left > 1 && n.at[0] == 0 && n.at[1] >= 0x80)
        (void)usi_read_u8(&n);
    else if (n.left == 0 || n.at[0] == 0 || n.at[0] >= 0x80)
        r->failed = n.failed = true;
    return n;
}

static bool begins_with(const struct usi_read *r, const uint8_t *octets, size_t size)
{
    return r->left >= size && memcmp(r->at, octets, size) == 0;
}

static int read_ed25519(struct usi_read *bits, struct public_key *key)
{
    *key = (struct public_key){.kind = USI_IDENTITY_ED25519,
                               .bits = ED25519_BITS,
                               .octets = usi_read_bytes(bits, ED25519_KEY),
                               .size = ED25519_KEY};
    return usi_read_done(bits) ? 0 : USI_ERR_SIGNATURE;
}

static int read_rsa(struct usi_read *bits, struct public_key *key)
{
    static const uint8_t exponent[] = {RSA_EXPONENT >> 16, RSA_EXPONENT >> 8 & 0xff,
                                       RSA_EXPONENT & 0xff};
    struct usi_read pair = read_element(bits, DER_SEQUENCE);
    struct usi_read n = read_natural(&pair);
    struct usi_read e = read_natural(&pair);

    if (!usi_read_done(bits) || !usi_read_done(&pair))
        return USI_ERR_SIGNATURE;
    *key = (struct public_key){
        .kind = USI_IDENTITY_RSA, .bits = (unsigned)n.left * 8, .octets = n.at, .size = n.left};
    for (unsigned top = n.at[0]; top < 0x80; top <<= 1)
        key->bits--;
    if (key->bits < RSA_BITS_MIN || key->bits > RSA_BITS_MAX)
        return USI_ERR_KEY_KIND;
    return e.left == sizeof exponent && begins_with(&e, exponent, sizeof exponent)
               ? 0
               : USI_ERR_KEY_KIND;
}

/* 0, USI_ERR_SIGNATURE for what is not DER of a key, USI_ERR_KEY_KIND for another key. */
static int read_spki(const uint8_t *spki, size_t size, struct public_key *key)
{
    struct usi_read whole = usi_read_from(spki, size);
    struct usi_read info = read_element(&whole, DER_SEQUENCE);
    struct usi_read algorithm = read_element(&info, DER_SEQUENCE);
    struct usi_read bits = read_element(&info, DER_BIT_STRING);
    bool whole_octets = usi_read_u8(&bits) == 0;

    if (!usi_read_done(&whole) || !usi_read_done(&info) || bits.failed || !whole_octets)
        return USI_ERR_SIGNATURE;
    if (algorithm.left == sizeof ed25519_algorithm &&
        begins_with(&algorithm, ed25519_algorithm, sizeof ed25519_algorithm))
        return read_ed25519(&bits, key);
    if (algorithm.left == sizeof rsa_algorithm &&
        begins_with(&algorithm, rsa_algorithm, sizeof rsa_algorithm))
        return read_rsa(&bits, key);
    /* The right kind, but with other parameters than its own. */
    if (begins_with(&algorithm, ed25519_algorithm, sizeof ed25519_algorithm) ||
        begins_with(&algorithm, rsa_algorithm, RSA_OID))
        return USI_ERR_SIGNATURE;
    (void)read_element(&algorithm, DER_OID);
    return algorithm.failed ? USI_ERR_SIGNATURE : USI_ERR_KEY_KIND;
}

/* ---- signatures ---- */

static size_t signature_size(const struct public_key *key)
{
    return key->kind == USI_IDENTITY_RSA ? key->size : ED25519_SIGNATURE;
}

static const char *digest_of(const struct public_key *key)
{
    return key->kind == USI_IDENTITY_RSA ? digest_name : NULL; /* Ed25519 has its own */
}

/* The octets that are signed, by PROTOCOL.md; their number. own_key is SHA-256 of the signer's
 * SPKI. */
static size_t signed_octets(const struct usi_signed *what, uint8_t mark,
                            const uint8_t own_key[USI_FINGERPRINT], uint8_t out[SIGNED_MAX])
{
    struct usi_write w = usi_write_to(out, SIGNED_MAX);
    bool mobile = what->signer == USI_SIGNER_MOBILE;
    const char *label = mobile ? "USI1 mobile" : "USI1 network";

    usi_write_bytes(&w, label, strlen(label));
    usi_write_bytes(&w, what->hash, USI_HASH);
    usi_write_number(&w, mark, 1);
    if (mobile)
        usi_write_bytes(&w, what->peer_key, USI_FINGERPRINT);
    usi_write_bytes(&w, own_key, USI_FINGERPRINT);
    return w.used;
}

static bool use_pss(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, PSS_SALT) > 0;
}

/* Signs bytes[0..size-1] into out[0..signature_size-1], by whatever provider has the key. MGF1 is
 * left at its default, the digest: not every provider lets it be set. usi_identity_check of the
 * trial signature shows whether that is so. */
static int sign(const struct usi_identity *identity, const uint8_t *bytes, size_t size,
                uint8_t *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of_key = NULL; /* ctx owns it */
    size_t want = signature_size(&identity->public), made = want;
    int result = USI_ERR_INTERNAL;

    if (ctx != NULL &&
        EVP_DigestSignInit_ex(ctx, &of_key, digest_of(&identity->public), identity->crypto->libctx,
                              identity->propq, identity->key, NULL) == 1 &&
        (identity->public.kind != USI_IDENTITY_RSA || use_pss(of_key)) &&
        EVP_DigestSign(ctx, out, &made, bytes, size) == 1 && made == want)
        result = 0;
    EVP_MD_CTX_free(ctx);
    return result;
}

static EVP_PKEY *rsa_of(const struct usi_crypto *crypto, const struct public_key *key)
{
    EVP_PKEY *made = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(crypto->libctx, "RSA", crypto->propq);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(key->octets, (int)key->size, NULL);
    OSSL_PARAM *params = NULL;

    if (ctx == NULL || build == NULL || n == NULL ||
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_ulong(build, OSSL_PKEY_PARAM_RSA_E, RSA_EXPONENT) != 1 ||
        (params = OSSL_PARAM_BLD_to_param(build)) == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_PUBLIC_KEY, params) != 1)
        made = NULL;
    OSSL_PARAM_free(params);
    BN_free(n);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    return made;
}

/* Is sig the key's signature of bytes? 0, USI_ERR_SIGNATURE, or USI_ERR_INTERNAL: it was not tried.
 * Its size is looked at here: libcrypto takes an RSA signature without its leading zeros, RFC 8017
 * does not.
 *
 * libcrypto refuses an Ed25519 key that is no point and an s that is not reduced (RFC 8032, section
 * 5.1.7), by the equation without the cofactor. It does not refuse keys of small order, for which
 * anybody can sign: who shows one gives his own key away, and no other. */
static int verify(const struct usi_crypto *crypto, const struct public_key *key,
                  const struct usi_read *bytes, const struct usi_read *sig)
{
    bool rsa = key->kind == USI_IDENTITY_RSA;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of_key = NULL; /* ctx owns it */
    EVP_PKEY *public = rsa ? rsa_of(crypto, key)
                           : EVP_PKEY_new_raw_public_key_ex(crypto->libctx, "ED25519",
                                                            crypto->propq, key->octets, key->size);
    bool ready = ctx != NULL && public != NULL &&
                 EVP_DigestVerifyInit_ex(ctx, &of_key, digest_of(key), crypto->libctx,
                                         crypto->propq, public, NULL) == 1 &&
                 (!rsa || (use_pss(of_key) && EVP_PKEY_CTX_set_rsa_mgf1_md_name(
                                                  of_key, digest_name, crypto->propq) > 0));
    bool good = ready && sig->left == signature_size(key) &&
                EVP_DigestVerify(ctx, sig->at, sig->left, bytes->at, bytes->left) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(public);
    return good ? 0 : ready ? USI_ERR_SIGNATURE : USI_ERR_INTERNAL;
}

int usi_identity_check(const struct usi_crypto *crypto, const struct usi_signed *what,
                       const uint8_t *shown, size_t size, bool accept_rsa, struct usi_peer *peer,
                       const uint8_t **spki, size_t *spki_size)
{
    struct usi_read r = usi_read_from(shown, size);
    uint8_t mark = usi_read_u8(&r), bytes[SIGNED_MAX];
    size_t length = (size_t)usi_read_number(&r, 2);
    const uint8_t *found = usi_read_bytes(&r, length);
    struct public_key key;

    if (r.failed || (mark != MARK_FRESH && mark != MARK_KEPT))
        return USI_ERR_SIGNATURE;
    int result = read_spki(found, length, &key);
    if (result != 0)
        return result;
    if (key.kind == USI_IDENTITY_RSA && !accept_rsa)
        return USI_ERR_KEY_KIND;
    if (EVP_Digest(found, length, peer->key, NULL, crypto->sha256, NULL) != 1)
        return USI_ERR_INTERNAL;
    struct usi_read message = usi_read_from(bytes, signed_octets(what, mark, peer->key, bytes));
    (void)ERR_set_mark(); /* what a stranger got wrong is no business of the thread's error queue */
    result = verify(crypto, &key, &message, &r);
    (void)ERR_pop_to_mark();
    if (result != 0)
        return result;
    peer->kept = mark == MARK_KEPT;
    peer->kind = key.kind;
    peer->bits = key.bits;
    *spki = found;
    *spki_size = length;
    return 0;
}

/* ---- one's own ---- */

int usi_identity_show(const struct usi_identity *identity, const struct usi_signed *what,
                      uint8_t *out, size_t room, size_t *size)
{
    struct usi_write w = usi_write_to(out, room);
    uint8_t bytes[SIGNED_MAX];

    usi_write_number(&w, identity->mark, 1);
    usi_write_number(&w, identity->spki_size, 2);
    usi_write_bytes(&w, identity->spki, identity->spki_size);
    uint8_t *signature = usi_write_room(&w, signature_size(&identity->public));
    if (signature == NULL)
        return USI_ERR_ARGUMENT;
    *size = w.used;
    return sign(identity, bytes, signed_octets(what, identity->mark, identity->fingerprint, bytes),
                signature);
}

/* Keeps the public key of identity->key as peers see it. */
static int take_spki(struct usi_identity *identity)
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(identity->key, &der);
    int result = USI_ERR_INTERNAL;

    if (size > 0) {
        result = read_spki(der, (size_t)size, &identity->public);
        result = result == 0 && size <= USI_SPKI_MAX ? 0 : USI_ERR_KEY_KIND;
    }
    if (result == 0) {
        memcpy(identity->spki, der, (size_t)size);
        identity->spki_size = (size_t)size;
        result = read_spki(identity->spki, identity->spki_size, &identity->public);
    }
    OPENSSL_free(der);
    if (result == 0 && EVP_Digest(identity->spki, identity->spki_size, identity->fingerprint, NULL,
                                  identity->crypto->sha256, NULL) != 1)
        result = USI_ERR_INTERNAL;
    return result;
}

/* Shows the identity to itself: so a key without its private half, a token that does not do
 * RSASSA-PSS, or halves that do not belong together are found at the start. The signature is of no
 * use to anybody: no h2 is all zeros. */
static int try_key(const struct usi_identity *identity)
{
    static const uint8_t hash[USI_HASH];
    const struct usi_signed what = {.signer = USI_SIGNER_NETWORK, .hash = hash};
    uint8_t shown[USI_IDENTITY_MAX];
    size_t size = 0, spki_size;
    const uint8_t *spki;
    struct usi_peer peer;

    if (usi_identity_show(identity, &what, shown, sizeof shown, &size) != 0 ||
        usi_identity_check(identity->crypto, &what, shown, size, true, &peer, &spki, &spki_size) !=
            0)
        return USI_ERR_INTERNAL;
    return 0;
}

/* Finds who signs. Without a property query, libcrypto may choose an implementation that gets no
 * more than the public half of a token's key; its own provider has the other. */
static int find_signer(struct usi_identity *identity)
{
    const OSSL_PROVIDER *provider = EVP_PKEY_get0_provider(identity->key);
    int result, n;

    identity->propq = identity->crypto->propq;
    result = try_key(identity);
    if (result == 0 || provider == NULL)
        return result;
    n = snprintf(identity->of_provider, sizeof identity->of_provider, "?provider=%s",
                 OSSL_PROVIDER_get0_name(provider));
    if (n < 0 || (size_t)n >= sizeof identity->of_provider)
        return result;
    identity->propq = identity->of_provider;
    return try_key(identity);
}

/* Takes the reference to key over, also when it fails. */
static int make(struct usi_identity **out, const struct usi_crypto *crypto, EVP_PKEY *key,
                uint8_t mark)
{
    struct usi_identity *identity = OPENSSL_zalloc(sizeof *identity);
    int result;

    *out = NULL;
    if (identity == NULL) {
        EVP_PKEY_free(key);
        return USI_ERR_INTERNAL;
    }
    identity->crypto = crypto;
    identity->key = key;
    identity->mark = mark;
    (void)ERR_set_mark();
    result = take_spki(identity);
    if (result == 0)
        result = find_signer(identity);
    (void)ERR_pop_to_mark();
    if (result == 0)
        *out = identity;
    else
        usi_identity_free(identity);
    return result;
}

int usi_identity_new(struct usi_identity **out, const struct usi_crypto *crypto,
                     enum usi_identity_kind kind)
{
    EVP_PKEY *key;

    *out = NULL;
    if (kind == USI_IDENTITY_ED25519)
        key = EVP_PKEY_Q_keygen(crypto->libctx, crypto->propq, "ED25519");
    else if (kind == USI_IDENTITY_RSA)
        key = EVP_PKEY_Q_keygen(crypto->libctx, crypto->propq, "RSA", (size_t)RSA_BITS_MIN);
    else
        return USI_ERR_ARGUMENT;
    if (key == NULL)
        return USI_ERR_ALGORITHM;
    return make(out, crypto, key, MARK_FRESH);
}

int usi_identity_from_key(struct usi_identity **out, const struct usi_crypto *crypto, EVP_PKEY *key)
{
    *out = NULL;
    return EVP_PKEY_up_ref(key) == 1 ? make(out, crypto, key, MARK_KEPT) : USI_ERR_INTERNAL;
}

void usi_identity_free(struct usi_identity *identity)
{
    if (identity == NULL)
        return;
    EVP_PKEY_free(identity->key);
    OPENSSL_free(identity);
}

void usi_identity_fingerprint(const struct usi_identity *identity,
                              uint8_t fingerprint[USI_FINGERPRINT])
{
    memcpy(fingerprint, identity->fingerprint, USI_FINGERPRINT);
}

const uint8_t *usi_identity_spki(const struct usi_identity *identity, size_t *size)
{
    *size = identity->spki_size;
    return identity->spki;
}
