/* What a side proves itself with, and what a listener accepts and has accepted before. The public
 * contract is in usi/channel.h. */
#ifndef USI_CHANNEL_KEYRING_H
#define USI_CHANNEL_KEYRING_H

#include "channel/credential.h"
#include "channel/password.h"

enum { USI_REPLAY_MEMORY = 65536 };

/* Message 1 as far as it says who calls. */
struct usi_caller {
    uint8_t cipher;
    const uint8_t *name;
    size_t name_size;
    const uint8_t *h1;    /* USI_HASH octets */
    const uint8_t *knock; /* USI_KNOCK octets */
};

/* Which key knocks: *found is the credential of that name and cipher whose knock it is, with a
 * reference of the caller's own even where it fails then, else NULL. Whether the name is known, the
 * cipher fits or the knock is right, the same calls are made and the answer is the same:
 * USI_ERR_KNOCK. Any thread may call, also while the keys are replaced. */
int usi_keyring_find(struct usi_keyring *ring, const struct usi_caller *caller,
                     struct usi_credential **found);

/* The key that a connector uses, and its name; NULL from an empty keyring. It is the ring's. */
struct usi_credential *usi_keyring_first(const struct usi_keyring *ring, const char **name,
                                         size_t *name_size);

/* Remembers a connector's challenge: 0, or USI_ERR_REPLAY if it is among the last
 * USI_REPLAY_MEMORY. Any thread may call. */
int usi_keyring_remember(struct usi_keyring *ring, const uint8_t rand_ms[USI_RAND]);

/* ---- identity and password mode ---- */

/* The name that is given, or accepted. */
const char *usi_keyring_name(const struct usi_keyring *ring, size_t *size);

/* NULL: not offered. */
const struct usi_identity *usi_keyring_identity(const struct usi_keyring *ring);
bool usi_keyring_accepts_rsa(const struct usi_keyring *ring);

/* The listener's password: USI_STRETCHED octets, and its salt. NULL without one. */
bool usi_keyring_has_password(const struct usi_keyring *ring);
const uint8_t *usi_keyring_password(const struct usi_keyring *ring, uint8_t salt[USI_SALT]);
struct usi_guard *usi_keyring_guard(const struct usi_keyring *ring);

#endif
