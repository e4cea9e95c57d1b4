#include "apps/transfer_records.h"

#include "apps/transfer_event.h"
#include "channel/bytes.h"
#include "text/text.h"

enum { VERSION = 1, NS = 1000000000 };

/* Does the record begin with the index of an entry? */
static bool has_index(enum transfer_record_type type)
{
    return type >= TRANSFER_RECORD_ENTRY && type <= TRANSFER_RECORD_KEPT;
}

/* ---- reading ---- */

/* An offset or a size: one that the system's calls can take. */
static uint64_t read_offset(struct usi_read *r)
{
    uint64_t value = usi_read_number(r, 8);

    r->failed = r->failed || value > INT64_MAX;
    return value;
}

static uint32_t read_u32(struct usi_read *r)
{
    return (uint32_t)usi_read_number(r, 4);
}

static uint8_t read_up_to(struct usi_read *r, uint8_t most)
{
    uint8_t value = usi_read_u8(r);

    r->failed = r->failed || value > most;
    return value;
}

static void read_time(struct usi_read *r, int64_t *seconds, uint32_t *ns)
{
    *seconds = (int64_t)usi_read_number(r, 8);
    *ns = read_u32(r);
    r->failed = r->failed || *ns >= NS;
}

static void read_offer(struct usi_read *r, struct transfer_record *out)
{
    if (usi_read_u8(r) != VERSION)
        r->failed = true;
    out->offer.files = usi_read_number(r, 8);
    out->offer.octets = read_offset(r);
    out->offer.name_size = usi_read_u8(r);
    out->offer.name = (const char *)usi_read_bytes(r, out->offer.name_size);
    out->offer.things = read_u32(r);
    out->offer.folders = usi_read_number(r, 8);
}

static void read_entry(struct usi_read *r, struct transfer_record *out)
{
    struct transfer_entry *entry = &out->entry;

    entry->index = out->index;
    entry->kind = (enum transfer_kind)read_up_to(r, TRANSFER_FOLDER_END);
    entry->mode = read_u32(r);
    read_time(r, &entry->mtime, &entry->mtime_ns);
    entry->size = read_offset(r);
    entry->path_size = (size_t)usi_read_number(r, 2);
    entry->path = (const char *)usi_read_bytes(r, entry->path_size);
    if (entry->kind < TRANSFER_FILE || entry->mode > TRANSFER_MODE ||
        (entry->kind != TRANSFER_FILE && entry->size != 0) || entry->path_size == 0 ||
        entry->path_size > TRANSFER_PATH_MAX)
        r->failed = true;
}

static void read_want(struct usi_read *r, struct transfer_record *out)
{
    out->want.wanted = read_up_to(r, 1) != 0;
    out->want.offset = read_offset(r);
    out->want.hash = usi_read_bytes(r, TRANSFER_HASH_SIZE);
    out->want.reason = usi_read_u8(r);
    r->failed = r->failed || (out->want.reason == 0) != out->want.wanted;
}

static void read_chunk(struct usi_read *r, struct transfer_record *out)
{
    out->chunk.offset = read_offset(r);
    out->chunk.size = r->left;
    out->chunk.octets = usi_read_bytes(r, r->left);
    r->failed = r->failed || out->chunk.size == 0;
}

static void read_done(struct usi_read *r, struct transfer_record *out)
{
    out->done.size = read_offset(r);
    read_time(r, &out->done.mtime, &out->done.mtime_ns);
    out->done.hash = usi_read_bytes(r, TRANSFER_HASH_SIZE);
}

static void read_over(struct usi_read *r, struct transfer_record *out)
{
    out->over.kept = read_u32(r);
    out->over.skipped = read_u32(r);
    out->over.failed = read_u32(r);
}

static void read_rest(struct usi_read *r, struct transfer_record *out)
{
    if (has_index(out->type))
        out->index = read_u32(r);
    switch (out->type) {
    case TRANSFER_RECORD_OFFER:
        read_offer(r, out);
        break;
    case TRANSFER_RECORD_ANSWER:
        out->answer = read_up_to(r, 1) != 0;
        break;
    case TRANSFER_RECORD_ENTRY:
        read_entry(r, out);
        break;
    case TRANSFER_RECORD_WANT:
        read_want(r, out);
        break;
    case TRANSFER_RECORD_BEGIN:
        out->begin = read_offset(r);
        break;
    case TRANSFER_RECORD_CHUNK:
        read_chunk(r, out);
        break;
    case TRANSFER_RECORD_HOLE:
        out->hole = read_offset(r);
        r->failed = r->failed || out->hole == 0;
        break;
    case TRANSFER_RECORD_DONE:
        read_done(r, out);
        break;
    case TRANSFER_RECORD_SPOILT:
        out->reason = usi_read_u8(r);
        r->failed = r->failed || out->reason == 0;
        break;
    case TRANSFER_RECORD_KEPT:
    case TRANSFER_RECORD_STOP:
        out->reason = usi_read_u8(r);
        break;
    case TRANSFER_RECORD_PROGRESS:
        out->progress = usi_read_number(r, 8);
        break;
    case TRANSFER_RECORD_ALL:
        out->all = read_u32(r);
        break;
    case TRANSFER_RECORD_OVER:
        read_over(r, out);
        break;
    }
}

bool transfer_parse(struct transfer_record *out, uint8_t type, const uint8_t *content, size_t size)
{
    struct usi_read r = usi_read_from(content, size);

    if (type < TRANSFER_RECORD_OFFER || type > TRANSFER_RECORD_STOP)
        return false;
    *out = (struct transfer_record){.type = (enum transfer_record_type)type};
    read_rest(&r, out);
    return usi_read_done(&r);
}

/* ---- writing ---- */

static void write_time(struct usi_write *w, int64_t seconds, uint32_t ns)
{
    usi_write_number(w, (uint64_t)seconds, 8);
    usi_write_number(w, ns, 4);
}

static void write_offer(struct usi_write *w, const struct transfer_record *record)
{
    usi_write_number(w, VERSION, 1);
    usi_write_number(w, record->offer.files, 8);
    usi_write_number(w, record->offer.octets, 8);
    usi_write_number(w, record->offer.name_size, 1);
    usi_write_bytes(w, record->offer.name, record->offer.name_size);
    usi_write_number(w, record->offer.things, 4);
    usi_write_number(w, record->offer.folders, 8);
}

static void write_entry(struct usi_write *w, const struct transfer_entry *entry)
{
    usi_write_number(w, entry->kind, 1);
    usi_write_number(w, entry->mode, 4);
    write_time(w, entry->mtime, entry->mtime_ns);
    usi_write_number(w, entry->size, 8);
    usi_write_number(w, entry->path_size, 2);
    usi_write_bytes(w, entry->path, entry->path_size);
}

static void write_want(struct usi_write *w, const struct transfer_record *record)
{
    usi_write_number(w, record->want.wanted, 1);
    usi_write_number(w, record->want.offset, 8);
    usi_write_bytes(w, record->want.hash, TRANSFER_HASH_SIZE);
    usi_write_number(w, record->want.reason, 1);
}

static void write_done(struct usi_write *w, const struct transfer_record *record)
{
    usi_write_number(w, record->done.size, 8);
    write_time(w, record->done.mtime, record->done.mtime_ns);
    usi_write_bytes(w, record->done.hash, TRANSFER_HASH_SIZE);
}

static void write_over(struct usi_write *w, const struct transfer_record *record)
{
    usi_write_number(w, record->over.kept, 4);
    usi_write_number(w, record->over.skipped, 4);
    usi_write_number(w, record->over.failed, 4);
}

static void write_rest(struct usi_write *w, const struct transfer_record *record)
{
    switch (record->type) {
    case TRANSFER_RECORD_OFFER:
        write_offer(w, record);
        break;
    case TRANSFER_RECORD_ANSWER:
        usi_write_number(w, record->answer, 1);
        break;
    case TRANSFER_RECORD_ENTRY:
        write_entry(w, &record->entry);
        break;
    case TRANSFER_RECORD_WANT:
        write_want(w, record);
        break;
    case TRANSFER_RECORD_BEGIN:
        usi_write_number(w, record->begin, 8);
        break;
    case TRANSFER_RECORD_CHUNK:
        usi_write_number(w, record->chunk.offset, 8);
        break;
    case TRANSFER_RECORD_HOLE:
        usi_write_number(w, record->hole, 8);
        break;
    case TRANSFER_RECORD_DONE:
        write_done(w, record);
        break;
    case TRANSFER_RECORD_SPOILT:
    case TRANSFER_RECORD_KEPT:
    case TRANSFER_RECORD_STOP:
        usi_write_number(w, record->reason, 1);
        break;
    case TRANSFER_RECORD_PROGRESS:
        usi_write_number(w, record->progress, 8);
        break;
    case TRANSFER_RECORD_ALL:
        usi_write_number(w, record->all, 4);
        break;
    case TRANSFER_RECORD_OVER:
        write_over(w, record);
        break;
    }
}

size_t transfer_write(const struct transfer_record *record, uint8_t *out, size_t room)
{
    struct usi_write w = usi_write_to(out, room);

    if (has_index(record->type))
        usi_write_number(&w, record->index, 4);
    write_rest(&w, record);
    return usi_write_done(&w) ? w.used : 0;
}

/* ---- texts ---- */

const char *transfer_stop_text(uint8_t reason)
{
    static const char *const texts[] = {
        [TRANSFER_STOP_USER] = TEXT("the other side's user wants no more of it"),
        [TRANSFER_STOP_FAILED] = TEXT("the other side cannot go on"),
        [TRANSFER_STOP_RULES] = TEXT("the other side says that this one broke the rules"),
    };

    return text(reason > 0 && reason < sizeof texts / sizeof texts[0]
                    ? texts[reason]
                    : TEXT("the other side gave up for a reason that is unknown here"));
}
