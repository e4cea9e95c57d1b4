#!/usr/bin/env python3
"""Peers that are remembered: written once, known again, loud when they change."""

import os
import stat

from harness import (
    FAR,
    LOCAL,
    NO_AUTHENTICATION,
    OK,
    Server,
    dial,
    echo,
    main,
    reserve_port,
)
from terminal import TerminalScenario

QUESTION = "Is this the fingerprint that the other side shows? (yes/no)"
OWN = r"identity fingerprint: sha256:([0-9a-f]{64})$"


class Known(TerminalScenario):
    def setUp(self):
        super().setUp()
        self.server, self.alice = self.identity("server"), self.identity("alice")

    def meet(self, listener, *options, answer="yes\n", status=OK, to=None, **how):
        """A connector whose user is asked, and answers."""
        here = self.terminal()
        connector = self.connect(to or listener, "--check", *options, at=here, **how)
        here.shows(QUESTION)
        here.type(answer)
        connector.wait(status)
        return connector

    def test_connector_remembers(self):
        """One line; the second time nobody is asked."""
        listener = self.listen(self.server, "--anyone", "-k")
        own = listener.says(OWN).group(1)
        port = listener.address.rsplit(":", 1)[1]
        self.meet(listener, self.alice, to=f"localhost:{port}")
        lines = self.known("connect")
        self.assertEqual(lines, [f"sha256:{own} connect localhost:{port}"])
        for address in (f"localhost:{port}", f"LOCALHOST:{port}"):
            self.check(address, self.alice)
        self.check(port, "--identity")
        self.assertEqual(self.known("connect"), lines)
        # Under another address it is another peer.
        self.check(listener, self.alice, status=NO_AUTHENTICATION)

    def test_listener_remembers(self):
        there = self.terminal()
        listener = self.listen(self.server, "-k", at=there)
        own = listener.says(OWN).group(1)
        connector = self.connect(listener, self.alice, "--check", "--fingerprint", own)
        there.shows(QUESTION)
        there.type("yes\n")
        connector.wait(OK)
        line = self.known("listen")[0]
        self.assertRegex(line, r"^sha256:[0-9a-f]{64} listen$")
        # The same run, and the next one, which has no terminal.
        self.check(listener, self.alice, "--fingerprint", own)
        listener = self.listen(self.server, "-k")
        self.check(listener, self.alice, "--fingerprint", own)
        self.check(listener, self.identity("bob"), "--fingerprint", own, status=FAR)
        self.assertEqual(self.known("listen"), [line])

    def test_private(self):
        listener = self.listen(self.server, "--anyone")
        self.meet(listener, self.alice)
        folder = os.path.join(self.path("connect"), "usi")
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, "known")).st_mode), 0o600)

    def test_home(self):
        """Without XDG_STATE_HOME it is ~/.local/state."""
        listener = self.listen(self.server, "--anyone")
        home = self.path("home")
        os.mkdir(home)
        self.meet(listener, self.alice, env={"XDG_STATE_HOME": "", "HOME": home})
        self.assertTrue(os.path.exists(os.path.join(home, ".local/state/usi/known")))

    def test_changed(self):
        """Another key under a known address: loud, where the old one is, and nobody is asked."""
        holder, address = reserve_port()
        self.addCleanup(holder.close)
        listener = self.listen(self.server, "--anyone", "-k", address=address)
        old = listener.says(OWN).group(1)
        self.meet(listener, self.alice, to=address)
        listener.kill()
        before = self.known("connect")
        place = "line 1 of " + os.path.join(self.path("connect"), "usi", "known")
        for other in (self.identity("other"), "--identity", "--identity=rsa"):
            with self.round(other=other):
                listener = self.listen(other, "--anyone", "-k", address=address, stdin=b"down")
                own = listener.says(OWN).group(1)
                here = self.terminal()
                got = self.connect(address, self.alice, at=here, stdin=b"secret")
                got.wait(NO_AUTHENTICATION)
                text = "\n".join(got.lines)
                self.assertIn("HAS CHANGED", text)
                self.assertIn(own, text)
                self.assertIn(place, text)
                self.assertNotIn(QUESTION, here.text)
                self.assertEqual((got.out.finish(), listener.out.count), (b"", 0))
                listener.kill()
        self.assertEqual(self.known("connect"), before)
        self.assertIn(old, before[0])

    def test_no_is_not_remembered(self):
        listener = self.listen(self.server, "--anyone", "-k")
        self.meet(listener, self.alice, answer="no\n", status=NO_AUTHENTICATION)
        self.assertEqual(self.known("connect"), [])

    def test_fresh_is_not_remembered(self):
        """A fresh key will never come again; but one run asks once."""
        server = Server(echo)
        self.addCleanup(server.close)
        there, here = self.terminal(), self.terminal()
        listener = self.listen("--identity", "--forward", server.address, at=there)
        connector = self.connect(listener, "--identity", "-L", "127.0.0.1:0", at=here).ready()
        for count in (1, 2):
            with dial(connector.address) as peer:
                peer.sendall(b"x")
                if count == 1:
                    here.shows(QUESTION)
                    here.type("yes\n")
                    there.shows(QUESTION)
                    there.type("yes\n")
                self.assertEqual(peer.recv(1), b"x")
        self.assertEqual((here.text.count(QUESTION), there.text.count(QUESTION)), (1, 1))
        self.assertEqual((self.known("connect"), self.known("listen")), ([], []))

    def test_no_remember(self):
        """Nothing is written; what was written before still counts."""
        listener = self.listen(self.server, "--anyone", "-k")
        self.meet(listener, self.alice, "--no-remember")
        self.assertFalse(os.path.exists(self.path("connect")))
        self.meet(listener, self.alice)
        self.check(listener, self.alice, "--no-remember")

    def test_cannot_be_written(self):
        """Nobody is asked then: 6 at a connector; a listener goes on."""
        folder = self.path("folder")
        os.makedirs(os.path.join(folder, "usi", "known"))
        listener = self.listen(self.server, "--anyone", "-k")
        own = listener.says(OWN).group(1)
        for place in ("/dev/null", folder):
            with self.round(place=place):
                here = self.terminal()
                got = self.connect(
                    listener, self.alice, at=here, env={"XDG_STATE_HOME": place}, stdin=b"up"
                )
                got.wait(LOCAL)
                self.assertIn(place, " ".join(got.lines))
                self.assertNotIn(QUESTION, here.text)
        here = self.terminal()
        got = self.connect(listener, self.alice, "--check", "--no-remember", at=here,
                           env={"XDG_STATE_HOME": "/dev/null/x"})
        got.wait(LOCAL)  # it cannot be read either
        # What needs no memory does not care.
        self.check(listener, self.alice, "--fingerprint", own, env={"XDG_STATE_HOME": "/dev/null"})
        self.assertEqual(listener.out.count, 0)
        there = self.terminal()
        listener = self.listen(self.server, "-k", at=there, env={"XDG_STATE_HOME": "/dev/null"})
        self.check(listener, self.alice, "--fingerprint", own, status=FAR)
        self.assertTrue(listener.running())
        self.assertNotIn(QUESTION, there.text)

    def test_full_disk(self):
        """The answer was yes, and it cannot be kept."""
        listener = self.listen(self.server, "--anyone", "-k")
        here = self.terminal()
        limit = [*here.before, "sh", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "sh"]
        got = self.connect(listener, self.alice, before=limit, stdin=b"up")
        here.shows(QUESTION)
        here.type("yes\n")
        got.wait(LOCAL)
        self.assertEqual(self.known("connect"), [])
        self.assertEqual(listener.out.count, 0)

    def test_file_that_is_not_ours_alone(self):
        listener = self.listen(self.server, "--anyone", "-k")
        self.meet(listener, self.alice)
        path = os.path.join(self.path("connect"), "usi", "known")
        self.check(listener, self.alice)
        os.chmod(path, 0o644)
        got = self.check(listener, self.alice, status=LOCAL)
        self.assertIn("chmod 600", " ".join(got.lines))
        os.chmod(path, 0o600)
        os.rename(path, path + ".real")
        os.symlink(path + ".real", path)
        got = self.check(listener, self.alice, status=LOCAL)
        self.assertIn("symbolic link", " ".join(got.lines))

    def test_malformed(self):
        listener = self.listen(self.server, "--anyone", "-k")
        self.meet(listener, self.alice)
        path = os.path.join(self.path("connect"), "usi", "known")
        with open(path, "ab") as file:
            file.write(b"what is this\n")
        got = self.check(listener, self.alice, status=LOCAL)
        self.assertIn("line 2", " ".join(got.lines))
        self.assertIn(path, " ".join(got.lines))


if __name__ == "__main__":
    main()
