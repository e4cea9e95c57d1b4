#!/usr/bin/env python3
"""ML-KEM: offered by a connector whose libcrypto has it, taken by a listener whose libcrypto has it, skipped by one
without, never answered unasked; in every mode, and again when keys are renewed.

The two sides may be builds of their own (USI_TUNNEL_CONNECT): tests/house/release runs this with a libcrypto
that has ML-KEM (3.5 and later) on one side alone.
"""

import os
import re
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
sys.dont_write_bytecode = True

import harness  # noqa: E402
import terminal  # noqa: E402

QUESTION = "Is this the fingerprint that the other side shows? (yes/no)"

UP, DOWN = b"up" * 1000, b"down" * 1000
MUCH, LITTLE = bytes(4 * harness.MIB), ("--rekey-bytes", "64K")
KEY, CIPHERTEXT = 1184, 1088
FLAGS_AT = 6  # magic, mode, cipher


def has_ml_kem(program):
    said = subprocess.run([program, "--version"], stdout=harness.PIPE, check=True).stdout.decode()
    return tuple(map(int, re.search(r"^libcrypto (\d+)\.(\d+)", said, re.MULTILINE).groups())) >= (3, 5)


class Wire:
    """Joins a connection to the listener, and keeps what crosses."""

    def __init__(self, target):
        self.up, self.down = bytearray(), bytearray()
        self.target = target
        self.server = harness.Server(self.join)
        self.address = self.server.address

    def join(self, near):
        with harness.dial(self.target) as far:
            far.settimeout(None)
            there = threading.Thread(target=self.pump, args=(near, far, self.up), daemon=True)
            there.start()
            self.pump(far, near, self.down)
            there.join()

    def pump(self, source, target, kept):
        while chunk := source.recv(64 * harness.KIB):
            kept += chunk
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)

    def message(self, kept, number):
        """The body of a message of the handshake."""
        at = 0
        for _ in range(number):
            at += 2 + int.from_bytes(kept[at : at + 2], "big")
        size = int.from_bytes(kept[at : at + 2], "big")
        body = bytes(kept[at + 2 : at + 2 + size])
        assert len(body) == size
        return body


class Negotiated(terminal.TerminalScenario):
    def setUp(self):
        super().setUp()
        self.offered = has_ml_kem(harness.CONNECTOR or harness.PROGRAM)
        self.taken = self.offered and has_ml_kem(harness.PROGRAM)

    def talk(self, *options, listener=(), at=None):
        """A stream both ways; returns what crossed."""
        here = self.listen(*options, *listener, stdin=DOWN)
        wire = Wire(here.address)
        self.addCleanup(wire.server.close)
        there = self.connect(wire.address, *options, stdin=UP, at=at)
        if at:
            at.shows(QUESTION)
            at.type("yes\n")
        there.wait(harness.OK)
        here.wait(harness.OK)
        self.assert_equal_bytes(here.out.finish(), UP)
        self.assert_equal_bytes(there.out.finish(), DOWN)
        return wire

    def judge(self, first, least, answer, least_answer):
        """The flags and the sizes that go with them, message 1's and the listener's last."""
        self.assertEqual(first[FLAGS_AT], int(self.offered))
        self.assertEqual(len(first), least + (KEY if self.offered else 0))
        self.assertEqual(answer[0], int(self.taken))
        self.assertGreaterEqual(len(answer), least_answer + (CIPHERTEXT if self.taken else 0))

    def test_key_mode(self):
        wire = self.talk("--key-file", self.key)
        self.judge(wire.message(wire.up, 0), 104, wire.message(wire.down, 0), 81)
        self.assertEqual(len(wire.message(wire.down, 0)), 81 + (CIPHERTEXT if self.taken else 0))

    def test_identity_mode(self):
        wire = self.talk("--identity", listener=["--anyone"], at=self.terminal())
        self.judge(wire.message(wire.up, 0), 72, wire.message(wire.down, 0), 1 + 32 + 16)

    def test_password_mode(self):
        word = self.file("word", b"four words that fit\n")
        wire = self.talk("--password-file", word)
        self.judge(wire.message(wire.up, 0), 40, wire.message(wire.down, 1), 49)

    def test_rekey(self):
        """A renewal makes the same choice: a side that asked for more would be cut off."""
        options = ("-v", "--key-file", self.key, *LITTLE)
        listener = self.listen(*options, stdin=harness.PIPE)
        connector = self.connect(listener, *options, stdin=MUCH)
        connector.says(r"\brekeyed 2\b")
        listener.says(r"\brekeyed 2\b")
        listener.close_stdin()
        connector.wait(harness.OK)
        listener.wait(harness.OK)
        self.assert_equal_bytes(listener.out.finish(), MUCH)


if __name__ == "__main__":
    print(
        "ML-KEM: listen", has_ml_kem(harness.PROGRAM), "connect", has_ml_kem(harness.CONNECTOR or harness.PROGRAM)
    )
    harness.main()
