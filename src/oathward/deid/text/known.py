"""Find what the structured part of the same message or subject knows: ``find_known``."""

from __future__ import annotations

from collections.abc import Iterator

from oathward.deid.text.model import Known, Span
from oathward.deid.text.tokens import Tokens, tokens


def find_known(_text: str, words: Tokens, known: Known) -> Iterator[Span]:
    """Give where the words of a known value stand one after the other, in any case and with any gaps."""
    wanted: dict[str, list[tuple[str, list[str]]]] = {}
    for cls, _part, value in known.values:
        if sought := tokens(value).lowers:
            wanted.setdefault(sought[0], []).append((cls, sought))
    for i, word in enumerate(words.lowers):
        for cls, sought in wanted.get(word, ()):
            if words.lowers[i : i + len(sought)] == sought:
                yield Span(words.starts[i], words.ends[i + len(sought) - 1], cls, "known")
