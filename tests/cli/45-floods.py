#!/usr/bin/env python3
"""Floods of strangers: whoever has the key, an identity or the password gets in meanwhile, and the listener's descriptors
and memory are bounded. The long version is 95-floods-long.py."""

import concurrent.futures
import contextlib
import ctypes
import socket
import subprocess
import threading
import time

from floods import Flood, descriptors, messages, raise_file_limit, strange_identities, strange_keys, strange_passwords
from harness import (
    KIB,
    SANITIZED,
    WRAP,
    Scenario,
    dial,
    main,
    not_wrapped,
    receive_all,
    skip_unless_found,
    tally,
    until,
)

LIMIT_OF_HANDSHAKES = 2048 + 2 * 512  # strangers, answered, known
KEPT_DESCRIPTORS = 64
OWN = r"identity fingerprint: sha256:([0-9a-f]{64})$"
MODES = "key", "identity", "password"


class Floods(Scenario):
    HALF_OPEN, AT_FULL_SPEED, CHECKS = 700, 20, 2
    KIB_EACH = 24  # of memory for each handshake that is under way: generous

    def enough(self, _took):
        return True

    def begin(self, mode, *options):
        """A listener in one mode; how to get in; what strangers say, and what was recorded."""
        if mode == "key":
            ki = bytes.fromhex(self.read(self.key).decode())
            return self.listen("-k", *options), {}, [], strange_keys(64), messages(ki, 256)
        if mode == "identity":
            listener = self.listen("-k", "--identity", "--anyone", *options, key="")
            key = listener.says(OWN).group(1)
            return listener, {"key": ""}, ["--identity", "--fingerprint", key], strange_identities(64), []
        words = self.file("words", b"four quite common words")
        listener = self.listen("-k", "--password-file", words, *options, key="")
        return listener, {"key": ""}, ["--password-file", words], strange_passwords(64), []

    def flood(self, address, strange, recorded):
        half = self.HALF_OPEN
        floods = [Flood(address, half * 5 // 10), Flood(address, half * 3 // 10, strange, slowly=True),
                  Flood(address, half * 2 // 10, recorded or strange),  # and then nothing
                  Flood(address, self.AT_FULL_SPEED, strange, again=True)]
        if recorded:
            floods.append(Flood(address, self.AT_FULL_SPEED, recorded, again=True))
        for flood in floods:
            self.addCleanup(flood.stop)
        return floods

    def get_in(self, listener, floods, words, how):
        """How long each took."""
        took = []
        while len(took) < self.CHECKS or not self.enough(took):
            before = sum(f.opened for f in floods)
            until(lambda before=before: sum(f.opened for f in floods) > before + 200, "more strangers")
            begun = time.monotonic()
            self.check(listener, *words, **how)
            took.append(time.monotonic() - begun)
            self.processes[1:] = []
        return sorted(took)

    def attack(self, mode, *options):
        raise_file_limit()
        with self.round(mode=mode, options=options):
            listener, how, words, strange, recorded = self.begin(mode, *options)
            self.check(listener, *words, **how)
            rest = listener.status_field("VmRSS")
            floods = self.flood(listener.address, strange, recorded)
            until(lambda: all(f.opened >= f.at_once for f in floods), "the crowd")
            took = self.get_in(listener, floods, words, how)
            self.assertLess(descriptors(listener), LIMIT_OF_HANDSHAKES + KEPT_DESCRIPTORS)
            grown = listener.status_field("VmHWM") - rest
            if not (SANITIZED or WRAP):
                self.assertLess(grown, LIMIT_OF_HANDSHAKES * self.KIB_EACH)
            for flood in floods:
                flood.stop()
            self.check(listener, *words, **how)
            self.assertTrue(listener.running())
            self.tell_what_happened(" ".join([mode, "mode", *options[:1]]), floods, took, grown)

    def tell_what_happened(self, where, floods, took, grown):
        opened, turned_out = sum(f.opened for f in floods), sum(f.turned_out for f in floods)
        tally(f"strangers, {where}: {self.HALF_OPEN} at once", opened,
              f"{turned_out} turned out, {len(took)} of {len(took)} with the key got in, in {took[len(took) // 2]:.2f} s, "
              f"{took[-1]:.2f} at most; {grown / KIB:.1f} MiB more")


@not_wrapped
class Short(Floods):
    def test_all_modes(self):
        for mode in MODES:
            self.attack(mode)

    def test_forward(self):
        """Several loops share the connections."""
        self.attack("key", "--forward", "127.0.0.1:1")


CLONE_NEWNET = 0x40000000
OWN_NETWORK = """
ip link set lo up
ip -6 route add local fd00::/16 dev lo
echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind
"""
OF_SOURCE = 128


def in_own_network(function):
    """Runs it in a thread with a network of its own, in which all of fd00::/16 is this machine."""
    result = concurrent.futures.Future()

    def run():
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            subprocess.run(["sh", "-ec", OWN_NETWORK], check=True, capture_output=True)
            result.set_result(function())
        except BaseException as error:  # the caller's to judge
            result.set_exception(error)

    threading.Thread(target=run).start()
    return result.result()


@not_wrapped
@skip_unless_found("ip")
class Prefix(Scenario):
    def setUp(self):
        super().setUp()
        try:
            in_own_network(lambda: socket.create_server(("fd00::1", 0), family=socket.AF_INET6).close())
        except (OSError, subprocess.CalledProcessError):
            self.skipTest("needs root and IPv6: a network of its own")

    def test_one_machine_with_many_addresses(self):
        """All that the first 64 bits leave open are one source."""
        in_own_network(self.one_machine)

    def one_machine(self):
        listener = self.listen("-k", "--handshake-timeout", "100000", address="[fd00::1]:0")
        with contextlib.ExitStack() as stack:
            def stranger(source):
                peer = stack.enter_context(dial(listener.address, (source, 0)))
                peer.sendall(b"\0")
                return peer

            other = stranger("fd00:0:0:2::1")
            crowd = [stranger(f"fd00:0:0:1:{i:x}::{i:x}") for i in range(1, OF_SOURCE + 3)]
            self.assertEqual(receive_all(crowd[0])[0], b"")
            self.assertEqual(receive_all(crowd[1])[0], b"")
            self.check(listener)
            other.setblocking(False)
            crowd[-1].setblocking(False)
            self.assertRaises(BlockingIOError, other.recv, 1)
            self.assertRaises(BlockingIOError, crowd[-1].recv, 1)


if __name__ == "__main__":
    main()
