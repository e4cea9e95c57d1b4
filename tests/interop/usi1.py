"""The USI channel, version 1, key mode: both sides, without any input or output.

An implementation of its own, written from tunnel/PROTOCOL.md and the documents it names, so that the
document and libusi check each other. It has no ML-KEM and no clock: it never offers the first, and leaves
limits in time to its caller.

    channel = Channel(ki, connector=True)
    send(channel.take()); channel.receive(octets); channel.events
"""

import collections
import hashlib
import hmac
import os
import struct

from primitives import BASE_POINT, OCB, x25519

MESSAGE_1_MAX, MESSAGE_2_MAX = 2048, 2304
DATA_MAX, PADDING_MAX, TAG = 65536, 255, 16
LENGTH_MIN, LENGTH_MAX, FIRST_LENGTH_MAX = 1 + TAG, DATA_MAX + 1 + PADDING_MAX + TAG, 512
PING_MAX = 32
REKEY_BYTES, RESERVE = 2**36, 4096

DATA, END, BYE, OPEN, ABORT, PING, PONG = 1, 2, 3, 4, 7, 9, 10
PROOF, ASK, REKEY_1, REKEY_2, SWITCH = 11, 13, 14, 15, 16

CIPHERS = {16: 1, 24: 2, 32: 3}  # size of Ki in octets: cipher octet


class Refused(Exception):
    """What the peer sent ends the channel."""


def require(condition, what):
    if not condition:
        raise Refused(what)


def no_trace(label, octets):
    pass


# ---- A3 and A8, algorithm USI ----


def hmac_sha256(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def a3(ki, message):
    return hmac_sha256(ki, b"USI A3\0", message)[:16]


def a8(ki, rand):
    return hmac_sha256(ki, struct.pack(">I", 1), b"USI A8\0", rand, struct.pack(">I", 256))


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
        self.h = hashlib.sha256(name).digest() if len(name) > 32 else name.ljust(32, b"\0")
        self.ck, self.k, self.n = self.h, None, 0
        self.psk = self.e = self.re = None
        trace("h = ck", self.h)
        self.mix_hash(prologue)
        trace("h after the prologue", self.h)

    def mix_hash(self, octets):
        self.h = hashlib.sha256(self.h + octets).digest()

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
        sealed = self.seal(self.k, self.n, self.h, payload) if self.k else payload
        self.n += 1
        self.mix_hash(sealed)
        self.trace("h after the tag", self.h)
        return message + sealed

    def read(self, message):
        """The payload, or None if it is not authentic."""
        for token in next(self.messages):
            if token == "e":
                self.re, message = message[:32], message[32:]
                self.mix_public(self.re)
            else:
                self.token(token)
        payload = self.open(self.k, self.n, self.h, message) if self.k else message
        self.n += 1
        self.mix_hash(message)
        return payload

    def split(self):
        return self.hkdf(b"", 2)


# ---- the handshake ----


class Reader:
    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, size):
        require(self.at + size <= len(self.octets), "a message that ends too early")
        self.at += size
        return self.octets[self.at - size : self.at]

    def done(self):
        require(self.at == len(self.octets), "octets behind a message")


class Handshake:
    """The first one of a channel, or a rekey, which knows the h of the one before."""

    def __init__(self, ki, connector, name, previous, random, trace):
        self.ki, self.connector, self.name, self.previous = ki, connector, name, previous
        self.random, self.trace = random, trace

    def begin(self, header):
        prologue = b"USI1 rekey" + self.previous + header if self.previous else header
        self.trace("prologue", prologue)
        size = len(self.ki)
        cipher_name = f"AES{8 * size}OCB"
        self.noise = Noise("NNpsk2", cipher_name, aes_ocb(size), prologue, self.random, self.trace)

    def set_psk(self):
        self.noise.psk = a8(self.ki, self.rand_nw + self.rand_ms)
        self.trace("psk = Kc", self.noise.psk)

    def knock(self):
        return a3(self.ki, b"USI1 knock" + self.noise.h)

    def write_1(self):
        self.rand_ms = self.random(32)
        self.trace("RANDms", self.rand_ms)
        header = b"USI1" + bytes([1, CIPHERS[len(self.ki)], 0, len(self.name)]) + self.name + self.rand_ms
        self.begin(header)
        noise = self.noise.write()
        self.trace("knock", self.knock())
        return header + noise + self.knock()

    def read_1(self, message):
        reader = Reader(message)
        require(reader.take(4) == b"USI1", "not USI1")
        mode, cipher, flags, name_size = reader.take(4)
        name = reader.take(name_size)
        self.rand_ms = reader.take(32)
        known = mode == 1 and cipher in CIPHERS.values() and flags & ~1 == 0
        require(known, "an unknown mode, cipher or flag")
        if flags & 1:
            reader.take(1184)  # an ML-KEM key, of which we make no use
        self.begin(message[: reader.at])
        noise = reader.take(48)
        knock = reader.take(16)
        reader.done()
        # Strictly, a cipher that is not ours fails here, as does a stranger's message; silence either way.
        require(self.noise.read(noise) == b"", "a Noise message 1 that does not open")
        right = hmac.compare_digest(knock, self.knock())
        require(right and name == self.name and cipher == CIPHERS[len(self.ki)], "a wrong knock")

    def write_2(self):
        self.rand_nw = self.random(32)
        self.trace("RANDnw", self.rand_nw)
        header = b"\0" + self.rand_nw
        self.noise.mix_hash(header)
        self.trace("h after the header", self.noise.h)
        self.set_psk()
        return header + self.noise.write()

    def read_2(self, message):
        reader = Reader(message)
        require(reader.take(1) == b"\0", "ML-KEM unasked, or an unknown flag")
        self.rand_nw = reader.take(32)
        self.noise.mix_hash(message[: reader.at])
        noise = reader.take(48)
        reader.done()
        self.set_psk()
        require(self.noise.read(noise) == b"", "the listener does not know the key")

    @property
    def h(self):
        return self.noise.h

    def proof(self):
        proof = a3(self.ki, b"USI1 sres" + self.noise.h)
        self.trace("proof = SRES", proof)
        return proof

    def keys(self):
        """What this side sends under, and receives under."""
        keys = self.noise.split()
        self.trace("key, connector's", keys[0])
        self.trace("key, listener's", keys[1])
        return keys if self.connector else keys[::-1]


# ---- records ----


class Direction:
    """One direction under one key."""

    def __init__(self, key, key_size):
        self.ocb = OCB(key[:key_size])
        self.counter = self.wire = 0

    def nonce(self):
        self.counter += 1
        return bytes(4) + (self.counter - 1).to_bytes(8, "big")

    def seal(self, kind, content, padding):
        plain = content + bytes([kind]) + bytes(padding)
        header = struct.pack(">I", len(plain) + TAG)
        record = header + self.ocb.seal(self.nonce(), header, plain)
        self.wire += len(record)
        return record

    def open(self, header, sealed):
        plain = self.ocb.open(self.nonce(), header, sealed)
        require(plain is not None, "a record that was tampered with")
        self.wire += len(header) + len(sealed)
        content = plain.rstrip(b"\0")
        require(content, "a record of zeros")
        require(len(plain) - len(content) <= PADDING_MAX, "too much padding")
        require(len(content) - 1 <= DATA_MAX, "too much content")
        return content[-1], content[:-1]


def usual_padding(kind, size):
    """None behind data; all else to a multiple of 256."""
    return 0 if kind == DATA else -(size + 1) % 256


# ---- the channel ----


class Stream:
    def __init__(self):
        self.ended = self.end_received = False  # ours, theirs
        self.bye_sent = self.bye_received = False
        self.sent = self.received = 0


class Channel:
    """One side. Octets come in by receive() and go out by take(); events is what happened, a deque of
    ("knock"), ("authenticated"), ("open"), ("data", octets), ("end"), ("bye"), ("check"), ("abort", reason),
    ("pong", octets), ("rekeyed"). pad(kind, size) chooses the padding of a record."""

    def __init__(self, ki, connector, name=b"", random=os.urandom, trace=no_trace, limit=REKEY_BYTES):
        self.ki, self.connector, self.name = ki, connector, name
        self.random, self.trace, self.limit = random, trace, limit
        self.pad = usual_padding
        self.inbox, self.outbox = bytearray(), []
        self.events = collections.deque()
        self.sender = self.receiver = None
        self.stream, self.streams = None, 0
        self.checking = self.aborted = False
        self.queue = b""  # data that waits for a rekey
        self.previous = None
        self.proof_due = False  # the next record must be `proof`
        self.switched = False  # our direction has its new key, or the peer's has, whichever is first
        self.asked = False
        self.handshake = self.new_handshake()
        if connector:
            self.outbox.append(self.prefixed(self.handshake.write_1()))

    def new_handshake(self):
        return Handshake(self.ki, self.connector, self.name, self.previous, self.random, self.trace)

    @staticmethod
    def prefixed(message):
        return struct.pack(">H", len(message)) + message

    def take(self):
        """All that waits to be sent."""
        octets = b"".join(self.outbox)
        self.outbox.clear()
        return octets

    def seal(self, kind, content=b""):
        self.outbox.append(self.sender.seal(kind, content, self.pad(kind, len(content))))

    def new_sender(self):
        self.sender = Direction(self.handshake.keys()[0], len(self.ki))

    def new_receiver(self):
        self.receiver = Direction(self.handshake.keys()[1], len(self.ki))

    # What the user does.

    def open(self):
        assert self.connector and self.idle
        self.stream = Stream()
        self.streams += 1
        self.seal(OPEN)

    def check(self):
        assert self.connector and self.idle and self.streams == 0
        self.checking = True
        self.seal(BYE)

    def data(self, octets, size=DATA_MAX):
        """In records of at most size octets."""
        assert self.stream and not self.stream.ended
        self.queue += octets
        self.pump(size)

    def pump(self, size=DATA_MAX):
        while self.queue:
            if self.sender.wire >= self.limit:
                self.rekey()
            room = 2 * self.limit - RESERVE - self.sender.wire - (4 + 1 + PADDING_MAX + TAG)
            if room <= 0:
                return
            chunk = self.queue[: min(size, room)]
            self.seal(DATA, chunk)
            self.stream.sent += len(chunk)
            self.queue = self.queue[len(chunk) :]

    def end(self):
        assert self.stream and not self.stream.ended and not self.queue
        self.stream.ended = True
        self.seal(END, struct.pack(">Q", self.stream.sent))

    def bye(self):
        assert self.stream.ended and self.stream.end_received and not self.stream.bye_sent
        self.stream.bye_sent = True
        self.seal(BYE)
        self.over_if_done()

    def abort(self, reason):
        self.aborted = True
        self.seal(ABORT, bytes([reason]))

    def ping(self, octets):
        self.seal(PING, octets)

    def rekey(self):
        """Starts one, or asks for it."""
        if self.handshake or self.stream and self.stream.bye_sent:
            return
        if self.connector:
            self.handshake = self.new_handshake()
            message = self.handshake.write_1()
            self.trace("content", message)
            self.seal(REKEY_1, message)
        elif not self.asked:
            self.asked = True
            self.seal(ASK)

    @property
    def idle(self):
        return not self.stream and not self.checking

    def over_if_done(self):
        if self.stream and self.stream.bye_sent and self.stream.bye_received:
            self.stream = None

    # What the peer sends.

    def receive(self, octets):
        self.inbox += octets
        while not self.aborted and self.receive_one():
            pass

    def receive_one(self):
        first = self.receiver is None
        prefix = 2 if first else 4
        if len(self.inbox) < prefix:
            return False
        length = int.from_bytes(self.inbox[:prefix], "big")
        if first:
            require(length <= (MESSAGE_2_MAX if self.connector else MESSAGE_1_MAX), "too long a message")
        else:
            most = FIRST_LENGTH_MAX if self.proof_due and not self.previous else LENGTH_MAX
            require(LENGTH_MIN <= length <= most, "an impossible length")
        if len(self.inbox) < prefix + length:
            return False
        header, body = bytes(self.inbox[:prefix]), bytes(self.inbox[prefix : prefix + length])
        del self.inbox[: prefix + length]
        if not first:
            self.take_record(*self.receiver.open(header, body))
        elif self.connector:
            self.take_message_2(body)
        else:
            self.take_message_1(body)
        return True

    def take_message_1(self, body):
        self.handshake.read_1(body)
        self.events.append(("knock",))
        self.outbox.append(self.prefixed(self.handshake.write_2()))
        self.new_receiver()
        self.proof_due = True

    def take_message_2(self, body):
        self.handshake.read_2(body)
        self.new_sender()
        self.new_receiver()
        self.seal(PROOF, self.handshake.proof())
        self.handshake_over()
        self.events.append(("authenticated",))

    def handshake_over(self):
        self.previous, self.handshake = self.handshake.h, None
        self.switched = self.asked = False

    def take_record(self, kind, content):
        require(self.receiver.wire <= 2 * REKEY_BYTES, "a key used past its limit")
        require(self.proof_due == (kind == PROOF), "a proof that is due, or is not")
        take = {
            DATA: self.take_data, END: self.take_end, BYE: self.take_bye, OPEN: self.take_open,
            ABORT: self.take_abort, PING: self.take_ping, PONG: self.take_pong, PROOF: self.take_proof,
            ASK: self.take_ask, REKEY_1: self.take_rekey_1, REKEY_2: self.take_rekey_2,
            SWITCH: self.take_switch,
        }.get(kind)
        require(take, f"a record of unknown type {kind}")
        take(content)

    def take_open(self, content):
        require(not self.connector and self.idle and not content, "an open that has no place")
        self.stream = Stream()
        self.streams += 1
        self.asked = False  # what was asked while the last stream closed may have come to nothing
        self.events.append(("open",))

    def take_data(self, content):
        require(self.stream and not self.stream.end_received, "data outside a stream")
        self.stream.received += len(content)
        self.events.append(("data", content))

    def take_end(self, content):
        require(self.stream and not self.stream.end_received, "an end that has no place")
        require(content == struct.pack(">Q", self.stream.received), "a wrong count")
        self.stream.end_received = True
        self.events.append(("end",))

    def take_bye(self, content):
        require(not content, "a bye with content")
        if self.checking:
            self.checking = False
            self.events.append(("bye",))
        elif not self.connector and not self.stream and self.streams == 0:
            self.seal(BYE)
            self.events.append(("check",))
        else:
            s = self.stream
            require(s and s.ended and s.end_received and not s.bye_received, "a bye that has no place")
            s.bye_received = True
            self.events.append(("bye",))
            self.over_if_done()

    def take_abort(self, content):
        require(len(content) == 1, "an abort without its reason")
        self.aborted = True
        self.events.append(("abort", content[0]))

    def take_ping(self, content):
        require(len(content) <= PING_MAX, "a long ping")
        self.seal(PONG, content)

    def take_pong(self, content):
        require(len(content) <= PING_MAX, "a long pong")
        self.events.append(("pong", content))

    # The rekey.

    def take_ask(self, content):
        require(self.connector and not content, "an ask that has no place")
        self.rekey()

    def take_rekey_1(self, content):
        require(not self.connector and not self.handshake, "a rekey 1 that has no place")
        self.handshake = self.new_handshake()
        self.handshake.read_1(content)
        message = self.handshake.write_2()
        self.trace("content", message)
        self.seal(REKEY_2, message)

    def take_rekey_2(self, content):
        require(self.connector and self.handshake and not self.switched, "a rekey 2 that has no place")
        self.handshake.read_2(content)
        self.seal(SWITCH)
        self.new_sender()
        self.seal(PROOF, self.handshake.proof())
        self.switched = True

    def take_switch(self, content):
        # A listener has sent rekey 2 if it has a handshake; a connector has switched itself.
        fits = self.handshake and self.switched == self.connector
        require(fits and not content, "a switch that has no place")
        self.new_receiver()
        if self.connector:
            self.handshake_over()
            self.events.append(("rekeyed",))
            self.pump()
        else:
            self.switched = self.proof_due = True

    def take_proof(self, content):
        right = hmac.compare_digest(content, self.handshake.proof())
        require(right, "a wrong proof")
        self.proof_due = False
        if self.previous:
            self.seal(SWITCH)
        self.new_sender()
        self.events.append(("rekeyed",) if self.previous else ("authenticated",))
        self.handshake_over()
        self.pump()
