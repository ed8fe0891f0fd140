"""``oathward outbox``: deliveries that have not happened."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from oathward.cli.output import DataOption, JsonOption, console, emit, settings_of
from oathward.core.clock import Clock, from_micros, iso, micros
from oathward.core.errors import InputError
from oathward.messages.model import Delivery

APP = typer.Typer(
    help="Deliveries: what waits, what failed; try one again, or give it up.",
    add_completion=False,
    no_args_is_help=True,
)

Id = Annotated[str, typer.Argument(metavar="ID", help="Outgoing id, as the recipient sees it in MSH-10.")]
WhyOption = Annotated[str, typer.Option("--why", help="Why; recorded in the ledger. No patient data.")]


@APP.command("list")
def list_rows(
    data: DataOption = None,
    state: Annotated[str | None, typer.Option(help="pending, blocked or dead.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, oldest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List deliveries that have not happened, oldest first, with their count per link."""
    from oathward.core.db import connect, read
    from oathward.messages import missing, sql

    settings = settings_of(data)
    if state is not None and state not in set(Delivery):
        raise InputError("--state", f"one of {', '.join(Delivery)}")
    with read(connect(settings.database_url)) as db:
        nowhere = missing.rows(db, settings.site.name, limit=limit)
        rows = sql.outbox_rows(db, state=state, limit=limit)
        counts = sql.outbox_counts(db)
    value = {
        "counts": [{"link": link, "state": s, "rows": n} for (link, s), n in sorted(counts.items())],
        "rows": [
            {
                "id": r.id, "link": r.link, "sender": r.sender, "message": r.message, "state": r.state,
                "tries": r.attempts, "reason": r.reason, "since": iso(from_micros(r.created_us)),
            }
            for r in rows
        ],
        "missing": [
            {
                "id": r.id, "link": r.link, "message": r.message, "what": r.what, "record": r.record,
                "since": iso(from_micros(r.at_us)),
            }
            for r in nowhere
        ],
    }  # fmt: skip

    def human() -> None:
        for lost in nowhere:
            why = _MISSING[lost.what == "missing"]
            print(f"MISSING  {lost.id} on {lost.link}: {why} (record {lost.record})")
        if nowhere:
            print("`oathward outbox discard ID --why WHY` takes one off this list, once you know why.")
        if not counts:
            print(
                "Nothing waits."
                if nowhere
                else "Nothing waits: every delivery that was permitted has happened or was given up."
            )
            return
        print(f"{'rows':>8}  {'state':<8} link")
        for one in value["counts"]:
            print(f"{one['rows']:>8}  {one['state']:<8} {one['link']}")
        if not rows:
            return
        from rich.table import Table

        table = Table("since (UTC)", "delivery", "link", "state", "tries", "reason", box=None, pad_edge=False)
        table.columns[1].no_wrap = True  # ids are for copying
        for r in rows:
            since = f"{from_micros(r.created_us):%Y-%m-%d %H:%M:%S}"
            table.add_row(since, r.id, r.link, r.state, str(r.attempts), r.reason or "—")
        print()
        console().print(table)

    emit(value, as_json=as_json, human=human)


@APP.command()
def retry(id_: Id, reason: WhyOption, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Try a dead or blocked delivery again; refused where policy or consent still withholds it."""
    from oathward.core.db import connect
    from oathward.courier.again import Again
    from oathward.messages import actions
    from oathward.vault.authority import trust_anchor

    settings = settings_of(data)
    again = Again(connect(settings.database_url), settings.site.name, trust_anchor(settings), Clock())
    act = partial(actions.retry, refused=again)
    _act(act, id_, reason, data, as_json=as_json, word="will be tried again")


@APP.command()
def discard(id_: Id, reason: WhyOption, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Set a blocked delivery aside, so that its sender's next ones go on; take a dead one out of the outbox.

    A blocked one that is set aside is dead: `retry` can still send it. One that is taken out is gone.

    A missing one is taken off the list of those.
    """
    from oathward.messages import actions

    _act(
        actions.discard, id_, reason, data, as_json=as_json, word="set aside", gone="taken out of the outbox"
    )


def _act(
    act: Callable[..., Any],
    id_: str,
    reason: str,
    data: str | None,
    *,
    as_json: bool,
    word: str,
    gone: str = "",
) -> None:
    from oathward.consent.notices.actions import discarded
    from oathward.core.db import connect, write
    from oathward.messages.actions import give_up_missing

    if not reason.strip():
        raise InputError("--why", "say why; it stands in the ledger")
    settings = settings_of(data)
    by, now_us = getpass.getuser(), micros(Clock().now())
    said: dict[str, Any] = {"by": by, "reason": reason, "now_us": now_us}
    with write(connect(settings.database_url)) as db:
        if gone:
            discarded(db, settings.site.name, id_, by=by, at_us=now_us)
        nowhere = give_up_missing(db, settings.site.name, id_, **said) if gone else None
        if nowhere is not None:
            link, word = nowhere.link, "off the list of missing ones"
        else:
            row = act(db, id_, **said)
            link, word = row.link, gone if gone and row.state == Delivery.DEAD else word
    emit(
        {"id": id_, "link": link, "done": word},
        as_json=as_json,
        human=lambda: print(f"{id_} on {link}: {word}"),
    )


_MISSING = {
    True: "permitted, not delivered, and not in the outbox",
    False: "its row in the outbox is not as it was permitted",
}
