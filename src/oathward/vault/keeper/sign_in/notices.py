"""What somebody else did to a person's way of signing in, told to that person until they have seen it.

| what | somebody else |
|---|---|
| ``reset`` | ended every factor, and made an invitation |
| ``invitation`` | made an invitation beside the person's sign-in at the provider |
| ``provider`` | wrote another sign-in at the provider into their record |

Rules:
- It is shown at each sign-in for ``SHOWN_US``, or until the person puts it away. What one does to oneself is no news.
- It is put away only by who came in with what is older than every notice: a newer way may be theirs who added it, and of two
  ways that one person added neither hides the other.
- Of a reset nothing older is left: whoever signed in since with two factors, and not by the invitation itself, says that they
  know of it. That may be who made the reset; so it is kept, and told again to who is reset again.
- A person has few: of several of one kind by one person the second goes, else the oldest.

Deliberately absent: mail and messages (nothing leaves here), and the record of it (``accounts``, the ledger has it for good).

Source: OWASP ASVS 5.0 V6.3.7.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import orjson

from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.vault.keeper import roles
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.sign_in.sessions import Session

SHOWN_US = 90 * 24 * 3_600_000_000
KEPT_MAX = 20

What = Literal["reset", "invitation", "provider"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One of them. ``by``: id of who did it, or the name they had where the site had no people; ``away_us``: when it was put away."""

    id: str
    what: What
    by: str
    at_us: int
    away_us: int = 0


def add(keeper: Keeper, people: Collection[str], by: str, what: What) -> None:
    """Have people told, each but whoever did it."""
    with keeper.store.transaction():
        for person in people:
            if person != by:
                kept = _all(keeper, person)
                if what == "reset":  # whoever put one away may not have been them
                    kept = [replace(one, away_us=0) for one in kept]
                _keep(keeper, person, _shortened([*kept, Notice(uuid7(), what, by, keeper.now_us())]))


def of(keeper: Keeper, person: str) -> list[Notice]:
    """Give what a person is to be told, oldest first."""
    return [one for one in _all(keeper, person) if not one.away_us]


def shown(keeper: Keeper, person: str) -> list[dict[str, Any]]:
    """Give the same with the name of who did it, newest first."""
    return [
        {"at_us": one.at_us, "by": one.by, "id": one.id, "name": _name(keeper, one.by), "what": one.what}
        for one in reversed(of(keeper, person))
    ]


def put_away(keeper: Keeper, session: Session, id_: str) -> None:
    """Show a notice no more.

    Raises:
        KeeperError: ``NOT_FOUND``. ``NOT_PERMITTED``: this session came in by what is no older than what is told.
    """
    person = session.own
    with keeper.store.transaction():
        kept = _all(keeper, person)
        found = next((one for one in kept if one.id == id_ and not one.away_us), None)
        if found is None:
            raise KeeperError("notice", "there is no such", reason=Reason.NOT_FOUND)
        if _since_us(keeper, session, kept) < min(one.at_us for one in kept):
            left = [one for one in kept if one.id != id_]
        elif found.what == "reset" and _signed_in_since(session, found):
            left = [replace(one, away_us=keeper.now_us()) if one.id == id_ else one for one in kept]
        else:
            raise KeeperError("notice", _WHY[found.what == "reset"], reason=Reason.NOT_PERMITTED)
        _keep(keeper, person, left)
    keeper.note("notice.put-away", {"by": found.by, "person": person, "what": found.what})


def _all(keeper: Keeper, person: str) -> list[Notice]:
    kept = [Notice(**one) for one in orjson.loads(keeper.store.meta(_NAME.format(person)) or b"[]")]
    return [one for one in kept if keeper.now_us() - one.at_us < SHOWN_US]


def _signed_in_since(session: Session, reset: Notice) -> bool:
    """Whether somebody signed in, after a reset, with two factors that they had by then."""
    ways = set(session.by.split("+"))
    both = "passkey" in ways or ("totp" in ways and bool(ways & {"password", "provider"}))
    return both and "invitation" not in ways and session.begun_us >= reset.at_us


def _since_us(keeper: Keeper, session: Session, told: list[Notice]) -> int:
    """Say since when the newest of what a session began with may have been somebody else's: a factor, or the provider."""
    rows = keeper.store.rows(
        "SELECT kind, MAX(made_us) FROM factor WHERE person = ? GROUP BY kind", session.own
    )
    made = {str(kind): int(made_us) for kind, made_us in rows}
    made["provider"] = max((one.at_us for one in told if one.what == "provider"), default=0)
    return max((made[way] for way in session.by.split("+") if way in made), default=keeper.now_us())


def _shortened(kept: list[Notice]) -> list[Notice]:
    """Keep few: of those that say the same of the same person the first goes last, so that nobody pushes it out."""
    while len(kept) > KEPT_MAX:
        same = [(one.what, one.by) for one in kept]
        gone = next((n for n, one in enumerate(same) if one in same[:n]), 0)
        kept = [*kept[:gone], *kept[gone + 1 :]]
    return kept


def _keep(keeper: Keeper, person: str, kept: list[Notice]) -> None:
    keeper.store.set_meta(_NAME.format(person), orjson.dumps([asdict(one) for one in kept]).decode())


def _name(keeper: Keeper, id_: str) -> str:
    person = roles.person_of(keeper, id_)
    service = roles.service_of(keeper, id_) if person is None else None
    return person.name if person is not None else service.name if service is not None else id_


_NAME = "notices {}"
_WHY = {
    False: "is put away only by who signed in with what they had before: do so, or leave it; it goes by itself",
    True: "is put away only by who signed in since with both factors, not by the invitation: sign out and in again",
}
