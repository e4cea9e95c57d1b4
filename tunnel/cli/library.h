/* The OpenSSL library context that the program works in, with its providers loaded. */
#ifndef USI_CLI_LIBRARY_H
#define USI_CLI_LIBRARY_H

#include <openssl/types.h>
#include <stddef.h>

struct library;

/* Makes a library context of its own and loads `default`, `usi` and each of names[0..count-1] into
 * it (a name given twice, or "usi" or "default" given, is loaded once). A provider that is a module
 * is looked for in `path` (--provider-path; may be NULL), then OPENSSL_MODULES, then beside the
 * running program (build tree: the same folder; install tree: where USI_MODULESDIR lies relative to
 * it), then libcrypto's own folder. Returns NULL with one line in why[size]: which provider, where
 * it was looked for, what libcrypto said; errno is ENOMEM if memory ran out. */
struct library *library_new(const char *const *names, size_t count, const char *path, char *why,
                            size_t size);

/* Unloads the providers and frees the context. NULL is fine. */
void library_free(struct library *library);

/* Stays owned by the library. */
OSSL_LIB_CTX *library_context(const struct library *library);

#endif
