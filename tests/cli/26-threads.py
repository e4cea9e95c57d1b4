#!/usr/bin/env python3
"""Several loops, each in a thread: --threads."""

import contextlib
import os
import signal
import socket
import threading

from clients import echo_loop, run_clients
from harness import CUT, OK, SLOW, Scenario, dial, main, shell, until
from terminal import Terminal

THREADS = 4
COUNT = 100 if SLOW else 500


class Threads(Scenario):
    def setUp(self):
        super().setUp()
        self.target = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.addCleanup(self.target.close)
        threading.Thread(target=echo_loop, args=(self.target,), daemon=True).start()

    def pair(self, *options, local="127.0.0.1:0", threads=THREADS, before=(), near=()):
        target = "127.0.0.1:%d" % self.target.getsockname()[1]
        options = ("--threads", str(threads), *options)
        self.listener = self.listen("--forward", target, *options, before=before)
        self.connector = self.connect(self.listener, "-L", local, *options, before=near).ready()
        return self.connector.address

    def streams(self, address, count):
        """Connections that are through; closed with the test."""
        peers = []
        for _ in range(count):
            peer = dial(address)
            self.addCleanup(peer.close)
            self.exchange(peer, b"through")
            peers.append(peer)
        return peers

    def exchange(self, peer, octets):
        peer.sendall(octets)
        self.assertEqual(peer.recv(len(octets), socket.MSG_WAITALL), octets)

    def test_as_many_as_asked_for(self):
        for threads in (1, THREADS):
            with self.round(threads=threads):
                self.pair(threads=threads)
                for process in (self.listener, self.connector):
                    until(
                        lambda process=process: process.status_field("Threads") >= threads,
                        "the threads, which begin behind the first loop's socket",
                    )

    def test_one_for_identities(self):
        """One user answers for all."""
        listener = self.listen("--forward", "127.0.0.1:1", "--identity", "--anyone", "--threads", "4")
        self.assertEqual(listener.status_field("Threads"), 1)

    def test_many_streams(self):
        problems = run_clients(self.pair(), COUNT, 64, [0, 1, 5000, 70000])
        self.assertEqual(problems, [])
        problems = run_clients(self.pair("--rekey-bytes", "64K"), COUNT, 64, [1, 70000, 200000])
        self.assertEqual(problems, [])

    def test_unix_socket(self):
        path = os.path.join(self.folder, "local")
        self.pair(local=f"unix:{path}")
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(path)
                self.exchange(peer, b"over a file")
        self.connector.signal(signal.SIGINT)
        self.connector.wait(-signal.SIGINT)
        self.assertFalse(os.path.exists(path))

    def test_any_loop_answers(self):
        """The keyring is one, whichever loop takes the connection."""
        self.pair()
        for _ in range(20):
            self.check(self.listener)

    def test_places_are_shared(self):
        """A loop that has got more than its part is not full while others have places left."""
        limit = shell("ulimit -n 100")
        for _ in range(10):
            with self.round(), contextlib.ExitStack() as peers:
                address = self.pair(before=limit, near=limit)
                for _ in range((100 - 32 - 3 * 8) // 2):
                    peer = peers.enter_context(dial(address))
                    self.exchange(peer, b"through")

    def test_drained(self):
        """SIGTERM lets the streams of every loop end, and takes no more."""
        peers = self.streams(self.pair("--drain", "50"), 12)
        self.listener.signal(signal.SIGTERM)
        until(lambda: self.refused(self.listener.address), "the listener's socket to close")
        for peer in peers:
            self.exchange(peer, b"while it drains")
            peer.close()
        self.listener.wait(OK)

    def refused(self, address):
        with contextlib.suppress(ConnectionRefusedError), dial(address):
            return False
        return True

    def test_cut(self):
        """What does not end in time is cut, in whichever loop."""
        self.streams(self.pair("--drain", "1"), 12)
        self.listener.signal(signal.SIGTERM)
        self.listener.wait(CUT)

    def test_killed(self):
        terminal = Terminal()  # without one, SIGHUP would not end a listener
        self.addCleanup(terminal.hang_up)
        for number, before in ((signal.SIGINT, ()), (signal.SIGHUP, terminal.before)):
            with self.round(number=number):
                self.streams(self.pair(before=before), 12)
                self.listener.signal(number)
                self.listener.wait(-number)
                self.connector.signal(number)
                self.connector.wait(-number)


main()
