"""Codes of six figures from a shared secret and the time.

Rules:
- A code counts within its own 30 seconds. Where a site lets clocks differ (``[people] clocks_may_differ``), one of the step
  before or after counts too, counted from where the person's clock was last time (``drift``), which is never believed to be
  more than two steps off.
- Each step counts once: a code is good for the steps after the last one that was taken.
- All codes are compared, in constant time each.

Deliberately absent: codes by mail or message; any counter but time.

Source: OWASP ASVS 5.0 V6.5.5 (a code lives 30 seconds); RFC 6238 §4, §5.2 (one use), §6 (drift); RFC 4226 §5.3.
"""

from __future__ import annotations

import os
import secrets
from base64 import b32encode

import pyotp

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20
DRIFT_MAX = 2


def new_secret() -> bytes:
    """Make a secret."""
    return os.urandom(SECRET_BYTES)


def base32(secret: bytes) -> str:
    """Write a secret as people type it."""
    return b32encode(secret).decode()


def address(secret: bytes, login: str, site: str) -> str:
    """Give the ``otpauth`` address that a phone reads."""
    otp = pyotp.TOTP(base32(secret), digits=DIGITS, interval=STEP_S)
    return otp.provisioning_uri(name=login, issuer_name=f"Oathward {site}")


def step_of(
    code: str, secret: bytes, now_s: float, *, last: int, drift: int = 0, around: bool = False
) -> int | None:
    """Find the step a code is of; nothing where it is of none that may still be used.

    Args:
        last: the newest step that was taken. drift: steps that the person's clock was ahead.
        around: clocks may differ: the step before and the one after count too.
    """
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        return None
    otp = pyotp.TOTP(base32(secret), digits=DIGITS, interval=STEP_S)
    middle = int(now_s // STEP_S) + (drift if around else 0)
    found, beside = None, 1 if around else 0
    for step in range(middle - beside, middle + beside + 1):
        fits = secrets.compare_digest(otp.generate_otp(step), code)
        if fits and step > last:
            found = step
    return found


def drift_of(step: int, now_s: float) -> int:
    """Say how far ahead a clock is that gave the code of a step."""
    return max(-DRIFT_MAX, min(DRIFT_MAX, step - int(now_s // STEP_S)))
