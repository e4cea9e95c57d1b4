#!/usr/bin/env python3
"""identity.py's signatures against those of the openssl program."""

import os
import shutil
import subprocess
import tempfile
import unittest

import identity
from identity import Ed25519Key, RSAKey


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class OpenSSL(unittest.TestCase):
    """Both ways, right and wrong."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="usi-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name, content=None):
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)
        return path

    def openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], capture_output=True, check=False)
        return done.returncode == 0, done.stdout

    def both_ways(self, key, pem, options):
        message = os.urandom(100)
        private, text = self.path("key", pem), self.path("message", message)
        spki = self.openssl("pkey", "-in", private, "-pubout", "-outform", "DER")[1]
        self.assertEqual(spki, key.spki)
        self.assertEqual(identity.public_key(spki).kind, key.kind)
        public = self.path("public", self.openssl("pkey", "-in", private, "-pubout")[1])
        made = self.openssl("pkeyutl", "-sign", "-rawin", *options, "-inkey", private, "-in", text)[1]
        self.assertTrue(key.verify(made, message))
        self.assertFalse(key.verify(made, message + b"x"))
        for changed in (b"", b"x"):
            signature = self.path("signature", key.sign(message + changed))
            good, _ = self.openssl(
                "pkeyutl",
                "-verify",
                "-rawin",
                *options,
                "-pubin",
                "-inkey",
                public,
                "-in",
                text,
                "-sigfile",
                signature,
            )
            self.assertEqual(good, not changed)
        return made

    def test_ed25519(self):
        for _ in range(3):
            key = Ed25519Key()
            made = self.both_ways(key, key.pem().encode(), [])
            with open(self.path("message"), "rb") as file:
                self.assertEqual(key.sign(file.read()), made)

    def test_rsa(self):
        pss = ["-digest", "sha256", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:32"]
        for bits in (2048, 2050, 2054):
            pem = self.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}")[1]
            key = RSAKey.read(self.path("made", pem))
            self.assertEqual(key.bits, bits)
            self.both_ways(key, pem, pss)


if __name__ == "__main__":
    unittest.main()
