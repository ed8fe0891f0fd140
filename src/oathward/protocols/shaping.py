"""What may happen to one value, in the words that every wire's rewriter understands.

Rules:
- A ruling is ``KEEP``, ``REMOVE`` or a transform; a transform that gives nothing removes.
- Rulings are asked for by element class and part, once, when a plan is compiled; never by value.
- Whatever the wire, what a rewriter gives is a ``Rewritten``.

Deliberately absent: the actions that make rulings (``deid/actions``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple


class Fate(Enum):
    """The two rulings that need no look at the value."""

    KEEP = "keep"
    REMOVE = "remove"


KEEP, REMOVE = Fate.KEEP, Fate.REMOVE

Transform = Callable[[str, Any], str]
"""(value, the caller's context) -> what stands in its place; empty to remove it."""


@dataclass(frozen=True, slots=True)
class Quick:
    """A transform with a short cut for the usual value, because it is asked for many values of a message.

    ``short``: takes the value as it is written on the wire; gives what stands in its place, in ASCII letters
    and digits only, or None to go the long way. Both ways must agree.
    """

    long: Transform
    short: Callable[[bytes], bytes | None]

    def __call__(self, value: str, context: Any) -> str:
        """Go the long way."""
        return self.long(value, context)


Ruling = Fate | Transform

Decide = Callable[[str, str], Ruling]
"""(element class, part: empty, ``rest``, ``text``, ``street``, ``city``, ``state``, ``postcode``, ``country``; ``time``: a
time of day without a date)."""


class Rewritten(NamedTuple):
    """What may leave, and what was done. Counts are of values, by class.

    ``uncatalogued``: values nobody catalogued, removed or not. ``observations``: those removed whole.
    """

    data: bytes
    removed: Mapping[str, int]
    changed: Mapping[str, int]
    kept: frozenset[str]
    uncatalogued: int
    observations: int
