"""Who signs in: the person or service that is here now, found by id, by name, or by a sign-in at the provider.

Rules:
- Who left is nobody. A service whose owner left, or whose time is over, is nobody either.
- A sign-in at the provider that two people's records name is nobody's.
- What is read is signed, and never older than the keeper has seen (``roles``).

Deliberately absent: what a role permits (``roles``), credentials (``accounts``).
"""

from __future__ import annotations

from collections import Counter

from oathward.core.labels import Role
from oathward.policy.people import SERVICE, Person, Service
from oathward.vault.keeper import roles
from oathward.vault.keeper.keeper import Keeper


def person_of(keeper: Keeper, id_: str) -> Person | None:
    """Read a person who is here; nothing for somebody who left or never was.

    Raises:
        AuthorityError: the document does not verify, or is older than one seen.
    """
    person = roles.person_of(keeper, id_)
    return person if person is not None and person.id == id_ and person.state == "active" else None


def roles_of(keeper: Keeper, id_: str) -> frozenset[Role]:
    """Read the roles a person holds now; none for somebody who left. Raises as ``person_of``."""
    return roles.actor_of(keeper, id_).roles if person_of(keeper, id_) is not None else frozenset()


def service_of(keeper: Keeper, id_: str) -> Service | None:
    """Read a service that may ask now: active, in its time, its owner still here. Raises as ``person_of``."""
    service = roles.service_of(keeper, id_)
    if service is None or service.id != id_ or service.state != "active":
        return None
    if service.until_us is not None and service.until_us <= keeper.now_us():
        return None
    return service if person_of(keeper, service.owner) is not None else None


def services(keeper: Keeper) -> list[Service]:
    """Read every service that may ask now. Raises as ``person_of``."""
    ids = [id_ for (id_,) in keeper.store.rows("SELECT id FROM signed WHERE kind = ? ORDER BY id", SERVICE)]
    return [one for id_ in ids if (one := service_of(keeper, id_)) is not None]


def by_sign_in(keeper: Keeper, issuer: str, subject: str) -> Person | None:
    """Find the one person whose record names this sign-in at a provider. Raises as ``person_of``."""
    pair, known = (issuer, subject), keeper.entrance.sign_ins
    person = person_of(keeper, known[pair]) if pair in known else None
    if person is not None and pair in person.sign_ins:
        return person
    people = everyone(keeper)
    times = Counter(one for person in people for one in person.sign_ins)
    fresh = {one: person.id for person in people for one in person.sign_ins if times[one] == 1}
    keeper.entrance.sign_ins = fresh
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
    return [one for one in roles.people(keeper) if one.state == "active"]
