#!/usr/bin/env python3
"""1,000 connections, 64 at a time, through -L and --forward; memory is bounded."""

import contextlib
import socket
import threading
import time

from clients import echo_loop, run_clients
from harness import KIB, LIMIT, SANITIZED, SLOW, WRAP, Scenario, Server, dial, main

COUNT = 200 if SLOW else 1000
LARGEST = 32 * KIB  # KiB: /proc says it in those


class Many(Scenario):
    def setUp(self):
        super().setUp()
        self.target = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.addCleanup(self.target.close)
        threading.Thread(target=echo_loop, args=(self.target,), daemon=True).start()

    def pair(self, *options, target=None):
        target = target or "127.0.0.1:%d" % self.target.getsockname()[1]
        self.listener = self.listen("--forward", target, *options)
        self.connector = self.connect(self.listener, "-L", "127.0.0.1:0", *options).ready()
        return self.connector.address

    def assert_all_well(self, problems):
        self.assertEqual(problems, [])
        self.assertEqual(
            (len(self.listener.lines), len(self.connector.lines)), (1, 1), self.connector.story()
        )
        self.assert_small()

    def assert_small(self):
        for process in (self.listener, self.connector):
            self.assertTrue(process.running())
            if not (SANITIZED or WRAP):
                self.assertLess(process.status_field("VmHWM"), LARGEST, process.story())

    def test_64_at_a_time(self):
        self.assert_all_well(run_clients(self.pair(), COUNT, 64, [0, 1, 100, 5000, 20000, 70000]))

    def test_64_at_a_time_with_rekeys(self):
        address = self.pair("--rekey-bytes", "64K")
        self.assert_all_well(run_clients(address, COUNT, 64, [1, 20000, 70000, 200000]))

    def test_several_hundred_at_once(self):
        self.assert_all_well(run_clients(self.pair(), 400, 400, [1000, 30000]))

    def flood_until_it_stands(self, peers):
        """Sends on every socket until none of them takes anything any more."""
        block = bytes(64 * KIB)
        for peer in peers:
            peer.setblocking(False)

        quiet = 0
        end = time.monotonic() + LIMIT
        while quiet < 20:
            quiet += 1
            for peer in peers:
                with contextlib.suppress(BlockingIOError):
                    while peer.send(block):
                        quiet = 0
            self.assertLess(time.monotonic(), end, "the streams never stand")
            time.sleep(0.02)

    def test_64_that_stand(self):
        """Nobody reads at the far end: each stream holds little, either way."""
        arrived, changed, over = [], threading.Condition(), threading.Event()
        self.addCleanup(over.set)

        def hold(peer):
            with changed:
                arrived.append(peer)
                changed.notify_all()
            over.wait()

        server = Server(hold)
        self.addCleanup(server.close)
        for way in ("up", "down"):
            with self.round(way=way), contextlib.ExitStack() as stack:
                arrived.clear()
                address = self.pair(target=server.address)
                clients = [stack.enter_context(dial(address)) for _ in range(64)]
                with changed:
                    self.assertTrue(changed.wait_for(lambda: len(arrived) == 64, LIMIT))
                self.flood_until_it_stands(clients if way == "up" else list(arrived))
                self.assert_small()

    def test_one_after_another(self):
        self.assert_all_well(run_clients(self.pair(), 100, 1, [1, 1000]))


if __name__ == "__main__":
    main()
