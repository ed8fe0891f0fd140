"""Postcodes, post boxes and military addresses, by their forms.

Rules:
- Five figures are a postcode only after a state's letters or a word that says so.

Source: 45 CFR 164.514(b)(2)(i)(B); USPS Publication 28; the forms of Royal Mail's and Canada Post's codes.
"""

from __future__ import annotations

import re

from oathward.deid.text.recogniser import Pattern, Recogniser

_STATES = "A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]|A[AEP]|GU"
_TNM = re.compile(r"T\dN\dM\d")


def _canadian(text: str) -> float:
    """A stage of a tumour in one word (``T4N1M0``) is written as a postcode is, and more often."""
    return 0 if _TNM.fullmatch(text) else 0.85


RECOGNISER = Recogniser(
    categories={"address": "patient.address"},
    patterns=(
        Pattern(
            "address",
            r"\b(?:" + _STATES + r")[.,]? {1,3}\d{5}(?:-\d{4})?\b",
            sure=0.9,
            hint=r"[A-Z][A-Z][.,]? {1,3}\d{5}",
        ),
        Pattern(
            "address",
            r"(?i)\b(?:zip|post|postal)(?: ?code)?(?: is)?[:#]? ?(\d{4} (?-i:[A-Z]{2})|[A-Z0-9]{2,5}[- ]?[0-9][A-Z0-9]{1,4})\b",
            group=1,
            sure=0.9,
            hint=r"(?i)\b(?:zip|post|postal)[a-z :#]{0,10}[A-Z0-9]",
        ),
        Pattern("address", r"\b\d{5}-\d{4}\b", sure=0.9),
        Pattern(
            "address",
            r"\b(?:[A-Z]{1,2}\d[A-Z0-9]? \d[A-BD-HJLNP-UW-Z]{2}|GIR 0AA)\b",
            sure=0.85,
            hint=r"\d[A-Z0-9]? \d[A-Z]{2}|GIR 0AA",
        ),
        Pattern(
            "address",
            r"\b[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d\b",
            _canadian,
            hint=r"[A-Z]\d[A-Z][ -]?\d[A-Z]\d",
        ),
        Pattern(
            "address",
            r"(?i)\b(?:p\.? ?o\.? ?box|post office box|pobox|psc|cmr|box|apartado)[ .#:]{0,3}\d{1,6}\b",
            sure=0.85,
            hint=r"(?i)(?:box|psc|cmr|apartado)[ .#:]{0,3}\d",
        ),
        Pattern("address", r"(?i)\b[AFD]PO,? A[AEP] \d{5}(?:-\d{4})?\b", sure=0.98),
        Pattern("address", r"\b(?:APO|FPO|DPO),? (?:AA|AE|AP)(?: \d{5}(?:-\d{4})?)?\b", sure=0.98),
    ),
)
