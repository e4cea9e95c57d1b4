/* Kept signature keys of identity mode: their loading, from wherever OpenSSL has them, and their
 * making. */
#ifndef USI_CLI_IDENTITY_FILE_H
#define USI_CLI_IDENTITY_FILE_H

#include "cli/keys.h"
#include "usi/channel.h"

#include <openssl/types.h>
#include <stdbool.h>

/* Where a key is: a path, or the URI of a store of OpenSSL (file:, or of a provider that is loaded:
 * pkcs11:, handle:). ask gets a passphrase or a PIN, once for all that is read; below 0: there is
 * none. NULL: nobody can be asked. */
struct identity_source {
    OSSL_LIB_CTX *libctx; /* that of crypto */
    const char *propq;    /* may be NULL */
    const char *uri;
    pem_password_cb *ask;
    void *ask_data;
};

enum { IDENTITY_NAME = 200 };

/* The URI as messages may show it: cut to the size, and where a PIN may stand in it. */
void identity_name(const char *uri, char name[IDENTITY_NAME]);

/* Is the key no file's, but a provider's to keep and to use? */
bool identity_in_token(const char *uri);

/* Makes an identity of the one private key that is there: Ed25519, or RSA of 2,048 to 4,096 bits.
 * Other things beside it (certificates, public keys) do not matter. A file is read whole, and
 * refused if it is a regular one with a bit of mode & 0007 set. crypto must outlive *out. Returns
 * 0; or -1 with a line in why[size] that says what is wrong and never shows a PIN. */
int identity_load(struct usi_identity **out, const struct usi_crypto *crypto,
                  const struct identity_source *source, char *why, size_t size);

/* Makes a new key pair by libctx's own providers (NULL: the default context), Ed25519 or RSA of
 * 2,048 bits, and writes it as PKCS #8 in PEM, not encrypted, as key_write_text does. fingerprint:
 * SHA-256 of its SubjectPublicKeyInfo, as 64 lower-case hex digits and a NUL. KEY_NOT_MADE also if
 * libcrypto makes no such key. */
enum key_write_result identity_generate(OSSL_LIB_CTX *libctx, enum usi_identity_kind kind,
                                        const char *path,
                                        char fingerprint[KEY_FINGERPRINT_TEXT + 1], char *why,
                                        size_t size);

#endif
