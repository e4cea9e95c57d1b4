"""A byte stream between a connector and a listener that knows the framing and can spoil it.

Frames are numbered for each direction from 0. Frame 0 is the handshake message (u16 length, body),
in password mode frame 1 too; those after it are records (u32 length, ciphertext and tag). `up` is
from the connector to the listener.
"""

import contextlib
import socket
import threading

from harness import LIMIT, dial, reset_on_close

UP, DOWN = "up", "down"
CUT = object()  # instead of bytes: closes both connections
RESET = object()  # the same, with a reset


class Fault:
    """What happens to frames. The plain one happens to none."""

    def __init__(self):
        self.applied = threading.Event()

    def frame(self, direction, number, data):
        """Returns what is sent for a frame: a list of bytes, of which the last may be CUT or
        RESET."""
        return [data]


class Stall(Fault):
    """Lets some octets through, and the rest when it is told to."""

    def __init__(self, direction, octets):
        super().__init__()
        self.direction, self.left = direction, octets
        self.release = threading.Event()

    def frame(self, direction, number, data):
        if direction == self.direction:
            self.left -= len(data)
            if self.left < 0:
                self.applied.set()
                self.release.wait(900)
        return [data]


class Relay:
    """One connection through the proxy."""

    def __init__(self, near, far, fault, messages):
        self.near, self.far, self.fault, self.messages = near, far, fault, messages
        self.frames = {UP: [], DOWN: []}  # sizes on the wire
        self.first = {UP: b"", DOWN: b""}  # the handshake messages
        self.octets = {UP: 0, DOWN: 0}
        self.changed = threading.Condition()
        self.open_directions = 2
        self.severed = None
        for direction, source, target in ((UP, near, far), (DOWN, far, near)):
            threading.Thread(
                target=self.pump, args=(direction, source, target), daemon=True
            ).start()

    def pump(self, direction, source, target):
        alive = True
        with contextlib.suppress(OSError), source.makefile("rb", 128 * 1024) as stream:
            for data in read_frames(stream, self.messages):
                with self.changed:
                    number = len(self.frames[direction])
                    self.frames[direction].append(len(data))
                    self.octets[direction] += len(data)
                    if number == 0:
                        self.first[direction] = data
                    self.changed.notify_all()
                for part in self.fault.frame(direction, number, data):
                    alive = alive and self.send(target, part)
        if self.severed is not RESET:
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)
        with self.changed:
            self.open_directions -= 1
            if self.open_directions == 0:
                self.near.close()
                self.far.close()
            self.changed.notify_all()

    def send(self, target, part):
        """Sends bytes, or ends both connections; False if nothing more can be sent this way."""
        if part is CUT or part is RESET:
            self.severed = part
            for peer in (self.near, self.far):
                with contextlib.suppress(OSError):
                    if part is RESET:
                        reset_on_close(peer)
                    # After a CUT each side sees a clean end; what it still sends is read and
                    # dropped.
                    peer.shutdown(socket.SHUT_RD if part is RESET else socket.SHUT_WR)
        if self.severed:
            return False
        try:
            target.sendall(part)
        except OSError:
            return False
        return True

    def wait_frames(self, direction, count):
        with self.changed:
            return self.changed.wait_for(lambda: len(self.frames[direction]) >= count, LIMIT)

    def wait_over(self):
        with self.changed:
            return self.changed.wait_for(lambda: self.open_directions == 0, LIMIT)


def read_frames(stream, messages):
    """The frames of one direction; what follows the last whole one comes as it is."""
    number = 0
    while head := stream.read(size := 2 if number < messages else 4):
        body = b""
        if len(head) == size:
            body = stream.read(int.from_bytes(head, "big"))
        yield head + body
        number += 1


class Proxy:
    """Listens on loopback and joins each connection to the listener under test; each direction
    begins with so many messages of a handshake."""

    def __init__(self, target, make_fault=Fault, messages=1):
        self.target, self.make_fault, self.messages = target, make_fault, messages
        self.relays = []
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
            far.settimeout(None)
            with self.changed:
                self.relays.append(Relay(near, far, self.make_fault(), self.messages))
                self.changed.notify_all()

    def relay(self, number=0):
        """The number-th connection, as soon as it is there."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.relays) > number, LIMIT):
                raise AssertionError("no connection came to the proxy")
            return self.relays[number]

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
