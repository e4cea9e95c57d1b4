#include "cli/keygen.h"

#include "cli/identity_file.h"
#include "cli/keys.h"
#include "cli/library.h"
#include "cli/options.h"
#include "cli/say.h"
#include "cli/status.h"
#include "text/text.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A key that went into a file which others can read is refused by listen and connect: say
 * so now. */
static void warn_if_exposed(const struct options *options)
{
    struct stat status;

    if (options->output == NULL && fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode) &&
        (status.st_mode & 07) != 0)
        say(options->quiet ? SAY_QUIET : SAY_NORMAL,
            "warning: others can read the file that the key went to; chmod 600 it, or use -o FILE");
}

/* Ends the making of a key: says what went wrong, or warns. */
static int told(const struct options *options, enum key_write_result result, const char *why)
{
    bool no_memory = result != KEY_WRITTEN && errno == ENOMEM;

    if (result == KEY_WRITTEN) {
        warn_if_exposed(options);
        return STATUS_OK;
    }
    say_error("%s", why);
    return no_memory ? STATUS_INTERNAL : result == KEY_NOT_MADE ? STATUS_USAGE : STATUS_LOCAL;
}

static int make_key(const struct options *options, OSSL_LIB_CTX *context)
{
    enum key_write_result result;
    struct key *key;
    char why[512];

    key = key_generate(context, options->keygen_bits, why, sizeof why);
    if (key == NULL) {
        say_error(options->propquery != NULL ? TEXT("%s; does --propquery allow any?") : "%s", why);
        return options->propquery != NULL ? STATUS_USAGE : STATUS_INTERNAL;
    }
    errno = 0;
    result = key_write_file(key, options->output, why, sizeof why);
    key_free(key);
    return told(options, result, why);
}

static int make_identity(const struct options *options, OSSL_LIB_CTX *context)
{
    bool rsa = options->identity != NULL && strcmp(options->identity, "rsa") == 0;
    char why[512], fingerprint[KEY_FINGERPRINT_TEXT + 1];

    errno = 0;
    enum key_write_result result =
        identity_generate(context, rsa ? USI_IDENTITY_RSA : USI_IDENTITY_ED25519, options->output,
                          fingerprint, why, sizeof why);
    int status = told(options, result, why);

    if (status == STATUS_OK)
        say(options->quiet ? SAY_QUIET : SAY_NORMAL, "identity fingerprint: sha256:%s",
            fingerprint);
    return status;
}

static int make(const struct options *options, OSSL_LIB_CTX *context)
{
    if (key_heap_open() != 0) {
        say_error("no memory for the secure heap");
        return STATUS_INTERNAL;
    }
    return options->has_identity ? make_identity(options, context) : make_key(options, context);
}

/* Random numbers come from libcrypto's own DRBG, in a context with more providers only if some are
 * asked for: a key can be made where usi.so is not installed. */
static int run(const struct options *options)
{
    struct library *library = NULL;
    char why[1024];
    int status;

    if (options->provider_count > 0) {
        library = library_new(options->provider, options->provider_count, options->provider_path,
                              why, sizeof why);
        if (library == NULL) {
            status = status_refused();
            say_error("%s", why);
            return status;
        }
    }
    if (options->propquery != NULL &&
        EVP_set_default_properties(library != NULL ? library_context(library) : NULL,
                                   options->propquery) != 1) {
        say_error("--propquery \"%.80s\" is not a property query of OpenSSL", options->propquery);
        status = STATUS_USAGE;
    } else {
        status = make(options, library != NULL ? library_context(library) : NULL);
    }
    library_free(library);
    return status;
}

int keygen_run(int argc, char **argv)
{
    struct options options;
    int status;

    switch (options_parse(&options, OPTIONS_KEYGEN, argc, argv)) {
    case OPTIONS_OK:
        status = run(&options);
        break;
    case OPTIONS_DONE:
        status = STATUS_OK;
        break;
    default:
        status = STATUS_USAGE;
        break;
    }
    options_free(&options);
    return status;
}
