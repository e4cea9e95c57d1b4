#!/usr/bin/env python3
"""The installed units under a systemd that runs, as process 1 of namespaces of its own."""

import contextlib
import os
import re
import shlex
import subprocess
import unittest

from manager import ServiceScenario

from harness import LIMIT, main, not_wrapped, skip_unless_found, tally

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("USI_BUILD", "")
NAME = "usi-tunnel-listen@test"

# What is done inside: each line is shown with a plus sign before it, and its status behind it.
GO = f"""
cd /run
say() {{ echo "= $*"; }}
try() {{ local status=0; "$@" 2>&1 || status=$?; say "$status" "$*"; }}
field() {{ say "$1 $(systemctl show -P "$1" {NAME}.service)"; }}
check() {{ try usi-tunnel connect unix:/run/usi --key-file "$1" --check; }}

mkdir -p /etc/usi-tunnel /etc/systemd/system/{NAME}.socket.d /etc/systemd/system/{NAME}.service.d
usi-tunnel keygen -o /etc/usi-tunnel/test.key
cp /etc/usi-tunnel/test.key old
echo forward unix:/run/target >/etc/usi-tunnel/test.conf
printf '[Socket]\\nListenStream=/run/usi\\n' >/etc/systemd/system/{NAME}.socket.d/more.conf
printf '[Unit]\\nStartLimitIntervalSec=0\\n[Service]\\nWatchdogSec=1\\nRestartSec=0\\n' >/etc/systemd/system/{NAME}.service.d/less.conf
socat UNIX-LISTEN:target,fork,mode=666 EXEC:cat &
until [ -e target ]; do sleep 0.01; done
systemctl daemon-reload

try systemctl start {NAME}.socket
field ActiveState
check old
field ActiveState
say echo "$(echo through | usi-tunnel connect unix:/run/usi --key-file old)"
until systemctl show -P StatusText {NAME} | grep -q '0 open, 2 so far'; do sleep 0.1; done
field NotifyAccess
pid=$(systemctl show -P MainPID {NAME})
grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/$pid/status | tr '\\t' ' '
say owner "$(ps -o user:32= -p "$pid")"

try systemctl reload {NAME}
field ActiveState
check old
usi-tunnel keygen -o new
cp new /etc/usi-tunnel/test.key
try systemctl restart {NAME}
check old
check new

pid=$(systemctl show -P MainPID {NAME})
for tries in 1 2 3; do
    kill -STOP "$pid"
    until now=$(systemctl show -P MainPID {NAME}); [ "$now" != "$pid" ] && [ "$now" != 0 ]; do
        sleep 0.1
    done
    check new
    field NRestarts
    pid=$now
done

echo no-option >/etc/usi-tunnel/test.conf
try systemctl restart {NAME}
field ExecMainStatus
field ActiveState
"""


def cgroup_mount():
    """Where the second hierarchy is, or None."""
    with open("/proc/mounts", encoding="utf-8") as mounts:
        rows = [line.split() for line in mounts]
    return next((row[1] for row in rows if row[2] == "cgroup2"), None)


@not_wrapped
@unittest.skipIf(os.geteuid() != 0, "needs root: namespaces, mounts")
@unittest.skipUnless(BUILD, "set USI_BUILD to the build folder")
@unittest.skipUnless(os.path.exists("/lib/systemd/systemd"), "not installed: systemd")
@skip_unless_found("cmake", "unshare", "socat", "systemctl", "pivot_root")
class Booted(ServiceScenario):
    def cgroup(self):
        """A group for it alone, which it takes for the root of all."""
        mount = cgroup_mount()
        if mount is None:
            self.skipTest("no control groups of version 2")
        path = os.path.join(mount, f"usi-test-{os.getpid()}")
        try:
            os.mkdir(path)
        except OSError as error:
            self.skipTest(f"no control group can be made: {error}")
        self.addCleanup(self.remove_cgroup, path)
        return path

    def remove_cgroup(self, path):
        for folder, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)

    def boot(self, tree):
        """Runs /go of the tree to its end, and returns what it printed."""
        group = os.path.join(self.cgroup(), "cgroup.procs")
        words = ["unshare", "--mount", "--pid", "--fork", "--net", "--cgroup", "--uts", "--ipc"]
        words += ["--kill-child", os.path.join(HERE, "boot"), tree, self.folder]
        script = f"echo $$ >{shlex.quote(group)}; exec {shlex.join(words)}"
        process = subprocess.Popen(
            ["sh", "-c", script], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            errors = process.communicate(timeout=3 * LIMIT)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            errors = process.communicate()[1] + "not over in time"
        out = self.path("out")
        if not os.path.exists(out):
            self.skipTest(f"no systemd can be started here: {errors.strip()}")
        said = self.read(out).decode()
        print(said, errors, sep="", flush=True)
        return said

    def test_service(self):
        tree = self.path("tree")
        done = subprocess.run(
            ["cmake", "--install", BUILD],
            env={**os.environ, "DESTDIR": tree},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(tree, "go"), "w", encoding="utf-8") as go:
            go.write(GO)
        said = self.boot(tree)
        found = re.findall(r"^= (.*)$", said, re.MULTILINE)

        def wants(*lines):
            for line in lines:
                self.assertTrue(found, f"nothing where {line!r} should be")
                self.assertRegex(found.pop(0), f"^{line}$")

        # The first connection starts it.
        wants("0 systemctl start .*", "ActiveState inactive", "0 usi-tunnel .*")
        wants("ActiveState active", "echo through", "NotifyAccess main")
        self.assertRegex(said, r"(?m)^CapEff: 0+$")
        self.assertRegex(said, r"(?m)^NoNewPrivs: 1$")
        self.assertRegex(said, r"(?m)^Seccomp: 2$")
        wants("owner usi-tunnel-listen.*|owner [0-9]+")
        # The key that systemd has read for it stays until it is restarted.
        wants("0 systemctl reload .*", "ActiveState active", "0 usi-tunnel .* old .*")
        wants("0 systemctl restart .*", "4 usi-tunnel .* old .*", "0 usi-tunnel .* new .*")
        # When it hangs, the watchdog ends it, and connections wait for the next one.
        for count in (1, 2, 3):
            wants("0 usi-tunnel .* new .*", f"NRestarts {count}")
        tally("service hangs, systemd's watchdog", 3, "restarted, connections waited")
        # A mistake in its options is no reason to try again.
        wants("1 systemctl restart .*", "ExecMainStatus 2", "ActiveState failed")
        self.assertEqual(found, [])


if __name__ == "__main__":
    main()
