"""What waits for one person: changes of policy that they may approve, assess, put in force or go on with; roles to approve.

Rules:
- One's own proposal waits for others; what one may not decide is nobody's turn.
- Who may not see policy is told of none.

Deliberately absent: deciding; the keeper asks again, and knows more (who let whom in).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward import granting
from oathward.changes import views
from oathward.changes.model import OPEN, ProposalRow, ProposalState
from oathward.core.db import read
from oathward.people import views as people
from oathward.policy.access import Thing

if TYPE_CHECKING:
    from oathward.proposing.looking import Proof
    from oathward.vault.opened import Opened

READ_MAX = 50
May = Callable[[str, Thing | None], bool]


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that waits for who asks; `kind`: policy or people; `id`: of the proposal."""

    kind: str
    id: str
    words: str


def turn_of(row: ProposalRow, person: str, may: May) -> str:
    """Say what somebody can do about a change of policy; empty where it is another's turn."""
    own, about = row.proposer == person, Thing("proposal", row.id, owner=row.proposer)
    if row.unassessed or row.state is ProposalState.PROPOSED:
        allowed = not own and may("policy.approve", about)
        return ("assess it" if row.unassessed else "approve or refuse it") if allowed else ""
    if row.state is ProposalState.APPROVED:
        return "put it in force" if may("policy.activate", about) else ""
    return "go on with your draft" if own else ""


def open_rows(site: Opened) -> list[ProposalRow]:
    """List the changes of policy that wait for anybody, emergencies first."""
    with read(site.engine) as db:
        return [
            *views.unassessed(db, site.site),
            *views.proposals(db, site.site, states=list(OPEN), limit=READ_MAX),
        ]


def turns(site: Opened, person: str, may: May, proof: Proof, now_us: int) -> list[Turn]:
    """List what waits for somebody.

    Args:
        person: their id; empty on a site without people, where nothing waits. may: asks the policies for them.
    """
    if not person or not may("policy.see", None):
        return []
    mine = [(row, turn) for row in open_rows(site) if (turn := turn_of(row, person, may))]
    roles = _roles(site, person, proof, now_us) if may("grant.approve", None) else []
    ids = {row.proposer for row, _ in mine} | {one.proposal.proposer for one in roles}
    with read(site.engine) as db:
        names = people.names(db, site.site, ids)
    found = [
        Turn("policy", row.id, f"{names.get(row.proposer, row.proposer)}, “{row.reason}”: {turn}")
        for row, turn in mine
    ]
    for one in roles:
        by = names.get(one.proposal.proposer, one.proposal.proposer)
        words = f"{by}, “{one.reason}”: {'; '.join(one.words)}: approve or refuse it"
        found.append(Turn("people", one.proposal.id, words))
    return found


def _roles(site: Opened, person: str, proof: Proof, now_us: int) -> Sequence[granting.Waiting]:
    with read(site.engine) as db:
        if not people.any_proposed(db, site.site):
            return []
    found = granting.waiting(site, now_us=now_us, proof=proof)
    return [one for one in found if person not in {one.proposal.proposer, one.about}]
