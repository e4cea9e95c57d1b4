#include "tree.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each test runs in a process of its own. */
static char base[] = "/tmp/usi-files-XXXXXX";
static EVP_MD *sha256;
static size_t counted;

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts;
    (void)kind;
    (void)place;
    return remove(path);
}

static int open_one(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts;
    (void)place;
    if (kind == FTW_D || kind == FTW_DNR)
        (void)chmod(path, 0700);
    return 0;
}

void tree_begin(void)
{
    (void)umask(022);
    ck_assert_ptr_nonnull(mkdtemp(base));
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ck_assert_ptr_nonnull(sha256);
}

void tree_end(void)
{
    if (geteuid() != getuid())
        ck_assert_int_eq(seteuid(getuid()), 0);
    /* NOLINTBEGIN(concurrency-mt-unsafe): one thread */
    (void)nftw(base, open_one, 32, FTW_PHYS);
    (void)nftw(base, remove_one, 32, FTW_DEPTH | FTW_PHYS);
    /* NOLINTEND(concurrency-mt-unsafe) */
    ck_assert_int_ne(access(base, F_OK), 0);
    EVP_MD_free(sha256);
}

EVP_MD *tree_sha256(void)
{
    return sha256;
}

void tree_hash(const void *octets, size_t size, uint8_t hash[TREE_HASH])
{
    ck_assert_int_eq(EVP_Digest(octets, size, hash, NULL, sha256, NULL), 1);
}

const char *tree_path(const char *name)
{
    static char paths[8][TREE_PATH];
    static size_t next;
    char *path = paths[next++ % 8];

    ck_assert_int_lt(snprintf(path, TREE_PATH, "%s/%s", base, name), TREE_PATH);
    return path;
}

void tree_folder(const char *name, mode_t mode)
{
    ck_assert_int_eq(mkdir(tree_path(name), 0700), 0);
    ck_assert_int_eq(chmod(tree_path(name), mode), 0);
}

void tree_file(const char *name, const void *octets, size_t size, mode_t mode)
{
    int fd = open(tree_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, octets, size), (ssize_t)size);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(close(fd), 0);
}

void tree_text(const char *name, const char *text)
{
    tree_file(name, text, strlen(text), 0644);
}

void tree_link(const char *target, const char *name)
{
    ck_assert_int_eq(symlink(target, tree_path(name)), 0);
}

void tree_pipe(const char *name)
{
    ck_assert_int_eq(mkfifo(tree_path(name), 0600), 0);
}

void tree_times(const char *name, int64_t seconds, long ns)
{
    const struct timespec times[] = {{.tv_sec = (time_t)seconds, .tv_nsec = ns},
                                     {.tv_sec = (time_t)seconds, .tv_nsec = ns}};

    ck_assert_int_eq(utimensat(AT_FDCWD, tree_path(name), times, AT_SYMLINK_NOFOLLOW), 0);
}

void tree_remove(const char *name)
{
    ck_assert_int_eq(remove(tree_path(name)), 0);
}

bool tree_stat(const char *name, struct stat *facts)
{
    if (lstat(tree_path(name), facts) == 0)
        return true;
    ck_assert_int_eq(errno, ENOENT);
    return false;
}

bool tree_has(const char *name)
{
    struct stat facts;

    return tree_stat(name, &facts);
}

bool tree_is(const char *name, const void *octets, size_t size)
{
    struct stat facts;

    if (!tree_stat(name, &facts) || !S_ISREG(facts.st_mode) || (size_t)facts.st_size != size)
        return false;
    int fd = open(tree_path(name), O_RDONLY);
    char *found = malloc(size + 1);
    ck_assert(fd >= 0 && found != NULL);
    ck_assert_int_eq(read(fd, found, size + 1), (ssize_t)size);
    bool same = memcmp(found, octets, size) == 0;
    free(found);
    ck_assert_int_eq(close(fd), 0);
    return same;
}

bool tree_is_text(const char *name, const char *text)
{
    return tree_is(name, text, strlen(text));
}

static int count_one(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)path;
    (void)facts;
    (void)kind;
    counted += place->level > 0;
    return 0;
}

size_t tree_count(const char *name)
{
    counted = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    int result = nftw(tree_path(name), count_one, 32, FTW_PHYS);
    ck_assert_int_eq(result, 0);
    return counted;
}

uint64_t tree_random(uint64_t *state)
{
    *state ^= *state << 13; /* xorshift64 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

void tree_noise(uint8_t *octets, size_t size, uint64_t seed)
{
    uint64_t state = seed * 2 + 1;

    for (size_t i = 0; i < size; i++)
        octets[i] = (uint8_t)(tree_random(&state) >> 32);
}
