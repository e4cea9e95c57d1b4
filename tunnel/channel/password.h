/* Passwords: the psk that one leads to, and how often a listener's may be tried. PROTOCOL.md,
 * "Password mode". usi_password_stretch and the structs of tries are in usi/channel.h. */
#ifndef USI_CHANNEL_PASSWORD_H
#define USI_CHANNEL_PASSWORD_H

#include "channel/crypto.h"
#include "channel/spake2.h"

/* The psk of NNpsk0: HKDF(SHA-256(prologue), Ke, "USI1 password", 32), prologue[0..size-1] being
 * (1) || (2) || pA, with what comes before in a password question. */
int usi_password_psk(const struct usi_crypto *crypto, const uint8_t *prologue, size_t size,
                     const uint8_t ke[USI_SPAKE2_KE], uint8_t out[USI_KEY]);

/* Counts a password's tries. All its functions but new and free may be called by any thread. Times
 * are in ms, of one clock for all. */
struct usi_guard;

/* A guard by the rules of *tries, which are copied. NULL when out of memory. */
struct usi_guard *usi_guard_new(const struct usi_tries *tries);
void usi_guard_free(struct usi_guard *guard);

/* Would usi_guard_take succeed now? Counts nothing. */
bool usi_guard_allows(struct usi_guard *guard, uint64_t now);

/* Counts one try, before it is checked. False: none is left, or the password was used; then nothing
 * may be checked. */
bool usi_guard_take(struct usi_guard *guard, uint64_t now);

/* The try that was taken was right: it is given back. With `once` in the rules and uses_up, the
 * password is used from now on. False: it was used by another in between, so this one must not go
 * through either. Of any number of right tries at once with uses_up, one is told true. */
bool usi_guard_right(struct usi_guard *guard, bool uses_up);

/* What was counted. A try that is still being checked counts as failed. `ever` says whether another
 * try can be allowed, now or later, if those fail. */
void usi_guard_state(struct usi_guard *guard, uint64_t now, struct usi_tries_state *state);

#endif
