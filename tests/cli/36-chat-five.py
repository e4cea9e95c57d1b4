#!/usr/bin/env python3
"""A chat of five processes: two at terminals, one of them the host's, three in pipes."""

import re
import shlex
import types

from harness import OK, PROGRAM, main, skip_unless_found, until
from panes import PaneScenario
from streams import WRAP
from talk import TalkScenario


@skip_unless_found("tmux", "bash")
class Five(PaneScenario, TalkScenario):
    def run_in(self, pane, *words):
        pane.enter("clear; " + shlex.join([*WRAP, PROGRAM, *words, *self.credentials()]))
        pane.shows("-- you are")

    def test_five(self):
        self.skip_without_editor()
        tall = {"columns": 100, "rows": 60}
        host, anna = self.pane(**tall), self.pane(**tall)
        self.run_in(host, "chat", "listen", "127.0.0.1:0", "-m", "host")
        address = re.search(r"listening on (\S+)", "\n".join(host.screen()))[1]
        self.run_in(anna, "chat", "connect", address, "-m", "anna")
        room = types.SimpleNamespace(process=types.SimpleNamespace(address=address))
        bob, carl, dora = (self.join(room, name=name) for name in ("bob", "carl", "dora"))
        panes, pipes = {"host": host, "anna": anna}, {"bob": bob, "carl": carl, "dora": dora}
        for pane in panes.values():
            pane.shows("-- dora has come")
        dora.hears("-- you are dora; here: host, anna, bob, carl")

        # Everybody says something, and everybody hears it.
        for name, person in {**panes, **pipes}.items():
            said = f"héllo 漢 from {name}"
            (person.enter if name in panes else person.types)(said)
            for other in panes.values():
                other.shows(f"<{name}> {said}")
            for hearer, other in pipes.items():
                if hearer != name:
                    other.hears(f"<{name}> {said}")
        # All in one order, but that each sees its own at once.
        for pane in panes.values():
            lines = [line for line in pane.screen() if line.startswith("<")]
            self.assertEqual(len(lines), 5)

        # What is typed in both terminals survives a crowd of lines.
        host.type("host types")
        anna.type("anna types")
        for i in range(10):
            for person in pipes.values():
                person.types(f"line {i}")
        for pane, name in ((host, "host"), (anna, "anna")):
            for person in pipes:
                pane.shows(f"<{person}> line 9")
            pane.until(lambda lines, n=name: lines[-1].endswith(f"> {n} types"), "the typed line")
            for person in pipes:
                shown = [line for line in pane.screen() if line.startswith(f"<{person}> line")]
                self.assertEqual(shown, [f"<{person}> line {i}" for i in range(10)])
        anna.press("Enter")
        host.press("Enter")
        for person in pipes.values():
            person.hears("<anna> anna types")
            person.hears("<host> host types")

        # One to one.
        anna.enter("/msg bob only for bob")
        bob.hears("[anna] only for bob")
        bob.types("/msg anna only for anna")
        anna.shows("[bob] only for anna")
        anna.enter("/me waves")
        self.everybody_hears(pipes.values(), "* anna waves")
        for person in (carl, dora):
            self.assertFalse(any("only for" in line for line in person.heard))
        self.assertFalse(any("only for" in line for line in host.screen()))

        # They go, one after another.
        bob.leaves(OK)
        for pane in panes.values():
            pane.shows("-- bob has left")
        anna.press("C-d")
        host.shows("-- anna has left")
        until(lambda: anna.screen()[-1].rstrip() == "$", "anna's shell")
        host.enter("/quit")
        for person in (carl, dora):
            person.hears("-- host has closed the chat")
            person.process.wait(OK)


if __name__ == "__main__":
    main()
