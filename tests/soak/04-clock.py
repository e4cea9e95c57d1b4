#!/usr/bin/env python3
"""Clocks that jump: the wall clock does not matter to anything, and a process that stood still for
longer than the limits of its rekeys goes on."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
sys.dont_write_bytecode = True

from files import FilesScenario  # noqa: E402
from harness import (  # noqa: E402
    CUT,
    FAR,
    MIB,
    OK,
    PIPE,
    Pattern,
    main,
    not_wrapped,
    skip_unless_found,
    tally,
)

LIBRARY = os.environ.get("USI_CLOCK_LIBRARY", "")
STEPS = (-100 * 365 * 86400, -86400, -3600, -1, 0, 1, 3600, 86400, 15 * 365 * 86400)


class Clock:
    """A wall clock for processes; jump() sets it, and it can jump by itself all the time."""

    def __init__(self, path):
        self.path, self.count = path, 0
        self.environment = {"LD_PRELOAD": LIBRARY, "USI_CLOCK": path}
        self.over = threading.Event()
        self.jump(0)

    def jump(self, seconds):
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(str(seconds))
        os.replace(self.path + ".new", self.path)
        self.count += 1

    def go_mad(self):
        while not self.over.wait(0.002):
            self.jump(random.choice(STEPS))

    def __enter__(self):
        self.thread = threading.Thread(target=self.go_mad, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


@not_wrapped
@unittest.skipIf(not LIBRARY, "set USI_CLOCK_LIBRARY to the clock that is put before the program")
class WallClock(FilesScenario):
    def setUp(self):
        super().setUp()
        self.clock = Clock(self.path("clock"))
        self.mad = {"env": self.clock.environment, "key": self.key}

    def test_the_clock_itself(self):
        """It is another one for whoever is started so."""
        self.clock.jump(-3600)
        environment = {**os.environ, **self.clock.environment}
        got = subprocess.run(["date", "+%s"], capture_output=True, env=environment, check=True)
        self.assertLess(int(got.stdout), time.time() - 3000)

    def test_pipe(self):
        """Handshake, rekeys by time, and limits of time that are far away."""
        far = ["--handshake-timeout", "300", "--idle-timeout", "300", "--rekey-seconds", "1"]
        with self.clock:
            listener = self.listen(*far, "-v", "--progress", stdin=PIPE, **self.mad)
            connector = self.connect(listener, *far, stdin=PIPE, **self.mad)
            count = 0
            while not any("rekeyed 2" in line for line in listener.lines):
                connector.write(b"x" * 1000)
                count += 1000
                self.assertTrue(listener.out.reach(count))
            listener.write(b"y")
            self.assertTrue(connector.out.has(b"y"))
            for side in (connector, listener):
                side.close_stdin()
            connector.wait(OK)
            listener.wait(OK)
        self.assertEqual(len(listener.out.data), count)
        tally("the wall clock jumps while a pipe is open", self.clock.count, "nobody notices")

    def test_idle(self):
        """A limit of idle time that is near comes all the same, while the clock runs back."""
        with self.clock:
            listener = self.listen("--idle-timeout", "1", stdin=PIPE, **self.mad)
            connector = self.connect(listener, stdin=PIPE, **self.mad)
            connector.write(b"x")
            listener.wait(CUT)
            connector.wait(CUT, FAR)
        self.assert_one_line(listener, "idle")

    def test_files(self):
        """A tree keeps its times, whatever time it is."""
        self.make_tree()
        self.put("tree/big", Pattern(8 * MIB))
        with self.clock:
            sender = self.send("tree", options=["--once"], env=self.clock.environment)
            receiver = self.receive(sender, env=self.clock.environment)
            receiver.wait(OK)
            sender.wait(OK)
        self.assert_same()


@not_wrapped
class StoodStill(FilesScenario):
    def stop_and_go(self, side):
        """Data both ways, and one side stands still for longer than the hard limit of 1.5 s."""
        rekey = ["--rekey-seconds", "1"]
        data = Pattern(24 * MIB)
        listener = self.listen(*rekey, key=self.key, stdin=data, stdout=data)
        connector = self.connect(listener, *rekey, key=self.key, stdin=data, stdout=data)
        process = listener if side == "listener" else connector
        self.assertTrue(process.out.reach(MIB))
        process.signal(signal.SIGSTOP)
        time.sleep(2)
        process.signal(signal.SIGCONT)
        connector.wait(OK)
        listener.wait(OK)
        self.assert_received(listener)
        self.assert_received(connector)

    def test_stop(self):
        for side in ("listener", "connector"):
            with self.round(side=side):
                self.stop_and_go(side)
        tally("STOP for longer than a rekey's hard limit", 2, "all of it, 0 on both sides")

    @unittest.skipIf(os.geteuid() != 0, "needs root: a time namespace")
    @skip_unless_found("unshare")
    def test_other_start(self):
        """Machines whose monotonic clocks begin elsewhere."""
        late = ["unshare", "-T", "--monotonic", "300000000", "--boottime", "300000000"]
        if subprocess.run([*late, "true"], capture_output=True, check=False).returncode:
            self.skipTest("no time namespaces")
        for one, other in ((late, ()), ((), late)):
            with self.round(listener=one, connector=other):
                words = ["--rekey-bytes", "64K"]
                listener = self.listen(*words, key=self.key, before=one)
                connector = self.connect(
                    listener, *words, key=self.key, stdin=bytes(MIB), before=other
                )
                connector.wait(OK)
                listener.wait(OK)


if __name__ == "__main__":
    main()
