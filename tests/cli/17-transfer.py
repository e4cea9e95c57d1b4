#!/usr/bin/env python3
"""A GiB through the pipe: every octet in its place, and memory that does not grow with it."""

from harness import GIB, KIB, MIB, OK, PIPE, SANITIZED, SLOW, WRAP, Pattern, Scenario, main

SIZE = 64 * MIB if SLOW else GIB
LARGEST = 32 * KIB  # in KiB, as /proc says it


class Transfer(Scenario):
    def transfer(self, size, *options):
        """One direction, while the other is held open so that both processes are still there at
        the end."""
        pattern = Pattern(size)
        listener = self.listen(*options, stdin=PIPE, stdout=pattern)
        connector = self.connect(listener, *options, stdin=pattern)
        step = max(size // 16, 1)
        for count in list(range(step, size, step)) + [
            size
        ]:  # a limit for each part, not for the whole
            self.assertTrue(listener.out.reach(count), "it stands")
        for process in (listener, connector):
            if not (SANITIZED or WRAP):
                self.assertLess(process.status_field("VmHWM"), LARGEST, process.story())
        listener.close_stdin()
        connector.wait(OK)
        listener.wait(OK)
        self.assert_received(listener)

    def test_transfer(self):
        self.transfer(SIZE)

    def test_transfer_with_rekeys(self):
        self.transfer(SIZE // 16, "--rekey-bytes", "64K")


if __name__ == "__main__":
    main()
