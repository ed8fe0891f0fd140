"""Identifiers that sort by time and say nothing else.

Source: RFC 9562 §5.7 (UUID version 7).
"""

from __future__ import annotations

import os
import time

_HEX_LENGTH = 32


def uuid7(now_ms: int | None = None) -> str:
    """Make a UUID version 7 in canonical text form.

    Args:
        now_ms: milliseconds since 1970 UTC; the wall clock when absent.
    """
    ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    value = (ms & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    h = f"{value:032x}"
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
