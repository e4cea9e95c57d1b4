#!/usr/bin/env python3
"""Identity mode, password mode and the password question of usi1.py, against itself: right and wrong."""

import os
import unittest

import curves
import handshake
import identity
import usi1
from identity import Ed25519Key, Identity, RSAKey
from password import M, N, Password, WrongPassword
from test_usi1 import Pair
from usi1 import Refused

RSA = RSAKey.read(os.path.join(os.path.dirname(os.path.abspath(__file__)), "rsa-2048.pem"))
SALT = bytes(range(16))
WORD = "correct horse"


def flipped(octets):
    return octets[:-1] + bytes([octets[-1] ^ 1])


class Modes(Pair):
    def setUp(self):
        pass  # each test says which pair it wants

    def identities(self, connector=None, listener=None, **how):
        self.pair(ki=(connector or Identity(), listener or Identity()), **how)

    def approved(self, *who, **how):
        self.identities(*who, **how)
        c, l = self.up()
        c.approve()
        l.approve()
        return c, l

    def passwords(self, connector=WORD, listener=WORD, limit=None, **how):
        self.pair(ki=(Password(connector), Password(listener, SALT, limit)), **how)

    def refused(self):
        with self.assertRaises(Refused):
            self.carry()

    def stream(self, *channels):
        c, l = channels or (self.connector, self.listener)
        c.open()
        c.data(b"there")
        self.carry()
        self.expect(l, ("open",), ("data", b"there"))
        l.data(b"back")
        self.carry()
        self.expect(c, ("data", b"back"))
        self.finish()

    def rekeys(self):
        c, l = self.connector, self.listener
        for side in (c, l, l, c):
            old = c.previous
            side.rekey()
            self.carry()
            self.expect(c, ("rekeyed",))
            self.expect(l, ("rekeyed",))
            self.assertEqual(c.previous, l.previous)
            self.assertNotEqual(c.previous, old)

    def flip_each(self, make, message, step):
        """In a message (0, 1, ..) of the handshake: every step-th octet behind the length."""
        i, done = 0, False
        while not done:
            make()
            here, there = self.connector, self.listener
            for _ in range(message):
                there.receive(here.take())
                here, there = there, here
            octets = bytearray(here.take())
            at = 2 + i * step
            done = at >= len(octets) - 1
            octets[min(at, len(octets) - 1)] ^= 0x80
            with self.subTest(message=message, octet=at), self.assertRaises(Refused):
                there.receive(bytes(octets))
                here.receive(there.take())
                there.receive(here.take())
            i += 1


class Forged(Identity):
    """change(mark, spki, signature) gives other three; the key may be another one than is shown."""

    def __init__(self, change=None, **how):
        super().__init__(**how)
        self.change = change

    def shown(self, label, h, *seen):
        size = len(self.spki)
        octets = super().shown(label, h, *seen)
        mark, spki, signature = self.change(octets[0], octets[3 : 3 + size], octets[3 + size :])
        return bytes([mark]) + len(spki).to_bytes(2, "big") + spki + signature


class Identities(Modes):
    def test_kinds_and_marks(self):
        for connector, listener in (
            (Identity(), Identity()),
            (Identity(kept=True), Identity(RSA)),
            (Identity(RSA, kept=True), Identity(kept=True)),
        ):
            self.identities(connector, listener)
            c, l = self.up()
            self.assertEqual(c.peer, identity.Peer(bool(listener.mark), listener.spki))
            self.assertEqual(l.peer, identity.Peer(bool(connector.mark), connector.spki))
            self.assertEqual(c.fingerprint, l.fingerprint)
            self.assertEqual(c.fingerprint, identity.fingerprint(connector.spki, listener.spki))
            c.approve()
            l.approve()
            self.stream()

    def test_each_cipher_and_a_name(self):
        for cipher in (1, 2, 3):
            self.approved(cipher=cipher, name=(b"n", b"n"))
            self.stream()
            self.rekeys()

    def test_another_name(self):
        self.identities(name=(b"n", b"m"))
        self.refused()
        self.assertEqual(self.listener.take(), b"")

    def test_another_mode(self):
        for ki in ((Identity(), bytes(32)), (bytes(32), Identity()), (Password(WORD), Identity())):
            self.pair(ki=ki)
            self.refused()
            self.assertEqual(self.listener.take(), b"")

    def test_nothing_before_the_user_has_said_yes(self):
        self.identities()
        c, l = self.up()
        l.rekey()
        c.rekey()
        self.assertEqual((c.take(), l.take()), (b"", b""))
        l.ping(b"early")
        self.carry()
        self.expect(l, ("pong", b"early"))
        c.approve()
        c.open()
        c.data(b"held")
        self.carry()
        self.expect(l)
        self.assertEqual(l.take(), b"")
        l.approve()
        self.expect(l, ("open",), ("data", b"held"))

    def test_an_ask_waits_for_the_connectors_user(self):
        self.identities()
        c, l = self.up()
        l.approve()
        l.rekey()
        self.carry()
        self.expect(c)
        c.approve()
        self.carry()
        self.expect(c, ("rekeyed",))

    def test_no(self):
        self.identities()
        c, l = self.up()
        l.abort(10)
        self.carry()
        self.expect(c, ("abort", 10))

    def test_rekeys(self):
        c, l = self.approved(Identity(RSA))
        first = c.first_h
        self.rekeys()
        self.assertEqual((c.first_h, l.first_h), (first, first))
        self.stream()

    def test_every_octet(self):
        for message, step in ((0, 7), (1, 17)):
            self.flip_each(self.identities, message, step)

    def test_forged(self):
        """By either side: what is shown is not what was signed, or is nothing that can be shown."""
        other = Ed25519Key().spki
        wide = other[:1] + b"\x81" + other[1:]  # a length in two octets, which is BER
        longer = b"\x30\x2b" + other[2:] + b"\0"
        small = identity.rsa_public_der((1 << 1023) + 1, identity.EXPONENT)
        strange = identity.rsa_public_der(RSA.n, 3)
        huge = identity.rsa_public_der((1 << 4096) + 1, identity.EXPONENT)
        changes = {
            "signature": lambda mark, spki, signature: (mark, spki, flipped(signature)),
            "no signature": lambda mark, spki, signature: (mark, spki, b""),
            "short signature": lambda mark, spki, signature: (mark, spki, signature[:-1]),
            "long signature": lambda mark, spki, signature: (mark, spki, signature + b"\0"),
            "mark": lambda mark, spki, signature: (mark ^ 1, spki, signature),
            "unknown mark": lambda mark, spki, signature: (2, spki, signature),
            "key": lambda mark, spki, signature: (mark, other, signature),
            "no key": lambda mark, spki, signature: (mark, b"", signature),
            "BER": lambda mark, spki, signature: (mark, wide, signature),
            "octets behind the key": lambda mark, spki, signature: (mark, longer, signature),
            "small RSA": lambda mark, spki, signature: (mark, small, signature),
            "huge RSA": lambda mark, spki, signature: (mark, huge, signature),
            "exponent": lambda mark, spki, signature: (mark, strange, signature),
        }
        for key in (None, RSA):
            for title, change in changes.items():
                for side in (0, 1):
                    with self.subTest(title, side=side, rsa=key is not None):
                        forged = Forged(change, key=key)
                        self.identities(*(forged, None)[:: 1 - 2 * side])
                        self.refused()
                        self.assertNotIn(("authenticated",), (self.connector, self.listener)[side ^ 1].events)

    def test_another_label(self):
        """One side's signature is none of the other's."""

        class Confused(handshake.IdentityHandshake):
            NETWORK, MOBILE = handshake.IdentityHandshake.MOBILE, handshake.IdentityHandshake.NETWORK

        for side in (0, 1):
            with self.subTest(side=side):
                self.identities()
                channel = (self.connector, self.listener)[side]
                channel.handshake.__class__ = Confused
                self.refused()

    def test_a_signature_of_another_channel(self):
        """Each covers the h of its channel: what was signed once, for either side, is of no use again."""
        for side in (0, 1):
            with self.subTest(side=side):
                kept = []

                class Recorded(Identity):
                    def shown(self, label, h, *seen):
                        kept.append(super().shown(label, h, *seen))
                        return kept[0]

                recorded = Recorded()
                pair = (recorded, Identity())[:: 1 - 2 * side]
                self.identities(*pair)
                self.up()
                self.identities(*pair)
                self.refused()

    def test_rsa_is_the_listeners_choice(self):
        self.identities(Identity(RSA), None, accept_rsa=False)
        self.refused()
        self.assertNotIn(("authenticated",), self.listener.events)
        self.identities(None, Identity(RSA), accept_rsa=False)
        self.up()

    def test_a_changed_key_or_mark_in_a_rekey(self):
        for side in (0, 1):
            for kept in (None, True):
                with self.subTest(side=side, kept=kept):
                    c, l = self.approved()
                    changed = (c, l)[side]
                    other = Identity(changed.side.credential.key, True) if kept else Identity()
                    changed.side = changed.side._replace(credential=other)
                    c.rekey()
                    self.refused()
                    self.assertNotIn(("rekeyed",), (c, l)[side ^ 1].events)

    def test_a_changed_cipher_or_name_in_a_rekey(self):
        for change in ({"name": b"x"}, {"cipher": 1}):
            c, l = self.approved()
            c.side = c.side._replace(**change)
            if "cipher" in change:
                c.last.cipher = 1
            c.rekey()
            self.refused()

    def test_the_length_of_record_0(self):
        """Refused as soon as it is known."""
        for size in (2049, 16):
            self.identities()
            self.listener.receive(self.connector.take())
            self.connector.receive(self.listener.take())
            with self.assertRaises(Refused):
                self.listener.receive(size.to_bytes(4, "big"))


class Passwords(Modes):
    def test_right(self):
        for cipher in (1, 2, 3):
            self.passwords(cipher=cipher, name=(b"n", b"n"))
            self.up()
            self.assertEqual(self.listener.side.credential.tries, 0)
            self.stream()
            self.rekeys()
            self.stream()

    def test_single_octets(self):
        self.passwords()
        self.up(piece=1)

    def test_wrong(self):
        self.passwords("battery")
        with self.assertRaises(WrongPassword):
            self.carry()
        self.assertEqual(self.listener.take(), b"")
        self.assertEqual(self.listener.side.credential.tries, 1)
        self.expect(self.listener)
        self.expect(self.connector)

    def test_a_listener_that_guesses(self):
        """It has seen the connector's proof, and answers: the connector does not take it."""
        self.passwords("correct horse", "battery")
        c, l = self.connector, self.listener
        l.receive(c.take())
        c.receive(l.take())
        c.take()
        with self.assertRaises(Refused):
            c.receive(usi1.Channel.prefixed(bytes(1) + os.urandom(48)))
        self.expect(c)

    def test_no_more_tries(self):
        """The third is the last: (1) is not answered any more."""
        self.passwords("battery", limit=2)
        listener = self.listener.side.credential
        for _ in range(2):
            self.pair(ki=(Password("battery"), listener))
            self.refused()
        self.pair(ki=(Password(WORD), listener))
        self.refused()
        self.assertEqual(self.listener.take(), b"")
        self.assertEqual(listener.tries, 2)

    def test_tries_at_the_same_time(self):
        """All have the answer to (1) before the first tries."""
        listener, pairs = Password(WORD, SALT, limit=2), []
        for word in ("battery", "battery", WORD):
            self.pair(ki=(Password(word), listener))
            self.listener.receive(self.connector.take())
            self.connector.receive(self.listener.take())
            pairs.append((self.connector, self.listener))
        for c, l in pairs:
            with self.assertRaises(WrongPassword):
                l.receive(c.take())
        self.assertEqual(listener.tries, 2)

    def test_another_name(self):
        self.passwords(name=(b"n", b""))
        self.refused()
        self.assertEqual(self.listener.take(), b"")

    def test_points(self):
        """Off the curve, of another form, and one that leaves nothing of K; by either side."""
        w = Password(WORD).w(SALT)
        good = curves.encode(curves.BASE)
        bad = {
            "off the curve": flipped(good),
            "coordinate": b"\4" + (curves.Q + 5).to_bytes(32, "big") + good[33:],
            "zeros": b"\4" + bytes(64),
            "compressed": b"\2" + good[1:],
            "hybrid": b"\6" + good[1:],
            "infinity": bytes(65),
        }
        for side in (0, 1):
            nothing = {"nothing left": curves.encode(curves.times(w, (M, N)[side]))}
            for title, point in (bad | nothing).items():
                with self.subTest(title, side=side):
                    self.passwords()
                    self.send_share(side, point)

    def send_share(self, side, point):
        c, l = self.connector, self.listener
        l.receive(c.take())
        if side == 1:
            challenge = l.take()
            with self.assertRaises(Refused):
                c.receive(challenge[:18] + point)
            return
        c.receive(l.take())
        attempt = c.take()
        with self.assertRaises(Refused):
            l.receive(attempt[:2] + point + attempt[67:])
        self.assertEqual(l.take(), b"")
        self.assertEqual(l.side.credential.tries, 1)

    def test_every_octet(self):
        """(1) to (4); the bound of each length."""
        for message, step in ((0, 13), (1, 29), (2, 29), (3, 11)):
            self.flip_each(self.passwords, message, step)

    def test_a_proof_with_content(self):
        self.passwords()
        c, l = self.connector, self.listener
        c.pad = lambda kind, size: 255
        proof = handshake.PasswordHandshake.proof
        try:
            handshake.PasswordHandshake.proof = lambda self: b"x"
            self.refused()
        finally:
            handshake.PasswordHandshake.proof = proof
        self.assertNotIn(("authenticated",), l.events)

    def test_a_rekey_of_somebody_who_has_only_the_keys(self):
        """Without the chaining key of the handshake before, its tag is wrong."""
        for side in (0, 1):
            self.passwords()
            c, l = self.up()
            (c, l)[side].last.noise.ck = bytes(32)
            c.rekey()
            self.refused()


class Questions(Modes):
    def ask(self, word=WORD):
        self.connector.ask_password(Password(word))
        self.carry()

    def with_password(self, word=WORD, limit=None, approve=True):
        self.identities()
        self.up()
        self.listener.password = word and Password(word, SALT, limit)
        if approve:
            self.connector.approve()
            self.listener.approve()

    def test_answers(self):
        for word, right in ((WORD, True), ("battery", False), (None, None)):
            for approve in (False, True):
                with self.subTest(word=word, approve=approve):
                    self.with_password(word, approve=approve)
                    self.ask()
                    self.expect(self.connector, ("answer", right))
                    self.expect(self.listener, ("asked", right))

    def test_tries(self):
        """Those that fail are counted; a right one changes nothing."""
        self.with_password(limit=2)
        for word, right in (("battery", False), (WORD, True), ("battery", False), (WORD, None)):
            self.ask(word)
            self.expect(self.connector, ("answer", right))
        self.assertEqual(self.listener.password.tries, 2)

    def test_a_ninth(self):
        self.with_password()
        for _ in range(usi1.QUESTIONS_MAX):
            self.ask()
        with self.assertRaises(Refused):
            self.ask()

    def test_while_all_else_goes_on(self):
        """In a stream, and behind a rekey: the h of the first handshake counts."""
        self.with_password()
        c, l = self.connector, self.listener
        c.open()
        c.rekey()
        c.data(b"a")
        c.ask_password(Password(WORD))
        c.data(b"b")
        l.rekey()
        self.carry()
        self.assertIn(("answer", True), c.events)
        data, rekeys = self.data(l)
        self.assertEqual((data, rekeys), (b"ab", 1))
        c.events.clear()
        self.ask()
        self.expect(c, ("answer", True))
        self.expect(l, ("asked", True))
        self.finish()

    def test_in_another_mode(self):
        for ki in ((bytes(32), bytes(32)), (Password(WORD), Password(WORD, SALT))):
            self.pair(ki=ki)
            c, l = self.up()
            l.password = Password(WORD, SALT)
            c.ask_password(Password(WORD))
            self.refused()

    def test_out_of_turn(self):
        to_listener = {
            "twice": [(usi1.QUESTION, None), (usi1.QUESTION, None)],
            "attempt first": [(usi1.ATTEMPT, bytes(113))],
            "challenge": [(usi1.CHALLENGE, bytes(81))],
            "verdict": [(usi1.VERDICT, b"")],
            "flags": [(usi1.QUESTION, b"USI1\3\3\1\0" + bytes(32 + 1184))],
            "mode": [(usi1.QUESTION, b"USI1\2\3\0\0" + bytes(32))],
            "longer": [(usi1.QUESTION, b"USI1\3\3\0\0" + bytes(33))],
            "no point": [(usi1.QUESTION, None), (usi1.ATTEMPT, bytes(113))],
            "short": [(usi1.QUESTION, None), (usi1.ATTEMPT, bytes(112))],
        }
        for title, records in to_listener.items():
            with self.subTest(title):
                self.with_password()
                for kind, content in records:
                    content = b"USI1\3\3\0\0" + bytes(32) if content is None else content
                    self.connector.seal(kind, content)
                with self.assertRaises(Refused):
                    self.listener.receive(self.connector.take())
        for title, kind, content in (
            ("challenge", usi1.CHALLENGE, b""),
            ("verdict", usi1.VERDICT, b""),
            ("question", usi1.QUESTION, bytes(40)),
            ("attempt", usi1.ATTEMPT, bytes(113)),
        ):
            with self.subTest(title):
                self.with_password()
                self.listener.seal(kind, content)
                with self.assertRaises(Refused):
                    self.connector.receive(self.listener.take())

    def test_an_early_or_a_second_challenge(self):
        for second in (usi1.CHALLENGE, usi1.VERDICT):
            self.with_password()
            c, l = self.connector, self.listener
            c.ask_password(Password(WORD))
            if second == usi1.CHALLENGE:
                l.receive(c.take())
            l.seal(second, l.question.sent_2 if l.question else b"")
            with self.assertRaises(Refused):
                c.receive(l.take())

    def test_relayed_between_two_channels(self):
        """It is bound to the channel: somebody in the middle carries it to no avail."""
        self.with_password()
        near = self.connector, self.listener
        self.with_password()
        far = (self.connector, self.listener)
        near[0].ask_password(Password(WORD))
        records = []
        near[1].take_question = records.append
        near[1].receive(near[0].take())
        far[1].take_question(records[0])
        near[0].take_challenge(far[1].question.sent_2)
        near[1].take_attempt = records.append
        near[1].receive(near[0].take())
        far[1].take_attempt(records[1])
        self.expect(far[1], ("asked", False))
        near[0].take_verdict(b"")
        self.expect(near[0], ("answer", False))

    def test_a_verdict_that_does_not_open(self):
        self.with_password()
        c, l = self.connector, self.listener
        c.ask_password(Password(WORD))
        l.receive(c.take())
        c.receive(l.take())
        c.take()
        l.question = None
        l.seal(usi1.VERDICT, bytes(1) + b"\t" + bytes(47))
        c.receive(l.take())
        self.expect(c, ("answer", False))


if __name__ == "__main__":
    unittest.main()
