"""Separation of duties: whether a second person is one, and could decide this when it was proposed.

Rules:
- Persons are compared, whatever accounts and sessions they have.
- Nobody decides what they proposed, or what is about themselves; nor does who owes their account to the proposer.
- Two people to whom the same third lately gave another way in are not two: the third could be both. *Lately* is always where the
  third replaced another's invitation to do so.
- Two people who enrolled by one third's invitations or resets are not two either, where another could have let one of them in.
- Whoever decides could have done so when it was proposed, and has held no keys since.
- Who may decide nothing is told so before any proposal is looked for: they learn of none whether it is there.

Source: NIST SP 800-53 rev. 5, AC-5; ANSI INCITS 359-2004, dynamic separation of duty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.errors import KeeperError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.policy import access
from oathward.policy.access import AT_THE_MACHINE, Denied, Permitted, Thing
from oathward.policy.people import GRANT
from oathward.vault.keeper import roles
from oathward.vault.keeper.changing.proposals import BUNDLE, KINDS, Proposal, absent, find
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.sign_in import accounts

if TYPE_CHECKING:
    from oathward.vault.keeper.sign_in.sessions import Session


_DECIDING = tuple(dict.fromkeys(kind.approve for kind in KINDS.values()))


def to_decide(keeper: Keeper, session: Session, id_: str) -> Proposal:
    """Give the proposal that the person of a session may decide.

    Raises:
        KeeperError: as ``roles.permit``, the same for a proposal that is there and one that is not; then ``NOT_FOUND``.
    """
    thing = Thing("proposal", id_)
    if not any(roles.may(keeper, session, action, thing) for action in _DECIDING):
        roles.permit(keeper, session, _DECIDING[0], thing)
    found = find(keeper, id_)
    if found is None:
        for action in _DECIDING:
            roles.permit(keeper, session, action, thing)
        raise absent()
    permit_second(keeper, session, found)
    return found


def to_sign(keeper: Keeper, session: Session, id_: str) -> Proposal:
    """Give the proposal that the person of a session may have signed: one of its two people, or who puts policy in force.

    Raises:
        KeeperError: as ``to_decide``.
    """
    found, person = find(keeper, id_), session.visitor.person_id
    if found is not None and person in {found.proposer, found.approver}:
        return found
    roles.permit(keeper, session, KINDS[BUNDLE].activate, Thing("proposal", id_))
    if found is None or not is_shown(keeper, session, found):
        raise absent()
    return found


def is_shown(keeper: Keeper, session: Session, one: Proposal) -> bool:
    """Whether somebody who sees policy may see a proposal: who is to get which role is for those who see people."""
    own = one.proposer == session.visitor.person_id
    return own or one.kind == BUNDLE or roles.may(keeper, session, "people.see", Thing("person"))


def permit_second(keeper: Keeper, session: Session, proposal: Proposal) -> None:
    """Ask whether the person of a session may decide a proposal; raises as ``roles.permit``."""
    roles.permit(
        keeper, session, KINDS[proposal.kind].approve, Thing("proposal", proposal.id, owner=proposal.proposer)
    )


def check_apart(keeper: Keeper, proposal: Proposal, approver: str) -> None:
    """See that the second person is another one, and was one who may decide this when it was proposed.

    Raises:
        KeeperError: ``ACCESS_OWN``, ``ACCESS_ROLE``.
    """
    about = {id_ for kind, id_, _ in proposal.stated["documents"] if kind == GRANT}
    if approver in about:
        raise KeeperError("proposal", "is one's own, or about oneself", reason=Reason.ACCESS_OWN)
    thing = Thing("proposal", proposal.id, owner=proposal.proposer)
    check_two(keeper, approver, KINDS[proposal.kind].approve, thing, proposal.proposed_us)


def check_two(keeper: Keeper, approver: str, action: str, thing: Thing, asked_us: int) -> None:
    """See that whoever decides on what another asked for is another one, and could have decided it then.

    Args:
        action: by which it is decided. thing: what was asked for; its owner asked.

    Raises:
        KeeperError: ``ACCESS_OWN``, ``ACCESS_ROLE``.
    """
    asker = thing.owner
    if approver == asker:
        raise KeeperError(thing.kind, "is one's own, or about oneself", reason=Reason.ACCESS_OWN)
    if accounts.inviter_of(keeper, approver) == asker:
        why = "the approver's account was last made by the proposer"
        raise KeeperError(thing.kind, why, reason=Reason.ACCESS_OWN)
    one, other = accounts.let_in_by(keeper, approver), accounts.let_in_by(keeper, asker)
    if asker in one or approver in other or one & other:
        why = "somebody could lately sign in as both: ask another person"
        raise KeeperError(thing.kind, why, reason=Reason.ACCESS_OWN)
    _check_doors(keeper, asker, approver)
    person, grant = roles.person_of(keeper, approver), roles.grant_of(keeper, approver)
    if person is None or grant is None or person.state != "active":
        raise KeeperError("approver", "is not here, or left", reason=Reason.NOT_PERMITTED)
    keys = (r for r in grant.roles if r.role is Role.KEY_HOLDER)
    if any(r.until_us is None or r.until_us > asked_us for r in keys):
        raise KeeperError("approver", "held keys since it was proposed", reason=Reason.ACCESS_ROLE)
    then = access.actor_of(person, grant, asked_us)
    answer = access.decide(roles.rules(keeper), then, action, thing, AT_THE_MACHINE)
    if not isinstance(answer, Permitted):
        raise KeeperError("approver", "had no such role when it was proposed", reason=Reason.ACCESS_ROLE)


def _check_doors(keeper: Keeper, one: str, other: str) -> None:
    """See that two people were not let in by one third, where somebody else here could have let one of them in.

    A site whose only administrator let everybody in goes on; the policy's review names it (``people.doors``).

    Raises:
        KeeperError: ``ACCESS_OWN``.
    """
    by = accounts.inviter_of(keeper, one)
    if not by or by != accounts.inviter_of(keeper, other) or roles.person_of(keeper, by) is None:
        return
    in_force, thing = roles.rules(keeper), Thing("person", other, owner=other)
    for person in roles.people(keeper):
        if person.id in {by, one, other} or person.state != "active":
            continue
        actor = access.actor_of(person, roles.grant_of(keeper, person.id), keeper.now_us())
        if isinstance(access.decide(in_force, actor, "account.invite", thing, AT_THE_MACHINE), Permitted):
            why = (
                "one person let both in, and could be both: ask somebody whom another let in, or have another"
                " administrator reset one of the two accounts"
            )
            raise KeeperError("proposal", why, reason=Reason.ACCESS_OWN)


def check_still(keeper: Keeper, proposal: Proposal) -> None:
    """See that both people are still here, and could still say what they said.

    Raises:
        KeeperError: one is not, or could not.
    """
    proposer = roles.person_of(keeper, proposal.proposer)
    if proposer is None or proposer.state != "active":
        raise KeeperError("proposer", "is not here any more", reason=Reason.NOT_PERMITTED)
    _check_proposer(keeper, proposal)
    check_apart(keeper, proposal, proposal.approver)
    thing = Thing("proposal", proposal.id, owner=proposal.proposer)
    now = roles.actor_of(keeper, proposal.approver)
    answer = access.decide(roles.rules(keeper), now, KINDS[proposal.kind].approve, thing, AT_THE_MACHINE)
    if not isinstance(answer, Permitted):
        reason = answer.reasons[0] if isinstance(answer, Denied) else answer.why
        raise KeeperError("approver", "may not approve this any more", reason=reason)


def _check_proposer(keeper: Keeper, proposal: Proposal) -> None:
    """See that who proposed could propose it still.

    Raises:
        KeeperError: ``ACCESS_ROLE``, or they have left.
    """
    kind, now = KINDS[proposal.kind], roles.actor_of(keeper, proposal.proposer)
    action = "policy.emergency" if proposal.stated["emergency"] else kind.propose
    for _, id_, _ in proposal.stated["documents"]:
        thing = Thing(kind.thing, id_, owner=id_ if proposal.kind == GRANT else "")
        answer = access.decide(roles.rules(keeper), now, action, thing, AT_THE_MACHINE)
        if not isinstance(answer, Permitted):
            raise KeeperError("proposer", "may not propose this any more", reason=Reason.ACCESS_ROLE)
