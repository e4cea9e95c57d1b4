/* Known octets where a channel wants random ones: put fixed_octets or fixed_stream on a struct
 * usi_crypto that is yours alone (a copy of a shared one will do: the copy is never freed).
 *
 * What is drawn, in order. A keyring: 8 octets when made, 32 with each key added. A connector:
 * RANDms (32) and the X25519 private key (32) of each handshake; then 2 when a key begins. A
 * listener: RANDnw (32) and its private key (32), then 2 likewise. No RANDnw in identity and
 * password mode; there and in a password question, 40 for SPAKE2 before each side's private key. */
#ifndef USI_TESTS_CHANNEL_FIXED_H
#define USI_TESTS_CHANNEL_FIXED_H

#include "channel/crypto.h"

#include <string.h>

/* The caller's; must outlive its use. */
struct fixed {
    const uint8_t *octets;
    size_t left;
    uint64_t state;
};

static inline int fixed_draw_octets(const struct usi_crypto *crypto, uint8_t *out, size_t size)
{
    struct fixed *f = crypto->random_state;

    if (f->left < size)
        return -1;
    memcpy(out, f->octets, size);
    f->octets += size;
    f->left -= size;
    return 0;
}

/* SplitMix64: reproducible, and that is all. */
static inline uint64_t fixed_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline int fixed_draw_stream(const struct usi_crypto *crypto, uint8_t *out, size_t size)
{
    struct fixed *f = crypto->random_state;

    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)fixed_next(&f->state);
    return 0;
}

/* Gives octets[0..size-1] away in order; a draw beyond them fails. */
static inline void fixed_octets(struct usi_crypto *crypto, struct fixed *f, const uint8_t *octets,
                                size_t size)
{
    *f = (struct fixed){.octets = octets, .left = size};
    crypto->random_state = f;
    crypto->random = fixed_draw_octets;
}

/* Gives an endless stream away that depends on the seed alone. */
static inline void fixed_stream(struct usi_crypto *crypto, struct fixed *f, uint64_t seed)
{
    *f = (struct fixed){.state = seed};
    crypto->random_state = f;
    crypto->random = fixed_draw_stream;
}

#endif
