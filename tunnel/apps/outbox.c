#include "apps/outbox.h"

#include "apps/outbox_file.h"
#include "apps/safe_path.h"
#include "text/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SURVEY_STEP = 512 };

/* What was named on the command line. */
struct thing {
    char *path; /* absolute, no link in it */
    char *name; /* that it is announced under */
};

struct outbox {
    EVP_MD *sha256;
    size_t count;
    struct thing *things; /* sorted by name, each name once */
};

/* A folder that a walk is in. */
struct frame {
    DIR *dir;
    bool broken; /* cannot be read on */
    size_t path_size;
    struct stat facts;
};

struct outbox_walk {
    const struct outbox *outbox;
    size_t next; /* thing */
    uint32_t index;
    size_t depth; /* of frames in use */
    size_t path_size;
    bool starved; /* something was left out for want of memory */
    char path[SAFE_PATH_MAX + 1 + NAME_MAX + 1];
    struct frame frame[SAFE_PATH_DEPTH];
};

/* ---- what was named ---- */

/* The name that `given`, which is `path` in truth, is announced under; for free. */
static char *name_of(const char *given, const char *path)
{
    size_t end = strlen(given), from;

    while (end > 0 && given[end - 1] == '/')
        end--;
    for (from = end; from > 0 && given[from - 1] != '/';)
        from--;
    size_t size = end - from;
    if (size == 0 || (size <= 2 && memcmp(given + from, "..", size) == 0))
        return strdup(strrchr(path, '/') + 1);
    return strndup(given + from, size);
}

/* Fills the thing in. Returns 0, or -1 with a line in why. */
static int take(struct thing *thing, const char *given, char *why, size_t size)
{
    struct stat facts;

    thing->path = realpath(given, NULL);
    if (thing->path == NULL || stat(thing->path, &facts) != 0 ||
        faccessat(AT_FDCWD, thing->path, R_OK, AT_EACCESS) != 0) {
        (void)snprintf(why, size, "%s cannot be read: %s", given, transfer_error_text(errno));
        return -1;
    }
    if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode)) {
        (void)snprintf(why, size, "%s is neither a file nor a folder", given);
        return -1;
    }
    thing->name = name_of(given, thing->path);
    if (thing->name == NULL) {
        (void)snprintf(why, size, text("out of memory"));
        return -1;
    }
    const char *wrong = safe_path_judge(thing->name, strlen(thing->name));
    if (wrong != NULL) {
        (void)snprintf(why, size, text("%s cannot be sent: %s"), given, wrong);
        return -1;
    }
    return 0;
}

static int compare(const void *left, const void *right)
{
    const struct thing *a = left, *b = right;
    int order = strcmp(a->name, b->name);

    return order != 0 ? order : strcmp(a->path, b->path);
}

static void free_thing(struct thing *thing)
{
    free(thing->path);
    free(thing->name);
    *thing = (struct thing){NULL, NULL};
}

/* Sorts the things and leaves one of each. Returns -1 if two different ones have one name. */
static int sort_out(struct outbox *outbox, char *why, size_t size)
{
    struct thing *things = outbox->things;
    size_t kept = 1;

    qsort(things, outbox->count, sizeof *things, compare);
    for (size_t i = 1; i < outbox->count; i++) {
        struct thing *before = &things[kept - 1];
        if (strcmp(before->name, things[i].name) != 0) {
            struct thing moved = things[i];
            things[i] = (struct thing){NULL, NULL};
            things[kept++] = moved;
        } else if (strcmp(before->path, things[i].path) == 0) {
            free_thing(&things[i]);
        } else {
            (void)snprintf(why, size, "%s and %s would both arrive as %s: send them separately",
                           before->path, things[i].path, before->name);
            return -1;
        }
    }
    outbox->count = kept;
    return 0;
}

/* Names may hold newlines; what is wrong is one line. */
static void make_one_line(char *why)
{
    for (char *at = why; (at = strchr(at, '\n')) != NULL;)
        *at = '?';
}

struct outbox *outbox_new(const char *const *names, size_t count, EVP_MD *sha256, char *why,
                          size_t size)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);

    (void)snprintf(why, size, "%s", count == 0 ? text("nothing was named") : text("out of memory"));
    if (outbox == NULL || count == 0 ||
        (outbox->things = calloc(count, sizeof *outbox->things)) == NULL) {
        free(outbox);
        return NULL;
    }
    outbox->sha256 = sha256;
    for (; outbox->count < count; outbox->count++)
        if (take(&outbox->things[outbox->count], names[outbox->count], why, size) != 0) {
            free_thing(&outbox->things[outbox->count]);
            break;
        }
    if (outbox->count < count || sort_out(outbox, why, size) != 0) {
        make_one_line(why);
        outbox_free(outbox);
        return NULL;
    }
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    for (size_t i = 0; i < outbox->count; i++)
        free_thing(&outbox->things[i]);
    free(outbox->things);
    free(outbox);
}

size_t outbox_count(const struct outbox *outbox)
{
    return outbox->count;
}

const char *outbox_name(const struct outbox *outbox)
{
    return outbox->count == 1 ? outbox->things[0].name : "";
}

/* ---- the walk ---- */

struct outbox_walk *outbox_walk_new(const struct outbox *outbox)
{
    struct outbox_walk *walk = calloc(1, sizeof *walk);

    if (walk != NULL)
        walk->outbox = outbox;
    return walk;
}

void outbox_walk_free(struct outbox_walk *walk)
{
    if (walk == NULL)
        return;
    while (walk->depth > 0)
        (void)closedir(walk->frame[--walk->depth].dir);
    free(walk);
}

static enum outbox_step leave_out(char *why, size_t size, const char *text)
{
    (void)snprintf(why, size, "%s", text);
    return OUTBOX_LEFT_OUT;
}

static enum outbox_step leave_unread(struct outbox_walk *walk, char *why, size_t size)
{
    walk->starved |= errno == ENOMEM;
    (void)snprintf(why, size, text("cannot be read: %s"), transfer_error_text(errno));
    return OUTBOX_LEFT_OUT;
}

static enum outbox_step announce(struct outbox_walk *walk, struct transfer_entry *entry,
                                 enum transfer_kind kind, const struct stat *facts)
{
    entry->index = walk->index++;
    entry->kind = kind;
    entry->mode = facts->st_mode & TRANSFER_MODE;
    entry->mtime = facts->st_mtim.tv_sec;
    entry->mtime_ns = (uint32_t)facts->st_mtim.tv_nsec;
    entry->size = kind == TRANSFER_FILE ? (uint64_t)facts->st_size : 0;
    return OUTBOX_OK;
}

/* Opens the folder `name` and makes it the walk's top frame. 0, or -1 with errno. */
static int enter(struct outbox_walk *walk, int at, const char *name)
{
    struct frame *frame = &walk->frame[walk->depth];
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -1;
    if (fstat(fd, &frame->facts) != 0 || (frame->dir = fdopendir(fd)) == NULL) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    frame->broken = false;
    frame->path_size = walk->path_size;
    walk->depth++;
    return 0;
}

static const char *kind_text(mode_t mode)
{
    return S_ISLNK(mode)                    ? text("is a symbolic link")
           : S_ISFIFO(mode)                 ? text("is a named pipe")
           : S_ISSOCK(mode)                 ? text("is a socket")
           : S_ISCHR(mode) || S_ISBLK(mode) ? text("is a device")
                                            : text("is neither a file nor a folder");
}

/* Announces `name` in the folder `at`, which walk->path is. */
static enum outbox_step visit(struct outbox_walk *walk, int at, const char *name,
                              struct transfer_entry *entry, char *why, size_t size)
{
    struct stat facts;

    entry->path = walk->path;
    entry->path_size = walk->path_size;
    const char *wrong = safe_path_judge(walk->path, walk->path_size);
    if (wrong != NULL)
        return leave_out(why, size, wrong);
    if (fstatat(at, name, &facts, AT_SYMLINK_NOFOLLOW) != 0)
        return leave_unread(walk, why, size);
    if (S_ISREG(facts.st_mode)) {
        if (faccessat(at, name, R_OK, AT_EACCESS) != 0)
            return leave_unread(walk, why, size);
        return announce(walk, entry, TRANSFER_FILE, &facts);
    }
    if (!S_ISDIR(facts.st_mode))
        return leave_out(why, size, kind_text(facts.st_mode));
    if (enter(walk, at, name) != 0)
        return leave_unread(walk, why, size);
    return announce(walk, entry, TRANSFER_FOLDER, &walk->frame[walk->depth - 1].facts);
}

static enum outbox_step leave_folder(struct outbox_walk *walk, struct transfer_entry *entry)
{
    struct frame *frame = &walk->frame[--walk->depth];

    (void)closedir(frame->dir);
    entry->path = walk->path;
    entry->path_size = frame->path_size;
    return announce(walk, entry, TRANSFER_FOLDER_END, &frame->facts);
}

/* The next name in the folder that is not "." or "..", or NULL with errno (0: the end). */
static const char *next_name(DIR *dir)
{
    const struct dirent *found;

    do {
        errno = 0;
        found = readdir(dir); /* NOLINT(concurrency-mt-unsafe): the stream is one thread's */
    } while (found != NULL &&
             (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0));
    return found != NULL ? found->d_name : NULL;
}

static enum outbox_step next_inside(struct outbox_walk *walk, struct transfer_entry *entry,
                                    char *why, size_t size)
{
    struct frame *frame = &walk->frame[walk->depth - 1];
    const char *name = frame->broken ? NULL : next_name(frame->dir);

    if (name != NULL) {
        int length = snprintf(walk->path + frame->path_size, sizeof walk->path - frame->path_size,
                              "/%s", name);
        walk->path_size = frame->path_size + (length > 0 ? (size_t)length : 0);
        return visit(walk, dirfd(frame->dir), name, entry, why, size);
    }
    if (frame->broken || errno == 0)
        return leave_folder(walk, entry);
    frame->broken = true;
    entry->path = walk->path;
    entry->path_size = frame->path_size;
    return leave_unread(walk, why, size);
}

enum outbox_step outbox_next(struct outbox_walk *walk, struct transfer_entry *entry, char *why,
                             size_t size)
{
    if (walk->depth > 0)
        return next_inside(walk, entry, why, size);
    if (walk->next == walk->outbox->count)
        return OUTBOX_END;
    const struct thing *thing = &walk->outbox->things[walk->next++];
    int length = snprintf(walk->path, sizeof walk->path, "%s", thing->name);
    walk->path_size = length > 0 ? (size_t)length : 0;
    return visit(walk, AT_FDCWD, thing->path, entry, why, size);
}

static void count(struct outbox_totals *totals, const struct transfer_entry *entry)
{
    if (entry->kind == TRANSFER_FOLDER)
        totals->folders++;
    if (entry->kind != TRANSFER_FILE)
        return;
    totals->files++;
    totals->octets += entry->size; /* sparse files may claim anything */
    if (totals->octets < entry->size)
        totals->octets = UINT64_MAX;
}

enum outbox_step outbox_survey(struct outbox_walk *walk, struct outbox_totals *totals)
{
    struct transfer_entry entry;
    char why[TRANSFER_TEXT];

    for (int i = 0; i < SURVEY_STEP; i++) {
        enum outbox_step step = outbox_next(walk, &entry, why, sizeof why);
        if (step == OUTBOX_END)
            return step;
        if (step == OUTBOX_OK)
            count(totals, &entry);
        else if (walk->starved) /* what is offered would be less than is there */
            return OUTBOX_FAILED;
        else
            totals->left_out++;
    }
    return OUTBOX_MORE;
}

/* ---- opening ---- */

static int compare_name(const void *name, const void *right)
{
    const struct thing *thing = right;

    return strcmp(name, thing->name);
}

/* The thing that the first component of path names, or NULL. *rest is what follows its slash. */
static const struct thing *find(const struct outbox *outbox, const char *path, size_t size,
                                size_t *rest)
{
    char name[SAFE_PATH_NAME + 1];
    const char *slash = memchr(path, '/', size);
    size_t length = slash != NULL ? (size_t)(slash - path) : size;

    if (length > SAFE_PATH_NAME)
        return NULL;
    memcpy(name, path, length);
    name[length] = '\0';
    *rest = slash != NULL ? length + 1 : size;
    return bsearch(name, outbox->things, outbox->count, sizeof *outbox->things, compare_name);
}

/* A descriptor for reading, or -1 with errno. A link is not followed, a pipe not waited for. */
static int open_announced(const struct outbox *outbox, const char *path, size_t size)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    char name[SAFE_PATH_NAME + 1];
    size_t rest;
    const struct thing *thing =
        safe_path_judge(path, size) == NULL ? find(outbox, path, size, &rest) : NULL;

    if (thing == NULL) {
        errno = ENOENT;
        return -1;
    }
    if (rest == size)
        return open(thing->path, flags);
    int root = open(thing->path, flags | O_DIRECTORY);
    if (root < 0)
        return -1;
    int parent = safe_path_open_parent(root, path + rest, size - rest, name);
    int fd = parent >= 0 ? openat(parent, name, flags) : -1;
    int error = errno;
    if (parent >= 0)
        (void)close(parent);
    (void)close(root);
    errno = error;
    return fd;
}

struct outbox_file *outbox_open(const struct outbox *outbox, const struct transfer_entry *entry,
                                enum transfer_reason *reason, char *why, size_t size)
{
    int fd = open_announced(outbox, entry->path, entry->path_size);

    if (fd < 0) {
        *reason = TRANSFER_READ;
        (void)snprintf(why, size, text("cannot be opened: %s"), transfer_error_text(errno));
        return NULL;
    }
    return outbox_file_new(fd, entry, outbox->sha256, reason, why, size);
}
