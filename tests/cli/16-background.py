#!/usr/bin/env python3
"""-f: in the background once ready."""

import os
import signal

from harness import (
    DEVNULL,
    LIMIT,
    LISTENING,
    NO_CONNECTION,
    OK,
    USAGE,
    Scenario,
    Server,
    adopt_orphans,
    children,
    dial,
    echo,
    main,
    not_wrapped,
    reserve_port,
)


@not_wrapped
class Background(Scenario):
    def setUp(self):
        super().setUp()
        self.before = set(children())
        self.addCleanup(self.end_orphans)

    def orphan(self):
        """The pid of the one process that was left behind, which is our child now."""
        found = [pid for pid in children() if pid not in self.before]
        self.assertEqual(len(found), 1, "one process in the background")
        return found[0]

    def end_orphans(self):
        for pid in set(children()) - self.before:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def launch(self, *words):
        """Runs it until the foreground process ends; stderr goes to a file, which the other may
        keep open."""
        path = self.path("stderr")
        with open(path, "wb") as err:
            process = self.start(*words, stderr=err, stdout=DEVNULL)
            status = process.popen.wait(LIMIT)
        return status, self.read(path).decode()

    def test_listener(self):
        """When the command returns, it listens: no waiting in scripts."""
        server = Server(echo)
        self.addCleanup(server.close)
        for option in ("-f", "--background"):
            with self.subTest(option=option):
                status, text = self.launch(
                    "listen",
                    "127.0.0.1:0",
                    "--key-file",
                    self.key,
                    "--forward",
                    server.address,
                    option,
                )
                self.assertEqual(status, OK, text)
                self.assertRegex(text, LISTENING)
                address = text.split("listening on ")[1].split()[0]
                self.check(address)
                pid = self.orphan()
                os.kill(pid, signal.SIGTERM)
                self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), OK)

    def test_connector(self):
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen("--forward", server.address)
        self.before.add(listener.pid)
        status, text = self.launch(
            "connect", listener.address, "--key-file", self.key, "-L", "127.0.0.1:0", "-f"
        )
        self.assertEqual(status, OK, text)
        address = text.split("listening on ")[1].split()[0]
        with dial(address) as peer:
            peer.sendall(b"x")
            self.assertEqual(peer.recv(1), b"x")
        pid = self.orphan()
        self.assertNotEqual(os.getsid(pid), os.getsid(0), "it stays with the shell")

    def test_failure_is_seen(self):
        """What goes wrong before it is ready is the command's exit status."""
        holder, address = reserve_port()
        with holder:
            holder.listen()
            status, text = self.launch(
                "listen", address, "--key-file", self.key, "--forward", "127.0.0.1:1", "-f"
            )
        self.assertEqual(status, NO_CONNECTION, text)
        status, text = self.launch(
            "listen",
            "127.0.0.1:0",
            "--key-file",
            self.path("missing"),
            "--forward",
            "127.0.0.1:1",
            "-f",
        )
        self.assertEqual(status, USAGE, text)
        self.assertEqual(set(children()) - self.before, set())


if __name__ == "__main__":
    adopt_orphans()
    main()
