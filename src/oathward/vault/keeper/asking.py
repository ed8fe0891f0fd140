"""Turn a proof into a person who may do what is asked: the one question before every operation for somebody.

| site | proof | may |
|---|---|---|
| without people | a name, at the admin socket | everything there, as it sets the site up |
| without people | a session | what ``setup`` may |
| with people | a name | nothing: ``access.sign-in`` says to sign in |
| with people | a session, through the console or the command line | what the policy permits its person now |

Deliberately absent: what the policy says (``roles``), how sessions begin (``signing_in``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.vault.keeper import proof as proving
from oathward.vault.keeper import roles
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Caller, Person
from oathward.vault.keeper.sign_in import visiting
from oathward.vault.keeper.sign_in.sessions import Session


def person(
    keeper: Keeper,
    caller: Caller,
    proof: Mapping[str, Any],
    action: str,
    thing: Thing,
    *others: Thing,
    purpose: str = "",
) -> Person:
    """Say whose proof it is, once they may do this.

    Raises:
        KeeperError: ``ACCESS_SIGN_IN``: a name is not enough here; otherwise as ``session``.
    """
    if proof.get("kind") == "admin":
        named = proving.check(proof, caller)
        if roles.founded(keeper):
            why = "this site has people: sign in first (oathward sign-in)"
            raise KeeperError(action, why, reason=Reason.ACCESS_SIGN_IN)
        return named
    return person_of(session(keeper, caller, proof, action, thing, *others, purpose=purpose))


def session(
    keeper: Keeper,
    caller: Caller,
    proof: Mapping[str, Any],
    action: str,
    thing: Thing,
    *others: Thing,
    purpose: str = "",
    relation: bool = False,
    looking: bool = False,
) -> Session:
    """Give the session a proof shows, once its person may do this.

    Args:
        looking: nothing becomes different by it: a session for looking only will do.

    Raises:
        KeeperError: ``NOT_PERMITTED``: it has ended; or it was made for looking only; otherwise as ``roles.permit``.
        AuthorityError: who they are, or the policy, cannot be told.
    """
    if caller.role == "admin" and not roles.founded(keeper):  # there a name is asked for, and enough
        raise KeeperError("proof", "not a proof this caller may give", reason=Reason.NOT_PERMITTED)
    found = visiting.session_of(keeper, caller, proof)
    if not looking:
        visiting.check_acts(found)
    roles.permit(keeper, found, action, thing, *others, purpose=purpose, relation=relation)
    return found


def person_of(found: Session) -> Person:
    """Name the person of a session, as records do: by id; by name where the site has no people."""
    return Person(found.visitor.person_id or found.person, f"session {found.id}")
