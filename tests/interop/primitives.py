"""X25519 (RFC 7748), AES (FIPS 197) and OCB (RFC 7253), written from those documents in plain Python.

Slow, and its time depends on secrets: for tests only.
"""

import hmac
import struct

# ---- X25519 ----

P = 2**255 - 19
BASE_POINT = (9).to_bytes(32, "little")


def x25519(scalar, point):
    """RFC 7748 section 5, as 32 octets."""
    k = int.from_bytes(scalar, "little")
    k = k & ~7 & ~(128 << 8 * 31) | 64 << 8 * 31
    x1 = int.from_bytes(point, "little") & (1 << 255) - 1
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


# ---- AES ----


def times(a, b):
    """The product in GF(2^8) of FIPS 197 section 4.2."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def make_tables():
    """The S-box, its inverse, and both with MixColumns or its inverse applied, as tables of words."""
    power, log, x = [0] * 255, [0] * 256, 1
    for i in range(255):
        power[i], log[x] = x, i
        x = times(x, 3)
    sbox = []
    for a in range(256):
        b = power[-log[a] % 255] if a else 0
        b |= b << 8
        sbox.append((b ^ b >> 4 ^ b >> 5 ^ b >> 6 ^ b >> 7) & 0xFF ^ 0x63)
    inverse = [sbox.index(a) for a in range(256)]

    def columns(values, factors):
        words = [sum(times(v, f) << 24 - 8 * i for i, f in enumerate(factors)) for v in values]
        return [[w >> 8 * r | w << 32 - 8 * r & 0xFFFFFFFF for w in words] for r in range(4)]

    return sbox, inverse, columns(sbox, (2, 1, 1, 3)), columns(inverse, (14, 9, 13, 11))


SBOX, INVERSE, FORWARD, BACKWARD = make_tables()


class AES:
    """The block cipher; a block is an integer of 128 bits."""

    def __init__(self, key):
        n = len(key) // 4
        rounds = n + 6
        words = list(struct.unpack(f">{n}I", key))
        factor = 1
        for i in range(n, 4 * (rounds + 1)):
            word = words[-1]
            if i % n == 0:
                word = self.substitute(word << 8 & 0xFFFFFFFF | word >> 24) ^ factor << 24
                factor = times(factor, 2)
            elif n > 6 and i % n == 4:
                word = self.substitute(word)
            words.append(words[i - n] ^ word)
        self.encrypt_keys = [words[i : i + 4] for i in range(0, len(words), 4)]
        keys = self.encrypt_keys[::-1]  # the equivalent inverse cipher, FIPS 197 section 5.3.5
        middle = [[self.unmix(w) for w in key] for key in keys[1:-1]]
        self.decrypt_keys = [keys[0], *middle, keys[-1]]

    @staticmethod
    def substitute(word):
        return int.from_bytes(bytes(SBOX[b] for b in word.to_bytes(4, "big")), "big")

    @staticmethod
    def unmix(word):
        mixed = 0
        for table, b in zip(BACKWARD, word.to_bytes(4, "big")):
            mixed ^= table[SBOX[b]]
        return mixed

    @staticmethod
    def run(block, keys, tables, last, step):
        t0, t1, t2, t3 = tables
        first = keys[0]
        s = [block >> 96 ^ first[0], block >> 64 & 0xFFFFFFFF ^ first[1]]
        s += [block >> 32 & 0xFFFFFFFF ^ first[2], block & 0xFFFFFFFF ^ first[3]]
        order = [(i, (i + step) % 4, (i + 2) % 4, (i - step) % 4) for i in range(4)]
        for key in keys[1:-1]:
            s = [
                t0[s[a] >> 24] ^ t1[s[b] >> 16 & 255] ^ t2[s[c] >> 8 & 255] ^ t3[s[d] & 255] ^ k
                for (a, b, c, d), k in zip(order, key)
            ]
        out = 0
        for (a, b, c, d), k in zip(order, keys[-1]):
            word = last[s[a] >> 24] << 24 | last[s[b] >> 16 & 255] << 16
            word |= last[s[c] >> 8 & 255] << 8 | last[s[d] & 255]
            out = out << 32 | word ^ k
        return out

    def encrypt(self, block):
        return self.run(block, self.encrypt_keys, FORWARD, SBOX, 1)

    def decrypt(self, block):
        return self.run(block, self.decrypt_keys, BACKWARD, INVERSE, -1)


# ---- OCB ----

ONES = (1 << 128) - 1


def double(block):
    return block << 1 & ONES ^ (0x87 if block >> 127 else 0)


def padded(part):
    """A last, short block: the octets, one bit 1, zeros."""
    return int.from_bytes(part + b"\x80" + bytes(15 - len(part)), "big")


def trailing_zeros(number):
    return (number & -number).bit_length() - 1


class OCB:
    """RFC 7253; the tag stands behind the ciphertext."""

    def __init__(self, key, tag_size=16):
        self.aes = AES(key)
        self.tag_size = tag_size
        self.star = self.aes.encrypt(0)
        self.dollar = double(self.star)
        self.l = [double(self.dollar)]
        while len(self.l) < 40:
            self.l.append(double(self.l[-1]))

    def hash(self, ad):
        total = offset = 0
        whole = len(ad) // 16
        for i in range(1, whole + 1):
            offset ^= self.l[trailing_zeros(i)]
            block = int.from_bytes(ad[16 * i - 16 : 16 * i], "big")
            total ^= self.aes.encrypt(block ^ offset)
        if rest := ad[16 * whole :]:
            total ^= self.aes.encrypt(padded(rest) ^ offset ^ self.star)
        return total

    def first_offset(self, nonce):
        number = (self.tag_size * 8 % 128) << 121 | 1 << 8 * len(nonce) | int.from_bytes(nonce, "big")
        bottom = number & 63
        top = self.aes.encrypt(number ^ bottom)
        stretch = top << 64 | (top >> 64) ^ (top >> 56 & (1 << 64) - 1)
        return stretch >> 64 - bottom & ONES

    def crypt(self, nonce, ad, data, opening):
        """The data turned over, and the tag."""
        offset = self.first_offset(nonce)
        checksum = 0
        whole = len(data) // 16
        out = bytearray()
        cipher = self.aes.decrypt if opening else self.aes.encrypt
        for i in range(1, whole + 1):
            offset ^= self.l[trailing_zeros(i)]
            block = int.from_bytes(data[16 * i - 16 : 16 * i], "big")
            made = cipher(block ^ offset) ^ offset
            checksum ^= made if opening else block
            out += made.to_bytes(16, "big")
        if rest := data[16 * whole :]:
            offset ^= self.star
            pad = self.aes.encrypt(offset).to_bytes(16, "big")
            made = bytes(a ^ b for a, b in zip(rest, pad))
            checksum ^= padded(made if opening else rest)
            out += made
        tag = self.aes.encrypt(checksum ^ offset ^ self.dollar) ^ self.hash(ad)
        return bytes(out), tag.to_bytes(16, "big")[: self.tag_size]

    def seal(self, nonce, ad, plain):
        sealed, tag = self.crypt(nonce, ad, plain, False)
        return sealed + tag

    def open(self, nonce, ad, sealed):
        """The plaintext, or None if it is not authentic."""
        if len(sealed) < self.tag_size:
            return None
        plain, tag = self.crypt(nonce, ad, sealed[: -self.tag_size], True)
        return plain if hmac.compare_digest(tag, sealed[-self.tag_size :]) else None
