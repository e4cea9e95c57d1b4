"""Many idle channels, and others that come and go all the time: memory and descriptors stay flat."""

import os
import resource
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
sys.dont_write_bytecode = True

import meter  # noqa: E402
from clients import run_clients  # noqa: E402
from harness import LIMIT, SANITIZED, WRAP, Scenario, dial, tally, until  # noqa: E402
from streams import Sink  # noqa: E402

AT_ONCE = 24  # streams that come and go
TOUCH = 25  # seconds


REMEMBERED = 65_536  # challenges, by a listener: until then its memory grows


class Meters(threading.Thread):
    """What processes use, once in a while: points of (streams so far, KiB, sockets and files)."""

    def __init__(self, processes, every):
        super().__init__(daemon=True)
        self.every, self.over, self.streams = every, threading.Event(), 0
        self.points = {process: [] for process in processes}
        self.start()

    def run(self):
        while not self.over.wait(self.every):
            for process, points in self.points.items():
                count = meter.descriptors(process.pid)
                points.append((self.streams, meter.resident(process.pid), count))

    def finish(self):
        self.over.set()
        self.join()


class IdleScenario(Scenario):
    COUNT = 500
    SECONDS = 3
    EVERY = 0.1
    NOISE = 768  # KiB, by which the memory of a process goes up and down anyhow

    def setUp(self):
        super().setUp()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
        if limits[1] < 2 * self.COUNT + 200:
            self.skipTest(f"needs {2 * self.COUNT + 200} descriptors a process (ulimit -n)")
        path = self.path("target")
        echo = [sys.executable, "-B", os.path.join(HERE, "load.py"), "echo", path]
        target = subprocess.Popen(echo, stdout=subprocess.PIPE, bufsize=0)
        self.addCleanup(target.wait)
        self.addCleanup(target.kill)
        self.addCleanup(target.stdout.close)
        self.assertTrue(Sink(os.dup(target.stdout.fileno())).has(b"{}\n"))
        threads = ["--threads", "2"]
        self.listener = self.listen("--forward", "unix:" + path, *threads)
        self.connector = self.connect(self.listener, "-L", "127.0.0.1:0", *threads).ready()
        self.address = self.connector.address

    def dial_idle(self):
        """Streams that are open and stay so, a few at a time."""
        idle = []
        while len(idle) < self.COUNT:
            some = [dial(self.address) for _ in range(min(50, self.COUNT - len(idle)))]
            for peer in some:
                self.addCleanup(peer.close)
            self.assert_alive(some)
            idle += some
        return idle

    def assert_alive(self, peers):
        for peer in peers:
            peer.sendall(b"x")
        for peer in peers:
            self.assertEqual(peer.recv(1), b"x")

    def channels(self, process):
        """As the process has them: each is two sockets of its own, besides the one that listens."""
        return (meter.descriptors(process.pid) - 1) / 2

    def wait_for_channels(self, process, count):
        try:
            until(lambda: self.channels(process) == count, f"{count} channels")
        except AssertionError as error:
            raise AssertionError(f"{error}: it has {self.channels(process)}") from None

    def come_and_go(self, meters, idle):
        """An octet on each idle channel now and then: so many keep-alive probes at one time are more
        than the loopback's queue (net.core.netdev_max_backlog) takes, and who loses four of them is
        cut."""
        end = time.monotonic() + self.SECONDS
        touch = time.monotonic() + TOUCH
        while time.monotonic() < end:
            if time.monotonic() > touch:
                for start in range(0, len(idle), 50):
                    self.assert_alive(idle[start : start + 50])
                touch = time.monotonic() + TOUCH
            problems = run_clients(self.address, 200, AT_ONCE, [0, 1, 1000, 5000])
            self.assertEqual(problems, [])
            meters.streams += 200

    def crowd(self):
        both = (self.listener, self.connector)
        idle = self.dial_idle()
        self.assertEqual(run_clients(self.address, 1000, AT_ONCE, [5000]), [])
        meters = Meters(both, self.EVERY)
        begun = time.monotonic()
        self.come_and_go(meters, idle)
        meters.finish()
        rate = meters.streams / (time.monotonic() - begun)
        for process in both:
            self.wait_for_channels(process, self.COUNT)
        self.assert_alive(idle)
        for process, points in meters.points.items():
            self.judge(process, points, rate)
        for peer in idle:
            peer.close()
        for process in both:
            self.wait_for_channels(process, 0)
            name = process.arguments[0]
            print(f"{name}: {meter.resident(process.pid)} KiB when all are gone", file=sys.stderr)
            self.assertEqual(len(process.lines), 1, process.story())

    def judge(self, process, points, rate):
        """Flat: once it remembers all the challenges that it will, or else but for what they take."""
        settled = [point for point in points if point[0] > REMEMBERED]
        octets = 8 if len(settled) >= 10 else 64  # that a stream may have left behind
        points = settled if len(settled) >= 10 else points[len(points) // 4 :]
        memory = [(streams, kib) for streams, kib, _ in points]
        least, most = min(k for _, k in memory), max(k for _, k in memory)
        grown = meter.slope(memory) * (memory[-1][0] - memory[0][0])
        sockets = max(n for _, _, n in points)
        name, count = process.arguments[0], points[-1][0]
        said = f"{least}..{most} KiB, by least squares {grown:+.0f} KiB in all"
        curve = " ".join(str(kib) for _, kib in memory[:: max(1, len(memory) // 10)])
        print(
            f"{name}: {self.COUNT} idle channels, {count} that came and went, {rate:.0f}/s: "
            f"{said}; at most {sockets} sockets and files; KiB over time: {curve}",
            file=sys.stderr,
        )
        # The streams on their way, and those whose close is; every one is two sockets.
        self.assertLessEqual(sockets, 1 + 2 * (self.COUNT + 4 * AT_ONCE), process.story())
        if not (SANITIZED or WRAP):
            self.assertLess(grown, (memory[-1][0] - memory[0][0]) * octets / 1024 + self.NOISE)
        tally(
            f"{self.COUNT} idle channels and {rate:.0f}/s that come and go ({name})",
            count,
            f"memory {said}; no descriptor left",
        )


__all__ = ["LIMIT", "IdleScenario"]
