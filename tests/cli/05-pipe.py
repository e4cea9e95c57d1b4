#!/usr/bin/env python3
"""The pipe: standard input and output of both sides, whatever they are."""

import fcntl
import hashlib
import os
import pty
import socket
import termios
import threading
import tty

from harness import (
    DEVNULL,
    FAR,
    KIB,
    LOCAL,
    MIB,
    OK,
    PIPE,
    SLOW,
    Feeder,
    Pattern,
    Scenario,
    Sink,
    main,
    not_wrapped,
    redirected,
)

SIZE = 4 * MIB if SLOW else 32 * MIB


class Kinds(Scenario):
    def join(self, up, down, **how):
        """Both directions with the given bytes, through pipes."""
        listener = self.listen(stdin=down)
        connector = self.connect(listener, stdin=up)
        connector.wait(OK)
        listener.wait(OK)
        self.assert_equal_bytes(listener.out.finish(), up, "up")
        self.assert_equal_bytes(connector.out.finish(), down, "down")

    def test_sizes(self):
        for size in (0, 1, 15, 16, 17, 65535, 65536, 65537, 131072, 1000003):
            with self.round(size=size):
                self.join(os.urandom(size), os.urandom(size))

    def test_one_way_up(self):
        self.join(os.urandom(300000), b"")

    def test_one_way_down(self):
        self.join(b"", os.urandom(300000))

    def test_much_both_ways(self):
        up, down = Pattern(SIZE), Pattern(SIZE + 12345)
        listener = self.listen(stdin=down, stdout=up)
        connector = self.connect(listener, stdin=up, stdout=down)
        connector.wait(OK)
        listener.wait(OK)
        self.assert_received(listener)
        self.assert_received(connector)

    def test_files(self):
        up = self.file("up", Pattern(SIZE))
        down = self.file("down", Pattern(SIZE // 3))
        with open(up, "rb") as up_in, open(down, "rb") as down_in, open(
            self.path("up-out"), "wb"
        ) as up_out, open(self.path("down-out"), "wb") as down_out:
            listener = self.listen(stdin=down_in, stdout=up_out)
            connector = self.connect(listener, stdin=up_in, stdout=down_out)
            connector.wait(OK)
            listener.wait(OK)
        for name in ("up", "down"):
            digests = []
            for path in (self.path(name), self.path(name + "-out")):
                with open(path, "rb") as file:
                    digests.append(hashlib.file_digest(file, "sha256").digest())
            self.assertEqual(digests[0], digests[1], name)

    def test_file_position(self):
        """A file is read from where it stands, and left at its end; output is appended where it
        stands."""
        path = self.file("in", b"0123456789")
        with open(path, "rb", buffering=0) as source, open(
            self.path("out"), "w+b", buffering=0
        ) as target:
            source.seek(4)
            target.write(b"head ")
            listener = self.listen(stdout=target)
            self.connect(listener, stdin=source).wait(OK)
            listener.wait(OK)
            self.assertEqual(source.tell(), 10)
            self.assertEqual(self.read(self.path("out")), b"head 456789")

    def test_append(self):
        path = self.file("log", b"first\n")
        with open(path, "ab") as log:
            listener = self.listen(stdout=log)
            self.connect(listener, stdin=b"second\n").wait(OK)
            listener.wait(OK)
        self.assertEqual(self.read(path), b"first\nsecond\n")

    def test_sockets(self):
        """One socket as both stdin and stdout, as inetd gives it."""
        listener = self.listen(stdin=b"down")
        ours, theirs = socket.socketpair()
        with ours:
            connector = self.connect(listener, stdin=theirs.fileno(), stdout=theirs.fileno())
            theirs.close()
            ours.sendall(b"up")
            ours.shutdown(socket.SHUT_WR)
            got = b""
            while chunk := ours.recv(100):
                got += chunk
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual((got, listener.out.finish()), (b"down", b"up"))

    def test_devnull(self):
        """/dev/null as input and as output, on both sides."""
        data = os.urandom(100000)
        listener = self.listen(stdin=data, stdout=DEVNULL)
        connector = self.connect(listener, stdin=data, stdout=DEVNULL)
        connector.wait(OK)
        listener.wait(OK)

    def test_interleaved(self):
        """Bytes arrive as they come, not when a buffer is full."""
        listener = self.listen(stdin=PIPE)
        connector = self.connect(listener, stdin=PIPE)
        for number in range(20):
            connector.write(b"ping%d\n" % number)
            self.assertTrue(listener.out.has(b"ping%d\n" % number))
            listener.write(b"pong%d\n" % number)
            self.assertTrue(connector.out.has(b"pong%d\n" % number))
        listener.close_stdin()
        connector.close_stdin()
        connector.wait(OK)
        listener.wait(OK)

    def test_slow_reader_holds_the_writer(self):
        """Back-pressure: what nobody reads is not read from the source either."""
        read_end, write_end = os.pipe()
        source, feed = os.pipe()
        listener = self.listen(stdout=write_end)
        os.close(write_end)
        connector = self.connect(listener, stdin=source)
        os.close(source)
        os.set_blocking(feed, False)
        fed = 0
        block = bytes(64 * KIB)
        idle = 0
        while idle < 50:  # half a second without room: it stands
            try:
                fed += os.write(feed, block)
                idle = 0
            except BlockingIOError:
                idle += 1
                threading.Event().wait(0.01)
            self.assertLess(fed, 64 * MIB, "the source is read although nobody reads the output")
        os.set_blocking(feed, True)
        Feeder(feed, [block] * 16)
        sink = Sink(read_end)
        connector.wait(OK)
        listener.wait(OK)
        sink.finish()
        self.assertEqual(sink.count, fed + 16 * len(block))


class Closed(Scenario):
    """Standard streams that are closed or cannot take what comes."""

    def test_closed_stdin(self):
        """A closed stdin is one at its end; the descriptor is not mistaken for another one."""
        listener = self.listen(stdin=b"down", before=())
        connector = self.connect(listener, before=redirected("<&-"))
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual((connector.out.finish(), listener.out.finish()), (b"down", b""))

    def test_closed_stdin_of_the_listener(self):
        listener = self.listen(before=redirected("<&-"))
        connector = self.connect(listener, stdin=b"up")
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual((connector.out.finish(), listener.out.finish()), (b"", b"up"))

    def test_closed_stdout(self):
        listener = self.listen(stdin=b"down")
        connector = self.connect(listener, before=redirected(">&-"), stdout=DEVNULL)
        connector.wait(LOCAL)
        listener.wait(FAR)
        self.assertTrue(connector.lines)

    def test_closed_stdout_of_the_listener(self):
        listener = self.listen(before=redirected(">&-"), stdout=DEVNULL)
        connector = self.connect(listener, stdin=b"up")
        listener.wait(LOCAL)
        connector.wait(FAR)
        self.assertTrue(listener.lines)

    @not_wrapped
    def test_all_closed(self):
        """Three closed standard streams are taken by no socket: nothing of the channel is
        written to them."""
        listener = self.listen(stdin=b"down")
        connector = self.connect(
            listener, before=redirected("<&- >&- 2>&-"), stdout=DEVNULL, stderr=DEVNULL
        )
        connector.wait(LOCAL)
        listener.wait(FAR)

    def test_full_disk(self):
        for up, listener_status, connector_status in ((True, LOCAL, FAR), (False, FAR, LOCAL)):
            with self.round(up=up), open("/dev/full", "wb") as full:
                data = os.urandom(100000)
                listener = self.listen(stdin=b"" if up else data, stdout=full if up else None)
                connector = self.connect(
                    listener, stdin=data if up else b"", stdout=None if up else full
                )
                connector.wait(connector_status)
                listener.wait(listener_status)
                broken = listener if up else connector
                self.assert_one_line(broken, "space")

    def test_full_disk_while_more_comes(self):
        """The sender reports what the far side said, though its own writes fail too."""
        with open("/dev/full", "wb") as full, open("/dev/zero", "rb") as endless:
            listener = self.listen(stdout=full)
            connector = self.connect(listener, stdin=endless)
            connector.wait(FAR)
            listener.wait(LOCAL)
        self.assert_one_line(connector)

    def test_file_size_limit(self):
        """A limit in the middle of a file: what was written is right, and the status says it is
        not all."""
        data = os.urandom(MIB)
        with open(self.path("out"), "wb") as out:
            listener = self.listen(
                stdout=out, before=["bash", "-c", 'trap "" XFSZ; ulimit -f 100; exec "$@"', "bash"]
            )
            connector = self.connect(listener, stdin=data)
            connector.wait(FAR)
            listener.wait(LOCAL)
        got = self.read(self.path("out"))
        self.assert_equal_bytes(got, data[: len(got)])

    def test_reader_that_goes_away(self):
        """`usi-tunnel listen | head -c 10`"""
        read_end, write_end = os.pipe()
        listener = self.listen(stdout=write_end)
        os.close(write_end)
        connector = self.connect(listener, stdin=PIPE)
        connector.write(b"x" * 10)
        self.assertEqual(os.read(read_end, 10), b"x" * 10)
        os.close(read_end)
        connector.write(b"y" * 10)
        listener.wait(LOCAL)
        connector.wait(FAR)

    def test_reader_that_is_gone_before(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        listener = self.listen(stdin=b"down")
        connector = self.connect(listener, stdout=write_end)
        os.close(write_end)
        connector.wait(LOCAL)
        listener.wait(FAR)

    def test_folder_as_stdin(self):
        folder = os.open(self.folder, os.O_RDONLY)
        listener = self.listen()
        connector = self.connect(listener, stdin=folder)
        os.close(folder)
        connector.wait(LOCAL)
        listener.wait(FAR)


class Terminals(Scenario):
    def setUp(self):
        super().setUp()
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.addCleanup(os.close, self.slave)

    def test_output(self):
        listener = self.listen(stdout=self.slave)
        self.connect(listener, stdin=b"to the screen").wait(OK)
        listener.wait(OK)
        got = b""
        while len(got) < 13:
            got += os.read(self.master, 100)
        os.close(self.master)
        self.assertEqual(got, b"to the screen")

    def test_input(self):
        settings = termios.tcgetattr(self.slave)
        settings[3] |= termios.ICANON
        settings[6][termios.VEOF] = b"\x04"
        termios.tcsetattr(self.slave, termios.TCSANOW, settings)
        listener = self.listen(stdin=PIPE)
        connector = self.connect(listener, stdin=self.slave)
        os.write(self.master, b"typed\n")
        self.assertTrue(listener.out.has(b"typed\n"))
        os.write(self.master, b"\x04")
        self.assertEqual(listener.out.finish(), b"typed\n")
        listener.close_stdin()
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"typed\n")
        os.close(self.master)

    def test_both(self):
        """A terminal as stdin and stdout: its settings are as before afterwards."""
        before = termios.tcgetattr(self.slave)
        listener = self.listen(stdin=b"down")
        connector = self.connect(listener, stdin=self.slave, stdout=self.slave)
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(os.read(self.master, 100), b"down")
        self.assertEqual(termios.tcgetattr(self.slave), before)
        os.close(self.master)


class NonBlocking(Scenario):
    """O_NONBLOCK belongs to the open file, which the shell shares: it must be as before
    afterwards."""

    def flags_after(self, kind, end):
        if kind == "pty":
            ours, theirs = pty.openpty()
            tty.setraw(theirs)
            stdin = stdout = theirs
            held = [ours, theirs]
        elif kind == "socket":
            pair = socket.socketpair()
            ours, theirs = (s.detach() for s in pair)
            stdin = stdout = theirs
            held = [ours, theirs]
        else:
            stdin, feed = os.pipe()
            drain, stdout = os.pipe()
            held = [stdin, feed, drain, stdout]
        try:
            before = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (stdin, stdout)]
            end(stdin, stdout, held)
            return before, [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (stdin, stdout)]
        finally:
            for fd in held:
                os.close(fd)

    def test_after_the_end(self):
        def end(stdin, stdout, held):
            listener = self.listen(stdin=b"down")
            connector = self.connect(listener, "--recv-only", stdin=stdin, stdout=stdout)
            connector.wait(OK)
            listener.wait(OK)

        for kind in ("pty", "pipe", "socket"):
            with self.round(kind=kind):
                before, after = self.flags_after(kind, end)
                self.assertEqual(before, after)

    def test_after_a_signal(self):
        for number in (2, 15):
            for kind in ("pty", "pipe", "socket"):
                with self.round(kind=kind, signal=number):

                    def end(stdin, stdout, held):
                        listener = self.listen(stdin=PIPE)
                        connector = self.connect(listener, stdin=stdin, stdout=stdout)
                        listener.write(b"down")
                        self.assertEqual(
                            os.read(held[0] if kind != "pipe" else held[2], 4), b"down"
                        )
                        connector.signal(number)
                        connector.wait(-number)

                    before, after = self.flags_after(kind, end)
                    self.assertEqual(before, after)

    def test_after_an_error(self):
        def end(stdin, stdout, held):
            listener = self.listen(stdin=PIPE)
            connector = self.connect(listener, stdin=stdin, stdout=stdout)
            listener.write(b"down")
            self.assertEqual(os.read(held[0] if len(held) == 2 else held[2], 4), b"down")
            listener.kill()
            connector.wait(5)

        for kind in ("pty", "pipe", "socket"):
            with self.round(kind=kind):
                before, after = self.flags_after(kind, end)
                self.assertEqual(before, after)


if __name__ == "__main__":
    main()
