#!/usr/bin/env python3
"""No descriptors left, for a minute at each place where connections are taken."""

from descriptors import DescriptorsScenario  # noqa: I001 - it finds the harness
from harness import LONG_SECONDS, main


class Descriptors(DescriptorsScenario):
    SECONDS = min(60, LONG_SECONDS / 5)

    def test_shortage(self):
        self.tell_shares(self.everywhere())


del DescriptorsScenario

if __name__ == "__main__":
    main()
