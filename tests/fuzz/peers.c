/*
 * Trust files and the file of known peers. A trust file is taken whole or refused with a line. Of a
 * known file, what it says of a peer does not change by another being added, and what was added is
 * found again.
 *
 * An input is: an octet that says which file; for a known one, the length of an address and the
 * address, where 0 is a listener's; the file.
 */
#include "cli/peers.h"
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHY = 1024 };

static const uint8_t one[USI_FINGERPRINT] = {0x11}, other[USI_FINGERPRINT] = {0x22};
static char base[32], folder[48], file[64];

static void remove_all(void)
{
    (void)unlink(file);
    (void)rmdir(folder);
    (void)rmdir(base);
}

/* In memory, where that is a folder: the file is flushed each time. */
static void make_folder(void)
{
    if (base[0] != '\0')
        return;
    (void)snprintf(base, sizeof base, "%s/usi-fuzz-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    REQUIRE(mkdtemp(base) != NULL && atexit(remove_all) == 0);
    (void)snprintf(folder, sizeof folder, "%s/usi", base);
    (void)snprintf(file, sizeof file, "%s/known", folder);
    REQUIRE(mkdir(folder, 0700) == 0 && setenv("XDG_STATE_HOME", base, 1) == 0);
}

static void write_file(int fd, const struct fuzz_input *input)
{
    REQUIRE(fd >= 0 && fchmod(fd, 0600) == 0);
    REQUIRE(write(fd, input->data, input->size) == (ssize_t)input->size);
}

static void check_why(int result, const char *why)
{
    REQUIRE(result == 0 || (result == -1 && strlen(why) > 0 && strchr(why, '\n') == NULL));
}

static void trust(struct fuzz_input *input)
{
    struct peers_list *list = peers_list_new();
    char path[64], why[WHY] = "";
    int fd = memfd_create("trust", 0);

    write_file(fd, input);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    REQUIRE(list != NULL);
    check_why(peers_list_read(list, path, why, sizeof why), why);
    (void)peers_list_has(list, one);
    REQUIRE(peers_list_add(list, other) == 0 && peers_list_has(list, other));
    peers_list_free(list);
    REQUIRE(close(fd) == 0);
}

struct answer {
    int result;
    enum peers_verdict verdict;
    size_t line;
};

static struct answer look(const struct peers_known *known, const char *address,
                          const uint8_t key[USI_FINGERPRINT])
{
    char why[WHY] = "";
    struct answer a = {0};

    a.result = peers_known_look(known, (struct peers_place){address}, key, &a.verdict, &a.line, why,
                                sizeof why);
    check_why(a.result, why);
    return a;
}

static void remember(struct fuzz_input *input)
{
    size_t length = fuzz_take(input);
    const uint8_t *octets = fuzz_take_octets(input, length, &length);
    char *address = malloc(length + 1), why[WHY] = "";
    struct peers_known *known = peers_known_new();

    REQUIRE(address != NULL && known != NULL);
    if (length > 0)
        memcpy(address, octets, length);
    address[length] = '\0';
    const char *place = length > 0 ? address : NULL;
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    write_file(fd, input);
    REQUIRE(close(fd) == 0);
    struct answer before = look(known, place, one), elsewhere = look(known, "elsewhere:1", other);
    int added = peers_known_add(known, (struct peers_place){place}, one, why, sizeof why);
    check_why(added, why);
    REQUIRE(added == 0 ? before.result == 0 && before.verdict != PEERS_CHANGED
                       : before.result != 0 || before.verdict == PEERS_CHANGED);
    if (added == 0)
        REQUIRE(look(known, place, one).verdict == PEERS_SAME);
    struct answer after = look(known, "elsewhere:1", other);
    REQUIRE(after.result == elsewhere.result);
    if (strcmp(address, "elsewhere:1") != 0)
        REQUIRE(after.result != 0 || after.verdict == elsewhere.verdict);
    peers_known_free(known);
    free(address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    make_folder();
    if (fuzz_take(&input) % 2 == 0)
        trust(&input);
    else
        remember(&input);
    return 0;
}

#define HEX_OTHER        "2200000000000000000000000000000000000000000000000000000000000000"
#define HEX_ONE          "1100000000000000000000000000000000000000000000000000000000000000"
#define KEEP(name, text) keep(name, text, sizeof(text) - 1)

static void seeds(fuzz_keep *keep)
{
    KEEP("trust", "\0# friends\n\n" HEX_ONE " anna\nsha256:" HEX_OTHER "\tbob\r\n");
    KEEP("trust-wrong", "\0" HEX_ONE "0\n");
    KEEP("known-none", "\1\x0fthere.org:12800");
    KEEP("known-same", "\1\x0bThere:12800" HEX_ONE " connect there:12800\n");
    KEEP("known-changed", "\1\x0bthere:12800# first\n" HEX_OTHER " connect there:12800\n" HEX_ONE
                          " connect elsewhere:1\n");
    KEEP("known-listen", "\1\0" HEX_OTHER " listen\n" HEX_ONE " listen");
    KEEP("known-no-end", "\1\x0bthere:12800" HEX_OTHER " connect elsewhere:1");
    KEEP("known-wrong", "\1\x0bthere:12800" HEX_OTHER "\n");
}

const struct fuzz_target fuzz_target = {.seeds = seeds};
