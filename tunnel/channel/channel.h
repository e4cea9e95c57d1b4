/* The inside of a channel, shared by channel.c (its life), send.c (what it sends) and receive.c
 * (what it takes in). The contract is in usi/channel.h. */
#ifndef USI_CHANNEL_CHANNEL_H
#define USI_CHANNEL_CHANNEL_H

#include "channel/bytes.h"
#include "channel/handshake.h"
#include "channel/record.h"
#include "usi/channel.h"

/* Where a channel is. PROOF is a listener's only. */
enum usi_stage { USI_STAGE_HANDSHAKE, USI_STAGE_PROOF, USI_STAGE_UP, USI_STAGE_DEAD };

/* Where a rekey is. Connector: SENT, then SWITCHED once its switch and proof are sealed. Listener:
 * SENT, then SWITCHED once the connector's switch is opened (its proof comes next), then PROVED. */
enum usi_rekey { USI_REKEY_NONE, USI_REKEY_SENT, USI_REKEY_SWITCHED, USI_REKEY_PROVED };

/* What waits to be sealed, in the order in which it goes out. */
enum usi_waiting {
    USI_WAIT_MESSAGE = 1 << 0, /* a handshake message, in clear */
    USI_WAIT_PROOF = 1 << 1,
    USI_WAIT_REKEY = 1 << 2, /* a rekey's message, in a record */
    USI_WAIT_SWITCH = 1 << 3,
    USI_WAIT_ASK = 1 << 4,
    USI_WAIT_PONG = 1 << 5,
    USI_WAIT_QUESTION = 1 << 6, /* a password question's message, in a record */
    USI_WAIT_OPEN = 1 << 7,
    USI_WAIT_END = 1 << 8,
    USI_WAIT_BYE = 1 << 9,
    USI_WAIT_ABORT = 1 << 10,
    /* what may go out before this side's user has accepted the peer */
    USI_WAIT_HELD =
        USI_WAIT_MESSAGE | USI_WAIT_PROOF | USI_WAIT_PONG | USI_WAIT_QUESTION | USI_WAIT_ABORT
};

enum {
    USI_QUESTIONS_MAX = 8, /* of a channel */
    USI_PING_MAX = 32,
    USI_HARD_RESERVE = 8192, /* room for the records of a rekey, a question and a close */
    USI_QUESTION_MAX = 320   /* the longest of a question's messages is its header, 295 */
};

struct usi_stream {
    bool open; /* between `open` and both `bye`s */
    uint8_t service;
    bool checked;              /* `bye` passes instead of the first `open` */
    bool end_wanted, end_sent; /* ours: called for; sealed */
    bool end_received;
    bool bye_wanted, bye_sent, bye_received;
    uint64_t sent, received; /* octets of data */
};

/* A password question under way. */
struct usi_question {
    struct usi_handshake *handshake; /* NULL: answered before it began */
    uint8_t type;                    /* of the record that waits */
    bool over;                       /* with that record */
    size_t size;
    uint8_t message[USI_QUESTION_MAX];
};

struct usi_channel {
    const struct usi_crypto *crypto;
    struct usi_keyring *ring;
    enum usi_stage stage;
    unsigned waiting; /* of enum usi_waiting */
    bool connector;
    bool authenticated; /* was, even if dead by now */
    bool held;          /* identity mode: the user has not accepted the peer yet */
    bool asked;         /* listener: for a rekey, under this key */
    bool aborted;       /* called for or received: nothing but what waits (`abort`) goes out */
    uint8_t abort_reason;
    uint8_t ping_size;
    uint8_t questions; /* so far */
    enum usi_rekey rekey;

    /* the handshake or rekey under way */
    struct usi_handshake *handshake;
    uint8_t
        *message; /* USI_MESSAGE_2_MAX + 2 octets: handshake input or output; NULL between them */
    size_t message_size;

    struct usi_terms terms;        /* of the latest handshake that is over */
    struct usi_question *question; /* NULL: none */
    struct usi_view *view;         /* NULL: nobody sees the steps */

    struct usi_sealer sealer;
    struct usi_opener opener;
    struct usi_stream stream;
    uint8_t ping[USI_PING_MAX];

    uint64_t now, soft_at, hard_at; /* ms; the key's limits */
    uint64_t rekey_ms, rekey_bytes;
    uint64_t sent, received, rekeys, streams;
};

/* The first handshake has passed: both directions get their keys. */
int usi_channel_take_keys(struct usi_channel *c);

/* The handshake goes on by itself as far as it can: a message that is ours to write waits. */
int usi_channel_advance(struct usi_channel *c);

/* A rekey message of ours is ready in c->message. */
int usi_channel_rekey_begin(struct usi_channel *c);

/* A new key begins: its limits count from now. */
void usi_channel_key_begins(struct usi_channel *c);

/* Begins or asks for a rekey if a limit says so. */
int usi_channel_rekey_if_due(struct usi_channel *c);

/* The handshake is over: frees it. Its terms are settled by then. */
void usi_channel_handshake_over(struct usi_channel *c);

/* ---- question.c ---- */

/* A record of the password question has come in. */
int usi_channel_take_question(struct usi_channel *c, uint8_t type, const struct usi_read *r,
                              struct usi_event *event);
/* Connector: the password was stretched. */
int usi_channel_question_stretched(struct usi_channel *c, const uint8_t stretched[USI_STRETCHED]);
/* Its record was sealed. */
void usi_channel_question_sent(struct usi_channel *c);
/* Frees it. */
void usi_channel_question_over(struct usi_channel *c);

/* Does a record of this type belong to that service? */
bool usi_channel_record_fits(uint8_t service, uint8_t type);

/* Both `bye`s have passed: the stream is over. */
void usi_channel_stream_over_if_done(struct usi_channel *c);

#endif
