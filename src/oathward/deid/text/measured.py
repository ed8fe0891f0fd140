"""How much of what names somebody is found in a language, by measurement: what a profile's ``recall`` is compared with.

Rules:
- A figure is the lowest of the categories names, identifiers, contacts and dates, on texts nobody looked at while building
  (``bench/bench_deid_text.py``, the half to report), rounded down; what nobody measured has none.
- Where nobody says a text's language, the lowest of all counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from oathward.deid.text.language import base

RECALL: Mapping[str, float] = {"en": 0.96, "es": 0.99}
"""Language -> share of what was marked that is found."""


def recall_of(language: str) -> float:
    """Give the measured recall of a language; 0 for one that nobody measured."""
    return RECALL.get(base(language), 0.0) if language else min(RECALL.values(), default=0.0)
