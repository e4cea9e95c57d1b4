#include "cli/sandbox.h"

#include "text/text.h"

#ifdef USI_HAVE_SANDBOX

#include "cli/file.h"
#include "cli/landlock.h"
#include "cli/peers.h"
#include "cli/syscall_filter.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

/* ---- files ---- */

struct place {
    const char *path;
    unsigned rights;
};

enum { USE = LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_DEVICE };

/* What every run may need: names are resolved by getaddrinfo, which reads configuration, loads
 * modules and talks to daemons; libraries read about the machine; messages have catalogues and
 * character sets. Most of this is public; what is not is still guarded by its modes. */
static const struct place everywhere[] = {
    {"/etc", LANDLOCK_READ},
    {"/usr", LANDLOCK_READ},
    {"/lib", LANDLOCK_READ},
    {"/lib32", LANDLOCK_READ},
    {"/lib64", LANDLOCK_READ},
    {"/libx32", LANDLOCK_READ},
    {"/nix/store", LANDLOCK_READ}, /* where NixOS and Guix have the above */
    {"/gnu/store", LANDLOCK_READ},
    {"/run", LANDLOCK_READ},
    {"/var/run", LANDLOCK_READ},
    {"/var/lib/sss", LANDLOCK_READ}, /* sssd's tables, which its module maps */
    {"/proc/self", LANDLOCK_READ},   /* not kcore, nor other processes */
    {"/proc/sys", LANDLOCK_READ},
    {"/proc/cpuinfo", LANDLOCK_READ},
    {"/proc/meminfo", LANDLOCK_READ},
    {"/proc/stat", LANDLOCK_READ},
    {"/sys/devices/system/cpu", LANDLOCK_READ},
    {"/dev/urandom", LANDLOCK_READ},
    {"/dev/random", LANDLOCK_READ},
    {"/dev/null", USE},
    {"/dev/tty", USE},
};

/* A chat's user says what to send when he likes, and its line editor has a terminal of its own. */
static const struct place of_chat[] = {
    {"/", LANDLOCK_READ},
    {".", LANDLOCK_READ | LANDLOCK_MAKE},
    {"/dev/ptmx", USE},
    {"/dev/pts", USE},
};

/* What is not there needs no rule; what we may not see, we may not open either; and there are none
 * for pipes and their like, which a key file can be (/dev/fd/3). */
static int allow(struct landlock *l, const char *path, unsigned rights)
{
    if (landlock_allow(l, path, rights) == 0 || errno == ENOENT || errno == ENOTDIR ||
        errno == EACCES || errno == ELOOP || errno == ENAMETOOLONG || errno == EBADFD)
        return 0;
    say_error("sandbox: %s: %s", path, file_error_text(errno));
    return -1;
}

static int allow_places(struct landlock *l, const struct place *places, size_t count)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++)
        result = allow(l, places[i].path, places[i].rights);
    return result;
}

static int allow_list(struct landlock *l, const char *const *paths, size_t count)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++)
        result = allow(l, paths[i], LANDLOCK_READ);
    return result;
}

/* The folder that path lies in: that of what it leads to, or its own. */
static int allow_beside(struct landlock *l, const char *path, bool follow, unsigned rights)
{
    char copy[PATH_MAX];
    int length = 0;

    if (follow && realpath(path, copy) == NULL)
        return 0;
    if (!follow)
        length = snprintf(copy, sizeof copy, "%s", path);
    char *slash = strrchr(copy, '/');
    if (slash == NULL || length >= (int)sizeof copy)
        return slash == NULL ? allow(l, ".", rights) : 0;
    slash[slash == copy] = '\0';
    return allow(l, copy, rights);
}

/* libuv opens the terminals among them again, to have flags of its own; or else goes without. */
static void allow_terminals(struct landlock *l)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (isatty(fd) == 1)
            (void)landlock_allow_fd(l, fd, USE);
}

/* A listener's files may be replaced while it waits: what lies beside them can be read too. */
static int allow_sent(struct landlock *l, const struct options *o)
{
    int result = 0;

    if (o->command == OPTIONS_CONNECT)
        return allow_list(l, o->files, o->file_count);
    for (size_t i = 0; result == 0 && i < o->file_count; i++)
        result = allow_beside(l, o->files[i], true, LANDLOCK_READ);
    return result;
}

/* The listening sockets' files are removed at the end. */
static int allow_sockets(struct landlock *l, const struct options *o)
{
    int result = 0;

    if (o->command == OPTIONS_LISTEN && o->address.kind == ADDRESS_UNIX)
        result = allow_beside(l, o->address.path, false, LANDLOCK_REMOVE);
    for (size_t i = 0; result == 0 && i < o->local_count; i++)
        if (o->local[i].kind == ADDRESS_UNIX)
            result = allow_beside(l, o->local[i].path, false, LANDLOCK_REMOVE);
    return result;
}

static int allow_known(struct landlock *l, const struct sandbox_facts *facts)
{
    char folder[PATH_MAX];
    unsigned rights = facts->remembers ? LANDLOCK_READ | LANDLOCK_MAKE : LANDLOCK_READ;

    if (facts->known == NULL || !peers_known_folder(facts->known, facts->remembers, folder))
        return 0;
    return allow(l, folder, rights);
}

/* A listener may be told to read keys and trusted peers again, which are replaced rather than
 * written in place: where they lie, and where they lead to. */
static int allow_credentials(struct landlock *l, const struct options *o)
{
    const char *const *const lists[] = {o->key_file, o->trust};
    const size_t counts[] = {o->key_file_count, o->trust_count};
    int result = 0;

    for (size_t i = 0; o->command == OPTIONS_LISTEN && i < 2; i++)
        for (size_t k = 0; result == 0 && k < counts[i]; k++) {
            if (strcmp(lists[i][k], "-") == 0) /* standard input */
                continue;
            result = allow_beside(l, lists[i][k], false, LANDLOCK_READ);
            if (result == 0)
                result = allow_beside(l, lists[i][k], true, LANDLOCK_READ);
        }
    return result;
}

static int allow_all(struct landlock *l, const struct options *o, const struct sandbox_facts *facts)
{
    int result = allow_places(l, everywhere, sizeof everywhere / sizeof everywhere[0]);

    if (result == 0) /* a link, often, and replaced as networks come and go */
        result = allow_beside(l, "/etc/resolv.conf", true, LANDLOCK_READ);
    allow_terminals(l);
    if (result == 0)
        result = allow_credentials(l, o);
    if (result == 0)
        result = allow_known(l, facts);
    if (result == 0)
        result = allow_sockets(l, o);
    if (result == 0 && o->word == OPTIONS_SEND)
        result = allow_sent(l, o);
    if (result == 0 && o->word == OPTIONS_RECEIVE)
        result = allow(l, o->directory, LANDLOCK_READ | LANDLOCK_MAKE);
    if (result == 0 && o->word == OPTIONS_CHAT)
        result = allow_places(l, of_chat, sizeof of_chat / sizeof of_chat[0]);
    return result;
}

static int enter_files(const struct options *o, const struct sandbox_facts *facts)
{
    /* A session bus may have an abstract socket. */
    struct landlock *l = landlock_new(o->notifications);
    int result = l != NULL ? 0 : -1;

    if (result != 0)
        say_error("sandbox: %s", file_error_text(errno));
    else
        result = allow_all(l, o, facts);
    if (result == 0 && (result = landlock_enter(l)) != 0)
        say_error("sandbox: %s", file_error_text(errno));
    landlock_free(l);
    return result;
}

/* Only what a provider's module has started, if anything. */
static bool has_threads(void)
{
    struct stat facts;

    return stat("/proc/self/task", &facts) == 0 && facts.st_nlink > 3; /* ".", "..", and ours */
}

/* ---- both ---- */

enum { RINGS_SINCE = 1 << 16 | 45 << 8 };

static int enter_calls(void)
{
    int result = syscall_filter_enter();

    if (result != 0)
        say_error("sandbox: seccomp: %s", file_error_text(-result));
    return result;
}

int sandbox_prepare(const struct options *o)
{
    char version[16];

    /* libuv from 1.45 on makes io_urings: by default until 1.48, and from 1.50 on one that no
     * variable turns off. */
    if (setenv("UV_USE_IO_URING", "0", 1) != 0) { /* NOLINT(concurrency-mt-unsafe): one thread */
        say_error("out of memory");
        return -1;
    }
    if (o->no_sandbox || uv_version() < RINGS_SINCE || syscall_filter_library(version) == NULL ||
        !syscall_filter_available())
        return 0;
    int result = syscall_filter_without_rings();
    if (result == 0)
        return 0;
    say_error("sandbox: seccomp: %s", file_error_text(-result));
    return -1;
}

int sandbox_enter(const struct options *o, const struct sandbox_facts *facts, enum say_level level,
                  bool *files)
{
    char version[16];
    const char *library = syscall_filter_library(version);
    bool filters = library != NULL && syscall_filter_available();
    int landlock = landlock_version();

    *files = false;
    if (o->no_sandbox)
        return 0;
    /* The first lookup opens the catalogue, which may lie anywhere. */
    const char *why = library == NULL ? text("this build has no libseccomp")
                      : !filters      ? text("this kernel has none")
                                      : text("on");
    say_more(level, "sandbox: seccomp: %s", why);
    why = landlock == 0   ? text("this kernel has none")
          : facts->token  ? text("off, because a provider has the private key")
          : has_threads() ? text("on, but for threads that a provider has started")
                          : text("on");
    say_more(level, "sandbox: Landlock: %s", why);
    *files = landlock > 0 && !facts->token;
    /* Files first: a filter lets no rules be made. */
    if ((*files && enter_files(o, facts) != 0) || (filters && enter_calls() != 0)) {
        say_error("the sandbox cannot be entered; --no-sandbox goes without");
        return -1;
    }
    return 0;
}

bool sandbox_lets_write(const char *folder)
{
    char path[PATH_MAX], here[PATH_MAX];

    if (realpath(folder, path) == NULL || realpath(".", here) == NULL)
        return true; /* the reason is another one */
    size_t length = strcmp(here, "/") == 0 ? 0 : strlen(here);
    return strncmp(path, here, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

void sandbox_print(FILE *stream)
{
    char version[16];
    const char *library = syscall_filter_library(version);

    if (library != NULL)
        (void)fprintf(stream, "libseccomp %s\n", library);
    else
        (void)fprintf(stream, "no libseccomp: system calls are not filtered\n");
}

#else

int sandbox_prepare(const struct options *o)
{
    (void)o;
    return 0;
}

int sandbox_enter(const struct options *o, const struct sandbox_facts *facts, enum say_level level,
                  bool *files)
{
    (void)o, (void)facts;
    *files = false;
    say_more(level, "sandbox: this build has none");
    return 0;
}

bool sandbox_lets_write(const char *folder)
{
    (void)folder;
    return true;
}

void sandbox_print(FILE *stream)
{
    (void)fprintf(stream, "no sandbox\n");
}

#endif
