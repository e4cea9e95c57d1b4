#!/usr/bin/env python3
"""usi1.py against the program in identity and password mode, in both roles: right and wrong."""

import hashlib
import os
import socket

import handshake
import usi1
from identity import Ed25519Key, Identity, RSAKey
from password import Password
from program import FREEDOMS, TEXT, Interop, count_rekeys, harness

FOLDER = os.path.dirname(os.path.abspath(__file__))
RSA = RSAKey.read(os.path.join(FOLDER, "rsa-2048.pem"))
WORD = "vier Wörter, die passen"
ANSWER = b"the answer"


def known_as(key):
    return hashlib.sha256(key.spki).hexdigest()


def changed(octets, at):
    octets = bytearray(octets)
    octets[at] ^= 1
    return bytes(octets)


class Modes(Interop):
    def setUp(self):
        super().setUp()
        self.state = {"XDG_STATE_HOME": self.path("state"), "HOME": self.folder}
        self.words = ["--password-file", self.file("password", WORD.encode() + b"\n")]
        self.own = Ed25519Key()
        self.theirs = Ed25519Key()
        self.kept = "--identity=" + self.file("theirs.pem", self.theirs.pem().encode())

    def approve(self, link):
        if not link.channel.approved:
            link.channel.approve()

    def say(self, link, text, size=usi1.DATA_MAX):
        link.channel.data(text, size)
        link.channel.end()
        link.wait("end")

    def over(self, link, process):
        link.channel.bye()
        link.wait("bye")
        self.finish(link, process)


class Connector(Modes):
    """usi1.py calls `usi-tunnel listen`."""

    def start_listener(self, *options, stdin=ANSWER):
        return self.listen(*options, key="", stdin=stdin, env=self.state)

    def call(self, process, credential, **how):
        return self.link(harness.dial(process.address), True, ki=credential, **how)

    def up(self, process, credential, **how):
        link = self.call(process, credential, **how)
        link.wait("authenticated")
        self.approve(link)
        return link

    def talk(self, link, process, size=usi1.DATA_MAX):
        link.channel.open()
        self.say(link, TEXT, size)
        self.assert_equal_bytes(link.data, ANSWER)
        self.over(link, process)
        self.assert_equal_bytes(process.out.data, TEXT)

    def refused(self, link):
        """What was sent is no more answered."""
        try:
            self.assertEqual(link.drain(), b"")
        except ConnectionResetError:
            pass
        link.socket.close()

    def test_identities(self):
        for title, identity, options, kind in (
            ("fresh", Identity(), ["--identity"], "Ed25519"),
            ("kept", Identity(self.own, True), [self.kept, "--fingerprint", known_as(self.own)], "Ed25519"),
            ("theirs RSA", Identity(), ["--identity=rsa"], "RSA"),
            ("ours RSA", Identity(RSA), ["--identity", "--accept-rsa"], "Ed25519"),
        ):
            with self.round(case=title):
                anyone = [] if "--fingerprint" in options else ["--anyone"]
                process = self.start_listener(*options, *anyone)
                link = self.up(process, identity)
                self.assertEqual(link.channel.peer.kept, title == "kept")
                self.assertEqual(kind == "RSA", len(link.channel.peer.spki) > 200)
                process.says(f"^usi-tunnel: fingerprint: {link.channel.fingerprint.hex()}$")
                self.talk(link, process)

    def test_freedoms(self):
        """Each cipher is the connector's to say; and what is free in every mode."""
        for title in ("no padding", "single octets"):
            pad, size, piece = FREEDOMS[title]
            for cipher in (1, 2, 3) if title == "no padding" else (3,):
                for credential, options in (
                    (Identity(), ["--identity", "--anyone"]),
                    (Password(WORD), self.words),
                ):
                    with self.round(freedom=title, cipher=cipher):
                        process = self.start_listener(*options)
                        link = self.call(process, credential, piece=piece, cipher=cipher)
                        link.channel.pad = pad
                        link.wait("authenticated")
                        self.approve(link)
                        self.talk(link, process, size)

    def test_rekeys(self):
        for credential, options in (
            (Identity(RSA), ["--identity=rsa", "--anyone", "--accept-rsa"]),
            (Password(WORD), self.words),
        ):
            with self.round(options=options):
                process = self.start_listener(*options, "--rekey-bytes", "64K", stdin=ANSWER * 20_000)
                link = self.up(process, credential)
                rekeys = count_rekeys(link)
                link.channel.rekey()
                link.wait("rekeyed")
                link.channel.open()
                self.say(link, TEXT)
                self.assert_equal_bytes(link.data, ANSWER * 20_000)
                self.over(link, process)
                self.assertGreaterEqual(rekeys[0], 2)

    def test_several_modes_at_once(self):
        for mode in range(3):
            with self.round(mode=mode):
                process = self.start_listener(
                    "--key-file", self.key, "--identity", "--anyone", *self.words, "--name", "n"
                )
                credential = (self.ki(), Identity(), Password(WORD))[mode]
                self.talk(self.up(process, credential, name=b"n"), process)

    def test_what_is_not_offered(self):
        """Another mode, another name: not one octet."""
        process = self.start_listener("--identity", "--anyone", "--name", "n")
        for credential, name in (
            (self.ki(), b"n"),
            (Password(WORD), b"n"),
            (Identity(), b"m"),
            (Identity(), b""),
        ):
            link = self.call(process, credential, name=name)
            link.send()
            self.refused(link)
        self.talk(self.up(process, Identity(), name=b"n"), process)

    def test_forged_identities(self):
        """The listener says nothing to them, and goes on."""
        process = self.start_listener("--identity", "--anyone", "--accept-rsa")

        class Forged(Identity):
            def shown(self, label, h, *seen):
                return self.change(super().shown(label, h, *seen))

        changes = {
            "signature": lambda octets: changed(octets, -1),
            "key": lambda octets: changed(octets, 30),
            "mark": lambda octets: changed(octets, 0),
            "unknown mark": lambda octets: b"\2" + octets[1:],
            "kind": lambda octets: changed(octets, 9),
            "length": lambda octets: changed(octets, 2),
            "longer": lambda octets: octets + b"\0",
            "shorter": lambda octets: octets[:-1],
            "empty": lambda octets: b"",
        }
        for key in (self.own, RSA):
            for title, change in changes.items():
                with self.subTest(title, rsa=key is RSA):
                    forged = Forged(key)
                    forged.change = change
                    link = self.call(process, forged)
                    link.wait("authenticated")
                    self.refused(link)
        self.talk(self.up(process, Identity()), process)

    def test_keys_that_are_not_DER(self):
        """Signed rightly, over what is shown."""
        process = self.start_listener("--identity", "--anyone")
        good = self.own.spki
        for title, spki in {
            "BER": good[:1] + b"\x81" + good[1:],
            "octets behind": good + b"\0",
            "octets inside": b"\x30\x2b" + good[2:] + b"\0",
        }.items():
            with self.subTest(title):
                key = Ed25519Key(self.own.seed)
                key.spki = spki
                link = self.call(process, Identity(key))
                link.wait("authenticated")
                self.refused(link)
        self.talk(self.up(process, Identity()), process)

    def test_rsa_is_not_taken_unasked(self):
        process = self.start_listener("--identity", "--anyone")
        link = self.call(process, Identity(RSA))
        link.wait("authenticated")
        self.refused(link)
        self.talk(self.up(process, Identity()), process)

    def test_another_key_or_mark_in_a_rekey(self):
        for other in (Identity(), Identity(self.own, True)):
            with self.round(kept=bool(other.mark)):
                process = self.start_listener("--identity", "--anyone", stdin=harness.PIPE)
                link = self.up(process, Identity(self.own))
                link.channel.open()
                link.channel.side = link.channel.side._replace(credential=other)
                link.channel.rekey()
                link.send()
                while link.read():
                    pass
                self.assertNotIn(("rekeyed",), link.channel.events)
                process.wait(harness.CUT)

    def test_passwords(self):
        """A wrong one is silence; the fourth is not answered any more."""
        process = self.start_listener(*self.words)
        for number in (1, 2, 3):
            link = self.call(process, Password("a guess"))
            with self.assertRaises(AssertionError):
                link.wait("authenticated")
            process.says(f"a try of the password failed, {number} so far")
        link = self.call(process, Password(WORD))
        link.send()
        self.refused(link)

    def test_tries_at_the_same_time(self):
        """All have the answer to (1) before the first tries: the fourth is not tried, though right."""
        process = self.start_listener(*self.words)
        links = [self.call(process, Password(word)) for word in ("a", "b", "c", WORD)]
        for link in links:
            link.send()
        for link in links:
            while not link.channel.outbox:
                link.channel.receive(link.socket.recv(4096))
        for link in links:
            link.send()
            self.refused(link)

    def test_shares(self):
        """No point of the curve, or a message of another size."""
        for title, change in {
            "off the curve": lambda body: changed(body, 64),
            "form": lambda body: b"\2" + body[1:],
            "zeros": lambda body: b"\4" + bytes(64) + body[65:],
            "tag": lambda body: changed(body, -1),
            "longer": lambda body: body + b"\0",
            "shorter": lambda body: body[:-1],
        }.items():
            with self.round(case=title):
                process = self.start_listener(*self.words)
                link = self.call(process, Password(WORD))
                link.send()
                while not link.channel.outbox:
                    link.channel.receive(link.socket.recv(4096))
                link.socket.sendall(link.channel.prefixed(change(link.channel.take()[2:])))
                self.refused(link)
                self.talk(self.up(process, Password(WORD)), process)

    def test_questions(self):
        """Right, wrong, none; twice; in a stream; and used up: the fourth that is wrong."""
        process = self.start_listener("--identity", "--anyone", *self.words, stdin=harness.PIPE)
        link = self.up(process, Identity())
        link.channel.open()
        for word, right in ((WORD, True), ("a guess", False), (WORD, True)):
            link.channel.ask_password(Password(word))
            self.assertEqual(link.wait("answer"), ("answer", right))
        process.close_stdin()
        self.say(link, TEXT)
        self.over(link, process)
        process = self.start_listener("--identity", "--anyone", stdin=b"")
        link = self.up(process, Identity())
        link.channel.ask_password(Password(WORD))
        self.assertEqual(link.wait("answer"), ("answer", None))
        process = self.start_listener("--identity", "--anyone", *self.words)
        link = self.up(process, Identity())
        for word, right in (("a", False), (WORD, True), ("b", False), ("c", False), (WORD, None)):
            link.channel.ask_password(Password(word))
            self.assertEqual(link.wait("answer"), ("answer", right))

    def test_a_ninth_question(self):
        process = self.start_listener("--identity", "--anyone", *self.words, stdin=harness.PIPE)
        link = self.up(process, Identity())
        link.channel.open()
        for _ in range(usi1.QUESTIONS_MAX):
            link.channel.ask_password(Password(WORD))
            self.assertEqual(link.wait("answer"), ("answer", True))
        link.channel.ask_password(Password(WORD))
        link.send()
        self.refused(link)
        process.wait(harness.CUT)

    def test_question_after_a_rekey(self):
        """It is the h of the first handshake that counts."""
        process = self.start_listener("--identity", "--anyone", *self.words)
        link = self.up(process, Identity())
        link.channel.rekey()
        link.wait("rekeyed")
        link.channel.ask_password(Password(WORD))
        self.assertEqual(link.wait("answer"), ("answer", True))
        self.talk(link, process)

    def test_questions_out_of_turn(self):
        for title, kind, content in (
            ("attempt", usi1.ATTEMPT, bytes(113)),
            ("challenge", usi1.CHALLENGE, b""),
            ("verdict", usi1.VERDICT, b""),
            ("flags", usi1.QUESTION, b"USI1\3\3\1\0" + bytes(32 + 1184)),
            ("form", usi1.QUESTION, b"USI1\3\3\0\0" + bytes(31)),
            ("again", usi1.QUESTION, None),
            ("no point", usi1.ATTEMPT, b"\4" + bytes(112)),
        ):
            with self.round(case=title):
                process = self.start_listener("--identity", "--anyone", *self.words, stdin=harness.PIPE)
                link = self.up(process, Identity())
                link.channel.open()
                if title in ("again", "no point"):
                    link.channel.seal(usi1.QUESTION, b"USI1\3\3\0\0" + bytes(32))
                    content = content or b"USI1\3\3\0\0" + bytes(32)
                link.channel.seal(kind, content)
                link.send()
                harness.receive_all(link.socket)
                process.wait(harness.CUT)

    def test_question_in_another_mode(self):
        process = self.start_listener(*self.words, stdin=harness.PIPE)
        link = self.up(process, Password(WORD))
        link.channel.open()
        link.channel.ask_password(Password(WORD))
        link.send()
        harness.receive_all(link.socket)
        process.wait(harness.CUT)


class Listener(Modes):
    """usi1.py is called by `usi-tunnel connect`."""

    def setUp(self):
        super().setUp()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(harness.LIMIT)
        self.addCleanup(self.socket.close)
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def start_connector(self, *options, stdin=TEXT):
        return self.connect(self.address, *options, key="", stdin=stdin, env=self.state)

    def by_identity(self, key, *options, own="--identity", **how):
        return self.start_connector(own, "--fingerprint", known_as(key), *options, **how)

    def answer(self, credential, **how):
        return self.link(self.socket.accept()[0], False, ki=credential, **how)

    def up(self, credential, **how):
        link = self.answer(credential, **how)
        link.wait("knock")
        link.wait("authenticated")
        self.approve(link)
        return link

    def talk(self, link, process, size=usi1.DATA_MAX):
        link.wait("open")
        self.say(link, ANSWER, size)
        self.assert_equal_bytes(link.data, TEXT)
        self.over(link, process)
        self.assert_equal_bytes(process.out.data, ANSWER)

    def test_identities(self):
        for title, identity, own in (
            ("fresh", Identity(self.own), "--identity"),
            ("kept", Identity(self.own, True), self.kept),
            ("ours RSA", Identity(RSA, True), "--identity"),
            ("theirs RSA", Identity(self.own), "--identity=rsa"),
        ):
            with self.round(case=title):
                process = self.by_identity(identity.key, own=own)
                link = self.up(identity)
                self.assertEqual(link.channel.peer.kept, title == "kept")
                process.says(f"^usi-tunnel: fingerprint: {link.channel.fingerprint.hex()}$")
                self.talk(link, process)

    def test_freedoms(self):
        for title in ("odd padding", "single octets"):
            pad, size, piece = FREEDOMS[title]
            for password in (False, True):
                with self.round(freedom=title, password=password):
                    process = self.start_connector(*self.words) if password else self.by_identity(self.own)
                    link = self.answer(Password(WORD) if password else Identity(self.own), piece=piece)
                    link.channel.pad = pad
                    link.wait("knock")
                    link.wait("authenticated")
                    self.approve(link)
                    self.talk(link, process, size)

    def test_names(self):
        process = self.start_connector(*self.words, "--name", "büro")
        self.talk(self.up(Password(WORD), name="büro".encode()), process)

    def test_rekeys(self):
        """We ask, and it begins them by itself."""
        for password in (False, True):
            with self.round(password=password):
                options = ["--rekey-bytes", "64K"]
                text = TEXT * 10_000
                if password:
                    process = self.start_connector(*self.words, *options, stdin=text)
                else:
                    process = self.by_identity(RSA, *options, own="--identity=rsa", stdin=text)
                link = self.up(Password(WORD) if password else Identity(RSA))
                rekeys = count_rekeys(link)
                link.wait("open")
                link.channel.rekey()
                self.say(link, ANSWER)
                self.assert_equal_bytes(link.data, text)
                self.over(link, process)
                self.assertGreaterEqual(rekeys[0], 1)

    def test_another_key_or_mark_in_a_rekey(self):
        for other in (Identity(), Identity(self.own, True)):
            with self.round(kept=bool(other.mark)):
                process = self.by_identity(self.own, stdin=harness.PIPE)
                link = self.up(Identity(self.own))
                link.wait("open")
                link.channel.side = link.channel.side._replace(credential=other)
                link.channel.rekey()
                link.send()
                while link.read():
                    pass
                process.wait(harness.CUT)

    def test_false_identities(self):
        """Message 2 does not open, or what it shows is not signed by its key, or not for this channel."""

        class Swapped(handshake.IdentityHandshake):
            NETWORK = handshake.IdentityHandshake.MOBILE

        class Forged(Identity):
            def shown(self, label, h, *seen):
                return self.change(super().shown(label, h, *seen))

        for title, change in {
            "signature": lambda octets: changed(octets, -1),
            "mark": lambda octets: changed(octets, 0),
            "unknown mark": lambda octets: b"\2" + octets[1:],
            "longer": lambda octets: octets + b"\0",
            "empty": lambda octets: b"",
            "label": None,
            "tag": None,
        }.items():
            with self.round(case=title):
                process = self.by_identity(self.own)
                forged = Forged(self.own)
                forged.change = change or (lambda octets: octets)
                link = self.answer(forged)
                if title == "label":
                    link.channel.handshake = Swapped(link.channel.side)
                while not link.channel.outbox:
                    link.channel.receive(link.socket.recv(4096))
                message = link.channel.take()
                link.socket.sendall(changed(message, -1) if title == "tag" else message)
                self.assertEqual(harness.receive_all(link.socket)[0], b"")
                process.wait(harness.NO_AUTHENTICATION)

    def test_nothing_before_its_user_has_said_yes(self):
        """It is not the key that it wants: a proof, then `abort`, and no data."""
        process = self.by_identity(self.theirs)
        link = self.up(Identity(self.own))
        self.assertEqual(link.wait("abort"), ("abort", 10))
        link.socket.close()
        process.wait(harness.NO_AUTHENTICATION)

    def test_a_wrong_password(self):
        """Of a listener that answers all the same."""

        class Deaf(handshake.PasswordHandshake):
            def read_3(self, body):
                try:
                    return super().read_3(body)
                except usi1.WrongPassword:
                    return bytes(1) + self.noise.write()

        process = self.start_connector(*self.words)
        link = self.answer(Password("a guess"))
        link.channel.handshake = Deaf(link.channel.side)
        with self.assertRaises(AssertionError):
            link.wait("authenticated")
        process.wait(harness.NO_AUTHENTICATION)

    def test_shares(self):
        for title, change in {
            "off the curve": lambda body: changed(body, -1),
            "form": lambda body: body[:16] + b"\2" + body[17:],
            "longer": lambda body: body + b"\0",
            "salt": lambda body: changed(body, 0),
        }.items():
            with self.round(case=title):
                process = self.start_connector(*self.words)
                link = self.answer(Password(WORD))
                while not link.channel.outbox:
                    link.channel.receive(link.socket.recv(4096))
                link.socket.sendall(link.channel.prefixed(change(link.channel.take()[2:])))
                link.channel.inbox.clear()
                with self.assertRaises((AssertionError, usi1.Refused)):
                    link.wait("authenticated")
                link.socket.close()
                process.wait(harness.NO_AUTHENTICATION)

    def test_questions(self):
        for title, password, right in (
            ("right", Password(WORD), True),
            ("wrong", Password("a guess"), False),
            ("none", None, None),
            ("no more tries", Password(WORD, limit=0), None),
        ):
            with self.round(case=title):
                process = self.by_identity(self.own, "--ask-password", *self.words)
                link = self.up(Identity(self.own), password=password)
                self.assertEqual(link.wait("asked"), ("asked", right))
                if right:
                    self.talk(link, process)
                    continue
                self.assertEqual(link.wait("abort"), ("abort", 10))
                link.socket.close()
                process.wait(harness.NO_AUTHENTICATION)
                self.assertEqual(process.out.finish(), b"")

    def test_false_verdicts(self):
        """One that does not open is a no; records out of turn are fatal."""
        good = b"\t" + bytes(31)
        for title, kind, content in (
            ("verdict", usi1.VERDICT, bytes(1) + good + bytes(16)),
            ("flags", usi1.VERDICT, b"\1" + good + bytes(1104)),
            ("challenge", usi1.CHALLENGE, bytes(81)),
            ("question", usi1.QUESTION, bytes(40)),
        ):
            with self.round(case=title):
                process = self.by_identity(self.own, "--ask-password", *self.words)
                link = self.up(Identity(self.own), password=Password(WORD))
                link.channel.take_attempt = lambda octets: link.channel.seal(kind, content)
                while link.read():
                    pass
                self.assertNotIn(("open",), link.channel.events)
                link.socket.close()
                process.wait(harness.NO_AUTHENTICATION, harness.CUT)
                self.assertEqual(process.out.finish(), b"")


if __name__ == "__main__":
    harness.main()
