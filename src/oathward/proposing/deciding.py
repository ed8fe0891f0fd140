"""Decide a proposal: approve, withdraw or refuse, put in force; go first in an emergency; go one step back.

Rules:
- Each step looks at all of it again: nothing stale, nothing altered, nothing missing.
- What the keeper signed, the proposal's step and the record are one transaction.

Deliberately absent: who may (the keeper says it, each time).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from oathward import activation
from oathward.activation import Active
from oathward.changes import actions, views
from oathward.changes.model import ProposalRow, ProposalState
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.policy.bundle import Bundle
from oathward.proposing.drafting import document_of, draft
from oathward.proposing.looking import (
    ROLLBACK,
    Proof,
    bundle_of,
    check_complete,
    fresh,
    in_force,
    moved,
    now_us_of,
    shown,
)  # fmt: skip
from oathward.vault.authority import newest_version

if TYPE_CHECKING:
    from oathward.vault.opened import Opened

_HOUR_US = 3_600_000_000


def approve(site: Opened, id_: str, proof: Proof, by: str) -> ProposalRow:
    """Approve what another person proposed; of an emergency in force, assess it.

    Raises:
        InputError: ``access.own``, ``proposal.stale``, ``proposal.incomplete``, ``conflict``.
        StorageError: ``proposal.altered``.
        KeeperError: this person may not.
    """
    with read(site.engine) as db:
        row = views.one(db, site.site, id_).row
    if row.proposer == by:
        why = "is your own: another person approves it"
        raise InputError(f"proposal {id_}", why, reason=Reason.ACCESS_OWN)
    if row.unassessed:
        return _assess(site, id_, proof, by)
    found = fresh(site, id_, ProposalState.PROPOSED)
    check_complete(found)
    site.keeper.changes.approve(id_, proof)
    return moved(site, id_, ProposalState.APPROVED, by, "", approver=by)


def _assess(site: Opened, id_: str, proof: Proof, by: str) -> ProposalRow:
    shown(site, id_)
    site.keeper.changes.approve(id_, proof)
    with write(site.engine) as db:
        actions.assessed(db, site.site, id_, by=by, now_us=now_us_of(site))
        return actions.proposal_of(db, site.site, id_)


def withdraw(site: Opened, id_: str, why: str, proof: Proof, by: str) -> ProposalRow:
    """Take one's own proposal back, or refuse another's.

    Raises:
        InputError: ``conflict``: it is decided already; ``access.own``: a draft of somebody else.
        KeeperError: this person may not.
    """
    words = actions.checked_reason(why)
    with read(site.engine) as db:
        row = views.one(db, site.site, id_).row
    own = row.proposer == by
    if row.state is ProposalState.DRAFT:
        if not own:
            why_not = "is somebody's draft: only they take it back"
            raise InputError(f"proposal {id_}", why_not, reason=Reason.ACCESS_OWN)
    elif row.open:
        site.keeper.changes.withdraw(id_, words, proof)
    return moved(site, id_, ProposalState.WITHDRAWN if own else ProposalState.REFUSED, by, words)


def activate(site: Opened, id_: str, proof: Proof, by: str) -> Active:
    """Put an approved proposal in force: signed by the keeper, stored with its record and the proposal's step.

    Raises:
        InputError: ``conflict``: it is not approved; ``proposal.stale``, ``proposal.incomplete``.
        StorageError: ``proposal.altered``; or it was not stored, and what was in force stays.
        KeeperError: this person may not, or who approved may not any more.
    """
    found = fresh(site, id_, ProposalState.APPROVED)
    check_complete(found)
    return _put_in_force(site, found.bundle, id_, proof, by)


def _put_in_force(
    site: Opened, bundle: Bundle, id_: str, proof: Proof, by: str, *, due_us: int = 0
) -> Active:
    activation.tested(bundle)
    (document,) = site.keeper.changes.sign(id_, [bundle.body], proof)
    now_us, values = now_us_of(site), {"version": document.version, "due_us": due_us}
    with write(site.engine) as db:
        row = actions.proposal_of(db, site.site, id_)
        if newest_version(db, site.site, activation.KIND, activation.ID) != row.base_version:
            why = "another version came into force in the same moment"
            raise InputError(f"proposal {id_}", why, reason=Reason.PROPOSAL_STALE)
        actions.move(db, site.site, id_, ProposalState.ACTIVE, by=by, words="", now_us=now_us, values=values)
        actions.stale(db, site.site, version=document.version, now_us=now_us)
        return activation.store(db, site.site, bundle, document, now_us)


def emergency(
    site: Opened, files: Mapping[str, bytes], why: str, proof: Proof, by: str
) -> tuple[ProposalRow, Active]:
    """Put a bundle in force now, by one person; another assesses it within ``[people] assess_hours_max``.

    Raises:
        PolicyErrors: it is wrong, or fails its tests: no emergency puts that in force.
        InputError: ``proposal.emergency-too-wide``, ``conflict``.
        KeeperError: this person may not.
    """
    row = draft(site, files, why, by, emergency=True)
    document = document_of(row, ())
    site.keeper.changes.propose(document, proof)
    now_us = now_us_of(site)
    with write(site.engine) as db:
        digest = actions.keep_file(db, site.site, document, now_us=now_us)
        values = {"document": digest}
        actions.move(
            *(db, site.site, row.id, ProposalState.PROPOSED), by=by, words="", now_us=now_us, values=values
        )
    due_us = now_us + int(site.settings.people.assess_hours_max * _HOUR_US)
    active = _put_in_force(site, activation.check(files), row.id, proof, by, due_us=due_us)
    with read(site.engine) as db:
        return views.one(db, site.site, row.id).row, active


def roll_back(site: Opened, why: str, proof: Proof, by: str) -> Active:
    """Put the version before in force again, as the next one; an emergency's is another person's to take back.

    Raises:
        InputError: there is none before; ``access.own``.
        KeeperError: this person may not.
    """
    words, now = actions.checked_reason(why), in_force(site)
    with read(site.engine) as db:
        last = views.of_version(db, site.site, now.version) if now else None
    if last is not None and last.unassessed and last.proposer == by:
        why_not = "was your own: another person takes it back"
        raise InputError("emergency", why_not, reason=Reason.ACCESS_OWN)
    document = site.keeper.changes.roll_back(words, proof)
    bundle, now_us = bundle_of(document.body), now_us_of(site)
    with write(site.engine) as db:
        body = actions.keep_file(db, site.site, document.body, now_us=now_us)
        base = actions.keep_file(db, site.site, now.bundle.body, now_us=now_us) if now else ""
        row = ProposalRow(
            id=uuid7(now_us // 1_000), kind=ROLLBACK, state=ProposalState.ACTIVE, base_version=now.version if now else 0,
            body=body, base_body=base, proposer=by, reason=words, version=document.version, created_us=now_us, changed_us=now_us,
        )  # fmt: skip
        actions.add(db, site.site, row, "rolled-back")
        if last is not None and last.unassessed:
            actions.assessed(db, site.site, last.id, by=by, now_us=now_us)
        actions.stale(db, site.site, version=document.version, now_us=now_us)
        return activation.store(db, site.site, bundle, document, now_us)
