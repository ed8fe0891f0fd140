"""Names of persons, places and organisations in English texts.

Source: 45 CFR 164.514(b)(2)(i)(A), (B).
"""

from __future__ import annotations

from oathward.deid.text.capitals_en import proper
from oathward.deid.text.recogniser import Recogniser

RECOGNISER = Recogniser(
    categories={
        "name": "patient.name",
        "staff": "staff.name",
        "relative": "relative.name",
        "place": "patient.address",
        "organisation": "organisation.name",
    },
    words=proper,
    languages=frozenset(("en",)),
)
