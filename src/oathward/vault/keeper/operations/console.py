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
from oathward.policy.access import Thing
from oathward.vault.authority import Document
from oathward.vault.keeper import asking, opening, roles, signing
from oathward.vault.keeper import proof as proving
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.orders import Order
from oathward.vault.keeper.original import Original
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import persons, visiting
from oathward.vault.keeper.sign_in.sessions import Session

DOCUMENTS_MAX = 50
PURPOSE = "HOPERAT"
QUARANTINE = "quarantine"
_SIGNED_KIND = "device"


def invite(keeper: Keeper, caller: Caller, *, acts: bool, proof: Mapping[str, str]) -> str:
    """Make a one-time link's key for the person at the admin socket.

    Raises:
        KeeperError: ``SIGN_IN_LINKS_OFF``: this site has people, and links are not for them.
        ``NOT_FOUND``: links are, and nobody of that name or id is here.
    """
    person = proving.check(proof, caller)
    name, person_id = _linked(keeper, person.name)
    key = keeper.sessions.invite(name, person.by, acts=acts, person_id=person_id)
    keeper.note("session.invited", {"acts": acts, "by": person.by, "person": person_id or person.name})
    return key


def begin(keeper: Keeper, caller: Caller, key: str) -> dict[str, Any]:
    """Turn a link's key into a session; the key is used up.

    Raises:
        KeeperError: ``NOT_PERMITTED``: no such link; recorded. ``SIGN_IN_LINKS_OFF``: the site got people since.
    """
    try:
        visitor = keeper.sessions.take_link(key)
        if roles.founded(keeper) and not (keeper.settings.people.links_sign_in and visitor.person_id):
            raise _links_off()
    except KeeperError as error:
        if keeper.sessions.worth_noting():
            keeper.note("session.refused", {"process": f"uid {caller.uid}", "why": error.reason.code})
        raise
    secret, session = visiting.begin(keeper, visitor)
    return {"secret": secret, **visiting.shown(keeper, session)}


def check(keeper: Keeper, caller: Caller, used: bool, proof: Mapping[str, str]) -> dict[str, Any]:  # noqa: FBT001  by name only, from the wire
    """Say who is signed in.

    Args:
        used: count the session as used.

    Raises:
        KeeperError: ``NOT_PERMITTED``: it has ended. ``SESSION_REUSED``: a renewed secret was shown again.
    """
    session = visiting.session_of(keeper, caller, proof, used=used)
    return visiting.shown(keeper, session, proving.secret_of(proof))


def end(keeper: Keeper, caller: Caller, proof: Mapping[str, str]) -> None:
    """Sign out."""
    visiting.end(keeper, caller, proof)


def order(
    keeper: Keeper, caller: Caller, messages: list[str], reason: str, proof: Mapping[str, str]
) -> dict[str, Any]:
    """Order the release of held messages; the gateway's side takes it within a second.

    Raises:
        KeeperError: ``NOT_PERMITTED``: nobody is signed in, or only to look.
    """
    session = asking.session(keeper, caller, proof, "quarantine.release", Thing("message"))
    who = asking.person_of(session)
    placed = keeper.orders.put(who.name, who.by, messages, reason)
    body = {"messages": list(placed.messages), "order": placed.id, "reason": reason}
    keeper.note("release.ordered", body | {"person": who.name, "session": session.id})
    keeper.orders.ready(placed)
    return _plain(placed)


def ordered(keeper: Keeper, caller: Caller, id: str, proof: Mapping[str, str]) -> dict[str, Any]:  # noqa: A002  the argument's name on the wire
    """Say what became of an order of this person."""
    return _plain(keeper.orders.of(id, asking.person_of(_session(keeper, caller, proof)).name))


def sign_devices(
    keeper: Keeper, caller: Caller, documents: list[dict[str, Any]], proof: Mapping[str, str]
) -> list[Document]:
    """Sign devices for a person who is signed in and may adopt, or change, them.

    Raises:
        KeeperError: nobody is, they may not, or something else than a device is asked for.
    """
    wanted = [signing.Wanted(**document) for document in documents]
    if any(one.kind != _SIGNED_KIND for one in wanted):
        raise KeeperError("documents", "only devices are signed here", reason=Reason.NOT_PERMITTED)
    for one in wanted:
        known = keeper.store.one("SELECT 1 FROM signed WHERE kind = ? AND id = ?", one.kind, one.id)
        action = "device.change" if known else "device.adopt"
        session = asking.session(keeper, caller, proof, action, Thing("device", one.id))
    return signing.sign(keeper, wanted, [asking.person_of(session)])


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


def _linked(keeper: Keeper, name: str) -> tuple[str, str]:
    """Say whom a link is for: name and person id; no id on a site without people."""
    if not roles.founded(keeper):
        return name, ""
    if not keeper.settings.people.links_sign_in:
        raise _links_off()
    person = persons.by_name(keeper, name)
    if person is None:
        raise KeeperError("person", "nobody here has this name or id", reason=Reason.NOT_FOUND)
    return person.name, person.id


def _links_off() -> KeeperError:
    return KeeperError(
        "link", "this site has people, who sign in themselves", reason=Reason.SIGN_IN_LINKS_OFF
    )


def _session(keeper: Keeper, caller: Caller, evidence: Mapping[str, str]) -> Session:
    return visiting.session_of(keeper, caller, evidence)


def _plain(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "messages": list(order.messages),
        "outcome": [list(one) for one in order.outcome],
        "state": order.state,
        "why": order.why,
    }
