#include "cli/identity_file.h"

#include "cli/file.h"
#include "text/hex.h"
#include "text/text.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { FILE_MAX = 32 << 10, OBJECTS_MAX = 64, SCHEME_MAX = 32, RSA_MIN = 2048, RSA_MAX = 4096 };

static const char how_to_make[] = TEXT("\"usi-tunnel keygen --identity -o FILE\" makes one");

/* ---- the passphrase ---- */

/* OpenSSL asks again for each form that it tries; the user is asked once. */
struct passphrase {
    const struct identity_source *source;
    bool token;     /* which may have other objects than we understand */
    unsigned given; /* how often OpenSSL wanted it */
    int length;     /* below 0: none was given */
    char *text;     /* PEM_BUFSIZE octets, in the secure heap */
};

static int give_passphrase(char *buffer, int size, int writes, void *data)
{
    struct passphrase *p = data;

    if (p->given++ == 0)
        p->length = p->source->ask != NULL
                        ? p->source->ask(p->text, PEM_BUFSIZE, writes, p->source->ask_data)
                        : -1;
    if (p->length < 0 || p->length > PEM_BUFSIZE || p->length > size)
        return -1;
    memcpy(buffer, p->text, (size_t)p->length);
    return p->length;
}

/* ---- what a store holds ---- */

struct found {
    EVP_PKEY *key; /* the first private one */
    unsigned keys;
    bool public, certificate; /* there is one */
    bool spoiled;             /* something was not opened by the passphrase or PIN */
    bool more;                /* than OBJECTS_MAX */
};

static void take(struct found *found, const OSSL_STORE_INFO *object)
{
    switch (OSSL_STORE_INFO_get_type(object)) {
    case OSSL_STORE_INFO_PKEY:
        if (++found->keys == 1)
            found->key = OSSL_STORE_INFO_get1_PKEY(object);
        break;
    case OSSL_STORE_INFO_PUBKEY:
        found->public = true;
        break;
    case OSSL_STORE_INFO_CERT:
        found->certificate = true;
        break;
    default:
        break;
    }
}

/* What is no object is text around a key (openssl itself writes such), unless a passphrase was used
 * on it. Errors of libcrypto do not tell the two apart: one wrong passphrase in 256 makes none. */
static void take_all(struct found *found, OSSL_STORE_CTX *store, const struct passphrase *p)
{
    unsigned count = 0;

    while (!OSSL_STORE_eof(store) && count++ < OBJECTS_MAX) {
        unsigned given = p->given;
        OSSL_STORE_INFO *object = OSSL_STORE_load(store);
        if (object != NULL)
            take(found, object);
        else if (p->given > given)
            found->spoiled = true;
        OSSL_STORE_INFO_free(object);
    }
    found->more = !OSSL_STORE_eof(store);
}

/* Says why there is not exactly one private key; true if there is. */
static bool judge(const struct found *found, const struct passphrase *p, char *why, size_t size)
{
    if (p->given > 0 && p->length < 0)
        (void)snprintf(why, size, text("needs a passphrase or PIN, and none was given"));
    else if (found->spoiled && (found->keys == 0 || !p->token))
        (void)snprintf(why, size,
                       text("cannot be opened with that passphrase or PIN (or is encrypted "
                            "in a way that no loaded provider knows): try again"));
    else if (found->more)
        (void)snprintf(why, size,
                       text("has more than %d objects: name one with a private key only"),
                       OBJECTS_MAX);
    else if (found->keys > 1)
        (void)snprintf(why, size, text("has %u private keys: name one with one"), found->keys);
    else if (found->keys == 0 && (found->public || found->certificate))
        (void)snprintf(why, size,
                       found->public
                           ? text("has a public key, but no private key: name the private key")
                           : text("has a certificate, but no private key: name the private key"));
    else if (found->keys == 0)
        (void)snprintf(why, size, text("has no private key that can be read; %s"),
                       text(how_to_make));
    else if (found->key == NULL)
        (void)snprintf(why, size, text("cannot be used: out of memory"));
    else
        return true;
    return false;
}

/* Is the public exponent another one than 65,537? Not if it cannot be had. */
static bool odd_exponent(const EVP_PKEY *key)
{
    BIGNUM *e = NULL;
    bool other =
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && !BN_is_word(e, RSA_F4);

    BN_free(e);
    return other;
}

/* Why usi_identity_from_key did not take it. */
static void explain(int error, const EVP_PKEY *key, char *why, size_t size)
{
    const char *name = EVP_PKEY_get0_type_name(key);
    int bits = EVP_PKEY_get_bits(key);

    if (error != USI_ERR_KEY_KIND)
        (void)snprintf(
            why, size, text("has a key that does not sign: %s"),
            EVP_PKEY_is_a(key, "RSA")
                ? text("its provider must do RSASSA-PSS with SHA-256, and the key allow it")
                : text("its halves do not belong together, or its provider does not allow it"));
    else if (!EVP_PKEY_is_a(key, "RSA"))
        (void)snprintf(why, size,
                       text("has a key of kind %.40s, which is not taken: Ed25519 and RSA are; %s"),
                       name != NULL ? name : "?", text(how_to_make));
    else if (bits < RSA_MIN || bits > RSA_MAX)
        (void)snprintf(why, size,
                       bits < RSA_MIN ? text("has an RSA key of %d bits, which is too short: %d to "
                                             "%d are taken; %s")
                                      : text("has an RSA key of %d bits, which is too long: %d to "
                                             "%d are taken; %s"),
                       bits, RSA_MIN, RSA_MAX, text(how_to_make));
    else if (odd_exponent(key))
        (void)snprintf(why, size,
                       text("has an RSA key whose public exponent is not 65537, which is not "
                            "taken; %s"),
                       text(how_to_make));
    else
        (void)snprintf(why, size, text("has a key that is not taken: Ed25519 and RSA are; %s"),
                       text(how_to_make));
}

/* Takes the key out of an open store, which it closes. */
static int from_store(struct usi_identity **out, const struct usi_crypto *crypto,
                      OSSL_STORE_CTX *store, const struct passphrase *p, char *why, size_t size)
{
    struct found found = {0};
    int result = -1;

    take_all(&found, store, p);
    if (judge(&found, p, why, size)) {
        errno = 0;
        int error = usi_identity_from_key(out, crypto, found.key);
        if (error == 0)
            result = 0;
        else if (errno == ENOMEM)
            (void)snprintf(why, size, "%s", text("out of memory"));
        else
            explain(error, found.key, why, size);
    }
    EVP_PKEY_free(found.key);
    (void)OSSL_STORE_close(store); /* behind the key: a token's session may be the store's */
    return result;
}

/* ---- files ---- */

static int from_file(struct usi_identity **out, const struct usi_crypto *crypto, const char *path,
                     struct passphrase *p, const UI_METHOD *ui, char *why, size_t size)
{
    const struct identity_source *source = p->source;
    char *octets = OPENSSL_secure_malloc(FILE_MAX);
    struct file_facts facts;
    OSSL_STORE_CTX *store;
    BIO *bio = NULL;
    int result = -1;

    if (octets == NULL) {
        (void)snprintf(why, size, text("cannot be read: out of secure memory"));
        errno = ENOMEM;
        return -1;
    }
    if (file_read(path, octets, FILE_MAX, &facts, why, size) < 0)
        goto done;
    if (facts.exposed) {
        (void)snprintf(
            why, size,
            text("can be read or written by others (mode %04o): chmod 600 it, and change the "
                 "key if they could have seen it"),
            facts.mode);
        goto done;
    }
    bio = BIO_new_mem_buf(octets, (int)facts.length); /* reads in place */
    store = bio != NULL ? OSSL_STORE_attach(bio, "file", source->libctx, source->propq, ui, p, NULL,
                                            NULL, NULL)
                        : NULL;
    if (store == NULL)
        (void)snprintf(
            why, size,
            text("cannot be read: no loaded provider reads files (does --propquery allow "
                 "any?)"));
    else
        result = from_store(out, crypto, store, p, why, size);
done:
    BIO_free(bio);
    OPENSSL_secure_clear_free(octets, FILE_MAX);
    return result;
}

/* ---- URIs ---- */

/* The part before the colon, if uri begins as one (RFC 3986, section 3.1). */
static bool scheme_of(const char *uri, char scheme[SCHEME_MAX])
{
    size_t n = 0;

    while (n < SCHEME_MAX - 1 &&
           (isalnum((unsigned char)uri[n]) || (uri[n] != '\0' && strchr("+-.", uri[n]) != NULL)))
        n++;
    if (n == 0 || uri[n] != ':' || !isalpha((unsigned char)uri[0]))
        return false;
    memcpy(scheme, uri, n);
    scheme[n] = '\0';
    return true;
}

/* The path that uri stands for, or NULL if it is of another store than the file system. A file of
 * just that name comes first, as in OpenSSL; percent signs are no escapes there either. */
static const char *path_of(const char *uri)
{
    char scheme[SCHEME_MAX];
    struct stat status;

    if (stat(uri, &status) == 0 || !scheme_of(uri, scheme))
        return uri;
    if (strcasecmp(scheme, "file") != 0)
        return NULL;
    uri += strlen("file:");
    if (strncasecmp(uri, "//localhost/", 12) == 0)
        uri += 11;
    else if (strncmp(uri, "///", 3) == 0)
        uri += 2;
    return uri;
}

static int from_uri(struct usi_identity **out, const struct usi_crypto *crypto,
                    struct passphrase *p, const UI_METHOD *ui, char *why, size_t size)
{
    const struct identity_source *source = p->source;
    char scheme[SCHEME_MAX] = "";
    OSSL_STORE_LOADER *loader;
    OSSL_STORE_CTX *store;

    p->token = true;
    (void)scheme_of(source->uri, scheme);
    loader = OSSL_STORE_LOADER_fetch(source->libctx, scheme, source->propq);
    if (loader == NULL) {
        (void)snprintf(
            why, size,
            text("is no file, and no loaded provider reads \"%s:\": --provider NAME loads one "
                 "(such as pkcs11, or tpm2)"),
            scheme);
        return -1;
    }
    OSSL_STORE_LOADER_free(loader);
    store = OSSL_STORE_open_ex(source->uri, source->libctx, source->propq, ui, p, NULL, NULL, NULL);
    if (store != NULL)
        return from_store(out, crypto, store, p, why, size);
    if (p->given > 0 && p->length < 0)
        (void)snprintf(why, size, text("needs a passphrase or PIN, and none was given"));
    else
        (void)snprintf(why, size,
                       p->given > 0
                           ? text("cannot be opened by the provider that reads \"%s:\": is it "
                                  "spelled right, is the token there, and is that its PIN?")
                           : text("cannot be opened by the provider that reads \"%s:\": is it "
                                  "spelled right, is the token there?"),
                       scheme);
    return -1;
}

bool identity_in_token(const char *uri)
{
    return path_of(uri) == NULL;
}

void identity_name(const char *uri, char name[IDENTITY_NAME])
{
    const char *end = uri + strlen(uri), *pin = strcasestr(uri, "pin-");
    size_t length;

    if (path_of(uri) == NULL) {
        end = uri + strcspn(uri, "?"); /* RFC 7512: the PIN is in the query */
        if (pin != NULL && pin < end)
            end = pin;
    }
    length = (size_t)(end - uri);
    if (length >= IDENTITY_NAME)
        length = IDENTITY_NAME - 1;
    memcpy(name, uri, length);
    name[length] = '\0';
}

int identity_load(struct usi_identity **out, const struct usi_crypto *crypto,
                  const struct identity_source *source, char *why, size_t size)
{
    struct passphrase p = {.source = source, .text = OPENSSL_secure_zalloc(PEM_BUFSIZE)};
    UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(give_passphrase, 0);
    const char *path = path_of(source->uri);
    char reason[480], name[IDENTITY_NAME];
    int result = -1;

    *out = NULL;
    (void)snprintf(reason, sizeof reason, "%s", text("out of memory"));
    if (p.text == NULL || ui == NULL) {
        errno = ENOMEM;
        goto done;
    }
    if (path == NULL)
        result = from_uri(out, crypto, &p, ui, reason, sizeof reason);
    else if (strncmp(path, "//", 2) == 0 && path != source->uri)
        (void)snprintf(reason, sizeof reason,
                       text("names another machine: write file:///PATH, or the path alone"));
    else
        result = from_file(out, crypto, path, &p, ui, reason, sizeof reason);
done:
    ERR_clear_error(); /* what went wrong is said here in our own words */
    UI_destroy_method(ui);
    OPENSSL_secure_clear_free(p.text, PEM_BUFSIZE);
    if (result != 0) {
        identity_name(source->uri, name);
        (void)snprintf(why, size, text("identity \"%s\" %s"), name, reason);
    }
    return result;
}

/* ---- a new one ---- */

/* SHA-256 of the key's SubjectPublicKeyInfo. */
static int fingerprint_of(OSSL_LIB_CTX *libctx, EVP_PKEY *key, char text[KEY_FINGERPRINT_TEXT + 1])
{
    uint8_t digest[KEY_FINGERPRINT_TEXT / 2];
    unsigned char *spki = NULL;
    int size = i2d_PUBKEY(key, &spki);
    size_t length = 0;
    int result = -1;

    if (size > 0 &&
        EVP_Q_digest(libctx, "SHA256", NULL, spki, (size_t)size, digest, &length) == 1 &&
        length == sizeof digest) {
        (void)hex_put(text, digest, sizeof digest);
        result = 0;
    }
    OPENSSL_free(spki);
    return result;
}

enum key_write_result identity_generate(OSSL_LIB_CTX *libctx, enum usi_identity_kind kind,
                                        const char *path,
                                        char fingerprint[KEY_FINGERPRINT_TEXT + 1], char *why,
                                        size_t size)
{
    bool rsa = kind == USI_IDENTITY_RSA;
    EVP_PKEY *key = rsa ? EVP_PKEY_Q_keygen(libctx, NULL, "RSA", (size_t)RSA_MIN)
                        : EVP_PKEY_Q_keygen(libctx, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_secmem());
    enum key_write_result result = KEY_NOT_MADE;
    char *pem = NULL;
    long length = 0;

    if (errno == ENOMEM && (key == NULL || bio == NULL))
        (void)snprintf(why, size, "%s", text("out of memory"));
    else if (key == NULL || bio == NULL || fingerprint_of(libctx, key, fingerprint) != 0 ||
             PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1 ||
             (length = BIO_get_mem_data(bio, &pem)) <= 0)
        (void)snprintf(why, size, text("libcrypto made no %s key: does --propquery allow any?"),
                       rsa ? "RSA" : "Ed25519");
    else
        result = key_write_text(path, pem, (size_t)length, why, size);
    BIO_free(bio);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return result;
}
