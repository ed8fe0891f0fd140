"""Serial numbers, UDI, vehicles and their plates.

Source: 45 CFR 164.514(b)(2)(i)(L), (M); GS1 General Specifications (AI 01, 10, 11, 17, 21), ANSI/HIBC 2.6 (UDI forms); ISO 3779 (VIN).
"""

from __future__ import annotations

from oathward.deid.text.checks import digits
from oathward.deid.text.recogniser import Pattern, Recogniser

_VIN_LENGTH = 17


def _vin(text: str) -> float:
    return 0.85 if len(digits(text)) >= 4 and any(c.isalpha() for c in text) else 0


def _some_digit(text: str) -> float:
    return 0.9 if digits(text) else 0


RECOGNISER = Recogniser(
    categories={"device": "device.identity", "vehicle": "patient.identifier"},
    patterns=(
        Pattern(
            "device",
            r"\(01\)\d{14}(?:\((?:10|11|17|21)\)[A-Za-z0-9/-]{1,20}){0,4}",
            sure=0.99,
            hint=r"\(01\)\d",
        ),
        Pattern("device", r"\((?:10|21)\)[A-Za-z0-9/-]{2,20}", sure=0.8, hint=r"\((?:10|21)\)"),
        Pattern("device", r"\+[A-Z]\d{3}[A-Z0-9]{2,18}\d/\$\$?[A-Z0-9+/]{3,40}", sure=0.95, hint=r"/\$"),
        Pattern(
            "device",
            r"(?i)\b(?:serial|s/n|sn|lot|batch|device id|asset(?: tag)?|udi|imei|implant(?: id)?)(?: (?:number|no\.?|num\.?|#|code|id))?(?: is)?[.:#]{0,2} ?#?([A-Z0-9][A-Z0-9/-]{3,40})",
            group=1,
            check=_some_digit,
            hint=r"(?i)\b(?:serial|s/n|sn|lot|batch|device id|asset|udi|imei|implant)",
        ),
        Pattern("vehicle", r"\b[A-HJ-NPR-Z0-9]{17}\b", check=_vin),
        Pattern(
            "vehicle",
            r"(?i)\b(?:(?:licen[sc]e|number|registration|vehicle) plate|plate(?: (?:number|no\.?))|vin|vehicle (?:id(?:entification)?|registration)(?: number)?|license tag)(?: is)?[:#]? ?([A-Z0-9]{1,4}[ -]?[A-Z0-9]{2,14})\b",
            group=1,
            check=_some_digit,
            hint=r"(?i)\b(?:plate|vin|vehicle|license tag)",
        ),
    ),
)
