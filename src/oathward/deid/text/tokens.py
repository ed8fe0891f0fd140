"""The words of a text with their places, made in one pass and shared by whoever looks at words.

Rules:
- A word is a run of letters and digits of any script; an apostrophe inside belongs to it (``O'Brien``), a possessive does not.
- Between two words stands a *gap*: what a name may hold between its parts is judged by it.

Deliberately absent: grammar. Sentences, parts of speech and stems are not told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_WORD = re.compile(r"([^\W_]+(?:['’](?![sS]\b)[^\W_]+)*)(?:['’][sS]\b)?")
_PLAIN = re.compile(r"[^\W_]+")
"""The same where the text has no apostrophe, in half the time."""
_SENTENCE_ENDS = frozenset('.!?:\n\r;•*"“')


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words of one text: ``words[i]`` stands at ``starts[i]:ends[i]`` (code points); ``lowers`` in lower case."""

    text: str = field(repr=False)
    words: list[str] = field(repr=False)
    lowers: list[str] = field(repr=False)
    starts: list[int] = field(repr=False)
    ends: list[int] = field(repr=False)

    def __len__(self) -> int:
        """How many words there are."""
        return len(self.words)

    def gap(self, i: int) -> str:
        """What stands between word ``i`` and the next; the rest of the text after the last."""
        end = self.starts[i + 1] if i + 1 < len(self.words) else len(self.text)
        return self.text[self.ends[i] : end]

    def opens(self, i: int) -> bool:
        """Whether word ``i`` may be written large only because a sentence or line begins with it."""
        before = self.text[self.ends[i - 1] if i else 0 : self.starts[i]]
        return i == 0 or not _SENTENCE_ENDS.isdisjoint(before)


def tokens(text: str) -> Tokens:
    """Cut a text into words; linear."""
    if "'" in text or "’" in text:
        spans = [m.span(1) for m in _WORD.finditer(text)]
    else:
        spans = [m.span() for m in _PLAIN.finditer(text)]
    words = [text[start:end] for start, end in spans]
    return Tokens(text, words, [w.lower() for w in words], [s[0] for s in spans], [s[1] for s in spans])
