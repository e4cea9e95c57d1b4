#!/usr/bin/env python3
"""Identities: what both sides see, who decides, and that nothing moves before."""

import re
import signal
import subprocess

from harness import (
    DEVNULL,
    FAR,
    LIMIT,
    NO_AUTHENTICATION,
    OK,
    PIPE,
    USAGE,
    Server,
    adopt_orphans,
    dial,
    echo,
    main,
    not_wrapped,
    skip_unless_found,
)
from terminal import BackgroundScenario, TerminalScenario

QUESTION = "Is this the fingerprint that the other side shows? (yes/no)"
SHOWN = r"usi-tunnel: fingerprint: ([0-9a-f]{64})$"
WORDS = r"usi-tunnel: in words: ([a-z]+(?: [a-z]+){11})$"
OWN = r"identity fingerprint: sha256:([0-9a-f]{64})$"


class Asked(TerminalScenario):
    def test_both_users_compare(self):
        """Both sides show the same, and data crosses when both have said yes."""
        here, there = self.terminal(), self.terminal()
        listener = self.listen("--identity", at=there, stdin=b"down")
        connector = self.connect(listener, "--identity", at=here, stdin=b"up")
        here.shows(QUESTION)
        there.shows(QUESTION)
        for pattern in (SHOWN, WORDS):
            self.assertEqual(listener.says(pattern).group(1), connector.says(pattern).group(1))
        here.type("yes\n")
        there.type("yes\n")
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual((listener.out.finish(), connector.out.finish()), (b"up", b"down"))

    def test_nothing_moves_before(self):
        """No octet reaches standard output or a target before the user has answered."""
        server = Server(echo)
        self.addCleanup(server.close)
        there = self.terminal()
        listener = self.listen("--identity", "--forward", server.address, at=there)
        here = self.terminal()
        connector = self.connect(listener, "--identity", at=here, stdin=b"secret")
        here.shows(QUESTION)
        here.type("yes\n")
        there.shows(QUESTION)
        self.assertEqual(server.accepted, 0)
        self.assertEqual((connector.out.count, listener.out.count), (0, 0))
        there.type("yes\n")
        connector.wait(OK)
        self.assertEqual(connector.out.finish(), b"secret")
        self.assertEqual(server.accepted, 1)

    def test_connector_has_not_answered(self):
        """What the listener would send stays where it is, too."""
        here = self.terminal()
        listener = self.listen("--identity", "--anyone", stdin=b"down")
        connector = self.connect(listener, "--identity", at=here, stdin=b"up")
        here.shows(QUESTION)
        self.assertEqual((connector.out.count, listener.out.count), (0, 0))
        here.type("oui\n")
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual((listener.out.finish(), connector.out.finish()), (b"up", b"down"))

    def test_terminal_shows_all(self):
        """Where stderr is no terminal, the question shows the fingerprint too; also with -q."""
        for option in ([], ["-q"]):
            with self.round(option=option):
                here = self.terminal()
                listener = self.listen("--identity", "--anyone")
                connector = self.connect(listener, "--identity", "--check", *option, at=here)
                here.shows(QUESTION)
                self.assertRegex(here.text, r"(?m)^fingerprint: [0-9a-f]{64}$")
                self.assertRegex(here.text, r"(?m)^in words: [a-z]+( [a-z]+){11}$")
                here.type("yes\n")
                connector.wait(OK)
                if option:
                    self.assertEqual(connector.lines, [])

    def test_no(self):
        """4 for the one who refuses, 7 for the other one; a listener goes on."""
        here, there = self.terminal(), self.terminal()
        listener = self.listen("--identity", at=there)
        connector = self.connect(listener, "--identity", at=here, stdin=b"up")
        here.shows(QUESTION)
        there.shows(QUESTION)
        here.type("no\n")
        connector.wait(NO_AUTHENTICATION)
        self.assertIn("not accepted", " ".join(connector.lines))
        there.shows("the peer has gone")
        second = self.connect(listener, "--identity", at=here, stdin=b"up")
        here.shows(QUESTION, 2)
        here.type("yes\n")
        there.shows(QUESTION, 2)
        there.type("no\n")
        second.wait(FAR)
        self.assertIn("did not accept", " ".join(second.lines))
        self.assertTrue(listener.running())
        self.assertEqual(listener.out.count, 0)

    def test_other_words(self):
        """Only yes is yes; after three other words it is no."""
        here = self.terminal()
        listener = self.listen("--identity", "--anyone", "-k")
        connector = self.connect(listener, "--identity", "--check", at=here)
        here.shows(QUESTION)
        here.type("y\n")
        here.shows("type yes or no", 1)
        here.type("\n")
        here.shows("type yes or no", 2)
        here.type(" yes \n")
        connector.wait(OK)
        connector = self.connect(listener, "--identity", "--check", at=here)
        here.shows(QUESTION, 2)
        for word, count in (("YES", 3), ("yes please", 4)):
            here.type(word + "\n")
            here.shows("type yes or no", count)
        here.type("sure\n")
        connector.wait(NO_AUTHENTICATION)

    def test_no_answer(self):
        here = self.terminal()
        listener = self.listen("--identity", "--anyone")
        connector = self.connect(listener, "--identity", "--ask-timeout", "1", at=here)
        connector.wait(NO_AUTHENTICATION)
        self.assertIn("--ask-timeout", " ".join(connector.lines))
        there = self.terminal()
        listener = self.listen("--identity", "--ask-timeout", "1", at=there)
        own = listener.says(OWN).group(1)
        connector = self.connect(listener, "--identity", "--fingerprint", own)
        connector.wait(FAR)
        self.assertTrue(listener.running())

    def test_end_of_input(self):
        here = self.terminal()
        listener = self.listen("--identity", "--anyone")
        connector = self.connect(listener, "--identity", at=here)
        here.shows(QUESTION)
        here.type("\x04")
        connector.wait(NO_AUTHENTICATION)

    def test_terminal_goes_away(self):
        """The window is closed: the program ends with it, or, under nohup, refuses."""
        listener = self.listen("--identity", "--anyone", "-k")
        here = self.terminal()
        connector = self.connect(listener, "--identity", at=here)
        here.shows(QUESTION)
        here.hang_up()
        connector.wait(-signal.SIGHUP)
        here = self.terminal()
        nohup = [*here.before, "sh", "-c", 'trap "" HUP; exec "$@"', "sh"]
        connector = self.connect(listener, "--identity", before=nohup)
        here.shows(QUESTION)
        here.hang_up()
        connector.wait(NO_AUTHENTICATION)
        self.assertIn("terminal is gone", " ".join(connector.lines))
        self.assertTrue(listener.running())

    def test_interrupted(self):
        here = self.terminal()
        listener = self.listen("--identity", "--anyone")
        connector = self.connect(listener, "--identity", at=here)
        here.shows(QUESTION)
        here.type("\x03")
        connector.wait(-signal.SIGINT)
        self.assertTrue(here.echoes())

    def test_typed_before(self):
        """What was typed before the question answers nothing."""
        here = self.terminal()
        here.type("yes\n")
        listener = self.listen("--identity", "--anyone")
        connector = self.connect(listener, "--identity", "--ask-timeout", "1", at=here)
        connector.wait(NO_AUTHENTICATION)

    def test_standard_input_is_the_terminal(self):
        """The answer is no data, and what is typed after it is no answer."""
        here = self.terminal()
        listener = self.listen("--identity", "--anyone", stdin=PIPE)
        connector = self.connect(listener, "--identity", at=here, stdin=here.slave)
        here.shows(QUESTION)
        here.type("yes\n")
        self.assertTrue(listener.says(WORDS))
        here.type("hello\n\x04")
        self.assertTrue(listener.out.has(b"hello\n"))
        listener.close_stdin()  # not before: a terminal is not waited for then
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"hello\n")

    def test_terminal_of_a_listener_that_is_taken(self):
        """While one peer has the terminal as standard input, no other one brings a question."""
        there = self.terminal()
        listener = self.listen("--identity", "-k", at=there, stdin=there.slave)
        named = ["--identity", "--fingerprint", listener.says(OWN).group(1)]
        first = self.connect(listener, *named, stdin=PIPE)
        there.shows(QUESTION)
        there.type("yes\n")
        first.write(b"x")
        self.assertTrue(listener.out.has(b"x"))
        self.connect(listener, *named).wait(FAR)
        listener.says("the terminal carries the data of another peer")
        there.type("hello\n")
        self.assertTrue(first.out.has(b"hello\n"))
        self.assertEqual(there.text.count(QUESTION), 1)

    def test_one_answer_for_all(self):
        """Connections of one peer that wait are answered together, on both sides."""
        server = Server(echo)
        self.addCleanup(server.close)
        here, there = self.terminal(), self.terminal()
        listener = self.listen("--identity", "--forward", server.address, at=there)
        connector = self.connect(listener, "--identity", "-L", "127.0.0.1:0", at=here).ready()
        peers = [dial(connector.address) for _ in range(3)]
        for peer in peers:
            self.addCleanup(peer.close)
            peer.sendall(b"x")
        here.shows(QUESTION)
        here.type("yes\n")
        there.shows(QUESTION)
        self.assertEqual(server.accepted, 0)
        there.type("yes\n")
        for peer in peers:
            self.assertEqual(peer.recv(1), b"x")
        with dial(connector.address) as late:
            late.sendall(b"y")
            self.assertEqual(late.recv(1), b"y")
        self.assertEqual((here.text.count(QUESTION), there.text.count(QUESTION)), (1, 1))
        listener.says(WORDS)
        self.assertEqual(sum("in words" in line for line in listener.lines), 1)

    def test_peer_goes_while_it_waits(self):
        there = self.terminal()
        listener = self.listen("--identity", at=there)
        here = self.terminal()
        connector = self.connect(listener, "--identity", at=here)
        there.shows(QUESTION)
        connector.signal(signal.SIGKILL)
        there.shows("the peer has gone")
        here = self.terminal()
        second = self.connect(listener, "--identity", at=here, stdin=b"up")
        there.shows(QUESTION, 2)
        there.type("yes\n")
        here.shows(QUESTION)
        here.type("yes\n")
        second.wait(OK)

    @not_wrapped
    def test_too_many_wait(self):
        """Sixteen peers wait for an answer; more are refused."""
        there = self.terminal()
        listener = self.listen("--identity", "-v", at=there)
        named = ["--identity", "--fingerprint", listener.says(OWN).group(1)]
        waiting = []
        for count in range(1, 17):
            waiting.append(self.connect(listener, *named))
            listener.says(r"identity fingerprint: sha256:\w+ \(", count)
        self.connect(listener, *named).wait(FAR)
        listener.says("too many peers wait")
        there.shows(QUESTION)
        there.type("no\n")
        waiting[0].wait(FAR)
        there.shows(QUESTION, 2)
        # There is room again.
        waiting.append(self.connect(listener, *named))
        listener.says(r"identity fingerprint: sha256:\w+ \(", 18)
        self.assertTrue(waiting[-1].running())


class Alone(TerminalScenario):
    """Without a terminal."""

    def test_unknown_is_refused(self):
        listener = self.listen("--identity", "--anyone", "-k")
        own = listener.says(OWN).group(1)
        connector = self.connect(listener, "--identity")
        connector.wait(NO_AUTHENTICATION)
        self.assertIn(own, " ".join(connector.lines))
        self.check(listener, "--identity", "--fingerprint", own)

    def test_unknown_connector_is_refused(self):
        """The advice is one that works."""
        listener = self.listen("--identity", "-k")
        own = listener.says(OWN).group(1)
        alice = self.identity("alice")
        self.check(listener, alice, "--fingerprint", own, status=FAR)
        seen = listener.says(r"--fingerprint ([0-9a-f]{64})").group(1)
        self.assertEqual(listener.out.count, 0)
        listener = self.listen("--identity", "--fingerprint", seen, "-k")
        own = listener.says(OWN).group(1)
        self.check(listener, alice, "--fingerprint", own)
        self.check(listener, "--identity", "--fingerprint", own, status=FAR)
        self.assertTrue(listener.running())

    def test_another_fingerprint(self):
        listener = self.listen("--identity", "--anyone")
        own = listener.says(OWN).group(1)
        got = self.check(
            listener, "--identity", "--fingerprint", "00" * 32, status=NO_AUTHENTICATION
        )
        self.assertIn(own, " ".join(got.lines))
        self.check(listener, "--identity", "--fingerprint", "00" * 32, "--fingerprint", own)

    def test_named_peers_are_not_asked_about(self):
        """Whom the command line does not name is refused, also where there is a user."""
        here = self.terminal()
        listener = self.listen("--identity", "--anyone")
        connector = self.connect(listener, "--identity", "--fingerprint", "00" * 32, at=here)
        connector.wait(NO_AUTHENTICATION)
        self.assertNotIn(QUESTION, here.text)

    def test_trust(self):
        alice, bob = self.identity("alice"), self.identity("bob")
        server = self.identity("server")
        prints = {}
        for name, key in (("alice", alice), ("server", server)):
            probe = self.listen(key)
            prints[name] = probe.says(OWN).group(1)
        trust = self.file("trust", f"# friends\n\n{prints['alice']} Alice\n".encode())
        listener = self.listen(server, "--trust", trust, "-k")
        there = self.file("server.trust", f"sha256:{prints['server'].upper()}\n".encode())
        self.check(listener, alice, "--trust", there)
        self.check(listener, bob, "--trust", there, status=FAR)
        self.check(listener, alice, "--trust", trust, status=NO_AUTHENTICATION)
        self.check(listener, alice, "--trust", trust, "--trust", there)
        self.check(listener, alice, "--trust", trust, "--fingerprint", prints["server"])

    def test_bad_trust_files(self):
        for content, word in (
            (b"# one\nalice\n", "line 2"),
            (b"12345\n", "line 1"),
            (b"\x00\n", "NUL"),
        ):
            with self.round(content=content):
                path = self.file("trust", content)
                got = self.run_program(
                    "listen", "127.0.0.1:0", "--identity", "--trust", path, status=USAGE
                )
                self.assertIn(word, got.lines[-1])
                self.assertIn(path, got.lines[-1])
        got = self.run_program(
            "connect", "127.0.0.1:1", "--identity", "--trust", self.path("none"), status=USAGE
        )
        self.assertIn("No such file", got.lines[-1])

    def test_rsa(self):
        """A listener takes RSA keys only if it is told to; a connector does."""
        listener = self.listen("--identity=rsa", "--anyone", "--accept-rsa", "-k")
        own = listener.says(OWN).group(1)
        self.check(listener, "--identity", "--fingerprint", own)
        self.check(listener, "--identity=rsa", "--fingerprint", own)
        listener = self.listen("--identity", "--anyone", "-k", "-v")
        own = listener.says(OWN).group(1)
        # The connector has accepted the listener, which then closes the connection.
        got = self.check(
            listener, "--identity=rsa", "--fingerprint", own, status=NO_AUTHENTICATION
        )
        self.assertIn("--accept-rsa", got.story())
        listener.says("handshake failed: .*kind")
        self.check(listener, "--identity", "--fingerprint", own)

    def test_verbose(self):
        listener = self.listen(self.identity("server"), "--anyone", "-v")
        own = listener.says(OWN).group(1)
        got = self.check(listener, "--identity", "--fingerprint", own, "-v")
        text = "\n".join(got.lines)
        self.assertRegex(text, rf"identity fingerprint: sha256:{own} \(Ed25519 .*kept\)")
        listener.says(r"sha256:[0-9a-f]{64} \(Ed25519 .*fresh\)")
        self.assertNotIn("SRES", text)
        self.assertNotIn("Kc", text)

    def test_several_ways(self):
        """A listener offers what it was given, and nothing else."""
        password = self.file("password", b"open sesame\n")
        listener = self.listen(
            "--key-file", self.key, "--identity", "--anyone", "--password-file", password, "-k"
        )
        own = listener.says(OWN).group(1)
        self.check(listener, "--key-file", self.key)
        self.check(listener, "--identity", "--fingerprint", own)
        self.check(listener, "--password-file", password)
        ways = [
            ["--key-file", self.key],
            ["--identity", "--fingerprint", "00" * 32],
            ["--password-file", password],
        ]
        offers = [["--key-file", self.key], ["--identity", "--anyone"], ways[2]]
        for i, offer in enumerate(offers):
            only = self.listen(*offer, "-k")
            for k, way in enumerate(ways):
                if i != k:
                    with self.subTest(offer=offer, way=way):
                        got = self.check(only, *way, status=NO_AUTHENTICATION)
                        self.assertTrue(got.lines)


class Kept(TerminalScenario):
    @skip_unless_found("openssl")
    def test_passphrase(self):
        path = self.path("locked.pem")
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:correct"]
            + ["-out", path],
            check=True,
            stdout=DEVNULL,
            stderr=DEVNULL,
        )
        key = f"--identity={path}"
        here = self.terminal()
        listener = self.start("listen", "127.0.0.1:0", key, "--anyone", "-k", at=here)
        here.shows("Passphrase of ")
        self.assertFalse(here.echoes())
        here.type("correct\n")
        listener.ready()
        self.assertTrue(here.echoes())
        self.assertNotIn("correct", here.text)
        for typed, options in (
            ("wrong\n", []),
            ("\x04", []),
            (None, ["--ask-timeout", "0.2"]),
        ):
            with self.round(typed=typed):
                here = self.terminal()
                got = self.connect(listener, key, *options, at=here)
                here.shows("Passphrase of ")
                if typed:
                    here.type(typed)
                got.wait(USAGE)
                self.assert_one_line(got, path)
                self.assertTrue(here.echoes())
        got = self.connect(listener, key)
        got.wait(USAGE)
        self.assert_one_line(got, path, "terminal")
        here = self.terminal()
        got = self.connect(listener, key, at=here)
        here.shows("Passphrase of ")
        here.type("corr\x03")
        got.wait(-signal.SIGINT)
        self.assertEqual(got.lines, [])
        self.assertTrue(here.echoes())

    @skip_unless_found("openssl")
    def test_keys_that_are_refused(self):
        def make(name, *words):
            path = self.path(name)
            subprocess.run(
                ["openssl", "genpkey", *words, "-out", path],
                check=True,
                stdout=DEVNULL,
                stderr=DEVNULL,
            )
            return path

        cases = [
            (make("short", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"), "1024"),
            (make("curve", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), "EC"),
            (self.file("text", b"not a key\n"), ""),
            (self.file("empty", b""), ""),
            (self.key, ""),
            (self.path("missing"), "No such file"),
        ]
        for path, word in cases:
            with self.round(path=path):
                got = self.run_program(
                    "listen", "127.0.0.1:0", f"--identity={path}", status=USAGE
                )
                self.assert_one_line(got, path, word)

    def test_exposed(self):
        path = self.identity("me").partition("=")[2]
        subprocess.run(["chmod", "644", path], check=True)
        got = self.run_program("listen", "127.0.0.1:0", f"--identity={path}", status=USAGE)
        self.assert_one_line(got, "chmod")


@not_wrapped
class Background(BackgroundScenario):
    def test_listener_asks_nobody(self):
        """After it has gone to the background, unknown peers are refused and known ones are not."""
        alice = self.identity("alice")
        trust = self.file("trust", self.listen(alice).says(OWN).group(1).encode())
        there = self.terminal()
        for options, status in (([], FAR), (["--trust", trust], OK)):
            path = self.path("stderr")
            with open(path, "wb") as err:
                front = self.listen(
                    "--identity", "-f", "--forward", "127.0.0.1:1", *options,
                    at=there, stderr=err, stdout=DEVNULL, ready=False,
                )
                self.assertEqual(front.popen.wait(LIMIT), OK)
            said = self.read(path).decode()
            address = re.search(r"listening on (\S+)", said).group(1)
            own = re.search(r"sha256:(\w+)", said).group(1)
            self.check(address, alice, "--fingerprint", own, status=status)
            self.assertNotIn(QUESTION, there.text)
            there = self.terminal()

    def test_connector_asks_before(self):
        """A pipe is ready when its peer is accepted."""
        here = self.terminal()
        listener = self.listen("--identity", "--anyone", stdin=PIPE)
        path = self.path("stderr")
        with open(path, "wb") as err:
            front = self.connect(
                listener, "--identity", "-f", "--recv-only", at=here, stderr=err, stdout=DEVNULL
            )
            here.shows(QUESTION)
            self.assertTrue(front.running())
            here.type("yes\n")
            self.assertEqual(front.popen.wait(LIMIT), OK)
        listener.close_stdin()
        listener.wait(OK)


if __name__ == "__main__":
    adopt_orphans()
    main()
