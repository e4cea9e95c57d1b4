"""What the end-to-end scenarios share: processes, streams, strangers.

A scenario is a unittest test that runs the program as a user would and looks only at what a user
can see: bytes, lines on stderr, exit statuses, files. It waits for events, never for time; every
wait is bounded by LIMIT. Every process is killed by its own pid when its test ends; when a test
fails, the stderr of each of its processes is printed.

ctest sets the environment:
    USI_TUNNEL    the program (required)
    USI_SANITIZE  what it was built with, if with sanitizers: memory is not measured then
    USI_WRAP      words put before the program, e.g. "valgrind -q --error-exitcode=99"

tests/house/release sets:
    USI_TUNNEL_CONNECT  another build of the program, for the sides that connect

scripts/test --long sets:
    USI_TALLY         the file that tally() appends to
    USI_LONG_SECONDS  how long a test that goes on for a while does so
"""

import contextlib
import ctypes
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from streams import GIB, KIB, LIMIT, MIB, SANITIZED, WRAP  # noqa: F401 - scenarios take them here
from streams import Feeder, Pattern, PatternSink, Sink, write_all

PROGRAM = os.environ.get("USI_TUNNEL", "")
CONNECTOR = os.environ.get("USI_TUNNEL_CONNECT", "")
SLOW = bool(WRAP) or SANITIZED
PREFIX = "usi-tunnel: "
LISTENING = r"^usi-tunnel: listening on (.+)$"
PIPE = subprocess.PIPE
DEVNULL = subprocess.DEVNULL

LONG_SECONDS = int(os.environ.get("USI_LONG_SECONDS", 600))

OK, INTERNAL, USAGE, NO_CONNECTION, NO_AUTHENTICATION, CUT, LOCAL, FAR = range(8)


class Process:
    """One run of the program.

    stdin:  None (/dev/null), bytes or a Pattern (fed through a pipe), PIPE (write() and
            close_stdin()), or a file or descriptor.
    stdout: None (kept in self.out), a Pattern (compared), or a file or descriptor.
    before: words before the program, such as a shell that closes or limits something.
    """

    def __init__(
        self, arguments, stdin=None, stdout=None, stderr=None, env=None, before=(), cwd=None
    ):
        self.arguments = with_wrap([str(a) for a in arguments])
        environment = clean_environment()
        environment.update(env or {})
        fed = isinstance(stdin, (bytes, bytearray, Pattern))
        child_in = PIPE if fed else DEVNULL if stdin is None else stdin
        kept = stdout is None or isinstance(stdout, Pattern)
        program = CONNECTOR if CONNECTOR and "connect" in self.arguments[:2] else PROGRAM
        self.popen = subprocess.Popen(
            list(before) + WRAP + [program] + self.arguments,
            stdin=child_in,
            stdout=PIPE if kept else stdout,
            stderr=PIPE if stderr is None else stderr,
            env=environment,
            cwd=cwd,
            bufsize=0,
        )
        self.pid = self.popen.pid
        self.err = Sink(os.dup(self.popen.stderr.fileno())) if stderr is None else None
        if stderr is None:
            self.popen.stderr.close()
        self.out = None
        if kept:
            fd = os.dup(self.popen.stdout.fileno())
            self.popen.stdout.close()
            self.out = Sink(fd) if stdout is None else PatternSink(fd, stdout)
        self.stdin = None
        if fed:
            fd = os.dup(self.popen.stdin.fileno())
            self.popen.stdin.close()
            Feeder(fd, [stdin] if not isinstance(stdin, Pattern) else stdin)
        elif stdin == PIPE:
            self.stdin = self.popen.stdin
        self.address = None

    # What it reads.

    def write(self, data):
        write_all(self.stdin.fileno(), data)

    def close_stdin(self):
        self.stdin.close()

    # What it says.

    @property
    def all_lines(self):
        return self.err.data.decode("utf-8", "replace").splitlines() if self.err else []

    @property
    def lines(self):
        """The program's own lines: without those of a valgrind before it."""
        lines = self.all_lines
        return [x for x in lines if not re.match(r"(==|--)\d+\1 ", x)] if WRAP else lines

    @property
    def complaints(self):
        """What a valgrind before it found, as far as it is an error."""
        found = [x for x in self.all_lines if re.match(r"==\d+== \w", x)] if WRAP else []
        return [x for x in found if "possibly lost" not in x]

    def says(self, pattern, count=1):
        """Waits for a whole stderr line (the count-th) that matches, and returns the match."""
        found = []

        def look():
            text = self.err.data.decode("utf-8", "replace")
            text = text[: text.rfind("\n") + 1]
            found[:] = list(re.finditer(pattern, text, re.MULTILINE))
            return len(found) >= count

        if not self.err.until(look):
            raise AssertionError(f"no stderr line like {pattern!r}:\n{self.story()}")
        return found[count - 1]

    def ready(self):
        """Waits until it listens, and keeps the address."""
        self.address = self.says(LISTENING).group(1)
        return self

    # How it ends.

    def signal(self, number):
        self.popen.send_signal(number)

    def running(self):
        return self.popen.poll() is None

    def wait(self, *statuses):
        """Waits for the end; the exit status must be one of those given (a signal is its
        negative number)."""
        try:
            status = self.popen.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {LIMIT} s\n{self.story()}") from None
        for sink in (self.err, self.out):
            if sink:
                sink.until(lambda: False)
        if statuses and status not in statuses:
            wanted = " or ".join(map(str, statuses))
            raise AssertionError(f"exit status {status} instead of {wanted}\n{self.story()}")
        if self.err and status >= 0:
            stray = [line for line in self.lines if not line.startswith(PREFIX)]
            if stray:
                raise AssertionError(
                    f"stderr line without {PREFIX!r}: {stray[0]!r}\n{self.story()}"
                )
        return status

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        if self.stdin and not self.stdin.closed:
            with contextlib.suppress(OSError):
                self.stdin.close()

    def story(self):
        status = self.popen.poll()
        head = f"--- usi-tunnel {shlex.join(self.arguments)} [pid {self.pid}, "
        head += "running" if status is None else f"status {status}"
        if self.out:
            head += f", {self.out.count} octets out"
        return "\n".join([head + "]"] + ["    " + line for line in self.all_lines])

    def status_field(self, field):
        """A number from /proc/PID/status, in KiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return int(re.search(rf"^{field}:\s+(\d+)", status.read(), re.MULTILINE).group(1))


def with_wrap(arguments):
    """The arguments as the program behind USI_WRAP is to have them: what watches it from inside,
    as valgrind does, needs what a sandbox would take away."""
    words = 2 if arguments[:1] and arguments[0] in ("chat", "send", "receive") else 1
    if not WRAP or arguments[words - 1 : words] not in (["listen"], ["connect"]):
        return arguments
    return arguments[:words] + ["--no-sandbox"] + arguments[words:]


def clean_environment():
    """The environment without what would change where the program finds keys and providers or whom
    it tells that it is ready, and with English messages."""
    dropped = ("USI_KEYLOG", "USI_KEY_FILE", "OPENSSL_CONF", "OPENSSL_MODULES", "LANGUAGE")
    dropped += ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    kept = {k: v for k, v in os.environ.items() if k not in dropped}
    return {**kept, "LC_ALL": "C"}


class Server:
    """A TCP or Unix server in this process: each connection runs handle(socket) in a thread of
    its own."""

    def __init__(self, handle, path=None, backlog=256, host="127.0.0.1"):
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(path)
            self.address = f"unix:{path}"
        else:
            self.socket = socket.socket()
            self.socket.bind((host, 0))
            self.port = self.socket.getsockname()[1]
            self.address = f"{host}:{self.port}"
        self.socket.listen(backlog)
        self.handle = handle
        self.accepted = 0
        self.changed = threading.Condition()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer = self.socket.accept()[0]
            except OSError:
                return
            with self.changed:
                self.accepted += 1
                self.changed.notify_all()
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with peer, contextlib.suppress(OSError):
            self.handle(peer)

    def wait_accepted(self, count):
        with self.changed:
            return self.changed.wait_for(lambda: self.accepted >= count, LIMIT)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def echo(peer):
    """A handler that sends back what comes and passes the half-close on."""
    while chunk := peer.recv(64 * KIB):
        peer.sendall(chunk)
    peer.shutdown(socket.SHUT_WR)


def dial(address, source=None):
    """A client socket to an address as the program prints it."""
    if address.startswith("unix:"):
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(LIMIT)
        peer.connect(address[5:])
        return peer
    host, port = address.rsplit(":", 1)
    host = host.strip("[]")
    host = {"::": "::1", "0.0.0.0": "127.0.0.1"}.get(host, host)
    return socket.create_connection((host, int(port)), LIMIT, source)


def receive_all(peer):
    """Everything until the other side ends or resets, and whether it was a reset."""
    data = bytearray()
    try:
        while chunk := peer.recv(64 * KIB):
            data += chunk
    except ConnectionResetError:
        return bytes(data), True
    return bytes(data), False


def reset_on_close(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reserve_port():
    """A socket that holds a port without listening: connecting is refused, yet the program can
    bind it."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder, f"127.0.0.1:{holder.getsockname()[1]}"


def wait_refused(address):
    """Returns when nobody listens at the address any more."""
    until(lambda: refused(address), "the listening socket to close")


def refused(address):
    try:
        dial(address).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except ConnectionResetError:
        return False
    return False


def until(condition, what):
    """Polls for an event that nobody announces."""
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {LIMIT} s for {what}")
        time.sleep(0.01)


def tally(fault, times, outcome):
    """A line of the table that scripts/test --long prints: what was done to the program, how
    often, and what came of it, in a few words each."""
    path = os.environ.get("USI_TALLY")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{fault}\t{times}\t{outcome}\n")


def shell(script):
    """Words for Process(before=...): runs a piece of shell and then the program in its place."""
    return ["sh", "-c", script + '; exec "$@"', "sh"]


def redirected(redirection):
    """The same for a redirection such as `<&-`."""
    return ["sh", "-c", f'exec "$@" {redirection}', "sh"]


def adopt_orphans():
    """Makes this process the parent of what its children leave behind (PR_SET_CHILD_SUBREAPER)."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def children():
    """The pids of this process's children."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    if int(stat.read().rpartition(")")[2].split()[1]) == os.getpid():
                        found.append(int(entry))
    return found


class Scenario(unittest.TestCase):
    """A test with a folder of its own, a key in it, and processes that end with it."""

    maxDiff = 400
    home = "127.0.0.1:0"  # where listeners listen

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="usi-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.kill_all)
        self.key = self.key_file("key", os.urandom(32).hex())

    def run(self, result=None):
        def failures():
            return len(result.failures) + len(result.errors) if result else 0

        before = failures()
        self.processes = []
        super().run(result)
        if failures() > before:
            self.tell()

    def tell(self):
        print("\n".join(p.story() for p in self.processes), file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def round(self, **what):
        """One case of a table: its processes end with it, and are told about only if it fails."""
        earlier, self.processes = self.processes, []
        try:
            with self.subTest(**what):
                try:
                    yield
                except BaseException:
                    self.tell()
                    raise
        finally:
            self.kill_all()
            self.processes = earlier

    def kill_all(self):
        for process in self.processes:
            process.kill()
        complaints = [line for process in self.processes for line in process.complaints]
        if complaints:
            self.tell()
            self.fail("\n".join(complaints))

    # Files.

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, content=b"", mode=0o600):
        path = self.path(name)
        with open(path, "wb") as out:
            for chunk in [content] if isinstance(content, (bytes, bytearray)) else content:
                out.write(chunk)
        os.chmod(path, mode)
        return path

    def key_file(self, name, text, mode=0o600):
        return self.file(name, text.encode() + b"\n", mode)

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    # Processes.

    def start(self, *arguments, **how):
        process = Process(arguments, **how)
        self.processes.append(process)
        return process

    def run_program(self, *arguments, status=0, **how):
        """Runs it to its end."""
        process = self.start(*arguments, **how)
        process.wait(*(status if isinstance(status, tuple) else (status,)))
        return process

    def listen(self, *options, address=None, key=None, ready=True, **how):
        """A listener that is ready, with the test's key."""
        key = ["--key-file", key or self.key] if key != "" else []
        process = self.start("listen", address or self.home, *key, *options, **how)
        return process.ready() if ready else process

    def connect(self, to, *options, key=None, **how):
        """A connector to a listener (or an address), with the test's key."""
        key = ["--key-file", key or self.key] if key != "" else []
        address = to.address if isinstance(to, Process) else to
        return self.start("connect", address, *key, *options, **how)

    def check(self, to, *options, status=0, **how):
        """connect --check: does it authenticate?"""
        process = self.connect(to, "--check", *options, **how)
        process.wait(*(status if isinstance(status, tuple) else (status,)))
        return process

    # Judgements.

    def assert_equal_bytes(self, got, wanted, what="output"):
        """Like assertEqual, without printing a megabyte."""
        if bytes(got) != bytes(wanted):
            same = os.path.commonprefix([bytes(got), bytes(wanted)])
            self.fail(
                f"{what}: {len(got)} octets instead of {len(wanted)}, equal up to {len(same)}"
            )

    def assert_received(self, process):
        """A Pattern given as stdout came completely."""
        problem = process.out.problem()
        if problem:
            self.fail(f"{problem}\n{process.story()}")

    def assert_one_line(self, process, *words):
        """One error line, which contains each of the words (case does not matter)."""
        lines = [line for line in process.lines if not re.match(LISTENING, line)]
        self.assertEqual(len(lines), 1, process.story())
        for word in words:
            self.assertIn(word.lower(), lines[0].lower(), process.story())


def skip_unless_found(*programs):
    """Skips a test where a program it needs is not installed."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [p for p in programs if not shutil.which(p, path=path)]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


not_wrapped = unittest.skipIf(WRAP, "makes no sense under USI_WRAP")


def no_core_dumps():
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def main():
    """Runs the scenarios of a file; 77 says to ctest that all were skipped."""
    if not PROGRAM:
        sys.exit("set USI_TUNNEL to the program")
    no_core_dumps()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    # A runner in the background may ignore these, which a child would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    run = unittest.main(module="__main__", verbosity=2, exit=False)
    if run.result.testsRun and len(run.result.skipped) == run.result.testsRun:
        sys.exit(77)
    sys.exit(not run.result.wasSuccessful())
