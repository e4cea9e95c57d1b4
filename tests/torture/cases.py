"""What the program does while its memory fails."""

import os
import re
import socket
import threading

from torture import Case  # it finds the harness

from harness import LIMIT, PIPE, Server, dial, echo, receive_all, until
from files import tree
from talk import Person

UP, DOWN = os.urandom(300_000), os.urandom(200_000)
MEMORY = {}  # files that are made once


def kept(name, make):
    """The content of a file that takes time to make."""
    if name not in MEMORY:
        MEMORY[name] = make()
    return MEMORY[name]


class Pipe(Case):
    """A pipe, both ways; a second connector if the first one fails and the listener goes on."""

    options = listens = connects = ()

    def credentials(self):
        return ["--key-file", self.key], ["--key-file", self.key]

    def play(self):
        there, here = self.credentials()
        self.connector = None
        self.listener = self.start("listen", "127.0.0.1:0", *there, *self.TIMEOUTS, *self.options,
                                   *self.listens, stdin=DOWN)
        if not self.begins(self.listener):
            self.ends(self.listener)
            return
        for _ in range(2 if self.fault.on else 3):
            self.connector = self.start("connect", self.listener.address, *here, *self.TIMEOUTS,
                                        *self.options, *self.connects, stdin=UP)
            if self.ends(self.connector) == 0 or not self.listener.running():
                break
        self.finish()

    def finish(self):
        if self.connector.popen.returncode == 0:
            self.ends(self.listener)
        else:
            self.stop(self.listener)

    def crossed(self):
        return (self.connector is not None and self.connector.out.data == DOWN
                and self.listener.out.data == UP)

    done = crossed

    def wrong(self):
        if self.connector is not None and self.connector.popen.returncode == 0 and not self.crossed():
            yield "connect claims to have succeeded"
        stopped = self.listener in self.stopped
        if self.listener.popen.returncode == 0 and not stopped and not self.crossed():
            yield "listen claims to have succeeded"
        if stopped and self.listener.popen.returncode == 0 and not self.fault.on:
            yield "the listener does not serve any more"


class Check(Pipe):
    """A handshake and nothing else."""

    connects = ("--check",)

    def finish(self):
        self.stop(self.listener)

    def done(self):
        return self.connector is not None and self.connector.popen.returncode == 0

    def wrong(self):
        if not self.done() and self.listener in self.stopped and not self.fault.on:
            yield "the listener does not serve any more"


class Rekey(Pipe):
    options = ("--rekey-bytes", "64K")


class Identity(Pipe):
    """Keys of their own, known to each other."""

    def credentials(self):
        words = []
        files = kept("identities", self.make_identities)
        for name, other in (("there", "here"), ("here", "there")):
            pem = self.file(name + ".pem", files[name][0])
            trust = self.file(name + ".trust", files[other][1])
            words.append([f"--identity={pem}", "--trust", trust])
        words[1] = [words[1][0], "--fingerprint", files["there"][1].decode().strip()]
        return words

    def make_identities(self):
        made = {}
        for name in ("there", "here"):
            path = self.path("made-" + name)
            maker = super(Case, self).start("keygen", "--identity", "-o", path)
            maker.wait(0)
            self.processes.remove(maker)
            found = re.search(r"sha256:([0-9a-f]{64})", "\n".join(maker.lines))
            made[name] = (self.read(path), found.group(1).encode() + b"\n")
        return made


class Password(Pipe):
    def credentials(self):
        path = self.file("password", b"correct horse battery staple\n")
        return ["--password-file", path], ["--password-file", path]


class Asked(Pipe):
    """Fresh identities, which both users compare at their terminals."""

    QUESTION = "Is this the fingerprint that the other side shows? (yes/no)"

    def play(self):
        there, here = self.terminal(), self.terminal()
        self.connector = None
        self.listener = self.start("listen", "127.0.0.1:0", "--identity", *self.TIMEOUTS, at=there,
                                   stdin=DOWN)
        if not self.begins(self.listener):
            self.ends(self.listener)
            return
        self.connector = self.start("connect", self.listener.address, "--identity", *self.TIMEOUTS,
                                    at=here, stdin=UP)
        for terminal in (here, there):
            until(lambda: self.QUESTION in terminal.text or self.any_ended(), "a question")
            terminal.type("yes\n")
        self.ends(self.connector)
        self.finish()

    def wrong(self):
        return [x for x in super().wrong() if "does not serve" not in x]  # nobody tried again


class Seen(Pipe):
    """Everything that can be said and written down about a channel."""

    options = ("--dev", "-v", "--rekey-bytes", "64K")

    def start(self, *arguments, **how):
        return super().start(*arguments, env={"USI_KEYLOG": self.path("keys-" + arguments[0])}, **how)


class Relay(Case):
    """Connections through a forward, until both processes are told to stop."""

    SIZE = 50_000
    options = ("--threads", "2")

    def credentials(self):
        return ["--key-file", self.key]

    def play(self):
        self.server = Server(echo)
        self.addCleanup(self.server.close)
        self.connector, self.results = None, []
        both = [*self.TIMEOUTS, *self.credentials(), *self.options, "--drain", "3"]
        self.listener = self.start("listen", "127.0.0.1:0", *both, "--forward", self.server.address)
        if self.begins(self.listener):
            self.connector = self.start("connect", self.listener.address, *both, "-L", "127.0.0.1:0")
            if self.begins(self.connector):
                self.exchange_two()
                for _ in range(1 if self.fault.on else 3):  # it works again after a fault
                    if not self.any_ended() and self.exchange() == "good":
                        break
            self.stop(self.connector)
        self.stop(self.listener)

    def exchange_two(self):
        threads = [threading.Thread(target=self.exchange) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def exchange(self):
        """What has come of a connection."""
        data = os.urandom(self.SIZE)
        result, failed = "reset", []
        try:
            with dial(self.connector.address) as peer:
                # Without any memory, what has come in waits until there is some.
                peer.settimeout(2 if self.fault.on else LIMIT)
                sender = threading.Thread(target=self.send_all, args=(peer, data, failed))
                sender.start()
                got, was_reset = receive_all(peer)
                sender.join()
                # A reset shows in whichever call meets it first.
                result = "reset" if was_reset or failed else "good" if got == data else "cut short"
        except TimeoutError:
            result = "stuck"
        except OSError:
            pass
        self.results.append(result)
        return result

    def send_all(self, peer, data, failed):
        try:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
        except OSError as error:
            failed.append(error)

    def done(self):
        return self.connector is not None and self.results == ["good"] * 3

    def wrong(self):
        for result in self.results:
            if result == "cut short" or (result == "stuck" and not self.fault.on):
                yield f"a connection was {result}"
        running = self.connector and self.connector.popen.returncode in (0, -15)
        if running and len(self.stopped) == 2 and not self.fault.on and "good" not in self.results[2:]:
            yield f"no connection works any more: {self.results}"


class RelayPassword(Relay):
    """The password is stretched once, and kept."""

    options = ()

    def credentials(self):
        return ["--password-file", self.file("password", b"correct horse battery staple\n")]


class Files(Case):
    """A tree of files; a second peer if the first one fails and the listener goes on."""

    sides = ("send", "receive")
    way = "send listens"
    sends = receives = ()

    def prepare(self):
        self.put("tree/one", b"1" * 1000)
        self.put("tree/folder/two", os.urandom(400_000))
        self.put("tree/folder/inner/empty")
        self.put("tree/folder/inner/three", os.urandom(70_000))
        os.makedirs(os.path.join(self.there, "tree/nothing"))

    def begin(self, word, to=None):
        words = {"send": self.sends, "receive": ("--yes", "-d", self.here, *self.receives)}[word]
        names = [os.path.join(self.there, "tree")] if word == "send" else []
        once = ["--once"] if word == "send" and to is None else []
        address = "127.0.0.1:0" if to is None else to.address
        how = "listen" if to is None else "connect"
        return self.start(word, how, address, "--key-file", self.key, *self.TIMEOUTS, *words, *once,
                          *names)

    def play(self):
        self.prepare()
        first, second = ("send", "receive") if self.way == "send listens" else ("receive", "send")
        self.connector = None
        self.listener = self.begin(first)
        if not self.begins(self.listener):
            self.ends(self.listener)
            return
        for _ in range(2 if self.fault.on else 3):
            self.connector = self.begin(second, self.listener)
            if self.ends(self.connector) == 0 or not self.listener.running():
                break
        if self.connector.popen.returncode == 0:
            self.ends(self.listener)
        else:
            self.stop(self.listener)

    def same(self):
        """Contents; times of folders that were there before are their own."""
        def contents(folder):
            return {k: v[2] for k, v in tree(folder).items()}

        return contents(self.there) == contents(self.here)

    done = same

    def wrong(self):
        for process in (self.listener, self.connector):
            if process is None or process in self.stopped:
                continue
            if process.popen.returncode == 0 and not self.same():
                if process is self.victim or not self.told():
                    yield f"{process.arguments[0]} claims that all files are there"


class Receive(Files):
    """The same the other way round, from what is there already, seen by programs too."""

    way = "receive listens"
    sends = receives = ("--json", "-v")

    def prepare(self):
        super().prepare()
        os.makedirs(os.path.join(self.here, "tree/folder/inner"))
        self.file(os.path.join(self.here, "tree/one"), b"1" * 1000)
        content = self.read(os.path.join(self.there, "tree/folder/two"))
        self.file(os.path.join(self.here, "tree/folder/.two.usi-part"), content[:150_000])
        self.file(os.path.join(self.here, "tree/folder/inner/three"), b"3")

    receives = ("--json", "-v", "--overwrite")


class Chat(Case):
    """Lines to all and to one, and a file."""

    sides = ("listen", "connect")
    FILE = os.urandom(200_000)
    NEVER = re.compile(r"memory|is lost|does not take|failed|given up|gives up", re.IGNORECASE)

    def play(self):
        self.host = self.member = None
        self.missed = []
        self.hosts, self.members = self.folder_at("hosts"), self.folder_at("members")
        self.file(os.path.join(self.members, "photo"), self.FILE)
        process = self.start("chat", "listen", "127.0.0.1:0", "--key-file", self.key, "-m", "host",
                             *self.TIMEOUTS, "--drain", "3", stdin=PIPE, cwd=self.hosts)
        self.host = Person(process, "host")
        if self.begins(process):
            for _ in range(1 if self.fault.on else 3):
                process = self.start("chat", "connect", self.host.process.address, "--key-file",
                                     self.key, "-m", "anna", *self.TIMEOUTS, "--drain", "3",
                                     stdin=PIPE, cwd=self.members)
                self.member, self.missed = Person(process, "anna"), []
                if self.hear(self.member, r"-- you are anna.*"):
                    self.talk()
                    break
                self.leave(self.member)
                if not self.host.process.running():
                    break
            self.leave(self.member)
        self.leave(self.host)

    def talk(self):
        self.type(self.member, "hello", "/msg host psst")
        self.type(self.host, "welcome", "/msg anna shh")
        self.hear(self.host, "<anna> hello")
        self.hear(self.host, r"\[anna\] psst")
        self.hear(self.member, "<host> welcome")
        self.hear(self.member, r"\[host\] shh")
        self.type(self.member, "/send photo host")
        if self.hear(self.host, r"-- 1: anna offers photo .*"):
            self.type(self.host, "/accept")
            self.hear(self.host, r"-- 1: from anna, all here, verified")
            self.hear(self.member, r"-- 1: host has it all, verified")

    def type(self, person, *lines):
        try:
            person.types(*lines)
        except (OSError, ValueError):  # it has gone
            pass

    def leave(self, person):
        if self.missed:  # a file may be open that nobody answers
            for each in filter(None, (self.host, self.member)):
                self.type(each, "/refuse 1")
        self.type(person, "/quit")
        try:
            person.process.close_stdin()
        except OSError:
            pass
        self.ends(person.process)

    def hear(self, person, pattern):
        """Waits for a line; False: nobody will say it any more."""
        pattern = re.compile(pattern)

        def heard():
            return any(pattern.fullmatch(x) for x in person.heard)

        def over():
            people = [x for x in (self.host, self.member) if x]
            return any(not x.process.running() for x in people) or any(
                self.NEVER.search(line) for x in people for line in x.heard + x.process.lines)

        until(lambda: heard() or over(), f"{pattern.pattern!r}")
        if heard():
            return True
        self.missed.append(pattern.pattern)
        return False

    def said(self):
        return super().said() + [x for x in self.victim.out.data.decode().splitlines()
                                 if x.startswith("-- ")]

    def told(self):
        return super().told() or any("does not take" in x for x in self.member.heard)

    def file_there(self):
        path = os.path.join(self.hosts, "photo")
        return os.path.exists(path) and self.read(path) == self.FILE

    def done(self):
        return self.member is not None and not self.missed and self.file_there()

    def wrong(self):
        for person in (self.host, self.member):
            if person and any("verified" in x for x in person.heard) and not self.file_there():
                yield f"{person.name} claims that the file is there"


class Keygen(Case):
    """A key into a file."""

    sides = ("keygen",)

    def play(self):
        self.made = self.path("made")
        self.ends(self.start("keygen", "-o", self.made))

    def done(self):
        return os.path.exists(self.made) and re.fullmatch(
            rb"#.*\n[0-9a-f]{64}\n", self.read(self.made))

    def wrong(self):
        there = os.path.exists(self.made)
        if self.victim.popen.returncode == 0 and not self.done():
            yield "there is no whole key"
        if self.victim.popen.returncode != 0 and there:
            yield "it has failed, and left a file"


CASES = (Keygen, Check, Pipe, Rekey, Identity, Asked, Password, Seen, Relay, RelayPassword, Files,
         Receive, Chat)
SLOW = (Password, RelayPassword)
