#!/usr/bin/env python3
"""usi-tunnel's channels: named without its key log, opened with it. Through a relay that writes the capture, and, where
this user may capture, on loopback."""

import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from capture import Capture  # noqa: E402
from tshark import Tshark, skip_without_tshark  # noqa: E402

import harness  # noqa: E402

LITTLE = ["--rekey-bytes", "64K"]


class Tap:
    """A relay for one connection, which it captures."""

    def __init__(self, target):
        self.target, self.capture = target, Capture()
        self.lock, self.over = threading.Lock(), threading.Event()
        self.server = harness.Server(self.serve)
        self.address = self.server.address

    def serve(self, near):
        wire = self.capture.connect()
        with harness.dial(self.target) as far:
            up = threading.Thread(target=self.pump, args=(wire, "c", near, far), daemon=True)
            up.start()
            self.pump(wire, "l", far, near)
            up.join()
        wire.close()
        self.over.set()

    def pump(self, wire, sender, source, target):
        """Octets are captured before they are passed on: so the answer to them comes behind."""
        try:
            while octets := source.recv(65536):
                with self.lock:
                    wire.send(sender, octets)
                target.sendall(octets)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Program(Tshark):
    def setUp(self):
        super().setUp()
        self.up, self.down = os.urandom(200_000), os.urandom(150_000)
        self.log = self.path("keys")
        self.logged = {"USI_KEYLOG": self.log}
        password = ["--password-file", self.file("password", b"correct horse battery\n")]
        made = self.run_program("keygen", "--identity", "-o", self.path("identity"))
        known = made.says(r"identity fingerprint: (sha256:[0-9a-f]{64})$").group(1)
        self.modes = {  # the listener's words, the connector's
            "key": 2 * [["--key-file", self.key]],
            "identity": [[f"--identity={self.path('identity')}", "--anyone"], ["--identity", "--fingerprint", known]],
            "password": 2 * [password],
        }

    def talk(self, mode, *options, through=None, address="127.0.0.1:0", logging=("listen", "connect"), **how):
        """A pipe with both directions; through: makes what the connector calls instead of the listener."""
        there, here = ([*words, *options] for words in self.modes[mode])
        env = {side: self.logged if side in logging else {} for side in ("listen", "connect")}
        listener = self.listen(*there, address=address, key="", stdin=self.down, env=env["listen"])
        to = through(listener.address) if through else listener
        connector = self.connect(to.address, *here, key="", stdin=self.up, env=env["connect"])
        for process, octets in ((connector, self.down), (listener, self.up)):
            process.wait(harness.OK)
            self.assert_equal_bytes(process.out.finish(), octets)
        return to

    def tapped(self, mode, *options, **how):
        """The path of a capture."""
        tap = self.talk(mode, *options, through=self.tap, **how)
        self.assertTrue(tap.over.wait(harness.LIMIT))
        path = self.path("capture.pcap")
        tap.capture.write(path)
        return path

    def tap(self, target):
        tap = Tap(target)
        self.addCleanup(tap.server.close)
        return tap

    def assert_named(self, units, mode):
        first = {
            "key": ["Message 1, key mode", "Message 2, key mode"],
            "identity": ["Message 1, identity mode", "Message 2, identity mode"],
            "password": [f"Message ({n}), password mode" for n in (1, 2, 3, 4)],
        }[mode]
        self.assertEqual([unit.name for unit in units[: len(first)]], first)
        return units[len(first) :]

    def assert_opened(self, units, mode):
        """Every record has its name, and the data is what was sent."""
        self.assertEqual([(unit.text, unit.notes) for unit in units if unit.notes], [])
        records = self.assert_named(units, mode)
        self.assertTrue(all(unit["type"] for unit in records))
        names = [unit.name.split(",")[0] for unit in records]
        self.assertEqual(names[0], "proof")
        self.assertEqual([names.count(name) for name in ("open", "end", "bye")], [1, 2, 2])
        self.assert_equal_bytes(self.data(units, "connector"), self.up)
        self.assert_equal_bytes(self.data(units, "listener"), self.down)
        return names


@skip_without_tshark
class Tapped(Program):
    def test_modes(self):
        for mode in self.modes:
            for options in ([], LITTLE):
                with self.round(mode=mode, options=options):
                    path = self.tapped(mode, *options)
                    units = self.units(path, keylog=self.log)
                    names = self.assert_opened(units, mode)
                    rekeys = [names.count(name) for name in ("rekey 1", "rekey 2", "switch", "proof")]
                    if options:  # the last one may have been dropped where it stood when the stream was over
                        self.assertGreater(min(rekeys), 1)
                    else:
                        self.assertEqual(rekeys, [0, 0, 0, 1])

    def test_two_passes(self):
        path = self.tapped("key", *LITTLE)
        self.assert_opened(self.units(path, "-2", keylog=self.log), "key")

    def test_either_key_log(self):
        for logging in (["listen"], ["connect"]):
            with self.round(logging=logging):
                if os.path.exists(self.log):
                    os.unlink(self.log)
                path = self.tapped("key", *LITTLE, logging=logging)
                self.assert_opened(self.up_to_bye(self.units(path, keylog=self.log)), "key")

    def up_to_bye(self, units):
        """Without what a side sent behind its `bye`: part of a rekey that the other did not read, and has no key of."""
        done, kept = set(), []
        for unit in units:
            if unit["from"] not in done:
                kept.append(unit)
            if unit.name == "bye":
                done.add(unit["from"])
        return kept

    def test_without_key_log(self):
        path = self.tapped("key", logging=[])
        self.assertFalse(os.path.exists(self.log))
        records = self.assert_named(self.units(path), "key")
        self.assertEqual({tuple(unit.notes) for unit in records}, {("no_key",)})


@skip_without_tshark
@harness.skip_unless_found("dumpcap")
class Captured(Program):
    def start_capture(self, address):
        """dumpcap, once it captures what goes to and from the address's port."""
        port = address.rsplit(":", 1)[1]
        self.pcap = self.path("live.pcap")
        self.dumpcap = subprocess.Popen(
            ["dumpcap", "-P", "-q", "-i", "lo", "-B", "64", "-f", f"tcp port {port}", "-w", self.pcap],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        self.addCleanup(self.stop_capture)
        self.said = harness.Sink(os.dup(self.dumpcap.stderr.fileno()))
        self.said.until(lambda: b"File: " in self.said.data or self.dumpcap.poll() is not None)
        if self.dumpcap.poll() is not None:
            self.skipTest("this user cannot capture: " + self.said.data.decode("utf-8", "replace").strip()[:300])

    def stop_capture(self):
        if self.dumpcap.poll() is None:
            self.dumpcap.terminate()
            self.dumpcap.wait()
        self.dumpcap.stderr.close()

    def captured(self, port):
        """Has dumpcap written the ends of both directions?"""
        with open(self.pcap, "rb") as file:
            octets = file.read()
        at, ended = 24, set()
        while at + 16 <= len(octets):
            size = int.from_bytes(octets[at + 8 : at + 12], "little")
            packet = octets[at + 16 : at + 16 + size]
            tcp = packet[14 + 4 * (packet[14] & 15) :] if len(packet) > 54 - 1 else b""
            if len(tcp) >= 20 and tcp[13] & 1:
                ended.add(int.from_bytes(tcp[:2], "big") == port)
            at += 16 + size
        return len(ended) == 2

    def test_modes(self):
        for mode in self.modes:
            with self.round(mode=mode):
                holder, address = harness.reserve_port()
                port = int(address.rsplit(":", 1)[1])
                with holder:
                    self.start_capture(address)
                    self.talk(mode, *LITTLE, address=address)
                harness.until(lambda port=port: self.captured(port), "dumpcap to write the last packets")
                self.stop_capture()
                more = ["-d", f"tcp.port=={port},usi", "-o", "tcp.reassemble_out_of_order:TRUE"]
                names = self.assert_opened(self.units(self.pcap, *more, keylog=self.log), mode)
                self.assertGreater(names.count("rekey 1"), 1)


if __name__ == "__main__":
    harness.main()
