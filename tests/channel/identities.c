#include "identities.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE = 2 * FIELD + 32, SIGNED = 128 };

/* ---- vectors ---- */

static void set_field(struct vector *v, const char *name, const char *value)
{
    const struct {
        const char *name;
        struct field *field;
    } fields[] = {{"hash", &v->hash},          {"peer_key", &v->peer_key},
                  {"private", &v->private},    {"fingerprint", &v->fingerprint},
                  {"shown", &v->shown},        {"secret", &v->secret},
                  {"public", &v->public},      {"message", &v->message},
                  {"signature", &v->signature}};

    if (strcmp(name, "kind") == 0)
        v->kind = strcmp(value, "rsa") == 0 ? USI_IDENTITY_RSA : USI_IDENTITY_ED25519;
    else if (strcmp(name, "bits") == 0)
        v->bits = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "kept") == 0)
        v->kept = value[0] == '1';
    else if (strcmp(name, "signer") == 0)
        v->signer = strcmp(value, "mobile") == 0 ? USI_SIGNER_MOBILE : USI_SIGNER_NETWORK;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(name, fields[i].name) == 0 && value[0] != '\0')
            ck_assert_int_eq(OPENSSL_hexstr2buf_ex(fields[i].field->octets, FIELD,
                                                   &fields[i].field->size, value, '\0'),
                             1);
}

static void vector_read(struct vector *v, const char *path, const char *title)
{
    char line[LINE], name[32];
    FILE *file = fopen(path, "r");
    bool inside = false, found = false;

    ck_assert_ptr_nonnull(file);
    memset(v, 0, sizeof *v);
    while (fgets(line, sizeof line, file) != NULL) {
        char *value = strstr(line, " = ");
        if (line[0] == '#' || value == NULL || sscanf(line, "%31s", name) != 1)
            continue;
        value += 3;
        value[strcspn(value, "\n")] = '\0';
        if (strcmp(name, "title") == 0)
            inside = strcmp(value, title) == 0;
        found = found || inside;
        if (inside)
            set_field(v, name, value);
    }
    (void)fclose(file);
    ck_assert_msg(found, "no vector %s", title);
}

void identity_vector(struct vector *v, const char *title)
{
    vector_read(v, USI_VECTORS "/identity.txt", title);
}

struct usi_signed signed_of(const struct vector *v)
{
    return (struct usi_signed){.signer = v->signer,
                               .hash = v->hash.octets,
                               .peer_key = v->peer_key.size > 0 ? v->peer_key.octets : NULL};
}

void ed25519_vector(struct vector *v, const char *title)
{
    vector_read(v, USI_VECTORS "/ed25519.txt", title);
}

/* ---- keys and signatures by other means ---- */

EVP_PKEY *key_of(const struct field *private)
{
    const unsigned char *at = private->octets;
    EVP_PKEY *key = d2i_AutoPrivateKey_ex(NULL, &at, (long)private->size, support_libctx(), NULL);

    ck_assert_ptr_nonnull(key);
    return key;
}

EVP_PKEY *key_of_vector(const char *title)
{
    struct vector v;

    identity_vector(&v, title);
    return key_of(&v.private);
}

size_t spki_of(EVP_PKEY *key, uint8_t out[FIELD])
{
    unsigned char *at = out;

    ck_assert_int_lt(i2d_PUBKEY(key, NULL), FIELD);
    int size = i2d_PUBKEY(key, &at);
    ck_assert_int_gt(size, 0);
    return (size_t)size;
}

size_t forge(EVP_PKEY *key, const struct manner *how, const uint8_t *spki, size_t size,
             uint8_t out[FIELD])
{
    static const uint8_t zeros[USI_HASH];
    uint8_t message[SIGNED] = "USI1 network";
    size_t n = 12, made = FIELD - 3 - size;
    bool rsa = EVP_PKEY_is_a(key, "RSA");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of_key = NULL;

    memcpy(message + n, zeros, sizeof zeros);
    n += sizeof zeros;
    message[n++] = how->mark;
    ck_assert_int_eq(EVP_Digest(spki, size, message + n, NULL, EVP_sha256(), NULL), 1);
    n += USI_FINGERPRINT;
    out[0] = how->mark;
    out[1] = (uint8_t)(size >> 8);
    out[2] = (uint8_t)size;
    memcpy(out + 3, spki, size);
    ck_assert_int_eq(EVP_DigestSignInit_ex(ctx, &of_key,
                                           !rsa          ? NULL
                                           : how->digest ? how->digest
                                                         : "SHA256",
                                           support_libctx(), NULL, key, NULL),
                     1);
    if (rsa) {
        int padding = how->padding != 0 ? how->padding : RSA_PKCS1_PSS_PADDING;
        ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_padding(of_key, padding), 0);
        if (padding == RSA_PKCS1_PSS_PADDING)
            ck_assert_int_gt(
                EVP_PKEY_CTX_set_rsa_pss_saltlen(of_key, how->salt != 0 ? how->salt : 32), 0);
        if (how->mgf1 != NULL)
            ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_mgf1_md_name(of_key, how->mgf1, NULL), 0);
    }
    ck_assert_int_eq(EVP_DigestSign(ctx, out + 3 + size, &made, message, n), 1);
    EVP_MD_CTX_free(ctx);
    return 3 + size + made;
}

int check_as(const struct usi_signed *what, const uint8_t *shown, size_t size, bool accept_rsa)
{
    struct usi_peer peer;
    const uint8_t *spki;
    size_t spki_size;
    /* On the heap, so that a sanitizer sees a step beyond the last octet. */
    uint8_t *copy = malloc(size > 0 ? size : 1);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, shown, size);
    ERR_clear_error(); /* usi_crypto_new looked for ML-KEM */
    int result = usi_identity_check(support_crypto(), what, copy, size, accept_rsa, &peer, &spki,
                                    &spki_size);
    free(copy);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return result;
}

int check_forged(const uint8_t *shown, size_t size)
{
    static const uint8_t zeros[USI_HASH];
    const struct usi_signed what = {.signer = USI_SIGNER_NETWORK, .hash = zeros};

    return check_as(&what, shown, size, true);
}
