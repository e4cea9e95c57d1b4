/* libusi: one end of a USI channel, without any input or output of its own.
 *
 * The caller moves the octets: what the peer sent goes into usi_channel_receive, what must go to
 * the peer comes out of usi_channel_send, and time comes in by usi_channel_tick. The wire format
 * and the reasons for it are in tunnel/PROTOCOL.md.
 *
 * A crypto object never changes once made, and a keyring once its first channel is made only by
 * usi_keyring_replace_keys: both may serve any number of threads, and must outlive every channel
 * made from them. A channel belongs to one thread at a time.
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
    USI_ERR_MODE = -13,      /* message 1 asks for a mode, or gives a name, that is not offered */
    USI_ERR_SIGNATURE = -14, /* an identity's signature is not by its key, or it is malformed */
    USI_ERR_KEY_KIND = -15,  /* a signature key of a kind or size that is not accepted */
    USI_ERR_CHANGED = -16,   /* a peer shows another identity in a rekey */
    USI_ERR_SHARE = -17,     /* a password share that is not a point of the curve */
    USI_ERR_PASSWORD = -18,  /* the peer does not know the password */
    USI_ERR_TRIES = -19,     /* the password allows no more tries, or not so fast */
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

/* Frees what libcrypto keeps for the calling thread, which uses crypto no more; before the libctx
 * is freed. */
void usi_crypto_thread_stop(const struct usi_crypto *crypto);

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

/* Gives a listener's ring the keys of `by`, and `by` those that ring had, for usi_keyring_free.
 * Handshakes that have not come to a key meet the new ones; a channel goes on, and rekeys, with the
 * key it has. What else the ring has, and remembers, stays. Any thread may call while others use
 * ring. */
int usi_keyring_replace_keys(struct usi_keyring *ring, struct usi_keyring *by);

/* Wipes and frees. NULL is fine. */
void usi_keyring_free(struct usi_keyring *ring);

/* ---- identities ---- */

enum usi_identity_kind { USI_IDENTITY_ED25519 = 1, USI_IDENTITY_RSA = 2 };

/* One's own signature key. Never changes once made: any number of threads may use it. */
struct usi_identity;

/* A fresh key pair, which a peer is told is fresh: Ed25519, or RSA of 2,048 bits. USI_ERR_ALGORITHM
 * if no provider makes one. */
int usi_identity_new(struct usi_identity **out, const struct usi_crypto *crypto,
                     enum usi_identity_kind kind);

/* A kept private key, of any provider of crypto's libctx; a reference to it is taken. Ed25519, or
 * RSA of 2,048 to 4,096 bits with e = 65537; else USI_ERR_KEY_KIND. USI_ERR_INTERNAL if it does not
 * sign. */
int usi_identity_from_key(struct usi_identity **out, const struct usi_crypto *crypto,
                          EVP_PKEY *key);
void usi_identity_free(struct usi_identity *identity);

/* SHA-256 of its SubjectPublicKeyInfo: what peers know it by. */
enum { USI_FINGERPRINT = 32 };
void usi_identity_fingerprint(const struct usi_identity *identity,
                              uint8_t fingerprint[USI_FINGERPRINT]);

/* Identity mode: the key to show (the ring does not own it; it must outlive the channels), and
 * whether a listener takes connectors with RSA keys. */
void usi_keyring_set_identity(struct usi_keyring *ring, const struct usi_identity *identity,
                              bool accept_rsa);

/* The English word list of BIP-39: word `number`, 0 to 2,047; NULL beyond. */
const char *usi_word(unsigned number);

/* The first 132 bits of a fingerprint as twelve words divided by blanks; USI_WORDS_TEXT holds
 * any. */
enum { USI_WORDS = 12, USI_WORDS_TEXT = USI_WORDS * 9 };
void usi_words(const uint8_t fingerprint[USI_FINGERPRINT], char text[USI_WORDS_TEXT]);

/* ---- passwords ---- */

enum { USI_SALT = 16, USI_STRETCHED = 40 };

/* bcrypt, cost 12, and HKDF: what a password (UTF-8, any octets but none is special) becomes under
 * a salt. Takes a good part of a second of one core, on purpose: keep it off the thread of an event
 * loop. */
int usi_password_stretch(const struct usi_crypto *crypto, const char *password, size_t size,
                         const uint8_t salt[USI_SALT], uint8_t out[USI_STRETCHED]);

/* What a listener allows. Failed tries come back one each refill_ms, up to burst; 0: never. */
struct usi_tries {
    unsigned burst;     /* tries that may fail in a row, or, without a refill, in all */
    uint64_t refill_ms; /* 0: none come back */
    bool once;          /* good for one success */
};

/* A password that a listener accepts, stretched under a fresh random salt of its own. */
int usi_keyring_set_password(struct usi_keyring *ring, const uint8_t salt[USI_SALT],
                             const uint8_t stretched[USI_STRETCHED], const struct usi_tries *tries);

/* How often a try of the listener's password has failed (one that is being checked counts as
 * failed), and whether one more is allowed now, or ever. */
struct usi_tries_state {
    uint64_t failed;
    bool used; /* `once`, and it was */
    bool now, ever;
};
void usi_keyring_tries(struct usi_keyring *ring, uint64_t now, struct usi_tries_state *state);

/* The name that a listener accepts, and a connector gives, in identity and password mode. "" unless
 * set; at most USI_NAME_MAX octets. */
int usi_keyring_set_name(struct usi_keyring *ring, const char *name, size_t size);

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

enum usi_mode { USI_MODE_KEY = 1, USI_MODE_IDENTITY = 2, USI_MODE_PASSWORD = 3, USI_MODE_AKA = 4 };

struct usi_witness;

struct usi_settings {
    enum usi_mode mode;   /* a connector's; 0: USI_MODE_KEY. Listeners offer what the ring has */
    uint64_t rekey_ms;    /* 0: USI_REKEY_MS */
    uint64_t rekey_bytes; /* 0: USI_REKEY_BYTES; else USI_REKEY_BYTES_MIN to USI_REKEY_BYTES */
    const struct usi_witness *witness; /* NULL: none. Must outlive the channel */
    void *subject;                     /* what the witness is told that it sees; may be NULL */
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
    USI_EVENT_REKEYED,       /* new keys in both directions, or about to be with the next send */
    USI_EVENT_SALT,   /* connector: stretch the password under usi_channel_salt, and go on with
                         usi_channel_stretched */
    USI_EVENT_ASKED,  /* listener: answers a question for its password (by itself); reason: 0 the
                         peer knows it too, 1 it does not, 2 there is none, or no more tries */
    USI_EVENT_ANSWER, /* connector: to usi_channel_question; reason: 0 the listener knows the
                         password, 1 it is not the same, 2 it has none or allows no more tries */
    USI_EVENT_RECORD  /* a service record of type `record`: content[0..size-1], in the buffer */
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
    USI_REASON_IDLE = 7,          /* nothing moved for its --idle-timeout */
    USI_REASON_STOPPING = 8,      /* it is being stopped */
    USI_REASON_NOT_SUPPORTED = 9, /* it does not know what was asked for */
    USI_REASON_NOT_ACCEPTED = 10  /* its user did not accept this identity */
};

/* A short text for a reason octet. Never NULL. */
const char *usi_reason_text(unsigned reason);

struct usi_event {
    enum usi_event_type type;
    uint8_t reason;
    /* USI_EVENT_RECORD only. The content is the last octets of the buffer's `used`. */
    uint8_t record;
    const uint8_t *content;
    size_t size;
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

/* The same for one service record of `type`, of any size up to USI_RECORD_DATA, in a stream whose
 * service allows that type. *taken: it went, whole; else it did not (usi_channel_room is too small,
 * or `room` is: usi_channel_sealed_record(size) and USI_SEND_ROOM are enough). */
int usi_channel_send_record(struct usi_channel *channel, uint8_t type, const uint8_t *content,
                            size_t size, bool *taken, uint8_t *out, size_t room, size_t *made);

/* Octets that a service record of `size` octets of content makes. */
size_t usi_channel_sealed_record(size_t size);

/* Is there something for usi_channel_send to send besides data? */
bool usi_channel_waiting(const struct usi_channel *channel);

/* How many octets of data usi_channel_send would take now, or of content one service record may
 * have. 0 while a rekey is overdue, and when no stream is open this way. */
size_t usi_channel_room(const struct usi_channel *channel);

/* Octets that sending `size` octets of data makes, waiting control records not counted. */
size_t usi_channel_sealed_size(size_t size);

/* ---- who the peer is ---- */

/* Identity mode: what the peer has proved. */
struct usi_peer {
    uint8_t key[USI_FINGERPRINT];         /* SHA-256 of its public key */
    uint8_t fingerprint[USI_FINGERPRINT]; /* of both keys: the same on both sides */
    bool kept;                            /* else made for this run */
    enum usi_identity_kind kind;
    unsigned bits; /* 256 for Ed25519 */
};

/* From USI_EVENT_AUTHENTICATED on, in identity mode; else NULL. */
const struct usi_peer *usi_channel_peer(const struct usi_channel *channel);

/* True in identity mode from USI_EVENT_AUTHENTICATED to usi_channel_accept: until then nothing of a
 * stream can be sent. usi_channel_abort says no. A USI_EVENT_OPEN may come before, but data is
 * given to the caller only afterwards: until then usi_channel_receive is USI_ERR_ARGUMENT. */
bool usi_channel_held(const struct usi_channel *channel);
int usi_channel_accept(struct usi_channel *channel);

/* Connector, identity mode: asks the listener whether it knows a password too. USI_EVENT_SALT
 * comes, or USI_EVENT_ANSWER. One at a time, at most eight a channel. */
int usi_channel_question(struct usi_channel *channel);

/* Connector, after USI_EVENT_SALT: the salt, and the password stretched under it. */
const uint8_t *usi_channel_salt(const struct usi_channel *channel);
int usi_channel_stretched(struct usi_channel *channel, const uint8_t stretched[USI_STRETCHED]);

/* Connector, password mode or question: the listener was shown a proof that a wrong password would
 * make wrong, and has not answered rightly yet. */
bool usi_channel_guessed(const struct usi_channel *channel);

/* Listener: a password question is open, and the next step is the connector's. */
bool usi_channel_questioned(const struct usi_channel *channel);

/* ---- streams ---- */

/* What a stream carries: octets, or records of the types that belong to a service, and no data.
 * PROTOCOL.md, "Services". */
enum usi_service {
    USI_SERVICE_PIPE = 0, /* octets */
    USI_SERVICE_CHAT = 1, /* record types 32 to 95 */
    USI_SERVICE_GIVE = 2, /* files, of the connector: record types 64 to 95 */
    USI_SERVICE_TAKE = 3  /* files, of the listener: the same */
};

/* Connector: begins a stream; data, or records, may follow at once. */
int usi_channel_open(struct usi_channel *channel); /* of USI_SERVICE_PIPE */
int usi_channel_open_for(struct usi_channel *channel, enum usi_service service);

/* Of the stream that is open: any octet that the connector sent. A listener looks at
 * USI_EVENT_OPEN, and answers what it does not do by usi_channel_abort(USI_REASON_NOT_SUPPORTED).
 */
enum usi_service usi_channel_service(const struct usi_channel *channel);

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

/* Gives back the memory that only a channel in use needs; the next record makes it again, in about
 * a microsecond. */
void usi_channel_rest(struct usi_channel *channel);

struct usi_counts {
    uint64_t sent, received; /* octets of data, of all streams */
    uint64_t rekeys;
    uint64_t streams; /* begun */
    bool authenticated;
    bool heard;                  /* a record has come from the peer */
    bool end_sent, end_received; /* of the present stream */
    unsigned key_bits;           /* of the cipher */
    enum usi_mode mode;
};
void usi_channel_counts(const struct usi_channel *channel, struct usi_counts *counts);

/* ---- seeing: for a trace of the steps, and for a log of the keys ---- */

/* What comes to be, in the words of PROTOCOL.md. Each part of a handshake is shown by the side that
 * makes it and by the side that reads it, there before it is checked as far as it can be wrong. */
enum usi_seen_type {
    USI_SEEN_HANDSHAKE,      /* one begins */
    USI_SEEN_CIPHER,         /* number: the bits of its key */
    USI_SEEN_NAME,           /* octets, of any value */
    USI_SEEN_RAND_MS,        /* the connector's challenge */
    USI_SEEN_KEM_KEY,        /* ML-KEM: the connector's encapsulation key */
    USI_SEEN_E,              /* an X25519 public key */
    USI_SEEN_KNOCK,          /* key mode */
    USI_SEEN_SALT,           /* of the password */
    USI_SEEN_SHARE,          /* pA or pB */
    USI_SEEN_RAND_NW,        /* key mode: the listener's challenge */
    USI_SEEN_KEM_CIPHERTEXT, /* ML-KEM: the listener's answer */
    USI_SEEN_KC,             /* secret: the psk, which in key mode is Kc */
    USI_SEEN_IDENTITY,       /* SHA-256 of a public key; number: 1 a kept one, 0 a fresh one */
    USI_SEEN_FINGERPRINT,    /* of both public keys */
    USI_SEEN_MESSAGE,        /* a message is whole; number: which, from 1; size: its octets */
    USI_SEEN_H,              /* the hash of all messages */
    USI_SEEN_SRES,           /* key mode: the content of `proof` */
    USI_SEEN_PROVED,         /* the peer is authentic */
    USI_SEEN_KEY,    /* secret: key of the records that `ours` says who seals; number: its epoch, 0
                        for the first of a direction */
    USI_SEEN_AGREED, /* the handshake is over */
    USI_SEEN_RECORD, /* one that is not `data` was sealed or has opened; record: its type; size: of
                        its content; number: its place under its key, from 0 */
    USI_SEEN_FAILED, /* number: the enum usi_error, negated */
    USI_SEEN_OVER    /* the channel is freed */
};

/* Which handshake a step belongs to. */
enum usi_occasion { USI_OCCASION_FIRST, USI_OCCASION_REKEY, USI_OCCASION_QUESTION };

enum { USI_SEEN_CHANNEL = 32 };

struct usi_seen {
    enum usi_seen_type type;
    enum usi_occasion occasion; /* of a handshake's steps, as is the mode */
    enum usi_mode mode;
    bool connector; /* this side is the connector */
    bool ours;      /* made or sent on this side, else on the peer's */
    bool secret;    /* who knows it can read what the channel carries, or pass for a side of it */
    uint8_t record;
    uint64_t number;
    const uint8_t *octets; /* NULL: none */
    size_t size;
    /* RANDms of the first handshake: names the channel on both sides, and to whoever sees the wire.
     * NULL: not known yet. */
    const uint8_t *channel;
};

/* Is told every step of the channels that have it in their settings: from usi_channel_connect on,
 * before that returns, to usi_channel_free. All that seen points to is lent for the call; what of
 * it is kept and secret, the witness wipes. It calls nothing of the channel. Ki and passwords are
 * not shown. */
struct usi_witness {
    void (*see)(void *owner, void *subject, const struct usi_seen *seen);
    void *owner;
};

#ifdef __cplusplus
}
#endif

#endif
