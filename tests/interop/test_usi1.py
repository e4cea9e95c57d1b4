#!/usr/bin/env python3
"""usi1.py against itself: that the judge of the others follows PROTOCOL.md too."""

import os
import unittest

import usi1
from usi1 import Channel, Refused

KI = bytes(range(32))


class Pair(unittest.TestCase):
    def setUp(self):
        self.pair()

    def pair(self, ki=(KI, KI), name=(b"", b""), **how):
        self.connector = Channel(ki[0], True, name[0], **how)
        self.listener = Channel(ki[1], False, name[1], **how)

    def carry(self, piece=0):
        """Moves what waits, both ways, until nothing does."""
        moved = True
        while moved:
            moved = False
            for here, there in ((self.connector, self.listener), (self.listener, self.connector)):
                octets = here.take()
                moved = moved or octets
                for i in range(0, len(octets), piece or len(octets) or 1):
                    there.receive(octets[i : i + (piece or len(octets))])

    def up(self, **how):
        self.carry(**how)
        self.expect(self.connector, ("authenticated",))
        self.expect(self.listener, ("knock",), ("authenticated",))
        return self.connector, self.listener

    def expect(self, channel, *events):
        self.assertEqual(list(channel.events), list(events))
        channel.events.clear()

    def data(self, channel):
        data = b"".join(e[1] for e in channel.events if e[0] == "data")
        rekeys = sum(e[0] == "rekeyed" for e in channel.events)
        channel.events.clear()
        return data, rekeys

    def finish(self):
        c, l = self.connector, self.listener
        c.end()
        l.end()
        self.carry()
        self.expect(c, ("end",))
        self.expect(l, ("end",))
        l.bye()
        c.bye()
        self.carry()
        self.expect(c, ("bye",))
        self.expect(l, ("bye",))
        self.assertTrue(c.idle and l.idle)

    def open(self, **how):
        c, l = self.up(**how)
        c.open()
        self.carry()
        self.expect(l, ("open",))
        return c, l


class Streams(Pair):
    def test_two_in_a_row(self):
        c, l = self.up()
        for text in (b"one", b"two!"):
            c.open()
            c.data(text)
            l_events = [("open",), ("data", text)]
            self.carry()
            self.expect(l, *l_events)
            l.data(text * 2)
            self.carry()
            self.expect(c, ("data", text * 2))
            self.finish()

    def test_single_octets_and_any_padding(self):
        for pad in (usi1.usual_padding, lambda kind, size: 0, lambda kind, size: 255):
            self.pair(name=(b"n", b"n"))
            self.connector.pad = self.listener.pad = pad
            c, l = self.open(piece=1)
            c.data(b"abcdef", 1)
            self.carry(piece=1)
            self.assertEqual(self.data(l), (b"abcdef", 0))
            self.finish()

    def test_check(self):
        c, l = self.up()
        c.check()
        self.carry()
        self.expect(c, ("bye",))
        self.expect(l, ("check",))

    def test_ping_and_abort(self):
        c, l = self.open()
        l.ping(b"here?")
        self.carry()
        self.expect(l, ("pong", b"here?"))
        l.abort(8)
        self.carry()
        self.expect(c, ("abort", 8))


class Rekeys(Pair):
    def test_by_each_side(self):
        c, l = self.open()
        for side in (c, l):
            old = c.previous
            c.data(b"a")
            side.rekey()
            side.rekey()  # under way: nothing
            c.data(b"b")
            l.data(b"c")
            self.carry()
            self.assertEqual(self.data(l), (b"ab", 1))
            self.assertEqual(self.data(c), (b"c", 1))
            self.assertEqual(c.previous, l.previous)
            self.assertNotEqual(c.previous, old)
        self.finish()

    def test_limits_in_octets(self):
        """Data is held, not lost, and no direction passes twice the limit."""
        for sender_limit, receiver_limit in ((1 << 16, 1 << 36), (1 << 36, 1 << 16), (1 << 16, 1 << 16)):
            for from_connector in (True, False):
                self.pair()
                c, l = self.open()
                here, there = (c, l) if from_connector else (l, c)
                here.limit, there.limit = sender_limit, receiver_limit
                text = os.urandom(200_000)
                for i in range(0, len(text), 3000):
                    here.data(text[i : i + 3000])
                    if sender_limit < usi1.REKEY_BYTES:
                        self.assertLessEqual(here.sender.wire, 2 * sender_limit)
                    if there.receiver.wire >= receiver_limit:
                        there.rekey()
                    if i % 9000 == 0:
                        self.carry()
                self.carry()
                self.assertEqual(here.queue, b"")
                data, rekeys = self.data(there)
                self.assertEqual(data, text)
                self.assertGreaterEqual(rekeys, 1)

    def test_an_ask_that_came_to_nothing_is_repeated(self):
        c, l = self.open()
        c.end()
        l.end()
        self.carry()
        c.bye()
        l.rekey()  # crosses the bye: the connector does not answer it
        self.carry()
        l.bye()
        self.carry()
        self.assertNotIn(("rekeyed",), l.events)
        c.open()
        self.carry()
        l.rekey()
        self.carry()
        self.assertIn(("rekeyed",), l.events)


class Refusals(Pair):
    def test_another_key_or_name(self):
        for how in ({"ki": (KI, bytes(32))}, {"ki": (KI[:16], KI)}, {"name": (b"a", b"b")}):
            self.pair(**how)
            with self.assertRaises(Refused):
                self.carry()
            self.assertEqual(self.listener.take(), b"")

    def test_every_octet_of_the_handshake(self):
        """No octet of either message can be changed."""
        for turn in (0, 1):
            i = 0
            while True:
                self.pair(ki=(KI[:16], KI[:16]))
                here, there = self.connector, self.listener
                if turn:
                    there.receive(here.take())
                    here, there = there, here
                message = bytearray(here.take())
                if i >= len(message):
                    break
                message[i] ^= 0x80 if i > 1 else 1
                with self.subTest(turn=turn, octet=i), self.assertRaises(Refused):
                    there.receive(bytes(message))
                    self.assertTrue(there.inbox)  # a length that grew: what comes next breaks it
                    there.receive(bytes(256))
                i += 11

    def test_records(self):
        def flipped(records):
            return [records[0][:-1] + bytes([records[0][-1] ^ 1])]

        changes = {
            "flipped": flipped,
            "dropped": lambda records: records[1:],
            "repeated": lambda records: [records[0], records[0]],
            "swapped": lambda records: records[::-1],
            "length": lambda records: [b"\0\2" + records[0][2:]],
            "too short": lambda records: [b"\0\0\0\x10" + bytes(16)],
        }
        for title, change in changes.items():
            with self.subTest(title):
                self.pair()
                c, l = self.open()
                c.data(b"one")
                c.data(b"two")
                records = change(c.outbox)
                with self.assertRaises(Refused):
                    for record in records:
                        l.receive(record)

    def test_order(self):
        """Records without a place, to the listener; before and after `open`."""
        cases = [
            (usi1.DATA, b"x", False), (usi1.END, bytes(8), False), (usi1.OPEN, b"x", False),
            (usi1.OPEN, b"", True), (usi1.BYE, b"", True), (usi1.END, bytes(7), True),
            (usi1.END, b"\1" * 8, True), (usi1.PROOF, bytes(16), True), (usi1.SWITCH, b"", True),
            (usi1.REKEY_2, bytes(81), True), (usi1.ASK, b"", True), (usi1.PING, bytes(33), True),
            (usi1.ABORT, b"", True), (0, b"", True), (5, b"", True), (99, b"", True),
        ]
        for kind, content, opened in cases:
            with self.subTest(kind=kind, content=content, opened=opened):
                self.pair()
                c, l = self.open() if opened else self.up()
                c.seal(kind, content)
                with self.assertRaises(Refused):
                    self.carry()

    def test_the_proof_comes_first(self):
        for rekey in (False, True):
            self.pair()
            c, l = self.connector, self.listener
            if rekey:
                self.open()
                c.rekey()
            l.receive(c.take())
            c.receive(l.take())
            c.outbox.pop()  # the proof
            c.seal(usi1.PING, b"")
            with self.assertRaises(Refused):
                l.receive(c.take())


if __name__ == "__main__":
    unittest.main()
