#!/usr/bin/env python3
"""What the user of send and receive is asked and told: consent, statuses, JSON, the bar."""

import contextlib
import os
import subprocess
import tempfile
import unittest

from files import FilesScenario, tree
from harness import (
    CUT,
    FAR,
    LOCAL,
    MIB,
    NO_AUTHENTICATION,
    NO_CONNECTION,
    OK,
    USAGE,
    Pattern,
    main,
    reserve_port,
)


class Consent(FilesScenario):
    """The receiver is asked on the terminal, unless --yes."""

    def offered(self, *answer, name="report", status=(OK, OK)):
        terminal = self.terminal()
        sender = self.send(name, options=["--once"])
        receiver = self.receive(sender, [], at=terminal)
        terminal.shows("[y/N]")
        self.assert_nothing_came()
        for line in answer:
            terminal.type(line)
        receiver.wait(status[1])
        if status[0] is not None:
            sender.wait(status[0])
        return terminal, sender, receiver

    def test_yes(self):
        self.put("report", b"x" * 5000)
        terminal = self.offered("y\n")[0]
        self.assertIn('"report"', terminal.text)
        self.assertIn("4.9 KiB", terminal.text)
        self.assert_same()

    def test_folder(self):
        self.put("tree/one", b"1")
        self.put("tree/folder/two", b"2")
        terminal = self.offered("yes\n", name="tree")[0]
        for words in ('"tree"', "2 files", "2 folders"):
            self.assertIn(words, terminal.text)
        self.assert_same()

    def test_yes_in_french(self):
        self.put("report", b"x")
        for answer in ("o\n", "OUI\n", "yes\n"):
            with self.round(answer=answer):
                folder = self.folder_at(f"taken-{answer.strip()}")
                terminal = self.terminal()
                sender = self.send("report", options=["--once"])
                receiver = self.receive(
                    *(sender, []),
                    folder=folder,
                    at=terminal,
                    env={"LC_ALL": "C.UTF-8", "LANGUAGE": "fr"},
                )
                terminal.shows("[o/N]")
                terminal.type(answer)
                receiver.wait(OK)
                sender.wait(OK)
                self.assertEqual(os.listdir(folder), ["report"])

    def test_no(self):
        """Anything but yes is no; a listener that is to deliver once goes on."""
        self.put("report", b"x")
        for answer in ("n\n", "\n", "maybe\n"):
            with self.round(answer=answer):
                _, sender, receiver = self.offered(answer, status=(None, LOCAL))
                sender.says("its user does not want the files")
                receiver.says("its files were not taken")
                self.assert_nothing_came()
                sender.signal(15)
                sender.wait(OK)

    def test_no_to_a_connector(self):
        self.put("report", b"x")
        terminal = self.terminal()
        receiver = self.receive(None, [], at=terminal)
        sender = self.send("report", to=receiver)
        terminal.shows("[y/N]")
        terminal.type("n\n")
        sender.wait(FAR)
        receiver.wait(LOCAL)
        self.assert_nothing_came()

    def test_nobody_answers(self):
        self.put("report", b"x")
        terminal = self.terminal()
        receiver = self.receive(None, ["--ask-timeout", "0.2"], at=terminal)
        sender = self.send("report", to=receiver)
        sender.wait(FAR)
        receiver.wait(LOCAL)
        receiver.says("nobody answered in time")

    def test_sender_goes_while_asking(self):
        self.put("report", b"x")
        terminal = self.terminal()
        receiver = self.receive(None, [], at=terminal)
        sender = self.send("report", to=receiver)
        terminal.shows("[y/N]")
        sender.signal(9)
        receiver.wait(CUT)
        terminal.shows("the sender has gone")
        self.assertTrue(terminal.echoes())

    def test_hostile_name(self):
        """A name is shown so that the terminal does not obey it."""
        name = "x\u202ey"
        self.put(name, b"x")
        terminal = self.offered("y\n", name=name)[0]
        self.assertNotIn("\x1b]", terminal.text)
        self.assert_same()

    def test_no_terminal(self):
        for words in (["listen", "127.0.0.1:0"], ["connect", "127.0.0.1:1"]):
            got = self.start("receive", *words, "--key-file", self.key, "-d", self.here)
            got.wait(USAGE)
            self.assert_one_line(got, "no terminal", "--yes")


class Statuses(FilesScenario):
    def test_words(self):
        """What is missing is named, before anything is connected."""
        self.put("file", b"x")
        keyed = ["--key-file", self.key]
        for words, said in (
            (["send"], "listen or connect"),
            (["receive"], "listen or connect"),
            (["send", "file"], "listen or connect"),
            (["send", "connect", *keyed], "address"),
            (["send", "connect", "127.0.0.1:1", *keyed], "files"),
            (["receive", "listen", *keyed, "--yes"], "address"),
            (["receive", "connect", "127.0.0.1", "12800", *keyed, "--yes"], "too many"),
            (["send", "connect", "127.0.0.1:1", self.key, "--once", *keyed], "send listen"),
            (["send", "connect", "127.0.0.1:1", self.key, "--yes", *keyed], "receive"),
            (["receive", "connect", "127.0.0.1:1", "-k", "--yes", *keyed], "--keep-open"),
            (["receive", "listen", "127.0.0.1:0", "--recv-only", *keyed], "--recv-only"),
            (["connect", "127.0.0.1:1", "--json", *keyed], "send and receive"),
            (["listen", "127.0.0.1:0", "-d", "x", *keyed], "receive"),
        ):
            with self.round(words=words):
                self.assert_one_line(self.run_program(*words, status=USAGE), said)

    def test_help(self):
        for word, options in (
            ("send", "--once --json --key-file --identity"),
            ("receive", "--directory --yes --overwrite --keep-open --json --password"),
        ):
            for side in ("listen", "connect"):
                text = self.run_program(word, side, "--help").out.finish().decode()
                for option in options.split():
                    if side == "listen" or option not in ("--once", "--keep-open"):
                        self.assertIn(f" {option}", text)
                self.assertNotIn("--forward", text)
            self.run_program(word, "--help")

    def test_nothing_to_send(self):
        for name, said in (("missing", "No such file"), ("/dev/null", "")):
            with self.round(name=name):
                got = self.send(name, to="127.0.0.1:1")
                got.wait(LOCAL)
                self.assert_one_line(got, name, said)

    def test_nowhere_to_put_it(self):
        got = self.receive("127.0.0.1:1", folder=self.path("missing"))
        got.wait(LOCAL)
        self.assert_one_line(got, "missing", "No such file")

    def test_no_connection(self):
        self.put("file", b"x")
        holder, address = reserve_port()
        with holder:
            self.send("file", to=address).wait(NO_CONNECTION)
            self.receive(address).wait(NO_CONNECTION)

    def test_wrong_key(self):
        self.put("file", b"x")
        receiver = self.receive(None)
        self.key = self.key_file("other", os.urandom(32).hex())
        self.send("file", to=receiver).wait(NO_AUTHENTICATION)

    def test_wrong_service(self):
        """A pipe, a sender or a receiver at the other end where it does not fit."""
        self.put("file", b"x")
        pipe = self.listen("-k", key=self.key)
        receiver = self.receive(None, ["--yes", "-k"])
        sender = self.send("file")
        self.send("file", to=pipe).wait(FAR)
        self.receive(pipe).wait(FAR)
        self.connect(receiver, key=self.key).wait(FAR)
        self.connect(sender, key=self.key).wait(FAR)
        self.receive(receiver).wait(FAR)
        self.send("file", to=sender).wait(FAR)
        self.send("file", to=receiver).wait(OK)

    def test_check(self):
        """connect --check says that somebody is there, whatever is done there."""
        self.put("file", b"x")
        self.check(self.send("file"), key=self.key)
        self.check(self.receive(None), key=self.key)

    def test_unreadable(self):
        """One file cannot be read: the others come, and the sender says 6."""
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        self.put("tree/secret", b"x", 0)
        self.put("tree/open", b"x")
        sender, _ = self.deliver("tree", status=(LOCAL, OK))
        sender.says("tree/secret: ")
        self.assertIn("tree/open", tree(self.here))

    def test_interrupted(self):
        """Ctrl-C ends it by the signal; the other side says that it was cut off."""
        self.put("big", Pattern(400 * MIB))
        sender = self.send("big")
        receiver = self.receive(sender)
        self.part_grows("big")
        receiver.signal(2)
        receiver.wait(-2, OK)
        sender.signal(2)
        sender.wait(-2)

    def test_folder_that_has_gone(self):
        """The receiver cannot take the files: its sender is told that, not that nobody wants them."""
        self.put("one", b"1")
        receiver = self.receive(None)
        os.rmdir(self.here)
        sender = self.send("one", to=receiver)
        receiver.wait(LOCAL)
        sender.wait(FAR)
        receiver.says("cannot be received into: No such file")
        sender.says("the other side cannot go on")
        os.mkdir(self.here)

    @unittest.skipIf(os.geteuid() != 0, "needs root, to mount")
    def test_disk_full(self):
        """The receiver says 6, the sender 7; what fits is kept, and the parts stay."""
        disk = tempfile.mkdtemp(dir=self.folder)
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            self.skipTest("cannot mount")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        self.put("tree/big", Pattern(20 * MIB))
        self.put("tree/small", b"small")
        self.here = disk
        sender, receiver = self.deliver("tree", way="receive listens", status=(FAR, LOCAL))
        sender.says("tree/big: failed at the receiver: ")
        sender.says("not everything was kept: 1 failed$")
        receiver.says("tree/big: failed: ")
        receiver.says("No space left")
        self.assertFalse(os.path.exists(os.path.join(disk, "tree/big")))


class Json(FilesScenario):
    def test_events(self):
        self.make_tree()
        sender, receiver = self.deliver(
            "tree", sends=["--json"], receives=["--yes", "--json"], way="receive listens"
        )
        for side in (sender, receiver):
            events = self.events(side)
            kinds = [event["event"] for event in events]
            self.assertEqual((kinds[0], kinds[-1]), ("offer", "over"))
            self.assertEqual(kinds.count("kept"), 36)
            self.assertEqual((events[0]["files"], events[0]["folders"]), (36, 6))
            over = events[-1]
            self.assertEqual((over["status"], over["kept"], over["failed"]), (0, 36, 0))
            self.assertEqual(over["done"], over["octets"])
            names = {event["name"] for event in events if event["event"] == "kept"}
            self.assertIn("tree/caf\u00e9 \U0001f511", names)
            done = [event["done"] for event in events if "done" in event]
            self.assertEqual(done, sorted(done))

    def test_strings(self):
        """Whatever a name is made of, a line stays one line of JSON."""
        for name in ('quo"te', "back\\slash", "\u2028", "\u202e"):
            self.put(f"tree/{name}", b"x")
        bad = os.path.join(os.fsencode(self.there), b"tree", b"bad\xff\x01\n")
        with open(bad, "wb"):
            pass
        sender, receiver = self.deliver(
            "tree", sends=["--json"], receives=["--yes", "--json"], status=(LOCAL, OK)
        )
        names = {e["name"] for e in self.events(receiver) if e["event"] == "kept"}
        self.assertIn('tree/quo"te', names)
        self.assertIn("tree/back\\slash", names)
        left_out = [e["name"] for e in self.events(sender) if e["event"] == "left_out"]
        self.assertEqual(left_out, ["tree/bad\xff\x01\n"])

    def test_failures(self):
        self.put("one", b"mine")
        self.file(os.path.join(self.here, "one"), b"yours")
        receiver = self.deliver("one", receives=["--yes", "--json"], status=(FAR, LOCAL))[1]
        events = self.events(receiver)
        self.assertIn("skipped", [e["event"] for e in events])
        self.assertEqual((events[-1]["status"], events[-1]["skipped"]), (LOCAL, 1))

    def test_closed_output(self):
        """Nobody reads the events any more: status 6."""
        self.put("one", b"x")
        with open("/dev/full", "wb") as full:
            receiver = self.receive(None, ["--yes", "--json"], stdout=full)
            sender = self.send("one", to=receiver)
            receiver.wait(LOCAL)
            sender.wait()


class Output(FilesScenario):
    def test_plain(self):
        """Where it listens, and what it came to."""
        self.put("one", b"x")
        sender, receiver = self.deliver("one")
        self.assertEqual(len(sender.lines), 2, sender.story())
        self.assertEqual(len(receiver.lines), 1, receiver.story())
        self.assertEqual(sender.out.finish() + receiver.out.finish(), b"")

    def test_quiet(self):
        self.put("one", b"x")
        holder, address = reserve_port()
        with contextlib.closing(holder):
            sender = self.send("one", to=address, options=["-q", "--retry", "300"])
            receiver = self.start(
                *("receive", "listen", address, "-q", "--yes"),
                *("-d", self.here, "--key-file", self.key),
            )
            sender.wait(OK)
            receiver.wait(OK)
        self.assertEqual((sender.lines, receiver.lines), ([], []))

    def test_bar(self):
        """A terminal sees how far it is; it is gone in the end."""
        terminal = self.terminal()
        self.put("big", Pattern(100 * MIB))
        receiver = self.receive(None)
        sender = self.send("big", to=receiver, at=terminal, stderr=terminal.slave)
        sender.wait(OK)
        receiver.wait(OK)
        terminal.shows("1 file kept")


if __name__ == "__main__":
    main()
