#!/usr/bin/env python3
"""What a service manager is told: READY, STATUS, WATCHDOG, MAINPID, STOPPING."""

import contextlib
import ctypes
import os
import signal
import time
import unittest

from manager import ServiceScenario

from harness import (
    OK,
    PIPE,
    Server,
    adopt_orphans,
    children,
    dial,
    main,
    not_wrapped,
    reserve_port,
)


class Ready(ServiceScenario):
    def assert_ready(self, address, *words, name=None, **how):
        """READY comes, and then the address takes connections."""
        manager = self.manager(name)
        process = self.start(*words, "--key-file", self.key, manager=manager, **how)
        place = manager.hears("READY", "1")
        self.assertEqual(manager.messages[place]["STATUS"], "channels: 0 open, 0 so far")
        self.assertNotIn("MAINPID", manager.messages[place])
        with contextlib.suppress(ConnectionResetError):  # of who is taken, and then let go
            dial(address).close()
        process.kill()
        manager.close()
        return process

    def test_listening(self):
        """Everything that listens says READY when it does."""
        roles = {
            "listen": lambda a: ["listen", a],
            "forward": lambda a: ["listen", a, "--forward", "127.0.0.1:1"],
            "threads": lambda a: ["listen", a, "--forward", "127.0.0.1:1", "--threads", "3"],
            "connect": lambda a: ["connect", "127.0.0.1:1", "-L", a],
            "receive": lambda a: ["receive", "listen", a, "--yes", "-d", self.folder],
            "send": lambda a: ["send", "listen", a, self.key],
            "chat": lambda a: ["chat", "listen", a, "-m", "host"],
        }
        for role, words in roles.items():
            with self.round(role=role):
                holder, address = reserve_port()
                with holder:
                    self.assert_ready(address, *words(address), name=self.path(role), stdin=PIPE)

    def test_abstract_socket(self):
        holder, address = reserve_port()
        with holder:
            name = f"@usi-test-{os.getpid()}-{os.urandom(4).hex()}"
            self.assert_ready(address, "listen", address, name=name)

    def test_connector(self):
        """A pipe is ready when the listener has proved itself, not before."""
        silent = Server(lambda peer: peer.recv(100000) and peer.recv(1))
        self.addCleanup(silent.close)
        manager = self.manager()
        waits = self.connect(silent.address, stdin=PIPE, manager=manager)
        silent.wait_accepted(1)
        waits.signal(signal.SIGTERM)
        waits.wait(-signal.SIGTERM)
        manager.hears("STOPPING")
        self.assertEqual(manager.find("READY"), [])
        self.connect(self.listen(stdin=PIPE), stdin=PIPE, manager=manager)
        manager.hears("READY")

    def test_not_before_the_password(self):
        """Nothing is ready before what it needs is there."""
        manager = self.manager()
        refused = self.start("listen", "--key-file", self.path("none"), manager=manager)
        refused.wait(2)
        self.assertEqual(manager.messages, [])

    def test_manager_that_is_not_there(self):
        """One line, and the tunnel works."""
        for name in (self.path("none"), "vsock:2:1", "/" + "x" * 200, "@"):
            with self.round(name=name):
                listener = self.listen(env={"NOTIFY_SOCKET": name})
                self.assertRegex(listener.lines[0], "warning: .*NOTIFY_SOCKET")
                self.check(listener)

    def test_manager_that_goes(self):
        manager = self.manager()
        listener = self.listen("-k", manager=manager)
        manager.hears("READY")
        manager.close()
        self.check(listener)
        listener.signal(signal.SIGTERM)
        listener.wait(OK)


class Status(ServiceScenario):
    def test_channels(self):
        """How many are open, and how many there have been, on both sides."""
        far, near = self.manager(self.path("far")), self.manager(self.path("near"))
        listener = self.listen("--forward", self.target(), "--threads", "2", manager=far)
        connector = self.connect(listener, "-L", "127.0.0.1:0", "--threads", "2", manager=near)
        connector.ready()
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                peer = stack.enter_context(dial(connector.address))
                peer.sendall(b"x")
                peer.recv(1)
            for manager in (far, near):
                manager.hears("STATUS", "channels: 3 open, 3 so far")
        for manager in (far, near):
            manager.hears("STATUS", "channels: 0 open, 3 so far")

    def test_at_most_once_a_second(self):
        manager = self.manager()
        listener = self.listen("--forward", self.target(), manager=manager)
        began = time.monotonic()
        for _ in range(8):
            self.check(listener)
        manager.hears("STATUS", "0 open, 8 so far")
        took = time.monotonic() - began
        self.assertLessEqual(len(manager.find("STATUS")), took + 3, manager.messages)


PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000


class Hung:
    """One thread of another process, stopped by its tracer."""

    def __init__(self, thread):
        self.thread = thread
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * 3

    def ptrace(self, request):
        if self.libc.ptrace(request, self.thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def __enter__(self):
        self.ptrace(PTRACE_SEIZE)
        self.ptrace(PTRACE_INTERRUPT)
        os.waitpid(self.thread, WALL)
        return self

    def __exit__(self, *_):
        self.ptrace(PTRACE_DETACH)


class Watchdog(ServiceScenario):
    ALLOWED = 0.2  # s between two signs of life

    def environment(self, **more):
        return {"WATCHDOG_USEC": str(int(self.ALLOWED * 1e6)), **more}

    def test_alive(self):
        """For as long as it runs, idle or not; also while it drains."""
        manager = self.manager()
        listener = self.listen("--forward", self.target(), manager=manager, env=self.environment())
        connector = self.connect(listener, "-L", "127.0.0.1:0").ready()
        manager.hears("WATCHDOG", "1", count=3)
        with dial(connector.address) as peer:
            peer.sendall(b"x")
            peer.recv(1)
            listener.signal(signal.SIGTERM)
            stopping = manager.hears("STOPPING")
            manager.hears("WATCHDOG", "1", count=2, after=stopping)
        listener.wait(OK)

    def test_not_meant(self):
        """Another process is watched, or none."""
        for environment in (self.environment(WATCHDOG_PID="1"), {}, {"WATCHDOG_USEC": "x"}):
            with self.round(environment=environment):
                manager = self.manager(self.path(f"notify-{len(environment)}-{id(environment)}"))
                self.listen("-k", manager=manager, env=environment)
                manager.hears("READY")
                self.assertTrue(manager.quiet("WATCHDOG", 2 * self.ALLOWED))

    @not_wrapped
    @unittest.skipIf(os.geteuid() != 0, "needs root: to stop a thread of the program")
    def test_hung_loop(self):
        """No sign of life while any loop hangs, the first or another; again when it goes on."""
        manager = self.manager()
        options = ("--forward", self.target(), "--threads", "3")
        listener = self.listen(*options, manager=manager, env=self.environment())
        manager.hears("WATCHDOG")
        threads = sorted(int(t) for t in os.listdir(f"/proc/{listener.pid}/task"))
        self.assertGreaterEqual(len(threads), 3)
        for thread in threads[:3]:
            with self.subTest(first=thread == listener.pid):
                try:
                    hung = Hung(thread)
                    with hung:
                        # The answers may have been in already.
                        manager.quiet("WATCHDOG", self.ALLOWED)
                        self.assertTrue(manager.quiet("WATCHDOG", 4 * self.ALLOWED))
                        heard = len(manager.messages)
                except PermissionError:
                    self.skipTest("threads of the program cannot be traced here")
                manager.hears("WATCHDOG", after=heard)


class Ending(ServiceScenario):
    def test_stopping(self):
        """Told when it begins to drain, once."""
        manager = self.manager()
        listener = self.listen("--forward", self.target(), manager=manager)
        connector = self.connect(listener, "-L", "127.0.0.1:0").ready()
        with dial(connector.address) as peer:
            peer.sendall(b"x")
            self.assertEqual(peer.recv(1), b"x")
            listener.signal(signal.SIGTERM)
            manager.hears("STOPPING", "1")
            peer.sendall(b"y")
            self.assertEqual(peer.recv(1), b"y")
        listener.wait(OK)
        self.assertEqual(len(manager.find("STOPPING")), 1)

    @not_wrapped
    def test_background(self):
        """-f: the one that stays says who it is, before the other goes."""
        before = set(children())
        manager = self.manager()
        process = self.start(
            "listen", "127.0.0.1:0", "--key-file", self.key, "--forward", "127.0.0.1:1", "-f",
            manager=manager, env={"WATCHDOG_USEC": "400000"}
        )
        process.popen.wait()
        ready = manager.messages[manager.hears("READY")]
        found = set(children()) - before
        try:
            self.assertEqual({int(ready["MAINPID"])}, found)
            manager.hears("WATCHDOG")
            # Nobody can hang up on it.
            pid = found.copy().pop()
            os.kill(pid, signal.SIGHUP)
            manager.hears("RELOADING")
            os.kill(pid, signal.SIGTERM)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), OK)
            found.clear()
        finally:
            for pid in found:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


if __name__ == "__main__":
    adopt_orphans()
    main()
