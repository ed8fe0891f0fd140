"""Names that are known, found in a text in whatever order, with initials, hyphens, accents, or a letter wrong.

Rules:
- A word of a known name is a hit wherever it stands; so is what joins (``Delacruz``) or parts (``Anne Marie``) its words, down to
  single letters (``S m i t h``, ``S-M-I-T-H``), what joins it with an initial or another word of the same names (``jsmith``), and what is one letter off (two from
  ``TWICE_FROM`` letters on) and no ordinary word.
- A name that is an ordinary word is a hit where it is written large; one that builds sentences (``May``, ``Will``) not where
  a sentence begins with it, unless more of a name stands beside it.
- Initials, particles (``de la``), and short forms (``Rob`` of ``Robert``) count beside a hit; ``J.S.`` alone where both are known.
- Hits that only what stands inside names parts become one span; its class is the strictest of them.

Deliberately absent: names nobody knows (recognisers), nicknames that do not follow from the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, permutations

from oathward.deid.text.budget import Meter
from oathward.deid.text.known_parts import PARTED_MAX, broken_at, parted_at
from oathward.deid.text.known_units import Unit, keys_of
from oathward.deid.text.model import Span
from oathward.deid.text.vocabulary import ordinary

KNOWN = "known"
ONCE_FROM, TWICE_FROM = 5, 9
"""Letters from which on one letter, or two, may be wrong."""

LETTERS_MAX = 24
"""A longer word is compared as it is."""

NEAR_MAX = 400
"""Known words that are compared letter by letter; of a message that has more, the others are found as they are."""

ASKED_MAX = 20_000
"""Words of texts that are remembered with what they are near to."""

WORDS_PAIRED_MAX = 24
"""Words of one class that are joined with each other; of more only neighbours are."""

RANKS = ("patient.", "relative.", "staff.", "organisation.")

_TITLES_WORDS = """
mr mrs ms miss mx dr dra prof sir dame rev don dona sra srta jr sr ii iii iv md do rn phd np pa dds esq rph official
usual temp nickname anonymous old maiden unknown unk baby boy girl
"""
TITLES = frozenset(_TITLES_WORDS.split())
"""What stands in the places of names and is none."""

_PARTICLES_WORDS = """
de la las los del der den di da do dos das du des van von vom zu zur ter ten te le el al bin ibn bint abu ben y e i
af av of the and st san santa mac mc fitz
"""
PARTICLES = frozenset(_PARTICLES_WORDS.split())
_ADDRESSING_WORDS = """
mr mrs ms miss mx dr dra doctor doctora prof professor nurse sir don doña dona sr sra srta señor señora senor senora
patient paciente named name nombre surname apellido apellidos
"""
ADDRESSING = frozenset(_ADDRESSING_WORDS.split())
"""What stands before a name and makes an ordinary word one."""

_BUILDING_WORDS = """
may will do an in so no my can has he she it is was be as at by to or on up if son long more most even ever early
still just would could should might must been being have had his her him the and of
"""
BUILDING = frozenset(_BUILDING_WORDS.split())
"""Ordinary words that sentences begin with."""

_BETWEEN = re.compile(
    r"(?:[ \t]{0,3}\r?\n?[ \t]{0,3}|[ \t]?[,.;]?[ \t]*\r?\n?[ \t]{0,3}|['’`\-\u2010\u2011/_.&]{1,2}[ \t]?)"
).fullmatch
_GAP_MAX = 8
ADDRESS_GAP_MAX = 2
_DIGITS = "0123456789"
_TRAILING = re.compile(r"[0-9]+$")
_DIMINUTIVE = re.compile(r"(?:ie|ey|y|i)$")


class Names:
    """The names of one ``Known``, prepared: plain word -> class; made once, asked for each text."""

    def __init__(self, values: Iterable[tuple[str, str]]) -> None:
        self.words: dict[str, str] = {}
        self.weak: dict[str, str] = {}
        self.joined: dict[str, str] = {}
        self._misspelt: dict[str, list[str]] = {}
        by_class: dict[str, dict[str, None]] = {}
        for cls, value in values:
            rows = [[key for key in keys if _is_word(key)] for keys in map(keys_of, _written(value))]
            alone = all(key in PARTICLES for keys in rows for key in keys)
            for keys in rows:
                for key in keys:
                    self._take(cls, key, alone=alone)
                    by_class.setdefault(cls, {})[key] = None
            firsts = [keys[0] for keys in rows if keys]
            for size in (2, 3, 4):
                for i in range(len(firsts) - size + 1):
                    self._join(cls, "".join(firsts[i : i + size]))
        spelt = (*self.words, *self.joined)
        for cls, words in by_class.items():
            self._pair(cls, list(words))
        self.wholes = frozenset((*self.words, *self.joined))
        self.beginnings = {
            word[:i]
            for words in (self.words, self.joined)
            for word in words
            if 1 < len(word) <= PARTED_MAX
            for i in range(1, len(word) + 1)
        }
        self.initials = {
            letter: _strictest(cls for word, cls in self.words.items() if word[0] == letter)
            for letter in {word[0] for word in self.words}
        }
        self._of_class = {cls: [w for w in words if len(w) > 1] for cls, words in by_class.items()}
        self._asked: dict[str, str] = {}
        self._longest = max(map(len, spelt), default=0)
        for word in spelt[:NEAR_MAX]:
            if ONCE_FROM <= len(word) <= LETTERS_MAX:
                for left in _deletions(word, _wrong(len(word))):
                    self._misspelt.setdefault(left, []).append(word)

    def _take(self, cls: str, key: str, *, alone: bool) -> None:
        if key in PARTICLES and not alone:
            self.weak[key] = _stricter(cls, self.weak.get(key))
        elif key not in TITLES:
            self.words[key] = _stricter(cls, self.words.get(key))
            bare = _TRAILING.sub("", key)
            if bare != key and len(bare) > 2:
                self.words[bare] = _stricter(cls, self.words.get(bare))

    def _join(self, cls: str, key: str) -> None:
        if len(key) > 3 and key not in self.words and not ordinary(key):
            self.joined[key] = _stricter(cls, self.joined.get(key))

    def _pair(self, cls: str, words: Sequence[str]) -> None:
        for one, other in permutations([w for w in words[:WORDS_PAIRED_MAX] if w not in TITLES], 2):
            if len(other) > 2:
                self._join(cls, one[0] + other)
                self._join(cls, other + one[0])
            if len(one) > 1 and len(other) > 1:
                self._join(cls, one + other)

    def exact(self, keys: Iterable[str]) -> str:
        """Give the class of a word that is known as it is; empty for none."""
        for key in keys:
            found = self.words.get(key) or self.joined.get(key)
            if found:
                return found
        return ""

    def misspelt(self, key: str) -> str:
        """Give the class of the strictest known word that is as many letters off as it may be; empty for none."""
        found = self._asked.get(key)
        if found is None:
            if len(self._asked) >= ASKED_MAX:
                self._asked.clear()
            found = self._asked[key] = self._nearest(key)
        return found

    def _nearest(self, key: str) -> str:
        if not (ONCE_FROM - 1 <= len(key) <= LETTERS_MAX and self._misspelt) or ordinary(key):
            return ""
        most = 2 if self._longest >= TWICE_FROM and len(key) > TWICE_FROM - 3 else 1
        near = {word for left in _deletions(key, most) for word in self._misspelt.get(left, ())}
        classes = [
            self.words.get(word) or self.joined[word]
            for word in near
            if _distance(word, key) <= _wrong(len(word))
        ]
        return _strictest(classes) if classes else ""

    def shortened(self, key: str) -> str:
        """Give the class of a known word that this is a short form of; empty for none."""
        stem = _DIMINUTIVE.sub("", key)
        stem = stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem
        for form in (key, stem):
            if len(form) > 2 and not ordinary(key):
                found = [
                    cls for word, cls in self.words.items() if len(word) > len(form) and word.startswith(form)
                ]
                if found:
                    return _strictest(found)
        return ""

    def signed(self, letters: tuple[str, ...]) -> str:
        """Give the class of whose words begin with these letters, each with another word; empty for nobody."""
        for cls, words in sorted(self._of_class.items(), key=lambda item: _rank(item[0])):
            heads = [word[0] for word in words]
            if all(heads.count(letter) >= letters.count(letter) for letter in letters):
                return cls
        return ""


def find_names(
    text: str, units: Sequence[Unit], opens: Sequence[bool], names: Names, meter: Meter
) -> Iterator[Span]:
    """Give a span for each run of hits.

    Args:
        units: the words of ``text``.
        opens: for each whether a sentence may begin with it.
        names: what is known.
        meter: where words that are joined are counted.
    """
    parted: set[int] = set()
    hits = _sure(text, units, opens, names, meter, parted)
    _beside(text, units, hits, names)
    _signatures(text, units, hits, names)
    run: list[int] = []
    for i in sorted(hits):
        if run and not (i == run[-1] + 1 and (i in parted or _near(text, units, run[-1], i))):
            yield _span(units, run, hits)
            run = []
        run.append(i)
    if run:
        yield _span(units, run, hits)


def _sure(
    text: str,
    units: Sequence[Unit],
    opens: Sequence[bool],
    names: Names,
    meter: Meter,
    parted: set[int],
) -> dict[int, str]:
    """Find hits that need nothing beside them.

    Args:
        parted: takes those that go on a word which the one before began.
    """
    hits: dict[int, str] = {}
    known: dict[tuple[str, ...], str] = {}
    small = not any(unit.raw[0].isupper() for unit in units)
    told = 0
    for i, unit in enumerate(units):
        cls = names.exact(unit.keys) or _plural(unit, names) or _numbered(unit, names)
        addressed = (
            i > 0 and units[i - 1].keys[0] in ADDRESSING and unit.start - units[i - 1].end <= ADDRESS_GAP_MAX
        )
        if cls and (_stands(unit, opens=opens[i]) or (addressed and unit.large)):
            hits[i] = cls
        elif not cls and (unit.large or small):
            if unit.keys not in known:
                known[unit.keys] = next((c for key in unit.keys if (c := names.misspelt(key))), "")
            if known[unit.keys]:
                hits[i] = known[unit.keys]
        if not names.beginnings.isdisjoint(unit.keys):
            after, cls, looked = parted_at(text, units, i, names)
            meter.spend(looked)
            # What the word before reached has its class.
            for place in range(max(i, told), after):
                hits.setdefault(place, cls)
            parted.update(range(max(i + 1, told), after))
            told = max(told, after)
        broken_at(text, units, i, names, hits)
    return hits


def _beside(text: str, units: Sequence[Unit], hits: dict[int, str], names: Names) -> None:
    """Take what counts only beside a hit, going on from what was taken."""
    waiting = list(hits)
    while waiting:
        i = waiting.pop()
        for j in (i - 1, i + 1):
            if not 0 <= j < len(units) or j in hits or not _near(text, units, min(i, j), max(i, j)):
                continue
            cls = _at_side(text, units, j, i, names)
            if cls:
                hits[j] = cls
                waiting.append(j)
    for i in sorted(
        (j for j in hits if not names.exact(units[j].keys) and units[j].keys[0] in names.weak), reverse=True
    ):
        # A particle at the end of a run, with nothing of a name behind it, is only a word.
        if not ((i + 1 in hits) and _near(text, units, i, i + 1)):
            del hits[i]


def _at_side(text: str, units: Sequence[Unit], j: int, i: int, names: Names) -> str:
    unit = units[j]
    key = unit.keys[0]
    if len(key) == 1:
        # ``J. Smith``, ``Smith, J.``; not the article that begins the next sentence.
        behind = text[unit.end : unit.end + 1]
        ends = "." in text[units[i].end : unit.start] if j > i else False
        return names.initials.get(key, "") if unit.raw.isupper() and (not ends or behind == ".") else ""
    found = names.exact(unit.keys) or names.weak.get(key, "")
    if found:
        return found
    if unit.large or not any(c.isupper() for c in units[i].raw):
        return next((c for k in unit.keys if (c := names.misspelt(k))), "") or names.shortened(key)
    return ""


def _signatures(text: str, units: Sequence[Unit], hits: dict[int, str], names: Names) -> None:
    """Find initials that stand alone: two or three letters with a point behind each."""
    for i, unit in enumerate(units):
        if i in hits or len(unit.raw) != 1 or not unit.raw.isupper() or text[unit.end : unit.end + 1] != ".":
            continue
        for size in (3, 2):
            group = units[i : i + size]
            dotted = all(
                len(u.raw) == 1 and u.raw.isupper() and text[u.end : u.end + 1] == "." for u in group
            )
            if len(group) == size and dotted and all(b.start - a.end <= 2 for a, b in pairwise(group)):
                cls = names.signed(tuple(u.keys[0] for u in group))
                if cls:
                    hits.update(dict.fromkeys(range(i, i + size), cls))
                    break


def _stands(unit: Unit, *, opens: bool) -> bool:
    """Say whether a known word is a hit with nothing beside it."""
    key = unit.keys[0]
    if len(key) < 2:
        return False
    if key in BUILDING:
        return unit.large and not opens and not unit.raw.isupper()
    return unit.large or (len(key) > 2 and not ordinary(key))


def _plural(unit: Unit, names: Names) -> str:
    """Read ``Smiths`` and ``Smiths'`` as the name."""
    return names.exact(key[:-1] for key in unit.keys if key[-1:] == "s" and len(key) > 3 and unit.large)


def _numbered(unit: Unit, names: Names) -> str:
    """Read ``Quarrel2`` and ``zquarrel77`` as the name."""
    bare = (key.strip(_DIGITS) for key in unit.keys if key[-1:] in _DIGITS or key[:1] in _DIGITS)
    return names.exact(key for key in bare if len(key) > 3)


def _near(text: str, units: Sequence[Unit], one: int, other: int) -> bool:
    gap = text[units[one].end : units[other].start]
    return other == one + 1 and len(gap) <= _GAP_MAX and _BETWEEN(gap) is not None


def _span(units: Sequence[Unit], run: Sequence[int], hits: dict[int, str]) -> Span:
    return Span(units[run[0]].start, units[run[-1]].end, _strictest(hits[i] for i in run), KNOWN)


# --- words


def _written(value: str) -> list[str]:
    """Cut a name into its words as they are written."""
    from oathward.deid.text.known_units import units_of
    from oathward.deid.text.tokens import tokens

    return [unit.raw for unit in units_of(tokens(value))]


def _is_word(key: str) -> bool:
    return any(c.isalpha() for c in key)


def _rank(cls: str) -> int:
    return next((i for i, role in enumerate(RANKS) if cls.startswith(role)), len(RANKS))


def _stricter(cls: str, other: str | None) -> str:
    return cls if other is None or _rank(cls) < _rank(other) else other


def _strictest(classes: Iterable[str]) -> str:
    return min(classes, key=_rank)


def _wrong(length: int) -> int:
    return 2 if length >= TWICE_FROM else 1


def _deletions(word: str, most: int) -> set[str]:
    """Give the word and all that is left of it without one letter, or two.

    Source: Garbe (2012), symmetric delete spelling correction.
    """
    found, last = {word}, {word}
    for _ in range(most):
        last = {left[:i] + left[i + 1 :] for left in last for i in range(len(left))}
        found |= last
    return found


def _distance(one: str, other: str) -> int:
    """Count the letters that are wrong: put in, left out, another one, or two in the wrong order."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, c in enumerate(one, 1):
        row = [i]
        for j, d in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (c != d))
            if i > 1 and j > 1 and c == other[j - 2] and one[i - 2] == d:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
