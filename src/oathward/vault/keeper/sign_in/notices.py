"""What somebody else did to a person's way of signing in, told to that person until they have seen it.

| what | somebody else |
|---|---|
| ``reset`` | ended every factor, and made an invitation |
| ``invitation`` | made an invitation beside the person's sign-in at the provider |
| ``provider`` | wrote another sign-in at the provider into their record |

Rules:
- It is shown at each sign-in for ``SHOWN_US``, or until the person puts it away. What one does to oneself is no news.
- Who came in by the very way that was added cannot put the notice of it away: it would be theirs who added it.
- A person has few: the oldest goes.

Deliberately absent: mail and messages (nothing leaves here), and the record of it (``accounts``, the ledger has it for good).

Source: OWASP ASVS 5.0 V6.3.7.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson

from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.vault.keeper import roles
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.sign_in.sessions import Session

SHOWN_US = 30 * 24 * 3_600_000_000
KEPT_MAX = 20

What = Literal["reset", "invitation", "provider"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One of them. ``by``: id of who did it, or the name they had where the site had no people."""

    id: str
    what: What
    by: str
    at_us: int


def add(keeper: Keeper, people: Collection[str], by: str, what: What) -> None:
    """Have people told, each but whoever did it."""
    with keeper.store.transaction():
        for person in people:
            if person != by:
                kept = [*of(keeper, person), Notice(uuid7(), what, by, keeper.now_us())]
                _keep(keeper, person, kept[-KEPT_MAX:])


def of(keeper: Keeper, person: str) -> list[Notice]:
    """Give what a person is to be told, oldest first."""
    kept = [Notice(**one) for one in orjson.loads(keeper.store.meta(_NAME.format(person)) or b"[]")]
    return [one for one in kept if keeper.now_us() - one.at_us < SHOWN_US]


def shown(keeper: Keeper, person: str) -> list[dict[str, Any]]:
    """Give the same with the name of who did it, newest first."""
    return [asdict(one) | {"name": _name(keeper, one.by)} for one in reversed(of(keeper, person))]


def put_away(keeper: Keeper, session: Session, id_: str) -> None:
    """Show a notice no more.

    Raises:
        KeeperError: ``NOT_FOUND``. ``NOT_PERMITTED``: this session came in by what it is about.
    """
    person = session.own
    with keeper.store.transaction():
        kept = of(keeper, person)
        found = next((one for one in kept if one.id == id_), None)
        if found is None:
            raise KeeperError("notice", "there is no such", reason=Reason.NOT_FOUND)
        by_provider = session.by.startswith("provider")
        if (found.what == "provider" and by_provider) or (found.what == "invitation" and not by_provider):
            why = "is about the way you came in just now: sign in the way you did before, or leave it"
            raise KeeperError("notice", why, reason=Reason.NOT_PERMITTED)
        _keep(keeper, person, [one for one in kept if one.id != id_])
    keeper.note("notice.put-away", {"by": found.by, "person": person, "what": found.what})


def _keep(keeper: Keeper, person: str, kept: list[Notice]) -> None:
    keeper.store.set_meta(_NAME.format(person), orjson.dumps([asdict(one) for one in kept]).decode())


def _name(keeper: Keeper, id_: str) -> str:
    person = roles.person_of(keeper, id_)
    service = roles.service_of(keeper, id_) if person is None else None
    return person.name if person is not None else service.name if service is not None else id_


_NAME = "notices {}"
