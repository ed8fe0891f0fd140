"""``oathward policy review``: what of the policy in force somebody should look at, and what would remove it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.output import DataOption, JsonOption, emit
from oathward.cli.permitted import who_may
from oathward.core.clock import from_micros
from oathward.core.errors import InputError, KeeperError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.changes.findings_views import FindingView
    from oathward.vault.opened import Opened

DAYS = 90


def review(
    *,
    sign_off: Annotated[
        str, typer.Option("--sign-off", metavar="ID", help="Answer for one finding for a time.")
    ] = "",
    why: Annotated[str, typer.Option(help="Why, with --sign-off; it goes into the ledger.")] = "",
    days: Annotated[int, typer.Option(help="For how many days, with --sign-off.")] = DAYS,
    every: Annotated[bool, typer.Option("--all", help="Also what is signed off or gone.")] = False,
    show: Annotated[
        str, typer.Option("--show", metavar="ID", help="One finding, with what would remove it.")
    ] = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Review the policy in force now, and list what is found; or sign one finding off."""
    if bool(why) != bool(sign_off):
        raise InputError("--sign-off", "takes --why, and --why takes it", reason=Reason.INPUT_INVALID)
    with opened(data) as site:
        if sign_off:
            by = who_may(site, person, "review.sign-off")
            _sign_off(site, sign_off, why, days, by, person, as_json=as_json)
        elif show:
            _show(site, show, person, as_json=as_json)
        else:
            _list(site, person, every=every, as_json=as_json)


def _list(site: Opened, person: str | None, *, every: bool, as_json: bool) -> None:
    from oathward import reviewing
    from oathward.changes import findings_views
    from oathward.core.db import read

    if reviewing.run(site) is None:
        raise InputError(
            "policy", "none is active; run oathward policy activate DIR", reason=Reason.BUNDLE_MISSING
        )
    with read(site.engine) as db:
        found = findings_views.findings(db, site.site, now_us(site))
    shown = _named(site, person, found if every else [one for one in found if one.open])

    def human() -> None:
        for one in shown:
            print(f"{one.row.id}  {one.title}: {_whose(one)}{one.words}{_standing(one)}")
        rest = len(found) - len(shown)
        more = f"; {rest} signed off or gone (--all)" if rest else ""
        print(f"{len(shown)} to look at{more}." if shown else f"Nothing to look at{more}.")
        if any(one.proposal for one in shown):
            print("What would remove one: oathward policy review --show ID")

    emit({"findings": [_plain(one) for one in shown]}, as_json=as_json, human=human)


def _show(site: Opened, id_: str, person: str | None, *, as_json: bool) -> None:
    from oathward import activation
    from oathward.changes import findings_views
    from oathward.core.db import read
    from oathward.policy.files import unpack

    with read(site.engine) as db:
        one = findings_views.one(db, site.site, id_, now_us(site))
        active = activation.load_active(db, site.site, site.authority, site.seen)
    (one,) = _named(site, person, [one])
    files = unpack(active.bundle.body) if active else {}
    fits = active is not None and active.bundle.digest.hex() == one.row.bundle
    text = one.proposal.difference(files) if one.proposal and fits else ""

    def human() -> None:
        print(f"{one.title}: {_whose(one)}{one.words}{_standing(one)}")
        if text:
            sys.stdout.write(f"Proposed: {one.proposal.words if one.proposal else ''}\n{text}")
        elif one.proposal:
            print("It was found in another bundle; review again: oathward policy review")

    emit({**_plain(one), "difference": text}, as_json=as_json, human=human)


def _sign_off(
    site: Opened, id_: str, why: str, days: int, by: str, person: str | None, *, as_json: bool
) -> None:
    from oathward.changes import findings_actions, findings_views
    from oathward.core.db import read, write

    with write(site.engine) as db:
        row = findings_actions.sign_off(db, site.site, id_, by=by, why=why, days=days, now_us=now_us(site))
    until = f"{from_micros(row.until_us):%Y-%m-%d}"
    with read(site.engine) as db:
        found = findings_views.one(db, site.site, id_, now_us(site))
    (one,) = _named(site, person, [found])
    emit(
        {"finding": row.id, "by": by, "until": until},
        as_json=as_json,
        human=lambda: print(f"Signed off until {until} by {by}: {row.rule}, {one.called or one.about}."),
    )


def _named(site: Opened, person: str | None, found: Sequence[FindingView]) -> list[FindingView]:
    """Say whom findings are about to who may see people; to others, that they are about somebody."""
    from oathward.core.db import read
    from oathward.people import views

    ids = {id_ for one in found for id_ in one.people}
    names = None
    if ids:
        with suppress(InputError, KeeperError):  # nobody who may is signed in
            who_may(site, person, "people.see")
            with read(site.engine) as db:
                names = views.names(db, site.site, ids)
    return [one.named(names) for one in found]


def _whose(one: FindingView) -> str:
    """Say whom a finding about one person is about; words about several name them."""
    return f"{one.called or one.person}: " if one.person else ""


def _standing(one: FindingView) -> str:
    row = one.row
    if one.overdue:
        return f" (signed off until {from_micros(row.until_us):%Y-%m-%d}, which has passed)"
    return "" if row.state == "open" else f" ({row.state})"


def _plain(one: FindingView) -> dict[str, Any]:
    row = one.row
    return {
        "id": row.id,
        "rule": row.rule,
        "about": one.about,
        "words": one.words,
        "state": row.state,
        "since": from_micros(row.first_us),
        "by": row.by,
        "why": row.why,
        "until": from_micros(row.until_us) if row.until_us else None,
        "proposal": one.proposal.words if one.proposal else None,
    }
