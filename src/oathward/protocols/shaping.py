"""What may happen to one value, in the words that every wire's rewriter understands.

Rules:
- A ruling is ``KEEP``, ``REMOVE`` or a transform; a transform that gives nothing removes.
- Rulings are asked for by element class and part, once, when a plan is compiled; never by value.
- Whatever the wire, what a rewriter gives is a ``Rewritten``.

- Free text and attachments have rulings of their own kind (``Texts``, ``Attachments``): a format that marks text up, or
  cuts it into lines, gives them its words, and an attachment its bytes; used as a plain transform they are safe too.

Deliberately absent: the actions that make rulings (``deid/actions``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from oathward.core.labels import ROLES


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


Told = tuple[str, str, str]
"""(element class, part, value as text): what a message says of somebody in its structured part."""

TELLING = frozenset(
    f"{role}.{kind}"
    for role in ROLES
    for kind in ("name", "identifier", "address", "contact", "birth-date", "encounter")
) | {"patient.time", "device.identity", "order"}
"""Classes of values that a text of the same message may repeat, to name somebody or something."""


class Edit(NamedTuple):
    """What becomes of a run of a text: ``start`` to ``end``, in code points, is written as ``text``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Texts:
    """A transform of free text that says where it changes something.

    ``edits``: (text, the caller's context) -> edits in order, none overlapping another; None: nothing of it may leave.
    """

    edits: Callable[[str, Any], Sequence[Edit] | None]

    def __call__(self, value: str, context: Any) -> str:
        """Clean a text that has no marks."""
        found = self.edits(value, context)
        return "" if found is None else edited(value, found)

    def pieces(self, pieces: Sequence[str], context: Any) -> list[str] | None:
        """Clean a text that came in pieces, as one: what is found over several of them stands in the first."""
        whole = "".join(pieces)
        found = self.edits(whole, context)
        if found is None:
            return None
        made: list[str] = []
        at, i = 0, 0
        for piece in pieces:
            end, taken = at + len(piece), at
            parts: list[str] = []
            while i < len(found) and found[i].start < end:
                edit = found[i]
                if edit.start >= at:
                    parts += (whole[taken : edit.start], edit.text)
                taken = min(edit.end, end)
                if edit.end > end:
                    break
                i += 1
            made.append("".join((*parts, whole[taken:end])))
            at = end
        return made


def edited(text: str, edits: Sequence[Edit]) -> str:
    """Write a text with its edits."""
    parts: list[str] = []
    end = 0
    for edit in edits:
        parts += (text[end : edit.start], edit.text)
        end = edit.end
    return "".join((*parts, text[end:]))


class Shaped(NamedTuple):
    """An attachment as it may leave: its bytes, and what they are (``text/plain``, ``text/html`` …)."""

    data: bytes
    media: str


@dataclass(frozen=True, slots=True)
class Attachments:
    """A transform of attachments; a plain transform of their values removes them.

    ``shaped``: (bytes, or None where they are elsewhere or cannot be read; the caller's context) -> what may leave of them;
    None: nothing.
    """

    shaped: Callable[[bytes | None, Any], Shaped | None]

    def __call__(self, _value: str, _context: Any) -> str:
        """Remove what is no bytes: pointers, names of files."""
        return ""


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
