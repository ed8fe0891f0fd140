"""Who is who, read from the signed documents by the keeper itself.

Rules:
- A person, grant or service counts as its newest signed document says; one that is older than the keeper has seen in
  the database is refused (``AUTHORITY_STALE``), so nobody comes back by restoring a row.
- Who left is nobody. A service whose owner left, or whose time is over, is nobody either.
- A sign-in at the provider that two people's records name is nobody's.

Deliberately absent: what a role permits (``roles``), credentials (``accounts``).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.core.errors import AuthorityError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.policy.people import GRANT, PERSON, SERVICE, Grant, Person, Service
from oathward.vault import authority
from oathward.vault.authority import Seen

if TYPE_CHECKING:
    from oathward.vault.keeper.keeper import Keeper

FOUNDED = "founded"


class Register:
    """What the keeper remembers of documents it read: versions, checked signatures, whose sign-in is whose."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.sign_ins: dict[tuple[str, str], str] = {}


def founded(keeper: Keeper) -> bool:
    """Say whether this site has people: from then on everything needs one."""
    return bool(keeper.store.meta(FOUNDED))


def person_of(keeper: Keeper, id_: str) -> Person | None:
    """Read a person who is here; nothing for somebody who left or never was.

    Raises:
        AuthorityError: the document does not verify, or is older than one seen.
    """
    person: Person | None = _read(keeper, Person, PERSON, id_)
    return person if person is not None and person.id == id_ and person.state == "active" else None


def roles_of(keeper: Keeper, id_: str) -> frozenset[Role]:
    """Read the roles a person holds now; none for somebody who left. Raises as ``person_of``."""
    person = person_of(keeper, id_)
    if person is None:
        return frozenset()
    grant: Grant | None = _read(keeper, Grant, GRANT, id_)
    return (
        grant.at(keeper.now_us(), person.since_us)
        if grant is not None and grant.person == id_
        else frozenset()
    )


def service_of(keeper: Keeper, id_: str) -> Service | None:
    """Read a service that may ask now: active, in its time, its owner still here. Raises as ``person_of``."""
    service: Service | None = _read(keeper, Service, SERVICE, id_)
    if service is None or service.id != id_ or service.state != "active":
        return None
    if service.until_us is not None and service.until_us <= keeper.now_us():
        return None
    return service if person_of(keeper, service.owner) is not None else None


def services(keeper: Keeper) -> list[Service]:
    """Read every service that may ask now. Raises as ``person_of``."""
    with read(keeper.engine) as db:
        found = authority.load_all(db, keeper.site, SERVICE, keeper.authority, keeper.register.seen)
    return [one for id_ in sorted(found) if (one := service_of(keeper, id_)) is not None]


def by_sign_in(keeper: Keeper, issuer: str, subject: str) -> Person | None:
    """Find the one person whose record names this sign-in at a provider. Raises as ``person_of``."""
    pair, known = (issuer, subject), keeper.register.sign_ins
    person = person_of(keeper, known[pair]) if pair in known else None
    if person is not None and pair in person.sign_ins:
        return person
    people = everyone(keeper)
    times = Counter(one for person in people for one in person.sign_ins)
    fresh = {one: person.id for person in people for one in person.sign_ins if times[one] == 1}
    keeper.register.sign_ins = fresh
    return person_of(keeper, fresh[pair]) if pair in fresh else None


def by_name(keeper: Keeper, name: str) -> Person | None:
    """Find a person by id, or by a name that nobody else here has. Raises as ``person_of``."""
    person = person_of(keeper, name)
    if person is not None:
        return person
    found = [one for one in everyone(keeper) if one.name == name]
    return found[0] if len(found) == 1 else None


def everyone(keeper: Keeper) -> list[Person]:
    """Read every person who is here. Raises as ``person_of``."""
    with read(keeper.engine) as db:
        found = authority.load_all(db, keeper.site, PERSON, keeper.authority, keeper.register.seen)
    people = [Person.from_body(one.body) for one in found.values()]
    return [one for one in people if one.state == "active"]


def body_of(keeper: Keeper, kind: str, id_: str) -> bytes | None:
    """Read the newest signed body of a kind; nothing where there never was one.

    Raises:
        AuthorityError: it does not verify, or is older than one seen.
    """
    stored = keeper.store.one("SELECT stored FROM signed WHERE kind = ? AND id = ?", kind, id_)
    if stored is None:
        return None  # we never signed one
    keeper.register.seen.learn({(kind, id_): stored[0]})
    try:
        with read(keeper.engine) as db:
            return authority.load(db, keeper.site, kind, id_, keeper.authority, keeper.register.seen).body
    except AuthorityError as error:
        if error.reason is Reason.NOT_FOUND:
            return None  # signed for a transaction that never committed
        raise


def _read(keeper: Keeper, form: Any, kind: str, id_: str) -> Any:
    body = body_of(keeper, kind, id_)
    try:
        return None if body is None else form.from_body(body)
    except (ValueError, KeyError, TypeError) as error:
        raise AuthorityError(f"{kind}/{id_}", "is not of this version's form") from error
