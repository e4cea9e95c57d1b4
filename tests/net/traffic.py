"""What crosses the wire: a pipe both ways, forwarded streams, files, a chat. Each begins at once,
and gives a function that waits for its end and judges it."""

import os
import re

from wire import WireScenario

from ends import Client, Target
from files import part_of, size_of
from harness import KIB, LIMIT, LISTENING, OK, SLOW, Pattern, until

LITTLE = ["--rekey-bytes", "64K"]
SIZE = 128 * KIB if SLOW else 512 * KIB


class TrafficScenario(WireScenario):
    """`begun`, of each: waits until some of it has arrived."""

    def pipe(self, *options, size=SIZE):
        up, down = Pattern(size), Pattern(size)
        listener = self.listen(*LITTLE, *options, stdin=down, stdout=up)
        connector = self.connect(listener, *LITTLE, *options, stdin=up, stdout=down)

        def finish(status=OK):
            for side in (connector, listener):
                side.wait(status)
                problem = side.out.problem()
                self.assertIsNone(side.out.wrong_at, side.story())
                if status == OK:
                    self.assertIsNone(problem, side.story())

        finish.begun = lambda: (listener.out.reach(1), connector.out.reach(1))
        return finish

    def forward(self, *options, streams=3, size=SIZE // 4):
        target = Target(self.wire.far.do)
        self.addCleanup(target.server.close)
        listener = self.listen("--forward", target.address, *LITTLE, *options)
        connector = self.connect(listener, "-L", "127.0.0.1:0", *LITTLE, *options)
        address = connector.says(LISTENING).group(1)
        clients = [Client(address, os.urandom(size), self.wire.near.do) for _ in range(streams)]

        def finish(status=OK):
            """Whoever did not get everything got a reset: never an end too early."""
            for client in clients:
                client.join(LIMIT)
                self.assert_equal_bytes(client.got, client.data[: len(client.got)])
                self.assertEqual(client.was_reset, status != OK, connector.story())
            for stream in target.streams:
                self.assertTrue(stream["over"].wait(LIMIT), listener.story())
                self.assertIs(stream["was_reset"], status != OK, listener.story())
            sent = {client.data for client in clients}
            if status == OK:
                self.assertEqual({bytes(stream["got"]) for stream in target.streams}, sent)
            self.assertTrue(listener.running() and connector.running())

        finish.begun = lambda: until(lambda: target.count, "octets at the target")
        return finish

    def files(self, *options, size=SIZE):
        """From the connector to the listener; finish.again() goes on with what was cut off."""
        number = len(os.listdir(self.folder))
        self.there, self.here = (self.folder_at(f"{side} {number}") for side in ("there", "here"))
        there, here = self.there, self.here
        self.put("tree/large", Pattern(size))
        for i in range(5):
            self.put(f"tree/small/{i}", os.urandom(i * 100))

        def begin():
            receiver = self.receive(None, ["--yes", *options], folder=here)
            self.there = there
            return self.send("tree", to=receiver, options=options), receiver

        sides = begin()

        def finish(status=OK, sides=sides):
            for side in sides:
                side.wait(status)
            self.there, self.here = there, here
            if status == OK:
                self.assert_same(old=["tree", "tree/small"])

        def begun():
            large = os.path.join(here, "tree/large")
            until(lambda: size_of(part_of(large)) or size_of(large), "the large file")

        finish.again = lambda: finish(OK, begin())
        finish.begun = begun
        return finish

    def chat(self, *options, lines=10):
        host = self.host(*options)
        anna, bob = (self.join(host, *options, name=name, here=False) for name in ("anna", "bob"))
        anna.hears(re.compile("-- bob has come|-- you are anna; here: .*bob.*"))
        bob.hears(re.compile("-- anna has come|-- you are bob; here: .*anna.*"))
        said = {p: [f"{p.name} says {i}" for i in range(lines)] for p in (host, anna, bob)}
        for person, words in said.items():
            person.types(*words)

        def finish(status=OK):
            for person in said if status == OK else ():
                for other, words in said.items():
                    if other is not person:
                        lines = [f"<{other.name}> {line}" for line in words]
                        person.hears(lines[-1])
                        heard = [x for x in person.heard if x.startswith(f"<{other.name}>")]
                        self.assertEqual(heard, lines)
            for member in (anna, bob):
                member.leaves(status)
            host.hears(re.compile("-- (anna|bob) (has left|was cut off)"), 2)
            host.types("/quit")
            host.process.wait(OK)

        finish.begun = lambda: None
        return finish

    def everything(self, *options, **how):
        return [job(*options, **how) for job in (self.pipe, self.forward, self.files)] + [
            self.chat(*options)
        ]

    def crosses(self, *jobs):
        for finish in jobs or self.everything():
            finish()

