/* Records: one direction of a channel under one key.
 *
 *   u32 length of what follows (also the associated data) | ciphertext | 16-octet tag
 *   plaintext: content (at most 65,536), one type octet that is not 0, zero padding (at most 255)
 */
#ifndef USI_CHANNEL_RECORD_H
#define USI_CHANNEL_RECORD_H

#include "channel/crypto.h"

enum usi_record_type {
    USI_RECORD_TYPE_DATA = 1,
    USI_RECORD_TYPE_END = 2,
    USI_RECORD_TYPE_BYE = 3,
    USI_RECORD_TYPE_OPEN = 4,
    USI_RECORD_TYPE_OPENED = 5,  /* kept free */
    USI_RECORD_TYPE_REFUSED = 6, /* kept free */
    USI_RECORD_TYPE_ABORT = 7,
    USI_RECORD_TYPE_OFFER = 8, /* kept free */
    USI_RECORD_TYPE_PING = 9,
    USI_RECORD_TYPE_PONG = 10,
    USI_RECORD_TYPE_PROOF = 11,
    USI_RECORD_TYPE_RESYNC = 12, /* kept free */
    USI_RECORD_TYPE_ASK = 13,
    USI_RECORD_TYPE_REKEY_1 = 14,
    USI_RECORD_TYPE_REKEY_2 = 15,
    USI_RECORD_TYPE_SWITCH = 16,
    USI_RECORD_TYPE_QUESTION = 17, /* and the three that follow it */
    USI_RECORD_TYPE_CHALLENGE = 18,
    USI_RECORD_TYPE_ATTEMPT = 19,
    USI_RECORD_TYPE_VERDICT = 20,
    USI_RECORD_TYPE_CHAT = 32, /* the first of the service records: these belong to chat, */
    USI_RECORD_TYPE_FILE = 64, /* these to files, */
    USI_RECORD_TYPE_SERVICE_LAST = 95
};

enum {
    USI_RECORD_HEADER = 4,
    USI_RECORD_PADDING_MAX = 255,
    USI_RECORD_PLAIN_MAX = USI_RECORD_DATA + 1 + USI_RECORD_PADDING_MAX,
    USI_RECORD_LENGTH_MIN = 1 + USI_TAG,
    USI_RECORD_LENGTH_MAX = USI_RECORD_PLAIN_MAX + USI_TAG,
    USI_RECORD_STEP = 256, /* what is not data is padded to a multiple of this */
    USI_RECORD_CONTROL_MAX = 2304 + USI_RECORD_STEP
};

/* One direction's key, and libcrypto's context for it, which a direction at rest does without. */
struct usi_record_key {
    const struct usi_cipher *cipher; /* NULL: no key yet */
    EVP_CIPHER_CTX *ctx;             /* NULL: at rest */
    uint8_t key[USI_KEY];
};

/* ---- sealing ---- */

struct usi_sealer {
    struct usi_record_key key;
    uint64_t counter;
    uint64_t wire; /* octets made under this key */
};

/* Keys an all-zero or cleared sealer. */
int usi_sealer_key(struct usi_sealer *s, const struct usi_cipher *cipher,
                   const uint8_t key[USI_KEY]);

/* Wipes. */
void usi_sealer_clear(struct usi_sealer *s);

/* Gives the context back; the next record makes it again. */
void usi_sealer_rest(struct usi_sealer *s);

/* One record of content[0..size-1] at out; *made octets. Data is not padded. size is at most
 * USI_RECORD_DATA. */
int usi_seal(struct usi_sealer *s, enum usi_record_type type, const uint8_t *content, size_t size,
             uint8_t *out, size_t *made);

/* Octets that a record of `size` octets of content makes. */
size_t usi_seal_size(enum usi_record_type type, size_t size);

/* ---- opening ---- */

struct usi_opener {
    struct usi_record_key key;
    uint64_t counter;
    uint64_t wire;     /* octets taken under this key */
    size_t length_max; /* of the next record; USI_RECORD_LENGTH_MAX unless set */
    /* the record that is half way in */
    size_t taken; /* of header, body and tag */
    size_t plain; /* octets of plaintext made */
    size_t body;  /* length of the ciphertext without its tag, once the header is in */
    uint8_t header[USI_RECORD_HEADER];
    uint8_t tag[USI_TAG];
};

int usi_opener_key(struct usi_opener *o, const struct usi_cipher *cipher,
                   const uint8_t key[USI_KEY]);
void usi_opener_clear(struct usi_opener *o);

/* The same as usi_sealer_rest; nothing while a record is half way in. */
void usi_opener_rest(struct usi_opener *o);

enum usi_open_result { USI_OPEN_MORE, USI_OPEN_ROOM, USI_OPEN_RECORD };

/* Takes from in[0..size-1] at most to the end of one record, *taken octets. The plaintext grows in
 * plain[0..room-1] from call to call (the same place each time) and counts for nothing until the
 * answer is USI_OPEN_RECORD; then it is *content octets of *type. USI_OPEN_ROOM: the record that
 * comes needs more room; none of its body was taken. USI_OPEN_MORE: the input was used up. Or a
 * negative enum usi_error; what plain had is wiped then. Works in one pass over the ciphertext and
 * keeps none of it. */
int usi_open(struct usi_opener *o, const uint8_t *in, size_t size, size_t *taken, uint8_t *plain,
             size_t room, size_t *content, uint8_t *type);

/* Octets from the peer that surely belong to the record that is half way in, or comes next. */
size_t usi_open_want(const struct usi_opener *o);

#endif
