"""Programs at a terminal: a pseudo-terminal that is the controlling one of a session of their own,
whatever their standard descriptors are, and its user."""

import contextlib
import os
import select
import signal
import sys
import termios
import threading

from harness import LIMIT, Scenario, children

SESSION = """
import fcntl, os, sys, termios
os.setsid()
if sys.argv[1]:
    fd = os.open(sys.argv[1], os.O_RDWR)
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[2], sys.argv[2:])
"""

# Words for Process(before=...): a session that has no terminal, wherever the tests run.
NO_TERMINAL = [sys.executable, "-c", SESSION, ""]


class Terminal:
    """What the user sees and types. `before` are the words for Process(before=...)."""

    def __init__(self):
        self.master, self.slave = os.openpty()  # the slave stays open, so that reading never fails
        self.before = [sys.executable, "-c", SESSION, os.ttyname(self.slave)]
        self.data = bytearray()
        self.changed = threading.Condition()
        self.wake = os.pipe()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            ready = select.select([self.master, self.wake[0]], [], [])[0]
            if self.wake[0] in ready:
                return
            chunk = os.read(self.master, 65536)
            with self.changed:
                self.data += chunk
                self.changed.notify_all()

    @property
    def text(self):
        return self.data.decode("utf-8", "replace").replace("\r", "")

    def shows(self, text, count=1):
        """Waits until the screen has shown the text so often."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.text.count(text) >= count, LIMIT):
                raise AssertionError(f"the terminal never showed {text!r}:\n{self.text}")

    def type(self, text):
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def hang_up(self):
        """The user closes the window."""
        if self.master is None:
            return
        os.write(self.wake[1], b"x")
        self.reader.join()
        for fd in (self.master, self.slave, *self.wake):
            os.close(fd)
        self.master = None


class TerminalScenario(Scenario):
    """A test whose processes remember peers in folders of its own, and have a terminal only if it
    gives them one."""

    def terminal(self):
        terminal = Terminal()
        self.addCleanup(terminal.hang_up)
        return terminal

    def state(self, name):
        """The environment of a user."""
        return {"XDG_STATE_HOME": self.path(name)}

    def known(self, name):
        """The lines that a user's program has remembered."""
        with contextlib.suppress(FileNotFoundError):
            return self.read(os.path.join(self.path(name), "usi", "known")).decode().splitlines()
        return []

    def start(self, *arguments, at=None, user=None, **how):
        """Starts the program at a terminal, or without any."""
        if "before" not in how:
            how["before"] = at.before if at else NO_TERMINAL
        how["env"] = {**self.state(user or arguments[0]), **(how.get("env") or {})}
        return super().start(*arguments, **how)

    def identity(self, name, kind="ed25519"):
        """A kept key, made by keygen."""
        path = self.path(name + ".pem")
        self.run_program("keygen", f"--identity={kind}", "-o", path)
        return f"--identity={path}"

    def listen(self, *options, **how):
        return super().listen(*options, **{"key": "", **how})

    def connect(self, to, *options, **how):
        return super().connect(to, *options, **{"key": "", **how})


class BackgroundScenario(TerminalScenario):
    """A test whose programs go to the background (-f), and end with it all the same."""

    def setUp(self):
        super().setUp()
        self.before = set(children())
        self.addCleanup(self.end_orphans)

    def end_orphans(self):
        for pid in set(children()) - self.before - {p.pid for p in self.processes}:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
