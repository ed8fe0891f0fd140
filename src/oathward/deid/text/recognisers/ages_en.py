"""Ages over 89 of English texts that stand as a bare number.

Source: 45 CFR 164.514(b)(2)(i)(C): ages over 89.
"""

from __future__ import annotations

from collections.abc import Iterator

from oathward.deid.text.ages import Around, ages
from oathward.deid.text.closed_en import KIN
from oathward.deid.text.dictionary import said
from oathward.deid.text.recogniser import Pattern, Recogniser, Word
from oathward.deid.text.tokens import Tokens

_SEXES = said("male female man woman lady gentleman widow widower")
_AROUND = Around(
    years=said("y yo yr yrs"),
    sexes=_SEXES,
    letters=frozenset(("M", "F", "WM", "WF", "BM", "BF", "HM", "HF", "AAM", "AAF")),
    persons=KIN | said("pt patient resident she he who client veteran nonagenarian centenarian"),
    between=said("now currently almost nearly already just only about approximately age aged at s a an of"),
    verbs=said("is was died deceased passed away turned"),
    turned=said("turned turning turns"),
    opens=said("a an this elderly frail pleasant old"),
    elapsed=frozenset(),
)


def _find(words: Tokens) -> Iterator[Word]:
    yield from ages(words, _AROUND)


RECOGNISER = Recogniser(
    categories={"age": "patient.demographic"},
    patterns=(
        Pattern(
            "age",
            r"(?i)\b((?:ninety|(?:one |a )?hundred(?: and)?)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine|ten))?)[- ]years?[- ](?:old|of age)\b",
            group=1,
            sure=0.8,
        ),
        Pattern(
            "age",
            r"(?i)\b((?:ninetieth|ninety[- ](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|(?:one[- ]|a )?hundred(?:th|[- ](?:and[- ])?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth))))[- ](?:birthday|year of (?:her|his|their) (?:life|age))\b",
            group=1,
            sure=0.8,
            hint=r"(?i)(?:st|nd|rd|th)[- ](?:birthday|year of)",
        ),
        Pattern(
            "age",
            r"(?i)\b(?:turn(?:ed|s|ing)|aged?|is now) (ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|(?:one |a )hundred)\b",
            group=1,
            sure=0.8,
            hint=r"(?i) (?:ninety|hundred)",
        ),
        Pattern(
            "age", r"(?i)\bin (?:her|his|their) (?:early|mid|late)[- ](90'?s|nineties)\b", group=1, sure=0.8
        ),
    ),
    words=_find,
    languages=frozenset({"en"}),
)
