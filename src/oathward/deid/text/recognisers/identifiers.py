"""Numbers that name a person: social security, medical record, account, plan, licence, and whatever has the form of one.

Rules:
- After a word that says what follows (``MRN:``), anything with a digit is taken.
- Without one, only forms that clinical values do not have: letters with four or more digits, runs of seven or more digits.

Source: 45 CFR 164.514(b)(2)(i)(G) to (K), (R).
"""

from __future__ import annotations

import re

from oathward.deid.text.checks import card, dea, digits, iban, npi
from oathward.deid.text.recogniser import Pattern, Recogniser

_LABEL = (
    r"(?:mrn|emrn|urn|umrn|medical record|med(?:ical)? rec|record|chart|patient|pt|hospital|nhs|nino|ssn|social security|tax|account|acct|acc|policy|member(?:ship)?|"
    r"insurance|medicare|medicaid|plan|beneficiary|subscriber|group|health plan|hpbn|license|licence|lic|driver'?s?(?: licen[sc]e)?|dl|certificate|cert|"
    r"registration|reg|employee|staff|badge|case|claim|encounter|visit|admission|episode|accession|specimen|sample|order|referral|file|folio|"
    r"student|study|subject|participant|passport|identifier|identification|unique|serial|reference|ref|invoice|receipt|confirmation|ticket|npi|dea|upin|ein|tin|dob id|iban|swift|routing|card|cc|credit card)"
)
_KIND = r"(?: ?(?:id(?:entifier|entification)?s?|numbers?|num\.?|no\.?|nr\.?|#|code|card|record)){0,3}"
_LINK = r"[.,]?(?: ?(?:is|was|of|under|ends? in|ending(?: in)?|as))? ?[:=#(]{0,3} ?#?"
_VALUE = r"([A-Za-z]{0,6}[-/.]?\d[A-Za-z0-9]*(?:[-/.][A-Za-z0-9]+)*|[A-Z]+(?:-[A-Z]+)*-?\d[A-Z0-9]*(?:-[A-Z0-9]+)*)"
_VALUE_BEGINS = r"(?:[A-Z]+(?:-[A-Z]+)*-?|[A-Z]{0,6}[-/.])?\d"
_ID_LINK = r"\.? ?(?:is|was)? ?[:=#(]{0,3} ?#?"
_ID_KIND = r"(?:\bid|\bid(?:entifier|entification)?|number|\bno\.|\bnum\.|#)"


def _with_digits(fewest: int, sure: float) -> object:
    def check(text: str) -> float:
        return sure if len(digits(text)) >= fewest else 0

    return check


_UNIT = re.compile(
    r"(?i)\d+(?:mg|ml|mcg|kg|cm|mm|st|nd|rd|th|g|yo|y|h|hr|hrs|x|s|am|pm|wk|d|f|m|am|iu|units?|%)?"
)


def _after_label(text: str) -> float:
    """A bare short number after ``patient`` or ``case`` may count something; anything longer names it."""
    count = len(digits(text))
    return 0.9 if count >= 3 and not (count < 4 and _UNIT.fullmatch(text)) else 0


def _after_number(text: str) -> float:
    return 0.9 if digits(text) else 0


def _mixed(text: str) -> float:
    letters = sum(c.isalpha() for c in text)
    count = len(digits(text))
    return 0.75 if letters and count >= 4 and letters <= 8 else 0


def _run(text: str) -> float:
    # A provider's number is written without hyphens: one in ten telephone numbers has its check digit.
    if card(text) or (text.isdigit() and npi(text)):
        return 0.95
    return 0.6 if len(digits(text)) >= 7 else 0


RECOGNISER = Recogniser(
    categories={"id": "patient.identifier", "staff": "staff.identifier"},
    patterns=(
        Pattern("id", r"\b\d{3}-\d{2}-\d{4}\b", sure=0.95),
        Pattern("id", r"\b\d{3} \d{2} \d{4}\b", sure=0.8),
        Pattern("id", r"(?i)\b(?:x{3}|\*{3})-?(?:x{2}|\*{2})-?\d{4}\b", sure=0.9),
        Pattern(
            "id",
            r"(?i)\b(?:ssn|social security)[^0-9\n]{0,24}(\d[\d -]{2,12}\d)",
            group=1,
            sure=0.95,
            hint=r"(?i)\b(?:ssn|social security)",
        ),
        Pattern(
            "id",
            r"(?i)\b" + _LABEL + _KIND + _LINK + _VALUE,
            group=1,
            check=_after_label,
            hint=r"(?i)\b" + _LABEL + _KIND + _LINK + _VALUE_BEGINS,
        ),
        Pattern(
            "id",
            r"(?i)" + _ID_KIND + _ID_LINK + _VALUE,
            group=1,
            check=_after_label,
            hint=r"(?i)" + _ID_KIND + _ID_LINK + _VALUE_BEGINS,
        ),
        Pattern("id", r"#[A-Za-z]{0,6}-?\d[A-Za-z0-9-]{2,20}\b", sure=0.85, hint=r"#[A-Za-z]{0,6}-?\d"),
        Pattern("id", r"\b[A-Z]{1,6}[-/]?\d{4,}(?:-?[A-Z0-9]+)*\b", check=_mixed, hint=r"[A-Z][-/]?\d{4}"),
        Pattern("id", r"\b[A-Z]{1,4}(?:-[A-Z0-9]{1,10}){1,4}\b", check=_mixed, hint=r"[A-Z]-[A-Z0-9]"),
        Pattern("id", r"\b\d{4,12}[A-Z]{1,4}\d{0,6}\b", check=_mixed, hint=r"\d{4}[A-Z]"),
        Pattern(
            "id",
            r"\b[A-Z]{1,3}\d{2,3}[A-Z]{0,2}\d{2,}[A-Z0-9]*\b",
            check=_mixed,
            hint=r"[A-Z]\d\d[A-Z]{0,2}\d",
        ),
        Pattern("id", r"\b\d{3,}(?:-\d{2,}){1,4}\b", check=_run, hint=r"\d{3}-\d\d"),
        Pattern("id", r"\b\d{4}[- ]\d{4}[- ]\d{4}[- ]\d{1,4}\b", sure=0.9, hint=r"\d{4}[- ]\d{4}[- ]\d{4}"),
        Pattern("id", r"\b\d{7,24}\b", check=_run),
        Pattern(
            "id",
            r"(?i)\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b",
            check=lambda text: 0.97 if iban(text) else 0,
            hint=r"(?i)\b[A-Z]{2}\d\d ?[A-Z0-9]{4}",
        ),
        Pattern(
            "staff", r"\b[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}\b", check=lambda text: 0.95 if dea(text[2:]) else 0.6
        ),
    ),
)
