"""One random fault a round, in any mode and service: a pipe, forwarded streams, files, a chat. What
must be true of it, whatever is spoiled: what comes out is a part of what went in, from its
beginning on; who ends with 0 has everything; who does not has a status that is documented; and
everybody ends by the timers that were set."""

import collections
import contextlib
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from ends import Client, Target  # noqa: E402
from files import FilesScenario, part_of  # noqa: E402
from harness import (  # noqa: E402
    CUT,
    FAR,
    LIMIT,
    LISTENING,
    NO_AUTHENTICATION,
    OK,
    SLOW,
    Scenario,
    tally,
)
from proxy import CUT as SEVER  # noqa: E402
from proxy import DOWN, RESET, UP, Fault, Proxy  # noqa: E402
from talk import TalkScenario  # noqa: E402

# More than one rekey each way.
LITTLE = ["--rekey-bytes", "64K"]
SIZE = 200_000
# No fault stops anybody for longer.
SOON = ["--idle-timeout", "3" if SLOW else "1", "--drain", "0.5"]
LATE = 0.3

EARLY, LAST = 8, 6  # frames that are spoiled more often


def flip(chance, data):
    """Anywhere behind the length."""
    spoiled = bytearray(data)
    head = min(4, len(data) - 1)
    spoiled[chance.randrange(head, len(data))] ^= 1 << chance.randrange(8)
    return bytes(spoiled)


def flip_length(chance, data):
    """With octets behind it, so that nobody waits for the rest."""
    spoiled = bytearray(data)
    spoiled[chance.randrange(2)] ^= 1 << chance.randrange(8)
    return bytes(spoiled) + chance.randbytes(70000)


def cut_inside(chance, data):
    return data[: chance.randrange(len(data))]


class Spoil(Fault):
    """Does one thing to one frame of one direction."""

    # What a side that looks at each record finds at the next one at the latest.
    TAMPERING = ("flip", "flip of a length", "drop", "repeat", "swap", "noise")
    KINDS = (*TAMPERING, "delay", "cut", "reset", "silence")

    def __init__(self, chance, kind, direction, number):
        super().__init__()
        self.chance, self.kind, self.direction, self.number = chance, kind, direction, number
        self.held = None

    def frame(self, direction, number, data):
        if direction != self.direction or number < self.number:
            return [data]
        if number > self.number:
            return self.behind(data)
        self.applied.set()
        return {
            "flip": lambda: [flip(self.chance, data)],
            "flip of a length": lambda: [flip_length(self.chance, data)],
            "drop": lambda: [],
            "repeat": lambda: [data, data],
            "swap": lambda: self.hold(data),
            "noise": lambda: [data, self.chance.randbytes(self.chance.randrange(5, 70000))],
            "delay": lambda: self.wait(data),
            "cut": lambda: [cut_inside(self.chance, data), SEVER],
            "reset": lambda: [cut_inside(self.chance, data), RESET],
            "silence": lambda: [],
        }[self.kind]()

    def behind(self, data):
        if self.kind == "silence":
            return []
        held, self.held = self.held, None
        return [data, held] if held else [data]

    def hold(self, data):
        self.held = data
        return []

    def wait(self, data):
        time.sleep(self.chance.uniform(0, LATE))
        return [data]


class Way:
    """A proxy whose first connection, or another one, is spoiled."""

    def __init__(self, target, spoil, messages, spoiled=0):
        self.spoil, self.count = spoil, 0

        def fault():
            self.count += 1
            return spoil if self.count == spoiled + 1 else Fault()

        self.proxy = Proxy(target, fault, messages)
        self.address = self.proxy.address
        self.spoiled = spoiled

    def frames(self):
        return {way: len(sizes) for way, sizes in self.proxy.relay(self.spoiled).frames.items()}


class Storm(FilesScenario, TalkScenario):
    MODES = ("key", "identity", "password")
    SERVICES = ("pipe", "forward", "files", "chat")

    def setUp(self):
        super().setUp()
        self.lengths = {}
        ids, fingerprints = [], []
        for name in ("listener", "connector"):
            path = self.path(name + ".pem")
            made = self.run_program("keygen", "--identity", "-o", path)
            fingerprints.append(made.lines[-1].split()[-1].removeprefix("sha256:"))
            ids.append(f"--identity={path}")
        password = ["--password-file", self.file("password", b"quite a long one\n")]
        key = ["--key-file", self.key]
        self.proofs = {
            "key": (key, key),
            "password": (password, password),
            "identity": (
                [ids[0], "--fingerprint", fingerprints[1]],
                [ids[1], "--fingerprint", fingerprints[0]],
            ),
        }

    # A round.

    def go_on(self, seconds):
        """Rounds for so long, and what came of them."""
        seed = int(os.environ.get("USI_SEED", 0))
        tried = collections.Counter()
        outcomes = collections.defaultdict(collections.Counter)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = seed or random.randrange(1, 1 << 32)
            chance = random.Random(now)
            mode, service = chance.choice(self.MODES), chance.choice(self.SERVICES)
            kind, direction = chance.choice(Spoil.KINDS), chance.choice((UP, DOWN))
            number = self.place(chance, mode, service, direction)
            what = {"USI_SEED": now, "mode": mode, "service": service}
            with self.round(**what, kind=kind, direction=direction, frame=number):
                spoil = Spoil(chance, kind, direction, number)
                found = self.once(mode, service, spoil)
                if spoil.applied.is_set():
                    tried[kind] += 1
                    outcomes[kind].update(found)
            if seed:
                break
        for kind, times in sorted(tried.items()):
            ends = sorted(outcomes[kind].items(), key=str)
            told = ", ".join(f"{'not in' if end is None else end} x {n}" for end, n in ends)
            tally(f"byte stream: {kind}", times, f"nothing wrong came out; statuses {told}")

    def place(self, chance, mode, service, direction):
        """A frame; the handshake, the first records and the last ones more often than others."""
        if (mode, service) not in self.lengths:
            with self.round(clean=True, mode=mode, service=service):
                spoil = Spoil(chance, "none", UP, -1)
                spoil.frame = lambda direction, number, data: [data]
                found = self.once(mode, service, spoil)
                self.assertEqual(set(found), {OK}, (mode, service))
                self.lengths[mode, service] = self.way.frames()
        count = self.lengths[mode, service][direction]
        return chance.choice(
            (
                chance.randrange(min(EARLY, count)),
                chance.randrange(max(0, count - LAST), count),
                chance.randrange(count),
            )
        )

    def once(self, mode, service, spoil):
        """One run of a service to its end; the statuses of those who ended."""
        self.spoil = spoil
        self.there_proof, self.here_proof = self.proofs[mode]
        self.messages = 2 if mode == "password" else 1
        soon = [] if spoil.kind in ("delay", "none") else SOON
        # Only what stops a handshake waits for this: a password takes its time on a slow machine.
        self.limits = ["--handshake-timeout", "10" if mode == "password" or SLOW else "3", *soon]
        self.harmless = not soon
        with contextlib.ExitStack() as stack:
            self.stack = stack
            return getattr(self, service)()

    def spoiled_way(self, target, spoiled=0):
        self.way = Way(target, self.spoil, self.messages, spoiled)
        self.stack.callback(self.way.proxy.close)
        return self.way.address

    def listen(self, *options, **how):
        return Scenario.listen(self, *self.there_proof, *LITTLE, *options, key="", **how)

    def connect(self, to, *options, **how):
        return Scenario.connect(self, to, *self.here_proof, *LITTLE, *options, key="", **how)

    def end_of(self, connector):
        """Its status, of those that a peer or the network can bring about."""
        if self.harmless:
            return connector.wait(OK)
        return connector.wait(OK, NO_AUTHENTICATION, CUT, FAR)

    def end_of_listener(self, listener):
        """Its status, or None if nobody was let in yet, and it still waits."""
        if self.harmless:
            return listener.wait(OK)
        probe = self.connect(listener, "--check", "-q")
        if probe.wait() == OK:
            listener.kill()
            return None
        return listener.wait(OK, CUT, FAR)

    def assert_noticed(self, statuses):
        """Nobody takes what was tampered with, but for what is behind the last word."""
        spoil = self.spoil
        if spoil.kind in Spoil.TAMPERING and spoil.applied.is_set():
            if spoil.number < self.way.frames()[spoil.direction] - LAST:
                self.assertNotEqual(set(statuses), {OK}, "nobody noticed")

    # The services.

    def pipe(self):
        up, down = os.urandom(SIZE), os.urandom(SIZE)
        listener = self.listen(*self.limits, stdin=down)
        way = self.spoiled_way(listener.address)
        connector = self.connect(way, *self.limits, stdin=up)
        statuses = [self.end_of(connector)]
        self.assertTrue(self.way.proxy.relay().wait_over())
        statuses.append(self.end_of_listener(listener))
        for side, sent in ((listener, up), (connector, down)):
            got = side.out.finish()
            self.assert_equal_bytes(got, sent[: len(got)])
            if OK in statuses:
                self.assertEqual(len(got), SIZE, "0 without everything")
        self.assert_noticed(statuses)
        return statuses

    def forward(self):
        """Three streams, of which the second is spoiled; then one more."""
        target = Target()
        self.stack.callback(target.server.close)
        listener = self.listen("--forward", target.address, *self.limits)
        way = self.spoiled_way(listener.address, spoiled=1)
        connector = self.connect(way, "-L", "127.0.0.1:0", *self.limits)
        address = connector.says(LISTENING).group(1)
        clients = [Client(address, os.urandom(SIZE // 2)) for _ in range(3)]
        for client in clients:
            client.join(LIMIT)
            self.assertFalse(client.is_alive(), "a client still waits")
        clients.append(Client(address, os.urandom(1000)))
        clients[-1].join(LIMIT)
        failed = [client for client in clients if client.was_reset]
        for client in clients:
            self.assert_equal_bytes(client.got, client.data[: len(client.got)])
            if client not in failed:
                self.assertEqual(len(client.got), len(client.data), "an end too early")
        # Until a password was right once, streams wait for each other.
        most = 3 if self.messages == 2 and self.spoil.number <= self.messages else 1
        self.assertLessEqual(len(failed), 0 if self.harmless else most)
        self.assertFalse(clients[-1].was_reset)
        sent = [client.data for client in clients]
        for stream in target.streams:
            self.assertTrue(stream["over"].wait(LIMIT), "the target still waits")
            got = bytes(stream["got"])
            self.assertTrue(any(data.startswith(got) for data in sent))
            if not stream["was_reset"]:
                self.assertIn(got, sent, "an end too early at the target")
        self.assertTrue(listener.running() and connector.running())
        return [CUT if client in failed else OK for client in clients]

    def files(self):
        """Spoiled, and then gone on with."""
        there, here = (self.folder_at(f"{x}{len(os.listdir(self.folder))}") for x in "th")
        data = os.urandom(SIZE)
        path = self.file(os.path.join(there, "file"), data)
        kept = os.path.join(here, "file")

        def receiver():
            words = ["receive", "listen", self.home, *self.there_proof, "-d", here, "--yes"]
            return self.start(*words, *LITTLE, *self.limits).ready()

        def send(to):
            words = ["send", "connect", to, *self.here_proof, *LITTLE, *self.limits]
            return self.start(*words, path)

        def assert_kept(process):
            if process.popen.returncode == OK or os.path.exists(kept):
                self.assert_equal_bytes(self.read(kept), data)

        taker = receiver()
        giver = send(self.spoiled_way(taker.address))
        statuses = [self.end_of(giver)]
        assert_kept(giver)
        self.assertTrue(self.way.proxy.relay().wait_over())
        status = self.end_of_listener(taker)
        if status is not None:
            statuses.append(status)
            assert_kept(taker)
        if not os.path.exists(kept):
            taker = receiver()
            send(taker.address).wait(OK)
            taker.wait(OK)
        self.assert_equal_bytes(self.read(kept), data)
        self.assertFalse(os.path.exists(part_of(kept)))
        self.assert_noticed(statuses)
        return statuses

    def chat(self):
        """The way of one member of three is spoiled; the others go on."""
        lines = {name: [f"{name} {i} " + "x" * 3900 for i in range(20)] for name in ("anna", "bob")}
        host = self.host(*LITTLE, credentials=self.there_proof)
        bob = self.join(host, *LITTLE, name="bob", credentials=self.here_proof)
        way = self.spoiled_way(host.process.address)
        words = ["chat", "connect", way, *self.here_proof, "-m", "anna", *LITTLE, *self.limits]
        anna = self.start(*words, stdin="".join(x + "\n" for x in lines["anna"]).encode())
        bob.types(*lines["bob"])
        statuses = [self.end_of(anna)]
        host.hears(f"<bob> {lines['bob'][-1]}")
        host.types("goodbye")
        bob.hears("<host> goodbye")
        bob.leaves(OK)
        host.types("/quit")
        host.process.wait(OK)
        for person in (host, bob):
            heard = [x[7:] for x in person.heard if x.startswith("<anna> ")]
            self.assertEqual(heard, lines["anna"][: len(heard)])
            if statuses[0] == OK:
                self.assertEqual(len(heard), len(lines["anna"]), "0 without everything")
        said = [f"<bob> {x}" for x in lines["bob"]]
        got = anna.out.finish().decode().split("\n")[:-1]
        heard = [x for x in got if x.startswith("<bob>")]
        self.assertTrue(heard == [x for x in said if x in heard])
        return statuses
