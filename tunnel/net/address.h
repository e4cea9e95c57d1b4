/* Addresses as people write them: where to listen, where to connect, what to forward. No name is
 * resolved here. */
#ifndef USI_NET_ADDRESS_H
#define USI_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ADDRESS_DEFAULT_PORT = 12800, ADDRESS_HOST_MAX = 255, ADDRESS_PATH_MAX = 107 };

enum address_kind { ADDRESS_TCP, ADDRESS_UNIX };

/* A value: copy it freely. `text` is what messages print: HOST:PORT, [V6]:PORT or unix:PATH. */
struct address {
    enum address_kind kind;
    uint16_t port;
    char host[ADDRESS_HOST_MAX + 1]; /* a name or a literal, without brackets */
    char path[ADDRESS_PATH_MAX + 1]; /* a Unix socket's path */
    char text[ADDRESS_HOST_MAX + 16];
};

/* Each parses one form of an ADDRESS into *out. `word` NULL or "" is the default where the form has
 * one. Returns 0; or -1 with a line that says what is wrong, with the text it is wrong in, in
 * why[size] (no final newline, no program name), and *out undefined. They keep nothing and allocate
 * nothing: any thread may call them. */

/* listen: nothing, PORT (0 allowed), HOST:PORT, [V6]:PORT, unix:PATH. Default [::]:12800. A bare
 * PORT gives host "::" (dual stack). */
int address_parse_listen(struct address *out, const char *word, char *why, size_t size);

/* connect: nothing (localhost), PORT, HOST, HOST:PORT, [V6]:PORT, a bare IPv6 address,
 * unix:PATH. */
int address_parse_connect(struct address *out, const char *word, char *why, size_t size);

/* connect, as two words: HOST is a name or a numeric address, without brackets. */
int address_parse_host_port(struct address *out, const char *host, const char *port, char *why,
                            size_t size);

/* --forward's target: HOST:PORT, [V6]:PORT, unix:PATH; nothing else. Port 0 is refused. */
int address_parse_target(struct address *out, const char *word, char *why, size_t size);

/* -L's first two forms: PORT, BIND:PORT, [V6]:PORT, and unix:PATH. BIND is localhost unless given.
 * Port 0 is allowed. The forms with a target, and /udp, answer -1 with "... not yet". */
int address_parse_local(struct address *out, const char *word, char *why, size_t size);

/* AF_INET or AF_INET6 if host is a numeric address (IPv6 without brackets, perhaps with %SCOPE),
 * else AF_UNSPEC. */
int address_family(const char *host);

#endif
