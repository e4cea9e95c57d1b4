/* The algorithms that the MAC A3 and the KDF A8 share, as one table. */
#ifndef PROVIDER_A38_H
#define PROVIDER_A38_H

#include "params.h"

enum { A38_SRES_SIZE = 4, A38_KC_SIZE = 8, A38_RAND_SIZE = 16 };

/* What a card and its network know, as the parameters of A3 and A8 say it. */
struct a38_subscriber {
    struct octets key;  /* Ki */
    struct octets rand; /* the challenge */
    struct octets op, opc;
    unsigned algorithm;   /* 1 + index, 0 for the default */
    size_t sres_function; /* TS 55.205: 1 or 2; 0 for the default, 1 */
};

struct a38_algorithm {
    struct range key, rand; /* sizes in octets */
    bool operator_variant;  /* needs op or opc */
    /*
     * SRES and Kc in one go, from checked values; rand has 16 octets. NULL for USI, whose sizes are
     * free. False: libcrypto failed. What is not wanted may be NULL.
     */
    bool (*run)(const struct provider *provider, const struct a38_subscriber *subscriber,
                const unsigned char *rand, unsigned char sres[A38_SRES_SIZE],
                unsigned char kc[A38_KC_SIZE]);
};

/* The names for a rule of kind PARAM_WORD; ends with NULL. */
extern const char *const a38_names[];

/* The algorithm chosen, or the default, and its name. */
const struct a38_algorithm *a38_algorithm(const struct a38_subscriber *subscriber);
const char *a38_name(const struct a38_subscriber *subscriber);

/* Whether key and operator variant are there as the algorithm needs them; if not, an error is
 * raised. */
bool a38_check(const struct provider *provider, const struct a38_subscriber *subscriber);

#endif
