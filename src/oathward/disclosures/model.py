"""A disclosure: for some time a device's data were sent under a patient they were not of.

Rules:
- Which messages, and who got them, is read from the ledger each time: a row only names device, patient and period.
- A patient is a random id; whose the data really are may not be known.

Deliberately absent: content, and mending what recipients hold (the device's correction, or they themselves, do).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Told(StrEnum):
    """How it became known."""

    STAFF = "staff"
    CORRECTION = "correction"  # the device took a result back as another patient's
    SUSPECTED = "suspected"  # ADT says that another patient lay in that bed: none, until a person confirms it
    CONFIRMED = "confirmed"  # that, and a person said so


class Settled(StrEnum):
    """What it came to."""

    CORRECTED = "corrected"  # whoever got it was told, and holds it no longer under this patient
    UNCORRECTED = "uncorrected"  # somebody still holds it so
    NOT_SO = "not-so"  # the data were this patient's


@dataclass(frozen=True, slots=True)
class DisclosureRow:
    """One disclosure.

    Args:
        subject: under whom the data went. other: whose they are; empty: not known. evidence: the message that took them back.
        overdue_told: a finding was raised that nobody settled it in time.
    """

    id: str
    device: str
    subject: str
    other: str
    from_us: int
    until_us: int
    told: Told
    evidence: str
    by: str
    at_us: int
    due_us: int
    settled: Settled | None = None
    settled_by: str = ""
    settled_us: int = 0
    overdue_told: bool = False

    def overdue(self, now_us: int) -> bool:
        """Whether nobody settled it in time; what is only suspected is not late."""
        return self.told is not Told.SUSPECTED and self.settled is None and self.due_us < now_us


@dataclass(frozen=True, slots=True)
class Reached:
    """What of a disclosure went where. ``links``: link -> how many messages its recipient got. ``more``: not all were counted."""

    messages: tuple[str, ...]
    links: Mapping[str, int]
    more: bool
