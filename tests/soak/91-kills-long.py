#!/usr/bin/env python3
"""kill -9, STOP and CONT of either side, of the target and of the wire, for ten minutes."""

import kills  # noqa: I001 - it finds the harness
from harness import LONG_SECONDS, main


class Forwards(kills.Forwards):
    SECONDS = LONG_SECONDS / 2

    def test_listener_survives(self):
        self.torment("listener")

    def test_connector_survives(self):
        self.torment("connector")


class Pipes(kills.Pipes):
    ROUNDS = max(4, LONG_SECONDS // 4)


class Chats(kills.Chats):
    ROUNDS = max(4, LONG_SECONDS // 8)


if __name__ == "__main__":
    main()
