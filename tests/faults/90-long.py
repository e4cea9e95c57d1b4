#!/usr/bin/env python3
"""Random faults for as long as the long tests go on. USI_SEED=N repeats one round."""

from storm import Storm

from harness import LONG_SECONDS, main


class Random(Storm):
    def test_random_faults(self):
        self.go_on(LONG_SECONDS)


if __name__ == "__main__":
    main()
