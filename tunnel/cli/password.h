/* Passwords: from a file or a descriptor, typed, or made up. They live in the secure heap. */
#ifndef USI_CLI_PASSWORD_H
#define USI_CLI_PASSWORD_H

#include <openssl/types.h>
#include <stddef.h>

enum { PASSWORD_MAX = 1024, PASSWORD_CODE = 32 };

/* UTF-8 of 1 to PASSWORD_MAX octets, and a NUL that size does not count. */
struct password {
    size_t size;
    char text[PASSWORD_MAX + 1];
};

/* A password that was typed. Each of these returns one for password_free, or NULL with one line in
 * why[size] that shows nothing of it: empty, longer than PASSWORD_MAX, not UTF-8. */
struct password *password_of_text(const char *text, char *why, size_t size);

/* The first line of a file, without its end (LF or CR LF). A regular file that others can read or
 * write (mode & 0007) is refused. Blocks on a pipe. */
struct password *password_read_file(const char *path, char *why, size_t size);

/* The same from a descriptor, of which nothing behind the line is read; it is closed then, unless
 * it is standard input. */
struct password *password_read_fd(int fd, char *why, size_t size);

/* Makes up a code of a number and two words, 31.8 bits from libctx's private DRBG. */
struct password *password_make(OSSL_LIB_CTX *libctx, char *why, size_t size);

/* Wipes and frees. NULL is fine. */
void password_free(struct password *password);

#endif
