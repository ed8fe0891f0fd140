"""Names that are known, found where their letters stand apart: ``Anne Marie`` as two words, ``S m i t h``, a word over two lines.

Rules:
- From a word on, what follows is joined to it as long as a known word begins so, and counted: linear in the text, whatever is known.
- Words stand apart by a space, a hyphen or one other mark; single letters by up to four of any.
- Two letters alone are a word only where nothing shows that they are initials.

Deliberately absent: letters that stand apart and are wrong too, but for a word that a line's end parts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oathward.deid.text.known_units import Unit

if TYPE_CHECKING:
    from oathward.deid.text.known_names import Names

PARTED_MAX = 40
"""Letters of the longest word that is looked for in parts, and words that are joined from each."""

_JOINT = re.compile(r"[ \t]{1,2}|-?[ \t]?\r?\n[ \t]{0,2}|['’`\-\u2010\u2011_.*·/|~+=]").fullmatch
_SPACED = re.compile(r"[\W_]{1,4}").fullmatch
"""What may stand between single letters of a word."""


def parted_at(text: str, units: Sequence[Unit], i: int, names: Names) -> tuple[int, str, int]:
    """Find the longest known word whose parts stand beside each other from word ``i`` on.

    Gives one past its last part (``i`` where there is none), its class, and how many words were looked at.
    """
    found, cls_found = i, ""
    beginnings, joined = names.beginnings, units[i].keys
    letters = len(units[i].raw) == 1
    end, last = units[i].end, i
    for last in range(i + 1, min(len(units), i + PARTED_MAX)):
        start, next_end, raw, keys = units[last]
        letters = letters and len(raw) == 1
        gap = text[end:start]
        if gap != " " and not (_JOINT(gap) or (letters and _SPACED(gap))):
            break
        joined = tuple([both for one in joined for key in keys if (both := one + key) in beginnings])
        if not joined:
            break
        end = next_end
        if names.wholes.isdisjoint(joined):
            continue
        if len(min(joined, key=len)) > 3 or (letters and _spelled(units, i, last, gap)):
            found, cls_found = last + 1, names.exact(joined)
    return found, cls_found, last - i


def _spelled(units: Sequence[Unit], first: int, last: int, gap: str) -> bool:
    """Whether single letters are a word of two or three of them; of two, no initials and nothing longer."""
    if last - first > 1:
        return True
    alone = all(
        len(unit.raw) > 1 for unit in (*units[max(first - 1, 0) : first], *units[last + 1 : last + 2])
    )
    return alone and units[first].large and gap.strip() in ("", "-")


def broken_at(text: str, units: Sequence[Unit], i: int, names: Names, hits: dict[int, str]) -> None:
    """Find a known word with a letter wrong that goes on in the next line."""
    if i in hits or i + 1 >= len(units) or "\n" not in (gap := text[units[i].end : units[i + 1].start]):
        return
    joined = units[i].keys[0] + units[i + 1].keys[0]
    if len(joined) > 3 and _JOINT(gap) and (cls := names.misspelt(joined)):
        hits.setdefault(i, cls)
        hits.setdefault(i + 1, cls)
