#!/usr/bin/env python3
"""A chat at a terminal: the line that is typed, what is shown above it, questions, the way out."""

import os
import re
import shlex
import signal
import types

from harness import MIB, OK, PROGRAM, main, skip_unless_found, until
from panes import PaneScenario
from proxy import UP, Proxy, Stall
from streams import WRAP
from talk import TalkScenario


@skip_unless_found("tmux", "bash")
class ChatScreen(PaneScenario, TalkScenario):
    def setUp(self):
        super().setUp()
        self.skip_without_editor()
        self.shared = self.start_host(self.pane())
        self.host_pane = self.shared.pane

    def run_in(self, pane, *words):
        # Files go below the folder in which it is started: see usi-tunnel(1), Sandbox.
        pane.enter(f"cd {self.folder}; stty -g > " + self.path("before") + "; clear; " + shlex.join([*WRAP, PROGRAM, *words]))

    def start_host(self, pane, *credentials):
        """The host in a pane; what join() wants of it."""
        self.run_in(pane, "chat", "listen", "127.0.0.1:0", "-m", "host", *(credentials or self.credentials()))
        pane.shows("-- you are host")
        found = re.search(r"listening on (\S+)", "\n".join(pane.screen()))
        return types.SimpleNamespace(process=types.SimpleNamespace(address=found[1]), pane=pane)

    def program_pid(self, pane):
        with open(f"/proc/{pane.pid}/task/{pane.pid}/children", encoding="ascii") as children:
            return int(children.read().split()[0])

    def assert_modes_restored(self, pane):
        pane.enter("stty -g > " + self.path("after") + "; echo modes written")
        pane.shows("\nmodes written")
        self.assertEqual(self.read(self.path("before")), self.read(self.path("after")))

    def test_what_is_said_leaves_the_typed_line_alone(self):
        pane = self.host_pane
        anna = self.join(self.shared)
        pane.ends_with("-- anna has come", "host>")
        pane.type("für 漢 🎉")
        pane.press("Left")
        until(lambda: pane.cursor[0] == 13, "the cursor within the line")
        anna.types("one", "/me waves", "/msg host psst", "\033[31mred\u202e\u009b")
        pane.ends_with(
            "<anna> one", "* anna waves", "[anna] psst", "<anna> ^[[31mred<U+202E><U+009B>", "host> für 漢 🎉"
        )
        pane.type("!")
        pane.press("Enter")
        anna.hears("<host> für 漢 !🎉")
        pane.ends_with("<host> für 漢 !🎉", "host>")
        pane.press("Up")
        pane.ends_with("host> für 漢 !🎉")
        pane.press("C-c")
        pane.ends_with("<host> für 漢 !🎉", "host>")
        pane.enter("/msg anna for her")
        pane.ends_with("[-> anna] for her", "host>")
        anna.hears("[host] for her")

    def test_how_far_files_have_come(self):
        """Before the prompt, while they are under way; what is typed meanwhile stays."""
        pane = self.host_pane
        stall = Stall(UP, 3 * MIB)
        self.addCleanup(stall.release.set)
        proxy = Proxy(self.shared.process.address, lambda: stall)
        self.addCleanup(proxy.close)
        anna = self.join(types.SimpleNamespace(process=proxy))
        anna.types(f"/send {self.file('film', bytes(8 * MIB))}")
        pane.shows("-- 1: anna offers film (8.0 MiB): /accept 1 or /refuse 1")
        os.mkdir(self.path("taken"))
        pane.enter(f"/accept 1 {self.path('taken')}")
        until(
            lambda: re.search(r"^[1-9][0-9]?%  \S+ [KM]?i?B/s  \S+  host>", pane.screen()[-1]),
            "the rate in the prompt",
        )
        pane.type("typed")
        until(lambda: re.search(r"%  .*  host> typed$", pane.screen()[-1]), "the typed line")
        stall.release.set()
        pane.ends_with("-- 1: from anna, all here, verified", "host> typed")
        anna.hears("-- 1: host has it all, verified")
        self.assertEqual(os.path.getsize(os.path.join(self.folder, "taken", "film")), 8 * MIB)

    def test_suspended_and_back(self):
        pane = self.host_pane
        anna = self.join(self.shared)
        pane.ends_with("-- anna has come", "host>")
        pane.type("half")
        pane.ends_with("host> half")
        pane.press("C-z")
        pane.shows("Stopped")
        self.assert_modes_restored(pane)
        anna.types("meanwhile")
        pane.enter("fg")
        pane.ends_with("<anna> meanwhile", "host> half")

    def test_the_way_out(self):
        """However it ends, the terminal is as before; members leave in peace."""
        for way in ("/quit", "!quitter", "C-c", "C-d", signal.SIGTERM, signal.SIGINT):
            with self.subTest(way=way):
                pane = self.pane()
                host = self.start_host(pane)
                anna = self.join(host)
                pane.ends_with("-- anna has come", "host>")
                if isinstance(way, signal.Signals):
                    os.kill(self.program_pid(pane), way)
                elif way.startswith("C-"):
                    pane.press(way)
                else:
                    pane.enter(way)
                pane.until(lambda lines: lines[-1].rstrip() == "$", "the shell")
                self.assert_modes_restored(pane)
                if way != signal.SIGINT:  # the second of which SIGTERM is the first: it cuts
                    anna.process.wait(OK)

    def test_a_question_about_a_stranger(self):
        """It is asked on the terminal in which the host types, and his line comes back."""
        pane, other = self.pane(120, XDG_STATE_HOME=self.path("h")), self.pane(120, XDG_STATE_HOME=self.path("a"))
        host = self.start_host(pane, "--identity")
        pane.ends_with("host>")
        pane.type("half typed")
        pane.ends_with("host> half typed")
        self.run_in(other, "chat", "connect", host.process.address, "-m", "anna", "--identity")
        pane.shows("in words: ")
        words = next(line for line in pane.screen() if "in words" in line)
        other.shows(words.strip())
        pane.until(lambda lines: "half typed" not in lines[-1] and "?" in "".join(lines[-2:]), "a question")
        pane.enter("yes")
        other.until(lambda lines: "?" in "".join(lines[-2:]), "a question")
        other.enter("yes")
        pane.ends_with("-- anna has come", "host> half typed")
        other.ends_with("-- you are anna; here: host", "anna>")
        pane.press("Enter")
        other.ends_with("<host> half typed", "anna>")


if __name__ == "__main__":
    main()
