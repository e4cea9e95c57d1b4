#!/usr/bin/env python3
"""usi1.py against the program: as connector against `listen`, as listener against `connect`.

ctest sets USI_TUNNEL; tests/cli/harness.py says what else the environment can hold.
"""

import os
import random
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
sys.dont_write_bytecode = True

import harness  # noqa: E402
import usi1  # noqa: E402
from link import Link  # noqa: E402

TEXT = b"the quick brown fox"

# What PROTOCOL.md leaves to a sender: how it pads, the most data in a record, the most octets in a write.
FREEDOMS = {
    "no padding": (lambda kind, size: 0, usi1.DATA_MAX, 0),
    "data padded": (lambda kind, size: 255, usi1.DATA_MAX, 0),
    "odd padding": (lambda kind, size: random.randrange(256), 1000, 0),
    "tiny records": (usi1.usual_padding, 1, 0),
    "single octets": (usi1.usual_padding, usi1.DATA_MAX, 1),
    "odd pieces": (usi1.usual_padding, 333, 7),
}


class Interop(harness.Scenario):
    def ki(self, path=None):
        return bytes.fromhex(self.read(path or self.key).decode())

    def link(self, peer, connector, **how):
        peer.settimeout(harness.LIMIT)
        self.addCleanup(peer.close)
        link = Link(peer, how.pop("ki", None) or self.ki(), connector, **how)
        return link

    def finish(self, link, process, status=0):
        """Both have sent `bye`: what is left is to close."""
        self.assertTrue(link.channel.idle)
        self.assertEqual(link.close(), b"")
        process.wait(status)


class Connector(Interop):
    """usi1.py calls `usi-tunnel listen`."""

    def call(self, process, **how):
        return self.link(harness.dial(process.address), True, **how)

    def talk(self, link, process, text=TEXT, answer=b"", size=usi1.DATA_MAX):
        """A whole stream: text goes there, answer comes back."""
        link.wait("authenticated")
        link.channel.open()
        link.channel.data(text, size)
        link.channel.end()
        link.wait("end")
        self.assert_equal_bytes(link.data, answer, "what the listener sent")
        link.channel.bye()
        link.wait("bye")
        self.finish(link, process)
        self.assert_equal_bytes(process.out.data, text, "what the listener wrote")

    def test_both_ways(self):
        process = self.listen(stdin=b"hello from the listener")
        self.talk(self.call(process), process, answer=b"hello from the listener")

    def test_each_key_size(self):
        for bits in (128, 192, 256):
            with self.round(bits=bits):
                key = self.key_file(f"key{bits}", os.urandom(bits // 8).hex())
                process = self.listen(key=key, stdin=b"x")
                self.talk(self.call(process, ki=self.ki(key)), process, answer=b"x")

    def test_name(self):
        process = self.listen("--name", "büro", stdin=b"")
        self.talk(self.call(process, name="büro".encode()), process)

    def test_freedoms(self):
        for title, (pad, size, piece) in FREEDOMS.items():
            with self.round(freedom=title):
                process = self.listen(stdin=b"answer")
                link = self.call(process, piece=piece)
                link.channel.pad = pad
                self.talk(link, process, TEXT * 20, b"answer", size)

    def test_empty_data_and_ping(self):
        process = self.listen(stdin=harness.PIPE)
        link = self.call(process)
        link.wait("authenticated")
        link.channel.ping(b"before a stream")
        self.assertEqual(link.wait("pong"), ("pong", b"before a stream"))
        link.channel.open()
        link.channel.seal(usi1.DATA)
        link.channel.ping(bytes(32))
        self.assertEqual(link.wait("pong"), ("pong", bytes(32)))
        link.channel.end()
        process.close_stdin()
        link.wait("end")
        link.channel.bye()
        link.wait("bye")
        self.finish(link, process)

    def test_check_takes_no_place(self):
        process = self.listen(stdin=b"")
        link = self.call(process)
        link.wait("authenticated")
        link.channel.check()
        link.wait("bye")
        self.assertEqual(link.close(), b"")
        self.talk(self.call(process), process)

    def test_rekey_by_us(self):
        process = self.listen(stdin=harness.PIPE)
        link = self.call(process)
        link.wait("authenticated")
        link.channel.rekey()
        link.wait("rekeyed")
        link.channel.open()
        for i in range(3):
            link.channel.data(b"a")
            link.channel.rekey()
            link.channel.data(b"b")
            process.write(b"c")
            link.wait("rekeyed")
            link.channel.data(b"d")
            self.assertEqual(link.wait_data(i + 1), b"c" * (i + 1))
        link.channel.end()
        process.close_stdin()
        link.wait("end")
        link.channel.bye()
        link.wait("bye")
        self.finish(link, process)
        self.assert_equal_bytes(process.out.data, b"abd" * 3)

    def test_rekey_that_the_listener_asks_for(self):
        answer = os.urandom(400_000)
        process = self.listen("--rekey-bytes", "64K", stdin=answer)
        link = self.call(process)
        rekeys = count_rekeys(link)
        self.talk(link, process, answer=answer)
        self.assertGreaterEqual(rekeys[0], 2)

    def test_rekey_at_both_limits(self):
        answer, text = os.urandom(300_000), os.urandom(300_000)
        process = self.listen("--rekey-bytes", "64K", stdin=answer)
        link = self.call(process, limit=1 << 16)
        rekeys = count_rekeys(link)
        link.wait("authenticated")
        link.channel.open()
        link.channel.data(text, 5000)
        link.send()
        while link.channel.queue:
            self.assertTrue(link.read())
        link.channel.end()
        link.wait("end")
        self.assert_equal_bytes(link.data, answer)
        link.channel.bye()
        link.wait("bye")
        self.finish(link, process)
        self.assert_equal_bytes(process.out.data, text)
        self.assertGreaterEqual(rekeys[0], 2)

    def test_a_second_stream(self):
        """A channel whose stream is over may carry the next."""
        server = harness.Server(harness.echo)
        self.addCleanup(server.close)
        process = self.listen("--forward", server.address)
        link = self.call(process)
        link.wait("authenticated")
        for text in (b"one", b"two"):
            link.data.clear()
            link.channel.open()
            link.channel.data(text)
            link.channel.end()
            link.wait("end")
            self.assertEqual(bytes(link.data), text)
            link.channel.bye()
            link.wait("bye")
            self.assertTrue(link.channel.idle)
        self.assertEqual(link.close(), b"")
        self.assertEqual(server.accepted, 2)

    def test_an_ask_that_came_to_nothing(self):
        """As when it crosses our `bye`: the listener asks again in the next stream."""
        server = harness.Server(harness.echo)
        self.addCleanup(server.close)
        process = self.listen("--forward", server.address, "--rekey-bytes", "64K")
        link = self.call(process)
        rekeys, lost = count_rekeys(link), []
        answer, link.channel.take_ask = link.channel.take_ask, lost.append
        link.wait("authenticated")
        for text in (os.urandom(80_000), os.urandom(300_000)):
            link.data.clear()
            link.channel.open()
            link.channel.data(text)
            link.channel.end()
            link.wait("end")
            self.assert_equal_bytes(link.data, text)
            link.channel.bye()
            link.wait("bye")
            link.channel.take_ask = answer
        self.assertEqual(link.close(), b"")
        self.assertEqual(len(lost), 1)
        self.assertGreaterEqual(rekeys[0], 2)

    def test_our_abort(self):
        process = self.listen(stdin=harness.PIPE)
        link = self.call(process)
        link.wait("authenticated")
        link.channel.open()
        link.channel.data(TEXT)
        link.channel.abort(2)
        link.send()
        process.wait(harness.FAR)

    def test_its_abort(self):
        process = self.listen("--send-only", stdin=harness.PIPE)
        link = self.call(process)
        link.wait("authenticated")
        link.channel.open()
        link.channel.data(TEXT)
        self.assertEqual(link.wait("abort"), ("abort", 3))
        link.socket.close()
        process.wait(harness.LOCAL)

    def test_silence_before_the_proof(self):
        """A stranger gets nothing: another key, another name, another cipher, a bit of message 1 flipped."""
        process = self.listen("--name", "me", stdin=b"")
        cases = {
            "key": ({"ki": os.urandom(32), "name": b"me"}, None),
            "cipher": ({"ki": self.ki()[:16], "name": b"me"}, None),
            "name": ({"name": b"you"}, None),
            "knock": ({"name": b"me"}, -1),
            "tag": ({"name": b"me"}, -17),
            "mode": ({"name": b"me"}, 6),
        }
        for title, (how, flip) in cases.items():
            with self.subTest(title):
                link = self.call(process, **how)
                message = bytearray(link.channel.take())
                if flip is not None:
                    message[flip] ^= 1
                link.socket.sendall(message)
                self.assertEqual(harness.receive_all(link.socket)[0], b"")
        self.talk(self.call(process, name=b"me"), process)

    def test_a_replay_is_dropped(self):
        process = self.listen(stdin=b"")
        link = self.call(process)
        message = link.channel.take()
        link.socket.sendall(message)
        link.wait("authenticated")
        again = harness.dial(process.address)
        with again:
            again.sendall(message)
            self.assertEqual(harness.receive_all(again)[0], b"")
        self.talk_on(link, process)

    def talk_on(self, link, process):
        link.channel.open()
        link.channel.end()
        link.wait("end")
        link.channel.bye()
        link.wait("bye")
        self.finish(link, process)

    def test_what_is_fatal(self):
        """Each is one record that has no place: the listener ends the channel as cut off."""
        cases = {
            "unknown type": (usi1.OPEN, b"", 99, b""),
            "type 0": (usi1.OPEN, b"", 0, b""),
            "open with content": (usi1.PING, b"", usi1.OPEN, b"x"),
            "open twice": (usi1.OPEN, b"", usi1.OPEN, b""),
            "wrong count": (usi1.OPEN, b"", usi1.END, bytes(7) + b"\1"),
            "short count": (usi1.OPEN, b"", usi1.END, bytes(7)),
            "bye too early": (usi1.OPEN, b"", usi1.BYE, b""),
            "long ping": (usi1.OPEN, b"", usi1.PING, bytes(33)),
            "proof again": (usi1.OPEN, b"", usi1.PROOF, bytes(16)),
            "switch alone": (usi1.OPEN, b"", usi1.SWITCH, b""),
            "rekey 2 to a listener": (usi1.OPEN, b"", usi1.REKEY_2, bytes(81)),
            "ask to a listener": (usi1.OPEN, b"", usi1.ASK, b""),
            "two reasons": (usi1.OPEN, b"", usi1.ABORT, b"\1\1"),
            "data after end": (usi1.END, bytes(8), usi1.DATA, b"x"),
        }
        for title, (first, first_content, kind, content) in cases.items():
            with self.round(case=title):
                process = self.listen(stdin=harness.PIPE)
                link = self.call(process)
                link.wait("authenticated")
                if first == usi1.END:
                    link.channel.seal(usi1.OPEN)
                link.channel.seal(first, first_content)
                link.channel.seal(kind, content)
                link.send()
                harness.receive_all(link.socket)
                if first != usi1.PING:  # before `open` the listener was not taken: it goes on
                    process.wait(harness.CUT)


def count_rekeys(link):
    """A list of one number, which grows with each rekey of the link."""
    counted = [0]
    before = link.channel.handshake_over

    def over():
        counted[0] += link.channel.previous is not None
        before()

    link.channel.handshake_over = over
    return counted


class Listener(Interop):
    """usi1.py is called by `usi-tunnel connect`."""

    def setUp(self):
        super().setUp()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(harness.LIMIT)
        self.addCleanup(self.socket.close)
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def answer(self, **how):
        return self.link(self.socket.accept()[0], False, **how)

    def up(self, link):
        link.wait("knock")
        link.wait("authenticated")
        link.wait("open")

    def talk(self, link, process, text, answer=TEXT, size=usi1.DATA_MAX):
        self.up(link)
        link.channel.data(answer, size)
        link.channel.end()
        link.wait("end")
        self.assert_equal_bytes(link.data, text, "what the connector sent")
        link.channel.bye()
        link.wait("bye")
        self.finish(link, process)
        self.assert_equal_bytes(process.out.data, answer, "what the connector wrote")

    def test_both_ways(self):
        process = self.connect(self.address, stdin=b"hello from the connector")
        self.talk(self.answer(), process, b"hello from the connector")

    def test_each_key_size(self):
        for bits in (128, 192, 256):
            with self.round(bits=bits):
                key = self.key_file(f"key{bits}", os.urandom(bits // 8).hex())
                process = self.connect(self.address, key=key, stdin=b"x")
                self.talk(self.answer(ki=self.ki(key)), process, b"x")

    def test_name(self):
        process = self.connect(self.address, "--name", "büro", stdin=b"")
        self.talk(self.answer(name="büro".encode()), process, b"")

    def test_freedoms(self):
        for title, (pad, size, piece) in FREEDOMS.items():
            with self.round(freedom=title):
                process = self.connect(self.address, stdin=b"text")
                link = self.answer(piece=piece)
                link.channel.pad = pad
                self.talk(link, process, b"text", TEXT * 20, size)

    def test_check(self):
        process = self.connect(self.address, "--check")
        link = self.answer()
        link.wait("knock")
        link.wait("authenticated")
        link.wait("check")
        self.assertEqual(link.close(), b"")
        process.wait(harness.OK)

    def test_rekey_that_we_ask_for(self):
        process = self.connect(self.address, stdin=harness.PIPE)
        link = self.answer()
        self.up(link)
        for i in range(3):
            link.channel.rekey()
            link.channel.data(b"a")
            process.write(b"c")
            link.wait("rekeyed")
            link.channel.data(b"b")
            self.assertEqual(link.wait_data(i + 1), b"c" * (i + 1))
        link.channel.end()
        process.close_stdin()
        link.wait("end")
        link.channel.bye()
        link.wait("bye")
        self.finish(link, process)
        self.assert_equal_bytes(process.out.data, b"ab" * 3)

    def test_rekey_by_the_connector(self):
        text = os.urandom(400_000)
        process = self.connect(self.address, "--rekey-bytes", "64K", stdin=text)
        link = self.answer()
        rekeys = count_rekeys(link)
        self.talk(link, process, text)
        self.assertGreaterEqual(rekeys[0], 2)

    def test_an_ask_in_the_middle_of_a_rekey(self):
        """The connector ignores it; a listener need not know that a rekey 1 is on its way."""
        text = os.urandom(300_000)
        process = self.connect(self.address, "--rekey-bytes", "64K", stdin=text)
        link = self.answer()
        rekeys, asks = count_rekeys(link), [0]
        take = link.channel.take_data

        def take_and_ask(content):
            take(content)
            if not link.channel.handshake:
                asks[0] += 1
                link.channel.seal(usi1.ASK)

        link.channel.take_data = take_and_ask
        self.talk(link, process, text)
        self.assertGreater(asks[0], 0)
        self.assertGreaterEqual(rekeys[0], 2)

    def test_our_abort(self):
        process = self.connect(self.address, stdin=harness.PIPE)
        link = self.answer()
        self.up(link)
        link.channel.abort(5)
        link.send()
        process.wait(harness.FAR)

    def test_its_abort(self):
        process = self.connect(self.address, "--send-only", stdin=harness.PIPE)
        link = self.answer()
        self.up(link)
        link.channel.data(TEXT)
        self.assertEqual(link.wait("abort"), ("abort", 3))
        link.socket.close()
        process.wait(harness.LOCAL)

    def test_a_false_listener(self):
        """Message 2 with another key, another RANDnw, or a flag that was not asked for: not authenticated."""
        for title, change in {"tag": -1, "key": -20, "challenge": 5, "flags": 2}.items():
            with self.round(case=title):
                process = self.connect(self.address, stdin=b"secret")
                link = self.answer()
                while not link.channel.outbox:
                    link.channel.receive(link.socket.recv(65536))
                message = bytearray(link.channel.take())
                message[change] ^= 2
                link.socket.sendall(message)
                self.assertEqual(harness.receive_all(link.socket)[0], b"")
                process.wait(harness.NO_AUTHENTICATION)

    def test_what_is_fatal(self):
        cases = {
            "unknown type": (99, b""),
            "open to a connector": (usi1.OPEN, b""),
            "wrong count": (usi1.END, bytes(7) + b"\1"),
            "bye too early": (usi1.BYE, b""),
            "proof": (usi1.PROOF, bytes(16)),
            "rekey 1 to a connector": (usi1.REKEY_1, bytes(104)),
            "rekey 2 unasked": (usi1.REKEY_2, bytes(81)),
            "switch alone": (usi1.SWITCH, b""),
        }
        for title, (kind, content) in cases.items():
            with self.round(case=title):
                process = self.connect(self.address, stdin=harness.PIPE)
                link = self.answer()
                self.up(link)
                link.channel.seal(kind, content)
                link.send()
                process.wait(harness.CUT)


if __name__ == "__main__":
    harness.main()
