"""Find names of persons, places and organisations in English texts by the words written large: ``proper``.

Rules:
- A *run* is words written large that are no ordinary words, with initials and particles (``van``, ``de``) between them.
- After a title (``Dr.``) or a label (``Patient:``) whatever is written large is a name; after a title in lower case too.
- ``Hospital``, ``Clinic``, ``Inc`` and their like make an organisation of the words written large before them.
- A run is a place if our list has it or a word before it says so; an organisation if our list has it; else it is a person:
  staff after a doctor's title, a relative after a word of kinship.
- A name that stands for a disease or a score (``Wells criteria``) names nobody.
- In a text that is written large throughout, capitals say nothing: only listed names beside each other, titles and labels count.

Deliberately absent: languages other than English.
"""

from __future__ import annotations

from collections.abc import Iterator

from oathward.deid.text.closed_en import (
    BEFORE_NAMES,
    FUNCTION,
    GENERATIONS,
    GENERIC,
    HOUSE,
    HOUSE_ALONE,
    IN,
    KIN,
    LINKS,
    MONTHS,
    PARTICLES,
    STAFF_AFTER,
    STAFF_TITLES,
    STATES,
    STATES_TOO,
    TAILS,
    TITLES,
)
from oathward.deid.text.dictionary import listed
from oathward.deid.text.firms_en import employers, partners
from oathward.deid.text.reading_en import Reader
from oathward.deid.text.recogniser import Word
from oathward.deid.text.tokens import Tokens
from oathward.deid.text.vocabulary_en import Kind, houses, kind, names, ordinary, phrases, places

_LARGE_SHARE = 0.6


def proper(words: Tokens) -> Iterator[Word]:
    """Give persons, places and organisations; linear in the words."""
    if not words.words:
        return
    letters = [w for w in words.words if w[0].isalpha()]
    large = len(letters) > 3 and sum(map(str.isupper, letters)) > _LARGE_SHARE * len(letters)
    seen = frozenset(filter(str.islower, words.words))
    small = len(words) > 1 and not any(w[0].isupper() for w in letters)
    reader = Reader(words, large, small, frozenset() if small else seen)
    strengths = [
        Kind.ORDINARY if (word[0].islower() and not small) or word[0].isdigit() else reader.strength(i)
        for i, word in enumerate(words.words)
    ]
    # Most words are small and ordinary: only what may begin something is looked at closely.
    named = {lower for lower in set(words.lowers) if kind(lower) is Kind.NAME}
    _phrases(reader, strengths)
    _lists(reader, strengths)
    yield from _houses(reader, strengths)
    yield from employers(reader)
    yield from partners(reader, strengths)
    done = 0
    for i in range(len(words)):
        if i < done:
            continue
        if (
            not strengths[i]
            and words.lowers[i] not in named
            and (i == 0 or words.lowers[i - 1] not in BEFORE_NAMES)
        ):
            continue
        first, last = _run(reader, strengths, i, done)
        if last <= first:
            continue
        category, sure = _category(reader, strengths, first, last)
        first, last = _around(reader, first, last)
        yield Word(words.starts[first], _end(words, last), category, sure)
        done = last


def _end(words: Tokens, last: int) -> int:
    """A run that ends with an initial takes its point along."""
    end = words.ends[last - 1]
    return end + 1 if len(words.words[last - 1]) == 1 and words.text[end : end + 1] == "." else end


def _run(reader: Reader, strengths: list[Kind], i: int, done: int) -> tuple[int, int]:
    """Give the run that begins with or around word ``i``: first, one past the last; empty where there is none."""
    words = reader.words
    large = words.words[i][0].isupper() or (reader.small and words.words[i][0].isalpha())
    forced = reader.titled(i) and (large or strengths[i] > Kind.ORDINARY or _lower_name(words.lowers[i]))
    forced = forced or (large and strengths[i] > Kind.ORDINARY and reader.labelled(i))
    forced = forced or (
        large and not reader.small and words.lowers[i] not in FUNCTION and reader.said_to_be(i)
    )
    if not forced and strengths[i] < Kind.UNKNOWN and not _pair(reader, strengths, i):
        return i, i
    first, last = i, i + 1
    while (
        first > done
        and strengths[first - 1] in (Kind.WEAK, Kind.INITIAL)
        and _joined(words, first - 1)
        and not reader.titled(first)
    ):
        if (
            strengths[first - 1] is Kind.INITIAL
            and words.lowers[first - 1] in "ai"
            and "." not in words.gap(first - 1)
        ):
            break
        first -= 1
    while last < len(words):
        step = _step(reader, strengths, last)
        if not step:
            break
        last += step
    while (
        last < len(words)
        and words.lowers[last] in TAILS
        and words.words[last][0].isupper()
        and words.gap(last - 1) in (" ", ". ")
    ):
        last += 1
    return first, last


def _phrases(reader: Reader, strengths: list[Kind]) -> None:
    """Places and organisations of several words count whole, whatever their words are alone; so does what follows ``St.``."""
    words = reader.words
    known = phrases()
    large = [i for i, word in enumerate(words.words) if word[0].isupper()]
    for i in large:
        lower = words.lowers[i]
        for phrase in known.get(lower, ()):
            if tuple(words.lowers[i : i + len(phrase)]) == phrase and all(
                words.gap(j) in (" ", "-", ". ") for j in range(i, i + len(phrase) - 1)
            ):
                strengths[i : i + len(phrase)] = [Kind.NAME] * len(phrase)
                break
        if (
            lower in ("st", "saint", "mt", "mount")
            and i + 1 < len(words)
            and words.gap(i) in (". ", " ")
            and words.words[i + 1][0].isupper()
        ):
            strengths[i : i + 2] = [Kind.NAME] * 2


def _lists(reader: Reader, strengths: list[Kind]) -> None:
    """``Bowman and White``: a name that is a word too counts in a list with another one."""
    words = reader.words
    weak = [i for i, found in enumerate(strengths) if found is Kind.WEAK and words.lowers[i] in names()]
    for i in weak:
        for j, between in ((i - 2, i - 1), (i + 2, i + 1)):
            if (
                0 <= j < len(words)
                and strengths[j] >= Kind.UNKNOWN
                and words.lowers[between] in ("and", "or")
            ):
                strengths[i] = Kind.NAME
        if (
            i
            and words.gap(i - 1) == ", "
            and strengths[i - 1] >= Kind.UNKNOWN
            and words.words[i][0].isupper()
        ):
            strengths[i] = Kind.NAME
    listed_given = listed("given_en")
    beside = [i for i in range(1, len(words)) if strengths[i] is Kind.ORDINARY and strengths[i - 1]]
    for i in beside:
        # A given name and a word written large that is no common one: ``Rebecca Hides``.
        at = i - 2 if i > 1 and strengths[i - 1] is Kind.INITIAL and _joined(words, i - 2) else i - 1
        given = strengths[at] is Kind.NAME and words.lowers[at] in listed_given
        if given and _joined(words, i - 1) and _surname(reader, i):
            strengths[i] = Kind.WEAK


def _surname(reader: Reader, i: int) -> bool:
    word, lower = reader.words.words[i], reader.words.lowers[i]
    return (
        word.isalpha()
        and word[0].isupper()
        and not word.isupper()
        and not reader.large
        and lower not in FUNCTION
        and lower not in HOUSE
        and lower not in TITLES
        and lower not in MONTHS
    )


def _houses(reader: Reader, strengths: list[Kind]) -> Iterator[Word]:
    """Organisations by their telling word, and the place they are in with them."""
    words = reader.words
    done = 0
    for i, lower in enumerate(words.lowers):
        if i < done or lower not in HOUSE:
            continue
        found = _house(reader, strengths, i, done)
        if not found:
            continue
        first, last = _around(reader, *found)
        if (
            last + 1 < len(words)
            and words.lowers[last] == "in"
            and words.gap(last - 1) == " "
            and strengths[last + 1] >= Kind.UNKNOWN
        ):
            last += 2
            while last < len(words) and words.gap(last - 1) == " " and strengths[last] >= Kind.UNKNOWN:
                last += 1
            _, last = _around(reader, first, last)
        done = last
        yield Word(words.starts[first], words.ends[last - 1], "organisation", 0.8)


def _lower_name(lower: str) -> bool:
    return lower in names() or not ordinary(lower)


def _pair(reader: Reader, strengths: list[Kind], i: int) -> bool:
    """A listed name that is a word too, beside another one or an initial with its point."""
    words = reader.words
    if strengths[i] is not Kind.WEAK or i + 1 >= len(words) or not _joined(words, i):
        return _lower_pair(reader, i)
    following = strengths[i + 1]
    if following is Kind.INITIAL:
        return words.gap(i + 1).startswith(".") and words.lowers[i] in names()
    return following >= Kind.UNKNOWN or (
        following is Kind.WEAK and not words.opens(i) and not reader.large and not reader.small
    )


def _lower_pair(reader: Reader, i: int) -> bool:
    """Two listed names in lower case beside each other, neither an ordinary word."""
    words = reader.words
    if i + 1 >= len(words) or not words.words[i].islower() or words.gap(i) != " ":
        return False
    return kind(words.lowers[i]) is Kind.NAME and kind(words.lowers[i + 1]) is Kind.NAME


def _joined(words: Tokens, i: int) -> bool:
    gap = words.gap(i)
    return gap in (" ", "-", "  ", "'", "’") or (gap in (". ", ".") and len(words.words[i]) <= 2)


def _step(reader: Reader, strengths: list[Kind], i: int) -> int:
    """How many words the run goes on with at word ``i``."""
    words = reader.words
    word, lower = words.words[i], words.lowers[i]
    if not _joined(words, i - 1):
        return 0
    if strengths[i] > Kind.ORDINARY or (lower in GENERATIONS and word[0].isupper()):
        return 1
    if (
        lower in PARTICLES
        and i + 1 < len(words)
        and words.gap(i) in (" ", "-", "'", "’")
        and strengths[i + 1] >= Kind.WEAK
    ):
        return 2
    return 1 if word.islower() and words.words[i - 1].islower() and kind(lower) is Kind.NAME else 0


def _house(reader: Reader, strengths: list[Kind], i: int, done: int) -> tuple[int, int] | None:
    """The organisation whose telling word (``Hospital``) is word ``i``; what stands before it is its name."""
    words = reader.words
    if reader.large:
        return None
    first = i
    while (
        first > done
        and words.gap(first - 1) in (" ", "-", ". ", "'s ", "’s ", " & ", ", ")
        and words.words[first - 1][0].isupper()
    ):
        if words.lowers[first - 1] in FUNCTION or words.lowers[first - 1] in TITLES:
            break
        if words.gap(first - 1) == ", " and not (first == i and words.lowers[i] in ("inc", "llc", "ltd")):
            break
        first -= 1
    if words.words[i][0].islower():
        # ``our Seattle clinic``: only a place or organisation we know makes a small word telling.
        near = (
            first < i
            and lower_house(words.lowers[i])
            and strengths[i - 1] is Kind.NAME
            and words.lowers[i - 1] not in names()
        )
        return (first, i + 1) if near else None
    last = i + 1
    while last < len(words) and _goes_on(reader, strengths, last):
        last += 1
    while words.lowers[last - 1] in LINKS:
        last -= 1
    inside = words.lowers[first:last]
    telling = [w for w in inside if w not in GENERIC and w not in HOUSE and w not in LINKS and len(w) > 1]
    alone = all(w in HOUSE_ALONE for w in inside if w in HOUSE)
    if not telling or (alone and all(strengths[k] < Kind.WEAK for k in range(first, last))):
        return None
    return first, last


def lower_house(lower: str) -> bool:
    """Whether a word written small stands for a house of care."""
    return lower in ("clinic", "hospital", "hosp", "campus", "office")


def _goes_on(reader: Reader, strengths: list[Kind], i: int) -> bool:
    """Whether an organisation's name goes on with word ``i``."""
    words = reader.words
    if words.gap(i - 1) not in (" ", ". ", " & "):
        return False
    word, lower, before = words.words[i], words.lowers[i], words.lowers[i - 1]
    if word[0].isupper():
        return lower in HOUSE or before in LINKS or strengths[i] >= Kind.UNKNOWN
    follows = (
        i + 1 < len(words)
        and words.gap(i) == " "
        and words.words[i + 1][0].isupper()
        and words.lowers[i + 1] not in FUNCTION
    )
    return lower in LINKS and follows


def _category(reader: Reader, strengths: list[Kind], first: int, last: int) -> tuple[str, float]:
    """What a run is, and how sure."""
    words = reader.words
    inside, before = words.lowers[first:last], reader.before(first)
    whole = " ".join(inside)
    degree = last < len(words) and words.lowers[last] in STAFF_AFTER and words.words[last].isupper()
    named = any(w in names() for w in inside)
    listed_name = any(strengths[i] is Kind.NAME for i in range(first, last))
    cases = (
        (any(w in HOUSE for w in inside), "organisation", 0.8),
        (before in STAFF_TITLES or degree, "staff", 0.95),
        (before in TITLES, "name", 0.95),
        (whole in houses(), "organisation", 0.85),
        (whole in places() and whole not in names(), "place", 0.85),
        (before in KIN, "relative", 0.9),
        (before in IN and not named, "place", 0.7),
        (listed_name, "name", 0.9),
    )
    return next(((category, sure) for case, category, sure in cases if case), ("name", 0.6))


def _around(reader: Reader, first: int, last: int) -> tuple[int, int]:
    """A state's or country's letters after a place, or before a house, belong to it."""
    words = reader.words
    if (last < len(words) and words.gap(last - 1) in (", ", ",") and words.words[last] in STATES) or (
        last < len(words) and words.gap(last - 1) == " " and words.words[last] in STATES - STATES_TOO
    ):
        last += 1
    if first and words.words[first - 1] in ("NY", "SF", "NYC", "DC", "NJ") and words.gap(first - 1) == " ":
        first -= 1
    return first, last
