"""What a verification finds.

A problem names the first record it concerns where that can be known; where only a range can, both its ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from oathward.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not hold. ``first`` to ``last``: indexes of the records it concerns, if any."""

    reason: Reason
    where: str
    why: str
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a verification, for people and as JSON."""

    ok: bool
    site: str
    origin: str
    size: int
    root: bytes
    problems: tuple[Problem, ...] = ()
    checkpoints: int = 0  # signed, checked, and found right
    cosigned: int = 0  # of these, cosigned by a witness whose key was given
    signed_size: int = 0  # records under the last right checkpoint; the rest could still be rewritten
    witnessed_size: int = 0  # records under the last checkpoint a known witness holds
    unknown_signatures: int = 0  # lines of keys that were not given
    removed: dict[str, int] = field(default_factory=dict)  # rule -> bodies removed under it
    facts: int = 0
    facts_removed: int = 0
    lost: tuple[tuple[int, int], ...] = ()  # ranges declared missing after a restore

    @property
    def first_bad_index(self) -> int | None:
        """The first record that any problem names."""
        return min((p.first for p in self.problems if p.first is not None), default=None)

    @property
    def problem(self) -> Reason | None:
        """The reason of the first problem."""
        return self.problems[0].reason if self.problems else None
