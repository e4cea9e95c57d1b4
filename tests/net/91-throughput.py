#!/usr/bin/env python3
"""100 ms there and back, 100 Mbit/s, nothing lost: does a tunnel carry as much as TCP by itself?
Sockets whose buffers do not grow would carry a tenth. By turns, so that both have the same weather;
what counts is the median of the rounds' ratios."""

import os
import queue
import statistics
import threading
import time
import unittest

from wire import WireScenario, congestion_controls

from harness import LISTENING, MIB, OK, Pattern, Server, dial, main, tally

LEAST = 0.9
ROUNDS = 3
SIZE = 96 * MIB  # 8 s, a second of them slow start
LINK = {"delay": 50, "rate": 100, "queue": 16384}  # no socket fills such a queue
CHUNK = 256 * 1024


class Meter(threading.Thread):
    """Reads to the end, by its own clock from the first octets on."""

    def __init__(self, read):
        super().__init__(daemon=True)
        self.read, self.count, self.seconds = read, 0, 0
        self.start()

    def run(self):
        buffer = bytearray(CHUNK)
        self.count = self.read(buffer)
        begun = time.monotonic()
        while size := self.read(buffer):
            self.count += size
        self.seconds = time.monotonic() - begun

    def rate(self):
        """MiB/s, when all is there."""
        self.join()
        if self.count != SIZE:
            raise AssertionError(f"{self.count} octets instead of {SIZE}")
        return self.count / MIB / self.seconds


class Throughput(WireScenario):
    def to_server(self, host, way_to):
        """Octets from the near machine by way_to(server) to a server on the far one."""
        meters = queue.Queue()

        def take(peer):
            meter = Meter(peer.recv_into)
            meters.put(meter)
            meter.join()

        server = self.wire.far.do(lambda: Server(take, host=host))
        address = way_to(server)
        with self.wire.near.do(lambda: dial(address)) as peer:
            peer.settimeout(None)
            for chunk in Pattern(SIZE):
                peer.sendall(chunk)
        found = meters.get().rate()
        server.close()
        self.kill_all()
        return found

    def plain(self):
        return self.to_server(self.wire.far.host, lambda server: server.address)

    def forward(self):
        def tunnel(server):
            listener = self.listen("--forward", server.address)
            return self.connect(listener, "-L", "127.0.0.1:0").says(LISTENING).group(1)

        return self.to_server("127.0.0.1", tunnel)

    def pipe(self):
        read_end, write_end = os.pipe()
        with open(write_end, "wb") as out:
            listener = self.listen(stdout=out)
        with open(read_end, "rb", buffering=0) as come:
            meter = Meter(come.readinto)
            connector = self.connect(listener, stdin=Pattern(SIZE))
            connector.wait(OK)
            listener.wait(OK)
            return meter.rate()

    def compare(self, congestion):
        ratios = {"pipe": [], "forward": []}
        self.lay(congestion, **LINK)
        for _ in range(ROUNDS):
            plain = self.plain()
            for way, found in ratios.items():
                rate = getattr(self, way)()
                found.append(rate / plain)
                print(f"{congestion}: plain {plain:.2f}, {way} {rate:.2f} MiB/s", flush=True)
        self.assertEqual(self.wire.count()[1], 0, "packets were lost")
        for way, found in ratios.items():
            ratio = statistics.median(found)
            tally(f"network: 100 ms, {congestion}, throughput of a {way}", ROUNDS,
                  f"{ratio:.2f} of plain TCP's")
            self.assertGreaterEqual(ratio, LEAST, way)

    def test_reno(self):
        self.compare("reno")

    @unittest.skipUnless("bbr" in congestion_controls(), "this kernel does not offer bbr")
    def test_bbr(self):
        self.compare("bbr")


if __name__ == "__main__":
    main()
