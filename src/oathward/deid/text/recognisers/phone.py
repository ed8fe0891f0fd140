"""Telephone and fax numbers, extensions, pagers.

Source: 45 CFR 164.514(b)(2)(i)(D), (E); ITU-T E.123 and E.164 (at most 15 digits).
"""

from __future__ import annotations

from oathward.deid.text.checks import digits
from oathward.deid.text.recogniser import Pattern, Recogniser

_FEWEST, _MOST = 7, 15
_EXTENSION = r"(?: ?(?:x|ext\.?|extension) ?\d{1,6})?"


def _number(text: str) -> float:
    return 0.85 if _FEWEST <= len(digits(text.lower().partition("x")[0])) <= _MOST else 0


def _said(text: str) -> float:
    """Behind a word that says so: surer than a check digit, which one number in ten has by chance."""
    return 0.97 if 5 <= len(digits(text)) <= 20 else 0


def _groups(text: str) -> float:
    """Three or more groups of digits, as numbers of no other kind are written."""
    parts = text.replace("-", " ").replace(".", " ").split()
    fewest = 8 if len(parts) > 3 or len(parts[0]) > 2 else 9
    return 0.7 if fewest <= len(digits(text)) <= _MOST and max(map(len, parts)) <= 5 else 0


RECOGNISER = Recogniser(
    categories={"contact": "patient.contact"},
    patterns=(
        Pattern(
            "contact",
            r"(?i)(?:\+?1[-. ]?)?(?:\(\d{3}\) ?|\b\d{3}[-. ])\d{3}[-. ]\d{4}" + _EXTENSION,
            check=_number,
            hint=r"\d\d\d\)? ?[-. ]?\d\d\d[-. ]\d\d\d\d",
        ),
        Pattern(
            "contact",
            r"(?i)\(\d{3}\) ?\d{3}[-. ]?\d{3,4}" + _EXTENSION,
            check=_number,
            hint=r"\(\d\d\d\) ?\d\d\d",
        ),
        Pattern(
            "contact",
            r"(?i)(?:\+|\b00)\d{1,3}(?:[-. /]?\(?\d{1,5}\)?){2,6}" + _EXTENSION,
            check=_number,
            hint=r"(?:\+|\b00)\d",
        ),
        Pattern(
            "contact",
            r"\(?\b0\d{1,4}\)?(?:[-. /]\d{2,5}){1,4}\b",
            check=_number,
            hint=r"\b0\d{1,4}\)?[-. /]\d\d",
        ),
        Pattern(
            "contact",
            r"\(\d{2,5}\) ?\d{2,5}(?:[-. ]\d{2,5}){0,3}\b",
            check=_number,
            hint=r"\(\d{2,5}\) ?\d\d",
        ),
        Pattern(
            "contact", r"\b\d{2,4}(?:[-. ]\d{2,4}){2,4}\b", check=_groups, hint=r"\d\d[-. ]\d{2,4}[-. ]\d\d"
        ),
        Pattern("contact", r"(?i)\b\d{3}[-.]\d{4}" + _EXTENSION + r"\b", sure=0.7, hint=r"\b\d{3}[-.]\d{4}"),
        # Without a label: two groups that clinical values are not written in; surer than a bare number is of an identifier, or half of one is.
        Pattern("contact", r"\b(?:\d{3} \d{4}|\d{2,5} \d{5,7})\b", sure=0.65, hint=r"\d{3} \d{4}|\d\d \d{5}"),
        Pattern(
            "contact",
            r"(?i)\b(?:tel(?:ephone|efono|éfono)?|phone|mobile|cell|pager|beeper|fax|desk|office|home|work|call|móvil|tfno|tlf)\b(?: (?:number|no\.?|num\.?|#))?"
            r"(?: (?:is|at|on))?[.:#]{0,2}\s{0,3}(\+?\(?\d[\d ().x/-]{3,22}\d)",
            group=1,
            check=_said,
            hint=r"(?i)(?:tel|phone|fono|móvil|mobile|cell|pager|beeper|fax|desk|office|home|work|call|tfno|tlf)[a-z\s.:#]{0,16}[+(]{0,2}\d",
        ),
        Pattern(
            "contact",
            r"(?i)\b(?:ext\.?|extension|x) ?#?(\d{3,6})\b",
            group=1,
            sure=0.8,
            hint=r"(?i)\b(?:ext|x)[a-z.]{0,6} ?#?\d",
        ),
    ),
)
