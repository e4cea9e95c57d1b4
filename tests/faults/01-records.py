#!/usr/bin/env python3
"""Every kind of damage, in every early frame and in random later ones, of both directions."""

import os
import random
import struct

from spoiled import At, SpoiledScenario

from harness import SLOW, main
from proxy import CUT, DOWN, RESET, UP

EARLY = range(6)
LATER = 1 if SLOW else 3
# Long enough for several records each way, whatever the reads give.
UP_DATA, DOWN_DATA = os.urandom(500_000), os.urandom(400_000)


def at_once(spoil):
    """An action for one frame; those after it pass."""
    return lambda fault, number, data: spoil(data) if number == fault.number else [data]


def flip(data, where):
    spoiled = bytearray(data)
    spoiled[where] ^= 1 << random.randrange(8)
    return bytes(spoiled)


def swap(fault, number, data):
    """The frame and its successor change places; the last one is held back until the end."""
    if number == fault.number:
        fault.held = data
        return []
    held, fault.held = fault.held, None
    return [data] if held is None else [data, held]


def is_message(data):
    return struct.unpack(">H", data[:2])[0] == len(data) - 2


def with_length(data, length):
    form = ">H" if is_message(data) else ">I"
    return struct.pack(form, length) + data[struct.calcsize(form) :]


def longer(data, by=1):
    """Claims more than there is; octets of the attacker's follow, so that nobody waits for the
    rest."""
    return with_length(data, len(data) - (2 if is_message(data) else 4) + by) + os.urandom(70000)


def bound(direction, number):
    """The longest that is taken: messages 1 and 2, record 0 of the connector, any other record."""
    return {(UP, 0): 2048, (DOWN, 0): 2304, (UP, 1): 512}.get(
        (direction, number), 65536 + 1 + 255 + 16
    )


ACTIONS = {
    "flip in the length": at_once(lambda data: [flip(data, 1) + os.urandom(70000)]),
    "flip at the front": at_once(lambda data: [flip(data, 4)]),
    "flip in the middle": at_once(lambda data: [flip(data, len(data) // 2)]),
    "flip in the tag": at_once(lambda data: [flip(data, -1)]),
    "drop": at_once(lambda data: []),
    "repeat": at_once(lambda data: [data, data]),
    "cut inside": at_once(lambda data: [data[: len(data) // 2], CUT]),
    "cut inside the length": at_once(lambda data: [data[:1], CUT]),
    "cut before": at_once(lambda data: [CUT]),
    "reset": at_once(lambda data: [RESET]),
    "longer by one": at_once(lambda data: [longer(data)]),
    "largest length": at_once(
        lambda data: [with_length(data, 0xFFFF if is_message(data) else 0xFFFFFFFF)]
    ),
    "just over the bound": lambda fault, number, data: (
        [with_length(data, bound(fault.direction, number) + 1)]
        if number == fault.number
        else [data]
    ),
    "empty": at_once(lambda data: [with_length(data, 0)]),
    "shorter than a tag": at_once(lambda data: [with_length(data, 16)]),
    "a record of another": at_once(lambda data: [struct.pack(">I", 272) + os.urandom(272), data]),
    "noise": at_once(lambda data: [os.urandom(len(data))]),
}


class Records(SpoiledScenario):
    def places(self, direction):
        """Frame numbers to spoil: all early ones and some that a clean run had."""
        if not hasattr(Records, "clean"):
            with self.round(clean=True):
                self.pipe(
                    lambda: At(UP, -1, lambda fault, number, data: [data]), UP_DATA, DOWN_DATA
                )
                self.assertEqual((self.listener_status, self.connector_status), (0, 0))
                Records.clean = {way: len(sizes) for way, sizes in self.relay.frames.items()}
        count = Records.clean[direction]
        return [n for n in EARLY if n < count] + sorted(
            random.sample(range(6, count), min(LATER, count - 6))
        )

    def spoil(self, direction, name):
        for number in self.places(direction):
            with self.round(action=name, direction=direction, frame=number):
                self.pipe(lambda: At(direction, number, ACTIONS[name]), UP_DATA, DOWN_DATA)
                self.assert_detected(direction, number, late=name in ("repeat", "reset"))

    def test_swap(self):
        """Records that follow each other for sure: data, before the end."""
        for direction in (UP, DOWN):
            for number in (1, 2, 3, 4):
                with self.round(direction=direction, frame=number):
                    self.pipe(lambda: At(direction, number, swap), UP_DATA, DOWN_DATA)
                    self.assert_detected(direction, number)

    def test_reflection(self):
        """A record of one direction is none of the other."""
        for number in (1, 2, 3):
            with self.round(frame=number):

                class Reflect(At):
                    def frame(self, direction, n, data):
                        if direction == UP and n == 1:
                            self.held = data
                        if direction == DOWN and n == self.number:
                            self.applied.set()
                            return [self.held]
                        return [data]

                self.pipe(lambda: Reflect(DOWN, number, None), UP_DATA, DOWN_DATA)
                self.assert_detected(DOWN, number)

    def test_rekeys_spoiled(self):
        """With a rekey every 64 KiB the random places fall into rekey messages and switches too."""
        little = ["--rekey-bytes", "64K"]
        for name in ("flip in the middle", "flip in the tag", "repeat", "cut before"):
            for direction in (UP, DOWN):
                for number in random.sample(range(5, 40), 3 if SLOW else 6):
                    with self.round(action=name, direction=direction, frame=number):
                        self.pipe(
                            lambda: At(direction, number, ACTIONS[name]),
                            UP_DATA,
                            DOWN_DATA,
                            little,
                            little,
                        )
                        self.assert_detected(direction, number, name == "repeat", rekey=True)


def add_tests():
    for direction in (UP, DOWN):
        for name in ACTIONS:

            def test(self, direction=direction, name=name):
                self.spoil(direction, name)

            setattr(Records, f"test_{direction}_{name.replace(' ', '_')}", test)


add_tests()

if __name__ == "__main__":
    main()
