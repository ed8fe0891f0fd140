"""Weekdays beside a date: ``Wed 2024-02-07``, ``7/2/2024 (mié)``. Left where they are, they say by how much the date moved.

Rules:
- A weekday, short or whole, goes with the date it stands before, or behind: in brackets, or where nothing goes on.
- Which recogniser found the date is the same.

Deliberately absent: how they are written once the date moved (``dates.like``), and weekdays without a date (``recognisers/dates``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from oathward.deid.text.dates import WEEKDAY_NAMES
from oathward.deid.text.model import Span
from oathward.deid.text.tokens import Tokens

_TIMES = (".time", ".birth-date")
_GLUE = frozenset(("the", "el", "on"))
_GAPS = frozenset((" ", ", ", ". ", "., ", ",", " (", ": ", " - ", "  ", "/", "-", "\t"))
_BRACKETS = (" (", "(", " [", "[")
_ENDS = frozenset("),.;:]\n\r\t")


def with_weekdays(words: Tokens, spans: Iterable[Span]) -> Iterator[Span]:
    """Give each span, of dates with the weekday beside them.

    Args:
        words: of the text.
        spans: what was found in it.
    """
    if WEEKDAY_NAMES.keys().isdisjoint(words.lowers):
        yield from spans
        return
    for span in spans:
        yield _widened(words, span) if span.cls.endswith(_TIMES) else span


def _widened(words: Tokens, span: Span) -> Span:
    first = bisect_left(words.starts, span.start)
    start, end = span.start, span.end
    before = first - 1
    if before > 0 and words.lowers[before] in _GLUE and words.gap(before) == " ":
        before -= 1
    if (
        before >= 0
        and words.text[words.ends[before] : words.starts[before + 1]] in _GAPS
        and words.text[words.ends[first - 1] : start] in _GAPS
        and words.lowers[before] in WEEKDAY_NAMES
    ):
        start = words.starts[before]
    after = bisect_left(words.starts, end)
    if after < len(words) and words.lowers[after] in WEEKDAY_NAMES:
        gap, behind = words.text[end : words.starts[after]], words.text[words.ends[after] :][:1]
        if gap in _BRACKETS or (gap in _GAPS and (not behind or behind in _ENDS)):
            end = words.ends[after]
    return span._replace(start=start, end=end)
