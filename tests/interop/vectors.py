#!/usr/bin/env python3
"""usi1.py's building blocks against the vectors of tests/vectors."""

import os
import unittest

from primitives import AES, BASE_POINT, OCB, x25519
from usi1 import Noise

FOLDER = os.path.join(os.path.dirname(__file__), "..", "vectors")
WORDS = {"title", "result", "protocol", "taglen", "keylen", "iterations"}


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
                pattern, "AESGCM", (gcm_seal, gcm_open), case[f"{side}_prologue"],
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


if __name__ == "__main__":
    unittest.main()