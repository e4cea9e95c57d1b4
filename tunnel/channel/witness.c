#include "channel/witness.h"

#include <openssl/crypto.h>
#include <string.h>

struct usi_view {
    const struct usi_witness *witness;
    void *subject;
    bool connector;
    bool named;
    uint8_t channel[USI_SEEN_CHANNEL];
    uint64_t keys[2]; /* told so far, of the peer's direction and of ours */
};

int usi_view_new(struct usi_view **out, const struct usi_settings *settings, bool connector)
{
    *out = NULL;
    if (settings == NULL || settings->witness == NULL)
        return 0;
    *out = OPENSSL_zalloc(sizeof **out);
    if (*out == NULL)
        return USI_ERR_INTERNAL;
    (*out)->witness = settings->witness;
    (*out)->subject = settings->subject;
    (*out)->connector = connector;
    return 0;
}

void usi_view_free(struct usi_view *view)
{
    usi_witness_tell(view, (struct usi_seen){.type = USI_SEEN_OVER});
    OPENSSL_free(view);
}

void usi_witness_tell(struct usi_view *view, struct usi_seen seen)
{
    if (view == NULL)
        return;
    if (seen.type == USI_SEEN_RAND_MS && !view->named && seen.size == USI_SEEN_CHANNEL) {
        memcpy(view->channel, seen.octets, USI_SEEN_CHANNEL);
        view->named = true;
    }
    seen.channel = view->named ? view->channel : NULL;
    seen.connector = view->connector;
    seen.secret = seen.type == USI_SEEN_KC || seen.type == USI_SEEN_KEY;
    if (seen.type == USI_SEEN_KEY)
        seen.number = view->keys[seen.ours]++;
    view->witness->see(view->witness->owner, view->subject, &seen);
}

void usi_witness_tell_key(struct usi_view *view, bool ours, const uint8_t *key, size_t size)
{
    usi_witness_tell(
        view, (struct usi_seen){.type = USI_SEEN_KEY, .ours = ours, .octets = key, .size = size});
}

void usi_witness_tell_record(struct usi_view *view, bool ours, uint8_t type, size_t size,
                             uint64_t number)
{
    usi_witness_tell(
        view,
        (struct usi_seen){
            .type = USI_SEEN_RECORD, .ours = ours, .record = type, .size = size, .number = number});
}
