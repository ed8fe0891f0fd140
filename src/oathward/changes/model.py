"""The rows of changes on their way: proposals, what is attached, what happened, and what somebody is writing.

| state | means | goes on to |
|---|---|---|
| ``draft`` | written down here, not yet with the keeper: something is missing | proposed, withdrawn, stale |
| ``proposed`` | with the keeper; another person is asked | approved, withdrawn, refused, stale; an emergency: active |
| ``approved`` | two people agreed | active, withdrawn, refused, stale |
| ``active`` | signed and put in force, as ``version`` | |
| ``withdrawn``, ``refused`` | by who proposed it; by who could have approved it | |
| ``stale`` | another version came into force meanwhile | a new one, rebased |

Rules:
- Persons are named by their ids; names come from signed documents.
- What a proposal holds is named by SHA-256; bytes that do not fit their name are never given out.
- An emergency is due to be assessed at ``due_us``; ``assessed_us`` is when another person did.

Deliberately absent: who may do what (the keeper), and what a bundle says (``policy``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from oathward.core.errors import InputError
from oathward.core.ids import is_id
from oathward.core.reasons import Reason

REASON_LENGTH_MAX = 200
NAME_LENGTH_MAX = 120
FILE_BYTES_MAX = 4_194_304
"""Of one kept file: the canonical form of the largest bundle, or an attachment."""

ATTACHMENTS_MAX = 50
ATTACHED = ("agreement", "assessment", "owner", "steward", "note")
"""Kinds of attachments; the first four are rows of the register as they stood, a note is a file or words."""


class ProposalState(StrEnum):
    """Where a proposal stands."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    STALE = "stale"


def plain_id(text: str) -> str:
    """Give the id of a proposal as somebody wrote it, once it can be one: it stands in messages, pages and questions.

    Raises:
        InputError: ``not-found``, without the text.
    """
    if not is_id(text):
        raise InputError("proposal", "there is no such proposal", reason=Reason.NOT_FOUND)
    return text


OPEN = frozenset({ProposalState.DRAFT, ProposalState.PROPOSED, ProposalState.APPROVED})
"""What still waits for somebody."""

TRANSITIONS: Mapping[ProposalState, frozenset[ProposalState]] = MappingProxyType(
    {
        ProposalState.DRAFT: frozenset(
            {ProposalState.PROPOSED, ProposalState.WITHDRAWN, ProposalState.STALE}
        ),
        ProposalState.PROPOSED: frozenset(
            {
                ProposalState.APPROVED,
                ProposalState.ACTIVE,
                ProposalState.WITHDRAWN,
                ProposalState.REFUSED,
                ProposalState.STALE,
            }
        ),
        ProposalState.APPROVED: frozenset(
            {ProposalState.ACTIVE, ProposalState.WITHDRAWN, ProposalState.REFUSED, ProposalState.STALE}
        ),
        ProposalState.ACTIVE: frozenset(),
        ProposalState.WITHDRAWN: frozenset(),
        ProposalState.REFUSED: frozenset(),
        ProposalState.STALE: frozenset(),
    }
)
"""Where a proposal may go from where it stands."""


def state_words(state: str, version: int, in_force: int) -> str:
    """Say where a proposal stands, as people read it: of all that were put in force one is.

    Args:
        version: as which it came into force. in_force: the version that is, 0 where none is or nobody asked.
    """
    if state != ProposalState.ACTIVE:
        return str(state)
    return "in force" if version == in_force else PUT_IN_FORCE


def event_words(kind: str) -> str:
    """Say what a step of a proposal was, as people read it."""
    return PUT_IN_FORCE if kind == ProposalState.ACTIVE else kind


PUT_IN_FORCE = "put in force"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRow:
    """One proposal.

    Args:
        kind: ``bundle``. base_version: of the bundle it starts from; 0 where there was none.
        body, base_body: SHA-256 (hex) of the new bundle's canonical form and of that of its base; empty without one.
        dry_run: of its result; empty where there was nothing to decide again.
        document: of what the keeper was given; empty for a draft.
        version: as which it came into force; 0 before.
        due_us: until when an emergency must be assessed; 0 for others.
        rebased_from: the stale proposal it came from.
    """

    id: str
    kind: str
    state: ProposalState
    base_version: int
    body: str
    base_body: str
    proposer: str
    reason: str
    emergency: bool = False
    dry_run: str = ""
    document: str = ""
    approver: str = ""
    version: int = 0
    created_us: int
    changed_us: int
    due_us: int = 0
    assessed_us: int = 0
    rebased_from: str = ""

    @property
    def open(self) -> bool:
        """Whether it waits for somebody."""
        return self.state in OPEN

    @property
    def unassessed(self) -> bool:
        """Whether it is an emergency in force that nobody else has looked at yet."""
        return self.emergency and self.state is ProposalState.ACTIVE and not self.assessed_us


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    """One thing attached to a proposal. ``about``: whose need it meets, ``link/ehr``; empty for a note."""

    kind: str
    name: str
    digest: str
    about: str
    by: str
    at_us: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """One step of a proposal. ``kind``: ``drafted``, ``attached``, ``proposed`` …; ``words``: why, as the person said."""

    kind: str
    by: str
    at_us: int
    words: str


@dataclass(frozen=True, slots=True)
class EditRow:
    """What somebody is writing in the editor: path → text, and the version it started from."""

    person: str
    base_version: int
    files: Mapping[str, str]
    changed_us: int
