#include "cli/library.h"

#include "text/text.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOLDERS_MAX = 5 };

struct library {
    OSSL_LIB_CTX *context;
    size_t count;
    struct loaded {
        OSSL_PROVIDER *provider;
    } * loaded; /* in the order in which they were loaded */
};

/* Where modules are looked for, in this order. An empty name is passed over. */
struct folders {
    char name[FOLDERS_MAX][PATH_MAX];
};

__attribute__((format(printf, 2, 3))) static void set_folder(char folder[PATH_MAX],
                                                             const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(folder, PATH_MAX, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= PATH_MAX)
        folder[0] = '\0'; /* no file can be opened in it anyway */
}

static void find_folders(struct folders *folders, const char *path)
{
    const char *variable = secure_getenv("OPENSSL_MODULES");
    const char *own = OPENSSL_info(OPENSSL_INFO_MODULES_DIR);
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    memset(folders, 0, sizeof *folders);
    set_folder(folders->name[0], "%s", path != NULL ? path : "");
    set_folder(folders->name[1], "%s", variable != NULL ? variable : "");
    if (length > 0) {
        program[length] = '\0';
        *strrchr(program, '/') = '\0'; /* the kernel's links are absolute */
        set_folder(folders->name[2], "%s", *program != '\0' ? program : "/");
        set_folder(folders->name[3], "%s/" USI_MODULES_FROM_BIN, program);
    }
    set_folder(folders->name[4], "%s", own != NULL ? own : "");
}

/* The first folder that holds name's module, or NULL. */
static const char *folder_of(const struct folders *folders, const char *name)
{
    const char *suffix = OPENSSL_info(OPENSSL_INFO_DSO_EXTENSION);

    for (size_t i = 0; i < FOLDERS_MAX; i++) {
        char file[PATH_MAX];
        if (folders->name[i][0] == '\0')
            continue;
        set_folder(file, "%s/%s%s", folders->name[i], name, suffix);
        if (file[0] != '\0' && access(file, F_OK) == 0)
            return folders->name[i];
    }
    return NULL;
}

/* Says why name was not loaded, and empties libcrypto's error queue. */
static void explain(const struct folders *folders, const char *folder, const char *name, char *why,
                    size_t size)
{
    const char *data = "", *reason = NULL;
    int flags = 0;
    /* The first error is the deepest one: what the dynamic loader said. */
    unsigned long code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
    size_t length;

    if (code != 0)
        reason = ERR_reason_error_string(code);
    if (folder != NULL) {
        snprintf(why, size, text("provider \"%.80s\" in %s cannot be loaded: %s%s%s"), name, folder,
                 reason != NULL ? reason : text("libcrypto does not say why"),
                 (flags & ERR_TXT_STRING) != 0 ? ": " : "",
                 (flags & ERR_TXT_STRING) != 0 ? data : "");
    } else {
        snprintf(
            why, size,
            text("provider \"%.80s\" was not found (--provider-path names its folder); looked in"),
            name);
        for (size_t i = 0; i < FOLDERS_MAX; i++) {
            length = strlen(why);
            if (folders->name[i][0] != '\0' && length < size)
                snprintf(why + length, size - length, " %s", folders->name[i]);
        }
    }
    ERR_clear_error();
}

static int load(struct library *library, const struct folders *folders, const char *name, char *why,
                size_t size)
{
    const char *folder;
    OSSL_PROVIDER *provider;

    if (name[0] == '\0' || strchr(name, '/') != NULL) {
        snprintf(why, size,
                 text("\"%.80s\" is not the name of a provider (--provider-path names its folder)"),
                 name);
        return -1;
    }
    for (size_t i = 0; i < library->count; i++)
        if (strcmp(OSSL_PROVIDER_get0_name(library->loaded[i].provider), name) == 0)
            return 0;
    ERR_clear_error();
    errno = 0;
    folder = folder_of(folders, name);
    /* Providers that are built into libcrypto need no folder; without one, libcrypto would look
     * into OPENSSL_MODULES again. */
    if (OSSL_PROVIDER_set_default_search_path(library->context, folder) != 1 ||
        (provider = OSSL_PROVIDER_load(library->context, name)) == NULL) {
        bool no_memory = errno == ENOMEM;
        explain(folders, folder, name, why, size);
        if (no_memory)
            snprintf(why, size, text("out of memory"));
        errno = no_memory ? ENOMEM : 0;
        return -1;
    }
    library->loaded[library->count++].provider = provider;
    return 0;
}

struct library *library_new(const char *const *names, size_t count, const char *path, char *why,
                            size_t size)
{
    struct library *library = OPENSSL_zalloc(sizeof *library);
    struct folders *folders = OPENSSL_malloc(sizeof *folders);
    int error = 0;

    if (library == NULL || folders == NULL || (library->context = OSSL_LIB_CTX_new()) == NULL ||
        (library->loaded = OPENSSL_zalloc((count + 2) * sizeof *library->loaded)) == NULL) {
        snprintf(why, size, text("out of memory"));
        error = ENOMEM;
        goto fail;
    }
    find_folders(folders, path);
    if (load(library, folders, "default", why, size) < 0 ||
        load(library, folders, "usi", why, size) < 0) {
        error = errno;
        goto fail;
    }
    for (size_t i = 0; i < count; i++)
        if (load(library, folders, names[i], why, size) < 0) {
            error = errno;
            goto fail;
        }
    OPENSSL_free(folders);
    return library;
fail:
    OPENSSL_free(folders);
    library_free(library);
    errno = error;
    return NULL;
}

void library_free(struct library *library)
{
    if (library == NULL)
        return;
    while (library->count > 0)
        OSSL_PROVIDER_unload(library->loaded[--library->count].provider);
    OPENSSL_free(library->loaded);
    OSSL_LIB_CTX_free(library->context);
    OPENSSL_free(library);
}

OSSL_LIB_CTX *library_context(const struct library *library)
{
    return library->context;
}
