#!/usr/bin/env python3
"""The default port, in a network namespace of the test's own where nothing else can have it."""

import ctypes
import fcntl
import os
import socket
import struct
import sys

from harness import LISTENING, OK, Scenario, Server, dial, echo, main

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def enter_namespace():
    """A namespace with only loopback; as root, or else as root of a new user namespace. None or
    why not."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if libc.unshare(flags) != 0:
        return os.strerror(ctypes.get_errno())
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    except OSError as error:
        return error.strerror
    return None


class DefaultPort(Scenario):
    def test_every_short_form(self):
        listener = self.start("listen", "-k", "--key-file", self.key).ready()
        self.assertEqual(listener.address, "[::]:12800")
        for words in (
            [],
            ["localhost"],
            ["127.0.0.1"],
            ["::1"],
            ["[::1]:12800"],
            ["12800"],
            ["localhost", "12800"],
        ):
            with self.round(words=words):
                self.run_program("connect", *words, "--check", "--key-file", self.key)

    def test_pipe(self):
        listener = self.start("listen", "--key-file", self.key, stdin=b"down").ready()
        connector = self.run_program("connect", "--key-file", self.key, stdin=b"up")
        listener.wait(OK)
        self.assertEqual((listener.out.finish(), connector.out.finish()), (b"up", b"down"))

    def test_port_alone(self):
        listener = self.start("listen", "2000", "-k", "--key-file", self.key).ready()
        self.assertEqual(listener.address, "[::]:2000")
        self.run_program("connect", "2000", "--check", "--key-file", self.key)

    def test_local_port_alone(self):
        """-L PORT is on localhost only."""
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen("--forward", server.address)
        connector = self.connect(listener, "-L", "2001").ready()
        self.assertRegex(
            connector.says(LISTENING).group(1), r"^(127\.0\.0\.1|\[::1\]|localhost):2001$"
        )
        with dial("localhost:2001") as peer:
            peer.sendall(b"across")
            self.assertEqual(peer.recv(6, socket.MSG_WAITALL), b"across")


if __name__ == "__main__":
    problem = enter_namespace()
    if problem:
        print(f"skipped: no network namespace here ({problem})")
        sys.exit(77)
    main()
