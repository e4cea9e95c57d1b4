#!/usr/bin/env python3
"""Every octet of the handshake counts, and damage to one handshake touches no other."""

import random
import threading

from spoiled import At, SpoiledScenario

from harness import CUT, LIMIT, NO_AUTHENTICATION, OK, SLOW, main
from proxy import CUT as SEVER
from proxy import DOWN, UP, Fault, Proxy

SAMPLES = 8 if SLOW else 40


class Handshake(SpoiledScenario):
    def setUp(self):
        super().setUp()
        self.listener = self.listen("-k", "--handshake-timeout", "3")

    def through(self, make_fault, status=NO_AUTHENTICATION):
        proxy = Proxy(self.listener.address, make_fault)
        try:
            checked = self.connect(proxy.address, "--check", "--handshake-timeout", "3")
            checked.wait(*(status if isinstance(status, tuple) else (status,)))
            self.assertTrue(proxy.relay().wait_over())
            return proxy.relay()
        finally:
            proxy.close()

    def lengths(self):
        relay = self.through(Fault, OK)
        return {way: relay.frames[way][0] for way in (UP, DOWN)}

    def flipped(self, direction, where):
        def action(fault, number, data):
            spoiled = bytearray(data)
            if number == 0:
                spoiled[where] ^= 1 << random.randrange(8)
            return [bytes(spoiled)]

        return lambda: At(direction, 0, action)

    def test_flips_in_message_1(self):
        """Not one octet comes back."""
        length = self.lengths()[UP]
        places = set(range(2, 12)) | set(
            random.sample(range(12, length), min(SAMPLES, length - 12))
        )
        for where in sorted(places):
            with self.round(octet=where):
                self.assertEqual(self.through(self.flipped(UP, where)).octets[DOWN], 0)
        self.check(self.listener)

    def test_flips_in_message_2(self):
        length = self.lengths()[DOWN]
        for where in sorted(
            {2, 3} | set(random.sample(range(4, length), min(SAMPLES, length - 4)))
        ):
            with self.round(octet=where):
                self.through(self.flipped(DOWN, where))
        self.check(self.listener)

    def test_lengths(self):
        """A longer or shorter message, by its length alone or with an octet more or less."""
        for direction in (UP, DOWN):
            for change in (-1, 1):
                for with_body in (False, True):

                    def action(fault, number, data, change=change, with_body=with_body):
                        if number:
                            return [data]
                        size = (len(data) - 2 + change).to_bytes(2, "big")
                        body = (
                            data[2:]
                            if not with_body
                            else data[2:change]
                            if change < 0
                            else data[2:] + b"\x00"
                        )
                        return [size + body]

                    with self.round(direction=direction, change=change, with_body=with_body):
                        self.through(lambda: At(direction, 0, action))
        self.check(self.listener)

    def test_cut_in_every_part(self):
        lengths = self.lengths()
        for direction in (UP, DOWN):
            for length in sorted({0, 1, 2, 3, 10, lengths[direction] // 2, lengths[direction] - 1}):
                with self.round(direction=direction, length=length):
                    self.through(
                        lambda: At(direction, 0, lambda fault, number, data: [data[:length], SEVER])
                    )
        self.check(self.listener)

    def test_byte_by_byte(self):
        """A handshake that comes one octet at a time is as good as any."""

        class Crumbs(Fault):
            def frame(self, direction, number, data):
                return [data[i : i + 1] for i in range(len(data))] if number < 3 else [data]

        self.through(Crumbs, OK)

    def test_answer_of_another_handshake(self):
        """Message 2 of one connection is none for another one."""
        recorded = self.through(Fault, OK).first[DOWN]
        self.through(
            lambda: At(DOWN, 0, lambda fault, number, data: [recorded if number == 0 else data])
        )

    def test_replay_of_a_whole_connection(self):
        """Everything a connector once sent, again: not one octet comes back."""
        sent = []
        lock = threading.Lock()

        class Record(Fault):
            def frame(self, direction, number, data):
                if direction == UP:
                    with lock:
                        sent.append(data)
                return [data]

        self.through(Record, OK)
        relay = self.through(
            lambda: At(UP, 0, lambda fault, number, data: [b"".join(sent)] if number == 0 else [])
        )
        self.assertEqual(relay.octets[DOWN], 0)

    def test_proof_of_another_handshake(self):
        """The proof of one connection opens no other one."""
        proofs = []

        def keep(fault, number, data):
            if number == 1:
                proofs.append(data)
            return [data]

        self.through(lambda: At(UP, 0, keep), OK)
        relay = self.through(
            lambda: At(UP, 1, lambda fault, number, data: [proofs[0]] if number == 1 else [data]),
            (NO_AUTHENTICATION, CUT),
        )
        self.assertEqual(len(relay.frames[DOWN]), 1, "a record came before the proof was checked")

    def test_nothing_before_the_proof(self):
        """The listener sends no record until it has checked the proof, however long that takes
        to come."""
        gate = threading.Event()
        self.addCleanup(gate.set)

        class Hold(Fault):
            def frame(self, direction, number, data):
                if direction == UP and number == 1:
                    gate.wait(LIMIT)
                return [data]

        listener = self.listen("-k", stdin=b"for the authenticated only")
        proxy = Proxy(listener.address, Hold)
        self.addCleanup(proxy.close)
        connector = self.connect(proxy.address)
        self.assertTrue(proxy.relay().wait_frames(UP, 2))
        self.check(listener)
        self.assertEqual(len(proxy.relay().frames[DOWN]), 1)
        gate.set()
        connector.wait(OK)
        self.assertEqual(connector.out.finish(), b"for the authenticated only")

    def test_strangers_proof_holds_up_nobody(self):
        """A handshake that stands at its proof: closed by the time limit, others get in before."""
        gate = threading.Event()
        self.addCleanup(gate.set)

        class Stop(Fault):
            def frame(self, direction, number, data):
                if direction == UP and number == 1:
                    gate.wait(LIMIT)
                    return []
                return [data]

        proxy = Proxy(self.listener.address, Stop)
        self.addCleanup(proxy.close)
        halted = self.connect(proxy.address, stdin=b"x")
        self.assertTrue(proxy.relay().wait_frames(UP, 2))
        for _ in range(3):
            self.connect(self.listener, stdin=b"others").wait(OK)
        halted.wait(NO_AUTHENTICATION, CUT)
        gate.set()


if __name__ == "__main__":
    main()
