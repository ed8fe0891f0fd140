"""Identifiers that sort by time and say nothing else, and the random bytes of ids and salts.

Rules:
- ``random16`` is for ids and salts. A key is never made from it: unused bytes wait in memory.
- No bytes are handed out twice: not to two threads, not to a forked child.

Source: RFC 9562 §5.7 (UUID version 7).
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from hashlib import blake2b


def uuid7(now_ms: int | None = None) -> str:
    """Make a UUID version 7 in canonical text form.

    Args:
        now_ms: milliseconds since 1970 UTC; the wall clock when absent.
    """
    ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    r = random16().hex()
    t = f"{ms & 0xFFFF_FFFF_FFFF:012x}"
    return f"{t[:8]}-{t[8:]}-7{r[:3]}-{_VARIANT[r[3]]}{r[4:7]}-{r[7:19]}"


def made_ms(id_: str) -> int:
    """Say when a UUID version 7 was made: milliseconds since 1970 UTC."""
    return int(id_[:8] + id_[9:13], 16)


def is_id(text: str) -> bool:
    """Whether a text can be the id of a proposal, a person or a service: short, and fit for any page or terminal."""
    return _ID.fullmatch(text) is not None


def same_key(key: bytes, source: str, words: bytes) -> bytes:
    """Give the keyed hash of what makes a message the same one for its sender.

    Args:
        key: the site's duplicate key. source: the device's id, or the peer's address where the device is not known.
        words: of its identity: in HL7 v2 MSH-3, MSH-4 and MSH-10 as written, with ``|`` between.
    """
    return blake2b(b"|".join((source.encode(), words)), digest_size=16, key=key).digest()


def random16() -> bytes:
    """Give 16 random bytes from the kernel, of which many were asked for at once.

    Each question gives up the interpreter lock, which a busy thread waits to get back.
    """
    try:
        return _pool.popleft()
    except IndexError:
        drawn = os.urandom(16 * _DRAWN)
        _pool.extend(drawn[at : at + 16] for at in range(16, len(drawn), 16))
        return drawn[:16]


_DRAWN = 512
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_pool: deque[bytes] = deque()
os.register_at_fork(after_in_child=_pool.clear)
