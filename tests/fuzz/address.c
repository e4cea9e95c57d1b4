/*
 * Addresses, in each of their forms. What is taken is written in one line that is taken again, for
 * the same; what is not, is refused with a line.
 *
 * An input is: an octet that says which form, and the text; for two words, a NUL is between them.
 */
#include "fuzz.h"

#include "net/address.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { WHY = 512 };

typedef int parser(struct address *out, const char *word, char *why, size_t size);

static void check(const struct address *address, parser *parse)
{
    struct address again;
    char why[WHY];

    REQUIRE(strlen(address->text) < sizeof address->text && strlen(address->text) > 0);
    if (address->kind == ADDRESS_UNIX) {
        REQUIRE(strlen(address->path) > 0 && strlen(address->path) <= ADDRESS_PATH_MAX);
    } else {
        REQUIRE(strlen(address->host) > 0 && strlen(address->host) <= ADDRESS_HOST_MAX);
        (void)address_family(address->host);
    }
    REQUIRE(parse(&again, address->text, why, sizeof why) == 0);
    REQUIRE(again.kind == address->kind && strcmp(again.text, address->text) == 0);
    REQUIRE(address->kind == ADDRESS_UNIX
                ? strcmp(again.path, address->path) == 0
                : strcmp(again.host, address->host) == 0 && again.port == address->port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static parser *const parsers[] = {address_parse_listen, address_parse_connect,
                                      address_parse_target, address_parse_local,
                                      address_parse_connect};
    struct fuzz_input input = {data, size};
    unsigned which = fuzz_take(&input) % 5;
    char *word = malloc(input.size + 2), *second, why[WHY] = "";
    struct address address;

    REQUIRE(word != NULL);
    memcpy(word, input.data, input.size);
    memset(word + input.size, 0, 2);
    second = word + strlen(word) + 1; /* at the least the second NUL */
    int result = which == 4 ? address_parse_host_port(&address, word, second, why, sizeof why)
                            : parsers[which](&address, word, why, sizeof why);
    if (result == 0)
        check(&address, parsers[which]);
    else
        REQUIRE(result == -1 && strlen(why) > 0);
    (void)address_family(word);
    free(word);
    return 0;
}

#define KEEP(name, text) keep(name, text, sizeof(text) - 1)

static void seeds(fuzz_keep *keep)
{
    KEEP("nothing", "\0");
    KEEP("port", "\0"
                 "12800");
    KEEP("any", "\0[::]:12800");
    KEEP("host", "\1example.org");
    KEEP("host-port", "\1example.org:443");
    KEEP("ipv4", "\2"
                 "127.0.0.1:5432");
    KEEP("ipv6", "\1"
                 "2001:db8::1");
    KEEP("scope", "\1[fe80::1%eth0]:1");
    KEEP("unix", "\2unix:/run/usi");
    KEEP("local", "\3localhost:0");
    KEEP("local-target", "\3"
                         "5000:host:5432");
    KEEP("udp", "\3"
                "53/udp");
    KEEP("two-words", "\4::1\0"
                      "12800");
}

const struct fuzz_target fuzz_target = {.seeds = seeds};
