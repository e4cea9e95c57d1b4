#include "cli/file.h"
#include "cli/peers_parse.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TEXT_MAX = 1 << 20,
    PLACE_MAX = 512, /* a place as it is written, and its NUL */
    LOCK_TRIES = 100,
    LOCK_PAUSE_MS = 10
};

struct peers_known {
    char path[PATH_MAX]; /* empty: there is no folder for it */
};

struct peers_known *peers_known_new(void)
{
    struct peers_known *known = calloc(1, sizeof *known);
    const char *state = secure_getenv("XDG_STATE_HOME"), *home = secure_getenv("HOME");
    int length = 0;

    if (known == NULL)
        return NULL;
    /* The XDG specification says to ignore what is not absolute. */
    if (state != NULL && *state == '/')
        length = snprintf(known->path, sizeof known->path, "%s/usi/known", state);
    else if (home != NULL && *home == '/')
        length = snprintf(known->path, sizeof known->path, "%s/.local/state/usi/known", home);
    if (length < 0 || (size_t)length >= sizeof known->path)
        known->path[0] = '\0';
    return known;
}

void peers_known_free(struct peers_known *known)
{
    free(known);
}

const char *peers_known_file(const struct peers_known *known)
{
    return known->path[0] != '\0' ? known->path
                                  : text("(neither HOME nor XDG_STATE_HOME names a folder)");
}

/* `what` is looked up, unless it was composed from what was. */
static int fail(const struct peers_known *known, char *why, size_t size, const char *what)
{
    (void)snprintf(why, size, text("remembered peers: %.400s %s"), peers_known_file(known),
                   text(what));
    return -1;
}

/* ---- the file ---- */

/* A file of ours alone: what it says decides who is let in. */
static int check_file(const struct peers_known *known, int fd, char *why, size_t size)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return fail(known, why, size, file_error_text(errno));
    if (!S_ISREG(status.st_mode))
        return fail(known, why, size, TEXT("is not a regular file"));
    if (status.st_uid != geteuid())
        return fail(known, why, size, TEXT("belongs to another user"));
    if ((status.st_mode & 077) != 0)
        return fail(known, why, size, TEXT("can be read or written by others: chmod 600 it"));
    return 0;
}

/* A descriptor, or -1 with why; *absent (if not NULL) is then set where there is no such file. */
static int open_file(const struct peers_known *known, int flags, bool *absent, char *why,
                     size_t size)
{
    if (absent != NULL)
        *absent = known->path[0] == '\0';
    if (known->path[0] == '\0')
        return fail(known, why, size, TEXT("cannot hold any"));
    /* O_NONBLOCK: a named pipe in its place must not hold us up. */
    int fd = open(known->path, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0) {
        char what[240];
        if (absent != NULL)
            *absent = errno == ENOENT;
        (void)snprintf(what, sizeof what, text("cannot be opened: %s"),
                       errno == ELOOP ? text("it is a symbolic link") : file_error_text(errno));
        return fail(known, why, size, what);
    }
    if (check_file(known, fd, why, size) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Reads from its start; the text, for free(), ends with a NUL. */
static char *read_text(const struct peers_known *known, int fd, char *why, size_t size)
{
    char *text = malloc(TEXT_MAX + 1);
    size_t length = 0;
    ssize_t n = 1;

    while (text != NULL && n > 0 && length < TEXT_MAX) {
        n = pread(fd, text + length, TEXT_MAX - length, (off_t)length);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            length += (size_t)n;
    }
    if (text == NULL || n < 0 || length == TEXT_MAX) {
        (void)fail(known, why, size,
                   text == NULL ? TEXT("cannot be read: out of memory")
                   : n < 0      ? TEXT("cannot be read")
                                : TEXT("is longer than 1 MiB"));
        free(text);
        return NULL;
    }
    text[length] = '\0';
    if (memchr(text, '\0', length) != NULL) {
        (void)fail(known, why, size, TEXT("holds a NUL octet"));
        free(text);
        return NULL;
    }
    return text;
}

/* ---- its lines ---- */

/* `connect ADDRESS` or `listen`. The host is written in lower case: names have no other. */
static int write_place(const struct peers_known *known, struct peers_place place,
                       char text[PLACE_MAX], char *why, size_t size)
{
    int length = place.address != NULL ? snprintf(text, PLACE_MAX, "connect %s", place.address)
                                       : snprintf(text, PLACE_MAX, "listen");
    bool name = place.address != NULL && strncmp(place.address, "unix:", 5) != 0;

    if (length < 0 || length >= PLACE_MAX)
        return fail(known, why, size, TEXT("cannot hold an address that is so long"));
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return fail(known, why, size, TEXT("cannot hold an address with control characters"));
        if (name && *c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 0x20);
    }
    return 0;
}

struct found {
    enum peers_verdict verdict;
    size_t line;
};

/* Cuts the text up. */
static int search(const struct peers_known *known, char *at, const char *place,
                  const uint8_t key[USI_FINGERPRINT], struct found *found, char *why, size_t size)
{
    bool listens = strcmp(place, "listen") == 0;
    uint8_t other[USI_FINGERPRINT];
    size_t line = 1;

    *found = (struct found){.verdict = PEERS_NEW};
    for (char *next; at != NULL; at = next, line++) {
        next = strchr(at, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (*at == '\0' || *at == '#')
            continue;
        size_t used = peers_parse(other, at, strlen(at));
        if (used == 0 || at[used] != ' ' ||
            (strcmp(at + used + 1, "listen") != 0 && strncmp(at + used + 1, "connect ", 8) != 0)) {
            char what[160];
            (void)snprintf(what, sizeof what,
                           text("is malformed in line %zu: mend or remove that line"), line);
            return fail(known, why, size, what);
        }
        if (strcmp(at + used + 1, place) != 0)
            continue;
        if (memcmp(other, key, sizeof other) == 0) {
            *found = (struct found){.verdict = PEERS_SAME, .line = line};
            continue; /* the rest is judged too: a broken line is never passed over */
        }
        if (found->verdict == PEERS_NEW && !listens)
            *found = (struct found){.verdict = PEERS_CHANGED, .line = line};
    }
    return 0;
}

static int search_file(const struct peers_known *known, int fd, const char *place,
                       const uint8_t key[USI_FINGERPRINT], struct found *found, char *why,
                       size_t size)
{
    char *text = read_text(known, fd, why, size);
    int result = text != NULL ? search(known, text, place, key, found, why, size) : -1;

    free(text);
    return result;
}

int peers_known_look(const struct peers_known *known, struct peers_place place,
                     const uint8_t key[USI_FINGERPRINT], enum peers_verdict *verdict, size_t *line,
                     char *why, size_t size)
{
    struct found found = {.verdict = PEERS_NEW};
    char text[PLACE_MAX];
    bool absent = false;
    int result = 0;

    *verdict = PEERS_NEW;
    *line = 0;
    int fd = open_file(known, O_RDONLY, &absent, why, size);
    if (fd < 0)
        return absent ? 0 : -1;
    result = write_place(known, place, text, why, size);
    if (result == 0)
        result = search_file(known, fd, text, key, &found, why, size);
    (void)close(fd);
    *verdict = found.verdict;
    *line = found.line;
    return result;
}

/* ---- writing ---- */

/* Makes the folders above the file. */
static int make_folders(const struct peers_known *known, char *why, size_t size)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s", known->path);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            char what[240];
            /* A folder above may be there and not be ours to write. */
            if (access(path, F_OK) != 0) {
                (void)snprintf(what, sizeof what, text("has no folder, and it cannot be made: %s"),
                               file_error_text(errno));
                return fail(known, why, size, what);
            }
        }
        *slash = '/';
    }
    return 0;
}

bool peers_known_folder(const struct peers_known *known, bool make, char folder[PATH_MAX])
{
    char why[240];

    if (known->path[0] == '\0')
        return false;
    if (make)
        (void)make_folders(known, why, sizeof why); /* said when there is something to remember */
    (void)snprintf(folder, PATH_MAX, "%s", known->path);
    *strrchr(folder, '/') = '\0';
    return true;
}

static int open_to_write(const struct peers_known *known, char *why, size_t size)
{
    if (known->path[0] != '\0' && make_folders(known, why, size) < 0)
        return -1;
    return open_file(known, O_RDWR | O_APPEND | O_CREAT, NULL, why, size);
}

int peers_known_prepare(const struct peers_known *known, struct peers_place place, char *why,
                        size_t size)
{
    char text[PLACE_MAX];

    if (write_place(known, place, text, why, size) < 0)
        return -1;
    int fd = open_to_write(known, why, size);
    if (fd < 0)
        return -1;
    (void)close(fd);
    return 0;
}

/* Another process of the user's may be at it; one that was stopped there must not hold us up. */
static int lock(const struct peers_known *known, int fd, char *why, size_t size)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        (void)nanosleep(&pause, NULL);
    }
    return fail(known, why, size, TEXT("cannot be locked: another process holds it"));
}

/* One write, taken back if it was not whole. */
static int append(const struct peers_known *known, int fd, const char *line, char *why, size_t size)
{
    off_t end = lseek(fd, 0, SEEK_END);
    char last = '\n', entry[PEERS_HEX + PLACE_MAX + 16], what[240];

    if (end > 0 && pread(fd, &last, 1, end - 1) != 1)
        return fail(known, why, size, TEXT("cannot be read"));
    int length = snprintf(entry, sizeof entry, "%s%s\n", last == '\n' ? "" : "\n", line);
    if (end < 0 || length < 0 || (size_t)length >= sizeof entry)
        return fail(known, why, size, TEXT("cannot be written"));
    errno = 0;
    ssize_t n = write(fd, entry, (size_t)length);
    if (n == length && fsync(fd) == 0)
        return 0;
    (void)snprintf(what, sizeof what, text("cannot be written: %s"),
                   file_error_text(errno != 0 ? errno : ENOSPC));
    if (ftruncate(fd, end) != 0)
        (void)snprintf(what, sizeof what, "%s",
                       text("could only be written in part: mend its last line"));
    return fail(known, why, size, what);
}

int peers_known_add(const struct peers_known *known, struct peers_place place,
                    const uint8_t key[USI_FINGERPRINT], char *why, size_t size)
{
    char entry[PLACE_MAX], hex[PEERS_HEX + 1], line[PEERS_HEX + PLACE_MAX + 8];
    struct found found;

    if (write_place(known, place, entry, why, size) < 0)
        return -1;
    int fd = open_to_write(known, why, size);
    if (fd < 0)
        return -1;
    int result = lock(known, fd, why, size);
    if (result == 0)
        result = search_file(known, fd, entry, key, &found, why, size);
    if (result == 0 && found.verdict == PEERS_CHANGED) {
        (void)snprintf(line, sizeof line,
                       text("has had another key for that address since, in line %zu"), found.line);
        result = fail(known, why, size, line);
    } else if (result == 0 && found.verdict == PEERS_NEW) {
        peers_hex(key, hex);
        (void)snprintf(line, sizeof line, "sha256:%s %s", hex, entry);
        result = append(known, fd, line, why, size);
    }
    if (close(fd) != 0 && result == 0) /* and with it the lock */
        result = fail(known, why, size, TEXT("cannot be written"));
    return result;
}
