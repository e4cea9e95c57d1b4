#!/usr/bin/env python3
"""500 idle channels, and others that come and go for some seconds."""

from idle import IdleScenario  # noqa: I001 - it finds the harness
from harness import main, not_wrapped


@not_wrapped
class Idle(IdleScenario):
    def test_crowd(self):
        self.crowd()


del IdleScenario

if __name__ == "__main__":
    main()
