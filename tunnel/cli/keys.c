#include "cli/keys.h"

#include "cli/file.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 4096, HEX_MAX = 2 * KEY_MAX };

static const char key_forms[] =
    TEXT("a key is 32, 48 or 64 hex digits, or 24, 32 or 44 characters of base64 with its padding");

/* --- Digits, without a branch or a table look-up that depends on them ------------------------- */

/* All ones if low <= c <= high, else 0; for octets, low at least 1. */
static uint32_t between(uint32_t c, uint32_t low, uint32_t high)
{
    return 0u - (((low - 1 - c) & (c - high - 1)) >> 31);
}

/* Returns a digit's value and clears *valid if it is none. */
static uint32_t hex_value(char digit, uint32_t *valid)
{
    uint32_t c = (unsigned char)digit;
    uint32_t number = between(c, '0', '9'), lower = between(c, 'a', 'f'),
             upper = between(c, 'A', 'F');

    *valid &= number | lower | upper;
    return (number & (c - '0')) | (lower & (c - 'a' + 10)) | (upper & (c - 'A' + 10));
}

static uint32_t base64_value(char digit, uint32_t *valid)
{
    uint32_t c = (unsigned char)digit;
    uint32_t upper = between(c, 'A', 'Z'), lower = between(c, 'a', 'z'),
             number = between(c, '0', '9'), plus = between(c, '+', '+'),
             slash = between(c, '/', '/');

    *valid &= upper | lower | number | plus | slash;
    return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (number & (c - '0' + 52)) |
           (plus & 62) | (slash & 63);
}

/* Decodes 2 * count digits. */
static bool decode_hex(uint8_t *octets, size_t count, const char *text)
{
    uint32_t valid = ~0u;

    for (size_t i = 0; i < count; i++) {
        uint32_t high = hex_value(text[2 * i], &valid);
        octets[i] = (uint8_t)(high << 4 | hex_value(text[2 * i + 1], &valid));
    }
    return valid != 0;
}

/* Decodes the 4 * ceil(count / 3) characters that stand for count octets. */
static bool decode_base64(uint8_t *octets, size_t count, const char *text)
{
    size_t digits = (count * 8 + 5) / 6, length = (count + 2) / 3 * 4, out = 0;
    uint32_t valid = ~0u, bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < digits; i++) {
        bits = bits << 6 | base64_value(text[i], &valid);
        held += 6;
        if (held >= 8) {
            held -= 8;
            octets[out++] = (uint8_t)(bits >> held);
        }
    }
    for (size_t i = digits; i < length; i++)
        valid &= between((unsigned char)text[i], '=', '=');
    /* The bits left over are zero, so that a key has one spelling. */
    return valid != 0 && (bits & ((1u << held) - 1)) == 0;
}

static void encode_hex(char *text, const uint8_t *octets, size_t count)
{
    for (size_t i = 0; i < 2 * count; i++) {
        uint32_t value = (octets[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15u;
        text[i] = (char)('0' + value + (between(value, 10, 15) & ('a' - '0' - 10)));
    }
}

enum { HEAP = 256 << 10, HEAP_SMALLEST = 32 };

int key_heap_open(void)
{
    /* 2 means that the memory could not be locked, which a container may not allow. */
    return CRYPTO_secure_malloc_init(HEAP, HEAP_SMALLEST) != 0 ? 0 : -1;
}

/* ---- Key text ---- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const char **text, size_t *length)
{
    while (*length > 0 && is_blank((*text)[0])) {
        ++*text;
        --*length;
    }
    while (*length > 0 && is_blank((*text)[*length - 1]))
        --*length;
}

static bool strip_prefix(const char **text, size_t *length, const char *prefix)
{
    size_t size = strlen(prefix);

    if (*length < size || memcmp(*text, prefix, size) != 0)
        return false;
    *text += size;
    *length -= size;
    return true;
}

/* The octets that so many hex digits, or characters of base64, stand for; 0 if no key has that
 * size. */
static size_t hex_octets(size_t length)
{
    return length == 32 || length == 48 || length == 64 ? length / 2 : 0;
}

static size_t base64_octets(size_t length)
{
    return length == 24 ? 16 : length == 32 ? 24 : length == 44 ? 32 : 0;
}

struct key *key_parse(const char *digits, size_t length, char *why, size_t size)
{
    struct key *key = OPENSSL_secure_zalloc(sizeof *key);
    bool hex, base64;

    if (key == NULL) {
        snprintf(why, size, text("out of secure memory"));
        errno = ENOMEM;
        return NULL;
    }
    trim(&digits, &length);
    hex = strip_prefix(&digits, &length, "hex:");
    base64 = !hex && strip_prefix(&digits, &length, "base64:");
    if (!base64 && hex_octets(length) > 0 && decode_hex(key->octets, hex_octets(length), digits)) {
        key->size = hex_octets(length);
        return key;
    }
    if (!hex && base64_octets(length) > 0 &&
        decode_base64(key->octets, base64_octets(length), digits)) {
        key->size = base64_octets(length);
        return key;
    }
    if (length == 0)
        snprintf(why, size, text("there is no key text: %s"), text(key_forms));
    else if (hex)
        snprintf(why, size, text("%zu characters that are not the hex digits of a key: %s"), length,
                 text(key_forms));
    else if (base64)
        snprintf(why, size, text("%zu characters that are not the base64 of a key: %s"), length,
                 text(key_forms));
    else
        snprintf(why, size, text("%zu characters that are not a key: %s"), length, text(key_forms));
    key_free(key);
    return NULL;
}

/* ---- Key files ---- */

/* Finds the one line of key text, and says in `why` what is wrong with the file if there
 * is none. */
static struct key *parse_file(const char *at, size_t length, char *why, size_t size)
{
    const char *end = at + length, *key = NULL;
    size_t key_length = 0, key_line = 0, line = 1;

    for (const char *next; at < end; at = next, line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *start = at;
        size_t width = (size_t)((newline != NULL ? newline : end) - at);

        next = newline != NULL ? newline + 1 : end;
        trim(&start, &width);
        if (width == 0 || start[0] == '#')
            continue;
        if (key != NULL) {
            snprintf(why, size, text("has text after the key, in line %zu: one key a file"), line);
            return NULL;
        }
        key = start;
        key_length = width;
        key_line = line;
    }
    if (key == NULL) {
        snprintf(why, size, text("has no line of key text: %s"), text(key_forms));
        return NULL;
    }
    char reason[400];
    struct key *parsed = key_parse(key, key_length, reason, sizeof reason);
    if (parsed == NULL)
        snprintf(why, size, text("has no key in line %zu: %s"), key_line, reason);
    return parsed;
}

struct key *key_read_file(const char *path, char *why, size_t size)
{
    bool standard_input = strcmp(path, "-") == 0;
    char *octets = OPENSSL_secure_malloc(FILE_MAX);
    struct file_facts facts;
    struct key *key = NULL;
    char reason[480];

    if (octets == NULL) {
        snprintf(reason, sizeof reason, text("cannot be read: out of secure memory"));
        errno = ENOMEM;
    } else if (file_read_text(standard_input ? NULL : path, octets, FILE_MAX, &facts, reason,
                              sizeof reason) == 0) {
        if (facts.exposed)
            snprintf(
                reason, sizeof reason,
                text("can be read or written by others (mode %04o): chmod 600 it, and change the "
                     "key if they could have seen it"),
                facts.mode);
        else
            key = parse_file(octets, facts.length, reason, sizeof reason);
    }
    if (key == NULL && standard_input)
        snprintf(why, size, text("the key file on standard input %s"), reason);
    else if (key == NULL)
        snprintf(why, size, text("key file \"%.200s\" %s"), path, reason);
    OPENSSL_secure_clear_free(octets, FILE_MAX);
    return key;
}

struct key *key_generate(OSSL_LIB_CTX *libctx, unsigned bits, char *why, size_t size)
{
    struct key *key = NULL;

    if (bits != 128 && bits != 192 && bits != 256) {
        snprintf(why, size, text("a key has 128, 192 or 256 bits, not %u"), bits);
        return NULL;
    }
    key = OPENSSL_secure_zalloc(sizeof *key);
    if (key == NULL) {
        snprintf(why, size, text("out of secure memory"));
        errno = ENOMEM;
        return NULL;
    }
    key->size = bits / 8;
    if (RAND_priv_bytes_ex(libctx, key->octets, key->size, bits) != 1) {
        snprintf(why, size, text("libcrypto gave no random octets of %u bits of strength"), bits);
        key_free(key);
        return NULL;
    }
    return key;
}

/* Writes to a file that is made here, and takes it away again if that fails. */
static enum key_write_result write_new_file(const char *path, const char *octets, size_t length,
                                            char *why, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 && errno == EEXIST) {
        snprintf(why, size,
                 text("\"%.200s\" exists already, and a key is never overwritten: name another "
                      "file"),
                 path);
        return KEY_NOT_MADE;
    }
    if (fd < 0) {
        snprintf(why, size, text("\"%.200s\" cannot be made: %s"), path, file_error_text(errno));
        return KEY_NOT_MADE;
    }
    /* The umask may have taken the owner's own rights away. */
    bool written =
        fchmod(fd, 0600) == 0 && file_write_all(fd, octets, length) == 0 && fsync(fd) == 0;
    int error = errno;
    if (close(fd) < 0 && written) {
        error = errno;
        written = false;
    }
    if (written)
        return KEY_WRITTEN;
    unlink(path);
    snprintf(why, size, text("\"%.200s\" cannot be written: %s"), path, file_error_text(error));
    return KEY_NOT_WRITTEN;
}

enum key_write_result key_write_text(const char *path, const char *octets, size_t length, char *why,
                                     size_t size)
{
    if (path != NULL)
        return write_new_file(path, octets, length, why, size);
    if (file_write_all(STDOUT_FILENO, octets, length) == 0)
        return KEY_WRITTEN;
    snprintf(why, size, text("the key cannot be written to standard output: %s"),
             file_error_text(errno));
    return KEY_NOT_WRITTEN;
}

enum key_write_result key_write_file(const struct key *key, const char *path, char *why,
                                     size_t size)
{
    enum { TEXT_MAX = 64 + HEX_MAX + 2 };
    enum key_write_result result;
    char *octets = OPENSSL_secure_malloc(TEXT_MAX);
    size_t length;

    if (octets == NULL) {
        snprintf(why, size, text("out of secure memory"));
        errno = ENOMEM;
        return KEY_NOT_WRITTEN;
    }
    length = (size_t)snprintf(octets, TEXT_MAX, "# usi-tunnel key of %zu bits: keep it secret\n",
                              key->size * 8);
    encode_hex(octets + length, key->octets, key->size);
    length += 2 * key->size;
    octets[length++] = '\n';
    result = key_write_text(path, octets, length, why, size);
    OPENSSL_secure_clear_free(octets, TEXT_MAX);
    return result;
}

int key_fingerprint(OSSL_LIB_CTX *libctx, const struct key *key,
                    char text[KEY_FINGERPRINT_TEXT + 1])
{
    uint8_t digest[KEY_FINGERPRINT_TEXT / 2];
    size_t length = 0;

    if (EVP_Q_digest(libctx, "SHA256", NULL, key->octets, key->size, digest, &length) != 1 ||
        length != sizeof digest)
        return -1;
    encode_hex(text, digest, sizeof digest);
    text[KEY_FINGERPRINT_TEXT] = '\0';
    return 0;
}

void key_free(struct key *key)
{
    OPENSSL_secure_clear_free(key, sizeof *key);
}
