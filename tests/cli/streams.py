"""What goes in and comes out: readers and writers of descriptors, and data to compare."""

import contextlib
import os
import shlex
import struct
import threading

WRAP = shlex.split(os.environ.get("USI_WRAP", ""))
SANITIZED = bool(os.environ.get("USI_SANITIZE"))
LIMIT = 300 if WRAP else 120 if SANITIZED else 60
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


class Sink(threading.Thread):
    """Reads a descriptor to its end and keeps what came; others wait for it."""

    def __init__(self, fd):
        super().__init__(daemon=True)
        self.fd = fd
        self.data = bytearray()
        self.count = 0
        self.ended = False
        self.changed = threading.Condition()
        self.start()

    def take(self, chunk):
        self.data += chunk

    def run(self):
        while True:
            try:
                chunk = os.read(self.fd, 256 * KIB)
            except OSError:  # a terminal whose other side is gone says EIO
                chunk = b""
            with self.changed:
                if chunk:
                    self.take(chunk)
                    self.count += len(chunk)
                else:
                    self.ended = True
                self.changed.notify_all()
                if self.ended:
                    break
        os.close(self.fd)

    def until(self, ready, limit=None):
        """True as soon as ready() is; False if the stream ended, or LIMIT passed, without it."""
        with self.changed:
            self.changed.wait_for(lambda: ready() or self.ended, limit or LIMIT)
            return bool(ready())

    def has(self, wanted):
        return self.until(lambda: wanted in self.data)

    def reach(self, count):
        return self.until(lambda: self.count >= count)

    def finish(self):
        """Waits for the end and returns everything."""
        self.until(lambda: False)
        return bytes(self.data)


class Pattern:
    """Random data of any length that both ends can make: a random block, each time under its
    number."""

    def __init__(self, size, block=MIB):
        self.size = size
        self.block = os.urandom(min(block, max(size, 16)))

    def chunk(self, number):
        start = number * len(self.block)
        head = struct.pack(">Q", number)
        return (head + self.block[8:])[: max(0, self.size - start)]

    def __iter__(self):
        for number in range((self.size + len(self.block) - 1) // len(self.block)):
            yield self.chunk(number)

    def __bytes__(self):
        return b"".join(self)


class PatternSink(Sink):
    """Compares what comes with a pattern and keeps nothing."""

    def __init__(self, fd, pattern):
        self.pattern = pattern
        self.number = 0
        self.rest = memoryview(b"")
        self.wrong_at = None
        super().__init__(fd)

    def take(self, chunk):
        done = 0
        while done < len(chunk) and self.wrong_at is None:
            if not self.rest:
                self.rest = memoryview(self.pattern.chunk(self.number))
                self.number += 1
            step = min(len(self.rest), len(chunk) - done)
            if step == 0 or self.rest[:step] != memoryview(chunk)[done : done + step]:
                self.wrong_at = self.count + done
            self.rest = self.rest[step:]
            done += step

    def problem(self):
        self.until(lambda: False)
        if self.wrong_at is not None:
            return f"differs after octet {self.wrong_at}"
        if self.count != self.pattern.size:
            return f"{self.count} octets instead of {self.pattern.size}"
        return None


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class Feeder(threading.Thread):
    """Writes chunks to a descriptor and closes it; a reader that goes away is no error here."""

    def __init__(self, fd, chunks):
        super().__init__(daemon=True)
        self.fd, self.chunks = fd, chunks
        self.start()

    def run(self):
        try:
            for chunk in self.chunks:
                write_all(self.fd, chunk)
        except OSError:
            pass
        with contextlib.suppress(OSError):
            os.close(self.fd)
