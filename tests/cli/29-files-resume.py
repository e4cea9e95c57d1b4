#!/usr/bin/env python3
"""Transfers of files that are cut off, and go on: whoever dies, only what is missing is sent."""

import os
import re

from files import FilesScenario, part_of, size_of
from harness import CUT, MIB, OK, Pattern, main
from proxy import DOWN, UP, Proxy, Stall

SIZE = 24 * MIB
THERE = 4 * MIB  # of it, before somebody dies


class Resume(FilesScenario):
    def start_stalled(self, name, way):
        """Both programs, with a way between them that lets through no more than a part of what is
        still missing: sender, receiver and the stall."""
        listens = self.send(name) if way == "send listens" else self.receive(None)
        stall = Stall(DOWN if way == "send listens" else UP, THERE + 2 * MIB)
        self.addCleanup(stall.release.set)
        proxy = Proxy(listens.address, lambda: stall)
        self.addCleanup(proxy.close)
        if way == "send listens":
            return listens, self.receive(proxy.address), stall
        return self.send(name, to=proxy.address), listens, stall

    def cut_off(self, name, way="receive listens", kill="receiver", big=None):
        """A transfer that dies in the middle of the file, and how much of it is there then."""
        big = big or name
        part = part_of(os.path.join(self.here, big))
        before = size_of(part)
        sender, receiver, stall = self.start_stalled(name, way)
        self.part_grows(big, before + THERE)
        dead, alive = (receiver, sender) if kill == "receiver" else (sender, receiver)
        dead.signal(9)
        dead.wait(-9)
        stall.release.set()
        if alive is sender and way == "send listens":  # it goes on with others
            alive.says("cut off")
            alive.signal(15)
            alive.wait(OK)
        else:
            alive.wait(CUT)
        self.assertFalse(os.path.exists(os.path.join(self.here, big)))
        return size_of(part)

    def go_on(self, name, there, **how):
        sender, receiver = self.deliver(name, receives=["--yes", "--json"], **how)
        events = self.events(receiver)
        over = events[-1]
        self.assertEqual(over["moved"], size_of(os.path.join(self.there, name)) - there)
        resumed = [e for e in events if e["event"] == "resumed"]
        self.assertEqual([e["offset"] for e in resumed], [there])
        for side in (sender, receiver):
            side.says(rf"{re.escape(name)}: .* are there already: goes on behind them")
        self.assert_same()
        self.assertFalse(os.path.exists(part_of(os.path.join(self.here, name))))

    def test_resume(self):
        for way in ("send listens", "receive listens"):
            for kill in ("sender", "receiver"):
                with self.round(way=way, kill=kill):
                    self.there = self.folder_at(f"there {way} {kill}")
                    self.here = self.folder_at(f"here {way} {kill}")
                    self.put("big", Pattern(SIZE))
                    self.go_on("big", self.cut_off("big", way, kill), way=way)

    def test_twice(self):
        self.put("big", Pattern(SIZE))
        first = self.cut_off("big")
        second = self.cut_off("big", kill="sender")
        self.assertGreaterEqual(second, first + THERE)
        self.go_on("big", second)

    def test_changed(self):
        """Another file by now: from the start, and the user is told."""
        self.put("big", Pattern(SIZE))
        self.cut_off("big")
        self.put("big", Pattern(SIZE))
        _, receiver = self.deliver("big", receives=["--yes", "--json"])
        receiver.says("big has changed at the sender: from the start")
        events = self.events(receiver)
        self.assertEqual(events[-1]["moved"], SIZE)
        self.assertIn("restarted", [e["event"] for e in events])
        self.assert_same()

    def test_part_that_was_changed(self):
        """A part that somebody else has written to is no part of the file."""
        self.put("big", Pattern(SIZE))
        self.cut_off("big")
        with open(part_of(os.path.join(self.here, "big")), "r+b") as part:
            part.seek(1000)
            part.write(b"something else")
        self.deliver("big")
        self.assert_same()

    def test_in_a_tree(self):
        """Files that came before are not sent again either."""
        self.put("tree/small", b"small")
        self.put("tree/big", Pattern(SIZE))
        there = self.cut_off("tree", big="tree/big")
        receiver = self.deliver("tree", receives=["--yes", "--json"])[1]
        self.assertLessEqual(self.events(receiver)[-1]["moved"], SIZE - there + len(b"small"))
        self.assert_same(old=["tree"])


if __name__ == "__main__":
    main()
