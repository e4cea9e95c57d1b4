/* What the suites of identities share: the vectors of tests/vectors, and signatures made by EVP
 * alone. A helper that fails, fails the test. */
#ifndef USI_TESTS_CHANNEL_IDENTITIES_H
#define USI_TESTS_CHANNEL_IDENTITIES_H

#include "channel/identity.h"
#include "support.h"

enum { FIELD = 3072, SPKI_ED25519 = 44 };

struct field {
    uint8_t octets[FIELD];
    size_t size;
};

struct vector {
    enum usi_identity_kind kind;
    unsigned bits;
    bool kept;
    enum usi_signer signer;
    struct field hash, peer_key, private, fingerprint, shown; /* identity.txt */
    struct field secret, public, message, signature;          /* ed25519.txt */
};

#define ED25519_LISTENER  "Ed25519 of RFC 8032 test 1, listener"
#define ED25519_CONNECTOR "Ed25519 of RFC 8032 test 2, connector"
#define RSA_LISTENER      "RSA 2048, listener"
#define RSA_LARGEST       "RSA 4096, connector"
#define RSA_ZERO          "RSA 2048, listener, a signature that begins with 0"

/* The vector with that title, of identity.txt or of ed25519.txt. */
void identity_vector(struct vector *v, const char *title);
void ed25519_vector(struct vector *v, const char *title);

/* What its signature is over; points into v. */
struct usi_signed signed_of(const struct vector *v);

/* Keys for EVP_PKEY_free. */
EVP_PKEY *key_of(const struct field *private);
EVP_PKEY *key_of_vector(const char *title);

/* Its SubjectPublicKeyInfo as libcrypto writes it; the size. */
size_t spki_of(EVP_PKEY *key, uint8_t out[FIELD]);

/* How a signature is made; all zero: a fresh key's, as PROTOCOL.md has it. */
struct manner {
    uint8_t mark;
    int padding, salt;
    const char *digest, *mgf1;
};

/* An identity with any SPKI, signed by key as a listener over a hash of zeros; its size. */
size_t forge(EVP_PKEY *key, const struct manner *how, const uint8_t *spki, size_t size,
             uint8_t out[FIELD]);

/* usi_identity_check, which leaves no error in the thread's queue; check_forged of what forge
 * makes, with RSA accepted. */
int check_as(const struct usi_signed *what, const uint8_t *shown, size_t size, bool accept_rsa);
int check_forged(const uint8_t *shown, size_t size);

#endif
