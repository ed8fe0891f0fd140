"""``oathward patient``: who was merged with whom, and undoing it. Ids only; nobody's name or number."""

from __future__ import annotations

from typing import Annotated

import typer

from oathward.cli.asking import (
    IdentifierFileOption,
    PersonOption,
    hasher_of,
    identifiers_in,
    now_us,
    opened,
    person_of,
)
from oathward.cli.output import DataOption, JsonOption, console, emit, settings_of
from oathward.cli.permitted import asks, who_may
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

APP = typer.Typer(
    help="Patients: find one, merges and undoing them, canaries.", add_completion=False, no_args_is_help=True
)


@APP.command()
def find(
    identifier_file: IdentifierFileOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Find the subject ids of identifiers, one a line in the file; they are not shown again."""
    from oathward.core.db import connect, read
    from oathward.patients import views

    if not identifier_file:
        raise InputError("--identifier-file", "say where the identifiers are; - reads stdin")
    settings = settings_of(data)
    hasher = hasher_of(settings)
    wanted = identifiers_in(identifier_file, hasher)
    with read(connect(settings.database_url)) as db:
        found = [views.find(db, settings.site.name, hasher, one) for one in wanted]

    def human() -> None:
        for number, subject in enumerate(found, 1):
            print(f"line {number}: {subject or 'not known'}")

    emit({"subjects": found}, as_json=as_json, human=human)


@APP.command()
def canary(
    identifier_file: IdentifierFileOption = None,
    remove: Annotated[bool, typer.Option("--remove", help="Make them ordinary patients again.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare invented patients: wherever their names or numbers are about to leave, the guard stops it and says so.

    They must be known from ADT first. Gateways know within half a minute.
    """
    from oathward.core.db import read, write
    from oathward.patients import actions, views

    if not identifier_file:
        raise InputError("--identifier-file", "say where the identifiers are; - reads stdin")
    settings = settings_of(data)
    hasher = hasher_of(settings)
    wanted = identifiers_in(identifier_file, hasher)
    with opened(data) as site:
        with read(site.engine) as db:
            subjects = [views.find(db, site.site, hasher, one) for one in wanted]
        if None in subjects:
            raise InputError(f"line {subjects.index(None) + 1}", "no such patient", reason=Reason.NOT_FOUND)
        for subject in subjects:
            with write(site.engine) as db:
                actions.set_canary(
                    db, site.site, subject or "", on=not remove, by=person_of(person), now_us=now_us(site)
                )
    word = "ordinary again" if remove else "canaries now"
    emit({"changed": len(subjects)}, as_json=as_json, human=lambda: print(f"{len(subjects)} {word}."))


@APP.command("merge-edges")
def merge_edges(
    subject: Annotated[str, typer.Option(help="Only edges that touch this subject id.")] = "",
    identifier_file: IdentifierFileOption = None,
    kind: Annotated[
        str, typer.Option(help="Only merged, joined, linked, child-of, shares-visit or erased.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many, newest first.")] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List merges, joins, links and kinships, newest first, with what became of them."""
    from oathward.core.db import connect, read
    from oathward.patients import views
    from oathward.patients.model import EdgeKind

    settings = settings_of(data)
    listed = [one for one in EdgeKind if one is not EdgeKind.UNDONE]  # that one is a state of the others
    if kind and kind not in listed:
        raise InputError("--kind", f"one of {', '.join(listed)}")
    site = settings.site.name
    hasher = hasher_of(settings) if identifier_file else None
    with read(connect(settings.database_url)) as db:
        if hasher is not None and identifier_file:
            subject = views.find(db, site, hasher, identifiers_in(identifier_file, hasher)[0]) or ""
            if not subject:
                raise InputError("--identifier-file", "no such patient", reason=Reason.NOT_FOUND)
        edges = views.edges(db, site, subject=subject, kind=kind, limit=limit)

    def human() -> None:
        if not edges:
            if subject or kind:
                print("No such edges.")
                return
            print("No edges. Merges (A40), links (A24) and newborns come from the authoritative ADT source.")
            return
        from rich.table import Table

        table = Table("when (UTC)", "edge", "kind", "child", "parent", "event", "source", "state", box=None)
        table.columns[1].no_wrap = True
        for e in edges:
            when = f"{from_micros(e.at_us):%Y-%m-%d %H:%M:%S}"
            table.add_row(when, e.id, str(e.kind), e.child, e.parent, e.event or "—", e.source, e.state)
        console().print(table)

    rows = [
        {"id": e.id, "kind": str(e.kind), "child": e.child, "parent": e.parent, "event": e.event}
        | {"source": e.source, "at": iso(from_micros(e.at_us)), "state": e.state}
        for e in edges
    ]
    emit({"edges": rows}, as_json=as_json, human=human)


@APP.command()
def merges(
    limit: Annotated[int, typer.Option(min=1, help="At most this many, newest first.")] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List merges that wait for a person's word: portal accesses, break-glass and erasure do not cross them yet."""
    from oathward.core.db import read
    from oathward.patients import views

    with opened(data) as site, read(site.engine) as db:
        waiting = views.unconfirmed(db, site.site, site.authority, site.seen, limit=limit)

    def human() -> None:
        for e in waiting:
            print(
                f"{from_micros(e.at_us):%Y-%m-%d %H:%M}  {e.id}  {e.child} into {e.parent}, said by {e.source}"
            )
        print(
            f"{len(waiting)} wait. `oathward patient confirm EDGE --why TEXT` confirms one, `unmerge` undoes it."
        )

    rows = [
        {
            "id": e.id,
            "child": e.child,
            "parent": e.parent,
            "source": e.source,
            "at": iso(from_micros(e.at_us)),
        }
        for e in waiting
    ]
    emit({"merges": rows}, as_json=as_json, human=human)


@APP.command()
def confirm(
    edge: Annotated[str, typer.Argument(help="Edge id, from `oathward patient merges`.")],
    reason: Annotated[
        str, typer.Option("--why", help="How you know; recorded in the ledger. No patient data.")
    ],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Confirm that the two subjects of a merge are one patient: from now on everything crosses it."""
    import orjson

    from oathward.core.db import read, write
    from oathward.patients import confirming

    if not reason.strip():
        raise InputError("--why", "say how you know, without patient data")
    with opened(data) as site:
        with read(site.engine) as db:
            row = orjson.loads(confirming.draft(db, site.site, edge).body)
        asked = asks(site, person, "merge.confirm")
        signed = site.keeper.patients.merge_sign(edge, row["child"], row["parent"], asked.proof)
        with write(site.engine) as db:
            now = now_us(site)
            confirming.store(db, site.site, signed, by=asked.who, why=reason.strip(), now_us=now)
    emit({"confirmed": edge}, as_json=as_json, human=lambda: print("Confirmed."))


@APP.command()
def unmerge(
    edge: Annotated[str, typer.Argument(help="Edge id, from `oathward patient merge-edges`.")],
    reason: Annotated[str, typer.Option("--why", help="Why; recorded in the ledger. No patient data.")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Undo one merge, join or link. What other merges tie stays tied; the answer names them."""
    from oathward.core.db import read, write
    from oathward.patients import actions, views

    if not reason.strip():
        raise InputError("--why", "say why; it stands in the ledger")
    with opened(data) as site:
        by = who_may(site, person, "merge.confirm")
        with write(site.engine) as db:
            undone = actions.unmerge(
                db, site.site, edge, by=by, reason=reason.strip()[:200], now_us=now_us(site)
            )
        with read(site.engine) as db:
            ties = views.still_tied(db, site.site, undone.child, undone.parent)

    def human() -> None:
        pair = f"{undone.child} and {undone.parent}"
        if ties:
            print(f"Undone, but {pair} are still one patient, by: {', '.join(ties)}")
        else:
            print(f"Undone. {pair} are two; gateways know within a second.")
            print(
                "What was sealed, or consented to by command, while they were one stays with whoever stood for both."
            )

    value = {"edge": undone.id, "undoes": edge, "child": undone.child, "parent": undone.parent}
    emit(value | {"still_tied_by": ties}, as_json=as_json, human=human)
