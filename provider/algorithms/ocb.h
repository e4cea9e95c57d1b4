/*
 * AES-OCB, RFC 7253 (OCB3): the key, the nonce, and messages in whole blocks with a ragged end.
 * What is between them (octets that wait for the rest of their block, parameters) is the caller's.
 *
 * A path is one way to compute AES: with VAES and AVX-512, with VAES and AVX2, with AES-NI, or by
 * an EVP AES-ECB. All give the same octets. No branch and no address depends on a secret.
 */
#ifndef ALGORITHMS_OCB_H
#define ALGORITHMS_OCB_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    OCB_BLOCK = 16,
    OCB_NONCE_MIN = 1,
    OCB_NONCE_MAX = 15,
    OCB_TAG_MIN = 1,
    OCB_TAG_MAX = 16,
    OCB_GROUP = 16, /* blocks whose offsets differ from a common base by constants of the key */
    OCB_GROUP_POWER = 4, /* OCB_GROUP is 2 to this */
    OCB_POWERS = 4,      /* how many of the L_i from L_4 on are kept */
    OCB_POWERS_ROOM = (64 - OCB_GROUP_POWER) * OCB_BLOCK
};

struct ocb_path;

/* How far a row of blocks has come: the message, or the associated data. */
struct ocb_run {
    unsigned char
        base[OCB_BLOCK]; /* the offset of the last block whose number is a multiple of 16 */
    unsigned char sum[OCB_BLOCK]; /* Checksum, or Sum */
    uint64_t blocks;
};

/* Zeroed before its first ocb_key(). For this module and the paths only. */
struct ocb {
    const struct ocb_path *path;
    union {
        struct {
            unsigned char encrypt[15][OCB_BLOCK];
            unsigned char decrypt[13]
                                 [OCB_BLOCK]; /* without the first and last, which are in encrypt */
        } schedule;
        struct {
            EVP_CIPHER_CTX *encrypt, *decrypt;
        } evp;
    } aes;
    unsigned char l_star[OCB_BLOCK], l_dollar[OCB_BLOCK];
    /*
     * Offset_(16 g + i) is the base of group g xor gray[i - 1], by RFC 7253's Gray code, for i from
     * 1 to 15; the last, for i = 16, wants L_ntz(16 g + 16) besides. gray[14] is L_3.
     */
    unsigned char gray[OCB_GROUP][OCB_BLOCK];
    unsigned char power[OCB_POWERS][OCB_BLOCK]; /* L_4, L_5 .. */
    unsigned char nonce[OCB_BLOCK];             /* whose Ktop is in stretch */
    uint64_t stretch[3];                        /* 192 bits, the first in the highest */
    struct ocb_run message, aad;
    unsigned char rounds; /* 10, 12 or 14 */
    bool stretched;       /* nonce and stretch hold something */
};

/* The functions of a path; false is an error of the EVP underneath, which others do not have. */
struct ocb_path {
    const char *name;
    bool (*able)(void); /* on this machine */
    /* size: 16, 24 or 32. ecb: the AES-ECB of that size, for the portable path. */
    bool (*key)(struct ocb *ocb, EVP_CIPHER *ecb, const unsigned char *key, size_t size);
    bool (*encipher)(const struct ocb *ocb, unsigned char block[OCB_BLOCK]);
    /* Whole blocks; out may be in, but not overlap it otherwise. */
    bool (*encrypt)(struct ocb *ocb, const unsigned char *in, unsigned char *out, size_t blocks);
    bool (*decrypt)(struct ocb *ocb, const unsigned char *in, unsigned char *out, size_t blocks);
    bool (*hash)(struct ocb *ocb, const unsigned char *in, size_t blocks);
    /* After a bitwise copy: makes it independent. On failure it owns nothing. May be NULL. */
    bool (*dup)(struct ocb *ocb);
    void (*clear)(struct ocb *ocb); /* frees what the path made; may be NULL */
};

extern const struct ocb_path ocb_portable;
#ifdef __x86_64__
extern const struct ocb_path ocb_aesni, ocb_vaes256, ocb_vaes512;
#endif

/* Every path there is, the fastest first; ends with NULL. */
extern const struct ocb_path *const ocb_paths[];
/* The fastest that this machine is able to. */
const struct ocb_path *ocb_pick(void);

/* Takes a key of 16, 24 or 32 octets; the nonce and the message before are forgotten. */
bool ocb_key(struct ocb *ocb, const struct ocb_path *path, EVP_CIPHER *ecb,
             const unsigned char *key, size_t size);

/*
 * Begins a message under a nonce of size octets, 1 to 15, for a tag of tag_size, 1 to 16. Costs no
 * AES when nothing but the low six bits of the nonce differs from the one before.
 */
bool ocb_start(struct ocb *ocb, const unsigned char *nonce, size_t size, size_t tag_size);

/* The last octets of the associated data, 1 to 15 of them. */
bool ocb_hash_last(struct ocb *ocb, const unsigned char *in, size_t size);
/* The last octets of the message, 1 to 15 of them; out may be in. */
bool ocb_last(struct ocb *ocb, bool encrypt, const unsigned char *in, unsigned char *out,
              size_t size);
/* The tag of the message; the first tag_size octets count. */
bool ocb_tag(struct ocb *ocb, unsigned char tag[OCB_TAG_MAX]);

/* to becomes an independent copy of from. False: no memory, and to is cleared. */
bool ocb_copy(struct ocb *to, const struct ocb *from);
/* Frees and wipes all; *ocb is zeroed. */
void ocb_clear(struct ocb *ocb);

/*
 * For the paths: L_4, L_5 .. in a row, as far as the next blocks after done need them. Those that
 * are kept or, when they are too few, a row made in room; *size octets there are for the caller to
 * wipe.
 */
const unsigned char *ocb_powers(const struct ocb *ocb, uint64_t done, size_t blocks,
                                unsigned char room[OCB_POWERS_ROOM], size_t *size);
/* For the paths: out = a xor b, a block each; any may be the same. */
static inline void ocb_xor(unsigned char *out, const unsigned char *a, const unsigned char *b)
{
    uint64_t x[2], y[2];

    memcpy(x, a, OCB_BLOCK);
    memcpy(y, b, OCB_BLOCK);
    x[0] ^= y[0];
    x[1] ^= y[1];
    memcpy(out, x, OCB_BLOCK);
}

#endif
