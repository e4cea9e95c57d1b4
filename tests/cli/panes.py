"""Programs in the panes of a tmux: a terminal as a user has it, whose screen can be read."""

import os
import shlex
import subprocess

from harness import LIMIT, PROGRAM, Scenario, clean_environment, until


class Pane:
    """A shell in a window of its own, and what is on its screen."""

    def __init__(self, tmux, name, columns, rows, env):
        self.tmux, self.name = tmux, name
        words = [f"{key}={value}" for key, value in env.items()]
        tmux.run(
            *["new-session", "-d", "-s", name, "-x", str(columns), "-y", str(rows)],
            *["env", *words, "PS1=$ ", "HISTFILE=/dev/null", "bash", "--norc", "--noprofile", "-i"],
        )
        self.shows("$")

    def run(self, *words):
        return self.tmux.run(words[0], "-t", self.name, *words[1:])

    # What the user does.

    def type(self, text):
        self.run("send-keys", "-l", "--", text)

    def press(self, *keys):
        """By tmux's names: Enter, Up, C-c."""
        self.run("send-keys", *keys)

    def enter(self, text):
        self.type(text)
        self.press("Enter")

    def resize(self, columns, rows):
        self.run("resize-window", "-x", str(columns), "-y", str(rows))

    # What he sees.

    def screen(self, *options):
        """The lines on the screen, as far as they are used."""
        return self.run("capture-pane", "-p", *options).rstrip("\n").split("\n")

    @property
    def cursor(self):
        """Its column and its row."""
        text = self.run("display-message", "-p", "#{cursor_x} #{cursor_y}")
        return tuple(int(number) for number in text.split())

    @property
    def pid(self):
        """The pid of the shell."""
        return int(self.run("display-message", "-p", "#{pane_pid}"))

    def until(self, condition, what):
        """Waits until the lines of the screen are as wanted."""
        seen = []

        def look():
            seen[:] = self.screen()
            return condition(seen)

        try:
            until(look, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen:\n" + "\n".join(seen)) from None

    def shows(self, text, count=1):
        """Waits until the text is on the screen so often."""
        self.until(lambda lines: "\n".join(lines).count(text) >= count, repr(text))

    def ends_with(self, *lines):
        """Waits until these are the last lines that are used (blanks at their ends do not count)."""
        wanted = [line.rstrip() for line in lines]
        self.until(lambda seen: [s.rstrip() for s in seen][-len(wanted) :] == wanted, repr(wanted))


class Tmux:
    """A tmux server of the test's own."""

    def __init__(self, folder):
        self.words = ["tmux", "-u", "-f", "/dev/null", "-S", os.path.join(folder, "tmux")]

    def run(self, *words):
        environment = clean_environment()
        for name in ("NO_COLOR", "TMUX", "TMUX_PANE", "LANGUAGE"):
            environment.pop(name, None)
        environment.update({"LC_ALL": "C.UTF-8", "TERM": "xterm-256color"})
        done = subprocess.run(
            [*self.words, *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=LIMIT,
            check=False,
        )
        if done.returncode != 0:
            raise AssertionError(f"tmux {shlex.join(words)}: {done.stderr.decode()}")
        return done.stdout.decode("utf-8", "replace")


class PaneScenario(Scenario):
    """A test with a tmux, which ends with it."""

    def setUp(self):
        super().setUp()
        self.tmux = Tmux(self.folder)
        self.panes = 0
        self.addCleanup(self.end_tmux)

    def end_tmux(self):
        if self.panes > 0:
            self.tmux.run("kill-server")  # of this test: it has a socket of its own

    def skip_without_editor(self):
        """Skips a test whose program was built without libedit."""
        with open(PROGRAM, "rb") as program:
            if b"libedit" not in program.read():
                self.skipTest("built without libedit")

    def pane(self, columns=80, rows=24, **env):
        self.panes += 1
        return Pane(self.tmux, f"p{self.panes}", columns, rows, env)
