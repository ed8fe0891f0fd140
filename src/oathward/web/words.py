"""How the console says times, numbers and reasons.

``age`` is written the same in ``assets/src/ages.ts``, which goes on counting in an open page.
"""

from __future__ import annotations

from datetime import datetime

from oathward.core.clock import from_micros
from oathward.core.meanings import MEANINGS, Meaning
from oathward.core.reasons import BY_CODE

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_YEAR_S = 31_557_600
"""A year of 365.25 days; an age is said in years from two on."""

SHORT_ID_LENGTH = 12
"""The last group of an id, which is random."""


def age(seconds: float) -> str:
    """Say how long ago: ``3 min ago``; whole units, rounded down; of two years and more in years."""
    if seconds < 2:
        return "now"
    if seconds >= 2 * _YEAR_S:
        return f"{int(seconds // _YEAR_S)} y ago"
    size, unit = next((step for step in _STEPS if seconds >= step[0]), _STEPS[-1])
    return f"{int(seconds // size)} {unit} ago"


def span(seconds: float) -> str:
    """Say how long: ``3 min``."""
    size, unit = next((step for step in _STEPS if seconds >= step[0]), _STEPS[-1])
    return f"{int(seconds // size)} {unit}"


def whole_span(seconds: float) -> str:
    """Say how long to two units: ``2 h 5 min``, ``30 s``."""
    said: list[str] = []
    left = max(1, round(seconds))
    for size, unit in _STEPS:
        if left >= size and len(said) < 2:
            said.append(f"{left // size} {unit}")
        elif said:
            break
        left %= size
    return " ".join(said)


def exact(at: datetime) -> str:
    """Say a time exactly: UTC, milliseconds."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"


def at(at_us: int) -> datetime:
    """Read a time of the database."""
    return from_micros(at_us)


def number(value: float) -> str:
    """Write a number with groups of three."""
    return f"{value:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """Count things: ``1 message``, ``2 messages``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def short(id_: str) -> str:
    """Give the random end of a message's id; every command and the search take it."""
    return id_[-SHORT_ID_LENGTH:] if len(id_) > SHORT_ID_LENGTH * 2 else id_


def meaning(code: str) -> Meaning:
    """Say what a reason code means and what to do about it; empty for a word that is none.

    Args:
        code: also with a colon and what it is about, as in ``link.unusable: FILE``.
    """
    known = BY_CODE.get(code.partition(": ")[0])
    return MEANINGS[known] if known else Meaning("")
