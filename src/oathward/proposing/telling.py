"""A proposal as programs read it: by the JSON API, and from commands with ``--json``; people read the same in words.

Rules:
- One shape for both: what a server answers is what the command at the site's own machine prints.
- Times are points in time, people and things are their ids; what is said in words comes as words.

Deliberately absent: deciding what is told to whom (the routes and commands ask the policies first).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.changes.model import ProposalRow
from oathward.core.clock import from_micros
from oathward.policy import dry_run_words
from oathward.policy.difference import Change
from oathward.proposing.waiting import Waiting

if TYPE_CHECKING:
    from oathward.proposing.looking import Shown


@dataclass(frozen=True, slots=True)
class ChangeOut:
    """One thing that changes; `direction`: widen, narrow or same."""

    kind: str
    about: str
    direction: str
    words: str
    links: list[str]


@dataclass(frozen=True, slots=True)
class NeedOut:
    """One thing that a change requires."""

    met: bool
    words: str


@dataclass(frozen=True, slots=True)
class StepOut:
    """One step of a proposal."""

    kind: str
    by: str
    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class AttachmentOut:
    """What is attached to a proposal; `about`: whose need it meets, empty for a note."""

    kind: str
    name: str
    digest: str
    about: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ProposalOut:
    """A proposal; `version`: as which it came into force, 0 before; `due`: of an emergency's assessment."""

    id: str
    kind: str
    state: str
    base_version: int
    proposer: str
    approver: str
    reason: str
    emergency: bool
    assessed: bool
    due: datetime | None
    version: int
    digest: str
    created: datetime
    changed: datetime


@dataclass(frozen=True, slots=True)
class ProposalWhole:
    """A proposal with all that somebody must see before they agree; `dry_run`: digest, empty while there is none."""

    proposal: ProposalOut
    stale: bool
    changes: list[ChangeOut]
    needs: list[NeedOut]
    dry_run: str
    dry_run_words: list[str]
    waiting: list[Waiting]
    trying: bool
    attachments: list[AttachmentOut]
    steps: list[StepOut]


def change(one: Change) -> ChangeOut:
    """Tell one thing that changes."""
    return ChangeOut(one.kind, one.about, one.direction, one.words, list(one.links))


def proposal(row: ProposalRow) -> ProposalOut:
    """Tell where a proposal stands."""
    due = from_micros(row.due_us) if row.due_us else None
    return ProposalOut(
        *(row.id, row.kind, str(row.state), row.base_version, row.proposer, row.approver, row.reason),
        *(row.emergency, bool(row.assessed_us), due, row.version, row.body),
        *(from_micros(row.created_us), from_micros(row.changed_us)),
    )


def whole(found: Shown, *, trying: bool = False) -> ProposalWhole:
    """Tell all of a proposal.

    Args:
        trying: a dry run of it goes on.
    """
    return ProposalWhole(
        proposal(found.row),
        found.stale,
        list(map(change, found.changes)),
        [NeedOut(one.met, one.words) for one in found.requirements],
        found.row.dry_run,
        dry_run_words.lines(found.dry_run) if found.dry_run else [],
        list(found.waiting),
        trying,
        [
            AttachmentOut(one.kind, one.name, one.digest, one.about, one.by, from_micros(one.at_us))
            for one in found.view.attachments
        ],
        [StepOut(one.kind, one.by, from_micros(one.at_us), one.words) for one in found.view.events],
    )
