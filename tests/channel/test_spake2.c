/* channel/spake2.h: RFC 9382's vectors, and every peer's point that must be refused. */
#include "channel/spake2.h"

#include "cases.h"
#include "fixed.h"
#include "support.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/kdf.h>
#include <openssl/obj_mac.h>

static const char vectors[] = USI_VECTORS "/spake2.txt";
static const char M[] = "02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f";
static const char N[] = "03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49";

enum { CASES = 5, SCALAR = 32, IDENTITY = 32, WIDE = USI_SPAKE2_RANDOM };

struct vector {
    struct vector_case c;
    char a[IDENTITY], b[IDENTITY];
    uint8_t w[SCALAR], x[SCALAR], y[SCALAR], pa[USI_SHARE], pb[USI_SHARE], k[USI_SHARE];
    uint8_t ke[USI_SPAKE2_KE];
};

static void set(const struct vector_case *c, const char *name, uint8_t *out, size_t size)
{
    ck_assert_uint_eq(case_octets(c, name, out, size), size);
}

static struct vector vector_of(int number)
{
    struct vector v = {0};
    FILE *file = cases_open(vectors);

    for (int n = 0; n <= number; n++)
        ck_assert(cases_next(file, &v.c));
    (void)fclose(file);
    (void)case_octets(&v.c, "a", v.a, sizeof v.a - 1);
    (void)case_octets(&v.c, "b", v.b, sizeof v.b - 1);
    set(&v.c, "w", v.w, sizeof v.w);
    set(&v.c, "x", v.x, sizeof v.x);
    set(&v.c, "y", v.y, sizeof v.y);
    set(&v.c, "pa", v.pa, sizeof v.pa);
    set(&v.c, "pb", v.pb, sizeof v.pb);
    set(&v.c, "k", v.k, sizeof v.k);
    set(&v.c, "ke", v.ke, sizeof v.ke);
    return v;
}

/* ---- a side with the private scalar of a vector ---- */

struct side {
    struct usi_crypto crypto;
    struct fixed fixed;
    struct usi_spake2 *spake2;
    uint8_t share[USI_SHARE];
};

/* The octets that `random` gives are all that there is. */
static int side_try(struct side *s, const struct vector *v, enum usi_spake2_side side,
                    const uint8_t *random, size_t random_size, const uint8_t *w, size_t w_size)
{
    s->crypto = *support_crypto();
    fixed_octets(&s->crypto, &s->fixed, random, random_size);
    return usi_spake2_new(&s->spake2, &s->crypto, side, v->a, v->b, w, w_size, s->share);
}

static void widen(uint8_t wide[WIDE], const uint8_t scalar[SCALAR])
{
    memset(wide, 0, WIDE);
    memcpy(wide + WIDE - SCALAR, scalar, SCALAR);
}

static void side_new(struct side *s, const struct vector *v, enum usi_spake2_side side)
{
    uint8_t random[WIDE];

    widen(random, side == USI_SPAKE2_A ? v->x : v->y);
    ck_assert_int_eq(side_try(s, v, side, random, sizeof random, v->w, sizeof v->w), 0);
    ck_assert_uint_eq(s->fixed.left, 0);
}

static void refused(const struct vector *v, enum usi_spake2_side side,
                    const uint8_t peer[USI_SHARE])
{
    static const uint8_t untouched[USI_SPAKE2_KE] = {0x55, 0x55};
    uint8_t ke[USI_SPAKE2_KE] = {0x55, 0x55};
    struct side s;

    side_new(&s, v, side);
    ck_assert_int_eq(usi_spake2_finish(s.spake2, peer, ke), USI_ERR_SHARE);
    ck_assert_mem_eq(ke, untouched, sizeof ke);
    usi_spake2_free(s.spake2);
}

/* ---- the vectors ---- */

START_TEST(vectors_from_both_sides)
{
    struct vector v = vector_of(_i);
    uint8_t ke[USI_SPAKE2_KE];
    struct side a, b;

    side_new(&a, &v, USI_SPAKE2_A);
    side_new(&b, &v, USI_SPAKE2_B);
    ck_assert_mem_eq(a.share, v.pa, USI_SHARE);
    ck_assert_mem_eq(b.share, v.pb, USI_SHARE);
    ck_assert_int_eq(usi_spake2_finish(a.spake2, v.pb, ke), 0);
    ck_assert_mem_eq(ke, v.ke, sizeof ke);
    memset(ke, 0, sizeof ke);
    ck_assert_int_eq(usi_spake2_finish(b.spake2, v.pa, ke), 0);
    ck_assert_mem_eq(ke, v.ke, sizeof ke);
    usi_spake2_free(a.spake2);
    usi_spake2_free(b.spake2);
}
END_TEST

static void add_part(struct octets *tt, const void *octets, size_t size)
{
    const uint8_t length[8] = {(uint8_t)size};

    octets_add(tt, length, sizeof length);
    octets_add(tt, octets, size);
}

static void confirmation_keys(const uint8_t *ka, size_t size, uint8_t out[SCALAR])
{
    char digest[] = "SHA256", label[] = "ConfirmationKeys";
    uint8_t key[SCALAR];
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                           OSSL_PARAM_construct_octet_string("key", key, size),
                           OSSL_PARAM_construct_octet_string("info", label, strlen(label)),
                           OSSL_PARAM_construct_end()};
    EVP_KDF *kdf = EVP_KDF_fetch(support_libctx(), "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

    memcpy(key, ka, size);
    ck_assert_int_eq(EVP_KDF_derive(ctx, out, SCALAR, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

/* What the RFC derives further, which USI does not use: it shows that ke was not found by chance,
 * and that the file is the RFC's. */
START_TEST(vectors_to_their_confirmation)
{
    struct vector v = vector_of(_i);
    uint8_t hash[USI_HASH], ka[16], keys[SCALAR], expected[SCALAR];
    struct octets tt = {0};

    add_part(&tt, v.a, strlen(v.a));
    add_part(&tt, v.b, strlen(v.b));
    add_part(&tt, v.pa, USI_SHARE);
    add_part(&tt, v.pb, USI_SHARE);
    add_part(&tt, v.k, USI_SHARE);
    add_part(&tt, v.w, SCALAR);
    ck_assert_int_eq(EVP_Digest(tt.base, tt.size, hash, NULL, EVP_sha256(), NULL), 1);
    set(&v.c, "ka", ka, sizeof ka);
    ck_assert_mem_eq(hash, v.ke, sizeof v.ke);
    ck_assert_mem_eq(hash + sizeof v.ke, ka, sizeof ka);
    confirmation_keys(ka, sizeof ka, keys);
    set(&v.c, "kca", expected, 16);
    set(&v.c, "kcb", expected + 16, 16);
    ck_assert_mem_eq(keys, expected, sizeof keys);
    for (unsigned i = 0; i < 2; i++) {
        size_t size = 0;
        ck_assert_ptr_nonnull(EVP_Q_mac(support_libctx(), "HMAC", NULL, "SHA256", NULL,
                                        keys + 16 * i, 16, tt.base, tt.size, hash, sizeof hash,
                                        &size));
        set(&v.c, i == 0 ? "conf_a" : "conf_b", expected, sizeof expected);
        ck_assert_mem_eq(hash, expected, sizeof hash);
    }
    octets_clear(&tt);
}
END_TEST

/* ---- scalars ---- */

/* 40 octets of scalar + times * order. */
static void raise_by_order(uint8_t wide[WIDE], const uint8_t *scalar, BN_ULONG times)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *sum = BN_dup(EC_GROUP_get0_order(group));
    BIGNUM *number = BN_bin2bn(scalar, SCALAR, NULL);

    ck_assert_int_eq(BN_mul_word(sum, times), 1);
    ck_assert_int_eq(BN_add(sum, sum, number), 1);
    ck_assert_int_eq(BN_bn2binpad(sum, wide, WIDE), WIDE);
    BN_free(number);
    BN_free(sum);
    EC_GROUP_free(group);
}

START_TEST(scalars_are_taken_mod_the_order)
{
    struct vector v = vector_of(0);
    uint8_t random[WIDE], w[WIDE], ke[USI_SPAKE2_KE];
    struct side s;

    raise_by_order(random, v.x, 0xfffffffe);
    raise_by_order(w, v.w, 3);
    ck_assert_int_eq(side_try(&s, &v, USI_SPAKE2_A, random, sizeof random, w, sizeof w), 0);
    ck_assert_mem_eq(s.share, v.pa, USI_SHARE);
    ck_assert_int_eq(usi_spake2_finish(s.spake2, v.pb, ke), 0);
    ck_assert_mem_eq(ke, v.ke, sizeof ke);
    usi_spake2_free(s.spake2);
}
END_TEST

START_TEST(a_scalar_of_zero_is_refused)
{
    static const uint8_t zero[WIDE];
    struct vector v = vector_of(0);
    uint8_t order[WIDE], random[WIDE];
    struct side s;

    raise_by_order(order, zero, 1);
    widen(random, v.x);
    ck_assert_int_eq(side_try(&s, &v, USI_SPAKE2_A, zero, sizeof zero, v.w, sizeof v.w),
                     USI_ERR_INTERNAL);
    ck_assert_ptr_null(s.spake2);
    ck_assert_int_eq(side_try(&s, &v, USI_SPAKE2_B, order, sizeof order, v.w, sizeof v.w),
                     USI_ERR_INTERNAL);
    ck_assert_int_eq(side_try(&s, &v, USI_SPAKE2_A, random, sizeof random, zero, sizeof zero),
                     USI_ERR_ARGUMENT);
    ck_assert_int_eq(side_try(&s, &v, USI_SPAKE2_A, random, sizeof random, order, sizeof order),
                     USI_ERR_ARGUMENT);
    ck_assert_ptr_null(s.spake2);
}
END_TEST

START_TEST(impossible_sizes_and_no_randomness_are_errors)
{
    struct vector v = vector_of(0);
    uint8_t random[WIDE], w[65] = {1};
    struct side s;

    widen(random, v.x);
    ck_assert_int_eq(side_try(&s, &v, USI_SPAKE2_A, random, sizeof random, w, 0), USI_ERR_ARGUMENT);
    ck_assert_int_eq(side_try(&s, &v, USI_SPAKE2_A, random, sizeof random, w, 31),
                     USI_ERR_ARGUMENT);
    ck_assert_int_eq(side_try(&s, &v, USI_SPAKE2_A, random, sizeof random, w, 65),
                     USI_ERR_ARGUMENT);
    ck_assert_int_eq(side_try(&s, &v, USI_SPAKE2_A, random, WIDE - 1, v.w, sizeof v.w),
                     USI_ERR_INTERNAL);
    ck_assert_ptr_null(s.spake2);
    ck_assert_int_eq(side_try(&s, &v, USI_SPAKE2_A, random, sizeof random, w, 64), 0);
    usi_spake2_free(s.spake2);
    usi_spake2_free(NULL);
}
END_TEST

/* ---- what both must agree on ---- */

struct terms {
    const char *a, *b;
    uint8_t w[WIDE];
};

/* Both sides run, each by its own terms; do they come to one Ke? */
static bool agree(const struct terms *of_a, const struct terms *of_b, uint8_t ke[USI_SPAKE2_KE])
{
    const struct usi_crypto *crypto = support_crypto();
    uint8_t pa[USI_SHARE], pb[USI_SHARE], other[USI_SPAKE2_KE];
    struct usi_spake2 *a, *b;

    ck_assert_int_eq(usi_spake2_new(&a, crypto, USI_SPAKE2_A, of_a->a, of_a->b, of_a->w, WIDE, pa),
                     0);
    ck_assert_int_eq(usi_spake2_new(&b, crypto, USI_SPAKE2_B, of_b->a, of_b->b, of_b->w, WIDE, pb),
                     0);
    ck_assert_int_eq(usi_spake2_finish(a, pb, ke), 0);
    ck_assert_int_eq(usi_spake2_finish(b, pa, other), 0);
    usi_spake2_free(a);
    usi_spake2_free(b);
    return memcmp(ke, other, USI_SPAKE2_KE) == 0;
}

START_TEST(only_who_agrees_on_everything_agrees_on_ke)
{
    const struct terms plain = {.a = "connector", .b = "listener", .w = {1, 2, 3}};
    struct terms other = plain;
    uint8_t ke[USI_SPAKE2_KE], again[USI_SPAKE2_KE];

    ck_assert(agree(&plain, &plain, ke));
    ck_assert(agree(&plain, &plain, again));
    ck_assert_mem_ne(ke, again, sizeof ke);
    other.w[WIDE - 1] ^= 1;
    ck_assert(!agree(&plain, &other, ke));
    other = plain;
    other.a = "connectors";
    ck_assert(!agree(&plain, &other, ke));
    other = plain;
    other.b = "";
    ck_assert(!agree(&plain, &other, ke));
    other.a = "connectorl"; /* as long together, and divided elsewhere */
    other.b = "istener";
    ck_assert(!agree(&plain, &other, ke));
}
END_TEST

/* Two sides of one kind use one blinding point: no common key. */
START_TEST(a_share_sent_back_home_makes_no_key_of_ours)
{
    struct vector v = vector_of(0);
    uint8_t ke[USI_SPAKE2_KE];
    struct side s;

    side_new(&s, &v, USI_SPAKE2_A);
    ck_assert_int_eq(usi_spake2_finish(s.spake2, v.pa, ke), 0);
    ck_assert_mem_ne(ke, v.ke, sizeof ke);
    usi_spake2_free(s.spake2);
}
END_TEST

/* ---- points that are refused ---- */

START_TEST(other_forms_of_a_point_are_refused)
{
    struct vector v = vector_of(0);

    for (unsigned prefix = 0; prefix < 256; prefix++) {
        uint8_t peer[USI_SHARE];

        if (prefix == 4)
            continue;
        memcpy(peer, v.pb, sizeof peer);
        peer[0] = (uint8_t)prefix; /* infinity, compressed, hybrid: the right one of both too */
        refused(&v, USI_SPAKE2_A, peer);
        if (prefix > 7)
            continue;
        memset(peer + 1 + SCALAR, 0, SCALAR);
        refused(&v, USI_SPAKE2_A, peer);
        memset(peer + 1, 0, SCALAR);
        refused(&v, USI_SPAKE2_A, peer);
    }
}
END_TEST

/* For one x there are y and -y only, which differ in more than a bit. */
START_TEST(points_off_the_curve_are_refused)
{
    struct vector v = vector_of(0);
    uint8_t peer[USI_SHARE];

    for (unsigned bit = 0; bit < 8 * SCALAR; bit++) {
        memcpy(peer, v.pa, sizeof peer);
        peer[1 + SCALAR + bit / 8] ^= (uint8_t)(1 << bit % 8);
        refused(&v, USI_SPAKE2_B, peer);
    }
    memset(peer + 1, 0, sizeof peer - 1);
    refused(&v, USI_SPAKE2_B, peer);
    memset(peer + 1, 0xff, sizeof peer - 1);
    refused(&v, USI_SPAKE2_B, peer);
}
END_TEST

static void put_point(uint8_t out[USI_SHARE], const EC_GROUP *group, const EC_POINT *point)
{
    ck_assert_uint_eq(
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, USI_SHARE, NULL),
        USI_SHARE);
}

/* x + p stands for the same number as x, and must not be taken for it. */
START_TEST(coordinates_beyond_the_field_are_refused)
{
    struct vector v = vector_of(0);
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = EC_POINT_new(group);
    BIGNUM *x = BN_new();
    BIGNUM *sum = BN_new();
    uint8_t peer[USI_SHARE], ke[USI_SPAKE2_KE];
    struct side s;

    BN_ULONG small = 1; /* the first x that a point has */
    for (; small < 100; small++) {
        ck_assert_int_eq(BN_set_word(x, small), 1);
        if (EC_POINT_set_compressed_coordinates(group, point, x, 0, NULL) == 1)
            break;
    }
    put_point(peer, group, point);
    side_new(&s, &v, USI_SPAKE2_A);
    ck_assert_int_eq(usi_spake2_finish(s.spake2, peer, ke), 0);
    usi_spake2_free(s.spake2);
    ck_assert_int_eq(BN_add(sum, x, EC_GROUP_get0_field(group)), 1);
    ck_assert_int_eq(BN_bn2binpad(sum, peer + 1, SCALAR), SCALAR);
    refused(&v, USI_SPAKE2_A, peer);
    BN_free(sum);
    BN_free(x);
    EC_POINT_free(point);
    EC_GROUP_free(group);
}
END_TEST

/* The peer sends what takes our mask away and nothing else. */
START_TEST(a_shared_point_at_infinity_is_refused)
{
    struct vector v = vector_of(0);
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *blind = EC_POINT_new(group);
    EC_POINT *product = EC_POINT_new(group);
    BIGNUM *w = BN_bin2bn(v.w, sizeof v.w, NULL);

    for (unsigned i = 0; i < 2; i++) {
        uint8_t peer[USI_SHARE], ke[USI_SPAKE2_KE];
        enum usi_spake2_side side = i == 0 ? USI_SPAKE2_A : USI_SPAKE2_B;
        struct side s;

        ck_assert_ptr_nonnull(EC_POINT_hex2point(group, i == 0 ? N : M, blind, NULL));
        ck_assert_int_eq(EC_POINT_mul(group, product, NULL, blind, w, NULL), 1);
        put_point(peer, group, product);
        refused(&v, side, peer);
        ck_assert_int_eq(EC_POINT_invert(group, product, NULL), 1); /* the like that is not */
        put_point(peer, group, product);
        side_new(&s, &v, side);
        ck_assert_int_eq(usi_spake2_finish(s.spake2, peer, ke), 0);
        usi_spake2_free(s.spake2);
    }
    BN_free(w);
    EC_POINT_free(product);
    EC_POINT_free(blind);
    EC_GROUP_free(group);
}
END_TEST

START_TEST(a_run_takes_one_share)
{
    struct vector v = vector_of(0);
    uint8_t ke[USI_SPAKE2_KE], off[USI_SHARE];
    struct side s;

    side_new(&s, &v, USI_SPAKE2_A);
    ck_assert_int_eq(usi_spake2_finish(s.spake2, v.pb, ke), 0);
    ck_assert_int_eq(usi_spake2_finish(s.spake2, v.pb, ke), USI_ERR_ARGUMENT);
    usi_spake2_free(s.spake2);
    memcpy(off, v.pb, sizeof off);
    off[USI_SHARE - 1] ^= 1;
    side_new(&s, &v, USI_SPAKE2_A);
    ck_assert_int_eq(usi_spake2_finish(s.spake2, off, ke), USI_ERR_SHARE);
    ck_assert_int_eq(usi_spake2_finish(s.spake2, v.pb, ke), USI_ERR_ARGUMENT);
    usi_spake2_free(s.spake2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spake2");
    TCase *tcase = support_case(suite, "spake2");

    tcase_add_loop_test(tcase, vectors_from_both_sides, 0, CASES);
    tcase_add_loop_test(tcase, vectors_to_their_confirmation, 0, CASES);
    tcase_add_test(tcase, scalars_are_taken_mod_the_order);
    tcase_add_test(tcase, a_scalar_of_zero_is_refused);
    tcase_add_test(tcase, impossible_sizes_and_no_randomness_are_errors);
    tcase_add_test(tcase, only_who_agrees_on_everything_agrees_on_ke);
    tcase_add_test(tcase, a_share_sent_back_home_makes_no_key_of_ours);
    tcase_add_test(tcase, other_forms_of_a_point_are_refused);
    tcase_add_test(tcase, points_off_the_curve_are_refused);
    tcase_add_test(tcase, coordinates_beyond_the_field_are_refused);
    tcase_add_test(tcase, a_shared_point_at_infinity_is_refused);
    tcase_add_test(tcase, a_run_takes_one_share);
    return support_run(suite);
}
