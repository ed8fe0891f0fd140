"""The rows of a policy review: what was found, since when, and who signed it off until when.

| state | means | goes on to |
|---|---|---|
| ``open`` | found, and nobody has answered for it | signed off, gone |
| ``signed-off`` | a reviewer answers for it until a date | open (past the date), gone |
| ``gone`` | the last review did not find it any more | open |

Rules:
- A finding is one by its rule and what it is about; a later review changes its words and its proposal, not its id.
- Nothing is signed off for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SIGNED_OFF_DAYS_MAX = 366


class FindingState(StrEnum):
    """Where a finding stands."""

    OPEN = "open"
    SIGNED_OFF = "signed-off"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """One finding of a policy review.

    Args:
        body: canonical JSON of its words, its proposal, and whose doing it is where somebody else must sign it off. bundle: digest of the bundle it was last found in.
        by, why, until_us: of the sign-off; empty and 0 without one.
    """

    id: str
    rule: str
    about: str
    first_us: int
    last_us: int
    state: FindingState
    body: bytes
    bundle: str
    by: str = ""
    why: str = ""
    until_us: int = 0
