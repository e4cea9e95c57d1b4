#include "apps/outbox_file.h"

#include "apps/file_hash.h"
#include "text/text.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct outbox_file {
    int fd;
    struct stat before;     /* when it was opened */
    struct file_hash *hash; /* of all that was read: its count is the offset */
    bool sparse;            /* holes are worth looking for */
    uint64_t data_end;      /* no hole begins before this offset */
    char why[TRANSFER_TEXT];
};

static bool same_times(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool as_announced(const struct stat *facts, const struct transfer_entry *entry)
{
    return (uint64_t)facts->st_size == entry->size && facts->st_mtim.tv_sec == entry->mtime &&
           facts->st_mtim.tv_nsec == (long)entry->mtime_ns;
}

struct outbox_file *outbox_file_new(int fd, const struct transfer_entry *entry,
                                    const EVP_MD *sha256, enum transfer_reason *reason, char *why,
                                    size_t size)
{
    struct outbox_file *file = calloc(1, sizeof *file);

    *reason = TRANSFER_READ;
    if (file == NULL || (file->hash = file_hash_new(sha256)) == NULL) {
        (void)snprintf(why, size, text("out of memory"));
    } else if (fstat(fd, &file->before) != 0) {
        (void)snprintf(why, size, text("cannot be read: %s"), transfer_error_text(errno));
    } else if (!S_ISREG(file->before.st_mode) || !as_announced(&file->before, entry)) {
        *reason = TRANSFER_CHANGED;
        (void)snprintf(why, size, text("has changed since it was announced"));
    } else {
        file->fd = fd;
        file->sparse = file->before.st_blocks < file->before.st_size / 512;
        return file;
    }
    (void)close(fd);
    if (file != NULL)
        file_hash_free(file->hash);
    free(file);
    return NULL;
}

static enum outbox_step failed(struct outbox_file *file, const char *what)
{
    (void)snprintf(file->why, sizeof file->why, text("cannot be read: %s"), what);
    return OUTBOX_FAILED;
}

enum outbox_step outbox_file_resume(struct outbox_file *file, uint64_t offset,
                                    const uint8_t sha256[TRANSFER_HASH_SIZE])
{
    uint8_t ours[TRANSFER_HASH_SIZE];

    if (offset > (uint64_t)file->before.st_size)
        return OUTBOX_OK; /* more than there is: another file */
    int result = file_hash_read(file->hash, file->fd, offset);
    if (result == 0)
        return OUTBOX_MORE;
    if (result < 0 && errno != 0)
        return failed(file, transfer_error_text(errno));
    bool same = result > 0; /* or it has become shorter: finish will see it */
    if (same && !file_hash_value(file->hash, ours))
        return failed(file, text("libcrypto failed"));
    if (same && CRYPTO_memcmp(ours, sha256, sizeof ours) == 0)
        return OUTBOX_OK;
    return file_hash_restart(file->hash) ? OUTBOX_OK : failed(file, text("libcrypto failed"));
}

uint64_t outbox_file_offset(const struct outbox_file *file)
{
    return file_hash_count(file->hash);
}

/* The length of the hole at offset, at most TRANSFER_HOLE_MAX; or 0, and then data_end is beyond
 * it. A file system that knows no holes says that all is data. */
static uint64_t hole_at(struct outbox_file *file, uint64_t offset)
{
    uint64_t size = (uint64_t)file->before.st_size;

    if (!file->sparse || offset < file->data_end)
        return 0;
    off_t data = lseek(file->fd, (off_t)offset, SEEK_DATA);
    if (data < 0 && errno != ENXIO) {
        file->sparse = false;
        return 0;
    }
    uint64_t end = data < 0 || (uint64_t)data > size ? size : (uint64_t)data;
    if (end > offset)
        return end - offset < TRANSFER_HOLE_MAX ? end - offset : TRANSFER_HOLE_MAX;
    off_t next = lseek(file->fd, (off_t)offset, SEEK_HOLE);
    file->data_end = next > 0 && (uint64_t)next > offset ? (uint64_t)next : size;
    return 0;
}

/* pread that is not interrupted. */
static ssize_t read_at(int fd, uint8_t *buffer, size_t room, uint64_t offset)
{
    ssize_t got;

    do
        got = pread(fd, buffer, room, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

enum outbox_step outbox_file_read(struct outbox_file *file, uint8_t *buffer, size_t room,
                                  size_t *size, uint64_t *hole)
{
    const uint64_t offset = outbox_file_offset(file);
    uint64_t left = (uint64_t)file->before.st_size - offset;

    *size = 0;
    *hole = 0;
    if (left == 0)
        return OUTBOX_END;
    if ((*hole = hole_at(file, offset)) > 0)
        return file_hash_add_zeros(file->hash, *hole) ? OUTBOX_OK
                                                      : failed(file, text("libcrypto failed"));
    if (file->sparse && file->data_end - offset < left)
        left = file->data_end - offset;
    ssize_t got = read_at(file->fd, buffer, left < room ? (size_t)left : room, offset);
    if (got < 0)
        return failed(file, transfer_error_text(errno));
    *size = (size_t)got;
    if (got == 0) /* it was cut short: finish says so */
        return OUTBOX_END;
    return file_hash_add(file->hash, buffer, *size) ? OUTBOX_OK
                                                    : failed(file, text("libcrypto failed"));
}

enum outbox_step outbox_file_finish(struct outbox_file *file, struct outbox_done *done)
{
    struct stat after;
    uint8_t beyond;
    const uint64_t size = outbox_file_offset(file);

    if (fstat(file->fd, &after) != 0)
        return failed(file, transfer_error_text(errno));
    /* Files of /proc have no size, yet octets. */
    ssize_t more = read_at(file->fd, &beyond, 1, size);
    if (more < 0)
        return failed(file, transfer_error_text(errno));
    if (more > 0 || size != (uint64_t)after.st_size || after.st_size != file->before.st_size ||
        !same_times(&after, &file->before)) {
        (void)snprintf(file->why, sizeof file->why, text("has changed while it was read"));
        return OUTBOX_CHANGED;
    }
    done->size = size;
    done->mtime = after.st_mtim.tv_sec;
    done->mtime_ns = (uint32_t)after.st_mtim.tv_nsec;
    return file_hash_value(file->hash, done->sha256) ? OUTBOX_OK
                                                     : failed(file, text("libcrypto failed"));
}

const char *outbox_file_why(const struct outbox_file *file)
{
    return file->why;
}

void outbox_file_free(struct outbox_file *file)
{
    if (file == NULL)
        return;
    (void)close(file->fd);
    file_hash_free(file->hash);
    free(file);
}
