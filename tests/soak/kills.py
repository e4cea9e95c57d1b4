"""kill -9, STOP and CONT of whoever takes part, at random points, under load.

The seed of the random points is printed; USI_SEED sets it.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
sys.dont_write_bytecode = True

import load  # noqa: E402
import meter  # noqa: E402
from files import FilesScenario, part_of, size_of  # noqa: E402
from harness import (  # noqa: E402
    CUT,
    DEVNULL,
    KIB,
    LIMIT,
    MIB,
    OK,
    PIPE,
    SANITIZED,
    WRAP,
    Pattern,
    tally,
    until,
)
from streams import Sink  # noqa: E402
from talk import TalkScenario  # noqa: E402

SEED = int(os.environ.get("USI_SEED", random.randrange(1 << 32)))
# KiB that a process may have more at the end than after a quarter of the time: spare blocks, and a
# listener's 65,536 last challenges
GROWTH = 6 * KIB
STREAMS = 12  # at a time


class Helper:
    """load.py as a process: the target or the wire."""

    def __init__(self, *words):
        self.popen = subprocess.Popen(
            [sys.executable, "-B", os.path.join(HERE, "load.py"), *words],
            stdin=DEVNULL,
            stdout=PIPE,
            bufsize=0,
        )
        self.out = Sink(os.dup(self.popen.stdout.fileno()))
        self.popen.stdout.close()

    def ready(self):
        if not self.out.has(b"{}\n"):
            raise AssertionError("load.py did not begin to listen")
        return self

    def lines(self):
        """What the target told, as far as its lines are whole."""
        return [json.loads(line) for line in bytes(self.out.data).split(b"\n")[1:-1]]

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()


def own_address():
    """A loopback address and ports on it that nobody else takes while ours are dead."""
    host = "127.%d.%d.%d" % (
        random.randrange(1, 255),
        random.randrange(256),
        random.randrange(1, 255),
    )
    ports = []
    for _ in range(4):
        with socket.create_server((host, 0)) as server:
            ports.append(server.getsockname()[1])
    return [f"{host}:{port}" for port in ports]


class Clients:
    """Threads that run one stream after another, and what became of each."""

    def __init__(self, address, count):
        self.address = address
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.number = 0
        self.done = []
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def work(self):
        while not self.over.is_set():
            up, down = (random.choice((0, 100, 70_000, 1_500_000)) for _ in range(2))
            with self.lock:
                self.number += 1
                number = self.number
            begun = time.monotonic()
            got, end = load.run_stream(self.address, number, up, down, LIMIT)
            one = {"number": number, "down": down, "got": got, "end": end}
            with self.lock:
                self.done.append({**one, "begun": begun, "ended": time.monotonic()})
            if end == "refused":
                time.sleep(0.05)

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join(2 * LIMIT)
            if thread.is_alive():
                raise AssertionError("a stream hangs")


class Forwards(FilesScenario):
    """A forward under load, of whose parts one lives for ever: it must be honest to the end."""

    SECONDS = 1.5

    def setUp(self):
        super().setUp()
        print(f"USI_SEED={SEED}", file=sys.stderr)
        self.random = random.Random(SEED)
        self.at = dict(zip(("listener", "connector", "target", "wire"), own_address(), strict=True))
        self.parts, self.targets, self.kills, self.stops = {}, [], {}, 0
        self.addCleanup(self.kill_parts)

    def kill_parts(self):
        for part in self.parts.values():
            part.kill()

    def begin(self, name):
        at = self.at
        key = {"key": self.key}
        if name == "target":
            part = Helper("target", at["target"]).ready()
            self.targets.append(part)
        elif name == "wire":
            part = Helper("wire", at["wire"], at["listener"]).ready()
        elif name == "listener":
            far = ["--forward", at["target"], "--rekey-bytes", "1M"]
            part = self.listen(*far, address=at["listener"], **key)
        else:
            part = self.connect(at["wire"], "-L", at["connector"], **key).ready()
        self.parts[name] = part

    def hurt(self, names):
        """One thing that happens to one of them."""
        name = self.random.choice(names)
        part = self.parts[name]
        if name not in self.mortal or self.random.random() < 0.4:
            part.signal(signal.SIGSTOP)
            time.sleep(self.random.random() * 0.5)
            part.signal(signal.SIGCONT)
            self.stops += 1
            return
        if self.random.random() < 0.2:
            part.signal(signal.SIGSTOP)  # killed while it stands
            time.sleep(self.random.random() * 0.2)
        self.kills.setdefault(name, []).append(time.monotonic())
        part.kill()
        time.sleep(self.random.random() * 0.3)
        self.begin(name)

    def killed_during(self, names, one):
        return any(
            one["begun"] <= at + 0.5 and at <= one["ended"]
            for name in names
            for at in self.kills.get(name, [])
        )

    def judge_clients(self, done):
        """The client's connection is the connector's: only its death may look like an end, or the
        target's, whose end it truly was."""
        for one in done:
            if one["end"] == "eof" and one["got"] != one["down"]:
                self.assertTrue(self.killed_during(("connector", "target"), one), one)
            else:
                self.assertIn(one["end"], ("eof", "reset", "refused"), one)

    def judge_targets(self):
        count = 0
        for target in self.targets:
            for one in target.lines():
                count += 1
                if one["end"] == "eof" and (one["number"] is None or one["got"] != one["up"]):
                    self.assertTrue(self.killed_during(("listener",), one), one)
                else:
                    self.assertIn(one["end"], ("eof", "reset"), one)
        return count

    def quiet(self, survivor, most):
        until(lambda: meter.descriptors(survivor.pid) <= most, "the descriptors to be closed")

    def torment(self, survivor):
        """Everything but the survivor is killed, over and over, and everything is stopped."""
        self.mortal = [n for n in ("listener", "connector", "target", "wire") if n != survivor]
        for name in ("target", "listener", "wire", "connector"):
            self.begin(name)
        alive = self.parts[survivor]
        most = meter.descriptors(alive.pid)
        clients = Clients(self.at["connector"], STREAMS)
        until(lambda: len(clients.done) >= 3 * STREAMS, "the first streams")
        used, begun = 0, time.monotonic()
        while time.monotonic() < begun + self.SECONDS:
            if used == 0 and time.monotonic() > begun + self.SECONDS / 4:
                used = meter.resident(alive.pid)
            time.sleep(self.random.random() * 0.4)
            self.hurt(list(self.parts))
            self.assertTrue(alive.running(), alive.story())
        used = used or meter.resident(alive.pid)
        clients.finish()
        self.judge_clients(clients.done)
        self.quiet(alive, most)
        whole = Clients(self.at["connector"], STREAMS)
        until(lambda: len(whole.done) >= 3 * STREAMS, "streams that nothing happens to")
        whole.finish()
        for one in whole.done:
            self.assertEqual((one["end"], one["got"]), ("eof", one["down"]), one)
        until(lambda: self.judge_targets() > 0, "the targets' lines")
        self.quiet(alive, most)
        self.tell_survivor(survivor, alive, clients.done, used, most)
        alive.signal(signal.SIGTERM)  # and a leak that a sanitizer finds is a status of its own
        alive.wait(OK if survivor == "listener" else -signal.SIGTERM)

    def tell_survivor(self, survivor, alive, done, used, most):
        now = meter.resident(alive.pid)
        kills = sum(map(len, self.kills.values()))
        ends = {end: sum(one["end"] == end for one in done) for end in ("eof", "reset", "refused")}
        print(
            f"the {survivor} survived {kills} kills and {self.stops} stops; "
            f"{len(done)} streams: {ends}; memory {used} -> {now} KiB; "
            f"descriptors {meter.descriptors(alive.pid)} <= {most}",
            file=sys.stderr,
        )
        if not (SANITIZED or WRAP):
            self.assertLess(now, used + GROWTH)
        what = "kill -9 of the connector" if survivor == "listener" else "kill -9 of the listener"
        tally(
            f"{what}, the target or the wire, under load",
            kills,
            f"{ends['reset']} of {len(done)} streams reset, none ended falsely; "
            f"memory {now - used:+} KiB, no descriptor more",
        )
        tally("STOP and CONT of any part of a forward", self.stops, "nothing lost")


class Pipes(FilesScenario):
    """Pipes and files through a wire; one of the three is killed or stopped, at a random point."""

    ROUNDS = 2

    def setUp(self):
        super().setUp()
        print(f"USI_SEED={SEED}", file=sys.stderr)
        self.random = random.Random(SEED)

    def wire(self, to):
        address = own_address()[0]
        wire = Helper("wire", address, to).ready()
        self.addCleanup(wire.kill)
        return address, wire

    def hurt(self, part):
        """Kills or stops it; True if killed."""
        if self.random.random() < 0.5:
            part.signal(signal.SIGSTOP)
            time.sleep(self.random.random() * 0.3)
            part.signal(signal.SIGCONT)
            return False
        part.signal(signal.SIGKILL)
        return True

    def pipe(self):
        size = 8 * MIB
        up, down = Pattern(size), Pattern(size)
        listener = self.listen("--rekey-bytes", "1M", key=self.key, stdin=down, stdout=up)
        address, wire = self.wire(listener.address)
        connector = self.connect(address, key=self.key, stdin=up, stdout=down)
        point = self.random.randrange(1, size)
        self.assertTrue(listener.out.reach(point))
        name, victim = self.random.choice(
            [("listener", listener), ("connector", connector), ("wire", wire)]
        )
        killed = self.hurt(victim)
        ends = {}
        for side, process in (("listener", listener), ("connector", connector)):
            if killed:
                statuses = (OK, CUT) if name != side else (-signal.SIGKILL, OK, CUT)
            else:
                statuses = (OK,)
            ends[side] = process.wait(*statuses)
            self.assertIsNone(process.out.wrong_at)
        for side, process, peer in (
            ("listener", listener, connector),
            ("connector", connector, listener),
        ):
            if ends[side] == OK:
                self.assertEqual(process.out.count, size)
                self.assertEqual(peer.out.count, size, "confirmed, and not written out")
        return "killed" if killed else "stopped"

    def test_pipes(self):
        counts = {"killed": 0, "stopped": 0}
        for number in range(self.ROUNDS):
            with self.round(number=number):
                counts[self.pipe()] += 1
        tally(
            "kill -9 of one side of a pipe, or of the wire",
            counts["killed"],
            "the right octets up to there; 5, or 0 with all of it confirmed",
        )
        what = "STOP and CONT of a side of a pipe, or of the wire"
        tally(what, counts["stopped"], "all of it, 0 on both sides")

    def transfer(self, name):
        """One try at sending a file; True when it is there."""
        final = os.path.join(self.here, name)
        wanted = self.random.randrange(size_of(part_of(final)) + 1, 12 * MIB + 2)
        receiver = self.receive(None)
        address, wire = self.wire(receiver.address)
        sender = self.send(name, to=address)
        victim = self.random.choice([sender, receiver, wire])
        until(
            lambda: size_of(part_of(final)) >= wanted or not receiver.running(), "some of the file"
        )
        killed = self.hurt(victim)
        for process in (sender, receiver):
            mine = killed and process is victim
            statuses = (OK, CUT) if killed else (OK,)
            process.wait(*statuses, *((-signal.SIGKILL,) if mine else ()))
        if sender.popen.returncode == OK or os.path.exists(final):
            self.assertEqual(self.read(final), self.read(os.path.join(self.there, name)))
        return killed

    def test_transfers(self):
        kills = stops = 0
        self.put("big", Pattern(12 * MIB))
        for number in range(self.ROUNDS):
            with self.round(number=number):
                if self.transfer("big"):
                    kills += 1
                else:
                    stops += 1
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(self.here, "big"))  # an unfinished part stays
        self.deliver("big")
        self.assert_same("big")
        tally(
            "kill -9 of a sender, a receiver or the wire",
            kills,
            "nothing half under its name; what was left was gone on with",
        )
        what = "STOP and CONT of a sender, a receiver or the wire"
        tally(what, stops, "all of it, 0 on both sides")


class Chats(TalkScenario):
    """A host and members, one of whom is killed or stopped while they talk."""

    ROUNDS = 1
    LINES = 10  # from each: fewer than what a host takes for a flood

    def setUp(self):
        super().setUp()
        print(f"USI_SEED={SEED}", file=sys.stderr)
        self.random = random.Random(SEED)

    def said(self, hearer, speaker):
        """The numbers of the lines that somebody heard of somebody."""
        head = f"<{speaker.name}> line "
        return [int(line[len(head) :]) for line in hearer.heard if line.startswith(head)]

    def talk(self, kill):
        host = self.host()
        anna = self.join(host, name="anna")
        bert = self.join(host, name="bert")
        anna.hears("-- bert has come")
        everybody = [host, anna, bert]
        victim = self.random.choice(everybody)
        point = self.random.randrange(self.LINES)
        for number in range(self.LINES):
            if number == point:
                victim.process.signal(signal.SIGKILL if kill else signal.SIGSTOP)
            for person in everybody:
                if not (kill and number >= point and person is victim):
                    with contextlib.suppress(BrokenPipeError):  # of a member whose host has gone
                        person.types(f"line {number}")
        if not kill:
            time.sleep(self.random.random() * 0.3)
            victim.process.signal(signal.SIGCONT)
        alive = [person for person in everybody if not (kill and person is victim)]
        if kill and victim is host:
            for person in alive:
                person.process.wait(CUT)
        else:
            for hearer in alive:
                for speaker in alive:
                    if hearer is not speaker:
                        hearer.hears(f"<{speaker.name}> line {self.LINES - 1}")
        for hearer in alive:
            for speaker in everybody:
                if hearer is not speaker:  # each line once, in order, and none left out
                    heard = self.said(hearer, speaker)
                    self.assertEqual(heard, list(range(len(heard))))

    def test_chats(self):
        for kill, what in ((True, "kill -9 of"), (False, "STOP and CONT of")):
            for number in range(self.ROUNDS):
                with self.round(what=what, number=number):
                    self.talk(kill)
            outcome = "every line, in order"
            if kill:
                outcome = "5 for the members of a dead host; from the living " + outcome
            tally(f"{what} a chat's host or a member", self.ROUNDS, outcome)
