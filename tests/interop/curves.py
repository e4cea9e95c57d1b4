"""Ed25519 (RFC 8032) and P-256 (SP 800-186), written from those documents in plain Python.

Slow, and its time depends on secrets: for tests only.
"""

import hashlib

# ---- edwards25519: a point is (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z ----

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # of -1


def ed_add(a, b):
    """RFC 8032 section 5.1.4."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, d - c, d + c, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def ed_times(k, point):
    sum_ = (0, 1, 1, 0)
    while k:
        if k & 1:
            sum_ = ed_add(sum_, point)
        point = ed_add(point, point)
        k >>= 1
    return sum_


def ed_encode(point):
    z = pow(point[2], -1, P)
    x, y = point[0] * z % P, point[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def ed_decode(octets):
    """RFC 8032 section 5.1.3: the point, or None."""
    y = int.from_bytes(octets, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or x == 0 and sign:
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


ED_BASE = ed_decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed_hash(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def ed_expand(seed):
    """The secret scalar and the prefix."""
    octets = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(octets[:32], "little")
    return scalar & (1 << 254) - 8 | 1 << 254, octets[32:]


def ed25519_public(seed):
    return ed_encode(ed_times(ed_expand(seed)[0], ED_BASE))


def ed25519_sign(seed, message):
    scalar, prefix = ed_expand(seed)
    public = ed25519_public(seed)
    r = ed_hash(prefix, message)
    first = ed_encode(ed_times(r, ED_BASE))
    s = (r + ed_hash(first, public, message) * scalar) % L
    return first + s.to_bytes(32, "little")


def ed25519_verify(public, signature, message):
    if len(signature) != 64:
        return False
    a, r, s = ed_decode(public), ed_decode(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    right = ed_add(r, ed_times(ed_hash(signature[:32], public, message), a))
    return ed_encode(ed_times(s, ED_BASE)) == ed_encode(right)


# ---- P-256: a point is (x, y), or None at infinity ----

Q = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def on_curve(x, y):
    return x < Q and y < Q and (y * y - x * x * x + 3 * x - B) % Q == 0


def negated(point):
    return point and (point[0], -point[1] % Q)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] != b[0]:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, Q)
    elif (a[1] + b[1]) % Q == 0:
        return None
    else:
        slope = 3 * (a[0] * a[0] - 1) * pow(2 * a[1], -1, Q)
    x = (slope * slope - a[0] - b[0]) % Q
    return x, (slope * (a[0] - x) - a[1]) % Q


def times(k, point):
    total = None
    for bit in bin(k % ORDER)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def encode(point):
    """SEC 1 section 2.3.3, uncompressed."""
    return b"\4" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def decode(octets):
    """An uncompressed point; None for anything else."""
    x, y = int.from_bytes(octets[1:33], "big"), int.from_bytes(octets[33:], "big")
    return (x, y) if len(octets) == 65 and octets[0] == 4 and on_curve(x, y) else None


def decompress(octets):
    """A compressed point; None for anything else."""
    x = int.from_bytes(octets[1:], "big")
    y = pow(x * x * x - 3 * x + B, (Q + 1) // 4, Q)
    y = Q - y if y & 1 != octets[0] & 1 else y
    return (x, y) if len(octets) == 33 and octets[0] in (2, 3) and on_curve(x, y) else None
