#!/usr/bin/env python3
"""Chats with members that break the rules, do not read, or talk without end: the others go on."""

import re
import signal

from harness import OK, main
from talk import (
    CARRIED,
    CARRY,
    HELLO,
    JOINED,
    LEFT,
    REFUSED,
    SAID,
    SAY,
    TELL,
    WELCOME,
    TalkScenario,
)


# One file, x, of 5 octets.
OFFER = b"\1" + (1).to_bytes(8, "big") + (5).to_bytes(8, "big")
OFFER += b"\1x" + (1).to_bytes(4, "big") + (0).to_bytes(8, "big")


def name(octets):
    return b"\1" + bytes([len(octets)]) + octets


def offer(to, transfer):
    return to.to_bytes(4, "big") + transfer.to_bytes(4, "big") + b"\x40" + OFFER


class Hostile(TalkScenario):
    def setUp(self):
        super().setUp()
        self.chat = self.host()
        self.anna = self.join(self.chat)
        self.bob = self.join(self.chat, name="bob")
        self.everybody_hears((self.chat, self.anna), "-- bob has come")

    def still_talk(self, text):
        self.anna.types(text)
        self.everybody_hears((self.chat, self.bob), f"<anna> {text}")

    def test_records_that_are_none(self):
        """Each is cut; of what it sent, nothing is seen."""
        host, anna = 1, 2
        wrong = [
            (SAY, b""),
            (SAY, b"\0"),
            (SAY, b"\0two\nlines"),
            (SAY, b"\0nul\0"),
            (SAY, b"\0not utf-8 \xff"),
            (SAY, b"\0" + b"x" * 4097),
            (SAY, b"\2as if told"),
            (TELL, b"\0\0\0"),
            (HELLO, name(b"again")),
            (CARRY, b"\0\0\0\2\0\0\0\1\x20forged"),
            (CARRY, b"\0\0\0\2\0\0\0\1\x45" + bytes(20000)),
            (SAID, bytes([0, 0, 0, anna, 0]) + b"in anna's name"),
            (SAID, bytes([0, 0, 0, host, 0]) + b"in the host's name"),
            (JOINED, bytes([0, 0, 0, 77]) + b"\5ghost\1\0"),
            (LEFT, bytes([0, 0, 0, anna, 0])),
            (WELCOME, bytes([0, 0, 0, anna]) + b"\4anna" + bytes([0, 0, 0, host])),
            (CARRIED, bytes([0, 0, 0, anna]) + b"\0\0\0\1\x40"),
            (REFUSED, b"\1"),
            (35, b""),
            (63, b"x"),
            (64, b"x"),
        ]
        for count, (kind, content) in enumerate(wrong, 1):
            with self.subTest(kind=kind, content=content[:32]):
                hand = self.by_hand(self.chat)
                hand.waits(WELCOME)
                hand.sends(kind, content)
                self.assertTrue(hand.is_cut())
                self.everybody_hears((self.chat, self.anna, self.bob), "-- mallory has come")
                for person in (self.chat, self.anna, self.bob):
                    person.hears("-- mallory was cut off", count)
        self.still_talk("we go on")
        for person in (self.chat, self.anna, self.bob):
            text = "\n".join(person.heard)
            for word in ("forged", "ghost", "in anna", "in the host", "two", "lines", "again",
                         "anna has left", "as if"):
                self.assertNotIn(word, text)

    def test_names_that_may_not_be(self):
        for octets in (b"", b"a b", b"-- anna", b"/who", b"!cls", b"*", b"a>b", b"a\nb", b"a\x1b[2J",
                       b"\xe2\x80\xaeanna", b"an\xe2\x80\x8bna", b"\xff", b"x" * 33, b"a\0"):
            with self.subTest(octets=octets):
                hand = self.by_hand(self.chat, octets)
                self.assertTrue(hand.is_cut())
        self.still_talk("nobody has come")
        self.assertFalse([x for x in self.anna.heard if "has come" in x and "bob" not in x])

    def test_not_hello_first(self):
        for kind, content in ((SAY, b"\0hello"), (TELL, b"\0\0\0\2hello"), (200, b"")):
            hand = self.by_hand(self.chat, None)
            hand.sends(kind, content)
            self.assertTrue(hand.is_cut())
        self.still_talk("nobody has come")

    def test_text_cannot_look_like_anything_else(self):
        """One record is one line that begins with its sender's name; what a terminal would obey is
        shown as text."""
        hand = self.by_hand(self.chat)
        hand.waits(WELCOME)
        forged = [
            "\r<anna> I owe mallory",
            "\x1b[2K\x1b[1G<anna> I owe mallory",
            "\x9b2J\x85<anna> nel",
            "\u2028<anna> line",
            "\u2029<anna> paragraph",
            "\u202e>anna<",
            "\x08" * 20 + "<anna> back",
            "\x0b\x0c<anna> feed",
            "\x1b]0;title\x07",
            "<anna> plainly",
            "-- anna has left",
            "a" + "\u0301" * 40,
        ]
        for text in forged:
            hand.says(text)
        hand.says("the last")
        for person in (self.chat, self.anna, self.bob):
            person.hears("<mallory> the last")
            lines = [x for x in person.heard if x.startswith("<mallory> ")]
            self.assertEqual(len(lines), len(forged) + 1)
            odd = [x for x in person.heard if not x.startswith(("<mallory> ", "-- you are", "-- "))]
            self.assertEqual(odd, [])
            self.assertNotIn("-- anna has left", person.heard)
            self.assertFalse(re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]",
                                       person.process.out.data.decode()))

    def test_replays_and_what_is_changed(self):
        """An octet changed on the wire ends that member alone."""
        hand = self.by_hand(self.chat)
        hand.waits(WELCOME)
        hand.channel.seal(SAY, b"\0hello")
        octets = bytearray(hand.channel.take())
        octets[-1] ^= 1
        hand.socket.sendall(octets)
        self.assertTrue(hand.is_cut())
        self.anna.hears("-- mallory was cut off")
        self.still_talk("we go on")

    def test_carried_without_end(self):
        """Records of transfers that nobody knows: nothing happens, nobody is told anything."""
        hand = self.by_hand(self.chat)
        hand.waits(WELCOME)
        for transfer in range(40):
            for kind in (65, 67, 69, 74, 76, 77, 95):
                for to in (1, 2, 3, 4, 99):
                    head = to.to_bytes(4, "big") + transfer.to_bytes(4, "big") + bytes([kind])
                    hand.channel.seal(CARRY, head + b"\0" * 5)
        hand.link.send()
        hand.says("done")
        self.anna.hears("<mallory> done")
        self.still_talk("we go on")
        self.assertFalse([x for x in self.anna.heard if re.match(r"-- \d", x)])

    def test_offers_without_end(self):
        """They cost what lines cost, and no more than two of somebody's are open: others have places."""
        hand = self.by_hand(self.chat)
        hand.waits(WELCOME)
        for transfer in range(30):
            hand.channel.seal(CARRY, offer(2, transfer))
        hand.link.send()
        hand.says("done")
        self.anna.hears("<mallory> done")
        self.still_talk("we go on")
        offers = [x for x in self.anna.heard if "mallory offers" in x]
        self.assertEqual(len(offers), 2)
        self.anna.hears("-- mallory offered more files, and was refused: too many wait for your answer", 28)
        self.bob.types(f"/send {self.file('y', b'hello')} anna")
        self.anna.hears(re.compile(r"-- 3: bob offers y .*"))
        hand.socket.close()
        self.anna.hears("-- mallory was cut off")

    def test_offers_hold_nobody_back(self):
        """Who leaves refuses what is offered."""
        carl = self.join(self.chat, "--ask-timeout", "0", name="carl")
        hand = self.by_hand(self.chat)
        hand.waits(WELCOME)
        hand.sends(CARRY, offer(4, 1))
        carl.hears(re.compile(r"-- 1: mallory offers .*"))
        carl.leaves(OK)
        self.anna.hears("-- carl has left")

    def test_who_leaves_without_a_bye(self):
        """Its place is free again when the time to leave (--drain) is over."""
        chat = self.host("--drain", "1")
        hand = self.by_hand(chat)
        hand.waits(WELCOME)
        hand.channel.end()
        hand.link.send()
        chat.hears("-- mallory has left")
        while hand.link.read():
            pass

    def test_blanks_do_not_begin_a_line(self):
        """Many of them could carry what follows to the next row of a terminal."""
        hand = self.by_hand(self.chat)
        hand.waits(WELCOME)
        shown = {" " * 8: " " * 8, "\t" * 9: " " * 7 + "\u00b7", " " * 70: " " * 7 + "\u00b7",
                 "\u3000" * 9: "\u3000" * 7 + "\u00b7", " \u0301\ufe0f" * 70: None,
                 (" " * 9 + "x") * 2: (" " * 7 + "\u00b7x") * 2}
        for count, (blanks, wanted) in enumerate(shown.items()):
            hand.says(f"{count}{blanks}<anna> hi")
            self.bob.hears(re.compile(f"<mallory> {count}.*<anna> hi"))
            found = [x for x in self.bob.heard if x.startswith(f"<mallory> {count}")]
            if wanted is not None:
                self.assertEqual(found, [f"<mallory> {count}{wanted}<anna> hi"])
            else:
                self.assertLess(len(found[0]), 60)

    def test_slow(self):
        """Who does not read is cut when too much waits for it; the others get every line."""
        slow = self.join(self.chat, name="slow")
        for person in (self.chat, self.anna, self.bob):
            person.hears("-- slow has come")
        slow.process.signal(signal.SIGSTOP)
        self.addCleanup(slow.process.signal, signal.SIGCONT)
        talkers = [self.by_hand(self.chat, f"t{i}") for i in range(8)]
        for talker in talkers:
            talker.waits(WELCOME)
        cut, said = "-- slow was cut off: it did not read what was said", 0
        while cut not in self.anna.heard:
            self.assertLess(said, 2000)
            for talker in talkers:
                talker.says(f"{said} " + "x" * 4000)
            said += 1
        for talker in talkers:
            talker.says("the last of it")
        self.everybody_hears((self.chat, self.bob), cut)
        for person in (self.chat, self.anna, self.bob):
            for i in range(8):
                person.hears(f"<t{i}> the last of it")
                lines = [x.split(" ")[1] for x in person.heard if x.startswith(f"<t{i}> ")]
                self.assertEqual(lines, [str(n) for n in range(said)] + ["the"])
        self.still_talk("we go on")

    def test_flood(self):
        """Who talks without end is read as fast as is allowed; others are heard meanwhile."""
        many = 150
        flood = self.join(self.chat, name="flood")
        flood.types(*[f"flood {i}" for i in range(many)])
        self.bob.hears("<flood> flood 45")
        for i in range(3):
            self.anna.types(f"anna {i}")
            self.bob.hears(f"<anna> anna {i}")
            self.bob.types(f"bob {i}")
            self.anna.hears(f"<bob> bob {i}")
        self.assertNotIn(f"<flood> flood {many - 1}", self.bob.heard)
        for person in (self.chat, self.anna, self.bob):
            person.hears(f"<flood> flood {many - 1}")
            self.assertEqual([x for x in person.heard if x.startswith("<flood>")],
                             [f"<flood> flood {i}" for i in range(many)])


if __name__ == "__main__":
    main()
