"""What the console's process may ask, for a person who is signed in, and how such a person's orders are carried out.

| asked at | by | what |
|---|---|---|
| admin socket | ``oathward console`` | a one-time link for a named person |
| app socket | the console, with a link's key or a session's secret | begin, check and end a session; order a release; sign a device |
| gateway socket | the gateway's replay | take an ordered release with its opened originals; say what became of it |

Rules:
- The console's process has no standing authority: each call but the first of a session carries the secret that the
  person's browser sent with this very request, and the keeper knows whose it is.
- What was opened for a release goes to the gateway's side, which receives such messages anyway; never to the console.
- The console can have devices signed and nothing else: no bundle, no consent, no key, no erasure.
- Beginning and ending of sessions, refused links (at most one a second), and orders are records before they are answered.

Deliberately absent: reading of originals on pages, trust in a name that the console says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oathward.core.errors import KeeperError, OathwardError
from oathward.core.reasons import Reason
from oathward.vault.authority import Document
from oathward.vault.keeper import opening, signing
from oathward.vault.keeper import proof as proving
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.opening import Original
from oathward.vault.keeper.orders import Order
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sessions import Session

MESSAGES_MAX = opening.MESSAGES_MAX
DOCUMENTS_MAX = 50
PURPOSE = "HOPERAT"
QUARANTINE = "quarantine"
_SIGNED_KIND = "device"


def invite(keeper: Keeper, caller: Caller, *, acts: bool, proof: Mapping[str, str]) -> str:
    """Make a one-time link's key for the person at the admin socket."""
    person = proving.check(proof, caller)
    key = keeper.sessions.invite(person.name, person.by, acts=acts)
    keeper.note("session.invited", {"acts": acts, "by": person.by, "person": person.name})
    return key


def begin(keeper: Keeper, caller: Caller, key: str) -> dict[str, Any]:
    """Turn a link's key into a session; the key is used up.

    Raises:
        KeeperError: ``NOT_PERMITTED``: no such link; recorded.
    """
    try:
        secret, session = keeper.sessions.begin(key)
    except KeeperError as error:
        if keeper.sessions.worth_noting():
            keeper.note("session.refused", {"process": f"uid {caller.uid}", "why": error.reason.code})
        raise
    body = {"acts": session.acts, "by": session.by, "person": session.person, "session": session.id}
    keeper.note("session.begun", body)
    return {"secret": secret, **_shown(keeper, session)}


def check(keeper: Keeper, caller: Caller, used: bool, proof: Mapping[str, str]) -> dict[str, Any]:  # noqa: FBT001  by name only, from the wire
    """Say who is signed in.

    Args:
        used: count the session as used.

    Raises:
        KeeperError: ``NOT_PERMITTED``: it has ended.
    """
    return _shown(keeper, proving.session_of(proof, caller, keeper.sessions, used=used))


def end(keeper: Keeper, caller: Caller, proof: Mapping[str, str]) -> None:
    """Sign out."""
    session = _session(keeper, caller, proof)
    keeper.sessions.end(proof["session"])
    keeper.note("session.ended", {"person": session.person, "session": session.id})


def order(
    keeper: Keeper, caller: Caller, messages: list[str], reason: str, proof: Mapping[str, str]
) -> dict[str, Any]:
    """Order the release of held messages; the gateway's side takes it within a second.

    Raises:
        KeeperError: ``NOT_PERMITTED``: nobody is signed in, or only to look.
    """
    session = _acting(keeper, caller, proof)
    placed = keeper.orders.put(session.person, f"session {session.id}", messages, reason)
    body = {"messages": list(placed.messages), "order": placed.id, "reason": reason}
    keeper.note("release.ordered", body | {"person": session.person, "session": session.id})
    keeper.orders.ready(placed)
    return _plain(placed)


def ordered(keeper: Keeper, caller: Caller, id: str, proof: Mapping[str, str]) -> dict[str, Any]:  # noqa: A002  the argument's name on the wire
    """Say what became of an order of this person."""
    return _plain(keeper.orders.of(id, _session(keeper, caller, proof).person))


def sign_devices(
    keeper: Keeper, caller: Caller, documents: list[dict[str, Any]], proof: Mapping[str, str]
) -> list[Document]:
    """Sign devices for a person who is signed in.

    Raises:
        KeeperError: ``NOT_PERMITTED``: nobody is, or only to look, or something else than a device is asked for.
    """
    session = _acting(keeper, caller, proof)
    wanted = [signing.Wanted(**document) for document in documents]
    if any(one.kind != _SIGNED_KIND for one in wanted):
        raise KeeperError("documents", "only devices are signed here", reason=Reason.NOT_PERMITTED)
    return signing.sign(keeper, wanted, [_person_of(session)])


def waiting(keeper: Keeper, _caller: Caller) -> int:
    """Count the ordered releases nobody took yet."""
    return keeper.orders.waiting()


def take(keeper: Keeper, caller: Caller) -> tuple[Order, list[Original]] | None:
    """Give the oldest ordered release with its opened originals; one that cannot be opened is settled and skipped."""
    while (order := keeper.orders.take()) is not None:
        request = opening.Request(order.messages, PURPOSE, "", QUARANTINE, order.reason)
        try:
            return order, opening.open_for(keeper, request, proving.Person(order.person, order.by), caller)
        except OathwardError as error:
            keeper.orders.settle(order.id, [], why=error.reason.code)
    return None


def settle(keeper: Keeper, _caller: Caller, id: str, outcome: list[list[str]], why: str) -> None:  # noqa: A002  the argument's name on the wire
    """Note what became of a release that was taken."""
    keeper.orders.settle(id, [(message, reason) for message, reason in outcome], why=why)


def _session(keeper: Keeper, caller: Caller, evidence: Mapping[str, str]) -> Session:
    return proving.session_of(evidence, caller, keeper.sessions)


def _acting(keeper: Keeper, caller: Caller, evidence: Mapping[str, str]) -> Session:
    session = _session(keeper, caller, evidence)
    if not session.acts:
        raise KeeperError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)
    return session


def _person_of(session: Session) -> proving.Person:
    return proving.Person(session.person, f"session {session.id}")


def _shown(keeper: Keeper, session: Session) -> dict[str, Any]:
    left_s = int(keeper.sessions.left_s(session))
    return {"acts": session.acts, "id": session.id, "left_s": left_s, "person": session.person}


def _plain(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "messages": list(order.messages),
        "outcome": [list(one) for one in order.outcome],
        "state": order.state,
        "why": order.why,
    }
