#!/usr/bin/env python3
"""1,000 connections, 64 at a time, through -L and --forward; memory is bounded."""

import socket
import threading

from clients import echo_loop, run_clients
from harness import KIB, SANITIZED, SLOW, WRAP, Scenario, main

COUNT = 200 if SLOW else 1000
LARGEST = 32 * KIB  # KiB: /proc says it in those


class Many(Scenario):
    def setUp(self):
        super().setUp()
        self.target = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.addCleanup(self.target.close)
        threading.Thread(target=echo_loop, args=(self.target,), daemon=True).start()

    def pair(self, *options):
        target = "127.0.0.1:%d" % self.target.getsockname()[1]
        self.listener = self.listen("--forward", target, *options)
        self.connector = self.connect(self.listener, "-L", "127.0.0.1:0", *options).ready()
        return self.connector.address

    def assert_all_well(self, problems):
        self.assertEqual(problems, [])
        self.assertEqual(
            (len(self.listener.lines), len(self.connector.lines)), (1, 1), self.connector.story()
        )
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

    def test_one_after_another(self):
        self.assert_all_well(run_clients(self.pair(), 100, 1, [1, 1000]))


if __name__ == "__main__":
    main()
