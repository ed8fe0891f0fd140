"""``oathward quarantine``: what is held, why, and sending it through the path again."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from oathward.cli.output import DataOption, JsonOption, console, emit, settings_of
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.reasons import BY_CODE, Reason
from oathward.messages.model import HeldRow

APP = typer.Typer(help="Messages held back: list, show, release.", add_completion=False, no_args_is_help=True)

OPENINGS_MAX = 500
WHAT_TO_DO = {
    Reason.DEVICE_UNKNOWN: "see `oathward device held`; adopt the device, then release",
    Reason.DEVICE_MISMATCH: "its certificate or address is of another device than MSH-3/4 says; mend the device or its entry",
    Reason.DEVICE_NOT_ENTITLED: "its inventory entry does not list this message type",
    Reason.BUNDLE_MISSING: "activate a policy: `oathward policy activate DIR`, then release",
    Reason.KEEPER_UNAVAILABLE: "the keeper did not answer; release once `oathward doctor` is content",
    Reason.GUARD_STOPPED: "identifying text would have left; mend the link's profile or the sender",
    Reason.PATIENT_AMBIGUOUS: "the patient could not be told; settle the identity (ADT), then release",
    Reason.MESSAGE_UNDECODABLE: "the bytes are not HL7 v2; mend the sender",
}


@APP.command("list")
def list_held(
    data: DataOption = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason code.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many, newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what is held now, newest first: when, from which device, why, for which links."""
    from oathward.core.db import connect, read
    from oathward.messages import sql

    engine = connect(settings_of(data).database_url)
    with read(engine) as db:
        rows = sql.held_rows(db, reason=reason, limit=limit)
        counts = sql.held_counts(db)

    def human() -> None:
        if not rows:
            print(
                "Nothing is held. Messages come here when a device is unknown, a patient cannot be told, or a rule cannot decide."
            )
            return
        from rich.table import Table

        table = Table(
            "received (UTC)", "message", "device", "reason", "where", "held for", box=None, pad_edge=False
        )
        table.columns[1].no_wrap = True  # ids are for copying
        for row in rows:
            table.add_row(
                f"{from_micros(row.at_us):%Y-%m-%d %H:%M:%S}",
                row.message,
                row.device or "—",
                row.reason,
                row.place or "—",
                row.links or "all",
            )
        out = console()
        out.print(table)
        shown = f", showing {len(rows)}" if sum(counts.values()) > len(rows) else ""
        out.print(f"{sum(counts.values())} held{shown}. `oathward quarantine show MESSAGE` says what to do.")

    emit({"held": [_row(row) for row in rows], "counts": counts}, as_json=as_json, human=human)


@APP.command()
def show(
    message: Annotated[str, typer.Argument(help="Message id.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one held message: its metadata and what would mend it; never its content."""
    row = _find(data, message)

    def human() -> None:
        for name, value in _row(row).items():
            print(f"{name:>10}  {value}")

    emit(_row(row), as_json=as_json, human=human)


@APP.command()
def release(
    messages: Annotated[list[str] | None, typer.Argument(help="Message ids.")] = None,
    reason: Annotated[str, typer.Option(help="Why; recorded in the ledger. No patient data.")] = "",
    every: Annotated[
        str | None, typer.Option("--all-with-reason", help="Every message held for this reason code.")
    ] = None,
    person: Annotated[str | None, typer.Option(help="Who asks; your login name by default.")] = None,
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
    from oathward.messages import sql
    from oathward.vault.keeper.proof import admin_proof

    if not reason.strip():
        raise InputError("--reason", "say why; it stands in the ledger")
    settings = settings_of(data)
    name = person or getpass.getuser()
    admin = build(settings, "admin")
    with read(admin.engine) as db:
        rows = (
            sql.held_rows(db, reason=every, limit=OPENINGS_MAX)
            if every
            else [row for id_ in messages or () if (row := sql.held(db, id_)) and row.state == "held"]
        )
    if not rows:
        raise InputError("messages", "none of these is held", reason=Reason.NOT_FOUND)
    originals = admin.keeper.export_open(
        [row.message for row in rows], "HOPERAT", reason, admin_proof(name), sealed_for="quarantine"
    )
    opened = {one.message: one.data for one in originals}
    admin.keeper.close()
    gate = Gate(build(settings, "gateway"), writer="replay")
    results = replay.release(gate, [(row, opened[row.message]) for row in rows], by=name, reason=reason)
    gate.close()

    def human() -> None:
        for one in results:
            if one.released:
                print(f"{one.message}  released{' for ' + ', '.join(one.links) if one.links else ''}")
            else:
                print(f"{one.message}  still held: {one.reason}")

    emit({"released": results}, as_json=as_json, human=human)
    if not all(one.released for one in results):
        raise typer.Exit(1)


def _find(data: str | None, message: str) -> HeldRow:
    from oathward.core.db import connect, read
    from oathward.messages import sql

    with read(connect(settings_of(data).database_url)) as db:
        row = sql.held(db, message)
    if row is None:
        raise InputError("message", "not in quarantine", reason=Reason.NOT_FOUND)
    return row


def _row(row: HeldRow) -> dict[str, str]:
    known = BY_CODE.get(row.reason)
    return {
        "message": row.message,
        "state": row.state,
        "received": iso(from_micros(row.at_us)),
        "device": row.device,
        "peer": row.peer.split(" ")[0],
        "reason": row.reason,
        "where": row.place,
        "links": row.links or "all",
        "what_to_do": WHAT_TO_DO.get(known, "look at the reason; release once its cause is mended")
        if known
        else "",
    }
