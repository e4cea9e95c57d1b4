#!/usr/bin/env python3
"""Names are resolved in the sandbox, by the modules that nsswitch.conf names."""

import subprocess
import unittest

from confined import needs_root
from harness import NO_CONNECTION, OK, Scenario, main

MODULE = "libnss_myhostname.so.2"

# Runs a program where /etc/nsswitch.conf is another file.
SWITCH = 'mount --bind "$1" /etc/nsswitch.conf && shift && exec "$@"'


def has_module():
    found = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False)
    return MODULE in found.stdout


def can_mount():
    return not subprocess.run(
        ["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False
    ).returncode


class Names(Scenario):
    def test_files(self):
        """localhost, in a thread of the pool and at the start."""
        listener = self.listen(address="localhost:0", ready=False)
        listener.ready()
        port = listener.address.rsplit(":", 1)[1]
        connector = self.connect(f"localhost:{port}", stdin=b"by name\n")
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(bytes(listener.out.data), b"by name\n")

    @needs_root
    @unittest.skipUnless(has_module(), f"no {MODULE}")
    @unittest.skipUnless(can_mount(), "no mount namespaces")
    def test_module(self):
        """A name that only a module knows, which is loaded when the sandbox is entered long
        since; and the same without the module."""
        for service, status in (("myhostname", OK), ("files", NO_CONNECTION)):
            with self.round(service=service):
                switch = self.file(service, f"hosts: {service}\n".encode(), 0o644)
                words = ["unshare", "-m", "sh", "-euc", SWITCH, "sh", switch]
                listener = self.listen("-k")
                port = listener.address.rsplit(":", 1)[1]
                connector = self.connect(f"usi.localhost:{port}", "-4", before=words, stdin=b"hi\n")
                connector.wait(status)


if __name__ == "__main__":
    main()
