/*
 * Authentication vectors per second, ours through EVP against libosmogsm's osmo_auth_gen_vec(), in
 * one process and on one core. Rounds alternate, and a ratio is the median of the ratios within a
 * round, so that a machine that is busy now and then weighs on both. Every vector has a key and a
 * challenge of its own.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <osmocom/crypt/auth.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 101 };

static const struct kind {
    const char *name;
    enum osmo_auth_algo theirs;
    bool gsm;
} kinds[] = {
    {"COMP128-1", OSMO_AUTH_ALG_COMP128v1, true}, {"COMP128-2", OSMO_AUTH_ALG_COMP128v2, true},
    {"COMP128-3", OSMO_AUTH_ALG_COMP128v3, true}, {"MILENAGE", OSMO_AUTH_ALG_MILENAGE, false},
    {"XOR-3G", OSMO_AUTH_ALG_XOR, false},
};

static EVP_KDF_CTX *a8, *aka;
static EVP_MAC_CTX *a3;
static unsigned char k[16], opc[16], rand_[16], sqn[6], amf[2];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "bench_osmogsm: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Another subscriber, another challenge. */
static void next(void)
{
    for (int i = 0; i < 16 && ++k[i] == 0; i++)
        ;
    for (int i = 0; i < 16 && ++rand_[i] == 0; i++)
        ;
}

static void ours_gsm(const struct kind *kind)
{
    unsigned char sres[4], kc[8];
    size_t size;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("algorithm", (char *)kind->name, 0),
        OSSL_PARAM_construct_octet_string("key", k, sizeof(k)),
        OSSL_PARAM_construct_octet_string("rand", rand_, sizeof(rand_)),
        OSSL_PARAM_construct_end(),
    };

    if (!EVP_MAC_init(a3, NULL, 0, params) || !EVP_MAC_final(a3, sres, &size, sizeof(sres)) ||
        EVP_KDF_derive(a8, kc, sizeof(kc), params) != 1)
        fail(kind->name);
}

static void ours_umts(const struct kind *kind)
{
    unsigned char vector[80];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("algorithm", (char *)kind->name, 0),
        OSSL_PARAM_construct_utf8_string("output", (char *)"vector", 0),
        OSSL_PARAM_construct_octet_string("key", k, sizeof(k)),
        OSSL_PARAM_construct_octet_string("opc", opc, sizeof(opc)),
        OSSL_PARAM_construct_octet_string("rand", rand_, sizeof(rand_)),
        OSSL_PARAM_construct_octet_string("sqn", sqn, sizeof(sqn)),
        OSSL_PARAM_construct_octet_string("amf", amf, sizeof(amf)),
        OSSL_PARAM_construct_end(),
    };

    if (EVP_KDF_derive(aka, vector, kind->theirs == OSMO_AUTH_ALG_XOR ? 80 : 72, params) != 1)
        fail(kind->name);
}

static void theirs(const struct kind *kind)
{
    struct osmo_sub_auth_data card = {.type = OSMO_AUTH_TYPE_UMTS, .algo = kind->theirs};
    struct osmo_auth_vector vector;

    if (kind->gsm) {
        card.type = OSMO_AUTH_TYPE_GSM;
        memcpy(card.u.gsm.ki, k, sizeof(k));
    } else {
        memcpy(card.u.umts.k, k, sizeof(k));
        memcpy(card.u.umts.opc, opc, sizeof(opc));
    }
    if (osmo_auth_gen_vec(&vector, &card, rand_) != 0)
        fail("osmo_auth_gen_vec");
}

/* Vectors per second over about `seconds`. */
static double rate(const struct kind *kind, bool by_us, double seconds)
{
    double start = now(), elapsed;
    long count = 0;

    do {
        for (int i = 0; i < 200; i++, count++) {
            next();
            if (!by_us)
                theirs(kind);
            else if (kind->gsm)
                ours_gsm(kind);
            else
                ours_umts(kind);
        }
        elapsed = now() - start;
    } while (elapsed < seconds);
    return (double)count / elapsed;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *numbers, int count)
{
    qsort(numbers, (size_t)count, sizeof(*numbers), by_size);
    return numbers[count / 2];
}

static void measure(const struct kind *kind, int rounds, double seconds)
{
    double us[ROUNDS_MAX], them[ROUNDS_MAX], ratios[ROUNDS_MAX];

    for (int i = -1; i < rounds; i++) { /* round -1 warms up */
        double one = rate(kind, i % 2 == 0, seconds), other = rate(kind, i % 2 != 0, seconds);
        if (i < 0)
            continue;
        us[i] = i % 2 == 0 ? one : other;
        them[i] = i % 2 == 0 ? other : one;
        ratios[i] = us[i] / them[i];
    }
    qsort(ratios, (size_t)rounds, sizeof(*ratios), by_size);
    printf("| %-9s | %10.0f | %10.0f | %5.2f [%.2f..%.2f] |\n", kind->name, median(us, rounds),
           median(them, rounds), ratios[rounds / 2], ratios[0], ratios[rounds - 1]);
    fflush(stdout);
}

int main(int count, char **arguments)
{
    int rounds = count > 2 ? atoi(arguments[2]) : 9;
    double seconds = count > 3 ? atof(arguments[3]) : 0.2;
    EVP_KDF *a8_kdf, *aka_kdf;
    EVP_MAC *a3_mac;

    if (count < 2 || rounds < 1 || rounds > ROUNDS_MAX || seconds <= 0)
        fail("usage: bench_osmogsm FOLDER-OF-USI.SO [ROUNDS [SECONDS]]");
    if (!OSSL_PROVIDER_set_default_search_path(NULL, arguments[1]) ||
        OSSL_PROVIDER_load(NULL, "usi") == NULL)
        fail("usi cannot be loaded");
    a8_kdf = EVP_KDF_fetch(NULL, "A8", NULL);
    aka_kdf = EVP_KDF_fetch(NULL, "AKA", NULL);
    a3_mac = EVP_MAC_fetch(NULL, "A3", NULL);
    a8 = EVP_KDF_CTX_new(a8_kdf);
    aka = EVP_KDF_CTX_new(aka_kdf);
    a3 = EVP_MAC_CTX_new(a3_mac);
    if (a8 == NULL || aka == NULL || a3 == NULL)
        fail("A3, A8 or AKA is missing");
    printf("| algorithm | ours, 1/s  | libosmogsm | ratio [min..max] |\n");
    printf("| ---       | ---        | ---        | ---              |\n");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        measure(&kinds[i], rounds, seconds);
    EVP_MAC_CTX_free(a3);
    EVP_KDF_CTX_free(aka);
    EVP_KDF_CTX_free(a8);
    EVP_MAC_free(a3_mac);
    EVP_KDF_free(aka_kdf);
    EVP_KDF_free(a8_kdf);
    return 0;
}
