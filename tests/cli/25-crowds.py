#!/usr/bin/env python3
"""Many peers at once: none may take another's turn, its place, memory, or the listener's time."""

import contextlib
import fcntl
import os
import re
import select
import signal
import sys
import termios

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
sys.dont_write_bytecode = True

import usi1  # noqa: E402
from harness import (  # noqa: E402
    LIMIT,
    NO_AUTHENTICATION,
    OK,
    PIPE,
    Server,
    dial,
    echo,
    main,
    receive_all,
    until,
)
from identity import Identity  # noqa: E402
from link import Link  # noqa: E402
from password import SALT, SHARE, Password  # noqa: E402
from terminal import TerminalScenario  # noqa: E402

QUESTION = "Is this the fingerprint that the other side shows? (yes/no)"
OWN = r"identity fingerprint: sha256:([0-9a-f]{64})$"
CODE = r"usi-tunnel: password: ([1-9][0-9]{2}-[a-z]{3,8}-[a-z]{3,8})$"
WORDS = b"four quite common words"
FOR_EVER = ["--handshake-timeout", "100000"]
GATE_STRANGERS, GATE_SOURCE, QUESTIONS = 2048, 128, 8  # the listener's limits
ANSWER = 2 + SALT + SHARE  # to a message 1 in password mode


class Crowd(TerminalScenario):
    def hold(self, peer):
        """Keeps a connection until the test is over."""
        self.addCleanup(peer.close)
        return peer

    def assert_out(self, listener, octets):
        """That, and no more, has come out so far."""
        listener.out.reach(len(octets))
        self.assertEqual(bytes(listener.out.data), octets)

    def silent(self, listener, count, sources):
        """So many that connect and say nothing, evenly from 127.0.0.N of each of the sources."""
        addresses = [f"127.0.0.{sources[i * len(sources) // count]}" for i in range(count)]
        return [self.hold(dial(listener.address, (a, 0))) for a in addresses]

    def assert_one_out(self, strangers):
        """One of them has had to go. (A kernel that is busy may take seconds to hand some of them over.)"""
        poll = select.poll()
        for stranger in strangers:
            poll.register(stranger, select.POLLIN)
        ready = poll.poll(LIMIT * 1000)
        self.assertTrue(ready, "all strangers are still there")
        gone = next(s for s in strangers if s.fileno() == ready[0][0])
        self.assertEqual(receive_all(gone)[0], b"")

    def peer(self, listener):
        """A peer that is authenticated, with an identity of its own, and takes anybody."""
        link = Link(self.hold(dial(listener.address)), Identity(), True)
        link.wait("authenticated")
        link.channel.approve()
        link.send()
        return link

    def ask(self, link):
        """The answer to the password question."""
        link.channel.ask_password(Password(WORDS))
        return link.wait("answer")[1]

    def pipe(self, link, octets):
        """A whole stream."""
        link.channel.open()
        link.channel.data(octets)
        link.channel.end()
        link.send()

    def arrive(self, link):
        """Waits until all that was sent is in the listener's queue, if not taken out of it."""

        def all_there():
            return fcntl.ioctl(link.socket, termios.TIOCOUTQ, bytes(4)) == bytes(4)

        until(all_there, "the network")

    def finish(self, link):
        link.wait("end")
        link.channel.bye()
        link.wait("bye")


class Turns(Crowd):
    def test_accepted_in_anothers_turn(self):
        """The user's yes gives a peer a place in the row, no place in the stream of another."""
        there = self.terminal()
        listener = self.listen("--identity", "-k", "-v", at=there)
        key = listener.says(OWN).group(1)
        first = self.connect(listener, "--identity", "--fingerprint", key, stdin=PIPE)
        there.shows(QUESTION)
        there.type("yes\n")
        first.write(b"one ")
        self.assertTrue(listener.out.has(b"one "))
        second = self.peer(listener)
        there.shows(QUESTION, 2)
        self.pipe(second, b"(another's)")
        self.arrive(second)
        first.write(b"two ")
        self.assertTrue(listener.out.has(b"two "))  # what came before has been looked at, too
        there.type("yes\n")
        listener.says(r": channel open", 2)
        first.write(b"three ")
        self.assertTrue(listener.out.has(b"three "))
        self.assert_out(listener, b"one two three ")
        first.close_stdin()
        first.wait(OK)
        self.finish(second)
        self.assert_out(listener, b"one two three (another's)")

    def test_checked_in_anothers_turn(self):
        """A --check is answered, too, and disturbs nobody."""
        there = self.terminal()
        listener = self.listen("--identity", "-k", "-v", at=there)
        key = listener.says(OWN).group(1)
        first = self.connect(listener, "--identity", "--fingerprint", key, stdin=PIPE)
        there.shows(QUESTION)
        there.type("yes\n")
        first.write(b"one ")
        self.assertTrue(listener.out.has(b"one "))
        second = self.connect(listener, "--identity", "--fingerprint", key, "--check")
        there.shows(QUESTION, 2)
        there.type("yes\n")
        listener.says(r": channel open", 2)
        first.write(b"two ")
        self.assertTrue(listener.out.has(b"two "))
        first.close_stdin()
        first.wait(OK)
        second.wait(OK)
        self.assert_out(listener, b"one two ")


    def test_the_turn_behind_a_check(self):
        """One yes for two of the same key: the check is over, and the other has the one stream."""
        there = self.terminal()
        kept = self.path("kept")
        self.run_program("keygen", "--identity", "-o", kept)
        listener = self.listen("--identity", "--dev", at=there)
        key = listener.says(OWN).group(1)
        options = [f"--identity={kept}", "--fingerprint", key]
        check = self.connect(listener, *options, "--check")
        there.shows(QUESTION)
        other = self.connect(listener, *options, stdin=b"mine")
        listener.says(r"type 4, open")
        there.type("yes\n")
        check.wait(OK)
        other.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"mine")


class Bursts(Crowd):
    def test_a_burst_that_waited(self):
        """More from one source than may be silent, but they are not: each has said who it is while the
        listener stood still, and all of them get in."""
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen(
            *("--forward", server.address, "--threads", "1", *FOR_EVER), key=self.key
        )
        ki = bytes.fromhex(self.read(self.key).decode())
        listener.signal(signal.SIGSTOP)
        self.addCleanup(listener.signal, signal.SIGCONT)
        links = [Link(self.hold(dial(listener.address)), ki, True) for _ in range(GATE_SOURCE + 40)]
        for link in links:
            link.send()
        listener.signal(signal.SIGCONT)
        for link in links:
            link.wait("authenticated")


class Places(Crowd):
    def assert_kept(self, options, count, sources, arrives):
        """Silent strangers push each other out, but not the peer that the user is asked about."""
        there = self.terminal()
        listener = self.listen("--identity", "-k", *FOR_EVER, *options, at=there)
        key = listener.says(OWN).group(1)
        peer = self.connect(listener, "--identity", "--fingerprint", key, stdin=b"mine")
        there.shows(QUESTION)
        strangers = self.silent(listener, count, sources)
        self.assert_one_out(strangers)  # the oldest of them has had to go
        self.assertTrue(peer.running(), peer.story())
        there.type("yes\n")
        peer.wait(OK)
        self.assertTrue(arrives(listener, peer))

    def test_strangers_of_the_same_source(self):
        self.assert_kept([], GATE_SOURCE + 30, [1], lambda there, _: there.out.has(b"mine"))

    def test_strangers_of_many_sources(self):
        sources = range(2, 22)
        self.assert_kept([], GATE_STRANGERS + 100, sources, lambda there, _: there.out.has(b"mine"))

    def test_answered_in_password_mode(self):
        """Who was answered, and stretches his password, is no silent stranger, though nothing shows yet that he
        knows it."""
        options = ["--password-file", self.file("right", WORDS), "-k", *FOR_EVER]
        listener = self.listen(*options, key="")
        link = Link(self.hold(dial(listener.address)), Password(WORDS), True)
        link.send()
        answer = b""
        while len(answer) < ANSWER:
            answer += link.socket.recv(ANSWER - len(answer))
        strangers = self.silent(listener, GATE_STRANGERS + 100, range(2, 22))
        self.assert_one_out(strangers)
        link.channel.receive(answer)
        link.wait("authenticated")

    def test_strangers_of_a_forward(self):
        server = Server(echo)
        self.addCleanup(server.close)
        options = ["--forward", server.address]
        self.assert_kept(
            options, GATE_SOURCE + 30, [1], lambda _, here: here.out.finish() == b"mine"
        )


class Memory(Crowd):
    """Who has asked for the salt, and says nothing more, has cost the listener a secret."""

    COUNT, SOURCES = 500, range(1, 6)  # 100 of each source

    def listener(self, *options):
        right = self.file("right", WORDS)
        return right, self.listen("--password-file", right, "-k", *FOR_EVER, *options)

    def crowd(self, listener):
        for number, stranger in enumerate(self.silent(listener, self.COUNT, self.SOURCES)):
            stranger.sendall(usi1.Channel(Password(""), True).take())
            with stranger.makefile("rb") as answers:
                self.assertEqual(len(answers.read(ANSWER)), ANSWER, f"stranger {number}")

    def test_password(self):
        right, listener = self.listener()
        self.crowd(listener)
        self.check(listener, "--password-file", right)
        self.assertNotIn("memory", " ".join(listener.lines))

    def test_key(self):
        """A listener with a key besides has its secrets in the same memory."""
        _, listener = self.listener("--key-file", self.key)
        self.crowd(listener)
        self.check(listener, key=self.key)


class Questions(Crowd):
    def setUp(self):
        super().setUp()
        self.right = ["--password-file", self.file("right", WORDS)]

    def test_one_that_stays_open(self):
        """A stranger that is given the salt and says nothing more is cut; who waits for the user's
        word after an answer is not."""
        there = self.terminal()
        options = ["--identity", "-k", "--handshake-timeout", "3"]
        listener = self.listen(*options, *self.right, at=there)
        patient = self.peer(listener)
        there.shows(QUESTION)
        self.assertTrue(self.ask(patient))
        silent, challenges = self.peer(listener), []
        silent.channel.take_challenge = challenges.append
        silent.channel.ask_password(Password(WORDS))
        silent.send()
        while not challenges:
            self.assertTrue(silent.read())
        self.assertEqual(len(challenges[0]), SALT + SHARE)
        receive_all(silent.socket)  # ends when the listener closes
        there.type("yes\n")
        self.pipe(patient, b"mine")
        self.finish(patient)
        self.assert_out(listener, b"mine")

    def test_a_ninth(self):
        """Eight are answered, and do no harm; one more ends the channel, and nobody else's."""
        listener = self.listen("--identity", "--anyone", "-k", *self.right)
        link = self.peer(listener)
        self.assertEqual([self.ask(link) for _ in range(QUESTIONS)], [True] * QUESTIONS)
        link.channel.ping(b"still there")
        self.assertEqual(link.wait("pong"), ("pong", b"still there"))
        with self.assertRaisesRegex(AssertionError, "the peer closed"):
            self.ask(link)
        last = self.peer(listener)
        self.assertTrue(self.ask(last))
        self.pipe(last, b"mine")
        self.finish(last)
        self.assert_out(listener, b"mine")


class Shares(Crowd):
    """A point that is not on the curve costs a try, and the user is told."""

    OFF = b"\4" + os.urandom(SHARE - 1), b"\4" + bytes(SHARE - 1), b"\2" + os.urandom(SHARE - 1)
    TRY = r": a try of the password failed, %d so far: .*curve"
    NO_MORE = r"warning: .*no more tries"

    def send(self, listener, share):
        """What the listener says to it: the answer to message 1, and what comes behind that."""
        with dial(listener.address) as stranger:
            channel = usi1.Channel(Password(""), True)
            stranger.sendall(channel.take())
            with stranger.makefile("rb") as answers:
                answer = answers.read(ANSWER)
                body = share + os.urandom(32 + 16)
                with contextlib.suppress(OSError):
                    stranger.sendall(len(body).to_bytes(2, "big") + body)
                with contextlib.suppress(ConnectionResetError):
                    answer += answers.read()
                return answer

    def test_no_more_tries(self):
        listener = self.listen("--password", "-k")
        code = self.file("code", listener.says(CODE).group(1).encode())
        for number, share in enumerate(self.OFF, 1):
            self.assertEqual(len(self.send(listener, share)), ANSWER)
            listener.says(self.TRY % number)
        listener.says(self.NO_MORE)
        self.assertEqual(self.send(listener, self.OFF[0]), b"")
        self.check(listener, "--password-file", code, status=NO_AUTHENTICATION)
        self.assertEqual(len(re.findall(self.NO_MORE, "\n".join(listener.lines))), 1)

    def test_in_a_question(self):
        listener = self.listen("--identity", "--anyone", "--password", "-k")
        listener.says(CODE)
        for number, share in enumerate(self.OFF, 1):
            link = Link(dial(listener.address), Identity(), True)
            link.wait("authenticated")
            link.channel.approve()
            challenges = []
            link.channel.take_challenge = challenges.append
            link.channel.ask_password(Password(""))
            link.send()
            while not challenges:
                self.assertTrue(link.read())
            self.assertEqual(len(challenges[0]), SALT + SHARE)
            link.channel.seal(usi1.ATTEMPT, share + os.urandom(32 + 16))
            with contextlib.suppress(OSError):
                link.send()
            listener.says(self.TRY % number)
            link.socket.close()
        listener.says(self.NO_MORE)

    def test_one_try_left(self):
        listener = self.listen("--password", "-k")
        code = self.file("code", listener.says(CODE).group(1).encode())
        for number, share in enumerate(self.OFF[:2], 1):
            self.send(listener, share)
            listener.says(self.TRY % number)
        self.check(listener, "--password-file", code)
        self.assertNotRegex("\n".join(listener.lines), self.NO_MORE)

    def test_tries_that_come_back(self):
        """The users' own password is slow to be tried, but never used up."""
        right = self.file("right", WORDS)
        listener = self.listen("--password-file", right, "-k")
        for number, share in enumerate(self.OFF, 1):
            self.send(listener, share)
            listener.says(self.TRY % number)

        def is_let_in():
            status = (OK, NO_AUTHENTICATION)
            got = self.check(listener, "--password-file", right, status=status)
            return got.popen.returncode == OK

        until(is_let_in, "a try to come back")
        self.assertNotRegex("\n".join(listener.lines), self.NO_MORE)


if __name__ == "__main__":
    main()
