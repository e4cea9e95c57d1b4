#include "apps/chat_name.h"
#include "cli/options_table.h"
#include "text/text.h"
#include "text/utf8.h"

#include <string.h>
#include <sys/socket.h>

enum { SECONDS_MAX = 365 * 86400 };

/* A non-negative decimal number of seconds, rounded up to ms so that only 0 is 0. */
static bool parse_seconds(uint64_t *ms, const char *text)
{
    size_t digits = strspn(text, "0123456789"), all = digits;
    uint64_t value = 0, scale = 100;
    bool rest = false;

    for (; digits > 0 && value <= SECONDS_MAX; digits--)
        value = value * 10 + (uint64_t)(*text++ - '0');
    value *= 1000;
    if (digits == 0 && *text == '.') {
        digits = strspn(++text, "0123456789");
        all += digits;
        for (; digits > 0; digits--, scale /= 10) {
            rest = rest || (scale == 0 && *text != '0');
            value += (uint64_t)(*text++ - '0') * scale;
        }
    }
    *ms = value + rest;
    return all > 0 && *text == '\0' && *ms <= (uint64_t)SECONDS_MAX * 1000;
}

/* A whole number, perhaps with K, M or G. */
static bool parse_size(uint64_t *size, const char *text)
{
    static const char units[] = "KMGkmg";
    size_t digits = strspn(text, "0123456789");
    bool any = digits > 0;

    *size = 0;
    for (; digits > 0 && *size >> 40 == 0; digits--)
        *size = *size * 10 + (uint64_t)(*text++ - '0');
    if (*size >> 40 != 0 || !any)
        return false;
    if (*text != '\0') {
        const char *unit = strchr(units, *text++);
        int shift = unit != NULL ? 10 * (int)((unit - units) % 3 + 1) : 0;
        if (unit == NULL || *size > UINT64_MAX >> shift)
            return false;
        *size <<= shift;
    }
    return *text == '\0';
}

/* Whether a name can cross the wire and be printed: UTF-8 without control characters. */
static bool is_name(const char *text)
{
    size_t length = strlen(text), size;
    uint32_t point;

    if (length > OPTIONS_NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i += size) {
        size = utf8_decode(text + i, length - i, &point);
        if (size == 0 || point < 0x20 || (point >= 0x7f && point < 0xa0))
            return false;
    }
    return true;
}

static void *field(struct options *out, size_t offset)
{
    return (char *)out + offset;
}

static int set_number(uint64_t *number, const struct option *option, const char *value, char *why,
                      size_t size)
{
    if (option->type == OPTION_SECONDS) {
        if (parse_seconds(number, value) && *number >= option->lowest)
            return 0;
        snprintf(why, size,
                 option->lowest > 0
                     ? text("\"%.80s\" is not a number of seconds above 0 and of at most %d")
                     : text("\"%.80s\" is not a number of seconds of at most %d"),
                 value, SECONDS_MAX);
        return -1;
    }
    if (parse_size(number, value) && *number >= option->lowest && *number <= option->highest)
        return 0;
    snprintf(why, size, text("\"%.80s\" is not a number of octets (K, M, G) from %lluK to %lluG"),
             value, (unsigned long long)option->lowest >> 10,
             (unsigned long long)option->highest >> 30);
    return -1;
}

static int set_bits(unsigned *bits, const char *value, char *why, size_t size)
{
    static const struct {
        const char *text;
        unsigned bits;
    } sizes[] = {{"128", 128}, {"192", 192}, {"256", 256}};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (strcmp(value, sizes[i].text) == 0) {
            *bits = sizes[i].bits;
            return 0;
        }
    }
    snprintf(why, size, text("\"%.80s\": a key has 128, 192 or 256 bits"), value);
    return -1;
}

static int set_count(unsigned *count, const struct option *option, const char *value, char *why,
                     size_t size)
{
    uint64_t number;

    if (value[strspn(value, "0123456789")] == '\0' && parse_size(&number, value) &&
        number >= option->lowest && number <= option->highest) {
        *count = (unsigned)number;
        return 0;
    }
    snprintf(why, size, text("\"%.80s\" is not a number from %u to %u"), value,
             (unsigned)option->lowest, (unsigned)option->highest);
    return -1;
}

static int set_source(struct options *out, const char *value, char *why, size_t size)
{
    size_t length = strlen(value);

    if (address_family(value) == AF_UNSPEC || length > ADDRESS_HOST_MAX) {
        snprintf(why, size, text("\"%.80s\" is not a numeric address, without brackets and port"),
                 value);
        return -1;
    }
    memcpy(out->source, value, length + 1);
    out->has_source = true;
    return 0;
}

/* 64 hex digits, perhaps behind `sha256:`. Nothing here is secret. */
static bool parse_fingerprint(uint8_t out[OPTIONS_FINGERPRINT], const char *text)
{
    static const char digits[] = "0123456789abcdefABCDEF", prefix[] = "sha256:";

    if (strncmp(text, prefix, sizeof prefix - 1) == 0)
        text += sizeof prefix - 1;
    if (strlen(text) != (size_t)2 * OPTIONS_FINGERPRINT || text[strspn(text, digits)] != '\0')
        return false;
    for (size_t i = 0; i < (size_t)2 * OPTIONS_FINGERPRINT; i++) {
        size_t value = (size_t)(strchr(digits, text[i]) - digits);
        if (value > 15)
            value -= 6;
        out[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : out[i / 2] | value);
    }
    return true;
}

static int set_descriptor(struct options *out, const char *value, char *why, size_t size)
{
    size_t digits = strspn(value, "0123456789");
    int number = 0;

    for (size_t i = 0; i < digits && i < 7; i++)
        number = number * 10 + (value[i] - '0');
    if (digits == 0 || digits > 6 || value[digits] != '\0' || number == 1 || number == 2) {
        snprintf(why, size, text("\"%.80s\" is not the number of a file descriptor to read"),
                 value);
        return -1;
    }
    out->password_fd = number;
    out->has_password_fd = true;
    return 0;
}

static int set_choice(struct options *out, const struct option *option, const char *value,
                      char *why, size_t size)
{
    if (value == NULL)
        value = option->otherwise;
    if (out->command == OPTIONS_KEYGEN && strcmp(value, "ed25519") != 0 &&
        strcmp(value, "rsa") != 0) {
        snprintf(why, size, text("\"%.80s\": keygen makes an ed25519 or an rsa key"), value);
        return -1;
    }
    *(const char **)field(out, option->offset) = value;
    *(bool *)field(out, option->count) = true;
    return 0;
}

/* The next place of a list with `count` entries, or -1 with a line. */
static int next_place(size_t *place, size_t *count, char *why, size_t size)
{
    if (*count == OPTIONS_LIST_MAX) {
        snprintf(why, size, text("more than %d times"), OPTIONS_LIST_MAX);
        return -1;
    }
    *place = (*count)++;
    return 0;
}

int options_set(struct options *out, const struct option *option, const char *value, char *why,
                size_t size)
{
    size_t place = 0;

    switch (option->type) {
    case OPTION_FLAG:
        *(bool *)field(out, option->offset) = true;
        return 0;
    case OPTION_IPV4:
    case OPTION_IPV6:
        *(int *)field(out, option->offset) = option->type == OPTION_IPV4 ? AF_INET : AF_INET6;
        return 0;
    case OPTION_NICKNAME:
        if (!chat_name_is_fit(value, strlen(value))) {
            snprintf(why, size,
                     text("\"%.80s\" cannot be a name in a chat: 1 to %d visible characters, no "
                          "blanks, none of < > [ ], and none of / ! * - as the first"),
                     value, CHAT_NAME_CHARACTERS);
            return -1;
        }
        *(const char **)field(out, option->offset) = value;
        return 0;
    case OPTION_NAME:
        if (!is_name(value)) {
            snprintf(why, size,
                     text("\"%.80s\" is not a name: at most %d octets of printable UTF-8"), value,
                     OPTIONS_NAME_MAX);
            return -1;
        }
        *(const char **)field(out, option->offset) = value;
        return 0;
    case OPTION_TEXT:
        *(const char **)field(out, option->offset) = value;
        return 0;
    case OPTION_CHOICE:
        return set_choice(out, option, value, why, size);
    case OPTION_LIST:
        if (next_place(&place, field(out, option->count), why, size) < 0)
            return -1;
        ((const char **)field(out, option->offset))[place] = value;
        return 0;
    case OPTION_LOCAL:
        if (next_place(&place, &out->local_count, why, size) < 0)
            return -1;
        return address_parse_local(&out->local[place], value, why, size);
    case OPTION_TARGET:
        out->has_forward = true;
        return address_parse_target(&out->forward, value, why, size);
    case OPTION_SOURCE:
        return set_source(out, value, why, size);
    case OPTION_SECONDS:
    case OPTION_SIZE:
        return set_number(field(out, option->offset), option, value, why, size);
    case OPTION_COUNT:
        return set_count(field(out, option->offset), option, value, why, size);
    case OPTION_BITS:
        return set_bits(field(out, option->offset), value, why, size);
    case OPTION_FINGERPRINT:
        if (next_place(&place, &out->fingerprint_count, why, size) < 0)
            return -1;
        if (parse_fingerprint(out->fingerprint[place], value))
            return 0;
        snprintf(why, size, text("\"%.80s\" is not a fingerprint: 64 hex digits"), value);
        return -1;
    case OPTION_DESCRIPTOR:
        return set_descriptor(out, value, why, size);
    case OPTION_KEY:
    case OPTION_CONFIG:
    case OPTION_HELP:
    case OPTION_VERSION:
    case OPTION_NOT_YET:
        break;
    }
    snprintf(why, size, text("is not a value"));
    return -1;
}

void options_unset(struct options *out, const struct option *option)
{
    switch (option->type) {
    case OPTION_FLAG:
        *(bool *)field(out, option->offset) = false;
        break;
    case OPTION_IPV4:
    case OPTION_IPV6:
        *(int *)field(out, option->offset) = AF_UNSPEC;
        break;
    case OPTION_TEXT:
    case OPTION_NICKNAME:
        *(const char **)field(out, option->offset) = NULL;
        break;
    case OPTION_KEY:
        *(char **)field(out, option->offset) = NULL;
        break;
    case OPTION_CHOICE:
        *(const char **)field(out, option->offset) = NULL;
        *(bool *)field(out, option->count) = false;
        break;
    case OPTION_COUNT:
        *(unsigned *)field(out, option->offset) = 0;
        break;
    case OPTION_FINGERPRINT:
        out->fingerprint_count = 0;
        break;
    case OPTION_DESCRIPTOR:
        out->has_password_fd = false;
        break;
    case OPTION_LIST:
        *(size_t *)field(out, option->count) = 0;
        break;
    case OPTION_LOCAL:
        out->local_count = 0;
        break;
    case OPTION_TARGET:
        out->has_forward = false;
        break;
    case OPTION_SOURCE:
        out->has_source = false;
        break;
    default: /* the others have presets, or no place */
        break;
    }
}
