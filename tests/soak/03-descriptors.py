#!/usr/bin/env python3
"""No descriptors left, for a moment: who had to wait is served, and who was there is not disturbed."""

from descriptors import DescriptorsScenario  # noqa: I001 - it finds the harness
from harness import main, not_wrapped


@not_wrapped
class Descriptors(DescriptorsScenario):
    def test_shortage(self):
        self.tell_shares(self.everywhere())


del DescriptorsScenario

if __name__ == "__main__":
    main()
