#include "apps/file_hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 256 << 10 };

struct file_hash {
    const EVP_MD *sha256;
    EVP_MD_CTX *context;
    uint64_t count;
    uint8_t *block; /* file_hash_read's; made when first wanted */
};

struct file_hash *file_hash_new(const EVP_MD *sha256)
{
    struct file_hash *hash = calloc(1, sizeof *hash);

    if (hash == NULL)
        return NULL;
    hash->sha256 = sha256;
    hash->context = EVP_MD_CTX_new();
    if (hash->context == NULL || !file_hash_restart(hash)) {
        file_hash_free(hash);
        return NULL;
    }
    return hash;
}

void file_hash_free(struct file_hash *hash)
{
    if (hash == NULL)
        return;
    free(hash->block);
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

uint64_t file_hash_count(const struct file_hash *hash)
{
    return hash->count;
}

bool file_hash_restart(struct file_hash *hash)
{
    hash->count = 0;
    return EVP_DigestInit_ex2(hash->context, hash->sha256, NULL) == 1;
}

bool file_hash_add(struct file_hash *hash, const uint8_t *octets, size_t size)
{
    hash->count += size;
    return EVP_DigestUpdate(hash->context, octets, size) == 1;
}

bool file_hash_add_zeros(struct file_hash *hash, uint64_t count)
{
    static const uint8_t zeros[4096];

    while (count > 0) {
        size_t size = count < sizeof zeros ? (size_t)count : sizeof zeros;
        if (!file_hash_add(hash, zeros, size))
            return false;
        count -= size;
    }
    return true;
}

bool file_hash_value(const struct file_hash *hash, uint8_t sha256[TRANSFER_HASH_SIZE])
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    unsigned size = 0;
    bool sound = copy != NULL && EVP_MD_get_size(hash->sha256) == TRANSFER_HASH_SIZE &&
                 EVP_MD_CTX_copy_ex(copy, hash->context) == 1 &&
                 EVP_DigestFinal_ex(copy, sha256, &size) == 1;

    EVP_MD_CTX_free(copy);
    return sound;
}

int file_hash_read(struct file_hash *hash, int fd, uint64_t until)
{
    const uint64_t begun = hash->count;

    if (hash->block == NULL && (hash->block = malloc(BLOCK)) == NULL) {
        errno = ENOMEM;
        return -1;
    }
    while (hash->count < until && hash->count - begun < FILE_HASH_STEP) {
        uint64_t left = until - hash->count;
        ssize_t got =
            pread(fd, hash->block, left < BLOCK ? (size_t)left : BLOCK, (off_t)hash->count);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got == 0 ? 0 : errno;
            return -1;
        }
        if (!file_hash_add(hash, hash->block, (size_t)got)) {
            errno = EIO;
            return -1;
        }
    }
    return hash->count >= until;
}
