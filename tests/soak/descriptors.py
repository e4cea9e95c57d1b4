"""No descriptors left all of a sudden, for a while, and back: nothing spins, nothing is lost that was
there, and whoever had to wait is served."""

import contextlib
import os
import re
import resource
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
sys.dont_write_bytecode = True

from clients import echo_loop, run_clients  # noqa: E402
from harness import LIMIT, OK, PIPE, dial, receive_all, tally, until  # noqa: E402
from meter import cpu_seconds, descriptors  # noqa: E402
from talk import TalkScenario  # noqa: E402

WAIT = r"^usi-tunnel: warning: connections have to wait: too many open files$"


class Shortage:
    """A process that may open no more than `more` descriptors besides those it has; with None, not
    even in the place of one that it closes."""

    def __init__(self, process, more=None):
        self.process = process
        self.before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        taken = {int(fd) for fd in os.listdir(f"/proc/{process.pid}/fd")}
        free = [fd for fd in range(self.before[0]) if fd not in taken]
        limit = (3 if more is None else free[more], self.before[1])
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limit)

    def over(self):
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, self.before)


class DescriptorsScenario(TalkScenario):
    SECONDS = 0.5  # that a shortage lasts
    PATIENT = ("--handshake-timeout", "1000")

    def setUp(self):
        super().setUp()
        self.target = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.addCleanup(self.target.close)
        threading.Thread(target=echo_loop, args=(self.target,), daemon=True).start()

    def pair(self, *options):
        target = "127.0.0.1:%d" % self.target.getsockname()[1]
        self.listener = self.listen("--forward", target, *self.PATIENT, *options, key=self.key)
        self.connector = self.connect(
            self.listener, "-L", "127.0.0.1:0", *self.PATIENT, *options, key=self.key
        ).ready()
        return self.connector.address

    def dial_some(self, address, count):
        peers = [dial(address) for _ in range(count)]
        for peer in peers:
            self.addCleanup(peer.close)
        return peers

    def assert_alive(self, peers):
        for peer in peers:
            peer.sendall(b"still here")
            self.assertEqual(peer.recv(10, socket.MSG_WAITALL), b"still here")

    def hold(self, process, peers):
        """The time of the shortage: streams that were there go on, and nobody spins."""
        begun, used = time.monotonic(), cpu_seconds(process.pid)
        while time.monotonic() < begun + self.SECONDS:
            self.assert_alive(peers)
            time.sleep(0.1)
        share = (cpu_seconds(process.pid) - used) / (time.monotonic() - begun)

        def at_rest():
            before = cpu_seconds(process.pid)
            time.sleep(0.3)
            return cpu_seconds(process.pid) - before <= 0.01

        until(at_rest, "it to be at rest")
        return share

    def assert_told(self, process, loops=1):
        """That connections wait, by each loop once a minute."""
        told = sum(bool(re.match(WAIT, line)) for line in process.lines)
        self.assertGreaterEqual(told, 1, process.story())
        self.assertLessEqual(told, loops * (2 + self.SECONDS // 60), process.story())

    def forward(self, side, more):
        """A shortage at one side of a forward; the share of a processor that it used then."""
        address = self.pair("--threads", "2")
        process = getattr(self, side)
        most = descriptors(process.pid)
        old = self.dial_some(address, 8)
        self.assert_alive(old)
        shortage = Shortage(process, more)
        new = self.dial_some(address, 40)
        for peer in new:
            peer.sendall(b"new")
            peer.shutdown(socket.SHUT_WR)
        process.says(WAIT)
        share = self.hold(process, old)
        shortage.over()
        for peer in new:
            self.assertEqual(receive_all(peer), (b"new", False), process.story())
        self.assert_alive(old)
        self.assert_told(process, 2)
        self.assertEqual(run_clients(address, 20, 4, [1000]), [])
        for peer in old:
            peer.close()
        until(lambda: descriptors(process.pid) <= most, "its descriptors to be closed")
        return share

    def far_connection(self):
        """The listener can take a connection, but not reach its target: a reset for each."""
        address = self.pair()
        old = self.dial_some(address, 8)
        self.assert_alive(old)
        shortage = Shortage(self.listener, 1)
        for _ in range(10):
            with contextlib.suppress(ConnectionResetError):  # so soon that it did not look connected
                with dial(address) as peer:
                    self.assertEqual(receive_all(peer), (b"", True))
        self.connector.says(r"^usi-tunnel: a stream failed: ", 10)
        self.hold(self.listener, old)
        shortage.over()
        self.assert_alive(old)
        self.assertEqual(run_clients(address, 20, 4, [1000]), [])

    def pipes(self):
        """A listener that serves one pipe after another."""
        listener = self.listen("-k", *self.PATIENT, key=self.key)
        first = self.connect(listener, stdin=PIPE, key=self.key)
        first.write(b"1")
        self.assertTrue(listener.out.has(b"1"))
        shortage = Shortage(listener)
        how = {"key": self.key, "stdin": b"[other]"}
        others = [self.connect(listener, *self.PATIENT, **how) for _ in range(3)]
        listener.says(WAIT)
        share = self.hold(listener, [])
        first.write(b"2")
        self.assertTrue(listener.out.has(b"12"))
        shortage.over()
        first.close_stdin()
        for process in (first, *others):
            process.wait(OK)
        self.assertTrue(listener.out.has(b"12" + b"[other]" * 3))
        self.assert_told(listener)
        return share

    def chats(self):
        host = self.host()
        anna = self.join(host, name="anna")
        shortage = Shortage(host.process)
        self.join(host, *self.PATIENT, name="bert", here=False)
        host.process.says(WAIT)
        share = self.hold(host.process, [])
        anna.types("is bert here?")
        host.hears("<anna> is bert here?")
        shortage.over()
        anna.hears("-- bert has come")
        self.assert_told(host.process)
        return share

    def everywhere(self):
        shares = {}
        for side, more in (("listener", 0), ("listener", None), ("connector", None)):
            with self.round(side=side, more=more):
                shares[f"{side} ({more})"] = self.forward(side, more)
        for name, case in (("pipe", self.pipes), ("chat", self.chats)):
            with self.round(case=name):
                shares[name] = case()
        with self.round(case="target"):
            self.far_connection()
        return shares

    def tell_shares(self, shares):
        for where, share in shares.items():
            print(f"{where}: {100 * share:.1f} % of a processor while short", file=sys.stderr)
        tally(
            f"no descriptors left for {self.SECONDS:g} s, then enough",
            len(shares) + 1,
            f"who waited was served; at most {100 * max(shares.values()):.1f} % of a processor",
        )


__all__ = ["LIMIT", "DescriptorsScenario"]
