"""Years in which somebody was born, told as such: ``born in 1931``, ``YOB 1931``, ``nacida en 1931``.

Rules:
- A year alone stays, but one of a birth tells an age: it is a date of birth, and a profile says how old it may make somebody.
- The year alone is given, or its decade (``born in the 1930s``).

Source: 45 CFR 164.514(b)(2)(i)(C): no element, the year included, indicative of an age over 89.
"""

from __future__ import annotations

from oathward.deid.text.recogniser import Pattern, Recogniser

_YEAR = r"((?:18|19|20)\d{2})\b"
_EN = r"(?:born|birth[- ]?year|year of birth|birth ?date|date of birth|y\.?o\.?b\.?|d\.?o\.?b\.?)"
_ES = r"(?:nacid[oa]s?|naci[óo]|nac\.|a[ñn]o de nacimiento|fecha de nacimiento)"
_BETWEEN = r"(?:[ :=]{1,3}(?:in|around|about|circa|ca?\.?|is|was|the|year|back|en|hacia|sobre|el|del?|a[ñn]o)){0,4}[ :=]{1,3}"

RECOGNISER = Recogniser(
    categories={"birth": "patient.birth-date"},
    patterns=(
        Pattern(
            "birth",
            rf"(?i)\b(?:{_EN}|{_ES}){_BETWEEN}{_YEAR}",
            group=1,
            sure=0.85,
            hint=r"(?i)(?:born|birth|nac|y\.?o\.?b|d\.?o\.?b)[^\d\n]{1,40}(?:18|19|20)\d\d",
        ),
        Pattern(
            "birth",
            r"(?i)\bborn(?: back)? in the (?:(?:early|mid|late)[- ])?((?:18|19|20)\d0['’]?s|(?:nineteen[- ])?(?:twenties|thirties|forties))\b",
            group=1,
            sure=0.85,
        ),
        Pattern("birth", rf"(?:^|[\s(,;])(?:b\. ?|\*){_YEAR}", group=1, sure=0.8, hint=r"(?:b\. ?|\*)\d{4}"),
        Pattern("birth", r"(?i)\b((?:18|19|20)\d{2})[- ]born\b", group=1, sure=0.8, hint=r"(?i)\d[- ]born"),
    ),
)
