"""Settings of breaking the glass: ``[breakglass]``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Breakglass:
    """Opening, in an emergency, what is withheld of a patient."""

    minutes_max: int = 60  # one may last so long
    review_hours: float = 72.0  # a privacy officer looks at it within so long; then it is a finding
    misses_per_hour: int = (
        5  # numbers of nobody by one person; then a finding, and they reach nobody by number for an hour
    )
    often_per_day: int = 3  # more by one person in a day is a finding at once; nobody is stopped
