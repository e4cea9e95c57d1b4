#!/usr/bin/env python3
"""Secrets are gone from the memory of a running program when they should be: all of it is read, as
only root may (the program is not dumpable), and searched for what its peer tells with --dev=secrets."""

import base64
import os
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from harness import KIB, OK, PIPE, SANITIZED, WRAP, Scenario, Server, dial, echo, main, until
from steps import keys, values

TOLD = "--dev=secrets"
PASSWORD = b"gruen-wie-Gras-im-Sommer"


class Memory:
    """A copy of a process's memory, taken while it stood still."""

    def __init__(self, pid):
        self.pieces = []
        os.kill(pid, signal.SIGSTOP)
        try:
            until(lambda: self.all_stopped(pid), "a stop")
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                for start, end, name, locked in self.mappings(pid):
                    self.pieces.append((start, self.take(memory, start, end), name, locked))
        finally:
            os.kill(pid, signal.SIGCONT)

    @staticmethod
    def all_stopped(pid):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8", errors="replace") as stat:
                if stat.read().rpartition(")")[2].split()[0] not in "Tt":
                    return False
        return True

    @staticmethod
    def mappings(pid):
        """(start, end, name, whether it is locked and kept out of core files) of what can be read."""
        with open(f"/proc/{pid}/smaps", encoding="utf-8") as smaps:
            text = smaps.read()
        for entry in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", text):
            head = entry.splitlines()[0].split(maxsplit=5)
            start, end = (int(x, 16) for x in head[0].split("-"))
            name = head[5] if len(head) > 5 else "-"
            flags = re.search(r"^VmFlags:(.*)$", entry, re.MULTILINE).group(1).split()
            if "r" in head[1] and not name.startswith(("[vvar", "[vsyscall")):
                yield start, end, name, "dd" in flags and "lo" in flags

    @staticmethod
    def take(memory, start, end):
        got = bytearray()
        while start + len(got) < end:
            memory.seek(start + len(got))
            more = memory.read(end - start - len(got))
            if not more:
                break
            got += more
        return bytes(got)

    def places(self, secret, but_locked=False):
        """Where octets, or half of them, or their text, are."""
        found = []
        half = len(secret) // 2
        wanted = {secret[:half], secret[half:]} if half >= 8 else {secret}
        wanted |= {x.hex().encode() for x in wanted} | {base64.b64encode(secret)[:24]}
        for start, content, name, locked in self.pieces:
            for octets in wanted:
                at = -1 if locked and but_locked else content.find(octets)
                if at >= 0:
                    found.append(f"{start + at:#x} in {name}{' (locked)' if locked else ''}")
        return found


def may_read():
    """Whether this user may read the memory of a process that is not dumpable."""
    return os.geteuid() == 0 and not SANITIZED and not WRAP


@unittest.skipUnless(may_read(), "needs root, and a program without sanitizers or valgrind")
class Secrets(Scenario):
    def assert_gone(self, process, secrets, but_locked=False):
        """Soon, at least: what has just come may still be worked on."""
        left = {}

        def gone():
            memory = Memory(process.pid)
            left.clear()
            for what, secret in secrets.items():
                places = memory.places(secret, but_locked)
                if places:
                    left[what] = places
            return not left

        try:
            until(gone, "secrets to go")
        except AssertionError:
            self.fail(f"still in memory: {left}\n{process.story()}")

    def told(self, process):
        """What a side with --dev=secrets has shown: the keys by (side, epoch), the Kc and psk."""
        kept = {which: bytes.fromhex(key) for which, key in keys(process).items()}
        return kept, [bytes.fromhex(x) for x in values(process, "(?:Kc|psk)")]

    def private_key(self, name, kind="ed25519"):
        """Makes an identity file; what is secret of it."""
        path = self.path(f"{name}.pem")
        self.run_program("keygen", f"--identity={kind}", "-o", path)
        text = subprocess.run(
            ["openssl", "pkey", "-in", path, "-noout", "-text"],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        number = "priv" if kind == "ed25519" else "privateExponent"
        found = re.search(rf"{number}:\n((?: +[0-9a-f:]+\n)+)", text).group(1)
        return bytes.fromhex(re.sub(r"[^0-9a-f]", "", found)).lstrip(b"\0")

    def modes(self):
        """(options of the listener, of the connector, what both know or have from the start)."""
        ki = bytes.fromhex(self.read(self.key).decode())
        password = self.file("password", PASSWORD + b"\n")
        own = {name: self.private_key(name) for name in ("listener", "connector")}
        with_key = ["--key-file", self.key]
        with_password = ["--password-file", password]
        with_identity = [
            [f"--identity={self.path(name)}.pem", "--no-remember"] for name in own
        ]
        listener = self.listen(*with_identity[0], "--anyone", key="")
        shown = listener.says(r"sha256:([0-9a-f]{64})$").group(1)
        listener.kill()
        with_identity[0].append("--anyone")
        with_identity[1] += ["--fingerprint", shown]
        return {
            "key": (with_key, with_key, {"Ki": ki}, {"Ki": ki}),
            "password": (
                with_password,
                with_password,
                {"password": PASSWORD},
                {"password": PASSWORD},
            ),
            "identity": (
                *with_identity,
                {"private key": own["listener"]},
                {"private key": own["connector"]},
            ),
        }

    def with_secrets(self, options, shown):
        return [*options, TOLD] if shown else options

    def test_a_pipe_with_rekeys(self):
        """Of a channel under way only the keys in use are there; what lasts is in locked memory."""
        for mode, (listens, connects, listener_has, connector_has) in self.modes().items():
            for subject in ("listener", "connector"):
                with self.round(mode=mode, subject=subject):
                    listener = self.listen(
                        *self.with_secrets(listens, subject == "connector"),
                        *("--rekey-bytes", "64K"),
                        key="",
                        stdin=PIPE,
                    )
                    connector = self.connect(
                        listener,
                        *self.with_secrets(connects, subject == "listener"),
                        *("--rekey-bytes", "64K"),
                        key="",
                        stdin=PIPE,
                    )
                    ours, theirs = (
                        (listener, connector) if subject == "listener" else (connector, listener)
                    )
                    epoch = self.exchange(connector, listener, theirs)
                    kept, psks = self.told(theirs)
                    secrets = {f"key {k}": v for k, v in kept.items() if k[1] < epoch}
                    secrets |= {f"Kc or psk {i}": v for i, v in enumerate(psks)}
                    self.assertGreaterEqual(len(secrets), 6)
                    self.assert_gone(ours, secrets)
                    has = listener_has if subject == "listener" else connector_has
                    self.assert_gone(ours, has, but_locked=True)
                    for side in (connector, listener):
                        side.close_stdin()
                    for side in (connector, listener):
                        side.wait(OK)

    def exchange(self, connector, listener, told):
        """Enough to rekey some times, both ways. The last epoch that both ways have reached."""
        for turn in range(1, 5):
            connector.write(bytes(96 * KIB))
            listener.write(bytes(96 * KIB))
            for side in (connector, listener):
                self.assertTrue(side.out.reach(turn * 96 * KIB))

        def epochs():
            found = keys(told)
            return [max(e for s, e in found if s == side) for side in "cl"]

        until(lambda: min(epochs()) == max(epochs()) >= 3, "rekeys")
        for size in range(2):
            connector.write(b"x")
            listener.write(b"y")
            for side in (connector, listener):
                self.assertTrue(side.out.reach(4 * 96 * KIB + size + 1))
        return min(epochs())

    def test_after_a_channel(self):
        """Of one that is over nothing is there, while the program goes on."""
        target = Server(echo)
        self.addCleanup(target.close)
        for mode, (listens, connects, _, _) in self.modes().items():
            for subject in ("listener", "connector"):
                with self.round(mode=mode, subject=subject):
                    listener = self.listen(
                        *self.with_secrets(listens, subject == "connector"),
                        *("-v", "--forward", target.address),
                        key="",
                    )
                    connector = self.connect(
                        listener,
                        *self.with_secrets(connects, subject == "listener"),
                        *("-v", "-L", "0"),
                        key="",
                    ).ready()
                    with dial(connector.address) as stream:
                        stream.sendall(b"there and back")
                        self.assertEqual(stream.recv(14), b"there and back")
                    ours, theirs = (
                        (listener, connector) if subject == "listener" else (connector, listener)
                    )
                    theirs.says(r"the channel is over, its keys are wiped")
                    kept, psks = self.told(theirs)
                    secrets = {f"key {k}": v for k, v in kept.items()}
                    secrets |= {f"Kc or psk {i}": v for i, v in enumerate(psks)}
                    self.assertGreaterEqual(len(secrets), 2)
                    self.assert_gone(ours, secrets)
                    for side in (connector, listener):
                        side.kill()

    def test_an_identity_file_as_read(self):
        """Of RSA's numbers libcrypto has copies in its own form for as long as the key is in use; the
        file's octets are gone."""
        secret = self.private_key("rsa", "rsa")
        listener = self.listen(f"--identity={self.path('rsa.pem')}", "--anyone", key="")
        self.assert_gone(listener, {"private exponent": secret})

    def test_that_it_would_be_found(self):
        """The search finds what is there: the keys in use, Ki in locked memory."""
        listener = self.listen("--dev=secrets", stdin=PIPE)
        connector = self.connect(listener, stdin=PIPE)
        connector.write(b"x")
        self.assertTrue(listener.out.reach(1))
        kept, _ = self.told(listener)
        memory = Memory(connector.pid)
        for key in kept.values():
            self.assertTrue(memory.places(key))
        ki = bytes.fromhex(self.read(self.key).decode())
        self.assertTrue(memory.places(ki))
        self.assertFalse(memory.places(ki, but_locked=True))


if __name__ == "__main__":
    main()
