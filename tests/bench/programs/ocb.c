/*
 * Nanoseconds for each record sealed or opened with AES-OCB through EVP, by libcrypto's own and by
 * each path of the provider that this machine can run, in one process on one core. The provider is
 * compiled in: that is how a path is chosen. A record is what a channel makes of it: a new nonce
 * for the keyed context, an associated data of three octets, the octets in one call, the end, the
 * tag by an OSSL_PARAM made before.
 *
 * ocb ROUNDS SECONDS KEY-BITS.. -- SIZE..: prints a line for each direction, key size, size and
 * implementation, with the readings of its rounds. Rounds go over the implementations in turn.
 */
#include "algorithms/ocb.h"
#include "provider.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern OSSL_provider_init_fn OSSL_provider_init;

enum { IMPLEMENTATIONS_MAX = 5, ROUNDS_MAX = 101, HEADER = 3, NONCE = 12, TAG = 16, KEPT = 64 };

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "ocb: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- implementations ---- */

static const struct ocb_path *wanted; /* by the next load */

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                void **vprovider)
{
    struct provider *provider;

    if (!OSSL_provider_init(handle, in, out, vprovider))
        return 0;
    provider = *vprovider;
    provider->ocb = wanted;
    return 1;
}

struct implementation {
    const char *name;
    OSSL_LIB_CTX *libctx;
};

static size_t load(struct implementation list[IMPLEMENTATIONS_MAX])
{
    size_t count = 0;

    list[count++] = (struct implementation){"libcrypto", OSSL_LIB_CTX_new()};
    for (const struct ocb_path *const *path = ocb_paths; *path != NULL; path++)
        if ((*path)->able()) {
            OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
            wanted = *path;
            if (libctx == NULL || !OSSL_PROVIDER_add_builtin(libctx, "usi", init) ||
                OSSL_PROVIDER_load(libctx, "usi") == NULL)
                fail((*path)->name);
            list[count++] = (struct implementation){(*path)->name, libctx};
        }
    return count;
}

/* ---- records ---- */

struct record {
    EVP_CIPHER_CTX *ctx;
    int size;
    unsigned char *plain, *sealed[2], tags[2][TAG], tag[TAG]; /* two: under two nonces */
    OSSL_PARAM tag_param[2];
    unsigned long long count;
};

static const unsigned char header[HEADER] = {1, 2, 3};

static void nonce_of(unsigned long long number, unsigned char nonce[NONCE])
{
    memset(nonce, 0, NONCE);
    for (int i = 0; i < 8; i++)
        nonce[NONCE - 1 - i] = (unsigned char)(number >> 8 * i);
}

static void begin(struct record *r, unsigned long long number)
{
    unsigned char nonce[NONCE];
    int n;

    nonce_of(number, nonce);
    if (EVP_CipherInit_ex2(r->ctx, NULL, NULL, nonce, -1, NULL) != 1 ||
        EVP_CipherUpdate(r->ctx, NULL, &n, header, HEADER) != 1)
        fail("a record's beginning");
}

static void seal(struct record *r, unsigned long long number, unsigned char *out)
{
    int n, last;

    begin(r, number);
    if (EVP_CipherUpdate(r->ctx, out, &n, r->plain, r->size) != 1 ||
        EVP_CipherFinal_ex(r->ctx, out + n, &last) != 1 || n + last != r->size ||
        EVP_CIPHER_CTX_get_params(r->ctx, r->tag_param) != 1)
        fail("sealing");
}

/* The nonce changes in its higher bits after KEPT records, as it does in a row of them. */
static void open_one(struct record *r, unsigned long long number)
{
    unsigned which = number / KEPT % 2;
    int n, last;

    begin(r, which * KEPT);
    memcpy(r->tag, r->tags[which], TAG);
    if (EVP_CipherUpdate(r->ctx, r->plain, &n, r->sealed[which], r->size) != 1 ||
        EVP_CIPHER_CTX_set_params(r->ctx, r->tag_param) != 1 ||
        EVP_CipherFinal_ex(r->ctx, r->plain + n, &last) != 1 || n + last != r->size)
        fail("opening");
}

static void key(struct record *r, const struct implementation *by, int bits, int encrypt)
{
    static const unsigned char octets[32] = {7};
    char name[16];
    EVP_CIPHER *cipher;

    snprintf(name, sizeof(name), "AES-%d-OCB", bits);
    cipher = EVP_CIPHER_fetch(by->libctx, name, NULL);
    EVP_CIPHER_CTX_free(r->ctx);
    r->ctx = EVP_CIPHER_CTX_new();
    if (cipher == NULL || r->ctx == NULL ||
        EVP_CipherInit_ex2(r->ctx, cipher, octets, NULL, encrypt, NULL) != 1)
        fail(name);
    EVP_CIPHER_free(cipher);
}

static struct record prepare(const struct implementation *by, int bits, bool sealing, int size)
{
    struct record r = {.size = size};

    r.tag_param[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, r.tag, TAG);
    r.tag_param[1] = OSSL_PARAM_construct_end();
    r.plain = calloc(1, (size_t)size);
    if (r.plain == NULL)
        fail("no memory");
    key(&r, by, bits, 1);
    for (unsigned i = 0; i < 2; i++) {
        r.sealed[i] = malloc((size_t)size);
        if (r.sealed[i] == NULL)
            fail("no memory");
        r.tag_param[0].data = r.tags[i];
        seal(&r, i * KEPT, r.sealed[i]);
    }
    if (!sealing)
        key(&r, by, bits, 0);
    return r;
}

static void done(struct record *r)
{
    EVP_CIPHER_CTX_free(r->ctx);
    free(r->plain);
    free(r->sealed[0]);
    free(r->sealed[1]);
}

/* ---- measuring ---- */

static double measure(struct record *r, bool sealing, unsigned count)
{
    double start = now();

    r->tag_param[0].data = r->tag;
    for (unsigned i = 0; i < count; i++, r->count++)
        if (sealing)
            seal(r, r->count, r->sealed[0]);
        else
            open_one(r, r->count);
    return (now() - start) / count * 1e9;
}

static void measure_all(const struct implementation *list, size_t count, int bits, bool sealing,
                        int size, int rounds, double seconds)
{
    static double readings[IMPLEMENTATIONS_MAX][ROUNDS_MAX];
    struct record r[IMPLEMENTATIONS_MAX];
    unsigned times[IMPLEMENTATIONS_MAX];

    for (size_t i = 0; i < count; i++) {
        r[i] = prepare(&list[i], bits, sealing, size);
        times[i] = 1;
        while (measure(&r[i], sealing, times[i]) * times[i] < seconds * 1e9 / 2)
            times[i] *= 2;
    }
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < count; i++) {
            size_t by = (i + (size_t)round) % count;
            readings[by][round] = measure(&r[by], sealing, times[by]);
        }
    for (size_t i = 0; i < count; i++) {
        printf("%s %d %d %s", sealing ? "encrypt" : "decrypt", bits, size, list[i].name);
        for (int round = 0; round < rounds; round++)
            printf(" %.2f", readings[i][round]);
        printf("\n");
        done(&r[i]);
    }
    fflush(stdout);
}

int main(int count, char **arguments)
{
    struct implementation list[IMPLEMENTATIONS_MAX];
    int rounds = count > 2 ? atoi(arguments[1]) : 0, dashes = 3;
    double seconds = count > 2 ? atof(arguments[2]) : 0;
    size_t implementations;

    while (dashes < count && strcmp(arguments[dashes], "--") != 0)
        dashes++;
    if (rounds < 1 || rounds > ROUNDS_MAX || seconds <= 0 || dashes >= count - 1) {
        fprintf(stderr, "ocb: ROUNDS SECONDS KEY-BITS.. -- SIZE..\n");
        return 2;
    }
    implementations = load(list);
    for (int bits = 3; bits < dashes; bits++)
        for (int sealing = 1; sealing >= 0; sealing--)
            for (int size = dashes + 1; size < count; size++)
                measure_all(list, implementations, atoi(arguments[bits]), sealing,
                            atoi(arguments[size]), rounds, seconds);
    return 0;
}
