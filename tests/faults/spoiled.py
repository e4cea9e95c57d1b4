"""One pipe through a spoiling proxy, and what must be true of it whatever is spoiled."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from harness import CUT, FAR, NO_AUTHENTICATION, OK, Scenario  # noqa: E402
from proxy import DOWN, UP, Fault, Proxy  # noqa: E402

# Frames of the connector that come before it is taken; of the listener, message 2.
MESSAGE_1, PROOF, OPEN = 0, 1, 2
MESSAGE_2 = 0


class At(Fault):
    """Does something to one frame of one direction."""

    def __init__(self, direction, number, action):
        super().__init__()
        self.direction, self.number, self.action = direction, number, action
        self.held = None

    def frame(self, direction, number, data):
        if direction != self.direction or number < self.number:
            return [data]
        if number == self.number:
            self.applied.set()
        return self.action(self, number, data)


class SpoiledScenario(Scenario):
    def pipe(self, make_fault, up, down, listen=(), connect=()):
        """Runs a listener and a connector through the proxy to their ends. Sets what was seen of
        it."""
        self.up, self.down = up, down
        self.listener = self.listen("--handshake-timeout", "3", *listen, stdin=down)
        proxy = Proxy(self.listener.address, make_fault)
        self.addCleanup(proxy.close)
        self.connector = self.connect(proxy.address, "--handshake-timeout", "3", *connect, stdin=up)
        self.connector_status = self.connector.wait()
        self.relay = proxy.relay()
        self.assertTrue(self.relay.wait_over())
        self.fault = self.relay.fault
        self.listener_status = self.end_of_listener()
        proxy.close()
        self.assert_truth()

    def end_of_listener(self):
        """Its exit status, or None if it still waits for the first peer."""
        probe = self.connect(self.listener, "--check", "-q")
        if probe.wait() == OK:
            self.listener.kill()
            self.listener.out.finish()
            return None
        return self.listener.wait()

    def assert_truth(self):
        """Never a wrong byte out, and no 0 for less than everything."""
        for what, got, wanted in (
            ("up", bytes(self.listener.out.data), self.up),
            ("down", bytes(self.connector.out.data), self.down),
        ):
            self.assert_equal_bytes(got, wanted[: len(got)], what)
        if OK in (self.listener_status, self.connector_status):
            self.assertEqual(len(self.listener.out.data), len(self.up), "0 without everything up")
            self.assertEqual(
                len(self.connector.out.data), len(self.down), "0 without everything down"
            )

    def assert_detected(self, direction, number, late=False, rekey=False):
        """The receiver of the spoiled frame says so; the other side is cut or told.

        late: the frame itself may be taken as it is, and what is wrong shows in the next one (a
        repeated frame); or what came before it may be lost as well (a reset).
        rekey: the frame may be one of a rekey that is unfinished at the close. Behind the last bye
        nobody misses it: whose frame it is may say 0, which is never right without all the data
        and was looked for before; but a cut there may take the other side's bye with it.
        """
        here, there = self.listener_status, self.connector_status
        if direction == DOWN:
            here, there = there, here
        if not self.fault.applied.is_set():
            self.assertEqual((here, there), (OK, OK), "nothing was spoiled")
            return
        if rekey and here == OK:
            self.assertIn(there, [OK, CUT, FAR])
            return
        if direction == UP:
            # Before its proof was checked a peer ends no listener; before its `open` it need not.
            wanted = [None] if number <= PROOF and not (late and number == PROOF) else [CUT]
            if number == OPEN or late:
                wanted = [CUT, None] if number > MESSAGE_1 else [None]
            others = (
                [NO_AUTHENTICATION]
                if number == MESSAGE_1 and not late
                else [NO_AUTHENTICATION, CUT, FAR]
            )
            if number > OPEN:
                others = [CUT, FAR, OK] + ([NO_AUTHENTICATION] if late else [])
        else:
            wanted = [NO_AUTHENTICATION] if number == MESSAGE_2 else [CUT]
            others = [None] if number == MESSAGE_2 else [CUT, FAR, OK]
            if late:
                wanted, others = [NO_AUTHENTICATION, CUT], [None, CUT, FAR, OK]
        if late and len(self.relay.frames[direction]) == number + 1:
            wanted, others = wanted + [OK], others + [OK]  # the last frame: all was said before
        self.assertIn(here, wanted)
        self.assertIn(there, others)
        for side, status in (
            (self.listener, self.listener_status),
            (self.connector, self.connector_status),
        ):
            if status in (CUT, FAR, NO_AUTHENTICATION):
                self.assertTrue(
                    1 <= len([x for x in side.lines if "listening" not in x]) <= 3, side.story()
                )
