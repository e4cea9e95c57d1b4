/* The records of a chat (types 32 to 63, PROTOCOL.md), to and from octets. */
#ifndef USI_APPS_CHAT_RECORDS_H
#define USI_APPS_CHAT_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHAT_VERSION = 1,
    CHAT_TEXT = 4096,          /* most octets of what is said at once */
    CHAT_FINGERPRINT = 32,     /* SHA-256 of a public key */
    CHAT_CARRY_HEAD = 9,       /* of a carry record, before what it carries */
    CHAT_CARRIED = 16384 + 12, /* most octets that one carries: of a file, and the head of the
                                  record of the transfer */
    CHAT_RECORD = CHAT_CARRY_HEAD + CHAT_CARRIED /* no record is longer */
};

enum chat_type {
    /* of a member, to the host */
    CHAT_TYPE_HELLO = 32, /* text: the name that is wished for. The first record, and only it */
    CHAT_TYPE_SAY = 33,   /* kind, text */
    CHAT_TYPE_TELL = 34,  /* id: to whom; text */
    CHAT_TYPE_CARRY = 36, /* id: to whom; transfer, inner, text: content */
    /* of the host, to a member */
    CHAT_TYPE_WELCOME = 48, /* id, text: the name; host: the host's own id. The first record */
    CHAT_TYPE_JOINED = 49,  /* id, text: the name; mode, fingerprint */
    CHAT_TYPE_LEFT = 50,    /* id, why: enum chat_left */
    CHAT_TYPE_SAID = 51,    /* id: who; kind, text */
    CHAT_TYPE_REFUSED = 52, /* why: enum chat_refused */
    CHAT_TYPE_CARRIED = 53  /* id: from whom; transfer, inner, text: content */
};

enum chat_kind { CHAT_SAY = 0, CHAT_ME = 1, CHAT_PRIVATE = 2 /* said only */ };

/* Why somebody is not there any more. */
enum chat_left {
    CHAT_LEFT_QUIT = 0,
    CHAT_LEFT_CUT = 1,   /* the connection broke, or what came over it was wrong */
    CHAT_LEFT_SLOW = 2,  /* did not read what was said */
    CHAT_LEFT_CLOSED = 3 /* of the host: the chat is over */
};

/* Why the host did not do what it was asked. */
enum chat_refused { CHAT_REFUSED_GONE = 1 /* nobody has that id (any more) */ };

/* One record, decoded. What a type has is said above; the rest is 0. Pointers go into its octets.
 */
struct chat_record {
    uint8_t type;
    uint32_t id;
    uint32_t host;
    uint32_t transfer;
    uint8_t kind, why, mode;
    uint8_t inner;              /* the type of a transfer's record, 64 to 95 */
    const uint8_t *fingerprint; /* CHAT_FINGERPRINT octets; NULL: none is known */
    const uint8_t *text;
    size_t size;
};

/* Decodes a record; false if it is none: a type that is not there, octets missing or left over, a
 * number that means nothing, a name that may not be (chat_name.h), a text that is no line. */
bool chat_record_read(struct chat_record *out, uint8_t type, const uint8_t *at, size_t size);

/* Encodes it into out[room]; its size, or 0 if there is no room. CHAT_RECORD octets are enough for
 * any that chat_record_read takes. */
size_t chat_record_write(const struct chat_record *record, uint8_t *out, size_t room);

/* May it be said? 1 to CHAT_TEXT octets of UTF-8 (RFC 3629) without newline and NUL. Other control
 * characters pass: who shows it makes them inert. */
bool chat_text_is_line(const uint8_t *text, size_t size);

#endif
