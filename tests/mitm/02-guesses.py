#!/usr/bin/env python3
"""Who plays the listener has three guesses at a connector's password, however it gets rid of the connector,
and none where the connector knows without asking that it is the wrong one."""

import contextlib
import hashlib
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import mitm  # noqa: E402, F401 - finds the folders of what follows
import usi1  # noqa: E402
from harness import (  # noqa: E402
    LIMIT,
    NO_AUTHENTICATION,
    Server,
    dial,
    echo,
    main,
    receive_all,
    reset_on_close,
)
from identity import Ed25519Key, Identity  # noqa: E402
from link import Link  # noqa: E402
from password import Password, WrongPassword  # noqa: E402
from terminal import TerminalScenario  # noqa: E402

WORDS = b"four quite common words"
GUESSES = 3  # that a connector gives away
TIMES = 5  # that it is made to connect
CROWD = 20  # that connect at once
STOPPING = 1  # a reason to abort


def known_as(key):
    return hashlib.sha256(key.spki).hexdigest()


def never(number):
    return False


class Asked(usi1.Channel):
    """A listener's. A guess that is wrong raises WrongPassword, as in password mode."""

    taken_questions = 0

    def take_question(self, content):
        self.taken_questions += 1
        super().take_question(content)

    def take_attempt(self, content):
        self.seal(usi1.VERDICT, self.question.receive(content))
        self.end_question("asked", True)


class Thief:
    """A false listener, with an identity or (None) in password mode. knows(number): is what it has for its
    number-th connection the password? wrong(link): what it does when it was not; right(link): when it was."""

    def __init__(self, identity, wrong, knows=never, right=receive_all):
        self.identity, self.wrong, self.right, self.knows = identity, wrong, right, knows
        self.salt = os.urandom(16)
        self.changed = threading.Condition()
        self.links, self.challenged, self.guesses, self.taken, self.over = [], [], [], [], []
        self.server = Server(self.serve)
        self.address, self.close = self.server.address, self.server.close

    def note(self, what, link):
        with self.changed:
            what.append(link)
            self.changed.notify_all()
            return len(what) - 1

    def wait(self, ready):
        with self.changed:
            if not self.changed.wait_for(ready, LIMIT):
                raise AssertionError(f"waited {LIMIT} s for a connection to get so far: {self}")

    def __str__(self):
        kinds = "links", "challenged", "guesses", "taken", "over"
        return ", ".join(f"{len(getattr(self, kind))} {kind}" for kind in kinds)

    @property
    def questions(self):
        return sum(link.channel.taken_questions for link in self.links)

    def serve(self, peer):
        peer.settimeout(LIMIT)
        with self.changed:
            link = self.link(peer, len(self.links))
            self.links.append(link)
            self.changed.notify_all()
        try:
            self.talk(link)
        except WrongPassword:
            self.note(self.guesses, link)
            self.wrong(link)
        finally:
            self.note(self.over, link)

    def link(self, peer, number):
        password = Password(WORDS if self.knows(number) else "a guess", self.salt)
        link = Link(peer, self.identity or password, False)
        if self.identity:
            link.channel = Asked(self.identity, False, password=password)
            link.channel.approved = True
        return link

    def talk(self, link):
        while link.read():
            handshake = link.channel.question or link.channel.handshake
            if hasattr(handshake, "sent_2") and link not in self.challenged:
                self.note(self.challenged, link)
            if not self.identity and link.channel.last:
                self.note(self.taken, link)
                self.right(link.socket)
                return


# What a thief does behind a guess.


def cut(link):
    """It closes as its thread ends."""


def reset(link):
    reset_on_close(link.socket)


def half_closed(link):
    link.socket.shutdown(socket.SHUT_WR)
    silence(link)


def silence(link):
    receive_all(link.socket)


def noise(link):
    link.socket.sendall(os.urandom(1000))
    silence(link)


def answered(*content):
    """A verdict, or a message 4."""

    def answer(link):
        if link.channel.last:
            link.channel.seal(usi1.VERDICT, *content)
        else:
            link.channel.outbox.append(link.channel.prefixed(*content))
        link.send()
        silence(link)

    return answer


def aborted(link):
    link.channel.abort(STOPPING)
    link.send()
    silence(link)


class Guesses(TerminalScenario):
    def setUp(self):
        super().setUp()
        self.own = Ed25519Key()
        self.words = ["--password-file", self.file("words", WORDS)]
        self.sure = ["--identity", "--ask-password", "--fingerprint", known_as(self.own)]

    def thief(self, *how, identity=None, **more):
        thief = Thief(identity, *how, **more)
        self.addCleanup(thief.close)
        return thief

    def forward(self, thief, *options):
        """A connector for as many streams as come: each is a connection to the thief."""
        return self.connect(thief, *self.words, *options, "-L", "127.0.0.1:0").ready()

    def connect(self, to, *options, **how):
        return super().connect(getattr(to, "address", to), *options, **how)

    def fail_stream(self, connector):
        """A stream of which nothing comes, to its end."""
        with contextlib.suppress(OSError), dial(connector.address) as local:
            self.assertEqual(receive_all(local)[0], b"")

    def assert_three(self, thief, *options, times=TIMES):
        connector = self.forward(thief, *options)
        for _ in range(times):
            self.fail_stream(connector)
        thief.wait(lambda: len(thief.over) == times)
        self.assertEqual(len(thief.guesses), GUESSES, f"{thief}\n{connector.story()}")
        self.assertTrue(connector.running())


class OneByOne(Guesses):
    SHORT = ["--handshake-timeout", "1"]

    def test_question(self):
        """The thief shows the identity that the connector wants, and is asked for the password."""
        verdicts = {"wrong": answered(), "garbage": answered(os.urandom(49)), "long": answered(bytes(3000))}
        ways = {**verdicts, "cut": cut, "reset": reset, "half closed": half_closed, "noise": noise,
                "aborted": aborted}
        for name, way in ways.items():
            with self.round(way=name):
                self.assert_three(self.thief(way, identity=self.identity_of(self.own)), *self.sure)

    def test_question_silence(self):
        thief = self.thief(silence, identity=self.identity_of(self.own))
        self.assert_three(thief, *self.sure, *self.SHORT)

    def test_password(self):
        verdicts = {"wrong": answered(b"\0" + os.urandom(48)), "long": answered(bytes(1500))}
        ways = {**verdicts, "cut": cut, "reset": reset, "half closed": half_closed}
        for name, way in ways.items():
            with self.round(way=name):
                self.assert_three(self.thief(way))

    def test_password_silence(self):
        self.assert_three(self.thief(silence), *self.SHORT)

    def test_some_let_through(self):
        """A success, which the man in the middle can have from the listener at any time, resets nothing."""
        thief = self.thief(cut, knows=lambda number: number % 2 == 0, right=reset_on_close)
        self.assert_three(thief, times=2 * TIMES)
        self.assertEqual(len(thief.taken), GUESSES)

    def test_the_right_listener(self):
        """The control: as often as anybody likes."""
        server = Server(echo)
        self.addCleanup(server.close)
        far = ["--forward", server.address, *self.words]
        kept = "--identity=" + self.file("kept.pem", self.own.pem().encode())
        for listening, connecting in ((far, []), ([kept, "--anyone", *far], self.sure)):
            with self.round(connecting=connecting):
                connector = self.forward(self.listen(*listening), *connecting)
                for _ in range(TIMES):
                    with dial(connector.address) as local:
                        local.sendall(b"there and back")
                        local.shutdown(socket.SHUT_WR)
                        self.assertEqual(receive_all(local), (b"there and back", False))

    def identity_of(self, key):
        return Identity(key, True)


class AtOnce(Guesses):
    """Many connections are open before the first of them fails."""

    FOR_EVER = ["--handshake-timeout", "100000"]

    def crowd(self, thief, connector, already):
        """Returns when the connector has seen a salt on each, and has answered those that it wants to."""
        for _ in range(CROWD):
            self.addCleanup(dial(connector.address).close)
        thief.wait(lambda: len(thief.challenged) == already + CROWD and thief.guesses)
        self.addCleanup(dial(connector.address).close)  # its turn comes behind all salts
        thief.wait(lambda: len(thief.links) == already + CROWD + 1)
        return already + CROWD + 1

    def test_after_a_success(self):
        go = threading.Event()
        thief = self.thief(lambda link: go.wait(LIMIT), knows=lambda number: number == 0)
        connector = self.forward(thief, *self.FOR_EVER)
        self.addCleanup(dial(connector.address).close)
        thief.wait(lambda: thief.taken)
        count = self.crowd(thief, connector, 1)
        thief.wait(lambda: len(thief.guesses) >= GUESSES)
        go.set()
        thief.wait(lambda: len(thief.over) == count - 1)  # but for the first
        self.assertEqual(len(thief.guesses), GUESSES, f"{thief}\n{connector.story()}")

    def test_without_a_success(self):
        """One after the other."""
        go = threading.Event()
        thief = self.thief(lambda link: go.wait(LIMIT))
        connector = self.forward(thief, *self.FOR_EVER)
        count = self.crowd(thief, connector, 0)
        self.assertEqual(len(thief.guesses), 1)
        go.set()
        thief.wait(lambda: len(thief.over) == count)
        self.assertEqual(len(thief.guesses), GUESSES, f"{thief}\n{connector.story()}")


class Refused(Guesses):
    """Whom the connector does not want, it does not ask either."""

    def check_thief(self, kept, *options):
        thief = self.thief(cut, identity=Identity(self.own, kept))
        more = ["--identity", "--ask-password", *self.words, "--check"]
        self.connect(thief, *more, *options).wait(NO_AUTHENTICATION)
        thief.wait(lambda: len(thief.over) == 1)
        return thief.questions, len(thief.guesses)

    def test_not_named(self):
        other = known_as(Ed25519Key())
        trusted = self.file("trusted", other.encode() + b"\n")
        for options in (["--fingerprint", other], ["--trust", trusted]):
            for kept in (False, True):
                with self.round(options=options, kept=kept):
                    self.assertEqual(self.check_thief(kept, *options), (0, 0))

    def test_nobody_to_ask(self):
        """A stranger, and no terminal."""
        for kept in (False, True):
            with self.round(kept=kept):
                self.assertEqual(self.check_thief(kept), (0, 0))

    def test_changed(self):
        """Another key than the one that is remembered; with a user who could be asked."""
        folder = os.path.join(self.path("connect"), "usi")
        os.makedirs(folder, mode=0o700)
        for kept in (False, True):
            with self.round(kept=kept):
                thief = self.thief(cut, identity=Identity(self.own, kept))
                line = f"sha256:{known_as(Ed25519Key())} connect {thief.address}\n"
                self.file(os.path.join(folder, "known"), line.encode())
                options = ["--identity", "--ask-password", *self.words, "--check"]
                connector = self.connect(thief, *options, at=self.terminal())
                connector.wait(NO_AUTHENTICATION)
                self.assertIn("CHANGED", " ".join(connector.lines))
                thief.wait(lambda thief=thief: len(thief.over) == 1)
                self.assertEqual((thief.questions, len(thief.guesses)), (0, 0))

    def test_named(self):
        """The control: it is asked, and has a guess."""
        trusted = self.file("trusted", known_as(self.own).encode() + b"\n")
        for options in (["--fingerprint", known_as(self.own)], ["--trust", trusted]):
            with self.round(options=options):
                self.assertEqual(self.check_thief(True, *options), (1, 1))


if __name__ == "__main__":
    main()
