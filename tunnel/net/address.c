#include "net/address.h"

#include "text/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* A piece of the text that is being parsed. */
struct span {
    const char *start;
    size_t length;
};

/* What stands before the port, and the port, not judged yet. Neither points to a copy. */
struct parts {
    struct span host, port;
    bool has_host, has_port, brackets;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_host_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' ||
           c == '.' || c == '_';
}

static bool all_digits(struct span span)
{
    for (size_t i = 0; i < span.length; i++)
        if (!is_digit(span.start[i]))
            return false;
    return span.length > 0;
}

static bool is_unix(const char *word)
{
    return strncmp(word, "unix:", 5) == 0;
}

static size_t count_colons(const char *word)
{
    size_t count = 0;
    for (; *word != '\0'; word++)
        count += *word == ':';
    return count;
}

int address_family(const char *host)
{
    unsigned char octets[sizeof(struct in6_addr)];
    char bare[INET6_ADDRSTRLEN];
    size_t length = strcspn(host, "%");

    if (inet_pton(AF_INET, host, octets) == 1)
        return AF_INET;
    if (length >= sizeof bare)
        return AF_UNSPEC;
    memcpy(bare, host, length);
    bare[length] = '\0';
    if (inet_pton(AF_INET6, bare, octets) != 1)
        return AF_UNSPEC;
    if (host[length] == '%') {
        const char *scope = host + length + 1;
        if (*scope == '\0')
            return AF_UNSPEC;
        for (; *scope != '\0'; scope++)
            if (!is_host_character(*scope))
                return AF_UNSPEC;
    }
    return AF_INET6;
}

static bool is_ipv6(struct span span)
{
    char host[ADDRESS_HOST_MAX + 1];

    if (span.length > ADDRESS_HOST_MAX)
        return false;
    memcpy(host, span.start, span.length);
    host[span.length] = '\0';
    return address_family(host) == AF_INET6;
}

/* Splits text at its brackets and its last colon. A bare IPv6 address is all host. */
static int split(struct parts *parts, const char *word, char *why, size_t size)
{
    struct span whole = {word, strlen(word)};
    const char *colon;

    *parts = (struct parts){0};
    if (word[0] == '[') {
        const char *close = strchr(word, ']');
        if (close == NULL || (close[1] != '\0' && close[1] != ':')) {
            snprintf(why, size, text("\"%.80s\" is not an address: write [IPV6]:PORT"), word);
            return -1;
        }
        parts->host = (struct span){word + 1, (size_t)(close - word) - 1};
        parts->has_host = parts->brackets = true;
        colon = close[1] == ':' ? close + 1 : NULL;
    } else if (all_digits(whole)) {
        parts->port = whole;
        parts->has_port = true;
        return 0;
    } else if (is_ipv6(whole)) {
        parts->host = whole;
        parts->has_host = true;
        return 0;
    } else {
        if (count_colons(word) > 1) {
            snprintf(why, size,
                     text("\"%.80s\" is neither HOST:PORT nor an IPv6 address (with a port: "
                          "[IPV6]:PORT)"),
                     word);
            return -1;
        }
        colon = strchr(word, ':');
        parts->host = (struct span){word, colon ? (size_t)(colon - word) : strlen(word)};
        parts->has_host = true;
    }
    if (colon != NULL) {
        parts->port = (struct span){colon + 1, strlen(colon + 1)};
        parts->has_port = true;
    }
    return 0;
}

static int set_port(struct address *out, struct span port, unsigned lowest, const char *word,
                    char *why, size_t size)
{
    unsigned long value = 0;

    for (size_t i = 0; i < port.length && all_digits(port) && value <= UINT16_MAX; i++)
        value = value * 10 + (unsigned long)(port.start[i] - '0');
    if (!all_digits(port) || value < lowest || value > UINT16_MAX) {
        snprintf(why, size,
                 text("\"%.*s\" in \"%.80s\" is not a port: a port is a number from %u to %d"),
                 port.length > 40 ? 40 : (int)port.length, port.start, word, lowest, UINT16_MAX);
        return -1;
    }
    out->port = (uint16_t)value;
    return 0;
}

static int set_host(struct address *out, struct span host, bool brackets, const char *word,
                    char *why, size_t size)
{
    bool ipv6 = is_ipv6(host);

    if (host.length == 0) {
        snprintf(why, size, text("\"%.80s\" has no host"), word);
        return -1;
    }
    if (host.length > ADDRESS_HOST_MAX) {
        snprintf(why, size, text("\"%.80s...\" is too long: a host has at most %d characters"),
                 word, ADDRESS_HOST_MAX);
        return -1;
    }
    if (brackets && !ipv6) {
        snprintf(why, size, text("\"%.80s\": brackets are for an IPv6 address"), word);
        return -1;
    }
    for (size_t i = 0; i < host.length && !ipv6; i++) {
        if (!is_host_character(host.start[i]) || host.start[0] == '-') {
            snprintf(
                why, size,
                text("\"%.80s\" is not an address: a host has letters, digits, dots, hyphens and "
                     "underlines"),
                word);
            return -1;
        }
    }
    /* As text it would be a socket's: what is remembered of a peer is found by that text. */
    if (host.length == 4 && memcmp(host.start, "unix", 4) == 0) {
        snprintf(why, size,
                 text("\"%.80s\" is not an address: unix:PATH is a Unix socket, and a host of that "
                      "name is written \"unix.\""),
                 word);
        return -1;
    }
    memcpy(out->host, host.start, host.length);
    out->host[host.length] = '\0';
    return 0;
}

static void set_text(struct address *out)
{
    if (out->kind == ADDRESS_UNIX)
        snprintf(out->text, sizeof out->text, "unix:%s", out->path);
    else if (strchr(out->host, ':') != NULL)
        snprintf(out->text, sizeof out->text, "[%s]:%u", out->host, (unsigned)out->port);
    else
        snprintf(out->text, sizeof out->text, "%s:%u", out->host, (unsigned)out->port);
}

static int parse_unix(struct address *out, const char *word, char *why, size_t size)
{
    const char *path = word + strlen("unix:");
    size_t length = strlen(path);

    if (length == 0) {
        snprintf(why, size, text("\"unix:\" has no path: unix:PATH"));
        return -1;
    }
    if (length > ADDRESS_PATH_MAX) {
        snprintf(why, size,
                 text("\"%.80s...\" is too long: the path of a Unix socket has at most %d "
                      "octets"),
                 word, ADDRESS_PATH_MAX);
        return -1;
    }
    *out = (struct address){.kind = ADDRESS_UNIX};
    memcpy(out->path, path, length + 1);
    set_text(out);
    return 0;
}

/* What a form of address allows, and what it fills in. */
struct form {
    const char *default_host; /* NULL: the host must be there */
    bool default_port;        /* ADDRESS_DEFAULT_PORT where none is given; else it must be there */
    unsigned lowest_port;
};

static int parse(struct address *out, const char *word, const struct form *form, char *why,
                 size_t size)
{
    struct parts parts;

    if (is_unix(word))
        return parse_unix(out, word, why, size);
    if (split(&parts, word, why, size) < 0)
        return -1;
    *out = (struct address){.kind = ADDRESS_TCP, .port = ADDRESS_DEFAULT_PORT};
    if (!parts.has_host) {
        if (form->default_host == NULL) {
            snprintf(why, size, text("\"%.80s\" has no host: HOST:PORT, [IPV6]:PORT or unix:PATH"),
                     word);
            return -1;
        }
        parts.host = (struct span){form->default_host, strlen(form->default_host)};
    }
    if (set_host(out, parts.host, parts.brackets, word, why, size) < 0)
        return -1;
    if (!parts.has_port && (!form->default_port || parts.brackets)) {
        snprintf(why, size,
                 is_ipv6(parts.host) ? text("\"%.80s\" has no port: [IPV6]:PORT")
                                     : text("\"%.80s\" has no port: HOST:PORT"),
                 word);
        return -1;
    }
    if (parts.has_port && set_port(out, parts.port, form->lowest_port, word, why, size) < 0)
        return -1;
    set_text(out);
    return 0;
}

int address_parse_listen(struct address *out, const char *word, char *why, size_t size)
{
    static const struct form form = {.default_host = "::", .lowest_port = 0};

    char preset[16];

    snprintf(preset, sizeof preset, "%d", ADDRESS_DEFAULT_PORT);
    return parse(out, word == NULL || word[0] == '\0' ? preset : word, &form, why, size);
}

int address_parse_connect(struct address *out, const char *word, char *why, size_t size)
{
    static const struct form form = {
        .default_host = "localhost", .default_port = true, .lowest_port = 1};

    if (word == NULL || word[0] == '\0')
        word = "localhost";
    return parse(out, word, &form, why, size);
}

int address_parse_target(struct address *out, const char *word, char *why, size_t size)
{
    static const struct form form = {.lowest_port = 1};

    return parse(out, word, &form, why, size);
}

int address_parse_host_port(struct address *out, const char *host, const char *port, char *why,
                            size_t size)
{
    struct span span = {host, strlen(host)};

    if (is_unix(host) || host[0] == '[' || all_digits(span) ||
        (strchr(host, ':') != NULL && !is_ipv6(span))) {
        snprintf(why, size, text("\"%.80s\" is not a host: as two words an address is HOST PORT"),
                 host);
        return -1;
    }
    *out = (struct address){.kind = ADDRESS_TCP};
    if (set_host(out, span, false, host, why, size) < 0 ||
        set_port(out, (struct span){port, strlen(port)}, 1, port, why, size) < 0)
        return -1;
    set_text(out);
    return 0;
}

/* The forms of -L and -R that name a target: PORT:HOST:PORT, BIND:PORT:HOST:PORT, with unix:PATH in
 * the place of either pair, and any form with /udp at its end. */
static bool names_target_or_udp(const char *word)
{
    size_t length = strlen(word), colons = 0;
    bool inside = false;

    if (is_unix(word))
        return strchr(word + strlen("unix:"), ':') != NULL;
    if (length > 4 && strcmp(word + length - 4, "/udp") == 0)
        return true;
    for (size_t i = 0; i < length; i++) {
        if (word[i] == '[' || word[i] == ']')
            inside = word[i] == '[';
        if (word[i] != ':' || inside)
            continue;
        if (i == 0 || word[i + 1] == '\0' || word[i + 1] == ':')
            return false;
        if (is_unix(word + i + 1))
            return true;
        colons++;
    }
    return colons == 2 || colons == 3;
}

int address_parse_local(struct address *out, const char *word, char *why, size_t size)
{
    static const struct form form = {.default_host = "localhost", .lowest_port = 0};

    if (!is_ipv6((struct span){word, strlen(word)}) && names_target_or_udp(word)) {
        snprintf(
            why, size,
            text("\"%.80s\": a target or /udp, not yet; write PORT or BIND:PORT, and --forward on "
                 "the far side decides"),
            word);
        return -1;
    }
    return parse(out, word, &form, why, size);
}
