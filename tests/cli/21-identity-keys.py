#!/usr/bin/env python3
"""keygen --identity: what it writes, where, what it says, and what it never overwrites."""

import hashlib
import os
import re
import stat
import subprocess

from harness import (
    DEVNULL,
    LOCAL,
    OK,
    USAGE,
    Scenario,
    clean_environment,
    main,
    redirected,
    shell,
    skip_unless_found,
)

SAID = r"^usi-tunnel: identity fingerprint: sha256:([0-9a-f]{64})$"
ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
FORMS = {"--identity": "ED25519", "--identity=ed25519": "ED25519", "--identity=rsa": "RSA"}


def openssl(*words, stdin=b""):
    return subprocess.run(
        ["openssl", *words], input=stdin, stdout=subprocess.PIPE, env=clean_environment(), check=True
    ).stdout


@skip_unless_found("openssl")
class IdentityKeys(Scenario):
    def check_key(self, pem, kind, lines):
        """openssl reads it as an unencrypted PKCS #8 key of that kind, whose fingerprint is the one
        line said."""
        self.assertTrue(pem.startswith(b"-----BEGIN PRIVATE KEY-----\n"), pem[:40])
        self.assertTrue(pem.endswith(b"-----END PRIVATE KEY-----\n"), pem[-40:])
        text = openssl("pkey", "-noout", "-text", stdin=pem).decode()
        first = {"ED25519": "ED25519 Private-Key:", "RSA": "Private-Key: (2048 bit"}[kind]
        self.assertTrue(text.startswith(first), text[:60])
        if kind == "RSA":
            self.assertIn("publicExponent: 65537", text)
        openssl("pkey", "-noout", "-check", stdin=pem)
        spki = openssl("pkey", "-pubout", "-outform", "DER", stdin=pem)
        if kind == "ED25519":
            self.assertEqual(spki[:-32], ED25519_SPKI)
        self.assertEqual(len(lines), 1, lines)
        found = re.match(SAID, lines[0])
        self.assertTrue(found, lines)
        self.assertEqual(found.group(1), hashlib.sha256(spki).hexdigest())

    def test_stdout(self):
        for form, kind in FORMS.items():
            with self.round(form=form):
                made = self.run_program("keygen", form)
                self.check_key(bytes(made.out.finish()), kind, made.lines)

    def test_file(self):
        for number, (form, kind) in enumerate(FORMS.items()):
            for mask in ("0", "022", "0777"):
                with self.round(form=form, umask=mask):
                    path = self.path(f"made-{number}-{mask}")
                    made = self.run_program(
                        "keygen", form, "-o", path, before=shell("umask " + mask)
                    )
                    self.assertEqual(made.out.finish(), b"")
                    self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
                    self.check_key(self.read(path), kind, made.lines)

    def test_quiet(self):
        made = self.run_program("keygen", "--identity", "-q")
        self.assertEqual(made.lines, [])
        self.assertIn(b"PRIVATE KEY", made.out.finish())

    def test_keys_differ(self):
        keys = {
            bytes(self.run_program("keygen", "--identity").out.finish()) for _ in range(4)
        }
        self.assertEqual(len(keys), 4)

    def test_other_words_are_refused(self):
        for word in ("rsa2048", "RSA", "ec", "ed448", "file:key", " ", "/dev/null"):
            with self.round(word=word):
                made = self.run_program("keygen", f"--identity={word}", status=USAGE)
                self.assertEqual(made.out.finish(), b"")
                self.assert_one_line(made, "ed25519", "rsa")

    def test_bits_are_of_the_other_keys(self):
        for form in FORMS:
            with self.round(form=form):
                made = self.run_program("keygen", form, "--bits", 256, status=USAGE)
                self.assertEqual(made.out.finish(), b"")
                self.assert_one_line(made, "--bits", "--identity")

    def test_file_is_never_overwritten(self):
        path = self.file("precious", b"precious\n")
        for form in FORMS:
            with self.round(form=form):
                made = self.run_program("keygen", form, "-o", path, status=USAGE)
                self.assert_one_line(made, path, "exist")
                self.assertEqual(self.read(path), b"precious\n")

    def test_link_is_not_followed(self):
        target, link = self.path("target"), self.path("link")
        os.symlink(target, link)
        made = self.run_program("keygen", "--identity", "-o", link, status=USAGE)
        self.assert_one_line(made, link)
        self.assertFalse(os.path.exists(target))

    def test_file_that_cannot_be_made(self):
        path = self.path("no-such-folder/key")
        made = self.run_program("keygen", "--identity", "-o", path, status=USAGE)
        self.assert_one_line(made, path)

    def test_full_disk(self):
        """Standard output that is full, and a file that takes no more than 512 octets: nothing is
        left of it, and no fingerprint is said."""
        with open("/dev/full", "wb") as full:
            made = self.run_program("keygen", "--identity", stdout=full, status=LOCAL)
        self.assert_one_line(made, "standard output")
        path = self.path("cut")
        made = self.run_program(
            "keygen",
            "--identity=rsa",
            "-o",
            path,
            before=shell("trap '' XFSZ; ulimit -f 1"),
            status=LOCAL,
        )
        self.assert_one_line(made, path, "large")
        self.assertFalse(os.path.exists(path))

    def test_closed_stdout(self):
        made = self.run_program(
            "keygen", "--identity", before=redirected(">&-"), stdout=DEVNULL, status=LOCAL
        )
        self.assert_one_line(made)

    def test_warns_of_a_file_that_others_can_read(self):
        path = self.path("exposed")
        with open(path, "wb") as out:
            os.fchmod(out.fileno(), 0o644)
            made = self.run_program("keygen", "--identity", stdout=out)
        self.assertEqual(len(made.lines), 2)
        self.assertIn("chmod 600", made.lines[0])
        self.check_key(self.read(path), "ED25519", made.lines[1:])

    def test_no_algorithm(self):
        made = self.run_program(
            "keygen", "--identity", "--propquery", "provider=nobody", status=USAGE
        )
        self.assertEqual(made.out.finish(), b"")
        self.assert_one_line(made, "ed25519")

    def test_usi_so_is_not_needed(self):
        self.run_program("keygen", "--identity", env={"OPENSSL_MODULES": self.folder}, status=OK)


if __name__ == "__main__":
    main()
