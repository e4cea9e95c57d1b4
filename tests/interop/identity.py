"""Identities: Ed25519 and RSASSA-PSS (RFC 8017) keys, their SubjectPublicKeyInfo, what a side shows of
itself."""

import base64
import collections
import hashlib
import os
import re

import curves
from noise import Reader, require, sha256

FRESH, KEPT = 0, 1
SALT = HASH = 32
EXPONENT, BITS_MIN, BITS_MAX = 65537, 2048, 4096

# ---- DER: as much of it as keys need ----

ED25519 = bytes.fromhex("300506032b6570")
RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")


def der(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(octets)]) + octets + content


def der_number(number):
    return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def take_der(reader, tag):
    """The content of the element that comes next."""
    kind, size = reader.take(2)
    require(kind == tag and size != 128, "a key that is not DER")
    if size > 128:
        size = int.from_bytes(reader.take(size - 128), "big")
    return reader.take(size)


def rsa_public_der(n, e):
    return der(0x30, RSA_ENCRYPTION, der(3, b"\0", der(0x30, der_number(n), der_number(e))))


def ed25519_public_der(public):
    return der(0x30, ED25519, der(3, b"\0", public))


# ---- RSASSA-PSS with SHA-256, MGF1 and a salt of 32 ----


def mgf1(seed, size):
    blocks = (sha256(seed, i.to_bytes(4, "big")) for i in range(-(-size // HASH)))
    return b"".join(blocks)[:size]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def pss_encode(message, bits, salt):
    """EMSA-PSS-ENCODE, RFC 8017 section 9.1.1."""
    size = (bits + 7) // 8
    made = sha256(bytes(8), sha256(message), salt)
    block = bytes(size - len(salt) - HASH - 2) + b"\1" + salt
    masked = bytearray(xor(block, mgf1(made, size - HASH - 1)))
    masked[0] &= 0xFF >> 8 * size - bits
    return bytes(masked) + made + b"\xbc"


def pss_verify(message, encoded, bits):
    """EMSA-PSS-VERIFY, section 9.1.2."""
    size = (bits + 7) // 8
    masked, made = encoded[: size - HASH - 1], encoded[size - HASH - 1 : -1]
    if encoded[-1] != 0xBC or masked[0] >> bits - 8 * (size - 1):
        return False
    block = bytearray(xor(masked, mgf1(made, len(masked))))
    block[0] &= 0xFF >> 8 * size - bits
    salt = bytes(block[-SALT:])
    rest_is_right = bytes(block[:-SALT]) == bytes(len(block) - SALT - 1) + b"\1"
    return rest_is_right and made == sha256(bytes(8), sha256(message), salt)


# ---- public keys ----


class Ed25519Public:
    kind = "Ed25519"

    def __init__(self, public):
        self.public, self.spki = public, ed25519_public_der(public)

    def verify(self, signature, message):
        return curves.ed25519_verify(self.public, signature, message)


class RSAPublic:
    kind = "RSA"

    def __init__(self, n):
        self.n, self.bits = n, n.bit_length()
        self.spki = rsa_public_der(n, EXPONENT)

    def verify(self, signature, message):
        number = int.from_bytes(signature, "big")
        if len(signature) != (self.bits + 7) // 8 or number >= self.n:
            return False
        number, size = pow(number, EXPONENT, self.n), (self.bits + 6) // 8
        if number >> 8 * size:
            return False
        return pss_verify(message, number.to_bytes(size, "big"), self.bits - 1)


def public_key(spki):
    """Refuses what is not an accepted kind, or not DER: what is made of it again must be the same."""
    body = Reader(take_der(Reader(spki), 0x30))
    algorithm = der(0x30, take_der(body, 0x30))
    bits = take_der(body, 3)
    if algorithm == ED25519:
        require(len(bits) == 33, "an Ed25519 key of another size")
        key = Ed25519Public(bits[1:])
    else:
        require(algorithm == RSA_ENCRYPTION, "a key of an unknown kind")
        numbers = Reader(take_der(Reader(bits[1:]), 0x30))
        n, e = (int.from_bytes(take_der(numbers, 2), "big") for _ in range(2))
        require(BITS_MIN <= n.bit_length() <= BITS_MAX and e == EXPONENT, "an RSA key out of bounds")
        key = RSAPublic(n)
    require(key.spki == spki, "a key that is not DER")
    return key


# ---- private keys ----


class Ed25519Key(Ed25519Public):
    def __init__(self, seed=None):
        self.seed = seed or os.urandom(32)
        super().__init__(curves.ed25519_public(self.seed))

    def sign(self, message):
        return curves.ed25519_sign(self.seed, message)

    def pem(self):
        return pem(der(0x30, der_number(0), ED25519, der(4, der(4, self.seed))))

    @classmethod
    def read(cls, path):
        """From a PEM file as `openssl genpkey -algorithm ED25519` writes it (RFC 8410)."""
        return cls(take_der(Reader(read_pem(path)), 4))


class RSAKey(RSAPublic):
    def __init__(self, n, d):
        super().__init__(n)
        self.d = d

    def sign(self, message, salt=None):
        encoded = pss_encode(message, self.bits - 1, os.urandom(SALT) if salt is None else salt)
        number = pow(int.from_bytes(encoded, "big"), self.d, self.n)
        return number.to_bytes((self.bits + 7) // 8, "big")

    @classmethod
    def read(cls, path):
        """From a PEM file as `openssl genpkey -algorithm RSA` writes it (PKCS #8)."""
        inner = Reader(take_der(Reader(read_pem(path)), 0x30))
        _, n, _, d = (int.from_bytes(take_der(inner, 2), "big") for _ in range(4))
        return cls(n, d)


def read_pem(path):
    """The key inside PKCS #8, in the form of its kind."""
    with open(path, encoding="ascii") as file:
        body = re.search("-----BEGIN PRIVATE KEY-----(.*?)-----END", file.read(), re.DOTALL)
    outer = Reader(take_der(Reader(base64.b64decode(body.group(1))), 0x30))
    take_der(outer, 2)
    take_der(outer, 0x30)
    return take_der(outer, 4)


def pem(octets):
    text = base64.encodebytes(octets).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n"


# ---- what a side shows ----

Peer = collections.namedtuple("Peer", "kept spki")


class Identity:
    """A side's own key; kept: its user keeps it, else it was made for this run."""

    def __init__(self, key=None, kept=False):
        self.key, self.mark = key or Ed25519Key(), KEPT if kept else FRESH

    @property
    def spki(self):
        return self.key.spki

    def shown(self, label, h, *seen):
        """The octets; seen: SPKIs that are signed before the own one."""
        signature = self.key.sign(signed(label, h, self.mark, *seen, self.spki))
        return bytes([self.mark]) + len(self.spki).to_bytes(2, "big") + self.spki + signature


def signed(label, h, mark, *spkis):
    return label + h + bytes([mark]) + b"".join(map(sha256, spkis))


def check(shown, label, h, *seen, rsa=True):
    """Who has shown it, if the signature is right."""
    reader = Reader(shown)
    mark = reader.take(1)[0]
    require(mark in (FRESH, KEPT), "an unknown mark")
    spki = reader.take(int.from_bytes(reader.take(2), "big"))
    key = public_key(spki)
    require(rsa or key.kind != "RSA", "an RSA key, which is not accepted")
    require(key.verify(reader.rest(), signed(label, h, mark, *seen, spki)), "a wrong signature")
    return Peer(mark == KEPT, spki)


def fingerprint(connector, listener):
    """Of two SPKIs: what users compare."""
    return hashlib.sha256(connector + listener).digest()


def word_numbers(octets):
    """The twelve numbers in the list of words."""
    bits = int.from_bytes(octets, "big") >> 256 - 132
    return [bits >> 11 * i & 2047 for i in reversed(range(12))]
