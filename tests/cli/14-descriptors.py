#!/usr/bin/env python3
"""No descriptors left: connections wait or are turned away with a clear line; afterwards all is
well."""

import contextlib
import socket
import threading
import time

from clients import echo_loop, run_clients
from harness import (
    INTERNAL,
    NO_CONNECTION,
    PREFIX,
    Scenario,
    dial,
    main,
    not_wrapped,
    receive_all,
    shell,
    until,
)

LITTLE = shell("ulimit -n 48")


def cpu_ticks(process):
    """Processor time that it has used."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@not_wrapped
class Descriptors(Scenario):
    def setUp(self):
        super().setUp()
        self.target = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.addCleanup(self.target.close)
        threading.Thread(target=echo_loop, args=(self.target,), daemon=True).start()

    def pair(self, listen=(), connect=()):
        target = "127.0.0.1:%d" % self.target.getsockname()[1]
        self.listener = self.listen("--forward", target, before=listen)
        self.connector = self.connect(self.listener, "-L", "127.0.0.1:0", before=connect).ready()
        return self.connector.address

    def overload(self, address):
        """100 clients that stay; those that are not turned away are answered once there is room."""
        clients = []
        for _ in range(100):
            with contextlib.suppress(ConnectionError):  # turned away at once
                clients.append(dial(address))
        for client in clients:
            client.setblocking(False)
            with contextlib.suppress(ConnectionError):
                client.sendall(b"x")
        answered = []

        def look():
            for client in clients:
                try:
                    if client.recv(1) == b"x":
                        answered.append(client)
                except OSError:
                    pass
            return answered

        until(look, "an answer for at least one client")
        return clients

    def assert_recovers(self, address):
        """A new client is served, however many were turned away before it."""

        def served():
            try:
                with dial(address) as peer:
                    peer.sendall(b"y")
                    peer.shutdown(socket.SHUT_WR)
                    return receive_all(peer)[0] == b"y"
            except ConnectionError:
                return False

        until(served, "a client to be served again")
        self.assertEqual(run_clients(address, 20, 4, [1000]), [])
        for process in (self.listener, self.connector):
            self.assertTrue(process.running(), process.story())
            self.assertFalse([line for line in process.lines if not line.startswith(PREFIX)])
            self.assertLess(len(process.lines), 400, "a flood of messages")

    def test_listener(self):
        address = self.pair(listen=LITTLE)
        for client in self.overload(address):
            client.close()
        self.assert_recovers(address)

    def test_connector(self):
        address = self.pair(connect=LITTLE)
        for client in self.overload(address):
            client.close()
        self.assert_recovers(address)

    def test_both(self):
        address = self.pair(listen=LITTLE, connect=LITTLE)
        for client in self.overload(address):
            client.close()
        self.assert_recovers(address)

    def test_strangers(self):
        """More strangers than descriptors do not keep a peer out for good."""
        listener = self.listen("-k", "--handshake-timeout", "2", before=LITTLE)
        strangers = [dial(listener.address) for _ in range(100)]
        self.check(listener, "--handshake-timeout", "50")
        for stranger in strangers:
            stranger.close()
        self.check(listener)

    def test_no_busy_loop(self):
        """A full process waits; it does not spin."""
        address = self.pair(listen=LITTLE, connect=LITTLE)
        clients = self.overload(address)

        def at_rest():
            before = sum(map(cpu_ticks, (self.listener, self.connector)))
            time.sleep(0.3)
            return sum(map(cpu_ticks, (self.listener, self.connector))) - before <= 1

        until(at_rest, "both to be at rest")
        for client in clients:
            client.close()
        self.assert_recovers(address)

    def test_too_few_to_start(self):
        """Not even a listening socket: a clear line. (With fewer still libuv aborts.)"""
        for limit in (7, 8, 9):
            with self.round(limit=limit):
                got = self.listen(ready=False, before=shell(f"ulimit -n {limit}"))
                got.wait(INTERNAL, NO_CONNECTION)
                self.assert_one_line(got, "open files")


if __name__ == "__main__":
    main()
