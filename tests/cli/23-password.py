#!/usr/bin/env python3
"""Passwords: where they come from, who knows them, how often one may try."""

import contextlib
import os
import re
import signal
import socket
import threading

from harness import (
    DEVNULL,
    LIMIT,
    NO_AUTHENTICATION,
    OK,
    USAGE,
    Server,
    adopt_orphans,
    dial,
    echo,
    main,
    not_wrapped,
    receive_all,
    redirected,
    until,
)
from proxy import UP, Fault, Proxy
from terminal import NO_TERMINAL, BackgroundScenario, TerminalScenario

ASKED = "Password: "
CODE = r"usi-tunnel: password: ([1-9][0-9]{2}-[a-z]{3,8}-[a-z]{3,8})$"
QUESTION = "Is this the fingerprint that the other side shows? (yes/no)"
OWN = r"identity fingerprint: sha256:([0-9a-f]{64})$"


class Given(TerminalScenario):
    """A password that both users have agreed on."""

    def setUp(self):
        super().setUp()
        self.right = self.file("right", "gr\u00fc\u00dfe ohne Ende\n".encode())
        self.wrong = self.file("wrong", b"open sesame\n")

    def test_pipe(self):
        listener = self.listen("--password-file", self.right, stdin=b"down")
        connector = self.connect(listener, "--password-file", self.right, stdin=b"up")
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual((listener.out.finish(), connector.out.finish()), (b"up", b"down"))

    def test_wrong(self):
        """The connector learns it, the listener says it and goes on."""
        listener = self.listen("--password-file", self.right)
        connector = self.connect(listener, "--password-file", self.wrong, stdin=b"secret")
        connector.wait(NO_AUTHENTICATION)
        self.assertIn("password is wrong", " ".join(connector.lines))
        listener.says(r"a try of the password failed, 1 so far")
        self.assertEqual((listener.out.count, connector.out.count), (0, 0))
        connector = self.connect(listener, "--password-file", self.right, stdin=b"up")
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"up")

    def test_tries_are_limited_in_rate(self):
        """After three in a row that failed, also the right one has to wait; not for ever."""
        listener = self.listen("--password-file", self.right, "-k")
        for count in range(1, 4):
            self.check(listener, "--password-file", self.wrong, status=NO_AUTHENTICATION)
            listener.says(rf"failed, {count} so far")
        self.check(listener, "--password-file", self.wrong, status=NO_AUTHENTICATION)

        def is_let_in():
            got = self.check(
                listener, "--password-file", self.right, status=(OK, NO_AUTHENTICATION)
            )
            return got.popen.returncode == OK

        until(is_let_in, "a try to come back")

    def test_sources(self):
        """A file, its line end in either form, a pipe, a descriptor: the same password."""
        listener = self.listen("--password-file", self.right, "-k")
        text = self.read(self.right).rstrip()
        for content in (text, text + b"\r\n", text + b"\nthe second line\n"):
            with self.round(content=content):
                self.check(listener, "--password-file", self.file("other", content))
        path = self.path("pipe")
        os.mkfifo(path)
        piped = self.connect(listener, "--check", "--password-file", path)
        with open(path, "wb") as pipe:
            pipe.write(text + b"\n")
        piped.wait(OK)
        other = [*NO_TERMINAL, *redirected(f"3<{self.right}")]
        self.check(listener, "--password-fd", "3", before=other)
        self.check(listener, "--password-fd", "0", stdin=text + b"\nmore")
        config = self.file("config", f"password-file {self.right}\n".encode())
        self.check(listener, "--config", config)

    def test_bad_sources(self):
        for content, word in (
            (b"", "empty"),
            (b"\n", "empty"),
            (b"\r\nx\n", "empty"),
            (b"x" * 1025 + b"\n", "1,024"),
            (b"x" * 1024 + b"\r\r\n", "1,024"),
            (b"\xff\xfe\n", "UTF-8"),
            (b"a\x00b\n", "NUL"),
            (b"\xef\xbb\xbfa\n", "byte order mark"),
        ):
            for command in ("listen", "connect"):
                with self.round(content=content[:8], command=command):
                    path = self.file("bad", content)
                    got = self.run_program(
                        command, "127.0.0.1:1", "--password-file", path, status=USAGE
                    )
                    self.assert_one_line(got, path, word)
        path = self.file("exposed", b"x\n", mode=0o604)
        got = self.run_program("listen", "127.0.0.1:0", "--password-file", path, status=USAGE)
        self.assert_one_line(got, "chmod")
        got = self.run_program(
            "listen", "127.0.0.1:0", "--password-file", self.path("none"), status=USAGE
        )
        self.assert_one_line(got, "No such file")
        got = self.run_program("connect", "127.0.0.1:1", "--password-fd", "77", status=USAGE)
        self.assert_one_line(got, "--password-fd 77")

    def test_longest(self):
        path = self.file("long", b"x" * 1024 + b"\r\n")
        self.check(self.listen("--password-file", path), "--password-file", path)

    def test_not_said(self):
        """The password stands in no message."""
        listener = self.listen("--password-file", self.right, "-k", "-v")
        sides = [
            self.check(listener, "--password-file", self.right, "-v"),
            self.check(listener, "--password-file", self.wrong, "-v", status=NO_AUTHENTICATION),
            listener,
        ]
        for side in sides:
            text = "\n".join(side.lines)
            self.assertNotIn("ohne Ende", text)
            self.assertNotIn("sesame", text)
            self.assertNotIn("Kc", text)
            self.assertNotIn("SRES", text)

    def test_names(self):
        listener = self.listen("--password-file", self.right, "--name", "alice", "-k")
        self.check(listener, "--password-file", self.right, "--name", "alice")
        self.check(listener, "--password-file", self.right, status=NO_AUTHENTICATION)

    def test_forward(self):
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen("--password-file", self.right, "--forward", server.address)
        connector = self.connect(
            listener, "--password-file", self.right, "-L", "127.0.0.1:0"
        ).ready()
        for _ in range(3):
            with dial(connector.address) as peer:
                peer.sendall(b"x")
                self.assertEqual(peer.recv(1), b"x")

    def test_stalled_streams(self):
        """Three at once, whose proofs do not get through: those that waited behind the first, and
        have no time left, do not use up guesses too; later ones cross."""
        server = Server(echo)
        self.addCleanup(server.close)
        lost = threading.Event()
        lost.set()

        class Lose(Fault):
            def frame(self, direction, number, data):
                return [] if direction == UP and number == 1 and lost.is_set() else [data]

        listener = self.listen("--password-file", self.right, "--forward", server.address)
        proxy = Proxy(listener.address, Lose, messages=2)
        self.addCleanup(proxy.close)
        connector = self.connect(
            proxy.address, *("--password-file", self.right, "-L", "127.0.0.1:0"), "--handshake-timeout", "4"
        ).ready()
        connector.signal(signal.SIGSTOP)
        clients = [dial(connector.address) for _ in range(3)]
        connector.signal(signal.SIGCONT)
        for client in clients:
            self.assertEqual(receive_all(client), (b"", True))
            client.close()
        shown = [len(proxy.relay(i).frames[UP]) - 1 for i in range(3)]
        self.assertEqual(sorted(shown), [0, 0, 1])
        lost.clear()
        with dial(connector.address) as client:
            client.sendall(b"echo")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(receive_all(client), (b"echo", False))


class MadeUp(TerminalScenario):
    """listen --password: a number and two words, to be told to somebody."""

    def code(self, listener):
        return self.file("code", listener.says(CODE).group(1).encode())

    def test_good_once(self):
        listener = self.listen("--password", "-k", stdin=b"down")
        code = self.code(listener)
        connector = self.connect(listener, "--password-file", code, stdin=b"up")
        connector.wait(OK)
        self.assertEqual(connector.out.finish(), b"down")
        self.assertTrue(listener.out.has(b"up"))
        again = self.connect(listener, "--password-file", code, stdin=b"again")
        again.wait(NO_AUTHENTICATION)
        self.assertTrue(listener.running())
        self.assertEqual(bytes(listener.out.data), b"up")

    def test_three_tries(self):
        listener = self.listen("--password", "-k")
        code = self.code(listener)
        wrong = self.file("wrong", b"123-wrong-guess\n")
        for count in range(1, 4):
            self.check(listener, "--password-file", wrong, status=NO_AUTHENTICATION)
            listener.says(rf"failed, {count} so far")
        self.check(listener, "--password-file", code, status=NO_AUTHENTICATION)
        self.assertTrue(listener.running())

    def test_two_wrong_and_one_right(self):
        listener = self.listen("--password", "-k")
        wrong = self.file("wrong", b"123-wrong-guess\n")
        for _ in range(2):
            self.check(listener, "--password-file", wrong, status=NO_AUTHENTICATION)
        self.check(listener, "--password-file", self.code(listener))

    def test_said_also_quietly(self):
        """Without it nobody could connect."""
        listener = self.listen("--password", "-q", ready=False)
        self.assertTrue(listener.says(CODE))

    def test_another_each_time(self):
        codes = {self.listen("--password").says(CODE).group(1) for _ in range(4)}
        self.assertEqual(len(codes), 4)
        words = {word for code in codes for word in re.split("-", code)[1:]}
        self.assertGreater(len(words), 4)


class Typed(TerminalScenario):
    def setUp(self):
        super().setUp()
        self.right = self.file("right", b"open sesame\n")

    def test_right(self):
        """Not shown, and not taken from standard input, which is data."""
        listener = self.listen("--password-file", self.right, stdin=b"down")
        here = self.terminal()
        connector = self.connect(listener, "--password", at=here, stdin=b"up")
        here.shows(ASKED)
        self.assertFalse(here.echoes())
        here.type("open sesame\n")
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual((listener.out.finish(), connector.out.finish()), (b"up", b"down"))
        self.assertNotIn("sesame", here.text)
        self.assertTrue(here.echoes())

    def test_wrong(self):
        listener = self.listen("--password-file", self.right)
        here = self.terminal()
        connector = self.connect(listener, "--password", at=here)
        here.shows(ASKED)
        here.type("swordfish\n")
        connector.wait(NO_AUTHENTICATION)
        self.assertTrue(here.echoes())

    def test_no_password(self):
        """Nothing typed, no answer in time, the end of input, no terminal: 2, and no connection."""
        for typed, options, word in (
            ("\n", [], "empty"),
            ("\x04", [], "no password"),
            (None, ["--ask-timeout", "0.2"], "--ask-timeout"),
            (b"\xff\n", [], "UTF-8"),
        ):
            with self.round(typed=typed):
                here = self.terminal()
                got = self.connect("127.0.0.1:1", "--password", *options, at=here)
                here.shows(ASKED)
                if typed:
                    here.type(typed)
                got.wait(USAGE)
                self.assert_one_line(got, word)
                self.assertTrue(here.echoes())
        got = self.connect("127.0.0.1:1", "--password")
        got.wait(USAGE)
        self.assert_one_line(got, "terminal", "--password-file")

    def test_interrupted(self):
        here = self.terminal()
        got = self.connect("127.0.0.1:1", "--password", at=here)
        here.shows(ASKED)
        here.type("half\x03")
        got.wait(-signal.SIGINT)
        self.assertEqual(got.lines, [])
        self.assertTrue(here.echoes())

    def test_terminated(self):
        here = self.terminal()
        got = self.connect("127.0.0.1:1", "--password", at=here)
        here.shows(ASKED)
        got.signal(signal.SIGTERM)
        got.wait(-signal.SIGTERM)
        self.assertTrue(here.echoes())

    def test_hung_up(self):
        here = self.terminal()
        got = self.connect("127.0.0.1:1", "--password", at=here)
        here.shows(ASKED)
        here.hang_up()
        got.wait(-signal.SIGHUP)

    def test_asked_again_after_three(self):
        """A connector with many streams asks again; the listener takes its time."""
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen("--password-file", self.right, "--forward", server.address)
        here = self.terminal()
        connector = self.connect(listener, "--password", "-L", "127.0.0.1:0", at=here)
        here.shows(ASKED)
        here.type("swordfish\n")
        connector.ready()

        def fails():
            with contextlib.suppress(OSError), dial(connector.address) as peer:
                receive_all(peer)

        for _ in range(3):
            fails()
        here.shows("Three tries of the password have failed")
        here.type("open sesame\n")
        self.assertNotIn("sesame", here.text)

        def works():
            try:
                with dial(connector.address) as peer:
                    peer.sendall(b"x")
                    return peer.recv(1) == b"x"
            except OSError:  # the listener's limit, passed on
                return False

        until(works, "the right password to be taken")


@not_wrapped
class Background(BackgroundScenario):
    def test_asked_in_the_foreground(self):
        """The password is asked for before the program goes to the background."""
        server = Server(echo)
        self.addCleanup(server.close)
        password = self.file("password", b"open sesame\n")
        listener = self.listen("--password-file", password, "--forward", server.address)
        here = self.terminal()
        path = self.path("stderr")
        with open(path, "wb") as err:
            front = self.connect(
                listener, "--password", "-L", "127.0.0.1:0", "-f",
                at=here, stderr=err, stdout=DEVNULL,
            )
            here.shows(ASKED)
            self.assertFalse(here.echoes())
            here.type("open sesame\n")
            self.assertEqual(front.popen.wait(LIMIT), OK)
        self.assertTrue(here.echoes())
        address = re.search(r"listening on (\S+)", self.read(path).decode()).group(1)
        with dial(address) as peer:
            peer.sendall(b"x")
            self.assertEqual(peer.recv(1), b"x")

    def test_failure_is_seen(self):
        here = self.terminal()
        front = self.connect("127.0.0.1:1", "--password", "-L", "0", "-f", at=here)
        here.shows(ASKED)
        here.type("\n")
        front.wait(USAGE)
        self.assertTrue(here.echoes())


class Question(TerminalScenario):
    """--ask-password: the listener proves that it knows a password, too."""

    def setUp(self):
        super().setUp()
        self.right = self.file("right", b"open sesame\n")
        self.wrong = self.file("wrong", b"swordfish\n")

    def test_right(self):
        listener = self.listen("--identity", "--anyone", "--password-file", self.right, "-k")
        here = self.terminal()
        connector = self.connect(
            listener, "--identity", "--ask-password", "--password-file", self.right, at=here,
            stdin=b"up",
        )
        here.shows(QUESTION)
        connector.says("knows the password")
        self.assertEqual(listener.out.count, 0)
        here.type("yes\n")
        connector.wait(OK)
        self.assertTrue(listener.out.has(b"up"))

    def test_typed(self):
        listener = self.listen("--identity", "--anyone", "--password-file", self.right)
        own = listener.says(OWN).group(1)
        here = self.terminal()
        connector = self.connect(
            listener, "--identity", "--ask-password", "--fingerprint", own, "--check", at=here
        )
        here.shows(ASKED)
        here.type("open sesame\n")
        connector.wait(OK)

    def test_wrong(self):
        """Refused before any question about fingerprints, whatever else speaks for the peer."""
        listener = self.listen(
            "--identity", "--anyone", "--password-file", self.right, "-k", stdin=b"down"
        )
        own = listener.says(OWN).group(1)
        here = self.terminal()
        for options in ([], ["--fingerprint", own]):
            connector = self.connect(
                listener, "--identity", "--ask-password", "--password-file", self.wrong, *options,
                at=here, stdin=b"up",
            )
            connector.wait(NO_AUTHENTICATION)
            self.assertIn("DOES NOT KNOW THE PASSWORD", " ".join(connector.lines))
            self.assertEqual(connector.out.finish(), b"")
        self.assertNotIn(QUESTION, here.text)
        listener.says("password", 2)
        self.assertEqual(listener.out.count, 0)

    def test_none_there(self):
        listener = self.listen("--identity", "--anyone", "-k")
        own = listener.says(OWN).group(1)
        got = self.check(
            listener, "--identity", "--ask-password", "--password-file", self.right,
            "--fingerprint", own, status=NO_AUTHENTICATION,
        )
        self.assertIn("has no password", " ".join(got.lines))


if __name__ == "__main__":
    adopt_orphans()
    main()
