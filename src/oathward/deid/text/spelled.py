"""Words whose letters stand apart, read as words: ``J o h n  S m i t h`` names somebody nobody told us of (``spelled``).

Rules:
- Three letters or more, alone, with the same single mark or space between them, are one word; a large one after a small one begins
  the next. Recognisers of words read the text once more with these joined, and what they find goes in all its letters.
- Columns of letters (``Y N Y N Y``) are such words, too: in large letters alone one counts only where a title, a label or our lists
  of names say so.

Deliberately absent: words that are known (``known_parts``), and figures that stand apart: results do.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from oathward.deid.text.model import Span
from oathward.deid.text.seen import Seen

SURE = 0.85
"""From here on a title, a label or our lists say that a name is one."""

_RUN = re.compile(r"(?<![^\W_])[^\W\d_](?=([ \-._*·/|~+=])[^\W\d_]\1)(?:\1[^\W\d_](?![^\W_]))+")
_LETTERS_MIN = 3


class Spelled:
    """A text with such words joined; ``runs``: where they stand in ``read.text``."""

    __slots__ = ("read", "runs")

    def __init__(self, read: Seen, runs: list[tuple[int, int]]) -> None:
        self.read = read
        self.runs = runs

    def counts(self, span: Span) -> bool:
        """Whether a span of ``read.text`` is one that only joining could find, and sure enough."""
        at = bisect_left(self.runs, (span.start, span.start))
        inside = [
            run for run in self.runs[max(at - 1, 0) : at + 1] if run[0] < span.end and span.start < run[1]
        ]
        words = [self.read.text[start:end] for start, end in inside]
        return bool(words) and (
            span.sure >= SURE or self._said(inside[0][0]) or not all(map(str.isupper, words))
        )

    def _said(self, start: int) -> bool:
        """Whether a label stands before."""
        return self.read.text[max(0, start - 3) : start].rstrip().endswith(":")


def spelled(text: str) -> Spelled | None:
    """Read a text with letters that stand apart joined; None where none do. Linear."""
    letters: list[str] = []
    origins: list[int] = []
    runs: list[tuple[int, int]] = []
    done = 0
    for found in _RUN.finditer(text):
        start, end = found.span()
        if (end - start) // 2 + 1 < _LETTERS_MIN:
            continue
        letters.append(text[done:start])
        origins += range(done, start)
        begin = len(origins)
        for place in range(start, end, 2):
            if place > start and text[place].isupper() and text[place - 2].islower():
                letters.append(" ")
                origins.append(place - 1)
            letters.append(text[place])
            origins.append(place)
        runs.append((begin, len(origins)))
        done = end
    if not runs:
        return None
    letters.append(text[done:])
    origins += range(done, len(text) + 1)
    return Spelled(Seen("".join(letters), tuple(origins)), runs)
