/* Ki: its text, its file, its making. Every key lives in the secure heap of libcrypto. */
#ifndef USI_CLI_KEYS_H
#define USI_CLI_KEYS_H

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_MAX = 32, KEY_FINGERPRINT_TEXT = 64 };

/* Makes the secure heap, which every key needs: 0, or -1. Once, behind any fork. */
int key_heap_open(void);

/* 16, 24 or 32 octets of Ki, in the secure heap. */
struct key {
    size_t size;
    uint8_t octets[KEY_MAX];
};

/* Parses key text: hex in either case or standard base64 (RFC 4648, section 4: padded, unused bits
 * zero), of 16, 24 or 32 octets; all-hex of 32, 48 or 64 digits is hex; the prefixes `hex:` and
 * `base64:` win. Surrounding blanks are ignored. Decoding takes a time that depends on the length
 * and the form, not on the digits. Returns a key for key_free, or NULL with a line in why[size]
 * that says what is wrong and never shows key text. */
struct key *key_parse(const char *digits, size_t length, char *why, size_t size);

/* Reads a key file: `#` comment lines and blank lines, then one line of key text, nothing after it
 * but blank or comment lines; lines may end in CR LF and the last one needs no end. "-" is standard
 * input, read to its end. A regular file with a bit of mode & 0007 set is refused (chmod is the
 * advice), and so is more than 4 KiB, a byte order mark or a NUL. The text is read into secure
 * memory. Errors as key_parse, with the name. */
struct key *key_read_file(const char *path, char *why, size_t size);

/* A new random key of 128, 192 or 256 bits, from libctx's private DRBG (NULL: the default). */
struct key *key_generate(OSSL_LIB_CTX *libctx, unsigned bits, char *why, size_t size);

enum key_write_result {
    KEY_WRITTEN,
    KEY_NOT_MADE,   /* there is such a file already, or it cannot be made: nothing was touched */
    KEY_NOT_WRITTEN /* a full disk, a closed standard output: what was made is removed */
};

/* Writes any secret text: to path, made 0600 with O_EXCL (an existing file is never touched) and
 * flushed to the disk, or to standard output when path is NULL. Unless KEY_WRITTEN there is a line
 * in why[size]. */
enum key_write_result key_write_text(const char *path, const char *octets, size_t length, char *why,
                                     size_t size);

/* key_write_text of a key file of one comment line and one line of hex. */
enum key_write_result key_write_file(const struct key *key, const char *path, char *why,
                                     size_t size);

/* SHA-256 over the raw key, as 64 lower-case hex digits and a NUL. Returns 0 or -1. */
int key_fingerprint(OSSL_LIB_CTX *libctx, const struct key *key,
                    char text[KEY_FINGERPRINT_TEXT + 1]);

/* Wipes and frees. NULL is fine. */
void key_free(struct key *key);

#endif
