#!/usr/bin/env python3
"""A captured exchange is read with the keys that USI_KEYLOG wrote, by the records of usi1.py.

ctest sets USI_TUNNEL; tests/cli/harness.py says what else the environment can hold.
"""

import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
sys.dont_write_bytecode = True

import harness  # noqa: E402
from usi1 import BYE, DATA, END, OPEN, PROOF, SWITCH, Direction  # noqa: E402

SIZE = 200 * harness.KIB
PASSWORD = 3


class Tap:
    """Between a connector and a listener: keeps what crosses, octet for octet."""

    def __init__(self, target):
        self.target = target
        self.octets = {"c": bytearray(), "l": bytearray()}
        self.over = threading.Event()
        self.server = harness.Server(self.join)
        self.address = self.server.address

    def join(self, near):
        with harness.dial(self.target) as far:
            back = threading.Thread(target=self.pump, args=(far, near, "l"))
            back.start()
            self.pump(near, far, "c")
            back.join()
        self.over.set()

    def pump(self, source, target, side):
        while octets := source.recv(65536):
            self.octets[side] += octets
            target.sendall(octets)
        target.shutdown(socket.SHUT_WR)


def take(octets, prefix):
    """The first message or record of octets behind its length, and the rest."""
    size = prefix + int.from_bytes(octets[:prefix], "big")
    if len(octets) < size:
        raise AssertionError("a capture ends within a record")
    return octets[prefix:size], octets[size:]


def read_log(path):
    """{(RANDms, epoch, side): key}"""
    keys = {}
    with open(path, encoding="ascii") as log:
        for line in log:
            word, rand, epoch, side, key = line.split(" ")
            if word != "USI_KEY" or not line.endswith("\n"):
                raise AssertionError(f"not a line of a key log: {line!r}")
            keys[rand, int(epoch), side] = bytes.fromhex(key.rstrip("\n"))
    return keys


def decrypt(tap, keys):
    """{side: [(type, content)]} of a capture as far as there are keys, and how often each side was rekeyed."""
    first, _ = take(bytes(tap.octets["c"]), 2)
    name = first[7]
    rand = first[8 + name : 40 + name].hex()
    records, epochs = {}, {}
    for side in "cl":
        rest = bytes(tap.octets[side])
        for _ in range(2 if first[4] == PASSWORD else 1):
            _, rest = take(rest, 2)
        epoch, records[side] = 0, []
        direction = Direction(keys[rand, 0, side], 32)
        while rest:
            header = rest[:4]
            sealed, rest = take(rest, 4)
            records[side].append(direction.open(header, sealed))
            if records[side][-1][0] == SWITCH:
                epoch += 1
                if (rand, epoch, side) not in keys:
                    break  # a rekey that came after the peer's last record is dropped by the other side
                direction = Direction(keys[rand, epoch, side], 32)
        epochs[side] = epoch
    return records, epochs


class Capture(harness.Scenario):
    def read_back(self, listen, connect, key=None):
        up, down = os.urandom(SIZE), os.urandom(SIZE // 2)
        logs = [self.path("listener.log"), self.path("connector.log")]
        little = ["--rekey-bytes", "64K"]
        listener = self.listen(
            *listen, *little, key=key, stdin=down, env={"USI_KEYLOG": logs[0]}
        )
        tap = Tap(listener.address)
        self.addCleanup(tap.server.close)
        connector = self.connect(
            tap.address, *connect, *little, key=key, stdin=up, env={"USI_KEYLOG": logs[1]}
        )
        connector.wait(0)
        listener.wait(0)
        self.assertTrue(tap.over.wait(harness.LIMIT))
        for log in logs:
            records, epochs = decrypt(tap, read_log(log))
            for side, text in (("c", up), ("l", down)):
                data = b"".join(content for kind, content in records[side] if kind == DATA)
                self.assert_equal_bytes(data, text, "what was captured")
                self.assertIn((END, len(text).to_bytes(8, "big")), records[side])
                self.assertIn((BYE, b""), records[side])
            self.assertEqual(records["c"][0][0], PROOF)
            self.assertIn((OPEN, b""), records["c"])
            self.assertGreater(epochs["c"], 0)
            os.remove(log)

    def test_key_mode(self):
        self.read_back(["--name", "anna"], ["--name", "anna"])

    def test_password_mode(self):
        password = self.file("password", b"not a word of it\n")
        self.read_back(["--password-file", password], ["--password-file", password], key="")

    def test_identity_mode(self):
        pem = self.path("pem")
        self.run_program("keygen", "--identity", "-o", pem)
        listener = self.listen(f"--identity={pem}", "--anyone", key="")
        own = listener.says(r"sha256:([0-9a-f]{64})$").group(1)
        listener.kill()
        self.read_back(
            [f"--identity={pem}", "--anyone"], ["--identity", "--fingerprint", own], key=""
        )


if __name__ == "__main__":
    harness.main()
