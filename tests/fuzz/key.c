/*
 * Key text and key files, and passwords: what cannot be read is refused with a line that shows
 * nothing of it; what can, has one of the sizes, and reads the same when it is written again.
 *
 * An input is: an octet that says what it is read as, and the text.
 */
#include "fuzz.h"

#include "cli/keys.h"
#include "cli/password.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHY = 512 };

static void open_heap(void)
{
    static bool opened;

    if (!opened)
        REQUIRE(key_heap_open() == 0);
    opened = true;
}

/* A file that holds the input; it has no other name. */
static int file_of(const struct fuzz_input *input, char path[64])
{
    int fd = memfd_create("input", 0);

    REQUIRE(fd >= 0 && fchmod(fd, 0600) == 0);
    REQUIRE(write(fd, input->data, input->size) == (ssize_t)input->size);
    REQUIRE(lseek(fd, 0, SEEK_SET) == 0);
    (void)snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static void check_why(const void *made, const char *why)
{
    size_t length = strlen(why);

    REQUIRE((made == NULL) == (length > 0) && length < WHY - 1);
    for (size_t i = 0; i < length; i++)
        REQUIRE((unsigned char)why[i] >= ' ');
}

/* As hex with its prefix, and without: the same key. */
static void check_key(struct key *key)
{
    char text[5 + 2 * KEY_MAX], why[WHY] = "";

    REQUIRE(key->size == 16 || key->size == 24 || key->size == 32);
    memcpy(text, "hex:", 5);
    for (size_t i = 0; i < key->size; i++)
        (void)snprintf(text + 4 + 2 * i, 3, "%02X", key->octets[i]);
    for (size_t skip = 0; skip <= 4; skip += 4) {
        struct key *again = key_parse(text + skip, strlen(text + skip), why, sizeof why);
        REQUIRE(again != NULL && again->size == key->size);
        REQUIRE(memcmp(again->octets, key->octets, key->size) == 0);
        key_free(again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    unsigned what = fuzz_take(&input) % 3;
    struct password *password = NULL;
    struct key *key = NULL;
    char why[WHY] = "", path[64];
    int fd = -1;

    open_heap();
    if (what > 0)
        fd = file_of(&input, path);
    if (what == 0)
        key = key_parse((const char *)input.data, input.size, why, sizeof why);
    else if (what == 1)
        key = key_read_file(path, why, sizeof why);
    else
        password = password_read_fd(fd, why, sizeof why);
    check_why(what < 2 ? (void *)key : (void *)password, why);
    if (key != NULL)
        check_key(key);
    if (password != NULL)
        REQUIRE(password->size > 0 && password->size <= PASSWORD_MAX &&
                strlen(password->text) == password->size);
    key_free(key);
    password_free(password);
    if (fd >= 0 && what == 1)
        (void)close(fd);
    REQUIRE(CRYPTO_secure_used() == 0);
    return 0;
}

#define KEEP(name, text) keep(name, text, sizeof(text) - 1)

static void seeds(fuzz_keep *keep)
{
    KEEP("hex", "\0"
                "000102030405060708090a0b0c0d0e0f");
    KEEP("hex-prefix", "\0hex:000102030405060708090A0B0C0D0E0F1011121314151617");
    KEEP("base64-128", "\0AAECAwQFBgcICQoLDA0ODw==");
    KEEP("base64-192", "\0AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
    KEEP("base64-256", "\0base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    KEEP("file", "\1# usi-tunnel key of 128 bits: keep it secret\n"
                 "000102030405060708090a0b0c0d0e0f\n");
    KEEP("file-crlf", "\1\r\n  \tAAECAwQFBgcICQoLDA0ODw== \r\n# end");
    KEEP("file-two", "\1"
                     "000102030405060708090a0b0c0d0e0f\n000102030405060708090a0b0c0d0e0f\n");
    KEEP("file-mark", "\1\xef\xbb\xbf"
                      "000102030405060708090a0b0c0d0e0f");
    KEEP("password", "\2correct horse\nbattery");
    KEEP("password-utf8", "\2pass\xc3\xa9\r\n");
}

const struct fuzz_target fuzz_target = {.seeds = seeds};
