#!/usr/bin/env python3
"""The long ones: 4 GiB from file to file, also with a rekey every 64 KiB, and random cuts."""

import contextlib
import hashlib
import os
import random
import time

from harness import CUT, FAR, GIB, KIB, MIB, OK, SANITIZED, Pattern, Scenario, main, tally

SIZE = int(os.environ.get("USI_LONG_SIZE", 4 * GIB))


class Long(Scenario):
    def from_file_to_file(self, *options):
        """`listen >out` and `connect <in`, and the hashes of both files."""
        source, target = self.path("in"), self.path("out")
        with open(source, "wb") as out:
            for chunk in Pattern(SIZE):
                out.write(chunk)
        with open(source, "rb") as stdin, open(target, "wb") as stdout:
            listener = self.listen(*options, stdout=stdout)
            connector = self.connect(listener, *options, stdin=stdin)
            peaks = {}
            while connector.running() and listener.running():
                for side in (listener, connector):
                    with contextlib.suppress(OSError, AttributeError):  # just gone
                        peaks[side] = side.status_field("VmHWM")
                time.sleep(0.2)
            connector.wait(OK)
            listener.wait(OK)
        if not SANITIZED:
            self.assertLess(max(peaks.values()), 32 * KIB)
        digests = set()
        for path in (source, target):
            with open(path, "rb") as file:
                digests.add(hashlib.file_digest(file, "sha256").hexdigest())
        self.assertEqual(len(digests), 1)
        tally(f"pipe of {SIZE // GIB} GiB {' '.join(options)}".strip(), 1, "all there, under 32 MiB")

    def test_file(self):
        self.from_file_to_file()

    def test_file_with_rekeys(self):
        self.from_file_to_file("--rekey-bytes", "64K")

    def test_killed_at_random_points(self):
        """Whoever is killed whenever: the other one says 5 or 7, and has only right bytes."""
        data = bytes(Pattern(64 * MIB))
        for _ in range(30):
            point = random.randrange(len(data))
            with self.round(point=point):
                listener = self.listen()
                connector = self.connect(listener, stdin=data)
                self.assertTrue(listener.out.reach(point))
                dead, alive = random.sample((listener, connector), 2)
                dead.kill()
                alive.wait(CUT, FAR, OK)
                got = listener.out.finish()
                self.assert_equal_bytes(got, data[: len(got)])
                if alive.popen.returncode == OK:
                    self.assertEqual(len(got), len(data))
        tally("pipe: a side is killed at any octet", 30, "status 5 or 7, right octets only")


if __name__ == "__main__":
    main()
