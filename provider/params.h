/* Parameters: a table of rules, and what checks and stores an OSSL_PARAM array by it. */
#ifndef PROVIDER_PARAMS_H
#define PROVIDER_PARAMS_H

#include <openssl/core.h>
#include <stdbool.h>
#include <stddef.h>

struct provider;

/* An octet string of our own. Absent while data is NULL; all zeros is absent. Lives where it was
 * set. */
struct octets {
    unsigned char *data;
    size_t size;
    unsigned char small[32]; /* where data points for up to 32 octets */
};

/* Copies size octets from data (NULL only with size 0); what was there is wiped. False: no memory.
 */
bool octets_set(struct octets *octets, const void *data, size_t size);
/* Makes *octets an independent copy of *from, whatever *octets held bitwise. False: no memory,
 * absent. */
bool octets_dup(struct octets *octets, const struct octets *from);
/* Wipes and frees; absent afterwards. */
void octets_clear(struct octets *octets);

/* The sizes or values something may have: min, min + step, .. max; step 0 doubles instead. */
struct range {
    size_t min, max, step;
};
bool range_has(const struct range *range, size_t number);
/* Writes the range in words, "16, 24 or 32"; the text is cut at size. */
void range_describe(const struct range *range, char *text, size_t size);

enum param_kind {
    PARAM_OCTETS, /* into a struct octets; the range is of sizes in octets */
    PARAM_NUMBER, /* into a size_t; the range is of values, 0 stays "not set" */
    PARAM_WORD    /* into an unsigned; 1 + the index in words, 0 stays "not set" */
};

struct param_rule {
    const char *name;
    enum param_kind kind;
    /* not 0: at most one of a group in one array, and one that comes later replaces it */
    unsigned group;
    size_t offset; /* of the field in the settings */
    struct range range;
    const char *const *words; /* ends with NULL */
};
enum { PARAMS_MAX = 24 };

/*
 * Checks params (NULL is an empty array) by rules (ends with a NULL name, at most PARAMS_MAX) and
 * stores what it holds into settings. All or nothing: after a refusal, which is on the error stack,
 * settings are as before (only a lack of memory can leave some stored). Names without a rule are
 * passed over.
 */
bool params_set(const struct provider *provider, const struct param_rule *rules, void *settings,
                const OSSL_PARAM params[]);

/* The first name in params that has a rule and is not `but`; NULL when there is none. */
const char *params_other(const struct param_rule *rules, const OSSL_PARAM params[],
                         const char *but);

/* Wipes and frees what rules name in settings, and sets them back to "not set". */
void params_clear(const struct param_rule *rules, void *settings);
/* settings is a bitwise copy of from: makes it an independent one. False: no memory, all cleared.
 */
bool params_dup(const struct param_rule *rules, void *settings, const void *from);

/* Whether an octet string is there and of one of the sizes; if not, that is on the error stack. */
bool params_require(const struct provider *provider, const char *name, const struct octets *octets,
                    const struct range *sizes);

/* Answers the parameters `size` and `algorithm` in params, as get_ctx_params does; others are
 * passed over. */
bool params_answer(OSSL_PARAM params[], size_t size, const char *algorithm);

#endif
