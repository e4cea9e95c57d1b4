/*
 * Many blocks of OCB at once, for any width of vector. Included once by each path on x86-64, after
 * it has said:
 *
 *   LANES                 blocks in a vector: 1, 2 or 4
 *   TARGET                the attribute of every function
 *   vec                   the vector's type
 *   V_LOAD V_STORE        from and to any address
 *   V_LOAD_SOME V_STORE_SOME V_SOME
 *                         only the first n lanes, 0 < n < LANES; the others are 0, or left alone
 *   V_ALL V_LOW V_FOLD    a block in every lane; that in the first; xor of all lanes
 *   V_XOR_TOP             xor with a block in the last lane only
 *   V_ZERO V_XOR V_ENC V_ENC_LAST V_DEC V_DEC_LAST
 *
 * One aesenc waits three to four cycles for the one before, and a core begins one or two in each
 * cycle: a batch is eight vectors (four of four lanes), and the loads of the next overlap its end.
 * Whatever else there is competes for the same units: hence as few instructions as can be.
 */
#ifndef ALGORITHMS_OCB_WIDE_H
#define ALGORITHMS_OCB_WIDE_H

#include "ocb_x86.h"

#include <openssl/crypto.h>

#define INLINE static inline __attribute__((always_inline)) TARGET
/* Registers that held a key or an offset do not keep it. */
#if defined(__has_attribute) && __has_attribute(zero_call_used_regs)
#define WIPED __attribute__((zero_call_used_regs("used")))
#else
#define WIPED
#endif

#define OCTETS(vectors) ((size_t)(vectors)*LANES * OCB_BLOCK)

enum { BATCH_MAX = LANES == 4 ? 4 : 8, BATCH_BLOCKS = BATCH_MAX * LANES };
enum mode { ENCRYPT, DECRYPT, HASH };

/* What a row of batches shares. */
struct work {
    const struct ocb *ocb;
    const unsigned char *powers; /* L_4, L_5 .. as far as this row needs them */
    const unsigned char *in;
    unsigned char *out; /* but for HASH */
    vec first, last;    /* the round keys, xor the base of the offsets; HASH: the last without it */
    vec sum;
};

INLINE __m128i block_at(const unsigned char *octets)
{
    return _mm_loadu_si128((const void *)octets);
}

/* count rounds of n vectors; the next round's key. */
INLINE const unsigned char *rounds(enum mode mode, vec *x, int n, const unsigned char *key,
                                   int count)
{
    for (int round = 0; round < count; round++, key += OCB_BLOCK) {
        vec all = V_ALL(block_at(key));
        for (int v = 0; v < n; v++)
            x[v] = mode == DECRYPT ? V_DEC(x[v], all) : V_ENC(x[v], all);
    }
    return key;
}

INLINE void middle_rounds(const struct ocb *ocb, enum mode mode, vec *x, int n)
{
    const unsigned char *key =
        mode == DECRYPT ? ocb->aes.schedule.decrypt[0] : ocb->aes.schedule.encrypt[1];

    key = rounds(mode, x, n, key, 9);
    if (ocb->rounds > 10) {
        key = rounds(mode, x, n, key, 2);
        if (ocb->rounds > 12)
            (void)rounds(mode, x, n, key, 2);
    }
}

/* Vector v of the offsets in gray, as of n with some lanes in the last. */
INLINE vec offset_at(const unsigned char *gray, int v, int n, int some)
{
    const unsigned char *at = gray + OCTETS(v);

    return v < n - 1 || some == LANES ? V_LOAD(at) : V_LOAD_SOME(at, some);
}

/*
 * n vectors of blocks, some lanes of the last (all with LANES), whose offsets are the base xor what
 * gray points to; and in the last lane of all xor *power, unless that is NULL.
 */
INLINE void batch(struct work *work, enum mode mode, int n, int some, const unsigned char *gray,
                  const unsigned char *power)
{
    vec x[BATCH_MAX], final = offset_at(gray, n - 1, n, some);

    if (power != NULL)
        final = V_XOR_TOP(final, block_at(power));
    for (int v = 0; v < n; v++) {
        const unsigned char *in = work->in + OCTETS(v);
        vec offset = v == n - 1 ? final : offset_at(gray, v, n, some);

        x[v] = v < n - 1 || some == LANES ? V_LOAD(in) : V_LOAD_SOME(in, some);
        if (mode == ENCRYPT)
            work->sum = V_XOR(work->sum, x[v]);
        x[v] = V_XOR(x[v], V_XOR(work->first, offset));
    }
    middle_rounds(work->ocb, mode, x, n);
    __asm__("" : "+r"(gray)); /* or the offsets would be kept, for which there are no registers */
    for (int v = 0; v < n; v++) {
        vec offset = v == n - 1 ? final : offset_at(gray, v, n, some);
        vec key = mode == HASH ? work->last : V_XOR(work->last, offset);
        bool whole = v < n - 1 || some == LANES;

        x[v] = mode == DECRYPT ? V_DEC_LAST(x[v], key) : V_ENC_LAST(x[v], key);
        if (mode != HASH && whole) /* HASH has no place for it, not even one to count from */
            V_STORE(work->out + OCTETS(v), x[v]);
        else if (mode != HASH)
            V_STORE_SOME(work->out + OCTETS(v), x[v], some);
        if (!whole)
            x[v] = V_SOME(x[v], some);
        if (mode != ENCRYPT)
            work->sum = V_XOR(work->sum, x[v]);
    }
    work->in += OCTETS(n - 1) + (size_t)some * OCB_BLOCK;
    if (mode != HASH)
        work->out += OCTETS(n - 1) + (size_t)some * OCB_BLOCK;
}

/* L_i for the last block of a group, by its number. */
INLINE const unsigned char *power_of(const struct work *work, uint64_t number)
{
    return work->powers + (size_t)(__builtin_ctzll(number) - OCB_GROUP_POWER) * OCB_BLOCK;
}

/* Base becomes that of the next group; power is L_i of the number of the block before. */
INLINE void advance(struct work *work, enum mode mode, const unsigned char *power)
{
    vec step = V_XOR(V_ALL(block_at(work->ocb->gray[OCB_GROUP - 1])), V_ALL(block_at(power)));

    work->first = V_XOR(work->first, step);
    if (mode != HASH)
        work->last = V_XOR(work->last, step);
}

INLINE void group(struct work *work, enum mode mode, const unsigned char *power)
{
    for (int i = 0; i < OCB_GROUP; i += BATCH_BLOCKS)
        batch(work, mode, BATCH_MAX, LANES, work->ocb->gray[i],
              i + BATCH_BLOCKS == OCB_GROUP ? power : NULL);
    advance(work, mode, power);
}

/* A batch of size vectors, if n has that bit; the offsets go on behind it. */
INLINE void part(struct work *work, enum mode mode, int size, size_t n, const unsigned char **gray)
{
    if (size > BATCH_MAX || (n & (unsigned)(size * LANES)) == 0)
        return;
    batch(work, mode, size, LANES, *gray, NULL);
    *gray += OCTETS(size);
}

/* n blocks, fewer than a group, whose offsets are the base xor what gray points to. */
INLINE void few(struct work *work, enum mode mode, size_t n, const unsigned char *gray)
{
    if (LANES == 1)
        part(work, mode, 8, n, &gray);
    if (LANES <= 2)
        part(work, mode, 4, n, &gray);
    part(work, mode, 2, n, &gray);
    part(work, mode, 1, n, &gray);
    if (n % LANES > 0)
        batch(work, mode, 1, (int)(n % LANES), gray, NULL);
}

/* To the end of the group at most; gives how many blocks that were. */
INLINE size_t piece(struct work *work, enum mode mode, uint64_t done, size_t blocks)
{
    static const unsigned char zero[OCB_BLOCK];
    size_t place = done % OCB_GROUP, n = OCB_GROUP - 1 - place;

    if (n == 0) { /* the last of a group that was begun in pieces: its offset is the next base */
        advance(work, mode, power_of(work, done + 1));
        few(work, mode, 1, zero);
        return 1;
    }
    n = n < blocks ? n : blocks;
    few(work, mode, n, work->ocb->gray[place]);
    return n;
}

INLINE void go(const struct ocb *ocb, struct ocb_run *run, enum mode mode, const unsigned char *in,
               unsigned char *out, size_t blocks)
{
    unsigned char room[OCB_POWERS_ROOM];
    size_t wipe;
    uint64_t done = run->blocks;
    /* before there is anything in registers that the call would have to save */
    const unsigned char *powers = ocb_powers(ocb, done, blocks, room, &wipe);
    const __m128i base = block_at(run->base);
    const __m128i first = block_at(ocb->aes.schedule.encrypt[mode == DECRYPT ? ocb->rounds : 0]);
    const __m128i last = block_at(ocb->aes.schedule.encrypt[mode == DECRYPT ? 0 : ocb->rounds]);
    struct work work = {.ocb = ocb,
                        .powers = powers,
                        .in = in,
                        .first = V_ALL(_mm_xor_si128(base, first)),
                        .last = V_ALL(mode == HASH ? last : _mm_xor_si128(base, last)),
                        .sum = V_ZERO};

    work.out = out;
    while (blocks > 0) {
        size_t n = OCB_GROUP;
        if (done % OCB_GROUP == 0 && blocks >= OCB_GROUP)
            group(&work, mode, power_of(&work, done + OCB_GROUP));
        else
            n = piece(&work, mode, done, blocks);
        done += n;
        blocks -= n;
    }
    run->blocks = done;
    _mm_storeu_si128((void *)run->base, _mm_xor_si128(V_LOW(work.first), first));
    _mm_storeu_si128((void *)run->sum, _mm_xor_si128(block_at(run->sum), V_FOLD(work.sum)));
    if (wipe > 0)
        OPENSSL_cleanse(room, wipe);
}

TARGET WIPED static bool encrypt(struct ocb *ocb, const unsigned char *in, unsigned char *out,
                                 size_t blocks)
{
    go(ocb, &ocb->message, ENCRYPT, in, out, blocks);
    return true;
}

TARGET WIPED static bool decrypt(struct ocb *ocb, const unsigned char *in, unsigned char *out,
                                 size_t blocks)
{
    go(ocb, &ocb->message, DECRYPT, in, out, blocks);
    return true;
}

TARGET WIPED static bool hash(struct ocb *ocb, const unsigned char *in, size_t blocks)
{
    go(ocb, &ocb->aad, HASH, in, NULL, blocks);
    return true;
}

#endif
