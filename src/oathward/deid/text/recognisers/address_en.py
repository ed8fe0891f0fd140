"""Street addresses in English texts: from what tells of one (``12 Bay Street``, ``Apt. 417``) to what stands around it.

Rules:
- An *anchor* is a number with a street's word after one to five words, a flat's word with its number, or words written large
  between two numbers.
- From an anchor the address goes on, over words written large and numbers, as long as only commas, points, spaces and ends of lines
  stand between, at most twelve words each way.

Source: 45 CFR 164.514(b)(2)(i)(B); USPS Publication 28, appendix C (street suffixes).
"""

from __future__ import annotations

from collections.abc import Iterator

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
)
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
_BEGIN = _FLATS | _UNITS | frozenset(("on", "at"))
_REACH = 12
_STREET_WORDS = 5
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
    return bool(gap) and len(gap) <= 8 and set(gap) <= _GAP and gap.count("\n") <= 2


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
    if lower in _FLATS or lower in _UNITS:
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


def _inside(words: Tokens, i: int) -> bool:
    """Whether word ``i`` may be part of an address."""
    word, lower = words.words[i], words.lowers[i]
    if _number(words, i) or lower in _FLATS or lower in _UNITS or lower in _STREETS:
        return True
    # What a colon follows is a label of the next thing.
    return word[0].isalpha() and not word[0].islower() and not words.gap(i).startswith(":")


def _addresses(words: Tokens) -> Iterator[Word]:
    done = 0
    # Most words begin no address: told at a glance.
    begin = [
        i
        for i, lower in enumerate(words.lowers)
        if lower in _BEGIN or lower[0].isdigit() or (lower in places() and words.words[i][0].isupper())
    ]
    for i in begin:
        if i < done:
            continue
        found = _anchor(words, i)
        if found is None:
            found = _country(words, i) or _named(words, i)
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
    return lower in _STREETS or lower.endswith(_STREET_ENDS)


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
