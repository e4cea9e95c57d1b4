"""The program with an allocation that fails: starts it under torture.so, and judges how it ended.

Whatever fails, no process is ended by a signal, hangs or keeps what it had allocated; status 0 means
that all was done; and any other comes with a line that says why. torture.c says what is counted.
"""

import collections
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
sys.dont_write_bytecode = True

from files import FilesScenario  # noqa: E402
from harness import FAR, LISTENING, PROGRAM  # noqa: E402
from talk import TalkScenario  # noqa: E402

LIBRARY = os.path.join(os.path.dirname(PROGRAM), "tests", "torture", "torture.so")
OURS = ("program", "provider", "libuv")
SAYS_WHY = re.compile(r"memory|lines? (is|are) lost|resource temporarily unavailable|libcrypto failed", re.IGNORECASE)

Fault = collections.namedtuple("Fault", "side number on whose", defaults=(0, False, ",".join(OURS)))


class Report:
    """What torture.so has written down about a process."""

    def __init__(self, path):
        self.failed = self.abort = self.end = None
        self.sites, self.live, self.open = [], [], []
        lines = []
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        for line in lines:
            word, *rest = line.split(" ")
            if word == "failed":
                self.failed = rest
            elif word == "abort":
                self.abort = rest
            elif word in ("end", "_exit", "killed"):
                self.end = (word, int(rest[0]), int(rest[1]))
            elif word == "site":
                self.sites.append((int(rest[0]), rest[1]))
            elif word == "live":
                self.live.append((rest[0], int(rest[1]), rest[2:]))
            elif word == "open":
                self.open.append(" ".join(rest))

    def leaks(self, owners):
        return [x for x in self.live if x[0] in owners]


def places(words):
    """MODULE+OFFSET as functions and lines, as far as addr2line knows."""
    found = []
    for word in words:
        module, _, offset = word.rpartition("+")
        paths = {"usi-tunnel": PROGRAM, "usi.so": os.path.join(os.path.dirname(PROGRAM), "usi.so")}
        if module in paths and shutil.which("addr2line"):
            said = subprocess.run(["addr2line", "-f", "-s", "-e", paths[module], offset],
                                  capture_output=True, text=True, check=False).stdout.split()
            word = "{} ({})".format(*said) if len(said) == 2 else word
        found.append(word)
    return " < ".join(found)


class Case(FilesScenario, TalkScenario):
    """Something that the program does, on both sides; one of them is tortured.

    play() starts the processes and sees them end; done() says whether all that was to be done is
    done; wrong() lists false claims of the processes. All may end early.
    """

    sides = ("listen", "connect")
    TIMEOUTS = ("--handshake-timeout", "5")

    def runTest(self):
        """For unittest, which wants one."""

    def __init__(self, fault):
        super().__init__()
        self.fault, self.victim, self.stopped = fault, None, []
        self.processes = []

    def start(self, *arguments, **how):
        at = how.pop("at", None)  # a terminal
        before = list(at.before) if at else ["setsid"]
        if self.victim is None and self.fault.side in arguments[:2]:
            before += ["env", f"LD_PRELOAD={LIBRARY}", f"TORTURE_REPORT={self.path('report')}",
                       f"TORTURE_FAIL={self.fault.number}", f"TORTURE_ON={int(self.fault.on)}",
                       f"TORTURE_WHOSE={self.fault.whose}",
                       "TORTURE_TRACE=" + os.environ.get("TORTURE_TRACE", str(int(self.fault.number == 0))),
                       "MALLOC_PERTURB_=165"]  # freed memory has no use
            self.victim = process = super().start(*arguments, before=before, **how)
        else:
            process = super().start(*arguments, before=before, **how)
        return process

    # Waiting, whatever happens.

    def begins(self, process):
        """Waits until it listens; False: it has ended."""
        pattern = re.compile(LISTENING, re.MULTILINE)
        if not process.err.until(lambda: pattern.search(process.err.data.decode("utf-8", "replace"))):
            return False
        process.ready()
        return True

    def ends(self, process):
        return process.wait()

    def stop(self, process):
        """Ends a process that would go on."""
        if process.running():
            self.stopped.append(process)
            process.signal(15)
        return self.ends(process)

    def any_ended(self):
        return any(not p.running() for p in self.processes)

    def said(self):
        """What the victim's user sees besides data."""
        return self.victim.lines

    def complained(self):
        return any(SAYS_WHY.search(line) for line in self.said())

    def told(self):
        """Does anybody know that not all was done?"""
        return self.complained() or any(
            p.popen.returncode != 0 or any("failed" in line for line in p.lines)
            for p in self.processes)

    # What a case says.

    def play(self):
        raise NotImplementedError

    def done(self):
        raise NotImplementedError

    def wrong(self):
        return []


def judge(case, baseline):
    """What is wrong with a run that has been played."""
    wrong = list(case.wrong())
    victim, report = case.victim, Report(case.path("report"))
    for process in case.processes:
        status = 0 if ended_as_told(case, process) else process.popen.returncode
        name = " ".join(process.arguments[:2])
        if status < 0 and not (process is victim and libuv_gave_up(report)):
            wrong.append(f"{name}: ended by signal {-status}")
        if status > FAR:
            wrong.append(f"{name}: status {status} means nothing")
    if report.failed is None:
        statuses = [0 if ended_as_told(case, p) else p.popen.returncode for p in case.processes]
        if any(statuses) or not case.done():
            wrong.append(f"no fault, but statuses {statuses} and not all was done")
    elif victim.popen.returncode > 0 and not case.complained():
        wrong.append("the victim does not say why it has failed")
    elif victim.popen.returncode == 0 and not case.done() and not case.told():
        wrong.append("nobody says what was not done")
    elif victim.popen.returncode == 2:
        wrong.append("lack of memory is no error of usage")
    if victim.popen.returncode >= 0 or ended_as_told(case, victim):
        wrong += leaks(report, baseline)
    return wrong, report


def ended_as_told(case, process):
    """By the signal that it was sent."""
    return process in case.stopped and process.popen.returncode == -15


def libuv_gave_up(report):
    """libuv calls abort() where it can neither go on nor say so: for its table of descriptors."""
    return (report.failed is not None and report.abort is not None
            and report.failed[2].startswith("libuv") and report.abort[0].startswith("libuv"))


def leaks(report, baseline):
    if report.end is None or report.end[0] == "_exit":
        return ["did not come to its end by exit()"]
    wrong = [f"not freed: {size} octets of {places(where)}" for _, size, where in report.leaks(OURS)]
    usual = baseline.leaks(("libcrypto",)) if baseline else []
    if baseline and len(report.leaks(("libcrypto",))) > len(usual):
        wrong.append(f"libcrypto has {len(report.leaks(('libcrypto',)))} blocks at the end, "
                     f"{len(usual)} without a fault")
    by_signal = report.end[0] == "killed"  # then libuv still has its own
    if len(report.open) > (0 if not by_signal else len(baseline.open) if baseline else 2):
        wrong += [f"not closed: {x}" for x in report.open]
    return wrong


Outcome = collections.namedtuple("Outcome", "case fault wrong report story gave_up")


def run(kind, fault, baseline=None):
    """Plays a case once."""
    case = kind(fault)
    try:
        case.setUp()
        try:
            case.play()
            wrong, report = judge(case, baseline)
        except AssertionError as error:  # of the harness: still running, a strange line
            wrong, report = [str(error).splitlines()[0]], Report(case.path("report"))
        story = "\n".join(p.story() for p in case.processes)
        if report.failed:
            story = f"failed: {report.failed[1]} {places(report.failed[2:])}\n{story}"
        return Outcome(kind, fault, wrong, report, story, libuv_gave_up(report))
    finally:
        case.doCleanups()


def tell(outcome):
    fault = outcome.fault
    words = f"{outcome.case.__name__} {fault.side} {fault.number} {'on' if fault.on else 'once'}"
    return "\n".join([f"{words}:"] + ["  " + x for x in outcome.wrong] + [outcome.story])


def run_all(jobs, at_once=2):
    """Plays [(kind, fault, baseline)], and gives the outcomes as they come."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(lambda job: run(*job), jobs)
