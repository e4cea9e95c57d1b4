"""A network of two machines that misbehaves as it is told (wire.c), and programs on it."""

import ctypes
import os
import random
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from files import FilesScenario  # noqa: E402
from harness import Scenario  # noqa: E402
from talk import TalkScenario  # noqa: E402
from terminal import NO_TERMINAL  # noqa: E402

CLONE_NEWNET = 0x40000000
SKIPPED = 77


def congestion_controls():
    """Those that a namespace may choose: reno, which every kernel has, and bbr if this one does."""
    with open("/proc/sys/net/ipv4/tcp_allowed_congestion_control", encoding="ascii") as file:
        return [name for name in file.read().split() if name in ("reno", "bbr")]


class Machine:
    """A network namespace; it goes when the wire does."""

    def __init__(self, path, host):
        self.path, self.host = path, host
        # Words for Process(before=...).
        self.before = ["nsenter", f"--net={path}"]

    def do(self, call):
        """What a call gives that runs on this machine; sockets that it makes stay there."""
        result = []

        def work():
            libc = ctypes.CDLL(None, use_errno=True)
            try:
                with open(self.path, "rb") as space:
                    if libc.setns(space.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                result.append((call(), None))
            except Exception as error:  # noqa: BLE001 - raised again below
                result.append((None, error))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        value, error = result[0]
        if error:
            raise error
        return value

    def sysctl(self, name, value):
        def write():
            with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as file:
                file.write(str(value))

        self.do(write)

    def tcp_count(self, name):
        """One of the counters of /proc/net/snmp."""

        def read():
            with open("/proc/thread-self/net/snmp", encoding="ascii") as file:
                names, numbers = [x.split() for x in file if x.startswith("Tcp:")]
            return int(numbers[names.index(name)])

        return self.do(read)


class Wire:
    """Two machines, `near` and `far`, and what is between them: the settings of wire.c."""

    def __init__(self, congestion, **settings):
        words = [str(word) for setting in settings.items() for word in setting]
        self.lock = threading.Lock()
        self.popen = subprocess.Popen(
            [os.environ["USI_WIRE"], *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        ready = self.popen.stdout.readline().split()
        if not ready:
            status = self.popen.wait()
            self.close()
            if status == SKIPPED:
                raise unittest.SkipTest("needs root and /dev/net/tun")
            raise AssertionError(f"the wire ended with {status}")
        folder = f"/proc/{self.popen.pid}/fd"
        self.near = Machine(f"{folder}/{ready[1]}", "192.0.2.1")
        self.far = Machine(f"{folder}/{ready[2]}", "192.0.2.2")
        for machine in (self.near, self.far):
            machine.sysctl("tcp_congestion_control", congestion)

    def tell(self, line):
        with self.lock:
            self.popen.stdin.write(line + "\n")
            self.popen.stdin.flush()
            return self.popen.stdout.readline().strip()

    def set(self, **settings):
        for name, value in settings.items():
            self.order(f"{name} {value}")

    def order(self, line):
        answer = self.tell(line)
        if answer != "ok":
            raise AssertionError(f"the wire said {answer!r} to {line!r}")

    def cut(self, after=0):
        """Loses everything, or everything behind so many packets more."""
        self.order(f"cut-after {after}")

    def restore(self):
        self.order("restore")

    def count(self):
        """Packets that arrived, and that were lost."""
        return tuple(map(int, self.tell("count").split()[1:]))

    def close(self):
        self.popen.stdin.close()
        self.popen.stdout.close()
        self.popen.wait()


class WireScenario(FilesScenario, TalkScenario):
    """A test with a wire: who listens is far, who connects is near."""

    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("USI_SEED", random.randrange(1 << 32)))
        self.wire = None
        self.lay()  # or skips

    def lay(self, congestion="reno", **settings):
        """A wire of these settings instead of the one before, if any."""
        if self.wire:
            self.kill_all()
            self.wire.close()
        else:
            self.addCleanup(lambda: self.wire and self.wire.close())
        self.wire = None
        self.wire = Wire(congestion, seed=self.seed, **settings)
        self.home = f"{self.wire.far.host}:0"
        return self.wire

    def tell(self):
        super().tell()
        print(f"USI_SEED={self.seed}", file=sys.stderr)

    def start(self, *arguments, **how):
        machine = self.wire.far if "listen" in arguments[:2] else self.wire.near
        how["before"] = [*machine.before, *how.get("before", NO_TERMINAL)]
        return super().start(*arguments, **how)

    def listen(self, *options, **how):
        return Scenario.listen(self, *options, **how)

    def connect(self, to, *options, **how):
        return Scenario.connect(self, to, *options, **how)
