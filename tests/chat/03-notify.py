#!/usr/bin/env python3
"""Desktop notifications, on a bus of the test's own."""

import os
import socket
import subprocess
import unittest

from demo import FEATURES, as_program

from harness import DEVNULL, PIPE, Scenario, main, skip_unless_found, until
from streams import Sink

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy></busconfig>
"""


@unittest.skipUnless("notifications" in FEATURES, "built without libsystemd")
class Notify(Scenario):
    def demo(self, address):
        with as_program():
            return self.start(stdin=PIPE, env={"DBUS_SESSION_BUS_ADDRESS": address})

    def program(self, *words):
        process = subprocess.Popen(words, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
        sink = Sink(os.dup(process.stdout.fileno()))
        process.stdout.close()

        def end():
            process.kill()
            process.wait()

        self.addCleanup(end)
        return sink

    def bus(self):
        """Its address."""
        path = self.path("bus")
        config = self.file("bus.conf", BUS.format(path=path).encode())
        self.program("dbus-daemon", "--nofork", f"--config-file={config}")
        until(lambda: os.path.exists(path), "the bus")
        return f"unix:path={path}"

    def monitor(self, address):
        """What a monitor of the bus prints, once it sees what is sent."""
        sink = self.program("dbus-monitor", "--address", address, "member='Notify'")
        return sink

    def assert_goes_on(self, process):
        process.write(b"/stderr\n")
        process.says("on stderr")
        process.close_stdin()
        process.wait(0)
        self.assertEqual(process.lines, ["usi-tunnel: on stderr", "usi-tunnel: bye"])

    @skip_unless_found("dbus-daemon", "dbus-monitor")
    def test_what_is_shown(self):
        address = self.bus()
        sink = self.monitor(address)
        process = self.demo(address)

        def shown(body):
            process.write(b"/notify " + body + b"\n")
            return sink.data

        # Whether it watches already, only its own output tells; the rest is dropped within a second.
        until(lambda: b"first" in shown(b"first"), "a notification")
        text = sink.data.decode()
        for wanted in ('string "usi-tunnel"', 'string "anna"', 'string "first"', "uint32 0", "int32 -1"):
            self.assertIn(wanted, text)
        self.assertIn("path=/org/freedesktop/Notifications", text)
        self.assertIn("interface=org.freedesktop.Notifications", text)
        body = b"<b>bold</b> & \"q\" 'a' \x1b[31m\xc2\x9b \xe2\x80\xaex h\xc3\xa9"
        wanted = "&lt;b&gt;bold&lt;/b&gt; &amp; &quot;q&quot; &#39;a&#39; [31m x h\u00e9"
        until(lambda: wanted.encode() in shown(body), "markup that is escaped")
        until(lambda: ("\u00e9" * 240 + "\u2026").encode() in shown(b"\xc3\xa9" * 300), "a cut")
        self.assertNotIn("\u00e9" * 241, sink.data.decode())
        self.assert_goes_on(process)

    @skip_unless_found("dbus-daemon", "dbus-monitor")
    def test_at_most_one_a_second(self):
        address = self.bus()
        sink = self.monitor(address)
        process = self.demo(address)

        def knock():
            process.write(b"/notify knock\n")
            return b'"knock"' in sink.data

        until(knock, "a notification")
        process.write(b"".join(b"/notify crowd\n" for _ in range(10_000)))
        count = 0

        def last():
            nonlocal count
            count += 1
            process.write(b"/notify last\n")
            return b'"last"' in sink.data

        until(last, "a later one")
        # However slow this machine is: of so many in a burst, few are in different seconds.
        self.assertLess(sink.data.count(b'"crowd"'), 100)
        self.assert_goes_on(process)

    def test_without_a_bus(self):
        process = self.demo("unix:path=" + self.path("nothing"))
        process.write(b"/notify one\n")
        self.assert_goes_on(process)

    def test_a_bus_that_does_not_answer(self):
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(self.path("silent"))
        server.listen(1)
        process = self.demo("unix:path=" + self.path("silent"))
        process.write(b"/notify one\n")
        server.accept()[0].close()
        process.write(b"/notify two\n")
        self.assert_goes_on(process)


if __name__ == "__main__":
    main()
