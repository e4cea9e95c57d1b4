#!/usr/bin/env python3
"""End of file: row by row what command-line.md says, and that a short file is never a clean one."""

import os
import pty
import subprocess
import tty

from harness import (
    CUT,
    DEVNULL,
    FAR,
    LIMIT,
    LOCAL,
    OK,
    PIPE,
    PROGRAM,
    USAGE,
    WRAP,
    Scenario,
    clean_environment,
    main,
)


class EndOfFile(Scenario):
    def test_half_close_up(self):
        """The connector's end does not stop the listener's direction."""
        listener = self.listen(stdin=PIPE)
        connector = self.connect(listener, stdin=b"question")
        self.assertTrue(listener.out.has(b"question"))
        listener.write(b"answer")
        self.assertTrue(connector.out.has(b"answer"))
        listener.write(b" and more")
        listener.close_stdin()
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(connector.out.finish(), b"answer and more")

    def test_half_close_down(self):
        listener = self.listen(stdin=b"greeting")
        connector = self.connect(listener, stdin=PIPE)
        self.assertTrue(connector.out.has(b"greeting"))
        connector.write(b"later")
        self.assertTrue(listener.out.has(b"later"))
        connector.close_stdin()
        connector.wait(OK)
        listener.wait(OK)

    def test_end_closes_the_output(self):
        """A peer's end is passed on: what reads our stdout sees its end while the other
        direction is open."""
        listener = self.listen(stdin=PIPE)
        connector = self.connect(listener, stdin=b"all")
        self.assertEqual(listener.out.finish(), b"all")
        self.assertTrue(listener.running())
        listener.write(b"still open")
        self.assertTrue(connector.out.has(b"still open"))
        listener.close_stdin()
        connector.wait(OK)
        listener.wait(OK)

    def test_pipe_is_waited_for(self):
        """After the peer's end a pipe as stdin is still read."""
        listener = self.listen()
        connector = self.connect(listener, stdin=PIPE)
        for number in range(5):
            connector.write(b"%d" % number)
            self.assertTrue(listener.out.reach(number + 1))
        connector.close_stdin()
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"01234")

    def test_terminal_is_not_waited_for(self):
        for side in ("connect", "listen"):
            with self.round(side=side):
                master, slave = pty.openpty()
                tty.setraw(slave)
                try:
                    listener = self.listen(stdin=slave if side == "listen" else b"data")
                    connector = self.connect(
                        listener, stdin=slave if side == "connect" else b"data"
                    )
                    connector.wait(OK)
                    listener.wait(OK)
                    here = listener if side == "listen" else connector
                    self.assertEqual(here.out.finish(), b"data")
                finally:
                    os.close(master)
                    os.close(slave)

    def test_terminal_is_read_before(self):
        """Until the peer's end a terminal is an input like any other."""
        master, slave = pty.openpty()
        tty.setraw(slave)
        listener = self.listen(stdin=PIPE)
        connector = self.connect(listener, stdin=slave)
        os.write(master, b"typed")
        self.assertTrue(listener.out.has(b"typed"))
        listener.close_stdin()
        connector.wait(OK)
        listener.wait(OK)
        os.close(master)
        os.close(slave)


class ReceiveOnly(Scenario):
    def test_stdin_is_left_alone(self):
        """The next program of a script finds stdin as it was."""
        for side in ("connect", "listen"):
            with self.round(side=side):
                script = '"$@" || exit; exec cat'
                path = self.file("in", b"for the next one")
                with open(path, "rb") as stdin:
                    words = ["sh", "-c", script, "sh"]
                    if side == "connect":
                        listener = self.listen(stdin=b"data")
                        connector = self.connect(listener, "--recv-only", stdin=stdin, before=words)
                    else:
                        listener = self.listen("--recv-only", stdin=stdin, before=words)
                        connector = self.connect(listener, stdin=b"data")
                    connector.wait(OK)
                    listener.wait(OK)
                here = listener if side == "listen" else connector
                self.assertEqual(here.out.finish(), b"datafor the next one")

    def test_pipe_is_not_waited_for(self):
        listener = self.listen(stdin=b"data")
        connector = self.connect(listener, "--recv-only", stdin=PIPE)
        connector.wait(OK)
        listener.wait(OK)

    def test_both_sides(self):
        listener = self.listen("--recv-only", stdin=b"not sent")
        connector = self.connect(listener, "--recv-only", stdin=b"not sent")
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual((listener.out.finish(), connector.out.finish()), (b"", b""))


class SendOnly(Scenario):
    def test_nothing_comes(self):
        listener = self.listen()
        connector = self.connect(listener, "--send-only", stdin=b"data")
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"data")

    def test_against_receive_only(self):
        listener = self.listen("--recv-only", stdin=PIPE)
        connector = self.connect(listener, "--send-only", stdin=os.urandom(200000))
        connector.wait(OK)
        listener.wait(OK)

    def test_data_comes(self):
        """Local 6, the peer's 7, and not a byte is written."""
        for side in ("connect", "listen"):
            with self.round(side=side):
                if side == "connect":
                    listener = self.listen(stdin=b"unwanted")
                    connector = self.connect(listener, "--send-only", stdin=PIPE)
                    here, there = connector, listener
                else:
                    listener = self.listen("--send-only", stdin=PIPE)
                    connector = self.connect(listener, stdin=b"unwanted")
                    here, there = listener, connector
                here.wait(LOCAL)
                there.wait(FAR)
                self.assertEqual(here.out.finish(), b"")
                self.assertTrue(here.lines and there.lines)

    def test_closed_stdout_does_not_matter(self):
        listener = self.listen()
        connector = self.connect(
            listener,
            "--send-only",
            stdin=b"data",
            stdout=DEVNULL,
            before=["sh", "-c", 'exec "$@" >&-', "sh"],
        )
        connector.wait(OK)
        listener.wait(OK)

    def test_not_with_receive_only(self):
        """Neither direction: there is nothing to do."""
        self.run_program(
            "connect",
            "127.0.0.1:1",
            "--key-file",
            self.key,
            "--send-only",
            "--recv-only",
            status=USAGE,
        )


class NeverShort(Scenario):
    """A connection that ends without `end` is 5 and a warning."""

    def test_killed(self):
        for victim in ("listen", "connect"):
            with self.round(victim=victim):
                listener = self.listen(stdin=PIPE)
                connector = self.connect(listener, stdin=PIPE)
                connector.write(b"up")
                listener.write(b"down")
                self.assertTrue(listener.out.has(b"up") and connector.out.has(b"down"))
                dead, alive = (listener, connector) if victim == "listen" else (connector, listener)
                dead.kill()
                alive.wait(CUT)
                self.assertTrue(alive.lines, "no warning")

    def test_killed_after_its_end(self):
        """The peer sent everything and its end, and died before it confirmed what it got."""
        listener = self.listen(stdin=PIPE)
        connector = self.connect(listener, stdin=b"everything")
        self.assertEqual(listener.out.finish(), b"everything")
        connector.kill()
        listener.wait(CUT)

    def test_killed_while_data_flows(self):
        for victim in ("listen", "connect"):
            with self.round(victim=victim), open("/dev/zero", "rb") as zeros:
                listener = self.listen(stdin=zeros)
                connector = self.connect(listener, stdin=zeros)
                self.assertTrue(listener.out.reach(1000000) and connector.out.reach(1000000))
                dead, alive = (listener, connector) if victim == "listen" else (connector, listener)
                dead.kill()
                alive.wait(CUT)

    def test_stopped_peer_is_not_dead(self):
        """A peer that does not read for a while costs nothing."""
        listener = self.listen(stdin=PIPE)
        connector = self.connect(listener, stdin=os.urandom(3000000))
        self.assertTrue(listener.out.reach(1))
        listener.signal(19)
        listener.signal(18)
        listener.close_stdin()
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(listener.out.count, 3000000)


class Scripts(Scenario):
    def test_shell_sees_the_status(self):
        """130 and 143 to a shell."""
        for number, status in ((2, 130), (15, 143)):
            with self.round(signal=number):
                listener = self.listen(stdin=PIPE)
                runner = subprocess.Popen(
                    ["sh", "-c", '"$@"; echo $?', "sh", *WRAP, PROGRAM, "connect"]
                    + [listener.address, "--key-file", self.key, "--recv-only"],
                    stdin=DEVNULL,
                    stdout=PIPE,
                    stderr=DEVNULL,
                    env=clean_environment(),
                )
                self.addCleanup(runner.kill)  # what it started ends with the listener
                listener.write(b"here\n")
                self.assertEqual(runner.stdout.readline(), b"here\n")
                os.kill(child_of(runner.pid), number)
                self.assertEqual(runner.communicate(timeout=LIMIT)[0], b"%d\n" % status)


def child_of(parent):
    """The pid of a process's only child."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                    if int(stat.read().rpartition(")")[2].split()[1]) == parent:
                        return int(entry)
            except OSError:
                continue
    raise AssertionError("no child")


if __name__ == "__main__":
    main()
