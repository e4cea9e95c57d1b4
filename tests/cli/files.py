"""Files that are sent and received: trees to compare, and the two programs."""

import json
import os
import re
import stat
import subprocess
import sys

from harness import FAR, LISTENING, SLOW, Pattern, Process, until
from terminal import NO_TERMINAL, TerminalScenario



def part_of(path):
    """Where what came of a file lies until all of it has come."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.usi-part")


def size_of(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def facts(path):
    """What has to be the same on both sides: kind, permissions, time and content."""
    found = os.lstat(path)
    if stat.S_ISDIR(found.st_mode):
        content = None
    else:
        with open(path, "rb") as file:
            content = file.read()
    return (stat.filemode(found.st_mode), found.st_mtime_ns, content)


def tree(folder):
    """The facts of everything below a folder, by its path there."""
    found = {}
    for base, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(base, name)
            found[os.path.relpath(path, folder)] = facts(path)
    return found


class FilesScenario(TerminalScenario):
    """A test with the folders `there` (what is sent) and `here` (where it goes)."""

    def setUp(self):
        super().setUp()
        os.umask(0o022)
        self.there = self.folder_at("there")
        self.here = self.folder_at("here")

    def folder_at(self, name):
        path = self.path(name)
        os.makedirs(path)
        return path

    def put(self, name, content=b"", mode=0o644, time=None):
        """A file in `there`; a Pattern is written piece by piece."""
        path = os.path.join(self.there, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.file(path, content, mode)
        if time is not None:
            os.utime(path, ns=(time, time))
        return path

    def make_tree(self):
        """Files and folders of all kinds."""
        self.put("tree/plain", b"plain", 0o640, 1_000_000_000_123_456_789)
        self.put("tree/program", b"#!/bin/sh\n", 0o755)
        self.put("tree/empty", b"", 0o600, 5)
        self.put("tree/a/b/c/deep", Pattern(300_000))
        self.put("tree/caf\u00e9 \U0001f511", b"name")
        os.makedirs(os.path.join(self.there, "tree/nothing"))
        sparse = self.put("tree/sparse", b"head")
        with open(sparse, "r+b") as file:
            file.seek(20_000_000)
            file.write(b"middle")
            file.truncate(60_000_000)
        for i in range(30):
            self.put(f"tree/many/{i}", str(i).encode() * i)
        os.chmod(os.path.join(self.there, "tree/a"), 0o750)
        os.chmod(os.path.join(self.there, "tree/a/b"), 0o555)
        for name, time in (("tree/a/b", 1_100_000_000), ("tree/nothing", 7), ("tree", 86400)):
            os.utime(os.path.join(self.there, name), (time, time))
        return os.path.join(self.there, "tree")

    # The two programs. `how` goes to start().

    def side(self, word, to, options, how, files=()):
        """Listens if `to` is None, else connects to that process or address."""
        listens = to is None
        address = self.home if listens else to.address if isinstance(to, Process) else to
        how.setdefault("user", word)
        process = self.start(
            *(word, "listen" if listens else "connect", address),
            *("--key-file", self.key, *options, *files),
            **how,
        )
        return process.ready() if listens else process

    def send(self, *files, to=None, options=(), **how):
        files = [os.path.join(self.there, f) for f in files]
        return self.side("send", to, options, how, files)

    def receive(self, to=None, options=("--yes",), folder=None, **how):
        return self.side("receive", to, ["-d", folder or self.here, *options], how)

    def pair(self, *files, way="send listens", sends=(), receives=("--yes",)):
        """Both, joined one way or the other."""
        if way == "send listens":
            sender = self.send(*files, options=["--once", *sends])
            return sender, self.receive(sender, receives)
        receiver = self.receive(None, receives)
        return self.send(*files, to=receiver, options=sends), receiver

    def deliver(self, *files, status=(0, 0), **how):
        """Both, run to their ends with these exit statuses: the sender's, the receiver's."""
        if status[0] == FAR:  # else --once waits for somebody who gets everything
            how.setdefault("way", "receive listens")
        sender, receiver = self.pair(*files, **how)
        receiver.wait(status[1])
        sender.wait(status[0])
        return sender, receiver

    # Judgements.

    def assert_same(self, name="tree", old=()):
        """Folders in old were there before: they keep their times."""
        wanted, got = tree(self.there), tree(self.here)
        self.assertEqual(sorted(got), sorted(wanted))
        for path in set(wanted) - set(old):
            self.assertEqual(got[path][:2], wanted[path][:2], path)
            self.assertTrue(got[path][2] == wanted[path][2], f"{path} has other content")

    def assert_nothing_came(self):
        self.assertEqual(tree(self.here), {})

    def part_grows(self, name, count=1, folder=None):
        """Waits until so much of a file has come."""
        path = part_of(os.path.join(folder or self.here, name))
        until(lambda: size_of(path) >= count, f"{count} octets in {path}")

    def events(self, process):
        """The lines of --json, each parsed by itself."""
        lines = process.out.finish().splitlines()
        for line in lines[:3] + lines[-1:]:
            run = subprocess.run(
                [sys.executable, "-m", "json.tool"], input=line, capture_output=True, check=False
            )
            self.assertEqual(run.returncode, 0, line)
        return [json.loads(line) for line in lines]


__all__ = ["LISTENING", "NO_TERMINAL", "SLOW", "FilesScenario", "part_of", "re", "size_of"]
