/* cli/identity_file.h: keys as OpenSSL keeps them, and each kind of file that is not one. */
#include "cli/identity_file.h"

#include "cli/library.h"

#include <check.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT = 65536, NAME = 128 };

#define PASSPHRASE   "correct horse"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char folder[] = "/tmp/usi-identity-XXXXXX";
static struct library *library;
static struct usi_crypto *crypto;

static void set_up(void)
{
    char why[1024] = "";
    const char *what = NULL;

    ck_assert_int_eq(key_heap_open(), 0);
    library = library_new(NULL, 0, NULL, why, sizeof why);
    ck_assert_msg(library != NULL, "%s", why);
    ck_assert_int_eq(usi_crypto_new(&crypto, library_context(library), NULL, &what), 0);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void tear_down(void)
{
    (void)unlink("key"); /* not every test makes one */
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(folder), 0);
    usi_crypto_free(crypto);
    library_free(library);
}

/* ---- files ---- */

static void write_file(const void *octets, size_t size, mode_t mode)
{
    int fd = open("key", O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, octets, size), (ssize_t)size);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(close(fd), 0);
}

static void write_bio(BIO *bio)
{
    char *text = NULL;
    long size = BIO_get_mem_data(bio, &text);

    ck_assert_int_gt(size, 0);
    write_file(text, (size_t)size, 0600);
    BIO_free(bio);
}

static EVP_PKEY *new_key(const char *kind)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(library_context(library), NULL, kind);

    ck_assert_ptr_nonnull(key);
    return key;
}

enum form { PKCS8, PKCS8_ENCRYPTED, DER, DER_ENCRYPTED, TRADITIONAL, PUBLIC, FORMS };

static void put_key(BIO *bio, EVP_PKEY *key, enum form form)
{
    const EVP_CIPHER *aes = EVP_aes_128_cbc();
    const unsigned char *pass = (const unsigned char *)PASSPHRASE;
    int size = (int)strlen(PASSPHRASE), done = 0;

    switch (form) {
    case PKCS8:
        done = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
        break;
    case PKCS8_ENCRYPTED:
        done = PEM_write_bio_PKCS8PrivateKey(bio, key, aes, PASSPHRASE, size, NULL, NULL);
        break;
    case DER:
        done = i2d_PKCS8PrivateKey_bio(bio, key, NULL, NULL, 0, NULL, NULL);
        break;
    case DER_ENCRYPTED:
        done = i2d_PKCS8PrivateKey_bio(bio, key, aes, PASSPHRASE, size, NULL, NULL);
        break;
    case TRADITIONAL:
        done = PEM_write_bio_PrivateKey_traditional(bio, key, aes, pass, size, NULL, NULL);
        break;
    default:
        done = PEM_write_bio_PUBKEY(bio, key);
        break;
    }
    ck_assert_int_eq(done, 1);
}

static void write_key(EVP_PKEY *key, enum form form)
{
    BIO *bio = BIO_new(BIO_s_mem());

    put_key(bio, key, form);
    write_bio(bio);
}

static void write_new_key(const char *kind, enum form form)
{
    EVP_PKEY *key = new_key(kind);

    write_key(key, form);
    EVP_PKEY_free(key);
}

/* ---- loading ---- */

struct asked {
    const char *answer;
    unsigned times;
};

static int answer(char *buffer, int size, int writes, void *data)
{
    struct asked *asked = data;

    asked->times++;
    ck_assert_int_eq(writes, 0);
    if (asked->answer == NULL)
        return -1;
    ck_assert_int_lt((int)strlen(asked->answer), size);
    memcpy(buffer, asked->answer, strlen(asked->answer));
    return (int)strlen(asked->answer);
}

static int load(struct usi_identity **out, const char *uri, struct asked *asked, char *why)
{
    const struct identity_source source = {.libctx = library_context(library),
                                           .uri = uri,
                                           .ask = asked != NULL ? answer : NULL,
                                           .ask_data = asked};

    why[0] = '\0';
    return identity_load(out, crypto, &source, why, 512);
}

/* The identity is that of the key. */
static void assert_loads(const char *uri, EVP_PKEY *key, struct asked *asked)
{
    struct usi_identity *identity = NULL;
    uint8_t got[USI_FINGERPRINT], wanted[USI_FINGERPRINT];
    unsigned char *spki = NULL;
    char why[512];

    ck_assert_msg(load(&identity, uri, asked, why) == 0, "%s: %s", uri, why);
    usi_identity_fingerprint(identity, got);
    int size = i2d_PUBKEY(key, &spki);
    ck_assert_int_gt(size, 0);
    ck_assert_int_eq(EVP_Digest(spki, (size_t)size, wanted, NULL, EVP_sha256(), NULL), 1);
    ck_assert_mem_eq(got, wanted, sizeof got);
    OPENSSL_free(spki);
    usi_identity_free(identity);
}

/* One clear line: which identity, what is wrong, and none of OpenSSL's own words. */
static void assert_refused(const char *uri, const char *word, struct asked *asked)
{
    struct usi_identity *identity = NULL;
    char why[512], name[IDENTITY_NAME];

    ck_assert_int_eq(load(&identity, uri, asked, why), -1);
    ck_assert_ptr_null(identity);
    identity_name(uri, name);
    ck_assert_msg(strncmp(why, "identity \"", 10) == 0 && strstr(why, name) != NULL, "%s", why);
    ck_assert_msg(strstr(why, word) != NULL, "%s: not \"%s\"", why, word);
    ck_assert_msg(strchr(why, '\n') == NULL && strstr(why, "error:") == NULL &&
                      strstr(why, "routines") == NULL && strstr(why, PASSPHRASE) == NULL,
                  "%s", why);
}

/* ---- what is taken ---- */

START_TEST(each_form_of_a_key_is_taken)
{
    for (int rsa = 0; rsa < 2; rsa++) {
        EVP_PKEY *key = rsa ? EVP_PKEY_Q_keygen(library_context(library), NULL, "RSA", (size_t)2048)
                            : new_key("ED25519");
        for (enum form form = PKCS8; form < PUBLIC; form++) {
            struct asked asked = {.answer = PASSPHRASE};
            if (form == TRADITIONAL && !rsa) /* there is none */
                continue;
            write_key(key, form);
            assert_loads("key", key, &asked);
            ck_assert_uint_eq(asked.times, form == PKCS8 || form == DER ? 0 : 1);
        }
        EVP_PKEY_free(key);
    }
}
END_TEST

START_TEST(a_file_has_many_names)
{
    EVP_PKEY *key = new_key("ED25519");
    char absolute[NAME], uri[2 * NAME];
    static const char *const prefixes[] = {"", "file:", "FILE:", "file://", "file://localhost"};

    write_key(key, PKCS8);
    assert_loads("./key", key, NULL);
    (void)snprintf(absolute, sizeof absolute, "%s/key", folder);
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        (void)snprintf(uri, sizeof uri, "%s%s", prefixes[i], absolute);
        assert_loads(uri, key, NULL);
    }
    ck_assert_int_eq(rename("key", "pkcs11:a"), 0);
    assert_loads("pkcs11:a", key, NULL); /* a file that is there comes first */
    ck_assert_int_eq(symlink("pkcs11:a", "key"), 0);
    assert_loads("key", key, NULL);
    ck_assert_int_eq(unlink("pkcs11:a"), 0);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(other_things_beside_the_key_do_not_matter)
{
    EVP_PKEY *key = new_key("ED25519"), *other = new_key("ED25519");
    BIO *bio = BIO_new(BIO_s_mem());
    struct asked asked = {.answer = PASSPHRASE};

    ck_assert_int_gt(BIO_puts(bio, "my key, of today\n"), 0);
    put_key(bio, other, PUBLIC);
    put_key(bio, key, PKCS8_ENCRYPTED);
    ck_assert_int_gt(BIO_puts(bio, "and some words more\n"), 0);
    write_bio(bio);
    assert_loads("key", key, &asked);
    EVP_PKEY_free(other);
    EVP_PKEY_free(key);
}
END_TEST

/* ---- what is not ---- */

START_TEST(a_wrong_passphrase_is_refused)
{
    static const enum form forms[] = {PKCS8_ENCRYPTED, DER_ENCRYPTED, TRADITIONAL};
    static const char *const answers[] = {"wrong", "", "correct horse "};
    EVP_PKEY *key = EVP_PKEY_Q_keygen(library_context(library), NULL, "RSA", (size_t)2048);

    for (size_t i = 0; i < COUNT(forms); i++) {
        write_key(key, forms[i]);
        for (size_t j = 0; j < COUNT(answers); j++) {
            struct asked asked = {.answer = answers[j]};
            assert_refused("key", "passphrase", &asked);
            ck_assert_uint_eq(asked.times, 1);
        }
        struct asked nobody = {.answer = NULL};
        assert_refused("key", "none was given", &nobody);
        ck_assert_uint_eq(nobody.times, 1);
        assert_refused("key", "none was given", NULL);
    }
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(a_second_key_is_refused)
{
    EVP_PKEY *key = new_key("ED25519");

    for (enum form form = PKCS8; form <= PKCS8_ENCRYPTED; form++) {
        BIO *bio = BIO_new(BIO_s_mem());
        struct asked asked = {.answer = PASSPHRASE}, wrong = {.answer = "wrong"};
        put_key(bio, key, PKCS8);
        put_key(bio, key, form);
        write_bio(bio);
        assert_refused("key", "2 private keys", &asked);
        if (form == PKCS8_ENCRYPTED)
            assert_refused("key", "passphrase", &wrong);
    }
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(a_file_without_a_private_key_is_refused)
{
    static const char *const texts[] = {
        "", "hello\n", "000102030405060708090a0b0c0d0e0f\n",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n"};
    static uint8_t noise[32 << 10];

    for (size_t i = 0; i < COUNT(texts); i++) {
        write_file(texts[i], strlen(texts[i]), 0600);
        assert_refused("key", "no private key", NULL);
        assert_refused("key", "keygen --identity", NULL);
    }
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * i >> 3);
    write_file(noise, sizeof noise, 0600);
    assert_refused("key", "key", NULL);
    write_new_key("ED25519", PUBLIC);
    assert_refused("key", "public key", NULL);
}
END_TEST

START_TEST(a_certificate_alone_is_refused)
{
    EVP_PKEY *key = new_key("ED25519");
    X509 *certificate = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());

    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(certificate), 1000));
    ck_assert_int_eq(X509_set_pubkey(certificate, key), 1);
    ck_assert_int_gt(X509_sign(certificate, key, NULL), 0);
    ck_assert_int_eq(PEM_write_bio_X509(bio, certificate), 1);
    write_bio(bio);
    assert_refused("key", "certificate, but no private key", NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(what_cannot_be_read_is_refused)
{
    char *text = calloc(1, TEXT), uri[NAME];

    ck_assert_ptr_nonnull(text);
    assert_refused("key", "No such file", NULL);
    assert_refused("file:key", "No such file", NULL);
    assert_refused("none/key", "No such file", NULL);
    assert_refused(folder, "directory", NULL);
    (void)snprintf(uri, sizeof uri, "file://far.example%s/key", folder);
    assert_refused(uri, "another machine", NULL);
    write_file(text, TEXT, 0600);
    assert_refused("key", "longer than", NULL);
    free(text);
}
END_TEST

START_TEST(a_file_is_not_for_others)
{
    EVP_PKEY *key = new_key("ED25519");
    static const mode_t good[] = {0400, 0600, 0640, 0660, 0770};
    char mode[8], uri[NAME];

    write_key(key, PKCS8);
    (void)snprintf(uri, sizeof uri, "file:%s/key", folder);
    for (size_t i = 0; i < COUNT(good); i++) {
        ck_assert_int_eq(chmod("key", good[i]), 0);
        assert_loads("key", key, NULL);
    }
    for (mode_t others = 1; others < 8; others++) {
        ck_assert_int_eq(chmod("key", 0600 | others), 0);
        (void)snprintf(mode, sizeof mode, "%04o", 0600u | others);
        assert_refused("key", mode, NULL);
        assert_refused(uri, "chmod 600", NULL);
    }
    EVP_PKEY_free(key);
}
END_TEST

struct number {
    const char *name;
    int bits;
};

/* A key of numbers that only have the right sizes: made at once, and good enough to be looked at.
 * exponent: RSA's public one. */
static EVP_PKEY *sham_key(const char *kind, const struct number *numbers, unsigned exponent)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(library_context(library), kind, NULL);
    BIGNUM *number[8] = {NULL};
    EVP_PKEY *key = NULL;

    for (size_t i = 0; numbers[i].name != NULL; i++) {
        number[i] = BN_new();
        ck_assert_int_eq(BN_set_bit(number[i], numbers[i].bits - 1), 1);
        ck_assert_int_eq(BN_set_bit(number[i], 0), 1);
        ck_assert_int_eq(OSSL_PARAM_BLD_push_BN(build, numbers[i].name, number[i]), 1);
    }
    if (exponent != 0)
        ck_assert_int_eq(OSSL_PARAM_BLD_push_uint(build, OSSL_PKEY_PARAM_RSA_E, exponent), 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    ck_assert_int_eq(EVP_PKEY_fromdata_init(ctx), 1);
    ck_assert_int_eq(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    for (size_t i = 0; numbers[i].name != NULL; i++)
        BN_free(number[i]);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *rsa_of(int bits, unsigned exponent)
{
    const struct number numbers[] = {{OSSL_PKEY_PARAM_RSA_N, bits},
                                     {OSSL_PKEY_PARAM_RSA_D, bits},
                                     {OSSL_PKEY_PARAM_RSA_FACTOR1, bits / 2},
                                     {OSSL_PKEY_PARAM_RSA_FACTOR2, bits / 2},
                                     {OSSL_PKEY_PARAM_RSA_EXPONENT1, bits / 2},
                                     {OSSL_PKEY_PARAM_RSA_EXPONENT2, bits / 2},
                                     {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, bits / 2},
                                     {NULL, 0}};

    return sham_key("RSA", numbers, exponent);
}

START_TEST(rsa_of_another_size_is_refused)
{
    static const struct {
        int bits;
        unsigned exponent;
        const char *word;
    } cases[] = {{1024, RSA_F4, "1024 bits, which is too short"},
                 {2047, RSA_F4, "2047 bits, which is too short"},
                 {4097, RSA_F4, "4097 bits, which is too long"},
                 {8192, RSA_F4, "8192 bits, which is too long"},
                 {2048, RSA_3, "not 65537"},
                 {2048, RSA_F4, "does not sign"}}; /* its numbers are no key's */

    for (size_t i = 0; i < COUNT(cases); i++) {
        EVP_PKEY *key = rsa_of(cases[i].bits, cases[i].exponent);
        write_key(key, PKCS8);
        assert_refused("key", cases[i].word, NULL);
        EVP_PKEY_free(key);
    }
}
END_TEST

START_TEST(other_kinds_are_refused)
{
    EVP_PKEY *ec = EVP_PKEY_Q_keygen(library_context(library), NULL, "EC", "P-256");
    static const struct number numbers[] = {
        {OSSL_PKEY_PARAM_FFC_P, 2048},   {OSSL_PKEY_PARAM_FFC_Q, 256},
        {OSSL_PKEY_PARAM_FFC_G, 2047},   {OSSL_PKEY_PARAM_PUB_KEY, 2046},
        {OSSL_PKEY_PARAM_PRIV_KEY, 255}, {NULL, 0}};
    EVP_PKEY *dsa = sham_key("DSA", numbers, 0);

    write_key(ec, PKCS8);
    assert_refused("key", "kind EC", NULL);
    write_key(dsa, PKCS8);
    assert_refused("key", "kind DSA", NULL);
    write_new_key("X25519", PKCS8);
    assert_refused("key", "kind X25519", NULL);
    write_new_key("ED448", PKCS8);
    assert_refused("key", "Ed25519 and RSA are", NULL);
    EVP_PKEY_free(dsa);
    EVP_PKEY_free(ec);
}
END_TEST

START_TEST(an_unknown_store_is_refused)
{
    static const char *const uris[] = {"pkcs11:token=a;object=b", "handle:0x81000000",
                                       "x+y-z.1:", "pkcs11:object=b?pin-value=1234",
                                       "pkcs11:object=b;pin-value=1234"};

    for (size_t i = 0; i < COUNT(uris); i++) {
        struct usi_identity *identity = NULL;
        char why[512];
        assert_refused(uris[i], "--provider", NULL);
        ck_assert_int_eq(load(&identity, uris[i], NULL, why), -1);
        ck_assert_ptr_null(strstr(why, "1234"));
    }
    assert_refused("1:2", "No such file", NULL); /* no scheme begins with a digit */
    assert_refused(":", "No such file", NULL);
    assert_refused("", "No such file", NULL);
}
END_TEST

/* ---- a provider with a store ---- */

/* mock:N has N Ed25519 keys, which a PIN opens: 1234. The octets are the provider's. */
struct mock {
    unsigned left;
    uint8_t der[128];
    size_t size;
};

static struct mock the_mock; /* what mock: opens */

static void *mock_open(void *provider, const char *uri)
{
    struct mock *store = malloc(sizeof *store);

    (void)provider;
    char *end = NULL;
    the_mock.left = (unsigned)strtoul(uri + strlen("mock:"), &end, 10);
    if (store == NULL || *end != '\0') {
        free(store);
        return NULL;
    }
    *store = the_mock;
    return store;
}

static int mock_load(void *ctx, OSSL_CALLBACK *object, void *object_data,
                     OSSL_PASSPHRASE_CALLBACK *pin, void *pin_data)
{
    struct mock *store = ctx;
    int type = OSSL_OBJECT_PKEY;
    char text[16], structure[] = "PrivateKeyInfo";
    size_t size = 0;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_STRUCTURE, structure, 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, store->der, store->size),
        OSSL_PARAM_construct_end()};

    store->left--;
    if (pin(text, sizeof text, &size, NULL, pin_data) != 1 || size != 4 ||
        memcmp(text, "1234", 4) != 0)
        return 0;
    return object(params, object_data);
}

static int mock_eof(void *ctx)
{
    const struct mock *store = ctx;

    return store->left == 0;
}

static int mock_close(void *ctx)
{
    free(ctx);
    return 1;
}

typedef void (*function)(void);

static const OSSL_DISPATCH mock_store[] = {{OSSL_FUNC_STORE_OPEN, (function)mock_open},
                                           {OSSL_FUNC_STORE_LOAD, (function)mock_load},
                                           {OSSL_FUNC_STORE_EOF, (function)mock_eof},
                                           {OSSL_FUNC_STORE_CLOSE, (function)mock_close},
                                           {0, NULL}};

static const OSSL_ALGORITHM *mock_query(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM stores[] = {{"mock", "provider=mock", mock_store, NULL},
                                            {NULL, NULL, NULL, NULL}};

    (void)provider;
    *no_cache = 0;
    return operation == OSSL_OP_STORE ? stores : NULL;
}

static int mock_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                     const OSSL_DISPATCH **out, void **provider)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (function)mock_query}, {0, NULL}};

    (void)handle;
    (void)in;
    *out = functions;
    *provider = &the_mock;
    return 1;
}

START_TEST(a_provider_s_store_is_read)
{
    OSSL_LIB_CTX *libctx = library_context(library);
    EVP_PKEY *key = new_key("ED25519");
    BIO *bio = BIO_new(BIO_s_mem());
    struct asked right = {.answer = "1234"}, wrong = {.answer = "4321"}, nobody = {.answer = NULL};
    char *der = NULL;

    put_key(bio, key, DER);
    the_mock.size = (size_t)BIO_get_mem_data(bio, &der);
    ck_assert_uint_le(the_mock.size, sizeof the_mock.der);
    memcpy(the_mock.der, der, the_mock.size);
    BIO_free(bio);
    assert_refused("mock:1", "--provider", &right);
    ck_assert_int_eq(OSSL_PROVIDER_add_builtin(libctx, "mock", mock_init), 1);
    OSSL_PROVIDER *provider = OSSL_PROVIDER_load(libctx, "mock");
    ck_assert_ptr_nonnull(provider);
    assert_loads("mock:1", key, &right);
    ck_assert_uint_eq(right.times, 1);
    assert_refused("mock:2", "2 private keys", &right);
    ck_assert_uint_eq(right.times, 2);
    assert_refused("mock:1", "PIN", &wrong);
    ck_assert_uint_eq(wrong.times, 1);
    assert_refused("mock:1", "none was given", &nobody);
    assert_refused("mock:0", "no private key", &right);
    assert_refused("mock:65", "more than 64", &right);
    assert_refused("mock:x?pin-value=1234", "cannot be opened by the provider", &right);
    ck_assert_int_eq(OSSL_PROVIDER_unload(provider), 1);
    EVP_PKEY_free(key);
}
END_TEST

/* ---- making ---- */

static enum key_write_result make(const char *path, enum usi_identity_kind kind, char *why)
{
    char fingerprint[KEY_FINGERPRINT_TEXT + 1];

    return identity_generate(library_context(library), kind, path, fingerprint, why, 512);
}

START_TEST(made_keys_come_back)
{
    static const enum usi_identity_kind kinds[] = {USI_IDENTITY_ED25519, USI_IDENTITY_RSA};
    char text[KEY_FINGERPRINT_TEXT + 1], again[KEY_FINGERPRINT_TEXT + 1], why[512];

    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct usi_identity *identity = NULL;
        uint8_t fingerprint[USI_FINGERPRINT];
        struct stat status;
        (void)umask(i == 0 ? 0777 : 0);
        ck_assert_int_eq(
            identity_generate(library_context(library), kinds[i], "key", text, why, sizeof why),
            KEY_WRITTEN);
        (void)umask(022);
        ck_assert_int_eq(stat("key", &status), 0);
        ck_assert_uint_eq(status.st_mode & 07777u, 0600);
        ck_assert_int_eq(load(&identity, "key", NULL, why), 0);
        usi_identity_fingerprint(identity, fingerprint);
        for (size_t j = 0; j < sizeof fingerprint; j++)
            (void)snprintf(again + 2 * j, 3, "%02x", fingerprint[j]);
        ck_assert_str_eq(text, again);
        usi_identity_free(identity);
        ck_assert_int_eq(unlink("key"), 0);
    }
}
END_TEST

START_TEST(a_file_is_never_overwritten)
{
    char why[512] = "", text[8] = "";

    write_file("mine", 4, 0600);
    ck_assert_int_eq(make("key", USI_IDENTITY_ED25519, why), KEY_NOT_MADE);
    ck_assert_ptr_nonnull(strstr(why, "exists"));
    int fd = open("key", O_RDONLY);
    ck_assert_int_eq(read(fd, text, sizeof text), 4);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_str_eq(text, "mine");
    ck_assert_int_eq(make("none/key", USI_IDENTITY_ED25519, why), KEY_NOT_MADE);
    ck_assert_int_eq(unlink("key"), 0);
    ck_assert_int_eq(symlink("nowhere", "key"), 0);
    ck_assert_int_eq(make("key", USI_IDENTITY_ED25519, why), KEY_NOT_MADE);
    ck_assert_int_eq(access("nowhere", F_OK), -1);
}
END_TEST

START_TEST(a_partly_written_file_is_removed)
{
    struct rlimit before, small;
    char why[512] = "";

    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 10;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum key_write_result result = make("key", USI_IDENTITY_ED25519, why);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(result, KEY_NOT_WRITTEN);
    ck_assert_ptr_nonnull(strstr(why, "key"));
    ck_assert_int_eq(access("key", F_OK), -1);
}
END_TEST

START_TEST(a_full_standard_output_is_told)
{
    char why[512] = "";
    int fd = open("/dev/full", O_WRONLY);

    ck_assert_int_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(make(NULL, USI_IDENTITY_ED25519, why), KEY_NOT_WRITTEN);
    ck_assert_ptr_nonnull(strstr(why, "standard output"));
}
END_TEST

START_TEST(no_key_is_made_where_there_is_no_algorithm)
{
    char why[512] = "";

    ck_assert_int_eq(EVP_set_default_properties(library_context(library), "provider=usi"), 1);
    ck_assert_int_eq(make("key", USI_IDENTITY_ED25519, why), KEY_NOT_MADE);
    ck_assert_ptr_nonnull(strstr(why, "Ed25519"));
    ck_assert_int_eq(access("key", F_OK), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity_file");
    TCase *tcase = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, each_form_of_a_key_is_taken);
    tcase_add_test(tcase, a_file_has_many_names);
    tcase_add_test(tcase, other_things_beside_the_key_do_not_matter);
    tcase_add_test(tcase, a_wrong_passphrase_is_refused);
    tcase_add_test(tcase, a_second_key_is_refused);
    tcase_add_test(tcase, a_file_without_a_private_key_is_refused);
    tcase_add_test(tcase, a_certificate_alone_is_refused);
    tcase_add_test(tcase, what_cannot_be_read_is_refused);
    tcase_add_test(tcase, a_file_is_not_for_others);
    tcase_add_test(tcase, rsa_of_another_size_is_refused);
    tcase_add_test(tcase, other_kinds_are_refused);
    tcase_add_test(tcase, an_unknown_store_is_refused);
    tcase_add_test(tcase, a_provider_s_store_is_read);
    tcase_add_test(tcase, made_keys_come_back);
    tcase_add_test(tcase, a_file_is_never_overwritten);
    tcase_add_test(tcase, a_partly_written_file_is_removed);
    tcase_add_test(tcase, a_full_standard_output_is_told);
    tcase_add_test(tcase, no_key_is_made_where_there_is_no_algorithm);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
