#!/usr/bin/env python3
"""Chats: who is there, what is said to whom, how it ends."""

import contextlib
import os
import pwd
import re
import signal
import socket

from harness import CUT, FAR, LOCAL, NO_AUTHENTICATION, OK, PIPE, USAGE, main, reserve_port
from talk import Person, TalkScenario

HOST_CLOSES = "-- host has closed the chat"


class Talk(TalkScenario):
    def five(self):
        host = self.host()
        others = [self.join(host, name=name) for name in ("anna", "bob", "Anna", "dora")]
        for person in (host, *others[:3]):
            person.hears("-- dora has come")
        return host, *others

    def test_names(self):
        """Each hears who is there; two of one name are told apart."""
        host, anna, bob, other, dora = self.five()
        anna.hears("-- you are anna; here: host")
        bob.hears("-- you are bob; here: host, anna")
        other.hears("-- you are Anna-2; here: host, anna, bob")
        dora.hears("-- you are dora; here: host, anna, bob, Anna-2")
        self.everybody_hears((host, anna, bob), "-- Anna-2 has come")

    def test_said_to_all(self):
        everybody = self.five()
        names = ("host", "anna", "bob", "Anna-2", "dora")
        for person, name in zip(everybody, names):
            person.types(f"hello from {name}", "/me waves")
            others = [p for p in everybody if p is not person]
            self.everybody_hears(others, f"<{name}> hello from {name}")
            self.everybody_hears(others, f"* {name} waves")
        for person, name in zip(everybody, names):
            self.assertNotIn(f"<{name}> hello from {name}", person.heard)
            self.assertEqual(len([x for x in person.heard if x.startswith("<")]), 4)

    def test_said_to_one(self):
        """The host passes it on, and shows it to its own user only if it is for him."""
        host, anna, bob, other, dora = self.five()
        anna.types("/msg bob for bob", "/msg ANNA-2 for the other", "/msg host for the host")
        host.types("!msg dora for dora")
        bob.hears("[anna] for bob")
        other.hears("[anna] for the other")
        host.hears("[anna] for the host")
        dora.hears("[host] for dora")
        anna.types("after it")
        host.types("after it too")
        self.everybody_hears((host, bob, other, dora), "<anna> after it")
        self.everybody_hears((anna, bob, other, dora), "<host> after it too")
        for person, text in ((bob, "for bob"), (other, "for the other"), (host, "for the host"),
                             (dora, "for dora")):
            for somebody in (host, anna, bob, other, dora):
                found = [x for x in somebody.heard if x.endswith(text)]
                self.assertEqual(len(found), somebody is person, somebody.name)

    def test_said_to_nobody(self):
        host = self.host()
        anna = self.join(host)
        anna.types("/msg carl hello", "/msg anna hello", "/nonsense", "/msg", "!who now", "// said")
        anna.told(r'nobody here is called "carl"')
        anna.told(r"that is you$")
        anna.told(r'"nonsense" is no command')
        anna.told(r"/msg NAME TEXT")
        anna.told(r"/who: ")
        host.hears("<anna> / said")
        self.assertEqual([x for x in host.heard if x.startswith(("<", "["))], ["<anna> / said"])

    def test_who(self):
        host = self.host()
        anna = self.join(host)
        bob = self.join(host, name="bob")
        for word, person in (("/who", anna), ("!utilisateurs", bob), ("!who", host)):
            person.types(word)
            for name in ("host", "anna", "bob"):
                way = "the host" if name == "host" else "by the key"
                you = " (you)" if name == person.name else ""
                person.hears(f"-- {name}{you}: {way}")

    def test_leaving(self):
        """EOF, /quit and !quitter leave when all has been confirmed; the others see it."""
        host = self.host()
        bob = self.join(host, name="bob")
        for count, leave in enumerate(("eof", "/quit", "!quitter"), 1):
            anna = self.join(host)
            bob.hears("-- anna has come", count)
            anna.types(f"last words {count}")
            if leave == "eof":
                anna.leaves(OK)
            else:
                anna.types(leave)
                anna.process.wait(OK)
            for person in (host, bob):
                person.hears(f"<anna> last words {count}")
                person.hears("-- anna has left", count)

    def test_a_pipe_says_all(self):
        """More than may be said at once: it takes its time, nothing is lost."""
        host = self.host()
        bob = self.join(host, name="bob")
        lines = [f"line {i}" for i in range(70)]
        anna = self.join(host, stdin="\n".join(lines).encode(), here=False)
        anna.process.wait(OK)
        host.hears("-- anna has left")
        bob.hears("-- anna has left")
        for person in (host, bob):
            self.assertEqual([x for x in person.heard if x.startswith("<")],
                             [f"<anna> {line}" for line in lines])

    def test_a_host_at_a_pipe(self):
        """Its own user is held back too; the end of its input ends only what it says."""
        lines = [f"line {i}" for i in range(70)]
        host = self.host()
        anna = self.join(host)
        host.types(*lines)
        host.process.close_stdin()
        anna.hears("<host> line 69")
        self.assertEqual([x for x in anna.heard if x.startswith("<")],
                         [f"<host> {line}" for line in lines])
        anna.types("still here")
        host.hears("<anna> still here")
        host.process.signal(signal.SIGTERM)
        host.process.wait(OK)
        anna.hears(HOST_CLOSES)
        anna.process.wait(OK)

    def test_the_host_closes(self):
        host, *members = self.five()
        host.types("goodbye", "/quit")
        host.process.wait(OK)
        for member in members:
            member.hears("<host> goodbye")
            member.hears(HOST_CLOSES)
            member.process.wait(OK)

    def test_the_host_is_gone(self):
        host = self.host()
        anna = self.join(host)
        host.process.kill()
        anna.process.wait(CUT)

    def test_leaving_a_frozen_host(self):
        """It has --drain to confirm the end."""
        host = self.host()
        for leave in ("eof", "/quit"):
            anna = self.join(host, "--drain", "1")
            host.process.signal(signal.SIGSTOP)
            self.addCleanup(host.process.signal, signal.SIGCONT)
            if leave == "eof":
                anna.process.close_stdin()
            else:
                anna.types(leave)
            anna.process.wait(CUT)
            anna.told(r".*did not confirm our end \(--drain\): cut off$")
            host.process.signal(signal.SIGCONT)

    def test_leaving_a_frozen_host_at_once(self):
        """Who says it again does not wait."""
        host = self.host()
        for again in ("\x03", "\x04\x03"):
            here = self.terminal()
            tty = {"stdin": here.slave, "stdout": here.slave, "stderr": here.slave}
            anna = self.start("chat", "connect", host.process.address, "--key-file", self.key, "-m",
                              "anna", "--drain", "3600", at=here, env={"TERM": "xterm"}, **tty)
            here.shows("anna> ")
            host.process.signal(signal.SIGSTOP)
            self.addCleanup(host.process.signal, signal.SIGCONT)
            here.type(again if again[0] == "\x04" else "/quit\r" + again)
            anna.wait(CUT)
            here.shows("did not confirm our end")
            self.assertTrue(here.echoes())
            host.process.signal(signal.SIGCONT)

    def test_a_host_whose_output_is_stuck(self):
        """It does not wait for ever to show its last lines."""
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        there.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                there.send(bytes(4096))
        there.setblocking(True)
        host = self.host("--drain", "1", stdout=there)
        there.close()
        host.process.signal(signal.SIGTERM)
        host.process.wait(LOCAL)
        host.told(r"standard output: the last lines were not taken in time")

    def test_a_member_is_gone(self):
        host = self.host()
        anna = self.join(host)
        bob = self.join(host, name="bob")
        anna.process.kill()
        self.everybody_hears((host, bob), "-- anna was cut off")
        bob.types("go on")
        host.hears("<bob> go on")

    def test_signals(self):
        host = self.host()
        for number in (signal.SIGINT, signal.SIGTERM):
            anna = self.join(host)
            anna.process.signal(number)
            anna.process.wait(-number)
        host.process.signal(signal.SIGINT)
        host.process.wait(-signal.SIGINT)

    def test_strangers(self):
        host = self.host()
        other = self.key_file("other", os.urandom(32).hex())
        anna = self.join(host, credentials=["--key-file", other], here=False)
        anna.process.wait(NO_AUTHENTICATION)
        self.assertEqual(anna.process.out.finish(), b"")
        self.assertFalse([x for x in host.heard if "anna" in x])

    def test_a_full_chat(self):
        """64 with the host's own user; the next one is refused, until somebody leaves."""
        host = self.host()
        hands = [self.by_hand(host, f"m{i}") for i in range(63)]
        host.hears("-- m62 has come")
        anna = self.join(host, here=False)
        anna.process.wait(FAR)
        self.assertIn("the chat is full", "\n".join(anna.process.lines))
        hands[0].socket.close()
        host.hears("-- m0 was cut off")
        self.join(host)
        host.types("hello")
        hands[62].waits(51)

    def test_no_chat_there(self):
        """A pipe and a chat do not mix; --check works."""
        host = self.host()
        self.connect(host.process.address, key=self.key, stdin=b"x").wait(FAR)
        self.check(host.process.address, key=self.key)
        listener = self.listen("-k", key=self.key)
        anna = self.join(Person(listener, "listener"), here=False)
        anna.process.wait(FAR)
        self.assertEqual(host.heard, ["-- you are host, the host; /help helps"])

    def test_new_keys_meanwhile(self):
        """What is said while keys are renewed arrives."""
        host = self.host("--rekey-seconds", "1", "-v")
        anna = self.join(host, "--rekey-seconds", "1", "-v")
        said = []
        for process in (host.process, anna.process):
            process.says(r"^usi-tunnel: rekeyed 1 with")
        while not [x for x in host.process.lines if "rekeyed 2 with" in x] and len(said) < 1000:
            said.append(f"line {len(said)}")
            anna.types(said[-1])
            host.hears(f"<anna> {said[-1]}")
            host.types(said[-1])
            anna.hears(f"<host> {said[-1]}")
        self.assertEqual([x for x in host.heard if x.startswith("<")], [f"<anna> {x}" for x in said])

    def test_notifications_without_a_bus(self):
        """Nothing happens, and nothing is said about it."""
        host = self.host("-n", env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"})
        anna = self.join(host, "-n", env={"DBUS_SESSION_BUS_ADDRESS": ""})
        for person, other in ((host, anna), (anna, host), (host, anna)):
            person.types("hello")
            other.hears(f"<{person.name}> hello")
        self.assertEqual(len(host.process.lines), 1)
        self.assertEqual(anna.process.lines, [])

    def test_no_hello(self):
        """Who says nothing at all holds no place for long."""
        host = self.host("--handshake-timeout", "1")
        hand = self.by_hand(host, None)
        self.assertTrue(hand.is_cut())
        anna = self.join(host)
        anna.types("hello")
        host.hears("<anna> hello")

    def test_two_words(self):
        host = self.host()
        address, port = host.process.address.rsplit(":", 1)
        process = self.start("chat", "connect", address, port, "--key-file", self.key, stdin=b"hi")
        process.wait(OK)
        name = pwd.getpwuid(os.getuid()).pw_name
        host.hears(re.compile(f"<{re.escape(name[:32])}(-2)?> hi"))

    def test_options(self):
        for arguments, *words in (
            (["chat"], "chat listen", "chat connect"),
            (["chat", "host"], "chat listen"),
            (["chat", "listen", "-m", "a b"], "a b", "blanks"),
            (["chat", "listen", "-m", "/x"], "/x"),
            (["chat", "listen", "-m", "x" * 33], "32"),
            (["chat", "listen", "-k"], "-k", "chat listen"),
            (["chat", "connect", "--check"], "--check", "chat connect"),
            (["chat", "connect", "--forward", "x:1"], "--forward"),
            (["listen", "-m", "anna"], "chat", "listen"),
            (["chat", "connect", "a", "1", "b"], "b"),
        ):
            with self.round(arguments=arguments):
                if len(arguments) > 2:
                    arguments = [*arguments, "--key-file", self.key]
                process = self.run_program(*arguments, status=USAGE)
                self.assert_one_line(process, *words)
        process = self.run_program("chat", "listen", "--key-file", "-", status=USAGE)
        self.assert_one_line(process, "standard input")
        for arguments in (["chat", "--help"], ["chat", "connect", "-h"]):
            text = self.run_program(*arguments).out.finish().decode()
            self.assertIn("SEES\nEVERYTHING", text)
            self.assertIn("--nickname", text)

    def test_closed_output(self):
        """Nobody reads: 6, and the others are left in order."""
        host = self.host()
        read, write = os.pipe()
        anna = self.start("chat", "connect", host.process.address, "--key-file", self.key, "-m",
                          "anna", stdin=-1, stdout=write)
        os.close(write)
        host.hears("-- anna has come")
        os.close(read)
        host.types("hello")
        anna.wait(6)
        host.hears("-- anna has left")

    def test_nothing_is_written_to_disk(self):
        """Neither the host nor a member leaves a file behind, whatever is said."""
        home, state, folder = self.path("home"), self.path("state"), self.path("empty")
        for path in (home, state, folder):
            os.mkdir(path)
        how = {"cwd": folder, "env": {"HOME": home, "XDG_STATE_HOME": state,
                                      "XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home,
                                      "TMPDIR": folder}}
        for words in (self.credentials(), None):
            host = self.host(credentials=words or ["--identity", "--anyone"], **how)
            anna = self.join(host, credentials=words or ["--identity", "--fingerprint",
                                                         self.own(host)], **how)
            bob = self.join(host, name="bob", credentials=words or [
                "--identity", "--fingerprint", self.own(host)], **how)
            anna.hears("-- bob has come")
            anna.types("a secret", "/msg bob another", "/who", "/help", "/clear")
            bob.hears("[anna] another")
            host.hears("<anna> a secret")
            host.types("/quit")
            for person in (host, anna, bob):
                person.process.wait(OK)
        for path in (home, state, folder):
            self.assertEqual(os.listdir(path), [])

    def own(self, host):
        return host.process.says(r"identity fingerprint: sha256:([0-9a-f]{64})$").group(1)


class Identities(TalkScenario):
    """Chats whose members show keys."""

    def credentials(self):
        return [self.identity("anybody"), "--anyone"]

    def fingerprint(self, host):
        return host.process.says(r"identity fingerprint: sha256:([0-9a-f]{64})$").group(1)

    def kept(self, name):
        """A kept key and its fingerprint."""
        option = self.identity(name)
        process = self.processes[-1]
        return option, re.search(r"sha256:([0-9a-f]{64})", "\n".join(process.lines)).group(1)

    def test_fingerprints(self):
        """/who shows whose key it was; who has come otherwise has none."""
        key, shown = self.kept("anna")
        host = self.host("--key-file", self.key)
        own = self.fingerprint(host)
        anna = self.join(host, credentials=[key, "--fingerprint", own])
        bob = self.join(host, name="bob", credentials=["--key-file", self.key])
        anna.hears("-- bob has come")
        for person in (host, anna, bob):
            person.types("/who")
            you = {p: " (you)" if p is person else "" for p in (host, anna, bob)}
            person.hears(f"-- host{you[host]}: the host, sha256:{own}")
            person.hears(f"-- anna{you[anna]}: by an identity, sha256:{shown}")
            person.hears(f"-- bob{you[bob]}: by the key")

    def ask(self, anna, here, password, count=1):
        anna.types("/password")
        here.shows("Password that the host is to know: ", count)
        here.type(password + "\n")

    def test_password_question(self):
        """A member asks whether the host knows what it knows, and nothing else changes."""
        host = self.host("--password-file", self.file("password", b"open sesame\n"))
        here = self.terminal()
        anna = self.join(host, at=here, credentials=["--identity", "--fingerprint",
                                                     self.fingerprint(host)])
        self.ask(anna, here, "open sesame")
        anna.told(r"the host knows the password$")
        self.ask(anna, here, "open barley", 2)
        anna.told(r"THE HOST DOES NOT KNOW THE PASSWORD")
        self.ask(anna, here, "open sesame", 3)
        anna.process.says(r"^usi-tunnel: the host knows the password$", 2)
        anna.types("all the same")
        host.hears("<anna> all the same")
        self.assertNotIn("sesame", here.text)
        host.types("!motdepasse")
        host.told(r"/password asks the host, and that is you$")

    def test_password_question_without_password(self):
        host = self.host()
        here = self.terminal()
        anna = self.join(host, at=here, credentials=["--identity", "--fingerprint",
                                                     self.fingerprint(host)])
        self.ask(anna, here, "open sesame")
        anna.told(r"the host has no password, or allows no more tries")
        anna.types("still here")
        host.hears("<anna> still here")

    def test_password_question_without_answer(self):
        """The user is told, and asks no other before there is one."""
        host = self.host("--password-file", self.file("password", b"open sesame\n"))
        here = self.terminal()
        anna = self.join(host, "--handshake-timeout", "4", at=here,
                         credentials=["--identity", "--fingerprint", self.fingerprint(host)])
        host.process.signal(signal.SIGSTOP)
        self.addCleanup(host.process.signal, signal.SIGCONT)
        self.ask(anna, here, "open sesame")
        anna.told(r"the host does not answer: that proves nothing$")
        anna.types("/password")
        anna.told(r"the host has not answered the last question yet$")
        host.process.signal(signal.SIGCONT)
        anna.told(r"the host knows the password$")
        self.ask(anna, here, "open sesame", 2)
        anna.process.says(r"^usi-tunnel: the host knows the password$", 2)

    def test_password_question_in_key_mode(self):
        host = self.host(credentials=["--key-file", self.key])
        anna = self.join(host, credentials=["--key-file", self.key])
        anna.types("/password")
        anna.told(r"/password is for chats with --identity")

    def test_password_mode(self):
        path = self.file("password", b"open sesame\n")
        host = self.host(credentials=["--password-file", path])
        anna = self.join(host, credentials=["--password-file", path])
        bob = self.join(host, name="bob", credentials=["--password-file", path])
        anna.hears("-- bob has come")
        anna.types("/who", "hello")
        bob.hears("<anna> hello")
        anna.hears("-- bob: by the password")

    def test_at_a_terminal(self):
        """The line that is being typed makes way for a question about a newcomer, and is there again;
        Ctrl-D in an empty line ends the chat in order."""
        holder, address = reserve_port()
        self.addCleanup(holder.close)
        there = self.terminal()
        tty = {"stdin": there.slave, "stdout": there.slave, "stderr": there.slave}
        host = self.start("chat", "listen", address, "--identity", "-m", "host", at=there,
                          env={"TERM": "xterm"}, **tty)
        there.shows("host> ")
        there.shows("identity fingerprint: sha256:")
        own = re.search("sha256:([0-9a-f]{64})", there.text).group(1)
        there.type("half a li")
        there.shows("half a li")
        anna = Person(self.start("chat", "connect", address, "--identity", "--fingerprint", own,
                                 "-m", "anna", stdin=PIPE), "anna")
        there.shows("(yes/no)")
        there.type("yes\n")
        anna.hears("-- you are anna; here: host")
        there.shows("anna has come")
        there.type("ne\n")
        anna.hears("<host> half a line")
        anna.types("an answer")
        there.shows("an answer")
        there.type("\x04")
        host.wait(OK)
        anna.hears(HOST_CLOSES)
        anna.process.wait(OK)
        self.assertTrue(there.echoes())

    def test_a_made_up_password_is_good_for_one(self):
        host = self.host(credentials=["--password"])
        host.told(r"warning: this password is good for one channel")

    def test_the_hosts_user_is_asked(self):
        """About each newcomer; nothing of the chat crosses before."""
        there = self.terminal()
        host = self.host(credentials=["--identity"], at=there)
        host.types("before")
        anna = self.join(host, here=False,
                         credentials=["--identity", "--fingerprint", self.fingerprint(host)])
        there.shows("(yes/no)")
        self.assertEqual(anna.process.out.data, b"")
        there.type("yes\n")
        anna.hears("-- you are anna; here: host")
        host.types("after")
        anna.hears("<host> after")
        self.assertNotIn("<host> before", anna.heard)
        bob = self.join(host, name="bob", here=False,
                        credentials=["--identity", "--fingerprint", self.fingerprint(host)])
        there.shows("(yes/no)", 2)
        there.type("no\n")
        bob.process.wait(FAR)
        self.assertFalse([x for x in anna.heard if "bob" in x])


if __name__ == "__main__":
    main()
