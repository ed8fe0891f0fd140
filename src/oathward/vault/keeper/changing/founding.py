"""The first people of a site: made at once, by whoever sets it up at its machine, and never again.

Rules:
- Between them the first people can change everything: at least one administrator, and two who can propose and approve for
  each other without either being the other. Fewer would lock the site.
- From then on a name at the admin socket is not enough for anything (``asking``).
- Each gets an invitation to enrol; nobody a password.
- What was in force stays in force: the policy's review says that nobody approved it.

Deliberately absent: a way back. Whoever has lost every approver restores the key store, which the witness sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from oathward.core.errors import KeeperError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.policy.people import GRANT, PERSON, Grant, Person
from oathward.policy.people_rules import conflicts, not_grantable
from oathward.vault.authority import Document
from oathward.vault.keeper import proof, roles, signing
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import accounts

PEOPLE_MAX = 50
_PROPOSE = frozenset({Role.INTEGRATION_ENGINEER, Role.PRIVACY_OFFICER, Role.SECURITY_ANALYST})
_APPROVE = frozenset({Role.PRIVACY_OFFICER, Role.SECURITY_ANALYST})
_GRANT = frozenset({Role.ADMINISTRATOR, Role.PRIVACY_OFFICER})


def found(
    keeper: Keeper, caller: Caller, documents: Sequence[signing.Wanted], evidence: Mapping[str, str]
) -> list[Document]:
    """Make a site's first people; gives their documents, which the caller stores.

    Raises:
        KeeperError: ``CONFLICT``: it has people already; ``INPUT_INVALID``: these could not run it.
    """
    named = proof.check(evidence, caller)
    if roles.founded(keeper):
        raise KeeperError("site", "has people already", reason=Reason.CONFLICT)
    people, granted = _read(documents)
    why = _unfit(people, granted)
    if why:
        raise KeeperError("people", why, reason=Reason.INPUT_INVALID)
    with keeper.store.transaction():
        signed = signing.sign(keeper, documents, [named])
        keeper.store.set_meta(roles.FOUNDED, str(keeper.now_us()))
        by_role = sorted(role.value for one in granted.values() for role in one)
        keeper.note("site.founded", {"by": named.name, "people": sorted(people), "roles": by_role})
    return signed


def invitations(keeper: Keeper, caller: Caller, evidence: Mapping[str, str]) -> dict[str, str]:
    """Give each of the first people a key to enrol with: person id -> key; until somebody has enrolled, and never after.

    Raises:
        KeeperError: ``CONFLICT``: somebody has, or there are no people.
    """
    named = proof.check(evidence, caller)
    if not roles.founded(keeper) or any(
        accounts.factors(keeper.store, one.person) for one in accounts.everyone(keeper.store)
    ):
        raise KeeperError(
            "invitations", "are made by an administrator who is signed in", reason=Reason.CONFLICT
        )
    here = [
        one
        for one in roles.people(keeper)
        if one.state == "active" and roles.grant_of(keeper, one.id) is not None
    ]
    return {one.id: accounts.invite(keeper, named, one) for one in here}


def _read(documents: Sequence[signing.Wanted]) -> tuple[dict[str, Person], dict[str, frozenset[Role]]]:
    people: dict[str, Person] = {}
    granted: dict[str, frozenset[Role]] = {}
    try:
        for one in documents:
            if one.kind == PERSON:
                people[one.id] = Person.from_body(one.body)
            elif one.kind == GRANT:
                granted[one.id] = frozenset(r.role for r in Grant.from_body(one.body).roles)
            else:
                raise KeeperError(one.kind, "is neither a person nor a grant", reason=Reason.INPUT_INVALID)
    except (ValueError, KeyError, TypeError) as error:
        raise KeeperError("people", "are not of that form", reason=Reason.INPUT_INVALID) from error
    return people, granted


def _unfit(people: Mapping[str, Person], granted: Mapping[str, frozenset[Role]]) -> str:
    """Say why these cannot run a site between them; empty where they can."""
    return next(_troubles(people, granted), "")


def _troubles(people: Mapping[str, Person], granted: Mapping[str, frozenset[Role]]) -> Iterator[str]:
    if not 2 <= len(people) <= PEOPLE_MAX:
        yield f"must be 2 to {PEOPLE_MAX}"
    if granted.keys() - people.keys() or any(p.id != id_ or p.state != "active" for id_, p in people.items()):
        yield "and grants do not fit together"
    for held in granted.values():
        if clash := conflicts(held):
            yield f"nobody is both {clash[0][0]} and {clash[0][1]}"
        if wrong := not_grantable(held):
            yield f"nobody is granted {wrong[0]}"
    if not any(Role.ADMINISTRATOR in held for held in granted.values()):
        yield "need an administrator among them"
    for needed, what in ((_PROPOSE, "a policy"), (_GRANT, "a role")):
        pairs = (
            (a, b)
            for a, first in granted.items()
            for b, other in granted.items()
            if a != b and first & needed and other & _APPROVE and Role.ADMINISTRATOR not in other
        )
        if next(pairs, None) is None:
            yield f"need two of whom one may propose {what} and the other approve it"
