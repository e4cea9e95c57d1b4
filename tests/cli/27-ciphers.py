#!/usr/bin/env python3
"""AES-OCB of the provider and libcrypto's own: the two sides need not have the same."""

import os

from harness import KIB, OK, SLOW, Scenario, main

SIZE = (512 if SLOW else 16 * KIB) * KIB + 7
OTHER = ["--propquery", "?provider=default"]


class Ciphers(Scenario):
    def test_either_with_either(self):
        octets = os.urandom(SIZE)
        for bits in (128, 192, 256):
            key = os.path.join(self.folder, f"key-{bits}")
            self.run_program("keygen", "--bits", str(bits), "-o", key, status=OK)
            for far, near in (([], []), (OTHER, []), ([], OTHER), (OTHER, OTHER)):
                with self.round(bits=bits, far=far, near=near):
                    listener = self.listen("--rekey-bytes", "64K", *far, key=key, stdin=octets[::-1])
                    got = self.connect(listener, *near, key=key, stdin=octets)
                    self.assert_equal_bytes(got.out.finish(), octets[::-1])
                    self.assert_equal_bytes(listener.out.finish(), octets)
                    got.wait(OK)
                    listener.wait(OK)


main()
