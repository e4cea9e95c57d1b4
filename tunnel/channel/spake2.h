/* SPAKE2 (RFC 9382) with P-256 and SHA-256, h = 1: a share each, and Ke of both. PROTOCOL.md,
 * "Password mode". The group's arithmetic is libcrypto's EC_POINT, one product at a time: then it
 * takes a time that does not depend on the scalar. */
#ifndef USI_CHANNEL_SPAKE2_H
#define USI_CHANNEL_SPAKE2_H

#include "channel/crypto.h"

enum {
    USI_SHARE = 65, /* a point: 04, x, y */
    USI_SPAKE2_KE = 16,
    /* Octets drawn from crypto->random for the private scalar x or y: a big-endian number that is
     * taken mod the group's order, from which it is uniform but for 2^-64. */
    USI_SPAKE2_RANDOM = 40
};

/* One run. Belongs to one thread at a time. */
struct usi_spake2;

/* A blinds its share with M, B with N. */
enum usi_spake2_side { USI_SPAKE2_A, USI_SPAKE2_B };

/* One run of the exchange for `side`, with the identities of RFC 9382 (text, without their NUL; not
 * needed afterwards) and the stretched password, stretched[0..size-1] with a size of 32 to 64: w as
 * a big-endian number that is taken mod the group's order. share gets this side's point. crypto
 * must outlive the run. USI_ERR_ARGUMENT for another size or a w of 0; USI_ERR_INTERNAL out of
 * memory or randomness; then *out is NULL. */
int usi_spake2_new(struct usi_spake2 **out, const struct usi_crypto *crypto,
                   enum usi_spake2_side side, const char *identity_a, const char *identity_b,
                   const uint8_t *stretched, size_t size, uint8_t share[USI_SHARE]);

/* The peer's share comes in: Ke. USI_ERR_SHARE for one that is not an uncompressed point of the
 * curve, or leads to infinity: then ke is not written. Once, whatever comes of it; afterwards
 * USI_ERR_ARGUMENT. */
int usi_spake2_finish(struct usi_spake2 *spake2, const uint8_t peer[USI_SHARE],
                      uint8_t ke[USI_SPAKE2_KE]);

/* Wipes and frees. NULL is fine. */
void usi_spake2_free(struct usi_spake2 *spake2);

#endif
