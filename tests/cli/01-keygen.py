#!/usr/bin/env python3
"""keygen: what it writes, where, and what it never overwrites."""

import os
import re
import stat

from harness import DEVNULL, LOCAL, OK, PREFIX, USAGE, Scenario, main, redirected, shell


class Keygen(Scenario):
    def key_of(self, content):
        """The key's octets: comment lines, then one line of hex, and nothing else."""
        lines = content.decode("ascii").split("\n")
        self.assertEqual(lines.pop(), "", "the last line has no end")
        self.assertTrue(lines[0].startswith("#"), lines)
        self.assertTrue(all(line.startswith("#") for line in lines[:-1]), lines)
        self.assertRegex(lines[-1], r"^[0-9a-f]+$")
        return bytes.fromhex(lines[-1])

    def test_stdout(self):
        made = self.run_program("keygen")
        self.assertEqual(len(self.key_of(made.out.finish())), 32)
        self.assertEqual(made.lines, [], "a key on stdout needs no word on stderr")

    def test_bits(self):
        for bits in (128, 192, 256):
            for form in (["--bits", bits], [f"--bits={bits}"]):
                with self.round(form=form):
                    made = self.run_program("keygen", *form)
                    self.assertEqual(len(self.key_of(made.out.finish())) * 8, bits)

    def test_other_sizes_are_refused(self):
        for bits in ("0", "64", "255", "512", "-128", "128x", "", "99999999999999999999"):
            with self.round(bits=bits):
                made = self.run_program("keygen", "--bits", bits, status=USAGE)
                self.assertEqual(made.out.finish(), b"")
                self.assertIn("bits", made.lines[0])

    def test_keys_differ(self):
        keys = {self.key_of(self.run_program("keygen").out.finish()) for _ in range(4)}
        self.assertEqual(len(keys), 4)

    def test_file(self):
        for mask in ("0", "022", "077"):
            with self.round(umask=mask):
                path = self.path("made-" + mask)
                made = self.run_program("keygen", "-o", path, before=shell("umask " + mask))
                self.assertEqual(made.out.finish(), b"")
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
                self.assertEqual(len(self.key_of(self.read(path))), 32)

    def test_file_is_never_overwritten(self):
        path = self.file("precious", b"precious\n")
        made = self.run_program("keygen", "-o", path, status=(USAGE, LOCAL))
        self.assert_one_line(made, path, "exist")
        self.assertEqual(self.read(path), b"precious\n")

    def test_link_is_not_followed(self):
        target, link = self.path("target"), self.path("link")
        os.symlink(target, link)
        self.run_program("keygen", "-o", link, status=(USAGE, LOCAL))
        self.assertFalse(os.path.exists(target))

    def test_file_that_cannot_be_made(self):
        path = self.path("no-such-folder/key")
        made = self.run_program("keygen", "-o", path, status=(USAGE, LOCAL))
        self.assert_one_line(made, path)

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            made = self.run_program("keygen", stdout=full, status=LOCAL)
        self.assert_one_line(made)

    def test_closed_stdout(self):
        made = self.run_program("keygen", before=redirected(">&-"), stdout=DEVNULL, status=LOCAL)
        self.assert_one_line(made)

    def test_made_keys_work(self):
        for bits in (128, 192, 256):
            with self.round(bits=bits):
                path = self.path(f"key-{bits}")
                self.run_program("keygen", "--bits", bits, "-o", path)
                listener = self.listen(key=path, stdout=None)
                self.connect(listener, key=path, stdin=b"hello").wait(OK)
                listener.wait(OK)
                self.assertEqual(listener.out.finish(), b"hello")

    def test_words_it_does_not_take(self):
        for words in (["extra"], ["--check"], ["--no-such-option"], ["-o"]):
            with self.round(words=words):
                made = self.run_program("keygen", *words, status=USAGE)
                self.assertTrue(re.match(PREFIX, made.lines[0]))
                self.assertEqual(made.out.finish(), b"")


if __name__ == "__main__":
    main()
