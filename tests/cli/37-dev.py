#!/usr/bin/env python3
"""What can be seen of the inside: --dev explains the steps, USI_KEYLOG writes the keys down."""

import hashlib
import hmac
import os
import re
import stat

from harness import (
    KIB,
    NO_AUTHENTICATION,
    OK,
    PIPE,
    USAGE,
    Scenario,
    Server,
    dial,
    echo,
    main,
    receive_all,
    shell,
)
from steps import PHASES, keys, shown, steps, values

LOGGED = re.compile(r"USI_KEY ([0-9a-f]{64}) (0|[1-9][0-9]*) ([cl]) ([0-9a-f]{32}|[0-9a-f]{48}|[0-9a-f]{64})$")
SECRETS = "--dev=secrets"
LITTLE = ["--rekey-bytes", "64K"]


class Seeing(Scenario):
    def meet(self, listen=(), connect=(), up=b"up", down=b"down", key=None, **how):
        """A whole run of both sides."""
        listener = self.listen(*listen, stdin=down, key=key, **how)
        connector = self.connect(listener, *connect, stdin=up, key=key, **how)
        connector.wait(OK)
        listener.wait(OK)
        self.assert_equal_bytes(listener.out.finish(), up)
        self.assert_equal_bytes(connector.out.finish(), down)
        return listener, connector

    def identities(self):
        """Options of both sides that know each other by kept keys."""
        options = []
        for name in ("listener", "connector"):
            path = self.path(f"{name}.pem")
            self.run_program("keygen", "--identity", "-o", path)
            options.append([f"--identity={path}", "--no-remember"])
        prints = []
        for own in options:
            listener = self.listen(*own, "--anyone", key="")
            prints.append(listener.says(r"sha256:([0-9a-f]{64})$").group(1))
            listener.kill()
        return [own + ["--fingerprint", other] for own, other in zip(options, reversed(prints))]

    def modes(self):
        password = self.file("password", b"gruen-wie-Gras\n")
        listen, connect = self.identities()
        return {
            "key": ([], [], None),
            "identity": (listen, connect, ""),
            "password": (["--password-file", password], ["--password-file", password], ""),
        }


class Dev(Seeing):
    def assert_no_secrets(self, process, secrets):
        text = "\n".join(process.lines)
        for secret in secrets:
            self.assertNotIn(secret, text)
            self.assertNotIn(secret[:16], text)

    def test_modes(self):
        """Both sides tell of the same exchange. One shows its secrets: so it is known what the
        other must not show, and what it shows instead."""
        ki = self.read(self.key).decode().split()[-1]
        for mode, (listen, connect, key) in self.modes().items():
            for open_side in ("listener", "connector"):
                with self.round(mode=mode, open_side=open_side):
                    dev = [SECRETS, "--dev"] if open_side == "listener" else ["--dev", SECRETS]
                    pair = self.meet([*listen, dev[0]], [*connect, dev[1]], key=key)
                    told, hidden = pair if open_side == "listener" else reversed(pair)
                    told.says(r"warning: --dev=secrets")
                    self.assertNotIn("warning", "\n".join(hidden.lines))
                    secrets = list(keys(told).values()) + values(told, "(?:Kc|psk)")
                    self.assertEqual(len(secrets), 2 if mode == "identity" else 3)
                    self.assert_no_secrets(hidden, [*secrets, ki])
                    self.assert_no_secrets(told, [ki, "gruen-wie-Gras"])
                    self.assertNotIn("gruen-wie-Gras", "\n".join(hidden.lines))
                    self.assertEqual(
                        keys(hidden), {which: shown(key) for which, key in keys(told).items()}
                    )
                    self.assertEqual(
                        values(hidden, "(?:Kc|psk)"),
                        [f"#{shown(x)}" for x in values(told, "(?:Kc|psk)")],
                    )
                    for name in ("RANDms", "RANDnw", "e", "knock", "SRES", "h", "salt", "p[AB]"):
                        one, other = values(told, name), values(hidden, name)
                        self.assertEqual([x[:16] for x in one], [x[:16] for x in other], name)
                    for side in pair:
                        self.assertEqual({phase for phase, *_ in steps(side)}, set(PHASES))

    def test_values_are_those_of_the_protocol(self):
        """What is shown can be computed again from Ki."""
        listener, connector = self.meet([SECRETS], [SECRETS])
        ki = bytes.fromhex(self.read(self.key).decode().split()[-1])
        for side in (listener, connector):
            rand_nw, rand_ms, h, kc, sres = (
                bytes.fromhex(values(side, name)[0])
                for name in ("RANDnw", "RANDms", "h", "Kc", "SRES")
            )
            a8 = b"\0\0\0\1USI A8\0" + rand_nw + rand_ms + b"\0\0\1\0"
            self.assertEqual(hmac.digest(ki, a8, "sha256"), kc)
            self.assertEqual(hmac.digest(ki, b"USI A3\0USI1 sres" + h, "sha256")[:16], sres)

    def test_who_made_it(self):
        listener, connector = self.meet(["--dev"], ["--dev"])
        for side, ours in ((listener, "RANDnw"), (connector, "RANDms")):
            for name in ("RANDnw", "RANDms"):
                who = [w for _, _, w, text in steps(side) if text.startswith(name + " =")]
                self.assertEqual(who, ["us" if name == ours else "peer"])
            for words in ("only we know", "we and the peer know", "who listens on the wire saw"):
                self.assertEqual(len([1 for *_, text in steps(side) if text.startswith(words)]), 1)

    def test_rekey(self):
        """Keys count up in both directions, and both sides tell of the same ones."""
        for mode, (listen, connect, key) in self.modes().items():
            with self.round(mode=mode):
                listener = self.listen("--dev", *listen, *LITTLE, key=key)
                connector = self.connect(
                    listener, "--dev", *connect, *LITTLE, key=key, stdin=PIPE
                )
                sent = 0
                while sent < 4000 and len(keys(connector)) < 6:
                    connector.write(bytes(32 * KIB))
                    sent += 1
                connector.close_stdin()
                connector.wait(OK)
                listener.wait(OK)
                one, other = keys(connector), keys(listener)
                for side in "cl":
                    epochs = [epoch for way, epoch in one if way == side]
                    self.assertEqual(epochs, list(range(len(epochs))))
                    self.assertGreater(len(epochs), 1)
                # The last rekey may have been cut short by the end.
                common = set(one) & set(other)
                self.assertLessEqual(len(set(one) ^ set(other)), 2)
                self.assertEqual({k: one[k] for k in common}, {k: other[k] for k in common})
                self.assertEqual(len(set(one.values())), len(one))
                connector.says(r"KEY .* the rekey is over")
                connector.says(r"KEY .* type 16, switch")

    def test_wrong_key(self):
        listener = self.listen("--dev", "-k")
        other = self.key_file("other", os.urandom(32).hex())
        self.connect(listener, "--dev", "--check", key=other).wait(NO_AUTHENTICATION)
        listener.says(r"AUTHENTICATION .* peer +knock = ")
        listener.says(r"QUIT .* us +failed: ")
        self.assertEqual(values(listener, "Kc"), [])
        self.assertEqual(keys(listener), {})

    def test_a_stranger_writes_no_lines(self):
        """The name of a message 1 is shown before anybody knows whose it is."""
        listener = self.listen("--dev", "-k")
        name = b"x\nusi-tunnel: KEY  forged \x1b]0;title\x07\xff\x00\xe2\x80\xae"
        message = b"USI1" + bytes([1, 3, 0, len(name)]) + name + bytes(32)
        message += b"\x09" + bytes(31 + 16 + 16)
        with dial(listener.address) as peer:
            peer.sendall(len(message).to_bytes(2, "big") + message)
            self.assertEqual(receive_all(peer)[0], b"")
        listener.says(r"QUIT .* us +failed: ")
        raw = bytes(listener.err.data)
        for octet in (b"\x1b", b"\x07", b"\x00", b"\xff"):
            self.assertNotIn(octet, raw)
        self.assertEqual([x for x in listener.lines if x.startswith("usi-tunnel: KEY")], [])
        self.check(listener)

    def test_peers_are_told_apart(self):
        """Channels that interleave, over several loops: each line names its peer."""
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen("--dev", "--threads", "2", "--forward", server.address)
        connectors = [self.connect(listener, stdin=PIPE) for _ in range(4)]
        for connector in connectors:
            connector.write(b"x")
        for connector in connectors:
            self.assertTrue(connector.out.has(b"x"))
            connector.close_stdin()
            connector.wait(OK)
        listener.says(r"QUIT .* the channel is over", 4)
        peers = {}
        for _, peer, _, text in steps(listener):
            peers.setdefault(peer, []).append(text.split(" = ")[0].split(":")[0])
        self.assertEqual(len(peers), 4)
        for told in peers.values():
            self.assertEqual(told.count("RANDms"), 1)
            self.assertEqual(told.count("Kc"), 1)

    def test_only_when_asked_for(self):
        for side in self.meet(["-v"], ["-v"]):
            self.assertEqual(steps(side), [])

    def test_quiet(self):
        """-q silences the warning, not the trace that was asked for."""
        connector = self.check(self.listen(), "-q", SECRETS)
        self.assertNotIn("warning", "\n".join(connector.lines))
        self.assertEqual(len(steps(connector)), len(connector.lines))
        self.assertEqual(len(keys(connector)), 2)

    def test_words(self):
        for command in ("listen", "connect"):
            for word in ("--dev=secret", "--dev=1", "--dev="):
                with self.round(command=command, word=word):
                    got = self.run_program(
                        command, "127.0.0.1:1", "--key-file", self.key, word, status=USAGE
                    )
                    self.assert_one_line(got, "--dev=secrets")
        got = self.run_program("keygen", "--dev", status=USAGE)
        self.assert_one_line(got, "--dev", "not of keygen")
        config = self.file("config", b"dev\n")
        listener, _ = self.meet(["--config", config])
        self.assertNotEqual(steps(listener), [])


class Keylog(Seeing):
    def log(self, path):
        """{(side, epoch): key} of a log, and the RANDms in it."""
        lines = self.read(path).decode("ascii")
        self.assertTrue(lines.endswith("\n"))
        found = [LOGGED.match(line) for line in lines.splitlines()]
        self.assertNotIn(None, found, lines)
        got = {(m.group(3), int(m.group(2))): m.group(4) for m in found}
        self.assertEqual(len(got), len(found), "a key stands there twice")
        return got, {m.group(1) for m in found}

    def refused(self, path, *words):
        for command in ("listen", "connect"):
            got = self.run_program(
                command,
                "127.0.0.1:1",
                "--key-file",
                self.key,
                status=USAGE,
                env={"USI_KEYLOG": path},
            )
            self.assert_one_line(got, "USI_KEYLOG", path, *words)

    def test_both_sides_log_the_same(self):
        for mode, (listen, connect, key) in self.modes().items():
            with self.round(mode=mode):
                paths = [self.path(f"{mode}.{side}") for side in ("listener", "connector")]
                listener = self.listen(
                    SECRETS, *listen, *LITTLE, key=key, env={"USI_KEYLOG": paths[0]}
                )
                connector = self.connect(
                    listener,
                    SECRETS,
                    *connect,
                    *LITTLE,
                    key=key,
                    stdin=bytes(512 * KIB),
                    env={"USI_KEYLOG": paths[1]},
                )
                connector.wait(OK)
                listener.wait(OK)
                (one, names), (other, other_names) = map(self.log, paths)
                self.assertEqual(names, other_names)
                self.assertEqual(names, {values(connector, "RANDms")[0]})
                self.assertEqual(one, keys(listener))
                self.assertEqual(other, keys(connector))
                for which in set(one) & set(other):
                    self.assertEqual(one[which], other[which])
                self.assertLessEqual(len(set(one) ^ set(other)), 2)
                self.assertGreater(len(one), 2)
                for path, side in zip(paths, (listener, connector)):
                    self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
                    warned = [x for x in side.lines if "USI_KEYLOG" in x]
                    self.assertEqual(len(warned), 1, side.story())
                    self.assertIn(path, warned[0])

    def test_key_sizes(self):
        for bits in (128, 192, 256):
            with self.round(bits=bits):
                key = self.key_file(f"k{bits}", os.urandom(bits // 8).hex())
                path = self.path(f"log{bits}")
                self.listen(key=key, env={"USI_KEYLOG": path})
                self.check(self.processes[-1], key=key)
                logged, _ = self.log(path)
                self.assertEqual({len(x) * 4 for x in logged.values()}, {bits})
                self.assertEqual(set(logged), {("c", 0), ("l", 0)})

    def test_appended_and_shared(self):
        """One file for both sides and for several runs."""
        path = self.file("log", b"# mine\n")
        for count in (1, 2):
            self.meet(env={"USI_KEYLOG": path})
            lines = self.read(path).decode().splitlines()
            self.assertEqual(lines[0], "# mine")
            self.assertEqual(len(lines), 1 + 4 * count)
            for line in lines[1:]:
                self.assertRegex(line, LOGGED)

    def test_quiet(self):
        path = self.path("log")
        listener = self.listen("-v", env={"USI_KEYLOG": path})
        self.check(listener, "-q", env={"USI_KEYLOG": path})
        self.assertEqual(self.processes[-1].lines, [])
        self.assertEqual(len(self.read(path).splitlines()), 4)

    def test_off(self):
        """Empty is as if it were not set."""
        before = set(os.listdir(self.folder))
        for side in self.meet(env={"USI_KEYLOG": ""}):
            self.assertNotIn("KEYLOG", "\n".join(side.lines))
        self.assertEqual(set(os.listdir(self.folder)), before)

    def test_files_that_are_refused(self):
        for mode in (0o644, 0o640, 0o606, 0o660, 0o620):
            with self.round(mode=oct(mode)):
                path = self.file("exposed", b"", mode)
                self.refused(path, "chmod 600")
                self.assertEqual(self.read(path), b"")
        target = self.file("target")
        link = self.path("link")
        os.symlink(target, link)
        self.refused(link, "symbolic link")
        self.assertEqual(self.read(target), b"")
        os.remove(link)
        os.symlink(self.path("absent"), link)
        self.refused(link, "symbolic link")
        self.assertFalse(os.path.exists(self.path("absent")))
        self.refused(self.folder, "directory")
        self.refused(self.path("no/such"), "no such file")
        pipe = self.path("pipe")
        os.mkfifo(pipe, 0o600)
        self.refused(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.refused(pipe, "regular file")

    def test_a_full_disk(self):
        """Said once; the channel does not suffer."""
        full = shell("trap '' XFSZ; ulimit -f 0")
        path = self.path("log")
        listener = self.listen(
            *LITTLE, env={"USI_KEYLOG": path}, before=full
        )
        connector = self.connect(listener, *LITTLE, stdin=bytes(512 * KIB))
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(self.read(path), b"")
        missing = [x for x in listener.lines if "keys are missing" in x]
        self.assertEqual(len(missing), 1, listener.story())


if __name__ == "__main__":
    main()
