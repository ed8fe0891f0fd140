"""An upload: what leaves a device for somebody without passing through here, as far as it was seen or told.

Rules:
- Whoever gets it is a recipient of the bundle by id, or a maker by name; never a person.
- No value of it is kept: which classes of data, since when, and a code that leads back to who saw it.
- The same party, device, patient and purpose is one upload; seen again it lasts longer, and may hold more.

Deliberately absent: what to do about it (staff decide), and the patient's word (``uploading`` compares).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """How somebody knows."""

    OBSERVED = "observed"  # staff saw it
    REPORTED = "reported"  # the patient, or who stands in for them, said so
    IMPORTED = "imported"  # a tool that watches the network did


class Answer(StrEnum):
    """What the patient's word is on it, as it stands now."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NEVER_ASKED = "never-asked"
    LAW = "law"


EVIDENCE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}", re.ASCII)
"""A code that leads back to who saw it: a tool's own number of a flow, of a report. No words, so no values."""

NAME_LENGTH_MAX = 80
CLASSES_MAX = 64


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody saw or told of an upload.

    Args:
        party: recipient of the bundle; empty where ``maker`` names who gets it. device: of the inventory; empty: unknown.
        subject: whose data; empty: not known. classes: of data, as policy has them. purpose: code; empty: not known.
        since_us, seen_us: first and last seen.
    """

    party: str
    maker: str
    device: str
    subject: str
    classes: frozenset[str]
    purpose: str
    since_us: int
    seen_us: int
    source: Source
    evidence: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two sightings one upload."""
        return (self.party, self.maker.casefold(), self.device, self.subject, self.purpose)


@dataclass(frozen=True, slots=True)
class UploadRow:
    """One upload. ``ended_us`` 0: it goes on, as far as is known. ``answer``: as last compared; None before the first time."""

    id: str
    sighting: Sighting
    by: str
    ended_us: int = 0
    answer: Answer | None = None
    compared_us: int = 0

    @property
    def wrong(self) -> bool:
        """Whether staff should look at it: it goes on without a yes."""
        return not self.ended_us and self.answer in {Answer.DENIED, Answer.NEVER_ASKED}


@dataclass(frozen=True, slots=True)
class UploadFilters:
    """Which uploads a list shows; empty: any."""

    answer: str = ""
    source: str = ""
    device: str = ""
    ended: bool = False
