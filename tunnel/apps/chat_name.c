#include "apps/chat_name.h"

#include "text/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct range {
    uint32_t first, last;
};

/* Unicode 15: what is not seen (Cc, Cf, Z*, Co, Cs, noncharacters, Default_Ignorable_Code_Point,
 * the Braille blank), in order. */
static const struct range unseen[] = {
    {0x0000, 0x0020},   {0x007f, 0x00a0},   {0x00ad, 0x00ad},   {0x034f, 0x034f},
    {0x0600, 0x0605},   {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},
    {0x0890, 0x0891},   {0x08e2, 0x08e2},   {0x115f, 0x1160},   {0x1680, 0x1680},
    {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x2000, 0x200f},   {0x2028, 0x202f},
    {0x205f, 0x206f},   {0x2800, 0x2800},   {0x3000, 0x3000},   {0x3164, 0x3164},
    {0xd800, 0xf8ff},   {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
    {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd},
    {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
    {0x1fffe, 0x1ffff}, {0x2fffe, 0x2ffff}, {0x3fffe, 0xdffff}, {0xe0000, 0x10ffff},
};

/* The combining marks that go with any letter. */
static const struct range marks[] = {
    {0x0300, 0x036f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f},
};

enum { MARKS_IN_A_ROW = 2 };

static bool is_in(const struct range *ranges, size_t count, uint32_t point)
{
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

/* What a name has so far. */
struct shape {
    unsigned characters, marks;
    bool letter; /* the last that is no mark is an ASCII letter */
};

static bool is_letter(uint32_t point)
{
    return (point >= 'A' && point <= 'Z') || (point >= 'a' && point <= 'z');
}

/* May this character come next? Then it has come. */
static bool goes_on(struct shape *shape, uint32_t point)
{
    static const char around[] = "<>[]", first[] = "/!*-";
    bool mark = is_in(marks, sizeof marks / sizeof marks[0], point);

    if (shape->characters == CHAT_NAME_CHARACTERS ||
        is_in(unseen, sizeof unseen / sizeof unseen[0], point) ||
        (point < 0x80 && strchr(around, (int)point) != NULL))
        return false;
    if (shape->characters == 0 && (mark || (point < 0x80 && strchr(first, (int)point) != NULL)))
        return false;
    if (mark && shape->marks == MARKS_IN_A_ROW)
        return false;
    /* Most letters with one of these are characters of their own, which look the same. */
    if (shape->letter && point >= marks[0].first && point <= marks[0].last)
        return false;
    shape->marks = mark ? shape->marks + 1 : 0;
    shape->letter = is_letter(point) || (mark && shape->letter);
    shape->characters++;
    return true;
}

bool chat_name_is_fit(const char *name, size_t size)
{
    struct shape shape = {0};
    uint32_t point;

    if (size == 0 || size > CHAT_NAME)
        return false;
    for (size_t i = 0, n; i < size; i += n) {
        n = utf8_decode(name + i, size - i, &point);
        if (n == 0 || !goes_on(&shape, point))
            return false;
    }
    return true;
}

void chat_name_make(char fit[CHAT_NAME + 1], const char *name, size_t size)
{
    struct shape shape = {0};
    size_t used = 0;

    for (size_t i = 0, n; i < size; i += n) {
        uint32_t point;
        n = utf8_decode(name + i, size - i, &point);
        if (n > 0 && goes_on(&shape, point)) {
            memcpy(fit + used, name + i, n);
            used += n;
        }
        n += n == 0;
    }
    fit[used] = '\0';
    if (used == 0)
        (void)snprintf(fit, CHAT_NAME + 1, "user");
}

bool chat_name_equal(const char *one, const char *other)
{
    for (; *one != '\0' || *other != '\0'; one++, other++) {
        unsigned char a = (unsigned char)*one, b = (unsigned char)*other;
        a |= a >= 'A' && a <= 'Z' ? 0x20 : 0;
        b |= b >= 'A' && b <= 'Z' ? 0x20 : 0;
        if (a != b)
            return false;
    }
    return true;
}

/* Octets of the first `most` characters. */
static size_t cut(const char *name, size_t most)
{
    size_t size = strlen(name), i = 0;
    uint32_t point;

    for (size_t n; i < size && most > 0; i += n, most--) {
        n = utf8_decode(name + i, size - i, &point);
        if (n == 0)
            break;
    }
    return i;
}

void chat_name_make_unique(char name[CHAT_NAME + 1], bool (*taken)(void *owner, const char *name),
                           void *owner)
{
    char tried[CHAT_NAME + 1], number[8];

    (void)snprintf(tried, sizeof tried, "%s", name);
    for (unsigned i = 2; taken(owner, tried) && i < 1000; i++) {
        int digits = snprintf(number, sizeof number, "-%u", i);
        size_t kept = cut(name, CHAT_NAME_CHARACTERS - (size_t)digits);
        (void)snprintf(tried, sizeof tried, "%.*s%s", (int)kept, name, number);
    }
    (void)snprintf(name, CHAT_NAME + 1, "%s", tried);
}
