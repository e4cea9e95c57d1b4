"""Passwords: bcrypt by the system's libcrypt, SPAKE2 (RFC 9382) with P-256 and SHA-256."""

import base64
import ctypes
import ctypes.util
import functools
import os
import threading

import curves
from noise import Refused, hkdf, no_trace, require, sha256

SALT, SHARE, COST = 16, 65, 12
M = curves.decompress(bytes.fromhex("02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f"))
N = curves.decompress(bytes.fromhex("03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49"))

# ---- bcrypt ----

STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
BCRYPT = str.maketrans(STANDARD, "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


@functools.lru_cache(maxsize=1)
def libcrypt():
    """Python's own crypt module is gone since 3.13."""
    for name in ("libcrypt.so.1", "libcrypt.so.2", ctypes.util.find_library("crypt")):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library:
            library.crypt.restype = ctypes.c_char_p
            library.crypt.argtypes = ctypes.c_char_p, ctypes.c_char_p
            return library
    raise RuntimeError("no libcrypt was found")


LOCK = threading.Lock()  # crypt() has one place for what it makes


@functools.lru_cache(maxsize=None)
def bcrypt(secret, salt):
    """The 60 characters. libcrypt makes the hash; the salt is in bcrypt's own base64."""
    setting = f"$2b${COST}$" + base64.b64encode(salt).decode().rstrip("=").translate(BCRYPT)
    with LOCK:
        made = libcrypt().crypt(secret, setting.encode())
    if not made or len(made) != 60 or not made.startswith(setting[:-1].encode()):
        raise RuntimeError(f"libcrypt has no bcrypt: {made}")
    return made


def stretch(password, salt, trace=no_trace):
    """w: a number below the order of P-256."""
    secret = base64.b64encode(sha256(password))
    trace("pw'", secret)
    made = bcrypt(secret, salt)
    trace("m", made)
    w = int.from_bytes(hkdf(b"", made, b"USI1 w", 40), "big") % curves.ORDER
    trace("w", w.to_bytes(32, "big"))
    return w


class WrongPassword(Refused):
    """The peer does not know it."""


class Password:
    """What a side knows. A listener has a salt, made once, counts tries that fail, and stops at limit."""

    def __init__(self, text, salt=None, limit=None):
        self.octets = text if isinstance(text, bytes) else text.encode()
        self.salt = salt or os.urandom(SALT)
        self.limit, self.tries = limit, 0

    def w(self, salt=None, trace=no_trace):
        return stretch(self.octets, salt or self.salt, trace)

    @property
    def allowed(self):
        return self.limit is None or self.tries < self.limit


# ---- SPAKE2 ----


def transcript(*parts):
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


class Spake2:
    """One side: A is the connector. scalar: x or y, which a test may choose."""

    def __init__(self, w, is_a, scalar, identities=(b"USI1 connector", b"USI1 listener")):
        self.w, self.is_a, self.scalar, self.identities = w, is_a, scalar, identities
        blind = curves.times(w, M if is_a else N)
        self.share = curves.encode(curves.add(curves.times(scalar, curves.BASE), blind))

    def secret(self, peer, trace=no_trace):
        """Ke, from the peer's share."""
        point = curves.decode(peer)
        require(point, "a share that is no point of P-256")
        blind = curves.times(self.w, N if self.is_a else M)
        k = curves.times(self.scalar, curves.add(point, curves.negated(blind)))
        require(k, "a shared point at infinity")
        trace("K", curves.encode(k))
        shares = (self.share, peer) if self.is_a else (peer, self.share)
        tt = transcript(*self.identities, *shares, curves.encode(k), self.w.to_bytes(32, "big"))
        trace("SHA-256(TT)", sha256(tt))
        return sha256(tt)[:16]


def scalar(random):
    """A private scalar: uniform from 1 to the order less one."""
    while not 0 < (number := int.from_bytes(random(32), "big")) < curves.ORDER:
        pass
    return number
