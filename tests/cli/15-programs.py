#!/usr/bin/env python3
"""Real programs over it: tar, curl, ssh as ProxyCommand, rsync, socat, nc. Those not installed
are skipped."""

import functools
import getpass
import http.server
import os
import shlex
import shutil
import socket
import subprocess
import threading

from harness import (
    DEVNULL,
    LIMIT,
    MIB,
    OK,
    PIPE,
    PROGRAM,
    SLOW,
    WRAP,
    Scenario,
    clean_environment,
    main,
    skip_unless_found,
)

SIZE = MIB if SLOW else 8 * MIB


class Programs(Scenario):
    def run_other(self, *words, status=0, **how):
        """Runs another program, with a limit."""
        done = subprocess.run(
            words,
            timeout=LIMIT,
            stdout=PIPE,
            stderr=PIPE,
            env=clean_environment(),
            check=False,
            **how,
        )
        self.assertEqual(
            done.returncode, status, f"{shlex.join(words)}\n{done.stderr.decode(errors='replace')}"
        )
        return done.stdout

    def tree(self, name):
        """A small folder of files, links and modes."""
        root = self.path(name)
        os.makedirs(os.path.join(root, "inner"))
        for number, size in enumerate((0, 1, 1000, SIZE)):
            with open(
                os.path.join(root, "inner" if number % 2 else "", f"file {number}"), "wb"
            ) as out:
                out.write(os.urandom(size))
        os.chmod(os.path.join(root, "file 0"), 0o640)
        os.symlink("file 0", os.path.join(root, "link"))
        return root

    def assert_same_trees(self, one, other):
        self.run_other("diff", "-r", "--no-dereference", one, other)

    def words(self, *arguments):
        return WRAP + [PROGRAM] + list(arguments)

    @skip_unless_found("tar", "diff")
    def test_tar(self):
        """tar c | connect, listen | tar x"""
        root, copy = self.tree("tree"), self.path("copy")
        os.mkdir(copy)
        unpack = subprocess.Popen(["tar", "xf", "-", "-C", copy], stdin=PIPE)
        listener = self.listen(stdout=unpack.stdin)
        unpack.stdin.close()
        pack = subprocess.Popen(["tar", "cf", "-", "-C", root, "."], stdout=PIPE)
        connector = self.connect(listener, stdin=pack.stdout)
        pack.stdout.close()
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual((pack.wait(LIMIT), unpack.wait(LIMIT)), (0, 0))
        self.assert_same_trees(root, copy)

    @skip_unless_found("tar", "diff")
    def test_tar_the_other_way(self):
        """listen under tar c, connect under tar x"""
        root, copy = self.tree("tree"), self.path("copy")
        os.mkdir(copy)
        pack = subprocess.Popen(["tar", "cf", "-", "-C", root, "."], stdout=PIPE)
        listener = self.listen("--send-only", stdin=pack.stdout)
        pack.stdout.close()
        unpack = subprocess.Popen(["tar", "xf", "-", "-C", copy], stdin=PIPE)
        connector = self.connect(listener, "--recv-only", stdout=unpack.stdin)
        unpack.stdin.close()
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual((pack.wait(LIMIT), unpack.wait(LIMIT)), (0, 0))
        self.assert_same_trees(root, copy)

    @skip_unless_found("curl")
    def test_curl(self):
        """Several downloads and an upload through a forward."""
        root = self.path("www")
        os.mkdir(root)
        data = os.urandom(SIZE)
        with open(os.path.join(root, "data"), "wb") as out:
            out.write(data)
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Quiet, directory=root)
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        listener = self.listen("--forward", "127.0.0.1:%d" % server.server_port)
        connector = self.connect(listener, "-L", "127.0.0.1:0").ready()
        for number in range(3):
            path = self.path(f"got-{number}")
            self.run_other(
                "curl", "-sSf", "--noproxy", "*", "-o", path, f"http://{connector.address}/data"
            )
            self.assert_equal_bytes(self.read(path), data)
        self.run_other(
            "curl", "-sSf", "--noproxy", "*", f"http://{connector.address}/missing", status=22
        )

    def sshd(self):
        """A daemon of our own on loopback, with a key of our own; returns the options of its
        client."""
        sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        for name in ("host", "user"):
            self.run_other("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name))
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        config = self.file(
            "sshd_config",
            "\n".join(
                [
                    f"HostKey {self.path('host')}",
                    f"AuthorizedKeysFile {self.path('user')}.pub",
                    "PidFile none",
                    "StrictModes no",
                    "UsePAM no",
                    "UseDNS no",
                    "PasswordAuthentication no",
                    "KbdInteractiveAuthentication no",
                    "PermitRootLogin yes",
                    "LogLevel ERROR",
                    "Subsystem sftp internal-sftp",
                    "",
                ]
            ).encode(),
        )
        # As inetd would: a daemon process for each connection, and no port that another test
        # could have.
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        running = []

        def serve():
            while True:
                try:
                    peer = server.accept()[0]
                except OSError:
                    return
                with peer:
                    running.append(
                        subprocess.Popen(
                            [sshd, "-i", "-e", "-f", config],
                            stdin=peer,
                            stdout=peer,
                            stderr=DEVNULL,
                        )
                    )

        threading.Thread(target=serve, daemon=True).start()

        def stop():
            for process in running:
                if process.poll() is None:
                    process.kill()
                process.wait()

        self.addCleanup(stop)
        with open(self.path("host.pub"), encoding="ascii") as public:
            host_key = " ".join(public.read().split()[:2])
        known = self.file("known_hosts", f"example {host_key}\n".encode())
        options = [
            "-F",
            "none",
            "-i",
            self.path("user"),
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            f"UserKnownHostsFile={known}",
            "-o",
            "GlobalKnownHostsFile=/dev/null",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "BatchMode=yes",
            "-o",
            "LogLevel=ERROR",
        ]
        return "127.0.0.1:%d" % server.getsockname()[1], options

    def proxied(self):
        """ssh's options for the way through a forwarding listener, with connect as ProxyCommand."""
        target, options = self.sshd()
        listener = self.listen("--forward", target)
        command = shlex.join(self.words("connect", listener.address, "--key-file", self.key, "-q"))
        return options + ["-o", "ProxyCommand=" + command.replace("%", "%%")]

    @skip_unless_found("ssh", "sshd", "ssh-keygen")
    def test_ssh(self):
        options = self.proxied()
        host = f"{getpass.getuser()}@example"
        self.assertEqual(
            self.run_other("ssh", *options, host, "echo over", stdin=DEVNULL), b"over\n"
        )
        self.run_other("ssh", *options, host, "exit 42", status=42, stdin=DEVNULL)
        data = os.urandom(SIZE)
        self.assert_equal_bytes(self.run_other("ssh", *options, host, "cat", input=data), data)

    @skip_unless_found("ssh", "sshd", "ssh-keygen", "scp")
    def test_scp(self):
        options = self.proxied()
        source, copy = self.file("source", os.urandom(SIZE)), self.path("copied")
        self.run_other("scp", "-q", *options, source, f"{getpass.getuser()}@example:{copy}")
        self.assert_equal_bytes(self.read(copy), self.read(source))

    @skip_unless_found("ssh", "sshd", "ssh-keygen", "rsync", "diff")
    def test_rsync(self):
        options = self.proxied()
        root, copy = self.tree("tree"), self.path("copy")
        shell = shlex.join(["ssh"] + options)
        for _ in range(2):
            self.run_other(
                "rsync", "-a", "-e", shell, root + "/", f"{getpass.getuser()}@example:{copy}/"
            )
            self.assert_same_trees(root, copy)
            os.unlink(os.path.join(copy, "file 2"))

    @skip_unless_found("socat")
    def test_socat(self):
        """As socat's EXEC address, with sockets for stdin and stdout."""
        data = os.urandom(SIZE // 4)
        listener = self.listen(stdin=data)
        where = listener.address.split(":")  # a colon would mean something to socat
        command = " ".join(self.words("connect", *where, "--key-file", self.key))
        source = self.file("source", data)
        with open(source, "rb") as stdin:
            got = self.run_other("socat", "-t", str(LIMIT), "-", f"EXEC:{command}", stdin=stdin)
        self.assert_equal_bytes(got, data)
        listener.wait(OK)
        self.assert_equal_bytes(listener.out.finish(), data)

    @skip_unless_found("nc")
    def test_nc(self):
        """nc as the client of a forward to nc's kind of server."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        listener = self.listen("--forward", "127.0.0.1:%d" % server.getsockname()[1])
        connector = self.connect(listener, "-L", "127.0.0.1:0").ready()
        host, port = connector.address.rsplit(":", 1)
        client = subprocess.Popen(["nc", host, port], stdin=PIPE, stdout=PIPE)
        peer = server.accept()[0]
        with peer:
            client.stdin.write(b"from nc")
            client.stdin.flush()
            self.assertEqual(peer.recv(7, socket.MSG_WAITALL), b"from nc")
            peer.sendall(b"to nc")
        self.assertEqual(client.communicate(timeout=LIMIT)[0], b"to nc")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


if __name__ == "__main__":
    main()
