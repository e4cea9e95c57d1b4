/* What a channel shows to the witness in its settings. Without one there is no view, and all calls
 * with NULL for it do nothing. The contract is in usi/channel.h. */
#ifndef USI_CHANNEL_WITNESS_H
#define USI_CHANNEL_WITNESS_H

#include "usi/channel.h"

/* One channel as its witness sees it. */
struct usi_view;

/* *out is NULL where settings (or they) have no witness. USI_ERR_INTERNAL: out of memory. */
int usi_view_new(struct usi_view **out, const struct usi_settings *settings, bool connector);

/* Tells USI_SEEN_OVER, and frees. NULL is fine. */
void usi_view_free(struct usi_view *view);

/* Shows a step. The view itself sets `connector`, `secret`, `channel` and an epoch. */
void usi_witness_tell(struct usi_view *view, struct usi_seen seen);

/* The same for the key that `ours` says who seals with, from now on. */
void usi_witness_tell_key(struct usi_view *view, bool ours, const uint8_t *key, size_t size);

/* The same for a record other than `data`, the `number`th under its key. */
void usi_witness_tell_record(struct usi_view *view, bool ours, uint8_t type, size_t size,
                             uint64_t number);

#endif
