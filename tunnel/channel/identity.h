/* Signature keys of identity mode: one's own, and what a peer shows. PROTOCOL.md, "Identity mode".
 * The public contract is in usi/channel.h. */
#ifndef USI_CHANNEL_IDENTITY_H
#define USI_CHANNEL_IDENTITY_H

#include "channel/crypto.h"

enum {
    USI_SPKI_MAX = 600,                                         /* RSA of 4,096 bits has 550 */
    USI_SIGNATURE_MAX = 512,                                    /* RSA of 4,096 bits */
    USI_IDENTITY_MAX = 1 + 2 + USI_SPKI_MAX + USI_SIGNATURE_MAX /* mark, length, SPKI, signature */
};

/* Which of the two signatures: its label. */
enum usi_signer { USI_SIGNER_NETWORK, USI_SIGNER_MOBILE };

/* What is signed besides the mark and the own key. peer_key is SHA-256 of the other side's SPKI:
 * USI_SIGNER_MOBILE signs it, for USI_SIGNER_NETWORK it is NULL. */
struct usi_signed {
    enum usi_signer signer;
    const uint8_t *hash; /* h2 or h: USI_HASH octets */
    const uint8_t *peer_key;
};

/* Writes mark, length, SPKI and signature to out[0..room-1] (USI_IDENTITY_MAX is enough), *size
 * octets. USI_ERR_ARGUMENT if they do not fit, USI_ERR_INTERNAL if the key does not sign (a token
 * that was taken out). Any thread. */
int usi_identity_show(const struct usi_identity *identity, const struct usi_signed *what,
                      uint8_t *out, size_t room, size_t *size);

/* Reads and checks what the peer shows, shown[0..size-1]: nothing in it is trusted. Sets key, kept,
 * kind and bits (of the modulus; 256 for Ed25519) of *peer, and points *spki into shown.
 * USI_ERR_SIGNATURE: malformed, the SPKI not in DER, or not signed by its key over `what`.
 * USI_ERR_KEY_KIND: well formed, but a key of another kind, size or public exponent; or RSA while
 * accept_rsa is false, which is said before anything is computed with the key. */
int usi_identity_check(const struct usi_crypto *crypto, const struct usi_signed *what,
                       const uint8_t *shown, size_t size, bool accept_rsa, struct usi_peer *peer,
                       const uint8_t **spki, size_t *spki_size);

/* Its SubjectPublicKeyInfo, in the identity's own memory. */
const uint8_t *usi_identity_spki(const struct usi_identity *identity, size_t *size);

#endif
