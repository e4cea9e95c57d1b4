#include "apps/chat_records.h"

#include "apps/chat_name.h"
#include "channel/bytes.h"
#include "text/utf8.h"

enum { INNER_FIRST = 64, INNER_LAST = 95 };

bool chat_text_is_line(const uint8_t *text, size_t size)
{
    uint32_t point;

    if (size == 0 || size > CHAT_TEXT)
        return false;
    for (size_t i = 0, n; i < size; i += n) {
        n = utf8_decode((const char *)text + i, size - i, &point);
        if (n == 0 || point == 0 || point == '\n')
            return false;
    }
    return true;
}

/* ---- reading ---- */

static uint32_t read_u32(struct usi_read *r)
{
    return (uint32_t)usi_read_number(r, 4);
}

/* All that is left. */
static void read_rest(struct usi_read *r, struct chat_record *out)
{
    out->size = r->left;
    out->text = usi_read_bytes(r, r->left);
}

static void read_line(struct usi_read *r, struct chat_record *out)
{
    read_rest(r, out);
    r->failed = r->failed || !chat_text_is_line(out->text, out->size);
}

static void read_name(struct usi_read *r, struct chat_record *out)
{
    out->size = usi_read_u8(r);
    out->text = usi_read_bytes(r, out->size);
    r->failed = r->failed || !chat_name_is_fit((const char *)out->text, out->size);
}

/* A number that has a meaning up to `most`. */
static uint8_t read_up_to(struct usi_read *r, uint8_t most)
{
    uint8_t value = usi_read_u8(r);

    r->failed = r->failed || value > most;
    return value;
}

static void read_hello(struct usi_read *r, struct chat_record *out)
{
    r->failed = r->failed || usi_read_u8(r) != CHAT_VERSION;
    read_name(r, out);
}

static void read_joined(struct usi_read *r, struct chat_record *out)
{
    out->id = read_u32(r);
    read_name(r, out);
    out->mode = usi_read_u8(r);
    size_t size = usi_read_u8(r);
    if (size == CHAT_FINGERPRINT)
        out->fingerprint = usi_read_bytes(r, size);
    else
        r->failed = r->failed || size != 0;
}

static void read_carry(struct usi_read *r, struct chat_record *out)
{
    out->id = read_u32(r);
    out->transfer = read_u32(r);
    out->inner = usi_read_u8(r);
    read_rest(r, out);
    r->failed = r->failed || out->inner < INNER_FIRST || out->inner > INNER_LAST ||
                out->size > CHAT_CARRIED;
}

bool chat_record_read(struct chat_record *out, uint8_t type, const uint8_t *at, size_t size)
{
    struct usi_read r = usi_read_from(at, size);

    *out = (struct chat_record){.type = type};
    switch (type) {
    case CHAT_TYPE_HELLO:
        read_hello(&r, out);
        break;
    case CHAT_TYPE_SAY:
        out->kind = read_up_to(&r, CHAT_ME);
        read_line(&r, out);
        break;
    case CHAT_TYPE_TELL:
        out->id = read_u32(&r);
        read_line(&r, out);
        break;
    case CHAT_TYPE_CARRY:
    case CHAT_TYPE_CARRIED:
        read_carry(&r, out);
        break;
    case CHAT_TYPE_WELCOME:
        out->id = read_u32(&r);
        read_name(&r, out);
        out->host = read_u32(&r);
        break;
    case CHAT_TYPE_JOINED:
        read_joined(&r, out);
        break;
    case CHAT_TYPE_LEFT:
        out->id = read_u32(&r);
        out->why = read_up_to(&r, CHAT_LEFT_CLOSED);
        break;
    case CHAT_TYPE_SAID:
        out->id = read_u32(&r);
        out->kind = read_up_to(&r, CHAT_PRIVATE);
        read_line(&r, out);
        break;
    case CHAT_TYPE_REFUSED:
        out->why = usi_read_u8(&r);
        break;
    default:
        return false;
    }
    return usi_read_done(&r);
}

/* ---- writing ---- */

static void write_name(struct usi_write *w, const struct chat_record *record)
{
    usi_write_number(w, record->size, 1);
    usi_write_bytes(w, record->text, record->size);
}

static void write_joined(struct usi_write *w, const struct chat_record *record)
{
    size_t size = record->fingerprint != NULL ? CHAT_FINGERPRINT : 0;

    usi_write_number(w, record->id, 4);
    write_name(w, record);
    usi_write_number(w, record->mode, 1);
    usi_write_number(w, size, 1);
    usi_write_bytes(w, record->fingerprint, size);
}

size_t chat_record_write(const struct chat_record *record, uint8_t *out, size_t room)
{
    struct usi_write w = usi_write_to(out, room);

    switch (record->type) {
    case CHAT_TYPE_HELLO:
        usi_write_number(&w, CHAT_VERSION, 1);
        write_name(&w, record);
        break;
    case CHAT_TYPE_SAY:
        usi_write_number(&w, record->kind, 1);
        usi_write_bytes(&w, record->text, record->size);
        break;
    case CHAT_TYPE_TELL:
        usi_write_number(&w, record->id, 4);
        usi_write_bytes(&w, record->text, record->size);
        break;
    case CHAT_TYPE_CARRY:
    case CHAT_TYPE_CARRIED:
        usi_write_number(&w, record->id, 4);
        usi_write_number(&w, record->transfer, 4);
        usi_write_number(&w, record->inner, 1);
        usi_write_bytes(&w, record->text, record->size);
        break;
    case CHAT_TYPE_WELCOME:
        usi_write_number(&w, record->id, 4);
        write_name(&w, record);
        usi_write_number(&w, record->host, 4);
        break;
    case CHAT_TYPE_JOINED:
        write_joined(&w, record);
        break;
    case CHAT_TYPE_LEFT:
        usi_write_number(&w, record->id, 4);
        usi_write_number(&w, record->why, 1);
        break;
    case CHAT_TYPE_SAID:
        usi_write_number(&w, record->id, 4);
        usi_write_number(&w, record->kind, 1);
        usi_write_bytes(&w, record->text, record->size);
        break;
    case CHAT_TYPE_REFUSED:
        usi_write_number(&w, record->why, 1);
        break;
    default:
        return 0;
    }
    return usi_write_done(&w) ? w.used : 0;
}
