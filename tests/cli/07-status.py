#!/usr/bin/env python3
"""Exit statuses, row by row, where no other scenario is about them; signals and draining."""

import signal
import socket

from harness import (
    CUT,
    FAR,
    LIMIT,
    NO_AUTHENTICATION,
    NO_CONNECTION,
    OK,
    PIPE,
    USAGE,
    Scenario,
    Server,
    dial,
    echo,
    main,
    receive_all,
    reserve_port,
    wait_refused,
)


class Rows(Scenario):
    def test_0(self):
        listener = self.listen(stdin=b"down")
        self.connect(listener, stdin=b"up").wait(OK)
        listener.wait(OK)
        self.assertEqual(
            [line for line in listener.lines if "listening" not in line], [], "nothing to report"
        )

    def test_2(self):
        for words in (
            ["no-such-command"],
            ["listen", "--no-such-option"],
            ["connect", "--timeout"],
            ["connect", "--timeout", "x"],
            ["connect", "--timeout", "-1"],
            ["listen", "--rekey-bytes", "1K"],
            ["listen", "--rekey-bytes", "64Q"],
            ["listen", "--rekey-bytes", ""],
            ["connect", "-x"],
            ["listen", "--keep-open=yes"],
            ["connect", "--tim", "1"],
            ["connect", "--name", "x" * 256],
            ["connect", "-4", "-6"],
            ["listen", "--provider", "no-such-provider"],
            ["connect", "--recv-only", "-L", "0"],
            ["listen", "--forward", "127.0.0.1:1", "--send-only"],
        ):
            with self.round(words=words):
                keyed = (
                    ["--key-file", self.key] if words and words[0] in ("listen", "connect") else []
                )
                got = self.run_program(*words, *keyed, status=USAGE)
                self.assertTrue(got.lines, "no word about what is wrong")
                self.assertEqual(got.out.finish(), b"")

    def test_2_without_a_word(self):
        """The usage, on stderr: stdout is for data."""
        got = self.start()
        self.assertEqual(got.popen.wait(LIMIT), USAGE)
        self.assertTrue(got.err.has(b"usage: usi-tunnel"))
        self.assertEqual(got.out.finish(), b"")

    def test_3(self):
        holder, address = reserve_port()
        with holder:
            self.connect(address, stdin=b"lost").wait(NO_CONNECTION)

    def test_4(self):
        server = Server(lambda peer: None)  # accepts and closes
        self.addCleanup(server.close)
        got = self.connect(server.address)
        got.wait(NO_AUTHENTICATION)
        self.assertLessEqual(len(got.lines), 3)

    def test_5(self):
        listener = self.listen(stdin=PIPE)
        connector = self.connect(listener, stdin=PIPE)
        listener.write(b"x")
        self.assertTrue(connector.out.has(b"x"))
        listener.kill()
        connector.wait(CUT)
        self.assert_one_line(connector)


class Signals(Scenario):
    def test_connector(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.round(signal=number.name):
                listener = self.listen(stdin=PIPE)
                connector = self.connect(listener, stdin=PIPE)
                listener.write(b"x")
                self.assertTrue(connector.out.has(b"x"))
                connector.signal(number)
                connector.wait(-number)
                listener.wait(CUT, FAR)

    def test_connector_that_waits(self):
        """While nobody answers."""
        server = Server(lambda peer: peer.recv(1) and peer.recv(100000) and peer.recv(1))
        self.addCleanup(server.close)
        connector = self.connect(server.address)
        self.assertTrue(server.wait_accepted(1))
        connector.signal(signal.SIGTERM)
        connector.wait(-signal.SIGTERM)

    def test_listener_interrupted(self):
        listener = self.listen()
        listener.signal(signal.SIGINT)
        listener.wait(-signal.SIGINT)

    def test_many_streams_connector(self):
        """connect -L ends only by signal."""
        connector = self.connect("127.0.0.1:1", "-L", "127.0.0.1:0").ready()
        connector.signal(signal.SIGTERM)
        connector.wait(-signal.SIGTERM)


class Drain(Scenario):
    def serving(self, *options):
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen("--forward", server.address, *options)
        connector = self.connect(listener, "-L", "127.0.0.1:0").ready()
        return listener, connector

    def exchange(self, peer, data):
        peer.sendall(data)
        self.assertEqual(peer.recv(len(data), socket.MSG_WAITALL), data)

    def test_idle(self):
        for options in (["--forward", "127.0.0.1:1"], ["-k"], []):
            with self.round(options=options):
                listener = self.listen(*options)
                listener.signal(signal.SIGTERM)
                listener.wait(OK)

    def test_stream_is_finished(self):
        listener, connector = self.serving("--drain", "50")
        with dial(connector.address) as peer:
            self.exchange(peer, b"before")
            listener.signal(signal.SIGTERM)
            wait_refused(listener.address)
            self.exchange(peer, b"while it drains")
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(receive_all(peer), (b"", False))
        listener.wait(OK)

    def test_stream_that_does_not_end_is_cut(self):
        listener, connector = self.serving("--drain", "1")
        with dial(connector.address) as peer:
            self.exchange(peer, b"before")
            listener.signal(signal.SIGTERM)
            listener.wait(CUT)
            self.assertEqual(receive_all(peer)[0], b"")

    def test_idle_channels_do_not_hold_it_up(self):
        listener, connector = self.serving("--drain", "50")
        for _ in range(3):
            with dial(connector.address) as peer:
                self.exchange(peer, b"done")
                peer.shutdown(socket.SHUT_WR)
                self.assertEqual(receive_all(peer), (b"", False))
        listener.signal(signal.SIGTERM)
        listener.wait(OK)

    def test_pipe_is_finished(self):
        """The pipe that a -k listener serves ends in its own time; nobody new gets in."""
        listener = self.listen("-k", "--drain", "50")
        connector = self.connect(listener, stdin=PIPE)
        connector.write(b"before ")
        self.assertTrue(listener.out.has(b"before "))
        listener.signal(signal.SIGTERM)
        wait_refused(listener.address)
        connector.write(b"after")
        connector.close_stdin()
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"before after")

    def test_stranger_does_not_hold_it_up(self):
        """An unfinished handshake is no stream."""
        listener = self.listen(
            "--forward", "127.0.0.1:1", "--drain", "50", "--handshake-timeout", "50"
        )
        with dial(listener.address) as stranger:
            stranger.sendall(b"\x00")
            listener.signal(signal.SIGTERM)
            listener.wait(OK)


if __name__ == "__main__":
    main()
