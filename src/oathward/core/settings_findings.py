"""The section ``[findings]`` of the settings, a dataclass as those in ``core.settings``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Findings:
    """By when somebody must have settled a finding, by its severity, and how long a settled one is kept."""

    urgent_days: float = 1.0  # care or a patient may be harmed now
    serious_days: float = 14.0  # data move, or may move, without what they need
    attention_days: float = 60.0  # something is due
    cleared_days: int = (
        1_095  # one that is gone is kept so long, with its history; the ledger keeps its records
    )
