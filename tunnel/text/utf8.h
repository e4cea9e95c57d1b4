/* UTF-8, strictly (RFC 3629). */
#ifndef USI_TEXT_UTF8_H
#define USI_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the character at text[0..length-1] into *point and returns its size in octets, 1 to 4; or
 * 0 if there is none: malformed, cut short, over-long, a surrogate, above U+10FFFF. length is 1 or
 * more. */
size_t utf8_decode(const char *text, size_t length, uint32_t *point);

#endif
