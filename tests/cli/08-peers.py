#!/usr/bin/env python3
"""A listener and its peers: the first one, the next ones (-k), those who came too late, and
--check."""

import os
import threading

from harness import (
    CUT,
    FAR,
    NO_AUTHENTICATION,
    NO_CONNECTION,
    LIMIT,
    OK,
    PIPE,
    Scenario,
    main,
    wait_refused,
)
from proxy import UP, Fault, Proxy


class First(Scenario):
    def test_listening_socket_closes_once_taken(self):
        listener = self.listen(stdin=PIPE)
        first = self.connect(listener, stdin=b"x")
        self.assertTrue(listener.out.has(b"x"))
        wait_refused(listener.address)
        self.connect(listener, stdin=b"late").wait(NO_CONNECTION)
        listener.close_stdin()
        first.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"x")

    def hold(self, held):
        """A gate, and a fault that lets a connector's frame `held` pass only when it opens."""
        gate = threading.Event()
        self.addCleanup(gate.set)

        class Hold(Fault):
            def frame(self, direction, number, data):
                if direction == UP and number == held:
                    gate.wait(LIMIT)
                return [data]

        return gate, Hold

    def test_loser_is_told(self):
        """Two are authenticated; when the first one opens its stream the other is told: 7."""
        gate, hold_open = self.hold(2)
        listener = self.listen("-v")
        proxy = Proxy(listener.address, hold_open)
        self.addCleanup(proxy.close)
        winner = self.connect(proxy.address, stdin=b"in time")
        listener.says("authenticated")
        loser = self.connect(listener, stdin=b"too late")
        listener.says("authenticated", 2)
        gate.set()
        loser.wait(FAR)
        self.assert_one_line(loser, "busy")
        winner.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"in time")

    def test_loser_in_mid_handshake(self):
        """Its proof comes after another one was taken: told or closed; no byte of it comes out."""
        gate, hold_proof = self.hold(1)
        listener = self.listen(stdin=PIPE)
        proxy = Proxy(listener.address, hold_proof)
        self.addCleanup(proxy.close)
        loser = self.connect(proxy.address, stdin=b"too late")
        self.assertTrue(proxy.relay().wait_frames(UP, 2))
        winner = self.connect(listener, stdin=b"in time")
        self.assertTrue(listener.out.has(b"in time"))
        gate.set()
        loser.wait(FAR, CUT, NO_AUTHENTICATION)
        self.assertTrue(loser.lines, "no word to the loser")
        listener.close_stdin()
        winner.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"in time")

    def test_many_at_once(self):
        """One is taken; the others are told (7), cut (5), turned away (4) or find nobody (3)."""
        listener = self.listen()
        peers = [self.connect(listener, stdin=b"[%d]" % n) for n in range(8)]
        statuses = [peer.wait(OK, FAR, CUT, NO_AUTHENTICATION, NO_CONNECTION) for peer in peers]
        listener.wait(OK)
        self.assertEqual(statuses.count(OK), 1, statuses)
        self.assertEqual(listener.out.finish(), b"[%d]" % statuses.index(OK))


class KeepOpen(Scenario):
    def test_in_turn(self):
        for option in ("-k", "--keep-open"):
            with self.round(option=option):
                listener = self.listen(option)
                for number in range(5):
                    peer = self.connect(listener, stdin=b"<%d>" % number)
                    peer.wait(OK)
                self.assertTrue(listener.out.has(b"<4>"))
                self.assertEqual(bytes(listener.out.data), b"<0><1><2><3><4>")
                self.assertTrue(listener.running())

    def test_one_at_a_time(self):
        """A peer that waits is authenticated but not read, and gets its turn."""
        listener = self.listen("-k")
        first = self.connect(listener, stdin=PIPE)
        first.write(b"first begins ")
        self.assertTrue(listener.out.has(b"first begins "))
        proxy = Proxy(listener.address)
        self.addCleanup(proxy.close)
        second = self.connect(proxy.address, stdin=b"second")
        self.assertTrue(proxy.relay().wait_frames(UP, 4))  # message 1, proof, open, data
        first.write(b"first ends ")
        self.assertTrue(listener.out.has(b"first ends "))
        self.assertTrue(second.running())
        first.close_stdin()
        first.wait(OK)
        second.wait(OK)
        self.assertTrue(listener.out.has(b"second"))
        self.assertEqual(bytes(listener.out.data), b"first begins first ends second")

    def test_many_wait(self):
        listener = self.listen("-k")
        first = self.connect(listener, stdin=PIPE)
        first.write(b"first;")
        self.assertTrue(listener.out.has(b"first;"))
        others = [self.connect(listener, stdin=b"%d" % n * 1000 + b";") for n in range(6)]
        first.close_stdin()
        for peer in [first] + others:
            peer.wait(OK)
        self.assertTrue(listener.out.reach(6 + 6 * 1001))
        parts = bytes(listener.out.data).split(b";")
        self.assertEqual(
            sorted(parts), sorted([b"", b"first"] + [b"%d" % n * 1000 for n in range(6)])
        )

    def test_stdin_goes_to_the_first(self):
        """All of it; who comes after its end gets `end` at once."""
        listener = self.listen("-k", stdin=b"for the first")
        first = self.connect(listener)
        first.wait(OK)
        second = self.connect(listener)
        second.wait(OK)
        self.assertEqual((first.out.finish(), second.out.finish()), (b"for the first", b""))

    def test_stdin_goes_on(self):
        """The second peer gets stdin from where the first left it."""
        listener = self.listen("-k", stdin=PIPE)
        first = self.connect(listener, stdin=PIPE)
        listener.write(b"one")
        self.assertTrue(first.out.has(b"one"))
        first.kill()
        second = self.connect(listener, stdin=b"second")
        self.assertTrue(listener.out.has(b"second"))
        listener.write(b"two")
        listener.close_stdin()
        second.wait(OK)
        self.assertEqual(second.out.finish(), b"two")

    def test_peer_that_dies_ends_nothing(self):
        listener = self.listen("-k")
        for _ in range(3):
            peer = self.connect(listener, stdin=PIPE)
            peer.write(b"partial ")
            self.assertTrue(listener.out.has(b"partial "))
            listener.out.data.clear()
            peer.kill()
        peer = self.connect(listener, stdin=b"whole")
        peer.wait(OK)
        self.assertTrue(listener.out.has(b"whole"))

    def test_waiting_peer_that_dies_is_forgotten(self):
        listener = self.listen("-k")
        first = self.connect(listener, stdin=PIPE)
        first.write(b"first ")
        self.assertTrue(listener.out.has(b"first "))
        proxy = Proxy(listener.address)
        self.addCleanup(proxy.close)
        waiting = self.connect(proxy.address, stdin=PIPE)
        self.assertTrue(proxy.relay().wait_frames(UP, 3))
        waiting.kill()
        third = self.connect(listener, stdin=b"third")
        first.close_stdin()
        first.wait(OK)
        third.wait(OK)
        self.assertTrue(listener.out.has(b"third"))

    def test_long_stdin_and_many_peers(self):
        """Every byte of a file goes to exactly one peer, in order, whoever is cut."""
        data = os.urandom(500000)
        listener = self.listen("-k", stdin=data)
        got = b""
        for _ in range(3):
            peer = self.connect(listener)
            peer.wait(OK)
            got += peer.out.finish()
        self.assert_equal_bytes(got, data)


class Check(Scenario):
    def test_right_key(self):
        """Authenticates, is not the one, and leaves the listener as it was."""
        listener = self.listen(stdin=b"down")
        for _ in range(3):
            checked = self.check(listener, stdin=b"not sent")
            self.assertEqual(checked.out.finish(), b"")
        self.connect(listener, stdin=b"up").wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"up")

    def test_wrong_key(self):
        listener = self.listen()
        other = self.key_file("other", os.urandom(32).hex())
        checked = self.check(listener, key=other, status=NO_AUTHENTICATION)
        self.assertTrue(1 <= len(checked.lines) <= 3, checked.story())
        self.check(listener)

    def test_forwarding_listener_dials_nothing(self):
        """The target does not exist, and nobody notices."""
        listener = self.listen("--forward", "127.0.0.1:1")
        self.check(listener)
        self.assertEqual(len(listener.lines), 1, listener.story())

    def test_stdin_is_left_alone(self):
        listener = self.listen()
        path = self.file("in", b"untouched")
        with open(path, "rb") as stdin:
            got = self.connect(
                listener, "--check", stdin=stdin, before=["sh", "-c", '"$@" && cat', "sh"]
            )
            got.wait(OK)
        self.assertEqual(got.out.finish(), b"untouched")

    def test_while_a_peer_is_served(self):
        """At the latest when its turn comes."""
        listener = self.listen("-k")
        peer = self.connect(listener, stdin=PIPE)
        peer.write(b"x")
        self.assertTrue(listener.out.has(b"x"))
        proxy = Proxy(listener.address)
        self.addCleanup(proxy.close)
        checked = self.connect(proxy.address, "--check")
        self.assertTrue(proxy.relay().wait_frames(UP, 3))
        peer.close_stdin()
        peer.wait(OK)
        checked.wait(OK)


if __name__ == "__main__":
    main()
