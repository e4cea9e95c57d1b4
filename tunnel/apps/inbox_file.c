#include "apps/inbox_file.h"

#include "apps/file_hash.h"
#include "apps/part.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum state {
    NONE,  /* neither the file nor a part: nothing is open */
    THERE, /* fd is a file with the entry's size and time, to be verified */
    PART,  /* fd is the part, ours under its lock */
    OVER   /* kept, or failed: nothing more is written */
};

struct inbox_file {
    struct inbox_manner manner;
    struct inbox_folder *folder;
    enum state state;
    int fd;
    uint64_t size, offered; /* the entry's; where we asked the sender to begin */
    unsigned mode;
    bool was_there;
    struct file_hash *hash; /* its count is where the next octets belong */
    char text[TRANSFER_TEXT];
    char name[SAFE_PATH_NAME + 1], part[SAFE_PATH_NAME + 1];
};

/* ---- what is there ---- */

static void want(struct inbox_file *file, uint64_t offset, struct inbox_answer *answer)
{
    file->offered = offset;
    answer->what = INBOX_WANT;
    answer->offset = offset;
}

/* Closes what is open; a part without an octet in it is of no use to a later transfer. */
static void let_go(struct inbox_file *file)
{
    struct stat facts;

    if (file->fd < 0)
        return;
    if (file->state == PART && fstat(file->fd, &facts) == 0 && facts.st_size == 0)
        part_remove(inbox_folder_fd(file->folder), file->part, file->fd);
    (void)close(file->fd);
    file->fd = -1;
}

/* Looks for a part. */
static void look_for_part(struct inbox_file *file, struct inbox_answer *answer)
{
    struct part_problem problem;
    uint64_t size;

    file->fd = part_open(inbox_folder_fd(file->folder), file->part, &size, &problem);
    if (file->fd < 0 && problem.reason != TRANSFER_KEPT) {
        inbox_file_skip(answer, problem.reason, problem.text);
        return;
    }
    file->state = file->fd < 0 ? NONE : PART;
    want(file, 0, answer);
    if (file->fd >= 0 && size > 0 && size <= file->size) { /* longer: of another file */
        file->offered = size;
        answer->what = INBOX_LOOKING;
    }
}

/* Only size and time together let a sender ask for the hash of a file that is there: it must not
 * learn of others' content by their names. File systems may keep whole seconds only. */
static bool seems_equal(const struct stat *there, const struct transfer_entry *entry)
{
    return S_ISREG(there->st_mode) && (uint64_t)there->st_size == entry->size &&
           there->st_mtim.tv_sec == entry->mtime &&
           (there->st_mtim.tv_nsec == (long)entry->mtime_ns || there->st_mtim.tv_nsec == 0);
}

/* Opens a file that seems equal, if it still does. */
static bool open_there(struct inbox_file *file, const struct transfer_entry *entry)
{
    struct stat facts;
    int fd = openat(inbox_folder_fd(file->folder), file->name,
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return false;
    if (fstat(fd, &facts) != 0 || !seems_equal(&facts, entry)) {
        (void)close(fd);
        return false;
    }
    file->fd = fd;
    file->state = THERE;
    return true;
}

static void skip_existing(struct inbox_answer *answer)
{
    inbox_file_skip(answer, TRANSFER_EXISTS, transfer_reason_text(TRANSFER_EXISTS));
}

static void look(struct inbox_file *file, const struct transfer_entry *entry,
                 struct inbox_answer *answer)
{
    struct stat there;

    if (fstatat(inbox_folder_fd(file->folder), file->name, &there, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            look_for_part(file, answer);
        else
            inbox_file_skip_errno(answer);
    } else if (seems_equal(&there, entry) && entry->size == 0) {
        inbox_file_skip(answer, TRANSFER_KEPT, "");
    } else if (seems_equal(&there, entry) && open_there(file, entry)) {
        file->offered = entry->size;
        answer->what = INBOX_LOOKING;
    } else if (!S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode)) {
        inbox_file_skip(answer, TRANSFER_EXISTS, text("something that is no file is in its place"));
    } else if (!file->manner.overwrite) {
        skip_existing(answer);
    } else {
        look_for_part(file, answer);
    }
}

struct inbox_file *inbox_file_new(const struct inbox_manner *manner, struct inbox_folder *folder,
                                  const char *name, const struct transfer_entry *entry,
                                  struct inbox_answer *answer)
{
    struct inbox_file *file = calloc(1, sizeof *file);

    if (file == NULL || (file->hash = file_hash_new(manner->sha256)) == NULL ||
        !part_name(name, manner->sha256, file->part)) {
        inbox_file_skip(answer, TRANSFER_WRITE, text("out of memory"));
        if (file != NULL)
            file_hash_free(file->hash);
        free(file);
        return NULL;
    }
    file->manner = *manner;
    file->folder = inbox_folder_share(folder);
    file->fd = -1;
    file->size = entry->size;
    file->mode = entry->mode & 0777 & ~manner->umask;
    memcpy(file->name, name, strlen(name) + 1);
    look(file, entry, answer);
    if (answer->what != INBOX_SKIP)
        return file;
    inbox_file_free(file);
    return NULL;
}

void inbox_file_look(struct inbox_file *file, struct inbox_answer *answer)
{
    *answer = (struct inbox_answer){.what = INBOX_LOOKING};
    int result = file_hash_read(file->hash, file->fd, file->offered);

    if (result == 0)
        return;
    if (result > 0 && file_hash_value(file->hash, answer->sha256)) {
        want(file, file->offered, answer);
    } else if (!file_hash_restart(file->hash)) {
        inbox_file_skip(answer, TRANSFER_WRITE, text("libcrypto failed"));
    } else if (file->state == THERE && !file->manner.overwrite) {
        skip_existing(answer); /* it cannot be read, so it is not known to be equal */
    } else {
        want(file, 0, answer);
    }
}

/* ---- what comes ---- */

static enum transfer_reason fail(struct inbox_file *file, enum transfer_reason reason,
                                 const char *text)
{
    (void)snprintf(file->text, sizeof file->text, "%s", text);
    let_go(file);
    file->state = OVER;
    return reason;
}

static enum transfer_reason fail_errno(struct inbox_file *file)
{
    char why[TRANSFER_TEXT];

    (void)snprintf(why, sizeof why, text("cannot be written: %s"), transfer_error_text(errno));
    return fail(file, TRANSFER_WRITE, why);
}

/* The file that is there differs: what is it replaced by? */
static enum transfer_reason leave_there(struct inbox_file *file)
{
    struct part_problem problem = {.reason = TRANSFER_KEPT};
    uint64_t size;

    if (!file->manner.overwrite)
        return fail(file, TRANSFER_EXISTS, text("is there already with other content"));
    let_go(file);
    file->fd = part_open(inbox_folder_fd(file->folder), file->part, &size, &problem);
    if (file->fd < 0 && problem.reason != TRANSFER_KEPT)
        return fail(file, problem.reason, problem.text);
    file->state = file->fd < 0 ? NONE : PART;
    return TRANSFER_KEPT;
}

enum transfer_reason inbox_file_begin(struct inbox_file *file, uint64_t offset)
{
    struct part_problem problem;

    if (file->state == OVER || (offset != 0 && offset != file->offered))
        return fail(file, TRANSFER_KIND, text("begins where nobody asked for"));
    if (offset > 0)
        return TRANSFER_KEPT;
    enum transfer_reason result = file->state == THERE ? leave_there(file) : TRANSFER_KEPT;
    if (result != TRANSFER_KEPT)
        return result;
    if (!file_hash_restart(file->hash))
        return fail(file, TRANSFER_WRITE, text("libcrypto failed"));
    if (file->state == PART)
        return ftruncate(file->fd, 0) == 0 ? TRANSFER_KEPT : fail_errno(file);
    file->fd = part_make(inbox_folder_fd(file->folder), file->part, &problem);
    if (file->fd < 0)
        return fail(file, problem.reason, problem.text);
    file->state = PART;
    return TRANSFER_KEPT;
}

uint64_t inbox_file_offset(const struct inbox_file *file)
{
    return file_hash_count(file->hash);
}

/* Whether `more` octets may come. */
static bool fits(const struct inbox_file *file, uint64_t more)
{
    return file->state == PART && more <= file->size - inbox_file_offset(file);
}

enum transfer_reason inbox_file_write(struct inbox_file *file, const uint8_t *octets, size_t size)
{
    const uint64_t offset = inbox_file_offset(file);

    if (!fits(file, size))
        return fail(file, TRANSFER_KIND, text("has more octets than were announced"));
    for (size_t done = 0; done < size;) {
        ssize_t put = pwrite(file->fd, octets + done, size - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return fail_errno(file);
        done += (size_t)put;
    }
    return file_hash_add(file->hash, octets, size)
               ? TRANSFER_KEPT
               : fail(file, TRANSFER_WRITE, text("libcrypto failed"));
}

enum transfer_reason inbox_file_hole(struct inbox_file *file, uint64_t length)
{
    if (!fits(file, length) || length > TRANSFER_HOLE_MAX)
        return fail(file, TRANSFER_KIND, text("has more octets than were announced"));
    return file_hash_add_zeros(file->hash, length)
               ? TRANSFER_KEPT
               : fail(file, TRANSFER_WRITE, text("libcrypto failed"));
}

/* ---- keeping it ---- */

/* The part gets its mode and time. A file system that keeps none (EPERM, as FAT) keeps the file. */
static int set_facts(int fd, unsigned mode, int64_t mtime, uint32_t mtime_ns)
{
    const struct timespec times[] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)mtime, .tv_nsec = (long)mtime_ns},
    };

    if (fchmod(fd, mode) != 0 && errno != EPERM)
        return -1;
    return futimens(fd, times) != 0 && errno != EPERM ? -1 : 0;
}

/* From errno: what could not be put in its place can be gone on with. */
static enum transfer_reason fail_to_place(struct inbox_file *file)
{
    int error = errno;

    (void)fchmod(file->fd, 0600);
    errno = error;
    return error == EEXIST || error == EISDIR
               ? fail(file, TRANSFER_EXISTS, text("something has come into its place meanwhile"))
               : fail_errno(file);
}

/* From errno: what is read of the part now may never have come to the disk. */
static enum transfer_reason fail_to_sync(struct inbox_file *file)
{
    int error = errno;

    part_remove(inbox_folder_fd(file->folder), file->part, file->fd);
    errno = error;
    return fail_errno(file);
}

/* Puts the verified part in its place, with all that belongs to it, on the disk. */
static enum transfer_reason place(struct inbox_file *file, int64_t mtime, uint32_t mtime_ns)
{
    const int folder = inbox_folder_fd(file->folder);

    if (set_facts(file->fd, file->mode, mtime, mtime_ns) != 0)
        return fail_to_place(file);
    if (fsync(file->fd) != 0)
        return fail_to_sync(file);
    if (part_place(folder, file->part, file->fd, file->name, file->manner.overwrite) != 0)
        return fail_to_place(file);
    file->state = OVER;
    return fsync(folder) == 0 || errno == EINVAL ? TRANSFER_KEPT : fail_errno(file);
}

/* The file was there already: a part that is left beside it is of no more use. */
static void drop_part(const struct inbox_file *file)
{
    const int folder = inbox_folder_fd(file->folder);
    struct part_problem problem;
    uint64_t size;
    int fd = part_open(folder, file->part, &size, &problem);

    if (fd < 0)
        return;
    part_remove(folder, file->part, fd);
    (void)close(fd);
}

enum transfer_reason inbox_file_keep(struct inbox_file *file, uint64_t size, int64_t mtime,
                                     uint32_t mtime_ns, const uint8_t sha256[TRANSFER_HASH_SIZE])
{
    uint8_t ours[TRANSFER_HASH_SIZE];

    if ((file->state != PART && file->state != THERE) || size != file->size ||
        size != inbox_file_offset(file) || mtime_ns >= 1000000000)
        return fail(file, TRANSFER_KIND, text("has not the size that was announced"));
    if (!file_hash_value(file->hash, ours))
        return fail(file, TRANSFER_WRITE, text("libcrypto failed"));
    const bool same = CRYPTO_memcmp(ours, sha256, sizeof ours) == 0;
    if (file->state == THERE) {
        if (!same)
            return fail(file, TRANSFER_EXISTS, text("is there already with other content"));
        drop_part(file);
        file->was_there = true;
        return TRANSFER_KEPT;
    }
    if (!same) {
        part_remove(inbox_folder_fd(file->folder), file->part, file->fd);
        return fail(file, TRANSFER_HASH, transfer_reason_text(TRANSFER_HASH));
    }
    /* What ends in a hole gets its size here. */
    return ftruncate(file->fd, (off_t)size) == 0 ? place(file, mtime, mtime_ns) : fail_errno(file);
}

bool inbox_file_was_there(const struct inbox_file *file)
{
    return file->was_there;
}

const char *inbox_file_text(const struct inbox_file *file)
{
    return file->text;
}

void inbox_file_free(struct inbox_file *file)
{
    if (file == NULL)
        return;
    let_go(file);
    inbox_folder_free(file->folder);
    file_hash_free(file->hash);
    free(file);
}
