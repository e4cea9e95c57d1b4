#!/usr/bin/env python3
"""Usage: marks.py > tunnel/cli/inert_marks.h

Makes the table of characters that are drawn upon the one before them: Unicode's categories Mn and Me, and
the vowels and final consonants of conjoining Hangul. Gaps that hold only unassigned characters are taken in."""

import unicodedata


def is_mark(point):
    hangul = 0x1160 <= point <= 0x11FF or 0xD7B0 <= point <= 0xD7FF
    return hangul or unicodedata.category(chr(point)) in ("Mn", "Me")


def ranges():
    first = last = None
    for point in range(0x110000):
        if is_mark(point):
            first = point if first is None else first
            last = point
        elif first is not None and unicodedata.category(chr(point)) != "Cn":
            yield first, last
            first = None
    if first is not None:
        yield first, last


def main():
    print(f"/* Made by tests/chat/marks.py from Unicode {unicodedata.unidata_version}. */")
    print("#ifndef USI_CLI_INERT_MARKS_H\n#define USI_CLI_INERT_MARKS_H\n\n#include <stdint.h>\n")
    print("struct inert_range {\n    uint32_t first, last;\n};\n")
    print("/* Characters that are drawn upon the one before them, in their order. */")
    print("/* clang-format off */")
    print("static const struct inert_range inert_marks[] = {")
    found = [f"{{0x{a:x}, 0x{b:x}}}" for a, b in ranges()]
    line = "   "
    for text in found:
        if len(line) + len(text) > 97:
            print(line)
            line = "   "
        line += " " + text + ","
    print(line.rstrip(",") + "\n};")
    print("/* clang-format on */\n\n#endif")


if __name__ == "__main__":
    main()
