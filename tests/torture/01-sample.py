#!/usr/bin/env python3
"""Some allocations of each scenario, each made to fail once: the first from each place in the code,
as many as there is time for. 90-every.py tries them all."""

import unittest

from torture import Fault, run_all, tell  # it finds the harness

from cases import CASES, SLOW
from harness import WRAP, main

RUNS = 24


def first_of_each_place():
    """[(case, fault, report of a run without one)]: no place twice, whatever the case."""
    found, known = [], set()
    sides = [(case, Fault(side), None) for case in CASES if case not in SLOW
             for side in case.sides]
    for clean in run_all(sides):
        if clean.wrong:
            raise AssertionError(tell(clean))
        for number, place in clean.report.sites:
            if place not in known:
                known.add(place)
                fault = clean.fault._replace(number=number)
                found.append((clean.case, fault, clean.report))
    return found


@unittest.skipIf(WRAP, "what valgrind adds is not the program's")
class Sample(unittest.TestCase):
    def test_sample(self):
        jobs = first_of_each_place()
        step = max(1, len(jobs) // RUNS)
        for outcome in run_all(jobs[step // 2 :: step]):
            with self.subTest(case=outcome.case.__name__, fault=outcome.fault):
                self.assertFalse(outcome.wrong, tell(outcome))


if __name__ == "__main__":
    main()
