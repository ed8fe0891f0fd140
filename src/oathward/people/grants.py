"""Roles of people, and services: planned here, approved by two people elsewhere, stored here with who they were.

Rules:
- A grant only grows: a role is added, or one that holds gets an end. Nothing is taken out, so the newest document tells
  the whole story, and ``person_role`` says who proposed and who approved each part of it.
- What a plan refuses the keeper refuses too, by the same functions (``policy/people_rules``).
- Records hold ids and roles; the words of why stand in the signed document.

Deliberately absent: proposals and approvals (``changes``), and any signature.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sqlalchemy import Connection

from oathward.core.clock import from_micros
from oathward.core.errors import InputError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.ledger import Leaf, Record, append, prepare
from oathward.people import granted_sql
from oathward.people.model import ID, TEXT_LENGTH_MAX
from oathward.policy.people import GRANT, SERVICE, Grant, Person, RoleGrant, Service
from oathward.policy.people_rules import SERVICE_ROLES, unfit_grant
from oathward.vault.authority import Document, put_all


def plan_role(
    site: str,
    person: Person,
    current: Grant | None,
    role: Role,
    *,
    why: str,
    now_us: int,
    until_us: int | None = None,
) -> Document:
    """Write the unsigned grant of a person with one more role, from now on.

    Args:
        current: what they have been granted so far. until_us: None is until it is taken away.

    Raises:
        InputError: they left, have it, or may not have it (``roles.apart``); ``why`` or the end is no such thing.
    """
    held = (current or Grant(person.id)).at(now_us, person.since_us)
    if person.state != "active":
        raise InputError("person", "has left", reason=Reason.CONFLICT)
    if role in held:
        raise InputError("role", "is theirs already", reason=Reason.CONFLICT)
    if not why.strip() or len(why) > TEXT_LENGTH_MAX or not why.isprintable():
        raise InputError("why", f"say why, in 1 to {TEXT_LENGTH_MAX} characters")
    if until_us is not None and until_us <= now_us:
        raise InputError("until", "must be in the future")
    more = RoleGrant(role, now_us, until_us, " ".join(why.split()))
    return _checked(site, person, current, Grant(person.id, (*_roles(current), more)), now_us)


def plan_end(site: str, person: Person, current: Grant | None, role: Role, now_us: int) -> Document:
    """Write the unsigned grant of a person with one role ended now.

    Raises:
        InputError: ``not-found``: it is not theirs.
    """
    if current is None or role not in current.at(now_us, person.since_us):
        raise InputError("role", "is not theirs", reason=Reason.NOT_FOUND)
    ended = tuple(
        dataclasses.replace(one, until_us=now_us)
        if one.role is role and (one.until_us is None or one.until_us > now_us)
        else one
        for one in current.roles
    )
    return _checked(site, person, current, Grant(person.id, ended), now_us)


def plan_service(site: str, service: Service, owner: Person | None) -> Document:
    """Write the unsigned document of a service.

    Raises:
        InputError: it is misshapen, has a role no service has, proves itself by nothing, or its owner is not here.
    """
    if not ID.fullmatch(service.id):
        raise InputError("id", "letters, digits, dot, dash and underscore, at most 64")
    if not service.name.strip() or len(service.name) > TEXT_LENGTH_MAX or not service.name.isprintable():
        raise InputError("name", f"printable, at most {TEXT_LENGTH_MAX} characters")
    if owner is None or owner.id != service.owner or owner.state != "active":
        raise InputError("owner", "a person who is here and answers for it", reason=Reason.NOT_FOUND)
    if wrong := sorted(service.roles - SERVICE_ROLES):
        raise InputError("role", f"no service is {wrong[0]}", reason=Reason.ROLES_APART)
    if service.state == "active" and not service.roles:
        raise InputError("role", "a service needs one")
    if service.state == "active" and not (service.certificate or service.jwk):
        raise InputError("certificate", "a certificate or a public key, by which it proves itself")
    return Document(site, SERVICE, service.id, 0, service.body(), b"")


def store_grants(
    db: Connection,
    site: str,
    documents: Sequence[Document],
    *,
    proposer: str,
    approver: str,
    proposal: str,
    now_us: int,
) -> None:
    """Store signed grants, and who is behind what is new in them; the last call before the caller's commit.

    Args:
        proposer, approver: ids of people. proposal: its id; empty for the first people of a site.
    """
    leaves = []
    before = _by_person(db, site, [document.id for document in documents])
    for document in documents:
        grant = Grant.from_body(document.body)
        known = before.get(document.id, {})
        added, ended = [], []
        for one in grant.roles:
            key = (one.role.value, one.from_us)
            if key not in known:
                added.append(one.role.value)
            elif known[key] != one.until_us:
                ended.append(one.role.value)
            else:
                continue
            brought = {"why": one.why, "proposer": proposer, "approver": approver, "proposal": proposal}
            values = {"until_us": one.until_us, "at_us": document.at_us, **brought}
            granted_sql.put_role(db, site, document.id, key, values)
        body = {"person": document.id, "version": document.version, "added": added, "ended": ended}
        leaves.append(_record("grant.changed", body, proposer, approver, proposal, now_us))
    put_all(db, documents)
    append(db, site, leaves)


def store_services(
    db: Connection,
    site: str,
    documents: Sequence[Document],
    *,
    proposer: str,
    approver: str,
    proposal: str,
    now_us: int,
) -> None:
    """Store signed services; as ``store_grants``."""
    leaves = []
    for document in documents:
        service = Service.from_body(document.body)
        granted_sql.put_service(db, document, service, proposer=proposer, approver=approver)
        body = {"service": document.id, "version": document.version, "state": service.state}
        body |= {"owner": service.owner, "roles": sorted(role.value for role in service.roles)}
        leaves.append(_record("service.changed", body, proposer, approver, proposal, now_us))
    put_all(db, documents)
    append(db, site, leaves)


def store_approved(
    db: Connection,
    site: str,
    documents: Sequence[Document],
    *,
    proposer: str,
    approver: str,
    proposal: str,
    now_us: int,
) -> None:
    """Store what the keeper signed of one proposal, grants or services; the last call before the caller's commit."""
    kinds = {document.kind for document in documents}
    assert kinds in ({GRANT}, {SERVICE}), kinds
    store = store_grants if kinds == {GRANT} else store_services
    store(db, site, documents, proposer=proposer, approver=approver, proposal=proposal, now_us=now_us)


def words(person: Person, before: Grant | None, after: Grant, now_us: int) -> list[str]:
    """Say what a grant changes, a line a role: for whoever is to approve it."""
    known = {(r.role, r.from_us): r for r in _roles(before)}
    said = []
    for one in after.roles:
        was = known.get((one.role, one.from_us))
        if was is None:
            end = (
                f"until the end of {from_micros(one.until_us - 1):%Y-%m-%d}"
                if one.until_us
                else "without an end"
            )
            said.append(f"{person.name} becomes {one.role}, {end}: {one.why}")
        elif was.until_us != one.until_us:
            said.append(f"{person.name} is {one.role} no longer")
    held = after.at(now_us, person.since_us)
    if len(held) > 1:
        said.append(f"they would then be {', '.join(sorted(held))}")
    return said


def _checked(site: str, person: Person, before: Grant | None, after: Grant, now_us: int) -> Document:
    if why := unfit_grant(after, before, now_us, person.since_us):
        raise InputError("role", why, reason=Reason.ROLES_APART)
    return Document(site, GRANT, person.id, 0, after.body(), b"")


def _roles(grant: Grant | None) -> tuple[RoleGrant, ...]:
    return grant.roles if grant is not None else ()


def _by_person(db: Connection, site: str, ids: Sequence[str]) -> dict[str, dict[tuple[str, int], int | None]]:
    found: dict[str, dict[tuple[str, int], int | None]] = {}
    for row in granted_sql.roles(db, site, ids):
        found.setdefault(row.person, {})[row.role, row.from_us] = row.until_us
    return found


def _record(
    kind: str, body: dict[str, object], proposer: str, approver: str, proposal: str, now_us: int
) -> Leaf:
    by = {"by": proposer} | ({"approver": approver} if approver else {})
    return prepare(Record(kind, body | by | ({"proposal": proposal} if proposal else {}), now_us))
