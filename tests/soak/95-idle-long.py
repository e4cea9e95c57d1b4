#!/usr/bin/env python3
"""9,900 idle channels, and several hundred that come and go each second."""

from idle import IdleScenario  # noqa: I001 - it finds the harness
from harness import LONG_SECONDS, main


class Idle(IdleScenario):
    COUNT = 9900
    SECONDS = LONG_SECONDS
    EVERY = 1
    NOISE = 1024

    def test_crowd(self):
        self.crowd()


del IdleScenario

if __name__ == "__main__":
    main()
