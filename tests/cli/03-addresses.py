#!/usr/bin/env python3
"""Addresses: every form, and what is wrong with the others."""

import os
import socket
import stat

from harness import (
    LISTENING,
    NO_CONNECTION,
    OK,
    USAGE,
    Scenario,
    Server,
    echo,
    dial,
    main,
    reserve_port,
    shell,
)


class Listen(Scenario):
    def test_forms(self):
        for form, wanted in (
            ("127.0.0.1:0", r"^127\.0\.0\.1:[1-9]\d*$"),
            ("localhost:0", r"^(127\.0\.0\.1|\[::1\]):[1-9]\d*$"),
            ("[::1]:0", r"^\[::1\]:[1-9]\d*$"),
            ("[::]:0", r"^\[::\]:[1-9]\d*$"),
            ("0.0.0.0:0", r"^0\.0\.0\.0:[1-9]\d*$"),
            ("0", r"^\[::\]:[1-9]\d*$"),
        ):
            with self.round(form=form):
                listener = self.listen(address=form)
                self.assertRegex(listener.address, wanted)
                port = listener.address.rsplit(":", 1)[1]
                host = "[::1]" if listener.address.startswith("[") else "127.0.0.1"
                self.check(f"{host}:{port}")

    def test_dual_stack(self):
        listener = self.listen("-k", address="0")
        port = listener.address.rsplit(":", 1)[1]
        self.check(f"127.0.0.1:{port}")
        self.check(f"[::1]:{port}")

    def test_one_family(self):
        for option, host, other in (("-4", "127.0.0.1", "[::1]"), ("-6", "[::1]", "127.0.0.1")):
            with self.round(option=option):
                listener = self.listen("-k", option, address="0")
                port = listener.address.rsplit(":", 1)[1]
                self.check(f"{host}:{port}")
                self.check(f"{other}:{port}", status=NO_CONNECTION)

    def test_malformed(self):
        for text in (
            "127.0.0.1:65536",
            "127.0.0.1:",
            "99999",
            "[::1:0",
            "::1:0:",
            "127.0.0.1:http",
            "unix:",
            "-1",
            "unix:" + "x" * 200,
            "127.0.0.1:0x10",
        ):
            with self.round(text=text):
                got = self.start("listen", "--key-file", self.key, "--", text)
                got.wait(USAGE)
                self.assert_one_line(got)

    def test_two_words(self):
        self.run_program("listen", "--key-file", self.key, "127.0.0.1", "0", status=USAGE)

    def test_port_in_use(self):
        listener = self.listen("-k")
        second = self.run_program(
            "listen", listener.address, "--key-file", self.key, status=NO_CONNECTION
        )
        self.assert_one_line(second, listener.address, "in use")
        self.check(listener)

    def test_address_of_another_machine(self):
        got = self.run_program(
            "listen", "192.0.2.1:0", "--key-file", self.key, status=NO_CONNECTION
        )
        self.assert_one_line(got, "192.0.2.1")

    def test_name_that_does_not_exist(self):
        name = "x" * 64 + ":0"
        got = self.run_program(
            "listen", name, "--key-file", self.key, status=(NO_CONNECTION, USAGE)
        )
        self.assert_one_line(got, "x" * 64)


class UnixSocket(Scenario):
    def test_mode(self):
        for mask in ("0", "022", "077"):
            with self.round(umask=mask):
                path = self.path("socket-" + mask)
                listener = self.listen(address="unix:" + path, before=shell("umask " + mask))
                self.assertEqual(listener.address, "unix:" + path)
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
                connector = self.connect("unix:" + path, stdin=b"through a file")
                connector.wait(OK)
                listener.wait(OK)
                self.assertEqual(listener.out.finish(), b"through a file")

    def test_stale_one_is_removed(self):
        path = self.path("stale")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        self.check(self.listen(address="unix:" + path))

    def test_stale_one_of_a_killed_listener(self):
        address = "unix:" + self.path("killed")
        self.listen(address=address).kill()
        self.check(self.listen(address=address))

    def test_live_one_is_left_alone(self):
        address = "unix:" + self.path("live")
        listener = self.listen("-k", address=address)
        second = self.run_program("listen", address, "--key-file", self.key, status=NO_CONNECTION)
        self.assert_one_line(second, address)
        self.check(listener)

    def test_other_files_are_left_alone(self):
        path = self.file("file", b"not a socket")
        got = self.run_program(
            "listen", "unix:" + path, "--key-file", self.key, status=NO_CONNECTION
        )
        self.assert_one_line(got, path)
        self.assertEqual(self.read(path), b"not a socket")

    def test_missing(self):
        path = self.path("nobody")
        got = self.run_program(
            "connect", "unix:" + path, "--key-file", self.key, status=NO_CONNECTION
        )
        self.assert_one_line(got, path)


class Connect(Scenario):
    def test_forms(self):
        listener = self.listen("-k", address="0")
        port = listener.address.rsplit(":", 1)[1]
        for form in (
            [port],
            [f"127.0.0.1:{port}"],
            [f"[::1]:{port}"],
            [f"localhost:{port}"],
            ["127.0.0.1", port],
            ["localhost", port],
            ["::1", port],
        ):
            with self.round(form=form):
                self.run_program("connect", *form, "--key-file", self.key, "--check")

    def test_malformed(self):
        for words in (
            ["127.0.0.1:65536"],
            ["127.0.0.1:0"],
            ["0"],
            ["[::1"],
            ["127.0.0.1:http"],
            ["unix:"],
            ["127.0.0.1", "http"],
            ["127.0.0.1:1", "1"],
            ["127.0.0.1", "1", "2"],
            [":1:"],
            ["127.0.0.1", "70000"],
        ):
            with self.round(words=words):
                got = self.run_program("connect", *words, "--key-file", self.key, status=USAGE)
                self.assert_one_line(got)

    def test_refused(self):
        holder, address = reserve_port()
        with holder:
            got = self.connect(address)
            got.wait(NO_CONNECTION)
            self.assert_one_line(got, address, "refused")

    def test_name_that_does_not_exist(self):
        got = self.run_program(
            "connect", "x" * 64 + ":1", "--key-file", self.key, status=(NO_CONNECTION, USAGE)
        )
        self.assert_one_line(got, "x" * 64)

    def test_timeout(self):
        """A listening socket whose queue is full leaves a connection without an answer."""
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(0)
            fillers = []
            for _ in range(8):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(silent.getsockname())
                fillers.append(filler)
            got = self.connect("127.0.0.1:%d" % silent.getsockname()[1], "--timeout", "1")
            got.wait(NO_CONNECTION)
            self.assert_one_line(got)
            for filler in fillers:
                filler.close()

    def test_source(self):
        seen = []
        server = Server(lambda peer: seen.append(peer.getpeername()[0]))
        self.addCleanup(server.close)
        for option in ("-s", "--source"):
            self.connect(server.address, option, "127.0.0.3").wait()
        self.assertEqual(seen, ["127.0.0.3"] * 2)

    def test_source_of_another_machine(self):
        server = Server(echo)
        self.addCleanup(server.close)
        got = self.connect(server.address, "-s", "192.0.2.1")
        got.wait(NO_CONNECTION, USAGE)
        self.assert_one_line(got, "192.0.2.1")


class Local(Scenario):
    """connect -L: its first two forms."""

    def test_forms(self):
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen("--forward", server.address)
        for option, form, wanted in (
            ("-L", "0", r"^(127\.0\.0\.1|\[::1\]|localhost):[1-9]\d*$"),
            ("-L", "127.0.0.1:0", r"^127\.0\.0\.1:[1-9]\d*$"),
            ("--local", "[::1]:0", r"^\[::1\]:[1-9]\d*$"),
            ("-L", "unix:" + self.path("local"), "^unix:" + self.path("local") + "$"),
        ):
            with self.round(form=form):
                connector = self.connect(listener, option, form).ready()
                self.assertRegex(connector.address, wanted)
                with dial(connector.address) as peer:
                    peer.sendall(b"across")
                    self.assertEqual(peer.recv(6, socket.MSG_WAITALL), b"across")

    def test_local_socket_is_private(self):
        path = self.path("private")
        self.connect("127.0.0.1:1", "-L", "unix:" + path, before=shell("umask 0")).ready()
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_several(self):
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen("--forward", server.address)
        connector = self.connect(
            listener, "-L", "127.0.0.1:0", "-L", "unix:" + self.path("s"), "-L", "127.0.0.1:0"
        )
        addresses = [connector.says(LISTENING, n).group(1) for n in (1, 2, 3)]
        for address in addresses:
            with dial(address) as peer:
                peer.sendall(address.encode())
                self.assertEqual(peer.recv(100), address.encode())

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            got = self.connect("127.0.0.1:1", "-L", address)
            got.wait(NO_CONNECTION)
            self.assert_one_line(got, address, "in use")

    def test_malformed(self):
        for form in ("x", "127.0.0.1:", "127.0.0.1:65536", "[::1:0", "unix:", ""):
            with self.round(form=form):
                got = self.connect("127.0.0.1:1", "-L", form)
                got.wait(USAGE)
                self.assert_one_line(got)

    def test_listen_takes_none(self):
        self.run_program(
            "listen", "127.0.0.1:0", "--key-file", self.key, "-L", "127.0.0.1:0", status=USAGE
        )


class Forward(Scenario):
    def test_malformed(self):
        for target in ("80", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "[::1]", "unix:", ""):
            with self.round(target=target):
                got = self.listen("--forward", target, ready=False)
                got.wait(USAGE)
                self.assert_one_line(got)

    def test_connect_takes_none(self):
        self.run_program(
            "connect",
            "127.0.0.1:1",
            "--key-file",
            self.key,
            "--forward",
            "127.0.0.1:1",
            status=USAGE,
        )


if __name__ == "__main__":
    main()
