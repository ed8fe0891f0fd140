"""Withdrawals by the API: how soon they were in effect, by link and one by one. What the page Withdrawals shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.consent.withdrawals import LinkSums
from oathward.core.clock import from_micros
from oathward.web import seeking
from oathward.web.calls import Call, Query
from oathward.web.page import Route, named
from oathward.web.pages.withdrawals import of_path
from oathward.web.withdrawn import sees_whose, withdrawals

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.consent.withdrawals import OnLink, Withdrawal
    from oathward.web.view import View

LISTED_MAX = 200


@dataclass(frozen=True, slots=True)
class OnLinkOut:
    """One link; `ms`: until every part stopped, null where that is not known; `unheard`: parts that have not reported."""

    link: str
    ms: int | None
    withdrawn: int
    in_flight: int
    answered: int
    began_after: bool
    unheard: list[str]


@dataclass(frozen=True, slots=True)
class WithdrawalOut:
    """One withdrawal; `subject` is empty for those who may not know whose it was."""

    subject: str
    version: int
    committed: datetime
    ms: int | None
    links: list[OnLinkOut]


def listed(view: View) -> Response:
    """List what was withdrawn in the last 30 days, latest first, two hundred at most."""
    found = withdrawals(view)
    rows = found.unheard() if view.asks.get("state") == "unheard" else found.rows
    whose = sees_whose(view)
    return view.listed([_plain(one, whose=whose) for one in rows[:LISTED_MAX]])


def links(view: View) -> Response:
    """Sum up each link over the last 30 days, what is not in effect first."""
    return view.listed(withdrawals(view).by_link())


def one(view: View) -> Response:
    """Show one withdrawal, link by link."""
    return view.json(_plain(of_path(view), whose=True))


def _plain(one: Withdrawal, *, whose: bool) -> WithdrawalOut:
    return WithdrawalOut(
        one.subject if whose else "",
        one.version,
        from_micros(one.committed_us),
        one.ms,
        [_link(on) for on in one.links],
    )


def _link(on: OnLink) -> OnLinkOut:
    return OnLinkOut(*(on.link, on.ms, on.withdrawn, on.in_flight, on.answered), on.away, list(on.unheard))


API = (
    Route(
        "/api/v1/withdrawals",
        listed,
        action="withdrawals.see",
        api=True,
        call=Call(
            gives=WithdrawalOut, listed=True, asks={"state": Query("`all` without it", ("all", "unheard"))}
        ),
    ),
    Route(
        "/api/v1/withdrawals/links",
        links,
        action="withdrawals.see",
        api=True,
        call=Call(gives=LinkSums, listed=True),
    ),
    Route(
        "/api/v1/withdrawals/{subject}/{version}",
        one,
        action="consent.explain",
        thing=named("patient", "subject"),
        around=seeking.about,
        api=True,
        call=Call(gives=WithdrawalOut),
    ),
)
