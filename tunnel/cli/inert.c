#include "cli/inert.h"

#include "cli/inert_marks.h"
#include "text/utf8.h"

#include <stdio.h>
#include <string.h>

/* What is neither a control nor seen: format characters (Cf), separators of lines (Zl, Zp), fillers
 * that have no ink, and what Unicode reserves for such (Default_Ignorable_Code_Point), but for the
 * variation selectors, which are marks. */
static const struct inert_range hidden[] = {
    {0xad, 0xad},       {0x34f, 0x34f},     {0x600, 0x605},     {0x61c, 0x61c},
    {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},
    {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180e, 0x180e},   {0x200b, 0x200f},
    {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},   {0xfdd0, 0xfdef},
    {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x110bd, 0x110bd},
    {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
    {0xe0000, 0xe00ff}, {0xe01f0, 0xe0fff},
};

static bool is_in(const struct inert_range *ranges, size_t count, uint32_t point)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (point > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && point >= ranges[low].first;
}

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

bool inert_changes(uint32_t point)
{
    return is_control(point) || (point & 0xfffe) == 0xfffe /* noncharacters */ ||
           is_in(hidden, sizeof hidden / sizeof *hidden, point);
}

bool inert_is_mark(uint32_t point)
{
    return point >= 0x300 && is_in(inert_marks, sizeof inert_marks / sizeof *inert_marks, point);
}

/* Shows one character as a name of it. */
static size_t name_it(char *out, uint32_t point)
{
    char name[16];
    int size;

    if (point == '\t')
        size = snprintf(name, sizeof name, " ");
    else if (point < 0x80)
        size = snprintf(name, sizeof name, "^%c", (char)(point ^ 0x40));
    else
        size = snprintf(name, sizeof name, "<U+%04X>", (unsigned)point);
    memcpy(out, name, (size_t)size);
    return (size_t)size;
}

size_t inert(char *out, const char *text, size_t length)
{
    size_t written = 0;
    unsigned marks_now = 0;

    for (size_t i = 0; i < length;) {
        uint32_t point;
        size_t size = utf8_decode(text + i, length - i, &point);
        if (size == 0) {
            char octet[5];
            (void)snprintf(octet, sizeof octet, "<%02X>", (unsigned char)text[i++]);
            memcpy(out + written, octet, 4);
            written += 4;
            marks_now = 0;
            continue;
        }
        marks_now = inert_is_mark(point) ? marks_now + 1 : 0;
        if (inert_changes(point) || marks_now > INERT_MARKS) {
            written += name_it(out + written, point);
        } else {
            memcpy(out + written, text + i, size);
            written += size;
        }
        i += size;
    }
    return written;
}
