#include "channel/spake2.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <string.h>

enum { COMPRESSED = 33, SCALAR = 32, STRETCHED_MAX = 64, UNCOMPRESSED_MARK = 4 };

/* RFC 9382, section 6: M and N of P-256, compressed. */
static const uint8_t blinds[2][COMPRESSED] = {
    {0x02, 0x88, 0x6e, 0x2f, 0x97, 0xac, 0xe4, 0x6e, 0x55, 0xba, 0x9d,
     0xd7, 0x24, 0x25, 0x79, 0xf2, 0x99, 0x3b, 0x64, 0xe1, 0x6e, 0xf3,
     0xdc, 0xab, 0x95, 0xaf, 0xd4, 0x97, 0x33, 0x3d, 0x8f, 0xa1, 0x2f},
    {0x03, 0xd8, 0xbb, 0xd6, 0xc6, 0x39, 0xc6, 0x29, 0x37, 0xb0, 0x4d,
     0x99, 0x7f, 0x38, 0xc3, 0x77, 0x07, 0x19, 0xc6, 0x29, 0xd7, 0x01,
     0x4d, 0x49, 0xa2, 0x4b, 0x4f, 0x98, 0xba, 0xa1, 0x29, 0x2b, 0x49},
};

struct usi_spake2 {
    const struct usi_crypto *crypto;
    enum usi_spake2_side side;
    EC_GROUP *group;
    BN_CTX *bn;
    EVP_MD_CTX *tt; /* the hash of TT, as far as both identities; NULL once finished */
    BIGNUM *w;
    BIGNUM *x; /* the private scalar: RFC 9382's x or y */
    uint8_t share[USI_SHARE];
};

/* ---- numbers and points ---- */

static BIGNUM *number_new(void)
{
    BIGNUM *number = BN_secure_new();

    if (number != NULL)
        BN_set_flags(number, BN_FLG_CONSTTIME);
    return number;
}

/* octets mod the order; NULL for 0 too, which no scalar may be. */
static BIGNUM *scalar_from(const struct usi_spake2 *s, const uint8_t *octets, size_t size)
{
    BIGNUM *scalar = number_new();

    if (scalar == NULL || BN_bin2bn(octets, (int)size, scalar) == NULL ||
        BN_nnmod(scalar, scalar, EC_GROUP_get0_order(s->group), s->bn) != 1 || BN_is_zero(scalar)) {
        BN_clear_free(scalar);
        return NULL;
    }
    return scalar;
}

static EC_POINT *point_from(const struct usi_spake2 *s, const uint8_t *octets, size_t size)
{
    EC_POINT *point = EC_POINT_new(s->group);

    if (point != NULL && EC_POINT_oct2point(s->group, point, octets, size, s->bn) != 1) {
        EC_POINT_free(point);
        return NULL;
    }
    return point;
}

/* scalar times point, of the generator for a NULL point. Never two products in one call:
 * EC_POINT_mul is of constant time for one only. */
static EC_POINT *product(const struct usi_spake2 *s, const BIGNUM *scalar, const EC_POINT *point)
{
    EC_POINT *out = EC_POINT_new(s->group);
    int done = 0;

    if (out != NULL && point == NULL)
        done = EC_POINT_mul(s->group, out, scalar, NULL, NULL, s->bn);
    else if (out != NULL)
        done = EC_POINT_mul(s->group, out, NULL, point, scalar, s->bn);
    if (done != 1) {
        EC_POINT_clear_free(out);
        return NULL;
    }
    return out;
}

/* scalar times `side`'s blinding point. */
static EC_POINT *blind(const struct usi_spake2 *s, enum usi_spake2_side side, const BIGNUM *scalar)
{
    EC_POINT *point = point_from(s, blinds[side], COMPRESSED);
    EC_POINT *out = point != NULL ? product(s, scalar, point) : NULL;

    EC_POINT_free(point);
    return out;
}

/* a + b, uncompressed. USI_ERR_SHARE for infinity, which has no such form. EC_POINT_add is not of
 * constant time: a must be a product with x, whose projective coordinates nobody else can know. */
static int put_sum(const struct usi_spake2 *s, EC_POINT *a, const EC_POINT *b,
                   uint8_t out[USI_SHARE])
{
    if (EC_POINT_add(s->group, a, a, b, s->bn) != 1)
        return USI_ERR_INTERNAL;
    if (EC_POINT_is_at_infinity(s->group, a) == 1)
        return USI_ERR_SHARE;
    if (EC_POINT_point2oct(s->group, a, POINT_CONVERSION_UNCOMPRESSED, out, USI_SHARE, s->bn) !=
        USI_SHARE)
        return USI_ERR_INTERNAL;
    return 0;
}

/* ---- TT ---- */

/* Its parts are octets behind their number, which has 8 octets, the least first. */
static bool tt_add(EVP_MD_CTX *tt, const void *octets, size_t size)
{
    uint8_t length[8];

    for (size_t i = 0; i < sizeof length; i++)
        length[i] = (uint8_t)((uint64_t)size >> 8 * i);
    return EVP_DigestUpdate(tt, length, sizeof length) == 1 &&
           EVP_DigestUpdate(tt, octets, size) == 1;
}

static bool tt_begin(struct usi_spake2 *s, const char *identity_a, const char *identity_b)
{
    s->tt = EVP_MD_CTX_new();
    return s->tt != NULL && EVP_DigestInit_ex2(s->tt, s->crypto->sha256, NULL) == 1 &&
           tt_add(s->tt, identity_a, strlen(identity_a)) &&
           tt_add(s->tt, identity_b, strlen(identity_b));
}

static int tt_end(const struct usi_spake2 *s, const uint8_t peer[USI_SHARE],
                  const uint8_t k[USI_SHARE], uint8_t ke[USI_SPAKE2_KE])
{
    bool first = s->side == USI_SPAKE2_A;
    uint8_t w[SCALAR], hash[USI_HASH];
    int result = USI_ERR_INTERNAL;

    if (BN_bn2binpad(s->w, w, sizeof w) == SCALAR &&
        tt_add(s->tt, first ? s->share : peer, USI_SHARE) &&
        tt_add(s->tt, first ? peer : s->share, USI_SHARE) && tt_add(s->tt, k, USI_SHARE) &&
        tt_add(s->tt, w, sizeof w) && EVP_DigestFinal_ex(s->tt, hash, NULL) == 1) {
        memcpy(ke, hash, USI_SPAKE2_KE);
        result = 0;
    }
    OPENSSL_cleanse(hash, sizeof hash);
    OPENSSL_cleanse(w, sizeof w);
    return result;
}

/* ---- the exchange ---- */

static int make_share(struct usi_spake2 *s)
{
    EC_POINT *open = product(s, s->x, NULL);
    EC_POINT *mask = blind(s, s->side, s->w);
    int result = USI_ERR_INTERNAL;

    if (open != NULL && mask != NULL && put_sum(s, open, mask, s->share) == 0)
        result = 0;
    EC_POINT_clear_free(mask);
    EC_POINT_clear_free(open);
    return result;
}

static int set_scalars(struct usi_spake2 *s, const uint8_t *stretched, size_t size)
{
    uint8_t random[USI_SPAKE2_RANDOM];

    s->w = scalar_from(s, stretched, size);
    if (s->w == NULL)
        return USI_ERR_ARGUMENT;
    if (s->crypto->random(s->crypto, random, sizeof random) == 0)
        s->x = scalar_from(s, random, sizeof random);
    OPENSSL_cleanse(random, sizeof random);
    return s->x != NULL ? 0
                        : USI_ERR_INTERNAL; /* 0 from a source of random octets is its failure */
}

int usi_spake2_new(struct usi_spake2 **out, const struct usi_crypto *crypto,
                   enum usi_spake2_side side, const char *identity_a, const char *identity_b,
                   const uint8_t *stretched, size_t size, uint8_t share[USI_SHARE])
{
    struct usi_spake2 *s;
    int result = USI_ERR_INTERNAL;

    *out = NULL;
    if (size < SCALAR || size > STRETCHED_MAX)
        return USI_ERR_ARGUMENT;
    s = OPENSSL_zalloc(sizeof *s);
    if (s == NULL)
        return USI_ERR_INTERNAL;
    s->crypto = crypto;
    s->side = side;
    s->group = EC_GROUP_new_by_curve_name_ex(crypto->libctx, crypto->propq, NID_X9_62_prime256v1);
    s->bn = BN_CTX_secure_new_ex(crypto->libctx);
    if (s->group != NULL && s->bn != NULL && tt_begin(s, identity_a, identity_b))
        result = set_scalars(s, stretched, size);
    if (result == 0)
        result = make_share(s);
    BN_CTX_free(
        s->bn); /* it keeps what it had of the secure heap, and a stranger may never answer */
    s->bn = NULL;
    if (result != 0) {
        usi_spake2_free(s);
        return result;
    }
    memcpy(share, s->share, USI_SHARE);
    *out = s;
    return 0;
}

/* K = x(peer - wN), as x peer - (xw)N: of peer - wN, a peer who tries passwords in his head would
 * know both terms, and EC_POINT_add's time might tell which is right. */
static int make_k(const struct usi_spake2 *s, const EC_POINT *peer, uint8_t k[USI_SHARE])
{
    enum usi_spake2_side other = s->side == USI_SPAKE2_A ? USI_SPAKE2_B : USI_SPAKE2_A;
    BIGNUM *xw = number_new();
    EC_POINT *whole = product(s, s->x, peer);
    EC_POINT *mask = NULL;
    int result = USI_ERR_INTERNAL;

    if (xw == NULL || whole == NULL ||
        BN_mod_mul(xw, s->x, s->w, EC_GROUP_get0_order(s->group), s->bn) != 1)
        goto done;
    mask = blind(s, other, xw);
    if (mask == NULL || EC_POINT_invert(s->group, mask, s->bn) != 1)
        goto done;
    result = put_sum(s, whole, mask, k);
done:
    EC_POINT_clear_free(mask);
    EC_POINT_clear_free(whole);
    BN_clear_free(xw);
    return result;
}

int usi_spake2_finish(struct usi_spake2 *s, const uint8_t peer[USI_SHARE],
                      uint8_t ke[USI_SPAKE2_KE])
{
    uint8_t k[USI_SHARE];
    EC_POINT *point = NULL;
    int result = USI_ERR_SHARE;

    if (s->tt == NULL)
        return USI_ERR_ARGUMENT;
    s->bn = BN_CTX_secure_new_ex(s->crypto->libctx);
    if (s->bn == NULL)
        return USI_ERR_INTERNAL;
    if (peer[0] == UNCOMPRESSED_MARK)
        point = point_from(s, peer, USI_SHARE);
    if (point != NULL) {
        result = make_k(s, point, k);
        if (result == 0)
            result = tt_end(s, peer, k, ke);
        OPENSSL_cleanse(k, sizeof k);
    }
    EC_POINT_free(point);
    EVP_MD_CTX_free(s->tt);
    s->tt = NULL;
    return result;
}

void usi_spake2_free(struct usi_spake2 *s)
{
    if (s == NULL)
        return;
    BN_clear_free(s->x);
    BN_clear_free(s->w);
    EVP_MD_CTX_free(s->tt);
    BN_CTX_free(s->bn);
    EC_GROUP_free(s->group);
    OPENSSL_free(s);
}
