"""Strangers by the thousand, in one thread a kind: each keeps its connections to a listener, from many addresses of
127/8, and opens another as soon as one is closed."""

import contextlib
import errno
import itertools
import os
import resource
import selectors
import socket
import sys
import threading
import time

from harness import reset_on_close

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
sys.dont_write_bytecode = True

import usi1  # noqa: E402
from identity import Identity  # noqa: E402
from password import Password  # noqa: E402

SOURCES = [f"127.{1 + i // 250}.1.{1 + i % 250}" for i in range(250)]
DRIP_SECONDS = 2
NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT


def messages(credential, count):
    """So many first messages of somebody who has, or makes up, a credential."""
    return [usi1.Channel(credential() if callable(credential) else credential, True).take() for _ in range(count)]


def strange_keys(count):
    """Message 1s in key mode, right in form: half with a wrong knock, half of random octets."""
    whole = messages(lambda: os.urandom(32), (count + 1) // 2)
    return whole + [m[: 2 + 8] + os.urandom(len(m) - 2 - 8) for m in whole[: count // 2]]


def strange_identities(count):
    return messages(Identity(), count)


def strange_passwords(count):
    return messages(Password(""), count)


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Flood:
    """at_once connections to address. What each sends first goes round `says` (none: nothing); slowly: an octet each
    few seconds; again: one that was answered is closed, and another opened, at full speed."""

    def __init__(self, address, at_once, says=(), slowly=False, again=False, sources=tuple(SOURCES)):
        host, port = address.rsplit(":", 1)
        self.address = host, int(port)
        self.at_once, self.slowly, self.again = at_once, slowly, again
        self.says = itertools.cycle(says or [b""])
        self.sources = itertools.cycle(sources)
        self.opened = self.answered = self.turned_out = 0
        self.most = self.now = 0
        self.over = False
        self.selector = selectors.DefaultSelector()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def open(self):
        peer = socket.socket()
        peer.setblocking(False)
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.IPPROTO_IP, NO_PORT, 1)
        peer.bind((next(self.sources), 0))
        error = peer.connect_ex(self.address)
        if error not in (0, errno.EINPROGRESS):
            peer.close()
            return False
        reset_on_close(peer)
        self.selector.register(peer, selectors.EVENT_WRITE, bytearray(next(self.says)))
        self.now += 1
        return True

    def close(self, peer):
        self.selector.unregister(peer)
        peer.close()
        self.now -= 1

    def connected(self, peer, waiting):
        self.opened += 1
        self.most = max(self.most, self.now)
        if waiting and not self.slowly:
            peer.send(waiting)
        self.selector.modify(peer, selectors.EVENT_READ, waiting)

    def read(self, peer):
        if not peer.recv(4096):
            self.turned_out += 1
            self.close(peer)
            return
        self.answered += 1
        if self.again:
            self.close(peer)

    def serve(self, key, mask):
        try:
            if mask & selectors.EVENT_WRITE:
                self.connected(key.fileobj, key.data)
            else:
                self.read(key.fileobj)
        except BlockingIOError:
            pass
        except OSError:
            self.turned_out += 1
            self.close(key.fileobj)

    def drip(self):
        """The next octet of all that have one."""
        for key in list(self.selector.get_map().values()):
            if key.events == selectors.EVENT_READ and key.data:
                with contextlib.suppress(OSError):
                    key.fileobj.send(key.data[:1])
                del key.data[:1]

    def run(self):
        next_drip = 0
        while not self.over:
            burst = 0
            while self.now < self.at_once and burst < 64 and self.open():
                burst += 1
            for key, mask in self.selector.select(0.05):
                self.serve(key, mask)
            if self.slowly and time.monotonic() >= next_drip:
                self.drip()
                next_drip = time.monotonic() + DRIP_SECONDS
        for key in list(self.selector.get_map().values()):
            self.close(key.fileobj)
        self.selector.close()

    def stop(self):
        self.over = True
        self.thread.join()


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))
