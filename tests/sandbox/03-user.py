#!/usr/bin/env python3
"""--user: who the process is once it needs root no longer."""

import grp
import os
import pwd
import random
import shutil
import socket
import stat
import struct
import tempfile

from confined import needs_root, status_of
from harness import (
    DEVNULL,
    LISTENING,
    LOCAL,
    NO_AUTHENTICATION,
    NO_CONNECTION,
    OK,
    PIPE,
    USAGE,
    Scenario,
    dial,
    main,
    until,
)

USER = "nobody"


def first_free_port():
    """A port that only root may have, on a loopback address of this process's own."""
    address = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
    return f"{address}:{random.randrange(600, 1000)}"


class Refused(Scenario):
    @needs_root
    def test_by_others(self):
        words = ["setpriv", "--reuid", USER, "--regid", str(pwd.getpwnam(USER).pw_gid),
                 "--clear-groups"]
        key = self.key_file("open", os.urandom(32).hex())
        os.chmod(self.folder, 0o755)
        os.chown(key, pwd.getpwnam(USER).pw_uid, -1)
        got = self.run_program("listen", "127.0.0.1:0", "--key-file", key, "--user", USER,
                               before=words, status=USAGE)
        self.assert_one_line(got, "--user", "root")

    @needs_root
    def test_words(self):
        for wanted, word in (("no-such-user", "no user"), ("root", "is root"),
                             (f"{USER}:no-such-group", "no group"), (f"{USER}:", "no group"),
                             (":" + USER, "no user")):
            with self.round(wanted=wanted):
                got = self.run_program("connect", "127.0.0.1:1", "--key-file", self.key, "--user",
                                       wanted, status=USAGE)
                self.assert_one_line(got, "--user", word)


@needs_root
class Dropped(Scenario):
    def setUp(self):
        super().setUp()
        self.user = pwd.getpwnam(USER)
        # The user gets there, the key stays root's.
        os.chmod(self.folder, 0o755)

    def owned(self, name):
        path = self.path(name)
        os.mkdir(path)
        os.chown(path, self.user.pw_uid, self.user.pw_gid)
        return path

    def identities(self, process):
        """The user and group ids of each thread, and its capabilities and groups."""
        found = status_of(process.pid)
        ids = {(x["Uid"], x["Gid"]) for x in found}
        self.assertEqual({x["CapPrm"] for x in found} | {x["CapEff"] for x in found}, {"0" * 16})
        return ids, {x["Groups"].strip() for x in found}

    def wait_dropped(self, process, gid=None):
        ids = "\t".join([str(self.user.pw_uid)] * 4)
        groups = "\t".join([str(self.user.pw_gid if gid is None else gid)] * 4)
        until(lambda: {(x["Uid"], x["Gid"]) for x in status_of(process.pid)} == {(ids, groups)},
              "the user to be dropped")
        self.identities(process)

    def test_listener_on_a_port_of_roots(self):
        """The key is readable for root alone, and the port is root's to take."""
        for sandbox in ((), ("--no-sandbox",)):
            with self.round(sandbox=sandbox):
                listener = self.listen("--user", USER, *sandbox, address=first_free_port(),
                                       stdin=PIPE)
                self.wait_dropped(listener)
                connector = self.connect(listener, "--user", USER, *sandbox, stdin=PIPE)
                connector.write(b"x")
                listener.out.until(lambda listener=listener: listener.out.count > 0)
                self.wait_dropped(connector)
                for process in (listener, connector):
                    process.close_stdin()
                connector.wait(OK)
                listener.wait(OK)

    def test_threads_and_group(self):
        group = next(g for g in grp.getgrall() if g.gr_gid not in (0, self.user.pw_gid))
        listener = self.listen("--user", f"{USER}:{group.gr_name}", "--forward", "127.0.0.1:1",
                               "--threads", 3)
        until(lambda: len(status_of(listener.pid)) >= 3, "the threads")
        self.wait_dropped(listener, group.gr_gid)

    def test_unix_socket(self):
        """The socket is the user's, for him alone; and removed at the end if he may."""
        for folder, mine in (("his", True), ("not-his", False)):
            with self.round(folder=folder):
                if mine:
                    self.owned(folder)
                else:
                    os.mkdir(self.path(folder))
                path = self.path(f"{folder}/socket")
                listener = self.listen("--user", USER, "-k", address=f"unix:{path}")
                self.wait_dropped(listener)
                facts = os.lstat(path)
                self.assertEqual((facts.st_uid, facts.st_gid, stat.filemode(facts.st_mode)),
                                 (self.user.pw_uid, self.user.pw_gid, "srw-------"))
                self.check(listener)
                listener.signal(15)
                listener.wait(OK)
                self.assertEqual(os.path.exists(path), not mine)

    def test_receive(self):
        """Files are his; a folder that he cannot write to is refused at once."""
        here = self.owned("here")
        text = self.file("text", b"text", 0o644)
        receiver = self.start("receive", "listen", "127.0.0.1:0", "-d", here, "--yes", "--key-file",
                              self.key, "--user", USER).ready()
        self.run_program("send", "connect", receiver.address, text, "--key-file", self.key)
        receiver.wait(OK)
        facts = os.lstat(os.path.join(here, "text"))
        self.assertEqual(facts.st_uid, self.user.pw_uid)

    def test_files_that_he_cannot_touch(self):
        os.mkdir(self.path("roots"), 0o755)
        secret = self.file("secret", b"", 0o600)
        for side in ("listen", "connect"):
            for words in (["receive", side, "127.0.0.1:0" if side == "listen" else "127.0.0.1:1",
                           "-d", self.path("roots"), "--yes"],
                          ["send", side, "127.0.0.1:0" if side == "listen" else "127.0.0.1:1",
                           secret]):
                with self.round(words=words):
                    got = self.run_program(*words, "--key-file", self.key, "--user", USER,
                                           status=LOCAL)
                    self.assert_one_line(got, f"--user: {USER} cannot", "Permission denied")

    def test_background(self):
        path = self.path("stderr")
        folder = self.owned("run")
        with open(path, "wb") as err:
            process = self.start("listen", f"unix:{folder}/s", "--key-file", self.key, "--forward",
                                 "127.0.0.1:1", "-f", "--user", USER, stderr=err, stdout=DEVNULL)
            self.assertEqual(process.popen.wait(60), OK)
        self.assertRegex(self.read(path).decode(), LISTENING)
        with dial(f"unix:{folder}/s") as peer:
            peer_of = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid = struct.unpack("3i", peer_of)[0]
        try:
            self.assertEqual({x["Uid"].split()[0] for x in status_of(pid)},
                             {str(self.user.pw_uid)})
        finally:
            os.kill(pid, 15)
            until(lambda: not os.path.exists(f"{folder}/s"), "the listener's end")

    def test_remembered_peers_are_his(self):
        """HOME is his: what root's file says does not count for him."""
        home = tempfile.mkdtemp(prefix="usi-")
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        state = os.path.join(home, ".local/state/usi")
        os.makedirs(state)
        with open(os.path.join(state, "known"), "w", encoding="ascii") as known:
            known.write("not a line\n")
        os.chmod(os.path.join(state, "known"), 0o600)
        identity = self.path("me.pem")
        self.run_program("keygen", "--identity", "-o", identity)
        listener = self.listen("--identity", "--anyone", key="")
        for options, status, said in (((), LOCAL, "known is malformed"),
                                      (("--user", USER), NO_AUTHENTICATION, "is not known")):
            with self.round(options=options):
                connector = self.connect(listener, f"--identity={identity}", *options, key="",
                                         env={"HOME": home, "XDG_STATE_HOME": ""},
                                         before=["setsid", "-w"])
                connector.wait(status)
                self.assertIn(said, " ".join(connector.lines))

    def test_bad_address_is_said_as_root(self):
        got = self.run_program("listen", "192.0.2.1:1", "--key-file", self.key, "--user", USER,
                               status=NO_CONNECTION)
        self.assertIn("cannot listen", " ".join(got.lines))


if __name__ == "__main__":
    main()
