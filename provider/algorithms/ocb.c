#include "ocb.h"

#include <openssl/crypto.h>

/* ---- blocks ---- */

static uint64_t big_endian(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

static uint64_t get_word(const unsigned char *octets)
{
    uint64_t word;

    memcpy(&word, octets, sizeof(word));
    return big_endian(word);
}

static void put_word(unsigned char *octets, uint64_t word)
{
    word = big_endian(word);
    memcpy(octets, &word, sizeof(word));
}

/* double() of RFC 7253 section 2. */
static void twice(unsigned char out[OCB_BLOCK], const unsigned char in[OCB_BLOCK])
{
    uint64_t high = get_word(in), low = get_word(in + 8);
    uint64_t carry = (0 - (high >> 63)) & 0x87;

    put_word(out, high << 1 | low >> 63);
    put_word(out + 8, low << 1 ^ carry);
}

/* ---- the key ---- */

const struct ocb_path *const ocb_paths[] = {
#ifdef __x86_64__
    &ocb_vaes512,  &ocb_vaes256, &ocb_aesni,
#endif
    &ocb_portable, NULL,
};

const struct ocb_path *ocb_pick(void)
{
    const struct ocb_path *const *path = ocb_paths;

    while (!(*path)->able())
        path++; /* the portable one always is */
    return *path;
}

const unsigned char *ocb_powers(const struct ocb *ocb, uint64_t done, size_t blocks,
                                unsigned char room[OCB_POWERS_ROOM], size_t *size)
{
    uint64_t changed = done ^ (done + blocks);

    *size = 0;
    if (changed >> (OCB_GROUP_POWER + OCB_POWERS) == 0)
        return ocb->power[0];
    memcpy(room, ocb->power, sizeof(ocb->power));
    /* no number up to done + blocks has more zeros at its end than the highest bit that changes */
    *size = (size_t)OCB_BLOCK * (64u - OCB_GROUP_POWER - (unsigned)__builtin_clzll(changed));
    for (size_t i = sizeof(ocb->power); i < *size; i += OCB_BLOCK)
        twice(room + i, room + i - OCB_BLOCK);
    return room;
}

/* RFC 7253 section 4.1, and the offsets within a group. */
static void derive(struct ocb *ocb)
{
    unsigned char l[OCB_GROUP_POWER][OCB_BLOCK] = {{0}};

    twice(ocb->l_dollar, ocb->l_star);
    twice(l[0], ocb->l_dollar);
    for (int i = 1; i < OCB_GROUP_POWER; i++)
        twice(l[i], l[i - 1]);
    twice(ocb->power[0], l[OCB_GROUP_POWER - 1]);
    for (int i = 1; i < OCB_POWERS; i++)
        twice(ocb->power[i], ocb->power[i - 1]);
    memcpy(ocb->gray[0], l[0], OCB_BLOCK);
    for (unsigned i = 2; i < OCB_GROUP; i++)
        ocb_xor(ocb->gray[i - 1], ocb->gray[i - 2], l[__builtin_ctz(i)]);
    memcpy(ocb->gray[OCB_GROUP - 1], ocb->gray[OCB_GROUP - 2], OCB_BLOCK);
    OPENSSL_cleanse(l, sizeof(l));
}

bool ocb_key(struct ocb *ocb, const struct ocb_path *path, EVP_CIPHER *ecb,
             const unsigned char *key, size_t size)
{
    ocb_clear(ocb);
    ocb->path = path;
    ocb->rounds = (unsigned char)(size / 4 + 6);
    if (!path->key(ocb, ecb, key, size) || !path->encipher(ocb, ocb->l_star)) {
        ocb_clear(ocb);
        return false;
    }
    derive(ocb);
    return true;
}

bool ocb_copy(struct ocb *to, const struct ocb *from)
{
    *to = *from;
    if (to->path == NULL || to->path->dup == NULL || to->path->dup(to))
        return true;
    OPENSSL_cleanse(to, sizeof(*to));
    return false;
}

void ocb_clear(struct ocb *ocb)
{
    if (ocb->path != NULL && ocb->path->clear != NULL)
        ocb->path->clear(ocb);
    OPENSSL_cleanse(ocb, sizeof(*ocb));
}

/* ---- the nonce ---- */

/* Section 4.2: Ktop of the nonce without its low six bits, and the 64 bits more of Stretch. */
static bool stretch(struct ocb *ocb)
{
    unsigned char top[OCB_BLOCK];

    memcpy(top, ocb->nonce, OCB_BLOCK);
    top[OCB_BLOCK - 1] &= 0xc0;
    ocb->stretched = ocb->path->encipher(ocb, top);
    ocb->stretch[0] = get_word(top);
    ocb->stretch[1] = get_word(top + 8);
    ocb->stretch[2] = ocb->stretch[0] ^ (ocb->stretch[0] << 8 | ocb->stretch[1] >> 56);
    OPENSSL_cleanse(top, sizeof(top));
    return ocb->stretched;
}

static uint64_t shifted(uint64_t high, uint64_t low, unsigned bits)
{
    return high << bits | low >> 1 >> (63 - bits);
}

bool ocb_start(struct ocb *ocb, const unsigned char *nonce, size_t size, size_t tag_size)
{
    unsigned char block[OCB_BLOCK] = {0};
    bool kept;
    unsigned bottom;

    memcpy(block + OCB_BLOCK - size, nonce, size);
    block[OCB_BLOCK - 1 - size] |= 1;
    block[0] |= (unsigned char)(tag_size % OCB_TAG_MAX << 4); /* 8 * tag_size, in seven bits */
    kept = ocb->stretched && memcmp(block, ocb->nonce, OCB_BLOCK - 1) == 0 &&
           ((block[OCB_BLOCK - 1] ^ ocb->nonce[OCB_BLOCK - 1]) & 0xc0) == 0;
    memcpy(ocb->nonce, block, OCB_BLOCK);
    if (!kept && !stretch(ocb))
        return false;
    bottom = block[OCB_BLOCK - 1] & 0x3f;
    memset(&ocb->message, 0, sizeof(ocb->message));
    memset(&ocb->aad, 0, sizeof(ocb->aad));
    put_word(ocb->message.base, shifted(ocb->stretch[0], ocb->stretch[1], bottom));
    put_word(ocb->message.base + 8, shifted(ocb->stretch[1], ocb->stretch[2], bottom));
    return true;
}

/* ---- the end ---- */

static void offset_now(const struct ocb *ocb, const struct ocb_run *run,
                       unsigned char offset[OCB_BLOCK])
{
    size_t place = run->blocks % OCB_GROUP;

    if (place == 0)
        memcpy(offset, run->base, OCB_BLOCK);
    else
        ocb_xor(offset, run->base, ocb->gray[place - 1]);
}

/* sum ^= the octets, a one bit, and zeros. */
static void add_padded(unsigned char sum[OCB_BLOCK], const unsigned char *in, size_t size)
{
    unsigned char block[OCB_BLOCK] = {0};

    memcpy(block, in, size);
    block[size] = 0x80;
    ocb_xor(sum, sum, block);
    OPENSSL_cleanse(block, sizeof(block));
}

bool ocb_hash_last(struct ocb *ocb, const unsigned char *in, size_t size)
{
    unsigned char block[OCB_BLOCK];
    bool ok;

    offset_now(ocb, &ocb->aad, block);
    ocb_xor(block, block, ocb->l_star);
    add_padded(block, in, size);
    ok = ocb->path->encipher(ocb, block);
    ocb_xor(ocb->aad.sum, ocb->aad.sum, block);
    OPENSSL_cleanse(block, sizeof(block));
    return ok;
}

bool ocb_last(struct ocb *ocb, bool encrypt, const unsigned char *in, unsigned char *out,
              size_t size)
{
    unsigned char pad[OCB_BLOCK];
    bool ok;

    if (encrypt)
        add_padded(ocb->message.sum, in, size);
    offset_now(ocb, &ocb->message, pad);
    ocb_xor(pad, pad, ocb->l_star);
    /* the offset from here on is Offset_*: base is no use any more but as its place */
    memcpy(ocb->message.base, pad, OCB_BLOCK);
    ocb->message.blocks = 0;
    ok = ocb->path->encipher(ocb, pad);
    for (size_t i = 0; i < size; i++)
        out[i] = in[i] ^ pad[i];
    if (!encrypt)
        add_padded(ocb->message.sum, out, size);
    OPENSSL_cleanse(pad, sizeof(pad));
    return ok;
}

bool ocb_tag(struct ocb *ocb, unsigned char tag[OCB_TAG_MAX])
{
    bool ok;

    offset_now(ocb, &ocb->message, tag);
    ocb_xor(tag, tag, ocb->message.sum);
    ocb_xor(tag, tag, ocb->l_dollar);
    ok = ocb->path->encipher(ocb, tag);
    ocb_xor(tag, tag, ocb->aad.sum);
    return ok;
}
