"""``oathward care``: shifts and assignments as a list, what holds now, ending one early, units as messages name them.

Rules:
- Patients' identifiers come from a file or stdin, never from an argument, and are never printed.
- With any mistake in the list nothing is imported; each is told by line and column.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, hasher_of, now_us, opened, person_of, read_bytes
from oathward.cli.output import DataOption, JsonOption, console, emit, settings_of
from oathward.cli.permitted import used
from oathward.cli.signed_in import proof_of
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.policy.people import Person
    from oathward.vault.care_rows import Assignment
    from oathward.vault.care_sheet import Line, Mistake
    from oathward.vault.opened import Opened

BATCH = 500
SHOWN_MAX = 20
LIST_MAX = 5_000

APP = typer.Typer(
    help="Care: shifts and assignments, and the units messages name.",
    add_completion=False,
    no_args_is_help=True,
)


@APP.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="CSV: person, unit or patient, from, until; - for stdin.")],
    source: Annotated[str, typer.Option(help="Name of the list it comes from.")] = "list",
    whole: Annotated[
        bool,
        typer.Option(
            "--whole", help="The list is whole: what this source said before and says no more ends now."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count; change nothing.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import who works where, or cares for whom, from when until when. Again changes nothing."""
    from oathward.core.db import read
    from oathward.vault import care_rows, care_sheet

    sheet = care_sheet.parse_apart(read_bytes(file, care_sheet.BYTES_MAX))
    _refuse(sheet.mistakes)
    hasher = hasher_of(settings_of(data)) if any(line.patient for line in sheet.lines) else None
    with opened(data) as site:
        at_us = now_us(site)
        rows = _assignments(site, sheet.lines, hasher, source)
        with read(site.engine) as db:
            there = {one.id: one for one in care_rows.assignments(db, site.site, since_us=0)}
        new = [one for one in rows if there.get(one.id) != one]
        listed = {one.id for one in rows}
        over = [
            dataclasses.replace(one, until_us=max(at_us, one.from_us))
            for one in there.values()
            if whole and one.source == source and one.id not in listed and one.until_us > at_us
        ]
        if not dry_run:
            _store(site, [*new, *over], person_of(person))

    def human() -> None:
        would = "would be " if dry_run else ""
        print(f"{len(rows)} assignments read; {len(new)} {would}new or changed, {len(over)} {would}ended.")

    value = {"read": len(rows), "changed": len(new), "ended": len(over), "dry_run": dry_run}
    emit(value, as_json=as_json, human=human)


@APP.command("list")
def list_(
    number: Annotated[str, typer.Option("--number", help="Only of the person with this number.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List shifts and assignments that hold or will hold."""
    from oathward.core.clock import from_micros, iso
    from oathward.core.db import read
    from oathward.vault import care_rows

    with opened(data) as site:
        people = {one.number: one for one in _people(site)}
        if number and number not in people:
            raise InputError("--number", "nobody here has this number", reason=Reason.NOT_FOUND)
        since_us = 0 if all_ else now_us(site)
        chosen = people[number].id if number else ""
        with read(site.engine) as db:
            found = care_rows.assignments(db, site.site, person=chosen, since_us=since_us, limit=LIST_MAX)
    names = {one.id: one.number or one.id for one in people.values()}

    def human() -> None:
        if not found:
            print("No shift or assignment. `oathward care import FILE` brings them.")
            return
        from rich.table import Table

        table = Table("id", "person", "unit", "patient", "from (UTC)", "until (UTC)", "source", box=None)
        for one in found:
            times = (f"{from_micros(at):%Y-%m-%d %H:%M}" for at in (one.from_us, one.until_us))
            table.add_row(
                one.id,
                names.get(one.person, one.person),
                one.unit or "—",
                one.subject or "—",
                *times,
                one.source,
            )
        console().print(table)

    rows = [
        {"id": one.id, "person": one.person, "unit": one.unit, "subject": one.subject, "source": one.source}
        | {"from": iso(from_micros(one.from_us)), "until": iso(from_micros(one.until_us))}
        for one in found
    ]
    emit({"assignments": rows}, as_json=as_json, human=human)


@APP.command()
def end(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Of the assignment, from `oathward care list`.")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a shift or an assignment now: open pages of its patients close within seconds."""
    from oathward.core.db import read
    from oathward.vault import care_rows

    with opened(data) as site:
        at_us = now_us(site)
        with read(site.engine) as db:
            found = [one for one in care_rows.assignments(db, site.site, since_us=at_us) if one.id == id_]
        if not found:
            raise InputError("ID", "no such assignment holds or will hold", reason=Reason.NOT_FOUND)
        ended = dataclasses.replace(found[0], until_us=max(at_us, found[0].from_us))
        _store(site, [ended], person_of(person))
    emit({"ended": id_}, as_json=as_json, human=lambda: print("Ended."))


@APP.command()
def units(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the units that messages name now, as people's units and shifts must be written, and how many patients are there."""
    from oathward.core.db import read
    from oathward.vault import care_rows

    with opened(data) as site, read(site.engine) as db:
        found = care_rows.units(db, site.site)

    def human() -> None:
        for unit, count in found.items():
            print(f"{count:>6}  {unit}")
        if not found:
            print("No unit. Units come with ADT messages of an authoritative source (PV1-3).")

    emit({"units": found}, as_json=as_json, human=human)


def _assignments(site: Opened, lines: list[Line], hasher: Any, source: str) -> list[Assignment]:
    """Find who and whose each line is; with any that nobody knows, none.

    Raises:
        InputError: names the lines.
    """
    from oathward.vault.care_rows import Assignment
    from oathward.vault.care_sheet import Mistake, id_of

    people = {one.number: one for one in _people(site) if one.number and one.state == "active"}
    subjects = _subjects(site, lines, hasher)
    mistakes = [
        Mistake(line.number, "person", "nobody here has this number")
        for line in lines
        if line.person not in people
    ]
    mistakes += [
        Mistake(
            line.number,
            "patient",
            "nobody has heard of this patient, or it is no identifier as in 12345^^^HOSP^MR",
        )
        for line in lines
        if line.patient and line.number not in subjects
    ]
    _refuse(sorted(mistakes, key=lambda one: one.line))
    found = {}
    for line in lines:
        who, subject = people[line.person].id, subjects.get(line.number, "")
        id_ = id_of(who, line.unit, subject, line)
        found[id_] = Assignment(id_, who, line.unit, subject, line.from_us, line.until_us, source)
    return list(found.values())


def _subjects(site: Opened, lines: list[Line], hasher: Any) -> dict[int, str]:
    """Find the subject of each line that names a patient: line -> subject."""
    from oathward.core.db import read
    from oathward.patients import views
    from oathward.patients.identifiers import from_cx

    if hasher is None:
        return {}
    named = [(line.number, from_cx(line.patient.reveal(), hasher)) for line in lines if line.patient]
    known = [(number, one) for number, one in named if one is not None]
    with read(site.engine) as db:
        found = views.find_all(db, site.site, hasher, [one for _, one in known])
    return {number: subject for (number, _), subject in zip(known, found, strict=True) if subject}


def _people(site: Opened) -> list[Person]:
    from oathward.core.db import read
    from oathward.policy.people import PERSON, Person
    from oathward.vault.authority import load_all

    with read(site.engine) as db:
        documents = load_all(db, site.site, PERSON, site.authority, site.seen)
    return [Person.from_body(document.body) for document in documents.values()]


def _store(site: Opened, rows: list[Assignment], person: str) -> None:
    from oathward.core.db import write
    from oathward.vault import care_rows

    proof = proof_of(site.settings, site.keeper, person)
    for start in range(0, len(rows), BATCH):
        stamped = site.keeper.patients.stamp(rows[start : start + BATCH], proof)
        with write(site.engine) as db:
            care_rows.assign(db, site.site, stamped)
    used(site, proof, "care.change")


def _refuse(mistakes: list[Mistake]) -> None:
    if not mistakes:
        return
    told = [
        f"line {one.line}{f' {one.column}' if one.column else ''}: {one.why}" for one in mistakes[:SHOWN_MAX]
    ]
    more = f"; and {len(mistakes) - SHOWN_MAX} more" if len(mistakes) > SHOWN_MAX else ""
    raise InputError("list", "; ".join(told) + more)
