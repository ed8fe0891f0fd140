"""``oathward quarantine``: what is held, why, sending it through the path again, or giving it up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from oathward.cli import remote
from oathward.cli.asking import PersonOption, now_us, opened, person_of, recorded_as
from oathward.cli.devices import WhyOption, reason_of
from oathward.cli.output import DataOption, JsonOption, console, emit, one_of, settings_of
from oathward.cli.permitted import used, who_may
from oathward.cli.remote import ServerOption, server_of
from oathward.cli.remote import show as show_rows
from oathward.cli.signed_in import proof_of
from oathward.core.clock import Clock, from_micros, iso
from oathward.core.errors import InputError
from oathward.core.meanings import MEANINGS, Meaning
from oathward.core.reasons import BY_CODE, Reason
from oathward.messages.model import HeldRow

if TYPE_CHECKING:
    from rich.table import Table
    from sqlalchemy import Connection

APP = typer.Typer(
    help="Messages held back: list, show, release, discard.", add_completion=False, no_args_is_help=True
)

OPENINGS_MAX = 500
LINES_MAX = 20
WIDE_COLUMNS = 130
SHORT_ID_LENGTH = 12
"""The last group of a message id, which is random."""
ENDING_LENGTH_MIN = 6
CALLED = (Reason.DEVICE_UNKNOWN.code, Reason.DEVICE_MISMATCH.code)

Messages = Annotated[
    list[str] | None,
    typer.Argument(metavar="MESSAGE", help="Message ids, or their last 6 characters or more."),
]
Every = Annotated[
    str | None,
    typer.Option("--all-with-reason", metavar="CODE", help="Every message held for this reason code."),
]
Stranger = Annotated[
    str | None,
    typer.Option(
        "--device-held",
        metavar="HELD",
        help="Every message from the certificate or address of this one of `oathward device held`.",
    ),
]


@APP.command("list")
def list_held(
    data: DataOption = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason code.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, newest first.")] = 50,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is held now, newest first: when, from which device, why, for which links."""
    from oathward.core.db import connect, read
    from oathward.messages import sql

    if reason is not None:
        one_of("--reason", reason, BY_CODE, "reason code")
    if url := server_of(server):
        columns = ("received", "message", "device", "reason", "place", "links")
        show_rows(
            url, "/api/v1/quarantine", "held", columns, as_json=as_json, query={"reason": reason}, most=limit
        )
        return
    engine = connect(settings_of(data).database_url)
    with read(engine) as db:
        rows = sql.held_rows(db, reason=reason, limit=limit)
        counts = sql.held_counts(db)

    def human() -> None:
        if not rows:
            if reason and counts:
                print(f"Nothing is held for {reason}; {sum(counts.values())} for other reasons.")
                return
            print(
                "Nothing is held. Messages come here when a device is unknown, a patient cannot be told, or a rule cannot decide."
            )
            return
        out = console()
        out.print(table_of(rows, out.width, Clock().now()))
        shown = f", showing {len(rows)}" if sum(counts.values()) > len(rows) else ""
        out.print(f"{sum(counts.values())} held{shown}. `oathward quarantine show MESSAGE` says what to do.")

    emit({"held": [_row(row) for row in rows], "counts": counts}, as_json=as_json, human=human)


def table_of(rows: Sequence[HeldRow], width: int, now: datetime) -> Table:
    """Lay out held messages; a reason and an id are never cut.

    Args:
        width: columns of the terminal; a narrow one gets the end of each id, which every command takes.
    """
    from rich.table import Table

    wide = width >= WIDE_COLUMNS
    headings = ["received (UTC)" if wide else "UTC", "message", "device", "reason"]
    table = Table(*headings, *(("where", "held for") if wide else ()), box=None, pad_edge=False)
    for column in (0, 1, 3):
        table.columns[column].no_wrap = True
        table.columns[column].min_width = 8
    table.columns[2].overflow = "fold"
    for column, cells in ((0, [_when(r, now, wide=wide) for r in rows]), (3, [r.reason for r in rows])):
        table.columns[column].min_width = max(map(len, cells), default=0)
    for row in rows:
        id_ = row.message if wide else row.message[-SHORT_ID_LENGTH:]
        more = (row.place or "—", row.links or "all") if wide else ()
        table.add_row(_when(row, now, wide=wide), id_, row.device or "—", row.reason, *more)
    return table


def _when(row: HeldRow, now: datetime, *, wide: bool) -> str:
    at = from_micros(row.at_us)
    if wide:
        return f"{at:%Y-%m-%d %H:%M:%S}"
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%m-%d %H:%M}"


@APP.command()
def show(
    message: Annotated[
        str, typer.Argument(metavar="MESSAGE", help="Message id, or its last 6 characters or more.")
    ],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one held message: its metadata and what would mend it; never its content."""
    from oathward.core.db import connect, read
    from oathward.gateway.arrival import peer_of
    from oathward.inventory import views

    settings = settings_of(data)
    with read(connect(settings.database_url)) as db:
        row = _find(db, message)
        peer = peer_of(row.peer)
        certificate = peer.cert_sha256.hex() if peer.cert_sha256 else ""
        known = views.Known(db, settings.site.name)
        owners = known.owners(peer.address, certificate, peer.cert_names)
        called = views.called(db, settings.site.name, peer.address, certificate)
    value = _row(row) | {
        "certificate": certificate,
        "belongs_to": ", ".join(owners),
        "called_itself": "; ".join(called) if row.reason in CALLED else "",
    }

    def human() -> None:
        for name, text in value.items():
            if text:
                print(f"{name:>13}  {text}")

    emit(value, as_json=as_json, human=human)


@APP.command()
def release(  # noqa: PLR0917  one parameter an option
    reason: WhyOption,
    messages: Messages = None,
    every: Every = None,
    stranger: Stranger = None,
    person: PersonOption = None,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send held messages through the whole path again, under today's policy. What it holds again stays held.

    Exit code 1 when something stayed held.
    """
    from oathward.app import build
    from oathward.core.db import read
    from oathward.gateway import replay
    from oathward.gateway.gate import Gate

    why = reason_of(reason)
    if url := server_of(server):
        if every or stranger or not messages:
            raise InputError(
                "messages", "a server is asked for messages one by one; name them by their whole ids"
            )
        raise typer.Exit(remote.release(url, messages, why, as_json=as_json))
    settings = settings_of(data)
    name = person_of(person)
    admin = build(settings, "admin")
    with read(admin.engine) as db:
        rows = _chosen(db, settings.site.name, messages, every, stranger)
    proof = proof_of(admin.settings, admin.keeper, name)
    originals = admin.keeper.export_open(
        [row.message for row in rows], "HOPERAT", why, proof, sealed_for="quarantine"
    )
    used(admin, proof, "quarantine.release")
    contents, by = {one.message: one.data for one in originals}, recorded_as(admin, name)
    admin.keeper.close()
    gate = Gate(build(settings, "gateway"), writer="replay")
    results = replay.release(gate, [(row, contents[row.message]) for row in rows], by=by, reason=why)
    gate.close()

    def human() -> None:
        for one in results[:LINES_MAX]:
            if one.released:
                print(f"{one.message}  released{' for ' + ', '.join(one.links) if one.links else ''}")
            else:
                print(f"{one.message}  still held: {one.reason}")
        if len(results) > LINES_MAX:
            print(f"… and {len(results) - LINES_MAX} more; --json lists all")
        released = sum(one.released for one in results)
        print(f"{released} released, {len(results) - released} still held.")
        if len(rows) == OPENINGS_MAX:
            print(f"At most {OPENINGS_MAX} at once: run it again for the rest.")

    emit({"released": results}, as_json=as_json, human=human)
    if not all(one.released for one in results):
        raise typer.Exit(1)


@APP.command()
def discard(
    reason: WhyOption,
    messages: Messages = None,
    every: Every = None,
    stranger: Stranger = None,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give up held messages for good: nothing can release them, and their sealed originals are let go of."""
    from oathward.core.db import write
    from oathward.messages import actions

    why = reason_of(reason)
    with opened(data) as site:
        who = who_may(site, person, "quarantine.discard")
        with write(site.engine) as db:
            rows = _chosen(db, site.site, messages, every, stranger)
            actions.discard_held(db, rows, by=who, reason=why, now_us=now_us(site))

    def human() -> None:
        print(f"{len(rows)} discarded.")
        if len(rows) == OPENINGS_MAX:
            print(f"At most {OPENINGS_MAX} at once: run it again for the rest.")

    emit({"discarded": [row.message for row in rows]}, as_json=as_json, human=human)


def _chosen(
    db: Connection, site: str, messages: Sequence[str] | None, every: str | None, stranger: str | None
) -> list[HeldRow]:
    """Read the held messages that a command names, one by one or by what they have in common.

    Raises:
        InputError: both or neither were named, or no reason code; ``not-found``: none is held.
    """
    from oathward.inventory import sql as inventory
    from oathward.messages import sql

    if every:
        one_of("--all-with-reason", every, BY_CODE, "reason code")
    if bool(messages) == bool(every or stranger):
        raise InputError("messages", "name messages, or --all-with-reason, or --device-held")
    peer = None
    if stranger:
        found = inventory.held_row(db, site, stranger)
        peer = found and (found.certificate or found.address)
        if not peer:
            raise InputError("--device-held", "no such device was held", reason=Reason.NOT_FOUND)
    if messages:
        named = {row.message: row for one in messages for row in (_find(db, one),)}
        rows = [row for row in named.values() if row.state == "held"]
    else:
        rows = sql.held_rows(db, reason=every, peer=peer, limit=OPENINGS_MAX)
    if not rows:
        raise InputError("messages", "none of these is held", reason=Reason.NOT_FOUND)
    return rows


def _find(db: Connection, message: str) -> HeldRow:
    """Find one message by its id, or by an ending that only it has.

    Raises:
        InputError: ``not-found``, or ``conflict`` where several end so.
    """
    from oathward.messages import sql

    ending = message.casefold()
    found = [] if len(ending) < ENDING_LENGTH_MIN else sql.held_ending(db, ending)
    if len(found) > 1:
        raise InputError("message", "several ids end so; give more of it", reason=Reason.CONFLICT)
    row = sql.held(db, found[0]) if found else None
    if row is None:
        raise InputError("message", "not in quarantine", reason=Reason.NOT_FOUND)
    return row


def _row(row: HeldRow) -> dict[str, str]:
    known = BY_CODE.get(row.reason)
    meaning = MEANINGS[known] if known else Meaning("")
    return {
        "message": row.message,
        "state": row.state,
        "received": iso(from_micros(row.at_us)),
        "device": row.device,
        "peer": row.peer.split(" ")[0],
        "reason": row.reason,
        "where": row.place,
        "links": row.links or "all",
        "meaning": meaning.what,
        "what_to_do": meaning.remedy,
    }
