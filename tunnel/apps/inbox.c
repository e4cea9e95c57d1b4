#include "apps/inbox.h"

#include "apps/inbox_file.h"
#include "apps/safe_path.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct inbox {
    int root;
    struct inbox_manner manner;
    /* The folder that the last file went to, and its path: most files go where the last one went.
     */
    struct inbox_folder *last;
    size_t last_size;
    char last_path[SAFE_PATH_MAX];
};

struct inbox_folder {
    atomic_uint users;
    int fd;
};

struct inbox_folder *inbox_folder_new(int fd)
{
    struct inbox_folder *folder = calloc(1, sizeof *folder);

    if (folder == NULL) {
        (void)close(fd);
        return NULL;
    }
    atomic_init(&folder->users, 1);
    folder->fd = fd;
    return folder;
}

struct inbox_folder *inbox_folder_share(struct inbox_folder *folder)
{
    (void)atomic_fetch_add(&folder->users, 1);
    return folder;
}

void inbox_folder_free(struct inbox_folder *folder)
{
    if (folder == NULL || atomic_fetch_sub(&folder->users, 1) > 1)
        return;
    (void)close(folder->fd);
    free(folder);
}

int inbox_folder_fd(const struct inbox_folder *folder)
{
    return folder->fd;
}

/* This process's umask, without setting it: other threads make files. */
static unsigned current_umask(void)
{
    static const char label[] = "\nUmask:\t";
    char status[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, status, sizeof status - 1) : 0;

    if (fd >= 0)
        (void)close(fd);
    status[size > 0 ? size : 0] = '\0';
    const char *at = strstr(status, label);
    return at != NULL ? (unsigned)strtoul(at + sizeof label - 1, NULL, 8) & 0777 : 0077;
}

struct inbox *inbox_new(const char *folder, bool overwrite, EVP_MD *sha256, char *why, size_t size)
{
    struct inbox *inbox = calloc(1, sizeof *inbox);

    if (inbox == NULL) {
        (void)snprintf(why, size, text("out of memory"));
        return NULL;
    }
    inbox->manner =
        (struct inbox_manner){.sha256 = sha256, .overwrite = overwrite, .umask = current_umask()};
    inbox->root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (inbox->root >= 0 && faccessat(inbox->root, ".", W_OK | X_OK, AT_EACCESS) == 0)
        return inbox;
    (void)snprintf(why, size, "%s cannot be received into: %s", folder, transfer_error_text(errno));
    inbox_free(inbox);
    return NULL;
}

void inbox_free(struct inbox *inbox)
{
    if (inbox == NULL)
        return;
    inbox_folder_free(inbox->last);
    if (inbox->root >= 0)
        (void)close(inbox->root);
    free(inbox);
}

/* ---- entries ---- */

void inbox_file_skip(struct inbox_answer *answer, enum transfer_reason reason, const char *text)
{
    answer->what = INBOX_SKIP;
    answer->reason = reason;
    (void)snprintf(answer->text, sizeof answer->text, "%s", text);
}

void inbox_file_skip_errno(struct inbox_answer *answer)
{
    answer->what = INBOX_SKIP;
    answer->reason = TRANSFER_WRITE;
    (void)snprintf(answer->text, sizeof answer->text, text("cannot be written: %s"),
                   transfer_error_text(errno));
}

/* Why a folder of the path cannot be used, from errno. */
static void skip_unopened(struct inbox_answer *answer)
{
    if (errno == ENOTDIR)
        inbox_file_skip(answer, TRANSFER_EXISTS,
                        text("something that is no folder is in the place of one"));
    else
        inbox_file_skip_errno(answer);
}

/* False with the answer if the entry can be none. */
static bool judge(const struct transfer_entry *entry, struct inbox_answer *answer)
{
    const char *wrong = safe_path_judge(entry->path, entry->path_size);
    const uint64_t most = entry->kind == TRANSFER_FILE ? INT64_MAX : 0;

    if (wrong != NULL)
        inbox_file_skip(answer, TRANSFER_NAME, wrong);
    else if (entry->kind < TRANSFER_FILE || entry->kind > TRANSFER_FOLDER_END)
        inbox_file_skip(answer, TRANSFER_KIND, transfer_reason_text(TRANSFER_KIND));
    else if ((entry->mode & ~(uint32_t)TRANSFER_MODE) != 0 || entry->mtime_ns >= 1000000000 ||
             entry->size > most)
        inbox_file_skip(answer, TRANSFER_KIND, text("has a mode, time or size that cannot be"));
    else
        return true;
    return false;
}

/* The folder that holds path; its last component in name. To be freed, or
 * NULL with errno. */
static struct inbox_folder *folder_of(struct inbox *inbox, const char *path, size_t size,
                                      char name[SAFE_PATH_NAME + 1])
{
    const char *slash = memrchr(path, '/', size);
    size_t parent = slash != NULL ? (size_t)(slash - path) : 0;

    if (inbox->last != NULL && inbox->last_size == parent &&
        memcmp(inbox->last_path, path, parent) == 0) {
        size_t from = slash != NULL ? parent + 1 : 0;
        memcpy(name, path + from, size - from); /* judged: at most SAFE_PATH_NAME */
        name[size - from] = '\0';
        return inbox_folder_share(inbox->last);
    }
    int fd = safe_path_open_parent(inbox->root, path, size, name);
    if (fd < 0)
        return NULL;
    inbox_folder_free(inbox->last);
    inbox->last = inbox_folder_new(fd);
    if (inbox->last == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    memcpy(inbox->last_path, path, parent);
    inbox->last_size = parent;
    return inbox_folder_share(inbox->last);
}

/* Makes a folder that we can write to, with the mode it will have otherwise. One that is there is
 * left as it is: opening it to others is not the sender's to decide. */
static void make_folder(int parent, const char *name, uint32_t mode, struct inbox_answer *answer)
{
    struct stat facts;

    if (mkdirat(parent, name, (mode & 0777) | 0700) == 0) {
        answer->made = true;
        if (fsync(parent) != 0 && errno != EINVAL) /* some file systems know none for folders */
            skip_unopened(answer);
        else
            inbox_file_skip(answer, TRANSFER_KEPT, "");
        return;
    }
    if (errno == EEXIST && fstatat(parent, name, &facts, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(facts.st_mode)) {
            inbox_file_skip(answer, TRANSFER_KEPT, "");
            return;
        }
        errno = ENOTDIR;
    }
    skip_unopened(answer);
}

struct inbox_file *inbox_entry(struct inbox *inbox, const struct transfer_entry *entry,
                               struct inbox_answer *answer)
{
    char name[SAFE_PATH_NAME + 1];
    struct inbox_file *file = NULL;

    *answer = (struct inbox_answer){.what = INBOX_SKIP};
    if (!judge(entry, answer) || entry->kind == TRANSFER_FOLDER_END)
        return NULL;
    struct inbox_folder *folder = folder_of(inbox, entry->path, entry->path_size, name);
    if (folder == NULL) {
        skip_unopened(answer);
        return NULL;
    }
    if (entry->kind == TRANSFER_FILE)
        file = inbox_file_new(&inbox->manner, folder, name, entry, answer);
    else
        make_folder(folder->fd, name, entry->mode, answer);
    inbox_folder_free(folder);
    return file;
}

/* One that we made. Returns 0, or -1 with errno. */
static int finish_folder(int fd, const struct transfer_entry *entry, unsigned mask)
{
    const struct timespec times[] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)entry->mtime, .tv_nsec = (long)entry->mtime_ns},
    };
    const unsigned mode = entry->mode & 0777 & ~mask;
    struct stat facts;

    if (fstat(fd, &facts) != 0)
        return -1;
    if (mode != (facts.st_mode & 0777) && fchmod(fd, (facts.st_mode & 07000) | mode) != 0 &&
        errno != EPERM)
        return -1;
    if (futimens(fd, times) != 0 && errno != EPERM)
        return -1;
    return fsync(fd) != 0 && errno != EINVAL ? -1 : 0;
}

enum transfer_reason inbox_folder_end(struct inbox *inbox, const struct transfer_entry *entry,
                                      bool made, char text[TRANSFER_TEXT])
{
    struct inbox_answer answer = {.what = INBOX_SKIP};

    if (judge(entry, &answer) && made) {
        int fd = safe_path_open(inbox->root, entry->path, entry->path_size);
        if (fd < 0 || finish_folder(fd, entry, inbox->manner.umask) != 0)
            skip_unopened(&answer);
        if (fd >= 0)
            (void)close(fd);
    }
    (void)snprintf(text, TRANSFER_TEXT, "%s", answer.text);
    return answer.reason;
}
