/*
 * torture.so, for LD_PRELOAD: makes an allocation of a program fail, and says what the program has
 * not freed when it exits. Environment:
 *
 *   TORTURE_REPORT  the file that is appended to; nothing happens without it
 *   TORTURE_FAIL    which allocation fails, from 1; 0 or nothing: none
 *   TORTURE_ON      `1`: all that follow it fail too
 *   TORTURE_WHOSE   whose allocations count, with commas: program, provider (usi.so), libuv,
 * libcrypto; all but libcrypto's without it TORTURE_TRACE   `1`: the report shows call stacks of
 * what was not freed, not callers only
 *
 * Whose an allocation is, is told by the address that it returns to. What allocates inside libc on
 * somebody's behalf (realpath, fdopendir, fopen, getaddrinfo, pthread_create) counts as one. The
 * report has a line for each fact; a place is MODULE+OFFSET, for addr2line:
 *
 *   failed N CALL PLACE...     as it happens, with the call stack
 *   abort PLACE                somebody called abort()
 *   end STATUS COUNT           the program exits: its status, how many allocations there were
 *   killed SIGNAL COUNT        the same before it raises a signal against itself
 *   site N PLACE               with TORTURE_TRACE: the first allocation of each caller
 *   live OWNER BYTES PLACE...  what was not freed, and who allocated it
 *   open FD NAME               a descriptor that was not closed, that was not open at the beginning
 */
#pragma GCC visibility push(default) /* what it stands in for has to be seen */
#undef _FORTIFY_SOURCE               /* which makes some of it inline */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <netdb.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* glibc's own names for its functions, which need no dlsym(), and so work before it does. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);
extern void *reallocarray(void *block, size_t count, size_t size);
extern void *memalign(size_t alignment, size_t size);

#define CALLER __builtin_return_address(0)

enum {
    REPORT_FD = 400,
    BUCKETS = 1 << 16,
    NODES = 1 << 18,
    FRAMES = 14,
    SITES = 4096,
    FILES = 1024
};

enum owner { PROGRAM, PROVIDER, LIBUV, LIBCRYPTO, OTHERS };
static const char *const owners[] = {"program", "provider", "libuv", "libcrypto"};

static struct {
    bool on, from_then_on, trace;
    bool whose[OTHERS];
    unsigned long fail;
    int fd;
    bool open[FILES]; /* before the program began */
} settings;

static atomic_ulong counted;
static __thread bool inside; /* what the report itself allocates is nobody's */
static __thread bool hooked; /* what the program's allocator gives libcrypto is libcrypto's */

/* ---- functions that are stood in for ---- */

static struct {
    void *(*malloc)(size_t, const char *, int), *(*zalloc)(size_t, const char *, int);
    void *(*secure_malloc)(size_t, const char *, int), *(*secure_zalloc)(size_t, const char *, int);
    void *(*realloc)(void *, size_t, const char *, int);
    void *(*clear_realloc)(void *, size_t, size_t, const char *, int);
    void *(*memdup)(const void *, size_t, const char *, int);
    char *(*strdup)(const char *, const char *, int);
    char *(*strndup)(const char *, size_t, const char *, int);
    void (*secure_free)(void *, const char *, int);
    void (*secure_clear_free)(void *, size_t, const char *, int);
    void (*clean_up)(void);
    int (*set_mem_functions)(CRYPTO_malloc_fn, CRYPTO_realloc_fn, CRYPTO_free_fn);
} crypto;

static struct {
    char *(*realpath)(const char *, char *);
    DIR *(*fdopendir)(int);
    FILE *(*fopen)(const char *, const char *);
    int (*getaddrinfo)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    int (*raise)(int);
    void (*exit_at_once)(int);
    void (*abort)(void);
} libc;

/* ISO C has no conversion of what dlsym() gives to a function. */
#define FIND(place, name)                                                                          \
    do {                                                                                           \
        void *found = dlsym(RTLD_NEXT, name);                                                      \
        memcpy(&(place), &found, sizeof found);                                                    \
    } while (0)

/* ---- whose ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* The module that an address lies in, "" the program; NULL: none. No lock, so that it can be asked
 * from within dlopen(). */
static const char *module_of(const void *address, uintptr_t *offset)
{
    struct dl_find_object found;

    if (_dl_find_object((void *)(uintptr_t)address, &found) != 0)
        return NULL;
    *offset = (uintptr_t)address - found.dlfo_link_map->l_addr;
    return base_name(found.dlfo_link_map->l_name);
}

static enum owner owner_of(const void *caller)
{
    uintptr_t offset;
    const char *module = module_of(caller, &offset);

    if (hooked)
        return LIBCRYPTO;
    if (module == NULL)
        return OTHERS;
    if (*module == '\0')
        return PROGRAM;
    if (strcmp(module, "usi.so") == 0)
        return PROVIDER;
    if (strncmp(module, "libuv.so", 8) == 0)
        return LIBUV;
    return strncmp(module, "libcrypto.so", 12) == 0 ? LIBCRYPTO : OTHERS;
}

/* ---- the report ---- */

struct text {
    size_t size;
    char octets[2048];
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(text->octets + text->size, sizeof text->octets - text->size, format, arguments);
    va_end(arguments);
    if (n > 0)
        text->size += (size_t)n;
    if (text->size >= sizeof text->octets)
        text->size = sizeof text->octets - 1;
}

static void add_place(struct text *text, const void *address)
{
    uintptr_t offset = 0;
    const char *module = module_of(address, &offset);

    if (module != NULL) /* where the call is, not where it returns to */
        add(text, " %s+0x%lx", *module != '\0' ? module : "usi-tunnel", (unsigned long)offset - 1);
}

/* One write, so that lines of several threads stay whole. */
static void put(struct text *text)
{
    add(text, "\n");
    if (write(settings.fd, text->octets, text->size) < 0)
        return; /* the runner misses it */
}

/* ---- what is not freed yet ---- */

struct node {
    void *block, *site;
    size_t size;
    uint32_t next;
    enum owner owner;
};

static struct {
    atomic_flag taken;
    uint32_t buckets[BUCKETS], unused, used;
    struct node nodes[NODES]; /* 0 is none */
    void *frames[NODES][FRAMES];
    void *sites[SITES];
} live = {.taken = ATOMIC_FLAG_INIT};

static void lock(void)
{
    while (atomic_flag_test_and_set(&live.taken))
        (void)sched_yield();
}

static void unlock(void)
{
    atomic_flag_clear(&live.taken);
}

static uint32_t *bucket_of(const void *block)
{
    return &live.buckets[((uintptr_t)block >> 4) * 2654435761u % BUCKETS];
}

static void forget(const void *block)
{
    if (!settings.on || block == NULL)
        return;
    lock();
    for (uint32_t *at = bucket_of(block); *at != 0; at = &live.nodes[*at].next) {
        uint32_t found = *at;
        if (live.nodes[found].block != block)
            continue;
        *at = live.nodes[found].next;
        live.nodes[found].next = live.unused;
        live.unused = found;
        break;
    }
    unlock();
}

static uint32_t new_node(void)
{
    uint32_t n = live.unused;

    if (n != 0)
        live.unused = live.nodes[n].next;
    else if (live.used + 1 < NODES)
        n = ++live.used;
    return n;
}

static void *keep(void *block, size_t size, void *caller)
{
    enum owner owner;

    if (!settings.on || inside || block == NULL || (owner = owner_of(caller)) == OTHERS)
        return block;
    forget(block); /* libcrypto had it from malloc(), and we have it from libcrypto */
    lock();
    uint32_t n = new_node(), *bucket = bucket_of(block);
    if (n != 0) {
        live.nodes[n] = (struct node){block, caller, size, *bucket, owner};
        *bucket = n;
    }
    unlock();
    if (n != 0 && settings.trace) {
        inside = true;
        int count = backtrace(live.frames[n], FRAMES);
        for (; count < FRAMES; count++)
            live.frames[n][count] = NULL;
        inside = false;
    }
    return block;
}

static void report_live(void)
{
    for (uint32_t b = 0; b < BUCKETS; b++)
        for (uint32_t n = live.buckets[b]; n != 0; n = live.nodes[n].next) {
            const struct node *node = &live.nodes[n];
            struct text text = {0};
            add(&text, "live %s %zu", owners[node->owner], node->size);
            add_place(&text, node->site);
            for (int i = 1; settings.trace && i < FRAMES && live.frames[n][i] != NULL; i++)
                add_place(&text, live.frames[n][i]);
            put(&text);
        }
}

static void report_open(void)
{
    for (int fd = 0; fd < FILES; fd++) {
        struct text text = {0};
        char path[64], name[256];
        if (fd == settings.fd || settings.open[fd] || fcntl(fd, F_GETFD) < 0)
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, name, sizeof name);
        add(&text, "open %d %.*s", fd, n > 0 ? (int)n : 0, name);
        put(&text);
    }
}

static void report_end(const char *how, int number)
{
    struct text text = {0};

    if (!settings.on)
        return;
    if (crypto.clean_up != NULL)
        crypto.clean_up(); /* what libcrypto keeps until the end; exit() may have done it */
    settings.on = false;
    add(&text, "%s %d %lu", how, number, atomic_load(&counted));
    put(&text);
    report_live();
    report_open();
}

static void at_exit(int status, void *nothing)
{
    (void)nothing;
    report_end("end", status);
}

/* ---- failing ---- */

static void report_site(unsigned long n, void *caller)
{
    size_t i = 0;
    struct text text = {0};

    lock();
    while (i < SITES && live.sites[i] != NULL && live.sites[i] != caller)
        i++;
    bool found = i == SITES || live.sites[i] == caller;
    if (!found)
        live.sites[i] = caller;
    unlock();
    if (found)
        return;
    add(&text, "site %lu", n);
    add_place(&text, caller);
    put(&text);
}

static void report_failure(unsigned long n, const char *call)
{
    void *frames[FRAMES];
    struct text text = {0};

    inside = true;
    int count = backtrace(frames, FRAMES);
    add(&text, "failed %lu %s", n, call);
    for (int i = 2; i < count; i++)
        add_place(&text, frames[i]);
    put(&text);
    inside = false;
}

/* Whether this call is to fail; its errno is set then. */
static bool fails(const char *call, void *caller)
{
    enum owner owner;

    if (!settings.on || inside || (owner = owner_of(caller)) == OTHERS || !settings.whose[owner])
        return false;
    unsigned long n = atomic_fetch_add(&counted, 1) + 1;
    if (settings.trace)
        report_site(n, caller);
    if (settings.fail == 0 || n < settings.fail || (n > settings.fail && !settings.from_then_on))
        return false;
    if (n == settings.fail)
        report_failure(n, call);
    errno = ENOMEM;
    return true;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("TORTURE_REPORT"), *fail = getenv("TORTURE_FAIL");
    const char *on = getenv("TORTURE_ON"), *whose = getenv("TORTURE_WHOSE");
    const char *trace = getenv("TORTURE_TRACE");
    void *frames[1];
    int fd;

    FIND(crypto.malloc, "CRYPTO_malloc");
    FIND(crypto.zalloc, "CRYPTO_zalloc");
    FIND(crypto.secure_malloc, "CRYPTO_secure_malloc");
    FIND(crypto.secure_zalloc, "CRYPTO_secure_zalloc");
    FIND(crypto.realloc, "CRYPTO_realloc");
    FIND(crypto.clear_realloc, "CRYPTO_clear_realloc");
    FIND(crypto.memdup, "CRYPTO_memdup");
    FIND(crypto.strdup, "CRYPTO_strdup");
    FIND(crypto.strndup, "CRYPTO_strndup");
    FIND(crypto.secure_free, "CRYPTO_secure_free");
    FIND(crypto.secure_clear_free, "CRYPTO_secure_clear_free");
    FIND(crypto.clean_up, "OPENSSL_cleanup");
    FIND(crypto.set_mem_functions, "CRYPTO_set_mem_functions");
    FIND(libc.realpath, "realpath");
    FIND(libc.fdopendir, "fdopendir");
    FIND(libc.fopen, "fopen");
    FIND(libc.getaddrinfo, "getaddrinfo");
    FIND(libc.pthread_create, "pthread_create");
    FIND(libc.raise, "raise");
    FIND(libc.exit_at_once, "_exit");
    FIND(libc.abort, "abort");
    if (path == NULL || (fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
        return;
    for (int i = 0; i < FILES; i++)
        settings.open[i] = i <= STDERR_FILENO || fcntl(i, F_GETFD) >= 0;
    settings.fd = fcntl(fd, F_DUPFD_CLOEXEC, REPORT_FD);
    (void)close(fd);
    settings.fail = fail != NULL ? strtoul(fail, NULL, 10) : 0;
    settings.from_then_on = on != NULL && *on == '1';
    settings.trace = trace != NULL && *trace == '1';
    for (int i = 0; i < OTHERS; i++)
        settings.whose[i] = strstr(whose != NULL ? whose : "program,provider,libuv", owners[i]);
    (void)backtrace(frames, 1);                                    /* loads what it needs */
    settings.on = settings.fd >= 0 && on_exit(at_exit, NULL) == 0; /* after all destructors */
}

/* ---- libc ---- */

void *malloc(size_t size)
{
    return fails("malloc", CALLER) ? NULL : keep(__libc_malloc(size), size, CALLER);
}

void *calloc(size_t count, size_t size)
{
    return fails("calloc", CALLER) ? NULL : keep(__libc_calloc(count, size), count * size, CALLER);
}

static void *resize(void *block, size_t size, void *caller)
{
    void *moved;

    forget(block); /* before another thread can be given it */
    moved = __libc_realloc(block, size);
    (void)keep(moved == NULL && size > 0 ? block : moved, size, caller);
    return moved;
}

void *realloc(void *block, size_t size)
{
    return fails("realloc", CALLER) ? NULL : resize(block, size, CALLER);
}

void *reallocarray(void *block, size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return fails("reallocarray", CALLER) ? NULL : resize(block, count * size, CALLER);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails("aligned_alloc", CALLER) ? NULL
                                          : keep(__libc_memalign(alignment, size), size, CALLER);
}

void *memalign(size_t alignment, size_t size)
{
    return fails("memalign", CALLER) ? NULL : keep(__libc_memalign(alignment, size), size, CALLER);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *found = fails("posix_memalign", CALLER)
                      ? NULL
                      : keep(__libc_memalign(alignment, size), size, CALLER);

    if (found == NULL)
        return ENOMEM;
    *block = found;
    return 0;
}

static char *copy_of(const char *text, size_t size, void *caller)
{
    char *copy = keep(__libc_malloc(size + 1), size + 1, caller);

    if (copy != NULL) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

char *strdup(const char *text)
{
    return fails("strdup", CALLER) ? NULL : copy_of(text, strlen(text), CALLER);
}

char *strndup(const char *text, size_t size)
{
    return fails("strndup", CALLER) ? NULL : copy_of(text, strnlen(text, size), CALLER);
}

void free(void *block)
{
    int error = errno;

    forget(block);
    __libc_free(block);
    errno = error;
}

/* What a program's `-D_FORTIFY_SOURCE` makes of realpath(path, NULL) is realpath. */
char *realpath(const char *path, char *resolved)
{
    return fails("realpath", CALLER) ? NULL : keep(libc.realpath(path, resolved), 1, CALLER);
}

DIR *fdopendir(int fd)
{
    return fails("fdopendir", CALLER) ? NULL : libc.fdopendir(fd);
}

FILE *fopen(const char *path, const char *mode)
{
    return fails("fopen", CALLER) ? NULL : libc.fopen(path, mode);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    return fails("getaddrinfo", CALLER) ? EAI_MEMORY
                                        : libc.getaddrinfo(host, service, hints, found);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    uintptr_t offset;
    const char *module = module_of(CALLER, &offset);

    /* libuv's pool of threads ends the process when it cannot be made. */
    if (module != NULL && *module == '\0' && fails("pthread_create", CALLER))
        return EAGAIN;
    return libc.pthread_create(thread, attributes, run, argument);
}

/* ---- other ends than exit() ---- */

int raise(int number)
{
    report_end("killed", number);
    return libc.raise(number);
}

void _exit(int status)
{
    report_end("_exit", status);
    libc.exit_at_once(status);
    __builtin_unreachable();
}

void abort(void)
{
    struct text text = {0};

    if (settings.on) {
        add(&text, "abort");
        add_place(&text, CALLER);
        put(&text);
    }
    libc.abort();
    __builtin_unreachable();
}

/* ---- libcrypto ---- */

void *CRYPTO_malloc(size_t size, const char *file, int line)
{
    return fails("CRYPTO_malloc", CALLER) ? NULL
                                          : keep(crypto.malloc(size, file, line), size, CALLER);
}

void *CRYPTO_zalloc(size_t size, const char *file, int line)
{
    return fails("CRYPTO_zalloc", CALLER) ? NULL
                                          : keep(crypto.zalloc(size, file, line), size, CALLER);
}

void *CRYPTO_realloc(void *block, size_t size, const char *file, int line)
{
    return fails("CRYPTO_realloc", CALLER)
               ? NULL
               : keep(crypto.realloc(block, size, file, line), size, CALLER);
}

void *CRYPTO_clear_realloc(void *block, size_t old, size_t size, const char *file, int line)
{
    return fails("CRYPTO_clear_realloc", CALLER)
               ? NULL
               : keep(crypto.clear_realloc(block, old, size, file, line), size, CALLER);
}

void *CRYPTO_memdup(const void *data, size_t size, const char *file, int line)
{
    return fails("CRYPTO_memdup", CALLER)
               ? NULL
               : keep(crypto.memdup(data, size, file, line), size, CALLER);
}

char *CRYPTO_strdup(const char *text, const char *file, int line)
{
    return fails("CRYPTO_strdup", CALLER) ? NULL : keep(crypto.strdup(text, file, line), 1, CALLER);
}

char *CRYPTO_strndup(const char *text, size_t size, const char *file, int line)
{
    return fails("CRYPTO_strndup", CALLER)
               ? NULL
               : keep(crypto.strndup(text, size, file, line), 1, CALLER);
}

void *CRYPTO_secure_malloc(size_t size, const char *file, int line)
{
    return fails("CRYPTO_secure_malloc", CALLER)
               ? NULL
               : keep(crypto.secure_malloc(size, file, line), size, CALLER);
}

void *CRYPTO_secure_zalloc(size_t size, const char *file, int line)
{
    return fails("CRYPTO_secure_zalloc", CALLER)
               ? NULL
               : keep(crypto.secure_zalloc(size, file, line), size, CALLER);
}

void CRYPTO_secure_free(void *block, const char *file, int line)
{
    forget(block);
    crypto.secure_free(block, file, line);
}

void CRYPTO_secure_clear_free(void *block, size_t size, const char *file, int line)
{
    forget(block);
    crypto.secure_clear_free(block, size, file, line);
}

/* ---- the program's allocator for libcrypto ---- */

static struct {
    CRYPTO_malloc_fn malloc;
    CRYPTO_realloc_fn realloc;
} hooks;

static void *hooked_malloc(size_t size, const char *file, int line)
{
    hooked = true;
    void *block = hooks.malloc(size, file, line);
    hooked = false;
    return block;
}

static void *hooked_realloc(void *block, size_t size, const char *file, int line)
{
    hooked = true;
    void *moved = hooks.realloc(block, size, file, line);
    hooked = false;
    return moved;
}

int CRYPTO_set_mem_functions(CRYPTO_malloc_fn malloc_fn, CRYPTO_realloc_fn realloc_fn,
                             CRYPTO_free_fn free_fn)
{
    hooks.malloc = malloc_fn;
    hooks.realloc = realloc_fn;
    if (crypto.set_mem_functions(hooked_malloc, hooked_realloc, free_fn) != 1)
        return 0;
    /* OPENSSL_cleanup() does nothing if the program ends before libcrypto has begun. */
    return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS, NULL);
}
