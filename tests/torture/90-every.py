#!/usr/bin/env python3
"""Every allocation of each scenario fails, on either side: alone, and with all that follow it.

One of them again, with the call stacks of what was not freed:

    TORTURE_TRACE=1 TORTURE_AGAIN='Relay connect 17 once' USI_TUNNEL=... ./90-every.py
"""

import os
import unittest

from torture import Fault, run, run_all, tell  # it finds the harness

import cases
from harness import LONG_SECONDS, WRAP, main, tally

MORE = 3  # a run may have some more allocations than the one that they were counted in
STEP = max(1, 600 // LONG_SECONDS)  # in less time a sample


@unittest.skipIf(WRAP, "what valgrind adds is not the program's")
class Every(unittest.TestCase):
    def faults(self, case, side, on):
        clean = run(case, Fault(side))
        self.assertFalse(clean.wrong, tell(clean))
        step = STEP * (4 if case in cases.SLOW else 1)
        numbers = range(1, clean.report.end[2] + MORE + 1, step)
        return [(case, Fault(side, number, on), clean.report) for number in numbers]

    def try_all(self, on):
        for case in cases.CASES:
            tried = wrong = gave_up = 0
            for side in case.sides:
                for outcome in run_all(self.faults(case, side, on)):
                    tried += outcome.report.failed is not None
                    gave_up += outcome.gave_up
                    wrong += bool(outcome.wrong)
                    with self.subTest(case=case.__name__, fault=outcome.fault):
                        self.assertFalse(outcome.wrong, tell(outcome))
            said = f"{wrong} wrong" if wrong else "no crash, leak or false success"
            said += f"; libuv called abort() {gave_up} times" if gave_up else ""
            what = "and all later ones fail" if on else "fails"
            tally(f"memory: the n-th allocation {what}: {case.__name__}", tried, said)

    def test_once(self):
        self.try_all(False)

    def test_from_then_on(self):
        self.try_all(True)


class Again(unittest.TestCase):
    def test_again(self):
        name, side, number, how = os.environ["TORTURE_AGAIN"].split()
        outcome = run(getattr(cases, name), Fault(side, int(number), how == "on"))
        print(tell(outcome))
        self.assertFalse(outcome.wrong)


if __name__ == "__main__":
    if "TORTURE_AGAIN" in os.environ:
        del Every
    else:
        del Again
    main()
