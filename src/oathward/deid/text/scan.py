r"""Look for many patterns at once: most of a text holds none of them and is passed over; the rest is sought pattern by pattern.

Rules, in this order:
1. All hints as one expression say where the next one begins: what lies before is passed over. RE2 searches without its automaton
   where that does not fit into its memory, so nothing is lost by it.
2. A set of the hints says which of them stand in the *block* that begins there. The set holds one expression that is found
   everywhere: an automaton out of memory answers as one that found nothing does.
3. A pattern is sought from ``REACH`` before the blocks with its hint to ``REACH`` after them, once, however many blocks these are;
   what RE2 asks of a hit's neighbours (``\b``) it asks of the whole text. So hits are those of a search through the whole text, if
   none of them is longer than ``REACH``.
4. What a hit's neighbours are is checked here by Unicode's rules (RE2's ``\b`` knows ASCII only): a hit never begins or ends inside
   a word, unless its expression says so by beginning or ending with something else.

RE2 reads every expression, so the time is linear in the text whatever the text is.

Deliberately absent: what a hit means.

Source: Cox, Regular Expression Matching in the Wild (RE2); its ``Set``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.text.budget import Meter
from oathward.deid.text.model import Span
from oathward.deid.text.recogniser import Recogniser, recognisers

BLOCK = 256
"""Bytes that are asked at once which hints they hold: a longer block holds more of them, and more is sought in vain."""
REACH = 160
"""The longest hit, in code points."""
_MEMORY_BYTES_MAX = 64 << 20
_BEFORE = 4
"""Bytes before a block that are shown to the set: ``\\b`` asks for the letter before."""
_INSIDE_LETTERS = bytes(range(0x80, 0xC0))
"""Bytes of UTF-8 that begin no code point."""

_LONG_LETTERS = bytes(range(0xE0, 0xF8))
"""Bytes that begin a code point of three or four."""


class _Part(NamedTuple):
    name: str
    cls: str
    group: int
    sure: float
    check: Callable[[str], float] | None
    match: Callable[..., list[tuple[int, int]]]
    """RE2's own search: how, bytes, from, to -> where each group is; -1 where there is no hit."""


class Scanner:
    """The patterns of some recognisers, compiled once; holds no text."""

    __slots__ = ("_any", "_anywhere", "_everywhere", "_parts", "_set")

    def __init__(self, parts: Mapping[str, Recogniser]) -> None:
        import re2  # heavy, and only texts need it

        options = re2.Options()
        options.max_mem = _MEMORY_BYTES_MAX
        options.log_errors = False
        self._anywhere = re2._Anchor.UNANCHORED  # noqa: SLF001  what match takes, below
        self._parts: dict[int, _Part] = {}
        self._set = re2.Set.SearchSet(options)
        self._everywhere = self._set.Add("")
        hints = []
        for name, part in parts.items():
            for pattern in part.patterns:
                hints.append(pattern.hint or pattern.expression)
                number = self._set.Add(hints[-1])
                options.never_capture = not pattern.group  # a group costs a second search
                compiled = re2.compile(pattern.expression.encode(), options)
                match = compiled._regexp.Match  # noqa: SLF001  finditer takes twice as long as RE2 itself
                cls = part.categories[pattern.category]
                self._parts[number] = _Part(name, cls, pattern.group, pattern.sure, pattern.check, match)
        self._set.Compile()
        options.never_capture = True
        self._any = re2.compile("|".join(f"(?:{hint})" for hint in hints).encode(), options)

    def find(self, text: str, meter: Meter) -> list[Span]:
        """Give every hit that its check lets stand; some overlapping.

        Raises:
            DeidentificationError: ``deid.text-timeout``: the budget is spent, or RE2's memory.
        """
        found: list[Span] = []
        if not self._parts:
            return found
        given = text.encode("utf-8", "surrogatepass")
        places = None if given.isascii() else _Places(given)
        reach = places.reach if places else REACH
        if len(given) <= BLOCK:
            for number in self._hints(given, meter):
                self._exact(number, text, given, places, (0, len(given)), meter, found)
        else:
            for number, runs in self._runs(given, reach, meter).items():
                for run in runs:
                    self._exact(number, text, given, places, run, meter, found)
        return found

    def _exact(
        self,
        number: int,
        text: str,
        given: bytes,
        places: _Places | None,
        run: tuple[int, int],
        meter: Meter,
        found: list[Span],
    ) -> None:
        """Put the hits of one pattern between two bytes to what was found."""
        name, cls, group, sure, check, match = self._parts[number]
        at, stop = run[0], min(run[1], len(given))
        while at <= stop:
            spans = match(self._anywhere, given, at, stop)
            end = spans[0][1]
            if end < 0:
                return
            meter.spend(1)
            at = end if end > at else at + 1
            start, end = spans[group]
            if start < 0 or start == end:
                continue
            if places:
                start, end = places.point(start), places.point(end)
            if not _whole(text, start, end):
                continue
            as_sure = check(text[start:end]) if check else sure
            if as_sure > 0:
                found.append(Span(start, end, cls, name, as_sure))

    def _runs(self, given: bytes, reach: int, meter: Meter) -> dict[int, list[tuple[int, int]]]:
        """Say where each pattern is to be sought: its number -> bytes from and to, in order, apart from each other."""
        runs: dict[int, list[tuple[int, int]]] = {}
        at = 0
        while at < len(given) and (hint := self._any.search(given, at)):
            begin = hint.start()
            at = begin + BLOCK
            start, end = max(begin - reach, 0), at + reach
            for number in self._hints(given[max(begin - _BEFORE, 0) : end], meter):
                found = runs.setdefault(number, [])
                if found and found[-1][1] >= start:
                    found[-1] = (found[-1][0], end)
                else:
                    found.append((start, end))
        return runs

    def _hints(self, block: bytes, meter: Meter) -> list[int]:
        hints: list[int] = self._set.Match(block)
        if not hints or self._everywhere not in hints:
            raise DeidentificationError(
                "text", "no more memory than RE2 is given", reason=Reason.DEID_TEXT_TIMEOUT
            )
        meter.spend(len(hints))
        hints.remove(self._everywhere)
        return hints


class _Places:
    """Places of bytes as places of code points, for a text that is not all ASCII; where blocks begin is counted once."""

    __slots__ = ("_given", "_points", "reach")

    def __init__(self, given: bytes) -> None:
        self._given = given
        self._points: list[int] = []
        self.reach = REACH * (2 if len(given.translate(None, _LONG_LETTERS)) == len(given) else 4)
        """The longest hit, in bytes."""
        points = 0
        for begin in range(0, len(given) + 1, BLOCK):
            self._points.append(points)
            points += len(given[begin : begin + BLOCK].translate(None, _INSIDE_LETTERS))

    def point(self, place: int) -> int:
        """Give the code point that begins at a byte."""
        block = place // BLOCK
        return self._points[block] + len(self._given[block * BLOCK : place].translate(None, _INSIDE_LETTERS))


def _whole(text: str, start: int, end: int) -> bool:
    """No letter or digit of the hit goes on outside of it."""
    if start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        return False
    return not (end < len(text) and text[end].isalnum() and text[end - 1].isalnum())


@cache
def scanner(language: str) -> Scanner:
    """Give the scanner for texts of a language; all patterns where it is empty."""
    return Scanner(recognisers(language))
