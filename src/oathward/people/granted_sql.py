"""Rows of what was granted: the only SQL on roles, uses, services and proposed bodies (``tables``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from oathward.people.tables import document as document_of
from oathward.people.tables import proposal, raw, role, service, upsert, use
from oathward.policy.people import SERVICE, Service
from oathward.vault.authority import Document


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One stored service: the signed document, and who brought it."""

    document: Document
    proposer: str
    approver: str

    @property
    def service(self) -> Service:
        """What the document says; believe it only after its signature was checked.

        Raises:
            ValueError: the body is not a service.
        """
        return Service.from_body(self.document.body)


@dataclass(frozen=True, slots=True)
class ProposedRow:
    """The body of a proposal, as it is stored: what it must be the keeper knows by its digest."""

    body: bytes
    reason: str


def put_role(db: Connection, site: str, id_: str, key: tuple[str, int], values: Mapping[str, Any]) -> None:
    """Store one role of a person; who brought it stays as it was first said."""
    mine = {"site": site, "person": id_, "role": key[0], "from_us": key[1]}
    upsert(db, role, mine, dict(values), {"until_us": values["until_us"]})


def roles(db: Connection, site: str, ids: Iterable[str] | None = None) -> list[Row[Any]]:
    """Read every role that was granted to these people, or to anybody, oldest first."""
    query = select(role).where(role.c.site == site)
    if ids is not None:
        query = query.where(role.c.person.in_(sorted(set(ids))))
    return list(db.execute(query.order_by(role.c.person, role.c.from_us, role.c.role)))


def note_use(db: Connection, site: str, id_: str, action: str, roles: Iterable[str], now_us: int) -> None:
    """Note that somebody used roles for an action; an older time never replaces a newer one."""
    for one in roles:
        keys = {"site": site, "person": id_, "role": one, "action": action}
        upsert(db, use, keys, {"last_us": now_us}, where=use.c.last_us < now_us)


def uses(db: Connection, site: str, ids: Iterable[str] | None = None) -> dict[tuple[str, str], int]:
    """Read when each role was last used, by anybody or by these: (person, role) -> microseconds UTC."""
    query = select(use.c.person, use.c.role, func.max(use.c.last_us)).where(use.c.site == site)
    if ids is not None:
        query = query.where(use.c.person.in_(sorted(set(ids))))
    return {(r[0], r[1]): r[2] for r in db.execute(query.group_by(use.c.person, use.c.role))}


def put_service(db: Connection, document: Document, one: Service, *, proposer: str, approver: str) -> None:
    """Store the newest document of a service."""
    values = {
        "version": document.version,
        "state": one.state,
        "owner": one.owner,
        "proposer": proposer,
        "approver": approver,
        "body": document.body,
        "signature": document.signature,
        "at_us": document.at_us,
    }
    upsert(db, service, {"site": document.site, "id": one.id}, values)


def services(db: Connection, site: str) -> list[ServiceRow]:
    """Read every service, by id."""
    query = select(service).where(service.c.site == site).order_by(service.c.id)
    return [ServiceRow(document_of(r, SERVICE), r.proposer, r.approver) for r in db.execute(query)]


def keep_proposed(db: Connection, site: str, id_: str, draft: Document, *, reason: str, now_us: int) -> None:
    """Keep the body that a proposal names, to have it signed once another person agreed."""
    values = {"kind": draft.kind, "about": draft.id, "body": draft.body, "reason": reason, "at_us": now_us}
    upsert(db, proposal, {"site": site, "id": id_}, values)


def proposed(db: Connection, site: str, id_: str) -> ProposedRow | None:
    """Read a proposed body, with what it is about."""
    row = db.execute(select(proposal).where(proposal.c.site == site, proposal.c.id == id_)).first()
    return ProposedRow(raw(row.body), row.reason) if row else None


def any_proposed(db: Connection, site: str) -> bool:
    """Say whether a body of a proposal is kept: without one there is nothing to ask the keeper about."""
    return db.execute(select(proposal.c.id).where(proposal.c.site == site).limit(1)).first() is not None


def drop_proposed(db: Connection, site: str, id_: str) -> None:
    """Forget a proposed body: it was signed, or given up."""
    db.execute(delete(proposal).where(proposal.c.site == site, proposal.c.id == id_))
