#!/usr/bin/env python3
"""Messages in the user's language: French where the locale says so, else English."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import OK, PROGRAM, USAGE, Scenario, main, skip_unless_found

CATALOGUE = "fr/LC_MESSAGES/usi-tunnel.mo"
BUILT = os.path.join(os.path.dirname(os.path.realpath(PROGRAM)), "locale")
FRENCH = {"LC_ALL": "C.UTF-8", "LANGUAGE": "fr"}
SOURCES = "/usr/share/i18n/locales/fr_FR"

with_catalogue = unittest.skipUnless(
    os.path.exists(os.path.join(BUILT, CATALOGUE)), "built without msgfmt: English only"
)
with_locales = unittest.skipUnless(os.path.exists(SOURCES), f"not installed: {SOURCES}")


def setUpModule():  # noqa: N802 - unittest's name
    """Newer versions of glibc translate nothing in C.UTF-8, whatever LANGUAGE says."""
    if not os.path.exists(SOURCES) or not shutil.which("localedef"):
        return
    folder = tempfile.mkdtemp(prefix="usi-")
    unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
    make_locale(folder, "fr_FR", "UTF-8")
    FRENCH.update(LOCPATH=folder, LC_ALL="fr_FR.UTF-8")


def make_locale(folder, name, charset):
    subprocess.run(
        ["localedef", "--no-archive", "-i", name, "-f", charset, f"{folder}/{name}.{charset}"],
        check=True,
        stdout=subprocess.DEVNULL,
    )


class Language(Scenario):
    def said(self, *arguments, status=USAGE, **how):
        """What one run prints on stderr, as octets."""
        return bytes(self.run_program(*arguments, status=status, **how).err.finish())

    def shown(self, *arguments, **how):
        """What one run prints on stdout."""
        return bytes(self.run_program(*arguments, status=OK, **how).out.finish()).decode()

    def locale(self, name, charset):
        """The environment of a user whose locale is made here."""
        folder = self.path("locales")
        os.makedirs(folder, exist_ok=True)
        make_locale(folder, name, charset)
        return {"LOCPATH": folder, "LC_ALL": f"{name}.{charset}", "LANGUAGE": ""}


class English(Language):
    def test_in_c_whatever_is_wished_for(self):
        for env in (
            {"LC_ALL": "C", "LANGUAGE": "fr"},
            {"LC_ALL": "POSIX", "LANGUAGE": "fr"},
            {"LC_ALL": "xx_YY.UTF-8", "LANGUAGE": "fr"},
            {"LC_ALL": "C.UTF-8", "LANGUAGE": "xx"},
        ):
            with self.round(env=env):
                self.assertEqual(
                    self.said("keygen", "--bits", "1", env=env),
                    b'usi-tunnel: --bits "1": a key has 128, 192 or 256 bits\n',
                )
                self.assertIn("usage: usi-tunnel listen [ADDRESS]", self.shown("--help", env=env))


@with_catalogue
class French(Language):
    def test_errors(self):
        self.assertEqual(
            self.said("keygen", "--bits", "1", env=FRENCH).decode(),
            "usi-tunnel: --bits\u00a0: «\u00a01\u00a0»\u00a0: une clé a 128, 192 ou 256 bits\n",
        )

    def test_help(self):
        self.assertIn("usage\u00a0: usi-tunnel listen [ADRESSE]", self.shown("--help", env=FRENCH))
        for words in (["listen"], ["connect"], ["keygen"]):
            with self.round(words=words):
                there = self.shown(*words, "--help", env=FRENCH)
                english = self.shown(*words, "--help")
                names = re.compile(r"^  (?:-.,|   ) --([a-z0-9-]+)", re.MULTILINE)
                self.assertEqual(names.findall(there), names.findall(english))
                self.assertLessEqual(max(map(len, there.splitlines())), 80)

    def test_a_channel(self):
        """Each side speaks its user's language; what is composed of several messages does too."""
        listener = self.start("listen", "127.0.0.1:0", "-v", "--key-file", self.key, env=FRENCH)
        address = listener.says(r"^usi-tunnel: à l'écoute sur (.+)$").group(1)
        connector = self.run_program(
            "connect", address, "-v", "--key-file", self.key, env=FRENCH, stdin=b"x"
        )
        listener.wait(OK)
        listener.says(r"canal ouvert, AES-256-OCB$")
        connector.says(r"terminé normalement\u00a0; 1 octets envoyés et 0 reçus$")

    def test_dev_explains_in_french(self):
        listener = self.start(
            "listen", "127.0.0.1:0", "--dev", "--key-file", self.key, env=FRENCH
        )
        address = listener.says(r"^usi-tunnel: à l'écoute sur (.+)$").group(1)
        connector = self.run_program("connect", address, "--dev", "--key-file", self.key)
        listener.wait(OK)
        explained = re.compile(r"^usi-tunnel: [A-Z]+ +\S+  (\w+) +[^:]*?\u00a0?: (.+)$")
        french, english = (
            {m.groups() for m in map(explained.match, side.lines) if m}
            for side in (listener, connector)
        )
        self.assertGreater(len(french), 10)
        self.assertEqual(french & english, set())
        self.assertIn("le défi du connecteur, tiré au hasard", " ".join(listener.lines))
        self.assertIn("qui écoute le fil a vu: mode, chiffre", " ".join(listener.lines))

    def test_libuv(self):
        with self.round(what="refused"):
            line = self.said(
                "connect", f"unix:{self.path('none')}", "--key-file", self.key, status=3, env=FRENCH
            )
            self.assertIn("fichier ou dossier inexistant", line.decode())

    def test_in_an_install_tree(self):
        program, catalogue = self.path("bin/usi-tunnel"), self.path("share/locale/" + CATALOGUE)
        for path in (program, catalogue):
            os.makedirs(os.path.dirname(path))
        shutil.copy(PROGRAM, program)
        shutil.copy(os.path.join(BUILT, CATALOGUE), catalogue)
        done = subprocess.run(
            [program, "keygen", "--bits", "1"], env=FRENCH, stderr=subprocess.PIPE, check=False
        )
        self.assertIn("une clé a 128", done.stderr.decode())

    @with_locales
    @skip_unless_found("localedef")
    def test_numbers_keep_their_point(self):
        env = self.locale("fr_FR", "UTF-8")
        listener = self.listen()
        connector = self.run_program(
            "connect",
            listener.address,
            *("--progress", "--timeout", "9.5", "--key-file", self.key),
            env=env,
            stdin=bytes(3 << 19),
        )
        connector.says(r"envoyé 1\.5 MiB \(\d+\.\d MiB/s\), reçu 0\.0 MiB")
        with self.round(what="a comma"):
            self.assertIn(
                "n'est pas un nombre de secondes",
                self.said("connect", "--timeout", "9,5", env=env).decode(),
            )

    @with_locales
    @skip_unless_found("localedef")
    def test_latin_1(self):
        """Octets are of the terminal's character set, and so is what it obeys: 0x9b begins an escape
        sequence there, even within a letter of UTF-8."""
        env = self.locale("fr_FR", "ISO-8859-1")
        self.assertEqual(
            self.said("keygen", "--bits", "\udce9\udc9b2J\u011b", env=env),
            "usi-tunnel: --bits\u00a0: «\u00a0é\\x9b2JÄ\\x9b\u00a0»\u00a0: une clé a 128, 192 ou "
            "256 bits\n".encode("latin-1"),
        )
        help_text = self.run_program("--help", env=env).out.finish()
        self.assertIn("clé".encode("latin-1"), bytes(help_text))


if __name__ == "__main__":
    main()
