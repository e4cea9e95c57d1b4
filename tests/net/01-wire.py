#!/usr/bin/env python3
"""Pipes, forwards, files and chats over a bad network, one that is cut for a while, and one that
never comes back."""

import signal
import time

from traffic import TrafficScenario

from harness import CUT, MIB, NO_AUTHENTICATION, NO_CONNECTION, OK, main

SOON = ["--idle-timeout", "1", "--drain", "0.3"]


class Bad(TrafficScenario):
    def test_all_at_once(self):
        """Late, lost, doubled and in another order, by a narrow link with a short queue."""
        self.lay(delay=5, jitter=3, loss=1, duplicate=5, reorder=10, rate=100, queue=64)
        self.crosses()

    def test_cut_and_back(self):
        """What stood goes on."""
        self.lay(delay=5, rate=20)
        jobs = self.everything()
        for job in jobs:
            job.begun()
        self.wire.cut()
        time.sleep(1)
        self.wire.restore()
        self.crosses(*jobs)


class Gone(TrafficScenario):
    """A network that is cut for good."""

    def test_idle_timeout(self):
        """Each side ends by its own timer, with the status of a cut; no stream ends cleanly; what
        came of a file is gone on with later."""
        self.lay(delay=5, rate=10)
        jobs = [job(*SOON, size=4 * MIB) for job in (self.pipe, self.forward, self.files)]
        for job in jobs:
            job.begun()
        self.wire.cut()
        for job in jobs:
            job(CUT)
        self.wire.set(rate=0)
        self.wire.restore()
        jobs[-1].again()

    def test_sigterm(self):
        """Listeners end by --drain, and say so."""
        self.lay(delay=5, rate=10)
        options = ["--drain", "0.3"]
        for job in self.everything(*options, size=4 * MIB):
            job.begun()
        self.wire.cut()
        listeners = [p for p in self.processes if "listen" in p.arguments[:2]]
        for listener in listeners:
            listener.signal(signal.SIGTERM)
        for listener in listeners:
            listener.wait(CUT)
            self.assertIn("in time (--drain): cut off", listener.lines[-1])

    def test_before_the_channel(self):
        """Nobody answers: no connection. Then nobody answers the handshake: no authentication."""
        limits = ["--timeout", "1", "--handshake-timeout", "1"]
        for packets, status in ((1, NO_CONNECTION), (3, NO_AUTHENTICATION)):
            with self.round(packets=packets):
                self.lay(delay=1)
                listener = self.listen("-k", *limits[2:])
                self.wire.cut(packets)
                self.connect(listener, *limits, stdin=b"x").wait(status)
                self.assertEqual(listener.out.count, 0)
                self.wire.restore()
                self.check(listener, status=OK)


if __name__ == "__main__":
    main()
