"""Dates and times in figures and with English months, weeks and days of a year, and ages over 89.

Rules:
- A year alone stays, and so does an age up to 89.
- A month alone is a date only after a word that makes it one (``in March``): ``may`` and ``march`` are verbs too.
- Two figures with a stroke between them are a date only after such a word: ``120/80`` is a pressure.

Source: 45 CFR 164.514(b)(2)(i)(C).
"""

from __future__ import annotations

import re

from oathward.deid.text.recogniser import Pattern, Recogniser

_MONTH = r"(?:jan(?:uary)?|feb(?:r?uary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?: ?(?:st|nd|rd|th))?"
_YEAR = r"(?:(?:18|19|20|21)\d{2}|['’]\d{2})"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? )?"
_TIME = r"(?:[01]?\d|2[0-4])[:.h][0-5]\d(?::[0-5]\d(?:[.,]\d{1,6})?)?(?: ?(?:[ap]\.?m\b\.?|hrs?\b|hours\b|h\b))?(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
_THEN = r"(?:(?:,? (?:at )?|T)" + _TIME + r")?"
_WHEN = r"(?:on|since|until|till|from|by|dated?|seen|admitted|discharged|between|before|after|through|thru|of|until|to|d\.?o\.?b\.?:?|born|as of|and|week of|starting|began)"
_FIGURES = re.compile(r"\d+")


def _figures(text: str) -> float:
    """Three groups of figures of which two may be a day and a month."""
    figures = _FIGURES.findall(text)[:3]
    # A version is written like a date; only a year has two or four figures.
    if len(figures) != 3 or not (len(figures[0]) == 4 or len(figures[2]) in (2, 4)):
        return 0
    parts = [int(f) for f in figures]
    first, second, third = parts
    for day, month in ((first, second), (second, first), (third, second)):
        if 1 <= month <= 12 and 1 <= day <= 31:
            return 0.9
    return 0


def _compact(text: str) -> float:
    return (
        0.8
        if 1 <= int(text[4:6]) <= 12 and 1 <= int(text[6:8]) <= 31 and 1880 <= int(text[:4]) <= 2150
        else 0
    )


def _old(text: str) -> float:
    return 0.9 if 90 <= int(_FIGURES.findall(text)[0]) <= 125 else 0


RECOGNISER = Recogniser(
    categories={"date": "patient.time", "age": "patient.demographic"},
    patterns=(
        Pattern(
            "date",
            r"(?i)\b\d{1,4}(?:/\d{1,2}/|-\d{1,2}-|\.\d{1,2}\.| ?/ ?\d{1,2} ?/ ?)\d{1,4}(?:T"
            + _TIME
            + r"|\b"
            + _THEN
            + r")",
            check=_figures,
            hint=r"\d ?[-/.] ?\d{1,2} ?[-/.] ?\d",
        ),
        Pattern(
            "date",
            r"\b(?:19|20)\d{6}(?:\d{4}(?:\d{2})?)?(?:[+-]\d{4})?\b",
            check=_compact,
            hint=r"\b(?:19|20)\d{6}",
        ),
        Pattern(
            "date",
            r"(?i)\b"
            + _WEEKDAY
            + _MONTH
            + r"\.? ?(?:the )?"
            + _DAY
            + r"(?: ?(?:-|–|to|and|&) ?"
            + _DAY
            + r")?(?:(?:,? ?(?:of )?|-)"
            + _YEAR
            + r")?\b"
            + _THEN,
            sure=0.95,
            hint=r"(?i)\b" + _MONTH + r"\.? ?(?:the )?\d",
        ),
        Pattern(
            "date",
            r"(?i)\b"
            + _WEEKDAY
            + _DAY
            + r"(?: ?(?:-|–|to|and|&) ?"
            + _DAY
            + r")?[ -/]?(?:of )?(?:de )?"
            + _MONTH
            + r"\b\.?(?:(?:,? ?|[-/]|,? of )"
            + _YEAR
            + r"|[-/ ]\d{2}\b)?"
            + _THEN,
            sure=0.9,
            hint=r"(?i)\d(?: ?(?:st|nd|rd|th))?[ -/]?(?:of )?(?:de )?" + _MONTH,
        ),
        Pattern(
            "date",
            r"(?i)\b(?:(?:early|mid|late|end of|beginning of)[- ])?"
            + _MONTH
            + r"\.?(?:,? (?:of )?|-|/)"
            + _YEAR
            + r"\b",
            sure=0.9,
            hint=r"(?i)\b" + _MONTH + r"\.?(?:,? (?:of )?|-|/)" + _YEAR + r"\b",
        ),
        Pattern(
            "date",
            r"(?i)\b(?:in|since|until|till|last|this|next|early|mid|late|during|from|by|of|through|between|to)[- ]((?:"
            + _MONTH.replace("may|", "").replace("mar(?:ch)?|", "march|")
            + r"))\b",
            group=1,
            sure=0.8,
            hint=r"(?i)\b(?:in|since|until|till|last|this|next|early|mid|late|during|from|by|of|through|between|to)[- ]"
            + _MONTH,
        ),
        Pattern(
            "date",
            r"\b(?:in|since|until|till|last|next|early|mid|late|during|from|by|of|through|between)[- ](May|Mar)\b",
            group=1,
            sure=0.7,
            hint=r"[- ]Ma[yr]\b",
        ),
        Pattern("date", r"\b(?:0?[1-9]|1[0-2])[/-](?:19|20)\d{2}\b", sure=0.85, hint=r"\d[/-](?:19|20)\d\d"),
        Pattern("date", r"\b(?:19|20)\d{2}[-/](?:0[1-9]|1[0-2])\b", sure=0.85, hint=r"(?:19|20)\d\d[-/]\d\d"),
        Pattern(
            "date",
            r"(?i)\b"
            + _WHEN
            + r" (?:the )?((?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])|(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|1[0-2])|\d{1,2}(?:st|nd|rd|th) (?:of|at))\b",
            group=1,
            sure=0.7,
            hint=r"(?i)\b" + _WHEN + r" (?:the )?\d{1,2}(?:/|st|nd|rd|th)",
        ),
        Pattern(
            "date",
            r"(?i)\b(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,6})?)?(?: ?(?:[ap]\.?m\b\.?|hrs?\b|hours\b|h\b))?(?: ?(?:Z|UTC|GMT)\b)?",
            sure=0.7,
            hint=r"\d:[0-5]\d",
        ),
        Pattern(
            "date",
            r"(?i)\b(?:0?[1-9]|1[0-2])(?:[:.][0-5]\d)? ?[ap]\.?m\b\.?",
            sure=0.8,
            hint=r"(?i)\d ?[ap]\.?m\b",
        ),
        Pattern(
            "date",
            r"(?i)\bat (?:about |around |approximately )?((?:[01]?\d|2[0-3])[:h][0-5]\d)\b",
            group=1,
            sure=0.8,
            hint=r"(?i)\bat [a-z ]{0,14}\d{1,2}[:h]\d",
        ),
        Pattern(
            "date",
            r"\b(?:[Oo]n|[Ll]ast|[Tt]his|[Nn]ext|[Ss]ince|[Uu]ntil|[Tt]ill|[Bb]y|[Ff]rom|[Ee]very|[Bb]efore|[Aa]fter|[Cc]oming|[Pp]ast) ((?:Mon|Tues?|Weds?|Thu(?:rs?)?|Fri|Sat|Sun))\b",
            group=1,
            sure=0.6,
            hint=r"[a-z] (?:Mon|Tues?|Weds?|Thu(?:rs?)?|Fri|Sat|Sun)\b",
        ),
        Pattern(
            "date",
            r"(?i)\b(?:mon|tues?|weds?|wednes|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? (?:0?[1-9]|1[0-2]|[12]\d|3[01])/(?:0?[1-9]|1[0-2]|[12]\d|3[01])\b",
            sure=0.7,
            hint=r"(?i)(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,? \d{1,2}/\d",
        ),
        # Weeks, days and quarters of a year.
        Pattern(
            "date",
            r"(?i)\b(?:weeks?|wk|cw|day|doy|quarter|semana|d[íi]a|trimestre)\.? ?(?:n[or]\.? |number |#)?\d{1,3}(?:,? (?:of |in |de |del )?(?:the year |year |a[ñn]o )?|/|-)(?:19|20)\d{2}\b",
            sure=0.85,
            hint=r"(?i)(?:week|wk|cw|day|doy|quarter|semana|d[íi]a|trimestre)[^\n\d]{0,12}\d{1,3}[^\n\d]{1,16}(?:19|20)\d\d",
        ),
        Pattern(
            "date",
            r"(?i)\b(?:calendar|epidemiological|epi|iso)[- ]we?e?k:? ?\d{1,2}\b|\b(?:julian (?:day|date)|day[- ]of[- ](?:the[- ])?year|doy):? ?\d{1,3}\b|\bsemana epidemiol[óo]gica:? ?\d{1,2}\b",
            sure=0.85,
            hint=r"(?i)(?:we?e?k|julian (?:day|date)|year|doy|gica):? ?\d",
        ),
        Pattern(
            "date",
            r"(?i)\b(?:19|20)\d{2}-?w(?:0[1-9]|[1-4]\d|5[0-3])(?:-?[1-7])?\b|\bw(?:0?[1-9]|[1-4]\d|5[0-3])[ /-](?:19|20)\d{2}\b|\b(?:19|20)\d{2}[ -]?q[1-4]\b|\bq[1-4][ /-]?(?:of )?(?:19|20)\d{2}\b",
            sure=0.85,
            hint=r"(?i)(?:19|20)\d\d[ -]?[wq]\d|\b[wq]\d{1,2}[ /-]?(?:of )?(?:19|20)\d\d",
        ),
        Pattern(
            "date",
            r"(?i)\b(?:first|second|third|fourth|fifth|sixth|last|\d{1,3}(?:st|nd|rd|th)) (?:day|week|weekend|quarter) (?:of|in) (?:the year )?(?:19|20)\d{2}\b",
            sure=0.85,
            hint=r"(?i)(?:day|week|weekend|quarter) (?:of|in) (?:the year )?(?:19|20)\d\d",
        ),
        Pattern(
            "date",
            r"(?i)\b(?:spring|summer|autumn|fall|winter)(?: of)?,? (?:19|20)\d{2}\b",
            sure=0.8,
            hint=r"(?i)(?:spring|summer|autumn|fall|winter)(?: of)?,? (?:19|20)\d\d",
        ),
        Pattern(
            "date",
            r"(?i)\b(?:on|last|this|next|since|until|by|from|every|before|after|meet|coming|past) ((?:mon|tues|wednes|thurs|fri|satur|sun)day)\b",
            group=1,
            sure=0.6,
            hint=r"(?i) (?:mon|tues|wednes|thurs|fri|satur|sun)day",
        ),
        Pattern(
            "date",
            r"(?i)\b(?:last|this|next|past|coming) (?:"
            + _MONTH
            + r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b",
            sure=0.8,
            hint=r"(?i)\b(?:last|this|next|past|coming) (?:"
            + _MONTH
            + r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day)",
        ),
        Pattern(
            "age",
            r"(?i)\b\d{2,3} ?-? ?(?:years?|yrs?)?\.?[- ]?(?:old|of age)\b|\b\d{2,3} ?-?(?:years?|yrs?|y/?o|y\.o\.)\b",
            check=_old,
            hint=r"(?i)(?:0?9\d|1[0-2]\d) ?-? ?\.?[- ]?(?:y|old|of age)",
        ),
        Pattern(
            "age",
            r"(?i)\b(?:aged?(?: of| is)?:? )(\d{2,3})\b",
            group=1,
            check=_old,
            hint=r"(?i)\baged?(?: of| is)?:? 0?(?:9|1)\d",
        ),
        Pattern(
            "age", r"(?i)\b(?:nonagenarian|centenarian|in (?:her|his|their) (?:90s|nineties))\b", sure=0.8
        ),
    ),
)
