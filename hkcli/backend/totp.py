"""Time-based one-time passwords, the six digits of an authenticator app (RFC 6238)."""

import base64
import hmac
import secrets
import struct

STEP_S, DIGITS = 30, 6
TOLERATED_STEPS = (-1, 0, 1)
"""Clocks that go a little wrong, and people who type slowly."""


def new_secret() -> str:
    """In base32, as authenticator apps take it."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code(secret: str, moment: float) -> str:
    """`moment` in seconds since the epoch."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(moment) // STEP_S), "sha1")
    number = struct.unpack_from(">I", digest, digest[-1] & 0x0F)[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def is_code(secret: str, given: str, moment: float) -> bool:
    known = [code(secret, moment + step * STEP_S) for step in TOLERATED_STEPS]
    return any([hmac.compare_digest(each.encode(), given.encode()) for each in known])
