#!/usr/bin/env python3
"""What it prints, the words it knows, those it does not know yet, and configuration files."""

import os
import shutil

from harness import (
    LIMIT,
    LOCAL,
    NO_CONNECTION,
    OK,
    PIPE,
    PROGRAM,
    USAGE,
    Scenario,
    main,
    not_wrapped,
    reserve_port,
)


class Output(Scenario):
    def test_quiet(self):
        """Not a word in a good run, on either side."""
        for option in ("-q", "--quiet"):
            with self.round(option=option):
                holder, address = reserve_port()
                self.addCleanup(holder.close)
                connector = self.connect(address, option, "--retry", "300", stdin=b"up")
                listener = self.listen(option, address=address, ready=False, stdin=b"down")
                connector.wait(OK)
                listener.wait(OK)
                self.assertEqual((listener.out.finish(), connector.out.finish()), (b"up", b"down"))
                self.assertEqual((listener.lines, connector.lines), ([], []))

    def test_quiet_still_tells_errors(self):
        holder, address = reserve_port()
        with holder:
            got = self.connect(address, "-q")
            got.wait(NO_CONNECTION)
            self.assert_one_line(got, address)

    def test_plain(self):
        """The listener says where it listens, and that is all."""
        listener = self.listen(stdin=b"down")
        connector = self.connect(listener, stdin=b"up")
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(len(listener.lines), 1, listener.story())
        self.assertEqual(connector.lines, [])

    def test_verbose(self):
        """Handshakes, the key's fingerprint, and each channel's end with its byte counts."""
        for option in ("-v", "--verbose"):
            with self.round(option=option):
                listener = self.listen(option, stdin=b"d" * 12345)
                connector = self.connect(listener, option, stdin=b"u" * 54321)
                connector.wait(OK)
                listener.wait(OK)
                for side in (listener, connector):
                    text = "\n".join(side.lines)
                    self.assertRegex(
                        text, r"(?m)^usi-tunnel: .*key fingerprint: sha256:[0-9a-f]{64}$"
                    )
                    self.assertIn("12345", text)
                    self.assertIn("54321", text)

    def test_no_secret_in_verbose(self):
        listener = self.listen("-v", stdin=b"private words")
        connector = self.connect(listener, "-v")
        connector.wait(OK)
        listener.wait(OK)
        for side in (listener, connector):
            text = "\n".join(side.lines)
            self.assertNotIn(self.read(self.key).decode().strip(), text)
            self.assertNotIn("private words", text)

    def test_full_stderr_changes_nothing(self):
        """Messages that cannot be written are lost; data is not."""
        with open("/dev/full", "wb") as full:
            holder, address = reserve_port()
            self.addCleanup(holder.close)
            connector = self.connect(address, "-v", "--retry", "300", stdin=b"up", stderr=full)
            listener = self.listen("-v", address=address, ready=False, stderr=full)
            connector.wait(OK)
            listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"up")


class Help(Scenario):
    def test_help(self):
        for words in (
            ["--help"],
            ["-h"],
            ["listen", "--help"],
            ["connect", "--help"],
            ["keygen", "--help"],
            ["connect", "-h"],
        ):
            with self.round(words=words):
                got = self.run_program(*words)
                text = got.out.finish().decode()
                self.assertIn("usi-tunnel", text)
                self.assertEqual(got.lines, [])

    def test_help_has_examples(self):
        text = self.run_program("--help").out.finish().decode()
        for word in ("keygen", "listen", "connect"):
            self.assertRegex(text, rf"usi-tunnel {word}")

    def test_help_names_every_option(self):
        for command, options in (
            (
                "listen",
                "--forward --keep-open --name --key-file --rekey-bytes --drain --background "
                "--identity --fingerprint --trust --accept-rsa --anyone --no-remember "
                "--ask-timeout --password --password-file --password-fd",
            ),
            (
                "connect",
                "--local --source --check --retry --timeout --recv-only --ipv4 --verbose "
                "--identity --fingerprint --trust --no-remember --ask-timeout --ask-password "
                "--password --password-file --password-fd",
            ),
            ("keygen", "--bits --identity"),
        ):
            text = self.run_program(command, "--help").out.finish().decode()
            for option in options.split():
                with self.subTest(command=command, option=option):
                    self.assertIn(option, text)

    def test_version(self):
        got = self.run_program("--version")
        self.assertRegex(got.out.finish().decode(), r"^usi-tunnel \d+\.\d+")

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            self.run_program("--help", stdout=full, status=LOCAL)


class NotYet(Scenario):
    def test_words(self):
        keyed = ["--key-file", self.key]
        for words in (
            ["subscriber"],
            ["status"],
            ["reload"],
            ["connect", "127.0.0.1:1", "-R", "0"] + keyed,
            ["connect", "127.0.0.1:1", "--remote", "0"] + keyed,
            ["connect", "127.0.0.1:1", "-L", "0:127.0.0.1:80"] + keyed,
            ["connect", "127.0.0.1:1", "-L", "127.0.0.1:0:127.0.0.1:80"] + keyed,
            ["connect", "127.0.0.1:1", "-L", "0/udp"] + keyed,
        ):
            with self.round(words=words):
                got = self.run_program(*words, status=USAGE)
                self.assertIn("not yet", " ".join(got.lines))
                self.assertEqual(got.out.finish(), b"")

    def test_nothing_to_authenticate_with(self):
        """The message names the three ways."""
        for command in ("listen", "connect"):
            got = self.run_program(command, "127.0.0.1:1", status=USAGE)
            self.assert_one_line(got, "--key-file", "--password", "--identity")

    def test_unknown_words_are_not_promised(self):
        for words in (["dance"], ["connect", "--dance"]):
            with self.round(words=words):
                got = self.run_program(*words, status=USAGE)
                self.assertNotIn("not yet", " ".join(got.lines))
                self.assertIn("dance", " ".join(got.lines))


class Config(Scenario):
    def test_options_from_a_file(self):
        listen = self.file(
            "listen.conf", f"# a comment\n\nkey-file {self.key}\nkeep-open\nname alice\n".encode()
        )
        connect = self.file(
            "connect.conf", f"key-file = {self.key}\nname = alice\ncheck\n".encode()
        )
        listener = self.start("listen", "127.0.0.1:0", "--config", listen).ready()
        for form in (["--config", connect], [f"--config={connect}"]):
            self.run_program("connect", listener.address, *form)
        self.assertTrue(listener.running())

    def test_command_line_wins(self):
        config = self.file("c", f"key-file {self.key}\nname alice\n".encode())
        listener = self.start("listen", "127.0.0.1:0", "--config", config, "--name", "bob").ready()
        self.check(listener, "--name", "bob")

    def test_wrong_lines(self):
        for content in (
            b"no-such-option\n",
            b"rekey-bytes 1K\n",
            b"keep-open yes please\n",
            b"--keep-open\n",
            b"\x00\xff\n",
        ):
            with self.round(content=content):
                config = self.file("wrong", b"# first line\n" + content)
                got = self.run_program(
                    "listen",
                    "127.0.0.1:0",
                    "--key-file",
                    self.key,
                    "--config",
                    config,
                    status=USAGE,
                )
                self.assert_one_line(got, config)
                self.assertIn("2", got.lines[0].replace(config, ""), "no line number")

    def test_missing(self):
        path = self.path("missing")
        got = self.run_program(
            "listen", "127.0.0.1:0", "--key-file", self.key, "--config", path, status=USAGE
        )
        self.assert_one_line(got, path)


class Provider(Scenario):
    def test_beside_the_program(self):
        """The build tree's own provider needs no word."""
        self.check(self.listen())

    @not_wrapped
    def test_path(self):
        """A program alone in a folder is told where the provider is."""
        alone = shutil.copy(PROGRAM, self.path("usi-tunnel"))
        folder = os.path.dirname(os.path.realpath(PROGRAM))
        run = ["sh", "-c", f'shift; exec "{alone}" "$@"', "sh"]
        listener = self.listen("-k", "--provider-path", folder, before=run)
        self.check(listener, "--provider-path", folder, before=run)
        self.check(listener, before=run, env={"OPENSSL_MODULES": folder})

    @not_wrapped
    def test_not_found(self):
        alone = shutil.copy(PROGRAM, self.path("usi-tunnel"))
        run = ["sh", "-c", f'shift; exec "{alone}" "$@"', "sh"]
        empty = self.path("empty")
        os.mkdir(empty)
        got = self.connect("127.0.0.1:1", "--provider-path", empty, before=run)
        status = got.wait(
            USAGE, NO_CONNECTION
        )  # an installed provider is found in libcrypto's own folder
        self.assertTrue(status == NO_CONNECTION or "usi" in got.lines[0], got.story())

    def test_named(self):
        listener = self.listen("-k", "--provider", "usi", "--provider", "default")
        self.check(listener, "--provider", "default")

    def test_unknown(self):
        got = self.connect("127.0.0.1:1", "--provider", "no-such-provider")
        got.wait(USAGE)
        self.assert_one_line(got, "no-such-provider")

    def test_propquery(self):
        listener = self.listen("-k", "--propquery", "?provider=usi")
        self.check(listener, "--propquery", "?provider=usi")

    def test_propquery_that_nothing_has(self):
        got = self.connect("127.0.0.1:1", "--propquery", "provider=nobody")
        got.wait(USAGE)
        self.assertTrue(got.lines)


class Timers(Scenario):
    def test_idle_timeout(self):
        """A pipe on which nothing moves is given up when asked for; the peer sees a cut or is
        told."""
        listener = self.listen("--idle-timeout", "1", stdin=PIPE)
        connector = self.connect(listener, stdin=PIPE)
        connector.write(b"x")
        self.assertTrue(listener.out.has(b"x"))
        self.assertNotEqual(listener.wait(), OK)
        self.assertNotEqual(connector.wait(), OK)
        self.assertTrue(listener.lines and connector.lines)

    def test_no_idle_timeout_by_default(self):
        listener = self.listen(stdin=PIPE)
        connector = self.connect(listener, "--idle-timeout", "0", stdin=PIPE)
        connector.close_stdin()
        self.assertEqual(listener.out.finish(), b"")
        listener.close_stdin()
        connector.wait(OK)
        listener.wait(OK)


class Progress(Scenario):
    def test_progress_touches_no_data(self):
        listener = self.listen()
        connector = self.connect(listener, "--progress", stdin=bytes(100000))
        listener.wait(OK)
        self.assertEqual(connector.popen.wait(LIMIT), OK)
        self.assertEqual(listener.out.count, 100000)
        self.assertEqual(connector.out.finish(), b"")


if __name__ == "__main__":
    main()
