"""Roles and services by two people: proposed by one, approved by another, signed, stored.

Steps: 1 the change is planned from what is signed now · 2 its body is kept, the keeper is given its digest ·
3 another person approves · 4 the keeper signs that body and no other · 5 it is stored with who they were.

Rules:
- Who may propose and approve the keeper decides, from the session that is shown; nothing here does.
- A proposal that is refused leaves nothing behind. One that was approved and not yet signed can be signed by either of the two.

Deliberately absent: bundles (``proposing``), and people's records (one person may change those).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection

from oathward.core.db import read, write
from oathward.core.errors import InputError, KeeperError
from oathward.core.ids import is_id, uuid7
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.people import granted_sql, grants, views
from oathward.policy.people import GRANT, SERVICE, Grant, Person, Service
from oathward.vault.authority import Document, newest_version
from oathward.vault.keeper.client.changes import Proposed
from oathward.vault.opened import Opened

Proof = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal of a role or service with what it would do, in words; ``readable``: its body is here."""

    proposal: Proposed
    kind: str
    about: str
    reason: str
    words: tuple[str, ...]
    readable: bool


def propose_role(
    site: Opened,
    person: str,
    role: Role,
    *,
    why: str,
    now_us: int,
    proof: Proof,
    until_us: int | None = None,
) -> Proposed:
    """Propose a role for somebody.

    Raises:
        InputError: as ``people.grants.plan_role``. KeeperError: may not be proposed by this person, or now.
    """

    def plan(db: Connection) -> Document:
        one, held = _granted(site, db, person, now_us)
        return grants.plan_role(site.site, one, held, role, why=why, now_us=now_us, until_us=until_us)

    return _propose(site, plan, why, now_us, proof)


def propose_end(site: Opened, person: str, role: Role, *, why: str, now_us: int, proof: Proof) -> Proposed:
    """Propose that somebody's role ends. Raises as ``propose_role``."""

    def plan(db: Connection) -> Document:
        one, held = _granted(site, db, person, now_us)
        return grants.plan_end(site.site, one, held, role, now_us)

    return _propose(site, plan, why, now_us, proof)


def propose_service(site: Opened, service: Service, *, why: str, now_us: int, proof: Proof) -> Proposed:
    """Propose a service, or another version of one. Raises as ``propose_role``, and ``plan_service``."""

    def plan(db: Connection) -> Document:
        owner = views.one(db, site.site, _reader(site, now_us), service.owner)
        believed = owner.person if owner is not None and owner.signed == "yes" else None
        return grants.plan_service(site.site, service, believed)

    return _propose(site, plan, why, now_us, proof)


def approve(site: Opened, id_: str, *, now_us: int, proof: Proof) -> Document:
    """Agree to another person's proposal: it is signed and stored at once; gives what is in force now.

    Of one that was approved and is not in force yet, it is the rest of the way.

    Raises:
        KeeperError: not by this person, not any more. InputError: ``not-found``: its body is not here.
    """
    body = _kept(site, id_)
    found = site.keeper.changes.one(id_, proof)
    if found.state != "approved":  # else something failed after that, and either of the two goes on
        found = site.keeper.changes.approve(id_, proof)
    return _finish(site, found, body, now_us, proof)


def withdraw(site: Opened, id_: str, reason: str, proof: Proof) -> Proposed:
    """Take one's own proposal back, or refuse another's."""
    done = site.keeper.changes.withdraw(id_, reason, proof)
    with write(site.engine) as db:
        granted_sql.drop_proposed(db, site.site, id_)
    return done


def waiting(site: Opened, *, now_us: int, proof: Proof) -> list[Waiting]:
    """List proposals of roles and services that wait for somebody, the newest first."""
    found = [
        one for one in site.keeper.changes.listed(proof, open_only=True) if _kind(one) in {GRANT, SERVICE}
    ]
    with read(site.engine) as db:
        return [_waiting(site, db, one, now_us) for one in found]


def _propose(
    site: Opened, plan: Callable[[Connection], Document], why: str, now_us: int, proof: Proof
) -> Proposed:
    with read(site.engine) as db:
        draft = plan(db)
        base = newest_version(db, site.site, draft.kind, draft.id)
    id_, reason = uuid7(now_us // 1000), " ".join(why.split())
    body = orjson.dumps(
        {
            "attachments": [],
            "base_version": base,
            "documents": [[draft.kind, draft.id, hashlib.sha256(draft.body).hexdigest()]],
            "dry_run": "",
            "emergency": False,
            "id": id_,
            "kind": draft.kind,
            "reason": reason,
        },
        option=orjson.OPT_SORT_KEYS,
    )
    with write(site.engine) as db:  # first: a proposal without its body could never be signed
        granted_sql.keep_proposed(db, site.site, id_, draft, reason=reason, now_us=now_us)
    try:
        return site.keeper.changes.propose(body, proof)
    except KeeperError:
        with write(site.engine) as db:
            granted_sql.drop_proposed(db, site.site, id_)
        raise


def _finish(site: Opened, approved: Proposed, body: bytes, now_us: int, proof: Proof) -> Document:
    documents = site.keeper.changes.sign(approved.id, [body], proof)
    with write(site.engine) as db:
        granted_sql.drop_proposed(db, site.site, approved.id)
        grants.store_approved(
            *(db, site.site, documents),
            proposer=approved.proposer,
            approver=approved.approver,
            proposal=approved.id,
            now_us=now_us,
        )
    return documents[0]


def _waiting(site: Opened, db: Connection, one: Proposed, now_us: int) -> Waiting:
    row = granted_sql.proposed(db, site.site, one.id)
    kind, about, digest = orjson.loads(one.body)["documents"][0]
    if row is None or hashlib.sha256(row.body).hexdigest() != digest:
        return Waiting(
            one, kind, about, "", ("what it would change is not here: withdraw it",), readable=False
        )
    if kind == SERVICE:
        words = _service_words(db, site.site, Service.from_body(row.body))
    else:
        person, held = _granted(site, db, about, now_us)
        words = grants.words(person, held, Grant.from_body(row.body), now_us)
    return Waiting(one, kind, about, row.reason, tuple(words), readable=True)


def _service_words(db: Connection, site: str, service: Service) -> list[str]:
    name = views.names(db, site, [service.owner]).get(service.owner, service.owner)
    if service.state != "active":
        return [f"{service.name} may do nothing any more"]
    roles = ", ".join(sorted(role.value for role in service.roles))
    proof = "certificate" if service.certificate else "key"
    return [f"{service.name} becomes {roles}; {name} answers for it; it proves itself by its {proof}"]


def _granted(site: Opened, db: Connection, id_: str, now_us: int) -> tuple[Person, Grant | None]:
    """Read somebody and what they were granted, as signed.

    Raises:
        InputError: ``not-found``. AuthorityError: it cannot be believed.
    """
    by = _reader(site, now_us)
    view = views.one(db, site.site, by, id_)
    if view is None:
        raise InputError("person", "there is no such person", reason=Reason.NOT_FOUND)
    if view.signed != "yes":
        raise InputError("person", "the record does not verify", reason=Reason.SIGNATURE_INVALID)
    return view.person, views.granted(db, site.site, by, id_)


def _kept(site: Opened, id_: str) -> bytes:
    with read(site.engine) as db:
        row = granted_sql.proposed(db, site.site, id_) if is_id(id_) else None
    if row is None:
        raise InputError(
            "proposal", "there is no such proposal of a role or service", reason=Reason.NOT_FOUND
        )
    return row.body


def _kind(one: Proposed) -> str:
    return str(orjson.loads(one.body)["kind"])


def _reader(site: Opened, now_us: int) -> views.Reader:
    return views.Reader(site.authority, site.seen, now_us)
