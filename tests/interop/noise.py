"""What the handshakes are made of: A3 and A8, HKDF, the Noise Protocol Framework, a reader of messages."""

import hashlib
import hmac
import struct

from primitives import BASE_POINT, OCB, x25519


class Refused(Exception):
    """What the peer sent ends the channel."""


def require(condition, what):
    if not condition:
        raise Refused(what)


def no_trace(label, octets):
    pass


class Reader:
    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, size):
        require(self.at + size <= len(self.octets), "a message that ends too early")
        self.at += size
        return self.octets[self.at - size : self.at]

    def rest(self):
        return self.take(len(self.octets) - self.at)

    def done(self):
        require(self.at == len(self.octets), "octets behind a message")


# ---- A3 and A8, algorithm USI; HKDF ----


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def hmac_sha256(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def a3(ki, message):
    return hmac_sha256(ki, b"USI A3\0", message)[:16]


def a8(ki, rand):
    return hmac_sha256(ki, struct.pack(">I", 1), b"USI A8\0", rand, struct.pack(">I", 256))


def hkdf(salt, secret, label, size):
    """RFC 5869."""
    key, block, out = hmac_sha256(salt, secret), b"", b""
    while len(out) < size:
        block = hmac_sha256(key, block, label, bytes([len(out) // 32 + 1]))
        out += block
    return out[:size]


# ---- Noise ----


def aes_ocb(key_size):
    """A Noise cipher: seal and open of (key, counter, ad, octets)."""

    def nonce(counter):
        return bytes(4) + counter.to_bytes(8, "big")

    def seal(key, counter, ad, plain):
        return OCB(key[:key_size]).seal(nonce(counter), ad, plain)

    def open_(key, counter, ad, sealed):
        return OCB(key[:key_size]).open(nonce(counter), ad, sealed)

    return seal, open_


class Noise:
    """Revision 34: NN and its psk forms, with 25519 and SHA256."""

    PATTERNS = {
        "NN": (("e",), ("e", "ee")),
        "NNpsk0": (("psk", "e"), ("e", "ee")),
        "NNpsk2": (("e",), ("e", "ee", "psk")),
    }

    def __init__(self, pattern, cipher_name, cipher, prologue, random, trace=no_trace):
        name = f"Noise_{pattern}_25519_{cipher_name}_SHA256".encode()
        self.messages = iter(self.PATTERNS[pattern])
        self.has_psk = "psk" in pattern
        self.seal, self.open = cipher
        self.random, self.trace = random, trace
        self.h = sha256(name) if len(name) > 32 else name.ljust(32, b"\0")
        self.ck, self.k, self.n = self.h, None, 0
        self.psk = self.e = self.re = self.payload_h = None
        trace("h = ck", self.h)
        self.mix_hash(prologue)
        trace("h after the prologue", self.h)

    def mix_hash(self, octets):
        self.h = sha256(self.h, octets)

    def hkdf(self, material, count):
        temp = hmac_sha256(self.ck, material)
        outputs = [b""]
        for i in range(1, count + 1):
            outputs.append(hmac_sha256(temp, outputs[-1], bytes([i])))
        return outputs[1:]

    def mix_key(self, material):
        self.ck, self.k = self.hkdf(material, 2)
        self.n = 0

    def mix_key_and_hash(self, material):
        self.ck, hashed, self.k = self.hkdf(material, 3)
        self.n = 0
        self.mix_hash(hashed)

    def mix_public(self, public):
        self.mix_hash(public)
        if self.has_psk:
            self.mix_key(public)

    def token(self, token):
        if token == "ee":
            secret = x25519(self.e, self.re)
            require(any(secret), "an X25519 result of all zeros")
            self.trace("X25519 result", secret)
            self.mix_key(secret)
        else:
            self.mix_key_and_hash(self.psk)

    def tell(self, after):
        self.trace(f"h after {after}", self.h)
        self.trace(f"ck after {after}", self.ck)
        if self.k:
            self.trace(f"k after {after}", self.k)

    def write(self, payload=b""):
        """payload: octets, or a function that makes them from the h under which they are sealed."""
        message = b""
        for token in next(self.messages):
            if token == "e":
                self.e = self.random(32)
                message = x25519(self.e, BASE_POINT)
                self.trace("private key", self.e)
                self.trace("public key (e)", message)
                self.mix_public(message)
            else:
                self.token(token)
            self.tell(token)
        payload = payload(self.h) if callable(payload) else payload
        sealed = self.seal(self.k, self.n, self.h, payload) if self.k else payload
        self.n += 1
        self.mix_hash(sealed)
        self.trace("h after the tag" if self.k else 'h after MixHash("")', self.h)
        return message + sealed

    def read(self, message):
        """The payload, or None if it is not authentic; payload_h is the h under which it was sealed."""
        for token in next(self.messages):
            if token == "e":
                self.re, message = message[:32], message[32:]
                self.mix_public(self.re)
            else:
                self.token(token)
        self.payload_h = self.h
        payload = self.open(self.k, self.n, self.h, message) if self.k else message
        self.n += 1
        self.mix_hash(message)
        return payload

    def split(self):
        return self.hkdf(b"", 2)
