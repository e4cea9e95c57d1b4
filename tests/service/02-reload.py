#!/usr/bin/env python3
"""SIGHUP: a listener reads its keys again; what it ends, and what it leaves alone."""

import os
import signal

from manager import ServiceScenario

from harness import NO_AUTHENTICATION, OK, USAGE, dial, main, shell
from terminal import Terminal, TerminalScenario

AGAIN = r"^usi-tunnel: keys were read again$"
STAY = r"^usi-tunnel: keys were not read again, the old ones stay: (.*)$"


class Reload(ServiceScenario):
    def setUp(self):
        super().setUp()
        self.old = self.key_file("old", self.read(self.key).decode())
        self.new = self.key_file("new", os.urandom(32).hex())

    def exchange(self, peer, octets=b"x"):
        peer.sendall(octets)
        self.assertEqual(peer.recv(len(octets)), octets)

    def reload(self, listener, count=1):
        listener.signal(signal.SIGHUP)
        listener.says(AGAIN, count)

    def test_new_key(self):
        """The old key is refused, the new one taken, by every loop; what runs goes on and rekeys."""
        manager = self.manager()
        for threads in ("1", "3"):
            with self.round(threads=threads):
                heard = len(manager.messages)
                self.file("key", self.read(self.old))
                options = ("--forward", self.target(), "--threads", threads, "-v")
                listener = self.listen(*options, manager=manager)
                connector = self.connect(
                    listener, "-L", "127.0.0.1:0", "--rekey-bytes", "64K", key=self.old
                ).ready()
                with dial(connector.address) as peer:
                    self.exchange(peer)
                    self.file("key", self.read(self.new))
                    self.reload(listener)
                    reloading = manager.hears("RELOADING", "1", after=heard)
                    self.assertGreater(int(manager.messages[reloading]["MONOTONIC_USEC"]), 0)
                    manager.hears("READY", "1", after=reloading)
                    for _ in range(int(threads)):
                        self.check(listener, key=self.old, status=NO_AUTHENTICATION)
                        self.check(listener, key=self.new)
                    for _ in range(40):
                        peer.sendall(bytes(10000))
                        got = 0
                        while got < 10000:
                            got += len(peer.recv(10000))
                    listener.says(r"^usi-tunnel: rekeyed 2 with ")
                    self.exchange(peer)
                connector.kill()

    def test_overlap(self):
        """A key that stays is taken all the time; several files, and one more each time."""
        listener = self.listen("-k", "--key-file", self.new)
        for path in (self.key, self.new):
            self.check(listener, key=path)
        self.file("new", self.read(self.old))
        self.reload(listener)
        self.check(listener, key=self.old)
        for count in range(2, 20):
            self.reload(listener, count)
        self.check(listener, key=self.old)

    def test_bad_file(self):
        """One line says why, the manager sees it, and the old keys stay, all of them."""
        manager = self.manager()
        listener = self.listen("-k", "--key-file", self.old, manager=manager)
        manager.hears("READY")
        cases = (
            ("nonsense", lambda: self.file("key", b"nonsense\n"), "no key in line 1"),
            ("others", lambda: self.key_file("key", "00" * 32, 0o644), "chmod 600"),
            ("missing", lambda: os.unlink(self.key), "No such file"),
            ("fifo", lambda: os.mkfifo(self.key), "no regular file"),
        )
        for count, (name, spoil, why) in enumerate(cases, 1):
            with self.subTest(case=name):
                heard = len(manager.messages)
                spoil()
                listener.signal(signal.SIGHUP)
                self.assertIn(why, listener.says(STAY, count).group(1))
                ready = manager.hears("READY", "1", after=manager.hears("RELOADING", after=heard))
                self.assertIn(why, manager.messages[ready]["STATUS"])
                self.check(listener, key=self.old)
        os.unlink(self.key)
        self.file("key", self.read(self.new))
        self.reload(listener)
        after = manager.hears("RELOADING", count=len(cases) + 1)
        ready = manager.messages[manager.hears("READY", after=after)]
        self.assertRegex(ready["STATUS"], "^channels: ")
        self.check(listener, key=self.new)

    def test_names_of_files_are_one_line(self):
        """A file cannot be called so that the manager takes it for an order."""
        manager = self.manager()
        name = self.path("x\nMAINPID=1")
        os.rename(self.old, name)
        self.listen("-k", "--key-file", name, manager=manager).signal(signal.SIGHUP)
        os.unlink(name)
        self.processes[-1].signal(signal.SIGHUP)
        place = manager.hears("STATUS", "No such file")
        self.assertIn(r"x\x0aMAINPID=1", manager.messages[place]["STATUS"])
        self.assertNotIn("MAINPID", manager.messages[place])

    def test_no_file(self):
        """A key of the command line, or of standard input, stays."""
        digits = self.read(self.key).decode().strip()
        listener = self.listen("-k", "--key", digits, key="")
        self.reload(listener)
        self.check(listener)
        far = ("--forward", "127.0.0.1:1")
        listener = self.listen("--key-file", "-", *far, key="", stdin=self.read(self.key))
        listener.signal(signal.SIGHUP)
        listener.says(STAY)
        self.check(listener)

    def test_receiver(self):
        """`receive listen -k` goes on too, and has keys to change."""
        words = ("receive", "listen", "127.0.0.1:0", "--yes", "-k", "-d", self.folder)
        listener = self.start(*words, "--key-file", self.key).ready()
        self.file("key", self.read(self.new))
        self.reload(listener)
        sent = self.file("sent", b"text")
        for key, status in ((self.old, NO_AUTHENTICATION), (self.new, OK)):
            words = ("send", "connect", listener.address, sent, "--key-file", key)
            self.run_program(*words, status=status)

    def test_password_keeps_its_tries(self):
        """A reload gives a stranger no more tries, and does not forget the password."""
        password = self.file("password", b"correct horse\n")
        wrong = self.file("wrong", b"battery staple\n")
        listener = self.listen("-k", "--password-file", password)
        for _ in range(3):
            self.check(listener, "--password-file", wrong, key="", status=NO_AUTHENTICATION)
        self.reload(listener)
        self.check(listener, "--password-file", wrong, key="", status=NO_AUTHENTICATION)
        listener.says("a try of the password failed, 3 so far")
        first = [line for line in listener.lines if "failed, 1 so far" in line]
        self.assertEqual(len(first), 1, listener.story())


class Trust(ServiceScenario, TerminalScenario):
    def test_list(self):
        """--trust: who was put in gets in, who was taken out does not any more."""
        ids, prints = {name: self.identity(name) for name in ("far", "anna", "bert")}, {}
        listener = self.listen("-k", ids["far"], "--trust", self.file("trust", b""), "-v", key="")
        far = listener.says(r"identity fingerprint: sha256:([0-9a-f]{64})").group(1)

        def check(name, status):
            self.check(listener, ids[name], "--fingerprint", far, key="", status=status)

        for name in ("anna", "bert"):
            check(name, (NO_AUTHENTICATION, 7))
            found = listener.says(r"its key is sha256:([0-9a-f]{64})", len(prints) + 1)
            prints[name] = found.group(1)
        self.file("trust", (prints["anna"] + "\n").encode())
        listener.signal(signal.SIGHUP)
        listener.says(AGAIN)
        check("anna", OK)
        check("bert", (NO_AUTHENTICATION, 7))
        self.file("trust", (prints["bert"] + " Bert\n").encode())
        listener.signal(signal.SIGHUP)
        listener.says(AGAIN, 2)
        check("bert", OK)
        check("anna", (NO_AUTHENTICATION, 7))
        self.file("trust", b"nobody\n")
        listener.signal(signal.SIGHUP)
        self.assertIn("line 1 is no peer", listener.says(STAY).group(1))
        check("bert", OK)


class HangUp(ServiceScenario):
    """Who is ended by SIGHUP, as by a terminal that goes."""

    def test_at_a_terminal(self):
        for options in (["--forward", "127.0.0.1:1"], ["-k"], []):
            with self.round(options=options):
                terminal = Terminal()
                self.addCleanup(terminal.hang_up)
                listener = self.listen(*options, before=terminal.before)
                listener.signal(signal.SIGHUP)
                listener.wait(-signal.SIGHUP)

    def test_terminal_goes(self):
        terminal = Terminal()
        listener = self.listen("-k", before=terminal.before)
        terminal.hang_up()
        listener.wait(-signal.SIGHUP)

    def test_one_peer(self):
        """What ends with its peer has nothing to reload."""
        listener = self.listen()
        listener.signal(signal.SIGHUP)
        listener.wait(-signal.SIGHUP)

    def test_connector(self):
        connector = self.connect("127.0.0.1:1", "-L", "127.0.0.1:0").ready()
        connector.signal(signal.SIGHUP)
        connector.wait(-signal.SIGHUP)

    def test_ignored(self):
        """nohup: neither an end nor a reload."""
        listener = self.listen("-k", before=shell("trap '' HUP"))
        self.file("key", b"nonsense\n")
        listener.signal(signal.SIGHUP)
        listener.signal(signal.SIGTERM)
        listener.wait(OK)
        self.assertEqual(len(listener.lines), 1, listener.story())

    def test_not_before_it_listens(self):
        """A bad file at the start is an end, whatever a manager thinks."""
        self.file("key", b"nonsense\n")
        self.start("listen", "--key-file", self.key, "-k").wait(USAGE)


if __name__ == "__main__":
    main()
