#!/usr/bin/env python3
"""Streams whose every octet is known, and the two programs around them that can be killed.

`load.py target HOST:PORT` serves the streams and says on stdout, in a line of JSON for each, how it
ended; `load.py wire HOST:PORT TO:PORT` passes connections on, octet by octet; `load.py echo PATH`
sends back what comes on a Unix socket.
"""

import contextlib
import json
import os
import random
import resource
import select
import selectors
import socket
import struct
import sys
import threading
import time

LENGTH = 1_000_003  # no multiple of anything: what is left out or repeated shows
BLOCK = random.Random(7).randbytes(LENGTH)
TWICE = memoryview(BLOCK + BLOCK)
HEAD = struct.Struct(">QQQ")  # number, octets up, octets down
CHUNK = 64 << 10
UP, DOWN = 0, 1


def octets(number, way, offset, size):
    """What a stream carries one way, from an offset on."""
    start = (number * 7919 + way * 104729 + offset) % LENGTH
    return TWICE[start : start + size]


def both_ways(peer, number, ours, size, limit=None):
    """Sends `size` octets our way and its end, and reads the other way to its end: how much came,
    and `eof`, `reset`, or what is wrong. In one thread: a socket tells a reset once, to whoever asks
    first, and what is asked next looks like an end."""
    theirs = DOWN if ours == UP else UP
    sent = got = 0
    ended = shut = False
    peer.setblocking(False)
    wait = select.poll()
    while not (ended and shut):
        wait.register(peer, (0 if ended else select.POLLIN) | (0 if shut else select.POLLOUT))
        if not wait.poll(None if limit is None else 1000 * limit):
            return got, "nothing moves"
        try:
            with contextlib.suppress(BlockingIOError):
                while not ended:
                    chunk = peer.recv(CHUNK)
                    if chunk != octets(number, theirs, got, len(chunk)):
                        return got, "other octets"
                    got += len(chunk)
                    ended = not chunk
            with contextlib.suppress(BlockingIOError):
                if sent < size:
                    sent += peer.send(octets(number, ours, sent, min(CHUNK, size - sent)))
                elif not shut:
                    peer.shutdown(socket.SHUT_WR)
                    shut = True
        except OSError:
            return got, "eof" if ended else "reset"
    return got, "eof"


def run_stream(address, number, up, down, limit):
    """A client: connects, sends and receives; what receive() gives, or (0, "refused")."""
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), limit) as peer:
            peer.sendall(HEAD.pack(number, up, down))
            return both_ways(peer, number, UP, up, limit)
    except OSError:
        return 0, "refused"


# ---- the target ----


def serve(peer):
    begun = time.monotonic()
    head = b""
    number, up, down = None, 0, 0
    with peer:
        try:
            while len(head) < HEAD.size and (chunk := peer.recv(HEAD.size - len(head))):
                head += chunk
            end = "eof"
        except OSError:
            end = "reset"
        got = 0
        if len(head) == HEAD.size:
            number, up, down = HEAD.unpack(head)
            got, end = both_ways(peer, number, DOWN, down)
    line = {"number": number, "up": up, "got": got, "end": end, "begun": begun,
            "ended": time.monotonic()}  # fmt: skip
    os.write(1, json.dumps(line).encode() + b"\n")


def listen(address):
    host, port = address.rsplit(":", 1)
    return socket.create_server((host, int(port)), backlog=1024)


def target(address):
    with listen(address) as server:
        os.write(1, b"{}\n")
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


def echo(path):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
    from clients import echo_loop

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(4096)
        os.write(1, b"{}\n")
        echo_loop(server)


# ---- the wire ----


class Half:
    """One direction of a connection: reads here, writes to the other half's socket."""

    def __init__(self, peer):
        self.peer, self.other = peer, None
        self.waiting = b""  # read here, not yet written there
        self.ended = self.shut = False

    def mask(self):
        mask = 0 if self.ended or self.waiting else selectors.EVENT_READ
        return mask | (selectors.EVENT_WRITE if self.other.waiting else 0)


class Wire:
    def __init__(self, address, to):
        host, port = to.rsplit(":", 1)
        self.to = (host, int(port))
        self.server = listen(address)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.server, selectors.EVENT_READ, None)
        os.write(1, b"{}\n")

    def accept(self):
        near = self.server.accept()[0]
        try:
            far = socket.create_connection(self.to)
        except OSError:
            near.close()
            return
        halves = Half(near), Half(far)
        for half, other in (halves, halves[::-1]):
            half.other = other
            half.peer.setblocking(False)
            half.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for half in halves:
            self.watch(half)

    def watch(self, half):
        mask = half.mask()
        known = half.peer in self.selector.get_map()
        if mask and known:
            self.selector.modify(half.peer, mask, half)
        elif mask:
            self.selector.register(half.peer, mask, half)
        elif known:
            self.selector.unregister(half.peer)

    def close(self, half):
        """A reset is passed on as one."""
        for each in (half, half.other):
            if each.peer in self.selector.get_map():
                self.selector.unregister(each.peer)
            each.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.peer.close()

    def move(self, half):
        """From this half to the other, as far as it goes."""
        try:
            if not half.waiting and not half.ended:
                half.waiting = half.peer.recv(CHUNK)
                half.ended = not half.waiting
            if half.waiting:
                half.waiting = half.waiting[half.other.peer.send(half.waiting) :]
        except BlockingIOError:
            pass
        if half.ended and not half.waiting and not half.shut:
            half.shut = True
            half.other.peer.shutdown(socket.SHUT_WR)

    def step(self, half, events):
        try:
            if events & selectors.EVENT_READ:
                self.move(half)
            if events & selectors.EVENT_WRITE:
                self.move(half.other)
        except OSError:
            self.close(half)
            return
        if half.shut and half.other.shut:
            for each in (half, half.other):
                if each.peer in self.selector.get_map():
                    self.selector.unregister(each.peer)
                each.peer.close()
            return
        self.watch(half)
        self.watch(half.other)

    def run(self):
        while True:
            for key, events in self.selector.select():
                if key.data is None:
                    self.accept()
                elif key.fileobj.fileno() >= 0:  # not closed by its other half just now
                    self.step(key.data, events)


if __name__ == "__main__":
    if sys.argv[1] == "target":
        target(sys.argv[2])
    elif sys.argv[1] == "echo":
        echo(sys.argv[2])
    else:
        Wire(sys.argv[2], sys.argv[3]).run()
