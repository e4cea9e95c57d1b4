/* Octets as hexadecimal text. */
#ifndef USI_TEXT_HEX_H
#define USI_TEXT_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Writes 2 * size lowercase digits and a NUL to `digits`. Returns 2 * size. The octets may be a
 * secret: they choose no branch and no address. */
static inline size_t hex_put(char *digits, const uint8_t *octets, size_t size)
{
    for (size_t i = 0; i < 2 * size; i++) {
        unsigned nibble = octets[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
        unsigned letter = (9 - nibble) >> 31; /* 1 from ten up */
        digits[i] = (char)('0' + nibble + letter * ('a' - '0' - 10));
    }
    digits[2 * size] = '\0';
    return 2 * size;
}

#endif
