"""The USI channel, version 1: both sides, without any input or output.

An implementation of its own, written from tunnel/PROTOCOL.md and the documents it names, so that the
document and libusi check each other. It has no ML-KEM and no clock: it never offers the first, and leaves
limits in time to its caller.

    channel = Channel(credential, connector=True)
    send(channel.take()); channel.receive(octets); channel.events

The credential says the mode: octets are Ki, an identity.Identity or password.Password the other two.
"""

import collections
import os
import struct

from handshake import IdentityHandshake, PasswordHandshake, Side, new_handshake
from identity import fingerprint
from noise import Refused, no_trace, require
from password import WrongPassword
from primitives import OCB

__all__ = ["Channel", "Refused"]

MESSAGE_1_MAX, MESSAGE_2_MAX = 2048, 2304
DATA_MAX, PADDING_MAX, TAG = 65536, 255, 16
LENGTH_MIN, LENGTH_MAX = 1 + TAG, DATA_MAX + 1 + PADDING_MAX + TAG
FIRST_LENGTH_MAX, FIRST_IDENTITY_MAX = 512, 2048
PING_MAX = 32
REKEY_BYTES, RESERVE = 2**36, 8192
QUESTIONS_MAX = 8

DATA, END, BYE, OPEN, ABORT, PING, PONG = 1, 2, 3, 4, 7, 9, 10
PROOF, ASK, REKEY_1, REKEY_2, SWITCH = 11, 13, 14, 15, 16
QUESTION, CHALLENGE, ATTEMPT, VERDICT = 17, 18, 19, 20
BEFORE_APPROVAL = {PING, PONG, ABORT, PROOF, QUESTION, CHALLENGE, ATTEMPT, VERDICT}


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
    ("pong", octets), ("rekeyed"), ("asked", right), ("answer", right). pad(kind, size) chooses the padding
    of a record. cipher: what a connector says in the modes that leave it free.

    In identity mode `peer` and `fingerprint` say who the other side is, from "authenticated" on, and nothing
    goes on until approve(). password: what a listener answers the password question with."""

    def __init__(self, credential, connector, name=b"", random=os.urandom, trace=no_trace,
                 limit=REKEY_BYTES, cipher=3, accept_rsa=True, password=None):
        self.side = Side(credential, connector, name, random, trace, cipher, accept_rsa)
        self.connector, self.trace, self.limit, self.password = connector, trace, limit, password
        self.pad = usual_padding
        self.inbox, self.outbox = bytearray(), []
        self.events = collections.deque()
        self.sender = self.receiver = None
        self.stream, self.streams = None, 0
        self.checking = self.aborted = False
        self.queue = b""  # data that waits for a rekey
        self.last = self.first_h = None  # the last handshake that is over, and the h of the first
        self.proof_due = False  # the next record must be `proof`
        self.switched = False  # our direction has its new key, or the peer's has, whichever is first
        self.asked = False
        self.question, self.questions = None, 0  # the password question that is open; how many there were
        self.handshake = new_handshake(self.side)
        self.approved = not isinstance(self.handshake, IdentityHandshake)
        self.held = None  # a record that came before approve()
        if connector:
            self.outbox.append(self.prefixed(self.handshake.first()))

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
        self.sender = Direction(self.handshake.keys()[0], self.handshake.key_size)

    def new_receiver(self):
        self.receiver = Direction(self.handshake.keys()[1], self.handshake.key_size)

    @property
    def previous(self):
        """h of the handshake before."""
        return self.last and self.last.h

    @property
    def peer(self):
        return self.last.peer

    @property
    def fingerprint(self):
        spkis = [self.last.own.spki, self.last.peer.spki]
        return fingerprint(*spkis if self.connector else spkis[::-1])

    # What the user does.

    def approve(self):
        """The peer is the one that is wanted. What came before goes on."""
        self.approved = True
        held, self.held = self.held, None
        if held:
            self.take_record(*held)
        self.receive(b"")

    def open(self):
        assert self.connector and self.idle and self.approved
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
        if self.handshake or not self.approved or self.stream and self.stream.bye_sent:
            return
        if self.connector:
            self.handshake = new_handshake(self.side, self.last)
            message = self.handshake.first()
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
        while not self.aborted and not self.held and self.receive_one():
            pass

    def receive_one(self):
        first = self.receiver is None
        prefix = 2 if first else 4
        if len(self.inbox) < prefix:
            return False
        length = int.from_bytes(self.inbox[:prefix], "big")
        least, most = self.bounds(first)
        require(least <= length <= most, "an impossible length")
        if len(self.inbox) < prefix + length:
            return False
        header, body = bytes(self.inbox[:prefix]), bytes(self.inbox[prefix : prefix + length])
        del self.inbox[: prefix + length]
        if first:
            self.take_message(body)
        else:
            self.take_record(*self.receiver.open(header, body))
        return True

    def bounds(self, first):
        if first:
            return self.handshake.least, MESSAGE_2_MAX if self.connector else MESSAGE_1_MAX
        if not self.proof_due or self.last:
            return LENGTH_MIN, LENGTH_MAX
        identity = isinstance(self.handshake, IdentityHandshake)
        return LENGTH_MIN, FIRST_IDENTITY_MAX if identity else FIRST_LENGTH_MAX

    def take_message(self, body):
        answer = self.handshake.receive(body)
        if self.handshake.over and not self.connector:
            self.events.append(("knock",))
            self.new_receiver()
            self.proof_due = True
        if answer is not None:
            self.outbox.append(self.prefixed(answer))
        if self.handshake.over and self.connector:
            self.new_sender()
            self.new_receiver()
            self.seal(PROOF, self.handshake.proof())
            self.handshake_over()
            self.events.append(("authenticated",))

    def handshake_over(self):
        self.last, self.handshake = self.handshake, None
        self.last.before = None
        self.first_h = self.first_h or self.last.h
        self.switched = self.asked = False

    def take_record(self, kind, content):
        require(self.receiver.wire <= 2 * REKEY_BYTES, "a key used past its limit")
        require(self.proof_due == (kind == PROOF), "a proof that is due, or is not")
        if not self.approved and kind not in BEFORE_APPROVAL:
            self.held = kind, content
            return
        take = {
            DATA: self.take_data, END: self.take_end, BYE: self.take_bye, OPEN: self.take_open,
            ABORT: self.take_abort, PING: self.take_ping, PONG: self.take_pong, PROOF: self.take_proof,
            ASK: self.take_ask, REKEY_1: self.take_rekey_1, REKEY_2: self.take_rekey_2,
            SWITCH: self.take_switch, QUESTION: self.take_question, CHALLENGE: self.take_challenge,
            ATTEMPT: self.take_attempt, VERDICT: self.take_verdict,
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
        self.handshake = new_handshake(self.side, self.last)
        message = self.handshake.receive(content)
        self.trace("content", message)
        self.seal(REKEY_2, message)

    def take_rekey_2(self, content):
        require(self.connector and self.handshake and not self.switched, "a rekey 2 that has no place")
        self.handshake.receive(content)
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
        self.handshake.check_proof(content)
        self.proof_due = False
        if self.last:
            self.seal(SWITCH)
        self.new_sender()
        self.events.append(("rekeyed",) if self.last else ("authenticated",))
        self.handshake_over()
        self.pump()

    # The password question.

    def ask_password(self, password):
        """Connector: does the listener know it? The event "answer" says so, None: it cannot be asked."""
        assert self.connector and not self.question
        self.begin_question(password)
        self.seal(QUESTION, self.question.first())

    def begin_question(self, password):
        context = b"USI1 question" + self.first_h
        self.question = PasswordHandshake(self.side._replace(credential=password), context)
        self.questions += 1

    def end_question(self, event, right):
        self.question = None
        self.events.append((event, right))

    def take_question(self, content):
        identity = self.last and isinstance(self.last, IdentityHandshake)
        require(identity and not self.connector and not self.question, "a question that has no place")
        require(self.questions < QUESTIONS_MAX, "a ninth question")
        self.begin_question(self.password)
        if self.password and self.password.allowed:
            self.seal(CHALLENGE, self.question.receive(content))
        else:
            self.seal(CHALLENGE)
            self.end_question("asked", None)

    def take_challenge(self, content):
        require(self.connector and self.question, "a challenge that has no place")
        require(not self.question.shown, "a challenge again")
        if content:
            self.seal(ATTEMPT, self.question.receive(content))
        else:
            self.end_question("answer", None)

    def take_attempt(self, content):
        require(not self.connector and self.question, "an attempt that has no place")
        try:
            self.seal(VERDICT, self.question.receive(content))
            self.end_question("asked", True)
        except WrongPassword:
            self.seal(VERDICT)
            self.end_question("asked", False)

    def take_verdict(self, content):
        require(self.connector and self.question and self.question.shown, "a verdict that has no place")
        try:
            if content:
                self.question.receive(content)
            self.end_question("answer", content != b"")
        except WrongPassword:
            self.end_question("answer", False)
