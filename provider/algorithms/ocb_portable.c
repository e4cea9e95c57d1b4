/* OCB on any machine: the offsets in C, AES by EVP's AES-ECB, a group of blocks a call. */
#include "ocb.h"

#include <openssl/crypto.h>

static bool able(void)
{
    return true;
}

static EVP_CIPHER_CTX *keyed(EVP_CIPHER *ecb, const unsigned char *key, int encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx != NULL && EVP_CipherInit_ex2(ctx, ecb, key, NULL, encrypt, NULL) == 1 &&
        EVP_CIPHER_CTX_set_padding(ctx, 0) == 1)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

static void clear(struct ocb *ocb)
{
    EVP_CIPHER_CTX_free(ocb->aes.evp.encrypt);
    EVP_CIPHER_CTX_free(ocb->aes.evp.decrypt);
    ocb->aes.evp.encrypt = ocb->aes.evp.decrypt = NULL;
}

static bool set_key(struct ocb *ocb, EVP_CIPHER *ecb, const unsigned char *key, size_t size)
{
    (void)size; /* ecb's */
    ocb->aes.evp.encrypt = keyed(ecb, key, 1);
    ocb->aes.evp.decrypt = keyed(ecb, key, 0);
    return ocb->aes.evp.encrypt != NULL && ocb->aes.evp.decrypt != NULL;
}

static EVP_CIPHER_CTX *copied(const EVP_CIPHER_CTX *from)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx != NULL && EVP_CIPHER_CTX_copy(ctx, from) == 1)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

static bool dup(struct ocb *ocb)
{
    ocb->aes.evp.encrypt = copied(ocb->aes.evp.encrypt);
    ocb->aes.evp.decrypt = copied(ocb->aes.evp.decrypt);
    if (ocb->aes.evp.encrypt != NULL && ocb->aes.evp.decrypt != NULL)
        return true;
    clear(ocb);
    return false;
}

static bool ecb(EVP_CIPHER_CTX *ctx, unsigned char *blocks, size_t count)
{
    int made = 0, size = (int)(OCB_BLOCK * count);

    return EVP_CipherUpdate(ctx, blocks, &made, blocks, size) == 1 && made == size;
}

static bool encipher(const struct ocb *ocb, unsigned char block[OCB_BLOCK])
{
    return ecb(ocb->aes.evp.encrypt, block, 1);
}

/* The offsets of the next blocks of run, to the end of the group at most; gives how many. */
static size_t offsets(const struct ocb *ocb, struct ocb_run *run, size_t blocks,
                      unsigned char offset[OCB_GROUP][OCB_BLOCK])
{
    size_t place = run->blocks % OCB_GROUP, size;
    size_t count = OCB_GROUP - place < blocks ? OCB_GROUP - place : blocks;
    unsigned char room[OCB_POWERS_ROOM], *end = offset[count - 1];

    for (size_t i = 0; i < count; i++)
        ocb_xor(offset[i], run->base, ocb->gray[place + i]);
    if (place + count == OCB_GROUP) {
        const unsigned char *powers = ocb_powers(ocb, run->blocks, count, room, &size);
        size_t zeros = (size_t)__builtin_ctzll(run->blocks + count);
        ocb_xor(end, end, powers + OCB_BLOCK * (zeros - OCB_GROUP_POWER));
        memcpy(run->base, end, OCB_BLOCK);
        OPENSSL_cleanse(room, size);
    }
    run->blocks += count;
    return count;
}

static void sum_up(struct ocb_run *run, unsigned char (*block)[OCB_BLOCK], size_t count)
{
    for (size_t i = 0; i < count; i++)
        ocb_xor(run->sum, run->sum, block[i]);
}

static bool crypt_group(struct ocb *ocb, bool encrypt, unsigned char (*offset)[OCB_BLOCK],
                        unsigned char (*work)[OCB_BLOCK], size_t count)
{
    if (encrypt)
        sum_up(&ocb->message, work, count);
    for (size_t i = 0; i < count; i++)
        ocb_xor(work[i], work[i], offset[i]);
    if (!ecb(encrypt ? ocb->aes.evp.encrypt : ocb->aes.evp.decrypt, work[0], count))
        return false;
    for (size_t i = 0; i < count; i++)
        ocb_xor(work[i], work[i], offset[i]);
    if (!encrypt)
        sum_up(&ocb->message, work, count);
    return true;
}

static bool crypt_blocks(struct ocb *ocb, bool encrypt, const unsigned char *in, unsigned char *out,
                         size_t blocks)
{
    unsigned char offset[OCB_GROUP][OCB_BLOCK], work[OCB_GROUP][OCB_BLOCK];
    bool ok = true;

    while (blocks > 0 && ok) {
        size_t count = offsets(ocb, &ocb->message, blocks, offset);
        memcpy(work, in, OCB_BLOCK * count);
        ok = crypt_group(ocb, encrypt, offset, work, count);
        if (ok)
            memcpy(out, work, OCB_BLOCK * count);
        in += OCB_BLOCK * count;
        out += OCB_BLOCK * count;
        blocks -= count;
    }
    OPENSSL_cleanse(offset, sizeof(offset));
    OPENSSL_cleanse(work, sizeof(work));
    return ok;
}

static bool encrypt_blocks(struct ocb *ocb, const unsigned char *in, unsigned char *out,
                           size_t blocks)
{
    return crypt_blocks(ocb, true, in, out, blocks);
}

static bool decrypt_blocks(struct ocb *ocb, const unsigned char *in, unsigned char *out,
                           size_t blocks)
{
    return crypt_blocks(ocb, false, in, out, blocks);
}

static bool hash(struct ocb *ocb, const unsigned char *in, size_t blocks)
{
    unsigned char work[OCB_GROUP][OCB_BLOCK];
    bool ok = true;

    while (blocks > 0 && ok) {
        size_t count = offsets(ocb, &ocb->aad, blocks, work);
        for (size_t i = 0; i < count; i++)
            ocb_xor(work[i], work[i], in + OCB_BLOCK * i);
        ok = ecb(ocb->aes.evp.encrypt, work[0], count);
        sum_up(&ocb->aad, work, count);
        in += OCB_BLOCK * count;
        blocks -= count;
    }
    OPENSSL_cleanse(work, sizeof(work));
    return ok;
}

const struct ocb_path ocb_portable = {
    .name = "portable",
    .able = able,
    .key = set_key,
    .encipher = encipher,
    .encrypt = encrypt_blocks,
    .decrypt = decrypt_blocks,
    .hash = hash,
    .dup = dup,
    .clear = clear,
};
