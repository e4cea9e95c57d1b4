#include "cli/peers_parse.h"

#include "cli/file.h"
#include "text/hex.h"
#include "text/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_TEXT = 1 << 20 };

struct peers_list {
    size_t count, room;
    uint8_t (*keys)[USI_FINGERPRINT];
};

void peers_hex(const uint8_t key[USI_FINGERPRINT], char text[PEERS_HEX + 1])
{
    (void)hex_put(text, key, USI_FINGERPRINT);
}

struct peers_list *peers_list_new(void)
{
    return calloc(1, sizeof(struct peers_list));
}

void peers_list_free(struct peers_list *list)
{
    if (list != NULL)
        free(list->keys);
    free(list);
}

int peers_list_add(struct peers_list *list, const uint8_t key[USI_FINGERPRINT])
{
    if (peers_list_has(list, key))
        return 0;
    if (list->count == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 16;
        void *keys = reallocarray(list->keys, room, USI_FINGERPRINT);
        if (keys == NULL)
            return -1;
        list->keys = keys;
        list->room = room;
    }
    memcpy(list->keys[list->count++], key, USI_FINGERPRINT);
    return 0;
}

bool peers_list_has(const struct peers_list *list, const uint8_t key[USI_FINGERPRINT])
{
    for (size_t i = 0; i < list->count; i++)
        if (memcmp(list->keys[i], key, USI_FINGERPRINT) == 0)
            return true;
    return false;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t peers_parse(uint8_t key[USI_FINGERPRINT], const char *text, size_t length)
{
    static const char prefix[] = "sha256:";
    size_t skip = 0;

    if (length >= sizeof prefix - 1 && memcmp(text, prefix, sizeof prefix - 1) == 0)
        skip = sizeof prefix - 1;
    if (length - skip < PEERS_HEX)
        return 0;
    for (size_t i = 0; i < USI_FINGERPRINT; i++) {
        int high = digit(text[skip + 2 * i]), low = digit(text[skip + 2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return skip + PEERS_HEX;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One line: 0 for a peer or nothing, -1 for anything else, -2 when out of memory. */
static int take_line(struct peers_list *list, const char *text, size_t length)
{
    uint8_t key[USI_FINGERPRINT];

    while (length > 0 && is_blank(*text)) {
        text++;
        length--;
    }
    if (length == 0 || *text == '#')
        return 0;
    size_t used = peers_parse(key, text, length);
    if (used == 0 || (used < length && !is_blank(text[used])))
        return -1;
    return peers_list_add(list, key) == 0 ? 0 : -2;
}

static int take_lines(struct peers_list *list, const char *at, size_t length, char *why,
                      size_t size)
{
    size_t line = 1;

    for (const char *end = at + length, *next; at < end; at = next, line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        next = newline != NULL ? newline + 1 : end;
        int result = take_line(list, at, (size_t)((newline != NULL ? newline : end) - at));
        if (result == 0)
            continue;
        if (result == -1)
            (void)snprintf(
                why, size,
                text("line %zu is no peer: 64 hex digits of SHA-256, and a comment if you "
                     "like"),
                line);
        else
            (void)snprintf(why, size, text("out of memory"));
        errno = result == -1 ? EINVAL : ENOMEM;
        return -1;
    }
    return 0;
}

int peers_list_read(struct peers_list *list, const char *path, char *why, size_t size)
{
    char *octets = malloc(LIST_TEXT), reason[256];
    struct file_facts facts;
    int result = -1;

    if (octets == NULL) {
        (void)snprintf(why, size, text("out of memory"));
        errno = ENOMEM;
        return -1;
    }
    if (file_read_text(path, octets, LIST_TEXT, &facts, reason, sizeof reason) < 0)
        (void)snprintf(why, size, text("--trust \"%.200s\" %s"), path, reason);
    else if ((facts.mode & 0002u) != 0 && facts.exposed)
        (void)snprintf(why, size, text("--trust \"%.200s\": others can write it: chmod o-w it"),
                       path);
    else if (take_lines(list, octets, facts.length, reason, sizeof reason) < 0)
        (void)snprintf(why, size, text("--trust \"%.200s\": %s"), path, reason);
    else
        result = 0;
    free(octets);
    return result;
}
