"""What the guard says of bytes that would leave: clean, counted, or stop. Kinds and places, never a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clean:
    """Nothing of the persons was found."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Only weak tokens were found; ``hits``: place in the original, or ``card`` -> how many."""

    hits: Mapping[str, int]

    @property
    def places(self) -> tuple[str, ...]:
        """The places alone, in order: of messages that say the same they are the same, so a finding can count them."""
        return tuple(sorted(self.hits))


@dataclass(frozen=True, slots=True)
class Stop:
    """The bytes must not leave.

    ``kind``: identifier, phone, e-mail, address, birth-date, name, name-parts, weak-identifiers, token, other-patient, canary, unsearchable.
    ``where``: codes, e.g. ``PID-3 in segment 7 through base64, gzip``.
    """

    kind: str
    where: str


Verdict = Clean | Counted | Stop
CLEAN = Clean()
