"""Runs tshark with the dissector, and reads what it shows."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as tree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
sys.dont_write_bytecode = True

import harness  # noqa: E402

LUA = os.path.join(ROOT, "scripts", "wireshark")
SCRIPT = os.path.join(LUA, "usi.lua")
VECTORS = os.path.join(ROOT, "tests", "vectors", "aes-ocb.txt")
STORED = os.path.join(HERE, "usi.pcap")
LUA_ERROR = re.compile(r"lua: |lua error|\.lua:\d+:", re.IGNORECASE)

GENERATED = {"usi.from", "usi.message", "usi.record.epoch", "usi.record.counter"}


class Unit:
    """A message or a record as it is shown: values by field, without "usi.", in their order. stream: the number of its
    TCP connection in the capture."""

    def __init__(self, proto, stream):
        self.text, self.stream = proto.get("showname"), stream
        self.values, self.octets = [], []
        for field in proto.iter("field"):
            name, value = field.get("name"), field.get("value")
            if name.startswith("usi.") and not name.startswith("usi.expert."):
                self.values.append((name[4:], field.get("show")))
                if name not in GENERATED and name != "usi.flags.kem" and value:
                    self.octets.append((name[4:], bytes.fromhex(value)))
        self.notes = {f.get("name")[11:] for f in proto.iter("field") if f.get("name").startswith("usi.expert.")}

    def __getitem__(self, name):
        """A field's value as it is shown; None if it is not there."""
        return dict(self.values).get(name)

    def raw(self, name):
        """A field's octets."""
        return dict(self.octets).get(name, b"")

    def covered(self, *leaving_out):
        """The octets of all its fields."""
        return b"".join(octets for name, octets in self.octets if name not in leaving_out)

    @property
    def name(self):
        """What it is called behind its sender: "Message 1, key mode", "data, 5 octets"."""
        return self.text.split(": ", 1)[1]


class Tshark(harness.Scenario):
    """A scenario that reads captures."""

    def setUp(self):
        super().setUp()
        # Nobody's preferences and plugins: another copy of the dissector may be among these.
        self.home = {k: v for k, v in os.environ.items() if k not in ("XDG_CONFIG_HOME", "USI_KEYLOG")}
        self.home["HOME"] = self.folder
        self.loads_scripts()

    def tshark(self, capture, *options, keylog=None, env=None):
        """Its output. There must be no error of the dissector's in it."""
        more = ["-o", f"usi.keylog:{keylog}"] if keylog else []
        command = ["tshark", "-X", f"lua_script:{SCRIPT}", *more, "-r", capture, *options]
        done = subprocess.run(
            command, capture_output=True, env={**self.home, **(env or {})}, timeout=harness.LIMIT, check=False
        )
        said, out = done.stderr.decode("utf-8", "replace"), done.stdout.decode("utf-8", "replace")
        self.assertEqual(done.returncode, 0, said)
        found = LUA_ERROR.search(said) or LUA_ERROR.search(out)
        if found:
            text = found.string
            self.fail(text[max(0, found.start() - 200) : found.end() + 300])
        return out

    def loads_scripts(self):
        """Newer ones load no scripts for root."""
        path = self.file("loads.lua", b'print("script" .. "s load")\n')
        done = subprocess.run(
            ["tshark", "-X", f"lua_script:{path}", "-r", STORED],
            capture_output=True, env=self.home, timeout=harness.LIMIT, check=False,
        )
        if b"scripts load" not in done.stdout:
            self.skipTest("this tshark loads no Lua scripts for this user")

    def units(self, capture, *options, keylog=None, **how):
        """All units of a capture, in their order."""
        shown = tree.fromstring(self.tshark(capture, "-T", "pdml", *options, keylog=keylog, **how))
        units = []
        for packet in shown.iter("packet"):
            streams = [field.get("show") for field in packet.iter("field") if field.get("name") == "tcp.stream"]
            protos = [proto for proto in packet.iter("proto") if proto.get("name") == "usi"]
            units += [Unit(proto, int(streams[0])) for proto in protos]
        return units

    def data(self, units, sender, field="data"):
        """What one side sent, put together."""
        return b"".join(unit.raw(field) for unit in units if unit["from"] == sender)

    def names(self, units, sender):
        return [unit.name for unit in units if unit["from"] == sender]

    def write(self, capture, *sessions, keylog=None):
        """The capture and its key log as files; keylog: text in place of the sessions'."""
        path, log = self.path("capture.pcap"), self.path("keys")
        capture.write(path)
        lines = "".join(session.keylog() for session in sessions) if keylog is None else keylog
        self.file("keys", lines.encode())
        return path, log


skip_without_tshark = harness.skip_unless_found("tshark")
