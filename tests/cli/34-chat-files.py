#!/usr/bin/env python3
"""Files inside a chat: offered to one or to all, taken or not, while the talk goes on."""

import os
import re
import signal

from harness import KIB, MIB, OK, main
from talk import CARRIED, CARRY, WELCOME, TalkScenario

OFFERS = r"-- (\d+): {} offers {} \({}\): /accept \1 or /refuse \1"
HERE = r"-- \d+: from {}, all here, verified"
THERE = r"-- \d+: {} has it all, verified"


def line(pattern, *names):
    return re.compile(pattern.format(*[re.escape(x) if x != ".*" else x for x in names]))


class Files(TalkScenario):
    def setUp(self):
        super().setUp()
        self.chat = self.host(cwd=self.folder_of("host"))
        self.anna = self.join(self.chat, cwd=self.folder_of("anna"))
        self.bob = self.join(self.chat, name="bob", cwd=self.folder_of("bob"))
        self.everybody_hears((self.chat, self.anna), "-- bob has come")

    def folder_of(self, name):
        os.mkdir(self.path("of-" + name))
        return self.path("of-" + name)

    def own(self, person, *names):
        return os.path.join(self.path("of-" + person.name), *names)

    def have(self, person, *names, content):
        path = self.own(person, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def assert_has(self, person, *names, content):
        self.assert_equal_bytes(self.read(self.own(person, *names)), content, "/".join(names))

    def all_files(self, person):
        found = []
        for root, _, names in os.walk(self.own(person)):
            found += [os.path.relpath(os.path.join(root, n), self.own(person)) for n in names]
        return sorted(found)

    def test_to_one(self):
        """The others see nothing of it."""
        photo = os.urandom(3 * MIB + 5)
        self.have(self.anna, "photo.jpg", content=photo)
        self.anna.types("/send photo.jpg bob")
        self.anna.hears("-- 1: offered to bob: photo.jpg (3.0 MiB)")
        self.bob.hears(line(OFFERS, "anna", "photo.jpg", "3.0 MiB"))
        self.assertEqual(self.all_files(self.bob), [])
        self.bob.types("/accept")
        self.anna.hears("-- 1: bob takes it")
        self.bob.hears(line(HERE, "anna"))
        self.anna.hears(line(THERE, "bob"))
        self.assert_has(self.bob, "photo.jpg", content=photo)
        self.chat.types("after it")
        self.anna.hears("<host> after it")
        self.assertFalse([x for x in self.chat.heard if "photo" in x])

    def test_to_all_and_one_refuses(self):
        """Each is asked, and gets it into a folder of his own choice, or not."""
        notes = os.urandom(300 * KIB)
        os.mkdir(self.own(self.chat, "my files"))
        self.have(self.anna, "my notes.txt", content=notes)
        carl = self.join(self.chat, name="carl", cwd=self.folder_of("carl"))
        self.anna.hears("-- carl has come")
        self.anna.types('!fichier "my notes.txt"')
        for person in (self.chat, self.bob, carl):
            person.hears(line(OFFERS, "anna", "my notes.txt", "300.0 KiB"))
        self.bob.types("!refuser")
        self.chat.types("/accept 1 'my files'")
        carl.types("/accept")
        self.anna.hears(re.compile(r"-- \d: bob does not take it"))
        for person in (self.chat, carl):
            person.hears(line(HERE, "anna"))
            self.anna.hears(line(THERE, person.name))
        self.assert_has(self.chat, "my files", "my notes.txt", content=notes)
        self.assert_has(carl, "my notes.txt", content=notes)
        self.assertEqual(self.all_files(self.bob), [])

    def test_from_the_host(self):
        content = os.urandom(MIB)
        self.have(self.chat, "tree", "a", content=content)
        self.have(self.chat, "tree", "deep", "b", content=b"b")
        self.chat.types("/send tree")
        for person in (self.anna, self.bob):
            person.hears(line(OFFERS, "host", "tree", "2 files, 1.0 MiB"))
            person.types("/accept 1")
            person.hears(line(HERE, "host"))
            self.chat.hears(line(THERE, person.name))
            self.assert_has(person, "tree", "a", content=content)
            self.assert_has(person, "tree", "deep", "b", content=b"b")

    def test_many_at_once_and_talk_meanwhile(self):
        """Each to each; what is said passes what is sent."""
        everybody = (self.chat, self.anna, self.bob)
        content = {}
        for person in everybody:
            content[person] = os.urandom(8 * MIB)
            self.have(person, f"from-{person.name}", content=content[person])
            person.types(f"/send from-{person.name}")
        for person in everybody:
            others = [p for p in everybody if p is not person]
            for other in others:
                person.hears(line(OFFERS, other.name, f"from-{other.name}", "8.0 MiB"))
            for heard in list(person.heard):
                found = re.match(r"-- (\d+): .* offers ", heard)
                if found:
                    person.types(f"/accept {found.group(1)}")
        for i in range(5):
            self.anna.types(f"talk {i}")
            self.everybody_hears((self.chat, self.bob), f"<anna> talk {i}")
        for person in everybody:
            for other in everybody:
                if other is not person:
                    person.hears(line(HERE, other.name))
                    person.hears(line(THERE, other.name))
                    self.assert_has(person, f"from-{other.name}", content=content[other])

    def test_to_more_than_eight(self):
        """Those beyond eight wait their turn."""
        self.have(self.anna, "x", content=b"x" * 1000)
        crowd = [self.join(self.chat, name=f"c{i}", cwd=self.folder_of(f"c{i}")) for i in range(10)]
        self.anna.hears("-- c9 has come")
        self.anna.types("/send x")
        for person in (self.chat, self.bob, *crowd):
            person.hears(line(OFFERS, "anna", "x", "1000 B"))
            person.types("/accept")
            person.hears(line(HERE, "anna"))
            self.assert_has(person, "x", content=b"x" * 1000)

    def test_nothing_is_overwritten(self):
        self.have(self.anna, "x", content=b"new")
        self.have(self.bob, "x", content=b"old!")
        self.anna.types("/send x bob")
        self.bob.hears(line(OFFERS, "anna", "x", "3 B"))
        self.bob.types("/accept")
        self.bob.hears(re.compile(r"-- 1: x: not taken: .*"))
        self.anna.hears(re.compile(r"-- 1: with bob: .*1 not taken.*"))
        self.assert_has(self.bob, "x", content=b"old!")

    def test_what_cannot_be_sent_or_taken(self):
        self.anna.types("/send missing", "/send missing bob", "/accept", "/accept 3", "/refuse 3",
                        "/send x carl")
        self.anna.told(r'.*missing')
        self.anna.told(r"nothing is offered$")
        self.anna.told(r"no such number is open$")
        self.anna.told(r'nobody here is called "carl"')
        self.have(self.anna, "x", content=b"x")
        self.anna.types("/send x bob")
        self.bob.hears(line(OFFERS, "anna", "x", "1 B"))
        self.bob.types("/accept 1 nowhere")
        self.bob.told(r".*nowhere")
        self.bob.types("/accept 1")
        self.bob.hears(line(HERE, "anna"))

    def test_given_up(self):
        """By either side, before and while it goes; and by who leaves."""
        big = os.urandom(64 * MIB)
        self.have(self.anna, "big", content=big)
        for count, who in enumerate(("giver", "getter"), 1):
            self.anna.types("/send big bob")
            self.bob.hears(line(OFFERS, "anna", "big", "64.0 MiB"), count)
            (self.anna if who == "giver" else self.bob).types("/refuse 1")
            self.bob.hears(re.compile(r"-- 1: with anna: .*"), count)
            self.anna.hears(re.compile(r"-- 1: (with )?bob.*"), count)
        self.anna.types("/send big bob")
        self.bob.hears(line(OFFERS, "anna", "big", "64.0 MiB"), 3)
        self.bob.process.signal(signal.SIGKILL)
        self.anna.hears("-- 1: with bob: cut short: that side has left")
        self.anna.hears("-- bob was cut off")
        self.anna.types("still here")
        self.chat.hears("<anna> still here")

    def test_an_offer_does_not_stay_open_for_ever(self):
        self.have(self.anna, "x", content=b"x")
        carl = self.join(self.chat, "--ask-timeout", "1", name="carl", cwd=self.folder_of("carl"))
        self.anna.hears("-- carl has come")
        self.anna.types("/send x carl")
        carl.hears(line(OFFERS, "anna", "x", "1 B"))
        self.anna.hears("-- 1: carl does not take it")
        carl.types("/accept")
        carl.told(r"nothing is offered$")

    def test_the_end_of_input_waits(self):
        """Who offers something at a pipe leaves when it has arrived."""
        content = os.urandom(2 * MIB)
        self.have(self.anna, "x", content=content)
        self.anna.types("/send x bob")
        self.anna.process.close_stdin()
        self.bob.hears(line(OFFERS, "anna", "x", "2.0 MiB"))
        self.bob.types("/accept")
        self.bob.hears(line(HERE, "anna"))
        self.anna.process.wait(OK)
        self.bob.hears("-- anna has left")
        self.assertFalse([x for x in self.bob.heard if "cut short" in x])
        self.assert_has(self.bob, "x", content=content)

    def test_a_stopped_getter_holds_up_nobody(self):
        """What it is sent waits at its giver; the others talk and send."""
        self.have(self.anna, "big", content=os.urandom(32 * MIB))
        small = os.urandom(MIB)
        self.have(self.anna, "small", content=small)
        self.anna.types("/send big bob")
        self.bob.hears(line(OFFERS, "anna", "big", "32.0 MiB"))
        self.bob.types("/accept")
        self.anna.hears("-- 1: bob takes it")
        self.bob.process.signal(signal.SIGSTOP)
        self.anna.types("/send small host", "hello")
        self.chat.hears("<anna> hello")
        self.chat.hears(line(OFFERS, "anna", "small", "1.0 MiB"))
        self.chat.types("/accept")
        self.chat.hears(line(HERE, "anna"))
        self.assert_has(self.chat, "small", content=small)
        self.bob.process.signal(signal.SIGCONT)
        self.bob.hears(line(HERE, "anna"))

    def test_names_that_reach_out(self):
        """A member that names files elsewhere gets nothing written there."""
        hand = self.by_hand(self.chat)
        hand.waits(WELCOME)
        bob = 3  # the host is 1, anna 2
        offer = b"\1" + (9).to_bytes(8, "big") + (100).to_bytes(8, "big")
        offer += bytes([5]) + b"../ab" + (1).to_bytes(4, "big") + (0).to_bytes(8, "big")

        def carries(kind, content):
            hand.sends(CARRY, bob.to_bytes(4, "big") + (9).to_bytes(4, "big") + bytes([kind]) + content)

        carries(64, offer)
        self.bob.hears(re.compile(r"-- 1: mallory offers .*"))
        self.bob.types("/accept")
        carried = hand.waits(CARRIED)
        self.assertEqual(carried[:9], bob.to_bytes(4, "big") + (9 | 1 << 31).to_bytes(4, "big") + b"\x41")
        self.assertEqual(carried[9:], b"\1")
        for index, path in enumerate((b"../x", b"/tmp/usi-x", b"a/../../x", b"x\ny")):
            carries(66, index.to_bytes(4, "big") + b"\1" + (0o644).to_bytes(4, "big") + bytes(12)
                    + (5).to_bytes(8, "big") + len(path).to_bytes(2, "big") + path)
            answer = hand.waits(CARRIED)[8]
            self.assertIn(answer, (67, 77))  # skipped, or the end: what was offered is called ../ab
            if answer == 77:
                break
        self.assertEqual(self.all_files(self.bob), [])
        hand.socket.close()
        self.bob.hears("-- mallory was cut off")
        self.anna.types("hello")
        self.bob.hears("<anna> hello")


if __name__ == "__main__":
    main()
