#!/usr/bin/env python3
"""The dissector over captures that are spoiled, cut short or made to hurt: notes, and never an error."""

import os
import random
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from capture import Capture, Session  # noqa: E402
from tshark import Tshark, skip_without_tshark  # noqa: E402

import harness  # noqa: E402
import usi1  # noqa: E402
from identity import Identity  # noqa: E402
from password import Password  # noqa: E402

KI = bytes(range(32))
SEED = 20240229


def flipped(octets, at):
    return octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]


class Hostile(Tshark):
    def setUp(self):
        super().setUp()
        self.capture, self.sessions = Capture(), []

    def session(self, credential=KI, snap=None, **how):
        """One more in the capture."""
        self.sessions.append(Session(self.capture.connect(snap=snap), credential, **how).up())
        return self.sessions[-1]

    def read_all(self):
        """A list of units for each connection: the same in a second pass."""
        path, log = self.write(self.capture, *self.sessions)
        units = self.units(path, keylog=log)
        again = self.units(path, "-2", keylog=log)
        self.assertEqual([(u.text, u.notes) for u in units], [(u.text, u.notes) for u in again])
        streams = [[] for _ in range(1 + max(unit.stream for unit in units))]
        for unit in units:
            streams[unit.stream].append(unit)
        return streams

    def read_records(self):
        """Of the only one, without messages and proof."""
        return self.read_all()[0][3:]

    def notes(self, units):
        return [unit.notes for unit in units]


@skip_without_tshark
class Spoiled(Hostile):
    def changed(self, changes):
        """For each change a channel with three records of data, the second changed on its way, and one the other way:
        the records that are shown."""
        for change in changes:
            session = self.session()
            for sender, channel, texts in (("c", session.c, "abc"), ("l", session.l, "z")):
                for text in texts:
                    channel.seal(usi1.DATA, text.encode() * 1000)
                    octets = channel.take()
                    session.capture(sender, change(octets) if text == "b" else octets)
        streams = [units[3:] for units in self.read_all()]
        self.assertEqual(len(streams), len(changes))
        return streams

    def lengths(self, *lengths):
        """Changes of the length."""
        return [lambda octets, n=length: struct.pack(">I", n) + octets[4:] for length in lengths]

    def test_an_octet(self):
        """That record's tag is wrong; the others open."""
        for units in self.changed([lambda octets, at=at: flipped(octets, at) for at in (4, 500, 1003, 1004, 1020)]):
            self.assertEqual(self.notes(units), [set(), {"tag"}, set(), set()])
            self.assertEqual(self.data(units, "connector"), b"a" * 1000 + b"c" * 1000)
            self.assertEqual(self.data(units, "listener"), b"z" * 1000)
            self.assertIsNone(units[1]["type"])

    def test_wrong_tag_is_said(self):
        self.changed([lambda octets: flipped(octets, 100)])
        shown = self.tshark(self.path("capture.pcap"), "-Y", "usi.expert.tag", keylog=self.path("keys"))
        self.assertEqual(shown.count("connector: record with a wrong tag"), 1)

    def test_impossible_lengths(self):
        """What follows in that direction has no place; the other goes on."""
        for units in self.changed(self.lengths(0, 16, 65809, 2**31, 2**32 - 1)):
            self.assertEqual(self.notes(units), [set(), {"length"}, {"lost"}, set()])
            self.assertEqual(self.data(units, "listener"), b"z" * 1000)

    def test_another_length(self):
        """Possible, but not its own: one that ends too soon, one that runs into what follows."""
        for units in self.changed(self.lengths(17, 1000, 1018, 65808)):
            self.assertEqual(units[0].notes, set())
            self.assertEqual(self.data(units, "connector"), b"a" * 1000)
            self.assertEqual(self.data(units, "listener"), b"z" * 1000)

    def test_repeated_and_swapped(self):
        """A record opens in its own place alone."""
        session = self.session()
        made = []
        for text in "abc":
            session.c.seal(usi1.DATA, text.encode())
            made.append(session.c.take())
        for octets in (made[0], made[0], made[2]):
            session.capture("c", octets)
        session.capture("l", made[0])
        self.assertEqual(self.notes(self.read_records()), [set(), {"tag"}, set(), {"tag"}])

    def test_messages(self):
        """Lengths and parts that do not fit."""
        first = b"USI1\1\3\0\6office" + bytes(32 + 64)
        second = bytes(1 + 32 + 48)
        kem = b"USI1\1\3\1\0" + bytes(32 + 64)

        def sized(body, size=None):
            return struct.pack(">H", len(body) if size is None else size) + body

        cases = [  # first message, second, notes of each
            (sized(first), sized(second), [set(), set()]),
            (sized(first[:-1]), sized(second), [{"form"}, set()]),
            (sized(first + b"x"), sized(second + b"x"), [{"form"}, {"form"}]),
            (sized(first[:7] + b"\xff" + first[8:]), sized(b"x"), [{"form"}, {"form"}]),
            (sized(kem), sized(b"\1" + second[1:]), [{"form"}, {"form"}]),
            (sized(first, 39), b"", [{"lost"}]),
            (sized(first, 2049), b"", [{"lost"}]),
            (sized(first, 65535), b"", [{"lost"}]),
            (sized(first), sized(second, 0), [set(), {"length"}]),
            (sized(first), sized(second, 2305), [set(), {"length"}]),
            (sized(b"USI1\5" + first[5:]), b"", [{"lost"}]),
            (sized(b"USI1\2\7\0\0" + bytes(64)), sized(bytes(33)), [set(), {"form"}]),
            (sized(b"USI1\3\3\0\0" + bytes(64)), sized(bytes(80)) + sized(bytes(1)), [{"form"}, {"form"}, {"form"}]),
        ]
        for up, down, _ in cases:
            wire = self.capture.connect()
            wire.send("c", up)
            wire.send("l", down)
        streams = self.read_all()
        self.assertEqual([self.notes(units) for units in streams], [notes for _, _, notes in cases])

    def test_contents(self):
        """Records that open, but have another form than theirs."""
        carried = bytes(8) + bytes([36]) + bytes(8) + bytes([36])
        cases = [  # type, content, padding, notes
            (usi1.DATA, b"", 0, set()), (usi1.DATA, b"x", 255, set()), (usi1.DATA, b"x", 256, {"form"}),
            (0, b"", 0, {"form"}), (0, b"", 100, {"form"}), (99, b"x", 0, {"type"}), (5, b"", 0, {"type"}),
            (usi1.END, bytes(7), 0, {"form"}), (usi1.END, bytes(9), 0, {"form"}), (usi1.END, b"", 0, {"form"}),
            (usi1.BYE, b"x", 0, {"form"}), (usi1.OPEN, b"\1\2", 0, {"form"}), (usi1.ABORT, b"", 0, {"form"}),
            (usi1.PROOF, bytes(15), 0, {"form"}), (usi1.REKEY_1, b"USI1", 0, {"form"}),
            (usi1.REKEY_1, b"", 0, {"form"}), (usi1.REKEY_2, b"\1", 0, {"form"}),
            (usi1.QUESTION, b"x" * 300, 0, {"form"}), (usi1.VERDICT, b"\1" * 40, 0, {"form"}),
            (32, b"\1\xff", 0, {"form"}), (33, b"", 0, {"form"}),
            (49, b"\0\0\0\1\4anna\1\xff", 0, {"form"}), (36, carried, 0, {"form"}), (36, bytes(9), 0, {"form"}),
            (53, bytes(8) + bytes([90]) + b"x", 0, {"type"}), (63, b"", 0, {"type"}), (66, bytes(33), 0, {"form"}),
            (33, b"\0\xff\xfe\x1b[31m\xe2\x80\xae", 0, set()), (51, b"\0" * 9, 0, set()),
        ]
        session = self.session()
        for number, content, padding, _ in cases:
            session.capture("c", session.c.sender.seal(number, content, padding))
        units = self.read_records()
        for unit, case in zip(units, cases):
            self.assertEqual(unit.notes, case[3], (case, unit.text))
        self.assertEqual(len(units), len(cases))


@skip_without_tshark
class Cut(Hostile):
    def test_packets_cut_short(self):
        """What is whole opens, if its place is known."""
        session = self.session(snap=400)
        for content in (b"whole", b"x" * 1000, b"whole"):
            session.c.seal(usi1.DATA, content)
            session.capture("c", session.c.take())
        units = self.read_records()
        self.assertEqual(self.notes(units), [set(), {"cut"}, set()])
        self.assertEqual(self.data(units, "connector"), b"wholewhole")

    def test_every_size(self):
        for snap in [*range(41, 60), *range(60, 400, 37)]:
            self.session(snap=snap).transfer(b"up" * 400, b"down", 100)
        for units in self.read_all():
            self.assertIn("cut", {note for unit in units for note in unit.notes})

    def without(self, count, step, keep):
        """Channels from whose packets something is missing: keep gives what is left, for 0, step..."""
        whole, self.capture = self.capture, Capture()
        for missing in range(0, count, step):
            self.capture.packets = []
            session = self.session(segment=300)
            session.transfer(os.urandom(4000), os.urandom(2000), 700)
            whole.packets += keep(self.capture.packets, missing)
        self.capture = whole
        return self.read_all()

    def test_begun_too_late(self):
        """Without the beginning records are told by their lengths, at the most, and nothing opens."""
        for units in self.without(27, 3, lambda packets, missing: packets[3 + missing :]):
            self.assertLessEqual({note for unit in units for note in unit.notes}, {"no_key", "lost"})
            self.assertEqual(self.data(units, "connector"), b"")

    def test_packets_missing(self):
        self.without(33, 1, lambda packets, missing: packets[:missing] + packets[missing + 1 :])

    def test_no_reassembly(self):
        session = self.session(segment=300)
        session.transfer(os.urandom(9000))
        path, log = self.write(self.capture, session)
        units = self.units(path, "-o", "tcp.desegment_tcp_streams:FALSE", keylog=log)
        self.assertTrue(any("cut" in unit.notes for unit in units))


@skip_without_tshark
class Random(Hostile):
    def test_any_octets(self):
        """Many connections whose records are of any type and content, with changes at random places."""
        draw = random.Random(SEED)
        word = Password("correct horse"), Password("correct horse", bytes(16))
        made = [self.session_of(who, draw).sent for who in (KI, KI, KI, Identity(), Identity(), word)]
        for _ in range(150):
            streams = draw.choice(made)
            wire = self.capture.connect()
            for sender in "cl":
                octets = bytearray(streams[sender])
                for _ in range(draw.randrange(4)):
                    octets[draw.randrange(min(len(octets), draw.choice((10, 100, 5000))))] = draw.randrange(256)
                cut = draw.choice((len(octets), draw.randrange(len(octets))))
                wire.send(sender, bytes(octets[:cut]), draw.choice((7, 100, 1460)))
        self.assertGreater(sum(map(len, self.read_all())), 500)

    def session_of(self, who, draw):
        """One whose octets are not in the capture."""
        session = Session(Capture().connect(), *(who if isinstance(who, tuple) else (who,))).up()
        self.sessions.append(session)
        for _ in range(6):
            content = draw.randbytes(draw.randrange(80))
            session.say(draw.choice("cl"), draw.choice([*range(1, 21), *range(32, 80), 255]), content)
        return session


if __name__ == "__main__":
    harness.main()
