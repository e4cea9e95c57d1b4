#!/usr/bin/env python3
"""Key texts, key files, and where a key may come from."""

import base64
import hashlib
import os

from harness import OK, NO_AUTHENTICATION, NO_CONNECTION, USAGE, Scenario, main, reserve_port, shell

FINGERPRINT = r"key fingerprint: sha256:([0-9a-f]{64})\b"


class KeyTexts(Scenario):
    """Every form of a key is the same key."""

    def fingerprint_of(self, text):
        path = self.key_file("form", text)
        listener = self.listen("-v", key=path)
        connector = self.connect(listener, "-v", "--check", key=path)
        connector.wait(OK)
        shown = {p.says(FINGERPRINT).group(1) for p in (listener, connector)}
        self.assertEqual(len(shown), 1)
        return shown.pop()

    def test_forms(self):
        for size in (16, 24, 32):
            octets = os.urandom(size)
            text = octets.hex()
            base = base64.b64encode(octets).decode()
            forms = [
                text,
                text.upper(),
                "hex:" + text,
                base,
                "base64:" + base,
                "# a comment\n# another\n" + text,
            ]
            for form in forms:
                with self.round(size=size, form=form.replace(text, "HEX").replace(base, "BASE64")):
                    self.assertEqual(self.fingerprint_of(form), hashlib.sha256(octets).hexdigest())

    def test_hex_digits_that_are_base64_too(self):
        text = "0123456789abcdef" * 2  # hex of 16 octets, base64 of 24
        self.assertEqual(self.fingerprint_of(text), hashlib.sha256(bytes.fromhex(text)).hexdigest())
        as_base = hashlib.sha256(base64.b64decode(text)).hexdigest()
        self.assertEqual(self.fingerprint_of("base64:" + text), as_base)

    def test_sizes_do_not_mix(self):
        keys = [self.key_file(f"k{size}", os.urandom(size).hex()) for size in (16, 24, 32)]
        listener = self.listen("-k", key=keys[0])
        for other in keys[1:]:
            self.check(listener, key=other, status=NO_AUTHENTICATION)
        self.check(listener, key=keys[0])


class KeyFiles(Scenario):
    def refused(self, path, *words, **how):
        """Both commands refuse it with one line that names the file and what is wrong."""
        for command in (["listen", "127.0.0.1:0"], ["connect", "127.0.0.1:1"]):
            got = self.run_program(*command, "--key-file", path, status=USAGE, **how)
            self.assert_one_line(got, path, *words)
        return got

    def test_malformed(self):
        good = os.urandom(32).hex()
        cases = {
            "empty": "",
            "comments only": "# nothing\n",
            "odd": good[:-1],
            "15 octets": os.urandom(15).hex(),
            "33 octets": os.urandom(33).hex(),
            "8 octets": os.urandom(8).hex(),
            "bad digit": good[:-1] + "g",
            "bad digit after hex:": "hex:" + good[:-1] + "z",
            "short after hex:": "hex:" + good[:-2],
            "bad base64": "base64:" + base64.b64encode(os.urandom(32)).decode()[:-2] + "!=",
            "no padding": "base64:" + base64.b64encode(os.urandom(16)).decode().rstrip("="),
            "unknown prefix": "octal:" + good,
            "two keys": good + "\n" + os.urandom(32).hex(),
            "inner blank": good[:32] + " " + good[32:],
        }
        for number, (case, text) in enumerate(cases.items()):
            with self.round(case=case):
                got = self.refused(self.key_file(f"bad-{number}", text))
                for secret in text.split():
                    if len(secret) >= 16:
                        self.assertNotIn(
                            secret[4:], "\n".join(got.lines), "the message shows the key"
                        )

    def test_binary(self):
        self.refused(self.file("raw", b"\x00\xff\x80" + os.urandom(29)))

    def test_huge(self):
        self.refused(
            self.file("huge", b"#" + b"x" * 100000 + b"\n" + os.urandom(32).hex().encode())
        )

    def test_unterminated_line(self):
        path = self.file("bare", os.urandom(32).hex().encode())
        self.check(self.listen(key=path), key=path)

    def test_missing(self):
        self.refused(self.path("no-such-file"), "no such file")

    def test_folder(self):
        self.refused(self.folder)

    def test_exposed(self):
        for mode in (0o604, 0o602, 0o606, 0o644, 0o666):
            with self.round(mode=oct(mode)):
                self.refused(self.key_file("exposed", os.urandom(32).hex(), mode), "chmod")

    def test_group_may_read(self):
        for mode in (0o400, 0o600, 0o640, 0o660):
            with self.round(mode=oct(mode)):
                os.chmod(self.key, mode)
                self.check(self.listen())

    def test_pipe_is_no_regular_file(self):
        """A key through a descriptor, as <(command) gives it, has no mode to judge."""
        self.check(
            self.listen(),
            key="/dev/fd/3",
            before=["bash", "-c", f'exec 3< <(cat {self.key}); exec "$@"', "bash"],
        )


class Sources(Scenario):
    def test_environment(self):
        listener = self.listen(key="", env={"USI_KEY_FILE": self.key})
        self.check(listener, key="", env={"USI_KEY_FILE": self.key})

    def test_command_line_wins(self):
        listener = self.listen(env={"USI_KEY_FILE": self.path("no-such-file")})
        self.check(listener, env={"USI_KEY_FILE": self.key_file("other", os.urandom(32).hex())})

    def test_bad_file_in_the_environment(self):
        bad = self.key_file("bad", "no key")
        got = self.run_program("connect", "127.0.0.1:1", env={"USI_KEY_FILE": bad}, status=USAGE)
        self.assert_one_line(got, bad)

    def test_none(self):
        for command in ("listen", "connect"):
            with self.round(command=command):
                got = self.run_program(
                    command, "127.0.0.1:0" if command == "listen" else "127.0.0.1:1", status=USAGE
                )
                self.assert_one_line(got, "key")
                self.assertTrue(
                    "keygen" in got.lines[0] or "--key-file" in got.lines[0], "no next step"
                )

    def test_two(self):
        text = self.read(self.key).decode().strip()
        for command in (["listen", "127.0.0.1:0"], ["connect", "127.0.0.1:1"]):
            with self.round(command=command[0]):
                got = self.run_program(
                    *command, "--key-file", self.key, "--key", text, status=USAGE
                )
                self.assertIn("--key", " ".join(got.lines))

    def test_two_files_are_for_listen(self):
        self.run_program(
            "connect", "127.0.0.1:1", "--key-file", self.key, "--key-file", self.key, status=USAGE
        )

    def test_text(self):
        text = self.read(self.key).decode().strip()
        listener = self.listen("--key", text, key="")
        self.assertTrue(
            any("--key" in line for line in listener.lines), "no warning that others can see it"
        )
        connector = self.check(listener, "--key", text, key="")
        self.assertTrue(any("--key" in line for line in connector.lines), connector.story())

    def test_bad_text(self):
        got = self.run_program("connect", "127.0.0.1:1", "--key", "0123", status=USAGE)
        self.assertNotIn("0123 ", " ".join(got.lines))

    def test_stdin(self):
        """`-` where stdin carries no data: forwards."""
        target = self.listen(
            "--forward", "127.0.0.1:1", "--key-file", "-", key="", stdin=self.read(self.key)
        )
        self.check(target)
        local = self.start(
            "connect",
            target.address,
            "-L",
            "127.0.0.1:0",
            "--key-file",
            "-",
            stdin=self.read(self.key),
        )
        local.ready()

    def test_stdin_is_not_for_a_pipe(self):
        for command in (["listen", "127.0.0.1:0"], ["connect", "127.0.0.1:1"]):
            with self.round(command=command[0]):
                got = self.run_program(
                    *command, "--key-file", "-", stdin=self.read(self.key), status=USAGE
                )
                self.assert_one_line(
                    got, "stdin" if "stdin" in " ".join(got.lines) else "standard input"
                )

    def test_overlap(self):
        """A listener takes an old key and a new one; a third is a stranger's."""
        new, third = (self.key_file(name, os.urandom(32).hex()) for name in ("new", "third"))
        listener = self.listen("-k", "--key-file", new)
        self.check(listener)
        self.check(listener, key=new)
        self.check(listener, key=third, status=NO_AUTHENTICATION)
        self.connect(listener, key=new, stdin=b"with the new key").wait(OK)
        self.assertTrue(listener.out.has(b"with the new key"))

    def test_overlap_of_sizes(self):
        short = self.key_file("short", os.urandom(16).hex())
        listener = self.listen("-k", "--key-file", short)
        self.check(listener)
        self.check(listener, key=short)

    def test_one_bad_of_two(self):
        bad = self.key_file("bad", "no key")
        got = self.run_program(
            "listen", "127.0.0.1:0", "--key-file", self.key, "--key-file", bad, status=USAGE
        )
        self.assert_one_line(got, bad)


class Protection(Scenario):
    def test_no_core(self):
        listener = self.listen(before=shell("ulimit -c unlimited 2>/dev/null || :"))
        with open(f"/proc/{listener.pid}/limits", encoding="ascii") as limits:
            line = next(line for line in limits if line.startswith("Max core file size"))
        self.assertEqual(line.split()[4:6], ["0", "0"], line)

    def test_a_refused_connection_says_nothing_of_the_key(self):
        holder, address = reserve_port()
        with holder:
            got = self.connect(address, "-v")
            got.wait(NO_CONNECTION)
            self.assertNotIn(self.read(self.key).decode().strip(), "\n".join(got.lines))


if __name__ == "__main__":
    main()
