#!/usr/bin/env python3
"""Rekeying every 64 KiB while data flows."""

import os
import re

from harness import KIB, MIB, OK, PIPE, SLOW, USAGE, Pattern, Scenario, main
from proxy import UP, Proxy

LITTLE = ["--rekey-bytes", "64K"]
SIZE = 1 * MIB if SLOW else 8 * MIB


class Rekey(Scenario):
    def transfer(self, up, down, listen, connect):
        listener = self.listen(*listen, "-v", stdin=down, stdout=up)
        connector = self.connect(listener, *connect, "-v", stdin=up, stdout=down)
        connector.wait(OK)
        listener.wait(OK)
        self.assert_received(listener)
        self.assert_received(connector)
        return [self.rekeys(side) for side in (listener, connector)]

    def rekeys(self, process):
        """The numbers of the `rekeyed N` lines, which count from 1."""
        numbers = [int(n) for n in re.findall(r"\brekeyed (\d+)", "\n".join(process.lines))]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)), process.story()[-2000:])
        return len(numbers)

    def test_both_directions(self):
        counts = self.transfer(Pattern(SIZE), Pattern(SIZE), LITTLE, LITTLE)
        for count in counts:
            self.assertGreater(count, SIZE // (128 * KIB) // 2)

    def test_up(self):
        for count in self.transfer(Pattern(SIZE), Pattern(0), LITTLE, LITTLE):
            self.assertGreater(count, SIZE // (128 * KIB) // 2)

    def test_down(self):
        for count in self.transfer(Pattern(0), Pattern(SIZE), LITTLE, LITTLE):
            self.assertGreater(count, SIZE // (128 * KIB) // 2)

    def test_either_side_may_ask(self):
        """One side's limit is enough, whichever it is and whichever way the data goes."""
        chunk = os.urandom(64 * KIB)
        for listen, connect in ((LITTLE, []), ([], LITTLE)):
            for way in ("up", "down"):
                with self.round(listen=listen, connect=connect, way=way):
                    listener = self.listen(*listen, "-v", stdin=PIPE)
                    connector = self.connect(listener, *connect, "-v", stdin=PIPE)
                    source, target = connector, listener
                    if way == "down":
                        source, target = listener, connector
                    sent = 0
                    while sent < 4000 and not all(map(self.rekeys, (listener, connector))):
                        source.write(chunk)
                        sent += 1
                    for side in (listener, connector):
                        side.says(r"\brekeyed 1\b")
                        side.close_stdin()
                    connector.wait(OK)
                    listener.wait(OK)
                    self.assert_equal_bytes(target.out.finish(), chunk * sent)

    def test_none_without_need(self):
        counts = self.transfer(Pattern(SIZE), Pattern(SIZE), [], [])
        self.assertEqual(counts, [0, 0])

    def test_every_size(self):
        for bits in (128, 192, 256):
            with self.round(bits=bits):
                self.key = self.key_file("sized", os.urandom(bits // 8).hex())
                counts = self.transfer(Pattern(MIB), Pattern(MIB), LITTLE, LITTLE)
                self.assertGreater(min(counts), 0)

    def test_hard_limit_holds(self):
        """Not more than twice the bytes under one key: between two of the connector's rekeys
        lies little data."""
        pattern = Pattern(SIZE)
        listener = self.listen(*LITTLE, stdout=pattern)
        proxy = Proxy(listener.address)
        self.addCleanup(proxy.close)
        connector = self.connect(proxy.address, *LITTLE, "-v", stdin=pattern)
        connector.wait(OK)
        listener.wait(OK)
        self.assert_received(listener)
        rekeys = self.rekeys(connector)
        self.assertGreaterEqual(rekeys + 1, sum(proxy.relay().frames[UP]) // (128 * KIB))

    def test_stalled_reader(self):
        """Nobody reads one direction while the other is rekeyed again and again."""
        listener = self.listen(*LITTLE, stdin=PIPE)
        drain, out = os.pipe()
        connector = self.connect(listener, *LITTLE, stdin=Pattern(SIZE // 2), stdout=out)
        os.close(out)
        listener.write(bytes(32 * KIB))
        self.assertTrue(listener.out.reach(SIZE // 2))
        listener.close_stdin()
        got = 0
        while chunk := os.read(drain, 65536):
            got += len(chunk)
        os.close(drain)
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(got, 32 * KIB)

    def test_by_time(self):
        """Every second, while a few bytes go to and fro."""
        listener = self.listen("-v", "--rekey-seconds", "1", stdin=PIPE)
        connector = self.connect(listener, "-v", "--rekey-seconds", "1", stdin=PIPE)
        connector.write(b"before")
        self.assertTrue(listener.out.has(b"before"))
        listener.says(r"\brekeyed 2\b")
        connector.says(r"\brekeyed 2\b")
        connector.write(b"after")
        listener.write(b"after")
        self.assertTrue(listener.out.has(b"after") and connector.out.has(b"after"))
        listener.close_stdin()
        connector.close_stdin()
        connector.wait(OK)
        listener.wait(OK)

    def test_least_limit(self):
        self.run_program(
            "connect", "127.0.0.1:1", "--key-file", self.key, "--rekey-bytes", "65535", status=USAGE
        )
        for text in ("65536", "64K", "1M", "64G"):
            self.check(self.listen("--rekey-bytes", text), "--rekey-bytes", text)


if __name__ == "__main__":
    main()
