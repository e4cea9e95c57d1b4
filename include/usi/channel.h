/* libusi: one end of a USI channel, without any input or output of its own.
 *
 * The caller moves the octets: what the peer sent goes into usi_channel_receive, what must go to
 * the peer comes out of usi_channel_send, and time comes in by usi_channel_tick. The wire format
 * and the reasons for it are in tunnel/PROTOCOL.md.
 *
 * A crypto object never changes once made, and a keyring never once its first channel is made: both
 * may serve any number of threads, and must outlive every channel made from them. A channel belongs
 * to one thread at a time.
 *
 * Functions that return int return 0, or a negative enum usi_error; after any error but
 * USI_ERR_ARGUMENT from a channel, the channel is of no more use than to be freed. */
#ifndef USI_CHANNEL_H
#define USI_CHANNEL_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct usi_crypto;
struct usi_keyring;
struct usi_channel;

enum usi_error {
    USI_ERR_INTERNAL = -1, /* out of memory, or libcrypto failed */
    USI_ERR_ARGUMENT = -2, /* a call that the channel's state or the contract does not allow */
    USI_ERR_ALGORITHM =
        -3,              /* an algorithm cannot be fetched, or does not do what a channel needs */
    USI_ERR_FORMAT = -4, /* not a USI message, or one that is malformed */
    USI_ERR_KNOCK = -5,  /* message 1 by somebody who does not know the key */
    USI_ERR_REPLAY = -6, /* message 1 seen before */
    USI_ERR_CHALLENGE = -7,  /* message 2 by somebody who does not know the key */
    USI_ERR_PROOF = -8,      /* record 0 is not the proof of the key */
    USI_ERR_TAMPERED = -9,   /* a record does not open: changed, lost, repeated or out of order */
    USI_ERR_PROTOCOL = -10,  /* an authentic record that has no place here */
    USI_ERR_COUNT = -11,     /* `end` states another count than what arrived */
    USI_ERR_KEY_LIMIT = -12, /* the peer went on past the hard limit of a key */
};

/* A short lower-case text for an enum usi_error, without a final stop. Never NULL. */
const char *usi_error_text(int error);

/* ---- algorithms ---- */

/* Fetches what channels need from libctx, and looks that the rest is there, under the property
 * query propq (NULL: none): the MAC A3, the KDF A8, HMAC, SHA-256, X25519, AES-OCB, and ML-KEM-768
 * where there is one. Refuses an A3 that cannot take a message of any length and give 16 octets,
 * and an A8 that cannot take a RAND of 64 and give 32. On failure *what (static) names the
 * algorithm. The libctx must outlive the result. */
int usi_crypto_new(struct usi_crypto **out, OSSL_LIB_CTX *libctx, const char *propq,
                   const char **what);
void usi_crypto_free(struct usi_crypto *crypto);

/* ---- keys ---- */

enum { USI_NAME_MAX = 255 };

/* The keys that a listener accepts, or the one that a connector has; and, for a listener, the
 * memory of the last 65,536 connectors' challenges, against replays. NULL when out of memory. */
struct usi_keyring *usi_keyring_new(const struct usi_crypto *crypto);

/* Adds Ki (16, 24 or 32 octets, copied to the secure heap) under name (name_size octets, at most
 * USI_NAME_MAX; 0 is the empty name). A listener may have several keys of one name: any of them
 * opens. A connector uses the first. */
int usi_keyring_add(struct usi_keyring *ring, const char *name, size_t name_size, const uint8_t *ki,
                    size_t ki_size);

/* Wipes and frees. NULL is fine. */
void usi_keyring_free(struct usi_keyring *ring);

/* ---- channels ---- */

enum {
    USI_REKEY_MS = 20 * 60 * 1000,           /* a key's soft limit in time */
    USI_REKEY_BYTES_MIN = 64 * 1024,         /* the least soft limit in octets that can be set */
    USI_RECORD_DATA = 65536,                 /* most octets of data in a record */
    USI_RECORD_OVERHEAD = 4 + 1 + 16,        /* what a record of data adds to them */
    USI_RECORD_ROOM = USI_RECORD_DATA + 256, /* room that any record's plaintext fits in */
    USI_SEND_ROOM = 8192                     /* room that all waiting control records fit in */
};
#define USI_REKEY_BYTES                                                                            \
    (UINT64_C(1) << 36) /* a key's soft limit in octets on the wire, either way */

struct usi_settings {
    uint64_t rekey_ms;    /* 0: USI_REKEY_MS */
    uint64_t rekey_bytes; /* 0: USI_REKEY_BYTES; else USI_REKEY_BYTES_MIN to USI_REKEY_BYTES */
};

/* Makes a connector (its message 1 waits in usi_channel_send at once) or a listener. now is the
 * time in ms of any clock that never goes back; every later `now` is of the same clock. settings
 * may be NULL. */
int usi_channel_connect(struct usi_channel **out, const struct usi_crypto *crypto,
                        struct usi_keyring *ring, const struct usi_settings *settings,
                        uint64_t now);
int usi_channel_listen(struct usi_channel **out, const struct usi_crypto *crypto,
                       struct usi_keyring *ring, const struct usi_settings *settings, uint64_t now);

/* Wipes and frees. NULL is fine. */
void usi_channel_free(struct usi_channel *channel);

/* ---- what the peer sent ---- */

enum usi_event_type {
    USI_EVENT_NONE,  /* all input was used */
    USI_EVENT_ROOM,  /* the next record's plaintext does not fit: call again with an empty buffer */
    USI_EVENT_KNOCK, /* listener: message 1 is by somebody who knows the key; message 2 waits */
    USI_EVENT_AUTHENTICATED, /* the peer has proved the key; it may be told so by `open` or data */
    USI_EVENT_OPEN,          /* listener: a stream begins */
    USI_EVENT_END,           /* the peer's direction has ended, all of it is here */
    USI_EVENT_BYE,           /* the peer has written all of ours out; see usi_channel_idle */
    USI_EVENT_CHECK,         /* listener: `bye` instead of the first `open`; the answer waits */
    USI_EVENT_ABORT,         /* the peer gave the stream up; `reason` says why */
    USI_EVENT_REKEYED        /* new keys in both directions, or about to be with the next send */
};

/* Why a stream was given up: the octet of `abort`. Values that are not here are shown as numbers.
 */
enum usi_reason {
    USI_REASON_INTERNAL = 1,    /* the far program failed */
    USI_REASON_LOCAL_IO = 2,    /* it cannot write or read its own side: disk full, output closed */
    USI_REASON_NOT_WANTED = 3,  /* it takes no data (--send-only) */
    USI_REASON_BUSY = 4,        /* it is taken by another peer */
    USI_REASON_UNREACHABLE = 5, /* its target cannot be reached */
    USI_REASON_NOT_PERMITTED = 6,
    USI_REASON_IDLE = 7,         /* nothing moved for its --idle-timeout */
    USI_REASON_STOPPING = 8,     /* it is being stopped */
    USI_REASON_NOT_SUPPORTED = 9 /* it does not know what was asked for */
};

/* A short text for a reason octet. Never NULL. */
const char *usi_reason_text(unsigned reason);

struct usi_event {
    enum usi_event_type type;
    uint8_t reason;
};

/* Where plaintext goes: base[0..size-1], of which the first `used` octets hold verified data. The
 * caller takes data out only from there. While usi_channel_partial is not 0, a record is half way
 * in, behind `used`: the next call must give the same buffer, unchanged. Between records any buffer
 * will do. */
struct usi_buffer {
    uint8_t *base;
    size_t size;
    size_t used;
};

/* Takes octets from the peer, in[0..size-1], up to the end of the first record that makes an event;
 * *taken says how many. Data is appended to `to`, contiguously and only after its tag was checked.
 */
int usi_channel_receive(struct usi_channel *channel, const uint8_t *in, size_t size, size_t *taken,
                        struct usi_buffer *to, struct usi_event *event);

/* How many octets to read from the peer at most: during a handshake, as many as surely belong to
 * it, so that nothing behind it is taken in; later SIZE_MAX. */
size_t usi_channel_want(const struct usi_channel *channel);

/* Octets of the record that is half way in, once some of its plaintext is; else 0. */
size_t usi_channel_partial(const struct usi_channel *channel);

/* ---- what goes to the peer ---- */

/* Seals what waits (handshake, control records), then as much of data[0..size-1] as room and the
 * key's limits allow, into out[0..room-1]; *taken of data went into *made octets of out. For size 0
 * and room of USI_SEND_ROOM, nothing is left waiting. Data is taken only while a stream is open
 * this way. */
int usi_channel_send(struct usi_channel *channel, const uint8_t *data, size_t size, size_t *taken,
                     uint8_t *out, size_t room, size_t *made);

/* Is there something for usi_channel_send to send besides data? */
bool usi_channel_waiting(const struct usi_channel *channel);

/* How many octets of data usi_channel_send would take now. 0 while a rekey is overdue, and when no
 * stream is open this way. */
size_t usi_channel_room(const struct usi_channel *channel);

/* Octets that sending `size` octets of data makes, waiting control records not counted. */
size_t usi_channel_sealed_size(size_t size);

/* ---- streams ---- */

/* Connector: begins a stream; data may follow at once. */
int usi_channel_open(struct usi_channel *channel);

/* Connector: instead of the first stream, asks for nothing but the peer's `bye`. */
int usi_channel_check(struct usi_channel *channel);

/* Ends our direction: everything was sent. */
int usi_channel_end(struct usi_channel *channel);

/* Confirms that all of the peer's direction was written out. Only after USI_EVENT_END, and after
 * usi_channel_end. */
int usi_channel_bye(struct usi_channel *channel);

/* Gives the stream up. Nothing but the `abort` record will be sent after. */
int usi_channel_abort(struct usi_channel *channel, uint8_t reason);

/* True between streams: both `bye`s have passed (or no stream was yet). Only then may a connection
 * close without being cut off, and a connector open the next stream. */
bool usi_channel_idle(const struct usi_channel *channel);

/* ---- keys' age, and what happened ---- */

/* Begins a rekey, or asks the connector to; no-op if one is under way or a bye was sent. */
int usi_channel_rekey(struct usi_channel *channel);

/* Tells the time, in which a key's age is counted: call it before usi_channel_receive and
 * usi_channel_send too. Something may wait for usi_channel_send afterwards. */
int usi_channel_tick(struct usi_channel *channel, uint64_t now);

/* When to call usi_channel_tick next; UINT64_MAX: no need. */
uint64_t usi_channel_deadline(const struct usi_channel *channel);

struct usi_counts {
    uint64_t sent, received; /* octets of data, of all streams */
    uint64_t rekeys;
    uint64_t streams; /* begun */
    bool authenticated;
    bool end_sent, end_received; /* of the present stream */
    unsigned key_bits;
};
void usi_channel_counts(const struct usi_channel *channel, struct usi_counts *counts);

#ifdef __cplusplus
}
#endif

#endif
