"""A service manager, as far as the program speaks with one."""

import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from harness import LIMIT, Scenario, Server, echo  # noqa: E402
from terminal import NO_TERMINAL  # noqa: E402


class Manager:
    """The socket that NOTIFY_SOCKET names, and what came through it: a list of dicts, in order."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.messages = []
        self.times = []
        self.changed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            with self.changed:
                lines = data.decode().splitlines()
                self.messages.append(dict(line.split("=", 1) for line in lines))
                self.times.append(time.monotonic())
                self.changed.notify_all()

    def close(self):
        self.socket.close()

    def environment(self, **more):
        return {"NOTIFY_SOCKET": self.name, **more}

    def find(self, key, value=None, after=0):
        """The places of messages that have the key, with the value or what it matches."""
        return [
            i
            for i, m in enumerate(self.messages)
            if i >= after and key in m and (value is None or value in m[key])
        ]

    def hears(self, key, value=None, count=1, after=0):
        """Waits for the count-th such message, and returns its place."""
        with self.changed:
            wanted = lambda: len(self.find(key, value, after)) >= count  # noqa: E731
            if not self.changed.wait_for(wanted, LIMIT):
                raise AssertionError(f"no {key}={value} ({count}) in {self.messages}")
            return self.find(key, value, after)[count - 1]

    def quiet(self, key, seconds):
        """Whether no message with the key comes for so long."""
        with self.changed:
            before = len(self.find(key))
            return not self.changed.wait_for(lambda: len(self.find(key)) > before, seconds)


class ServiceScenario(Scenario):
    """Programs without a terminal, some of them with a manager."""

    def manager(self, name=None):
        manager = Manager(name or self.path("notify"))
        self.addCleanup(manager.close)
        return manager

    def target(self):
        server = Server(echo)
        self.addCleanup(server.close)
        return server.address

    def start(self, *arguments, manager=None, env=None, **how):
        how.setdefault("before", NO_TERMINAL)
        if manager:
            env = {**manager.environment(), **(env or {})}
        return super().start(*arguments, env=env, **how)
