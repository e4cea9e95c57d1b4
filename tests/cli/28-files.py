#!/usr/bin/env python3
"""send and receive: trees, both ways round, what is there already, several receivers at once."""

import os
import unittest

from files import SLOW, FilesScenario, tree
from harness import FAR, LOCAL, MIB, OK, Pattern, main

WAYS = ("send listens", "receive listens")


class Trees(FilesScenario):
    def test_tree(self):
        """Contents, modes and times, empty files and folders, holes; whoever listens."""
        self.make_tree()
        for way in WAYS:
            with self.round(way=way):
                self.here = self.folder_at(f"here, {way}")
                self.deliver("tree", way=way)
                self.assert_same()
                sparse = os.path.join(self.here, "tree/sparse")
                self.assertLess(os.stat(sparse).st_blocks * 512, 10 * MIB)

    def test_several_things(self):
        self.put("one", b"1")
        self.put("two/three", b"3")
        self.put("two/four/five", b"5")
        sender, receiver = self.deliver("one", "two", sends=["-v"], receives=["--yes", "-v"])
        self.assert_same()
        for side in (sender, receiver):
            side.says("3 files, 2 folders")
            side.says("two/four/five: kept")
            side.says("3 files kept")

    def test_names(self):
        """Names that need care, but are taken; and those that nobody would type."""
        for name in ("-v", "a b", "'\"$(x)", "~", "caf\u00e9", "\u202eexe.txt", "x" * 255):
            self.put(f"tree/{name}", name.encode())
        self.deliver("tree")
        self.assert_same()

    def test_left_out(self):
        """Links and pipes are said and left out, and so are names that are not taken."""
        self.put("tree/file", b"x")
        os.symlink("/etc/passwd", os.path.join(self.there, "tree/link"))
        os.mkfifo(os.path.join(self.there, "tree/pipe"))
        self.put(os.path.join("tree", "new\nline"), b"x")
        sender, _ = self.deliver("tree", status=(LOCAL, OK))
        for name in ("link", "pipe", r"new\\x0aline"):
            sender.says(rf"tree/{name}: left out")
        self.assertEqual(sorted(tree(self.here)), ["tree", "tree/file"])

    def test_follows_what_was_named(self):
        """A link on the command line is what it points to."""
        self.put("real/file", b"x")
        os.symlink("real", os.path.join(self.there, "link"))
        self.deliver("link")
        self.assertEqual(sorted(tree(self.here)), ["link", "link/file"])

    def test_file_that_changes(self):
        """What changes while it is read is not kept; the rest is."""
        big = self.put("tree/big", Pattern(40 * MIB))
        self.put("tree/other", b"x")
        sender, receiver = self.pair("tree", way="receive listens", sends=["-v"])
        self.part_grows("tree/big")
        os.truncate(big, 10)
        sender.wait(LOCAL, OK)  # OK: it was faster
        if sender.popen.returncode == LOCAL:
            receiver.wait(FAR)
            sender.says("tree/big: failed: ")
            receiver.says("tree/big: failed at the sender: ")
            self.assertNotIn("tree/big", tree(self.here))
        self.assertIn("tree/other", tree(self.here))


class Existing(FilesScenario):
    def test_same(self):
        """What is there already, and the same, is not sent again."""
        self.make_tree()
        self.deliver("tree")
        receiver = self.deliver("tree", receives=["--yes", "--json"])[1]
        over = self.events(receiver)[-1]
        self.assertEqual((over["event"], over["moved"], over["skipped"]), ("over", 0, 0))
        self.assert_same()

    def test_other(self):
        """Another file of that name stays as it is, and both sides say so."""
        self.put("tree/one", b"mine")
        self.put("tree/two", b"two")
        other = os.path.join(self.here, "tree/one")
        os.makedirs(os.path.dirname(other))
        self.file(other, b"yours")
        sender, receiver = self.deliver("tree", status=(FAR, LOCAL))
        for side in (sender, receiver):
            side.says("tree/one: skipped")
        self.assertEqual(self.read(other), b"yours")
        self.assertEqual(self.read(os.path.join(self.here, "tree/two")), b"two")

    def test_overwrite(self):
        self.put("one", b"mine", 0o640)
        self.file(os.path.join(self.here, "one"), b"yours")
        self.deliver("one", receives=["--yes", "--overwrite"])
        self.assert_same()

    def test_link_in_the_way(self):
        """Nothing is written through a link that somebody has put there."""
        outside = self.file("outside", b"outside")
        self.put("tree/one", b"1")
        self.put("tree/folder/two", b"2")
        os.makedirs(os.path.join(self.here, "tree"))
        os.symlink(outside, os.path.join(self.here, "tree/one"))
        os.symlink(self.folder_at("elsewhere"), os.path.join(self.here, "tree/folder"))
        self.deliver("tree", status=(FAR, LOCAL))
        self.assertEqual(self.read(outside), b"outside")
        self.assertEqual(os.listdir(self.path("elsewhere")), [])


class Many(FilesScenario):
    RECEIVERS = 3

    def test_receivers_at_once(self):
        """A listener serves them at the same time, and goes on until it is told to stop."""
        self.make_tree()
        self.put("tree/big", Pattern((4 if SLOW else 64) * MIB))
        sender = self.send("tree")
        folders = [self.folder_at(f"receiver {i}") for i in range(self.RECEIVERS)]
        receivers = [self.receive(sender, folder=folder) for folder in folders]
        for receiver in receivers:
            receiver.wait(OK)
        for self.here in folders:
            self.assert_same()
        sender.signal(15)
        sender.wait(OK)

    def test_one_after_another(self):
        """receive -k goes on with the next sender."""
        receiver = self.receive(None, ["--yes", "-k"])
        for name in ("one", "two", "three"):
            self.put(name, name.encode())
            self.send(name, to=receiver).wait(OK)
        self.assert_same()
        receiver.signal(15)
        receiver.wait(OK)

    def test_drain(self):
        """SIGTERM lets what is under way come to its end."""
        self.put("big", Pattern((4 if SLOW else 200) * MIB))
        sender = self.send("big", options=["--drain", "300"])
        receiver = self.receive(sender)
        self.part_grows("big")
        sender.signal(15)
        receiver.wait(OK)
        sender.wait(OK)
        self.assert_same()

    @unittest.skipIf(SLOW, "needs its speed")
    def test_drain_cuts(self):
        self.put("big", Pattern(400 * MIB))
        sender = self.send("big", options=["--drain", "0"])
        receiver = self.receive(sender)
        self.part_grows("big")
        sender.signal(15)
        sender.wait(5)
        receiver.wait(5)


if __name__ == "__main__":
    main()
