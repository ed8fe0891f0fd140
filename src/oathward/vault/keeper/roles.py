"""Who has which role and may do what, as the keeper itself reads it: signed people, grants, services and policy.

Rules:
- A site is *founded* once its first people were made, one-way; before, whoever signed in at its machine sets it up.
- Every operation for a person or service asks ``permit`` with their session; a refusal is a record.
- Roles and policy are read anew for each question, and verified; where they cannot be, nobody may do anything.

Deliberately absent: finding whoever signs in (``persons``), credentials (``accounts``), what the rules say (``policy.access``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.core.errors import AuthorityError, KeeperError, PolicyError
from oathward.core.reasons import Reason
from oathward.policy import access
from oathward.policy.access import Actor, Around, Denied, Permitted, Rules, Thing
from oathward.policy.files import unpack
from oathward.policy.people import GRANT, PERSON, SERVICE, Grant, Person, Service
from oathward.vault.authority import load, load_all
from oathward.vault.keeper.keeper import Keeper

if TYPE_CHECKING:
    from oathward.vault.keeper.sign_in.sessions import Session

FOUNDED = "founded"
_BUNDLE, _ACTIVE = "bundle", "active"


def founded(keeper: Keeper) -> bool:
    """Say whether this site has people."""
    return bool(keeper.store.meta(FOUNDED))


def person_of(keeper: Keeper, id_: str) -> Person | None:
    """Read a person, whether or not they are still here; none where there never was one.

    Raises:
        AuthorityError: the record does not verify, or is older than one that was signed.
    """
    body = body_of(keeper, PERSON, id_)
    return None if body is None else Person.from_body(body)


def grant_of(keeper: Keeper, person_id: str) -> Grant | None:
    """Read what a person was granted, whether or not it holds now; raises as ``person_of``."""
    body = body_of(keeper, GRANT, person_id)
    return None if body is None else Grant.from_body(body)


def service_of(keeper: Keeper, id_: str) -> Service | None:
    """Read a service, whether or not it still may ask; raises as ``person_of``."""
    body = body_of(keeper, SERVICE, id_)
    return None if body is None else Service.from_body(body)


def people(keeper: Keeper) -> Iterator[Person]:
    """Read every person there ever was; raises as ``person_of``."""
    with read(keeper.engine) as db:
        documents = load_all(db, keeper.site, PERSON, keeper.authority, keeper.seen)
    return (Person.from_body(document.body) for document in documents.values())


def body_of(keeper: Keeper, kind: str, id_: str) -> bytes | None:
    """Read the newest signed body of a document; none where none was ever signed and stored.

    Raises:
        AuthorityError: it does not verify, is gone, or is older than one that was signed and stored.
    """
    signed = keeper.store.one("SELECT stored FROM signed WHERE kind = ? AND id = ?", kind, id_)
    if signed is None:
        return None
    keeper.seen.learn({(kind, id_): signed[0]})
    try:
        with read(keeper.engine) as db:
            return load(db, keeper.site, kind, id_, keeper.authority, keeper.seen).body
    except AuthorityError as error:
        if error.reason is Reason.NOT_FOUND:
            return None
        raise


def actor_of(keeper: Keeper, id_: str, kind: str = "person") -> Actor:
    """Make the actor a person or service is now, with the roles that hold now.

    Raises:
        KeeperError: ``NOT_PERMITTED``: there is none, or they have left.
        AuthorityError: as ``person_of``.
    """
    now_us = keeper.now_us()
    if kind == "service":
        service = service_of(keeper, id_)
        owner = person_of(keeper, service.owner) if service else None
        if service is not None and owner is not None and "active" == owner.state == service.state:
            return access.actor_of_service(service, owner, now_us)
    elif not id_ and not founded(keeper):
        return access.SETUP
    else:
        person = person_of(keeper, id_) if id_ else None
        if person is not None and person.state == "active":
            return access.actor_of(person, grant_of(keeper, id_), now_us)
    raise KeeperError("person", "is not here, or left", reason=Reason.NOT_PERMITTED)


def permit(
    keeper: Keeper,
    session: Session,
    action: str,
    thing: Thing,
    *others: Thing,
    purpose: str = "",
    relation: bool = False,
) -> Permitted:
    """Ask whether the person of a session may do something now: to a thing, and to each of the others.

    Raises:
        KeeperError: they may not, with the reason; recorded.
        AuthorityError: who they are, or the policy, cannot be told.
    """
    visitor = session.visitor
    actor = actor_of(keeper, visitor.person_id, visitor.kind)
    around = Around(purpose, visitor.strong, keeper.sessions.fresh(session), relation)
    in_force = rules(keeper)
    answers = [access.decide(in_force, actor, action, one, around) for one in (thing, *others)]
    refused = next((one for one in answers if not isinstance(one, Permitted)), None)
    first = answers[0]
    if refused is None and isinstance(first, Permitted):
        return first
    reason = refused.reasons[0] if isinstance(refused, Denied) else Reason.POLICY_ERROR
    body = {"action": action, "person": visitor.person_id or visitor.name, "session": session.id}
    keeper.note("access.denied", body | {"thing": thing.kind, "why": reason.code})
    late = (
        "takes a proof of this moment: prove again who you are (oathward sign-in --again), then do it again"
    )
    why = late if reason is Reason.ACCESS_STEP_UP else "may not be done by this person now"
    raise KeeperError(action, why, reason=reason)


def may(keeper: Keeper, session: Session, action: str, thing: Thing) -> bool:
    """Say whether the person of a session may do something now, for a list that is cut to it; nothing is recorded.

    Raises:
        KeeperError, AuthorityError: as ``actor_of``.
    """
    visitor = session.visitor
    actor = actor_of(keeper, visitor.person_id, visitor.kind)
    around = Around("", visitor.strong, keeper.sessions.fresh(session))
    return isinstance(access.decide(rules(keeper), actor, action, thing, around), Permitted)


def rules(keeper: Keeper) -> Rules:
    """Give the policies about people that are in force; compiled anew when another bundle is.

    Raises:
        AuthorityError: the bundle does not verify.
    """
    body = body_of(keeper, _BUNDLE, _ACTIVE)
    if keeper.rules is None or keeper.rules[0] != body:
        keeper.rules = body, rules_of(body)
    return keeper.rules[1]


def rules_of(body: bytes | None) -> Rules:
    """Give the policies about people of a bundle with those that are shipped.

    Raises:
        AuthorityError: they cannot be read; a bundle is checked before it is signed.
    """
    files = unpack(body) if body is not None else {}
    errors: list[PolicyError] = []
    people = {path: content for path, content in files.items() if path.startswith("people/")}
    found = access.read_people(people, errors)
    if errors:
        raise AuthorityError(f"{_BUNDLE}/{_ACTIVE}", "its policies about people cannot be read")
    return Rules.with_more(found)
