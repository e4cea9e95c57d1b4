#!/usr/bin/env python3
"""usi1.py's building blocks against the vectors of tests/vectors."""

import os
import unittest

import curves
import identity
import password
from noise import Noise, Reader, hkdf, hmac_sha256, sha256
from primitives import AES, BASE_POINT, OCB, x25519

FOLDER = os.path.join(os.path.dirname(__file__), "..", "vectors")
WORDS = {
    "title",
    "result",
    "protocol",
    "taglen",
    "keylen",
    "iterations",
    "words",
    "kind",
    "bits",
    "signer",
    "kept",
}


def cases(name):
    """The cases of a file as dicts; values are octets, or text for WORDS."""
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if not line.startswith("#")]
    for block in "\n".join(lines).split("\n\n"):
        case = dict(line.split(" =", 1) for line in block.splitlines() if line)
        if case:
            yield {k: v.strip() if k in WORDS else bytes.fromhex(v) for k, v in case.items()}


class GCM:
    """AES-GCM (SP 800-38D) with nonces of 12 octets: the published Noise vectors use it."""

    def __init__(self, key):
        self.aes = AES(key)
        self.h = self.aes.encrypt(0)

    def multiply(self, x):
        z, v = 0, self.h
        for i in reversed(range(128)):
            if x >> i & 1:
                z ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        return z

    def counted(self, nonce, data):
        out = bytearray()
        for i in range(0, len(data), 16):
            pad = self.aes.encrypt(int.from_bytes(nonce + (i // 16 + 2).to_bytes(4, "big"), "big"))
            out += bytes(a ^ b for a, b in zip(data[i : i + 16], pad.to_bytes(16, "big")))
        return bytes(out)

    def tag(self, nonce, ad, sealed):
        y = 0
        for part in (ad, sealed):
            for i in range(0, len(part), 16):
                y = self.multiply(y ^ int.from_bytes(part[i : i + 16].ljust(16, b"\0"), "big"))
        y = self.multiply(y ^ len(ad) * 8 << 64 ^ len(sealed) * 8)
        return (y ^ self.aes.encrypt(int.from_bytes(nonce + b"\0\0\0\1", "big"))).to_bytes(16, "big")


def nonce(counter):
    return bytes(4) + counter.to_bytes(8, "big")


def gcm_seal(key, counter, ad, plain):
    gcm = GCM(key)
    sealed = gcm.counted(nonce(counter), plain)
    return sealed + gcm.tag(nonce(counter), ad, sealed)


def gcm_open(key, counter, ad, sealed):
    gcm = GCM(key)
    sealed, tag = sealed[:-16], sealed[-16:]
    return gcm.counted(nonce(counter), sealed) if gcm.tag(nonce(counter), ad, sealed) == tag else None


class Vectors(unittest.TestCase):
    def test_x25519(self):
        seen = 0
        for case in cases("x25519.txt"):
            seen += 1
            with self.subTest(case["title"]):
                if "shared" in case:
                    self.assertEqual(x25519(case["a"], BASE_POINT), case["a_public"])
                    self.assertEqual(x25519(case["b"], BASE_POINT), case["b_public"])
                    self.assertEqual(x25519(case["a"], case["b_public"]), case["shared"])
                    self.assertEqual(x25519(case["b"], case["a_public"]), case["shared"])
                    continue
                scalar, point = case["scalar"], case["point"]
                for _ in range(int(case.get("iterations", 1))):
                    scalar, point = x25519(scalar, point), scalar
                self.assertEqual(scalar, case["output"])
        self.assertEqual(seen, 5)

    def test_ocb(self):
        seen = 0
        for case in cases("aes-ocb.txt"):
            seen += 1
            with self.subTest(case["title"]):
                ocb = OCB(case["key"], int(case["taglen"]))
                whole = case["ct"] + case["tag"]
                if case.get("result") == "fail":
                    self.assertIsNone(ocb.open(case["nonce"], case["aad"], whole))
                    continue
                self.assertEqual(ocb.seal(case["nonce"], case["aad"], case["pt"]), whole)
                self.assertEqual(ocb.open(case["nonce"], case["aad"], whole), case["pt"])
                wrong = whole[:-1] + bytes([whole[-1] ^ 1])
                self.assertIsNone(ocb.open(case["nonce"], case["aad"], wrong))
        self.assertGreater(seen, 16)

    def test_ocb_iterated(self):
        for case in cases("aes-ocb-iterated.txt"):
            with self.subTest(case["title"]):
                size, tag = int(case["keylen"]), int(case["taglen"])
                ocb = OCB(bytes(size - 1) + bytes([tag * 8]), tag)
                c = b""
                for i in range(128):
                    s = bytes(i)
                    for j, (ad, plain) in enumerate(((s, s), (b"", s), (s, b"")), 1):
                        c += ocb.seal((3 * i + j).to_bytes(12, "big"), ad, plain)
                self.assertEqual(ocb.seal((385).to_bytes(12, "big"), c, b""), case["output"])

    def test_noise(self):
        """Every vector whose pattern and cipher we have, the transport messages included."""
        seen = []
        for case in cases("noise-25519-aesgcm-sha256.txt"):
            _, pattern, _, cipher, _ = case["protocol"].split("_")
            if pattern not in Noise.PATTERNS or cipher != "AESGCM":
                continue
            seen.append(pattern)
            with self.subTest(case["protocol"]):
                self.check_noise(pattern, case)
        self.assertEqual(sorted(seen), ["NN", "NNpsk0", "NNpsk2"])

    def check_noise(self, pattern, case):
        sides = []
        for side in ("init", "resp"):
            noise = Noise(
                pattern,
                "AESGCM",
                (gcm_seal, gcm_open),
                case[f"{side}_prologue"],
                lambda size, key=case[f"{side}_ephemeral"]: key,
            )
            noise.psk = case.get(f"{side}_psk")
            sides.append(noise)
        for i in range(2):
            message = sides[i].write(case[f"payload.{i}"])
            self.assertEqual(message, case[f"message.{i}"])
            self.assertEqual(sides[1 - i].read(message), case[f"payload.{i}"])
        self.assertEqual(sides[0].h, case["handshake_hash"])
        self.assertEqual(sides[1].h, case["handshake_hash"])
        keys = sides[0].split()
        self.assertEqual(keys, sides[1].split())
        i = 2
        while f"message.{i}" in case:
            sealed = gcm_seal(keys[i % 2], i // 2 - 1, b"", case[f"payload.{i}"])
            self.assertEqual(sealed, case[f"message.{i}"])
            i += 1

    def test_spake2(self):
        seen = 0
        for case in cases("spake2.txt"):
            seen += 1
            with self.subTest(case["title"]):
                w, x, y = (int.from_bytes(case[name], "big") for name in "wxy")
                names = case["a"], case["b"]
                a, b = password.Spake2(w, True, x, names), password.Spake2(w, False, y, names)
                self.assertEqual((a.share, b.share), (case["pa"], case["pb"]))
                self.assertEqual(a.secret(b.share), case["ke"])
                self.assertEqual(b.secret(a.share), case["ke"])
                self.check_confirmation(case)
        self.assertGreaterEqual(seen, 4)

    def check_confirmation(self, case):
        """Not part of USI's use of it, but it covers the whole of TT."""
        parts = [case[name] for name in ("a", "b", "pa", "pb", "k", "w")]
        tt = password.transcript(*parts)
        self.assertEqual(sha256(tt), case["ke"] + case["ka"])
        keys = hkdf(b"", case["ka"], b"ConfirmationKeys", 32)
        self.assertEqual(hmac_sha256(keys[:16], tt), case["conf_a"])
        self.assertEqual(hmac_sha256(keys[16:], tt), case["conf_b"])

    def test_spake2_points(self):
        """M and N from their seeds, by RFC 9382 appendix A."""
        for letter, point in (("M", password.M), ("N", password.N)):
            block = f"1.2.840.10045.3.1.7 point generation seed ({letter})".encode()
            found = None
            while not found:
                block = sha256(block)
                octets = bytes([block[0] & 1 | 2]) + (block + sha256(block))[1:33]
                found = curves.decompress(octets)
            self.assertEqual(found, point)

    def test_password(self):
        seen = 0
        for case in cases("password.txt"):
            seen += 1
            with self.subTest(case["title"]):
                if "psk" in case:
                    psk = hkdf(sha256(case["prologue"]), case["ke"], b"USI1 password", 32)
                    self.assertEqual(psk, case["psk"])
                    continue
                told = {}
                w = password.stretch(case["password"], case["salt"], told.__setitem__)
                self.assertEqual((told["pw'"], told["m"]), (case["prehash"], case["m"]))
                self.assertEqual(w.to_bytes(32, "big"), case["w"])
        self.assertEqual(seen, 5)

    def test_ed25519(self):
        seen = 0
        for case in cases("ed25519.txt"):
            seen += 1
            with self.subTest(case["title"]):
                key, message, signature = (
                    identity.Ed25519Key(case["secret"]),
                    case["message"],
                    case["signature"],
                )
                self.assertEqual(key.public, case["public"])
                self.assertEqual(key.sign(message), signature)
                self.assertTrue(key.verify(signature, message))
                self.assertFalse(key.verify(signature, message + b"x"))
                # S and S + L are the same number: only the smaller is taken.
                more = int.from_bytes(signature[32:], "little") + curves.L
                self.assertFalse(key.verify(signature[:32] + more.to_bytes(32, "little"), message))
        self.assertEqual(seen, 3)

    def test_identity(self):
        """Who is shown, and by whom it is signed."""
        kinds = []
        for case in cases("identity.txt"):
            kinds.append(case["kind"])
            with self.subTest(case["title"]):
                shown = Reader(case["shown"])
                mark = shown.take(1)[0]
                spki = shown.take(int.from_bytes(shown.take(2), "big"))
                self.assertEqual((mark, sha256(spki)), (int(case["kept"]), case["fingerprint"]))
                key, signature = identity.public_key(spki), shown.rest()
                self.assertEqual(key.kind.lower(), case["kind"])
                text = b"USI1 " + case["signer"].encode() + case["hash"] + bytes([mark])
                text += case["peer_key"] + sha256(spki)
                self.assertTrue(key.verify(signature, text))
                self.assertFalse(key.verify(signature, text[:-1]))
                if key.kind == "RSA":
                    self.assertEqual(key.bits, int(case["bits"]))
        self.assertEqual((kinds.count("ed25519"), kinds.count("rsa")), (3, 5))

    def test_words(self):
        """The list is in the order of the alphabet: so numbers and words sort alike."""
        pairs = set()
        for case in cases("bip39.txt"):
            if "words" in case:
                bits = case["entropy"] + sha256(case["entropy"])[:1]
                pairs |= set(zip(identity.word_numbers(bits.ljust(32, b"\0")), case["words"].split()))
        pairs = sorted(pairs)
        self.assertGreater(len(pairs), 50)
        words = [word for _, word in pairs]
        self.assertEqual(words, sorted(set(words)))
        self.assertEqual(pairs[0], (0, "abandon"))
        self.assertEqual(pairs[-1], (2047, "zoo"))


if __name__ == "__main__":
    unittest.main()
