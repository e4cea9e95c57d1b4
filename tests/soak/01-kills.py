#!/usr/bin/env python3
"""kill -9, STOP and CONT of either side, of the target and of the wire, for a few seconds."""

import kills  # noqa: I001 - it finds the harness
from harness import main, not_wrapped


@not_wrapped
class Forwards(kills.Forwards):
    SECONDS = 1.5

    def test_listener_survives(self):
        self.torment("listener")

    def test_connector_survives(self):
        self.torment("connector")


@not_wrapped
class Pipes(kills.Pipes):
    ROUNDS = 2


@not_wrapped
class Chats(kills.Chats):
    pass


if __name__ == "__main__":
    main()
