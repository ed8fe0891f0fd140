"""Ages over 89 that stand as a bare number, told by what stands around it: ``ages``; beside a name: ``beside_names``.

Rules:
- A number from 90 to 125 is an age where it is written with one (``93y``, ``93 F``, ``F/93``), or stands behind somebody (``pt 93``,
  ``she is 93``, ``Mrs Vrelant, 93,``) and nothing goes on to measure or count: it ends there, or what a person does follows.
- A part of another number is none (``120/93``, ``2.93``), nor is what a sign follows (``93 %``); ``101 F`` is one only where a
  person's words stand around it, and none about a temperature.
- The figure alone is given.

Deliberately absent: ages that are told as such (``93 years old``: ``recognisers/dates``, ``recognisers/ages_es``).

Source: 45 CFR 164.514(b)(2)(i)(C).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from oathward.core.words import plain
from oathward.deid.text.dictionary import said
from oathward.deid.text.model import Span
from oathward.deid.text.recogniser import Word
from oathward.deid.text.tokens import Tokens

HOW = "ages"
SURE = 0.8
NAME_SURE = 0.85
"""A name that only its capital tells has no age: words nobody knows stand before results, too."""

_AGE = re.compile(r"0?(9\d|1[01]\d|12[0-5])([A-Za-z]{0,3})").fullmatch
_ORDINALS = said("st nd rd th")
_HEAT = said(
    "temp temperature temps t tm tmax tc fever fevers febrile afebrile oral axillary rectal tympanic core temperatura fiebre febril afebril chills degrees escalofrios"
)
_HEAT_REACH = 5
_BELOW_FEVER = ("90", "91", "92", "93")
"""Degrees Fahrenheit of nobody alive; from 94 on more has to say that a figure before ``F`` is an age."""

_ADJACENT = frozenset(("/", "-", ".", ":", ",", "+", "<", ">", "=", "~", "^", "*", "\u2013"))
_ENDS = re.compile(r"\s?[,;)\]]|\.\s|\s*[\n\r]|\s+[-\u2013\u2014]+\s").match
_SPACES = frozenset((" ", ", ", " (", ": ", "; ", "  ", ""))
_JOINTS = frozenset((" ", "-", "/", " / ", ", ", "", "."))
_GOES_ON = said(
    "with who whose was is has had presents presenting presented admitted seen here from lives living brought found transferred complains came referred "
    "and but fell died lady gentleman "
    "con que y acude acudio ingresa ingreso presenta presento refiere vive es fue ha traida traido remitida remitido consulta fallecio"
)
"""What a person does, in the languages that have recognisers."""

_WHEN = said(
    "in on this last next today yesterday recently ago just back during en el este esta la ayer hoy hace"
)
"""What goes on behind an age that somebody turned."""

_WHOSE = said("her his their my your")
_SHORT_FOR = said("c h s p w b")
"""Before a stroke: ``c/o``, ``h/o``, ``s/p``, ``p/w``, ``w/``, ``b/b``."""


@dataclass(frozen=True, slots=True)
class Around:
    """What tells an age in one language, in lower case and without accents.

    Args:
        years: behind the figure, attached or not.
        sexes: a person's sex in words, behind the figure or before it.
        letters: the same in one letter or three, large.
        persons: before the figure.
        between: what may stand between a person and the figure.
        verbs: what says of a person before it that the figure is an age (``is``).
        turned: what says so by itself.
        opens: what stands before figure and letter where no sentence begins with them.
        elapsed: before the figure, where years behind it are no age.
    """

    years: frozenset[str]
    sexes: frozenset[str]
    letters: frozenset[str]
    persons: frozenset[str]
    between: frozenset[str]
    verbs: frozenset[str]
    turned: frozenset[str]
    opens: frozenset[str]
    elapsed: frozenset[str]


def ages(words: Tokens, around: Around) -> Iterator[Word]:
    """Give ages that words around them tell; linear in the words."""
    for i, figure, suffix in _figures(words):
        if _written_so(words, i, suffix, around) or (not suffix and _said_so(words, i, around)):
            yield Word(words.starts[i], words.starts[i] + figure, "age", SURE)


def beside_names(words: Tokens, spans: Iterable[Span]) -> Iterator[Span]:
    """Give ages behind a person's name: ``Mrs Vrelant, 93,``.

    Args:
        spans: what was found in the same text.
    """
    figures = [i for i, _, suffix in _figures(words) if not suffix and i]
    if not figures:
        return
    names = {
        span.end
        for span in spans
        if span.cls.endswith(".name") and span.cls != "organisation.name" and span.sure >= NAME_SURE
    }
    for i in figures:
        before = words.ends[i - 1]
        named = before in names or before + 1 in names  # an initial takes its point along
        gap = words.gap(i - 1).lstrip(".")
        if named and gap in (" ", ", ", " (", ",", ", (") and _ended(words, i):
            yield Span(words.starts[i], words.ends[i], "patient.demographic", HOW, SURE)


def _figures(words: Tokens) -> list[tuple[int, int, str]]:
    """Figures of an age that are no part of another number: word, how many characters, what is attached."""
    found = []
    for i, word in enumerate(words.words):
        if word[0] in "019" and (age := _AGE(word)) and not _part(words, i):
            found.append((i, age.end(1), age[2]))
    return found


def _part(words: Tokens, i: int) -> bool:
    """Whether a number goes on before or behind word ``i``, or a sign says that it is measured."""
    before = words.gap(i - 1) if i else words.text[: words.starts[0]]
    behind = words.gap(i)
    if behind.lstrip(" ")[:1] in ("%", "\u00b0", "\u00ba", "\u2030") or before[-1:] in ("$", "\u20ac", "#"):
        return True
    figures = i > 0 and words.words[i - 1][-1].isdigit()
    if before[-1:] in _ADJACENT and (figures or before[-1] in "<>=~+^.*" or before.isspace()):
        return True
    return (
        behind in _ADJACENT
        and i + 1 < len(words)
        and words.words[i + 1][0].isdigit()
        and words.words[i][-1].isdigit()
    )


def _word(words: Tokens, i: int) -> str:
    return plain(words.words[i]) if 0 <= i < len(words) else ""


def _ended(words: Tokens, i: int) -> bool:
    """Whether nothing behind word ``i`` goes on to measure or count it."""
    gap = words.gap(i)
    if i + 1 == len(words) or _ENDS(gap):
        return True
    return not gap.strip(" ") and _does(words, i)


def _does(words: Tokens, i: int) -> bool:
    """Whether what a person does, or has, stands behind word ``i``."""
    following = _word(words, i + 1)
    return following in _GOES_ON or (following in _SHORT_FOR and words.gap(i + 1)[:1] == "/")


def _written_so(words: Tokens, i: int, suffix: str, around: Around) -> bool:
    """Whether years or a sex stand with the figure."""
    low = suffix.lower()
    following, gap = (low, "") if suffix else (_word(words, i + 1), words.gap(i))
    if not suffix and gap not in _JOINTS:
        following = ""
    if low in _ORDINALS:
        following = _word(words, i + 1)
        return following == "birthday" or (following == "year" and _word(words, i - 1) in _WHOSE)
    at = i if suffix else i + 1
    if following in around.years:
        sure = len(following) > 1 or following == "y" or _ended(words, at) or bool(_said_so(words, i, around))
        return sure and _word(words, i - 1) not in around.elapsed
    if following in around.sexes and not suffix:
        return _opening(words, i, around) and not _word(words, i + 2)[:1].isdigit()
    if following and (suffix or words.words[i + 1]).upper() in around.letters:
        return _sexed(words, i, at, gap, suffix or words.words[i + 1], around)
    # ``F/93``, ``M, 93``
    before = words.words[i - 1] if i and not suffix else ""
    if before not in around.letters or words.gap(i - 1) not in ("/", " ", ", ", "-"):
        return False
    first = words.opens(i - 1) or words.gap(i - 2).endswith("(")
    return words.gap(i - 1) == "/" or (first and _ended(words, i))


def _sexed(words: Tokens, i: int, at: int, gap: str, letters: str, around: Around) -> bool:
    """Whether the letter at word ``at`` is a sex, and no unit of what was measured."""
    if not letters.isupper():
        return False
    near = {_word(words, k) for k in range(max(0, i - _HEAT_REACH), at + _HEAT_REACH)}
    if not near.isdisjoint(_HEAT):
        return False
    if gap.strip() == "/" or len(letters) > 1:
        return True
    if letters == "F" and not words.words[i].startswith(_BELOW_FEVER) and not _does(words, at):
        return False  # ``98 F.``
    return _opening(words, i, around) and _ended(words, at)


def _opening(words: Tokens, i: int, around: Around) -> bool:
    """Whether a person may begin with word ``i``: no result, whose name would stand before it."""
    before = words.gap(i - 1) if i else ""
    return words.opens(i) or _word(words, i - 1) in around.opens | around.persons or before in (", ", " (")


def _said_so(words: Tokens, i: int, around: Around) -> bool:
    """Whether somebody stands before the figure and nothing behind it measures."""
    k = i - 1
    following = _word(words, i + 1)
    when = following in _WHEN and words.gap(i) == " "
    if k < 0 or not (when or _ended(words, i) or following in around.years):
        return False
    if words.gap(k) in ("'s ", "\u2019s "):  # ``she's 93``
        return _word(words, k) in around.persons
    if words.gap(k) not in _SPACES:
        return False
    while k >= 0 and _word(words, k) in around.between and words.gap(k - 1) == " ":
        k -= 1
    word = _word(words, k)
    if when or word in around.turned:
        return word in around.turned
    if word in around.verbs:
        k -= 1
        word = _word(words, k)
        if words.gap(k) != " ":
            return False
    # PT is a test, pt somebody.
    return (word in around.persons or word in around.sexes) and words.words[k] != "PT"
