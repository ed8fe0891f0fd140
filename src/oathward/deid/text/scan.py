r"""Look for many patterns at once: one automaton says which occur in a stretch of text, then each is sought there alone.

Rules:
- RE2 reads every expression, so the time is linear in the text whatever the text is; it is given UTF-8 and few groups, which is
  what it is quick with.
- The set holds one expression that is found everywhere: an automaton out of memory answers as one that found nothing does.
- A text is read in stretches with some of what stands around them; a hit longer than ``REACH`` is not promised.
- What a hit's neighbours are is checked here by Unicode's rules (RE2's ``\b`` knows ASCII only): a hit never begins or ends inside
  a word, unless its expression says so by beginning or ending with something else.

Deliberately absent: what a hit means.

Source: Cox, Regular Expression Matching in the Wild (RE2); its ``Set``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.text.budget import Meter
from oathward.deid.text.model import Span
from oathward.deid.text.recogniser import Pattern, Recogniser, recognisers

STRETCH = 768
REACH = 160
"""The longest hit, in code points; stretches overlap by as much."""
_MEMORY_BYTES_MAX = 64 << 20


class _Part(NamedTuple):
    name: str
    cls: str
    pattern: Pattern
    compiled: Any


class Scanner:
    """The patterns of some recognisers, compiled once; holds no text."""

    __slots__ = ("_everywhere", "_parts", "_set")

    def __init__(self, parts: Mapping[str, Recogniser]) -> None:
        import re2  # heavy, and only texts need it

        options = re2.Options()
        options.max_mem = _MEMORY_BYTES_MAX
        options.log_errors = False
        self._parts: dict[int, _Part] = {}
        self._set = re2.Set.SearchSet(options)
        self._everywhere = self._set.Add("")
        for name, part in parts.items():
            for pattern in part.patterns:
                number = self._set.Add(pattern.hint or pattern.expression)
                compiled = re2.compile(pattern.expression.encode(), options)
                self._parts[number] = _Part(name, part.categories[pattern.category], pattern, compiled)
        self._set.Compile()

    def find(self, text: str, meter: Meter) -> Iterator[Span]:
        """Give every hit that its check lets stand; some twice, some overlapping.

        Raises:
            DeidentificationError: ``deid.text-timeout``: the budget is spent, or RE2's memory.
        """
        if not self._parts:
            return
        for start, end in _stretches(text):
            stretch = text[start:end].encode("utf-8", "surrogatepass")
            hits = self._set.Match(stretch)
            if self._everywhere not in hits:
                raise DeidentificationError(
                    "text", "no more memory than RE2 is given", reason=Reason.DEID_TEXT_TIMEOUT
                )
            meter.spend(len(hits))
            for number in hits:
                if number != self._everywhere:
                    yield from self._exact(self._parts[number], text, stretch, start, meter)

    @staticmethod
    def _exact(part: _Part, text: str, stretch: bytes, offset: int, meter: Meter) -> Iterator[Span]:
        pattern = part.pattern
        ascii_only = stretch.isascii()
        for match in part.compiled.finditer(stretch):
            meter.spend(1)
            start, end = match.span(pattern.group)
            if start < 0 or start == end:
                continue
            if not ascii_only:
                start, end = _places(stretch, start, end)
            start, end = start + offset, end + offset
            if not _whole(text, start, end):
                continue
            sure = pattern.check(text[start:end]) if pattern.check else pattern.sure
            if sure > 0:
                yield Span(start, end, part.cls, part.name, sure)


def _places(stretch: bytes, start: int, end: int) -> tuple[int, int]:
    """Turn places in UTF-8 into places in code points."""
    before = len(stretch[:start].decode("utf-8", "surrogatepass"))
    return before, before + len(stretch[start:end].decode("utf-8", "surrogatepass"))


def _whole(text: str, start: int, end: int) -> bool:
    """No letter or digit of the hit goes on outside of it."""
    before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    return not before and not (end < len(text) and text[end].isalnum() and text[end - 1].isalnum())


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Cut at white space where there is some; each stretch reaches ``REACH`` into the next."""
    start, length = 0, len(text)
    while start < length:
        end = start + STRETCH
        if end < length:
            cut = max(text.rfind("\n", start + REACH, end), text.rfind(" ", start + REACH, end))
            # No space at all: step back as far as a hit may reach, so that none is cut in two.
            yield start, min(end + REACH, length)
            start = cut + 1 if cut > 0 else end - REACH
        else:
            yield start, length
            return


@cache
def scanner(language: str) -> Scanner:
    """Give the scanner for texts of a language; all patterns where it is empty."""
    return Scanner(recognisers(language))
