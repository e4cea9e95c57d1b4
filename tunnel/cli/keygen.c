#include "cli/keygen.h"

#include "cli/keys.h"
#include "cli/library.h"
#include "cli/options.h"
#include "cli/say.h"
#include "cli/status.h"

#include <openssl/evp.h>
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

static int make_key(const struct options *options, OSSL_LIB_CTX *context)
{
    enum key_write_result result;
    struct key *key;
    char why[512];

    if (key_heap_open() != 0) {
        say_error("no memory for the secure heap");
        return STATUS_INTERNAL;
    }

    key = key_generate(context, options->keygen_bits, why, sizeof why);
    if (key == NULL) {
        say_error("%s%s", why, options->propquery != NULL ? "; does --propquery allow any?" : "");
        return options->propquery != NULL ? STATUS_USAGE : STATUS_INTERNAL;
    }
    result = key_write_file(key, options->output, why, sizeof why);
    key_free(key);
    if (result != KEY_WRITTEN) {
        say_error("%s", why);
        return result == KEY_NOT_MADE ? STATUS_USAGE : STATUS_LOCAL;
    }
    warn_if_exposed(options);
    return STATUS_OK;
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
            say_error("%s", why);
            return STATUS_USAGE;
        }
    }
    if (options->propquery != NULL &&
        EVP_set_default_properties(library != NULL ? library_context(library) : NULL,
                                   options->propquery) != 1) {
        say_error("--propquery \"%.80s\" is not a property query of OpenSSL", options->propquery);
        status = STATUS_USAGE;
    } else {
        status = make_key(options, library != NULL ? library_context(library) : NULL);
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
