#!/usr/bin/env python3
"""usi.so in a program that is not ours: every allocation of its own fails once, in openssl kdf and
openssl mac. (tests/provider/test_memory.c has the same in one process, with libcrypto's.)"""

import os
import shutil
import subprocess
import tempfile
import unittest

from torture import LIBRARY, Report, places  # it finds the harness

from harness import LIMIT, PROGRAM, SANITIZED, WRAP, clean_environment, main, tally

KEY, RAND = "465b5ce8b199b49faa5f0a2ee238a6bc", "23553cbe9637a89d218ae64dae47bf35"
LONG = KEY * 5  # longer than what needs no allocation
OPTIONS = {
    "kdf": ("-kdfopt", {
        "A8, USI": ("32", [f"hexkey:{KEY}", f"hexrand:{LONG}"], "A8"),
        "A8, COMP128-1": ("8", ["algorithm:COMP128-1", f"hexkey:{KEY}", f"hexrand:{RAND}"], "A8"),
        "A8, GSM-MILENAGE": ("8", ["algorithm:GSM-MILENAGE", f"hexkey:{KEY}", f"hexrand:{RAND}",
                                   f"hexopc:{KEY}"], "A8"),
        "AKA, MILENAGE": ("72", ["algorithm:MILENAGE", "output:vector", f"hexkey:{KEY}",
                                 f"hexrand:{RAND}", f"hexop:{KEY}", "hexsqn:ff9bb4d0b607",
                                 "hexamf:b9b9"], "AKA"),
        "AKA, TUAK": ("72", ["algorithm:TUAK", "output:vector", f"hexkey:{KEY}", f"hexrand:{RAND}",
                             f"hextop:{KEY}{KEY}", "hexsqn:ff9bb4d0b607", "hexamf:b9b9"], "AKA"),
        "3GPP-KDF": ("32", [f"hexkey:{KEY * 4}", "hexfc:20", f"hexp0:{LONG}"], "3GPP-KDF"),
        "3GPP-CONV": ("16", ["function:c4", "hexkc:0011223344556677"], "3GPP-CONV"),
    }),
    "mac": ("-macopt", {
        "A3, USI": (None, [f"hexkey:{KEY}", f"hexrand:{LONG}"], "A3"),
        "A3, COMP128-3": (None, ["algorithm:COMP128-3", f"hexkey:{KEY}", f"hexrand:{RAND}"], "A3"),
    }),
}


@unittest.skipIf(WRAP or SANITIZED or not shutil.which("openssl"), "needs openssl, and it alone")
class Provider(unittest.TestCase):
    def openssl(self, words, number):
        with tempfile.TemporaryDirectory(prefix="usi-") as folder:
            report = os.path.join(folder, "report")
            run = subprocess.run(
                ["openssl", *words], capture_output=True, timeout=LIMIT, check=False,
                env={**clean_environment(), "LD_PRELOAD": LIBRARY, "TORTURE_REPORT": report,
                     "TORTURE_WHOSE": "provider", "TORTURE_FAIL": str(number),
                     "MALLOC_PERTURB_": "165"})
            return run, Report(report)

    def try_all(self, words):
        """How many allocations there are."""
        clean, report = self.openssl(words, 0)
        self.assertEqual(clean.returncode, 0, clean.stderr)
        count = report.end[2]
        for number in range(1, count + 1):
            run, report = self.openssl(words, number)
            self.assertGreaterEqual(run.returncode, 0, report.failed)
            if run.returncode == 0:
                self.assertEqual(run.stdout, clean.stdout)
            else:
                self.assertEqual(run.stdout.strip(), b"")
                self.assertTrue(run.stderr.strip())
            self.assertEqual([places(where) for _, _, where in report.leaks(("provider",))], [])
        return count

    def test_all(self):
        tried = 0
        for command, (option, cases) in OPTIONS.items():
            for name, (size, values, algorithm) in cases.items():
                with self.subTest(name=name):
                    words = [command, "-provider-path", os.path.dirname(PROGRAM), "-provider", "usi",
                             "-provider", "default", *(["-keylen", size] if size else [])]
                    for value in values:
                        words += [option, value]
                    words += ["-in", os.devnull] if command == "mac" else []
                    count = self.try_all([*words, algorithm])
                    self.assertGreater(count, 1)
                    tried += count
        tally("memory: the n-th allocation of usi.so fails, in openssl", tried,
              "no crash, leak or false result")


if __name__ == "__main__":
    main()
