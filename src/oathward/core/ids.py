"""Identifiers that sort by time and say nothing else.

Source: RFC 9562 §5.7 (UUID version 7).
"""

from __future__ import annotations

import os
import time


def uuid7(now_ms: int | None = None) -> str:
    """Make a UUID version 7 in canonical text form.

    Args:
        now_ms: milliseconds since 1970 UTC; the wall clock when absent.
    """
    ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    r = os.urandom(10).hex()
    t = f"{ms & 0xFFFF_FFFF_FFFF:012x}"
    return f"{t[:8]}-{t[8:]}-7{r[:3]}-{_VARIANT[r[3]]}{r[4:7]}-{r[7:19]}"


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
