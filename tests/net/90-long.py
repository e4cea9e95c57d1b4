#!/usr/bin/env python3
"""Each kind of bad network by itself, cuts at random moments, and a peer that vanishes, for as long
as the long tests go on."""

import random
import time

from traffic import LITTLE, TrafficScenario
from wire import congestion_controls

from harness import (
    CUT,
    KIB,
    LONG_SECONDS,
    MIB,
    NO_AUTHENTICATION,
    NO_CONNECTION,
    OK,
    PIPE,
    Pattern,
    main,
    tally,
)

KINDS = {
    "delay of 50 to 80 ms each way": {"delay": 50, "jitter": 30},
    "5 % of the packets lost": {"delay": 2, "loss": 5},
    "20 % of the packets doubled": {"delay": 5, "duplicate": 20},
    "20 % of the packets overtaken": {"delay": 5, "reorder": 20, "late": 3},
    "a link of 2 Mbit/s with a queue of 32 KiB": {"delay": 10, "rate": 2, "queue": 32},
    "packets of 600 octets, a few lost": {"delay": 2, "loss": 1, "mtu": 600},
    "all of these": {"delay": 10, "jitter": 10, "loss": 2, "duplicate": 10, "reorder": 10,
                     "rate": 20, "queue": 64},
}
COMPLETE = "everything arrived, nothing wrong"


class Long(TrafficScenario):
    """`share` of the time is for each."""

    def going(self, share):
        end = time.monotonic() + LONG_SECONDS * share
        while time.monotonic() < end:
            self.seed = random.randrange(1 << 32)
            yield

    def test_kinds(self):
        times = dict.fromkeys(KINDS, 0)
        for _ in self.going(0.4):
            for kind, settings in KINDS.items():
                congestion = random.choice(congestion_controls())
                with self.round(kind=kind, congestion=congestion, seed=self.seed):
                    self.lay(congestion, **settings)
                    self.crosses()
                    times[kind] += 1
        for kind, count in times.items():
            tally(f"network: {kind}", count, COMPLETE)

    def test_cuts(self):
        """For a while, and back."""
        count = 0
        for _ in self.going(0.3):
            with self.round(seed=self.seed):
                chance = random.Random(self.seed)
                self.lay(delay=chance.uniform(0, 20), rate=20)
                jobs = self.everything(size=2 * MIB)
                for job in jobs:
                    job.begun()
                for _ in range(chance.randrange(1, 4)):
                    self.wire.cut(chance.randrange(100))
                    time.sleep(chance.uniform(0.1, 3))
                    self.wire.restore()
                    time.sleep(chance.uniform(0, 0.5))
                    count += 1
                self.crosses(*jobs)
        tally("network: cut for up to 3 s, and back", count, COMPLETE)

    def test_cut_at_any_packet(self):
        """For good, behind each of the first packets of a small pipe and behind random ones of a
        large pipe."""
        limits = ["--handshake-timeout", "1", "--idle-timeout", "1", "--drain", "1"]
        found = dict.fromkeys((OK, NO_CONNECTION, NO_AUTHENTICATION, CUT), 0)
        for packets, _ in enumerate(self.going(0.3)):
            large = packets % 2
            data = Pattern(256 * KIB if large else 100)
            packets = random.Random(self.seed).randrange(600) if large else packets // 2 % 40
            with self.round(packets=packets, size=data.size):
                self.lay(delay=1)
                listener = self.listen(*limits, *LITTLE, stdin=data, stdout=data)
                self.wire.cut(packets)
                connector = self.connect(
                    listener, "--timeout", "1", *limits, *LITTLE, stdin=data, stdout=data
                )
                status = connector.wait(*found)
                found[status] += 1
                if status in (NO_CONNECTION, NO_AUTHENTICATION):
                    self.assertEqual(connector.out.count, 0)
                    if listener.running():
                        listener.kill()  # it waits for somebody who comes
                else:
                    self.assertIn(listener.wait(), (OK, CUT), listener.story())
                for side in (listener, connector):
                    problem = side.out.problem()
                    self.assertIsNone(side.out.wrong_at, side.story())
                    if side.popen.returncode == OK:
                        self.assertIsNone(problem, side.story())
        what = {OK: "in time", NO_CONNECTION: "before the connection",
                NO_AUTHENTICATION: "in the handshake", CUT: "behind it"}
        for status, count in found.items():
            tally(f"network: cut for good, {what[status]}", count, f"status {status}")

    def test_vanished(self):
        """Without any timer of ours: the system finds out, by keep-alive or because nothing that
        is sent arrives, here after few retransmissions."""
        self.lay(delay=1)
        for machine in (self.wire.near, self.wire.far):
            machine.sysctl("tcp_retries2", 3)
        quiet = self.listen(stdin=PIPE)
        quiet = [quiet, self.connect(quiet, stdin=PIPE)]
        quiet[1].write(b"x")
        self.assertTrue(quiet[0].out.has(b"x"))
        self.wire.set(rate=10)
        busy = self.listen(stdin=Pattern(8 * MIB))
        busy = [busy, self.connect(busy, stdin=Pattern(8 * MIB))]
        for side in busy:
            self.assertTrue(side.out.reach(1))
        self.wire.cut()
        for side in busy:
            side.wait(CUT)
            side.says("timed out")
        for side in quiet:
            side.popen.wait(300)
            side.wait(CUT)
            side.says("timed out")
        tally("network: a peer that vanishes without any timer set", 4, "status 5")


if __name__ == "__main__":
    main()
