"""One's own account, by the API: how one signs in, what others did to that, and what waits for oneself.

Deliberately absent: changing any of it (the page My account does, with proofs of two factors).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.proposing.turns import Turn, turns
from oathward.web.calls import Call
from oathward.web.page import Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.vault.keeper.client.people import Own
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class FactorOut:
    """One of one's factors; `used`: null for never."""

    kind: str
    label: str
    made: datetime
    used: datetime | None


@dataclass(frozen=True, slots=True)
class NoticeOut:
    """What somebody else did to how one signs in, and one has not put away."""

    id: str
    what: str
    by: str
    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class AccountOut:
    """One's own account; `waiting`: what waits for oneself."""

    person: str
    login: str
    factors: list[FactorOut]
    notices: list[NoticeOut]
    waiting: list[Turn]


def account(view: View) -> Response:
    """Give one's own account, what others did to it, and what waits for oneself."""
    people = bool(view.visit and view.visit.person_id)
    own = view.site.keeper.people.account_own(view.proof) if people else None
    waiting = turns(view.site, view.actor.id, view.may, view.proof, view.now_us)
    return view.json(told(own, view.person, waiting))


def told(own: Own | None, person: str, waiting: Sequence[Turn]) -> AccountOut:
    """Tell an account; ``own``: none on a site without people; ``person``: the name."""
    if own is None:
        return AccountOut(person, "", [], [], [])
    return AccountOut(
        person,
        own.login,
        [
            FactorOut(
                one.kind,
                one.label,
                from_micros(one.made_us),
                from_micros(one.used_us) if one.used_us else None,
            )
            for one in own.factors
        ],
        [NoticeOut(one.id, one.what, one.by, from_micros(one.at_us), one.words) for one in own.notices],
        list(waiting),
    )


API = (
    Route("/api/v1/own/account", account, action="own.see", api=True, call=Call(gives=AccountOut)),
)  # fmt: skip
