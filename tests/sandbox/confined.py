"""What the scenarios of the sandbox share."""

import os
import re
import subprocess
import unittest

from harness import PROGRAM, until

WITHOUT = os.environ.get("USI_WITHOUT", "")


def version():
    return subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout


def kernel_filters():
    """Whether programs of this build can have a filter of system calls here."""
    with open("/proc/self/status", encoding="ascii") as status:
        return "\nlibseccomp " in version() and "\nSeccomp:" in status.read()


needs_filter = unittest.skipUnless(kernel_filters(), "no libseccomp, or no seccomp in the kernel")
needs_root = unittest.skipUnless(os.geteuid() == 0, "needs root")


def status_of(pid):
    """A field of /proc/PID/status, for each thread."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as status:
            found.append(dict(re.findall(r"^(\w+):\s*(.*)$", status.read(), re.MULTILINE)))
    return found


def settled(process, sandbox=True):
    """Waits until each thread of a process is in the sandbox, or makes sure that none is."""

    def states():
        return {(x["Seccomp"], x["NoNewPrivs"]) for x in status_of(process.pid)}

    if sandbox:
        until(lambda: states() == {("2", "1")}, "all threads to be in the sandbox")
    elif states() != {("0", "0")}:
        raise AssertionError(f"in a sandbox: {states()}\n{process.story()}")
