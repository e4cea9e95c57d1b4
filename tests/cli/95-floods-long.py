#!/usr/bin/env python3
"""Floods of strangers, 5,000 at once, for USI_LONG_SECONDS in all: in each mode somebody with the key gets in, again and
again."""

import importlib
import time

from floods import raise_file_limit
from harness import LONG_SECONDS, main, not_wrapped

floods = importlib.import_module("45-floods")
FILES_NEEDED = 6000


@not_wrapped
class Long(floods.Floods):
    HALF_OPEN, AT_FULL_SPEED = 5000, 50

    def setUp(self):
        super().setUp()
        if raise_file_limit() < FILES_NEEDED:
            self.skipTest(f"needs a limit of {FILES_NEEDED} descriptors")

    def enough(self, _took):
        return time.monotonic() >= self.until

    def test_all_modes(self):
        for mode in floods.MODES:
            self.until = time.monotonic() + LONG_SECONDS / (len(floods.MODES) + 1)
            self.attack(mode)
        self.until = time.monotonic() + LONG_SECONDS / (len(floods.MODES) + 1)
        self.attack("key", "--forward", "127.0.0.1:1")


if __name__ == "__main__":
    main()
