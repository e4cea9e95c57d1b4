"""What `usi-tunnel --help` says, for the checks of the documents against it."""

import os
import re
import subprocess

SIDES = ("listen", "connect")
WITH_SIDES = ("chat", "send", "receive")
LINE = re.compile(r"^  (?:-(\S),|   ) --([a-z0-9-]+)(\[=|\s[A-Z]+\b)?")


def run(program, *words):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "USI_"))}
    result = subprocess.run(
        [program, *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )
    return result.returncode, result.stdout, result.stderr


def subcommands(program):
    """The subcommands that the overview names."""
    overview = run(program, "--help")[1]
    found = re.findall(r"^(?:usage:|      ) usi-tunnel ([a-z]+)", overview, re.MULTILINE)
    assert "listen" in found and "keygen" in found, overview
    return found


def places(program):
    """Where options can stand: (subcommand, words that reach it)."""
    for command in subcommands(program):
        if command in WITH_SIDES:
            yield from ((command, (command, side)) for side in SIDES)
        else:
            yield command, (command,)


class Option:
    """One of --help: its letter or "", whether it takes a value ("", " " behind a blank, "=" an
    optional one), and what it is without it or ""."""

    def __init__(self, letter, value, preset):
        self.letter, self.value, self.preset = letter, value, preset


def options(program, words):
    """The options of a subcommand by their long names."""
    status, text, _ = run(program, *words, "--help")
    assert status == 0, words
    found = {}
    entries = re.split(r"\n(?=  (?:-.,|   ) --)|\n\n", text)
    for entry in entries:
        match = LINE.match(entry)
        if match:
            preset = re.search(r"\(([^() ]+)\)$", entry)
            value = {"[=": "=", "": ""}.get(match[3] or "", " ")
            found[match[2]] = Option(match[1] or "", value, preset[1] if preset else "")
    assert "help" in found and "version" in found, text
    return found
