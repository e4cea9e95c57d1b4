#!/usr/bin/env python3
"""Disks that are full, and have room again: who could not write says 6, its peer 7, nothing half has
the name of a whole, and what was cut off goes on where it was."""

import ctypes
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
sys.dont_write_bytecode = True

from files import FilesScenario, part_of, size_of, tree  # noqa: E402
from harness import FAR, LOCAL, MIB, OK, Pattern, main, tally  # noqa: E402
from talk import TalkScenario  # noqa: E402

CLONE_NEWNS = 0x20000


def own_mounts():
    """Mounts of this process and its children only; False where that is not allowed."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        return False
    return run("mount", "--make-rprivate", "/")


def run(*words):
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


class Disk:
    """A small file system of its own; room() makes it larger."""

    def __init__(self, test, options="size=4m"):
        self.path = test.path("disk")
        os.makedirs(self.path)
        if not run("mount", "-t", "tmpfs", "-o", options, "tmpfs", self.path):
            raise unittest.SkipTest("needs root, to mount a small disk")
        test.addCleanup(run, "umount", "-l", self.path)

    def room(self, options="size=64m"):
        assert run("mount", "-o", "remount," + options, self.path)


class Full(FilesScenario):
    def pipe(self, up):
        """Into a file, from one side or the other."""
        data = bytes(Pattern(9 * MIB))
        with open(os.path.join(self.disk.path, "out"), "wb") as out:
            how = {"key": self.key}
            listener = self.listen(stdin=b"" if up else data, stdout=out if up else None, **how)
            connector = self.connect(
                listener, stdin=data if up else b"", stdout=None if up else out, **how
            )
            here, there = (listener, connector) if up else (connector, listener)
            here.wait(LOCAL)
            there.wait(FAR)
        self.assert_one_line(here, "space")
        got = self.read(os.path.join(self.disk.path, "out"))
        self.assertGreater(len(got), MIB)
        self.assert_equal_bytes(got, data[: len(got)])

    def test_pipe(self):
        self.disk = Disk(self)
        for up in (True, False):
            with self.round(up=up):
                self.pipe(up)
                os.remove(os.path.join(self.disk.path, "out"))
        tally("full disk behind a pipe", 2, "6 and 7, the octets up to there")

    def fail_and_go_on(self, way):
        size = 9 * MIB
        self.put("big", Pattern(size))
        final = os.path.join(self.here, "big")
        sender, receiver = self.pair("big", way=way)
        receiver.wait(LOCAL)
        receiver.says("big: failed: .*[Nn]o space left")
        if way == "receive listens":
            sender.wait(FAR)
        else:
            sender.says("failed at the receiver")
            sender.signal(15)
            sender.wait(OK, FAR)
        self.assertFalse(os.path.exists(final))
        there = size_of(part_of(final))
        self.assertGreater(there, MIB)
        self.disk.room()
        _, receiver = self.deliver("big", receives=["--yes", "--json"])
        self.assertEqual(self.events(receiver)[-1]["moved"], size - there)
        self.assert_same("big")

    def test_transfer(self):
        for way in ("receive listens", "send listens"):
            with self.round(way=way):
                self.disk = Disk(self)
                self.here = self.disk.path
                self.fail_and_go_on(way)
                self.assertTrue(run("umount", "-l", self.disk.path))
                os.rmdir(self.disk.path)
        tally("full disk behind a receiver, then room", 2, "6 and 7, then only the rest is sent")

    def test_no_more_names(self):
        """Room for octets, but not for files."""
        self.disk = Disk(self, "size=16m,nr_inodes=20")
        self.here = self.disk.path
        for number in range(40):
            self.put(f"tree/{number}", b"%d" % number)
        sender, receiver = self.deliver("tree", way="receive listens", status=(FAR, LOCAL))
        receiver.says("[Nn]o space left")
        sender.says("not everything was kept")
        for name, facts in tree(self.here).items():
            if facts[2] is not None:
                self.assertEqual(facts[2], os.path.basename(name).encode())
        self.disk.room("nr_inodes=200")
        self.deliver("tree")
        self.assert_same(old=["tree"])


class Chat(TalkScenario):
    def test_file(self):
        """A file in a chat: it fails, the talk goes on, and it goes on with the next try."""
        disk = Disk(self)
        host = self.host(cwd=disk.path)
        anna = self.join(host, cwd=self.folder)
        big = bytes(Pattern(9 * MIB))
        self.file("big", big)
        anna.types("/send big")
        host.hears(re.compile(r"-- 1: anna offers big .*"))
        host.types("/accept")
        host.hears(re.compile(r"-- 1: .*[Nn]o space left.*"))
        host.types("full here")
        anna.hears("<host> full here")
        self.assertEqual(os.listdir(disk.path), [".big.usi-part"])
        disk.room()
        anna.types("/send big")
        host.hears(re.compile(r"-- 1: anna offers big .*"), 2)
        host.types("/accept")
        host.hears(re.compile(r"-- 1: from anna, all here, verified"))
        self.assert_equal_bytes(self.read(os.path.join(disk.path, "big")), big)
        anna.leaves(OK)


if __name__ == "__main__":
    if os.geteuid() != 0 or not own_mounts():
        print("skipped: needs root, and mounts of its own", file=sys.stderr)
        sys.exit(77)
    main()
