#!/usr/bin/env python3
"""The line that is edited at a terminal, and what is shown above it meanwhile."""

import os
import re
import shlex
import signal
import termios
import threading
import unittest

from demo import DEMO, FEATURES, as_program

from harness import LIMIT, main, skip_unless_found, until
from panes import PaneScenario
from streams import WRAP
from terminal import Terminal

TORTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torture.txt")


def unescape(text):
    return re.sub(rb"\\x(..)", lambda found: bytes([int(found[1], 16)]), text.encode("ascii"))


def torture():
    """What others send, and how it is shown."""
    with open(TORTURE, encoding="ascii") as file:
        lines = [line.rstrip("\n") for line in file if not line.startswith("#") and line != "\n"]
    for i in range(0, len(lines), 3):
        yield unescape(lines[i + 1]), unescape(lines[i + 2])


@unittest.skipUnless("editor" in FEATURES, "built without libedit")
@skip_unless_found("tmux", "bash", "dash")
class Screen(PaneScenario):
    def setUp(self):
        super().setUp()
        self.feed = self.path("feed")
        os.mkfifo(self.feed)

    def start_demo(self, *, pane=None, **how):
        pane = pane or self.pane(**how)
        pane.enter(f"stty -g > {self.path('before')}; clear; {shlex.join([*WRAP, DEMO, self.feed])}")
        pane.ends_with("-- ready", "me>")
        return pane

    def say(self, line):
        """Anna says this."""
        with open(self.feed, "wb") as feed:
            feed.write((line.encode() if isinstance(line, str) else line) + b"\n")

    def demo_pid(self, pane):
        """The pid of what the pane's shell runs."""
        with open(f"/proc/{pane.pid}/task/{pane.pid}/children", encoding="ascii") as children:
            return int(children.read().split()[0])

    def assert_modes_restored(self, pane):
        pane.enter("stty -g > " + self.path("after") + "; echo modes written")
        pane.shows("\nmodes written")
        self.assertEqual(self.read(self.path("before")), self.read(self.path("after")))

    # Editing.

    def test_what_comes_does_not_touch_what_is_typed(self):
        pane = self.start_demo()
        pane.type("half typed")
        pane.press("Left", "Left")
        pane.ends_with("me> half typed")
        until(lambda: pane.cursor == (12, 1), "the cursor within the line")
        self.say("one")
        self.say("two")
        pane.ends_with("-- ready", "<anna> one", "<anna> two", "me> half typed")
        until(lambda: pane.cursor == (12, 3), "the cursor at its old place")
        pane.enter("X")
        pane.ends_with("<anna> two", "<me> half typXed", "me>")

    def test_many_lines_at_once(self):
        pane = self.start_demo()
        pane.type("half typed")
        with open(self.feed, "wb") as feed:
            for i in range(3000):
                feed.write(b"line %d\n" % i)
        pane.ends_with("<anna> line 2998", "<anna> line 2999", "me> half typed")

    def test_history(self):
        pane = self.start_demo()
        for text in ("first", "second"):
            pane.enter(text)
            pane.ends_with(f"<me> {text}", "me>")
        pane.type("third")
        pane.press("Up", "Up")
        pane.ends_with("me> first")
        pane.press("Down")
        pane.ends_with("me> second")
        pane.press("Down")
        pane.ends_with("me> third")
        pane.press("Up", "Up")
        pane.type("!")
        pane.press("Enter")
        pane.ends_with("<me> first!", "me>")
        pane.press("Up")
        pane.ends_with("me> first!")

    def test_editing_keys(self):
        pane = self.start_demo()
        pane.type("one two three")
        for key, wanted in (
            ("C-w", "one two"),
            ("C-a", "one two"),
            ("C-d", "ne two"),
            ("C-k", ""),
            ("C-y", "ne two"),
            ("BSpace", "ne two"),  # a blank was there
            ("BSpace", "ne tw"),
            ("Home", "ne tw"),
            ("DC", "e tw"),
            ("End", "e tw"),
            ("C-u", ""),
        ):
            pane.press(key)
            pane.ends_with(f"me> {wanted}")
        pane.type("a")
        pane.press("Escape", "Enter")
        pane.ends_with("<me> a", "me>")

    def test_characters_of_any_width(self):
        pane = self.start_demo()
        pane.type("é漢🎉ß")
        pane.ends_with("me> é漢🎉ß")
        until(lambda: pane.cursor == (10, 1), "the cursor behind them")
        pane.press("Left", "Left")
        until(lambda: pane.cursor == (7, 1), "the cursor before the emoji")
        self.say("für 漢字")
        pane.press("BSpace")
        pane.ends_with("<anna> für 漢字", "me> é🎉ß")
        pane.press("Enter")
        pane.ends_with("<me> é🎉ß", "me>")
        pane.type("e\u0301te\u0301 ")
        pane.enter("\u2764\ufe0f")
        pane.shows("<me> e\u0301te\u0301 \u2764")

    def test_a_line_longer_than_the_row(self):
        pane = self.start_demo(columns=30)
        text = "".join(f"{i:03}," for i in range(40))
        pane.type(text)
        pane.until(lambda lines: lines[-1].rstrip().endswith("038,039,"), "the line's end")
        self.say("one")
        pane.until(lambda lines: lines[-2:-1] == ["<anna> one"], "what anna said")
        pane.press("Home")
        pane.until(lambda lines: lines[-1].startswith("me> 000,001,"), "the line's begin")
        pane.press("Enter")
        pane.until(lambda lines: lines[-1].rstrip() == "me>", "an empty line")
        self.assertIn("<me> " + text, "".join(pane.screen("-J")))

    def test_another_width(self):
        pane = self.start_demo(columns=60, rows=12)
        pane.type("a line of more than thirty characters")
        pane.shows("me> a line of more than thirty characters")
        pane.resize(30, 12)
        pane.until(lambda lines: lines[-1].rstrip().endswith("thirty characters"), "the line's end")
        self.say("one")
        pane.until(lambda lines: lines[-2:-1] == ["<anna> one"], "what anna said")
        pane.resize(80, 12)
        pane.ends_with("<anna> one", "me> a line of more than thirty characters")
        self.assertEqual(sum("me>" in line for line in pane.screen()), 1)

    # What is shown.

    def test_foreign_text_is_inert(self):
        pane = self.start_demo(columns=160, rows=50)
        pane.type("typed")
        for sent, shown in torture():
            if b"\n" in sent:
                continue
            self.say(sent)
            pane.shows("<anna> " + shown.decode())
        pane.ends_with("me> typed")
        shown = pane.screen("-e")
        self.assertEqual(shown[-1].rstrip(), "me> typed", "attributes leak")
        for line in shown:
            self.assertLessEqual(
                set(re.findall(r"\033\[[0-9;]*m", line)),
                {"\033[1m", "\033[36m", "\033[32m", "\033[0m", "\033[39m", "\033[49m"},
            )

    def test_colours_unless_no_color(self):
        pane = self.start_demo()
        self.say("one")
        pane.shows("<anna> one")
        shown = next(line for line in pane.screen("-e") if "<anna>" in line)
        self.assertRegex(shown, r"^(\033\[(1|36)m)+<anna>\033\[0m(\033\[(39|49)m)* one$")
        plain = self.pane(NO_COLOR="1")
        self.feed = self.path("other")
        os.mkfifo(self.feed)
        self.start_demo(pane=plain)
        self.say("one")
        plain.shows("<anna> one")
        self.assertNotIn("\033", "\n".join(plain.screen("-e")))

    def test_a_dumb_terminal_has_plain_lines(self):
        pane = self.pane(TERM="dumb")
        pane.enter(f"clear; {DEMO} {self.feed}")
        pane.shows("-- ready")
        pane.enter("hello")
        pane.shows("-- 5: hello")
        self.assertNotIn("me>", "\n".join(pane.screen()))
        self.assertNotIn("\033", "\n".join(pane.screen("-e")))

    def test_messages_of_other_parts(self):
        pane = self.start_demo()
        pane.type("half")
        self.say("!stderr")
        pane.ends_with("usi-tunnel: on stderr", "me> half")

    def test_clear(self):
        pane = self.start_demo()
        pane.type("half")
        self.say("!clear")
        pane.until(lambda lines: lines == ["me> half"], "nothing else")

    # Questions.

    def test_a_question_keeps_the_line(self):
        pane = self.start_demo()
        pane.type("half typed")
        pane.press("Left")
        until(lambda: pane.cursor == (13, 1), "the cursor within the line")
        self.say("!ask")
        pane.ends_with("Take it?")
        self.say("meanwhile")
        pane.ends_with("<anna> meanwhile", "Take it?")
        pane.enter("yés")
        pane.ends_with("Take it? yés", "-- answer: yés", "me> half typed")
        until(lambda: pane.cursor[0] == 13, "the cursor at its old place")
        self.say("!ask")
        pane.ends_with("Take it?")
        pane.press("C-c")
        pane.ends_with("-- answer: (none)", "me> half typed")
        self.say("!ask")
        pane.ends_with("Take it?")
        self.say("!cancel")
        pane.ends_with("usi-tunnel: taken back", "me> half typed")

    def test_a_secret_is_not_shown(self):
        pane = self.start_demo()
        self.say("!secret")
        pane.ends_with("Password:")
        pane.type("hushé")
        pane.press("BSpace")
        pane.enter("h")
        pane.ends_with("-- ready", "Password:", "-- answer: hushh", "me>")
        pane.press("Up")
        pane.type("x")
        pane.ends_with("me> x")

    def test_a_pause_holds_lines_back(self):
        pane = self.start_demo()
        self.say("!stop")
        self.say("stopped")
        pane.shows("<anna> stopped")
        pane.type("one")
        pane.press("Enter")
        pane.type("two")
        pane.press("Enter")
        pane.ends_with("me> one")
        self.say("!go")
        pane.ends_with("<me> one", "<me> two", "me>")
        self.say("!stop")
        self.say("stopped again")
        pane.shows("<anna> stopped again")
        pane.enter("three")
        pane.press("C-c")
        pane.shows("-- interrupted")

    # Stopping, leaving.

    def test_suspended_and_back(self):
        pane = self.pane()
        pane.enter("PS1='dash> ' exec dash -i")  # leaves modes alone: bash would restore them
        pane.ends_with("dash>")
        self.start_demo(pane=pane)
        pane.type("half typed")
        pane.ends_with("me> half typed")
        pane.press("C-z")
        pane.shows("Stopped")
        self.assert_modes_restored(pane)
        self.say("meanwhile")
        pane.enter("fg")
        pane.ends_with("<anna> meanwhile", "me> half typed")
        pane.type("!")
        pane.press("Enter")
        pane.ends_with("<me> half typed!", "me>")

    def test_in_the_background_lines_are_shown(self):
        pane = self.start_demo()
        pane.press("C-z")
        pane.shows("Stopped")
        pane.enter("bg")
        self.say("behind")
        pane.shows("<anna> behind")
        self.assert_modes_restored(pane)
        pane.enter("fg")
        pane.ends_with("me>")
        pane.enter("before")
        pane.ends_with("<me> before", "me>")

    def test_the_terminal_is_lent(self):
        pane = self.start_demo()
        pane.type("half")
        pane.ends_with("me> half")
        self.say("!lend")
        pane.ends_with("-- ready")
        self.say("meanwhile")
        self.say("!back")
        pane.ends_with("-- ready", "<anna> meanwhile", "me> half")

    def test_modes_are_restored_on_every_way_out(self):
        pane = self.pane()
        for way in ("quit", "C-c", "C-d", signal.SIGTERM, signal.SIGINT):
            with self.subTest(way=way):
                self.start_demo(pane=pane)
                if way == "quit":
                    pane.enter("/quit")
                elif isinstance(way, str):
                    pane.press(way)
                else:
                    os.kill(self.demo_pid(pane), way)
                pane.shows("bye")
                self.assertNotIn("me>", "\n".join(pane.screen()))
                self.assert_modes_restored(pane)

    def test_ctrl_c_empties_a_line_first(self):
        pane = self.start_demo()
        pane.type("half")
        pane.ends_with("me> half")
        pane.press("C-c")
        pane.ends_with("-- ready", "me>")
        pane.press("C-c")
        pane.shows("-- interrupted")

    def hang(self):
        """A demo at a terminal that nobody reads, to whom more was said than all buffers hold."""
        terminal = Terminal()
        self.addCleanup(terminal.hang_up)
        with as_program():
            process = self.start(
                self.feed,
                before=terminal.before,
                stdin=terminal.slave,
                stdout=terminal.slave,
                env={"TERM": "xterm"},
            )
        terminal.shows("me> ")
        os.write(terminal.wake[1], b"x")
        terminal.reader.join(LIMIT)
        with open(self.feed, "wb") as feed:
            for i in range(100_000):
                feed.write(b"a line that nobody sees %d\n" % i)
            feed.write(b"!stderr\n")
        process.says("on stderr")  # it has taken them all
        return terminal, process

    def test_a_terminal_that_hangs_stops_nothing(self):
        terminal, process = self.hang()
        self.assertFalse(termios.tcgetattr(terminal.slave)[3] & termios.ICANON)
        process.signal(signal.SIGTERM)
        process.wait(0)
        self.assertTrue(termios.tcgetattr(terminal.slave)[3] & termios.ICANON)

    def test_a_terminal_that_goes_on_is_told_what_is_lost(self):
        """What waits has a bound, and behind it the line is there again."""
        terminal, process = self.hang()
        os.read(terminal.wake[0], 1)
        terminal.reader = threading.Thread(target=terminal.read, daemon=True)
        terminal.reader.start()
        terminal.shows("lines are lost")
        lost = int(re.search(r"(\d+) lines are lost", terminal.text)[1])
        self.assertEqual(terminal.text.count("a line that nobody sees") + lost, 100_000)
        terminal.type("still here")
        terminal.shows("me> still here")
        process.signal(signal.SIGTERM)
        process.wait(0)


if __name__ == "__main__":
    main()
