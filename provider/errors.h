/* Entries on OpenSSL's error stack under the provider's name, with our reason and a text. */
#ifndef PROVIDER_ERRORS_H
#define PROVIDER_ERRORS_H

#include <openssl/core.h>

struct provider;

enum error_reason {
    ERROR_MISSING_PARAMETER = 1,
    ERROR_REPEATED_PARAMETER,
    ERROR_CONFLICTING_PARAMETERS,
    ERROR_WRONG_TYPE,
    ERROR_WRONG_SIZE,
    ERROR_WRONG_VALUE,
    ERROR_UNKNOWN_NAME,
    ERROR_WRONG_OUTPUT_SIZE,
    ERROR_NOT_INITIALISED,
    ERROR_TOO_LATE,
    ERROR_MAC_MISMATCH,
    ERROR_OUT_OF_MEMORY,
    ERROR_INTERNAL,
    ERROR_SELF_TEST
};

/* The reasons as text, for OSSL_FUNC_PROVIDER_GET_REASON_STRINGS. Static. */
const OSSL_ITEM *errors_reasons(void);

/*
 * Puts one entry on the calling thread's error stack. The text says which parameter, what was
 * expected and what came; it must never hold the octets of a key. Use the macro, which adds the
 * place.
 */
void errors_raise_at(const struct provider *provider, const char *file, int line,
                     const char *function, enum error_reason reason, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
#define errors_raise(provider, ...)                                                                \
    errors_raise_at(provider, __FILE__, __LINE__, __func__, __VA_ARGS__)

#endif
