#!/usr/bin/env python3
"""Somebody in the middle, who speaks the protocol to both sides, is caught in every mode."""

import hashlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from mitm import DOWN, QUESTION, UP, Mitm, Wire, credentials  # noqa: E402

from harness import FAR, NO_AUTHENTICATION, OK, Scenario, main  # noqa: E402
from identity import Ed25519Key, Identity, fingerprint  # noqa: E402
from password import Password, Spake2, scalar  # noqa: E402

TO_LISTENER, TO_CONNECTOR = b"what the connector sends", b"what the listener sends"
WORDS = b"four quite common words\n"


def known_as(spki):
    return hashlib.sha256(spki).hexdigest()


class Caught(Scenario):
    def setUp(self):
        super().setUp()
        self.state = {"XDG_STATE_HOME": self.path("state"), "HOME": self.folder}

    def listener(self, *options, **how):
        return self.listen(*options, key=how.pop("key", ""), stdin=TO_CONNECTOR, env=self.state, **how)

    def connector(self, to, *options, **how):
        return self.connect(to, *options, key=how.pop("key", ""), stdin=TO_LISTENER, env=self.state, **how)

    def between(self, target, to_connector, to_listener=None):
        mitm = Mitm(target.address, to_connector, to_listener or to_connector)
        self.addCleanup(mitm.close)
        return mitm

    def assert_nothing(self, process):
        self.assertEqual(process.out.finish(), b"", process.story())

    def assert_nothing_read(self, join):
        self.assertEqual((bytes(join.seen[UP]), bytes(join.seen[DOWN])), (b"", b""))

    def assert_all_read(self, join, listener, connector):
        """The control: whom both sides take, reads and passes on everything."""
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual((bytes(join.seen[UP]), bytes(join.seen[DOWN])), (TO_LISTENER, TO_CONNECTOR))
        self.assertEqual(connector.out.finish(), TO_CONNECTOR)
        self.assertEqual(listener.out.finish(), TO_LISTENER)

    def assert_undisturbed(self, listener, *options, **how):
        """The right peer, later and without anybody in between."""
        connector = self.connector(listener, *options, **how)
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(connector.out.finish(), TO_CONNECTOR)
        self.assertEqual(listener.out.finish(), TO_LISTENER)


class Key(Caught):
    def test_without_the_key(self):
        """It can only try: the connector sees a wrong tag, the listener a wrong knock, and says nothing."""
        listener = self.listener(key=self.key)
        mitm = self.between(listener, credentials("key"))
        connector = self.connector(mitm.address, key=self.key)
        connector.wait(NO_AUTHENTICATION)
        self.assert_nothing(connector)
        self.assert_nothing_read(mitm.join())
        self.assert_undisturbed(listener, key=self.key)

    def test_with_the_key(self):
        """The control."""
        listener = self.listener(key=self.key)
        ki = bytes.fromhex(self.read(self.key).decode())
        mitm = self.between(listener, credentials("key", key=ki))
        connector = self.connector(mitm.address, key=self.key)
        self.assert_all_read(mitm.join(), listener, connector)


class Identities(Caught):
    def setUp(self):
        super().setUp()
        self.own = Ed25519Key()
        self.files = {}
        for name in ("connector", "listener"):
            self.files[name] = self.path(name)
            self.run_program("keygen", "--identity", "-o", self.files[name])

    def key_of(self, name):
        return known_as(Ed25519Key.read(self.files[name]).spki)

    def shown(self, process):
        return process.says(r"^usi-tunnel: fingerprint: ([0-9a-f]{64})$").group(1)

    def test_the_fingerprints_differ(self):
        """Who accepts blindly is read; who compares what the two sides show sees that they differ."""
        for kept in (False, True):
            with self.round(kept=kept):
                listener = self.listener("--identity", "--anyone")
                mitm = self.between(listener, credentials("identity", kept, key=self.own))
                blindly = ["--identity", "--fingerprint", known_as(self.own.spki)]
                connector = self.connector(mitm.address, *blindly)
                join = mitm.join()
                self.assert_all_read(join, listener, connector)
                here, there = self.shown(connector), self.shown(listener)
                self.assertNotEqual(here, there)
                self.assertEqual(here, fingerprint(join.peers[UP].spki, self.own.spki).hex())
                self.assertEqual(there, fingerprint(self.own.spki, join.peers[DOWN].spki).hex())

    def test_the_fingerprints_are_the_same_without_it(self):
        listener = self.listener("--identity=" + self.files["listener"], "--anyone")
        wanted = ["--fingerprint", self.key_of("listener")]
        connector = self.connector(listener, "--identity", *wanted)
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(self.shown(connector), self.shown(listener))

    def test_the_connector_knows_whom_it_wants(self):
        """By --fingerprint, by --trust, by nothing at all (and no terminal to ask)."""
        trusted = self.file("trusted", self.key_of("listener").encode() + b"\n")
        for option in (["--fingerprint", self.key_of("listener")], ["--trust", trusted], []):
            with self.round(option=option):
                listener = self.listener("--identity=" + self.files["listener"], "--anyone")
                mitm = self.between(listener, credentials("identity", True))
                connector = self.connector(mitm.address, "--identity", *option)
                connector.wait(NO_AUTHENTICATION)
                join = mitm.join()
                self.assert_nothing(connector)
                self.assertEqual(bytes(join.seen[UP]), b"")
                listener.kill()
                self.assert_nothing(listener)

    def test_the_connector_remembers(self):
        """Another key than the one that it took at this address before."""
        for kept in (False, True):
            with self.round(kept=kept):
                listener = self.listener("--identity=" + self.files["listener"], "--anyone")
                mitm = self.between(listener, credentials("identity", kept))
                self.remember(f"connect {mitm.address}", self.key_of("listener"))
                connector = self.connector(mitm.address, "--identity")
                connector.wait(NO_AUTHENTICATION)
                self.assertIn("CHANGED", " ".join(connector.lines))
                self.assert_nothing(connector)
                self.assert_nothing_read(mitm.join())

    def test_a_remembered_listener_is_taken_without_it(self):
        """The control for what this scenario writes."""
        listener = self.listener("--identity=" + self.files["listener"], "--anyone")
        self.remember(f"connect {listener.address}", self.key_of("listener"))
        self.connector(listener, "--identity").wait(OK)
        listener.wait(OK)

    def remember(self, place, key):
        folder = os.path.join(self.state["XDG_STATE_HOME"], "usi")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.file(os.path.join(folder, "known"), f"sha256:{key} {place}\n".encode())

    def test_the_listener_knows_whom_it_wants(self):
        """The connector accepts blindly: what it sends is read, but does not arrive, and it is told."""
        trusted = self.file("trusted", self.key_of("connector").encode() + b"\n")
        for option in (["--fingerprint", self.key_of("connector")], ["--trust", trusted], []):
            with self.round(option=option):
                listener = self.listener("--identity=" + self.files["listener"], *option)
                mitm = self.between(listener, credentials("identity", True, key=self.own))
                blindly = ["--fingerprint", known_as(self.own.spki)]
                connector = self.connector(mitm.address, "--identity=" + self.files["connector"], *blindly)
                connector.wait(FAR)
                self.assert_nothing(connector)
                mitm.join()
                self.assertTrue(listener.running())
                listener.kill()
                self.assert_nothing(listener)

    def test_it_cannot_show_what_the_other_side_showed(self):
        """It has no key of the listener's: its identity, taken over as it was, is refused."""
        listener = self.listener("--identity=" + self.files["listener"], "--anyone")

        class Copied(Identity):
            def shown(self, label, h, *seen):
                return copied[0]

        copied = []
        first = self.between(listener, credentials("identity", key=self.own))
        probe = self.connector(first.address, "--identity", "--fingerprint", known_as(self.own.spki))
        join = first.join()
        probe.wait()
        spki = join.peers[DOWN].spki
        copied.append(bytes([1]) + len(spki).to_bytes(2, "big") + spki + os.urandom(64))
        again = self.listener("--identity=" + self.files["listener"], "--anyone")
        mitm = self.between(again, Copied)
        connector = self.connector(mitm.address, "--identity", "--fingerprint", known_as(spki))
        connector.wait(NO_AUTHENTICATION)
        self.assert_nothing(connector)
        self.assert_nothing_read(mitm.join())


class Passwords(Caught):
    def setUp(self):
        super().setUp()
        self.words = ["--password-file", self.file("password", WORDS)]

    def test_a_wrong_guess(self):
        """Both sides are shown it; the listener counts, and goes on."""
        listener = self.listener(*self.words)
        mitm = self.between(listener, credentials("password", guess="a guess"))
        connector = self.connector(mitm.address, *self.words)
        connector.wait(NO_AUTHENTICATION)
        self.assert_nothing(connector)
        self.assert_nothing_read(mitm.join())
        listener.says(r"a try of the password failed, 1 so far")
        self.assert_undisturbed(listener, *self.words)

    def test_the_right_guess(self):
        """The control."""
        listener = self.listener(*self.words)
        mitm = self.between(listener, credentials("password", guess=WORDS.decode().strip()))
        connector = self.connector(mitm.address, *self.words)
        self.assert_all_read(mitm.join(), listener, connector)

    def test_messages_passed_on_unchanged(self):
        """That is what a network does: it works, and nothing of it can be read."""
        listener = self.listener(*self.words)
        wire = Wire(listener.address, lambda way, number, body: body)
        self.addCleanup(wire.close)
        connector = self.connector(wire.address, *self.words)
        connector.wait(OK)
        listener.wait(OK)
        self.assertEqual(connector.out.finish(), TO_CONNECTOR)
        self.assertEqual(listener.out.finish(), TO_LISTENER)
        for way, text in ((UP, TO_LISTENER), (DOWN, TO_CONNECTOR)):
            self.assertGreater(len(wire.passed[way]), len(text))
            self.assertNotIn(text[:8], bytes(wire.passed[way]))

    def test_a_share_of_its_own(self):
        """In place of the listener's or of the connector's, or both; all else unchanged. A share that was
        exchanged towards the listener is a try; one towards the connector too, for it proves nothing."""
        for exchanged in ((DOWN,), (UP,), (UP, DOWN)):
            with self.round(exchanged=exchanged):
                listener = self.listener(*self.words)
                salts = []

                def change(way, number, body, exchanged=exchanged, salts=salts):
                    if number != (1 if way == UP else 0):
                        return body
                    if way == DOWN:
                        salts.append(body[:16])
                    if way not in exchanged:
                        return body
                    w = Password("a guess").w(salts[0])
                    share = Spake2(w, way == UP, scalar(os.urandom)).share
                    return share + body[65:] if way == UP else body[:16] + share

                wire = Wire(listener.address, change)
                self.addCleanup(wire.close)
                connector = self.connector(wire.address, *self.words)
                connector.wait(NO_AUTHENTICATION)
                self.assert_nothing(connector)
                listener.says(r"a try of the password failed, 1 so far")
                self.assert_undisturbed(listener, *self.words)


class Question(Caught):
    """Identity mode, both sides blind but for the password that they share."""

    def setUp(self):
        super().setUp()
        self.words = ["--password-file", self.file("password", WORDS)]
        self.own = Ed25519Key()

    def test_it_does_not_know(self):
        listener = self.listener("--identity", "--anyone", *self.words)
        mitm = self.between(listener, credentials("identity", key=self.own))
        blindly = ["--identity", "--fingerprint", known_as(self.own.spki)]
        connector = self.connector(mitm.address, *blindly, "--ask-password", *self.words)
        connector.wait(NO_AUTHENTICATION)
        self.assertIn("DOES NOT KNOW THE PASSWORD", " ".join(connector.lines))
        join = mitm.join()
        self.assertEqual([kind for _, kind in join.carried], list(QUESTION))
        self.assert_nothing(connector)
        self.assert_nothing_read(join)
        listener.says(r"asked whether we know the password, and does not know it")
        listener.kill()
        self.assert_nothing(listener)

    def test_it_knows_without_anybody_between(self):
        """The control: the same options, straight."""
        listener = self.listener("--identity=" + self.kept(), "--anyone", *self.words)
        wanted = ["--identity", "--fingerprint", known_as(self.own.spki)]
        connector = self.connector(listener, *wanted, "--ask-password", *self.words)
        connector.wait(OK)
        connector.says(r"knows the password$")
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), TO_LISTENER)

    def kept(self):
        return self.file("kept.pem", self.own.pem().encode())


if __name__ == "__main__":
    main()
