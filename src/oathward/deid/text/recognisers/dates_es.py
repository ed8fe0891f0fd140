"""Dates of Spanish texts: told in words (``calendar_es``), in figures as they are written there alone, and after a label however mistyped.

Deliberately absent: figures as every language writes them (``dates``).

Source: 45 CFR 164.514(b)(2)(i)(C).
"""

from __future__ import annotations

import re

from oathward.deid.text.calendar_es import dates
from oathward.deid.text.recogniser import Pattern, Recogniser

_FULL = "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre"
_SHORT = "ene|feb|mar|abr|may|jun|jul|ago|sept?|set|oct|nov|dic"
_MONTH = rf"(?:{_FULL}|(?:{_SHORT})\b\.?)"
_YEAR = r"(?:(?:19|20)\d{2}|[12]\.\d{3})"
_FIGURES = r"\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2})"
_DAYS = r"\d{1,2}(?:[ ]?,[ ]?\d{1,2}){0,4}(?:[ ]?-[ ]?|[ ](?:al?|y|o)[ ](?:el[ ])?)"
_VALUE = (
    rf"([^\s:\d]{{0,3}}\d(?:[ \t]?[-/.,:;]{{0,2}}[ \t]?\d)*(?:[ \t]?(?:[-/.]|del?[ ])?[ \t]?[A-Za-zÀ-ž]{{3,10}}\.?[ \t]?(?:[-/.,]|del?[ ](?:año[ ])?)?[ \t]?\d{{2,4}}\b)?"
    rf"|{_MONTH}(?:[-/., ]{{1,2}}(?:del?[ ])?\d{{2,4}})?)"
)
"""What stands after a date's label, however mistyped."""


def _spaced(text: str) -> float:
    """A day, a month and a year of four figures with the same sign between them, spaces around it or not."""
    day, month, _ = (int(figure) for figure in re.findall(r"\d+", text))
    return 0.9 if len(set(text) - set("0123456789 ")) == 1 and 1 <= day <= 31 and 1 <= month <= 12 else 0


RECOGNISER = Recogniser(
    categories={"time": "patient.time", "birth": "patient.birth-date"},
    patterns=(
        # The month may be mistyped where a day and a year stand around it.
        Pattern(
            "time",
            rf"(?i)\b\d{{1,2}}(?:\s{{1,2}}de\s{{1,2}}|[-/])[a-záéíóú]{{3,11}}(?:\s{{1,2}}del?\s{{1,2}}(?:año[ ])?|[-/]){_YEAR}\b",
            sure=0.9,
        ),
        Pattern("time", rf"(?i)\b\d{{1,2}}(?:{_FULL}|{_SHORT})(?:\d{{4}}|\d{{2}})\b", sure=0.9),
        Pattern("time", rf"(?i)\b(?:{_FULL}|{_SHORT})[ ]?['’\x{{b4}}`]\d{{2}}\b", sure=0.9),
        Pattern("time", rf"(?i)\b{_FIGURES}(?:[ ](?:al?|y|-|hasta)[ ](?:el[ ])?{_FIGURES})?\b", sure=0.95),
        Pattern("time", rf"(?i)\b{_DAYS}{_FIGURES}\b", sure=0.95),
        Pattern("time", r"\b\d{1,2}(?:[ ]?([-/.,])[ ]?)\d{1,2}[ ]?[-/.,][ ]?(?:19|20)\d{2}\b", _spaced),
        Pattern(
            "time",
            rf"(?i)\b(?:{_FIGURES}|{_YEAR})[ ]a[ ]las[ ]\d{{1,2}}[:.]\d{{2}}(?:[ ]?h(?:oras|rs?)?\b)?",
            sure=0.95,
        ),
        Pattern("time", r"\b\d{1,2}[-/. ](?:I{1,3}|IV|VI{0,3}|IX|XI{0,2})[-/. ](?:\d{4}|\d{2})\b", sure=0.8),
        Pattern(
            "time",
            r"(?i)\b\d{1,2}[ ]de(?:l|[ ]ese|[ ]este|[ ]dicho)(?:[ ](?:mismo|presente|pasado|corriente))?[ ]mes\b",
            sure=0.8,
        ),
        Pattern(
            "time", r"(?i)\b(?:en|desde|hasta|año|el|del?)[ ](2\.0[0-4]\d|1\.9\d{2})\b", group=1, sure=0.6
        ),
        Pattern("time", r"\b(?:19|20)\d{2}[-/]\d{2}\b", sure=0.6),
        Pattern(
            "time",
            r"(?i)\b(?:en|desde|hasta|mes)[ ]((?:0?[1-9]|1[0-2])[/-](?:[3-9]\d|[0-2]\d))\b",
            group=1,
            sure=0.6,
        ),
        Pattern(
            "time",
            r"(?i)(?:\bel|\bd[íi]a|\bdesde el|\bhasta el|\bfecha)[ ](\d{1,2}[/-](?:0?[1-9]|1[0-2]))\b",
            group=1,
            sure=0.8,
        ),
        Pattern(
            "birth",
            r"(?i)(?:fecha[ \t]+(?:de[ \t]+)?nac(?:imiento|\.)?|f\.?[ \t]?(?:de[ \t]+)?nac(?:imiento)?\.?|\bf\.?n\.?|nacid[oa](?:[ \t]+el)?)[ \t]{0,3}[:.]{0,2}[ \t]{0,4}(?:d[íi]a[ ])?"
            + _VALUE,
            group=1,
            sure=0.99,
        ),
        Pattern(
            "time",
            r"(?i)\bfecha(?:[ \t]+[a-záéíóú]{1,16}){0,5}[ \t]{0,3}[:.;]{0,2}[ \t]{0,4}" + _VALUE,
            group=1,
            sure=0.98,
        ),
    ),
    words=dates,
    languages=frozenset({"es"}),
)
