"""Chats: hosts and members as processes at pipes, and a member made by hand."""

import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
sys.dont_write_bytecode = True

from harness import LIMIT, PIPE, dial  # noqa: E402
from link import Link  # noqa: E402
from terminal import TerminalScenario  # noqa: E402
from usi1 import OPEN, Stream  # noqa: E402

HELLO, SAY, TELL, CARRY = 32, 33, 34, 36
WELCOME, JOINED, LEFT, SAID, REFUSED, CARRIED = 48, 49, 50, 51, 52, 53
SERVICE_CHAT = b"\1"


class Person:
    """A chat process and its user."""

    def __init__(self, process, name):
        self.process, self.name = process, name

    def types(self, *lines):
        for line in lines:
            octets = line if isinstance(line, bytes) else line.encode()
            self.process.write(octets + b"\n")

    @property
    def heard(self):
        """The whole lines of its output."""
        return self.process.out.data.decode("utf-8", "backslashreplace").split("\n")[:-1]

    def hears(self, line, count=1):
        """Waits for a line (so often); a compiled pattern matches a whole line."""

        def look():
            if isinstance(line, re.Pattern):
                return sum(1 for x in self.heard if line.fullmatch(x)) >= count
            return self.heard.count(line) >= count

        if not self.process.out.until(look):
            heard = "\n".join(self.heard[-40:])
            raise AssertionError(f"{self.name} never heard {line!r}:\n{heard}\n{self.process.story()}")

    def told(self, pattern):
        """Waits for a line of the program's own."""
        return self.process.says(r"^usi-tunnel: " + pattern)

    def leaves(self, *statuses):
        """The end of its input."""
        self.process.close_stdin()
        return self.process.wait(*(statuses or (0,)))


class TalkScenario(TerminalScenario):
    def credentials(self):
        return ["--key-file", self.key]

    def host(self, *options, name="host", credentials=None, **how):
        words = self.credentials() if credentials is None else credentials
        process = self.start("chat", "listen", self.home, *words, "-m", name, *options,
                             stdin=how.pop("stdin", PIPE), **how)
        return Person(process.ready(), name)

    def join(self, host, *options, name="anna", credentials=None, here=True, **how):
        """A member; here: waits until it is in, and the host has seen it."""
        words = self.credentials() if credentials is None else credentials
        process = self.start("chat", "connect", host.process.address, *words, "-m", name, *options,
                             stdin=how.pop("stdin", PIPE), **how)
        person = Person(process, name)
        if here:
            person.hears(re.compile(r"-- you are .*"))
        return person

    def everybody_hears(self, persons, line):
        for person in persons:
            person.hears(line)

    def by_hand(self, host, name="mallory"):
        """A member made by hand; name None: it does not say hello."""
        hand = Hand(dial(host.process.address), bytes.fromhex(self.read(self.key).decode()))
        self.addCleanup(hand.socket.close)
        hand.link.wait("authenticated")
        hand.open()
        if name is not None:
            hand.hello(name)
        return hand


class Hand:
    """A member of whom nothing is certain but that it knows the key."""

    def __init__(self, peer, ki):
        peer.settimeout(LIMIT)
        self.socket = peer
        self.link = Link(peer, ki, True)
        self.channel = self.link.channel
        self.got = []
        self.take_record = self.channel.take_record
        self.channel.take_record = self.take

    def take(self, kind, content):
        if kind >= HELLO:
            self.got.append((kind, content))
        else:
            self.take_record(kind, content)

    def open(self):
        self.channel.stream = Stream()
        self.channel.streams += 1
        self.channel.seal(OPEN, SERVICE_CHAT)
        self.link.send()

    def sends(self, kind, content=b""):
        self.channel.seal(kind, content)
        self.link.send()

    def hello(self, name):
        octets = name if isinstance(name, bytes) else name.encode()
        self.sends(HELLO, b"\1" + bytes([len(octets)]) + octets)

    def says(self, text):
        octets = text if isinstance(text, bytes) else text.encode()
        self.sends(SAY, b"\0" + octets)

    def waits(self, kind):
        """Reads up to a record of this type, and gives its content."""
        while True:
            for i, (found, content) in enumerate(self.got):
                if found == kind:
                    del self.got[: i + 1]
                    return content
            if not self.link.read():
                raise AssertionError(f"the host closed instead of record {kind}")

    def is_cut(self):
        """Reads until the host closes: did it, without an end of the stream?"""
        try:
            while self.link.read():
                pass
        except (ConnectionError, BrokenPipeError):
            pass
        except socket.timeout:
            return False
        return not any(event[0] == "end" for event in self.channel.events)
