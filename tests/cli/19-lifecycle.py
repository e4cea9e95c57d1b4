#!/usr/bin/env python3
"""How a run begins and ends: standard streams of every kind, -f, signals, the drain."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import socket
import sys
import termios
import tty
import unittest

from harness import (
    CUT,
    DEVNULL,
    LIMIT,
    LISTENING,
    MIB,
    OK,
    PIPE,
    PROGRAM,
    Scenario,
    Server,
    adopt_orphans,
    children,
    dial,
    echo,
    main,
    not_wrapped,
    receive_all,
    reserve_port,
    shell,
    skip_unless_found,
    until,
)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
sys.dont_write_bytecode = True

from link import Link  # noqa: E402

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


class Streams(Scenario):
    """Standard input and output that are no plain pipes."""

    def blocked(self, role, number=None):
        """One side whose stdin is a datagram socket, read in a thread that never comes back; the
        peer is killed, or the side gets a signal."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ours, theirs:
            stdin = {"listen": PIPE, "connect": PIPE, role: theirs.fileno()}
            listener = self.listen("--drain", "0", stdin=stdin["listen"])
            connector = self.connect(listener, stdin=stdin["connect"])
            side, peer = (listener, connector) if role == "listen" else (connector, listener)
            peer.write(b"x")
            self.assertTrue(side.out.has(b"x"))
            ours.send(b"y")  # the read works, and the next one waits
            self.assertTrue(peer.out.has(b"y"))
            if number is None:
                peer.kill()
                side.wait(CUT)
            else:
                side.signal(number)
                side.wait(-number if number != signal.SIGTERM or side is connector else CUT)

    def test_read_that_never_returns(self):
        for role in ("listen", "connect"):
            for number in (None, signal.SIGINT, signal.SIGTERM):
                with self.round(role=role, signal=number):
                    self.blocked(role, number)

    def join_local(self, role, pair):
        """A local program behind one socket, as socat's EXEC gives it: it sees the far side's
        end, though others have the socket open too, and answers after that."""
        ours, theirs = pair
        with ours, theirs:
            ours.settimeout(LIMIT)
            ends = {"stdin": theirs.fileno(), "stdout": theirs.fileno()}
            listener = self.listen(**(ends if role == "listen" else {"stdin": b"question"}))
            connector = self.connect(
                listener, **(ends if role == "connect" else {"stdin": b"question"})
            )
            self.assertEqual(receive_all(ours), (b"question", False))
            ours.sendall(b"answer")
            ours.shutdown(socket.SHUT_WR)
            connector.wait(OK)
            listener.wait(OK)
        far = connector if role == "listen" else listener
        self.assertEqual(far.out.finish(), b"answer")

    def test_one_socket_for_both(self):
        def tcp_pair():
            with socket.create_server(("127.0.0.1", 0)) as server:
                ours = socket.create_connection(server.getsockname())
                return ours, server.accept()[0]

        for role in ("listen", "connect"):
            for kind, make in (("unix", socket.socketpair), ("tcp", tcp_pair)):
                with self.round(role=role, kind=kind):
                    self.join_local(role, make())

    @unittest.skipIf(os.geteuid() != 0, "needs root: a terminal of another user")
    @skip_unless_found("setpriv")
    def test_terminal_that_cannot_be_reopened(self):
        """As after su: the terminal is open, and its file is another user's."""
        if os.spawnvp(os.P_WAIT, "setpriv", [*AS_NOBODY, "test", "-x", PROGRAM]) != 0:
            self.skipTest(f"another user cannot run {PROGRAM}")
        os.chmod(self.folder, 0o711)
        os.chown(self.key, NOBODY, NOBODY)
        for role in ("listen", "connect"):
            with self.round(role=role):
                master, slave = pty.openpty()
                try:
                    os.chmod(os.ttyname(slave), 0o600)
                    self.use_terminal(role, master, slave)
                finally:
                    os.close(master)
                    os.close(slave)

    def use_terminal(self, role, master, slave):
        tty.setraw(slave)
        settings = termios.tcgetattr(slave)
        settings[3] |= termios.ICANON
        settings[6][termios.VEOF] = b"\x04"
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        flags = fcntl.fcntl(slave, fcntl.F_GETFL)
        on_it = {"stdin": slave, "stdout": slave, "before": AS_NOBODY}
        listener = self.listen(**(on_it if role == "listen" else {"stdin": PIPE}))
        connector = self.connect(listener, **(on_it if role == "connect" else {"stdin": PIPE}))
        far = connector if role == "listen" else listener
        far.write(b"hello")
        self.assertEqual(os.read(master, 100), b"hello")
        os.write(master, b"typed\n")
        self.assertTrue(far.out.has(b"typed\n"))
        os.write(master, b"\x04")
        self.assertEqual(far.out.finish(), b"typed\n")
        far.close_stdin()
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(fcntl.fcntl(slave, fcntl.F_GETFL), flags)


class Progress(Scenario):
    def test_last_line_has_everything(self):
        """Both ways, on both sides, however short it was."""
        up, down = bytes(5 * MIB + MIB // 2), bytes(2 * MIB)
        listener = self.listen("--progress", stdin=down)
        connector = self.connect(listener, "--progress", stdin=up)
        connector.wait(OK)
        listener.wait(OK)
        for process, sent, received in ((listener, "2.0", "5.5"), (connector, "5.5", "2.0")):
            self.assertRegex(
                process.lines[-1],
                rf"^usi-tunnel: sent {sent} MiB \([0-9.]+ MiB/s\), received {received} MiB ",
            )


def group(leader):
    """The pids of a process group that still run."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{int(entry)}/stat", encoding="utf-8", errors="replace") as stat:
                state, _, number = stat.read().rpartition(")")[2].split()[:3]
            if int(number) == leader and state not in "ZX":
                found.append(int(entry))
    return found


def locked(pid):
    """How much memory of a process is locked, as /proc says it."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        lines = [line.split() for line in status if line.startswith("VmLck:")]
    return int(lines[0][1]) if lines else 0


@not_wrapped
class Background(Scenario):
    def setUp(self):
        super().setUp()
        self.before = set(children())
        self.launched = []
        self.addCleanup(self.end_orphans)

    def end_orphans(self):
        self.kill_all()
        for pid in set(children()) - self.before:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def launch(self, *words, **how):
        """Runs it with -f until the foreground process has ended well. Returns that, and the pid
        of the one that stays, which is our child now."""
        process = self.start(*words, "--key-file", self.key, "-f", **how)
        self.assertEqual(process.popen.wait(LIMIT), OK, process.story())
        known = self.before | {p.pid for p in self.processes} | set(self.launched)
        found = [pid for pid in children() if pid not in known]
        self.assertEqual(len(found), 1, "one process in the background")
        self.launched += found
        return process, found[0]

    def end(self, pid, number=signal.SIGTERM, status=OK):
        os.kill(pid, number)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), status)

    def launch_forward(self, **how):
        process, pid = self.launch("listen", "127.0.0.1:0", "--forward", self.target(), **how)
        return process, pid, process.says(LISTENING).group(1)

    def target(self):
        server = Server(echo)
        self.addCleanup(server.close)
        return server.address

    def assert_released(self, process):
        """Whoever reads its stdout or stderr, or writes to its stdin, is told that it has gone."""
        process.wait(OK)  # stdout and stderr, to their ends
        self.assertTrue(process.out.ended and process.err.ended)
        poll = select.poll()
        poll.register(process.stdin, 0)
        self.assertEqual([event for _, event in poll.poll(0)], [select.POLLERR])

    def assert_echoes(self, address):
        with dial(address) as peer:
            peer.sendall(b"x")
            self.assertEqual(peer.recv(1), b"x")

    def test_streams_are_released(self):
        process, far, address = self.launch_forward(stdin=PIPE)
        self.assert_released(process)
        process, near = self.launch("connect", address, "-L", "127.0.0.1:0", stdin=PIPE)
        local = process.says(LISTENING).group(1)
        self.assert_released(process)
        self.assert_echoes(local)
        self.end(near, status=-signal.SIGTERM)
        self.end(far)

    def test_a_pipe_keeps_its_streams(self):
        """Only stderr is let go: the pipe is what the run is for."""
        listener = self.listen(stdin=b"down")
        process, pid = self.launch("connect", listener.address, stdin=PIPE)
        self.assertEqual(process.err.finish(), b"")
        process.write(b"up")
        process.close_stdin()
        self.assertEqual(process.out.finish(), b"down")
        self.assertEqual(listener.out.finish(), b"up")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), OK)
        listener.wait(OK)

    def test_keys_stay_locked(self):
        """Locked memory does not survive a fork: the heap is made behind it."""
        _, pid, _ = self.launch_forward()
        wanted = locked(self.listen("--forward", "127.0.0.1:1").pid)
        if not wanted:
            self.skipTest("no memory can be locked here (RLIMIT_MEMLOCK, or a sanitizer)")
        self.assertEqual(locked(pid), wanted)

    @skip_unless_found("setsid")
    def test_interrupted_before_it_is_ready(self):
        """^C goes to the whole process group, the waiting parent and its child."""
        holder, address = reserve_port()
        for number in (signal.SIGINT, signal.SIGTERM):
            with holder if number == signal.SIGTERM else contextlib.nullcontext():
                words = ["connect", address, "--key-file", self.key, "-f", "--retry", "1000"]
                process = self.start(*words, before=["setsid"], stdout=DEVNULL)
                until(lambda: len(group(process.pid)) == 2, "a process and its child")
                os.killpg(process.pid, number)
                process.wait(-number)
                until(lambda: not group(process.pid), "the child to end")


class Signals(Scenario):
    def test_nohup_holds(self):
        """A SIGHUP that is ignored from the start stays ignored; SIGTERM works whatever it was."""
        nohup = shell("trap '' HUP TERM")
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen("--forward", server.address, before=nohup)
        connector = self.connect(listener, "-L", "127.0.0.1:0", before=nohup).ready()
        for process in (listener, connector):
            process.signal(signal.SIGHUP)
        with dial(connector.address) as peer:
            peer.sendall(b"x")
            self.assertEqual(peer.recv(1), b"x")
        connector.signal(signal.SIGTERM)
        connector.wait(-signal.SIGTERM)
        listener.signal(signal.SIGTERM)
        listener.wait(OK)

    def test_interrupt_of_a_background_job(self):
        """A shell without job control starts `&` with SIGINT ignored; nohup does not change what
        SIGINT does either."""
        for ignored in ("INT", "HUP"):
            with self.round(ignored=ignored):
                listener = self.listen("-k", before=shell(f"trap '' {ignored}"))
                listener.signal(signal.SIGINT)
                listener.wait(-signal.SIGINT)

    def test_no_line_for_each_stream(self):
        """An interrupted listener does not complain about what it cuts itself."""
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen("--forward", server.address)
        connector = self.connect(listener, "-L", "127.0.0.1:0").ready()
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(dial(connector.address)) for _ in range(20)]
            for peer in peers:
                peer.sendall(b"x")
            for peer in peers:
                self.assertEqual(peer.recv(1), b"x")
            listener.signal(signal.SIGINT)
            listener.wait(-signal.SIGINT)
            self.assertEqual(len(listener.lines), 1, listener.story())
            for peer in peers:
                self.assertEqual(receive_all(peer), (b"", True))


class Stopping(Scenario):
    """SIGTERM when nothing is left to lose gives 0, whatever the peer does."""

    def link(self, listener):
        peer = dial(listener.address)
        self.addCleanup(peer.close)
        link = Link(peer, bytes.fromhex(self.read(self.key).decode()), True)
        link.wait("authenticated")
        link.channel.ping(b"in?")  # the answer says that the listener knows it too
        link.wait("pong")
        return link

    def complete_stream(self, link):
        link.channel.open()
        link.channel.data(b"text")
        link.channel.end()
        link.wait("end")
        link.channel.bye()
        link.wait("bye")
        self.assertTrue(link.channel.idle)

    def target(self):
        server = Server(echo)
        self.addCleanup(server.close)
        return server.address

    def test_channel_without_a_stream(self):
        far = ["--forward", "127.0.0.1:1"]
        for drain, options in (("0", far), ("1", far), ("0", ["-k"]), ("0", [])):
            with self.round(drain=drain, options=options):
                listener = self.listen("--drain", drain, *options)
                link = self.link(listener)
                listener.signal(signal.SIGTERM)
                listener.wait(OK)
                link.socket.close()

    def test_stream_that_is_complete(self):
        """The peer has everything confirmed, and does not close."""
        far = ["--forward", self.target()]
        ending = [("0", [])] * 5  # which the signal finds in its last moments
        for drain, options in [("0", far), ("1", far), ("1", ["-k"]), *ending]:
            with self.round(drain=drain, options=options):
                listener = self.listen("--drain", drain, *options)
                link = self.link(listener)
                self.complete_stream(link)
                listener.signal(signal.SIGTERM)
                listener.wait(OK)
                link.socket.close()

    def test_stream_that_is_not(self):
        for options in (["--forward", self.target()], ["-k"], []):
            with self.round(options=options):
                listener = self.listen("--drain", "0", *options, stdin=PIPE)
                link = self.link(listener)
                link.channel.open()
                link.channel.ping(b"open?")
                link.wait("pong")
                listener.signal(signal.SIGTERM)
                listener.wait(CUT)
                self.assertIn("did not end in time (--drain)", listener.lines[-1])
                link.socket.close()


if __name__ == "__main__":
    adopt_orphans()
    main()
