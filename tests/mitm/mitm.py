#!/usr/bin/env python3
"""mitm.py key|identity|password [--kept] [--guess TEXT] TARGET

A man in the middle: listens on loopback, and joins each connector that comes to the listener at TARGET
(HOST:PORT). It speaks the protocol to both (tests/interop), reads what they send each other, and passes it
on. In key mode it has a key of its own, in password mode a guess; in identity mode it shows each side an
identity of its own (--kept: as a kept key), and carries the records of a password question from one side to
the other.
"""

import argparse
import contextlib
import os
import select
import socket
import sys
import threading

FOLDER = os.path.dirname(os.path.abspath(__file__))
for folder in ("cli", "interop"):
    sys.path.insert(0, os.path.join(FOLDER, "..", folder))

import usi1  # noqa: E402
from handshake import KeyHandshake, PasswordHandshake  # noqa: E402
from harness import LIMIT, dial  # noqa: E402
from identity import Identity  # noqa: E402
from password import Password, WrongPassword  # noqa: E402

UP, DOWN = "up", "down"  # from the connector to the listener, and back
QUESTION = (usi1.QUESTION, usi1.CHALLENGE, usi1.ATTEMPT, usi1.VERDICT)


class DeafKey(KeyHandshake):
    """As a listener answers every connector, whatever key it knocks with."""

    def right_knock(self, knock):
        return True


class DeafPassword(PasswordHandshake):
    """As a listener answers a connector whose password is not the guess."""

    def read_3(self, body):
        try:
            return super().read_3(body)
        except WrongPassword:
            self.over = True
            self.noise.mix_hash(b"\0")
            return b"\0" + self.noise.write()


class Middle(usi1.Channel):
    """One of the two channels of somebody in the middle."""

    def take_record(self, kind, content):
        if kind in QUESTION:
            self.events.append(("carry", kind, content))
        else:
            super().take_record(kind, content)


def listening(credential):
    """The channel to the connector."""
    channel = Middle(credential, False)
    deaf = {KeyHandshake: DeafKey, PasswordHandshake: DeafPassword}.get(type(channel.handshake))
    if deaf:
        channel.handshake = deaf(channel.side)
    return channel


class Join:
    """One connector, joined to the listener."""

    def __init__(self, near, far, to_connector, to_listener):
        self.sockets = {UP: near, DOWN: far}  # who sends in that direction
        self.channels = {UP: listening(to_connector), DOWN: Middle(to_listener, True)}
        self.seen = {UP: bytearray(), DOWN: bytearray()}
        self.carried = []  # the records of a password question
        self.failed = {UP: None, DOWN: None}  # why that side's channel came to nothing
        self.peers = {UP: None, DOWN: None}
        self.reading = {UP, DOWN}  # who has not ended yet
        self.over = threading.Event()

    def run(self):
        try:
            with self.sockets[UP], self.sockets[DOWN]:
                while self.reading and not any(self.failed.values()):
                    self.step()
        finally:
            self.over.set()

    def step(self):
        for way in (UP, DOWN):
            self.flush(way)
        ready, _, _ = select.select([self.sockets[way] for way in self.reading], [], [], LIMIT)
        if not ready:
            self.reading.clear()
        for way, back in ((UP, DOWN), (DOWN, UP)):
            if self.sockets[way] in ready and not self.read(way):
                self.reading.discard(way)
            if way not in self.reading and not self.channels[way].events:
                self.end(back)

    def end(self, way):
        with contextlib.suppress(OSError):
            self.sockets[way].shutdown(socket.SHUT_WR)

    def flush(self, way):
        with contextlib.suppress(OSError):
            self.sockets[way].sendall(self.channels[way].take())

    def read(self, way):
        """What a side has sent. False: it has ended, or what it sent ends it."""
        channel = self.channels[way]
        try:
            octets = self.sockets[way].recv(65536)
            if octets:
                channel.receive(octets)
                self.greet(way)
        except (OSError, usi1.Refused) as error:
            octets, self.failed[way] = b"", str(error)
        if not octets and not channel.last:
            self.failed[way] = self.failed[way] or "closed before the end of the handshake"
        self.forward(UP, DOWN)
        self.forward(DOWN, UP)
        for each in (UP, DOWN):
            self.flush(each)
        return octets != b""

    def greet(self, way):
        """Takes anybody."""
        channel = self.channels[way]
        if channel.last and not channel.approved:
            self.peers[way] = channel.peer
            channel.approve()

    def forward(self, way, back):
        """What has happened on one channel goes to the other, as soon as that is there."""
        here, there = self.channels[way], self.channels[back]
        while here.events and there.last and there.approved and not there.aborted:
            kind, *what = here.events.popleft()
            if kind == "data":
                self.seen[way] += what[0]
                there.data(what[0])
            elif kind == "carry":
                self.carried.append((way, what[0]))
                there.seal(*what)
            elif kind in ("open", "end", "abort", "bye") and (there.stream or kind in ("open", "abort")):
                getattr(there, kind)(*what)


class Mitm:
    """The listening socket. to_connector and to_listener make the credential that each side is shown."""

    def __init__(self, target, to_connector, to_listener):
        self.target, self.to_connector, self.to_listener = target, to_connector, to_listener
        self.joins = []
        self.changed = threading.Condition()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near = self.socket.accept()[0]
            except OSError:
                return
            try:
                far = dial(self.target)
            except OSError:
                near.close()
                continue
            near.settimeout(LIMIT)
            join = Join(near, far, self.to_connector(), self.to_listener())
            threading.Thread(target=join.run, daemon=True).start()
            with self.changed:
                self.joins.append(join)
                self.changed.notify_all()

    def join(self, number=0):
        """The number-th connection, as soon as it is over."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.joins) > number, LIMIT):
                raise AssertionError("no connection came to the man in the middle")
        if not self.joins[number].over.wait(LIMIT):
            raise AssertionError("a connection through the man in the middle does not end")
        return self.joins[number]

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Wire:
    """One that knows no secret: passes one connection on, and may change the messages of its handshake, two
    each way as in password mode. change(way, number, body) gives what is sent in place of a body."""

    def __init__(self, target, change):
        self.target, self.change = target, change
        self.passed = {UP: bytearray(), DOWN: bytearray()}
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError), self.socket, self.socket.accept()[0] as near:
            with dial(self.target) as far:
                back = threading.Thread(target=self.pump, args=(DOWN, far, near), daemon=True)
                back.start()
                self.pump(UP, near, far)
                back.join()

    def pump(self, way, source, sink):
        with contextlib.suppress(OSError), source.makefile("rb") as stream:
            for number in range(2):
                size = int.from_bytes(stream.read(2), "big")
                body = stream.read(size)
                if body:
                    body = self.change(way, number, body)
                    sink.sendall(len(body).to_bytes(2, "big") + body)
            while octets := stream.read1(65536):
                self.passed[way] += octets
                sink.sendall(octets)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def credentials(mode, kept=False, guess="", key=None):
    """A function that makes what is shown to a side, the same each time."""
    if mode == "key":
        made = key or os.urandom(32)
    elif mode == "identity":
        made = Identity(key, kept)
    else:
        made = Password(guess)
    return lambda: made


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("mode", choices=("key", "identity", "password"))
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--guess", default="")
    parser.add_argument("target")
    options = parser.parse_args()
    sides = [credentials(options.mode, options.kept, options.guess) for _ in range(2)]
    mitm = Mitm(options.target, *sides)
    print(f"{mitm.address} -> {options.target}", flush=True)
    number = 0
    while True:
        try:
            join = mitm.join(number)
        except AssertionError:
            continue  # nobody has come yet
        number += 1
        for way in (UP, DOWN):
            print(way, bytes(join.seen[way]), join.failed[way] or "", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
