"""Addresses, places and organisations that are known, found as the words they are made of.

Rules:
- A phrase is compared word by word, without case, accents and punctuation; ``St.`` is ``Street``, ``N`` is ``North``.
- A street is a hit with and without its number; a town of one word that is an ordinary word where it is written large.
- An organisation of several words is a hit as a whole, and without the last ones where what is left has a word of its own.

Deliberately absent: places and organisations nobody knows (recognisers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from oathward.deid.text.known_units import Unit, keys_of, units_of
from oathward.deid.text.model import Span
from oathward.deid.text.tokens import tokens
from oathward.deid.text.vocabulary import ordinary

KNOWN = "known"
WORDS_MAX = 16

_SHORT: dict[str, str] = {}
for _line in (
    "street st str", "avenue ave av avda avenida", "road rd", "boulevard blvd boul", "drive dr drv", "lane ln", "court ct",
    "circle cir", "place pl plaza", "square sq", "terrace ter terr", "parkway pkwy", "highway hwy", "trail trl", "way wy",
    "crossing xing", "landing lndg", "north n norte", "south s sur", "east e este", "west w oeste", "northeast ne",
    "northwest nw", "southeast se", "southwest sw", "apartment apt apto", "suite ste", "unit un", "floor fl piso",
    "building bldg edificio", "saint st sankt", "mount mt", "fort ft", "calle c cl", "hospital hosp", "center centre ctr",
    "university univ", "medical med", "department dept", "strasse straße str", "heights hts", "ridge rdg", "junction jct",
    "station sta", "extension ext", "green grn", "spring spg", "forge frg", "view vw", "village vlg", "meadow mdw",
):  # fmt: skip
    _first = _line.split()[0]
    for _word in _line.split():
        _SHORT.setdefault(_word, _first)
_GENERIC = frozenset(_SHORT.values())
_APART = re.compile(r"[\s,.;:#\-\u2010\u2011/()º°'’&]{1,5}").fullmatch
_Tree = dict[str, "_Tree"]
_END = ""
_USES = frozenset(("home", "work", "temp", "old", "billing", "postal", "physical", "both"))
"""What qualifies an address and is no place."""


class Phrases:
    """The addresses and organisations of one ``Known``, as a tree of words; made once, asked for each text."""

    def __init__(self, values: Iterable[tuple[str, str, str]]) -> None:
        self.tree: _Tree = {}
        self.classes: dict[tuple[str, ...], str] = {}
        for cls, part, value in values:
            words = [_canonical(keys_of(unit.raw)[0]) for unit in units_of(tokens(value))]
            words = [word for word in words if word][:WORDS_MAX]
            for phrase in _phrases(cls, part, words):
                self._add(cls, phrase)

    def _add(self, cls: str, words: Sequence[str]) -> None:
        if not words:
            return
        node = self.tree
        for word in words:
            node = node.setdefault(word, {})
        node[_END] = {}
        self.classes.setdefault(tuple(words), cls)


def find_phrases(text: str, units: Sequence[Unit], phrases: Phrases) -> Iterator[Span]:
    """Give a span for each phrase that is known, the longest at each place."""
    if not phrases.tree:
        return
    words = [[_canonical(key) for key in unit.keys] for unit in units]
    at = 0
    for i, unit in enumerate(units):
        if unit.start < at:
            continue
        found = _longest(text, units, words, i, phrases)
        if found is not None:
            yield found
            at = found.end


def _longest(
    text: str, units: Sequence[Unit], words: Sequence[Sequence[str]], i: int, phrases: Phrases
) -> Span | None:
    node, taken, found = phrases.tree, [], None
    for j in range(i, min(len(units), i + WORDS_MAX)):
        if j > i and not _APART(text[units[j - 1].end : units[j].start]):
            break
        word = next((w for w in words[j] if w in node), None)
        if word is None:
            break
        node = node[word]
        taken.append(word)
        if _END in node and (len(taken) > 1 or _alone(units[i], taken[0])):
            found = Span(units[i].start, units[j].end, phrases.classes[tuple(taken)], KNOWN)
    return found


def _alone(unit: Unit, word: str) -> bool:
    return unit.large or not ordinary(word)


def _phrases(cls: str, part: str, words: list[str]) -> Iterator[list[str]]:
    """Give the runs of words that stand for an address or an organisation."""
    if not cls.endswith(".address"):
        if len(words) > 1 or (words and len(words[0]) > 3):
            yield words
        for size in range(2, len(words)):
            if any(w not in _GENERIC and not ordinary(w) for w in words[:size]):
                yield words[:size]
        return
    if part == "street":
        if len(words) > 1:
            yield words
        bare = [word for word in words if not word[0].isdigit()]
        if bare != words and (len(bare) > 1 or (bare and len(bare[0]) > 5 and not ordinary(bare[0]))):
            yield bare
        number = words and words[0][0].isdigit()
        if number and len(words) > 2:
            yield words[:-1]
            yield [*words[1:], words[0]]
    elif part in ("city", "rest") and words and len("".join(words)) > 2 and words[0] not in _USES:
        yield words


def _canonical(word: str) -> str:
    return _SHORT.get(word, word)
