#include "text/utf8.h"

size_t utf8_decode(const char *text, size_t length, uint32_t *point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *octets = (const unsigned char *)text;
    size_t size;
    uint32_t value;

    if (octets[0] < 0x80) {
        *point = octets[0];
        return 1;
    }
    size = octets[0] >= 0xf0 ? 4 : octets[0] >= 0xe0 ? 3 : 2;
    if (octets[0] < 0xc0 || octets[0] >= 0xf8 || size > length)
        return 0;
    value = octets[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((octets[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (octets[i] & 0x3fu);
    }
    if (value < smallest[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *point = value;
    return size;
}
