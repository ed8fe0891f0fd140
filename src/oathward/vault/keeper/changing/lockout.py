"""Whether people could still change the policy under another one: what locks everybody out is not signed.

Rules:
- What the policy in force leaves to somebody, and another would leave to nobody: to propose with another who approves, to put
  in force, to go one step back. Such a bundle is signed for nobody, two people or one.
- Asked of the people and roles that are signed now, as of a proposal that nobody has made yet.
- Where it could not be done before, a bundle takes nothing away.

Deliberately absent: who they are, and whether they can still sign in (``founding`` says what helps then).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.policy import access
from oathward.policy.access import AT_THE_MACHINE, Actor, Permitted, Rules, Thing
from oathward.policy.people import GRANT, Grant
from oathward.vault.authority import load_all
from oathward.vault.keeper import roles
from oathward.vault.keeper.changing.proposals import ACTIVE, BUNDLE, KINDS
from oathward.vault.keeper.keeper import Keeper

_KIND = KINDS[BUNDLE]
_LEFT_TO_NOBODY = "nobody could {} any more under its policies about people"


def check(keeper: Keeper, body: bytes) -> None:
    """See that a bundle leaves to somebody what people need to change it again.

    Raises:
        KeeperError: ``proposal.locks-out``, with what nobody could do; ``bundle.invalid``.
    """
    now, then = roles.rules(keeper), roles.rules_of(body)
    if then.statements == now.statements:
        return
    people = _people(keeper)
    taken = [one for one in _barred(then, people) if one not in set(_barred(now, people))]
    if taken:
        why = _LEFT_TO_NOBODY.format(" or ".join(taken))
        raise KeeperError("bundle", why, reason=Reason.LOCKS_OUT)


def _barred(rules: Rules, people: Sequence[Actor]) -> Iterator[str]:
    """Say what nobody of these could do."""
    new = uuid7()

    def may(actor: Actor, action: str, thing: Thing) -> bool:
        return isinstance(access.decide(rules, actor, action, thing, AT_THE_MACHINE), Permitted)

    policy = Thing(_KIND.thing, ACTIVE)
    proposers = [one for one in people if may(one, _KIND.propose, policy)]
    pairs = (
        (one, other)
        for one in proposers
        for other in people
        if one.id != other.id and may(other, _KIND.approve, Thing("proposal", new, owner=one.id))
    )
    if next(pairs, None) is None:
        yield "propose with another who approves"
    if not any(may(one, _KIND.activate, Thing("proposal", new)) for one in people):
        yield "put in force"
    if not any(may(one, "policy.rollback", policy) for one in people):
        yield "go one step back"


def _people(keeper: Keeper) -> list[Actor]:
    """Give everybody who is here and has a role now."""
    with read(keeper.engine) as db:
        documents = load_all(db, keeper.site, GRANT, keeper.authority, keeper.seen)
    granted = {one.person: one for one in (Grant.from_body(each.body) for each in documents.values())}
    now_us = keeper.now_us()
    found = [access.actor_of(one, granted.get(one.id), now_us) for one in roles.people(keeper)]
    return [one for one in found if one.roles]
