"""A text as somebody sees it: a letter and its accents are one, spaces are one kind, and what has no width is not there.

Rules:
- A letter and a mark after it become the one letter that Unicode has for both (``e`` and U+0301 are ``é``); a mark for which it
  has none is left out. So are soft hyphens, joiners, marks of direction, fillers, and controls that part no words.
- A space of another kind is a space; a letter or figure in another form (full width, bold, of another script) is the plain
  one (``lookalikes``). A figure set high or low is, where none stands before it: ``10²`` is not 102.
- In a word that has Latin letters or figures, letters of other alphabets that look like Latin ones are these.
- What stands behind a mark that turns the direction (U+202E) is read both ways: it is shown backwards, and goes whole.
- A place leads back to the letter it came from, with all that was left out after it: what is found goes with its marks.

Deliberately absent: words all of whose letters are of another alphabet: they are words of it (``known_units`` asks of
known names whether they look like one).

Source: Unicode Standard Annex 15 (composition), chapter 4.5 (general categories).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from unicodedata import category, normalize

from oathward.deid.text.lookalikes import latin, letter, looks_latin

_MARKS = frozenset(("Mn", "Me", "Cf"))
_SPACE = "Zs"
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters without a form."""
_BLANK = "\u2800"
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]").search
_SMALL = "\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u2080-\u2089"
_SMALL_RUN = re.compile(f"(?<![0-9{_SMALL}])[{_SMALL}]+")
_SMALL_FIGURES = frozenset("\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089")  # fmt: skip
_WORD = re.compile(r"[^\W_]+")
_TURNED = re.compile("\u202e([^\u202c\u202e\r\n]+)\u202c|(?<![^\\W_])\u202e([^\u202c\r\n]+)")
"""Up to the mark that ends it; without one to the end of the line, unless it stands in a word as any mark without width."""
_ASCII_LETTER = re.compile(r"[A-Za-zÀ-ž]")


@dataclass(frozen=True, slots=True)
class Seen:
    """``text``: as it is seen. ``origins``: for each of its places, and its end, the place in the original; empty: the same."""

    text: str = field(repr=False)
    origins: tuple[int, ...] = field(default=(), repr=False)

    def back(self, start: int, end: int) -> tuple[int, int]:
        """Give the places in the original of a run that is not empty."""
        if not self.origins:
            return start, end
        # A character that is seen as several goes whole.
        end = bisect_right(self.origins, self.origins[end - 1], end)
        return self.origins[start], self.origins[end]


def seen(text: str) -> Seen:
    """Read a text; linear."""
    if text.isascii() and not _CONTROLS(text):
        return Seen(text)
    if "\u202e" in text:
        return _both_ways(text)
    return _seen(text)


def _both_ways(text: str) -> Seen:
    """Read a text of which parts are shown backwards."""
    parts: list[str] = []
    origins: list[int] = []
    done = 0
    for run in _TURNED.finditer(text):
        said = run[1] or run[2]
        parts += (text[done : run.start()], said, " ", said[::-1])
        origins += range(done, run.start())
        origins += [run.start()] * (2 * len(said) + 1)
        done = run.end()
    read = _seen("".join((*parts, text[done:])))
    origins += range(done, len(text) + 1)
    return Seen(
        read.text, tuple(origins[place] for place in read.origins) if read.origins else tuple(origins)
    )


def _seen(text: str) -> Seen:
    letters = {one: _letter(one) for one in set(text)}
    odd = {one: as_ for one, as_ in letters.items() if one != as_}
    origins: tuple[int, ...] = ()
    if any(len(as_) != 1 for as_ in odd.values()):
        text, origins = _written(text, odd)
    elif odd:
        text = text.translate({ord(one): as_ for one, as_ in odd.items()})
    if not _SMALL_FIGURES.isdisjoint(letters):
        text = _SMALL_RUN.sub(lambda run: "".join(map(letter, run[0])), text)
    if any(map(looks_latin, letters)):
        text = _WORD.sub(_latin_word, text)
    return Seen(text, origins)


def _letter(one: str) -> str:
    """Give what stands for a character: nothing, one, or several."""
    kind = category(one)
    if kind in _MARKS or one in _FILLERS or (kind == "Cc" and not one.isspace()):
        return ""
    if kind == _SPACE or one == _BLANK:
        return " "
    return one if one.isascii() or one in _SMALL_FIGURES else letter(one)


def _written(text: str, odd: dict[str, str]) -> tuple[str, tuple[int, ...]]:
    """Write a text anew where characters become none or several."""
    letters: list[str] = []
    origins: list[int] = []
    for place, one in enumerate(text):
        made = odd.get(one, one)
        if made:
            letters += made
            origins += [place] * len(made)
        # One mark at a time: a letter with thousands of them takes no longer for each.
        elif letters and len(both := normalize("NFC", letters[-1] + one)) == 1:
            letters[-1] = both
    return "".join(letters), (*origins, len(text))


def _latin_word(found: re.Match[str]) -> str:
    word = found[0]
    if not any(map(looks_latin, word)):
        return word
    if _ASCII_LETTER.search(word):
        return latin(word)
    # Beside figures alone a word is another alphabet's, unless all of it looks Latin.
    made = latin(word)
    return made if made.isascii() and not made.isalpha() else word
