#!/usr/bin/env python3
"""Sockets that a service manager has opened: LISTEN_FDS."""

import os
import signal
import socket
import tempfile

from manager import ServiceScenario

from harness import (
    NO_CONNECTION,
    OK,
    USAGE,
    dial,
    main,
    not_wrapped,
    reserve_port,
    shell,
    skip_unless_found,
    until,
)

# Gives the program descriptor 3, which it gets as standard input, as a manager would.
GIVEN = "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=%s LISTEN_FDNAMES=x"


def tcp(listens=True, family=socket.AF_INET):
    made = socket.socket(family)
    made.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    if listens:
        made.listen()
    return made


class Given(ServiceScenario):
    """One socket, without a manager."""

    def given(self, *options, fd, count="1", **how):
        words = ("listen", "--key-file", self.key, *options)
        return self.start(*words, stdin=fd, before=shell(GIVEN % count), **how)

    def refused(self, fd, *options, count="1", status=NO_CONNECTION, words=()):
        process = self.given(*options, fd=fd, count=count)
        process.wait(status)
        self.assert_one_line(process, *words)

    def echoes(self, address):
        with dial(address) as peer:
            peer.sendall(b"through")
            self.assertEqual(peer.recv(7, socket.MSG_WAITALL), b"through")

    def test_tcp(self):
        """Its address is printed, and every loop takes connections from it."""
        for threads in ("1", "3"):
            for family in (socket.AF_INET, socket.AF_INET6):
                with self.round(threads=threads, family=family), tcp(family=family) as server:
                    options = ("--forward", self.target(), "--threads", threads)
                    listener = self.given(*options, fd=server).ready()
                    port = server.getsockname()[1]
                    wanted = "127.0.0.1" if family == socket.AF_INET else "[::1]"
                    self.assertEqual(listener.address, f"{wanted}:{port}")
                    connector = self.connect(listener, "-L", "127.0.0.1:0").ready()
                    for _ in range(5):
                        self.echoes(connector.address)

    def test_unix(self):
        """Its file is the manager's, and stays."""
        path = self.path("socket")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            listener = self.given("-k", fd=server).ready()
            self.assertEqual(listener.address, f"unix:{path}")
            self.check(listener)
            listener.signal(signal.SIGTERM)
            listener.wait(OK)
            self.assertTrue(os.path.exists(path))

    def test_abstract(self):
        name = f"usi-test-{os.getpid()}-{os.urandom(4).hex()}"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("\0" + name)
            server.listen()
            listener = self.given("-k", fd=server).ready()
            self.assertEqual(listener.address, f"unix:@{name}")

    def test_queue_waits(self):
        """Nobody is turned away while one program ends and the next begins."""
        with tcp() as server:
            for _ in range(3):
                listener = self.given("-k", fd=server).ready()
                self.check(listener)
                listener.signal(signal.SIGTERM)
                listener.wait(OK)
                waits = self.connect(listener, "--check")
                until(lambda: self.queued(server), "the connection to wait in the queue")
                self.given("-k", fd=server)
                waits.wait(OK)
                self.processes[-1].kill()

    def queued(self, server):
        """Does a connection wait to be accepted? /proc says it in the receive queue."""
        port = f":{server.getsockname()[1]:04X} "
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [r.split() for r in table if port in r.split()[1] + " "]
        return any(r[3] == "0A" and int(r[4].split(":")[1], 16) > 0 for r in rows)

    def test_not_for_others(self):
        """LISTEN_PID of another process: the address is listened on as ever."""
        with tcp() as server:
            words = "exec 3<&0; export LISTEN_PID=1 LISTEN_FDS=1"
            listener = self.start(
                "listen", "127.0.0.1:0", "--key-file", self.key, stdin=server, before=shell(words)
            ).ready()
            self.assertNotEqual(listener.address, "127.0.0.1:%d" % server.getsockname()[1])

    def test_unfit(self):
        file = tempfile.TemporaryFile(dir=self.folder)
        with file, tcp() as good, tcp(listens=False) as deaf, socket.socket(
            type=socket.SOCK_DGRAM
        ) as datagrams:
            datagrams.bind(("127.0.0.1", 0))
            self.refused(file, words=("descriptor 3", "not a socket"))
            self.refused(deaf, words=("descriptor 3", "does not listen"))
            self.refused(datagrams, words=("descriptor 3", "stream"))
            self.refused(good, "-6", words=("descriptor 3", "IPv6"))
            self.refused(good, count="2", status=USAGE, words=("LISTEN_FDS", "4", "closed"))
            for count in ("x", "-1", "1x", "99999999999999999999"):
                self.refused(good, count=count, status=USAGE, words=("LISTEN_FDS", "number"))
            self.refused(good, "127.0.0.1:0", status=USAGE, words=("LISTEN_FDS", "address"))
            self.check(self.given("-k", "-4", fd=good).ready())

    def test_unfit_commands(self):
        """Only listen has a use for them."""
        with tcp() as good:
            for words in (
                ("connect", "127.0.0.1:1"),
                ("chat", "listen", "-m", "host"),
                ("receive", "listen", "127.0.0.1:0", "-d", self.folder),
            ):
                process = self.start(
                    *words, "--key-file", self.key, stdin=good, before=shell(GIVEN % 1)
                )
                process.wait(USAGE)
                self.assert_one_line(process, "LISTEN_FDS", "listen")

    def test_first_peer(self):
        """A plain pipe: the one peer, and an end."""
        with tcp() as server:
            listener = self.given("--recv-only", fd=server).ready()
            self.connect(listener, "--send-only", stdin=b"text").wait(OK)
            listener.wait(OK)
            self.assert_equal_bytes(listener.out.finish(), b"text")


@not_wrapped
@skip_unless_found("systemd-socket-activate")
class Activated(ServiceScenario):
    """By systemd's own tool, which starts the program when somebody connects."""

    def activated(self, addresses, *options):
        words = [word for address in addresses for word in ("-l", address)]
        return self.start(
            "listen", "--key-file", self.key, *options, before=["systemd-socket-activate", *words]
        )

    def ready(self, process):
        """It listens: for the program, as soon as it runs."""
        process.says("Listening on ", 1)
        return process

    def one(self, shown, connect):
        listener = self.ready(self.activated([shown], "--forward", self.target()))
        connector = self.connect(connect, "-L", "127.0.0.1:0").ready()
        with dial(connector.address) as peer:
            peer.sendall(b"x")
            self.assertEqual(peer.recv(1), b"x")
        listener.says("^usi-tunnel: listening on " + connect.replace(".", r"\."))
        listener.kill()

    def test_tcp(self):
        holder, address = reserve_port()
        with holder:
            self.one(address, address)

    def test_unix(self):
        path = self.path("socket")
        self.one(path, f"unix:{path}")

    def test_two(self):
        path = self.path("socket")
        holder, address = reserve_port()
        with holder:
            listener = self.activated([address, path], "-k", "--threads", "2")
            listener.says("Listening on ", 2)
            for place in (f"unix:{path}", address, f"unix:{path}"):
                self.check(place)
            listener.says(r"^usi-tunnel: listening on ", 2)


if __name__ == "__main__":
    main()
