"""Street addresses in English texts: from what tells of one (``12 Bay Street``, ``Apt. 417``) to what stands around it.

Rules:
- An *anchor* is a number with a street's word after one to five words, a flat's word with its number, words written large
  between two numbers, a street in one word with its number (``Vrelanstrasse 12``), ``the corner of`` with a number after it, a
  military unit's box or ship, or a place with its code (``in Vrelant 6091``).
- From an anchor the address goes on, over words written large and numbers, as long as only commas, points, spaces and ends of lines
  stand between, at most twelve words each way.

Source: 45 CFR 164.514(b)(2)(i)(B); USPS Publication 28, appendix C (street suffixes).
"""

from __future__ import annotations

from collections.abc import Iterator

from oathward.core.words import plain
from oathward.deid.text.dictionary import said
from oathward.deid.text.recogniser import Recogniser, Word
from oathward.deid.text.tokens import Tokens
from oathward.deid.text.vocabulary_en import Kind, kind, ordinary, places

_STREETS = said(
    "street str st avenue ave av road rd lane ln drive dr boulevard blvd court ct place pl terrace ter way circle cir highway hwy parkway pkwy square sq trail trl "
    "crescent close gardens grove mews row walk loop plaza alley crossing esplanade quay route rue via calle avda avenida carrer strasse straße straat platz weg "
    "ulica ul utca út gata gatan vej vägen rkp útja tér mall turnpike pike freeway expressway causeway corner"
)
_STREET_ENDS = (
    "strasse",
    "straße",
    "gasse",
    "allee",
    "straat",
    "laan",
    "gata",
    "gatan",
    "gade",
    "vej",
    "veien",
    "vegen",
    "vägen",
    "utca",
    "weg",
    "katu",
    "tie",
    "platz",
    "brücke",
    "gaten",
)
_STREETS_BEFORE = said("rúa avenue boulevard rua rue calle avenida avda carrer strada piazza paseo ulica")
"""Words of streets that stand before the name, in no English sentence: they tell in small letters, too."""
_SHIPS = said("uss usns uscgc hms")
_MILITARY = said("apo fpo dpo aa ae ap")
_COUNTED = said("mg mcg ml cc units unit iu u kg g l cells copies steps calories kcal meq mmol patients")
_JOINTS = frozenset(("-", "'s ", "'S ", "’s ", " (", ") "))
"""What may stand inside a place's name: ``Stoke-on-Trent``, ``King's Lynn``."""
_FLATS = said("apt apartment suite ste flat apto piso")
_UNITS = said("unit floor building bldg")
_PARTICLES = said(
    "de del della di da do dos das la las los le les el van von der den du des of the and y á al nad am an im en na pod"
)
_STREETS_TOO = said("st way close row walk corner via dr pl ct")
"""Words of streets that are other words before a number."""
_BEFORE_NUMBER = (" ", ". ", ".", " #", ": ", " No. ")
_LONG_NUMBER = 4
_GAP = frozenset(" ,.\n\r\t>?#|")
_BEGIN = _FLATS | _UNITS | _SHIPS | frozenset(("on", "at", "in", "from", "near", "the", "corner"))
_REACH = 12
_STREET_WORDS = 5
_HALF_CODE = 2
_NUMBER = 6


def _number(words: Tokens, i: int) -> bool:
    word = words.words[i]
    return (
        word[0].isdigit()
        and len(word) <= _NUMBER
        and (word.isdigit() or (word[:-1].isdigit() and word[-1].isalpha()))
    )


def _near(words: Tokens, i: int) -> bool:
    """Whether only what may stand inside an address stands after word ``i``; an empty line ends it."""
    gap = words.gap(i)
    return gap in _JOINTS or (bool(gap) and len(gap) <= 8 and set(gap) <= _GAP and gap.count("\n") <= 2)


def _sentence_ends(words: Tokens, i: int) -> bool:
    """Whether a point after word ``i`` ends a sentence: after a long word or number, not after ``Ave.``."""
    return (
        words.gap(i).startswith(". ")
        and len(words.words[i]) >= _LONG_NUMBER
        and words.lowers[i] not in _STREETS
    )


def _anchor(words: Tokens, i: int) -> tuple[int, int] | None:
    """An anchor that begins with word ``i``: first, one past the last."""
    lower = words.lowers[i]
    if lower in ("the", "corner"):
        return _corner(words, i)
    if lower in _SHIPS:
        return _ship(words, i)
    if lower.endswith(_STREET_ENDS) and not lower[0].isdigit():
        return _one_word(words, i)
    if lower in _FLATS or lower in _UNITS:
        if (
            words.lowers[i + 2 : i + 3] == ["box"]
            and i + 3 < len(words)
            and _number(words, i + 1)
            and _number(words, i + 3)
        ):
            return i, i + 4
        number = i + 1 < len(words) and _number(words, i + 1) and words.gap(i) in _BEFORE_NUMBER
        # A ward is a unit too: only a long number makes it one of a house.
        return (i, i + 2) if number and (lower in _FLATS or len(words.words[i + 1]) >= _LONG_NUMBER) else None
    return _numbered(words, i) if _number(words, i) else None


def _numbered(words: Tokens, i: int) -> tuple[int, int] | None:
    """A number and the street after it."""
    telling = False
    for j in range(i + 1, min(len(words), i + 2 + _STREET_WORDS)):
        if not _near(words, j - 1) or "\n" in words.gap(j - 1):
            return None
        if words.lowers[j] in _STREETS_BEFORE and (after := _street_before(words, j)):
            return i, after
        large, lower = not words.words[j][0].islower(), words.lowers[j]
        if _number(words, j):
            if telling or j > i + 1:
                return (i, j + 1) if telling else None
        elif _street(lower) and j > i + 1 and (large or not ordinary(words.lowers[j - 1])):
            return i, j + 1
        elif large:
            telling = (
                telling
                or kind(lower) in (Kind.UNKNOWN, Kind.NAME)
                or (_street(lower) and lower not in _STREETS_TOO)
            )
        elif lower not in _PARTICLES and ordinary(lower):
            return None
    return None


def _street_before(words: Tokens, i: int) -> int:
    """One past the name that stands after a street's word (``rue de la Vrelle``); 0: there is none."""
    j = i + 1
    while j < len(words) and words.lowers[j] in _PARTICLES and words.gap(j - 1) == " ":
        j += 1
    if j >= len(words) or words.gap(j - 1) not in (" ", ". ") or not words.words[j].isalpha():
        return 0
    named = words.words[j][0].isupper() or not ordinary(words.lowers[j])
    return j + 1 if named else 0


def _corner(words: Tokens, i: int) -> tuple[int, int] | None:
    """``The corner of`` two streets, of which one has a number; to the end of the line or sentence."""
    of = i + 1 + (words.lowers[i] == "the")
    if words.lowers[of - 1 : of + 1] != ["corner", "of"] or of + 1 >= len(words):
        return None
    last = of
    while last + 1 < len(words) and last - of < _REACH and _near(words, last) and "\n" not in words.gap(last):
        word, lower = words.words[last + 1], words.lowers[last + 1]
        if not (
            _number(words, last + 1)
            or lower in _PARTICLES
            or word[0].isupper()
            or _street(lower)
            or not ordinary(lower)
        ):
            break
        last += 1
        if _sentence_ends(words, last) or "," in words.gap(last):
            break
    while words.lowers[last] in _PARTICLES:
        last -= 1
    return (i, last + 1) if any(_number(words, j) for j in range(of + 1, last + 1)) else None


def _ship(words: Tokens, i: int) -> tuple[int, int] | None:
    """A ship whose post office stands after it: ``USS Vrelan``, ``FPO AE 25990``."""
    for j in range(i + 2, min(len(words), i + _STREET_WORDS)):
        if not _near(words, j - 1):
            return None
        if words.lowers[j] in _MILITARY:
            return i, j + 1
    return None


def _one_word(words: Tokens, i: int) -> tuple[int, int] | None:
    """A street in one word with its number after it."""
    word = words.words[i]
    if word[0].islower() or len(word) <= _NUMBER or ordinary(words.lowers[i]) or i + 1 >= len(words):
        return None
    number = words.gap(i) == " " and _number(words, i + 1) and len(words.words[i + 1]) <= _LONG_NUMBER
    return (i, i + 2) if number else None


def _inside(words: Tokens, i: int) -> bool:
    """Whether word ``i`` may be part of an address."""
    word, lower = words.words[i], words.lowers[i]
    if _number(words, i) or lower in _FLATS or lower in _UNITS or lower in _STREETS or lower in places():
        return True
    if lower in _MILITARY and (i == 0 or words.lowers[i - 1] in _MILITARY or lower[-1] == "o"):
        return True
    if (
        word.isalpha()
        and word.islower()
        and len(word) < _LONG_NUMBER
        and i + 1 < len(words)
        and not ordinary(lower)
    ):
        # A short word nobody knows before a code: what fills the place of a state.
        return (
            lower not in _PARTICLES
            and _near(words, i)
            and _number(words, i + 1)
            and len(words.words[i + 1]) >= _LONG_NUMBER
        )
    # What a colon follows is a label of the next thing.
    return word[0].isalpha() and not word[0].islower() and not words.gap(i).startswith(":")


def _addresses(words: Tokens) -> Iterator[Word]:
    done = 0
    # Most words begin no address: told at a glance.
    begin = [
        i
        for i, lower in enumerate(words.lowers)
        if lower in _BEGIN
        or lower[0].isdigit()
        or (words.words[i][0].isupper() and (lower in places() or lower.endswith(_STREET_ENDS)))
    ]
    for i in begin:
        if i < done:
            continue
        found = _anchor(words, i)
        if found is None:
            found = _country(words, i) or _coded(words, i) or _named(words, i)
        if found is None:
            continue
        first, last = found
        while (
            first > done
            and i - first < _REACH
            and _near(words, first - 1)
            and not _sentence_ends(words, first - 1)
            and _inside(words, first - 1)
            and "\n\n" not in words.gap(first - 1)
        ):
            first -= 1
        while (
            last < len(words)
            and last - i < 2 * _REACH
            and _near(words, last - 1)
            and not _sentence_ends(words, last - 1)
        ):
            if _inside(words, last):
                last += 1
            elif (
                words.lowers[last] in _PARTICLES
                and last + 1 < len(words)
                and _inside(words, last + 1)
                and _near(words, last)
            ):
                last += 2
            else:
                break
        done = last
        yield Word(words.starts[first], words.ends[last - 1], "address", 0.8)


def _named(words: Tokens, i: int) -> tuple[int, int] | None:
    """A street by its name and number after ``on`` or ``at``: ``on Villacher Strasse 89``."""
    if words.lowers[i] not in ("on", "at") or words.gap(i) != " ":
        return None
    telling = False
    for j in range(i + 1, min(len(words), i + 2 + _STREET_WORDS)):
        if words.gap(j - 1) not in (" ", ". ", "/ ") and j > i + 1:
            return None
        if _number(words, j):
            return (i + 1, j + 1) if telling and len(words.words[j]) <= 4 else None
        if words.words[j][0].islower() and words.lowers[j] not in _PARTICLES:
            return None
        telling = (
            telling
            or _street(words.lowers[j])
            or (words.words[j].isalpha() and kind(words.lowers[j]) is Kind.UNKNOWN)
        )
    return None


def _street(lower: str) -> bool:
    return (
        lower in _STREETS
        or lower.endswith(_STREET_ENDS)
        or (not lower.isascii() and plain(lower) in _STREETS)
    )


def _coded(words: Tokens, i: int) -> tuple[int, int] | None:
    """A place and its code after ``in``: ``in Vrelant 6091``, ``in VRELANT 840 24``."""
    if words.lowers[i] not in ("in", "from", "near"):
        return None
    telling = False
    for j in range(i + 1, min(len(words), i + 2 + _STREET_WORDS)):
        if words.gap(j - 1) != " ":
            return None
        word, lower = words.words[j], words.lowers[j]
        if word.isdigit():
            return _code(words, i + 1, j) if telling else None
        if word[0].islower() and lower not in _PARTICLES:
            return None
        telling = telling or (kind(lower) in (Kind.UNKNOWN, Kind.NAME) and word[0].isupper())
    return None


def _code(words: Tokens, first: int, i: int) -> tuple[int, int] | None:
    """A place's code at word ``i``: four to six figures that are no year and count nothing, or three and two."""
    code = words.words[i]
    if len(code) == _LONG_NUMBER - 1 and i + 1 < len(words) and words.gap(i) == " ":
        after = words.words[i + 1]
        return (first, i + 2) if after.isdigit() and len(after) == _HALF_CODE else None
    counted = words.gap(i)[:1] in ("%", "/") or (i + 1 < len(words) and words.lowers[i + 1] in _COUNTED)
    year = len(code) == _LONG_NUMBER and code.startswith(("19", "20"))
    return (first, i + 1) if _LONG_NUMBER <= len(code) <= _NUMBER and not year and not counted else None


def _country(words: Tokens, i: int) -> tuple[int, int] | None:
    """A country with a code of four to six figures: ``Spain 61709``."""
    if i + 1 >= len(words) or words.gap(i) != " " or words.lowers[i] not in places():
        return None
    code = words.words[i + 1]
    return (
        (i, i + 2)
        if code.isdigit() and 4 <= len(code) <= _NUMBER and not code.startswith(("19", "20"))
        else None
    )


RECOGNISER = Recogniser(
    categories={"address": "patient.address"},
    words=_addresses,
    languages=frozenset(("en",)),
)
