"""The handshakes of each mode, the first of a channel or a rekey, without any input or output.

A connector begins with first(); what the peer sends goes to receive(), which gives the answer or None; `over`
says that no message is left. proof() is the content of the connector's `proof`, check_proof() judges it.
"""

import collections
import hmac

import identity
import password
from noise import Noise, Reader, a3, a8, aes_ocb, hkdf, hmac_sha256, require, sha256

KEY, IDENTITY, PASSWORD = 1, 2, 3
ML_KEM_KEY, E, TAG = 1184, 32, 16
SIZES = {1: 16, 2: 24, 3: 32}  # cipher octet: key octets

# What does not change in a channel. cipher: what a connector says, but for key mode.
Side = collections.namedtuple("Side", "credential connector name random trace cipher accept_rsa")


class Handshake:
    """What the modes share. before: the handshake before, for a rekey."""

    mode = pattern = None
    least = 0  # the smallest message that can come next

    def __init__(self, side, before=None):
        self.side, self.before = side, before
        self.cipher = before.cipher if before else side.cipher
        self.over = False

    @property
    def h(self):
        return self.noise.h

    @property
    def key_size(self):
        return SIZES[self.cipher]

    def begin(self, prologue):
        if self.before:
            prologue = b"USI1 rekey" + self.before.h + prologue
        self.side.trace("prologue", prologue)
        name, cipher = f"AES{8 * self.key_size}OCB", aes_ocb(self.key_size)
        self.noise = Noise(self.pattern, name, cipher, prologue, self.side.random, self.side.trace)

    def keys(self):
        """What this side sends under, and receives under."""
        keys = self.noise.split()
        self.side.trace("key, connector's", keys[0])
        self.side.trace("key, listener's", keys[1])
        return keys if self.side.connector else keys[::-1]

    # Header 1, which is alike in every mode.

    def header_1(self):
        self.rand_ms = self.side.random(32)
        self.side.trace("RANDms", self.rand_ms)
        name = self.side.name
        return b"USI1" + bytes([self.mode, self.cipher, 0, len(name)]) + name + self.rand_ms

    def take_header_1(self, reader, flags_allowed=1):
        require(reader.take(4) == b"USI1", "not USI1")
        mode, cipher, flags, name_size = reader.take(4)
        self.peer_name = reader.take(name_size)
        self.rand_ms = reader.take(32)
        known = mode == self.mode and cipher in SIZES and flags & ~flags_allowed == 0
        require(known, "an unknown mode, cipher or flag")
        if flags & 1:
            reader.take(ML_KEM_KEY)  # of which we make no use
        return cipher

    def take_cipher(self, cipher):
        """Where a listener takes any, and the name is no secret."""
        require(self.peer_name == self.side.name, "another name")
        require(not self.before or cipher == self.cipher, "another cipher in a rekey")
        self.cipher = cipher

    # Two messages, in all modes but one.

    def first(self):
        return self.write_1()

    def receive(self, body):
        self.over = True
        if self.side.connector:
            return self.read_2(body)
        self.read_1(body)
        return self.write_2()

    def proof(self):
        return b""

    def check_proof(self, content):
        require(content == b"", "a proof with content")


class KeyHandshake(Handshake):
    mode, pattern = KEY, "NNpsk2"

    def __init__(self, side, before=None):
        super().__init__(side, before)
        self.ki = side.credential
        self.cipher = {size: cipher for cipher, size in SIZES.items()}[len(self.ki)]
        self.least = 1 + 32 + E + TAG if side.connector else 4 + 4 + 32 + E + TAG + 16

    def set_psk(self):
        self.noise.psk = a8(self.ki, self.rand_nw + self.rand_ms)
        self.side.trace("psk = Kc", self.noise.psk)

    def knock(self):
        return a3(self.ki, b"USI1 knock" + self.h)

    def write_1(self):
        header = self.header_1()
        self.begin(header)
        noise = self.noise.write()
        self.side.trace("knock", self.knock())
        return header + noise + self.knock()

    def read_1(self, message):
        reader = Reader(message)
        cipher = self.take_header_1(reader)
        self.begin(message[: reader.at])
        noise, knock = reader.take(E + TAG), reader.take(16)
        reader.done()
        # Strictly, a cipher that is not ours fails here, as does a stranger's message; silence either way.
        require(self.noise.read(noise) == b"", "a Noise message 1 that does not open")
        right = self.right_knock(knock)
        require(right and self.peer_name == self.side.name and cipher == self.cipher, "a wrong knock")

    def right_knock(self, knock):
        return hmac.compare_digest(knock, self.knock())

    def write_2(self):
        self.rand_nw = self.side.random(32)
        self.side.trace("RANDnw", self.rand_nw)
        header = b"\0" + self.rand_nw
        self.noise.mix_hash(header)
        self.side.trace("h after the header", self.h)
        self.set_psk()
        return header + self.noise.write()

    def read_2(self, message):
        reader = Reader(message)
        require(reader.take(1) == b"\0", "ML-KEM unasked, or an unknown flag")
        self.rand_nw = reader.take(32)
        self.noise.mix_hash(message[: reader.at])
        noise = reader.take(E + TAG)
        reader.done()
        self.set_psk()
        require(self.noise.read(noise) == b"", "the listener does not know the key")

    def proof(self):
        proof = a3(self.ki, b"USI1 sres" + self.h)
        self.side.trace("proof = SRES", proof)
        return proof

    def check_proof(self, content):
        require(hmac.compare_digest(content, self.proof()), "a wrong proof")


class IdentityHandshake(Handshake):
    mode, pattern = IDENTITY, "NN"
    NETWORK, MOBILE = b"USI1 network", b"USI1 mobile"

    def __init__(self, side, before=None):
        super().__init__(side, before)
        self.own = side.credential
        self.peer = None
        self.least = 1 + E + 3 + TAG if side.connector else 4 + 4 + 32 + E

    def write_1(self):
        header = self.header_1()
        self.begin(header)
        return header + self.noise.write()

    def read_1(self, message):
        reader = Reader(message)
        self.take_cipher(self.take_header_1(reader))
        self.begin(message[: reader.at])
        self.noise.read(reader.take(E))
        reader.done()

    def write_2(self):
        self.noise.mix_hash(b"\0")
        return b"\0" + self.noise.write(self.network_identity)

    def network_identity(self, h):
        """h is h2: `ee`, which comes between, does not change it."""
        shown = self.own.shown(self.NETWORK, h)
        self.side.trace("listener's identity", shown)
        return shown

    def read_2(self, message):
        reader = Reader(message)
        require(reader.take(1) == b"\0", "ML-KEM unasked, or an unknown flag")
        self.noise.mix_hash(b"\0")
        shown = self.noise.read(reader.take(E) + reader.rest())
        require(shown is not None, "a message 2 that does not open")
        self.take_peer(identity.check(shown, self.NETWORK, self.noise.payload_h))

    def take_peer(self, peer):
        require(not self.before or peer == self.before.peer, "another key or mark in a rekey")
        self.peer = peer

    def proof(self):
        shown = self.own.shown(self.MOBILE, self.h, self.peer.spki)
        self.side.trace("connector's identity", shown)
        return shown

    def check_proof(self, content):
        rsa = self.side.accept_rsa
        self.take_peer(identity.check(content, self.MOBILE, self.h, self.own.spki, rsa=rsa))


class PasswordHandshake(Handshake):
    """context: of the password question, whose exchange is this one too."""

    mode, pattern = PASSWORD, "NNpsk0"

    def __init__(self, side, context=b""):
        super().__init__(side)
        self.password, self.context = side.credential, context
        self.flags_allowed = 0 if context else 1
        self.shown = False  # a connector's (3) is out
        self.expected = self.read_2 if side.connector else self.read_1
        self.least = 1 if side.connector else 4 + 4 + 32

    def first(self):
        self.sent_1 = self.header_1()
        return self.sent_1

    def receive(self, body):
        return self.expected(body)

    def read_1(self, body):
        reader = Reader(body)
        self.take_cipher(self.take_header_1(reader, self.flags_allowed))
        reader.done()
        require(self.password.allowed, "no more tries")
        self.sent_1, self.expected, self.least = body, self.read_3, 65 + E + TAG
        salt = self.password.salt
        self.side.trace("salt", salt)
        self.make_share(salt)
        self.sent_2 = salt + self.spake2.share
        return self.sent_2

    def make_share(self, salt):
        w = self.password.w(salt, self.side.trace)
        scalar = password.scalar(self.side.random)
        connector = self.side.connector
        self.side.trace("x" if connector else "y", scalar.to_bytes(32, "big"))
        self.spake2 = password.Spake2(w, connector, scalar)
        self.side.trace("pA" if connector else "pB", self.spake2.share)

    def begin_noise(self, peer, pa):
        """peer: the other's share."""
        secret = self.spake2.secret(peer, self.side.trace)
        prologue = self.context + self.sent_1 + self.sent_2 + pa
        self.begin(prologue)
        self.noise.psk = hkdf(sha256(prologue), secret, b"USI1 password", 32)
        self.side.trace("psk", self.noise.psk)

    def read_2(self, body):
        require(len(body) == 16 + 65, "a message 2 of another size")
        self.sent_2, self.expected, self.least = body, self.read_4, 1 + E + TAG
        self.make_share(body[:16])
        self.begin_noise(body[16:], self.spake2.share)
        self.shown = True
        return self.spake2.share + self.noise.write()

    def read_3(self, body):
        require(len(body) == 65 + E + TAG, "a message 3 of another size")
        if not self.password.allowed:  # others have tried since (1)
            raise password.WrongPassword("no more tries")
        self.password.tries += 1
        self.begin_noise(body[:65], body[:65])
        if self.noise.read(body[65:]) != b"":
            raise password.WrongPassword("the connector does not know the password")
        self.password.tries -= 1  # what counts is what fails
        self.noise.mix_hash(b"\0")
        self.over = True
        return b"\0" + self.noise.write()

    def read_4(self, body):
        reader = Reader(body)
        require(reader.take(1) == b"\0", "ML-KEM unasked, or an unknown flag")
        self.noise.mix_hash(b"\0")
        noise = reader.take(E + TAG)
        reader.done()
        if self.noise.read(noise) != b"":
            raise password.WrongPassword("the listener does not know the password")
        self.over = True


class PasswordRekey(Handshake):
    """Without the password: keyed by the handshake before."""

    mode, pattern = PASSWORD, "NNpsk2"

    def write_1(self):
        header = self.header_1()
        self.begin(header)
        return header + self.noise.write()

    def begin(self, prologue):
        super().begin(prologue)
        self.noise.psk = hmac_sha256(self.before.noise.ck, b"USI1 rekey")

    def read_1(self, message):
        reader = Reader(message)
        self.take_cipher(self.take_header_1(reader))
        self.begin(message[: reader.at])
        noise = reader.take(E + TAG)
        reader.done()
        require(self.noise.read(noise) == b"", "a Noise message 1 that does not open")

    def write_2(self):
        self.noise.mix_hash(b"\0")
        return b"\0" + self.noise.write()

    def read_2(self, message):
        reader = Reader(message)
        require(reader.take(1) == b"\0", "ML-KEM unasked, or an unknown flag")
        self.noise.mix_hash(b"\0")
        noise = reader.take(E + TAG)
        reader.done()
        require(self.noise.read(noise) == b"", "a Noise message 2 that does not open")


def new_handshake(side, before=None):
    if isinstance(side.credential, password.Password):
        return PasswordRekey(side, before) if before else PasswordHandshake(side)
    kind = IdentityHandshake if isinstance(side.credential, identity.Identity) else KeyHandshake
    return kind(side, before)
