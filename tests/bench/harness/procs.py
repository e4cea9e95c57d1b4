"""Processes: starting, watching, accounting for and stopping a process and all it forked."""

import json
import os
import select
import signal
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
MEMORY_FLOOR_KIB = 3 * 1024 * 1024


class Failure(Exception):
    """A measurement that could not be taken; its text goes into the results."""


def read_stat(pid):
    """(ppid, session, user_s, system_s), own time plus that of reaped children; None when gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    user = (int(fields[11]) + int(fields[13])) / TICK
    system = (int(fields[12]) + int(fields[14])) / TICK
    return int(fields[1]), int(fields[3]), user, system


def tree(root):
    """{pid: stat} of root and everything it forked that is still there."""
    stats = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            s = read_stat(int(name))
            if s:
                stats[int(name)] = s
    children = {}
    for pid, s in stats.items():
        children.setdefault(s[0], []).append(pid)
    found, todo = {}, [root] + [p for p, s in stats.items() if s[1] == root]
    while todo:
        pid = todo.pop()
        if pid in stats and pid not in found:
            found[pid] = stats[pid]
            todo += children.get(pid, [])
    return found


def cpu(root):
    """CPU seconds (user, system) used so far by root and all it forked, dead or alive."""
    members = tree(root).values()
    return sum(s[2] for s in members), sum(s[3] for s in members)


def memory(root):
    """Resident and proportional memory in KiB and number of processes of the tree."""
    rss = pss = 0
    members = tree(root)
    for pid in members:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                for line in f:
                    if line.startswith("Rss:"):
                        rss += int(line.split()[1])
                    elif line.startswith("Pss:"):
                        pss += int(line.split()[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return {"rss_kib": rss, "pss_kib": pss, "processes": len(members)}


def peak_kib(root):
    """Sum of the highest resident memory that each process of the tree that is still there ever had, in KiB."""
    peak = 0
    for pid in tree(root):
        try:
            with open(f"/proc/{pid}/status") as f:
                peak += sum(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return peak


def busy_s():
    """CPU seconds that the whole machine has spent on anything so far."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def others_s():
    """CPU seconds that processes which are not ours have used so far, those that ended and were waited for included."""
    ours, total = tree(os.getpid()), 0
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in ours:
            s = read_stat(int(name))
            total += s[2] + s[3] if s else 0
    return total


def wait_quiet(patience):
    """Waits until nobody else uses the machine, for a quarter of a second. False: it never was."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        start, busy = time.monotonic(), busy_s()
        time.sleep(0.25)
        if busy_s() - busy <= 0.1 * (time.monotonic() - start):
            return True
    return False


def available_kib():
    with open("/proc/meminfo") as f:
        for line in f:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1])
    return 0


def start(argv, log, env=None, stdin=subprocess.DEVNULL, stdout=None):
    """Start argv in a session of its own, its messages going to the file log."""
    with open(log, "ab") as f:
        return subprocess.Popen(argv, env=env, stdin=stdin, stdout=stdout if stdout is not None else f,
                                stderr=f, start_new_session=True)


def stop(process):
    """End a started process and everything it forked, each by its own PID."""
    if process is None:
        return
    members = set(tree(process.pid))
    for sig, patience in ((signal.SIGTERM, 0.5), (signal.SIGKILL, 10)):
        for pid in members:
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + patience
        while members and time.monotonic() < deadline:
            process.poll()
            members = {p for p in members if is_running(p)}
            if members:
                time.sleep(0.01)
        members |= {p for p in tree(process.pid) if is_running(p)}  # forked meanwhile
        if not members:
            return


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def listening(port):
    """Is somebody listening on this TCP port? Read from the kernel, so no connection is spent."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp") as f:
        return any(p[1].endswith(wanted) and p[3] == "0A" for p in (line.split() for line in f))


def wait_listening(port, process, log, patience=10):
    deadline = time.monotonic() + patience
    while not listening(port):
        if process.poll() is not None:
            raise Failure(f"exited with {process.returncode} before listening: {tail(log)}")
        if time.monotonic() > deadline:
            raise Failure(f"not listening after {patience} s: {tail(log)}")
        time.sleep(0.01)


def tail(path, size=300):
    try:
        with open(path, "rb") as f:
            return f.read()[-size:].decode(errors="replace").strip()
    except FileNotFoundError:
        return ""


class Load:
    """A running load generator: send it lines, read its JSON answers, with a deadline."""

    def __init__(self, argv, log):
        with open(log, "ab") as f:
            self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=f, start_new_session=True)
        self.pending = b""
        self.answered = False

    def answer(self, patience):
        deadline = time.monotonic() + patience
        while b"\n" not in self.pending:
            if time.monotonic() > deadline:
                raise Failure(f"no answer from the load generator within {patience:.0f} s")
            if available_kib() < MEMORY_FLOOR_KIB:
                raise Failure("stopped: the machine was running out of memory")
            if select.select([self.process.stdout], [], [], 0.25)[0]:
                got = os.read(self.process.stdout.fileno(), 65536)
                if not got:
                    raise Failure(f"load generator ended with {self.process.wait()}")
                self.pending += got
        line, _, self.pending = self.pending.partition(b"\n")
        self.answered = True
        return json.loads(line)

    def say(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:  # one that has answered ends with its input; one that has not is in the middle of its work
            self.process.wait(timeout=5 if self.answered else 0)
        except subprocess.TimeoutExpired:
            pass
        stop(self.process)
        self.process.stdout.close()
