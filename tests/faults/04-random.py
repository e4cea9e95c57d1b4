#!/usr/bin/env python3
"""Random faults, for a few seconds; 90-long.py goes on. USI_SEED=N repeats one round."""

from storm import Storm

from harness import main


class Random(Storm):
    def test_random_faults(self):
        self.go_on(4)


if __name__ == "__main__":
    main()
