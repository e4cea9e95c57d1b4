#!/usr/bin/env python3
"""Strangers: wrong keys, silence, and those who speak something else. A listener tells them
nothing."""

import os
import signal
import socket
import struct

from harness import (
    KIB,
    NO_AUTHENTICATION,
    NO_CONNECTION,
    OK,
    Scenario,
    Server,
    dial,
    main,
    receive_all,
    reserve_port,
)
from proxy import DOWN, UP, Proxy

GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "zeros": bytes(64 * KIB),
    "empty message": b"\x00\x00",
    "one octet": b"\x00\x01U",
    "magic alone": b"\x00\x04USI1",
    "magic and no more": b"\x00\x80USI1\x01\x03\x00\x00" + bytes(32),
    "over-long": b"\xff\xff" + bytes(64 * KIB),
    "just over the bound": struct.pack(">H", 2049) + b"USI1" + bytes(2045),
    "wrong magic": b"\x00\xa0USI2" + bytes(156),
    "unknown mode": b"\x00\xa0USI1\x09" + bytes(155),
    "mode of another issue": b"\x00\xa0USI1\x02\x03" + bytes(154),
    "unknown flags": b"\x00\xa0USI1\x01\x03\xff" + bytes(153),
    "name longer than the message": b"\x00\xa0USI1\x01\x03\x00\xff" + bytes(152),
}


class Listener(Scenario):
    def assert_silent(self, listener, *parts, end=True):
        """Sends a stranger's bytes; the listener closes and says not one byte."""
        with dial(listener.address) as stranger:
            try:
                for part in parts:
                    stranger.sendall(part)
                if end:
                    stranger.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # closed before it heard everything
            self.assertEqual(receive_all(stranger)[0], b"", "a stranger was answered")

    def test_garbage(self):
        listener = self.listen("-k", "--handshake-timeout", "2")
        garbage = dict(GARBAGE, random=os.urandom(64 * KIB))
        for name, data in garbage.items():
            with self.subTest(garbage=name):
                self.assert_silent(listener, data)
        self.check(listener)

    def test_garbage_that_stays(self):
        """Closed at once when it cannot become a message 1, by the time limit otherwise; never
        answered."""
        listener = self.listen("-k", "--handshake-timeout", "1")
        for name, data in GARBAGE.items():
            with self.subTest(garbage=name):
                self.assert_silent(listener, data, end=False)
        self.check(listener)

    def test_garbage_is_closed_at_once(self):
        """No time limit is needed to see that it is no message 1."""
        listener = self.listen("-k", "--handshake-timeout", "100000")
        for name in (
            "http",
            "ssh",
            "over-long",
            "just over the bound",
            "wrong magic",
            "unknown mode",
            "unknown flags",
        ):
            with self.subTest(garbage=name):
                self.assert_silent(listener, GARBAGE[name], end=False)

    def test_random_message_1(self):
        """Right in form and length for each cipher; only the knock is wrong."""
        listener = self.listen("-k", "--handshake-timeout", "100000")
        for cipher in (1, 2, 3):
            for flags in (0, 1):
                for name in (b"", b"alice"):
                    body = b"USI1" + bytes([1, cipher, flags, len(name)]) + name + os.urandom(32)
                    body += os.urandom(1184) if flags else b""
                    body += os.urandom(32 + 16 + 16)
                    with self.subTest(cipher=cipher, flags=flags, name=name):
                        self.assert_silent(listener, struct.pack(">H", len(body)) + body, end=False)
        self.check(listener)

    def test_silent_stranger(self):
        """Closed by the time limit, while others get in."""
        listener = self.listen("-k", "--handshake-timeout", "1")
        with dial(listener.address) as stranger:
            self.check(listener)
            self.assertEqual(receive_all(stranger)[0], b"")
        self.check(listener)

    def test_wrong_key(self):
        other = self.key_file("other", os.urandom(32).hex())
        listener = self.listen("-k")
        proxy = Proxy(listener.address)
        self.addCleanup(proxy.close)
        connector = self.connect(proxy.address, key=other, stdin=b"secret")
        connector.wait(NO_AUTHENTICATION)
        self.assertTrue(proxy.relay().wait_over())
        self.assertEqual(proxy.relay().octets[DOWN], 0, "a stranger was answered")
        self.assertTrue(1 <= len(connector.lines) <= 3, connector.story())
        self.assertIn("key", " ".join(connector.lines))
        self.check(listener)

    def test_wrong_key_of_each_size(self):
        """With a key of another size the cipher octet differs: silence too."""
        listener = self.listen("-k")
        for size in (16, 24):
            proxy = Proxy(listener.address)
            self.addCleanup(proxy.close)
            self.check(
                proxy.address,
                key=self.key_file("other", os.urandom(size).hex()),
                status=NO_AUTHENTICATION,
            )
            self.assertEqual(proxy.relay().octets[DOWN], 0)

    def test_replayed_message_1(self):
        """Once it was answered, the same bytes are a stranger's."""
        listener = self.listen("-k")
        proxy = Proxy(listener.address)
        self.addCleanup(proxy.close)
        self.check(proxy.address)
        recorded = proxy.relay().first[UP]
        self.assertGreater(proxy.relay().octets[DOWN], 0)
        for _ in range(3):
            self.assert_silent(listener, recorded, end=False)
        self.check(listener)

    def test_slow_loris(self):
        """Handshakes that never come to an end hold up nobody."""
        listener = self.listen("-k", "--handshake-timeout", "100000")
        strangers = [dial(listener.address) for _ in range(150)]
        try:
            for number, stranger in enumerate(strangers):
                stranger.sendall(b"\x00\x80USI1"[: number % 7])
            self.check(listener)
            connector = self.connect(listener, stdin=b"in time")
            connector.wait(OK)
            self.assertTrue(listener.out.has(b"in time"))
        finally:
            for stranger in strangers:
                stranger.close()

    def test_closed_in_mid_handshake(self):
        """At every point of message 1."""
        listener = self.listen("-k")
        proxy = Proxy(listener.address)
        self.addCleanup(proxy.close)
        self.check(proxy.address)
        message = proxy.relay().first[UP]
        for length in sorted(
            {0, 1, 2, 3, 6, 7, 8, 9, 10, 42, len(message) // 2, len(message) - 17, len(message) - 1}
        ):
            with self.subTest(length=length):
                self.assert_silent(listener, message[:length])
        self.check(listener)

    def test_strangers_do_not_take_it(self):
        """Without -k too: the first authenticated peer is the one."""
        listener = self.listen()
        self.assert_silent(listener, GARBAGE["http"])
        self.check(
            listener, key=self.key_file("other", os.urandom(32).hex()), status=NO_AUTHENTICATION
        )
        self.connect(listener, stdin=b"the one").wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"the one")

    def test_no_terminal_escapes(self):
        """What a stranger sends cannot reach the terminal."""
        listener = self.listen("-k", "-v")
        body = b"USI1\x01\x03\x00\x08\x1b[2J\x07\x9b\x00\n" + os.urandom(32 + 64)
        self.assert_silent(listener, struct.pack(">H", len(body)) + body)
        self.assert_silent(listener, b"\x1b]0;title\x07" * 100)
        self.check(listener)
        listener.signal(signal.SIGTERM)
        listener.wait(OK)
        text = bytes(listener.err.data)
        self.assertFalse([c for c in text if (c < 32 and c != 10) or c == 127], listener.story())


class Connector(Scenario):
    def meet(self, handle, *options, status=NO_AUTHENTICATION):
        server = Server(handle)
        self.addCleanup(server.close)
        got = self.connect(server.address, *options, stdin=b"secret")
        got.wait(status)
        self.assertTrue(1 <= len(got.lines) <= 3 or "-v" in options, got.story())
        self.assertEqual(got.out.finish(), b"")
        return got

    def test_speaks_first(self):
        """Mail and ssh servers greet; nothing of it may come out."""
        for name in ("http", "ssh", "zeros", "over-long", "tls", "one octet"):
            with self.round(greeting=name):
                self.meet(
                    lambda peer, data=GARBAGE[name]: (peer.sendall(data), receive_all(peer)),
                    "--handshake-timeout",
                    "2",
                )

    def test_random(self):
        self.meet(
            lambda peer: (peer.sendall(os.urandom(64 * KIB)), receive_all(peer)),
            "--handshake-timeout",
            "2",
        )

    def test_answers_http(self):
        def handle(peer):
            peer.recv(100)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>")

        self.meet(handle)

    def test_echo_server(self):
        """Its own message 1 comes back: no message 2."""
        self.meet(lambda peer: peer.sendall(peer.recv(4096)))

    def test_says_nothing(self):
        self.meet(receive_all, "--handshake-timeout", "1")

    def test_closes(self):
        self.meet(lambda peer: None)

    def test_closes_after_message_1(self):
        self.meet(lambda peer: peer.recv(4096))

    def test_half_a_message_2(self):
        self.meet(lambda peer: (peer.recv(4096), peer.sendall(b"\x00\x50" + bytes(20))))

    def test_message_2_of_right_form(self):
        self.meet(
            lambda peer: (
                peer.recv(4096),
                peer.sendall(b"\x00\x51\x00" + os.urandom(80)),
                receive_all(peer),
            )
        )

    def test_message_2_over_the_bound(self):
        """Refused from its length, before the rest is there."""
        self.meet(
            lambda peer: (
                peer.recv(4096),
                peer.sendall(struct.pack(">H", 2305)),
                receive_all(peer),
            ),
            "--handshake-timeout",
            "100000",
        )

    def test_message_names_likely_causes(self):
        """Silence after message 1 is most often a wrong key."""
        got = self.meet(lambda peer: peer.recv(4096))
        self.assertIn("key", " ".join(got.lines))

    def test_no_terminal_escapes(self):
        got = self.meet(lambda peer: peer.sendall(b"\x1b[2J\x1b]0;x\x07" * 50), "-v")
        self.assertFalse([c for c in got.err.data if (c < 32 and c != 10) or c == 127], got.story())


class Names(Scenario):
    def test_names(self):
        """A listener with a name takes only that one; one without takes only the empty name."""
        for here, there, status in (
            ("alice", "alice", OK),
            ("alice", "bob", NO_AUTHENTICATION),
            ("alice", None, NO_AUTHENTICATION),
            (None, "bob", NO_AUTHENTICATION),
            (None, None, OK),
            ("é" * 127, "é" * 127, OK),
            ("x" * 255, "x" * 255, OK),
            ("alice", "alic", NO_AUTHENTICATION),
            ("alice", "ALICE", NO_AUTHENTICATION),
        ):
            with self.round(listen=here, connect=there):
                listener = self.listen(*(["--name", here] if here else []))
                self.check(listener, *(["--name", there] if there else []), status=status)

    def test_wrong_name_is_silence(self):
        listener = self.listen("--name", "alice")
        proxy = Proxy(listener.address)
        self.addCleanup(proxy.close)
        self.check(proxy.address, "--name", "bob", status=NO_AUTHENTICATION)
        self.assertEqual(proxy.relay().octets[DOWN], 0)


class Retry(Scenario):
    def test_listener_comes_later(self):
        holder, address = reserve_port()
        self.addCleanup(holder.close)
        early = self.connect(address, "--retry", "300", stdin=b"patient")
        self.connect(address).wait(NO_CONNECTION)
        self.assertTrue(early.running())
        listener = self.listen(address=address)
        early.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"patient")

    def test_listener_never_comes(self):
        holder, address = reserve_port()
        with holder:
            got = self.connect(address, "--retry", "1")
            got.wait(NO_CONNECTION)
            self.assertIn(address, " ".join(got.lines))

    def test_only_refused_connections(self):
        """A peer that is there but strange is not tried again."""
        server = Server(lambda peer: None)
        self.addCleanup(server.close)
        self.connect(server.address, "--retry", "300").wait(NO_AUTHENTICATION)
        self.assertEqual(server.accepted, 1)


if __name__ == "__main__":
    main()
