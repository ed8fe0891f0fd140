"""Operations that take two people, and those that bring people in: on the console's socket and on the admin socket.

Rules:
- Who proposes, approves, has signed or rolls back is the person of the session that is shown, and no name.
- Two people are two people: a program proposes nothing, nor does who was let in to look.
- The first people are made at the admin socket alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.policy.people import PERSON
from oathward.vault.keeper import allowing, asking, signing
from oathward.vault.keeper.changing import apart, changes, founding, proposals
from oathward.vault.keeper.changing.proposals import Proposal
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import admin as operations_admin
from oathward.vault.keeper.operations import plain, shapes
from oathward.vault.keeper.operations.operation import DOCUMENT, ID, Operation
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in.sessions import Session

BODIES_BYTES_MAX = signing.BODY_BYTES_MAX


def _propose(keeper: Keeper, caller: Caller, body: bytes, proof: dict[str, str]) -> dict[str, Any]:
    session = _person(keeper, caller, proof)
    return _shown(changes.propose(keeper, session, body))


def _approve(keeper: Keeper, caller: Caller, proposal: str, proof: dict[str, str]) -> dict[str, Any]:
    session = _person(keeper, caller, proof)
    return _shown(changes.approve(keeper, session, proposal))


def _withdraw(
    keeper: Keeper, caller: Caller, proposal: str, reason: str, proof: dict[str, str]
) -> dict[str, Any]:
    session = _person(keeper, caller, proof)
    return _shown(changes.withdraw(keeper, session, proposal, reason))


def _sign(
    keeper: Keeper, caller: Caller, proposal: str, bodies: list[bytes], proof: dict[str, str]
) -> list[dict[str, Any]]:
    session = _person(keeper, caller, proof)
    return [plain.document(one) for one in changes.sign(keeper, session, proposal, bodies)]


def _roll_back(keeper: Keeper, caller: Caller, reason: str, proof: dict[str, str]) -> dict[str, Any]:
    session = _person(keeper, caller, proof)
    return plain.document(changes.roll_back(keeper, session, reason))


def _listed(
    keeper: Keeper,
    caller: Caller,
    open_only: bool,  # noqa: FBT001  by name only, from the wire
    proof: dict[str, str],
) -> list[dict[str, Any]]:
    session = asking.session(keeper, caller, proof, "policy.see", Thing("policy"), looking=True)
    found = proposals.listed(keeper, open_only=open_only)
    return [_shown(one) for one in found if apart.is_shown(keeper, session, one)]


def _one(keeper: Keeper, caller: Caller, proposal: str, proof: dict[str, str]) -> dict[str, Any]:
    session = asking.session(keeper, caller, proof, "policy.see", Thing("policy", proposal), looking=True)
    found = proposals.of(keeper, proposal)
    if not apart.is_shown(keeper, session, found):
        raise proposals.absent()
    return _shown(found)


def _sign_people(
    keeper: Keeper, caller: Caller, documents: list[dict[str, Any]], proof: dict[str, str]
) -> list[dict[str, Any]]:
    wanted = [signing.Wanted(**document) for document in documents]
    if any(one.kind != PERSON for one in wanted):
        raise KeeperError("documents", "only records of people are signed here", reason=Reason.NOT_PERMITTED)
    return [plain.document(d) for d in operations_admin.sign_alone(keeper, caller, wanted, [proof])]


def _found(
    keeper: Keeper, caller: Caller, documents: list[dict[str, Any]], proof: dict[str, str]
) -> list[dict[str, Any]]:
    wanted = [signing.Wanted(**document) for document in documents]
    return [plain.document(one) for one in founding.found(keeper, caller, wanted, proof)]


def _invitations(keeper: Keeper, caller: Caller, proof: dict[str, str]) -> dict[str, str]:
    return founding.invitations(keeper, caller, proof)


def _person(keeper: Keeper, caller: Caller, proof: dict[str, str]) -> Session:
    """Give the session of somebody who could be one of two: no program, nobody who only looks, nobody where no people are.

    Raises:
        KeeperError: ``NOT_PERMITTED``.
    """
    session = allowing.acting(keeper, caller, proof)
    if not session.own:
        raise KeeperError("session", "is of nobody who could be one of two", reason=Reason.NOT_PERMITTED)
    return session


def _shown(one: Proposal) -> dict[str, Any]:
    return {
        "approved_us": one.approved_us,
        "approver": one.approver,
        "body": plain.b64(one.body),
        "id": one.id,
        "proposed_us": one.proposed_us,
        "proposer": one.proposer,
        "state": one.state,
        "version": one.version,
    }


_REASON = shapes.text(500)
_DOCUMENTS = shapes.listed(DOCUMENT, signing.DOCUMENTS_MAX, least=1)

BOTH: Mapping[str, Operation] = {
    "propose": Operation(
        _propose, shapes.table(body=shapes.raw(proposals.DOCUMENT_BYTES_MAX), proof=shapes.proof)
    ),
    "approve": Operation(_approve, shapes.table(proposal=ID, proof=shapes.proof)),
    "withdraw": Operation(_withdraw, shapes.table(proposal=ID, reason=_REASON, proof=shapes.proof)),
    "sign_proposed": Operation(
        _sign,
        shapes.table(
            proposal=ID,
            bodies=shapes.listed(shapes.raw(BODIES_BYTES_MAX), signing.DOCUMENTS_MAX, least=1),
            proof=shapes.proof,
        ),
    ),
    "roll_back": Operation(_roll_back, shapes.table(reason=_REASON, proof=shapes.proof)),
    "proposals": Operation(_listed, shapes.table(open_only=shapes.flag, proof=shapes.proof)),
    "proposal": Operation(_one, shapes.table(proposal=ID, proof=shapes.proof)),
    "sign_people": Operation(_sign_people, shapes.table(documents=_DOCUMENTS, proof=shapes.proof)),
}
"""Through the console, and at the command line."""

ADMIN: Mapping[str, Operation] = {
    "found": Operation(_found, shapes.table(documents=_DOCUMENTS, proof=shapes.proof)),
    "founding_invitations": Operation(_invitations, shapes.table(proof=shapes.proof)),
}
