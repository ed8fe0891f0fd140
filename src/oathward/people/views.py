"""Read people for people: who is here, who has which role since when and why, what nobody uses, what is due.

Rules:
- What is shown of a person and of their roles is what the signed documents say, each signature checked; beside it, from
  the tables, who proposed and approved it and when it was last used.
- ``review`` reads the tables alone: it says where to look, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from oathward.core.errors import AuthorityError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.people import granted_sql, sql
from oathward.people.model import COLUMN, ReviewRow
from oathward.people.scim import user_name
from oathward.people.scim_words import DIRECTORY
from oathward.policy.people import GRANT, Grant, Person, Service
from oathward.policy.people_rules import conflicts
from oathward.vault.authority import Seen, load
from oathward.vault.sign import Verifier

Wanted = sql.Wanted
"""Which people a list is to show."""

MANY_ROLES = 3
DUE_DAYS = 30
APPROVERS = frozenset({Role.PRIVACY_OFFICER, Role.SECURITY_ANALYST})
"""Who approves roles, by the shipped rules."""

_NOBODY = ("", 0)
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class RoleView:
    """One role that was granted. ``last_us``: when it was last used, 0 for never; ``at_us``: when it was signed.

    ``holds``: now; otherwise it is history.
    """

    role: Role
    from_us: int
    until_us: int | None
    why: str
    holds: bool
    proposer: str
    approver: str
    at_us: int
    last_us: int

    def is_unused(self, now_us: int, days: int) -> bool:
        """Whether it holds and was not used for so long, or never since it was granted so long ago."""
        return self.holds and max(self.last_us, self.from_us) < now_us - days * _DAY_US

    def is_due(self, now_us: int) -> bool:
        """Whether it ends within ``DUE_DAYS``: somebody must look whether it is still needed."""
        return self.holds and self.until_us is not None and self.until_us < now_us + DUE_DAYS * _DAY_US


@dataclass(frozen=True, slots=True)
class PersonView:
    """One person; ``signed`` says whether record and grant verify, or why not. ``roles``: the newest first."""

    person: Person
    version: int
    at_us: int
    signed: str
    roles: tuple[RoleView, ...]
    gone: bool = False

    @property
    def held(self) -> tuple[RoleView, ...]:
        """The roles that hold now."""
        return tuple(one for one in self.roles if one.holds)


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service. ``alive``: it may ask now; ``owner``: None where the owner's record cannot be read."""

    service: Service
    version: int
    at_us: int
    owner: Person | None
    alive: bool
    proposer: str
    approver: str
    last_us: int


@dataclass(frozen=True, slots=True)
class Reader:
    """With what signatures are checked, and the time it is."""

    authority: Verifier
    seen: Seen
    now_us: int


def page(
    db: Connection, site: str, by: Reader, wanted: Wanted, *, after: str = "", limit: int = 50, skip: int = 0
) -> list[PersonView]:
    """List some people by name, each with their roles; ``after``: the last id of the page before."""
    rows = sql.page(db, site, wanted, after=after, limit=limit, skip=skip)
    ids = [row.document.id for row in rows]
    known, uses = _known(granted_sql.roles(db, site, ids)), granted_sql.uses(db, site, ids)
    views = (_view(db, site, by, row, known, uses) for row in rows)
    return [view for view in views if view is not None]


def one(db: Connection, site: str, by: Reader, id_: str) -> PersonView | None:
    """Show one person."""
    row = sql.row(db, site, id_)
    if row is None:
        return None
    return _view(
        db, site, by, row, _known(granted_sql.roles(db, site, [id_])), granted_sql.uses(db, site, [id_])
    )


def find(db: Connection, site: str, by: Reader, text: str) -> PersonView | None:
    """Show the person of an id, a number or an address, as people name somebody at the command line."""
    keys = [(column, text.casefold()) for column in ("number", "mail")]
    owners = sql.owners(db, site, keys)
    return one(db, site, by, text) or next(
        (found for key in keys if key in owners and (found := one(db, site, by, owners[key]))), None
    )


def in_directory(db: Connection, site: str, by: Reader, attribute: str, value: str) -> PersonView | None:
    """Show the person that a directory asks for by ``userName``, ``externalId`` or ``id``; nobody it deleted."""
    if attribute == "id":
        found = one(db, site, by, value)
        return found if found is not None and not found.gone else None
    same = value.casefold()
    keys = [("number", same)]
    if attribute == "userName":
        keys = [(COLUMN["sign_ins"], f"{DIRECTORY}|{same}"), ("mail", same), *keys]
    owners = sql.owners(db, site, keys)
    for key in keys:
        found = one(db, site, by, owners[key]) if key in owners else None
        if found is not None and not found.gone:
            called = found.person.number if attribute == "externalId" else user_name(found.person)
            if called.casefold() == same:
                return found
    return None


def granted(db: Connection, site: str, by: Reader, id_: str) -> Grant | None:
    """Read what a person was granted, verified; nothing where there never was anything.

    Raises:
        AuthorityError: it does not verify, or is older than one seen.
    """
    try:
        return Grant.from_body(load(db, site, GRANT, id_, by.authority, by.seen).body)
    except AuthorityError as error:
        if error.reason is Reason.NOT_FOUND:
            return None
        raise


def count(db: Connection, site: str, wanted: Wanted) -> int:
    """Count some people."""
    return sql.count(db, site, wanted)


def units(db: Connection, site: str) -> list[str]:
    """List the units somebody always works at."""
    return sql.units(db, site)


def parties(db: Connection, site: str) -> list[str]:
    """List whom people work for; an empty one is this site."""
    return sql.parties(db, site)


def counts(db: Connection, site: str) -> dict[str, int]:
    """Count people by state."""
    return sql.state_counts(db, site)


def names(db: Connection, site: str, ids: Iterable[str]) -> dict[str, str]:
    """Give the names of people, by id; those there are."""
    return {id_: row.person.name for id_, row in sql.some(db, site, ids).items()}


def holders(db: Connection, site: str, roles: Iterable[Role], now_us: int, *, limit: int) -> dict[str, str]:
    """Name the first active people who hold one of some roles now, by name: id -> name; from the tables alone."""
    found: dict[str, str] = {}
    for role in roles:
        wanted = Wanted(now_us, state="active", role=role.value, gone=False)
        found |= {row.document.id: row.person.name for row in sql.page(db, site, wanted, limit=limit)}
    return dict(sorted(found.items(), key=lambda one: (one[1].casefold(), one[0]))[:limit])


def called(db: Connection, site: str, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Give name and number of people, by id; those there are."""
    found = {id_: row.person for id_, row in sql.some(db, site, ids).items()}
    return {id_: (person.name, person.number) for id_, person in found.items()}


def services(db: Connection, site: str, by: Reader) -> list[ServiceView]:
    """List services, by id; those whose document verifies."""
    rows = granted_sql.services(db, site)
    ids = [row.document.id for row in rows]
    owners, uses = _people(db, site, (row.service.owner for row in rows)), granted_sql.uses(db, site, ids)
    found = []
    for row in rows:
        try:
            by.seen.admit(row.document, by.authority)
        except AuthorityError:
            continue
        service = row.service
        owner = owners.get(service.owner)
        here = owner is not None and owner.state == "active" and service.state == "active"
        alive = here and (service.until_us is None or by.now_us < service.until_us)
        last = max((at for (id_, _), at in uses.items() if id_ == service.id), default=0)
        document = row.document
        behind = (row.proposer, row.approver)
        found.append(
            ServiceView(service, document.version, document.at_us, owner, alive, *behind, last_us=last)
        )
    return found


def any_proposed(db: Connection, site: str) -> bool:
    """Say whether a role or service may wait for a second person."""
    return granted_sql.any_proposed(db, site)


def review(db: Connection, site: str, now_us: int, unused_days: int) -> list[ReviewRow]:
    """Say what of people's access somebody should look at, by rule and person.

    | rule | says |
    |---|---|
    | ``grant.unused`` | a role that holds and was not used for ``unused_days`` |
    | ``grant.endless`` | a role without an end |
    | ``grant.due`` | a role that ends within 30 days |
    | ``roles.many`` | more than three roles at once |
    | ``roles.apart`` | roles together that nobody may hold together |
    | ``roles.few`` | fewer than two people could approve a role: one more who leaves, and nobody can |
    | ``service.ownerless`` | a service whose owner left: it may do nothing |
    | ``service.endless`` | a service without an end |
    """
    uses, standings = granted_sql.uses(db, site), sql.standings(db, site)
    held: dict[str, list[RoleView]] = {}
    for row in granted_sql.roles(db, site):
        view = _role(row, standings.get(row.person, _NOBODY), now_us, uses)
        if view.holds:
            held.setdefault(row.person, []).append(view)
    found = [row for id_, roles in held.items() for row in _reviewed(id_, roles, now_us, unused_days)]
    found += [*_few(held), *_services(db, site, standings, now_us)]
    return sorted(found, key=lambda row: (row.rule, row.about))


def _few(held: Mapping[str, Sequence[RoleView]]) -> Iterable[ReviewRow]:
    able = sum(any(one.role in APPROVERS for one in roles) for roles in held.values())
    if held and able < 2:
        roles = " or ".join(sorted(APPROVERS))
        who = "1 person is" if able == 1 else "Nobody is"
        yield ReviewRow("roles.few", "approve", f"{who} {roles}: too few to approve for each other")


def _reviewed(id_: str, roles: Sequence[RoleView], now_us: int, unused_days: int) -> Iterable[ReviewRow]:
    for one in roles:
        about = f"{id_}/{one.role.value}"
        if one.is_unused(now_us, unused_days):
            since = max(one.last_us, one.from_us)
            days = (now_us - since) // _DAY_US
            what = "last used" if one.last_us >= one.from_us else "never used, granted"
            yield ReviewRow("grant.unused", about, f"{one.role}: {what} {days} days ago")
        if one.until_us is None:
            yield ReviewRow("grant.endless", about, f"{one.role}: has no end")
        if one.is_due(now_us):
            days = ((one.until_us or now_us) - now_us) // _DAY_US
            yield ReviewRow("grant.due", about, f"{one.role}: ends in {days} days")
    together = frozenset(one.role for one in roles)
    if len(together) > MANY_ROLES:
        yield ReviewRow("roles.many", id_, f"{len(together)} roles: {', '.join(sorted(together))}")
    for first, second in conflicts(together):
        yield ReviewRow("roles.apart", id_, f"{first} and {second}: nobody may be both")


def _services(
    db: Connection, site: str, standings: Mapping[str, tuple[str, int]], now_us: int
) -> Iterable[ReviewRow]:
    for row in granted_sql.services(db, site):
        service = row.service
        if service.state != "active" or (service.until_us is not None and service.until_us <= now_us):
            continue
        if standings.get(service.owner, _NOBODY)[0] != "active":
            yield ReviewRow("service.ownerless", service.id, "its owner is not here: it may do nothing")
        if service.until_us is None:
            yield ReviewRow("service.endless", service.id, "has no end")


def _view(
    db: Connection,
    site: str,
    by: Reader,
    row: sql.PersonRow,
    known: Mapping[tuple[str, str, int], Row[Any]],
    uses: Mapping[tuple[str, str], int],
) -> PersonView | None:
    signed = "yes"
    roles: tuple[RoleView, ...] = ()
    try:
        by.seen.admit(row.document, by.authority)
        grant = granted(db, site, by, row.document.id)
        roles = _shown(grant, row.person, by.now_us, known, uses) if grant else ()
    except AuthorityError as error:
        signed = error.reason.code
    try:
        document = row.document
        return PersonView(row.person, document.version, document.at_us, signed, roles, row.gone)
    except ValueError:
        return None


def _shown(
    grant: Grant,
    person: Person,
    now_us: int,
    known: Mapping[tuple[str, str, int], Row[Any]],
    uses: Mapping[tuple[str, str], int],
) -> tuple[RoleView, ...]:
    views = []
    for one in grant.roles:
        holds = _holds(person.state, person.since_us, one.from_us, one.until_us, now_us)
        row = known.get((person.id, one.role.value, one.from_us))
        views.append(
            RoleView(
                *(one.role, one.from_us, one.until_us, one.why, holds),
                proposer=row.proposer if row else "",
                approver=row.approver if row else "",
                at_us=row.at_us if row else 0,
                last_us=uses.get((person.id, one.role.value), 0),
            )
        )
    return tuple(sorted(views, key=lambda view: (not view.holds, -view.from_us, view.role)))


def _role(
    row: Row[Any], standing: tuple[str, int], now_us: int, uses: Mapping[tuple[str, str], int]
) -> RoleView:
    holds = _holds(*standing, row.from_us, row.until_us, now_us)
    dates = (row.from_us, row.until_us, row.why, holds)
    last = uses.get((row.person, row.role), 0)
    return RoleView(Role(row.role), *dates, row.proposer, row.approver, row.at_us, last)


def _holds(state: str, since_us: int, from_us: int, until_us: int | None, now_us: int) -> bool:
    begun = since_us <= from_us <= now_us
    return state == "active" and begun and (until_us is None or now_us < until_us)


def _known(rows: Iterable[Row[Any]]) -> dict[tuple[str, str, int], Row[Any]]:
    return {(row.person, row.role, row.from_us): row for row in rows}


def _people(db: Connection, site: str, ids: Iterable[str]) -> dict[str, Person]:
    return {id_: row.person for id_, row in sql.some(db, site, ids).items()}
