"""Changes that take two people: proposed by one, approved by another, signed only then.

| kind | proposed by who may | approved by who may | signed for |
|---|---|---|---|
| ``bundle`` | ``policy.propose`` | ``policy.approve`` | who may ``policy.activate`` |
| ``grant`` | ``grant.propose`` | ``grant.approve`` | either of the two |
| ``service`` | ``service.propose`` | ``grant.approve`` | either of the two |

Rules:
- What is proposed is one document: the digests of the bodies to sign, of what is attached and of the dry run, and the version
  it starts from. Other bodies are not signed, and none where another version has been signed meanwhile.
- Proposer and approver are two people, whatever their accounts; neither decides what is about themselves.
- Who approves could have approved already when it was proposed, and has held no keys since; nobody gets a role for that.
- Who made the other's account anew since is no other person's second (``_check_apart``).
- A bundle that widens brings along what it must, or nobody agrees to it (``papers``).
- At the signing all of it is asked again: who left or lost a role meanwhile no longer counts.
- An emergency is signed for one person and approved afterwards: until then it is *unassessed*, or *taken-back*. What it may widen the
  keeper sees for itself (``emergencies``).
- No bundle is signed under which nobody could change the policy again (``lockout``).
- One step back: the version before the one in force is signed again, for one person; an emergency's for another than its own,
  and back to one that nobody assessed for nobody. It widens nothing whose requirements are not met any more.
- Each step is a record before it is answered.

Deliberately absent: what stands in a bundle (``oathward.proposing`` sees to it before it asks).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.policy.people import GRANT, SERVICE, Grant, Service
from oathward.policy.people_rules import SERVICE_ROLES, unfit_grant
from oathward.vault import authority
from oathward.vault.authority import Document
from oathward.vault.keeper import roles, signing
from oathward.vault.keeper.changing import apart, emergencies, lockout, papers
from oathward.vault.keeper.changing.proposals import (
    ACTIVE,
    BUNDLE,
    KINDS,
    TAKEN_BACK,
    UNASSESSED,
    Proposal,
    check_room,
    find,
    move,
    of,
    shaped,
)
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Person as Named

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.vault.keeper.sign_in.sessions import Session

_BACK = "bundle before the last one taken back"
"""Of the last step back: the version it made, and the one it took back."""


def propose(keeper: Keeper, session: Session, body: bytes) -> Proposal:
    """Take a proposal down.

    Raises:
        KeeperError: it is misshapen, about oneself, from another version, may not be proposed, or too many wait.
    """
    stated = shaped(body)
    kind = KINDS[stated["kind"]]
    emergency = stated["emergency"]
    person = session.visitor.person_id
    for _, id_, _ in stated["documents"]:
        thing = Thing(kind.thing, id_, owner=id_ if stated["kind"] == GRANT else "")
        roles.permit(keeper, session, "policy.emergency" if emergency else kind.propose, thing)
    _check_base(keeper, stated)
    check_room(keeper, person, emergency=emergency)
    made = Proposal(stated["id"], stated["kind"], body, "proposed", person, keeper.now_us())
    with keeper.store.transaction():
        if keeper.store.one("SELECT 1 FROM proposal WHERE id = ?", made.id):
            raise KeeperError("proposal id", "stands already", reason=Reason.CONFLICT)
        keeper.store.rows(
            "INSERT INTO proposal VALUES (?, ?, ?, 'proposed', ?, ?, '', 0, 0)",
            *(made.id, made.kind, body, made.proposer, made.proposed_us),
        )
        _note(keeper, "change.proposed", made, session, digest=_hex(body))
    return made


def approve(keeper: Keeper, session: Session, id_: str) -> Proposal:
    """Approve what another proposed; of an emergency, assess it.

    Raises:
        KeeperError: ``ACCESS_OWN`` for one's own, ``ACCESS_ROLE`` without the role then and now, ``CONFLICT`` in another state.
    """
    proposal = apart.to_decide(keeper, session, id_)
    person = session.visitor.person_id
    state = UNASSESSED if _is_in_force_again(keeper, proposal) else proposal.state
    after = {"proposed": "approved", UNASSESSED: "assessed"}.get(state)
    if after is None:
        raise KeeperError("proposal", f"is {proposal.state} already", reason=Reason.CONFLICT)
    apart.check_apart(keeper, proposal, person)
    if after == "approved":
        _check_base(keeper, proposal.stated)
        papers.check(keeper, proposal)
    with keeper.store.transaction():
        move(keeper, proposal, after, person)
        _note(keeper, f"change.{after}", proposal, session)
    return of(keeper, id_)


def withdraw(keeper: Keeper, session: Session, id_: str, reason: str) -> Proposal:
    """Take a proposal back: its proposer; or refuse it: whoever could approve it."""
    found = find(keeper, id_)
    own = found is not None and found.proposer == session.visitor.person_id
    proposal = found if found is not None and own else apart.to_decide(keeper, session, id_)
    if proposal.state not in {"proposed", "approved"}:
        raise KeeperError("proposal", f"is {proposal.state} already", reason=Reason.CONFLICT)
    after = "withdrawn" if own else "refused"
    with keeper.store.transaction():
        move(keeper, proposal, after)
        _note(keeper, f"change.{after}", proposal, session, reason=reason)
    return of(keeper, id_)


def sign(keeper: Keeper, session: Session, id_: str, bodies: Sequence[bytes]) -> list[Document]:
    """Sign what was approved, or an emergency.

    Args:
        bodies: of the documents the proposal names, in its order.

    Raises:
        KeeperError: it is not approved any more, other bodies, another base, or not to be signed for this person.
    """
    proposal = apart.to_sign(keeper, session, id_)
    stated = proposal.stated
    kind, person = KINDS[proposal.kind], session.visitor.person_id
    state = _state(keeper, proposal)
    emergency = stated["emergency"] and state == "proposed"
    if emergency:
        if person != proposal.proposer:
            raise KeeperError("proposal", "is another person's emergency", reason=Reason.ACCESS_OWN)
        roles.permit(keeper, session, "policy.emergency", Thing("policy", ACTIVE))
    else:
        if state != "approved":
            raise KeeperError("proposal", f"is {state}, not approved", reason=Reason.CONFLICT)
        apart.check_still(keeper, proposal)
        if kind.activate:
            roles.permit(keeper, session, kind.activate, Thing("proposal", id_))
        elif person not in {proposal.proposer, proposal.approver}:
            raise KeeperError("proposal", "is signed for one of its two people", reason=Reason.ACCESS_ROLE)
    _check_base(keeper, stated)
    wanted = [
        signing.Wanted(name, one, 0, body)
        for (name, one, _), body in zip(stated["documents"], bodies, strict=False)
    ]
    if len(bodies) != len(stated["documents"]) or any(
        _hex(body) != digest for body, (_, _, digest) in zip(bodies, stated["documents"], strict=True)
    ):
        raise KeeperError("documents", "are not those that were proposed", reason=Reason.CONFLICT)
    _check_bodies(keeper, proposal, wanted)
    if emergency:
        emergencies.check(keeper, bodies[0])
    else:
        papers.check(keeper, proposal, bodies[0])
    if proposal.kind == BUNDLE:
        lockout.check(keeper, bodies[0])
    approvals = [Named(one, f"proposal {id_}") for one in (proposal.proposer, proposal.approver) if one]
    with keeper.store.transaction():
        documents = signing.sign(keeper, wanted, approvals)
        move(keeper, proposal, UNASSESSED if emergency else "signed", version=documents[0].version)
        _note(keeper, "change.signed", proposal, session, version=documents[0].version)
    return documents


def roll_back(keeper: Keeper, session: Session, reason: str) -> Document:
    """Sign the bundle before the one in force again, as the next version.

    Raises:
        KeeperError: there is none, the one in force was this person's own emergency, or it takes a proposal (``papers``).
    """
    roles.permit(keeper, session, "policy.rollback", Thing("policy", ACTIVE))
    # Before another is signed: what is in force stays known where that one is lost.
    signing.confirm_stored(keeper)
    with read(keeper.engine) as db:
        now = authority.load(db, keeper.site, BUNDLE, ACTIVE, keeper.authority, keeper.seen)
        last = _version_before(keeper, db, now.version)
        before = authority.load_version(db, keeper.site, BUNDLE, ACTIVE, last, keeper.authority)
    made, old = _made(keeper, now.version), _made(keeper, last)
    alone = made is not None and (made.state == UNASSESSED or _is_in_force_again(keeper, made))
    if made is not None and alone and made.proposer == session.visitor.person_id:
        raise KeeperError(
            "emergency", "is taken back by another person than who made it", reason=Reason.ACCESS_OWN
        )
    if old is not None and old.state in {UNASSESSED, TAKEN_BACK}:
        why = "was taken back and assessed by nobody: propose it"
        raise KeeperError("emergency", why, reason=Reason.CONFLICT)
    papers.check_back(keeper, before.body)
    lockout.check(keeper, before.body)
    wanted = signing.Wanted(BUNDLE, ACTIVE, 0, before.body)
    with keeper.store.transaction():
        named = Named(session.visitor.person_id, f"session {session.id}")
        document = signing.sign(keeper, [wanted], [named])[0]
        keeper.store.set_meta(_BACK, f"{document.version} {now.version}")
        if made is not None and made.state == UNASSESSED:
            move(keeper, made, TAKEN_BACK)
        keeper.note(
            "change.rolled-back",
            {
                "from": now.version,
                "person": session.visitor.person_id,
                "reason": reason,
                "session": session.id,
                "to": before.version,
                "version": document.version,
            },
        )
    return document


def _version_before(keeper: Keeper, db: Connection, version: int) -> int:
    """Give the version that was in force before one, as the keeper knows it: rows that are gone lead to no older one."""
    made = _made(keeper, version)
    if made is not None:
        return int(made.stated["base_version"])
    back, _, base = keeper.store.meta(_BACK).partition(" ")
    if back == str(version):
        return int(base)
    return authority.version_before(db, keeper.site, BUNDLE, ACTIVE, version)  # from before there were people


def _made(keeper: Keeper, version: int) -> Proposal | None:
    row = keeper.store.one("SELECT * FROM proposal WHERE kind = ? AND version = ?", BUNDLE, version)
    return Proposal(*row) if row is not None and version else None


def _state(keeper: Keeper, proposal: Proposal) -> str:
    """Say where a proposal stands; one that was signed and never stored (a crash) stands where it stood before."""
    before = {"signed": "approved", UNASSESSED: "proposed"}.get(proposal.state)
    if before is None:
        return proposal.state
    return before if _stored(keeper, proposal) < proposal.version else proposal.state


def _is_in_force_again(keeper: Keeper, proposal: Proposal) -> bool:
    """Whether an emergency was taken back by a version that was signed and never stored (a crash): it waits again."""
    return proposal.state == TAKEN_BACK and _stored(keeper, proposal) == proposal.version


def _stored(keeper: Keeper, proposal: Proposal) -> int:
    """Say which version of what a proposal changes is in force; 0 for none."""
    signing.confirm_stored(keeper)
    kind, id_, _ = proposal.stated["documents"][0]
    row = keeper.store.one("SELECT stored FROM signed WHERE kind = ? AND id = ?", kind, id_)
    return int(row[0]) if row is not None else 0


def _check_base(keeper: Keeper, stated: dict[str, Any]) -> None:
    """See that nothing came into force since the version a proposal starts from.

    What was signed for a transaction that never committed came into force nowhere, and is in nobody's way.

    Raises:
        KeeperError: ``CONFLICT``.
    """
    signing.confirm_stored(keeper)
    for kind, id_, _ in stated["documents"]:
        row = keeper.store.one("SELECT stored FROM signed WHERE kind = ? AND id = ?", kind, id_)
        if (row[0] if row else 0) != stated["base_version"]:
            raise KeeperError(
                "proposal", "starts from another version than is in force", reason=Reason.CONFLICT
            )


def _check_bodies(keeper: Keeper, proposal: Proposal, wanted: Sequence[signing.Wanted]) -> None:
    """See that a grant or a service may be what it says.

    Raises:
        KeeperError: ``INPUT_INVALID``, with words.
    """
    try:
        for one in wanted:
            if one.kind == GRANT:
                grant = Grant.from_body(one.body)
                person = roles.person_of(keeper, one.id)
                since_us = person.since_us if person else 0
                why = unfit_grant(grant, roles.grant_of(keeper, one.id), proposal.proposed_us, since_us)
                if grant.person != one.id or person is None:
                    why = "is of nobody known here"
            elif one.kind == SERVICE:
                why = _unfit_service(keeper, Service.from_body(one.body), one.id)
            else:
                why = ""
            if why:
                raise KeeperError(f"{one.kind} {one.id}", why, reason=Reason.INPUT_INVALID)
    except (ValueError, KeyError, TypeError) as error:
        raise KeeperError(proposal.kind, "is not of that form", reason=Reason.INPUT_INVALID) from error


def _unfit_service(keeper: Keeper, service: Service, id_: str) -> str:
    owner = roles.person_of(keeper, service.owner)
    if service.id != id_:
        return "is another service"
    if roles.person_of(keeper, id_) is not None:
        return "has a person's id"
    if owner is None or owner.state != "active":
        return "has no owner who is here"
    wrong = sorted(service.roles - SERVICE_ROLES)
    return f"may not be {wrong[0]}" if wrong else ""


def _note(keeper: Keeper, kind: str, proposal: Proposal, session: Session, **more: Any) -> None:
    stated = proposal.stated
    body = {
        "documents": [[name, id_] for name, id_, _ in stated["documents"]],
        "emergency": stated["emergency"],
        "kind": stated["kind"],
        "person": session.visitor.person_id,
        "proposal": proposal.id,
        "session": session.id,
    }
    keeper.note(kind, body | more)


def _hex(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
