#!/usr/bin/env python3
"""Cuts around the end: a stream that was not confirmed is not clean."""

import os

from spoiled import At, SpoiledScenario

from harness import CUT as CUT_STATUS
from harness import OK, main
from proxy import CUT, DOWN, RESET, UP

# With nothing to send the connector's frames are these.
UP_END, UP_BYE = 3, 4


class Ends(SpoiledScenario):
    def setUp(self):
        super().setUp()
        self.data = os.urandom(100_000)

    def cut_after(self, direction, number, how, up, down):
        self.pipe(
            lambda: At(
                direction, number, lambda fault, n, data: [data, how] if n == number else [data]
            ),
            up,
            down,
        )

    def test_frames_are_as_assumed(self):
        self.pipe(lambda: At(UP, -1, lambda fault, n, data: [data]), b"", b"")
        self.assertEqual((self.listener_status, self.connector_status), (OK, OK))
        self.assertEqual(len(self.relay.frames[UP]), UP_BYE + 1)
        self.assertEqual(len(self.relay.frames[DOWN]), 3)

    def test_after_end_before_bye(self):
        """Everything was sent, nothing was confirmed: 5 on both sides."""
        for how in (CUT, RESET):
            for number in (UP_END - 1, UP_END):
                with self.round(frame=number, how="cut" if how is CUT else "reset"):
                    self.cut_after(UP, number, how, b"", b"")
                    self.assertEqual(self.connector_status, CUT_STATUS)
                    # A reset may take what came before it along: the listener is not taken then.
                    taken = number == UP_END and how is CUT
                    self.assertIn(self.listener_status, [CUT_STATUS] + [None] * (not taken))

    def test_listeners_end_without_its_bye(self):
        """The listener's bye never comes, although all data and both ends did: the connector
        says 5."""
        for number in (1, 2):

            def stop(fault, n, data, number=number):
                return [data] if n < number else [CUT]

            with self.round(frame=number):
                self.pipe(lambda: At(DOWN, number, stop), b"", b"")
                self.assertEqual(self.connector_status, CUT_STATUS)

    def test_sender_of_data(self):
        """The sender of a file that was received, but not confirmed, does not say 0."""

        def stop(fault, n, data):
            return [CUT]  # of the listener's first record on: no end, no bye

        self.pipe(lambda: At(DOWN, 1, stop), self.data, b"")
        self.assertEqual(self.connector_status, CUT_STATUS)
        self.assertNotEqual(self.listener_status, OK)

    def test_bye_is_lost(self):
        """The connector's bye is dropped: the listener, which it would have told, does not say
        0."""
        self.pipe(lambda: At(UP, UP_BYE, lambda fault, n, data: []), b"", b"")
        self.assertEqual(self.listener_status, CUT_STATUS)


if __name__ == "__main__":
    main()
