#!/usr/bin/env python3
"""Limits of time and number: slow peers, crowds, full queues, names with several addresses."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time

from clients import echo_loop, run_clients
from harness import (
    CUT,
    FAR,
    KIB,
    LIMIT,
    MIB,
    NO_CONNECTION,
    OK,
    PIPE,
    Scenario,
    dial,
    main,
    not_wrapped,
    receive_all,
    reserve_port,
    shell,
    until,
)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
sys.dont_write_bytecode = True

import usi1  # noqa: E402


class Idle(Scenario):
    """--idle-timeout: time in which nothing moves, and only that."""

    def test_slow_reader(self):
        """30 KB/s out of a pipe, for longer than the timeout, with more than a pipe holds
        waiting all the time; then the rest."""
        read_end, write_end = os.pipe()
        listener = self.listen(stdin=bytes(4 * MIB))
        with open(write_end, "wb") as stdout:
            connector = self.connect(listener, "--idle-timeout", "2", stdout=stdout)
        with open(read_end, "rb", buffering=0) as reader:
            count = 0
            for _ in range(40):
                count += len(reader.read(3000))
                time.sleep(0.1)
            self.assertTrue(connector.running() and listener.running(), connector.story())
            while chunk := reader.read(64 * KIB):
                count += len(chunk)
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(count, 4 * MIB)

    def test_reader_that_stands(self):
        """Which is no slow one: its side ends, and says what happened."""
        read_end, write_end = os.pipe()
        with open(write_end, "wb") as stdout, open(read_end, "rb"), open("/dev/zero", "rb") as zero:
            options = ["--idle-timeout", "1", "--drain", "1"]
            listener = self.listen(stdin=zero)
            connector = self.connect(listener, *options, stdout=stdout)
            connector.wait(CUT)
            self.assert_one_line(connector, "idle")
            listener.wait(FAR, CUT)

    def test_peer_that_waits_for_its_turn(self):
        """Longer than the timeout, while the one before it is served."""
        listener = self.listen("-k", "-v", "--idle-timeout", "1", stdin=b"")
        first = self.connect(listener, stdin=PIPE)
        first.write(b"1")
        self.assertTrue(listener.out.has(b"1"))
        second = self.connect(listener, stdin=b"[second]")
        listener.says("channel open", 2)
        end = time.monotonic() + 2
        count = 1
        while time.monotonic() < end:
            first.write(b"1")
            count += 1
            self.assertTrue(listener.out.reach(count))
            time.sleep(0.05)
        first.close_stdin()
        first.wait(OK)
        second.wait(OK)
        self.assertTrue(listener.out.has(b"[second]"))
        third = self.connect(listener, stdin=PIPE)  # and its own time counts, in its turn
        third.write(b"3")
        self.assertNotEqual(third.wait(), OK)
        self.assertTrue(listener.running())

    def test_idle_channel(self):
        for role in ("listen", "connect"):
            with self.round(role=role):
                options = {"listen": [], "connect": [], role: ["--idle-timeout", "1"]}
                listener = self.listen(*options["listen"], stdin=PIPE)
                connector = self.connect(listener, *options["connect"], stdin=PIPE)
                connector.write(b"x")
                self.assertTrue(listener.out.has(b"x"))
                side, peer = (listener, connector)[:: 1 if role == "listen" else -1]
                side.wait(CUT)
                peer.wait(FAR, CUT)
                self.assert_one_line(side, "idle")


def with_hosts(path):
    """Words that run the program with another /etc/hosts, in a mount namespace of its own."""
    return ["unshare", "-m", "sh", "-c", f'mount --bind {path} /etc/hosts; exec "$@"', "sh"]


class Names(Scenario):
    """Names with several addresses."""

    def setUp(self):
        super().setUp()
        hosts = self.file(
            "hosts",
            b"127.0.0.1 localhost\n::1 localhost\n"
            # A multicast address is no place for TCP: unreachable, at once, on every machine.
            b"127.0.0.1 first.test\n224.0.0.1 first.test\n"
            b"224.0.0.1 last.test\n127.0.0.1 last.test\n",
            0o644,
        )
        self.hosts = with_hosts(hosts)
        words = [*self.hosts, "getent", "ahosts", "first.test"]
        try:
            found = subprocess.run(words, capture_output=True, check=False).stdout
        except OSError:
            found = b""
        if os.geteuid() != 0 or b"224.0.0.1" not in found:
            self.skipTest("needs root and unshare: an /etc/hosts of its own")

    def test_refused_wins(self):
        """Over unreachable, in either order: the message says it, and --retry goes on."""
        for name in ("first.test", "last.test"):
            with self.round(name=name), reserve_port()[0] as holder:
                port = holder.getsockname()[1]
                begun = time.monotonic()
                got = self.connect(f"{name}:{port}", "--retry", "1", before=self.hosts)
                got.wait(NO_CONNECTION)
                self.assertGreaterEqual(time.monotonic() - begun, 1, "it did not go on trying")
                self.assert_one_line(got, "refused")

    def test_retry_finds_it_in_the_end(self):
        holder, address = reserve_port()
        with holder:
            name = "first.test:" + address.rpartition(":")[2]
            got = self.connect(name, "--retry", "60", stdin=b"up", before=self.hosts)
            listener = self.listen(address=address)
            got.wait(OK)
            listener.wait(OK)

    def test_source_decides_the_family(self):
        """`-s` with a name that has addresses of both: those that the source can reach."""
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("no IPv6 on this machine")
        for host, other in (("::1", "127.0.0.1"), ("127.0.0.1", "::1")):
            # The same port of the other family is held, and nobody listens on it: other tests run beside this one.
            with self.round(host=host), both_families(other, host) as port:
                self.listen("-k", address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
                name = f"localhost:{port}"
                self.check(name, "-s", host, before=self.hosts)
                got = self.check(name, "-s", other, before=self.hosts, status=NO_CONNECTION)
                self.assert_one_line(got, "refused")


@contextlib.contextmanager
def both_families(held, free):
    """A port that is bound on one address, to nobody's use, and free on the other."""
    for _ in range(64):
        with socket.socket(family_of(held)) as holder, socket.socket(family_of(free)) as probe:
            holder.bind((held, 0))
            port = holder.getsockname()[1]
            try:
                probe.bind((free, port))
            except OSError:
                continue
            probe.close()
            yield port
            return
    raise AssertionError("no port is free in both families")


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def still_open(peers):
    """How many the other side has not closed; what they got is thrown away."""
    count = 0
    for peer in peers:
        peer.setblocking(False)
        try:
            while peer.recv(64 * KIB):
                pass
        except BlockingIOError:
            count += 1
        except OSError:
            pass
    return count


@not_wrapped
class Crowds(Scenario):
    def silent(self, listener, count):
        """Connections that say nothing and stay."""
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        return [stack.enter_context(dial(listener.address)) for _ in range(count)]

    def test_silent_strangers(self):
        """More than there are places: the oldest make way, long before their time is up."""
        patient = ["--handshake-timeout", "1000"]
        for options in (["-k"], ["--forward", "127.0.0.1:1"]):
            with self.round(options=options):
                listener = self.listen(*options, *patient, before=shell("ulimit -n 160"))
                peers = self.silent(listener, 100)
                self.check(listener, *patient)
                self.assertGreater(still_open(peers), 0)
                self.assertTrue(listener.running())

    def test_honest_burst(self):
        """More clients at once than descriptors, on both sides: they wait, and all are served."""
        little = shell("ulimit -n 64")
        with socket.create_server(("127.0.0.1", 0), backlog=256) as target:
            threading.Thread(target=echo_loop, args=(target,), daemon=True).start()
            address = "127.0.0.1:%d" % target.getsockname()[1]
            listener = self.listen("--forward", address, before=little)
            connector = self.connect(listener, "-L", "127.0.0.1:0", before=little).ready()
            self.assertEqual(run_clients(connector.address, 120, 120, [1000]), [])
            self.assertEqual((len(listener.lines), len(connector.lines)), (1, 1), listener.story())

    def test_replayed_message_1s(self):
        """Recorded, and unknown to a listener that has just begun: it answers them, for their
        knocks are right, but their source has no more than 128 of them open."""
        ki = bytes.fromhex(self.read(self.key).decode())
        recorded = [usi1.Channel(ki, True).take() for _ in range(300)]
        for options in (["-k"], ["--forward", "127.0.0.1:1"]):
            with self.round(options=options):
                listener = self.listen(*options, "--handshake-timeout", "1000")
                peers = self.silent(listener, 0)
                for message in recorded:
                    peers += self.silent(listener, 1)
                    peers[-1].sendall(message)
                    self.assertTrue(peers[-1].recv(64 * KIB), "it was not even answered")
                until(lambda peers=peers: still_open(peers) <= 128, "the oldest to make way")
                self.assertGreater(still_open(peers), 0)
                self.check(listener)
                self.assertTrue(listener.running())


class FullQueue(Scenario):
    def test_unix_target(self):
        """A target that is slow to accept, with room for few: every stream gets through."""
        path = self.path("target")
        with socket.socket(socket.AF_UNIX) as target, contextlib.ExitStack() as stack:
            target.bind(path)
            target.listen(2)
            target.settimeout(LIMIT)
            listener = self.listen("-v", "--forward", "unix:" + path)
            connector = self.connect(listener, "-L", "127.0.0.1:0").ready()
            peers = [stack.enter_context(dial(connector.address)) for _ in range(8)]
            for number, peer in enumerate(peers):
                peer.sendall(b"%d" % number)
                peer.shutdown(socket.SHUT_WR)
            listener.says("channel open", 8)
            for _ in peers:
                with target.accept()[0] as far:
                    far.settimeout(LIMIT)
                    far.sendall(receive_all(far)[0])
            for number, peer in enumerate(peers):
                self.assertEqual(receive_all(peer), (b"%d" % number, False))
            self.assertFalse([x for x in listener.lines + connector.lines if "failed" in x])


if __name__ == "__main__":
    main()
