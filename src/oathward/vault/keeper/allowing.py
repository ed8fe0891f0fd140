"""How much one person may open in an hour, and the second person above that.

Rules:
- Each opening and each search for a patient counts for its person; refused ones do not.
- Who has reached the limit may ask for more, with a reason; another person who may approve openings allows it. Then the
  same number again may be opened, for an hour. What was asked waits an hour at most.
- Persons are compared, never accounts or sessions: nobody allows themselves anything.
- Asking and allowing are records before they count.
- Patients and who acts for them (holders) count for themselves alone: one who looks all day shuts nobody of the staff out.

Deliberately absent: who may approve (``policy/access``), and any limit that a second person can lift for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.policy import access
from oathward.policy.access import Around, Permitted, Thing
from oathward.vault.keeper import roles
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import visiting
from oathward.vault.keeper.sign_in.sessions import Session

HOUR_US = 3_600_000_000
WAITING_MAX = 200
_WAITING = "state = 'waiting' AND at_us > ?"


def count(keeper: Keeper, person: str, messages: int, *, stops: bool = True) -> None:
    """Count one opening of a person, or refuse it.

    Args:
        stops: an emergency is counted and never stopped.

    Raises:
        KeeperError: ``RATE_OF_OPENING``: too many in an hour, of this person or of all.
    """
    limits, store, now_us = keeper.settings.keeper, keeper.store, keeper.now_us()
    with store.transaction():
        store.rows("DELETE FROM opening WHERE at_us < ?", now_us - HOUR_US)
        counted = store.one("SELECT COUNT(*), COUNT(*) FILTER (WHERE person = ?) FROM opening", person)
        overall, own = counted or (0, 0)
        if stops and own >= limits.openings_per_person_per_hour_max * (
            1 + _allowances(keeper, person, now_us)
        ):
            raise KeeperError("openings per person", "too many in an hour", reason=Reason.RATE_OF_OPENING)
        if stops and overall >= limits.openings_per_hour_max:
            raise KeeperError("openings", "too many in an hour", reason=Reason.RATE_OF_OPENING)
        store.rows("INSERT INTO opening VALUES (?, ?, ?)", now_us, person, messages)


def count_holder(keeper: Keeper, holder: str) -> None:
    """Count one opening at the patient portal, or refuse it: each holder has a number of their own, apart from the site's.

    Raises:
        KeeperError: ``RATE_OF_OPENING``: too many in an hour, of this holder.
    """
    store, now_us = keeper.store, keeper.now_us()
    with store.transaction():
        store.rows("DELETE FROM holder_opening WHERE at_us < ?", now_us - HOUR_US)
        (own,) = store.one("SELECT COUNT(*) FROM holder_opening WHERE holder = ?", holder) or (0,)
        if own >= keeper.settings.portal.openings_per_hour_max:
            raise KeeperError("openings", "too many in an hour", reason=Reason.RATE_OF_OPENING)
        store.rows("INSERT INTO holder_opening VALUES (?, ?)", now_us, holder)


def ask(keeper: Keeper, caller: Caller, reason: str, proof: Mapping[str, str]) -> str:
    """Ask for another allowance; gives the id under which it waits. What the person asked before is given up.

    Raises:
        KeeperError: as ``roles.permit``; ``LIMIT_EXCEEDED``: too many wait.
    """
    session = acting(keeper, caller, proof)
    person, now_us = session.visitor.person_id, keeper.now_us()
    waiting = keeper.store.one(f"SELECT COUNT(*) FROM opening_ask WHERE {_WAITING}", now_us - HOUR_US)  # noqa: S608  our own words
    if not person or (waiting and waiting[0] >= WAITING_MAX):
        reason_ = Reason.LIMIT_EXCEEDED if person else Reason.NOT_PERMITTED
        raise KeeperError("opening", "cannot be asked for now", reason=reason_)
    id_ = uuid7(now_us // 1_000)
    keeper.note("opening.asked", {"id": id_, "person": person, "reason": reason, "session": session.id})
    with keeper.store.transaction():
        keeper.store.rows("DELETE FROM opening_ask WHERE at_us < ?", now_us - 24 * HOUR_US)
        keeper.store.rows("DELETE FROM opening_ask WHERE person = ? AND state = 'waiting'", person)
        keeper.store.rows(
            "INSERT INTO opening_ask VALUES (?, ?, ?, ?, 'waiting', '', 0)", id_, person, reason, now_us
        )
    return id_


def asked(keeper: Keeper, caller: Caller, proof: Mapping[str, str]) -> list[dict[str, Any]]:
    """List what waits for a second person: all of it to those who may allow, their own to others.

    Raises:
        KeeperError: ``NOT_PERMITTED``: nobody is signed in.
    """
    session = visiting.session_of(keeper, caller, proof)
    own, now_us = session.visitor.person_id, keeper.now_us()
    sql = f"SELECT id, person, reason, at_us FROM opening_ask WHERE {_WAITING} ORDER BY id"  # noqa: S608  our own words
    rows = keeper.store.rows(sql, now_us - HOUR_US)
    approves = bool(own) and _approves(keeper, session)
    found = []
    for id_, person, reason, at_us in rows:
        if person == own or approves:
            named = roles.person_of(keeper, person)
            name = named.name if named is not None else ""
            found.append({"at_us": at_us, "id": id_, "name": name, "own": person == own, "reason": reason})
    return found


def allow(keeper: Keeper, caller: Caller, id: str, proof: Mapping[str, str]) -> None:  # noqa: A002  the argument's name on the wire
    """Allow another person as much again for an hour.

    Raises:
        KeeperError: ``NOT_FOUND``: nothing of this id waits; otherwise as ``roles.permit``, for one's own above all.
    """
    session = acting(keeper, caller, proof)
    now_us = keeper.now_us()
    sql = f"SELECT person FROM opening_ask WHERE id = ? AND {_WAITING}"  # noqa: S608  our own words
    row = keeper.store.one(sql, id, now_us - HOUR_US)
    asker = row[0] if row else ""
    roles.permit(keeper, session, "opening.approve", Thing("opening", id, owner=asker))
    if row is None:
        raise KeeperError("opening", "nothing of this id waits", reason=Reason.NOT_FOUND)
    by = session.visitor.person_id
    if not by or by == asker:
        raise KeeperError("opening", "a second person is another person", reason=Reason.ACCESS_OWN)
    body = {"by": by, "id": id, "person": asker, "session": session.id}
    keeper.note("opening.allowed", body)
    keeper.store.rows(
        "UPDATE opening_ask SET state = 'allowed', by = ?, until_us = ? WHERE id = ? AND state = 'waiting'",
        *(by, now_us + HOUR_US, id),
    )


def acting(keeper: Keeper, caller: Caller, proof: Mapping[str, str]) -> Session:
    """Give the session of a person who may do more than look.

    Raises:
        KeeperError: ``NOT_PERMITTED``: it has ended, or was made for looking only.
    """
    session = visiting.session_of(keeper, caller, proof)
    if not session.acts:
        raise KeeperError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)
    return session


def _approves(keeper: Keeper, session: Session) -> bool:
    """Say whether a person may be the second one, once they prove who they are again."""
    actor = roles.actor_of(keeper, session.visitor.person_id)
    around = Around(strong=session.visitor.strong, fresh=True)
    answer = access.decide(roles.rules(keeper), actor, "opening.approve", Thing("opening"), around)
    return isinstance(answer, Permitted)


def _allowances(keeper: Keeper, person: str, now_us: int) -> int:
    sql = "SELECT COUNT(*) FROM opening_ask WHERE person = ? AND state = 'allowed' AND until_us > ?"
    found = keeper.store.one(sql, person, now_us)
    return found[0] if found else 0
