#!/usr/bin/env python3
"""The units of systemd, as they are installed: sound, and locked down."""

import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from harness import Scenario, main, skip_unless_found  # noqa: E402

BUILD = os.environ.get("USI_BUILD", "")
# What systemd-analyze says that the service is exposed to, at most, in tenths. What is left: the
# network (its trade), the file system that its files are in, and the clock's device node, which
# ProtectClock= itself lets it read.
EXPOSURE = 15
UNITS = {"usi-tunnel-listen@.service", "usi-tunnel-listen@.socket"}


def run(*words, **environment):
    """Its status and what it said."""
    done = subprocess.run(
        words,
        env={**os.environ, "LC_ALL": "C", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@unittest.skipUnless(BUILD, "set USI_BUILD to the build folder")
@skip_unless_found("cmake")
class Units(Scenario):
    def setUp(self):
        super().setUp()
        status, said = run("cmake", "--install", BUILD, DESTDIR=self.folder)
        self.assertEqual(status, 0, said)
        self.units = None
        for folder, _, files in os.walk(self.folder):
            if set(files) & UNITS:
                self.assertEqual(set(files) & UNITS, UNITS)
                self.assertTrue(folder.endswith("/lib/systemd/system"), folder)
                self.units = folder
        self.assertIsNotNone(self.units, "no unit was installed")

    def unit(self, kind):
        return os.path.join(self.units, f"usi-tunnel-listen@.{kind}")

    def test_program(self):
        """The service starts the program that was installed with it."""
        unit = self.read(self.unit("service")).decode()
        program = re.search(r"^ExecStart=(\S+) listen ", unit, re.MULTILINE).group(1)
        self.assertTrue(os.access(self.folder + program, os.X_OK), program)

    @skip_unless_found("systemd-analyze")
    def test_verify(self):
        """Known settings only, in a unit that would start."""
        unit = self.read(self.unit("service")).decode()
        # The program is not at its place before it is installed in earnest.
        unit = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit, flags=re.MULTILINE)
        self.file("usi-tunnel-listen@.service", unit.encode())
        self.file("usi-tunnel-listen@.socket", self.read(self.unit("socket")))
        for kind in ("service", "socket"):
            status, said = run(
                "systemd-analyze",
                "verify",
                "--man=no",
                f"usi-tunnel-listen@name.{kind}",
                SYSTEMD_UNIT_PATH=self.folder + ":",
            )
            self.assertEqual((status, said), (0, ""))

    @skip_unless_found("systemd-analyze")
    def test_security(self):
        words = ("systemd-analyze", "security", "--offline=true", "--no-pager")
        status, said = run(*words, f"--threshold={EXPOSURE}", self.unit("service"))
        left = "\n".join(line for line in said.splitlines() if "\u2713" not in line)
        self.assertEqual(status, 0, left)


if __name__ == "__main__":
    main()
