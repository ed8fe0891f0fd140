"""``oathward consent withdrawals``: how soon a patient's "no" was in effect, by link and one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import now_us, opened
from oathward.cli.output import DataOption, JsonOption, console, emit
from oathward.core.clock import from_micros, iso

if TYPE_CHECKING:
    from oathward.consent.withdrawals import LinkSums, OnLink, Withdrawal, Withdrawals

SHOWN_MAX = 50


def withdrawals(
    subject: Annotated[str, typer.Option(help="Of one subject alone.")] = "",
    days: Annotated[int, typer.Option(min=1, max=365, help="How far back.")] = 30,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, latest first.")] = SHOWN_MAX,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how soon what patients took back was in effect, link by link, and what it took away.

    Ends with 1 where a part has not reported, a second later, that it stopped.
    """
    from oathward.activation import load_active
    from oathward.consent.withdrawals import Withdrawals
    from oathward.core.db import read
    from oathward.patients import views as patients

    with opened(data) as site, read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen)
        found = Withdrawals(
            db,
            site.site,
            bundle=active.bundle if active is not None else None,
            bundle_us=active.at_us if active is not None else 0,
            family=lambda one: patients.family(db, site.site, one),
            now_us=now_us(site),
            days=days,
            subject=subject,
        )
    sums, rows = found.by_link(), found.rows[:limit]
    body = {"links": [_sums(one) for one in sums], "withdrawals": [_plain(one) for one in rows]}
    emit(body, as_json=as_json, human=lambda: _human(found, sums, rows))
    if found.unheard():
        raise typer.Exit(1)


def _human(found: Withdrawals, sums: list[LinkSums], rows: list[Withdrawal]) -> None:
    if not rows:
        print("Nobody took anything back in this time.")
        return
    from rich.table import Table

    table = Table(
        "link", "withdrawals", "half within", "worst", "taken back", "broken off", box=None, pad_edge=False
    )
    for one in sums:
        worst = "not reported" if one.unheard else _seconds(one.worst_ms)
        numbers = str(one.count), _seconds(one.p50_ms), worst, str(one.withdrawn), str(one.in_flight)
        table.add_row(one.link, *numbers)
    console().print(table)
    print()
    each = Table("recorded (UTC)", "subject", "version", "in effect after", box=None, pad_edge=False)
    for row in rows:
        silent = f"not reported: {', '.join(row.unheard)}" if row.unheard else _seconds(row.ms)
        when = f"{from_micros(row.committed_us):%Y-%m-%d %H:%M:%S}"
        each.add_row(when, row.subject, str(row.version), silent)
    console().print(each)
    if silent_count := len(found.unheard()):
        print(f"{silent_count} are not in effect everywhere, as far as is known: `oathward doctor`.")


def _seconds(ms: int | None) -> str:
    return "not measured" if ms is None else f"{ms / 1000:.2f} s"


def _sums(one: LinkSums) -> dict[str, Any]:
    names = ("link", "count", "p50_ms", "worst_ms", "withdrawn", "in_flight", "unheard")
    return {name: getattr(one, name) for name in names}


def _plain(one: Withdrawal) -> dict[str, Any]:
    return {
        "subject": one.subject,
        "version": one.version,
        "committed": iso(from_micros(one.committed_us)),
        "ms": one.ms,
        "links": [_link(on) for on in one.links],
    }


def _link(on: OnLink) -> dict[str, Any]:
    names = ("link", "ms", "withdrawn", "in_flight", "answered")
    return {name: getattr(on, name) for name in names} | {
        "began_after": on.away,
        "unheard": list(on.unheard),
    }
