#!/usr/bin/env python3
"""Each subcommand is in the sandbox when it is at work, with all its threads, unless --no-sandbox."""

import os
import re
import unittest

from confined import WITHOUT, needs_filter, settled, version
from files import FilesScenario
from harness import LOCAL, OK, PIPE, Scenario, Server, dial, echo, main, receive_all
from talk import TalkScenario

SAYS = r"^usi-tunnel: sandbox: {}: {}$"
BOTH = ((), ("--no-sandbox",))


class Pipes(Scenario):
    @needs_filter
    def test_pipe(self):
        for options in BOTH:
            with self.round(options=options):
                listener = self.listen(*options, stdin=PIPE)
                connector = self.connect(listener, *options, stdin=PIPE)
                connector.write(b"from connect\n")
                listener.write(b"from listen\n")
                listener.out.until(lambda: listener.out.count > 0)
                connector.out.until(lambda: connector.out.count > 0)
                for process in (listener, connector):
                    settled(process, sandbox=not options)
                listener.close_stdin()
                connector.close_stdin()
                listener.wait(OK)
                connector.wait(OK)
                self.assertEqual(bytes(listener.out.data), b"from connect\n")
                self.assertEqual(bytes(connector.out.data), b"from listen\n")

    @needs_filter
    def test_forward_with_threads(self):
        """Threads of the loops and of the pool, which resolves names."""
        server = Server(echo)
        self.addCleanup(server.close)
        target = f"localhost:{server.port}"
        for options in BOTH:
            with self.round(options=options):
                listener = self.listen("--forward", target, "-4", "--threads", 3, *options)
                connector = self.connect(listener, "-L", "127.0.0.1:0", "--threads", 2, *options)
                connector.ready()
                self.exchange(connector.address)
                for process, least in ((listener, 4), (connector, 2)):
                    settled(process, sandbox=not options)
                    self.assertGreaterEqual(len(os.listdir(f"/proc/{process.pid}/task")), least)

    def exchange(self, address):
        for _ in range(8):
            with dial(address) as peer:
                peer.sendall(b"there and back")
                peer.shutdown(1)
                self.assertEqual(receive_all(peer), (b"there and back", False))

    def test_what_is_in_force_is_said(self):
        listener = self.listen("-v")
        for what in ("seccomp", "Landlock"):
            listener.says(SAYS.format(what, ".+"))


class Files(FilesScenario):
    def exchange(self, *options, listens):
        """A sender and a receiver of a tree, one of which listens; both at work until the other is
        stopped."""
        sender = [self.path("there/tree"), *options]
        here = self.folder_at(f"{listens}{len(options)}")
        receiver = ["-d", here, "--yes", *options]
        words = {"send": sender, "receive": receiver}
        other = "receive" if listens == "send" else "send"
        last = ["-k"] if listens == "receive" else []
        first = self.start(listens, "listen", "127.0.0.1:0", *words[listens], "--key-file", self.key,
                           *last).ready()
        settled(first, sandbox=not options)
        second = self.start(other, "connect", first.address, *words[other], "--key-file", self.key)
        second.wait(LOCAL if other == "send" else OK, OK)
        return first, here

    @needs_filter
    def test_transfer(self):
        self.put("tree/file", os.urandom(300_000))
        self.put("tree/folder/other", b"other")
        for options in BOTH:
            for listens in ("send", "receive"):
                with self.round(options=options, listens=listens):
                    _, here = self.exchange(*options, listens=listens)
                    self.assertEqual(sorted(os.listdir(here)), ["tree"])
                    with open(os.path.join(here, "tree/folder/other"), "rb") as file:
                        self.assertEqual(file.read(), b"other")

    def test_what_is_replaced_is_sent(self):
        """A listener sends what is there when somebody comes, also if it is another file."""
        path = self.put("page", b"the first")
        sender = self.start("send", "listen", "127.0.0.1:0", path, "--key-file", self.key).ready()
        for text in (b"the first", b"the second"):
            self.put("new", text)
            os.rename(self.path("there/new"), path)
            here = self.folder_at(text.decode())
            receiver = self.start("receive", "connect", sender.address, "-d", here, "--yes",
                                  "--key-file", self.key)
            receiver.wait(OK)
            self.assertEqual(self.read(os.path.join(here, "page")), text)


class Chats(TalkScenario):
    @needs_filter
    def test_chat(self):
        for options in BOTH:
            with self.round(options=options):
                host = self.host(*options)
                anna = self.join(host, *options)
                host.types("good morning")
                anna.hears("<host> good morning")
                for person in (host, anna):
                    settled(person.process, sandbox=not options)
                anna.leaves(OK)

    def test_files_go_where_the_chat_was_started(self):
        os.makedirs(self.path("work/below"))
        os.makedirs(self.path("elsewhere"))
        text = self.file("text", b"text")
        host = self.host()
        anna = self.join(host, cwd=self.path("work"), name="anna")
        bob = self.join(host, "--no-sandbox", cwd=self.path("work"), name="bob")
        host.types(f"/send {text}")
        offers = re.compile(r"-- (\d+): host offers text .*")
        anna.hears(offers)
        anna.types("/accept 1 ../elsewhere")
        anna.told("the sandbox lets files be written only below")
        anna.types("/accept 1 below")
        bob.hears(offers)
        bob.types("/accept 1 ../elsewhere")
        arrived = re.compile(r"-- .*text.*(complete|arrived|taken|kept).*")
        for person, path in ((anna, "work/below/text"), (bob, "elsewhere/text")):
            person.process.out.until(lambda path=path: os.path.exists(self.path(path)))
            self.assertTrue(os.path.exists(self.path(path)), (person.heard, arrived.pattern))


@unittest.skipUnless(WITHOUT, "run by ctest")
class Kernels(Scenario):
    def test_without(self):
        """A kernel that lacks one of the two: the other is entered, and everything works."""
        for lacks, has in (("landlock", "seccomp"), ("seccomp", "landlock")):
            with self.round(lacks=lacks):
                names = {"landlock": "Landlock", "seccomp": "seccomp"}
                if lacks == "seccomp" and "libseccomp " not in version():
                    continue
                listener = self.listen("-v", before=[WITHOUT, lacks])
                connector = self.connect(listener, "-v", before=[WITHOUT, lacks], stdin=b"all\n")
                for process in (listener, connector):
                    process.says(SAYS.format(names[lacks], "this kernel has none"))
                    process.says(SAYS.format(names[has], ".+"))
                connector.wait(OK)
                listener.wait(OK)
                self.assertEqual(bytes(listener.out.data), b"all\n")


if __name__ == "__main__":
    main()
